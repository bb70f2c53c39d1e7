/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sections -> objects.  Each object is filled layer by layer: the table's
 * defaults, the defaults section, its profile, the section itself, and for
 * sessions their own section.  Values were judged before (config_check.c), so
 * that a mistake in a profile is said once and not for every peer. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config_int.h"
#include "core/ipsec_conn.h"

const struct conf_sect *conf_find_sect(const struct conf_loader *ld, enum conf_sec kind, const char *title)
{
	for (unsigned i = 0; i < ld->n_sects; i++)
		if (ld->sect[i].kind == kind && ld->sect[i].title && !strcmp(ld->sect[i].title, title))
			return &ld->sect[i];
	return NULL;
}

const struct conf_val *conf_find_val(const struct conf_sect *s, const char *key)
{
	for (unsigned i = 0; s && i < s->n; i++)
		if (!strcmp(s->val[i].key->name, key))
			return &s->val[i];
	return NULL;
}

void conf_bases_peer(void *base[B_N], struct conf_peer *p)
{
	memset(base, 0, B_N * sizeof(*base));
	base[B_PEER] = p;
	base[B_POLICY] = &p->policy;
	base[B_IPSEC] = &p->ipsec;
	base[B_CC] = &p->cc;
	base[B_L2TP] = &p->l2tp;
	base[B_LIMITS] = &p->limits;
}

void conf_bases_tunnel(void *base[B_N], struct conf_tunnel *t)
{
	memset(base, 0, B_N * sizeof(*base));
	base[B_TUNNEL] = t;
	base[B_IPSEC] = &t->ipsec;
	base[B_CC] = &t->cc;
	base[B_L2TP] = &t->l2tp;
}

void conf_bases_session(void *base[B_N], struct conf_session *s)
{
	memset(base, 0, B_N * sizeof(*base));
	base[B_SESSION] = s;
	base[B_POLICY] = &s->policy;
}

/* The section's own keys, and those of its limits. */
static void apply(const struct conf_loader *ld, const struct conf_sect *s, void *const base[B_N])
{
	const struct conf_sect *end = ld->sect + ld->n_sects, *sub;
	char err[128];

	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++)
		conf_set(s->val[i].key, s->val[i].text, s->val[i].index, base, err, sizeof(err));
	for (sub = s + 1; sub < end && sub->parent == (int)(s - ld->sect); sub++)
		if (sub->kind == SEC_LIMITS)
			apply(ld, sub, base);
}

static void apply_layers(const struct conf_loader *ld, const struct conf_sect *s, void *const base[B_N])
{
	const struct conf_val *profile = conf_find_val(s, "profile");

	conf_defaults(base);
	for (unsigned i = 0; i < ld->n_sects; i++)
		if (ld->sect[i].kind == SEC_DEFAULTS)
			apply(ld, &ld->sect[i], base);
	if (profile && profile->text)
		apply(ld, conf_find_sect(ld, SEC_PROFILE, profile->text), base);
	apply(ld, s, base);
}

/* const char * fields of engines' configurations; owned here all the same. */
static void default_name(struct conf_loader *ld, const char **field, const char *name)
{
	if (!*field && name)
		*field = conf_strdup(ld, name);
}

static void finish_policy(struct conf_loader *ld, struct conf_pos pos, struct policy *p, const struct conf_aux *aux,
			  enum conf_role role, const char *our_name)
{
	static const uint8_t all[PPP_AUTH_N] = { PPP_AUTH_MSCHAPV2, PPP_AUTH_CHAP_MD5, PPP_AUTH_PAP };
	const uint8_t *list = aux->auth_given ? aux->auth : all;

