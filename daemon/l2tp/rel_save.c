/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints of what rel.c keeps, for either version. */
#include <errno.h>

#include "l2tp/proto.h"
#include "l2tp/save.h"

enum { T_TX = 2, T_FIRST = 30, T_LAST = 40 };

#define ROW(tag, kind, member) REC_ROW(tag, kind, struct rel, member)
#define MAX(tag, member, max) REC_MAX(tag, struct rel, member, max)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct rec_row rows[] = {
	ROW(30, REC_U, ns), ROW(31, REC_U, nr), ROW(32, REC_U, una), ROW(33, REC_U, nxt), MAX(34, rws, REL_RWS_MAX),
	MAX(35, peer_rws, INT16_MAX), ROW(36, REC_U, cwnd), ROW(37, REC_U, ssthresh), ROW(38, REC_U, cwnd_acks),
	ROW(39, REC_BOOL, ack_due), ROW(40, REC_BOOL, urgent),
};

void rel_save(const struct rel *r, struct wr *w)
{
	rec_save(w, rows, COUNT(rows), r);
	for (const struct rel_msg *m = r->tx; m; m = m->next)
		rec_octets(w, T_TX, m->data, m->len);
}

bool rel_is_field(unsigned tag)
{
	return tag == T_TX || (tag >= T_FIRST && tag <= T_LAST);
}

void rel_load_begin(struct rel *r)
{
	rec_default(rows, COUNT(rows), r);
}

/* One message of ours that is not acknowledged, or waits for the window. */
static int load_tx(struct rel *r, struct span v)
{
	struct rel_msg *m;

	if (v.n < L2TP_HDR_LEN || v.n > L2TP_MSG_MAX)
		return -EBADMSG;
	m = l2tp_alloc(sizeof(*m) + v.n);
	if (!m)
		return -ENOMEM;
	*m = (struct rel_msg){ .len = (uint16_t)v.n };
	memcpy(m->data, v.p, v.n);
	if (r->tx_tail)
		r->tx_tail->next = m;
	else
		r->tx = m;
	r->tx_tail = m;
	r->n_tx++;
	r->tx_octets += m->len;
	return 0;
}

int rel_load(struct rel *r, unsigned tag, struct span v)
{
	if (tag == T_TX)
		return load_tx(r, v);
	return rec_load(rows, COUNT(rows), r, tag, v) ? 0 : -EBADMSG;
}

/* Numbers the messages that have left, and finds where transmission goes on.  What is unacknowledged leaves again at once,
 * and the peer has all its retries, as nobody listened. */
bool rel_load_end(struct rel *r, ms_t now)
{
	uint16_t sent = (uint16_t)(r->ns - r->una), due = (uint16_t)(r->nxt - r->una), n = 0;
	struct rel_msg *m;

	if (sent > r->n_tx || due > sent || !r->rws || !r->peer_rws || !r->cwnd)
		return false;
	r->tx_next = r->tx;
	for (m = r->tx; m && n < sent; m = m->next, n++) {
		m->ns = (uint16_t)(r->una + n);
		if (n < due)
			r->tx_next = m->next;
	}
	r->retries = 0;
	r->rto = r->rto_ms;
	r->retransmit_at = r->tx ? now : NEVER;
	r->ack_at = now;
	return true;
}
