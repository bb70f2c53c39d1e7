/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One tunnel as the operator sees it: a control connection, the kernel's tunnel
 * (made with the first session that needs it) and the sessions, as one lifetime.
 * Owned by ctx->tunnel[]; freed when nothing is left to acknowledge, no session
 * lives and the kernel has let go. */
#pragma once

#include "core/ctx.h"
#include "l2tp/v2_cc.h"
#include "l2tp/v3_cc.h"

struct ho_entry;
struct version;

/* Where an object of ours is in the kernel. */
enum kernel_state { KS_NONE, KS_COMING, KS_UP, KS_GOING, KS_GONE };

struct tunnel {
	struct ctx *ctx;
	uint16_t id;				/* ours and the kernel's; cc.tunnel_id, in L2TPv3 the lower half of it */
	uint8_t kernel;				/* enum kernel_state */
	bool down;				/* CC_DOWN was drained: no new calls, sessions are ending */
	bool gone;				/* CC_GONE was drained */
	bool draining, freed, changed;
	uint32_t mark;
	uint32_t reqid;				/* charon's, of the SA that protects it; 0: not known (ipsec.h) */
	struct endpoint local, peer;
	unsigned outer_mtu;			/* of the path to the peer, */
	ms_t outer_at;				/* when it was asked for; 0: not yet */
	uint16_t data_port;			/* the peer's as the kernel's socket sees it: an alias before Linux 6.11 */
	struct listener *listener;		/* whose socket we send from */
	int fd;					/* the kernel tunnel's socket, ours to read; -1 */
	ev_io rx;
	struct timer timer;
	const struct version *v;		/* core/version.h */
	struct cc cc;

	struct config *conf;			/* what the pointers below point into */
	const struct conf_peer *from;		/* the `peer` that admitted it, or NULL: */
	struct dial *dial;			/* ... we dialled it; NULL once the dial has let go */
	const struct conf_tunnel *as;		/* the `tunnel` we dialled, or NULL */
	struct peer_stat *stat;

	struct session *sessions;
	struct session *circuits;		/* uthash by Remote End ID of those that are Ethernet's, until they end */
	unsigned n_sessions, n_strangers;	/* n_strangers: of these, not authenticated yet */
	ms_t since;
	unsigned untold;			/* control messages that came since we last sent one */
	ms_t doubt_since;			/* when retransmissions began that nobody has acknowledged yet, or 0 */
	int64_t up_since;			/* seconds since 1970; 0: never was */
	struct l2tp_cause cause;		/* why it went down */
	uint32_t slot;				/* of its checkpoint (store.h) */
	struct tunnel *next_changed;		/* turn.h */
	struct tunnel *next, **at;		/* ctx->tunnels */
	struct tunnel *next_free, *same_source;	/* same_source: others of this peer's address (policy.h) */
};

/* The host name or section that people know it by. */
const char *tunnel_name(const struct tunnel *);

/* Why a tunnel or a call went down, in words: who said it, the RFC's name of the code, and the message if any. */
const char *cause_text(const struct l2tp_cause *, bool call, char *buf, size_t size);

/* The peer's tunnel id, 0: not known yet. */
uint32_t tunnel_peer_id(const struct tunnel *);

/* A tunnel with this id, which is the caller's to give, as `as` or `from` says: in all tables, its
 * control connection idle.  NULL: memory. */
struct tunnel *tunnel_new(struct ctx *, uint16_t id, unsigned version, struct config *, const struct conf_tunnel *as,
			  const struct conf_peer *from, struct listener *, const struct endpoint *local,
			  const struct endpoint *peer);
/* The kernel has it; fd is the tunnel's from now on. */
void tunnel_attach(struct tunnel *, int fd);
/* A stranger's SCCCN was valid: a tunnel of this id (given back if NULL, memory) ... */
struct tunnel *tunnel_accept(struct ctx *, uint16_t id, struct listener *, const struct dgram *, const struct conf_peer *);
/* ... which takes over his half-open entry; d: his SCCCN. */
void tunnel_take_over(struct tunnel *, const struct dgram *d, const struct ho_entry *);
/* Dials: sends SCCRQ from listener's socket.  NULL when ids or memory are short. */
struct tunnel *tunnel_dial(struct ctx *, struct dial *, const struct conf_tunnel *, struct listener *,
			   const struct endpoint *local, const struct endpoint *peer);
/* Asks whether the peer is still there. */
void tunnel_probe(struct tunnel *);
/* A control message that names this tunnel; its source is checked here. */
void tunnel_input(struct tunnel *, const struct dgram *);
/* StopCCN and all that follows.  result as in RFC 2661 4.4.2. */
void tunnel_close(struct tunnel *, uint16_t result, uint16_t error, const char *msg);
/* Must IPsec protect it? */
bool tunnel_protected(const struct tunnel *);
/* Its IPsec is gone: down.  The peer is told only if the kernel still has the SA. */
void tunnel_unprotected(struct tunnel *, const char *why, bool tell);
/* Its peer has another SA with another mark. */
void tunnel_follow(struct tunnel *, uint32_t mark);
void tunnel_followed(struct ctx *, const struct k_reply *);
/* Performs the engine's effects and sets the timer; call after every call into the engine. */
void tunnel_drain(struct tunnel *);
/* Asks for the kernel's tunnel when it is not there; sessions hear of it by session_apply. */
void tunnel_install(struct tunnel *);
/* K_TUNNEL_UP and K_TUNNEL_DOWN completions, and what happened behind our back; fd is the tunnel's from now on. */
void tunnel_kernel_up(struct ctx *, const struct k_reply *, int fd);
void tunnel_kernel_down(struct ctx *, const struct k_reply *);
void tunnel_kernel_lost(struct tunnel *, const char *why);
/* A session of it is gone. */
void tunnel_session_freed(struct tunnel *);
/* Frees what became free in this turn. */
void tunnels_sweep(struct ctx *);
/* At exit: memory only; peer and kernel are left as they are. */
void tunnel_forget(struct tunnel *);
