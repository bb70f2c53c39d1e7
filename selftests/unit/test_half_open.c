/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Half-open tunnels outlive us: their checkpoints there and back, cut anywhere, of other versions, and what a flood of strangers
 * costs whoever keeps them.
 *
 * Mutants that this kills: ho_save.c: a challenge, its length, the host's digest, a nonce or an address is not in it; the key
 * is always the first.  half_open.c: what expires keeps its record; nothing is kept at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/half_open.h"
#include "l2tp/save.h"
#include "l2tp/v3_halfopen.h"
#include "lib/sim.h"

static const struct span none, sesame = { (const uint8_t *)"sesame", 6 }, old = { (const uint8_t *)"old", 3 };

static struct sim s;
static struct env env;
static struct halfopen *was, *is;
static uint8_t in[512], out[512], again[512], record[HO_RECORD_MAX];
static size_t n_in, n_out;

static struct ho_addr addr(uint32_t ip)
{
	struct ho_addr a = { .family = 4, .peer_port = 1702, .local_port = 1701, .mark = 3, .local = { 10, 0, 0, 1 } };

	put_u32(a.peer, ip);
	return a;
}

static int begin(void **state)
{
	(void)state;
	sim_init(&s, 4711);
	env = sim_env(&s);
	was = ho_new(&env, NULL);
	is = ho_new(&env, NULL);
	assert_true(was && is);
	return 0;
}

static int end(void **state)
{
	(void)state;
	ho_free(was);
	ho_free(is);
	sim_done(&s);
	return 0;
}

static struct span save(uint32_t id, unsigned version)
{
	const struct ho_entry *e = ho_find(was, id);
	struct wr w = wr_init(record, sizeof(record));

	assert_non_null(e);
	ho_save(e, version, &w);
	assert_false(w.bad);
	return (struct span){ record, wr_len(&w) };
}

static void move(uint32_t id, unsigned version, ms_t now)
{
	struct ho_entry e;
	unsigned v;

	assert_true(ho_read(save(id, version), &e, &v));
	assert_int_equal(v, version);
	assert_true(ho_restore(is, now, &e));
	assert_false(ho_restore(is, now, &e));		/* its id is there */
	assert_int_equal(ho_count(is), 1);
	assert_int_equal(ho_find(is, id)->policy, HO_NO_POLICY);
	assert_int_equal(ho_deadline(is), now + 30000);
}

static enum ho_verdict v2_ask(struct halfopen *h, uint32_t ip, const char *name, uint16_t id, const struct cc_conf *conf,
			      bool *used)
{
	struct l2tp_msg m = {
		.type = L2TP_SCCRQ, .protocol_version = 0x100, .framing_caps = 3, .bearer_caps = 2, .firmware = 0x690,
		.assigned_tunnel_id = 9, .rws = 65535, .host_name = { (const uint8_t *)name, strlen(name) },
		.vendor_name = { (const uint8_t *)"a vendor", 8 },
		.present = L2TP_BIT(L2TP_AVP_PROTOCOL_VERSION) | L2TP_BIT(L2TP_AVP_FRAMING_CAPS) |
			   L2TP_BIT(L2TP_AVP_BEARER_CAPS) | L2TP_BIT(L2TP_AVP_FIRMWARE) | L2TP_BIT(L2TP_AVP_HOST_NAME) |
			   L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID) | L2TP_BIT(L2TP_AVP_RWS) | L2TP_BIT(L2TP_AVP_VENDOR_NAME),
	};
	struct ho_addr from = addr(ip);

	n_in = l2tp_encode(&m, in, sizeof(in), none);
	assert_true(n_in && l2tp_decode(&m, in, n_in, none, NULL));
	return ho_sccrq(h, s.now, &from, &m, n_in, conf, 3, 4, 8, id, used, out, sizeof(out), &n_out);
}

