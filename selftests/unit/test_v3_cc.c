/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One L2TPv3 control connection against a hand-driven peer, and strangers: what the simulation of two well-behaved ends cannot
 * show. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/v3_end.h"

static const struct span none, secret = { (const uint8_t *)"sesame", 6 };

struct fixture {
	struct sim sim;
	struct env env;
	struct v3_conf conf;
	struct cc cc;
	uint16_t ns, nr;			/* the peer's */
	ms_t now;
	/* what came out since the last drain */
	unsigned count[L2TP_N_FX], sent[V3_N_MSGS];
	struct v3_msg last;
	struct l2tp_cause cc_cause, call_cause;
	struct v3_fx_request rq;
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
		assert_true(v3_decode(&f->last, f->buf, fx->len, none, NULL));
		assert_int_equal(f->last.missing, 0);
		f->sent[f->last.type]++;
		if (f->last.type != V3_ACK && (uint16_t)(f->last.ns - f->nr) < 0x8000)
			f->nr = (uint16_t)(f->last.ns + 1);
	}
}

/* The peer says this, in order. */
static void say(struct fixture *f, struct v3_msg m)
{
	uint8_t buf[512];
	size_t n;

	m.cc_id = f->cc.tunnel_id;
	m.ns = f->ns;
	m.nr = f->nr;
	if (m.type != V3_ACK)
		f->ns++;
	n = v3_encode(&m, buf, sizeof(buf), none);
	assert_true(n);
	v3_cc_input(&f->cc, f->now, buf, n);
}

#define HAS(avp) V3_BIT(V3_AVP_##avp)

static void begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	sim_init(&f->sim, 3);
	f->env = sim_env(&f->sim);
	f->conf = (struct v3_conf){ .cc = { .host_name = "a", .hello_ms = UINT32_MAX },
				    .pw_caps = 1 << V3_PW_ETHERNET | 1 << V3_PW_VLAN };
	v3_cc_init(&f->cc, &f->env, &f->conf, 0x11111111);
}

static struct v3_msg sccrp(void)
{
	return (struct v3_msg){
		.type = V3_SCCRP, .assigned_cc_id = 0x22222222, .router_id = 9, .pw_caps = 1 << V3_PW_ETHERNET,
		.host_name = { (const uint8_t *)"b", 1 }, .rws = 8,
		.present = HAS(ASSIGNED_CC_ID) | HAS(ROUTER_ID) | HAS(PW_CAPS) | HAS(HOST_NAME) | HAS(RWS),
	};
}

static void establish(struct fixture *f)
{
	begin(f);
	assert_int_equal(v3_cc_open(&f->cc, f->now, 0), 0);
	assert_int_equal(v3_cc_open(&f->cc, f->now, 0), -EALREADY);
	drain(f);
	assert_int_equal(f->sent[V3_SCCRQ], 1);
	assert_false(f->last.v2);
	say(f, sccrp());
	drain(f);
	assert_int_equal(f->sent[V3_SCCCN], 1);
	assert_int_equal(f->sent[V3_ACK], 0);			/* SCCCN carries the acknowledgement */
	assert_int_equal(f->last.cc_id, 0x22222222);
	assert_int_equal(f->count[L2TP_FX_CC_UP], 1);
	say(f, (struct v3_msg){ .type = V3_ACK });
	drain(f);
	assert_int_equal(cc_deadline(&f->cc), NEVER);
}

static struct v3_msg icrq(uint32_t id)
{
	return (struct v3_msg){
		.type = V3_ICRQ, .local_session_id = id, .serial = 1, .pw_type = V3_PW_ETHERNET,
		.circuit_status = V3_CIRCUIT_ACTIVE, .remote_end_id = { (const uint8_t *)"site", 4 }, .cookie = { 4, "abcd" },
		.present = HAS(LOCAL_SESSION_ID) | HAS(REMOTE_SESSION_ID) | HAS(SERIAL) | HAS(PW_TYPE) | HAS(CIRCUIT_STATUS) |
			   HAS(REMOTE_END_ID) | HAS(COOKIE),
	};
}

