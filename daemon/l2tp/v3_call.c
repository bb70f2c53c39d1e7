/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "v3_cc.h"

#include <errno.h>
#include <string.h>

#include "base/names.h"
#include "l2tp/v3_step.h"

static bool outgoing(const struct call *call)
{
	return call->role == V3_OCRQ_SENDER || call->role == V3_OCRQ_RECIPIENT;
}

/* A cookie that nobody can guess; all zeros would be what is guessed first. */
static void draw_cookie(const struct env *env, struct v3_cookie *c)
{
	uint8_t any = 0;

	c->len = c->len >= 8 ? 8 : c->len >= 4 ? 4 : 0;
	while (c->len && !any) {
		env->random(env->arg, c->octets, c->len);
		for (unsigned i = 0; i < c->len; i++)
			any |= c->octets[i];
	}
}

static void draw_tie(struct cc *cc, struct call *call)
{
	call->v3.tie_sent = !cc->conf->no_tie_breaker;
	cc->env->random(cc->env->arg, call->v3.tie_breaker, sizeof(call->v3.tie_breaker));
}

/* Sending (section 6). */

static struct v3_msg message(const struct call *call, enum v3_msg_type type)
{
	return (struct v3_msg){
		.type = (uint16_t)type, .local_session_id = call->session_id, .remote_session_id = call->peer_session_id,
		.present = V3_BIT(V3_AVP_LOCAL_SESSION_ID) | V3_BIT(V3_AVP_REMOTE_SESSION_ID),
	};
}

/* What ICRQ, ICRP, OCRQ and OCRP say of our side. */
static void add_side(struct v3_msg *m, const struct call *call)
{
	const struct v3_call_info *info = &call->v3.info;

	m->circuit_status = info->own.circuit_status;
	m->cookie = info->own.cookie;
	m->l2spec = info->own.l2spec;
	m->sequencing = info->own.sequencing;
	m->tx_speed = info->tx_speed;
	m->rx_speed = info->rx_speed;
	m->physical_channel = info->physical_channel;
	m->present |= V3_BIT(V3_AVP_CIRCUIT_STATUS) | (m->cookie.len ? V3_BIT(V3_AVP_COOKIE) : 0) |
		      (m->l2spec ? V3_BIT(V3_AVP_L2SPEC) : 0) | (m->sequencing ? V3_BIT(V3_AVP_SEQUENCING) : 0) |
		      (m->tx_speed ? V3_BIT(V3_AVP_TX_SPEED) : 0) | (m->rx_speed ? V3_BIT(V3_AVP_RX_SPEED) : 0) |
		      (m->physical_channel && m->type != V3_OCRQ ? V3_BIT(V3_AVP_PHYSICAL_CHANNEL) : 0);
}

static void tx_rq(struct l2tp_step *s)
{
	const struct v3_call_info *info = &s->call->v3.info;
	struct v3_msg m = message(s->call, outgoing(s->call) ? V3_OCRQ : V3_ICRQ);

	add_side(&m, s->call);
	m.serial = info->serial;
	m.pw_type = info->pw_type;
	m.remote_end_id = (struct span){ info->end_id, info->end_id_len };
	memcpy(m.tie_breaker, s->call->v3.tie_breaker, sizeof(m.tie_breaker));
	m.present |= V3_BIT(V3_AVP_SERIAL) | V3_BIT(V3_AVP_PW_TYPE) | V3_BIT(V3_AVP_REMOTE_END_ID) |
		     (s->call->v3.tie_sent ? V3_BIT(V3_AVP_TIE_BREAKER) : 0);
	v3_send(s->cc, s->now, &m, false);
}

static void tx_rp(struct l2tp_step *s)
{
	struct v3_msg m = message(s->call, outgoing(s->call) ? V3_OCRP : V3_ICRP);

	add_side(&m, s->call);
	v3_send(s->cc, s->now, &m, false);
}

