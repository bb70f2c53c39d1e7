/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/names.h"
#include "core/dial.h"
#include "core/event.h"
#include "core/half_open.h"
#include "core/ipsec.h"
#include "core/kernel.h"
#include "core/listener.h"
#include "core/ordered.h"
#include "core/policy.h"
#include "core/room.h"
#include "core/session.h"
#include "core/turn.h"
#include "core/version.h"

enum { LOOK_AT = 8, RETRY_MS = 1000, ACK_MS = 5, UNTOLD_MAX = 8 };	/* LOOK_AT: sessions whose counters are asked for */

const char *tunnel_name(const struct tunnel *t)
{
	if (t->as)
		return t->as->name;
	return t->cc.peer_host_name[0] ? t->cc.peer_host_name : "?";
}

uint32_t tunnel_peer_id(const struct tunnel *t)
{
	return t->cc.peer_tunnel_id;
}

const char *cause_text(const struct l2tp_cause *c, bool call, char *buf, size_t size)
{
	snprintf(buf, size, "%s %s: %s (%u)%s%s%s%s", c->timeout ? "no answer," : c->by_peer ? "the peer's" : "our",
		 call ? "CDN" : "StopCCN", call ? l2tp_cdn_result_name(c->result) : l2tp_stop_result_name(c->result), c->result,
		 c->error ? ", " : "", c->error ? l2tp_error_name(c->error) : "", c->msg[0] ? ": " : "", c->msg);
	return buf;
}

/* The peer does not acknowledge.  Some never acknowledge a HELLO, and their traffic goes on: the kernel's counters tell
 * (session_stats). */
static void look_for_traffic(struct tunnel *t)
{
	unsigned n = 0;

	if (!t->cc.rel.retries || t->down) {
		t->doubt_since = 0;
		return;
	}
	if (!t->doubt_since)
		t->doubt_since = t->ctx->loop.now;
	for (struct session *s = t->sessions; s && n < LOOK_AT; s = s->next) {
		struct k_request rq;

		if (!s->up || s->ending)
			continue;
		kernel_request(&rq, K_STATS, t->id, s->id);
		(void)kernel_submit(t->ctx, &rq);
		n++;
	}
}

static void due(struct timer *timer, void *arg)
{
	struct tunnel *t = arg;

	(void)timer;
	if (t->ctx->loop.now >= cc_deadline(&t->cc)) {
		cc_tick(&t->cc, t->ctx->loop.now);
		look_for_traffic(t);
	}
	tunnel_drain(t);
}

static void enlist(struct tunnel *t)
{
	struct ctx *ctx = t->ctx;

	ctx->tunnel[t->id] = t;
	ctx->n_tunnels++;
	t->next = ctx->tunnels;
	t->at = &ctx->tunnels;
	if (t->next)
		t->next->at = &t->next;
	ctx->tunnels = t;
}

static void delist(struct tunnel *t)
{
	t->ctx->tunnel[t->id] = NULL;
	t->ctx->n_tunnels--;
	*t->at = t->next;
	if (t->next)
		t->next->at = t->at;
}

struct tunnel *tunnel_new(struct ctx *ctx, uint16_t id, unsigned version, struct config *conf, const struct conf_tunnel *as,
			  const struct conf_peer *from, struct listener *on, const struct endpoint *local,
			  const struct endpoint *peer)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->peer = *peer;
	if (!source_add(ctx->sources, t)) {
		free(t);
		return NULL;
	}
	t->ctx = ctx;
	t->id = id;
	t->fd = -1;
	t->conf = conf_get(conf);
	t->as = as;
	t->from = from;
	t->listener = on;
	on->uses++;
	t->local = *local;
	t->local.encap = t->peer.encap;
	t->since = ctx->loop.now;
	timer_init(&t->timer, due, t);
	t->v = version == 3 ? &version_3 : &version_2;
	t->v->init(t);
	enlist(t);
	return t;
}

/* Nothing left to do for anybody: out of the tables now, memory at the end of the turn. */
static void maybe_free(struct tunnel *t)
{
	struct ctx *ctx = t->ctx;

	if (t->freed || t->draining || !t->gone || t->n_sessions || t->kernel == KS_COMING || t->kernel == KS_UP ||
	    t->kernel == KS_GOING)
		return;
	t->freed = true;
	tunnel_no_more(t);
	timer_stop(&ctx->loop, &t->timer);
	delist(t);
	if (!ordered_owns(ctx, t->id))
		id_rests(ctx, STORE_TUNNEL, t->id, t->from && !t->from->cc.secret.n);
	source_remove(ctx->sources, t);
	if (t->stat)
		t->stat->tunnels--;
	t->next_free = ctx->free_tunnels;
	ctx->free_tunnels = t;
	if (t->dial)
		dial_tunnel_freed(t->dial);
	if (t->as && t->as->ipsec.required)
		ipsec_dial_ended(ctx, t->as->name);
	else if (tunnel_protected(t) && t->conf != ctx->conf)
		ipsec_refresh(ctx);		/* it may have been the last that needed the guard */
}

