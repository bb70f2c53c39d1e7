/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's tunnels and sessions by generic netlink "l2tp", for who works without a daemon, and for the keeper's Ethernet
 * sessions: all that there are, and making unmanaged ones, whose sockets the kernel opens itself (KERNEL.md 5.2).  All return
 * 0 or -errno; nl->text has the kernel's words.  -ENOENT: the kernel has no L2TP (module l2tp_netlink; asking loads it). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"

struct nl;

/* Values are the kernel's; those of pseudowires are RFC 4591's and RFC 4719's. */
enum kobj_encap { KOBJ_UDP, KOBJ_IP };
enum kobj_pw { KOBJ_PW_NONE, KOBJ_PW_VLAN = 4, KOBJ_PW_ETHERNET = 5, KOBJ_PW_PPP = 7 };
enum kobj_l2spec { KOBJ_L2SPEC_NONE, KOBJ_L2SPEC_DEFAULT };

struct kobj_stats {
	uint64_t tx_packets, tx_octets, tx_errors, rx_packets, rx_octets, rx_errors;
	uint64_t rx_seq_discards, rx_oos_packets, rx_cookie_discards, rx_invalid;
};

struct kobj_tunnel {
	uint32_t tunnel_id, peer_tunnel_id;
	uint8_t version;			/* 2 or 3 */
	uint16_t encap;				/* enum kobj_encap */
	struct k_addr local, peer;		/* family 0: the kernel did not say; ports: UDP only */
	bool csum;				/* UDP over IPv4 */
	bool csum6_tx, csum6_rx;		/* UDP over IPv6 */
	struct kobj_stats stats;
};

struct kobj_session {
	uint32_t tunnel_id, peer_tunnel_id, session_id, peer_session_id;
	uint16_t pw;				/* enum kobj_pw */
	uint8_t l2spec;				/* enum kobj_l2spec; only for making one, the kernel does not tell it */
	uint8_t cookie_len, peer_cookie_len;	/* 0, 4 or 8: RFC 3931 4.1 */
	uint8_t cookie[8], peer_cookie[8];
	bool send_seq, recv_seq, lns_mode;
	uint64_t reorder_ms;
	char name[16];				/* "": the kernel's choice, or no link */
	struct kobj_stats stats;
};

/* Every tunnel, every session of the network namespace; each() returns 0 to go on. */
int kobj_tunnels(struct nl *, int (*each)(const struct kobj_tunnel *, void *arg), void *arg);
int kobj_sessions(struct nl *, int (*each)(const struct kobj_session *, void *arg), void *arg);
/* One of them.  -ENODEV: there is none. */
int kobj_tunnel_get(struct nl *, uint32_t tunnel_id, struct kobj_tunnel *ret);
int kobj_session_get(struct nl *, uint32_t tunnel_id, uint32_t session_id, struct kobj_session *ret);
/* -EEXIST: the id is taken.  What the version or the encapsulation has no use for is not sent. */
int kobj_tunnel_add(struct nl *, const struct kobj_tunnel *);
int kobj_session_add(struct nl *, const struct kobj_session *, uint8_t version);
/* Returns when it is gone, so that its id and port are free again.  -ENODEV: there was none. */
int kobj_tunnel_delete(struct nl *, uint32_t tunnel_id);
int kobj_session_delete(struct nl *, uint32_t tunnel_id, uint32_t session_id);
