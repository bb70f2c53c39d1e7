/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/v3_end.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "l2tp/save.h"

static const struct ho_addr peer_addr = { .family = 4, .peer_port = 1701, .local_port = 1701, .peer = { 192, 0, 2, 1 } };

static unsigned get16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

static void watch(struct v3_end *e, const uint8_t *p, size_t len)
{
	unsigned ns = get16(p + 8), type = len > 12 ? get16(p + 18) : V3_ZLB;

	e->last_nr = (uint16_t)get16(p + 10);
	e->zlb_out += type == V3_ZLB;
	if (type != V3_ACK && type != V3_ZLB && (int16_t)(ns + 1 - e->acked) > e->cc.rel.peer_rws)
		e->window++;	/* 4.2: never more outstanding than the peer allows; its early CDN acknowledges nothing to us */
	if (e->cc.v3.auth.n_keys && (len < 28 || get16(p + 24) != 59))
		e->unsigned_out++;		/* 5.4.1: immediately after Message Type, in all messages */
}

static void send_out(struct v3_end *e, const void *buf, size_t len)
{
	if (e->tap)
		e->tap(e->tap_arg, e->node, buf, len);
	sim_send(e->sim, e->node, buf, len);
}

static void on_request(struct v3_end *e, const struct v3_fx_request *rq)
{
	struct l2tp_cause no = { .result = 4 };
	struct v3_end_call *c = &e->call[e->n_calls];
	struct v3_side own = { .cookie = { .len = e->cookie_len }, .l2spec = rq->info.peer.l2spec,
			       .circuit_status = V3_CIRCUIT_ACTIVE | V3_CIRCUIT_NEW };

	e->last_request = *rq;
	if (e->deaf_owner)
		return;
	if (e->n_calls == V3_END_CALLS || sim_roll(e->sim, 100) < e->refuse) {
		e->refused++;
		v3_call_refuse(&e->cc, e->sim->now, rq, &no);
		return;
	}
	c->placed_at = NEVER;
	c->session_id = e->next_id++;
	if (v3_call_answer(&e->cc, &c->call, e->sim->now, rq, c->session_id, &own))
		return;
	e->n_calls++;
	e->accepted++;
}

static struct v3_end_call *by_id(struct v3_end *e, uint32_t id)
{
	for (unsigned i = 0; i < e->n_calls; i++)
		if (e->call[i].session_id == id)
			return &e->call[i];
	e->unknown_down++;
	return &e->call[0];
}

static void perform(struct v3_end *e, const struct fx *f)
{
	const struct l2tp_fx_call_down *down = (const void *)f->data;
	const struct l2tp_fx_call *call = (const void *)f->data;
	struct v3_end_call *c;

	switch ((enum l2tp_fx)f->type) {
	case L2TP_FX_TX:
		watch(e, f->data, f->len);
		send_out(e, f->data, f->len);
		break;
	case L2TP_FX_STATE:
		break;
	case L2TP_FX_NOTE:
		e->notes++;
		break;
	case L2TP_FX_CC_UP:
		e->ups++;
		break;
	case L2TP_FX_CC_DOWN:
		e->downs++;
		e->down_at = e->sim->now;
		memcpy(&e->cause, f->data, sizeof(e->cause));
		break;
	case L2TP_FX_CC_GONE:
		e->gones++;
		break;
	case L2TP_FX_CALL_REQUEST:
		on_request(e, (const void *)f->data);
		break;
	case L2TP_FX_CALL_PLACE:
		by_id(e, call->session_id)->placed_at = e->sim->now + sim_roll(e->sim, e->place_ms + 1);
		break;
	case L2TP_FX_CALL_UP:
		c = by_id(e, call->session_id);
		e->twice += c->ups++ || c->downs;
		break;
	case L2TP_FX_CALL_DOWN:
		c = by_id(e, down->session_id);
		e->twice += c->downs++;
		c->cause = down->cause;
		c->placed_at = NEVER;
		break;
	case L2TP_FX_SLI:
		e->slis++;
		e->circuit_status = ((const struct v3_fx_sli *)(const void *)f->data)->circuit_status;
		break;
	case L2TP_FX_WEN:
		e->wens++;
		break;
	case L2TP_FX_FALLBACK:
		e->fallbacks++;
		break;
	}
}

