/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines to stderr, syslog or the journal.  What a peer can cause is rate
 * limited per topic, and half as much per topic and source, so that one who is
 * noisy does not hide the others; and says how much was left out. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <syslog.h>

#include "base/env.h"

enum log_sink { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL };

/* A token bucket: burst lines, then rate per minute. */
struct log_limit { ms_t since; unsigned tokens, left_out; };

/* A topic's, and in a fixed table those of its sources; a new one takes the place of whom it collides with. */
enum { LOG_SOURCES = 64 };
struct log_topic {
	struct log_limit all;
	uint64_t left_out;		/* lines, ever */
	struct { uint64_t source; struct log_limit limit; } by[LOG_SOURCES];
};

struct log {
	enum log_sink sink;
	int level;			/* lines above it are left out; LOG_DEBUG shows all */
};

/* sink: "stderr", "syslog", "journal", or "auto": the journal when it is our stderr, else stderr.  -EINVAL: none of these. */
int log_open(struct log *, const char *sink, int level);
__attribute__((format(printf, 3, 4)))
void log_line(const struct log *, int level, const char *fmt, ...);
/* The same, unless the topic's limit says no. */
__attribute__((format(printf, 5, 6)))
void log_limited(const struct log *, struct log_topic *, ms_t now, int level, const char *fmt, ...);
/* Or that of who caused it: source is any number that tells him from others, 0: nobody. */
__attribute__((format(printf, 6, 0)))
void log_limited_by(const struct log *, struct log_topic *, uint64_t source, ms_t now, int level, const char *fmt, va_list ap);
/* "err", "warning", ... or 0..7; -1: unknown. */
int log_level(const char *name);