static void end(struct fixture *f)
{
	v3_cc_done(&f->cc);
}

static void refused(struct v3_msg m, bool strict, unsigned result, unsigned error)
{
	struct fixture f;

	begin(&f);
	f.conf.cc.strict = strict;
	v3_cc_open(&f.cc, 0, 0);
	drain(&f);
	say(&f, m);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CC_UP], 0);
	assert_int_equal(f.count[L2TP_FX_CC_DOWN], 1);
	assert_int_equal(f.sent[V3_STOPCCN], 1);
	assert_int_equal(f.last.result.result, result);
	assert_int_equal(f.last.result.error, error);
	assert_int_equal(f.last.assigned_cc_id, 0x11111111);
	assert_int_equal(f.last.cc_id, m.assigned_cc_id);
	assert_int_equal(f.count[L2TP_FX_CC_GONE], 0);
	say(&f, (struct v3_msg){ .type = V3_ACK });
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CC_GONE], 1);
	assert_int_equal(cc_deadline(&f.cc), NEVER);
	end(&f);
}

static void test_sccrp(void **state)
{
	struct v3_msg m = sccrp();
	struct fixture f;

	(void)state;
	m.assigned_cc_id = 0;
	refused(m, false, L2TP_STOP_ERROR, L2TP_E_VALUE);
	m = sccrp(), m.nonce = (struct span){ (const uint8_t *)"n", 1 }, m.present |= HAS(NONCE);
	refused(m, false, L2TP_STOP_UNAUTHORIZED, 0);
	m = sccrp(), m.present &= ~HAS(ROUTER_ID);
	refused(m, true, L2TP_STOP_ERROR, L2TP_E_VALUE);
	m = sccrp(), m.type = V3_SCCCN;
	begin(&f);				/* 7.2: SCCCN in wait-ctl-reply */
	v3_cc_open(&f.cc, 0, 0);
	say(&f, m);
	drain(&f);
	assert_int_equal(f.sent[V3_STOPCCN], 1);
	assert_int_equal(f.last.result.result, L2TP_STOP_FSM);
	end(&f);
	/* a late repetition with another id redirects nobody */
	establish(&f);
	m = sccrp(), m.assigned_cc_id = 0x33333333;
	f.ns = 0;
	say(&f, m);
	drain(&f);
	assert_int_equal(f.cc.peer_tunnel_id, 0x22222222);
	assert_int_equal(f.sent[V3_ACK], 1);
	assert_int_equal(f.last.cc_id, 0x22222222);
	assert_int_equal(f.cc.state, CC_ESTABLISHED);
	end(&f);
}

