/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 1661 section 6: LCP's options; 5.7-5.9: Protocol-Reject, Echo, Discard; RFC 1570 1.1: Identification. */
#include "ppp/internal.h"

enum { LCP_MIN_MRU = 128, LCP_DEFAULT_MRU = 1500 };
enum { LCP_LOOPS_MAX = 4, LCP_IDENTS_MAX = 4 };
enum { ROW_MRU, ROW_ACCM, ROW_AUTH, ROW_MAGIC, ROW_PFC, ROW_ACFC };

/* Anything but 0, which is illegal (6.4), and what we have. */
static uint32_t new_magic(const struct ppp *p)
{
	uint32_t v;

	for (unsigned i = 0; i < 8; i++)
		if ((v = env_u32(p->env)) && v != p->lcp.magic)
			return v;
	return p->lcp.magic + 1 ? p->lcp.magic + 1 : 1;
}

static enum opt_verdict judge_mru(const struct ppp *p, uint64_t v, uint64_t *want)
{
	*want = conf_mru(p);
	return v < LCP_MIN_MRU ? OPT_NAK : OPT_ACK;	/* we never send more than conf->mru anyway */
}

/* Whatever they need escaped, L2TP and PPTP carry octets: nothing is escaped. */
static enum opt_verdict judge_any(const struct ppp *p, uint64_t v, uint64_t *want)
{
	(void)p, (void)v, (void)want;
	return OPT_ACK;
}

static enum opt_verdict judge_auth(const struct ppp *p, uint64_t v, uint64_t *want)
{
	*want = p->conf->allow[0];
	if (!p->has_secret || p->conf->allow[0] == PPP_AUTH_NONE)
		return OPT_REJ;
	return ppp_auth_in(p->conf->allow, v) ? OPT_ACK : OPT_NAK;
}

static enum opt_verdict judge_magic(const struct ppp *p, uint64_t v, uint64_t *want)
{
	*want = new_magic(p);
	return !v || v == p->lcp.magic ? OPT_NAK : OPT_ACK;
}

static bool nak_mru(struct ppp *p, uint64_t v)
{
	if (v >= LCP_MIN_MRU && v <= conf_mru(p))
		p->lcp.mru = (uint16_t)v;
	return true;
}

/* The peer would rather do v: ours to allow, else what we prefer next among what it has not refused. */
static bool nak_auth(struct ppp *p, uint64_t v)
{
	p->auth_tried |= (uint8_t)(1u << p->lcp.auth);
	if (ppp_auth_in(p->conf->auth, v) && !(p->auth_tried & 1u << v)) {
		p->lcp.auth = (uint8_t)v;
		return true;
	}
	for (unsigned i = 0; i < PPP_AUTH_N && p->conf->auth[i] != PPP_AUTH_NONE; i++) {
		if (!(p->auth_tried & 1u << p->conf->auth[i])) {
			p->lcp.auth = p->conf->auth[i];
			return true;
		}
	}
	return false;
}

static bool nak_magic(struct ppp *p, uint64_t v)
{
	(void)v;			/* 6.4: in a loop it would be our own suggestion */
	p->lcp.magic = new_magic(p);
	return true;
}

static void dropped_mru(struct ppp *p) { p->lcp.mru = LCP_DEFAULT_MRU; }
static void dropped_auth(struct ppp *p) { p->auth_refused = true; }
static void dropped_magic(struct ppp *p) { p->lcp.magic = 0; }

#define MINE(f) offsetof(struct ppp, lcp.f)
#define THEIRS(f) offsetof(struct ppp, peer_lcp.f)

