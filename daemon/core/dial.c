/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/control.h"
#include "core/event.h"
#include "core/ipsec.h"
#include "core/listener.h"
#include "core/ordered.h"
#include "core/policy.h"
#include "core/version.h"

enum { STABLE_MS = 30000, RESOLVE_MS = 15000, PROTECT_MS = 30000, HURRY_MS = 1000, QUICK_MODE_MS = 100, L2TP_PORT = 1701 };

static void attempt(struct dial *d);

/* min * 2^failures up to max, give or take a quarter, so that many clients do not come back in step. */
static ms_t backoff(struct dial *d, unsigned failures)
{
	const struct conf_tunnel *c = d->as;
	uint64_t ms = c->redial_min_ms;

	for (unsigned i = 1; i < failures && ms < c->redial_max_ms; i++)
		ms *= 2;
	if (ms > c->redial_max_ms)
		ms = c->redial_max_ms;
	return ms * 3 / 4 + env_u32(&d->ctx->env) % (ms / 2 + 1);
}

static void failed(struct dial *d, const char *why)
{
	struct ctx *ctx = d->ctx;

	snprintf(d->last_error, sizeof(d->last_error), "%s", why);
	control_dial_news(ctx, d->as->name, false, why);
	ctx->count.dial_failures++;
	d->failures++;
	d->at++;
	listener_put(d->listener);
	d->listener = NULL;
	if (!d->wanted)
		return;
	if (!d->as->persist) {
		d->wanted = false;
		log_line(&ctx->log, LOG_WARNING, "tunnel %s: %s; not tried again (persist = no)", d->as->name, why);
		if (d->as->ipsec.required)
			ipsec_dial_ended(ctx, d->as->name);
		return;
	}
	d->next_at = ctx->loop.now + backoff(d, d->failures);
	log_limited(&ctx->log, &ctx->limit[T_STATE], ctx->loop.now, LOG_WARNING,
		    "tunnel %s: %s; next attempt in %llu s", d->as->name, why,
		    (unsigned long long)((d->next_at - ctx->loop.now + 500) / 1000));
	timer_set(&ctx->loop, &d->retry, d->next_at);
}

/* In L2TPv3 each end's configuration says which circuits it asks for: those of the dial that the peer may not ask for, it alone
 * can bring up. */
static bool has_all(const struct conf_peer *p, const struct conf_tunnel *as)
{
	for (unsigned i = 0; i < as->n_sessions; i++) {
		const char *id = as->session[i].remote_end_id;

		if (!as->session[i].idle && !config_session(p->by_end_id, id, strlen(id)))
			return false;
	}
	return true;
}

/* 4.4.3: the tunnel that the peer dialled, in L2TPv3 from any port, is there instead of ours. */
static bool has_theirs(const struct dial *d)
{
	for (const struct tunnel *t = source_first(d->ctx->sources, &d->peer); t; t = t->same_source)
		if (t->from && !t->down && t->peer.encap == d->peer.encap &&
		    (d->as->l2tp.version == 3 && t->v == &version_3 ? has_all(t->from, d->as) : t->peer.port == d->peer.port) &&
		    !memcmp(t->peer.addr, d->peer.addr, sizeof(t->peer.addr)))
			return true;
	return false;
}

static bool has_sessions(const struct dial *d)
{
	for (unsigned i = 0; i < d->as->n_sessions; i++)
		if (d->session[i].session_id)
			return true;
	return false;
}

static void last_session_ended(struct dial *d)
{
	d->empty = false;
	if (has_sessions(d) || !d->tunnel || d->tunnel->down)
		return;
	if (d->wanted)
		log_line(&d->ctx->log, LOG_NOTICE, "tunnel %s: its last session ended: it goes down and is not dialled again "
			 "(persist = no)", d->as->name);
	d->wanted = false;
	tunnel_close(d->tunnel, 1, 0, "its last session ended");
}

