/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ends of a tunnel that crash at any moment and go on from their last checkpoint, over a bad network.  As each writes it
 * before anything of the same turn leaves, nobody else can tell a crash from a lost datagram: both ends stay agreed, every
 * call comes up once at both or at neither, nothing that was acknowledged is lost.
 *
 * Mutants that this test kills (made by hand, one at a time):
 *	save.c	unacknowledged messages are not saved, or one too few, or are numbered from ns; nr is not saved; what was in
 *		flight is not sent again
 *	v2_call.c a call forgets its peer's id; calls.c: calls in set-up are forgotten
 *	ho_save.c half-open tunnels are not in the checkpoint, or without their challenge
 *	end	the checkpoint is written after the datagrams have left, an SCCRP among them; so, too, with what the kernel is
 *		asked for
 *	owner	who was admitted is not told; what was asked for is believed to be there; what was to be removed stays; a
 *		link that has proved nothing does not begin anew
 *	cp.c	a request that comes again with another identifier is Acked as often as one with the same
 *	ppp	no deadline is set; addresses, the authenticator's state or an open question are forgotten
 * Survives: messages that came early, that an acknowledgement is due, that a Configure-Ack is held back or which
 * identifier was the last are forgotten, echoes are not forgiven: the peer, or our own timer, sends again. */
#include <stdio.h>
#include <string.h>

#include "lib/all_sim.h"

enum { SEEDS = 3000, ALL_SEEDS = 250 };

#define CHECK(c) do { if (!(c)) { printf("# seed %llu: %s:%d: %s\n", \
	(unsigned long long)seed, __FILE__, __LINE__, #c); bad = 1; goto out; } } while (0)

static struct l2tp_end e[2];
static struct sim s;
static unsigned crashes, half_way, calls_up;

