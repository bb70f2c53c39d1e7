/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strangers: limits, and never more than 1.5 octets out for each octet in. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/sim.h"
#include "l2tp/halfopen.h"

static const struct span none, secret = { (const uint8_t *)"sesame", 6 };

struct fixture {
	struct sim sim;
	struct env env;
	struct cc_conf conf;
	struct halfopen *ho;
	uint16_t next;
	uint8_t in[512], out[512];
	size_t in_len, out_len;
	struct l2tp_msg reply;
	bool used;
};

static void begin(struct fixture *f, const struct ho_limits *l)
{
	memset(f, 0, sizeof(*f));
	sim_init(&f->sim, 1);
	f->env = sim_env(&f->sim);
	f->conf = (struct cc_conf){ .host_name = "a-gateway-with-a-rather-long-name.example.org",
				    .vendor_name = "vendor" };
	f->next = 100;
	f->ho = ho_new(&f->env, l);
	assert_non_null(f->ho);
}

static struct ho_addr addr(uint32_t ip, uint16_t port)
{
	struct ho_addr a = { .family = 4, .peer_port = port, .local_port = 1701, .local = { 10, 0, 0, 1 } };

	put_u32(a.peer, ip);
	return a;
}

static enum ho_verdict sccrq(struct fixture *f, ms_t now, struct ho_addr from, uint16_t tid,
			     struct span host, struct span challenge, unsigned per_addr)
{
	struct l2tp_msg m = {
		.type = L2TP_SCCRQ, .protocol_version = 0x100, .framing_caps = 3, .assigned_tunnel_id = tid,
		.host_name = host, .challenge = challenge,
		.present = L2TP_BIT(L2TP_AVP_PROTOCOL_VERSION) | L2TP_BIT(L2TP_AVP_FRAMING_CAPS) |
			   L2TP_BIT(L2TP_AVP_HOST_NAME) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID) |
			   (challenge.n ? L2TP_BIT(L2TP_AVP_CHALLENGE) : 0),
	};
	enum ho_verdict v;

	f->in_len = l2tp_encode(&m, f->in, sizeof(f->in), none);
	assert_true(l2tp_decode(&m, f->in, f->in_len, none, NULL));
	v = ho_sccrq(f->ho, now, &from, &m, f->in_len, &f->conf, 3, 4, per_addr, f->next, &f->used, f->out,
		     sizeof(f->out), &f->out_len);
	if (f->used)
		f->next++;
	if (v == HO_REPLY)
		assert_true(f->out_len && f->out_len <= f->in_len + f->in_len / 2 &&
			    l2tp_decode(&f->reply, f->out, f->out_len, none, NULL) && !f->reply.missing);
	else
		assert_int_equal(f->out_len, 0);
	return v;
}

