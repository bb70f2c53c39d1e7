/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kobj.h"

#include <errno.h>
#include <netinet/in.h>	/* before linux/l2tp.h: they quarrel otherwise */
#include <linux/genetlink.h>
#include <linux/l2tp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <time.h>

#include "l2tp.h"
#include "nl.h"

enum { GONE_MS = 3000, LOOK_MS = 10 };	/* how long a deletion may take, and how often to look */

/* What the kernel sends; types only, lengths of the rest are looked at where they are used. */
static const struct nla_policy policy[L2TP_ATTR_MAX + 1] = {
	[L2TP_ATTR_PW_TYPE] = { .type = NLA_U16 },
	[L2TP_ATTR_ENCAP_TYPE] = { .type = NLA_U16 },
	[L2TP_ATTR_PROTO_VERSION] = { .type = NLA_U8 },
	[L2TP_ATTR_IFNAME] = { .type = NLA_NUL_STRING, .maxlen = 15 },
	[L2TP_ATTR_CONN_ID] = { .type = NLA_U32 },
	[L2TP_ATTR_PEER_CONN_ID] = { .type = NLA_U32 },
	[L2TP_ATTR_SESSION_ID] = { .type = NLA_U32 },
	[L2TP_ATTR_PEER_SESSION_ID] = { .type = NLA_U32 },
	[L2TP_ATTR_UDP_CSUM] = { .type = NLA_U8 },
	[L2TP_ATTR_RECV_SEQ] = { .type = NLA_U8 },
	[L2TP_ATTR_SEND_SEQ] = { .type = NLA_U8 },
	[L2TP_ATTR_LNS_MODE] = { .type = NLA_U8 },
	[L2TP_ATTR_RECV_TIMEOUT] = { .type = NLA_U64 },
	[L2TP_ATTR_UDP_SPORT] = { .type = NLA_U16 },
	[L2TP_ATTR_UDP_DPORT] = { .type = NLA_U16 },
	[L2TP_ATTR_STATS] = { .type = NLA_NESTED },
};

static bool parse(const struct nlmsghdr *h, struct nlattr **tb)
{
	struct nlmsghdr *in = (struct nlmsghdr *)(uintptr_t)h;	/* libnl's prototypes; nothing is changed */

	return nlmsg_parse(in, GENL_HDRLEN, tb, L2TP_ATTR_MAX, policy) >= 0;
}

static uint64_t number(struct nlattr *a)
{
	switch (a ? nla_len(a) : 0) {
	case 1:
		return nla_get_u8(a);
	case 2:
		return nla_get_u16(a);
	case 4:
		return nla_get_u32(a);
	case 8:
		return nla_get_u64(a);
	}
	return 0;
}

static void get_stats(struct nlattr *a, struct kobj_stats *s)
{
	struct nlattr *tb[L2TP_ATTR_STATS_MAX + 1];

	if (!a || nla_parse_nested(tb, L2TP_ATTR_STATS_MAX, a, NULL) < 0)
		return;
	*s = (struct kobj_stats){
		number(tb[L2TP_ATTR_TX_PACKETS]), number(tb[L2TP_ATTR_TX_BYTES]), number(tb[L2TP_ATTR_TX_ERRORS]),
		number(tb[L2TP_ATTR_RX_PACKETS]), number(tb[L2TP_ATTR_RX_BYTES]), number(tb[L2TP_ATTR_RX_ERRORS]),
		number(tb[L2TP_ATTR_RX_SEQ_DISCARDS]), number(tb[L2TP_ATTR_RX_OOS_PACKETS]),
		number(tb[L2TP_ATTR_RX_COOKIE_DISCARDS]), number(tb[L2TP_ATTR_RX_INVALID]),
	};
}

static void get_address(struct nlattr *v4, struct nlattr *v6, struct nlattr *port, struct k_addr *ret)
{
	struct nlattr *a = v4 ? v4 : v6;
	int len = v4 ? 4 : 16;

	if (!a || nla_len(a) < len)
		return;
	ret->family = v4 ? 4 : 6;
	ret->port = (uint16_t)number(port);
	memcpy(ret->addr, nla_data(a), (size_t)len);
}

static uint8_t get_cookie(struct nlattr *a, uint8_t cookie[8])
{
	int len = a ? nla_len(a) : 0;

	if (len != 4 && len != 8)
		return 0;
	memcpy(cookie, nla_data(a), (size_t)len);
	return (uint8_t)len;
}