static void start(uint64_t seed)
{
	sim_init(&s, seed);
	end_init(&e[0], &s, 0, false);
	end_init(&e[1], &s, 1, true);
	for (int i = 0; i < 2; i++) {
		e[i].conf.rws = (uint16_t)(1 + sim_roll(&s, 8));
		e[i].conf.strict = true;
		e[i].conf.setup_ms = 300 * 1000;	/* a crash may take all of a turn's work with it, again and again */
		e[i].conf.max_retries = 30;
		e[i].conf.rto_cap_ms = 2000;
		e[i].bearer_ms = 1000;
		e[i].refuse = sim_roll(&s, 3) ? 0 : 20;
	}
	if (sim_roll(&s, 2)) {
		e[0].conf.secret = e[1].conf.secret = (struct span){ (const uint8_t *)"sesame", 6 };
		e[0].conf.hide = e[1].conf.hide = sim_roll(&s, 2);
	}
	v2_cc_init(&e[0].cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
	cc_open(&e[0].cc, 0);
	end_drain(&e[0]);
	sim_run(&s, 1000);
	for (int i = 0; i < 2; i++)
		end_can_crash(&e[i], 2 + sim_roll(&s, 20));
	s.loss = sim_roll(&s, 25);
	s.dup = sim_roll(&s, 10);
	s.delay_ms = sim_roll(&s, 2) ? 300 : 10;
}

static void stop(void)
{
	crashes += e[0].crashes + e[1].crashes;
	end_done(&e[0]);
	end_done(&e[1]);
	sim_done(&s);
}

/* The call at the other end, or NULL. */
static const struct end_call *other(const struct l2tp_end *x, const struct end_call *c)
{
	for (unsigned i = 0; i < x->n_calls; i++)
		if (x->call[i].session_id == c->call.peer_session_id && x->call[i].call.peer_session_id == c->session_id)
			return &x->call[i];
	return NULL;
}

static bool lives(const struct end_call *c)
{
	return c->ups == 1 && !c->downs && c->call.linked && c->call.state == CALL_ESTABLISHED;
}

/* Until so many crashes have been, or the time is over: then nobody crashes any more.  When the last one was. */
static ms_t crash_until(unsigned n, ms_t end)
{
	unsigned seen = 0;
	ms_t last = s.now;

	while (s.now < end && e[0].crashes + e[1].crashes < n) {
		sim_run(&s, s.now + 1);
		if (e[0].crashes + e[1].crashes > seen)
			last = s.now;
		seen = e[0].crashes + e[1].crashes;
	}
	e[0].crash = e[1].crash = 0;
	return last;
}

/* One or two crashes while the control connection, then a call, is being set up, over a network that loses nothing: each costs
 * one retransmission, and nobody waits until his run out. */
static int test_half_way(uint64_t seed)
{
	unsigned n, percent;
	int bad = 0;
	ms_t last;

	sim_init(&s, seed);
	n = 1 + sim_roll(&s, 2);
	percent = 10 + sim_roll(&s, 60);
	for (int i = 0; i < 2; i++) {
		end_init(&e[i], &s, i, i);
		e[i].conf.strict = true;
	}
	if (sim_roll(&s, 2))
		e[0].conf.secret = e[1].conf.secret = (struct span){ (const uint8_t *)"sesame", 6 };
	v2_cc_init(&e[0].cc, &e[0].env, &e[0].conf, (uint16_t)e[0].cc.tunnel_id);
	end_can_crash(&e[0], sim_roll(&s, 2) ? 0 : percent);
	end_can_crash(&e[1], e[0].crash ? 0 : percent);
	cc_open(&e[0].cc, 0);
	end_drain(&e[0]);
	last = crash_until(n, 100);
	sim_run(&s, last + (1000 << n));
	CHECK(e[0].ups == 1 && e[1].ups == 1 && !e[0].downs && !e[1].downs);
	CHECK(e[0].cc.state == CC_ESTABLISHED && e[1].cc.state == CC_ESTABLISHED && !e[0].cc.rel.tx && !e[1].cc.rel.tx);
	CHECK(e[0].cc.tunnel_id == e[1].cc.peer_tunnel_id && e[1].cc.tunnel_id == e[0].cc.peer_tunnel_id);

	half_way += e[0].crashes + e[1].half_open_crashes;
	e[0].crashes = e[1].crashes = 0;
	e[sim_roll(&s, 2)].crash = percent;
	(void)end_call(&e[seed % 2], seed % 2 ? CALL_LNS_OUTGOING : CALL_LAC_INCOMING);
	last = crash_until(n, s.now + 100);
	sim_run(&s, last + (1000 << n));
	if (!e[seed % 2].n_calls)		/* the order itself was lost */
		goto out;
	CHECK(e[0].n_calls == 1 && e[1].n_calls == 1 && e[0].call[0].ups == 1 && e[1].call[0].ups == 1);
	CHECK(!e[0].call[0].downs && !e[1].call[0].downs && end_quiet(&e[0]) && end_quiet(&e[1]));
	CHECK(!end_faults(&e[0]) && !end_faults(&e[1]));
	sim_run(&s, s.now + 31000);
	CHECK(!ho_count(e[1].ho) && !e[0].downs && !e[1].downs);
out:
	stop();
	return bad;
}

/* Calls are placed and closed at both ends, under crashes; then the network heals and nobody crashes any more. */
static int test_crashes(uint64_t seed)
{
	int bad = 0;

	start(seed);
	for (unsigned i = 0; i < 30; i++) {
		struct l2tp_end *x = &e[sim_roll(&s, 2)];

		sim_run(&s, s.now + sim_roll(&s, 400));
		if (x->n_calls && !sim_roll(&s, 4))
			end_close_call(x, sim_roll(&s, x->n_calls));
		else if (x->n_calls < 40)
			(void)end_call(x, x->node ? CALL_LNS_OUTGOING : CALL_LAC_INCOMING);
	}
	sim_run(&s, s.now + 5000);
	e[0].crash = e[1].crash = 0;
	s.loss = s.dup = 0;
	sim_run(&s, s.now + 400 * 1000);
	CHECK(!end_faults(&e[0]) && !end_faults(&e[1]));
	CHECK(!e[0].downs && !e[1].downs && end_quiet(&e[0]) && end_quiet(&e[1]));
	CHECK(e[0].cc.rel.nr == e[1].cc.rel.ns && e[1].cc.rel.nr == e[0].cc.rel.ns);	/* all was heard, all acknowledged */
	for (int i = 0; i < 2; i++)
		for (unsigned k = 0; k < e[i].n_calls; k++) {
			const struct end_call *c = &e[i].call[k], *d = other(&e[!i], c);

			calls_up += lives(c);
			CHECK(c->ups <= 1 && c->downs <= 1);
			CHECK(lives(c) ? d && lives(d) : c->downs == 1);
		}
	cc_close(&e[0].cc, s.now, NULL);
	e[0].crash = e[1].crash = 20;
	end_drain(&e[0]);
	sim_run(&s, s.now + 10 * 1000);
	e[0].crash = e[1].crash = 0;
	cc_close(&e[0].cc, s.now, NULL);	/* the order may have been what was lost */
	end_drain(&e[0]);
	sim_run(&s, s.now + 300 * 1000);
	CHECK(e[0].downs == 1 && e[1].downs == 1 && e[0].gones == 1 && e[1].gones == 1);
	CHECK(!e[0].cc.n_calls && !e[1].cc.n_calls && end_quiet(&e[0]) && end_quiet(&e[1]));
	CHECK(!end_faults(&e[0]) && !end_faults(&e[1]));
out:
	stop();
	return bad;
}

/* PPP in the calls, an owner as daemon/core, and a kernel that holds what it has. */

static struct all_side a[2];
static unsigned all_crashes, all_up, all_half_way;

static void start_all(uint64_t seed, unsigned spread_ms)
{
	static const uint8_t any[PPP_AUTH_N] = { PPP_AUTH_MSCHAPV2, PPP_AUTH_CHAP_MD5, PPP_AUTH_PAP };
	unsigned lns, list;

	sim_init(&s, seed);
	all_init(a, &s);
	lns = sim_roll(&s, 2);
	list = sim_roll(&s, 3);
	for (unsigned i = 0; i < 2; i++) {
		struct all_side *x = &a[i];

		x->lns = i == lns;
		x->end.conf.rws = (uint16_t)(1 + sim_roll(&s, 8));
		x->end.conf.strict = true;
		x->end.conf.hello_ms = 30000;
		x->end.conf.setup_ms = 300 * 1000;
		x->end.conf.max_retries = 30;
		x->end.conf.rto_cap_ms = 2000;
		x->end.bearer_ms = 0;
		x->conf = (struct ppp_conf){ .auth_name = "gate", .take = !x->lns, .ipv4 = true, .echo_ms = 5000,
					     .echo_failures = 20, .auth_ms = 120 * 1000, .max_configure = 60 };
		memcpy(x->conf.allow, any, sizeof(any));
		if (x->lns)
			x->conf.auth[0] = any[list];
		x->name = x->peer_name = "alice";
		x->password = x->peer_password = "wonderland";
		x->owner_ms = sim_roll(&s, 2) ? 1000 : 20;
		x->kernel_ms = sim_roll(&s, 2) ? 800 : 5;
		x->planned = 1 + sim_roll(&s, 4);
		x->spread_ms = sim_roll(&s, 2) * spread_ms;
	}
	a[0].conf.ipv6 = a[1].conf.ipv6 = sim_roll(&s, 2);
	all_start(a);
	s.delay_ms = 5;
	while (!a[0].end.ups || !a[1].end.ups)
		sim_run(&s, s.now + 1);
	for (int i = 0; i < 2; i++)
		all_can_crash(&a[i], 1 + sim_roll(&s, 6));
	s.loss = sim_roll(&s, 15);
	s.dup = sim_roll(&s, 10);
	s.delay_ms = sim_roll(&s, 2) ? 300 : 10;
}

static bool is_up(const struct all_session *c)
{
	return c->up && !c->ending && c->ncp_up[CP_IPCP] && c->ncp_up[CP_IPV6CP] == c->side->conf.ipv6 &&
	       c->there == AT_THERE && c->attached && c->ups == 1 && c->creates == 1 && !c->deletes;
}

static bool all_are_up(void)
{
	if (a[0].end.n_calls != a[0].planned + a[1].planned || a[1].end.n_calls != a[0].end.n_calls)
		return false;
	for (int i = 0; i < 2; i++)
		for (unsigned k = 0; k < a[i].end.n_calls; k++)
			if (!is_up(&a[i].s[k]))
				return false;
	return true;
}

static const char *faults(void)
{
	for (int i = 0; i < 2; i++) {
		if (a[i].faults)
			return a[i].fault;
		if (end_faults(&a[i].end))
			return "L2TP's rules";
		for (unsigned k = 0; k < a[i].end.n_calls; k++)
			if (a[i].s[k].ups > 1 || a[i].s[k].downs > 1 || a[i].s[k].creates > 1)
				return "up, down or made twice";
	}
	return NULL;
}

#define HOLDS(f) do { const char *why_ = f; if (why_) { printf("# seed %llu: %s:%d: %s\n", \
	(unsigned long long)seed, __FILE__, __LINE__, why_); bad = 1; goto out; } } while (0)