static void retry_due(struct timer *timer, void *arg)
{
	struct dial *d = arg;

	(void)timer;
	if (d->empty) {
		last_session_ended(d);
		return;
	}
	if (d->resolving && d->ctx->loop.now >= d->next_at) {
		d->resolving = 0;			/* a late answer finds nobody */
		failed(d, "the name server does not answer");
		return;
	}
	if (d->protecting && d->ctx->loop.now >= d->next_at) {
		if (d->lingers && ipsec_dial_protected(d))
			dial_protected(d);
		else
			dial_unprotected(d, ipsec_dial_waits(d));
		return;
	}
	if (d->ctx->loop.now < d->next_at)
		timer_set(&d->ctx->loop, &d->retry, d->next_at);
	else if (d->yields && has_theirs(d))
		timer_set(&d->ctx->loop, &d->retry, d->next_at = d->ctx->loop.now + backoff(d, d->failures));
	else if (d->wanted && !d->tunnel && !d->listener && !d->secured_at)
		attempt(d);
}

/* An address needs no name server. */
static bool literal(struct dial *d)
{
	struct endpoint *e = &d->address[0];
	char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	char *scope;

	*e = (struct endpoint){ .port = d->as->remote_port };
	snprintf(text, sizeof(text), "%s", d->as->remote);
	scope = strchr(text, '%');
	if (scope)
		*scope++ = 0;
	if (inet_pton(AF_INET, text, e->addr) == 1)
		e->family = 4;
	else if (inet_pton(AF_INET6, text, e->addr) == 1)
		e->family = 6;
	if (e->family == 6 && scope)
		e->scope = if_nametoindex(scope);
	d->n_addresses = e->family ? 1 : 0;
	return e->family;
}

static void get_listener(struct dial *d)
{
	d->listener = listener_get(d->ctx, &d->local);
	if (!d->listener)
		failed(d, "out of memory");
	else if (!d->listener->id)
		dial_listener_ready(d);
}

/* RFC 2409 5.5: in IKEv1 we have the SA before our last message of Quick Mode has given it to the peer; an SCCRQ that is quicker
 * than that is lost, and a second with it. */
static bool too_early(struct dial *d)
{
	if (d->as->ipsec.ike != 1 || is_site(&d->as->ipsec))
		return false;
	if (!d->lingers) {
		d->lingers = true;
		d->next_at = d->ctx->loop.now + QUICK_MODE_MS;
		timer_set(&d->ctx->loop, &d->retry, d->next_at);
	}
	return d->ctx->loop.now < d->next_at;
}

void dial_protected(struct dial *d)
{
	if (too_early(d))
		return;
	d->protecting = false;
	d->next_at = NEVER;
	timer_stop(&d->ctx->loop, &d->retry);
	if (!is_site(&d->as->ipsec)) {
		get_listener(d);
		return;
	}
	d->secured_at = d->ctx->loop.now;
	d->last_error[0] = 0;
	log_limited(&d->ctx->log, &d->ctx->limit[T_STATE], d->ctx->loop.now, LOG_INFO, "tunnel %s: up, IPsec between %s and %s",
		    d->as->name, d->as->ipsec.local_networks, d->as->ipsec.networks);
	control_dial_news(d->ctx, d->as->name, true, "");
}

void dial_unprotected(struct dial *d, const char *why)
{
	char text[256];

	snprintf(text, sizeof(text), "%s", why);	/* it may be IPsec's own, and go away */
	d->protecting = false;
	if (d->secured_at && d->ctx->loop.now - d->secured_at > STABLE_MS)
		d->failures = 0;
	d->secured_at = 0;
	ipsec_dial_failed(d);
	failed(d, text);
}

void dials_hurry(struct ctx *ctx)
{
	for (struct dial *d = ctx->dials; d; d = d->next) {
		ms_t soon = ctx->loop.now + env_u32(&ctx->env) % HURRY_MS;

		if (!d->wanted || !d->as->ipsec.required || d->tunnel || d->listener || d->resolving || d->secured_at ||
		    d->next_at == NEVER)
			continue;
		d->failures = 0;
		d->lingers = false;
		d->next_at = d->protecting ? ctx->loop.now + PROTECT_MS : ms_min(d->next_at, soon);
		timer_set(&ctx->loop, &d->retry, d->next_at);
	}
}

