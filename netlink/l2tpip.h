/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets of L2TPv3 directly over IP, protocol 115 (RFC 3931 4.1.1): descriptors (non-blocking, close-on-exec) or -errno.
 *
 * A socket of the kernel's l2tp_ip gets control messages of the one Control Connection ID that it is bound to, so a peer that
 * is not yet known could not be heard beyond its first message.  So one raw socket per local address hears all
 * control messages, of strangers and of tunnels, and the sockets of l2tp_ip hear nothing: they send (the kernel puts the
 * zero Session ID in front) and carry the data messages, which never come up. */
#pragma once

#include <stdint.h>

struct k_addr;

/* ret_fd[0] hears: IPv4 header (not IPv6's), zero Session ID, control message; who has it cannot send by it.  ret_fd[1] sends
 * to any address.  0 or -errno; *ret_call: what failed.  Main thread: raises CAP_NET_RAW for a moment. */
int l2tpip_listen(const struct k_addr *local, int ret_fd[2], const char **ret_call);
/* A tunnel's own socket, bound and connected by address and Control Connection ID. */
int l2tpip_connect(const struct k_addr *local, const struct k_addr *peer, uint32_t tunnel_id, uint32_t peer_tunnel_id,
		   uint32_t mark, const char **ret_call);
