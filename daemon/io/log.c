/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if HAVE_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

enum { BURST = 60, PER_MINUTE = 120 };

static const char *const level_name[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

int log_level(const char *name)
{
	char *end;
	long n = strtol(name, &end, 10);

	for (int i = 0; i < 8; i++)
		if (!strcmp(name, level_name[i]))
			return i;
	return *name && !*end && n >= 0 && n <= 7 ? (int)n : -1;
}

int log_open(struct log *l, const char *sink, int level)
{
	l->level = level;
	if (!strcmp(sink, "auto"))
		sink = HAVE_SYSTEMD && getenv("JOURNAL_STREAM") ? "journal" : "stderr";
	if (!strcmp(sink, "stderr")) {
		l->sink = LOG_TO_STDERR;
	} else if (!strcmp(sink, "syslog")) {
		l->sink = LOG_TO_SYSLOG;
		openlog("ktund", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	} else if (!strcmp(sink, "journal") && HAVE_SYSTEMD) {
		l->sink = LOG_TO_JOURNAL;
	} else {
		return -EINVAL;
	}
	return 0;
}

/* Whatever ends up in a line, it stays one line of printable octets (UTF-8 passes). */
static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

__attribute__((format(printf, 3, 0)))
static void put(const struct log *l, int level, const char *fmt, va_list ap)
{
	char text[1024], when[32];
	struct timespec ts;
	struct tm tm;

	vsnprintf(text, sizeof(text), fmt, ap);
	one_line(text);
	switch (l->sink) {
	case LOG_TO_SYSLOG:
		syslog(level, "%s", text);
		return;
	case LOG_TO_JOURNAL:
#if HAVE_SYSTEMD
		(void)sd_journal_print(level, "%s", text);
#endif
		return;
	case LOG_TO_STDERR:
		break;
	}
	if (clock_gettime(CLOCK_REALTIME, &ts) || !localtime_r(&ts.tv_sec, &tm) ||
	    !strftime(when, sizeof(when), "%H:%M:%S", &tm))
		snprintf(when, sizeof(when), "?");
	fprintf(stderr, "%s.%03ld %s%s\n", when, ts.tv_nsec / 1000000, level <= LOG_WARNING ?
		level <= LOG_ERR ? "error: " : "warning: " : "", text);
}

void log_line(const struct log *l, int level, const char *fmt, ...)
{
	va_list ap;

	if (level > l->level)
		return;
	va_start(ap, fmt);
	put(l, level, fmt, ap);
	va_end(ap);
}

void log_limited(const struct log *l, struct log_limit *limit, ms_t now, int level, const char *fmt, ...)
{
	unsigned refill;
	va_list ap;

	if (level > l->level)
		return;
	if (!limit->since) {
		limit->since = now;
		limit->tokens = BURST;
	}
	refill = (unsigned)((now - limit->since) * PER_MINUTE / 60000);
	if (refill) {
		limit->since = now;
		limit->tokens = refill + limit->tokens > BURST ? BURST : limit->tokens + refill;
	}
	if (!limit->tokens) {
		limit->left_out++;
		return;
	}
	limit->tokens--;
	if (limit->left_out) {
		log_line(l, level, "(%u lines like the next one were left out)", limit->left_out);
		limit->left_out = 0;
	}
	va_start(ap, fmt);
	put(l, level, fmt, ap);
	va_end(ap);
}
