/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nl.h"

int netns_open(const char *name)
{
	char path[512];
	int fd, n = snprintf(path, sizeof(path), "%s%s", strchr(name, '/') ? "" : "/run/netns/", name);

	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || n < 0 || (size_t)n >= sizeof(path))
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int netns_enter(int fd)
{
	return setns(fd, CLONE_NEWNET) ? -errno : 0;
}

int netns_route(struct nl *there, int fd)
{
	int back, here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), err;

	if (here < 0)
		return -errno;
	err = netns_enter(fd);
	if (!err) {
		err = nl_route(there);
		back = netns_enter(here);
		err = err ? err : back;
	}
	close(here);
	return err;
}
