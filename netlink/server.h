/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keeper's own state, all of it, and what its files offer each other.  Everything here runs in the main thread. */
#pragma once

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gate.h"
#include "keeper.h"
#include "nl.h"
#include "pins.h"
#include "table.h"
#include "why.h"
#include "workers.h"

enum { MAX_LISTENERS = 64, MAX_HOOKS = 16, MAX_HOOKS_QUEUED = 4096, MAX_WAITING = 16, LOST_LINKS = 256 };

/* Who asked.  gen: which client it was; ids of different clients must not mix.  id 0 with op 0: nobody (ourselves). */
struct origin { uint32_t op, id, gen; uint16_t tunnel_id, session_id; };

struct waiting { struct waiting *next; struct origin from; struct k_request *request; };

/* tx: to send by (-1: fd itself).  parked: kept only for its tunnels' sake. */
struct listener { struct k_addr local; int fd, tx; bool parked; };

struct hook {
	struct hook *next;
	struct origin from;
	struct k_request *request;
	pid_t pid;		/* 0: it waits for its turn */
	int fd;			/* pidfd */
	int64_t deadline;	/* now_ms() */
	bool killed;
};

struct aliases;
struct journal;
struct outgoing;
struct verify;

struct keeper_options {
	const char *runtime_dir, *config_dir, *charon;	/* charon: its VICI socket */
	uid_t uid;		/* ktund's */
	gid_t gid;
	int notify_fd;		/* -1: none */
	bool to_syslog;
	int (*drop)(bool hooks);	/* gives up what is not needed once the socket is open; NULL: keep all */
	int audit_ms;		/* between two audits; 0: only when notes were lost */
	const char *program;	/* where it was started from */
	char **argv;		/* ours, without take_over's */
	int take_over;		/* the record of the process that we were until now; -1: none */
};

struct keeper {
	struct keeper_options opt;
	int lock, listen, client, signals, checkpoints;
	uint32_t gen;
	unsigned n_pending, n_old;	/* requests not answered yet but for hooks: of this client, of those before */
	bool greeted;
	uint32_t client_version;	/* which it greeted us with */
	struct outgoing *out, **out_last;
	unsigned n_out;
	bool listing;			/* a K_LIST is being answered */
	struct { struct origin from; unsigned phase; uint32_t at; } list;
	bool stopping;			/* everything goes */
	struct {
		int64_t from, said;	/* now_ms(); from 0: no stop was ordered */
		bool told;		/* ktund was, and has time for its peers before `stopping` */
		struct origin by;	/* op 0: by signal */
		unsigned tunnels, sessions, links, batches, hooks;
	} stop;

	struct table *table;
	struct workers *workers;
	struct pins pins;
	struct aliases *aliases;
	struct gate gate;
	struct listener listener[MAX_LISTENERS];
	unsigned n_listeners;

	struct session *unlink_first, **unlink_last;	/* waiting for the next batch of links to go */
	unsigned unlinking;		/* such batches under way */
	struct errand *eth_first, **eth_last;		/* waiting for the next batch of Ethernet sessions to come */
	unsigned eths;					/* batches of them at work or next */
	pthread_mutex_t eth_turn;			/* who has it is at work; the threads' */
	uint32_t group;
	struct journal *journal;

	struct nl nl;			/* look-ups at start only */
	struct nl_sock *link_notes, *l2tp_notes;
	bool link_ups;			/* notes of links that are set up are wanted, too */
	uint32_t lost_link[LOST_LINKS];	/* links that went while nobody knew whose they were */
	unsigned n_lost;
	struct k_request *guards;	/* the last K_GUARD that the kernel took, or NULL */
	bool guarding;			/* there are rules of K_GUARD, or may be of a keeper before us */
	bool audit_wanted, auditing;
	int64_t next_audit;
	struct verify *verify;		/* notes of deletion to be looked into */

	struct hook *hooks;		/* running */
	struct hook *hook_first, **hook_last;
	unsigned n_hooks, n_hooks_queued;

	struct {
		bool wanted;		/* nothing new is begun */
		int64_t by;
		unsigned serial;
		int *fd;		/* open when we took over */
		unsigned n_fds;
	} upgrade;

	int64_t turn_ns;		/* when this turn began */
	struct { int64_t second; unsigned lines, dropped; } log;
};

