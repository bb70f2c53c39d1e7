/* SPDX-License-Identifier: GPL-2.0-or-later */
/* L2TPv3's engine (l2tp/v3_cc.h) as core's tunnels and sessions use it.  Ids on the wire have 32 bits: the lower half is our
 * own id, the upper one is random. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/dial.h"
#include "core/event.h"
#include "core/policy.h"
#include "core/room.h"
#include "core/session.h"
#include "core/turn.h"
#include "core/version.h"
#include "l2tp/data.h"
#include "l2tp/save.h"

uint32_t v3_wire_id(struct ctx *ctx, uint16_t id)
{
	return (env_u32(&ctx->env) & 0xffff0000) | id;
}

/* Calls. */

/* Whom a peer may call is as in the configuration of today. */
static const struct conf_peer *today(const struct tunnel *t)
{
	const struct config *c = t->ctx->conf;

	for (unsigned i = 0; i < c->n_peers; i++)
		if (!strcmp(c->peer[i].name, t->from->name) && c->peer[i].l2tp.version == 3)
			return &c->peer[i];
	return t->from;
}

static const struct conf_session *by_end_id(const struct tunnel *t, const struct v3_call_info *info)
{
	const struct conf_tunnel *as = t->dial ? t->dial->as : t->as;	/* more sessions may have been ordered */
	const struct conf_session *s = config_session(as ? as->by_end_id : today(t)->by_end_id, info->end_id, info->end_id_len);

	return s && !s->idle ? s : NULL;
}

/* PPP's frames have no sequence numbers outside the kernel: with them the kernel has the session before the user is known, which
 * only a peer that signs its messages may bring about. */
static bool may_be_kernel_first(const struct tunnel *t, const struct policy *p)
{
	return is_ethernet(p) || t->as || t->from->l2tp.v3.cc.secret.n;
}

/* Why this side does not take such a call, or NULL.  A circuit has no roles; a link of PPP has. */
static const char *refusal(const struct tunnel *t, const struct policy *p, const struct v3_fx_request *rq)
{
	bool outgoing = rq->role == V3_OCRQ_RECIPIENT;

	if (!is_ethernet(p) && (outgoing ? p->role != ROLE_LAC || !p->outgoing_calls : p->role != ROLE_LNS))
		return outgoing ? "outgoing calls are not configured" : "incoming calls are not configured";
	return session_refusal(t, p);
}

/* Did we dial the one and the peer the other?  A circuit that both configurations ask for has one name (5.4.4). */
static bool cross(const struct tunnel *a, const struct tunnel *b)
{
	return !a->as != !b->as && a->peer.encap == b->peer.encap && !memcmp(a->peer.addr, b->peer.addr, sizeof(a->peer.addr));
}

/* The session that has this circuit already. */
static struct session *holder(const struct tunnel *with, const struct conf_session *as)
{
	struct session *s;

	for (const struct tunnel *t = source_first(with->ctx->sources, &with->peer); t; t = t->same_source)
		if ((cross(t, with) || (t->as == with->as && (t->as || !strcmp(t->from->name, with->from->name)))) &&
		    (s = circuit_find(t, as)))
			return s;
	return NULL;
}

/* In another tunnel its end has most likely not been noticed yet: it makes room, and who asks may ask again.  Not the one that we
 * dialled, which would come back for it. */
static void make_room(struct session *old, const struct tunnel *t)
{
	if (cross(old->tunnel, t))
		tunnel_probe(old->tunnel);
	else if (old->tunnel != t)
		session_end(old, L2TP_CDN_ADMIN, 0, "replaced: its peer asks for it in a new tunnel");
}

/* RFC 3931 5.4.2. */
static struct l2tp_cause judge(struct tunnel *t, const struct v3_fx_request *rq, const struct conf_session *as)
{
	const char *why = as ? refusal(t, &as->policy, rq) : NULL;
	struct session *old = as && is_ethernet(&as->policy) ? holder(t, as) : NULL;	/* PPP: one a user */

