/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void doctor_found(struct doctor *d, enum health health, const char *what, const char *remedy, const char *fmt, ...)
{
	static const char *const name[] = { "ok", "warn", "bad" };
	char *s = NULL, *clean;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	clean = safe(need(n < 0 ? NULL : s));
	free(s);
	d->n[health]++;
	if (!d->cli->json) {
		printf("%-4s  %-10s  %s\n", name[health], what, clean);
		if (remedy)
			printf("%18sremedy: %s\n", "", remedy);
	} else {
		json_array_append_new(d->found, need(json_pack("{s:s, s:s, s:s, s:s?}", "what", what, "state", name[health],
							       "text", clean, "remedy", remedy)));
	}
	free(clean);
}

const char *doctor_line(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return buf;
}

/* The words of a process, NUL-terminated each, in buf; their octets. */
static size_t command_line(int pid, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

/* What follows one of these words (or "long=") in the command line of a process, into ret if it is there. */
static void option_of(int pid, const char *lng, const char *shrt, char *ret, size_t size)
{
	char all[4096];
	size_t n = command_line(pid, all, sizeof(all)), len = strlen(lng);

	for (const char *w = all; w < all + n; w += strlen(w) + 1) {
		const char *value = w + strlen(w) + 1;

		if ((!strcmp(w, lng) || !strcmp(w, shrt)) && value < all + n)
			snprintf(ret, size, "%s", value);
		else if (!strncmp(w, lng, len) && w[len] == '=')
			snprintf(ret, size, "%s", w + len + 1);
	}
}

/* Does it run what is on the disk?  Says so if not. */
static void check_program(struct doctor *d, const char *what, int pid, const char *remedy)
{
	char path[64], target[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = 0;
	if (strstr(target, " (deleted)"))
		doctor_found(d, WARN, what, remedy, "pid %d still runs a program that was replaced since", pid);
}

static bool same_netns(int pid)
{
	struct stat mine, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat("/proc/self/ns/net", &mine) || stat(path, &theirs) || mine.st_ino == theirs.st_ino;
}

/* A keeper of our directory whose ktund cannot tell us of it. */
static int find_keeper(const struct doctor *d)
{
	char path[300], name[32], dir[256];
	DIR *proc = opendir("/proc");
	int found = 0;

	for (struct dirent *e; proc && !found && (e = readdir(proc));) {
		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		if (!isdigit((unsigned char)e->d_name[0]) || strcmp(doctor_line(path, name, sizeof(name)), "ktund-keeper"))
			continue;
		dir[0] = 0;
		option_of(atoi(e->d_name), "--runtime-dir", "-r", dir, sizeof(dir));
		if (!strcmp(dir, d->cli->dir))
			found = atoi(e->d_name);
	}
	if (proc)
		closedir(proc);
	return found;
}

/* ktund and its keeper: do they run, and what? */
static void check_daemon(struct doctor *d)
{
	static const char start[] = "systemctl start ktund (or, in the foreground: ktund --config FILE); its log says why "
		"if it ends";
	char path[300];
	json_t *answer, *stats, *keeper;
	const char *version;
	struct stat sb;

	snprintf(path, sizeof(path), "%s/control", d->cli->dir);
	d->cli->quiet = true;
	answer = call_one(d->cli, "ShowStats", json_object(), 3000, NULL);
	d->cli->quiet = false;
	call_close(d->cli);
	stats = json_object_get(answer, "stats");
	keeper = json_object_get(stats, "keeper");
	version = json_string_value(json_object_get(stats, "version"));
	d->ktund = (int)json_integer_value(json_object_get(stats, "pid"));
	d->keeper = (int)json_integer_value(json_object_get(keeper, "pid"));
	if (!d->keeper)
		d->keeper = find_keeper(d);
	if (version && strcmp(version, KTUND_VERSION))
		doctor_found(d, WARN, "ktund", "systemctl restart ktund (no call ends)",
			     "it is version %s, ktun is " KTUND_VERSION, version);
	else if (version)
		doctor_found(d, OK, "ktund", NULL, "version %s answers at %s, pid %d", version, path, d->ktund);
	else if (stat(path, &sb) && errno != EACCES)
		doctor_found(d, BAD, "ktund", start, "no control socket %s: it does not run", path);
	else if (access(path, R_OK | W_OK))
		doctor_found(d, BAD, "ktund", "run ktun doctor as root", "%s: %s", path, strerror(errno));
	else
		doctor_found(d, BAD, "ktund", start, "nobody answers at %s: it does not run, or hangs", path);
	if (d->ktund) {
		check_program(d, "ktund", d->ktund, "systemctl restart ktund (no call ends)");
		option_of(d->ktund, "--config", "-c", d->config, sizeof(d->config));
		if (!same_netns(d->ktund))
			doctor_found(d, WARN, "ktund", "ip netns exec NAME ktun doctor",
				     "it runs in another network namespace: what follows of sysctls, ports and policies is not "
				     "about it");
	}
	if (d->keeper) {
		if (version && !json_is_object(keeper))
			doctor_found(d, BAD, "keeper", "systemctl restart ktund; its log says what is wrong between them",
				     "pid %d runs, but not with ktund", d->keeper);
		else
			doctor_found(d, OK, "keeper", NULL, "pid %d holds the kernel's tunnels", d->keeper);
		check_program(d, "keeper", d->keeper, "ktund --upgrade-keeper (no call ends)");
		option_of(d->keeper, "--charon", "-", d->charon, sizeof(d->charon));
	} else {
		doctor_found(d, BAD, "keeper", version ? "systemctl restart ktund-keeper ktund; its log says why it ended" : start,
			     "no keeper serves %s: nothing can be put into the kernel", d->cli->dir);
	}
	json_decref(answer);
}

/* Where the programs are that belong to this one. */
static void find_program(const char *name, char *ret, size_t size)
{
	static const char *const dirs[] = { "/usr/sbin", "/usr/local/sbin" };
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = 0;
	snprintf(ret, size, "%s/%s", dirname(self), name);
	for (unsigned i = 0; access(ret, X_OK) && i < sizeof(dirs) / sizeof(*dirs); i++)
		snprintf(ret, size, "%s/%s", dirs[i], name);
}

/* Runs it, and takes what it prints; its status, -1: it cannot be run. */
static int run(char *const argv[], char *out, size_t size)
{
	int fd[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	out[0] = 0;
	if (pipe2(fd, O_CLOEXEC))
		return -1;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (dup2(fd[1], 1) < 0 || dup2(fd[1], 2) < 0)
			_exit(127);
		execv(argv[0], argv);
		_exit(127);
	}
	close(fd[1]);
	while (pid > 0 && len + 1 < size && (n = read(fd[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = 0;
	close(fd[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return -1;
	return WEXITSTATUS(status);
}

static void check_config(struct doctor *d)
{
	char program[256], check[] = "--check", out[4096], *more;
	char *argv[] = { program, check, d->config, NULL };
	unsigned n[5];
	int status;

	find_program("ktund", program, sizeof(program));
	if (access(d->config, R_OK)) {
		status = errno;
		doctor_found(d, status == EACCES ? WARN : BAD, "config", status == EACCES ? "run ktun doctor as root" :
			     "write one, as ktund.conf(5) says; or name another: ktun doctor config FILE", "%s: %s", d->config,
			     strerror(status));
		return;
	}
	status = run(argv, out, sizeof(out));
	if (status < 0) {
		doctor_found(d, BAD, "config", "install ktund beside ktun", "cannot run %s to look at %s", program, d->config);
		return;
	}
	more = strchr(out, '\n');
	if (more)
		*more = 0;
	if (status) {
		doctor_found(d, BAD, "config", "mend that line, then: ktund --check", "%s", *out ? out : "it cannot be read");
		return;
	}
	more = strstr(out, ": ok: ");
	d->config_known = more && sscanf(more, ": ok: %u listeners, %u pools, %u users, %u peers, %u tunnels, %u with IPsec",
					 &d->listens, &n[0], &n[1], &n[2], &n[3], &d->ipsec) == 6;
	doctor_found(d, OK, "config", NULL, "%s", out);
}

int act_doctor(struct cli *cli, const struct command *c, int argc, char **argv)
{
	struct doctor d = { .cli = cli, .config = "/etc/ktund/ktund.conf", .charon = "/var/run/charon.vici" };

	for (int i = 0; i < argc; i += 2) {
		bool config = abbreviates(argv[i], "config");

		if (!config && !abbreviates(argv[i], "charon"))
			return wrong("\"%s\" does not fit; usage: ktun doctor %s", argv[i], c->args);
		if (i + 1 == argc)
			return wrong("a file's name is missing after \"%s\"", argv[i]);
	}
	if (cli->look)
		return DONE;
	d.found = need(json_array());
	if (geteuid())
		doctor_found(&d, WARN, "doctor", "run ktun doctor as root", "not everything can be looked into by uid %d",
			     (int)geteuid());
	check_daemon(&d);
	for (int i = 0; i < argc; i += 2)
		snprintf(abbreviates(argv[i], "config") ? d.config : d.charon, sizeof(d.config), "%s", argv[i + 1]);
	check_config(&d);
	doctor_charon(&d);
	doctor_host(&d);
	if (cli->json) {
		print_json(cli, d.found);
	} else {
		printf("%u ok, %u to think about, %u bad\n", d.n[OK], d.n[WARN], d.n[BAD]);
		json_decref(d.found);
	}
	return d.n[BAD] ? FAILED : DONE;
}
