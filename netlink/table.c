/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

enum { IDS = 65536, LINK_BUCKETS = 4096, PEER_BUCKETS = 4096, WIRE_BUCKETS = 8192 };

struct table {
	unsigned n_tunnels, n_sessions, n_links_down;
	uint16_t by_link[LINK_BUCKETS], by_peer[PEER_BUCKETS], by_wire[WIRE_BUCKETS];
	struct tunnel *tunnel[IDS];		/* pages that no id touches cost nothing */
	struct session *session[IDS];
};

struct table *table_new(void)
{
	return calloc(1, sizeof(struct table));
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (unsigned i = 1; i < IDS; i++)
		if (t->session[i])
			table_del_session(t, t->session[i]);
	for (unsigned i = 1; i < IDS; i++)
		if (t->tunnel[i])
			table_del_tunnel(t, t->tunnel[i]);
	free(t);
}

struct tunnel *table_tunnel(const struct table *t, uint32_t tunnel_id)
{
	return tunnel_id < IDS ? t->tunnel[tunnel_id] : NULL;
}

struct session *table_session(const struct table *t, uint32_t session_id)
{
	return session_id < IDS ? t->session[session_id] : NULL;
}

struct session *table_on_wire(const struct table *t, uint32_t tunnel_id, uint32_t wire_id)
{
	struct session *s = t->session[t->by_wire[wire_id % WIRE_BUCKETS]];

	while (s && (s->tunnel_id != tunnel_id || s->wire_id != wire_id))
		s = t->session[s->next_by_wire];
	return s;
}

static unsigned peer_bucket(const struct k_addr *peer)
{
	uint32_t hash = 2166136261u;	/* FNV-1a; who fills a bucket on purpose slows down his own set-up */

	for (unsigned i = 0; i < sizeof(peer->addr); i++)
		hash = (hash ^ peer->addr[i]) * 16777619u;
	return hash % PEER_BUCKETS;
}

struct tunnel *table_next_from(const struct table *t, const struct k_addr *peer, const struct tunnel *last)
{
	return t->tunnel[last ? last->next_from : t->by_peer[peer_bucket(peer)]];
}

struct k_request *request_copy(const struct k_request *r)
{
	size_t len = k_request_size(r, sizeof(*r));
	struct k_request *copy = malloc(len);

	if (copy)
		memcpy(copy, r, len);
	return copy;
}

struct tunnel *table_add_tunnel(struct table *t, const struct k_request *was)
{
	struct tunnel *tu = calloc(1, sizeof(*tu));
	uint16_t *bucket;

	if (!tu)
		return NULL;
	tu->was = request_copy(was);
	if (!tu->was) {
		free(tu);
		return NULL;
	}
	tu->id = was->tunnel_id;
	tu->fd = -1;
	t->tunnel[tu->id] = tu;
	bucket = &t->by_peer[peer_bucket(&was->tunnel.peer)];
	tu->next_from = *bucket;
	*bucket = tu->id;
	t->n_tunnels++;
	return tu;
}

struct session *table_add_session(struct table *t, const struct k_request *was)
{
	struct tunnel *tu = t->tunnel[was->tunnel_id];
	struct session *s = calloc(1, sizeof(*s));
	uint16_t *bucket;

	if (!s)
		return NULL;
	s->was = request_copy(was);
	if (!s->was) {
		free(s);
		return NULL;
	}
	s->id = was->session_id;
	s->wire_id = was->op == K_ETH_UP ? was->eth.wire.session_id : was->session.wire.session_id;
	if (!s->wire_id)
		s->wire_id = s->id;
	s->tunnel_id = tu->id;
	s->in = (struct installed){ .pppox = -1, .channel = -1, .unit_fd = -1 };
	s->next = tu->first_session;
	if (s->next)
		t->session[s->next]->prev = s->id;
	tu->first_session = s->id;
	tu->n_sessions++;
	bucket = &t->by_wire[s->wire_id % WIRE_BUCKETS];
	s->next_by_wire = *bucket;
	*bucket = s->id;
	t->session[s->id] = s;
	t->n_sessions++;
	return s;
}

void table_del_tunnel(struct table *t, struct tunnel *tu)
{
	uint16_t *at = &t->by_peer[peer_bucket(&tu->was->tunnel.peer)];

	while (*at != tu->id)
		at = &t->tunnel[*at]->next_from;
	*at = tu->next_from;
	t->tunnel[tu->id] = NULL;
	t->n_tunnels--;
	free(tu->was);
	free(tu);
}

