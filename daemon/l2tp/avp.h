/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVPs, which both versions write alike: header, hiding, and the kinds of value that are in both (RFC 2661 4.1-4.3, RFC 3931
 * 5.1-5.3).  Which AVPs there are is in msg.c and v3_msg.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/pkt.h"
#include "l2tp/proto.h"

enum { AVP_M = 0x8000, AVP_H = 0x4000, AVP_RSVD = 0x3c00, AVP_LEN = 0x03ff };
enum { L2TP_SCRATCH = 2048 };		/* room for what was hidden in one message */

/* Kinds of value; a version's own come behind. */
enum avp_kind { AVP_U16, AVP_U32, AVP_U64, AVP_TIE, AVP_BYTES, AVP_NAME, AVP_RESULT, AVP_N_KINDS };

struct l2tp_result { uint16_t result, error; struct span msg; };		/* RFC 2661 4.4.2, RFC 3931 5.4.2 */

/* What is wrong with the content of a message. */
struct avp_odd {
	uint16_t error, error_avp;	/* General Error Code of the first bad AVP (that matters: RFC 3931 7.1), and its type */
	uint16_t missing_avp;		/* type of the first AVP that must be in this message and is not; 0: none */
	bool unknown_m;			/* an unrecognised AVP had its M bit set: these name it */
	uint16_t unknown_vendor, unknown_avp;
};

static inline bool avp_any_odd(const struct avp_odd *odd)
{
	return odd->error || odd->missing_avp || odd->unknown_m;
}

/* Where decoding of one message stands. */
struct avp_reader {
	struct rd r;			/* what is left of the message */
	struct avp_odd *odd;
	struct span secret;		/* what AVPs are hidden with; may be empty */
	uint8_t *scratch;		/* L2TP_SCRATCH octets, or NULL */
	size_t used;			/* of scratch */
	bool lenient;			/* StopCCN, CDN: nothing in them is worth refusing them */
};

struct avp { unsigned bits, vendor, type; struct rd value; };

/* The next AVP; false at the end, or (d->r.bad) when it leaves its message. */
bool avp_next(struct avp_reader *d, struct avp *ret);
/* Notes an error (only the first counts); an AVP that nobody knows (only if it has its M bit). */
void avp_error(struct avp_odd *odd, enum l2tp_error error, unsigned type);
void avp_unknown(struct avp_odd *odd, const struct avp *a);

/* What becomes of a hidden AVP: its value, in d->scratch; it is as if it were absent, an error was noted; nobody can read it. */
enum avp_revealed { AVP_REVEALED, AVP_MALFORMED, AVP_UNREAD };
enum avp_revealed avp_reveal(struct avp_reader *d, struct avp *a, struct span vector);

/* A value into its field, which keeps its old value when the length is wrong (false).  BYTES, NAME and RESULT point into v. */
bool avp_get(enum avp_kind kind, void *to, struct rd v, bool lenient);
void avp_put(enum avp_kind kind, const void *from, struct wr *w);

/* An AVP is what is written between these.  bits: AVP_M, AVP_H: to be hidden with secret and vector, neither of which may be
 * empty then.  Sticky: w->bad when it does not fit, or is too long. */
uint8_t *avp_open(struct wr *w, unsigned bits, unsigned type);
void avp_close(struct wr *w, uint8_t *opened, struct span secret, struct span vector);

/* 4.3: the n octets of a Hidden AVP Subformat into out, hidden or back.  out may equal in. */
void l2tp_hide(uint8_t *out, const uint8_t *in, size_t n, uint16_t type, struct span secret,
	       struct span vector);
void l2tp_unhide(uint8_t *out, const uint8_t *in, size_t n, uint16_t type, struct span secret,
		 struct span vector);
