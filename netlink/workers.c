/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

struct queue { struct job *first, **last; };

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct queue todo, ended;
	unsigned max, n, idle, n_todo;
	bool stop;
	int event;
	unsigned busy;		/* main thread's */
	pthread_t thread[WORKERS_MAX];
};

static void put(struct queue *q, struct job *j)
{
	j->next = NULL;
	*q->last = j;
	q->last = &j->next;
}

static struct job *take(struct queue *q)
{
	struct job *j = q->first;

	if (j) {
		q->first = j->next;
		if (!q->first)
			q->last = &q->first;
		j->next = NULL;
	}
	return j;
}

enum { WORKER_NICE = 5 };

static void *worker(void *arg)
{
	struct workers *w = arg;
	struct nl nl = { 0 };
	uint64_t one = 1;

	/* They wait for the kernel more than they compute; where processors are scarce the event loops come first. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), WORKER_NICE);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *j = take(&w->todo);
		bool wake;

		if (!j) {
			if (w->stop)
				break;
			w->idle++;
			pthread_cond_wait(&w->work, &w->lock);
			w->idle--;
			continue;
		}
		w->n_todo--;
		pthread_mutex_unlock(&w->lock);
		j->run(j, &nl);
		pthread_mutex_lock(&w->lock);
		wake = !w->ended.first;
		put(&w->ended, j);
		if (wake && write(w->event, &one, sizeof(one)) < 0)
			abort();	/* an eventfd takes 2^64-2 of these */
	}
	pthread_mutex_unlock(&w->lock);
	nl_done(&nl);
	return NULL;
}

struct workers *workers_new(unsigned threads)
{
	struct workers *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->max = threads < 1 ? 1 : threads > WORKERS_MAX ? WORKERS_MAX : threads;
	w->todo.last = &w->todo.first;
	w->ended.last = &w->ended.first;
	w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->event < 0) {
		free(w);
		return NULL;
	}
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	return w;
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n; i++)
		pthread_join(w->thread[i], NULL);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	close(w->event);
	free(w);
}

int workers_fd(const struct workers *w)
{
	return w->event;
}

/* Signals are the main thread's.  No thread to be had is no failure as long as one lives. */
static void start_thread(struct workers *w)
{
	pthread_attr_t attr;
	sigset_t all, old;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!pthread_create(&w->thread[w->n], &attr, worker, w))
		w->n++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
}

void workers_run(struct workers *w, struct job *j)
{
	struct nl nl = { 0 };
	uint64_t one = 1;
	bool alone;

	w->busy++;
	pthread_mutex_lock(&w->lock);
	if (w->idle <= w->n_todo && w->n < w->max)
		start_thread(w);
	alone = !w->n;
	if (!alone) {
		put(&w->todo, j);
		w->n_todo++;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	if (!alone)
		return;
	/* Not one thread to be had: slowly is better than never. */
	j->run(j, &nl);
	nl_done(&nl);
	pthread_mutex_lock(&w->lock);
	put(&w->ended, j);
	if (write(w->event, &one, sizeof(one)) < 0)
		abort();
	pthread_mutex_unlock(&w->lock);
}

struct job *workers_ended(struct workers *w)
{
	struct job *j;
	uint64_t n;

	pthread_mutex_lock(&w->lock);
	j = take(&w->ended);
	if (!w->ended.first && read(w->event, &n, sizeof(n)) < 0 && errno != EAGAIN)
		abort();
	pthread_mutex_unlock(&w->lock);
	if (j)
		w->busy--;
	return j;
}

unsigned workers_busy(const struct workers *w)
{
	return w->busy;
}
