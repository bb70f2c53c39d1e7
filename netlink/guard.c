/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nothing without IPsec: XFRM policies that block what K_GUARD names, behind every policy that charon makes for an SA (a
 * smaller priority comes first).  They hold whether charon runs or not, for every socket and for the kernel's own L2TP,
 * and they are there before the first datagram.  The selector's uid, which the kernel compares but does not use, makes
 * them ours: no other program's policy replaces one of them, and after a crash they are found again. */
#include <errno.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server.h"

enum { DIRECTIONS = 3, OURS = K_GUARD_USER, FIRST_PRIORITY = K_GUARD_PRIORITY, PATIENCE_MS = 3000 };

static void fill(struct xfrm_userpolicy_info *p, const struct k_guard *g, unsigned rule, unsigned dir)
{
	bool out = dir == XFRM_POLICY_OUT;
	const struct k_addr *src = out ? &g->local : &g->peer, *dst = out ? &g->peer : &g->local;

	memset(p, 0, sizeof(*p));
	memcpy(&p->sel.saddr, src->addr, sizeof(p->sel.saddr));
	memcpy(&p->sel.daddr, dst->addr, sizeof(p->sel.daddr));
	p->sel.prefixlen_s = out ? g->local_bits : g->peer_bits;
	p->sel.prefixlen_d = out ? g->peer_bits : g->local_bits;
	p->sel.sport = htons(src->port);
	p->sel.sport_mask = src->port ? 0xffff : 0;
	p->sel.dport = htons(dst->port);
	p->sel.dport_mask = dst->port ? 0xffff : 0;
	p->sel.family = g->local.family == 6 ? AF_INET6 : AF_INET;
	p->sel.proto = g->net ? 0 : IPPROTO_UDP;
	p->sel.user = OURS;
	p->lft.soft_byte_limit = p->lft.hard_byte_limit = XFRM_INF;
	p->lft.soft_packet_limit = p->lft.hard_packet_limit = XFRM_INF;
	p->priority = FIRST_PRIORITY + rule;
	p->dir = (uint8_t)dir;
	p->action = g->pass ? XFRM_POLICY_ALLOW : XFRM_POLICY_BLOCK;
}

/* L2TP's packets are ours or the peer's, those between networks others'. */
static bool has_direction(const struct k_guard *g, unsigned dir)
{
	return dir != XFRM_POLICY_FWD || g->net;
}

static int order(struct nl *nl, int type, const void *data, size_t len)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, 0);

	if (m && nlmsg_append(m, (void *)(uintptr_t)data, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return nl_talk(nl, nl->xfrm, m, NULL, NULL);
}

struct found { struct xfrm_userpolicy_id *id; unsigned n, room; };

static int keep_ours(const struct nlmsghdr *h, void *arg)
{
	struct xfrm_userpolicy_info p;		/* a copy: it wants 8 octets' alignment, netlink gives 4 */
	struct found *f = arg;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(p)))
		return 0;
	memcpy(&p, nl_payload(h), sizeof(p));
	if (p.sel.user != OURS || p.dir > XFRM_POLICY_FWD)
		return 0;
	if (f->n == f->room) {
		struct xfrm_userpolicy_id *more = reallocarray(f->id, f->room * 2 + 64, sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->id = more;
		f->room = f->room * 2 + 64;
	}
	f->id[f->n++] = (struct xfrm_userpolicy_id){ .sel = p.sel, .dir = p.dir };
	return 0;
}