/* Killed between SCCRP and SCCCN: the peer cannot tell. */
static void v2_goes_on(void **state)
{
	struct cc_conf conf = { .host_name = "lns", .secret = sesame };
	struct ho_addr from = addr(7);
	uint8_t response[L2TP_RESPONSE_LEN];
	struct l2tp_msg sccrp, scccn = { .type = L2TP_SCCCN, .tunnel_id = 100, .ns = 1, .nr = 1,
					 .response = { response, sizeof(response) },
					 .present = L2TP_BIT(L2TP_AVP_CHALLENGE_RESPONSE) };
	struct ho_entry before, e;
	size_t n;
	bool used;

	(void)state;
	assert_int_equal(v2_ask(was, 7, "peer", 100, &conf, &used), HO_REPLY);
	n = n_out;
	memcpy(again, out, n);
	before = *ho_find(was, 100);
	move(100, 2, 5000);
	/* his SCCRQ again: the same answer; another's is another's */
	assert_int_equal(v2_ask(is, 7, "peer", 101, &conf, &used), HO_REPLY);
	assert_false(used);
	assert_int_equal(n_out, n);
	assert_memory_equal(out, again, n);
	assert_int_equal(v2_ask(is, 7, "peel", 101, &conf, &used), HO_REPLY);
	assert_true(used);
	assert_true(l2tp_decode(&sccrp, again, n, none, NULL));
	l2tp_response(response, L2TP_SCCCN, sesame, sccrp.challenge);
	response[0] ^= 1;
	assert_int_equal(ho_scccn(is, s.now, &(struct ho_addr){ .family = 4 }, &scccn, &conf, &e, out, sizeof(out), &n), HO_DROP);
	response[0] ^= 1;
	assert_int_equal(ho_scccn(is, s.now, &from, &scccn, &conf, &e, out, sizeof(out), &n), HO_ACCEPTED);
	assert_int_equal(e.tunnel_id, 100);
	assert_int_equal(e.peer_tunnel_id, 9);
	assert_int_equal(e.peer_rws, 65535);
	assert_int_equal(e.framing_caps, 3);
	assert_int_equal(e.bearer_caps, 2);
	assert_int_equal(e.firmware, 0x690);
	assert_string_equal(e.host_name, "peer");
	assert_string_equal(e.vendor_name, "a vendor");
	assert_memory_equal(&e.from, &before.from, sizeof(e.from));
	assert_memory_equal(e.challenge, before.challenge, sizeof(e.challenge));
}

/* The same, while the secrets change places. */
static void v3_goes_on(void **state)
{
	struct v3_conf ours = { .cc = { .host_name = "b.example", .secret = old }, .secret2 = sesame, .router_id = 2 };
	struct v3_conf theirs = { .cc = { .host_name = "a.example", .secret = sesame, .hello_ms = UINT32_MAX }, .router_id = 1 };
	struct ho_addr from = addr(7);
	struct ho_entry before, e;
	struct v3_msg m;
	struct fx *f;
	struct cc cc, us;
	bool used;

	(void)state;
	v3_cc_init(&cc, &env, &theirs, 0xa0000009);
	v3_cc_open(&cc, 0, 0);
	while ((f = fx_pop(&cc.out))) {
		if (f->type == L2TP_FX_TX)
			memcpy(in, f->data, n_in = f->len);
		fx_free(f);
	}
	assert_true(v3_decode(&m, in, n_in, none, NULL));
	assert_int_equal(v3_ho_sccrq(was, 0, &from, &m, in, n_in, &ours, 3, 4, 8, 0xb0000064, &used, out, sizeof(out), &n_out),
			 HO_REPLY);
	before = *ho_find(was, 0xb0000064);
	assert_int_equal(before.v3.key, 1);
	move(0xb0000064, 3, 5000);
	ours.cc.secret = sesame;
	ours.secret2 = old;
	v3_cc_input(&cc, 0, out, n_out);
	while ((f = fx_pop(&cc.out))) {
		if (f->type == L2TP_FX_TX)
			memcpy(in, f->data, n_in = f->len);
		fx_free(f);
	}
	assert_int_equal(cc.state, CC_ESTABLISHED);
	assert_int_equal(v3_ho_scccn(is, 5000, &from, in, n_in, &ours, &e), HO_ACCEPTED);
	assert_int_equal(e.v3.key, 0);
	assert_int_equal(e.v3.digest, before.v3.digest);
	assert_int_equal(e.v3.router_id, 1);
	assert_int_equal(e.v3.pw_caps, before.v3.pw_caps);
	assert_int_equal(e.peer_tunnel_id, 0xa0000009);
	/* and he believes what we say next */
	v3_cc_init(&us, &env, &ours, e.tunnel_id);
	v3_cc_accept(&us, 5000, &e);
	v3_cc_input(&us, 5000, in, n_in);
	assert_int_equal(us.state, CC_ESTABLISHED);
	cc_close(&us, 5000, NULL);
	while ((f = fx_pop(&us.out))) {
		if (f->type == L2TP_FX_TX)
			v3_cc_input(&cc, 5000, f->data, f->len);
		fx_free(f);
	}
	assert_int_equal(cc.state, CC_IDLE);
	assert_int_equal(cc.v3.forged, 0);
	v3_cc_done(&us);
	v3_cc_done(&cc);
}

static void cut(void **state)
{
	struct cc_conf conf = { .host_name = "lns", .secret = sesame };
	struct ho_entry e;
	struct span r;
	unsigned v;
	bool used;

	(void)state;
	v2_ask(was, 7, "peer", 100, &conf, &used);
	r = save(100, 2);
	assert_true(ho_read(r, &e, &v));
	for (size_t n = 0; n < r.n; n++) {
		uint8_t *copy = malloc(n + 1);		/* a sanitizer sees one octet past it */

		memcpy(copy, r.p, n);
		assert_false(ho_read((struct span){ copy, n }, &e, &v));
		free(copy);
	}
}

