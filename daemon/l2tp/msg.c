/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "msg.h"

#include <stddef.h>

enum { FLAGS = 0xc802, FLAGS_MASK = 0xca0f };		/* 3.1: T, L, S set, O clear, version 2 */

/* Beside those of avp.h. */
enum kind { NONE = AVP_N_KINDS, Q931, PPP, ERRORS, ACCM };
enum { U16 = AVP_U16, U32 = AVP_U32, TIE = AVP_TIE, BYTES = AVP_BYTES, NAME = AVP_NAME, RESULT = AVP_RESULT };

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

/* Apple: host order, and stray octets behind. */
static void mend_result(struct l2tp_result *res)
{
	if (!(res->result & 0xff))
		*res = (struct l2tp_result){ .result = swap16(res->result), .error = swap16(res->error) };
}

/* The value of one AVP into its field, which keeps its old value when the length is wrong. */
static bool get(struct l2tp_msg *m, const struct row *row, struct rd r, bool lenient)
{
	void *to = (char *)m + row->off;
	struct l2tp_ppp_cause *c = to;
	struct l2tp_q931 *q = to;
	bool good;

	if (row->kind < AVP_N_KINDS) {
		good = avp_get((enum avp_kind)row->kind, to, r, lenient);
		if (good && row->kind == RESULT)
			mend_result(to);
		return good;
	}
	switch ((enum kind)row->kind) {
	case NONE:
		return !rd_left(&r);
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
	case ACCM:
		if (rd_left(&r) != (row->kind == ERRORS ? 26 : 10))
			return false;
		rd_u16(&r);
		for (unsigned i = 0; rd_left(&r); i++)
			((uint32_t *)to)[i] = rd_u32(&r);
		return true;
	}
	return false;
}

static void put(const struct l2tp_msg *m, const struct row *row, struct wr *w)
{
	const void *from = (const char *)m + row->off;
	const struct l2tp_q931 *q = from;
	const struct l2tp_ppp_cause *c = from;

	if (row->kind < AVP_N_KINDS) {
		avp_put((enum avp_kind)row->kind, from, w);
		return;
	}
	switch ((enum kind)row->kind) {
	case NONE:
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
	case ACCM:
		wr_u16(w, 0);
		for (unsigned i = 0; i < (row->kind == ERRORS ? 6 : 2); i++)
			wr_u32(w, ((const uint32_t *)from)[i]);
		break;
	}
}

static void decode_avp(struct l2tp_msg *m, struct avp_reader *d, struct avp *a)
{
	const struct row *row = a->bits & AVP_RSVD ? NULL : row_of(a->vendor, a->type);
	enum avp_revealed how;

	if (!row) {
		avp_unknown(&m->odd, a);
		return;
	}
	if (a->bits & AVP_H) {
		if (!row->hide) {
			avp_error(&m->odd, L2TP_E_VALUE, a->type);
			return;
		}
		how = avp_reveal(d, a, m->random_vector);
		if (how == AVP_UNREAD)
			m->unread |= L2TP_BIT(a->type);
		if (how != AVP_REVEALED)
			return;
	}
	if (a->type == L2TP_AVP_MSG_TYPE || !get(m, row, a->value, d->lenient)) {
		avp_error(&m->odd, a->type == L2TP_AVP_MSG_TYPE ? L2TP_E_VALUE : L2TP_E_LENGTH, a->type);
		return;
	}
	m->present |= L2TP_BIT(a->type);
	m->hidden &= ~L2TP_BIT(a->type);
	if (a->bits & AVP_H)
		m->hidden |= L2TP_BIT(a->type);
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
	struct avp_reader d = { .odd = &m->odd, .secret = secret, .scratch = scratch };
	struct avp a;

	*m = (struct l2tp_msg){ 0 };
	if (!decode_header(m, &d.r, buf, len))
		return false;
	if (!rd_left(&d.r))
		return true;				/* ZLB */
	if (!decode_type(m, &d.r))
		return false;
	d.lenient = m->type == L2TP_STOPCCN || m->type == L2TP_CDN;
	while (avp_next(&d, &a))
		decode_avp(m, &d, &a);
	for (unsigned i = N_ROWS; m->type < L2TP_N_MSGS && i--;) {
		if (!(rows[i].must >> m->type & 1) || m->present & L2TP_BIT(rows[i].type))
			continue;
		m->missing |= L2TP_BIT(rows[i].type);
		m->odd.missing_avp = rows[i].type;
	}
	if (l2tp_has(m, L2TP_AVP_CHALLENGE) && !m->challenge.n)
		avp_error(&m->odd, L2TP_E_LENGTH, L2TP_AVP_CHALLENGE);
	return d.lenient || !d.r.bad;
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
	uint8_t *opened = avp_open(w, (row->m ? AVP_M : 0) | (hide ? AVP_H : 0), row->type);

	put(m, row, w);
	avp_close(w, opened, secret, m->random_vector);
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