void v3_end_drain(struct v3_end *e)
{
	unsigned sent = e->sim->sent[e->node];
	struct fx *f;

	if (!e->has_cc)
		return;
	for (int turn = 0; turn < 2; turn++) {
		for (; (f = fx_pop(&e->cc.out)); fx_free(f))
			perform(e, f);
		cc_flush(&e->cc, e->sim->now);
	}
	if (e->cc.out.lost) {
		e->cc.out.lost = false;
		e->lost++;
		cc_abandon(&e->cc, e->sim->now, NULL);
		for (; (f = fx_pop(&e->cc.out)); fx_free(f))
			perform(e, f);
	}
	/* 4.2: the last thing that left acknowledges all we have */
	if (sent != e->sim->sent[e->node] && e->cc.ending == CC_LIVE)
		e->stale_nr += e->last_nr != e->cc.rel.nr;
}

/* The next process has all that the last one wrote down. */
static void half_open_again(struct v3_end *e)
{
	struct halfopen *again = ho_new(&e->env, NULL);

	for (const struct ho_entry *h = NULL; (h = ho_next(e->ho, h));) {
		uint8_t record[HO_RECORD_MAX];
		struct wr w = wr_init(record, sizeof(record));
		struct ho_entry read;
		unsigned version;
		bool ok;

		ho_save(h, 3, &w);
		ok = !w.bad && ho_read((struct span){ record, wr_len(&w) }, &read, &version) && version == 3 &&
		     ho_restore(again, e->sim->now, &read);
		assert(ok);
	}
	ho_free(e->ho);
	e->ho = again;
}

static void strange(struct v3_end *e, ms_t now, const void *buf, size_t len)
{
	struct span none = { NULL, 0 };
	struct ho_entry entry;
	enum ho_verdict v;
	uint8_t out[1500];
	struct v3_msg m;
	size_t n = 0;
	bool used;

	if (e->crash && e->ho && sim_roll(e->sim, 100) < e->crash)
		half_open_again(e);
	if (!e->ho || !v3_decode(&m, buf, len, none, NULL)) {
		e->dropped++;
		return;
	}
	if (m.type == V3_SCCRQ)
		v = v3_ho_sccrq(e->ho, now, &peer_addr, &m, buf, len, &e->conf, 0, 0, 8, e->next_id, &used, out, sizeof(out), &n);
	else
		v = v3_ho_scccn(e->ho, now, &peer_addr, buf, len, &e->conf, &entry);
	if (v == HO_REPLY && used)
		e->next_id++;
	e->sccrps += v == HO_REPLY;
	e->ho_forged += v == HO_REFUSED;
	if (n)
		send_out(e, out, n);
	if (v != HO_ACCEPTED)
		return;
	v3_cc_init(&e->cc, &e->env, &e->conf, entry.tunnel_id);
	e->has_cc = true;
	e->acked = 1;
	v3_cc_accept(&e->cc, now, &entry);
	v3_cc_input(&e->cc, now, buf, len);
	v3_end_drain(e);
}

static void input(void *arg, ms_t now, const void *buf, size_t len)
{
	struct v3_end *e = arg;
	const uint8_t *p = buf;
	unsigned sent = e->sim->sent[e->node];
	bool ack = len > 20 ? get16(p + 18) == V3_ACK : len == 12;
	uint32_t id = 0, forged = e->cc.v3.forged;
	bool v3 = v3_peek(buf, len, &id);

	if (!e->has_cc || (e->ho && (!v3 || !id)) || (v3 && id && id != e->cc.tunnel_id)) {
		strange(e, now, buf, len);
		return;
	}
	ack = ack && !e->cc.rel.tx && !e->cc.rel.ack_due && e->cc.ending == CC_LIVE;
	v3_cc_input(&e->cc, now, buf, len);
	if (len >= 12 && id == e->cc.tunnel_id && e->cc.v3.forged == forged && (uint16_t)(get16(p + 10) - e->acked) < 0x8000)
		e->acked = (uint16_t)get16(p + 10);
	v3_end_drain(e);
	if (ack && sent != e->sim->sent[e->node])
		e->ack_answered++;
}

