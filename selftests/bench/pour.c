/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pour SOURCE PORT DESTINATION PORT COUNT [TUNNEL SESSION]: so many datagrams from one socket, L2TPv2 data messages of
 * 100 octets with a packet inside, or as many octets of something else; prints nanoseconds each.  On one processor and one
 * machine that is the whole way, for the receiver's part is done before the sender goes on. */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SIZE = 100, HEADER = 10, WARM = 200 };

static struct sockaddr_in end_of(char **word)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(word[1])) };

	if (inet_pton(AF_INET, word[0], &a.sin_addr) != 1)
		exit(2);
	return a;
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1, count = argc > 5 ? atoi(argv[5]) : 0;
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 1, .protocol = IPPROTO_ICMP, .tot_len = htons(SIZE - HEADER) };
	struct sockaddr_in from, to;
	uint8_t d[SIZE] = { 0x00, 0x02 };
	double start = 0;

	if (count <= 0 || (argc != 6 && argc != 8))
		return 2;
	from = end_of(argv + 1);
	to = end_of(argv + 3);
	if (argc == 8) {
		uint16_t ids[2] = { htons((uint16_t)atoi(argv[6])), htons((uint16_t)atoi(argv[7])) };

		memcpy(d + 2, ids, sizeof(ids));
		memcpy(d + 6, "\xff\x03\x00\x21", 4);
		memcpy(d + HEADER, &ip, sizeof(ip));		/* a checksum of 0 is wrong: the stack goes no further */
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("pour");
		return 1;
	}
	for (int i = 0; i < WARM + count; i++) {
		if (i == WARM)
			start = now_ns();
		if (send(fd, d, sizeof(d), 0) < 0 && argc == 8) {
			perror("pour: send");
			return 1;
		}
	}
	printf("%.0f\n", (now_ns() - start) / count);
	return 0;
}