static bool same_end(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

/* Another tunnel that is protected between the same two ends: their SAs would have the same selectors. */
static const struct dial *same_way(const struct dial *d)
{
	const struct dial *o;

	for (o = d->ctx->dials; o; o = o->next)
		if (o != d && !o->removed && o->as->ipsec.required && !is_site(&o->as->ipsec) && !is_site(&d->as->ipsec) &&
		    (o->tunnel || o->listener || o->protecting) && same_end(&o->local, &d->local) && same_end(&o->peer, &d->peer))
			break;
	return o;
}

/* We know the peer's address: get a socket on the address that the route to it gives. */
static void open_socket(struct dial *d)
{
	struct ctx *ctx = d->ctx;
	const struct dial *other;
	char text[96], why[256];
	int err;

	for (unsigned i = 0; d->as->local.family && i < d->n_addresses; i++) {
		if (d->address[d->at % d->n_addresses].family == d->as->local.family)
			break;
		d->at++;
	}
	d->peer = d->address[d->at % d->n_addresses];
	if (d->as->local.family && d->as->local.family != d->peer.family) {
		snprintf(why, sizeof(why), "local is an IPv%u address, but %s has none but IPv%u", d->as->local.family,
			 d->as->remote, d->peer.family);
		failed(d, why);
		return;
	}
	if (d->as->local.family) {
		d->local = (struct endpoint){ .family = d->peer.family, .scope = d->as->local.scope };
		memcpy(d->local.addr, d->as->local.a, sizeof(d->local.addr));
	} else {
		err = udp_source(&d->peer, &d->local);
		if (err) {
			snprintf(why, sizeof(why), "no way to %s: %s", endpoint_text(&d->peer, text, sizeof(text)), strerror(-err));
			failed(d, why);
			return;
		}
	}
	d->local.port = d->as->local_port;
	d->local.encap = d->peer.encap = d->as->l2tp.encap;
	if (d->peer.encap == ENCAP_IP)
		d->local.port = d->peer.port = 0;
	if (!d->as->ipsec.required) {
		if (ipsec_guarding(ctx))
			ipsec_refresh(ctx);		/* a way without IPsec may lie among those with it */
		get_listener(d);
		return;
	}
	if (is_site(&d->as->ipsec))
		d->local.port = d->peer.port = 0;
	else if (!d->local.port)
		d->local.port = L2TP_PORT;		/* the SA is for one port, and this is the one that LNSs expect */
	other = same_way(d);
	if (other) {
		snprintf(why, sizeof(why), "tunnel %s goes between the same addresses and ports, and IPsec cannot tell them apart; "
			 "local-port = 1702 here, say", other->as->name);
		failed(d, why);
		return;
	}
	d->lingers = false;
	d->next_at = ctx->loop.now + PROTECT_MS;
	timer_set(&ctx->loop, &d->retry, d->next_at);
	ipsec_dial(d);
}

static void attempt(struct dial *d)
{
	struct ctx *ctx = d->ctx;

	d->next_at = NEVER;
	d->yields = false;
	ctx->count.dials++;
	if (literal(d)) {
		open_socket(d);
		return;
	}
	d->resolving = resolve(ctx->resolver, d->as->remote, d->as->remote_port);
	if (!d->resolving) {
		failed(d, "out of memory");
		return;
	}
	d->next_at = ctx->loop.now + RESOLVE_MS;
	timer_set(&ctx->loop, &d->retry, d->next_at);
}

void dial_resolved(struct ctx *ctx, uint32_t query, const struct endpoint *e, unsigned n, const char *error)
{
	struct dial *d;
	char why[200];

	if (names_resolved(ctx, query, e, n, error))
		return;
	for (d = ctx->dials; d && d->resolving != query; d = d->next)
		;
	if (!d)
		return;
	d->resolving = 0;
	d->next_at = NEVER;
	if (!d->wanted)
		return;
	if (error) {
		snprintf(why, sizeof(why), "cannot resolve %s: %s", d->as->remote, error);
		failed(d, why);
		return;
	}
	d->n_addresses = n < 8 ? n : 8;
	memcpy(d->address, e, d->n_addresses * sizeof(*e));
	open_socket(d);
}

void dial_listener_ready(struct dial *d)
{
	struct listener *l = d->listener;
	char where[96];

	if (d->tunnel || !l)
		return;
	if (l->fd < 0 || l->stale || (!l->local.port && l->local.encap == ENCAP_UDP)) {
		failed(d, "no socket for it (see the line about listen)");
		return;
	}
	if (!d->wanted) {
		listener_put(l);
		d->listener = NULL;
		return;
	}
	d->local.port = l->local.port;
	log_limited(&d->ctx->log, &d->ctx->limit[T_STATE], d->ctx->loop.now, LOG_INFO, "tunnel %s: dialling %s", d->as->name,
		    endpoint_port_text(&d->peer, where, sizeof(where)));
	d->listener = NULL;			/* from now on the tunnel holds it */
	if (!tunnel_dial(d->ctx, d, d->as, l, &d->local, &d->peer))
		failed(d, "out of memory or of tunnel ids");
	listener_put(l);
}

/* Sessions */

static void place(struct dial_session *ds)
{
	struct dial *d = ds->dial;
	struct tunnel *t = d->tunnel;
	struct session *s;

	if (!t || t->down || !d->wanted || ds->session_id)
		return;
	s = t->v->place(t, ds->as);
	if (s && s->conf != d->conf) {		/* what it is run by may be younger than the tunnel */
		conf_put(s->conf);
		s->conf = conf_get(d->conf);
	}
	if (s && !s->ending)
		ds->session_id = s->id;
	else if (d->tunnel == t && d->wanted)		/* no memory, no id: later, perhaps */
		timer_set(&d->ctx->loop, &ds->retry, d->ctx->loop.now + backoff(d, ++ds->failures));
	tunnel_drain(t);
}

static void session_due(struct timer *timer, void *arg)
{
	(void)timer;
	place(arg);
}

static bool to_be_placed(const struct conf_session *as)
{
	return !as->idle && (as->policy.role != ROLE_LNS || as->policy.outgoing_calls);
}

void dial_place(struct dial *d)
{
	struct tunnel *t = d->tunnel;

	for (unsigned i = 0; t && t->up_since && i < d->as->n_sessions; i++)
		if (to_be_placed(&d->as->session[i]))
			place(&d->session[i]);
}

void dial_tunnel_up(struct dial *d)
{
	control_dial_news(d->ctx, d->as->name, true, "");
	dial_place(d);
}

void dial_session_up(struct dial *d, const struct session *s)
{
	(void)s;
	d->last_error[0] =
		0; /* failures are forgotten when it has lasted: what comes up only to go down is no success */
}

void dial_session_ended(struct dial *d, const struct session *s)
{
	struct ctx *ctx = d->ctx;

	snprintf(d->last_error, sizeof(d->last_error), "%s", s->why);
	for (unsigned i = 0; i < d->as->n_sessions; i++) {
		struct dial_session *ds = &d->session[i];

		if (ds->session_id == s->id) {
			ds->session_id = 0;
			ds->failures = s->up && ctx->loop.now - s->up_at > STABLE_MS ? 1 : ds->failures + 1;
			if (to_be_placed(ds->as) && d->as->persist && d->wanted && d->tunnel && !d->tunnel->down)
				timer_set(&ctx->loop, &ds->retry, ctx->loop.now + backoff(d, ds->failures));
		}
	}
	if (!has_sessions(d) && !d->as->persist && d->tunnel && !d->tunnel->down) {
		d->empty = true;		/* not yet: what ended ours may be the peer's call of the same circuit (5.4.4) */
		timer_set(&ctx->loop, &d->retry, ctx->loop.now);
	}
}

void dial_explain(struct ctx *ctx, const struct dial *which, const char *why)
{
	for (struct dial *d = ctx->dials; d; d = d->next)
		if (d == which)
			snprintf(d->last_error, sizeof(d->last_error), "%s", why);
}

/* The tunnel */

void dial_tunnel_down(struct dial *d, const struct l2tp_cause *cause)
{
	struct tunnel *t = d->tunnel;
	char why[256];

	if (!t)
		return;
	if (d->empty)
		timer_stop(&d->ctx->loop, &d->retry);
	d->empty = false;
	d->tunnel = NULL;
	t->dial = NULL;			/* what is left of it ends by itself; a new one may begin meanwhile */
	for (unsigned i = 0; i < d->as->n_sessions; i++) {
		d->session[i].session_id = 0;
		timer_stop(&d->ctx->loop, &d->session[i].retry);
	}
	if (t->up_since && d->ctx->loop.now - t->since > STABLE_MS)
		d->failures = 0;
	cause_text(cause, false, why, sizeof(why));
	if (d->removed)
		dial_tunnel_freed(d);
	else if (d->v2_next && d->wanted)
		timer_set(&d->ctx->loop, &d->retry, d->next_at = d->ctx->loop.now);
	else
		failed(d, why);
}

static void dial_free(struct dial *d)
{
	struct ctx *ctx = d->ctx;

	timer_stop(&ctx->loop, &d->retry);
	for (unsigned i = 0; i < d->as->n_sessions; i++)
		timer_stop(&ctx->loop, &d->session[i].retry);
	for (struct dial **at = &ctx->dials; *at; at = &(*at)->next)
		if (*at == d) {
			*at = d->next;
			break;
		}
	listener_put(d->listener);
	conf_put(d->conf);
	ordered_free(d->ordered);
	free(d->session);
	free(d);
}

void dial_tunnel_freed(struct dial *d)
{
	if (d->removed && !d->tunnel)
		dial_free(d);
}

struct dial *dial_new(struct ctx *ctx, struct config *conf, const struct conf_tunnel *as)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->session = calloc(as->n_sessions, sizeof(*d->session));
	if (!d->session) {
		free(d);
		return NULL;
	}
	d->ctx = ctx;
	d->conf = conf_get(conf);
	d->as = as;
	d->next_at = NEVER;
	timer_init(&d->retry, retry_due, d);
	for (unsigned i = 0; i < as->n_sessions; i++) {
		d->session[i] = (struct dial_session){ .dial = d, .as = &as->session[i] };
		timer_init(&d->session[i].retry, session_due, &d->session[i]);
	}
	d->next = ctx->dials;
	ctx->dials = d;
	return d;
}

