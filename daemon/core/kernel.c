/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/adopt.h"
#include "core/control.h"
#include "core/event.h"
#include "core/ipsec.h"
#include "core/listener.h"
#include "core/session.h"
#include "core/tunnel.h"
#include "core/turn.h"

enum { START_MS = 15000, BUSY_MS = 600000, OPEN_MS = 5000, RETRY_MS = 300, REPLIES_A_TURN = 16 };

static void lost(struct ctx *ctx);
static void dispatch(struct ctx *ctx, const struct k_reply *r, int fds[K_MAX_FDS]);

static void writable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct ctx *ctx = w->data;

	(void)revents;
	if (!ctx->keeper || keeper_flush(ctx->keeper)) {
		lost(ctx);
		return;
	}
	if (!keeper_wants_write(ctx->keeper))
		ev_io_stop(ev, w);
}

static void readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct ctx *ctx = w->data;
	struct k_reply r;
	int fds[K_MAX_FDS], got;

	(void)ev;
	(void)revents;
	for (unsigned n = 0; n < REPLIES_A_TURN && ctx->keeper; n++) {
		got = keeper_receive(ctx->keeper, &r, fds);
		if (!got)
			return;
		if (got < 0) {
			lost(ctx);
			return;
		}
		dispatch(ctx, &r, fds);
	}
	ctx->loop.more = true;
}

uint32_t kernel_submit(struct ctx *ctx, struct k_request *rq)
{
	if (!ctx->keeper)
		return 0;
	if (!++ctx->last_id)
		++ctx->last_id;
	rq->id = ctx->last_id;
	if (keeper_submit(ctx->keeper, rq))
		return 0;
	if (keeper_wants_write(ctx->keeper))
		ev_io_start(ctx->loop.ev, &ctx->keeper_tx);
	return rq->id;
}

bool kernel_ask(struct ctx *ctx, struct k_request *rq, void (*done)(struct ctx *, void *, const struct k_reply *), void *arg)
{
	struct kernel_wait *w = malloc(sizeof(*w));

	if (!w)
		return false;
	*w = (struct kernel_wait){ .next = ctx->waits, .id = kernel_submit(ctx, rq), .done = done, .arg = arg };
	if (!w->id) {
		free(w);
		return false;
	}
	ctx->waits = w;
	return true;
}

static void wait_over(struct ctx *ctx, const struct k_reply *r)
{
	for (struct kernel_wait **at = &ctx->waits, *w; (w = *at); at = &w->next)
		if (w->id == r->id) {
			*at = w->next;
			w->done(ctx, w->arg, r);
			free(w);
			return;
		}
}

static void waits_fail(struct ctx *ctx)
{
	struct kernel_wait *list = ctx->waits, *next;

	ctx->waits = NULL;
	for (struct kernel_wait *w = list; w; w = next) {
		next = w->next;
		w->done(ctx, w->arg, NULL);
		free(w);
	}
}