	if (!as)
		return l2tp_cause(L2TP_CDN_PERMANENT, 0, "unknown Remote End ID", NULL);
	if (as->policy.pseudowire != rq->info.pw_type)
		return l2tp_cause(V3_CDN_PW_TYPE, 0, "another PW type is configured", NULL);
	if (as->policy.sequencing && !rq->info.peer.l2spec)
		return l2tp_cause(V3_CDN_SEQUENCING, 0, "sequencing is configured, and there is no L2-Specific Sublayer", NULL);
	if (rq->info.peer.sequencing && !may_be_kernel_first(t, &as->policy))
		return l2tp_cause(L2TP_CDN_PERMANENT, 0, "sequencing of PPP needs a secret here", NULL);
	if (!why && !old)
		return (struct l2tp_cause){ 0 };
	if (old)
		make_room(old, t);
	return l2tp_cause(L2TP_CDN_TEMPORARY, 0, why ? why : "this Remote End ID is in use", NULL);
}

static void answer(struct tunnel *t, const void *request)
{
	const struct v3_fx_request *rq = request;
	const struct conf_session *as = by_end_id(t, &rq->info);
	struct l2tp_cause cause;
	struct v3_side own = { .l2spec = rq->info.peer.l2spec, .circuit_status = V3_CIRCUIT_ACTIVE | V3_CIRCUIT_NEW,
			       .sequencing = rq->info.peer.sequencing };
	ms_t now = t->ctx->loop.now;
	struct session *s = NULL;

	room_for_session(t->ctx);
	cause = judge(t, rq, as);
	if (!cause.result)
		s = session_new(t, &as->policy, as, 0);
	if (!s && !cause.result)
		cause = l2tp_cause(L2TP_CDN_TEMPORARY, 0, "out of memory or of session ids", NULL);
	if (!s) {
		session_refused(t, cause.msg);
		v3_call_refuse(&t->cc, now, rq, &cause);
		return;
	}
	if (!t->as || t->dial) {
		conf_put(s->conf);
		s->conf = conf_get(t->dial ? t->dial->conf : t->ctx->conf);
	}
	s->wire_id = v3_wire_id(t->ctx, s->id);
	own.cookie.len = as->policy.cookie_len;
	if (as->policy.sequencing)
		own.sequencing = V3_SEQ_ALL;
	if (v3_call_answer(&t->cc, &s->call, now, rq, s->wire_id, &own)) {
		s->call_down = true;
		session_end(s, 0, 0, "the call could not be answered");
		return;
	}
	if (t->dial)
		dial_adopt_session(t->dial, s);		/* it need not be placed */
	if (!is_ethernet(s->policy)) {
		s->stranger = t->from;
		t->n_strangers += s->stranger;
	}
	if (is_ethernet(s->policy) || session_kernel_first(s))
		session_call_up(s);		/* the kernel's part: the peer's frames come right behind its ICCN */
}

static struct session *place(struct tunnel *t, const struct conf_session *as)
{
	struct session *s = session_new(t, &as->policy, as, 0);
	struct v3_call_info info = {
		.pw_type = as->policy.pseudowire, .end_id_len = (uint8_t)strlen(as->remote_end_id),
		.own = { .cookie.len = as->policy.cookie_len,
			 .sequencing = as->policy.sequencing ? V3_SEQ_ALL : V3_SEQ_NONE,
			 /* 4.6: it has the numbers */
			 .l2spec = as->policy.sequencing ? V3_L2SPEC_DEFAULT : as->policy.l2spec,
			 .circuit_status = V3_CIRCUIT_ACTIVE | V3_CIRCUIT_NEW },
	};
	bool outgoing = !is_ethernet(&as->policy) && as->policy.role == ROLE_LNS;
	int err;

	if (!s)
		return NULL;
	s->wire_id = v3_wire_id(t->ctx, s->id);
	if (as->user && !is_ethernet(&as->policy))
		s->user = strdup(as->user);
	memcpy(info.end_id, as->remote_end_id, info.end_id_len);
	err = v3_call_open(&t->cc, &s->call, t->ctx->loop.now, outgoing ? V3_OCRQ_SENDER : V3_ICRQ_SENDER, s->wire_id, &info);
	if (!err)
		return s;
	s->call_down = true;
	session_end(s, 0, 0, err == -EPROTONOSUPPORT ? "the peer does not offer this pseudowire type" :
		    "the call could not be placed");
	return NULL;
}

