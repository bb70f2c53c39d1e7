/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "core/dial.h"
#include "core/event.h"
#include "core/kernel.h"
#include "core/policy.h"
#include "core/pool.h"
#include "core/room.h"
#include "core/turn.h"
#include "core/version.h"

static void due(struct timer *timer, void *arg);

enum { IPV6_MIN_MTU = 1280 };

/* RFC 2661 4.4.2, CDN: 4 is "lack of appropriate facilities (temporary)", 5 the permanent kind. */
enum { CDN_GENERAL = 2, CDN_ADMIN = 3, CDN_TEMPORARY = 4, CDN_PERMANENT = 5 };

struct session *session_new(struct tunnel *t, const struct policy *policy, const struct conf_session *as, uint16_t id)
{
	struct ctx *ctx = t->ctx;
	struct session *s = NULL;

	if (!id)
		id = ids_take(ctx->session_ids, ctx->loop.now);
	if (id)
		s = calloc(1, sizeof(*s));
	if (!s) {
		if (id)
			id_rests(ctx, STORE_SESSION, id, false);
		return NULL;
	}
	s->ctx = ctx;
	s->tunnel = t;
	s->conf = conf_get(t->conf);
	s->policy = policy;
	s->as = as;
	s->channel = s->unit = -1;
	s->since = ctx->loop.now;
	s->mtu = policy->mtu;
	timer_init(&s->timer, due, s);
	s->id = id;
	s->wire_id = id;
	s->next = t->sessions;
	if (s->next)
		s->next->prev = s;
	t->sessions = s;
	t->n_sessions++;
	ctx->session[id] = s;
	ctx->n_sessions++;
	if (as && is_ethernet(policy))
		circuit_add(s);
	if (t->stat)
		t->stat->sessions++;
	return s;
}

/* Nobody may find it among those that wait for an address once it has ended. */
static void stop_waiting(struct session *s)
{
	for (struct session **at = &s->ctx->waiting; *at; at = &(*at)->next_waiting)
		if (*at == s) {
			*at = s->next_waiting;
			break;
		}
	s->waiting_address = false;
}

/* It has authenticated, or it is gone. */
static void known(struct session *s)
{
	s->tunnel->n_strangers -= s->stranger;
	s->stranger = false;
}

static void maybe_free(struct session *s)
{
	struct ctx *ctx = s->ctx;
	struct tunnel *t = s->tunnel;

	if (!s->ending || s->draining || !s->call_down || ctx->session[s->id] != s ||
	    s->counting || s->kernel == KS_COMING || s->kernel == KS_UP || s->kernel == KS_GOING)
		return;
	timer_stop(&ctx->loop, &s->timer);
	ctx->session[s->id] = NULL;
	ctx->n_sessions--;
	session_no_more(s);
	id_rests(ctx, STORE_SESSION, s->id, s->stranger);
	known(s);
	if (s->prev)
		s->prev->next = s->next;
	else
		t->sessions = s->next;
	if (s->next)
		s->next->prev = s->prev;
	t->n_sessions--;
	if (t->stat)
		t->stat->sessions--;
	if (s->leased)
		pool_give(ctx->pools, s->leased, s->id);
	s->next_free = ctx->free_sessions;
	ctx->free_sessions = s;
	if (s->leased)
		sessions_retry(ctx);
	tunnel_session_freed(t);
}

void sessions_sweep(struct ctx *ctx)
{
	for (struct session *s; (s = ctx->free_sessions);) {
		ctx->free_sessions = s->next_free;
		if (s->ppp_on)
			ppp_done(&s->ppp);
		conf_put(s->conf);
		free(s->user);
		free(s);
	}
}

void session_forget(struct session *s)
{
	struct ctx *ctx = s->ctx;

	timer_stop(&ctx->loop, &s->timer);
	link_detach(s);
	stop_waiting(s);
	circuit_remove(s);
	ctx->session[s->id] = NULL;
	s->next_free = ctx->free_sessions;
	ctx->free_sessions = s;
}

static unsigned strangers_from(const struct tunnel *with)
{
	unsigned n = 0;

	for (const struct tunnel *t = source_first(with->ctx->sources, &with->peer); t; t = t->same_source)
		n += t->n_strangers;
	return n;
}

