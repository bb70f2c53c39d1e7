/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPCP and IPV6CP, giving and taking, and the Configure-Ack that waits for the link to be ready. */
#include "lib/ppp_peer.h"

#include <string.h>

static struct peer t;

static int fresh(void **state) { (void)state; peer_init(&t); return 0; }
static int over(void **state) { (void)state; peer_done(&t); return 0; }

static uint32_t ip(unsigned a, unsigned b, unsigned c, unsigned d)
{
	uint32_t v;

	memcpy(&v, (uint8_t[]){ (uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d }, 4);
	return v;
}

static void network(void)
{
	peer_up(&t, NULL, NULL);
	peer_lcp(&t, "0506 01020304");
	peer_network(&t);
}

static const struct ppp_addrs *ready(uint16_t proto)
{
	const struct ppp_fx_ncp *n = want_fx(&t, PPP_FX_NCP_READY);

	assert_int_equal(n->proto, proto);
	return &n->addrs;
}

/* Windows asks for everything at once. */
static void giving(void **state)
{
	const struct ppp_addrs *a;

	(void)state;
	network();
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	peer_says(&t, PPP_IPCP, CONF_REQ, 5, "0306 00000000 8106 00000000 8206 00000000 8306 00000000 8406 00000000");
	want_tx(&t, PPP_IPCP, CONF_REJ, "8206 00000000 8306 00000000 8406 00000000");
	peer_says(&t, PPP_IPCP, CONF_REQ, 6, "0306 00000000 8106 00000000");
	want_tx(&t, PPP_IPCP, CONF_NAK, "0306 0a000007 8106 09090909");
	peer_says(&t, PPP_IPCP, CONF_ACK, 1, "0306 0a000001");
	peer_says(&t, PPP_IPCP, CONF_REQ, 7, "8106 09090909 0306 0a000007");	/* in any order */
	a = ready(PPP_IPCP);
	assert_int_equal(a->ip, ip(10, 0, 0, 1));
	assert_int_equal(a->peer_ip, ip(10, 0, 0, 7));
	assert_int_equal(a->dns[0], ip(9, 9, 9, 9));
	peer_says(&t, PPP_IPCP, CONF_REQ, 8, "8106 09090909 0306 0a000007");	/* impatient: the latest counts */
	want_nothing(&t);
	ppp_ncp_go(&t.p, t.now, PPP_IPV6CP);					/* not asked */
	want_nothing(&t);
	ppp_ncp_go(&t.p, t.now, PPP_IPCP);
	want_tx(&t, PPP_IPCP, CONF_ACK, "8106 09090909 0306 0a000007");
	assert_int_equal(t.id, 8);
	want_fx(&t, PPP_FX_NCP_UP);
	ppp_ncp_go(&t.p, t.now, PPP_IPCP);
	want_nothing(&t);
	peer_says(&t, PPP_IPCP, TERM_REQ, 9, "");
	want_fx(&t, PPP_FX_NCP_DOWN);
	want_tx(&t, PPP_IPCP, TERM_ACK, "");
	peer_wait(&t, 3000);
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	peer_says(&t, PPP_LCP, TERM_ACK, 9, "");
	want_down(&t, PPP_END_NO_NCP);
}

static void judged_addresses(void **state)
{
	static const struct { const char *asked; unsigned code; const char *answer; } row[] = {
		{ "0206 002d0f01 0306 00000000", CONF_REJ, "0206 002d0f01" },		/* VJ */
		{ "010a 00000000 00000000", CONF_REJ, "010a 00000000 00000000" },	/* IP-Addresses */
		{ "0305 0a0000", CONF_REJ, "0305 0a0000" },
		{ "0306 0a000008 0306 0a000007", CONF_REJ, "0306 0a000007" },
		{ "0306 0a000008", CONF_NAK, "0306 0a000007" },
		{ "8106 08080808 0306 0a000007", CONF_NAK, "8106 09090909" },
		{ "0306 ffffffff", CONF_NAK, "0306 0a000007" },
		{ "0306 7f000001", CONF_NAK, "0306 0a000007" },
		{ "0306 0a000001", CONF_NAK, "0306 0a000007" },
		{ "0306 0a000001", CONF_REJ, "0306 0a000001" },				/* Max-Failure */
	};

	(void)state;
	network();
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		peer_says(&t, PPP_IPCP, CONF_REQ, 20 + i, row[i].asked);
		want_tx(&t, PPP_IPCP, row[i].code, row[i].answer);
	}
	peer_says(&t, PPP_IPCP, CONF_REQ, 40, "");
	assert_int_equal(ready(PPP_IPCP)->peer_ip, ip(10, 0, 0, 7));
}

