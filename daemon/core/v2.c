/* SPDX-License-Identifier: GPL-2.0-or-later */
/* L2TPv2's engine (l2tp/cc.h) as core's tunnels and sessions use it. */
#include <stdio.h>
#include <string.h>

#include "core/policy.h"
#include "core/room.h"
#include "core/session.h"
#include "core/version.h"
#include "l2tp/data.h"
#include "l2tp/save.h"

enum { CDN_TEMPORARY = 4 };		/* RFC 2661 4.4.2: lack of appropriate facilities */

/* Why this call may not be, or NULL. */
static const char *refusal(const struct tunnel *t, const struct policy *p, const struct v2_fx_request *rq)
{
	bool outgoing = rq->role == CALL_LAC_OUTGOING;

	if (outgoing ? p->role != ROLE_LAC || !p->outgoing_calls : p->role != ROLE_LNS)
		return outgoing ? "outgoing calls are not configured" : "incoming calls are not configured";
	return session_refusal(t, p);
}

/* A call of the peer's. */
static void answer(struct tunnel *t, const void *request)
{
	const struct v2_fx_request *rq = request;
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
		v2_call_refuse(&t->cc, now, rq, &cause);
		return;
	}
	if (v2_call_answer(&t->cc, &s->call, now, rq, s->id)) {
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
	if (v2_call_open(&t->cc, &s->call, t->ctx->loop.now, role, s->id, &info)) {
		s->call_down = true;
		session_end(s, 0, 0, "the call could not be placed");
		return NULL;
	}
	return s;
}

/* The verbs. */

static void init(struct tunnel *t)
{
	v2_cc_init(&t->cc, &t->ctx->env, t->as ? &t->as->cc : &t->from->cc, t->id);
}

static void open_cc(struct tunnel *t)
{
	(void)cc_open(&t->cc, t->ctx->loop.now);	/* it is idle: it is new */
}

static void data_describe(const struct session *s, struct k_request *rq)
{
	rq->session.peer_session_id = s->call.peer_session_id;
	rq->session.send_seq = rq->session.recv_seq = s->call.info.sequencing_required;
}

static size_t data_header(const struct session *s, uint8_t *out, uint16_t proto)
{
	l2tp_data_header(out, (uint16_t)s->tunnel->cc.peer_tunnel_id, (uint16_t)s->call.peer_session_id, proto);
	return L2TP_DATA_HEADER;
}

/* RFC 2661 3.1, with a Length: not everybody leaves it out. */
static unsigned data_room(const struct session *s)
{
	enum { UDP_HEADER = 8, L2TP_HEADER = 8, L2TP_SEQUENCE = 4, PPP_HEADER = 4 };

	return UDP_HEADER + L2TP_HEADER + (s->policy->sequencing || s->call.info.sequencing_required ? L2TP_SEQUENCE : 0) +
	       PPP_HEADER;
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

	cc_call_save(&t->cc, &call, &w, 1);
	r = rd_init(room, wr_len(&w));
	(void)rec_next(&r, &tag, &value);
	if (!cc_call_restore(&t->cc, &at_all, t->ctx->loop.now, value))
		cc_call_close(&t->cc, &at_all, t->ctx->loop.now, cause);
	tunnel_drain(t);			/* before the call goes */
}

/* Call Serial Numbers of ours go on. */
static void call_adopted(const struct session *s)
{
	if (s->as && s->call.info.serial > s->ctx->last_serial)
		s->ctx->last_serial = s->call.info.serial;
}

const struct version version_2 = {
	.number = 2, .init = init, .done = v2_cc_done, .open = open_cc, .accept = v2_cc_accept, .input = v2_cc_input,
	.last_words = v2_cc_last_words, .answer = answer, .call_is_up = session_call_up, .save = v2_cc_save,
	.restore = v2_cc_restore, .place = place, .call_adopted = call_adopted, .orphan = orphan,
	.data_describe = data_describe, .data_header = data_header, .data_room = data_room,
};
