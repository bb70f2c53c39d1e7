/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "v2_cc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "l2tp/v2_step.h"

enum { DEFAULT_BPS = 100 * 1000 * 1000 };	/* what we claim where a speed must be said */

static bool outgoing(const struct call *call)
{
	return call->role == CALL_LNS_OUTGOING || call->role == CALL_LAC_OUTGOING;
}

/* Requests that the owner has not answered yet; the peer may withdraw them (CDN). */

static bool is_pending(const struct cc *cc, uint16_t peer_session_id)
{
	return cc->v2.pending && cc->v2.pending[peer_session_id / 8] >> peer_session_id % 8 & 1;
}

static bool add_pending(struct cc *cc, uint16_t peer_session_id)
{
	enum { BITMAP = 65536 / 8 };

	if (!cc->v2.pending) {
		cc->v2.pending = l2tp_alloc(BITMAP);
		if (!cc->v2.pending)
			return false;
		memset(cc->v2.pending, 0, BITMAP);
	}
	cc->v2.pending[peer_session_id / 8] |= (uint8_t)(1 << peer_session_id % 8);
	cc->n_pending++;
	return true;
}

void v2_pending_done(struct cc *cc)
{
	free(cc->v2.pending);
	cc->v2.pending = NULL;
	cc->n_pending = 0;
}

static bool drop_pending(struct cc *cc, uint16_t peer_session_id)
{
	if (!is_pending(cc, peer_session_id))
		return false;
	cc->v2.pending[peer_session_id / 8] &= (uint8_t)~(1 << peer_session_id % 8);
	if (!--cc->n_pending)
		v2_pending_done(cc);
	return true;
}

/* Sending (section 6). */

static void set_text(struct l2tp_msg *m, struct span *to, const char *s, enum l2tp_avp avp, bool must)
{
	*to = (struct span){ (const uint8_t *)s, strlen(s) };
	if (to->n || must)
		m->present |= L2TP_BIT(avp);
}

static void set_u32(struct l2tp_msg *m, uint32_t *to, uint32_t v, enum l2tp_avp avp)
{
	*to = v;
	m->present |= L2TP_BIT(avp);
}

/* 4.4.3: nothing may be asked for that the peer did not offer, if it offered anything. */
static uint32_t offered(uint32_t want, uint32_t caps)
{
	uint32_t v = want ? want : 3;

	return v & caps ? v & caps : v;
}

static void tx_rq(struct l2tp_step *s)
{
	const struct call_info *info = &s->call->info;
	struct cc *cc = s->cc;
	struct l2tp_msg m = {
		.type = outgoing(s->call) ? L2TP_OCRQ : L2TP_ICRQ,
		.assigned_session_id = (uint16_t)s->call->session_id, .call_serial = info->serial,
		.present = L2TP_BIT(L2TP_AVP_ASSIGNED_SESSION_ID) | L2TP_BIT(L2TP_AVP_CALL_SERIAL),
	};

	set_text(&m, &m.called_number, info->called, L2TP_AVP_CALLED_NUMBER, m.type == L2TP_OCRQ);
	set_text(&m, &m.sub_address, info->sub_address, L2TP_AVP_SUB_ADDRESS, false);
	if (m.type == L2TP_OCRQ) {
		set_u32(&m, &m.min_bps, info->min_bps, L2TP_AVP_MIN_BPS);
		set_u32(&m, &m.max_bps, info->max_bps ? info->max_bps : DEFAULT_BPS, L2TP_AVP_MAX_BPS);
		set_u32(&m, &m.bearer_type, offered(info->bearer, cc->v2.peer_bearer_caps),
			L2TP_AVP_BEARER_TYPE);
		set_u32(&m, &m.framing_type, offered(info->framing, cc->v2.peer_framing_caps),
			L2TP_AVP_FRAMING_TYPE);
	} else {
		set_text(&m, &m.calling_number, info->calling, L2TP_AVP_CALLING_NUMBER, false);
		if (info->bearer)
			set_u32(&m, &m.bearer_type, info->bearer, L2TP_AVP_BEARER_TYPE);
		if (info->physical_channel)
			set_u32(&m, &m.physical_channel, info->physical_channel,
				L2TP_AVP_PHYSICAL_CHANNEL);
	}
	v2_send(cc, s->now, &m, false);
}

