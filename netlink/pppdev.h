/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /dev/ppp (KERNEL.md 5.6): channels and units.  Descriptors (non-blocking, close-on-exec) or 0, else -errno. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PPP_NP_IPV4 = 0x0021, PPP_NP_IPV6 = 0x0057 };	/* protocol numbers, RFC 1332 and RFC 5072 */

/* -ENOENT, -ENXIO, -ENODEV: module ppp_generic is missing; -EPERM: no CAP_NET_ADMIN. */
int pppdev_open(void);
int pppdev_attach_channel(int fd, int channel);
/* Makes a unit: the network link pppN, down. */
int pppdev_new_unit(int fd, uint32_t *ret_unit);
int pppdev_connect(int channel_fd, uint32_t unit);
/* Packets of the network protocol pass, or are dropped in silence. */
int pppdev_np_mode(int unit_fd, int protocol, bool pass);
int pppdev_mru(int unit_fd, uint16_t mru);
