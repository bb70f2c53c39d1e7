/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cc.h"

#include <errno.h>
#include <string.h>

#include "base/names.h"
#include "l2tp/cc_step.h"
#include "l2tp/halfopen.h"

enum { QUEUE_MIN = 4096 };			/* messages that may wait, plus four for each call */

static void note(struct cc *cc, int type, const char *text, const char *avp_name)
{
	char buf[128];
	size_t n = l2tp_line(buf, sizeof(buf), type < 0 ? NULL : l2tp_msg_name((unsigned)type), text, avp_name);

	fx_push(&cc->out, L2TP_FX_NOTE, buf, n + 1);
}

void l2tp_note(struct cc *cc, int type, const char *text)
{
	note(cc, type, text, NULL);
}

static const char *odd_avp(const struct avp_odd *odd)
{
	if (odd->unknown_m)
		return odd->unknown_vendor ? "of a vendor" : l2tp_avp_name(odd->unknown_avp);
	return odd->error || odd->missing_avp ? l2tp_avp_name(odd->error ? odd->error_avp : odd->missing_avp) : NULL;
}

void l2tp_note_odd(struct cc *cc, unsigned type, const struct avp_odd *odd, bool unread)
{
	if (odd->unknown_m)
		note(cc, (int)type, "unknown AVP with the M bit set:", odd_avp(odd));
	else if (odd->error || odd->missing_avp)
		note(cc, (int)type, odd->error ? "bad AVP" : "lacks AVP", odd_avp(odd));
	else if (unread)
		note(cc, (int)type, "hidden AVP that cannot be read", NULL);
}

struct l2tp_cause l2tp_judge(const struct cc *cc, const struct avp_odd *odd)
{
	if (cc->conf->strict && odd->unknown_m)
		return l2tp_cause(L2TP_STOP_ERROR, L2TP_E_UNKNOWN_AVP, "unknown AVP", odd_avp(odd));
	if (cc->conf->strict && (odd->error || odd->missing_avp))
		return l2tp_cause(L2TP_STOP_ERROR, odd->error ? odd->error : L2TP_E_VALUE, "bad AVP", odd_avp(odd));
	return (struct l2tp_cause){ 0 };
}

void l2tp_tx(struct cc *cc, ms_t now, const void *buf, size_t len, bool last)
{
	if (!len)
		cc->rel.lost = true;
	else
		rel_tx(&cc->rel, now, buf, len, last, QUEUE_MIN + 4 * cc->n_calls, &cc->out);
	if (last)
		cc->ending = CC_STOP_SENT;
}

const char *const l2tp_cc_state[] = { "idle", "wait-ctl-reply", "wait-ctl-conn", "established" };
const char *const l2tp_cc_event[] = {
	"local open request", "SCCRQ", "lost tie-breaker", "SCCRP", "unacceptable SCCRP", "SCCCN",
	"unacceptable SCCCN", "local close request", "StopCCN", "no answer",
};

/* What the version does in its own way. */
static void act(struct cc *cc, ms_t now, unsigned action, const struct l2tp_cause *cause)
{
	struct l2tp_step s = { .cc = cc, .now = now, .cause = cause };

	cc->rules->cc->act(&s, action);
}

/* The machine. */

static void ended(struct cc *cc)
{
	cc->ending = CC_ENDED;
	cc->gone_at = NEVER;
	rel_done(&cc->rel);
	cc->rel.ack_due = false;
	fx_push(&cc->out, L2TP_FX_CC_GONE, NULL, 0);
}

/* "Clean up".  What is still to be acknowledged outlives it. */
void l2tp_cc_down(struct cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	l2tp_call_all_down(cc, now, cause);
	fx_push(&cc->out, L2TP_FX_CC_DOWN, cause, sizeof(*cause));
	cc->setup_by = NEVER;
	if (cc->ending == CC_STOP_RCVD) {
		rel_done(&cc->rel);
		cc->gone_at = now + L2TP_LINGER_MS;
	} else if (cc->ending != CC_STOP_SENT) {
		ended(cc);
	}
}

void l2tp_heard(struct cc *cc, ms_t now)
{
	uint32_t ms = or_default(cc->conf->hello_ms, 60000);

	cc->hello_at = ms == UINT32_MAX ? NEVER : now + ms - cc->jitter_ms;
}

void l2tp_cc_up(struct cc *cc, ms_t now)
{
	cc->setup_by = NEVER;
	l2tp_heard(cc, now);
	fx_push(&cc->out, L2TP_FX_CC_UP, NULL, 0);
}

