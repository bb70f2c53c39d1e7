/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rel.h"

#include <stdlib.h>
#include <string.h>

#include "base/pkt.h"
#include "l2tp/proto.h"
#include "l2tp/v3_auth.h"

enum { NS_AT = 8, NR_AT = 10 };			/* 3.1: where the header has them */
/* How long an early message is worth keeping (5.8 "may be queued"): as long as datagrams overtake each other.  One whose
 * turn comes later comes again, as it is not acknowledged; what somebody forged for later must not take its place. */
enum { EARLY_MS = 250, DUP_ACK_MS = 100 };
enum { FULL = 65536, FULL_CALL = 512 };		/* octets; the second for each call: its request, reply and CDN */

void *l2tp_alloc(size_t n)
{
	return malloc(n);
}

static struct rel_msg *keep(const void *buf, size_t len, uint16_t ns)
{
	struct rel_msg *m = l2tp_alloc(sizeof(*m) + len);

	if (!m)
		return NULL;
	*m = (struct rel_msg){ .ns = ns, .len = (uint16_t)len };
	memcpy(m->data, buf, len);
	return m;
}

void rel_free(struct rel_msg *m)
{
	free(m);
}

void rel_init(struct rel *r, uint16_t rws, unsigned max_retries, uint32_t rto_ms, uint32_t rto_cap_ms)
{
	*r = (struct rel){ .rws = rws, .max_retries = (uint8_t)(max_retries < 255 ? max_retries : 255),
			   .rto_ms = rto_ms, .rto_cap_ms = rto_cap_ms, .rto = rto_ms, .cwnd = 1,
			   .retransmit_at = NEVER, .ack_at = NEVER };
	rel_peer_window(r, L2TP_DEFAULT_RWS);
}

static void free_list(struct rel_msg *m)
{
	while (m) {
		struct rel_msg *next = m->next;

		rel_free(m);
		m = next;
	}
}

void rel_done(struct rel *r)
{
	free_list(r->tx);
	free_list(r->early);
	r->tx = r->tx_tail = r->tx_next = r->early = NULL;
	r->una = r->nxt = r->ns;
	r->n_tx = r->tx_octets = r->n_early = 0;
	r->retransmit_at = NEVER;
}

void rel_peer_window(struct rel *r, uint16_t rws)
{
	r->peer_rws = rws > INT16_MAX ? INT16_MAX : rws ? rws : 1;
	r->ssthresh = r->peer_rws;		/* Appendix A: slow start up to the advertised window */
}

static uint16_t window(const struct rel *r)
{
	return r->urgent || r->cwnd > r->peer_rws ? r->peer_rws : r->cwnd;
}

static void transmit(struct rel *r, ms_t now, struct fxq *out)
{
	while (r->tx_next && (uint16_t)(r->nxt - r->una) < window(r)) {
		struct rel_msg *m = r->tx_next;
		void *sent;

		if (r->nxt == r->ns)
			m->ns = r->ns++;	/* it leaves for the first time */
		r->nxt++;
		r->tx_next = m->next;
		put_u16(m->data + NS_AT, m->ns);
		put_u16(m->data + NR_AT, r->nr);	/* 5.8: a retransmission carries the current Nr */
		sent = fx_push(out, REL_FX_TX, m->data, m->len);
		if (sent && r->auth)
			v3_sign(r->auth, sent, m->len);
		r->ack_due = false;
		if (r->retransmit_at == NEVER)
			r->retransmit_at = now + r->rto;
	}
}

/* Appendix A: slow start doubles the window per round trip, congestion avoidance adds one. */
static void open_window(struct rel *r)
{
	if (r->cwnd >= r->peer_rws)
		return;
	if (r->cwnd >= r->ssthresh && ++r->cwnd_acks < r->cwnd)
		return;
	r->cwnd++;
	r->cwnd_acks = 0;
}

void rel_ack(struct rel *r, ms_t now, uint16_t nr, struct fxq *out)
{
	if (nr == r->una || (uint16_t)(nr - r->una) > (uint16_t)(r->ns - r->una))
		return;			/* nothing new, or what was never sent */
	if ((uint16_t)(r->nxt - r->una) < (uint16_t)(nr - r->una))
		r->nxt = nr;		/* what was to be retransmitted had arrived after all */
	while (r->una != nr) {
		struct rel_msg *m = r->tx;

		r->tx = m->next;
		if (r->tx_next == m)
			r->tx_next = m->next;
		r->n_tx--;
		r->tx_octets -= m->len;
		r->una++;
		rel_free(m);
	}
	if (!r->tx)
		r->tx_tail = NULL;
	r->retries = 0;
	r->alive = false;
	r->rto = r->rto_ms;
	r->retransmit_at = r->una == r->ns ? NEVER : now + r->rto;
	open_window(r);
	transmit(r, now, out);
}

static struct rel_msg *take_early(struct rel *r, struct rel_msg **at)
{
	struct rel_msg *m = *at;

	*at = m->next;
	r->n_early--;
	return m;
}

