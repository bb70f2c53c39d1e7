/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with a configuration: each section for itself, then all
 * objects together.  As many mistakes as can be found are said in one run. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_int.h"
#include "core/ipsec_conn.h"

/* Everything a section can set, to try values on. */
struct scratch {
	struct config global;
	struct conf_listen listen;
	struct conf_pool pool;
	struct conf_user user;
	struct conf_peer peer;
	struct conf_tunnel tunnel;
	struct conf_session session;
	struct conf_aux aux;
};

static bool secret(const struct conf_key *k)
{
	return k->kind == K_SECRET || k->kind == K_SPAN;
}

static void check_values(struct conf_loader *ld, const struct conf_sect *s)
{
	struct scratch t = { .aux = { .addresses = 0 } };
	void *base[B_N] = {
		[B_GLOBAL] = &t.global, [B_LISTEN] = &t.listen, [B_POOL] = &t.pool, [B_USER] = &t.user, [B_PEER] = &t.peer,
		[B_TUNNEL] = &t.tunnel, [B_SESSION] = &t.session, [B_POLICY] = &t.session.policy, [B_CC] = &t.tunnel.cc,
		[B_L2TP] = &t.tunnel.l2tp,
		[B_IPSEC] = &t.peer.ipsec, [B_LIMITS] = &t.peer.limits, [B_AUX] = &t.aux,
	};
	char err[160];

	for (unsigned i = 0; i < s->n; i++) {
		const struct conf_val *v = &s->val[i];
		struct conf_pos pos = { s->pos.file, v->line };

		if (v->first_line)
			conf_error(ld, pos, "%s is given twice (first in line %u)", v->key->name, v->first_line);
		if (conf_set(v->key, v->text, v->index, base, err, sizeof(err)))
			continue;
		if (secret(v->key))
			conf_error(ld, pos, "%s: %s", v->key->name, err);
		else
			conf_error(ld, pos, "%s = %s: %s", v->key->name, v->text, err);
	}
	conf_clear(base);
	explicit_bzero(&t, sizeof(t));
}

static void check_title(struct conf_loader *ld, const struct conf_sect *s)
{
	size_t n = strlen(s->title), max = s->kind == SEC_USER ? 255 : 63;
	struct addr a;

	if (s->kind == SEC_LISTEN) {
		if (!conf_addr(s->title, &a) || strchr(s->title, '/'))
			conf_error(ld, s->pos, "listen \"%s\": not an IP address", s->title);
		return;
	}
	if (!n || n > max)
		conf_error(ld, s->pos, "%s: the name must have 1 to %zu octets", conf_sec_name(s->kind), max);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s->title[i] < ' ' || s->title[i] == 0x7f) {
			conf_error(ld, s->pos, "%s \"%s\": the name must not contain control characters",
				   conf_sec_name(s->kind), s->title);
			return;
		}
	}
}

/* References, and keys that must be there. */
static void check_section(struct conf_loader *ld, const struct conf_sect *s)
{
	const struct conf_val *pool = s->kind == SEC_POOL ? NULL : conf_find_val(s, "pool");
	const struct conf_val *profile = conf_find_val(s, "profile");

	if (pool && !conf_find_sect(ld, SEC_POOL, pool->text))
		conf_error(ld, (struct conf_pos){ s->pos.file, pool->line }, "there is no pool \"%s\"", pool->text);
	if (profile && !conf_find_sect(ld, SEC_PROFILE, profile->text))
		conf_error(ld, (struct conf_pos){ s->pos.file, profile->line }, "there is no profile \"%s\"", profile->text);
	if (s->kind == SEC_USER && !conf_find_val(s, "password"))
		conf_error(ld, s->pos, "user \"%s\" needs a password", s->title);
	if (s->kind == SEC_POOL && !conf_find_val(s, "range"))
		conf_error(ld, s->pos, "pool \"%s\" needs a range", s->title);
	if (s->kind == SEC_TUNNEL && !conf_find_val(s, "remote"))
		conf_error(ld, s->pos, "tunnel \"%s\" needs a remote", s->title);
	if (s->kind == SEC_PEER && !conf_find_val(s, "address") && !conf_find_val(s, "host-name"))
		conf_error(ld, s->pos, "peer \"%s\" needs an address or a host-name; \"0.0.0.0/0\" is any IPv4 address",
			   s->title);
}