static struct span name(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static void end(struct fixture *f)
{
	ho_free(f->ho);
	sim_done(&f->sim);
}

/* 1.5 times, for every length of name, with and without either challenge; the reply is complete. */
static void test_amplification(void **state)
{
	static const uint8_t octets[300] = "cccccccccccccccccccccccccccc";
	struct fixture f;

	(void)state;
	for (unsigned n = 1; n < 200; n++)
		for (unsigned kind = 0; kind < 4; kind++) {
			struct span host = { octets, n }, challenge = { octets, kind & 2 ? 16 : 0 };
			enum ho_verdict v;

			begin(&f, NULL);
			f.conf.secret = kind ? secret : none;
			v = sccrq(&f, 0, addr(0x0a000000, 1701), 9, host, challenge, 8);
			assert_int_equal(v, HO_REPLY);
			assert_int_equal(f.reply.assigned_tunnel_id, 100);
			assert_true(!kind || f.reply.challenge.n == 16 || f.reply.challenge.n == 8);
			assert_int_equal(f.reply.response.n, kind & 2 ? 16 : 0);
			if (n > 100) {
				assert_int_equal(f.reply.host_name.n, strlen(f.conf.host_name));
				assert_int_equal(f.reply.rws, 16);
			}
			end(&f);
		}
}

static void test_retransmission(void **state)
{
	struct fixture f;
	uint8_t first[512];
	size_t n;

	(void)state;
	begin(&f, NULL);
	f.conf.secret = secret;
	assert_int_equal(sccrq(&f, 0, addr(1, 1701), 9, name("a"), none, 8), HO_REPLY);
	n = f.out_len;
	memcpy(first, f.out, n);
	assert_int_equal(sccrq(&f, 1000, addr(1, 1701), 9, name("a"), none, 8), HO_REPLY);
	assert_false(f.used);
	assert_int_equal(f.out_len, n);
	assert_memory_equal(first, f.out, n);
	/* another tunnel id, host, port, mark or local address is another peer */
	assert_int_equal(sccrq(&f, 1000, addr(1, 1701), 10, name("a"), none, 8), HO_REPLY);
	assert_true(f.used);
	assert_int_equal(sccrq(&f, 1000, addr(1, 1701), 9, name("b"), none, 8), HO_REPLY);
	assert_true(f.used);
	assert_int_equal(sccrq(&f, 1000, addr(1, 1702), 9, name("a"), none, 8), HO_REPLY);
	assert_true(f.used);
	assert_int_equal(ho_count(f.ho), 4);
	end(&f);
}

static void test_limits(void **state)
{
	struct ho_limits l = { .total = 1000, .per_prefix = 20, .expire_ms = 30000, .replies_per_s = 1000000 };
	struct fixture f;
	uint32_t ids[64];
	unsigned n = 0, i;

	(void)state;
	begin(&f, &l);
	for (i = 0; i < 20; i++)
		n += sccrq(&f, 0, addr(0x0a000001, 1701), (uint16_t)(i + 1), name("a"), none, 8) == HO_REPLY;
	assert_int_equal(n, 8);
	assert_int_equal(sccrq(&f, 0, addr(0x0a000001, 1701), 99, name("a"), none, 8), HO_LIMIT);
	assert_int_equal(sccrq(&f, 1000, addr(0x0a000001, 1701), 99, name("a"), none, 8), HO_REPLY);
	assert_null(ho_find(f.ho, 100));			/* the oldest of that address made room for who asked again */
	for (i = 101, n = 0; i < 120; i++)
		n += !!ho_find(f.ho, i);
	assert_int_equal(n, 8);
	assert_int_equal(sccrq(&f, 10000, addr(0x0a000001, 1701), 98, name("a"), none, 8), HO_LIMIT);
	/* too late: it is forgotten */
	assert_int_equal(sccrq(&f, 17000, addr(0x0a000001, 1701), 98, name("a"), none, 8), HO_LIMIT);
	assert_int_equal(ho_expire(f.ho, 0, ids, 64), 1);
	for (i = n = 0; i < 40; i++)
		n += sccrq(&f, 17000, addr(0x0a000002 + i, 1701), 1, name("a"), none, 8) == HO_REPLY;
	assert_int_equal(n, 20 - 8);				/* the /24 is full */
	for (i = 12; i < 40; i++)				/* its oldest makes room for who asks again */
		n += sccrq(&f, 17001, addr(0x0a000002 + i, 1701), 1, name("a"), none, 8) == HO_REPLY;
	assert_int_equal(n, 40);
	assert_int_equal(ho_deadline(f.ho), 0);
	assert_int_equal(ho_expire(f.ho, 17001, ids, 64), 28);
	assert_int_equal(ho_count(f.ho), 20);
	assert_int_equal(sccrq(&f, 17001, addr(0x0a000101, 1701), 1, name("a"), none, 8), HO_REPLY);
	for (i = n = 0; i < 20000; i++) {			/* a flood: from half full on few enter */
		n += sccrq(&f, 17001, addr(0x0b000001 + (i << 8), 1701), 1, name("a"), none, 8) == HO_REPLY;
		if (i == 478)
			assert_int_equal(n, 479);		/* half full */
		(void)ho_expire(f.ho, 17001, ids, 64);
		assert_in_range(ho_count(f.ho), 1, 999);
	}
	assert_in_range(n, 479 + 50, 479 + 80);
	for (i = n = 0; i < 30000; i++) {			/* 3,000 a second: an eighth of the table each second */
		n += sccrq(&f, 17001 + i / 3, addr(0x0d000001 + (i << 8), 1701), 1, name("a"), none, 8) == HO_REPLY;
		(void)ho_expire(f.ho, 17001, ids, 64);
	}
	assert_in_range(n, 1150, 1350);
	assert_int_equal(ho_count(f.ho), 999);
	for (i = 0; i < 2000; i++) {				/* who asks again pushes out the oldest */
		assert_int_equal(sccrq(&f, 27001, addr(0x0c000001 + (i << 8), 1701), 1, name("a"), none, 8) == HO_REPLY ||
				 sccrq(&f, 27001, addr(0x0c000001 + (i << 8), 1701), 1, name("a"), none, 8) == HO_REPLY, 1);
		(void)ho_expire(f.ho, 27001, ids, 64);
	}
	assert_int_equal(ho_count(f.ho), 999);
	assert_int_equal(ho_deadline(f.ho), 57001);
	assert_int_equal(ho_expire(f.ho, 57000, ids, 64), 0);
	for (i = 0; ho_expire(f.ho, 57001, ids, 64) == 64; i++)
		;
	assert_int_equal(ho_count(f.ho), 0);
	assert_int_equal(ho_deadline(f.ho), NEVER);
	end(&f);
}

/* One SCCRQ, without the detour over octets. */
static bool asks(struct fixture *f, ms_t now, struct ho_addr from, uint16_t tid, bool *used)
{
	struct l2tp_msg m = {
		.type = L2TP_SCCRQ, .protocol_version = 0x100, .framing_caps = 3, .assigned_tunnel_id = tid,
		.host_name = { (const uint8_t *)"a-client-of-ours", 16 },
		.present = L2TP_BIT(L2TP_AVP_PROTOCOL_VERSION) | L2TP_BIT(L2TP_AVP_FRAMING_CAPS) |
			   L2TP_BIT(L2TP_AVP_HOST_NAME) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID),
	};
	uint32_t ids[64];
	bool yes;

	if (ho_deadline(f->ho) <= now)
		(void)ho_expire(f->ho, now, ids, 64);
	do
		f->next++;
	while (!f->next || ho_find(f->ho, f->next));
	yes = ho_sccrq(f->ho, now, &from, &m, 90, &f->conf, 3, 4, 8, f->next, used, f->out, sizeof(f->out),
		       &f->out_len) == HO_REPLY;
	assert_in_range(ho_count(f->ho), 0, 4096);
	return yes;
}

