/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hook programs and files of the configuration directory: the two things done by path.  Both only below --config-dir;
 * a program moreover only if nobody but root (or we) could have written it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

enum { HOOK_MS = 60 * 1000, STOP_HOOK_MS = 10 * 1000 };	/* STOP_HOOK_MS: for all, from the stop on */

/* The configuration directory, resolved; NULL: there is none. */
static char *config_dir(const struct keeper *k)
{
	return k->opt.config_dir ? realpath(k->opt.config_dir, NULL) : NULL;
}

/* The part of an absolute path below dir; NULL: it is not below. */
static const char *below(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	while (n && dir[n - 1] == '/')
		n--;
	if (strncmp(dir, path, n) || (path[n] && path[n] != '/'))
		return NULL;
	return path[n] && path[n + 1] ? path + n + 1 : ".";
}

static bool trusted(const struct stat *st)
{
	return (!st->st_uid || st->st_uid == getuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* The program and every directory from it up to the configuration directory. */
static int check_program(const char *dir, char *path, char *why)
{
	struct stat st;

	if (!below(dir, path))
		return why_fail(why, -EACCES, "hook", "it is not in the configuration directory");
	if (stat(path, &st) < 0)
		return why_fail(why, -errno, "hook", path);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & S_IXUSR))
		return why_fail(why, -EACCES, "hook", "it is no program");
	for (;;) {
		const char *rest;
		char *slash;

		if (!trusted(&st))
			return why_fail(why, -EACCES, "hook", "others than root can write it or its directory");
		rest = below(dir, path);
		if (!rest || !strcmp(rest, "."))
			return 0;
		slash = strrchr(path, '/');
		*slash = 0;
		if (stat(path, &st) < 0)
			return why_fail(why, -errno, "hook", path);
	}
}

static int resolve(struct keeper *k, const char *path, char *ret, char *why)
{
	char *dir = config_dir(k), copy[PATH_MAX];
	int err;

	if (!dir)
		return why_fail(why, -EACCES, "hook", "the keeper has no --config-dir");
	if (!realpath(path, ret)) {
		err = why_fail(why, -errno, "hook", path);
	} else {
		memcpy(copy, ret, strlen(ret) + 1);
		err = check_program(dir, copy, why);
	}
	free(dir);
	return err;
}

static int spawn(const char *path, char **argv, char **envp, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int err;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, 2, 1);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	posix_spawn_file_actions_addchdir_np(&files, "/");
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	err = -posix_spawn(ret, path, &files, &attr, argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return err;
}

static void words(char **list, unsigned n, char **at)
{
	for (unsigned i = 0; i < n; i++) {
		list[i] = *at;
		*at += strlen(*at) + 1;
	}
	list[n] = NULL;
}

/* Frees *h unless it runs. */
static void begin(struct keeper *k, struct hook *h)
{
	char path[PATH_MAX], why[WHY_SIZE], *at = h->request->hook.text;
	char *argv[65], *envp[65];
	int err;

	words(argv, h->request->hook.argc, &at);
	words(envp, h->request->hook.envc, &at);
	err = resolve(k, argv[0], path, why);
	if (!err && (err = spawn(path, argv, envp, &h->pid)) < 0)
		why_fail(why, err, "hook", path);
	if (!err && (h->fd = pidfd_open(h->pid, 0)) < 0) {
		err = why_fail(why, -errno, "pidfd_open", NULL);
		kill(-h->pid, SIGKILL);
		waitpid(h->pid, NULL, 0);
	}
	if (err) {
		say(k, "%s", why);
		answer_result(k, &h->from, err, why);
		free(h->request);
		free(h);
		return;
	}
	h->deadline = now_ms() + HOOK_MS;
	hook_put(k, h);
}

void hook_request(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct hook *h = k->n_hooks_queued < MAX_HOOKS_QUEUED ? calloc(1, sizeof(*h)) : NULL;

	if (!h || !(h->request = request_copy(r))) {
		free(h);
		answer_result(k, from, -EBUSY, "too many hooks are waiting");
		return;
	}
	h->from = *from;
	h->fd = -1;
	hook_put(k, h);
}

