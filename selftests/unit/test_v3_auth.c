/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control Message Authentication against digests made with another implementation of RFC 3931 4.3 and 5.4.1 (which prints no
 * examples), and against everything that is not one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/digest.h"
#include "lib/v3_end.h"

/* A's nonce is 00..0f, B's 80..8f; the secret is "sesame" unless the name says otherwise */
static const char sccrq_md5[] =
	"c80300780000000000000000800800000000000180170000003b00349f993df178d7fe7d0034c9086e5c49801600000049000102030405"
	"060708090a0b0c0d0e0f800f00000007612e6578616d706c65800a0000003cc0000201800a0000003d1234567880080000000a0010800c"
	"0000003e000400050007";
static const char sccrq_sha1[] =
	"c803007c00000000000000008008000000000001801b0000003b017b107a04815255c6a5e30c54485b89139e366d9d8016000000490001"
	"02030405060708090a0b0c0d0e0f800f00000007612e6578616d706c65800a0000003cc0000201800a0000003d1234567880080000000a"
	"0010800c0000003e000400050007";
/* signed with "open" and with "sesame"; with "sesame" by MD5 and by SHA-1 */
static const char sccrq_two[] =
	"c803008f0000000000000000800800000000000180170000003b002dad55efcb6ad339444bd68fd08a946380170000003b00d1a89ea304"
	"9a882905ced4dfae018b9b801600000049000102030405060708090a0b0c0d0e0f800f00000007612e6578616d706c65800a0000003cc0"
	"000201800a0000003d1234567880080000000a0010800c0000003e000400050007";
static const char sccrq_mixed[] =
	"c80300930000000000000000800800000000000180170000003b006f116f26e7de1ca62824c0ecf638741b801b0000003b01f1c6f97f96"
	"b54ae5b0dc2f242f8a66a32e5d89f8801600000049000102030405060708090a0b0c0d0e0f800f00000007612e6578616d706c65800a00"
	"00003cc0000201800a0000003d1234567880080000000a0010800c0000003e000400050007";
static const char sccrp_md5[] =
	"c80300741234567800000001800800000000000280170000003b0025f8fc0ebb99bb3058f646080ffbc5b6801600000049808182838485"
	"868788898a8b8c8d8e8f800f00000007622e6578616d706c65800a0000003cc0000202800a0000003d9abcdef080080000000a00088008"
	"0000003e0005";
static const char sccrp_sha1[] =
	"c803007812345678000000018008000000000002801b0000003b01137c6b7ed99fae45a6f5a1bc2727627ff96cd1ff8016000000498081"
	"82838485868788898a8b8c8d8e8f800f00000007622e6578616d706c65800a0000003cc0000202800a0000003d9abcdef080080000000a"
	"000880080000003e0005";
static const char scccn_md5[] =
	"c803002b9abcdef000010001800800000000000380170000003b00345012edfd915b75fc8abf3f7b972c29";
static const char ack_md5[] =
	"c803002b1234567800010002800800000000001480170000003b008914441e421f9fe8e60295f4606a905a";
/* no secret: the integrity check of 4.3 */
static const char integrity[] =
	"c803002b9abcdef000020001800800000000000680170000003b000e43ce351bb908b03b0d53189c8a87ee";

static const struct span none, sesame = { (const uint8_t *)"sesame", 6 }, open_ = { (const uint8_t *)"open", 4 };

