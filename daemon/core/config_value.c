/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text <-> field for every kind of key.  Nothing here knows a section. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_int.h"

static bool no(char *err, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool no(char *err, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, size, fmt, ap);
	va_end(ap);
	return false;
}

void conf_wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

bool conf_addr(const char *text, struct addr *ret)
{
	struct addr a = { .family = 4, .prefix_len = 32 };
	const char *slash = strchr(text, '/');
	char host[64], *end, *zone;
	unsigned bits;

	if ((slash ? (size_t)(slash - text) : strlen(text)) >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - text) : (int)strlen(text), text);
	zone = strchr(host, '%');
	if (inet_pton(AF_INET, host, a.a) != 1) {
		a.family = 6;
		a.prefix_len = 128;
		if (zone) {
			*zone = '\0';
			a.scope = if_nametoindex(zone + 1);
			if (!a.scope)
				return false;
		}
		if (inet_pton(AF_INET6, host, a.a) != 1)
			return false;
	}
	if (slash) {
		if (slash[1] < '0' || slash[1] > '9')
			return false;
		bits = (unsigned)strtoul(slash + 1, &end, 10);
		if (*end || end - slash > 4 || bits > a.prefix_len)
			return false;
		a.prefix_len = (uint8_t)bits;
	}
	*ret = a;
	return true;
}

/* Letters, digits, hyphens and dots, and not digits and dots alone: that is a mistyped address. */
bool conf_is_host(const char *t)
{
	size_t label = 0, n = strlen(t);
	bool letter = false;

	if (!n || n > 253 || t[0] == '-' || t[0] == '.')
		return false;
	for (; *t; t++) {
		bool alpha = (*t | 32) >= 'a' && (*t | 32) <= 'z';

		letter |= alpha || *t == '-';
		if (!alpha && !(*t >= '0' && *t <= '9') && *t != '-' && *t != '.' && *t != '_')
			return false;
		label = *t == '.' ? 0 : label + 1;
		if (label > 63 || (*t == '.' && t[1] == '.'))
			return false;
	}
	return letter;
}

const char *conf_addr_str(const struct addr *a, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";
	unsigned full = a->family == 6 ? 128 : 32;

	if (!a->family)
		snprintf(buf, size, "any");
	else if (!inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->a, host, sizeof(host)))
		snprintf(buf, size, "?");
	else if (a->prefix_len < full)
		snprintf(buf, size, "%s/%u", host, a->prefix_len);
	else
		snprintf(buf, size, "%s", host);
	return buf;
}

static bool host_bits(const struct addr *a)
{
	for (unsigned i = a->prefix_len; i < (a->family == 6 ? 128u : 32u); i++)
		if (a->a[i / 8] & 0x80 >> i % 8)
			return true;
	return false;
}

static void mask(struct addr *a)
{
	for (unsigned i = a->prefix_len; i < (a->family == 6 ? 128u : 32u); i++)
		a->a[i / 8] &= (uint8_t)~(0x80 >> i % 8);
}

static void store(void *field, size_t size, uint64_t v)
{
	uint8_t b = (uint8_t)v;
	uint16_t h = (uint16_t)v;
	uint32_t w = (uint32_t)v;

	memcpy(field, size == 1 ? (void *)&b : size == 2 ? (void *)&h : (void *)&w, size < 4 ? size : 4);
}

static uint64_t load(const void *field, size_t size)
{
	uint8_t b = 0;
	uint16_t h = 0;
	uint32_t w = 0;

	memcpy(size == 1 ? (void *)&b : size == 2 ? (void *)&h : (void *)&w, field, size < 4 ? size : 4);
	return size == 1 ? b : size == 2 ? h : w;
}

static bool number(const char *t, uint64_t *ret, const char **rest)
{
	char *end;

	if (*t < '0' || *t > '9' || (t[0] == '0' && (t[1] | 32) == 'x'))
		return false;
	errno = 0;
	*ret = strtoull(t, &end, 10);
	*rest = end;
	return !errno;
}

