/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LCP and the link as a whole, against peers as they are. */
#include "lib/ppp_peer.h"

#include <string.h>

static struct peer t;

static int fresh(void **state) { (void)state; peer_init(&t); return 0; }
static int over(void **state) { (void)state; peer_done(&t); return 0; }

/* Windows: callback, MRRU and endpoint discriminator are rejected in one go, all else is fine. */
static void windows_options(void **state)
{
	(void)state;
	peer_up(&t, NULL, NULL);
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0506........");
	peer_says(&t, PPP_LCP, CONF_REQ, 0, "01040578 0506 1a2b3c4d 0702 0802 0d0306 1104064e 1317 01 "
		  "aa00bb11cc22dd33ee44ff5566778899aabbccdd");
	want_tx(&t, PPP_LCP, CONF_REJ, "0d0306 1104064e 131701 aa00bb11cc22dd33ee44ff5566778899aabbccdd");
	peer_says(&t, PPP_LCP, CONF_REQ, 1, "01040578 0506 1a2b3c4d 0702 0802");
	want_tx(&t, PPP_LCP, CONF_ACK, "01040578 0506 1a2b3c4d 0702 0802");
	assert_int_equal(t.id, 1);
	peer_says(&t, PPP_LCP, CONF_ACK, 1, "01040578 0506 $$$$$$$$");
	const struct ppp_fx_lcp *lcp = want_fx(&t, PPP_FX_LCP_UP);
	assert_int_equal(lcp->mru, 1400);
	assert_int_equal(lcp->peer_mru, 1400);
	assert_int_equal(lcp->peer_magic, 0x1a2b3c4d);
	assert_true(lcp->pfc && lcp->acfc);
	peer_network(&t);
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	/* Identification is heard, not rejected; CCP costs a Protocol-Reject and nothing else */
	peer_says(&t, PPP_LCP, IDENT, 2, "1a2b3c4d 4d535241535635 2e3230 1b5b6d");
	assert_string_equal(want_fx(&t, PPP_FX_IDENT), "MSRASV5.20.[m");
	peer_says(&t, PPP_CCP, CONF_REQ, 4, "1206 01000001");
	want_tx(&t, PPP_LCP, PROTO_REJ, "80fd 0104000a 1206 01000001");
	want_nothing(&t);
}

/* macOS: ACCM and compression; its ACSP is rejected.  MikroTik: MRU 1450, MPLSCP. */
static void macos_and_mikrotik(void **state)
{
	(void)state;
	peer_up(&t, NULL, NULL);
	peer_lcp(&t, "0206 00000000 0506 3c1e55aa 0702 0802 0104 05aa");
	peer_network(&t);
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	peer_says(&t, 0x8235, CONF_REQ, 1, "");
	want_tx(&t, PPP_LCP, PROTO_REJ, "8235 01010004");
	peer_says(&t, PPP_MPLSCP, CONF_REQ, 1, "");
	want_tx(&t, PPP_LCP, PROTO_REJ, "8281 01010004");
	peer_says(&t, PPP_ECP, CONF_REQ, 1, "");
	want_tx(&t, PPP_LCP, PROTO_REJ, "8053 01010004");
	peer_says(&t, PPP_IPV6CP, CONF_REQ, 1, "010a 0000000000000001");
	want_tx(&t, PPP_LCP, PROTO_REJ, "8057 0101000e 010a 0000000000000001");
	assert_int_equal(t.p.phase, PPP_NETWORK);
	want_nothing(&t);
}

static void judged_options(void **state)
{
	static const struct { const char *asked; unsigned code; const char *answer; } row[] = {
		{ "", CONF_ACK, "" },						/* some clients ask for nothing */
		{ "0104 0040", CONF_NAK, "0104 0578" },				/* MRU below 128 */
		{ "0104 0080", CONF_ACK, "0104 0080" },
		{ "0104 ffff", CONF_ACK, "0104 ffff" },
		{ "0105 057800", CONF_REJ, "0105 057800" },			/* wrong length */
		{ "0206 ffffffff", CONF_ACK, "0206 ffffffff" },
		{ "0506 00000000", CONF_NAK, "0506 ........" },			/* 6.4: zero */
		{ "0304 c023", CONF_REJ, "0304 c023" },				/* we have no name to prove */
		{ "0408 c02500000000", CONF_REJ, "0408 c02500000000" },		/* link quality */
		{ "0702 0702", CONF_REJ, "0702" },				/* the second one */
		{ "0104 0040 0d0306", CONF_REJ, "0d0306" },			/* Rejects first, alone */
	};

	(void)state;
	peer_up(&t, NULL, NULL);
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0506........");
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		peer_says(&t, PPP_LCP, CONF_REQ, 10 + i, row[i].asked);
		want_tx(&t, PPP_LCP, row[i].code, row[i].answer);
		assert_int_equal(t.id, 10 + i);
	}
	want_nothing(&t);
}

