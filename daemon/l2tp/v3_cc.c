/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "v3_cc.h"

#include <string.h>

#include "base/digest.h"
#include "base/names.h"
#include "l2tp/halfopen.h"
#include "l2tp/v3_step.h"

uint32_t v3_pw_caps(const struct v3_conf *conf)
{
	return or_default(conf->pw_caps, 1u << V3_PW_ETHERNET | 1u << V3_PW_VLAN | 1u << V3_PW_PPP);
}

struct l2tp_cause v3_cause_of(const struct v3_msg *m)
{
	struct l2tp_cause c = { .result = m->result.result, .error = m->result.error, .by_peer = true };

	l2tp_clean(c.msg, sizeof(c.msg), m->result.msg);
	return c;
}

/* Sending. */

/* 5.3, when configured: everything that may be hidden, except where the peer may not know our secret yet or must be able to
 * read us in any case. */
static bool to_hide(const struct cc *cc, const struct v3_msg *m)
{
	return cc->conf->hide && cc->v3.auth.n_keys && m->type != V3_SCCRQ && m->type != V3_SCCRP && m->type != V3_STOPCCN;
}

void v3_send(struct cc *cc, ms_t now, struct v3_msg *m, bool last)
{
	struct span key = v3_hide_key(&cc->v3.auth, cc->v3.auth.key_no);
	uint8_t buf[L2TP_MSG_MAX], vector[16];
	size_t len;

	m->cc_id = cc->peer_tunnel_id;
	v3_auth_prepare(&cc->v3.auth, m);
	if (to_hide(cc, m)) {
		cc->env->random(cc->env->arg, vector, sizeof(vector));
		m->random_vector = (struct span){ vector, sizeof(vector) };
		m->present |= V3_BIT(V3_AVP_RANDOM_VECTOR);
		m->hidden = m->present;
	}
	len = v3_encode(m, buf, sizeof(buf), key);
	l2tp_tx(cc, now, buf, len, last);
}

/* 6.15 Explicit Acknowledgement: takes no place in the sequence. */
static void tx_ack(struct cc *cc)
{
	struct v3_msg m = { .type = V3_ACK, .cc_id = cc->peer_tunnel_id, .ns = cc->rel.ns, .nr = cc->rel.nr };
	uint8_t buf[128];
	size_t len;

	v3_auth_prepare(&cc->v3.auth, &m);
	len = v3_encode(&m, buf, sizeof(buf), (struct span){ NULL, 0 });
	v3_sign(&cc->v3.auth, buf, len);
	fx_push(&cc->out, L2TP_FX_TX, buf, len);
}

