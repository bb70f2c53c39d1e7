/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/ipsec.h"
#include "core/kernel.h"
#include "core/ordered.h"
#include "core/reload.h"
#include "core/show.h"
#include "core/version.h"
#include "io/varlink.h"

static const char idl[] =
#include "org.ktund.varlink.inc"
;

/* For the peers' acknowledgements: a StopCCN is sent at 0, 1 and 3 s by then.  STOP_SAY_MS: between two lines. */
enum { STOP_MS = 5000, STOP_SAY_MS = 1000, IPSEC_STOP_MS = 2000 };
enum { COUNTERS_MS = 2000 };	/* how long `show` waits for the keeper's counters */

static void refused(struct vl_call *call, const char *why)
{
	vl_error(call, "org.ktund.Refused", json_pack("{s:s}", "reason", why));
}

static void not_found(struct vl_call *call, const char *kind, const char *name)
{
	vl_error(call, "org.ktund.NotFound", json_pack("{s:s, s:o}", "kind", kind, "name", vl_text(name, strlen(name))));
}

/* Long lists go out one element a message, by id, whatever comes and goes meanwhile. */

struct walk {
	unsigned id;
	char tunnel[64], user[256];
};

static struct walk *walk_new(void)
{
	return calloc(1, sizeof(struct walk));
}

static void next_tunnel(void *arg, struct vl_call *call, void *cursor)
{
	struct ctx *ctx = arg;
	struct walk *w = cursor;

	while (++w->id < MAX_ID)
		if (ctx->tunnel[w->id]) {
			(void)vl_reply_more(call, json_pack("{s:[o]}", "tunnels", show_tunnel(ctx->tunnel[w->id])));
			return;
		}
	vl_reply(call, json_pack("{s:[]}", "tunnels"));
}

static void site_tunnel(void *arg, const struct conf_peer *p, const struct endpoint *local, const struct endpoint *peer, ms_t age)
{
	(void)vl_reply_more(arg, json_pack("{s:[o]}", "tunnels", show_site(p, local, peer, age)));
}

static void show_tunnels(void *arg, struct vl_call *call, json_t *params)
{
	struct ctx *ctx = arg;
	struct walk *w = vl_params(call, params, NULL, 0) ? walk_new() : NULL;

	if (!w)
		return;
	for (const struct dial *d = ctx->dials; d; d = d->next)
		if (!d->tunnel && !d->removed)
			(void)vl_reply_more(call, json_pack("{s:[o]}", "tunnels", show_dial(d)));
	ipsec_each_site(ctx, site_tunnel, call);
	vl_pull(call, next_tunnel, w);
}

static bool tunnel_fits(const struct session *s, const char *name)
{
	char *end;
	unsigned long id = strtoul(name, &end, 10);

	return !*name || !strcmp(tunnel_name(s->tunnel), name) || (!*end && id == s->tunnel->id);
}

static void next_session(void *arg, struct vl_call *call, void *cursor)
{
	struct ctx *ctx = arg;
	struct walk *w = cursor;

	while (++w->id < MAX_ID) {
		const struct session *s = ctx->session[w->id];

		if (!s || !tunnel_fits(s, w->tunnel) || (*w->user && (!s->user || strcmp(s->user, w->user))))
			continue;
		(void)vl_reply_more(call, json_pack("{s:[o]}", "sessions", show_session(s)));
		return;
	}
	vl_reply(call, json_pack("{s:[]}", "sessions"));
}

/* Who waits for the keeper's counters.  answer() says what is known by now; call is NULL when nobody listens any more. */
struct waiting {
	struct ctx *ctx;
	void (*answer)(struct waiting *);
	struct timer patience;
	struct vl_call *call;
	struct walk *walk;
	int64_t id;
};

static void left(void *arg, struct vl_call *call, void *data)
{
	struct waiting *w = data;

	(void)arg;
	(void)call;
	w->call = NULL;
}

static void answer(struct waiting *w)
{
	if (w->call)
		w->answer(w);
	w->call = NULL;
}

/* The keeper's threads are busy, or stand still: as last known. */
static void patience_ends(struct timer *timer, void *arg)
{
	(void)timer;
	answer(arg);
}

