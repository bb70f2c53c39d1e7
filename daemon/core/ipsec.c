/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipsec_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_int.h"
#include "core/kernel.h"
#include "core/tunnel.h"

struct ipsec *ipsec_new(struct ctx *ctx)
{
	struct ipsec *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ctx = ctx;
	p->fd[0] = p->fd[1] = -1;
	return p;
}

static void part_clear(struct part *part)
{
	if (part->msg)
		explicit_bzero(part->msg, part->len);
	free(part->msg);
	*part = (struct part){ NULL, 0, 0, false };
}

static void conn_free(struct ipsec *p, struct conn *c)
{
	if (c->hh.tbl)
		HASH_DEL(p->conns, c);
	for (unsigned i = 0; i < PARTS; i++)
		part_clear(&c->part[i]);
	free(c);
}

void ipsec_free(struct ipsec *p)
{
	if (!p)
		return;
	ipsec_show_free(p);
	if (p->started) {
		ipsec_close(p);
		timer_stop(&p->ctx->loop, &p->timer);
		vici_done(&p->v);
	}
	while (p->conns)
		conn_free(p, p->conns);
	for (struct sa *s; (s = p->sas); ipsec_sa_free(s))
		p->sas = s->next;
	free(p->gone);
	free(p);
}

struct conn *ipsec_conn_find(const struct ipsec *p, const char *name)
{
	struct conn *c;

	HASH_FIND_STR(p->conns, name, c);
	return c;
}

/* An SA of this attempt. */
static bool has_new(const struct ipsec *p, const char *name, const struct endpoint *peer)
{
	const struct sa *s = p->sas;

	while (s && (s->ending || strcmp(s->conn, name) || !ipsec_same_host(&s->peer, peer)))
		s = s->next;
	return s;
}

/* One of an earlier attempt. */
static bool has_old(const struct ipsec *p, const char *name)
{
	const struct sa *s = p->sas;

	while (s && (!s->ending || strcmp(s->conn, name)))
		s = s->next;
	return s;
}

bool ipsec_dial_protected(const struct dial *d)
{
	const struct ipsec *p = d->ctx->ipsec;
	char name[IPSEC_NAME];

	return p->guarded && p->v.state == VICI_READY && has_new(p, ipsec_name(name, true, d->as->name), &d->peer);
}

/* What is to be had now that was not before: loads what is not loaded, dials what is protected. */
void ipsec_step(struct ipsec *p)
{
	struct ctx *ctx = p->ctx;

	if (!p->started)
		return;
	for (struct conn *c = p->conns; c && p->v.state == VICI_READY; c = c->hh.next)
		ipsec_load(p, c);
	for (struct dial *d = ctx->dials, *next; d; d = next) {
		char name[IPSEC_NAME];
		struct conn *c;

		next = d->next;
		c = d->protecting ? ipsec_conn_find(p, ipsec_name(name, true, d->as->name)) : NULL;
		if (c && c->refused) {
			dial_unprotected(d, c->why);
			continue;
		}
		if (!c || !p->guarded || p->v.state != VICI_READY || p->list_id || p->unlisted || !conn_loaded(c))
			continue;
		if (has_new(p, c->name, &d->peer)) {
			dial_protected(d);
		} else if (has_old(p, c->name) && !c->ending) {
			c->ending = true;
			ipsec_terminate(p, c->name, false);
			ipsec_list(p, c->name);		/* one that went unheard of is not waited for */
		} else if (!has_old(p, c->name) && !c->initiated) {
			ipsec_initiate(p, c);
		}
	}
	ipsec_pump(p);
}
/* What should be */

static void make(struct wr *w, unsigned which, const struct ipsec_desc *desc)
{
	if (which == PART_CONN)
		ipsec_load_conn(w, desc);
	else if (which != PART_SECRET)
		ipsec_load_cert(w, desc, which - PART_CERT);
	else if (desc->conf->certificate)
		ipsec_load_key(w, desc);
	else
		ipsec_load_shared(w, desc);
}

