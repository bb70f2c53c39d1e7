/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "v3_auth.h"

#include "base/digest.h"

enum { NS_TYPE_AT = V3_HDR_LEN + 6, AVP_DIGEST = 59, AVP_NONCE = 73 };

/* Where the one or two Message Digests of a message are, by their offsets. */
struct digests { unsigned n, type[2]; size_t at[2], len; };

static const uint8_t zeros[SHA1_LEN];

static void derive(struct v3_key *k, struct span secret)
{
	static const uint8_t one = 1, two = 2;

	hmac_md5(k->hide, secret, &(struct span){ &one, 1 }, 1);
	hmac_md5(k->digest, secret, &(struct span){ &two, 1 }, 1);
}

void v3_auth_init(struct v3_auth *a, const struct env *env, const struct span secret[V3_SECRETS], enum v3_digest digest)
{
	*a = (struct v3_auth){ .digest = (uint8_t)digest };
	for (unsigned i = 0; i < V3_SECRETS; i++)
		if (secret[i].n)
			derive(&a->key[a->n_keys++], secret[i]);
	if (!a->n_keys) {
		derive(&a->key[0], (struct span){ zeros, 0 });	/* 4.3: the integrity check */
		return;
	}
	a->nonce_len = V3_NONCE_LEN;
	env->random(env->arg, a->nonce, V3_NONCE_LEN);
}

void v3_auth_prepare(const struct v3_auth *a, struct v3_msg *m)
{
	m->n_digests = a->agreed && a->n_keys ? 1 : a->n_keys;
	m->digest_type[0] = m->digest_type[1] = a->digest;
}

/* 5.4.1: the Message Digests follow Message Type immediately.  False: the header or these AVPs are not what they must be. */
static bool find(struct digests *d, const void *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	unsigned length, bits;

	*d = (struct digests){ 0 };
	rd_u16(&r);
	length = rd_u16(&r);
	if (r.bad || length > len || length < V3_HDR_LEN)
		return false;
	d->len = length;
	r = rd_init(buf, length);
	rd_take(&r, V3_HDR_LEN);
	if (!rd_left(&r))
		return true;				/* ZLB */
	bits = rd_u16(&r);
	rd_take(&r, 6);
	if (r.bad || (bits & AVP_LEN) != 8)
		return false;
	while (d->n < 2 && rd_left(&r)) {
		struct rd v = r;
		unsigned vendor, type, n;

		bits = rd_u16(&v);
		vendor = rd_u16(&v);
		if (v.bad || vendor || rd_u16(&v) != AVP_DIGEST)
			break;
		n = bits & AVP_LEN;
		type = rd_u8(&v);
		if (v.bad || bits & AVP_H || n < 7 || rd_left(&v) < n - 7)
			return false;
		d->type[d->n] = type;
		d->at[d->n++] = v3_digest_len(type) == n - 7 ? (size_t)(v.p - (const uint8_t *)buf) : 0;
		rd_take(&r, n);
	}
	return true;
}

static unsigned msg_type(const uint8_t *p, const struct digests *d)
{
	return d->len > V3_HDR_LEN ? (unsigned)(p[NS_TYPE_AT] << 8 | p[NS_TYPE_AT + 1]) : V3_ZLB;
}

/* The digest of a message under one key: "+" of 5.4.1, with zeros in place of all its digests. */
static void compute(uint8_t out[SHA1_LEN], unsigned type, const struct v3_key *key, struct span first, struct span second,
		    const uint8_t *p, const struct digests *d)
{
	struct span part[8] = { first, second };
	unsigned n = 2;
	size_t at = 0;

	for (unsigned i = 0; i < d->n; i++) {
		if (!d->at[i])				/* of a type that we do not know: as it is */
			continue;
		part[n++] = (struct span){ p + at, d->at[i] - at };
		part[n++] = (struct span){ zeros, v3_digest_len(d->type[i]) };
		at = d->at[i] + v3_digest_len(d->type[i]);
	}
	part[n++] = (struct span){ p + at, d->len - at };
	if (type == V3_HMAC_SHA1)
		hmac_sha1(out, (struct span){ key->digest, V3_KEY_LEN }, part, n);
	else
		hmac_md5(out, (struct span){ key->digest, V3_KEY_LEN }, part, n);
}