static void broken_packets(void **state)
{
	static const char *const raw[] = { "", "01", "0101", "010100", "01010003", "01010005", "0101000601", "010100060100",
		"010100060101" };

	(void)state;
	peer_up(&t, NULL, NULL);
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0506........");
	for (unsigned i = 0; i < 9; i++)
		peer_raw(&t, PPP_LCP, raw[i]);
	want_nothing(&t);
	assert_int_equal(t.p.dropped, 9);
	peer_raw(&t, PPP_LCP, "0109 0008 01040578 deadbeef");		/* padding */
	want_tx(&t, PPP_LCP, CONF_ACK, "01040578");
	/* an Ack that is not of what we sent, and one for another id */
	peer_says(&t, PPP_LCP, CONF_ACK, 1, "01040577 0506 $$$$$$$$");
	peer_says(&t, PPP_LCP, CONF_ACK, 2, "01040578 0506 $$$$$$$$");
	peer_says(&t, PPP_LCP, CONF_ACK, 1, "01040578");
	want_nothing(&t);
	peer_says(&t, PPP_LCP, CONF_ACK, 1, "01040578 0506 $$$$$$$$");
	want_fx(&t, PPP_FX_LCP_UP);
}

static void our_options_are_refused(void **state)
{
	(void)state;
	peer_up(&t, NULL, NULL);
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0506........");
	peer_says(&t, PPP_LCP, CONF_NAK, 1, "0104 0514 0206 00000000");	/* 1300; and an ACCM we did not ask for */
	want_tx(&t, PPP_LCP, CONF_REQ, "01040514 0506........");
	assert_int_equal(t.id, 2);
	peer_says(&t, PPP_LCP, CONF_NAK, 2, "0104 0640");		/* 1600: never more than ours */
	want_tx(&t, PPP_LCP, CONF_REQ, "01040514 0506........");
	peer_says(&t, PPP_LCP, CONF_REJ, 3, "0506 $$$$$$$$");
	want_tx(&t, PPP_LCP, CONF_REQ, "01040514");
	peer_says(&t, PPP_LCP, CONF_REJ, 4, "0104 0514");
	want_tx(&t, PPP_LCP, CONF_REQ, "");
	peer_says(&t, PPP_LCP, CONF_REQ, 1, "");
	want_tx(&t, PPP_LCP, CONF_ACK, "");
	peer_says(&t, PPP_LCP, CONF_ACK, 5, "");
	const struct ppp_fx_lcp *lcp = want_fx(&t, PPP_FX_LCP_UP);
	assert_int_equal(lcp->mru, 1500);
	assert_int_equal(lcp->magic, 0);
}

/* A peer that Naks for ever neither keeps us busy nor gets its way. */
static void endless_naks(void **state)
{
	(void)state;
	peer_up(&t, NULL, NULL);
	for (unsigned i = 0; i < 100; i++)
		peer_says(&t, PPP_LCP, CONF_NAK, t.p.cp[CP_LCP].id, "0506 01020304");
	assert_true(peer_count(&t, PPP_LCP, CONF_REQ) <= 25);
	peer_wait(&t, 60000);
	assert_int_equal(t.p.end, PPP_END_NO_AGREEMENT);
	assert_int_equal(ppp_deadline(&t.p), NEVER);
}

static void loop(void **state)
{
	(void)state;
	peer_up(&t, NULL, NULL);
	for (unsigned i = 0; i < 30 && t.p.phase == PPP_ESTABLISH; i++) {
		struct fx *f = fx_pop(&t.p.out);

		if (!f)
			break;
		if (f->type == PPP_FX_TX) {
			const struct ppp_fx_tx *tx = (const void *)f->data;

			ppp_input(&t.p, t.now, tx->proto, tx->octets, f->len - sizeof(*tx));
		}
		fx_free(f);
	}
	peer_count(&t, 0, 0);
	peer_says(&t, PPP_LCP, TERM_ACK, 9, "");
	want_down(&t, PPP_END_LOOP);
}

/* A peer that has not heard our Ack asks again and has it again.  One that has (5.1: his identifier changes) and still asks has
 * lost what he told us, in a crash: everything begins anew, with his second word and not when he gives up. */