const char *session_refusal(const struct tunnel *t, const struct policy *p)
{
	const struct ctx *ctx = t->ctx;

	if (ctx->stopping)
		return "shutting down";
	if (!ctx->keeper_ready)
		return "the kernel cannot be reached: no keeper";
	if (ctx->conf->max_sessions && ctx->n_sessions >= ctx->conf->max_sessions)
		return "max-sessions of the gateway is reached";
	if (sessions_pile_up(ctx))		/* who waited behind them would give up and try again, and again */
		return "the kernel is busy with the calls before this one";
	if (2 * (ctx->n_sessions + 1) + ctx->n_tunnels + SPARE_FILES > ctx->max_files)
		return "the limit of open files is reached (LimitNOFILE, ulimit -n)";
	if (t->from && t->from->limits.sessions && t->n_sessions >= t->from->limits.sessions)
		return "the limit of sessions per tunnel is reached";
	if (t->from && !t->from->cc.secret.n && strangers_from(t) >= t->from->limits.unauthenticated)
		return "the limit of unauthenticated calls of this address is reached";
	if (p->max_sessions && (t->stat ? t->stat->sessions : t->n_sessions) >= p->max_sessions)
		return "max-sessions of this peer is reached";
	return NULL;
}

void session_refused(struct tunnel *t, const char *why)
{
	struct ctx *ctx = t->ctx;

	ctx->count.calls_refused++;
	if (t->stat) {
		t->stat->refused++;
		snprintf(t->stat->last_refusal, sizeof(t->stat->last_refusal), "call: %s", why);
	}
	log_peer(ctx, T_REFUSE, &t->peer, LOG_NOTICE, "tunnel %u/%u with %s: call refused: %s", t->id, tunnel_peer_id(t),
		 tunnel_name(t), why);
}

uint32_t session_peer_id(const struct session *s)
{
	return s->call.peer_session_id;
}

bool session_kernel_first(const struct session *s)
{
	return s->tunnel->local.encap == ENCAP_IP || (s->tunnel->v == &version_3 && v3_sequenced(s));
}

static void start_ppp(struct session *s)
{
	if (!link_init(s)) {
		session_end(s, CDN_GENERAL, 4, "out of memory");
		return;
	}
	ppp_up(&s->ppp, s->ctx->loop.now);
	session_drain(s);
}

void session_call_up(struct session *s)
{
	if (s->ending)
		return;
	if (is_ethernet(s->policy)) {
		eth_call_up(s);
	} else if (session_kernel_first(s) && s->kernel != KS_UP) {
		s->wanted |= LINK_BASE;
		session_apply(s);
	} else if (!s->ppp_on) {
		start_ppp(s);
	}
}

void session_call_down(struct session *s, const struct l2tp_cause *cause)
{
	char why[sizeof(s->why)];

	s->call_down = true;
	cause_text(cause, true, why, sizeof(why));
	session_end(s, 0, 0, why);
	maybe_free(s);
}

void session_frame(struct session *s, uint16_t proto, const void *info, size_t len)
{
	if (s->ending)
		return;
	if (!s->ppp_on && session_peer_id(s))	/* LCP overtook ICCN */
		start_ppp(s);
	if (!s->ppp_on)
		return;
	if (s->tunnel->cc.rel.retries)
		cc_alive(&s->tunnel->cc, s->ctx->loop.now);
	ppp_input(&s->ppp, s->ctx->loop.now, proto, info, len);
	session_drain(s);
}

/* Addresses for a peer that takes them.  False: there is none; why[] says so. */
static bool give_addresses(struct session *s, const struct conf_user *u, char why[static 96])
{
	struct ctx *ctx = s->ctx;
	const struct policy *p = s->policy;
	uint16_t id = s->id;

	if (p->ppp.take || !p->ppp.ipv4 || s->leased)
		return true;
	if (u && u->address) {
		if (!pool_claim(ctx->pools, u->address, id)) {
			snprintf(why, 96, "the user's address is in use");
			return false;
		}
		s->leased = u->address;
	} else if (p->pool) {
		s->leased = pool_take(ctx->pools, p->pool, s->user ? s->user : "", id);
	}
	if (!s->leased) {
		ctx->count.pool_exhausted++;
		if (p->pool)
			snprintf(why, 96, "pool %s is exhausted", p->pool);
		else
			snprintf(why, 96, "no address: neither pool nor user has one");
		return false;
	}
	s->addrs = (struct ppp_addrs){ .ip = p->local_address, .peer_ip = s->leased };
	memcpy(s->addrs.dns, p->dns, sizeof(s->addrs.dns));
	memcpy(s->addrs.wins, p->wins, sizeof(s->addrs.wins));
	ppp_set_addrs(&s->ppp, &s->addrs);
	return true;
}

