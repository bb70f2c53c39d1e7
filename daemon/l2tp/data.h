/* SPDX-License-Identifier: GPL-2.0-or-later */
/* L2TPv2 data messages (RFC 2661 3.1), for the time before a session is in the
 * kernel, and the PPP framing inside them (RFC 1661 2, RFC 1662 2: all of the
 * address, control and protocol compression that a peer may use). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/pkt.h"

enum { L2TP_DATA_HEADER = 10 };		/* what l2tp_data_header writes */

struct l2tp_data {
	uint16_t tunnel_id, session_id;
	uint16_t proto;			/* PPP protocol number */
	struct span info;		/* its information field; points into the datagram */
};

/* False: not a v2 data message with a PPP frame in it. */
bool l2tp_data_decode(struct l2tp_data *ret, const void *buf, size_t len);

/* Header, FF 03 and protocol number of a data message to these ids of the peer's. */
void l2tp_data_header(uint8_t out[L2TP_DATA_HEADER], uint16_t peer_tunnel_id, uint16_t peer_session_id, uint16_t proto);
