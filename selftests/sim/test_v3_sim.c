/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two L2TPv3 control connections and their calls over a bad network, with and without Control Message Authentication.
 * Properties, not transcripts.
 *
 * Mutants of the engine that this test kills (each is one change in daemon/l2tp; rel.c's are in test_cc_sim.c):
 *	v3_cc.c, rel.c	sign what is sent but not what is sent again, or not the acknowledgement; verify nothing; deliver
 *			what did not verify; acknowledge what did not verify; answer ACK; no ACK; linger for no time after
 *			StopCCN; no HELLO; equal tie breakers keep a connection; sign with both keys after the agreement
 *	v3_auth.c	leave the nonces out of the digest, or swap them in one direction; believe the first digest only;
 *			try the first key only
 *	v3_halfopen.c	another nonce for a repeated SCCRQ
 *	v3_call.c	no CDN on close; CALL_UP twice; forget the peer's id or its cookie; take ICCN's missing cookie for
 *			none; a tie is won by both ends, or by neither; no CDN
 *			to a reply for a call that is gone; a cookie of zeros
 * Killed by test_v3_cc.c instead: any SCCCN is accepted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/v3_end.h"

enum { SEEDS = 5000 };

#define CHECK(c) do { if (!(c)) { printf("# seed %llu: %s:%d: %s\n", \
	(unsigned long long)seed, __FILE__, __LINE__, #c); bad = 1; goto out; } } while (0)

static const struct span none, secret = { (const uint8_t *)"sesame", 6 }, other = { (const uint8_t *)"Sesame", 6 };

static void pair(struct sim *s, struct v3_end *e, uint64_t seed)
{
	sim_init(s, seed);
	v3_end_init(&e[0], s, 0, false);
	v3_end_init(&e[1], s, 1, true);
}

static void pair_done(struct sim *s, struct v3_end *e)
{
	v3_end_done(&e[0]);
	v3_end_done(&e[1]);
	sim_done(s);
}

/* Secrets that agree in at least one, in any place, and all else that a configuration can say. */
static void vary(struct sim *s, struct v3_end *e)
{
	for (int i = 0; i < 2; i++) {
		e[i].conf.cc.rws = (uint16_t)(1 + sim_roll(s, 8));
		e[i].conf.cc.strict = sim_roll(s, 2);
		e[i].conf.cc.vendor_name = sim_roll(s, 2) ? "sim" : NULL;
		e[i].conf.digest = sim_roll(s, 2) ? V3_HMAC_SHA1 : V3_HMAC_MD5;
		e[i].place_ms = 5000;
		e[i].cookie_len = (uint8_t)(4 * sim_roll(s, 3));
	}
	switch (sim_roll(s, 4)) {
	case 0:
		break;
	case 1:
		e[0].conf.cc.secret = e[1].conf.cc.secret = secret;
		break;
	case 2:				/* one end has begun to change its secret */
		e[0].conf.cc.secret = e[1].conf.cc.secret = secret;
		e[sim_roll(s, 2)].conf.secret2 = other;
		if (sim_roll(s, 2) && e[0].conf.secret2.n) {
			e[0].conf.cc.secret = other;
			e[0].conf.secret2 = secret;
		}
		break;
	case 3:
		e[0].conf.cc.secret = e[1].conf.secret2 = secret;
		e[0].conf.secret2 = e[1].conf.cc.secret = other;
		break;
	}
	for (int i = 0; i < 2; i++)
		e[i].conf.cc.hide = e[i].conf.cc.secret.n && sim_roll(s, 2);
	v3_end_reset(&e[0]);
}

static bool agreed(const struct v3_end *e)
{
	return e[0].cc.state == CC_ESTABLISHED && e[1].has_cc && e[1].cc.state == CC_ESTABLISHED &&
	       e[0].cc.peer_tunnel_id == e[1].cc.tunnel_id && e[1].cc.peer_tunnel_id == e[0].cc.tunnel_id &&
	       e[0].cc.v3.peer_router_id == e[1].conf.router_id && e[1].cc.v3.peer_router_id == e[0].conf.router_id &&
	       !strcmp(e[0].cc.peer_host_name, "b.example") && !strcmp(e[1].cc.peer_host_name, "a.example") &&
	       e[0].ups == 1 && e[1].ups == 1 && !e[0].downs && !e[1].downs && !e[1].cc.v3.forged &&
	       /* a late repetition of SCCRQ has its own entry and nonce, and we do not need that SCCRP any more */
	       e[0].cc.v3.forged <= 2 * (e[1].sccrps - 1);	/* each may come twice */
}

/* However the network behaves for 20 s, once it heals both ends agree; then either closes. */
static int test_lossy(uint64_t seed)
{
	struct v3_end e[2];
	struct sim s;
	int bad = 0, closer;

	pair(&s, e, seed);
	vary(&s, e);
	e[1].crash = seed % 2 ? 50 : 0;
	s.loss = 40;
	s.dup = 10;
	s.delay_ms = 3000;
	v3_end_open(&e[0]);
	sim_run(&s, 20 * 1000);
	s.loss = s.dup = 0;
	sim_run(&s, 100 * 1000);
	CHECK(agreed(e));
	CHECK(v3_end_quiet(&e[0]) && v3_end_quiet(&e[1]) && !ho_count(e[1].ho));
	CHECK(!v3_end_faults(&e[0]) && !v3_end_faults(&e[1]));
	if (e[0].cc.v3.auth.n_keys)	/* both sign alike, and with what the other end has */
		CHECK(!memcmp(&e[0].cc.v3.auth.key[e[0].cc.v3.auth.key_no], &e[1].cc.v3.auth.key[e[1].cc.v3.auth.key_no],
			      sizeof(struct v3_key)) && e[0].cc.v3.auth.digest == e[1].cc.v3.auth.digest);

	s.loss = 40;
	s.dup = 10;
	closer = (int)sim_roll(&s, 3);
	for (int i = 0; i < 2; i++) {
		if (closer != 2 && closer != i)
			continue;
		cc_close(&e[i].cc, s.now, NULL);
		v3_end_drain(&e[i]);
	}
	sim_run(&s, 100 * 1000 + 30 * 1000);
	s.loss = s.dup = 0;
	sim_run(&s, 500 * 1000);
	CHECK(e[0].downs == 1 && e[1].downs == 1 && e[0].gones == 1 && e[1].gones == 1);
	if (closer != 2) {
		CHECK(e[!closer].cause.by_peer && e[!closer].cause.result == L2TP_STOP_SHUTDOWN);
		CHECK(!e[closer].cause.by_peer && !e[closer].cause.timeout);
	}
	CHECK(v3_end_quiet(&e[0]) && v3_end_quiet(&e[1]));
	CHECK(!v3_end_faults(&e[0]) && !v3_end_faults(&e[1]));
out:
	pair_done(&s, e);
	return bad;
}

/* Different secrets, or one end without: silence and a counter on both sides, and in the end "no answer". */
static int test_wrong_secret(uint64_t seed)
{
	struct v3_end e[2];
	struct sim s;
	int bad = 0;

	pair(&s, e, seed);
	e[0].conf.cc.secret = sim_roll(&s, 2) ? secret : none;
	e[1].conf.cc.secret = e[0].conf.cc.secret.n && sim_roll(&s, 2) ? none : other;
	e[0].conf.digest = sim_roll(&s, 2) ? V3_HMAC_SHA1 : V3_HMAC_MD5;
	v3_end_reset(&e[0]);
	s.loss = sim_roll(&s, 30);
	v3_end_open(&e[0]);
	sim_run(&s, 300 * 1000);
	CHECK(!s.sent[1] && e[1].ho_forged && !e[1].has_cc && !ho_count(e[1].ho) && !e[1].sccrps);
	CHECK(!e[0].ups && e[0].downs == 1 && e[0].gones == 1 && e[0].cause.timeout && v3_end_quiet(&e[0]));
out:
	pair_done(&s, e);
	return bad;
}

/* A peer that never answers costs exactly Max-Retries and leaves nothing behind. */
static int test_dead_peer(uint64_t seed)
{
	static const ms_t when[] = { 0, 1000, 3000, 7000, 15000, 23000, 31000, 39000, 47000, 55000, 63000 };	/* 4.2 */
	struct v3_end e[2];
	struct sim s;
	int bad = 0;

	pair(&s, e, seed);
	e[0].conf.cc.setup_ms = 200000;
	s.loss = 100;
	v3_end_open(&e[0]);
	for (unsigned i = 0; i < 11; i++) {
		sim_run(&s, when[i]);
		CHECK(s.sent[0] == i + 1);
	}
	sim_run(&s, 70999);
	CHECK(!e[0].downs && s.sent[0] == 11);
	sim_run(&s, 3600 * 1000);
	CHECK(e[0].downs == 1 && e[0].down_at == 71000 && e[0].gones == 1 && e[0].cause.timeout);
	CHECK(s.sent[0] == 11 && v3_end_quiet(&e[0]));
out:
	pair_done(&s, e);
	return bad;
}

/* StopCCN whose acknowledgement was lost: the repetition is acknowledged, for 31 s and no longer. */
static int test_linger(uint64_t seed)
{
	struct v3_end e[2];
	struct sim s;
	unsigned sent;
	int bad = 0;

	pair(&s, e, seed);
	e[0].conf.cc.secret = e[1].conf.cc.secret = seed % 2 ? secret : none;
	v3_end_reset(&e[0]);
	v3_end_open(&e[0]);
	sim_run(&s, 1000);
	s.node[0].input = NULL;				/* deaf from here on */
	cc_close(&e[0].cc, s.now, NULL);
	v3_end_drain(&e[0]);
	sent = s.sent[1];
	sim_run(&s, 1000 + 30900);
	CHECK(e[1].downs == 1 && s.sent[1] - sent == 6);	/* one for each of the six StopCCN */
	CHECK(!e[1].gones);
	sim_run(&s, 1000 + 31100);
	CHECK(e[1].gones == 1);
out:
	pair_done(&s, e);
	return bad;
}

/* HELLO finds a dead peer in bounded time, and two connections of one pair do not send theirs in step (4.4). */
static int test_hello(uint64_t seed)
{
	struct v3_end e[2];
	struct sim s;
	int bad = 0;
	ms_t t, due, least = NEVER, most = 0;

	pair(&s, e, seed);
	e[0].conf.cc.hello_ms = 20 * 1000;
	e[0].conf.cc.secret = e[1].conf.cc.secret = secret;
	v3_end_reset(&e[0]);
	v3_end_open(&e[0]);
	sim_run(&s, 1000);
	for (int i = 0; i < 10; i++) {
		due = cc_deadline(&e[0].cc) - s.now;
		CHECK(due > 17000 && due <= 20000);
		least = i ? ms_min(least, due) : NEVER;		/* the first is counted from another moment */
		most = i && due > most ? due : most;
		sim_run(&s, cc_deadline(&e[0].cc) + 100);
	}
	CHECK(most - least > 200);
	CHECK(s.sent[0] == 2 + 10 && !e[0].downs && e[1].ups == 1);
	t = s.now;
	s.loss = 100;
	sim_run(&s, t + 20 * 1000 + 71 * 1000 + 100);
	CHECK(e[0].downs == 1 && e[0].cause.timeout && e[0].gones == 1);
out:
	pair_done(&s, e);
	return bad;
}

static bool alive(const struct v3_end_call *c)
{
	return c->ups == 1 && !c->downs;
}

static bool same_side(const struct v3_side *a, const struct v3_side *b)
{
	return a->cookie.len == b->cookie.len && !memcmp(a->cookie.octets, b->cookie.octets, a->cookie.len) &&
	       a->l2spec == b->l2spec && a->sequencing == b->sequencing && a->circuit_status == b->circuit_status;
}

/* For each call that one end has up, the other end has its half up: the same pair of ids, cookies and all else. */
static bool agree(const struct v3_end *a, const struct v3_end *b)
{
	for (unsigned i = 0; i < a->n_calls; i++) {
		const struct call *c = &a->call[i].call;
		bool found = false;

		if (!alive(&a->call[i]))
			continue;
		for (unsigned j = 0; j < b->n_calls; j++) {
			const struct call *d = &b->call[j].call;

			found |= alive(&b->call[j]) && b->call[j].session_id == c->peer_session_id &&
				 d->peer_session_id == c->session_id && d->v3.info.serial == c->v3.info.serial &&
				 d->v3.info.pw_type == c->v3.info.pw_type && d->v3.info.end_id_len == c->v3.info.end_id_len &&
				 !memcmp(d->v3.info.end_id, c->v3.info.end_id, c->v3.info.end_id_len) &&
				 same_side(&c->v3.info.own, &d->v3.info.peer) && same_side(&c->v3.info.peer, &d->v3.info.own);
		}
		if (!found || c->state != CALL_ESTABLISHED || cc_call_find(&a->cc, c->session_id) != c)
			return false;
	}
	return true;
}

static unsigned n_alive(const struct v3_end *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->n_calls; i++)
		n += alive(&e->call[i]);
	return n;
}