static void verdict(struct session *s, bool ok, const char *msg)
{
	struct ctx *ctx = s->ctx;

	if (ok)
		ctx->count.auth_ok++;
	else
		ctx->count.auth_failed++;
	ppp_auth_verdict(&s->ppp, ctx->loop.now, ok, ok && s->auth == PPP_AUTH_MSCHAPV2 ? s->reply : NULL, msg);
	wipe(s->reply, sizeof(s->reply));
}

/* The user's own address is held by an earlier session of the same user: that one is dead, or replaced now. */
static struct session *holder(const struct session *s, const struct conf_user *u)
{
	struct session *old = u->address ? s->ctx->session[pool_owner(s->ctx->pools, u->address)] : NULL;

	return old && old != s && old->user && !strcmp(old->user, s->user) ? old : NULL;
}

/* At once: most often nobody is there any more who could answer a Terminate-Request. */
static void replace(struct session *s, struct session *old)
{
	s->waiting_address = true;
	s->next_waiting = s->ctx->waiting;
	s->ctx->waiting = s;
	session_end(old, CDN_ADMIN, 0, "replaced by a new session of the same user");
}

/* A client that comes again from its address and port with another tunnel has crashed: a session of this user in its
 * earlier tunnel makes room. */
static bool end_deserted(const struct session *s)
{
	const struct tunnel *now = s->tunnel;

	for (struct tunnel *t = now->same_source; t; t = t->same_source) {
		if (t->peer.port != now->peer.port || t->mark != now->mark ||
		    memcmp(t->peer.addr, now->peer.addr, sizeof(t->peer.addr)))
			continue;
		for (struct session *old = t->sessions; old; old = old->next)
			if (!old->ending && old->counted && old->user && !strcmp(old->user, s->user)) {
				session_end(old, CDN_ADMIN, 0, "replaced by a new session of the same user");
				return true;
			}
	}
	return false;
}

/* Nothing is wrong with who it is, so it must not hear that its password was: Terminate-Request, CDN 4. */
static void turn_away(struct session *s, const char *why)
{
	s->no_address = true;
	session_hangup(s, why);
}

/* The proof was right: may this user have a session, and which address? */
static void authorise(struct session *s, const struct conf_user *u)
{
	char why[96] = "";
	bool room = true;
	unsigned limit = u->max_sessions ? u->max_sessions : s->policy->user_max_sessions;
	struct session *old = holder(s, u);

	if (limit && user_sessions(s->ctx, s->user) - (old && old->counted) > limit && !end_deserted(s))
		snprintf(why, sizeof(why), "too many sessions of this user");	/* not counting the one that it replaces */
	else
		room = give_addresses(s, u, why);
	if (!room && old) {
		replace(s, old);
		return;			/* sessions_retry comes back to it, or has done so already */
	}
	if (why[0])
		log_peer(s->ctx, T_AUTH, &s->tunnel->peer, LOG_NOTICE, "session %u/%u: %s refused: %s", s->wire_id,
			 session_peer_id(s), s->user, why);
	if (why[0] || s->policy->ppp.take || s->kernel != KS_NONE) {
		verdict(s, !why[0] || !room, why);
		if (!room)
			turn_away(s, why);
		return;
	}
	/* The kernel drops what arrives while a session is being made, and the word that all is well is what the
	 * peer waits for before it sends anything: so the session first. */
	s->admitted = true;
	s->wanted |= LINK_BASE | (s->policy->ppp.ipv4 ? LINK_IPV4 : 0);
	session_apply(s);
}

void session_installed(struct session *s)
{
	if (is_ethernet(s->policy))
		eth_installed(s);
	else if (!s->ppp_on && s->call.state == CALL_ESTABLISHED)
		session_call_up(s);
	if (!s->admitted || s->ending)
		return;
	s->admitted = false;
	verdict(s, true, "");
	session_drain(s);
}

void sessions_retry(struct ctx *ctx)
{
	struct session *list = ctx->waiting, *next;

	ctx->waiting = NULL;
	for (struct session *s = list; s; s = next) {
		const struct conf_user *u;

		next = s->next_waiting;
		s->waiting_address = false;
		if (s->ending || !s->user)
			continue;
		u = config_user(ctx->conf, s->user, strlen(s->user));
		if (u)
			authorise(s, u);
		else
			verdict(s, false, "");
		session_drain(s);
	}
}

