/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/config_diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "core/config_int.h"

struct name { UT_hash_handle hh; int index; bool met; const char *key; };

static const char *const what_name[] = { "global", "listen", "pool", "user", "peer", "tunnel", "session" };
static const char *const change_name[] = { "unchanged", "added", "changed", "removed" };

struct diff { const struct config *a, *b; struct conf_plan *plan; bool oom; };

static void add(struct diff *d, enum conf_change kind, enum conf_what what, const char *name, const char *text, int was, int is)
{
	struct conf_plan *p = d->plan;

	if (p->n == p->size) {
		unsigned size = p->size ? p->size * 2 : 16;
		struct conf_item *more = reallocarray(p->item, size, sizeof(*more));

		if (!more) {
			d->oom = true;
			return;
		}
		p->item = more;
		p->size = size;
	}
	p->item[p->n] = (struct conf_item){ kind, what, strdup(name), strdup(text), was, is };
	if (!p->item[p->n].name || !p->item[p->n].text)
		d->oom = true;
	p->n++;
}

static void list_auth(FILE *out, const uint8_t *list)
{
	static const char *const name[PPP_AUTH_N] = { "none", "pap", "chap", "mschapv2" };

	if (!list[0])
		fputs("none", out);
	for (unsigned i = 0; i < PPP_AUTH_N && list[i]; i++)
		fprintf(out, "%s%s", i ? " " : "", list[i] < PPP_AUTH_N ? name[list[i]] : "?");
}

static void auth_diff(FILE *out, const char **sep, const char *key, const uint8_t *a, const uint8_t *b)
{
	if (!memcmp(a, b, PPP_AUTH_N))
		return;
	fprintf(out, "%s%s: ", *sep, key);
	list_auth(out, a);
	fputs(" -> ", out);
	list_auth(out, b);
	*sep = "; ";
}

/* A file may have other contents under the same name: a renewed certificate. */
static void file_diff(FILE *out, const char **sep, const char *key, const char *a, const char *b)
{
	if (!a || !b || !strcmp(a, b))
		return;
	fprintf(out, "%s%s (the file)", *sep, key);
	*sep = "; ";
}

/* The keys that differ, as text for people; NULL without memory. */
static char *differences(void *const a[B_N], void *const b[B_N])
{
	const struct policy *pa = a[B_POLICY], *pb = b[B_POLICY];
	const struct conf_ipsec *ia = a[B_IPSEC], *ib = b[B_IPSEC];
	char *text = NULL, x[300], y[300];
	const char *sep = "";
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (pa) {
		auth_diff(out, &sep, pa->role == ROLE_LAC ? "require-authentication" : "authentication",
			  pa->ppp.auth, pb->ppp.auth);
		auth_diff(out, &sep, "authentication", pa->ppp.allow, pb->ppp.allow);
		if (pa->ppp.take != pb->ppp.take) {
			fprintf(out, "%saddresses: %s -> %s", sep, pa->ppp.take ? "take" : "give", pb->ppp.take ? "take" : "give");
			sep = "; ";
		}
	}
	for (unsigned i = 0; i < conf_n_keys; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (!a[k->base] || !b[k->base] || conf_same(k, a, b))
			continue;
		if (k->kind == K_SECRET || k->kind == K_SPAN)
			fprintf(out, "%s%s", sep, k->name);
		else
			fprintf(out, "%s%s: %s -> %s", sep, k->name, conf_show(k, a, x, sizeof(x)), conf_show(k, b, y, sizeof(y)));
		sep = "; ";
	}
	if (ia && ib) {
		file_diff(out, &sep, "certificate", ia->certificate_pem, ib->certificate_pem);
		file_diff(out, &sep, "private-key", ia->private_key_pem, ib->private_key_pem);
		file_diff(out, &sep, "ca", ia->ca_pem, ib->ca_pem);
		file_diff(out, &sep, "crl", ia->crl_pem, ib->crl_pem);
	}
	fclose(out);
	return text;
}

static void compare(struct diff *d, enum conf_what what, const char *name, void *const a[B_N], void *const b[B_N], int was, int is)
{
	char *text = differences(a, b);

	if (text)
		add(d, *text ? CONF_CHANGED : CONF_UNCHANGED, what, name, text, was, is);
	else
		d->oom = true;
	free(text);
}

