/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands and datagrams, in any order, into one control connection.  Input: a byte of configuration,
 * then records: a byte of what to do, and for a datagram a length and that many octets, whose Tunnel
 * ID, Ns and Nr are made right unless the command says otherwise - or nothing would get past them. */
#include <stdlib.h>

#include "l2tp/v2_cc.h"
#include "l2tp/halfopen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 8 };

struct owner {
	struct cc cc;
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

static struct call *by_id(struct owner *o, uint16_t id)
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

static void drain(struct owner *o)
{
	for (struct fx *f; (f = fx_pop(&o->cc.out)); fx_free(f)) {
		const struct v2_fx_request *rq = (const void *)f->data;
		const struct l2tp_fx_call *fc = (const void *)f->data;
		struct l2tp_cause no = { .result = 4 };
		struct l2tp_msg m;
		int i = free_call(o);

		switch ((enum l2tp_fx)f->type) {
		case L2TP_FX_TX:
			if (!l2tp_decode(&m, f->data, f->len, o->cc.conf->secret, NULL) || m.missing & ~m.unread)
				abort();
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
				v2_call_refuse(&o->cc, o->now, rq, &no);
			else if (!v2_call_answer(&o->cc, &o->call[i], o->now, rq, (uint16_t)(100 + i)))
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
		;
}

static void start(struct owner *o, bool answer)
{
	struct ho_entry e = { .tunnel_id = 17, .peer_tunnel_id = 42, .peer_rws = 4, .framing_caps = 3,
			      .bearer_caps = 3, .challenged = false };

	if (answer)
		v2_cc_accept(&o->cc, 0, &e);
	else
		cc_open(&o->cc, 0);
	drain(o);
}

static void datagram(struct owner *o, struct rd *r, unsigned how)
{
	struct span s;
	uint8_t *p;

	s = rd_span(r, rd_u8(r));
	if (r->bad)
		return;
	p = malloc(s.n ? s.n : 1);
	if (!p)
		return;
	if (s.n)
		memcpy(p, s.p, s.n);
	if (s.n >= 12 && !(how & 1)) {
		put_u16(p + 2, (unsigned)s.n);
		put_u16(p + 4, o->cc.tunnel_id);
		put_u16(p + 8, (unsigned)(o->cc.rel.nr + (how >> 1 & 3)) & 0xffff);
		put_u16(p + 10, how & 8 ? o->cc.rel.una : o->cc.rel.ns);
	}
	v2_cc_input(&o->cc, o->now, p, s.n);
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct call_info info = { .serial = 1, .called = "1", .calling = "2" };
	static const uint32_t errors[6] = { 1 };
	struct owner *o = calloc(1, sizeof(*o));
	struct rd r = rd_init(data, size);
	uint32_t seed = 1;
	struct env env = { chance, &seed };
	unsigned config = rd_u8(&r);
	struct cc_conf conf = {
		.host_name = "fuzz", .vendor_name = config & 1 ? "v" : NULL, .strict = config & 2,
		.secret = { (const uint8_t *)"sesame", config & 4 ? 6 : 0 }, .hide = config & 8,
	};

	if (!o)
		return 0;
	v2_cc_init(&o->cc, &env, &conf, 17);
	start(o, config & 16);
	if (config & 32 && o->cc.state == CC_WAIT_CTL_CONN)
		v2_cc_input(&o->cc, 0, (const uint8_t[]){ 0xc8, 2, 0, 20, 0, 17, 0, 0, 0, 1, 0, 1, 0x80, 8, 0, 0, 0, 0, 0, 3 }, 20);
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
			if (i < CALLS && !v2_call_open(&o->cc, &o->call[i], o->now, what & 1 ? CALL_LAC_INCOMING :
						       CALL_LNS_OUTGOING, (uint16_t)(100 + i), &info))
				o->used[i] = true;
			break;
		case 5:
			cc_call_close(&o->cc, c, o->now, NULL);
			break;
		case 6:
			cc_call_placed(&o->cc, c, o->now);
			break;
		case 7:
			v2_call_sli(&o->cc, c, o->now, 1, 2);
			v2_call_wen(&o->cc, c, o->now, errors);
			cc_alive(&o->cc, o->now);
			break;
		default:
			datagram(o, &r, what >> 4);
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
	v2_cc_done(&o->cc);
	free(o);
	return 0;
}
