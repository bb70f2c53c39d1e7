/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One statement -> sections of (key, text, line), by libConfuse with a schema
 * made from conf_keys.  Values stay text here; config_value.c knows what they
 * mean.  libConfuse gives its callbacks no argument: the search path pointer,
 * which it hands from section to section and which we have no other use for,
 * carries ours. */
#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_int.h"

enum { MAX_RETRIES = 200 };

struct conf_parser {
	struct conf_loader *ld;
	cfg_opt_t *opts[SEC_N];
	cfg_t *cfg;
	struct conf_pos pos;		/* of the statement */
	bool unknown, said;
	unsigned line;			/* of the unknown key, in the statement */
	char name[64], section[32];
};

static const char *const sec_name[SEC_N] = {
	"the top level", "listen", "pool", "user", "defaults", "profile", "peer", "tunnel", "session", "limits",
};

static const struct { enum conf_sec in, is; } nest[] = {
	{ SEC_TOP, SEC_LISTEN }, { SEC_TOP, SEC_POOL }, { SEC_TOP, SEC_USER }, { SEC_TOP, SEC_DEFAULTS },
	{ SEC_TOP, SEC_PROFILE }, { SEC_TOP, SEC_PEER }, { SEC_TOP, SEC_TUNNEL },
	{ SEC_DEFAULTS, SEC_LIMITS }, { SEC_PROFILE, SEC_LIMITS }, { SEC_PEER, SEC_LIMITS },
	{ SEC_TUNNEL, SEC_SESSION }, { SEC_PEER, SEC_SESSION },
};
#define N_NEST (sizeof(nest) / sizeof(nest[0]))

const char *conf_sec_name(enum conf_sec s)
{
	return sec_name[s];
}

static struct conf_parser *parser_of(cfg_t *cfg)
{
	return (struct conf_parser *)(void *)cfg->path;
}

static void free_val(void *p)
{
	struct conf_val *v = p;

	conf_wipe(v->text);
	free(v);
}

/* def.number is the option's own and unused for pointers: the line where it was first seen in this section. */
static int take_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct conf_val *v = calloc(1, sizeof(*v));

	if (!v || !(v->text = strdup(value))) {
		free(v);
		parser_of(cfg)->ld->oom = true;
		return -1;
	}
	v->line = (unsigned)cfg->line;
	v->index = opt->nvalues - 1;
	if (opt->nvalues == 1 && opt->def.number)
		v->first_line = (unsigned)opt->def.number;
	if (!opt->def.number)
		opt->def.number = cfg->line;
	*(void **)result = v;
	return 0;
}

static void take_error(cfg_t *cfg, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void take_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	static const char unknown[] = "no such option '";
	struct conf_parser *p = parser_of(cfg);
	char text[200];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (!strncmp(text, unknown, sizeof(unknown) - 1)) {
		char *end;

		snprintf(p->name, sizeof(p->name), "%.63s", text + sizeof(unknown) - 1);
		end = strrchr(p->name, '\'');
		if (end)
			*end = '\0';
		snprintf(p->section, sizeof(p->section), "%.31s", cfg->name);
		p->unknown = true;
		p->line = (unsigned)cfg->line;
		return;
	}
	p->said = true;
	conf_error(p->ld, (struct conf_pos){ p->pos.file, p->pos.line + (unsigned)cfg->line - 1 }, "%s%s", text,
		   !strncmp(text, "unexpected token", 16) ? "; is a value missing, or a comma in a list?" : "");
}

static bool is_list(const struct conf_key *k)
{
	return k->kind == K_IPV4_LIST || k->kind == K_ROUTES || k->kind == K_RANGES || k->kind == K_AUTH ||
	       k->kind == K_PROPOSALS || k->kind == K_NETWORKS;
}

static cfg_opt_t *make_opts(struct conf_parser *p, enum conf_sec s)
{
	cfg_opt_t *opt = calloc(conf_n_keys + N_NEST + 1, sizeof(*opt));
	unsigned n = 0;

	if (!opt)
		return NULL;
	for (unsigned i = 0; i < conf_n_keys; i++) {
		const struct conf_key *k = &conf_keys[i];
		cfg_opt_t one = CFG_PTR_CB(k->name, 0, CFGF_NODEFAULT, take_value, free_val);

		if (!(k->in & IN(s)))
			continue;
		if (is_list(k))
			one.flags |= CFGF_LIST;
		opt[n++] = one;
	}
	for (unsigned i = 0; i < N_NEST; i++) {
		cfg_opt_t sub = CFG_SEC(sec_name[nest[i].is], p->opts[nest[i].is], CFGF_NODEFAULT);

		if (nest[i].in != s)
			continue;
		if (nest[i].is != SEC_DEFAULTS && nest[i].is != SEC_LIMITS)
			sub.flags |= CFGF_TITLE | CFGF_MULTI | CFGF_NO_TITLE_DUPES;
		opt[n++] = sub;
	}
	opt[n] = (cfg_opt_t)CFG_END();
	return opt;
}