/* The sublayer is one for both directions in the kernel. */
static void call_is_up(struct session *s)
{
	if (s->call.v3.info.own.l2spec != s->call.v3.info.peer.l2spec)
		session_end(s, L2TP_CDN_PERMANENT, 0, "the peer wants another L2-Specific Sublayer");
	else
		session_call_up(s);
}

static void status(struct tunnel *t, const void *effect)
{
	const struct v3_fx_sli *sli = effect;
	const char *is = sli->circuit_status & V3_CIRCUIT_ACTIVE ? "active" : "inactive";
	struct session *s = session_find(t->ctx, sli->session_id);
	struct ctx *ctx = t->ctx;

	if (!s || s->tunnel != t)
		return;
	session_changed(s);
	log_peer(ctx, T_PROTOCOL, &t->peer, LOG_NOTICE, "session %u/%u: the peer's circuit is %s", s->wire_id,
		 session_peer_id(s), is);
	event(ctx, "session-status", t, s, "the peer's circuit is %s", is);
	if (is_ethernet(s->policy))
		eth_peer_status(s);
}

/* The verbs. */

static void init(struct tunnel *t)
{
	v3_cc_init(&t->cc, &t->ctx->env, t->as ? &t->as->l2tp.v3 : &t->from->l2tp.v3, v3_wire_id(t->ctx, t->id));
}

static void open_cc(struct tunnel *t)
{
	(void)v3_cc_open(&t->cc, t->ctx->loop.now, t->as->l2tp.fallback ? t->id : 0);	/* it is idle: it is new */
}

void v3_describe(const struct session *s, struct k_wire *ret)
{
	const struct v3_call_info *i = &s->call.v3.info;

	*ret = (struct k_wire){
		.session_id = s->wire_id, .peer_session_id = s->call.peer_session_id, .l2spec = (uint8_t)i->own.l2spec,
		.tx_cookie_len = i->peer.cookie.len, .rx_cookie_len = i->own.cookie.len,
	};
	memcpy(ret->tx_cookie, i->peer.cookie.octets, i->peer.cookie.len);
	memcpy(ret->rx_cookie, i->own.cookie.octets, i->own.cookie.len);
}

bool v3_sequenced(const struct session *s)
{
	return s->call.v3.info.own.sequencing || s->call.v3.info.peer.sequencing;
}

static void data_describe(const struct session *s, struct k_request *rq)
{
	v3_describe(s, &rq->session.wire);
	rq->session.send_seq = v3_sequenced(s);
	rq->session.recv_seq = s->call.v3.info.own.sequencing;
}

_Static_assert((int)V3_DATA_HEADER <= (int)DATA_HEADER_MAX, "there is room for the header");

static size_t data_header(const struct session *s, uint8_t *out, uint16_t proto)
{
	return s->tunnel->local.encap == ENCAP_IP ? 0 : v3_data_header(out, s->call.peer_session_id, &s->call.v3.info.peer, proto);
}

/* RFC 3931 4.1.1, 4.1.2: over UDP there are 32 bits more than the Session ID. */
static unsigned data_room(const struct session *s)
{
	enum { UDP_HEADER = 8 + 4, SESSION_ID = 4, SUBLAYER = 4, PPP_HEADER = 4 };
	const struct v3_call_info *i = &s->call.v3.info;
	unsigned cookie = i->own.cookie.len > i->peer.cookie.len ? i->own.cookie.len : i->peer.cookie.len;

	return (s->tunnel->local.encap == ENCAP_IP ? 0 : UDP_HEADER) + SESSION_ID + cookie +
	       (i->own.l2spec || i->peer.l2spec ? SUBLAYER : 0) + PPP_HEADER;
}

const struct version version_3 = {
	.number = 3, .init = init, .done = v3_cc_done, .open = open_cc, .accept = v3_cc_accept, .input = v3_cc_input,
	.answer = answer, .call_is_up = call_is_up, .sli = status, .save = v3_cc_save, .restore = v3_cc_restore, .place = place,
	.data_describe = data_describe, .data_header = data_header, .data_room = data_room,
};
