/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two links over a bad pipe, thousands of seeds: what must hold whatever gets lost.
 *
 * Mutants that this test kills (made by hand, one at a time): RCN in Ack-Sent goes to Req-Sent; a repeated Ack counts
 * twice; replies to older requests count; a lost Ack makes an open link renegotiate; a taker says READY before it
 * knows its address; no Ack is held back; the Restart timer is not stopped; CHAP Success or PAP Ack is not repeated;
 * Challenges that overtake each other; a wrong password goes on to the network phase; only one direction of mutual
 * authentication is waited for; a Nak of the authentication protocol is not followed; IPCP stays when LCP goes; a
 * taker does not take; auth_ms ends links that are up; a dead peer is never noticed.
 * Killed by selftests/unit/test_ppp_*.c and test_mschap.c: a lost Nak counts towards Max-Failure; go for other
 * addresses than READY named; a late verdict answers a newer question; S= is not verified; DOMAIN\ is hashed, too;
 * NCP frames are let in before authentication; both ends with one interface identifier.
 * Survives, allowed by RFC 1661 5.1: a retransmission changes its identifier. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ppp_sim.h"

enum { SEEDS = 6000 };

#define CHECK(c) do { if (!(c)) return #c; } while (0)
#define IP(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

static struct ppp_sim s;
static struct ppp_sim_node *const giver = &s.node[0], *const taker = &s.node[1];

static unsigned pick(unsigned n) { return (unsigned)((ppp_sim_rand(&s) >> 33) % n); }

static const uint8_t lists[][PPP_AUTH_N] = {
	{ PPP_AUTH_NONE }, { PPP_AUTH_PAP }, { PPP_AUTH_CHAP_MD5 }, { PPP_AUTH_MSCHAPV2 },
	{ PPP_AUTH_MSCHAPV2, PPP_AUTH_CHAP_MD5, PPP_AUTH_PAP }, { PPP_AUTH_CHAP_MD5, PPP_AUTH_MSCHAPV2 },
};
enum { N_LISTS = sizeof(lists) / sizeof(lists[0]) };

static bool has(const uint8_t *list, uint8_t auth)
{
	for (unsigned i = 0; i < PPP_AUTH_N && list[i]; i++)
		if (list[i] == auth)
			return true;
	return false;
}

/* What was agreed is one of both lists, and none only when none was demanded. */
static bool fits(uint8_t auth, const uint8_t *demand, const uint8_t *allow)
{
	return demand[0] == PPP_AUTH_NONE ? auth == PPP_AUTH_NONE : has(demand, auth) && has(allow, auth);
}

static void set_up(uint64_t seed)
{
	memset(&s, 0, sizeof(s));
	s.seed = seed * 0x9e3779b97f4a7c15 + 1;
	s.owner_ms = 1500;
	for (unsigned i = 0; i < 2; i++) {
		struct ppp_sim_node *n = &s.node[i];

		memcpy(n->conf.auth, lists[i ? (pick(3) ? 0 : pick(N_LISTS)) : pick(N_LISTS)], PPP_AUTH_N);
		memcpy(n->conf.allow, lists[pick(2) ? 4 : 1 + pick(N_LISTS - 1)], PPP_AUTH_N);
		n->conf.auth_name = "gate";
		n->conf.take = i == 1;
		n->conf.want_dns = pick(2);
		n->conf.auth_ms = 100000;
		n->conf.mru = pick(2) ? 0 : 1500;
		n->conf.echo_ms = pick(2) ? 5000 : 0;
		n->name = i ? "CORP\\alice" : "gate";
		n->password = i ? "wonderland" : "portcullis";
		n->peer_name = i ? "gate" : "CORP\\alice";
		n->peer_password = i ? "portcullis" : "wonderland";
	}
	giver->conf.ipv4 = taker->conf.ipv4 = pick(4);
	giver->conf.ipv6 = taker->conf.ipv6 = !giver->conf.ipv4 || pick(2);
	giver->give = (struct ppp_addrs){ .ip = IP(10, 0, 0, 1), .peer_ip = IP(10, 0, 0, 7), .dns = { IP(9, 9, 9, 9) } };
	if (pick(2))
		giver->give.dns[1] = IP(8, 8, 8, 8);
	if (!pick(4))
		taker->give.ip = IP(10, 0, 0, 99);		/* a wish that is not granted */
}

static bool possible(const uint8_t *demand, const uint8_t *allow)
{
	bool any = demand[0] == PPP_AUTH_NONE;

	for (unsigned i = 0; i < PPP_AUTH_N && demand[i]; i++)
		any |= has(allow, demand[i]);
	return any;
}

static bool compatible(void)
{
	return possible(giver->conf.auth, taker->conf.allow) && possible(taker->conf.auth, giver->conf.allow);
}

static void go(void)
{
	ppp_sim_start(&s);
	for (unsigned i = 0; i < 2; i++) {
		ppp_up(&s.node[i].p, s.now);
		ppp_sim_drain(&s, i);
	}
}