static void tx_cn(struct l2tp_step *s)
{
	struct v3_msg m = message(s->call, outgoing(s->call) ? V3_OCCN : V3_ICCN);

	/* what was said in ICRQ or OCRP holds; the sublayer is said again as peers take its absence for "none" */
	m.l2spec = s->call->v3.info.own.l2spec;
	m.sequencing = s->call->v3.info.own.sequencing;
	m.circuit_status = s->call->v3.info.own.circuit_status;
	m.present |= V3_BIT(V3_AVP_CIRCUIT_STATUS) | (m.l2spec ? V3_BIT(V3_AVP_L2SPEC) : 0) |
		     (m.sequencing ? V3_BIT(V3_AVP_SEQUENCING) : 0);
	v3_send(s->cc, s->now, &m, false);
}

static void tx_cdn(struct cc *cc, ms_t now, uint32_t session_id, uint32_t peer_session_id, const struct l2tp_cause *cause)
{
	struct v3_msg m = {
		.type = V3_CDN, .local_session_id = session_id, .remote_session_id = peer_session_id,
		.result = { cause->result, cause->error, { (const uint8_t *)cause->msg, strlen(cause->msg) } },
		.present = V3_BIT(V3_AVP_RESULT_CODE) | V3_BIT(V3_AVP_LOCAL_SESSION_ID) | V3_BIT(V3_AVP_REMOTE_SESSION_ID),
	};

	v3_send(cc, now, &m, false);
}

/* CDN for a session of the peer's that has no call here. */
static void tx_refusal(struct cc *cc, ms_t now, uint32_t peer_session_id, const struct l2tp_cause *cause)
{
	tx_cdn(cc, now, l2tp_call_no_id(cc), peer_session_id, cause);
}

/* The four machines. */

#define A(acts, next) { acts, CALL_##next, true }
#define _             { 0, CALL_IDLE, false }
enum { RQ = CALL_TX_RQ, RP = CALL_TX_RP, CN = CALL_TX_CN, CDN = CALL_TX_CDN, REFUSE = CALL_REFUSE,
       PLACE = CALL_PLACE, UP = CALL_UP, DOWN = CALL_DOWN };

/* Cell for cell; DOWN is the RFC's "Clean up", REFUSE its "Send CDN for losing session".  A call that loses its tie goes
 * down, and the request of the peer that won is then one of its own.  TUNNEL_DOWN is ours: StopCCN clears all sessions (6.4). */

/* RFC 3931 7.3.1 */
static const struct fsm_cell icrq_sender[CALL_N_EVENTS][CALL_N_STATES] = {
/*                         idle                  wait-control-conn   wait-reply            wait-connect         wait-cs-answer       established           */
[CALL_EV_OPEN]        = { A(0, WAIT_TUNNEL),     _,                  _,                    _,                   _,                   _                     },
[CALL_EV_TUNNEL_OPEN] = { _,                     A(RQ, WAIT_REPLY),  _,                    _,                   _,                   _                     },
[CALL_EV_RQ]          = { _,                     _,                  _,                    _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RQ_BAD]      = { _,                     _,                  _,                    _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_TIE_WON]     = { _,                     _,                  A(REFUSE, WAIT_REPLY), _,                  _,                   _                     },
[CALL_EV_TIE_LOST]    = { _,                     _,                  A(DOWN, IDLE),        _,                   _,                   _                     },
[CALL_EV_RP]          = { A(DOWN, IDLE),         _,                  A(CN | UP, ESTABLISHED), _,                _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RP_BAD]      = { A(DOWN, IDLE),         _,                  A(CDN | DOWN, IDLE),  _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CN]          = { A(DOWN, IDLE),         _,                  A(DOWN, IDLE),        _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CN_BAD]      = { A(DOWN, IDLE),         _,                  A(DOWN, IDLE),        _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CDN]         = { A(DOWN, IDLE),         _,                  A(DOWN, IDLE),        _,                   _,                   A(DOWN, IDLE)         },
[CALL_EV_CLOSE]       = { _,                     A(DOWN, IDLE),      A(CDN | DOWN, IDLE),  _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_TUNNEL_DOWN] = { _,                     A(DOWN, IDLE),      A(DOWN, IDLE),        _,                   _,                   A(DOWN, IDLE)         },
};

