/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SIGUSR2: the keeper executes its own program again, by the path it was started from, and goes on with every
 * descriptor and the whole table.  First what threads are doing comes to its end, and the new program has to show, in
 * a process of its own, that it starts and can read the record; until execve() itself every failure leaves the old
 * one as it was.  The kernel's objects notice nothing: they live as long as the descriptors do.
 *
 * keeper.lock says how it went, in its second line: "upgrade N ok ..." or "upgrade N refused: ...". */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alias.h"
#include "handover.h"
#include "journal.h"
#include "server.h"

enum { QUIET_MS = 60 * 1000, TRY_MS = 10 * 1000, RECORD_FD = 3, MAX_ARGS = 32 };

static void report(struct keeper *k, const char *how)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%d\nupgrade %u %s\n", (int)getpid(), k->upgrade.serial, how);

	if (k->lock < 0 || n < 0 || (size_t)n >= sizeof(text))
		return;
	if (ftruncate(k->lock, 0) < 0 || pwrite(k->lock, text, (size_t)n, 0) < 0)
		say(k, "keeper.lock: %s", strerror(errno));
}

static void refused(struct keeper *k, const char *why)
{
	char text[WHY_SIZE + 16];

	k->upgrade.wanted = false;
	k->upgrade.serial++;
	snprintf(text, sizeof(text), "refused: %s", why);
	say(k, "upgrade %s; this one goes on", text);
	report(k, text);
}

void upgrade_begin(struct keeper *k)
{
	if (k->upgrade.wanted)
		return;
	say(k, "SIGUSR2: upgrade to %s, as soon as nothing is under way", k->opt.program);
	k->upgrade.wanted = true;
	k->upgrade.by = now_ms() + QUIET_MS;
}

/* No thread works, nothing waits, no reply is on its way. */
static bool quiet(const struct keeper *k)
{
	return !workers_busy(k->workers) && !k->unlink_first && !k->unlinking && !k->eth_first && !k->out && !k->listing;
}

/* Our arguments after two of the program's own. */
static void arguments(const struct keeper *k, char **argv, char *option, char *number)
{
	unsigned n = 0;

	argv[n++] = k->opt.argv[0];
	argv[n++] = option;
	argv[n++] = number;
	for (unsigned i = 1; k->opt.argv[i] && n < MAX_ARGS - 1; i++)
		argv[n++] = k->opt.argv[i];
	argv[n] = NULL;
}

/* What the child has to say, up to its end or until.  false: it has not ended. */
static bool listen_to(int fd, int64_t until, char *text, size_t size)
{
	size_t n = 0;
	ssize_t got;

	for (;;) {
		struct pollfd p = { fd, POLLIN, 0 };
		int64_t left = until - now_ms();
		char more[256];

		if (left <= 0 || (poll(&p, 1, (int)left) <= 0 && errno != EINTR))
			break;
		got = read(fd, more, sizeof(more));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			text[n] = 0;
			return true;
		}
		for (ssize_t i = 0; i < got && n < size - 1 && more[i] != '\n'; i++)
			text[n++] = more[i];
	}
	text[n] = 0;
	return false;
}