void tunnels_sweep(struct ctx *ctx)
{
	for (struct tunnel *t; (t = ctx->free_tunnels);) {
		ctx->free_tunnels = t->next_free;
		t->v->done(&t->cc);
		listener_put(t->listener);
		conf_put(t->conf);
		free(t);
	}
}

/* The kernel's tunnel goes when the control connection is down and its sessions are out of the kernel. */
static void uninstall(struct tunnel *t)
{
	struct k_request rq = { .op = K_TUNNEL_DOWN, .tunnel_id = t->id };

	if (t->kernel != KS_UP || t->n_sessions)
		return;
	io_close(&t->ctx->loop, &t->rx, &t->fd);
	if (kernel_submit(t->ctx, &rq))
		t->kernel = KS_GOING;
	else if (!t->ctx->keeper)
		t->kernel = KS_GONE;
	else					/* no memory: it may not be forgotten */
		timer_set(&t->ctx->loop, &t->timer, t->ctx->loop.now + RETRY_MS);
	tunnel_changed(t);
}

static void went_up(struct tunnel *t)
{
	struct ctx *ctx = t->ctx;
	char where[96];

	t->up_since = clock_wall();
	ctx->count.tunnels_opened++;
	log_peer(ctx, T_ACCEPT, &t->peer, LOG_INFO, "tunnel %u/%u: established with %s at %s", t->id, tunnel_peer_id(t),
		 tunnel_name(t), endpoint_port_text(&t->peer, where, sizeof(where)));
	event(ctx, "tunnel-up", t, NULL, "established with %s", tunnel_name(t));
	if (t->dial)
		dial_tunnel_up(t->dial);
}

static void went_down(struct tunnel *t, const struct l2tp_cause *cause)
{
	struct ctx *ctx = t->ctx;
	char why[256];

	t->down = true;
	t->cause = *cause;
	cause_text(cause, false, why, sizeof(why));
	if (t->up_since)
		ctx->count.tunnels_closed++;
	log_peer(ctx, T_ACCEPT, &t->peer, LOG_INFO, "tunnel %u/%u: down with %s: %s", t->id, tunnel_peer_id(t), tunnel_name(t),
		 why);
	event(ctx, "tunnel-down", t, NULL, "%s", why);
	if (t->dial)
		dial_tunnel_down(t->dial, cause);
	for (struct session *s = t->sessions, *next; s; s = next) {
		next = s->next;
		session_end(s, cause->result, 0, "the tunnel is down");
	}
}

static struct session *find(const struct tunnel *t, uint32_t wire_id)
{
	struct session *s = session_find(t->ctx, wire_id);

	return s && s->tunnel == t ? s : NULL;
}

static void perform(struct tunnel *t, const struct fx *f)
{
	struct ctx *ctx = t->ctx;
	const void *data = f->data;
	const struct l2tp_fx_state *state = data;
	const struct l2tp_fx_call_down *down = data;
	const struct l2tp_fx_call *call = data;
	struct session *s;

	switch ((enum l2tp_fx)f->type) {
	case L2TP_FX_TX:
		t->untold = 0;
		turn_datagram(ctx, t, f->data, f->len);
		break;
	case L2TP_FX_STATE:
		s = find(t, state->session_id);
		if (s)
			session_changed(s);
		if (ctx->log.level >= LOG_DEBUG)
			log_line(&ctx->log, LOG_DEBUG, "tunnel %u/%u: %s%s: %s --%s--> %s", t->id, t->cc.peer_tunnel_id,
				 state->machine, state->session_id ? " (call)" : "", state->was, state->event, state->is);
		break;
	case L2TP_FX_NOTE:
		log_peer(ctx, T_PROTOCOL, &t->peer, LOG_NOTICE, "tunnel %u/%u: %s: %.*s", t->id, t->cc.peer_tunnel_id,
			 tunnel_name(t), (int)f->len, (const char *)f->data);
		break;
	case L2TP_FX_CC_UP:
		went_up(t);
		break;
	case L2TP_FX_CC_DOWN:
		went_down(t, data);
		break;
	case L2TP_FX_CC_GONE:
		t->gone = true;
		break;
	case L2TP_FX_CALL_REQUEST:
		t->v->answer(t, data);
		break;
	case L2TP_FX_CALL_PLACE:
		s = find(t, call->session_id);
		if (s)
			cc_call_placed(&t->cc, &s->call, ctx->loop.now);
		break;
	case L2TP_FX_CALL_UP:
		s = find(t, call->session_id);
		if (s)
			t->v->call_is_up(s);
		break;
	case L2TP_FX_CALL_DOWN:
		s = find(t, down->session_id);
		if (s)
			session_call_down(s, &down->cause);
		break;
	case L2TP_FX_SLI:
		if (t->v->sli)
			t->v->sli(t, data);
		break;
	case L2TP_FX_FALLBACK:
		log_line(&ctx->log, LOG_NOTICE, "tunnel %s: the peer speaks L2TPv2 only: so do we", tunnel_name(t));
		if (t->dial)
			t->dial->v2_next = true;
		break;
	case L2TP_FX_WEN:
		break;
	}
}

