/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rec.h"

enum { LONG = 255 };			/* the length stands in four octets */

static void head(struct wr *w, unsigned tag, size_t n)
{
	wr_u8(w, tag);
	if (n < LONG) {
		wr_u8(w, n);
	} else {
		wr_u8(w, LONG);
		wr_u32(w, n);
	}
}

static inline void number(struct wr *w, unsigned tag, uint64_t v)
{
	unsigned n = (unsigned)(71 - __builtin_clzll(v)) / 8;
	bool room = w->end - w->p >= 10;	/* then all eight octets are stored, and those beyond n written over later */
	uint8_t *p = wr_take(w, 2 + n);

	if (!p)
		return;
	p[0] = (uint8_t)tag;
	p[1] = (uint8_t)n;
	if (room) {
		v = v << (64 - 8 * n);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		v = __builtin_bswap64(v);
#endif
		memcpy(p + 2, &v, sizeof(v));
		return;
	}
	for (p += 2; n--; p++)
		*p = (uint8_t)(v >> 8 * n);
}

void rec_u(struct wr *w, unsigned tag, uint64_t v)
{
	if (v)
		number(w, tag, v);
}

void rec_octets(struct wr *w, unsigned tag, const void *p, size_t n)
{
	if (!n)
		return;
	head(w, tag, n);
	wr_bytes(w, p, n);
}

uint8_t *rec_open(struct wr *w, unsigned tag)
{
	wr_u8(w, tag);
	wr_u8(w, LONG);
	return wr_take(w, 4);
}

void rec_close(struct wr *w, uint8_t *opened)
{
	if (!w->bad)
		put_u32(opened, (uint32_t)(w->p - opened - 4));
}

static inline uint64_t get8(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void set(void *p, unsigned size, uint64_t v)
{
	uint32_t v4 = (uint32_t)v;
	uint16_t v2 = (uint16_t)v;

	switch (size) {
	case 1:
		*(uint8_t *)p = (uint8_t)v;
		break;
	case 2:
		memcpy(p, &v2, sizeof(v2));
		break;
	case 4:
		memcpy(p, &v4, sizeof(v4));
		break;
	case 8:
		memcpy(p, &v, sizeof(v));
		break;
	}
}

static size_t without_zeros(const uint8_t *p, size_t n)
{
	while (n >= 8 && !get8(p + n - 8))
		n -= 8;
	while (n && !p[n - 1])
		n--;
	return n;
}

void rec_save(struct wr *w, const struct rec_row *row, size_t n, const void *obj)
{
	for (; n--; row++) {
		const uint8_t *p = (const uint8_t *)obj + row->off;
		uint64_t v = 0;
		uint32_t v4;
		uint16_t v2;

		switch ((enum rec_kind)row->kind) {
		case REC_U:
		case REC_BOOL:
			v = *p;
			break;
		case REC_U16:
			memcpy(&v2, p, sizeof(v2));
			v = v2;
			break;
		case REC_U32:
			memcpy(&v4, p, sizeof(v4));
			v = v4;
			break;
		case REC_U64:
			v = get8(p);
			break;
		case REC_TIME:
			v = get8(p) + 1;	/* NEVER is the default */
			break;
		case REC_TEXT:
			if (*p)
				rec_octets(w, row->tag, p, strnlen((const char *)p, row->size - 1u));
			break;
		case REC_OCTETS:
			rec_octets(w, row->tag, p, without_zeros(p, row->size));
			break;
		}
		if (v)
			number(w, row->tag, v);
	}
}

void rec_default(const struct rec_row *row, size_t n, void *obj)
{
	for (; n--; row++) {
		uint8_t *p = (uint8_t *)obj + row->off;

		memset(p, row->kind == REC_TIME ? 0xff : 0, row->size);
	}
}

bool rec_number(struct span value, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (value.n > 8)
		return false;
	for (size_t i = 0; i < value.n; i++)
		v = v << 8 | value.p[i];
	*ret = v;
	return v <= max;
}

static bool load(const struct rec_row *row, uint8_t *p, struct span value)
{
	uint64_t v, max = UINT64_MAX >> (64 - 8 * (row->size < 8 ? row->size : 8));

	switch ((enum rec_kind)row->kind) {
	case REC_U: case REC_U16: case REC_U32: case REC_U64: case REC_BOOL:
		max = row->kind == REC_BOOL ? 1 : row->max ? row->max : max;
		if (!rec_number(value, max, &v))
			return false;
		set(p, row->size, v);
		return true;
	case REC_TIME:
		if (!rec_number(value, UINT64_MAX, &v))
			return false;
		set(p, row->size, v - 1);
		return true;
	case REC_TEXT:
		if (value.n >= row->size || memchr(value.p, 0, value.n))
			return false;
		break;
	case REC_OCTETS:
		if (value.n > row->size)
			return false;
		break;
	}
	memcpy(p, value.p, value.n);
	memset(p + value.n, 0, row->size - value.n);
	return true;
}

bool rec_load(const struct rec_row *row, size_t n, void *obj, unsigned tag, struct span value)
{
	for (; n; n--, row++)
		if (row->tag == tag)
			return load(row, (uint8_t *)obj + row->off, value);
	return true;
}

bool rec_next(struct rd *r, unsigned *ret_tag, struct span *ret_value)
{
	size_t n;

	if (!rd_left(r))
		return false;
	*ret_tag = rd_u8(r);
	n = rd_u8(r);
	if (n == LONG)
		n = rd_u32(r);
	*ret_value = rd_span(r, n);
	if (!*ret_tag)
		r->bad = true;
	return !r->bad;
}
