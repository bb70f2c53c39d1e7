/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One control connection against a hand-driven peer: what the simulation of two well-behaved ends
 * cannot show. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/sim.h"
#include "l2tp/v2_cc.h"
#include "l2tp/halfopen.h"

static const struct span none, secret = { (const uint8_t *)"sesame", 6 };

struct fixture {
	struct sim sim;
	struct env env;
	struct cc_conf conf;
	struct cc cc;
	uint16_t ns, nr;			/* the peer's */
	ms_t now;
	/* what came out since the last drain */
	unsigned count[L2TP_FX_WEN + 1], sent[L2TP_N_MSGS];
	struct l2tp_msg last;
	struct l2tp_cause cc_cause, call_cause;
	struct v2_fx_request rq;
	uint8_t buf[1500];
};

static void drain(struct fixture *f)
{
	struct fx *fx;

	memset(f->count, 0, sizeof(f->count));
	memset(f->sent, 0, sizeof(f->sent));
	cc_flush(&f->cc, f->now);
	for (; (fx = fx_pop(&f->cc.out)); fx_free(fx)) {
		f->count[fx->type]++;
		if (fx->type == L2TP_FX_CC_DOWN)
			memcpy(&f->cc_cause, fx->data, sizeof(f->cc_cause));
		if (fx->type == L2TP_FX_CALL_DOWN)
			f->call_cause = ((const struct l2tp_fx_call_down *)(const void *)fx->data)->cause;
		if (fx->type == L2TP_FX_CALL_REQUEST)
			memcpy(&f->rq, fx->data, sizeof(f->rq));
		if (fx->type != L2TP_FX_TX)
			continue;
		memcpy(f->buf, fx->data, fx->len);
		assert_true(l2tp_decode(&f->last, f->buf, fx->len, secret, NULL));
		f->sent[f->last.type]++;
		if (f->last.type && (uint16_t)(f->last.ns - f->nr) < 0x8000)
			f->nr = (uint16_t)(f->last.ns + 1);
	}
}

/* The peer says this, in order. */
static void say(struct fixture *f, struct l2tp_msg m)
{
	uint8_t buf[512];
	size_t n;

	m.tunnel_id = f->cc.tunnel_id;
	m.ns = f->ns;
	m.nr = f->nr;
	if (m.type)
		f->ns++;
	n = l2tp_encode(&m, buf, sizeof(buf), none);
	assert_true(n);
	v2_cc_input(&f->cc, f->now, buf, n);
}

#define HAS(avp) L2TP_BIT(L2TP_AVP_##avp)

static void begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	sim_init(&f->sim, 3);
	f->env = sim_env(&f->sim);
	f->conf = (struct cc_conf){ .host_name = "lac", .hello_ms = UINT32_MAX };
	v2_cc_init(&f->cc, &f->env, &f->conf, 17);
}

static struct l2tp_msg sccrp(void)
{
	return (struct l2tp_msg){
		.type = L2TP_SCCRP, .protocol_version = 0x100, .framing_caps = 3, .bearer_caps = 3,
		.assigned_tunnel_id = 42, .host_name = { (const uint8_t *)"lns", 3 }, .rws = 8,
		.present = HAS(PROTOCOL_VERSION) | HAS(FRAMING_CAPS) | HAS(BEARER_CAPS) |
			   HAS(ASSIGNED_TUNNEL_ID) | HAS(HOST_NAME) | HAS(RWS),
	};
}

static void establish(struct fixture *f)
{
	begin(f);
	assert_int_equal(cc_open(&f->cc, f->now), 0);
	assert_int_equal(cc_open(&f->cc, f->now), -EALREADY);
	drain(f);
	assert_int_equal(f->sent[L2TP_SCCRQ], 1);
	say(f, sccrp());
	drain(f);
	assert_int_equal(f->sent[L2TP_SCCCN], 1);
	assert_int_equal(f->sent[L2TP_ZLB], 0);			/* SCCCN carries the acknowledgement */
	assert_int_equal(f->count[L2TP_FX_CC_UP], 1);
	say(f, (struct l2tp_msg){ 0 });
	drain(f);
}

