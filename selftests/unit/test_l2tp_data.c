/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data messages of RFC 2661 3.1 with every header that a peer may use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "l2tp/data.h"

#define DECODE(d, ...) decode(d, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static bool decode(struct l2tp_data *d, const uint8_t *p, size_t n)
{
	return l2tp_data_decode(d, p, n);
}

static void test_shapes(void **state)
{
	struct l2tp_data d;

	(void)state;
	/* plain; with FF 03; with a compressed protocol; both */
	assert_true(DECODE(&d, 0, 2, 0, 5, 0, 9, 0xc0, 0x21, 1, 1, 0, 4));
	assert_int_equal(d.tunnel_id, 5);
	assert_int_equal(d.session_id, 9);
	assert_int_equal(d.proto, 0xc021);
	assert_int_equal(d.info.n, 4);
	assert_true(DECODE(&d, 0, 2, 0, 5, 0, 9, 0xff, 3, 0xc0, 0x21, 1, 1, 0, 4));
	assert_int_equal(d.proto, 0xc021);
	assert_int_equal(d.info.n, 4);
	assert_true(DECODE(&d, 0, 2, 0, 5, 0, 9, 0x21, 0x45));
	assert_int_equal(d.proto, 0x21);
	assert_true(DECODE(&d, 0, 2, 0, 5, 0, 9, 0xff, 3, 0x21, 0x45));
	assert_int_equal(d.proto, 0x21);
	assert_int_equal(d.info.n, 1);
	/* L (as Apple sends it): what is beyond Length is padding; S; O with pad */
	assert_true(DECODE(&d, 0x40, 2, 0, 14, 0, 5, 0, 9, 0xc0, 0x21, 1, 1, 0, 4, 0xee, 0xee));
	assert_int_equal(d.info.n, 4);
	assert_true(DECODE(&d, 0x08, 2, 0, 5, 0, 9, 0, 1, 0, 0, 0xc0, 0x21, 1));
	assert_int_equal(d.info.n, 1);
	assert_true(DECODE(&d, 0x02, 2, 0, 5, 0, 9, 0, 2, 0xaa, 0xbb, 0xc0, 0x21, 1));
	assert_int_equal(d.proto, 0xc021);
}

static void test_refused(void **state)
{
	struct l2tp_data d;

	(void)state;
	assert_false(DECODE(&d, 0x80, 2, 0, 5, 0, 9, 0xc0, 0x21, 1));	/* control */
	assert_false(DECODE(&d, 0, 3, 0, 5, 0, 9, 0xc0, 0x21, 1));	/* version */
	assert_false(DECODE(&d, 0, 1, 0, 5, 0, 9, 0xc0, 0x21, 1));	/* L2F */
	assert_false(DECODE(&d, 0, 2, 0, 0, 0, 9, 0xc0, 0x21, 1));	/* no tunnel */
	assert_false(DECODE(&d, 0, 2, 0, 5, 0, 0, 0xc0, 0x21, 1));	/* no session */
	assert_false(DECODE(&d, 0x40, 2, 0, 40, 0, 5, 0, 9, 0xc0, 0x21));	/* Length beyond the datagram */
	assert_false(DECODE(&d, 0x40, 2, 0, 7, 0, 5, 0, 9, 0xc0, 0x21));	/* Length below the header */
	assert_false(DECODE(&d, 0x02, 2, 0, 5, 0, 9, 0xff, 0xff, 0xc0, 0x21));	/* Offset beyond all */
	assert_false(DECODE(&d, 0, 2, 0, 5, 0, 9, 0xc0));		/* half a protocol */
	assert_false(DECODE(&d, 0, 2, 0, 5, 0, 9));
	assert_false(l2tp_data_decode(&d, NULL, 0));
}

static void test_header(void **state)
{
	uint8_t h[L2TP_DATA_HEADER];
	struct l2tp_data d;

	(void)state;
	l2tp_data_header(h, 0x1234, 0xfffe, 0x8021);
	assert_true(l2tp_data_decode(&d, h, sizeof(h)));
	assert_int_equal(d.tunnel_id, 0x1234);
	assert_int_equal(d.session_id, 0xfffe);
	assert_int_equal(d.proto, 0x8021);
	assert_int_equal(d.info.n, 0);
}

/* RFC 3931 4.1.2.1, 4.6: Session ID 0x01020304, a cookie of 4, the Default Sublayer. */
static void test_v3(void **state)
{
	static const uint8_t frame[] = { 0, 3, 0, 0, 1, 2, 3, 4, 9, 8, 7, 6, 0x40, 0, 0, 5, 0xff, 3, 0xc0, 0x21, 1, 1 };
	struct v3_side own = { .cookie = { 4, { 9, 8, 7, 6 } }, .l2spec = V3_L2SPEC_DEFAULT };
	struct v3_side bare = { .l2spec = V3_L2SPEC_NONE }, eight = { .cookie = { 8, { 1, 2, 3, 4, 5, 6, 7, 8 } } };
	uint8_t h[V3_DATA_HEADER];
	struct l2tp_data d;

	(void)state;
	assert_int_equal(v3_data_session(frame, sizeof(frame)), 0x01020304);
	assert_true(v3_data_decode(&d, frame, sizeof(frame), &own));
	assert_int_equal(d.proto, 0xc021);
	assert_int_equal(d.info.n, 2);
	assert_false(v3_data_decode(&d, frame, 16, &own));	/* no frame; half a sublayer, cookie */
	assert_false(v3_data_decode(&d, frame, 15, &own));
	assert_false(v3_data_decode(&d, frame, 11, &own));
	own.cookie.octets[3]++;
	assert_false(v3_data_decode(&d, frame, sizeof(frame), &own));
	assert_false(v3_data_decode(&d, frame, sizeof(frame), &eight));
	assert_int_equal(v3_data_session((const uint8_t[]){ 0, 2, 0, 0, 0, 0, 0, 1 }, 8), 0);	/* version */
	assert_int_equal(v3_data_session((const uint8_t[]){ 0x80, 3, 0, 0, 0, 0, 0, 1 }, 8), 0);	/* control */
	assert_int_equal(v3_data_session(frame, 7), 0);
	assert_int_equal(v3_data_header(h, 7, &bare, 0x8021), 12);
	assert_int_equal(v3_data_session(h, 12), 7);
	assert_true(v3_data_decode(&d, h, 12, &bare) && d.proto == 0x8021 && !d.info.n);
	assert_int_equal(v3_data_header(h, 7, &own, 0x8021), 20);
	assert_true(v3_data_decode(&d, h, 20, &own) && d.proto == 0x8021 && !d.info.n);
	assert_int_equal(v3_data_header(h, 7, &eight, 0x8021), 20);
	assert_true(v3_data_decode(&d, h, 20, &eight) && d.proto == 0x8021);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes), cmocka_unit_test(test_refused), cmocka_unit_test(test_header),
		cmocka_unit_test(test_v3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
