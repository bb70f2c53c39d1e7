/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/all_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "l2tp/data.h"

enum { BASE = 1, IPV4 = 2, IPV6 = 4 };		/* parts of a link, as in core/session.h */

void all_fault(struct all_side *x, const char *what)
{
	if (!x->faults++)
		x->fault = what;
}

struct all_event *all_at(struct all_side *x, enum all_kind kind, struct all_session *s, ms_t when)
{
	struct all_event *e;

	if (x->n_ev == x->max_ev) {
		x->max_ev = x->max_ev ? 2 * x->max_ev : 32;
		x->ev = realloc(x->ev, x->max_ev * sizeof(*x->ev));
		assert(x->ev);
	}
	e = &x->ev[x->n_ev++];
	*e = (struct all_event){ .at = when, .order = x->order++, .kind = (uint8_t)kind, .s = s, .ok = true };
	return e;
}

static ms_t soon(struct all_side *x, ms_t from, unsigned max)
{
	return from + sim_roll(x->sim, max + 1) + (x->disk != NULL);	/* orders leave at the end of the turn */
}

static bool fails(struct all_side *x)
{
	return sim_roll(x->sim, 100) < x->fail;
}

struct call *all_call_of(const struct all_session *s)
{
	return &s->side->end.call[s->i].call;
}

static struct all_session *find(struct all_side *x, uint16_t id)
{
	for (unsigned i = 0; i < x->end.n_calls; i++)
		if (x->end.call[i].session_id == id)
			return &x->s[i];
	return NULL;
}

/* The kernel. */

void all_tunnel_uninstall(struct all_side *x)
{
	ms_t t;

	for (unsigned i = 0; i < ALL_CALLS; i++)
		if (x->s[i].exists && !x->s[i].freed)
			return;
	if (!x->down || x->kernel != AK_UP)
		return;
	x->kernel = AK_GOING;
	all_at(x, EV_TUNNEL_UNMAKE, NULL, t = soon(x, x->sim->now, x->kernel_ms));
	all_at(x, EV_TUNNEL_DOWN, NULL, soon(x, t, x->kernel_ms));
}

void all_maybe_free(struct all_session *s)
{
	if (s->exists && s->ending && s->call_down && (s->kernel == AK_NONE || s->kernel == AK_GONE))
		s->freed = true;
}

static void tunnel_install(struct all_side *x)
{
	ms_t t = soon(x, x->sim->now, x->kernel_ms);

	if (x->kernel != AK_NONE || x->down)
		return;
	x->kernel = AK_COMING;
	if (fails(x)) {
		x->tunnel_failed = true;
		all_at(x, EV_TUNNEL_UP, NULL, t)->ok = false;
		return;
	}
	all_at(x, EV_TUNNEL_MAKE, NULL, t);
	all_at(x, EV_TUNNEL_UP, NULL, soon(x, t, x->kernel_ms));
}

static void session_request(struct all_session *s)
{
	struct all_side *x = s->side;
	ms_t t = soon(x, x->sim->now, x->kernel_ms);

	s->kernel = AK_COMING;
	if (fails(x)) {
		s->failed = true;
		all_at(x, EV_UP, s, t)->ok = false;
		return;
	}
	all_at(x, EV_MAKE, s, t);
	all_at(x, EV_CONNECT, s, t = soon(x, t, x->kernel_ms / 4));
	all_at(x, EV_UP, s, soon(x, t, x->kernel_ms));
}

void all_session_remove(struct all_session *s)
{
	struct all_side *x = s->side;
	ms_t t;

	s->kernel = AK_GOING;
	all_at(x, EV_UNMAKE, s, t = soon(x, x->sim->now, x->kernel_ms));
	all_at(x, EV_DOWN, s, soon(x, t, x->kernel_ms));
}

