/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How values look: tables, `key value` lines, JSON, and text that cannot steer a terminal. */
#include "cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CELL_MAX = 48 };

void *need(void *p)
{
	if (!p) {
		fputs("ktun: out of memory\n", stderr);
		exit(FAILED);
	}
	return p;
}

char *text(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return need(n < 0 ? NULL : s);
}

/* The code point at s and its length; an octet that starts none is itself.  (jansson gives valid UTF-8, argv need not.) */
static uint32_t code_point(const unsigned char *s, size_t *ret_len)
{
	size_t len = s[0] < 0xc2 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 1;
	uint32_t c = len == 1 ? s[0] : s[0] & (0x7f >> len);

	*ret_len = 1;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return s[0];
		c = c << 6 | (s[i] & 0x3f);
	}
	*ret_len = len;
	return c;
}

/* Controls, and what reverses or hides text. */
static bool unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xe0000 && c <= 0xe0fff);
}

char *safe(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	char *ret = need(malloc(4 * strlen(s) + 1)), *to = ret;

	while (*p) {
		size_t len;
		uint32_t c = code_point(p, &len);
		bool broken = len == 1 && c >= 0x80;

		for (size_t i = 0; i < len; i++) {
			if (broken || unsafe(c))
				to += sprintf(to, "\\x%02x", p[i]);
			else
				*to++ = (char)p[i];
		}
		p += len;
	}
	*to = 0;
	return ret;
}

void complain(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL, *clean;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	clean = safe(need(n < 0 ? NULL : s));
	fprintf(stderr, "ktun: %s\n", clean);
	free(clean);
	free(s);
}

int print_json(const struct cli *cli, json_t *value)
{
	json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | (cli->pretty ? JSON_INDENT(4) : JSON_COMPACT));
	putchar('\n');
	json_decref(value);
	return DONE;
}

static char *octets(json_int_t n, bool brief)
{
	static const char unit[] = "KMGTPE";
	double v = (double)n / 1024;
	unsigned u = 0;

	if (n < 1024)
		return text("%" JSON_INTEGER_FORMAT, n);
	while (v >= 1023.95 && u + 2 < sizeof(unit)) {
		v /= 1024;
		u++;
	}
	if (brief)
		return text("%.1f%c", v, unit[u]);
	return text("%" JSON_INTEGER_FORMAT " (%.1f %ciB)", n, v, unit[u]);
}

static char *seconds(json_int_t n, bool brief)
{
	char s[64];

	if (n < 60)
		return text("%" JSON_INTEGER_FORMAT "s", n);
	if (n < 3600)
		snprintf(s, sizeof(s), "%dm%02ds", (int)(n / 60), (int)(n % 60));
	else if (n < 86400)
		snprintf(s, sizeof(s), "%dh%02dm", (int)(n / 3600), (int)(n % 3600 / 60));
	else
		snprintf(s, sizeof(s), "%" JSON_INTEGER_FORMAT "d%02dh", n / 86400, (int)(n % 86400 / 3600));
	return brief ? text("%s", s) : text("%" JSON_INTEGER_FORMAT "s (%s)", n, s);
}

static char *date(json_int_t n)
{
	time_t when = (time_t)n;
	struct tm tm;
	char s[64];

	if (!localtime_r(&when, &tm) || !strftime(s, sizeof(s), "%Y-%m-%d %H:%M:%S %z", &tm))
		return text("%" JSON_INTEGER_FORMAT, n);
	return text("%s", s);
}

static char *number(json_int_t n, enum value kind, bool brief)
{
	switch (kind) {
	case V_OCTETS:
		return octets(n, brief);
	case V_SECONDS:
		return seconds(n, brief);
	case V_TIME:
		return date(n);
	case V_HEX:
		return text("0x%08" PRIx64, (uint64_t)n);
	case V_SPEED:
		return n < 1000000 ? text("%" JSON_INTEGER_FORMAT " bit/s", n) :
				     text("%" JSON_INTEGER_FORMAT " bit/s (%.1f Mbit/s)", n, (double)n / 1e6);
	case V_TEXT:
	case V_NUMBER:
		break;
	}
	return text("%" JSON_INTEGER_FORMAT, n);
}

