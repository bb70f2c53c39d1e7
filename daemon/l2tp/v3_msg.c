/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "v3_msg.h"

#include <stddef.h>

#include "base/digest.h"
#include "base/names.h"

enum { FLAGS = 0xc800, FLAGS_MASK = 0xc800, VERSION = 0x000f };	/* 3.2.1: T, L and S; all other bits are ignored */
enum { AVP_EXTENDED_VENDOR = 58, AVP_DIGEST = 59, FIRST_V3_AVP = 58 };

/* Beside those of avp.h. */
enum kind { COOKIE = AVP_N_KINDS, CAPS, ERRORS };
enum { U16 = AVP_U16, U32 = AVP_U32, U64 = AVP_U64, TIE = AVP_TIE, BYTES = AVP_BYTES, NAME = AVP_NAME, RESULT = AVP_RESULT };

#define IN(t) (UINT32_C(1) << V3_##t)
#define ALL   (~UINT32_C(0))
#define RQ    (IN(ICRQ) | IN(OCRQ))
#define RP    (IN(ICRP) | IN(OCRP))
#define CN    (IN(ICCN) | IN(OCCN))
#define START (IN(SCCRQ) | IN(SCCRP))
#define CALLS (RQ | RP | CN | IN(CDN) | IN(WEN) | IN(SLI))
#define AT(f) offsetof(struct v3_msg, f)

/* RFC 3931 5.4: M bit, whether it may be hidden, and the messages of section 6 that must carry it. */
static const struct row {
	uint8_t type, kind;
	bool m, hide;
	uint16_t off;
	uint32_t must;
} rows[V3_N_AVPS] = {
	/*                           type kind    M  hide  field                   must */
	[V3_AVP_MSG_TYPE]          = {  0, U16,    1, 0, AT(type),                 ALL & ~IN(ZLB) },
	[V3_AVP_RANDOM_VECTOR]     = { 36, BYTES,  1, 0, AT(random_vector),        0 },
	[V3_AVP_RESULT_CODE]       = {  1, RESULT, 1, 0, AT(result),               IN(STOPCCN) | IN(CDN) },
	[V3_AVP_TIE_BREAKER]       = {  5, TIE,    1, 0, AT(tie_breaker),          0 },
	[V3_AVP_NONCE]             = { 73, BYTES,  1, 0, AT(nonce),                0 },
	[V3_AVP_HOST_NAME]         = {  7, NAME,   1, 0, AT(host_name),            START },
	[V3_AVP_ROUTER_ID]         = { 60, U32,    1, 0, AT(router_id),            START },
	[V3_AVP_VENDOR_NAME]       = {  8, BYTES,  0, 1, AT(vendor_name),          0 },
	[V3_AVP_ASSIGNED_CC_ID]    = { 61, U32,    1, 1, AT(assigned_cc_id),       START },
	[V3_AVP_RWS]               = { 10, U16,    1, 0, AT(rws),                  0 },
	[V3_AVP_PW_CAPS]           = { 62, CAPS,   1, 1, AT(pw_caps),              START },
	[V3_AVP_LANGUAGE]          = { 72, BYTES,  0, 1, AT(language),             0 },
	[V3_AVP_LOCAL_SESSION_ID]  = { 63, U32,    1, 1, AT(local_session_id),     CALLS },
	[V3_AVP_REMOTE_SESSION_ID] = { 64, U32,    1, 1, AT(remote_session_id),    CALLS },
	[V3_AVP_COOKIE]            = { 65, COOKIE, 1, 1, AT(cookie),               0 },
	[V3_AVP_SERIAL]            = { 15, U32,    0, 1, AT(serial),               RQ },
	[V3_AVP_REMOTE_END_ID]     = { 66, BYTES,  1, 1, AT(remote_end_id),        RQ },
	[V3_AVP_PW_TYPE]           = { 68, U16,    1, 1, AT(pw_type),              RQ },
	[V3_AVP_L2SPEC]            = { 69, U16,    1, 1, AT(l2spec),               0 },
	[V3_AVP_SEQUENCING]        = { 70, U16,    1, 1, AT(sequencing),           0 },
	[V3_AVP_TX_SPEED]          = { 74, U64,    0, 1, AT(tx_speed),             0 },
	[V3_AVP_RX_SPEED]          = { 75, U64,    0, 1, AT(rx_speed),             0 },
	[V3_AVP_PHYSICAL_CHANNEL]  = { 25, U32,    0, 1, AT(physical_channel),     0 },
	[V3_AVP_CIRCUIT_STATUS]    = { 71, U16,    1, 1, AT(circuit_status),       RQ | RP },
	[V3_AVP_CIRCUIT_ERRORS]    = { 34, ERRORS, 0, 1, AT(circuit_errors),       IN(WEN) },
};