/* Here and now, and never again: nobody listens to the answer. */
static void last_words(const struct tunnel *t, const struct l2tp_cause *cause)
{
	int fd = t->mark ? t->fd : t->listener->tx;	/* with a mark only the kernel tunnel's own is sure to have it */
	uint8_t words[256];
	size_t len;

	if (t->down || fd < 0 || !t->v->last_words)
		return;
	for (unsigned i = 0; (len = t->v->last_words(&t->cc, cause, i, words, sizeof(words))); i++)
		(void)udp_send(fd, &t->local, &t->peer, 0, words, len);
}

/* An effect is lost, and it may have been any: no call, and no session, may depend on those to come. */
static void give_up(struct tunnel *t)
{
	struct l2tp_cause cause = { .result = 2, .error = 4 };

	last_words(t, &cause);
	cc_abandon(&t->cc, t->ctx->loop.now, &cause);
	for (struct fx *f; (f = fx_pop(&t->cc.out)); fx_free(f))
		perform(t, f);
	t->cc.out.lost = false;
	if (!t->down)
		went_down(t, &cause);
	for (struct session *s = t->sessions, *next; s; s = next) {
		next = s->next;
		session_call_down(s, &cause);
	}
	t->gone = true;
}

void tunnel_drain(struct tunnel *t)
{
	struct ctx *ctx = t->ctx;
	ms_t at;

	if (t->draining)
		return;				/* the outermost call will come to it */
	tunnel_changed(t);
	t->draining = true;
	for (struct fx *f; (f = fx_pop(&t->cc.out)); fx_free(f))
		perform(t, f);
	if (t->cc.out.lost && !t->gone) {
		log_line(&ctx->log, LOG_ERR, "tunnel %u: out of memory; this tunnel is given up", t->id);
		give_up(t);
	}
	t->draining = false;
	/* An acknowledgement that is due leaves with the timer: one for all that came meanwhile, or with a message of ours, as
	 * there is one where calls come in numbers (5.8).  Before the peer's window is full. */
	at = cc_deadline(&t->cc);
	if (at <= ctx->loop.now && t->untold < UNTOLD_MAX)
		at = ctx->loop.now + ACK_MS;
	timer_set(&ctx->loop, &t->timer, t->gone ? NEVER : at);
	if (t->down)
		uninstall(t);
	maybe_free(t);
}

void tunnel_probe(struct tunnel *t)
{
	cc_probe(&t->cc, t->ctx->loop.now);
	timer_set(&t->ctx->loop, &t->timer, cc_deadline(&t->cc));
}

/* A peer that comes again from the same address and port may have crashed, or have two tunnels: ask the others. */
static void probe_older(const struct tunnel *t)
{
	for (struct tunnel *old = t->same_source; old; old = old->same_source) {
		if (old->peer.port != t->peer.port || old->mark != t->mark || old->down)
			continue;
		tunnel_probe(old);
	}
}

struct tunnel *tunnel_accept(struct ctx *ctx, uint16_t id, struct listener *on, const struct dgram *d,
			     const struct conf_peer *from)
{
	struct tunnel *t;

	room_for_tunnel(ctx);
	t = tunnel_new(ctx, id, from->l2tp.version, ctx->conf, NULL, from, on, &d->local, &d->peer);
	if (!t) {
		id_rests(ctx, STORE_TUNNEL, id, false);
		return NULL;
	}
	t->mark = d->mark;
	t->stat = peer_stat_get(ctx, from->name);
	if (t->stat) {
		t->stat->tunnels++;
		t->stat->accepted++;
	}
	ipsec_join(t);
	probe_older(t);
	return t;
}