/* keeper.c */
/* The process's life: 0 when it ended as it should. */
int keeper_run(struct keeper_options);
int64_t now_ms(void);
void say(struct keeper *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The one answer to a request.  The descriptors stay the caller's; the reply's op, id and ids come from *from. */
void answer(struct keeper *, const struct origin *from, struct k_reply *, const int *fds, unsigned n_fds);
void answer_result(struct keeper *, const struct origin *from, int result, const char *why);
void tell_event(struct keeper *, enum k_event_what, uint16_t tunnel_id, uint16_t session_id);
void tell_event_reply(struct keeper *, const struct k_reply *);

/* by NULL: a signal.  Otherwise all go at once, and it is answered when they are gone. */
void stop_begin(struct keeper *, const struct origin *by);

/* ops.c */
/* A request that passed check_request().  Takes it to its end or into a queue. */
void ops_handle(struct keeper *, const struct origin *, const struct k_request *);
void ops_take_all_down(struct keeper *);
/* After anything may have moved: starts the next batch of links. */
void ops_kick(struct keeper *);
/* For watch.c: the session's link, session or tunnel vanished. */
void ops_link_gone(struct keeper *, struct session *);

/* The session that a request names; NULL: there is none, and that was answered. */
struct session *ops_session(struct keeper *, const struct origin *, const struct k_request *);

/* listen.c */
void listen_on(struct keeper *, const struct origin *, const struct k_request *);
void listen_no_more(struct keeper *, const struct origin *, const struct k_request *);
/* A tunnel of this local end has gone. */
void listen_tunnel_gone(struct keeper *, const struct k_addr *local);
/* Its descriptors, as K_LISTEN tells them; how many. */
unsigned listener_fds(const struct listener *, int fds[2]);
void listener_close(const struct listener *);

/* query.c */
void query_stats(struct keeper *, const struct origin *, const struct k_request *);
void query_kept_out(struct keeper *, const struct origin *);
void query_list(struct keeper *, const struct origin *);
/* Next piece of a K_LIST. */
void query_list_more(struct keeper *);

/* watch.c */
void watch_start(struct keeper *);
void watch_link_notes(struct keeper *);
void watch_l2tp_notes(struct keeper *);
/* Did this link vanish before it was known? */
bool watch_was_lost(struct keeper *, uint32_t ifindex);
/* Milliseconds until watch_tick() wants to run, -1: never. */
int watch_timeout(const struct keeper *);
void watch_tick(struct keeper *);
void watch_stop(struct keeper *);
/* Is this tunnel (session_id 0) or session (by its id on the wire) still in the kernel?  false: it is no longer ours, or being looked at. */
bool watch_look(struct keeper *, uint32_t tunnel_id, uint32_t session_id);

/* audit.c */
/* Before anything of ours is made: takes away what is marked as ours. */
void audit_sweep(struct keeper *);
int audit_timeout(const struct keeper *);
void audit_tick(struct keeper *);

/* upgrade.c */
void upgrade_begin(struct keeper *);
/* When all is quiet: does not come back if it succeeds. */
void upgrade_tick(struct keeper *);
int upgrade_timeout(const struct keeper *);
/* Of a process that takes over: what is open (first of all), opt.take_over's record, and the good news. */
void upgrade_look(struct keeper *);
int upgrade_take_over(struct keeper *, const char **ret_what);
void upgrade_done(struct keeper *);
/* Could this program go on with the record?  0, or -errno and the reason on standard output. */
int upgrade_can_read(int fd, const char *runtime_dir);

/* guard.c */
void guard_request(struct keeper *, const struct origin *, const struct k_request *);
void guard_charon(struct keeper *, const struct origin *);
/* Puts back what somebody else removed. */
void guard_audit(struct keeper *);
/* At a regular end: what is ours goes. */
void guard_stop(struct keeper *);

/* sa.c */
void sa_drop(struct keeper *, const struct origin *, const struct k_request *);
/* K_MARKED */
void sa_socket(struct keeper *, const struct origin *, const struct k_request *);
/* K_TUNNEL_MARK, of a tunnel that is not coming. */
void sa_mark(struct keeper *, const struct origin *, const struct k_request *);
/* What came by the SAs before is no longer taken. */
void sa_audit(struct keeper *);

/* hook.c */
void hook_request(struct keeper *, const struct origin *, const struct k_request *);
void hook_open(struct keeper *, const struct origin *, const struct k_request *);
struct pollfd;
unsigned hook_poll(const struct keeper *, struct pollfd *);
void hook_tick(struct keeper *);
int hook_timeout(const struct keeper *);
/* One that another keeper began, or had waiting.  Takes it. */
void hook_put(struct keeper *, struct hook *);
void hooks_free(struct keeper *);