/* Plain numbers are seconds. */
static bool duration(const char *t, uint64_t *ms)
{
	static const struct { const char *name; uint64_t ms; } unit[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "sec", 1000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};
	const char *rest;
	uint64_t v;

	if (!number(t, &v, &rest) || v > UINT32_MAX)
		return false;
	while (*rest == ' ')
		rest++;
	for (unsigned i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		if (!strcmp(rest, unit[i].name)) {
			*ms = v * unit[i].ms;
			return true;
		}
	}
	return false;
}

static const char *span_of_time(uint64_t ms, char *buf, size_t size)
{
	static const struct { const char *name; uint64_t ms; } unit[] = {
		{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 },
	};
	unsigned i = 0;

	while (!ms || ms % unit[i].ms)
		if (++i == 4)
			break;
	if (!ms)
		i = 3;
	snprintf(buf, size, "%llu%s", (unsigned long long)(ms / unit[i].ms), unit[i].name);
	return buf;
}

static bool set_time(const struct conf_key *k, const char *t, void *field, char *err, size_t size)
{
	uint64_t ms, per = k->kind == K_SEC ? 1000 : 1;
	char a[32], b[32];

	if (!duration(t, &ms))
		return no(err, size, "not a duration; write 30s, 2min, 1h, 500ms or plain seconds");
	if (ms % per)
		return no(err, size, "whole seconds only");
	if (k->kind == K_MS_NEVER && !ms) {
		store(field, k->size, UINT32_MAX);
		return true;
	}
	if (ms / per < k->min || ms / per > k->max)
		return no(err, size, "must be %s to %s%s", span_of_time(k->min * per, a, sizeof(a)),
			  span_of_time(k->max * per, b, sizeof(b)), k->kind == K_MS_NEVER ? ", or 0 for never" : "");
	store(field, k->size, ms / per);
	return true;
}

static bool set_word(const struct conf_key *k, const char *t, void *field, char *err, size_t size)
{
	const struct conf_word *w = k->word;
	char all[120] = "";
	char *copy;

	for (; w->word; w++) {
		if (strcmp(w->word, t)) {
			size_t n = strlen(all);

			snprintf(all + n, sizeof(all) - n, "%s%s", !n ? "" : w[1].word ? ", " : " or ", w->word);
			continue;
		}
		if (w->refuse)
			return no(err, size, "%s", w->refuse);
		if (k->size != sizeof(char *)) {
			store(field, k->size, (uint64_t)w->value);
			return true;
		}
		copy = strdup(t);
		if (!copy)
			return no(err, size, "out of memory");
		memcpy(field, &copy, sizeof(copy));
		return true;
	}
	return no(err, size, "must be %s", all);
}

static bool set_string(const struct conf_key *k, const char *t, void *field, char *err, size_t size)
{
	size_t n = strlen(t);
	bool secret = k->kind == K_SECRET || k->kind == K_SPAN;
	struct addr a;
	char *copy;

	if (n < k->min || n > k->max)
		return no(err, size, "must have %u to %u octets", (unsigned)k->min, (unsigned)k->max);
	for (size_t i = 0; i < n; i++)
		if (!secret && ((unsigned char)t[i] < ' ' || t[i] == 0x7f))
			return no(err, size, "must not contain control characters");
	if (k->kind == K_PATH && t[0] != '/')
		return no(err, size, "must be an absolute path");
	if (k->kind == K_HOST && !(conf_addr(t, &a) && !strchr(t, '/')) && !conf_is_host(t))
		return no(err, size, "neither an IP address nor a host name");
	if (k->kind == K_IFNAME) {
		const char *pc = strchr(t, '%');

		if (strpbrk(t, "/: \t") || !strcmp(t, ".") || !strcmp(t, "..") ||
		    (pc && (pc[1] != 'd' || strchr(pc + 1, '%'))))
			return no(err, size, "must be the name of a link, with at most one %%d for a number");
	}
	if (k->kind == K_NETNS && (strchr(t, '/') || !strcmp(t, ".") || !strcmp(t, "..")))
		return no(err, size, "must be the name of a network namespace, as `ip netns` lists it");
	copy = strdup(t);
	if (!copy)
		return no(err, size, "out of memory");
	if (k->kind == K_SPAN) {
		struct span s = { (uint8_t *)copy, n };

		memcpy(field, &s, sizeof(s));
	} else {
		memcpy(field, &copy, sizeof(copy));
	}
	return true;
}

