/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tunnel authentication (RFC 2661 4.4.3, 5.1.1): CHAP whose Identifier is the message type. */
#include "base/digest.h"
#include "msg.h"

void l2tp_response(uint8_t out[L2TP_RESPONSE_LEN], enum l2tp_msg_type type, struct span secret,
		   struct span challenge)
{
	uint8_t id = (uint8_t)type;
	struct span part[3] = { { &id, 1 }, secret, challenge };

	md5(out, part, 3);
}
