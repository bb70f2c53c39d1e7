/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits by address do not bind who has many (a /48 of IPv6 is 65,536 of what policy.c counts as one).  So from the moment that half
 * of all places are taken, whoever comes takes the place of somebody who has not said who he is although he has had the time. */
#include "room.h"

#include "core/session.h"

enum { LOOK_AT = 4096, CANDIDATES = 32 };

/* What he has, when half of the places are taken, and when seven of eight are. */
enum { TUNNEL_MS = 30000, TUNNEL_SHORT_MS = 5000, SESSION_MS = 10000, SESSION_SHORT_MS = 3000 };

/* A control connection that needed no secret, without a call that has authenticated. */
static ms_t tunnel_of_nobody(const struct ctx *ctx, unsigned id)
{
	const struct tunnel *t = ctx->tunnel[id];

	if (!t || !t->from || t->down || t->freed || t->from->ipsec.required || t->n_sessions != t->n_strangers)
		return NEVER;
	return (t->from->l2tp.version == 3 ? t->from->l2tp.v3.cc.secret.n : t->from->cc.secret.n) ? NEVER : t->since;
}

static ms_t session_of_nobody(const struct ctx *ctx, unsigned id)
{
	const struct session *s = ctx->session[id];

	return s && s->stranger && !s->ending ? s->since : NEVER;
}

/* The id of an old one, of some that chance finds; since() of an id: NEVER if it is not one of nobody.  0, which is nobody's id:
 * none was found. */
static unsigned oldest(const struct ctx *ctx, ms_t (*since)(const struct ctx *, unsigned id), ms_t age)
{
	unsigned at = env_u32(&ctx->env), stride = env_u32(&ctx->env) | 1, found = 0, id = 0;
	ms_t first = NEVER;

	for (unsigned n = 0; n < LOOK_AT && found < CANDIDATES; n++) {
		ms_t then = since(ctx, (at += stride) % MAX_ID);

		if (then == NEVER || ctx->loop.now - then < age)
			continue;
		found++;
		if (then < first) {
			first = then;
			id = at % MAX_ID;
		}
	}
	return id;
}

struct tunnel *room_tunnel(const struct ctx *ctx, ms_t age)
{
	return ctx->tunnel[oldest(ctx, tunnel_of_nobody, age)];
}

struct session *room_session(const struct ctx *ctx, ms_t age)
{
	return ctx->session[oldest(ctx, session_of_nobody, age)];
}

/* 0, 1: half, 2: seven of eight are taken. */
static unsigned pressure(unsigned n, unsigned max)
{
	return (n > max / 2) + (n > max - max / 8);
}

void room_for_tunnel(struct ctx *ctx)
{
	unsigned p = pressure(ctx->n_tunnels, ctx->conf->max_tunnels ? ctx->conf->max_tunnels : MAX_ID);
	struct tunnel *t = p ? room_tunnel(ctx, p > 1 ? TUNNEL_SHORT_MS : TUNNEL_MS) : NULL;

	if (!t)
		return;
	ctx->count.strangers_evicted++;
	tunnel_unprotected(t, "no user has come by it, and others need the room", true);
}

void room_for_session(struct ctx *ctx)
{
	unsigned max = ctx->conf->max_sessions ? ctx->conf->max_sessions : MAX_ID, spare = ctx->n_tunnels + SPARE_FILES;
	unsigned files = ctx->max_files > spare ? (ctx->max_files - spare) / 2 : 0;
	unsigned p = pressure(ctx->n_sessions, files < max ? files : max);
	struct session *s = p ? room_session(ctx, p > 1 ? SESSION_SHORT_MS : SESSION_MS) : NULL;

	if (!s)
		return;
	ctx->count.strangers_evicted++;
	session_end(s, 4, 0, "it has not authenticated yet, and others need the room");
}
