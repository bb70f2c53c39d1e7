/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two tables of half-open tunnels (l2tp/halfopen.h) as core has them: when entries expire, and their checkpoints.  Each is
 * written once, before its SCCRP leaves, and goes with its entry: strangers have no more of them than the tables have room for,
 * at most HO_RECORD_MAX octets each. */
#pragma once

#include "core/ctx.h"
#include "core/store.h"

/* Frees what has expired; (re)arms the timer for what will. */
void half_open_expire(struct ctx *);
void half_open_timer(struct ctx *);

/* The new entry with this id, of this version of L2TP, survives us. */
void half_open_keep(struct ctx *, unsigned version, uint32_t tunnel_id);
/* It left its table and nothing came of it. */
void half_open_drop(struct ctx *, uint32_t tunnel_id);
/* It left its table and is a tunnel: the slot is that one's, to be written over in the same turn; 0: there is none. */
uint32_t half_open_slot(struct ctx *, uint32_t tunnel_id);
/* All of them into a store that has none yet. */
void half_open_keep_all(struct ctx *);
/* An earlier ktund's record: its peer goes on as if nothing had happened.  False: it cannot be read, or there is no room; the
 * record is dropped. */
bool half_open_adopt(struct ctx *, uint16_t id, uint32_t slot, struct span record);