/* One of three words, or strongSwan's own ("aes256-sha256-modp2048"), which charon judges; kept with commas between. */
static bool set_proposal(const struct conf_key *k, const char *t, unsigned index, char **field, char *err, size_t size)
{
	static const char *const set[] = { "modern", "compatible", "legacy", NULL };
	bool alone = false, had = false;
	size_t n = strlen(t);
	char *all;

	if (n < k->min || n > k->max)
		return no(err, size, "must have %u to %u octets", (unsigned)k->min, (unsigned)k->max);
	for (unsigned i = 0; set[i]; i++) {
		alone |= !strcmp(t, set[i]);
		had |= *field && !strcmp(*field, set[i]);
	}
	if (index && (alone || had))
		return no(err, size, "\"%s\" stands alone", alone ? t : *field);
	if (t[strspn(t, "abcdefghijklmnopqrstuvwxyz0123456789-_")] || (!alone && !strpbrk(t, "0123456789")))
		return no(err, size, "must be modern, compatible, legacy, or proposals like \"aes256-sha256-modp2048\"");
	if (asprintf(&all, "%s%s%s", *field ? *field : "", *field ? "," : "", t) < 0)
		return no(err, size, "out of memory");
	free(*field);
	*field = all;
	return true;
}

static bool set_auth(const char *t, unsigned index, uint8_t *list, bool *given, char *err, size_t size)
{
	static const char *const name[PPP_AUTH_N] = { "none", "pap", "chap", "mschapv2" };
	unsigned p = 0, n = 0;

	while (p < PPP_AUTH_N && strcmp(name[p], t))
		p++;
	if (p == PPP_AUTH_N)
		return no(err, size, "must be mschapv2, chap, pap or none");
	if (index == 0) {
		memset(list, 0, PPP_AUTH_N);
		*given = true;
	}
	while (n < PPP_AUTH_N - 1 && list[n]) {
		if (list[n] == p)
			return no(err, size, "given twice");
		n++;
	}
	if (index && (p == PPP_AUTH_NONE || !n))
		return no(err, size, "\"none\" stands alone or not at all");
	if (n < PPP_AUTH_N - 1)
		list[n] = (uint8_t)p;
	return true;
}

static bool set_range(const char *t, struct conf_pool *pool, char *err, size_t size)
{
	struct conf_range r, *more;
	char first[32];
	const char *dash = strchr(t, '-');
	struct addr a, b;
	uint32_t v;

	snprintf(first, sizeof(first), "%.*s", dash ? (int)(dash - t) : (int)strlen(t), t);
	if ((dash && (size_t)(dash - t) >= sizeof(first)) || !conf_addr(first, &a) || a.family != 4 ||
	    (dash && (!conf_addr(dash + 1, &b) || b.family != 4 || b.prefix_len != 32 || a.prefix_len != 32)))
		return no(err, size, "must be \"first-last\" (IPv4), one address, or a prefix");
	if (a.prefix_len < 32 && host_bits(&a)) {
		mask(&a);
		return no(err, size, "has bits behind its prefix; did you mean %s?", conf_addr_str(&a, first, sizeof(first)));
	}
	memcpy(&v, a.a, 4);
	r.first = ntohl(v);
	r.last = a.prefix_len ? r.first | (uint32_t)(UINT32_MAX >> 1 >> (a.prefix_len - 1)) : UINT32_MAX;
	if (dash) {
		memcpy(&v, b.a, 4);
		r.last = ntohl(v);
	}
	if (r.last < r.first)
		return no(err, size, "ends before it begins");
	if (r.last - r.first >= 1u << 24)
		return no(err, size, "has more than 16777216 addresses");
	if (!r.first || r.last >= 0xe0000000)
		return no(err, size, "contains addresses that no host can have");
	more = realloc(pool->range, (pool->n_ranges + 1) * sizeof(*more));
	if (!more)
		return no(err, size, "out of memory");
	pool->range = more;
	more[pool->n_ranges++] = r;
	return true;
}

