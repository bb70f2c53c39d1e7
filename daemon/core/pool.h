/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses to give away: one bitmap per pool of the configuration, and a table
 * of who has what.  A user gets his last address again while it is free.
 * Addresses are in network order; 0 is none.  owner is a session's id, never 0,
 * so that an audit can ask for leaks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct config;
struct pools;

struct pool_stat { const char *name; uint32_t size, used, free; };

/* Empty; NULL when memory is short. */
struct pools *pools_new(void);
void pools_free(struct pools *);

/* Makes the pools those of this configuration.  What is taken stays taken, also where a pool, or an address of it, is
 * no more: that address is forgotten when it is given back.  conf is not kept.  -ENOMEM: nothing changed. */
int pools_update(struct pools *, const struct config *conf);

/* A free address of this pool, preferably the one that user (may be NULL or "") had last; 0: none free, no such pool, or no
 * memory. */
uint32_t pool_take(struct pools *, const char *name, const char *user, uint32_t owner);
/* Exactly this address, of a pool or of none (a user's fixed address).  False: somebody else has it, or no memory; an
 * owner may claim again what he has. */
bool pool_claim(struct pools *, uint32_t addr, uint32_t owner);
/* Gives it back; nothing happens unless it is owner's. */
void pool_give(struct pools *, uint32_t addr, uint32_t owner);
/* Who has it; 0: nobody. */
uint32_t pool_owner(const struct pools *, uint32_t addr);

/* The i-th pool in the configuration's order; false: there is none.  The name lives until the next pools_update. */
bool pool_stat(const struct pools *, unsigned i, struct pool_stat *ret);
/* Addresses taken in all, those of no pool included. */
uint32_t pools_taken(const struct pools *);
/* Calls each for every taken address, so that an audit can compare with the sessions. */
void pools_walk(const struct pools *, void (*each)(void *arg, uint32_t addr, uint32_t owner), void *arg);
