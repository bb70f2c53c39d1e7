/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our table in nf_tables: what stands before the kernel's L2TP.
 *
 * Whose data it is.  Since 6.11 the kernel finds a session by the ids in the packet alone, whichever socket of an L2TP
 * tunnel took it and wherever it came from: one peer could send into another's session.  So of the data messages (RFC
 * 2661 3.1) with the Tunnel ID of a tunnel of ours only those pass that come from its peer's address and port, with its
 * mark.  Data for other tunnels, control messages and version 3 pass (its sessions need an element each, or cookies).
 *
 * Nothing without IPsec, once more: what K_GUARD names and guard.c has the kernel block is dropped here as well, whoever
 * removed the policies.
 *
 * TCP connections that are forwarded through our links (group K_LINK_GROUP), or between networks that IPsec alone joins,
 * have their MSS lowered to what fits.
 *
 * The table is its socket's: nobody else can change it, "nft flush ruleset" passes it by, and it goes with the process. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"

struct tunnel;

struct gate {
	int fd;				/* the table's owner; -1: there is no table */
	uint32_t tag;			/* of the table's name */
	bool off;			/* not wanted (KTUND_KEEPER_GATE=0, for tests and comparisons) */
	pthread_mutex_t lock;
	bool nets;			/* chains for networks are there, or may be */
	uint8_t *known;			/* is this tunnel in the table? */
	uint16_t *port_users;		/* tunnels by our own port */
	struct gate_mark *marks;	/* tunnels by mark */
};

/* What a tunnel's data has; port: the peer's as the kernel sees it (alias.h); old_mark: still good for a while, 0: none. */
struct gate_tunnel { struct k_addr peer; uint16_t port, local_port, tunnel_id; uint32_t mark, old_mark; };

struct gate_counts { bool on; uint64_t foreign, plain_in, plain_out; };

/* Embedded. */
void gate_init(struct gate *);
/* The table goes, too. */
void gate_done(struct gate *);
/* Makes the table, unless its socket and tag are set: then it is there.  0, or -errno with why[WHY_SIZE]: then there is
 * none, and everybody passes. */
int gate_start(struct gate *, char *why);

struct gate_tunnel gate_tunnel_of(const struct tunnel *);
/* Any thread: they wait for each other.  Before the kernel has a session in the tunnel and when its alias is there, and when
 * the kernel no longer knows it.
 * 0 or -errno with why[WHY_SIZE]; 0, too, if there is no table. */
int gate_add(struct gate *, const struct gate_tunnel *, char *why);
void gate_del(struct gate *, const struct gate_tunnel *);
/* A mark is good beside old_mark; old_mark no longer is (0: what has no mark). */
int gate_mark(struct gate *, const struct gate_tunnel *, char *why);
void gate_old_mark(struct gate *, const struct gate_tunnel *);
/* It is in the table that we took over. */
int gate_adopt(struct gate *, const struct gate_tunnel *);

/* Main thread.  The rules of K_GUARD, before those there were (more) or instead of them.  0 or -errno; 0 without a table. */
int gate_plain(struct gate *, const struct k_guard *rule, unsigned n, bool more);
/* The packets dropped since the table was made; waits for nobody.  0 or -errno. */
int gate_count(const struct gate *, struct gate_counts *ret);