/* Only the keeper's end of a session or tunnel is gone; the peers are told in the protocol's words. */
static void lost(struct ctx *ctx)
{
	bool served = ctx->keeper_ready;

	if (!ctx->keeper)
		return;
	ev_io_stop(ctx->loop.ev, &ctx->keeper_rx);
	ev_io_stop(ctx->loop.ev, &ctx->keeper_tx);
	keeper_disconnect(ctx->keeper);
	ctx->keeper = NULL;
	ctx->keeper_ready = false;
	ctx->count.keeper_lost++;
	waits_fail(ctx);
	ipsec_keeper_lost(ctx);
	if (ctx->stopping) {
		shutdown_finish(ctx);
		return;
	}
	if (served) {				/* else it refused us, and that was said */
		log_line(&ctx->log, LOG_ERR,
			 "the keeper is gone and the kernel's tunnels with it; ending %u sessions.  New calls wait "
			 "for another keeper: ktund-keeper --runtime-dir %s (systemctl start ktund-keeper)",
			 ctx->n_sessions, ctx->runtime_dir);
		event(ctx, "keeper-lost", NULL, NULL, "%u sessions end", ctx->n_sessions);
	}
	/* The guard may be gone with it: not a word of what IPsec has to protect. */
	for (unsigned id = 1; id < MAX_ID; id++)
		if (ctx->tunnel[id] && tunnel_protected(ctx->tunnel[id]))
			tunnel_unprotected(ctx->tunnel[id], "the keeper is gone", false);
	for (unsigned id = 1; id < MAX_ID; id++) {
		struct session *s = ctx->session[id];

		if (!s)
			continue;
		session_end(s, 2, 6, "the keeper is gone");
		if (s->kernel == KS_COMING || s->kernel == KS_UP || s->kernel == KS_GOING)
			s->kernel = KS_GONE;
		session_drain(s);
	}
	for (unsigned id = 1; id < MAX_ID; id++) {
		struct tunnel *t = ctx->tunnel[id];

		if (!t)
			continue;
		if (t->kernel == KS_COMING || t->kernel == KS_UP || t->kernel == KS_GOING)
			t->kernel = KS_GONE;
		turn_close(ctx, &t->rx, &t->fd);
		tunnel_close(t, 2, 6, "the keeper is gone");
		tunnel_drain(t);
	}
	listeners_orphaned(ctx);
	timer_set(&ctx->loop, &ctx->keeper_retry, ctx->loop.now + (served ? 50 : RETRY_MS));
}

static void close_all(int fds[K_MAX_FDS])
{
	for (unsigned i = 0; i < K_MAX_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void happened(struct ctx *ctx, const struct k_reply *r)
{
	struct session *s = ctx->session[r->session_id];
	struct tunnel *t = ctx->tunnel[r->tunnel_id];

	if (s && s->tunnel->id != r->tunnel_id)
		s = NULL;
	switch ((enum k_event_what)r->event.what) {
	case K_LINK_GONE:
		if (s)
			session_kernel_lost(s, is_ethernet(s->policy) && s->policy->netns ? "its network namespace was deleted" :
					    "its interface was deleted");
		break;
	case K_SESSION_GONE:
		if (s)
			session_kernel_lost(s, "its kernel session was deleted");
		break;
	case K_TUNNEL_GONE:
		if (t)
			tunnel_kernel_lost(t, "it was deleted");
		break;
	case K_LINK_DOWN:
		if (s && !s->ending)
			log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_WARNING,
				    "session %u/%u: interface %s was set down by somebody; nothing passes until `ip "
				    "link set %s up`",
				    s->wire_id, session_peer_id(s), s->ifname, s->ifname);
		if (s)
			eth_status(s, false);
		break;
	case K_LINK_UP:
		if (s && !s->ending)
			log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_NOTICE,
				    "session %u/%u: interface %s is up again", s->wire_id, session_peer_id(s), s->ifname);
		if (s)
			eth_status(s, true);
		break;
	case K_AUDITED:
		ctx->count.audits++;
		ctx->count.audit_vanished += r->event.vanished;
		ctx->count.audit_removed += r->event.removed;
		ctx->count.audit_us += r->event.us;
		break;
	case K_STOPPING:
		log_line(&ctx->log, LOG_WARNING, "the keeper was told to stop: ending %u tunnels with %u sessions", ctx->n_tunnels,
			 ctx->n_sessions);
		for (t = ctx->tunnels; t; t = t->next)
			tunnel_close(t, 6, 0, "the keeper stops");
		break;
	}
}

static void stats(struct ctx *ctx, const struct k_reply *r)
{
	if (!r->result)
		for (unsigned i = 0; i < r->stats.n && i < K_STATS_BATCH; i++) {
			struct session *s = ctx->session[r->stats.s[i].session_id];

			if (s && s->tunnel->id == r->stats.s[i].tunnel_id)
				session_stats(s, &r->stats.s[i]);
		}
	if (!r->more)
		wait_over(ctx, r);
}

