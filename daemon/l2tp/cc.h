/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One control connection and its calls, of either version: what RFC 2661 (5.8, 7.2, 7.4, 7.5) and RFC 3931 (4.2, 4.4, 7) have
 * alike.  Bytes, orders and time go in; effects come out of ->out, which the owner drains after every call.  The engine never
 * frees itself nor a call.  The other verbs are in v2_cc.h and v3_cc.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/fx.h"
#include "l2tp/call.h"
#include "l2tp/cause.h"
#include "l2tp/rel.h"
#include "l2tp/v3_auth.h"

struct l2tp_rules;
struct v3_conf;
struct v3_pending;

/* RFC 2661 7.2.1, RFC 3931 7.2 */
enum cc_state { CC_IDLE, CC_WAIT_CTL_REPLY, CC_WAIT_CTL_CONN, CC_ESTABLISHED, CC_N_STATES };

/* Borrowed for the life of the cc.  Zero in a number means the default named here. */
struct cc_conf {
	const char *host_name;		/* ours, RFC 2661 4.4.3; 1..255 octets */
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
	unsigned max_retries;		/* RFC 2661 5.8: 5; RFC 3931 4.2: 10 */
};

/* Effects.  Payloads in brackets; those of REQUEST, SLI and WEN are of the version. */
enum l2tp_fx {
	L2TP_FX_TX,		/* [octets] a control message for the peer, from its header on */
	L2TP_FX_STATE,		/* [struct l2tp_fx_state] for the log, in the RFC's words */
	L2TP_FX_NOTE,		/* [char[]] something odd that was tolerated or dropped, for a rate-limited log line */
	L2TP_FX_CC_UP,		/* the control connection is established */
	L2TP_FX_CC_DOWN,	/* [struct l2tp_cause] it is not any more (also: never was); all calls went down before */
	L2TP_FX_CC_GONE,	/* nothing is left to send or to acknowledge: the owner may free the cc */
	L2TP_FX_CALL_REQUEST,	/* [struct v2_fx_request, v3_fx_request] ICRQ or OCRQ: owner answers or refuses it */
	L2TP_FX_CALL_PLACE,	/* [struct l2tp_fx_call] OCRP is sent; bring bearer or circuit up, then cc_call_placed */
	L2TP_FX_CALL_UP,	/* [struct l2tp_fx_call] ICCN/OCCN sent or received: PPP may start, data may flow */
	L2TP_FX_CALL_DOWN,	/* [struct l2tp_fx_call_down] exactly once for each call opened or answered */
	L2TP_FX_SLI,		/* [struct v2_fx_sli, v3_fx_sli] Set-Link-Info */
	L2TP_FX_WEN,		/* [struct v2_fx_wen, v3_fx_wen] WAN-Error-Notify */
	L2TP_FX_FALLBACK,	/* RFC 3931 4.7.3: the peer answered in L2TPv2; CC_DOWN and CC_GONE follow */
};
enum { L2TP_N_FX = L2TP_FX_FALLBACK + 1 };

struct l2tp_fx_state { uint32_t session_id; const char *machine, *was, *event, *is; };	/* static strings */
struct l2tp_fx_call { uint32_t session_id; };
struct l2tp_fx_call_down { uint32_t session_id; struct l2tp_cause cause; };

/* What becomes of a cc that is going away. */
enum cc_ending {
	CC_LIVE,
	CC_STOP_SENT,		/* StopCCN is out: gone when acknowledged or given up */
	CC_STOP_RCVD,		/* acknowledge retransmissions for a full cycle (31 s) */
	CC_ENDED,		/* CC_GONE was said */
};