void tunnel_take_over(struct tunnel *t, const struct dgram *d, const struct ho_entry *e)
{
	t->slot = half_open_slot(t->ctx, e->tunnel_id);
	t->cc.tunnel_id = e->tunnel_id;
	t->v->accept(&t->cc, t->ctx->loop.now, e);
	t->v->input(&t->cc, t->ctx->loop.now, d->octets, d->len);
	tunnel_drain(t);
}

struct tunnel *tunnel_dial(struct ctx *ctx, struct dial *dial, const struct conf_tunnel *as, struct listener *on,
			   const struct endpoint *local, const struct endpoint *peer)
{
	bool wish = as->id && ordered_owns(ctx, as->id) && !ctx->tunnel[as->id];
	uint16_t id = wish ? as->id : (uint16_t)ids_take(ctx->tunnel_ids, ctx->loop.now);
	unsigned version = dial->v2_next ? 2 : as->l2tp.version;
	struct tunnel *t = id ? tunnel_new(ctx, id, version, dial->conf, as, NULL, on, local, peer) : NULL;

	dial->v2_next = false;			/* should it go down, the peer may have learnt more */
	if (!t) {
		if (id && !wish)
			id_rests(ctx, STORE_TUNNEL, id, false);
		return NULL;
	}
	t->dial = dial;
	dial->tunnel = t;
	ipsec_join(t);
	t->v->open(t);
	tunnel_drain(t);
	return t;
}

static bool is_dialling(const struct tunnel *t)
{
	return t->cc.state == CC_WAIT_CTL_REPLY;
}

/* RFC 2661 has no word on the source of a message; everybody else's spoofed StopCCN has.  While our SCCRQ is
 * unanswered the LNS may reply from another port (8.1), and that port is then the tunnel's. */
static bool source_fits(struct tunnel *t, const struct dgram *d)
{
	if (t->peer.family != d->peer.family || memcmp(t->peer.addr, d->peer.addr, sizeof(d->peer.addr)) ||
	    t->peer.scope != d->peer.scope || t->mark != d->mark)
		return false;
	if (t->peer.port == d->peer.port)
		return true;
	if (!is_dialling(t))
		return false;
	t->peer.port = d->peer.port;
	return true;
}

void tunnel_input(struct tunnel *t, const struct dgram *d)
{
	struct ctx *ctx = t->ctx;
	uint16_t port = t->peer.port;

	if (!source_fits(t, d)) {
		ctx->count.rx_wrong_source++;
		return;
	}
	t->untold++;
	t->v->input(&t->cc, t->ctx->loop.now, d->octets, d->len);
	if (t->peer.port != port && is_dialling(t))
		t->peer.port = port;		/* it was no SCCRP: anybody may have sent it */
	tunnel_drain(t);
}

void tunnel_close(struct tunnel *t, uint16_t result, uint16_t error, const char *msg)
{
	struct l2tp_cause cause = { .result = result, .error = error };

	if (t->down)
		return;
	snprintf(cause.msg, sizeof(cause.msg), "%s", msg ? msg : "");
	cc_close(&t->cc, t->ctx->loop.now, &cause);
	tunnel_drain(t);
}

bool tunnel_protected(const struct tunnel *t)
{
	return t->as ? t->as->ipsec.required : t->from && t->from->ipsec.required;
}

void tunnel_unprotected(struct tunnel *t, const char *why, bool tell)
{
	struct l2tp_cause cause = { .result = 2, .error = 6 };

	if (t->down)
		return;
	snprintf(cause.msg, sizeof(cause.msg), "%s", why);
	if (tell)
		last_words(t, &cause);
	cc_abandon(&t->cc, t->ctx->loop.now, &cause);
	tunnel_drain(t);
}

void tunnel_follow(struct tunnel *t, uint32_t mark)
{
	struct k_request rq = { .op = K_TUNNEL_MARK, .tunnel_id = t->id };

	log_limited(&t->ctx->log, &t->ctx->limit[T_IPSEC], t->ctx->loop.now, LOG_INFO,
		    "tunnel %u/%u with %s: its IPsec has another mark: %u, no longer %u", t->id, t->cc.peer_tunnel_id,
		    tunnel_name(t), mark, t->mark);
	t->mark = rq.mark.mark = mark;
	tunnel_changed(t);
	if ((t->kernel == KS_COMING || t->kernel == KS_UP) && !kernel_submit(t->ctx, &rq))
		tunnel_close(t, 2, 4, "no keeper: the kernel cannot be reached");
}

