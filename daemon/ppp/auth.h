/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Authentication in both directions.  authenticator: we ask who the peer is
 * (the owner judges); peer: we prove who we are (RFC 1994 1.2's words). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/pkt.h"

struct ppp;
struct ppp_fx_auth;

enum auth_state { AUTH_OFF, AUTH_WAIT, AUTH_CHECK, AUTH_OK, AUTH_FAILED };

enum { CHAP_CHALLENGE = 1, CHAP_RESPONSE, CHAP_SUCCESS, CHAP_FAILURE };
enum { PAP_REQ = 1, PAP_ACK, PAP_NAK };

/* Plain data. */
struct authenticator {
	ms_t deadline;			/* repeats the Challenge */
	uint8_t proto, state;		/* enum ppp_auth, enum auth_state */
	uint8_t id, tries;
	uint8_t challenge[16];
	uint8_t reply_code, reply_len;	/* the verdict as sent, for repeated requests */
	uint8_t reply[160];
};

struct auth_peer {
	ms_t deadline;			/* repeats the Authenticate-Request or Response */
	uint8_t proto, state;
	uint8_t id, first_id, tries;
	bool responded;			/* a Response for id is out */
	uint8_t challenge[16];		/* MS-CHAPv2: of the Response that is out */
	uint8_t value_len, value[49];	/* that Response */
	uint8_t expect[20];		/* what "S=" must say (RFC 2759 8.7) */
	bool old_responded;		/* the Response before: Challenges may overtake each other */
	uint8_t old_id, old_expect[20];
};

/* LCP is Opened with these two protocols (enum ppp_auth; either may be none). */
void auth_start(struct ppp *, uint8_t authenticator, uint8_t peer);
/* LCP is gone; nothing is pending any more. */
void auth_stop(struct ppp *);
void auth_tick(struct ppp *);
/* Both directions have what they wanted. */
bool auth_done(const struct ppp *);

/* One packet whose protocol has been negotiated in at least one direction. */
void pap_input(struct ppp *, uint8_t code, uint8_t id, const uint8_t *data, size_t n);
void chap_input(struct ppp *, uint8_t code, uint8_t id, const uint8_t *data, size_t n);
void pap_send_request(struct ppp *);
void chap_send_challenge(struct ppp *);
void chap_send_response(struct ppp *);
/* Asks the owner about the peer, whose name has up to 255 octets; NULL when it is not the time to ask. */
struct ppp_fx_auth *auth_check(struct ppp *, uint8_t id, struct span name);
/* Sends ->reply (again). */
void auth_repeat_reply(struct ppp *, uint8_t id);
/* Fills ->reply from the owner's verdict. */
void pap_reply(struct ppp *, bool ok, struct span msg);
void chap_reply(struct ppp *, bool ok, const uint8_t *reply, struct span msg);
/* The direction in which the peer judges us has ended; msg is the peer's. */
void auth_peer_verdict(struct ppp *, bool ok, struct span msg);