static void compare_global(struct diff *d)
{
	struct config a = *d->a, b = *d->b;
	void *x[B_N] = { [B_GLOBAL] = &a }, *y[B_N] = { [B_GLOBAL] = &b };
	char s[300], t[300], text[640];

	for (unsigned i = 0; i < conf_n_keys; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (k->base != B_GLOBAL || conf_same(k, x, y))
			continue;
		snprintf(text, sizeof(text), "%s -> %s", conf_show(k, x, s, sizeof(s)), conf_show(k, y, t, sizeof(t)));
		add(d, CONF_CHANGED, CONF_GLOBAL, k->name, text, 0, 0);
	}
}

static bool same_listen(const struct conf_listen *a, const struct conf_listen *b)
{
	return a->encap == b->encap && !memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

static void compare_listens(struct diff *d)
{
	char name[80], host[64];

	for (int pass = 0; pass < 2; pass++) {
		const struct config *a = pass ? d->b : d->a, *b = pass ? d->a : d->b;

		for (unsigned i = 0; i < a->n_listens; i++) {
			unsigned j = 0;

			while (j < b->n_listens && !same_listen(&a->listen[i], &b->listen[j]))
				j++;
			conf_addr_str(&a->listen[i].addr, host, sizeof(host));
			if (a->listen[i].encap == ENCAP_IP)
				snprintf(name, sizeof(name), "%s over IP", host);
			else
				snprintf(name, sizeof(name), "%s port %u", host, a->listen[i].addr.port);
			if (j == b->n_listens)
				add(d, pass ? CONF_ADDED : CONF_REMOVED, CONF_LISTENER, name, "", pass ? -1 : (int)i,
				    pass ? (int)i : -1);
			else if (!pass)
				add(d, CONF_UNCHANGED, CONF_LISTENER, name, "", (int)i, (int)j);
		}
	}
}

/* Objects with a name, of one kind: how many, their names, where their fields are. */
struct kind {
	enum conf_what what;
	unsigned (*count)(const void *where);
	const char *(*name)(const void *where, unsigned i);
	void (*bases)(const void *where, unsigned i, void *base[B_N]);
};

/* Comparing only reads; the table's bases are written to elsewhere and so not const. */
static void *plain(const void *p)
{
	return (void *)(uintptr_t)p;
}

struct session_list { const struct conf_session *session; unsigned n; };

static unsigned n_pools(const void *c) { return ((const struct config *)c)->n_pools; }
static unsigned n_users(const void *c) { return ((const struct config *)c)->n_users; }
static unsigned n_peers(const void *c) { return ((const struct config *)c)->n_peers; }
static unsigned n_tunnels(const void *c) { return ((const struct config *)c)->n_tunnels; }
static unsigned n_sessions(const void *l) { return ((const struct session_list *)l)->n; }
static const char *pool_name(const void *c, unsigned i) { return ((const struct config *)c)->pool[i].name; }
static const char *user_name(const void *c, unsigned i) { return ((const struct config *)c)->user[i].name; }
static const char *peer_name(const void *c, unsigned i) { return ((const struct config *)c)->peer[i].name; }
static const char *tunnel_name(const void *c, unsigned i) { return ((const struct config *)c)->tunnel[i].name; }
static const char *session_name(const void *l, unsigned i) { return ((const struct session_list *)l)->session[i].name; }

static void pool_bases(const void *c, unsigned i, void *base[B_N])
{
	base[B_POOL] = plain(&((const struct config *)c)->pool[i]);
}

static void user_bases(const void *c, unsigned i, void *base[B_N])
{
	base[B_USER] = plain(&((const struct config *)c)->user[i]);
}

static void peer_bases(const void *c, unsigned i, void *base[B_N])
{
	conf_bases_peer(base, plain(&((const struct config *)c)->peer[i]));
}

static void tunnel_bases(const void *c, unsigned i, void *base[B_N])
{
	conf_bases_tunnel(base, plain(&((const struct config *)c)->tunnel[i]));
}

static void session_bases(const void *l, unsigned i, void *base[B_N])
{
	conf_bases_session(base, plain(&((const struct session_list *)l)->session[i]));
}

static const struct kind pools = { CONF_POOL, n_pools, pool_name, pool_bases };
static const struct kind users = { CONF_USER, n_users, user_name, user_bases };
static const struct kind peers = { CONF_PEER, n_peers, peer_name, peer_bases };
static const struct kind tunnels = { CONF_TUNNEL, n_tunnels, tunnel_name, tunnel_bases };
static const struct kind sessions = { CONF_SESSION, n_sessions, session_name, session_bases };

static void compare_named(struct diff *d, const struct kind *k, const char *prefix, const void *a, const void *b);

/* Those of a peer or a tunnel; i < 0: it is not there. */
static struct session_list sessions_of(const struct config *c, enum conf_what what, int i)
{
	if (i < 0)
		return (struct session_list){ NULL, 0 };
	if (what == CONF_PEER)
		return (struct session_list){ c->peer[i].session, c->peer[i].n_sessions };
	return (struct session_list){ c->tunnel[i].session, c->tunnel[i].n_sessions };
}

static void compare_sessions(struct diff *d, enum conf_what what, const char *name, int was, int is)
{
	struct session_list a = sessions_of(d->a, what, was), b = sessions_of(d->b, what, is);

	char of[80];

	snprintf(of, sizeof(of), "%s%s", what == CONF_PEER ? "peer " : "", name);
	compare_named(d, &sessions, of, &a, &b);
}

/* Old ones in their order, then what is new. */
static void compare_named(struct diff *d, const struct kind *k, const char *prefix, const void *a, const void *b)
{
	struct name *table = NULL, *all = calloc(k->count(b) + 1, sizeof(*all)), *n;
	char name[512];

	if (!all) {
		d->oom = true;
		return;
	}
	for (unsigned i = 0; i < k->count(b); i++) {
		all[i].key = k->name(b, i);
		all[i].index = (int)i;
		HASH_ADD_KEYPTR(hh, table, all[i].key, strlen(all[i].key), &all[i]);
	}
	if (HASH_COUNT(table) != k->count(b))
		d->oom = true;
	for (unsigned i = 0; i < k->count(a) && !d->oom; i++) {
		void *x[B_N] = { NULL }, *y[B_N] = { NULL };

		snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "/" : "", k->name(a, i));
		HASH_FIND_STR(table, k->name(a, i), n);
		if (n) {
			n->met = true;
			k->bases(a, i, x);
			k->bases(b, (unsigned)n->index, y);
			compare(d, k->what, name, x, y, (int)i, n->index);
		} else {
			add(d, CONF_REMOVED, k->what, name, "", (int)i, -1);
		}
		if (k->what == CONF_TUNNEL || k->what == CONF_PEER)
			compare_sessions(d, k->what, k->name(a, i), (int)i, n ? n->index : -1);
	}
	for (unsigned i = 0; i < k->count(b) && !d->oom; i++) {
		if (all[i].met)
			continue;
		snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "/" : "", all[i].key);
		add(d, CONF_ADDED, k->what, name, "", -1, (int)i);
		if (k->what == CONF_TUNNEL || k->what == CONF_PEER)
			compare_sessions(d, k->what, all[i].key, -1, (int)i);
	}
	HASH_CLEAR(hh, table);
	free(all);
}