static unsigned row_of(unsigned vendor, unsigned type)
{
	unsigned i = 0;

	while (i < V3_N_AVPS && (vendor || rows[i].type != type))
		i++;
	return i;
}

const char *v3_avp_name(enum v3_avp avp)
{
	return avp < V3_N_AVPS ? l2tp_avp_name(rows[avp].type) : "?";
}

size_t v3_digest_len(unsigned type)
{
	return type == V3_HMAC_MD5 ? MD5_LEN : type == V3_HMAC_SHA1 ? SHA1_LEN : 0;
}

static bool get_caps(uint32_t *to, struct rd *r)
{
	*to = 0;
	while (rd_left(r)) {
		unsigned type = rd_u16(r);

		if (!r->bad && type < 32)
			*to |= UINT32_C(1) << type;
	}
	return !r->bad;
}

/* RFC 3931 prints four counters and the length of six: RFC 2661's first two, CRC and framing errors, may be there or not. */
static bool get_errors(uint32_t to[4], struct rd *r)
{
	size_t n = rd_left(r);

	if (n != 18 && n != 26)
		return false;
	rd_take(r, n - 16);
	for (unsigned i = 0; i < 4; i++)
		to[i] = rd_u32(r);
	return true;
}

/* The value of one AVP into its field, which keeps its old value when the length is wrong. */
static bool get(struct v3_msg *m, const struct row *row, struct rd r, bool lenient)
{
	void *to = (char *)m + row->off;
	struct v3_cookie *c = to;
	struct span s;

	if (row->kind < AVP_N_KINDS)
		return avp_get((enum avp_kind)row->kind, to, r, lenient);
	switch ((enum kind)row->kind) {
	case COOKIE:
		s = rd_rest(&r);
		if (s.n != 0 && s.n != 4 && s.n != 8)
			return false;
		c->len = (uint8_t)s.n;
		if (s.n)
			memcpy(c->octets, s.p, s.n);
		return true;
	case CAPS:
		return !(rd_left(&r) % 2) && get_caps(to, &r);
	case ERRORS:
		return get_errors(to, &r);
	}
	return false;
}

static void put(const struct v3_msg *m, const struct row *row, struct wr *w)
{
	const void *from = (const char *)m + row->off;
	const struct v3_cookie *c = from;
	uint32_t caps;

	if (row->kind < AVP_N_KINDS) {
		avp_put((enum avp_kind)row->kind, from, w);
		return;
	}
	switch ((enum kind)row->kind) {
	case COOKIE:
		wr_bytes(w, c->octets, c->len);
		break;
	case CAPS:
		caps = *(const uint32_t *)from;
		for (unsigned i = 0; i < 32; i++)
			if (caps >> i & 1)
				wr_u16(w, i);
		break;
	case ERRORS:
		wr_u16(w, 0);
		wr_u64(w, 0);
		for (unsigned i = 0; i < 4; i++)
			wr_u32(w, ((const uint32_t *)from)[i]);
		break;
	}
}