/* What is ours in the kernel; the caller frees f->id. */
static int find_ours(struct nl *nl, struct found *f)
{
	struct nl_msg *m = nlmsg_alloc_simple(XFRM_MSG_GETPOLICY, NLM_F_DUMP);
	struct xfrm_userpolicy_id all = { .index = 0 };

	if (m && nlmsg_append(m, &all, sizeof(all), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return nl_talk(nl, nl->xfrm, m, keep_ours, f);
}

static int put_rules(struct nl *nl, const struct k_guard *rule, unsigned n)
{
	struct xfrm_userpolicy_info p;
	int err = 0;

	for (unsigned i = 0; i < DIRECTIONS * n && !err; i++) {
		if (!has_direction(&rule[i / DIRECTIONS], i % DIRECTIONS))
			continue;
		fill(&p, &rule[i / DIRECTIONS], i / DIRECTIONS, i % DIRECTIONS);
		err = order(nl, XFRM_MSG_UPDPOLICY, &p, sizeof(p));
	}
	return err;
}

/* Deletes what is ours and not among the n rules. */
static int delete_others(struct nl *nl, const struct k_guard *rule, unsigned n)
{
	struct xfrm_userpolicy_info p;
	struct found f = { NULL, 0, 0 };
	int err = find_ours(nl, &f);

	for (unsigned i = 0; i < f.n && !err; i++) {
		bool wanted = false;

		for (unsigned j = 0; j < n && !wanted; j++) {
			fill(&p, &rule[j], j, f.id[i].dir);
			wanted = !memcmp(&p.sel, &f.id[i].sel, sizeof(p.sel));
		}
		if (!wanted)
			err = order(nl, XFRM_MSG_DELPOLICY, &f.id[i], sizeof(f.id[i]));
		if (err == -ENOENT)			/* somebody was quicker */
			err = 0;
	}
	free(f.id);
	return err;
}

void guard_request(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	char why[WHY_SIZE] = "";
	const char *call = "netlink xfrm";
	int err = 0;

	if (r->guard.n || k->guarding)
		err = nl_xfrm(&k->nl);
	if (!err && (r->guard.n || k->guarding)) {
		err = put_rules(&k->nl, r->guard.rule, r->guard.n);		/* first what is new: no gap */
		k->guarding |= r->guard.n;
		if (!err && !r->guard.more) {
			err = delete_others(&k->nl, r->guard.rule, r->guard.n);
			k->guarding = err || r->guard.n;
		}
		if (!err && (err = gate_plain(&k->gate, r->guard.rule, r->guard.n, r->guard.more)))
			call = "nf_tables";
		free(k->guards);
		k->guards = err ? NULL : request_copy(r);
	}
	if (err)
		why_fail(why, err, call, k->nl.text);
	answer_result(k, from, err, why);
}

/* "ip xfrm policy flush" takes them away as well. */
void guard_audit(struct keeper *k)
{
	const struct k_request *r = k->guards;
	struct xfrm_userpolicy_info p;
	struct found f = { NULL, 0, 0 };
	bool missing = false;
	int err = r && r->guard.n ? nl_xfrm(&k->nl) : -ENOENT;

	if (!err)
		err = find_ours(&k->nl, &f);
	for (unsigned i = 0; !err && i < DIRECTIONS * r->guard.n && !missing; i++) {
		if (!has_direction(&r->guard.rule[i / DIRECTIONS], i % DIRECTIONS))
			continue;
		fill(&p, &r->guard.rule[i / DIRECTIONS], i / DIRECTIONS, i % DIRECTIONS);
		missing = true;
		for (unsigned j = 0; j < f.n && missing; j++)
			missing = f.id[j].dir != p.dir || memcmp(&f.id[j].sel, &p.sel, sizeof(p.sel));
	}
	free(f.id);
	if (!missing)
		return;
	err = put_rules(&k->nl, r->guard.rule, r->guard.n);
	say(k, "audit: policies against traffic without IPsec had been removed; %s", err ? strerror(-err) : "they are back");
}

void guard_stop(struct keeper *k)
{
	struct pollfd p = { .fd = k->client };
	int err = k->guarding ? nl_xfrm(&k->nl) : -ENOENT;

	if (err)
		return;
	/* ktund has our sockets, too: first it must have heard that this is the end. */
	if (k->client >= 0 && (shutdown(k->client, SHUT_WR) < 0 || poll(&p, 1, PATIENCE_MS) != 1))
		err = -EBUSY;
	else
		err = delete_others(&k->nl, NULL, 0);
	if (err)
		say(k, "the policies against traffic without IPsec stay (ip xfrm policy): %s", strerror(-err));
}

/* Debian's charon lets nobody but root speak to it. */
void guard_charon(struct keeper *k, const struct origin *from)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct k_reply r = { 0 };
	int fd[2] = { -1, -1 };

	if (strlen(k->opt.charon) >= sizeof(sa.sun_path)) {
		answer_result(k, from, -ENAMETOOLONG, "the path of charon's socket");
		return;
	}
	strcpy(sa.sun_path, k->opt.charon);
	for (unsigned i = 0; i < 2 && !r.result; i++) {
		/* non-blocking: a charon that stands still must not hold us up (-EAGAIN: its queue is full) */
		fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd[i] < 0 || connect(fd[i], (struct sockaddr *)&sa, sizeof(sa)) < 0) {
			r.result = -errno;
			snprintf(r.why, sizeof(r.why), "%.100s: %s", k->opt.charon, strerror(errno));
		}
	}
	answer(k, from, &r, fd, r.result ? 0 : 2);
	for (unsigned i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}
