/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all_sim.c and all_crash.c share, and nobody else includes. */
#pragma once

#include "lib/all_sim.h"

enum all_kind {
	EV_PLACE, EV_VERDICT,
	EV_UDP, EV_CHANNEL,			/* a frame to read from the tunnel's socket; from the channel */
	EV_TUNNEL_MAKE, EV_TUNNEL_UP, EV_TUNNEL_UNMAKE, EV_TUNNEL_DOWN,
	EV_MAKE, EV_CONNECT, EV_UP, EV_SET, EV_UNMAKE, EV_DOWN,
};

enum { ALL_FX_DATA = END_FX_RAW };		/* in end.disk->out: a data message */

void all_fault(struct all_side *x, const char *what);
struct all_event *all_at(struct all_side *x, enum all_kind kind, struct all_session *s, ms_t when);
struct call *all_call_of(const struct all_session *s);
void all_record(struct all_side *x, enum all_kind kind, struct all_session *s);
void all_maybe_free(struct all_session *s);
void all_session_remove(struct all_session *s);
void all_tunnel_uninstall(struct all_side *x);
void all_start_ppp(struct all_session *s);
void all_verdict(struct all_session *s, bool ok);
void all_apply(struct all_session *s);
void all_ppp_drain(struct all_session *s);

/* all_crash.c: writes the checkpoint, sends what the turn has to say, and crashes in between if it is time. */
void all_turn_ends(struct all_side *x);
void all_crash_done(struct all_side *x);