/* Every call that was opened or answered ends exactly once, or is up. */
static bool settled(const struct v3_end *e)
{
	for (unsigned i = 0; i < e->n_calls; i++)
		if (e->call[i].downs > 1 || e->call[i].ups > 1 || (!e->call[i].downs && !e->call[i].ups) ||
		    e->call[i].call.linked != !e->call[i].downs)
			return false;
	return true;
}

/* No cookie is zero, and no two are the same. */
static bool good_cookies(const struct v3_end *e)
{
	static const uint8_t zero[8];

	for (unsigned i = 0; i < e->n_calls; i++) {
		const struct v3_cookie *c = &e->call[i].call.v3.info.own.cookie;

		if (c->len && !memcmp(c->octets, zero, c->len))
			return false;
		for (unsigned j = 0; j < i; j++)
			if (c->len == 8 && !memcmp(c, &e->call[j].call.v3.info.own.cookie, sizeof(*c)))
				return false;
	}
	return true;
}

static void some_orders(struct sim *s, struct v3_end *e, unsigned n, bool ties)
{
	for (unsigned i = 0; i < n; i++) {
		struct v3_end *x = &e[sim_roll(s, 2)];
		char name[8];

		snprintf(name, sizeof(name), "pw%u", sim_roll(s, 4));
		switch (sim_roll(s, 4)) {
		case 0:
			v3_end_call(x, V3_ICRQ_SENDER, ties ? name : NULL, 4 * sim_roll(s, 3));
			break;
		case 1:
			v3_end_call(x, V3_OCRQ_SENDER, ties ? name : NULL, 4 * sim_roll(s, 3));
			break;
		case 2:
			if (x->n_calls && sim_roll(s, 2))
				v3_end_close_call(x, sim_roll(s, x->n_calls));
			break;
		case 3:
			sim_run(s, s->now + sim_roll(s, 3000));
			break;
		}
	}
}

