/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "turn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/event.h"
#include "core/half_open.h"
#include "core/ipsec.h"
#include "core/listener.h"
#include "core/ordered.h"
#include "core/session.h"
#include "l2tp/save.h"
#include "netlink/pppio.h"

enum { RECORD_ROOM = 16384, OUT_ROOM = 65536, OUT_KEPT = 1 << 20 };

enum out_kind { OUT_DATAGRAM, OUT_FRAME, OUT_CLOSE };

/* In front of each thing that is to leave; the octets follow, padded to 8. */
struct out {
	uint8_t kind;
	uint16_t proto, tunnel_id;
	int fd;
	uint32_t len, mark;
	struct endpoint local, peer;
};

struct turn {
	struct tunnel *tunnels;		/* changed in this turn */
	struct session *sessions;
	uint8_t *record;		/* room for one */
	size_t record_room;
	uint8_t *out;
	size_t n, room;
};

struct turn *turn_new(void)
{
	return calloc(1, sizeof(struct turn));
}

void turn_free(struct turn *u)
{
	if (!u)
		return;
	free(u->record);
	free(u->out);
	free(u);
}

/* Checkpoints */

void tunnel_changed(struct tunnel *t)
{
	if (t->changed || t->freed)
		return;
	t->changed = true;
	t->next_changed = t->ctx->turn->tunnels;
	t->ctx->turn->tunnels = t;
}

void session_changed(struct session *s)
{
	if (s->changed)
		return;
	s->changed = true;
	s->next_changed = s->ctx->turn->sessions;
	s->ctx->turn->sessions = s;
}

void tunnel_no_more(struct tunnel *t)
{
	if (t->ctx->store)
		store_drop(t->ctx->store, &t->slot);
}

void session_no_more(struct session *s)
{
	if (s->ctx->store)
		store_drop(s->ctx->store, &s->slot);
}

void id_rests(struct ctx *ctx, enum store_kind kind, uint16_t id, bool stranger)
{
	struct ids *ids = kind == STORE_TUNNEL ? ctx->tunnel_ids : ctx->session_ids;

	if (stranger)
		ids_leave(ids, id, ctx->loop.now);
	else
		ids_drop(ids, id, ctx->loop.now);
	if (ctx->store)
		store_rest(ctx->store, kind, id, (uint32_t)(ctx->loop.now / 1000));
}

/* Writes one record, with as much room as it takes. */
static int write_record(struct ctx *ctx, const struct tunnel *t, const struct session *s, uint32_t *slot)
{
	struct turn *u = ctx->turn;

	for (size_t room = u->record_room ? u->record_room : RECORD_ROOM; room < 2 * (size_t)STORE_MAX; room *= 2) {
		struct wr w;

		if (room != u->record_room) {
			uint8_t *more = realloc(u->record, room);

			if (!more)
				return -ENOMEM;
			u->record = more;
			u->record_room = room;
		}
		w = wr_init(u->record, room);
		if (s)
			record_session(s, &w);
		else
			record_tunnel(t, &w);
		if (!w.bad)
			return store_put(ctx->store, slot, s ? STORE_SESSION : STORE_TUNNEL, s ? s->id : t->id,
					 u->record, wr_len(&w));
	}
	return -E2BIG;
}

static void failed(struct ctx *ctx, const char *what, unsigned id, int err, uint32_t *slot)
{
	store_drop(ctx->store, slot);		/* an old record would be a wrong one */
	ctx->count.checkpoint_failures++;
	log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_ERR,
		    "%s %u: no checkpoint can be written (%s); it would not survive a restart now", what, id, strerror(-err));
}

void turn_checkpoint(struct ctx *ctx)
{
	struct turn *u = ctx->turn;
	int err;

	for (struct tunnel *t; (t = u->tunnels);) {
		u->tunnels = t->next_changed;
		t->changed = false;
		if (!ctx->store || t->freed || !cc_to_be_saved(&t->cc))
			continue;
		err = write_record(ctx, t, NULL, &t->slot);
		if (err)
			failed(ctx, "tunnel", t->id, err, &t->slot);
	}
	for (struct session *s; (s = u->sessions);) {
		u->sessions = s->next_changed;
		s->changed = false;
		if (!ctx->store || ctx->session[s->id] != s)
			continue;
		s->link_saved = session_has_link(s);
		err = write_record(ctx, NULL, s, &s->slot);
		if (err)
			failed(ctx, "session", s->id, err, &s->slot);
	}
	if (ctx->store)
		store_commit(ctx->store);
}

void turn_use_store(struct ctx *ctx, int fd, bool keep)
{
	enum store_kind kind;
	const char *lost;
	struct span record;
	uint32_t cursor = 0, slot;
	uint16_t id;
	int err;

	store_close(ctx->store);
	ctx->store = NULL;
	err = fd < 0 ? -EBADF : store_open(fd, &ctx->store, &lost);
	if (err)
		log_line(&ctx->log, LOG_ERR, "no checkpoints: %s; a restart of ktund would end all calls", strerror(-err));
	else if (lost)
		log_line(&ctx->log, LOG_ERR, "the checkpoints of an earlier ktund cannot be read: %s", lost);
	while (!err && !keep && store_next(ctx->store, &cursor, &kind, &id, &slot, &record))
		store_drop(ctx->store, &slot);
	for (unsigned i = 1; i < MAX_ID; i++) {
		if (ctx->tunnel[i]) {
			ctx->tunnel[i]->slot = 0;
			tunnel_changed(ctx->tunnel[i]);
		}
		if (ctx->session[i]) {
			ctx->session[i]->slot = 0;
			session_changed(ctx->session[i]);
		}
	}
	half_open_keep_all(ctx);
	ordered_keep_all(ctx);
}

