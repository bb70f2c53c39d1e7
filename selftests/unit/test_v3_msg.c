/* SPDX-License-Identifier: GPL-2.0-or-later */
/* L2TPv3 messages octet for octet, made with another implementation of RFC 3931 5, and its rules for what nobody should send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/names.h"
#include "lib/v3_end.h"

static const char sccrq[] =
	"c803004b00000000000000008008000000000001800f00000007612e6578616d706c65800a0000003cc0000201800a0000003d12345678"
	"80080000000a0010800c0000003e000400050007";
static const char icrq[] =
	"c80300649abcdef000020001800800000000000a800a0000003f11111111800a0000004000000000800e000000410123456789abcdef00"
	"0a0000000f00000007800c00000042736974652d37800800000044000580080000004500018008000000470003";
/* SCCRQ for both versions (4.7.3) */
static const char sccrq_both[] =
	"c802007900000000000000008008000000000001000e000000050001020304050607800f00000007612e6578616d706c65000a0000003c"
	"c0000201000a0000003d1234567880080000000a001000080000003e00058008000000020100800a0000000300000003800a0000000400"
	"0000038008000000094242";
/* secret "sesame", random vector 00..0f; the cookie is padded */
static const char icrq_hidden[] =
	"c80300849abcdef000020001800800000000000a801600000024000102030405060708090a0b0c0d0e0fc00c0000003f72b2725af74c80"
	"0a0000004000000000c01c00000041ed40122dd617bb07765e4469dc6363497a1cf24b6780000a0000000f00000007c00e00000042e647"
	"d9df9834e3b780080000004400058008000000470003";
/* the same, but what comes out of the cipher says it has 0xffff octets; and one octet that is no length */
static const char hidden_overflow[] =
	"c80300359abcdef000020001800800000000000a801600000024000102030405060708090a0b0c0d0e0fc00b0000004219becbd48f";
static const char hidden_short[] =
	"c80300339abcdef000020001800800000000000a801600000024000102030405060708090a0b0c0d0e0fc00900000042e641d2";

static const struct span none;

