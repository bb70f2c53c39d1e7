/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 2759 9.2's example, RFC 1994's digest, and the two rules about names and characters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/digest.h"
#include "ppp/mschap.h"

static const uint8_t auth_challenge[16] = {
	0x5b, 0x5d, 0x7c, 0x7d, 0x7b, 0x3f, 0x2f, 0x3e, 0x3c, 0x2c, 0x60, 0x21, 0x32, 0x26, 0x26, 0x28 };
static const uint8_t peer_challenge[16] = {
	0x21, 0x40, 0x23, 0x24, 0x25, 0x5e, 0x26, 0x2a, 0x28, 0x29, 0x5f, 0x2b, 0x3a, 0x33, 0x7c, 0x7e };
static const uint8_t nt_hash[16] = {
	0x44, 0xeb, 0xba, 0x8d, 0x53, 0x12, 0xb8, 0xd6, 0x11, 0x47, 0x44, 0x11, 0xf5, 0x69, 0x89, 0xae };
static const uint8_t nt_response[24] = {
	0x82, 0x30, 0x9e, 0xcd, 0x8d, 0x70, 0x8b, 0x5e, 0xa0, 0x8f, 0xaa, 0x39, 0x81, 0xcd, 0x83, 0x54, 0x42, 0x33, 0x11,
	0x4a, 0x3d, 0x85, 0xd6, 0xdf };
static const uint8_t auth_response[20] = {
	0x40, 0x7a, 0x55, 0x89, 0x11, 0x5f, 0xd0, 0xd6, 0x20, 0x9f, 0x51, 0x0f, 0xe9, 0xc0, 0x45, 0x66, 0x93, 0x2c, 0xda,
	0x56 };

static struct span text(const char *s) { return (struct span){ (const uint8_t *)s, strlen(s) }; }

static void rfc2759_example(void **state)
{
	uint8_t out[24];

	(void)state;
	assert_true(mschap_nt_hash(out, text("clientPass")));
	assert_memory_equal(out, nt_hash, 16);
	mschapv2_response(out, auth_challenge, peer_challenge, text("User"), nt_hash);
	assert_memory_equal(out, nt_response, 24);
	mschapv2_auth_response(out, nt_hash, nt_response, auth_challenge, peer_challenge, text("User"));
	assert_memory_equal(out, auth_response, 20);
}

static void domain_is_left_out(void **state)
{
	uint8_t out[24];

	(void)state;
	mschapv2_response(out, auth_challenge, peer_challenge, text("CORP\\User"), nt_hash);
	assert_memory_equal(out, nt_response, 24);
	mschapv2_auth_response(out, nt_hash, nt_response, auth_challenge, peer_challenge, text("CORP\\User"));
	assert_memory_equal(out, auth_response, 20);
	mschapv2_response(out, auth_challenge, peer_challenge, text("User@corp"), nt_hash);
	assert_memory_not_equal(out, nt_response, 24);
	mschapv2_response(out, auth_challenge, peer_challenge, (struct span){ NULL, 0 }, nt_hash);
	mschapv2_response(out, auth_challenge, peer_challenge, text("CORP\\"), nt_hash);
}

static void characters(void **state)
{
	static const char *const bad[] = {
		"\x80", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xe2\x82", "\xc3(",
	};
	uint8_t out[16], want[16], utf16[] = { 0xe9, 0, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde };
	char long_one[258];

	(void)state;
	assert_true(mschap_nt_hash(out, text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));	/* U+E9 U+20AC U+1F600 */
	md4(want, &(struct span){ utf16, sizeof(utf16) }, 1);
	assert_memory_equal(out, want, 16);
	assert_true(mschap_nt_hash(out, text("")));
	md4(want, NULL, 0);
	assert_memory_equal(out, want, 16);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(mschap_nt_hash(out, text(bad[i])));
	memset(long_one, 'x', 257);
	assert_true(mschap_nt_hash(out, (struct span){ (uint8_t *)long_one, 256 }));
	assert_false(mschap_nt_hash(out, (struct span){ (uint8_t *)long_one, 257 }));
}

static void rfc1994(void **state)
{
	uint8_t out[16], want[16], flat[] = { 7, 's', 'e', 'c', 'r', 'e', 't', 1, 2, 3 };

	(void)state;
	chap_md5_response(out, 7, text("secret"), (struct span){ (const uint8_t *)"\1\2\3", 3 });
	md5(want, &(struct span){ flat, sizeof(flat) }, 1);
	assert_memory_equal(out, want, 16);
	chap_md5_response(out, 8, text("secret"), (struct span){ (const uint8_t *)"\1\2\3", 3 });
	assert_memory_not_equal(out, want, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc2759_example), cmocka_unit_test(domain_is_left_out), cmocka_unit_test(characters),
		cmocka_unit_test(rfc1994),
	};

	return cmocka_run_group_tests_name("mschap", tests, NULL, NULL);
}
