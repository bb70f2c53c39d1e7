/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if HAVE_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

enum { BURST = 60, PER_MINUTE = 120, PREFIX = 32, TEXT = 1024 };

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

static char *digits(char *p, unsigned n, unsigned v)
{
	for (unsigned i = n; i--; v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + n;
}

/* "12:34:56.789 warning: " into p; returns the end. */
static char *prefix(char *p, int level)
{
	const char *word = level <= LOG_ERR ? "error: " : level <= LOG_WARNING ? "warning: " : "";
	struct timespec ts = { 0 };
	struct tm tm = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	(void)localtime_r(&ts.tv_sec, &tm);
	p = digits(p, 2, (unsigned)tm.tm_hour);
	*p++ = ':';
	p = digits(p, 2, (unsigned)tm.tm_min);
	*p++ = ':';
	p = digits(p, 2, (unsigned)tm.tm_sec);
	*p++ = '.';
	p = digits(p, 3, (unsigned)(ts.tv_nsec / 1000000));
	*p++ = ' ';
	return stpcpy(p, word);
}

__attribute__((format(printf, 3, 0)))
static void put(const struct log *l, int level, const char *fmt, va_list ap)
{
	char line[PREFIX + TEXT + 1], *text = line + (l->sink == LOG_TO_STDERR ? prefix(line, level) - line : 0);
	size_t n;

	vsnprintf(text, TEXT, fmt, ap);
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
	n = (size_t)(text - line) + strlen(text);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return;			/* whom should we tell? */
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

/* Is there a token?  div: this bucket is so much smaller. */
static bool may_say(struct log_limit *limit, ms_t now, unsigned div)
{
	unsigned refill;

	if (!limit->since) {
		limit->since = now;
		limit->tokens = BURST / div;
	}
	refill = (unsigned)((now - limit->since) * (PER_MINUTE / div) / 60000);
	if (refill) {
		limit->since = now;
		limit->tokens = refill + limit->tokens > BURST / div ? BURST / div : limit->tokens + refill;
	}
	return limit->tokens;
}

static void say(const struct log *l, struct log_limit *limit, int level, const char *whose)
{
	limit->tokens--;
	if (limit->left_out)
		log_line(l, level, "(%u lines like the next one%s were left out)", limit->left_out, whose);
	limit->left_out = 0;
}

static struct log_limit *limit_of(struct log_topic *topic, uint64_t source)
{
	size_t i = source % LOG_SOURCES;

	if (!source)
		return NULL;
	if (topic->by[i].source != source)
		topic->by[i].limit = (struct log_limit){ 0 };
	topic->by[i].source = source;
	return &topic->by[i].limit;
}

void log_limited_by(const struct log *l, struct log_topic *topic, uint64_t source, ms_t now, int level, const char *fmt, va_list ap)
{
	struct log_limit *own;

	if (level > l->level)
		return;
	own = limit_of(topic, source);
	if (own && !may_say(own, now, 2)) {
		own->left_out++;
		topic->left_out++;
		return;
	}
	if (!may_say(&topic->all, now, 1)) {
		topic->all.left_out++;
		topic->left_out++;
		return;
	}
	say(l, &topic->all, level, "");
	if (own)
		say(l, own, level, " from the same address");
	put(l, level, fmt, ap);
}

void log_limited(const struct log *l, struct log_topic *topic, ms_t now, int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_limited_by(l, topic, 0, now, level, fmt, ap);
	va_end(ap);
}
