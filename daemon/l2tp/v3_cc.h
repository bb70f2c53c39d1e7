/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One L2TPv3 control connection and its calls (RFC 3931 4.2-4.4, 4.7.3, 7).  Bytes, orders and time go in; effects come out
 * of ->out, which the owner drains after every call.  The engine never frees itself nor a call.  The octets are control
 * messages from their header on: over UDP that is the datagram, over IP its owner adds and takes off 32 bits of zeros. */
#pragma once

#include "l2tp/cc.h"
#include "l2tp/v3_auth.h"
#include "l2tp/v3_call.h"

/* RFC 3931 7.2 */
enum v3_cc_state { V3_CC_IDLE, V3_CC_WAIT_CTL_REPLY, V3_CC_WAIT_CTL_CONN, V3_CC_ESTABLISHED, V3_CC_N_STATES };

/* Borrowed for the life of the cc.  Zero in a number means the default named here. */
struct v3_conf {
	struct cc_conf cc;		/* what both versions have; secret: empty: no authentication; max_retries: 10 (4.2) */
	struct span secret2;		/* accepted beside the first, for a change of secrets (5.4.1); may be empty */
	enum v3_digest digest;		/* what our SCCRQ is signed with; the answer to another's is signed like it */
	uint32_t router_id;		/* ours, 5.4.3 */
	uint32_t pw_caps;		/* mask of 1 << enum v3_pw; Ethernet, Ethernet VLAN and PPP */
};

/* Effects.  Payloads in brackets. */
enum v3_fx {
	V3_FX_TX,		/* [octets] a control message for the peer */
	V3_FX_STATE,		/* [struct v3_fx_state] for the log, in the RFC's words */
	V3_FX_NOTE,		/* [char[]] something odd that was tolerated or dropped, for a rate-limited log line */
	V3_FX_CC_UP,		/* the control connection is established */
	V3_FX_CC_DOWN,		/* [struct l2tp_cause] it is not any more (also: never was); all calls went down before */
	V3_FX_CC_GONE,		/* nothing is left to send or to acknowledge: the owner may free the cc */
	V3_FX_CALL_REQUEST,	/* [struct v3_fx_request] ICRQ or OCRQ: owner calls v3_call_answer or v3_call_refuse */
	V3_FX_CALL_PLACE,	/* [struct v3_fx_call] OCRP is sent; bring the circuit up, then v3_call_placed */
	V3_FX_CALL_UP,		/* [struct v3_fx_call] ICCN/OCCN sent or received: data may flow */
	V3_FX_CALL_DOWN,	/* [struct v3_fx_call_down] exactly once for each call opened or answered */
	V3_FX_SLI,		/* [struct v3_fx_sli] Set-Link-Info with a Circuit Status */
	V3_FX_WEN,		/* [struct v3_fx_wen] WAN-Error-Notify */
	V3_FX_FALLBACK,		/* 4.7.3: the peer answered in L2TPv2; CC_DOWN and CC_GONE follow */
	V3_N_FX
};

struct v3_fx_state { uint32_t session_id; const char *machine, *was, *event, *is; };	/* static strings */
struct v3_fx_request { uint32_t peer_session_id; uint8_t role; struct v3_call_info info; };
struct v3_fx_call { uint32_t session_id; };
struct v3_fx_call_down { uint32_t session_id; struct l2tp_cause cause; };
struct v3_fx_sli { uint32_t session_id; uint16_t circuit_status; };
struct v3_fx_wen { uint32_t session_id; uint32_t errors[4]; };	/* 5.4.5 Circuit Errors */

struct v3_pending;

/* Plain state but for conf, env, the calls and the queues; the owner reads it, only the functions below write it. */
struct v3_cc {
	const struct env *env;
	const struct v3_conf *conf;
	struct fxq out;
	struct rel rel;
	struct v3_auth auth;
	uint32_t cc_id, peer_cc_id;		/* ours, theirs; 0: not known yet */
	uint8_t state, ending;			/* enum v3_cc_state, cc_ending */
	bool opener;				/* we sent SCCRQ */
	bool tie_sent;
	uint16_t v2_tunnel_id;			/* what our SCCRQ told an L2TPv2 peer; 0: it was for L2TPv3 alone */
	uint8_t tie_breaker[L2TP_TIE_LEN];
	ms_t setup_by, hello_at, gone_at;
	uint32_t jitter_ms;			/* of the next HELLO, 4.4 */
	uint32_t forged;			/* messages dropped for their digest, or the lack of it */
	uint32_t peer_router_id, peer_pw_caps;
	char peer_host_name[64], peer_vendor_name[32];	/* cleaned, cut */
	uint32_t serial;
	struct v3_call *setup, *setup_tail;	/* oldest first, so the first has the earliest setup_by */
	struct v3_call *calls;			/* established */
	uint32_t salt;				/* of the hash */
	unsigned n_calls, bucket_bits;
	struct v3_call **bucket;		/* 1 << bits by session_id, as many by peer_session_id */
	struct v3_call *bucket0[2];		/* for a cc with few calls */
	struct v3_pending *pending;		/* requests that the owner has not answered */
	unsigned n_pending;
};

