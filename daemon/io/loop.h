/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thin layer over libev: one clock reading a turn, deadlines in monotonic
 * milliseconds, and how long the longest turn took.  The only caller of
 * clock_gettime. */
#pragma once

#include <stdbool.h>

#include <ev.h>

#include "base/env.h"

struct loop {
	struct ev_loop *ev;
	int epoll_fd;			/* libev's own; -1: not found */
	ms_t now;			/* when this turn began */
	uint64_t began_ns;
	uint64_t stall_ns;		/* the longest turn so far */
	bool more;			/* a callback has left work behind: the next turn begins at once */
	ev_prepare before;
	ev_check after;
};

/* One deadline.  Embed it; zero-initialised is idle. */
struct timer {
	ev_timer w;
	ms_t at;			/* when w fires; meaningless while idle */
	void (*due)(struct timer *, void *arg);
	void *arg;
};

/* -ENOMEM when libev cannot start. */
int loop_init(struct loop *);
void loop_done(struct loop *);
/* Runs until loop_stop. */
void loop_run(struct loop *);
void loop_stop(struct loop *);
/* Milliseconds now, read afresh. */
ms_t clock_ms(void);
/* Seconds since 1970. */
int64_t clock_wall(void);

void timer_init(struct timer *, void (*due)(struct timer *, void *arg), void *arg);
/* Calls due at or after this time; NEVER stops it.  A later time than the one that is set costs nothing: due may
 * come early, and sets it again. */
void timer_set(struct loop *, struct timer *, ms_t at);
void timer_stop(struct loop *, struct timer *);

/* Starts watching fd for reading.  cb gets w->data = data. */
void io_start(struct loop *, ev_io *, int fd, void (*cb)(struct ev_loop *, ev_io *, int), void *data);
/* Stops watching fd, which stays open.  Takes it out of epoll, too: see io_close. */
void io_forget(struct loop *, ev_io *, int fd);
/* Stops watching and closes *fd, then sets it to -1; -1 is fine.  Takes it out of epoll first: another process may still
 * hold the same open file, and epoll would go on reporting it. */
void io_close(struct loop *, ev_io *, int *fd);
