/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libnl builds the messages and owns the sockets; the receive loop is ours, for the kernel's extended text. */
#include "nl.h"

#include <errno.h>
#include <netinet/in.h>	/* before linux/l2tp.h: they quarrel otherwise */
#include <linux/genetlink.h>
#include <linux/l2tp.h>
#include <linux/rtnetlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { ACK_SIZE = 8192, DUMP_SIZE = 32768 };	/* the kernel never makes a dump's part longer than 32 KiB */

void nl_done(struct nl *nl)
{
	nl_socket_free(nl->route);
	nl_socket_free(nl->genl);
	nl_socket_free(nl->xfrm);
	free(nl->buf);
	*nl = (struct nl){ 0 };
}

static int open_socket(int protocol, struct nl_sock **ret)
{
	struct timeval patience = { .tv_sec = 30 };
	struct nl_sock *sk = nl_socket_alloc();
	int one = 1;

	if (!sk)
		return -ENOMEM;
	errno = 0;
	if (nl_connect(sk, protocol) < 0) {
		int err = errno ? -errno : -EPROTONOSUPPORT;

		nl_socket_free(sk);
		return err;
	}
	setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	*ret = sk;
	return 0;
}

int nl_route(struct nl *nl)
{
	return nl->route ? 0 : open_socket(NETLINK_ROUTE, &nl->route);
}

int nl_xfrm(struct nl *nl)
{
	return nl->xfrm ? 0 : open_socket(NETLINK_XFRM, &nl->xfrm);
}

int nl_l2tp(struct nl *nl)
{
	int err = nl->genl ? 0 : open_socket(NETLINK_GENERIC, &nl->genl);

	if (err || nl->family > 0)
		return err;
	nl->family = genl_ctrl_resolve(nl->genl, L2TP_GENL_NAME);
	if (nl->family <= 0) {
		nl->family = 0;
		return -ENOENT;
	}
	return 0;
}

struct nl_msg *nl_l2tp_msg(struct nl *nl, uint8_t cmd, int flags)
{
	struct nl_msg *m = nlmsg_alloc_size(256);

	if (m && !genlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, flags, cmd, L2TP_GENL_VERSION)) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static void keep_text(struct nl *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = nl_payload(h);
	size_t skip = sizeof(*e);

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(e->msg.nlmsg_len - sizeof(struct nlmsghdr));
	if (h->nlmsg_len < NLMSG_LENGTH(skip))
		return;
	for (size_t off = NLMSG_LENGTH(skip); off + NLA_HDRLEN <= h->nlmsg_len; ) {
		struct nlattr a;
		size_t len;

		memcpy(&a, (const char *)h + off, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || off + a.nla_len > h->nlmsg_len)
			return;
		len = a.nla_len - NLA_HDRLEN;
		if (a.nla_type == NLMSGERR_ATTR_MSG) {
			if (len > sizeof(nl->text) - 1)
				len = sizeof(nl->text) - 1;
			memcpy(nl->text, (const char *)h + off + NLA_HDRLEN, len);
			nl->text[len] = 0;
		}
		off += NLA_ALIGN(a.nla_len);
	}
}

struct seqs { uint32_t first, last; };

/* One datagram of answers to these messages.  1: the last is answered, *ret_err set; 0: more to come. */
static int walk(struct nl *nl, char *buf, size_t len, struct seqs of, nl_each each, void *arg, int *ret_err)
{
	for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		const struct nlmsgerr *e = nl_payload(h);
		int err;

		if (h->nlmsg_seq - of.first > of.last - of.first)
			continue;
		if (h->nlmsg_type == NLMSG_ERROR) {
			if (h->nlmsg_len < NLMSG_LENGTH(sizeof(int)))
				*ret_err = -EPROTO;
			else if (!*ret_err)
				*ret_err = e->error;
			keep_text(nl, h);
			if (h->nlmsg_seq != of.last)
				continue;
			return 1;
		}
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (each && !*ret_err) {
			err = each(h, arg);
			if (err)
				*ret_err = err;
		}
	}
	return 0;
}