/* RFC 3931 7.3.2 */
static const struct fsm_cell icrq_recipient[CALL_N_EVENTS][CALL_N_STATES] = {
/*                         idle                  wait-control-conn   wait-reply            wait-connect         wait-cs-answer       established           */
[CALL_EV_RQ]          = { A(RP, WAIT_CONNECT),   _,                  _,                    A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RQ_BAD]      = { A(CDN | DOWN, IDLE),   _,                  _,                    A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RP]          = { A(CDN | DOWN, IDLE),   _,                  _,                    A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RP_BAD]      = { A(CDN | DOWN, IDLE),   _,                  _,                    A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CN]          = { A(DOWN, IDLE),         _,                  _,                    A(UP, ESTABLISHED),  _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CN_BAD]      = { A(DOWN, IDLE),         _,                  _,                    A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CDN]         = { A(DOWN, IDLE),         _,                  _,                    A(DOWN, IDLE),       _,                   A(DOWN, IDLE)         },
[CALL_EV_CLOSE]       = { _,                     _,                  _,                    A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_TUNNEL_DOWN] = { _,                     _,                  _,                    A(DOWN, IDLE),       _,                   A(DOWN, IDLE)         },
};

/* RFC 3931 7.4.1 */
static const struct fsm_cell ocrq_sender[CALL_N_EVENTS][CALL_N_STATES] = {
/*                         idle                  wait-control-conn   wait-reply            wait-connect         wait-cs-answer       established           */
[CALL_EV_OPEN]        = { A(0, WAIT_TUNNEL),     _,                  _,                    _,                   _,                   _                     },
[CALL_EV_TUNNEL_OPEN] = { _,                     A(RQ, WAIT_REPLY),  _,                    _,                   _,                   _                     },
[CALL_EV_RQ]          = { _,                     _,                  _,                    A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RQ_BAD]      = { _,                     _,                  _,                    A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_TIE_WON]     = { _,                     _,                  A(REFUSE, WAIT_REPLY), _,                  _,                   _                     },
[CALL_EV_TIE_LOST]    = { _,                     _,                  A(DOWN, IDLE),        _,                   _,                   _                     },
[CALL_EV_RP]          = { A(DOWN, IDLE),         _,                  A(0, WAIT_CONNECT),   A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RP_BAD]      = { A(DOWN, IDLE),         _,                  A(CDN | DOWN, IDLE),  A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CN]          = { A(DOWN, IDLE),         _,                  A(CDN | DOWN, IDLE),  A(UP, ESTABLISHED),  _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CN_BAD]      = { A(DOWN, IDLE),         _,                  A(CDN | DOWN, IDLE),  A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CDN]         = { A(DOWN, IDLE),         _,                  A(DOWN, IDLE),        A(DOWN, IDLE),       _,                   A(DOWN, IDLE)         },
[CALL_EV_CLOSE]       = { _,                     A(DOWN, IDLE),      A(CDN | DOWN, IDLE),  A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_TUNNEL_DOWN] = { _,                     A(DOWN, IDLE),      A(DOWN, IDLE),        A(DOWN, IDLE),       _,                   A(DOWN, IDLE)         },
};