void all_record(struct all_side *x, enum all_kind kind, struct all_session *s)
{
	if (kind == EV_TUNNEL_MAKE) {
		if (x->there != AT_ABSENT || x->creates++)
			all_fault(x, "tunnel created twice");
		x->there = AT_THERE;
	} else if (kind == EV_TUNNEL_UNMAKE) {
		if (x->there != AT_THERE || x->deletes++)
			all_fault(x, "tunnel deleted that is not there");
		for (unsigned i = 0; i < ALL_CALLS; i++)
			if (x->s[i].there != AT_ABSENT)
				all_fault(x, "tunnel deleted before its sessions");
		x->there = AT_ABSENT;
	} else if (kind == EV_MAKE) {
		if (x->there != AT_THERE)
			all_fault(x, "session created without its tunnel");
		if (s->there != AT_ABSENT || s->creates++)
			all_fault(x, "session created twice");
		if (x->conf.auth[0] != PPP_AUTH_NONE && !s->proved)
			all_fault(x, "session created for who is not authenticated");
		s->there = AT_MAKING;
	} else if (kind == EV_CONNECT) {
		s->there = AT_THERE;
	} else {
		if (s->there != AT_THERE || s->deletes++)
			all_fault(x, "session deleted that is not there");
		if (s->attached)
			all_fault(x, "session deleted while its channel is in use");
		s->there = AT_ABSENT;
		for (size_t i = 0; i < x->n_ev; i++)	/* what nobody has read goes with it */
			if (x->ev[i].kind == EV_CHANNEL && x->ev[i].s == s)
				x->ev[i].at = x->sim->now;
	}
}

/* The owner: daemon/core/session.c and session_kernel.c, without addresses that run out. */

static void session_end(struct all_session *s, uint16_t result)
{
	struct all_side *x = s->side;
	struct l2tp_cause cause = { .result = result };

	if (s->ending)
		return;
	s->ending = true;
	s->ended_at = x->sim->now;
	s->downs++;
	if (s->ppp_on && !s->ppp_down) {
		ppp_lower_down(&s->ppp, x->sim->now);
		s->ppp_down = true;
	}
	if (!s->call_down)
		cc_call_close(&x->end.cc, all_call_of(s), x->sim->now, &cause);
	s->attached = false;
	if (s->kernel == AK_UP)
		all_session_remove(s);
	all_ppp_drain(s);
	all_maybe_free(s);
}

static void tx(struct all_session *s, uint16_t proto, const void *info, size_t len)
{
	struct all_side *x = s->side;
	uint8_t buf[L2TP_DATA_HEADER + SIM_MTU];

	if (len > SIM_MTU) {
		all_fault(x, "frame too long");
		return;
	}
	if (!x->end.cc.peer_tunnel_id || !s->peer_id)
		all_fault(x, "frame to nobody");
	if (s->attached && s->there != AT_THERE)
		all_fault(x, "frame into a channel that is gone");
	l2tp_data_header(buf, x->end.cc.peer_tunnel_id, s->peer_id, proto);
	memcpy(buf + L2TP_DATA_HEADER, info, len);
	if (x->disk)
		fx_push(&x->end.disk->out, ALL_FX_DATA, buf, L2TP_DATA_HEADER + len);
	else
		sim_send(x->sim, x->end.node, buf, L2TP_DATA_HEADER + len);
}

void all_start_ppp(struct all_session *s)
{
	struct all_side *x = s->side;
	const char *password = x->password;

	if (sim_roll(x->sim, 100) < x->liars) {
		s->liar = true;
		password = "wrong";
	}
	s->peer_id = all_call_of(s)->peer_session_id;
	if (ppp_init(&s->ppp, &x->end.env, &x->conf, x->name, password))
		abort();
	s->ppp_on = true;
	ppp_up(&s->ppp, x->sim->now);
	all_ppp_drain(s);
}

static void frame(struct all_session *s, const struct all_event *e)
{
	if (s->ending)
		return;
	if (!s->ppp_on && all_call_of(s)->peer_session_id) {
		s->side->early_frames++;
		all_start_ppp(s);
	}
	if (!s->ppp_on)
		return;
	s->fed++;
	ppp_input(&s->ppp, s->side->sim->now, e->proto, e->octets, e->len);
	all_ppp_drain(s);
}

