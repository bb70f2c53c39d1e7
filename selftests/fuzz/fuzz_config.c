/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any octets as a configuration file (and as what it includes): it loads, or
 * there is at least one line that names a place; loading twice says the same;
 * what was loaded differs from itself in nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config.h"
#include "core/config_diff.h"
#include "core/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input { const uint8_t *data; size_t size; unsigned opened; };

static int open_input(void *arg, const char *path)
{
	struct input *in = arg;
	int fd;

	(void)path;
	if (in->opened++ > 3)
		return -ENFILE;
	fd = memfd_create("config", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	fchmod(fd, 0600);
	if (write(fd, in->data, in->size) != (ssize_t)in->size || lseek(fd, 0, SEEK_SET))
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size, 0 }, again = { data, size, 0 };
	struct conf_opener opener = { open_input, &in }, opener2 = { open_input, &again };
	struct config *a = NULL, *b = NULL;
	char *errors = NULL, *errors2 = NULL;
	int ra = config_load("fuzz.conf", &opener, &a, &errors), rb;
	const struct addr from = { .family = 4, .prefix_len = 32, .a = { 192, 0, 2, 1 } };

	if (ra == -EINVAL ? a || !errors || !strstr(errors, ":") : ra || !a || errors)
		abort();
	rb = config_load("fuzz.conf", &opener2, &b, &errors2);
	if (ra != rb || !errors != !errors2 || (errors && strcmp(errors, errors2)))
		abort();
	if (a && b) {
		struct conf_plan plan = { 0 };
		struct pools *pools = pools_new();

		if (config_diff(a, b, &plan) || conf_plan_changes(&plan))
			abort();
		conf_plan_done(&plan);
		config_match_peer(a, 2, ENCAP_UDP, &from, "lac-7");
		config_user(a, data, size < 255 ? size : 255);
		if (pools) {
			pools_update(pools, a);
			pools_free(pools);
		}
	}
	config_free(a);
	config_free(b);
	free(errors);
	free(errors2);
	return 0;
}
