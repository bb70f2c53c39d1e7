/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a session's link goes once it is there: its MTU, a namespace, a VRF or a bridge, up. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct nl;

/* NULL or 0: not wanted.  The bridge or VRF is one of the namespace that the link moves to. */
struct attach { const char *netns, *vrf, *bridge; uint16_t vlan, mtu; bool up; };

/* Is everything there that it names?  0, or -errno with the reason in why[WHY_SIZE].  Changes nothing. */
int attach_check(const struct attach *, char *why);
/* Does it.  0, or -errno with the reason in why[WHY_SIZE]; what was done by then stays. */
int attach_link(struct nl *, const char *link, const struct attach *, char *why);