static struct l2tp_msg icrq(unsigned id)
{
	return (struct l2tp_msg){ .type = L2TP_ICRQ, .assigned_session_id = (uint16_t)id, .call_serial = id,
				  .present = HAS(ASSIGNED_SESSION_ID) | HAS(CALL_SERIAL) };
}

static void end(struct fixture *f)
{
	v2_cc_done(&f->cc);
}

static void refused(struct l2tp_msg m, bool strict, unsigned result, unsigned error)
{
	struct fixture f;

	begin(&f);
	f.conf.strict = strict;
	cc_open(&f.cc, 0);
	drain(&f);
	say(&f, m);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CC_UP], 0);
	assert_int_equal(f.count[L2TP_FX_CC_DOWN], 1);
	assert_int_equal(f.sent[L2TP_STOPCCN], 1);
	assert_int_equal(f.last.result.result, result);
	assert_int_equal(f.last.result.error, error);
	assert_int_equal(f.last.assigned_tunnel_id, 17);
	assert_int_equal(f.last.tunnel_id, m.assigned_tunnel_id);
	assert_int_equal(f.count[L2TP_FX_CC_GONE], 0);
	say(&f, (struct l2tp_msg){ 0 });
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CC_GONE], 1);
	assert_int_equal(cc_deadline(&f.cc), NEVER);
	end(&f);
}

static void test_sccrp(void **state)
{
	static const uint8_t c[4] = "abc";
	struct l2tp_msg m = sccrp();

	(void)state;
	m.assigned_tunnel_id = 0;
	refused(m, false, L2TP_STOP_ERROR, L2TP_E_VALUE);
	m = sccrp(), m.protocol_version = 0x200;
	refused(m, false, L2TP_STOP_VERSION, 0x100);
	m = sccrp(), m.challenge = (struct span){ c, 3 }, m.present |= HAS(CHALLENGE);
	refused(m, false, L2TP_STOP_UNAUTHORIZED, 0);
	m = sccrp(), m.present &= ~HAS(HOST_NAME);
	refused(m, true, L2TP_STOP_ERROR, L2TP_E_VALUE);
}

/* A second SCCRP on an established connection ends it, and does not redirect our last word. */
static void test_late_sccrp(void **state)
{
	struct l2tp_msg m = sccrp();
	struct fixture f;

	(void)state;
	establish(&f);
	m.assigned_tunnel_id = 99;
	say(&f, m);
	drain(&f);
	assert_int_equal(f.sent[L2TP_STOPCCN], 1);
	assert_int_equal(f.last.tunnel_id, 42);
	assert_int_equal(f.last.result.result, L2TP_STOP_FSM);
	end(&f);
}

/* A tunnel refused by the peer: its words arrive, StopCCN is acknowledged, its repetition too. */
static void test_stopccn(void **state)
{
	struct l2tp_msg stop = { .type = L2TP_STOPCCN, .assigned_tunnel_id = 42,
				 .result = { 2, 4, { (const uint8_t *)"full\n", 5 } },
				 .present = HAS(ASSIGNED_TUNNEL_ID) | HAS(RESULT_CODE) };
	struct fixture f;

	(void)state;
	establish(&f);
	f.ns++;						/* out of order: it may be forged, and is not kept */
	say(&f, stop);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CC_DOWN], 0);
	f.ns -= 2;
	say(&f, (struct l2tp_msg){ .type = L2TP_HELLO });
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CC_DOWN], 0);
	say(&f, stop);					/* the real one comes again */
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CC_DOWN], 1);
	assert_int_equal(f.sent[L2TP_ZLB], 1);
	assert_int_equal(f.last.nr, 3);
	assert_true(f.cc_cause.by_peer && f.cc_cause.result == 2 && f.cc_cause.error == 4);
	assert_string_equal(f.cc_cause.msg, "full?");
	for (f.now = 1000; f.now < 31000; f.now += 4000) {
		say(&f, stop);
		drain(&f);
		f.ns--;
		cc_tick(&f.cc, f.now);
		assert_int_equal(f.sent[L2TP_ZLB], 1);
	}
	assert_int_equal(cc_deadline(&f.cc), 31000);
	f.now = 31000;
	cc_tick(&f.cc, f.now);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CC_GONE], 1);
	end(&f);
}