static void other_versions(void **state)
{
	struct cc_conf conf = { .host_name = "lns" };
	uint8_t buf[2 * HO_RECORD_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	struct ho_entry e;
	struct span r;
	unsigned v;
	bool used;

	(void)state;
	v2_ask(was, 7, "peer", 100, &conf, &used);
	r = save(100, 2);
	rec_octets(&w, 250, "from the future", 15);
	wr_bytes(&w, r.p, r.n);
	r = (struct span){ buf, wr_len(&w) };
	assert_true(ho_read(r, &e, &v));
	assert_int_equal(e.peer_tunnel_id, 9);
	buf[19] = 2;					/* the format is what ours begins with */
	assert_false(ho_read(r, &e, &v));
	assert_false(ho_read((struct span){ r.p + 20, r.n - 20 }, &e, &v));
	r = save(100, 2);
	record[5] = 1;					/* L2F */
	assert_false(ho_read(r, &e, &v));
	record[5] = 3;
	assert_true(ho_read(r, &e, &v));
	record[5] = 4;
	assert_false(ho_read(r, &e, &v));
}

static bool readable(struct ho_entry e, unsigned version)
{
	struct wr w = wr_init(record, sizeof(record));
	struct ho_entry ret;
	unsigned v;

	ho_save(&e, version, &w);
	assert_false(w.bad);
	return ho_read((struct span){ record, wr_len(&w) }, &ret, &v);
}

static void contradictions(void **state)
{
	struct ho_entry good = { .from = { .family = 6 }, .tunnel_id = 1, .peer_tunnel_id = 2 }, e;

	(void)state;
	assert_true(readable(good, 2));
	e = good, e.from.family = 5;
	assert_false(readable(e, 2));
	e = good, e.tunnel_id = 0;
	assert_false(readable(e, 2));
	e = good, e.peer_tunnel_id = 0;
	assert_false(readable(e, 3));
	e = good, e.tunnel_id = 0x10001;
	assert_false(readable(e, 2));
	assert_true(readable(e, 3));
	e = good, e.challenged = true;
	assert_false(readable(e, 2));
	e.challenge_len = 17;
	assert_false(readable(e, 2));
	e.challenge_len = 16;
	assert_true(readable(e, 2));
	e = good, e.v3.nonce_len = V3_PEER_NONCE_MAX + 1;
	assert_false(readable(e, 3));
}

/* The longest entry there can be still has a record. */
static void longest(void **state)
{
	struct ho_entry e;
	uint8_t *p = (uint8_t *)&e;

	(void)state;
	for (size_t i = 0; i < sizeof(e); i++)
		p[i] = 0xff;
	memset(e.host_name, 'x', sizeof(e.host_name) - 1);
	memset(e.vendor_name, 'x', sizeof(e.vendor_name) - 1);
	e.host_name[sizeof(e.host_name) - 1] = e.vendor_name[sizeof(e.vendor_name) - 1] = 0;
	e.from.family = 6;
	e.challenged = true;
	e.challenge_len = sizeof(e.challenge);
	e.v3.digest = V3_HMAC_SHA1;
	e.v3.nonce_len = V3_PEER_NONCE_MAX;
	assert_true(readable(e, 3));
}

/* With core's tables and the keeper's memory. */

enum { TOTAL = 4096, PER_ENTRY = 1024, FLOOD_S = 20, PER_MS = 50, WRITES_S = 1000 };

static unsigned kept(int fd)
{
	uint32_t cursor = 0, slot;
	enum store_kind kind;
	struct store *store;
	struct ho_entry e;
	const char *lost;
	struct span r;
	unsigned n = 0, v;
	uint16_t id;

	assert_int_equal(store_open(fd, &store, &lost), 0);
	assert_null(lost);
	while (store_next(store, &cursor, &kind, &id, &slot, &r)) {
		assert_int_equal(kind, STORE_HALF_OPEN);
		assert_true(ho_read(r, &e, &v) && e.tunnel_id == id && v == 2);
		n++;
	}
	store_close(store);
	return n;
}

/* 50,000 forged SCCRQs a second, each with a name as long as is kept: the keeper's memory is bounded by the table's size, few of
 * them are written, and all of it goes with them. */
static void flood(void **state)
{
	static char name[64];
	static uint32_t slots[MAX_ID];
	struct cc_conf conf = { .host_name = "a-gateway.example.org", .secret = sesame };
	struct ctx *ctx = calloc(1, sizeof(*ctx));
	int fd = memfd_create("store", MFD_CLOEXEC);
	struct store_stat empty, full;
	unsigned writes = 0, first = 0;
	const char *lost;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	assert_true(ctx && fd >= 0);
	assert_int_equal(store_open(fd, &ctx->store, &lost), 0);
	store_stat(ctx->store, &empty);
	ctx->half_open = was;
	ctx->v3_half_open = is;
	ctx->half_open_slot = slots;
	ctx->tunnel_ids = ids_new(&env, ID_QUARANTINE_MS);
	for (s.now = ctx->loop.now = 1; s.now <= FLOOD_S * 1000; s.now = ++ctx->loop.now) {
		for (unsigned i = 0; i < PER_MS; i++) {
			uint16_t id;
			bool used;

			half_open_expire(ctx);
			id = (uint16_t)ids_pick(ctx->tunnel_ids, s.now);
			v2_ask(was, env_u32(&env), name, id, &conf, &used);
			if (!used)
				continue;
			assert_true(ids_claim(ctx->tunnel_ids, id));
			half_open_keep(ctx, 2, id);
			writes++;
		}
		store_commit(ctx->store);
		store_stat(ctx->store, &full);
		assert_true(full.records == ho_count(was) && full.records <= TOTAL);
		assert_true(full.octets <= empty.octets + TOTAL * PER_ENTRY);
		first = s.now == 2000 ? writes : first;
	}
	print_message("%u of %u SCCRQs written (%u in the first 2 s), %u records in %zu KiB of the keeper's memory\n", writes,
		      FLOOD_S * 1000 * PER_MS, first, full.records, (full.octets - empty.octets) >> 10);
	assert_true(full.records > TOTAL / 2);
	assert_true(first <= 2 * 2000 && writes - first <= (FLOOD_S - 2) * WRITES_S);	/* who gets no answer has no record */
	assert_int_equal(kept(fd), full.records);
	ctx->loop.now += 31000;
	half_open_expire(ctx);
	store_commit(ctx->store);
	assert_int_equal(kept(fd), 0);
	store_close(ctx->store);
	ids_free(ctx->tunnel_ids);
	free(ctx);
	close(fd);
}

/* The next ktund has the ids, the entries, and their slots to drop. */
static void adopted(void **state)
{
	static uint32_t slots[2][MAX_ID];
	struct cc_conf conf = { .host_name = "lns" };
	struct ctx *ctx = calloc(1, sizeof(*ctx));
	int fd = memfd_create("store", MFD_CLOEXEC);
	uint32_t cursor = 0, slot;
	enum store_kind kind;
	const char *lost;
	struct span r;
	uint16_t id;
	bool used;

	(void)state;
	assert_true(ctx && fd >= 0);
	assert_int_equal(store_open(fd, &ctx->store, &lost), 0);
	ctx->half_open = was;
	ctx->v3_half_open = is;
	ctx->half_open_slot = slots[0];
	for (id = 100; id < 104; id++) {
		v2_ask(was, id, "peer", id, &conf, &used);
		half_open_keep(ctx, 2, id);
	}
	store_commit(ctx->store);
	half_open_drop(ctx, 100);
	half_open_drop(ctx, 101);			/* killed before this turn's end */
	store_close(ctx->store);

	ho_free(was);
	was = ho_new(&env, NULL);
	ctx->half_open = is;
	ctx->v3_half_open = was;
	ctx->half_open_slot = slots[1];
	ctx->loop.now = 7000;
	ctx->tunnel_ids = ids_new(&env, ID_QUARANTINE_MS);
	assert_true(ids_claim(ctx->tunnel_ids, 103));	/* somebody else's meanwhile */
	assert_int_equal(store_open(fd, &ctx->store, &lost), 0);
	while (store_next(ctx->store, &cursor, &kind, &id, &slot, &r))
		assert_int_equal(half_open_adopt(ctx, id, slot, r), id != 103);
	assert_int_equal(ho_count(is), 3);
	assert_int_equal(ids_used(ctx->tunnel_ids), 4);
	half_open_drop(ctx, 102);
	store_commit(ctx->store);
	assert_int_equal(kept(fd), 2);
	ctx->loop.now = 37000;
	half_open_expire(ctx);
	store_commit(ctx->store);
	assert_int_equal(kept(fd), 0);
	assert_int_equal(ids_used(ctx->tunnel_ids), 1);
	store_close(ctx->store);
	ids_free(ctx->tunnel_ids);
	free(ctx);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(v2_goes_on, begin, end), cmocka_unit_test_setup_teardown(v3_goes_on, begin, end),
		cmocka_unit_test_setup_teardown(cut, begin, end), cmocka_unit_test_setup_teardown(other_versions, begin, end),
		cmocka_unit_test(contradictions), cmocka_unit_test(longest),
		cmocka_unit_test_setup_teardown(flood, begin, end), cmocka_unit_test_setup_teardown(adopted, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
