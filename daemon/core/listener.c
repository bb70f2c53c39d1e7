/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/dial.h"
#include "core/event.h"
#include "core/ipsec.h"
#include "core/kernel.h"
#include "core/policy.h"
#include "core/session.h"
#include "core/stranger.h"
#include "core/turn.h"
#include "core/version.h"
#include "l2tp/data.h"

enum { BATCHES_A_TURN = 1, LISTEN_RETRY_MS = 5000 };

static void readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct listener *l = w->data;

	(void)ev;
	(void)revents;
	demux_read(l->ctx, l->fd, l);
}

/* After what was to leave through it. */
static void shut(struct listener *l)
{
	ev_io none = { .data = NULL };

	if (l->tx != l->fd)
		turn_close(l->ctx, &none, &l->tx);
	turn_close(l->ctx, &l->rx, &l->fd);
	l->tx = -1;
}

static void ask(struct listener *l, enum k_op op)
{
	struct k_request rq = { .op = op };

	memcpy(&rq.listen.local, &l->local, sizeof(rq.listen.local));
	l->id = kernel_submit(l->ctx, &rq);
	l->error = l->id ? 0 : -EPIPE;
}

static bool same_place(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->encap == b->encap && a->port == b->port && a->scope == b->scope &&
	       !memcmp(a->addr, b->addr, sizeof(a->addr));
}

struct listener *listener_get(struct ctx *ctx, const struct endpoint *local)
{
	struct listener *l = NULL;

	if (local->port || local->encap == ENCAP_IP)
		for (l = ctx->listeners; l && !same_place(&l->local, local); l = l->next)
			;
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return NULL;
		l->ctx = ctx;
		l->local = *local;
		l->fd = l->tx = -1;
		l->next = ctx->listeners;
		ctx->listeners = l;
	}
	l->uses++;
	if ((l->fd < 0 || l->stale) && !l->id)
		ask(l, K_LISTEN);
	return l;
}

bool listener_adopt(struct ctx *ctx, const struct endpoint *local, int fd, int tx)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		return false;
	*l = (struct listener){ .next = ctx->listeners, .ctx = ctx, .local = *local, .fd = fd, .tx = tx < 0 ? fd : tx };
	ctx->listeners = l;
	io_start(&ctx->loop, &l->rx, fd, readable, l);
	return true;
}

/* Of a listener with a port of its own; 0 while getsockname() fails. */
static void learn_port(struct listener *l)
{
	if (!l->local.port && l->local.encap == ENCAP_UDP && l->fd >= 0)
		l->local.port = udp_port(l->fd);
}

void listener_put(struct listener *l)
{
	struct ctx *ctx;

	if (!l || --l->uses)
		return;
	if (l->id && !l->local.port && l->local.encap == ENCAP_UDP)
		return;			/* its port is known when it is open, and without that nobody could close it */
	learn_port(l);
	ctx = l->ctx;
	for (struct listener **at = &ctx->listeners; *at; at = &(*at)->next)
		if (*at == l) {
			*at = l->next;
			break;
		}
	if (l->fd >= 0 || l->id) {		/* also when K_LISTEN is still under way: the keeper takes them in order */
		shut(l);
		ask(l, K_UNLISTEN);
	}
	free(l);
}

/* Of a listener that nobody has (any more): as listener_get and listener_put.  False: somebody has it. */
static bool drop_unused(struct listener *l)
{
	if (l->uses)
		return false;
	l->uses = 1;
	listener_put(l);
	return true;
}

void listeners_drop_unused(struct ctx *ctx)
{
	for (struct listener *l = ctx->listeners, *next; l; l = next) {
		next = l->next;
		(void)drop_unused(l);
	}
}

static void to_endpoint(struct endpoint *e, const struct conf_listen *c)
{
	const struct addr *a = &c->addr;

	*e = (struct endpoint){ .family = a->family, .encap = c->encap, .scope = a->scope,
				.port = c->encap == ENCAP_IP ? 0 : a->port };
	memcpy(e->addr, a->a, sizeof(e->addr));
}

static void say_open(struct listener *l)
{
	char where[96];

	log_line(&l->ctx->log, LOG_INFO, "listening on %s", endpoint_port_text(&l->local, where, sizeof(where)));
}

static void retry(struct timer *timer, void *arg)
{
	(void)timer;
	listeners_reopen(arg);
}

