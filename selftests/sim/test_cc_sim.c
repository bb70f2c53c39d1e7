/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two control connections over a bad network.  Properties, not transcripts.
 *
 * Mutants of the engine that this test and test_call_sim kill (each is one change in daemon/l2tp):
 *	rel.c	deliver whatever Ns comes, or the last one again; accept what is far ahead; do not count Nr;
 *		never owe an acknowledgement, or not for duplicates, or not for early messages whose turn
 *		comes after something left; leave the timer running when all is acknowledged; believe an
 *		Nr that was never sent; give up one retry early; never reset the retries; let cc_alive
 *		forgive for ever; keep the old Nr on retransmission; retransmit nothing; no backoff;
 *		ignore the peer's window, or exceed it by one; deliver an early message twice, or not at all,
 *		or for ever, however long ago it came
 *	cc.c, v2_cc.c	acknowledge ZLBs; linger for no time after StopCCN; say CC_DOWN without CALL_DOWN; accept
 *		any Challenge Response; no HELLO; equal tie breakers keep a tunnel; accept any Tunnel ID
 *	calls.c, v2_call.c	no CDN on close; CALL_UP twice; set-up timer not stopped; forget the peer's session id;
 *		ignore a CDN with Session ID 0
 * Killed by unit tests instead, as two well-behaved ends cannot show them: a late SCCRP redirects the
 * connection, a withdrawn request is answered, any SCCCN is accepted, a repeated SCCRQ is a new entry.
 */
#include <stdio.h>
#include <string.h>

#include "lib/l2tp_end.h"

enum { SEEDS = 5000 };

#define CHECK(c) do { if (!(c)) { printf("# seed %llu: %s:%d: %s\n", \
	(unsigned long long)seed, __FILE__, __LINE__, #c); bad = 1; goto out; } } while (0)

static const struct span secret = { (const uint8_t *)"sesame", 6 };

static void pair(struct sim *s, struct l2tp_end *e, uint64_t seed)
{
	sim_init(s, seed);
	end_init(&e[0], s, 0, false);
	end_init(&e[1], s, 1, true);
}

static void pair_done(struct sim *s, struct l2tp_end *e)
{
	end_done(&e[0]);
	end_done(&e[1]);
	sim_done(s);
}