static void up(struct sim *s, struct v3_end *e, uint64_t seed)
{
	pair(s, e, seed);
	vary(s, e);
	e[0].conf.cc.no_tie_breaker = sim_roll(s, 4) == 0;
	e[1].conf.cc.no_tie_breaker = sim_roll(s, 4) == 0;
	v3_end_open(&e[0]);
	sim_run(s, 1000);
}

/* Calls of all roles, some of them tied, over a lossy network. */
static int test_calls(uint64_t seed)
{
	struct v3_end e[2];
	struct sim s;
	int bad = 0, ender;

	up(&s, e, seed);
	CHECK(agreed(e));
	e[0].refuse = e[1].refuse = sim_roll(&s, 3) * 10;
	s.loss = 30;
	s.dup = 10;
	s.delay_ms = 1000;
	some_orders(&s, e, 12, sim_roll(&s, 2));
	sim_run(&s, ms_min(s.now + 3000, 20000));
	s.loss = s.dup = 0;
	s.delay_ms = 50;
	sim_run(&s, s.now + 120 * 1000);
	CHECK(!e[0].downs && !e[1].downs);
	CHECK(settled(&e[0]) && settled(&e[1]));
	CHECK(agree(&e[0], &e[1]) && agree(&e[1], &e[0]));
	CHECK(n_alive(&e[0]) == n_alive(&e[1]) && e[0].cc.n_calls == n_alive(&e[0]));
	CHECK(good_cookies(&e[0]) && good_cookies(&e[1]));
	CHECK(v3_end_quiet(&e[0]) && v3_end_quiet(&e[1]) && !e[0].cc.n_pending && !e[1].cc.n_pending);
	CHECK(!v3_end_faults(&e[0]) && !v3_end_faults(&e[1]) && agreed(e));

	ender = (int)sim_roll(&s, 2);
	if (sim_roll(&s, 2)) {
		for (unsigned i = 0; i < e[ender].n_calls; i++)
			v3_end_close_call(&e[ender], i);
		sim_run(&s, s.now + 30 * 1000);
		CHECK(!n_alive(&e[0]) && !n_alive(&e[1]) && !e[0].downs && !e[1].downs);
		CHECK(!e[0].cc.n_calls && !e[1].cc.n_calls);
	}
	cc_close(&e[ender].cc, s.now, NULL);
	v3_end_drain(&e[ender]);
	sim_run(&s, s.now + 60 * 1000);
	CHECK(e[0].downs == 1 && e[1].downs == 1 && e[0].gones == 1 && e[1].gones == 1);
	CHECK(!n_alive(&e[0]) && !n_alive(&e[1]) && settled(&e[0]) && settled(&e[1]));
	CHECK(!v3_end_faults(&e[0]) && !v3_end_faults(&e[1]));
out:
	pair_done(&s, e);
	return bad;
}