static const char *invariants(void)
{
	for (unsigned i = 0; i < 2; i++)
		if (s.node[i].faults)
			return s.node[i].fault;
	return NULL;
}

static const char *agreed(void)
{
	const struct ppp_addrs *g4 = &giver->up_addrs[CP_IPCP], *t4 = &taker->up_addrs[CP_IPCP];
	const struct ppp_addrs *g6 = &giver->up_addrs[CP_IPV6CP], *t6 = &taker->up_addrs[CP_IPV6CP];

	CHECK(giver->p.phase == PPP_NETWORK && taker->p.phase == PPP_NETWORK);
	CHECK(!giver->down && !taker->down);
	CHECK(giver->lcp.magic && giver->lcp.magic != taker->lcp.magic);
	CHECK(giver->lcp.magic == taker->lcp.peer_magic && taker->lcp.magic == giver->lcp.peer_magic);
	CHECK(giver->lcp.auth == taker->lcp.peer_auth && giver->lcp.peer_auth == taker->lcp.auth);
	CHECK(fits(giver->lcp.auth, giver->conf.auth, taker->conf.allow));
	CHECK(fits(taker->lcp.auth, taker->conf.auth, giver->conf.allow));
	for (unsigned i = 0; i < 2; i++) {
		CHECK(s.node[i].is_up[CP_IPCP] == giver->conf.ipv4);
		CHECK(s.node[i].is_up[CP_IPV6CP] == giver->conf.ipv6);
	}
	if (giver->conf.ipv4) {
		CHECK(g4->ip == IP(10, 0, 0, 1) && g4->peer_ip == IP(10, 0, 0, 7));
		CHECK(t4->ip == IP(10, 0, 0, 7) && t4->peer_ip == IP(10, 0, 0, 1));
		for (unsigned k = 0; k < 2; k++)
			CHECK(t4->dns[k] == (taker->conf.want_dns ? giver->give.dns[k] : 0));
	}
	if (giver->conf.ipv6)
		CHECK(g6->ifid && t6->ifid && g6->ifid != t6->ifid && g6->ifid == t6->peer_ifid && g6->peer_ifid == t6->ifid);
	return invariants();
}

/* Either end closes; both go down once, and nothing is left to do. */
static const char *closes(unsigned who)
{
	ppp_close(&s.node[who].p, s.now, "done");
	ppp_sim_drain(&s, who);
	ppp_sim_run(&s, 60 * 1000);
	CHECK(giver->down == 1 && taker->down == 1);
	CHECK(s.node[who].end.end == PPP_END_LOCAL);
	CHECK(ppp_deadline(&giver->p) == NEVER && ppp_deadline(&taker->p) == NEVER && !s.n_events);
	return invariants();
}

/* Whatever the pipe does for 12 s, once it is better both ends agree; and they part in order. */
static const char *test_bad_pipe(uint64_t seed)
{
	const char *bad;

	do
		set_up(seed), seed += 1000003;
	while (!compatible());
	s.loss = pick(40);
	s.dup = pick(15);
	s.delay_ms = pick(2) ? 2000 : 50;
	go();
	ppp_sim_run(&s, 12 * 1000);
	s.loss = s.dup = s.delay_ms = 0;
	ppp_sim_run(&s, 240 * 1000);
	bad = agreed();
	return bad ? bad : closes(pick(2));
}

/* Loss alone never makes an open link flap: everything comes up just once. */
static const char *test_loss(uint64_t seed)
{
	const char *bad;

	do
		set_up(seed), seed += 1000003;
	while (!compatible());
	s.loss = 10;
	giver->conf.echo_failures = taker->conf.echo_failures = 20;
	s.delay_ms = 40;
	s.in_order = true;
	go();
	ppp_sim_run(&s, 60 * 1000);
	s.loss = 0;
	ppp_sim_run(&s, 60 * 1000);
	if ((bad = agreed()))
		return bad;
	for (unsigned i = 0; i < 2; i++) {
		const struct ppp_sim_node *n = &s.node[i];

		CHECK(n->lcp_up == 1 && n->auth_done == 1);
		CHECK(n->auth_check == (n->conf.auth[0] != PPP_AUTH_NONE));
		CHECK(n->up[CP_IPCP] == n->conf.ipv4 && n->up[CP_IPV6CP] == n->conf.ipv6);
		CHECK(n->ready[CP_IPCP] == n->conf.ipv4 && n->ready[CP_IPV6CP] == n->conf.ipv6);
	}
	return closes(pick(2));
}

