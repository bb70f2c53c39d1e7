/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client's half of the control socket: one connection, one call, its answers. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define IFACE "org.ktund."

enum { MESSAGE_MAX = 16 << 20, PATIENCE_MS = 3000 };

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static bool cannot(const struct cli *cli, const char *what)
{
	if (!cli->quiet)
		complain("%s", what);
	return false;
}

static bool no_daemon(const struct cli *cli, int err)
{
	bool usual = !strcmp(cli->dir, "/run/ktund");

	if (cli->quiet)
		return false;
	if (err == ENOENT || err == ECONNREFUSED || err == ENOTDIR)
		complain("ktund does not answer at %s: is it running? start: ktund --config /etc/ktund/ktund.conf%s%s",
			    cli->path, usual ? "" : " --runtime-dir ", usual ? "" : cli->dir);
	else if (err == EACCES || err == EPERM)
		complain("permission denied at %s: it is for root and for the group of that socket", cli->path);
	else
		complain("%s: %s", cli->path, strerror(err));
	return false;
}

static bool call_connect(struct cli *cli)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	long long until = now_ms() + cli->answer_ms;
	int n = snprintf(cli->path, sizeof(cli->path), "%s/control", cli->dir);

	if (cli->fd >= 0)
		return true;
	if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
		return cannot(cli, "the name of the runtime directory is too long for a socket");
	memcpy(sa.sun_path, cli->path, (size_t)n);
	cli->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (cli->fd < 0)
		return cannot(cli, strerror(errno));
	while (connect(cli->fd, (struct sockaddr *)&sa, sizeof(sa))) {
		int err = errno;

		if (err == EAGAIN && now_ms() < until) {	/* its backlog is full */
			poll(NULL, 0, 20);
			continue;
		}
		call_close(cli);
		return no_daemon(cli, err);
	}
	return true;
}

void call_close(struct cli *cli)
{
	if (cli->fd >= 0)
		close(cli->fd);
	free(cli->in);
	cli->in = NULL;
	cli->in_start = cli->in_len = cli->in_cap = 0;
	cli->fd = -1;
}

bool call_send(struct cli *cli, const char *method, json_t *params, bool more)
{
	json_t *msg;
	char *s;

	if (cli->look) {
		json_decref(params);
		return false;
	}
	msg = json_pack("{s:s+, s:o}", "method", IFACE, method, "parameters", params ? params : json_object());
	if (msg && more)
		json_object_set_new(msg, "more", json_true());
	s = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
	json_decref(msg);
	if (!s)			/* json_pack takes UTF-8 only */
		return cannot(cli, "the words are not UTF-8");
	if (!call_connect(cli)) {
		free(s);
		return false;
	}
	for (size_t done = 0, len = strlen(s) + 1; done < len;) {
		struct pollfd p = { .fd = cli->fd, .events = POLLOUT };
		ssize_t n = send(cli->fd, s + done, len - done, MSG_NOSIGNAL);

		if (n > 0)
			done += (size_t)n;
		else if (errno == EPIPE)
			break;				/* it may have said why before it closed */
		else if (errno != EAGAIN && errno != EINTR)
			break;
		else if (poll(&p, 1, cli->answer_ms) == 0)
			break;
	}
	free(s);
	return true;
}

static const char *words(const json_t *v)
{
	return json_is_string(v) ? json_string_value(v) : "?";
}

static const char *param(const json_t *params, const char *key)
{
	return words(json_object_get(params, key));
}