static void give_addresses(struct all_session *s)
{
	if (s->side->conf.take || !s->side->conf.ipv4)
		return;
	s->addrs = (struct ppp_addrs){ .ip = 0x0100000a, .peer_ip = 0x0001000a + ((uint32_t)(s->i + 1) << 24) };
	ppp_set_addrs(&s->ppp, &s->addrs);
}

void all_verdict(struct all_session *s, bool ok)
{
	ppp_auth_verdict(&s->ppp, s->side->sim->now, ok, ok && s->has_reply ? s->reply : NULL, ok ? "" : "authentication failed");
}

static void judge(struct all_session *s)
{
	struct all_side *x = s->side;

	if (s->ending)
		return;
	if (!s->verdict_ok || s->proved) {
		all_verdict(s, s->verdict_ok);
		all_ppp_drain(s);
		return;
	}
	s->proved = true;
	give_addresses(s);
	if (x->conf.take || s->kernel != AK_NONE) {
		all_verdict(s, true);
		all_ppp_drain(s);
		return;
	}
	s->admitted = true;			/* the session first: see authorise() in core/session.c */
	s->wanted |= (uint8_t)(BASE | (x->conf.ipv4 ? IPV4 : 0));
	all_apply(s);
}

void all_apply(struct all_session *s)
{
	struct all_side *x = s->side;
	uint8_t missing = s->wanted & (uint8_t)~s->applied;

	if (s->ending || s->asked)
		return;
	for (uint8_t part = IPV4; part <= IPV6; part = (uint8_t)(part << 1))
		if (s->ready & s->applied & part) {
			s->ready &= (uint8_t)~part;
			ppp_ncp_go(&s->ppp, x->sim->now, part == IPV4 ? PPP_IPCP : PPP_IPV6CP);
			all_ppp_drain(s);
		}
	if (!missing || s->ending || s->asked)
		return;
	if (s->kernel == AK_NONE && x->kernel != AK_UP) {
		tunnel_install(x);
		return;
	}
	s->asked = missing;
	if (s->kernel == AK_NONE) {
		session_request(s);
		return;
	}
	all_at(x, EV_SET, s, soon(x, x->sim->now, x->kernel_ms))->ok = !fails(x);
}

static void applied(struct all_session *s)
{
	s->applied |= s->asked & (uint8_t)~s->outdated;
	s->asked = s->outdated = 0;
}

static void came_up(struct all_session *s, bool ok)
{
	struct all_side *x = s->side;

	if (!ok) {
		s->kernel = AK_NONE;
		session_end(s, 2);
		all_maybe_free(s);
		return;
	}
	if (s->ending) {
		all_session_remove(s);
		return;
	}
	s->kernel = AK_UP;
	applied(s);
	s->attached = true;
	for (size_t i = 0; i < x->n_ev; i++)
		if (x->ev[i].kind == EV_CHANNEL && x->ev[i].s == s) {
			x->ev[i].at = x->sim->now;
			x->waited++;
		}
	if (s->admitted) {
		s->admitted = false;
		all_verdict(s, true);
		all_ppp_drain(s);
	}
	all_apply(s);
}

static void changed(struct all_session *s, uint8_t part)
{
	s->applied &= (uint8_t)~part;
	s->outdated |= s->asked & part;
}

static void ncp_ready(struct all_session *s, const struct ppp_fx_ncp *n)
{
	uint8_t part = n->proto == PPP_IPCP ? IPV4 : IPV6;
	struct ppp_addrs old = s->addrs;

	if (part == IPV4) {
		s->addrs.ip = n->addrs.ip;
		s->addrs.peer_ip = n->addrs.peer_ip;
	} else {
		s->addrs.ifid = n->addrs.ifid;
		s->addrs.peer_ifid = n->addrs.peer_ifid;
	}
	if (memcmp(&old, &s->addrs, sizeof(old)))
		changed(s, part);
	s->ready |= part;
	s->wanted |= BASE | part;
	all_apply(s);
}

