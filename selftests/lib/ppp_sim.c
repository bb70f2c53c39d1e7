/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/ppp_sim.h"

#include <stdlib.h>
#include <string.h>

#include "ppp/mschap.h"

uint64_t ppp_sim_rand(struct ppp_sim *s)
{
	s->seed ^= s->seed << 13;
	s->seed ^= s->seed >> 7;
	s->seed ^= s->seed << 17;
	return s->seed * 0x2545f4914f6cdd1d;
}

static void sim_random(void *arg, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len--)
		*p++ = (uint8_t)(ppp_sim_rand(arg) >> 32);
}

static void fault(struct ppp_sim_node *n, const char *what)
{
	if (!n->faults++)
		n->fault = what;
}

static struct ppp_sim_event *later(struct ppp_sim *s, unsigned node, unsigned kind, ms_t in)
{
	struct ppp_sim_event *e;

	if (s->n_events == PPP_SIM_EVENTS)
		abort();
	e = &s->ev[s->n_events++];
	memset(e, 0, offsetof(struct ppp_sim_event, octets));
	e->at = s->now + in;
	e->node = (uint8_t)node;
	e->kind = (uint8_t)kind;
	e->link = s->node[node].down;
	return e;
}

static unsigned upto(struct ppp_sim *s, unsigned max)
{
	return max ? (unsigned)((ppp_sim_rand(s) >> 32) % (max + 1)) : 0;
}

static int which(uint16_t proto)
{
	return proto == PPP_LCP ? CP_LCP : proto == PPP_IPCP ? CP_IPCP : proto == PPP_IPV6CP ? CP_IPV6CP : -1;
}

static void send(struct ppp_sim *s, unsigned i, const struct ppp_fx_tx *tx, size_t len)
{
	struct ppp_sim_node *n = &s->node[i];
	int w = which(tx->proto);

	n->tx++;
	if (len > 1500)
		fault(n, "frame too long");
	if (w > CP_LCP && tx->octets[0] == CONF_ACK && !n->gone[w])
		fault(n, "NCP Configure-Ack before go");
	if (w > CP_LCP && n->p.phase != PPP_NETWORK && n->p.phase != PPP_TERMINATE && n->p.phase != PPP_ESTABLISH &&
	    tx->octets[0] == CONF_REQ)
		fault(n, "NCP before the network phase");
	for (unsigned copies = 1 + (upto(s, 99) < s->dup); copies; copies--) {
		struct ppp_sim_event *e;

		if (upto(s, 99) < s->loss)
			continue;
		e = later(s, !i, 0, 1 + upto(s, s->delay_ms));
		if (s->in_order && e->at < s->last_at[i])
			e->at = s->last_at[i];
		s->last_at[i] = e->at;
		e->proto = tx->proto;
		e->len = (uint16_t)(len < sizeof(e->octets) ? len : sizeof(e->octets));
		memcpy(e->octets, tx->octets, e->len);
	}
}

static bool is(const char *want, const uint8_t *p, size_t n)
{
	return want && strlen(want) == n && !memcmp(want, p, n);
}

bool ppp_sim_proof(const struct ppp_fx_auth *a, const char *name, const char *password, uint8_t reply[20])
{
	const char *want = password ? password : "";
	struct span pw = { (const uint8_t *)want, strlen(want) };
	struct span as = { a->name, a->name_len };
	bool ok = is(name, a->name, a->name_len);
	uint8_t hash[16], r[24];

	if (a->proto == PPP_AUTH_PAP) {
		ok &= is(password, a->password, a->password_len);
	} else if (a->proto == PPP_AUTH_CHAP_MD5) {
		chap_md5_response(r, a->id, pw, (struct span){ a->challenge, a->challenge_len });
		ok &= a->response_len == 16 && !memcmp(r, a->response, 16);
	} else if (mschap_nt_hash(hash, pw)) {
		mschapv2_response(r, a->challenge, a->response, as, hash);
		ok &= a->response_len == 49 && !memcmp(r, a->response + 24, 24);
		mschapv2_auth_response(reply, hash, a->response + 24, a->challenge, a->response, as);
	}
	return ok;
}

static void check(struct ppp_sim *s, unsigned i, const struct ppp_fx_auth *a)
{
	struct ppp_sim_node *n = &s->node[i];
	struct ppp_sim_event *e = later(s, i, 1, upto(s, s->owner_ms));

	n->auth_check++;
	e->ok = ppp_sim_proof(a, n->peer_name, n->peer_password, e->reply);
	e->has_reply = e->ok && a->proto == PPP_AUTH_MSCHAPV2;
}