/* Sends, and reads until the last of these messages is answered. */
static int exchange(struct nl *nl, struct nl_sock *sk, const void *data, size_t len, struct seqs of, bool dump, nl_each each,
		    void *arg)
{
	_Alignas(struct nlmsghdr) char small[ACK_SIZE];
	int fd = nl_socket_get_fd(sk), err = 0;
	char *buf = small;
	size_t size = sizeof(small);
	ssize_t n;

	nl->text[0] = 0;
	if (dump) {
		if (!nl->buf)
			nl->buf = malloc(DUMP_SIZE);
		buf = nl->buf;
		size = DUMP_SIZE;
	}
	if (!buf)
		return -ENOMEM;
	do
		n = send(fd, data, len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	while (n >= 0) {
		n = recv(fd, buf, size, 0);
		if (n < 0 && errno == EINTR) {
			n = 0;
			continue;
		}
		if (n < 0)
			err = errno == EAGAIN ? -ETIMEDOUT : -errno;
		else if (walk(nl, buf, (size_t)n, of, each, arg, &err))
			break;
	}
	return err;
}

int nl_talk(struct nl *nl, struct nl_sock *sk, struct nl_msg *m, nl_each each, void *arg)
{
	struct nlmsghdr *h;
	bool dump;
	int err;

	if (!m)
		return -ENOMEM;
	nl_complete_msg(sk, m);
	h = nlmsg_hdr(m);
	dump = h->nlmsg_flags & NLM_F_DUMP;
	if (!dump)
		h->nlmsg_flags |= NLM_F_ACK;
	err = exchange(nl, sk, h, h->nlmsg_len, (struct seqs){ h->nlmsg_seq, h->nlmsg_seq }, dump, each, arg);
	nlmsg_free(m);
	return err;
}

int nl_talk_two(struct nl *nl, struct nl_sock *sk, struct nl_msg *m, struct nl_msg *next)
{
	struct nlmsghdr *h, *h2;
	int err = -ENOMEM;
	struct seqs of;
	uint32_t len;

	if (!m || !next)
		goto out;
	nl_complete_msg(sk, m);
	nl_complete_msg(sk, next);
	h2 = nlmsg_hdr(next);
	h2->nlmsg_flags |= NLM_F_ACK;
	len = nlmsg_hdr(m)->nlmsg_len;
	if (nlmsg_append(m, h2, h2->nlmsg_len, NLMSG_ALIGNTO))
		goto out;
	h = nlmsg_hdr(m);
	h->nlmsg_len = len;
	h->nlmsg_flags &= (uint16_t)~NLM_F_ACK;		/* it is heard of if it fails */
	of = (struct seqs){ h->nlmsg_seq, h2->nlmsg_seq };
	err = exchange(nl, sk, h, NLMSG_ALIGN(len) + h2->nlmsg_len, of, false, NULL, NULL);
out:
	nlmsg_free(m);
	nlmsg_free(next);
	return err;
}

int nl_order(struct nl *nl, struct nl_sock *sk, struct nlmsghdr *first, size_t size, unsigned n)
{
	uint32_t seq = 0;

	for (unsigned i = 0; i < n; i++) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)((char *)first + i * size);

		h->nlmsg_len = (uint32_t)size;
		h->nlmsg_seq = seq = nl_socket_use_seq(sk);
		h->nlmsg_flags = NLM_F_REQUEST | (i == n - 1 ? NLM_F_ACK : 0);
	}
	return n ? exchange(nl, sk, first, n * size, (struct seqs){ seq, seq }, false, NULL, NULL) : 0;
}

int nl_listen(struct nl *nl, unsigned group, struct nl_sock **ret)
{
	struct nl_sock *sk = NULL;
	int err, g = (int)group;

	if (!group) {
		err = nl_l2tp(nl);
		g = err ? err : genl_ctrl_resolve_grp(nl->genl, L2TP_GENL_NAME, L2TP_GENL_MCGROUP);
		if (g <= 0)
			return -ENOENT;
	}
	err = open_socket(group ? NETLINK_ROUTE : NETLINK_GENERIC, &sk);
	if (err)
		return err;
	nl_socket_set_nonblocking(sk);
	if (nl_socket_add_membership(sk, g) < 0) {
		err = errno ? -errno : -EINVAL;
		nl_socket_free(sk);
		return err;
	}
	*ret = sk;
	return nl_socket_get_fd(sk);
}
