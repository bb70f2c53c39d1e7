/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call (session) within an L2TPv3 control connection (RFC 3931 7.3, 7.4): what both ends say of it, and its state.  The
 * verbs are in v3_cc.h: they need the control connection. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "l2tp/v3_msg.h"

/* Which of the four machines of 7.3 and 7.4 a call runs. */
enum v3_role {
	V3_ICRQ_SENDER,		/* 7.3.1 */
	V3_ICRQ_RECIPIENT,	/* 7.3.2 */
	V3_OCRQ_SENDER,		/* 7.4.1 */
	V3_OCRQ_RECIPIENT,	/* 7.4.2 */
};

/* What one end demands of the data messages that it receives, and says of its circuit; zeros are what is unsaid. */
struct v3_side {
	struct v3_cookie cookie;
	uint16_t l2spec;		/* L2-Specific Sublayer type */
	uint16_t sequencing;		/* V3_SEQ_* */
	uint16_t circuit_status;	/* V3_CIRCUIT_*; the latest that was said */
};

enum { V3_END_ID_MAX = 64 };

/* Numbers in host order. */
struct v3_call_info {
	uint32_t serial;		/* 0 in v3_call_open: the next one of the control connection */
	uint16_t pw_type;		/* enum v3_pw */
	uint8_t end_id_len, end_id[V3_END_ID_MAX];	/* Remote End ID, any octets */
	uint32_t physical_channel;	/* 0: unsaid */
	uint64_t tx_speed, rx_speed;	/* bits per second, 0: unsaid */
	struct v3_side own, peer;
};

/* States of the four machines; each uses some of them. */
enum v3_call_state {
	V3_CALL_IDLE, V3_CALL_WAIT_CC, V3_CALL_WAIT_REPLY, V3_CALL_WAIT_CONNECT, V3_CALL_WAIT_CS_ANSWER, V3_CALL_ESTABLISHED,
	V3_CALL_N_STATES
};

/* A call: embedded in the owner's session, which outlives it. */
struct v3_call {
	uint32_t session_id, peer_session_id;	/* ours, theirs; 0: not known yet */
	uint8_t role, state;			/* enum v3_role; enum v3_call_state */
	bool linked;				/* in the cc's table */
	bool tie_sent;
	uint8_t tie_breaker[L2TP_TIE_LEN];
	ms_t setup_by;
	struct v3_call_info info;
	struct v3_call *next, *prev;		/* the cc's calls in set-up, or its established ones */
	struct v3_call *hash_next, *peer_next;	/* by session_id; by peer_session_id */
};