static struct span text(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static void tx_sccrq(struct cc *cc, ms_t now)
{
	const struct v3_conf *conf = cc->v3.conf;
	struct v3_msg m = {
		.type = V3_SCCRQ, .v2 = cc->v3.v2_tunnel_id, .v2_tunnel_id = cc->v3.v2_tunnel_id,
		.host_name = text(conf->cc.host_name), .router_id = conf->router_id, .assigned_cc_id = cc->tunnel_id,
		.rws = cc->rel.rws, .pw_caps = v3_pw_caps(conf),
		.present = V3_BIT(V3_AVP_HOST_NAME) | V3_BIT(V3_AVP_ROUTER_ID) | V3_BIT(V3_AVP_ASSIGNED_CC_ID) |
			   V3_BIT(V3_AVP_RWS) | V3_BIT(V3_AVP_PW_CAPS),
	};

	if (conf->cc.vendor_name) {
		m.vendor_name = text(conf->cc.vendor_name);
		m.present |= V3_BIT(V3_AVP_VENDOR_NAME);
	}
	if (!conf->cc.no_tie_breaker) {
		cc->env->random(cc->env->arg, cc->tie_breaker, sizeof(cc->tie_breaker));
		memcpy(m.tie_breaker, cc->tie_breaker, sizeof(m.tie_breaker));
		m.present |= V3_BIT(V3_AVP_TIE_BREAKER);
		cc->tie_sent = true;
	}
	if (cc->v3.auth.n_keys) {
		m.nonce = (struct span){ cc->v3.auth.nonce, cc->v3.auth.nonce_len };
		m.present |= V3_BIT(V3_AVP_NONCE);
	}
	v3_send(cc, now, &m, false);
}

static void tx_stopccn(struct cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct v3_msg m = {
		.type = V3_STOPCCN, .assigned_cc_id = cc->tunnel_id, .result = { cause->result, cause->error, text(cause->msg) },
		.present = V3_BIT(V3_AVP_RESULT_CODE) | V3_BIT(V3_AVP_ASSIGNED_CC_ID),
	};

	v3_send(cc, now, &m, true);
}

/* The machine of 7.2. */

#define A(acts, next) { acts, CC_##next, true }
#define _             { 0, CC_IDLE, false }
enum { SCCRQ = CC_TX_SCCRQ, SCCCN = CC_TX_SCCCN, STOP = CC_TX_STOPCCN, UP = CC_UP, DOWN = CC_DOWN };

/* RFC 3931 7.2, cell for cell; DOWN is its "Clean up".  SCCRP is sent by v3_halfopen.c: an acceptable SCCRQ makes an entry
 * there, and only its SCCCN one of us.  So the connection that loses a tie goes down while the winner's is still over there,
 * and the winner has no cell.  CLOSE before established and GIVE_UP are ours. */
static const struct fsm_cell cells[CC_N_EVENTS][CC_N_STATES] = {
/*                       idle                       wait-ctl-reply              wait-ctl-conn          established            */
[CC_EV_OPEN]      = { A(SCCRQ, WAIT_CTL_REPLY),  _,                          _,                     _                      },
[CC_EV_SCCRQ]     = { A(0, WAIT_CTL_CONN),       _,                          A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[CC_EV_TIE_LOST]  = { _,                         A(DOWN, IDLE),              _,                     _                      },
[CC_EV_SCCRP]     = { A(STOP | DOWN, IDLE),      A(SCCCN | UP, ESTABLISHED), A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[CC_EV_SCCRP_BAD] = { A(STOP | DOWN, IDLE),      A(STOP | DOWN, IDLE),       A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[CC_EV_SCCCN]     = { A(STOP | DOWN, IDLE),      A(STOP | DOWN, IDLE),       A(UP, ESTABLISHED),    A(STOP | DOWN, IDLE)   },
[CC_EV_SCCCN_BAD] = { A(STOP | DOWN, IDLE),      A(STOP | DOWN, IDLE),       A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[CC_EV_CLOSE]     = { _,                         A(STOP | DOWN, IDLE),       A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[CC_EV_STOPCCN]   = { A(DOWN, IDLE),             A(DOWN, IDLE),              A(DOWN, IDLE),         A(DOWN, IDLE)          },
[CC_EV_GIVE_UP]   = { _,                         A(DOWN, IDLE),              A(DOWN, IDLE),         A(DOWN, IDLE)          },
};

#undef A
#undef _

/* 4.4: control connections between the same two LCCEs must not send their HELLOs in groups. */
static void jitter(struct cc *cc)
{
	cc->jitter_ms = env_u32(cc->env) % (or_default(cc->conf->hello_ms, 60000) / 10 + 1);
}

static void act(void *obj, unsigned action)
{
	struct l2tp_step *s = obj;

	switch (action) {
	case CC_TX_SCCRQ:
		tx_sccrq(s->cc, s->now);
		break;
	case CC_TX_SCCCN:
		v3_send(s->cc, s->now, &(struct v3_msg){ .type = V3_SCCCN }, false);
		break;
	case CC_TX_STOPCCN:
		tx_stopccn(s->cc, s->now, s->cause);
		break;
	case CC_TX_HELLO:
		v3_send(s->cc, s->now, &(struct v3_msg){ .type = V3_HELLO }, false);
		jitter(s->cc);
		break;
	case CC_TX_ACK:
		tx_ack(s->cc);
		break;
	case CC_TX_LAST_WORDS:
		break;				/* its HELLOs stay unanswered */
	case CC_UP:
		jitter(s->cc);
		l2tp_cc_up(s->cc, s->now);
		break;
	case CC_DOWN:
		v3_pending_done(s->cc);
		l2tp_cc_down(s->cc, s->now, s->cause);
		break;
	}
}

const struct fsm v3_cc_fsm = {
	.name = "control connection", .state = l2tp_cc_state, .event = l2tp_cc_event,
	.cell = &cells[0][0], .n_states = CC_N_STATES, .act = act, .trace = l2tp_trace,
};

/* Judging what was received; nothing is changed here. */

static struct l2tp_cause judge_sccrp(const struct cc *cc, const struct v3_msg *m)
{
	if (!m->assigned_cc_id)
		return l2tp_cause(L2TP_STOP_ERROR, L2TP_E_VALUE, "no Assigned Control Connection ID", NULL);
	if (v3_has(m, V3_AVP_NONCE) != !!cc->v3.auth.n_keys || m->nonce.n > V3_PEER_NONCE_MAX)
		return l2tp_cause(L2TP_STOP_UNAUTHORIZED, 0, cc->v3.auth.n_keys ? "no nonce, or a longer one than we know" :
				  "no secret for your nonce", NULL);
	return l2tp_judge(cc, &m->odd);
}

/* What the peer says of itself, once, while it is still introducing itself. */
static void absorb(struct cc *cc, const struct v3_msg *m, const struct v3_signature *sig)
{
	cc->peer_tunnel_id = m->assigned_cc_id;
	cc->v3.peer_router_id = m->router_id;
	cc->v3.peer_pw_caps = m->pw_caps;
	l2tp_clean(cc->peer_host_name, sizeof(cc->peer_host_name), m->host_name);
	l2tp_clean(cc->peer_vendor_name, sizeof(cc->peer_vendor_name), m->vendor_name);
	if (v3_has(m, V3_AVP_RWS))
		rel_peer_window(&cc->rel, m->rws);
	(void)v3_auth_agree(&cc->v3.auth, m, sig);
}

/* A numbered message whose turn it is. */
static void rx(struct cc *cc, ms_t now, const struct v3_msg *m, const struct v3_signature *sig)
{
	struct l2tp_cause cause = l2tp_cause(L2TP_STOP_FSM, 0, "unexpected", l2tp_msg_name(m->type));

	if (cc->state == CC_IDLE)
		return;					/* it is acknowledged, and that is all */
	l2tp_note_odd(cc, m->type, &m->odd, m->unread);
	switch ((enum v3_msg_type)m->type) {
	case V3_SCCRQ:
		l2tp_cc_step(cc, now, CC_EV_SCCRQ, m, &cause);
		break;
	case V3_SCCRP:
		if (cc->state == CC_WAIT_CTL_REPLY) {
			cause = judge_sccrp(cc, m);
			absorb(cc, m, sig);
		}
		l2tp_cc_step(cc, now, cause.result ? CC_EV_SCCRP_BAD : CC_EV_SCCRP, m, &cause);
		break;
	case V3_SCCCN:
		if (cc->state == CC_WAIT_CTL_CONN)
			cause = l2tp_judge(cc, &m->odd);
		l2tp_cc_step(cc, now, cause.result ? CC_EV_SCCCN_BAD : CC_EV_SCCCN, m, &cause);
		break;
	case V3_STOPCCN:
		cause = v3_cause_of(m);
		cc->ending = CC_STOP_RCVD;
		l2tp_cc_step(cc, now, CC_EV_STOPCCN, m, &cause);
		break;
	case V3_HELLO:
		break;
	case V3_OCRQ:
	case V3_OCRP:
	case V3_OCCN:
	case V3_ICRQ:
	case V3_ICRP:
	case V3_ICCN:
	case V3_CDN:
	case V3_WEN:
	case V3_SLI:
		if (cc->state == CC_ESTABLISHED)
			v3_call_rx(cc, now, m);
		else
			l2tp_note(cc, m->type, "before the control connection is established");
		break;
	case V3_ZLB:
	case V3_ACK:
	case V3_N_MSGS:
	default:				/* any number may come */
		l2tp_rx_unknown(cc, now, m->type, m->type_m);
		break;
	}
}

/* 5.4.3 Assigned Control Connection ID: a StopCCN may come from one that has not learnt our id. */
static bool for_us(const struct cc *cc, const struct v3_msg *m)
{
	if (m->cc_id)
		return m->cc_id == cc->tunnel_id;
	return m->type == V3_STOPCCN && cc->peer_tunnel_id && m->assigned_cc_id == cc->peer_tunnel_id;
}

/* 4.7.3: an answer in L2TPv2 to an SCCRQ that was for both versions. */
static bool fell_back(struct cc *cc, ms_t now, const void *buf, size_t len)
{
	struct l2tp_cause cause = l2tp_cause(L2TP_STOP_VERSION, 0, "the peer speaks L2TPv2 only", NULL);
	struct l2tp_msg m;

	if (cc->state != CC_WAIT_CTL_REPLY || !cc->v3.v2_tunnel_id || !l2tp_decode(&m, buf, len, (struct span){ NULL, 0 }, NULL))
		return false;
	if (m.tunnel_id != cc->v3.v2_tunnel_id || m.ns || (m.type != L2TP_SCCRP && m.type != L2TP_STOPCCN))
		return false;
	fx_push(&cc->out, L2TP_FX_FALLBACK, NULL, 0);
	l2tp_cc_step(cc, now, CC_EV_GIVE_UP, NULL, &cause);
	return true;
}

/* A request makes us say something, and so does a reply to nothing.  From who has much to acknowledge it is as if it had not come:
 * it comes again. */
static bool must_wait(const struct cc *cc, const struct v3_msg *m)
{
	bool request = m->type == V3_ICRQ || m->type == V3_OCRQ, reply = m->type == V3_ICRP || m->type == V3_OCRP;

	return (request || (reply && !cc_call_find(cc, m->remote_session_id))) && m->ns == cc->rel.nr &&
	       rel_full(&cc->rel, cc->n_calls);
}

static void deliver(struct cc *cc, ms_t now, const struct v3_msg *m, const struct v3_signature *sig, const void *buf, size_t len)
{
	struct span key = v3_hide_key(&cc->v3.auth, sig->key_no);
	uint8_t scratch[L2TP_SCRATCH];
	struct v3_msg early;

	if (m->type == V3_ZLB || m->type == V3_ACK || must_wait(cc, m)) {
		l2tp_rx_ack(cc, now, m->nr);
		return;
	}
	if (!l2tp_rx(cc, now, m->type, &m->odd, m->ns, m->nr, buf, len))
		return;
	rx(cc, now, m, sig);
	for (struct rel_msg *e; (e = rel_next(&cc->rel, now)); rel_free(e))
		if (v3_decode(&early, e->data, e->len, key, scratch))	/* it was verified when it came */
			rx(cc, now, &early, sig);
}

void v3_cc_input(struct cc *cc, ms_t now, const void *buf, size_t len)
{
	uint8_t scratch[L2TP_SCRATCH];
	struct v3_signature sig;
	enum v3_verdict verdict;
	struct v3_msg m;

	if (cc->ending == CC_ENDED || (cc->state == CC_IDLE && cc->ending == CC_LIVE) || fell_back(cc, now, buf, len))
		return;
	verdict = v3_verify(&cc->v3.auth, buf, len, &sig);
	if (verdict != V3_GOOD) {
		cc->v3.forged++;
		l2tp_note(cc, -1, verdict == V3_UNSIGNED ? "a message without a Message Digest was dropped" :
			"a message with a wrong Message Digest was dropped: is the secret the same?");
		return;
	}
	if (!v3_decode(&m, buf, len, v3_hide_key(&cc->v3.auth, sig.key_no), scratch)) {
		l2tp_note(cc, -1, "malformed control message");
		return;
	}
	if (for_us(cc, &m))
		deliver(cc, now, &m, &sig, buf, len);
	else
		l2tp_note(cc, m.type, "Control Connection ID of another");
	l2tp_settle(cc, now);
}

/* Orders. */

void v3_cc_init(struct cc *cc, const struct env *env, const struct v3_conf *conf, uint32_t tunnel_id)
{
	struct span secret[V3_SECRETS] = { conf->cc.secret, conf->secret2 };

	l2tp_cc_init(cc, env, &conf->cc, &v3_rules, tunnel_id);
	cc->v3.conf = conf;
	v3_auth_init(&cc->v3.auth, env, secret, conf->digest);
	cc->rel.auth = &cc->v3.auth;
}

void v3_cc_done(struct cc *cc)
{
	l2tp_cc_done(cc);
	v3_pending_done(cc);
	wipe(&cc->v3.auth, sizeof(cc->v3.auth));
}

int v3_cc_open(struct cc *cc, ms_t now, uint16_t v2_tunnel_id)
{
	if (cc->state == CC_IDLE && cc->ending == CC_LIVE)
		cc->v3.v2_tunnel_id = v2_tunnel_id;
	return cc_open(cc, now);
}

void v3_cc_accept(struct cc *cc, ms_t now, const struct ho_entry *e)
{
	if (!l2tp_cc_accept(cc, now, e))
		return;
	cc->v3.peer_router_id = e->v3.router_id;
	cc->v3.peer_pw_caps = e->v3.pw_caps;
	v3_auth_resume(&cc->v3.auth, e->challenge, e->v3.nonce, e->v3.nonce_len, e->v3.key, e->v3.digest);
}
