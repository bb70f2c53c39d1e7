/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "install.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "alias.h"
#include "gate.h"
#include "journal.h"
#include "kobj.h"
#include "l2tp.h"
#include "l2tpip.h"
#include "netns.h"
#include "nl.h"
#include "pins.h"
#include "pppdev.h"
#include "pppox.h"
#include "rtnl.h"
#include "udp.h"
#include "why.h"

/* A new IPv6 route goes behind its equals, an IPv4 one before: to be preferred, a default needs a better metric. */
enum { IPV6_DEFAULT_METRIC = 512, FREE_WAIT_MS = 2000 };

static int netlink_fail(struct nl *nl, char *why, int err, const char *call)
{
	return why_fail(why, err, call, nl->text);
}

static void drop_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Tunnels */

int install_tunnel(struct nl *nl, const struct k_request *r, int *ret_fd, char *why)
{
	const char *call;
	int fd, err = nl_l2tp(nl);

	if (err)
		return why_fail(why, err, "netlink l2tp", NULL);
	if (r->tunnel.local.encap == K_IP)
		fd = l2tpip_connect(&r->tunnel.local, &r->tunnel.peer, r->tunnel_id, r->tunnel.peer_tunnel_id,
				    r->tunnel.mark, &call);
	else
		fd = udp_connect(&r->tunnel.local, &r->tunnel.peer, r->tunnel.mark, r->tunnel.no_csum, &call);
	if (fd < 0)
		return why_fail(why, fd, call, NULL);
	err = l2tp_tunnel_create(nl, r->tunnel.v3 ? 3 : 2, r->tunnel.local.encap == K_IP, r->tunnel_id,
				 r->tunnel.peer_tunnel_id, fd);
	if (err) {
		close(fd);
		return netlink_fail(nl, why, err, "TUNNEL_CREATE");
	}
	*ret_fd = fd;
	return 0;
}

int raise_tunnel(struct nl *nl, struct k_request *r, struct aliases *aliases, const struct alias *alias, struct gate *gate,
		 const struct gate_tunnel *gated, int *ret_fd, char *why)
{
	int err;

	if (alias->port)
		r->tunnel.peer.port = alias->port;
	err = install_tunnel(nl, r, ret_fd, why);
	if (err)
		return err;
	if (alias->port)
		err = alias_add(aliases, alias, why);
	/* Now, and not before: until it is there the peer's data come from its real port.  There is no session yet. */
	if (!err && (err = gate_add(gate, gated, why)) && alias->port)
		alias_del(aliases, alias->tunnel_id);
	if (err)
		remove_tunnel(nl, r->tunnel_id, *ret_fd, false);
	return err;
}

bool remove_tunnel(struct nl *nl, uint16_t tunnel_id, int fd, bool gone)
{
	struct timespec pause = { .tv_nsec = 4 * 1000 * 1000 };
	int there = 1;

	/* Not by the close alone: ktund may hold a copy of the socket. */
	if (!gone)
		l2tp_tunnel_delete(nl, tunnel_id);
	close(fd);
	/* 6.1 keeps the id until its work queue has run (KERNEL.md 5.1).  Asking takes a lock that all deletions need. */
	for (unsigned ms = 0; !gone && ms < FREE_WAIT_MS && (there = l2tp_tunnel_exists(nl, tunnel_id)) == 1; ) {
		nanosleep(&pause, NULL);
		ms += (unsigned)(pause.tv_nsec / 1000000);
		if (pause.tv_nsec < 64 * 1000 * 1000)
			pause.tv_nsec *= 2;
	}
	return gone || there != 1;
}

/* Links */

static int add_routes(struct nl *nl, const struct k_link *l, uint32_t ifindex, char *why)
{
	for (unsigned i = 0; i < l->n_routes; i++) {
		const struct k_route *k = &l->route[i];
		struct rtnl_route r = { .dst = k->dst, .prefix_len = k->prefix_len, .ifindex = ifindex,
					.metric = k->metric };
		int err;

		if (!r.metric && !r.prefix_len && r.dst.family == 6)
			r.metric = IPV6_DEFAULT_METRIC;
		err = rtnl_route_add(nl, &r, false);
		if (err && err != -EEXIST)
			return netlink_fail(nl, why, err, "add route");
	}
	return 0;
}

