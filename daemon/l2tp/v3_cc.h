/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An L2TPv3 control connection and its calls (RFC 3931 4.2-4.4, 4.7.3, 7): what cc.h does not say for both versions.  The
 * octets are control messages from their header on: over UDP that is the datagram, over IP its owner adds and takes off 32
 * bits of zeros. */
#pragma once

#include "l2tp/cc.h"

struct ho_entry;

/* Borrowed for the life of the cc.  Zero in a number means the default named here. */
struct v3_conf {
	struct cc_conf cc;		/* what both versions have; secret: empty: no authentication; max_retries: 10 (4.2) */
	struct span secret2;		/* accepted beside the first, for a change of secrets (5.4.1); may be empty */
	enum v3_digest digest;		/* what our SCCRQ is signed with; the answer to another's is signed like it */
	uint32_t router_id;		/* ours, 5.4.3 */
	uint32_t pw_caps;		/* mask of 1 << enum v3_pw; Ethernet, Ethernet VLAN and PPP */
};

/* Payloads of effects. */
struct v3_fx_request { uint32_t peer_session_id; uint8_t role; struct v3_call_info info; };
struct v3_fx_sli { uint32_t session_id; uint16_t circuit_status; };
struct v3_fx_wen { uint32_t session_id; uint32_t errors[4]; };	/* 5.4.5 Circuit Errors */

/* Fills cc; conf and env stay the caller's, secrets are not needed any more afterwards.  tunnel_id: our Control
 * Connection ID, not 0. */
void v3_cc_init(struct cc *cc, const struct env *env, const struct v3_conf *conf, uint32_t tunnel_id);
/* Frees what the engine allocated, wipes its keys; forgets all calls (without effects). */
void v3_cc_done(struct cc *cc);

/* cc_open() with an SCCRQ that, unless v2_tunnel_id is 0, an L2TPv2 peer can read too, with this Assigned Tunnel ID (4.7.3). */
int v3_cc_open(struct cc *cc, ms_t now, uint16_t v2_tunnel_id);
/* Take over a half-open entry whose SCCCN was valid: the cc is wait-ctl-conn and the caller passes that SCCCN to
 * v3_cc_input next, which establishes it. */
void v3_cc_accept(struct cc *cc, ms_t now, const struct ho_entry *e);
/* One control message from the peer (the owner has checked its source).  Anything may be in it: without a good Message
 * Digest, where there is a secret, it is dropped and counted, and nothing else happens. */
void v3_cc_input(struct cc *cc, ms_t now, const void *buf, size_t len);
/* The pseudowire types of a configuration, its default resolved. */
uint32_t v3_pw_caps(const struct v3_conf *conf);

/* Start a call of ours: sends ICRQ (V3_ICRQ_SENDER) or OCRQ (V3_OCRQ_SENDER) with what info and info->own say; the octets of a
 * cookie are drawn here for its len (0, 4 or 8).  The call stays the caller's and must live until its CALL_DOWN was drained.
 * -ENOTCONN: cc not established; -EPROTONOSUPPORT: the peer did not offer this pseudowire type; -EEXIST: session_id is in use;
 * -EALREADY: the peer asks for the same Remote End ID: answer that. */
int v3_call_open(struct cc *cc, struct call *call, ms_t now, enum v3_role role, uint32_t session_id,
		 const struct v3_call_info *info);
/* Answer an L2TP_FX_CALL_REQUEST with a call of ours: sends ICRP or OCRP.  own: as info->own above.  -ECANCELED: the peer withdrew
 * it meanwhile; -EEXIST: session_id is in use.  On failure the call is untouched and has no effects. */
int v3_call_answer(struct cc *cc, struct call *call, ms_t now, const struct v3_fx_request *rq, uint32_t session_id,
		   const struct v3_side *own);
/* Refuse it: CDN with cause (nothing if it was withdrawn); leaves nothing behind. */
void v3_call_refuse(struct cc *cc, ms_t now, const struct v3_fx_request *rq, const struct l2tp_cause *cause);
/* Tell the peer of the circuit's status (6.14) or its errors (6.13); only on an established call. */
void v3_call_sli(struct cc *cc, struct call *call, ms_t now, uint16_t circuit_status);
void v3_call_wen(struct cc *cc, struct call *call, ms_t now, const uint32_t errors[4]);