static void effect(struct ppp_sim *s, unsigned i, const struct fx *f)
{
	struct ppp_sim_node *n = &s->node[i];
	const struct ppp_fx_ncp *ncp = (const void *)f->data;
	int w = f->type == PPP_FX_NCP_READY || f->type == PPP_FX_NCP_UP || f->type == PPP_FX_NCP_DOWN ? which(ncp->proto) : 0;

	if (n->p.phase == PPP_DEAD && n->down && f->type == PPP_FX_TX)
		fault(n, "frame after down");
	switch ((enum ppp_fx)f->type) {
	case PPP_FX_TX:
		send(s, i, (const void *)f->data, f->len - sizeof(struct ppp_fx_tx));
		break;
	case PPP_FX_STATE: case PPP_FX_IDENT:
		break;
	case PPP_FX_LCP_UP:
		n->lcp_up++;
		memcpy(&n->lcp, f->data, sizeof(n->lcp));
		break;
	case PPP_FX_AUTH_CHECK:
		check(s, i, (const void *)f->data);
		break;
	case PPP_FX_AUTH_DONE:
		n->auth_done++;
		if ((n->lcp.auth && n->p.authenticator.state != AUTH_OK) ||
		    (n->lcp.peer_auth && n->p.auth_peer.state != AUTH_OK))
			fault(n, "AUTH_DONE before both directions are");
		ppp_set_addrs(&n->p, &n->give);
		break;
	case PPP_FX_NCP_READY:
		n->ready[w]++;
		if (n->is_up[w])
			fault(n, "READY while up");
		n->ready_addrs[w] = ncp->addrs;
		later(s, i, 2, upto(s, s->owner_ms))->proto = ncp->proto;
		break;
	case PPP_FX_NCP_UP:
		if (n->is_up[w] || !n->gone[w])
			fault(n, "UP twice, or before go");
		n->is_up[w] = true;
		n->up[w]++;
		n->up_addrs[w] = ncp->addrs;
		if (w == CP_IPCP && (n->ready_addrs[w].ip != ncp->addrs.ip || n->ready_addrs[w].peer_ip != ncp->addrs.peer_ip))
			fault(n, "UP with other addresses than READY");
		break;
	case PPP_FX_NCP_DOWN:
		if (!n->is_up[w])
			fault(n, "DOWN of what was not up");
		n->is_up[w] = n->gone[w] = false;
		n->ncp_down[w]++;
		break;
	case PPP_FX_DOWN:
		n->down++;
		memcpy(&n->end, f->data, sizeof(n->end));
		memset(n->is_up, 0, sizeof(n->is_up));
		break;
	}
}

void ppp_sim_drain(struct ppp_sim *s, unsigned i)
{
	struct fx *f;

	while ((f = fx_pop(&s->node[i].p.out))) {
		effect(s, i, f);
		fx_free(f);
	}
}

void ppp_sim_start(struct ppp_sim *s)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ppp_sim_node *n = &s->node[i];

		n->sim = s;
		n->env = (struct env){ sim_random, s };
		if (ppp_init(&n->p, &n->env, &n->conf, n->name, n->password))
			abort();
	}
}

static void happen(struct ppp_sim *s, unsigned k)
{
	static struct ppp_sim_event e;
	struct ppp_sim_node *n;

	e = s->ev[k];
	memmove(&s->ev[k], &s->ev[k + 1], (--s->n_events - k) * sizeof(s->ev[0]));
	n = &s->node[e.node];
	if (e.kind && e.link != n->down)
		return;
	if (e.kind == 0) {
		n->rx++;
		ppp_input(&n->p, s->now, e.proto, e.octets, e.len);
	} else if (e.kind == 1) {
		ppp_auth_verdict(&n->p, s->now, e.ok, e.has_reply ? e.reply : NULL, e.ok ? "come in" : "go away");
	} else {
		n->gone[which(e.proto)] = true;
		ppp_ncp_go(&n->p, s->now, e.proto);
	}
	ppp_sim_drain(s, e.node);
}

void ppp_sim_run(struct ppp_sim *s, ms_t t)
{
	ms_t end = s->now + t;

	for (;;) {
		ms_t at = ms_min(ppp_deadline(&s->node[0].p), ppp_deadline(&s->node[1].p));
		unsigned first = 0;

		for (unsigned k = 1; k < s->n_events; k++)
			if (s->ev[k].at < s->ev[first].at)
				first = k;
		if (s->n_events && s->ev[first].at <= at)
			at = s->ev[first].at;
		if (at == NEVER || at > end)
			break;
		s->now = at > s->now ? at : s->now;
		if (s->n_events && s->ev[first].at <= s->now) {
			happen(s, first);
			continue;
		}
		for (unsigned i = 0; i < 2; i++) {
			ppp_tick(&s->node[i].p, s->now);
			ppp_sim_drain(s, i);
		}
	}
	s->now = end;
}

void ppp_sim_done(struct ppp_sim *s)
{
	ppp_done(&s->node[0].p);
	ppp_done(&s->node[1].p);
}
