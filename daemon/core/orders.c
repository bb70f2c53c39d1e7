/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/orders.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "netlink/client.h"

enum { POLL_US = 20000, UPGRADE_POLLS = 90 * 1000000 / POLL_US };

static struct keeper_client *reach(const char *runtime_dir)
{
	struct keeper_client *k = NULL;
	char path[256];
	int err;

	snprintf(path, sizeof(path), "%s/keeper.sock", runtime_dir);
	err = keeper_connect(path, &k);
	if (err)
		fprintf(stderr, "ktund: no keeper in %s: %s\n", runtime_dir, strerror(-err));
	return err ? NULL : k;
}

bool order_reaches(const char *runtime_dir)
{
	struct keeper_client *k = reach(runtime_dir);

	if (k)
		keeper_disconnect(k);
	return k;
}

int order_stop(const char *runtime_dir)
{
	struct k_request stop = { .op = K_STOP };
	struct keeper_client *k = reach(runtime_dir);
	int fds[K_MAX_FDS], got;
	struct k_reply r = { 0 };

	if (!k)
		return 1;
	(void)keeper_submit(k, &(struct k_request){ .op = K_HELLO, .hello.version = K_VERSION });
	(void)keeper_submit(k, &stop);
	do {
		usleep(10000);
		(void)keeper_flush(k);
		got = keeper_receive(k, &r, fds);
	} while (got >= 0 && !(got == 1 && r.op == K_STOP) && !(got == 1 && r.op == K_HELLO && r.result));
	keeper_disconnect(k);
	if (got == 1 && r.op == K_HELLO) {
		fprintf(stderr,
			"ktund: the keeper refuses: %s (a ktund runs: use `ktun --runtime-dir %s shutdown`)\n", r.why,
			runtime_dir);
		return 1;
	}
	if (got == 1)
		printf("stopped: %u tunnels and %u sessions were ended\n", r.stop.n_tunnels, r.stop.n_sessions);
	return 0;
}

/* keeper.lock: the process id; in the second line, if there is one, "upgrade N HOW" (netlink/upgrade.c).  false: nobody
 * holds it. */
static bool read_lock(const char *path, int *ret_pid, unsigned *ret_serial, char *how, size_t size)
{
	char text[512], *end;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	bool held;

	*ret_pid = 0;
	*ret_serial = 0;
	how[0] = 0;
	if (fd < 0)
		return false;
	held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	*ret_pid = (int)strtol(text, &end, 10);
	if (!strncmp(end, "\nupgrade ", 9)) {
		*ret_serial = (unsigned)strtoul(end + 9, &end, 10);
		snprintf(how, size, "%.*s", (int)strcspn(end + (*end == ' '), "\n"), end + (*end == ' '));
	}
	return held && *ret_pid > 1;
}

int order_upgrade(const char *runtime_dir)
{
	unsigned serial, now;
	char path[256], how[256];
	int pid, same;

	if (snprintf(path, sizeof(path), "%s/keeper.lock", runtime_dir) >= (int)sizeof(path) ||
	    !read_lock(path, &pid, &serial, how, sizeof(how))) {
		fprintf(stderr, "ktund: no keeper serves %s\n", runtime_dir);
		return 1;
	}
	if (kill(pid, SIGUSR2) < 0) {
		fprintf(stderr, "ktund: the keeper (process %d): %s\n", pid, strerror(errno));
		return 1;
	}
	for (unsigned i = 0; i < UPGRADE_POLLS; i++) {
		usleep(POLL_US);
		if (!read_lock(path, &same, &now, how, sizeof(how)) && kill(pid, 0) < 0) {
			fprintf(stderr, "ktund: the keeper has ended\n");
			return 1;
		}
		if (same != pid || now == serial || !how[0])
			continue;
		if (!strncmp(how, "ok", 2)) {
			printf("keeper (process %d): upgrade %s\n", pid, how);
			return 0;
		}
		fprintf(stderr, "ktund: keeper (process %d): upgrade %s; it goes on as it was\n", pid, how);
		return 1;
	}
	fprintf(stderr, "ktund: the keeper (process %d) does not say how its upgrade went; see its log\n", pid);
	return 1;
}