/* A wrong password or name never gets to the network phase, on either side, for any protocol. */
static const char *test_wrong_password(uint64_t seed)
{
	unsigned liar;

	do
		set_up(seed), seed += 1000003;
	while (!compatible() || (giver->conf.auth[0] == PPP_AUTH_NONE && taker->conf.auth[0] == PPP_AUTH_NONE));
	liar = giver->conf.auth[0] == PPP_AUTH_NONE ? 0 : taker->conf.auth[0] == PPP_AUTH_NONE ? 1 : pick(2);
	s.loss = pick(2) ? 0 : 15;
	s.dup = pick(10);
	s.delay_ms = 200;
	if (pick(3))
		s.node[liar].password = pick(2) ? "" : "Wonderland";
	else
		s.node[liar].name = pick(2) ? "" : "mallory";
	go();
	ppp_sim_run(&s, 400 * 1000);
	CHECK(!s.node[!liar].auth_done && !s.node[!liar].up[CP_IPCP] && !s.node[!liar].up[CP_IPV6CP]);
	CHECK(!s.node[liar].up[CP_IPCP] && !s.node[liar].up[CP_IPV6CP]);
	CHECK(giver->down == 1 && taker->down == 1);
	CHECK(s.loss || s.node[!liar].end.end == PPP_END_AUTH_FAILED || s.node[!liar].end.end == PPP_END_AUTH_REFUSED);
	CHECK(ppp_deadline(&giver->p) == NEVER && ppp_deadline(&taker->p) == NEVER);
	return invariants();
}

/* Nothing in common: the end that demanded says so, and nobody is let in. */
static const char *test_no_common_auth(uint64_t seed)
{
	do
		set_up(seed), seed += 1000003;
	while (compatible());
	s.loss = pick(20);
	s.delay_ms = 100;
	go();
	ppp_sim_run(&s, 400 * 1000);
	CHECK(!giver->auth_done && !taker->auth_done && !giver->up[CP_IPCP] && !taker->up[CP_IPV6CP]);
	CHECK(giver->down == 1 && taker->down == 1);
	CHECK(giver->end.end == PPP_END_AUTH_REFUSED || taker->end.end == PPP_END_AUTH_REFUSED);
	return invariants();
}

/* One end is silent or gone: the other gives up in bounded time and frames. */
static const char *test_dead_peer(uint64_t seed)
{
	unsigned alone;

	do
		set_up(seed), seed += 1000003;
	while (!compatible());
	giver->conf.echo_ms = taker->conf.echo_ms = 5000;
	go();
	alone = pick(2);
	ppp_sim_run(&s, pick(12000));
	s.loss = 100;
	ppp_lower_down(&s.node[!alone].p, s.now);
	ppp_sim_drain(&s, !alone);
	s.node[alone].tx = 0;
	ppp_sim_run(&s, 400 * 1000);
	CHECK(s.node[!alone].down == 1 && s.node[!alone].end.end == PPP_END_LOWER);
	CHECK(s.node[alone].down == 1 && s.node[alone].tx <= 3 * (10 + 2 + 3));
	CHECK(ppp_deadline(&giver->p) == NEVER && ppp_deadline(&taker->p) == NEVER);
	return invariants();
}

/* A link that is up is renegotiated from LCP on by one end; it comes back the same. */
static const char *test_renegotiation(uint64_t seed)
{
	static const uint8_t conf_req[] = { CONF_REQ, 200, 0, 4 };
	const char *bad;
	unsigned who = 0;

	do
		set_up(seed), seed += 1000003;
	while (!compatible());
	s.delay_ms = 30;
	go();
	ppp_sim_run(&s, 60 * 1000);
	if ((bad = agreed()))
		return bad;
	who = pick(2);
	ppp_input(&s.node[who].p, s.now, PPP_LCP, conf_req, sizeof(conf_req));
	ppp_sim_drain(&s, who);
	CHECK(!s.node[who].is_up[CP_IPCP] && !s.node[who].is_up[CP_IPV6CP] && s.node[who].p.phase == PPP_ESTABLISH);
	ppp_sim_run(&s, 60 * 1000);
	bad = agreed();
	return bad ? bad : closes(pick(2));
}

static const struct { const char *name; const char *(*run)(uint64_t seed); unsigned part; } tests[] = {
	{ "bad pipe", test_bad_pipe, 1 }, { "loss alone", test_loss, 1 }, { "wrong password", test_wrong_password, 1 },
	{ "no common authentication", test_no_common_auth, 4 }, { "dead peer", test_dead_peer, 2 },
	{ "renegotiation", test_renegotiation, 2 },
};

/* Arguments: number of seeds, first seed. */
int main(int argc, char **argv)
{
	uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : SEEDS, first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", sizeof(tests) / sizeof(tests[0]));
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		uint64_t n = (seeds + tests[i].part - 1) / tests[i].part, bad = 0;

		for (uint64_t seed = first; seed < first + n; seed++) {
			const char *why = tests[i].run(seed);

			ppp_sim_done(&s);
			if (why && bad++ < 3)
				printf("# %s, seed %llu: %s\n", tests[i].name, (unsigned long long)seed, why);
		}
		printf("%s %u - %s: %llu of %llu seeds hold\n", bad ? "not ok" : "ok", i + 1, tests[i].name,
		       (unsigned long long)(n - bad), (unsigned long long)n);
		failed |= bad != 0;
	}
	return failed;
}