static void counters_came(struct ctx *ctx, void *arg, const struct k_reply *r)
{
	struct waiting *w = arg;

	if (r && !r->result && r->op == K_KEPT_OUT) {
		ctx->gate = r->kept_out.on;
		ctx->count.dropped_foreign = r->kept_out.foreign;
		ctx->count.dropped_plain_in = r->kept_out.plain_in;
		ctx->count.dropped_plain_out = r->kept_out.plain_out;
	}
	answer(w);
	timer_stop(&ctx->loop, &w->patience);
	free(w->walk);
	free(w);
}

/* Has the keeper asked for fresh counters before the answer.  Takes walk. */
static void with_counters(struct ctx *ctx, struct vl_call *call, struct k_request *rq, void (*fn)(struct waiting *),
			  struct walk *walk, int64_t id)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w) {
		free(walk);
		vl_reply(call, NULL);
		return;
	}
	w->ctx = ctx;
	w->answer = fn;
	w->call = call;
	w->walk = walk;
	w->id = id;
	timer_init(&w->patience, patience_ends, w);
	vl_call_keep(call, w, left);
	if (kernel_ask(ctx, rq, counters_came, w))
		timer_set(&ctx->loop, &w->patience, ctx->loop.now + COUNTERS_MS);
	else
		counters_came(ctx, w, NULL);	/* without a keeper: as last known */
}

static void tell_sessions(struct waiting *w)
{
	struct session *s = session_find(w->ctx, w->id);
	char name[24];

	if (w->walk) {
		vl_pull(w->call, next_session, w->walk);
		w->walk = NULL;
	} else if (s) {
		vl_reply(w->call, json_pack("{s:o}", "session", show_session(s)));
	} else {
		snprintf(name, sizeof(name), "%lld", (long long)w->id);
		not_found(w->call, "session", name);
	}
}

static void show_sessions(void *arg, struct vl_call *call, json_t *params)
{
	const char *tunnel = "", *user = "";
	struct vl_param p[] = { { "tunnel", 's', false, &tunnel }, { "user", 's', false, &user } };
	struct walk *w;

	if (!vl_params(call, params, p, 2))
		return;
	w = walk_new();
	if (!w) {
		vl_reply(call, NULL);
		return;
	}
	snprintf(w->tunnel, sizeof(w->tunnel), "%s", tunnel);
	snprintf(w->user, sizeof(w->user), "%s", user);
	with_counters(arg, call, &(struct k_request){ .op = K_STATS }, tell_sessions, w, 0);
}

static void show_one_session(void *arg, struct vl_call *call, json_t *params)
{
	struct ctx *ctx = arg;
	struct session *s;
	int64_t id = 0;
	struct vl_param p[] = { { "session_id", 'i', true, &id } };
	char name[24];

	if (!vl_params(call, params, p, 1))
		return;
	s = session_find(ctx, id);
	if (s) {
		with_counters(ctx, call, &(struct k_request){ .op = K_STATS, .session_id = s->id, .tunnel_id = s->tunnel->id },
			      tell_sessions, NULL, id);
		return;
	}
	snprintf(name, sizeof(name), "%lld", (long long)id);
	not_found(call, "session", name);
}

/* What charon says of SAs. */

struct sa_which { uint16_t tunnel_id; char name[64]; };
struct sa_walk { size_t at; struct sa_which which; struct sa_list list; };
struct sa_asked { struct vl_call *call; struct sa_which which; };

static void next_sa(void *arg, struct vl_call *call, void *cursor)
{
	struct sa_walk *w = cursor;
	json_t *some;

	while ((some = ipsec_next_sas(arg, &w->list, &w->at, w->which.tunnel_id, w->which.name)) && !json_array_size(some))
		json_decref(some);
	if (some)
		(void)vl_reply_more(call, json_pack("{s:o}", "sas", some));
	else
		vl_reply(call, json_pack("{s:[]}", "sas"));
}

static void asker_left(void *arg, struct vl_call *call, void *data)
{
	struct sa_asked *a = data;

	(void)arg;
	(void)call;
	a->call = NULL;
}