/* As say(), but ahead messages too early, and it does not count. */
static void say_early(struct fixture *f, unsigned ahead, struct l2tp_msg m)
{
	uint16_t ns = f->ns;

	f->ns = (uint16_t)(ns + ahead);
	say(f, m);
	f->ns = ns;
}

/* 5.8: a message that overtook another is heard in its turn; what was forged long before its turn is not. */
static void test_early(void **state)
{
	static const struct l2tp_msg hello = { .type = L2TP_HELLO };
	struct fixture f;

	(void)state;
	establish(&f);
	say_early(&f, 1, icrq(6));
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 0);
	assert_int_equal(f.last.nr, f.ns);		/* not acknowledged: it may yet have to come again */
	f.now += 100;
	say(&f, icrq(5));
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 2);
	f.ns++;
	assert_int_equal(f.last.nr, f.ns);

	say_early(&f, 1, hello);			/* forged: that number will be another message's */
	say_early(&f, 2, (struct l2tp_msg){ .type = L2TP_ICCN, .session_id = 9 });
	f.now += 1000;
	say(&f, hello);
	drain(&f);
	assert_int_equal(f.last.nr, f.ns);
	say(&f, icrq(7));
	say(&f, icrq(8));
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 2);
	assert_null(f.cc.rel.early);

	say_early(&f, 1, hello);			/* forged, and the other one is early, too: neither is believed */
	say_early(&f, 1, icrq(9));
	say(&f, hello);
	drain(&f);
	assert_int_equal(f.last.nr, f.ns);
	say(&f, icrq(9));
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 1);

	say_early(&f, 1, icrq(10));			/* stale, but sent again early: counts from then */
	f.now += 1000;
	say_early(&f, 1, icrq(10));
	say(&f, hello);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 1);
	end(&f);
}

/* Repetitions that come in a storm are not acknowledged one by one; one that comes alone is, at once. */
static void test_dup_storm(void **state)
{
	static const struct l2tp_msg hello = { .type = L2TP_HELLO };
	unsigned acks = 0;
	struct fixture f;

	(void)state;
	establish(&f);
	f.now = 1000;
	say(&f, hello);
	drain(&f);
	assert_int_equal(f.sent[L2TP_ZLB], 1);
	f.now = 2000;
	f.ns--;
	for (unsigned i = 0; i < 5000; i++, f.now = 2000 + i / 5) {
		say_early(&f, 0, hello);
		drain(&f);
		acks += f.sent[L2TP_ZLB];
		if (!i)
			assert_int_equal(acks, 1);
	}
	assert_in_range(acks, 9, 11);
	assert_int_equal(cc_deadline(&f.cc), f.cc.rel.ack_at);
	f.now = f.cc.rel.ack_at;
	cc_tick(&f.cc, f.now);
	drain(&f);
	assert_int_equal(f.last.nr, f.ns + 1);
	say(&f, hello);
	say(&f, hello);					/* a new one does not wait for the storm's end */
	drain(&f);
	assert_int_equal(f.sent[L2TP_ZLB], 1);
	assert_int_equal(f.last.nr, f.ns);
	end(&f);
}

