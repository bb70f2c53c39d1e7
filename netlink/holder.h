/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which process speaks for a tunnel: who holds its socket.  The kernel's own sockets, those of static tunnels, nobody holds. */
#pragma once

#include <sys/types.h>

struct kobj_tunnel;

struct holder { pid_t pid; char name[16]; };

/* 1: this one; 0: nobody.  Only UDP sockets can be told: the kernel lists no others.  Sees the processes that the caller may
 * look into (/proc/PID/fd). */
int holder_find(const struct kobj_tunnel *, struct holder *ret);
