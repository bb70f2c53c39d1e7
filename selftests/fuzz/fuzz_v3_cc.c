/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands and messages, in any order, into one L2TPv3 control connection, with and without Control Message Authentication.
 * Input: a byte of configuration, then records: a byte of what to do, and for a message a length and that many octets, whose
 * Control Connection ID, Ns, Nr and Message Digest are made right unless the command says otherwise - or nothing would get past
 * them.  What is not signed right must change nothing. */
#include <stdlib.h>

#include "l2tp/v3_halfopen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 8 };

struct owner {
	struct cc cc;
	struct v3_auth peer;			/* the other end's, to sign as it would */
	struct call call[CALLS];
	bool used[CALLS];
	unsigned cc_ups, cc_downs, gones;
	ms_t now;
};

static void chance(void *arg, void *buf, size_t len)
{
	uint32_t *x = arg;

	for (uint8_t *p = buf; len--; *p++ = (uint8_t)(*x >> 16))
		*x = *x * 1664525 + 1013904223;
}

static struct call *by_id(struct owner *o, uint32_t id)
{
	if (id < 100 || id >= 100 + CALLS || !o->used[id - 100])
		abort();			/* an effect for a call that is not there */
	return &o->call[id - 100];
}

static int free_call(const struct owner *o)
{
	int i = 0;

	while (i < CALLS && o->used[i])
		i++;
	return i;
}

static void check_tx(struct owner *o, const struct fx *f)
{
	struct v3_signature sig;
	struct v3_msg m;

	if (!v3_decode(&m, f->data, f->len, v3_hide_key(&o->cc.v3.auth, o->cc.v3.auth.key_no), NULL) ||
	    m.missing & ~m.unread || m.odd.error)
		abort();
	if (o->peer.n_keys && m.type == V3_ZLB)
		abort();
	if (o->peer.n_keys && o->cc.v3.auth.agreed && m.type != V3_SCCRQ && v3_verify(&o->peer, f->data, f->len, &sig) != V3_GOOD)
		abort();
}

static void drain(struct owner *o)
{
	for (struct fx *f; (f = fx_pop(&o->cc.out)); fx_free(f)) {
		const struct v3_fx_request *rq = (const void *)f->data;
		const struct l2tp_fx_call *fc = (const void *)f->data;
		struct v3_side own = { .cookie = { .len = (uint8_t)(f->len % 12) } };
		struct l2tp_cause no = { .result = 4 };
		int i = free_call(o);

		switch ((enum l2tp_fx)f->type) {
		case L2TP_FX_TX:
			check_tx(o, f);
			break;
		case L2TP_FX_CC_UP:
			if (o->cc_ups++ || o->cc_downs)
				abort();
			break;
		case L2TP_FX_CC_DOWN:
			for (int c = 0; c < CALLS; c++)
				if (o->used[c])
					abort();
			if (o->cc_downs++)
				abort();
			break;
		case L2TP_FX_CC_GONE:
			if (o->gones++ || !o->cc_downs)
				abort();
			break;
		case L2TP_FX_CALL_REQUEST:
			if (i == CALLS)
				v3_call_refuse(&o->cc, o->now, rq, &no);
			else if (!v3_call_answer(&o->cc, &o->call[i], o->now, rq, (uint32_t)(100 + i), &own))
				o->used[i] = true;
			break;
		case L2TP_FX_CALL_DOWN:
			by_id(o, fc->session_id);
			o->used[fc->session_id - 100] = false;
			break;
		case L2TP_FX_CALL_PLACE:
		case L2TP_FX_CALL_UP:
		case L2TP_FX_SLI:
		case L2TP_FX_WEN:
			by_id(o, fc->session_id);
			break;
		case L2TP_FX_STATE:
		case L2TP_FX_NOTE:
		case L2TP_FX_FALLBACK:
				break;
		}
	}
	cc_flush(&o->cc, o->now);
	for (struct fx *f; (f = fx_pop(&o->cc.out)); fx_free(f))
		if (f->type == L2TP_FX_TX)
			check_tx(o, f);
}

/* The peer has our nonce from our SCCRQ or its SCCRP, and uses one of its own. */
static void start(struct owner *o, const struct env *env, const struct v3_conf *conf, bool answer, uint16_t v2_tunnel_id)
{
	const struct span secret[V3_SECRETS] = { conf->cc.secret, conf->secret2 };
	struct ho_entry e = { .tunnel_id = 17, .peer_tunnel_id = 42, .peer_rws = 4, .v3 = { .pw_caps = 1 << V3_PW_ETHERNET } };

	v3_auth_init(&o->peer, env, secret, V3_HMAC_MD5);
	v3_auth_resume(&o->peer, o->peer.nonce, o->cc.v3.auth.nonce, o->cc.v3.auth.nonce_len, 0, V3_HMAC_MD5);
	memcpy(e.challenge, o->cc.v3.auth.nonce, V3_NONCE_LEN);
	memcpy(e.v3.nonce, o->peer.nonce, V3_NONCE_LEN);
	e.v3.nonce_len = o->peer.nonce_len;
	if (answer)
		v3_cc_accept(&o->cc, 0, &e);
	else
		v3_cc_open(&o->cc, 0, v2_tunnel_id);
	drain(o);
}

