/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LAC and LNS with PPP in their calls over one bad network, from SCCRQ to the last delete in the kernel.
 *
 * Mutants that this test kills (made by hand, one at a time):
 *	owner	frames by UDP are dropped after the switch, or those that wait in the channel; LCP that overtakes
 *		ICCN is dropped; CALL_UP starts PPP again; a completion after the end is not undone; a refused
 *		create or change is forgotten; a refused tunnel leaves its sessions waiting, or so does one that
 *		came up; the tunnel does not wait for its sessions, nor they for it; no CDN at the end; PPP is not
 *		told of the end; a session stays in the kernel, is deleted twice, or with its channel in use; any
 *		proof will do; a giver installs before authentication; who was admitted is not told; go before
 *		the kernel carries the protocol
 *	data.c	ids in the wrong order; an octet of the frame is cut off
 *	ppp	a wrong proof is right; AUTH_DONE after one direction; a taker does not take; timers run on when the
 *		link is down; lower_down without PPP_FX_DOWN; auth_ms runs on; frames before the network phase are
 *		limited too soon; the NCPs never start, or only with the next frame; go lets nothing go
 *	calls.c	no CALL_DOWN; CALL_UP twice
 *	cc.c	no HELLO; giving up is silent; overdue calls stay
 * Survives: a change of what is being asked for is forgotten (addresses do not change here); CC_DOWN ends no session
 * (each had its CALL_DOWN); NCP frames are let in before authentication (see test_ppp_sim.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/all_sim.h"

enum { HEALED = 5000, CONSTANT = 2500, ACCIDENTS = 5000, CLEAN = 500 };
/* 60 s to set a call up, 30 s for LCP and authentication, 10 requests of 3 s for a network protocol. */
enum { LIMIT_MS = 120 * 1000 };

#define CHECK(c) do { if (!(c)) { printf("# seed %llu: %s:%d: %s\n", \
	(unsigned long long)seed, __FILE__, __LINE__, #c); bad = 1; goto out; } } while (0)
#define HOLDS(f) do { const char *why_ = f; if (why_) { printf("# seed %llu: %s:%d: %s\n", \
	(unsigned long long)seed, __FILE__, __LINE__, why_); bad = 1; goto out; } } while (0)

static const struct span secret = { (const uint8_t *)"sesame", 6 };

static const uint8_t lists[][PPP_AUTH_N] = {
	{ PPP_AUTH_PAP }, { PPP_AUTH_CHAP_MD5 }, { PPP_AUTH_MSCHAPV2 }, { PPP_AUTH_MSCHAPV2, PPP_AUTH_CHAP_MD5, PPP_AUTH_PAP },
	{ PPP_AUTH_NONE },
};

static struct all_side a[2];
static struct sim s;

/* What must have happened at all, lest the test show nothing. */
static struct { unsigned up, refused, liars, failed, early_frames, late_udp, waited, dropped; } seen;
/* At constant loss: calls wanted, of these up on both sides, and how long that took. */
static struct { unsigned wanted, up; ms_t sum, longest; } constant;

static void set_up(uint64_t seed, bool trouble)
{
	static const uint8_t any[PPP_AUTH_N] = { PPP_AUTH_MSCHAPV2, PPP_AUTH_CHAP_MD5, PPP_AUTH_PAP };
	unsigned lns, list;
	bool echo, mutual;

	sim_init(&s, seed);
	all_init(a, &s);
	lns = sim_roll(&s, 2);
	list = sim_roll(&s, 12);
	echo = sim_roll(&s, 2);
	mutual = !sim_roll(&s, 4);
	for (unsigned i = 0; i < 2; i++) {
		struct all_side *x = &a[i];

		x->lns = i == lns;
		x->end.conf.rws = (uint16_t)(1 + sim_roll(&s, 8));
		x->end.conf.strict = true;
		x->end.conf.hello_ms = sim_roll(&s, 2) ? 30000 : 60000;
		x->end.bearer_ms = 3000;
		x->end.refuse = trouble && !sim_roll(&s, 3) ? 15 : 0;
		x->conf = (struct ppp_conf){ .auth_name = "gate", .take = !x->lns, .ipv4 = true,
					     .echo_ms = echo ? 20000 : 0, .echo_failures = 5 };
		memcpy(x->conf.allow, any, sizeof(any));
		if (x->lns || mutual)
			memcpy(x->conf.auth, lists[list < 11 ? list % 4 : 4], PPP_AUTH_N);
		x->name = x->peer_name = "alice";
		x->password = x->peer_password = "wonderland";
		x->owner_ms = sim_roll(&s, 2) ? 1000 : 20;
		x->kernel_ms = sim_roll(&s, 2) ? 800 : 5;
		x->fail = trouble && !sim_roll(&s, 4) ? 8 : 0;
		x->liars = trouble && !sim_roll(&s, 3) ? 25 : 0;
		x->planned = 1 + sim_roll(&s, 4);
		x->spread_ms = sim_roll(&s, 2) * 4000;
	}
	a[0].conf.ipv6 = a[1].conf.ipv6 = sim_roll(&s, 2);
	if (sim_roll(&s, 2)) {
		a[0].end.conf.secret = a[1].end.conf.secret = secret;
		a[0].end.conf.hide = a[1].end.conf.hide = sim_roll(&s, 2);
	}
}

