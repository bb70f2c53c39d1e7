/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of each turn of the loop.  What changed is written into the checkpoints
 * first, then requests and datagrams leave: what the peer and the keeper have seen
 * is never newer than what the next ktund will find. */
#pragma once

#include "core/ctx.h"
#include "core/store.h"

struct listener;
struct turn;
struct turn *turn_new(void);			/* NULL when memory is short */
void turn_free(struct turn *);			/* NULL is fine */

/* They differ from their checkpoints. */
void tunnel_changed(struct tunnel *);
void session_changed(struct session *);
/* They are out of the tables, and need none any more. */
void tunnel_no_more(struct tunnel *);
void session_no_more(struct session *);
/* Gives an id into quarantine, in which it stays over a restart; a stranger's only while there are enough (ids_leave). */
void id_rests(struct ctx *, enum store_kind, uint16_t id, bool stranger);

/* Leaves at the end of the turn: a datagram of t's, or a frame into /dev/ppp.  As good as lost when memory is short. */
void turn_datagram(struct ctx *, const struct tunnel *t, const void *buf, size_t len);
/* To whom a datagram that came in is from, and who is no tunnel (yet). */
void turn_answer(const struct listener *, const struct dgram *, const void *buf, size_t len);
void turn_frame(struct ctx *, int fd, uint16_t proto, const void *info, size_t len);
/* io_close, but after what was to leave through it. */
void turn_close(struct ctx *, ev_io *, int *fd);

/* Only the checkpoints (before something that waits for the keeper), or all of it. */
void turn_checkpoint(struct ctx *);
void turn_end(struct ctx *);

/* The keeper's memfd of checkpoints: everything that lives is written there from now on.  What is in it already is for
 * adopt() if that is still to come, else it is dropped. */
void turn_use_store(struct ctx *, int fd, bool keep);

/* core/record.c: is its PPP link part of its checkpoint?  Not before somebody has proved something: it begins anew. */
bool session_has_link(const struct session *);
/* core/record.c: what a checkpoint says of them; w->bad: no room. */
void record_tunnel(const struct tunnel *, struct wr *w);
void record_session(const struct session *, struct wr *w);
