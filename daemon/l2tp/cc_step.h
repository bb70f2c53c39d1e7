/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control connections and calls of both versions share, and nobody else includes but their tests. */
#pragma once

#include "base/fsm.h"
#include "base/rec.h"
#include "l2tp/cc.h"

struct ho_entry;

/* One step of a machine: everything that its actions need, for the time of the step only. */
struct l2tp_step {
	struct cc *cc;
	struct call *call;			/* NULL: the control connection's machine */
	ms_t now;
	const void *m;				/* what was received, struct l2tp_msg or v3_msg; or NULL */
	const struct l2tp_cause *cause;		/* why it ends, if it does */
};

/* Events of the tables of control connections (RFC 2661 7.2.1, RFC 3931 7.2), in the order of their rows. */
enum cc_event {
	CC_EV_OPEN, CC_EV_SCCRQ, CC_EV_TIE_LOST, CC_EV_SCCRP, CC_EV_SCCRP_BAD, CC_EV_SCCCN,
	CC_EV_SCCCN_BAD, CC_EV_CLOSE, CC_EV_STOPCCN, CC_EV_GIVE_UP, CC_N_EVENTS
};
/* In the words of both RFCs. */
extern const char *const l2tp_cc_state[CC_N_STATES], *const l2tp_cc_event[CC_N_EVENTS];
/* Their actions; those behind DOWN are in no table: what else a version sends in its own way. */
enum { CC_TX_SCCRQ = 1, CC_TX_SCCCN = 2, CC_TX_STOPCCN = 4, CC_UP = 8, CC_DOWN = 16, CC_TX_HELLO = 32, CC_TX_ACK = 64,
       CC_TX_LAST_WORDS = 128 };

/* Likewise of calls (RFC 2661 7.4, 7.5; RFC 3931 7.3, 7.4); L2TPv2 has no ties between calls. */
enum call_event {
	CALL_EV_OPEN, CALL_EV_TUNNEL_OPEN, CALL_EV_RQ, CALL_EV_RQ_BAD, CALL_EV_RP, CALL_EV_RP_BAD,
	CALL_EV_CN, CALL_EV_CN_BAD, CALL_EV_CDN, CALL_EV_PLACED, CALL_EV_CLOSE, CALL_EV_TUNNEL_DOWN,
	CALL_EV_TIE_WON, CALL_EV_TIE_LOST, CALL_N_EVENTS
};
enum { CALL_TX_RQ = 1, CALL_TX_RP = 2, CALL_TX_CN = 4, CALL_TX_CDN = 8, CALL_REFUSE = 16, CALL_PLACE = 32, CALL_UP = 64,
       CALL_DOWN = 128 };

/* What the shared code has to know of a version. */
struct l2tp_rules {
	const struct fsm *cc, *call;		/* its machines; call: four, by role */
	uint16_t stop_overdue, cdn_overdue;	/* Result Code when set-up took too long */
	unsigned max_retries;			/* default */
	uint32_t max_id;
	const struct rec_row *cc_rows, *call_rows;	/* of checkpoints: its own members */
	unsigned n_cc_rows, n_call_rows;
};
extern const struct l2tp_rules v2_rules, v3_rules;

enum { L2TP_LINGER_MS = 31000 };		/* RFC 2661 5.7, RFC 3931 3.3.2: a full retransmission cycle */

static inline uint32_t or_default(uint32_t v, uint32_t dflt)
{
	return v ? v : dflt;
}

/* Control connections (cc.c). */

