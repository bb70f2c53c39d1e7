/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets that strangers and dialled peers talk to, and the one demultiplexer
 * through which every datagram goes, whichever socket it came from. */
#pragma once

#include "core/ctx.h"

struct listener {
	struct listener *next;
	struct ctx *ctx;
	struct endpoint local;
	int fd;					/* -1 until the keeper has opened it */
	int tx;					/* what is sent leaves by it: fd, or over IP one of its own */
	ev_io rx;
	unsigned uses;				/* by the configuration and by dials */
	bool configured;			/* accepts strangers */
	bool stale;				/* its keeper is gone: for last words, until the next one opens it */
	uint32_t id;				/* of the K_LISTEN request under way */
	int error;				/* -errno of the last attempt */
};

/* The listener at this address (port 0: an ephemeral one of its own), opened if need be; uses++.  NULL: memory. */
struct listener *listener_get(struct ctx *, const struct endpoint *local);
void listener_put(struct listener *);
/* Makes the listeners what the configuration says. */
void listeners_configure(struct ctx *);
/* K_LISTEN's completion; descriptors are the listener's from now on. */
void listener_opened(struct ctx *, const struct k_reply *, int fds[K_MAX_FDS]);
/* The keeper has it open for an earlier ktund: used, or given back by listeners_drop_unused.  fd is its own from now on
 * unless memory is short (false). */
bool listener_adopt(struct ctx *, const struct endpoint *local, int fd, int tx);
void listeners_drop_unused(struct ctx *);
/* After the keeper was lost: what is open serves to refuse callers; asked for again when it is back. */
void listeners_orphaned(struct ctx *);
void listeners_reopen(struct ctx *);
void listeners_free(struct ctx *);

/* Reads what waits on a socket and demultiplexes it; on: the listener answers are sent from. */
void demux_read(struct ctx *, int fd, struct listener *on);
