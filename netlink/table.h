/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is installed: tunnels and sessions by their ids, sessions also by their link.  Main thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "install.h"
#include "keeper.h"

enum object_state {
	OBJECT_COMING,		/* a thread installs it */
	OBJECT_UP,
	OBJECT_CHANGING,	/* a thread changes its link */
	OBJECT_GOING,		/* a thread removes it */
};

struct waiting;

struct tunnel {
	uint16_t id, first_session;	/* of its sessions, 0: none */
	uint16_t next_from;		/* another of the same peer's address, or of one with the same hash */
	uint16_t alias;			/* the peer's port as the kernel sees it (alias.h), 0: the real one */
	uint32_t old_mark;		/* of the SA before, 0: none; the gate still takes it */
	uint8_t state;
	bool gone;			/* the kernel's tunnel vanished behind our back */
	int fd;
	uint32_t slot;			/* in the journal */
	unsigned n_sessions;
	struct k_request *was;		/* only the octets it needs */
	struct waiting *wait;		/* requests for when it is no longer busy */
	struct origin *down;		/* who wants it down, when GOING */
};

struct session {
	uint16_t id, tunnel_id, next, prev;	/* its neighbours in the tunnel */
	uint32_t wire_id;		/* in data messages and in the kernel's tables; in L2TPv2 it is id */
	uint16_t next_by_link, next_by_wire;
	uint8_t state;
	bool gone, doomed;		/* doomed: goes down with its tunnel as soon as it is idle */
	bool link_down;			/* table_link_down() */
	struct installed in;
	struct k_request *was;
	struct waiting *wait;
	struct origin *down;
	struct session *next_unlink;
};

struct table;

/* NULL: no memory.  table_free() frees memory only; NULL is fine. */
struct table *table_new(void);
void table_free(struct table *);
struct tunnel *table_tunnel(const struct table *, uint32_t tunnel_id);
struct session *table_session(const struct table *, uint32_t session_id);
struct session *table_on_wire(const struct table *, uint32_t tunnel_id, uint32_t wire_id);
/* A new object in state COMING with a copy of *was; NULL: no memory.  The id must be free (and the tunnel there). */
struct tunnel *table_add_tunnel(struct table *, const struct k_request *was);
struct session *table_add_session(struct table *, const struct k_request *was);
void table_del_tunnel(struct table *, struct tunnel *);
void table_del_session(struct table *, struct session *);
/* The session's link is known (ifindex) or no longer there (0). */
void table_set_link(struct table *, struct session *, uint32_t ifindex);
/* Somebody has set the session's link down, or up again; how many are down. */
void table_link_down(struct table *, struct session *, bool down);
unsigned table_links_down(const struct table *);
struct session *table_by_link(const struct table *, uint32_t ifindex);
/* The tunnels of a peer's address, whatever its port, among a few others: from NULL to NULL. */
struct tunnel *table_next_from(const struct table *, const struct k_addr *peer, const struct tunnel *);
unsigned table_tunnels(const struct table *);
unsigned table_sessions(const struct table *);
/* How many routes the session has with those of add; Ethernet: none. */
unsigned table_routes(const struct session *s, const struct k_link *add);
/* An Ethernet session's link is its user's to configure, but for how the circuit beyond it is. */
bool table_may_set(const struct session *, const struct k_link *);
/* A session's remembered request takes in what a K_LINK_SET changed.  -ENOSPC: too many routes in all; -ENOMEM. */
int table_merge_link(struct session *, const struct k_link *);
/* A copy of the octets of *r that its operation needs; NULL: no memory. */
struct k_request *request_copy(const struct k_request *r);
