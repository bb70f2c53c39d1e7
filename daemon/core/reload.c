/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/dial.h"
#include "core/ipsec.h"
#include "core/kernel.h"
#include "core/listener.h"
#include "core/ordered.h"
#include "core/policy.h"
#include "core/pool.h"
#include "core/session.h"

static int open_by_keeper(void *arg, const char *path)
{
	return kernel_open_file(arg, path);
}

/* A user who is no more is not let finish his session. */
static void end_sessions_of(struct ctx *ctx, const struct conf_plan *plan)
{
	for (unsigned i = 0; i < plan->n; i++) {
		const struct conf_item *item = &plan->item[i];

		if (item->what != CONF_USER || item->kind != CONF_REMOVED || !user_sessions(ctx, item->name))
			continue;
		for (unsigned id = 1; id < MAX_ID; id++) {
			struct session *s = ctx->session[id];

			if (s && s->counted && !strcmp(s->user, item->name))
				session_hangup(s, "the user was removed");
		}
	}
}

/* Dialled tunnels live in dials_configure; those of a peer that is no more end here. */
static void end_tunnels_of(struct ctx *ctx, const struct conf_plan *plan)
{
	for (unsigned i = 0; i < plan->n; i++) {
		const struct conf_item *item = &plan->item[i];

		if (item->what != CONF_PEER || item->kind != CONF_REMOVED)
			continue;
		for (unsigned id = 1; id < MAX_ID; id++) {
			struct tunnel *t = ctx->tunnel[id];

			if (t && t->from && !strcmp(t->from->name, item->name))
				tunnel_close(t, 1, 0, "the peer was removed from the configuration");
		}
	}
}

/* Pseudowires that a peer may not have any more, or not so; their tunnel stays. */
static void end_pseudowires_of(struct ctx *ctx, const struct conf_plan *plan)
{
	char name[160];

	for (unsigned i = 0; i < plan->n; i++) {
		const struct conf_item *item = &plan->item[i];

		if (item->what != CONF_SESSION || (item->kind != CONF_REMOVED && item->kind != CONF_CHANGED))
			continue;
		for (unsigned id = 1; id < MAX_ID; id++) {
			struct session *s = ctx->session[id];

			if (!s || s->ending || !s->as || !s->tunnel->from)
				continue;
			snprintf(name, sizeof(name), "peer %s/%s", s->tunnel->from->name, s->as->name);
			if (!strcmp(name, item->name))
				session_hangup(s, item->kind == CONF_REMOVED ? "it is not configured any more" :
					       "its configuration changed");
		}
	}
}

int reload(struct ctx *ctx, bool dry_run, struct conf_plan *plan, char **ret_errors)
{
	struct conf_opener by_keeper = { open_by_keeper, ctx };
	struct config *new_conf, *old = ctx->conf;
	const char *clash;
	uint16_t id;
	int err = ctx->stopping ? -ESHUTDOWN : config_load(ctx->config_file, &by_keeper, &new_conf, ret_errors);

	if (err)
		return err;
	conf_get(new_conf);
	clash = ordered_psk_clash(ctx, new_conf, &id);
	if (clash) {
		if (asprintf(ret_errors, "%s: \"%s\" and tunnel %u, which ktun ordered, have different psks, and strongSwan tells "
			     "psks apart by identities alone: ktun delete tunnel tunnel_id %u first, or configure it, too, each "
			     "with a remote-id\n", ctx->config_file, clash, id, id) < 0)
			*ret_errors = NULL;
		conf_put(new_conf);
		return -EINVAL;
	}
	err = config_diff(old, new_conf, plan);
	if (err || dry_run) {
		conf_put(new_conf);
		return err;
	}
	err = pools_update(ctx->pools, new_conf);
	if (err) {
		conf_put(new_conf);
		return err;
	}
	ctx->conf = new_conf;
	ctx->conf_gen++;
	ipsec_refresh(ctx);			/* before a listener opens */
	listeners_configure(ctx);
	end_sessions_of(ctx, plan);
	end_tunnels_of(ctx, plan);
	end_pseudowires_of(ctx, plan);
	dials_configure(ctx, plan);
	names_configure(ctx, old);
	conf_put(old);
	log_line(&ctx->log, LOG_NOTICE, "configuration reloaded: %u changes", conf_plan_changes(plan));
	return 0;
}
