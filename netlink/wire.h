/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How keeper.h's records travel: only the octets that the operation needs.  Both halves include this; nothing is
 * trusted here but counts, and those are bounded.  What the fields may hold is check.c's business. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "keeper.h"

#define K_REQUEST_HEAD offsetof(struct k_request, hello)
#define K_REPLY_HEAD offsetof(struct k_reply, hello)
#define K_END(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/* The octets of *r that travel; 0: no such operation, or a count beyond its bound.  At least K_REQUEST_HEAD octets of
 * *r must be readable, and those of the counts if they are there (len octets are). */
static inline size_t k_request_size(const struct k_request *r, size_t len)
{
	size_t n;

	switch (r->op) {
	case K_HELLO:
		return K_END(struct k_request, hello.version);
	case K_LISTEN:
	case K_UNLISTEN:
		return K_END(struct k_request, listen.local);
	case K_TUNNEL_UP:
		return K_END(struct k_request, tunnel);
	case K_TUNNEL_DOWN:
	case K_SESSION_DOWN:
	case K_STATS:
	case K_LIST:
	case K_STOP:
	case K_CHARON:
	case K_KEPT_OUT:
		return K_REQUEST_HEAD;
	case K_SESSION_UP:
		n = offsetof(struct k_request, session.link.route);
		if (len < n || r->session.link.n_routes > K_MAX_ROUTES)
			return 0;
		return n + r->session.link.n_routes * sizeof(struct k_route);
	case K_ETH_UP:
		return K_END(struct k_request, eth);
	case K_LINK_SET:
		n = offsetof(struct k_request, link.route);
		if (len < n || r->link.n_routes > K_MAX_ROUTES)
			return 0;
		return n + r->link.n_routes * sizeof(struct k_route);
	case K_HOOK:
		n = offsetof(struct k_request, hook.text);
		return len < n || r->hook.len > K_MAX_HOOK ? 0 : n + r->hook.len;
	case K_OPEN:
		return K_END(struct k_request, open);
	case K_MARKED:
		return K_END(struct k_request, marked);
	case K_TUNNEL_MARK:
		return K_END(struct k_request, mark);
	case K_SA_DROP:
		return K_END(struct k_request, sa);
	case K_GUARD:
		n = offsetof(struct k_request, guard.rule);
		return len < n || r->guard.n > K_MAX_GUARDS ? 0 : n + r->guard.n * sizeof(struct k_guard);
	}
	return 0;
}

/* An empty reply, but for what only K_STATS and K_LIST have: all of one is 9 KB. */
static inline void k_reply_init(struct k_reply *r)
{
	memset(r, 0, K_END(struct k_reply, session));
}

/* What stands in front of the remembered request in a K_LIST completion. */
struct k_list_head {
	uint32_t kind, ifindex, unit;
	char name[16];
};

/* Packs *r into buf (sizeof(struct k_reply) + sizeof(struct k_list_head) octets are enough); returns the length. */
static inline size_t k_reply_pack(const struct k_reply *r, uint8_t *buf)
{
	size_t len = K_REPLY_HEAD, n;
	struct k_list_head h;

	memcpy(buf, r, K_REPLY_HEAD);
	if (r->result < 0)
		return len;
	switch (r->op) {
	case K_HELLO:
		len += sizeof(r->hello);
		break;
	case K_SESSION_UP:
	case K_ETH_UP:
		len += sizeof(r->session);
		break;
	case K_STATS:
		n = r->stats.n < K_STATS_BATCH ? r->stats.n : K_STATS_BATCH;
		len = offsetof(struct k_reply, stats.s) + n * sizeof(struct k_stats);
		break;
	case K_STOP:
		len += sizeof(r->stop);
		break;
	case K_KEPT_OUT:
		len += sizeof(r->kept_out);
		break;
	case K_EVENT:
		len += sizeof(r->event);
		break;
	case K_LIST:
		h = (struct k_list_head){ r->list.kind, r->list.ifindex, r->list.unit, "" };
		memcpy(h.name, r->list.name, sizeof(h.name));
		memcpy(buf + len, &h, sizeof(h));
		n = h.kind ? k_request_size(&r->list.was, sizeof(r->list.was)) : 0;
		memcpy(buf + len + sizeof(h), &r->list.was, n);
		return len + sizeof(h) + n;
	}
	memcpy(buf + K_REPLY_HEAD, (const uint8_t *)r + K_REPLY_HEAD, len - K_REPLY_HEAD);
	return len;
}

