/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data messages of L2TPv2 (RFC 2661 3.1) and of L2TPv3 over UDP (RFC 3931 4.1.2), for the time before a session is in
 * the kernel, and the PPP framing inside them (RFC 1661 2, RFC 1662 2: all of the address, control and protocol
 * compression that a peer may use). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "l2tp/v3_call.h"

enum { L2TP_DATA_HEADER = 10 };		/* what l2tp_data_header writes */
enum { V3_DATA_HEADER = 8 + V3_COOKIE_MAX + 4 + 4 };	/* what v3_data_header writes at most */

struct l2tp_data {
	uint16_t tunnel_id, session_id;		/* L2TPv2's */
	uint16_t proto;			/* PPP protocol number */
	struct span info;		/* its information field; points into the datagram */
};

/* False: not a v2 data message with a PPP frame in it. */
bool l2tp_data_decode(struct l2tp_data *ret, const void *buf, size_t len);

/* Header, FF 03 and protocol number of a data message to these ids of the peer's. */
void l2tp_data_header(uint8_t out[L2TP_DATA_HEADER], uint16_t peer_tunnel_id, uint16_t peer_session_id, uint16_t proto);

/* The Session ID of a data message of L2TPv3; 0: it is none. */
uint32_t v3_data_session(const void *buf, size_t len);
/* The PPP frame in one; own: the cookie and the sublayer that we asked for.  False: wrong cookie, or no PPP frame. */
bool v3_data_decode(struct l2tp_data *ret, const void *buf, size_t len, const struct v3_side *own);
/* Header, cookie, sublayer (without a sequence number), FF 03 and protocol number; peer: what its end asked for.  Returns the
 * octets written. */
size_t v3_data_header(uint8_t out[V3_DATA_HEADER], uint32_t peer_session_id, const struct v3_side *peer, uint16_t proto);
