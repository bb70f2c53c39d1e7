/* SPDX-License-Identifier: GPL-2.0-or-later */
/* steady MS <TARGETS: pings each "ADDRESS [DEVICE]" that stands on its input every MS milliseconds, each through its own
 * device, until SIGTERM; then waits for stragglers and prints "targets=N sent=N answered=N lost=N silent=MS worst=ADDRESS":
 * silent is the longest time in which one target did not answer.  Nothing is sent twice.  Status 0: nothing was lost. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 4096, GRACE_MS = 5000, DATA = 56, WINDOW = 65536 };

struct target {
	struct in_addr addr;
	unsigned sent, answered;
	uint8_t seen[WINDOW / 8];
	double heard, silent;		/* ms */
};

static volatile sig_atomic_t over;

static void on_term(int sig)
{
	(void)sig;
	over = 1;
}

static double now_ms(void)
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

static int open_one(const char *device)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);

	if (fd < 0 || (device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1))) {
		perror(device ? device : "socket");
		exit(2);
	}
	return fd;
}

static void ping(int fd, unsigned i, struct target *t)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = t->addr };
	uint8_t p[8 + DATA] = { ICMP_ECHO };
	uint16_t id = (uint16_t)(getpid() + (int)i), seq = htons((uint16_t)t->sent), sum;

	memcpy(p + 4, &id, 2);
	memcpy(p + 6, &seq, 2);
	sum = htons(checksum(p, sizeof(p)));
	memcpy(p + 2, &sum, 2);
	t->seen[t->sent % WINDOW / 8] &= (uint8_t)~(1 << t->sent % 8);
	t->sent++;
	if (sendto(fd, p, sizeof(p), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		fprintf(stderr, "%s: %s\n", inet_ntoa(t->addr), strerror(errno));	/* and so it is lost */
}

static void hear(int fd, unsigned i, struct target *t)
{
	uint16_t id = (uint16_t)(getpid() + (int)i), got, seq;
	uint8_t p[512];
	ssize_t n;

	while ((n = recv(fd, p, sizeof(p), 0)) > 0) {
		size_t h = (p[0] & 15u) * 4;
		double now = now_ms();

		if (n < (ssize_t)h + 8 || p[h] != ICMP_ECHOREPLY || memcmp(p + 12, &t->addr, 4))
			continue;
		memcpy(&got, p + h + 4, 2);
		memcpy(&seq, p + h + 6, 2);
		seq = ntohs(seq);
		if (got != id || t->seen[seq / 8] >> seq % 8 & 1)
			continue;
		t->seen[seq / 8] |= (uint8_t)(1 << seq % 8);
		t->answered++;
		t->silent = now - t->heard > t->silent ? now - t->heard : t->silent;
		t->heard = now;
	}
}

int main(int argc, char **argv)
{
	static struct pollfd p[MAX];
	struct target *t = calloc(MAX, sizeof(*t));
	unsigned n = 0, sent = 0, answered = 0, worst = 0, next = 0;
	double every = argc == 2 ? atof(argv[1]) : 0, start, until = 0;
	char line[128], address[64], device[32];

	if (every <= 0 || !t) {
		fputs("usage: steady MS <TARGETS\n", stderr);
		return 2;
	}
	signal(SIGTERM, on_term);
	while (n < MAX && fgets(line, sizeof(line), stdin)) {
		int fields = sscanf(line, "%63s %31s", address, device);

		if (fields < 1 || inet_pton(AF_INET, address, &t[n].addr) != 1)
			continue;
		p[n] = (struct pollfd){ open_one(fields == 2 ? device : NULL), POLLIN, 0 };
		n++;
	}
	start = now_ms();
	for (unsigned i = 0; i < n; i++)
		t[i].heard = start;
	/* one after the other, evenly: the k-th ping of all is due at start + k * every / n */
	while (n && (!over || !until || (answered < sent && now_ms() < until))) {
		double due = start + next * (every / n), wait = due - now_ms();

		if (over && !until)
			until = now_ms() + GRACE_MS;
		if (!over && wait <= 0) {
			ping(p[next % n].fd, next % n, &t[next % n]);
			next++;
			sent++;
			continue;
		}
		(void)poll(p, n, over ? 20 : wait < 1 ? 1 : (int)wait);
		answered = 0;
		for (unsigned i = 0; i < n; i++) {
			if (p[i].revents)
				hear(p[i].fd, i, &t[i]);
			answered += t[i].answered;
		}
	}
	for (unsigned i = 0; i < n; i++)
		if (t[i].silent > t[worst].silent)
			worst = i;
	printf("targets=%u sent=%u answered=%u lost=%u silent=%.0f worst=%s\n", n, sent, answered, sent - answered,
	       n ? t[worst].silent : 0, n ? inet_ntoa(t[worst].addr) : "none");
	for (unsigned i = 0; i < n; i++)
		if (t[i].answered < t[i].sent)
			printf("%s: %u of %u lost\n", inet_ntoa(t[i].addr), t[i].sent - t[i].answered, t[i].sent);
	free(t);
	return sent == answered && sent ? 0 : 1;
}
