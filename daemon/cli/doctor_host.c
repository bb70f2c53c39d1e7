/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This machine: kernel, modules, sysctls, ports, policies, clock, entropy. */
#include "doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "netlink/survey.h"

enum { L2TP_PORT = 1701, IKE_PORT = 500, NAT_T_PORT = 4500 };

/* Debian says the release of its kernel in the version: "#1 SMP ... Debian 6.1.190-1 (...)". */
static unsigned long release(const struct utsname *u, char *text, size_t size)
{
	const char *debian = strstr(u->version, "Debian ");
	unsigned a = 0, b = 0, c = 0;

	if (!debian || sscanf(debian, "Debian %u.%u.%u", &a, &b, &c) < 2)
		(void)sscanf(u->release, "%u.%u.%u", &a, &b, &c);
	snprintf(text, size, "%u.%u.%u", a, b, c);
	return a * 1000000UL + b * 1000 + c;
}

static void check_kernel(struct doctor *d)
{
	static const char newer[] = "a newer kernel (Debian: apt install linux-image-amd64, from backports if need be), and reboot";
	struct utsname u;
	unsigned long v;
	char text[40];
	unsigned n = d->n[WARN] + d->n[BAD];

	if (uname(&u))
		return;
	v = release(&u, text, sizeof(text));
	if (v < 5019000)
		doctor_found(d, d->ipsec ? BAD : WARN, "kernel", newer,
			     "Linux %s: before 5.19 no socket says which SA a datagram came by: no L2TP/IPsec for callers", text);
	if (v < 6001188 || (v >= 6002000 && v < 6012111))
		doctor_found(d, WARN, "kernel", newer, "Linux %s: before 6.1.188 and 6.12.111 PPP frames that come while a "
			     "link is made are lost: some sessions take 3 s longer", text);
	if (v < 6011000)
		doctor_found(d, WARN, "kernel", newer, "Linux %s: before 6.11 of several callers with one address and port "
			     "(IPsec behind one NAT) only the first is served", text);
	else if (v < 6013000)
		doctor_found(d, OK, "kernel", NULL, "Linux %s; beyond 1000 tunnels on one address 6.13 is faster", text);
	if (d->n[WARN] + d->n[BAD] == n && v >= 6013000)
		doctor_found(d, OK, "kernel", NULL, "Linux %s", text);
}

/* Is it loaded, or built in? */
static bool loaded(const char *module)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return !access(path, F_OK);
}

