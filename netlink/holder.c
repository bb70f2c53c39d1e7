/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "holder.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kobj.h"

enum { MAX_INODES = 16 };	/* sockets of the same addresses and ports; the first ones will do */

/* "0200000A:06A5", as /proc/net/udp writes it: words of the address as the processor reads them. */
static void endpoint(const struct k_addr *a, char out[40])
{
	char *p = out;

	for (int i = 0; i < (a->family == 6 ? 16 : 4); i += 4) {
		uint32_t word;

		memcpy(&word, a->addr + i, 4);
		p += sprintf(p, "%08X", word);
	}
	sprintf(p, ":%04X", a->port);
}

/* The inodes of the tunnel's UDP socket, or of all that look like it. */
static unsigned find_inodes(const struct kobj_tunnel *t, unsigned long inode[MAX_INODES])
{
	char local[40], peer[40], line[512], l[64], r[64];
	FILE *f = fopen(t->local.family == 6 ? "/proc/net/udp6" : "/proc/net/udp", "re");
	unsigned n = 0;

	if (!f)
		return 0;
	endpoint(&t->local, local);
	endpoint(&t->peer, peer);
	while (n < MAX_INODES && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %63s %63s %*s %*s %*s %*s %*s %*s %lu", l, r, &inode[n]) == 3 && inode[n] &&
		    !strcmp(l, local) && !strcmp(r, peer))
			n++;
	fclose(f);
	return n;
}

/* Has the process one of these sockets? */
static bool holds(const char *pid, const unsigned long *inode, unsigned n)
{
	char path[512], link[64];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		unsigned long ino;
		ssize_t len = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);

		if (len < 0)
			continue;
		link[len] = 0;
		if (sscanf(link, "socket:[%lu]", &ino) != 1)
			continue;
		for (unsigned i = 0; i < n; i++)
			found |= inode[i] == ino;
	}
	if (d)
		closedir(d);
	return found;
}

int holder_find(const struct kobj_tunnel *t, struct holder *ret)
{
	unsigned long inode[MAX_INODES];
	unsigned n = t->encap == KOBJ_UDP && t->local.family ? find_inodes(t, inode) : 0;
	DIR *d = n ? opendir("/proc") : NULL;
	struct dirent *e;
	int found = 0;

	while (d && !found && (e = readdir(d))) {
		char path[64];
		FILE *f;

		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !holds(e->d_name, inode, n))
			continue;
		found = 1;
		*ret = (struct holder){ .pid = atoi(e->d_name) };
		snprintf(path, sizeof(path), "/proc/%.20s/comm", e->d_name);
		f = fopen(path, "re");
		if (f && fgets(ret->name, sizeof(ret->name), f))
			ret->name[strcspn(ret->name, "\n")] = 0;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return found;
}
