/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both ends of a call (session) of L2TPv3 say of it (RFC 3931 7.3, 7.4). */
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