static void tick(void *arg, ms_t now)
{
	struct v3_end *e = arg;
	uint32_t ids[8];

	if (e->ho)
		ho_expire(e->ho, now, ids, 8);
	if (!e->has_cc)
		return;
	if (now >= cc_deadline(&e->cc))
		cc_tick(&e->cc, now);
	for (unsigned i = 0; i < e->n_calls; i++) {
		if (now < e->call[i].placed_at)
			continue;
		e->call[i].placed_at = NEVER;
		cc_call_placed(&e->cc, &e->call[i].call, now);
	}
	v3_end_drain(e);
}

static ms_t deadline(void *arg)
{
	const struct v3_end *e = arg;
	ms_t at = e->has_cc ? cc_deadline(&e->cc) : NEVER;

	if (e->ho)
		at = ms_min(at, ho_deadline(e->ho));
	for (unsigned i = 0; i < e->n_calls; i++)
		at = ms_min(at, e->call[i].placed_at);
	return at;
}

void v3_end_init(struct v3_end *e, struct sim *s, int node, bool answers)
{
	memset(e, 0, sizeof(*e));
	e->sim = s;
	e->node = node;
	e->env = sim_env(s);
	e->conf = (struct v3_conf){ .cc = { .host_name = node ? "b.example" : "a.example", .hello_ms = UINT32_MAX },
				    .router_id = node ? 0xc0000202 : 0xc0000201 };
	e->next_id = node ? 0xb0000000 : 0xa0000000;
	s->node[node] = (struct sim_node){ e, input, tick, deadline };
	if (answers) {
		e->ho = ho_new(&e->env, NULL);
		return;
	}
	e->has_cc = true;
	v3_end_reset(e);
}

void v3_end_reset(struct v3_end *e)
{
	if (e->has_cc)
		v3_cc_init(&e->cc, &e->env, &e->conf, e->next_id++);
}

void v3_end_done(struct v3_end *e)
{
	if (e->has_cc)
		v3_cc_done(&e->cc);
	ho_free(e->ho);
}

void v3_end_open(struct v3_end *e)
{
	v3_cc_open(&e->cc, e->sim->now, 0);
	v3_end_drain(e);
}

int v3_end_call(struct v3_end *e, enum v3_role role, const char *end_id, unsigned cookie_len)
{
	struct v3_end_call *c = &e->call[e->n_calls];
	struct v3_call_info info = {
		.pw_type = V3_PW_ETHERNET, .tx_speed = 1000000,
		.own = { .cookie = { .len = (uint8_t)cookie_len }, .circuit_status = V3_CIRCUIT_ACTIVE | V3_CIRCUIT_NEW,
			 .l2spec = sim_roll(e->sim, 2) ? V3_L2SPEC_DEFAULT : V3_L2SPEC_NONE },
	};
	int ret;

	if (!e->has_cc || e->n_calls == V3_END_CALLS)
		return -1;
	info.end_id_len = (uint8_t)(end_id ? snprintf((char *)info.end_id, sizeof(info.end_id), "%s", end_id) :
				    snprintf((char *)info.end_id, sizeof(info.end_id), "%d-%u", e->node, e->n_calls));
	c->placed_at = NEVER;
	c->session_id = e->next_id;
	ret = v3_call_open(&e->cc, &c->call, e->sim->now, role, c->session_id, &info);
	if (!ret) {
		e->n_calls++;
		e->next_id++;
	}
	v3_end_drain(e);
	return ret;
}

void v3_end_close_call(struct v3_end *e, unsigned i)
{
	cc_call_close(&e->cc, &e->call[i].call, e->sim->now, NULL);
	v3_end_drain(e);
}

unsigned v3_end_faults(const struct v3_end *e)
{
	return e->stale_nr + e->window + e->ack_answered + e->unknown_down + e->twice + e->unsigned_out + e->zlb_out;
}

bool v3_end_quiet(const struct v3_end *e)
{
	return !e->has_cc || (!e->cc.rel.tx && !e->cc.rel.early && !e->cc.rel.ack_due && !e->cc.setup &&
			      cc_deadline(&e->cc) == NEVER);
}
