/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the loader share: files become sections (config_read.c,
 * config_parse.c), sections become objects by one table of keys (config_keys.c,
 * config_value.c, config_merge.c), objects are judged together (config_check.c). */
#pragma once

#include "core/config.h"

enum conf_sec {
	SEC_TOP, SEC_LISTEN, SEC_POOL, SEC_USER, SEC_DEFAULTS, SEC_PROFILE, SEC_PEER, SEC_TUNNEL,
	SEC_SESSION, SEC_LIMITS, SEC_N
};

/* Which struct a key's field is in. */
enum conf_base {
	B_GLOBAL, B_LISTEN, B_POOL, B_USER, B_PEER, B_TUNNEL, B_SESSION, B_POLICY, B_CC, B_L2TP, B_LIMITS,
	B_IPSEC, B_AUX, B_N
};

enum conf_kind {
	K_UINT, K_MS, K_MS_NEVER, K_SEC, K_BOOL, K_NOT, K_ENUM,	/* numbers of any size */
	K_STR, K_SECRET, K_SPAN, K_PATH, K_IFNAME, K_NETNS, K_HOST,	/* char *; K_SPAN: struct span */
	K_PROPOSALS, K_NETWORKS,				/* char *, comma-separated */
	K_IPV4, K_IPV4_LIST, K_ADDR, K_MATCH, K_ROUTES, K_RANGES, K_AUTH,
};

struct conf_word { const char *word; int value; const char *refuse; };	/* refuse: why it is not to be had */

/* One key of the configuration language. */
struct conf_key {
	const char *name;
	uint16_t in;			/* IN(SEC_...) of all sections that may hold it */
	uint8_t kind, base;
	uint16_t off, size;		/* of the field in its base */
	const char *def;		/* as a user would write it; NULL: nothing, zero, none */
	uint64_t min, max;		/* numbers: of the field's unit; strings: of the length */
	const struct conf_word *word;	/* K_ENUM */
	const char *help;
};

#define IN(s) (1u << (s))

extern const struct conf_key conf_keys[];
extern const unsigned conf_n_keys;

/* Keys that have no field of their own. */
struct conf_aux {
	uint8_t auth[PPP_AUTH_N], require[PPP_AUTH_N];
	bool auth_given;
	int addresses;
};

struct conf_val {
	const struct conf_key *key;
	char *text;			/* NULL: an empty list */
	unsigned index;			/* in its list */
	unsigned line, first_line;	/* first_line: of an earlier one of the same name, or 0 */
};

struct conf_sect {
	enum conf_sec kind;
	int parent;			/* index, or -1 */
	char *title;
	struct conf_pos pos;
	struct conf_val *val;
	unsigned n;
};

struct conf_mistake { unsigned source, line, seq; char *text; };

struct conf_loader {
	const struct conf_opener *opener;
	struct config *c;
	struct conf_sect *sect;
	unsigned n_sects, sects_size;
	struct conf_mistake *mistake;
	unsigned n_mistakes, mistakes_size, more;
	bool oom;
	struct conf_parser *parser;	/* config_parse.c */
};

/* Notes a mistake. */
void conf_error(struct conf_loader *, struct conf_pos, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Makes room for one more element; NULL (and oom) when there is none.  The new element is zeroed. */
void *conf_grow(struct conf_loader *, void *array, unsigned *n, unsigned *size, size_t elem);
char *conf_strdup(struct conf_loader *, const char *);
void conf_wipe(char *);			/* wipes and frees a string; NULL is fine */

/* config_read.c: reads file and what it includes, section by section.  0 or -errno of the first file. */
int conf_read(struct conf_loader *, const char *file);

enum conf_pem { PEM_CERTIFICATE, PEM_KEY, PEM_CRL };
/* A small file (PEM) that a key names; NULL: *err says why.  A key nobody else may read. */
char *conf_read_pem(struct conf_loader *, const char *path, enum conf_pem, char *err, size_t size);

/* config_parse.c: one statement at top level (no comment in it) -> sections. */
int conf_parser_new(struct conf_loader *);
void conf_parser_free(struct conf_loader *);
void conf_parse(struct conf_loader *, char *text, size_t len, struct conf_pos);
const char *conf_sec_name(enum conf_sec);

/* A token of cleaned text: 'w' a word or quoted string, '{' '}' '(' ')' '=' ',' '+' (+=) themselves, 0 the end. */
struct conf_tok { char type; size_t start, end; unsigned line; };
struct conf_tok conf_next(const char *text, size_t len, size_t *pos, unsigned *line);

/* config_value.c: text -> field.  base: where the structs are, NULL ones are passed over.  False: *err says why. */
bool conf_set(const struct conf_key *, const char *text, unsigned index, void *const base[B_N], char *err, size_t size);
/* The field as text, for people; secrets are not shown.  Static or in buf. */
const char *conf_show(const struct conf_key *, void *const base[B_N], char *buf, size_t size);
bool conf_same(const struct conf_key *, void *const a[B_N], void *const b[B_N]);
/* Is this a key that L2TPv2 has no use for? */
bool conf_is_v3(const struct conf_key *);
/* Is this a key that only an Ethernet session has a use for? */
bool conf_is_ethernet(const struct conf_key *);
/* Is this a key of a peer or tunnel that only L2TP has a use for? */
bool conf_is_l2tp(const struct conf_key *);
/* Is this a key of conf_ipsec other than `ipsec` itself? */
bool conf_is_ipsec(const struct conf_key *);
/* Frees and wipes what fields own. */
void conf_clear(void *const base[B_N]);
void conf_defaults(void *const base[B_N]);
bool conf_addr(const char *text, struct addr *ret);
bool conf_is_host(const char *text);
const char *conf_addr_str(const struct addr *, char *buf, size_t size);

/* config_merge.c: sections -> objects. */
void conf_merge(struct conf_loader *);
const struct conf_sect *conf_find_sect(const struct conf_loader *, enum conf_sec, const char *title);
const struct conf_val *conf_find_val(const struct conf_sect *, const char *key);
void conf_bases_peer(void *base[B_N], struct conf_peer *);
void conf_bases_tunnel(void *base[B_N], struct conf_tunnel *);
void conf_bases_session(void *base[B_N], struct conf_session *);

/* config_check.c: what only shows when everything is known. */
void conf_check_sections(struct conf_loader *);
void conf_check(struct conf_loader *);
