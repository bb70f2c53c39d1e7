/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PPPoL2TP sockets (KERNEL.md 5.3): descriptors or 0, else -errno. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct k_addr;

/* -EAFNOSUPPORT, -EPROTONOSUPPORT: module l2tp_ppp is missing. */
int pppox_socket(void);
/* Makes the session in an existing tunnel and registers the PPP channel: from now on its frames stay in the kernel.
 * -ENOENT: no such tunnel; -EEXIST: session id taken.  peer only chooses the address family. */
int pppox_connect(int fd, const struct k_addr *peer, uint16_t tunnel_id, uint16_t session_id,
		  uint16_t peer_tunnel_id, uint16_t peer_session_id);
/* The same in a tunnel of L2TPv3; a session that netlink has made (with cookies, say) is taken up. */
int pppox_connect_v3(int fd, const struct k_addr *peer, uint32_t tunnel_id, uint32_t session_id, uint32_t peer_tunnel_id,
		     uint32_t peer_session_id);
/* All three explicitly: in LAC mode the peer's first sequenced packet may already have changed send_seq (5.5). */
int pppox_mode(int fd, bool lns_mode, bool send_seq, bool recv_seq);
/* The channel's index.  Binds the channel; costs an RCU grace period on current kernels. */
int pppox_channel(int fd, int *ret_channel);
