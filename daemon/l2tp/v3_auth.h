/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control Message Authentication (RFC 3931 4.3, 5.4.1): Message Digests over whole messages, under keys derived from up to
 * two shared secrets, with a nonce of each end.  Without a secret a digest is only the integrity check of 4.3. */
#pragma once

#include "base/env.h"
#include "l2tp/v3_msg.h"

enum { V3_SECRETS = 2, V3_KEY_LEN = 16, V3_NONCE_LEN = 16, V3_PEER_NONCE_MAX = 64 };

struct v3_key { uint8_t digest[V3_KEY_LEN], hide[V3_KEY_LEN]; };	/* 5.4.1, 5.3 */

struct v3_auth {
	uint8_t n_keys;				/* 0: Control Message Authentication is disabled */
	bool agreed;				/* the peer's SCCRQ or SCCRP told which key and digest it has */
	uint8_t key_no, digest;			/* the ones to sign with; before that: the first of all keys */
	struct v3_key key[V3_SECRETS];
	uint8_t nonce_len, peer_nonce_len;	/* 0: not known */
	uint8_t nonce[V3_NONCE_LEN], peer_nonce[V3_PEER_NONCE_MAX];
};

enum v3_verdict {
	V3_GOOD,		/* believe it */
	V3_UNSIGNED,		/* no Message Digest where one must be */
	V3_FORGED,		/* none of its digests is right under any of our keys */
};

/* What a message was signed with. */
struct v3_signature { uint8_t key_no, digest; };

/* Derives the keys (empty secrets do not count) and draws our nonce; wipe() ends it. */
void v3_auth_init(struct v3_auth *, const struct env *env, const struct span secret[V3_SECRETS], enum v3_digest digest);
/* The Message Digests that the next message carries: sets n_digests and digest_type of m. */
void v3_auth_prepare(const struct v3_auth *, struct v3_msg *m);
/* Fills in the Message Digests of an encoded message whose Ns and Nr are final; those of an earlier signature may be there. */
void v3_sign(const struct v3_auth *, void *buf, size_t len);
/* Comes before anything else looks at a message; time depends on its length and on how many digests and keys there are.  The
 * Ver field may be 2 or 3.  The nonce of an SCCRP is taken from itself (5.4.1), all other messages need the peer's to be
 * known.  ret: meaningful for V3_GOOD with a digest, else zeros. */
enum v3_verdict v3_verify(const struct v3_auth *, const void *buf, size_t len, struct v3_signature *ret);
/* The peer's SCCRQ or SCCRP was good: keeps its nonce, and signs like it from now on.  False: a nonce that is absent though
 * there is a secret, present though there is none, or too long. */
bool v3_auth_agree(struct v3_auth *, const struct v3_msg *m, const struct v3_signature *s);
/* The same for one whose SCCRQ was answered earlier: our nonce of then, the peer's, and what it was signed with. */
void v3_auth_resume(struct v3_auth *, const uint8_t nonce[V3_NONCE_LEN], const uint8_t *peer_nonce, size_t peer_nonce_len,
		    unsigned key_no, unsigned digest);
/* 5.3's key of the secret that is in use; empty when there is none. */
struct span v3_hide_key(const struct v3_auth *, unsigned key_no);
