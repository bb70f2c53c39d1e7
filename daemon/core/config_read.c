/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files -> statements.  Opens every file through the opener, follows includes,
 * and hands one top-level statement after the other to libConfuse.
 *
 * libConfuse alone would not do: it accepts an unclosed section, miscounts
 * lines after comments, carries an unterminated string over into the next file
 * it parses, replaces ${...} from the environment, and stops at the first
 * mistake.  So comments are blanked and strings checked here first, and each
 * statement is parsed on its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config_int.h"

enum { MAX_DEPTH = 8, MAX_NEST = 16, MAX_FILE = 64 << 20, MAX_FILES = 4096, MAX_PEM = 16384,
       MAX_CRL = 60000 };	/* VICI's values have at most 65,535 octets */

struct file {
	const struct file *from;	/* who includes us */
	unsigned depth;
	dev_t dev;
	ino_t ino;
	bool open_to_all;		/* mode & 0004 */
	const char *name;
	char *text;
	size_t len;
};

static int conf_open(const struct conf_loader *ld, const char *path)
{
	int fd;

	if (ld->opener && ld->opener->open)
		return ld->opener->open(ld->opener->arg, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int slurp(int fd, struct file *f)
{
	size_t size = 4096, n = 0;
	char *text = malloc(size), *more;
	ssize_t got;

	while (text && (got = read(fd, text + n, size - n - 1)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || (n += (size_t)got) > MAX_FILE) {
			int err = got < 0 ? -errno : -EFBIG;

			explicit_bzero(text, size);
			free(text);
			return err;
		}
		if (size - n > 1)
			continue;
		more = malloc(size * 2);	/* not realloc: it would leave secrets behind */
		if (more)
			memcpy(more, text, n);
		explicit_bzero(text, size);
		free(text);
		text = more;
		size *= 2;
	}
	if (!text)
		return -ENOMEM;
	text[n] = '\0';
	f->text = text;
	f->len = n;
	return 0;
}

static void mistake(struct conf_loader *ld, const struct file *f, unsigned line, const char *what)
{
	conf_error(ld, (struct conf_pos){ f->name, line }, "%s", what);
}

/* A backslash in double quotes: \0, \x00 and the like would cut the string short. */
static bool bad_escape(const char *p)
{
	if (p[1] == 'x')
		return strtoul((char[]){ p[2], p[2] ? p[3] : 0, 0 }, NULL, 16) == 0;
	if (p[1] >= '0' && p[1] <= '9')
		return p[1] > '3' || p[2] < '0' || p[2] > '7' || p[3] < '0' || p[3] > '7' ||
		       (p[1] == '0' && p[2] == '0' && p[3] == '0');
	return false;
}

/* The string that opens at text[i] -> out; returns where to go on. */
static size_t clean_string(struct conf_loader *ld, const struct file *f, size_t i, unsigned line,
			   char *out, size_t *n)
{
	const char *t = f->text;
	const char quote = t[i];

	out[(*n)++] = t[i++];
	for (; t[i] && t[i] != '\n' && t[i] != quote; i++) {
		if (t[i] == '\\' && quote == '"' && bad_escape(t + i)) {
			mistake(ld, f, line, "bad escape in a string; write \\\\ for a backslash, "
				"\\ooo or \\xhh (not zero) for an octet");
			continue;
		}
		if (t[i] == '\\' && t[i + 1] && t[i + 1] != '\n')
			out[(*n)++] = t[i++];
		else if (t[i] == '$' && quote == '"')	/* libConfuse would ask the environment */
			out[(*n)++] = '\\';
		else if (t[i] == '\\')
			continue;
		out[(*n)++] = t[i];
	}
	if (t[i] == quote)
		i++;
	else
		mistake(ld, f, line, quote == '"' ? "the string is not closed; a \" is missing" :
			"the string is not closed; a ' is missing");
	out[(*n)++] = quote;
	if (t[i - 1] != quote && t[i - 1] == '}')	/* most likely this section's: say no more than one thing */
		out[(*n)++] = '}';
	return i;
}

/* Text without comments, lines kept.  out has room for twice the text and 2. */
static size_t clean(struct conf_loader *ld, const struct file *f, char *out)
{
	const char *t = f->text;
	size_t i = 0, n = 0;
	unsigned line = 1;

	while (i < f->len) {
		unsigned char ch = (unsigned char)t[i];

		if (ch == '#' || (ch == '/' && t[i + 1] == '/')) {
			while (i < f->len && t[i] != '\n')
				i++;
		} else if (ch == '/' && t[i + 1] == '*') {
			unsigned start = line;

			for (i += 2; i < f->len && !(t[i] == '*' && t[i + 1] == '/'); i++) {
				if (t[i] == '\n') {
					out[n++] = '\n';
					line++;
				}
			}
			if (i >= f->len)
				mistake(ld, f, start, "the comment is not closed; a */ is missing");
			out[n++] = ' ';
			i += 2;
		} else if (ch == '"' || ch == '\'') {
			i = clean_string(ld, f, i, line, out, &n);
		} else if (ch == '$' && t[i + 1] == '{') {
			mistake(ld, f, line, "the environment is not consulted; put text with $ in quotes");
			out[n++] = '_';
			i += strcspn(t + i, "}\n");
			i += t[i] == '}';
		} else if (ch == '*' || (ch == '+' && t[i + 1] != '=')) {	/* libConfuse would pass over them */
			conf_error(ld, (struct conf_pos){ f->name, line }, "put text with %c in quotes", ch);
			i++;
		} else if (ch == ';') {
			mistake(ld, f, line, "no semicolons here; keys are separated by space or lines");
			i++;
		} else if ((ch < ' ' && !strchr("\t\n\r", ch)) || ch == 0x7f || !ch) {
			mistake(ld, f, line, "there is a control character outside a string");
			i++;
		} else {
			line += ch == '\n';
			out[n++] = ch == '\r' ? ' ' : (char)ch;
			i++;
		}
	}
	out[n] = '\0';
	return n;
}

struct conf_tok conf_next(const char *text, size_t len, size_t *pos, unsigned *line)
{
	struct conf_tok t = { 0 };
	size_t i = *pos;

	for (; i < len && strchr(" \t\n", text[i]); i++)
		*line += text[i] == '\n';
	t.start = i;
	t.line = *line;
	if (i >= len) {
		t.type = 0;
	} else if (text[i] == '"' || text[i] == '\'') {
		char quote = text[i++];

		while (i < len && text[i] != quote)
			i += text[i] == '\\' ? 2 : 1;
		i = i < len ? i + 1 : len;
		t.type = 'w';
	} else if (text[i] == '+' && i + 1 < len && text[i + 1] == '=') {
		t.type = '+';
		i += 2;
	} else if (strchr("{}()=,+", text[i])) {
		t.type = text[i] == '+' ? ',' : text[i];
		i++;
	} else {
		while (i < len && !strchr(" \t\n{}()=,+\"'", text[i]))
			i++;
		t.type = 'w';
	}
	t.end = *pos = i;
	return t;
}

static bool tok_is(const char *text, struct conf_tok t, const char *word)
{
	return t.type == 'w' && t.end - t.start == strlen(word) && !memcmp(text + t.start, word, t.end - t.start);
}

/* Is this the head of a section that only stands at top level? Then the one around it was not closed. */
static bool top_head(const char *text, size_t len, struct conf_tok t, size_t pos, unsigned line)
{
	static const enum conf_sec sec[] = { SEC_LISTEN, SEC_POOL, SEC_USER, SEC_PROFILE, SEC_PEER, SEC_TUNNEL };

	for (unsigned i = 0; i < sizeof(sec) / sizeof(sec[0]); i++)
		if (tok_is(text, t, conf_sec_name(sec[i])))
			return conf_next(text, len, &pos, &line).type == 'w' &&
			       conf_next(text, len, &pos, &line).type == '{';
	return tok_is(text, t, "defaults") && conf_next(text, len, &pos, &line).type == '{';
}

/* From behind an opening brace to behind its closing one; false: there is none (already said). */
static bool skip_braces(struct conf_loader *ld, const struct file *f, const char *text, size_t len, size_t *pos,
			unsigned *line, unsigned open_line)
{
	unsigned open[MAX_NEST] = { open_line }, depth = 1;
	char before = '{';

	while (depth) {
		size_t at = *pos;
		unsigned at_line = *line;
		struct conf_tok t = conf_next(text, len, pos, line);

		if (!t.type || (before != '=' && before != ',' && top_head(text, len, t, *pos, *line))) {
			conf_error(ld, (struct conf_pos){ f->name, open[depth - 1] },
				   t.type ? "the { here is not closed; a } is missing before line %u" :
				   "the { here is not closed; a } is missing", t.line);
			*pos = at;
			*line = at_line;
			return false;
		}
		before = t.type;
		if (t.type == '}') {
			depth--;
		} else if (t.type == '{') {
			if (depth == MAX_NEST) {
				mistake(ld, f, t.line, "sections are nested too deeply");
				*pos = len;
				return false;
			}
			open[depth++] = t.line;
		}
	}
	return true;
}

char *conf_read_pem(struct conf_loader *ld, const char *path, enum conf_pem kind, char *err, size_t size)
{
	static const struct { const char *ends, *what, *der; } of[] = {
		[PEM_CERTIFICATE] = { "CERTIFICATE-----", "certificate", "x509" },
		[PEM_KEY] = { "PRIVATE KEY-----", "private key", "pkey" },
		[PEM_CRL] = { "X509 CRL-----", "list of revoked certificates", "crl" },
	};
	struct file f = { .text = NULL };
	int fd = conf_open(ld, path), got = fd;
	struct stat st;

	if (fd >= 0) {
		got = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? slurp(fd, &f) : -EINVAL;
		close(fd);
	}
	err[0] = '\0';
	if (got < 0)
		snprintf(err, size, "%s", strerror(-got));
	else if (kind == PEM_KEY && st.st_mode & 0004)
		snprintf(err, size, "is readable by others (chmod o-r)");
	else if (!strstr(f.text, "-----BEGIN "))
		snprintf(err, size, "is no PEM file; if it is DER: openssl %s -inform der -in FILE -out FILE.pem", of[kind].der);
	else if (!strstr(f.text, of[kind].ends))
		snprintf(err, size, "has no %s in it", of[kind].what);
	else if (kind == PEM_KEY && strstr(f.text, "ENCRYPTED"))
		snprintf(err, size, "is encrypted, and nobody is there to be asked for its password: openssl pkey -in FILE "
			 "-out FILE.pem");
	else if (f.len > (kind == PEM_CRL ? MAX_CRL : MAX_PEM))
		snprintf(err, size, "is too long (%zu octets) for charon", f.len);
	if (!err[0])
		return f.text;
	conf_wipe(f.text);
	return NULL;
}

static int read_file(struct conf_loader *ld, const struct file *from, unsigned line, const char *path);

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* dir/pattern: all that match, sorted.  None is fine. */
static void include_glob(struct conf_loader *ld, const struct file *f, unsigned line, const char *path)
{
	const char *slash = strrchr(path, '/'), *pattern = slash ? slash + 1 : path;
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	char **name = NULL;
	unsigned n = 0, size = 0;
	int fd = dir ? conf_open(ld, dir) : -ENOMEM;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		int err = fd < 0 ? -fd : errno;

		if (fd >= 0)
			close(fd);
		conf_error(ld, (struct conf_pos){ f->name, line }, "cannot read directory %s: %s", dir ? dir : path,
			   strerror(err));
		free(dir);
		return;
	}
	while ((e = readdir(d))) {
		char full[PATH_MAX], **to, **more;

		if (fnmatch(pattern, e->d_name, FNM_PERIOD) ||
		    (size_t)snprintf(full, sizeof(full), "%s%s%s", slash ? dir : "", slash && slash != path ? "/" : "",
				     e->d_name) >= sizeof(full))
			continue;
		more = conf_grow(ld, name, &n, &size, sizeof(*name));
		if (!more)
			break;
		name = more;
		to = &name[n - 1];
		*to = conf_strdup(ld, full);
		if (!*to)
			n--;
	}
	closedir(d);
	if (n)
		qsort(name, n, sizeof(*name), by_name);
	for (unsigned i = 0; i < n; i++) {
		read_file(ld, f, line, name[i]);
		free(name[i]);
	}
	free(name);
	free(dir);
}

static void include(struct conf_loader *ld, const struct file *f, unsigned line, const char *word, size_t len)
{
	const char *slash = strrchr(f->name, '/'), *base;
	char path[PATH_MAX];
	int n;

	if (len >= 2 && (*word == '"' || *word == '\'')) {
		word++;
		len -= 2;
	}
	if (!len || memchr(word, '\\', len)) {
		mistake(ld, f, line, "include needs the name of a file, without backslashes");
		return;
	}
	n = snprintf(path, sizeof(path), "%.*s%.*s", *word != '/' && slash ? (int)(slash - f->name) + 1 : 0, f->name,
		     (int)len, word);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		mistake(ld, f, line, "include: the name is too long");
		return;
	}
	base = strrchr(path, '/');
	if (strpbrk(base ? base + 1 : path, "*?["))
		include_glob(ld, f, line, path);
	else
		read_file(ld, f, line, path);
}