static int np_modes(int unit_fd, const struct k_link *l, bool first, char *why)
{
	int err = 0;

	if (l->ipv4 || l->no_ipv4 || first)
		err = pppdev_np_mode(unit_fd, PPP_NP_IPV4, l->ipv4);
	if (!err && (l->ipv6 || l->no_ipv6 || first))
		err = pppdev_np_mode(unit_fd, PPP_NP_IPV6, l->ipv6);
	return err ? why_fail(why, err, "ioctl(PPPIOCSNPMODE)", NULL) : 0;
}

static bool same_inside(const struct k_link *l, const struct k_addr *peer)
{
	return l->peer_ip && peer->family == 4 && !memcmp(&l->peer_ip, peer->addr, sizeof(l->peer_ip));
}

/* alias: set for a link that is new and down; then its name may be changed, too. */
static int apply(struct nl *nl, const struct k_link *l, const char *name, const char *alias, const struct tunnel_ends *t,
		 struct pins *pins, struct installed *in, char *why)
{
	struct rtnl_link set = { .ifindex = in->ifindex, .name = name, .alias = alias, .mtu = l->mtu, .up = l->up,
				 .dormant = l->dormant, .awake = l->awake, .group = alias ? K_LINK_GROUP : 0 };
	int err;

	if (l->mru && (err = pppdev_mru(in->unit_fd, l->mru)) < 0)
		return why_fail(why, err, "ioctl(PPPIOCSMRU)", NULL);
	err = np_modes(in->unit_fd, l, alias, why);
	if (err)
		return err;
	/* One system call.  Up before the addresses: the kernel gives a link its multicast route with an IPv6 address only if it
	 * is up; the peer sends nothing before it has heard our last Configure-Ack. */
	if (name || alias || l->mtu || l->up || l->dormant || l->awake) {
		err = rtnl_link_set(nl, &set);
		if (err)
			return netlink_fail(nl, why, err, name ? "rename" : l->mtu ? "set MTU" : l->up ? "link up" : "status");
		if (l->mtu)
			in->mtu = l->mtu;
		if (name && !if_indextoname(in->ifindex, in->name))
			return why_fail(why, -errno, "SIOCGIFNAME", NULL);
	}
	/* Before the addresses: some gateways give the outer address of the tunnel as their inner one, too, and the link's
	 * own host route would swallow the tunnel. */
	if ((l->pin_peer || same_inside(l, &t->peer)) && pins && !in->pinned) {
		err = pins_take(pins, nl, &t->peer, t->mark);
		if (err)
			return netlink_fail(nl, why, err, "route to the tunnel's peer");
		in->pinned = true;
	}
	if (l->ip && (err = rtnl_address4(nl, in->ifindex, l->ip, l->peer_ip)) < 0)
		return netlink_fail(nl, why, err, "add IPv4 address");
	if (l->ifid && (err = rtnl_address6(nl, in->ifindex, l->ifid, l->peer_ifid)) < 0)
		return netlink_fail(nl, why, err, "add IPv6 address");
	return add_routes(nl, l, in->ifindex, why);
}

int change_link(struct nl *nl, const struct k_link *l, const struct tunnel_ends *t, struct pins *pins,
		struct installed *in, char *why)
{
	return apply(nl, l, NULL, NULL, t, pins, in, why);
}

/* Sessions */

static int open_ppp(int *ret, char *why)
{
	int fd = pppdev_open();

	if (fd < 0)
		return why_fail(why, fd, "open(/dev/ppp)", NULL);
	*ret = fd;
	return 0;
}

/* In L2TPv3 the kernel's "cookie" is what it sends, its "peer cookie" what it expects. */
static void to_kernels(struct kobj_session *s, const struct k_request *r, const struct k_wire *w)
{
	*s = (struct kobj_session){ .tunnel_id = r->tunnel_id, .session_id = w->session_id, .peer_session_id = w->peer_session_id,
				    .l2spec = w->l2spec, .cookie_len = w->tx_cookie_len, .peer_cookie_len = w->rx_cookie_len };
	memcpy(s->cookie, w->tx_cookie, sizeof(s->cookie));
	memcpy(s->peer_cookie, w->rx_cookie, sizeof(s->peer_cookie));
}