/* 4.7.3 */
static void test_fallback(void **state)
{
	struct l2tp_msg v2 = {
		.type = L2TP_SCCRP, .tunnel_id = 0x4242, .nr = 1, .protocol_version = 0x100, .framing_caps = 3,
		.assigned_tunnel_id = 7, .host_name = { (const uint8_t *)"old", 3 },
		.present = L2TP_BIT(L2TP_AVP_PROTOCOL_VERSION) | L2TP_BIT(L2TP_AVP_FRAMING_CAPS) | L2TP_BIT(L2TP_AVP_HOST_NAME) |
			   L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID),
	};
	struct fixture f;
	uint8_t buf[256];
	size_t n = l2tp_encode(&v2, buf, sizeof(buf), none);

	(void)state;
	begin(&f);
	v3_cc_open(&f.cc, 0, 0x4242);
	drain(&f);
	assert_true(f.sent[V3_SCCRQ] == 1 && f.last.v2);
	put_u16(buf + 4, 0x4243);
	v3_cc_input(&f.cc, 0, buf, n);		/* another's */
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_FALLBACK] + f.count[L2TP_FX_CC_DOWN], 0);
	put_u16(buf + 4, 0x4242);
	v3_cc_input(&f.cc, 0, buf, n);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_FALLBACK], 1);
	assert_int_equal(f.count[L2TP_FX_CC_DOWN], 1);
	assert_int_equal(f.count[L2TP_FX_CC_GONE], 1);
	assert_int_equal(f.count[L2TP_FX_TX], 0);
	assert_int_equal(cc_deadline(&f.cc), NEVER);
	end(&f);

	begin(&f);				/* the peer knows L2TPv3 after all, and so it goes on */
	v3_cc_open(&f.cc, 0, 0x4242);
	drain(&f);
	say(&f, sccrp());
	drain(&f);
	assert_true(f.sent[V3_SCCCN] == 1 && !f.last.v2 && f.count[L2TP_FX_CC_UP] == 1);
	v3_cc_input(&f.cc, 0, buf, n);		/* too late for that */
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_FALLBACK] + f.count[L2TP_FX_CC_DOWN], 0);
	end(&f);

	begin(&f);				/* it was not asked for */
	v3_cc_open(&f.cc, 0, 0);
	v3_cc_input(&f.cc, 0, buf, n);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_FALLBACK] + f.count[L2TP_FX_CC_DOWN], 0);
	end(&f);
}

static void request_refused(struct v3_msg m, bool strict, unsigned result, unsigned error)
{
	struct fixture f;

	establish(&f);
	f.conf.cc.strict = strict;
	say(&f, m);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 0);
	assert_int_equal(f.sent[V3_CDN], 1);
	assert_int_equal(f.last.result.result, result);
	assert_int_equal(f.last.result.error, error);
	assert_int_equal(f.last.remote_session_id, m.local_session_id);
	assert_true(f.last.local_session_id);
	assert_int_equal(f.cc.n_pending, 0);
	assert_int_equal(f.cc.state, CC_ESTABLISHED);
	end(&f);
}