/* Equal titles side by side, in the order of the files (they are appended in it). */
static int by_title(const void *a, const void *b)
{
	const struct conf_sect *x = *(const struct conf_sect *const *)a, *y = *(const struct conf_sect *const *)b;
	int cmp = x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->title, y->title);

	return cmp ? cmp : x < y ? -1 : x > y;
}

static void check_titles(struct conf_loader *ld)
{
	const struct conf_sect **order = calloc(ld->n_sects + 1, sizeof(const struct conf_sect *));
	const struct conf_sect *defaults = NULL;
	unsigned n = 0;

	if (!order) {
		ld->oom = true;
		return;
	}
	for (unsigned i = 0; i < ld->n_sects; i++) {
		const struct conf_sect *s = &ld->sect[i];

		if (s->kind == SEC_DEFAULTS && defaults)
			conf_error(ld, s->pos, "defaults is given twice (first in %s:%u)", defaults->pos.file, defaults->pos.line);
		if (s->kind == SEC_DEFAULTS)
			defaults = s;
		if (s->title && s->parent < 0 && s->kind != SEC_LISTEN)
			order[n++] = s;
	}
	qsort(order, n, sizeof(*order), by_title);
	for (unsigned i = 1; i < n; i++) {
		const struct conf_sect *a = order[i - 1], *b = order[i];

		if (a->kind == b->kind && !strcmp(a->title, b->title))
			conf_error(ld, b->pos, "%s \"%s\" is given twice (first in %s:%u)", conf_sec_name(b->kind), b->title,
				   a->pos.file, a->pos.line);
	}
	free(order);
}

static void check_globals(struct conf_loader *ld)
{
	for (unsigned i = 0; i < ld->n_sects; i++) {
		const struct conf_sect *a = &ld->sect[i];

		for (unsigned j = i + 1; a->kind == SEC_TOP && a->n && j < ld->n_sects; j++) {
			const struct conf_sect *b = &ld->sect[j];

			if (b->kind == SEC_TOP && b->n && b->val->key == a->val->key)
				conf_error(ld, b->pos, "%s is given twice (first in %s:%u)", a->val->key->name, a->pos.file,
					   a->pos.line);
		}
	}
}

void conf_check_sections(struct conf_loader *ld)
{
	for (unsigned i = 0; i < ld->n_sects; i++) {
		if (ld->sect[i].title)
			check_title(ld, &ld->sect[i]);
		check_values(ld, &ld->sect[i]);
		check_section(ld, &ld->sect[i]);
	}
	check_titles(ld);
	check_globals(ld);
}

