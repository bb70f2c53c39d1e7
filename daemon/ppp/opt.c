/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ppp/opt.h"

#include "ppp/internal.h"

static const uint8_t opt_len[] = {	/* with type and length octets; OPT_AUTH: the longest */
	[OPT_FLAG] = 2, [OPT_U16] = 4, [OPT_U32] = 6, [OPT_ADDR] = 6, [OPT_IFID] = 10, [OPT_AUTH] = 5,
};

/* Kinds in a switch: the value as it lives in struct ppp. */
static uint64_t load(const struct ppp *p, const struct opt_row *row, uint16_t off)
{
	const uint8_t *at = (const uint8_t *)p + off;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch ((enum opt_kind)row->kind) {
	case OPT_FLAG: case OPT_AUTH:
		return *at;
	case OPT_U16:
		return memcpy(&v16, at, 2), v16;
	case OPT_U32: case OPT_ADDR:
		return memcpy(&v32, at, 4), v32;
	case OPT_IFID:
		return memcpy(&v64, at, 8), v64;
	}
	return 0;
}

static void store(struct ppp *p, const struct opt_row *row, uint16_t off, uint64_t v)
{
	uint8_t *at = (uint8_t *)p + off;
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;

	if (off == OPT_NOWHERE)
		return;
	switch ((enum opt_kind)row->kind) {
	case OPT_FLAG: case OPT_AUTH:
		*at = (uint8_t)v;
		break;
	case OPT_U16:
		memcpy(at, &v16, 2);
		break;
	case OPT_U32: case OPT_ADDR:
		memcpy(at, &v32, 4);
		break;
	case OPT_IFID:
		memcpy(at, &v, 8);
		break;
	}
}

/* RFC 1661 6.2, RFC 1334 2.1, RFC 1994 3, RFC 2759 2 */
static uint64_t rd_auth(struct rd *r)
{
	uint16_t proto = rd_u16(r);

	if (proto == PPP_PAP && !rd_left(r))
		return PPP_AUTH_PAP;
	if (proto == PPP_CHAP && rd_left(r) == 1) {
		switch (rd_u8(r)) {
		case 5: return PPP_AUTH_CHAP_MD5;
		case 0x81: return PPP_AUTH_MSCHAPV2;
		default: return PPP_AUTH_N;	/* wire value */
		}
	}
	rd_rest(r);
	return PPP_AUTH_N;
}

static uint64_t rd_value(struct rd *r, const struct opt_row *row)
{
	const uint8_t *at;
	uint32_t v32 = 0;
	uint64_t v64 = 0;

	switch ((enum opt_kind)row->kind) {
	case OPT_FLAG:
		return 1;
	case OPT_U16:
		return rd_u16(r);
	case OPT_U32:
		return rd_u32(r);
	case OPT_ADDR:
		if ((at = rd_take(r, 4)))
			memcpy(&v32, at, 4);
		return v32;
	case OPT_IFID:
		if ((at = rd_take(r, 8)))
			memcpy(&v64, at, 8);
		return v64;
	case OPT_AUTH:
		return rd_auth(r);
	}
	return 0;
}

static void wr_opt(struct wr *w, const struct opt_row *row, uint64_t v)
{
	uint32_t v32 = (uint32_t)v;

	wr_u8(w, row->type);
	wr_u8(w, row->kind == OPT_AUTH && v == PPP_AUTH_PAP ? 4 : opt_len[row->kind]);
	switch ((enum opt_kind)row->kind) {
	case OPT_FLAG:
		break;
	case OPT_U16:
		wr_u16(w, v);
		break;
	case OPT_U32:
		wr_u32(w, v);
		break;
	case OPT_ADDR:
		wr_bytes(w, &v32, 4);
		break;
	case OPT_IFID:
		wr_bytes(w, &v, 8);
		break;
	case OPT_AUTH:
		wr_u16(w, v == PPP_AUTH_PAP ? PPP_PAP : PPP_CHAP);
		if (v != PPP_AUTH_PAP)
			wr_u8(w, v == PPP_AUTH_MSCHAPV2 ? 0x81 : 5);
		break;
	}
}

/* One option off a list; all.n octets at all.p with header, value without. */
struct option { uint8_t type; struct span all; struct rd value; };

static bool next(struct rd *r, struct option *ret)
{
	const uint8_t *at = r->p;
	uint8_t len;

	if (!rd_left(r))
		return false;
	ret->type = rd_u8(r);
	len = rd_u8(r);
	ret->value = rd_sub(r, len >= 2 ? len - 2u : SIZE_MAX);
	ret->all = (struct span){ at, len };
	return !r->bad;
}