/* RFC 3931 7.4.2 */
static const struct fsm_cell ocrq_recipient[CALL_N_EVENTS][CALL_N_STATES] = {
/*                         idle                  wait-control-conn   wait-reply            wait-connect         wait-cs-answer       established           */
[CALL_EV_RQ]          = { A(RP | PLACE, WAIT_CS_ANSWER), _,          _,                    _,                   A(CDN | DOWN, IDLE), A(CDN | DOWN, IDLE)   },
[CALL_EV_RQ_BAD]      = { A(CDN | DOWN, IDLE),   _,                  _,                    _,                   A(CDN | DOWN, IDLE), A(CDN | DOWN, IDLE)   },
[CALL_EV_RP]          = { A(CDN | DOWN, IDLE),   _,                  _,                    _,                   A(CDN | DOWN, IDLE), A(CDN | DOWN, IDLE)   },
[CALL_EV_RP_BAD]      = { A(CDN | DOWN, IDLE),   _,                  _,                    _,                   A(CDN | DOWN, IDLE), A(CDN | DOWN, IDLE)   },
[CALL_EV_CN]          = { A(DOWN, IDLE),         _,                  _,                    _,                   A(CDN | DOWN, IDLE), A(CDN | DOWN, IDLE)   },
[CALL_EV_CN_BAD]      = { A(DOWN, IDLE),         _,                  _,                    _,                   A(CDN | DOWN, IDLE), A(CDN | DOWN, IDLE)   },
[CALL_EV_CDN]         = { A(DOWN, IDLE),         _,                  _,                    _,                   A(DOWN, IDLE),       A(DOWN, IDLE)         },
[CALL_EV_PLACED]      = { _,                     _,                  _,                    _,                   A(CN | UP, ESTABLISHED), _                 },
[CALL_EV_CLOSE]       = { _,                     _,                  _,                    _,                   A(CDN | DOWN, IDLE), A(CDN | DOWN, IDLE)   },
[CALL_EV_TUNNEL_DOWN] = { _,                     _,                  _,                    _,                   A(DOWN, IDLE),       A(DOWN, IDLE)         },
};

#undef A
#undef _

static const char *const state_name[] = {
	"idle", "wait-control-conn", "wait-reply", "wait-connect", "wait-cs-answer", "established",
};
static const char *const in_event[CALL_N_EVENTS] = {
	"local open request", "control-conn-open", "ICRQ", "unacceptable ICRQ", "ICRP",
	"unacceptable ICRP", "ICCN", "unacceptable ICCN", "CDN", "call placement successful", "local close request",
	"control connection cleared", "won tie breaker", "lost tie breaker",
};
static const char *const out_event[CALL_N_EVENTS] = {
	"local open request", "control-conn-open", "OCRQ", "unacceptable OCRQ", "OCRP",
	"unacceptable OCRP", "OCCN", "unacceptable OCCN", "CDN", "call placement successful", "local close request",
	"control connection cleared", "won tie breaker", "lost tie breaker",
};

static void act(void *obj, unsigned action)
{
	struct l2tp_step *s = obj;
	const struct v3_msg *m = s->m;

	switch (action) {
	case CALL_TX_RQ:
		tx_rq(s);
		break;
	case CALL_TX_RP:
		tx_rp(s);
		break;
	case CALL_TX_CN:
		tx_cn(s);
		break;
	case CALL_TX_CDN:
		tx_cdn(s->cc, s->now, s->call->session_id, s->call->peer_session_id, s->cause);
		break;
	case CALL_REFUSE:
		tx_refusal(s->cc, s->now, m->local_session_id, s->cause);
		break;
	case CALL_PLACE:
	case CALL_UP:
	case CALL_DOWN:
		l2tp_call_act(s, action);
		break;
	}
}

#define MACHINE(label, table, events) { .name = label, .state = state_name, .event = events, \
	.cell = &table[0][0], .n_states = CALL_N_STATES, .act = act, .trace = l2tp_trace }

const struct fsm v3_call_fsm[4] = {
	[V3_ICRQ_SENDER] = MACHINE("ICRQ sender", icrq_sender, in_event),
	[V3_ICRQ_RECIPIENT] = MACHINE("ICRQ recipient", icrq_recipient, in_event),
	[V3_OCRQ_SENDER] = MACHINE("OCRQ sender", ocrq_sender, out_event),
	[V3_OCRQ_RECIPIENT] = MACHINE("OCRQ recipient", ocrq_recipient, out_event),
};

/* Receiving. */

/* 5.2, 5.4.2; result 0 when there is nothing to object to. */
static struct l2tp_cause judge_content(const struct cc *cc, const struct v3_msg *m)
{
	struct l2tp_cause cause = l2tp_judge(cc, &m->odd);