/* Plain state but for conf, env, the calls and the queues; the owner reads it, only the engine writes it. */
struct cc {
	const struct env *env;
	const struct cc_conf *conf;
	const struct l2tp_rules *rules;		/* of its version */
	struct fxq out;
	struct rel rel;
	uint32_t tunnel_id, peer_tunnel_id;	/* ours, theirs; 0: not known yet; 16 bits of them in L2TPv2 */
	uint8_t state, ending;			/* enum cc_state, cc_ending */
	bool opener;				/* we sent SCCRQ */
	bool tie_sent;
	uint8_t tie_breaker[L2TP_TIE_LEN];
	ms_t setup_by, hello_at, gone_at;
	uint32_t jitter_ms;			/* of the next HELLO; L2TPv2 has none */
	char peer_host_name[64], peer_vendor_name[32];	/* cleaned, cut */
	struct call *setup, *setup_tail;	/* in order of their setup_by */
	struct call *calls;			/* established */
	uint32_t salt;				/* of the hash */
	unsigned n_calls, bucket_bits;
	struct call **bucket;			/* 1 << bits by session_id, as many by peer_session_id */
	struct call *bucket0[2];		/* for a cc with few calls */
	unsigned n_pending;			/* requests that the owner has not answered */
	union {
		struct {
			uint8_t challenge_len;	/* 0: we sent none */
			uint8_t challenge[16];
			uint32_t peer_framing_caps, peer_bearer_caps;
			uint16_t peer_firmware;
			uint8_t *pending;	/* a bit for each peer_session_id */
		} v2;
		struct {
			const struct v3_conf *conf;
			struct v3_auth auth;
			uint16_t v2_tunnel_id;	/* what our SCCRQ told an L2TPv2 peer; 0: it was for L2TPv3 alone */
			uint32_t forged;	/* messages dropped for their digest, or the lack of it */
			uint32_t peer_router_id, peer_pw_caps;
			uint32_t serial;
			struct v3_pending *pending;
		} v3;
	};
};

/* Whose tunnel stays when both ends sent SCCRQ (Control Connection Tie Breaker). */
enum cc_tie { CC_TIE_NONE, CC_TIE_OURS, CC_TIE_THEIRS, CC_TIE_BOTH_DROP };

/* Send SCCRQ.  -EALREADY when not idle. */
int cc_open(struct cc *cc, ms_t now);
/* StopCCN with cause (result 0: 6, "requester is being shut down"); effects: CALL_DOWN for each call, CC_DOWN, later CC_GONE. */
void cc_close(struct cc *cc, ms_t now, const struct l2tp_cause *cause);
/* Sends the acknowledgement that is due if nothing else carried it.  Call after the effects of what came in
 * were drained and answered: a reply then carries it.  (cc_tick does it, and cc_deadline asks.) */
void cc_flush(struct cc *cc, ms_t now);
/* The owner saw data from the peer: puts off the next HELLO (RFC 2661 5.5: "data or control"), and forgives one
 * round of unanswered retransmissions (some clients never acknowledge HELLO). */
void cc_alive(struct cc *cc, ms_t now);
/* Is the peer still there?  HELLO with the next cc_tick, if nothing else waits for its acknowledgement. */
void cc_probe(struct cc *cc, ms_t now);
/* The peer of our unanswered SCCRQ sent one with this tie breaker (L2TP_TIE_LEN octets, NULL: none).  CC_TIE_NONE: both
 * tunnels may live. */
enum cc_tie cc_tie(const struct cc *ours, const uint8_t *theirs);
/* Go down without a word (the loser of a tie discards its tunnel silently).  Effects: CALL_DOWN, CC_DOWN, CC_GONE. */
void cc_abandon(struct cc *cc, ms_t now, const struct l2tp_cause *cause);
/* Call at or after cc_deadline(). */
void cc_tick(struct cc *cc, ms_t now);
/* When cc_tick is due; NEVER if nothing is pending. */
ms_t cc_deadline(const struct cc *cc);

/* The outgoing call that the peer asked for is placed: send OCCN. */
void cc_call_placed(struct cc *cc, struct call *call, ms_t now);
/* CDN with cause (result 0: 3, administrative).  Effect: CALL_DOWN. */
void cc_call_close(struct cc *cc, struct call *call, ms_t now, const struct l2tp_cause *cause);
/* The call with this session id of ours, or NULL. */
struct call *cc_call_find(const struct cc *cc, uint32_t session_id);