static void our_ack_is_lost(void **state)
{
	(void)state;
	peer_up(&t, NULL, NULL);
	peer_lcp(&t, "0104 0578 0506 1a2b3c4d");
	peer_network(&t);
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	for (unsigned i = 0; i < 4; i++) {
		peer_says(&t, PPP_LCP, CONF_REQ, 1, "0104 0578 0506 1a2b3c4d");
		want_tx(&t, PPP_LCP, CONF_ACK, "0104 0578 0506 1a2b3c4d");
	}
	want_nothing(&t);
}

static void started_anew(void **state)
{
	(void)state;
	peer_up(&t, NULL, NULL);
	peer_lcp(&t, "0104 0578 0506 1a2b3c4d");
	peer_network(&t);
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	peer_says(&t, PPP_LCP, CONF_REQ, 77, "0104 0578 0506 1a2b3c4d");
	want_tx(&t, PPP_LCP, CONF_ACK, "0104 0578 0506 1a2b3c4d");	/* he may count each time */
	want_nothing(&t);
	peer_says(&t, PPP_LCP, CONF_REQ, 78, "0104 0578 0506 1a2b3c4d");
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0506........");
	want_tx(&t, PPP_LCP, CONF_ACK, "0104 0578 0506 1a2b3c4d");
}

static void codes(void **state)
{
	(void)state;
	t.conf.echo_ms = 10000;
	peer_up(&t, NULL, NULL);
	peer_lcp(&t, "0506 01020304");
	peer_network(&t);
	want_tx(&t, PPP_IPCP, CONF_REQ, "0306 0a000001");
	peer_says(&t, PPP_LCP, 200, 9, "aabbcc");
	want_tx(&t, PPP_LCP, CODE_REJ, "c8090007 aabbcc");
	peer_says(&t, PPP_IPCP, ECHO_REQ, 9, "00000000");
	want_tx(&t, PPP_IPCP, CODE_REJ, "09090008 00000000");
	peer_says(&t, PPP_LCP, CODE_REJ, 1, "0c010004");		/* our Identification, if we had sent one */
	peer_says(&t, PPP_LCP, DISCARD_REQ, 1, "01020304 0000");
	peer_says(&t, PPP_LCP, TIME_LEFT, 1, "01020304 00000010");
	peer_says(&t, PPP_LCP, ECHO_REP, 1, "01020304");
	want_nothing(&t);
	peer_says(&t, PPP_LCP, ECHO_REQ, 77, "01020304 cafe");
	want_tx(&t, PPP_LCP, ECHO_REP, "........ cafe");
	assert_int_equal(t.id, 77);
	for (unsigned i = 0; i < 50; i++)
		peer_says(&t, PPP_LCP, ECHO_REQ, i, "01020304");
	assert_int_equal(peer_count(&t, PPP_LCP, ECHO_REP), 9);
	for (unsigned i = 0; i < 50; i++)
		peer_says(&t, PPP_CCP, CONF_REQ, i, "");
	assert_int_equal(peer_count(&t, PPP_LCP, PROTO_REJ), 8);	/* two Code-Rejects shared its second */
	peer_wait(&t, 1000);
	peer_count(&t, 0, 0);
	peer_says(&t, PPP_LCP, ECHO_REQ, 1, "01020304");
	want_tx(&t, PPP_LCP, ECHO_REP, "........");
	peer_says(&t, PPP_LCP, CODE_REJ, 1, "01010004");		/* it cannot do Configure-Request */
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	peer_says(&t, PPP_LCP, TERM_ACK, t.id, "");
	want_down(&t, PPP_END_NO_AGREEMENT);
}

static void big_echo(void **state)
{
	static uint8_t buf[3000] = { ECHO_REQ, 1, 3000 >> 8, 3000 & 255 };
	const struct ppp_fx_tx *tx;

	(void)state;
	peer_up(&t, NULL, NULL);
	peer_lcp(&t, "0104 0080");
	peer_network(&t);
	peer_count(&t, 0, 0);
	ppp_input(&t.p, t.now, PPP_LCP, buf, sizeof(buf));
	tx = want_fx(&t, PPP_FX_TX);
	assert_int_equal(tx->octets[0], ECHO_REP);
	assert_int_equal(tx->octets[2] << 8 | tx->octets[3], 128);	/* not more than its MRU */
	ppp_input(&t.p, t.now, 0x4021, buf, sizeof(buf));
	tx = want_fx(&t, PPP_FX_TX);
	assert_int_equal(tx->octets[0], PROTO_REJ);
	assert_int_equal(tx->octets[2] << 8 | tx->octets[3], 128);
}

