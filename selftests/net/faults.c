/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the k-th call of a process fail (selftests/fault/fault.c), for one k after the other, and has a client call each time.
 *
 *	faults DST PORT WHICH FIRST STEP ktund:PID:FILE ktund-keeper:PID:FILE [COMMAND]
 *
 * COMMAND: of the shell, instead of the client: its status 0 means "up=1", 1 that there was an answer, too.
 * WHICH: the process that fails.  FIRST, STEP: the first k and the distance to the next, until there are no more calls; STEP 0:
 * how many there are, and nothing fails.  A client who heard nothing at all, something that was left and a process that died
 * have a line each.  Prints calls=N failed=N mute=N left=N dead=N ms=N: calls that may fail, those that did, of which so many
 * left the client without an answer, so many left something behind.  Run it in the client's network namespace. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "client.h"

enum { N = 2, PATIENCE_MS = 8000, CALL_S = 12, BEYOND = 4, FIRST_PORT = 20000, SOME = 1000000000 };

struct shared { uint32_t k, calls, failed, kind; int32_t live; };
struct process { const char *name; pid_t pid; struct shared *shared; unsigned fds; };

static struct process process[N];
static char *dst, *port, *command;
static unsigned n_calls;

static void share(struct process *p, char *words)
{
	char *pid = strchr(words, ':'), *file = pid ? strchr(pid + 1, ':') : NULL;
	int fd;

	if (!file)
		die("%s is no NAME:PID:FILE", words);
	*pid++ = *file++ = 0;
	p->name = words;
	p->pid = (pid_t)many(pid);
	fd = open(file, O_RDWR | O_CLOEXEC);
	p->shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*p->shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p->shared == MAP_FAILED)
		die("%s: %s", file, strerror(errno));
	close(fd);
}

static void arm(struct process *p, uint32_t k)
{
	__atomic_store_n(&p->shared->k, 0, __ATOMIC_SEQ_CST);
	p->shared->calls = p->shared->failed = p->shared->kind = 0;
	__atomic_store_n(&p->shared->k, k, __ATOMIC_SEQ_CST);
}

static bool dead(void)
{
	for (unsigned i = 0; i < N; i++)
		if (kill(process[i].pid, 0))
			return true;
	return false;
}

/* As if the command were a client. */
static int ordered(void)
{
	int status = system(command);

	printf("%s\n", !status ? "up=1" : WIFEXITED(status) && WEXITSTATUS(status) == 1 ? "cdn=1" : "nothing");
	return 0;
}

