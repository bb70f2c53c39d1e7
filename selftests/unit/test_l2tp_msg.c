/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What real peers send, octet for octet, and the rules of RFC 2661 4 for what nobody should send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "l2tp/msg.h"

/* SCCRQ of Windows 10, macOS, xl2tpd, and a Cisco LAC with foreign vendors' AVPs */
static const char windows[] =
	"c8020066000000000000000080080000000000018008000000020100800a0000000300000001800a00000004"
	"000000000008000000060a00800f000000074445534b544f502d37000f000000084d6963726f736f66748008"
	"00000009000580080000000a0008";
static const char apple[] =
	"c8020044000000000000000080080000000000018008000000020100800a0000000300000003800e00000007"
	"6d6163626f6f6b00800800000009123480080000000a0004";
static const char xl2tpd[] =
	"c8020064000000000000000080080000000000018008000000020100800a0000000300000003800a00000004"
	"000000000008000000060690800900000007626f7800130000000878656c6572616e63652e636f6d80080000"
	"0009beef80080000000a0004";
static const char cisco[] =
	"c80200a2000000000000000080080000000000018008000000020100800a0000000300000003800a00000004"
	"00000003000e00000005000102030405060700080000000611308009000000074c4143001900000008436973"
	"636f2053797374656d732c20496e632e800800000009432180080000000a032080160000000b000102030405"
	"060708090a0b0c0d0e0f000900090001000102000b0de900026167656e74";
/* macOS: Result Code in host order and six octets too long; the second one leaves the datagram */
static const char apple_stop[] =
	"c802002c00070000000200018008000000000004800800000009123480100000000101000000deadbeef0000";
static const char apple_stop_overrun[] =
	"c8020024000700000002000180080000000000048008000000091234800e000000010600";
/* ICRQ, secret "sesame", random vector 00..0f; made with another implementation of 4.3 */
static const char hidden_icrq[] =
	"c802005a0007000000020001800800000000000a801600000024000102030405060708090a0b0c0d0e0fc00a"
	"0000000e88ec8edb800a0000000f00000063c01c0000001641ffc03d180004b12e4cb9184605c9f7c839bbb3"
	"64cf";
/* the same, but what comes out of the cipher says it has 0xfffc octets */
static const char hidden_long[] =
	"c80200470007000000020001800800000000000a801600000024000102030405060708090a0b0c0d0e0f8008"
	"0000000e0005800a0000000f00000001c00b00000016be178a6b42";

static const struct span none, secret = { (const uint8_t *)"sesame", 6 };

struct wire { uint8_t buf[256], scratch[L2TP_SCRATCH]; size_t n; struct l2tp_msg m; };

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static struct wire *wire(const char *hex)
{
	struct wire *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	for (; hex[0]; hex += 2)
		w->buf[w->n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
	return w;
}

static bool decode(struct wire *w, struct span key)
{
	return l2tp_decode(&w->m, w->buf, w->n, key, w->scratch);
}

static void same_text(struct span s, const char *text)
{
	assert_int_equal(s.n, strlen(text));
	assert_memory_equal(s.p, text, s.n);
}

static void test_peers(void **state)
{
	static const struct {
		const char *hex, *host, *vendor;
		unsigned framing, tid, rws;
		bool tie, challenge;
	} peer[] = {
		{ windows, "DESKTOP-7", "Microsoft", 1, 5, 8, false, false },
		{ apple, "macbook", "", 3, 0x1234, 4, false, false },
		{ xl2tpd, "box", "xelerance.com", 3, 0xbeef, 4, false, false },
		{ cisco, "LAC", "Cisco Systems, Inc.", 3, 0x4321, 800, true, true },
	};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct wire *w = wire(peer[i].hex);

		assert_true(decode(w, none));
		assert_int_equal(w->m.type, L2TP_SCCRQ);
		assert_int_equal(w->m.missing | w->m.odd.error | w->m.unread, 0);
		assert_false(w->m.odd.unknown_m);
		same_text(w->m.host_name, peer[i].host);
		same_text(w->m.vendor_name, peer[i].vendor);
		assert_int_equal(w->m.framing_caps, peer[i].framing);
		assert_int_equal(w->m.assigned_tunnel_id, peer[i].tid);
		assert_int_equal(w->m.rws, peer[i].rws);
		assert_int_equal(l2tp_has(&w->m, L2TP_AVP_TIE_BREAKER), peer[i].tie);
		assert_int_equal(w->m.challenge.n, peer[i].challenge ? 16 : 0);
		/* every shorter datagram is refused, and a padded one is trimmed to its Length */
		for (size_t n = 0; n < w->n; n++)
			assert_false(l2tp_decode(&w->m, w->buf, n, none, w->scratch));
		w->n += 9;
		assert_true(decode(w, none));
		same_text(w->m.host_name, peer[i].host);
		free(w);
	}
}

