/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may become a tunnel: admission, which is the same for both versions of L2TP, and L2TPv2's own part. */
#include "stranger.h"

#include <stdio.h>
#include <string.h>

#include "core/dial.h"
#include "core/event.h"
#include "core/half_open.h"
#include "core/ipsec.h"
#include "core/policy.h"
#include "core/room.h"
#include "core/turn.h"
#include "core/version.h"

void stranger_key(struct ho_addr *ret, const struct dgram *d)
{
	*ret = (struct ho_addr){ .family = d->peer.family, .peer_port = d->peer.port, .local_port = d->local.port,
				 .mark = d->mark, .ifindex = d->peer.scope };
	memcpy(ret->peer, d->peer.addr, sizeof(ret->peer));
	memcpy(ret->local, d->local.addr, sizeof(ret->local));
}

void stranger_answer(struct listener *on, const struct dgram *d, const void *buf, size_t len)
{
	if (len)
		turn_answer(on, d, buf, len);
}

/* Both ends dialled at once (RFC 2661 4.4.3 Tie Breaker): may the peer's tunnel live beside ours? */
static bool tie_lost(struct ctx *ctx, const struct dgram *d, const struct l2tp_msg *m)
{
	for (struct dial *dial = ctx->dials; dial; dial = dial->next) {
		struct tunnel *t = dial->tunnel;
		enum cc_tie tie;

		if (!t || t->v != &version_2 || t->cc.state != CC_WAIT_CTL_REPLY || t->peer.port != d->peer.port ||
		    memcmp(t->peer.addr, d->peer.addr, sizeof(d->peer.addr)))
			continue;
		tie = cc_tie(&t->cc, l2tp_has(m, L2TP_AVP_TIE_BREAKER) ? m->tie_breaker : NULL);
		if (tie == CC_TIE_OURS)
			return true;
		if (tie == CC_TIE_THEIRS || tie == CC_TIE_BOTH_DROP) {
			struct l2tp_cause cause = { .result = 2, .error = 0 };

			snprintf(cause.msg, sizeof(cause.msg), "tie breaker: the peer's tunnel stays");
			dial->yields = tie == CC_TIE_THEIRS;
			cc_abandon(&t->cc, ctx->loop.now, &cause);
			tunnel_drain(t);
			return tie == CC_TIE_BOTH_DROP;
		}
	}
	return false;
}

void stranger_refuse(struct ctx *ctx, const struct dgram *d, const struct conf_peer *p, const char *why)
{
	struct peer_stat *stat = p ? peer_stat_get(ctx, p->name) : NULL;
	char where[96];

	if (stat) {
		stat->refused++;
		snprintf(stat->last_refusal, sizeof(stat->last_refusal), "%s: %s", endpoint_text(&d->peer, where, 64), why);
	}
	log_peer(ctx, T_REFUSE, &d->peer, LOG_NOTICE, "SCCRQ from %s%s%s refused: %s",
		 endpoint_port_text(&d->peer, where, sizeof(where)), p ? ", peer " : "", p ? p->name : "", why);
}

bool no_more_tunnels(const struct ctx *ctx, const struct dgram *d, const struct conf_peer *p)
{
	return source_tunnels(ctx->sources, &d->peer) >= p->limits.tunnels ||
	       (ctx->conf->max_tunnels && ctx->n_tunnels >= ctx->conf->max_tunnels);
}

/* Is somebody with another mark served at this address and port?  It may be the same peer, with a new SA after a crash:
 * whoever is there is asked, and makes room if he is not. */
static bool mark_taken(struct ctx *ctx, const struct dgram *d)
{
	bool taken = false;

	for (struct tunnel *t = source_first(ctx->sources, &d->peer); t; t = t->same_source) {
		if (t->down || t->mark == d->mark || t->peer.port != d->peer.port ||
		    memcmp(t->peer.addr, d->peer.addr, sizeof(d->peer.addr)))
			continue;
		tunnel_probe(t);
		taken = true;
	}
	return taken;
}

static int match(const struct ctx *ctx, const struct dgram *d, unsigned version, struct span host_name)
{
	struct addr from = { .family = d->peer.family };
	char host[65];

	memcpy(from.a, d->peer.addr, sizeof(from.a));
	l2tp_clean(host, sizeof(host), host_name);
	return config_match_peer(ctx->conf, version, d->peer.encap, &from, host);
}

