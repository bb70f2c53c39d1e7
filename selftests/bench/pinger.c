/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pinger <ADDRESSES: pings the IPv4 addresses that stand on its input, 64 at a time, each up to three times; prints as
 * JSON how many answered.  Status 0: all did.  One process for all: starting one is dear where the CPU is emulated. */
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

struct target { struct in_addr addr; unsigned tries; bool done; double at; };

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

static void send_one(int fd, unsigned i, struct target *t)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = t->addr };
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

/* Who answered; MAX_COUNT: nobody of ours; -1: nothing is there. */
static int receive(int fd, const struct target *t, unsigned count)
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
	return i < count && from.sin_addr.s_addr == t[i].addr.s_addr ? (int)i : MAX_COUNT;
}

static unsigned read_addresses(struct target *t)
{
	unsigned n = 0;
	char line[64];

	while (n < MAX_COUNT && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (inet_aton(line, &t[n].addr))
			n++;
	}
	return n;
}

int main(void)
{
	static struct target t[MAX_COUNT];
	unsigned count = read_addresses(t), next = 0, busy = 0, answered = 0, resent = 0;
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), i;
	double began = ms_now();

	if (fd < 0) {
		perror("pinger");
		return 1;
	}
	while (next < count || busy) {
		struct pollfd w = { .fd = fd, .events = POLLIN };
		double now;

		for (; next < count && busy < WINDOW; busy++, next++)
			send_one(fd, next, &t[next]);
		(void)poll(&w, 1, 100);
		while ((i = receive(fd, t, count)) >= 0)
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
				send_one(fd, k, &t[k]);
				resent++;
			} else {
				t[k].done = true;
				busy--;
			}
		}
	}
	printf("{\"phase\": \"kernel-ping\", \"answered\": %u, \"of\": %u, \"resent\": %u, \"seconds\": %.3f}\n",
	       answered, count, resent, (ms_now() - began) / 1e3);
	return !count || answered != count;
}
