/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipsec_int.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/kernel.h"
#include "core/listener.h"
#include "core/tunnel.h"

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

int ipsec_socket(const struct ctx *ctx, uint32_t mark)
{
	for (const struct sa *s = ctx->ipsec->sas; s; s = s->next)
		if (s->mark == mark && s->fd >= 0)
			return s->fd;
	return -1;
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
static void ask_socket(struct ipsec *p, struct sa *s, const struct endpoint *local)
{
	static const uint8_t any[16];
	struct k_request rq;

	kernel_request(&rq, K_MARKED, 0, 0);
	for (const struct listener *l = p->ctx->listeners; l && s->mark; l = l->next) {
		if (!l->configured || l->local.family != local->family || l->local.port != local->port ||
		    (memcmp(l->local.addr, local->addr, sizeof(any)) && memcmp(l->local.addr, any, sizeof(any))))
			continue;
		memcpy(&rq.marked.local, &l->local, sizeof(rq.marked.local));
		rq.marked.mark = s->mark;
		s->asked = kernel_submit(p->ctx, &rq);
		return;
	}
}

/* The last SA with a host is gone: so is what it protected. */
static void sa_gone(struct ipsec *p, struct sa *gone, const char *why)
{
	struct ctx *ctx = p->ctx;
	char host[64], text[120];

	for (struct sa **at = &p->sas; *at; at = &(*at)->next)
		if (*at == gone) {
			*at = gone->next;
			break;
		}
	log_limited(&ctx->log, &ctx->limit[T_IPSEC], ctx->loop.now, LOG_NOTICE, "IPsec with %s (%s): %s",
		    endpoint_text(&gone->peer, host, sizeof(host)), gone->conn, why);
	for (const struct sa *s = p->sas; s; s = s->next)
		if (ipsec_same_host(&s->peer, &gone->peer) && s->mark == gone->mark) {
			ipsec_sa_free(gone);
			return;
		}
	snprintf(text, sizeof(text), "its IPsec is gone: %s", why);
	for (unsigned id = 1; id < MAX_ID; id++) {
		struct tunnel *t = ctx->tunnel[id];

		if (t && tunnel_protected(t) && ipsec_same_host(&t->peer, &gone->peer) && t->mark == gone->mark)
			tunnel_unprotected(t, text);
	}
	ipsec_sa_free(gone);
}

static struct sa *sa_find(const struct ipsec *p, uint32_t child)
{
	struct sa *s;

	for (s = p->sas; s && s->child != child; s = s->next)
		;
	return s;
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

static void sa_up(struct ipsec *p, struct span conn, struct endpoint *local, const struct endpoint *peer, struct span child)
{
	struct span name = vici_get(child, "name");
	struct ctx *ctx = p->ctx;
	uint32_t id = (uint32_t)vici_number(vici_get(child, "uniqueid"), false);
	struct sa *s = sa_find(p, id);
	char host[64], alg[4][24];
	struct conn *c;

	if (s) {
		s->seen = true;
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	*s = (struct sa){ .next = p->sas, .child = id, .peer = *peer, .seen = true, .fd = -1 };
	s->mark = (uint32_t)vici_number(vici_get(child, "mark-in"), true);
	vici_text(conn, s->conn, sizeof(s->conn));
	p->sas = s;
	if (name.n > strlen(IPSEC_CHILD))
		local->port = (uint16_t)vici_number((struct span){ name.p + strlen(IPSEC_CHILD),
								   name.n - strlen(IPSEC_CHILD) }, false);
	ask_socket(p, s, local);
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
				sa_up(p, ike.name, &local, &peer, child.value);
			s = up ? NULL : sa_find(p, (uint32_t)vici_number(vici_get(child.value, "uniqueid"), false));
			if (s)
				sa_gone(p, s, "its SA was deleted");
		}
	}
}

/* connection { child-sas { child { old { uniqueid }, new { uniqueid } } } } */
void ipsec_rekeyed(struct ipsec *p, struct span msg)
{
	struct rd r = rd_init(msg.p, msg.n), in;
	struct vici_item ike, child;
	struct span list;
	struct sa *s;

	while (vici_next(&r, &ike)) {
		if (ike.type != VICI_SECTION_START || !ipsec_is_ours(ike.name))
			continue;
		list = vici_get(ike.value, "child-sas");
		for (in = rd_init(list.p, list.n); vici_next(&in, &child);) {
			if (child.type != VICI_SECTION_START)
				continue;
			s = sa_find(p, (uint32_t)vici_number(vici_get(vici_get(child.value, "old"), "uniqueid"), false));
			if (s)
				s->child = (uint32_t)vici_number(vici_get(vici_get(child.value, "new"), "uniqueid"), false);
		}
	}
}

/* charon is there (again): what we know of its SAs may be old. */
void ipsec_sas_listed(struct ipsec *p)
{
	bool again = true;

	p->list_id = 0;
	while (again) {
		again = false;
		for (struct sa *s = p->sas; s && !again; s = s->next)
			if (!s->seen) {
				sa_gone(p, s, "charon does not know its SA any more");
				again = true;		/* the list has changed */
			}
	}
}

/* What went wrong, in one line; a tunnel that we dial need not wait for its end. */
void ipsec_logged(struct ipsec *p, struct span msg)
{
	struct span name = vici_get(msg, "ikesa-name"), line = vici_get(msg, "msg");
	const char *reason = ipsec_reason(line);
	struct ctx *ctx = p->ctx;
	char who[IPSEC_NAME], said[160];
	struct conn *c;

	if (!reason || (name.n && !ipsec_is_ours(name) && !vici_is(name, "(unnamed)")))
		return;
	vici_text(name, who, sizeof(who));
	c = ipsec_conn_find(p, who);
	log_limited(&ctx->log, &ctx->limit[T_IPSEC], ctx->loop.now, LOG_WARNING, "IPsec%s%s fails in %s (charon: %s)",
		    c ? " of " : "", c ? c->name : "", reason, vici_text(line, said, sizeof(said)));
	if (!c)
		return;
	snprintf(c->why, sizeof(c->why), "IPsec fails in %s", reason);
	for (struct dial *d = ctx->dials, *next; d; d = next) {
		char mine[IPSEC_NAME];

		next = d->next;
		if (d->protecting && c->initiated && !strcmp(ipsec_name(mine, true, d->as->name), c->name))
			dial_unprotected(d, c->why);
	}
}
