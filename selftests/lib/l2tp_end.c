/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/l2tp_end.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "l2tp/save.h"

static const struct ho_addr peer_addr = { .family = 4, .peer_port = 1701, .local_port = 1701, .peer = { 192, 0, 2, 1 } };

static unsigned get16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

static void tap(struct l2tp_end *e, const uint8_t *p, size_t len)
{
	unsigned ns = get16(p + 8);

	e->last_nr = (uint16_t)get16(p + 10);
	/* 5.8: never more outstanding than the peer allows (and what its early CDN acknowledged may go out again) */
	if (len > 12 && (int16_t)(ns + 1 - e->acked) > e->cc.rel.peer_rws)
		e->window++;
}

static void on_request(struct l2tp_end *e, const struct v2_fx_request *rq)
{
	struct l2tp_cause no = { .result = 4 };
	struct end_call *c = &e->call[e->n_calls];

	if (e->n_calls == END_CALLS || sim_roll(e->sim, 100) < e->refuse) {
		e->refused++;
		v2_call_refuse(&e->cc, e->sim->now, rq, &no);
		return;
	}
	c->bearer_at = NEVER;
	c->session_id = e->next_id++;
	if (v2_call_answer(&e->cc, &c->call, e->sim->now, rq, c->session_id))
		return;
	e->n_calls++;
	e->accepted++;
}

static struct end_call *by_id(struct l2tp_end *e, uint16_t id)
{
	for (unsigned i = 0; i < e->n_calls; i++)
		if (e->call[i].session_id == id)
			return &e->call[i];
	e->unknown_down++;
	return &e->call[0];
}

void end_send(struct l2tp_end *e, const struct fx *f)
{
	tap(e, f->data, f->len);
	sim_send(e->sim, e->node, f->data, f->len);
}

static void perform(struct l2tp_end *e, const struct fx *f)
{
	const struct l2tp_fx_call_down *down = (const void *)f->data;
	const struct l2tp_fx_call *call = (const void *)f->data;
	struct end_call *c;

	switch ((enum l2tp_fx)f->type) {
	case L2TP_FX_TX:
		if (e->disk)
			fx_push(&e->disk->out, f->type, f->data, f->len);	/* at the end of the turn */
		else
			end_send(e, f);
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
		by_id(e, call->session_id)->bearer_at = e->sim->now + sim_roll(e->sim, e->bearer_ms + 1);
		break;
	case L2TP_FX_CALL_UP:
		c = by_id(e, call->session_id);
		e->twice += c->ups++ || c->downs;
		break;
	case L2TP_FX_CALL_DOWN:
		c = by_id(e, down->session_id);
		e->twice += c->downs++;
		c->cause = down->cause;
		c->bearer_at = NEVER;
		break;
	case L2TP_FX_SLI:
		e->slis++;
		break;
	case L2TP_FX_WEN:
		e->wens++;
		break;
	case L2TP_FX_FALLBACK:
		break;
	}
	if (e->hear)
		e->hear(e->owner, f);
}

/* Crashing */

enum { T_CC = 1, T_CALL = 2, T_HALF_OPEN = 3, ROOM = 1 << 20, ID_AGAIN = 3000 };

static void write_down(struct l2tp_end *e)
{
	struct end_disk *d = e->disk;
	struct wr w = wr_init(d->record, d->room);

	d->has_cc = e->has_cc && cc_to_be_saved(&e->cc);
	for (const struct ho_entry *h = NULL; e->ho && (h = ho_next(e->ho, h));) {
		uint8_t *opened = rec_open(&w, T_HALF_OPEN);

		ho_save(h, 2, &w);
		rec_close(&w, opened);
	}
	if (d->has_cc)
		v2_cc_save(&e->cc, &w, T_CC);
	for (unsigned i = 0; d->has_cc && i < e->n_calls; i++)
		if (e->call[i].call.linked)
			cc_call_save(&e->cc, &e->call[i].call, &w, T_CALL);
	assert(!w.bad);
	d->n = wr_len(&w);
	*d->owner = *e;
}

static void read_half_open(struct l2tp_end *e, struct span record)
{
	struct ho_entry h;
	unsigned version;
	bool ok = ho_read(record, &h, &version) && version == 2 && ho_restore(e->ho, e->sim->now, &h);

	assert(ok);
}

