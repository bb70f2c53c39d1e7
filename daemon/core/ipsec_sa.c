/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipsec_int.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/kernel.h"
#include "core/listener.h"
#include "core/policy.h"
#include "core/tunnel.h"
#include "core/turn.h"

bool ipsec_same_host(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

void ipsec_sa_free(struct sa *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

bool ipsec_knows_mark(const struct ctx *ctx, uint32_t mark)
{
	const struct sa *s = ctx->ipsec->sas;

	while (s && s->mark != mark)
		s = s->next;
	return s;
}

bool ipsec_proved(const struct ctx *ctx, uint32_t mark, const struct conf_peer *peer)
{
	const struct config *c = ctx->conf;
	char name[IPSEC_NAME];

	for (const struct sa *s = ctx->ipsec->sas; s; s = s->next)
		for (unsigned i = 0; i < c->n_peers && s->mark == mark; i++)
			if (c->peer[i].ipsec.required && !strcmp(ipsec_name(name, false, c->peer[i].name), s->conn) &&
			    (&c->peer[i] == peer || ipsec_same_proof(&c->peer[i].ipsec, &peer->ipsec)))
				return true;
	return !mark;
}

int ipsec_socket(const struct ctx *ctx, uint32_t mark)
{
	for (const struct sa *s = ctx->ipsec->sas; s; s = s->next)
		if (s->mark == mark && s->fd >= 0)
			return s->fd;
	return -1;
}

/* Of those that we dial to one host each has its own. */
static bool protects(const struct sa *s, const struct tunnel *t)
{
	char mine[IPSEC_NAME];

	return !s->site && tunnel_protected(t) && ipsec_same_host(&t->peer, &s->peer) && t->mark == s->mark &&
	       (!t->as || !strcmp(ipsec_name(mine, true, t->as->name), s->conn));
}

/* charon does not say on which link an address of fe80::/10 is. */
const struct tunnel *ipsec_next_from(const struct ctx *ctx, const struct endpoint *peer, const struct tunnel *t)
{
	if (peer->family != 6 || peer->addr[0] != 0xfe || (peer->addr[1] & 0xc0) != 0x80)
		return t ? t->same_source : source_first(ctx->sources, peer);
	for (unsigned id = t ? t->id + 1u : 1; id < MAX_ID; id++)
		if (ctx->tunnel[id] && ipsec_same_host(&ctx->tunnel[id]->peer, peer))
			return ctx->tunnel[id];
	return NULL;
}

/* Any tunnel at all?  charon may say thousands of SAs a second, and to look through all tunnels for each takes its time. */
static bool protects_any(const struct ctx *ctx, const struct sa *s)
{
	const struct tunnel *t = ipsec_next_from(ctx, &s->peer, NULL);

	while (t && !protects(s, t))
		t = ipsec_next_from(ctx, &s->peer, t);
	return t;
}

bool ipsec_esp(const struct tunnel *t, struct esp *ret)
{
	if (!tunnel_protected(t))
		return false;
	*ret = path_esp("", "", true);		/* the worst, where it is not known */
	for (const struct sa *s = t->ctx->ipsec->sas; s; s = s->next)
		if (protects(s, t)) {
			*ret = s->esp;
			break;
		}
	return true;
}

uint16_t ipsec_site_mtu(const struct ctx *ctx, bool dialled, const char *name)
{
	char conn[IPSEC_NAME];
	unsigned mtu = 0, room;

	ipsec_name(conn, dialled, name);
	for (const struct sa *s = ctx->ipsec ? ctx->ipsec->sas : NULL; s; s = s->next) {
		if (!s->site || strcmp(s->conn, conn))
			continue;
		room = path_room(udp_path_mtu(&s->local, &s->peer), s->peer.family, &s->esp, 0);
		if (room >= K_MIN_MTU && room <= UINT16_MAX && (!mtu || room < mtu))
			mtu = room;
	}
	return (uint16_t)mtu;
}

void ipsec_marked(struct ctx *ctx, const struct k_reply *r, int fd)
{
	struct sa *s;

	for (s = ctx->ipsec->sas; s && s->asked != r->id; s = s->next)
		;
	if (r->result)
		log_limited(&ctx->log, &ctx->limit[T_IPSEC], ctx->loop.now, LOG_ERR, "no socket for a peer with IPsec: %s", r->why);
	if (s) {
		s->asked = 0;
		s->fd = fd;
	} else if (fd >= 0) {
		close(fd);
	}
}

/* A socket beside the listener that it will speak to. */
static void ask_socket(struct ipsec *p, struct sa *s)
{
	const struct endpoint *local = &s->local;
	static const uint8_t any[16];
	struct k_request rq;

	kernel_request(&rq, K_MARKED, 0, 0);
	for (const struct listener *l = p->ctx->listeners; l && s->mark; l = l->next) {
		if (!l->configured || l->local.family != local->family || l->local.port != s->port ||
		    (memcmp(l->local.addr, local->addr, sizeof(any)) && memcmp(l->local.addr, any, sizeof(any))))
			continue;
		memcpy(&rq.marked.local, &l->local, sizeof(rq.marked.local));
		rq.marked.mark = s->mark;
		s->asked = kernel_submit(p->ctx, &rq);
		return;
	}
}

void ipsec_ask_sockets(struct ctx *ctx)
{
	for (struct sa *s = ctx->ipsec->sas; s; s = s->next)
		if (s->fd < 0 && !s->asked)
			ask_socket(ctx->ipsec, s);
}

void ipsec_join(struct tunnel *t)
{
	for (const struct sa *s = t->ctx->ipsec->sas; s; s = s->next)
		if (protects(s, t)) {
			t->reqid = s->reqid;
			return;			/* the newest */
		}
}

/* Has the kernel delete what a charon of before left there, but not what this one has made since. */
static void drop(struct ipsec *p, const struct endpoint *local, const struct endpoint *peer, uint32_t reqid, uint64_t before)
{
	struct k_request rq;

	kernel_request(&rq, K_SA_DROP, 0, 0);
	memcpy(&rq.sa.local, local, sizeof(rq.sa.local));
	memcpy(&rq.sa.peer, peer, sizeof(rq.sa.peer));
	rq.sa.local.port = rq.sa.peer.port = 0;
	rq.sa.local.scope = rq.sa.peer.scope = 0;
	rq.sa.reqid = reqid;
	rq.sa.before = before;
	for (const struct sa *s = p->sas; s; s = s->next)
		if (s->reqid == reqid && s->seen && ipsec_same_host(&s->peer, peer)) {
			rq.sa.keep_in = s->spi_in;
			rq.sa.keep_out = s->spi_out;
		}
	if (reqid)
		(void)kernel_submit(p->ctx, &rq);
}

void ipsec_sas_drop(struct ipsec *p)
{
	for (struct sa *s; (s = p->sas); ipsec_sa_free(s)) {
		p->sas = s->next;
		s->next = NULL;
		drop(p, &s->local, &s->peer, s->reqid, UINT64_MAX);
	}
}

/* A tunnel that is nothing but its SA, and we dialled it. */
static void site_gone(struct ctx *ctx, const char *conn, const char *why)
{
	for (struct dial *d = ctx->dials, *next; d; d = next) {
		char mine[IPSEC_NAME];

		next = d->next;
		if (d->secured_at && !strcmp(ipsec_name(mine, true, d->as->name), conn))
			dial_unprotected(d, why);
	}
}

static void unlink_sa(struct ipsec *p, const struct sa *gone)
{
	struct sa **at = &p->sas;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
}

/* The last SA with a host is gone: so is what it protected.  stale: charon does not know it, and the kernel has it. */
static void sa_gone(struct ipsec *p, struct sa *gone, const char *why, bool stale)
{
	struct ctx *ctx = p->ctx;
	char host[64], text[120];
	bool last = true, tunnels;

	unlink_sa(p, gone);
	log_limited(&ctx->log, &ctx->limit[T_IPSEC], ctx->loop.now, LOG_NOTICE, "IPsec with %s (%s): %s",
		    endpoint_text(&gone->peer, host, sizeof(host)), gone->conn, why);
	for (const struct sa *s = p->sas; s; s = s->next)
		last &= !ipsec_same_host(&s->peer, &gone->peer) || s->mark != gone->mark || s->site != gone->site ||
			strcmp(s->conn, gone->conn);
	snprintf(text, sizeof(text), "its IPsec is gone: %s", why);
	tunnels = last && protects_any(ctx, gone);
	for (unsigned id = 1; id < MAX_ID && tunnels; id++) {
		struct tunnel *t = ctx->tunnel[id];

		if (t && protects(gone, t))
			tunnel_unprotected(t, text, stale);
	}
	if (gone->site && last)
		site_gone(ctx, gone->conn, text);
	if (stale)
		drop(p, &gone->local, &gone->peer, gone->reqid, p->ready_at);
	ipsec_sa_free(gone);
}

static void set_ids(struct sa *s, struct span child)
{
	s->spi_in = (uint32_t)vici_number(vici_get(child, "spi-in"), true);
	s->spi_out = (uint32_t)vici_number(vici_get(child, "spi-out"), true);
	s->reqid = (uint32_t)vici_number(vici_get(child, "reqid"), false);
}

/* Its tunnels live under it now. */
static void take_tunnels(struct ctx *ctx, const struct sa *s, const struct sa *old)
{
	bool any = protects_any(ctx, old);

	for (unsigned id = 1; id < MAX_ID && any; id++) {
		struct tunnel *t = ctx->tunnel[id];

		if (!t || t->down || !protects(old, t))
			continue;
		t->reqid = s->reqid;
		if (s->mark == old->mark)
			tunnel_changed(t);
		else
			tunnel_follow(t, s->mark);
	}
}

/* The same peer has made another SA beside its old one (a new IKE_SA; other words in IKEv1): its tunnels go over before the
 * old one is deleted. */
static void follow(struct ipsec *p, const struct sa *s)
{
	for (const struct sa *old = p->sas; old && s->who[0]; old = old->next)
		if (old != s && old->child < s->child && old->ike_port == s->ike_port && !strcmp(old->who, s->who))
			take_tunnels(p->ctx, s, old);
}

static uint32_t child_id(struct span child)
{
	return (uint32_t)vici_number(vici_get(child, "uniqueid"), false);
}

static struct sa *sa_find(const struct ipsec *p, uint32_t child)
{
	struct sa *s;

	for (s = p->sas; s && s->child != child; s = s->next)
		;
	return s;
}

/* Events come on a connection of their own, and a list that was begun before one may come after it. */
static void note_gone(struct ipsec *p, uint32_t child)
{
	size_t room = p->gone_room ? 2 * p->gone_room : 64;
	uint32_t *more;

	if (!p->list_id)
		return;
	if (p->n_gone == p->gone_room) {
		more = realloc(p->gone, room * sizeof(*more));
		if (!more) {
			p->unlisted = true;
			return;
		}
		p->gone = more;
		p->gone_room = room;
	}
	p->gone[p->n_gone++] = child;
}

static bool is_gone(const struct ipsec *p, uint32_t child)
{
	for (size_t i = 0; i < p->n_gone; i++)
		if (p->gone[i] == child)
			return true;
	return false;
}

bool ipsec_parse_host(struct span text, struct endpoint *ret)
{
	char host[64], *zone;

	*ret = (struct endpoint){ .family = 0 };
	vici_text(text, host, sizeof(host));
	zone = strchr(host, '%');
	if (zone)
		*zone = '\0';
	if (inet_pton(AF_INET, host, ret->addr) == 1)
		ret->family = 4;
	else if (inet_pton(AF_INET6, host, ret->addr) == 1)
		ret->family = 6;
	return ret->family;
}

bool ipsec_is_ours(struct span name)
{
	return name.p && name.n > strlen(IPSEC_PREFIX) && !memcmp(name.p, IPSEC_PREFIX, strlen(IPSEC_PREFIX));
}

/* Its first item. */
static const char *list_text(struct span list, char *buf, size_t size)
{
	struct rd r = rd_init(list.p, list.n);
	struct vici_item it = { .value = { NULL, 0 } };

	(void)vici_next(&r, &it);
	return vici_text(it.value, buf, size);
}

/* Behind one NAT peers differ by the port of their IKE, whatever they call themselves. */
static void set_who(struct sa *s, struct span ike, struct span child)
{
	char local[48], remote[48], id[80], ts[2][56];
	int n;

	s->ike_port = (uint16_t)vici_number(vici_get(ike, "remote-port"), false);
	n = snprintf(s->who, sizeof(s->who), "%s|%s|%s|%s|%s", vici_text(vici_get(ike, "local-host"), local, sizeof(local)),
		     vici_text(vici_get(ike, "remote-host"), remote, sizeof(remote)),
		     vici_text(vici_get(ike, "remote-id"), id, sizeof(id)),
		     list_text(vici_get(child, "local-ts"), ts[0], sizeof(ts[0])),
		     list_text(vici_get(child, "remote-ts"), ts[1], sizeof(ts[1])));
	if (n < 0 || (size_t)n >= sizeof(s->who))
		s->who[0] = '\0';
}

static void sa_up(struct ipsec *p, const struct vici_item *ike, struct endpoint *local, const struct endpoint *peer,
		  struct span child, bool event)
{
	struct span name = vici_get(child, "name");
	struct ctx *ctx = p->ctx;
	uint32_t id = child_id(child);
	struct sa *s = sa_find(p, id);
	char host[64], alg[4][24];
	struct conn *c;

	if (s) {
		s->seen = true;
		return;
	}
	if (!event && is_gone(p, id))
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	*s = (struct sa){ .next = p->sas, .child = id, .local = *local, .peer = *peer, .seen = true, .fd = -1 };
	s->mark = (uint32_t)vici_number(vici_get(child, "mark-in"), true);
	s->site = vici_is(name, IPSEC_SITE);
	s->since = ctx->loop.now;
	vici_text(ike->name, s->conn, sizeof(s->conn));
	set_ids(s, child);
	set_who(s, ike->value, child);
	p->sas = s;
	if (name.n > strlen(IPSEC_CHILD))
		local->port = (uint16_t)vici_number((struct span){ name.p + strlen(IPSEC_CHILD),
								   name.n - strlen(IPSEC_CHILD) }, false);
	s->port = local->port;
	ask_socket(p, s);
	s->esp = path_esp(vici_text(vici_get(child, "encr-alg"), alg[0], 24), vici_text(vici_get(child, "integ-alg"), alg[1], 24),
			  vici_is(vici_get(child, "encap"), "yes"));
	follow(p, s);
	p->guard.stale |= s->site;		/* it knows now how much fits */
	c = ipsec_conn_find(p, s->conn);
	if (c)
		c->why[0] = '\0';
	log_limited(&ctx->log, &ctx->limit[T_IPSEC], ctx->loop.now, LOG_INFO, "IPsec with %s (%s): up, %s %s %s %s",
		    endpoint_text(peer, host, sizeof(host)), s->conn, vici_text(vici_get(child, "protocol"), alg[0], 24),
		    vici_text(vici_get(child, "encr-alg"), alg[1], 24), vici_text(vici_get(child, "encr-keysize"), alg[2], 24),
		    vici_text(vici_get(child, "integ-alg"), alg[3], 24));
}

/* The shape of list-sa and of child-updown: connection { local-host, remote-host, child-sas { child { uniqueid, state } } } */
void ipsec_sas(struct ipsec *p, struct span msg, bool up, bool event)
{
	struct rd r = rd_init(msg.p, msg.n), in;
	struct vici_item ike, child;
	struct endpoint local, peer;
	struct span list;
	struct sa *s;
	uint32_t id;

	while (vici_next(&r, &ike)) {
		if (ike.type != VICI_SECTION_START || !ipsec_is_ours(ike.name) ||
		    !ipsec_parse_host(vici_get(ike.value, "local-host"), &local) ||
		    !ipsec_parse_host(vici_get(ike.value, "remote-host"), &peer))
			continue;
		list = vici_get(ike.value, "child-sas");
		for (in = rd_init(list.p, list.n); vici_next(&in, &child);) {
			if (child.type != VICI_SECTION_START)
				continue;
			if (up && (event || vici_is(vici_get(child.value, "state"), "INSTALLED") ||
				   vici_is(vici_get(child.value, "state"), "REKEYING")))
				sa_up(p, &ike, &local, &peer, child.value, event);
			if (up)
				continue;
			id = child_id(child.value);
			note_gone(p, id);
			s = sa_find(p, id);
			if (s)
				sa_gone(p, s, "its SA was deleted", false);
		}
	}
}

/* connection { child-sas { child { old { uniqueid }, new { uniqueid } } } } */
void ipsec_rekeyed(struct ipsec *p, struct span msg)
{
	struct rd r = rd_init(msg.p, msg.n), in;
	struct vici_item ike, child;
	struct span list, fresh;
	struct sa *s, *twin;
	uint32_t old, id;

	while (vici_next(&r, &ike)) {
		if (ike.type != VICI_SECTION_START || !ipsec_is_ours(ike.name))
			continue;
		list = vici_get(ike.value, "child-sas");
		for (in = rd_init(list.p, list.n); vici_next(&in, &child);) {
			if (child.type != VICI_SECTION_START)
				continue;
			old = child_id(vici_get(child.value, "old"));
			s = sa_find(p, old);
			note_gone(p, old);
			fresh = vici_get(child.value, "new");
			id = child_id(fresh);
			twin = sa_find(p, id);			/* the list was quicker */
			p->unlisted |= !s && !twin && p->list_id;	/* it may have the old one alone */
			if (!s)
				continue;
			if (twin && twin != s) {
				unlink_sa(p, twin);
				ipsec_sa_free(twin);
			}
			s->seen = true;
			s->child = id;
			set_ids(s, fresh);
			take_tunnels(p->ctx, s, s);
		}
	}
}

/* remote-port, connection { remote-host, remote-port: the old ones }.  Another address is another SA's: L2TP does not move. */
void ipsec_moved(struct ipsec *p, struct span msg)
{
	uint16_t port = (uint16_t)vici_number(vici_get(msg, "remote-port"), false), old;
	struct rd r = rd_init(msg.p, msg.n);
	struct vici_item ike;
	struct endpoint peer;
	char name[IPSEC_NAME];

	while (vici_next(&r, &ike)) {
		if (ike.type != VICI_SECTION_START || !ipsec_is_ours(ike.name) ||
		    !ipsec_parse_host(vici_get(ike.value, "remote-host"), &peer))
			continue;
		old = (uint16_t)vici_number(vici_get(ike.value, "remote-port"), false);
		vici_text(ike.name, name, sizeof(name));
		for (struct sa *s = p->sas; s && port; s = s->next)
			if (s->ike_port == old && ipsec_same_host(&s->peer, &peer) && !strcmp(s->conn, name))
				s->ike_port = port;
	}
}

/* `ktun up` of an earlier ktund. */
static void adopt_sites(struct ipsec *p)
{
	for (const struct sa *s = p->sas; s && !p->listed; s = s->next)
		for (struct dial *d = p->ctx->dials; d; d = d->next) {
			char mine[IPSEC_NAME];

			if (s->site && !d->wanted && !strcmp(ipsec_name(mine, true, d->as->name), s->conn))
				(void)dial_up(d);
		}
	p->listed = true;
}

/* charon is there (again): what we know of its SAs may be old. */
void ipsec_sas_listed(struct ipsec *p)
{
	static const char why[] = "charon does not know its SA any more";
	struct ctx *ctx = p->ctx;
	bool again = true;
	char text[120];

	adopt_sites(p);
	while (again) {
		again = false;
		for (struct sa *s = p->sas; s; s = s->next)
			if (!s->seen) {
				sa_gone(p, s, why, true);
				again = true;		/* the list has changed */
				break;
			}
	}
	/* Those of an earlier ktund may have lost theirs while nobody looked. */
	snprintf(text, sizeof(text), "its IPsec is gone: %s", why);
	for (unsigned id = 1; id < MAX_ID; id++) {
		struct tunnel *t = ctx->tunnel[id];
		const struct sa *s = p->sas;

		if (!t || t->down || !t->reqid || !tunnel_protected(t))
			continue;
		while (s && !protects(s, t))
			s = s->next;
		if (s)
			continue;
		tunnel_unprotected(t, text, true);
		drop(p, &t->local, &t->peer, t->reqid, p->ready_at);
	}
	p->list_id = 0;			/* not before: a tunnel that ends would begin another list amid this one */
	if (p->unlisted)
		p->check_at = ms_min(p->check_at, ctx->loop.now);
}

/* What went wrong, in one line; a tunnel that we dial need not wait for its end. */
void ipsec_logged(struct ipsec *p, struct span msg)
{
	struct span name = vici_get(msg, "ikesa-name"), line = vici_get(msg, "msg");
	static const char up[] = "established between";
	struct ctx *ctx = p->ctx;
	char who[IPSEC_NAME], said[160];
	const char *reason;
	struct conn *c;

	c = ipsec_conn_find(p, vici_text(name, who, sizeof(who)));
	reason = ipsec_reason(line, c && c->dial && c->ike_up);
	if (c && line.p && memmem(line.p, line.n, up, strlen(up)))
		c->ike_up = true;
	if (!reason || (name.n && !ipsec_is_ours(name) && !vici_is(name, "(unnamed)")))
		return;
	log_limited(&ctx->log, &ctx->limit[T_IPSEC], ctx->loop.now, LOG_WARNING, "IPsec%s%s fails in %s (charon: %s)",
		    c ? " of " : "", c ? c->name : "", reason, vici_text(line, said, sizeof(said)));
	if (!c)
		return;
	snprintf(c->why, sizeof(c->why), "IPsec fails in %s", reason);
	for (struct dial *d = ctx->dials; d; d = d->next) {
		char mine[IPSEC_NAME];

		if (d->protecting && c->initiated && !strcmp(ipsec_name(mine, true, d->as->name), c->name)) {
			dial_unprotected(d, c->why);	/* it may be the end of c */
			break;
		}
	}
}