/* Cookies and the sublayer are SESSION_CREATE's alone to tell. */
static int connect_v3(struct nl *nl, const struct k_request *r, const struct tunnel_ends *t, struct installed *in, char *why)
{
	const struct k_wire *w = &r->session.wire;
	struct kobj_session s;
	int err;

	if (w->l2spec || w->tx_cookie_len || w->rx_cookie_len) {
		to_kernels(&s, r, w);
		s.pw = KOBJ_PW_PPP;
		err = kobj_session_add(nl, &s, 3);
		if (err)
			return netlink_fail(nl, why, err, "SESSION_CREATE");
	}
	err = pppox_connect_v3(in->pppox, &t->peer, r->tunnel_id, w->session_id, t->peer_tunnel_id, w->peer_session_id);
	if (!err)
		return 0;
	if (w->l2spec || w->tx_cookie_len || w->rx_cookie_len)
		kobj_session_delete(nl, r->tunnel_id, w->session_id);
	return why_fail(why, err, "connect(AF_PPPOX)", NULL);
}

/* In L2TPv2 no SESSION_CREATE before connect(): between the two the kernel would drop the session's frames, while without a
 * session it passes them up the tunnel's socket. */
static int connect_session(struct nl *nl, const struct k_request *r, const struct tunnel_ends *t, struct installed *in, char *why)
{
	int err, channel;

	in->pppox = pppox_socket();
	if (in->pppox < 0)
		return why_fail(why, in->pppox, "socket(AF_PPPOX)", NULL);
	err = open_ppp(&in->channel, why);
	if (!err)
		err = open_ppp(&in->unit_fd, why);
	if (err)
		return err;
	if (r->session.wire.session_id) {
		err = connect_v3(nl, r, t, in, why);
		if (err)
			return err;
	} else if ((err = pppox_connect(in->pppox, &t->peer, r->tunnel_id, r->session_id, (uint16_t)t->peer_tunnel_id,
					r->session.peer_session_id)) < 0) {
		return why_fail(why, err, "connect(AF_PPPOX)", NULL);
	}
	err = pppox_mode(in->pppox, r->session.lns_mode, r->session.send_seq, r->session.recv_seq);
	if (err)
		return why_fail(why, err, "setsockopt(SOL_PPPOL2TP)", NULL);
	/* Before 6.12.111 and 6.1.188 frames that arrived since connect() are lost here: microseconds of them. */
	err = pppox_channel(in->pppox, &channel);
	if (err)
		return why_fail(why, err, "ioctl(PPPIOCGCHAN)", NULL);
	err = pppdev_attach_channel(in->channel, channel);
	if (err)
		return why_fail(why, err, "ioctl(PPPIOCATTCHAN)", NULL);
	return 0;
}

static int make_link(struct installed *in, char *why)
{
	int err = pppdev_new_unit(in->unit_fd, &in->unit);

	if (err)
		return why_fail(why, err, "ioctl(PPPIOCNEWUNIT)", NULL);
	err = pppdev_connect(in->channel, in->unit);
	if (err)
		return why_fail(why, err, "ioctl(PPPIOCCONNECT)", NULL);
	snprintf(in->name, sizeof(in->name), "ppp%u", in->unit);
	in->ifindex = if_nametoindex(in->name);
	if (!in->ifindex)
		return why_fail(why, -errno, "SIOCGIFINDEX", NULL);
	in->mtu = 1500;
	return 0;
}

/* The link's place: a bridge, a VRF, a network namespace or here.  To move it takes no capability there but to configure it
 * afterwards would: so both are one request, which the kernel carries out in this order. */
static int place_eth(struct nl *nl, const struct k_request *r, struct rtnl_link *set, struct installed *in, char *why)
{
	struct attach to = { .vlan = r->eth.vlan, .up = r->eth.up, .bridge = r->eth.bridge[0] ? r->eth.bridge : NULL,
			     .vrf = r->eth.vrf[0] ? r->eth.vrf : NULL };
	bool port = to.bridge || to.vrf;
	int err;

	set->up = r->eth.up && !port;
	if (r->eth.netns[0]) {
		set->netns = netns_open(r->eth.netns);
		if (set->netns < 0)
			return why_fail(why, set->netns, "network namespace", r->eth.netns);
	}
	err = rtnl_link_set(nl, set);
	if (set->netns) {
		in->nsid = rtnl_nsid(nl, set->netns);
		close(set->netns);
	}
	if (err)
		return netlink_fail(nl, why, err, set->netns ? "move to the network namespace" : set->mtu ? "set MTU" : "link up");
	in->away = set->netns;
	if (in->away)
		in->ifindex = 0;
	return port ? attach_link(nl, in->name, &to, why) : 0;
}

