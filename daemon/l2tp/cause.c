/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cause.h"

#include <string.h>

#include "base/pkt.h"

static void add(struct wr *w, const char *s)
{
	size_t n = s ? strlen(s) : 0, room = (size_t)(w->end - w->p);

	wr_bytes(w, s, n < room ? n : room);
}

size_t l2tp_line(char *out, size_t size, const char *msg_name, const char *text, const char *avp_name)
{
	struct wr w = wr_init(out, size - 1);

	add(&w, msg_name);
	add(&w, msg_name ? ": " : NULL);
	add(&w, text);
	add(&w, avp_name ? " " : NULL);
	add(&w, avp_name);
	out[wr_len(&w)] = 0;
	return wr_len(&w);
}

struct l2tp_cause l2tp_cause(unsigned result, unsigned error, const char *text, const char *avp_name)
{
	struct l2tp_cause c = { .result = (uint16_t)result, .error = (uint16_t)error };

	l2tp_line(c.msg, sizeof(c.msg), NULL, text, avp_name);
	return c;
}
