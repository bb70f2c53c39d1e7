/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several tunnels between the same two addresses and ports, on kernels before 6.11: these look for a session only in
 * the tunnel whose socket took the datagram, and all datagrams of one 4-tuple go to one socket.  So every tunnel but
 * the first gets an alias: its socket is connected to a port that the peer does not have, and nf_tables puts this
 * port into its data messages on their way in (told apart by the Tunnel ID, RFC 2661 3.1) and takes it out on
 * their way out.  Control messages stay as they are, and so does everything sent with an explicit address.
 *
 * The rewriting is stateless and invisible to conntrack.  In: after conntrack and DNAT, before the early look-up of
 * sockets; a fragment is rewritten if it is the first, and the rest need not be.  Out: before conntrack.  An IPsec
 * policy that names the peer's port is looked up with the alias and does not match: such peers need 6.11. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"

struct aliases;
struct table;

/* The real ends, the peer's port that stands for them (0: none), and our own Tunnel ID. */
struct alias { struct k_addr local, peer; uint16_t port, tunnel_id; };

/* Main thread.  The table of rules is ours alone, whoever else is in this namespace, and the kernel removes it when
 * this process ends, however it does.  NULL: no memory. */
struct aliases *aliases_new(void);
/* All at once.  NULL is fine. */
void aliases_free(struct aliases *);

/* Main thread.  The alias for a new tunnel between r->tunnel's ends: a port in host order, 0 if it needs none, or
 * -ENOSPC. */
int alias_choose(const struct aliases *, const struct table *, const struct k_request *r);
/* Any thread: these wait for each other and for the kernel.  alias_add() comes after the tunnel's socket was connected:
 * what arrives before goes to user space from the peer's real port.  0 or -errno with why[WHY_SIZE]. */
int alias_add(struct aliases *, const struct alias *, char *why);
/* After the socket was closed: what it sends without the rule would go to the wrong port. */
void alias_del(struct aliases *, uint16_t tunnel_id);