/* A Nak that gets lost is no disagreement. */
static void lost_naks(void **state)
{
	(void)state;
	network();
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	for (unsigned i = 0; i < 9; i++) {
		peer_says(&t, PPP_IPCP, CONF_REQ, 1, "0306 00000000");
		want_tx(&t, PPP_IPCP, CONF_NAK, "0306 0a000007");
	}
}

static void peer_without_address(void **state)
{
	(void)state;
	network();
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	peer_says(&t, PPP_IPCP, CONF_REQ, 1, "");
	want_tx(&t, PPP_IPCP, CONF_NAK, "0306 0a000007");		/* it may not know that it should ask */
	peer_says(&t, PPP_IPCP, CONF_REQ, 2, "");
	assert_int_equal(ready(PPP_IPCP)->peer_ip, ip(10, 0, 0, 7));
}

static void taking(void **state)
{
	const struct ppp_fx_ncp *n;

	(void)state;
	t.conf.take = t.conf.want_dns = true;
	memset(&t.addrs, 0, sizeof(t.addrs));
	network();
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 00000000 8106 00000000 8306 00000000");
	peer_says(&t, PPP_IPCP, CONF_REQ, 1, "0306 0a000001");
	want_nothing(&t);					/* its address is fine, but what is ours? */
	peer_says(&t, PPP_IPCP, CONF_REJ, 1, "8306 00000000");
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 00000000 8106 00000000");
	peer_says(&t, PPP_IPCP, CONF_NAK, 2, "0306 0a000007 8106 09090909");
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000007 8106 09090909");
	want_nothing(&t);
	peer_says(&t, PPP_IPCP, CONF_ACK, 3, "0306 0a000007 8106 09090909");
	assert_int_equal(ready(PPP_IPCP)->ip, ip(10, 0, 0, 7));
	ppp_ncp_go(&t.p, t.now, PPP_IPCP);
	want_tx(&t, PPP_IPCP, CONF_ACK, "0306 0a000001");
	n = want_fx(&t, PPP_FX_NCP_UP);
	assert_int_equal(n->addrs.peer_ip, ip(10, 0, 0, 1));
	assert_int_equal(n->addrs.dns[0], ip(9, 9, 9, 9));
	assert_int_equal(n->addrs.dns[1], 0);
}

static void taking_from_a_peer_without_address(void **state)
{
	(void)state;
	t.conf.take = t.conf.want_dns = true;
	memset(&t.addrs, 0, sizeof(t.addrs));
	t.addrs.ip = ip(10, 0, 0, 99);				/* a wish */
	network();
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000063 8106 00000000 8306 00000000");
	peer_says(&t, PPP_IPCP, CONF_NAK, 1, "8106 00000000 8306 00000000 0306 0a000007");
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000007 8106 00000000 8306 00000000");
	peer_says(&t, PPP_IPCP, CONF_REJ, 2, "8106 00000000 8306 00000000");
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000007");
	peer_says(&t, PPP_IPCP, CONF_REQ, 1, "0306 00000000 8106 00000000");	/* it would take one from us */
	want_tx(&t, PPP_IPCP, CONF_REJ, "0306 00000000 8106 00000000");
	peer_says(&t, PPP_IPCP, CONF_REQ, 2, "");
	peer_says(&t, PPP_IPCP, CONF_ACK, 3, "0306 0a000007");
	assert_int_equal(ready(PPP_IPCP)->peer_ip, 0);
	ppp_ncp_go(&t.p, t.now, PPP_IPCP);
	want_tx(&t, PPP_IPCP, CONF_ACK, "");
	want_fx(&t, PPP_FX_NCP_UP);
}