/* The reverse; -EPROTO for anything k_reply_pack() does not make.  Texts are terminated afterwards. */
static inline int k_reply_unpack(const uint8_t *buf, size_t len, struct k_reply *ret)
{
	size_t want = K_REPLY_HEAD, n;
	struct k_list_head h;

	if (len < K_REPLY_HEAD)
		return -EPROTO;
	memset(ret, 0, offsetof(struct k_reply, list.was));
	memcpy(ret, buf, K_REPLY_HEAD);
	ret->why[sizeof(ret->why) - 1] = 0;
	if (ret->n_fds > K_MAX_FDS || ret->more > 1)
		return -EPROTO;
	if (ret->result < 0)
		return len == want ? 0 : -EPROTO;
	switch (ret->op) {
	case K_HELLO:
		want += sizeof(ret->hello);
		break;
	case K_SESSION_UP:
	case K_ETH_UP:
		want += sizeof(ret->session);
		break;
	case K_STATS:
		if (len < offsetof(struct k_reply, stats.s))
			return -EPROTO;
		memcpy(&ret->stats.n, buf + offsetof(struct k_reply, stats.n), sizeof(ret->stats.n));
		if (ret->stats.n > K_STATS_BATCH)
			return -EPROTO;
		want = offsetof(struct k_reply, stats.s) + ret->stats.n * sizeof(struct k_stats);
		break;
	case K_STOP:
		want += sizeof(ret->stop);
		break;
	case K_KEPT_OUT:
		want += sizeof(ret->kept_out);
		break;
	case K_EVENT:
		want += sizeof(ret->event);
		break;
	case K_LIST:
		if (len < K_REPLY_HEAD + sizeof(h))
			return -EPROTO;
		memcpy(&h, buf + K_REPLY_HEAD, sizeof(h));
		n = len - K_REPLY_HEAD - sizeof(h);
		if (n > sizeof(ret->list.was) || (h.kind && n < K_REQUEST_HEAD) || (!h.kind && n))
			return -EPROTO;
		memset(&ret->list.was, 0, K_REQUEST_HEAD);	/* behind what came nobody looks: all of it is 9 KB */
		memcpy(&ret->list.was, buf + K_REPLY_HEAD + sizeof(h), n);
		if (h.kind && (ret->list.was.op != h.kind || k_request_size(&ret->list.was, n) != n))
			return -EPROTO;
		ret->list.kind = h.kind;
		ret->list.ifindex = h.ifindex;
		ret->list.unit = h.unit;
		memcpy(ret->list.name, h.name, sizeof(h.name));
		ret->list.name[sizeof(h.name) - 1] = 0;
		return 0;
	case K_LISTEN:
	case K_UNLISTEN:
	case K_TUNNEL_UP:
	case K_TUNNEL_DOWN:
	case K_SESSION_DOWN:
	case K_LINK_SET:
	case K_HOOK:
	case K_OPEN:
	case K_GUARD:
	case K_MARKED:
	case K_CHARON:
	case K_TUNNEL_MARK:
	case K_SA_DROP:
		break;
	default:	/* a number from the wire, not our enum */
		return -EPROTO;
	}
	if (len != want)
		return -EPROTO;
	memcpy((uint8_t *)ret + K_REPLY_HEAD, buf + K_REPLY_HEAD, len - K_REPLY_HEAD);
	if (ret->op == K_SESSION_UP || ret->op == K_ETH_UP)
		ret->session.name[sizeof(ret->session.name) - 1] = 0;
	return 0;
}
