/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One end of an L2TP tunnel in the simulated network: the engines, the simplest owner they can have,
 * and a tap that checks what every datagram must satisfy. */
#pragma once

#include "l2tp/v2_cc.h"
#include "l2tp/halfopen.h"
#include "lib/sim.h"

enum { END_CALLS = 128, END_FX_RAW = 1000 };	/* END_FX_RAW: in end_disk's out: a datagram that no tap sees */

struct end_call {
	struct call call;
	unsigned ups, downs;
	uint16_t session_id;
	ms_t bearer_at;
	struct l2tp_cause cause;
};

/* What an owner that can crash has written down, and what it has not sent yet. */
struct end_disk {
	struct l2tp_end *owner;		/* a copy of its plain data as it was; its engines are in: */
	uint8_t *record;
	size_t n, room;
	struct fxq out;			/* of this turn */
	bool has_cc;			/* it says something of the control connection */
	bool by_owner;			/* another owner writes the checkpoints and sends what is in out */
};

struct l2tp_end {
	struct sim *sim;
	int node;
	struct env env;
	struct cc_conf conf;
	struct halfopen *ho;			/* non-NULL: this end answers */
	struct cc cc;
	bool has_cc;
	uint16_t next_id;
	unsigned lost;				/* effects got lost: this end gave up, as an owner must */
	unsigned refuse;			/* percent of calls */
	unsigned bearer_ms;			/* at most so long until a placed call answers */
	struct end_call call[END_CALLS];
	unsigned n_calls;
	unsigned crash;				/* percent of turns in which it crashes */
	bool redial;				/* it has, before it was through to its peer: it begins anew */
	struct end_disk *disk;			/* owned; made by end_can_crash */
	void (*hear)(void *owner, const struct fx *);	/* non-NULL: sees each effect after it was performed */
	void *owner;

	unsigned ups, downs, gones, accepted, refused, notes, slis, wens, sccrps;
	ms_t down_at;
	struct l2tp_cause cause;

	/* what the tap saw; all must stay 0 */
	unsigned stale_nr, window, zlb_answered, unknown_down, twice;
	unsigned crashes, half_open_crashes;	/* half_open_crashes: of these, with a half-open tunnel */
	uint16_t acked, last_nr;		/* highest Nr that reached us; last Nr sent */
};

void end_init(struct l2tp_end *e, struct sim *s, int node, bool answers);
void end_done(struct l2tp_end *e);
/* Perform and count all effects, then acknowledge: after every order given to e->cc. */
void end_drain(struct l2tp_end *e);
/* From here on it writes a checkpoint at the end of each turn, before anything leaves, and crashes now and then: before
 * the checkpoint is written, before the datagrams have left, in between, or after that.  Half-open tunnels are in it; one that
 * it opens and that is not established is not: it opens another. */
void end_can_crash(struct l2tp_end *e, unsigned percent);
/* An L2TP_FX_TX of disk->out leaves. */
void end_send(struct l2tp_end *e, const struct fx *f);
int end_call(struct l2tp_end *e, enum call_role role);
void end_close_call(struct l2tp_end *e, unsigned i);
/* Sum of the counters that must be 0. */
unsigned end_faults(const struct l2tp_end *e);
/* Nothing unacknowledged, nothing waiting, no timer but HELLO. */
bool end_quiet(const struct l2tp_end *e);
