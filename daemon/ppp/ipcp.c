/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 1332 3.3: IP-Address; RFC 1877: DNS and WINS servers.  IP-Compression-Protocol has no row, so it is Rejected. */
#include <string.h>

#include "ppp/internal.h"

enum { ROW_ADDR, ROW_DNS1, ROW_WINS1, ROW_DNS2, ROW_WINS2 };

/* Nobody's own (RFC 6890): this network, loopback, multicast and what is reserved.  v: as on the wire. */
static bool is_a_host(uint64_t v)
{
	uint32_t addr = (uint32_t)v;
	uint8_t first;

	memcpy(&first, &addr, 1);
	return first && first != 127 && first < 224;
}

/* Giving, the peer gets the address that it was given; taking, it may have any that somebody can have. */
static enum opt_verdict judge_addr(const struct ppp *p, uint64_t v, uint64_t *want)
{
	*want = p->set.peer_ip;
	if (p->conf->take && is_a_host(v))
		return OPT_ACK;
	if (!*want)
		return OPT_REJ;
	return v == *want ? OPT_ACK : OPT_NAK;
}

static bool missing_addr(const struct ppp *p, uint64_t *want)
{
	*want = p->set.peer_ip;
	return !p->conf->take && *want;
}

static enum opt_verdict judge_server(const struct ppp *p, uint64_t v, uint64_t *want, uint32_t have)
{
	*want = have;
	if (p->conf->take || !have)
		return OPT_REJ;
	return v == have ? OPT_ACK : OPT_NAK;
}

static enum opt_verdict judge_dns1(const struct ppp *p, uint64_t v, uint64_t *w) { return judge_server(p, v, w, p->set.dns[0]); }
static enum opt_verdict judge_dns2(const struct ppp *p, uint64_t v, uint64_t *w) { return judge_server(p, v, w, p->set.dns[1]); }
static enum opt_verdict judge_wins1(const struct ppp *p, uint64_t v, uint64_t *w) { return judge_server(p, v, w, p->set.wins[0]); }
static enum opt_verdict judge_wins2(const struct ppp *p, uint64_t v, uint64_t *w) { return judge_server(p, v, w, p->set.wins[1]); }

static bool nak_addr(struct ppp *p, uint64_t v)
{
	if (p->conf->take && is_a_host(v))
		p->addrs.ip = (uint32_t)v;
	return true;
}

/* A server that answers 0.0.0.0 has none to give. */
static bool nak_dns1(struct ppp *p, uint64_t v) { p->addrs.dns[0] = (uint32_t)v; return v; }
static bool nak_dns2(struct ppp *p, uint64_t v) { p->addrs.dns[1] = (uint32_t)v; return v; }

#define AT(f) offsetof(struct ppp, addrs.f)
#define NO OPT_NOWHERE

static const struct opt_row rows[] = {
	[ROW_ADDR]  = {   3, OPT_ADDR, AT(ip),     AT(peer_ip), judge_addr,  missing_addr, nak_addr, NULL },
	[ROW_DNS1]  = { 129, OPT_ADDR, AT(dns[0]), NO,          judge_dns1,  NULL,         nak_dns1, NULL },
	[ROW_WINS1] = { 130, OPT_ADDR, NO,         NO,          judge_wins1, NULL,         NULL,     NULL },
	[ROW_DNS2]  = { 131, OPT_ADDR, AT(dns[1]), NO,          judge_dns2,  NULL,         nak_dns2, NULL },
	[ROW_WINS2] = { 132, OPT_ADDR, NO,         NO,          judge_wins2, NULL,         NULL,     NULL },
};

/* A taker that had an address before asks for it again. */
static void reset(struct ppp *p)
{
	bool take = p->conf->take;
	uint16_t *ask = &p->cp[CP_IPCP].ask;

	if (!take || !p->addrs.ip)
		p->addrs.ip = p->set.ip;
	for (unsigned i = 0; i < 2; i++) {
		p->addrs.dns[i] = take ? 0 : p->set.dns[i];
		p->addrs.wins[i] = take ? 0 : p->set.wins[i];
	}
	*ask = 0;
	if (take || p->addrs.ip)
		*ask |= 1u << ROW_ADDR;
	if (take && p->conf->want_dns)
		*ask |= 1u << ROW_DNS1 | 1u << ROW_DNS2;
}

static void defaults(struct ppp *p) { p->addrs.peer_ip = p->set.peer_ip; }
static void up(struct ppp *p) { ppp_ncp_up(p, CP_IPCP); }
static void down(struct ppp *p) { ppp_ncp_down(p, CP_IPCP); }

const struct cp_proto ipcp_proto = {
	.proto = PPP_IPCP, .name = "IPCP", .hold = true, .row = rows, .n_rows = sizeof(rows) / sizeof(rows[0]),
	.reset = reset, .defaults = defaults, .up = up, .down = down, .finished = ppp_ncp_finished,
};
