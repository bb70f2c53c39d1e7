/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipsec_guard.h"

#include <stdlib.h>
#include <string.h>

#include "core/dial.h"
#include "core/ipsec.h"
#include "core/tunnel.h"

/* Where callers come from, longest prefix first, and whether they need IPsec. */
struct origin { struct addr from; bool required; };
struct origins { struct origin *at; unsigned n, room; bool oom; };

struct builder { struct guard *g; bool full; };

static unsigned full_bits(uint8_t family)
{
	return family == 6 ? 128 : 32;
}

static bool is_any(const uint8_t a[16])
{
	static const uint8_t zero[16];

	return !memcmp(a, zero, sizeof(zero));
}

static bool fits(const struct k_addr *net, unsigned bits, const struct endpoint *a)
{
	if (net->family != a->family || memcmp(net->addr, a->addr, bits / 8))
		return false;
	return bits % 8 == 0 || !((net->addr[bits / 8] ^ a->addr[bits / 8]) >> (8 - bits % 8));
}

bool guard_holds(const struct guard *g, const struct endpoint *local, const struct endpoint *peer)
{
	for (unsigned i = 0; i < g->n; i++) {
		const struct k_guard *r = &g->rule[i];

		if (r->net)
			continue;
		if ((!r->local.port || r->local.port == local->port) && fits(&r->local, r->local_bits, local) &&
		    fits(&r->peer, r->peer_bits, peer))
			return !r->pass;
	}
	return false;
}

static void add(struct builder *b, const struct k_guard *rule, bool first)
{
	struct guard *g = b->g;

	for (unsigned i = 0; i < g->n; i++)
		if (!memcmp(&g->rule[i], rule, sizeof(*rule)))
			return;
	if (g->n == K_MAX_GUARDS) {
		b->full = true;
		return;
	}
	if (first)
		memmove(g->rule + 1, g->rule, g->n * sizeof(*rule));
	g->rule[first ? 0 : g->n] = *rule;
	g->n++;
}

/* Between two addresses; our port. */
static void add_pair(struct builder *b, const struct endpoint *local, const struct endpoint *peer, bool pass, bool first)
{
	struct k_guard r;

	memset(&r, 0, sizeof(r));		/* rules are compared whole */
	r.local.family = r.peer.family = local->family;
	r.local.port = local->port;
	memcpy(r.local.addr, local->addr, sizeof(r.local.addr));
	memcpy(r.peer.addr, peer->addr, sizeof(r.peer.addr));
	r.local_bits = is_any(local->addr) ? 0 : (uint8_t)full_bits(local->family);
	r.peer_bits = (uint8_t)full_bits(peer->family);
	r.pass = pass;
	add(b, &r, first);
}

static void add_origin(struct origins *o, const struct addr *from, bool required)
{
	if (o->n == o->room) {
		struct origin *more = reallocarray(o->at, o->room * 2 + 16, sizeof(*more));

		if (!more) {
			o->oom = true;
			return;
		}
		o->at = more;
		o->room = o->room * 2 + 16;
	}
	o->at[o->n++] = (struct origin){ *from, required };
}

static int by_length(const void *a, const void *b)
{
	const struct origin *x = a, *y = b;

	if (x->from.prefix_len != y->from.prefix_len)
		return x->from.prefix_len > y->from.prefix_len ? -1 : 1;
	return (int)y->required - (int)x->required;
}

static void collect(struct origins *o, const struct config *c)
{
	for (unsigned i = 0; i < c->n_peers; i++) {
		const struct conf_peer *p = &c->peer[i];
		bool required = p->ipsec.required;

		if (is_site(&p->ipsec))
			continue;
		if (p->address.family)
			add_origin(o, &p->address, required);
		for (unsigned j = 0; j < p->n_resolved; j++) {
			struct addr one = p->resolved[j];

			one.prefix_len = (uint8_t)full_bits(one.family);
			add_origin(o, &one, required);
		}
		if (!p->address.family && !p->remote_name) {
			add_origin(o, &(struct addr){ .family = 4 }, required);
			add_origin(o, &(struct addr){ .family = 6 }, required);
		}
	}
	if (o->n)
		qsort(o->at, o->n, sizeof(*o->at), by_length);
}

/* An exception is a rule only where there is something to be excepted from. */
static bool matters(const struct origins *o, unsigned i)
{
	struct endpoint e = { .family = o->at[i].from.family };

	if (o->at[i].required)
		return true;
	memcpy(e.addr, o->at[i].from.a, sizeof(e.addr));
	for (unsigned j = i + 1; j < o->n; j++) {
		struct k_addr net = { .family = o->at[j].from.family };

		memcpy(net.addr, o->at[j].from.a, sizeof(net.addr));
		if (o->at[j].required && fits(&net, o->at[j].from.prefix_len, &e))
			return true;
	}
	return false;
}

