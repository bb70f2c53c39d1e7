/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Varlink service: see varlink.h.
 *
 * A connection has one call at a time; what follows it waits in the input buffer, so answers keep the order of calls.
 * Handlers, pulls and closed() run only from the loop's callbacks: a vl_ function that a handler or anybody else calls
 * appends to the output, marks the connection and wakes it (kick), and the connection is freed nowhere else. */
#include "io/varlink.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVICE "org.varlink.service"

enum {
	IN_MIN = 4096, IN_MAX = VL_MESSAGE_MAX + 1,
	OUT_MIN = 4096,
	OUT_LOW = 65536,		/* above it nothing more is produced for this client */
	TURN_MAX = 32,			/* calls and pulls of one client in one loop turn */
	GROUPS_MAX = 1024,
	HALF_CLOSED_S = 1,
};

struct buf { char *p; size_t start, len, cap; };	/* octets start..start+len are live */

struct vl_conn {
	struct vl *vl;
	struct vl_conn *next, **link;
	struct vl_call *call;		/* the one that is being answered, or NULL */
	ev_io io;
	ev_timer again, stall;
	struct buf in, out;
	size_t scanned;			/* live input octets without a NUL among them */
	uid_t uid;
	pid_t pid;
	bool admin;
	bool eof;			/* the peer sends no more */
	bool closing;			/* read no more, close when the output is written */
	bool dead;			/* close now */
	bool busy;			/* inside conn_run(): no kick needed */
};

struct vl_call {
	struct vl_conn *conn;
	json_t *sum;			/* collected answers of a call without `more` */
	unsigned collected;
	bool more, oneway;
	void *data, *cursor;
	void (*closed)(void *arg, struct vl_call *, void *data);
	void (*pull)(void *arg, struct vl_call *, void *cursor);
};

struct vl {
	struct ev_loop *loop;
	struct vl_service s;
	struct vl_conn *conns;
	unsigned n_conns;
	ev_io accept;
	ev_timer rest;			/* accept again after descriptors ran out */
	int fd;
	uid_t uid;
	gid_t gid;			/* (gid_t)-1: no group administers */
};

static const char service_idl[] =
	"# What every Varlink service answers.\n"
	"interface org.varlink.service\n\n"
	"method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)\n\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"error PermissionDenied ()\n"
	"error ExpectedMore ()\n";

/* Room for n more octets, or false. */
static bool buf_room(struct buf *b, size_t n, size_t min)
{
	size_t cap = b->cap ? b->cap : min;
	char *p;

	if (b->start && b->start + b->len + n > b->cap) {
		memmove(b->p, b->p + b->start, b->len);
		b->start = 0;
	}
	if (b->len + n <= b->cap)
		return true;
	while (cap < b->len + n)
		cap *= 2;
	p = realloc(b->p, cap);
	if (!p)
		return false;
	b->p = p;
	b->cap = cap;
	return true;
}

/* Drops the first n octets; an empty buffer keeps no memory. */
static void buf_eat(struct buf *b, size_t n)
{
	b->start += n;
	b->len -= n;
	if (b->len)
		return;
	free(b->p);
	*b = (struct buf){ 0 };
}

static void note(const struct vl_conn *c, const char *what)
{
	char text[160];

	if (!c->vl->s.note)
		return;
	snprintf(text, sizeof(text), "client (uid %ld, pid %ld) %s", (long)c->uid, (long)c->pid, what);
	c->vl->s.note(c->vl->s.arg, text);
}

static void wake(struct vl_conn *c, double after_s)
{
	ev_timer_stop(c->vl->loop, &c->again);
	ev_timer_set(&c->again, after_s, 0.);
	ev_timer_start(c->vl->loop, &c->again);
}

static void kick(struct vl_conn *c)
{
	if (!c->busy)
		wake(c, 0.);
}

static void conn_kill(struct vl_conn *c, const char *why)
{
	if (why && !c->dead)
		note(c, why);
	c->dead = true;
	kick(c);
}

/* Queues one message, which is consumed; NULL: memory ran out while it was made. */
static void conn_queue(struct vl_conn *c, json_t *msg)
{
	char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) + 1 : 0;

	json_decref(msg);
	if (c->dead) {
		;
	} else if (!text) {
		conn_kill(c, "dropped: no memory for its answer");
	} else if (c->out.len ? c->out.len + n > VL_OUT_MAX : n > VL_ANSWER_MAX) {
		conn_kill(c, "dropped: it does not read its answers");
	} else if (!buf_room(&c->out, n, OUT_MIN)) {
		conn_kill(c, "dropped: no memory for its answer");
	} else {
		memcpy(c->out.p + c->out.start + c->out.len, text, n);
		c->out.len += n;
		if (!ev_is_active(&c->stall))
			ev_timer_again(c->vl->loop, &c->stall);
		kick(c);
	}
	free(text);
}

