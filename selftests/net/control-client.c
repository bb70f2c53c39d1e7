/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control-client SOCKET KIND: a bad client of ktund's control socket, see control_kind[].  Prints what it is told. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define die(...) do { fprintf(stderr, "control-client: " __VA_ARGS__); fputs("\n", stderr); exit(2); } while (0)

static int control_connect(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)))
		die("%s: %s", path, strerror(errno));
	return fd;
}

static bool put(int fd, const void *p, size_t n)
{
	for (ssize_t got; n; n -= (size_t)got, p = (const char *)p + got) {
		got = send(fd, p, n, MSG_NOSIGNAL);
		if (got < 0)
			return false;
	}
	return true;
}

/* What it says before it hangs up or falls silent. */
static void show_answer(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char buf[65536];
	size_t n = 0;

	for (ssize_t got; n < sizeof(buf) - 1; n += (size_t)got) {
		if (poll(&p, 1, 3000) <= 0) {
			fputs("(silence) ", stdout);
			break;
		}
		got = read(fd, buf + n, sizeof(buf) - 1 - n);
		if (got <= 0) {
			fputs("(end) ", stdout);
			break;
		}
		if (!buf[n + (size_t)got - 1]) {
			n += (size_t)got;
			break;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (!buf[i])
			buf[i] = '\n';
	printf("%.*s\n", (int)n, buf);
}

static const struct { const char *name; size_t repeat; const char *octets; } control_kind[] = {
	{ "garbage", 1, "this is no JSON\xff\x01" }, { "number", 1, "42" },
	{ "unclosed", 1, "{\"method\":\"org.ktund.ShowStats\"" }, { "unknown", 1, "{\"method\":\"org.ktund.Explode\"}" },
	{ "wrongtype", 1, "{\"method\":\"org.ktund.DisconnectSession\",\"parameters\":{\"session_id\":\"one\"}}" },
	{ "deep", 60000, "[" }, { "long", 65537, " " },		/* 64 KiB and one */
	{ "nonul", 0, NULL }, { "slow", 0, NULL }, { "many", 0, NULL }, { "unread", 0, NULL },
};

int main(int argc, char **a)
{
	static const char good[] = "{\"method\":\"org.ktund.ShowStats\"}",
		all[] = "{\"method\":\"org.ktund.ShowSessions\",\"more\":true}";
	enum { CONNECTIONS = 100, PLAIN = 7 };
	int fd, others[CONNECTIONS];
	size_t kind, n = 0;

	if (argc != 3)
		die("usage: control-client SOCKET KIND");
	a++;
	fd = control_connect(a[0]);
	for (kind = 0; kind < sizeof(control_kind) / sizeof(control_kind[0]) && strcmp(control_kind[kind].name, a[1]); kind++)
		;
	if (kind < PLAIN) {
		static char buf[80000];

		for (size_t i = 0; i < control_kind[kind].repeat; i++, n += strlen(control_kind[kind].octets))
			memcpy(buf + n, control_kind[kind].octets, strlen(control_kind[kind].octets));
		(void)put(fd, buf, n + 1);
	} else if (kind == PLAIN) {
		(void)put(fd, good, sizeof(good) - 1);
		shutdown(fd, SHUT_WR);
	} else if (kind == PLAIN + 1) {		/* an octet at a time: that is allowed */
		for (size_t i = 0; i < sizeof(good); i++) {
			(void)put(fd, good + i, 1);
			usleep(2000);
		}
	} else if (kind == PLAIN + 2) {
		for (unsigned i = 0; i < CONNECTIONS; i++) {
			others[i] = control_connect(a[0]);
			(void)put(others[i], good, i % 2 ? sizeof(good) : 5);
		}
		for (unsigned i = 0; i < CONNECTIONS; i++)
			close(others[i]);
		close(fd);
		fd = control_connect(a[0]);
		(void)put(fd, good, sizeof(good));
	} else if (kind == PLAIN + 3) {		/* asks and never reads */
		for (unsigned i = 0; i < 300; i++)
			if (send(fd, all, sizeof(all), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				break;
		usleep(500000);
		puts("unread");
		return 0;
	} else {
		die("what is %s?", a[1]);
	}
	show_answer(fd);
	return 0;
}