	if (cause.result)
		return cause;
	if (m->unread & (V3_BIT(V3_AVP_COOKIE) | V3_BIT(V3_AVP_L2SPEC)))
		return l2tp_cause(L2TP_CDN_ERROR, L2TP_E_VALUE, "hidden AVP that cannot be read", NULL);
	if (m->odd.error_avp == 65)
		return l2tp_cause(L2TP_CDN_ERROR, L2TP_E_LENGTH, "bad AVP", v3_avp_name(V3_AVP_COOKIE));
	if (v3_has(m, V3_AVP_L2SPEC) && m->l2spec > V3_L2SPEC_DEFAULT)
		return l2tp_cause(L2TP_CDN_ERROR, L2TP_E_VALUE, "unknown", v3_avp_name(V3_AVP_L2SPEC));
	if (v3_has(m, V3_AVP_SEQUENCING) && m->sequencing > V3_SEQ_ALL)
		return l2tp_cause(L2TP_CDN_ERROR, L2TP_E_VALUE, "unknown", v3_avp_name(V3_AVP_SEQUENCING));
	return (struct l2tp_cause){ 0 };
}

/* 5.4.4 Data Sequencing: l2spec and sequencing as they are after this message. */
static struct l2tp_cause judge_sequencing(const struct v3_msg *m, const struct v3_side *before)
{
	unsigned l2spec = v3_has(m, V3_AVP_L2SPEC) ? m->l2spec : before->l2spec;
	unsigned sequencing = v3_has(m, V3_AVP_SEQUENCING) ? m->sequencing : before->sequencing;

	if (sequencing && !l2spec)
		return l2tp_cause(V3_CDN_SEQUENCING, 0, "sequencing without L2-Specific Sublayer", NULL);
	return (struct l2tp_cause){ 0 };
}

static struct l2tp_cause judge_rq(const struct cc *cc, const struct v3_msg *m)
{
	static const struct v3_side nothing;
	struct l2tp_cause cause = judge_content(cc, m);

	if (cause.result)
		return cause;
	if (m->remote_end_id.n > V3_END_ID_MAX)
		return l2tp_cause(L2TP_CDN_ERROR, L2TP_E_VALUE, "unknown", v3_avp_name(V3_AVP_REMOTE_END_ID));
	if (!v3_has(m, V3_AVP_PW_TYPE) || m->pw_type >= 32 || !(v3_pw_caps(cc->v3.conf) >> m->pw_type & 1))
		return l2tp_cause(V3_CDN_PW_TYPE, 0, "unsupported PW type", NULL);
	return judge_sequencing(m, &nothing);
}

/* A reply or a connected message. */
static struct l2tp_cause judge_call(const struct cc *cc, const struct call *call, const struct v3_msg *m)
{
	struct l2tp_cause cause = judge_content(cc, m);

	if (call->state == CALL_WAIT_REPLY && !m->local_session_id)
		return l2tp_cause(L2TP_CDN_ERROR, L2TP_E_VALUE, "no Local Session ID", NULL);
	return cause.result ? cause : judge_sequencing(m, &call->v3.info.peer);
}

static void absorb_side(struct v3_call_info *info, const struct v3_msg *m)
{
	if (v3_has(m, V3_AVP_COOKIE))
		info->peer.cookie = m->cookie;
	if (v3_has(m, V3_AVP_L2SPEC))
		info->peer.l2spec = m->l2spec;
	if (v3_has(m, V3_AVP_SEQUENCING))
		info->peer.sequencing = m->sequencing;
	if (v3_has(m, V3_AVP_CIRCUIT_STATUS))
		info->peer.circuit_status = m->circuit_status;
	if (v3_has(m, V3_AVP_TX_SPEED))
		info->tx_speed = info->rx_speed = m->tx_speed;	/* 5.4.4: symmetric unless ... */
	if (v3_has(m, V3_AVP_RX_SPEED))
		info->rx_speed = m->rx_speed;
	if (v3_has(m, V3_AVP_PHYSICAL_CHANNEL))
		info->physical_channel = m->physical_channel;
}