static void call_free(struct vl_call *call)
{
	json_decref(call->sum);
	free(call->cursor);
	free(call);
}

/* The call is over: the next one may come. */
static void call_end(struct vl_call *call)
{
	struct vl_conn *c = call->conn;

	c->call = NULL;
	call_free(call);
	kick(c);
}

/* {error, parameters}; consumes params. */
static json_t *error_message(const char *error, json_t *params)
{
	return params ? json_pack("{s:s, s:o}", "error", error, "parameters", params) : json_pack("{s:s}", "error", error);
}

/* "interface.Name" {reason}, in the words of the service's own interface. */
static json_t *own_error(const struct vl *vl, const char *name, const char *reason)
{
	char error[128];

	snprintf(error, sizeof(error), "%s.%s", vl->s.interface, name);
	return json_pack("{s:s, s:{s:o}}", "error", error, "parameters", "reason", vl_text(reason, strlen(reason)));
}

/* Joins one more answer to the collected ones: arrays grow, the rest is replaced.  0, -E2BIG or -ENOMEM. */
static int collect(struct vl_call *call, json_t *params)
{
	const char *key;
	json_t *value;

	if (!call->sum)
		call->sum = json_object();
	if (!call->sum || !params)
		return -ENOMEM;
	if (call->collected++ >= VL_COLLECT_MAX)
		return -E2BIG;
	json_object_foreach(params, key, value) {
		json_t *old = json_object_get(call->sum, key);

		if (json_is_array(old) && json_is_array(value)) {
			if (json_array_extend(old, value))
				return -ENOMEM;
		} else if (json_object_set(call->sum, key, value)) {
			return -ENOMEM;
		}
	}
	return 0;
}

bool vl_reply_more(struct vl_call *call, json_t *params)
{
	struct vl_conn *c = call->conn;
	int err = 0;

	if (call->oneway) {
		json_decref(params);
	} else if (!call->more) {
		err = collect(call, params);
		json_decref(params);
		if (err == -ENOMEM)
			conn_kill(c, "dropped: no memory for its answer");
	} else {
		conn_queue(c, params ? json_pack("{s:o, s:b}", "parameters", params, "continues", 1) : NULL);
	}
	return !c->dead && !err;
}

void vl_reply(struct vl_call *call, json_t *params)
{
	struct vl_conn *c = call->conn;
	int err;

	if (call->oneway) {
		json_decref(params);
	} else if (call->sum) {
		err = collect(call, params);
		json_decref(params);
		if (err == -E2BIG)
			conn_queue(c, error_message(SERVICE ".ExpectedMore", NULL));
		else
			conn_queue(c, err ? NULL : json_pack("{s:O}", "parameters", call->sum));
	} else {
		conn_queue(c, params ? json_pack("{s:o}", "parameters", params) : NULL);
	}
	call_end(call);
}

void vl_reply_empty(struct vl_call *call)
{
	vl_reply(call, json_object());
}

void vl_error(struct vl_call *call, const char *error, json_t *params)
{
	if (call->oneway)
		json_decref(params);
	else
		conn_queue(call->conn, error_message(error, params));
	call_end(call);
}

void vl_pull(struct vl_call *call, void (*pull)(void *arg, struct vl_call *, void *cursor), void *cursor)
{
	call->closed = NULL;
	call->data = NULL;
	call->pull = pull;
	call->cursor = cursor;
	kick(call->conn);
}

void vl_call_keep(struct vl_call *call, void *data, void (*closed)(void *arg, struct vl_call *, void *data))
{
	call->data = data;
	call->closed = closed;
}

void *vl_call_data(const struct vl_call *call)
{
	return call->data;
}

uid_t vl_call_uid(const struct vl_call *call)
{
	return call->conn->uid;
}

pid_t vl_call_pid(const struct vl_call *call)
{
	return call->conn->pid;
}

bool vl_call_admin(const struct vl_call *call)
{
	return call->conn->admin;
}

bool vl_call_more(const struct vl_call *call)
{
	return call->more;
}

static void get_info(struct vl *vl, struct vl_call *call)
{
	vl_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", vl->s.vendor, "product", vl->s.product,
				 "version", vl->s.version, "url", vl->s.url, "interfaces", SERVICE, vl->s.interface));
}