/* At start: what an earlier ktund left is taken over (adopt.c).  Later: what we gave up when the keeper seemed to be gone. */
static void inherited(struct ctx *ctx, const struct k_reply *r, int fds[K_MAX_FDS])
{
	struct k_request rq = { .op = K_TUNNEL_DOWN, .tunnel_id = r->tunnel_id };

	if (ctx->adoption && r->more) {
		adoption_add(ctx, r, fds);
		return;
	}
	close_all(fds);

	if (!r->more) {
		ctx->keeper_ready = true;		/* from here on the ids it holds are known */
		ipsec_refresh(ctx);			/* before anybody can speak */
		listeners_reopen(ctx);			/* not before: what it held was given up meanwhile */
		ipsec_ask_sockets(ctx);
		return;
	}
	if (r->list.kind == K_LISTEN) {
		rq.op = K_UNLISTEN;
		rq.listen = r->list.was.listen;
		(void)kernel_submit(ctx, &rq);
	} else if (r->list.kind == K_TUNNEL_UP) {
		log_line(&ctx->log, LOG_NOTICE, "tunnel %u of before is taken down", r->tunnel_id);
		(void)ids_claim(ctx->tunnel_ids, r->tunnel_id);
		id_rests(ctx, STORE_TUNNEL, r->tunnel_id, false);
		(void)kernel_submit(ctx, &rq);
	} else if (r->list.kind == K_SESSION_UP || r->list.kind == K_ETH_UP) {
		/* it goes with its tunnel; its id is not free before */
		(void)ids_claim(ctx->session_ids, r->session_id);
		id_rests(ctx, STORE_SESSION, r->session_id, false);
	}
}

static void dispatch(struct ctx *ctx, const struct k_reply *r, int fds[K_MAX_FDS])
{
	switch ((enum k_op)r->op) {
	case K_HELLO:
		if (!r->result)
			turn_use_store(ctx, fds[0], ctx->adoption);
		close_all(fds);
		if (r->result) {
			log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_ERR, "the keeper refuses us: %s", r->why);
			lost(ctx);
			break;
		}
		ctx->keeper_pid = (pid_t)r->hello.pid;
		break;
	case K_LISTEN:
		listener_opened(ctx, r, fds);
		break;
	case K_TUNNEL_UP:
		tunnel_kernel_up(ctx, r, fds[0]);
		break;
	case K_TUNNEL_DOWN:
		tunnel_kernel_down(ctx, r);
		break;
	case K_SESSION_UP:
	case K_ETH_UP:
	case K_SESSION_DOWN:
	case K_LINK_SET:
		session_kernel_reply(ctx, r, fds[0], fds[1]);
		break;
	case K_STATS:
		stats(ctx, r);
		break;
	case K_HOOK:
		hook_done(ctx, r);
		break;
	case K_LIST:
		inherited(ctx, r, fds);
		break;
	case K_OPEN:
		close_all(fds);			/* nobody waits for it any more */
		break;
	case K_GUARD:
	case K_KEPT_OUT:
		wait_over(ctx, r);
		break;
	case K_STOP:
		if (r->more)
			shutdown_progress(ctx, r->stop.n_tunnels, r->stop.n_sessions);
		else
			wait_over(ctx, r);
		break;
	case K_MARKED:
		ipsec_marked(ctx, r, fds[0]);
		break;
	case K_TUNNEL_MARK:
		tunnel_followed(ctx, r);
		break;
	case K_SA_DROP:
		if (r->result)
			log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_WARNING,
				    "an SA that charon left behind stays (ip xfrm state): %s", r->why);
		break;
	case K_CHARON:
		ipsec_charon(ctx, r, fds);
		break;
	case K_EVENT:
		happened(ctx, r);
		break;
	case K_UNLISTEN:
		break;
	}
}

