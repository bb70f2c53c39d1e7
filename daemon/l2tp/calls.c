/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls of a control connection of either version: two lists, and two hashes side by side, by our id and by theirs. */
#include <stdlib.h>
#include <string.h>

#include "l2tp/cc_step.h"

enum { MAX_BITS = 16 };

/* The peer chooses its ids: the salt keeps it from choosing them for one bucket. */
static unsigned hash(const struct cc *cc, uint32_t id)
{
	uint64_t h = (id ^ cc->salt) * UINT64_C(0x9e3779b97f4a7c15);

	return cc->bucket_bits ? (unsigned)(h >> (64 - cc->bucket_bits)) : 0;
}

static struct call **by_id(struct cc *cc, uint32_t id)
{
	return &(cc->bucket ? cc->bucket : cc->bucket0)[hash(cc, id)];
}

static struct call **by_peer_id(struct cc *cc, uint32_t id)
{
	return &(cc->bucket ? cc->bucket : cc->bucket0)[(1u << cc->bucket_bits) + hash(cc, id)];
}

static void hash_in(struct cc *cc, struct call *call)
{
	struct call **at = by_id(cc, call->session_id);

	call->hash_next = *at;
	*at = call;
	if (!call->peer_session_id)
		return;
	at = by_peer_id(cc, call->peer_session_id);
	call->peer_next = *at;
	*at = call;
}

