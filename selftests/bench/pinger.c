/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pinger FIRST COUNT: pings COUNT IPv4 addresses from FIRST on, 64 at a time, each up to three times; prints how many
 * answered as JSON.  Status 0: all did.  One process instead of COUNT: starting one is dear where the CPU is emulated. */
#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 64, TRIES = 3, PATIENCE_MS = 2000, DATA = 56, MAX_COUNT = 60000 };

struct target { unsigned tries; bool done; double at; };

static double ms_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static uint16_t checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void send_one(int fd, uint32_t first, unsigned i, struct target *t)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(first + i) };
	uint8_t p[8 + DATA] = { ICMP_ECHO };
	uint16_t id = (uint16_t)getpid(), sum;

	memcpy(p + 4, &id, 2);
	p[6] = (uint8_t)(i >> 8);
	p[7] = (uint8_t)i;
	sum = htons(checksum(p, sizeof(p)));
	memcpy(p + 2, &sum, 2);
	t->tries++;
	t->at = ms_now();
	(void)sendto(fd, p, sizeof(p), 0, (struct sockaddr *)&to, sizeof(to));	/* a lost one is sent again */
}

static int receive(int fd, uint32_t first, unsigned count)
{
	uint8_t p[2048];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, p, sizeof(p), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	size_t head = n > 0 ? (size_t)(p[0] & 15) * 4 : 0;
	uint16_t id = (uint16_t)getpid();
	unsigned i;

	if (n < 0)
		return -1;
	if ((size_t)n < head + 8 || p[head] != ICMP_ECHOREPLY || memcmp(p + head + 4, &id, 2))
		return MAX_COUNT;
	i = (unsigned)(p[head + 6] << 8 | p[head + 7]);
	return i < count && ntohl(from.sin_addr.s_addr) == first + i ? (int)i : MAX_COUNT;
}

int main(int argc, char **argv)
{
	unsigned count = argc == 3 ? (unsigned)atoi(argv[2]) : 0, next = 0, busy = 0, answered = 0, resent = 0;
	double began = ms_now();
	struct in_addr in;
	struct target *t;
	uint32_t first;
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), i;

	if (!count || count > MAX_COUNT || !inet_aton(argv[1], &in)) {
		fprintf(stderr, "usage: pinger FIRST COUNT\n");
		return 2;
	}
	first = ntohl(in.s_addr);
	t = calloc(count, sizeof(*t));
	if (fd < 0 || !t) {
		perror("pinger");
		return 1;
	}
	while (next < count || busy) {
		struct pollfd w = { .fd = fd, .events = POLLIN };
		double now;

		for (; next < count && busy < WINDOW; busy++, next++)
			send_one(fd, first, next, &t[next]);
		(void)poll(&w, 1, 100);
		while ((i = receive(fd, first, count)) >= 0)
			if (i < (int)count && !t[i].done && t[i].tries) {
				t[i].done = true;
				answered++;
				busy--;
			}
		now = ms_now();
		for (unsigned k = 0; k < next; k++) {
			if (t[k].done || now - t[k].at < PATIENCE_MS)
				continue;
			if (t[k].tries < TRIES) {
				send_one(fd, first, k, &t[k]);
				resent++;
			} else {
				t[k].done = true;
				busy--;
			}
		}
	}
	printf("{\"phase\": \"kernel-ping\", \"answered\": %u, \"of\": %u, \"resent\": %u, \"seconds\": %.3f}\n", answered, count, resent,
	       (ms_now() - began) / 1e3);
	return answered != count;
}