static int by_first(const void *a, const void *b)
{
	const struct conf_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

struct pool_range { struct conf_range r; const struct conf_pool *pool; };

static const char *ip_str(uint32_t host, char *buf, size_t size)
{
	uint32_t net = htonl(host);

	return inet_ntop(AF_INET, &net, buf, (socklen_t)size) ? buf : "?";
}

static void check_overlap(struct conf_loader *ld)
{
	struct config *c = ld->c;
	struct pool_range *all;
	unsigned n = 0, total = 0, widest = 0;
	char a[INET_ADDRSTRLEN];

	for (unsigned i = 0; i < c->n_pools; i++)
		total += c->pool[i].n_ranges;
	all = calloc(total + 1, sizeof(*all));
	if (!all) {
		ld->oom = true;
		return;
	}
	for (unsigned i = 0; i < c->n_pools; i++) {
		if (c->pool[i].n_ranges)
			qsort(c->pool[i].range, c->pool[i].n_ranges, sizeof(*c->pool[i].range), by_first);
		for (unsigned j = 0; j < c->pool[i].n_ranges; j++)
			all[n++] = (struct pool_range){ c->pool[i].range[j], &c->pool[i] };
	}
	qsort(all, n, sizeof(*all), by_first);		/* the range is its first member */
	for (unsigned i = 1; i < n; i++) {
		const struct pool_range *x = &all[widest], *y = &all[i];

		if (y->r.first <= x->r.last) {
			/* say it where the later of the two is written */
			const struct conf_pool *late = x->pool > y->pool ? x->pool : y->pool;
			const struct conf_pool *early = x->pool > y->pool ? y->pool : x->pool;

			if (late == early)
				conf_error(ld, late->pos, "pool \"%s\": its ranges overlap at %s", late->name,
					   ip_str(y->r.first, a, sizeof(a)));
			else
				conf_error(ld, late->pos, "pool \"%s\" overlaps pool \"%s\" (%s:%u) at %s", late->name, early->name,
					   early->pos.file, early->pos.line, ip_str(y->r.first, a, sizeof(a)));
		}
		if (y->r.last > x->r.last)
			widest = i;
	}
	free(all);
}

/* No pool gives away an address that is ours, or kept for a user. */
static void exclude(struct conf_loader *ld, uint32_t net_order)
{
	uint32_t ip = ntohl(net_order);

	for (unsigned i = 0; ip && i < ld->c->n_pools; i++) {
		struct conf_pool *p = &ld->c->pool[i];

		for (unsigned j = 0; j < p->n_ranges; j++) {
			struct conf_range *r = &p->range[j], *more;

			if (ip < r->first || ip > r->last)
				continue;
			if (r->first == r->last) {
				memmove(r, r + 1, (p->n_ranges - j - 1) * sizeof(*r));
				p->n_ranges--;
			} else if (ip == r->first) {
				r->first++;
			} else if (ip == r->last) {
				r->last--;
			} else {
				more = realloc(p->range, (p->n_ranges + 1) * sizeof(*more));
				if (!more) {
					ld->oom = true;
					return;
				}
				p->range = more;
				memmove(more + j + 1, more + j, (p->n_ranges - j) * sizeof(*more));
				more[j].last = ip - 1;
				more[j + 1].first = ip + 1;
				p->n_ranges++;
			}
			break;
		}
	}
}

static int by_address(const void *a, const void *b)
{
	const struct conf_user *x = *(const struct conf_user *const *)a, *y = *(const struct conf_user *const *)b;

	if (x->address != y->address)
		return ntohl(x->address) < ntohl(y->address) ? -1 : 1;
	if (x->pos.file != y->pos.file)
		return strcmp(x->pos.file, y->pos.file);
	return x->pos.line < y->pos.line ? -1 : x->pos.line > y->pos.line;
}

static const struct conf_peer *owner(const struct config *c, uint32_t address)
{
	for (unsigned i = 0; i < c->n_peers; i++) {
		if (address && c->peer[i].policy.local_address == address)
			return &c->peer[i];
		for (unsigned j = 0; j < c->peer[i].n_sessions; j++)
			if (address && c->peer[i].session[j].policy.local_address == address)
				return &c->peer[i];
	}
	return NULL;
}

static void check_users(struct conf_loader *ld)
{
	const struct config *c = ld->c;
	const struct conf_user **order = calloc(c->n_users + 1, sizeof(const struct conf_user *));
	const struct conf_peer *p = NULL;
	char a[INET_ADDRSTRLEN];

	if (!order) {
		ld->oom = true;
		return;
	}
	for (unsigned i = 0; i < c->n_users; i++)
		order[i] = &c->user[i];
	qsort(order, c->n_users, sizeof(*order), by_address);
	for (unsigned i = 0; i < c->n_users; i++) {
		const struct conf_user *u = order[i], *v = i ? order[i - 1] : NULL;

		if (!u->address)
			continue;
		if (v && v->address == u->address)
			conf_error(ld, u->pos, "user \"%s\" has the address of user \"%s\" (%s:%u): %s", u->name, v->name,
				   v->pos.file, v->pos.line, ip_str(ntohl(u->address), a, sizeof(a)));
		else if ((p = owner(c, u->address)))
			conf_error(ld, u->pos, "user \"%s\": %s is the local-address of peer \"%s\"", u->name,
				   ip_str(ntohl(u->address), a, sizeof(a)), p->name);
	}
	free(order);
}

/* Giving needs something to give. */
static void check_giving(struct conf_loader *ld, struct conf_pos pos, const char *what, const char *name,
			 const struct policy *p)
{
	const struct conf_user *without = NULL;

	if (p->ppp.take || !p->ppp.ipv4)
		return;
	for (unsigned i = 0; i < ld->c->n_users && !without; i++)
		if (!ld->c->user[i].address)
			without = &ld->c->user[i];
	if (!p->local_address)
		conf_error(ld, pos, "%s \"%s\" gives addresses and needs a local-address, our end of its links", what, name);
	if (p->pool || (p->ppp.auth[0] && ld->c->n_users && !without))
		return;
	if (without && p->ppp.auth[0])
		conf_error(ld, pos, "%s \"%s\" needs a pool: user \"%s\" (%s:%u) has no address of its own", what, name,
			   without->name, without->pos.file, without->pos.line);
	else
		conf_error(ld, pos, "%s \"%s\" needs a pool to give addresses from", what, name);
}

static void check_cc(struct conf_loader *ld, struct conf_pos pos, const char *what, const char *name,
		     const struct cc_conf *cc)
{
	if (cc->hide && !cc->secret.n)
		conf_error(ld, pos, "%s \"%s\": hide-avps needs a secret to hide with", what, name);
	if (cc->rto_cap_ms < cc->rto_ms)
		conf_error(ld, pos, "%s \"%s\": retransmit-cap is less than retransmit-interval", what, name);
}

/* A link has one place; the keeper may not configure one that is elsewhere. */
static void check_place(struct conf_loader *ld, const struct conf_session *s)
{
	const struct policy *p = &s->policy;

	if (!is_ethernet(p))
		return;
	if (!!p->bridge + !!p->vrf + !!p->netns > 1)
		conf_error(ld, s->pos, "remote-end-id \"%s\": %s and %s: its link can be in one of them", s->remote_end_id,
			   p->bridge ? "bridge" : "vrf", p->netns ? "netns" : "vrf");
	if (p->vlan && !p->bridge)
		conf_error(ld, s->pos, "remote-end-id \"%s\": vlan needs bridge: it is the VLAN that the bridge's port is for",
			   s->remote_end_id);
}

/* RFC 3931's part of a peer or tunnel. */
static void check_v3(struct conf_loader *ld, struct conf_pos pos, const char *what, const char *name, const struct conf_l2tp *l,
		     const struct conf_session *s, unsigned n)
{
	if (l->version == 2) {
		if (n && !strcmp(what, "peer"))
			conf_error(ld, s->pos, "peer \"%s\": sessions of a peer are for version = 3, where the Remote End ID tells "
				   "which is called", name);
		return;
	}
	if (!n)
		conf_error(ld, pos, "%s \"%s\" with version = 3 needs a session: its name is the Remote End ID that is called",
			   what, name);
	if (l->fallback && l->encap == ENCAP_IP)
		conf_error(ld, pos, "%s \"%s\": fallback = yes is for UDP: L2TPv2 has no other encapsulation", what, name);
	for (unsigned i = 0; i < n; i++) {
		if (l->fallback && s[i].policy.pseudowire != V3_PW_PPP)
			conf_error(ld, s[i].pos, "%s \"%s\": fallback = yes needs pseudowire = ppp, the only one of L2TPv2", what,
				   name);
		if (s[i].policy.pseudowire == V3_PW_PPP && (l->encap == ENCAP_IP || s[i].policy.sequencing) && !l->v3.cc.secret.n &&
		    !strcmp(what, "peer"))
			conf_error(ld, s[i].pos, "peer \"%s\": pseudowire = ppp with %s needs a secret, and a digest: the kernel "
				   "has such a session before its user has authenticated", name,
				   l->encap == ENCAP_IP ? "encapsulation = ip" : "sequencing = yes");
		if (!s[i].remote_end_id)
			conf_error(ld, s[i].pos, "%s \"%s\" with version = 3 needs a remote-end-id", what, name);
		else
			check_place(ld, &s[i]);
	}
}

static void check_encap(struct conf_loader *ld, struct conf_pos pos, const char *what, const char *name, const struct conf_l2tp *l,
			const struct conf_ipsec *p)
{
	bool heard = strcmp(what, "peer") || l->encap != ENCAP_IP;

	if (l->encap == ENCAP_IP && p->required)
		conf_error(ld, pos, "%s \"%s\": ipsec = required protects UDP; it cannot be had with encapsulation = ip", what,
			   name);
	for (unsigned i = 0; i < ld->c->n_listens; i++)
		heard |= ld->c->listen[i].encap == ENCAP_IP;
	if (!heard)
		conf_error(ld, pos, "%s \"%s\" cannot reach us: there is no listen section with encapsulation = ip", what, name);
}

static unsigned pairs(const struct conf_ipsec *p)
{
	const char *ours = is_site(p) ? p->local_networks : NULL, *theirs;
	struct addr a, b;
	unsigned n = 0;

	while (conf_next_network(&ours, &a))
		for (theirs = p->networks; conf_next_network(&theirs, &b);)
			n += a.family == b.family;
	return n;
}

static void check_networks(struct conf_loader *ld)
{
	const struct config *c = ld->c;
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_peers + c->n_tunnels; i++) {
		const struct conf_tunnel *t = i < c->n_peers ? NULL : &c->tunnel[i - c->n_peers];
		const struct conf_ipsec *p = t ? &t->ipsec : &c->peer[i].ipsec;
		unsigned some = pairs(p);

		if (is_site(p) && p->networks && p->local_networks && !some)
			conf_error(ld, t ? t->pos : c->peer[i].pos, "%s \"%s\": networks are of one address family, local-networks "
				   "of the other", t ? "tunnel" : "peer", t ? t->name : c->peer[i].name);
		if (n <= CONF_MAX_PAIRS && n + some > CONF_MAX_PAIRS)
			conf_error(ld, t ? t->pos : c->peer[i].pos, "%s \"%s\": with its networks there are %u pairs of networks "
				   "in all; the kernel keeps %d apart", t ? "tunnel" : "peer", t ? t->name : c->peer[i].name,
				   n + some, CONF_MAX_PAIRS);
		n += some;
	}
}

