/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktund: options, context, loop, signals; nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cap-ng.h>

#if HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "core/adopt.h"
#include "core/control.h"
#include "core/ctx.h"
#include "core/ipsec.h"
#include "core/kernel.h"
#include "core/listener.h"
#include "core/ordered.h"
#include "core/orders.h"
#include "core/policy.h"
#include "core/reload.h"
#include "core/turn.h"

#define DEFAULT_CONFIG "/etc/ktund/ktund.conf"
#define DEFAULT_RUNTIME_DIR "/run/ktund"

static void usage(FILE *f)
{
	fprintf(f, "usage: ktund [--config FILE] [--runtime-dir DIR] [--user NAME]\n"
		   "       ktund --check [FILE]\n"
		   "       ktund --stop-keeper [--config FILE] [--runtime-dir DIR] [--user NAME]\n"
		   "       ktund --upgrade-keeper [--runtime-dir DIR]\n"
		   "Negotiates L2TP tunnels and PPP, and leaves the packets to the kernel.  Runs in the foreground.\n"
		   "  -c, --config FILE       configuration (" DEFAULT_CONFIG ")\n"
		   "  -r, --runtime-dir DIR   sockets of this instance (" DEFAULT_RUNTIME_DIR
		   ", or $KTUND_RUNTIME_DIR)\n"
		   "  -u, --user NAME         run as this user after the start (ktund if there is one, else nobody)\n"
		   "      --charon SOCKET     strongSwan's VICI socket, for a keeper that we start (/var/run/charon.vici)\n"
		   "      --check [FILE]      only check the configuration; exit status 1 and file:line of each "
		   "mistake\n"
		   "      --stop-keeper       tell the peers, end all calls and the keeper, where no ktund runs any more\n"
		   "      --upgrade-keeper    the keeper executes its program anew, and no call feels it\n"
		   "  -d, --debug             log every state change\n"
		   "  -V, --version, -h, --help\n"
		   "SIGHUP reloads.  SIGTERM ends ktund, the next one takes its calls over; `ktun shutdown` ends them.\n"
		   "See ktund(8), "
		   "ktund.conf(5), ktun(8).\n");
}

static const char try_help[] = "`ktund --help` lists the options.\n";

static int open_plain(void *arg, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)arg;
	return fd < 0 ? -errno : fd;
}

static unsigned with_ipsec(const struct config *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_peers; i++)
		n += c->peer[i].ipsec.required;
	for (unsigned i = 0; i < c->n_tunnels; i++)
		n += c->tunnel[i].ipsec.required;
	return n;
}

static int check_config(const char *file)
{
	struct conf_opener plain = { open_plain, NULL };
	char *errors = NULL;
	struct config *conf;
	int err = config_load(file, &plain, &conf, &errors);

	if (!err) {
		printf("%s: ok: %u listeners, %u pools, %u users, %u peers, %u tunnels, %u with IPsec\n", file, conf->n_listens,
		       conf->n_pools, conf->n_users, conf->n_peers, conf->n_tunnels, with_ipsec(conf));
		config_free(conf);
		return 0;
	}
	if (errors)
		fputs(errors, stderr);
	else
		fprintf(stderr, "ktund: %s: %s\n", file, strerror(-err));
	free(errors);
	return 1;
}

