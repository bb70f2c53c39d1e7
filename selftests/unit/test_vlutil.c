/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's file, and octets of a peer as JSON text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/varlink.h"

static void test_listen(void **state)
{
	char dir[] = "/tmp/test_vlutil.XXXXXX", path[64], name[200];
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control", dir);
	fd = vl_listen(path, 0600, (gid_t)-1);
	assert_true(fd >= 0);
	assert_int_equal(vl_listen(path, 0660, (gid_t)-1), -EADDRINUSE);
	close(fd);
	assert_int_equal(stat(path, &st), 0);
	fd = vl_listen(path, 0660, (gid_t)-1);	/* left over: nobody answers */
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	close(fd);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	assert_int_equal(vl_listen(name, 0660, (gid_t)-1), -ENAMETOOLONG);
	unlink(path);
	fclose(fopen(path, "w"));
	assert_int_equal(vl_listen(path, 0660, (gid_t)-1), -EEXIST);
	unlink(path);
	rmdir(dir);
}

static void test_text(void **state)
{
	static const struct { const char *in, *out; size_t n; } row[] = {
		{ "plain", "plain", 5 }, { "\xc3\xa4", "\xc3\xa4", 2 }, { "a\xff" "b", "a\xef\xbf\xbd" "b", 3 },
		{ "\xc3", "\xef\xbf\xbd", 1 }, { "a\0b", "a\xef\xbf\xbd" "b", 3 }, { "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", 2 },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 3 }, { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 4 },
		{ "\x1b[2J", "\x1b[2J", 4 }, { "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		json_t *got = vl_text(row[i].in, row[i].n);

		assert_non_null(got);
		assert_string_equal(json_string_value(got), row[i].out);
		json_decref(got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_listen), cmocka_unit_test(test_text) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