static bool set_route(const char *t, struct policy *p, char *err, size_t size)
{
	struct addr a, *more;
	char buf[64];

	if (!conf_addr(t, &a) || a.scope)
		return no(err, size, "must be a prefix such as 10.1.0.0/16 or 2001:db8::/32");
	if (host_bits(&a)) {
		mask(&a);
		return no(err, size, "has bits behind its prefix; did you mean %s?", conf_addr_str(&a, buf, sizeof(buf)));
	}
	more = realloc(p->route, (p->n_routes + 1) * sizeof(*more));
	if (!more)
		return no(err, size, "out of memory");
	p->route = more;
	more[p->n_routes++] = a;
	return true;
}

static bool set_network(const char *t, char **field, char *err, size_t size)
{
	char buf[64], *all;
	struct addr a;

	if (!conf_addr(t, &a) || a.scope)
		return no(err, size, "must be a prefix such as 10.1.0.0/16 or 2001:db8::/32");
	if (host_bits(&a)) {
		mask(&a);
		return no(err, size, "has bits behind its prefix; did you mean %s?", conf_addr_str(&a, buf, sizeof(buf)));
	}
	if (asprintf(&all, "%s%s%s", *field ? *field : "", *field ? "," : "", conf_addr_str(&a, buf, sizeof(buf))) < 0)
		return no(err, size, "out of memory");
	free(*field);
	*field = all;
	return true;
}

bool conf_next_network(const char **list, struct addr *ret)
{
	size_t n = *list ? strcspn(*list, ",") : 0;
	char one[64];

	if (!n || n >= sizeof(one))
		return false;
	snprintf(one, sizeof(one), "%.*s", (int)n, *list);
	*list += n + ((*list)[n] == ',');
	return conf_addr(one, ret);
}

static bool set_match(const char *t, struct conf_peer *p, char *err, size_t size)
{
	char buf[64];
	struct addr a;

	if (conf_addr(t, &a)) {
		if (host_bits(&a)) {
			mask(&a);
			return no(err, size, "has bits behind its prefix; did you mean %s?",
				  conf_addr_str(&a, buf, sizeof(buf)));
		}
		p->address = a;
		return true;
	}
	if (!conf_is_host(t))
		return no(err, size, "neither an IP address, a prefix nor a host name");
	p->remote_name = strdup(t);
	return p->remote_name ? true : no(err, size, "out of memory");
}

static bool set_addr(const struct conf_key *k, const char *t, unsigned index, void *field, char *err, size_t size)
{
	struct addr a;

	if (!conf_addr(t, &a) || strchr(t, '/') || (k->kind != K_ADDR && a.family != 4))
		return no(err, size, k->kind == K_ADDR ? "not an IP address" : "not an IPv4 address");
	if (k->kind == K_ADDR) {
		memcpy(field, &a, sizeof(a));
		return true;
	}
	if (a.a[0] == 0 || a.a[0] >= 224)
		return no(err, size, "no host can have this address");
	if (index > 1)
		return no(err, size, "at most two");
	if (k->kind == K_IPV4_LIST && !index)
		memset(field, 0, 8);
	memcpy((uint8_t *)field + 4 * index, a.a, 4);
	return true;
}

static void clear_field(const struct conf_key *k, void *base)
{
	void *field = (uint8_t *)base + k->off;
	struct policy *policy = base;
	struct conf_pool *pool = base;
	struct conf_peer *peer = base;
	struct span s;
	char *p;

	switch ((enum conf_kind)k->kind) {
	case K_STR: case K_SECRET: case K_PATH: case K_IFNAME: case K_NETNS: case K_HOST: case K_PROPOSALS: case K_NETWORKS:
		memcpy(&p, field, sizeof(p));
		conf_wipe(p);
		memset(field, 0, k->size);
		return;
	case K_SPAN:
		memcpy(&s, field, sizeof(s));
		memcpy(&p, &s.p, sizeof(p));
		conf_wipe(p);
		memset(field, 0, k->size);
		return;
	case K_ENUM:
		if (k->size == sizeof(char *)) {
			memcpy(&p, field, sizeof(p));
			free(p);
		}
		memset(field, 0, k->size);
		return;
	case K_ROUTES:
		free(policy->route);
		policy->route = NULL;
		policy->n_routes = 0;
		return;
	case K_RANGES:
		free(pool->range);
		pool->range = NULL;
		pool->n_ranges = 0;
		return;
	case K_MATCH:
		free(peer->remote_name);
		peer->remote_name = NULL;
		memset(&peer->address, 0, sizeof(peer->address));
		return;
	case K_UINT: case K_MS: case K_MS_NEVER: case K_SEC: case K_BOOL: case K_NOT:
	case K_IPV4: case K_IPV4_LIST: case K_ADDR: case K_AUTH:
		memset(field, 0, k->size);
		return;
	}
}