static bool to_tunnel(const struct nlmsghdr *h, struct kobj_tunnel *t)
{
	struct nlattr *tb[L2TP_ATTR_MAX + 1];

	if (!parse(h, tb) || !tb[L2TP_ATTR_CONN_ID])
		return false;
	*t = (struct kobj_tunnel){
		.tunnel_id = (uint32_t)number(tb[L2TP_ATTR_CONN_ID]),
		.peer_tunnel_id = (uint32_t)number(tb[L2TP_ATTR_PEER_CONN_ID]),
		.version = (uint8_t)number(tb[L2TP_ATTR_PROTO_VERSION]),
		.encap = (uint16_t)number(tb[L2TP_ATTR_ENCAP_TYPE]),
		.csum = number(tb[L2TP_ATTR_UDP_CSUM]),
		.csum6_tx = !tb[L2TP_ATTR_UDP_ZERO_CSUM6_TX],
		.csum6_rx = !tb[L2TP_ATTR_UDP_ZERO_CSUM6_RX],
	};
	get_address(tb[L2TP_ATTR_IP_SADDR], tb[L2TP_ATTR_IP6_SADDR], tb[L2TP_ATTR_UDP_SPORT], &t->local);
	get_address(tb[L2TP_ATTR_IP_DADDR], tb[L2TP_ATTR_IP6_DADDR], tb[L2TP_ATTR_UDP_DPORT], &t->peer);
	get_stats(tb[L2TP_ATTR_STATS], &t->stats);
	return true;
}

static bool to_session(const struct nlmsghdr *h, struct kobj_session *s)
{
	struct nlattr *tb[L2TP_ATTR_MAX + 1];

	if (!parse(h, tb) || !tb[L2TP_ATTR_SESSION_ID])
		return false;
	*s = (struct kobj_session){
		.tunnel_id = (uint32_t)number(tb[L2TP_ATTR_CONN_ID]),
		.peer_tunnel_id = (uint32_t)number(tb[L2TP_ATTR_PEER_CONN_ID]),
		.session_id = (uint32_t)number(tb[L2TP_ATTR_SESSION_ID]),
		.peer_session_id = (uint32_t)number(tb[L2TP_ATTR_PEER_SESSION_ID]),
		.pw = (uint16_t)number(tb[L2TP_ATTR_PW_TYPE]),
		.send_seq = number(tb[L2TP_ATTR_SEND_SEQ]),
		.recv_seq = number(tb[L2TP_ATTR_RECV_SEQ]),
		.lns_mode = number(tb[L2TP_ATTR_LNS_MODE]),
		.reorder_ms = number(tb[L2TP_ATTR_RECV_TIMEOUT]),
	};
	s->cookie_len = get_cookie(tb[L2TP_ATTR_COOKIE], s->cookie);
	s->peer_cookie_len = get_cookie(tb[L2TP_ATTR_PEER_COOKIE], s->peer_cookie);
	if (tb[L2TP_ATTR_IFNAME])
		strncpy(s->name, nla_get_string(tb[L2TP_ATTR_IFNAME]), sizeof(s->name) - 1);
	get_stats(tb[L2TP_ATTR_STATS], &s->stats);
	return true;
}

struct walk {
	int (*tunnel)(const struct kobj_tunnel *, void *);
	int (*session)(const struct kobj_session *, void *);
	void *arg;
};

static int on_tunnel(const struct nlmsghdr *h, void *arg)
{
	const struct walk *w = arg;
	struct kobj_tunnel t;

	return to_tunnel(h, &t) ? w->tunnel(&t, w->arg) : 0;
}

static int on_session(const struct nlmsghdr *h, void *arg)
{
	const struct walk *w = arg;
	struct kobj_session s;

	return to_session(h, &s) ? w->session(&s, w->arg) : 0;
}

/* Asks for one object, or for all with ids 0. */
static int get(struct nl *nl, uint8_t cmd, uint32_t tunnel_id, uint32_t session_id, nl_each each, struct walk *w)
{
	int err = nl_l2tp(nl);
	struct nl_msg *m;

	if (err)
		return err;
	m = nl_l2tp_msg(nl, cmd, tunnel_id ? 0 : NLM_F_DUMP);
	if (m && ((tunnel_id && nla_put_u32(m, L2TP_ATTR_CONN_ID, tunnel_id)) ||
		  (session_id && nla_put_u32(m, L2TP_ATTR_SESSION_ID, session_id)))) {
		nlmsg_free(m);
		m = NULL;
	}
	return nl_talk(nl, nl->genl, m, each, w);
}

int kobj_tunnels(struct nl *nl, int (*each)(const struct kobj_tunnel *, void *arg), void *arg)
{
	return get(nl, L2TP_CMD_TUNNEL_GET, 0, 0, on_tunnel, &(struct walk){ each, NULL, arg });
}

int kobj_sessions(struct nl *nl, int (*each)(const struct kobj_session *, void *arg), void *arg)
{
	return get(nl, L2TP_CMD_SESSION_GET, 0, 0, on_session, &(struct walk){ NULL, each, arg });
}

static int keep_tunnel(const struct kobj_tunnel *t, void *arg)
{
	*(struct kobj_tunnel *)arg = *t;
	return 0;
}

static int keep_session(const struct kobj_session *s, void *arg)
{
	*(struct kobj_session *)arg = *s;
	return 0;
}

int kobj_tunnel_get(struct nl *nl, uint32_t tunnel_id, struct kobj_tunnel *ret)
{
	return get(nl, L2TP_CMD_TUNNEL_GET, tunnel_id, 0, on_tunnel, &(struct walk){ keep_tunnel, NULL, ret });
}

int kobj_session_get(struct nl *nl, uint32_t tunnel_id, uint32_t session_id, struct kobj_session *ret)
{
	return get(nl, L2TP_CMD_SESSION_GET, tunnel_id, session_id, on_session, &(struct walk){ NULL, keep_session, ret });
}

