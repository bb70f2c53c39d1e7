/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bare kernel loop: the objects of K_SESSION_UP, from threads, and nothing else; the yardstick of `make bench`.
 *   bare [--sessions N] [--threads T] [--per-tunnel K] [--serial N1]
 *   bare --ethernet N [--threads T]	N Ethernet sessions in one tunnel of L2TPv3, and their links up, by so many (1)
 * Without --threads: N1 sessions (64) by one thread and N (512) by 64.  Each batch is then taken down, one half by
 * link group with 64 threads closing the rest, the other by 64 threads closing everything. */
#include <arpa/inet.h>
#include <getopt.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "netlink/install.h"
#include "netlink/kobj.h"
#include "netlink/nl.h"
#include "netlink/rtnl.h"
#include "netlink/why.h"

enum { MAX_THREADS = 64, GROUP = 0x7d000001, STACK = 128 * 1024 };

struct bench {
	unsigned n, per_tunnel, first;
	atomic_uint next, failed;
	unsigned end;
	struct installed *s;
	int *tunnel;
	void (*step)(struct bench *, struct nl *, unsigned i);
};

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void fail(struct bench *b, const char *why)
{
	if (!atomic_fetch_add(&b->failed, 1))
		fprintf(stderr, "bare: %s\n", why);
}

static struct tunnel_ends ends(struct bench *b, unsigned t)
{
	struct tunnel_ends e = { .peer = { .family = 4, .port = (uint16_t)(20000 + t) }, .peer_tunnel_id = (uint16_t)(t + 1) };
	uint32_t ip = htonl(INADDR_LOOPBACK);

	(void)b;
	memcpy(e.peer.addr, &ip, 4);
	return e;
}

static void tunnel_up(struct bench *b, struct nl *nl, unsigned t)
{
	struct k_request r = { .op = K_TUNNEL_UP, .tunnel_id = (uint16_t)(t + 1) };
	char why[WHY_SIZE];

	r.tunnel.peer = ends(b, t).peer;
	r.tunnel.local = r.tunnel.peer;
	r.tunnel.local.port = 1701;
	r.tunnel.peer_tunnel_id = (uint16_t)(t + 1);
	b->tunnel[t] = -1;
	if (install_tunnel(nl, &r, &b->tunnel[t], why))
		fail(b, why);
}

static void tunnel_down(struct bench *b, struct nl *nl, unsigned t)
{
	if (b->tunnel[t] >= 0)
		remove_tunnel(nl, (uint16_t)(t + 1), b->tunnel[t], false);
}

static void session_up(struct bench *b, struct nl *nl, unsigned i)
{
	unsigned t = i / b->per_tunnel;
	struct tunnel_ends e = ends(b, t);
	struct k_request r = { .op = K_SESSION_UP, .tunnel_id = (uint16_t)(t + 1), .session_id = (uint16_t)(i + 1) };
	char why[WHY_SIZE];

	r.session.peer_session_id = r.session_id;
	r.session.lns_mode = true;
	r.session.link.mtu = 1400;
	r.session.link.up = r.session.link.ipv4 = true;
	r.session.link.ip = htonl(0x0a400001);
	r.session.link.peer_ip = htonl(0x0a410001 + i);
	b->s[i] = (struct installed){ .pppox = -1, .channel = -1, .unit_fd = -1 };
	if (install_session(nl, &r, &e, NULL, &b->s[i], why))
		fail(b, why);
}

static void mark(struct bench *b, struct nl *nl, unsigned i)
{
	rtnl_link_set(nl, &(struct rtnl_link){ .ifindex = b->s[i].ifindex, .group = GROUP });
}

static void session_down(struct bench *b, struct nl *nl, unsigned i)
{
	remove_session(nl, &b->s[i], NULL, NULL);
}

static void *thread(void *arg)
{
	struct bench *b = arg;
	struct nl nl = { 0 };

	for (unsigned i; (i = atomic_fetch_add(&b->next, 1)) < b->end; )
		b->step(b, &nl, i);
	nl_done(&nl);
	return NULL;
}