static bool same_match(const struct conf_peer *a, const struct conf_peer *b)
{
	if (a->l2tp.version != b->l2tp.version || a->l2tp.encap != b->l2tp.encap)
		return false;
	if (!a->host_name != !b->host_name || (a->host_name && strcmp(a->host_name, b->host_name)))
		return false;
	if (a->remote_name || b->remote_name)
		return a->remote_name && b->remote_name && !strcmp(a->remote_name, b->remote_name);
	return !memcmp(&a->address, &b->address, sizeof(a->address));
}

/* The kernel's guard knows addresses only. */
static bool same_address(const struct conf_peer *a, const struct conf_peer *b)
{
	if (a->remote_name || b->remote_name)
		return a->remote_name && b->remote_name && !strcmp(a->remote_name, b->remote_name);
	return a->address.family == b->address.family && a->address.prefix_len == b->address.prefix_len &&
	       !memcmp(a->address.a, b->address.a, sizeof(a->address.a));
}

/* Each is a child of a peer's connection. */
static void check_ports(struct conf_loader *ld)
{
	const struct config *c = ld->c;
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_listens; i++) {
		unsigned j = 0;

		while (j < i && (c->listen[j].encap != ENCAP_UDP || c->listen[j].addr.port != c->listen[i].addr.port))
			j++;
		n += j == i && c->listen[i].encap == ENCAP_UDP;
	}
	for (unsigned i = 0; i < c->n_peers && n > IPSEC_MAX_PORTS; i++)
		if (c->peer[i].ipsec.required && !is_site(&c->peer[i].ipsec)) {
			conf_error(ld, c->peer[i].pos, "peer \"%s\": listen sections have %u different ports; with IPsec "
				   "there can be %d", c->peer[i].name, n, IPSEC_MAX_PORTS);
			break;
		}
}