/* Statement by statement: include, key = value, key = { list }, section { }. */
static void split(struct conf_loader *ld, const struct file *f, char *text, size_t len)
{
	size_t pos = 0;
	unsigned line = 1;

	for (;;) {
		struct conf_tok key = conf_next(text, len, &pos, &line), t;
		size_t at;
		unsigned at_line;
		bool whole = true;

		if (!key.type)
			return;
		if (key.type != 'w') {
			conf_error(ld, (struct conf_pos){ f->name, key.line }, key.type == '}' ?
				   "unexpected }; nothing is open here" : "unexpected %c", key.type);
			continue;
		}
		at = pos;
		at_line = line;
		t = conf_next(text, len, &pos, &line);
		if (tok_is(text, key, "include")) {
			bool paren = t.type == '(';

			if (t.type == '(' || t.type == '=')
				t = conf_next(text, len, &pos, &line);
			if (t.type == 'w')
				include(ld, f, key.line, text + t.start, t.end - t.start);
			else
				mistake(ld, f, key.line, "include needs the name of a file");
			if (paren && conf_next(text, len, &pos, &line).type != ')')
				mistake(ld, f, key.line, "include(\"FILE\"): a ) is missing");
			continue;
		}
		if (t.type == '=' || t.type == '+') {
			at = pos;
			at_line = line;
			t = conf_next(text, len, &pos, &line);
			if (t.type == '{')
				whole = skip_braces(ld, f, text, len, &pos, &line, t.line);
		} else if (t.type == 'w') {
			if (t.line == key.line) {	/* a title, or a value without its = */
				at = pos;
				at_line = line;
			}
			t = conf_next(text, len, &pos, &line);
			if (t.type == '{') {
				whole = skip_braces(ld, f, text, len, &pos, &line, t.line);
			} else {
				conf_error(ld, (struct conf_pos){ f->name, key.line },
					   "\"%.*s\" needs = and a value, or a title and {",
					   (int)(key.end - key.start), text + key.start);
				pos = at;
				line = at_line;
				continue;
			}
		} else if (t.type == '{') {
			whole = skip_braces(ld, f, text, len, &pos, &line, t.line);
		} else {
			conf_error(ld, (struct conf_pos){ f->name, key.line },
				   "\"%.*s\" needs = and a value, or a title and {",
				   (int)(key.end - key.start), text + key.start);
			pos = at;
			line = at_line;
			continue;
		}
		if (whole)
			conf_parse(ld, text + key.start, pos - key.start, (struct conf_pos){ f->name, key.line });
	}
}

