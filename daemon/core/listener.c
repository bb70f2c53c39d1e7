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

static void ask(struct listener *l, enum k_op op)
{
	struct k_request rq = { .op = op };

	memcpy(&rq.listen.local, &l->local, sizeof(rq.listen.local));
	l->id = kernel_submit(l->ctx, &rq);
	l->error = l->id ? 0 : -EPIPE;
}

static bool same_place(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port && a->scope == b->scope && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

struct listener *listener_get(struct ctx *ctx, const struct endpoint *local)
{
	struct listener *l = NULL;

	if (local->port)
		for (l = ctx->listeners; l && !same_place(&l->local, local); l = l->next)
			;
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return NULL;
		l->ctx = ctx;
		l->local = *local;
		l->fd = -1;
		l->next = ctx->listeners;
		ctx->listeners = l;
	}
	l->uses++;
	if ((l->fd < 0 || l->stale) && !l->id)
		ask(l, K_LISTEN);
	return l;
}

bool listener_adopt(struct ctx *ctx, const struct endpoint *local, int fd)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		return false;
	*l = (struct listener){ .next = ctx->listeners, .ctx = ctx, .local = *local, .fd = fd };
	ctx->listeners = l;
	io_start(&ctx->loop, &l->rx, fd, readable, l);
	return true;
}

void listeners_drop_unused(struct ctx *ctx)
{
	for (struct listener *l = ctx->listeners, *next; l; l = next) {
		next = l->next;
		if (l->uses++)			/* as listener_get and listener_put */
			l->uses--;
		else
			listener_put(l);
	}
}

void listener_put(struct listener *l)
{
	struct ctx *ctx;

	if (!l || --l->uses)
		return;
	ctx = l->ctx;
	for (struct listener **at = &ctx->listeners; *at; at = &(*at)->next)
		if (*at == l) {
			*at = l->next;
			break;
		}
	if (l->fd >= 0 || l->id) {		/* also when K_LISTEN is still under way: the keeper takes them in order */
		turn_close(ctx, &l->rx, &l->fd);
		ask(l, K_UNLISTEN);
	}
	free(l);
}