struct dial *dial_find(struct ctx *ctx, const char *name)
{
	struct dial *d;

	for (d = ctx->dials; d && (d->removed || strcmp(d->as->name, name)); d = d->next)
		;
	return d;
}

int dial_up(struct dial *d)
{
	if (d->wanted && (d->tunnel || d->listener || d->resolving || d->protecting || d->secured_at))
		return -EALREADY;
	d->wanted = true;
	d->failures = 0;
	timer_stop(&d->ctx->loop, &d->retry);
	attempt(d);
	return 0;
}

int dial_down(struct dial *d, const char *why)
{
	bool was = d->wanted;

	d->wanted = false;
	d->protecting = false;
	d->secured_at = 0;
	d->resolving = 0;
	d->next_at = NEVER;
	timer_stop(&d->ctx->loop, &d->retry);
	listener_put(d->listener);
	d->listener = NULL;
	if (d->tunnel)
		tunnel_close(d->tunnel, 6, 0, why);	/* 6: the requester is being shut down */
	else
		control_dial_news(d->ctx, d->as->name, false, why);
	if (d->as->ipsec.required)
		ipsec_dial_ended(d->ctx, d->as->name);
	return was ? 0 : -EALREADY;
}

void dial_remove(struct dial *d, const char *why)
{
	if (d->ordered)
		ordered_forget(d->ctx, d->ordered);
	control_dial_news(d->ctx, d->as->name, false, why);
	if (d->tunnel || d->as->ipsec.required)
		(void)dial_down(d, why);
	d->removed = d->tunnel;			/* it lets go at once, as a rule */
	if (!d->removed)
		dial_free(d);
}