static void get_description(struct vl *vl, struct vl_call *call, json_t *params)
{
	const char *name = NULL, *idl = NULL;
	const struct vl_param p[] = { { "interface", 's', true, &name } };

	if (!vl_params(call, params, p, 1))
		return;
	if (!strcmp(name, SERVICE))
		idl = service_idl;
	else if (!strcmp(name, vl->s.interface))
		idl = vl->s.description;
	if (idl)
		vl_reply(call, json_pack("{s:s}", "description", idl));
	else
		vl_error(call, SERVICE ".InterfaceNotFound", json_pack("{s:s}", "interface", name));
}

/* Which of the two "not found" errors it is. */
static void not_found(struct vl *vl, struct vl_call *call, const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t n = dot ? (size_t)(dot - name) : 0;
	bool ours = (n == strlen(vl->s.interface) && !strncmp(name, vl->s.interface, n)) ||
		    (n == strlen(SERVICE) && !strncmp(name, SERVICE, n));

	if (ours)
		vl_error(call, SERVICE ".MethodNotFound", json_pack("{s:s}", "method", name));
	else
		vl_error(call, SERVICE ".InterfaceNotFound", json_pack("{s:s%}", "interface", name, n));
}

static void dispatch(struct vl *vl, struct vl_call *call, const char *name, json_t *params)
{
	const struct vl_method *m = vl->s.method;

	if (!strcmp(name, SERVICE ".GetInfo")) {
		get_info(vl, call);
		return;
	}
	if (!strcmp(name, SERVICE ".GetInterfaceDescription")) {
		get_description(vl, call, params);
		return;
	}
	while (m->name && strcmp(m->name, name))
		m++;
	if (!m->name) {
		not_found(vl, call, name);
	} else if (m->needs_admin && !call->conn->admin) {
		if (!call->oneway)
			conn_queue(call->conn, own_error(vl, "PermissionDenied",
				   "only root, ktund's own user and the group of the control socket may do that"));
		call_end(call);
	} else if (m->needs_more && !call->more) {
		vl_error(call, SERVICE ".ExpectedMore", NULL);
	} else {
		m->handle(vl->s.arg, call, params);
	}
}

/* What came is no call: say so, and hear nothing more from this client. */
static void conn_refuse(struct vl_conn *c, const char *why)
{
	conn_queue(c, own_error(c->vl, "InvalidMessage", why));
	c->closing = true;
	buf_eat(&c->in, c->in.len);
}

/* One message, NUL-terminated. */
static void conn_message(struct vl_conn *c, const char *text, size_t n)
{
	const char *method = NULL;
	int more = 0, oneway = 0, upgrade = 0;
	json_t *msg, *params = NULL, *none = NULL;
	json_error_t err;

	msg = json_loadb(text, n, JSON_REJECT_DUPLICATES, &err);
	if (!msg) {
		if (json_error_code(&err) == json_error_out_of_memory)
			conn_kill(c, "dropped: no memory for its call");
		else
			conn_refuse(c, err.text);
		return;
	}
	if (json_unpack_ex(msg, &err, JSON_STRICT, "{s:s, s?o, s?b, s?b, s?b}", "method", &method, "parameters", &params,
			   "more", &more, "oneway", &oneway, "upgrade", &upgrade)) {
		conn_refuse(c, err.text);
		goto out;
	}
	if (!params || json_is_null(params))
		params = none = json_object();
	c->call = calloc(1, sizeof(*c->call));
	if (!c->call || !params) {
		free(c->call);
		c->call = NULL;
		conn_kill(c, "dropped: no memory for its call");
		goto out;
	}
	*c->call = (struct vl_call){ .conn = c, .more = more, .oneway = oneway };
	if (!json_is_object(params))
		vl_error(c->call, SERVICE ".InvalidParameter", json_pack("{s:s}", "parameter", "parameters"));
	else if (upgrade)
		vl_error(c->call, SERVICE ".InvalidParameter", json_pack("{s:s}", "parameter", "upgrade"));
	else
		dispatch(c->vl, c->call, method, params);
out:
	json_decref(none);
	json_decref(msg);
}