static void test_requests(void **state)
{
	static const uint8_t long_id[V3_END_ID_MAX + 1] = { 1 };
	struct v3_side own = { .circuit_status = V3_CIRCUIT_ACTIVE, .cookie = { .len = 8 } };
	struct v3_msg m = icrq(5);
	struct call call;
	struct fixture f;

	(void)state;
	m.pw_type = V3_PW_PPP;			/* 5.4.4: not advertised */
	request_refused(m, false, V3_CDN_PW_TYPE, 0);
	m = icrq(5), m.pw_type = 40;
	request_refused(m, false, V3_CDN_PW_TYPE, 0);
	m = icrq(5), m.sequencing = V3_SEQ_ALL, m.present |= HAS(SEQUENCING);
	request_refused(m, false, V3_CDN_SEQUENCING, 0);
	m = icrq(5), m.l2spec = 2, m.present |= HAS(L2SPEC);
	request_refused(m, false, L2TP_CDN_ERROR, L2TP_E_VALUE);
	m = icrq(5), m.cookie.len = 3;
	request_refused(m, false, L2TP_CDN_ERROR, L2TP_E_LENGTH);
	m = icrq(5), m.present &= ~HAS(CIRCUIT_STATUS);
	request_refused(m, true, L2TP_CDN_ERROR, L2TP_E_VALUE);
	m = icrq(5), m.remote_end_id = (struct span){ long_id, sizeof(long_id) };
	request_refused(m, false, L2TP_CDN_ERROR, L2TP_E_VALUE);

	establish(&f);
	m = icrq(5), m.l2spec = 1, m.sequencing = 2, m.present |= HAS(L2SPEC) | HAS(SEQUENCING);
	say(&f, m);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 1);
	assert_true(f.rq.info.end_id_len == 4 && !memcmp(f.rq.info.end_id, "site", 4) && f.rq.info.peer.l2spec == 1);
	assert_true(f.rq.info.peer.cookie.len == 4 && !memcmp(f.rq.info.peer.cookie.octets, "abcd", 4));
	say(&f, icrq(5));			/* the same id again while the first waits: ignored */
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST] + f.sent[V3_CDN], 0);
	assert_int_equal(v3_call_open(&f.cc, &call, 0, V3_ICRQ_SENDER, 77, &f.rq.info), -EALREADY);
	/* withdrawn by its sender, who does not know our id */
	m = (struct v3_msg){ .type = V3_CDN, .local_session_id = 5, .result = { .result = 3 },
			     .present = HAS(LOCAL_SESSION_ID) | HAS(REMOTE_SESSION_ID) | HAS(RESULT_CODE) };
	say(&f, m);
	drain(&f);
	assert_int_equal(v3_call_answer(&f.cc, &call, 0, &f.rq, 77, &own), -ECANCELED);
	say(&f, icrq(6));
	drain(&f);
	assert_int_equal(v3_call_answer(&f.cc, &call, 0, &f.rq, 77, &own), 0);
	drain(&f);
	assert_int_equal(f.sent[V3_ICRP], 1);
	assert_true(f.last.local_session_id == 77 && f.last.remote_session_id == 6 && f.last.cookie.len == 8);
	assert_memory_equal(f.last.cookie.octets, call.v3.info.own.cookie.octets, 8);
	assert_int_equal(v3_call_answer(&f.cc, &call, 0, &f.rq, 77, &own), -EEXIST);
	/* both ids must be right */
	m = (struct v3_msg){ .type = V3_ICCN, .local_session_id = 7, .remote_session_id = 77,
			     .present = HAS(LOCAL_SESSION_ID) | HAS(REMOTE_SESSION_ID) };
	say(&f, m);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_UP] + f.count[L2TP_FX_CALL_DOWN], 0);
	m.local_session_id = 6;
	say(&f, m);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_UP], 1);
	assert_true(call.v3.info.peer.cookie.len == 4);		/* ICCN says nothing of it */
	m.type = V3_SLI, m.circuit_status = 0, m.present |= HAS(CIRCUIT_STATUS);
	say(&f, m);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_SLI], 1);
	assert_int_equal(call.v3.info.peer.circuit_status, 0);
	/* a CDN by reverse lookup */
	m = (struct v3_msg){ .type = V3_CDN, .local_session_id = 6, .result = { 3, 0, { (const uint8_t *)"why\n", 4 } },
			     .present = HAS(LOCAL_SESSION_ID) | HAS(REMOTE_SESSION_ID) | HAS(RESULT_CODE) };
	say(&f, m);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_DOWN], 1);
	assert_true(f.call_cause.by_peer && f.call_cause.result == 3);
	assert_string_equal(f.call_cause.msg, "why?");
	/* 7.3.2: a reply to what is not there any more */
	m = (struct v3_msg){ .type = V3_ICRP, .local_session_id = 8, .remote_session_id = 99,
			     .present = HAS(LOCAL_SESSION_ID) | HAS(REMOTE_SESSION_ID) | HAS(CIRCUIT_STATUS) };
	say(&f, m);
	drain(&f);
	assert_true(f.sent[V3_CDN] == 1 && f.last.remote_session_id == 8 && f.last.local_session_id == 99);
	end(&f);
}

