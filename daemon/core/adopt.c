/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adopt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/dial.h"
#include "core/event.h"
#include "core/half_open.h"
#include "core/kernel.h"
#include "core/listener.h"
#include "core/ordered.h"
#include "core/policy.h"
#include "core/pool.h"
#include "core/record.h"
#include "core/turn.h"
#include "core/version.h"
#include "l2tp/save.h"
#include "ppp/save.h"

enum { CDN_GENERAL = 2, ERROR_VENDOR = 6, GENERAL_REQUEST = 1 };

/* One object of the keeper's list. */
struct held {
	uint8_t kind;				/* K_LISTEN, K_TUNNEL_UP, K_SESSION_UP, K_ETH_UP */
	bool taken;
	uint16_t tunnel_id, session_id;
	uint32_t peer_session_id;
	bool lns_mode;
	int fd[2];
	uint32_t ifindex;
	char name[16];
	struct k_addr local;
	struct { bool ipv4, ipv6, dormant; uint16_t mtu; uint32_t ip, peer_ip; uint64_t ifid, peer_ifid; } link;
};

struct adoption {
	struct held *held;
	unsigned n, room, lost;
	uint32_t *by_tunnel, *by_session;	/* index + 1 */
	unsigned n_tunnels, n_sessions, n_half_open;	/* taken over */
};

bool adoption_begin(struct ctx *ctx)
{
	struct adoption *a = calloc(1, sizeof(*a));

	if (a) {
		a->by_tunnel = calloc(MAX_ID, sizeof(*a->by_tunnel));
		a->by_session = calloc(MAX_ID, sizeof(*a->by_session));
	}
	ctx->adoption = a;
	if (a && a->by_tunnel && a->by_session)
		return true;
	adoption_free(ctx);
	return false;
}

static void close_both(struct held *h)
{
	for (unsigned i = 0; i < 2; i++) {
		if (h->fd[i] >= 0)
			close(h->fd[i]);
		h->fd[i] = -1;
	}
}

void adoption_free(struct ctx *ctx)
{
	struct adoption *a = ctx->adoption;

	if (!a)
		return;
	for (unsigned i = 0; i < a->n; i++)
		close_both(&a->held[i]);
	free(a->held);
	free(a->by_tunnel);
	free(a->by_session);
	free(a);
	ctx->adoption = NULL;
}

void adoption_add(struct ctx *ctx, const struct k_reply *r, int fds[K_MAX_FDS])
{
	struct adoption *a = ctx->adoption;
	const struct k_request *was = &r->list.was;
	const struct k_link *l = &was->session.link;
	struct held *h;

	if (a->n == a->room) {
		unsigned room = a->room ? a->room * 2 : 64;
		struct held *more = reallocarray(a->held, room, sizeof(*more));

		if (!more) {			/* as if it had no record: it is taken down by its id */
			struct k_request rq = { .op = r->list.kind == K_TUNNEL_UP ? K_TUNNEL_DOWN : K_SESSION_DOWN,
						.tunnel_id = r->tunnel_id, .session_id = r->session_id };

			for (unsigned i = 0; i < K_MAX_FDS; i++)
				if (fds[i] >= 0)
					close(fds[i]);
			if (r->list.kind != K_LISTEN)
				(void)kernel_submit(ctx, &rq);
			return;
		}
		a->held = more;
		a->room = room;
	}
	h = &a->held[a->n++];
	*h = (struct held){ .kind = (uint8_t)r->list.kind, .tunnel_id = r->tunnel_id, .session_id = r->session_id,
			    .fd = { fds[0], fds[1] }, .ifindex = r->list.ifindex };
	memcpy(h->name, r->list.name, sizeof(h->name));
	switch ((enum k_op)r->list.kind) {
	case K_LISTEN:
		h->local = was->listen.local;
		break;
	case K_TUNNEL_UP:
		a->by_tunnel[r->tunnel_id] = a->n;
		break;
	case K_ETH_UP:
		a->by_session[r->session_id] = a->n;
		h->peer_session_id = was->eth.wire.peer_session_id;
		h->link.dormant = was->eth.dormant;
		break;
	case K_SESSION_UP:
		a->by_session[r->session_id] = a->n;
		h->peer_session_id = was->session.peer_session_id;
		h->lns_mode = was->session.lns_mode;
		h->link.ipv4 = l->ipv4;
		h->link.ipv6 = l->ipv6;
		h->link.mtu = l->mtu;
		h->link.ip = l->ip;
		h->link.peer_ip = l->peer_ip;
		h->link.ifid = l->ifid;
		h->link.peer_ifid = l->peer_ifid;
		break;
	case K_HELLO: case K_UNLISTEN: case K_TUNNEL_DOWN: case K_SESSION_DOWN: case K_LINK_SET: case K_STATS: case K_HOOK:
	case K_OPEN: case K_LIST: case K_STOP: case K_GUARD: case K_MARKED: case K_CHARON:
	case K_TUNNEL_MARK: case K_SA_DROP: case K_KEPT_OUT: case K_EVENT:
		break;
	}
}