/* "a, b" of an array, "key value, ..." of an object, "address port n" of an endpoint. */
static char *joined(const json_t *v)
{
	size_t n = json_is_array(v) ? json_array_size(v) : json_object_size(v);
	void *it = json_is_object(v) ? json_object_iter((json_t *)(uintptr_t)v) : NULL;
	const char *address = json_string_value(json_object_get(v, "address"));
	char *all = text("%s", "");

	if (address) {
		free(all);
		return text("%s port %" JSON_INTEGER_FORMAT, address, json_integer_value(json_object_get(v, "port")));
	}
	for (size_t i = 0; i < n; i++) {
		json_t *one = json_object();
		char *s, *more;

		json_object_set(need(one), "v", json_is_array(v) ? json_array_get(v, i) : json_object_iter_value(it));
		s = value_text(one, "v", V_TEXT, false);
		more = text("%s%s%s%s%s", all, i ? ", " : "", it ? json_object_iter_key(it) : "", it ? " " : "", s);
		free(s);
		free(all);
		all = more;
		json_decref(one);
		it = it ? json_object_iter_next((json_t *)(uintptr_t)v, it) : NULL;
	}
	if (n)
		return all;
	free(all);
	return text("-");
}

char *value_text(const json_t *object, const char *key, enum value kind, bool brief)
{
	const json_t *v = json_object_get(object, key);

	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		return *json_string_value(v) ? safe(json_string_value(v)) : text("-");
	case JSON_INTEGER:
		return number(json_integer_value(v), kind, brief);
	case JSON_REAL:
		return text("%.3f", json_real_value(v));
	case JSON_TRUE:
		return text("yes");
	case JSON_FALSE:
		return text("no");
	case JSON_OBJECT:
	case JSON_ARRAY: {
		char *raw = joined(v), *clean = safe(raw);

		free(raw);
		return clean;
	}
	case JSON_NULL:
		break;
	}
	return text("-");
}

/* The unit that a key's name carries. */
static enum value kind_of(const char *key)
{
	static const struct { const char *end; enum value kind; } row[] = {
		{ "_octets", V_OCTETS }, { "_s", V_SECONDS }, { "_since", V_TIME }, { "_speed", V_SPEED }, { "magic", V_HEX },
		{ "accm", V_HEX },
	};
	size_t n = strlen(key);

	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		size_t m = strlen(row[i].end);

		if (n >= m && !strcmp(key + n - m, row[i].end))
			return row[i].kind;
	}
	return V_NUMBER;
}

/* Columns on the screen: code points, nearly. */
static int width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void print_object(const json_t *object, const char *prefix)
{
	json_t *o = (json_t *)(uintptr_t)object;	/* the iterator's prototype; nothing is changed */
	int w = 20 - (int)strlen(prefix);

	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it))
		if (width(json_object_iter_key(it)) > w)
			w = width(json_object_iter_key(it));
	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
		const char *key = json_object_iter_key(it);
		const json_t *v = json_object_iter_value(it);
		char *k, *s;

		if (json_is_null(v) || (json_is_array(v) && !json_array_size(v)))
			continue;
		k = safe(key);
		s = value_text(object, key, kind_of(key), false);
		printf("%s%-*s %s\n", prefix, w, k, s);
		free(s);
		free(k);
	}
}

void table_add(struct table *t, char *cell)
{
	if (!t->cols)
		while (t->head[t->cols])
			t->cols++;
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->cell = need(realloc(t->cell, t->cap * sizeof(*t->cell)));
	}
	if (width(cell) > CELL_MAX && t->n % t->cols + 1 < t->cols) {	/* the last column may be as long as it is */
		char *p = cell;

		for (int i = 0; i < CELL_MAX - 3; i++)
			for (p++; ((unsigned char)*p & 0xc0) == 0x80; p++)
				;
		strcpy(p, "...");		/* at least 4 octets were there */
	}
	t->cell[t->n++] = cell;
}

static void print_cell(const char *s, int w, bool right, bool last)
{
	int pad = w - width(s);

	if (right)
		printf("%*s", pad, "");
	fputs(s, stdout);
	if (!right && !last)
		printf("%*s", pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

void table_print(struct table *t)
{
	int w[16] = { 0 };

	while (t->head[t->cols])
		t->cols++;
	for (unsigned i = 0; i < t->cols; i++)
		w[i] = width(t->head[i]) - (t->head[i][0] == '>');
	for (unsigned i = 0; i < t->n; i++)
		if (width(t->cell[i]) > w[i % t->cols])
			w[i % t->cols] = width(t->cell[i]);
	for (unsigned i = 0; i < t->cols; i++)
		print_cell(t->head[i] + (t->head[i][0] == '>'), w[i], t->head[i][0] == '>', i + 1 == t->cols);
	for (unsigned i = 0; i < t->n; i++) {
		unsigned c = i % t->cols;

		print_cell(t->cell[i], w[c], t->head[c][0] == '>', c + 1 == t->cols);
		free(t->cell[i]);
	}
	free(t->cell);
}