int conf_parser_new(struct conf_loader *ld)
{
	struct conf_parser *p = calloc(1, sizeof(*p));

	ld->parser = p;
	if (!p)
		return -1;
	p->ld = ld;
	for (int s = SEC_N - 1; s >= 0; s--) {		/* inner ones first */
		p->opts[s] = make_opts(p, (enum conf_sec)s);
		if (!p->opts[s])
			return -1;
	}
	return 0;
}

static void drop_cfg(struct conf_parser *p)
{
	if (!p->cfg)
		return;
	p->cfg->path = NULL;
	cfg_free(p->cfg);
	p->cfg = NULL;
}

void conf_parser_free(struct conf_loader *ld)
{
	if (!ld->parser)
		return;
	drop_cfg(ld->parser);
	for (unsigned s = 0; s < SEC_N; s++)
		free(ld->parser->opts[s]);
	free(ld->parser);
	ld->parser = NULL;
}

static unsigned distance(const char *a, const char *b)
{
	unsigned row[65], n = (unsigned)strlen(b);

	if (n > 64)
		return 99;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diag = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned best = diag + (a[i - 1] != b[j - 1]);

			diag = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static enum conf_sec sec_of(const char *name)
{
	for (unsigned s = 1; s < SEC_N; s++)
		if (!strcmp(sec_name[s], name))
			return (enum conf_sec)s;
	return SEC_TOP;
}

/* What would be right: a similar word of this section, or the section where the word belongs. */
static void unknown_key(struct conf_parser *p)
{
	enum conf_sec s = sec_of(p->section);
	struct conf_pos pos = { p->pos.file, p->pos.line + p->line - 1 };
	const char *near = NULL, *home = NULL;
	unsigned best = strlen(p->name) > 5 ? 3 : 2;
	char in[40];

	for (unsigned i = 0; i < conf_n_keys + N_NEST; i++) {
		bool key = i < conf_n_keys;
		const char *name = key ? conf_keys[i].name : sec_name[nest[i - conf_n_keys].is];
		bool here = key ? conf_keys[i].in & IN(s) : nest[i - conf_n_keys].in == s;
		unsigned d = distance(p->name, name);

		if (here && d < best) {
			best = d;
			near = name;
		}
		if (here || d || home)
			continue;
		if (!key)
			home = sec_name[nest[i - conf_n_keys].in];
		else if (conf_keys[i].in & IN(SEC_PROFILE))
			home = sec_name[SEC_PROFILE];
		for (unsigned h = SEC_N; !home && h-- > 0; )
			if (conf_keys[i].in & IN(h))
				home = sec_name[h];
	}
	if (s == SEC_TOP)
		snprintf(in, sizeof(in), "at the top level");
	else
		snprintf(in, sizeof(in), "in a %s section", sec_name[s]);
	if (near)
		conf_error(p->ld, pos, "unknown key \"%s\" %s; did you mean \"%s\"?", p->name, in, near);
	else if (!strcmp(p->name, "include"))
		conf_error(p->ld, pos, "include stands at the top level only");
	else if (home)
		conf_error(p->ld, pos, "\"%s\" does not belong %s; it goes %s%s%s", p->name, in,
			   home == sec_name[SEC_TOP] ? "to " : "into a ", home, home == sec_name[SEC_TOP] ? "" : " section");
	else
		conf_error(p->ld, pos, "unknown key \"%s\" %s", p->name, in);
}

/* Blanks the unknown key and what belongs to it, so that the rest can be judged. */
static bool blank(struct conf_parser *p, char *text, size_t len)
{
	size_t pos = 0;
	unsigned line = 1, depth = 0;
	struct conf_tok t, key = { 0 };

	do {
		t = conf_next(text, len, &pos, &line);
		if (t.type == 'w' && t.line == p->line && t.end - t.start >= strlen(p->name) &&
		    !memcmp(text + t.start + (text[t.start] == '"' || text[t.start] == '\''), p->name, strlen(p->name)))
			key = t;
	} while (t.type && key.type != 'w');
	if (key.type != 'w')
		return false;
	t = conf_next(text, len, &pos, &line);
	if (t.type == '=' || t.type == '+' || t.type == 'w')
		t = conf_next(text, len, &pos, &line);
	if (t.type == '{') {
		for (depth = 1; t.type && depth; ) {
			t = conf_next(text, len, &pos, &line);
			depth += t.type == '{' ? 1 : 0;
			depth -= t.type == '}' ? 1 : 0;
		}
	} else if (t.type != 'w') {
		return false;
	}
	for (size_t i = key.start; i < t.end; i++)
		if (text[i] != '\n')
			text[i] = ' ';
	return true;
}

static unsigned start_line(const cfg_t *sec)
{
	unsigned line = (unsigned)sec->line;

	for (unsigned i = 0; sec->opts[i].name; i++)
		if (sec->opts[i].def.number && (unsigned)sec->opts[i].def.number < line && sec->opts[i].type == CFGT_PTR)
			line = (unsigned)sec->opts[i].def.number;
	return line;
}

static const struct conf_key *key_of(enum conf_sec s, const char *name)
{
	for (unsigned i = 0; i < conf_n_keys; i++)
		if (conf_keys[i].in & IN(s) && !strcmp(conf_keys[i].name, name))
			return &conf_keys[i];
	return NULL;
}

/* A parsed section and those in it -> ld->sect. */
static void harvest(struct conf_parser *p, cfg_t *sec, enum conf_sec kind, int parent, unsigned line)
{
	struct conf_loader *ld = p->ld;
	struct conf_sect *grown = conf_grow(ld, ld->sect, &ld->n_sects, &ld->sects_size, sizeof(*grown)), *s;
	int self = (int)ld->n_sects - 1;
	unsigned size = 0;

	if (!grown)
		return;
	ld->sect = grown;
	s = &ld->sect[self];
	s->kind = kind;
	s->parent = parent;
	s->title = sec->title ? conf_strdup(ld, sec->title) : NULL;
	s->pos = (struct conf_pos){ p->pos.file, line };
	for (unsigned i = 0; sec->opts[i].name; i++) {
		cfg_opt_t *o = &sec->opts[i];

		if (o->type != CFGT_PTR || !(o->flags & CFGF_MODIFIED))
			continue;
		for (unsigned j = 0; j < o->nvalues || (!o->nvalues && !j); j++) {
			struct conf_val *v = o->nvalues ? o->values[j]->ptr : NULL, *to;

			to = conf_grow(ld, s->val, &s->n, &size, sizeof(*to));
			if (!to)
				return;
			s->val = to;
			to = &s->val[s->n - 1];
			to->line = line;
			if (v) {
				*to = *v;
				v->text = NULL;
				to->line += p->pos.line - 1;
				to->first_line += to->first_line ? p->pos.line - 1 : 0;
			}
			to->key = key_of(kind, o->name);
		}
	}
	for (unsigned i = 0; sec->opts[i].name; i++) {
		cfg_opt_t *o = &sec->opts[i];

		for (unsigned j = 0; o->type == CFGT_SEC && j < o->nvalues; j++)
			harvest(p, o->values[j]->section, sec_of(o->name), self,
				p->pos.line + start_line(o->values[j]->section) - 1);
	}
}

/* What one statement at top level left in the root. */
static void harvest_root(struct conf_parser *p)
{
	for (unsigned i = 0; p->cfg->opts[i].name; i++) {
		cfg_opt_t *o = &p->cfg->opts[i];

		if (o->type == CFGT_SEC) {
			for (unsigned j = 0; j < o->nvalues; j++)
				harvest(p, o->values[j]->section, sec_of(o->name), -1, p->pos.line);
			cfg_free_value(o);	/* its own search for equal titles would cost O(n^2) */
		} else if (o->nvalues) {
			struct conf_loader *ld = p->ld;
			struct conf_sect *top = conf_grow(ld, ld->sect, &ld->n_sects, &ld->sects_size, sizeof(*top));

			if (!top)
				return;
			ld->sect = top;
			top = &ld->sect[ld->n_sects - 1];
			top->kind = SEC_TOP;
			top->parent = -1;
			top->pos = p->pos;
			top->val = calloc(1, sizeof(*top->val));
			if (top->val) {
				top->n = 1;
				*top->val = *(struct conf_val *)o->values[0]->ptr;
				top->val->text = conf_strdup(ld, top->val->text);
				top->val->line += p->pos.line - 1;
				top->val->key = key_of(SEC_TOP, o->name);
				top->val->first_line = 0;
			} else {
				ld->oom = true;
			}
			cfg_free_value(o);
			o->def.number = 0;
		}
	}
}

void conf_parse(struct conf_loader *ld, char *text, size_t len, struct conf_pos pos)
{
	struct conf_parser *p = ld->parser;

	p->pos = pos;
	for (unsigned i = 0; i < MAX_RETRIES && !ld->oom; i++) {
		FILE *fp = fmemopen(text, len, "r");
		int err;

		if (!p->cfg)
			p->cfg = cfg_init(p->opts[SEC_TOP], CFGF_NONE);
		if (!fp || !p->cfg) {
			ld->oom = true;
			if (fp)
				fclose(fp);
			return;
		}
		setbuf(fp, NULL);	/* no second copy of secrets that nobody wipes */
		p->cfg->path = (cfg_searchpath_t *)(void *)p;
		cfg_set_error_function(p->cfg, take_error);
		p->unknown = p->said = false;
		err = cfg_parse_fp(p->cfg, fp);
		fclose(fp);
		if (!err) {
			harvest_root(p);
			return;
		}
		drop_cfg(p);
		if (!p->unknown) {
			if (!p->said)
				conf_error(ld, pos, "syntax error");
			return;
		}
		unknown_key(p);
		if (!blank(p, text, len))
			return;
	}
}