/* A line about one that cannot go on; "tunnel 17: why". */
static void lost(struct ctx *ctx, const char *what, unsigned id, const char *why)
{
	ctx->adoption->lost++;
	log_limited(&ctx->log, &ctx->limit[T_KERNEL], ctx->loop.now, LOG_WARNING, "%s %u of an earlier ktund: %s", what, id, why);
}

static struct held *held_tunnel(const struct adoption *a, uint16_t id)
{
	return a->by_tunnel[id] ? &a->held[a->by_tunnel[id] - 1] : NULL;
}

static struct held *held_session(const struct adoption *a, uint16_t id, uint16_t tunnel_id)
{
	struct held *h = a->by_session[id] ? &a->held[a->by_session[id] - 1] : NULL;

	return h && h->tunnel_id == tunnel_id ? h : NULL;
}

/* Tunnels */

/* A peer for a tunnel whose own is not configured any more: it is there to be told so, and that takes a while. */
static struct config *stand_in(const struct ctx *ctx, const struct tunnel_record *r)
{
	struct config *c = calloc(1, sizeof(*c));
	struct span name = r->as.n ? r->as : r->from;

	if (c)
		c->peer = calloc(1, sizeof(*c->peer));
	if (!c || !c->peer) {
		free(c);
		return NULL;
	}
	c->n_peers = 1;
	c->peer->name = strndup((const char *)name.p, name.n);
	c->peer->cc.host_name = strdup(ctx->conf->host_name);
	c->peer->policy.role = ROLE_LNS;
	c->peer->policy.pseudowire = r->version == 3 ? V3_PW_ETHERNET : 0;
	c->peer->l2tp.version = r->version;
	c->peer->l2tp.v3.cc = c->peer->cc;
	if (c->peer->name && c->peer->cc.host_name)
		return c;
	config_free(c);
	return NULL;
}

static bool is_name(const char *s, struct span name)
{
	return strlen(s) == name.n && !memcmp(s, name.p, name.n);
}

static const struct conf_peer *find_peer(const struct config *c, struct span name)
{
	for (unsigned i = 0; name.n && i < c->n_peers; i++)
		if (is_name(c->peer[i].name, name))
			return &c->peer[i];
	return NULL;
}

static const struct conf_tunnel *find_tunnel(const struct config *c, struct span name)
{
	for (unsigned i = 0; name.n && i < c->n_tunnels; i++)
		if (is_name(c->tunnel[i].name, name))
			return &c->tunnel[i];
	return NULL;
}

/* How it is in the kernel, as far as the keeper knows: its word counts, what was ordered after that did not happen. */
static void settle_tunnel(struct tunnel *t, struct held *h)
{
	struct k_request rq = { .op = K_TUNNEL_DOWN, .tunnel_id = t->id };

	if (h)
		h->taken = true;
	if (h && (t->kernel == KS_COMING || t->kernel == KS_UP)) {
		tunnel_attach(t, h->fd[0]);
		h->fd[0] = -1;
	} else if (h) {
		t->kernel = kernel_submit(t->ctx, &rq) ? KS_GOING : KS_GONE;
	} else if (t->kernel == KS_COMING) {
		t->kernel = KS_NONE;
	} else if (t->kernel != KS_NONE) {
		t->kernel = KS_GONE;
	}
}

/* Its sections are in the file no more. */
static bool is_foreign(const struct tunnel *t)
{
	return t->from && t->conf != t->ctx->conf;
}

static struct tunnel *new_tunnel(struct ctx *ctx, uint16_t id, const struct tunnel_record *r)
{
	const struct conf_tunnel *as = find_tunnel(ctx->conf, r->as);
	const struct conf_peer *from = find_peer(ctx->conf, r->from);
	struct config *conf = ctx->conf;
	struct listener *on;
	struct tunnel *t;
	struct dial *d;

