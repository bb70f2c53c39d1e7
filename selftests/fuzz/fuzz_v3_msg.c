/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The L2TPv3 codec, with a key, so that what comes out of the cipher is fuzzed too: whatever decodes re-encodes, and that
 * decodes to the same message; whatever is signed verifies, and no stranger gets more octets than he sends. */
#include <stdlib.h>

#include "l2tp/v3_halfopen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void chance(void *arg, void *buf, size_t len)
{
	uint32_t *x = arg;

	for (uint8_t *p = buf; len--; *p++ = (uint8_t)(*x >> 16))
		*x = *x * 1664525 + 1013904223;
}

static void same(struct span a, struct span b)
{
	if (a.n != b.n || (a.n && memcmp(a.p, b.p, a.n)))
		abort();
}

static void round_trip(const uint8_t *copy, size_t size, struct span key)
{
	uint8_t one[L2TP_SCRATCH], two[L2TP_SCRATCH], out[8192];
	struct v3_msg m, n;
	size_t len;

	if (!v3_decode(&m, copy, size, key, one) || m.type_vendor || (m.present & m.unread))
		return;
	if (m.hidden & ~m.present)
		abort();
	if (!m.random_vector.n)
		m.hidden = 0;
	len = v3_encode(&m, out, sizeof(out), key);
	/* too long: a datagram of many KiB, or a value that hiding pushes over 1023 octets */
	if (!len && size < 1000)
		abort();
	if (!len)
		return;
	if (!v3_decode(&n, out, len, key, two) || n.type != m.type || n.present != m.present || n.hidden != m.hidden ||
	    n.unread || n.odd.unknown_m || n.odd.error)
		abort();
	same(m.host_name, n.host_name);
	same(m.nonce, n.nonce);
	same(m.remote_end_id, n.remote_end_id);
	same(m.result.msg, n.result.msg);
	if (m.assigned_cc_id != n.assigned_cc_id || m.result.result != n.result.result || m.cc_id != n.cc_id ||
	    m.local_session_id != n.local_session_id || memcmp(&m.cookie, &n.cookie, sizeof(m.cookie)) || m.pw_caps != n.pw_caps ||
	    m.tx_speed != n.tx_speed || memcmp(m.circuit_errors, n.circuit_errors, sizeof(m.circuit_errors)))
		abort();
}

/* What we sign, the other end believes; with one octet changed it does not. */
static void signatures(const struct v3_auth *a, const uint8_t *copy, size_t size)
{
	static const uint8_t rq[15] = { 0x80, 8, 0, 0, 0, 0, 0, V3_SCCRQ, 0x80, 23, 0, 0, 0, 59, V3_HMAC_MD5 };
	struct v3_signature sig;
	uint8_t *own = malloc(size ? size : 1);
	uint32_t id;

	if (!own)
		return;
	if (size)
		memcpy(own, copy, size);
	v3_verify(a, own, size, &sig);
	v3_sign(a, own, size);
	/* an SCCRQ with one Message Digest, by MD5, where it belongs */
	if (size > 50 && (own[2] << 8 | own[3]) > 50 && v3_peek(own, size, &id) && own[48] != 59 &&
	    !memcmp(own + 12, rq, sizeof(rq))) {
		if (v3_verify(a, own, size, &sig) != V3_GOOD)
			abort();
		own[8] ^= 1;
		if (v3_verify(a, own, size, &sig) == V3_GOOD)
			abort();
	}
	free(own);
}

static void stranger(const struct env *env, const struct v3_conf *conf, const uint8_t *copy, size_t size)
{
	struct halfopen *h = ho_new(env, NULL);
	struct ho_addr from = { .family = 4 };
	uint8_t out[2048];
	struct ho_entry e;
	struct v3_msg m;
	size_t len;
	bool used;

	if (h && v3_decode(&m, copy, size, (struct span){ NULL, 0 }, NULL)) {
		enum ho_verdict v = v3_ho_sccrq(h, 1, &from, &m, copy, size, conf, 0, 0, 4, 99, &used, out, sizeof(out), &len);

		if ((v == HO_REPLY) != !!len || len > size + size / 2 || used != (ho_count(h) == 1))
			abort();
		if (v3_ho_scccn(h, 1, &from, copy, size, conf, &e) == HO_ACCEPTED)
			abort();
	}
	ho_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct span secret[2] = { { (const uint8_t *)"sesame", 6 }, { NULL, 0 } }, none;
	struct v3_conf conf = { .cc = { .host_name = "fuzz.example.org", .vendor_name = "v" } };
	uint8_t scratch[L2TP_SCRATCH], *copy = malloc(size ? size : 1);
	uint32_t seed = 1;
	struct env env = { chance, &seed };
	struct v3_auth a;
	struct v3_msg m;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);		/* exact size: ASan sees one octet past it */
	v3_auth_init(&a, &env, secret, V3_HMAC_MD5);
	round_trip(copy, size, v3_hide_key(&a, 0));
	signatures(&a, copy, size);
	v3_decode(&m, copy, size, none, scratch);
	v3_decode(&m, copy, size, v3_hide_key(&a, 0), NULL);
	stranger(&env, &conf, copy, size);
	conf.cc.secret = secret[0];
	stranger(&env, &conf, copy, size);
	free(copy);
	return 0;
}