/* All that the next process has: the record, and its owner's data. */
static void read_back(struct l2tp_end *e)
{
	struct end_disk *d = e->disk;
	unsigned crashes = e->crashes + 1, half = e->half_open_crashes, tag, i = 0;
	struct rd r = rd_init(d->record, d->n);
	struct span v;
	bool ok;

	if (e->has_cc)
		v2_cc_done(&e->cc);
	ho_free(e->ho);
	fxq_done(&d->out);
	*e = *d->owner;
	e->crashes = crashes;
	e->half_open_crashes = half;
	if (e->ho)
		e->ho = ho_new(&e->env, NULL);
	while (rec_next(&r, &tag, &v) && tag == T_HALF_OPEN)
		read_half_open(e, v);
	e->half_open_crashes += e->ho && ho_count(e->ho);
	if (!d->has_cc) {
		e->redial = e->has_cc;
		if (e->redial)
			v2_cc_init(&e->cc, &e->env, &e->conf, (uint16_t)(ID_AGAIN + e->crashes));
		return;
	}
	v2_cc_init(&e->cc, &e->env, &e->conf, (uint16_t)d->owner->cc.tunnel_id);
	ok = tag == T_CC && !v2_cc_restore(&e->cc, e->sim->now, v);
	assert(ok);				/* what was written can be read */
	for (; i < e->n_calls; i++) {
		if (!e->call[i].call.linked)
			continue;
		ok = rec_next(&r, &tag, &v) && tag == T_CALL && !cc_call_restore(&e->cc, &e->call[i].call, e->sim->now, v);
		assert(ok);
	}
	assert(!rd_left(&r) && !r.bad);
}

/* The end of a turn. */
static void leave(struct l2tp_end *e)
{
	struct end_disk *d = e->disk;
	bool crash = sim_roll(e->sim, 100) < e->crash;
	unsigned where = crash ? sim_roll(e->sim, 4) : 3, n = 0;
	struct fx *f;

	if (where != 0)
		write_down(e);
	for (f = d->out.head; f; f = f->next)
		n++;
	n = where == 0 || where == 1 ? 0 : where == 2 ? sim_roll(e->sim, n + 1) : n;
	for (; n && (f = fx_pop(&d->out)); n--, fx_free(f))
		if (f->type == END_FX_RAW)
			sim_send(e->sim, e->node, f->data, f->len);
		else
			end_send(e, f);
	fxq_done(&d->out);
	if (crash)
		read_back(e);
}

void end_can_crash(struct l2tp_end *e, unsigned percent)
{
	struct end_disk *d = e->disk ? e->disk : calloc(1, sizeof(*d));

	if (!e->disk) {
		d->owner = malloc(sizeof(*d->owner));
		d->record = malloc(ROOM);
		d->room = ROOM;
		e->disk = d;
	}
	e->crash = d->owner->crash = percent;
	write_down(e);
}

void end_drain(struct l2tp_end *e)
{
	unsigned sent = e->sim->sent[e->node], crashes = e->crashes;
	struct fx *f;

	for (int turn = 0; e->has_cc && turn < 2; turn++) {
		for (; (f = fx_pop(&e->cc.out)); fx_free(f))
			perform(e, f);
		cc_flush(&e->cc, e->sim->now);
	}
	if (e->has_cc && e->cc.out.lost) {
		e->cc.out.lost = false;
		e->lost++;
		cc_abandon(&e->cc, e->sim->now, NULL);
		for (; (f = fx_pop(&e->cc.out)); fx_free(f))
			perform(e, f);
	}
	if (e->disk && !e->disk->by_owner)
		leave(e);
	if (crashes != e->crashes || !e->has_cc)
		return;
	/* 5.8: the last thing that left acknowledges all we have */
	if (sent != e->sim->sent[e->node] && e->cc.ending == CC_LIVE)
		e->stale_nr += e->last_nr != e->cc.rel.nr;
}

static void strange(struct l2tp_end *e, ms_t now, const void *buf, size_t len)
{
	uint8_t scratch[L2TP_SCRATCH], reply[1500];
	struct ho_entry entry;
	struct l2tp_msg m;
	size_t n = 0;
	bool used;
	enum ho_verdict v;

	if (!e->ho || !l2tp_decode(&m, buf, len, e->conf.secret, scratch))
		return;
	if (m.type == L2TP_SCCRQ)
		v = ho_sccrq(e->ho, now, &peer_addr, &m, len, &e->conf, 0, 0, 8, e->next_id, &used, reply,
			     sizeof(reply), &n);
	else
		v = ho_scccn(e->ho, now, &peer_addr, &m, &e->conf, &entry, reply, sizeof(reply), &n);
	if (v == HO_REPLY && used)
		e->next_id++;
	e->sccrps += v == HO_REPLY;
	e->refused += v == HO_REFUSED;
	if (n && e->disk)
		fx_push(&e->disk->out, END_FX_RAW, reply, n);
	else if (n)
		sim_send(e->sim, e->node, reply, n);
	if (v != HO_ACCEPTED) {
		if (e->disk)
			end_drain(e);
		return;
	}
	v2_cc_init(&e->cc, &e->env, &e->conf, entry.tunnel_id);
	e->has_cc = true;
	e->acked = 1;
	v2_cc_accept(&e->cc, now, &entry);
	v2_cc_input(&e->cc, now, buf, len);
	end_drain(e);
}

