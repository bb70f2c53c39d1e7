/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints of an L2TPv3 control connection and its calls, as save.h of L2TPv2's: both nonces are in it, keys are not. */
#pragma once

#include "l2tp/save.h"
#include "l2tp/v3_cc.h"

/* False before a control connection is established: the peer will ask again. */
bool v3_cc_to_be_saved(const struct v3_cc *cc);
/* Appends one field, tag.  Effects must be drained. */
void v3_cc_save(const struct v3_cc *cc, struct wr *w, unsigned tag);
/* Into a cc fresh from v3_cc_init, which gets the record's id: as cc_restore.  -EBADMSG also when the secret that it was signed with is none of
 * conf's any more. */
int v3_cc_restore(struct v3_cc *cc, ms_t now, struct span record);

void v3_call_save(const struct v3_call *call, struct wr *w, unsigned tag);
/* What a record says of a call (of no cc yet).  False: not a record, or of another format. */
bool v3_call_read(struct span record, struct v3_call *ret);
/* The call stays the caller's, as with v3_call_open.  -EBADMSG also where the cc has one of these ids already. */
int v3_call_restore(struct v3_cc *cc, struct v3_call *call, ms_t now, struct span record);
