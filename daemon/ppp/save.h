/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints of a PPP link, in whatever phase it is: see l2tp/save.h.  Our own
 * password stays out: the configuration has it. */
#pragma once

#include "base/rec.h"
#include "ppp/ppp.h"

/* False while nobody has proved anything yet: such a link can begin anew. */
bool ppp_to_be_saved(const struct ppp *);
/* Appends one field, tag, with the link's state.  Effects must be drained; a link that is down has none. */
void ppp_save(const struct ppp *, struct wr *w, unsigned tag);
/* Into a link fresh from ppp_init.  Echo-Requests that went unanswered are forgiven, as nobody listened.  -EBADMSG: not a
 * record, of another format, of a link with another role, or it contradicts itself; the link is as it was then. */
int ppp_restore(struct ppp *, ms_t now, struct span record);