	if (!p->role)
		p->role = role;
	if (p->role == ROLE_LNS) {
		memcpy(p->ppp.auth, list, sizeof(p->ppp.auth));
		if (aux->require[0])
			conf_error(ld, pos, "require-authentication is for role = lac; an lns demands what "
				   "authentication lists");
		if (p->auth_password)		/* never in the clear to whoever asks: no PAP */
			memcpy(p->ppp.allow, (uint8_t[]){ PPP_AUTH_MSCHAPV2, PPP_AUTH_CHAP_MD5 }, 2);
	} else {
		if (p->auth_password)
			conf_error(ld, pos, "auth-password is for role = lns; a lac has a user and a password");
		memcpy(p->ppp.allow, list, sizeof(p->ppp.allow));
		memcpy(p->ppp.auth, aux->require, sizeof(p->ppp.auth));
	}
	p->ppp.take = aux->addresses ? aux->addresses == 2 : p->role == ROLE_LAC;
	default_name(ld, &p->ppp.auth_name, our_name);
}

/* L2TPv3 beyond its keys: once the sessions are known, too.  Keys that would be obeyed by nobody are mistakes where they
 * stand; inherited ones may wait for somebody who needs them. */
static void finish_l2tp(struct conf_loader *ld, const struct conf_sect *s, struct conf_l2tp *l, const struct cc_conf *cc,
			const struct conf_session *session, unsigned n)
{
	const struct conf_sect *end = ld->sect + ld->n_sects;

	for (const struct conf_sect *sub = s; sub < end && (sub == s || sub->parent == (int)(s - ld->sect)); sub++)
		for (unsigned i = 0; i < sub->n && l->version == 2; i++)
			if (conf_is_v3(sub->val[i].key))
				conf_error(ld, (struct conf_pos){ sub->pos.file, sub->val[i].line },
					   "%s means nothing without version = 3", sub->val[i].key->name);
	l->v3.cc = *cc;
	if (l->digest == DIGEST_NONE)
		l->v3.cc.secret = (struct span){ NULL, 0 };
	l->v3.digest = l->digest == DIGEST_SHA1 ? V3_HMAC_SHA1 : V3_HMAC_MD5;
	l->v3.router_id = ntohl(ld->c->router_id);
	for (const char *c = ld->c->host_name; c && *c && !ld->c->router_id; c++)
		l->v3.router_id = l->v3.router_id * 31 + (unsigned char)*c;
	for (unsigned i = 0; i < n; i++)
		l->v3.pw_caps |= 1u << session[i].policy.pseudowire;
}

static void merge_global(struct conf_loader *ld)
{
	void *base[B_N] = { [B_GLOBAL] = ld->c };
	char name[256] = "";

	conf_defaults(base);
	for (unsigned i = 0; i < ld->n_sects; i++)
		if (ld->sect[i].kind == SEC_TOP)
			apply(ld, &ld->sect[i], base);
	if (ld->c->host_name)
		return;
	if (gethostname(name, sizeof(name) - 1) || !name[0])
		strcpy(name, "ktund");
	ld->c->host_name = conf_strdup(ld, name);
}

static char *pem(struct conf_loader *ld, const struct conf_sect *s, const char *key, const char *path, enum conf_pem kind)
{
	const struct conf_val *own = conf_find_val(s, key);
	char err[200], *text = path ? conf_read_pem(ld, path, kind, err, sizeof(err)) : NULL;

	if (path && !text)
		conf_error(ld, (struct conf_pos){ s->pos.file, own ? own->line : s->pos.line }, "%s = %s: %s", key, path, err);
	return text;
}

