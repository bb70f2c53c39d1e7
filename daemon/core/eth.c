/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ethernet pseudowires (RFC 4719): nothing is negotiated but the call, so the kernel has the session as soon as both ids are
 * known, and the session is up when the kernel has it and the call is established. */
#include <stdio.h>
#include <string.h>

#include "core/dial.h"
#include "core/event.h"
#include "core/session.h"
#include "core/turn.h"
#include "core/version.h"

void circuit_add(struct session *s)
{
	HASH_ADD_KEYPTR(by_circuit, s->tunnel->circuits, s->as->remote_end_id, strlen(s->as->remote_end_id), s);
}

void circuit_remove(struct session *s)
{
	if (!s->by_circuit.tbl)			/* HASH_NONFATAL_OOM, too */
		return;
	HASH_DELETE(by_circuit, s->tunnel->circuits, s);
	s->by_circuit.tbl = NULL;
}

struct session *circuit_find(const struct tunnel *t, const struct conf_session *as)
{
	struct session *s;

	HASH_FIND(by_circuit, t->circuits, as->remote_end_id, strlen(as->remote_end_id), s);
	return s;
}

void eth_describe(const struct session *s, struct k_request *rq)
{
	const struct policy *p = s->policy;

	v3_describe(s, &rq->eth.wire);
	rq->eth.send_seq = v3_sequenced(s);
	rq->eth.recv_seq = s->call.v3.info.own.sequencing;
	rq->eth.mtu = s->mtu;
	rq->eth.up = true;
	rq->eth.dormant = s->wanted & LINK_DORMANT;
	if (p->interface)
		snprintf(rq->eth.name, sizeof(rq->eth.name), "%s", p->interface);
	if (p->bridge)
		snprintf(rq->eth.bridge, sizeof(rq->eth.bridge), "%s", p->bridge);
	if (p->vrf)
		snprintf(rq->eth.vrf, sizeof(rq->eth.vrf), "%s", p->vrf);
	if (p->netns)
		snprintf(rq->eth.netns, sizeof(rq->eth.netns), "%s", p->netns);
	rq->eth.vlan = p->vlan;
}

void eth_link_describe(const struct session *s, struct k_link *l)
{
	*l = (struct k_link){ .dormant = s->wanted & LINK_DORMANT, .awake = !(s->wanted & LINK_DORMANT) };
}

void eth_installed(struct session *s)
{
	struct ctx *ctx = s->ctx;

	if (s->up || s->ending || s->kernel != KS_UP || s->call.state != CALL_ESTABLISHED)
		return;
	log_line(&ctx->log, LOG_INFO, "session %u/%u in tunnel %u with %s: up: %s, interface %s, MTU %u", s->wire_id,
		 session_peer_id(s), s->tunnel->id, tunnel_name(s->tunnel), s->as->remote_end_id, s->ifname, s->mtu);
	session_went_up(s);
	event(ctx, "session-up", s->tunnel, s, "%s, interface %s", s->as->remote_end_id, s->ifname);
	s->hooked = true;
	hook_run(s, true);
}

/* RFC 3931 5.4.5: to a circuit that is not active nothing is sent.  Of a dormant link bridges and routing daemons know that. */
static void follow_peer(struct session *s)
{
	if (s->call.v3.info.peer.circuit_status & V3_CIRCUIT_ACTIVE)
		s->wanted &= (uint8_t)~LINK_DORMANT;
	else
		s->wanted |= LINK_DORMANT;
}

void eth_call_up(struct session *s)
{
	s->wanted |= LINK_BASE;
	follow_peer(s);
	session_apply(s);
	eth_installed(s);
}

void eth_peer_status(struct session *s)
{
	follow_peer(s);
	if (s->kernel == KS_UP)
		session_apply(s);
}

void eth_status(struct session *s, bool active)
{
	uint16_t status = active ? V3_CIRCUIT_ACTIVE : 0;

	if (s->ending || !is_ethernet(s->policy) || !((s->call.v3.info.own.circuit_status ^ status) & V3_CIRCUIT_ACTIVE))
		return;
	v3_call_sli(&s->tunnel->cc, &s->call, s->ctx->loop.now, status);
	session_changed(s);
	tunnel_drain(s->tunnel);
}