/* What we encode is what those peers encode, where our order of AVPs is theirs. */
static void test_golden(void **state)
{
	struct wire *w = wire(windows);
	uint8_t out[256];

	(void)state;
	assert_true(decode(w, none));
	assert_int_equal(l2tp_encode(&w->m, out, sizeof(out), none), w->n);
	assert_memory_equal(out, w->buf, w->n);
	for (size_t size = 0; size < w->n; size++)
		assert_int_equal(l2tp_encode(&w->m, out, size, none), 0);
	free(w);
}

static void test_apple_stop(void **state)
{
	struct wire *w = wire(apple_stop);

	(void)state;
	assert_true(decode(w, none));
	assert_int_equal(w->m.type, L2TP_STOPCCN);
	assert_int_equal(w->m.result.result, 1);
	assert_int_equal(w->m.result.error, 0);
	assert_int_equal(w->m.result.msg.n, 0);
	assert_int_equal(w->m.assigned_tunnel_id, 0x1234);
	free(w);
	w = wire(apple_stop_overrun);
	assert_true(decode(w, none));
	assert_int_equal(w->m.result.result, 6);
	free(w);
}

/* StopCCN and CDN are read whatever their Result Code AVP looks like. */
static void test_result_lengths(void **state)
{
	(void)state;
	for (unsigned type = L2TP_STOPCCN; type <= L2TP_CDN; type += L2TP_CDN - L2TP_STOPCCN)
		for (unsigned n = 0; n < 40; n++) {
			uint8_t buf[80] = { 0xc8, 2, 0, 0, 0, 7, 0, 0, 0, 2, 0, 1, 0x80, 8, 0, 0, 0, 0, 0, 0,
					    0x80, 0, 0, 0, 0, 1, 0, 2, 0, 6, 'w', 'h', 'y' };
			uint8_t scratch[L2TP_SCRATCH];
			struct l2tp_msg m;

			buf[3] = (uint8_t)(26 + n);
			buf[19] = (uint8_t)type;
			buf[21] = (uint8_t)(6 + n);
			assert_true(l2tp_decode(&m, buf, 26 + n, none, scratch));
			assert_int_equal(m.type, type);
			assert_int_equal(m.result.result, n < 2 ? 0 : 2);
			assert_int_equal(m.result.error, n < 4 ? 0 : 6);
			assert_int_equal(m.result.msg.n, n < 4 ? 0 : n - 4);
		}
}

static void test_hidden(void **state)
{
	struct wire *w = wire(hidden_icrq);
	uint8_t out[256];

	(void)state;
	assert_true(decode(w, secret));
	assert_int_equal(w->m.odd.error | w->m.unread | w->m.missing, 0);
	assert_int_equal(w->m.assigned_session_id, 0x2222);
	assert_int_equal(w->m.call_serial, 99);
	same_text(w->m.calling_number, "+49 30 1234567890123");
	assert_int_equal(w->m.hidden, L2TP_BIT(L2TP_AVP_ASSIGNED_SESSION_ID) | L2TP_BIT(L2TP_AVP_CALLING_NUMBER));
	assert_int_equal(l2tp_encode(&w->m, out, sizeof(out), secret), w->n);	/* and back */
	assert_memory_equal(out, w->buf, w->n);
	assert_int_equal(l2tp_encode(&w->m, out, sizeof(out), none), 0);

	assert_true(decode(w, none));			/* no secret: said, not guessed */
	assert_int_equal(w->m.unread, L2TP_BIT(L2TP_AVP_ASSIGNED_SESSION_ID) | L2TP_BIT(L2TP_AVP_CALLING_NUMBER));
	assert_int_equal(w->m.missing, L2TP_BIT(L2TP_AVP_ASSIGNED_SESSION_ID));
	assert_true(l2tp_decode(&w->m, w->buf, w->n, secret, NULL));
	assert_int_not_equal(w->m.unread, 0);
	free(w);

	w = wire(hidden_long);
	assert_true(decode(w, secret));
	assert_int_equal(w->m.odd.error, L2TP_E_LENGTH);
	assert_int_equal(w->m.odd.error_avp, L2TP_AVP_CALLING_NUMBER);
	assert_int_equal(w->m.calling_number.n, 0);
	free(w);
}

