/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The half of the keeper's conversation that ktund links.  No libnl here, no thread, nothing blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"

struct keeper_client;

/* Connects to the keeper's socket (non-blocking, close-on-exec).  -ENOENT or -ECONNREFUSED: none serves it. */
int keeper_connect(const char *socket_path, struct keeper_client **ret);
void keeper_disconnect(struct keeper_client *);
/* For the event loop: readable always; writable while keeper_wants_write(). */
int keeper_fd(const struct keeper_client *);
bool keeper_wants_write(const struct keeper_client *);
/* Queues one request (copied, only the octets its op needs travel).  -ENOMEM; -EPIPE when the keeper is gone. */
int keeper_submit(struct keeper_client *, const struct k_request *);
/* Writes what is queued.  -EPIPE when the keeper is gone; noticing that drops the queue and returns 0 once, so that
 * what the keeper said at last (why it refused) is received before keeper_receive()'s own -EPIPE. */
int keeper_flush(struct keeper_client *);
/* The next reply: 1 and *ret, fds[] (the caller's from now on, close-on-exec, non-blocking; -1 where none); 0: none now;
 * -EPIPE: the keeper is gone; -EPROTO: it talks nonsense. */
int keeper_receive(struct keeper_client *, struct k_reply *ret, int fds[K_MAX_FDS]);
