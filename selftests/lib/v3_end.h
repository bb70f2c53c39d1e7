/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One end of an L2TPv3 control connection in the simulated network: the engines, the simplest owner they can have, and a tap
 * that checks what every message must satisfy. */
#pragma once

#include "l2tp/v3_halfopen.h"
#include "lib/sim.h"

enum { V3_END_CALLS = 128 };

struct v3_end_call {
	struct call call;
	unsigned ups, downs;
	uint32_t session_id;
	ms_t placed_at;
	struct l2tp_cause cause;
};

struct v3_end {
	struct sim *sim;
	int node;
	struct env env;
	struct v3_conf conf;
	struct halfopen *ho;			/* non-NULL: this end answers */
	struct cc cc;
	bool has_cc, deaf_owner;		/* deaf_owner: requests are left unanswered */
	uint32_t next_id;
	unsigned refuse;			/* percent of calls */
	unsigned crash;				/* percent: before what comes next the table of half-open ones is read back
						 * from checkpoints, and nobody is to notice */
	unsigned place_ms;			/* at most so long until a placed call answers */
	uint8_t cookie_len;			/* of answered calls */
	struct v3_end_call call[V3_END_CALLS];
	unsigned n_calls;
	struct v3_fx_request last_request;
	void (*tap)(void *arg, int from, const void *buf, size_t len);	/* non-NULL: sees each message before the network */
	void *tap_arg;

	unsigned ups, downs, gones, accepted, refused, notes, slis, wens, sccrps, fallbacks, dropped, ho_forged;
	unsigned lost;				/* effects got lost: this end gave up, as an owner must */
	ms_t down_at;
	struct l2tp_cause cause;
	uint16_t circuit_status;

	/* what the tap saw; all must stay 0 */
	unsigned stale_nr, window, ack_answered, unknown_down, twice, unsigned_out, zlb_out;
	uint16_t acked, last_nr;		/* highest Nr that reached us; last Nr sent */
};

void v3_end_init(struct v3_end *e, struct sim *s, int node, bool answers);
void v3_end_done(struct v3_end *e);
/* After a change of conf, before anything else. */
void v3_end_reset(struct v3_end *e);
/* Perform and count all effects, then acknowledge: after every order given to e->cc. */
void v3_end_drain(struct v3_end *e);
void v3_end_open(struct v3_end *e);
/* A call to this Remote End ID (NULL: one of its own), with a cookie of so many octets. */
int v3_end_call(struct v3_end *e, enum v3_role role, const char *end_id, unsigned cookie_len);
void v3_end_close_call(struct v3_end *e, unsigned i);
/* Sum of the counters that must be 0. */
unsigned v3_end_faults(const struct v3_end *e);
/* Nothing unacknowledged, nothing waiting, no timer but HELLO. */
bool v3_end_quiet(const struct v3_end *e);
