/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ppp/ppp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "ppp/internal.h"

enum { EARLY_MAX = 200 };	/* frames from a peer before the network phase */

void ppp_tx(struct ppp *p, uint16_t proto, uint8_t code, uint8_t id, const void *data, size_t n)
{
	struct ppp_fx_tx *tx = fx_push(&p->out, PPP_FX_TX, NULL, sizeof(*tx) + 4 + n);

	if (!tx)
		return;
	tx->proto = proto;
	tx->octets[0] = code;
	tx->octets[1] = id;
	put_u16(tx->octets + 2, (unsigned)(n + 4));
	if (n)
		memcpy(tx->octets + 4, data, n);
}

void ppp_clean(char *dst, size_t cap, struct span s)
{
	size_t n = 0;

	for (; n < s.n && n + 1 < cap; n++)
		dst[n] = s.p[n] >= ' ' && s.p[n] <= '~' ? (char)s.p[n] : '.';
	dst[n] = '\0';
}

bool ppp_rate(struct ppp_rate *rate, ms_t now, unsigned max)
{
	if (now - rate->since >= 1000)
		*rate = (struct ppp_rate){ .since = now };
	return rate->n < max && ++rate->n;
}

bool ppp_auth_in(const uint8_t list[PPP_AUTH_N], uint64_t auth)
{
	for (unsigned i = 0; i < PPP_AUTH_N && list[i] != PPP_AUTH_NONE; i++)
		if (list[i] == auth)
			return true;
	return false;
}

/* The end: all timers stop, all automata are fresh. */
static void link_down(struct ppp *p, enum ppp_end dflt)
{
	struct ppp_fx_down fx = { .end = p->end ? p->end : (uint8_t)dflt };

	if (p->phase == PPP_DEAD)
		return;
	memcpy(fx.msg, p->end_msg, sizeof(fx.msg));
	auth_stop(p);
	for (unsigned i = 0; i < CP_N; i++)
		cp_init(&p->cp[i]);
	p->auth_deadline = p->echo_deadline = NEVER;
	p->ncp_start = false;
	p->phase = PPP_DEAD;
	fx_push(&p->out, PPP_FX_DOWN, &fx, sizeof(fx));
}

/* LCP Close; from a state in which there is nobody to tell, the end comes at once. */
static void close_link(struct ppp *p, enum ppp_end end)
{
	if (p->phase == PPP_DEAD)
		return;
	if (p->end == PPP_END_NONE)
		p->end = (uint8_t)end;
	p->auth_deadline = NEVER;
	auth_stop(p);
	cp_event(p, CP_LCP, CP_CLOSE);
	if (p->phase == PPP_DEAD)
		return;
	p->phase = PPP_TERMINATE;
	if (p->cp[CP_LCP].state <= CP_STOPPED)
		link_down(p, end);
}

void ppp_fail(struct ppp *p, enum ppp_end end, struct span msg)
{
	if (p->end == PPP_END_NONE)
		ppp_clean(p->end_msg, sizeof(p->end_msg), msg);
	close_link(p, end);
}

void ppp_lcp_up(struct ppp *p)
{
	struct ppp_fx_lcp fx = {
		.mru = p->lcp.mru, .peer_mru = p->peer_lcp.mru < conf_mru(p) ? p->peer_lcp.mru : conf_mru(p),
		.magic = p->lcp.magic, .peer_magic = p->peer_lcp.magic, .accm = p->lcp.accm, .peer_accm = p->peer_lcp.accm,
		.auth = lcp_auth(p), .peer_auth = p->peer_lcp.auth, .pfc = p->peer_lcp.pfc, .acfc = p->peer_lcp.acfc,
	};

	fx_push(&p->out, PPP_FX_LCP_UP, &fx, sizeof(fx));
	p->last_rx = p->now;
	p->echo_missed = 0;
	p->echo_deadline = p->conf->echo_ms ? p->now + p->conf->echo_ms : NEVER;
	if (p->conf->auth[0] != PPP_AUTH_NONE && !ppp_auth_in(p->conf->auth, fx.auth)) {
		ppp_fail(p, PPP_END_AUTH_REFUSED, (struct span){ NULL, 0 });
		return;
	}
	if (fx.auth || fx.peer_auth)
		p->phase = PPP_AUTHENTICATE;
	auth_start(p, fx.auth, fx.peer_auth);
	if (auth_done(p))
		ppp_auth_over(p);
}

