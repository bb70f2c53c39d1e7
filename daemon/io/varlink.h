/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's transport: a Varlink service (https://varlink.org) on one
 * event loop.  JSON objects end with a NUL octet; a call is {method, parameters,
 * more, oneway}, its answer {parameters, continues} or {error, parameters}.
 *
 * A client can cost a bounded amount of memory and of each loop turn, and nothing
 * else: what it cannot have is an error to it, or the end of its connection.
 * Owns the listening socket and the connections; knows nothing of what is asked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ev.h>
#include <jansson.h>

enum {
	VL_MESSAGE_MAX = 65536,		/* octets of one call, without its NUL */
	VL_CLIENTS_MAX = 64,
	VL_CLIENTS_ADMIN = 8,		/* of those, only for clients that may administer */
	VL_OUT_MAX = 1 << 20,		/* octets queued for one client; a client over it is dropped */
	VL_ANSWER_MAX = 4 << 20,	/* octets of one answer when nothing else is queued */
	VL_COLLECT_MAX = 512,		/* vl_reply_more()s that a call without `more` may collect */
	VL_STALL_MS = 30000,		/* how long a client may leave its answers unread */
};

struct vl;				/* a service */
struct vl_call;				/* a call that waits for its answer */

struct vl_method {
	const char *name;		/* fully qualified, "org.ktund.ShowTunnels" */
	/* params: an object (perhaps empty), borrowed until the handler returns.  Answer with vl_reply() or
	 * vl_error(), now or later.  vl_free() must not be called from a handler. */
	void (*handle)(void *arg, struct vl_call *, json_t *params);
	bool needs_admin;		/* else whoever can connect may call it */
	bool needs_more;		/* a call without `more` is refused (ExpectedMore) */
};

/* Borrowed for the life of the service; zero in a number means the default named above. */
struct vl_service {
	const char *interface;		/* "org.ktund": also prefixes PermissionDenied, Refused, InvalidMessage */
	const char *description;	/* its IDL */
	const char *vendor, *product, *version, *url;
	const struct vl_method *method;	/* ends at a NULL name */
	void *arg;			/* for the handlers */
	void (*note)(void *arg, const char *text);	/* one line for the log: which client, and what became of it; or NULL */
	unsigned stall_ms;
};

/* A listening socket at path (at most 107 octets; a stale one is replaced), non-blocking, close-on-exec, with these
 * permissions; gid (gid_t)-1: left as it is.  The descriptor or -errno; -EADDRINUSE: somebody answers there. */
int vl_listen(const char *path, mode_t mode, gid_t gid);

/* Serves fd, which becomes its own; -1: only what vl_adopt() brings.  Who may administer: uid 0, our own uid, and members
 * of the group that may write to the socket's file as it is now.  NULL when memory runs out (fd stays the caller's). */
struct vl *vl_new(struct ev_loop *loop, int fd, const struct vl_service *);
/* Writes what the sockets take without waiting, closes everything, calls the closed() of calls that wait.  NULL is fine.
 * Does not unlink the socket's file. */
void vl_free(struct vl *);
/* Serves one connected stream socket, which becomes its own.  0, -ENOMEM or -EMFILE; closed in any case. */
int vl_adopt(struct vl *, int fd);
unsigned vl_clients(const struct vl *);

/* Ends the call with these parameters, which become its own; NULL means that the caller ran out of memory: the client is
 * dropped, like everybody for whom memory runs out. */
void vl_reply(struct vl_call *, json_t *params);
void vl_reply_empty(struct vl_call *);
/* One of several answers; vl_reply() or vl_error() still has to come.  Where the client did not ask for `more` they are
 * collected: arrays are joined, other values are replaced, and vl_reply() sends it all.  false: the client is being dropped
 * (closed() follows) or, collecting, there are too many and the last answer will say ExpectedMore. */
bool vl_reply_more(struct vl_call *, json_t *params);
/* Ends the call with a fully qualified error; params become its own, NULL means none. */
void vl_error(struct vl_call *, const char *error, json_t *params);

/* A long answer: pull is called whenever the client has room, until it ends the call; each time it adds one
 * vl_reply_more() or ends the call.  cursor was malloc()ed by the caller and is free()d with the call, also inside the
 * vl_reply() that ends it.  It takes the place of what vl_call_keep() set. */
void vl_pull(struct vl_call *, void (*pull)(void *arg, struct vl_call *, void *cursor), void *cursor);

/* A call may be answered later.  It stays valid until it is answered or closed() was called: its client is gone.  closed()
 * comes from the loop or vl_free(), never from inside another vl_ function. */
void vl_call_keep(struct vl_call *, void *data, void (*closed)(void *arg, struct vl_call *, void *data));
void *vl_call_data(const struct vl_call *);
uid_t vl_call_uid(const struct vl_call *);
pid_t vl_call_pid(const struct vl_call *);
bool vl_call_admin(const struct vl_call *);
bool vl_call_more(const struct vl_call *);

/* What a method takes.  type: 's' const char *, 'i' int64_t, 'b' bool; to keeps its value when the parameter is absent or
 * null.  A string points into params. */
struct vl_param { const char *name; char type; bool required; void *to; };
/* Reads them; false: one is missing, unknown or of the wrong type, and the call was answered InvalidParameter. */
bool vl_params(struct vl_call *, json_t *params, const struct vl_param *, unsigned n);

/* Any octets as a JSON string: what is not UTF-8, and NUL, becomes U+FFFD.  NULL when memory runs out. */
json_t *vl_text(const void *s, size_t n);
