/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A link in every role and phase against a peer and an owner that do anything.
 * Input: 4 octets of configuration, then steps: what, argument, and for frames
 * a length and octets.  Some steps answer properly, so that deep states are reached. */
#include <stdlib.h>
#include <string.h>

#include "ppp/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct ppp p;
	struct ppp_conf conf;
	struct env env;
	uint64_t chance;
	ms_t now;
	unsigned ups, downs, checks, oks, readies, gos[CP_N];
	bool auth_done, was_up[CP_N];
	uint8_t last[CP_N][256];	/* newest Configure-Request that the engine sent */
	size_t last_len[CP_N];
	uint8_t chap_id;
};

static const uint16_t protos[] = { PPP_LCP, PPP_IPCP, PPP_IPV6CP, PPP_PAP, PPP_CHAP, PPP_CCP, PPP_EAP, 0x8235, PPP_IP,
	PPP_MPLSCP };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void chance(void *arg, void *buf, size_t len)
{
	uint64_t *x = arg;
	uint8_t *b = buf;

	while (len--)
		*b++ = (uint8_t)((*x = *x * 6364136223846793005u + 1442695040888963407u) >> 56);
}

static int which(uint16_t proto)
{
	return proto == PPP_LCP ? CP_LCP : proto == PPP_IPCP ? CP_IPCP : proto == PPP_IPV6CP ? CP_IPV6CP : -1;
}

static void sent(struct world *w, const struct ppp_fx_tx *tx, size_t len)
{
	int i = which(tx->proto);

	must(len >= 4 && len <= 1500 && (size_t)(tx->octets[2] << 8 | tx->octets[3]) == len);
	if (i >= 0 && tx->octets[0] == CONF_REQ && len <= sizeof(w->last[0])) {
		memcpy(w->last[i], tx->octets, len);
		w->last_len[i] = len;
	}
	if (i > 0 && tx->octets[0] == CONF_ACK)
		must(w->gos[i]);
	if (tx->proto == PPP_CHAP && tx->octets[0] == CHAP_CHALLENGE)
		w->chap_id = tx->octets[1];
}

static void effect(struct world *w, const struct fx *f)
{
	const struct ppp_fx_ncp *ncp = (const void *)f->data;
	int i = f->type == PPP_FX_NCP_READY || f->type == PPP_FX_NCP_UP || f->type == PPP_FX_NCP_DOWN ? which(ncp->proto) : 0;

	switch ((enum ppp_fx)f->type) {
	case PPP_FX_TX:
		sent(w, (const void *)f->data, f->len - sizeof(struct ppp_fx_tx));
		break;
	case PPP_FX_STATE:
		break;
	case PPP_FX_LCP_UP:
		w->oks = 0;
		w->auth_done = false;
		break;
	case PPP_FX_IDENT:
		for (const char *c = (const char *)f->data; *c; c++)
			must(*c >= ' ' && *c <= '~');
		break;
	case PPP_FX_AUTH_CHECK:
		must(!w->checks++);
		must(w->conf.auth[0] != PPP_AUTH_NONE);
		break;
	case PPP_FX_AUTH_DONE:
		must(!w->auth_done && (w->oks || w->conf.auth[0] == PPP_AUTH_NONE));
		w->auth_done = true;
		break;
	case PPP_FX_NCP_READY:
		must(w->auth_done && !w->was_up[i]);
		w->readies |= 1u << i;
		break;
	case PPP_FX_NCP_UP:
		must(w->auth_done && !w->was_up[i] && w->gos[i]);
		w->was_up[i] = true;
		break;
	case PPP_FX_NCP_DOWN:
		must(w->was_up[i]);
		w->was_up[i] = false;
		w->gos[i] = 0;
		break;
	case PPP_FX_DOWN:
		must(++w->downs == w->ups);
		must(((const struct ppp_fx_down *)f->data)->end != PPP_END_NONE);
		memset(w->was_up, 0, sizeof(w->was_up));
		memset(w->gos, 0, sizeof(w->gos));
		w->checks = w->readies = 0;
		break;
	}
}

static void drain(struct world *w)
{
	for (struct fx *f; (f = fx_pop(&w->p.out)); fx_free(f))
		effect(w, f);
	must(w->downs != w->ups || ppp_deadline(&w->p) == NEVER);
}

static void verdict(struct world *w, bool ok)
{
	static const uint8_t reply[20] = { 1 };

	if (w->checks) {
		w->checks--;
		w->oks += ok && w->p.authenticator.state == AUTH_CHECK;
	}
	ppp_auth_verdict(&w->p, w->now, ok, reply, ok ? NULL : "no");
}