static void check(struct session *s, const struct ppp_fx_auth *a)
{
	struct ctx *ctx = s->ctx;
	const struct endpoint *from = &s->tunnel->peer;
	bool heard = !s->tunnel->from || source_may_guess(ctx->sources, ctx->loop.now, from);
	const struct conf_user *u = heard ? authn_check(ctx->conf, a, s->reply) : NULL;
	char name[sizeof(a->name) + 1];

	if (!s->ppp_on || s->ending)
		return;
	l2tp_clean(name, sizeof(name), (struct span){ a->name, a->name_len });
	if (!u) {
		if (s->tunnel->from)
			source_guessed_wrong(ctx->sources, ctx->loop.now, from);
		log_peer(ctx, heard ? T_AUTH : T_GUESS, from, LOG_NOTICE,
			 "session %u/%u: authentication of \"%s\" failed: %s", s->wire_id, session_peer_id(s), name,
			 heard ? "no such user or wrong password" : "too many wrong passwords from that address");
		verdict(s, false, "authentication failed");
		return;
	}
	if (s->counted && strcmp(s->user, u->name)) {	/* authenticated anew under another name (RFC 1994 2) */
		verdict(s, false, "the name has changed");
		return;
	}
	s->auth = a->proto;
	if (s->counted || (s->user && s->policy->ppp.take)) {	/* known already; or we dialled, and are the user ourselves */
		verdict(s, true, "");
		return;
	}
	free(s->user);
	s->user = strdup(u->name);
	if (!s->user || !user_add(ctx, s->user)) {
		free(s->user);
		s->user = NULL;
		verdict(s, false, "try again later");
		return;
	}
	s->counted = true;
	known(s);
	authorise(s, u);
}

void session_went_up(struct session *s)
{
	struct ctx *ctx = s->ctx;

	s->up = true;
	s->up_at = s->traffic_at = ctx->loop.now;
	s->up_since = clock_wall();
	ctx->count.sessions_opened++;
	if (s->policy->idle_timeout_s) {
		ctx->n_idle_watched++;
		stats_timer_start(ctx);
	}
	if (s->tunnel->dial)
		dial_session_up(s->tunnel->dial, s);
}

static void ppp_went_up(struct session *s)
{
	struct ctx *ctx = s->ctx;
	char a[16], b[16];

	session_went_up(s);
	log_line(&ctx->log, LOG_INFO, "session %u/%u in tunnel %u with %s: up: user %s, interface %s, %s -> %s, MTU %u",
		 s->wire_id, session_peer_id(s), s->tunnel->id, tunnel_name(s->tunnel), s->user ? s->user : "(none)",
		 s->ifname, ipv4_text(s->addrs.ip, a), ipv4_text(s->addrs.peer_ip, b), s->mtu);
	event(ctx, "session-up", s->tunnel, s, "user %s, interface %s, %s -> %s", s->user ? s->user : "(none)", s->ifname, a, b);
}

/* Words for the log, and what CDN says: RFC 2661 4.4.2, RFC 3145 2.2. */
static const struct { const char *words; uint16_t result, error, ppp_code; } end_says[] = {
	[PPP_END_NONE]		= { "ended", CDN_ADMIN, 0, 0 },
	[PPP_END_LOCAL]		= { "ended here", CDN_ADMIN, 0, 1 },
	[PPP_END_PEER]		= { "Terminate-Request from the peer", CDN_ADMIN, 0, 3 },
	[PPP_END_LOWER]		= { "the lower layer is gone", 1, 0, 0 },
	[PPP_END_NO_ANSWER]	= { "LCP: the peer does not answer", CDN_GENERAL, 6, 5 },
	[PPP_END_ECHO]		= { "LCP: Echo-Requests stay unanswered", 1, 0, 8 },
	[PPP_END_AUTH_FAILED]	= { "authentication failed", CDN_ADMIN, 0, 16 },
	[PPP_END_AUTH_REFUSED]	= { "the peer refuses our authentication", CDN_ADMIN, 0, 15 },
	[PPP_END_NO_AGREEMENT]	= { "options could not be agreed", CDN_GENERAL, 6, 5 },
	[PPP_END_NO_NCP]	= { "no network protocol is up", CDN_GENERAL, 6, 18 },
	[PPP_END_LOOP]		= { "the line is looped back", CDN_GENERAL, 6, 7 },
	[PPP_END_TIMEOUT]	= { "LCP and authentication took too long", CDN_GENERAL, 6, 13 },
	[PPP_END_RESOURCES]	= { "out of memory", CDN_GENERAL, 4, 0 },
};

