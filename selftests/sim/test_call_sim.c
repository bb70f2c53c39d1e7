/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls of all four roles at once in one tunnel over a bad network.  The mutants that this kills are
 * listed in test_cc_sim.c. */
#include <stdio.h>
#include <string.h>

#include "lib/l2tp_end.h"

enum { SEEDS = 5000 };

#define CHECK(c) do { if (!(c)) { printf("# seed %llu: %s:%d: %s\n", \
	(unsigned long long)seed, __FILE__, __LINE__, #c); bad = 1; goto out; } } while (0)

static const struct span secret = { (const uint8_t *)"sesame", 6 };

static void up(struct sim *s, struct l2tp_end *e, uint64_t seed)
{
	sim_init(s, seed);
	end_init(&e[0], s, 0, false);
	end_init(&e[1], s, 1, true);
	for (int i = 0; i < 2; i++) {
		e[i].conf.rws = (uint16_t)(1 + sim_roll(s, 8));
		e[i].conf.strict = true;
		e[i].bearer_ms = 5000;
	}
	if (sim_roll(s, 2)) {
		e[0].conf.secret = e[1].conf.secret = secret;
		e[0].conf.hide = sim_roll(s, 2);
		e[1].conf.hide = sim_roll(s, 2);
	}
	v2_cc_init(&e[0].cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
	cc_open(&e[0].cc, s->now);
	end_drain(&e[0]);
	sim_run(s, 1000);
}

static void done(struct sim *s, struct l2tp_end *e)
{
	end_done(&e[0]);
	end_done(&e[1]);
	sim_done(s);
}

static bool alive(const struct end_call *c)
{
	return c->ups == 1 && !c->downs;
}

/* For each call that one end has up, the other end has its half up, with the same pair of ids. */
static bool agree(const struct l2tp_end *a, const struct l2tp_end *b)
{
	for (unsigned i = 0; i < a->n_calls; i++) {
		const struct call *c = &a->call[i].call;
		bool found = false;

		if (!alive(&a->call[i]))
			continue;
		for (unsigned j = 0; j < b->n_calls; j++)
			found |= alive(&b->call[j]) && b->call[j].session_id == c->peer_session_id &&
				 b->call[j].call.peer_session_id == c->session_id &&
				 b->call[j].call.info.serial == c->info.serial;
		if (!found || c->state != CALL_ESTABLISHED || cc_call_find(&a->cc, c->session_id) != c)
			return false;
	}
	return true;
}

static unsigned n_alive(const struct l2tp_end *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->n_calls; i++)
		n += alive(&e->call[i]);
	return n;
}

/* Every call that was opened or answered ends exactly once, or is up. */
static bool settled(const struct l2tp_end *e)
{
	for (unsigned i = 0; i < e->n_calls; i++)
		if (e->call[i].downs > 1 || e->call[i].ups > 1 ||
		    (!e->call[i].downs && !e->call[i].ups) || e->call[i].call.linked != !e->call[i].downs)
			return false;
	return true;
}

static void some_orders(struct sim *s, struct l2tp_end *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct l2tp_end *x = &e[sim_roll(s, 2)];

		switch (sim_roll(s, 4)) {
		case 0:
			end_call(x, CALL_LAC_INCOMING);
			break;
		case 1:
			end_call(x, CALL_LNS_OUTGOING);
			break;
		case 2:
			if (x->n_calls && sim_roll(s, 2))
				end_close_call(x, sim_roll(s, x->n_calls));
			break;
		case 3:
			sim_run(s, s->now + sim_roll(s, 3000));
			break;
		}
	}
}

static int test_lossy(uint64_t seed)
{
	struct l2tp_end e[2];
	struct sim s;
	int bad = 0, ender;

	up(&s, e, seed);
	CHECK(e[0].ups == 1 && e[1].ups == 1);
	e[0].refuse = e[1].refuse = sim_roll(&s, 3) * 10;
	s.loss = 30;
	s.dup = 10;
	s.delay_ms = 1000;
	some_orders(&s, e, 12);
	sim_run(&s, ms_min(s.now + 3000, 20000));
	s.loss = s.dup = 0;
	s.delay_ms = 50;
	sim_run(&s, s.now + 120 * 1000);
	CHECK(!e[0].downs && !e[1].downs);
	CHECK(settled(&e[0]) && settled(&e[1]));
	CHECK(agree(&e[0], &e[1]) && agree(&e[1], &e[0]));
	CHECK(n_alive(&e[0]) == n_alive(&e[1]) && e[0].cc.n_calls == n_alive(&e[0]));
	CHECK(end_quiet(&e[0]) && end_quiet(&e[1]));
	CHECK(!end_faults(&e[0]) && !end_faults(&e[1]));

	/* the end: calls one by one, or all with the tunnel */
	ender = (int)sim_roll(&s, 2);
	if (sim_roll(&s, 2)) {
		for (unsigned i = 0; i < e[ender].n_calls; i++)
			end_close_call(&e[ender], i);
		sim_run(&s, s.now + 30 * 1000);
		CHECK(!n_alive(&e[0]) && !n_alive(&e[1]) && !e[0].downs && !e[1].downs);
		CHECK(!e[0].cc.n_calls && !e[1].cc.n_calls);
	}
	cc_close(&e[ender].cc, s.now, NULL);
	end_drain(&e[ender]);
	sim_run(&s, s.now + 60 * 1000);
	CHECK(e[0].downs == 1 && e[1].downs == 1 && e[0].gones == 1 && e[1].gones == 1);
	CHECK(!n_alive(&e[0]) && !n_alive(&e[1]) && settled(&e[0]) && settled(&e[1]));
	CHECK(!end_faults(&e[0]) && !end_faults(&e[1]));
out:
	done(&s, e);
	return bad;
}

