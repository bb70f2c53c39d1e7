/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads a configuration, whole or not at all, and answers questions about it. */
#include "core/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/config_int.h"

enum { MAX_MISTAKES = 100 };

void *conf_grow(struct conf_loader *ld, void *array, unsigned *n, unsigned *size, size_t elem)
{
	if (*n == *size) {
		unsigned want = *size ? *size * 2 : 8;
		void *more = reallocarray(array, want, elem);

		if (!more) {
			ld->oom = true;
			return NULL;
		}
		array = more;
		*size = want;
	}
	memset((uint8_t *)array + *n * elem, 0, elem);
	(*n)++;
	return array;
}

char *conf_strdup(struct conf_loader *ld, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		ld->oom = true;
	return copy;
}

/* Titles and keys come from the file: no control characters in what we print of them. */
static void printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}

void conf_error(struct conf_loader *ld, struct conf_pos pos, const char *fmt, ...)
{
	struct conf_mistake *grown;
	char text[512];
	unsigned source = 0, seq = ld->n_mistakes;
	va_list ap;

	if (ld->n_mistakes >= MAX_MISTAKES) {
		ld->more++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printable(text);
	while (source < ld->c->n_sources && ld->c->source[source] != pos.file)
		source++;
	grown = conf_grow(ld, ld->mistake, &ld->n_mistakes, &ld->mistakes_size, sizeof(*grown));
	if (!grown)
		return;
	ld->mistake = grown;
	grown[ld->n_mistakes - 1] = (struct conf_mistake){ source, pos.line, seq, conf_strdup(ld, text) };
}

static int by_place(const void *a, const void *b)
{
	const struct conf_mistake *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

/* In the order of the files; a line that was said twice is said once. */
static char *all_mistakes(struct conf_loader *ld)
{
	char *out = NULL;
	size_t size = 0;
	FILE *fp = open_memstream(&out, &size);

	if (!fp)
		return NULL;
	qsort(ld->mistake, ld->n_mistakes, sizeof(*ld->mistake), by_place);
	for (unsigned i = 0; i < ld->n_mistakes; i++) {
		const struct conf_mistake *m = &ld->mistake[i];
		bool again = false;

		for (unsigned j = i; j-- > 0 && ld->mistake[j].source == m->source && ld->mistake[j].line == m->line; )
			again |= ld->mistake[j].text && m->text && !strcmp(ld->mistake[j].text, m->text);
		if (m->text && !again)
			fprintf(fp, "%s:%u: %s\n", m->source < ld->c->n_sources ? ld->c->source[m->source] : "?", m->line,
				m->text);
	}
	if (ld->more)
		fprintf(fp, "%s:1: and %u more mistakes\n", ld->c->n_sources ? ld->c->source[0] : "?", ld->more);
	fclose(fp);
	return out;
}

static void loader_done(struct conf_loader *ld)
{
	conf_parser_free(ld);
	for (unsigned i = 0; i < ld->n_sects; i++) {
		for (unsigned j = 0; j < ld->sect[i].n; j++)
			conf_wipe(ld->sect[i].val[j].text);
		free(ld->sect[i].val);
		free(ld->sect[i].title);
	}
	free(ld->sect);
	for (unsigned i = 0; i < ld->n_mistakes; i++)
		free(ld->mistake[i].text);
	free(ld->mistake);
}

int config_load(const char *file, const struct conf_opener *opener, struct config **ret, char **ret_errors)
{
	struct conf_loader ld = { .opener = opener, .c = calloc(1, sizeof(*ld.c)) };
	int err = 0;

	if (ret_errors)
		*ret_errors = NULL;
	if (!ld.c)
		return -ENOMEM;
	ld.c->file = conf_strdup(&ld, file);
	if (conf_parser_new(&ld))
		ld.oom = true;
	if (!ld.oom)
		err = conf_read(&ld, file);
	if (!err && !ld.oom)
		conf_check_sections(&ld);
	if (!err && !ld.oom)
		conf_merge(&ld);
	if (!err && !ld.oom)
		conf_check(&ld);
	if (!err && ld.oom)
		err = -ENOMEM;
	if (!err && ld.n_mistakes) {
		err = -EINVAL;
		if (ret_errors)
			*ret_errors = all_mistakes(&ld);
	}
	loader_done(&ld);
	if (err)
		config_free(ld.c);
	else
		*ret = ld.c;
	return err;
}

static void free_session(struct conf_session *s)
{
	void *base[B_N] = { NULL };

	conf_bases_session(base, s);
	conf_clear(base);
	free(s->name);
}

static void wipe_pem(struct conf_ipsec *p)
{
	conf_wipe(p->certificate_pem);
	conf_wipe(p->private_key_pem);
	conf_wipe(p->ca_pem);
	conf_wipe(p->crl_pem);
}

void config_free(struct config *c)
{
	void *base[B_N] = { NULL };

	if (!c)
		return;
	base[B_GLOBAL] = c;
	conf_clear(base);
	for (unsigned i = 0; i < c->n_pools; i++) {
		free(c->pool[i].name);
		free(c->pool[i].range);
	}
	for (unsigned i = 0; i < c->n_users; i++) {
		free(c->user[i].name);
		conf_wipe(c->user[i].password);
	}
	for (unsigned i = 0; i < c->n_peers; i++) {
		wipe_pem(&c->peer[i].ipsec);
		conf_bases_peer(base, &c->peer[i]);
		conf_clear(base);
		for (unsigned j = 0; j < c->peer[i].n_sessions; j++)
			free_session(&c->peer[i].session[j]);
		HASH_CLEAR(by_end_id, c->peer[i].by_end_id);
		free(c->peer[i].session);
		free(c->peer[i].name);
		free(c->peer[i].resolved);
	}
	for (unsigned i = 0; i < c->n_tunnels; i++) {
		struct conf_tunnel *t = &c->tunnel[i];

		wipe_pem(&t->ipsec);
		conf_bases_tunnel(base, t);
		conf_clear(base);
		for (unsigned j = 0; j < t->n_sessions; j++)
			free_session(&t->session[j]);
		HASH_CLEAR(by_end_id, t->by_end_id);
		free(t->session);
		free(t->name);
	}
	for (unsigned i = 0; i < c->n_sources; i++)
		free(c->source[i]);
	free(c->source);
	free(c->listen);
	free(c->pool);
	free(c->user);
	free(c->peer);
	free(c->tunnel);
	free(c->file);
	free(c);
}

const struct conf_pool *config_pool(const struct config *c, const char *name)
{
	for (unsigned i = 0; name && i < c->n_pools; i++)
		if (!strcmp(c->pool[i].name, name))
			return &c->pool[i];
	return NULL;
}

const struct conf_session *config_session(const struct conf_session *table, const void *end_id, size_t n)
{
	const struct conf_session *s;

	HASH_FIND(by_end_id, table, end_id, n, s);
	return s;
}

const struct conf_user *config_user(const struct config *c, const void *name, size_t len)
{
	unsigned lo = 0, hi = c->n_users;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		const char *have = c->user[mid].name;
		size_t n = strlen(have);
		int cmp = memcmp(name, have, len < n ? len : n);

		if (!cmp && len == n)
			return &c->user[mid];
		if (cmp < 0 || (!cmp && len < n))
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

int config_set_resolved(struct config *c, unsigned peer, const struct addr *addr, unsigned n)
{
	struct addr *copy;

	if (peer >= c->n_peers || !c->peer[peer].remote_name)
		return -EINVAL;
	copy = n ? reallocarray(NULL, n, sizeof(*copy)) : NULL;
	if (n && !copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, addr, n * sizeof(*copy));
	free(c->peer[peer].resolved);
	c->peer[peer].resolved = copy;
	c->peer[peer].n_resolved = n;
	return 0;
}

static bool within(const struct addr *net, unsigned bits, const struct addr *a)
{
	if (net->family != a->family)
		return false;
	if (memcmp(net->a, a->a, bits / 8))
		return false;
	return bits % 8 == 0 || !((net->a[bits / 8] ^ a->a[bits / 8]) >> (8 - bits % 8));
}

int config_match_peer(const struct config *c, unsigned version, unsigned encap, const struct addr *from, const char *host_name)
{
	for (unsigned i = 0; i < c->n_peers; i++) {
		const struct conf_peer *p = &c->peer[i];
		bool match = !p->address.family && !p->remote_name;

		if (is_site(&p->ipsec) || p->l2tp.version != version || p->l2tp.encap != encap ||
		    (p->host_name && (!host_name || strcasecmp(p->host_name, host_name))))
			continue;
		if (p->address.family)
			match = within(&p->address, p->address.prefix_len, from);
		for (unsigned j = 0; j < p->n_resolved && !match; j++)
			match = within(&p->resolved[j], p->resolved[j].family == 6 ? 128 : 32, from);
		if (match)
			return (int)i;
	}
	return -1;
}