	for (d = ctx->dials; !as && d; d = d->next)
		if (d->ordered && is_name(d->as->name, r->as)) {
			as = d->as;
			conf = d->conf;
		}
	if (as && as->l2tp.version != r->version && !(as->l2tp.fallback && r->version == 2))
		as = NULL;
	if (from && from->l2tp.version != r->version)
		from = NULL;
	if (!as && !from) {
		conf = stand_in(ctx, r);
		if (!conf)
			return NULL;
		from = &conf->peer[0];
	}
	on = listener_get(ctx, &r->listen);
	t = on ? tunnel_new(ctx, id, r->version, conf, as, from, on, &r->t.local, &r->t.peer) : NULL;
	listener_put(on);
	if (!t) {
		if (from && conf != ctx->conf)
			config_free(conf);
		return NULL;
	}
	if (from) {
		t->stat = peer_stat_get(ctx, from->name);
		if (t->stat)
			t->stat->tunnels++;
	}
	t->mark = r->t.mark;
	t->reqid = r->t.reqid;
	t->kernel = r->t.kernel;
	t->down = r->t.down;
	t->gone = r->t.gone;
	t->since = r->t.since < ctx->loop.now ? r->t.since : ctx->loop.now;
	t->up_since = r->t.up_since;
	t->cause = r->t.cause;
	return t;
}

static bool restored(struct tunnel *t, struct span cc)
{
	if (t->v->restore(&t->cc, t->ctx->loop.now, cc) || t->cc.tunnel_id % MAX_ID != t->id)
		return false;
	return (t->cc.state == CC_ESTABLISHED) != t->down && (t->cc.ending == CC_ENDED) == t->gone;
}

static void adopt_tunnel(struct ctx *ctx, uint16_t id, uint32_t slot, struct span record)
{
	struct adoption *a = ctx->adoption;
	struct tunnel_record r;
	const char *why = NULL;
	struct tunnel *t = NULL;

	if (!record_read_tunnel(record, id, &r))
		why = "its checkpoint cannot be read";
	else if (ctx->tunnel[id] || !ids_claim(ctx->tunnel_ids, id))
		why = "it has two checkpoints";
	else if (!(t = new_tunnel(ctx, id, &r)))
		why = "out of memory";
	else if (!restored(t, r.cc))
		why = "the checkpoint of its control connection cannot be read";
	if (t)
		t->slot = slot;
	if (why) {
		lost(ctx, "tunnel", id, why);
		if (!t) {			/* what the keeper has of it goes with what has no checkpoint */
			ids_release(ctx->tunnel_ids, ctx->tunnel[id] ? 0 : id);
			store_drop(ctx->store, &slot);
			return;
		}
		t->down = t->gone = true;	/* nobody can be told anything */
		t->cc.state = CC_IDLE;
		t->cc.ending = CC_ENDED;
		t->kernel = held_tunnel(a, id) ? KS_UP : KS_NONE;
	}
	settle_tunnel(t, held_tunnel(a, id));
	if (!t->down && tunnel_protected(t) != r.protected && (is_foreign(t) || !r.protected)) {
		lost(ctx, "tunnel", id, r.protected ? "it is not configured any more, and nor is its IPsec" :
						      "it came without IPsec, which is demanded now");
		tunnel_unprotected(t, "not without IPsec", false);	/* not a word in the clear */
	}
	if (t->as && !t->down)
		dial_adopt(ctx, t);
	a->n_tunnels += !t->down;
}

/* Sessions */

static const struct conf_session *find_session(const struct tunnel *t, struct span name)
{
	const struct conf_session *list = t->as ? t->as->session : t->from->session;
	unsigned n = t->as ? t->as->n_sessions : t->from->n_sessions;

	for (unsigned i = 0; i < n; i++)
		if (is_name(list[i].name, name))
			return &list[i];
	return NULL;
}

static const struct policy *policy_of(const struct tunnel *t, const struct conf_session *as)
{
	return as ? &as->policy : t->from ? &t->from->policy : &t->as->session[0].policy;
}

