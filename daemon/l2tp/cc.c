/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/names.h"
#include "l2tp/cc_step.h"
#include "l2tp/halfopen.h"

enum { LINGER_MS = 31000 };			/* 5.7: a full retransmission cycle */
enum { QUEUE_MIN = 4096 };			/* messages that may wait, plus four for each call */

static uint32_t or_default(uint32_t v, uint32_t dflt)
{
	return v ? v : dflt;
}

void l2tp_note(struct cc *cc, const struct l2tp_msg *m, const char *text, const char *avp_name)
{
	char buf[128];
	size_t n = l2tp_line(buf, sizeof(buf), m ? l2tp_msg_name(m->type) : NULL, text, avp_name);

	fx_push(&cc->out, L2TP_FX_NOTE, buf, n + 1);
}

struct l2tp_cause l2tp_cause_of(const struct l2tp_msg *m)
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

const char *l2tp_bad_avp(const struct l2tp_msg *m)
{
	if (m->unknown_m)
		return m->unknown_vendor ? "of a vendor" : l2tp_avp_name(m->unknown_avp);
	if (m->error)
		return l2tp_avp_name(m->error_avp);
	for (unsigned i = 0; i < L2TP_N_AVPS; i++)
		if (m->missing & L2TP_BIT(i))
			return l2tp_avp_name(i);
	return NULL;
}

/* Sending. */

/* 4.3, when configured: everything that may be hidden, except where the peer cannot yet know the
 * secret or must be able to read us in any case. */
static bool to_hide(const struct cc *cc, const struct l2tp_msg *m)
{
	return cc->conf->hide && cc->conf->secret.n && m->type != L2TP_SCCRQ &&
	       m->type != L2TP_SCCRP && m->type != L2TP_STOPCCN;
}

void l2tp_send(struct cc *cc, ms_t now, struct l2tp_msg *m, bool last)
{
	uint8_t buf[L2TP_MSG_MAX], vector[16];
	size_t len;

	m->tunnel_id = cc->peer_tunnel_id;
	if (to_hide(cc, m)) {
		cc->env->random(cc->env->arg, vector, sizeof(vector));
		m->random_vector = (struct span){ vector, sizeof(vector) };
		m->present |= L2TP_BIT(L2TP_AVP_RANDOM_VECTOR);
		m->hidden = m->present;
	}
	len = l2tp_encode(m, buf, sizeof(buf), cc->conf->secret);
	if (!len)
		cc->rel.lost = true;
	else
		rel_tx(&cc->rel, now, buf, len, last, QUEUE_MIN + 4 * cc->n_calls, &cc->out);
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
		.assigned_tunnel_id = cc->tunnel_id, .rws = cc->rel.rws,
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
		cc->challenge_len = sizeof(cc->challenge);
		cc->env->random(cc->env->arg, cc->challenge, sizeof(cc->challenge));
		m.challenge = (struct span){ cc->challenge, sizeof(cc->challenge) };
		m.present |= L2TP_BIT(L2TP_AVP_CHALLENGE);
	}
	l2tp_send(cc, now, &m, false);
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
	l2tp_send(cc, now, &m, false);
}

static void tx_stopccn(struct cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct l2tp_msg m = {
		.type = L2TP_STOPCCN, .assigned_tunnel_id = cc->tunnel_id,
		.result = { cause->result, cause->error, text(cause->msg) },
		.present = L2TP_BIT(L2TP_AVP_RESULT_CODE) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID),
	};

	l2tp_send(cc, now, &m, true);
	cc->ending = CC_STOP_SENT;
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

static const char *const state_name[] = { "idle", "wait-ctl-reply", "wait-ctl-conn", "established" };
static const char *const event_name[] = {
	"local open request", "SCCRQ", "lost tie-breaker", "SCCRP", "unacceptable SCCRP", "SCCCN",
	"unacceptable SCCCN", "local close request", "StopCCN", "no answer",
};

static void ended(struct cc *cc)
{
	cc->ending = CC_ENDED;
	cc->gone_at = NEVER;
	rel_done(&cc->rel);
	cc->rel.ack_due = false;
	fx_push(&cc->out, L2TP_FX_CC_GONE, NULL, 0);
}