void l2tp_cc_init(struct cc *cc, const struct env *env, const struct cc_conf *conf, const struct l2tp_rules *, uint32_t tunnel_id);
/* Frees all but what is the version's own. */
void l2tp_cc_done(struct cc *cc);
/* The half-open entry becomes this one, idle so far; false: it is not idle. */
bool l2tp_cc_accept(struct cc *cc, ms_t now, const struct ho_entry *e);
void l2tp_cc_step(struct cc *cc, ms_t now, enum cc_event ev, const void *m, const struct l2tp_cause *cause);
/* The actions CC_UP and CC_DOWN, as far as both versions have them; of every machine: trace. */
void l2tp_cc_up(struct cc *cc, ms_t now);
void l2tp_cc_down(struct cc *cc, ms_t now, const struct l2tp_cause *cause);
void l2tp_trace(void *obj, const struct fsm *f, unsigned was, unsigned ev, unsigned is);
/* The peer is there: HELLO is put off. */
void l2tp_heard(struct cc *cc, ms_t now);
/* Queues an encoded message; len 0: it could not be encoded.  last: it is a StopCCN. */
void l2tp_tx(struct cc *cc, ms_t now, const void *buf, size_t len, bool last);
/* A numbered message of this type: is it its turn?  If so, those that came early follow (rel_next). */
bool l2tp_rx(struct cc *cc, ms_t now, unsigned type, const struct avp_odd *odd, uint16_t ns, uint16_t nr, const void *buf,
	     size_t len);
/* A message that is an acknowledgement and nothing else. */
void l2tp_rx_ack(struct cc *cc, ms_t now, uint16_t nr);
/* "ICRQ: text"; type -1: text alone. */
void l2tp_note(struct cc *cc, int type, const char *text);
/* A note of what is wrong with the content of a message. */
void l2tp_note_odd(struct cc *cc, unsigned type, const struct avp_odd *odd, bool unread);
/* What strictness (RFC 2661 4.2, RFC 3931 5.2) objects to: a general error, in StopCCN and CDN alike; result 0: nothing. */
struct l2tp_cause l2tp_judge(const struct cc *cc, const struct avp_odd *odd);
/* A message of a type that nobody knows; m: its M bit. */
void l2tp_rx_unknown(struct cc *cc, ms_t now, unsigned type, bool m);
/* Ends the cc cleanly when the last call of rel_tx failed, and says CC_GONE when it is time. */
void l2tp_settle(struct cc *cc, ms_t now);

/* Calls, and the cc's table of them (calls.c). */

bool l2tp_call_step(struct cc *cc, struct call *call, ms_t now, enum call_event ev, const void *m, const struct l2tp_cause *cause);
/* The actions CALL_PLACE, CALL_UP and CALL_DOWN. */
void l2tp_call_act(const struct l2tp_step *s, unsigned action);
/* A new call, whose ids and info are filled in: it is in set-up. */
void l2tp_call_add(struct cc *cc, struct call *call, ms_t now);
void l2tp_call_set_peer_id(struct cc *cc, struct call *call, uint32_t peer_session_id);
struct call *l2tp_call_by_peer(const struct cc *cc, uint32_t peer_session_id);
/* For a call of the peer's that has none here: an id that is not zero, and no other call's. */
uint32_t l2tp_call_no_id(const struct cc *cc);
/* The oldest call in set-up is overdue. */
void l2tp_call_overdue(struct cc *cc, ms_t now);
/* A call as it was, in the state that it had; false when it cannot be, or one of its ids is another's. */
bool l2tp_call_adopt(struct cc *cc, struct call *call, ms_t now, const struct call *was);
/* All calls go down with the cc. */
void l2tp_call_all_down(struct cc *cc, ms_t now, const struct l2tp_cause *cause);
void l2tp_calls_done(struct cc *cc);

/* Checkpoints (save.c). */

/* As v2_cc_save, but the record is open still, for rec_close(w, ret). */
uint8_t *l2tp_save_open(const struct cc *cc, struct wr *w, unsigned tag);
/* What all records must satisfy; -EBADMSG, -ENOMEM: the cc is spoilt. */
int l2tp_load(struct cc *cc, ms_t now, struct span record);
/* The cc is again as it was; returns err. */
int l2tp_unload(struct cc *cc, struct cc *as_it_was, int err);