/* Does a file of /lib/modules name it?  Both have lines that begin with, or hold, ".../NAME.ko". */
static bool listed(const char *file, const char *module)
{
	char path[200], want[64], *line = NULL;
	struct utsname u;
	size_t size = 0;
	bool found = false;
	FILE *f;

	if (uname(&u))
		return false;
	snprintf(path, sizeof(path), "/lib/modules/%s/%s", u.release, file);
	snprintf(want, sizeof(want), "/%s.ko", module);
	f = fopen(path, "re");
	while (f && !found && getline(&line, &size, f) > 0) {
		line[strcspn(line, ":\n")] = 0;
		found = strstr(line, want);
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/* Of these modules the ones that are nowhere; those that are not loaded yet, too, by *ret_idle. */
static char *missing(const char *const *module, char **ret_idle)
{
	char *none = text("%s", ""), *idle = text("%s", "");

	for (; *module; module++) {
		bool can = listed("modules.dep", *module);
		char **to = can ? &idle : &none, *more;

		if (loaded(*module) || listed("modules.builtin", *module))
			continue;
		more = text("%s %s", *to, *module);
		free(*to);
		*to = more;
	}
	*ret_idle = idle;
	return none;
}

static void check_modules(struct doctor *d, enum health health, const char *what, const char *option, const char *const *module)
{
	char *idle, *none = missing(module, &idle), *remedy = NULL;

	if (*none) {
		remedy = text("a kernel with %s (Debian: linux-image-amd64, not its cloud flavour), or: modprobe -a%s",
			      option, none);
		doctor_found(d, health, "modules", remedy, "%s:%s not loaded, and not in /lib/modules", what, none);
	} else if (*idle) {
		doctor_found(d, OK, "modules", NULL, "%s: there, loaded when needed:%s", what, idle);
	} else {
		doctor_found(d, OK, "modules", NULL, "%s: loaded", what);
	}
	free(remedy);
	free(none);
	free(idle);
}

static void check_l2tp(struct doctor *d)
{
	static const char *const l2tp[] = { "l2tp_core", "l2tp_netlink", "l2tp_ppp", "pppox", "ppp_generic", NULL };
	static const char *const v3[] = { "l2tp_eth", "l2tp_ip", "l2tp_ip6", NULL };
	static const char *const ipsec[] = { "xfrm_user", "esp4", "esp6", NULL };
	static const char *const nft[] = { "nf_tables", NULL };
	int err = survey_l2tp(&d->cli->nl);

	if (err)
		doctor_found(d, BAD, "l2tp", "modprobe l2tp_netlink; in a container: on its host",
			     "the kernel has no netlink for L2TP: %s",
			     strerror(-err));
	err = survey_pppox();
	if (err)
		doctor_found(d, BAD, "l2tp", "modprobe l2tp_ppp; in a container: on its host", "no PPPoL2TP socket can be made: %s",
			     strerror(-err));
	err = geteuid() && access("/dev/ppp", F_OK) == 0 ? 0 : survey_ppp();
	if (err)
		doctor_found(d, BAD, "l2tp", err == -EACCES || err == -EPERM ?
			     "allow CAP_NET_ADMIN and the device /dev/ppp (108:0) in this container" :
			     "modprobe ppp_generic; in a container: mknod /dev/ppp c 108 0, and allow the device",
			     "/dev/ppp: %s", strerror(-err));
	check_modules(d, BAD, "L2TPv2 and PPP", "CONFIG_L2TP, CONFIG_L2TP_V3, CONFIG_PPPOL2TP", l2tp);
	check_modules(d, WARN, "L2TPv3", "CONFIG_L2TP_ETH, CONFIG_L2TP_IP", v3);
	check_modules(d, d->ipsec ? BAD : WARN, "IPsec", "CONFIG_XFRM_USER, CONFIG_INET_ESP, CONFIG_INET6_ESP", ipsec);
	check_modules(d, WARN, "rules of our own", "CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET", nft);
}

static int sysctl(const char *name)
{
	char path[128], value[32];

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	return *doctor_line(path, value, sizeof(value)) ? atoi(value) : -1;
}

/* One that should not have this value, in every interface's own directory of base, too. */
static void check_sysctl(struct doctor *d, enum health health, const char *base, const char *name, int bad, int good,
			 const char *why)
{
	char path[96], *where = text("%s", ""), *more, *remedy;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", base);
	dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		snprintf(path, sizeof(path), "%s/%s/%s", base, e->d_name, name);
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "lo") || sysctl(path) != bad || n++ >= 3)
			continue;
		more = text("%s%s%s", where, *where ? ", " : "", e->d_name);
		free(where);
		where = more;
	}
	if (dir)
		closedir(dir);
	if (n) {
		for (char *s = strcpy(path, base); (s = strchr(s, '/'));)
			*s = '.';
		remedy = text("echo 'net.%s.*.%s = %d' >/etc/sysctl.d/90-ktund.conf && sysctl --system", path, name, good);
		doctor_found(d, health, "sysctl", remedy, "net.%s.%s = %d (%s%s): %s", path, name, bad, where,
			     n > 3 ? ", ..." : "", why);
		free(remedy);
	}
	free(where);
}