static void decode_avp(struct v3_msg *m, struct avp_reader *d, struct avp *a)
{
	unsigned avp = row_of(a->vendor, a->type);
	enum avp_revealed how;
	bool vital;

	if (!a->vendor && (a->type == AVP_EXTENDED_VENDOR || a->type == AVP_DIGEST))
		return;
	if (avp == V3_N_AVPS) {
		/* 5.2; in an SCCRQ of both versions those of the other one are ignored (4.7.3) */
		if (!m->v2 || a->vendor || a->type >= FIRST_V3_AVP)
			avp_unknown(&m->odd, a);
		return;
	}
	/* 7.1: what is malformed is as if it were absent when its M bit is clear; but a cookie cannot be ignored */
	vital = a->bits & AVP_M || avp == V3_AVP_COOKIE;
	if (avp == V3_AVP_MSG_TYPE || (a->bits & AVP_H && !rows[avp].hide)) {
		if (vital)
			avp_error(&m->odd, L2TP_E_VALUE, a->type);
		return;
	}
	if (a->bits & AVP_H) {
		how = avp_reveal(d, a, m->random_vector);
		if (how == AVP_UNREAD)
			m->unread |= V3_BIT(avp);
		if (how != AVP_REVEALED)
			return;
	}
	if (!get(m, &rows[avp], a->value, d->lenient)) {
		if (vital)
			avp_error(&m->odd, L2TP_E_LENGTH, a->type);
		return;
	}
	m->present |= V3_BIT(avp);
	m->hidden &= ~V3_BIT(avp);
	if (a->bits & AVP_H)
		m->hidden |= V3_BIT(avp);
}

/* 5.4.1: Message Type comes first, with 8 octets, in the clear. */
static bool decode_type(struct v3_msg *m, struct rd *r)
{
	unsigned bits = rd_u16(r), type;

	m->type_vendor = rd_u16(r);
	type = rd_u16(r);
	m->type = rd_u16(r);
	m->type_m = bits & AVP_M;
	m->present = V3_BIT(V3_AVP_MSG_TYPE);
	if (r->bad || (bits & (AVP_H | AVP_LEN)) != 8 || type)
		return false;
	if (m->type_vendor)
		m->type = UINT16_MAX;		/* no number of ours */
	return m->type;
}

static bool decode_header(struct v3_msg *m, struct rd *r, const void *buf, size_t len)
{
	unsigned flags, length;

	*r = rd_init(buf, len);
	flags = rd_u16(r);
	length = rd_u16(r);
	m->cc_id = rd_u32(r);
	m->ns = rd_u16(r);
	m->nr = rd_u16(r);
	m->v2 = (flags & VERSION) == 2;
	if (r->bad || (flags & FLAGS_MASK) != FLAGS || length < V3_HDR_LEN || length > len)
		return false;
	if ((flags & VERSION) != 3 && !m->v2)
		return false;
	r->end = r->p + (length - V3_HDR_LEN);
	return true;
}

bool v3_decode(struct v3_msg *m, const void *buf, size_t len, struct span hide_key, uint8_t *scratch)
{
	struct avp_reader d = { .odd = &m->odd, .secret = hide_key, .scratch = scratch };
	struct avp a;

	*m = (struct v3_msg){ 0 };
	if (!decode_header(m, &d.r, buf, len))
		return false;
	if (!rd_left(&d.r))
		return !m->v2;				/* 6.15: ZLB */
	if (!decode_type(m, &d.r) || (m->v2 && (m->type != V3_SCCRQ || m->cc_id)))
		return false;
	d.lenient = m->type == V3_STOPCCN || m->type == V3_CDN;
	while (avp_next(&d, &a))
		decode_avp(m, &d, &a);
	for (unsigned i = V3_N_AVPS; m->type < V3_N_MSGS && i--;) {
		if (!(rows[i].must >> m->type & 1) || m->present & V3_BIT(i))
			continue;
		m->missing |= V3_BIT(i);
		m->odd.missing_avp = rows[i].type;
	}
	return (d.lenient || !d.r.bad) && (!m->v2 || v3_has(m, V3_AVP_ASSIGNED_CC_ID));
}