/* What the reply and the connected message say of the call, while it waits for them. */
static void absorb(struct cc *cc, struct call *call, const struct v3_msg *m, enum call_event ev)
{
	if (ev == CALL_EV_RP && call->state == CALL_WAIT_REPLY) {
		l2tp_call_set_peer_id(cc, call, m->local_session_id);
		absorb_side(&call->v3.info, m);
		/* The Linux data path has sequence numbers both ways or neither: what they demand of us we demand of them, too,
		 * and there is time to say so in ICCN or OCCN (5.4.4). */
		if (call->v3.info.peer.sequencing && call->v3.info.own.l2spec && !call->v3.info.own.sequencing && !outgoing(call))
			call->v3.info.own.sequencing = V3_SEQ_ALL;
	}
	if (ev == CALL_EV_CN && call->state == CALL_WAIT_CONNECT) {
		struct v3_cookie cookie = call->v3.info.peer.cookie;	/* 6.8, 6.11: not said there */

		absorb_side(&call->v3.info, m);
		call->v3.info.peer.cookie = cookie;
	}
}

/* A call of ours whose request crossed this one: the same Remote End ID (5.4.4). */
static struct call *tied(const struct cc *cc, const struct v3_msg *m)
{
	for (struct call *c = cc->setup; c; c = c->next)
		if (c->state == CALL_WAIT_REPLY && m->remote_end_id.n && c->v3.info.end_id_len == m->remote_end_id.n &&
		    !memcmp(c->v3.info.end_id, m->remote_end_id.p, m->remote_end_id.n))
			return c;
	return NULL;
}

/* 5.4.4 Session Tie Breaker.  True: the peer's request is to be processed. */
static bool break_tie(struct cc *cc, struct call *ours, ms_t now, const struct v3_msg *m)
{
	struct l2tp_cause lost = l2tp_cause(V3_CDN_TIE_LOST, 0, "tie breaker", NULL);
	bool theirs = v3_has(m, V3_AVP_TIE_BREAKER);
	int cmp = memcmp(ours->v3.tie_breaker, m->tie_breaker, L2TP_TIE_LEN);

	if (ours->v3.tie_sent && (!theirs || cmp < 0)) {
		l2tp_call_step(cc, ours, now, CALL_EV_TIE_WON, m, &lost);
		return false;
	}
	if (theirs && (!ours->v3.tie_sent || cmp > 0)) {
		lost.by_peer = true;
		l2tp_call_step(cc, ours, now, CALL_EV_TIE_LOST, m, &lost);
		return true;
	}
	l2tp_call_step(cc, ours, now, CALL_EV_CLOSE, m, &lost);	/* equal, or none: both sides discard their sessions */
	tx_refusal(cc, now, m->local_session_id, &lost);
	return false;
}

/* 6.6, 6.9: a request for a new call, unless it repeats the id of one that lives. */
static void rx_request(struct cc *cc, ms_t now, const struct v3_msg *m)
{
	struct v3_fx_request rq = {
		.peer_session_id = m->local_session_id,
		.role = m->type == V3_ICRQ ? V3_ICRQ_RECIPIENT : V3_OCRQ_RECIPIENT,
		.info = { .serial = m->serial, .pw_type = m->pw_type },
	};
	struct l2tp_cause cause = judge_rq(cc, m), full = l2tp_cause(L2TP_CDN_TEMPORARY, 0, "too many requests", NULL);
	struct call *ours;

	if (!rq.peer_session_id || v3_pending_has(cc, rq.peer_session_id)) {
		l2tp_note(cc, m->type, "no or a repeated Local Session ID");
		return;
	}
	if (cause.result) {
		tx_refusal(cc, now, rq.peer_session_id, &cause);
		return;
	}
	ours = tied(cc, m);
	if (ours && !break_tie(cc, ours, now, m))
		return;
	absorb_side(&rq.info, m);
	rq.info.end_id_len = (uint8_t)m->remote_end_id.n;
	if (m->remote_end_id.n)
		memcpy(rq.info.end_id, m->remote_end_id.p, m->remote_end_id.n);
	if (!v3_pending_add(cc, rq.peer_session_id, &rq.info)) {
		tx_refusal(cc, now, rq.peer_session_id, &full);
		return;
	}
	fx_push(&cc->out, L2TP_FX_CALL_REQUEST, &rq, sizeof(rq));
}

