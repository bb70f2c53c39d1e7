/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker pool: every job once, side by side, nothing shared but the queues (meant to be run with TSan, too). */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "netlink/workers.h"

enum { JOBS = 2000 };

struct work { struct job job; unsigned in, out; unsigned ms; };

static int count, failed;

static void ok(bool good, const char *what)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++count, what);
	failed += !good;
}

static void square(struct job *j, struct nl *nl)
{
	struct work *w = (struct work *)j;

	(void)nl;
	if (w->ms)
		nanosleep(&(struct timespec){ .tv_nsec = w->ms * 1000000L }, NULL);
	w->out = w->in * w->in;
}

static unsigned collect(struct workers *w, unsigned n)
{
	unsigned got = 0, good = 0;

	while (got < n) {
		struct pollfd p = { workers_fd(w), POLLIN, 0 };
		struct work *done;

		if (poll(&p, 1, 20000) != 1)
			break;
		while ((done = (struct work *)workers_ended(w))) {
			got++;
			good += done->out == done->in * done->in;
		}
	}
	return good;
}

int main(void)
{
	struct workers *w = workers_new(64);
	struct work *work = calloc(JOBS, sizeof(*work));
	struct timespec a, b;
	struct pollfd p;

	for (unsigned i = 0; i < JOBS; i++) {
		work[i] = (struct work){ .job.run = square, .in = i };
		workers_run(w, &work[i].job);
	}
	ok(collect(w, JOBS) == JOBS && !workers_busy(w), "2000 jobs, each done once");
	p = (struct pollfd){ workers_fd(w), POLLIN, 0 };
	ok(poll(&p, 1, 0) == 0, "nothing is announced that is not there");
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned i = 0; i < 64; i++) {
		work[i] = (struct work){ .job.run = square, .in = i, .ms = 200 };
		workers_run(w, &work[i].job);
	}
	ok(collect(w, 64) == 64, "64 that block");
	clock_gettime(CLOCK_MONOTONIC, &b);
	/* One after the other they would take 12.8 s. */
	ok((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 5000, "block side by side");
	work[0].in = 9;
	workers_run(w, &work[0].job);
	workers_free(w);
	ok(work[0].out == 81, "what is queued is finished before the end");
	workers_free(NULL);
	free(work);
	printf("1..%d\n", count);
	return failed != 0;
}
