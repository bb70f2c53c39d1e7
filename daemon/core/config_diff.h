/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reload would do: the differences of two configurations, as a plan.
 * Pure; objects are the same when their names are (listeners: address and
 * port). */
#pragma once

#include <stdbool.h>

struct config;

enum conf_change { CONF_UNCHANGED, CONF_ADDED, CONF_CHANGED, CONF_REMOVED };
enum conf_what { CONF_GLOBAL, CONF_LISTENER, CONF_POOL, CONF_USER, CONF_PEER, CONF_TUNNEL, CONF_SESSION };

struct conf_item {
	enum conf_change kind;
	enum conf_what what;
	char *name;		/* sessions: TUNNEL/SESSION; listeners: ADDRESS port PORT; global: the key */
	char *text;		/* changed: "key: old -> new; ..." without secrets; else "" */
	int was, is;		/* index in the old and new array (sessions: in their tunnel's), -1: none */
};

struct conf_plan { struct conf_item *item; unsigned n, size; };

/* Fills plan (zeroed by the caller).  -ENOMEM: nothing to be freed. */
int config_diff(const struct config *old, const struct config *new_, struct conf_plan *plan);
/* How many items are not CONF_UNCHANGED. */
unsigned conf_plan_changes(const struct conf_plan *);
/* One line per item ("changed peer x: mru: 1400 -> 1300"), freed by the caller; unchanged ones only if all, and no
 * unchanged users.  NULL: no memory. */
char *conf_plan_text(const struct conf_plan *, bool all);
void conf_plan_done(struct conf_plan *);