static void ppp_ended(struct session *s, const struct ppp_fx_down *d)
{
	const char *words;
	char why[sizeof(s->why)];
	bool more;

	s->ppp_down = true;
	s->end = d->end < sizeof(end_says) / sizeof(end_says[0]) ? d->end : PPP_END_NONE;
	words = s->why[0] ? s->why : end_says[s->end].words;
	more = d->msg[0] && strcmp(d->msg, words);	/* it is often what we said ourselves */
	snprintf(why, sizeof(why), "PPP: %s%s%s", words, more ? ": " : "", more ? d->msg : "");
	session_end(s, s->no_address ? CDN_TEMPORARY : end_says[s->end].result, end_says[s->end].error, why);
}

static uint8_t part_of(uint16_t proto)
{
	return proto == PPP_IPCP ? LINK_IPV4 : LINK_IPV6;
}

/* The kernel must be told again of this part, also of what it is being told just now. */
static void changed(struct session *s, uint8_t part)
{
	s->applied &= (uint8_t)~part;
	s->outdated |= s->asked & part;
}

/* The engine holds its last Configure-Ack back until the kernel can carry this protocol's packets. */
static void ncp_ready(struct session *s, const struct ppp_fx_ncp *n)
{
	uint8_t part = part_of(n->proto);
	struct ppp_addrs old = s->addrs;

	if (part == LINK_IPV4) {
		s->addrs.ip = n->addrs.ip;
		s->addrs.peer_ip = n->addrs.peer_ip;
		memcpy(s->addrs.dns, n->addrs.dns, sizeof(s->addrs.dns));
		memcpy(s->addrs.wins, n->addrs.wins, sizeof(s->addrs.wins));
		if (old.ip != s->addrs.ip || old.peer_ip != s->addrs.peer_ip)
			changed(s, part);
	} else if (s->mtu && s->mtu < IPV6_MIN_MTU) {
		log_peer(s->ctx, T_PROTOCOL, &s->tunnel->peer, LOG_NOTICE,
			 "session %u/%u: no IPv6: its MTU is %u, IPv6 needs 1280 (RFC 8200 5)", s->wire_id, session_peer_id(s),
			 s->mtu);
		return;				/* IPV6CP waits; IPv4 goes on */
	} else {
		s->addrs.ifid = n->addrs.ifid;
		s->addrs.peer_ifid = n->addrs.peer_ifid;
		if (old.ifid != s->addrs.ifid || old.peer_ifid != s->addrs.peer_ifid)
			changed(s, part);
	}
	s->ready |= part;
	s->wanted |= LINK_BASE | part;
	session_apply(s);
}

static void last_counters_came(struct ctx *ctx, void *arg, const struct k_reply *r)
{
	struct session *s = ctx->session[(uintptr_t)arg];

	(void)r;				/* they are in s->stats, if they could be had */
	if (!s || !s->counting)
		return;
	s->counting = false;
	hook_run(s, false);
	maybe_free(s);
}

/* ip-down wants to know how much there was: the keeper counts before it takes the link down. */
static void run_ip_down(struct session *s)
{
	struct k_request rq;

	s->hooked = false;
	if (!s->policy->ip_down)
		return;
	kernel_request(&rq, K_STATS, s->tunnel->id, s->id);
	s->counting = kernel_ask(s->ctx, &rq, last_counters_came, (void *)(uintptr_t)s->id);
	if (!s->counting)
		hook_run(s, false);
}

