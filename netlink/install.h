/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker thread does for one tunnel or session: the calls in their order, and all of them undone when one
 * fails.  Knows no table and no client.  0 or -errno with why[WHY_SIZE] telling which call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"

struct nl;
struct pins;

/* The kernel's side of a session.  Descriptors are owned; -1: none. */
struct installed {
	int pppox, channel, unit_fd;
	uint32_t ifindex, unit;		/* ifindex 0: the link is gone */
	char name[16];
	uint16_t mtu;
	uint32_t eth_tunnel, eth_session;	/* the kernel's ids of an Ethernet session, 0: it is PPP */
	bool pinned, audited;		/* audited: known before the audit began */
	bool away;			/* the link is in another network namespace, and ifindex 0 */
	int32_t nsid;			/* which we know as this, -1: not known */
};

/* What a session must know of its tunnel.  instance: whose links they are (journal.h); NULL: unmarked. */
struct tunnel_ends { struct k_addr peer; uint32_t peer_tunnel_id, mark; const char *instance; };

/* *ret_fd: the connected UDP socket. */
int install_tunnel(struct nl *, const struct k_request *, int *ret_fd, char *why);
/* The same with what belongs to it: an alias (port 0: none), then the gate; *r gets the alias's port. */
struct aliases;
struct alias;
struct gate;
struct gate_tunnel;
int raise_tunnel(struct nl *, struct k_request *r, struct aliases *, const struct alias *, struct gate *,
		 const struct gate_tunnel *, int *ret_fd, char *why);
/* gone: the kernel's tunnel vanished before; only the socket is left.  Returns when the id is free again; false: it is not
 * after two seconds. */
bool remove_tunnel(struct nl *, uint16_t tunnel_id, int fd, bool gone);

/* pins may be NULL if nothing is to be pinned. */
int install_session(struct nl *, const struct k_request *, const struct tunnel_ends *, struct pins *,
		    struct installed *ret, char *why);
/* Applies what is set in *link.  After a failure what came before it stays applied. */
int change_link(struct nl *, const struct k_link *, const struct tunnel_ends *, struct pins *, struct installed *,
		char *why);
/* Deletes the links of n sessions together: one RTNL round instead of one each.  group: a number no foreign link has. */
void remove_links(struct nl *, const uint32_t *ifindex, unsigned n, uint32_t group);
/* The rest of a session, after its link. */
void remove_session(struct nl *, struct installed *, const struct tunnel_ends *, struct pins *);