/* An error in the words of a person. */
static void say_error(const struct cli *cli, const char *error, const json_t *params)
{
	const json_t *list = json_object_get(params, "errors");

	if (cli->quiet)
		return;
	if (!strcmp(error, IFACE "NotFound")) {
		const char *kind = param(params, "kind"), *name = param(params, "name");

		if (!strcmp(kind, "user"))
			complain("no session of user %s; see `ktun show sessions`", name);
		else
			complain("no %s %s; see `ktun show %ss`", kind, name, kind);
	} else if (!strcmp(error, IFACE "Refused")) {
		complain("refused: %s", param(params, "reason"));
	} else if (!strcmp(error, IFACE "NotReady")) {
		complain("not ready: %s", param(params, "reason"));
	} else if (!strcmp(error, IFACE "PermissionDenied")) {
		complain("permission denied: %s", param(params, "reason"));
	} else if (!strcmp(error, IFACE "InvalidConfig")) {
		for (size_t i = 0; i < json_array_size(list); i++)
			complain("%s", words(json_array_get(list, i)));
		complain("the configuration has %zu mistake%s; nothing was changed", json_array_size(list),
			    json_array_size(list) == 1 ? "" : "s");
	} else if (!strcmp(error, "org.varlink.service.MethodNotFound")) {
		complain("this ktund does not know %s: are ktun and ktund of one version?", param(params, "method"));
	} else {
		char *s = params ? json_dumps(params, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

		complain("%s%s%s", error, s ? " " : "", s ? s : "");
		free(s);
	}
}

/* The next whole message of what was received, or NULL. */
static char *next_message(struct cli *cli, size_t *scanned)
{
	char *at, *nul;

	if (!cli->in_len)
		return NULL;
	at = cli->in + cli->in_start;
	nul = cli->in_len > *scanned ? memchr(at + *scanned, 0, cli->in_len - *scanned) : NULL;
	*scanned = cli->in_len;
	if (!nul)
		return NULL;
	cli->in_start += (size_t)(nul + 1 - at);
	cli->in_len -= (size_t)(nul + 1 - at);
	return at;
}

/* Waits for octets: 1, 0 at the time's end, -1: SIGINT. */
static int wait_input(struct cli *cli, long long until, const char *waiting, long long *patience)
{
	for (;;) {
		struct pollfd p = { .fd = cli->fd, .events = POLLIN };
		long long now = now_ms(), left = until < 0 ? 1000 : until - now;
		struct timespec ts;
		sigset_t none;
		int n;

		if (cli->stop && *cli->stop)
			return -1;
		if (left <= 0)
			return 0;
		if (left > 1000)
			left = 1000;
		ts = (struct timespec){ .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
		sigemptyset(&none);
		n = ppoll(&p, 1, &ts, &none);		/* SIGINT, if it is handled, comes only here */
		if (n > 0)
			return 1;
		if (waiting && now_ms() >= *patience) {
			complain("%s ...", waiting);
			*patience += PATIENCE_MS;
		}
	}
}

/* One raw message (valid until the next call), or NULL: said why. */
static char *receive(struct cli *cli, int timeout_ms, const char *waiting)
{
	long long start = now_ms(), patience = start + PATIENCE_MS;
	size_t scanned = 0;
	char *msg;

	while (!(msg = next_message(cli, &scanned))) {
		ssize_t n;
		int got;

		if (cli->in_start) {
			memmove(cli->in, cli->in + cli->in_start, cli->in_len);
			cli->in_start = 0;
		}
		if (cli->in_len == cli->in_cap) {
			if (cli->in_cap >= MESSAGE_MAX) {
				cannot(cli, "ktund's answer is too long");
				return NULL;
			}
			cli->in_cap = cli->in_cap ? 2 * cli->in_cap : 65536;
			cli->in = need(realloc(cli->in, cli->in_cap));
		}
		got = wait_input(cli, timeout_ms < 0 ? -1 : start + timeout_ms, waiting, &patience);
		if (got < 0)
			return NULL;
		if (!got) {
			if (waiting)
				complain("%s: not within %g s", waiting, timeout_ms / 1000.);
			else if (!cli->quiet)
				complain("ktund does not answer at %s within %g s", cli->path, timeout_ms / 1000.);
			return NULL;
		}
		n = recv(cli->fd, cli->in + cli->in_len, cli->in_cap - cli->in_len, 0);
		if (n > 0) {
			cli->in_len += (size_t)n;
		} else if (!n || (errno != EAGAIN && errno != EINTR)) {
			cannot(cli, "ktund closed the connection before it answered");
			return NULL;
		}
	}
	return msg;
}

json_t *call_next(struct cli *cli, int timeout_ms, const char *waiting, bool *ret_continues)
{
	json_t *msg, *params = NULL;
	const char *error = NULL;
	int continues = 0;
	json_error_t err;
	char *s = receive(cli, timeout_ms, waiting);

	if (ret_continues)
		*ret_continues = false;
	if (!s)
		return NULL;
	msg = json_loads(s, 0, &err);
	if (!msg || json_unpack_ex(msg, &err, 0, "{s?o, s?s, s?b}", "parameters", &params, "error", &error,
				   "continues", &continues)) {
		if (!cli->quiet)
			complain("ktund's answer is no Varlink message: %s", err.text);
		json_decref(msg);
		return NULL;
	}
	if (error) {
		say_error(cli, error, params);
		params = NULL;
	} else {
		params = json_is_object(params) ? json_incref(params) : json_object();
		if (ret_continues)
			*ret_continues = continues;
	}
	json_decref(msg);
	return params;
}

json_t *call_one(struct cli *cli, const char *method, json_t *params, int timeout_ms, const char *waiting)
{
	return call_send(cli, method, params, false) ? call_next(cli, timeout_ms, waiting, NULL) : NULL;
}

json_t *call_list(struct cli *cli, const char *method, const char *key, json_t *params)
{
	json_t *all = need(json_array());
	bool more = call_send(cli, method, params, true);

	if (!more) {
		json_decref(all);
		return NULL;
	}
	while (more) {
		json_t *part = call_next(cli, cli->answer_ms, NULL, &more);
		json_t *list = json_object_get(part, key);

		if (!part) {
			json_decref(all);
			return NULL;
		}
		if (json_is_array(list) && json_array_extend(all, list))
			need(NULL);
		json_decref(part);
	}
	return all;
}
