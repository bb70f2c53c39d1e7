/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs of the net tests share: words, time, chance, sockets, and datagrams with any source.  IPv4. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/env.h"

enum { IP_UDP = 28 };

static inline void chance(void *arg, void *buf, size_t len)
{
	(void)arg;
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort();
}

static const struct env env = { chance, NULL };

static inline ms_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ms_t)ts.tv_sec * 1000 + (ms_t)ts.tv_nsec / 1000000;
}

static inline void nap(ms_t ms)
{
	struct timespec ts = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("hostile: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\n", stderr);
	va_end(ap);
	exit(2);
}

static inline uint32_t address(const char *s)
{
	uint32_t a;

	if (inet_pton(AF_INET, s, &a) != 1)
		die("%s is no IPv4 address", s);
	return a;
}

static inline unsigned many(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!*s || *end || n > 100000000)
		die("%s is no number", s);
	return (unsigned)n;
}

static inline uint16_t number(const char *s)
{
	if (many(s) > UINT16_MAX)
		die("%s is no 16-bit number", s);
	return (uint16_t)many(s);
}

static inline int udp_socket(uint16_t sport, uint32_t dst, uint16_t dport)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(sport) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(dport), .sin_addr.s_addr = dst };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("UDP socket: %s", strerror(errno));
	return fd;
}

/* --- forged datagrams ------------------------------------------------------------------------------- */

struct path { uint32_t src, dst; uint16_t sport, dport; };

static inline int raw_socket(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), size = 4 << 20;

	if (fd < 0)
		die("raw socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

static inline void ip_header(uint8_t *p, uint32_t src, uint32_t dst, uint8_t proto, size_t len)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .tot_len = htons((uint16_t)len), .ttl = 64, .protocol = proto,
			    .saddr = src, .daddr = dst };

	memcpy(p, &ip, sizeof(ip));
}

static inline void raw_send(int fd, const uint8_t *p, size_t len, uint32_t dst)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = dst };

	while (sendto(fd, p, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
		if (errno != ENOBUFS && errno != EAGAIN)
			die("send: %s", strerror(errno));
		nap(1);
	}
}

static inline void forge(int fd, const struct path *way, const void *payload, size_t len)
{
	struct udphdr udp = { .source = htons(way->sport), .dest = htons(way->dport), .len = htons((uint16_t)(8 + len)) };
	uint8_t p[IP_UDP + 65507];

	if (len > 65507)
		return;
	ip_header(p, way->src, way->dst, IPPROTO_UDP, IP_UDP + len);
	memcpy(p + 20, &udp, sizeof(udp));
	memcpy(p + IP_UDP, payload, len);
	raw_send(fd, p, IP_UDP + len, way->dst);
}