enum { HONEST = 100, TRIES = 3, RTT = 200 };

struct honest { ms_t start; unsigned tried; uint16_t id; ms_t answered; bool in; };

/* SCCRQs at 0, 1 and 3 s; the SCCCN follows the answer after a round trip, and by then the entry must still be there. */
static void be_honest(struct fixture *f, struct honest *c, struct ho_addr from, ms_t now)
{
	static const ms_t at[TRIES] = { 0, 1000, 3000 };
	bool used;

	if (c->answered) {
		if (now == c->answered + RTT) {
			struct l2tp_msg m = { .type = L2TP_SCCCN, .tunnel_id = c->id, .ns = 1, .nr = 1 };
			struct ho_entry e;
			size_t len;

			c->in = ho_scccn(f->ho, now, &from, &m, &f->conf, &e, f->out, sizeof(f->out), &len) == HO_ACCEPTED;
			if (!c->in)
				c->answered = 0;
		}
	} else if (c->tried < TRIES && now >= c->start + at[c->tried]) {
		c->tried++;
		if (asks(f, now, from, 9, &used)) {
			c->answered = now;
			c->id = f->next;
		}
	}
}

/* How many of HONEST clients that come during ten seconds of so many forged SCCRQs a millisecond get in within five.  In
 * 2^bits sources around theirs. */