/* Both ends ask for the same Remote End ID at once: one call is left, or none and both know (5.4.4). */
static int test_tie(uint64_t seed)
{
	struct v3_end e[2];
	struct sim s;
	int bad = 0;
	bool t0, t1;

	up(&s, e, seed);
	CHECK(agreed(e));
	CHECK(!v3_end_call(&e[0], V3_ICRQ_SENDER, "same", 8) && !v3_end_call(&e[1], V3_ICRQ_SENDER, "same", 8));
	t0 = !e[0].conf.cc.no_tie_breaker;
	t1 = !e[1].conf.cc.no_tie_breaker;
	sim_run(&s, s.now + 10000);
	CHECK(settled(&e[0]) && settled(&e[1]) && agree(&e[0], &e[1]) && agree(&e[1], &e[0]));
	CHECK(n_alive(&e[0]) == (t0 || t1) && n_alive(&e[1]) == (t0 || t1));
	if (t0 && !t1)
		CHECK(alive(&e[0].call[0]) && e[1].call[0].cause.result == V3_CDN_TIE_LOST);
	if (t1 && !t0)
		CHECK(alive(&e[1].call[0]) && e[0].call[0].cause.result == V3_CDN_TIE_LOST);
	if (!t0 && !t1)
		CHECK(e[0].call[0].cause.result == V3_CDN_TIE_LOST && e[1].call[0].cause.result == V3_CDN_TIE_LOST);
	CHECK(v3_end_quiet(&e[0]) && v3_end_quiet(&e[1]) && !v3_end_faults(&e[0]) && !v3_end_faults(&e[1]));
out:
	pair_done(&s, e);
	return bad;
}

