/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "l2tp.h"

#include <errno.h>
#include <netinet/in.h>	/* before linux/l2tp.h: they quarrel otherwise */
#include <linux/genetlink.h>
#include <linux/l2tp.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "nl.h"

static int finish(struct nl *nl, struct nl_msg *m, bool bad)
{
	if (bad) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	return nl_talk(nl, nl->genl, m, NULL, NULL);
}

int l2tp_tunnel_create(struct nl *nl, unsigned version, bool ip, uint32_t tunnel_id, uint32_t peer_tunnel_id, int fd)
{
	int err = nl_l2tp(nl);
	struct nl_msg *m;

	if (err)
		return err;
	m = nl_l2tp_msg(nl, L2TP_CMD_TUNNEL_CREATE, 0);
	if (!m)
		return -ENOMEM;
	return finish(nl, m, nla_put_u32(m, L2TP_ATTR_CONN_ID, tunnel_id) ||
			     nla_put_u32(m, L2TP_ATTR_PEER_CONN_ID, peer_tunnel_id) ||
			     nla_put_u8(m, L2TP_ATTR_PROTO_VERSION, (uint8_t)version) ||
			     nla_put_u16(m, L2TP_ATTR_ENCAP_TYPE, ip ? L2TP_ENCAPTYPE_IP : L2TP_ENCAPTYPE_UDP) ||
			     nla_put_u32(m, L2TP_ATTR_FD, (uint32_t)fd));
}

static int by_id(struct nl *nl, uint8_t cmd, uint32_t tunnel_id, uint32_t session_id)
{
	int err = nl_l2tp(nl);
	struct nl_msg *m;

	if (err)
		return err;
	m = nl_l2tp_msg(nl, cmd, 0);
	if (!m)
		return -ENOMEM;
	return finish(nl, m, nla_put_u32(m, L2TP_ATTR_CONN_ID, tunnel_id) ||
			     (session_id && nla_put_u32(m, L2TP_ATTR_SESSION_ID, session_id)));
}

int l2tp_tunnel_delete(struct nl *nl, uint32_t tunnel_id)
{
	return by_id(nl, L2TP_CMD_TUNNEL_DELETE, tunnel_id, 0);
}

int l2tp_session_delete(struct nl *nl, uint32_t tunnel_id, uint32_t session_id)
{
	return by_id(nl, L2TP_CMD_SESSION_DELETE, tunnel_id, session_id);
}

static int yes_no(int err)
{
	return !err ? 1 : err == -ENODEV || err == -ENOENT ? 0 : err;
}

int l2tp_tunnel_exists(struct nl *nl, uint32_t tunnel_id)
{
	return yes_no(by_id(nl, L2TP_CMD_TUNNEL_GET, tunnel_id, 0));
}

int l2tp_session_exists(struct nl *nl, uint32_t tunnel_id, uint32_t session_id)
{
	return yes_no(by_id(nl, L2TP_CMD_SESSION_GET, tunnel_id, session_id));
}

static int got_tunnel(const struct nlmsghdr *h, void *arg)
{
	struct l2tp_ends *e = arg;
	const char *p = (const char *)h;

	for (size_t off = NLMSG_HDRLEN + GENL_HDRLEN; off + NLA_HDRLEN <= h->nlmsg_len; ) {
		const char *data = p + off + NLA_HDRLEN;
		struct k_addr *a = NULL;
		uint16_t *port = NULL;
		struct nlattr at;
		size_t len;

		memcpy(&at, p + off, sizeof(at));
		if (at.nla_len < NLA_HDRLEN || off + at.nla_len > h->nlmsg_len)
			return -EPROTO;
		len = at.nla_len - NLA_HDRLEN;
		if (at.nla_type == L2TP_ATTR_PEER_CONN_ID && len == 4)
			memcpy(&e->peer_tunnel_id, data, 4);
		else if ((at.nla_type == L2TP_ATTR_IP_SADDR && len == 4) || (at.nla_type == L2TP_ATTR_IP6_SADDR && len == 16))
			a = &e->local;
		else if ((at.nla_type == L2TP_ATTR_IP_DADDR && len == 4) || (at.nla_type == L2TP_ATTR_IP6_DADDR && len == 16))
			a = &e->peer;
		else if (at.nla_type == L2TP_ATTR_UDP_SPORT && len == 2)
			port = &e->local.port;
		else if (at.nla_type == L2TP_ATTR_UDP_DPORT && len == 2)
			port = &e->peer.port;
		if (a) {
			a->family = len == 4 ? 4 : 6;
			memcpy(a->addr, data, len);
		}
		if (port)
			memcpy(port, data, 2);		/* host order */
		off += NLA_ALIGN(at.nla_len);
	}
	return 0;
}

int l2tp_tunnel_get(struct nl *nl, uint32_t tunnel_id, struct l2tp_ends *ret)
{
	int err = nl_l2tp(nl);
	struct nl_msg *m;

	if (err)
		return err;
	*ret = (struct l2tp_ends){ 0 };
	m = nl_l2tp_msg(nl, L2TP_CMD_TUNNEL_GET, 0);
	if (!m || nla_put_u32(m, L2TP_ATTR_CONN_ID, tunnel_id)) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	return nl_talk(nl, nl->genl, m, got_tunnel, ret);
}

bool l2tp_note_decode(const void *msg, uint32_t len, int family, struct l2tp_note *ret)
{
	const char *p = msg;
	struct nlmsghdr h;
	size_t off = NLMSG_HDRLEN + GENL_HDRLEN;

	if (len < off)
		return false;
	memcpy(&h, p, sizeof(h));
	if (h.nlmsg_type != family || h.nlmsg_len > len)
		return false;
	*ret = (struct l2tp_note){ .cmd = (uint8_t)p[NLMSG_HDRLEN] };
	while (off + NLA_HDRLEN <= h.nlmsg_len) {
		struct nlattr a;

		memcpy(&a, p + off, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || off + a.nla_len > h.nlmsg_len)
			return false;
		if (a.nla_type == L2TP_ATTR_CONN_ID && a.nla_len == NLA_HDRLEN + 4)
			memcpy(&ret->tunnel_id, p + off + NLA_HDRLEN, 4);
		if (a.nla_type == L2TP_ATTR_SESSION_ID && a.nla_len == NLA_HDRLEN + 4)
			memcpy(&ret->session_id, p + off + NLA_HDRLEN, 4);
		off += NLA_ALIGN(a.nla_len);
	}
	return true;
}

struct dump { int family; int (*each)(const struct l2tp_note *, void *arg); void *arg; };

static int dumped(const struct nlmsghdr *h, void *arg)
{
	const struct dump *d = arg;
	struct l2tp_note n;

	return l2tp_note_decode(h, h->nlmsg_len, d->family, &n) ? d->each(&n, d->arg) : 0;
}

int l2tp_dump(struct nl *nl, bool sessions, int (*each)(const struct l2tp_note *, void *arg), void *arg)
{
	int err = nl_l2tp(nl);
	struct dump d = { nl->family, each, arg };

	if (err)
		return err;
	return nl_talk(nl, nl->genl, nl_l2tp_msg(nl, sessions ? L2TP_CMD_SESSION_GET : L2TP_CMD_TUNNEL_GET, NLM_F_DUMP),
		       dumped, &d);
}