void tunnel_followed(struct ctx *ctx, const struct k_reply *r)
{
	struct tunnel *t = ctx->tunnel[r->tunnel_id];

	if (!r->result || !t || t->down)
		return;
	log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_ERR, "tunnel %u/%u: %s", t->id, t->cc.peer_tunnel_id,
		    r->why);
	tunnel_close(t, 2, 6, "its kernel tunnel cannot follow its IPsec");
}

/* Endpoints and the keeper's addresses have one shape on purpose. */
_Static_assert(sizeof(struct k_addr) == sizeof(struct endpoint), "struct k_addr and struct endpoint agree");

void tunnel_install(struct tunnel *t)
{
	struct k_request rq = { .op = K_TUNNEL_UP, .tunnel_id = t->id };

	if (t->kernel != KS_NONE || t->down)
		return;
	memcpy(&rq.tunnel.local, &t->local, sizeof(rq.tunnel.local));
	memcpy(&rq.tunnel.peer, &t->peer, sizeof(rq.tunnel.peer));
	rq.tunnel.peer_tunnel_id = tunnel_peer_id(t);
	rq.tunnel.mark = t->mark;
	rq.tunnel.v3 = t->v == &version_3;
	tunnel_changed(t);
	if (kernel_submit(t->ctx, &rq))
		t->kernel = KS_COMING;
	else
		tunnel_close(t, 2, 4, "no keeper: the kernel cannot be reached");
}

static void readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct tunnel *t = w->data;

	(void)ev;
	(void)revents;
	demux_read(t->ctx, t->fd, t->listener);
}

void tunnel_attach(struct tunnel *t, int fd)
{
	t->kernel = KS_UP;
	t->fd = fd;
	io_start(&t->ctx->loop, &t->rx, fd, readable, t);
	tunnel_changed(t);
}

void tunnel_kernel_up(struct ctx *ctx, const struct k_reply *r, int fd)
{
	struct tunnel *t = ctx->tunnel[r->tunnel_id];

	if (!t || t->kernel != KS_COMING) {
		struct k_request rq = { .op = K_TUNNEL_DOWN, .tunnel_id = r->tunnel_id };

		if (fd >= 0)
			close(fd);
		if (!r->result)
			(void)kernel_submit(ctx, &rq);
		return;
	}
	if (r->result) {
		t->kernel = KS_NONE;
		ctx->count.kernel_failures++;
		log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_ERR, "tunnel %u/%u: the kernel refuses it: %s: %s",
			    t->id, tunnel_peer_id(t), r->why, strerror(-r->result));
		tunnel_close(t, 2, 4, "insufficient resources");
		tunnel_drain(t);
		return;
	}
	t->kernel = KS_UP;
	t->fd = fd;
	t->data_port = udp_peer_port(fd);
	io_start(&ctx->loop, &t->rx, fd, readable, t);
	for (struct session *s = t->sessions, *next; s; s = next) {
		next = s->next;
		session_apply(s);
	}
	tunnel_drain(t);
}

void tunnel_kernel_down(struct ctx *ctx, const struct k_reply *r)
{
	struct tunnel *t = ctx->tunnel[r->tunnel_id];

	if (!t || t->kernel != KS_GOING)
		return;
	t->kernel = KS_GONE;
	tunnel_drain(t);
}

void tunnel_kernel_lost(struct tunnel *t, const char *why)
{
	struct ctx *ctx = t->ctx;

	if (t->kernel != KS_UP && t->kernel != KS_COMING)
		return;
	ctx->count.kernel_vanished++;
	log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_WARNING,
		    "tunnel %u/%u with %s: its kernel tunnel is gone (%s); closing it", t->id, tunnel_peer_id(t),
		    tunnel_name(t), why);
	for (struct session *s = t->sessions, *next; s; s = next) {
		next = s->next;
		session_kernel_lost(s, why);
	}
	tunnel_close(t, 2, 6, why);
	tunnel_drain(t);
}

void tunnel_session_freed(struct tunnel *t)
{
	tunnel_drain(t);
}

void tunnel_forget(struct tunnel *t)
{
	struct ctx *ctx = t->ctx;

	timer_stop(&ctx->loop, &t->timer);
	io_close(&ctx->loop, &t->rx, &t->fd);
	delist(t);
	t->next_free = ctx->free_tunnels;
	ctx->free_tunnels = t;
}
