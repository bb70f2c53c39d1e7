/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VICI's octets: the examples of strongSwan's own description, what a list-sa event looks like, and what nobody may send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "vici/msg.h"

#define SPAN(s) ((struct span){ (const uint8_t *)(s), sizeof(s) - 1 })

/* Sections "conn" { "children" { "net" { key, list } } } as the description has them. */
static const char nested[] = "\x01\x07section" "\x01\x0bsub-section" "\x03\x04" "key1" "\x00\x06" "value1" "\x02" "\x02"
			     "\x04\x05" "list1" "\x05\x00\x05" "item1" "\x05\x00\x05" "item2" "\x06";

static void key_and_value(void **state)
{
	uint8_t out[16];
	struct wr w = wr_init(out, sizeof(out));

	(void)state;
	vici_key(&w, "k", "v");
	assert_false(w.bad);
	assert_int_equal(wr_len(&w), 6);
	assert_memory_equal(out, "\x03\x01k\x00\x01v", 6);
}

static void writes_what_is_described(void **state)
{
	uint8_t out[sizeof(nested) + 4];
	struct wr w = wr_init(out, sizeof(out));

	(void)state;
	vici_section(&w, "section");
	vici_section(&w, "sub-section");
	vici_key(&w, "key1", "value1");
	vici_section_end(&w);
	vici_section_end(&w);
	vici_list(&w, "list1");
	vici_list_item(&w, "item1");
	vici_list_item(&w, "item2");
	vici_list_end(&w);
	assert_false(w.bad);
	assert_int_equal(wr_len(&w), sizeof(nested) - 1);
	assert_memory_equal(out, nested, sizeof(nested) - 1);
}

static void reads_what_is_described(void **state)
{
	struct span section, sub, list;
	struct vici_item it;
	struct rd r;

	(void)state;
	assert_true(vici_valid(SPAN(nested)));
	section = vici_get(SPAN(nested), "section");
	sub = vici_get(section, "sub-section");
	assert_true(vici_is(vici_get(sub, "key1"), "value1"));
	assert_null(vici_get(SPAN(nested), "key1").p);		/* at this level only */
	assert_null(vici_get(SPAN(nested), "sub-section").p);
	list = vici_get(SPAN(nested), "list1");
	r = rd_init(list.p, list.n);
	assert_true(vici_next(&r, &it));
	assert_true(it.type == VICI_LIST_ITEM && vici_is(it.value, "item1"));
	assert_true(vici_next(&r, &it));
	assert_true(vici_is(it.value, "item2"));
	assert_false(vici_next(&r, &it));
}

static void empty_things(void **state)
{
	static const char msg[] = "\x01\x01" "s" "\x02" "\x04\x01" "l" "\x06" "\x03\x01" "k" "\x00\x00";
	struct span none = { NULL, 0 };
	struct vici_item it;
	struct rd r;

	(void)state;
	assert_true(vici_valid(none));
	assert_null(vici_get(none, "k").p);
	assert_true(vici_valid(SPAN(msg)));
	assert_non_null(vici_get(SPAN(msg), "s").p);
	assert_int_equal(vici_get(SPAN(msg), "s").n, 0);
	assert_true(vici_is(vici_get(SPAN(msg), "k"), ""));
	assert_false(vici_is(vici_get(SPAN(msg), "x"), ""));
	r = rd_init(msg, sizeof(msg) - 1);
	for (unsigned i = 0; i < 3; i++)
		assert_true(vici_next(&r, &it));
	assert_false(vici_next(&r, &it));
}

static void nonsense_is_refused(void **state)
{
	static const struct { const char *what; struct span msg; } bad[] = {
		{ "type 0", SPAN("\0") },
		{ "type 7", SPAN("\7") },
		{ "a section that does not end", SPAN("\x01\x01s") },
		{ "a section's end alone", SPAN("\x02") },
		{ "a list that does not end", SPAN("\x04\x01l\x05\x00\x01i") },
		{ "an item outside a list", SPAN("\x05\x00\x01i") },
		{ "a list's end alone", SPAN("\x06") },
		{ "a key in a list", SPAN("\x04\x01l\x03\x01k\x00\x00\x06") },
		{ "a list in a list", SPAN("\x04\x01l\x04\x01m\x06\x06") },
		{ "a section in a list", SPAN("\x04\x01l\x01\x01s\x02\x06") },
		{ "a list closed as a section", SPAN("\x04\x01l\x02") },
		{ "a section closed as a list", SPAN("\x01\x01s\x06") },
		{ "a name past the end", SPAN("\x03\x05k\x00\x00") },
		{ "a value past the end", SPAN("\x03\x01k\x00\x09v") },
		{ "half a length", SPAN("\x03\x01k\x00") },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("# %s\n", bad[i].what);
		assert_false(vici_valid(bad[i].msg));
		(void)vici_get(bad[i].msg, "k");
	}
}

static void depth_is_bounded(void **state)
{
	uint8_t out[512];
	struct wr w;

	(void)state;
	for (unsigned depth = VICI_DEPTH_MAX; depth <= VICI_DEPTH_MAX + 1; depth++) {
		w = wr_init(out, sizeof(out));
		for (unsigned i = 0; i < depth; i++)
			vici_section(&w, "s");
		for (unsigned i = 0; i < depth; i++)
			vici_section_end(&w);
		assert_int_equal(vici_valid((struct span){ out, wr_len(&w) }), depth == VICI_DEPTH_MAX);
	}
}

static void numbers_and_text(void **state)
{
	char buf[6];

	(void)state;
	assert_int_equal(vici_number(SPAN("1701"), false), 1701);
	assert_int_equal(vici_number(SPAN("0000000a"), true), 10);
	assert_int_equal(vici_number(SPAN("C35a14E9"), true), 0xc35a14e9);
	assert_int_equal(vici_number(SPAN("12x"), false), 0);
	assert_int_equal(vici_number(SPAN("a"), false), 0);
	assert_int_equal(vici_number(SPAN("18446744073709551616"), false), 0);
	assert_int_equal(vici_number((struct span){ NULL, 0 }, false), 0);
	assert_string_equal(vici_text(SPAN("a\x1b[2Jbcd"), buf, sizeof(buf)), "a?[2J");
	assert_string_equal(vici_text((struct span){ NULL, 0 }, buf, sizeof(buf)), "");
}

static void packets(void **state)
{
	static uint8_t big[VICI_PACKET_MAX + 64];
	uint8_t out[64];
	struct wr w = wr_init(out, sizeof(out));
	char long_name[300];

	(void)state;
	vici_packet(&w, VICI_CMD_REQUEST, "version", (struct span){ NULL, 0 });
	assert_int_equal(wr_len(&w), 13);
	assert_memory_equal(out, "\0\0\0\x09\0\x07version", 13);
	w = wr_init(big, sizeof(big));
	vici_packet(&w, VICI_CMD_RESPONSE, NULL, (struct span){ big + 5, VICI_PACKET_MAX });
	assert_true(w.bad);
	memset(long_name, 'n', sizeof(long_name));
	long_name[256] = '\0';
	w = wr_init(big, sizeof(big));
	vici_key(&w, long_name, "");
	assert_true(w.bad);
	w = wr_init(big, sizeof(big));
	vici_key_span(&w, "k", (struct span){ big + 1024, 65536 });
	assert_true(w.bad);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_and_value),
		cmocka_unit_test(writes_what_is_described),
		cmocka_unit_test(reads_what_is_described),
		cmocka_unit_test(empty_things),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(numbers_and_text),
		cmocka_unit_test(packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