/* Who we are once nothing needs root any more; -1: stay. */
static int find_user(struct ctx *ctx, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw;
	const struct group *gr = getgrnam("ktund");

	ctx->control_gid = gr ? gr->gr_gid : (gid_t)-1;
	if (geteuid())
		return 0;
	pw = getpwnam(ctx->user ? ctx->user : "ktund");
	if (!pw && ctx->user) {
		fprintf(stderr, "ktund: --user %s: no such user\n", ctx->user);
		return -1;
	}
	if (!ctx->user) /* the keeper must know whom it is to let in, also the one that is started later */
		ctx->user = pw ? "ktund" : "nobody";
	if (!pw)
		pw = getpwnam("nobody");
	if (!pw) {
		fprintf(stderr, "ktund: neither a user ktund nor nobody exists: name one with --user\n");
		return -1;
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

/* From here on a hostile datagram finds a process that can send datagrams, and nothing else. */
enum { LOOP_NICE = -10 };

static int drop_privileges(const struct ctx *ctx, uid_t uid, gid_t gid)
{
	if (geteuid()) {
		capng_clear(CAPNG_SELECT_BOTH);
		return capng_apply(CAPNG_SELECT_CAPS);
	}
	(void)ctx;
	capng_clear(CAPNG_SELECT_BOTH);
	if (uid == 0)				/* asked for by --user root: no capabilities all the same */
		return capng_apply(CAPNG_SELECT_BOTH);
	return capng_change_id((int)uid, (int)gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
}

static void on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct ctx *ctx = w->data;
	struct conf_plan plan = { 0 };
	char *errors = NULL;

	(void)ev;
	(void)revents;
	if (w->signum == SIGHUP) {
		if (reload(ctx, false, &plan, &errors))
			log_line(&ctx->log, LOG_ERR, "reload refused, nothing changed: %s",
				 errors ? errors : "the file cannot be read");
		conf_plan_done(&plan);
		free(errors);
		return;
	}
	log_line(&ctx->log, LOG_NOTICE, "ktund ends; the keeper holds %u sessions in %u tunnels (`ktun shutdown` would end them)",
		 ctx->n_sessions, ctx->n_tunnels);
	loop_stop(&ctx->loop);
}

static void sweep(struct ev_loop *ev, ev_prepare *w, int revents)
{
	(void)ev;
	(void)revents;
	turn_end(w->data);
	sessions_sweep(w->data);
	tunnels_sweep(w->data);
}

static void watch_signals(struct ctx *ctx)
{
	static const int number[] = { SIGTERM, SIGINT, SIGHUP };

	for (unsigned i = 0; i < 3; i++) {
		ev_signal_init(&ctx->sig[i], on_signal, number[i]);
		ctx->sig[i].data = ctx;
		ev_signal_start(ctx->loop.ev, &ctx->sig[i]);
	}
	ev_prepare_init(&ctx->sweep, sweep);
	ctx->sweep.data = ctx;
	ev_prepare_start(ctx->loop.ev, &ctx->sweep);
}

static int make_runtime_dir(const char *dir)
{
	if (!mkdir(dir, 0755) || errno == EEXIST)
		return 0;
	fprintf(stderr, "ktund: runtime directory %s: %s\n", dir, strerror(errno));
	return -1;
}

static void begin(struct ctx *ctx)
{
	listeners_configure(ctx);
	names_configure(ctx, NULL);
	dials_configure(ctx, NULL);
	ordered_start(ctx);
	listeners_drop_unused(ctx);
	ipsec_settled(ctx);
	log_line(&ctx->log, LOG_NOTICE, "ktund " KTUND_VERSION " serves %s as uid %u, keeper pid %d", ctx->runtime_dir, geteuid(),
		 (int)ctx->keeper_pid);
#if HAVE_SYSTEMD
	(void)sd_notify(0, "READY=1");
#endif
}

static void say_ended(struct ctx *ctx, void *arg, unsigned tunnels, unsigned sessions)
{
	(void)arg;
	ctx->to_end = false;
	printf("stopped: %u tunnels and %u sessions were ended\n", tunnels, sessions);
}

static int serve(struct ctx *ctx)
{
	struct conf_opener plain = { open_plain, NULL };
	struct utsname host;
	unsigned major, minor;
	struct rlimit files;
	char *errors = NULL;
	uid_t uid = 0;
	gid_t gid = 0;
	int err;

	err = config_load(ctx->config_file, &plain, &ctx->conf, &errors);
	if (err) {
		if (errors)
			fputs(errors, stderr);
		else
			fprintf(stderr, "ktund: %s: %s\n", ctx->config_file, strerror(-err));
		free(errors);
		return 1;
	}
	conf_get(ctx->conf);
	if (find_user(ctx, &uid, &gid) || make_runtime_dir(ctx->runtime_dir))
		return 1;
	if (log_open(&ctx->log, ctx->conf->log, ctx->log.level > ctx->conf->log_level ? ctx->log.level : ctx->conf->log_level)) {
		fprintf(stderr, "ktund: log = \"%s\" is not available here\n", ctx->conf->log);
		return 1;
	}
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
		ctx->max_files = files.rlim_max < UINT_MAX ? (unsigned)files.rlim_max : UINT_MAX;
	}
	ctx->old_demux = !uname(&host) && sscanf(host.release, "%u.%u", &major, &minor) == 2 &&
			 major * 1000 + minor < 6011;
	signal(SIGPIPE, SIG_IGN);
	if (loop_init(&ctx->loop) || ctx_allocate(ctx)) {
		fprintf(stderr, "ktund: out of memory\n");
		return 1;
	}
	watch_signals(ctx);
	if (kernel_start(ctx))
		return 1;
	err = control_start(ctx);
	if (err) {
		log_line(&ctx->log, LOG_ERR, err == -EADDRINUSE ? "another ktund serves %s" : "control socket in %s cannot be made",
			 ctx->runtime_dir);
		return 1;
	}
	/* Peers wait for this one thread; the keeper's many, which compute little, must not keep it from the processor. */
	(void)setpriority(PRIO_PROCESS, 0, LOOP_NICE);
	if (drop_privileges(ctx, uid, gid)) {
		log_line(&ctx->log, LOG_ERR, "cannot drop privileges; not going on with them");
		return 1;
	}
	adopt(ctx);				/* not before: records are read without privileges */
	if (ctx->to_end) {
		ipsec_settled(ctx);		/* so that charon, too, is told */
		shutdown_start(ctx, say_ended, NULL);
	} else {
		begin(ctx);
	}
	loop_run(&ctx->loop);
	return 0;
}

int main(int argc, char **argv)
{
	enum { CHECK = 256, STOP_KEEPER, UPGRADE_KEEPER, KEEP_KEEPER, CHARON };
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "runtime-dir", required_argument, NULL, 'r' },
		{ "user", required_argument, NULL, 'u' }, { "check", no_argument, NULL, CHECK },
		{ "stop-keeper", no_argument, NULL, STOP_KEEPER },
		{ "upgrade-keeper", no_argument, NULL, UPGRADE_KEEPER }, { "keep-keeper", no_argument, NULL, KEEP_KEEPER },
		{ "charon", required_argument, NULL, CHARON }, { "debug", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'V' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	static struct ctx ctx;
	char config[PATH_MAX], dir[PATH_MAX];
	const char *file = DEFAULT_CONFIG;
	bool check = false, stop = false, upgrade = false, keep = false;
	int c, status;

	ctx.runtime_dir = getenv("KTUND_RUNTIME_DIR") ? getenv("KTUND_RUNTIME_DIR") : DEFAULT_RUNTIME_DIR;
	ctx.log = (struct log){ LOG_TO_STDERR, LOG_EMERG };
	while ((c = getopt_long(argc, argv, "c:r:u:dVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c': file = optarg; break;
		case 'r': ctx.runtime_dir = optarg; break;
		case 'u': ctx.user = optarg; break;
		case 'd': ctx.log.level = LOG_DEBUG; break;
		case CHECK: check = true; break;
		case STOP_KEEPER: stop = true; break;
		case UPGRADE_KEEPER: upgrade = true; break;
		case CHARON: ctx.charon = optarg; break;
		case KEEP_KEEPER: keep = true; break;		/* of ours, not for people */
		case 'V': puts("ktund " KTUND_VERSION); return 0;
		case 'h': usage(stdout); return 0;
		default: fputs(try_help, stderr); return 2;
		}
	}
	if (check && optind == argc - 1)
		file = argv[optind++];
	if (optind != argc) {
		fprintf(stderr, "ktund: what is \"%s\"?\n%s", argv[optind], try_help);
		return 2;
	}
	if (check + stop + upgrade + keep > 1) {
		fprintf(stderr, "ktund: --check, --stop-keeper and --upgrade-keeper are one at a time\n%s", try_help);
		return 2;
	}
	if (check)
		return check_config(file);
	if (upgrade)
		return order_upgrade(ctx.runtime_dir);
	/* both directories are needed after chdir and by the keeper */
	if (!realpath(file, config)) {
		if (stop)
			return order_stop(ctx.runtime_dir);
		fprintf(stderr, "ktund: %s: %s\n", file, strerror(errno));
		return 1;
	}
	strcpy(dir, config);
	ctx.config_file = config;
	ctx.config_dir = dirname(dir);
	if (keep)
		return kernel_keep_keeper(&ctx);
	if (stop && !order_reaches(ctx.runtime_dir))
		return 1;
	ctx.to_end = stop;
	ctx.started = clock_wall();
	status = serve(&ctx);
	ctx_release(&ctx);
	return ctx.to_end ? order_stop(ctx.runtime_dir) : status;	/* the peers could not be told: then in silence */
}
