/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PPP frames through descriptors of /dev/ppp that the keeper handed over.  Needs no privileges. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PPPIO_MAX = 4096 };	/* octets of information that pppio_write() takes */

/* One frame from a channel or unit descriptor: its protocol number (host order) and its information field in buf.
 * size: of buf, 2 more than the longest field wanted; a longer frame is -EMSGSIZE and lost.  Returns the field's
 * length (0 is possible), -EAGAIN when there is none, -EPIPE when channel or unit is dead (KERNEL.md 5.1: read gives
 * 0 octets), else -errno. */
ssize_t pppio_read(int fd, uint16_t *ret_protocol, void *buf, size_t size);
/* One frame out: two octets of protocol, then the information field (len octets).  0 or -errno. */
int pppio_write(int fd, uint16_t protocol, const void *information, size_t len);