/* Does the program start, take our options and read the record? */
static int try_it(struct keeper *k, int record, char *why)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char *argv[MAX_ARGS], option[] = "--can-read", number[] = "3", text[WHY_SIZE - 32] = "";
	int end[2], status = -1, err;
	sigset_t none;
	bool over;
	pid_t pid;

	if (pipe2(end, O_CLOEXEC) < 0)
		return why_fail(why, -errno, "pipe", NULL);
	arguments(k, argv, option, number);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, end[1], 1);
	posix_spawn_file_actions_adddup2(&files, record, RECORD_FD);
	posix_spawn_file_actions_addclosefrom_np(&files, RECORD_FD + 1);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	err = -posix_spawn(&pid, k->opt.program, &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	close(end[1]);
	if (err) {
		close(end[0]);
		return why_fail(why, err, k->opt.program, NULL);
	}
	over = listen_to(end[0], now_ms() + TRY_MS, text, sizeof(text));
	close(end[0]);
	if (!over)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (over && WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (!over)
		snprintf(why, WHY_SIZE, "the new program does not come to its end");
	else if (text[0])
		snprintf(why, WHY_SIZE, "%s", text);
	else
		snprintf(why, WHY_SIZE, "the new program does not start (wait status %#x)", (unsigned)status);
	return -EPROTO;
}

static void keep_open(int fd, void *arg)
{
	(void)arg;
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

static void close_on_exec(int fd, void *arg)
{
	(void)arg;
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int record_file(struct keeper *k, char *why)
{
	size_t len = 0;
	uint8_t *record = handover_make(k, &len);
	int fd = record ? memfd_create("ktund-keeper-record", MFD_CLOEXEC) : -1;

	if (fd < 0) {
		why_fail(why, record ? -errno : -ENOMEM, "record", NULL);
	} else {
		for (size_t done = 0; done < len; ) {
			ssize_t n = write(fd, record + done, len - done);

			if (n <= 0) {
				why_fail(why, n ? -errno : -ENOSPC, "record", NULL);
				close(fd);
				fd = -1;
				break;
			}
			done += (size_t)n;
		}
	}
	free(record);
	return fd;
}

static void upgrade_now(struct keeper *k)
{
	char why[WHY_SIZE], *argv[MAX_ARGS], option[] = "--take-over", number[16];
	int record = record_file(k, why);

	if (record < 0) {
		refused(k, why);
		return;
	}
	if (!try_it(k, record, why)) {
		snprintf(number, sizeof(number), "%d", record);
		arguments(k, argv, option, number);
		handover_fds(k, keep_open, NULL);
		keep_open(record, NULL);
		execv(k->opt.program, argv);
		why_fail(why, -errno, k->opt.program, NULL);
		handover_fds(k, close_on_exec, NULL);
	}
	close(record);
	refused(k, why);
}

void upgrade_tick(struct keeper *k)
{
	if (!k->upgrade.wanted)
		return;
	if (k->stop.from)
		refused(k, "the keeper is stopping");
	else if (geteuid())
		refused(k, "only as root are the capabilities there again");
	else if (quiet(k))
		upgrade_now(k);
	else if (now_ms() >= k->upgrade.by)
		refused(k, k->out ? "ktund does not take its replies" : "too much is under way");
}

int upgrade_timeout(const struct keeper *k)
{
	int64_t left = k->upgrade.by - now_ms();

	if (!k->upgrade.wanted)
		return -1;
	return left < 0 ? 0 : (int)left;
}

/* The other side of it */

/* The octets of the record; NULL with why. */
static uint8_t *read_record(int fd, size_t *ret_len, char *why)
{
	struct stat st;
	uint8_t *p;

	if (fstat(fd, &st) < 0) {
		why_fail(why, -errno, "record", NULL);
		return NULL;
	}
	p = malloc((size_t)st.st_size + 1);
	if (!p) {
		why_fail(why, -ENOMEM, "record", NULL);
		return NULL;
	}
	for (off_t done = 0; done < st.st_size; ) {
		ssize_t n = pread(fd, p + done, (size_t)(st.st_size - done), done);

		if (n <= 0) {
			why_fail(why, n ? -errno : -EIO, "record", NULL);
			free(p);
			return NULL;
		}
		done += n;
	}
	*ret_len = (size_t)st.st_size;
	return p;
}

static int take_record(struct keeper *k, int fd, char *why)
{
	size_t len = 0;
	uint8_t *record = read_record(fd, &len, why);
	int err = record ? handover_take(k, record, len, why) : -EIO;

	free(record);
	return err;
}

int upgrade_can_read(int fd, const char *runtime_dir)
{
	struct keeper k = { .opt = { .program = "" }, .lock = -1, .listen = -1, .client = -1, .checkpoints = -1,
			    .gate.fd = -1 };
	char why[WHY_SIZE] = "no memory";
	int err = -ENOMEM;

	k.hook_last = &k.hook_first;
	pins_init(&k.pins);
	k.table = table_new();
	if (k.table)
		err = take_record(&k, fd, why);
	if (!err && k.client >= 0 && k.client_version != K_VERSION) {
		snprintf(why, sizeof(why), "the new keeper does not speak with this ktund: stop ktund first (its calls go on)");
		err = -EPROTO;
	}
	if (!err && (err = journal_try(runtime_dir)) < 0)
		why_fail(why, err, "keeper.id and keeper.made", NULL);
	if (err)
		puts(why);
	hooks_free(&k);
	pins_done(&k.pins);
	table_free(k.table);
	free(k.guards);
	return err;
}

/* Whatever is open beyond the standard three: read before anything else is opened. */
void upgrade_look(struct keeper *k)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned room = 0;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int fd = atoi(e->d_name);

		if (fd <= 2 || fd == dirfd(d))
			continue;
		if (k->upgrade.n_fds == room) {
			int *more = realloc(k->upgrade.fd, (room * 2 + 256) * sizeof(*more));

			if (!more)
				break;
			room = room * 2 + 256;
			k->upgrade.fd = more;
		}
		k->upgrade.fd[k->upgrade.n_fds++] = fd;
	}
	if (d)
		closedir(d);
}

struct marks { bool *ours; int last; };

static void mark(int fd, void *arg)
{
	struct marks *m = arg;

	if (fd >= 0 && fd <= m->last)
		m->ours[fd] = true;
}

/* What the record does not name is no longer needed: the record, and the socket that libnftables left open.  nf_tables
 * removes a table with its owner's socket, so the new table of the same rules comes before this; a packet that meets
 * both is changed once. */
static void close_strangers(struct keeper *k)
{
	struct marks m = { .last = 0 };

	for (unsigned i = 0; i < k->upgrade.n_fds; i++)
		if (k->upgrade.fd[i] > m.last)
			m.last = k->upgrade.fd[i];
	m.ours = calloc((size_t)m.last + 1, sizeof(*m.ours));
	if (m.ours) {
		handover_fds(k, mark, &m);
		for (unsigned i = 0; i < k->upgrade.n_fds; i++)
			if (!m.ours[k->upgrade.fd[i]])
				close(k->upgrade.fd[i]);
	}
	free(m.ours);
	free(k->upgrade.fd);
	k->upgrade.fd = NULL;
	k->upgrade.n_fds = 0;
}

static void aliases_again(struct keeper *k)
{
	char why[WHY_SIZE];

	for (unsigned id = 1; id < 65536; id++) {
		const struct tunnel *t = table_tunnel(k->table, id);
		struct alias a;

		if (!t || !t->alias)
			continue;
		a = (struct alias){ t->was->tunnel.local, t->was->tunnel.peer, t->alias, t->id };
		if (alias_add(k->aliases, &a, why))
			say(k, "tunnel %u: %s", id, why);
	}
}

int upgrade_take_over(struct keeper *k, const char **ret_what)
{
	char why[WHY_SIZE];
	int err = take_record(k, k->opt.take_over, why);

	*ret_what = "taking over";
	if (err) {
		say(k, "%s", why);
		return err;
	}
	handover_fds(k, close_on_exec, NULL);
	err = journal_open(k->opt.runtime_dir, &k->journal, ret_what);
	if (err)
		return err;
	aliases_again(k);
	close_strangers(k);
	k->audit_wanted = true;		/* notes that nobody read meanwhile */
	return 0;
}

void upgrade_done(struct keeper *k)
{
	k->upgrade.serial++;
	say(k, "upgraded to version " KTUND_VERSION " with %u tunnels and %u sessions", table_tunnels(k->table),
	    table_sessions(k->table));
	report(k, "ok: version " KTUND_VERSION);
}