static void ncp_up(struct all_session *s, const struct ppp_fx_ncp *n)
{
	enum cp_which w = n->proto == PPP_IPCP ? CP_IPCP : CP_IPV6CP;

	if (!s->attached || !(s->applied & (w == CP_IPCP ? IPV4 : IPV6)))
		all_fault(s->side, "a network protocol is up that the kernel does not carry");
	s->ncp_up[w] = true;
	s->ncp_ups[w]++;
	if (w == CP_IPCP) {
		s->up_addrs.ip = n->addrs.ip;
		s->up_addrs.peer_ip = n->addrs.peer_ip;
	} else {
		s->up_addrs.ifid = n->addrs.ifid;
		s->up_addrs.peer_ifid = n->addrs.peer_ifid;
	}
	if (!s->up) {
		s->up = true;
		s->ups++;
		s->up_at = s->side->sim->now;
	}
}

static void perform(struct all_session *s, const struct fx *f)
{
	struct all_side *x = s->side;
	const struct ppp_fx_tx *out = (const void *)f->data;
	const struct ppp_fx_ncp *ncp = (const void *)f->data;
	const struct ppp_fx_auth *auth = (const void *)f->data;

	if (s->ending && f->type != PPP_FX_TX && f->type != PPP_FX_DOWN)
		return;
	switch ((enum ppp_fx)f->type) {
	case PPP_FX_TX:
		tx(s, out->proto, out->octets, f->len - sizeof(*out));
		break;
	case PPP_FX_STATE: case PPP_FX_LCP_UP: case PPP_FX_IDENT:
		break;
	case PPP_FX_AUTH_CHECK:
		s->auth_checks++;
		s->verdict_ok = ppp_sim_proof(auth, x->peer_name, x->peer_password, s->reply);
		s->has_reply = auth->proto == PPP_AUTH_MSCHAPV2;
		all_at(x, EV_VERDICT, s, soon(x, x->sim->now, x->owner_ms));
		break;
	case PPP_FX_AUTH_DONE:
		if ((s->ppp.authenticator.state != AUTH_OFF && s->ppp.authenticator.state != AUTH_OK) ||
		    (s->ppp.auth_peer.state != AUTH_OFF && s->ppp.auth_peer.state != AUTH_OK))
			all_fault(x, "AUTH_DONE before both directions are");
		if (x->conf.take)
			break;
		give_addresses(s);
		s->wanted |= (uint8_t)(BASE | (x->conf.ipv4 ? IPV4 : 0));
		all_apply(s);
		break;
	case PPP_FX_NCP_READY:
		ncp_ready(s, ncp);
		break;
	case PPP_FX_NCP_UP:
		ncp_up(s, ncp);
		break;
	case PPP_FX_NCP_DOWN:
		s->ready &= (uint8_t)~(ncp->proto == PPP_IPCP ? IPV4 : IPV6);
		s->ncp_up[ncp->proto == PPP_IPCP ? CP_IPCP : CP_IPV6CP] = false;
		break;
	case PPP_FX_DOWN:
		if (s->end.end)
			all_fault(x, "PPP went down twice");
		s->ppp_down = true;
		memcpy(&s->end, f->data, sizeof(s->end));
		session_end(s, 3);
		break;
	}
}

void all_ppp_drain(struct all_session *s)
{
	for (struct fx *f; (f = fx_pop(&s->ppp.out)); fx_free(f))
		perform(s, f);
}

/* The tunnel's owner: daemon/core/tunnel.c. */

static void hear(void *owner, const struct fx *f)
{
	struct all_side *x = owner;
	const struct l2tp_fx_call *call = (const void *)f->data;
	struct all_session *s = NULL;

	for (unsigned i = 0; i < x->end.n_calls; i++)
		x->s[i].exists = true;
	if (f->type == L2TP_FX_CALL_UP || f->type == L2TP_FX_CALL_DOWN)
		s = find(x, call->session_id);
	if (f->type == L2TP_FX_CC_UP) {
		for (unsigned i = 0; i < x->planned; i++)
			all_at(x, EV_PLACE, NULL, soon(x, x->sim->now, x->spread_ms));
	} else if (f->type == L2TP_FX_CALL_UP && !s->ending && !s->ppp_on) {
		all_start_ppp(s);
	} else if (f->type == L2TP_FX_CALL_DOWN) {
		s->call_down = true;
		session_end(s, 0);
		all_maybe_free(s);
	} else if (f->type == L2TP_FX_CC_DOWN) {
		x->down = true;
		for (unsigned i = 0; i < x->end.n_calls; i++)
			session_end(&x->s[i], 0);
	}
}