struct wire { uint8_t buf[256]; size_t n; };

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static struct wire wire(const char *hex)
{
	struct wire w = { .n = 0 };

	for (; hex[0]; hex += 2)
		w.buf[w.n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
	return w;
}

static struct v3_auth auth(struct span one, struct span two, uint8_t first_nonce)
{
	const struct span secret[2] = { one, two };
	struct sim s;
	struct env env = sim_env(&s);
	struct v3_auth a;

	sim_init(&s, first_nonce);
	v3_auth_init(&a, &env, secret, V3_HMAC_MD5);
	assert_int_equal(a.nonce_len, one.n || two.n ? 16 : 0);
	for (unsigned i = 0; i < 16; i++)
		a.nonce[i] = (uint8_t)(first_nonce + i);
	return a;
}

static enum v3_verdict verify(const struct v3_auth *a, struct wire w, struct v3_signature *sig)
{
	uint8_t *p = malloc(w.n ? w.n : 1);		/* a sanitizer sees one octet past it */
	enum v3_verdict v;

	assert_non_null(p);
	memcpy(p, w.buf, w.n);
	v = v3_verify(a, p, w.n, sig);
	assert_memory_equal(p, w.buf, w.n);
	free(p);
	return v;
}

static void agree(struct v3_auth *a, const char *hex)
{
	struct v3_signature sig;
	struct wire w = wire(hex);
	struct v3_msg m;

	assert_int_equal(verify(a, w, &sig), V3_GOOD);
	assert_true(v3_decode(&m, w.buf, w.n, none, NULL));
	assert_true(v3_auth_agree(a, &m, &sig));
}

/* Wipes the digests of a message and signs it again: the same octets. */
static void signs(const struct v3_auth *a, const char *hex)
{
	struct wire w = wire(hex), blank = w;
	size_t n = w.buf[21] - 7u;

	memset(blank.buf + 27, 0xaa, n);
	if (blank.buf[27 + n + 5] == 59)
		memset(blank.buf + 27 + n + 7, 0xbb, blank.buf[27 + n + 1] - 7u);
	v3_sign(a, blank.buf, blank.n);
	assert_memory_equal(blank.buf, w.buf, w.n);
}

/* Each bit of it that is flipped makes it false; so does each octet that is lacking. */
static void fragile(const struct v3_auth *a, const char *hex)
{
	struct v3_signature sig;
	struct wire w;

	for (unsigned bit = 0; bit < 8 * wire(hex).n; bit++) {
		w = wire(hex);
		w.buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(verify(a, w, &sig), V3_GOOD);
	}
	for (size_t n = 0; n < wire(hex).n; n++) {
		w = wire(hex);
		w.n = n;
		assert_int_not_equal(verify(a, w, &sig), V3_GOOD);
	}
}

static void test_vectors(void **state)
{
	struct v3_auth a = auth(sesame, none, 0), b = auth(sesame, none, 0x80), a2 = a, b2;
	struct v3_signature sig;

	(void)state;
	signs(&a, sccrq_md5);
	signs(&a, sccrq_sha1);
	signs(&a, sccrq_mixed);
	fragile(&b, sccrq_md5);
	fragile(&b, sccrq_sha1);
	b2 = b;
	agree(&b, sccrq_md5);
	assert_int_equal(b.digest, V3_HMAC_MD5);
	agree(&b2, sccrq_sha1);
	assert_int_equal(b2.digest, V3_HMAC_SHA1);
	signs(&b, sccrp_md5);
	signs(&b, ack_md5);
	signs(&b2, sccrp_sha1);
	fragile(&a, sccrp_md5);
	fragile(&a2, sccrp_sha1);
	agree(&a, sccrp_md5);
	agree(&a2, sccrp_sha1);
	signs(&a, scccn_md5);
	fragile(&b, scccn_md5);
	fragile(&a, ack_md5);
	/* one's own messages are not the peer's */
	assert_int_equal(verify(&a, wire(scccn_md5), &sig), V3_FORGED);
	assert_int_equal(verify(&b, wire(ack_md5), &sig), V3_FORGED);
	/* nor is another connection's SCCRP, once one is agreed on */
	a.peer_nonce[0] ^= 1;
	assert_int_equal(verify(&a, wire(sccrp_md5), &sig), V3_FORGED);
	/* padding behind Length is nobody's business */
	struct wire w = wire(scccn_md5);

	w.n += 5;
	assert_int_equal(verify(&b, w, &sig), V3_GOOD);
}

/* 5.4.1: two secrets, two digests: good if any pair is. */
static void test_rollover(void **state)
{
	struct v3_auth old = auth(open_, none, 0x80), new = auth(sesame, none, 0x80), both = auth(open_, sesame, 0);
	struct v3_signature sig;
	struct v3_msg m;

	(void)state;
	signs(&both, sccrq_two);
	v3_auth_prepare(&both, &m);
	assert_int_equal(m.n_digests, 2);
	assert_int_equal(verify(&old, wire(sccrq_two), &sig), V3_GOOD);
	assert_int_equal(verify(&new, wire(sccrq_two), &sig), V3_GOOD);
	assert_int_equal(verify(&new, wire(sccrq_mixed), &sig), V3_GOOD);
	assert_int_equal(verify(&old, wire(sccrq_mixed), &sig), V3_FORGED);
	assert_int_equal(verify(&old, wire(sccrq_md5), &sig), V3_FORGED);
	/* who has both learns which one the peer has, and then signs with that alone */
	assert_int_equal(verify(&both, wire(sccrq_sha1), &sig), V3_GOOD);
	assert_int_equal(sig.key_no, 1);
	assert_int_equal(sig.digest, V3_HMAC_SHA1);
	agree(&both, sccrp_sha1);
	v3_auth_prepare(&both, &m);
	assert_int_equal(m.n_digests, 1);
	assert_int_equal(m.digest_type[0], V3_HMAC_SHA1);
	assert_memory_equal(v3_hide_key(&both, both.key_no).p, v3_hide_key(&new, 0).p, V3_KEY_LEN);
}

static void test_disabled(void **state)
{
	struct v3_auth off = auth(none, none, 0), on = auth(sesame, none, 0x80);
	struct wire plain = wire("c80300149abcdef0000200018008000000000006"), zlb = wire("c803000c9abcdef000010002");
	struct v3_signature sig;
	struct v3_msg m;

	(void)state;
	assert_int_equal(v3_hide_key(&off, 0).n, 0);
	assert_int_equal(verify(&off, plain, &sig), V3_GOOD);
	assert_int_equal(verify(&off, zlb, &sig), V3_GOOD);
	for (unsigned bit = 0; bit < 8 * 43; bit++) {
		struct wire w = wire(integrity);

		w.buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (bit / 8 < 22 || bit / 8 >= 26)	/* else it is a message without a digest of ours */
			assert_int_equal(verify(&off, w, &sig), V3_FORGED);
	}
	assert_int_equal(verify(&off, wire(integrity), &sig), V3_GOOD);
	assert_int_equal(verify(&off, wire(sccrq_md5), &sig), V3_FORGED);
	/* 6.15: no ZLB, no message without a digest, where there is a secret */
	assert_int_equal(verify(&on, plain, &sig), V3_UNSIGNED);
	assert_int_equal(verify(&on, zlb, &sig), V3_UNSIGNED);
	assert_int_equal(verify(&on, wire(integrity), &sig), V3_FORGED);
	v3_auth_prepare(&off, &m);
	assert_int_equal(m.n_digests, 0);
	/* 4.3: either both or neither */
	m = (struct v3_msg){ .type = V3_SCCRQ };
	assert_true(v3_auth_agree(&off, &m, &sig));
	assert_false(v3_auth_agree(&on, &m, &sig));
	m.present = V3_BIT(V3_AVP_NONCE);
	m.nonce = (struct span){ on.nonce, 16 };
	assert_false(v3_auth_agree(&off, &m, &sig));
	assert_true(v3_auth_agree(&on, &m, &sig));
	m.nonce.n = V3_PEER_NONCE_MAX + 1;
	assert_false(v3_auth_agree(&on, &m, &sig));
}

/* 5.4.1: immediately after Message Type, or it does not count. */
static void test_place(void **state)
{
	struct v3_auth b = auth(sesame, none, 0x80);
	struct v3_signature sig;
	struct wire w = wire(sccrq_md5);
	uint8_t digest[23];

	(void)state;
	memcpy(digest, w.buf + 20, 23);
	memmove(w.buf + 20, w.buf + 43, w.n - 43);
	memcpy(w.buf + w.n - 23, digest, 23);
	memset(w.buf + w.n - 16, 0, 16);
	hmac_md5(w.buf + w.n - 16, (struct span){ b.key[0].digest, 16 }, &(struct span){ w.buf, w.n }, 1);
	assert_int_equal(verify(&b, w, &sig), V3_UNSIGNED);
	w = wire(sccrq_md5);
	w.buf[26] = 2;					/* a digest of a type that nobody knows */
	assert_int_equal(verify(&b, w, &sig), V3_FORGED);
	w = wire(sccrq_md5);
	w.buf[20] |= 0x40;				/* hidden */
	assert_int_equal(verify(&b, w, &sig), V3_FORGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_rollover), cmocka_unit_test(test_disabled),
		cmocka_unit_test(test_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
