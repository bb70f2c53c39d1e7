/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces by the names that `ip netns` gives. */
#pragma once

struct nl;

/* A descriptor (close-on-exec) of the namespace of this name, or of a path if there is a slash in it; -errno. */
int netns_open(const char *name);
/* This thread goes there.  0 or -errno. */
int netns_enter(int fd);
/* Opens the rtnetlink socket of *there, which must have none yet, in that namespace; the thread stays where it is. */
int netns_route(struct nl *there, int fd);
