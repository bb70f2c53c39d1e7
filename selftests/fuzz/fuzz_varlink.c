/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of the control socket: the input is what it sends, in pieces.  An octet 0xff 0x00..0x07 is no UTF-8 and steers
 * instead: end of a piece, answer a waiting call, read what came, half close.  Whatever it does, nothing crashes or leaks, each
 * waiting call ends once, and the next client is served. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/varlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world { struct vl_call *waiting; unsigned kept, ended; bool half_closed; };

static void on_closed(void *arg, struct vl_call *call, void *data)
{
	struct world *w = arg;

	(void)data;
	if (call != w->waiting)
		abort();
	w->waiting = NULL;
	w->ended++;
}

static void h_keep(void *arg, struct vl_call *call, json_t *params)
{
	struct world *w = arg;

	(void)params;
	if (w->waiting)			/* one call at a time */
		abort();
	w->waiting = call;
	w->kept++;
	vl_call_keep(call, w, on_closed);
}

static void h_echo(void *arg, struct vl_call *call, json_t *params)
{
	const char *text = "";
	int64_t n = 0;
	bool flag = false;
	const struct vl_param p[] = { { "text", 's', true, &text }, { "n", 'i', false, &n }, { "flag", 'b', false, &flag } };

	(void)arg;
	if (vl_params(call, params, p, 3))
		vl_reply(call, json_pack("{s:o, s:I, s:b}", "text", vl_text(text, strlen(text)), "n", (json_int_t)n, "flag", flag));
}

static void pull(void *arg, struct vl_call *call, void *cursor)
{
	unsigned *left = cursor;

	(void)arg;
	if ((*left)--)
		vl_reply_more(call, json_pack("{s:[i], s:i}", "list", (int)*left, "last", (int)*left));
	else
		vl_reply(call, json_pack("{s:[]}", "list"));
}

static void h_list(void *arg, struct vl_call *call, json_t *params)
{
	unsigned *cursor = malloc(sizeof(*cursor));

	(void)arg;
	if (!cursor)
		abort();
	*cursor = (unsigned)json_integer_value(json_object_get(params, "n")) % 2000;
	vl_pull(call, pull, cursor);
}

static const struct vl_method methods[] = {
	{ "a.b.Keep", h_keep, false, false }, { "a.b.Monitor", h_keep, false, true }, { "a.b.Echo", h_echo, false, false },
	{ "a.b.Admin", h_echo, true, false }, { "a.b.List", h_list, false, false }, { 0 },
};

static void pump(struct ev_loop *loop)
{
	for (int i = 0; i < 8; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

static int client(struct vl *vl)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) || vl_adopt(vl, fd[1]))
		abort();
	return fd[0];
}

static void drain(int fd)
{
	char buf[65536];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void steer(struct world *w, int fd, unsigned what)
{
	switch (what) {
	case 1:
		if (w->waiting) {
			struct vl_call *call = w->waiting;

			w->waiting = NULL;
			w->ended++;
			vl_reply(call, json_object());
		}
		break;
	case 2:
		for (int i = 0; i < 100 && w->waiting && vl_reply_more(w->waiting, json_pack("{s:i}", "event", i)); i++)
			;
		break;
	case 3:
		drain(fd);
		break;
	case 4:
		shutdown(fd, SHUT_WR);
		w->half_closed = true;
		break;
	case 5:
		shutdown(fd, SHUT_RD);
		break;
	}
}

/* Another client, afterwards. */
static void check_alive(struct ev_loop *loop, struct vl *vl)
{
	static const char call[] = "{\"method\":\"a.b.Echo\",\"parameters\":{\"text\":\"x\"}}";
	static const char answer[] = "{\"parameters\":{\"text\":\"x\",\"n\":0,\"flag\":false}}";
	char buf[256];
	int fd = client(vl);

	if (send(fd, call, sizeof(call), MSG_NOSIGNAL) != sizeof(call))
		abort();
	pump(loop);
	if (recv(fd, buf, sizeof(buf), 0) != sizeof(answer) || memcmp(buf, answer, sizeof(answer)))
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { 0 };
	const struct vl_service service = {
		.interface = "a.b", .description = "interface a.b\n", .vendor = "v", .product = "p", .version = "1", .url = "u",
		.method = methods, .arg = &w,
	};
	struct ev_loop *loop = ev_loop_new(EVBACKEND_SELECT);
	struct vl *vl = vl_new(loop, -1, &service);
	const uint8_t *p = data, *end = data + size;
	int fd = client(vl);

	while (p < end) {
		const uint8_t *cut = memchr(p, 0xff, (size_t)(end - p));
		size_t n = (size_t)((cut ? cut : end) - p);

		if (n && send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN && errno != EPIPE && errno != ECONNRESET)
			abort();
		pump(loop);
		p = cut ? cut + 1 : end;
		if (p < end && *p < 8)
			steer(&w, fd, *p++);
	}
	pump(loop);
	check_alive(loop, vl);
	close(fd);
	pump(loop);
	if (vl_clients(vl) && !w.half_closed)		/* those are looked after once a second */
		abort();
	vl_free(vl);
	if (w.kept != w.ended)
		abort();
	ev_loop_destroy(loop);
	return 0;
}
