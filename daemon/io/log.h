/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines to stderr, syslog or the journal.  What a peer can cause is rate
 * limited per topic, and says how much was left out. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <syslog.h>

#include "base/env.h"

enum log_sink { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL };

/* A token bucket: burst lines, then rate per minute. */
struct log_limit { ms_t since; unsigned tokens, left_out; };

struct log {
	enum log_sink sink;
	int level;			/* lines above it are left out; LOG_DEBUG shows all */
};

/* sink: "stderr", "syslog", "journal", or "auto": the journal when it is our stderr, else stderr.  -EINVAL: none of these. */
int log_open(struct log *, const char *sink, int level);
__attribute__((format(printf, 3, 4)))
void log_line(const struct log *, int level, const char *fmt, ...);
/* The same, unless the limit says no. */
__attribute__((format(printf, 5, 6)))
void log_limited(const struct log *, struct log_limit *, ms_t now, int level, const char *fmt, ...);
/* "err", "warning", ... or 0..7; -1: unknown. */
int log_level(const char *name);