static void perform(struct session *s, const struct fx *f)
{
	struct ctx *ctx = s->ctx;
	const void *data = f->data;
	const struct ppp_fx_tx *tx = data;
	const struct ppp_fx_state *state = data;
	const struct ppp_fx_lcp *lcp = data;
	const struct ppp_fx_ncp *ncp = data;
	char why[96];
	uint16_t mtu;

	/* What was queued before the end must not bring anything up after it. */
	if (s->ending && f->type != PPP_FX_TX && f->type != PPP_FX_STATE && f->type != PPP_FX_DOWN)
		return;
	switch ((enum ppp_fx)f->type) {
	case PPP_FX_TX:
		link_tx(s, tx->proto, tx->octets, f->len - sizeof(*tx));
		break;
	case PPP_FX_STATE:
		if (ctx->log.level >= LOG_DEBUG)
			log_line(&ctx->log, LOG_DEBUG, "session %u/%u: protocol %04x: %s --%s--> %s", s->wire_id,
				 session_peer_id(s), state->proto, state->was, state->event, state->is);
		break;
	case PPP_FX_LCP_UP:
		mtu = s->mtu;
		if (!s->policy->mtu)
			s->mtu = lcp->peer_mru < lcp->mru ? lcp->peer_mru : lcp->mru;
		else
			s->mtu = lcp->peer_mru < s->policy->mtu ? lcp->peer_mru : s->policy->mtu;
		if (s->mtu != mtu)		/* LCP was negotiated anew */
			changed(s, LINK_BASE);
		break;
	case PPP_FX_AUTH_CHECK:
		check(s, data);
		break;
	case PPP_FX_AUTH_DONE:
		known(s);
		if (s->policy->ppp.take || s->hanging_up)
			break;			/* its addresses come with IPCP, and then all is installed at once */
		if (!give_addresses(s, NULL, why)) {
			turn_away(s, why);
			break;
		}
		s->wanted |= LINK_BASE | (s->policy->ppp.ipv4 ? LINK_IPV4 : 0);
		session_apply(s);
		break;
	case PPP_FX_NCP_READY:
		ncp_ready(s, ncp);
		break;
	case PPP_FX_NCP_UP:
		if (!s->up)
			ppp_went_up(s);
		if (ncp->proto == PPP_IPCP && !s->hooked) {
			s->hooked = true;
			hook_run(s, true);
		}
		break;
	case PPP_FX_NCP_DOWN:
		s->ready &= (uint8_t)~part_of(ncp->proto);
		s->wanted &= (uint8_t)~part_of(ncp->proto);	/* RFC 1661 3.7: its packets are not for the peer any more */
		if (!s->hanging_up)
			session_apply(s);
		if (ncp->proto == PPP_IPCP && s->hooked && !s->counting)
			run_ip_down(s);
		break;
	case PPP_FX_IDENT:
		log_peer(ctx, T_PROTOCOL, &s->tunnel->peer, LOG_DEBUG, "session %u/%u: the peer is \"%.*s\"", s->wire_id,
			 session_peer_id(s), (int)f->len, (const char *)f->data);
		break;
	case PPP_FX_DOWN:
		ppp_ended(s, data);
		break;
	}
}

/* When to ask the keeper whether it is idle: session_stats() then ends it, if it is. */
static ms_t idle_at(const struct session *s)
{
	enum { AGAIN_MS = 5000 };
	ms_t at = s->traffic_at + s->policy->idle_timeout_s * 1000ull;

	if (!s->up || s->ending || !s->policy->idle_timeout_s)
		return NEVER;
	return s->counted_at && at < s->counted_at + AGAIN_MS ? s->counted_at + AGAIN_MS : at;
}

static ms_t deadline(const struct session *s)
{
	ms_t at = s->ppp_on && !s->ppp_down ? ppp_deadline(&s->ppp) : NEVER;

	if (s->hanging_up)
		return at;			/* its other ends do not matter any more */
	if (s->up && !s->ending && s->policy->session_timeout_s)
		at = ms_min(at, s->up_at + s->policy->session_timeout_s * 1000ull);
	return ms_min(at, idle_at(s));
}

static void due(struct timer *timer, void *arg)
{
	struct session *s = arg;
	struct k_request count;
	ms_t now = s->ctx->loop.now;

	(void)timer;
	if (s->up && !s->ending && s->policy->session_timeout_s && now >= s->up_at + s->policy->session_timeout_s * 1000ull)
		session_hangup(s, "session timeout");
	if (!s->hanging_up && now >= idle_at(s)) {
		s->counted_at = now;
		kernel_request(&count, K_STATS, s->tunnel->id, s->id);
		(void)kernel_submit(s->ctx, &count);
	}
	if (s->ppp_on && !s->ppp_down && now >= ppp_deadline(&s->ppp))
		ppp_tick(&s->ppp, now);
	session_drain(s);
}

