/* SPDX-License-Identifier: GPL-2.0-or-later */
/* L2TPv2 control messages: octets <-> struct l2tp_msg (RFC 2661 3.1, 4, 6).
 * Pure: touches no tunnel.  Both directions walk one table of AVPs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "l2tp/avp.h"

#define L2TP_BIT(avp) (UINT64_C(1) << (avp))

struct l2tp_q931 { uint16_t cause; uint8_t msg; struct span advisory; };	/* 4.4.4 */
struct l2tp_ppp_cause { uint16_t code, proto; uint8_t direction; struct span msg; };	/* RFC 3145 2 */

/* Numbers are in host order.  Spans point into the datagram or the scratch buffer. */
struct l2tp_msg {
	uint16_t tunnel_id, session_id, ns, nr;
	uint16_t type;				/* enum l2tp_msg_type, or a number that we do not know */
	bool type_m;				/* 4.4.1: the M bit of Message Type */

	/* What the decoder found; bits are L2TP_BIT(attribute type). */
	uint64_t present;		/* AVPs that were in the message (encode: that go into it) */
	uint64_t hidden;		/* of these: which were hidden (encode: which to hide) */
	uint64_t unread;		/* hidden, and there was no secret, vector or room */
	uint64_t missing;		/* AVPs that section 6 demands of this message */
	struct avp_odd odd;		/* what is wrong with them */

	struct l2tp_result result;
	uint16_t protocol_version, firmware, assigned_tunnel_id, rws;
	uint32_t framing_caps, bearer_caps;
	uint8_t tie_breaker[L2TP_TIE_LEN];
	struct span host_name, vendor_name, challenge, response;

	uint16_t assigned_session_id;
	uint32_t call_serial, min_bps, max_bps, bearer_type, framing_type;
	uint32_t tx_speed, rx_speed, physical_channel;
	struct span called_number, calling_number, sub_address, private_group_id;
	struct l2tp_q931 q931;
	struct l2tp_ppp_cause ppp_cause;

	struct span initial_rx_confreq, last_tx_confreq, last_rx_confreq;
	uint16_t proxy_auth_type, proxy_auth_id;
	struct span proxy_auth_name, proxy_auth_challenge, proxy_auth_response;
	uint32_t call_errors[6];		/* CRC, framing, hardware, buffer, time-out, alignment */
	uint32_t accm[2];			/* send, receive */
	struct span random_vector;		/* the last one (encode: the one to hide with) */
};

static inline bool l2tp_has(const struct l2tp_msg *m, enum l2tp_avp avp)
{
	return m->present & L2TP_BIT(avp);
}

/* Octets -> *m.  False: this is no control message that any peer may send (header, Length, or an AVP
 * that leaves its message); drop it.  True: the header is good, m->type is L2TP_ZLB or what Message
 * Type says, and odd and unread say what is wrong with the content, for the caller to judge.
 * StopCCN and CDN never fail for their content: what can be read of them is returned.  Octets beyond
 * Length are ignored; trailing NULs of Host Name are not part of it.  secret: empty if none; hidden
 * AVPs are then only listed in unread.  scratch: L2TP_SCRATCH octets that live as long as m, or NULL. */
bool l2tp_decode(struct l2tp_msg *m, const void *buf, size_t len, struct span secret,
		 uint8_t *scratch);

/* *m -> octets: Message Type, then all AVPs of m->present that we know, with the M bits of section
 * 4.4.  AVPs in m->hidden that may be hidden are, with secret and m->random_vector (neither may be
 * empty then).  Type L2TP_ZLB gives a header alone.  Returns the length, or 0 when it does not fit
 * in size or a value not into its AVP. */
size_t l2tp_encode(const struct l2tp_msg *m, void *buf, size_t size, struct span secret);

/* The Tunnel ID of a control message, for demultiplexing; false when its header is wrong. */
bool l2tp_peek(const void *buf, size_t len, uint16_t *ret_tunnel_id);

/* 5.1.1: Challenge Response for a message of this type (L2TP_SCCRP or L2TP_SCCCN). */
void l2tp_response(uint8_t out[L2TP_RESPONSE_LEN], enum l2tp_msg_type type, struct span secret,
		   struct span challenge);

/* Copies s into out[size] as printable ASCII, NUL-terminated, cut to fit: other octets become '?'. */
void l2tp_clean(char *out, size_t size, struct span s);