/* In IKEv2 charon lets in whoever knows one of the psks that fit his identity. */
static void warn_of_psks(struct ctx *ctx, const struct ipsec_desc *desc)
{
	const struct config *c = ctx->conf;

	for (unsigned i = 0; i < c->n_peers + c->n_tunnels; i++) {
		const struct conf_tunnel *t = i < c->n_peers ? NULL : &c->tunnel[i - c->n_peers];
		const struct conf_ipsec *o = t ? &t->ipsec : &c->peer[i].ipsec;

		if (desc->dial || !desc->conf->psk || !desc->conf->remote_id || desc->conf->ike == 1 || !o->required || !o->psk ||
		    o->remote_id || !strcmp(o->psk, desc->conf->psk))
			continue;
		log_line(&ctx->log, LOG_WARNING, "%s: who knows the psk of %s %s, which has no remote-id, may call himself %s, "
			 "too; a certificate keeps them apart", desc->name, t ? "tunnel" : "peer", t ? t->name : c->peer[i].name,
			 desc->conf->remote_id);
		break;
	}
}

/* p->conns has this one, marked; loaded anew when it changed. */
static void want(struct ipsec *p, const struct ipsec_desc *desc)
{
	uint8_t *buf = malloc(IPSEC_MESSAGE_MAX);
	struct conn *c = ipsec_conn_find(p, desc->name);

	if (!buf)
		return;
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			goto out;
		snprintf(c->name, sizeof(c->name), "%s", desc->name);
		HASH_ADD_STR(p->conns, name, c);
		if (!c->hh.tbl) {		/* HASH_NONFATAL_OOM: it was not added */
			conn_free(p, c);
			goto out;
		}
		if (!strcmp(desc->conf->proposals, "legacy"))
			log_line(&p->ctx->log, LOG_WARNING, "%s: proposals = legacy takes what can be broken "
				 "(3DES, SHA-1, modp1024)", c->name);
		warn_of_psks(p->ctx, desc);
	}
	c->keep = true;
	c->dial = desc->dial;
	if (c->part[PART_SECRET].msg && c->pubkey != !!desc->conf->certificate)
		ipsec_unload_secret(p, c);		/* charon would take it from others still */
	c->pubkey = desc->conf->certificate;
	c->site = is_site(desc->conf);
	c->port = c->site ? 0 : desc->port[0];
	for (unsigned i = 0; i < PARTS; i++) {
		struct wr w = wr_init(buf, IPSEC_MESSAGE_MAX);
		struct part *part = &c->part[i];
		size_t len;

		make(&w, i, desc);
		len = wr_len(&w);
		if (w.bad || (len == part->len && !memcmp(buf, part->msg ? part->msg : buf, len)))
			continue;
		if (i == PART_SECRET && c->pubkey && c->key_id[0])
			ipsec_unload_secret(p, c);
		if (i == PART_CONN && part->loaded && (c->dial || c->site))
			ipsec_terminate(p, c->name, c->site && !c->dial);	/* made by what was */
		part_clear(part);
		part->msg = len ? malloc(len) : NULL;
		part->len = part->msg ? len : 0;
		if (part->msg)
			memcpy(part->msg, buf, len);
		c->refused = false;
		c->why[0] = '\0';
	}
out:
	explicit_bzero(buf, IPSEC_MESSAGE_MAX);
	free(buf);
}

/* Has another peer's connection all that this one's would have, for the same addresses? */
static bool served_by_site(const struct config *conf, const struct conf_peer *peer)
{
	for (unsigned i = 0; i < conf->n_peers; i++) {
		const struct conf_peer *o = &conf->peer[i];

		if (is_site(&o->ipsec) && peer->address.family && !memcmp(&o->address, &peer->address, sizeof(o->address)) &&
		    ipsec_beside(conf, o) == peer)
			return true;
	}
	return false;
}

static void want_peer(struct ipsec *p, const struct conf_peer *peer)
{
	const struct config *conf = p->ctx->conf;
	const struct conf_peer *beside = is_site(&peer->ipsec) ? ipsec_beside(conf, peer) : NULL;
	char name[IPSEC_NAME], remote[64];
	struct ipsec_desc d = { .name = ipsec_name(name, false, peer->name), .conf = &peer->ipsec,
				.l2tp = beside ? &beside->ipsec : NULL };

	if (!is_site(&peer->ipsec) && served_by_site(conf, peer))
		return;

	if (peer->address.family)
		d.remote = conf_addr_str(&peer->address, remote, sizeof(remote));
	else if (peer->remote_name)
		d.remote = peer->remote_name;		/* charon resolves, too */
	for (unsigned i = 0; i < conf->n_listens && (d.l2tp || !is_site(d.conf)); i++) {
		unsigned j = 0;

		while (j < d.n_ports && d.port[j] != conf->listen[i].addr.port)
			j++;
		if (j == d.n_ports && j < IPSEC_MAX_PORTS)
			d.port[d.n_ports++] = conf->listen[i].addr.port;
	}
	want(p, &d);
}

