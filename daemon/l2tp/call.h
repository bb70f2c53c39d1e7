/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call within a control connection: its state in either version, and what both sides say of it in L2TPv2 (RFC 2661 7.4, 7.5;
 * L2TPv3: v3_call.h).  The verbs are in cc.h, v2_cc.h and v3_cc.h: they need the control connection. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "l2tp/v3_call.h"

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
	bool proxy_lcp;				/* 4.4.5: the LAC has negotiated LCP already; told, and not used */
	uint16_t proxy_auth;			/* ... and asked the caller: Proxy Authen Type, 0: unsaid */
	char proxy_name[65];			/* ... who said to be this */
};

/* States of the four machines of 7.4 and 7.5, and of RFC 3931 7.3 and 7.4; each uses some of them. */
enum call_state {
	CALL_IDLE, CALL_WAIT_TUNNEL, CALL_WAIT_REPLY, CALL_WAIT_CONNECT, CALL_WAIT_CS_ANSWER, CALL_ESTABLISHED, CALL_N_STATES
};

/* A call: embedded in the owner's session, which outlives it. */
struct call {
	uint32_t session_id, peer_session_id;	/* ours, theirs; 0: not known yet; 16 bits of them in L2TPv2 */
	uint8_t role, state;			/* enum call_role or v3_role; enum call_state */
	bool linked;				/* in the cc's table */
	ms_t setup_by;
	struct call *next, *prev;		/* the cc's calls in set-up, or its established ones */
	struct call *hash_next, *peer_next;	/* by session_id; by peer_session_id */
	union {
		struct call_info info;		/* L2TPv2 */
		struct {
			struct v3_call_info info;
			bool tie_sent;
			uint8_t tie_breaker[L2TP_TIE_LEN];
		} v3;
	};
};
