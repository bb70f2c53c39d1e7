/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cc.c and call.c share, and nobody else includes but their tests. */
#pragma once

#include "base/fsm.h"
#include "l2tp/cc.h"

/* One step of a machine: everything that its actions need, for the time of the step only. */
struct l2tp_step {
	struct cc *cc;
	struct call *call;			/* NULL: the control connection's machine */
	ms_t now;
	const struct l2tp_msg *m;		/* what was received, or NULL */
	const struct l2tp_cause *cause;		/* why it ends, if it does */
};

/* Events of the tables in cc.c (7.2.1) and call.c (7.4, 7.5), in the order of their rows. */
enum cc_event {
	CC_EV_OPEN, CC_EV_SCCRQ, CC_EV_TIE_LOST, CC_EV_SCCRP, CC_EV_SCCRP_BAD, CC_EV_SCCCN,
	CC_EV_SCCCN_BAD, CC_EV_CLOSE, CC_EV_STOPCCN, CC_EV_GIVE_UP, CC_N_EVENTS
};
enum { CC_TX_SCCRQ = 1, CC_TX_SCCCN = 2, CC_TX_STOPCCN = 4, CC_UP = 8, CC_DOWN = 16 };

/* x: I in the tables of incoming calls, O in those of outgoing ones. */
enum call_event {
	CALL_EV_OPEN, CALL_EV_TUNNEL_OPEN, CALL_EV_RQ, CALL_EV_RQ_BAD, CALL_EV_RP, CALL_EV_RP_BAD,
	CALL_EV_CN, CALL_EV_CN_BAD, CALL_EV_CDN, CALL_EV_BEARER_UP, CALL_EV_CLOSE,
	CALL_EV_TUNNEL_DOWN, CALL_N_EVENTS
};
enum { CALL_TX_RQ = 1, CALL_TX_RP = 2, CALL_TX_CN = 4, CALL_TX_CDN = 8, CALL_PLACE = 16, CALL_UP = 32,
       CALL_DOWN = 64 };

extern const struct fsm l2tp_cc_fsm;
extern const struct fsm l2tp_call_fsm[4];	/* by enum call_role */

/* Sends a message of this cc: fills in the Tunnel ID, hides what is to be hidden. */
void l2tp_send(struct cc *cc, ms_t now, struct l2tp_msg *m, bool last);
/* "ICRQ: text NAME-OF-AVP"; m and avp_name may be NULL. */
void l2tp_note(struct cc *cc, const struct l2tp_msg *m, const char *text, const char *avp_name);
/* The cause in the peer's words. */
struct l2tp_cause l2tp_cause_of(const struct l2tp_msg *m);
/* The name of the AVP that m->error, m->missing or m->unknown_m complains of. */
const char *l2tp_bad_avp(const struct l2tp_msg *m);
/* Ends the cc cleanly when the last call of rel_tx failed, and says CC_GONE when it is time. */
void l2tp_settle(struct cc *cc, ms_t now);

/* A call message (OCRQ..SLI) that arrived in order on an established cc. */
void l2tp_call_rx(struct cc *cc, ms_t now, const struct l2tp_msg *m);
/* The oldest call in set-up is overdue. */
void l2tp_call_overdue(struct cc *cc, ms_t now);
/* A call as it was, in the state that it had; false when it cannot be, or one of its ids is another's. */
bool l2tp_call_adopt(struct cc *cc, struct call *call, ms_t now, const struct call *was);
/* All calls go down with the cc. */
void l2tp_call_all_down(struct cc *cc, ms_t now, const struct l2tp_cause *cause);
