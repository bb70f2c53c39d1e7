/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "v2_cc.h"

#include <string.h>

#include "base/digest.h"
#include "base/names.h"
#include "l2tp/halfopen.h"
#include "l2tp/v2_step.h"

struct l2tp_cause v2_cause_of(const struct l2tp_msg *m)
{
	struct l2tp_cause c = { .result = m->result.result, .error = m->result.error, .by_peer = true };

	if (l2tp_has(m, L2TP_AVP_PPP_CAUSE)) {
		c.ppp_code = m->ppp_cause.code;
		c.ppp_proto = m->ppp_cause.proto;
	}
	l2tp_clean(c.msg, sizeof(c.msg), m->result.msg.n ? m->result.msg :
		   m->ppp_cause.msg.n ? m->ppp_cause.msg : m->q931.advisory);
	return c;
}

/* Sending. */

/* 4.3, when configured: everything that may be hidden, except where the peer cannot yet know the
 * secret or must be able to read us in any case. */
static bool to_hide(const struct cc *cc, const struct l2tp_msg *m)
{
	return cc->conf->hide && cc->conf->secret.n && m->type != L2TP_SCCRQ &&
	       m->type != L2TP_SCCRP && m->type != L2TP_STOPCCN;
}

void v2_send(struct cc *cc, ms_t now, struct l2tp_msg *m, bool last)
{
	uint8_t buf[L2TP_MSG_MAX], vector[16];
	size_t len;

	m->tunnel_id = (uint16_t)cc->peer_tunnel_id;
	if (to_hide(cc, m)) {
		cc->env->random(cc->env->arg, vector, sizeof(vector));
		m->random_vector = (struct span){ vector, sizeof(vector) };
		m->present |= L2TP_BIT(L2TP_AVP_RANDOM_VECTOR);
		m->hidden = m->present;
	}
	len = l2tp_encode(m, buf, sizeof(buf), cc->conf->secret);
	l2tp_tx(cc, now, buf, len, last);
}

static struct span text(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static void tx_sccrq(struct cc *cc, ms_t now)
{
	const struct cc_conf *conf = cc->conf;
	struct l2tp_msg m = {
		.type = L2TP_SCCRQ, .protocol_version = L2TP_PROTOCOL_VERSION,
		.framing_caps = 3, .bearer_caps = 3, .host_name = text(conf->host_name),
		.assigned_tunnel_id = (uint16_t)cc->tunnel_id, .rws = cc->rel.rws,
		.present = L2TP_BIT(L2TP_AVP_PROTOCOL_VERSION) | L2TP_BIT(L2TP_AVP_FRAMING_CAPS) |
			   L2TP_BIT(L2TP_AVP_BEARER_CAPS) | L2TP_BIT(L2TP_AVP_HOST_NAME) |
			   L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID) | L2TP_BIT(L2TP_AVP_RWS),
	};

	if (conf->vendor_name) {
		m.vendor_name = text(conf->vendor_name);
		m.present |= L2TP_BIT(L2TP_AVP_VENDOR_NAME);
	}
	if (!conf->no_tie_breaker) {
		cc->env->random(cc->env->arg, cc->tie_breaker, sizeof(cc->tie_breaker));
		memcpy(m.tie_breaker, cc->tie_breaker, sizeof(m.tie_breaker));
		m.present |= L2TP_BIT(L2TP_AVP_TIE_BREAKER);
		cc->tie_sent = true;
	}
	if (conf->secret.n) {
		cc->v2.challenge_len = sizeof(cc->v2.challenge);
		cc->env->random(cc->env->arg, cc->v2.challenge, sizeof(cc->v2.challenge));
		m.challenge = (struct span){ cc->v2.challenge, sizeof(cc->v2.challenge) };
		m.present |= L2TP_BIT(L2TP_AVP_CHALLENGE);
	}
	v2_send(cc, now, &m, false);
}

static void tx_scccn(struct cc *cc, ms_t now, const struct l2tp_msg *sccrp)
{
	struct l2tp_msg m = { .type = L2TP_SCCCN };
	uint8_t response[L2TP_RESPONSE_LEN];

	if (l2tp_has(sccrp, L2TP_AVP_CHALLENGE)) {
		l2tp_response(response, L2TP_SCCCN, cc->conf->secret, sccrp->challenge);
		m.response = (struct span){ response, sizeof(response) };
		m.present |= L2TP_BIT(L2TP_AVP_CHALLENGE_RESPONSE);
	}
	v2_send(cc, now, &m, false);
}

