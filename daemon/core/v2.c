/* SPDX-License-Identifier: GPL-2.0-or-later */
/* L2TPv2's engine (l2tp/cc.h) as core's tunnels and sessions use it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "core/policy.h"
#include "core/room.h"
#include "core/session.h"
#include "core/turn.h"
#include "core/version.h"
#include "l2tp/data.h"
#include "l2tp/save.h"

enum { CDN_TEMPORARY = 4 };		/* RFC 2661 4.4.2: lack of appropriate facilities */

/* Why this call may not be, or NULL. */
static const char *refusal(const struct tunnel *t, const struct policy *p, const struct l2tp_fx_request *rq)
{
	bool outgoing = rq->role == CALL_LAC_OUTGOING;

	if (outgoing ? p->role != ROLE_LAC || !p->outgoing_calls : p->role != ROLE_LNS)
		return outgoing ? "outgoing calls are not configured" : "incoming calls are not configured";
	return session_refusal(t, p);
}

/* A call of the peer's. */
static void answer(struct tunnel *t, const struct l2tp_fx_request *rq)
{
	const struct policy *p = t->from ? &t->from->policy : &t->as->session[0].policy;
	struct l2tp_cause cause = { .result = CDN_TEMPORARY };
	ms_t now = t->ctx->loop.now;
	struct session *s;
	const char *why;

	room_for_session(t->ctx);
	why = refusal(t, p, rq);
	s = why ? NULL : session_new(t, p, NULL, 0);
	if (!s) {
		why = why ? why : "out of memory or of session ids";
		session_refused(t, why);
		snprintf(cause.msg, sizeof(cause.msg), "%s", why);
		cc_call_refuse(&t->cc, now, rq, &cause);
		return;
	}
	if (cc_call_answer(&t->cc, &s->call, now, rq, s->id)) {
		s->call_down = true;
		session_end(s, 0, 0, "the call could not be answered");
		return;
	}
	s->stranger = t->from;
	t->n_strangers += s->stranger;
}

static struct session *place(struct tunnel *t, const struct conf_session *as)
{
	struct session *s = session_new(t, &as->policy, as, 0);
	struct call_info info = { .serial = ++t->ctx->last_serial, .tx_speed = 100000000, .rx_speed = 100000000 };
	enum call_role role = as->policy.role == ROLE_LNS ? CALL_LNS_OUTGOING : CALL_LAC_INCOMING;

	if (!s)
		return NULL;
	if (as->user)
		s->user = strdup(as->user);
	if (cc_call_open(&t->cc, &s->call, t->ctx->loop.now, role, s->id, &info)) {
		s->call_down = true;
		session_end(s, 0, 0, "the call could not be placed");
		return NULL;
	}
	return s;
}

static void perform(struct tunnel *t, const struct fx *f)
{
	struct ctx *ctx = t->ctx;
	const void *data = f->data;
	const struct l2tp_fx_state *state = data;
	const struct l2tp_fx_call_down *down = data;
	const struct l2tp_fx_call *call = data;
	struct session *s;

	switch ((enum l2tp_fx)f->type) {
	case L2TP_FX_TX:
		t->untold = 0;
		turn_datagram(ctx, t, f->data, f->len);
		break;
	case L2TP_FX_STATE:
		s = ctx->session[state->session_id];
		if (s && s->tunnel == t)
			session_changed(s);
		if (ctx->log.level >= LOG_DEBUG)
			log_line(&ctx->log, LOG_DEBUG, "tunnel %u/%u: %s%s: %s --%s--> %s", t->id, t->cc.peer_tunnel_id,
				 state->machine, state->session_id ? " (call)" : "", state->was, state->event, state->is);
		break;
	case L2TP_FX_NOTE:
		log_peer(ctx, T_PROTOCOL, &t->peer, LOG_NOTICE, "tunnel %u/%u: %s: %.*s", t->id, t->cc.peer_tunnel_id,
			 tunnel_name(t), (int)f->len, (const char *)f->data);
		break;
	case L2TP_FX_CC_UP:
		tunnel_went_up(t);
		break;
	case L2TP_FX_CC_DOWN:
		tunnel_went_down(t, data);
		break;
	case L2TP_FX_CC_GONE:
		t->gone = true;
		break;
	case L2TP_FX_CALL_REQUEST:
		answer(t, data);
		break;
	case L2TP_FX_CALL_PLACE:
	case L2TP_FX_CALL_UP:
		s = ctx->session[call->session_id];
		if (s && s->tunnel == t && f->type == L2TP_FX_CALL_PLACE)
			cc_call_bearer_up(&t->cc, &s->call, ctx->loop.now);
		else if (s && s->tunnel == t)
			session_call_up(s);
		break;
	case L2TP_FX_CALL_DOWN:
		s = ctx->session[down->session_id];
		if (s && s->tunnel == t)
			session_call_down(s, &down->cause);
		break;
	case L2TP_FX_SLI:			/* ACCMs are for asynchronous lines; the kernel has none here */
	case L2TP_FX_WEN:
		break;
	}
}

void v2_accept(struct tunnel *t, const struct dgram *d, const struct ho_entry *e)
{
	cc_accept(&t->cc, t->ctx->loop.now, e);
	cc_input(&t->cc, t->ctx->loop.now, d->octets, d->len);
	tunnel_drain(t);
}

/* The verbs. */

static void init(struct tunnel *t)
{
	cc_init(&t->cc, &t->ctx->env, t->as ? &t->as->cc : &t->from->cc, t->id);
	t->out = &t->cc.out;
	t->rel = &t->cc.rel;
}

static void done(struct tunnel *t)
{
	cc_done(&t->cc);
}

