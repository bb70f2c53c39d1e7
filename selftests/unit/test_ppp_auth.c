/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Authentication: who is asked what, and everything a peer could do instead of answering. */
#include "lib/ppp_peer.h"

#include <string.h>

#include "ppp/mschap.h"

static struct peer t;

static int fresh(void **state) { (void)state; peer_init(&t); return 0; }
static int over(void **state) { (void)state; peer_done(&t); return 0; }

#define MAGIC "0506 01020304"
#define V49 "31 000102030405060708090a0b0c0d0e0f 0000000000000000 000102030405060708090a0b0c0d0e0f1011121314151617 00"
#define V16 "10 000102030405060708090a0b0c0d0e0f"
#define ANY16 "................................"

static const uint8_t reply[20] = { 0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 0xcd };

static void demand(enum ppp_auth a, enum ppp_auth b)
{
	t.conf.auth[0] = (uint8_t)a;
	t.conf.auth[1] = (uint8_t)b;
	peer_up(&t, NULL, NULL);
}

static void peer_is_chosen_by_nak(void **state)
{
	(void)state;
	demand(PPP_AUTH_MSCHAPV2, PPP_AUTH_PAP);
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0305c22381 0506........");
	peer_says(&t, PPP_LCP, CONF_NAK, 1, "0304c023");
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0304c023 0506........");
	peer_says(&t, PPP_LCP, CONF_NAK, 2, "0305c22381");		/* there and back: it has refused that one */
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	peer_says(&t, PPP_LCP, TERM_ACK, t.id, "");
	want_down(&t, PPP_END_AUTH_REFUSED);
}

static void nothing_allowed(void **state)
{
	(void)state;
	demand(PPP_AUTH_MSCHAPV2, PPP_AUTH_CHAP_MD5);
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0305c22381 0506........");
	peer_says(&t, PPP_LCP, CONF_NAK, 1, "0304c227");		/* EAP: we try what comes next */
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0305c22305 0506........");
	peer_says(&t, PPP_LCP, CONF_NAK, 2, "0304c023");
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	peer_wait(&t, 10000);
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	want_down(&t, PPP_END_AUTH_REFUSED);
}

static void demand_is_rejected(void **state)
{
	(void)state;
	demand(PPP_AUTH_PAP, PPP_AUTH_NONE);
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0304c023 0506........");
	peer_says(&t, PPP_LCP, CONF_REJ, 1, "0304c023");
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	peer_wait(&t, 10000);
	want_tx(&t, PPP_LCP, TERM_REQ, "");
	want_down(&t, PPP_END_AUTH_REFUSED);
}

static void what_we_let_ourselves_be_asked(void **state)
{
	static const struct { const char *asked; unsigned code; const char *answer; } row[] = {
		{ "0304c227", CONF_NAK, "0305c22381" },		/* EAP */
		{ "0305c22380", CONF_NAK, "0305c22381" },	/* MS-CHAP version 1 */
		{ "0304c023", CONF_NAK, "0305c22381" },		/* PAP is not in our list */
		{ "0304c223", CONF_NAK, "0305c22381" },		/* CHAP without algorithm */
		{ "0305c22305", CONF_ACK, "0305c22305" },
		{ "0305c22381", CONF_ACK, "0305c22381" },
	};

	(void)state;
	t.conf.allow[0] = PPP_AUTH_MSCHAPV2;
	t.conf.allow[1] = PPP_AUTH_CHAP_MD5;
	peer_up(&t, "bob", "builder");
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0506........");
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		peer_says(&t, PPP_LCP, CONF_REQ, i, row[i].asked);
		want_tx(&t, PPP_LCP, row[i].code, row[i].answer);
	}
}