static void sas_came(struct ctx *ctx, void *arg, const struct sa_list *l, const char *why)
{
	struct sa_asked *a = arg;
	struct sa_walk *w = a->call && l ? malloc(sizeof(*w) + l->len) : NULL;

	(void)ctx;
	if (w) {
		*w = (struct sa_walk){ .which = a->which, .list.len = l->len };
		memcpy(w->list.octets, l->octets, l->len);
		vl_pull(a->call, next_sa, w);
	} else if (a->call && !l) {
		vl_error(a->call, "org.ktund.NotReady", json_pack("{s:s}", "reason", why));
	} else if (a->call) {
		vl_reply(a->call, NULL);
	}
	free(a);
}

static void show_sas(void *arg, struct vl_call *call, json_t *params)
{
	int64_t tunnel_id = 0;
	const char *name = "";
	struct vl_param p[] = { { "tunnel_id", 'i', false, &tunnel_id }, { "name", 's', false, &name } };
	struct sa_asked *a;

	if (!vl_params(call, params, p, 2))
		return;
	a = malloc(sizeof(*a));
	if (!a) {
		vl_reply(call, NULL);
		return;
	}
	*a = (struct sa_asked){ .call = call, .which.tunnel_id = tunnel_id > 0 && tunnel_id < MAX_ID ? (uint16_t)tunnel_id : 0 };
	snprintf(a->which.name, sizeof(a->which.name), "%s", name);
	vl_call_keep(call, a, asker_left);
	if (!ipsec_ask_sas(arg, sas_came, a)) {
		vl_call_keep(call, NULL, NULL);
		free(a);
		vl_reply(call, NULL);
	}
}

static void show_peers(void *arg, struct vl_call *call, json_t *params)
{
	struct ctx *ctx = arg;
	json_t *list = json_array();

	(void)params;
	for (unsigned i = 0; i < ctx->conf->n_peers; i++)
		json_array_append_new(list, show_peer(ctx, &ctx->conf->peer[i]));
	vl_reply(call, json_pack("{s:o}", "peers", list));
}

static void pools(void *arg, struct vl_call *call, json_t *params)
{
	(void)params;
	vl_reply(call, json_pack("{s:o}", "pools", show_pools(arg)));
}

static void tell_stats(struct waiting *w)
{
	vl_reply(w->call, json_pack("{s:o}", "stats", show_stats(w->ctx)));
}

/* With what the keeper's gate counted. */
static void stats(void *arg, struct vl_call *call, json_t *params)
{
	(void)params;
	with_counters(arg, call, &(struct k_request){ .op = K_KEPT_OUT }, tell_stats, NULL, 0);
}

/* `ktun up tunnel` answers when it is up or has failed. */

struct up_wait { struct up_wait *next; struct vl_call *call; char name[]; };

static void up_left(void *arg, struct vl_call *call, void *data)
{
	struct ctx *ctx = arg;

	(void)call;
	for (struct up_wait **at = &ctx->up_waits; *at; at = &(*at)->next)
		if (*at == data) {
			*at = (*at)->next;
			free(data);
			return;
		}
}