static void test_response(void **state)
{
	static const uint8_t want[16] = { 0xb8, 0x5f, 0x35, 0x32, 0xa7, 0xbd, 0xa6, 0x12,
					  0xa2, 0x9b, 0x90, 0xc6, 0x86, 0xfc, 0x09, 0xa5 };
	uint8_t got[L2TP_RESPONSE_LEN];

	(void)state;
	l2tp_response(got, L2TP_SCCCN, secret, (struct span){ (const uint8_t *)"x", 1 });
	assert_memory_equal(got, want, sizeof(want));
}

/* One AVP behind Message Type HELLO. */
static bool one(struct l2tp_msg *m, unsigned flags, unsigned vendor, unsigned type, unsigned len)
{
	static uint8_t scratch[L2TP_SCRATCH];
	uint8_t buf[64] = { 0xc8, 2, 0, 64, 0, 7, 0, 0, 0, 2, 0, 1, 0x80, 8, 0, 0, 0, 0, 0, 6 };

	put_u16(buf + 20, flags | len);
	put_u16(buf + 22, vendor);
	put_u16(buf + 24, type);
	buf[3] = (uint8_t)(20 + (len < 6 ? 6 : len < 44 ? len : 44));
	return l2tp_decode(m, buf, sizeof(buf), secret, scratch);
}

static void test_rules(void **state)
{
	struct l2tp_msg m;

	(void)state;
	assert_true(one(&m, 0, 0, 99, 8) && !m.odd.unknown_m);		/* 4.2: unknown, M=0 */
	assert_true(one(&m, 0x8000, 0, 99, 8) && m.odd.unknown_m && m.odd.unknown_avp == 99);
	assert_true(one(&m, 0, 3561, 9, 8) && !l2tp_has(&m, L2TP_AVP_ASSIGNED_TUNNEL_ID));
	assert_true(one(&m, 0x8000, 9, 9, 8) && m.odd.unknown_m && m.odd.unknown_vendor == 9);
	assert_true(one(&m, 0x8400, 0, 10, 8) && m.odd.unknown_m);		/* 4.1: reserved bit */
	assert_true(one(&m, 0x8000, 0, 10, 8) && l2tp_has(&m, L2TP_AVP_RWS) && !m.odd.error);
	assert_true(one(&m, 0x8000, 0, 10, 9) && m.odd.error == L2TP_E_LENGTH && !l2tp_has(&m, L2TP_AVP_RWS));
	assert_true(one(&m, 0xc000, 0, 10, 12) && m.odd.error == L2TP_E_VALUE);	/* RWS may not be hidden */
	assert_true(one(&m, 0x8000, 0, 0, 8) && m.odd.error == L2TP_E_VALUE);	/* a second Message Type */
	assert_true(one(&m, 0x8000, 0, 7, 6) && m.odd.error == L2TP_E_LENGTH);	/* empty Host Name */
	for (unsigned len = 0; len < 6; len++)
		assert_false(one(&m, 0x8000, 0, 10, len));
	assert_false(one(&m, 0x8000, 0, 10, 45));
}

static void test_header(void **state)
{
	uint8_t buf[12] = { 0xc8, 2, 0, 12, 0, 7 };
	struct l2tp_msg m;
	uint16_t tid;

	(void)state;
	assert_true(l2tp_decode(&m, buf, 12, none, NULL) && m.type == L2TP_ZLB && m.tunnel_id == 7);
	for (unsigned bits = 0; bits < 0x10000; bits++) {
		bool ok = (bits & 0xca0f) == 0xc802;	/* 3.1: T, L, S, no O, version 2 */

		put_u16(buf, bits);
		assert_int_equal(l2tp_decode(&m, buf, 12, none, NULL), ok);
		assert_int_equal(l2tp_peek(buf, 12, &tid), ok);
	}
}

static void test_clean(void **state)
{
	char out[8];

	(void)state;
	l2tp_clean(out, sizeof(out), (struct span){ (const uint8_t *)"a\n\x1b[1\xc3\0\0", 8 });
	assert_string_equal(out, "a??[1?");
	l2tp_clean(out, sizeof(out), (struct span){ (const uint8_t *)"123456789", 9 });
	assert_string_equal(out, "1234567");
	l2tp_clean(out, sizeof(out), none);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peers), cmocka_unit_test(test_golden), cmocka_unit_test(test_apple_stop),
		cmocka_unit_test(test_result_lengths), cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_response), cmocka_unit_test(test_rules), cmocka_unit_test(test_header),
		cmocka_unit_test(test_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