void session_drain(struct session *s)
{
	struct ctx *ctx = s->ctx;

	if (s->draining)
		return;
	s->draining = true;
	for (bool again = true; again; ) {
		for (struct fx *f; (f = fx_pop(&s->ppp.out)); fx_free(f))
			perform(s, f);
		again = s->ppp_on && !s->ppp_down && !s->ending && s->ppp.ncp_start;
		if (again)		/* who let the peer in has been heard: not a turn of the loop, and a record, later */
			ppp_tick(&s->ppp, ctx->loop.now);
	}
	if (s->link_saved || session_has_link(s))
		session_changed(s);
	if (s->ppp.out.lost) {
		s->ppp.out.lost = false;
		session_end(s, CDN_GENERAL, 4, "out of memory");
	}
	s->draining = false;
	timer_set(&ctx->loop, &s->timer, s->ending ? NEVER : deadline(s));
	maybe_free(s);
}

void session_hangup(struct session *s, const char *why)
{
	if (s->ending || s->hanging_up)
		return;
	s->hanging_up = true;
	snprintf(s->why, sizeof(s->why), "%s", why);
	if (!s->ppp_on) {
		session_end(s, CDN_ADMIN, 0, why);
		return;
	}
	ppp_close(&s->ppp, s->ctx->loop.now, why);
	session_drain(s);
}

/* Out of the kernel, when it is in it; a completion under way is answered by the same. */
static void uninstall(struct session *s)
{
	struct k_request rq;

	link_detach(s);
	if (s->kernel != KS_UP)
		return;
	kernel_request(&rq, K_SESSION_DOWN, s->tunnel->id, s->id);
	s->kernel = kernel_submit(s->ctx, &rq) ? KS_GOING : KS_GONE;
	session_changed(s);
}

void session_end(struct session *s, uint16_t result, uint16_t error, const char *why)
{
	struct ctx *ctx = s->ctx;
	struct l2tp_cause cause = { .result = result, .error = error, .ppp_code = end_says[s->end].ppp_code };

	if (s->ending)
		return;
	s->ending = true;
	circuit_remove(s);
	session_comes_not(s);
	session_changed(s);
	snprintf(s->why, sizeof(s->why), "%s", why);
	if (s->up) {
		ctx->count.sessions_closed++;
		if (s->policy->idle_timeout_s)
			ctx->n_idle_watched--;
	}
	/* calls that are refused again and again must not drown the others */
	if (s->up || s->call.state != CALL_IDLE || s->call_down)
		log_peer(ctx, s->up ? T_STATE : T_REFUSE, &s->tunnel->peer, LOG_INFO,
			 "session %u/%u in tunnel %u with %s%s%s: down: %s", s->wire_id, session_peer_id(s), s->tunnel->id,
			 tunnel_name(s->tunnel), s->user ? ", user " : "", s->user ? s->user : "", why);
	event(ctx, "session-down", s->tunnel, s, "%s", why);
	if (s->hooked)
		run_ip_down(s);
	if (s->waiting_address)
		stop_waiting(s);
	if (s->counted)
		user_remove(ctx, s->user);
	s->counted = false;
	if (s->ppp_on && !s->ppp_down) {
		ppp_lower_down(&s->ppp, ctx->loop.now);
		s->ppp_down = true;
	}
	if (!s->call_down) {
		snprintf(cause.msg, sizeof(cause.msg), "%s", why);
		cc_call_close(&s->tunnel->cc, &s->call, s->ctx->loop.now, &cause);
	}
	uninstall(s);
	if (s->tunnel->dial)
		dial_session_ended(s->tunnel->dial, s);
	session_drain(s);
	tunnel_drain(s->tunnel);
	maybe_free(s);
}

void session_stats(struct session *s, const struct k_stats *st)
{
	if (st->rx_packets != s->stats.rx_packets || st->tx_packets != s->stats.tx_packets)
		s->traffic_at = s->ctx->loop.now;
	if (st->rx_packets != s->stats.rx_packets) {
		if (s->ppp_on && !s->ppp_down)
			ppp_alive(&s->ppp, s->ctx->loop.now);
		if (s->stats_at && s->stats_at >= s->tunnel->doubt_since)	/* else it may have been long ago */
			cc_alive(&s->tunnel->cc, s->ctx->loop.now);
	}
	s->stats = *st;
	s->stats_at = s->ctx->loop.now;
	if (s->up && !s->ending && s->policy->idle_timeout_s &&
	    s->ctx->loop.now >= s->traffic_at + s->policy->idle_timeout_s * 1000ull)
		session_hangup(s, "idle timeout");
}
