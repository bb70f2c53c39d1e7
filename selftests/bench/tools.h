/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small tools of load.c: percentiles, checksums, sockets, and what ktund says of itself. */
#pragma once

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/udp.h"

static inline int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The value that p per cent do not exceed; v is sorted. */
static inline double percentile(const double *v, unsigned n, unsigned p)
{
	return n ? v[(n * p + 99) / 100 - 1] : 0;
}

static inline double own_cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static inline uint16_t checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A UDP socket to this peer, with so large a receive buffer; -errno.  Connected: the kernel looks up the route once. */
static inline int connected(const struct endpoint *peer, uint16_t source_port, int size)
{
	struct endpoint any = { .family = peer->family, .port = source_port };
	struct sockaddr_storage from, to;
	socklen_t len = endpoint_sockaddr(&any, &from);
	int fd = socket(from.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (!bind(fd, (struct sockaddr *)&from, len) && !connect(fd, (struct sockaddr *)&to, endpoint_sockaddr(peer, &to)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Sessions by ktund's control socket: "counters": that it has; "keeper": of these, which are in the kernel.  -1: it does not say. */
static inline int sessions_of(const char *path, const char *where)
{
	static const char call[] = "{\"method\":\"org.ktund.ShowStats\"}";
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), n_sessions = -1;
	char buf[16384];
	size_t n = 0;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) || write(fd, call, sizeof(call)) != sizeof(call))
		goto out;
	for (ssize_t got; n < sizeof(buf) - 1 && (got = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0; ) {
		n += (size_t)got;
		if (!buf[n - 1]) {
			json_t *j = json_loads(buf, 0, NULL), *v = NULL;

			if (j && !json_unpack(j, "{s:{s:{s:{s:o}}}}", "parameters", "stats", where, "sessions", &v))
				n_sessions = (int)json_integer_value(v);
			json_decref(j);
			break;
		}
	}
out:
	if (fd >= 0)
		close(fd);
	return n_sessions;
}