/* Empty names and passwords are the owner's to judge, and so are the longest. */
static void pap_names(void **state)
{
	char longest[2 * 2 * 256 + 1] = "ff";
	const struct ppp_fx_auth *a;

	(void)state;
	demand(PPP_AUTH_PAP, PPP_AUTH_NONE);
	peer_lcp(&t, MAGIC);
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, 1, V16 "616c696365");	/* not negotiated: not even parsed */
	peer_says(&t, PPP_EAP, 2, 1, "01");
	peer_says(&t, PPP_IPCP, CONF_REQ, 1, "0306 00000000");		/* RFC 1661 3.5 */
	peer_says(&t, PPP_CCP, CONF_REQ, 1, "");
	assert_int_equal(t.p.dropped, 4);
	peer_says(&t, PPP_PAP, PAP_REQ, 1, "05 616c6963");
	peer_says(&t, PPP_PAP, PAP_REQ, 1, "01 61");
	peer_says(&t, PPP_PAP, PAP_REQ, 1, "");
	peer_says(&t, PPP_PAP, PAP_ACK, 1, "00");
	want_nothing(&t);
	peer_says(&t, PPP_PAP, PAP_REQ, 7, "00 00");
	a = want_fx(&t, PPP_FX_AUTH_CHECK);
	assert_int_equal(a->proto, PPP_AUTH_PAP);
	assert_int_equal(a->name_len + a->password_len, 0);
	peer_says(&t, PPP_PAP, PAP_REQ, 8, "00 00");			/* while the owner thinks: asked once */
	want_nothing(&t);
	ppp_auth_verdict(&t.p, t.now, false, NULL, "no\n");
	want_tx(&t, PPP_PAP, PAP_NAK, "03 6e6f0a");
	assert_int_equal(t.id, 8);
	want_tx(&t, PPP_LCP, TERM_REQ, "6e6f2e");
	ppp_auth_verdict(&t.p, t.now, true, NULL, NULL);		/* too late */
	peer_says(&t, PPP_LCP, TERM_ACK, t.id, "");
	want_down(&t, PPP_END_AUTH_FAILED);

	ppp_up(&t.p, t.now);
	peer_lcp(&t, MAGIC);
	for (unsigned i = 1; i < 512; i++)
		memcpy(longest + 2 * i, i == 256 ? "ff" : "41", 3);
	peer_says(&t, PPP_PAP, PAP_REQ, 9, longest);
	a = want_fx(&t, PPP_FX_AUTH_CHECK);
	assert_int_equal(a->name_len, 255);
	assert_int_equal(a->password_len, 255);
	ppp_auth_verdict(&t.p, t.now, true, NULL, NULL);
	want_tx(&t, PPP_PAP, PAP_ACK, "00");
	want_fx(&t, PPP_FX_AUTH_DONE);
	peer_says(&t, PPP_PAP, PAP_REQ, 10, "00 00");			/* our Ack was lost */
	want_tx(&t, PPP_IPCP, CONF_REQ, "");
	want_tx(&t, PPP_PAP, PAP_ACK, "00");
	assert_int_equal(t.id, 10);
	want_nothing(&t);
}

static void chap_authenticator(void **state)
{
	const struct ppp_fx_auth *a;
	uint8_t challenge[16];

	(void)state;
	demand(PPP_AUTH_CHAP_MD5, PPP_AUTH_NONE);
	peer_lcp(&t, MAGIC);
	want_tx(&t, PPP_CHAP, CHAP_CHALLENGE, "10" ANY16 "67617465");
	memcpy(challenge, t.p.authenticator.challenge, 16);
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, t.id + 1, V16 "616c696365");	/* another identifier */
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, t.id, "0f 000102030405060708090a0b0c0d0e");
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, t.id, "11 000102030405060708090a0b0c0d0e");
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, t.id, "ff 00");
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, t.id, V49 "616c696365");
	peer_says(&t, PPP_CHAP, CHAP_SUCCESS, t.id, "");
	peer_says(&t, PPP_CHAP, CHAP_CHALLENGE, t.id, "01 00");			/* nobody may ask us */
	peer_says(&t, PPP_PAP, PAP_REQ, 1, "00 00");
	want_nothing(&t);
	assert_int_equal(t.p.dropped, 8);
	peer_wait(&t, 3000);
	want_tx(&t, PPP_CHAP, CHAP_CHALLENGE, "10" ANY16 "67617465");
	assert_memory_equal(challenge, t.p.authenticator.challenge, 16);
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, t.id, V16 "616c696365");
	a = want_fx(&t, PPP_FX_AUTH_CHECK);
	assert_int_equal(a->name_len, 5);
	assert_int_equal(a->challenge_len, 16);
	assert_int_equal(a->response_len, 16);
	assert_memory_equal(a->challenge, challenge, 16);
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, t.id, V16 "616c696365");
	peer_wait(&t, 9000);
	want_nothing(&t);
	ppp_auth_verdict(&t.p, t.now, true, NULL, "hi");
	want_tx(&t, PPP_CHAP, CHAP_SUCCESS, "6869");
	want_fx(&t, PPP_FX_AUTH_DONE);
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, t.id, V16 "6d616c6c6f7279");	/* the same answer, no new question */
	want_tx(&t, PPP_IPCP, CONF_REQ, "");
	want_tx(&t, PPP_CHAP, CHAP_SUCCESS, "6869");
	want_nothing(&t);
}

