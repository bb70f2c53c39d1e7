/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines that peers cause: limited, each by what he said himself, and counted. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/log.h"

static struct log to_stderr = { .sink = LOG_TO_STDERR, .level = LOG_INFO };
static struct log_topic topic;
static char text[1 << 16];
static int was, file;

static void begin(void)
{
	topic = (struct log_topic){ 0 };
	was = dup(STDERR_FILENO);
	file = memfd_create("log", MFD_CLOEXEC);
	assert_true(was >= 0 && file >= 0 && dup2(file, STDERR_FILENO) >= 0);
}

static void end(void)
{
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);

	dup2(was, STDERR_FILENO);
	close(was);
	close(file);
	assert_true(n >= 0);
	text[n] = 0;
}

static unsigned lines_with(const char *words)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, words)); p += strlen(words))
		n++;
	return n;
}

__attribute__((format(printf, 4, 5)))
static void says(uint64_t source, ms_t now, int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_limited_by(&to_stderr, &topic, source, now, level, fmt, ap);
	va_end(ap);
}

/* One that is noisy has half of what there is, and the other half is for the others. */
static void test_sources(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 1000; i++)
		says(7, 1, LOG_NOTICE, "noise %u", i);
	says(8, 1, LOG_NOTICE, "a neighbour");
	says(7, 60001, LOG_NOTICE, "later");
	end();
	assert_int_equal(lines_with(" noise "), 30);
	assert_int_equal(lines_with(" a neighbour\n"), 1);
	assert_non_null(strstr(text, "(970 lines like the next one from the same address were left out)\n"));
	assert_int_equal(lines_with(" later\n"), 1);
	assert_int_equal(topic.left_out, 970);
}

/* Many together, whoever they are, have no more than the topic. */
static void test_topic(void **state)
{
	unsigned left = 0;

	(void)state;
	begin();
	for (uint64_t i = 1; i <= 5000; i++)
		says(i * 0x9e3779b97f4a7c15, 1, LOG_NOTICE, "noise");
	log_limited(&to_stderr, &topic, 1, LOG_NOTICE, "nobody's");
	says(9, 1, LOG_DEBUG, "not asked for");
	says(9, 1001, LOG_NOTICE, "a second later");
	end();
	assert_int_equal(lines_with(" noise\n"), 60);
	assert_int_equal(lines_with("nobody's"), 0);
	assert_int_equal(lines_with("not asked for"), 0);
	assert_int_equal(lines_with("a second later"), 1);
	assert_int_equal(sscanf(strchr(text, '(') ? strchr(text, '(') : "", "(%u lines", &left), 1);
	assert_int_equal(left, 4941);
	assert_int_equal(topic.left_out, 4941);
}

/* Whatever a peer has put into it, a line is one line of printable octets. */
static void test_one_line(void **state)
{
	(void)state;
	begin();
	log_line(&to_stderr, LOG_NOTICE, "host %s", "a\nforged: line\r\x1b[2J\x7f%n");
	end();
	assert_non_null(strstr(text, "host a?forged: line??[2J?%n\n"));
	assert_int_equal(lines_with("\n"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sources), cmocka_unit_test(test_topic), cmocka_unit_test(test_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
