/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session's way into the kernel: one request at a time, until what is applied
 * is what is wanted.  The keeper's completions lead on. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/dial.h"
#include "core/kernel.h"
#include "core/session.h"
#include "core/turn.h"
#include "core/version.h"

enum { STATS_MS = 10000, PILE_MS = 10000 };

/* How long the kernel takes for a session, waiting for its tunnel included. */
static void comes(struct session *s)
{
	struct ctx *ctx = s->ctx;

	if (s->comes_since)
		return;
	s->comes_since = ctx->loop.now;
	if (!ctx->coming.n++) {
		ctx->coming.moved = ctx->loop.now;
		ctx->coming.took = 0;
	}
}

static void came(struct session *s)
{
	struct ctx *ctx = s->ctx;

	ctx->coming.moved = ctx->loop.now;
	if (s->comes_since)			/* it has not ended meanwhile */
		ctx->coming.took = ctx->loop.now - s->comes_since;
	session_comes_not(s);
}

void session_comes_not(struct session *s)
{
	s->ctx->coming.n -= !!s->comes_since;
	s->comes_since = 0;
}

static void describe(const struct session *s, struct k_request *rq)
{
	if (is_ethernet(s->policy)) {
		kernel_request(rq, K_ETH_UP, s->tunnel->id, s->id);
		eth_describe(s, rq);
		return;
	}
	kernel_request(rq, K_SESSION_UP, s->tunnel->id, s->id);
	s->tunnel->v->data_describe(s, rq);
	rq->session.lns_mode = s->policy->role == ROLE_LNS;
	if (s->policy->interface)
		strncpy(rq->session.name, s->policy->interface, sizeof(rq->session.name) - 1);
	link_describe(s, s->wanted, &rq->session.link);
}

void session_apply(struct session *s)
{
	struct k_request rq;
	uint8_t missing = s->wanted & (uint8_t)~s->applied, surplus = s->applied & (uint8_t)~s->wanted;

	if (s->ending || s->asked || s->dropped)
		return;
	for (uint8_t part = LINK_IPV4; part <= LINK_IPV6; part = (uint8_t)(part << 1))
		if (s->ready & s->applied & part) {
			s->ready &= (uint8_t)~part;
			ppp_ncp_go(&s->ppp, s->ctx->loop.now, part == LINK_IPV4 ? PPP_IPCP : PPP_IPV6CP);
			session_drain(s);
		}
	if ((!missing && !surplus) || s->ending || s->asked || s->dropped)
		return;
	if (s->kernel == KS_NONE) {
		comes(s);
		if (s->tunnel->kernel != KS_UP) {
			tunnel_install(s->tunnel);
			return;				/* called again when the tunnel is there */
		}
		describe(s, &rq);
	} else {
		kernel_request(&rq, K_LINK_SET, s->tunnel->id, s->id);
		if (is_ethernet(s->policy))
			eth_link_describe(s, &rq.link);
		else
			link_describe(s, missing, &rq.link);
		rq.link.no_ipv4 = surplus & LINK_IPV4;
		rq.link.no_ipv6 = surplus & LINK_IPV6;
	}
	s->asked = missing;
	s->dropped = surplus;
	session_changed(s);
	if (!kernel_submit(s->ctx, &rq)) {
		s->asked = s->dropped = 0;
		session_end(s, 2, 4, "no keeper: the kernel cannot be reached");
	} else if (s->kernel == KS_NONE) {
		s->kernel = KS_COMING;
	}
}

bool sessions_pile_up(const struct ctx *ctx)
{
	ms_t still = ctx->loop.now - ctx->coming.moved;

	return ctx->coming.n && (still > PILE_MS || ctx->coming.took > PILE_MS);
}

static void refused(struct session *s, const struct k_reply *r)
{
	const struct dial *dial = s->tunnel->dial;
	struct ctx *ctx = s->ctx;

	ctx->count.kernel_failures++;
	log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_ERR,
		    "session %u/%u in tunnel %u: the kernel refuses it: %s: %s", s->wire_id,
		    session_peer_id(s), s->tunnel->id, r->why, strerror(-r->result));
	session_end(s, 2, 4, "the kernel refused the session");
	dial_explain(ctx, dial, r->why);
}

/* What was asked for is there, but for what has changed since. */
static void done(struct session *s)
{
	session_changed(s);
	s->applied |= s->asked & (uint8_t)~s->outdated;
	s->applied &= (uint8_t)~s->dropped;
	s->asked = s->outdated = s->dropped = 0;
}

