/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ppp/cp.h"

#include "base/fsm.h"
#include "ppp/internal.h"

/* Actions (RFC 1661 4.4), in the order they run when a cell names several. */
enum { tld = 1, irc = 2, zrc = 4, scr = 8, sca = 16, scn = 32, str = 64,
       sta = 128, scj = 256, ser = 512, tls = 1024, tlf = 2048, tlu = 4096 };

enum { CP_BAD_MAX = 20 };	/* refusals, ours or the peer's, after which options are not going to be agreed */
enum { CP_REACK_MAX = 6 };
/* Who negotiates anew again and again keeps the kernel and the owner's programs busy: so often, each time after less than that. */
enum { CP_FLAPS_MAX = 20, CP_FLAP_MS = 3000 };

#define A(acts, next) { acts, next, true }
#define _             { 0, 0, false }	/* '-': cannot happen in this state */

/* RFC 1661 section 4.1, cell for cell.  A(irc|scr, 6) is the RFC's "irc,scr/6". */
static const struct fsm_cell table[CP_N_EVENTS][CP_N_STATES] = {
/* 0 Initial, 1 Starting, 2 Closed, 3 Stopped, 4 Closing, 5 Stopping, 6 Req-Sent, 7 Ack-Rcvd, 8 Ack-Sent, 9 Opened */
[CP_UP]        = { A(0, 2),   A(irc|scr, 6), _,             _,                   _,         _,         _,             _,             _,             _                   },
[CP_DOWN]      = { _,         _,             A(0, 0),       A(tls, 1),           A(0, 0),   A(0, 1),   A(0, 1),       A(0, 1),       A(0, 1),       A(tld, 1)           },
[CP_OPEN]      = { A(tls, 1), A(0, 1),       A(irc|scr, 6), A(0, 3),             A(0, 5),   A(0, 5),   A(0, 6),       A(0, 7),       A(0, 8),       A(0, 9)             },
[CP_CLOSE]     = { A(0, 0),   A(tlf, 0),     A(0, 2),       A(0, 2),             A(0, 4),   A(0, 4),   A(irc|str, 4), A(irc|str, 4), A(irc|str, 4), A(tld|irc|str, 4)   },
[CP_TO_PLUS]   = { _,         _,             _,             _,                   A(str, 4), A(str, 5), A(scr, 6),     A(scr, 6),     A(scr, 8),     _                   },
[CP_TO_MINUS]  = { _,         _,             _,             _,                   A(tlf, 2), A(tlf, 3), A(tlf, 3),     A(tlf, 3),     A(tlf, 3),     _                   },
[CP_RCR_PLUS]  = { _,         _,             A(sta, 2),     A(irc|scr|sca, 8),   A(0, 4),   A(0, 5),   A(sca, 8),     A(sca|tlu, 9), A(sca, 8),     A(tld|scr|sca, 8)   },
[CP_RCR_MINUS] = { _,         _,             A(sta, 2),     A(irc|scr|scn, 6),   A(0, 4),   A(0, 5),   A(scn, 6),     A(scn, 7),     A(scn, 6),     A(tld|scr|scn, 6)   },
[CP_RCA]       = { _,         _,             A(sta, 2),     A(sta, 3),           A(0, 4),   A(0, 5),   A(irc, 7),     A(scr, 6),     A(irc|tlu, 9), A(tld|scr, 6)       },
[CP_RCN]       = { _,         _,             A(sta, 2),     A(sta, 3),           A(0, 4),   A(0, 5),   A(irc|scr, 6), A(scr, 6),     A(irc|scr, 8), A(tld|scr, 6)       },
[CP_RTR]       = { _,         _,             A(sta, 2),     A(sta, 3),           A(sta, 4), A(sta, 5), A(sta, 6),     A(sta, 6),     A(sta, 6),     A(tld|zrc|sta, 5)   },
[CP_RTA]       = { _,         _,             A(0, 2),       A(0, 3),             A(tlf, 2), A(tlf, 3), A(0, 6),       A(0, 6),       A(0, 8),       A(tld|scr, 6)       },
[CP_RUC]       = { _,         _,             A(scj, 2),     A(scj, 3),           A(scj, 4), A(scj, 5), A(scj, 6),     A(scj, 7),     A(scj, 8),     A(scj, 9)           },
[CP_RXJ_PLUS]  = { _,         _,             A(0, 2),       A(0, 3),             A(0, 4),   A(0, 5),   A(0, 6),       A(0, 6),       A(0, 8),       A(0, 9)             },
[CP_RXJ_MINUS] = { _,         _,             A(tlf, 2),     A(tlf, 3),           A(tlf, 2), A(tlf, 3), A(tlf, 3),     A(tlf, 3),     A(tlf, 3),     A(tld|irc|str, 5)   },
[CP_RXR]       = { _,         _,             A(0, 2),       A(0, 3),             A(0, 4),   A(0, 5),   A(0, 6),       A(0, 7),       A(0, 8),       A(ser, 9)           },
};