static void vary(struct sim *s, struct l2tp_end *e)
{
	for (int i = 0; i < 2; i++) {
		e[i].conf.rws = (uint16_t)(1 + sim_roll(s, 8));
		e[i].conf.strict = sim_roll(s, 2);
		e[i].conf.vendor_name = sim_roll(s, 2) ? "sim" : NULL;
	}
	if (sim_roll(s, 2)) {
		e[0].conf.secret = e[1].conf.secret = secret;
		e[0].conf.hide = sim_roll(s, 2);
		e[1].conf.hide = sim_roll(s, 2);
	}
	v2_cc_init(&e[0].cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
}

/* However the network behaves for 20 s, once it heals both ends agree; then either closes. */
static int test_lossy(uint64_t seed)
{
	struct l2tp_end e[2];
	struct sim s;
	int bad = 0, closer;

	pair(&s, e, seed);
	vary(&s, e);
	s.loss = 40;
	s.dup = 10;
	s.delay_ms = 3000;
	cc_open(&e[0].cc, s.now);
	end_drain(&e[0]);
	sim_run(&s, 20 * 1000);
	s.loss = s.dup = 0;
	sim_run(&s, 100 * 1000);
	CHECK(e[0].cc.state == CC_ESTABLISHED && e[1].has_cc && e[1].cc.state == CC_ESTABLISHED);
	CHECK(e[0].cc.peer_tunnel_id == e[1].cc.tunnel_id && e[1].cc.peer_tunnel_id == e[0].cc.tunnel_id);
	CHECK(e[0].ups == 1 && e[1].ups == 1 && !e[0].downs && !e[1].downs);
	CHECK(!strcmp(e[0].cc.peer_host_name, "lns.example"));
	CHECK(!strcmp(e[1].cc.peer_host_name, "lac.example"));
	CHECK(end_quiet(&e[0]) && end_quiet(&e[1]) && !ho_count(e[1].ho));
	CHECK(!end_faults(&e[0]) && !end_faults(&e[1]));

	s.loss = 40;
	s.dup = 10;
	closer = (int)sim_roll(&s, 3);
	for (int i = 0; i < 2; i++) {
		if (closer != 2 && closer != i)
			continue;
		cc_close(&e[i].cc, s.now, NULL);
		end_drain(&e[i]);
	}
	sim_run(&s, 120 * 1000);
	s.loss = s.dup = 0;
	sim_run(&s, 300 * 1000);
	CHECK(e[0].downs == 1 && e[1].downs == 1 && e[0].gones == 1 && e[1].gones == 1);
	if (closer != 2) {
		/* 5.7: the receiver of StopCCN answers its repetitions for a full cycle */
		CHECK(e[!closer].cause.by_peer && e[!closer].cause.result == L2TP_STOP_SHUTDOWN);
		CHECK(!e[closer].cause.by_peer && !e[closer].cause.timeout);
	}
	CHECK(end_quiet(&e[0]) && end_quiet(&e[1]));
	CHECK(!end_faults(&e[0]) && !end_faults(&e[1]));
out:
	pair_done(&s, e);
	return bad;
}

/* StopCCN whose acknowledgement was lost: the repetition is acknowledged, for 31 s and no longer. */
static int test_linger(uint64_t seed)
{
	struct l2tp_end e[2];
	struct sim s;
	unsigned sent;
	int bad = 0;

	pair(&s, e, seed);
	cc_open(&e[0].cc, s.now);
	end_drain(&e[0]);
	sim_run(&s, 1000);
	s.node[0].input = NULL;				/* deaf from here on */
	cc_close(&e[0].cc, s.now, NULL);
	end_drain(&e[0]);
	sent = s.sent[1];
	sim_run(&s, 1000 + 30900);
	CHECK(e[1].downs == 1 && s.sent[1] - sent == 6);	/* one for each of the six StopCCN */
	CHECK(!e[1].gones);
	sim_run(&s, 1000 + 31100);
	CHECK(e[1].gones == 1 && e[0].gones == 1);
out:
	pair_done(&s, e);
	return bad;
}

/* Different secrets, or one end without: neither end comes up, both say why, nothing is left. */
static int test_wrong_secret(uint64_t seed)
{
	static const struct span other = { (const uint8_t *)"Sesame", 6 };
	struct l2tp_end e[2];
	struct sim s;
	int bad = 0, kind;

	pair(&s, e, seed);
	kind = (int)sim_roll(&s, 2);
	e[0].conf.secret = kind ? (struct span){ NULL, 0 } : other;
	e[1].conf.secret = secret;
	s.loss = sim_roll(&s, 30);
	cc_open(&e[0].cc, s.now);
	end_drain(&e[0]);
	sim_run(&s, 200 * 1000);
	CHECK(!e[0].ups && !e[1].ups && !e[1].has_cc && e[0].downs == 1 && e[0].gones == 1);
	CHECK(e[0].cause.result == L2TP_STOP_UNAUTHORIZED || e[0].cause.timeout);
	CHECK(!ho_count(e[1].ho) && end_quiet(&e[0]));
out:
	pair_done(&s, e);
	return bad;
}

/* A peer that never answers costs exactly Max-Retries and leaves nothing behind. */
static int test_dead_peer(uint64_t seed)
{
	static const ms_t when[] = { 0, 1000, 3000, 7000, 15000, 23000 };	/* 5.8: 1, 2, 4, 8, 8 */
	struct l2tp_end e[2];
	struct sim s;
	int bad = 0;

	pair(&s, e, seed);
	s.loss = 100;
	cc_open(&e[0].cc, 0);
	end_drain(&e[0]);
	for (unsigned i = 0; i < 6; i++) {
		sim_run(&s, when[i]);
		CHECK(s.sent[0] == i + 1);
		if (i)
			continue;
	}
	sim_run(&s, 30999);
	CHECK(!e[0].downs && s.sent[0] == 6);
	sim_run(&s, 3600 * 1000);
	CHECK(e[0].downs == 1 && e[0].down_at == 31000 && e[0].gones == 1 && e[0].cause.timeout);
	CHECK(s.sent[0] == 6 && end_quiet(&e[0]));
out:
	pair_done(&s, e);
	return bad;
}

/* HELLO finds a dead peer in bounded time; data traffic vouches for one that does not answer HELLO. */
static int test_hello(uint64_t seed)
{
	struct l2tp_end e[2];
	struct sim s;
	ms_t t;
	int bad = 0;

	pair(&s, e, seed);
	e[0].conf.hello_ms = 20 * 1000;
	cc_open(&e[0].cc, 0);
	end_drain(&e[0]);
	sim_run(&s, 200 * 1000);
	CHECK(s.sent[0] >= 2 + 9 && s.sent[0] <= 2 + 10 && !e[0].downs);	/* a HELLO each 20 s */
	s.loss = 100;
	for (t = 200; t < 500; t += 25) {		/* each time a HELLO is out that nobody answers */
		sim_run(&s, t * 1000 + 25 * 1000);
		cc_alive(&e[0].cc, s.now);
	}
	CHECK(!e[0].downs && e[0].cc.rel.tx);
	sim_run(&s, s.now + 20 * 1000 + 2 * 40 * 1000);
	CHECK(e[0].downs == 1 && e[0].cause.timeout && e[0].gones == 1);
out:
	pair_done(&s, e);
	return bad;
}

/* Both ends dial at once.  Their owners compare tie breakers (4.4.3); one tunnel stays, or none. */
static int test_tie(uint64_t seed)
{
	struct l2tp_msg sccrq[2];
	uint8_t buf[2][512];
	struct l2tp_end e[2];
	enum cc_tie tie[2];
	struct sim s;
	int bad = 0;

	sim_init(&s, seed);
	for (int i = 0; i < 2; i++) {
		end_init(&e[i], &s, i, false);
		e[i].conf.no_tie_breaker = sim_roll(&s, 4) == 0;
		cc_open(&e[i].cc, 0);
	}
	if (sim_roll(&s, 4) == 0)
		memcpy(e[1].cc.tie_breaker, e[0].cc.tie_breaker, sizeof(e[0].cc.tie_breaker));
	for (int i = 0; i < 2; i++) {
		sccrq[i] = (struct l2tp_msg){ .type = L2TP_SCCRQ };
		memcpy(sccrq[i].tie_breaker, e[i].cc.tie_breaker, L2TP_TIE_LEN);
		if (e[i].cc.tie_sent)
			sccrq[i].present = L2TP_BIT(L2TP_AVP_TIE_BREAKER);
		(void)buf;
	}
	for (int i = 0; i < 2; i++)
		tie[i] = cc_tie(&e[i].cc, e[!i].cc.tie_sent ? sccrq[!i].tie_breaker : NULL);
	if (!e[0].cc.tie_sent && !e[1].cc.tie_sent)
		CHECK(tie[0] == CC_TIE_NONE && tie[1] == CC_TIE_NONE);
	else if (e[0].cc.tie_sent && e[1].cc.tie_sent &&
		 !memcmp(sccrq[0].tie_breaker, sccrq[1].tie_breaker, L2TP_TIE_LEN))
		CHECK(tie[0] == CC_TIE_BOTH_DROP && tie[1] == CC_TIE_BOTH_DROP);
	else
		CHECK((tie[0] == CC_TIE_OURS && tie[1] == CC_TIE_THEIRS) ||
		      (tie[1] == CC_TIE_OURS && tie[0] == CC_TIE_THEIRS));
	for (int i = 0; i < 2; i++) {
		struct fx *f;

		for (; (f = fx_pop(&e[i].cc.out)); fx_free(f))
			;
		if (tie[i] != CC_TIE_THEIRS && tie[i] != CC_TIE_BOTH_DROP)
			continue;
		cc_abandon(&e[i].cc, 1, NULL);
		end_drain(&e[i]);
		CHECK(e[i].downs == 1 && e[i].gones == 1 && !s.sent[i] && end_quiet(&e[i]));	/* silently */
	}
out:
	pair_done(&s, e);
	return bad;
}

/* Datagrams that anybody could forge, thrown at an established tunnel: nothing happens to it. */
static int test_forged(uint64_t seed)
{
	struct l2tp_end e[2];
	struct sim s;
	int bad = 0;

	pair(&s, e, seed);
	cc_open(&e[0].cc, 0);
	end_drain(&e[0]);
	sim_run(&s, 1000);
	CHECK(e[0].ups == 1 && e[1].ups == 1 && end_quiet(&e[0]));
	for (int i = 0; i < 20; i++) {
		struct l2tp_end *v = &e[sim_roll(&s, 2)];
		struct cc before = v->cc;
		struct l2tp_msg m = { .type = (uint16_t)(1 + sim_roll(&s, 16)), .tunnel_id = v->cc.tunnel_id,
				      .ns = v->cc.rel.nr, .nr = v->cc.rel.ns, .assigned_tunnel_id = 7,
				      .result = { .result = 1 },
				      .present = L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID) | L2TP_BIT(L2TP_AVP_RESULT_CODE) };
		uint8_t buf[256];
		size_t n;

		switch (sim_roll(&s, 5)) {
		case 0:
			m.tunnel_id ^= (uint16_t)(1 + sim_roll(&s, 0xffff));
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
			m.type = L2TP_ZLB;
			m.nr = (uint16_t)(m.nr + 1 + sim_roll(&s, 0xfff0));
			break;
		}
		n = l2tp_encode(&m, buf, sizeof(buf), (struct span){ NULL, 0 });
		if (sim_roll(&s, 4) == 0 && n > 20)
			buf[12 + sim_roll(&s, 8)] ^= (uint8_t)(1 + sim_roll(&s, 255));
		v2_cc_input(&v->cc, s.now, buf, n);
		v->cc.rel.rws = before.rel.rws;
		end_drain(v);
		CHECK(v->cc.state == CC_ESTABLISHED && v->cc.peer_tunnel_id == before.peer_tunnel_id);
		CHECK(v->cc.rel.ns == before.rel.ns && v->cc.rel.nr == before.rel.nr);
		CHECK(v->cc.rel.una == before.rel.una && !v->cc.rel.early && !v->downs);
	}
	sim_run(&s, 2000);
	CHECK(end_quiet(&e[0]) && end_quiet(&e[1]) && !e[0].downs && !e[1].downs);
out:
	pair_done(&s, e);
	return bad;
}