static void look(const struct tunnel *t, struct cc_look *ret)
{
	*ret = (struct cc_look){ t->cc.state, t->cc.ending, t->cc.peer_host_name, t->cc.peer_vendor_name };
}

static uint32_t peer_id(const struct tunnel *t)
{
	return t->cc.peer_tunnel_id;
}

static void open_cc(struct tunnel *t)
{
	(void)cc_open(&t->cc, t->ctx->loop.now);	/* it is idle: it is new */
}

static void input(struct tunnel *t, const struct dgram *d)
{
	cc_input(&t->cc, t->ctx->loop.now, d->octets, d->len);
}

static void tick(struct tunnel *t)
{
	cc_tick(&t->cc, t->ctx->loop.now);
}

static ms_t deadline(const struct tunnel *t)
{
	return cc_deadline(&t->cc);
}

static void alive(struct tunnel *t)
{
	cc_alive(&t->cc, t->ctx->loop.now);
}

static void probe(struct tunnel *t)
{
	cc_probe(&t->cc, t->ctx->loop.now);
}

static void close_cc(struct tunnel *t, const struct l2tp_cause *cause)
{
	cc_close(&t->cc, t->ctx->loop.now, cause);
}

static void abandon(struct tunnel *t, const struct l2tp_cause *cause)
{
	cc_abandon(&t->cc, t->ctx->loop.now, cause);
}

static size_t last_words(const struct tunnel *t, const struct l2tp_cause *cause, unsigned i, void *buf, size_t size)
{
	return cc_last_words(&t->cc, cause, i, buf, size);
}

static bool to_be_saved(const struct tunnel *t)
{
	return cc_to_be_saved(&t->cc);
}

static void save(const struct tunnel *t, struct wr *w, unsigned tag)
{
	cc_save(&t->cc, w, tag);
}

static int restore(struct tunnel *t, struct span record)
{
	return cc_restore(&t->cc, t->ctx->loop.now, record);
}

static void wreck(struct tunnel *t)
{
	t->cc.state = CC_IDLE;
	t->cc.ending = CC_ENDED;
}

static uint32_t call_peer_id(const struct session *s)
{
	return s->call.peer_session_id;
}

static bool call_idle(const struct session *s)
{
	return s->call.state == CALL_IDLE;
}

static bool call_up(const struct session *s)
{
	return s->call.state == CALL_ESTABLISHED;
}

static void call_close(struct session *s, const struct l2tp_cause *cause)
{
	cc_call_close(&s->tunnel->cc, &s->call, s->ctx->loop.now, cause);
}

static void data_describe(const struct session *s, struct k_request *rq)
{
	rq->session.peer_session_id = s->call.peer_session_id;
	rq->session.send_seq = rq->session.recv_seq = s->call.info.sequencing_required;
}

static size_t data_header(const struct session *s, uint8_t *out, uint16_t proto)
{
	l2tp_data_header(out, s->tunnel->cc.peer_tunnel_id, s->call.peer_session_id, proto);
	return L2TP_DATA_HEADER;
}

/* RFC 2661 3.1, with a Length: not everybody leaves it out. */
static unsigned data_room(const struct session *s)
{
	enum { UDP_HEADER = 8, L2TP_HEADER = 8, L2TP_SEQUENCE = 4, PPP_HEADER = 4 };

	return UDP_HEADER + L2TP_HEADER + (s->policy->sequencing || s->call.info.sequencing_required ? L2TP_SEQUENCE : 0) +
	       PPP_HEADER;
}

static void save_call(const struct session *s, struct wr *w, unsigned tag)
{
	call_save(&s->call, w, tag);
}

static bool call_readable(struct span record, uint16_t id)
{
	struct call c;

	return call_read(record, &c) && c.session_id == id;
}

static int call_restore(struct session *s, struct span record)
{
	int err = cc_call_restore(&s->tunnel->cc, &s->call, s->ctx->loop.now, record);

	if (!err && s->as && s->call.info.serial > s->ctx->last_serial)
		s->ctx->last_serial = s->call.info.serial;
	return err;
}

static void call_keep(struct session *s, struct span record)
{
	(void)call_read(record, &s->call);
}

static void orphan(struct tunnel *t, uint16_t id, uint32_t their_id, bool lns, const struct l2tp_cause *cause)
{
	struct call call = { .session_id = id, .peer_session_id = (uint16_t)their_id, .state = CALL_ESTABLISHED,
			     .role = lns ? CALL_LNS_INCOMING : CALL_LAC_INCOMING };
	uint8_t room[512];
	struct wr w = wr_init(room, sizeof(room));
	struct call at_all;
	struct span value;
	unsigned tag;
	struct rd r;

	call_save(&call, &w, 1);
	r = rd_init(room, wr_len(&w));
	(void)rec_next(&r, &tag, &value);
	if (!cc_call_restore(&t->cc, &at_all, t->ctx->loop.now, value))
		cc_call_close(&t->cc, &at_all, t->ctx->loop.now, cause);
	tunnel_drain(t);			/* before the call goes */
}

const struct version version_2 = {
	.number = 2, .init = init, .done = done, .look = look, .peer_id = peer_id, .open = open_cc, .input = input, .tick = tick,
	.deadline = deadline, .alive = alive, .probe = probe, .close = close_cc, .abandon = abandon, .last_words = last_words,
	.perform = perform, .to_be_saved = to_be_saved, .save = save, .restore = restore, .wreck = wreck, .place = place,
	.call_peer_id = call_peer_id, .call_idle = call_idle, .call_up = call_up, .call_close = call_close,
	.data_describe = data_describe, .data_header = data_header, .data_room = data_room, .call_save = save_call,
	.call_readable = call_readable, .call_restore = call_restore, .call_keep = call_keep, .orphan = orphan,
};