void table_del_session(struct table *t, struct session *s)
{
	struct tunnel *tu = t->tunnel[s->tunnel_id];
	uint16_t *at = &t->by_wire[s->wire_id % WIRE_BUCKETS];

	while (*at != s->id)
		at = &t->session[*at]->next_by_wire;
	*at = s->next_by_wire;
	table_set_link(t, s, 0);
	table_link_down(t, s, false);
	if (s->prev)
		t->session[s->prev]->next = s->next;
	else
		tu->first_session = s->next;
	if (s->next)
		t->session[s->next]->prev = s->prev;
	tu->n_sessions--;
	t->session[s->id] = NULL;
	t->n_sessions--;
	free(s->was);
	free(s);
}

void table_set_link(struct table *t, struct session *s, uint32_t ifindex)
{
	uint16_t *at;

	if (s->in.ifindex) {
		for (at = &t->by_link[s->in.ifindex % LINK_BUCKETS]; *at; at = &t->session[*at]->next_by_link)
			if (*at == s->id) {
				*at = s->next_by_link;
				break;
			}
	}
	s->in.ifindex = ifindex;
	if (ifindex) {
		at = &t->by_link[ifindex % LINK_BUCKETS];
		s->next_by_link = *at;
		*at = s->id;
	}
}

void table_link_down(struct table *t, struct session *s, bool down)
{
	t->n_links_down += (unsigned)down - s->link_down;
	s->link_down = down;
}

unsigned table_links_down(const struct table *t)
{
	return t->n_links_down;
}

struct session *table_by_link(const struct table *t, uint32_t ifindex)
{
	uint16_t id = t->by_link[ifindex % LINK_BUCKETS];

	while (id && t->session[id]->in.ifindex != ifindex)
		id = t->session[id]->next_by_link;
	return id ? t->session[id] : NULL;
}

unsigned table_tunnels(const struct table *t)
{
	return t->n_tunnels;
}

unsigned table_sessions(const struct table *t)
{
	return t->n_sessions;
}

static bool has_route(const struct k_link *l, const struct k_route *r)
{
	for (unsigned i = 0; i < l->n_routes; i++)
		if (!memcmp(&l->route[i], r, sizeof(*r)))
			return true;
	return false;
}

unsigned table_routes(const struct session *s, const struct k_link *add)
{
	unsigned n = s->was->op == K_ETH_UP ? 0 : s->was->session.link.n_routes;

	for (unsigned i = 0; i < add->n_routes && s->was->op != K_ETH_UP; i++)
		n += !has_route(&s->was->session.link, &add->route[i]);
	return n;
}

bool table_may_set(const struct session *s, const struct k_link *l)
{
	bool more = l->mtu || l->mru || l->up || l->ipv4 || l->ipv6 || l->no_ipv4 || l->no_ipv6 || l->pin_peer || l->ip ||
		    l->ifid || l->n_routes;

	return s->was->op != K_ETH_UP || !more;
}

int table_merge_link(struct session *s, const struct k_link *add)
{
	struct k_request whole = { 0 }, *was;
	struct k_link *l = &whole.session.link;

	if (s->was->op == K_ETH_UP) {
		s->was->eth.dormant = add->dormant;
		return 0;
	}
	if (table_routes(s, add) > K_MAX_ROUTES)
		return -ENOSPC;
	memcpy(&whole, s->was, k_request_size(s->was, sizeof(*s->was)));
	l->mtu = add->mtu ? add->mtu : l->mtu;
	l->mru = add->mru ? add->mru : l->mru;
	l->up |= add->up;
	l->ipv4 = add->ipv4 || (l->ipv4 && !add->no_ipv4);
	l->ipv6 = add->ipv6 || (l->ipv6 && !add->no_ipv6);
	l->pin_peer |= add->pin_peer;
	if (add->ip) {
		l->ip = add->ip;
		l->peer_ip = add->peer_ip;
	}
	if (add->ifid) {
		l->ifid = add->ifid;
		l->peer_ifid = add->peer_ifid;
	}
	for (unsigned i = 0; i < add->n_routes; i++)
		if (!has_route(l, &add->route[i]))
			l->route[l->n_routes++] = add->route[i];
	was = request_copy(&whole);
	if (!was)
		return -ENOMEM;
	free(s->was);
	s->was = was;
	return 0;
}