/* RFC 1661's Restart timer, 3 s; how many of them, one after the other, a crash may cost. */
enum { TOGETHER_MS = 100, RESTART_MS = 3000, RESTARTS = 5 };

/* A crash while calls and their PPP are being set up, over a network that loses nothing and keeps the order: each waits for some
 * Restart timers, as after frames that got lost, and for none to run out. */
static int test_all_half_way(uint64_t seed)
{
	struct all_side *x;
	ms_t end, last;
	int bad = 0;

	start_all(seed, 0);
	x = &a[sim_roll(&s, 2)];
	a[0].crash = a[1].crash = s.loss = s.dup = 0;
	s.delay_ms = 1;
	for (int i = 0; i < 2; i++) {
		a[i].owner_ms = 20;
		a[i].kernel_ms = 5;
	}
	x->crash = 5 + sim_roll(&s, 20);
	for (end = s.now + TOGETHER_MS, last = s.now; s.now < end && !x->crashes; last = s.now)
		sim_run(&s, s.now + 1);
	x->crash = 0;
	all_half_way += x->crashes;
	sim_run(&s, last + RESTARTS * RESTART_MS + 1000);
	HOLDS(faults());
	CHECK(all_are_up());
out:
	all_done(a);
	sim_done(&s);
	return bad;
}

