/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "avp.h"

void avp_error(struct avp_odd *odd, enum l2tp_error error, unsigned type)
{
	if (odd->error)
		return;
	odd->error = error;
	odd->error_avp = (uint16_t)type;
}

void avp_unknown(struct avp_odd *odd, const struct avp *a)
{
	if (!(a->bits & AVP_M) || odd->unknown_m)
		return;
	odd->unknown_m = true;
	odd->unknown_vendor = (uint16_t)a->vendor;
	odd->unknown_avp = (uint16_t)a->type;
}

bool avp_next(struct avp_reader *d, struct avp *ret)
{
	struct rd *r = &d->r;
	size_t left, n;

	if (!rd_left(r))
		return false;
	ret->bits = rd_u16(r);
	ret->vendor = rd_u16(r);
	ret->type = rd_u16(r);
	left = rd_left(r);
	n = (ret->bits & AVP_LEN) - (size_t)L2TP_AVP_HDR_LEN;	/* less than 6 wraps, and is too long */
	ret->value = rd_sub(r, d->lenient && n > left && (ret->bits & AVP_LEN) >= L2TP_AVP_HDR_LEN ? left : n);
	return !r->bad;
}

/* What comes out of the cipher is as hostile as what went in: its length is bounded again. */
enum avp_revealed avp_reveal(struct avp_reader *d, struct avp *a, struct span vector)
{
	size_t n = rd_left(&a->value), len;
	uint8_t *plain = d->scratch ? d->scratch + d->used : NULL;
	struct span hidden = rd_rest(&a->value);

	if (!d->secret.n || !vector.n || !plain || n > L2TP_SCRATCH - d->used)
		return AVP_UNREAD;
	if (n < 2) {
		avp_error(d->odd, L2TP_E_LENGTH, a->type);
		return AVP_MALFORMED;
	}
	l2tp_unhide(plain, hidden.p, n, (uint16_t)a->type, d->secret, vector);
	len = (size_t)plain[0] << 8 | plain[1];
	if (len > n - 2) {
		avp_error(d->odd, L2TP_E_LENGTH, a->type);
		return AVP_MALFORMED;
	}
	d->used += n;
	a->value = rd_init(plain + 2, len);
	return AVP_REVEALED;
}

static bool get_number(unsigned octets, void *to, struct rd *r, bool lenient)
{
	uint64_t n = octets == 2 ? rd_u16(r) : octets == 4 ? rd_u32(r) : rd_u64(r);

	if (r->bad || (rd_left(r) && !lenient))
		return false;
	if (octets == 2)
		*(uint16_t *)to = (uint16_t)n;
	else if (octets == 4)
		*(uint32_t *)to = (uint32_t)n;
	else
		*(uint64_t *)to = n;
	return true;
}

bool avp_get(enum avp_kind kind, void *to, struct rd v, bool lenient)
{
	struct l2tp_result *res = to;
	struct span s;

	switch (kind) {
	case AVP_U16:
		return get_number(2, to, &v, lenient);
	case AVP_U32:
		return get_number(4, to, &v, lenient);
	case AVP_U64:
		return get_number(8, to, &v, lenient);
	case AVP_TIE:
		if (rd_left(&v) != L2TP_TIE_LEN)
			return false;
		memcpy(to, v.p, L2TP_TIE_LEN);
		return true;
	case AVP_BYTES:
		*(struct span *)to = rd_rest(&v);
		return true;
	case AVP_NAME:
		s = rd_rest(&v);
		while (s.n && !s.p[s.n - 1])	/* Apple counts the NUL */
			s.n--;
		if (!s.n)			/* at least one octet */
			return false;
		*(struct span *)to = s;
		return true;
	case AVP_RESULT:
		if (rd_left(&v) < 2)
			return false;
		*res = (struct l2tp_result){ .result = rd_u16(&v) };
		if (rd_left(&v) < 2)
			return true;
		res->error = rd_u16(&v);
		res->msg = rd_rest(&v);
		return true;
	case AVP_N_KINDS:
		break;
	}
	return false;
}

void avp_put(enum avp_kind kind, const void *from, struct wr *w)
{
	const struct l2tp_result *res = from;
	const struct span *s = from;

	switch (kind) {
	case AVP_U16:
		wr_u16(w, *(const uint16_t *)from);
		break;
	case AVP_U32:
		wr_u32(w, *(const uint32_t *)from);
		break;
	case AVP_U64:
		wr_u64(w, *(const uint64_t *)from);
		break;
	case AVP_TIE:
		wr_bytes(w, from, L2TP_TIE_LEN);
		break;
	case AVP_BYTES:
	case AVP_NAME:
		wr_bytes(w, s->p, s->n);
		break;
	case AVP_RESULT:
		wr_u16(w, res->result);
		if (res->error || res->msg.n)
			wr_u16(w, res->error);
		wr_bytes(w, res->msg.p, res->msg.n);
		break;
	case AVP_N_KINDS:
		break;
	}
}

uint8_t *avp_open(struct wr *w, unsigned bits, unsigned type)
{
	uint8_t *opened = w->p;

	wr_u16(w, bits);
	wr_u16(w, 0);
	wr_u16(w, type);
	if (bits & AVP_H)
		wr_u16(w, 0);			/* the length of what is hidden */
	return opened;
}

void avp_close(struct wr *w, uint8_t *opened, struct span secret, struct span vector)
{
	uint8_t *value = opened + L2TP_AVP_HDR_LEN;
	size_t n = (size_t)(w->p - opened);
	unsigned bits;

	if (w->bad)
		return;
	bits = (unsigned)opened[0] << 8 | opened[1];
	if (n > L2TP_AVP_MAX || (bits & AVP_H && (!secret.n || !vector.n))) {
		w->bad = true;
		return;
	}
	put_u16(opened, bits | (unsigned)n);
	if (!(bits & AVP_H))
		return;
	n -= L2TP_AVP_HDR_LEN;
	put_u16(value, (unsigned)(n - 2));
	l2tp_hide(value, value, n, (uint16_t)(opened[4] << 8 | opened[5]), secret, vector);
}