/* What is not within the windows changes nothing: no acknowledgement is taken from it, no HELLO put off. */
static void test_outside(void **state)
{
	static const uint16_t type[] = { L2TP_STOPCCN, L2TP_CDN, L2TP_HELLO, L2TP_ICRQ };
	static const unsigned ahead[] = { 16, 17, 1000, 0x7fff };
	struct call_info info = { .serial = 1 };
	struct l2tp_msg m = { .assigned_tunnel_id = 42, .assigned_session_id = 5, .result = { .result = 1 },
			      .present = HAS(ASSIGNED_TUNNEL_ID) | HAS(RESULT_CODE) | HAS(ASSIGNED_SESSION_ID) };
	struct call call;
	struct fixture f;
	ms_t hello_at;

	(void)state;
	establish(&f);
	hello_at = f.cc.hello_at;
	assert_int_equal(v2_call_open(&f.cc, &call, 0, CALL_LAC_INCOMING, 7, &info), 0);
	drain(&f);
	f.now = 500;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned j = 0; j < 4; j++) {
			m.type = type[i];
			say_early(&f, ahead[j], m);
			drain(&f);
			assert_int_equal(f.count[L2TP_FX_NOTE], 1);
			assert_int_equal(f.count[L2TP_FX_TX] + f.count[L2TP_FX_CC_DOWN], 0);
		}
	m.type = L2TP_STOPCCN;				/* within the window, but before its turn */
	say_early(&f, 1, m);
	m.type = L2TP_HELLO;				/* in its turn, but it acknowledges what was never sent */
	f.nr += 1;
	say_early(&f, 0, m);
	f.nr += 999;
	say_early(&f, 1, m);
	f.nr -= 1000;
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_TX] + f.count[L2TP_FX_CC_DOWN], 0);
	assert_non_null(f.cc.rel.tx);
	assert_null(f.cc.rel.early);
	assert_int_equal(f.cc.rel.nr, f.ns);
	assert_int_equal(f.cc.hello_at, hello_at);
	end(&f);
}

/* 4.4.3: Tunnel ID 0 in the header, ours is known by theirs in the AVP - and only by that. */
static void test_stopccn_id0(void **state)
{
	struct l2tp_msg stop = { .type = L2TP_STOPCCN, .assigned_tunnel_id = 41, .ns = 1, .nr = 2,
				 .result = { .result = 1 }, .present = HAS(ASSIGNED_TUNNEL_ID) | HAS(RESULT_CODE) };
	struct fixture f;
	uint8_t buf[128];

	(void)state;
	establish(&f);
	v2_cc_input(&f.cc, 0, buf, l2tp_encode(&stop, buf, sizeof(buf), none));
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CC_DOWN] + f.count[L2TP_FX_TX], 0);
	stop.assigned_tunnel_id = 42;
	v2_cc_input(&f.cc, 0, buf, l2tp_encode(&stop, buf, sizeof(buf), none));
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CC_DOWN], 1);
	end(&f);
}

