/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "v3_cc.h"

#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "base/names.h"
#include "l2tp/halfopen.h"
#include "l2tp/v3_step.h"

enum { LINGER_MS = 31000 };			/* 3.3.2: a full retransmission cycle */
enum { QUEUE_MIN = 4096 };			/* messages that may wait, plus four for each call */

static uint32_t or_default(uint32_t v, uint32_t dflt)
{
	return v ? v : dflt;
}

uint32_t v3_pw_caps(const struct v3_conf *conf)
{
	return or_default(conf->pw_caps, 1u << V3_PW_ETHERNET | 1u << V3_PW_VLAN | 1u << V3_PW_PPP);
}

void v3_note(struct v3_cc *cc, const struct v3_msg *m, const char *text, const char *avp_name)
{
	char buf[128];
	size_t n = l2tp_line(buf, sizeof(buf), m ? l2tp_msg_name(m->type) : NULL, text, avp_name);

	fx_push(&cc->out, V3_FX_NOTE, buf, n + 1);
}

struct l2tp_cause v3_cause_of(const struct v3_msg *m)
{
	struct l2tp_cause c = { .result = m->result.result, .error = m->result.error, .by_peer = true };

	l2tp_clean(c.msg, sizeof(c.msg), m->result.msg);
	return c;
}

const char *v3_bad_avp(const struct v3_msg *m)
{
	if (m->unknown_m)
		return m->unknown_vendor ? "of a vendor" : l2tp_avp_name(m->unknown_avp);
	if (m->error)
		return l2tp_avp_name(m->error_avp);
	for (unsigned i = 0; i < V3_N_AVPS; i++)
		if (m->missing & V3_BIT(i))
			return v3_avp_name(i);
	return NULL;
}

/* Sending. */

/* What rel has appended since the effect `after`: Ns and Nr are final now, so it can be signed. */
static void seal(struct v3_cc *cc, struct fx *after)
{
	for (struct fx *f = after ? after->next : cc->out.head; f; f = f->next)
		if (f->type == V3_FX_TX)
			v3_sign(&cc->auth, f->data, f->len);
}

/* 5.3, when configured: everything that may be hidden, except where the peer may not know our secret yet or must be able to
 * read us in any case. */
static bool to_hide(const struct v3_cc *cc, const struct v3_msg *m)
{
	return cc->conf->cc.hide && cc->auth.n_keys && m->type != V3_SCCRQ && m->type != V3_SCCRP && m->type != V3_STOPCCN;
}

void v3_send(struct v3_cc *cc, ms_t now, struct v3_msg *m, bool last)
{
	struct span key = v3_hide_key(&cc->auth, cc->auth.key_no);
	uint8_t buf[L2TP_MSG_MAX], vector[16];
	struct fx *after = cc->out.tail;
	size_t len;

	m->cc_id = cc->peer_cc_id;
	v3_auth_prepare(&cc->auth, m);
	if (to_hide(cc, m)) {
		cc->env->random(cc->env->arg, vector, sizeof(vector));
		m->random_vector = (struct span){ vector, sizeof(vector) };
		m->present |= V3_BIT(V3_AVP_RANDOM_VECTOR);
		m->hidden = m->present;
	}
	len = v3_encode(m, buf, sizeof(buf), key);
	if (!len)
		cc->rel.lost = true;
	else
		rel_tx(&cc->rel, now, buf, len, last, QUEUE_MIN + 4 * cc->n_calls, &cc->out);
	seal(cc, after);
}

/* 6.15 Explicit Acknowledgement: takes no place in the sequence. */
void v3_cc_flush(struct v3_cc *cc, ms_t now)
{
	struct v3_msg m = { .type = V3_ACK, .cc_id = cc->peer_cc_id, .ns = cc->rel.ns, .nr = cc->rel.nr };
	struct fx *after = cc->out.tail;
	uint8_t buf[128];

	if (!rel_acknowledge(&cc->rel, now))
		return;
	v3_auth_prepare(&cc->auth, &m);
	fx_push(&cc->out, V3_FX_TX, buf, v3_encode(&m, buf, sizeof(buf), (struct span){ NULL, 0 }));
	seal(cc, after);
}