void dial_adopt(struct ctx *ctx, struct tunnel *t)
{
	struct dial *d = dial_find(ctx, t->as->name);

	if (!d)
		d = dial_new(ctx, t->conf, t->as);
	if (!d || d->tunnel)
		return;
	d->wanted = true;
	d->local = t->local;
	d->peer = t->peer;
	d->tunnel = t;
	t->dial = d;
	if (d->as->ipsec.required)
		ipsec_dial_adopted(d);
}

void dial_adopt_session(struct dial *d, const struct session *s)
{
	for (unsigned i = 0; i < d->as->n_sessions; i++)
		if (d->session[i].as == s->as && !d->session[i].session_id)
			d->session[i].session_id = s->id;
}

void dial_adopted(struct dial *d)
{
	struct ctx *ctx = d->ctx;

	for (unsigned i = 0; i < d->as->n_sessions; i++)
		if (!d->session[i].session_id && to_be_placed(&d->as->session[i]))
			timer_set(&ctx->loop, &d->session[i].retry, ctx->loop.now + backoff(d, 1));
}

bool dial_reconfigure(struct dial *d, struct config *conf, const struct conf_tunnel *as)
{
	struct dial_session *is = calloc(as->n_sessions, sizeof(*is)), *was = d->session;
	const struct conf_tunnel *old = d->as;
	struct config *old_conf = d->conf;

	if (!is)
		return false;
	for (unsigned i = 0; i < as->n_sessions; i++) {
		is[i] = (struct dial_session){ .dial = d, .as = &as->session[i] };
		timer_init(&is[i].retry, session_due, &is[i]);
		for (unsigned j = 0; j < old->n_sessions; j++)
			if (!strcmp(old->session[j].name, as->session[i].name)) {
				is[i].session_id = was[j].session_id;
				is[i].failures = was[j].failures;
				was[j].session_id = 0;
			}
	}
	d->session = is;
	d->as = as;
	d->conf = conf_get(conf);
	for (unsigned j = 0; j < old->n_sessions; j++) {
		timer_stop(&d->ctx->loop, &was[j].retry);
		if (was[j].session_id)
			session_end(d->ctx->session[was[j].session_id], 3, 0, "by the operator");
	}
	free(was);
	conf_put(old_conf);
	return true;
}

