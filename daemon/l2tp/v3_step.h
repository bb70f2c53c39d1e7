/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What v3_cc.c, v3_call.c and v3_pending.c share, and nobody else includes but their tests. */
#pragma once

#include "l2tp/cc_step.h"
#include "l2tp/v3_cc.h"

extern const struct fsm v3_cc_fsm;
extern const struct fsm v3_call_fsm[4];		/* by enum v3_role */

/* Sends a message of this cc: fills in the Control Connection ID, hides what is to be hidden. */
void v3_send(struct cc *cc, ms_t now, struct v3_msg *m, bool last);
/* The cause in the peer's words. */
struct l2tp_cause v3_cause_of(const struct v3_msg *m);

/* A call message (OCRQ..SLI) that arrived in order on an established cc. */
void v3_call_rx(struct cc *cc, ms_t now, const struct v3_msg *m);

/* Requests that the owner has not answered yet; false: there are too many, or memory is short. */
bool v3_pending_add(struct cc *cc, uint32_t peer_session_id, const struct v3_call_info *info);
bool v3_pending_has(const struct cc *cc, uint32_t peer_session_id);
/* Is one of them for the Remote End ID of info? */
bool v3_pending_wants(const struct cc *cc, const struct v3_call_info *info);
/* False: there was none. */
bool v3_pending_drop(struct cc *cc, uint32_t peer_session_id);
void v3_pending_done(struct cc *cc);
