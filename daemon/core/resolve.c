/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS names of peers, by c-ares on our loop. */
#include <ares.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/dial.h"

#define RESOLV_CONF "/etc/resolv.conf"

enum { N_SOCKETS = 16, N_ADDRESSES = 8 };

struct query {
	struct query *next;			/* of those that are answered */
	struct resolver *resolver;
	uint32_t id;
	uint16_t port;
	int status;
	unsigned n;
	struct endpoint e[N_ADDRESSES];
};

struct resolver {
	struct ctx *ctx;
	ares_channel channel;
	struct { ev_io w; int fd; } socket[N_SOCKETS];
	struct timer timer, deliver;
	struct query *answers;
	unsigned n_asked;			/* by us, and not answered by c-ares yet */
	struct stat conf;			/* of resolv.conf as c-ares read it */
	uint32_t last;
};

static void rearm(struct resolver *r)
{
	struct timeval tv, *t = ares_timeout(r->channel, NULL, &tv);

	if (t)
		timer_set(&r->ctx->loop, &r->timer, clock_ms() + (ms_t)t->tv_sec * 1000 + (ms_t)t->tv_usec / 1000 + 1);
}

static void ready(struct ev_loop *ev, ev_io *w, int revents)
{
	struct resolver *r = w->data;

	(void)ev;
	ares_process_fd(r->channel, revents & EV_READ ? w->fd : ARES_SOCKET_BAD, revents & EV_WRITE ? w->fd : ARES_SOCKET_BAD);
	rearm(r);
}

static void due(struct timer *timer, void *arg)
{
	struct resolver *r = arg;

	(void)timer;
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(r);
}

static void socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	int slot = -1;

	for (int i = 0; i < N_SOCKETS; i++)
		if (r->socket[i].fd == fd || (slot < 0 && r->socket[i].fd < 0))
			slot = i;
	for (int i = 0; i < N_SOCKETS; i++)
		if (r->socket[i].fd == fd)
			slot = i;
	if (slot < 0)
		return;				/* c-ares times the query out */
	ev_io_stop(r->ctx->loop.ev, &r->socket[slot].w);
	r->socket[slot].fd = readable || writable ? fd : -1;
	if (r->socket[slot].fd < 0)
		return;
	ev_io_init(&r->socket[slot].w, ready, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	r->socket[slot].w.data = r;
	ev_io_start(r->ctx->loop.ev, &r->socket[slot].w);
}

/* What /etc/hosts knows is answered inside of the question, when nobody knows its number yet: all answers wait a moment. */
static void deliver(struct timer *timer, void *arg)
{
	struct resolver *r = arg;

	(void)timer;
	for (struct query *q; (q = r->answers); free(q)) {
		r->answers = q->next;
		dial_resolved(r->ctx, q->id, q->e, q->n, q->n ? NULL : ares_strerror(q->status ? q->status : ARES_ENODATA));
	}
}

static bool open_channel(struct resolver *r, ares_channel *ret)
{
	struct ares_options o = { .sock_state_cb = socket_state, .sock_state_cb_data = r, .timeout = 2000, .tries = 3 };

	return !ares_init_options(ret, &o, ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
}

/* c-ares reads /etc/resolv.conf once, and the name servers change with the network. */
static void reread(struct resolver *r)
{
	struct stat now = { 0 };
	ares_channel fresh;

	(void)stat(RESOLV_CONF, &now);
	if (r->n_asked || (now.st_ino == r->conf.st_ino && now.st_size == r->conf.st_size &&
			   !memcmp(&now.st_mtim, &r->conf.st_mtim, sizeof(now.st_mtim))))
		return;
	if (!open_channel(r, &fresh))
		return;
	ares_destroy(r->channel);
	r->channel = fresh;
	r->conf = now;
}

struct resolver *resolver_new(struct ctx *ctx)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->ctx = ctx;
	for (int i = 0; i < N_SOCKETS; i++)
		r->socket[i].fd = -1;
	timer_init(&r->timer, due, r);
	timer_init(&r->deliver, deliver, r);
	if (ares_library_init(ARES_LIB_INIT_ALL)) {
		free(r);
		return NULL;
	}
	(void)stat(RESOLV_CONF, &r->conf);
	if (!open_channel(r, &r->channel)) {
		ares_library_cleanup();
		free(r);
		return NULL;
	}
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	timer_stop(&r->ctx->loop, &r->timer);
	ares_destroy(r->channel);
	timer_stop(&r->ctx->loop, &r->deliver);
	for (struct query *q; (q = r->answers); free(q))
		r->answers = q->next;
	ares_library_cleanup();
	free(r);
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct query *q = arg;
	struct resolver *r = q->resolver;
	struct endpoint *e = q->e;
	unsigned n = 0;

	(void)timeouts;
	r->n_asked--;
	for (struct ares_addrinfo_node *a = info ? info->nodes : NULL; a && n < N_ADDRESSES; a = a->ai_next) {
		e[n] = (struct endpoint){ .port = q->port };
		if (a->ai_family == AF_INET) {
			struct sockaddr_in in;

			memcpy(&in, a->ai_addr, sizeof(in));
			e[n].family = 4;
			memcpy(e[n++].addr, &in.sin_addr, 4);
		} else if (a->ai_family == AF_INET6) {
			struct sockaddr_in6 in6;

			memcpy(&in6, a->ai_addr, sizeof(in6));
			e[n].family = 6;
			e[n].scope = in6.sin6_scope_id;
			memcpy(e[n++].addr, &in6.sin6_addr, 16);
		}
	}
	if (info)
		ares_freeaddrinfo(info);
	q->status = status;
	q->n = n;
	q->next = r->answers;
	r->answers = q;
	timer_set(&r->ctx->loop, &r->deliver, r->ctx->loop.now);
}

uint32_t resolve(struct resolver *r, const char *name, uint16_t port)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
	struct query *q = malloc(sizeof(*q));

	if (!q)
		return 0;
	if (!++r->last)
		++r->last;
	*q = (struct query){ .resolver = r, .id = r->last, .port = port };
	reread(r);
	r->n_asked++;
	ares_getaddrinfo(r->channel, name, NULL, &hints, answered, q);
	rearm(r);
	return r->last;
}