/* "Clean up".  What is still to be acknowledged outlives it. */
static void down(struct cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	l2tp_call_all_down(cc, now, cause);
	fx_push(&cc->out, L2TP_FX_CC_DOWN, cause, sizeof(*cause));
	cc->setup_by = NEVER;
	wipe(cc->challenge, sizeof(cc->challenge));
	if (cc->ending == CC_STOP_RCVD) {
		rel_done(&cc->rel);
		cc->gone_at = now + LINGER_MS;
	} else if (cc->ending != CC_STOP_SENT) {
		ended(cc);
	}
}

static uint32_t hello_ms(const struct cc *cc)
{
	return or_default(cc->conf->hello_ms, 60000);
}

static void heard(struct cc *cc, ms_t now)
{
	cc->hello_at = hello_ms(cc) == UINT32_MAX ? NEVER : now + hello_ms(cc);
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
	case CC_UP:
		s->cc->setup_by = NEVER;
		wipe(s->cc->challenge, sizeof(s->cc->challenge));
		heard(s->cc, s->now);
		fx_push(&s->cc->out, L2TP_FX_CC_UP, NULL, 0);
		break;
	case CC_DOWN:
		down(s->cc, s->now, s->cause);
		break;
	}
}

static void trace(void *obj, const struct fsm *f, unsigned was, unsigned ev, unsigned is)
{
	struct l2tp_step *s = obj;
	struct l2tp_fx_state st = { 0, f->name, f->state[was], f->event[ev], f->state[is] };

	fx_push(&s->cc->out, L2TP_FX_STATE, &st, sizeof(st));
}

const struct fsm l2tp_cc_fsm = {
	.name = "control connection", .state = state_name, .event = event_name,
	.cell = &cells[0][0], .n_states = CC_N_STATES, .act = act, .trace = trace,
};

static void step(struct cc *cc, ms_t now, enum cc_event ev, const struct l2tp_msg *m,
		 const struct l2tp_cause *cause)
{
	struct l2tp_step s = { .cc = cc, .now = now, .m = m, .cause = cause };

	fsm_step(&l2tp_cc_fsm, &cc->state, ev, &s);
}

void l2tp_settle(struct cc *cc, ms_t now)
{
	struct l2tp_cause cause;
	uint8_t words[256];
	size_t len;

	if (cc->rel.lost && cc->state != CC_IDLE) {
		cause = l2tp_cause(L2TP_STOP_ERROR, L2TP_E_RESOURCES, "out of memory or queue", NULL);
		for (unsigned i = 0; (len = cc_last_words(cc, &cause, i, words, sizeof(words))); i++)
			fx_push(&cc->out, L2TP_FX_TX, words, len);
		step(cc, now, CC_EV_GIVE_UP, NULL, &cause);
	} else if (cc->ending == CC_STOP_SENT && (cc->rel.lost || !cc->rel.tx)) {
		cc->rel.ack_at = now;
		rel_flush(&cc->rel, now, cc->peer_tunnel_id, &cc->out);
		ended(cc);
	}
}

/* Judging what was received; nothing is changed here. */