void control_dial_news(struct ctx *ctx, const char *tunnel, bool up, const char *why)
{
	for (struct up_wait **at = &ctx->up_waits, *w; (w = *at);) {
		if (strcmp(w->name, tunnel)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		if (up)
			vl_reply_empty(w->call);
		else
			refused(w->call, why);
		free(w);
	}
}

static struct dial *named_dial(struct ctx *ctx, struct vl_call *call, json_t *params)
{
	const char *name = NULL;
	struct vl_param p[] = { { "name", 's', true, &name } };
	struct dial *d;

	if (!vl_params(call, params, p, 1))
		return NULL;
	d = dial_find(ctx, name);
	if (!d)
		not_found(call, "tunnel", name);
	return d;
}

static void tunnel_up(void *arg, struct vl_call *call, json_t *params)
{
	struct ctx *ctx = arg;
	struct dial *d = named_dial(ctx, call, params);
	struct up_wait *w;
	size_t n;

	if (!d)
		return;
	if (ctx->stopping) {
		refused(call, "ktund is stopping");
		return;
	}
	if ((d->tunnel && d->tunnel->up_since && !d->tunnel->down) || d->secured_at) {
		refused(call, "it is up already");
		return;
	}
	n = strlen(d->as->name);
	w = calloc(1, sizeof(*w) + n + 1);
	if (!w) {
		vl_reply(call, NULL);
		return;
	}
	memcpy(w->name, d->as->name, n);
	w->call = call;
	w->next = ctx->up_waits;
	ctx->up_waits = w;
	vl_call_keep(call, w, up_left);
	(void)dial_up(d);			/* -EALREADY: on its way; the news will come */
}

static void tunnel_down(void *arg, struct vl_call *call, json_t *params)
{
	struct dial *d = named_dial(arg, call, params);

	if (!d)
		return;
	if (dial_down(d, "by the operator"))
		refused(call, "it is down already");
	else
		vl_reply_empty(call);
}

static void disconnect_session(void *arg, struct vl_call *call, json_t *params)
{
	struct ctx *ctx = arg;
	const char *reason = "by the operator";
	int64_t id = 0;
	struct vl_param p[] = { { "session_id", 'i', true, &id }, { "reason", 's', false, &reason } };
	struct session *s;
	char name[24];

	if (!vl_params(call, params, p, 2))
		return;
	s = session_find(ctx, id);
	if (!s || s->ending) {
		snprintf(name, sizeof(name), "%lld", (long long)id);
		not_found(call, "session", name);
		return;
	}
	session_hangup(s, reason);
	vl_reply_empty(call);
}

static void disconnect_user(void *arg, struct vl_call *call, json_t *params)
{
	struct ctx *ctx = arg;
	const char *user = NULL;
	struct vl_param p[] = { { "user", 's', true, &user } };
	int count = 0;

	if (!vl_params(call, params, p, 1))
		return;
	for (unsigned id = 1; id < MAX_ID; id++) {
		struct session *s = ctx->session[id];

		if (!s || s->ending || !s->user || strcmp(s->user, user))
			continue;
		session_hangup(s, "by the operator");
		count++;
	}
	vl_reply(call, json_pack("{s:i}", "count", count));
}

static const char *const action_name[] = { "kept", "added", "changed", "removed" };
static const char *const what_name[] = { "global", "listener", "pool", "user", "peer", "tunnel", "session" };

static json_t *plan_json(const struct conf_plan *plan)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < plan->n; i++) {
		const struct conf_item *item = &plan->item[i];

		if (item->kind != CONF_UNCHANGED)
			json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "action", action_name[item->kind], "kind",
				what_name[item->what], "name", vl_text(item->name, strlen(item->name)), "text",
				vl_text(item->text, strlen(item->text))));
	}
	return list;
}

static void do_reload(void *arg, struct vl_call *call, json_t *params)
{
	struct ctx *ctx = arg;
	struct conf_plan plan = { 0 };
	bool dry = false;
	struct vl_param p[] = { { "dry_run", 'b', false, &dry } };
	char *errors = NULL;
	json_t *list;
	int err;

	if (!vl_params(call, params, p, 1))
		return;
	err = reload(ctx, dry, &plan, &errors);
	if (!err) {
		vl_reply(call, json_pack("{s:o}", "changes", plan_json(&plan)));
		conf_plan_done(&plan);
		return;
	}
	list = json_array();
	for (char *line = errors ? strtok(errors, "\n") : NULL; line; line = strtok(NULL, "\n"))
		json_array_append_new(list, vl_text(line, strlen(line)));
	if (!json_array_size(list))
		json_array_append_new(list, json_sprintf("%s: %s", ctx->config_file, strerror(-err)));
	conf_plan_done(&plan);
	log_line(&ctx->log, LOG_WARNING, "reload: the configuration has mistakes; nothing was changed");
	vl_error(call, "org.ktund.InvalidConfig", json_pack("{s:o}", "errors", list));
	free(errors);
}

static void monitor(void *arg, struct vl_call *call, json_t *params)
{
	(void)params;
	event_subscribe(arg, call);
}