static void copy_members(struct session *s, const struct session *was)
{
	s->wanted = was->wanted;
	s->asked = s->dropped = 0;		/* asked again if the keeper has not done it */
	s->applied = was->applied;
	s->ready = was->ready;
	s->kernel = was->kernel;
	s->ppp_down = was->ppp_down;
	s->call_down = was->call_down;
	s->ending = was->ending;
	if (s->ending)
		circuit_remove(s);
	s->up = was->up;
	s->hooked = was->hooked;
	s->hanging_up = was->hanging_up;
	s->admitted = was->admitted;
	s->no_address = was->no_address;
	s->stranger = was->stranger;
	s->tunnel->n_strangers += s->stranger;
	s->end = was->end;
	s->auth = was->auth;
	memcpy(s->reply, was->reply, sizeof(s->reply));
	s->addrs = was->addrs;
	s->mtu = was->mtu;
	s->since = was->since;
	s->up_at = was->up_at;
	s->traffic_at = was->traffic_at;
	s->counted_at = was->counted_at;
	s->up_since = was->up_since;
	s->stats = was->stats;
	s->ifindex = was->ifindex;
	memcpy(s->ifname, was->ifname, sizeof(s->ifname));
	memcpy(s->why, was->why, sizeof(s->why));
}

/* What it holds beside itself: its user's count, its address. */
static const char *claim(struct session *s, const struct session_record *r)
{
	struct ctx *ctx = s->ctx;

	if (r->user.n && !(s->user = strndup((const char *)r->user.p, r->user.n)))
		return "out of memory";
	if (r->s.leased && !pool_claim(ctx->pools, r->s.leased, s->id))
		return "its address is another's";
	s->leased = r->s.leased;
	if (r->s.counted && !user_add(ctx, s->user))
		return "out of memory";
	s->counted = r->s.counted;
	if (r->s.counted && !config_user(ctx->conf, s->user, strlen(s->user)))
		return "the user was removed";
	return NULL;
}

static const char *restore_ppp(struct session *s, struct span record)
{
	if (!record.n)
		return NULL;
	if (!link_init(s))
		return "out of memory";
	if (!ppp_restore(&s->ppp, s->ctx->loop.now, record))
		return NULL;
	s->ppp_down = true;			/* it is idle: nobody waits for its end */
	return "the checkpoint of its link cannot be read, or does not fit the configuration";
}

/* Is this part there, as it is wanted, or although it is not? */
static bool carries(const struct held *h, const struct session *s, enum link_part part, bool wanted)
{
	switch (part) {
	case LINK_BASE:
		return wanted && (h->kind == K_ETH_UP || h->link.mtu == s->mtu);
	case LINK_IPV4:
		return h->link.ipv4 && (!wanted || (h->link.ip == s->addrs.ip && h->link.peer_ip == s->addrs.peer_ip));
	case LINK_IPV6:
		return h->link.ipv6 && (!wanted || (h->link.ifid == s->addrs.ifid && h->link.peer_ifid == s->addrs.peer_ifid));
	case LINK_DORMANT:
		return h->link.dormant;
	}
	return false;
}

/* See settle_tunnel; why it ends, or NULL. */
static const char *settle_session(struct session *s, struct held *h)
{
	struct k_request rq;

	s->applied = 0;
	for (uint8_t part = LINK_BASE; h && part <= LINK_DORMANT; part = (uint8_t)(part << 1))
		if (carries(h, s, part, s->wanted & part))
			s->applied |= part;
	if (h)
		h->taken = true;
	if (h && !s->ending && (s->kernel == KS_COMING || s->kernel == KS_UP)) {
		session_attach(s, h->name, h->ifindex, h->fd[0], h->fd[1]);
		h->fd[0] = h->fd[1] = -1;
		return NULL;
	}
	if (h) {
		kernel_request(&rq, K_SESSION_DOWN, s->tunnel->id, s->id);
		s->kernel = kernel_submit(s->ctx, &rq) ? KS_GOING : KS_GONE;
		return NULL;
	}
	if (s->kernel == KS_NONE || (s->kernel == KS_COMING && !s->ending)) {
		s->kernel = KS_NONE;
		return NULL;
	}
	s->kernel = KS_GONE;
	return s->ending ? NULL : "its interface is gone";
}