static void echo_only_when_idle(void **state)
{
	(void)state;
	t.conf.echo_ms = 10000;
	peer_up(&t, NULL, NULL);
	peer_lcp(&t, "0506 01020304");
	peer_network(&t);
	t.p.cp[CP_IPCP].deadline = NEVER;	/* this test is not about IPCP */
	peer_count(&t, 0, 0);
	for (unsigned i = 0; i < 10; i++) {
		peer_wait(&t, 9000);
		ppp_alive(&t.p, t.now);
	}
	want_nothing(&t);
	peer_wait(&t, 10000);
	want_tx(&t, PPP_LCP, ECHO_REQ, "........");
	peer_says(&t, PPP_LCP, ECHO_REP, t.id, "01020304");
	peer_wait(&t, 39999);
	assert_int_equal(peer_count(&t, PPP_LCP, ECHO_REQ), 3);
	assert_int_equal(t.p.phase, PPP_NETWORK);
	peer_wait(&t, 1);
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	peer_wait(&t, 10000);
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	want_down(&t, PPP_END_ECHO);
}

static void ends(void **state)
{
	const struct ppp_fx_down *d;

	(void)state;
	peer_up(&t, NULL, NULL);			/* nobody is there: Max-Configure, then once */
	peer_wait(&t, 29999);
	assert_int_equal(peer_count(&t, PPP_LCP, CONF_REQ), 10);
	peer_wait(&t, 1);
	want_down(&t, PPP_END_NO_ANSWER);
	ppp_lower_down(&t.p, t.now);
	ppp_close(&t.p, t.now, "x");
	peer_says(&t, PPP_LCP, CONF_REQ, 1, "");
	want_nothing(&t);

	ppp_up(&t.p, t.now);				/* a second life */
	peer_lcp(&t, "0506 01020304");
	peer_network(&t);
	peer_count(&t, 0, 0);
	peer_says(&t, PPP_LCP, TERM_REQ, 9, "62 79 65 07 ff");
	want_tx(&t, PPP_LCP, TERM_ACK, "");
	peer_wait(&t, 3000);
	d = want_fx(&t, PPP_FX_DOWN);
	assert_int_equal(d->end, PPP_END_PEER);
	assert_string_equal(d->msg, "bye..");
	want_nothing(&t);

	ppp_up(&t.p, t.now);
	peer_lcp(&t, "0506 01020304");
	peer_count(&t, 0, 0);
	ppp_close(&t.p, t.now, "maintenance");
	want_tx(&t, PPP_LCP, TERM_REQ, "6d61696e74656e616e6365");
	peer_wait(&t, 3000);
	want_tx(&t, PPP_LCP, TERM_REQ, "6d61696e74656e616e6365");
	peer_says(&t, PPP_LCP, TERM_ACK, t.id, "");
	want_down(&t, PPP_END_LOCAL);

	ppp_up(&t.p, t.now);
	peer_count(&t, 0, 0);
	ppp_lower_down(&t.p, t.now);
	want_down(&t, PPP_END_LOWER);
}

/* What a stranger may cost: 200 frames, 30 s. */
static void stranger(void **state)
{
	(void)state;
	t.conf.auth[0] = PPP_AUTH_PAP;
	peer_up(&t, NULL, NULL);
	peer_lcp(&t, "0506 01020304");
	for (unsigned i = 0; i < 1000; i++)
		peer_says(&t, PPP_LCP, 222, i, "");
	assert_true(peer_count(&t, PPP_LCP, CODE_REJ) <= 10);
	assert_int_equal(t.p.early, 200);
	peer_wait(&t, 29999);
	want_nothing(&t);
	peer_wait(&t, 1);
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	peer_wait(&t, 10000);
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	want_down(&t, PPP_END_TIMEOUT);
}

/* An effect got lost: the owner's picture is wrong, so the link ends, and says so. */
static void out_of_memory(void **state)
{
	(void)state;
	peer_up(&t, NULL, NULL);
	peer_lcp(&t, "0506 01020304");
	peer_network(&t);
	peer_count(&t, 0, 0);
	t.p.out.lost = true;
	ppp_tick(&t.p, t.now);
	want_down(&t, PPP_END_RESOURCES);
}

static void size(void **state)
{
	(void)state;
	assert_true(sizeof(struct ppp) <= 1200);	/* one for each of thousands of links */
	peer_up(&t, NULL, NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fresh, over)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(windows_options), T(macos_and_mikrotik), T(judged_options), T(broken_packets), T(our_options_are_refused),
		T(endless_naks), T(loop), T(our_ack_is_lost), T(started_anew), T(codes), T(big_echo), T(echo_only_when_idle),
		T(ends), T(stranger), T(out_of_memory), T(size),
	};

	return cmocka_run_group_tests_name("ppp_lcp", tests, NULL, NULL);
}