static void rx_info(struct cc *cc, struct call *call, const struct v3_msg *m)
{
	struct v3_fx_sli sli = { call->session_id, m->circuit_status };
	struct v3_fx_wen wen = { .session_id = call->session_id };

	if (m->type == V3_SLI && v3_has(m, V3_AVP_CIRCUIT_STATUS)) {
		call->v3.info.peer.circuit_status = m->circuit_status;
		fx_push(&cc->out, L2TP_FX_SLI, &sli, sizeof(sli));
	}
	memcpy(wen.errors, m->circuit_errors, sizeof(wen.errors));
	if (m->type == V3_WEN && v3_has(m, V3_AVP_CIRCUIT_ERRORS))
		fx_push(&cc->out, L2TP_FX_WEN, &wen, sizeof(wen));
}

static void rx_call(struct cc *cc, struct call *call, ms_t now, const struct v3_msg *m)
{
	struct l2tp_cause cause = judge_call(cc, call, m), odd;
	enum call_event ev = CALL_N_EVENTS;

	switch ((enum v3_msg_type)m->type) {
	case V3_OCRQ:
	case V3_ICRQ:
		ev = CALL_EV_RQ;
		break;
	case V3_OCRP:
	case V3_ICRP:
		ev = cause.result ? CALL_EV_RP_BAD : CALL_EV_RP;
		break;
	case V3_OCCN:
	case V3_ICCN:
		ev = cause.result ? CALL_EV_CN_BAD : CALL_EV_CN;
		break;
	case V3_CDN:
		cause = v3_cause_of(m);
		ev = CALL_EV_CDN;
		break;
	case V3_WEN:
	case V3_SLI:
		if (cause.result)
			l2tp_call_step(cc, call, now, CALL_EV_CLOSE, m, &cause);
		else
			rx_info(cc, call, m);
		return;
	case V3_ZLB:
	case V3_SCCRQ:
	case V3_SCCRP:
	case V3_SCCCN:
	case V3_STOPCCN:
	case V3_HELLO:
	case V3_ACK:
	case V3_N_MSGS:
		return;
	}
	if (ev != CALL_EV_CDN && (m->type <= V3_OCCN) != outgoing(call)) {
		l2tp_note(cc, m->type, "for a call of the other kind");
		return;
	}
	odd = l2tp_cause(V3_CDN_FSM, 0, "unexpected", l2tp_msg_name(m->type));
	absorb(cc, call, m, ev);
	if (!l2tp_call_step(cc, call, now, ev, m, cause.result || ev == CALL_EV_CDN ? &cause : &odd))
		l2tp_note(cc, m->type, "has no meaning in this state of the call");
}

/* 5.4.4: by the Remote Session ID, or in reverse by the Local Session ID when the sender did not know ours.  Both ids of a
 * session must be right once both are known. */
static struct call *call_of(const struct cc *cc, const struct v3_msg *m)
{
	struct call *call = m->remote_session_id ? cc_call_find(cc, m->remote_session_id) :
			       l2tp_call_by_peer(cc, m->local_session_id);

	if (call && call->peer_session_id && m->local_session_id && call->peer_session_id != m->local_session_id)
		return NULL;
	return call;
}

/* 7.3.2, 7.4.2: a reply in idle.  Its sender must not believe in a call that is not here any more: one that lost a tie which
 * the other end did not see, or was withdrawn. */
static void rx_stray(struct cc *cc, ms_t now, const struct v3_msg *m)
{
	struct l2tp_cause cause = l2tp_cause(L2TP_CDN_ERROR, L2TP_E_SESSION_ID, "unknown session", NULL);

	l2tp_note(cc, m->type, "for an unknown session");
	if ((m->type == V3_ICRP || m->type == V3_OCRP) && m->local_session_id)
		tx_cdn(cc, now, m->remote_session_id, m->local_session_id, &cause);
}

void v3_call_rx(struct cc *cc, ms_t now, const struct v3_msg *m)
{
	bool request = m->type == V3_ICRQ || m->type == V3_OCRQ;
	struct call *call = call_of(cc, m);

	if (call)
		rx_call(cc, call, now, m);
	else if (request && !m->remote_session_id)
		rx_request(cc, now, m);
	else if (m->type != V3_CDN)
		rx_stray(cc, now, m);
	else if (!m->remote_session_id)
		v3_pending_drop(cc, m->local_session_id);
}

