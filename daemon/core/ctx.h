/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything mutable of ktund, in one screen.  One struct ctx, made in main(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/env.h"
#include "core/config.h"
#include "io/log.h"
#include "io/loop.h"
#include "io/udp.h"
#include "io/varlink.h"
#include "l2tp/cc.h"
#include "l2tp/halfopen.h"
#include "l2tp/ids.h"
#include "netlink/client.h"
#include "ppp/ppp.h"

enum { MAX_ID = 65536, ID_QUARANTINE_MS = 60000 };

/* Counters of `ktun show stats`; the names there are these words. */
#define COUNTERS(X) \
	X(rx_datagrams) X(tx_datagrams) X(rx_malformed) X(rx_unknown_tunnel) X(rx_unknown_session) X(rx_wrong_source) \
	X(sccrq) X(sccrq_no_peer) X(sccrq_rate_limited) X(sccrq_half_open_limited) X(sccrq_dropped) X(auth_tunnel_failed) \
	X(strangers_evicted) X(tunnels_opened) X(tunnels_closed) X(sessions_opened) X(sessions_closed) X(calls_refused) \
	X(auth_ok) X(auth_failed) X(ppp_tx_lost) X(kernel_failures) X(kernel_vanished) X(keeper_lost) X(dials) X(dial_failures) \
	X(tunnels_adopted) X(sessions_adopted) X(checkpoint_failures) \
	X(audits) X(audit_vanished) X(audit_removed) X(audit_us) X(hooks_run) X(hooks_failed) X(pool_exhausted) X(send_errors) \
	X(dropped_foreign) X(dropped_plain_in) X(dropped_plain_out)

struct counters {
#define X(name) uint64_t name;
	COUNTERS(X)
#undef X
};

/* One log line a topic may repeat only so often (io/log.h). */
enum topic { T_ACCEPT, T_REFUSE, T_AUTH, T_GUESS, T_PROTOCOL, T_STATE, T_SEND, T_KERNEL, T_HOOK, T_IPSEC, T_CHARON, T_N };

struct listener;
struct tunnel;
struct session;
struct dial;
struct pools;
struct sources;
struct peer_stat;
struct user_stat;
struct event_bus;
struct resolver;
struct name_query;
struct up_wait;
struct ipsec;
struct store;
struct turn;
struct adoption;

struct ctx {
	struct loop loop;
	struct log log;
	struct log_topic limit[T_N];
	struct env env;
	struct counters count;
	const char *config_file, *config_dir, *runtime_dir, *user;
	const char *charon;			/* its socket, for the keeper that we start; NULL: the default */
	int64_t started;
	bool stopping;				/* `ktun shutdown` or --stop-keeper is under way */
	bool to_end;				/* --stop-keeper: what the keeper holds is taken over only to be ended */

	struct config *conf;			/* the present one; sessions keep older ones alive (core/policy.h) */
	uint32_t conf_gen;
	struct pools *pools;
	struct peer_stat *peers;		/* uthash by name; survives reloads */
	struct user_stat *users;		/* uthash: sessions by user name */
	struct sources *sources;		/* admission by source address */

	struct keeper_client *keeper;		/* NULL while there is none */
	ev_io keeper_rx, keeper_tx;
	struct timer keeper_retry;
	pid_t keeper_pid;			/* of the one that answered */
	bool keeper_ready;			/* K_HELLO was answered */
	bool gate;				/* the keeper has one, as it last said */
	pid_t spawned;				/* `ktund --keep-keeper`, if we started it */
	struct kernel_wait *waits;		/* requests whose completion somebody waits for by id */
	struct store *store;			/* checkpoints; NULL: there is no room for any */
	struct turn *turn;			/* what happens at its end */
	struct adoption *adoption;		/* what the keeper holds of an earlier ktund, until it is adopted */
	uint32_t last_id, last_serial;		/* of requests to the keeper; Call Serial Number */

	struct listener *listeners;
	struct udp_rx *rx;
	struct halfopen *half_open, *v3_half_open;
	uint32_t *half_open_slot;		/* [MAX_ID], of their checkpoints, by our tunnel id; 0: it has none */
	struct timer half_open_timer, stats_timer, listen_retry;
	unsigned n_idle_watched;		/* sessions with an idle timeout */
	struct {				/* sessions on their way into the kernel */
		unsigned n;
		ms_t took, moved;		/* how long the last one took; since when none has come */
	} coming;
	struct ids *tunnel_ids, *session_ids;
	struct tunnel **tunnel;			/* [MAX_ID], by our tunnel id */
	struct session **session;		/* [MAX_ID], by our session id */
	struct tunnel *tunnels;			/* those of tunnel[]; `next` is good until the turn ends, whatever goes */
	unsigned n_tunnels, n_sessions;
	bool old_demux;				/* Linux before 6.11: data of one 4-tuple goes to its youngest socket */
	unsigned max_files;			/* RLIMIT_NOFILE: a session has two descriptors, a tunnel one */
	struct tunnel *free_tunnels;		/* done with, freed at the end of the turn */
	struct session *free_sessions;
	struct session *waiting;		/* sessions that wait for an address to come free */

	struct dial *dials;			/* one a configured tunnel */
	struct resolver *resolver;
	struct name_query *names;		/* peers whose address is a DNS name */
	struct timer names_timer;

	struct ipsec *ipsec;

	struct event_bus *events;
	struct vl *control;
	struct vl_service service;
	gid_t control_gid;			/* group that may administer; (gid_t)-1: root alone */
	struct up_wait *up_waits;		/* clients that wait for a tunnel */
	struct {				/* while stopping */
		struct timer timer;
		ms_t by, said;			/* said: when somebody last heard how many are left */
		unsigned tunnels, sessions;
		void (*done)(struct ctx *, void *arg, unsigned tunnels, unsigned sessions);
		void *arg;
	} stop;
	struct vl_call *stop_call;
	ev_signal sig[3];
	ev_prepare sweep;
};

/* Tables and engines: everything that needs memory once.  ctx->conf and ctx->loop are there.  -errno. */
int ctx_allocate(struct ctx *);
/* With all that it has, also where ctx_allocate() failed. */
void ctx_release(struct ctx *);
