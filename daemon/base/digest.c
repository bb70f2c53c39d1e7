/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "digest.h"

#include <nettle/des.h>
#include <nettle/hmac.h>
#include <nettle/md4.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>

#define DIGEST(name, LEN)							\
void name(uint8_t *out, const struct span *part, unsigned n)			\
{										\
	struct name##_ctx c;							\
										\
	name##_init(&c);							\
	for (unsigned i = 0; i < n; i++)					\
		name##_update(&c, part[i].n, part[i].p);			\
	name##_digest(&c, LEN, out);						\
	wipe(&c, sizeof(c));							\
}

#define HMAC(name, LEN)								\
void hmac_##name(uint8_t *out, struct span key, const struct span *part, unsigned n) \
{										\
	struct hmac_##name##_ctx c;						\
										\
	hmac_##name##_set_key(&c, key.n, key.p);				\
	for (unsigned i = 0; i < n; i++)					\
		hmac_##name##_update(&c, part[i].n, part[i].p);			\
	hmac_##name##_digest(&c, LEN, out);					\
	wipe(&c, sizeof(c));							\
}

DIGEST(md4, MD4_LEN)
DIGEST(md5, MD5_LEN)
DIGEST(sha1, SHA1_LEN)
HMAC(md5, MD5_LEN)
HMAC(sha1, SHA1_LEN)
HMAC(sha256, SHA256_LEN)

void des7(uint8_t out[DES_LEN], const uint8_t in[DES_LEN], const uint8_t key[7])
{
	struct des_ctx c;
	uint8_t k[8];

	for (unsigned i = 0; i < 8; i++) {
		unsigned hi = i ? key[i - 1] : 0, lo = i < 7 ? key[i] : 0;

		k[i] = (uint8_t)((hi << 8 | lo) >> i & 0xfe);
	}
	/* nettle flags weak keys but still sets them; MS-CHAP has no choice of key */
	(void)des_set_key(&c, k);
	des_encrypt(&c, DES_LEN, out, in);
	wipe(&c, sizeof(c));
	wipe(k, sizeof(k));
}

bool mem_same(const void *a, const void *b, size_t n)
{
	return memeql_sec(a, b, n);
}

bool span_same(struct span ours, struct span theirs)
{
	return ours.n == theirs.n && (!ours.n || memeql_sec(ours.p, theirs.p, ours.n));
}

void wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}