static void test_open(void **state)
{
	struct v3_call_info info = { .pw_type = V3_PW_VLAN, .own = { .cookie = { .len = 4 } } };
	struct call call, second;
	struct v3_msg m = { .type = V3_ICRP, .local_session_id = 5, .remote_session_id = 77,
			    .present = HAS(LOCAL_SESSION_ID) | HAS(REMOTE_SESSION_ID) | HAS(CIRCUIT_STATUS) };
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(v3_call_open(&f.cc, &call, 0, V3_ICRQ_SENDER, 77, &info), -ENOTCONN);
	establish(&f);
	assert_int_equal(v3_call_open(&f.cc, &call, 0, V3_ICRQ_SENDER, 77, &info), -EPROTONOSUPPORT);
	info.pw_type = V3_PW_ETHERNET;
	assert_int_equal(v3_call_open(&f.cc, &call, 0, V3_ICRQ_RECIPIENT, 77, &info), -EINVAL);
	assert_int_equal(v3_call_open(&f.cc, &call, 0, V3_ICRQ_SENDER, 77, &info), 0);
	assert_int_equal(v3_call_open(&f.cc, &second, 0, V3_ICRQ_SENDER, 77, &info), -EEXIST);
	drain(&f);
	assert_true(f.sent[V3_ICRQ] == 1 && v3_has(&f.last, V3_AVP_TIE_BREAKER) && f.last.serial == 1);
	/* a reply that wants sequence numbers without a place for them */
	m.sequencing = V3_SEQ_ALL, m.present |= HAS(SEQUENCING);
	say(&f, m);
	drain(&f);
	assert_true(f.sent[V3_CDN] == 1 && f.last.result.result == V3_CDN_SEQUENCING && f.count[L2TP_FX_CALL_DOWN] == 1);
	assert_int_equal(v3_call_open(&f.cc, &call, 0, V3_ICRQ_SENDER, 77, &info), 0);
	drain(&f);
	m.present &= ~HAS(SEQUENCING);
	say(&f, m);
	drain(&f);
	assert_true(f.sent[V3_ICCN] == 1 && f.count[L2TP_FX_CALL_UP] == 1);
	/* a second ICRP is one message too many (7.3.1) */
	say(&f, m);
	drain(&f);
	assert_true(f.sent[V3_CDN] == 1 && f.last.result.result == V3_CDN_FSM && f.count[L2TP_FX_CALL_DOWN] == 1);
	end(&f);
}

/* Strangers */

struct strangers {
	struct sim sim;
	struct env env;
	struct v3_conf conf, peer_conf;
	struct halfopen *ho;
	struct cc peer;			/* what they run */
	uint8_t in[1500], out[1500];
	size_t in_len, out_len;
	uint32_t next;
	bool used;
};

static struct ho_addr addr(uint32_t ip, uint16_t port)
{
	struct ho_addr a = { .family = 4, .peer_port = port, .local_port = 1701, .local = { 10, 0, 0, 1 } };

	put_u32(a.peer, ip);
	return a;
}

static void meet(struct strangers *f, struct span ours, struct span theirs)
{
	memset(f, 0, sizeof(*f));
	sim_init(&f->sim, 4);
	f->env = sim_env(&f->sim);
	f->conf = (struct v3_conf){ .cc = { .host_name = "a-gateway-with-a-rather-long-name.example.org", .vendor_name = "vendor",
					    .secret = ours } };
	f->peer_conf = (struct v3_conf){ .cc = { .host_name = "p", .secret = theirs, .no_tie_breaker = true } };
	f->ho = ho_new(&f->env, NULL);
	f->next = 1000;
	assert_non_null(f->ho);
}

static void meet_end(struct strangers *f)
{
	ho_free(f->ho);
}

static size_t last_tx(struct cc *cc, uint8_t *buf)
{
	size_t n = 0;

	for (struct fx *fx; (fx = fx_pop(&cc->out)); fx_free(fx))
		if (fx->type == L2TP_FX_TX)
			memcpy(buf, fx->data, n = fx->len);
	return n;
}

static enum ho_verdict knock(struct strangers *f, ms_t now, struct ho_addr from, bool again)
{
	enum ho_verdict v;
	struct v3_msg m;

	if (!again) {
		v3_cc_init(&f->peer, &f->env, &f->peer_conf, 0x77000000 + f->next);
		v3_cc_open(&f->peer, now, 0);
		f->in_len = last_tx(&f->peer, f->in);
		rel_done(&f->peer.rel);
	}
	assert_true(v3_decode(&m, f->in, f->in_len, none, NULL));
	v = v3_ho_sccrq(f->ho, now, &from, &m, f->in, f->in_len, &f->conf, 3, 4, 8, f->next, &f->used, f->out, sizeof(f->out),
			&f->out_len);
	assert_int_equal(v == HO_REPLY, f->out_len > 0);
	assert_true(f->out_len <= f->in_len + f->in_len / 2);
	f->next += f->used;
	return v;
}

