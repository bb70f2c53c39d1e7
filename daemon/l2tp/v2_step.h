/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What v2_cc.c and v2_call.c share, and nobody else includes but their tests. */
#pragma once

#include "l2tp/cc_step.h"
#include "l2tp/v2_cc.h"

extern const struct fsm v2_cc_fsm;
extern const struct fsm v2_call_fsm[4];		/* by enum call_role */

/* Sends a message of this cc: fills in the Tunnel ID, hides what is to be hidden. */
void v2_send(struct cc *cc, ms_t now, struct l2tp_msg *m, bool last);
/* l2tp_note() of m, which may be NULL. */
void v2_note(struct cc *cc, const struct l2tp_msg *m, const char *text, const char *avp_name);
/* The cause in the peer's words. */
struct l2tp_cause v2_cause_of(const struct l2tp_msg *m);
/* What strictness (4.2) objects to in a message: a general error, in StopCCN and CDN alike; result 0: nothing. */
struct l2tp_cause v2_judge(const struct cc *cc, const struct l2tp_msg *m);

/* A call message (OCRQ..SLI) that arrived in order on an established cc. */
void v2_call_rx(struct cc *cc, ms_t now, const struct l2tp_msg *m);
/* Forgets the requests that the owner has not answered. */
void v2_pending_done(struct cc *cc);