static const char *const state_name[] = { "Initial", "Starting", "Closed", "Stopped", "Closing", "Stopping",
	"Req-Sent", "Ack-Rcvd", "Ack-Sent", "Opened" };
static const char *const event_name[] = { "Up", "Down", "Open", "Close", "TO+", "TO-", "RCR+", "RCR-", "RCA", "RCN",
	"RTR", "RTA", "RUC", "RXJ+", "RXJ-", "RXR" };

/* One step: who it is for, and the packet that caused it. */
struct run {
	struct ppp *p;
	struct cp *cp;
	const struct cp_proto *proto;
	enum cp_which which;
	const struct opt_judgement *j;	/* RCR-: what scn sends; NULL: nothing yet */
	bool fresh;			/* scr opens a new negotiation */
	uint8_t code, id;
	struct span data;
};

const struct cp_proto *cp_proto(enum cp_which which)
{
	static const struct cp_proto *const proto[CP_N] = { &lcp_proto, &ipcp_proto, &ipv6cp_proto };

	return proto[which];
}

const char *cp_state_name(unsigned state)
{
	return state < CP_N_STATES ? state_name[state] : "?";
}

void cp_init(struct cp *cp)
{
	*cp = (struct cp){ .deadline = NEVER, .answered = true };
}

static void start_timer(struct run *r)
{
	if (r->cp->restart_count)
		r->cp->restart_count--;
	r->cp->deadline = r->p->now + conf_restart_ms(r->p);
}

static void send_conf_req(struct run *r)
{
	uint8_t buf[CP_REQ_MAX];
	size_t n;

	if (r->fresh) {
		r->fresh = false;
		r->cp->naks = r->cp->bad = r->cp->renaks = r->cp->reacks = 0;
		r->cp->refused = r->cp->held = r->cp->gate = false;
		r->cp->stale = r->cp->asked;
		r->cp->answered = true;
		r->proto->reset(r->p);
	}
	if (r->cp->answered) {		/* 5.1: a retransmission may keep its identifier, anything else must not */
		r->cp->id++;
		r->cp->answered = false;
	}
	start_timer(r);
	n = opt_propose(r->p, r->cp, r->proto, buf, sizeof(buf));
	ppp_tx(r->p, r->proto->proto, CONF_REQ, r->cp->id, buf, n);
}

static void send_conf_ack(struct run *r)
{
	struct span req = { r->cp->req, r->cp->req_len };

	r->cp->naks = 0;
	r->cp->refused = false;
	opt_absorb(r->p, r->proto, req);
	ppp_tx(r->p, r->proto->proto, CONF_ACK, r->cp->req_id, req.p, req.n);
}

static void send_code_rej(struct run *r)
{
	uint8_t buf[512];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!ppp_rate(&r->p->reject_rate, r->p->now, 10))
		return;
	wr_u8(&w, r->code);
	wr_u8(&w, r->id);
	wr_u16(&w, r->data.n + 4);
	wr_bytes(&w, r->data.p, r->data.n < 256 ? r->data.n : 256);
	ppp_tx(r->p, r->proto->proto, CODE_REJ, ++r->p->reject_id, buf, wr_len(&w));
}