/* Messages that somebody forged for later take nobody's place: calls come up and end as if they had never been. */
static int test_forged_early(uint64_t seed)
{
	static const uint16_t type[] = { L2TP_HELLO, L2TP_ICRQ, L2TP_ICCN, L2TP_SLI, L2TP_CDN, L2TP_STOPCCN };
	struct l2tp_end e[2];
	unsigned calls;
	struct sim s;
	int bad = 0;

	pair(&s, e, seed);
	e[0].conf.rws = e[1].conf.rws = 16;
	cc_open(&e[0].cc, 0);
	end_drain(&e[0]);
	sim_run(&s, 1000);
	CHECK(e[0].ups == 1 && e[1].ups == 1);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 30; i++) {
			struct l2tp_end *v = &e[sim_roll(&s, 2)];
			struct l2tp_msg m = { .type = type[sim_roll(&s, 6)], .tunnel_id = v->cc.tunnel_id, .call_serial = 1,
					      .ns = (uint16_t)(v->cc.rel.nr + 1 + sim_roll(&s, 20)), .nr = v->cc.rel.ns,
					      .assigned_tunnel_id = 7, .assigned_session_id = 7, .result = { .result = 1 },
					      .present = L2TP_BIT(L2TP_AVP_ASSIGNED_SESSION_ID) | L2TP_BIT(L2TP_AVP_CALL_SERIAL) };
			uint8_t buf[256];
			size_t n;

			n = l2tp_encode(&m, buf, sizeof(buf), (struct span){ NULL, 0 });
			v2_cc_input(&v->cc, s.now, buf, n);
			end_drain(v);
		}
		sim_run(&s, s.now + 500);
		for (unsigned i = 0; i < 4; i++)
			end_call(&e[sim_roll(&s, 2)], CALL_LAC_INCOMING);
		sim_run(&s, s.now + 5000);
		calls = 4 * (round + 1);
		CHECK(e[0].cc.n_calls == calls && e[1].cc.n_calls == calls && e[0].n_calls == calls && e[1].n_calls == calls);
		for (unsigned i = 0; i < calls; i++)
			CHECK(e[0].call[i].ups == 1 && e[1].call[i].ups == 1);
	}
	cc_close(&e[1].cc, s.now, NULL);
	end_drain(&e[1]);
	sim_run(&s, s.now + 40 * 1000);
	CHECK(e[0].downs == 1 && e[0].cause.by_peer && e[1].gones == 1);
	CHECK(end_quiet(&e[0]) && end_quiet(&e[1]));
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
	return many("lossy establishment and end", test_lossy, SEEDS) |
	       many("StopCCN is acknowledged for a full cycle", test_linger, 10) |
	       many("wrong secret", test_wrong_secret, SEEDS) |
	       many("dead peer", test_dead_peer, 3) |
	       many("HELLO", test_hello, 20) |
	       many("tie breaker", test_tie, SEEDS) |
	       many("forged datagrams", test_forged, SEEDS) |
	       many("forged for later", test_forged_early, 500);
}