/* Thousands of calls in one tunnel whose peer's window is 4: every one is answered, none is dropped. */
static void test_burst(void **state)
{
	enum { N = 4000 };
	struct call *call = calloc(N, sizeof(*call));
	struct fixture f;
	unsigned answered = 0, up = 0, cdn = 0;

	(void)state;
	assert_non_null(call);
	establish(&f);
	for (unsigned i = 0; i < N; i++) {
		say(&f, icrq(i + 1));
		f.nr = f.cc.rel.una;			/* the peer acknowledges nothing meanwhile */
		drain(&f);
		answered += f.sent[L2TP_ICRP];
		f.nr = f.cc.rel.una;
		assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 1);
		assert_int_equal(v2_call_answer(&f.cc, &call[i], f.now, &f.rq, (uint16_t)(i + 1)), 0);
	}
	assert_true(f.cc.rel.n_tx >= N - 1);
	while (f.cc.rel.tx) {
		drain(&f);
		answered += f.sent[L2TP_ICRP];
		f.nr = f.cc.rel.ns;
		say(&f, (struct l2tp_msg){ 0 });
		assert_true((uint16_t)(f.cc.rel.ns - f.cc.rel.una) <= 8);
	}
	assert_int_equal(answered, N);
	assert_int_equal(f.cc.n_calls, N);
	for (unsigned i = 0; i < N; i++) {
		say(&f, (struct l2tp_msg){ .type = L2TP_ICCN, .session_id = (uint16_t)(i + 1), .tx_speed = 1,
					   .framing_type = 1, .present = HAS(TX_SPEED) | HAS(FRAMING_TYPE) });
		drain(&f);
		up += f.count[L2TP_FX_CALL_UP];
		assert_ptr_equal(cc_call_find(&f.cc, (uint16_t)(i + 1)), &call[i]);
	}
	assert_int_equal(up, N);
	for (unsigned i = 0; i < N; i += 2)		/* half by CDN, half with the tunnel */
		say(&f, (struct l2tp_msg){ .type = L2TP_CDN, .session_id = (uint16_t)(i + 1),
					   .result = { .result = 3 }, .assigned_session_id = (uint16_t)(i + 1),
					   .present = HAS(RESULT_CODE) | HAS(ASSIGNED_SESSION_ID) });
	drain(&f);
	cdn = f.count[L2TP_FX_CALL_DOWN];
	assert_int_equal(cdn, N / 2);
	cc_close(&f.cc, f.now, NULL);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_DOWN], N / 2);
	assert_int_equal(f.cc.n_calls, 0);
	end(&f);
	free(call);
}

/* One that asks for calls without end and acknowledges nothing does not fill our memory, and its tunnel ends when the
 * retransmissions do.  One that is only slow is not hurt: what had to wait is answered when it comes again. */
static void endless_requests(bool slow)
{
	static const struct l2tp_cause no = { .result = 4, .msg = "the kernel is busy with the calls before this one" };
	unsigned asked = 0, answered = 0, gone = 0, waited = 0;
	struct fixture f;

	establish(&f);
	f.conf.max_retries = 5;
	for (unsigned i = 0; answered < 3000 && f.cc.state == CC_ESTABLISHED; i++, f.now += 10) {
		uint16_t expected = f.cc.rel.nr, nr = f.nr;

		say(&f, icrq(asked + 1));
		if (f.cc.rel.nr == expected)
			waited++;
		else
			asked++;
		f.ns = f.cc.rel.nr;			/* what was not taken is said again */
		if (f.now >= cc_deadline(&f.cc))
			cc_tick(&f.cc, f.now);
		drain(&f);
		gone += f.count[L2TP_FX_CC_GONE];
		f.nr = slow && !(i % 20) ? f.cc.rel.ns : nr;	/* a round trip of 200 ms, or of eternity */
		answered += (uint16_t)(f.nr - nr);
		if (f.count[L2TP_FX_CALL_REQUEST])
			v2_call_refuse(&f.cc, f.now, &f.rq, &no);
		assert_in_range(f.cc.rel.tx_octets, 0, 65536 + 200);
		assert_true(!f.cc.rel.tx == !f.cc.rel.tx_octets);
	}
	assert_in_range(asked, 300, slow ? 4000 : 1000);
	assert_in_range(waited, 100, 1000000);
	assert_int_equal(f.cc.rel.lost, 0);
	assert_int_equal(f.cc.state, slow ? CC_ESTABLISHED : CC_IDLE);
	assert_int_equal(gone, !slow);
	end(&f);
}

static void test_endless_requests(void **state)
{
	(void)state;
	endless_requests(false);
	endless_requests(true);
}