static void check_sysctls(struct doctor *d)
{
	unsigned n = d->n[WARN] + d->n[BAD];

	if (d->listens && !sysctl("ipv4/ip_forward"))
		doctor_found(d, WARN, "sysctl", "echo 'net.ipv4.ip_forward = 1' >>/etc/sysctl.d/91-ktund.conf && sysctl --system",
			     "net.ipv4.ip_forward = 0: who dials in reaches this machine, and nothing behind it");
	/* all/rp_filter beats each interface's if it is greater, so that = 1 there is for all of them */
	if (sysctl("ipv4/conf/all/rp_filter") == 1)
		doctor_found(d, WARN, "sysctl",
			     "echo 'net.ipv4.conf.all.rp_filter = 2' >>/etc/sysctl.d/91-ktund.conf && sysctl --system",
			     "net.ipv4.conf.all.rp_filter = 1: what comes by another way than its answer goes is dropped silently");
	if (d->ipsec) {
		check_sysctl(d, BAD, "ipv4/conf", "disable_xfrm", 1, 0, "IPsec is not asked for what goes out there");
		check_sysctl(d, BAD, "ipv4/conf", "disable_policy", 1, 0, "what comes in there passes without IPsec");
		check_sysctl(d, BAD, "ipv6/conf", "disable_policy", 1, 0, "what comes in there passes without IPsec");
	}
	if (sysctl("ipv4/conf/all/accept_redirects") == 1 && d->ipsec)
		doctor_found(d, WARN, "sysctl",
			     "echo 'net.ipv4.conf.all.accept_redirects = 0' >>/etc/sysctl.d/91-ktund.conf && sysctl --system",
			     "net.ipv4.conf.all.accept_redirects = 1: a neighbour's ICMP can lead packets around the tunnel");
	if (d->n[WARN] + d->n[BAD] == n)
		doctor_found(d, OK, "sysctl", NULL, "nothing there hinders");
}

/* The process that has this socket open. */
static int owner(unsigned long inode, char *name, size_t size)
{
	char want[40], path[400], is[64];
	DIR *proc = opendir("/proc");
	int found = 0;

	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	for (struct dirent *e; proc && !found && (e = readdir(proc));) {
		DIR *fds;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fd", e->d_name);
		fds = opendir(path);
		for (struct dirent *f; fds && !found && (f = readdir(fds));) {
			ssize_t n;

			snprintf(path, sizeof(path), "/proc/%.20s/fd/%.20s", e->d_name, f->d_name);
			n = readlink(path, is, sizeof(is) - 1);
			is[n > 0 ? n : 0] = 0;
			if (!strcmp(is, want))
				found = atoi(e->d_name);
		}
		if (fds)
			closedir(fds);
	}
	if (proc)
		closedir(proc);
	snprintf(path, sizeof(path), "/proc/%d/comm", found);
	doctor_line(path, name, size);
	return found;
}

/* Who of them has UDP port?  Those that ours (the beginning of their name) do not own go to a finding; how many are ours. */
static unsigned port_owners(struct doctor *d, unsigned port, const char *ours, enum health health)
{
	static const char *const file[] = { "/proc/net/udp", "/proc/net/udp6" };
	char *line = NULL, name[32], *remedy;
	size_t size = 0;
	unsigned n = 0, p;
	unsigned long inode;

	for (unsigned i = 0; i < 2; i++) {
		FILE *f = fopen(file[i], "re");
		bool said = false;

		while (f && getline(&line, &size, f) > 0) {
			int pid;

			if (sscanf(line, " %*u: %*[0-9A-F]:%x %*s %*s %*s %*s %*s %*u %*u %lu", &p, &inode) != 2 || p != port)
				continue;
			pid = owner(inode, name, sizeof(name));
			if (!strncmp(name, ours, strlen(ours))) {
				n++;
			} else if (!said && (pid || !geteuid())) {
				said = true;
				remedy = text("systemctl disable --now %s (or end pid %d)", pid ? name : "whoever that is", pid);
				doctor_found(d, health, "ports", remedy, "UDP port %u has %s (pid %d), not %s", port,
					     pid ? name : "somebody", pid, ours);
				free(remedy);
			}
		}
		if (f)
			fclose(f);
	}
	free(line);
	return n;
}

