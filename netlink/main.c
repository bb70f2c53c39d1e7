/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktund-keeper: owns every kernel object of ktund's tunnels and sessions, and keeps them when ktund goes away. */
#include <cap-ng.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#include "server.h"

#define CHARON "/var/run/charon.vici"

static const char usage[] =
	"usage: ktund-keeper --runtime-dir DIR [--config-dir DIR] [--user NAME] [--charon SOCKET]\n"
	"                    [--notify-fd N] [--syslog]\n"
	"\n"
	"  --runtime-dir DIR  serve DIR/keeper.sock; one keeper per directory\n"
	"  --config-dir DIR   hooks and files that ktund may ask for are below DIR (none without this)\n"
	"  --user NAME        ktund's user: it and root may connect\n"
	"  --charon SOCKET    strongSwan's VICI socket (" CHARON ")\n"
	"  --notify-fd N      write \"ready\" there when the socket is open\n"
	"  --syslog           log to syslog instead of stderr\n"
	"\n"
	"  --audit SECONDS    compare the table with the kernel's so often (60; 0: only when it seems necessary;\n"
	"                     also from $KTUND_KEEPER_AUDIT)\n"
	"  --version          print it\n"
	"\n"
	"SIGTERM takes down all tunnels and sessions and ends.  SIGUSR2 executes the program anew, which is perhaps a newer\n"
	"one by now: tunnels and sessions feel nothing (ktund --upgrade-keeper sends it and says how it went).\n";

/* CAP_NET_ADMIN is all that the kernel objects need; CAP_NET_RAW is at hand for listeners directly over IP (l2tpip.c).
 * A keeper that runs hooks leaves the bounding set alone and does without no_new_privs, so that root's hooks run as root;
 * without --config-dir there are none, and both are set. */
static int drop_privileges(bool hooks)
{
	bool raw;

	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))
		fprintf(stderr, "ktund-keeper: no CAP_NET_ADMIN: nothing can be installed\n");
	raw = capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW);
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) ||
	    (raw && capng_update(CAPNG_ADD, CAPNG_PERMITTED, CAP_NET_RAW)) || capng_apply(CAPNG_SELECT_CAPS))
		return -EPERM;
	if (!hooks && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* Where it was started from, also when another file has this name by the time it matters; what if not is an upgrade
 * that fails and says so. */
static void find_program(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);

	path[n < 0 ? 0 : n] = 0;
}

int main(int argc, char **argv)
{
	enum { CAN_READ = 256, TAKE_OVER, AUDIT, AUDIT_S = 60, AUDIT_MAX_S = 86400 };
	static const struct option options[] = {
		{ "runtime-dir", required_argument, NULL, 'r' }, { "config-dir", required_argument, NULL, 'c' },
		{ "user", required_argument, NULL, 'u' }, { "notify-fd", required_argument, NULL, 'n' },
		{ "charon", required_argument, NULL, 'v' }, { "syslog", no_argument, NULL, 's' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { "audit", required_argument, NULL, AUDIT },
		/* of ours, not for people (upgrade.c); first if at all */
		{ "can-read", required_argument, NULL, CAN_READ }, { "take-over", required_argument, NULL, TAKE_OVER }, { 0 },
	};
	struct keeper_options opt = { .notify_fd = -1, .charon = CHARON, .uid = getuid(), .gid = getgid(),
				      .drop = drop_privileges, .argv = argv, .take_over = -1 };
	const struct passwd *pw;
	const char *audit = getenv("KTUND_KEEPER_AUDIT");
	char program[PATH_MAX];
	int c, err, can_read = -1;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			opt.runtime_dir = optarg;
			break;
		case 'c':
			opt.config_dir = optarg;
			break;
		case 'u':
			pw = getpwnam(optarg);
			if (!pw) {
				fprintf(stderr, "ktund-keeper: no user %s\n", optarg);
				return 2;
			}
			opt.uid = pw->pw_uid;
			opt.gid = pw->pw_gid;
			break;
		case 'v':
			opt.charon = optarg;
			break;
		case 'n':
			opt.notify_fd = atoi(optarg);
			break;
		case 's':
			opt.to_syslog = true;
			break;
		case CAN_READ:
			can_read = atoi(optarg);
			break;
		case TAKE_OVER:
			opt.take_over = atoi(optarg);
			argv[2] = argv[0];
			opt.argv = argv + 2;
			break;
		case AUDIT:
			audit = optarg;
			break;
		case 'V':
			puts("ktund-keeper " KTUND_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!opt.runtime_dir || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	if (audit && (!*audit || strspn(audit, "0123456789") != strlen(audit) || strlen(audit) > 5 || atoi(audit) > AUDIT_MAX_S)) {
		fprintf(stderr, "ktund-keeper: --audit %s: seconds, up to %d\n", audit, AUDIT_MAX_S);
		return 2;
	}
	opt.audit_ms = (audit ? atoi(audit) : AUDIT_S) * 1000;
	if (can_read >= 0)
		return upgrade_can_read(can_read, opt.runtime_dir) ? 1 : 0;
	find_program(program, sizeof(program));
	opt.program = program;
	if (opt.to_syslog)
		openlog("ktund-keeper", LOG_PID, LOG_DAEMON);
	mallopt(M_ARENA_MAX, 2);	/* many threads that allocate little need not as many heaps */
	err = keeper_run(opt);
	return err ? 1 : 0;
}
