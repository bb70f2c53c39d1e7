/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strangers: tunnels between their SCCRQ and a valid SCCCN, in a bounded table.
 * An entry costs no descriptor, no timer and no retransmission: SCCRP is sent
 * only in answer to an SCCRQ (which the LAC repeats), at most 1.5 octets for
 * each octet received, so that a forged source gains nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/pkt.h"
#include "l2tp/cc.h"
#include "l2tp/msg.h"

/* Where a datagram came from and where it arrived; compared as octets, so zero what is unused. */
struct ho_addr {
	uint8_t family;			/* 4 or 6 */
	uint8_t pad;
	uint16_t peer_port, local_port;	/* host order */
	uint16_t pad2;
	uint32_t mark, ifindex;		/* SO_RCVMARK; scope of link-local addresses, else 0 */
	uint8_t peer[16], local[16];	/* network order, IPv4 in the first 4 octets */
};

struct ho_limits {
	unsigned total;			/* entries in all; 4096 */
	unsigned per_prefix;		/* per /24 or /56; 64 */
	unsigned expire_ms;		/* 30000 */
	unsigned replies_per_s;		/* SCCRP in all; 2000 */
};

enum { HO_NO_POLICY = UINT16_MAX };	/* none is matched yet (ho_restore) */

/* What a peer's SCCRQ said; kept until its SCCCN. */
struct ho_entry {
	struct ho_addr from;
	uint32_t tunnel_id, peer_tunnel_id;	/* 16 bits of them in L2TPv2 */
	uint16_t peer_rws;
	uint16_t policy;		/* the caller's number for the matched peer, or HO_NO_POLICY */
	uint32_t policy_gen;		/* generation of the configuration that number belongs to */
	uint32_t framing_caps, bearer_caps;
	uint16_t firmware;
	bool challenged;		/* we sent one; challenge[] holds it */
	uint8_t challenge[16];
	ms_t since;
	char host_name[64];		/* cleaned, cut */
	char vendor_name[32];		/* cleaned, cut */
	uint8_t challenge_len;		/* octets of challenge[] that were sent */
	uint8_t host_digest[16];	/* of the whole Host Name, to tell retransmission from another host */
	struct {			/* L2TPv3; challenge[] is our nonce then */
		uint32_t router_id, pw_caps;	/* Router ID; mask of pseudowire types below 32 */
		uint8_t key, digest;		/* which of our keys its SCCRQ was signed with, and how */
		uint8_t nonce_len, nonce[64];	/* the peer's */
	} v3;
	/* implementation's links follow */
	int32_t next_id, next_addr, age_prev, age_next;
	bool used;
};

enum ho_verdict {
	HO_REPLY,	/* send the reply */
	HO_DROP,	/* say nothing: malformed, or over a global limit */
	HO_LIMIT,	/* the limit of half-open tunnels per address is reached; say nothing, count it.  When he asks again the
			 * oldest of that address makes room: forged SCCRQs in his name do not keep him out */
	HO_ACCEPTED,	/* SCCCN valid: *ret copies the entry, which has left the table (its tunnel_id is the caller's) */
	HO_REFUSED,	/* SCCCN with a wrong or no Challenge Response: *ret as above; reply: a StopCCN 4 to send once */
	HO_UNKNOWN,	/* no entry has that tunnel id */
};

struct halfopen;

/* NULL when memory is short.  env is borrowed. */
struct halfopen *ho_new(const struct env *env, const struct ho_limits *limits);
void ho_free(struct halfopen *);

/* An SCCRQ (decoded, len octets on the wire).  tunnel_id: a free id of ours to use when it is new; *ret_used tells whether it
 * was taken.  per_addr: how many half-open entries its source address may have.  conf: host name, secret, rws of the matched
 * peer.  The reply (SCCRP) goes into buf[size], *ret_len octets. */
enum ho_verdict ho_sccrq(struct halfopen *, ms_t now, const struct ho_addr *from, const struct l2tp_msg *m, size_t len,
			 const struct cc_conf *conf, uint16_t policy, uint32_t policy_gen, unsigned per_addr,
			 uint16_t tunnel_id, bool *ret_used, void *buf, size_t size, size_t *ret_len);

/* StopCCN in answer to an SCCRQ that nobody has anything against but that cannot be served now; its length, 0: say nothing.  As
 * all that goes to strangers it is at most 1.5 times as long and counts as a reply. */
size_t ho_refuse_sccrq(struct halfopen *, ms_t now, const struct l2tp_msg *m, size_t len, uint16_t result, uint16_t error,
		       void *buf, size_t size);

/* Any other control message whose header names tunnel id m->tunnel_id.  Only an in-order SCCCN from the same address counts;
 * StopCCN from the same address with the right Ns removes the entry (HO_DROP). conf must be the matched peer's. */
enum ho_verdict ho_scccn(struct halfopen *, ms_t now, const struct ho_addr *from, const struct l2tp_msg *m,
			 const struct cc_conf *conf, struct ho_entry *ret, void *buf, size_t size, size_t *ret_len);

/* StopCCN with these codes, to be sent once, for an entry that ho_scccn returned and nobody wants; its length. */
size_t ho_stopccn(const struct ho_entry *, uint16_t result, uint16_t error, const char *msg, void *buf, size_t size);

/* The entry with this tunnel id, or NULL; valid until the next call. */
const struct ho_entry *ho_find(const struct halfopen *, uint32_t tunnel_id);
/* The only one from there, or NULL; as above. */
const struct ho_entry *ho_find_only(const struct halfopen *, const struct ho_addr *from);

/* Frees expired entries, and the oldest while the table is full.  From half full on an eighth of it may be newcomers each
 * second, whoever they are, and who asks again is let in: a flood from many sources does not ask again, so it keeps nobody
 * out, and pushes out nobody before he has had time to answer.  Call it before ho_sccrq when ho_deadline is over.
 * ids[] receives up to n tunnel ids that became free (call again while it returns n). */
unsigned ho_expire(struct halfopen *, ms_t now, uint32_t *ids, unsigned n);
ms_t ho_deadline(const struct halfopen *);
unsigned ho_count(const struct halfopen *);
/* The next younger one, NULL at first; NULL: there is none.  Until the next call of another function. */
const struct ho_entry *ho_next(const struct halfopen *, const struct ho_entry *after);
/* How many of them the policy with this number admitted; looks at all. */
unsigned ho_count_policy(const struct halfopen *, uint16_t policy);
