/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has and lets us do, for who looks for trouble without a keeper.  Changes nothing, but may have the kernel load
 * its modules, as the keeper would. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct nl;

/* Policies of XFRM.  open: of others, that let UDP of this port pass without IPsec before ours are asked. */
struct survey_policies { unsigned ours, others, open; };

/* 0 or -errno: -EPROTONOSUPPORT: the kernel has none (CONFIG_XFRM_USER). */
int survey_policies(struct nl *, uint16_t port, struct survey_policies *ret);
/* 0 or -errno: a PPPoL2TP socket; /dev/ppp; netlink "l2tp". */
int survey_pppox(void);
int survey_ppp(void);
int survey_l2tp(struct nl *);