static void settle(struct all_side *x)
{
	end_drain(&x->end);
	all_tunnel_uninstall(x);
	if (x->disk)
		all_turn_ends(x);
}

static void happen(struct all_side *x, const struct all_event *e)
{
	struct all_session *s = e->s;

	switch ((enum all_kind)e->kind) {
	case EV_PLACE:
		if (!x->down && !end_call(&x->end, x->lns ? CALL_LNS_OUTGOING : CALL_LAC_INCOMING)) {
			s = &x->s[x->end.n_calls - 1];
			s->exists = true;
			s->placed_at = x->sim->now;
		}
		break;
	case EV_VERDICT:
		judge(s);
		break;
	case EV_CHANNEL:
		if (!s->attached)
			break;
		/* fall through */
	case EV_UDP:
		x->late_udp += e->kind == EV_UDP && s->attached;
		s->brought += !s->ending && (s->ppp_on || all_call_of(s)->peer_session_id);
		frame(s, e);
		break;
	case EV_TUNNEL_MAKE: case EV_TUNNEL_UNMAKE: case EV_MAKE: case EV_CONNECT: case EV_UNMAKE:
		all_record(x, e->kind, s);
		break;
	case EV_TUNNEL_UP:
		x->kernel = e->ok ? AK_UP : AK_NONE;
		if (!e->ok)
			all_close(x);
		for (unsigned i = 0; i < x->end.n_calls; i++)
			all_apply(&x->s[i]);
		break;
	case EV_TUNNEL_DOWN:
		x->kernel = AK_GONE;
		break;
	case EV_UP:
		s->failed_at = e->ok ? 0 : x->sim->now;
		came_up(s, e->ok);
		break;
	case EV_SET:
		s->failed |= !e->ok;
		s->failed_at = e->ok ? 0 : x->sim->now;
		if (e->ok) {
			applied(s);
			all_apply(s);
		} else {
			s->asked = 0;
			session_end(s, 2);
		}
		break;
	case EV_DOWN:
		s->kernel = AK_GONE;
		all_maybe_free(s);
		break;
	}
}

/* Node of the simulated network. */

static void input(void *arg, ms_t now, const void *buf, size_t len)
{
	struct all_side *x = arg;
	struct all_session *s;
	struct all_event *e;
	struct l2tp_data d;

	if (len && *(const uint8_t *)buf & 0x80) {
		x->below.input(x->below.arg, now, buf, len);
		settle(x);
		return;
	}
	if (!l2tp_data_decode(&d, buf, len)) {
		all_fault(x, "data message that is none");
		return;
	}
	s = x->end.has_cc && d.tunnel_id == x->end.cc.tunnel_id ? find(x, d.session_id) : NULL;
	if (!s)
		return;
	if (s->there == AT_MAKING) {
		x->dropped++;
		return;
	}
	if (s->there == AT_THERE)
		e = all_at(x, EV_CHANNEL, s, s->attached ? soon(x, now, 3) : s->ending ? now : NEVER);
	else
		e = all_at(x, EV_UDP, s, soon(x, now, 3));
	e->proto = d.proto;
	e->len = d.info.n;
	e->octets = malloc(d.info.n ? d.info.n : 1);
	assert(e->octets);
	memcpy(e->octets, d.info.p, d.info.n);
}

static void tick(void *arg, ms_t now)
{
	struct all_side *x = arg;

	x->below.tick(x->below.arg, now);
	for (;;) {
		struct all_event e;
		size_t first = x->n_ev;

		for (size_t i = 0; i < x->n_ev; i++)
			if (x->ev[i].at <= now && (first == x->n_ev || x->ev[i].at < x->ev[first].at ||
			    (x->ev[i].at == x->ev[first].at && x->ev[i].order < x->ev[first].order)))
				first = i;
		if (first == x->n_ev)
			break;
		e = x->ev[first];
		x->ev[first] = x->ev[--x->n_ev];
		happen(x, &e);
		free(e.octets);
	}
	for (unsigned i = 0; i < x->end.n_calls; i++) {
		struct all_session *s = &x->s[i];

		if (s->ppp_on && !s->ppp_down && now >= ppp_deadline(&s->ppp)) {
			ppp_tick(&s->ppp, now);
			all_ppp_drain(s);
		}
	}
	settle(x);
}

