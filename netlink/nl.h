/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink sockets of one thread: rtnetlink and generic netlink, synchronous.  A request is executed inside sendmsg()
 * and its acknowledgement queued before that returns, so a call here blocks as long as the kernel does and no longer. */
#pragma once

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

struct nl_sock;
struct nl_msg;

struct nl {
	struct nl_sock *route, *genl, *xfrm;	/* opened when first used */
	int family;			/* of "l2tp"; 0: not looked up */
	char text[96];			/* what the kernel said beside its last errno; "" if nothing */
	char *buf;			/* for dumps */
};

/* NLMSG_DATA() that keeps const. */
static inline const void *nl_payload(const struct nlmsghdr *h)
{
	return (const char *)h + NLMSG_HDRLEN;
}

/* Embedded, zero-initialised; nl_done() closes what was opened. */
void nl_done(struct nl *);
/* 0 or -errno.  -ENOENT of nl_l2tp(): the kernel has no family "l2tp" (module l2tp_netlink). */
int nl_route(struct nl *);
int nl_xfrm(struct nl *);
int nl_l2tp(struct nl *);
/* An empty message for the family "l2tp"; NULL: no memory. */
struct nl_msg *nl_l2tp_msg(struct nl *, uint8_t cmd, int flags);
/* Sends *m (freed in any case, NULL is -ENOMEM) and waits for its end.  Answers other than the acknowledgement go to
 * each() if given; its non-zero return ends the walk and is the result.  0 or -errno; ->text is set. */
typedef int (*nl_each)(const struct nlmsghdr *, void *arg);
int nl_talk(struct nl *, struct nl_sock *, struct nl_msg *m, nl_each each, void *arg);
/* Likewise two messages in one system call; the result is that of the first that fails, and next is executed in any case. */
int nl_talk_two(struct nl *, struct nl_sock *, struct nl_msg *m, struct nl_msg *next);
/* Executes n messages of one size that stand in a row, each complete but for length, number and flags.  The result is the
 * last one's: those before it may have failed. */
int nl_order(struct nl *, struct nl_sock *, struct nlmsghdr *first, size_t size, unsigned n);
/* A non-blocking socket for notifications: fd or -errno.  group of rtnetlink; or 0: "l2tp" of generic netlink. */
int nl_listen(struct nl *, unsigned group, struct nl_sock **ret);