/* Calls come up under crashes, live on under more of them, and end under more. */
static int test_all_crash(uint64_t seed)
{
	int bad = 0;

	start_all(seed, 4000);
	sim_run(&s, s.now + 2000 + sim_roll(&s, 20000));
	HOLDS(faults());
	s.loss = s.dup = 0;
	s.delay_ms = 10;
	a[0].crash = a[1].crash = 0;
	sim_run(&s, s.now + 100 * 1000);
	HOLDS(faults());
	for (int round = 0; round < 2; round++) {
		CHECK(a[0].end.n_calls == a[0].planned + a[1].planned && a[1].end.n_calls == a[0].end.n_calls);
		for (int i = 0; i < 2; i++)
			for (unsigned k = 0; k < a[i].end.n_calls; k++) {
				const struct all_session *c = &a[i].s[k], *d = all_peer(c);

				CHECK(is_up(c) && d && is_up(d));
				CHECK(c->up_addrs.ip && c->up_addrs.ip == d->up_addrs.peer_ip);
				CHECK(c->up_addrs.peer_ip == d->up_addrs.ip);
				all_up++;
			}
		a[0].crash = a[1].crash = 50;		/* while nothing happens but HELLOs and echoes */
		sim_run(&s, s.now + 60 * 1000);
		a[0].crash = a[1].crash = 0;
		sim_run(&s, s.now + 30 * 1000);
		HOLDS(faults());
	}
	a[0].crash = a[1].crash = 10;
	for (unsigned n = sim_roll(&s, 5); n; n--) {
		struct all_side *x = &a[sim_roll(&s, 2)];

		if (sim_roll(&s, 2))
			all_hangup(x, &x->s[sim_roll(&s, x->end.n_calls)]);
		else
			all_end_call(x, &x->s[sim_roll(&s, x->end.n_calls)]);
		sim_run(&s, s.now + sim_roll(&s, 2000));
	}
	HOLDS(faults());
	all_close(&a[sim_roll(&s, 2)]);
	sim_run(&s, s.now + 5000);
	a[0].crash = a[1].crash = 0;
	all_close(&a[0]);
	sim_run(&s, s.now + 300 * 1000);
	HOLDS(faults());
	for (int i = 0; i < 2; i++) {
		CHECK(a[i].down && a[i].there == AT_ABSENT && a[i].creates == a[i].deletes && all_quiet(&a[i]));
		for (unsigned k = 0; k < a[i].end.n_calls; k++)
			CHECK(a[i].s[k].freed && a[i].s[k].there == AT_ABSENT && a[i].s[k].creates == a[i].s[k].deletes);
	}
out:
	all_crashes += a[0].crashes + a[1].crashes;
	all_done(a);
	sim_done(&s);
	return bad;
}

int main(void)
{
	unsigned slow = 0, late = 0, bad = 0, worse = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);	/* or a sanitizer that exits takes our verdict with it */
	for (uint64_t seed = 1; seed <= SEEDS && slow < 5; seed++)
		slow += (unsigned)test_half_way(seed);
	printf("%sok - a crash half-way costs one retransmission: %u seeds\n", slow ? "not " : "", SEEDS);
	printf("# %u crashes before both ends had a control connection\n", half_way);
	crashes = 0;
	for (uint64_t seed = 1; seed <= SEEDS && bad < 5; seed++)
		bad += (unsigned)test_crashes(seed);
	printf("%sok - control connections crash at any moment: %u seeds\n", bad ? "not " : "", SEEDS);
	printf("# %u crashes, %u halves of calls up at the end\n", crashes, calls_up);
	printf("%sok - all of this happened\n", crashes > SEEDS && calls_up > SEEDS ? "" : "not ");
	for (uint64_t seed = 1; seed <= SEEDS && late < 5; seed++)
		late += (unsigned)test_all_half_way(seed);
	printf("%sok - PPP half-way waits for no more than a few Restart timers: %u seeds, %u crashes\n", late ? "not " : "", SEEDS,
	       all_half_way);
	for (uint64_t seed = 1; seed <= ALL_SEEDS && worse < 5; seed++)
		worse += (unsigned)test_all_crash(seed);
	printf("%sok - so do tunnels with PPP and kernel sessions: %u seeds\n", worse ? "not " : "", ALL_SEEDS);
	printf("# %u crashes, %u halves of sessions up\n", all_crashes, all_up);
	return slow || half_way <= SEEDS / 4 || late || all_half_way <= SEEDS / 4 || bad || worse || crashes <= SEEDS ||
	       calls_up <= SEEDS || all_crashes <= ALL_SEEDS || all_up <= ALL_SEEDS;
}