static int boolean(const char *t)
{
	static const char *const word[] = { "no", "yes", "off", "on", "false", "true" };

	for (int i = 0; i < 6; i++)
		if (!strcmp(word[i], t))
			return i & 1;
	return -1;
}

bool conf_set(const struct conf_key *k, const char *t, unsigned index, void *const base[B_N], char *err, size_t size)
{
	void *b = base[k->base], *field;
	struct conf_aux *aux = base[B_AUX];
	const char *rest;
	uint64_t v;
	int yes;

	if (!b)
		return true;
	field = (uint8_t *)b + k->off;
	if (!index)
		clear_field(k, b);
	if (!t) {				/* an empty list */
		if (k->kind == K_AUTH && k->off == offsetof(struct conf_aux, auth))
			aux->auth_given = false;
		return true;
	}
	switch ((enum conf_kind)k->kind) {
	case K_UINT:
		if (!number(t, &v, &rest) || *rest)
			return no(err, size, "not a number");
		if (v < k->min || v > k->max)
			return no(err, size, "must be %llu to %llu", (unsigned long long)k->min,
				  (unsigned long long)k->max);
		store(field, k->size, v);
		return true;
	case K_MS: case K_MS_NEVER: case K_SEC:
		return set_time(k, t, field, err, size);
	case K_BOOL: case K_NOT:
		yes = boolean(t);
		if (yes < 0)
			return no(err, size, "must be yes or no");
		store(field, k->size, (uint64_t)(yes ^ (k->kind == K_NOT)));
		return true;
	case K_ENUM:
		return set_word(k, t, field, err, size);
	case K_STR: case K_SECRET: case K_SPAN: case K_PATH: case K_IFNAME: case K_NETNS: case K_HOST:
		return set_string(k, t, field, err, size);
	case K_PROPOSALS:
		return set_proposal(k, t, index, field, err, size);
	case K_NETWORKS:
		return set_network(t, field, err, size);
	case K_IPV4: case K_IPV4_LIST: case K_ADDR:
		return set_addr(k, t, index, field, err, size);
	case K_MATCH:
		return set_match(t, b, err, size);
	case K_ROUTES:
		return set_route(t, b, err, size);
	case K_RANGES:
		return set_range(t, b, err, size);
	case K_AUTH:
		return k->off == offsetof(struct conf_aux, auth) ?
		       set_auth(t, index, aux->auth, &aux->auth_given, err, size) :
		       set_auth(t, index, aux->require, &(bool){ false }, err, size);
	}
	return true;
}

void conf_clear(void *const base[B_N])
{
	for (unsigned i = 0; i < conf_n_keys; i++)
		if (base[conf_keys[i].base])
			clear_field(&conf_keys[i], base[conf_keys[i].base]);
}

void conf_defaults(void *const base[B_N])
{
	char err[8];

	for (unsigned i = 0; i < conf_n_keys; i++)
		if (conf_keys[i].def && base[conf_keys[i].base])
			conf_set(&conf_keys[i], conf_keys[i].def, 0, base, err, sizeof(err));
}

