/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What v3_cc.c, v3_call.c and v3_calls.c share, and nobody else includes but their tests. */
#pragma once

#include "base/fsm.h"
#include "l2tp/v3_cc.h"

/* One step of a machine: everything that its actions need, for the time of the step only. */
struct v3_step {
	struct v3_cc *cc;
	struct v3_call *call;			/* NULL: the control connection's machine */
	ms_t now;
	const struct v3_msg *m;			/* what was received, or NULL */
	const struct l2tp_cause *cause;		/* why it ends, if it does */
};

/* Events of the tables in v3_cc.c (7.2) and v3_call.c (7.3, 7.4), in the order of their rows. */
enum v3_cc_event {
	V3_CC_EV_OPEN, V3_CC_EV_SCCRQ, V3_CC_EV_TIE_LOST, V3_CC_EV_SCCRP, V3_CC_EV_SCCRP_BAD, V3_CC_EV_SCCCN, V3_CC_EV_SCCCN_BAD,
	V3_CC_EV_CLOSE, V3_CC_EV_STOPCCN, V3_CC_EV_GIVE_UP, V3_CC_N_EVENTS
};
enum { V3_CC_TX_SCCRQ = 1, V3_CC_TX_SCCCN = 2, V3_CC_TX_STOPCCN = 4, V3_CC_UP = 8, V3_CC_DOWN = 16 };

/* x: I in the tables of incoming calls, O in those of outgoing ones. */
enum v3_call_event {
	V3_CALL_EV_OPEN, V3_CALL_EV_CC_OPEN, V3_CALL_EV_RQ, V3_CALL_EV_RQ_BAD, V3_CALL_EV_TIE_WON, V3_CALL_EV_TIE_LOST,
	V3_CALL_EV_RP, V3_CALL_EV_RP_BAD, V3_CALL_EV_CN, V3_CALL_EV_CN_BAD, V3_CALL_EV_CDN, V3_CALL_EV_PLACED, V3_CALL_EV_CLOSE,
	V3_CALL_EV_CC_DOWN, V3_CALL_N_EVENTS
};
enum { V3_CALL_TX_RQ = 1, V3_CALL_TX_RP = 2, V3_CALL_TX_CN = 4, V3_CALL_TX_CDN = 8, V3_CALL_REFUSE = 16, V3_CALL_PLACE = 32,
       V3_CALL_UP = 64, V3_CALL_DOWN = 128 };

extern const struct fsm v3_cc_fsm;
extern const struct fsm v3_call_fsm[4];		/* by enum v3_role */

/* Sends a message of this cc: fills in the Control Connection ID, hides what is to be hidden, signs it. */
void v3_send(struct v3_cc *cc, ms_t now, struct v3_msg *m, bool last);
/* "ICRQ: text NAME-OF-AVP"; m and avp_name may be NULL. */
void v3_note(struct v3_cc *cc, const struct v3_msg *m, const char *text, const char *avp_name);
/* The cause in the peer's words. */
struct l2tp_cause v3_cause_of(const struct v3_msg *m);
/* The name of the AVP that m->error, m->missing or m->unknown_m complains of. */
const char *v3_bad_avp(const struct v3_msg *m);
/* Ends the cc cleanly when the last call of rel_tx failed, and says CC_GONE when it is time. */
void v3_settle(struct v3_cc *cc, ms_t now);

/* A call message (OCRQ..SLI) that arrived in order on an established cc. */
void v3_call_rx(struct v3_cc *cc, ms_t now, const struct v3_msg *m);
/* The oldest call in set-up is overdue. */
void v3_call_overdue(struct v3_cc *cc, ms_t now);
/* A call of an earlier process joins those of the cc; false: one of its ids is in use, or it cannot be in this state. */
bool v3_call_adopt(struct v3_cc *cc, struct v3_call *call, ms_t now, const struct v3_call *was);
/* All calls go down with the cc. */
void v3_call_all_down(struct v3_cc *cc, ms_t now, const struct l2tp_cause *cause);

/* The cc's table of calls (v3_calls.c). */
void v3_calls_add(struct v3_cc *cc, struct v3_call *call);		/* into those in set-up */
/* To its place among those in set-up, by setup_by. */
void v3_calls_sort(struct v3_cc *cc, struct v3_call *call);
void v3_calls_established(struct v3_cc *cc, struct v3_call *call);
void v3_calls_remove(struct v3_cc *cc, struct v3_call *call);
void v3_calls_set_peer_id(struct v3_cc *cc, struct v3_call *call, uint32_t peer_session_id);
struct v3_call *v3_calls_by_peer(const struct v3_cc *cc, uint32_t peer_session_id);
/* Requests that the owner has not answered yet; false: there are too many, or memory is short. */
bool v3_pending_add(struct v3_cc *cc, uint32_t peer_session_id, const struct v3_call_info *info);
bool v3_pending_has(const struct v3_cc *cc, uint32_t peer_session_id);
/* Is one of them for the Remote End ID of info? */
bool v3_pending_wants(const struct v3_cc *cc, const struct v3_call_info *info);
/* False: there was none. */
bool v3_pending_drop(struct v3_cc *cc, uint32_t peer_session_id);
void v3_pending_done(struct v3_cc *cc);
void v3_calls_done(struct v3_cc *cc);