/* The end of everything. */

void shutdown_finish(struct ctx *ctx)
{
	void (*done)(struct ctx *, void *, unsigned, unsigned) = ctx->stop.done;

	if (!ctx->stop.by)
		return;				/* a second time */
	ctx->stop.by = 0;
	timer_stop(&ctx->loop, &ctx->stop.timer);
	log_line(&ctx->log, LOG_NOTICE, "stopped: %u tunnels and %u sessions were ended", ctx->stop.tunnels, ctx->stop.sessions);
	if (done)
		done(ctx, ctx->stop.arg, ctx->stop.tunnels, ctx->stop.sessions);
	loop_stop(&ctx->loop);
}

static void stopped(struct ctx *ctx, void *arg, const struct k_reply *r)
{
	(void)arg;
	(void)r;
	shutdown_finish(ctx);
}

/* Tunnels that only wait for retransmissions of the peer's StopCCN (RFC 2661 5.7) need not be waited for. */
static bool busy(const struct tunnel *t)
{
	return !t->down || t->cc.ending != CC_STOP_RCVD || t->n_sessions || t->kernel == KS_COMING || t->kernel == KS_UP ||
	       t->kernel == KS_GOING;
}

static bool live(const struct tunnel *t)
{
	return !t->down;
}

static unsigned count_tunnels(const struct ctx *ctx, bool (*which)(const struct tunnel *))
{
	unsigned n = 0;

	for (const struct tunnel *t = ctx->tunnels; t; t = t->next)
		n += which(t);
	return n;
}

/* All peers have acknowledged, or have had their time: now the kernel's part. */
static void stop_check(struct timer *timer, void *arg)
{
	struct ctx *ctx = arg;
	struct k_request rq = { .op = K_STOP };
	unsigned left = count_tunnels(ctx, busy);

	(void)timer;
	if (ctx->loop.now >= ctx->stop.said + STOP_SAY_MS) {
		ctx->stop.said = ctx->loop.now;
		shutdown_progress(ctx, left, ctx->n_sessions);
	}
	if ((left && ctx->loop.now < ctx->stop.by) ||
	    (!ipsec_stopped(ctx) && ctx->loop.now < ctx->stop.by + IPSEC_STOP_MS)) {
		timer_set(&ctx->loop, &ctx->stop.timer, ctx->loop.now + 20);
		return;
	}
	if (!kernel_ask(ctx, &rq, stopped, NULL))
		shutdown_finish(ctx);
}

void shutdown_start(struct ctx *ctx, void (*done)(struct ctx *, void *, unsigned, unsigned), void *arg)
{
	if (ctx->stopping)
		return;
	ctx->stopping = true;
	ctx->stop.by = ctx->loop.now + STOP_MS;
	ctx->stop.said = ctx->loop.now;
	ctx->stop.tunnels = count_tunnels(ctx, live);
	ctx->stop.sessions = ctx->n_sessions;
	ctx->stop.done = done;
	ctx->stop.arg = arg;
	timer_init(&ctx->stop.timer, stop_check, ctx);
	log_line(&ctx->log, LOG_NOTICE, "stopping: ending %u tunnels with %u sessions", ctx->stop.tunnels, ctx->stop.sessions);
	for (struct dial *d = ctx->dials, *next; d; d = next) {
		next = d->next;
		(void)dial_down(d, "shutting down");
	}
	for (struct tunnel *t = ctx->tunnels; t; t = t->next)
		tunnel_close(t, 6, 0, "shutting down");
	timer_set(&ctx->loop, &ctx->stop.timer, ctx->loop.now);
}

static void shut_down_reply(struct ctx *ctx, void *arg, unsigned tunnels, unsigned sessions)
{
	(void)arg;
	if (ctx->stop_call)
		vl_reply(ctx->stop_call, json_pack("{s:i, s:i}", "tunnels", (int)tunnels, "sessions", (int)sessions));
}

