/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VICI client against a real charon, for the net tests:
 *   vici-drive SOCKET COMMAND...
 * Prints one line for what happens; the status is 0 if every request succeeded.  Commands, in order:
 *   load NAME | unload NAME     a connection of ours (load-conn, unload-conn)
 *   list                        list-conns: "conn NAME" each
 *   sas                         list-sas: "sa NAME" each
 *   nonsense                    a command that there is none
 *   ready                       waits until charon is there (again): "ready VERSION"
 *   down                        waits until it is gone: "down: WHY" */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vici/client.h"

enum { PATIENCE_MS = 60000 };

struct drive { struct vici v; const char *path; int fd[VICI_LINKS]; uint32_t waiting; bool failed, ready; };

static ms_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (ms_t)t.tv_sec * 1000 + (ms_t)t.tv_nsec / 1000000;
}

static void connect_both(struct drive *d)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", d->path);
	for (unsigned i = 0; i < VICI_LINKS; i++) {
		d->fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (d->fd[i] < 0 || connect(d->fd[i], (struct sockaddr *)&un, sizeof(un)) < 0) {
			vici_lost(&d->v, now(), strerror(errno));
			return;
		}
		vici_connected(&d->v, now(), i);
	}
}

static void show(const struct fx *f)
{
	struct span body = vici_fx_body(f);
	struct rd r = rd_init(body.p, body.n);
	struct vici_item it;
	char name[64];

	while (vici_next(&r, &it))
		if (it.type == VICI_SECTION_START)
			printf("%s %s\n", vici_is(vici_get(it.value, "children"), "") ? "?" :
			       vici_get(it.value, "children").p ? "conn" : "sa", vici_text(it.name, name, sizeof(name)));
}

static void perform(struct drive *d, const struct fx *f)
{
	static const char *const word[] = { "ok", "refused", "unknown", "lost" };
	const struct vici_fx_msg *m = (const void *)f->data;
	const struct vici_fx_tx *tx = (const void *)f->data;
	char text[200];

	switch ((enum vici_fx)f->type) {
	case VICI_FX_CONNECT:
		connect_both(d);
		break;
	case VICI_FX_CLOSE:
		for (unsigned i = 0; i < VICI_LINKS; i++) {
			if (d->fd[i] >= 0)
				close(d->fd[i]);
			d->fd[i] = -1;
		}
		break;
	case VICI_FX_TX:
		if (send(d->fd[tx->link], tx->octets, f->len - sizeof(*tx), MSG_NOSIGNAL) < 0)
			vici_lost(&d->v, now(), strerror(errno));
		break;
	case VICI_FX_READY:
		d->ready = true;
		printf("ready %s\n", vici_text(vici_fx_text(f), text, sizeof(text)));
		break;
	case VICI_FX_DOWN:
		if (d->ready)
			printf("down: %s\n", vici_text(vici_fx_text(f), text, sizeof(text)));
		d->ready = false;
		break;
	case VICI_FX_NOTE:
		printf("note: %s\n", vici_text(vici_fx_text(f), text, sizeof(text)));
		break;
	case VICI_FX_ITEM:
		show(f);
		break;
	case VICI_FX_REPLY:
		vici_text(vici_get(vici_fx_body(f), "errmsg"), text, sizeof(text));
		printf("%s: %s%s%s\n", m->name, word[m->status & 3], *text ? ": " : "", text);
		d->failed |= m->status != VICI_OK;
		if (m->id == d->waiting)
			d->waiting = 0;
		break;
	case VICI_FX_EVENT:
		printf("event %s\n", m->name);
		break;
	}
	fflush(stdout);
}

static void turn(struct drive *d)
{
	static uint8_t buf[65536];
	struct pollfd p[VICI_LINKS];
	ms_t at = vici_deadline(&d->v), t = now();
	ssize_t n;

	for (unsigned i = 0; i < VICI_LINKS; i++)
		p[i] = (struct pollfd){ .fd = d->fd[i], .events = POLLIN };
	poll(p, VICI_LINKS, at > t ? (int)(at - t) : 0);
	for (unsigned i = 0; i < VICI_LINKS; i++) {
		if (!p[i].revents || p[i].fd != d->fd[i])
			continue;
		n = recv(d->fd[i], buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			vici_input(&d->v, now(), i, buf, (size_t)n);
		else if (n == 0 || errno != EAGAIN)
			vici_lost(&d->v, now(), n ? strerror(errno) : "charon closed the connection");
		for (struct fx *f; (f = fx_pop(&d->v.out)); fx_free(f))
			perform(d, f);
	}
	vici_tick(&d->v, now());
	for (struct fx *f; (f = fx_pop(&d->v.out)); fx_free(f))
		perform(d, f);
}

/* A transport mode connection that nobody can use. */
static struct span conn(struct wr *w, const char *name)
{
	vici_section(w, name);
	vici_key(w, "version", "2");
	vici_list_of(w, "remote_addrs", "192.0.2.99");
	vici_section(w, "local");
	vici_key(w, "auth", "psk");
	vici_section_end(w);
	vici_section(w, "remote");
	vici_key(w, "auth", "psk");
	vici_section_end(w);
	vici_section(w, "children");
	vici_section(w, "l2tp");
	vici_key(w, "mode", "transport");
	vici_list_of(w, "local_ts", "dynamic[udp/1701]");
	vici_section_end(w);
	vici_section_end(w);
	vici_section_end(w);
	return (struct span){ w->base, wr_len(w) };
}

static uint32_t request(struct drive *d, char ***at)
{
	const char *what = *(*at)++;
	struct span none = { NULL, 0 };
	uint8_t buf[1024];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!strcmp(what, "list"))
		return vici_request(&d->v, now(), "list-conns", "list-conn", none, 0);
	if (!strcmp(what, "sas"))
		return vici_request(&d->v, now(), "list-sas", "list-sa", none, 0);
	if (!strcmp(what, "load") && **at)
		return vici_request(&d->v, now(), "load-conn", NULL, conn(&w, *(*at)++), 0);
	if (!strcmp(what, "unload") && **at) {
		vici_key(&w, "name", *(*at)++);
		return vici_request(&d->v, now(), "unload-conn", NULL, (struct span){ buf, wr_len(&w) }, 0);
	}
	return vici_request(&d->v, now(), what, NULL, none, 0);
}

int main(int argc, char **argv)
{
	static const char *const events[] = { "child-updown", "ike-updown", "ike-rekey", "child-rekey", "ike-update", NULL };
	struct drive d = { .fd = { -1, -1 } };
	ms_t until = now() + PATIENCE_MS;

	if (argc < 3)
		return 2;
	d.path = argv[1];
	vici_init(&d.v, events, now());
	for (char **at = argv + 2; *at; ) {
		bool down = !strcmp(*at, "down"), only = down || !strcmp(*at, "ready");

		while (d.ready == down && now() < until)
			turn(&d);
		if (only)
			at++;
		else
			d.waiting = request(&d, &at);
		for (struct fx *f; (f = fx_pop(&d.v.out)); fx_free(f))
			perform(&d, f);
		while (d.waiting && now() < until)
			turn(&d);
	}
	vici_done(&d.v);
	if (now() >= until)
		printf("too late\n");
	return d.failed || now() >= until;
}