static void mschapv2_replies(void **state)
{
	(void)state;
	demand(PPP_AUTH_MSCHAPV2, PPP_AUTH_NONE);
	peer_lcp(&t, MAGIC);
	want_tx(&t, PPP_CHAP, CHAP_CHALLENGE, "10" ANY16 "67617465");
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, t.id, V49 "434f52505c616c696365");
	assert_memory_equal(((const struct ppp_fx_auth *)want_fx(&t, PPP_FX_AUTH_CHECK))->name, "CORP\\alice", 10);
	ppp_auth_verdict(&t.p, t.now, true, reply, "hi");
	want_tx(&t, PPP_CHAP, CHAP_SUCCESS, "533d"
		"4142303130323033303430353036303730383039304130423043304430453046313031313132" "4344" "204d3d6869");
	want_fx(&t, PPP_FX_AUTH_DONE);
	ppp_lower_down(&t.p, t.now);
	want_down(&t, PPP_END_LOWER);
	ppp_up(&t.p, t.now);
	peer_lcp(&t, MAGIC);
	want_tx(&t, PPP_CHAP, CHAP_CHALLENGE, "10" ANY16 "67617465");
	peer_says(&t, PPP_CHAP, CHAP_RESPONSE, t.id, V49 "616c696365");
	want_fx(&t, PPP_FX_AUTH_CHECK);
	ppp_auth_verdict(&t.p, t.now, true, NULL, "hi");	/* "ok" without its proof is no ok */
	want_tx(&t, PPP_CHAP, CHAP_FAILURE, "453d36393120523d3020433d" ANY16 ANY16 "20563d33204d3d6869");
	want_tx(&t, PPP_LCP, TERM_REQ, "6869");
	want_nothing(&t);
}

static const char *success(const char *format);

/* We are the peer: Success only counts when it proves that they know the password, too. */
static void mschapv2_peer(void **state)
{
	static const char challenge[] = "10 101112131415161718191a1b1c1d1e1f 6c6e73";

	(void)state;
	t.conf.allow[0] = PPP_AUTH_MSCHAPV2;
	peer_up(&t, "alice", "wonderland");
	peer_lcp(&t, MAGIC "0305c22381");
	want_nothing(&t);
	peer_says(&t, PPP_CHAP, CHAP_SUCCESS, 5, success("S=%s"));		/* before we have said anything */
	peer_says(&t, PPP_CHAP, CHAP_FAILURE, 5, "");
	peer_says(&t, PPP_CHAP, CHAP_CHALLENGE, 5, "08 1011121314151617");	/* 16 octets, or it is none */
	want_nothing(&t);
	peer_says(&t, PPP_CHAP, CHAP_CHALLENGE, 5, challenge);
	want_tx(&t, PPP_CHAP, CHAP_RESPONSE, "31" ANY16 "0000000000000000" ANY16 "................ 00 616c696365");
	assert_int_equal(t.id, 5);
	peer_says(&t, PPP_CHAP, CHAP_SUCCESS, 6, success("S=%s"));		/* another identifier */
	want_nothing(&t);
	peer_wait(&t, 3000);							/* the Success may have been lost */
	want_tx(&t, PPP_CHAP, CHAP_RESPONSE, "31" ANY16 "0000000000000000" ANY16 "................ 00 616c696365");
	peer_says(&t, PPP_CHAP, CHAP_SUCCESS, 5, success("S=%s M=Welcome"));
	want_fx(&t, PPP_FX_AUTH_DONE);
	peer_says(&t, PPP_CHAP, CHAP_SUCCESS, 5, success("S=%s"));		/* once more: nothing new */
	want_tx(&t, PPP_IPCP, CONF_REQ, "");
	want_nothing(&t);
	/* a new Challenge later on (RFC 1994 2), and this time they do not know it */
	peer_says(&t, PPP_CHAP, CHAP_CHALLENGE, 6, challenge);
	want_tx(&t, PPP_CHAP, CHAP_RESPONSE, "31" ANY16 "0000000000000000" ANY16 "................ 00 616c696365");
	peer_says(&t, PPP_CHAP, CHAP_SUCCESS, 6, "533d 3030");
	want_tx(&t, PPP_LCP, TERM_REQ, "7468652061757468656e74696361746f7220646f6573206e6f74206b6e6f77206f75722070617373776f7264"
		"2028533d2069732077726f6e6729");
	peer_says(&t, PPP_LCP, TERM_ACK, t.id, "");
	want_down(&t, PPP_END_AUTH_REFUSED);
}

