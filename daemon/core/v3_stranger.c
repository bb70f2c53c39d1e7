/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strangers who speak L2TPv3 (l2tp/v3_halfopen.h). */
#include <stdio.h>
#include <string.h>

#include "core/dial.h"
#include "core/half_open.h"
#include "core/ipsec.h"
#include "core/policy.h"
#include "core/stranger.h"
#include "core/turn.h"
#include "core/version.h"
#include "l2tp/v3_halfopen.h"

/* Both ends dialled at once (RFC 3931 5.4.3 Control Connection Tie Breaker): is the peer's SCCRQ not to be answered?  Only one
 * that is signed with the dial's secret takes part.  It comes from any port, while we dial the listener's (4.1.2.2). */
static bool tie_lost(struct ctx *ctx, const struct dgram *d, const struct v3_msg *m)
{
	for (struct dial *dial = ctx->dials; dial; dial = dial->next) {
		struct tunnel *t = dial->tunnel;
		struct l2tp_cause cause = { .result = L2TP_STOP_EXISTS };
		struct v3_signature sig;
		enum cc_tie tie;

		if (!t || t->v != &version_3 || t->cc.state != CC_WAIT_CTL_REPLY || t->peer.encap != d->peer.encap ||
		    memcmp(t->peer.addr, d->peer.addr, sizeof(d->peer.addr)) ||
		    v3_verify(&t->cc.v3.auth, d->octets, d->len, &sig) != V3_GOOD)
			continue;
		tie = cc_tie(&t->cc, v3_has(m, V3_AVP_TIE_BREAKER) ? m->tie_breaker : NULL);
		if (tie == CC_TIE_OURS)
			return true;
		if (tie == CC_TIE_NONE)
			continue;
		snprintf(cause.msg, sizeof(cause.msg), "tie breaker: the peer's control connection stays");
		dial->yields = tie == CC_TIE_THEIRS;
		cc_abandon(&t->cc, ctx->loop.now, &cause);
		tunnel_drain(t);
		return tie == CC_TIE_BOTH_DROP;
	}
	return false;
}

bool v3_stranger_sccrq(struct listener *on, const struct dgram *d)
{
	struct ctx *ctx = on->ctx;
	struct span none = { NULL, 0 };
	const struct conf_peer *p;
	uint8_t reply[1024];
	enum ho_verdict v;
	struct ho_addr key;
	bool used = false;
	struct v3_msg m;
	size_t len = 0;
	uint32_t cc_id;
	uint16_t id;

	if (!v3_decode(&m, d->octets, d->len, none, NULL)) {
		ctx->count.rx_malformed++;
		return true;
	}
	if (m.type != V3_SCCRQ)
		return false;
	p = stranger_admit(on, d, 3, m.host_name);
	if (!p || tie_lost(ctx, d, &m))
		return true;
	if (!ctx->keeper_ready || on->stale) {
		ctx->count.sccrq_dropped++;
		stranger_refuse(ctx, d, p, "the kernel cannot be reached: no keeper");
		return true;
	}
	id = stranger_id(ctx);
	if (!id)
		return true;
	cc_id = v3_wire_id(ctx, id);
	stranger_key(&key, d);
	v = v3_ho_sccrq(ctx->v3_half_open, ctx->loop.now, &key, &m, d->octets, d->len, &p->l2tp.v3,
			(uint16_t)(p - ctx->conf->peer), ctx->conf_gen, p->limits.half_open, cc_id, &used, reply, sizeof(reply),
			&len);
	if (used) {
		(void)ids_claim(ctx->tunnel_ids, id);
		half_open_keep(ctx, 3, cc_id);
	}
	if (v == HO_REPLY) {
		stranger_answer(on, d, reply, len);
		half_open_timer(ctx);
	} else {
		stranger_verdict(ctx, d, p, v);
	}
	return true;
}

void v3_stranger_scccn(struct listener *on, const struct dgram *d, uint32_t cc_id)
{
	struct ctx *ctx = on->ctx;
	const struct ho_entry *e = ho_find(ctx->v3_half_open, cc_id);
	const struct conf_peer *p = e ? stranger_policy(ctx, d, e, 3) : NULL;
	struct l2tp_cause full = { .result = L2TP_STOP_ERROR, .error = L2TP_E_RESOURCES, .msg = "limit of tunnels" };
	struct ho_entry entry;
	struct ho_addr key;
	struct tunnel *t;
	bool too_many;

	if (!p) {
		ctx->count.rx_unknown_tunnel += !e;	/* else it expires */
		return;
	}
	stranger_key(&key, d);
	switch (v3_ho_scccn(ctx->v3_half_open, ctx->loop.now, &key, d->octets, d->len, &p->l2tp.v3, &entry)) {
	case HO_ACCEPTED:
		too_many = no_more_tunnels(ctx, d, p);	/* several may have been half-open side by side */
		t = tunnel_accept(ctx, (uint16_t)(cc_id % MAX_ID), on, d, p);
		if (!t) {
			half_open_drop(ctx, cc_id);
			break;
		}
		tunnel_take_over(t, d, &entry);
		if (!too_many)
			break;
		stranger_refuse(ctx, d, p, "limit of tunnels");
		cc_close(&t->cc, ctx->loop.now, &full);
		tunnel_drain(t);
		break;
	case HO_REFUSED:
		stranger_verdict(ctx, d, p, HO_REFUSED);
		break;
	case HO_DROP: case HO_REPLY: case HO_LIMIT: case HO_UNKNOWN:
		break;
	}
	half_open_timer(ctx);
}
