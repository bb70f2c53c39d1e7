/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration Options as rows of a table: one row says how a value stands on
 * the wire and in struct ppp, and what to think of the peer's.  Shared by LCP
 * and the NCPs.  An option without a row is unknown: Configure-Reject. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pkt.h"

struct cp;
struct cp_proto;
struct ppp;

enum opt_kind {
	OPT_FLAG,		/* no value; uint8_t */
	OPT_U16, OPT_U32,	/* host order */
	OPT_ADDR, OPT_IFID,	/* 4 and 8 octets as they stand on the wire; uint32_t, uint64_t */
	OPT_AUTH,		/* RFC 1661 6.2; uint8_t of enum ppp_auth, PPP_AUTH_N: one we do not know */
};

enum opt_verdict { OPT_ACK, OPT_NAK, OPT_REJ };

#define OPT_NOWHERE UINT16_MAX

struct opt_row {
	uint8_t type, kind;
	uint16_t mine, theirs;	/* offsetof(struct ppp, ...) of what we ask for, what the peer asked for; or OPT_NOWHERE */
	/* The peer asks for v.  For OPT_NAK *want is what we would Ack.  Must not change anything but take chance. */
	enum opt_verdict (*judge)(const struct ppp *, uint64_t v, uint64_t *want);
	/* The peer does not ask for it: true when *want is to be appended to a Configure-Nak (RFC 1661 5.3). */
	bool (*missing)(const struct ppp *, uint64_t *want);
	/* The peer Naks our value with v: set what we ask for next; false: stop asking.  NULL: never change. */
	bool (*nak)(struct ppp *, uint64_t v);
	/* The peer Rejects it, or we have stopped asking. */
	void (*dropped)(struct ppp *);
};

/* A judged Configure-Request.  answer: octets of the Nak or Reject. */
struct opt_judgement {
	enum opt_verdict verdict;
	size_t n;
	uint8_t answer[1500];
};

/* False when the option list itself is broken: such a packet is dropped (RFC 1661 5). */
bool opt_wellformed(struct span options);
/* Judges a Configure-Request; nothing in ppp changes. */
void opt_judge(const struct ppp *, const struct cp *, const struct cp_proto *, struct span options,
	       bool no_naks, struct opt_judgement *ret);
/* Takes over what the peer asked for: options that have been judged OPT_ACK. */
void opt_absorb(struct ppp *, const struct cp_proto *, struct span options);
/* Our Configure-Request into buf; its length. */
size_t opt_propose(const struct ppp *, const struct cp *, const struct cp_proto *, uint8_t *buf, size_t n);
/* The peer Naks or Rejects options of our newest Configure-Request; give_up: a Nak is taken for a Reject, it has
 * been one too many.  True when our next request differs. */
bool opt_refused(struct ppp *, struct cp *, const struct cp_proto *, struct span options, bool reject, bool give_up);