static void tx_stopccn(struct cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct l2tp_msg m = {
		.type = L2TP_STOPCCN, .assigned_tunnel_id = (uint16_t)cc->tunnel_id,
		.result = { cause->result, cause->error, text(cause->msg) },
		.present = L2TP_BIT(L2TP_AVP_RESULT_CODE) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID),
	};

	v2_send(cc, now, &m, true);
}

/* The machine of 7.2.1. */

#define A(acts, next) { acts, CC_##next, true }
#define _             { 0, CC_IDLE, false }
enum { SCCRQ = CC_TX_SCCRQ, SCCCN = CC_TX_SCCCN, STOP = CC_TX_STOPCCN, UP = CC_UP, DOWN = CC_DOWN };

/* RFC 2661 7.2.1, cell for cell; DOWN is its "Clean up".  An acceptable SCCRQ was answered by
 * halfopen.c, an unacceptable one by nobody.  CLOSE before established and GIVE_UP are ours. */
static const struct fsm_cell cells[CC_N_EVENTS][CC_N_STATES] = {
/*                    idle                       wait-ctl-reply              wait-ctl-conn          established            */
[CC_EV_OPEN]      = { A(SCCRQ, WAIT_CTL_REPLY),  _,                          _,                     _                      },
[CC_EV_SCCRQ]     = { A(0, WAIT_CTL_CONN),       _,                          A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[CC_EV_TIE_LOST]  = { _,                         A(DOWN, IDLE),              _,                     _                      },
[CC_EV_SCCRP]     = { A(STOP | DOWN, IDLE),      A(SCCCN | UP, ESTABLISHED), A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[CC_EV_SCCRP_BAD] = { A(STOP | DOWN, IDLE),      A(STOP | DOWN, IDLE),       A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[CC_EV_SCCCN]     = { A(DOWN, IDLE),             A(STOP | DOWN, IDLE),       A(UP, ESTABLISHED),    A(STOP | DOWN, IDLE)   },
[CC_EV_SCCCN_BAD] = { A(DOWN, IDLE),             A(STOP | DOWN, IDLE),       A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[CC_EV_CLOSE]     = { _,                         A(STOP | DOWN, IDLE),       A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[CC_EV_STOPCCN]   = { A(DOWN, IDLE),             A(DOWN, IDLE),              A(DOWN, IDLE),         A(DOWN, IDLE)          },
[CC_EV_GIVE_UP]   = { _,                         A(DOWN, IDLE),              A(DOWN, IDLE),         A(DOWN, IDLE)          },
};

#undef A
#undef _

/* An acknowledgement takes no place in the sequence. */
static void tx_zlb(struct cc *cc)
{
	struct l2tp_msg m = { .type = L2TP_ZLB, .tunnel_id = (uint16_t)cc->peer_tunnel_id, .ns = cc->rel.ns, .nr = cc->rel.nr };
	uint8_t buf[L2TP_HDR_LEN];

	fx_push(&cc->out, L2TP_FX_TX, buf, l2tp_encode(&m, buf, sizeof(buf), cc->conf->secret));
}

static void tx_last_words(struct cc *cc, const struct l2tp_cause *cause)
{
	uint8_t words[256];
	size_t len;

	for (unsigned i = 0; (len = v2_cc_last_words(cc, cause, i, words, sizeof(words))); i++)
		fx_push(&cc->out, L2TP_FX_TX, words, len);
}

static void act(void *obj, unsigned action)
{
	struct l2tp_step *s = obj;

	switch (action) {
	case CC_TX_SCCRQ:
		tx_sccrq(s->cc, s->now);
		break;
	case CC_TX_SCCCN:
		tx_scccn(s->cc, s->now, s->m);
		break;
	case CC_TX_STOPCCN:
		tx_stopccn(s->cc, s->now, s->cause);
		break;
	case CC_TX_HELLO:
		v2_send(s->cc, s->now, &(struct l2tp_msg){ .type = L2TP_HELLO }, false);
		break;
	case CC_TX_ACK:
		tx_zlb(s->cc);
		break;
	case CC_TX_LAST_WORDS:
		tx_last_words(s->cc, s->cause);
		break;
	case CC_UP:
		wipe(s->cc->v2.challenge, sizeof(s->cc->v2.challenge));
		l2tp_cc_up(s->cc, s->now);
		break;
	case CC_DOWN:
		wipe(s->cc->v2.challenge, sizeof(s->cc->v2.challenge));
		v2_pending_done(s->cc);
		l2tp_cc_down(s->cc, s->now, s->cause);
		break;
	}
}

const struct fsm v2_cc_fsm = {
	.name = "control connection", .state = l2tp_cc_state, .event = l2tp_cc_event,
	.cell = &cells[0][0], .n_states = CC_N_STATES, .act = act, .trace = l2tp_trace,
};

/* Judging what was received; nothing is changed here. */

/* What every SCCRP and SCCCN must satisfy; result 0 when it does. */
static struct l2tp_cause judge_content(const struct cc *cc, const struct l2tp_msg *m)
{
	struct l2tp_cause cause = l2tp_judge(cc, &m->odd);

	if (cause.result)
		return cause;
	if (cc->v2.challenge_len) {
		uint8_t want[L2TP_RESPONSE_LEN];

		l2tp_response(want, (enum l2tp_msg_type)m->type, cc->conf->secret,
			      (struct span){ cc->v2.challenge, cc->v2.challenge_len });
		if (!l2tp_has(m, L2TP_AVP_CHALLENGE_RESPONSE))
			return l2tp_cause(L2TP_STOP_UNAUTHORIZED, 0, "no Challenge Response", NULL);
		if (!span_same((struct span){ want, sizeof(want) }, m->response))
			return l2tp_cause(L2TP_STOP_UNAUTHORIZED, 0, "wrong Challenge Response", NULL);
	}
	return (struct l2tp_cause){ 0 };
}

static struct l2tp_cause judge_sccrp(const struct cc *cc, const struct l2tp_msg *m)
{
	if (l2tp_has(m, L2TP_AVP_PROTOCOL_VERSION) && m->protocol_version >> 8 != 1)
		return l2tp_cause(L2TP_STOP_VERSION, L2TP_PROTOCOL_VERSION, NULL, NULL);
	if (!m->assigned_tunnel_id)
		return l2tp_cause(L2TP_STOP_ERROR, L2TP_E_VALUE, "no Assigned Tunnel ID", NULL);
	if (!cc->conf->secret.n && (m->present | m->unread) & L2TP_BIT(L2TP_AVP_CHALLENGE))
		return l2tp_cause(L2TP_STOP_UNAUTHORIZED, 0, "no secret for your Challenge", NULL);
	if (m->unread & L2TP_BIT(L2TP_AVP_CHALLENGE))
		return l2tp_cause(L2TP_STOP_ERROR, L2TP_E_VALUE, "hidden Challenge without vector", NULL);
	return judge_content(cc, m);
}

/* What the peer says of itself, once, while it is still introducing itself. */
static void absorb(struct cc *cc, const struct l2tp_msg *m)
{
	if (cc->state != CC_WAIT_CTL_REPLY || m->type != L2TP_SCCRP)
		return;
	cc->peer_tunnel_id = m->assigned_tunnel_id;
	cc->v2.peer_framing_caps = m->framing_caps;
	cc->v2.peer_bearer_caps = m->bearer_caps;
	cc->v2.peer_firmware = m->firmware;
	l2tp_clean(cc->peer_host_name, sizeof(cc->peer_host_name), m->host_name);
	l2tp_clean(cc->peer_vendor_name, sizeof(cc->peer_vendor_name), m->vendor_name);
	if (l2tp_has(m, L2TP_AVP_RWS))
		rel_peer_window(&cc->rel, m->rws);
}

/* A numbered message whose turn it is. */
static void rx(struct cc *cc, ms_t now, const struct l2tp_msg *m)
{
	struct l2tp_cause cause = l2tp_cause(L2TP_STOP_FSM, 0, "unexpected", l2tp_msg_name(m->type));

	if (cc->state == CC_IDLE)
		return;					/* it is acknowledged, and that is all */
	l2tp_note_odd(cc, m->type, &m->odd, m->unread);
	switch ((enum l2tp_msg_type)m->type) {
	case L2TP_SCCRQ:
		l2tp_cc_step(cc, now, CC_EV_SCCRQ, m, &cause);
		break;
	case L2TP_SCCRP:
		if (cc->state == CC_WAIT_CTL_REPLY)
			cause = judge_sccrp(cc, m);
		absorb(cc, m);
		l2tp_cc_step(cc, now, cause.result ? CC_EV_SCCRP_BAD : CC_EV_SCCRP, m, &cause);
		break;
	case L2TP_SCCCN:
		if (cc->state == CC_WAIT_CTL_CONN)
			cause = judge_content(cc, m);
		l2tp_cc_step(cc, now, cause.result ? CC_EV_SCCCN_BAD : CC_EV_SCCCN, m, &cause);
		break;
	case L2TP_STOPCCN:
		cause = v2_cause_of(m);
		cc->ending = CC_STOP_RCVD;
		l2tp_cc_step(cc, now, CC_EV_STOPCCN, m, &cause);
		break;
	case L2TP_HELLO:
		break;
	case L2TP_OCRQ:
	case L2TP_OCRP:
	case L2TP_OCCN:
	case L2TP_ICRQ:
	case L2TP_ICRP:
	case L2TP_ICCN:
	case L2TP_CDN:
	case L2TP_WEN:
	case L2TP_SLI:
		if (cc->state == CC_ESTABLISHED)
			v2_call_rx(cc, now, m);
		else
			l2tp_note(cc, m->type, "before the control connection is established");
		break;
	case L2TP_ZLB:
	case L2TP_MSG_5:
	case L2TP_MSG_13:
	case L2TP_N_MSGS:
	default:				/* any number may come */
		l2tp_rx_unknown(cc, now, m->type, m->type_m);
		break;
	}
}

/* 4.4.3 Assigned Tunnel ID: a StopCCN may come from one that has not learnt our id. */
static bool for_us(const struct cc *cc, const struct l2tp_msg *m)
{
	if (m->tunnel_id)
		return m->tunnel_id == cc->tunnel_id;
	return cc->conf->id_0 || (m->type == L2TP_STOPCCN && cc->peer_tunnel_id &&
				  m->assigned_tunnel_id == cc->peer_tunnel_id);
}

/* A request makes us say something.  From who has much to acknowledge it is as if it had not come: it comes again. */
static bool must_wait(const struct cc *cc, const struct l2tp_msg *m)
{
	return (m->type == L2TP_ICRQ || m->type == L2TP_OCRQ) && m->ns == cc->rel.nr && rel_full(&cc->rel, cc->n_calls);
}

void v2_cc_input(struct cc *cc, ms_t now, const void *buf, size_t len)
{
	uint8_t scratch[L2TP_SCRATCH];
	struct l2tp_msg m;

	if (cc->ending == CC_ENDED || (cc->state == CC_IDLE && cc->ending == CC_LIVE))
		return;
	if (!l2tp_decode(&m, buf, len, cc->conf->secret, scratch)) {
		l2tp_note(cc, -1, "malformed control message");
		return;
	}
	if (!for_us(cc, &m)) {
		l2tp_note(cc, m.type, "Tunnel ID of another");
		return;
	}
	if (m.type == L2TP_ZLB || must_wait(cc, &m)) {
		l2tp_rx_ack(cc, now, m.nr);
	} else if (l2tp_rx(cc, now, m.type, &m.odd, m.ns, m.nr, buf, len)) {
		rx(cc, now, &m);
		for (struct rel_msg *e; (e = rel_next(&cc->rel, now)); rel_free(e))
			if (l2tp_decode(&m, e->data, e->len, cc->conf->secret, scratch))
				rx(cc, now, &m);
	}
	l2tp_settle(cc, now);
}

/* Orders. */

void v2_cc_init(struct cc *cc, const struct env *env, const struct cc_conf *conf, uint16_t tunnel_id)
{
	l2tp_cc_init(cc, env, conf, &v2_rules, tunnel_id);
}

void v2_cc_done(struct cc *cc)
{
	l2tp_cc_done(cc);
	v2_pending_done(cc);
	wipe(cc->v2.challenge, sizeof(cc->v2.challenge));
}

void v2_cc_accept(struct cc *cc, ms_t now, const struct ho_entry *e)
{
	if (!l2tp_cc_accept(cc, now, e))
		return;
	cc->v2.peer_framing_caps = e->framing_caps;
	cc->v2.peer_bearer_caps = e->bearer_caps;
	cc->v2.peer_firmware = e->firmware;
	if (e->challenged) {
		cc->v2.challenge_len = e->challenge_len;
		memcpy(cc->v2.challenge, e->challenge, sizeof(cc->v2.challenge));
	}
}

enum { MAX_LAST_WORDS = 8 };

/* From the oldest that is not acknowledged to the next that would have been: at a peer that has them, all but the last are
 * duplicates (5.8). */
size_t v2_cc_last_words(const struct cc *cc, const struct l2tp_cause *cause, unsigned i, void *buf, size_t size)
{
	struct l2tp_msg m = {
		.type = L2TP_STOPCCN, .tunnel_id = (uint16_t)cc->peer_tunnel_id, .ns = (uint16_t)(cc->rel.una + i),
		.nr = cc->rel.nr, .assigned_tunnel_id = (uint16_t)cc->tunnel_id,
		.result = { cause->result, cause->error, text(cause->msg) },
		.present = L2TP_BIT(L2TP_AVP_RESULT_CODE) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID),
	};

	if (!cc->peer_tunnel_id || i > MAX_LAST_WORDS || i > (uint16_t)(cc->rel.ns - cc->rel.una))
		return 0;
	return l2tp_encode(&m, buf, size, cc->conf->secret);
}
