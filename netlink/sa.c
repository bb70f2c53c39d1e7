/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a charon that was killed has left in the kernel: an SA that the next charon does not know is good for nobody, and
 * its mark will be given to somebody else. */
#include <errno.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"
#include "udp.h"

enum { MAX_FOUND = 64 };

struct found { union { struct xfrm_usersa_id sa; struct xfrm_userpolicy_id policy; }; struct xfrm_mark mark; bool marked; };
struct search {
	const struct k_request *r;
	unsigned others, n;		/* others: SAs that stay */
	struct found found[MAX_FOUND];
};

static uint16_t family_of(const struct k_request *r)
{
	return r->sa.local.family == 6 ? AF_INET6 : AF_INET;
}

static int talk(struct nl *nl, int type, int flags, const void *data, size_t len, const struct found *f, nl_each each, void *arg)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);

	if (m && (nlmsg_append(m, (void *)(uintptr_t)data, len, NLMSG_ALIGNTO) < 0 ||
		  (f && f->marked && nla_put(m, XFRMA_MARK, sizeof(f->mark), &f->mark) < 0))) {
		nlmsg_free(m);
		m = NULL;
	}
	return nl_talk(nl, nl->xfrm, m, each, arg);
}

/* One way or the other between the two. */
static bool between(const struct k_request *r, const xfrm_address_t *a, const xfrm_address_t *b)
{
	size_t len = r->sa.local.family == 6 ? 16 : 4;

	return (!memcmp(a, r->sa.local.addr, len) && !memcmp(b, r->sa.peer.addr, len)) ||
	       (!memcmp(b, r->sa.local.addr, len) && !memcmp(a, r->sa.peer.addr, len));
}

static void note_mark(struct found *f, const struct nlmsghdr *h, size_t head)
{
	const struct nlattr *mark = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, (int)head, XFRMA_MARK);

	f->marked = mark && nla_len(mark) >= (int)sizeof(f->mark);
	if (f->marked)
		memcpy(&f->mark, nla_data(mark), sizeof(f->mark));
}

static int keep_sa(const struct nlmsghdr *h, void *arg)
{
	struct xfrm_usersa_info sa;			/* copied: netlink aligns to 4 only */
	struct search *s = arg;
	uint32_t spi;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(sa)))
		return 0;
	memcpy(&sa, nl_payload(h), sizeof(sa));
	if (sa.family != family_of(s->r) || sa.reqid != s->r->sa.reqid || sa.id.proto != IPPROTO_ESP ||
	    !between(s->r, &sa.saddr, &sa.id.daddr))
		return 0;
	spi = ntohl(sa.id.spi);
	if (sa.curlft.add_time >= s->r->sa.before || spi == s->r->sa.keep_in || spi == s->r->sa.keep_out || s->n == MAX_FOUND) {
		s->others++;
		return 0;
	}
	s->found[s->n].sa = (struct xfrm_usersa_id){ .daddr = sa.id.daddr, .spi = sa.id.spi, .family = sa.family,
						     .proto = IPPROTO_ESP };
	note_mark(&s->found[s->n++], h, sizeof(sa));
	return 0;
}

static int keep_policy(const struct nlmsghdr *h, void *arg)
{
	struct xfrm_userpolicy_info p;
	const struct nlattr *tmpl;
	struct search *s = arg;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(p)) || s->n == MAX_FOUND)
		return 0;
	memcpy(&p, nl_payload(h), sizeof(p));
	if (p.sel.family != family_of(s->r) || !between(s->r, &p.sel.saddr, &p.sel.daddr))
		return 0;
	tmpl = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, sizeof(p), XFRMA_TMPL);
	if (!tmpl || nla_len(tmpl) < (int)sizeof(struct xfrm_user_tmpl) ||
	    ((const struct xfrm_user_tmpl *)nla_data(tmpl))->reqid != s->r->sa.reqid)
		return 0;
	s->found[s->n].policy = (struct xfrm_userpolicy_id){ .sel = p.sel, .dir = p.dir };
	note_mark(&s->found[s->n++], h, sizeof(p));
	return 0;
}