static void check_peers(struct conf_loader *ld)
{
	const struct config *c = ld->c;
	bool listens = false;

	check_ports(ld);
	for (unsigned i = 0; i < ld->n_sects; i++)
		listens |= ld->sect[i].kind == SEC_LISTEN;
	for (unsigned i = 0; i < c->n_peers; i++) {
		const struct conf_peer *p = &c->peer[i];

		if (is_site(&p->ipsec))
			continue;
		check_cc(ld, p->pos, "peer", p->name, &p->cc);
		if (p->l2tp.version == 2)
			check_giving(ld, p->pos, "peer", p->name, &p->policy);
		for (unsigned j = 0; j < p->n_sessions; j++)
			if (!is_ethernet(&p->session[j].policy))
				check_giving(ld, p->session[j].pos, "peer", p->name, &p->session[j].policy);
		check_v3(ld, p->pos, "peer", p->name, &p->l2tp, p->session, p->n_sessions);
		check_encap(ld, p->pos, "peer", p->name, &p->l2tp, &p->ipsec);
		if (!listens)
			conf_error(ld, p->pos, "peer \"%s\" cannot reach us: there is no listen section", p->name);
		for (unsigned j = 0; j < i; j++)
			if (is_site(&c->peer[j].ipsec))
				continue;
			else if (p->ipsec.required != c->peer[j].ipsec.required && same_address(p, &c->peer[j]))
				conf_error(ld, p->pos, "peer \"%s\" and peer \"%s\" (%s:%u) admit the same addresses: "
					   "ipsec must be the same for both", p->name, c->peer[j].name,
					   c->peer[j].pos.file, c->peer[j].pos.line);
			else if ((p->address.family || p->remote_name || p->host_name) && same_match(p, &c->peer[j]))
				conf_error(ld, p->pos, "peer \"%s\" is never reached: peer \"%s\" (%s:%u) takes the same address "
					   "and host-name", p->name, c->peer[j].name, c->peer[j].pos.file, c->peer[j].pos.line);
	}
	for (unsigned i = 0; i < c->n_listens; i++)
		for (unsigned j = 0; j < i; j++)
			if (c->listen[i].encap == c->listen[j].encap &&
			    !memcmp(&c->listen[i].addr, &c->listen[j].addr, sizeof(struct addr)))
				conf_error(ld, c->listen[i].pos, "this address and port are given twice (first in %s:%u)",
					   c->listen[j].pos.file, c->listen[j].pos.line);
}