static void tx_rp(struct l2tp_step *s)
{
	struct l2tp_msg m = {
		.type = outgoing(s->call) ? L2TP_OCRP : L2TP_ICRP,
		.session_id = (uint16_t)s->call->peer_session_id, .assigned_session_id = (uint16_t)s->call->session_id,
		.present = L2TP_BIT(L2TP_AVP_ASSIGNED_SESSION_ID),
	};

	if (m.type == L2TP_OCRP && s->call->info.physical_channel)
		set_u32(&m, &m.physical_channel, s->call->info.physical_channel,
			L2TP_AVP_PHYSICAL_CHANNEL);
	v2_send(s->cc, s->now, &m, false);
}

static void tx_cn(struct l2tp_step *s)
{
	const struct call_info *info = &s->call->info;
	struct l2tp_msg m = {
		.type = outgoing(s->call) ? L2TP_OCCN : L2TP_ICCN,
		.session_id = (uint16_t)s->call->peer_session_id,
	};

	set_u32(&m, &m.tx_speed, info->tx_speed ? info->tx_speed : DEFAULT_BPS, L2TP_AVP_TX_SPEED);
	/* some firewalls demand it, M=0 lets others ignore it */
	set_u32(&m, &m.rx_speed, info->rx_speed ? info->rx_speed : m.tx_speed, L2TP_AVP_RX_SPEED);
	set_u32(&m, &m.framing_type, offered(info->framing, s->cc->v2.peer_framing_caps),
		L2TP_AVP_FRAMING_TYPE);
	if (info->sequencing_required)
		m.present |= L2TP_BIT(L2TP_AVP_SEQUENCING);
	v2_send(s->cc, s->now, &m, false);
}

static void tx_cdn(struct cc *cc, ms_t now, uint16_t session_id, uint16_t peer_session_id,
		   const struct l2tp_cause *cause)
{
	struct l2tp_msg m = {
		.type = L2TP_CDN, .session_id = peer_session_id, .assigned_session_id = session_id,
		.result = { cause->result, cause->error,
			    { (const uint8_t *)cause->msg, strlen(cause->msg) } },
		.present = L2TP_BIT(L2TP_AVP_RESULT_CODE) | L2TP_BIT(L2TP_AVP_ASSIGNED_SESSION_ID),
	};

	if (cause->ppp_code || cause->ppp_proto) {
		m.ppp_cause = (struct l2tp_ppp_cause){ .code = cause->ppp_code, .proto = cause->ppp_proto };
		m.present |= L2TP_BIT(L2TP_AVP_PPP_CAUSE);
	}
	v2_send(cc, now, &m, false);
}

/* A CDN for a call that never was one (4.4.4). */
static void turn_down(struct cc *cc, ms_t now, uint16_t peer_session_id, const struct l2tp_cause *cause)
{
	tx_cdn(cc, now, (uint16_t)l2tp_call_no_id(cc), peer_session_id, cause);
}

/* The four machines. */

#define A(acts, next) { acts, CALL_##next, true }
#define _             { 0, CALL_IDLE, false }
enum { RQ = CALL_TX_RQ, RP = CALL_TX_RP, CN = CALL_TX_CN, CDN = CALL_TX_CDN, PLACE = CALL_PLACE,
       UP = CALL_UP, DOWN = CALL_DOWN };

/* Cell for cell; DOWN is the RFC's "Clean up".  TUNNEL_DOWN is ours: StopCCN clears all calls (6.4). */