void v3_sign(const struct v3_auth *a, void *buf, size_t len)
{
	struct span ours = { a->nonce, a->nonce_len }, theirs = { a->peer_nonce, a->peer_nonce_len };
	uint8_t digest[2][SHA1_LEN], *p = buf;
	struct digests d;

	if (!a->n_keys || !find(&d, buf, len))
		return;
	if (msg_type(p, &d) == V3_SCCRQ)		/* its nonce is in itself */
		ours.n = theirs.n = 0;
	for (unsigned i = 0; i < d.n; i++)
		compute(digest[i], d.type[i], &a->key[a->agreed ? a->key_no : i < a->n_keys ? i : 0], ours, theirs, p, &d);
	for (unsigned i = 0; i < d.n; i++)
		if (d.at[i])
			memcpy(p + d.at[i], digest[i], v3_digest_len(d.type[i]));
}

/* The nonce that an SCCRP brings: needed to verify it, and not used for anything else before. */
static struct span nonce_in(const uint8_t *p, size_t len)
{
	struct rd r = rd_init(p, len);

	rd_take(&r, V3_HDR_LEN);
	while (rd_left(&r)) {
		unsigned bits = rd_u16(&r), vendor = rd_u16(&r), type = rd_u16(&r);
		struct rd v = rd_sub(&r, (bits & AVP_LEN) - (size_t)L2TP_AVP_HDR_LEN);

		if (!v.bad && !vendor && type == AVP_NONCE && !(bits & AVP_H))
			return rd_rest(&v);
	}
	return (struct span){ zeros, 0 };
}

enum v3_verdict v3_verify(const struct v3_auth *a, const void *buf, size_t len, struct v3_signature *ret)
{
	struct span ours = { a->nonce, a->nonce_len }, theirs = { a->peer_nonce, a->peer_nonce_len };
	enum v3_verdict verdict = V3_FORGED;
	uint8_t want[SHA1_LEN];
	const uint8_t *p = buf;
	struct digests d;
	unsigned type;

	*ret = (struct v3_signature){ 0 };
	if (!find(&d, buf, len))
		return V3_FORGED;
	if (!d.n)
		return a->n_keys ? V3_UNSIGNED : V3_GOOD;
	type = msg_type(p, &d);
	if (type == V3_SCCRQ)
		ours.n = theirs.n = 0;
	else if (type == V3_SCCRP && a->n_keys && !a->agreed)
		theirs = nonce_in(p, d.len);
	for (unsigned k = 0; k < (a->n_keys ? a->n_keys : 1); k++)
		for (unsigned i = 0; i < d.n; i++) {
			if (!d.at[i])
				continue;
			/* the peer's local nonce is our remote one */
			compute(want, d.type[i], &a->key[k], theirs, ours, p, &d);
			if (!mem_same(want, p + d.at[i], v3_digest_len(d.type[i])) || verdict == V3_GOOD)
				continue;
			verdict = V3_GOOD;
			*ret = (struct v3_signature){ (uint8_t)k, (uint8_t)d.type[i] };
		}
	wipe(want, sizeof(want));
	return verdict;
}

void v3_auth_resume(struct v3_auth *a, const uint8_t nonce[V3_NONCE_LEN], const uint8_t *peer_nonce, size_t peer_nonce_len,
		    unsigned key_no, unsigned digest)
{
	if (!a->n_keys || peer_nonce_len > V3_PEER_NONCE_MAX)
		return;
	memcpy(a->nonce, nonce, V3_NONCE_LEN);
	if (peer_nonce_len)
		memcpy(a->peer_nonce, peer_nonce, peer_nonce_len);
	a->peer_nonce_len = (uint8_t)peer_nonce_len;
	a->key_no = (uint8_t)(key_no < a->n_keys ? key_no : 0);
	a->digest = (uint8_t)digest;
	a->agreed = true;
}

bool v3_auth_agree(struct v3_auth *a, const struct v3_msg *m, const struct v3_signature *s)
{
	uint8_t nonce[V3_NONCE_LEN];

	if (v3_has(m, V3_AVP_NONCE) != !!a->n_keys || m->nonce.n > V3_PEER_NONCE_MAX)
		return false;
	memcpy(nonce, a->nonce, sizeof(nonce));
	v3_auth_resume(a, nonce, m->nonce.p, m->nonce.n, s->key_no, s->digest);
	return true;
}

struct span v3_hide_key(const struct v3_auth *a, unsigned key_no)
{
	return (struct span){ a->key[key_no].hide, a->n_keys ? V3_KEY_LEN : 0 };
}
