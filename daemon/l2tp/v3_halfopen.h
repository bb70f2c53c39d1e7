/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strangers who speak L2TPv3, between their SCCRQ and a valid SCCCN: the same table, bounds and restraint as halfopen.h, with
 * Control Message Authentication (RFC 3931 4.3) before anything else where there is a secret.  A table serves one version. */
#pragma once

#include "l2tp/halfopen.h"
#include "l2tp/v3_cc.h"

/* An SCCRQ of len octets, and what v3_decode said of it: needed to find whose it may be, and so the conf that tells whether to
 * believe it.  cc_id: a free id of ours to use when it is new; *ret_used tells whether it was taken.  per_addr: how many
 * half-open entries its source address may have.  The reply (SCCRP) goes into out[size], *ret_len octets.
 * HO_REFUSED: its Message Digest is wrong or missing; say nothing, count it. */
enum ho_verdict v3_ho_sccrq(struct halfopen *, ms_t now, const struct ho_addr *from, const struct v3_msg *m, const void *buf,
			    size_t len, const struct v3_conf *conf, uint16_t policy, uint32_t policy_gen, unsigned per_addr,
			    uint32_t cc_id, bool *ret_used, void *out, size_t size, size_t *ret_len);

/* Any other control message of len octets whose header names an id of the table.  Only an in-order SCCCN from the same address
 * counts (HO_ACCEPTED: *ret copies the entry, which has left the table); a StopCCN with the right Ns removes the entry
 * (HO_DROP).  conf must be the matched peer's.  HO_REFUSED: its Message Digest is wrong or missing: say nothing, count it; the
 * entry stays. */
enum ho_verdict v3_ho_scccn(struct halfopen *, ms_t now, const struct ho_addr *from, const void *buf, size_t len,
			    const struct v3_conf *conf, struct ho_entry *ret);
