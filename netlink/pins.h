/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host routes to tunnels' peers by the path of the day, so that routes through a tunnel cannot swallow the tunnel.
 * Counted by destination; only routes added here are ever removed.  Called by worker threads. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "rtnl.h"

struct journal;
struct nl;

struct pin {
	struct pin *next;
	struct k_addr peer;
	uint32_t mark;
	unsigned users;
	bool ours;		/* we added the route */
	uint32_t slot;		/* in the journal */
	struct rtnl_route route;
};

struct pins { pthread_mutex_t lock; struct pin *first; struct journal *journal; };

void pins_init(struct pins *);
/* Forgets all; removes no route. */
void pins_done(struct pins *);
/* One more user of a route to peer.  0 or -errno; a peer that needs none (this machine, link-local) is fine. */
int pins_take(struct pins *, struct nl *, const struct k_addr *peer, uint32_t mark);
/* The tunnels of this peer and mark have another mark now; the second one to say so finds it done. */
void pins_move(struct pins *, const struct k_addr *peer, uint32_t mark, uint32_t new_mark);
void pins_drop(struct pins *, struct nl *, const struct k_addr *peer, uint32_t mark);