int config_diff(const struct config *old, const struct config *new_, struct conf_plan *plan)
{
	struct diff d = { old, new_, plan, false };

	compare_global(&d);
	compare_listens(&d);
	compare_named(&d, &pools, "", old, new_);
	compare_named(&d, &users, "", old, new_);
	compare_named(&d, &peers, "", old, new_);
	compare_named(&d, &tunnels, "", old, new_);
	if (!d.oom)
		return 0;
	conf_plan_done(plan);
	return -ENOMEM;
}

unsigned conf_plan_changes(const struct conf_plan *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += p->item[i].kind != CONF_UNCHANGED;
	return n;
}

char *conf_plan_text(const struct conf_plan *p, bool all)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (unsigned i = 0; i < p->n; i++) {
		const struct conf_item *it = &p->item[i];

		if (it->kind == CONF_UNCHANGED && (!all || it->what == CONF_USER))
			continue;
		fprintf(out, "%s %s %s%s%s\n", change_name[it->kind], what_name[it->what], it->name,
			*it->text ? ": " : "", it->text);
	}
	fclose(out);
	return text;
}

void conf_plan_done(struct conf_plan *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		free(p->item[i].name);
		free(p->item[i].text);
	}
	free(p->item);
	*p = (struct conf_plan){ 0 };
}