/* What leaves */

static void leave(struct ctx *ctx, const struct out *o, const void *octets)
{
	const struct tunnel *t;
	int err = 0, fd;

	switch ((enum out_kind)o->kind) {
	case OUT_DATAGRAM:
		ctx->count.tx_datagrams++;
		fd = o->mark ? ipsec_socket(ctx, o->mark) : o->fd;	/* an SA that has gone took its socket along */
		err = fd < 0 ? -ENOTCONN : udp_send(fd, &o->local, &o->peer, 0, octets, o->len);
		if (!err)
			break;
		ctx->count.send_errors++;	/* soft: retransmission is the only judge (ICMP may be forged) */
		if (!o->tunnel_id)
			break;			/* a stranger */
		t = ctx->tunnel[o->tunnel_id];
		log_peer(ctx, T_SEND, &o->peer, LOG_NOTICE, "tunnel %u: sending to %s failed: %s", o->tunnel_id,
			 t ? tunnel_name(t) : "its peer", strerror(-err));
		break;
	case OUT_FRAME:
		err = pppio_write(o->fd, o->proto, octets, o->len);
		if (err)
			ctx->count.ppp_tx_lost++;	/* as if the wire had lost it: PPP sends again */
		break;
	case OUT_CLOSE:
		close(o->fd);
		break;
	}
}

static void leave_all(struct ctx *ctx)
{
	struct turn *u = ctx->turn;

	for (size_t at = 0; at < u->n;) {
		struct out o;

		memcpy(&o, u->out + at, sizeof(o));
		leave(ctx, &o, u->out + at + sizeof(o));
		at += (sizeof(o) + o.len + 7) & ~(size_t)7;
	}
	u->n = 0;
	if (u->room > OUT_KEPT) {		/* a busy moment, and it is over */
		free(u->out);
		u->out = NULL;
		u->room = 0;
	}
}

static bool queue(struct ctx *ctx, const struct out *o, const void *octets)
{
	struct turn *u = ctx->turn;
	size_t need = (sizeof(*o) + o->len + 7) & ~(size_t)7;

	if (u->room - u->n < need) {
		size_t room = u->room ? u->room : OUT_ROOM;
		uint8_t *more;

		while (room - u->n < need)
			room *= 2;
		more = realloc(u->out, room);
		if (!more)
			return false;
		u->out = more;
		u->room = room;
	}
	memcpy(u->out + u->n, o, sizeof(*o));
	if (o->len)
		memcpy(u->out + u->n + sizeof(*o), octets, o->len);
	u->n += need;
	return true;
}

void turn_datagram(struct ctx *ctx, const struct tunnel *t, const void *buf, size_t len)
{
	struct out o = { .kind = OUT_DATAGRAM, .tunnel_id = t->id, .fd = t->listener->tx, .len = (uint32_t)len,
			 .mark = t->mark, .local = t->local, .peer = t->peer };

	if (!queue(ctx, &o, buf))
		ctx->count.send_errors++;
}

void turn_answer(const struct listener *on, const struct dgram *d, const void *buf, size_t len)
{
	struct out o = { .kind = OUT_DATAGRAM, .fd = on->tx, .len = (uint32_t)len, .mark = d->mark, .local = d->local,
			 .peer = d->peer };

	if (!queue(on->ctx, &o, buf))
		on->ctx->count.send_errors++;
}

void turn_frame(struct ctx *ctx, int fd, uint16_t proto, const void *info, size_t len)
{
	struct out o = { .kind = OUT_FRAME, .proto = proto, .fd = fd, .len = (uint32_t)len };

	if (!queue(ctx, &o, info))
		ctx->count.ppp_tx_lost++;
}

void turn_close(struct ctx *ctx, ev_io *w, int *fd)
{
	struct out o = { .kind = OUT_CLOSE, .fd = *fd };

	if (*fd < 0)
		return;
	if (!ctx->turn->n || !queue(ctx, &o, NULL)) {
		leave_all(ctx);			/* without memory a little too early, but never through a stranger's */
		io_close(&ctx->loop, w, fd);
		return;
	}
	io_forget(&ctx->loop, w, *fd);
	*fd = -1;
}

void turn_end(struct ctx *ctx)
{
	turn_checkpoint(ctx);
	if (ctx->keeper && keeper_wants_write(ctx->keeper)) {
		(void)keeper_flush(ctx->keeper);	/* that it is gone will be heard by who reads */
		if (!keeper_wants_write(ctx->keeper))
			ev_io_stop(ctx->loop.ev, &ctx->keeper_tx);
	}
	leave_all(ctx);
}