/* 5.8: a retransmission is the same but for its Nr. */
static bool same_msg(const struct rel_msg *m, const uint8_t *buf, size_t len)
{
	return m->len == len && !memcmp(m->data, buf, NR_AT) && !memcmp(m->data + NR_AT + 2, buf + NR_AT + 2, len - NR_AT - 2);
}

/* A copy of an early message, in its place.  Of two that claim one Ns neither is believed: the peer's comes again.
 * Short of memory it is as if it had been lost. */
static void keep_early(struct rel *r, ms_t now, uint16_t ns, const void *buf, size_t len)
{
	struct rel_msg **at = &r->early, *m;

	while (*at && (uint16_t)((*at)->ns - r->nr) < (uint16_t)(ns - r->nr))
		at = &(*at)->next;
	if (*at && (*at)->ns == ns) {
		bool dispute;

		m = take_early(r, at);
		dispute = now - m->since <= EARLY_MS && !same_msg(m, buf, len);
		rel_free(m);
		if (dispute)
			return;
	}
	m = len <= L2TP_MSG_MAX ? keep(buf, len, ns) : NULL;	/* longer than any need be: it comes again */
	if (!m)
		return;
	m->since = now;
	m->next = *at;
	*at = m;
	r->n_early++;
}

static void owe_ack(struct rel *r, ms_t at)
{
	r->ack_at = r->ack_due ? ms_min(r->ack_at, at) : at;
	r->ack_due = true;
}

enum rel_rx rel_rx(struct rel *r, ms_t now, uint16_t ns, uint16_t nr, const void *buf, size_t len,
		   struct fxq *out)
{
	uint16_t ahead = (uint16_t)(ns - r->nr);

	if ((ahead < 0x8000 && ahead && ahead >= r->rws) || (int16_t)(nr - r->ns) > 0)
		return REL_IGNORE;
	owe_ack(r, ahead < 0x8000 || now >= r->dup_ack_at ? now : r->dup_ack_at);
	if (!ahead)
		r->nr++;
	rel_ack(r, now, nr, out);
	if (!ahead)
		return REL_NEW;
	if (ahead >= 0x8000)
		return REL_DUP;		/* 5.8: acknowledged again, its acknowledgement may have been lost */
	keep_early(r, now, ns, buf, len);
	return REL_EARLY;
}

struct rel_msg *rel_next(struct rel *r, ms_t now)
{
	while (r->early && (int16_t)(r->early->ns - r->nr) <= 0) {
		struct rel_msg *m = take_early(r, &r->early);

		if (m->ns == r->nr && now - m->since <= EARLY_MS) {
			r->nr++;
			owe_ack(r, now);	/* something may have left since the one before it */
			return m;
		}
		rel_free(m);
	}
	return NULL;
}

static void drop_waiting(struct rel *r)
{
	struct rel_msg *last = NULL, *m = r->tx;

	for (uint16_t n = r->una; n != r->ns; n++) {
		last = m;
		m = m->next;
	}
	while (m) {
		struct rel_msg *next = m->next;

		r->n_tx--;
		r->tx_octets -= m->len;
		rel_free(m);
		m = next;
	}
	if (last)
		last->next = NULL;
	else
		r->tx = NULL;
	r->tx_tail = last;
	if (r->nxt == r->ns)
		r->tx_next = NULL;
}

void rel_tx(struct rel *r, ms_t now, const void *buf, size_t len, bool urgent, uint32_t limit,
	    struct fxq *out)
{
	struct rel_msg *m;

	if (urgent) {
		drop_waiting(r);
		r->urgent = true;
	}
	m = r->n_tx < limit ? keep(buf, len, 0) : NULL;
	if (!m) {
		r->lost = true;
		return;
	}
	if (r->tx_tail)
		r->tx_tail->next = m;
	else
		r->tx = m;
	r->tx_tail = m;
	if (!r->tx_next)
		r->tx_next = m;
	r->n_tx++;
	r->tx_octets += (uint32_t)len;
	transmit(r, now, out);
}

bool rel_full(const struct rel *r, unsigned n_calls)
{
	return r->tx_octets > FULL + FULL_CALL * n_calls;
}

bool rel_tick(struct rel *r, ms_t now, struct fxq *out)
{
	if (now < r->retransmit_at)
		return true;
	if (r->retries >= r->max_retries) {
		if (!r->alive)
			return false;
		r->alive = false;
		r->retries = 0;
	}
	r->retries++;
	r->ssthresh = r->cwnd > 1 ? r->cwnd / 2 : 1;	/* Appendix A: congestion */
	r->cwnd = 1;
	r->cwnd_acks = 0;
	r->nxt = r->una;
	r->tx_next = r->tx;
	r->rto = r->rto > r->rto_cap_ms / 2 ? r->rto_cap_ms : r->rto * 2;
	r->retransmit_at = now + r->rto;
	transmit(r, now, out);
	return true;
}

bool rel_acknowledge(struct rel *r, ms_t now)
{
	if (!r->ack_due || now < r->ack_at)
		return false;
	r->ack_due = false;
	r->dup_ack_at = now + DUP_ACK_MS;
	return true;
}

ms_t rel_deadline(const struct rel *r)
{
	return r->ack_due ? ms_min(r->ack_at, r->retransmit_at) : r->retransmit_at;
}
