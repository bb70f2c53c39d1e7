/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls of a control connection: two lists, and two hashes side by side, by our id and by theirs. */
#include <stdlib.h>
#include <string.h>

#include "l2tp/v3_step.h"

enum { PENDING_MAX = 1024, MAX_BITS = 16 };

struct v3_pending { struct v3_pending *next; uint32_t peer_session_id; uint8_t end_id_len, end_id[V3_END_ID_MAX]; };

/* The peer chooses its ids: the salt keeps it from choosing them for one bucket. */
static unsigned hash(const struct v3_cc *cc, uint32_t id)
{
	uint64_t h = (id ^ cc->salt) * UINT64_C(0x9e3779b97f4a7c15);

	return cc->bucket_bits ? (unsigned)(h >> (64 - cc->bucket_bits)) : 0;
}

static struct v3_call **by_id(struct v3_cc *cc, uint32_t id)
{
	return &(cc->bucket ? cc->bucket : cc->bucket0)[hash(cc, id)];
}

static struct v3_call **by_peer_id(struct v3_cc *cc, uint32_t id)
{
	return &(cc->bucket ? cc->bucket : cc->bucket0)[(1u << cc->bucket_bits) + hash(cc, id)];
}

static void hash_in(struct v3_cc *cc, struct v3_call *call)
{
	struct v3_call **at = by_id(cc, call->session_id);

	call->hash_next = *at;
	*at = call;
	if (!call->peer_session_id)
		return;
	at = by_peer_id(cc, call->peer_session_id);
	call->peer_next = *at;
	*at = call;
}

static void hash_out(struct v3_cc *cc, struct v3_call *call)
{
	struct v3_call **at = by_id(cc, call->session_id);

	while (*at != call)
		at = &(*at)->hash_next;
	*at = call->hash_next;
	if (!call->peer_session_id)
		return;
	at = by_peer_id(cc, call->peer_session_id);
	while (*at != call)
		at = &(*at)->peer_next;
	*at = call->peer_next;
}

/* Widens the table when it is full.  Short of memory it stays as it is, only slower. */
static void grow(struct v3_cc *cc)
{
	struct v3_call **old = cc->bucket, **new;
	unsigned bits = cc->bucket_bits + 2;

	if (cc->n_calls < 1u << cc->bucket_bits || bits > MAX_BITS)
		return;
	new = l2tp_alloc(2 * sizeof(*new) << bits);
	if (!new)
		return;
	memset(new, 0, 2 * sizeof(*new) << bits);
	cc->bucket = new;
	cc->bucket_bits = bits;
	for (struct v3_call *c = cc->setup; c; c = c->next)
		hash_in(cc, c);
	for (struct v3_call *c = cc->calls; c; c = c->next)
		hash_in(cc, c);
	free(old);
}

static void unlink_list(struct v3_cc *cc, struct v3_call *call)
{
	if (call->next)
		call->next->prev = call->prev;
	else if (cc->setup_tail == call)
		cc->setup_tail = call->prev;
	if (call->prev)
		call->prev->next = call->next;
	else if (cc->setup == call)
		cc->setup = call->next;
	else
		cc->calls = call->next;
}

void v3_calls_add(struct v3_cc *cc, struct v3_call *call)
{
	grow(cc);
	call->linked = true;
	cc->n_calls++;
	hash_in(cc, call);
	call->next = NULL;
	call->prev = cc->setup_tail;
	if (cc->setup_tail)
		cc->setup_tail->next = call;
	else
		cc->setup = call;
	cc->setup_tail = call;
}

void v3_calls_sort(struct v3_cc *cc, struct v3_call *call)
{
	struct v3_call *before = cc->setup_tail == call ? call->prev : cc->setup_tail;

	unlink_list(cc, call);
	while (before && before->setup_by > call->setup_by)
		before = before->prev;
	call->prev = before;
	call->next = before ? before->next : cc->setup;
	if (call->next)
		call->next->prev = call;
	else
		cc->setup_tail = call;
	if (before)
		before->next = call;
	else
		cc->setup = call;
}

void v3_calls_established(struct v3_cc *cc, struct v3_call *call)
{
	unlink_list(cc, call);
	call->prev = NULL;
	call->next = cc->calls;
	if (cc->calls)
		cc->calls->prev = call;
	cc->calls = call;
}

void v3_calls_remove(struct v3_cc *cc, struct v3_call *call)
{
	hash_out(cc, call);
	unlink_list(cc, call);
	cc->n_calls--;
	call->linked = false;
	call->next = call->prev = call->hash_next = call->peer_next = NULL;
}

void v3_calls_set_peer_id(struct v3_cc *cc, struct v3_call *call, uint32_t peer_session_id)
{
	hash_out(cc, call);
	call->peer_session_id = peer_session_id;
	hash_in(cc, call);
}

struct v3_call *v3_calls_by_peer(const struct v3_cc *cc, uint32_t peer_session_id)
{
	struct v3_call *const *table = cc->bucket ? cc->bucket : cc->bucket0;
	struct v3_call *c = peer_session_id ? table[(1u << cc->bucket_bits) + hash(cc, peer_session_id)] : NULL;

	while (c && c->peer_session_id != peer_session_id)
		c = c->peer_next;
	return c;
}

struct v3_call *v3_call_find(const struct v3_cc *cc, uint32_t session_id)
{
	struct v3_call *const *table = cc->bucket ? cc->bucket : cc->bucket0;
	struct v3_call *c = table[hash(cc, session_id)];

	while (c && c->session_id != session_id)
		c = c->hash_next;
	return c;
}

static struct v3_pending **pending(struct v3_pending **at, uint32_t id)
{
	while (*at && (*at)->peer_session_id != id)
		at = &(*at)->next;
	return at;
}

bool v3_pending_has(const struct v3_cc *cc, uint32_t peer_session_id)
{
	struct v3_pending *first = cc->pending;

	return *pending(&first, peer_session_id);
}

bool v3_pending_wants(const struct v3_cc *cc, const struct v3_call_info *info)
{
	for (const struct v3_pending *p = cc->pending; p; p = p->next)
		if (p->end_id_len && p->end_id_len == info->end_id_len && !memcmp(p->end_id, info->end_id, p->end_id_len))
			return true;
	return false;
}

bool v3_pending_add(struct v3_cc *cc, uint32_t peer_session_id, const struct v3_call_info *info)
{
	struct v3_pending *p = cc->n_pending < PENDING_MAX ? l2tp_alloc(sizeof(*p)) : NULL;

	if (!p)
		return false;
	*p = (struct v3_pending){ cc->pending, peer_session_id, info->end_id_len, { 0 } };
	memcpy(p->end_id, info->end_id, sizeof(p->end_id));
	cc->pending = p;
	cc->n_pending++;
	return true;
}

bool v3_pending_drop(struct v3_cc *cc, uint32_t peer_session_id)
{
	struct v3_pending **at = pending(&cc->pending, peer_session_id), *p = *at;

	if (!p)
		return false;
	*at = p->next;
	free(p);
	cc->n_pending--;
	return true;
}

void v3_pending_done(struct v3_cc *cc)
{
	while (cc->pending)
		v3_pending_drop(cc, cc->pending->peer_session_id);
}

void v3_calls_done(struct v3_cc *cc)
{
	v3_pending_done(cc);
	free(cc->bucket);
	cc->bucket = NULL;
	cc->bucket_bits = cc->n_calls = 0;
	cc->setup = cc->setup_tail = cc->calls = cc->bucket0[0] = cc->bucket0[1] = NULL;
}
