/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "why.h"
#include "wire.h"

enum { MAX_HOOK_WORDS = 64, MIN_MTU = 68, MIN_IPV6_MTU = 1280,	/* RFC 791 3.2, RFC 8200 5 */
       MAX_VLAN = 4094 };

static int bad(char *why, const char *what)
{
	snprintf(why, WHY_SIZE, "request refused: %s", what);
	return -EINVAL;
}

/* A bool from the wire may hold anything; looking at it as a bool would be undefined. */
static bool flag_ok(const bool *b)
{
	unsigned char c;

	memcpy(&c, b, 1);
	return c <= 1;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static bool is_link_local(const struct k_addr *a)
{
	return a->family == 6 && a->addr[0] == 0xfe && (a->addr[1] & 0xc0) == 0x80;
}

static bool address_ok(const struct k_addr *a)
{
	if (a->encap > K_IP || (a->encap == K_IP && a->port))
		return false;
	if (a->family == 4)
		return !a->scope && all_zero(a->addr + 4, 12) && (a->addr[0] < 224 || a->addr[0] >= 240);
	return a->family == 6 && a->addr[0] != 0xff && is_link_local(a) == !!a->scope;
}

static bool is_any(const struct k_addr *a)
{
	return all_zero(a->addr, sizeof(a->addr));
}

/* What dev_valid_name() of the kernel takes, and at most one "%d". */
static bool name_ok(const char name[16])
{
	const char *end = memchr(name, 0, 16), *percent;

	if (!end)
		return false;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (const char *p = name; p < end; p++)
		if (*p <= ' ' || *p == '/' || *p == ':' || *p == 127)
			return false;
	percent = strchr(name, '%');
	return !percent || (percent[1] == 'd' && !strchr(percent + 1, '%'));
}

static int check_route(const struct k_route *r, char *why)
{
	unsigned bits = r->dst.family == 6 ? 128 : 32;

	if ((r->dst.family != 4 && r->dst.family != 6) || r->prefix_len > bits || r->dst.scope || r->dst.port ||
	    r->dst.encap)
		return bad(why, "a route's destination");
	if (r->dst.family == 4 && !all_zero(r->dst.addr + 4, 12))
		return bad(why, "a route's destination");
	for (unsigned i = r->prefix_len; i < bits; i++)
		if (r->dst.addr[i / 8] & 0x80 >> i % 8)
			return bad(why, "a route's destination has bits beyond its prefix");
	return 0;
}

static int check_link(const struct k_link *l, char *why)
{
	const uint8_t *ip = (const uint8_t *)&l->ip, *peer = (const uint8_t *)&l->peer_ip;

	if (!flag_ok(&l->up) || !flag_ok(&l->ipv4) || !flag_ok(&l->ipv6) || !flag_ok(&l->no_ipv4) || !flag_ok(&l->no_ipv6) ||
	    !flag_ok(&l->pin_peer) || !flag_ok(&l->dormant) || !flag_ok(&l->awake) || (l->dormant && l->awake))
		return bad(why, "a flag of the link");
	if ((l->mtu && l->mtu < MIN_MTU) || (l->mru && l->mru < MIN_MTU))
		return bad(why, "MTU or MRU below 68");
	if (l->peer_ip && !l->ip)
		return bad(why, "a peer's IPv4 address without ours");
	if (l->ip && (!ip[0] || ip[0] == 127 || ip[0] >= 224 || (l->peer_ip && (!peer[0] || peer[0] == 127 || peer[0] >= 224))))
		return bad(why, "an IPv4 address that no host can have");
	if (l->peer_ifid && !l->ifid)
		return bad(why, "a peer's interface identifier without ours");
	if (l->ifid && l->ifid == l->peer_ifid)
		return bad(why, "both interface identifiers are the same");
	if (l->ifid && l->mtu && l->mtu < MIN_IPV6_MTU)
		return bad(why, "IPv6 needs an MTU of 1280");
	for (unsigned i = 0; i < l->n_routes; i++)
		if (check_route(&l->route[i], why))
			return -EINVAL;
	return 0;
}

static int check_tunnel(const struct k_request *r, char *why)
{
	const struct k_addr *local = &r->tunnel.local, *peer = &r->tunnel.peer;

	if (!flag_ok(&r->tunnel.no_csum) || !flag_ok(&r->tunnel.v3))
		return bad(why, "a flag of the tunnel");
	if (!address_ok(local) || !address_ok(peer) || local->family != peer->family)
		return bad(why, "an address of the tunnel");
	if (local->encap != peer->encap || (local->encap == K_IP && (!r->tunnel.v3 || r->tunnel.no_csum)))
		return bad(why, "the encapsulation");
	if (is_any(peer) || (peer->encap == K_UDP && !peer->port) || !memcmp(peer->addr, "\xff\xff\xff\xff", 4))
		return bad(why, "the peer's address or port");
	if (!r->tunnel.peer_tunnel_id || (!r->tunnel.v3 && r->tunnel.peer_tunnel_id > UINT16_MAX))
		return bad(why, "the peer's tunnel id");
	return 0;
}

static bool cookie_ok(const uint8_t cookie[8], unsigned len)
{
	return (len == 0 || len == 4 || len == 8) && all_zero(cookie + len, 8 - len);
}

static int check_wire(const struct k_wire *w, char *why)
{
	if (!w->session_id || !w->peer_session_id)
		return bad(why, "an id is 0");
	if (w->l2spec > 1)
		return bad(why, "the L2-Specific Sublayer");
	return cookie_ok(w->tx_cookie, w->tx_cookie_len) && cookie_ok(w->rx_cookie, w->rx_cookie_len) ? 0 : bad(why, "a cookie");
}

static int check_eth(const struct k_request *r, char *why)
{
	if (!r->tunnel_id || !r->session_id)
		return bad(why, "an id is 0");
	if (r->eth.mtu && r->eth.mtu < MIN_MTU)
		return bad(why, "MTU below 68");
	if (!flag_ok(&r->eth.up) || !flag_ok(&r->eth.send_seq) || !flag_ok(&r->eth.recv_seq) || !flag_ok(&r->eth.dormant))
		return bad(why, "a flag of the session");
	if (!name_ok(r->eth.name) || !name_ok(r->eth.bridge) || !name_ok(r->eth.vrf))
		return bad(why, "a link's name");
	if (!memchr(r->eth.netns, 0, sizeof(r->eth.netns)) || strchr(r->eth.netns, '/'))
		return bad(why, "the network namespace's name");
	if ((r->eth.bridge[0] && r->eth.vrf[0]) || (r->eth.netns[0] && (r->eth.bridge[0] || r->eth.vrf[0])))
		return bad(why, "more than one of bridge, VRF and network namespace");
	if (r->eth.vlan > MAX_VLAN || (r->eth.vlan && !r->eth.bridge[0]))
		return bad(why, "the VLAN");
	return check_wire(&r->eth.wire, why);
}

/* In L2TPv2 the ids are the keeper's own. */
static int check_session(const struct k_request *r, char *why)
{
	static const struct k_wire none;
	bool v3 = memcmp(&r->session.wire, &none, sizeof(none));

	if (!r->tunnel_id || !r->session_id || !r->session.peer_session_id == !v3)
		return bad(why, "an id is 0");
	if (!flag_ok(&r->session.lns_mode) || !flag_ok(&r->session.send_seq) || !flag_ok(&r->session.recv_seq))
		return bad(why, "a flag of the session");
	if (v3 && check_wire(&r->session.wire, why))
		return -EINVAL;
	return name_ok(r->session.name) ? check_link(&r->session.link, why) : bad(why, "the link's name");
}

/* Hooks run as root, and an environment can make any program load code: only what pppd(8) gives them, and our own. */
static bool variable_ok(const char *p)
{
	static const char *const name[] = {
		"DEVICE", "IFNAME", "SPEED", "IPLOCAL", "IPREMOTE", "PEERNAME", "PPPLOGNAME", "ORIG_UID", "LINKNAME", "LLLOCAL",
		"LLREMOTE", "CALLING_ADDRESS", "TUNNEL_ID", "SESSION_ID", "MTU", "DNS1", "DNS2", "WINS1", "WINS2", "USEPEERDNS",
		"CONNECT_TIME", "BYTES_SENT", "BYTES_RCVD",
	};
	size_t n = strcspn(p, "=");

	if (!p[n])
		return false;
	for (unsigned i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (strlen(name[i]) == n && !memcmp(p, name[i], n))
			return true;
	return !strcmp(p, "PATH=" K_HOOK_PATH);
}

static int check_hook(const struct k_request *r, char *why)
{
	unsigned words = 0, want = (unsigned)r->hook.argc + r->hook.envc;
	const char *p = r->hook.text, *end = p + r->hook.len;

	if (!r->hook.argc || r->hook.argc > MAX_HOOK_WORDS || r->hook.envc > MAX_HOOK_WORDS)
		return bad(why, "the number of a hook's words");
	if (!r->hook.len || end[-1] || p[0] != '/')
		return bad(why, "a hook's words");
	for (; p < end; p += strlen(p) + 1, words++)
		if (words >= r->hook.argc && !variable_ok(p))
			return bad(why, "a hook's environment");
	return words == want ? 0 : bad(why, "the number of a hook's words");
}

static bool prefix_ok(const struct k_addr *a, unsigned bits)
{
	unsigned full = a->family == 6 ? 128 : 32;

	if ((a->family != 4 && a->family != 6) || a->encap || bits > full || a->scope ||
	    (a->family == 4 && !all_zero(a->addr + 4, 12)))
		return false;
	for (unsigned i = bits; i < full; i++)
		if (a->addr[i / 8] & 0x80 >> i % 8)
			return false;
	return true;
}

static int check_guard(const struct k_request *r, char *why)
{
	if (!flag_ok(&r->guard.more))
		return bad(why, "a flag of the IPsec guard");
	for (unsigned i = 0; i < r->guard.n; i++) {
		const struct k_guard *g = &r->guard.rule[i];

		if (!prefix_ok(&g->local, g->local_bits) || !prefix_ok(&g->peer, g->peer_bits) || g->peer.port ||
		    g->local.family != g->peer.family || !flag_ok(&g->pass) || !flag_ok(&g->net) || (g->net && g->local.port) ||
		    (g->mtu && (!g->net || g->mtu < K_MIN_MTU)) || g->pad)
			return bad(why, "a rule of the IPsec guard");
	}
	return 0;
}

static int check_sa(const struct k_request *r, char *why)
{
	unsigned bits = r->sa.local.family == 6 ? 128 : 32;

	return r->sa.reqid && r->sa.local.family == r->sa.peer.family && !r->sa.local.port && !r->sa.peer.port &&
	       prefix_ok(&r->sa.local, bits) && prefix_ok(&r->sa.peer, bits) ? 0 : bad(why, "the ends of an SA");
}

int check_request(const struct k_request *r, size_t len, char *why)
{
	size_t want = len < K_REQUEST_HEAD ? 0 : k_request_size(r, len);

	if (!want || want != len) {
		snprintf(why, WHY_SIZE, "request refused: no such operation, or its length is wrong");
		return -EPROTO;
	}
	switch ((enum k_op)r->op) {
	case K_HELLO:
		return r->hello.version == K_VERSION ? 0 : bad(why, "ktund and ktund-keeper are of different versions");
	case K_LISTEN:
	case K_UNLISTEN:
		return address_ok(&r->listen.local) ? 0 : bad(why, "the listener's address");
	case K_TUNNEL_UP:
		return r->tunnel_id ? check_tunnel(r, why) : bad(why, "tunnel id 0");
	case K_TUNNEL_DOWN:
		return r->tunnel_id ? 0 : bad(why, "tunnel id 0");
	case K_SESSION_UP:
		return check_session(r, why);
	case K_ETH_UP:
		return check_eth(r, why);
	case K_SESSION_DOWN:
		return r->session_id ? 0 : bad(why, "session id 0");
	case K_LINK_SET:
		return r->session_id ? check_link(&r->link, why) : bad(why, "session id 0");
	case K_HOOK:
		return check_hook(r, why);
	case K_OPEN:
		return r->open.path[0] && memchr(r->open.path, 0, K_MAX_PATH) ? 0 : bad(why, "the path");
	case K_MARKED:
		return address_ok(&r->marked.local) && r->marked.local.port && r->marked.mark ? 0 : bad(why, "the marked socket");
	case K_TUNNEL_MARK:
		return r->tunnel_id && r->mark.mark ? 0 : bad(why, "the tunnel's mark");
	case K_SA_DROP:
		return check_sa(r, why);
	case K_GUARD:
		return check_guard(r, why);
	case K_STATS:
	case K_LIST:
	case K_STOP:
	case K_CHARON:
	case K_KEPT_OUT:
		return 0;
	case K_EVENT:
		break;
	}
	return -EPROTO;
}