/* Orders. */

int v3_call_open(struct cc *cc, struct call *call, ms_t now, enum v3_role role, uint32_t session_id,
		 const struct v3_call_info *info)
{
	if (cc->state != CC_ESTABLISHED)
		return -ENOTCONN;
	if (!session_id || (role != V3_ICRQ_SENDER && role != V3_OCRQ_SENDER) || info->end_id_len > V3_END_ID_MAX)
		return -EINVAL;
	if (info->pw_type >= 32 || !(cc->v3.peer_pw_caps >> info->pw_type & 1))
		return -EPROTONOSUPPORT;	/* 5.4.4 Pseudowire Type */
	if (cc_call_find(cc, session_id))
		return -EEXIST;
	if (v3_pending_wants(cc, info))
		return -EALREADY;
	*call = (struct call){ .session_id = session_id, .role = (uint8_t)role, .v3.info = *info };
	call->v3.info.peer = (struct v3_side){ 0 };
	if (!call->v3.info.serial)
		call->v3.info.serial = ++cc->v3.serial;
	draw_cookie(cc->env, &call->v3.info.own.cookie);
	draw_tie(cc, call);
	l2tp_call_add(cc, call, now);
	l2tp_call_step(cc, call, now, CALL_EV_OPEN, NULL, NULL);
	l2tp_call_step(cc, call, now, CALL_EV_TUNNEL_OPEN, NULL, NULL);	/* the control connection is open */
	l2tp_settle(cc, now);
	return 0;
}

int v3_call_answer(struct cc *cc, struct call *call, ms_t now, const struct v3_fx_request *rq, uint32_t session_id,
		   const struct v3_side *own)
{
	if (cc->state != CC_ESTABLISHED)
		return -ENOTCONN;
	if (!session_id || (rq->role != V3_ICRQ_RECIPIENT && rq->role != V3_OCRQ_RECIPIENT))
		return -EINVAL;
	if (cc_call_find(cc, session_id))
		return -EEXIST;
	if (!v3_pending_drop(cc, rq->peer_session_id))
		return -ECANCELED;
	*call = (struct call){ .session_id = session_id, .peer_session_id = rq->peer_session_id, .role = rq->role,
			       .v3.info = rq->info };
	call->v3.info.own = *own;
	draw_cookie(cc->env, &call->v3.info.own.cookie);
	l2tp_call_add(cc, call, now);
	l2tp_call_step(cc, call, now, CALL_EV_RQ, NULL, NULL);
	l2tp_settle(cc, now);
	return 0;
}

void v3_call_refuse(struct cc *cc, ms_t now, const struct v3_fx_request *rq, const struct l2tp_cause *cause)
{
	struct l2tp_cause why = *cause;

	if (cc->state != CC_ESTABLISHED || !v3_pending_drop(cc, rq->peer_session_id))
		return;
	if (!why.result)
		why.result = L2TP_CDN_ADMIN;
	tx_refusal(cc, now, rq->peer_session_id, &why);
	l2tp_settle(cc, now);
}

void v3_call_sli(struct cc *cc, struct call *call, ms_t now, uint16_t circuit_status)
{
	struct v3_msg m = message(call, V3_SLI);

	if (!call->linked || call->state != CALL_ESTABLISHED)
		return;
	call->v3.info.own.circuit_status = m.circuit_status = circuit_status;
	m.present |= V3_BIT(V3_AVP_CIRCUIT_STATUS);
	v3_send(cc, now, &m, false);
	l2tp_settle(cc, now);
}

void v3_call_wen(struct cc *cc, struct call *call, ms_t now, const uint32_t errors[4])
{
	struct v3_msg m = message(call, V3_WEN);

	if (!call->linked || call->state != CALL_ESTABLISHED)
		return;
	memcpy(m.circuit_errors, errors, sizeof(m.circuit_errors));
	m.present |= V3_BIT(V3_AVP_CIRCUIT_ERRORS);
	v3_send(cc, now, &m, false);
	l2tp_settle(cc, now);
}
