/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is admitted, and how often: run-time state beside the configuration. */
#pragma once

#include <uthash.h>

#include "core/ctx.h"
#include "core/tunnel.h"

/* A configuration lives while somebody points into it.  conf_get returns its argument. */
struct config *conf_get(struct config *);
void conf_put(struct config *);

/* What is counted of a `peer` section (or a dialled tunnel's); kept by name over reloads. */
struct peer_stat {
	UT_hash_handle hh;
	unsigned tunnels, sessions;
	uint64_t accepted, refused;
	char last_refusal[96];
	char name[];
};

/* Never NULL but when memory is short. */
struct peer_stat *peer_stat_get(struct ctx *, const char *name);
void peer_stats_free(struct ctx *);

/* Admission by source address: a token bucket for SCCRQs, and how many tunnels it has. */
struct sources *sources_new(void);
void sources_free(struct sources *);
/* Takes one token; false: too fast. rate per second, burst in tokens. */
bool source_admit(struct sources *, ms_t now, const struct endpoint *, unsigned rate, unsigned burst);
/* Wrong passwords of an address: sixty, and then one a second.  source_may_guess: is its next proof to be looked at at all?
 * source_guessed_wrong: it was no good. */
bool source_may_guess(struct sources *, ms_t now, const struct endpoint *);
void source_guessed_wrong(struct sources *, ms_t now, const struct endpoint *);
/* How many tunnels this address has, and the newest of them (on by ->same_source).  Adding returns false when memory is
 * short. */
unsigned source_tunnels(const struct sources *, const struct endpoint *);
struct tunnel *source_first(const struct sources *, const struct endpoint *);
bool source_add(struct sources *, struct tunnel *);
void source_remove(struct sources *, struct tunnel *);

/* How many sessions a user has, by the name as authenticated. */
unsigned user_sessions(struct ctx *, const char *user);
bool user_add(struct ctx *, const char *user);		/* false when memory is short */
void user_remove(struct ctx *, const char *user);
void user_stats_free(struct ctx *);

/* core/authn.c: does this proof belong to a user of the configuration?  The user, or NULL; reply: MS-CHAPv2's authenticator
 * response.  Takes the same time whether the name exists or not. */
const struct conf_user *authn_check(const struct config *, const struct ppp_fx_auth *, uint8_t reply[20]);