/* charon keeps all psks together, and takes what fits the other side's identity best, and then ours. */
bool config_psks_clash(const struct conf_ipsec *a, const struct conf_ipsec *b)
{
	if (!a->required || !a->psk || !b->required || !b->psk || !strcmp(a->psk, b->psk))
		return false;
	if (a->remote_id || b->remote_id)
		return a->remote_id && b->remote_id && !strcmp(a->remote_id, b->remote_id);
	return !a->local_id || !b->local_id || !strcmp(a->local_id, b->local_id);
}

/* Peers with addresses of their own are told apart by these, as a rule; whom we dial has not said who he is when his psk is
 * looked for. */
static void check_psks(struct conf_loader *ld)
{
	const struct config *c = ld->c;

	for (unsigned i = 0; i < c->n_peers + c->n_tunnels; i++) {
		const struct conf_tunnel *t = i < c->n_peers ? NULL : &c->tunnel[i - c->n_peers];
		const struct conf_ipsec *a = t ? &t->ipsec : &c->peer[i].ipsec;

		for (unsigned j = 0; j < i && !a->certificate; j++) {
			const struct conf_tunnel *u = j < c->n_peers ? NULL : &c->tunnel[j - c->n_peers];
			const struct conf_ipsec *b = u ? &u->ipsec : &c->peer[j].ipsec;
			struct conf_pos first = u ? u->pos : c->peer[j].pos;

			if (!config_psks_clash(a, b) || (!t && !same_address(&c->peer[i], &c->peer[j])))
				continue;
			conf_error(ld, t ? t->pos : c->peer[i].pos, "%s \"%s\" and %s \"%s\" (%s:%u) have different psks, "
				   "which strongSwan tells apart by identities alone: give %s a remote-id of its own (what the "
				   "other side calls itself, as a rule its address)",
				   t ? "tunnel" : "peer", t ? t->name : c->peer[i].name, u ? "tunnel" : "peer",
				   u ? u->name : c->peer[j].name, first.file, first.line, t ? "the tunnel" : "each");
			break;
		}
	}
}