/* One client, in a process of its own: the text it printed. */
static const char *client(void)
{
	static char said[512];
	char sport[32], seconds[32], *words[] = { dst, port, sport, seconds, (char[]){ "hasty" }, NULL };
	size_t n = 0;
	int pipes[2];
	ssize_t got;
	pid_t pid;

	snprintf(sport, sizeof(sport), "sport=%u", FIRST_PORT + n_calls++ % 40000);
	snprintf(seconds, sizeof(seconds), "seconds=%u", CALL_S);
	if (pipe(pipes))
		die("pipe: %s", strerror(errno));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		exit(command ? ordered() : lac(words));
	}
	close(pipes[1]);
	while (pid > 0 && n < sizeof(said) - 1 && (got = read(pipes[0], said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)got;
	close(pipes[0]);
	if (pid < 0 || waitpid(pid, NULL, 0) < 0)
		die("fork: %s", strerror(errno));
	for (said[n] = 0; strchr(said, '\n'); )
		*strchr(said, '\n') = ' ';
	return said;
}

static unsigned figure(const char *said, const char *name)
{
	const char *at = strstr(said, name);

	return at ? (unsigned)strtoul(at + strlen(name), NULL, 10) : 0;
}

static bool answered(const char *said)
{
	return figure(said, "up=") || figure(said, "cdn=") || figure(said, "stopccn=");
}

static unsigned in_file(const char *file, const char *what)
{
	char path[64], line[512];
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", process[0].pid, file);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		n += !!strstr(line, what);
	if (f)
		fclose(f);
	return n;
}

/* But those of netlink: the keeper's threads open them once, and keep them. */
static unsigned descriptors(const struct process *p)
{
	static char netlink[65536];
	char path[64], link[64];
	struct dirent *e;
	unsigned n = 0;
	size_t len = 0;
	FILE *f;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/net/netlink", p->pid);
	f = fopen(path, "re");
	if (f) {
		len = fread(netlink, 1, sizeof(netlink) - 1, f);
		fclose(f);
	}
	netlink[len] = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", p->pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		ssize_t got = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		unsigned long inode;
		char row[32];

		link[got > 0 ? got : 0] = 0;
		if (sscanf(link, "socket:[%lu]", &inode) == 1) {
			snprintf(row, sizeof(row), " %lu ", inode);
			n -= !!strstr(netlink, row);
		}
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

/* Links, tunnels of the kernel, descriptors. */
static bool idle(void)
{
	for (ms_t until = now_ms() + PATIENCE_MS; now_ms() < until; nap(TICK_MS))
		if (!in_file("dev", "ppp") && !in_file("pppol2tp", "TUNNEL '") && descriptors(&process[0]) <= process[0].fds &&
		    descriptors(&process[1]) <= process[1].fds)
			return true;
	return false;
}

static void remember(void)
{
	process[0].fds = process[1].fds = UINT32_MAX;
	if (!idle())
		die("something is there before anything failed");
	nap(500);
	process[0].fds = descriptors(&process[0]);
	process[1].fds = descriptors(&process[1]);
}

int main(int argc, char **argv)
{
	unsigned first, step, calls, failed = 0, mute = 0, left = 0, beyond = 0;
	struct process *p = &process[0];
	ms_t began = now_ms();

	if (argc < 8 || argc > 9)
		die("wrong words; see the top of selftests/net/faults.c");
	setvbuf(stdout, NULL, _IOLBF, 0);
	dst = argv[1];
	port = argv[2];
	command = argv[8];
	share(&process[0], argv[6]);
	share(&process[1], argv[7]);
	p += strcmp(argv[3], p->name) ? 1 : 0;
	first = many(argv[4]);
	step = many(argv[5]);
	for (unsigned i = 0; i < 2; i++)
		if (!figure(client(), "up="))
			die("a call does not come up, and nothing fails");
	remember();
	arm(p, SOME);
	client();
	if (!idle())
		die("a call leaves something, and nothing failed");
	calls = p->shared->calls;
	arm(p, 0);
	/* a call more or less each time: a thread opens its sockets once, a timer happens to run */
	for (uint32_t k = first; step && beyond < BEYOND && !dead(); k += step) {
		const char *said;

		arm(p, k);
		said = client();
		__atomic_store_n(&p->shared->k, 0, __ATOMIC_SEQ_CST);
		failed += p->shared->failed;
		beyond = p->shared->failed ? 0 : beyond + 1;
		if (!answered(said)) {
			mute++;
			printf("# %s: k = %u of kind %u: no answer: %s\n", p->name, k, p->shared->kind, said);
		}
		if (!dead() && !idle()) {
			left++;
			printf("# %s: k = %u of kind %u: left: %u links, %u tunnels, descriptors %u of %u and %u of %u\n",
			       p->name, k, p->shared->kind, in_file("dev", "ppp"), in_file("pppol2tp", "TUNNEL '"),
			       descriptors(&process[0]), process[0].fds, descriptors(&process[1]), process[1].fds);
		}
		if (dead())
			printf("# %s: k = %u of kind %u: dead\n", p->name, k, p->shared->kind);
	}
	printf("calls=%u failed=%u mute=%u left=%u dead=%u ms=%llu\n", calls, failed, mute, left, dead(),
	       (unsigned long long)(now_ms() - began));
	return dead() || mute || left;
}