static void act(void *obj, unsigned action)
{
	struct run *r = obj;
	struct cp *cp = r->cp;
	bool ending = cp->state == CP_CLOSING || cp->state == CP_STOPPING;

	switch (action) {
	case tld:
		cp->flaps = r->p->now - cp->opened < CP_FLAP_MS ? cp->flaps + 1 : 0;
		r->proto->down(r->p);
		break;
	case irc:
		cp->restart_count = ending ? conf_max_terminate(r->p) : conf_max_configure(r->p);
		break;
	case zrc:
		cp->restart_count = 0;
		cp->deadline = r->p->now + conf_restart_ms(r->p);
		break;
	case scr:
		send_conf_req(r);
		break;
	case sca:
		send_conf_ack(r);
		break;
	case scn:
		if (r->j)
			ppp_tx(r->p, r->proto->proto, r->j->verdict == OPT_NAK ? CONF_NAK : CONF_REJ, cp->rx_id,
			       r->j->answer, r->j->n);
		break;
	case str:
		start_timer(r);
		ppp_tx(r->p, r->proto->proto, TERM_REQ, ++cp->id, r->p->end_msg,
		       r->which == CP_LCP ? strlen(r->p->end_msg) : 0);
		break;
	case sta:
		ppp_tx(r->p, r->proto->proto, TERM_ACK, cp->rx_id, NULL, 0);
		break;
	case scj:
		send_code_rej(r);
		break;
	case ser:
		if (r->code == ECHO_REQ)
			lcp_echo_reply(r->p, r->id, r->data);
		break;
	case tlf:
		r->proto->finished(r->p);
		break;
	case tlu:
		cp->bad = cp->renaks = cp->reacks = 0;
		cp->opened = r->p->now;
		r->proto->up(r->p);
		if (cp->flaps >= CP_FLAPS_MAX)
			ppp_fail(r->p, PPP_END_NO_AGREEMENT, (struct span){ NULL, 0 });
		break;
	case tls:		/* the lower layer is always there while PPP_FX_DOWN has not been said */
		break;
	}
}

static void trace(void *obj, const struct fsm *f, unsigned was, unsigned ev, unsigned is)
{
	const struct run *r = obj;
	struct ppp_fx_state st = { r->proto->proto, f->state[was], f->event[ev], f->state[is] };

	if (was != is)
		fx_push(&r->p->out, PPP_FX_STATE, &st, sizeof(st));
}

static const struct fsm cp_fsm = {
	.name = "cp", .state = state_name, .event = event_name, .cell = &table[0][0], .n_states = CP_N_STATES,
	.act = act, .trace = trace,
};

static struct run run(struct ppp *p, enum cp_which which)
{
	return (struct run){ .p = p, .cp = &p->cp[which], .proto = cp_proto(which), .which = which };
}

static void step(struct run *r, enum cp_event ev)
{
	uint8_t was = r->cp->state;

	/* A request from one of these states opens a negotiation of its own. */
	if (was == CP_STARTING || was == CP_CLOSED || was == CP_STOPPED || was == CP_OPENED)
		r->fresh = true;
	fsm_step(&cp_fsm, &r->cp->state, ev, r);
	if (!table[CP_TO_PLUS][r->cp->state].ok)
		r->cp->deadline = NEVER;	/* 4.1: no TO event here, so no Restart timer */
	if (r->cp->state < CP_REQ_SENT)
		r->cp->held = r->cp->gate = false;
}

void cp_event(struct ppp *p, enum cp_which which, enum cp_event ev)
{
	struct run r = run(p, which);

	step(&r, ev);
}

/* Tells the owner what the held request would agree on, once: its own address is known to a taker
 * only when the peer has Acked it. */
static void ready(struct run *r)
{
	struct cp *cp = r->cp;
	struct ppp_fx_ncp fx = { .proto = r->proto->proto, .addrs = r->p->addrs };

	if (!cp->held || cp->asked || (r->p->conf->take && cp->state != CP_ACK_RCVD))
		return;
	cp->asked = true;
	cp->stale = false;
	fx_push(&r->p->out, PPP_FX_NCP_READY, &fx, sizeof(fx));
}