/* Did the plan touch this tunnel or a session of it? */
static const char *touched(const struct conf_plan *plan, const char *name)
{
	size_t n = strlen(name);

	for (unsigned i = 0; i < plan->n; i++) {
		const struct conf_item *item = &plan->item[i];

		if (item->kind == CONF_UNCHANGED)
			continue;
		if (item->what == CONF_TUNNEL && !strcmp(item->name, name))
			return item->kind == CONF_REMOVED ? "it is not configured any more" : "its configuration changed";
		if (item->what == CONF_SESSION && !strncmp(item->name, name, n) && item->name[n] == '/')
			return "its sessions changed";
	}
	return NULL;
}

void dials_configure(struct ctx *ctx, const struct conf_plan *plan)
{
	for (struct dial *d = ctx->dials, *next; d; d = next) {
		const char *why = plan ? touched(plan, d->as->name) : NULL;

		next = d->next;
		if (!d->removed && why)
			dial_remove(d, why);
	}
	for (unsigned i = 0; i < ctx->conf->n_tunnels; i++) {
		struct dial *d;

		if (dial_find(ctx, ctx->conf->tunnel[i].name))
			continue;
		d = dial_new(ctx, ctx->conf, &ctx->conf->tunnel[i]);
		if (d && d->as->enabled)
			(void)dial_up(d);
	}
}

void dials_free(struct ctx *ctx)
{
	while (ctx->dials) {
		if (ctx->dials->tunnel)
			ctx->dials->tunnel->dial = NULL;
		dial_free(ctx->dials);
	}
}