int kernel_open_file(struct ctx *ctx, const char *path)
{
	struct k_request rq = { .op = K_OPEN };
	ms_t until = clock_ms() + OPEN_MS;
	int fds[K_MAX_FDS], got;
	struct k_reply r;
	uint32_t id;

	turn_checkpoint(ctx);				/* other requests leave with this one */
	if (strlen(path) >= sizeof(rq.open.path))
		return -ENAMETOOLONG;
	strcpy(rq.open.path, path);
	id = kernel_submit(ctx, &rq);
	if (!id)
		return -EPIPE;
	while (ctx->keeper && clock_ms() < until) {
		struct pollfd p = { .fd = keeper_fd(ctx->keeper), .events = POLLIN };

		got = keeper_receive(ctx->keeper, &r, fds);
		if (got < 0) {
			lost(ctx);
			return -EPIPE;
		}
		if (!got) {
			(void)keeper_flush(ctx->keeper);
			(void)poll(&p, 1, 100);
		} else if (r.op == K_OPEN && r.id == id) {
			return r.result ? r.result : fds[0];
		} else {
			dispatch(ctx, &r, fds);
		}
	}
	return -ETIMEDOUT;
}

/* Start */

static int connect_once(struct ctx *ctx)
{
	char path[256];
	struct k_request hello = { .op = K_HELLO, .hello.version = K_VERSION }, list = { .op = K_LIST };
	int err;

	snprintf(path, sizeof(path), "%s/keeper.sock", ctx->runtime_dir);
	err = keeper_connect(path, &ctx->keeper);
	if (err)
		return err;
	io_start(&ctx->loop, &ctx->keeper_rx, keeper_fd(ctx->keeper), readable, ctx);
	ev_io_init(&ctx->keeper_tx, writable, keeper_fd(ctx->keeper), EV_WRITE);
	ctx->keeper_tx.data = ctx;
	if (kernel_submit(ctx, &hello) && kernel_submit(ctx, &list))
		return 0;
	ev_io_stop(ctx->loop.ev, &ctx->keeper_rx);
	ev_io_stop(ctx->loop.ev, &ctx->keeper_tx);
	keeper_disconnect(ctx->keeper);
	ctx->keeper = NULL;
	return -ENOMEM;
}

/* What the keeper must be told that has a default. */
static void options(const struct ctx *ctx, const char **to)
{
	if (ctx->user) {
		*to++ = "--user";
		*to++ = ctx->user;
	}
	if (ctx->charon) {
		*to++ = "--charon";
		*to++ = ctx->charon;
	}
	*to = NULL;
}

/* ktund --keep-keeper: a process of its own, because ktund will have no right to start one again (main.c). */
static int spawn(struct ctx *ctx)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		const char *argv[12] = { "ktund", "--keep-keeper", "--runtime-dir", ctx->runtime_dir,
					 "--config", ctx->config_file };
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();						/* a ^C for ktund is not one for the calls */
		options(ctx, argv + 6);
		execv("/proc/self/exe", (char **)(uintptr_t)argv);
		fprintf(stderr, "ktund: cannot start the keeper: %s\n", strerror(errno));
		_exit(127);
	}
	ctx->spawned = pid;
	return 0;
}

static pid_t start_keeper(const char *path, const struct ctx *ctx)
{
	const char *argv[12] = { path, "--runtime-dir", ctx->runtime_dir, "--config-dir", ctx->config_dir };
	pid_t pid = fork();

	if (pid)
		return pid;
	options(ctx, argv + 5);
	execv(path, (char **)(uintptr_t)argv);
	fprintf(stderr, "ktund: cannot start %s: %s\n", path, strerror(errno));
	_exit(127);
}