/* RFC 2661 7.4.1 */
static const struct fsm_cell lac_incoming[CALL_N_EVENTS][CALL_N_STATES] = {
/*                         idle                  wait-tunnel         wait-reply            wait-connect         wait-cs-answer       established           */
[CALL_EV_OPEN]        = { A(0, WAIT_TUNNEL),     _,                  _,                    _,                   _,                   _                     },
[CALL_EV_TUNNEL_OPEN] = { _,                     A(RQ, WAIT_REPLY),  _,                    _,                   _,                   _                     },
[CALL_EV_RQ]          = { _,                     _,                  A(CDN | DOWN, IDLE),  _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RP]          = { A(DOWN, IDLE),         _,                  A(CN | UP, ESTABLISHED), _,                _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RP_BAD]      = { A(DOWN, IDLE),         _,                  A(CDN | DOWN, IDLE),  _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CN]          = { A(DOWN, IDLE),         _,                  A(DOWN, IDLE),        _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CN_BAD]      = { A(DOWN, IDLE),         _,                  A(DOWN, IDLE),        _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CDN]         = { A(DOWN, IDLE),         _,                  A(DOWN, IDLE),        _,                   _,                   A(DOWN, IDLE)         },
[CALL_EV_CLOSE]       = { _,                     A(DOWN, IDLE),      A(CDN | DOWN, IDLE),  _,                   _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_TUNNEL_DOWN] = { _,                     A(DOWN, IDLE),      A(DOWN, IDLE),        _,                   _,                   A(DOWN, IDLE)         },
};

