/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Helpers around the Varlink service that need none of its state: parameters, text, the listening socket. */
#include "io/varlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool param_set(const struct vl_param *p, const json_t *value)
{
	switch (p->type) {
	case 's':
		if (json_is_string(value))
			*(const char **)p->to = json_string_value(value);
		return json_is_string(value);
	case 'i':
		if (json_is_integer(value))
			*(int64_t *)p->to = json_integer_value(value);
		return json_is_integer(value);
	case 'b':
		if (json_is_boolean(value))
			*(bool *)p->to = json_is_true(value);
		return json_is_boolean(value);
	}
	return false;
}

bool vl_params(struct vl_call *call, json_t *params, const struct vl_param *param, unsigned n)
{
	const char *wrong = NULL;
	unsigned known = 0;

	for (unsigned i = 0; i < n && !wrong; i++) {
		json_t *value = json_object_get(params, param[i].name);

		known += value != NULL;
		if (!value || json_is_null(value) ? param[i].required : !param_set(&param[i], value))
			wrong = param[i].name;
	}
	if (!wrong && json_object_size(params) > known) {
		void *it = json_object_iter(params);

		for (; it && !wrong; it = json_object_iter_next(params, it)) {
			unsigned i = 0;

			while (i < n && strcmp(param[i].name, json_object_iter_key(it)))
				i++;
			if (i == n)
				wrong = json_object_iter_key(it);
		}
	}
	if (wrong)
		vl_error(call, "org.varlink.service.InvalidParameter", json_pack("{s:s}", "parameter", wrong));
	return !wrong;
}

/* How many octets the UTF-8 character at p takes, at most n; 0: none starts here (RFC 3629 4). */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (!len || len > n || !p[0])
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

json_t *vl_text(const void *s, size_t n)
{
	const unsigned char *p = s, *end = p + n;
	char *text = malloc(3 * n + 1), *to = text;
	json_t *ret;

	if (!text)
		return NULL;
	while (p < end) {
		size_t len = utf8_len(p, (size_t)(end - p));

		if (len) {
			memcpy(to, p, len);
			to += len;
			p += len;
		} else {
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
			p++;
		}
	}
	ret = json_stringn(text, (size_t)(to - text));
	free(text);
	return ret;
}

/* -EADDRINUSE when somebody serves the path, 0 when nobody does (a left-over was removed), or -errno. */
static int clear_path(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, err;

	if (lstat(sa->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) ? errno : 0;
	close(fd);
	if (err != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(sa->sun_path) && errno != ENOENT ? -errno : 0;
}

int vl_listen(const char *path, mode_t mode, gid_t gid)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path));
	err = clear_path(&sa);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Before bind: the file must never be more open than it ends. */
	if (fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    (gid != (gid_t)-1 && chown(path, (uid_t)-1, gid)) || chmod(path, mode) || listen(fd, VL_CLIENTS_MAX)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}