static void go_on(struct session *s, bool waits)
{
	struct ctx *ctx = s->ctx;

	ctx->adoption->n_sessions++;
	ctx->count.sessions_adopted++;
	if (waits) {
		s->waiting_address = true;
		s->next_waiting = ctx->waiting;
		ctx->waiting = s;
	}
	if (s->kernel == KS_UP)
		session_installed(s);
	if (s->call.state == CALL_ESTABLISHED)
		session_call_up(s);
	session_apply(s);
	if (s->call.state == CALL_ESTABLISHED)
		eth_status(s, true);		/* if it is down we hear of it */
	session_drain(s);
}

static void adopt_session(struct ctx *ctx, uint16_t id, uint32_t slot, struct span record)
{
	struct adoption *a = ctx->adoption;
	const struct conf_session *as = NULL;
	struct session_record r;
	const char *why = NULL, *end, *gone;
	struct session *s = NULL;
	struct tunnel *t = NULL;
	struct call call;
	bool readable = record_read_session(record, &r);

	if (readable)
		t = ctx->tunnel[r.tunnel_id];
	if (!readable || (t && (!cc_call_read(&t->cc, r.call, &call) || call.session_id % MAX_ID != id)))
		why = "its checkpoint cannot be read";
	else if (!t || (t->down && !r.s.ending))	/* both are written together: a wreck */
		why = "its tunnel is gone";
	else if (!ids_claim(ctx->session_ids, id))
		why = "it has two checkpoints";
	if (!why) {
		as = r.dialled ? find_session(t, r.as) : NULL;
		s = session_new(t, policy_of(t, as), as, id);
		if (!s)
			why = "out of memory";
	}
	if (!s) {
		lost(ctx, "session", id, why);
		store_drop(ctx->store, &slot);
		return;
	}
	s->slot = slot;
	copy_members(s, &r.s);
	if (s->up && !s->ending && s->policy->idle_timeout_s) {
		ctx->n_idle_watched++;
		stats_timer_start(ctx);
	}
	if (s->call_down || cc_call_restore(&t->cc, &s->call, ctx->loop.now, r.call)) {
		s->call = call;
		why = s->call_down ? NULL : "the checkpoint of its call cannot be read";
		s->call_down = true;
	} else if (t->v->call_adopted) {
		t->v->call_adopted(s);
	}
	s->wire_id = s->call.session_id;
	if (t->dial && as && !s->ending)
		dial_adopt_session(t->dial, s);
	end = claim(s, &r);
	if (!end && !s->ending && !is_foreign(t))	/* else it goes with its tunnel, in a moment */
		end = r.dialled && !as ? "it is not configured any more" : restore_ppp(s, r.ppp);
	gone = settle_session(s, held_session(a, id, t->id));
	why = why ? why : end ? end : gone;
	if (s->ending) {
		if (r.s.counting)
			hook_run(s, false);
		session_drain(s);
		tunnel_drain(t);
	} else if (is_foreign(t)) {
		session_drain(s);
	} else if (why) {
		lost(ctx, "session", id, why);
		if (s->ppp_on && !s->ppp_down)
			session_hangup(s, why);
		else
			session_end(s, CDN_GENERAL, ERROR_VENDOR, why);
	} else {
		go_on(s, r.s.waiting_address);
	}
}

/* What the keeper holds and no checkpoint speaks of.  The call's ids are known: its peer can be told. */
static void end_unknown(struct ctx *ctx, struct held *h)
{
	struct k_request rq = { .tunnel_id = h->tunnel_id, .session_id = h->session_id };
	struct tunnel *t = ctx->tunnel[h->tunnel_id];
	struct l2tp_cause cause = { .result = CDN_GENERAL, .error = ERROR_VENDOR };

	if (h->kind == K_TUNNEL_UP) {
		lost(ctx, "tunnel", h->tunnel_id, "it has no checkpoint; it is taken down");
		rq.op = K_TUNNEL_DOWN;
		if (ids_claim(ctx->tunnel_ids, h->tunnel_id))
			id_rests(ctx, STORE_TUNNEL, h->tunnel_id, false);
	} else {
		lost(ctx, "session", h->session_id, "it has no checkpoint; it is taken down");
		rq.op = K_SESSION_DOWN;
		snprintf(cause.msg, sizeof(cause.msg), "ktund was restarted and knows nothing of it");
		if (t && !t->down && t->v->orphan)
			t->v->orphan(t, h->session_id, h->peer_session_id, h->lns_mode, &cause);
		if (ids_claim(ctx->session_ids, h->session_id))
			id_rests(ctx, STORE_SESSION, h->session_id, false);
	}
	(void)kernel_submit(ctx, &rq);
}