bool v3_peek(const void *buf, size_t len, uint32_t *ret_cc_id)
{
	struct v3_msg m;
	struct rd r;

	if (!decode_header(&m, &r, buf, len) || m.v2)
		return false;
	*ret_cc_id = m.cc_id;
	return true;
}

bool v3_offered(const void *buf, size_t len)
{
	struct v3_msg m;

	return v3_decode(&m, buf, len, (struct span){ NULL, 0 }, NULL) && m.v2;
}

/* 4.7.3: what only L2TPv3 knows must not be mandatory, and the Tie Breaker of L2TPv2 never is. */
static bool mandatory(const struct v3_msg *m, unsigned avp)
{
	return rows[avp].m && !(m->v2 && (rows[avp].type >= FIRST_V3_AVP || avp == V3_AVP_TIE_BREAKER));
}

static void encode_avp(struct wr *w, const struct v3_msg *m, unsigned avp, struct span hide_key)
{
	bool hide = rows[avp].hide && m->hidden & V3_BIT(avp);
	uint8_t *opened = avp_open(w, (mandatory(m, avp) ? AVP_M : 0) | (hide ? AVP_H : 0), rows[avp].type);

	put(m, &rows[avp], w);
	avp_close(w, opened, hide_key, m->random_vector);
}

static void encode_digest(struct wr *w, const struct v3_msg *m, unsigned type)
{
	size_t n = v3_digest_len(type);
	uint8_t *p;

	wr_u16(w, (n + 7) | (m->v2 ? 0 : AVP_M));
	wr_u16(w, 0);
	wr_u16(w, AVP_DIGEST);
	wr_u8(w, type);
	p = wr_take(w, n);
	if (p)
		memset(p, 0, n);
}

/* RFC 2661 6.1: what L2TPv2 demands of an SCCRQ beside what both versions have. */
static void encode_v2(struct wr *w, const struct v3_msg *m)
{
	static const struct { uint8_t type, len; uint32_t value; } avp[] = {
		{ L2TP_AVP_PROTOCOL_VERSION, 8, L2TP_PROTOCOL_VERSION }, { L2TP_AVP_FRAMING_CAPS, 10, 3 },
		{ L2TP_AVP_BEARER_CAPS, 10, 3 }, { L2TP_AVP_ASSIGNED_TUNNEL_ID, 8, 0 },
	};

	for (unsigned i = 0; i < sizeof(avp) / sizeof(avp[0]); i++) {
		uint32_t value = avp[i].type == L2TP_AVP_ASSIGNED_TUNNEL_ID ? m->v2_tunnel_id : avp[i].value;

		wr_u16(w, AVP_M | avp[i].len);
		wr_u16(w, 0);
		wr_u16(w, avp[i].type);
		if (avp[i].len == 8)
			wr_u16(w, value);
		else
			wr_u32(w, value);
	}
}

size_t v3_encode(const struct v3_msg *m, void *buf, size_t size, struct span hide_key)
{
	struct wr w = wr_init(buf, size);

	wr_u16(&w, FLAGS | (m->v2 ? 2 : 3));
	wr_u16(&w, 0);
	wr_u32(&w, m->cc_id);
	wr_u16(&w, m->ns);
	wr_u16(&w, m->nr);
	for (unsigned i = 0; m->type && i < V3_N_AVPS && !w.bad; i++) {
		if (i == V3_AVP_MSG_TYPE || m->present & V3_BIT(i))
			encode_avp(&w, m, i, hide_key);
		for (unsigned d = 0; i == V3_AVP_MSG_TYPE && d < m->n_digests; d++)
			encode_digest(&w, m, m->digest_type[d]);	/* 5.4.1: immediately after Message Type */
	}
	if (m->v2)
		encode_v2(&w, m);
	if (w.bad || wr_len(&w) > UINT16_MAX)
		return 0;
	put_u16(w.base + 2, (unsigned)wr_len(&w));
	return wr_len(&w);
}