static unsigned survivors(unsigned per_ms, unsigned bits, const struct ho_limits *l)
{
	struct honest c[HONEST] = { 0 };
	struct fixture f;
	unsigned in = 0, replies = 0;
	bool used;

	begin(&f, l);
	for (unsigned i = 0; i < HONEST; i++)
		c[i].start = 2000 + env_u32(&f.env) % 5000;
	for (ms_t now = 0; now < 13000; now++) {
		unsigned turn = env_u32(&f.env) % per_ms;

		for (unsigned i = 0; i < per_ms; i++) {
			uint32_t r = env_u32(&f.env);
			uint32_t from = bits < 32 ? 0x0a000000 | (r & ((1u << bits) - 1)) : r;

			replies += asks(&f, now, addr(from, (uint16_t)env_u32(&f.env)), (uint16_t)(1 + r % 60000), &used);
			for (unsigned j = 0; i == turn && j < HONEST; j++)
				be_honest(&f, &c[j], addr(bits < 32 ? 0x0a000000 | j : 0x0a000000 | j << 8, 1701), now);
		}
	}
	for (unsigned i = 0; i < HONEST; i++)
		in += c[i].in;
	print_message("%u forged a ms from 2^%u sources: %u of %u in, %u answers\n", per_ms, bits, in, HONEST, replies);
	end(&f);
	return in;
}

/* Whoever floods does not keep others out: who asks again is no forged source. */
static void test_flood(void **state)
{
	static const struct ho_limits tight = { .per_prefix = 64 };

	(void)state;
	assert_in_range(survivors(50, 32, NULL), 95, HONEST);	/* 50,000 a second from everywhere */
	assert_in_range(survivors(3, 32, NULL), 95, HONEST);
	assert_in_range(survivors(2, 8, &tight), 95, HONEST);	/* all of them from the clients' own /24 */
}

static void test_reply_rate(void **state)
{
	struct ho_limits l = { .replies_per_s = 100 };
	struct fixture f;
	unsigned n = 0;

	(void)state;
	begin(&f, &l);
	for (unsigned i = 0; i < 1000; i++)
		n += sccrq(&f, i, addr(0x0b000001 + (i << 8), 1701), 1, name("a"), none, 8) == HO_REPLY;
	assert_in_range(n, 100, 201);
	end(&f);
}

static void test_memory(void **state)
{
	struct fixture f;
	size_t empty, before = mallinfo2().uordblks + mallinfo2().hblkhd;
	uint32_t ids[4096];

	(void)state;
	begin(&f, NULL);
	f.conf.secret = secret;
	empty = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	for (unsigned i = 0; i < 40000; i++)
		sccrq(&f, i, addr(0x0b000001 + (i << 8), 1701), 1, name("a"), none, 8);
	assert_true(ho_count(f.ho) > 2048);
	assert_true(ho_count(f.ho) * sizeof(struct ho_entry) < 2 << 20);
	assert_true(4096 * (sizeof(struct ho_entry) + 16) < 2 << 20);
	assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before < 2 << 20 || !empty);
	assert_true(empty < 64 << 10);
	ho_expire(f.ho, 100000000, ids, 4096);
	assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before <= empty + 4096 || !empty);
	end(&f);
}

static enum ho_verdict other(struct fixture *f, struct ho_addr from, struct l2tp_msg m, struct ho_entry *e)
{
	uint8_t buf[256];
	size_t n = l2tp_encode(&m, buf, sizeof(buf), none);

	assert_true(l2tp_decode(&m, buf, n, none, NULL));
	return ho_scccn(f->ho, 5, &from, &m, &f->conf, e, f->out, sizeof(f->out), &f->out_len);
}