void listeners_configure(struct ctx *ctx)
{
	if (!ctx->listen_retry.due)
		timer_init(&ctx->listen_retry, retry, ctx);
	for (struct listener *l = ctx->listeners, *next; l; l = next) {
		bool keep = false;
		struct endpoint e;

		next = l->next;
		for (unsigned i = 0; l->configured && i < ctx->conf->n_listens; i++) {
			to_endpoint(&e, &ctx->conf->listen[i]);
			keep |= same_place(&e, &l->local);
		}
		if (l->configured && !keep) {
			l->configured = false;
			listener_put(l);		/* tunnels that came by it keep it */
		}
	}
	for (unsigned i = 0; i < ctx->conf->n_listens; i++) {
		struct listener *l;
		struct endpoint e;

		to_endpoint(&e, &ctx->conf->listen[i]);
		l = listener_get(ctx, &e);
		if (l && l->configured)
			l->uses--;
		else if (l) {
			l->configured = true;
			if (l->fd >= 0)
				say_open(l);
		}
	}
}

void listener_opened(struct ctx *ctx, const struct k_reply *r, int fds[K_MAX_FDS])
{
	struct listener *l;
	char where[96];

	for (l = ctx->listeners; l && l->id != r->id; l = l->next)
		;
	if (!l) {				/* nobody wants it any more: K_UNLISTEN is on its way */
		for (unsigned i = 0; i < K_MAX_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		return;
	}
	l->id = 0;
	l->error = r->result;
	l->stale = false;
	shut(l);
	if (r->result) {
		log_line(&ctx->log, LOG_ERR, "listen %s: %s: %s", endpoint_port_text(&l->local, where, sizeof(where)), r->why,
			 strerror(-r->result));
		if (l->configured)			/* its address may come yet */
			timer_set(&ctx->loop, &ctx->listen_retry, ctx->loop.now + LISTEN_RETRY_MS);
	} else {
		l->fd = fds[0];
		learn_port(l);
		if (!l->local.port && l->local.encap == ENCAP_UDP)
			log_line(&ctx->log, LOG_ERR, "listen %s: which port it has cannot be known: %s",
				 endpoint_port_text(&l->local, where, sizeof(where)), strerror(errno));
		l->tx = fds[1] < 0 ? fds[0] : fds[1];
		io_start(&ctx->loop, &l->rx, l->fd, readable, l);
		if (l->configured)
			say_open(l);
	}
	if (drop_unused(l))			/* given back meanwhile */
		return;
	for (struct dial *d = ctx->dials, *next; d; d = next) {
		next = d->next;
		if (d->listener == l)
			dial_listener_ready(d);
	}
}

void listeners_orphaned(struct ctx *ctx)
{
	for (struct listener *l = ctx->listeners, *next; l; l = next) {
		next = l->next;
		l->stale = l->fd >= 0;
		l->id = 0;
		if (!l->stale)
			(void)drop_unused(l);		/* given back before it was opened */
	}
}

void listeners_reopen(struct ctx *ctx)
{
	for (struct listener *l = ctx->listeners; l; l = l->next)
		if ((l->fd < 0 || l->stale) && !l->id)
			ask(l, K_LISTEN);
}

void listeners_free(struct ctx *ctx)
{
	for (struct listener *l; (l = ctx->listeners);) {
		ctx->listeners = l->next;
		if (l->tx >= 0 && l->tx != l->fd)
			close(l->tx);
		io_close(&ctx->loop, &l->rx, &l->fd);
		free(l);
	}
}

/* Does data for this tunnel come from there? */
static bool fits(const struct tunnel *t, const struct dgram *d)
{
	return (t->peer.port == d->peer.port || t->data_port == d->peer.port) && t->mark == d->mark &&
	       t->peer.family == d->peer.family && !memcmp(t->peer.addr, d->peer.addr, sizeof(t->peer.addr));
}

/* The only tunnel from there, or NULL. */
static struct tunnel *only_tunnel(const struct ctx *ctx, const struct dgram *d)
{
	struct tunnel *only = NULL;

	for (struct tunnel *t = source_first(ctx->sources, &d->peer); t; t = t->same_source) {
		if (t->down || t->peer.port != d->peer.port || memcmp(t->peer.addr, d->peer.addr, sizeof(t->peer.addr)))
			continue;
		if (only)
			return NULL;
		only = t;
	}
	return only;
}

/* A message that names no tunnel, though it belongs to one (some D-Link's).  False: it does not. */
static bool id_0(struct listener *on, const struct dgram *d)
{
	struct tunnel *t = only_tunnel(on->ctx, d);
	const struct conf_peer *p;
	const struct ho_entry *e;
	struct ho_addr key;

	if (t && t->v == &version_2 && t->cc.conf->id_0) {
		tunnel_input(t, d);
		return true;
	}
	stranger_key(&key, d);
	e = t ? NULL : ho_find_only(on->ctx->half_open, &key);
	p = e ? stranger_policy(on->ctx, d, e, 2) : NULL;
	if (p && p->cc.id_0)
		stranger_scccn(on, d, e);
	return p && p->cc.id_0;
}

static void control(struct listener *on, const struct dgram *d)
{
	struct ctx *ctx = on->ctx;
	const struct ho_entry *e;
	struct l2tp_msg m;
	uint16_t id;

	if (!l2tp_peek(d->octets, d->len, &id)) {
		ctx->count.rx_malformed++;
		return;
	}
	if (id && ctx->tunnel[id] && (ctx->tunnel[id]->v == &version_2 || ctx->tunnel[id]->cc.v3.v2_tunnel_id == id)) {
		tunnel_input(ctx->tunnel[id], d);
		return;
	}
	if (id) {
		e = ho_find(ctx->half_open, id);
		if (e)
			stranger_scccn(on, d, e);
		else
			ctx->count.rx_unknown_tunnel++;
		return;
	}
	if (!l2tp_decode(&m, d->octets, d->len, (struct span){ NULL, 0 }, NULL)) {
		ctx->count.rx_malformed++;
		return;
	}
	if (m.type == L2TP_SCCRQ && on->configured) {
		/* RFC 3931 4.7.3: who speaks both is answered in L2TPv3, if that is what is expected of him */
		if (!v3_offered(d->octets, d->len) || !stranger_expected(on, d, 3, m.host_name) || !v3_stranger_sccrq(on, d))
			stranger_sccrq(on, d, &m);
	} else if (m.type == L2TP_SCCRQ || !id_0(on, d))
		ctx->count.rx_unknown_tunnel++;
}

/* A control message of L2TPv3 (RFC 3931 3.2.1); the ids of our tunnels end in ours. */
static void v3_control(struct listener *on, const struct dgram *d)
{
	struct ctx *ctx = on->ctx;
	struct tunnel *t;
	uint32_t id;

	if (!v3_peek(d->octets, d->len, &id)) {
		ctx->count.rx_malformed++;
		return;
	}
	t = ctx->tunnel[id % MAX_ID];
	if (t && t->v == &version_3 && t->cc.tunnel_id == id)
		tunnel_input(t, d);
	else if (id)
		v3_stranger_scccn(on, d, id);
	else if (!on->configured || !v3_stranger_sccrq(on, d))
		ctx->count.rx_unknown_tunnel++;
}

static void data(struct ctx *ctx, const struct dgram *d)
{
	struct l2tp_data h;
	struct session *s;

	if (!l2tp_data_decode(&h, d->octets, d->len)) {
		ctx->count.rx_malformed++;
		return;
	}
	s = ctx->session[h.session_id];
	if (!s || s->tunnel->id != h.tunnel_id || s->tunnel->v != &version_2) {	/* it would have no cookie */
		ctx->count.rx_unknown_session++;
		return;
	}
	if (!fits(s->tunnel, d)) {
		ctx->count.rx_wrong_source++;
		return;
	}
	session_frame(s, h.proto, h.info.p, h.info.n);
}

/* Data of L2TPv3 that the kernel has no session for (yet). */
static void v3_data(struct ctx *ctx, const struct dgram *d)
{
	struct session *s = session_find(ctx, v3_data_session(d->octets, d->len));
	struct l2tp_data h;

	if (!s || s->tunnel->v != &version_3 || is_ethernet(s->policy))
		ctx->count.rx_unknown_session++;
	else if (!fits(s->tunnel, d))
		ctx->count.rx_wrong_source++;
	else if (!v3_data_decode(&h, d->octets, d->len, &s->call.v3.info.own))
		ctx->count.rx_malformed++;
	else
		session_frame(s, h.proto, h.info.p, h.info.n);
}

/* RFC 3931 4.1.2.1, RFC 2661 3.1: Ver. */
static bool is_v3(const struct dgram *d)
{
	return (d->octets[1] & 15) == 3;
}

void demux_read(struct ctx *ctx, int fd, struct listener *on)
{
	struct dgram *d;
	int n;

	for (unsigned batch = 0; batch < BATCHES_A_TURN; batch++) {
		n = udp_recv(ctx->rx, fd, &on->local, &d);
		if (n <= 0)
			return;		/* errors are what ICMP, perhaps forged, says: our timers judge */
		ctx->count.rx_datagrams += (unsigned)n;
		for (int i = 0; i < n; i++) {
			if (d[i].mark && !ipsec_knows_mark(ctx, d[i].mark))
				d[i].mark = 0;		/* a firewall's marks are not ours */
			if (d[i].len < 2 || (d[i].peer.encap == ENCAP_IP ? !is_v3(&d[i]) : !d[i].peer.port))
				ctx->count.rx_malformed++;
			else if (is_v3(&d[i]) && d[i].octets[0] & 0x80)
				v3_control(on, &d[i]);
			else if (is_v3(&d[i]))
				v3_data(ctx, &d[i]);
			else if (d[i].octets[0] & 0x80)
				control(on, &d[i]);
			else
				data(ctx, &d[i]);
		}
		if (n < UDP_BATCH)
			return;
	}
	ctx->loop.more = true;
}