/* Takes the next whole message out of the input; false: there is none. */
static bool conn_next(struct vl_conn *c)
{
	char *text, *nul;
	size_t n;

	if (c->closing || !c->in.len)
		return false;
	text = c->in.p + c->in.start;
	nul = c->in.len > c->scanned ? memchr(text + c->scanned, 0, c->in.len - c->scanned) : NULL;
	if (!nul) {
		c->scanned = c->in.len;
		if (c->in.len >= IN_MAX)
			conn_refuse(c, "a call has at most 65536 octets before its NUL");
		return false;
	}
	n = (size_t)(nul - text);
	c->scanned = 0;
	conn_message(c, text, n);
	if (!c->closing)
		buf_eat(&c->in, n + 1);
	return true;
}

/* Serves what is there, within this turn's share; true: there may be more to do at once. */
static bool conn_work(struct vl_conn *c)
{
	for (unsigned n = 0; n < TURN_MAX; n++) {
		if (c->dead || c->out.len >= OUT_LOW)
			return false;
		if (c->call && c->call->pull)
			c->call->pull(c->vl->s.arg, c->call, c->call->cursor);
		else if (c->call || !conn_next(c))
			return false;
	}
	return true;
}

static void conn_read(struct vl_conn *c)
{
	size_t room = IN_MAX - c->in.len;
	ssize_t n;

	if (room > IN_MIN)
		room = c->in.cap - c->in.len > IN_MIN ? c->in.cap - c->in.len : IN_MIN;
	if (c->in.len + room > IN_MAX)
		room = IN_MAX - c->in.len;
	if (!room)
		return;
	if (!buf_room(&c->in, room, IN_MIN)) {
		conn_kill(c, "dropped: no memory for its call");
		return;
	}
	n = recv(c->io.fd, c->in.p + c->in.start + c->in.len, room, MSG_DONTWAIT);
	if (n > 0)
		c->in.len += (size_t)n;
	else if (!n)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		c->dead = true;
	if (!c->in.len)
		buf_eat(&c->in, 0);
}

static void conn_flush(struct vl_conn *c)
{
	while (c->out.len && !c->dead) {
		ssize_t n = send(c->io.fd, c->out.p + c->out.start, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			c->dead |= errno != EAGAIN;
			return;
		}
		buf_eat(&c->out, (size_t)n);
		ev_timer_again(c->vl->loop, &c->stall);
	}
	if (!c->out.len)
		ev_timer_stop(c->vl->loop, &c->stall);
}

/* After the last message a peer may be half closed (it still wants its answer) or gone. */
static bool peer_gone(const struct vl_conn *c)
{
	struct pollfd p = { .fd = c->io.fd };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

static void conn_free(struct vl_conn *c)
{
	struct vl *vl = c->vl;
	struct vl_call *call = c->call;

	ev_io_stop(vl->loop, &c->io);
	ev_timer_stop(vl->loop, &c->again);
	ev_timer_stop(vl->loop, &c->stall);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	vl->n_conns--;
	c->busy = c->dead = true;		/* whatever closed() does, it wakes nobody */
	if (call && call->closed)
		call->closed(vl->s.arg, call, call->data);
	if (c->call)
		call_free(c->call);
	close(c->io.fd);
	free(c->in.p);
	free(c->out.p);
	free(c);
}

/* One turn of a connection, and what to wait for next. */
static void conn_run(struct vl_conn *c, int revents)
{
	struct ev_loop *loop = c->vl->loop;
	int want;
	bool again;

	c->busy = true;
	if (revents & EV_READ && !c->eof && !c->closing)
		conn_read(c);
	conn_flush(c);
	again = conn_work(c);
	conn_flush(c);
	if (c->eof && c->call && !c->dead)
		c->dead = peer_gone(c);
	c->busy = false;
	if (c->dead || ((c->closing || (c->eof && !c->call && !again)) && !c->out.len)) {
		conn_free(c);
		return;
	}
	if (again || (c->out.len < OUT_LOW && c->call && c->call->pull))
		wake(c, 0.);
	else if (c->eof && c->call)
		wake(c, HALF_CLOSED_S);		/* nothing else would tell that it closed the other half */
	want = (!c->eof && !c->closing && c->in.len < IN_MAX ? EV_READ : 0) | (c->out.len ? EV_WRITE : 0);
	if (want != (c->io.events & (EV_READ | EV_WRITE)) || !ev_is_active(&c->io)) {
		ev_io_stop(loop, &c->io);
		ev_io_set(&c->io, c->io.fd, want);
		if (want)
			ev_io_start(loop, &c->io);
	}
}

static void conn_ready(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	conn_run(w->data, revents);
}

static void conn_again(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	conn_run(w->data, 0);
}

static void conn_stalled(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	conn_kill(w->data, "dropped: it does not read its answers");
}

/* May this peer administer?  SO_PEERGROUPS: its supplementary groups when it connected. */
static bool peer_admin(const struct vl *vl, int fd, const struct ucred *peer)
{
	gid_t group[GROUPS_MAX];
	socklen_t len = sizeof(group);

	if (!peer->uid || peer->uid == vl->uid)
		return true;
	if (vl->gid == (gid_t)-1)
		return false;
	if (peer->gid == vl->gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, group, &len))
		return false;
	for (unsigned i = 0; i < len / sizeof(*group); i++)
		if (group[i] == vl->gid)
			return true;
	return false;
}

