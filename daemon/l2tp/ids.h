/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Assigned ids: random over 1..65535 (L2TPv2) or 1..2^32-1 (L2TPv3), unique while in
 * use, and not given again for a quarantine after release (RFC 2661 3.1 and RFC 3931
 * 4.1 leave their choice to us; guessable or early reused ids let late or forged
 * packets reach another's session). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"

struct ids;

/* 16-bit or 32-bit ids; quarantine in ms.  NULL when memory is short.  env is borrowed. */
struct ids *ids_new(const struct env *env, ms_t quarantine);
struct ids *ids_new32(const struct env *env, ms_t quarantine);
void ids_free(struct ids *);
/* A fresh id, or 0 when none is free.  O(1) on average, a thousand steps when nearly all 16-bit ids are taken. */
uint32_t ids_take(struct ids *, ms_t now);
/* A free id at random that is not taken yet (0: none): for when only ids_claim will tell whether it is used. */
uint32_t ids_pick(struct ids *, ms_t now);
/* Marks one id as used (adopted from an earlier life); false when it was. */
bool ids_claim(struct ids *, uint32_t id);
/* Gives an id back into quarantine. */
void ids_drop(struct ids *, uint32_t id, ms_t now);
/* As ids_drop, but at once when more than half of all ids are not free: for those that strangers had, who could otherwise use
 * up all there are by leaving and coming again. */
void ids_leave(struct ids *, uint32_t id, ms_t now);
/* Gives an id back at once: for one that nobody but a stranger without a tunnel was ever told. */
void ids_release(struct ids *, uint32_t id);
unsigned ids_used(const struct ids *);
