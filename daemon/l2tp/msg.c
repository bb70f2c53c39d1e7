/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "msg.h"

#include <stddef.h>

enum { FLAGS = 0xc802, FLAGS_MASK = 0xca0f };		/* 3.1: T, L, S set, O clear, version 2 */
enum { AVP_M = 0x8000, AVP_H = 0x4000, AVP_RSVD = 0x3c00, AVP_LEN = 0x03ff };

enum kind { NONE, U16, U32, TIE, BYTES, NAME, RESULT, Q931, PPP, ERRORS, ACCM };

#define IN(t) (UINT32_C(1) << L2TP_##t)
#define ALL   (~UINT32_C(0))
#define ID(a) L2TP_AVP_##a
#define AT(f) offsetof(struct l2tp_msg, f)

/* RFC 2661 4.4 (46: RFC 3145 2): M bit, whether it may be hidden, and the messages of section 6 that
 * must and may carry it.  Random Vector stands before what it hides (4.4.1). */
static const struct row {
	uint8_t type, kind;
	bool m, hide;
	uint16_t off;
	uint32_t must, may;
} rows[] = {
	/* attribute type            kind    M  hide  field                     must                            may */
	{ ID(MSG_TYPE),              U16,    1, 0, AT(type),                 ALL,                            0 },
	{ ID(RANDOM_VECTOR),         BYTES,  1, 0, AT(random_vector),        0,                              ALL },
	{ ID(RESULT_CODE),           RESULT, 1, 0, AT(result),               IN(STOPCCN) | IN(CDN),          0 },
	{ ID(PROTOCOL_VERSION),      U16,    1, 0, AT(protocol_version),     IN(SCCRQ) | IN(SCCRP),          0 },
	{ ID(FRAMING_CAPS),          U32,    1, 1, AT(framing_caps),         IN(SCCRQ) | IN(SCCRP),          0 },
	{ ID(BEARER_CAPS),           U32,    1, 1, AT(bearer_caps),          0,                              IN(SCCRQ) | IN(SCCRP) },
	{ ID(TIE_BREAKER),           TIE,    0, 0, AT(tie_breaker),          0,                              IN(SCCRQ) },
	{ ID(FIRMWARE),              U16,    0, 1, AT(firmware),             0,                              IN(SCCRQ) | IN(SCCRP) },
	{ ID(HOST_NAME),             NAME,   1, 0, AT(host_name),            IN(SCCRQ) | IN(SCCRP),          0 },
	{ ID(VENDOR_NAME),           BYTES,  0, 1, AT(vendor_name),          0,                              IN(SCCRQ) | IN(SCCRP) },
	{ ID(ASSIGNED_TUNNEL_ID),    U16,    1, 1, AT(assigned_tunnel_id),   IN(SCCRQ) | IN(SCCRP) | IN(STOPCCN), 0 },
	{ ID(RWS),                   U16,    1, 0, AT(rws),                  0,                              IN(SCCRQ) | IN(SCCRP) },
	{ ID(CHALLENGE),             BYTES,  1, 1, AT(challenge),            0,                              IN(SCCRQ) | IN(SCCRP) },
	{ ID(CHALLENGE_RESPONSE),    BYTES,  1, 1, AT(response),             0,                              IN(SCCRP) | IN(SCCCN) },
	{ ID(Q931_CAUSE),            Q931,   1, 0, AT(q931),                 0,                              IN(CDN) },
	{ ID(ASSIGNED_SESSION_ID),   U16,    1, 1, AT(assigned_session_id),  IN(ICRQ) | IN(ICRP) | IN(OCRQ) | IN(OCRP) | IN(CDN), 0 },
	{ ID(CALL_SERIAL),           U32,    1, 1, AT(call_serial),          IN(ICRQ) | IN(OCRQ),            0 },
	{ ID(MIN_BPS),               U32,    1, 1, AT(min_bps),              IN(OCRQ),                       0 },
	{ ID(MAX_BPS),               U32,    1, 1, AT(max_bps),              IN(OCRQ),                       0 },
	{ ID(BEARER_TYPE),           U32,    1, 1, AT(bearer_type),          IN(OCRQ),                       IN(ICRQ) },
	{ ID(FRAMING_TYPE),          U32,    1, 1, AT(framing_type),         IN(OCRQ) | IN(ICCN) | IN(OCCN), 0 },
	{ ID(CALLED_NUMBER),         BYTES,  1, 1, AT(called_number),        IN(OCRQ),                       IN(ICRQ) },
	{ ID(CALLING_NUMBER),        BYTES,  1, 1, AT(calling_number),       0,                              IN(ICRQ) },
	{ ID(SUB_ADDRESS),           BYTES,  1, 1, AT(sub_address),          0,                              IN(ICRQ) | IN(OCRQ) },
	{ ID(TX_SPEED),              U32,    1, 1, AT(tx_speed),             IN(ICCN) | IN(OCCN),            0 },
	{ ID(RX_SPEED),              U32,    0, 1, AT(rx_speed),             0,                              IN(ICCN) | IN(OCCN) },
	{ ID(PHYSICAL_CHANNEL),      U32,    0, 1, AT(physical_channel),     0,                              IN(ICRQ) | IN(OCRP) },
	{ ID(INITIAL_RX_CONFREQ),    BYTES,  0, 1, AT(initial_rx_confreq),   0,                              IN(ICCN) },
	{ ID(LAST_TX_CONFREQ),       BYTES,  0, 1, AT(last_tx_confreq),      0,                              IN(ICCN) },
	{ ID(LAST_RX_CONFREQ),       BYTES,  0, 1, AT(last_rx_confreq),      0,                              IN(ICCN) },
	{ ID(PROXY_AUTH_TYPE),       U16,    0, 1, AT(proxy_auth_type),      0,                              IN(ICCN) },
	{ ID(PROXY_AUTH_NAME),       BYTES,  0, 1, AT(proxy_auth_name),      0,                              IN(ICCN) },
	{ ID(PROXY_AUTH_CHALLENGE),  BYTES,  0, 1, AT(proxy_auth_challenge), 0,                              IN(ICCN) },
	{ ID(PROXY_AUTH_ID),         U16,    0, 1, AT(proxy_auth_id),        0,                              IN(ICCN) },
	{ ID(PROXY_AUTH_RESPONSE),   BYTES,  0, 1, AT(proxy_auth_response),  0,                              IN(ICCN) },
	{ ID(CALL_ERRORS),           ERRORS, 1, 1, AT(call_errors),          IN(WEN),                        0 },
	{ ID(ACCM),                  ACCM,   1, 1, AT(accm),                 IN(SLI),                        0 },
	{ ID(PRIVATE_GROUP_ID),      BYTES,  0, 1, AT(private_group_id),     0,                              IN(ICCN) },
	{ ID(SEQUENCING),            NONE,   1, 0, 0,                        0,                              IN(ICCN) | IN(OCCN) },
	{ ID(PPP_CAUSE),             PPP,    0, 1, AT(ppp_cause),            0,                              IN(CDN) },
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static const struct row *row_of(unsigned vendor, unsigned type)
{
	/* 4.1: the vendor first, an attribute type means nothing without it */
	for (unsigned i = 0; !vendor && i < N_ROWS; i++)
		if (rows[i].type == type)
			return &rows[i];
	return NULL;
}

static uint16_t swap16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

static void get_result(struct l2tp_result *to, struct rd *v)
{
	*to = (struct l2tp_result){ .result = rd_u16(v) };
	if (rd_left(v) >= 2) {
		to->error = rd_u16(v);
		to->msg = rd_rest(v);
	}
	if (!(to->result & 0xff)) {		/* Apple: host order, and stray octets behind */
		to->result = swap16(to->result);
		to->error = swap16(to->error);
		to->msg = (struct span){ NULL, 0 };
	}
}

/* The value of one AVP into its field, which keeps its old value when the length is wrong. */
static bool get(struct l2tp_msg *m, const struct row *row, struct rd v, bool lenient)
{
	void *to = (char *)m + row->off;
	struct l2tp_ppp_cause *c = to;
	struct l2tp_q931 *q = to;
	struct rd r = v;
	uint64_t n;
	struct span s;

	switch ((enum kind)row->kind) {
	case NONE:
		break;
	case U16:
		n = rd_u16(&r);
		if (r.bad || (rd_left(&r) && !lenient))
			return false;
		*(uint16_t *)to = (uint16_t)n;
		return true;
	case U32:
		n = rd_u32(&r);
		if (r.bad || (rd_left(&r) && !lenient))
			return false;
		*(uint32_t *)to = (uint32_t)n;
		return true;
	case TIE:
		s = rd_span(&r, L2TP_TIE_LEN);
		if (r.bad || rd_left(&r))
			return false;
		memcpy(to, s.p, s.n);
		return true;
	case BYTES:
		*(struct span *)to = rd_rest(&r);
		break;
	case NAME:
		s = rd_rest(&r);
		while (s.n && !s.p[s.n - 1])	/* Apple counts the NUL */
			s.n--;
		if (!s.n)			/* 4.4.3: at least one octet */
			return false;
		*(struct span *)to = s;
		return true;
	case RESULT:
		if (rd_left(&r) < 2)
			return false;
		get_result(to, &r);
		return true;
	case Q931:
		if (rd_left(&r) < 3)
			return false;
		q->cause = rd_u16(&r);
		q->msg = rd_u8(&r);
		q->advisory = rd_rest(&r);
		return true;
	case PPP:
		if (rd_left(&r) < 5)
			return false;
		c->code = rd_u16(&r);
		c->proto = rd_u16(&r);
		c->direction = rd_u8(&r);
		c->msg = rd_rest(&r);
		return true;
	case ERRORS:
		if (rd_left(&r) != 26)
			return false;
		rd_u16(&r);
		for (unsigned i = 0; i < 6; i++)
			((uint32_t *)to)[i] = rd_u32(&r);
		break;
	case ACCM:
		if (rd_left(&r) != 10)
			return false;
		rd_u16(&r);
		for (unsigned i = 0; i < 2; i++)
			((uint32_t *)to)[i] = rd_u32(&r);
		break;
	}
	return !r.bad && !rd_left(&r);
}

static void put(const struct l2tp_msg *m, const struct row *row, struct wr *w)
{
	const void *from = (const char *)m + row->off;
	const struct l2tp_result *res = from;
	const struct l2tp_q931 *q = from;
	const struct l2tp_ppp_cause *c = from;
	const struct span *s = from;

	switch ((enum kind)row->kind) {
	case NONE:
		break;
	case U16:
		wr_u16(w, *(const uint16_t *)from);
		break;
	case U32:
		wr_u32(w, *(const uint32_t *)from);
		break;
	case TIE:
		wr_bytes(w, from, L2TP_TIE_LEN);
		break;
	case BYTES:
	case NAME:
		wr_bytes(w, s->p, s->n);
		break;
	case RESULT:
		wr_u16(w, res->result);
		if (res->error || res->msg.n)
			wr_u16(w, res->error);
		wr_bytes(w, res->msg.p, res->msg.n);
		break;
	case Q931:
		wr_u16(w, q->cause);
		wr_u8(w, q->msg);
		wr_bytes(w, q->advisory.p, q->advisory.n);
		break;
	case PPP:
		wr_u16(w, c->code);
		wr_u16(w, c->proto);
		wr_u8(w, c->direction);
		wr_bytes(w, c->msg.p, c->msg.n);
		break;
	case ERRORS:
		wr_u16(w, 0);
		for (unsigned i = 0; i < 6; i++)
			wr_u32(w, ((const uint32_t *)from)[i]);
		break;
	case ACCM:
		wr_u16(w, 0);
		for (unsigned i = 0; i < 2; i++)
			wr_u32(w, ((const uint32_t *)from)[i]);
		break;
	}
}

/* Where decoding of one message stands. */
struct decoder {
	struct l2tp_msg *m;
	struct span secret;
	uint8_t *scratch;
	size_t used;
	bool lenient;			/* StopCCN, CDN: nothing in them is worth refusing them */
};

static void complain(struct l2tp_msg *m, enum l2tp_error error, unsigned type)
{
	if (m->error)
		return;
	m->error = error;
	m->error_avp = (uint16_t)type;
}

static void unrecognised(struct l2tp_msg *m, unsigned bits, unsigned vendor, unsigned type)
{
	if (!(bits & AVP_M) || m->unknown_m)
		return;
	m->unknown_m = true;
	m->unknown_vendor = (uint16_t)vendor;
	m->unknown_avp = (uint16_t)type;
}

/* 4.3.  What comes out of the cipher is as hostile as what went in: its length is bounded again. */
static bool reveal(struct decoder *d, const struct row *row, struct rd *v)
{
	struct l2tp_msg *m = d->m;
	size_t n = rd_left(v), len;
	uint8_t *plain = d->scratch ? d->scratch + d->used : NULL;
	struct span hidden = rd_rest(v);

	if (!d->secret.n || !m->random_vector.n || !plain || n > L2TP_SCRATCH - d->used) {
		m->unread |= L2TP_BIT(row->type);
		return false;
	}
	if (n < 2) {
		complain(m, L2TP_E_LENGTH, row->type);
		return false;
	}
	l2tp_unhide(plain, hidden.p, n, row->type, d->secret, m->random_vector);
	len = (size_t)plain[0] << 8 | plain[1];
	if (len > n - 2) {
		complain(m, L2TP_E_LENGTH, row->type);
		return false;
	}
	d->used += n;
	*v = rd_init(plain + 2, len);
	return true;
}

/* False when the AVP leaves its message. */
static bool decode_avp(struct decoder *d, struct rd *r)
{
	unsigned bits = rd_u16(r), vendor = rd_u16(r), type = rd_u16(r), len = bits & AVP_LEN;
	size_t left = rd_left(r), n = len - L2TP_AVP_HDR_LEN;	/* len < 6 wraps, and is too long */
	const struct row *row = bits & AVP_RSVD ? NULL : row_of(vendor, type);
	struct l2tp_msg *m = d->m;
	struct rd v = rd_sub(r, d->lenient && n > left && len >= L2TP_AVP_HDR_LEN ? left : n);

	if (r->bad)
		return false;
	if (!row) {
		unrecognised(m, bits, vendor, type);
		return true;
	}
	if (bits & AVP_H) {
		if (!row->hide) {
			complain(m, L2TP_E_VALUE, type);
			return true;
		}
		if (!reveal(d, row, &v))
			return true;
	}
	if (type == L2TP_AVP_MSG_TYPE || !get(m, row, v, d->lenient)) {
		complain(m, type == L2TP_AVP_MSG_TYPE ? L2TP_E_VALUE : L2TP_E_LENGTH, type);
		return true;
	}
	m->present |= L2TP_BIT(type);
	m->hidden &= ~L2TP_BIT(type);
	if (bits & AVP_H)
		m->hidden |= L2TP_BIT(type);
	return true;
}

/* 4.4.1: Message Type comes first, with 8 octets, in the clear. */
static bool decode_type(struct l2tp_msg *m, struct rd *r)
{
	unsigned bits = rd_u16(r), vendor = rd_u16(r), type = rd_u16(r);

	m->type = rd_u16(r);
	m->type_m = bits & AVP_M;
	m->present = L2TP_BIT(L2TP_AVP_MSG_TYPE);
	return !r->bad && (bits & ~AVP_M) == 8 && !vendor && type == L2TP_AVP_MSG_TYPE && m->type;
}

static bool decode_header(struct l2tp_msg *m, struct rd *r, const void *buf, size_t len)
{
	unsigned flags, length;

	*r = rd_init(buf, len);
	flags = rd_u16(r);
	length = rd_u16(r);
	m->tunnel_id = rd_u16(r);
	m->session_id = rd_u16(r);
	m->ns = rd_u16(r);
	m->nr = rd_u16(r);
	if (r->bad || (flags & FLAGS_MASK) != FLAGS || length < L2TP_HDR_LEN || length > len)
		return false;
	r->end = r->p + (length - L2TP_HDR_LEN);
	return true;
}

bool l2tp_decode(struct l2tp_msg *m, const void *buf, size_t len, struct span secret,
		 uint8_t *scratch)
{
	struct decoder d = { .m = m, .secret = secret, .scratch = scratch };
	struct rd r;

	*m = (struct l2tp_msg){ 0 };
	if (!decode_header(m, &r, buf, len))
		return false;
	if (!rd_left(&r))
		return true;				/* ZLB */
	if (!decode_type(m, &r))
		return false;
	d.lenient = m->type == L2TP_STOPCCN || m->type == L2TP_CDN;
	while (rd_left(&r))
		if (!decode_avp(&d, &r))
			break;
	for (unsigned i = 0; m->type < L2TP_N_MSGS && i < N_ROWS; i++)
		if (rows[i].must >> m->type & 1)
			m->missing |= L2TP_BIT(rows[i].type) & ~m->present;
	if (l2tp_has(m, L2TP_AVP_CHALLENGE) && !m->challenge.n)
		complain(m, L2TP_E_LENGTH, L2TP_AVP_CHALLENGE);
	return d.lenient || !r.bad;
}

bool l2tp_peek(const void *buf, size_t len, uint16_t *ret_tunnel_id)
{
	struct l2tp_msg m;
	struct rd r;

	if (!decode_header(&m, &r, buf, len))
		return false;
	*ret_tunnel_id = m.tunnel_id;
	return true;
}

static void encode_avp(struct wr *w, const struct l2tp_msg *m, const struct row *row,
		       struct span secret)
{
	bool hide = row->hide && m->hidden & L2TP_BIT(row->type);
	uint8_t *start = w->p, *value;
	size_t n;

	wr_u16(w, 0);
	wr_u16(w, 0);
	wr_u16(w, row->type);
	value = w->p;
	if (hide)
		wr_u16(w, 0);
	put(m, row, w);
	if (w->bad)
		return;
	n = (size_t)(w->p - start);
	if (n > L2TP_AVP_MAX) {
		w->bad = true;
		return;
	}
	put_u16(start, (unsigned)n | (row->m ? AVP_M : 0) | (hide ? AVP_H : 0));
	if (!hide)
		return;
	if (!secret.n || !m->random_vector.n) {
		w->bad = true;
		return;
	}
	n = (size_t)(w->p - value);
	put_u16(value, (unsigned)(n - 2));
	l2tp_hide(value, value, n, row->type, secret, m->random_vector);
}

size_t l2tp_encode(const struct l2tp_msg *m, void *buf, size_t size, struct span secret)
{
	struct wr w = wr_init(buf, size);

	wr_u16(&w, FLAGS);
	wr_u16(&w, 0);
	wr_u16(&w, m->tunnel_id);
	wr_u16(&w, m->session_id);
	wr_u16(&w, m->ns);
	wr_u16(&w, m->nr);
	for (unsigned i = 0; m->type && i < N_ROWS && !w.bad; i++)
		if (rows[i].type == L2TP_AVP_MSG_TYPE || m->present & L2TP_BIT(rows[i].type))
			encode_avp(&w, m, &rows[i], secret);
	if (w.bad || wr_len(&w) > UINT16_MAX)
		return 0;
	put_u16(w.base + 2, (unsigned)wr_len(&w));
	return wr_len(&w);
}

void l2tp_clean(char *out, size_t size, struct span s)
{
	size_t n = 0;

	while (s.n && !s.p[s.n - 1])
		s.n--;
	for (; n < s.n && n + 1 < size; n++)
		out[n] = s.p[n] >= 0x20 && s.p[n] < 0x7f ? (char)s.p[n] : '?';
	if (size)
		out[n] = 0;
}
