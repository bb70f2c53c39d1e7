/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Generic netlink "l2tp" (KERNEL.md 5.2).  All return 0 or -errno; nl->text has the kernel's words. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"

struct nl;

/* A managed tunnel of version 2 or 3 on the bound and connected socket fd, of UDP or of protocol 115 (ip).  -EEXIST: the id
 * is taken; -EBUSY: the socket. */
int l2tp_tunnel_create(struct nl *, unsigned version, bool ip, uint32_t tunnel_id, uint32_t peer_tunnel_id, int fd);
/* -ENODEV: there is none.  Deletion goes on after the call: l2tp_tunnel_exists() tells when it is over. */
int l2tp_tunnel_delete(struct nl *, uint32_t tunnel_id);
int l2tp_session_delete(struct nl *, uint32_t tunnel_id, uint32_t session_id);
/* 1, 0, or -errno. */
int l2tp_tunnel_exists(struct nl *, uint32_t tunnel_id);
int l2tp_session_exists(struct nl *, uint32_t tunnel_id, uint32_t session_id);

/* The ends of a UDP tunnel as the kernel has them.  -ENODEV, -ENOENT: there is none. */
struct l2tp_ends { uint32_t peer_tunnel_id; struct k_addr local, peer; };
int l2tp_tunnel_get(struct nl *, uint32_t tunnel_id, struct l2tp_ends *ret);

/* What a notification or an entry of a dump speaks of; cmd is L2TP_CMD_*. */
struct l2tp_note { uint8_t cmd; uint32_t tunnel_id, session_id; };
/* One message (len octets) of the family; false: it is none. */
bool l2tp_note_decode(const void *msg, uint32_t len, int family, struct l2tp_note *ret);
/* All tunnels (or sessions) of this network namespace; each() returns 0 to go on. */
int l2tp_dump(struct nl *, bool sessions, int (*each)(const struct l2tp_note *, void *arg), void *arg);