/* RFC 2661 7.4.2 */
static const struct fsm_cell lns_incoming[CALL_N_EVENTS][CALL_N_STATES] = {
/*                         idle                  wait-tunnel         wait-reply            wait-connect         wait-cs-answer       established           */
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

/* RFC 2661 7.5.1 */
static const struct fsm_cell lac_outgoing[CALL_N_EVENTS][CALL_N_STATES] = {
/*                         idle                  wait-tunnel         wait-reply            wait-connect         wait-cs-answer       established           */
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

/* RFC 2661 7.5.2 */
static const struct fsm_cell lns_outgoing[CALL_N_EVENTS][CALL_N_STATES] = {
/*                         idle                  wait-tunnel         wait-reply            wait-connect         wait-cs-answer       established           */
[CALL_EV_OPEN]        = { A(0, WAIT_TUNNEL),     _,                  _,                    _,                   _,                   _                     },
[CALL_EV_TUNNEL_OPEN] = { _,                     A(RQ, WAIT_REPLY),  _,                    _,                   _,                   _                     },
[CALL_EV_RQ]          = { _,                     _,                  A(CDN | DOWN, IDLE),  A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RP]          = { A(DOWN, IDLE),         _,                  A(0, WAIT_CONNECT),   A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_RP_BAD]      = { A(DOWN, IDLE),         _,                  A(CDN | DOWN, IDLE),  A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CN]          = { A(DOWN, IDLE),         _,                  A(CDN | DOWN, IDLE),  A(UP, ESTABLISHED),  _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CN_BAD]      = { A(DOWN, IDLE),         _,                  A(CDN | DOWN, IDLE),  A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_CDN]         = { A(DOWN, IDLE),         _,                  A(DOWN, IDLE),        A(DOWN, IDLE),       _,                   A(DOWN, IDLE)         },
[CALL_EV_CLOSE]       = { _,                     A(DOWN, IDLE),      A(CDN | DOWN, IDLE),  A(CDN | DOWN, IDLE), _,                   A(CDN | DOWN, IDLE)   },
[CALL_EV_TUNNEL_DOWN] = { _,                     A(DOWN, IDLE),      A(DOWN, IDLE),        A(DOWN, IDLE),       _,                   A(DOWN, IDLE)         },
};

#undef A
#undef _

static const char *const state_name[] = {
	"idle", "wait-tunnel", "wait-reply", "wait-connect", "wait-cs-answer", "established",
};
static const char *const in_event[CALL_N_EVENTS] = {
	"local open request", "tunnel-open", "ICRQ", "unacceptable ICRQ", "ICRP", "unacceptable ICRP",
	"ICCN", "unacceptable ICCN", "CDN", "bearer answer", "local close request", "tunnel cleared",
};
static const char *const out_event[CALL_N_EVENTS] = {
	"local open request", "tunnel-open", "OCRQ", "unacceptable OCRQ", "OCRP", "unacceptable OCRP",
	"OCCN", "unacceptable OCCN", "CDN", "bearer answer", "local close request", "tunnel cleared",
};

static void act(void *obj, unsigned action)
{
	struct l2tp_step *s = obj;

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
		tx_cdn(s->cc, s->now, (uint16_t)s->call->session_id, (uint16_t)s->call->peer_session_id, s->cause);
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

const struct fsm v2_call_fsm[4] = {
	[CALL_LAC_INCOMING] = MACHINE("LAC incoming call", lac_incoming, in_event),
	[CALL_LNS_INCOMING] = MACHINE("LNS incoming call", lns_incoming, in_event),
	[CALL_LNS_OUTGOING] = MACHINE("LNS outgoing call", lns_outgoing, out_event),
	[CALL_LAC_OUTGOING] = MACHINE("LAC outgoing call", lac_outgoing, out_event),
};

/* Receiving. */

static struct l2tp_cause judge_rp(const struct cc *cc, const struct call *call, const struct l2tp_msg *m)
{
	if (call->state == CALL_WAIT_REPLY && !m->assigned_session_id)
		return l2tp_cause(L2TP_CDN_ERROR, L2TP_E_VALUE, "no Assigned Session ID", NULL);
	return l2tp_judge(cc, &m->odd);
}

static void absorb_info(struct call_info *info, const struct l2tp_msg *m)
{
	if (l2tp_has(m, L2TP_AVP_CALL_SERIAL))
		info->serial = m->call_serial;
	if (l2tp_has(m, L2TP_AVP_BEARER_TYPE))
		info->bearer = m->bearer_type;
	if (l2tp_has(m, L2TP_AVP_FRAMING_TYPE))
		info->framing = m->framing_type;
	if (l2tp_has(m, L2TP_AVP_TX_SPEED))
		info->tx_speed = info->rx_speed = m->tx_speed;	/* 4.4.4: symmetric unless ... */
	if (l2tp_has(m, L2TP_AVP_RX_SPEED))
		info->rx_speed = m->rx_speed;
	if (l2tp_has(m, L2TP_AVP_MIN_BPS))
		info->min_bps = m->min_bps;
	if (l2tp_has(m, L2TP_AVP_MAX_BPS))
		info->max_bps = m->max_bps;
	if (l2tp_has(m, L2TP_AVP_PHYSICAL_CHANNEL))
		info->physical_channel = m->physical_channel;
	info->sequencing_required |= l2tp_has(m, L2TP_AVP_SEQUENCING);
	if (l2tp_has(m, L2TP_AVP_CALLED_NUMBER))
		l2tp_clean(info->called, sizeof(info->called), m->called_number);
	if (l2tp_has(m, L2TP_AVP_CALLING_NUMBER))
		l2tp_clean(info->calling, sizeof(info->calling), m->calling_number);
	if (l2tp_has(m, L2TP_AVP_SUB_ADDRESS))
		l2tp_clean(info->sub_address, sizeof(info->sub_address), m->sub_address);
	info->proxy_lcp |= l2tp_has(m, L2TP_AVP_LAST_TX_CONFREQ) && l2tp_has(m, L2TP_AVP_LAST_RX_CONFREQ);
	if (l2tp_has(m, L2TP_AVP_PROXY_AUTH_TYPE))
		info->proxy_auth = m->proxy_auth_type;
	if (l2tp_has(m, L2TP_AVP_PROXY_AUTH_NAME))
		l2tp_clean(info->proxy_name, sizeof(info->proxy_name), m->proxy_auth_name);
}

/* What the reply and the connected message say of the call, while it waits for them. */
static void absorb(struct cc *cc, struct call *call, const struct l2tp_msg *m, enum call_event ev)
{
	if (ev == CALL_EV_RP && call->state == CALL_WAIT_REPLY) {
		l2tp_call_set_peer_id(cc, call, m->assigned_session_id);
		absorb_info(&call->info, m);
	}
	if (ev == CALL_EV_CN && call->state == CALL_WAIT_CONNECT)
		absorb_info(&call->info, m);
}

/* 6.6, 6.9: a request for a new call, unless it repeats the id of one that lives. */
static void rx_request(struct cc *cc, ms_t now, const struct l2tp_msg *m)
{
	struct v2_fx_request rq = {
		.peer_session_id = m->assigned_session_id,
		.role = m->type == L2TP_ICRQ ? CALL_LNS_INCOMING : CALL_LAC_OUTGOING,
	};
	struct l2tp_cause cause = l2tp_judge(cc, &m->odd);

	if (!rq.peer_session_id || is_pending(cc, rq.peer_session_id)) {
		l2tp_note(cc, m->type, "no or a repeated Assigned Session ID");
		return;
	}
	if (!add_pending(cc, rq.peer_session_id)) {
		l2tp_note(cc, m->type, "out of memory");
		cause = l2tp_cause(L2TP_CDN_ERROR, L2TP_E_RESOURCES, "out of memory", NULL);
		turn_down(cc, now, rq.peer_session_id, &cause);
		return;
	}
	if (cause.result) {
		v2_call_refuse(cc, now, &rq, &cause);
		return;
	}
	absorb_info(&rq.info, m);
	fx_push(&cc->out, L2TP_FX_CALL_REQUEST, &rq, sizeof(rq));
}

static void rx_info(struct cc *cc, const struct call *call, const struct l2tp_msg *m)
{
	struct v2_fx_sli sli = { call->session_id, m->accm[0], m->accm[1] };
	struct v2_fx_wen wen = { .session_id = call->session_id };

	if (m->type == L2TP_SLI && l2tp_has(m, L2TP_AVP_ACCM))
		fx_push(&cc->out, L2TP_FX_SLI, &sli, sizeof(sli));
	memcpy(wen.errors, m->call_errors, sizeof(wen.errors));
	if (m->type == L2TP_WEN && l2tp_has(m, L2TP_AVP_CALL_ERRORS))
		fx_push(&cc->out, L2TP_FX_WEN, &wen, sizeof(wen));
}

static void rx_call(struct cc *cc, struct call *call, ms_t now, const struct l2tp_msg *m)
{
	struct l2tp_cause cause = l2tp_judge(cc, &m->odd), odd;
	enum call_event ev = CALL_N_EVENTS;
	bool of_outgoing = false;

	switch ((enum l2tp_msg_type)m->type) {
	case L2TP_OCRQ:
	case L2TP_ICRQ:
		ev = CALL_EV_RQ;
		break;
	case L2TP_OCRP:
	case L2TP_ICRP:
		cause = judge_rp(cc, call, m);
		ev = cause.result ? CALL_EV_RP_BAD : CALL_EV_RP;
		break;
	case L2TP_OCCN:
	case L2TP_ICCN:
		ev = cause.result ? CALL_EV_CN_BAD : CALL_EV_CN;
		break;
	case L2TP_CDN:
		cause = v2_cause_of(m);
		ev = CALL_EV_CDN;
		break;
	case L2TP_WEN:
	case L2TP_SLI:
		if (cause.result)
			l2tp_call_step(cc, call, now, CALL_EV_CLOSE, m, &cause);
		else
			rx_info(cc, call, m);
		return;
	case L2TP_ZLB:
	case L2TP_SCCRQ:
	case L2TP_SCCRP:
	case L2TP_SCCCN:
	case L2TP_STOPCCN:
	case L2TP_MSG_5:
	case L2TP_HELLO:
	case L2TP_MSG_13:
	case L2TP_N_MSGS:
		return;
	}
	of_outgoing = m->type >= L2TP_OCRQ && m->type <= L2TP_OCCN;
	if (ev != CALL_EV_CDN && of_outgoing != outgoing(call)) {
		l2tp_note(cc, m->type, "for a call of the other kind");
		return;
	}
	odd = l2tp_cause(L2TP_CDN_ERROR, L2TP_E_SESSION_ID, "unexpected", l2tp_msg_name(m->type));
	absorb(cc, call, m, ev);
	if (!l2tp_call_step(cc, call, now, ev, m, cause.result || ev == CALL_EV_CDN ? &cause : &odd))
		l2tp_note(cc, m->type, "has no meaning in this state of the call");
}

void v2_call_rx(struct cc *cc, ms_t now, const struct l2tp_msg *m)
{
	bool request = m->type == L2TP_ICRQ || m->type == L2TP_OCRQ;
	struct call *call = NULL;

	if (m->session_id)
		call = cc_call_find(cc, m->session_id);
	else if (request || m->type == L2TP_CDN)
		call = l2tp_call_by_peer(cc, m->assigned_session_id);	/* 4.4.4 */
	if (call)
		rx_call(cc, call, now, m);
	else if (request && !m->session_id)
		rx_request(cc, now, m);
	else if (m->type != L2TP_CDN)
		l2tp_note(cc, m->type, "for an unknown session");
	else if (!m->session_id)
		drop_pending(cc, m->assigned_session_id);
}

/* Orders. */

int v2_call_open(struct cc *cc, struct call *call, ms_t now, enum call_role role,
		 uint16_t session_id, const struct call_info *info)
{
	if (cc->state != CC_ESTABLISHED)
		return -ENOTCONN;
	if (!session_id || (role != CALL_LAC_INCOMING && role != CALL_LNS_OUTGOING))
		return -EINVAL;
	if (cc_call_find(cc, session_id))
		return -EEXIST;
	*call = (struct call){ .session_id = session_id, .role = role, .info = *info };
	l2tp_call_add(cc, call, now);
	l2tp_call_step(cc, call, now, CALL_EV_OPEN, NULL, NULL);
	l2tp_call_step(cc, call, now, CALL_EV_TUNNEL_OPEN, NULL, NULL);	/* the tunnel is open */
	l2tp_settle(cc, now);
	return 0;
}

int v2_call_answer(struct cc *cc, struct call *call, ms_t now, const struct v2_fx_request *rq,
		   uint16_t session_id)
{
	if (cc->state != CC_ESTABLISHED)
		return -ENOTCONN;
	if (!session_id || (rq->role != CALL_LNS_INCOMING && rq->role != CALL_LAC_OUTGOING))
		return -EINVAL;
	if (cc_call_find(cc, session_id))
		return -EEXIST;
	if (!drop_pending(cc, rq->peer_session_id))
		return -ECANCELED;
	*call = (struct call){ .session_id = session_id, .peer_session_id = rq->peer_session_id,
			       .role = rq->role, .info = rq->info };
	l2tp_call_add(cc, call, now);
	l2tp_call_step(cc, call, now, CALL_EV_RQ, NULL, NULL);
	l2tp_settle(cc, now);
	return 0;
}

void v2_call_refuse(struct cc *cc, ms_t now, const struct v2_fx_request *rq,
		    const struct l2tp_cause *cause)
{
	struct l2tp_cause why = *cause;

	if (cc->state != CC_ESTABLISHED || !drop_pending(cc, rq->peer_session_id))
		return;
	if (!why.result)
		why.result = L2TP_CDN_ADMIN;
	turn_down(cc, now, rq->peer_session_id, &why);
	l2tp_settle(cc, now);
}

void v2_call_sli(struct cc *cc, struct call *call, ms_t now, uint32_t tx_accm, uint32_t rx_accm)
{
	struct l2tp_msg m = { .type = L2TP_SLI, .session_id = (uint16_t)call->peer_session_id,
			      .accm = { tx_accm, rx_accm }, .present = L2TP_BIT(L2TP_AVP_ACCM) };

	if (!call->linked || call->state != CALL_ESTABLISHED)
		return;
	v2_send(cc, now, &m, false);
	l2tp_settle(cc, now);
}

void v2_call_wen(struct cc *cc, struct call *call, ms_t now, const uint32_t errors[6])
{
	struct l2tp_msg m = { .type = L2TP_WEN, .session_id = (uint16_t)call->peer_session_id,
			      .present = L2TP_BIT(L2TP_AVP_CALL_ERRORS) };

	if (!call->linked || call->state != CALL_ESTABLISHED)
		return;
	memcpy(m.call_errors, errors, sizeof(m.call_errors));
	v2_send(cc, now, &m, false);
	l2tp_settle(cc, now);
}