static void go(struct world *w, int i)
{
	if (w->readies & 1u << i) {
		w->readies &= ~(1u << i);
		w->gos[i]++;
	}
	ppp_ncp_go(&w->p, w->now, cp_proto((enum cp_which)i)->proto);
}

/* The peer agrees with, or Naks or Rejects, what the engine asked for last. */
static void answer(struct world *w, int i, uint8_t code)
{
	uint8_t buf[256];

	if (!w->last_len[i])
		return;
	memcpy(buf, w->last[i], w->last_len[i]);
	buf[0] = code;
	ppp_input(&w->p, w->now, cp_proto((enum cp_which)i)->proto, buf, w->last_len[i]);
}

static void step(struct world *w, struct rd *r)
{
	uint8_t what = rd_u8(r), arg = rd_u8(r);
	struct span s;
	uint8_t *exact;

	switch (what & 15) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		s = rd_span(r, rd_u8(r));
		if (r->bad)
			break;
		exact = malloc(s.n + 4);		/* so that a read too far is seen */
		must(exact);
		if (what & 16 && s.n >= 2) {		/* a header whose length is right */
			exact[0] = s.p[0];
			exact[1] = what & 32 ? w->chap_id : s.p[1];
			put_u16(exact + 2, (unsigned)s.n + 2);
			memcpy(exact + 4, s.p + 2, s.n - 2);
			ppp_input(&w->p, w->now, protos[arg % (sizeof(protos) / sizeof(protos[0]))], exact, s.n + 2);
		} else {
			memcpy(exact, s.p, s.n);
			ppp_input(&w->p, w->now, protos[arg % (sizeof(protos) / sizeof(protos[0]))], exact, s.n);
		}
		free(exact);
		break;
	case 6: w->now += arg * 100u; ppp_tick(&w->p, w->now); break;
	case 7: answer(w, arg % CP_N, CONF_ACK); break;
	case 8: answer(w, arg % CP_N, arg & 128 ? CONF_NAK : CONF_REJ); break;
	case 9: verdict(w, arg & 1); break;
	case 10: go(w, 1 + arg % 2); break;
	case 11: w->now = ppp_deadline(&w->p) == NEVER ? w->now : ppp_deadline(&w->p); ppp_tick(&w->p, w->now); break;
	case 12: if (arg == 7) ppp_close(&w->p, w->now, "bye"); break;
	case 13: if (arg == 7) ppp_lower_down(&w->p, w->now); break;
	case 14:
		if (w->ups == w->downs) {
			w->ups++;
			ppp_up(&w->p, w->now);
		}
		break;
	case 15: ppp_alive(&w->p, w->now); break;
	}
	drain(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct world *w = calloc(1, sizeof(*w));
	uint8_t demand = rd_u8(&r), allow = rd_u8(&r), flags = rd_u8(&r);
	struct ppp_info info;

	if (!w)
		return 0;
	for (unsigned i = 0; i < PPP_AUTH_N - 1; i++) {
		w->conf.auth[i] = demand >> 2 * i & 3;
		w->conf.allow[i] = allow >> 2 * i & 3;
	}
	w->conf.take = flags & 1;
	w->conf.want_dns = flags & 2;
	w->conf.ipv4 = !(flags & 4);
	w->conf.ipv6 = flags & 8;
	w->conf.echo_ms = flags & 16 ? 5000 : 0;
	w->conf.mru = flags & 32 ? 1500 : 0;
	w->chance = rd_u8(&r);
	w->env = (struct env){ chance, &w->chance };
	w->now = 5000;
	if (ppp_init(&w->p, &w->env, &w->conf, flags & 64 ? "bob" : NULL, "builder"))
		abort();
	ppp_set_addrs(&w->p, &(struct ppp_addrs){ .ip = flags & 1 ? 0 : 0x0100000a, .peer_ip = flags & 1 ? 0 : 0x0700000a,
						  .dns = { 0x09090909 } });
	w->ups++;
	ppp_up(&w->p, w->now);
	drain(w);
	while (!r.bad && rd_left(&r) >= 2)
		step(w, &r);
	ppp_info(&w->p, &info);
	/* whatever happened, the owner can end it, and it is over soon */
	ppp_close(&w->p, w->now, NULL);
	drain(w);
	for (unsigned i = 0; ppp_deadline(&w->p) != NEVER; i++) {
		must(i < 10);
		w->now = ppp_deadline(&w->p) > w->now ? ppp_deadline(&w->p) : w->now;
		ppp_tick(&w->p, w->now);
		drain(w);
	}
	must(w->downs == w->ups);
	ppp_done(&w->p);
	free(w);
	return 0;
}
