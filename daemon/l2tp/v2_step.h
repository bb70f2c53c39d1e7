/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What v2_cc.c and v2_call.c share, and nobody else includes but their tests. */
#pragma once

#include "l2tp/cc_step.h"
#include "l2tp/v2_cc.h"

extern const struct fsm v2_cc_fsm;
extern const struct fsm v2_call_fsm[4];		/* by enum call_role */

/* Sends a message of this cc: fills in the Tunnel ID, hides what is to be hidden. */
void v2_send(struct cc *cc, ms_t now, struct l2tp_msg *m, bool last);
/* The cause in the peer's words. */
struct l2tp_cause v2_cause_of(const struct l2tp_msg *m);

/* A call message (OCRQ..SLI) that arrived in order on an established cc. */
void v2_call_rx(struct cc *cc, ms_t now, const struct l2tp_msg *m);
/* Forgets the requests that the owner has not answered. */
void v2_pending_done(struct cc *cc);
