/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ppp/mschap.h"

#include <string.h>

#include "base/digest.h"

static const uint8_t magic1[39] = "Magic server to client signing constant";	/* RFC 2759 8.7 */
static const uint8_t magic2[41] = "Pad to make it do more than one iteration";

void chap_md5_response(uint8_t ret[16], uint8_t id, struct span password, struct span challenge)
{
	md5(ret, (struct span[]){ { &id, 1 }, password, challenge }, 3);	/* RFC 1994 4.1 */
}

/* One character of UTF-8 (RFC 3629), or UINT32_MAX: overlong, surrogate, too high or cut off. */
static uint32_t rd_utf8(struct rd *r)
{
	uint32_t c = rd_u8(r), low = 0x80;
	unsigned more = 0;

	if (c < 0x80)
		return r->bad ? UINT32_MAX : c;
	if ((c & 0xe0) == 0xc0) {
		more = 1;
		c &= 0x1f;
	} else if ((c & 0xf0) == 0xe0) {
		more = 2;
		c &= 0x0f;
		low = 0x800;
	} else if ((c & 0xf8) == 0xf0) {
		more = 3;
		c &= 0x07;
		low = 0x10000;
	} else {
		return UINT32_MAX;
	}
	while (more--) {
		uint8_t next = rd_u8(r);

		if ((next & 0xc0) != 0x80)
			return UINT32_MAX;
		c = c << 6 | (next & 0x3f);
	}
	return c < low || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? UINT32_MAX : c;
}

static void wr_le16(struct wr *w, uint32_t v)
{
	wr_u8(w, v & 0xff);
	wr_u8(w, v >> 8);
}

bool mschap_nt_hash(uint8_t ret[16], struct span password)
{
	uint8_t utf16[2 * 256];
	struct rd r = rd_init(password.p, password.n);
	struct wr w = wr_init(utf16, sizeof(utf16));
	bool bad = false;

	while (rd_left(&r) && !bad) {
		uint32_t c = rd_utf8(&r);

		if (c == UINT32_MAX) {
			bad = true;
		} else if (c < 0x10000) {
			wr_le16(&w, c);
		} else {
			wr_le16(&w, 0xd800 + ((c - 0x10000) >> 10));
			wr_le16(&w, 0xdc00 + ((c - 0x10000) & 0x3ff));
		}
	}
	bad |= w.bad;
	if (!bad)
		md4(ret, &(struct span){ utf16, wr_len(&w) }, 1);
	wipe(utf16, sizeof(utf16));
	return !bad;
}

/* 8.2 ChallengeHash: "only the user name, not DOMAIN\". */
static void challenge_hash(uint8_t ret[SHA1_LEN], const uint8_t peer_challenge[16], const uint8_t auth_challenge[16],
			   struct span name)
{
	const uint8_t *slash = name.n ? memchr(name.p, '\\', name.n) : NULL;

	if (slash)
		name = (struct span){ slash + 1, name.n - (size_t)(slash + 1 - name.p) };
	sha1(ret, (struct span[]){ { peer_challenge, 16 }, { auth_challenge, 16 }, name }, 3);
}

void mschapv2_response(uint8_t ret[24], const uint8_t auth_challenge[16], const uint8_t peer_challenge[16],
		       struct span name, const uint8_t nt_hash[16])
{
	uint8_t challenge[SHA1_LEN], key[21] = { 0 };

	challenge_hash(challenge, peer_challenge, auth_challenge, name);
	memcpy(key, nt_hash, 16);				/* 8.5 */
	for (unsigned i = 0; i < 3; i++)
		des7(ret + 8 * i, challenge, key + 7 * i);
	wipe(key, sizeof(key));
}

void mschapv2_auth_response(uint8_t ret[20], const uint8_t nt_hash[16], const uint8_t nt_response[24],
			    const uint8_t auth_challenge[16], const uint8_t peer_challenge[16], struct span name)
{
	uint8_t challenge[SHA1_LEN], hash_hash[MD4_LEN], digest[SHA1_LEN];

	md4(hash_hash, &(struct span){ nt_hash, 16 }, 1);
	sha1(digest, (struct span[]){ { hash_hash, 16 }, { nt_response, 24 }, { magic1, sizeof(magic1) } }, 3);
	challenge_hash(challenge, peer_challenge, auth_challenge, name);
	sha1(ret, (struct span[]){ { digest, sizeof(digest) }, { challenge, 8 }, { magic2, sizeof(magic2) } }, 3);
	wipe(hash_hash, sizeof(hash_hash));
}