static void done(void)
{
	for (int i = 0; i < 2; i++) {
		const struct all_side *x = &a[i];

		seen.early_frames += x->early_frames;
		seen.late_udp += x->late_udp;
		seen.waited += x->waited;
		seen.dropped += x->dropped;
		for (unsigned k = 0; k < ALL_CALLS; k++) {
			seen.up += x->s[k].ups;
			seen.liars += x->s[k].liar;
			seen.failed += x->s[k].failed;
		}
	}
	all_done(a);
	sim_done(&s);
}

/* Its peer asks for the password, and it has a wrong one. */
static bool lies(const struct all_session *c)
{
	return c->liar && c->side->other->conf.auth[0] != PPP_AUTH_NONE;
}

/* Whatever the network does. */
static const char *invariants(void)
{
	for (int i = 0; i < 2; i++) {
		const struct all_side *x = &a[i];

		if (x->faults)
			return x->fault;
		if (end_faults(&x->end))
			return "L2TP's rules";
		for (unsigned k = 0; k < x->end.n_calls; k++) {
			const struct all_session *c = &x->s[k], *d = all_peer(c);

			if (c->ups > 1 || c->downs > 1 || x->end.call[k].ups > 1 || x->end.call[k].downs > 1)
				return "up or down twice";
			if (c->failed_at && (!c->ending || c->ended_at > c->failed_at))
				return "refused by the kernel, and does not end at once";
			if (c->brought != c->fed)
				return "a frame did not get to PPP";
			if (d && lies(d) && (c->creates || c->up || c->proved))
				return "installed for a wrong password";
			if (d && lies(d) && (d->up || (d->side->conf.take && d->creates)))
				return "a wrong password comes up";
		}
	}
	return NULL;
}

/* Everything that was made is gone again, once. */
static const char *gone(void)
{
	for (int i = 0; i < 2; i++) {
		const struct all_side *x = &a[i];

		if (!x->down && x->end.has_cc)
			return "the tunnel is not down";
		if (x->end.has_cc && (x->end.downs != 1 || x->end.gones != 1 || x->end.cc.n_calls))
			return "the control connection ends once, and with it its calls";
		if (!all_quiet(x))
			return "not quiet at the end";
		if (x->there != AT_ABSENT || x->creates != x->deletes)
			return "a tunnel is left in the kernel";
		for (unsigned k = 0; k < x->end.n_calls; k++) {
			const struct all_session *c = &x->s[k];

			if (c->there != AT_ABSENT || c->creates != c->deletes)
				return "a session is left in the kernel";
			if (c->downs != 1 || x->end.call[k].downs != 1 || !c->freed)
				return "a call did not go down";
			if (c->ppp_on && (!c->ppp_down || c->end.end == PPP_END_NONE || ppp_deadline(&c->ppp) != NEVER))
				return "a link did not go down";
		}
	}
	return invariants();
}

static bool is_up(const struct all_session *c)
{
	return c->up && !c->ending && c->ncp_up[CP_IPCP] && c->ncp_up[CP_IPV6CP] == c->side->conf.ipv6 &&
	       c->there == AT_THERE && c->attached;
}

static bool was_refused(const struct all_session *c)
{
	const struct end_call *e = &c->side->end.call[c->i];

	return e->downs && !e->ups && e->cause.by_peer && e->cause.result == 4 && !c->ppp_on;
}