static void want_dial(struct ipsec *p, const struct dial *dial)
{
	char name[IPSEC_NAME], local[64], remote[64];
	struct ipsec_desc d = { .name = ipsec_name(name, true, dial->as->name), .conf = &dial->as->ipsec, .dial = true,
				.port = { dial->local.port }, .n_ports = !is_site(&dial->as->ipsec),
				.remote_port = dial->peer.port };

	d.local = endpoint_text(&dial->local, local, sizeof(local));
	d.remote = endpoint_text(&dial->peer, remote, sizeof(remote));
	want(p, &d);
}

static void guard_done(struct ctx *ctx, void *arg, const struct k_reply *r)
{
	struct ipsec *p = arg;

	(void)ctx;
	p->asking = false;
	if (!r)
		return;				/* no keeper: the next one will be asked */
	/* a kernel without IPsec is no hindrance to none */
	p->guarded = p->held_ok = (!r->result && !p->guard.open) || !p->guard.n;
	if (p->guard.closed && !p->held.closed)
		log_line(&p->ctx->log, LOG_WARNING, "more than %d addresses or prefixes differ in whether they need IPsec, or are "
			 "dialled with it: at our ports nobody is served without IPsec", K_MAX_GUARDS);
	p->held = p->guard;
	if ((r->result || p->guard.open) && p->guard.n)
		log_line(&p->ctx->log, LOG_ERR, "the kernel does not keep out what comes without IPsec, so "
			 "whoever needs IPsec is not served: %s", r->result ? r->why : "too many ports of ours");
	if (p->guard.stale)
		ipsec_refresh(p->ctx);
	else
		ipsec_step(p);
}

/* Has the kernel keep what p->guard says. */
static void guard(struct ipsec *p)
{
	struct k_request *rq;

	if (p->asking) {
		p->guard.stale = true;		/* when it has answered */
		return;
	}
	if (!guard_build(&p->guard, p->ctx) && p->guarded)
		return;
	p->guarded = false;
	rq = calloc(1, sizeof(*rq));
	if (!rq)
		return;
	rq->op = K_GUARD;
	rq->guard.n = p->guard.n;
	rq->guard.more = !p->settled;
	memcpy(rq->guard.rule, p->guard.rule, p->guard.n * sizeof(rq->guard.rule[0]));
	p->asking = kernel_ask(p->ctx, rq, guard_done, p);
	free(rq);
}

void ipsec_refresh(struct ctx *ctx)
{
	struct ipsec *p = ctx->ipsec;
	bool needed = false;

	if (p->stopping)
		return;				/* the guard stays: the keeper ends it */
	for (struct conn *c = p->conns; c; c = c->hh.next)
		c->keep = false;
	for (unsigned i = 0; i < ctx->conf->n_peers; i++) {
		if (!ctx->conf->peer[i].ipsec.required)
			continue;
		want_peer(p, &ctx->conf->peer[i]);
		needed = true;
	}
	for (const struct dial *d = ctx->dials; d; d = d->next)
		needed |= d->as->ipsec.required;
	for (struct conn *c = p->conns; c; c = c->hh.next)
		c->keep |= c->dial;			/* these end with ipsec_dial_ended() */
	guard(p);
	if (!needed && !p->started)
		return;
	if (!p->started)
		ipsec_start(p);
	for (struct conn *c = p->conns, *next; c; c = next) {
		next = c->hh.next;
		if (c->keep)
			continue;
		ipsec_unload(p, c, c->site && !c->dial);
		conn_free(p, c);
	}
	ipsec_step(p);
}

void ipsec_settled(struct ctx *ctx)
{
	ctx->ipsec->settled = true;
	ctx->ipsec->guarded = false;			/* so that it is sent again */
	ipsec_refresh(ctx);
}

/* Else they are for the next time: charon is slow, or there are thousands. */
static bool room_for(const struct ipsec *p, unsigned requests)
{
	return p->v.state != VICI_READY || p->v.n_queue + requests <= VICI_QUEUE_MAX;
}