void cp_go(struct ppp *p, enum cp_which which)
{
	struct run r = run(p, which);
	struct cp *cp = r.cp;

	if (!cp->asked)
		return;
	cp->asked = false;
	if (cp->stale || !cp->held) {
		ready(&r);
		return;
	}
	cp->held = false;
	cp->gate = true;
	step(&r, CP_RCR_PLUS);
}

static bool same_as_last(const struct cp *cp, struct span options)
{
	return options.n == cp->req_len && !memcmp(options.p, cp->req, options.n);
}

static void remember(struct cp *cp, uint8_t id, struct span options)
{
	cp->req_id = id;
	cp->req_len = (uint8_t)options.n;
	memcpy(cp->req, options.p, options.n);
}

/* Does not let go of the Ack.  To the automaton it is a request that is not acceptable yet: RCR-, with nothing sent. */
static void hold(struct run *r, uint8_t id, struct span options)
{
	struct cp *cp = r->cp;
	bool stale = !same_as_last(cp, options);

	cp->gate = false;
	step(r, CP_RCR_MINUS);
	remember(cp, id, options);
	cp->held = true;
	cp->stale = cp->asked && (stale || cp->stale);
	opt_absorb(r->p, r->proto, options);
	ready(r);
}

/* Options are not going to be agreed: the link ends, or one network protocol does. */
static void give_up(struct run *r)
{
	if (r->which == CP_LCP)
		ppp_fail(r->p, PPP_END_NO_AGREEMENT, (struct span){ NULL, 0 });
	else
		step(r, CP_RXJ_MINUS);
}

static void rx_conf_req(struct run *r, uint8_t id, struct span options)
{
	struct opt_judgement j;
	struct cp *cp = r->cp;

	/* Our Ack got lost.  4.1 would renegotiate everything, and users would notice.  Not for long, nor often, so
	 * that it is no deadlock with a peer that has started anew; with LCP, its Magic-Number would tell.  Once if the
	 * identifier is another: he may have our Ack, and have lost his own to us (5.1). */
	if (cp->state == CP_OPENED && same_as_last(cp, options) && cp->reacks < (id == cp->req_id ? CP_REACK_MAX : 1) &&
	    (r->which == CP_LCP ? r->p->peer_lcp.magic != 0 :
	     r->p->now - cp->opened <= (CP_REACK_MAX + 1) * conf_restart_ms(r->p))) {
		cp->reacks++;
		cp->req_id = id;
		ppp_tx(r->p, r->proto->proto, CONF_ACK, id, options.p, options.n);
		return;
	}
	if (cp->state < CP_REQ_SENT && cp->state != CP_STOPPED) {
		step(r, CP_RCR_MINUS);
		return;
	}
	if (r->which == CP_LCP && !lcp_not_looped(r->p, options))
		return;
	opt_judge(r->p, cp, r->proto, options, cp->naks >= conf_max_failure(r->p), &j);
	if (j.verdict != OPT_ACK) {
		cp->held = cp->gate = false;
		cp->stale = cp->asked;
		r->j = &j;
		step(r, CP_RCR_MINUS);
		/* 4.6: the same request again says that our Nak got lost, not that there is no agreement */
		cp->naks += j.verdict == OPT_NAK && !(cp->refused && id == cp->refused_id);
		cp->refused = true;
		cp->refused_id = id;
		if (++cp->bad > CP_BAD_MAX)
			give_up(r);
	} else if (options.n > sizeof(cp->req)) {
		r->p->dropped++;
	} else if (r->proto->hold && !(cp->gate && cp->state != CP_OPENED && same_as_last(cp, options))) {
		hold(r, id, options);
	} else {
		remember(cp, id, options);
		step(r, CP_RCR_PLUS);
	}
}

