/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads for calls that block: each costs RCU grace periods or waits for RTNL, so they run side by side
 * (KERNEL.md 5.9 d).  Jobs start in order; what a job may touch is in the job alone, the table is the main thread's. */
#pragma once

#include <stdbool.h>

#include "nl.h"

/* A close waits 25 to 40 ms: where 2000 links go in a second, so many wait at a time.  Those beyond what a set-up needs start
 * when many go at once. */
enum { WORKERS_MAX = 160, WORKER_STACK = 512 * 1024 };

struct workers;

/* Embedded in what the job works on; the owner frees it after workers_done_next(). */
struct job {
	struct job *next;
	void (*run)(struct job *, struct nl *);	/* in a thread; nl is that thread's own */
	void (*done)(struct job *, void *arg);	/* for the owner, in the main thread; not called here */
};

/* threads: at most so many, 1..WORKERS_MAX; they start when there is work.  NULL: errno says why. */
struct workers *workers_new(unsigned threads);
/* Waits for what is running and queued, joins all; jobs not collected stay the caller's.  NULL is fine. */
void workers_free(struct workers *);
/* Readable (poll) when jobs have ended. */
int workers_fd(const struct workers *);
void workers_run(struct workers *, struct job *);
/* The next job that has ended, NULL when there is none now. */
struct job *workers_ended(struct workers *);
/* Jobs given and not yet collected. */
unsigned workers_busy(const struct workers *);