static void check_session(struct conf_loader *ld, const struct conf_tunnel *t, const struct conf_session *s)
{
	char name[140];

	snprintf(name, sizeof(name), s->name[0] ? "tunnel \"%s\" session \"%s\"" : "tunnel \"%s\"", t->name, s->name);
	if (!is_ethernet(&s->policy) && s->policy.role == ROLE_LAC && s->policy.ppp.allow[0] && (!s->user || !s->password))
		conf_error(ld, s->pos, "%s needs a %s to be authenticated with, or authentication = \"none\"", name,
			   s->user ? "password" : "user");
	if (t->n_sessions > 1 && s->policy.interface && !strchr(s->policy.interface, '%'))
		for (const struct conf_session *o = t->session; o < s; o++)
			if (o->policy.interface && !strcmp(o->policy.interface, s->policy.interface))
				conf_error(ld, s->pos, "%s: interface \"%s\" is taken; write %%d for a number", name,
					   s->policy.interface);
	if (!is_ethernet(&s->policy))
		check_giving(ld, s->pos, "tunnel", t->name, &s->policy);
}

void conf_check(struct conf_loader *ld)
{
	struct config *c = ld->c;

	check_overlap(ld);
	check_users(ld);
	check_peers(ld);
	check_networks(ld);
	check_psks(ld);
	for (unsigned i = 0; i < c->n_tunnels; i++) {
		if (is_site(&c->tunnel[i].ipsec))
			continue;
		check_cc(ld, c->tunnel[i].pos, "tunnel", c->tunnel[i].name, &c->tunnel[i].cc);
		check_v3(ld, c->tunnel[i].pos, "tunnel", c->tunnel[i].name, &c->tunnel[i].l2tp, c->tunnel[i].session,
			 c->tunnel[i].n_sessions);
		check_encap(ld, c->tunnel[i].pos, "tunnel", c->tunnel[i].name, &c->tunnel[i].l2tp, &c->tunnel[i].ipsec);
		for (unsigned j = 0; j < c->tunnel[i].n_sessions; j++)
			check_session(ld, &c->tunnel[i], &c->tunnel[i].session[j]);
	}
	for (unsigned i = 0; i < c->n_users; i++)
		exclude(ld, c->user[i].address);
	for (unsigned i = 0; i < c->n_peers; i++)
		exclude(ld, c->peer[i].policy.local_address);
	for (unsigned i = 0; i < c->n_peers; i++)
		for (unsigned j = 0; j < c->peer[i].n_sessions; j++)
			exclude(ld, c->peer[i].session[j].policy.local_address);
	for (unsigned i = 0; i < c->n_tunnels; i++)
		for (unsigned j = 0; j < c->tunnel[i].n_sessions; j++)
			exclude(ld, c->tunnel[i].session[j].policy.local_address);
}