static void to_endpoint(struct endpoint *e, const struct addr *a)
{
	*e = (struct endpoint){ .family = a->family, .port = a->port, .scope = a->scope };
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
			to_endpoint(&e, &ctx->conf->listen[i].addr);
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

		to_endpoint(&e, &ctx->conf->listen[i].addr);
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

void listener_opened(struct ctx *ctx, const struct k_reply *r, int fd)
{
	struct listener *l;
	char where[96];

	for (l = ctx->listeners; l && l->id != r->id; l = l->next)
		;
	if (!l) {				/* nobody wants it any more: K_UNLISTEN is on its way */
		if (fd >= 0)
			close(fd);
		return;
	}
	l->id = 0;
	l->error = r->result;
	l->stale = false;
	turn_close(ctx, &l->rx, &l->fd);
	if (r->result) {
		log_line(&ctx->log, LOG_ERR, "listen %s: %s: %s", endpoint_port_text(&l->local, where, sizeof(where)), r->why,
			 strerror(-r->result));
		if (l->configured)			/* its address may come yet */
			timer_set(&ctx->loop, &ctx->listen_retry, ctx->loop.now + LISTEN_RETRY_MS);
	} else {
		if (!l->local.port)
			l->local.port = udp_port(fd);
		l->fd = fd;
		io_start(&ctx->loop, &l->rx, fd, readable, l);
		if (l->configured)
			say_open(l);
	}
	for (struct dial *d = ctx->dials, *next; d; d = next) {
		next = d->next;
		if (d->listener == l)
			dial_listener_ready(d);
	}
}

void listeners_orphaned(struct ctx *ctx)
{
	for (struct listener *l = ctx->listeners; l; l = l->next) {
		l->stale = l->fd >= 0;
		l->id = 0;
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
		io_close(&ctx->loop, &l->rx, &l->fd);
		free(l);
	}
}

/* Strangers */

static void half_open_expire(struct ctx *ctx)
{
	uint32_t ids[64];
	unsigned n;

	do {
		n = ho_expire(ctx->half_open, ctx->loop.now, ids, 64);
		for (unsigned i = 0; i < n; i++)
			ids_release(ctx->tunnel_ids, ids[i]);	/* in quarantine a flood's ids would soon be all there are */
	} while (n == 64);
}

static void half_open_due(struct timer *timer, void *arg)
{
	(void)timer;
	half_open_expire(arg);
	half_open_timer(arg);
}

void half_open_timer(struct ctx *ctx)
{
	if (!ctx->half_open_timer.due)
		timer_init(&ctx->half_open_timer, half_open_due, ctx);
	timer_set(&ctx->loop, &ctx->half_open_timer, ho_deadline(ctx->half_open));
}

static void ho_key(struct ho_addr *ret, const struct dgram *d)
{
	*ret = (struct ho_addr){ .family = d->peer.family, .peer_port = d->peer.port, .local_port = d->local.port,
				 .mark = d->mark, .ifindex = d->peer.scope };
	memcpy(ret->peer, d->peer.addr, sizeof(ret->peer));
	memcpy(ret->local, d->local.addr, sizeof(ret->local));
}

static void answer(struct listener *on, const struct dgram *d, const void *buf, size_t len)
{
	struct ctx *ctx = on->ctx;

	if (!len)
		return;
	ctx->count.tx_datagrams++;
	if (udp_send(d->mark ? ipsec_socket(ctx, d->mark) : on->fd, &d->local, &d->peer, 0, buf, len))
		ctx->count.send_errors++;
}

/* Both ends dialled at once (RFC 2661 4.4.3 Tie Breaker): may the peer's tunnel live beside ours? */
static bool tie_lost(struct ctx *ctx, const struct dgram *d, const struct l2tp_msg *m)
{
	for (struct dial *dial = ctx->dials; dial; dial = dial->next) {
		struct tunnel *t = dial->tunnel;
		enum cc_tie tie;

		if (!t || t->v != &version_2 || t->cc.state != CC_WAIT_CTL_REPLY || t->peer.port != d->peer.port ||
		    memcmp(t->peer.addr, d->peer.addr, sizeof(d->peer.addr)))
			continue;
		tie = cc_tie(&t->cc, m);
		if (tie == CC_TIE_OURS)
			return true;
		if (tie == CC_TIE_THEIRS || tie == CC_TIE_BOTH_DROP) {
			struct l2tp_cause cause = { .result = 2, .error = 0 };

			snprintf(cause.msg, sizeof(cause.msg), "tie breaker: the peer's tunnel stays");
			dial->yields = tie == CC_TIE_THEIRS;
			cc_abandon(&t->cc, ctx->loop.now, &cause);
			tunnel_drain(t);
			return tie == CC_TIE_BOTH_DROP;
		}
	}
	return false;
}

static void refuse(struct ctx *ctx, const struct dgram *d, const struct conf_peer *p, const char *why)
{
	struct peer_stat *stat = p ? peer_stat_get(ctx, p->name) : NULL;
	char where[96];

	if (stat) {
		stat->refused++;
		snprintf(stat->last_refusal, sizeof(stat->last_refusal), "%s: %s", endpoint_text(&d->peer, where, 64), why);
	}
	log_limited(&ctx->log, &ctx->limit[T_REFUSE], ctx->loop.now, LOG_NOTICE, "SCCRQ from %s%s%s refused: %s",
		    endpoint_port_text(&d->peer, where, sizeof(where)), p ? ", peer " : "", p ? p->name : "", why);
}

static bool no_more_tunnels(const struct ctx *ctx, const struct dgram *d, const struct conf_peer *p)
{
	return source_tunnels(ctx->sources, &d->peer) >= p->limits.tunnels ||
	       (ctx->conf->max_tunnels && ctx->n_tunnels >= ctx->conf->max_tunnels);
}

/* Is somebody with another mark served at this address and port?  It may be the same peer, with a new SA after a crash:
 * whoever is there is asked, and makes room if he is not. */
static bool mark_taken(struct ctx *ctx, const struct dgram *d)
{
	bool taken = false;

	for (struct tunnel *t = source_first(ctx->sources, &d->peer); t; t = t->same_source) {
		if (t->down || t->mark == d->mark || t->peer.port != d->peer.port ||
		    memcmp(t->peer.addr, d->peer.addr, sizeof(d->peer.addr)))
			continue;
		tunnel_probe(t);
		taken = true;
	}
	return taken;
}

static void sccrq(struct listener *on, const struct dgram *d, const struct l2tp_msg *m)
{
	struct ctx *ctx = on->ctx;
	struct addr from = { .family = d->peer.family };
	const struct conf_peer *p;
	struct ho_addr key;
	uint8_t reply[1024];
	char host[65];
	bool used = false;
	size_t len = 0;
	uint16_t id;
	int i;

	ctx->count.sccrq++;
	memcpy(from.a, d->peer.addr, sizeof(from.a));
	l2tp_clean(host, sizeof(host), m->host_name);
	i = config_match_peer(ctx->conf, &from, host);
	if (i < 0 || ctx->stopping) {
		ctx->count.sccrq_no_peer++;
		refuse(ctx, d, NULL, ctx->stopping ? "shutting down" : "no `peer` section matches");
		return;
	}
	p = &ctx->conf->peer[i];
	if (p->ipsec.required && !ipsec_guards(ctx, &d->local, &d->peer)) {
		ctx->count.sccrq_dropped++;
		refuse(ctx, d, p, "it demands IPsec, and this came without");
		return;
	}
	if (!source_admit(ctx->sources, ctx->loop.now, &d->peer, p->limits.setup_rate, p->limits.setup_burst)) {
		ctx->count.sccrq_rate_limited++;
		refuse(ctx, d, p, "setup-rate of this address is exceeded");
		return;
	}
	if (no_more_tunnels(ctx, d, p)) {
		ctx->count.sccrq_dropped++;
		refuse(ctx, d, p, "limit of tunnels");
		return;
	}
	if (d->mark && ctx->old_demux && mark_taken(ctx, d)) {
		ctx->count.sccrq_dropped++;
		refuse(ctx, d, p, "another peer behind its NAT has this address and port, and Linux before 6.11 cannot tell "
		       "their data apart");
		return;
	}
	if (tie_lost(ctx, d, m))
		return;
	if (!ctx->keeper_ready || on->stale) {
		ctx->count.sccrq_dropped++;
		refuse(ctx, d, p, "the kernel cannot be reached: no keeper");
		answer(on, d, reply, ho_refuse_sccrq(ctx->half_open, ctx->loop.now, m, d->len, L2TP_STOP_ERROR, L2TP_E_RESOURCES,
						     reply, sizeof(reply)));
		return;
	}
	if (ho_deadline(ctx->half_open) <= ctx->loop.now)
		half_open_expire(ctx);
	id = ids_pick(ctx->tunnel_ids, ctx->loop.now);
	if (!id) {
		ctx->count.sccrq_dropped++;
		return;
	}
	ho_key(&key, d);
	switch (ho_sccrq(ctx->half_open, ctx->loop.now, &key, m, d->len, &p->cc, (uint16_t)i, ctx->conf_gen,
			 p->limits.half_open, id, &used, reply, sizeof(reply), &len)) {
	case HO_REPLY:
		answer(on, d, reply, len);
		half_open_timer(ctx);
		break;
	case HO_LIMIT:
		ctx->count.sccrq_half_open_limited++;
		refuse(ctx, d, p, "half-open limit of this address");
		break;
	case HO_DROP: case HO_ACCEPTED: case HO_REFUSED: case HO_UNKNOWN:
		ctx->count.sccrq_dropped++;
		break;
	}
	if (used)
		(void)ids_claim(ctx->tunnel_ids, id);
}

/* The peer section of a half-open tunnel; matched anew if the configuration was reloaded meanwhile, and then not to be had
 * by who was not asked for the secret that it demands now. */
static const struct conf_peer *policy_of(const struct ctx *ctx, const struct dgram *d, const struct ho_entry *e)
{
	struct addr from = { .family = d->peer.family };
	int i = e->policy;

	if (e->policy_gen != ctx->conf_gen) {
		memcpy(from.a, d->peer.addr, sizeof(from.a));
		i = config_match_peer(ctx->conf, &from, e->host_name);
		if (i >= 0 && ctx->conf->peer[i].cc.secret.n && !e->challenged)
			i = -1;
	}
	if (i < 0 || (unsigned)i >= ctx->conf->n_peers ||
	    (ctx->conf->peer[i].ipsec.required && !ipsec_guards(ctx, &d->local, &d->peer)))
		return NULL;
	return &ctx->conf->peer[i];
}

/* A message to a half-open tunnel: only a valid SCCCN makes it one of ours. */
static void scccn(struct listener *on, const struct dgram *d, const struct ho_entry *e)
{
	struct ctx *ctx = on->ctx;
	const struct conf_peer *p;
	uint8_t scratch[L2TP_SCRATCH], reply[256];
	struct ho_entry entry;
	struct tunnel *t;
	struct l2tp_msg m;
	struct ho_addr key;
	size_t len = 0;

	p = policy_of(ctx, d, e);
	if (!p)
		return;				/* it expires */
	if (!l2tp_decode(&m, d->octets, d->len, p->cc.secret, scratch)) {
		ctx->count.rx_malformed++;
		return;
	}
	m.tunnel_id = e->tunnel_id;		/* it may have been 0 */
	ho_key(&key, d);
	switch (ho_scccn(ctx->half_open, ctx->loop.now, &key, &m, &p->cc, &entry, reply, sizeof(reply), &len)) {
	case HO_ACCEPTED:
		if (!no_more_tunnels(ctx, d, p)) {	/* several may have been half-open side by side */
			t = tunnel_accept(ctx, (uint16_t)entry.tunnel_id, on, d, p);
			if (t) {
				v2_accept(t, d, &entry);
				break;
			}
			len = ho_stopccn(&entry, L2TP_STOP_ERROR, L2TP_E_RESOURCES, "out of memory", reply, sizeof(reply));
			answer(on, d, reply, len);
			break;
		}
		refuse(ctx, d, p, "limit of tunnels");
		len = ho_stopccn(&entry, L2TP_STOP_ERROR, L2TP_E_RESOURCES, "limit of tunnels", reply, sizeof(reply));
		answer(on, d, reply, len);
		id_rests(ctx, STORE_TUNNEL, entry.tunnel_id, true);
		break;
	case HO_REFUSED:
		ctx->count.auth_tunnel_failed++;
		refuse(ctx, d, p, "tunnel authentication failed (wrong or missing Challenge Response: is the secret the same?)");
		answer(on, d, reply, len);
		id_rests(ctx, STORE_TUNNEL, entry.tunnel_id, true);
		break;
	case HO_DROP: case HO_REPLY: case HO_LIMIT: case HO_UNKNOWN:
		break;
	}
	half_open_timer(ctx);
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
	ho_key(&key, d);
	e = t ? NULL : ho_find_only(on->ctx->half_open, &key);
	p = e ? policy_of(on->ctx, d, e) : NULL;
	if (p && p->cc.id_0)
		scccn(on, d, e);
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
	if (id && ctx->tunnel[id]) {
		tunnel_input(ctx->tunnel[id], d);
		return;
	}
	if (id) {
		e = ho_find(ctx->half_open, id);
		if (e)
			scccn(on, d, e);
		else
			ctx->count.rx_unknown_tunnel++;
		return;
	}
	if (!l2tp_decode(&m, d->octets, d->len, (struct span){ NULL, 0 }, NULL)) {
		ctx->count.rx_malformed++;
		return;
	}
	if (m.type == L2TP_SCCRQ && on->configured)
		sccrq(on, d, &m);
	else if (m.type == L2TP_SCCRQ || !id_0(on, d))
		ctx->count.rx_unknown_tunnel++;
}

static void data(struct ctx *ctx, const struct dgram *d)
{
	struct l2tp_data h;
	struct session *s;
	struct tunnel *t;

	if (!l2tp_data_decode(&h, d->octets, d->len)) {
		ctx->count.rx_malformed++;
		return;
	}
	s = ctx->session[h.session_id];
	if (!s || s->tunnel->id != h.tunnel_id) {
		ctx->count.rx_unknown_session++;
		return;
	}
	t = s->tunnel;
	if ((t->peer.port != d->peer.port && t->data_port != d->peer.port) || t->mark != d->mark ||
	    t->peer.family != d->peer.family || memcmp(t->peer.addr, d->peer.addr, sizeof(t->peer.addr))) {
		ctx->count.rx_wrong_source++;
		return;
	}
	session_frame(s, h.proto, h.info.p, h.info.n);
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
			if (!d[i].len || !d[i].peer.port)
				ctx->count.rx_malformed++;
			else if (d[i].octets[0] & 0x80)
				control(on, &d[i]);
			else
				data(ctx, &d[i]);
		}
		if (n < UDP_BATCH)
			return;
	}
}