void ppp_rejected(struct ppp *p, enum cp_which which)
{
	if (which == CP_LCP && p->end == PPP_END_NONE)
		p->end = PPP_END_NO_AGREEMENT;
	cp_event(p, which, CP_RXJ_MINUS);
}

/* LCP leaves Opened: everything above it goes. */
void ppp_lcp_down(struct ppp *p)
{
	auth_stop(p);
	p->echo_deadline = NEVER;
	p->ncp_start = false;
	cp_event(p, CP_IPCP, CP_DOWN);
	cp_event(p, CP_IPV6CP, CP_DOWN);
	if (p->end == PPP_END_NONE) {
		p->auth_deadline = ms_min(p->auth_deadline, p->now + conf_auth_ms(p));
		p->phase = PPP_ESTABLISH;
	} else {
		p->auth_deadline = NEVER;
		p->phase = PPP_TERMINATE;
	}
}

void ppp_lcp_finished(struct ppp *p)
{
	link_down(p, p->term_heard ? PPP_END_PEER : p->heard ? PPP_END_NO_AGREEMENT : PPP_END_NO_ANSWER);
}

/* The owner gives addresses while it drains AUTH_DONE, so the NCPs start with the next call. */
void ppp_auth_over(struct ppp *p)
{
	p->auth_deadline = NEVER;
	p->early = 0;
	p->ncp_start = true;
	p->phase = PPP_NETWORK;
	fx_push(&p->out, PPP_FX_AUTH_DONE, NULL, 0);
}

static bool ncp_wanted(const struct ppp *p, enum cp_which which)
{
	return (which == CP_IPCP && p->conf->ipv4) || (which == CP_IPV6CP && p->conf->ipv6);
}

static void start_ncps(struct ppp *p)
{
	p->ncp_start = false;
	for (enum cp_which i = CP_IPCP; i < CP_N; i++) {
		if (!ncp_wanted(p, i))
			continue;
		cp_event(p, i, CP_OPEN);
		cp_event(p, i, CP_UP);
	}
	if (!p->conf->ipv4 && !p->conf->ipv6)
		ppp_fail(p, PPP_END_NO_NCP, (struct span){ NULL, 0 });
}

static void push_ncp(struct ppp *p, enum ppp_fx type, enum cp_which which)
{
	struct ppp_fx_ncp fx = { .proto = cp_proto(which)->proto, .addrs = p->addrs };

	fx_push(&p->out, type, &fx, sizeof(fx));
}

void ppp_ncp_up(struct ppp *p, enum cp_which which) { push_ncp(p, PPP_FX_NCP_UP, which); }
void ppp_ncp_down(struct ppp *p, enum cp_which which) { push_ncp(p, PPP_FX_NCP_DOWN, which); }

/* One network protocol has ended; without any, the link has no use (RFC 1661 3.7). */
void ppp_ncp_finished(struct ppp *p)
{
	for (enum cp_which i = CP_IPCP; i < CP_N; i++)
		if (p->cp[i].state > CP_STOPPED)
			return;
	if (p->phase == PPP_NETWORK)
		ppp_fail(p, PPP_END_NO_NCP, (struct span){ NULL, 0 });
}

int ppp_init(struct ppp *p, const struct env *env, const struct ppp_conf *conf, const char *name, const char *password)
{
	size_t n = name ? strlen(name) : 0, pn = password ? strlen(password) : 0;

	*p = (struct ppp){ .env = env, .conf = conf, .auth_deadline = NEVER, .echo_deadline = NEVER };
	auth_stop(p);
	for (unsigned i = 0; i < CP_N; i++)
		cp_init(&p->cp[i]);
	if (n > 255 || pn > 255)
		return -EINVAL;
	if (!name || !password)
		return 0;
	if (!(p->secret = malloc(n + pn + 1)))
		return -ENOMEM;
	memcpy(p->secret, name, n);
	memcpy(p->secret + n, password, pn);
	p->name_len = (uint8_t)n;
	p->password_len = (uint8_t)pn;
	p->has_secret = true;
	return 0;
}