static const struct opt_row rows[] = {
	[ROW_MRU]   = { 1, OPT_U16,  MINE(mru),   THEIRS(mru),   judge_mru,   NULL, nak_mru,   dropped_mru },
	[ROW_ACCM]  = { 2, OPT_U32,  OPT_NOWHERE, THEIRS(accm),  judge_any,   NULL, NULL,      NULL },
	[ROW_AUTH]  = { 3, OPT_AUTH, MINE(auth),  THEIRS(auth),  judge_auth,  NULL, nak_auth,  dropped_auth },
	[ROW_MAGIC] = { 5, OPT_U32,  MINE(magic), THEIRS(magic), judge_magic, NULL, nak_magic, dropped_magic },
	[ROW_PFC]   = { 7, OPT_FLAG, OPT_NOWHERE, THEIRS(pfc),   judge_any,   NULL, NULL,      NULL },
	[ROW_ACFC]  = { 8, OPT_FLAG, OPT_NOWHERE, THEIRS(acfc),  judge_any,   NULL, NULL,      NULL },
};

static void reset(struct ppp *p)
{
	uint16_t *ask = &p->cp[CP_LCP].ask;

	p->lcp = (struct lcp_opts){ .accm = UINT32_MAX, .mru = conf_mru(p), .auth = p->conf->auth[0] };
	p->lcp.magic = new_magic(p);
	*ask = 1u << ROW_MAGIC;
	if (p->lcp.mru != LCP_DEFAULT_MRU)
		*ask |= 1u << ROW_MRU;
	if (p->lcp.auth != PPP_AUTH_NONE)
		*ask |= 1u << ROW_AUTH;
	p->auth_tried = 0;
	p->auth_refused = false;
	p->loops = 0;
}

static void defaults(struct ppp *p)
{
	p->peer_lcp = (struct lcp_opts){ .accm = UINT32_MAX, .mru = LCP_DEFAULT_MRU };
}

const struct cp_proto lcp_proto = {
	.proto = PPP_LCP, .name = "LCP", .row = rows, .n_rows = sizeof(rows) / sizeof(rows[0]),
	.reset = reset, .defaults = defaults, .up = ppp_lcp_up, .down = ppp_lcp_down, .finished = ppp_lcp_finished,
};

uint8_t lcp_auth(const struct ppp *p)
{
	return p->cp[CP_LCP].ask & 1u << ROW_AUTH ? p->lcp.auth : PPP_AUTH_NONE;
}

bool lcp_not_looped(struct ppp *p, struct span options)
{
	struct rd r = rd_init(options.p, options.n);
	bool looped = false;

	while (rd_left(&r)) {
		uint8_t type = rd_u8(&r), len = rd_u8(&r);
		struct rd v = rd_sub(&r, len >= 2 ? len - 2u : SIZE_MAX);

		if (type == rows[ROW_MAGIC].type && rd_left(&v) == 4)
			looped = p->lcp.magic && rd_u32(&v) == p->lcp.magic;
	}
	p->loops = looped ? p->loops + 1 : 0;
	if (p->loops < LCP_LOOPS_MAX)
		return true;
	ppp_fail(p, PPP_END_LOOP, (struct span){ NULL, 0 });
	return false;
}

/* Magic-Number field and n octets; at most what the peer takes. */
static void tx_magic(struct ppp *p, uint8_t code, uint8_t id, const uint8_t *data, size_t n)
{
	uint8_t buf[LCP_DEFAULT_MRU];
	struct wr w = wr_init(buf, sizeof(buf));
	size_t max = p->peer_lcp.mru < conf_mru(p) ? p->peer_lcp.mru : conf_mru(p);

	max = max > sizeof(buf) ? sizeof(buf) : max;
	wr_u32(&w, p->lcp.magic);
	wr_bytes(&w, data, n > max - 8 ? max - 8 : n);
	ppp_tx(p, PPP_LCP, code, id, buf, wr_len(&w));
}

void lcp_echo_reply(struct ppp *p, uint8_t id, struct span data)
{
	if (data.n >= 4 && ppp_rate(&p->echo_rate, p->now, 10))
		tx_magic(p, ECHO_REP, id, data.p + 4, data.n - 4);
}