static void input(void *arg, ms_t now, const void *buf, size_t len)
{
	struct l2tp_end *e = arg;
	const uint8_t *p = buf;
	unsigned sent = e->sim->sent[e->node], crashes = e->crashes;
	bool zlb = len == 12;
	uint16_t tid = 0;

	if (!e->has_cc || (l2tp_peek(buf, len, &tid) && tid != e->cc.tunnel_id && tid)) {
		strange(e, now, buf, len);
		return;
	}
	if (len >= 12 && tid == e->cc.tunnel_id && (uint16_t)(get16(p + 10) - e->acked) < 0x8000)
		e->acked = (uint16_t)get16(p + 10);
	zlb = zlb && !e->cc.rel.tx && !e->cc.rel.ack_due && e->cc.ending == CC_LIVE;
	v2_cc_input(&e->cc, now, buf, len);
	end_drain(e);
	if (zlb && crashes == e->crashes && sent != e->sim->sent[e->node])
		e->zlb_answered++;
}

static void tick(void *arg, ms_t now)
{
	struct l2tp_end *e = arg;
	uint32_t ids[8];

	if (e->ho)
		ho_expire(e->ho, now, ids, 8);
	if (!e->has_cc)
		return;
	if (e->redial) {
		e->redial = false;
		cc_open(&e->cc, now);
	}
	if (now >= cc_deadline(&e->cc))
		cc_tick(&e->cc, now);
	for (unsigned i = 0; i < e->n_calls; i++) {
		if (now < e->call[i].bearer_at)
			continue;
		e->call[i].bearer_at = NEVER;
		cc_call_placed(&e->cc, &e->call[i].call, now);
	}
	end_drain(e);
}

static ms_t deadline(void *arg)
{
	const struct l2tp_end *e = arg;
	ms_t at = e->redial ? 0 : e->has_cc ? cc_deadline(&e->cc) : NEVER;

	if (e->ho)
		at = ms_min(at, ho_deadline(e->ho));
	for (unsigned i = 0; i < e->n_calls; i++)
		at = ms_min(at, e->call[i].bearer_at);
	return at;
}

void end_init(struct l2tp_end *e, struct sim *s, int node, bool answers)
{
	memset(e, 0, sizeof(*e));
	e->sim = s;
	e->node = node;
	e->env = sim_env(s);
	e->conf = (struct cc_conf){ .host_name = node ? "lns.example" : "lac.example",
				    .hello_ms = UINT32_MAX };
	e->next_id = node ? 2000 : 1000;
	s->node[node] = (struct sim_node){ e, input, tick, deadline };
	if (answers) {
		e->ho = ho_new(&e->env, NULL);
		return;
	}
	v2_cc_init(&e->cc, &e->env, &e->conf, e->next_id++);
	e->has_cc = true;
}

void end_done(struct l2tp_end *e)
{
	if (e->has_cc)
		v2_cc_done(&e->cc);
	ho_free(e->ho);
	if (e->disk) {
		fxq_done(&e->disk->out);
		free(e->disk->owner);
		free(e->disk->record);
	}
	free(e->disk);
}

int end_call(struct l2tp_end *e, enum call_role role)
{
	struct end_call *c = &e->call[e->n_calls];
	struct call_info info = { .serial = e->next_id, .called = "123", .calling = "456" };
	int ret;

	if (!e->has_cc || e->n_calls == END_CALLS)
		return -1;
	c->bearer_at = NEVER;
	c->session_id = e->next_id;
	ret = v2_call_open(&e->cc, &c->call, e->sim->now, role, c->session_id, &info);
	if (!ret) {
		e->n_calls++;
		e->next_id++;
	}
	end_drain(e);
	return ret;
}

void end_close_call(struct l2tp_end *e, unsigned i)
{
	cc_call_close(&e->cc, &e->call[i].call, e->sim->now, NULL);
	end_drain(e);
}

unsigned end_faults(const struct l2tp_end *e)
{
	return e->stale_nr + e->window + e->zlb_answered + e->unknown_down + e->twice;
}

bool end_quiet(const struct l2tp_end *e)
{
	return !e->has_cc || (!e->cc.rel.tx && !e->cc.rel.early && !e->cc.rel.ack_due && !e->cc.setup &&
			      cc_deadline(&e->cc) == NEVER);
}