/* What the peer says to our SCCRP. */
static size_t answer(struct strangers *f, uint8_t *buf)
{
	v3_cc_input(&f->peer, 0, f->out, f->out_len);
	return last_tx(&f->peer, buf);
}

static void test_strangers(void **state)
{
	static const struct span wrong = { (const uint8_t *)"Sesame", 6 };
	struct ho_entry e;
	struct strangers f;
	uint8_t scccn[256], first[1500];
	uint32_t ids[8];
	size_t n, first_len;

	(void)state;
	for (int with = 0; with < 2; with++) {
		meet(&f, with ? secret : none, with ? secret : none);
		assert_int_equal(knock(&f, 0, addr(1, 1701), false), HO_REPLY);
		assert_true(f.used);
		memcpy(first, f.out, f.out_len);
		first_len = f.out_len;
		/* the same question, the same answer; no second entry */
		assert_int_equal(knock(&f, 10, addr(1, 1701), true), HO_REPLY);
		assert_false(f.used);
		assert_int_equal(f.out_len, first_len);
		assert_memory_equal(f.out, first, first_len);
		assert_int_equal(ho_count(f.ho), 1);
		n = answer(&f, scccn);
		assert_true(n);
		/* from elsewhere, to another id, changed: nothing happens */
		assert_int_equal(v3_ho_scccn(f.ho, 20, &(struct ho_addr){ .family = 4 }, scccn, n, &f.conf, &e), HO_DROP);
		scccn[7] ^= 1;
		assert_int_equal(v3_ho_scccn(f.ho, 20, &(struct ho_addr){ .family = 4 }, scccn, n, &f.conf, &e), HO_UNKNOWN);
		scccn[7] ^= 1;
		scccn[9] ^= 3;			/* Ns */
		assert_int_equal(v3_ho_scccn(f.ho, 20, &(struct ho_addr){ .family = 4 }, scccn, n, &f.conf, &e), HO_DROP);
		struct ho_addr from = addr(1, 1701);

		assert_int_equal(v3_ho_scccn(f.ho, 20, &from, scccn, n, &f.conf, &e), with ? HO_REFUSED : HO_DROP);
		scccn[9] ^= 3;
		assert_int_equal(ho_count(f.ho), 1);
		assert_int_equal(v3_ho_scccn(f.ho, 20, &from, scccn, n, &f.conf, &e), HO_ACCEPTED);
		assert_true(e.tunnel_id == 1000 && e.peer_tunnel_id == f.peer.tunnel_id && !ho_count(f.ho));
		assert_string_equal(e.host_name, "p");
		assert_true(e.policy == 3 && e.policy_gen == 4);
		assert_int_equal(v3_ho_scccn(f.ho, 20, &from, scccn, n, &f.conf, &e), HO_UNKNOWN);	/* once */
		v3_cc_done(&f.peer);
		meet_end(&f);
	}
	/* any other secret, or none on one side: silence */
	for (int i = 0; i < 3; i++) {
		meet(&f, i == 2 ? none : secret, i == 0 ? wrong : i == 1 ? none : secret);
		assert_int_equal(knock(&f, 0, addr(1, 1701), false), HO_REFUSED);
		assert_int_equal(ho_count(f.ho), 0);
		v3_cc_done(&f.peer);
		meet_end(&f);
	}
	/* limits, and the time */
	meet(&f, secret, secret);
	for (uint16_t i = 0; i < 9; i++) {
		assert_int_equal(knock(&f, 0, addr(1, (uint16_t)(1701 + i)), false), i < 8 ? HO_REPLY : HO_LIMIT);
		v3_cc_done(&f.peer);
	}
	assert_int_equal(knock(&f, 20000, addr(2, 1701), false), HO_REPLY);
	assert_int_equal(knock(&f, 29000, addr(2, 1701), true), HO_REPLY);	/* it asked again: it has its full time */
	assert_int_equal(ho_expire(f.ho, 30001, ids, 8), 8);
	assert_int_equal(ho_expire(f.ho, 58999, ids, 8), 0);
	assert_int_equal(ho_expire(f.ho, 59001, ids, 8), 1);
	v3_cc_done(&f.peer);
	meet_end(&f);
}