/* 5.2-5.4: a reply counts once, and only for our newest request. */
static bool expected(const struct run *r, uint8_t id)
{
	return r->cp->state < CP_REQ_SENT || (id == r->cp->id && !r->cp->answered);
}

static void rx_conf_ack(struct run *r, struct span options)
{
	uint8_t ours[CP_REQ_MAX];
	size_t n = opt_propose(r->p, r->cp, r->proto, ours, sizeof(ours));

	if (r->cp->state >= CP_REQ_SENT && (options.n != n || memcmp(options.p, ours, n))) {
		r->p->dropped++;	/* 5.2: must be just what we sent */
		return;
	}
	r->cp->answered = true;
	step(r, CP_RCA);
	ready(r);
}

static void rx_conf_refusal(struct run *r, struct span options, bool reject)
{
	struct cp *cp = r->cp;

	if (cp->state >= CP_REQ_SENT) {
		cp->answered = true;
		if (opt_refused(r->p, cp, r->proto, options, reject, cp->renaks >= conf_max_failure(r->p)))
			cp->stale = cp->asked;
		if (r->p->auth_refused) {
			ppp_fail(r->p, PPP_END_AUTH_REFUSED, (struct span){ NULL, 0 });
			return;
		}
		if (++cp->renaks > CP_BAD_MAX) {
			give_up(r);
			return;
		}
	}
	step(r, CP_RCN);
}

static void rx_term_req(struct run *r)
{
	struct ppp *p = r->p;

	if (r->which == CP_LCP && p->end == PPP_END_NONE) {
		p->term_heard = true;
		ppp_clean(p->end_msg, sizeof(p->end_msg), r->data);
		if (r->cp->state == CP_OPENED)
			p->end = PPP_END_PEER;
	}
	step(r, CP_RTR);
}

static void rx_code_rej(struct run *r)
{
	uint8_t code = r->data.n ? r->data.p[0] : 0;

	/* 5.6: we cannot do without codes 1 to 7; the rest of LCP is not needed */
	if (code >= CONF_REQ && code <= CODE_REJ)
		ppp_rejected(r->p, r->which);
	else
		step(r, CP_RXJ_PLUS);
}

bool cp_input(struct ppp *p, enum cp_which which, uint8_t code, uint8_t id, const uint8_t *data, size_t n)
{
	struct run r = run(p, which);

	r.code = code;
	r.id = r.cp->rx_id = id;
	r.data = (struct span){ data, n };
	if (code >= CONF_REQ && code <= CONF_REJ &&
	    (!opt_wellformed(r.data) || n > sizeof(((struct opt_judgement *)0)->answer) ||
	     (code != CONF_REQ && !expected(&r, id)))) {
		p->dropped++;
		return true;
	}
	switch (code) {
	case CONF_REQ:
		rx_conf_req(&r, id, r.data);
		return true;
	case CONF_ACK:
		rx_conf_ack(&r, r.data);
		return true;
	case CONF_NAK:
	case CONF_REJ:
		rx_conf_refusal(&r, r.data, code == CONF_REJ);
		return true;
	case TERM_REQ:
		rx_term_req(&r);
		return true;
	case TERM_ACK:
		step(&r, CP_RTA);
		return true;
	case CODE_REJ:
		rx_code_rej(&r);
		return true;
	default:	/* wire value */
		return false;
	}
}

void cp_packet(struct ppp *p, enum cp_which which, enum cp_event ev, uint8_t code, uint8_t id, struct span data)
{
	struct run r = run(p, which);

	r.code = code;
	r.id = r.cp->rx_id = id;
	r.data = data;
	step(&r, ev);
}

void cp_tick(struct ppp *p, enum cp_which which)
{
	if (p->now >= p->cp[which].deadline)
		cp_event(p, which, p->cp[which].restart_count ? CP_TO_PLUS : CP_TO_MINUS);
}

bool cp_cell(unsigned ev, unsigned st, unsigned *ret_acts, unsigned *ret_next)
{
	*ret_acts = table[ev][st].acts;
	*ret_next = table[ev][st].next;
	return table[ev][st].ok;
}