/* Fills cc; conf and env stay the caller's, secrets are not needed any more afterwards.  cc_id: ours, not 0. */
void v3_cc_init(struct v3_cc *cc, const struct env *env, const struct v3_conf *conf, uint32_t cc_id);
/* Frees what the engine allocated, wipes its keys; forgets all calls (without effects). */
void v3_cc_done(struct v3_cc *cc);

/* Send SCCRQ.  v2_tunnel_id: not 0: one that an L2TPv2 peer can read too, with this Assigned Tunnel ID (4.7.3).
 * -EALREADY when not idle. */
int v3_cc_open(struct v3_cc *cc, ms_t now, uint16_t v2_tunnel_id);
/* Take over a half-open entry whose SCCCN was valid: the cc is wait-ctl-conn and the caller passes that SCCCN to
 * v3_cc_input next, which establishes it. */
void v3_cc_accept(struct v3_cc *cc, ms_t now, const struct ho_entry *e);
/* StopCCN with cause (result 0: 6, "requester is being shut down"); effects: CALL_DOWN for each call, CC_DOWN, later CC_GONE. */
void v3_cc_close(struct v3_cc *cc, ms_t now, const struct l2tp_cause *cause);
/* One control message from the peer (the owner has checked its source).  Anything may be in it: without a good Message
 * Digest, where there is a secret, it is dropped and counted, and nothing else happens. */
void v3_cc_input(struct v3_cc *cc, ms_t now, const void *buf, size_t len);
/* Sends the acknowledgement that is due if nothing else carried it: after v3_cc_input's effects were drained and answered. */
void v3_cc_flush(struct v3_cc *cc, ms_t now);
/* The owner saw data from the peer: puts off the next HELLO (4.4), and forgives one round of unanswered retransmissions. */
void v3_cc_alive(struct v3_cc *cc, ms_t now);
/* Is the peer still there?  HELLO with the next v3_cc_tick, if nothing else waits for its acknowledgement. */
void v3_cc_probe(struct v3_cc *cc, ms_t now);
/* The peer of our unanswered SCCRQ sent this one (verified).  CC_TIE_NONE: both may live. */
enum cc_tie v3_cc_tie(const struct v3_cc *ours, const struct v3_msg *sccrq);
/* Go down without a word (5.4.3: the loser discards its control connection).  Effects: CALL_DOWN, CC_DOWN, CC_GONE. */
void v3_cc_abandon(struct v3_cc *cc, ms_t now, const struct l2tp_cause *cause);
/* Call at or after v3_cc_deadline(). */
void v3_cc_tick(struct v3_cc *cc, ms_t now);
/* When v3_cc_tick is due; NEVER if nothing is pending. */
ms_t v3_cc_deadline(const struct v3_cc *cc);
/* The pseudowire types of a configuration, its default resolved. */
uint32_t v3_pw_caps(const struct v3_conf *conf);

/* Start a call of ours: sends ICRQ (V3_ICRQ_SENDER) or OCRQ (V3_OCRQ_SENDER) with what info and info->own say; the octets of a
 * cookie are drawn here for its len (0, 4 or 8).  The call stays the caller's and must live until its CALL_DOWN was drained.
 * -ENOTCONN: cc not established; -EPROTONOSUPPORT: the peer did not offer this pseudowire type; -EEXIST: session_id is in use;
 * -EALREADY: the peer asks for the same Remote End ID: answer that. */
int v3_call_open(struct v3_cc *cc, struct v3_call *call, ms_t now, enum v3_role role, uint32_t session_id,
		 const struct v3_call_info *info);
/* Answer a V3_FX_CALL_REQUEST with a call of ours: sends ICRP or OCRP.  own: as info->own above.  -ECANCELED: the peer withdrew
 * it meanwhile; -EEXIST: session_id is in use.  On failure the call is untouched and has no effects. */
int v3_call_answer(struct v3_cc *cc, struct v3_call *call, ms_t now, const struct v3_fx_request *rq, uint32_t session_id,
		   const struct v3_side *own);
/* Refuse it: CDN with cause (nothing if it was withdrawn); leaves nothing behind. */
void v3_call_refuse(struct v3_cc *cc, ms_t now, const struct v3_fx_request *rq, const struct l2tp_cause *cause);
/* 7.4.2: call placement successful, send OCCN. */
void v3_call_placed(struct v3_cc *cc, struct v3_call *call, ms_t now);
/* CDN with cause (result 0: 3, administrative).  Effect: CALL_DOWN. */
void v3_call_close(struct v3_cc *cc, struct v3_call *call, ms_t now, const struct l2tp_cause *cause);
/* Tell the peer of the circuit's status (6.14) or its errors (6.13); only on an established call. */
void v3_call_sli(struct v3_cc *cc, struct v3_call *call, ms_t now, uint16_t circuit_status);
void v3_call_wen(struct v3_cc *cc, struct v3_call *call, ms_t now, const uint32_t errors[4]);
/* The call with this session id of ours, or NULL. */
struct v3_call *v3_call_find(const struct v3_cc *cc, uint32_t session_id);