void lcp_echo_tick(struct ppp *p)
{
	uint32_t ms = p->conf->echo_ms;

	if (p->now < p->echo_deadline)
		return;
	if (p->last_rx + ms > p->now) {		/* not idle */
		p->echo_deadline = p->last_rx + ms;
		return;
	}
	p->echo_deadline = p->now + ms;
	if (p->echo_missed >= conf_count(p->conf->echo_failures, 3)) {
		ppp_fail(p, PPP_END_ECHO, (struct span){ NULL, 0 });
		return;
	}
	p->echo_missed++;
	p->echo_sent++;
	tx_magic(p, ECHO_REQ, ++p->echo_id, NULL, 0);
}

void lcp_reject_protocol(struct ppp *p, uint16_t proto, const void *buf, size_t n)
{
	uint8_t rej[LCP_DEFAULT_MRU];
	struct wr w = wr_init(rej, sizeof(rej));
	size_t max = p->peer_lcp.mru < conf_mru(p) ? p->peer_lcp.mru : conf_mru(p);

	if (!ppp_rate(&p->reject_rate, p->now, 10)) {
		p->dropped++;
		return;
	}
	max = max > sizeof(rej) ? sizeof(rej) : max;
	p->rejected_protocols++;
	wr_u16(&w, proto);
	wr_bytes(&w, buf, n > max - 6 ? max - 6 : n);	/* 5.7: truncated to the peer's MRU */
	ppp_tx(p, PPP_LCP, PROTO_REJ, ++p->reject_id, rej, wr_len(&w));
}

/* 5.7: only in Opened; what is rejected ends, the rest goes on. */
static void rx_protocol_reject(struct ppp *p, struct span data)
{
	struct rd r = rd_init(data.p, data.n);
	uint16_t proto = rd_u16(&r);
	bool chap = p->authenticator.proto > PPP_AUTH_PAP, peer_chap = p->auth_peer.proto > PPP_AUTH_PAP;

	if (r.bad || p->cp[CP_LCP].state != CP_OPENED)
		return;
	switch (proto) {
	case PPP_LCP:
		ppp_rejected(p, CP_LCP);
		break;
	case PPP_IPCP: case PPP_IP:
		ppp_rejected(p, CP_IPCP);
		break;
	case PPP_IPV6CP: case PPP_IPV6:
		ppp_rejected(p, CP_IPV6CP);
		break;
	case PPP_PAP: case PPP_CHAP:
		if ((p->authenticator.state == AUTH_WAIT && chap == (proto == PPP_CHAP)) ||
		    (p->auth_peer.state == AUTH_WAIT && peer_chap == (proto == PPP_CHAP)))
			ppp_fail(p, PPP_END_AUTH_REFUSED, (struct span){ NULL, 0 });
		break;
	default:	/* wire value */
		break;
	}
}

static void rx_identification(struct ppp *p, struct span data)
{
	char msg[128];

	if (data.n < 4 || p->idents >= LCP_IDENTS_MAX)	/* it ends up in a log */
		return;
	p->idents++;
	ppp_clean(msg, sizeof(msg), (struct span){ data.p + 4, data.n - 4 });
	fx_push(&p->out, PPP_FX_IDENT, msg, strlen(msg) + 1);
}

void lcp_input(struct ppp *p, uint8_t code, uint8_t id, const uint8_t *data, size_t n)
{
	struct span s = { data, n };

	switch (code) {
	case PROTO_REJ:
		rx_protocol_reject(p, s);
		break;
	case ECHO_REP:
		p->echo_received++;
		cp_packet(p, CP_LCP, CP_RXR, code, id, s);
		break;
	case ECHO_REQ:
	case DISCARD_REQ:
		cp_packet(p, CP_LCP, CP_RXR, code, id, s);
		break;
	case IDENT:
		rx_identification(p, s);
		break;
	case TIME_LEFT:
		break;
	default:	/* wire value */
		cp_packet(p, CP_LCP, CP_RUC, code, id, s);
		break;
	}
}