static void add_listeners(struct builder *b, const struct config *c, const struct origins *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		const struct addr *from = &o->at[i].from;

		for (unsigned j = 0; j < c->n_listens && matters(o, i); j++) {
			const struct addr *on = &c->listen[j].addr;
			struct k_guard r;

			if (on->family != from->family)
				continue;
			memset(&r, 0, sizeof(r));
			r.local.family = r.peer.family = on->family;
			r.local.port = on->port;
			memcpy(r.local.addr, on->a, sizeof(r.local.addr));
			memcpy(r.peer.addr, from->a, sizeof(r.peer.addr));
			r.local_bits = is_any(on->a) ? 0 : (uint8_t)full_bits(on->family);
			r.peer_bits = from->prefix_len;
			r.pass = !o->at[i].required;
			add(b, &r, false);
		}
	}
}

static void add_networks(struct builder *b, const struct conf_ipsec *p, uint16_t mtu)
{
	const char *ours = is_site(p) ? p->local_networks : NULL, *theirs;
	struct addr local, peer;
	struct k_guard r;

	while (conf_next_network(&ours, &local))
		for (theirs = p->networks; conf_next_network(&theirs, &peer);) {
			if (local.family != peer.family)
				continue;
			memset(&r, 0, sizeof(r));
			r.local.family = r.peer.family = local.family;
			memcpy(r.local.addr, local.a, sizeof(r.local.addr));
			memcpy(r.peer.addr, peer.a, sizeof(r.peer.addr));
			r.local_bits = local.prefix_len;
			r.peer_bits = peer.prefix_len;
			r.net = true;
			r.mtu = mtu;
			add(b, &r, false);
		}
}

/* In front: what is between networks is in order, whatever else is too much. */
static void add_sites(struct builder *b, const struct ctx *ctx)
{
	const struct config *c = ctx->conf;

	for (unsigned i = 0; i < c->n_peers; i++)
		add_networks(b, &c->peer[i].ipsec, ipsec_site_mtu(ctx, false, c->peer[i].name));
	for (unsigned i = 0; i < c->n_tunnels; i++)
		add_networks(b, &c->tunnel[i].ipsec, ipsec_site_mtu(ctx, true, c->tunnel[i].name));
}

static void add_port(struct builder *b, uint8_t family, uint16_t port)
{
	struct k_guard r;

	memset(&r, 0, sizeof(r));
	r.local.family = r.peer.family = family;
	r.local.port = port;
	add(b, &r, false);
}

/* Too many for the kernel's list: nobody at all without IPsec, at any of our ports that somebody with IPsec has. */
static void close_all(struct builder *b, const struct ctx *ctx)
{
	const struct config *c = ctx->conf;

	b->g->n = 0;
	b->full = false;
	add_sites(b, ctx);
	for (unsigned j = 0; j < c->n_listens; j++)
		add_port(b, c->listen[j].addr.family, c->listen[j].addr.port);
	for (const struct dial *d = ctx->dials; d; d = d->next)
		if (d->as->ipsec.required && !is_site(&d->as->ipsec) && d->local.family)
			add_port(b, d->local.family, d->local.port);
	for (unsigned id = 1; id < MAX_ID && ctx->n_tunnels; id++)
		if (ctx->tunnel[id] && tunnel_protected(ctx->tunnel[id]))
			add_port(b, ctx->tunnel[id]->local.family, ctx->tunnel[id]->local.port);
	b->g->closed = true;
	b->g->open = b->full;
}

static bool on_listener(const struct config *c, const struct endpoint *local)
{
	for (unsigned i = 0; i < c->n_listens; i++)
		if (c->listen[i].addr.port == local->port && c->listen[i].addr.family == local->family)
			return true;
	return false;
}

bool guard_build(struct guard *g, const struct ctx *ctx)
{
	const struct guard was = *g;
	struct origins o = { NULL, 0, 0, false };
	struct builder b = { g, false };

	memset(g, 0, sizeof(*g));
	add_sites(&b, ctx);
	for (const struct dial *d = ctx->dials; d; d = d->next) {
		bool required = d->as->ipsec.required;

		if (is_site(&d->as->ipsec))
			continue;

		if (d->peer.family && d->local.family && (d->wanted || d->tunnel) &&
		    (required || on_listener(ctx->conf, &d->local)))
			add_pair(&b, &d->local, &d->peer, !required, required);
	}
	collect(&o, ctx->conf);
	add_listeners(&b, ctx->conf, &o);
	/* Those that the configuration has no word of any more still have theirs to say, under IPsec. */
	for (unsigned id = 1; id < MAX_ID && ctx->n_tunnels; id++) {
		const struct tunnel *t = ctx->tunnel[id];

		if (t && tunnel_protected(t) && !guard_holds(g, &t->local, &t->peer))
			add_pair(&b, &t->local, &t->peer, false, true);
	}
	if (b.full || o.oom)
		close_all(&b, ctx);
	free(o.at);
	return g->n != was.n || memcmp(g->rule, was.rule, g->n * sizeof(g->rule[0]));
}