/* Repetitions that come in a storm are not acknowledged one by one; one that comes alone is, at once. */
static void test_dup_storm(void **state)
{
	static const struct v3_msg hello = { .type = V3_HELLO };
	unsigned acks = 0;
	struct fixture f;

	(void)state;
	establish(&f);
	f.now = 1000;
	say(&f, hello);
	drain(&f);
	assert_int_equal(f.sent[V3_ACK], 1);
	f.now = 2000;
	for (unsigned i = 0; i < 5000; i++, f.now = 2000 + i / 5) {
		f.ns--;
		say(&f, hello);
		drain(&f);
		acks += f.sent[V3_ACK];
		if (!i)
			assert_int_equal(acks, 1);
	}
	assert_in_range(acks, 9, 11);
	assert_int_equal(cc_deadline(&f.cc), f.cc.rel.ack_at);
	f.now = f.cc.rel.ack_at;
	cc_tick(&f.cc, f.now);
	drain(&f);
	assert_int_equal(f.last.nr, f.ns);
	say(&f, hello);
	say(&f, hello);					/* a new one does not wait for the storm's end */
	drain(&f);
	assert_int_equal(f.sent[V3_ACK], 1);
	assert_int_equal(f.last.nr, f.ns);
	v3_cc_done(&f.cc);
}

/* One that makes us say more and more and acknowledges nothing does not fill our memory: what it asks beyond that is not taken, and
 * is when it has acknowledged. */
static void test_endless(void **state)
{
	static const struct l2tp_cause no = { .result = 4, .msg = "the kernel is busy with the calls before this one" };
	struct v3_msg stray = { .type = V3_ICRP, .local_session_id = 7, .remote_session_id = 8, .circuit_status = 1,
				.present = HAS(LOCAL_SESSION_ID) | HAS(REMOTE_SESSION_ID) | HAS(CIRCUIT_STATUS) };
	unsigned taken[2] = { 0 };
	struct fixture f;

	(void)state;
	establish(&f);
	for (unsigned i = 1; i <= 3000; i++) {
		uint16_t expected = f.cc.rel.nr, nr = f.nr;

		say(&f, i % 2 ? icrq(i) : stray);
		taken[i % 2] += f.cc.rel.nr != expected;
		f.ns = f.cc.rel.nr;
		drain(&f);
		f.nr = nr;
		if (f.count[L2TP_FX_CALL_REQUEST])
			v3_call_refuse(&f.cc, f.now, &f.rq, &no);
		assert_in_range(f.cc.rel.tx_octets, 0, 65536 + 200);
	}
	assert_in_range(taken[0], 200, 1000);
	assert_in_range(taken[1], 200, 1000);
	f.nr = f.cc.rel.ns;
	say(&f, (struct v3_msg){ .type = V3_HELLO });	/* everything else is heard all the time */
	f.nr = f.cc.rel.ns;
	say(&f, (struct v3_msg){ .type = V3_ACK });
	say(&f, icrq(3001));
	assert_int_equal(f.cc.rel.nr, f.ns);
	drain(&f);
	assert_int_equal(f.count[L2TP_FX_CALL_REQUEST], 1);
	v3_cc_done(&f.cc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sccrp), cmocka_unit_test(test_fallback), cmocka_unit_test(test_requests),
		cmocka_unit_test(test_open), cmocka_unit_test(test_strangers), cmocka_unit_test(test_dup_storm),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
