/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints of a control connection and its calls: everything that the next
 * process needs to go on where this one was.  Whoever saves before the datagrams
 * of the same turn leave can restore at any time: what the peer has seen is never
 * newer than the record.  Times are of the machine's own monotonic clock, which
 * both processes share. */
#pragma once

#include "base/rec.h"
#include "l2tp/cc.h"

/* False before a control connection is established: the peer will ask again. */
bool cc_to_be_saved(const struct cc *cc);
/* Appends one field, tag, with the connection's state, what is unacknowledged included.  Effects must be drained. */
void cc_save(const struct cc *cc, struct wr *w, unsigned tag);
/* Into a cc fresh from cc_init (same tunnel id): what is unacknowledged leaves again with the next cc_tick, and the peer
 * has all its retries, as nobody listened.  -EBADMSG: not a record, of another format, or it contradicts itself; -ENOMEM.
 * On failure the cc is as it was. */
int cc_restore(struct cc *cc, ms_t now, struct span record);

/* The part that both versions share: fields with tags 2 and 30..40 of an open record.  rel_load: -EBADMSG, -ENOMEM; then
 * rel_load_end: false when the figures contradict each other.  Messages that came early are not saved: they are not
 * acknowledged, and come again. */
void rel_save(const struct rel *, struct wr *w);
bool rel_is_field(unsigned tag);
void rel_load_begin(struct rel *);
int rel_load(struct rel *, unsigned tag, struct span v);
bool rel_load_end(struct rel *, ms_t now);

/* Likewise for a call that is the cc's. */
void call_save(const struct call *call, struct wr *w, unsigned tag);
/* What a record says of a call (of no cc yet).  False: not a record, or of another format. */
bool call_read(struct span record, struct call *ret);
/* The call stays the caller's, as with cc_call_open.  -EBADMSG also where the cc has one of these ids already. */
int cc_call_restore(struct cc *cc, struct call *call, ms_t now, struct span record);