/* What every SCCRP and SCCCN must satisfy; result 0 when it does. */
static struct l2tp_cause judge_content(const struct cc *cc, const struct l2tp_msg *m)
{
	if (cc->conf->strict && m->unknown_m)
		return l2tp_cause(L2TP_STOP_ERROR, L2TP_E_UNKNOWN_AVP, "unknown AVP", l2tp_bad_avp(m));
	if (cc->conf->strict && (m->error || m->missing))
		return l2tp_cause(L2TP_STOP_ERROR, m->error ? m->error : L2TP_E_VALUE, "bad AVP",
				  l2tp_bad_avp(m));
	if (cc->challenge_len) {
		uint8_t want[L2TP_RESPONSE_LEN];

		l2tp_response(want, (enum l2tp_msg_type)m->type, cc->conf->secret,
			      (struct span){ cc->challenge, cc->challenge_len });
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
	cc->peer_framing_caps = m->framing_caps;
	cc->peer_bearer_caps = m->bearer_caps;
	cc->peer_firmware = m->firmware;
	l2tp_clean(cc->peer_host_name, sizeof(cc->peer_host_name), m->host_name);
	l2tp_clean(cc->peer_vendor_name, sizeof(cc->peer_vendor_name), m->vendor_name);
	if (l2tp_has(m, L2TP_AVP_RWS))
		rel_peer_window(&cc->rel, m->rws);
}

static void complain(struct cc *cc, const struct l2tp_msg *m)
{
	if (m->unknown_m)
		l2tp_note(cc, m, "unknown AVP with the M bit set:", l2tp_bad_avp(m));
	else if (m->error || m->missing)
		l2tp_note(cc, m, m->error ? "bad AVP" : "lacks AVP", l2tp_bad_avp(m));
	else if (m->unread)
		l2tp_note(cc, m, "hidden AVP that cannot be read", NULL);
}

static void rx_unknown(struct cc *cc, ms_t now, const struct l2tp_msg *m)
{
	struct l2tp_cause cause;

	l2tp_note(cc, m, "unknown Message Type", NULL);
	if (!cc->conf->strict || !m->type_m)
		return;
	cause = l2tp_cause(L2TP_STOP_ERROR, L2TP_E_UNKNOWN_AVP, "unknown Message Type", NULL);
	step(cc, now, CC_EV_CLOSE, m, &cause);		/* 4.4.1 */
}

/* A numbered message whose turn it is. */
static void rx(struct cc *cc, ms_t now, const struct l2tp_msg *m)
{
	struct l2tp_cause cause = l2tp_cause(L2TP_STOP_FSM, 0, "unexpected", l2tp_msg_name(m->type));

	if (cc->state == CC_IDLE)
		return;					/* it is acknowledged, and that is all */
	complain(cc, m);
	switch ((enum l2tp_msg_type)m->type) {
	case L2TP_SCCRQ:
		step(cc, now, CC_EV_SCCRQ, m, &cause);
		break;
	case L2TP_SCCRP:
		if (cc->state == CC_WAIT_CTL_REPLY)
			cause = judge_sccrp(cc, m);
		absorb(cc, m);
		step(cc, now, cause.result ? CC_EV_SCCRP_BAD : CC_EV_SCCRP, m, &cause);
		break;
	case L2TP_SCCCN:
		if (cc->state == CC_WAIT_CTL_CONN)
			cause = judge_content(cc, m);
		step(cc, now, cause.result ? CC_EV_SCCCN_BAD : CC_EV_SCCCN, m, &cause);
		break;
	case L2TP_STOPCCN:
		cause = l2tp_cause_of(m);
		cc->ending = CC_STOP_RCVD;
		step(cc, now, CC_EV_STOPCCN, m, &cause);
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
			l2tp_call_rx(cc, now, m);
		else
			l2tp_note(cc, m, "before the control connection is established", NULL);
		break;
	case L2TP_ZLB:
	case L2TP_MSG_5:
	case L2TP_MSG_13:
	case L2TP_N_MSGS:
	default:				/* any number may come */
		rx_unknown(cc, now, m);
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

/* What may end the tunnel or a call is only believed in its turn, and before that nothing in it is: who forges it would need
 * no Ns that is right, just one that will be.  A real one that overtook another message comes again. */
static bool ends_early(const struct cc *cc, const struct l2tp_msg *m)
{
	static const uint32_t harmless = 1u << L2TP_HELLO | 1u << L2TP_OCRQ | 1u << L2TP_OCRP | 1u << L2TP_OCCN | 1u << L2TP_ICRQ |
					 1u << L2TP_ICRP | 1u << L2TP_ICCN | 1u << L2TP_WEN | 1u << L2TP_SLI;

	if ((int16_t)(m->ns - cc->rel.nr) <= 0)
		return false;
	return m->type >= L2TP_N_MSGS || !(harmless >> m->type & 1) || m->error || m->missing || m->unknown_m;
}

/* A request makes us say something.  From who has much to acknowledge it is as if it had not come: it comes again. */
static bool must_wait(const struct cc *cc, const struct l2tp_msg *m)
{
	return (m->type == L2TP_ICRQ || m->type == L2TP_OCRQ) && m->ns == cc->rel.nr && rel_full(&cc->rel, cc->n_calls);
}

void cc_input(struct cc *cc, ms_t now, const void *buf, size_t len)
{
	uint8_t scratch[L2TP_SCRATCH];
	struct l2tp_msg m;
	enum rel_rx kind;

	if (cc->ending == CC_ENDED || (cc->state == CC_IDLE && cc->ending == CC_LIVE))
		return;
	if (!l2tp_decode(&m, buf, len, cc->conf->secret, scratch)) {
		l2tp_note(cc, NULL, "malformed control message", NULL);
		return;
	}
	if (!for_us(cc, &m)) {
		l2tp_note(cc, &m, "Tunnel ID of another", NULL);
		return;
	}
	if (m.type == L2TP_ZLB || must_wait(cc, &m)) {
		rel_ack(&cc->rel, now, m.nr, &cc->out);
		heard(cc, now);
	} else if (ends_early(cc, &m)) {
		if ((uint16_t)(m.ns - cc->rel.nr) >= cc->rel.rws)
			l2tp_note(cc, &m, "Ns is outside of the window", NULL);
	} else {
		kind = rel_rx(&cc->rel, now, m.ns, m.nr, buf, len, &cc->out);
		if (kind == REL_IGNORE)
			l2tp_note(cc, &m, "Ns or Nr is outside of the window", NULL);
		else
			heard(cc, now);
		if (kind == REL_NEW)
			rx(cc, now, &m);
		for (struct rel_msg *e; kind == REL_NEW && (e = rel_next(&cc->rel, now)); rel_free(e))
			if (l2tp_decode(&m, e->data, e->len, cc->conf->secret, scratch))
				rx(cc, now, &m);
	}
	l2tp_settle(cc, now);
}

/* Orders. */

void cc_init(struct cc *cc, const struct env *env, const struct cc_conf *conf, uint16_t tunnel_id)
{
	uint32_t rws = or_default(conf->rws, 16);

	*cc = (struct cc){ .env = env, .conf = conf, .tunnel_id = tunnel_id, .setup_by = NEVER,
			   .hello_at = NEVER, .gone_at = NEVER, .salt = env_u32(env) | 1 };
	rel_init(&cc->rel, (uint16_t)(rws < REL_RWS_MAX ? rws : REL_RWS_MAX),
		 or_default(conf->max_retries, 5), or_default(conf->rto_ms, 1000),
		 or_default(conf->rto_cap_ms, 8000));
}

void cc_done(struct cc *cc)
{
	fxq_done(&cc->out);
	rel_done(&cc->rel);
	free(cc->bucket);
	free(cc->pending);
	cc->pending = NULL;
	cc->n_pending = 0;
	wipe(cc->challenge, sizeof(cc->challenge));
	cc->bucket = NULL;
	cc->bucket_bits = cc->n_calls = 0;
	cc->setup = cc->setup_tail = cc->calls = cc->bucket0[0] = cc->bucket0[1] = NULL;
	cc->state = CC_IDLE;
	cc->ending = CC_ENDED;
}

int cc_open(struct cc *cc, ms_t now)
{
	if (cc->state != CC_IDLE || cc->ending != CC_LIVE)
		return -EALREADY;
	cc->opener = true;
	cc->setup_by = now + or_default(cc->conf->setup_ms, 60000);
	step(cc, now, CC_EV_OPEN, NULL, NULL);
	l2tp_settle(cc, now);
	return 0;
}

void cc_accept(struct cc *cc, ms_t now, const struct ho_entry *e)
{
	if (cc->state != CC_IDLE || cc->ending != CC_LIVE)
		return;
	cc->peer_tunnel_id = (uint16_t)e->peer_tunnel_id;
	cc->peer_framing_caps = e->framing_caps;
	cc->peer_bearer_caps = e->bearer_caps;
	cc->peer_firmware = e->firmware;
	memcpy(cc->peer_host_name, e->host_name, sizeof(cc->peer_host_name));
	memcpy(cc->peer_vendor_name, e->vendor_name, sizeof(cc->peer_vendor_name));
	rel_peer_window(&cc->rel, e->peer_rws);
	if (e->challenged) {
		cc->challenge_len = e->challenge_len;
		memcpy(cc->challenge, e->challenge, sizeof(cc->challenge));
	}
	cc->rel.ns = cc->rel.nxt = cc->rel.una = 1;	/* SCCRP was 0, and SCCCN acknowledges it */
	cc->rel.nr = 1;					/* SCCRQ was 0 */
	cc->setup_by = now + or_default(cc->conf->setup_ms, 60000);
	step(cc, now, CC_EV_SCCRQ, NULL, NULL);
}

void cc_close(struct cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct l2tp_cause why = cause ? *cause : (struct l2tp_cause){ 0 };

	if (!why.result)
		why.result = L2TP_STOP_SHUTDOWN;
	why.by_peer = false;
	step(cc, now, CC_EV_CLOSE, NULL, &why);
	l2tp_settle(cc, now);
}

enum { MAX_LAST_WORDS = 8 };

/* From the oldest that is not acknowledged to the next that would have been: at a peer that has them, all but the last are
 * duplicates (5.8). */
size_t cc_last_words(const struct cc *cc, const struct l2tp_cause *cause, unsigned i, void *buf, size_t size)
{
	struct l2tp_msg m = {
		.type = L2TP_STOPCCN, .tunnel_id = cc->peer_tunnel_id, .ns = (uint16_t)(cc->rel.una + i), .nr = cc->rel.nr,
		.assigned_tunnel_id = cc->tunnel_id, .result = { cause->result, cause->error, text(cause->msg) },
		.present = L2TP_BIT(L2TP_AVP_RESULT_CODE) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID),
	};

	if (!cc->peer_tunnel_id || i > MAX_LAST_WORDS || i > (uint16_t)(cc->rel.ns - cc->rel.una))
		return 0;
	return l2tp_encode(&m, buf, size, cc->conf->secret);
}

void cc_abandon(struct cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct l2tp_cause why = cause ? *cause : (struct l2tp_cause){ .result = L2TP_STOP_EXISTS };

	step(cc, now, cc->state == CC_WAIT_CTL_REPLY ? CC_EV_TIE_LOST : CC_EV_GIVE_UP, NULL, &why);
	l2tp_settle(cc, now);
}

enum cc_tie cc_tie(const struct cc *ours, const struct l2tp_msg *sccrq)
{
	bool theirs = l2tp_has(sccrq, L2TP_AVP_TIE_BREAKER);
	int cmp;

	if (ours->state != CC_WAIT_CTL_REPLY || (!ours->tie_sent && !theirs))
		return CC_TIE_NONE;
	if (!theirs)
		return CC_TIE_OURS;
	if (!ours->tie_sent)
		return CC_TIE_THEIRS;
	cmp = memcmp(ours->tie_breaker, sccrq->tie_breaker, L2TP_TIE_LEN);	/* the lower value wins */
	return cmp < 0 ? CC_TIE_OURS : cmp > 0 ? CC_TIE_THEIRS : CC_TIE_BOTH_DROP;
}

void cc_alive(struct cc *cc, ms_t now)
{
	if (cc->state != CC_ESTABLISHED)
		return;
	heard(cc, now);
	cc->rel.alive = cc->rel.retries > 0;
}

void cc_probe(struct cc *cc, ms_t now)
{
	if (cc->state == CC_ESTABLISHED)
		cc->hello_at = now;
}

void cc_flush(struct cc *cc, ms_t now)
{
	rel_flush(&cc->rel, now, cc->peer_tunnel_id, &cc->out);
}

/* Time. */

/* When to ask whether the peer is still there; something unacknowledged asks already. */
static ms_t hello_due(const struct cc *cc)
{
	return cc->state == CC_ESTABLISHED && !cc->rel.tx ? cc->hello_at : NEVER;
}

void cc_tick(struct cc *cc, ms_t now)
{
	struct l2tp_cause cause;

	if (!rel_tick(&cc->rel, now, &cc->out)) {
		if (cc->ending == CC_STOP_SENT) {
			ended(cc);
		} else {
			cause = l2tp_cause(L2TP_STOP_CLEAR, 0, "the peer does not answer", NULL);
			cause.timeout = true;
			step(cc, now, CC_EV_GIVE_UP, NULL, &cause);
		}
	}
	if (now >= cc->setup_by) {
		cause = l2tp_cause(L2TP_STOP_CLEAR, 0, "set-up took too long", NULL);
		cause.timeout = true;
		step(cc, now, CC_EV_CLOSE, NULL, &cause);
	}
	while (cc->setup && now >= cc->setup->setup_by)
		l2tp_call_overdue(cc, now);
	if (now >= hello_due(cc)) {
		l2tp_send(cc, now, &(struct l2tp_msg){ .type = L2TP_HELLO }, false);
		heard(cc, now);
	}
	if (now >= cc->gone_at)
		ended(cc);
	cc_flush(cc, now);
	l2tp_settle(cc, now);
}

ms_t cc_deadline(const struct cc *cc)
{
	ms_t at = ms_min(rel_deadline(&cc->rel), ms_min(cc->setup_by, cc->gone_at));

	if (cc->rel.lost && cc->ending != CC_ENDED)
		return 0;
	if (cc->setup)
		at = ms_min(at, cc->setup->setup_by);
	return ms_min(at, hello_due(cc));
}