/* The format with the right digits, in hex. */
static const char *success(const char *format)
{
	static char hex[256];
	size_t n = 0;

	for (const char *c = format; *c; c++) {
		if (*c != '%') {
			hex[n++] = "0123456789abcdef"[*c >> 4 & 15];
			hex[n++] = "0123456789abcdef"[*c & 15];
			continue;
		}
		for (unsigned i = 0; i < 40; i++) {
			unsigned d = t.p.auth_peer.expect[i / 2] >> (i % 2 ? 0 : 4) & 15;

			hex[n++] = d < 10 ? '3' : '6';		/* lower case: some send that */
			hex[n++] = "0123456789123456"[d];
		}
		c++;
	}
	hex[n] = '\0';
	return hex;
}

static void failure_words(void **state)
{
	const struct ppp_fx_down *d;

	(void)state;
	t.conf.allow[0] = PPP_AUTH_MSCHAPV2;
	peer_up(&t, "alice", "wonderland");
	peer_lcp(&t, MAGIC "0305c22381");
	peer_says(&t, PPP_CHAP, CHAP_CHALLENGE, 5, "10 101112131415161718191a1b1c1d1e1f");
	want_fx(&t, PPP_FX_TX);
	peer_says(&t, PPP_CHAP, CHAP_FAILURE, 5, "453d36393120523d3120433d3030204d3d426164 00");	/* E=691 R=1 C=00 M=Bad */
	want_tx(&t, PPP_LCP, TERM_REQ, "4261642e");
	peer_says(&t, PPP_LCP, TERM_ACK, t.id, "");
	d = want_fx(&t, PPP_FX_DOWN);
	assert_int_equal(d->end, PPP_END_AUTH_REFUSED);
	assert_string_equal(d->msg, "Bad.");
}

static void pap_peer(void **state)
{
	(void)state;
	t.conf.allow[0] = PPP_AUTH_PAP;
	peer_up(&t, "bob", "");
	peer_lcp(&t, MAGIC "0304c023");
	want_tx(&t, PPP_PAP, PAP_REQ, "03626f62 00");
	unsigned first = t.id;

	peer_wait(&t, 6000);
	want_tx(&t, PPP_PAP, PAP_REQ, "03626f62 00");
	want_tx(&t, PPP_PAP, PAP_REQ, "03626f62 00");
	assert_int_equal(t.id, (first + 2) & 255);
	peer_says(&t, PPP_PAP, PAP_ACK, first - 1, "00");
	peer_says(&t, PPP_PAP, PAP_ACK, first + 3, "00");
	want_nothing(&t);
	peer_says(&t, PPP_PAP, PAP_ACK, first + 1, "");		/* no message at all */
	want_fx(&t, PPP_FX_AUTH_DONE);
	peer_says(&t, PPP_PAP, PAP_NAK, first + 2, "00");	/* too late */
	want_tx(&t, PPP_IPCP, CONF_REQ, "");
	want_nothing(&t);
}

/* A verdict on somebody who has gone must not let in who came next. */
static void verdict_outlives_lcp(void **state)
{
	(void)state;
	demand(PPP_AUTH_PAP, PPP_AUTH_NONE);
	peer_lcp(&t, MAGIC);
	peer_says(&t, PPP_PAP, PAP_REQ, 1, "01 61 01 61");
	want_fx(&t, PPP_FX_AUTH_CHECK);
	peer_says(&t, PPP_LCP, CONF_REQ, 2, "0506 01020305");
	want_tx(&t, PPP_LCP, CONF_REQ, "01040578 0304c023 0506........");
	want_tx(&t, PPP_LCP, CONF_ACK, "0506 01020305");
	peer_says(&t, PPP_LCP, CONF_ACK, 2, "01040578 0304c023 0506 $$$$$$$$");
	want_fx(&t, PPP_FX_LCP_UP);
	peer_says(&t, PPP_PAP, PAP_REQ, 3, "01 62 01 62");
	want_nothing(&t);
	ppp_auth_verdict(&t.p, t.now, true, NULL, NULL);
	want_nothing(&t);
	peer_says(&t, PPP_PAP, PAP_REQ, 4, "01 62 01 62");
	assert_int_equal(((const struct ppp_fx_auth *)want_fx(&t, PPP_FX_AUTH_CHECK))->name[0], 'b');
	ppp_auth_verdict(&t.p, t.now, false, NULL, NULL);
	want_tx(&t, PPP_PAP, PAP_NAK, "00");
}

#define T(f) cmocka_unit_test_setup_teardown(f, fresh, over)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(peer_is_chosen_by_nak), T(nothing_allowed), T(demand_is_rejected), T(what_we_let_ourselves_be_asked),
		T(pap_names), T(chap_authenticator), T(mschapv2_replies), T(mschapv2_peer), T(failure_words), T(pap_peer),
		T(verdict_outlives_lcp),
	};

	return cmocka_run_group_tests_name("ppp_auth", tests, NULL, NULL);
}