/* Others may read it, and it holds secrets: once a file. */
static void check_mode(struct conf_loader *ld, const struct file *f, unsigned first_sect)
{
	for (unsigned i = first_sect; f->open_to_all && i < ld->n_sects; i++) {
		const struct conf_sect *s = &ld->sect[i];

		for (unsigned j = 0; j < s->n && s->pos.file == f->name; j++) {
			if (s->val[j].key->kind != K_SECRET && s->val[j].key->kind != K_SPAN)
				continue;
			conf_error(ld, (struct conf_pos){ f->name, s->val[j].line },
				   "%s is here, but everybody may read this file; chmod o-r %s",
				   s->val[j].key->name, f->name);
			return;
		}
	}
}

static int read_file(struct conf_loader *ld, const struct file *from, unsigned line, const char *path)
{
	struct file f = { .from = from, .depth = from ? from->depth + 1 : 0 };
	struct conf_pos where = { from ? from->name : NULL, line };
	unsigned first = ld->n_sects;
	struct stat st = { 0 };
	char *out, **more;
	size_t size, len;
	int fd, err;

	if (f.depth > MAX_DEPTH || ld->c->n_sources >= MAX_FILES) {
		conf_error(ld, where, "includes are nested too deeply (at most %d)", MAX_DEPTH);
		return -ELOOP;
	}
	fd = conf_open(ld, path);
	err = fd < 0 ? fd : 0;
	if (!err && fstat(fd, &st))
		err = -errno;
	f.dev = st.st_dev;
	f.ino = st.st_ino;
	f.open_to_all = S_ISREG(st.st_mode) && (st.st_mode & 0004);
	if (!err && S_ISDIR(st.st_mode))
		err = -EISDIR;
	for (const struct file *up = from; !err && up; up = up->from) {
		if (up->dev == f.dev && up->ino == f.ino) {
			conf_error(ld, where, "%s includes itself", path);
			close(fd);
			return -ELOOP;
		}
	}
	if (!err)
		err = slurp(fd, &f);
	if (fd >= 0)
		close(fd);
	if (err) {
		if (from)
			conf_error(ld, where, "cannot read %s: %s", path, strerror(-err));
		return err;
	}
	size = f.len * 2 + 4;
	out = malloc(size);
	more = realloc(ld->c->source, (ld->c->n_sources + 1) * sizeof(*more));
	if (more) {
		ld->c->source = more;
		f.name = more[ld->c->n_sources] = strdup(path);
		ld->c->n_sources += f.name ? 1 : 0;
	}
	if (out && f.name) {
		len = clean(ld, &f, out);
		split(ld, &f, out, len);
		check_mode(ld, &f, first);
	} else {
		ld->oom = true;
	}
	if (out)
		explicit_bzero(out, size);
	free(out);
	explicit_bzero(f.text, f.len);
	free(f.text);
	return 0;
}

int conf_read(struct conf_loader *ld, const char *file)
{
	return read_file(ld, NULL, 0, file);
}