void ppp_done(struct ppp *p)
{
	if (p->secret)
		wipe(p->secret, (size_t)p->name_len + p->password_len);
	free(p->secret);
	fxq_done(&p->out);
	wipe(p, sizeof(*p));
}

void ppp_leave(struct ppp *p)
{
	if (p->out.lost && p->phase != PPP_DEAD) {
		p->end = PPP_END_RESOURCES;
		link_down(p, PPP_END_RESOURCES);
	}
}

static void enter(struct ppp *p, ms_t now)
{
	p->now = now;
	if (p->ncp_start)
		start_ncps(p);
}

void ppp_up(struct ppp *p, ms_t now)
{
	if (p->phase != PPP_DEAD)
		return;
	p->now = now;
	p->end = PPP_END_NONE;
	memset(p->end_msg, 0, sizeof(p->end_msg));
	p->heard = p->term_heard = false;
	p->early = p->idents = 0;
	p->checking = false;
	p->chap_id = (uint8_t)env_u32(p->env);
	p->addrs = (struct ppp_addrs){ 0 };
	p->auth_deadline = now + conf_auth_ms(p);
	p->phase = PPP_ESTABLISH;
	cp_event(p, CP_LCP, CP_OPEN);
	cp_event(p, CP_LCP, CP_UP);
	ppp_leave(p);
}

void ppp_lower_down(struct ppp *p, ms_t now)
{
	if (p->phase == PPP_DEAD)
		return;
	p->now = now;
	if (p->end == PPP_END_NONE)
		p->end = PPP_END_LOWER;
	cp_event(p, CP_LCP, CP_DOWN);
	link_down(p, PPP_END_LOWER);
	ppp_leave(p);
}

void ppp_close(struct ppp *p, ms_t now, const char *msg)
{
	p->now = now;
	ppp_fail(p, PPP_END_LOCAL, (struct span){ (const uint8_t *)msg, msg ? strlen(msg) : 0 });
	ppp_leave(p);
}

/* Code, identifier, length; what is beyond the length is padding (RFC 1661 5). */
static bool header(struct ppp *p, const void *buf, size_t len, uint8_t *code, uint8_t *id, struct span *data)
{
	struct rd r = rd_init(buf, len);
	uint16_t n;

	*code = rd_u8(&r);
	*id = rd_u8(&r);
	n = rd_u16(&r);
	*data = rd_span(&r, n >= 4 ? n - 4u : SIZE_MAX);
	if (r.bad)
		p->dropped++;
	return !r.bad;
}

static void control_input(struct ppp *p, enum cp_which which, const void *buf, size_t len)
{
	struct span data;
	uint8_t code, id;

	if (!header(p, buf, len, &code, &id, &data))
		return;
	if (which == CP_LCP)
		p->heard = true;
	if (cp_input(p, which, code, id, data.p, data.n))
		return;
	if (which == CP_LCP)
		lcp_input(p, code, id, data.p, data.n);
	else
		cp_packet(p, which, CP_RUC, code, id, data);
}

/* A protocol that was not negotiated must not even be parsed. */
static void auth_input(struct ppp *p, uint16_t proto, const void *buf, size_t len)
{
	bool pap = p->authenticator.proto == PPP_AUTH_PAP || p->auth_peer.proto == PPP_AUTH_PAP;
	bool chap = p->authenticator.proto > PPP_AUTH_PAP || p->auth_peer.proto > PPP_AUTH_PAP;
	struct span data;
	uint8_t code, id;

	if (proto == PPP_PAP ? !pap : proto == PPP_CHAP ? !chap : true)
		p->dropped++;
	else if (!header(p, buf, len, &code, &id, &data))
		return;
	else if (proto == PPP_PAP)
		pap_input(p, code, id, data.p, data.n);
	else
		chap_input(p, code, id, data.p, data.n);
}