/* No room: say so if the socket takes it at once. */
static int turn_away(struct vl *vl, int fd, int err, const char *why)
{
	json_t *msg = why ? own_error(vl, "Refused", why) : NULL;
	char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;

	if (text)
		(void)!send(fd, text, strlen(text) + 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(text);
	json_decref(msg);
	close(fd);
	return err;
}

int vl_adopt(struct vl *vl, int fd)
{
	struct ucred peer = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	socklen_t len = sizeof(peer);
	struct vl_conn *c;
	bool admin;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		peer.uid = (uid_t)-1;
	admin = peer_admin(vl, fd, &peer);
	if (vl->n_conns >= VL_CLIENTS_MAX - (admin ? 0 : VL_CLIENTS_ADMIN))
		return turn_away(vl, fd, -EMFILE, "too many clients are connected");
	c = calloc(1, sizeof(*c));
	if (!c)
		return turn_away(vl, fd, -ENOMEM, NULL);
	*c = (struct vl_conn){ .vl = vl, .uid = peer.uid, .pid = peer.pid, .admin = admin };
	ev_io_init(&c->io, conn_ready, fd, EV_READ);
	ev_timer_init(&c->again, conn_again, 0., 0.);
	ev_timer_init(&c->stall, conn_stalled, 0., (vl->s.stall_ms ? vl->s.stall_ms : VL_STALL_MS) / 1000.);
	c->io.data = c->again.data = c->stall.data = c;
	c->next = vl->conns;
	c->link = &vl->conns;
	if (c->next)
		c->next->link = &c->next;
	vl->conns = c;
	vl->n_conns++;
	ev_io_start(vl->loop, &c->io);
	return 0;
}

static void accept_ready(struct ev_loop *loop, ev_io *w, int revents)
{
	struct vl *vl = w->data;

	(void)revents;
	for (unsigned n = 0; n < VL_CLIENTS_MAX; n++) {
		int fd = accept4(vl->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			vl_adopt(vl, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			ev_io_stop(loop, &vl->accept);	/* else the loop would spin on it */
			ev_timer_set(&vl->rest, 1., 0.);
			ev_timer_start(loop, &vl->rest);
		}
		return;
	}
}

static void accept_again(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vl *vl = w->data;

	(void)revents;
	ev_io_start(loop, &vl->accept);
}

/* The group that may write to the socket's file, or -1. */
static gid_t socket_group(int fd)
{
	struct sockaddr_un sa = { 0 };
	socklen_t len = sizeof(sa) - 1;
	struct stat st;

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&sa, &len) || sa.sun_family != AF_UNIX || !sa.sun_path[0] ||
	    stat(sa.sun_path, &st) || !(st.st_mode & S_IWGRP))
		return (gid_t)-1;
	return st.st_gid;
}

struct vl *vl_new(struct ev_loop *loop, int fd, const struct vl_service *service)
{
	struct vl *vl = calloc(1, sizeof(*vl));

	if (!vl)
		return NULL;
	*vl = (struct vl){ .loop = loop, .s = *service, .fd = fd, .uid = geteuid(), .gid = socket_group(fd) };
	ev_timer_init(&vl->rest, accept_again, 1., 0.);
	vl->rest.data = vl;
	ev_io_init(&vl->accept, accept_ready, fd, EV_READ);
	vl->accept.data = vl;
	if (fd >= 0)
		ev_io_start(loop, &vl->accept);
	return vl;
}

void vl_free(struct vl *vl)
{
	if (!vl)
		return;
	ev_io_stop(vl->loop, &vl->accept);
	ev_timer_stop(vl->loop, &vl->rest);
	while (vl->conns) {
		conn_flush(vl->conns);
		conn_free(vl->conns);
	}
	if (vl->fd >= 0)
		close(vl->fd);
	free(vl);
}

unsigned vl_clients(const struct vl *vl)
{
	return vl->n_conns;
}
