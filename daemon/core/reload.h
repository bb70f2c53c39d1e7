/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration of a running daemon: loaded anew, compared, and only the
 * difference applied. */
#pragma once

#include "core/config_diff.h"
#include "core/ctx.h"

/* Loads the file anew and fills plan with the differences; applies them unless dry_run.  -EINVAL: nothing changed, and
 * *ret_errors (freed by the caller) has a line per mistake; -ENOMEM and file errors likewise. */
int reload(struct ctx *, bool dry_run, struct conf_plan *plan, char **ret_errors);