/* The network dies: all calls and the control connection end, once each, within the retries. */
static int test_cut(uint64_t seed)
{
	struct v3_end e[2];
	struct sim s;
	int bad = 0;
	ms_t t;

	up(&s, e, seed);
	e[0].conf.cc.hello_ms = e[1].conf.cc.hello_ms = 30 * 1000;
	some_orders(&s, e, 10, false);
	t = s.now;
	s.loss = 100;
	v3_end_call(&e[0], V3_ICRQ_SENDER, NULL, 4);
	v3_end_call(&e[1], V3_ICRQ_SENDER, NULL, 4);
	sim_run(&s, t + 300 * 1000);
	for (int i = 0; i < 2; i++) {
		CHECK(e[i].downs == 1 && e[i].gones == 1 && e[i].cause.timeout && settled(&e[i]));
		CHECK(!n_alive(&e[i]) && !e[i].cc.n_calls && !v3_end_faults(&e[i]));
		CHECK(cc_deadline(&e[i].cc) == NEVER);
	}
out:
	pair_done(&s, e);
	return bad;
}

/* Everything that was ever on the wire, recorded and played again, in any order, to either end, changed or not: with a secret
 * nothing happens but acknowledgements of what was had, and a counter. */
struct tape { struct { uint8_t buf[600]; size_t len; int from; } msg[400]; unsigned n; };

