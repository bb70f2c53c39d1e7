/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnels' UDP sockets (KERNEL.md 5.9 c): descriptors (non-blocking, close-on-exec) or -errno. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct k_addr;

/* The listener of an address: first of its reuseport group, with a program that gives it every datagram no connected
 * socket claims, so that a tunnel's socket between bind() and connect() never steals.  *ret_call: what failed. */
int udp_listen(const struct k_addr *local, const char **ret_call);
/* Another one of the listener's group, which gets nothing and sends with this mark. */
int udp_marked(const struct k_addr *local, uint32_t mark, const char **ret_call);
/* What it sends from now on has this mark: 0 or -errno. */
int udp_set_mark(int fd, uint32_t mark);
/* A tunnel's own socket, bound and connected. */
int udp_connect(const struct k_addr *local, const struct k_addr *peer, uint32_t mark, bool no_csum,
		const char **ret_call);
/* From now on each datagram is told with its mark and the address that it came to (family 4 or 6), as far as the kernel can. */
void socket_tells(int fd, unsigned family);
/* The port fd is bound to, in host order; 0: none. */
uint16_t socket_port(int fd);