/* An SCCRP must carry the nonce that it is signed with. */
static size_t add_nonce(const struct owner *o, uint8_t *p, size_t n)
{
	if (!o->peer.n_keys || n < 20 || p[18] || p[19] != V3_SCCRP)
		return n;
	put_u16(p + n, 0x8000 | (6 + V3_NONCE_LEN));
	put_u16(p + n + 2, 0);
	put_u16(p + n + 4, 73);
	memcpy(p + n + 6, o->peer.nonce, V3_NONCE_LEN);
	return n + 6 + V3_NONCE_LEN;
}

static void message(struct owner *o, struct rd *r, unsigned how)
{
	struct span s = rd_span(r, rd_u8(r));
	uint8_t *p = r->bad ? NULL : malloc(s.n + 64);
	struct cc before;
	size_t n = s.n;

	if (!p)
		return;
	if (n)
		memcpy(p, s.p, n);
	if (n >= 20 && o->peer.n_keys && p[13] == 8) {		/* room for a digest behind Message Type */
		memmove(p + 43, p + 20, n - 20);
		memcpy(p + 20, (const uint8_t[7]){ 0x80, 23, 0, 0, 0, 59, V3_HMAC_MD5 }, 7);
		n = add_nonce(o, p, n + 23);
	}
	if (n >= 12 && !(how & 1)) {
		put_u16(p + 2, (unsigned)n);
		put_u32(p + 4, o->cc.tunnel_id);
		put_u16(p + 8, (unsigned)(o->cc.rel.nr + (how >> 1 & 3)) & 0xffff);
		put_u16(p + 10, how & 8 ? o->cc.rel.una : o->cc.rel.ns);
		v3_sign(&o->peer, p, n);
	}
	before = o->cc;
	v3_cc_input(&o->cc, o->now, p, n);
	if (o->cc.v3.forged != before.v3.forged && (o->cc.rel.nr != before.rel.nr || o->cc.rel.una != before.rel.una ||
	    o->cc.rel.ack_due != before.rel.ack_due || o->cc.state != before.state || o->cc.n_calls != before.n_calls ||
	    o->cc.n_pending != before.n_pending || o->cc.hello_at != before.hello_at))
		abort();
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct v3_call_info info = { .pw_type = V3_PW_ETHERNET, .end_id_len = 1, .end_id = "x",
						  .own = { .cookie = { .len = 8 }, .l2spec = 1 } };
	static const uint32_t errors[4] = { 1 };
	struct owner *o = calloc(1, sizeof(*o));
	struct rd r = rd_init(data, size);
	uint32_t seed = 1;
	struct env env = { chance, &seed };
	unsigned config = rd_u8(&r);
	struct v3_conf conf = {
		.cc = { .host_name = "fuzz", .vendor_name = config & 1 ? "v" : NULL, .strict = config & 2,
			.secret = { (const uint8_t *)"sesame", config & 4 ? 6 : 0 }, .hide = config & 8,
			.no_tie_breaker = config & 64 },
		.secret2 = { (const uint8_t *)"open", config & 32 ? 4 : 0 },
	};

	if (!o)
		return 0;
	v3_cc_init(&o->cc, &env, &conf, 17);
	start(o, &env, &conf, config & 16, config & 128 ? 5 : 0);
	while (rd_left(&r)) {
		unsigned what = rd_u8(&r);
		struct call *c = &o->call[what >> 4 & 7];
		int i = free_call(o);

		switch (what & 15) {
		case 0:
			cc_close(&o->cc, o->now, NULL);
			break;
		case 1:
			o->now += (ms_t)rd_u8(&r) * 100;
			break;
		case 2:
			o->now = cc_deadline(&o->cc) == NEVER ? o->now : cc_deadline(&o->cc) > o->now ?
				 cc_deadline(&o->cc) : o->now;
			break;
		case 3:
		case 4:
			if (i < CALLS && !v3_call_open(&o->cc, &o->call[i], o->now, what & 1 ? V3_ICRQ_SENDER : V3_OCRQ_SENDER,
						       (uint32_t)(100 + i), &info))
				o->used[i] = true;
			break;
		case 5:
			cc_call_close(&o->cc, c, o->now, NULL);
			break;
		case 6:
			cc_call_placed(&o->cc, c, o->now);
			break;
		case 7:
			v3_call_sli(&o->cc, c, o->now, V3_CIRCUIT_ACTIVE);
			v3_call_wen(&o->cc, c, o->now, errors);
			cc_alive(&o->cc, o->now);
			break;
		default:
			message(o, &r, what >> 4);
			break;
		}
		drain(o);
		if (o->now >= cc_deadline(&o->cc))
			cc_tick(&o->cc, o->now);
		drain(o);
		if (o->cc.n_calls > CALLS)
			abort();
	}
	/* left alone, it comes to rest; closed, it goes */
	cc_close(&o->cc, o->now, NULL);
	drain(o);
	for (int i = 0; i < 1000 && cc_deadline(&o->cc) != NEVER; i++) {
		o->now = cc_deadline(&o->cc) > o->now ? cc_deadline(&o->cc) : o->now;
		cc_tick(&o->cc, o->now);
		drain(o);
	}
	if (o->gones != 1 || o->cc_downs != 1 || o->cc.rel.tx || o->cc.rel.early || o->cc.n_calls)
		abort();
	v3_cc_done(&o->cc);
	free(o);
	return 0;
}
