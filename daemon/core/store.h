/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints in a memfd that the keeper holds for us: records of tunnels and
 * sessions, found again by the next ktund.  Written in turns: what was put or
 * dropped since the last store_commit counts together, or, when we die before
 * it, not at all.  Each slot has two halves and the half that counts is never
 * written to, so being killed in the middle of anything is harmless. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pkt.h"

enum store_kind { STORE_TUNNEL = 1, STORE_SESSION, STORE_ORDER, STORE_HALF_OPEN };	/* see ordered.h, half_open.h */

/* The largest record that is kept. */
enum { STORE_MAX = (8 << 20) - 64 };

struct store;

/* Takes over what is in the file (fd is duplicated; an empty one is made one of ours).  *ret_lost: why everything that was
 * in it was given up (static text), or NULL.  0 or -errno. */
int store_open(int fd, struct store **ret, const char **ret_lost);
/* Forgets the mapping, not the records; NULL is fine. */
void store_close(struct store *);

/* The record of an object, new or instead of the one in *slot (0: none yet).  -E2BIG, -ENOMEM: it has none from now on. */
int store_put(struct store *, uint32_t *slot, enum store_kind, uint16_t id, const void *record, size_t n);
/* It needs none any more; *slot becomes 0.  What was in it is wiped with the next store_commit. */
void store_drop(struct store *, uint32_t *slot);
/* From here on a crash leaves what was put and dropped until now; costs nothing when that is nothing. */
void store_commit(struct store *);

/* One record after the other; *cursor is 0 at first.  The record lives until the next put or drop. */
bool store_next(const struct store *, uint32_t *cursor, enum store_kind *ret_kind, uint16_t *ret_id, uint32_t *ret_slot,
		struct span *ret_record);

/* An id went into quarantine (seconds of the monotonic clock, 0: is out of it); when one did.  Outside of the turns. */
void store_rest(struct store *, enum store_kind, uint16_t id, uint32_t seconds);
uint32_t store_rested(const struct store *, enum store_kind, uint16_t id);

struct store_stat { size_t octets; unsigned records; };
void store_stat(const struct store *, struct store_stat *ret);