void l2tp_trace(void *obj, const struct fsm *f, unsigned was, unsigned ev, unsigned is)
{
	struct l2tp_step *s = obj;
	struct l2tp_fx_state st = { s->call ? s->call->session_id : 0, f->name, f->state[was], f->event[ev], f->state[is] };

	fx_push(&s->cc->out, L2TP_FX_STATE, &st, sizeof(st));
}

void l2tp_cc_step(struct cc *cc, ms_t now, enum cc_event ev, const void *m, const struct l2tp_cause *cause)
{
	struct l2tp_step s = { .cc = cc, .now = now, .m = m, .cause = cause };

	fsm_step(cc->rules->cc, &cc->state, ev, &s);
}

void l2tp_settle(struct cc *cc, ms_t now)
{
	struct l2tp_cause cause;

	if (cc->rel.lost && cc->state != CC_IDLE) {
		cause = l2tp_cause(L2TP_STOP_ERROR, L2TP_E_RESOURCES, "out of memory or queue", NULL);
		act(cc, now, CC_TX_LAST_WORDS, &cause);
		l2tp_cc_step(cc, now, CC_EV_GIVE_UP, NULL, &cause);
	} else if (cc->ending == CC_STOP_SENT && (cc->rel.lost || !cc->rel.tx)) {
		cc->rel.ack_at = now;
		cc_flush(cc, now);
		ended(cc);
	}
}

/* Receiving. */

/* What may end the tunnel or a call is only believed in its turn and never kept until then, and before that nothing in it is:
 * who forges it would need no Ns that is right, just one that will be.  A real one that overtook another message comes again. */
static bool harmless(unsigned type)
{
	static const uint32_t types = 1u << L2TP_HELLO | 1u << L2TP_OCRQ | 1u << L2TP_OCRP | 1u << L2TP_OCCN | 1u << L2TP_ICRQ |
				      1u << L2TP_ICRP | 1u << L2TP_ICCN | 1u << L2TP_WEN | 1u << L2TP_SLI;

	return type < L2TP_N_MSGS && types >> type & 1;
}

bool l2tp_rx(struct cc *cc, ms_t now, unsigned type, const struct avp_odd *odd, uint16_t ns, uint16_t nr, const void *buf,
	     size_t len)
{
	enum rel_rx kind;

	if ((int16_t)(ns - cc->rel.nr) > 0 && (avp_any_odd(odd) || !harmless(type))) {
		if ((uint16_t)(ns - cc->rel.nr) >= cc->rel.rws)
			l2tp_note(cc, (int)type, "Ns is outside of the window");
		return false;
	}
	kind = rel_rx(&cc->rel, now, ns, nr, buf, len, &cc->out);
	if (kind == REL_IGNORE)
		l2tp_note(cc, (int)type, "Ns or Nr is outside of the window");
	else
		l2tp_heard(cc, now);
	return kind == REL_NEW;
}

void l2tp_rx_ack(struct cc *cc, ms_t now, uint16_t nr)
{
	rel_ack(&cc->rel, now, nr, &cc->out);
	l2tp_heard(cc, now);
}

void l2tp_rx_unknown(struct cc *cc, ms_t now, unsigned type, bool m)
{
	struct l2tp_cause cause = l2tp_cause(L2TP_STOP_ERROR, L2TP_E_UNKNOWN_AVP, "unknown Message Type", NULL);

	l2tp_note(cc, (int)type, "unknown Message Type");
	if (cc->conf->strict && m)
		l2tp_cc_step(cc, now, CC_EV_CLOSE, NULL, &cause);	/* RFC 2661 4.4.1, RFC 3931 5.4.1 */
}

/* Orders. */

void l2tp_cc_init(struct cc *cc, const struct env *env, const struct cc_conf *conf, const struct l2tp_rules *rules,
		  uint32_t tunnel_id)
{
	uint32_t rws = or_default(conf->rws, 16);

	memset(cc, 0, sizeof(*cc));
	cc->env = env;
	cc->conf = conf;
	cc->rules = rules;
	cc->tunnel_id = tunnel_id;
	cc->setup_by = cc->hello_at = cc->gone_at = NEVER;
	cc->salt = env_u32(env);
	rel_init(&cc->rel, (uint16_t)(rws < REL_RWS_MAX ? rws : REL_RWS_MAX), or_default(conf->max_retries, rules->max_retries),
		 or_default(conf->rto_ms, 1000), or_default(conf->rto_cap_ms, 8000));
}

