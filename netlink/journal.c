/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOTS = 1 << 17, FORMAT = 1 };	/* room for as many tunnels as a keeper has, and their routes */

/* The file is a row of these; slot 0's number is the format and the size of a slot: another layout is begun anew.
 * Written by pwrite(): a mapping of a full file system would kill us. */
struct slot { uint64_t used; struct made what; };

struct journal {
	char instance[INSTANCE_SIZE], path[PATH_MAX];
	pthread_mutex_t lock;
	int fd;
	uint32_t next, top;	/* where to look for a free slot; above all used ones */
	bool used[SLOTS];
};

static int open_own(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

static int read_instance(struct journal *j, const char *path)
{
	int fd = open_own(path), err = 0;
	uint64_t tag;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, j->instance, 16, 0);
	if (n != 16 || strspn(j->instance, "0123456789abcdef") != 16) {
		if (getrandom(&tag, sizeof(tag), 0) != sizeof(tag))
			err = -errno;
		snprintf(j->instance, sizeof(j->instance), "%016llx\n", (unsigned long long)tag);
		if (!err && (ftruncate(fd, 0) < 0 || pwrite(fd, j->instance, 17, 0) != 17))
			err = -errno;
		j->instance[16] = 0;
	}
	close(fd);
	return err;
}

static int open_made(struct journal *j)
{
	const uint64_t format = (uint64_t)FORMAT << 32 | sizeof(struct slot);
	struct slot s = { 0 };

	j->fd = open_own(j->path);
	if (j->fd < 0)
		return j->fd;
	if (pread(j->fd, &s, sizeof(s), 0) != sizeof(s) || s.used != format) {
		s.used = format;
		if (ftruncate(j->fd, 0) < 0 || pwrite(j->fd, &s, sizeof(s), 0) != sizeof(s))
			return errno ? -errno : -EIO;
	}
	for (j->top = 1; j->top < SLOTS && pread(j->fd, &s, sizeof(s), (off_t)(j->top * sizeof(s))) == sizeof(s); j->top++)
		j->used[j->top] = s.used == 1;
	return 0;
}

int journal_open(const char *runtime_dir, struct journal **ret, const char **ret_what)
{
	struct journal *j = calloc(1, sizeof(*j));
	char id[PATH_MAX];
	int err;

	*ret_what = "keeper.id";
	if (!j)
		return -ENOMEM;
	pthread_mutex_init(&j->lock, NULL);
	j->fd = -1;
	j->next = 1;
	if (snprintf(id, sizeof(id), "%s/keeper.id", runtime_dir) >= (int)sizeof(id) ||
	    snprintf(j->path, sizeof(j->path), "%s/keeper.made", runtime_dir) >= (int)sizeof(j->path))
		err = -ENAMETOOLONG;
	else if (!(err = read_instance(j, id))) {
		*ret_what = "keeper.made";
		err = open_made(j);
	}
	if (err)
		journal_close(j);
	else
		*ret = j;
	return err;
}

int journal_try(const char *runtime_dir)
{
	static const char *const name[] = { "keeper.id", "keeper.made" };
	char path[PATH_MAX];
	int fd;

	for (unsigned i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		if (snprintf(path, sizeof(path), "%s/%s", runtime_dir, name[i]) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		fd = open_own(path);
		if (fd < 0)
			return fd;
		close(fd);
	}
	return 0;
}

void journal_close(struct journal *j)
{
	bool empty = true;

	if (!j)
		return;
	for (uint32_t i = 1; i < j->top; i++)
		empty &= !j->used[i];
	if (j->fd >= 0)
		close(j->fd);
	if (j->fd >= 0 && empty)
		unlink(j->path);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

const char *journal_instance(const struct journal *j)
{
	return j->instance;
}

uint32_t journal_note(struct journal *j, const struct made *m)
{
	struct slot s = { 1, *m };
	uint32_t slot;

	if (!j)
		return 0;
	pthread_mutex_lock(&j->lock);
	for (slot = j->next; slot < SLOTS && j->used[slot]; slot++)
		;
	j->next = slot;
	if (slot == SLOTS || pwrite(j->fd, &s, sizeof(s), (off_t)(slot * sizeof(s))) != sizeof(s)) {
		slot = 0;
	} else {
		j->used[slot] = true;
		j->top = slot >= j->top ? slot + 1 : j->top;
	}
	pthread_mutex_unlock(&j->lock);
	return slot;
}

void journal_forget(struct journal *j, uint32_t slot)
{
	const uint64_t no = 0;

	if (!j || !slot || slot >= SLOTS)
		return;
	pthread_mutex_lock(&j->lock);
	j->used[slot] = pwrite(j->fd, &no, sizeof(no), (off_t)(slot * sizeof(struct slot))) != sizeof(no);
	if (slot < j->next)
		j->next = slot;		/* low ones first: the file stays small */
	pthread_mutex_unlock(&j->lock);
}

void journal_each(struct journal *j, int (*each)(uint32_t slot, const struct made *, void *arg), void *arg)
{
	bool go = true;

	for (uint32_t i = 1; go && i < j->top; i++) {
		struct slot s = { 0 };

		pthread_mutex_lock(&j->lock);
		if (!j->used[i] || pread(j->fd, &s, sizeof(s), (off_t)(i * sizeof(s))) != sizeof(s))
			s.used = 0;
		pthread_mutex_unlock(&j->lock);
		go = s.used != 1 || !each(i, &s.what, arg);
	}
}

void journal_link_alias(const char *instance, uint32_t tunnel_id, uint32_t session_id, char alias[LINK_ALIAS_SIZE])
{
	snprintf(alias, LINK_ALIAS_SIZE, "ktund %s %u/%u", instance, tunnel_id, session_id);
}

bool journal_link_ours(const char *instance, const char *alias, uint32_t *ret_tunnel_id, uint32_t *ret_session_id)
{
	size_t n = strlen(instance);
	char *end;

	if (strncmp(alias, "ktund ", 6) || strncmp(alias + 6, instance, n) || alias[6 + n] != ' ')
		return false;
	*ret_tunnel_id = (uint32_t)strtoul(alias + 7 + n, &end, 10);
	if (*end != '/')
		return false;
	*ret_session_id = (uint32_t)strtoul(end + 1, &end, 10);
	return !*end;
}