void session_attach(struct session *s, const char name[16], uint32_t ifindex, int channel, int unit)
{
	s->kernel = KS_UP;
	s->ifindex = ifindex;
	memcpy(s->ifname, name, sizeof(s->ifname));
	s->ifname[sizeof(s->ifname) - 1] = 0;
	if (channel >= 0)			/* PPP */
		link_attach(s, channel, unit);
	session_changed(s);
}

static void came_up(struct session *s, const struct k_reply *r, int channel, int unit)
{
	struct k_request rq;

	came(s);
	if (r->result) {
		s->kernel = KS_NONE;
		refused(s, r);
		session_drain(s);			/* it may have waited for this alone */
		return;
	}
	if (s->ending) {
		if (channel >= 0)
			close(channel);
		if (unit >= 0)
			close(unit);
		kernel_request(&rq, K_SESSION_DOWN, r->tunnel_id, r->session_id);
		s->kernel = kernel_submit(s->ctx, &rq) ? KS_GOING : KS_GONE;
		session_drain(s);
		return;
	}
	done(s);
	if (!s->mtu)				/* it was the kernel's to know */
		s->mtu = r->session.mtu;
	session_attach(s, r->session.name, r->session.ifindex, channel, unit);
	session_installed(s);
	session_apply(s);
}

void session_kernel_reply(struct ctx *ctx, const struct k_reply *r, int channel, int unit)
{
	struct session *s = ctx->session[r->session_id];
	bool failed;

	if (!s || s->tunnel->id != r->tunnel_id) {
		if (channel >= 0)
			close(channel);
		if (unit >= 0)
			close(unit);
		return;
	}
	switch ((enum k_op)r->op) {
	case K_SESSION_UP:
	case K_ETH_UP:
		if (s->kernel == KS_COMING)
			came_up(s, r, channel, unit);
		break;
	case K_LINK_SET:
		failed = r->result && !is_ethernet(s->policy);	/* what a link says of its circuit is no reason to end it */
		if (failed)
			s->asked = s->dropped = 0;
		else
			done(s);
		if (failed && !s->ending)
			refused(s, r);
		else
			session_apply(s);
		break;
	case K_SESSION_DOWN:
		if (s->kernel == KS_GOING)
			s->kernel = KS_GONE;
		session_drain(s);
		break;
	case K_HELLO: case K_LISTEN: case K_UNLISTEN: case K_TUNNEL_UP: case K_TUNNEL_DOWN: case K_STATS: case K_HOOK:
	case K_OPEN: case K_LIST: case K_STOP: case K_GUARD: case K_MARKED: case K_CHARON:
	case K_TUNNEL_MARK: case K_SA_DROP: case K_KEPT_OUT: case K_EVENT:
		break;
	}
}

void session_kernel_lost(struct session *s, const char *why)
{
	struct ctx *ctx = s->ctx;

	if (s->ending || s->kernel == KS_NONE)
		return;
	ctx->count.kernel_vanished++;
	log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_WARNING,
		    "session %u/%u in tunnel %u, interface %s: %s behind our back; ending the call", s->wire_id,
		    session_peer_id(s), s->tunnel->id, s->ifname, why);
	session_end(s, 2, 6, why);
}

/* Counters, while somebody's idle timeout depends on them. */

static void stats_came(struct ctx *ctx, void *arg, const struct k_reply *r)
{
	(void)arg;
	(void)r;			/* each session has its share already (kernel.c) */
	if (ctx->n_idle_watched)
		timer_set(&ctx->loop, &ctx->stats_timer, ctx->loop.now + STATS_MS);
}

static void stats_due(struct timer *timer, void *arg)
{
	struct ctx *ctx = arg;
	struct k_request rq = { .op = K_STATS };

	(void)timer;
	if (ctx->n_idle_watched && !kernel_ask(ctx, &rq, stats_came, NULL))
		timer_set(&ctx->loop, &ctx->stats_timer, ctx->loop.now + STATS_MS);
}

void stats_timer_start(struct ctx *ctx)
{
	if (!ctx->stats_timer.due)
		timer_init(&ctx->stats_timer, stats_due, ctx);
	timer_set(&ctx->loop, &ctx->stats_timer, ctx->loop.now + STATS_MS);
}