/* On a clean network every call of every role comes up, and all that was said of it arrives. */
static int test_clean(uint64_t seed)
{
	static const struct l2tp_cause why = { .result = 2, .error = 6, .msg = "the line \"fell\"",
					       .ppp_code = 13, .ppp_proto = 0xc023 };
	static const uint32_t errors[6] = { 1, 2, 3, 4, 5, 6 };
	struct l2tp_end e[2];
	struct sim s;
	int bad = 0;

	up(&s, e, seed);
	for (int i = 0; i < 20; i++)
		end_call(&e[sim_roll(&s, 2)], sim_roll(&s, 2) ? CALL_LAC_INCOMING : CALL_LNS_OUTGOING);
	sim_run(&s, 10 * 1000);
	CHECK(n_alive(&e[0]) == 20 && n_alive(&e[1]) == 20);
	CHECK(agree(&e[0], &e[1]) && agree(&e[1], &e[0]) && !e[0].notes && !e[1].notes);
	for (unsigned i = 0; i < 20; i++)
		CHECK(!strcmp(e[0].call[i].call.info.called, "123") &&
		      e[0].call[i].call.info.framing == (e[0].call[i].call.info.framing & 3));
	v2_call_sli(&e[0].cc, &e[0].call[0].call, s.now, 1, 2);
	v2_call_wen(&e[0].cc, &e[0].call[0].call, s.now, errors);
	cc_call_close(&e[0].cc, &e[0].call[3].call, s.now, &why);
	end_drain(&e[0]);
	sim_run(&s, 20 * 1000);
	CHECK(e[1].slis == 1 && e[1].wens == 1);
	for (unsigned i = 0; i < 20; i++) {
		const struct end_call *c = &e[1].call[i];

		if (c->call.peer_session_id != e[0].call[3].session_id)
			continue;
		CHECK(c->downs == 1 && c->cause.by_peer && c->cause.result == 2 && c->cause.error == 6);
		CHECK(!strcmp(c->cause.msg, why.msg) && c->cause.ppp_code == 13 && c->cause.ppp_proto == 0xc023);
	}
	CHECK(n_alive(&e[1]) == 19 && end_quiet(&e[0]) && end_quiet(&e[1]));
	CHECK(!end_faults(&e[0]) && !end_faults(&e[1]));
out:
	done(&s, e);
	return bad;
}

/* The network dies: all calls and the tunnel end, once each, within the retries. */
static int test_cut(uint64_t seed)
{
	struct l2tp_end e[2];
	struct sim s;
	int bad = 0;
	ms_t t;

	up(&s, e, seed);
	e[0].conf.hello_ms = e[1].conf.hello_ms = 30 * 1000;
	some_orders(&s, e, 10);
	t = s.now;
	s.loss = 100;
	end_call(&e[0], CALL_LAC_INCOMING);
	end_call(&e[1], CALL_LAC_INCOMING);
	sim_run(&s, t + 200 * 1000);
	for (int i = 0; i < 2; i++) {
		CHECK(e[i].downs == 1 && e[i].gones == 1 && e[i].cause.timeout && settled(&e[i]));
		CHECK(!n_alive(&e[i]) && !e[i].cc.n_calls && !end_faults(&e[i]));
		CHECK(e[i].down_at <= t + 31 * 1000 + 50 && cc_deadline(&e[i].cc) == NEVER);
	}
out:
	done(&s, e);
	return bad;
}

/* A peer that never answers the call, though it acknowledges: the set-up timer ends it (CDN 10). */
static int test_overdue(uint64_t seed)
{
	struct l2tp_end e[2];
	struct sim s;
	int bad = 0;

	up(&s, e, seed);
	e[1].bearer_ms = 3600 * 1000;
	e[0].conf.setup_ms = 10 * 1000;
	end_call(&e[0], CALL_LNS_OUTGOING);
	e[1].call[0].bearer_at = NEVER;
	sim_run(&s, 5000);
	e[1].call[0].bearer_at = NEVER;
	sim_run(&s, 10 * 1000);
	CHECK(!e[0].call[0].downs);
	sim_run(&s, 12 * 1000);
	CHECK(e[0].call[0].downs == 1 && e[0].call[0].cause.result == L2TP_CDN_TIMEOUT);
	CHECK(e[1].call[0].downs == 1 && e[1].call[0].cause.result == L2TP_CDN_TIMEOUT);
	CHECK(end_quiet(&e[0]) && end_quiet(&e[1]) && !e[0].downs);
out:
	done(&s, e);
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
	return many("calls of all roles over a lossy network", test_lossy, SEEDS) |
	       many("calls of all roles over a clean network", test_clean, 500) |
	       many("the network is cut", test_cut, SEEDS) |
	       many("call that is never answered", test_overdue, 20);
}
