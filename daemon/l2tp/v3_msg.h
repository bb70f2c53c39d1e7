/* SPDX-License-Identifier: GPL-2.0-or-later */
/* L2TPv3 control messages: octets <-> struct v3_msg (RFC 3931 3.2.1, 5, 6), from the control message header on: over IP the
 * 32 bits of zeros before it (4.1.1.2) are taken off and put on by who has the socket.
 * Pure: touches no control connection.  Both directions walk one table of AVPs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/pkt.h"
#include "l2tp/msg.h"

/* RFC 3931 3.1 */
enum v3_msg_type {
	V3_ZLB, V3_SCCRQ, V3_SCCRP, V3_SCCCN, V3_STOPCCN, V3_HELLO = 6, V3_OCRQ, V3_OCRP, V3_OCCN, V3_ICRQ, V3_ICRP, V3_ICCN,
	V3_CDN = 14, V3_WEN, V3_SLI, V3_ACK = 20, V3_N_MSGS
};

/* RFC 3931 5.4, in the order in which they are sent: bit numbers of the masks below, not attribute types. */
enum v3_avp {
	V3_AVP_MSG_TYPE, V3_AVP_RANDOM_VECTOR, V3_AVP_RESULT_CODE, V3_AVP_TIE_BREAKER, V3_AVP_NONCE, V3_AVP_HOST_NAME,
	V3_AVP_ROUTER_ID, V3_AVP_VENDOR_NAME, V3_AVP_ASSIGNED_CC_ID, V3_AVP_RWS, V3_AVP_PW_CAPS, V3_AVP_LANGUAGE,
	V3_AVP_LOCAL_SESSION_ID, V3_AVP_REMOTE_SESSION_ID, V3_AVP_COOKIE, V3_AVP_SERIAL, V3_AVP_REMOTE_END_ID, V3_AVP_PW_TYPE,
	V3_AVP_L2SPEC, V3_AVP_SEQUENCING, V3_AVP_TX_SPEED, V3_AVP_RX_SPEED, V3_AVP_PHYSICAL_CHANNEL, V3_AVP_CIRCUIT_STATUS,
	V3_AVP_CIRCUIT_ERRORS, V3_N_AVPS
};

#define V3_BIT(avp) (UINT32_C(1) << (avp))

/* 5.4.4 and IANA; each is also a bit of the masks of pseudowire capabilities. */
enum v3_pw { V3_PW_VLAN = 4, V3_PW_ETHERNET = 5, V3_PW_PPP = 7 };
/* 5.4.5, RFC 5641 */
enum { V3_CIRCUIT_ACTIVE = 1, V3_CIRCUIT_NEW = 2 };
/* 5.4.4 L2-Specific Sublayer, Data Sequencing */
enum { V3_L2SPEC_NONE, V3_L2SPEC_DEFAULT };
enum { V3_SEQ_NONE, V3_SEQ_NON_IP, V3_SEQ_ALL };
/* 5.4.1 Digest Type */
enum v3_digest { V3_HMAC_MD5, V3_HMAC_SHA1 };
/* 5.4.2: beside those of L2TPv2 in proto.h */
enum { V3_CDN_TIE_LOST = 13, V3_CDN_PW_TYPE, V3_CDN_SEQUENCING, V3_CDN_FSM };

enum { V3_HDR_LEN = 12, V3_DIGEST_AT = V3_HDR_LEN + 8, V3_COOKIE_MAX = 8 };

struct v3_cookie { uint8_t len, octets[V3_COOKIE_MAX]; };	/* len: 0, 4 or 8 */

/* Numbers are in host order.  Spans point into the datagram or the scratch buffer. */
struct v3_msg {
	uint32_t cc_id;				/* Control Connection ID of the header: the receiver's */
	uint16_t ns, nr;
	uint16_t type;				/* enum v3_msg_type, or a number that we do not know */
	uint16_t type_vendor;			/* 5.4.1: not 0 in a vendor's message */
	bool type_m;				/* the M bit of Message Type */
	bool v2;				/* 4.7.3: an SCCRQ that both versions can read */

	/* What the decoder found; bits are V3_BIT(enum v3_avp). */
	uint32_t present;		/* AVPs that were in the message (encode: that go into it) */
	uint32_t hidden;		/* of these: which were hidden (encode: which to hide) */
	uint32_t unread;		/* hidden, and there was no key, vector or room */
	uint32_t missing;		/* AVPs that section 6 demands of this message */
	struct avp_odd odd;		/* what is wrong with them */
	uint8_t n_digests, digest_type[2];	/* encode: Message Digest AVPs to leave room for (0..2); v3_sign fills them in */

	struct l2tp_result result;
	uint8_t tie_breaker[L2TP_TIE_LEN];
	struct span random_vector, nonce, host_name, vendor_name, language;
	uint32_t router_id, assigned_cc_id, pw_caps;	/* pw_caps: mask of the types below 32 */
	uint16_t rws;
	uint16_t v2_tunnel_id;			/* encode with v2: Assigned Tunnel ID */

	uint32_t local_session_id, remote_session_id;	/* the sender's, the receiver's */
	struct v3_cookie cookie;
	uint32_t serial, physical_channel;
	struct span remote_end_id;
	uint16_t pw_type, l2spec, sequencing, circuit_status;
	uint64_t tx_speed, rx_speed;		/* bits per second, 0: not known */
	uint32_t circuit_errors[4];		/* hardware, buffer, time-out, alignment */
};

static inline bool v3_has(const struct v3_msg *m, enum v3_avp avp)
{
	return m->present & V3_BIT(avp);
}

/* Octets -> *m.  False: this is no control message that any peer may send (header, Length, or an AVP that leaves its
 * message); drop it.  True: the header is good, m->type is V3_ZLB or what Message Type says, and odd and unread say what
 * is wrong with the content, for the caller to judge.  The Ver field is 3, or 2 in an SCCRQ as of 4.7.3
 * (m->v2).  StopCCN and CDN never fail for their content.  Octets beyond Length are ignored.  Message Digests are not looked
 * at: v3_verify comes first.  hide_key: 5.3's shared key; empty if none, hidden AVPs are then only listed in unread.
 * scratch: L2TP_SCRATCH octets that live as long as m, or NULL. */
bool v3_decode(struct v3_msg *m, const void *buf, size_t len, struct span hide_key, uint8_t *scratch);

/* *m -> octets: Message Type, m->n_digests Message Digests of zeros, then all AVPs of m->present, with the M bits of section
 * 5.4.  AVPs in m->hidden that may be hidden are, with hide_key and m->random_vector (neither may be empty then).  Type
 * V3_ZLB gives a header alone.  Returns the length, or 0 when it does not fit in size or a value not into its AVP. */
size_t v3_encode(const struct v3_msg *m, void *buf, size_t size, struct span hide_key);

/* The Control Connection ID of an L2TPv3 control message, for demultiplexing; false when its header is wrong. */
bool v3_peek(const void *buf, size_t len, uint32_t *ret_cc_id);

/* Is this an SCCRQ with the Ver field 2 whose sender would rather speak L2TPv3 (4.7.3)? */
bool v3_offered(const void *buf, size_t len);

/* Length of a digest of this type, 0 for an unknown type. */
size_t v3_digest_len(unsigned type);
/* The name of an AVP. */
const char *v3_avp_name(enum v3_avp avp);