bool stranger_expected(const struct listener *on, const struct dgram *d, unsigned version, struct span host_name)
{
	return match(on->ctx, d, version, host_name) >= 0;
}

const struct conf_peer *stranger_admit(struct listener *on, const struct dgram *d, unsigned version, struct span host_name)
{
	struct ctx *ctx = on->ctx;
	const struct conf_peer *p;
	int i = match(ctx, d, version, host_name);

	ctx->count.sccrq++;
	if (i < 0 || ctx->stopping) {
		ctx->count.sccrq_no_peer++;
		stranger_refuse(ctx, d, NULL, ctx->stopping ? "shutting down" : version == 2 ? "no `peer` section matches" :
				"no `peer` section with version = 3 matches");
		return NULL;
	}
	p = &ctx->conf->peer[i];
	if (p->ipsec.required && !ipsec_guards(ctx, &d->local, &d->peer)) {
		ctx->count.sccrq_dropped++;
		stranger_refuse(ctx, d, p, "it demands IPsec, and this came without");
		return NULL;
	}
	if (p->ipsec.required && !ipsec_proved(ctx, d->mark, p)) {
		ctx->count.sccrq_dropped++;
		stranger_refuse(ctx, d, p, "its IPsec is another peer's, with another psk, certificate or identity");
		return NULL;
	}
	if (!source_admit(ctx->sources, ctx->loop.now, &d->peer, p->limits.setup_rate, p->limits.setup_burst)) {
		ctx->count.sccrq_rate_limited++;
		stranger_refuse(ctx, d, p, "setup-rate of this address is exceeded");
		return NULL;
	}
	if (ctx->conf->max_tunnels && ctx->n_tunnels >= ctx->conf->max_tunnels)
		room_for_tunnel(ctx);
	if (no_more_tunnels(ctx, d, p)) {
		ctx->count.sccrq_dropped++;
		stranger_refuse(ctx, d, p, "limit of tunnels");
		return NULL;
	}
	if (d->mark && ctx->old_demux && mark_taken(ctx, d)) {
		ctx->count.sccrq_dropped++;
		stranger_refuse(ctx, d, p, "another peer behind its NAT has this address and port, and Linux before 6.11 cannot "
				"tell their data apart");
		return NULL;
	}
	return p;
}

uint16_t stranger_id(struct ctx *ctx)
{
	uint16_t id;

	half_open_expire(ctx);
	id = ids_pick(ctx->tunnel_ids, ctx->loop.now);
	ctx->count.sccrq_dropped += !id;
	return id;
}

void stranger_verdict(struct ctx *ctx, const struct dgram *d, const struct conf_peer *p, enum ho_verdict v)
{
	switch (v) {
	case HO_LIMIT:
		ctx->count.sccrq_half_open_limited++;
		stranger_refuse(ctx, d, p, "half-open limit of this address");
		break;
	case HO_REFUSED:
		ctx->count.auth_tunnel_failed++;
		stranger_refuse(ctx, d, p, "wrong or missing Message Digest: is the secret the same?");
		break;
	case HO_DROP: case HO_ACCEPTED: case HO_UNKNOWN:
		ctx->count.sccrq_dropped++;
		break;
	case HO_REPLY:
		break;
	}
}

void stranger_sccrq(struct listener *on, const struct dgram *d, const struct l2tp_msg *m)
{
	struct ctx *ctx = on->ctx;
	const struct conf_peer *p = stranger_admit(on, d, 2, m->host_name);
	struct ho_addr key;
	uint8_t reply[1024];
	enum ho_verdict v;
	bool used = false;
	size_t len = 0;
	uint16_t id;

	if (!p || tie_lost(ctx, d, m))
		return;
	if (!ctx->keeper_ready || on->stale) {
		ctx->count.sccrq_dropped++;
		stranger_refuse(ctx, d, p, "the kernel cannot be reached: no keeper");
		len = ho_refuse_sccrq(ctx->half_open, ctx->loop.now, m, d->len, L2TP_STOP_ERROR, L2TP_E_RESOURCES, reply,
				      sizeof(reply));
		stranger_answer(on, d, reply, len);
		return;
	}
	id = stranger_id(ctx);
	if (!id)
		return;
	stranger_key(&key, d);
	v = ho_sccrq(ctx->half_open, ctx->loop.now, &key, m, d->len, &p->cc, (uint16_t)(p - ctx->conf->peer), ctx->conf_gen,
		     p->limits.half_open, id, &used, reply, sizeof(reply), &len);
	if (used) {
		(void)ids_claim(ctx->tunnel_ids, id);
		half_open_keep(ctx, 2, id);
	}
	if (v != HO_REPLY) {
		stranger_verdict(ctx, d, p, v);
		return;
	}
	stranger_answer(on, d, reply, len);
	half_open_timer(ctx);
}

