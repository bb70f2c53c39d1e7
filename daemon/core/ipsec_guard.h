/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules of K_GUARD, from the configuration and what is dialled: which
 * addresses and ports may speak with each other under IPsec alone. */
#pragma once

#include "core/ctx.h"

/* First match counts, as in the kernel. */
struct guard {
	struct k_guard rule[K_MAX_GUARDS];
	unsigned n;
	bool stale;			/* something changed since it was built */
	bool closed;			/* too many for the kernel's list: nobody at all comes or goes without IPsec */
	bool open;			/* and even that did not fit */
};

/* Makes it what it should be now; false: it was so already. */
bool guard_build(struct guard *, const struct ctx *);
/* Do the rules demand IPsec between these two? */
bool guard_holds(const struct guard *, const struct endpoint *local, const struct endpoint *peer);