int kernel_keep_keeper(const struct ctx *ctx)
{
	enum { ODD = 200000 };
	char path[600];
	ssize_t n = readlink("/proc/self/exe", path, 512);
	int status;
	pid_t pid;

	if (n < 0)
		return 1;
	strcpy(path + n, "-keeper");				/* beside us: build/ktund, build/ktund-keeper */
	signal(SIGTERM, SIG_IGN);				/* whoever wants an end tells the keeper */
	for (;;) {
		pid = start_keeper(path, ctx);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
		if (WIFEXITED(status))
			return WEXITSTATUS(status);		/* it was asked to, or says why */
		fprintf(stderr, "ktund: the keeper died of signal %d; starting another\n", WTERMSIG(status));
		usleep(ODD);
	}
}

static void retry(struct timer *timer, void *arg)
{
	struct ctx *ctx = arg;
	int err = connect_once(ctx);

	(void)timer;
	if (!err)
		return;
	timer_set(&ctx->loop, &ctx->keeper_retry, ctx->loop.now + RETRY_MS);
}

int kernel_start(struct ctx *ctx)
{
	ms_t until = clock_ms() + START_MS;
	int fds[K_MAX_FDS], err, got;
	bool busy = false;
	struct k_reply r;

	timer_init(&ctx->keeper_retry, retry, ctx);
	if (!adoption_begin(ctx))
		return -ENOMEM;
	err = connect_once(ctx);
	if (err == -ENOENT || err == -ECONNREFUSED) {
		if (geteuid()) {
			log_line(&ctx->log, LOG_ERR,
				 "no keeper serves %s: start ktund-keeper --runtime-dir %s as root, or ktund as root",
				 ctx->runtime_dir, ctx->runtime_dir);
			return err;
		}
		err = spawn(ctx);
		while (!err && !ctx->keeper && clock_ms() < until) {
			usleep(5000);
			if (waitpid(ctx->spawned, NULL, WNOHANG) == ctx->spawned) {
				log_line(&ctx->log, LOG_ERR, "the keeper ended at once; its own lines above say why");
				return -ECHILD;
			}
			(void)connect_once(ctx);
		}
	}
	if (!ctx->keeper) {
		log_line(&ctx->log, LOG_ERR, "cannot reach the keeper in %s: %s", ctx->runtime_dir,
			 strerror(err ? -err : ETIMEDOUT));
		return err ? err : -ETIMEDOUT;
	}
	while (ctx->keeper && !ctx->keeper_ready) {
		struct pollfd p = { .fd = keeper_fd(ctx->keeper), .events = POLLIN };

		got = keeper_receive(ctx->keeper, &r, fds);	/* one by one: what follows the list waits */
		if (got > 0) {
			dispatch(ctx, &r, fds);
			continue;
		}
		if (got < 0) {
			lost(ctx);
			break;
		}
		(void)keeper_flush(ctx->keeper);
		(void)poll(&p, 1, 100);
		if (clock_ms() < until)
			continue;
		if (!ctx->keeper_pid || busy)
			break;
		busy = true;			/* its list waits for that; packets pass meanwhile */
		until = clock_ms() + BUSY_MS;
		log_line(&ctx->log, LOG_WARNING, "the keeper is still at work on what an earlier ktund ordered; waiting for it");
	}
	if (ctx->keeper_ready)
		return 0;
	log_line(&ctx->log, LOG_ERR, "the keeper in %s does not answer", ctx->runtime_dir);
	return -ETIMEDOUT;
}

void kernel_stop(struct ctx *ctx)
{
	waits_fail(ctx);
	if (ctx->turn)
		turn_end(ctx);
	store_close(ctx->store);		/* what is in it is for the next ktund */
	ctx->store = NULL;
	if (!ctx->keeper)
		return;
	ev_io_stop(ctx->loop.ev, &ctx->keeper_rx);
	ev_io_stop(ctx->loop.ev, &ctx->keeper_tx);
	(void)keeper_flush(ctx->keeper);
	keeper_disconnect(ctx->keeper);
	ctx->keeper = NULL;
}
