/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tunnels that we dial: resolve, open, keep up, try again with backoff and jitter. */
#pragma once

#include "core/config_diff.h"
#include "core/ctx.h"
#include "core/session.h"

/* One session of a dialled tunnel, between its lives. */
struct dial_session {
	struct dial *dial;
	const struct conf_session *as;
	uint16_t session_id;			/* 0: none now */
	unsigned failures;
	struct timer retry;
};

struct ordered;

struct dial {
	struct dial *next;
	struct ctx *ctx;
	struct config *conf;
	const struct conf_tunnel *as;
	bool wanted;				/* up, or to be brought up */
	bool v2_next;				/* RFC 3931 4.7.3: the peer has answered in L2TPv2 */
	bool yields;				/* the tie breaker was the peer's: not while its tunnel lives */
	bool empty;				/* its last session has ended in this turn */
	bool removed;				/* freed as soon as its tunnel lets go */
	bool protecting;			/* IPsec is on its way (core/ipsec.h) */
	bool lingers;				/* until next_at: it is there, but perhaps not at the peer yet */
	ms_t secured_at;			/* without L2TP (mode = tunnel): up since then; 0: not up */
	uint32_t resolving;			/* query number; 0: none */
	struct endpoint address[8];		/* what the name resolved to */
	unsigned n_addresses, at;
	struct endpoint local, peer;
	struct listener *listener;
	struct tunnel *tunnel;
	unsigned failures;			/* in a row */
	ms_t next_at;				/* when the next attempt is due; NEVER */
	struct timer retry;
	struct dial_session *session;		/* [as->n_sessions] */
	struct ordered *ordered;		/* it stands in no file; or NULL */
	char last_error[256];
};

/* Makes the dials what ctx->conf says: new ones start; those that the plan (NULL at start) changes or removes end. */
void dials_configure(struct ctx *, const struct conf_plan *);
void dials_free(struct ctx *);
/* One more, down; conf is that of as.  NULL: memory. */
struct dial *dial_new(struct ctx *, struct config *conf, const struct conf_tunnel *as);
/* Down, and no more. */
void dial_remove(struct dial *, const char *why);
/* Other sessions, known by name; those that are no more end, the rest of the tunnel stays.  False: memory; nothing changed. */
bool dial_reconfigure(struct dial *, struct config *conf, const struct conf_tunnel *as);
/* Those of its sessions that are not there, if the tunnel is. */
void dial_place(struct dial *);
struct dial *dial_find(struct ctx *, const char *name);
/* 0; -EALREADY when it is (being brought) up / is not. */
int dial_up(struct dial *);
int dial_down(struct dial *, const char *why);
/* t was dialled by an earlier ktund and is up: it is its tunnel's now (which is not if memory is short), and will not be
 * dialled again.  Then its sessions; dial_adopted: that was all, others are placed. */
void dial_adopt(struct ctx *, struct tunnel *t);
void dial_adopt_session(struct dial *, const struct session *);
void dial_adopted(struct dial *);
/* The listener it waits for is open (or failed); the name is resolved. */
void dial_listener_ready(struct dial *);
void dial_resolved(struct ctx *, uint32_t query, const struct endpoint *, unsigned n, const char *error);
/* ipsec_dial()'s end; dial_unprotected also when a tunnel without L2TP has lost its SA. */
void dial_protected(struct dial *);
void dial_unprotected(struct dial *, const char *why);
/* A charon is there: whoever waits to dial with IPsec does so within a second, and who waits for IPsec has all his time anew. */
void dials_hurry(struct ctx *);
/* Its tunnel is established; went down; its last trace is gone; a session came up or ended. */
void dial_tunnel_up(struct dial *);
void dial_tunnel_down(struct dial *, const struct l2tp_cause *);
void dial_tunnel_freed(struct dial *);
void dial_session_up(struct dial *, const struct session *);
void dial_session_ended(struct dial *, const struct session *);
/* Why that was, in words that are not for the peer; the dial may be gone by now. */
void dial_explain(struct ctx *, const struct dial *, const char *why);

/* core/resolve.c over c-ares.  The answer comes to dial_resolved, never before resolve() returned.  0: cannot even ask. */
struct resolver *resolver_new(struct ctx *);
void resolver_free(struct resolver *);
uint32_t resolve(struct resolver *, const char *name, uint16_t port);

/* core/names.c: peers of the configuration whose address is a name; what was known of old's (may be NULL) serves until the
 * answers come.  names_resolved: false when the query was not theirs. */
void names_configure(struct ctx *, const struct config *old);
bool names_resolved(struct ctx *, uint32_t query, const struct endpoint *, unsigned n, const char *error);