/* Who is dialled may be anybody: neither end gets an address that nobody can have. */
static void taking_what_nobody_can_have(void **state)
{
	static const char *const bad[] = { "0306 7f000001", "0306 e0000001", "0306 ffffffff", "0306 00000001", "0306 f0000001" };
	static const char *const ours[] = { "0306 0a000007", "0306 00000000" };

	(void)state;
	t.conf.take = true;
	memset(&t.addrs, 0, sizeof(t.addrs));
	network();
	want_tx(&t, PPP_IPCP, CONF_REQ, ours[1]);
	for (unsigned i = 0; i < 5; i++) {
		peer_says(&t, PPP_IPCP, CONF_REQ, i + 1, bad[i]);
		want_tx(&t, PPP_IPCP, CONF_REJ, bad[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		peer_says(&t, PPP_IPCP, CONF_NAK, i + 1, bad[i]);
		want_tx(&t, PPP_IPCP, CONF_REQ, ours[1]);
	}
	peer_says(&t, PPP_IPCP, CONF_NAK, 5, ours[0]);
	want_tx(&t, PPP_IPCP, CONF_REQ, ours[0]);
}

/* The peer changes its mind while we get ready, and again when all is up. */
static void another_ready(void **state)
{
	const struct ppp_addrs *a;

	(void)state;
	t.conf.take = true;
	memset(&t.addrs, 0, sizeof(t.addrs));
	network();
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 00000000");
	peer_says(&t, PPP_IPCP, CONF_NAK, 1, "0306 0a000007");
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000007");
	peer_says(&t, PPP_IPCP, CONF_ACK, 2, "0306 0a000007");
	peer_says(&t, PPP_IPCP, CONF_REQ, 1, "0306 0a000001");
	assert_int_equal(ready(PPP_IPCP)->peer_ip, ip(10, 0, 0, 1));
	peer_says(&t, PPP_IPCP, CONF_REQ, 2, "0306 0a000002");
	want_nothing(&t);				/* one READY at a time */
	ppp_ncp_go(&t.p, t.now, PPP_IPCP);
	a = ready(PPP_IPCP);
	assert_int_equal(a->peer_ip, ip(10, 0, 0, 2));
	ppp_ncp_go(&t.p, t.now, PPP_IPCP);
	want_tx(&t, PPP_IPCP, CONF_ACK, "0306 0a000002");
	want_fx(&t, PPP_FX_NCP_UP);
	peer_says(&t, PPP_IPCP, CONF_REQ, 2, "0306 0a000002");	/* our Ack was lost: nobody notices */
	want_tx(&t, PPP_IPCP, CONF_ACK, "0306 0a000002");
	want_nothing(&t);
	peer_says(&t, PPP_IPCP, CONF_REQ, 3, "0306 0a000003");
	a = &((const struct ppp_fx_ncp *)want_fx(&t, PPP_FX_NCP_DOWN))->addrs;
	assert_int_equal(a->peer_ip, ip(10, 0, 0, 2));
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000007");	/* the address it had before */
	peer_says(&t, PPP_IPCP, CONF_ACK, 3, "0306 0a000007");
	assert_int_equal(ready(PPP_IPCP)->peer_ip, ip(10, 0, 0, 3));
	ppp_ncp_go(&t.p, t.now, PPP_IPCP);
	want_tx(&t, PPP_IPCP, CONF_ACK, "0306 0a000003");
	want_fx(&t, PPP_FX_NCP_UP);
}

static void ipv6_identifiers(void **state)
{
	(void)state;
	t.conf.ipv4 = false;
	t.conf.ipv6 = true;
	memcpy(&t.addrs.ifid, "\0\0\0\0\0\0\0\1", 8);
	network();
	want_tx(&t, PPP_IPV6CP, CONF_REQ, "010a 0000000000000001");
	peer_says(&t, PPP_IPV6CP, CONF_REQ, 1, "010a 0000000000000000");
	want_tx(&t, PPP_IPV6CP, CONF_NAK, "010a ................");
	peer_says(&t, PPP_IPV6CP, CONF_REQ, 2, "010a 0000000000000001");	/* the same as ours */
	want_tx(&t, PPP_IPV6CP, CONF_NAK, "010a ................");
	peer_says(&t, PPP_IPV6CP, CONF_REQ, 3, "0204 0061 010a 0000000000000002");
	want_tx(&t, PPP_IPV6CP, CONF_REJ, "0204 0061");
	peer_says(&t, PPP_IPV6CP, CONF_NAK, 1, "010a 0000000000000009");
	want_tx(&t, PPP_IPV6CP, CONF_REQ, "010a 0000000000000009");
	peer_says(&t, PPP_IPV6CP, CONF_REQ, 4, "010a 0000000000000002");
	assert_memory_equal(&ready(PPP_IPV6CP)->peer_ifid, "\0\0\0\0\0\0\0\2", 8);
	ppp_ncp_go(&t.p, t.now, PPP_IPV6CP);
	want_tx(&t, PPP_IPV6CP, CONF_ACK, "010a 0000000000000002");
	peer_says(&t, PPP_IPV6CP, CONF_ACK, 2, "010a 0000000000000009");
	want_fx(&t, PPP_FX_NCP_UP);
}

/* One network protocol less is no reason to hang up; none is. */
static void rejected_protocols(void **state)
{
	(void)state;
	t.conf.ipv6 = true;
	network();
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	want_tx(&t, PPP_IPV6CP, CONF_REQ, "010a ................");
	peer_says(&t, PPP_LCP, PROTO_REJ, 1, "8057 0101");
	peer_says(&t, PPP_LCP, PROTO_REJ, 1, "1234 0101");
	want_nothing(&t);
	peer_wait(&t, 9000);
	assert_int_equal(peer_count(&t, PPP_IPV6CP, CONF_REQ), 0);
	assert_int_equal(t.p.phase, PPP_NETWORK);
	peer_says(&t, PPP_LCP, PROTO_REJ, 1, "8021 0101");
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	peer_wait(&t, 9000);
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	want_down(&t, PPP_END_NO_NCP);
}

/* A peer that offers a network protocol only after a while still gets it. */
static void late_ipv6(void **state)
{
	(void)state;
	t.conf.ipv6 = true;
	network();
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	want_tx(&t, PPP_IPV6CP, CONF_REQ, "010a ................");
	peer_says(&t, PPP_IPCP, CONF_ACK, 1, "0306 0a000001");
	peer_says(&t, PPP_IPCP, CONF_REQ, 1, "0306 0a000007");
	ready(PPP_IPCP);
	ppp_ncp_go(&t.p, t.now, PPP_IPCP);
	want_tx(&t, PPP_IPCP, CONF_ACK, "0306 0a000007");
	want_fx(&t, PPP_FX_NCP_UP);
	peer_wait(&t, 60000);
	assert_int_equal(peer_count(&t, PPP_IPV6CP, CONF_REQ), 9);
	assert_int_equal(t.p.phase, PPP_NETWORK);
	assert_int_equal(ppp_deadline(&t.p), NEVER);
	peer_says(&t, PPP_IPV6CP, CONF_REQ, 1, "010a 0000000000000002");
	want_tx(&t, PPP_IPV6CP, CONF_REQ, "010a ................");
	ready(PPP_IPV6CP);
}

/* Configure-Requests that never become acceptable end one protocol, not the peer's patience. */
static void endless_requests(void **state)
{
	(void)state;
	network();
	peer_count(&t, 0, 0);
	for (unsigned i = 0; i < 200; i++)
		peer_says(&t, PPP_IPCP, CONF_REQ, i, "0306 0a000063");
	assert_true(peer_count(&t, PPP_IPCP, CONF_REJ) <= 20);
	assert_int_equal(t.p.end, PPP_END_NO_NCP);
}

/* IPCP agreed upon so often, with such a time between; how often it came up before the link ended. */
static unsigned ups(unsigned times, ms_t between)
{
	static const char *const asks[2] = { "0306 0a000007", "8106 09090909 0306 0a000007" };
	unsigned up = 0;

	network();
	for (unsigned i = 0; i < times && t.p.phase == PPP_NETWORK; i++) {
		peer_count(&t, 0, 0);
		peer_says(&t, PPP_IPCP, CONF_REQ, i, asks[i % 2]);
		peer_count(&t, 0, 0);
		peer_says(&t, PPP_IPCP, CONF_ACK, t.p.cp[CP_IPCP].id, "0306 0a000001");
		ppp_ncp_go(&t.p, t.now, PPP_IPCP);
		for (struct fx *f; (f = fx_pop(&t.p.out)); fx_free(f))
			up += f->type == PPP_FX_NCP_UP;
		peer_wait(&t, between);
	}
	return up;
}

/* Somebody who negotiates anew all the time, each time with programs and routes for the kernel, is shown the door ... */
static void restless(void **state)
{
	(void)state;
	assert_in_range(ups(100, 100), 20, 22);
	assert_int_equal(t.p.end, PPP_END_NO_AGREEMENT);
}

/* ... and who does so now and then is not. */
static void changes_its_mind(void **state)
{
	(void)state;
	assert_int_equal(ups(100, 4000), 100);
	assert_int_equal(t.p.phase, PPP_NETWORK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fresh, over)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(giving), T(judged_addresses), T(lost_naks), T(peer_without_address), T(taking),
		T(taking_from_a_peer_without_address), T(taking_what_nobody_can_have),
		T(another_ready), T(ipv6_identifiers), T(rejected_protocols),
		T(late_ipv6), T(endless_requests), T(restless), T(changes_its_mind),
	};

	return cmocka_run_group_tests_name("ppp_ncp", tests, NULL, NULL);
}
