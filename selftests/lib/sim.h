/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network in memory: seeded loss, duplication, delay (so reordering), in virtual time, between nodes
 * of any kind.  A seed reproduces everything. */
#pragma once

#include <stdbool.h>

#include "base/env.h"

enum { SIM_NODES = 2, SIM_MTU = 1500 };

struct sim_node {
	void *arg;
	void (*input)(void *arg, ms_t now, const void *buf, size_t len);
	void (*tick)(void *arg, ms_t now);
	ms_t (*deadline)(void *arg);
};

struct sim {
	ms_t now;
	uint64_t seed;
	unsigned loss, dup, delay_ms;		/* percent, percent, maximum one-way delay */
	struct sim_node node[SIM_NODES];
	unsigned sent[SIM_NODES], delivered;	/* datagrams */
	uint64_t octets[SIM_NODES];
	struct sim_flight *air;			/* a heap by time */
	size_t n_air, max_air;
};

void sim_init(struct sim *s, uint64_t seed);
void sim_done(struct sim *s);
/* The network carries these octets from a node to the other one, or loses them. */
void sim_send(struct sim *s, int from, const void *buf, size_t len);
/* Advances to the next thing that can happen, until nothing can or time is up. */
void sim_run(struct sim *s, ms_t until);
/* 0..n-1 */
unsigned sim_roll(struct sim *s, unsigned n);
/* Chance for an engine, drawn from the same seed. */
struct env sim_env(struct sim *s);
