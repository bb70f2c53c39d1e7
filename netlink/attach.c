/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attach.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netns.h"
#include "nl.h"
#include "rtnl.h"
#include "why.h"

static int fail(int err, char *why, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(int err, char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, WHY_SIZE, fmt, ap);
	va_end(ap);
	return err;
}

/* The link, or "" for none, that shall be the master; checks that it is one. */
static int find_master(struct nl *nl, const struct attach *a, struct rtnl_info *ret, char *why)
{
	const char *name = a->bridge ? a->bridge : a->vrf, *kind = a->bridge ? "bridge" : "vrf";
	int err;

	*ret = (struct rtnl_info){ 0 };
	if (!name)
		return 0;
	err = rtnl_link_info(nl, name, ret);
	if (err)
		return fail(err, why, "%s %s: %s", kind, name, strerror(-err));
	if (strcmp(ret->kind, kind))
		return fail(-EINVAL, why, "%s is no %s", name, kind);
	if (a->vlan && !ret->vlan_filtering)
		return fail(-EINVAL, why, "%s minds no VLANs (ip link set %s type bridge vlan_filtering 1)", name, name);
	return 0;
}

/* there: rtnetlink of the namespace where the link will be; *ret_fd: that namespace, or 0 for this one. */
static int go(struct nl *there, const struct attach *a, int *ret_fd, char *why)
{
	int err, fd = a->netns ? netns_open(a->netns) : 0;

	*ret_fd = 0;
	if (fd < 0)
		return fail(fd, why, "network namespace %s: %s", a->netns, strerror(-fd));
	err = fd ? netns_route(there, fd) : nl_route(there);
	if (err) {
		if (fd)
			close(fd);
		return fail(err, why, "rtnetlink: %s", strerror(-err));
	}
	*ret_fd = fd;
	return 0;
}

int attach_check(const struct attach *a, char *why)
{
	struct nl there = { 0 };
	struct rtnl_info master;
	int err, fd;

	err = go(&there, a, &fd, why);
	if (!err)
		err = find_master(&there, a, &master, why);
	if (fd)
		close(fd);
	nl_done(&there);
	return err;
}

static int step(struct nl *nl, const struct rtnl_link *l, const char *link, const char *what, char *why)
{
	int err = rtnl_link_set(nl, l);

	return err ? fail(err, why, "%s of %s: %s%s%s", what, link, strerror(-err), nl->text[0] ? ": " : "", nl->text) : 0;
}

static int in_place(struct nl *there, const char *link, const struct attach *a, char *why)
{
	struct rtnl_info self, master;
	int err = find_master(there, a, &master, why);

	if (err)
		return err;
	err = rtnl_link_info(there, link, &self);
	if (err)
		return fail(err, why, "link %s: %s", link, strerror(-err));
	if (master.ifindex)
		err = step(there, &(struct rtnl_link){ .ifindex = self.ifindex, .master = master.ifindex }, link, "master", why);
	if (!err && a->vlan) {
		if (master.default_pvid && master.default_pvid != a->vlan)
			rtnl_port_vlan(there, self.ifindex, master.default_pvid, false);
		err = rtnl_port_vlan(there, self.ifindex, a->vlan, true);
		if (err)
			return fail(err, why, "VLAN %u of %s: %s", a->vlan, link, strerror(-err));
	}
	if (!err && (a->up || a->bridge))
		err = step(there, &(struct rtnl_link){ .ifindex = self.ifindex, .up = true }, link, "up", why);
	return err;
}

int attach_link(struct nl *nl, const char *link, const struct attach *a, char *why)
{
	struct nl there = { 0 };
	struct rtnl_info self;
	int err, fd;

	err = go(&there, a, &fd, why);
	if (err)
		return err;
	err = rtnl_link_info(nl, link, &self);
	if (err)
		err = fail(err, why, "link %s: %s", link, strerror(-err));
	if (!err && a->mtu)
		err = step(nl, &(struct rtnl_link){ .ifindex = self.ifindex, .mtu = a->mtu }, link, "MTU", why);
	if (!err && fd)
		err = step(nl, &(struct rtnl_link){ .ifindex = self.ifindex, .netns = fd }, link, "namespace", why);
	if (!err)
		err = in_place(&there, link, a, why);
	if (fd)
		close(fd);
	nl_done(&there);
	return err;
}