void l2tp_cc_done(struct cc *cc)
{
	fxq_done(&cc->out);
	rel_done(&cc->rel);
	l2tp_calls_done(cc);
	cc->state = CC_IDLE;
	cc->ending = CC_ENDED;
}

int cc_open(struct cc *cc, ms_t now)
{
	if (cc->state != CC_IDLE || cc->ending != CC_LIVE)
		return -EALREADY;
	cc->opener = true;
	cc->setup_by = now + or_default(cc->conf->setup_ms, 60000);
	l2tp_cc_step(cc, now, CC_EV_OPEN, NULL, NULL);
	l2tp_settle(cc, now);
	return 0;
}

bool l2tp_cc_accept(struct cc *cc, ms_t now, const struct ho_entry *e)
{
	if (cc->state != CC_IDLE || cc->ending != CC_LIVE)
		return false;
	cc->peer_tunnel_id = e->peer_tunnel_id;
	memcpy(cc->peer_host_name, e->host_name, sizeof(cc->peer_host_name));
	memcpy(cc->peer_vendor_name, e->vendor_name, sizeof(cc->peer_vendor_name));
	rel_peer_window(&cc->rel, e->peer_rws);
	cc->rel.ns = cc->rel.nxt = cc->rel.una = 1;	/* SCCRP was 0, and SCCCN acknowledges it */
	cc->rel.nr = 1;					/* SCCRQ was 0 */
	cc->setup_by = now + or_default(cc->conf->setup_ms, 60000);
	l2tp_cc_step(cc, now, CC_EV_SCCRQ, NULL, NULL);
	return true;
}

void cc_close(struct cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct l2tp_cause why = cause ? *cause : (struct l2tp_cause){ 0 };

	if (!why.result)
		why.result = L2TP_STOP_SHUTDOWN;
	why.by_peer = false;
	l2tp_cc_step(cc, now, CC_EV_CLOSE, NULL, &why);
	l2tp_settle(cc, now);
}

void cc_abandon(struct cc *cc, ms_t now, const struct l2tp_cause *cause)
{
	struct l2tp_cause why = cause ? *cause : (struct l2tp_cause){ .result = L2TP_STOP_EXISTS };

	l2tp_cc_step(cc, now, cc->state == CC_WAIT_CTL_REPLY ? CC_EV_TIE_LOST : CC_EV_GIVE_UP, NULL, &why);
	l2tp_settle(cc, now);
}

enum cc_tie cc_tie(const struct cc *ours, const uint8_t *theirs)
{
	int cmp;

	if (ours->state != CC_WAIT_CTL_REPLY || (!ours->tie_sent && !theirs))
		return CC_TIE_NONE;
	if (!theirs)
		return CC_TIE_OURS;
	if (!ours->tie_sent)
		return CC_TIE_THEIRS;
	cmp = memcmp(ours->tie_breaker, theirs, L2TP_TIE_LEN);	/* the lower value wins */
	return cmp < 0 ? CC_TIE_OURS : cmp > 0 ? CC_TIE_THEIRS : CC_TIE_BOTH_DROP;
}

void cc_alive(struct cc *cc, ms_t now)
{
	if (cc->state != CC_ESTABLISHED)
		return;
	l2tp_heard(cc, now);
	cc->rel.alive = cc->rel.retries > 0;
}

void cc_probe(struct cc *cc, ms_t now)
{
	if (cc->state == CC_ESTABLISHED)
		cc->hello_at = now;
}

void cc_flush(struct cc *cc, ms_t now)
{
	if (rel_acknowledge(&cc->rel, now))
		act(cc, now, CC_TX_ACK, NULL);
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
			l2tp_cc_step(cc, now, CC_EV_GIVE_UP, NULL, &cause);
		}
	}
	if (now >= cc->setup_by) {
		cause = l2tp_cause(cc->rules->stop_overdue, 0, "set-up took too long", NULL);
		cause.timeout = true;
		l2tp_cc_step(cc, now, CC_EV_CLOSE, NULL, &cause);
	}
	while (cc->setup && now >= cc->setup->setup_by)
		l2tp_call_overdue(cc, now);
	if (now >= hello_due(cc)) {
		act(cc, now, CC_TX_HELLO, NULL);
		l2tp_heard(cc, now);
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