/* A tunnel without L2TP has networks, and nothing that is L2TP's. */
static void finish_site(struct conf_loader *ld, const struct conf_sect *s, const struct conf_ipsec *p)
{
	const struct conf_sect *end = ld->sect + ld->n_sects;

	for (const struct conf_sect *sub = s + 1; is_site(p) && sub < end && sub->parent == (int)(s - ld->sect); sub++)
		conf_error(ld, sub->pos, "%s means nothing with mode = tunnel, where there is no L2TP", conf_sec_name(sub->kind));
	for (unsigned i = 0; i < s->n; i++) {
		const struct conf_val *v = &s->val[i];
		struct conf_pos pos = { s->pos.file, v->line };

		if (v->index)
			continue;
		if (is_site(p) && conf_is_l2tp(v->key))
			conf_error(ld, pos, "%s means nothing with mode = tunnel, where there is no L2TP", v->key->name);
		if (!is_site(p) && v->key->kind == K_NETWORKS)
			conf_error(ld, pos, "%s means nothing without mode = tunnel; route sends prefixes through a session's link",
				   v->key->name);
	}
	if (is_site(p) && (!p->networks || !p->local_networks))
		conf_error(ld, s->pos, "%s \"%s\": mode = tunnel needs networks, behind the other end, and local-networks, "
			   "behind us", conf_sec_name(s->kind), s->title);
}

/* Keys that would be obeyed by nobody are mistakes where they stand in the section itself; inherited ones may wait for
 * somebody who needs them. */
static void finish_ipsec(struct conf_loader *ld, const struct conf_sect *s, struct conf_ipsec *p)
{
	for (unsigned i = 0; i < s->n && !p->required; i++)
		if (conf_is_ipsec(s->val[i].key))
			conf_error(ld, (struct conf_pos){ s->pos.file, s->val[i].line },
				   "%s means nothing without ipsec = required", s->val[i].key->name);
	if (!p->required)
		return;
	finish_site(ld, s, p);
	if (!p->psk && !p->certificate)
		conf_error(ld, s->pos, "%s \"%s\": ipsec = required, the default, needs a psk or a certificate; "
			   "L2TP alone is ipsec = none", conf_sec_name(s->kind), s->title);
	if (p->psk && p->certificate)
		conf_error(ld, s->pos, "%s \"%s\" has a psk and a certificate: which is it to be?",
			   conf_sec_name(s->kind), s->title);
	if (!p->certificate != !p->private_key || !p->certificate != !p->ca)
		conf_error(ld, s->pos, "%s \"%s\": certificate, private-key and ca go together",
			   conf_sec_name(s->kind), s->title);
	if (p->crl && !p->certificate)
		conf_error(ld, s->pos, "%s \"%s\": a crl is for certificates, not for a psk",
			   conf_sec_name(s->kind), s->title);
	p->certificate_pem = pem(ld, s, "certificate", p->certificate, PEM_CERTIFICATE);
	p->private_key_pem = pem(ld, s, "private-key", p->private_key, PEM_KEY);
	p->ca_pem = pem(ld, s, "ca", p->ca, PEM_CERTIFICATE);
	p->crl_pem = pem(ld, s, "crl", p->crl, PEM_CRL);
	if (ipsec_certs(p) > IPSEC_MAX_CERTS)
		conf_error(ld, s->pos, "%s \"%s\": more than %d certificates behind our own and lists of revoked ones",
			   conf_sec_name(s->kind), s->title, IPSEC_MAX_CERTS);
}