static const char *agree(const struct all_session *c)
{
	const struct all_session *d = all_peer(c);
	const struct ppp_addrs *p = &c->up_addrs, *q = &d->up_addrs;

	if (p->ip != q->peer_ip || p->peer_ip != q->ip || !p->ip || !p->peer_ip || p->ip == p->peer_ip)
		return "they disagree about addresses";
	if (c->side->lns && p->peer_ip != 0x0001000a + ((uint32_t)(c->i + 1) << 24))
		return "not the address that was given";
	if (c->side->conf.ipv6 && (p->ifid != q->peer_ifid || p->peer_ifid != q->ifid || !p->ifid || p->ifid == p->peer_ifid))
		return "they disagree about interface identifiers";
	return NULL;
}

/* On a network that works (again): what may be up is up, on both sides, and what may not is not. */
static const char *all_settled(void)
{
	unsigned refused = 0;

	if (a[0].tunnel_failed || a[1].tunnel_failed)
		return a[0].down && a[1].down ? NULL : "the tunnel lives on without the kernel";
	for (int i = 0; i < 2; i++) {
		const struct all_side *x = &a[i];

		if (!x->end.has_cc || x->down)
			return "the tunnel is not up";
		for (unsigned k = 0; k < x->end.n_calls; k++) {
			const struct all_session *c = &x->s[k], *d = all_peer(c);
			const char *why;

			refused += was_refused(c);
			if (was_refused(c))
				continue;
			if (c->failed || lies(c) || (d && (d->failed || lies(d)))) {
				if (!c->ending)
					return "a call lives that cannot";
				continue;
			}
			if (!is_up(c) || !d || !is_up(d))
				return "a call did not come up";
			if ((why = agree(c)))
				return why;
		}
	}
	seen.refused += refused;
	if (refused != a[0].end.refused + a[1].end.refused)
		return "refused calls";
	if (a[0].end.n_calls + a[1].end.n_calls + refused != 2 * (a[0].planned + a[1].planned))
		return "a call is missing";
	return NULL;
}

static bool wait_quiet(void)
{
	for (unsigned i = 0; i < 8; i++) {
		if (all_quiet(&a[0]) && all_quiet(&a[1]))
			return true;
		sim_run(&s, s.now + 311);
	}
	return false;
}

/* Some calls end by one of the ways there are; then the tunnel. */
static void endings(unsigned gap_ms)
{
	for (unsigned n = sim_roll(&s, 6); n; n--) {
		struct all_side *x = &a[sim_roll(&s, 2)];
		struct all_session *c = x->end.n_calls ? &x->s[sim_roll(&s, x->end.n_calls)] : NULL;

		if (c && sim_roll(&s, 3))
			all_hangup(x, c);
		else if (c)
			all_end_call(x, c);
		if (sim_roll(&s, 2))
			sim_run(&s, s.now + sim_roll(&s, gap_ms));
	}
}

/* Both ways lose up to a fifth, repeat and reorder; then the network heals. */
static int test_healed(uint64_t seed)
{
	int bad = 0;

	set_up(seed, true);
	s.loss = sim_roll(&s, 21);
	s.dup = sim_roll(&s, 11);
	s.delay_ms = sim_roll(&s, 2) ? 400 : 30;
	all_start(a);
	sim_run(&s, 1000 + sim_roll(&s, 10000));
	s.loss = s.dup = 0;
	s.delay_ms = 30;
	sim_run(&s, s.now + 90 * 1000);
	HOLDS(all_settled());
	CHECK(wait_quiet());
	HOLDS(invariants());
	endings(3000);
	sim_run(&s, s.now + 10 * 1000);
	HOLDS(invariants());
	all_close(&a[sim_roll(&s, 2)]);
	sim_run(&s, s.now + 60 * 1000);
	HOLDS(gone());
out:
	done();
	return bad;
}

/* A clean network and owners without trouble: all comes up at once, and each thing happens once. */
static int test_clean(uint64_t seed)
{
	int bad = 0;

	set_up(seed, false);
	s.delay_ms = 1;
	all_start(a);
	sim_run(&s, 40 * 1000);
	HOLDS(all_settled());
	CHECK(wait_quiet());
	for (int i = 0; i < 2; i++)
		for (unsigned k = 0; k < a[i].end.n_calls; k++) {
			const struct all_session *c = &a[i].s[k];

			CHECK(c->ncp_ups[CP_IPCP] == 1 && c->ncp_ups[CP_IPV6CP] == a[i].conf.ipv6);
			CHECK(c->auth_checks == (a[i].conf.auth[0] != PPP_AUTH_NONE));
			CHECK(c->creates == 1 && !c->deletes);
		}
	HOLDS(invariants());
	all_close(&a[sim_roll(&s, 2)]);
	sim_run(&s, s.now + 60 * 1000);
	HOLDS(gone());
out:
	done();
	return bad;
}