/* charon makes the SA first and its policies then: those without any SA are the dead one's. */
static int drop(struct nl *nl, const struct k_request *r)
{
	struct xfrm_userpolicy_id any = { .index = 0 };
	struct xfrm_usersa_id any_sa = { .spi = 0 };
	struct search s = { .r = r };
	int err = nl_xfrm(nl);

	if (!err)
		err = talk(nl, XFRM_MSG_GETSA, NLM_F_DUMP, &any_sa, sizeof(any_sa), NULL, keep_sa, &s);
	for (unsigned i = 0; i < s.n && !err; i++) {
		err = talk(nl, XFRM_MSG_DELSA, 0, &s.found[i].sa, sizeof(s.found[i].sa), &s.found[i], NULL, NULL);
		if (err == -ESRCH)			/* it has expired */
			err = 0;
	}
	s.n = 0;
	if (!err && !s.others)
		err = talk(nl, XFRM_MSG_GETPOLICY, NLM_F_DUMP, &any, sizeof(any), NULL, keep_policy, &s);
	for (unsigned i = 0; i < s.n && !err; i++) {
		err = talk(nl, XFRM_MSG_DELPOLICY, 0, &s.found[i].policy, sizeof(s.found[i].policy), &s.found[i], NULL, NULL);
		if (err == -ENOENT)
			err = 0;
	}
	return err;
}

void sa_drop(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	char why[WHY_SIZE] = "";
	int err = drop(&k->nl, r);

	if (err)
		why_fail(why, err, "netlink xfrm", k->nl.text);
	answer_result(k, from, err, why);
}

/* It gets nothing: datagrams are the listener's, which is first of its group (udp.c). */
void sa_socket(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct k_reply ok = { 0 };
	char why[WHY_SIZE];
	const char *call;
	int fd = udp_marked(&r->marked.local, r->marked.mark, &call);

	if (fd < 0) {
		why_fail(why, fd, call, NULL);
		answer_result(k, from, fd, why);
		return;
	}
	answer(k, from, &ok, &fd, 1);
	close(fd);
}

/* The peer may send through the SA before for a while: both marks are good until the next audit. */
void sa_mark(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct tunnel *t = table_tunnel(k->table, r->tunnel_id);
	struct gate_tunnel gated;
	char why[WHY_SIZE] = "";
	int err;

	if (!t || t->state != OBJECT_UP) {
		answer_result(k, from, -ENOENT, "no such tunnel");
		return;
	}
	if (t->was->tunnel.mark == r->mark.mark) {
		answer_result(k, from, 0, "");
		return;
	}
	gated = gate_tunnel_of(t);
	if (t->old_mark)
		gate_old_mark(&k->gate, &gated);
	t->old_mark = 0;
	gated.old_mark = gated.mark;
	gated.mark = r->mark.mark;
	err = gate_mark(&k->gate, &gated, why);
	if (!err && (err = udp_set_mark(t->fd, r->mark.mark))) {
		why_fail(why, err, "the tunnel's new mark", NULL);
		gated.old_mark = r->mark.mark;
		gate_old_mark(&k->gate, &gated);
	}
	if (!err) {
		pins_move(&k->pins, &t->was->tunnel.peer, t->was->tunnel.mark, r->mark.mark);
		t->old_mark = t->was->tunnel.mark;
		t->was->tunnel.mark = r->mark.mark;
		if (!t->old_mark)
			gate_old_mark(&k->gate, &gated);
	}
	answer_result(k, from, err, why);
}

void sa_audit(struct keeper *k)
{
	for (unsigned id = 1; id < 65536; id++) {
		struct tunnel *t = table_tunnel(k->table, id);
		struct gate_tunnel gated;

		if (!t || t->state != OBJECT_UP || !t->old_mark)
			continue;
		gated = gate_tunnel_of(t);
		gate_old_mark(&k->gate, &gated);
		t->old_mark = 0;
	}
}