/* The sessions of a peer or tunnel; the first of a tunnel without any is its own keys. */
static void merge_sessions(struct conf_loader *ld, const struct conf_sect *s, enum conf_role role, const struct conf_l2tp *l,
			   const struct cc_conf *cc, struct conf_session **ret, unsigned *ret_n)
{
	const struct conf_sect *end = ld->sect + ld->n_sects;
	bool implicit = s->kind == SEC_TUNNEL;
	unsigned n = 0;

	for (const struct conf_sect *sub = s + 1; sub < end && sub->parent == (int)(s - ld->sect); sub++)
		n += sub->kind == SEC_SESSION;
	*ret = calloc(n ? n : 1, sizeof(**ret));
	if (!*ret) {
		ld->oom = true;
		return;
	}
	for (const struct conf_sect *sub = s; sub < end && (sub == s || sub->parent == (int)(s - ld->sect)); sub++) {
		const struct conf_sect *own = sub == s ? NULL : sub;
		struct conf_session *session = *ret + *ret_n;
		struct conf_aux aux = { .addresses = 0 };
		void *base[B_N];

		if (own ? own->kind != SEC_SESSION : n || !implicit)
			continue;
		++*ret_n;
		conf_bases_session(base, session);
		base[B_AUX] = &aux;
		session->pos = own ? own->pos : s->pos;
		session->name = conf_strdup(ld, own ? own->title : "");
		apply_layers(ld, s, base);
		apply(ld, own, base);
		finish_policy(ld, session->pos, &session->policy, &aux, role, cc->host_name);
		if (l->version == 2)
			session->policy.pseudowire = 0;
		else if (!session->policy.pseudowire)
			session->policy.pseudowire = V3_PW_ETHERNET;
		for (unsigned i = 0; own && i < own->n; i++)
			if (session->policy.pseudowire == V3_PW_PPP && conf_is_ethernet(own->val[i].key))
				conf_error(ld, (struct conf_pos){ own->pos.file, own->val[i].line },
					   "%s means nothing with pseudowire = ppp", own->val[i].key->name);
		if (l->version == 3 && !session->remote_end_id && session->name && *session->name)
			session->remote_end_id = conf_strdup(ld, session->name);
	}
}

/* The table to find them by Remote End ID, which tells circuits apart, and callers whatever they call. */
static void index_sessions(struct conf_loader *ld, bool called, struct conf_session *list, unsigned n, struct conf_session **ret)
{
	for (unsigned i = 0; i < n; i++) {
		const char *id = list[i].remote_end_id;
		const struct conf_session *first = id ? config_session(*ret, id, strlen(id)) : NULL;

		if (first && (called || is_ethernet(&list[i].policy)))
			conf_error(ld, list[i].pos, "remote-end-id \"%s\" is given twice (first in %s:%u)", id, first->pos.file,
				   first->pos.line);
		if (!id || first)
			continue;
		HASH_ADD_KEYPTR(by_end_id, *ret, id, strlen(id), &list[i]);
		ld->oom |= !list[i].by_end_id.tbl;	/* HASH_NONFATAL_OOM: it was not added */
	}
}

static void merge_peer(struct conf_loader *ld, const struct conf_sect *s, struct conf_peer *p)
{
	struct conf_aux aux = { .addresses = 0 };
	void *base[B_N];

	conf_bases_peer(base, p);
	base[B_AUX] = &aux;
	p->pos = s->pos;
	p->name = conf_strdup(ld, s->title);
	apply_layers(ld, s, base);
	finish_ipsec(ld, s, &p->ipsec);
	default_name(ld, &p->cc.host_name, ld->c->host_name);
	finish_policy(ld, s->pos, &p->policy, &aux, ROLE_LNS, p->cc.host_name);
	merge_sessions(ld, s, ROLE_LNS, &p->l2tp, &p->cc, &p->session, &p->n_sessions);
	if (p->l2tp.version == 3)
		index_sessions(ld, true, p->session, p->n_sessions, &p->by_end_id);
	finish_l2tp(ld, s, &p->l2tp, &p->cc, p->session, p->n_sessions);
}

static void merge_tunnel(struct conf_loader *ld, const struct conf_sect *s, struct conf_tunnel *t)
{
	void *base[B_N];

	conf_bases_tunnel(base, t);
	t->pos = s->pos;
	t->name = conf_strdup(ld, s->title);
	apply_layers(ld, s, base);
	finish_ipsec(ld, s, &t->ipsec);
	default_name(ld, &t->cc.host_name, ld->c->host_name);
	if (t->redial_max_ms < t->redial_min_ms)
		conf_error(ld, s->pos, "redial-max is less than redial-min");
	merge_sessions(ld, s, ROLE_LAC, &t->l2tp, &t->cc, &t->session, &t->n_sessions);
	if (t->l2tp.version == 3)
		index_sessions(ld, false, t->session, t->n_sessions, &t->by_end_id);
	finish_l2tp(ld, s, &t->l2tp, &t->cc, t->session, t->n_sessions);
}

