/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One L2TPv2 control connection and its calls (RFC 2661 5.8, 7.2, 7.4, 7.5).
 * Bytes, orders and time go in; effects come out of ->out, which the owner
 * drains after every call.  The engine never frees itself nor a call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/fx.h"
#include "l2tp/call.h"
#include "l2tp/cause.h"
#include "l2tp/msg.h"
#include "l2tp/rel.h"

struct ho_entry;

/* RFC 2661 7.2.1 */
enum cc_state { CC_IDLE, CC_WAIT_CTL_REPLY, CC_WAIT_CTL_CONN, CC_ESTABLISHED, CC_N_STATES };

/* Borrowed for the life of the cc.  Zero in a number means the default named here. */
struct cc_conf {
	const char *host_name;		/* ours, 4.4.3; 1..255 octets */
	const char *vendor_name;	/* or NULL: not sent */
	struct span secret;		/* shared secret; empty: no challenge is sent or can be answered */
	bool hide;			/* hide what 4.3 lets us hide (needs a secret) */
	bool strict;			/* unknown mandatory AVP ends the tunnel or call (4.2); else it is noted only */
	bool no_tie_breaker;		/* do not send one when we open */
	bool id_0;			/* take Tunnel ID 0 in the header for ours (D-Link DIR-300) */
	uint16_t rws;			/* Receive Window Size, 1..64; 16 */
	uint32_t hello_ms;		/* 5.5; 60000; UINT32_MAX: never */
	uint32_t rto_ms, rto_cap_ms;	/* 5.8; 1000, 8000 */
	uint32_t setup_ms;		/* whole of tunnel set-up, and of each call's; 60000 */
	unsigned max_retries;		/* 5.8; 5 */
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
	L2TP_FX_CALL_PLACE,	/* [struct l2tp_fx_call] LAC outgoing: OCRP is sent; bring it up, then cc_call_bearer_up */
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

/* What becomes of a cc that is going away. */
enum cc_ending {
	CC_LIVE,
	CC_STOP_SENT,		/* StopCCN is out: gone when acknowledged or given up */
	CC_STOP_RCVD,		/* 5.7: acknowledge retransmissions for a full cycle (31 s) */
	CC_ENDED,		/* CC_GONE was said */
};

/* Plain state but for conf, env, the calls and the queues; the owner reads it, only the functions below write it. */
struct cc {
	const struct env *env;
	const struct cc_conf *conf;
	struct fxq out;
	struct rel rel;
	uint16_t tunnel_id, peer_tunnel_id;	/* ours, theirs; 0: not known yet */
	uint8_t state, ending;			/* enum cc_state, cc_ending */
	bool opener;				/* we sent SCCRQ */
	bool tie_sent;
	uint8_t challenge_len;			/* 0: we sent none */
	uint8_t challenge[16], tie_breaker[L2TP_TIE_LEN];
	ms_t setup_by, hello_at, gone_at;
	uint32_t peer_framing_caps, peer_bearer_caps;
	uint16_t peer_firmware;
	char peer_host_name[64], peer_vendor_name[32];	/* cleaned, cut */
	struct call *setup, *setup_tail;	/* oldest first, so the first has the earliest setup_by */
	struct call *calls;			/* established */
	uint32_t salt;				/* of the hash */
	unsigned n_calls, bucket_bits;
	struct call **bucket;			/* 1 << bits by session_id, as many by peer_session_id */
	struct call *bucket0[2];		/* for a cc with few calls */
	uint8_t *pending;			/* a bit for each peer_session_id whose request is unanswered */
	unsigned n_pending;
};

/* Whose tunnel stays when both ends sent SCCRQ (4.4.3 Tie Breaker). */
enum cc_tie { CC_TIE_NONE, CC_TIE_OURS, CC_TIE_THEIRS, CC_TIE_BOTH_DROP };

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
/* Sends the acknowledgement that is due if nothing else carried it.  Call after cc_input's effects
 * were drained and answered: a reply then carries it.  (cc_tick does it, and cc_deadline asks.) */
void cc_flush(struct cc *cc, ms_t now);
/* The owner saw data from the peer: puts off the next HELLO (5.5: "data or control"), and forgives one
 * round of unanswered retransmissions (some clients never acknowledge HELLO). */
void cc_alive(struct cc *cc, ms_t now);
/* Is the peer still there?  HELLO with the next cc_tick, if nothing else waits for its acknowledgement. */
void cc_probe(struct cc *cc, ms_t now);
/* The peer of our unanswered SCCRQ sent this one.  CC_TIE_NONE: both tunnels may live. */
enum cc_tie cc_tie(const struct cc *ours, const struct l2tp_msg *sccrq);
/* Go down without a word (4.4.3: the loser discards its tunnel silently).  Effects: CALL_DOWN, CC_DOWN, CC_GONE. */
void cc_abandon(struct cc *cc, ms_t now, const struct l2tp_cause *cause);
/* For who is out of memory, before cc_abandon(): a StopCCN that needs none, in buf; its length, or 0: there is none.  Which
 * Ns the peer waits for is not known, so there are several to send once each, i = 0, 1 ...; it takes one of them. */
size_t cc_last_words(const struct cc *cc, const struct l2tp_cause *cause, unsigned i, void *buf, size_t size);
/* Call at or after cc_deadline(). */
void cc_tick(struct cc *cc, ms_t now);
/* When cc_tick is due; NEVER if nothing is pending. */
ms_t cc_deadline(const struct cc *cc);

/* Start a call of ours: sends ICRQ (CALL_LAC_INCOMING) or OCRQ (CALL_LNS_OUTGOING).  The call stays the caller's and must
 * live until its CALL_DOWN was drained.  -ENOTCONN: cc not established. */
int cc_call_open(struct cc *cc, struct call *call, ms_t now, enum call_role role, uint16_t session_id,
		 const struct call_info *info);
/* Answer an L2TP_FX_CALL_REQUEST with a call of ours: sends ICRP or OCRP.  -ECANCELED: the peer withdrew it meanwhile;
 * -EEXIST: session_id is in use.  On failure the call is untouched and has no effects. */
int cc_call_answer(struct cc *cc, struct call *call, ms_t now, const struct l2tp_fx_request *rq, uint16_t session_id);
/* Refuse it: CDN with cause (nothing if it was withdrawn); leaves nothing behind. */
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
