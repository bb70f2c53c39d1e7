/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnetlink: links, addresses, routes.  0 or -errno; nl->text has the kernel's words. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"

struct nl;

/* Marks routes as ours in the kernel's tables ("ip route" shows it as proto 107). */
enum { RTNL_PROTOCOL = 107 };

/* netns: a descriptor of the namespace to move to.  dormant, awake: the operational state, and that it stays so. */
struct rtnl_link {
	uint32_t ifindex;
	const char *name, *alias;
	uint16_t mtu;
	uint32_t group, master;
	int netns;
	bool up, dormant, awake;
};

/* Changes of one link in one system call; what is zero (name, alias NULL) is left alone.  A name needs a link that is down. */
int rtnl_link_set(struct nl *, const struct rtnl_link *);
/* Puts n links into a group, with one system call for many.  0, or -errno of what kept some of them out. */
int rtnl_links_group(struct nl *, const uint32_t *ifindex, unsigned n, uint32_t group);
int rtnl_link_delete(struct nl *, uint32_t ifindex);
/* All links of a group at once.  -ENODEV: there is none. */
int rtnl_group_delete(struct nl *, uint32_t group);
/* What a link is.  -ENODEV: none has this name.  default_pvid, vlan_filtering: of a bridge. */
struct rtnl_info { uint32_t ifindex, mtu; char kind[16]; bool vlan_filtering; uint16_t default_pvid; };
int rtnl_link_info(struct nl *, const char *name, struct rtnl_info *ret);
/* Its ifindex and MTU alone, by ioctl: in the thread's namespace, and without a turn under RTNL. */
int rtnl_link_find(const char *name, uint32_t *ret_ifindex, uint32_t *ret_mtu);
/* What this namespace calls the one of the descriptor, -1: nothing. */
int32_t rtnl_nsid(struct nl *, int netns);
/* Has it been set up?  No: it is down, or gone. */
bool rtnl_link_is_up(uint32_t ifindex);
/* The bridge's port carries vid's frames untagged and takes untagged ones for it; or, !add, has no part in vid. */
int rtnl_port_vlan(struct nl *, uint32_t ifindex, uint16_t vid, bool add);
/* Every link's ifindex and alias ("" if it has none). */
int rtnl_link_dump(struct nl *, int (*each)(uint32_t ifindex, const char *alias, void *arg), void *arg);
/* Every link's counters. */
int rtnl_stats_dump(struct nl *, int (*each)(uint32_t ifindex, const struct k_stats *, void *arg), void *arg);
int rtnl_stats(struct nl *, uint32_t ifindex, struct k_stats *ret);

/* IPv4 point-to-point address (network order), added and taken away; IPv6 fe80::ifid/64, peer_ifid 0: not told. */
int rtnl_address4_del(struct nl *, uint32_t ifindex, uint32_t ip, uint32_t peer_ip);
int rtnl_address4(struct nl *, uint32_t ifindex, uint32_t ip, uint32_t peer_ip);
int rtnl_address6(struct nl *, uint32_t ifindex, uint64_t ifid, uint64_t peer_ifid);

struct rtnl_route { struct k_addr dst, gateway; uint8_t prefix_len; bool has_gateway; uint32_t ifindex, metric; };

/* Adds a route of protocol RTNL_PROTOCOL; exclusive: -EEXIST when the destination has one, else ours comes first. */
int rtnl_route_add(struct nl *, const struct rtnl_route *, bool exclusive);
/* Deletes only a route of RTNL_PROTOCOL.  -ESRCH: there is none. */
int rtnl_route_delete(struct nl *, const struct rtnl_route *);
/* Today's path to a destination, as a host route to it.  -EHOSTUNREACH, -ENETUNREACH; -ELOOP: it is this machine. */
int rtnl_route_get(struct nl *, const struct k_addr *dst, uint32_t mark, struct rtnl_route *ret);
