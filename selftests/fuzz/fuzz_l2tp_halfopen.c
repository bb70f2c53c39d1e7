/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams of strangers into the half-open table.  Input: a byte of configuration, then records: who
 * sends, how much time passes, a length, and that many octets.  No answer is larger than 1.5 times
 * its question, entries are never more than allowed, and every tunnel id comes back once. */
#include <stdlib.h>

#include "l2tp/halfopen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void chance(void *arg, void *buf, size_t len)
{
	uint32_t *x = arg;

	for (uint8_t *p = buf; len--; *p++ = (uint8_t)(*x >> 16))
		*x = *x * 1664525 + 1013904223;
}

static void expire(struct halfopen *h, ms_t now, bool *used)
{
	uint32_t ids[3];
	unsigned n;

	do {
		n = ho_expire(h, now, ids, 3);
		for (unsigned i = 0; i < n; i++) {
			if (!used[ids[i]])
				abort();
			used[ids[i]] = false;
		}
	} while (n == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	uint32_t seed = 1;
	struct env env = { chance, &seed };
	unsigned config = rd_u8(&r), n_used = 0;
	struct ho_limits limits = { .total = 16, .per_prefix = 8, .expire_ms = 500, .replies_per_s = 50 };
	struct halfopen *h = ho_new(&env, &limits);
	struct cc_conf conf = {
		.host_name = "fuzz.example.org", .vendor_name = config & 1 ? "v" : NULL, .strict = config & 2,
		.secret = { (const uint8_t *)"sesame", config & 4 ? 6 : 0 },
	};
	bool used[256] = { false };
	ms_t now = 0;

	while (h && rd_left(&r)) {
		unsigned who = rd_u8(&r);
		struct ho_addr from = { .family = 4, .peer_port = (uint16_t)(1701 + (who & 1)), .local_port = 1701,
					.peer = { 10, (uint8_t)(who >> 1 & 3), (uint8_t)(who >> 3 & 3), (uint8_t)(who >> 5) } };
		uint8_t scratch[L2TP_SCRATCH], reply[1500];
		struct ho_entry e;
		struct l2tp_msg m;
		struct span s;
		uint16_t id = 1;
		size_t n = 0;
		bool took = false;
		enum ho_verdict v;

		now += rd_u8(&r);
		expire(h, now, used);
		s = rd_span(&r, rd_u8(&r));
		if (r.bad || !l2tp_decode(&m, s.p, s.n, conf.secret, scratch))
			continue;
		while (id < 200 && used[id])
			id++;
		if (m.type == L2TP_SCCRQ) {
			v = ho_sccrq(h, now, &from, &m, s.n, &conf, 1, 1, 4, id, &took, reply, sizeof(reply), &n);
			if (n > s.n + s.n / 2 || (v == HO_REPLY) != !!n || (took && (v != HO_REPLY || used[id])))
				abort();
			used[id] |= took;
		} else {
			v = ho_scccn(h, now, &from, &m, &conf, &e, reply, sizeof(reply), &n);
			if ((v == HO_REFUSED) != !!n)
				abort();
			if (v == HO_ACCEPTED || v == HO_REFUSED) {
				if (!used[e.tunnel_id] || ho_find(h, e.tunnel_id))
					abort();
				used[e.tunnel_id] = false;
			}
		}
		if (n && (!l2tp_decode(&m, reply, n, conf.secret, scratch) || m.missing))
			abort();
		if (ho_count(h) > limits.total)
			abort();
	}
	if (h)
		expire(h, now + 100000, used);
	for (unsigned i = 0; i < 256; i++)
		n_used += used[i];
	if (n_used || (h && ho_count(h)))
		abort();
	ho_free(h);
	return 0;
}