static void tell(struct ipsec *p, const char *conn)
{
	for (struct sa *s = p->sas; s; s = s->next)
		s->told |= !strcmp(s->conn, conn);
}

bool ipsec_stopped(struct ctx *ctx)
{
	struct ipsec *p = ctx->ipsec;

	p->stopping = true;
	if (!p->started)
		return true;
	if (p->v.state != VICI_READY)
		ipsec_sas_drop(p);
	for (struct conn *c; (c = p->conns) && room_for(p, 3); conn_free(p, c)) {
		ipsec_unload(p, c, false);
		tell(p, c->name);
	}
	for (const struct sa *s = p->sas; s; s = s->next)	/* also one that came up just now */
		if (!s->told && !ipsec_conn_find(p, s->conn) && room_for(p, 1)) {
			ipsec_terminate(p, s->conn, false);
			tell(p, s->conn);
		}
	ipsec_pump(p);
	return p->v.state != VICI_READY || !p->v.n_queue;
}

void ipsec_keeper_lost(struct ctx *ctx)
{
	ctx->ipsec->guarded = ctx->ipsec->held_ok = false;
	for (struct sa *s = ctx->ipsec->sas; s; s = s->next)
		s->asked = 0;
}

bool ipsec_guards(const struct ctx *ctx, const struct endpoint *local, const struct endpoint *peer)
{
	const struct ipsec *p = ctx->ipsec;

	return p->held_ok && guard_holds(&p->held, local, peer) && guard_holds(&p->guard, local, peer);
}

bool ipsec_guarding(const struct ctx *ctx)
{
	return ctx->ipsec->guard.n;
}

void ipsec_dial(struct dial *d)
{
	struct ipsec *p = d->ctx->ipsec;
	char name[IPSEC_NAME];
	struct conn *c;

	d->protecting = true;
	want_dial(p, d);
	c = ipsec_conn_find(p, ipsec_name(name, true, d->as->name));
	if (c) {
		c->initiated = c->ending = c->refused = false;
		c->why[0] = '\0';
	}
	/* It comes back as a whole: an SA that an earlier attempt used may be known to us alone.  Without L2TP an SA is all that
	 * there is; an earlier ktund's is as good as ours. */
	for (struct sa *s = p->sas; s && c && !c->site; s = s->next)
		s->ending |= !strcmp(s->conn, c->name);
	ipsec_refresh(d->ctx);
}

void ipsec_dial_failed(struct dial *d)
{
	struct ipsec *p = d->ctx->ipsec;
	char name[IPSEC_NAME];

	if (p->v.state != VICI_READY)
		return;
	ipsec_terminate(p, ipsec_name(name, true, d->as->name), false);
	ipsec_pump(p);
}

void ipsec_dial_adopted(struct dial *d)
{
	want_dial(d->ctx->ipsec, d);
}

void ipsec_dial_ended(struct ctx *ctx, const char *tunnel)
{
	const struct dial *d = dial_find(ctx, tunnel);
	struct ipsec *p = ctx->ipsec;
	char name[IPSEC_NAME];
	struct conn *c;

	if (d && d->wanted)
		return;
	for (unsigned id = 1; id < MAX_ID; id++)
		if (ctx->tunnel[id] && ctx->tunnel[id]->as && !strcmp(ctx->tunnel[id]->as->name, tunnel))
			return;				/* it still says good-bye */
	c = ipsec_conn_find(p, ipsec_name(name, true, tunnel));
	if (c) {
		ipsec_unload(p, c, false);
		conn_free(p, c);
	}
	for (struct sa *s = p->sas; s; s = s->next)
		s->ending |= !strcmp(s->conn, name);
	ipsec_refresh(ctx);
}

const char *ipsec_dial_waits(struct dial *d)
{
	struct ipsec *p = d->ctx->ipsec;
	char name[IPSEC_NAME];
	struct conn *c = ipsec_conn_find(p, ipsec_name(name, true, d->as->name));

	if (!p->guarded)
		return "IPsec: the kernel does not keep out what comes without it";
	if (p->v.state != VICI_READY)
		return "IPsec: no charon";
	if (p->unlisted)
		return "IPsec: charon has not said which SAs it has";
	if (d->lingers)
		return "IPsec: its SA is gone again";
	return c && c->why[0] ? c->why : "IPsec: no answer from the peer";
}