void shutdown_progress(struct ctx *ctx, unsigned tunnels, unsigned sessions)
{
	log_line(&ctx->log, LOG_NOTICE, "stopping: %u tunnels and %u sessions left", tunnels, sessions);
	if (ctx->stop_call && vl_call_more(ctx->stop_call))
		(void)vl_reply_more(ctx->stop_call, json_pack("{s:i, s:i}", "tunnels", (int)tunnels, "sessions", (int)sessions));
}

static void stop_left(void *arg, struct vl_call *call, void *data)
{
	struct ctx *ctx = arg;

	(void)call;
	(void)data;
	ctx->stop_call = NULL;
}

static void do_shutdown(void *arg, struct vl_call *call, json_t *params)
{
	struct ctx *ctx = arg;

	(void)params;
	if (ctx->stopping) {
		refused(call, "it is under way");
		return;
	}
	ctx->stop_call = call;
	vl_call_keep(call, NULL, stop_left);
	shutdown_start(ctx, shut_down_reply, NULL);
}

static void set_log_level(void *arg, struct vl_call *call, json_t *params)
{
	struct ctx *ctx = arg;
	const char *level = NULL;
	struct vl_param p[] = { { "level", 's', true, &level } };

	if (!vl_params(call, params, p, 1))
		return;
	if (log_level(level) < 0) {
		refused(call, "no such level: emerg, alert, crit, err, warning, notice, info or debug");
		return;
	}
	ctx->log.level = log_level(level);
	vl_reply_empty(call);
}

static void version(void *arg, struct vl_call *call, json_t *params)
{
	(void)arg;
	(void)params;
	vl_reply(call, json_pack("{s:s}", "version", KTUND_VERSION));
}

static void note(void *arg, const char *text)
{
	struct ctx *ctx = arg;

	log_limited(&ctx->log, &ctx->limit[T_PROTOCOL], ctx->loop.now, LOG_NOTICE, "control socket: %s", text);
}

static const struct vl_method methods[] = {
	{ "org.ktund.ShowTunnels", show_tunnels, false, false },
	{ "org.ktund.ShowSessions", show_sessions, false, false },
	{ "org.ktund.ShowSession", show_one_session, false, false },
	{ "org.ktund.ShowSas", show_sas, false, false },
	{ "org.ktund.ShowPeers", show_peers, false, false },
	{ "org.ktund.ShowPools", pools, false, false },
	{ "org.ktund.ShowStats", stats, false, false },
	{ "org.ktund.TunnelUp", tunnel_up, true, false },
	{ "org.ktund.TunnelDown", tunnel_down, true, false },
	{ "org.ktund.AddTunnel", ordered_add_tunnel, true, false },
	{ "org.ktund.DeleteTunnel", ordered_delete_tunnel, true, false },
	{ "org.ktund.AddSession", ordered_add_session, true, false },
	{ "org.ktund.DeleteSession", ordered_delete_session, true, false },
	{ "org.ktund.DisconnectSession", disconnect_session, true, false },
	{ "org.ktund.DisconnectUser", disconnect_user, true, false },
	{ "org.ktund.Reload", do_reload, true, false },
	{ "org.ktund.Monitor", monitor, false, true },
	{ "org.ktund.Shutdown", do_shutdown, true, false },
	{ "org.ktund.SetLogLevel", set_log_level, true, false },
	{ "org.ktund.Version", version, false, false },
	{ NULL, NULL, false, false },
};

int control_start(struct ctx *ctx)
{
	struct vl_service service = { .interface = "org.ktund", .description = idl, .vendor = "ktund", .product = "ktund",
				      .version = KTUND_VERSION, .url = "", .method = methods, .arg = ctx, .note = note };
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/control", ctx->runtime_dir);
	fd = vl_listen(path, 0660, ctx->control_gid);
	if (fd < 0)
		return fd;
	ctx->service = service;
	ctx->control = vl_new(ctx->loop.ev, fd, &ctx->service);
	return ctx->control ? 0 : -ENOMEM;
}

void control_stop(struct ctx *ctx)
{
	vl_free(ctx->control);
	ctx->control = NULL;
	for (struct up_wait *w; (w = ctx->up_waits);) {
		ctx->up_waits = w->next;
		free(w);
	}
}