/* SESSION_CREATE gives the link its name: it is down and unknown until then, and needs no other.  One in another namespace cannot
 * be woken. */
static int install_eth(struct nl *nl, const struct k_request *r, const char *alias, struct installed *ret, char *why)
{
	struct installed in = { .pppox = -1, .channel = -1, .unit_fd = -1 };
	struct rtnl_link set = { .alias = alias, .mtu = r->eth.mtu, .dormant = r->eth.dormant && !r->eth.netns[0] };
	struct kobj_session eth;
	uint32_t mtu = 0;
	int err;

	to_kernels(&eth, r, &r->eth.wire);
	eth.pw = KOBJ_PW_ETHERNET;
	eth.send_seq = r->eth.send_seq;
	eth.recv_seq = r->eth.recv_seq;
	memcpy(eth.name, r->eth.name, sizeof(eth.name));
	err = kobj_session_add(nl, &eth, 3);
	if (err)
		return netlink_fail(nl, why, err, "SESSION_CREATE");
	in.eth_tunnel = eth.tunnel_id;
	in.eth_session = eth.session_id;
	/* A name of ours need not be asked for. */
	err = eth.name[0] && !strchr(eth.name, '%') ? 0 : kobj_session_get(nl, eth.tunnel_id, eth.session_id, &eth);
	memcpy(in.name, eth.name, sizeof(in.name));
	if (err)
		netlink_fail(nl, why, err, "SESSION_GET");
	else if ((err = rtnl_link_find(in.name, &in.ifindex, &mtu)))
		why_fail(why, err, "SIOCGIFINDEX", NULL);
	set.ifindex = in.ifindex;
	in.mtu = set.mtu ? set.mtu : mtu;
	if (!err)
		err = place_eth(nl, r, &set, &in, why);
	if (err)
		remove_session(nl, &in, NULL, NULL);
	else
		*ret = in;
	return err;
}

int install_session(struct nl *nl, const struct k_request *r, const struct tunnel_ends *t, struct pins *pins,
		    struct installed *ret, char *why)
{
	struct installed in = { .pppox = -1, .channel = -1, .unit_fd = -1 };
	char alias[LINK_ALIAS_SIZE] = "";
	int err;

	if (t->instance)
		journal_link_alias(t->instance, r->tunnel_id, r->session_id, alias);
	if (r->op == K_ETH_UP)
		return install_eth(nl, r, alias, ret, why);
	err = connect_session(nl, r, t, &in, why);
	if (!err)
		err = make_link(&in, why);
	if (!err)
		err = apply(nl, &r->session.link, r->session.name[0] ? r->session.name : NULL, alias, t, pins, &in, why);
	if (err)
		remove_session(nl, &in, t, pins);
	else
		*ret = in;
	return err;
}

void remove_links(struct nl *nl, const uint32_t *ifindex, unsigned n, uint32_t group)
{
	if (n > 1) {
		(void)rtnl_links_group(nl, ifindex, n, group);	/* not all: those that others have deleted already */
		if (!rtnl_group_delete(nl, group))
			return;
	}
	for (unsigned i = 0; i < n; i++)
		rtnl_link_delete(nl, ifindex[i]);
}

void remove_session(struct nl *nl, struct installed *in, const struct tunnel_ends *t, struct pins *pins)
{
	struct timespec pause = { .tv_nsec = 2 * 1000 * 1000 };

	/* The link goes a little later, and its name is free when it is gone. */
	if (in->eth_session && !kobj_session_delete(nl, in->eth_tunnel, in->eth_session))
		for (unsigned ms = 0; ms < FREE_WAIT_MS && if_nametoindex(in->name); ms += 2)
			nanosleep(&pause, NULL);
	in->eth_session = 0;
	drop_fd(&in->unit_fd);
	drop_fd(&in->pppox);
	drop_fd(&in->channel);
	if (in->pinned && pins)
		pins_drop(pins, nl, &t->peer, t->mark);
	in->pinned = false;
	in->ifindex = 0;
}