/* CDN with Session ID 0 finds its call, or its unanswered request, by the peer's id (4.4.4). */
static void test_cdn_id0(void **state)
{
	struct l2tp_msg cdn = { .type = L2TP_CDN, .assigned_session_id = 5,
				.result = { 1, 0, { NULL, 0 } },
				.present = HAS(RESULT_CODE) | HAS(ASSIGNED_SESSION_ID) };
	struct call call;
	struct fixture f;

	(void)state;
	establish(&f);
	say(&f, icrq(5));
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 1);
	say(&f, icrq(5));				/* repeated with a new Ns: not a second request */
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 0);
	say(&f, cdn);
	drain(&f);
	assert_int_equal(v2_call_answer(&f.cc, &call, 0, &f.rq, 9), -ECANCELED);
	say(&f, icrq(5));
	drain(&f);
	assert_int_equal(v2_call_answer(&f.cc, &call, 0, &f.rq, 9), 0);
	drain(&f);
	assert_int_equal(f.last.type, L2TP_ICRP);
	assert_int_equal(f.last.session_id, 5);
	assert_int_equal(f.last.assigned_session_id, 9);
	say(&f, cdn);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_DOWN], 1);
	assert_true(f.call_cause.by_peer && f.call_cause.result == 1);
	say(&f, cdn);					/* nobody's any more */
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_DOWN] + f.count[L2TP_FX_NOTE], 0);
	end(&f);
}

/* 4.2: what an unknown AVP with the M bit does, strict and not. */
static void test_unknown_m(void **state)
{
	struct fixture f;

	(void)state;
	for (int strict = 0; strict < 2; strict++) {
		uint8_t buf[128];
		struct l2tp_msg m = icrq(5);
		size_t n;

		establish(&f);
		f.conf.strict = strict;
		m.tunnel_id = 17, m.ns = f.ns, m.nr = f.nr;
		n = l2tp_encode(&m, buf, sizeof(buf), none);
		memcpy(buf + n, (const uint8_t[]){ 0x80, 7, 0, 9, 0, 1, 0 }, 7);
		buf[3] = (uint8_t)(n + 7);
		v2_cc_input(&f.cc, 0, buf, n + 7);
		drain(&f);
		assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], !strict);
		assert_int_equal(f.count[L2TP_FX_NOTE], 1);
		assert_int_equal(f.sent[L2TP_CDN], strict);
		if (strict) {
			assert_int_equal(f.last.result.result, 2);
			assert_int_equal(f.last.result.error, L2TP_E_UNKNOWN_AVP);
			assert_int_equal(f.last.session_id, 5);
			assert_int_not_equal(f.last.assigned_session_id, 0);
		}
		assert_int_equal(f.cc.state, CC_ESTABLISHED);
		end(&f);
	}
}

/* ICCN says a speed both ways; the acknowledgement of ICRP travels on it. */
static void test_iccn(void **state)
{
	struct call_info info = { .serial = 1 };
	struct call call;
	struct fixture f;

	(void)state;
	establish(&f);
	assert_int_equal(v2_call_open(&f.cc, &call, 0, CALL_LNS_INCOMING, 7, &info), -EINVAL);
	assert_int_equal(v2_call_open(&f.cc, &call, 0, CALL_LAC_INCOMING, 0, &info), -EINVAL);
	assert_int_equal(v2_call_open(&f.cc, &call, 0, CALL_LAC_INCOMING, 7, &info), 0);
	drain(&f);
	assert_int_equal(f.sent[L2TP_ICRQ], 1);
	say(&f, (struct l2tp_msg){ .type = L2TP_ICRP, .session_id = 7, .assigned_session_id = 8,
				   .present = HAS(ASSIGNED_SESSION_ID) });
	drain(&f);
	assert_int_equal(f.sent[L2TP_ICCN], 1);
	assert_int_equal(f.sent[L2TP_ZLB], 0);
	assert_true(f.last.present & HAS(RX_SPEED) && f.last.present & HAS(TX_SPEED) && !f.last.missing);
	assert_int_equal(f.last.session_id, 8);
	assert_int_equal(f.count[L2TP_FX_CALL_UP], 1);
	assert_true(sizeof(f.cc) + sizeof(call) < 1024 && !f.cc.bucket && !f.cc.v2.pending);
	cc_close(&f.cc, 0, NULL);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_DOWN], 1);
	assert_int_equal(f.sent[L2TP_STOPCCN], 1);	/* 5.7: no CDN before it */
	end(&f);
}

