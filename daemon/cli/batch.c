/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of a batch, as `ip -batch` reads them. */
#include "cli.h"

#include <string.h>

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -1;
}

/* Ends the logical line that begins at p and makes blanks of joints and comments; what is behind it. */
static char *end_line(char *p, unsigned *line)
{
	for (bool comment = false; *p; p++) {
		if (*p == '\\' && p[1] == '\n') {
			p[0] = p[1] = ' ';
			++*line;
			comment = false;
		} else if (*p == '\n') {
			*p = 0;
			++*line;
			return p + 1;
		} else if (*p == '#') {
			comment = true;
		}
		if (comment)
			*p = ' ';
	}
	++*line;
	return p;
}

int batch_next(char **pos, unsigned *line, char **argv, int *ret_argc, unsigned *ret_line, const char **ret_why)
{
	while (**pos) {
		char *p = *pos;
		int n = 0;

		*ret_line = *line + 1;
		*pos = end_line(p, line);
		while (*(p += strspn(p, " \t\r\n"))) {
			bool quoted = *p == '"' || *p == '\'';

			if (n == BATCH_WORDS)
				return bad(ret_why, "too many words");
			argv[n++] = p + quoted;
			p = quoted ? strchr(p + 1, *p) : p + strcspn(p, " \t\r\n");
			if (!p)
				return bad(ret_why, "a quote is not closed");
			if (*p)
				*p++ = 0;
		}
		*ret_argc = n;
		if (n)
			return 1;
	}
	return 0;
}