static ms_t deadline(void *arg)
{
	const struct all_side *x = arg;
	ms_t t = x->below.deadline(x->below.arg);

	for (size_t i = 0; i < x->n_ev; i++)
		t = ms_min(t, x->ev[i].at);
	for (unsigned i = 0; i < x->end.n_calls; i++)
		if (x->s[i].ppp_on && !x->s[i].ppp_down)
			t = ms_min(t, ppp_deadline(&x->s[i].ppp));
	return t;
}

void all_init(struct all_side *a, struct sim *s)
{
	memset(a, 0, 2 * sizeof(*a));
	for (int i = 0; i < 2; i++) {
		struct all_side *x = &a[i];

		end_init(&x->end, s, i, i == 1);
		x->end.hear = hear;
		x->end.owner = x;
		x->sim = s;
		x->other = &a[!i];
		x->below = s->node[i];
		s->node[i] = (struct sim_node){ x, input, tick, deadline };
		for (unsigned k = 0; k < ALL_CALLS; k++) {
			x->s[k].side = x;
			x->s[k].i = k;
		}
	}
}

void all_start(struct all_side *a)
{
	struct l2tp_end *e = &a->end;

	v2_cc_init(&e->cc, &e->env, &e->conf, e->cc.tunnel_id);
	cc_open(&e->cc, a->sim->now);
	settle(a);
}

void all_done(struct all_side *a)
{
	for (int i = 0; i < 2; i++) {
		struct all_side *x = &a[i];

		for (unsigned k = 0; k < ALL_CALLS; k++)
			if (x->s[k].ppp_on)
				ppp_done(&x->s[k].ppp);
		while (x->n_ev)
			free(x->ev[--x->n_ev].octets);
		free(x->ev);
		all_crash_done(x);
		end_done(&x->end);
	}
}

void all_hangup(struct all_side *x, struct all_session *s)
{
	if (s->ending || s->hanging_up)
		return;
	s->hanging_up = true;
	if (!s->ppp_on) {
		session_end(s, 3);
	} else {
		ppp_close(&s->ppp, x->sim->now, "goodbye");
		all_ppp_drain(s);
	}
	settle(x);
}

void all_end_call(struct all_side *x, struct all_session *s)
{
	session_end(s, 3);
	settle(x);
}

void all_close(struct all_side *x)
{
	if (x->end.has_cc && !x->down)
		cc_close(&x->end.cc, x->sim->now, NULL);
	settle(x);
}

struct all_session *all_peer(const struct all_session *s)
{
	struct all_side *y = s->side->other;
	uint16_t ours = s->side->end.call[s->i].session_id;

	for (unsigned i = 0; i < y->end.n_calls; i++)
		if (y->s[i].exists && y->s[i].peer_id == ours)
			return &y->s[i];
	return NULL;
}

bool all_quiet(const struct all_side *x)
{
	const struct cc *cc = &x->end.cc;
	ms_t t;

	if (x->n_ev || x->sim->n_air)
		return false;
	for (unsigned i = 0; i < x->end.n_calls; i++) {
		const struct all_session *s = &x->s[i];

		t = s->ppp_on && !s->ppp_down ? ppp_deadline(&s->ppp) : NEVER;
		if ((t != NEVER && (t != s->ppp.echo_deadline || s->ppp.phase != PPP_NETWORK)) ||
		    (!s->ending && (s->asked || s->ready)))
			return false;
	}
	if (!x->end.has_cc)
		return x->below.deadline(x->below.arg) == NEVER;
	t = cc_deadline(cc);
	return !cc->rel.tx && !cc->rel.early && !cc->rel.ack_due && !cc->setup && (t == NEVER || t == cc->hello_at);
}