static int send_new(struct nl *nl, struct nl_msg *m, bool bad)
{
	if (bad) {
		nlmsg_free(m);
		m = NULL;
	}
	return nl_talk(nl, nl->genl, m, NULL, NULL);
}

static bool put_udp(struct nl_msg *m, const struct kobj_tunnel *t)
{
	bool v6 = t->local.family == 6;

	return nla_put_u16(m, L2TP_ATTR_UDP_SPORT, t->local.port) || nla_put_u16(m, L2TP_ATTR_UDP_DPORT, t->peer.port) ||
	       (!v6 && t->csum && nla_put_u8(m, L2TP_ATTR_UDP_CSUM, 1)) ||
	       (v6 && !t->csum6_tx && nla_put_flag(m, L2TP_ATTR_UDP_ZERO_CSUM6_TX)) ||
	       (v6 && !t->csum6_rx && nla_put_flag(m, L2TP_ATTR_UDP_ZERO_CSUM6_RX));
}

int kobj_tunnel_add(struct nl *nl, const struct kobj_tunnel *t)
{
	bool v6 = t->local.family == 6;
	int err = nl_l2tp(nl), len = v6 ? 16 : 4;
	struct nl_msg *m;

	if (err)
		return err;
	m = nl_l2tp_msg(nl, L2TP_CMD_TUNNEL_CREATE, 0);
	return send_new(nl, m, m && (nla_put_u32(m, L2TP_ATTR_CONN_ID, t->tunnel_id) ||
				     nla_put_u32(m, L2TP_ATTR_PEER_CONN_ID, t->peer_tunnel_id) ||
				     nla_put_u8(m, L2TP_ATTR_PROTO_VERSION, t->version) ||
				     nla_put_u16(m, L2TP_ATTR_ENCAP_TYPE, t->encap) ||
				     nla_put(m, v6 ? L2TP_ATTR_IP6_SADDR : L2TP_ATTR_IP_SADDR, len, t->local.addr) ||
				     nla_put(m, v6 ? L2TP_ATTR_IP6_DADDR : L2TP_ATTR_IP_DADDR, len, t->peer.addr) ||
				     (t->encap == KOBJ_UDP && put_udp(m, t))));
}

static bool put_v3(struct nl_msg *m, const struct kobj_session *s)
{
	return nla_put_u8(m, L2TP_ATTR_L2SPEC_TYPE, s->l2spec) ||
	       nla_put_u8(m, L2TP_ATTR_L2SPEC_LEN, s->l2spec == KOBJ_L2SPEC_DEFAULT ? 4 : 0) ||
	       (s->cookie_len && nla_put(m, L2TP_ATTR_COOKIE, s->cookie_len, s->cookie)) ||
	       (s->peer_cookie_len && nla_put(m, L2TP_ATTR_PEER_COOKIE, s->peer_cookie_len, s->peer_cookie)) ||
	       (s->name[0] && nla_put_string(m, L2TP_ATTR_IFNAME, s->name));
}

int kobj_session_add(struct nl *nl, const struct kobj_session *s, uint8_t version)
{
	int err = nl_l2tp(nl);
	struct nl_msg *m;

	if (err)
		return err;
	m = nl_l2tp_msg(nl, L2TP_CMD_SESSION_CREATE, 0);
	return send_new(nl, m, m && (nla_put_u32(m, L2TP_ATTR_CONN_ID, s->tunnel_id) ||
				     nla_put_u32(m, L2TP_ATTR_SESSION_ID, s->session_id) ||
				     nla_put_u32(m, L2TP_ATTR_PEER_SESSION_ID, s->peer_session_id) ||
				     nla_put_u16(m, L2TP_ATTR_PW_TYPE, s->pw) ||
				     (s->recv_seq && nla_put_u8(m, L2TP_ATTR_RECV_SEQ, 1)) ||
				     (s->send_seq && nla_put_u8(m, L2TP_ATTR_SEND_SEQ, 1)) ||
				     (version > 2 && put_v3(m, s))));
}

/* Deletion is the work of a kernel thread: its id stays taken until that has run. */
static void until_gone(struct nl *nl, uint32_t tunnel_id, uint32_t session_id)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };

	for (int ms = 0; ms < GONE_MS; ms += LOOK_MS) {
		if ((session_id ? l2tp_session_exists(nl, tunnel_id, session_id) : l2tp_tunnel_exists(nl, tunnel_id)) != 1)
			return;
		nanosleep(&look, NULL);
	}
}

int kobj_tunnel_delete(struct nl *nl, uint32_t tunnel_id)
{
	int err = l2tp_tunnel_delete(nl, tunnel_id);

	if (!err)
		until_gone(nl, tunnel_id, 0);
	return err;
}

int kobj_session_delete(struct nl *nl, uint32_t tunnel_id, uint32_t session_id)
{
	int err = l2tp_session_delete(nl, tunnel_id, session_id);

	if (!err)
		until_gone(nl, tunnel_id, session_id);
	return err;
}