static int by_user(const void *a, const void *b)
{
	return strcmp(((const struct conf_user *)a)->name, ((const struct conf_user *)b)->name);
}

/* More specific is smaller; the pointers are in file order. */
static int by_match(const void *a, const void *b)
{
	const struct conf_peer *x = *(struct conf_peer *const *)a, *y = *(struct conf_peer *const *)b;
	int px = x->remote_name ? 129 : x->address.family ? x->address.prefix_len : -1;
	int py = y->remote_name ? 129 : y->address.family ? y->address.prefix_len : -1;

	if (!x->host_name != !y->host_name)
		return x->host_name ? -1 : 1;
	if (px != py)
		return px > py ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void sort_peers(struct conf_loader *ld)
{
	struct config *c = ld->c;
	struct conf_peer **order = calloc(c->n_peers + 1, sizeof(struct conf_peer *));
	struct conf_peer *sorted = calloc(c->n_peers + 1, sizeof(*sorted));

	if (order && sorted) {
		for (unsigned i = 0; i < c->n_peers; i++)
			order[i] = &c->peer[i];
		qsort(order, c->n_peers, sizeof(*order), by_match);
		for (unsigned i = 0; i < c->n_peers; i++)
			sorted[i] = *order[i];
		free(c->peer);
		c->peer = sorted;
	} else {
		ld->oom = true;
		free(sorted);
	}
	free(order);
}

static void *array(struct conf_loader *ld, enum conf_sec kind, size_t elem)
{
	size_t n = 0;
	void *p;

	for (unsigned i = 0; i < ld->n_sects; i++)
		n += ld->sect[i].kind == kind;
	p = calloc(n + 1, elem);
	if (!p)
		ld->oom = true;
	return p;
}

void conf_merge(struct conf_loader *ld)
{
	struct config *c = ld->c;

	merge_global(ld);
	c->listen = array(ld, SEC_LISTEN, sizeof(*c->listen));
	c->pool = array(ld, SEC_POOL, sizeof(*c->pool));
	c->user = array(ld, SEC_USER, sizeof(*c->user));
	c->peer = array(ld, SEC_PEER, sizeof(*c->peer));
	c->tunnel = array(ld, SEC_TUNNEL, sizeof(*c->tunnel));
	for (unsigned i = 0; i < ld->n_sects && !ld->oom; i++) {
		const struct conf_sect *s = &ld->sect[i];
		void *base[B_N] = { NULL };
		struct addr a = { .family = 0 };

		switch (s->kind) {
		case SEC_LISTEN:
			if (!conf_addr(s->title, &a))
				break;
			base[B_LISTEN] = &c->listen[c->n_listens];
			c->listen[c->n_listens].addr = a;
			c->listen[c->n_listens++].pos = s->pos;
			conf_defaults(base);
			apply(ld, s, base);
			break;
		case SEC_POOL:
			base[B_POOL] = &c->pool[c->n_pools];
			c->pool[c->n_pools].name = conf_strdup(ld, s->title);
			c->pool[c->n_pools++].pos = s->pos;
			apply(ld, s, base);
			break;
		case SEC_USER:
			base[B_USER] = &c->user[c->n_users];
			c->user[c->n_users].name = conf_strdup(ld, s->title);
			c->user[c->n_users++].pos = s->pos;
			conf_defaults(base);
			apply(ld, s, base);
			break;
		case SEC_PEER:
			merge_peer(ld, s, &c->peer[c->n_peers++]);
			break;
		case SEC_TUNNEL:
			merge_tunnel(ld, s, &c->tunnel[c->n_tunnels++]);
			break;
		case SEC_TOP: case SEC_DEFAULTS: case SEC_PROFILE: case SEC_SESSION: case SEC_LIMITS: case SEC_N:
			break;
		}
	}
	if (ld->oom)
		return;
	qsort(c->user, c->n_users, sizeof(*c->user), by_user);
	sort_peers(ld);
}