/* All */

static void adopt_listeners(struct ctx *ctx)
{
	struct adoption *a = ctx->adoption;

	for (unsigned i = 0; i < a->n; i++) {
		struct endpoint local;

		if (a->held[i].kind != K_LISTEN)
			continue;
		memcpy(&local, &a->held[i].local, sizeof(local));
		a->held[i].taken = true;
		if (listener_adopt(ctx, &local, a->held[i].fd[0], a->held[i].fd[1]))
			a->held[i].fd[0] = a->held[i].fd[1] = -1;
	}
}

static void adopt_half_open(struct ctx *ctx, uint16_t id, uint32_t slot, struct span record)
{
	if (half_open_adopt(ctx, id, slot, record))
		ctx->adoption->n_half_open++;
	else
		lost(ctx, "half-open tunnel", id, "its checkpoint cannot be read, or there is no room for it");
}

static void adopt_kind(struct ctx *ctx, enum store_kind want)
{
	enum store_kind kind;
	uint32_t cursor = 0, slot;
	struct span record;
	uint16_t id;

	while (ctx->store && store_next(ctx->store, &cursor, &kind, &id, &slot, &record)) {
		if (kind != want)
			continue;
		switch (kind) {
		case STORE_TUNNEL:
			adopt_tunnel(ctx, id, slot, record);
			break;
		case STORE_SESSION:
			adopt_session(ctx, id, slot, record);
			break;
		case STORE_HALF_OPEN:
			adopt_half_open(ctx, id, slot, record);
			break;
		case STORE_ORDER:
			break;			/* ordered_adopt's */
		}
	}
}

/* Ids that were given up a moment ago are not to be had yet (the kernel, and late packets). */
static void adopt_quarantine(struct ctx *ctx)
{
	for (unsigned kind = STORE_TUNNEL; ctx->store && kind <= STORE_SESSION; kind++)
		for (unsigned id = 1; id < MAX_ID; id++) {
			ms_t since = store_rested(ctx->store, (enum store_kind)kind, (uint16_t)id) * 1000ull;
			struct ids *ids = kind == STORE_TUNNEL ? ctx->tunnel_ids : ctx->session_ids;

			if (since && ctx->loop.now < since + ID_QUARANTINE_MS && ids_claim(ids, (uint16_t)id))
				ids_leave(ids, (uint16_t)id, ctx->loop.now);
		}
}

void adopt(struct ctx *ctx)
{
	struct adoption *a = ctx->adoption;
	const char *why;

	if (!a)
		return;
	ctx->loop.now = clock_ms();
	adopt_listeners(ctx);
	ordered_adopt(ctx);
	adopt_kind(ctx, STORE_TUNNEL);
	adopt_kind(ctx, STORE_SESSION);
	adopt_kind(ctx, STORE_HALF_OPEN);
	for (unsigned i = 0; i < a->n; i++)
		if (!a->held[i].taken)
			end_unknown(ctx, &a->held[i]);
	sessions_retry(ctx);
	for (unsigned id = 1; id < MAX_ID; id++) {
		struct tunnel *t = ctx->tunnel[id];

		if (!t)
			continue;
		why = t->down ? NULL : is_foreign(t) ? "it is not configured any more" :
		      t->kernel == KS_GONE ? "its kernel tunnel is gone" : t->as && !t->dial ? "out of memory" : NULL;
		if (why) {
			lost(ctx, "tunnel", id, why);
			tunnel_close(t, GENERAL_REQUEST, 0, why);
		}
		if (t->dial)
			dial_adopted(t->dial);
		tunnel_drain(t);
	}
	adopt_quarantine(ctx);
	half_open_timer(ctx);
	ctx->count.tunnels_adopted += a->n_tunnels;
	if (a->n_tunnels || a->n_sessions || a->lost)
		log_line(&ctx->log, LOG_NOTICE, "took over %u tunnels and %u sessions of an earlier ktund in %llu ms; %u were lost",
			 a->n_tunnels, a->n_sessions, (unsigned long long)(clock_ms() - ctx->loop.now), a->lost);
	if (a->n_half_open)
		log_line(&ctx->log, LOG_INFO, "%u half-open tunnels of an earlier ktund go on", a->n_half_open);
	adoption_free(ctx);
}
