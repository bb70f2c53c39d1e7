/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 5072 4.1: Interface-Identifier.  IPv6-Compression-Protocol has no row, so it is Rejected. */
#include "ppp/internal.h"

enum { INSIST = 2 };	/* Naks after which a peer may keep an identifier of its own */

/* Not zero, not ours, not theirs; the "u" bit is clear: not unique world-wide (RFC 5072 4.1). */
static uint64_t new_ifid(const struct ppp *p)
{
	uint8_t b[8];
	uint64_t v;

	for (unsigned i = 0; i < 8; i++) {
		p->env->random(p->env->arg, b, sizeof(b));
		b[0] &= (uint8_t)~2;
		memcpy(&v, b, sizeof(v));
		if (v && v != p->addrs.ifid && v != p->addrs.peer_ifid)
			return v;
	}
	memcpy(&v, (const uint8_t[8]){ 0, 0, 0, 0, 0, 0, 0, 1 }, sizeof(v));
	while (v == p->addrs.ifid || v == p->addrs.peer_ifid)
		v++;
	return v;
}

static enum opt_verdict judge_ifid(const struct ppp *p, uint64_t v, uint64_t *want)
{
	bool give = !p->conf->take && p->set.peer_ifid && p->set.peer_ifid != p->addrs.ifid;

	*want = give ? p->set.peer_ifid : new_ifid(p);
	if (!v || v == p->addrs.ifid)
		return OPT_NAK;
	return give && v != *want && p->cp[CP_IPV6CP].naks < INSIST ? OPT_NAK : OPT_ACK;
}

static bool missing_ifid(const struct ppp *p, uint64_t *want)
{
	*want = p->set.peer_ifid ? p->set.peer_ifid : new_ifid(p);
	return true;
}

static bool nak_ifid(struct ppp *p, uint64_t v)
{
	p->addrs.ifid = v && v != p->addrs.peer_ifid ? v : new_ifid(p);
	return true;
}

static const struct opt_row rows[] = {
	{ 1, OPT_IFID, offsetof(struct ppp, addrs.ifid), offsetof(struct ppp, addrs.peer_ifid), judge_ifid, missing_ifid,
	  nak_ifid, NULL },
};

static void reset(struct ppp *p)
{
	if (p->set.ifid)
		p->addrs.ifid = p->set.ifid;
	else if (!p->addrs.ifid)
		p->addrs.ifid = new_ifid(p);
	p->cp[CP_IPV6CP].ask = 1;
}

static void defaults(struct ppp *p) { p->addrs.peer_ifid = p->set.peer_ifid; }
static void up(struct ppp *p) { ppp_ncp_up(p, CP_IPV6CP); }
static void down(struct ppp *p) { ppp_ncp_down(p, CP_IPV6CP); }

const struct cp_proto ipv6cp_proto = {
	.proto = PPP_IPV6CP, .name = "IPV6CP", .hold = true, .row = rows, .n_rows = 1,
	.reset = reset, .defaults = defaults, .up = up, .down = down, .finished = ppp_ncp_finished,
};
