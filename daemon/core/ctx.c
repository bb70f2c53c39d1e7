/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/adopt.h"
#include "core/control.h"
#include "core/event.h"
#include "core/ipsec.h"
#include "core/kernel.h"
#include "core/listener.h"
#include "core/policy.h"
#include "core/pool.h"
#include "core/turn.h"

/* A stock of chance, so that not every id and challenge is a system call; what was given out is wiped. */
struct chance { size_t left; uint8_t octets[1024]; };

static void draw(uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno != EINTR)
			abort();		/* guessable ids and challenges are worse than no daemon */
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

static void fill_random(void *arg, void *buf, size_t len)
{
	struct chance *c = arg;

	if (len > sizeof(c->octets)) {
		draw(buf, len);
		return;
	}
	if (len > c->left) {
		draw(c->octets, sizeof(c->octets));
		c->left = sizeof(c->octets);
	}
	c->left -= len;
	memcpy(buf, c->octets + c->left, len);
	explicit_bzero(c->octets + c->left, len);
}

int ctx_allocate(struct ctx *ctx)
{
	struct ho_limits limits = { .total = ctx->conf->max_half_open, .replies_per_s = ctx->conf->setup_rate };

	ctx->env = (struct env){ fill_random, calloc(1, sizeof(struct chance)) };
	if (!ctx->env.arg)
		return -ENOMEM;
	ctx->tunnel = calloc(MAX_ID, sizeof(*ctx->tunnel));
	ctx->session = calloc(MAX_ID, sizeof(*ctx->session));
	ctx->rx = udp_rx_new();
	ctx->sources = sources_new();
	ctx->turn = turn_new();
	ctx->half_open = ho_new(&ctx->env, &limits);
	ctx->v3_half_open = ho_new(&ctx->env, &limits);
	ctx->half_open_slot = calloc(MAX_ID, sizeof(*ctx->half_open_slot));
	ctx->tunnel_ids = ids_new(&ctx->env, ID_QUARANTINE_MS);
	ctx->session_ids = ids_new(&ctx->env, ID_QUARANTINE_MS);
	ctx->pools = pools_new();
	ctx->resolver = resolver_new(ctx);
	ctx->ipsec = ipsec_new(ctx);
	if (!ctx->tunnel || !ctx->session || !ctx->rx || !ctx->sources || !ctx->turn || !ctx->half_open ||
	    !ctx->v3_half_open || !ctx->half_open_slot || !ctx->tunnel_ids || !ctx->session_ids || !ctx->pools ||
	    !ctx->resolver || !ctx->ipsec)
		return -ENOMEM;
	return pools_update(ctx->pools, ctx->conf);
}

void ctx_release(struct ctx *ctx)
{
	adoption_free(ctx);
	control_stop(ctx);
	events_free(ctx);
	kernel_stop(ctx);
	dials_free(ctx);
	for (unsigned id = 1; ctx->session && id < MAX_ID; id++)
		if (ctx->session[id])
			session_forget(ctx->session[id]);
	sessions_sweep(ctx);
	for (unsigned id = 1; ctx->tunnel && id < MAX_ID; id++)
		if (ctx->tunnel[id])
			tunnel_forget(ctx->tunnel[id]);
	tunnels_sweep(ctx);
	listeners_free(ctx);
	ipsec_free(ctx->ipsec);
	turn_free(ctx->turn);
	resolver_free(ctx->resolver);
	pools_free(ctx->pools);
	ids_free(ctx->tunnel_ids);
	ids_free(ctx->session_ids);
	ho_free(ctx->half_open);
	ho_free(ctx->v3_half_open);
	free(ctx->half_open_slot);
	sources_free(ctx->sources);
	peer_stats_free(ctx);
	user_stats_free(ctx);
	udp_rx_free(ctx->rx);
	free(ctx->names);
	free(ctx->env.arg);
	free(ctx->tunnel);
	free(ctx->session);
	conf_put(ctx->conf);
	loop_done(&ctx->loop);
}