const char *conf_show(const struct conf_key *k, void *const base[B_N], char *buf, size_t size)
{
	const void *b = base[k->base], *field = (const uint8_t *)b + k->off;
	const struct policy *policy = b;
	const struct conf_pool *pool = b;
	const struct conf_peer *peer = b;
	uint8_t ip[8];
	char *p;
	size_t n = 0;
	uint64_t v;

	buf[0] = '\0';
	switch ((enum conf_kind)k->kind) {
	case K_UINT:
		snprintf(buf, size, "%llu", (unsigned long long)load(field, k->size));
		return buf;
	case K_MS: case K_MS_NEVER: case K_SEC:
		v = load(field, k->size);
		if (k->kind == K_MS_NEVER && v == UINT32_MAX)
			return "0";
		return span_of_time(k->kind == K_SEC ? v * 1000 : v, buf, size);
	case K_BOOL: case K_NOT:
		return load(field, k->size) ^ (k->kind == K_NOT) ? "yes" : "no";
	case K_ENUM:
		if (k->size == sizeof(char *)) {
			memcpy(&p, field, sizeof(p));
			return p ? p : "none";
		}
		for (const struct conf_word *w = k->word; w->word; w++)
			if ((uint64_t)w->value == load(field, k->size))
				return w->word;
		return "none";
	case K_PROPOSALS: case K_NETWORKS:
		memcpy(&p, field, sizeof(p));
		return p ? p : "none";
	case K_STR: case K_PATH: case K_IFNAME: case K_NETNS: case K_HOST:
		memcpy(&p, field, sizeof(p));
		snprintf(buf, size, p ? "\"%s\"" : "none", p);
		return buf;
	case K_SECRET: case K_SPAN:
		return "(not shown)";
	case K_IPV4: case K_IPV4_LIST:
		memcpy(ip, field, k->size);
		for (unsigned i = 0; i < k->size && ip[i]; i += 4)
			n += (size_t)snprintf(buf + n, n < size ? size - n : 0, "%s%u.%u.%u.%u", i ? " " : "",
					      ip[i], ip[i + 1], ip[i + 2], ip[i + 3]);
		return n ? buf : "none";
	case K_ADDR:
		return conf_addr_str(field, buf, size);
	case K_MATCH:
		return peer->remote_name ? peer->remote_name : conf_addr_str(&peer->address, buf, size);
	case K_ROUTES:
		snprintf(buf, size, "%u prefixes", policy->n_routes);
		return buf;
	case K_RANGES:
		for (unsigned i = 0; i < pool->n_ranges; i++)
			n += pool->range[i].last - pool->range[i].first + 1;
		snprintf(buf, size, "%zu addresses", n);
		return buf;
	case K_AUTH:
		return "";
	}
	return "";
}

bool conf_same(const struct conf_key *k, void *const x[B_N], void *const y[B_N])
{
	const void *a = (const uint8_t *)x[k->base] + k->off, *b = (const uint8_t *)y[k->base] + k->off;
	const struct policy *pa = x[k->base], *pb = y[k->base];
	const struct conf_pool *la = x[k->base], *lb = y[k->base];
	const struct conf_peer *ra = x[k->base], *rb = y[k->base];
	struct span sa, sb;
	char *p, *q;

	switch ((enum conf_kind)k->kind) {
	case K_STR: case K_SECRET: case K_PATH: case K_IFNAME: case K_NETNS: case K_HOST: case K_PROPOSALS: case K_NETWORKS:
		memcpy(&p, a, sizeof(p));
		memcpy(&q, b, sizeof(q));
		return p == q || (p && q && !strcmp(p, q));
	case K_ENUM:
		if (k->size != sizeof(char *))
			return !memcmp(a, b, k->size);
		memcpy(&p, a, sizeof(p));
		memcpy(&q, b, sizeof(q));
		return p == q || (p && q && !strcmp(p, q));
	case K_SPAN:
		memcpy(&sa, a, sizeof(sa));
		memcpy(&sb, b, sizeof(sb));
		return sa.n == sb.n && (!sa.n || !memcmp(sa.p, sb.p, sa.n));
	case K_ROUTES:
		return pa->n_routes == pb->n_routes &&
		       (!pa->n_routes || !memcmp(pa->route, pb->route, pa->n_routes * sizeof(*pa->route)));
	case K_RANGES:
		return la->n_ranges == lb->n_ranges &&
		       (!la->n_ranges || !memcmp(la->range, lb->range, la->n_ranges * sizeof(*la->range)));
	case K_MATCH:
		if (ra->remote_name || rb->remote_name)
			return ra->remote_name && rb->remote_name && !strcmp(ra->remote_name, rb->remote_name);
		return !memcmp(&ra->address, &rb->address, sizeof(ra->address));
	case K_UINT: case K_MS: case K_MS_NEVER: case K_SEC: case K_BOOL: case K_NOT:
	case K_IPV4: case K_IPV4_LIST: case K_ADDR: case K_AUTH:
		return !memcmp(a, b, k->size);
	}
	return true;
}