static void network_input(struct ppp *p, uint16_t proto, const void *buf, size_t len)
{
	enum cp_which which = proto == PPP_IPCP ? CP_IPCP : CP_IPV6CP;

	if (p->phase != PPP_NETWORK) {
		p->dropped++;			/* RFC 1661 3.4, 3.5, 3.7: silently */
	} else if ((proto == PPP_IPCP || proto == PPP_IPV6CP) && ncp_wanted(p, which)) {
		control_input(p, which, buf, len);
	} else if ((proto == PPP_IP && p->conf->ipv4) || (proto == PPP_IPV6 && p->conf->ipv6)) {
		p->dropped++;			/* data that came before its NCP, or too late */
	} else {
		lcp_reject_protocol(p, proto, buf, len);
	}
}

void ppp_input(struct ppp *p, ms_t now, uint16_t proto, const void *buf, size_t len)
{
	if (p->phase == PPP_DEAD)
		return;
	enter(p, now);
	ppp_alive(p, now);
	if (p->phase != PPP_NETWORK && p->phase != PPP_TERMINATE && p->early++ >= EARLY_MAX) {
		p->early = EARLY_MAX;
		p->dropped++;
		return;
	}
	switch (proto) {
	case PPP_LCP:
		control_input(p, CP_LCP, buf, len);
		break;
	case PPP_PAP:
	case PPP_CHAP:
	case PPP_EAP:
		auth_input(p, proto, buf, len);
		break;
	default:	/* wire value */
		network_input(p, proto, buf, len);
		break;
	}
	ppp_leave(p);
}

void ppp_tick(struct ppp *p, ms_t now)
{
	if (p->phase == PPP_DEAD)
		return;
	enter(p, now);
	for (enum cp_which i = CP_LCP; i < CP_N; i++)
		cp_tick(p, i);
	auth_tick(p);
	lcp_echo_tick(p);
	if (now >= p->auth_deadline)
		ppp_fail(p, PPP_END_TIMEOUT, (struct span){ NULL, 0 });
	ppp_leave(p);
}

ms_t ppp_deadline(const struct ppp *p)
{
	ms_t t = ms_min(p->auth_deadline, p->echo_deadline);

	if (p->ncp_start)
		return p->now;
	for (unsigned i = 0; i < CP_N; i++)
		t = ms_min(t, p->cp[i].deadline);
	return ms_min(t, ms_min(p->authenticator.deadline, p->auth_peer.deadline));
}

void ppp_set_addrs(struct ppp *p, const struct ppp_addrs *a)
{
	p->set = *a;
}

void ppp_ncp_go(struct ppp *p, ms_t now, uint16_t proto)
{
	if (p->phase == PPP_DEAD || (proto != PPP_IPCP && proto != PPP_IPV6CP))
		return;
	enter(p, now);
	cp_go(p, proto == PPP_IPCP ? CP_IPCP : CP_IPV6CP);
	ppp_leave(p);
}

void ppp_alive(struct ppp *p, ms_t now)
{
	p->last_rx = now;
	p->echo_missed = 0;
}

void ppp_info(const struct ppp *p, struct ppp_info *ret)
{
	*ret = (struct ppp_info){
		.phase = p->phase, .auth = p->authenticator.proto, .peer_auth = p->auth_peer.proto,
		.auth_done = p->authenticator.state == AUTH_OK, .peer_auth_done = p->auth_peer.state == AUTH_OK,
		.lcp = cp_state_name(p->cp[CP_LCP].state), .ipcp = cp_state_name(p->cp[CP_IPCP].state),
		.ipv6cp = cp_state_name(p->cp[CP_IPV6CP].state),
		.opts = {
			.mru = p->lcp.mru, .peer_mru = p->peer_lcp.mru, .magic = p->lcp.magic,
			.peer_magic = p->peer_lcp.magic, .accm = p->lcp.accm, .peer_accm = p->peer_lcp.accm,
			.auth = lcp_auth(p), .peer_auth = p->peer_lcp.auth, .pfc = p->peer_lcp.pfc, .acfc = p->peer_lcp.acfc,
		},
		.addrs = p->addrs, .echo_sent = p->echo_sent, .echo_received = p->echo_received,
		.rejected_protocols = p->rejected_protocols, .dropped = p->dropped,
	};
}
