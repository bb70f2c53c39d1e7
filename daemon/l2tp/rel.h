/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reliable delivery of control messages (RFC 2661 5.8, Appendix A): Ns and Nr,
 * the peer's window, retransmission, and the queue of early arrivals.  Knows
 * no message but by its octets; its owner turns REL_* results into effects. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/fx.h"

struct v3_auth;

enum { REL_RWS_MAX = 64 };

/* The only allocation of this directory; NULL when memory is short.  free() ends it. */
void *l2tp_alloc(size_t n);

/* One control message, from its header on; allocated while unacknowledged or early. */
struct rel_msg {
	struct rel_msg *next;
	ms_t since;			/* an early one: when it came */
	uint16_t ns, len;
	uint8_t data[];
};

struct rel {
	uint16_t ns;			/* of the next new message to leave */
	uint16_t nr;			/* next Ns expected */
	uint16_t una;			/* oldest Ns not acknowledged */
	uint16_t nxt;			/* next Ns to (re)transmit: una <= nxt <= ns */
	uint16_t rws, peer_rws;
	uint16_t cwnd, ssthresh, cwnd_acks;	/* Appendix A */
	uint8_t retries, max_retries;
	uint8_t n_early;
	bool ack_due;			/* something numbered came since we last sent anything */
	bool alive;			/* the owner vouches for the peer: forgive one exhaustion */
	bool urgent;			/* the last message is queued: only the peer's window holds it back */
	bool lost;			/* sticky: memory ran out, or the peer lets the queue grow without end */
	uint32_t n_tx, tx_octets;	/* messages in tx, and their octets */
	uint32_t rto_ms, rto_cap_ms, rto;
	ms_t retransmit_at, ack_at;
	ms_t dup_ack_at;		/* before that repetitions are not acknowledged again */
	struct rel_msg *tx, *tx_tail;	/* una.. first, then those that wait for the window */
	struct rel_msg *tx_next;	/* the one that leaves next */
	struct rel_msg *early;		/* sorted by Ns */
	const struct v3_auth *auth;	/* what signs all that leaves, as Ns and Nr are in it; NULL in L2TPv2 */
};

/* What leaves is appended to out as effects of this type. */
enum { REL_FX_TX = 0 };

enum rel_rx { REL_NEW, REL_DUP, REL_EARLY, REL_IGNORE };

/* rws: ours, 1..REL_RWS_MAX. */
void rel_init(struct rel *r, uint16_t rws, unsigned max_retries, uint32_t rto_ms, uint32_t rto_cap_ms);
/* Frees both queues: nothing is sent any more, but what arrives is still acknowledged. */
void rel_done(struct rel *r);

/* What a numbered message with these Ns and Nr is to us.  REL_NEW: it is the next one, and now counted.
 * REL_EARLY: a copy may wait a moment; it is not acknowledged before its turn, so that it comes again if need be.
 * Nr is taken unless REL_IGNORE: Ns is beyond our window, or Nr acknowledges what was never sent. */
enum rel_rx rel_rx(struct rel *r, ms_t now, uint16_t ns, uint16_t nr, const void *buf, size_t len,
		   struct fxq *out);
/* A ZLB's Nr. */
void rel_ack(struct rel *r, ms_t now, uint16_t nr, struct fxq *out);
/* The early message whose turn it is, now counted and the caller's (rel_free), or NULL. */
struct rel_msg *rel_next(struct rel *r, ms_t now);
void rel_free(struct rel_msg *m);

/* Queues an encoded message (Ns and Nr are filled in when it leaves) and sends what the window allows.
 * urgent: this is the last message; what waits is dropped.  limit: how many may be queued. */
void rel_tx(struct rel *r, ms_t now, const void *buf, size_t len, bool urgent, uint32_t limit,
	    struct fxq *out);
/* Does so much wait for the peer that it must not make us say more (take its requests) before it acknowledges some?  n_calls: how
 * many calls it has, for each of which something may have to be said. */
bool rel_full(const struct rel *r, unsigned n_calls);
/* The peer's Receive Window Size; 0 (which 4.4.3 forbids) counts as 1. */
void rel_peer_window(struct rel *r, uint16_t rws);
/* Retransmits when due.  False: the retries are exhausted (5.8). */
bool rel_tick(struct rel *r, ms_t now, struct fxq *out);
/* True: an acknowledgement is due now, and counts as sent: the caller sends it.  Repetitions alone cause one each DUP_ACK_MS at
 * most. */
bool rel_acknowledge(struct rel *r, ms_t now);
ms_t rel_deadline(const struct rel *r);
