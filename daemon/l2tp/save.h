/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints of a control connection and its calls: everything that the next
 * process needs to go on where this one was.  Whoever saves before the datagrams
 * of the same turn leave can restore at any time: what the peer has seen is never
 * newer than the record.  Times are of the machine's own monotonic clock, which
 * both processes share. */
#pragma once

#include "base/rec.h"
#include "l2tp/cc.h"
#include "l2tp/halfopen.h"

/* False before a control connection is established.  One that we open is opened anew, the other end has a half-open one, and
 * that has a record of its own: */
bool cc_to_be_saved(const struct cc *cc);
/* Appends one field, tag, with the connection's state, what is unacknowledged included.  Effects must be drained.  Of L2TPv3
 * both nonces are in it, keys are not. */
void v2_cc_save(const struct cc *cc, struct wr *w, unsigned tag);
void v3_cc_save(const struct cc *cc, struct wr *w, unsigned tag);
/* Into a cc fresh from v2_cc_init (same tunnel id) or v3_cc_init (which gets the record's id): what is unacknowledged leaves
 * again with the next cc_tick, and the peer has all its retries, as nobody listened.  -EBADMSG: not a record, of another
 * format, it contradicts itself, or the secret that it was signed with is none of conf's any more; -ENOMEM.  On failure the
 * cc is as it was. */
int v2_cc_restore(struct cc *cc, ms_t now, struct span record);
int v3_cc_restore(struct cc *cc, ms_t now, struct span record);

/* The part of rel.h: fields with tags 2 and 30..40 of an open record.  rel_load: -EBADMSG, -ENOMEM; then
 * rel_load_end: false when the figures contradict each other.  Messages that came early are not saved: they are not
 * acknowledged, and come again. */
void rel_save(const struct rel *, struct wr *w);
bool rel_is_field(unsigned tag);
void rel_load_begin(struct rel *);
int rel_load(struct rel *, unsigned tag, struct span v);
bool rel_load_end(struct rel *, ms_t now);

/* Likewise for a call that is the cc's. */
void cc_call_save(const struct cc *cc, const struct call *call, struct wr *w, unsigned tag);
/* What a record says of a call of cc's version (of no cc yet).  False: not a record, or of another format. */
bool cc_call_read(const struct cc *cc, struct span record, struct call *ret);
/* The call stays the caller's, as with one that is opened.  -EBADMSG also where the cc has one of these ids already. */
int cc_call_restore(struct cc *cc, struct call *call, ms_t now, struct span record);

/* A half-open tunnel: appends its fields, at most HO_RECORD_MAX octets; e's version of L2TP is 2 or 3. */
enum { HO_RECORD_MAX = 384 };
void ho_save(const struct ho_entry *e, unsigned version, struct wr *w);
/* False: not a record, of another format, or it contradicts itself. */
bool ho_read(struct span record, struct ho_entry *ret, unsigned *ret_version);
/* Takes such an entry into the table of its version, as young as a new one, as nobody listened, and with HO_NO_POLICY.  False:
 * its id is there, or there is no room. */
bool ho_restore(struct halfopen *, ms_t now, const struct ho_entry *e);
