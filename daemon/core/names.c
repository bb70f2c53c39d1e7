/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers whose `address` is a DNS name: asked at start, at reload, and again every few minutes. */
#include <stdlib.h>
#include <string.h>

#include "core/dial.h"
#include "core/ipsec.h"

enum { REFRESH_MS = 300000, N_MAX = 8 };

struct name_query { uint32_t id; };

static void ask_all(struct ctx *ctx)
{
	bool any = false;

	for (unsigned i = 0; ctx->names && i < ctx->conf->n_peers; i++)
		if (ctx->conf->peer[i].remote_name) {
			ctx->names[i].id = resolve(ctx->resolver, ctx->conf->peer[i].remote_name, 0);
			any = true;
		}
	if (any)
		timer_set(&ctx->loop, &ctx->names_timer, ctx->loop.now + REFRESH_MS);
}

static void due(struct timer *timer, void *arg)
{
	(void)timer;
	ask_all(arg);
}

static void inherit(struct config *c, const struct config *old)
{
	for (unsigned i = 0; i < c->n_peers; i++)
		for (unsigned j = 0; c->peer[i].remote_name && j < old->n_peers; j++)
			if (old->peer[j].remote_name && !strcmp(c->peer[i].remote_name, old->peer[j].remote_name))
				(void)config_set_resolved(c, i, old->peer[j].resolved, old->peer[j].n_resolved);
}

void names_configure(struct ctx *ctx, const struct config *old)
{
	if (old)
		inherit(ctx->conf, old);
	free(ctx->names);
	ctx->names = calloc(ctx->conf->n_peers + 1, sizeof(*ctx->names));
	if (!ctx->names_timer.due)
		timer_init(&ctx->names_timer, due, ctx);
	timer_stop(&ctx->loop, &ctx->names_timer);
	ask_all(ctx);
}

bool names_resolved(struct ctx *ctx, uint32_t query, const struct endpoint *e, unsigned n, const char *error)
{
	struct addr a[N_MAX];
	unsigned i;

	for (i = 0; ctx->names && i < ctx->conf->n_peers && ctx->names[i].id != query; i++)
		;
	if (!ctx->names || i == ctx->conf->n_peers)
		return false;
	ctx->names[i].id = 0;
	if (error) {				/* what was known stays */
		log_limited(&ctx->log, &ctx->limit[T_PROTOCOL], ctx->loop.now, LOG_WARNING, "peer %s: cannot resolve %s: %s",
			    ctx->conf->peer[i].name, ctx->conf->peer[i].remote_name, error);
		return true;
	}
	for (unsigned j = 0; j < n && j < N_MAX; j++) {
		a[j] = (struct addr){ .family = e[j].family, .prefix_len = e[j].family == 4 ? 32 : 128, .scope = e[j].scope };
		memcpy(a[j].a, e[j].addr, sizeof(a[j].a));
	}
	(void)config_set_resolved(ctx->conf, i, a, n < N_MAX ? n : N_MAX);
	ipsec_refresh(ctx);
	return true;
}