/* A LAC that has spoken with the caller before: told, not used. */
static void test_proxy(void **state)
{
	static const uint8_t confreq[] = { 1, 4, 5, 0xdc };
	struct call call;
	struct fixture f;

	(void)state;
	establish(&f);
	say(&f, icrq(5));
	drain(&f);
	assert_int_equal(v2_call_answer(&f.cc, &call, 0, &f.rq, 9), 0);
	say(&f, (struct l2tp_msg){
		.type = L2TP_ICCN, .session_id = 9, .tx_speed = 1, .framing_type = 1, .last_tx_confreq = { confreq, 4 },
		.last_rx_confreq = { confreq, 4 }, .proxy_auth_type = 2, .proxy_auth_name = { (const uint8_t *)"al\nice", 6 },
		.present = HAS(TX_SPEED) | HAS(FRAMING_TYPE) | HAS(LAST_TX_CONFREQ) | HAS(LAST_RX_CONFREQ) |
			   HAS(PROXY_AUTH_TYPE) | HAS(PROXY_AUTH_NAME) });
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_UP], 1);
	assert_int_equal(f.count[L2TP_FX_NOTE], 0);
	assert_true(call.info.proxy_lcp && call.info.proxy_auth == 2);
	assert_string_equal(call.info.proxy_name, "al?ice");
	end(&f);
}

/* An unacknowledged HELLO and a congestion window of one do not hold back the last word. */
static void test_stop_behind_hello(void **state)
{
	struct fixture f;

	(void)state;
	establish(&f);
	f.conf.hello_ms = 1000;
	say(&f, (struct l2tp_msg){ 0 });
	f.now = 1000;
	cc_tick(&f.cc, f.now);
	drain(&f);
	assert_int_equal(f.sent[L2TP_HELLO], 1);
	f.now = 2000;
	cc_tick(&f.cc, f.now);
	cc_close(&f.cc, f.now, NULL);
	drain(&f);
	assert_int_equal(f.sent[L2TP_STOPCCN], 1);
	end(&f);
}

/* Appendix A: one message, then two, four ... ; after a loss again one. */
static void test_slow_start(void **state)
{
	struct call_info info = { .serial = 1 };
	static struct call call[64];
	struct fixture f;

	(void)state;
	establish(&f);
	f.cc.rel.cwnd = 1;
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(v2_call_open(&f.cc, &call[i], 0, CALL_LAC_INCOMING, (uint16_t)(100 + i), &info), 0);
	for (unsigned want = 1; want <= 8; want++) {
		drain(&f);
		assert_int_equal((uint16_t)(f.cc.rel.ns - f.cc.rel.una), want);
		f.nr = (uint16_t)(f.cc.rel.una + 1);
		say(&f, (struct l2tp_msg){ 0 });
		if (want == 8)
			assert_int_equal((uint16_t)(f.cc.rel.ns - f.cc.rel.una), 8);	/* the peer's window */
	}
	drain(&f);
	f.now = 1000;
	cc_tick(&f.cc, f.now);
	drain(&f);
	assert_int_equal(f.sent[L2TP_ICRQ], 1);
	assert_int_equal(f.cc.rel.ssthresh, 4);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sccrp), cmocka_unit_test(test_late_sccrp),
		cmocka_unit_test(test_stopccn), cmocka_unit_test(test_stopccn_id0),
		cmocka_unit_test(test_early), cmocka_unit_test(test_outside), cmocka_unit_test(test_dup_storm),
		cmocka_unit_test(test_burst), cmocka_unit_test(test_endless_requests),
		cmocka_unit_test(test_cdn_id0), cmocka_unit_test(test_unknown_m), cmocka_unit_test(test_iccn),
		cmocka_unit_test(test_proxy), cmocka_unit_test(test_stop_behind_hello), cmocka_unit_test(test_slow_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
