/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "data.h"

#include <string.h>

#include "base/digest.h"

enum { F_T = 0x8000, F_L = 0x4000, F_S = 0x0800, F_O = 0x0200, F_VERSION = 0x000f };

/* What is left is a PPP frame. */
static bool ppp_frame(struct l2tp_data *ret, struct rd *r)
{
	if (rd_left(r) >= 2 && r->p[0] == 0xff && r->p[1] == 0x03)
		(void)rd_take(r, 2);
	ret->proto = rd_u8(r);
	if (!(ret->proto & 1))			/* RFC 1661 6.5: the last octet of a protocol number is odd */
		ret->proto = (uint16_t)(ret->proto << 8 | rd_u8(r));
	ret->info = rd_rest(r);
	return !r->bad;
}

bool l2tp_data_decode(struct l2tp_data *ret, const void *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	unsigned flags = rd_u16(&r), length;

	*ret = (struct l2tp_data){ 0 };
	if (r.bad || flags & F_T || (flags & F_VERSION) != 2)
		return false;
	if (flags & F_L) {
		length = rd_u16(&r);
		if (r.bad || length > len || length < 8)
			return false;
		r.end = (const uint8_t *)buf + length;
	}
	ret->tunnel_id = rd_u16(&r);
	ret->session_id = rd_u16(&r);
	if (flags & F_S)
		(void)rd_u32(&r);		/* Ns, Nr */
	if (flags & F_O)
		(void)rd_take(&r, rd_u16(&r));
	return ppp_frame(ret, &r) && ret->tunnel_id && ret->session_id;
}

void l2tp_data_header(uint8_t out[L2TP_DATA_HEADER], uint16_t peer_tunnel_id, uint16_t peer_session_id, uint16_t proto)
{
	put_u16(out, 0x0002);
	put_u16(out + 2, peer_tunnel_id);
	put_u16(out + 4, peer_session_id);
	put_u16(out + 6, 0xff03);
	put_u16(out + 8, proto);
}

uint32_t v3_data_session(const void *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	unsigned flags = rd_u16(&r);
	uint32_t id;

	(void)rd_u16(&r);			/* 4.1.2.1: reserved */
	id = rd_u32(&r);
	return r.bad || flags & F_T || (flags & F_VERSION) != 3 ? 0 : id;
}

bool v3_data_decode(struct l2tp_data *ret, const void *buf, size_t len, const struct v3_side *own)
{
	struct rd r = rd_init(buf, len);
	struct span cookie;

	*ret = (struct l2tp_data){ 0 };
	(void)rd_take(&r, 8);
	cookie = rd_span(&r, own->cookie.len);
	if (r.bad || !span_same((struct span){ own->cookie.octets, own->cookie.len }, cookie))
		return false;
	if (own->l2spec)
		(void)rd_u32(&r);		/* 4.6: sequence numbers are the kernel's business */
	return ppp_frame(ret, &r);
}

size_t v3_data_header(uint8_t out[V3_DATA_HEADER], uint32_t peer_session_id, const struct v3_side *peer, uint16_t proto)
{
	uint8_t *p = out + 8;

	put_u32(out, 3 << 16);
	put_u32(out + 4, peer_session_id);
	memcpy(p, peer->cookie.octets, peer->cookie.len);
	p += peer->cookie.len;
	if (peer->l2spec) {
		put_u32(p, 0);
		p += 4;
	}
	put_u16(p, 0xff03);
	put_u16(p + 2, proto);
	return (size_t)(p + 4 - out);
}