struct wire { uint8_t buf[256], scratch[L2TP_SCRATCH]; size_t n; struct v3_msg m; };

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void wire(struct wire *w, const char *hex)
{
	memset(w, 0, sizeof(*w));
	for (; hex[0]; hex += 2)
		w->buf[w->n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
}

static bool decode(struct wire *w, struct span key)
{
	return v3_decode(&w->m, w->buf, w->n, key, w->scratch);
}

/* 5.3: HMAC_MD5(shared_secret, 1) */
static struct span hide_key(struct v3_auth *a)
{
	static const struct span secret[2] = { { (const uint8_t *)"sesame", 6 }, { NULL, 0 } };
	struct sim s;
	struct env env = sim_env(&s);

	sim_init(&s, 1);
	v3_auth_init(a, &env, secret, V3_HMAC_MD5);
	return v3_hide_key(a, 0);
}

static void same_text(struct span s, const char *text)
{
	assert_int_equal(s.n, strlen(text));
	assert_memory_equal(s.p, text, s.n);
}

static void test_golden(void **state)
{
	uint8_t out[256];
	struct wire w;

	(void)state;
	wire(&w, sccrq);
	assert_true(decode(&w, none));
	assert_int_equal(w.m.type, V3_SCCRQ);
	assert_int_equal(w.m.missing | w.m.odd.error | w.m.unread | w.m.odd.unknown_m, 0);
	same_text(w.m.host_name, "a.example");
	assert_int_equal(w.m.router_id, 0xc0000201);
	assert_int_equal(w.m.assigned_cc_id, 0x12345678);
	assert_int_equal(w.m.rws, 16);
	assert_int_equal(w.m.pw_caps, 1 << V3_PW_VLAN | 1 << V3_PW_ETHERNET | 1 << V3_PW_PPP);
	assert_int_equal(v3_encode(&w.m, out, sizeof(out), none), w.n);
	assert_memory_equal(out, w.buf, w.n);
	/* every shorter datagram is refused, and a padded one is trimmed to its Length */
	for (size_t n = 0; n < w.n; n++)
		assert_false(v3_decode(&w.m, w.buf, n, none, w.scratch));
	w.n += 9;
	assert_true(decode(&w, none));
	assert_false(v3_offered(w.buf, w.n));

	wire(&w, icrq);
	assert_true(decode(&w, none));
	assert_int_equal(w.m.type, V3_ICRQ);
	assert_int_equal(w.m.cc_id, 0x9abcdef0);
	assert_int_equal(w.m.ns << 16 | w.m.nr, 2 << 16 | 1);
	assert_int_equal(w.m.missing | w.m.odd.error, 0);
	assert_int_equal(w.m.local_session_id, 0x11111111);
	assert_int_equal(w.m.remote_session_id, 0);
	assert_int_equal(w.m.cookie.len, 8);
	assert_memory_equal(w.m.cookie.octets, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
	assert_int_equal(w.m.serial, 7);
	same_text(w.m.remote_end_id, "site-7");
	assert_int_equal(w.m.pw_type, V3_PW_ETHERNET);
	assert_int_equal(w.m.l2spec, V3_L2SPEC_DEFAULT);
	assert_int_equal(w.m.circuit_status, V3_CIRCUIT_ACTIVE | V3_CIRCUIT_NEW);
	assert_int_equal(v3_encode(&w.m, out, sizeof(out), none), w.n);
	assert_memory_equal(out, w.buf, w.n);
	for (size_t size = 0; size < w.n; size++)
		assert_int_equal(v3_encode(&w.m, out, size, none), 0);
}

/* 4.7.3: what both versions can read. */
static void test_both(void **state)
{
	uint8_t out[256];
	struct l2tp_msg v2;
	struct wire w;
	uint32_t id;

	(void)state;
	wire(&w, sccrq_both);
	assert_true(decode(&w, none));
	assert_true(w.m.v2);
	assert_false(w.m.odd.unknown_m);			/* L2TPv2's are ignored even though their M bits are set */
	assert_int_equal(w.m.missing | w.m.odd.error, 0);
	assert_true(v3_offered(w.buf, w.n));
	assert_false(v3_peek(w.buf, w.n, &id));		/* no control connection of ours is addressed like this */
	w.m.v2_tunnel_id = 0x4242;
	assert_int_equal(v3_encode(&w.m, out, sizeof(out), none), w.n);
	assert_memory_equal(out, w.buf, w.n);
	/* to an L2TPv2 peer it is an SCCRQ like any other */
	assert_true(l2tp_decode(&v2, w.buf, w.n, none, NULL));
	assert_int_equal(v2.missing | v2.odd.error, 0);
	assert_false(v2.odd.unknown_m);
	assert_int_equal(v2.assigned_tunnel_id, 0x4242);
	same_text(v2.host_name, "a.example");
	/* and only an SCCRQ that offers L2TPv3 may look like this */
	w.buf[19] = V3_SCCRP;
	assert_false(decode(&w, none));
	wire(&w, sccrq);
	w.buf[1] = 2;
	assert_true(decode(&w, none));
	w.buf[5] = 1;					/* a Tunnel ID */
	assert_false(decode(&w, none));
	wire(&w, sccrq_both);
	w.buf[64] = 99;					/* Assigned Control Connection ID is another AVP now */
	assert_false(v3_offered(w.buf, w.n));
}

static void test_hidden(void **state)
{
	struct v3_auth a;
	struct span key = hide_key(&a);
	uint8_t out[256];
	struct wire w, x;

	(void)state;
	wire(&w, icrq_hidden);
	assert_true(decode(&w, key));
	assert_int_equal(w.m.unread | w.m.odd.error | w.m.missing, 0);
	assert_int_equal(w.m.hidden, V3_BIT(V3_AVP_LOCAL_SESSION_ID) | V3_BIT(V3_AVP_COOKIE) | V3_BIT(V3_AVP_REMOTE_END_ID));
	assert_int_equal(w.m.local_session_id, 0x11111111);
	same_text(w.m.remote_end_id, "site-7");
	assert_memory_equal(w.m.cookie.octets, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
	/* what we hide, we read */
	x.n = v3_encode(&w.m, x.buf, sizeof(x.buf), key);
	assert_true(x.n);
	assert_true(decode(&x, key));
	assert_int_equal(x.m.hidden, w.m.hidden);
	same_text(x.m.remote_end_id, "site-7");
	assert_int_equal(v3_encode(&w.m, out, sizeof(out), none), 0);	/* never in the clear by accident */
	/* without the key */
	assert_true(decode(&w, none));
	assert_int_equal(w.m.unread, V3_BIT(V3_AVP_LOCAL_SESSION_ID) | V3_BIT(V3_AVP_COOKIE) | V3_BIT(V3_AVP_REMOTE_END_ID));
	assert_int_equal(w.m.remote_end_id.n, 0);
	wire(&w, hidden_overflow);
	assert_true(decode(&w, key));
	assert_int_equal(w.m.odd.error, L2TP_E_LENGTH);
	assert_int_equal(w.m.odd.error_avp, 66);
	wire(&w, hidden_short);
	assert_true(decode(&w, key));
	assert_int_equal(w.m.remote_end_id.n, 0);
}

/* One AVP behind the Message Type of a message of this type. */
static void with(struct wire *w, unsigned type, unsigned bits, unsigned vendor, unsigned avp, const void *value, size_t n)
{
	struct wr wr = wr_init(w->buf, sizeof(w->buf));

	wr_u16(&wr, 0xc803);
	wr_u16(&wr, 20 + 6 + n);
	wr_u64(&wr, 0);
	wr_u16(&wr, 0x8008);
	wr_u16(&wr, 0);
	wr_u16(&wr, 0);
	wr_u16(&wr, type);
	wr_u16(&wr, bits | (6 + n));
	wr_u16(&wr, vendor);
	wr_u16(&wr, avp);
	wr_bytes(&wr, value, n);
	w->n = wr_len(&wr);
}

/* 5.2, 7.1 */
static void test_malformed(void **state)
{
	static const struct { unsigned avp; size_t good; } sized[] = {
		{ 60, 4 }, { 61, 4 }, { 10, 2 }, { 63, 4 }, { 64, 4 }, { 15, 4 }, { 68, 2 }, { 69, 2 }, { 70, 2 }, { 71, 2 },
		{ 74, 8 }, { 75, 8 }, { 25, 4 }, { 5, 8 }, { 34, 26 },
	};
	static const uint8_t zero[64];
	struct wire w;

	(void)state;
	for (unsigned i = 0; i < sizeof(sized) / sizeof(sized[0]); i++)
		for (size_t n = 0; n < 40; n++)
			for (unsigned m = 0; m < 2; m++) {
				bool good = n == sized[i].good || (sized[i].avp == 34 && n == 18);

				with(&w, V3_ICRQ, m << 15, 0, sized[i].avp, zero, n);
				assert_true(decode(&w, none));
				/* malformed and not mandatory: as if it were not there */
				assert_int_equal(w.m.odd.error, good || !m ? 0 : L2TP_E_LENGTH);
				assert_int_equal(w.m.odd.error_avp, good || !m ? 0 : sized[i].avp);
				assert_int_equal(w.m.present != V3_BIT(V3_AVP_MSG_TYPE), good);
			}
	for (size_t n = 0; n < 12; n++) {		/* a cookie that we cannot send is no thing to ignore */
		with(&w, V3_ICRQ, 0, 0, 65, zero, n);
		assert_true(decode(&w, none));
		assert_int_equal(w.m.odd.error, n == 0 || n == 4 || n == 8 ? 0 : L2TP_E_LENGTH);
	}
	with(&w, V3_SCCRQ, 0x8000, 0, 62, zero, 3);
	assert_true(decode(&w, none) && w.m.odd.error == L2TP_E_LENGTH);
	with(&w, V3_SCCRQ, 0x8000, 0, 7, zero, 0);
	assert_true(decode(&w, none) && w.m.odd.error == L2TP_E_LENGTH);
	/* unknown: by its M bit; reserved bits mean nothing; an Extended Vendor ID is nobody's that we know */
	with(&w, V3_ICRQ, 0x8000, 0, 99, zero, 2);
	assert_true(decode(&w, none) && w.m.odd.unknown_m && w.m.odd.unknown_avp == 99);
	with(&w, V3_ICRQ, 0, 0, 99, zero, 2);
	assert_true(decode(&w, none) && !w.m.odd.unknown_m);
	with(&w, V3_ICRQ, 0x8000, 9, 60, zero, 2);
	assert_true(decode(&w, none) && w.m.odd.unknown_m && w.m.odd.unknown_vendor == 9);
	with(&w, V3_ICRQ, 0xbc00, 0, 68, zero, 2);
	assert_true(decode(&w, none) && !w.m.odd.error && v3_has(&w.m, V3_AVP_PW_TYPE));
	with(&w, V3_ICRQ, 0x8000, 0, 58, zero, 12);
	assert_true(decode(&w, none) && !w.m.odd.unknown_m);
	with(&w, V3_ICRQ, 0xc000, 0, 60, zero, 4);	/* hidden, and must not be */
	assert_true(decode(&w, none) && w.m.odd.error == L2TP_E_VALUE);
	with(&w, V3_ICRQ, 0x8000, 0, 0, zero, 2);	/* a second Message Type */
	assert_true(decode(&w, none) && w.m.odd.error == L2TP_E_VALUE && w.m.type == V3_ICRQ);
	/* an AVP that leaves its message */
	with(&w, V3_ICRQ, 0x8000, 0, 66, zero, 4);
	w.buf[21]++;
	assert_false(decode(&w, none));
	with(&w, V3_CDN, 0x8000, 0, 1, zero, 4);
	w.buf[21]++;
	assert_true(decode(&w, none) && v3_has(&w.m, V3_AVP_RESULT_CODE));	/* but a CDN is a CDN */
	w.buf[21] = 5;
	assert_true(decode(&w, none) && !v3_has(&w.m, V3_AVP_RESULT_CODE));
	/* a vendor's message is none of ours */
	with(&w, V3_STOPCCN, 0, 0, 99, zero, 0);
	w.buf[15] = 9;
	assert_true(decode(&w, none) && w.m.type_vendor == 9 && w.m.type != V3_STOPCCN && w.m.type_m);
}

/* 3.2.1: T, L and S; other bits are ignored; the version. */
static void test_header(void **state)
{
	struct wire w;
	uint32_t id;

	(void)state;
	for (unsigned bit = 0; bit < 16; bit++) {
		wire(&w, icrq);
		w.buf[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		assert_int_equal(decode(&w, none), bit != 0 && bit != 1 && bit != 4 && bit < 12);
		assert_int_equal(v3_peek(w.buf, w.n, &id), bit != 0 && bit != 1 && bit != 4 && bit < 12);
	}
	wire(&w, icrq);
	assert_true(v3_peek(w.buf, w.n, &id) && id == 0x9abcdef0);
	wire(&w, "c803000c9abcdef000010002");		/* ZLB */
	assert_true(decode(&w, none) && w.m.type == V3_ZLB && w.m.nr == 2 && !w.m.missing);
	assert_int_equal(v3_encode(&w.m, w.scratch, 64, none), 12);
	assert_memory_equal(w.scratch, w.buf, 12);
	w.buf[1] = 2;
	assert_false(decode(&w, none));
}

/* Section 6: what must be in each message.  (Attribute types.) */
static void test_missing(void **state)
{
	static const struct { unsigned type; uint8_t must[8]; } table[] = {
		{ V3_SCCRQ, { 7, 60, 61, 62 } }, { V3_SCCRP, { 7, 60, 61, 62 } }, { V3_SCCCN, { 0 } }, { V3_STOPCCN, { 1 } },
		{ V3_HELLO, { 0 } }, { V3_ICRQ, { 63, 64, 15, 68, 66, 71 } }, { V3_ICRP, { 63, 64, 71 } }, { V3_ICCN, { 63, 64 } },
		{ V3_OCRQ, { 63, 64, 15, 68, 66, 71 } }, { V3_OCRP, { 63, 64, 71 } }, { V3_OCCN, { 63, 64 } },
		{ V3_CDN, { 1, 63, 64 } }, { V3_WEN, { 63, 64, 34 } }, { V3_SLI, { 63, 64 } }, { V3_ACK, { 0 } },
	};
	struct wire w;

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint32_t want = 0;

		for (unsigned k = 0; table[i].must[k]; k++)
			for (unsigned a = 1; a < V3_N_AVPS; a++)
				if (!strcmp(v3_avp_name(a), l2tp_avp_name(table[i].must[k])))
					want |= V3_BIT(a);
		with(&w, table[i].type, 0, 0, 99, "", 0);
		assert_true(decode(&w, none));
		assert_int_equal(w.m.missing, want);
		assert_string_not_equal(l2tp_msg_name(table[i].type), "?");
	}
	for (unsigned a = 0; a < V3_N_AVPS; a++)
		assert_string_not_equal(v3_avp_name(a), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden), cmocka_unit_test(test_both), cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_header), cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
