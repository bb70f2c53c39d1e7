/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One L2TPv2 control connection and its calls (RFC 2661 5.8, 7.2, 7.4, 7.5).
 * Bytes, orders and time go in; effects come out of ->out, which the owner
 * drains after every call.  The engine never frees itself nor a call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/fx.h"
#include "l2tp/msg.h"
#include "l2tp/rel.h"

struct ho_entry;

/* RFC 2661 7.2.1 */
enum cc_state { CC_IDLE, CC_WAIT_CTL_REPLY, CC_WAIT_CTL_CONN, CC_ESTABLISHED, CC_N_STATES };

/* What is said of an end: by whom, in the RFC's codes (4.4.2; RFC 3438), and in words. */
struct l2tp_cause {
	uint16_t result, error;		/* StopCCN or CDN Result Code; General Error Code or 0 */
	bool by_peer;			/* the peer said so (else: we did, or nobody answered) */
	bool timeout;			/* the peer stopped acknowledging */
	uint16_t ppp_code, ppp_proto;	/* RFC 3145 PPP Disconnect Cause, 0 when absent */
	char msg[64];			/* printable ASCII, NUL-terminated; the peer's words are cleaned */
};

/* Borrowed for the life of the cc.  Zero in a number means the default named here. */
struct cc_conf {
	const char *host_name;		/* ours, 4.4.3; 1..255 octets */
	const char *vendor_name;	/* or NULL: not sent */
	struct span secret;		/* shared secret; empty: no challenge is sent or can be answered */
	bool hide;			/* hide what 4.3 lets us hide (needs a secret) */
	bool strict;			/* unknown mandatory AVP ends the tunnel or call (4.2); else it is noted only */
	bool no_tie_breaker;		/* do not send one when we open */
	uint16_t rws;			/* Receive Window Size, 1..64; 16 */
	uint32_t hello_ms;		/* 5.5; 60000; UINT32_MAX: never */
	uint32_t rto_ms, rto_cap_ms;	/* 5.8; 1000, 8000 */
	uint32_t setup_ms;		/* whole of tunnel set-up, and of each call's; 60000 */
	unsigned max_retries;		/* 5.8; 5 */
};

/* Which of the four machines of 7.4 and 7.5 a call runs. */
enum call_role {
	CALL_LAC_INCOMING,	/* 7.4.1: we send ICRQ */
	CALL_LNS_INCOMING,	/* 7.4.2: we answer ICRQ */
	CALL_LNS_OUTGOING,	/* 7.5.2: we send OCRQ */
	CALL_LAC_OUTGOING,	/* 7.5.1: we answer OCRQ */
};

/* What the ICRQ/OCRQ/ICCN/OCCN of either side say of a call; numbers in host order, strings cleaned. */
struct call_info {
	uint32_t serial;			/* Call Serial Number */
	uint32_t bearer, framing;		/* types, bit masks; framing 0: both (3) */
	uint32_t tx_speed, rx_speed;		/* bits per second, 0: unsaid */
	uint32_t min_bps, max_bps;		/* OCRQ */
	uint32_t physical_channel;		/* 0: unsaid */
	bool sequencing_required;		/* 4.4.6: Sequencing Required was in ICCN/OCCN */
	char called[65], calling[65], sub_address[65];
};

/* A call: embedded in the owner's session, which outlives it. */
struct call {
	uint16_t session_id, peer_session_id;	/* ours, theirs; 0: not known yet */
	uint8_t role, state;			/* enum call_role; the machine's own state */
	bool linked;				/* in the cc's table */
	ms_t setup_by;
	struct call_info info;
	struct call *next, *prev;		/* all calls of the cc */
	struct call *hash_next;
};