/* A tenth is lost for ever: how many come up on both sides before anybody gives up? */
static int test_constant(uint64_t seed)
{
	int bad = 0;

	set_up(seed, false);
	s.loss = 10;
	s.delay_ms = sim_roll(&s, 2) ? 400 : 40;
	constant.wanted += a[0].planned + a[1].planned;
	all_start(a);
	sim_run(&s, 150 * 1000);
	for (int i = 0; i < 2; i++)
		for (unsigned k = 0; k < a[i].end.n_calls; k++) {
			const struct all_session *c = &a[i].s[k], *d = all_peer(c);
			ms_t took;

			if (!c->placed_at || !c->up || !d || !d->up)
				continue;
			took = (c->up_at > d->up_at ? c->up_at : d->up_at) - c->placed_at;
			if (took > LIMIT_MS)
				continue;
			constant.up++;
			constant.sum += took;
			constant.longest = took > constant.longest ? took : constant.longest;
			HOLDS(agree(c));
		}
	HOLDS(invariants());
	all_close(&a[sim_roll(&s, 2)]);
	sim_run(&s, s.now + 300 * 1000);
	HOLDS(gone());
out:
	done();
	return bad;
}

/* It ends at any time, in any way, on any network, also on one that dies. */
static int test_accidents(uint64_t seed)
{
	int bad = 0;

	set_up(seed, true);
	s.loss = sim_roll(&s, 3) ? sim_roll(&s, 21) : 0;
	s.dup = sim_roll(&s, 11);
	s.delay_ms = sim_roll(&s, 2) ? 400 : 5;
	all_start(a);
	sim_run(&s, sim_roll(&s, sim_roll(&s, 2) ? 15000 : 2000));
	endings(1000);
	HOLDS(invariants());
	if (!sim_roll(&s, 3))
		s.loss = 100;
	else
		all_close(&a[sim_roll(&s, 2)]);
	if (!sim_roll(&s, 4))
		all_close(&a[sim_roll(&s, 2)]);
	sim_run(&s, s.now + 400 * 1000);
	if (s.loss != 100)
		all_close(&a[0]), all_close(&a[1]);
	sim_run(&s, s.now + 100 * 1000);
	HOLDS(gone());
out:
	done();
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

/* Argument: one seed to run alone. */
int main(int argc, char **argv)
{
	uint64_t one = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	int failed;
	bool ok;

	setvbuf(stdout, NULL, _IOLBF, 0);	/* or a sanitizer that exits takes our verdict with it */
	if (one)
		return test_clean(one) | test_healed(one) | test_accidents(one) | test_constant(one);
	failed = many("clean network", test_clean, CLEAN) |
		 many("bad network that heals", test_healed, HEALED) |
		 many("accidents", test_accidents, ACCIDENTS);
	printf("# seen: %u halves up, %u calls refused, %u wrong passwords, %u refused by the kernel\n", seen.up, seen.refused,
	       seen.liars, seen.failed);
	printf("# frames: %u LCP before the call was up, %u by UDP after the switch, %u waiting in the channel, %u dropped by the "
	       "kernel\n", seen.early_frames, seen.late_udp, seen.waited, seen.dropped);
	ok = seen.up && seen.refused && seen.liars && seen.failed && seen.early_frames && seen.late_udp && seen.waited &&
	     seen.dropped;
	printf("%sok - all of this happened\n", ok ? "" : "not ");
	failed |= !ok;
	failed |= many("a tenth is lost for ever", test_constant, CONSTANT);
	ok = constant.up && 100 * constant.up >= 99 * constant.wanted;
	printf("%sok - at 10 %% loss %u of %u sessions come up; mean %llu ms, longest %llu ms\n", ok ? "" : "not ", constant.up,
	       constant.wanted, (unsigned long long)(constant.up ? constant.sum / constant.up : 0),
	       (unsigned long long)constant.longest);
	return failed | !ok;
}
