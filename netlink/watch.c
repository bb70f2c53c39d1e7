/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others do to our objects: links deleted ("ip link del"), tunnels and sessions deleted ("ip l2tp del").
 * The family "l2tp" tells about all network namespaces and before it is done, so a note is only a reason to look. */
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/l2tp.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "l2tp.h"
#include "rtnl.h"
#include "server.h"

enum { NOTE_SIZE = 16384, NOTES_RCVBUF = 1 << 20, LOOKS = 3 };

/* Milliseconds after the note: deletion runs in a work queue. */
static const int look_after_ms[LOOKS] = { 20, 200, 2000 };

struct verify {
	struct job job;
	struct verify *next;
	int64_t at;		/* 0: a thread has it */
	unsigned looks;
	uint16_t tunnel_id;
	uint32_t session_id;	/* the kernel's; 0: the tunnel itself */
	int exists;
};

/* Only deletions and links that go down come up (ups: or are set up again): with thousands of links each set-up makes a dozen
 * other notes.  BPF loads words from network order; netlink is in host order. */
static void only_losses(struct nl_sock *sk, bool ups)
{
	enum { AT = NLMSG_HDRLEN };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELLINK), 7, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNSID), 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWLINK), 0, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT + offsetof(struct ifinfomsg, ifi_change)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffff, 4, 0),		/* a new link */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htonl(IFF_UP), 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT + offsetof(struct ifinfomsg, ifi_flags)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htonl(IFF_UP), !ups, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static void big_buffer(struct nl_sock *sk)
{
	int size = NOTES_RCVBUF;

	setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
}

static void listen_l2tp(struct keeper *k)
{
	if (k->l2tp_notes || nl_listen(&k->nl, 0, &k->l2tp_notes) < 0)
		return;
	big_buffer(k->l2tp_notes);
}

/* Who is told that a link is down must hear that it is up again. */
static void link_up(struct keeper *k, struct session *s)
{
	table_link_down(k->table, s, false);
	tell_event(k, K_LINK_UP, s->tunnel_id, s->id);
}

/* When there is something to wait for: it may have happened, and nobody had asked for that note. */
static void await_ups(struct keeper *k)
{
	bool any = table_links_down(k->table);

	if (any == k->link_ups || !k->link_notes)
		return;
	k->link_ups = any;
	only_losses(k->link_notes, any);
	for (unsigned id = 1; id < 65536 && any; id++) {
		struct session *s = table_session(k->table, id);

		if (s && s->link_down && rtnl_link_is_up(s->in.ifindex))
			link_up(k, s);
	}
}

void watch_start(struct keeper *k)
{
	int err = nl_listen(&k->nl, RTNLGRP_LINK, &k->link_notes);

	if (err < 0) {
		say(k, "no notes about links: %s", strerror(-err));
	} else {
		nl_socket_add_memberships(k->link_notes, RTNLGRP_NSID, 0);
		only_losses(k->link_notes, false);
		big_buffer(k->link_notes);
	}
	await_ups(k);
	listen_l2tp(k);
	if (!k->l2tp_notes)
		say(k, "the kernel has no L2TP yet: load module l2tp_ppp and l2tp_netlink (modprobe -a l2tp_ppp l2tp_netlink)");
}

void watch_stop(struct keeper *k)
{
	nl_socket_free(k->link_notes);
	nl_socket_free(k->l2tp_notes);
	k->link_notes = k->l2tp_notes = NULL;
	while (k->verify) {
		struct verify *v = k->verify;

		k->verify = v->next;
		free(v);
	}
}

/* Links */

static void link_deleted(struct keeper *k, uint32_t ifindex)
{
	struct session *s = table_by_link(k->table, ifindex);

	if (!s)
		k->lost_link[k->n_lost++ % LOST_LINKS] = ifindex;
	else if (s->state == OBJECT_UP || s->state == OBJECT_CHANGING)
		ops_link_gone(k, s);
}

/* Down is also the first note of a deletion, whose own note follows. */
static void link_changed(struct keeper *k, uint32_t ifindex, bool up)
{
	struct session *s = table_by_link(k->table, ifindex);

	if (!s || (s->state != OBJECT_UP && s->state != OBJECT_CHANGING))
		return;
	if (up && s->link_down)
		link_up(k, s);
	if (!up)
		tell_event(k, K_LINK_DOWN, s->tunnel_id, s->id);
	if (!up && s->was->op == K_ETH_UP)
		table_link_down(k->table, s, true);
	await_ups(k);
}

/* The kernel puts their links into the first namespace, down (default_device_exit_batch()): nobody asked for that. */
static void namespace_gone(struct keeper *k, int32_t nsid)
{
	for (unsigned id = 1; id < 65536; id++) {
		struct session *s = table_session(k->table, id);

		if (!s || s->state != OBJECT_UP || !s->in.away || s->in.nsid != nsid)
			continue;
		s->in.away = false;
		ops_link_gone(k, s);
	}
}

static void namespace_note(struct keeper *k, struct nlmsghdr *h)
{
	struct nlattr *id = nlmsg_find_attr(h, sizeof(struct rtgenmsg), NETNSA_NSID);

	if (id && nla_len(id) == 4)
		namespace_gone(k, (int32_t)nla_get_u32(id));
}

bool watch_was_lost(struct keeper *k, uint32_t ifindex)
{
	for (unsigned i = 0; i < LOST_LINKS; i++)
		if (ifindex && k->lost_link[i] == ifindex)
			return true;
	return false;
}

