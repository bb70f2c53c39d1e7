/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls of an earlier ktund, which ended or crashed while the keeper held
 * their kernel objects and their checkpoints: taken over, or ended in the
 * protocol's words.  First the keeper's list is gathered, then, with nothing left
 * to lose, adopt() reads the records. */
#pragma once

#include "core/ctx.h"

/* From here on K_LIST's completions are gathered.  False: no memory. */
bool adoption_begin(struct ctx *);
/* One listener, tunnel or session that the keeper holds; the descriptors are the adoption's from now on. */
void adoption_add(struct ctx *, const struct k_reply *, int fds[K_MAX_FDS]);
/* The list is whole: everything becomes ctx's, or ends.  Before the configuration's listeners and dials are made. */
void adopt(struct ctx *);
/* Without it: gives up what was gathered. */
void adoption_free(struct ctx *);