bool opt_wellformed(struct span options)
{
	struct rd r = rd_init(options.p, options.n);
	struct option o;

	while (next(&r, &o))
		;
	return !r.bad;
}

/* The row of an option whose value has the right length; *ret is that value. */
static const struct opt_row *row_of(const struct cp_proto *proto, struct option *o, uint64_t *ret)
{
	for (const struct opt_row *row = proto->row; row < proto->row + proto->n_rows; row++) {
		if (row->type != o->type)
			continue;
		*ret = rd_value(&o->value, row);
		return o->value.bad || rd_left(&o->value) ? NULL : row;
	}
	return NULL;
}

void opt_judge(const struct ppp *p, const struct cp *cp, const struct cp_proto *proto, struct span options,
	       bool no_naks, struct opt_judgement *ret)
{
	struct rd r = rd_init(options.p, options.n);
	uint8_t nak_buf[256];
	struct wr rej = wr_init(ret->answer, sizeof(ret->answer)), nak = wr_init(nak_buf, sizeof(nak_buf));
	unsigned seen = 0;
	struct option o;

	while (next(&r, &o)) {
		uint64_t v = 0, want = 0;
		const struct opt_row *row = row_of(proto, &o, &v);
		enum opt_verdict verdict = OPT_REJ;

		/* 5.1: "none ... more than once": the second is one too many */
		if (row && !(seen & 1u << (row - proto->row))) {
			seen |= 1u << (row - proto->row);
			verdict = row->judge(p, v, &want);
			if (verdict == OPT_NAK && no_naks)
				verdict = OPT_REJ;		/* 4.6 Max-Failure */
		}
		if (verdict == OPT_NAK)
			wr_opt(&nak, row, want);
		else if (verdict == OPT_REJ && o.all.n <= (size_t)(rej.end - rej.p))
			wr_bytes(&rej, o.all.p, o.all.n);	/* what does not fit is rejected next time */
	}
	for (unsigned i = 0; i < proto->n_rows && !cp->naks && !no_naks; i++) {
		uint64_t want = 0;

		if (!(seen & 1u << i) && proto->row[i].missing && proto->row[i].missing(p, &want))
			wr_opt(&nak, &proto->row[i], want);
	}
	ret->n = wr_len(&rej);
	ret->verdict = OPT_REJ;
	if (ret->n)			/* 5.4: Rejects go first, alone */
		return;
	ret->n = wr_len(&nak);
	ret->verdict = ret->n ? OPT_NAK : OPT_ACK;
	memcpy(ret->answer, nak_buf, ret->n);
}

void opt_absorb(struct ppp *p, const struct cp_proto *proto, struct span options)
{
	struct rd r = rd_init(options.p, options.n);
	struct option o;

	proto->defaults(p);
	while (next(&r, &o)) {
		uint64_t v = 0;
		const struct opt_row *row = row_of(proto, &o, &v);

		if (row)
			store(p, row, row->theirs, v);
	}
}

size_t opt_propose(const struct ppp *p, const struct cp *cp, const struct cp_proto *proto, uint8_t *buf, size_t n)
{
	struct wr w = wr_init(buf, n);

	for (unsigned i = 0; i < proto->n_rows; i++)
		if (cp->ask & 1u << i)
			wr_opt(&w, &proto->row[i], load(p, &proto->row[i], proto->row[i].mine));
	return wr_len(&w);
}

bool opt_refused(struct ppp *p, struct cp *cp, const struct cp_proto *proto, struct span options, bool reject,
		 bool give_up)
{
	struct rd r = rd_init(options.p, options.n);
	bool changed = false;
	struct option o;

	while (next(&r, &o)) {
		uint64_t v = 0, was;
		const struct opt_row *row = row_of(proto, &o, &v);
		unsigned bit = row ? 1u << (row - proto->row) : 0;

		if (!(cp->ask & bit))
			continue;			/* not ours: an option the peer would like us to ask for */
		was = load(p, row, row->mine);
		if (reject ? v != was : v == was && !give_up)
			continue;			/* 5.4: not what we sent; a Nak that says the same */
		if (reject || give_up || (row->nak && !row->nak(p, v))) {
			cp->ask &= (uint16_t)~bit;
			if (row->dropped)
				row->dropped(p);
			changed = true;
		}
		changed |= load(p, row, row->mine) != was;
	}
	return changed;
}