static void hash_out(struct cc *cc, struct call *call)
{
	struct call **at = by_id(cc, call->session_id);

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
static void grow(struct cc *cc)
{
	struct call **old = cc->bucket, **new;
	unsigned bits = cc->bucket_bits + 2;

	if (cc->n_calls < 1u << cc->bucket_bits || bits > MAX_BITS)
		return;
	new = l2tp_alloc(2 * sizeof(*new) << bits);
	if (!new)
		return;
	memset(new, 0, 2 * sizeof(*new) << bits);
	cc->bucket = new;
	cc->bucket_bits = bits;
	for (struct call *c = cc->setup; c; c = c->next)
		hash_in(cc, c);
	for (struct call *c = cc->calls; c; c = c->next)
		hash_in(cc, c);
	free(old);
}

static void unlink_list(struct cc *cc, struct call *call)
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

static void link_established(struct cc *cc, struct call *call)
{
	unlink_list(cc, call);
	call->prev = NULL;
	call->next = cc->calls;
	if (cc->calls)
		cc->calls->prev = call;
	cc->calls = call;
}

/* In set-up, in its place by setup_by. */
static void add(struct cc *cc, struct call *call, ms_t setup_by)
{
	struct call *before = cc->setup_tail;

	grow(cc);
	call->linked = true;
	call->setup_by = setup_by;
	cc->n_calls++;
	hash_in(cc, call);
	while (before && before->setup_by > setup_by)
		before = before->prev;
	call->prev = before;
	call->next = before ? before->next : cc->setup;
	*(before ? &before->next : &cc->setup) = call;
	*(call->next ? &call->next->prev : &cc->setup_tail) = call;
}

static void removed(struct cc *cc, struct call *call)
{
	hash_out(cc, call);
	unlink_list(cc, call);
	cc->n_calls--;
	call->linked = false;
	call->next = call->prev = call->hash_next = call->peer_next = NULL;
}

static uint32_t setup_ms(const struct cc *cc)
{
	return or_default(cc->conf->setup_ms, 60000);
}

void l2tp_call_add(struct cc *cc, struct call *call, ms_t now)
{
	add(cc, call, now + setup_ms(cc));
}

void l2tp_call_set_peer_id(struct cc *cc, struct call *call, uint32_t peer_session_id)
{
	hash_out(cc, call);
	call->peer_session_id = peer_session_id;
	hash_in(cc, call);
}

struct call *l2tp_call_by_peer(const struct cc *cc, uint32_t peer_session_id)
{
	struct call *const *table = cc->bucket ? cc->bucket : cc->bucket0;
	struct call *c = peer_session_id ? table[(1u << cc->bucket_bits) + hash(cc, peer_session_id)] : NULL;

	while (c && c->peer_session_id != peer_session_id)
		c = c->peer_next;
	return c;
}

struct call *cc_call_find(const struct cc *cc, uint32_t session_id)
{
	struct call *const *table = cc->bucket ? cc->bucket : cc->bucket0;
	struct call *c = table[hash(cc, session_id)];

	while (c && c->session_id != session_id)
		c = c->hash_next;
	return c;
}

uint32_t l2tp_call_no_id(const struct cc *cc)
{
	uint32_t id = env_u32(cc->env) & cc->rules->max_id;

	while (!id || cc_call_find(cc, id))
		id = (id + 1) & cc->rules->max_id;
	return id;
}

void l2tp_calls_done(struct cc *cc)
{
	free(cc->bucket);
	cc->bucket = NULL;
	cc->bucket_bits = cc->n_calls = 0;
	cc->setup = cc->setup_tail = cc->calls = cc->bucket0[0] = cc->bucket0[1] = NULL;
}

/* Their machines. */

void l2tp_call_act(const struct l2tp_step *s, unsigned action)
{
	struct l2tp_fx_call fx = { s->call->session_id };
	struct l2tp_fx_call_down end = { s->call->session_id, { 0 } };

	switch (action) {
	case CALL_PLACE:
		fx_push(&s->cc->out, L2TP_FX_CALL_PLACE, &fx, sizeof(fx));
		break;
	case CALL_UP:
		link_established(s->cc, s->call);
		fx_push(&s->cc->out, L2TP_FX_CALL_UP, &fx, sizeof(fx));
		break;
	case CALL_DOWN:
		removed(s->cc, s->call);
		end.cause = *s->cause;
		fx_push(&s->cc->out, L2TP_FX_CALL_DOWN, &end, sizeof(end));
		break;
	}
}

bool l2tp_call_step(struct cc *cc, struct call *call, ms_t now, enum call_event ev, const void *m, const struct l2tp_cause *cause)
{
	struct l2tp_step s = { .cc = cc, .call = call, .now = now, .m = m, .cause = cause };

	return call->linked && fsm_step(&cc->rules->call[call->role], &call->state, ev, &s);
}

bool l2tp_call_adopt(struct cc *cc, struct call *call, ms_t now, const struct call *was)
{
	/* every state but idle of a machine knows the local close request */
	if (!was->session_id || !cc->rules->call[was->role].cell[CALL_EV_CLOSE * CALL_N_STATES + was->state].ok ||
	    (!was->peer_session_id && was->state != CALL_WAIT_REPLY) || cc_call_find(cc, was->session_id) ||
	    l2tp_call_by_peer(cc, was->peer_session_id))
		return false;
	*call = *was;
	add(cc, call, ms_min(was->setup_by, now + setup_ms(cc)));
	if (call->state == CALL_ESTABLISHED)
		link_established(cc, call);
	return true;
}

void cc_call_placed(struct cc *cc, struct call *call, ms_t now)
{
	l2tp_call_step(cc, call, now, CALL_EV_PLACED, NULL, NULL);
	l2tp_settle(cc, now);
}

void cc_call_close(struct cc *cc, struct call *call, ms_t now, const struct l2tp_cause *cause)
{
	struct l2tp_cause why = cause ? *cause : (struct l2tp_cause){ 0 };

	if (!why.result)
		why.result = L2TP_CDN_ADMIN;
	why.by_peer = false;
	l2tp_call_step(cc, call, now, CALL_EV_CLOSE, NULL, &why);
	l2tp_settle(cc, now);
}

/* Ends of many. */

void l2tp_call_overdue(struct cc *cc, ms_t now)
{
	struct call *call = cc->setup;
	struct l2tp_cause cause = l2tp_cause(cc->rules->cdn_overdue, 0, "set-up took too long", NULL);

	cause.timeout = true;
	l2tp_call_step(cc, call, now, CALL_EV_CLOSE, NULL, &cause);
	if (call->linked)
		removed(cc, call);		/* cannot be: every state but idle knows CLOSE */
}

void l2tp_call_all_down(struct cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct l2tp_cause why = *cause;		/* in CDN's codes: the tunnel is the carrier */
	struct call *call;

	why.result = why.by_peer || why.timeout ? L2TP_CDN_CARRIER_LOST : L2TP_CDN_ADMIN;
	why.error = 0;
	while ((call = cc->setup ? cc->setup : cc->calls))
		if (!l2tp_call_step(cc, call, now, CALL_EV_TUNNEL_DOWN, NULL, &why))
			removed(cc, call);
}
