/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loop.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* A turn has costs of its own: where datagrams come thick and fast they are taken together, a thousand times a second; longer,
 * and what waits for an answer leaves the kernel idle.  What comes after a pause is taken at once. */
#define PACE_S 0.001

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts))
		abort();		/* cannot happen on Linux; without a clock there is no protocol */
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

ms_t clock_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_wall(void)
{
	return (int64_t)(clock_ns(CLOCK_REALTIME) / 1000000000u);
}

/* libev does not tell its epoll descriptor; right after ev_loop_new it is the only one of its kind that is new. */
static int find_epoll(const bool *before, int n)
{
	char path[64], link[64];
	ssize_t len;

	for (int fd = 0; fd < n; fd++) {
		if (before[fd])
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, link, sizeof(link) - 1);
		if (len > 0 && len < (ssize_t)sizeof(link) && !memcmp(link, "anon_inode:[eventpoll]",
								     (size_t)len < 22 ? (size_t)len : 22))
			return fd;
	}
	return -1;
}

static void is_open(bool *open, int n)
{
	for (int fd = 0; fd < n; fd++)
		open[fd] = !lseek(fd, 0, SEEK_CUR) || errno != EBADF;
}

static void turn_begins(struct ev_loop *ev, ev_check *w, int revents)
{
	struct loop *l = w->data;

	(void)ev;
	(void)revents;
	l->began_ns = clock_ns(CLOCK_MONOTONIC);
	l->now = l->began_ns / 1000000;
}

static void turn_ends(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop *l = w->data;
	uint64_t took = clock_ns(CLOCK_MONOTONIC) - l->began_ns;

	(void)ev;
	(void)revents;
	if (l->began_ns && took > l->stall_ns)
		l->stall_ns = took;
	ev_set_io_collect_interval(l->ev, l->more ? 0 : PACE_S);
	l->more = false;
}

int loop_init(struct loop *l)
{
	enum { LOOK = 64 };
	bool open[LOOK];

	*l = (struct loop){ .epoll_fd = -1, .now = clock_ms() };
	is_open(open, LOOK);
	l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!l->ev)
		return -ENOMEM;
	l->epoll_fd = find_epoll(open, LOOK);
	ev_prepare_init(&l->before, turn_ends);
	ev_check_init(&l->after, turn_begins);
	ev_set_priority(&l->after, EV_MAXPRI);
	ev_set_priority(&l->before, EV_MINPRI);
	l->before.data = l->after.data = l;
	ev_prepare_start(l->ev, &l->before);
	ev_check_start(l->ev, &l->after);
	return 0;
}

void loop_done(struct loop *l)
{
	if (l->ev)
		ev_loop_destroy(l->ev);
	l->ev = NULL;
}

void loop_run(struct loop *l)
{
	ev_run(l->ev, 0);
}

void loop_stop(struct loop *l)
{
	ev_break(l->ev, EVBREAK_ALL);
}

static void fired(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct timer *t = w->data;

	(void)ev;
	(void)revents;
	t->due(t, t->arg);
}

void timer_init(struct timer *t, void (*due)(struct timer *, void *arg), void *arg)
{
	*t = (struct timer){ .due = due, .arg = arg };
	ev_timer_init(&t->w, fired, 0, 0);
	t->w.data = t;
}

void timer_set(struct loop *l, struct timer *t, ms_t at)
{
	if (at == NEVER) {
		ev_timer_stop(l->ev, &t->w);
		return;
	}
	if (ev_is_active(&t->w) && t->at <= at)
		return;				/* fires earlier than needed, and is set again then */
	ev_timer_stop(l->ev, &t->w);
	t->at = at;
	/* libev counts from the beginning of its turn, as we do; half a millisecond keeps it from firing just before */
	ev_timer_set(&t->w, at > l->now ? (double)(at - l->now) / 1000.0 + 0.0005 : 0, 0);
	ev_timer_start(l->ev, &t->w);
}

void timer_stop(struct loop *l, struct timer *t)
{
	if (t->due)
		ev_timer_stop(l->ev, &t->w);
}

void io_start(struct loop *l, ev_io *w, int fd, void (*cb)(struct ev_loop *, ev_io *, int), void *data)
{
	ev_io_init(w, cb, fd, EV_READ);
	w->data = data;
	ev_io_start(l->ev, w);
}

void io_forget(struct loop *l, ev_io *w, int fd)
{
	ev_io_stop(l->ev, w);
	if (l->epoll_fd >= 0)
		(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);	/* not yet in it is as good */
}

void io_close(struct loop *l, ev_io *w, int *fd)
{
	if (*fd < 0)
		return;
	io_forget(l, w, *fd);
	close(*fd);
	*fd = -1;
}