static struct span text(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static void tx_sccrq(struct v3_cc *cc, ms_t now)
{
	const struct v3_conf *conf = cc->conf;
	struct v3_msg m = {
		.type = V3_SCCRQ, .v2 = cc->v2_tunnel_id, .v2_tunnel_id = cc->v2_tunnel_id,
		.host_name = text(conf->cc.host_name), .router_id = conf->router_id, .assigned_cc_id = cc->cc_id,
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
	if (cc->auth.n_keys) {
		m.nonce = (struct span){ cc->auth.nonce, cc->auth.nonce_len };
		m.present |= V3_BIT(V3_AVP_NONCE);
	}
	v3_send(cc, now, &m, false);
}

static void tx_stopccn(struct v3_cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct v3_msg m = {
		.type = V3_STOPCCN, .assigned_cc_id = cc->cc_id, .result = { cause->result, cause->error, text(cause->msg) },
		.present = V3_BIT(V3_AVP_RESULT_CODE) | V3_BIT(V3_AVP_ASSIGNED_CC_ID),
	};

	v3_send(cc, now, &m, true);
	cc->ending = CC_STOP_SENT;
}

/* The machine of 7.2. */

#define A(acts, next) { acts, V3_CC_##next, true }
#define _             { 0, V3_CC_IDLE, false }
enum { SCCRQ = V3_CC_TX_SCCRQ, SCCCN = V3_CC_TX_SCCCN, STOP = V3_CC_TX_STOPCCN, UP = V3_CC_UP, DOWN = V3_CC_DOWN };

/* RFC 3931 7.2, cell for cell; DOWN is its "Clean up".  SCCRP is sent by v3_halfopen.c: an acceptable SCCRQ makes an entry
 * there, and only its SCCCN one of us.  So the connection that loses a tie goes down while the winner's is still over there,
 * and the winner has no cell.  CLOSE before established and GIVE_UP are ours. */
static const struct fsm_cell cells[V3_CC_N_EVENTS][V3_CC_N_STATES] = {
/*                       idle                       wait-ctl-reply              wait-ctl-conn          established            */
[V3_CC_EV_OPEN]      = { A(SCCRQ, WAIT_CTL_REPLY),  _,                          _,                     _                      },
[V3_CC_EV_SCCRQ]     = { A(0, WAIT_CTL_CONN),       _,                          A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[V3_CC_EV_TIE_LOST]  = { _,                         A(DOWN, IDLE),              _,                     _                      },
[V3_CC_EV_SCCRP]     = { A(STOP | DOWN, IDLE),      A(SCCCN | UP, ESTABLISHED), A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[V3_CC_EV_SCCRP_BAD] = { A(STOP | DOWN, IDLE),      A(STOP | DOWN, IDLE),       A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[V3_CC_EV_SCCCN]     = { A(STOP | DOWN, IDLE),      A(STOP | DOWN, IDLE),       A(UP, ESTABLISHED),    A(STOP | DOWN, IDLE)   },
[V3_CC_EV_SCCCN_BAD] = { A(STOP | DOWN, IDLE),      A(STOP | DOWN, IDLE),       A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[V3_CC_EV_CLOSE]     = { _,                         A(STOP | DOWN, IDLE),       A(STOP | DOWN, IDLE),  A(STOP | DOWN, IDLE)   },
[V3_CC_EV_STOPCCN]   = { A(DOWN, IDLE),             A(DOWN, IDLE),              A(DOWN, IDLE),         A(DOWN, IDLE)          },
[V3_CC_EV_GIVE_UP]   = { _,                         A(DOWN, IDLE),              A(DOWN, IDLE),         A(DOWN, IDLE)          },
};

#undef A
#undef _

static const char *const state_name[] = { "idle", "wait-ctl-reply", "wait-ctl-conn", "established" };
static const char *const event_name[] = {
	"local open request", "SCCRQ", "lost tie-breaker", "SCCRP", "unacceptable SCCRP", "SCCCN", "unacceptable SCCCN",
	"local close request", "StopCCN", "no answer",
};

static void ended(struct v3_cc *cc)
{
	cc->ending = CC_ENDED;
	cc->gone_at = NEVER;
	rel_done(&cc->rel);
	cc->rel.ack_due = false;
	fx_push(&cc->out, V3_FX_CC_GONE, NULL, 0);
}

/* "Clean up".  What is still to be acknowledged outlives it. */
static void down(struct v3_cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	v3_call_all_down(cc, now, cause);
	fx_push(&cc->out, V3_FX_CC_DOWN, cause, sizeof(*cause));
	cc->setup_by = NEVER;
	if (cc->ending == CC_STOP_RCVD) {
		rel_done(&cc->rel);
		cc->gone_at = now + LINGER_MS;
	} else if (cc->ending != CC_STOP_SENT) {
		ended(cc);
	}
}

static void heard(struct v3_cc *cc, ms_t now)
{
	uint32_t ms = or_default(cc->conf->cc.hello_ms, 60000);

	cc->hello_at = ms == UINT32_MAX ? NEVER : now + ms - cc->jitter_ms;
}

/* 4.4: control connections between the same two LCCEs must not send their HELLOs in groups. */
static void jitter(struct v3_cc *cc)
{
	cc->jitter_ms = env_u32(cc->env) % (or_default(cc->conf->cc.hello_ms, 60000) / 10 + 1);
}

static void act(void *obj, unsigned action)
{
	struct v3_step *s = obj;

	switch (action) {
	case V3_CC_TX_SCCRQ:
		tx_sccrq(s->cc, s->now);
		break;
	case V3_CC_TX_SCCCN:
		v3_send(s->cc, s->now, &(struct v3_msg){ .type = V3_SCCCN }, false);
		break;
	case V3_CC_TX_STOPCCN:
		tx_stopccn(s->cc, s->now, s->cause);
		break;
	case V3_CC_UP:
		s->cc->setup_by = NEVER;
		jitter(s->cc);
		heard(s->cc, s->now);
		fx_push(&s->cc->out, V3_FX_CC_UP, NULL, 0);
		break;
	case V3_CC_DOWN:
		down(s->cc, s->now, s->cause);
		break;
	}
}

static void trace(void *obj, const struct fsm *f, unsigned was, unsigned ev, unsigned is)
{
	struct v3_step *s = obj;
	struct v3_fx_state st = { 0, f->name, f->state[was], f->event[ev], f->state[is] };

	fx_push(&s->cc->out, V3_FX_STATE, &st, sizeof(st));
}

const struct fsm v3_cc_fsm = {
	.name = "control connection", .state = state_name, .event = event_name,
	.cell = &cells[0][0], .n_states = V3_CC_N_STATES, .act = act, .trace = trace,
};

static void step(struct v3_cc *cc, ms_t now, enum v3_cc_event ev, const struct v3_msg *m, const struct l2tp_cause *cause)
{
	struct v3_step s = { .cc = cc, .now = now, .m = m, .cause = cause };

	fsm_step(&v3_cc_fsm, &cc->state, ev, &s);
}

void v3_settle(struct v3_cc *cc, ms_t now)
{
	struct l2tp_cause cause;

	if (cc->rel.lost && cc->state != V3_CC_IDLE) {
		cause = l2tp_cause(L2TP_STOP_ERROR, L2TP_E_RESOURCES, "out of memory or queue", NULL);
		step(cc, now, V3_CC_EV_GIVE_UP, NULL, &cause);
	} else if (cc->ending == CC_STOP_SENT && (cc->rel.lost || !cc->rel.tx)) {
		cc->rel.ack_at = now;
		v3_cc_flush(cc, now);
		ended(cc);
	}
}

/* Judging what was received; nothing is changed here. */

/* What every SCCRP and SCCCN must satisfy; result 0 when it does. */
static struct l2tp_cause judge_content(const struct v3_cc *cc, const struct v3_msg *m)
{
	if (cc->conf->cc.strict && m->unknown_m)
		return l2tp_cause(L2TP_STOP_ERROR, L2TP_E_UNKNOWN_AVP, "unknown AVP", v3_bad_avp(m));
	if (cc->conf->cc.strict && (m->error || m->missing))
		return l2tp_cause(L2TP_STOP_ERROR, m->error ? m->error : L2TP_E_VALUE, "bad AVP", v3_bad_avp(m));
	return (struct l2tp_cause){ 0 };
}

static struct l2tp_cause judge_sccrp(const struct v3_cc *cc, const struct v3_msg *m)
{
	if (!m->assigned_cc_id)
		return l2tp_cause(L2TP_STOP_ERROR, L2TP_E_VALUE, "no Assigned Control Connection ID", NULL);
	if (v3_has(m, V3_AVP_NONCE) != !!cc->auth.n_keys || m->nonce.n > V3_PEER_NONCE_MAX)
		return l2tp_cause(L2TP_STOP_UNAUTHORIZED, 0, cc->auth.n_keys ? "no nonce, or a longer one than we know" :
				  "no secret for your nonce", NULL);
	return judge_content(cc, m);
}

/* What the peer says of itself, once, while it is still introducing itself. */
static void absorb(struct v3_cc *cc, const struct v3_msg *m, const struct v3_signature *sig)
{
	cc->peer_cc_id = m->assigned_cc_id;
	cc->peer_router_id = m->router_id;
	cc->peer_pw_caps = m->pw_caps;
	l2tp_clean(cc->peer_host_name, sizeof(cc->peer_host_name), m->host_name);
	l2tp_clean(cc->peer_vendor_name, sizeof(cc->peer_vendor_name), m->vendor_name);
	if (v3_has(m, V3_AVP_RWS))
		rel_peer_window(&cc->rel, m->rws);
	(void)v3_auth_agree(&cc->auth, m, sig);
}

static void complain(struct v3_cc *cc, const struct v3_msg *m)
{
	if (m->unknown_m)
		v3_note(cc, m, "unknown AVP with the M bit set:", v3_bad_avp(m));
	else if (m->error || m->missing)
		v3_note(cc, m, m->error ? "bad AVP" : "lacks AVP", v3_bad_avp(m));
	else if (m->unread)
		v3_note(cc, m, "hidden AVP that cannot be read", NULL);
}

static void rx_unknown(struct v3_cc *cc, ms_t now, const struct v3_msg *m)
{
	struct l2tp_cause cause;

	v3_note(cc, m, "unknown Message Type", NULL);
	if (!cc->conf->cc.strict || !m->type_m)
		return;
	cause = l2tp_cause(L2TP_STOP_ERROR, L2TP_E_UNKNOWN_AVP, "unknown Message Type", NULL);
	step(cc, now, V3_CC_EV_CLOSE, m, &cause);	/* 5.4.1 */
}

/* A numbered message whose turn it is. */
static void rx(struct v3_cc *cc, ms_t now, const struct v3_msg *m, const struct v3_signature *sig)
{
	struct l2tp_cause cause = l2tp_cause(L2TP_STOP_FSM, 0, "unexpected", l2tp_msg_name(m->type));

	if (cc->state == V3_CC_IDLE)
		return;					/* it is acknowledged, and that is all */
	complain(cc, m);
	switch ((enum v3_msg_type)m->type) {
	case V3_SCCRQ:
		step(cc, now, V3_CC_EV_SCCRQ, m, &cause);
		break;
	case V3_SCCRP:
		if (cc->state == V3_CC_WAIT_CTL_REPLY) {
			cause = judge_sccrp(cc, m);
			absorb(cc, m, sig);
		}
		step(cc, now, cause.result ? V3_CC_EV_SCCRP_BAD : V3_CC_EV_SCCRP, m, &cause);
		break;
	case V3_SCCCN:
		if (cc->state == V3_CC_WAIT_CTL_CONN)
			cause = judge_content(cc, m);
		step(cc, now, cause.result ? V3_CC_EV_SCCCN_BAD : V3_CC_EV_SCCCN, m, &cause);
		break;
	case V3_STOPCCN:
		cause = v3_cause_of(m);
		cc->ending = CC_STOP_RCVD;
		step(cc, now, V3_CC_EV_STOPCCN, m, &cause);
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
		if (cc->state == V3_CC_ESTABLISHED)
			v3_call_rx(cc, now, m);
		else
			v3_note(cc, m, "before the control connection is established", NULL);
		break;
	case V3_ZLB:
	case V3_ACK:
	case V3_N_MSGS:
	default:				/* any number may come */
		rx_unknown(cc, now, m);
		break;
	}
}

/* 5.4.3 Assigned Control Connection ID: a StopCCN may come from one that has not learnt our id. */
static bool for_us(const struct v3_cc *cc, const struct v3_msg *m)
{
	if (m->cc_id)
		return m->cc_id == cc->cc_id;
	return m->type == V3_STOPCCN && cc->peer_cc_id && m->assigned_cc_id == cc->peer_cc_id;
}

/* What may end the tunnel or a call is only believed in its turn and never kept until then: without a secret, who forges it
 * would need no Ns that is right, just one that will be.  A real one that overtook another message comes again. */
static bool ends_early(const struct v3_cc *cc, const struct v3_msg *m)
{
	static const uint32_t harmless = 1u << V3_HELLO | 1u << V3_OCRQ | 1u << V3_OCRP | 1u << V3_OCCN | 1u << V3_ICRQ |
					 1u << V3_ICRP | 1u << V3_ICCN | 1u << V3_WEN | 1u << V3_SLI;

	if ((int16_t)(m->ns - cc->rel.nr) <= 0)
		return false;
	return m->type >= V3_N_MSGS || !(harmless >> m->type & 1) || m->error || m->missing || m->unknown_m;
}

/* 4.7.3: an answer in L2TPv2 to an SCCRQ that was for both versions. */
static bool fell_back(struct v3_cc *cc, ms_t now, const void *buf, size_t len)
{
	struct l2tp_cause cause = l2tp_cause(L2TP_STOP_VERSION, 0, "the peer speaks L2TPv2 only", NULL);
	struct l2tp_msg m;

	if (cc->state != V3_CC_WAIT_CTL_REPLY || !cc->v2_tunnel_id || !l2tp_decode(&m, buf, len, (struct span){ NULL, 0 }, NULL))
		return false;
	if (m.tunnel_id != cc->v2_tunnel_id || m.ns || (m.type != L2TP_SCCRP && m.type != L2TP_STOPCCN))
		return false;
	fx_push(&cc->out, V3_FX_FALLBACK, NULL, 0);
	step(cc, now, V3_CC_EV_GIVE_UP, NULL, &cause);
	return true;
}

/* A request makes us say something, and so does a reply to nothing.  From who has much to acknowledge it is as if it had not come:
 * it comes again. */
static bool must_wait(const struct v3_cc *cc, const struct v3_msg *m)
{
	bool request = m->type == V3_ICRQ || m->type == V3_OCRQ, reply = m->type == V3_ICRP || m->type == V3_OCRP;

	return (request || (reply && !v3_call_find(cc, m->remote_session_id))) && m->ns == cc->rel.nr &&
	       rel_full(&cc->rel, cc->n_calls);
}

static void deliver(struct v3_cc *cc, ms_t now, const struct v3_msg *m, const struct v3_signature *sig, const void *buf, size_t len)
{
	struct span key = v3_hide_key(&cc->auth, sig->key_no);
	struct fx *after = cc->out.tail;
	uint8_t scratch[L2TP_SCRATCH];
	struct v3_msg early;
	enum rel_rx kind;

	if (m->type == V3_ZLB || m->type == V3_ACK || must_wait(cc, m)) {
		rel_ack(&cc->rel, now, m->nr, &cc->out);
		seal(cc, after);
		heard(cc, now);
		return;
	}
	if (ends_early(cc, m)) {
		if ((uint16_t)(m->ns - cc->rel.nr) >= cc->rel.rws)
			v3_note(cc, m, "Ns is outside of the window", NULL);
		return;
	}
	kind = rel_rx(&cc->rel, now, m->ns, m->nr, buf, len, &cc->out);
	seal(cc, after);
	if (kind == REL_IGNORE)
		v3_note(cc, m, "Ns or Nr is outside of the window", NULL);
	else
		heard(cc, now);
	if (kind == REL_NEW)
		rx(cc, now, m, sig);
	for (struct rel_msg *e; kind == REL_NEW && (e = rel_next(&cc->rel, now)); rel_free(e))
		if (v3_decode(&early, e->data, e->len, key, scratch))	/* it was verified when it came */
			rx(cc, now, &early, sig);
}

void v3_cc_input(struct v3_cc *cc, ms_t now, const void *buf, size_t len)
{
	uint8_t scratch[L2TP_SCRATCH];
	struct v3_signature sig;
	enum v3_verdict verdict;
	struct v3_msg m;

	if (cc->ending == CC_ENDED || (cc->state == V3_CC_IDLE && cc->ending == CC_LIVE) || fell_back(cc, now, buf, len))
		return;
	verdict = v3_verify(&cc->auth, buf, len, &sig);
	if (verdict != V3_GOOD) {
		cc->forged++;
		v3_note(cc, NULL, verdict == V3_UNSIGNED ? "a message without a Message Digest was dropped" :
			"a message with a wrong Message Digest was dropped: is the secret the same?", NULL);
		return;
	}
	if (!v3_decode(&m, buf, len, v3_hide_key(&cc->auth, sig.key_no), scratch)) {
		v3_note(cc, NULL, "malformed control message", NULL);
		return;
	}
	if (for_us(cc, &m))
		deliver(cc, now, &m, &sig, buf, len);
	else
		v3_note(cc, &m, "Control Connection ID of another", NULL);
	v3_settle(cc, now);
}

/* Orders. */

void v3_cc_init(struct v3_cc *cc, const struct env *env, const struct v3_conf *conf, uint32_t cc_id)
{
	struct span secret[V3_SECRETS] = { conf->cc.secret, conf->secret2 };
	uint32_t rws = or_default(conf->cc.rws, 16);

	*cc = (struct v3_cc){ .env = env, .conf = conf, .cc_id = cc_id, .setup_by = NEVER, .hello_at = NEVER, .gone_at = NEVER,
			      .salt = env_u32(env) };
	v3_auth_init(&cc->auth, env, secret, conf->digest);
	rel_init(&cc->rel, (uint16_t)(rws < REL_RWS_MAX ? rws : REL_RWS_MAX), or_default(conf->cc.max_retries, 10),
		 or_default(conf->cc.rto_ms, 1000), or_default(conf->cc.rto_cap_ms, 8000));
}

void v3_cc_done(struct v3_cc *cc)
{
	fxq_done(&cc->out);
	rel_done(&cc->rel);
	v3_calls_done(cc);
	wipe(&cc->auth, sizeof(cc->auth));
	cc->state = V3_CC_IDLE;
	cc->ending = CC_ENDED;
}

int v3_cc_open(struct v3_cc *cc, ms_t now, uint16_t v2_tunnel_id)
{
	if (cc->state != V3_CC_IDLE || cc->ending != CC_LIVE)
		return -EALREADY;
	cc->opener = true;
	cc->v2_tunnel_id = v2_tunnel_id;
	cc->setup_by = now + or_default(cc->conf->cc.setup_ms, 60000);
	step(cc, now, V3_CC_EV_OPEN, NULL, NULL);
	v3_settle(cc, now);
	return 0;
}

void v3_cc_accept(struct v3_cc *cc, ms_t now, const struct ho_entry *e)
{
	if (cc->state != V3_CC_IDLE || cc->ending != CC_LIVE)
		return;
	cc->peer_cc_id = e->peer_tunnel_id;
	cc->peer_router_id = e->v3.router_id;
	cc->peer_pw_caps = e->v3.pw_caps;
	memcpy(cc->peer_host_name, e->host_name, sizeof(cc->peer_host_name));
	memcpy(cc->peer_vendor_name, e->vendor_name, sizeof(cc->peer_vendor_name));
	rel_peer_window(&cc->rel, e->peer_rws);
	v3_auth_resume(&cc->auth, e->challenge, e->v3.nonce, e->v3.nonce_len, e->v3.key, e->v3.digest);
	cc->rel.ns = cc->rel.nxt = cc->rel.una = 1;	/* SCCRP was 0, and SCCCN acknowledges it */
	cc->rel.nr = 1;					/* SCCRQ was 0 */
	cc->setup_by = now + or_default(cc->conf->cc.setup_ms, 60000);
	step(cc, now, V3_CC_EV_SCCRQ, NULL, NULL);
}

void v3_cc_close(struct v3_cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct l2tp_cause why = cause ? *cause : (struct l2tp_cause){ 0 };

	if (!why.result)
		why.result = L2TP_STOP_SHUTDOWN;
	why.by_peer = false;
	step(cc, now, V3_CC_EV_CLOSE, NULL, &why);
	v3_settle(cc, now);
}

void v3_cc_abandon(struct v3_cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct l2tp_cause why = cause ? *cause : (struct l2tp_cause){ .result = L2TP_STOP_EXISTS };

	step(cc, now, cc->state == V3_CC_WAIT_CTL_REPLY ? V3_CC_EV_TIE_LOST : V3_CC_EV_GIVE_UP, NULL, &why);
	v3_settle(cc, now);
}

enum cc_tie v3_cc_tie(const struct v3_cc *ours, const struct v3_msg *sccrq)
{
	bool theirs = v3_has(sccrq, V3_AVP_TIE_BREAKER);
	int cmp;

	if (ours->state != V3_CC_WAIT_CTL_REPLY || (!ours->tie_sent && !theirs))
		return CC_TIE_NONE;
	if (!theirs)
		return CC_TIE_OURS;
	if (!ours->tie_sent)
		return CC_TIE_THEIRS;
	cmp = memcmp(ours->tie_breaker, sccrq->tie_breaker, L2TP_TIE_LEN);	/* the lower value wins */
	return cmp < 0 ? CC_TIE_OURS : cmp > 0 ? CC_TIE_THEIRS : CC_TIE_BOTH_DROP;
}

void v3_cc_alive(struct v3_cc *cc, ms_t now)
{
	if (cc->state != V3_CC_ESTABLISHED)
		return;
	heard(cc, now);
	cc->rel.alive = cc->rel.retries > 0;
}

void v3_cc_probe(struct v3_cc *cc, ms_t now)
{
	if (cc->state == V3_CC_ESTABLISHED)
		cc->hello_at = now;
}

/* Time. */

/* When to ask whether the peer is still there; something unacknowledged asks already. */
static ms_t hello_due(const struct v3_cc *cc)
{
	return cc->state == V3_CC_ESTABLISHED && !cc->rel.tx ? cc->hello_at : NEVER;
}

void v3_cc_tick(struct v3_cc *cc, ms_t now)
{
	struct fx *after = cc->out.tail;
	struct l2tp_cause cause;
	bool answered = rel_tick(&cc->rel, now, &cc->out);

	seal(cc, after);
	if (!answered && cc->ending == CC_STOP_SENT) {
		ended(cc);
	} else if (!answered) {
		cause = l2tp_cause(L2TP_STOP_CLEAR, 0, "the peer does not answer", NULL);
		cause.timeout = true;
		step(cc, now, V3_CC_EV_GIVE_UP, NULL, &cause);
	}
	if (now >= cc->setup_by) {
		cause = l2tp_cause(L2TP_STOP_FSM, 0, "set-up took too long", NULL);
		cause.timeout = true;
		step(cc, now, V3_CC_EV_CLOSE, NULL, &cause);
	}
	while (cc->setup && now >= cc->setup->setup_by)
		v3_call_overdue(cc, now);
	if (now >= hello_due(cc)) {
		v3_send(cc, now, &(struct v3_msg){ .type = V3_HELLO }, false);
		jitter(cc);
		heard(cc, now);
	}
	if (now >= cc->gone_at)
		ended(cc);
	v3_cc_flush(cc, now);
	v3_settle(cc, now);
}

ms_t v3_cc_deadline(const struct v3_cc *cc)
{
	ms_t at = ms_min(rel_deadline(&cc->rel), ms_min(cc->setup_by, cc->gone_at));

	if (cc->rel.lost && cc->ending != CC_ENDED)
		return 0;
	if (cc->setup)
		at = ms_min(at, cc->setup->setup_by);
	return ms_min(at, hello_due(cc));
}