static void record(void *arg, int from, const void *buf, size_t len)
{
	struct tape *t = arg;

	if (t->n == 400 || len > sizeof(t->msg[0].buf))
		return;
	memcpy(t->msg[t->n].buf, buf, len);
	t->msg[t->n].from = from;
	t->msg[t->n++].len = len;
}

static int test_replay(uint64_t seed)
{
	struct tape *tape = calloc(1, sizeof(*tape));
	struct v3_end e[2];
	struct sim s;
	int bad = 0;
	unsigned alive_now;

	if (!tape)
		return 1;
	pair(&s, e, seed);
	for (int i = 0; i < 2; i++) {
		e[i].conf.cc.secret = secret;
		e[i].conf.digest = sim_roll(&s, 2) ? V3_HMAC_SHA1 : V3_HMAC_MD5;
		e[i].conf.cc.strict = sim_roll(&s, 2);
		e[i].tap = record;
		e[i].tap_arg = tape;
	}
	v3_end_reset(&e[0]);
	v3_end_open(&e[0]);
	sim_run(&s, 1000);
	some_orders(&s, e, 10, false);
	sim_run(&s, s.now + 30000);
	CHECK(agreed(e));
	alive_now = n_alive(&e[0]);
	e[0].tap = e[1].tap = NULL;
	for (unsigned i = 0; i < 60; i++) {
		unsigned k = sim_roll(&s, tape->n);
		struct v3_end *v = &e[sim_roll(&s, 4) ? !tape->msg[k].from : tape->msg[k].from];
		unsigned sent = s.sent[v->node], how = sim_roll(&s, 3), ns = v->cc.rel.ns, nr = v->cc.rel.nr;
		uint32_t forged = v->cc.v3.forged;
		uint8_t buf[600];
		size_t at;

		memcpy(buf, tape->msg[k].buf, tape->msg[k].len);
		put_u32(buf + 4, v->cc.tunnel_id);
		if (how == 1) {			/* as if it were new */
			put_u16(buf + 8, nr);
			put_u16(buf + 10, ns);
		} else if (how == 2) {
			at = sim_roll(&s, (unsigned)tape->msg[k].len);
			buf[at] ^= (uint8_t)(1 << sim_roll(&s, 8));
			put_u16(buf + 2, (unsigned)tape->msg[k].len);
		}
		s.node[v->node].input(v, s.now, buf, tape->msg[k].len);
		CHECK(v->cc.rel.ns == ns && v->cc.rel.nr == nr && v->cc.state == CC_ESTABLISHED && !v->downs);
		CHECK(n_alive(&e[0]) == alive_now && n_alive(&e[1]) == alive_now && !v->cc.rel.early);
		if (v->cc.v3.forged != forged)
			CHECK(s.sent[v->node] == sent);			/* silence */
		else
			CHECK(s.sent[v->node] <= sent + 1);
	}
	sim_run(&s, s.now + 10000);
	CHECK(v3_end_quiet(&e[0]) && v3_end_quiet(&e[1]) && !e[0].downs && !e[1].downs && e[0].ups == 1 && e[1].ups == 1);

	/* the same octets to a new connection of the same two ends: their nonces are others */
	v3_end_done(&e[0]);
	v3_end_done(&e[1]);
	v3_end_init(&e[0], &s, 0, false);
	v3_end_init(&e[1], &s, 1, true);
	e[0].conf.cc.secret = e[1].conf.cc.secret = secret;
	v3_end_reset(&e[0]);
	v3_end_open(&e[0]);
	sim_run(&s, s.now + 1000);
	CHECK(agreed(e));
	for (unsigned k = 0; k < tape->n; k++) {
		struct v3_end *v = &e[!tape->msg[k].from];
		unsigned sent = s.sent[v->node], forged = v->cc.v3.forged;

		put_u32(tape->msg[k].buf + 4, v->cc.tunnel_id);
		s.node[v->node].input(v, s.now, tape->msg[k].buf, tape->msg[k].len);
		CHECK(v->cc.v3.forged == forged + 1 && s.sent[v->node] == sent);
	}
out:
	pair_done(&s, e);
	free(tape);
	return bad;
}