static bool has_secret(const struct conf_peer *p, unsigned version)
{
	return version == 2 ? p->cc.secret.n : p->l2tp.v3.cc.secret.n || p->l2tp.v3.secret2.n;
}

/* The peer section of a half-open tunnel; matched anew if the configuration was reloaded or we were restarted meanwhile, and
 * then not to be had by who was not asked for the secret that it demands now. */
const struct conf_peer *stranger_policy(const struct ctx *ctx, const struct dgram *d, const struct ho_entry *e,
					unsigned version)
{
	struct addr from = { .family = d->peer.family };
	int i = e->policy;

	if (e->policy == HO_NO_POLICY || e->policy_gen != ctx->conf_gen) {
		memcpy(from.a, d->peer.addr, sizeof(from.a));
		i = config_match_peer(ctx->conf, version, d->peer.encap, &from, e->host_name);
		if (i >= 0 && has_secret(&ctx->conf->peer[i], version) && !e->challenged)
			i = -1;
	}
	if (i < 0 || (unsigned)i >= ctx->conf->n_peers ||
	    (ctx->conf->peer[i].ipsec.required && (!ipsec_guards(ctx, &d->local, &d->peer) ||
						   !ipsec_proved(ctx, d->mark, &ctx->conf->peer[i]))))
		return NULL;
	return &ctx->conf->peer[i];
}

/* A message to a half-open tunnel: only a valid SCCCN makes it one of ours. */
void stranger_scccn(struct listener *on, const struct dgram *d, const struct ho_entry *e)
{
	struct ctx *ctx = on->ctx;
	const struct conf_peer *p;
	uint8_t scratch[L2TP_SCRATCH], reply[256];
	struct ho_entry entry;
	struct tunnel *t;
	struct l2tp_msg m;
	struct ho_addr key;
	size_t len = 0;

	p = stranger_policy(ctx, d, e, 2);
	if (!p)
		return;				/* it expires */
	if (!l2tp_decode(&m, d->octets, d->len, p->cc.secret, scratch)) {
		ctx->count.rx_malformed++;
		return;
	}
	m.tunnel_id = e->tunnel_id;		/* it may have been 0 */
	stranger_key(&key, d);
	switch (ho_scccn(ctx->half_open, ctx->loop.now, &key, &m, &p->cc, &entry, reply, sizeof(reply), &len)) {
	case HO_ACCEPTED:
		if (!no_more_tunnels(ctx, d, p)) {	/* several may have been half-open side by side */
			t = tunnel_accept(ctx, (uint16_t)entry.tunnel_id, on, d, p);
			if (t) {
				tunnel_take_over(t, d, &entry);
				break;
			}
			half_open_drop(ctx, entry.tunnel_id);
			len = ho_stopccn(&entry, L2TP_STOP_ERROR, L2TP_E_RESOURCES, "out of memory", reply, sizeof(reply));
			stranger_answer(on, d, reply, len);
			break;
		}
		stranger_refuse(ctx, d, p, "limit of tunnels");
		len = ho_stopccn(&entry, L2TP_STOP_ERROR, L2TP_E_RESOURCES, "limit of tunnels", reply, sizeof(reply));
		stranger_answer(on, d, reply, len);
		half_open_drop(ctx, entry.tunnel_id);
		id_rests(ctx, STORE_TUNNEL, entry.tunnel_id, true);
		break;
	case HO_REFUSED:
		ctx->count.auth_tunnel_failed++;
		stranger_refuse(ctx, d, p, "tunnel authentication failed (wrong or missing Challenge Response: "
				"is the secret the same?)");
		stranger_answer(on, d, reply, len);
		half_open_drop(ctx, entry.tunnel_id);
		id_rests(ctx, STORE_TUNNEL, entry.tunnel_id, true);
		break;
	case HO_DROP: case HO_REPLY: case HO_LIMIT: case HO_UNKNOWN:
		break;
	}
	half_open_timer(ctx);
}