/* Effects.  Payloads in brackets. */
enum l2tp_fx {
	L2TP_FX_TX,		/* [octets] a datagram for the peer */
	L2TP_FX_STATE,		/* [struct l2tp_fx_state] for the log, in the RFC's words */
	L2TP_FX_NOTE,		/* [char[]] something odd that was tolerated, for a rate-limited log line */
	L2TP_FX_CC_UP,		/* the control connection is established */
	L2TP_FX_CC_DOWN,	/* [struct l2tp_cause] it is not any more (also: never was); all calls went down before */
	L2TP_FX_CC_GONE,	/* nothing is left to send or to acknowledge: the owner may free the cc */
	L2TP_FX_CALL_REQUEST,	/* [struct l2tp_fx_request] ICRQ or OCRQ: owner calls cc_call_answer or cc_call_refuse */
	L2TP_FX_CALL_PLACE,	/* [struct l2tp_fx_call] LAC outgoing: OCRP is sent, bring the bearer up, then cc_call_bearer_up */
	L2TP_FX_CALL_UP,	/* [struct l2tp_fx_call] ICCN/OCCN sent or received: PPP may start */
	L2TP_FX_CALL_DOWN,	/* [struct l2tp_fx_call_down] exactly once for each call opened or answered */
	L2TP_FX_SLI,		/* [struct l2tp_fx_sli] Set-Link-Info */
	L2TP_FX_WEN,		/* [struct l2tp_fx_wen] WAN-Error-Notify */
};

struct l2tp_fx_state { uint16_t session_id; const char *machine, *was, *event, *is; };	/* static strings */
struct l2tp_fx_request { uint16_t peer_session_id; uint8_t role; struct call_info info; };
struct l2tp_fx_call { uint16_t session_id; };
struct l2tp_fx_call_down { uint16_t session_id; struct l2tp_cause cause; };
struct l2tp_fx_sli { uint16_t session_id; uint32_t tx_accm, rx_accm; };
struct l2tp_fx_wen { uint16_t session_id; uint32_t errors[6]; };	/* 4.4.6 Call Errors, in the AVP's order */

/* Fills cc; conf and env stay the caller's.  tunnel_id: ours, 1..65535. */
void cc_init(struct cc *cc, const struct env *env, const struct cc_conf *conf, uint16_t tunnel_id);
/* Frees what the engine allocated; forgets all calls (without effects). */
void cc_done(struct cc *cc);

/* Send SCCRQ.  -EALREADY when not idle. */
int cc_open(struct cc *cc, ms_t now);
/* Take over a half-open entry whose SCCCN was valid: the cc is wait-ctl-conn and the caller passes that SCCCN to
 * cc_input next, which establishes it. */
void cc_accept(struct cc *cc, ms_t now, const struct ho_entry *e);
/* StopCCN with cause (result 0: 6, "requester is being shut down"); effects: CALL_DOWN for each call, CC_DOWN, later CC_GONE. */
void cc_close(struct cc *cc, ms_t now, const struct l2tp_cause *cause);
/* One datagram from the tunnel's peer (the owner has checked its source).  Anything may be in it. */
void cc_input(struct cc *cc, ms_t now, const void *buf, size_t len);
/* Call at or after cc_deadline(). */
void cc_tick(struct cc *cc, ms_t now);
/* When cc_tick is due; NEVER if nothing is pending. */
ms_t cc_deadline(const struct cc *cc);

/* Start a call of ours: sends ICRQ (CALL_LAC_INCOMING) or OCRQ (CALL_LNS_OUTGOING).  The call stays the caller's and must
 * live until its CALL_DOWN was drained.  -ENOTCONN: cc not established. */
int cc_call_open(struct cc *cc, struct call *call, ms_t now, enum call_role role, uint16_t session_id, const struct call_info *info);
/* Answer an L2TP_FX_CALL_REQUEST with a call of ours: sends ICRP or OCRP. */
int cc_call_answer(struct cc *cc, struct call *call, ms_t now, const struct l2tp_fx_request *rq, uint16_t session_id);
/* Refuse it: CDN with cause; leaves nothing behind. */
void cc_call_refuse(struct cc *cc, ms_t now, const struct l2tp_fx_request *rq, const struct l2tp_cause *cause);
/* LAC outgoing: the bearer is up, send OCCN. */
void cc_call_bearer_up(struct cc *cc, struct call *call, ms_t now);
/* CDN with cause (result 0: 3, administrative).  Effect: CALL_DOWN. */
void cc_call_close(struct cc *cc, struct call *call, ms_t now, const struct l2tp_cause *cause);
/* LNS: tell the LAC the ACCMs that LCP negotiated (6.13).  LAC: report errors (6.12). */
void cc_call_sli(struct cc *cc, struct call *call, ms_t now, uint32_t tx_accm, uint32_t rx_accm);
void cc_call_wen(struct cc *cc, struct call *call, ms_t now, const uint32_t errors[6]);
/* The call with this session id of ours, or NULL. */
struct call *cc_call_find(const struct cc *cc, uint16_t session_id);