/* Without a secret: datagrams that anybody could forge who does not know where the sequence is. */
static int test_forged(uint64_t seed)
{
	struct v3_end e[2];
	struct sim s;
	int bad = 0;

	pair(&s, e, seed);
	v3_end_open(&e[0]);
	sim_run(&s, 1000);
	CHECK(agreed(e) && v3_end_quiet(&e[0]));
	for (int i = 0; i < 20; i++) {
		struct v3_end *v = &e[sim_roll(&s, 2)];
		struct cc before = v->cc;
		struct v3_msg m = { .type = (uint16_t)(1 + sim_roll(&s, 20)), .cc_id = v->cc.tunnel_id, .ns = v->cc.rel.nr,
				    .nr = v->cc.rel.ns, .assigned_cc_id = 7, .result = { .result = 1 },
				    .present = V3_BIT(V3_AVP_ASSIGNED_CC_ID) | V3_BIT(V3_AVP_RESULT_CODE) };
		uint8_t buf[256];
		size_t n;

		switch (sim_roll(&s, 5)) {
		case 0:
			m.cc_id ^= 1 + sim_roll(&s, 0xffff);
			break;
		case 1:			/* too far ahead */
			m.ns = (uint16_t)(m.ns + v->cc.rel.rws + sim_roll(&s, 0x7000));
			break;
		case 2:			/* long past */
			m.ns = (uint16_t)(m.ns - 1 - sim_roll(&s, 0x7000));
			break;
		case 3:			/* acknowledges what was never sent, and is early */
			m.ns++;
			m.nr = (uint16_t)(m.nr + 1 + sim_roll(&s, 0x7000));
			v->cc.rel.rws = 1;
			break;
		case 4:
			m.type = sim_roll(&s, 2) ? V3_ACK : V3_ZLB;
			m.nr = (uint16_t)(m.nr + 1 + sim_roll(&s, 0xfff0));
			break;
		}
		n = v3_encode(&m, buf, sizeof(buf), none);
		v3_cc_input(&v->cc, s.now, buf, n);
		v->cc.rel.rws = before.rel.rws;
		v3_end_drain(v);
		CHECK(v->cc.state == CC_ESTABLISHED && v->cc.peer_tunnel_id == before.peer_tunnel_id);
		CHECK(v->cc.rel.ns == before.rel.ns && v->cc.rel.nr == before.rel.nr);
		CHECK(v->cc.rel.una == before.rel.una && !v->cc.rel.early && !v->downs);
	}
	sim_run(&s, 2000);
	CHECK(v3_end_quiet(&e[0]) && v3_end_quiet(&e[1]) && !e[0].downs && !e[1].downs);
out:
	pair_done(&s, e);
	return bad;
}

static int many(const char *name, int (*test)(uint64_t), unsigned seeds)
{
	unsigned bad = 0;

	for (uint64_t seed = 1; seed <= seeds && bad < 5; seed++)
		bad += (unsigned)test(seed);
	printf("%sok - %s: %u seeds\n", bad ? "not " : "", name, seeds);
	return !!bad;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);	/* or a sanitizer that exits takes our verdict with it */
	return many("v3: lossy establishment and end", test_lossy, SEEDS) |
	       many("v3: wrong or missing secret", test_wrong_secret, SEEDS) |
	       many("v3: dead peer", test_dead_peer, 3) |
	       many("v3: StopCCN is acknowledged for a full cycle", test_linger, 10) |
	       many("v3: HELLO", test_hello, 20) |
	       many("v3: calls of all roles over a lossy network", test_calls, SEEDS) |
	       many("v3: session tie breaker", test_tie, 2000) |
	       many("v3: the network is cut", test_cut, 1000) |
	       many("v3: replayed and changed messages", test_replay, 1000) |
	       many("v3: forged messages without a secret", test_forged, SEEDS);
}
