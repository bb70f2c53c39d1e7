/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metronome: until SIGTERM, how late the machine itself is: a real-time thread on each processor wakes every 5 ms.
 * Prints the worst in ms.  A virtual machine on a busy host stands still for tens of ms; no process in it can do better. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NS = 5000000, MAX_CPUS = 64 };

struct cpu { pthread_t thread; int number; volatile uint64_t worst; };

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static __attribute__((noreturn)) void *tick(void *arg)
{
	struct sched_param high = { .sched_priority = 50 };
	struct cpu *c = arg;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(c->number, &one);
	if (sched_setaffinity(0, sizeof(one), &one) || sched_setscheduler(0, SCHED_FIFO, &high))
		perror("metronome");
	for (;;) {
		uint64_t due = now_ns() + PERIOD_NS, late;
		struct timespec ts = { .tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u) };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		late = now_ns() - due;
		if (late > c->worst)
			c->worst = late;
	}
}

int main(void)
{
	static struct cpu cpu[MAX_CPUS];
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t worst = 0;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < n && i < MAX_CPUS; i++) {
		cpu[i].number = i;
		pthread_create(&cpu[i].thread, NULL, tick, &cpu[i]);
	}
	sigwait(&set, &sig);
	for (int i = 0; i < n && i < MAX_CPUS; i++)
		worst = cpu[i].worst > worst ? cpu[i].worst : worst;
	printf("%.1f\n", (double)worst / 1e6);
	return 0;
}