void watch_link_notes(struct keeper *k)
{
	_Alignas(struct nlmsghdr) char buf[NOTE_SIZE];

	for (;;) {
		ssize_t n = recv(nl_socket_get_fd(k->link_notes), buf, sizeof(buf), MSG_DONTWAIT);
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
		struct ifinfomsg ifi;
		size_t len = (size_t)n;

		if (n < 0 && errno == ENOBUFS)
			k->audit_wanted = true;
		if (n < 0)
			return;
		for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type == RTM_DELNSID)
				namespace_note(k, h);
			if (h->nlmsg_type == RTM_DELNSID || h->nlmsg_len < NLMSG_LENGTH(sizeof(ifi)))
				continue;
			memcpy(&ifi, nl_payload(h), sizeof(ifi));
			if (ifi.ifi_family != AF_UNSPEC)
				continue;
			if (h->nlmsg_type == RTM_DELLINK)
				link_deleted(k, (uint32_t)ifi.ifi_index);
			else if (h->nlmsg_type == RTM_NEWLINK && ifi.ifi_change & IFF_UP)
				link_changed(k, (uint32_t)ifi.ifi_index, ifi.ifi_flags & IFF_UP);
		}
	}
}

/* Tunnels and sessions */

static bool still_ours(const struct keeper *k, uint32_t tunnel_id, uint32_t session_id)
{
	const struct tunnel *t = table_tunnel(k->table, tunnel_id);
	const struct session *s = session_id ? table_on_wire(k->table, tunnel_id, session_id) : NULL;

	if (!t || t->state != OBJECT_UP || t->gone)
		return false;
	return !session_id || (s && s->state != OBJECT_GOING && !s->gone);
}

static void session_gone(struct keeper *k, struct session *s)
{
	s->gone = true;
	say(k, "session %u of tunnel %u: somebody deleted it in the kernel", s->id, s->tunnel_id);
	tell_event(k, K_SESSION_GONE, s->tunnel_id, s->id);
}

static void tunnel_gone(struct keeper *k, struct tunnel *t)
{
	t->gone = true;
	for (uint16_t id = t->first_session; id; id = table_session(k->table, id)->next)
		table_session(k->table, id)->gone = true;
	say(k, "tunnel %u: somebody deleted it in the kernel, with its %u sessions", t->id, t->n_sessions);
	tell_event(k, K_TUNNEL_GONE, t->id, 0);
}

bool watch_look(struct keeper *k, uint32_t tunnel_id, uint32_t session_id)
{
	struct verify *v;

	if (!still_ours(k, tunnel_id, session_id))
		return false;
	for (v = k->verify; v; v = v->next)
		if (v->tunnel_id == tunnel_id && v->session_id == session_id)
			return false;
	v = calloc(1, sizeof(*v));
	if (!v) {
		k->audit_wanted = true;
		return false;
	}
	v->tunnel_id = (uint16_t)tunnel_id;
	v->session_id = session_id;
	v->at = now_ms() + look_after_ms[0];
	v->next = k->verify;
	k->verify = v;
	return true;
}

void watch_l2tp_notes(struct keeper *k)
{
	_Alignas(struct nlmsghdr) char buf[NOTE_SIZE];
	struct l2tp_note note;

	for (;;) {
		ssize_t n = recv(nl_socket_get_fd(k->l2tp_notes), buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && errno == ENOBUFS)
			k->audit_wanted = true;
		if (n < 0)
			return;
		if (!l2tp_note_decode(buf, (uint32_t)n, k->nl.family, &note))
			continue;
		if (note.cmd == L2TP_CMD_TUNNEL_DELETE)
			watch_look(k, note.tunnel_id, 0);
		else if (note.cmd == L2TP_CMD_SESSION_DELETE && note.session_id)
			watch_look(k, note.tunnel_id, note.session_id);
	}
}

static void look_run(struct job *j, struct nl *nl)
{
	struct verify *v = (struct verify *)j;

	v->exists = v->session_id ? l2tp_session_exists(nl, v->tunnel_id, v->session_id)
				  : l2tp_tunnel_exists(nl, v->tunnel_id);
}

static void unlink_verify(struct keeper *k, struct verify *v)
{
	struct verify **at = &k->verify;

	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	free(v);
}

static void look_done(struct job *j, void *arg)
{
	struct verify *v = (struct verify *)j;
	struct keeper *k = arg;

	if (v->exists == 0 && still_ours(k, v->tunnel_id, v->session_id)) {
		if (v->session_id)
			session_gone(k, table_on_wire(k->table, v->tunnel_id, v->session_id));
		else
			tunnel_gone(k, table_tunnel(k->table, v->tunnel_id));
	} else if (v->exists == 1 && ++v->looks < LOOKS) {
		v->at = now_ms() + look_after_ms[v->looks];
		return;
	}
	unlink_verify(k, v);
}

int watch_timeout(const struct keeper *k)
{
	int64_t next = -1, now;

	for (const struct verify *v = k->verify; v; v = v->next)
		if (v->at && (next < 0 || v->at < next))
			next = v->at;
	if (next < 0)
		return -1;
	now = now_ms();
	return next <= now ? 0 : (int)(next - now);
}

void watch_tick(struct keeper *k)
{
	int64_t now = k->verify ? now_ms() : 0;

	for (struct verify *v = k->verify; v; v = v->next) {
		if (!v->at || v->at > now)
			continue;
		v->at = 0;
		v->job.run = look_run;
		v->job.done = look_done;
		workers_run(k->workers, &v->job);
	}
	if (!k->l2tp_notes && table_tunnels(k->table))
		listen_l2tp(k);		/* the module came later */
}