/* step() for first..end-1 by so many threads; returns the seconds it took. */
static double run(struct bench *b, unsigned threads, unsigned first, unsigned end,
		  void (*step)(struct bench *, struct nl *, unsigned))
{
	double start = seconds();
	pthread_t t[MAX_THREADS];
	pthread_attr_t attr;
	unsigned n = 0;

	b->step = step;
	b->end = end;
	atomic_store(&b->next, first);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	while (n < threads && !pthread_create(&t[n], &attr, thread, b))
		n++;
	for (unsigned i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	pthread_attr_destroy(&attr);
	return seconds() - start;
}

static double group_delete(struct bench *b, unsigned first, unsigned end)
{
	double start, took;
	struct nl nl = { 0 };

	run(b, MAX_THREADS, first, end, mark);		/* would be part of the set-up */
	start = seconds();
	if (rtnl_group_delete(&nl, GROUP))
		fail(b, "RTM_DELLINK by group failed");
	took = seconds() - start;
	nl_done(&nl);
	return took + run(b, MAX_THREADS, first, end, session_down);
}

static int measure(unsigned n, unsigned threads, unsigned per_tunnel)
{
	unsigned tunnels = (n + per_tunnel - 1) / per_tunnel, half = n / 2;
	struct bench b = { .n = n, .per_tunnel = per_tunnel };
	double up, group, closing;

	b.s = calloc(n, sizeof(*b.s));
	b.tunnel = calloc(tunnels, sizeof(*b.tunnel));
	if (!b.s || !b.tunnel)
		return 1;
	up = run(&b, threads, 0, tunnels, tunnel_up);
	up += run(&b, threads, 0, n, session_up);
	printf("bare: %u sessions in %u tunnels by %u threads: %.1f per second\n", n, tunnels, threads, n / up);
	group = group_delete(&b, 0, half);
	closing = run(&b, MAX_THREADS, half, n, session_down);
	printf("bare: down: by group %.1f per second, by %u threads closing %.1f per second\n", half / group, MAX_THREADS,
	       (n - half) / closing);
	run(&b, MAX_THREADS, 0, tunnels, tunnel_down);
	free(b.s);
	free(b.tunnel);
	if (b.failed)
		fprintf(stderr, "bare: %u failures\n", b.failed);
	return b.failed != 0;
}

static void ethernet_up(struct bench *b, struct nl *nl, unsigned i)
{
	struct kobj_session s = { .tunnel_id = 1, .session_id = i + 1, .peer_session_id = i + 1, .pw = KOBJ_PW_ETHERNET };

	snprintf(s.name, sizeof(s.name), "e%u", i + 1);
	if (kobj_session_add(nl, &s, 3) ||
	    rtnl_link_set(nl, &(struct rtnl_link){ .ifindex = if_nametoindex(s.name), .up = true }))
		fail(b, nl->text);
}

static int ethernet(unsigned n, unsigned threads)
{
	struct k_request r = { .op = K_TUNNEL_UP, .tunnel_id = 1 };
	struct bench b = { .n = n };
	char why[WHY_SIZE] = "";
	struct nl nl = { 0 };
	double start, up;
	int fd;

	r.tunnel.peer = ends(&b, 0).peer;
	r.tunnel.local = r.tunnel.peer;
	r.tunnel.local.port = 1701;
	r.tunnel.peer_tunnel_id = 1;
	r.tunnel.v3 = true;
	if (install_tunnel(&nl, &r, &fd, why)) {
		fprintf(stderr, "bare: %s\n", why);
		return 1;
	}
	up = run(&b, threads, 0, n, ethernet_up);
	printf("bare: %u Ethernet sessions in one tunnel by %u threads: %.1f per second\n", n, threads, n / up);
	start = seconds();
	remove_tunnel(&nl, 1, fd, false);
	printf("bare: down: %.1f per second\n", n / (seconds() - start));
	nl_done(&nl);
	return b.failed != 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "sessions", required_argument, NULL, 'n' }, { "threads", required_argument, NULL, 't' },
		{ "per-tunnel", required_argument, NULL, 'k' }, { "serial", required_argument, NULL, '1' },
		{ "ethernet", required_argument, NULL, 'e' }, { 0 },
	};
	unsigned n = 512, threads = 0, per_tunnel = 16, serial = 64, ether = 0;
	struct rlimit l;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned v = optarg ? (unsigned)atoi(optarg) : 0;

		if (c == '?' || !v) {
			fprintf(stderr, "usage: bare [--sessions N] [--threads T] [--per-tunnel K] [--serial N1]\n"
				"       bare --ethernet N [--threads T]\n");
			return 2;
		}
		*(c == 'n' ? &n : c == 't' ? &threads : c == 'k' ? &per_tunnel : c == 'e' ? &ether : &serial) = v;
	}
	if (!getrlimit(RLIMIT_NOFILE, &l)) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (n > 60000 || threads > MAX_THREADS) {
		fprintf(stderr, "bare: at most 60000 sessions and %u threads\n", MAX_THREADS);
		return 2;
	}
	if (ether)
		return ethernet(ether, threads ? threads : 1);
	if (threads)
		return measure(n, threads, per_tunnel);
	return measure(serial, 1, per_tunnel) | measure(n, MAX_THREADS, per_tunnel);
}
