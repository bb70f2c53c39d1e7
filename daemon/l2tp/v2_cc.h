/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An L2TPv2 control connection and its calls (RFC 2661 5.8, 7.2, 7.4, 7.5): what cc.h does not say for both versions. */
#pragma once

#include "l2tp/cc.h"
#include "l2tp/msg.h"

struct ho_entry;

/* Payloads of effects. */
struct v2_fx_request { uint16_t peer_session_id; uint8_t role; struct call_info info; };
struct v2_fx_sli { uint32_t session_id; uint32_t tx_accm, rx_accm; };
struct v2_fx_wen { uint32_t session_id; uint32_t errors[6]; };	/* 4.4.6 Call Errors, in the AVP's order */

/* Fills cc; conf and env stay the caller's.  tunnel_id: ours, 1..65535. */
void v2_cc_init(struct cc *cc, const struct env *env, const struct cc_conf *conf, uint16_t tunnel_id);
/* Frees what the engine allocated; forgets all calls (without effects). */
void v2_cc_done(struct cc *cc);

/* Take over a half-open entry whose SCCCN was valid: the cc is wait-ctl-conn and the caller passes that SCCCN to
 * v2_cc_input next, which establishes it. */
void v2_cc_accept(struct cc *cc, ms_t now, const struct ho_entry *e);
/* One datagram from the tunnel's peer (the owner has checked its source).  Anything may be in it. */
void v2_cc_input(struct cc *cc, ms_t now, const void *buf, size_t len);
/* For who is out of memory, before cc_abandon(): a StopCCN that needs none, in buf; its length, or 0: there is none.  Which
 * Ns the peer waits for is not known, so there are several to send once each, i = 0, 1 ...; it takes one of them. */
size_t v2_cc_last_words(const struct cc *cc, const struct l2tp_cause *cause, unsigned i, void *buf, size_t size);

/* Start a call of ours: sends ICRQ (CALL_LAC_INCOMING) or OCRQ (CALL_LNS_OUTGOING).  The call stays the caller's and must
 * live until its CALL_DOWN was drained.  -ENOTCONN: cc not established; -EEXIST: session_id is in use. */
int v2_call_open(struct cc *cc, struct call *call, ms_t now, enum call_role role, uint16_t session_id,
		 const struct call_info *info);
/* Answer an L2TP_FX_CALL_REQUEST with a call of ours: sends ICRP or OCRP.  -ECANCELED: the peer withdrew it meanwhile;
 * -EEXIST: session_id is in use.  On failure the call is untouched and has no effects. */
int v2_call_answer(struct cc *cc, struct call *call, ms_t now, const struct v2_fx_request *rq, uint16_t session_id);
/* Refuse it: CDN with cause (nothing if it was withdrawn); leaves nothing behind. */
void v2_call_refuse(struct cc *cc, ms_t now, const struct v2_fx_request *rq, const struct l2tp_cause *cause);
/* LNS: tell the LAC the ACCMs that LCP negotiated (6.13).  LAC: report errors (6.12). */
void v2_call_sli(struct cc *cc, struct call *call, ms_t now, uint32_t tx_accm, uint32_t rx_accm);
void v2_call_wen(struct cc *cc, struct call *call, ms_t now, const uint32_t errors[6]);