static void check_ports(struct doctor *d)
{
	unsigned n = d->n[WARN] + d->n[BAD], l2tp, ike, nat_t;

	l2tp = port_owners(d, L2TP_PORT, "ktund", d->listens ? BAD : WARN);
	if (d->listens && d->ktund && !l2tp && d->n[WARN] + d->n[BAD] == n)
		doctor_found(d, WARN, "ports", "look for `listen` in ktund's log, or give listen the port that peers call",
			     "ktund listens, but nowhere on UDP port 1701");
	if (d->ipsec) {
		ike = port_owners(d, IKE_PORT, "charon", BAD);
		nat_t = port_owners(d, NAT_T_PORT, "charon", BAD);
		if (d->n[WARN] + d->n[BAD] == n && (!ike || !nat_t) && !geteuid())
			doctor_found(d, BAD, "ports", "start strongSwan in this network namespace, with its plugin socket-default",
				     "no charon has UDP port %u here: no IKE", ike ? NAT_T_PORT : IKE_PORT);
	}
	if (d->n[WARN] + d->n[BAD] == n)
		doctor_found(d, OK, "ports", NULL, "UDP 1701%s: nobody else has %s", d->ipsec ? ", 500, 4500" : "",
			     d->ipsec ? "them" : "it");
}

static void check_policies(struct doctor *d)
{
	struct survey_policies p;
	int err;

	if (!d->ipsec)
		return;
	err = survey_policies(&d->cli->nl, L2TP_PORT, &p);
	if (err == -EPERM && geteuid())
		return;
	if (err)
		doctor_found(d, BAD, "policies", "modprobe xfrm_user; in a container: on its host, and allow CAP_NET_ADMIN",
			     "the kernel does not tell its IPsec policies: %s", strerror(-err));
	else if (p.open)
		doctor_found(d, BAD, "policies",
			     "find it: ip xfrm policy; if it is strongSwan's: bypass-lan { load = no } among its plugins",
			     "%u polic%s L2TP pass without IPsec, before ours are asked", p.open,
			     p.open == 1 ? "y of others lets" : "ies of others let");
	else if (d->ktund && d->keeper && !p.ours)
		doctor_found(d, BAD, "policies", "systemctl restart ktund; its log says what the kernel refuses",
			     "none of ours is there: nothing keeps out what comes without IPsec");
	else
		doctor_found(d, OK, "policies", NULL, "%u of ours, %u of others, none that lets L2TP pass without IPsec",
			     p.ours, p.others);
}

static void check_clock(struct doctor *d)
{
	struct timex tx = { .modes = 0 };
	struct stat sb;
	time_t now = time(NULL);
	unsigned n = d->n[WARN] + d->n[BAD];

	if (!stat("/proc/self/exe", &sb) && sb.st_mtime > now + 86400)
		doctor_found(d, BAD, "clock", "set it: timedatectl set-ntp true (systemd-timesyncd, chrony), or date -s",
			     "by this clock ktun itself was made %ld days after today: certificates are judged wrongly",
			     (long)((sb.st_mtime - now) / 86400));
	if (adjtimex(&tx) >= 0 && (tx.status & STA_UNSYNC))
		doctor_found(d, WARN, "clock", "timedatectl set-ntp true (systemd-timesyncd, chrony)", "nothing keeps it right");
	if (d->n[WARN] + d->n[BAD] == n)
		doctor_found(d, OK, "clock", NULL, "it is kept right");
}

static void check_entropy(struct doctor *d)
{
	char one;

	if (getrandom(&one, 1, GRND_NONBLOCK) != 1 && errno == EAGAIN)
		doctor_found(d, BAD, "entropy", "a source of chance: virtio-rng for a virtual machine, or apt install rng-tools5",
			     "the kernel's generator has not begun: ktund waits for it");
	else
		doctor_found(d, OK, "entropy", NULL, "the kernel's generator runs");
}

void doctor_host(struct doctor *d)
{
	check_kernel(d);
	check_l2tp(d);
	check_sysctls(d);
	check_ports(d);
	check_policies(d);
	check_clock(d);
	check_entropy(d);
}