void hook_put(struct keeper *k, struct hook *h)
{
	if (h->pid) {
		h->next = k->hooks;
		k->hooks = h;
		k->n_hooks++;
	} else {
		*k->hook_last = h;
		k->hook_last = &h->next;
		k->n_hooks_queued++;
	}
}

static void free_list(struct hook *h)
{
	while (h) {
		struct hook *next = h->next;

		free(h->request);
		free(h);
		h = next;
	}
}

void hooks_free(struct keeper *k)
{
	free_list(k->hooks);
	free_list(k->hook_first);
	k->hooks = k->hook_first = NULL;
	k->hook_last = &k->hook_first;
}

unsigned hook_poll(const struct keeper *k, struct pollfd *p)
{
	unsigned n = 0;

	for (const struct hook *h = k->hooks; h; h = h->next)
		p[n++] = (struct pollfd){ h->fd, POLLIN, 0 };
	return n;
}

static int64_t deadline(const struct keeper *k, const struct hook *h)
{
	int64_t stop = k->stop.from + STOP_HOOK_MS;

	return k->stopping && stop < h->deadline ? stop : h->deadline;
}

int hook_timeout(const struct keeper *k)
{
	int64_t now = now_ms(), next = -1;

	if (k->hook_first && k->n_hooks < MAX_HOOKS && !k->upgrade.wanted)
		return 0;
	for (const struct hook *h = k->hooks; h; h = h->next)
		if (!h->killed && (next < 0 || deadline(k, h) < next))
			next = deadline(k, h);
	return next < 0 ? -1 : next <= now ? 0 : (int)(next - now);
}

static bool ended(struct keeper *k, struct hook *h, int64_t now)
{
	struct k_reply r = { 0 };
	int status;

	if (waitpid(h->pid, &status, WNOHANG) != h->pid) {
		if (now < deadline(k, h) || h->killed)
			return false;
		say(k, "hook %s: killed after %d s", h->request->hook.text,
		    now < h->deadline ? STOP_HOOK_MS / 1000 : HOOK_MS / 1000);
		kill(-h->pid, SIGKILL);
		h->killed = true;
		k->stop.hooks++;
		return false;
	}
	r.result = status;
	answer(k, &h->from, &r, NULL, 0);
	close(h->fd);
	free(h->request);
	free(h);
	k->n_hooks--;
	return true;
}

void hook_tick(struct keeper *k)
{
	int64_t now = now_ms();

	for (struct hook **at = &k->hooks; *at; ) {
		struct hook *h = *at, *next = h->next;

		if (ended(k, h, now))
			*at = next;
		else
			at = &h->next;
	}
	while (k->hook_first && k->n_hooks < MAX_HOOKS && !k->upgrade.wanted) {
		struct hook *h = k->hook_first;

		k->hook_first = h->next;
		if (!k->hook_first)
			k->hook_last = &k->hook_first;
		k->n_hooks_queued--;
		h->next = NULL;
		if (k->stopping && now >= k->stop.from + STOP_HOOK_MS) {
			answer_result(k, &h->from, -ESHUTDOWN, "the keeper is stopping");
			k->stop.hooks++;
			free(h->request);
			free(h);
			continue;
		}
		begin(k, h);
	}
}

/* Files */

static int open_below(int dir, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

void hook_open(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	char *dir = config_dir(k), real[PATH_MAX], why[WHY_SIZE] = "";
	const char *path = r->open.path;
	struct k_reply ok = { 0 };
	int dirfd = -1, fd = -EACCES;
	struct stat st;

	if (dir && path[0] == '/')
		path = realpath(path, real) ? below(dir, real) : errno == ENOENT ? "" : NULL;
	if (dir && path && !*path)
		fd = -ENOENT;
	else if (dir && path && (dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) >= 0)
		fd = open_below(dirfd, path);
	if (fd == -EXDEV || fd == -ELOOP)
		fd = -EACCES;
	if (fd >= 0 && (fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))) {
		close(fd);
		fd = -EACCES;
	}
	if (fd < 0) {
		why_fail(why, fd, r->open.path, fd == -EACCES ? "only files and directories below --config-dir" : NULL);
		answer_result(k, from, fd, why);
	} else {
		answer(k, from, &ok, &fd, 1);
		close(fd);
	}
	if (dirfd >= 0)
		close(dirfd);
	free(dir);
}
