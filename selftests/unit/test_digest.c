/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Known answers: RFC 1320 A.5, RFC 1321 A.5, RFC 3174 7.3, RFC 2202, RFC 4231, FIPS 81 appendix B. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/digest.h"

static struct span text(const char *s) { return (struct span){ (const uint8_t *)s, strlen(s) }; }

static void same(const uint8_t *got, const char *hex, size_t n)
{
	char out[65] = "";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = "0123456789abcdef"[got[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[got[i] & 15];
	}
	out[2 * n] = '\0';
	assert_string_equal(out, hex);
}

static void digests(void **state)
{
	struct span empty = text(""), parts[] = { text("a"), text(""), text("bc") };
	uint8_t d[32];

	(void)state;
	md4(d, &empty, 1);
	same(d, "31d6cfe0d16ae931b73c59d7e0c089c0", MD4_LEN);
	md4(d, parts, 3);
	same(d, "a448017aaf21d8525fc10ae87aa6729d", MD4_LEN);
	md5(d, &empty, 0);
	same(d, "d41d8cd98f00b204e9800998ecf8427e", MD5_LEN);
	md5(d, parts, 3);
	same(d, "900150983cd24fb0d6963f7d28e17f72", MD5_LEN);
	sha1(d, parts, 3);
	same(d, "a9993e364706816aba3e25717850c26c9cd0d89d", SHA1_LEN);
}

static void hmacs(void **state)
{
	struct span jefe = text("Jefe"), parts[] = { text("what do ya want "), text("for nothing?") };
	uint8_t d[32], long_key[80];
	struct span data = text("Test Using Larger Than Block-Size Key - Hash Key First");

	(void)state;
	hmac_md5(d, jefe, parts, 2);
	same(d, "750c783e6ab0b503eaa86e310a5db738", MD5_LEN);
	hmac_sha1(d, jefe, parts, 2);
	same(d, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", SHA1_LEN);
	hmac_sha256(d, jefe, parts, 2);
	same(d, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", SHA256_LEN);
	memset(long_key, 0xaa, sizeof(long_key));
	hmac_md5(d, (struct span){ long_key, 80 }, &data, 1);
	same(d, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd", MD5_LEN);
}

static void des_inserts_parity(void **state)
{
	static const uint8_t zero[8], weak[7];
	uint8_t out[8], full[8];

	(void)state;
	des7(out, zero, weak);
	same(out, "8ca64de9c1b123a7", 8);	/* a weak key, all zero: refused by some libraries */
	/* 0123456789abcdef without its parity bits: seven bits of each octet in a row */
	memset(full, 0, sizeof(full));
	for (unsigned i = 0; i < 56; i++)
		if ((const uint8_t[]){ 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef }[i / 7] & 0x80 >> i % 7)
			full[i / 8] |= (uint8_t)(0x80 >> i % 8);
	des7(out, (const uint8_t *)"Now is t", full);
	same(out, "3fa40e8a984d4815", 8);
}

static void comparing(void **state)
{
	uint8_t b[4] = { 1, 2, 3, 4 };

	(void)state;
	assert_true(span_same(text("abc"), text("abc")));
	assert_false(span_same(text("abc"), text("abd")));
	assert_false(span_same(text("abc"), text("ab")));
	assert_false(span_same(text(""), text("a")));
	assert_true(span_same(text(""), (struct span){ NULL, 0 }));
	assert_true(mem_same("xyz", "xyw", 2));
	assert_false(mem_same("xyz", "xyw", 3));
	wipe(b, 3);
	assert_memory_equal(b, ((uint8_t[]){ 0, 0, 0, 4 }), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests), cmocka_unit_test(hmacs), cmocka_unit_test(des_inserts_parity),
		cmocka_unit_test(comparing),
	};

	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