static void test_scccn(void **state)
{
	struct ho_addr me = addr(1, 1701);
	uint8_t response[L2TP_RESPONSE_LEN];
	struct l2tp_msg good = { .type = L2TP_SCCCN, .tunnel_id = 100, .ns = 1, .nr = 1,
				 .response = { response, sizeof(response) },
				 .present = L2TP_BIT(L2TP_AVP_CHALLENGE_RESPONSE) }, m;
	struct ho_entry e;
	struct fixture f;
	uint32_t ids[4];

	(void)state;
	begin(&f, NULL);
	f.conf.secret = secret;
	for (int i = 0; i < 3; i++)
		assert_int_equal(sccrq(&f, 0, me, (uint16_t)(9 + i), name("peer"), none, 8), HO_REPLY);
	assert_int_equal(sccrq(&f, 0, me, 9, name("peer"), none, 8), HO_REPLY);
	l2tp_response(response, L2TP_SCCCN, secret, f.reply.challenge);
	m = good, m.tunnel_id = 7;
	assert_int_equal(other(&f, me, m, &e), HO_UNKNOWN);
	assert_int_equal(other(&f, addr(2, 1701), good, &e), HO_DROP);
	assert_int_equal(other(&f, addr(1, 1702), good, &e), HO_DROP);
	m = good, m.ns = 2;
	assert_int_equal(other(&f, me, m, &e), HO_DROP);
	m = good, m.nr = 0;
	assert_int_equal(other(&f, me, m, &e), HO_DROP);
	m = good, m.type = L2TP_ICRQ;
	assert_int_equal(other(&f, me, m, &e), HO_DROP);
	assert_int_equal(f.out_len, 0);
	assert_non_null(ho_find(f.ho, 100));
	assert_int_equal(other(&f, me, good, &e), HO_ACCEPTED);
	assert_int_equal(e.tunnel_id, 100);
	assert_int_equal(e.peer_tunnel_id, 9);
	assert_int_equal(e.policy, 3);
	assert_string_equal(e.host_name, "peer");
	assert_null(ho_find(f.ho, 100));
	m = good, m.tunnel_id = 101;				/* the response to another challenge */
	assert_int_equal(other(&f, me, m, &e), HO_REFUSED);
	assert_true(l2tp_decode(&m, f.out, f.out_len, none, NULL));
	assert_int_equal(m.type, L2TP_STOPCCN);
	assert_int_equal(m.result.result, L2TP_STOP_UNAUTHORIZED);
	assert_int_equal(m.tunnel_id, 10);
	/* StopCCN: only in order and from there; the id comes back through ho_expire */
	m = (struct l2tp_msg){ .type = L2TP_STOPCCN, .tunnel_id = 102, .ns = 3, .nr = 1 };
	assert_int_equal(other(&f, me, m, &e), HO_DROP);
	m.ns = 1;
	assert_int_equal(other(&f, addr(2, 1701), m, &e), HO_DROP);
	assert_non_null(ho_find(f.ho, 102));
	assert_int_equal(other(&f, me, m, &e), HO_DROP);
	assert_null(ho_find(f.ho, 102));
	assert_int_equal(ho_expire(f.ho, 6, ids, 4), 1);
	assert_int_equal(ids[0], 102);
	assert_int_equal(ho_count(f.ho), 0);
	end(&f);
}

/* No challenge is answered without a secret, and nothing odd is answered at all. */
static void test_unacceptable(void **state)
{
	static const uint8_t c[16];
	struct fixture f;

	(void)state;
	begin(&f, NULL);
	assert_int_equal(sccrq(&f, 0, addr(1, 1701), 9, name("a"), (struct span){ c, 16 }, 8), HO_DROP);
	assert_int_equal(sccrq(&f, 0, addr(1, 1701), 0, name("a"), none, 8), HO_DROP);
	assert_int_equal(ho_count(f.ho), 0);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amplification), cmocka_unit_test(test_retransmission),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_flood), cmocka_unit_test(test_reply_rate),
		cmocka_unit_test(test_memory), cmocka_unit_test(test_scccn),
		cmocka_unit_test(test_unacceptable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
