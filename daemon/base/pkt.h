/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounded cursors over network-order bytes, the only way to touch a packet.
 * Failure is sticky: read or write every field in a straight line, then test
 * ->bad once.  A failed read yields 0; nothing is ever read or written out of
 * bounds.  Values are in host order, octets on the wire in network order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span { const uint8_t *p; size_t n; };
struct rd { const uint8_t *p, *end; bool bad; };
struct wr { uint8_t *base, *p, *end; bool bad; };

static inline struct rd rd_init(const void *p, size_t n)
{
	return (struct rd){ p, p ? (const uint8_t *)p + n : NULL, false };
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

static inline const uint8_t *rd_take(struct rd *r, size_t n)
{
	if (r->bad || (size_t)(r->end - r->p) < n) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return r->p - n;
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = rd_take(r, 1);

	return p ? *p : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
	const uint8_t *p = rd_take(r, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
	uint32_t hi = rd_u16(r);

	return hi << 16 | rd_u16(r);
}

static inline uint64_t rd_u64(struct rd *r)
{
	uint64_t hi = rd_u32(r);

	return hi << 32 | rd_u32(r);
}

/* The next n octets as a cursor of their own: a child cannot read past its parent. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
	const uint8_t *p = rd_take(r, n);

	return p ? rd_init(p, n) : (struct rd){ .bad = true };
}

/* The next n octets; points into the parent's buffer. */
static inline struct span rd_span(struct rd *r, size_t n)
{
	const uint8_t *p = rd_take(r, n);

	return p ? (struct span){ p, n } : (struct span){ NULL, 0 };
}

static inline struct span rd_rest(struct rd *r)
{
	return rd_span(r, rd_left(r));
}

static inline struct wr wr_init(void *p, size_t n)
{
	return (struct wr){ p, p, (uint8_t *)p + n, false };
}

/* Octets written so far. */
static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->base);
}

static inline uint8_t *wr_take(struct wr *w, size_t n)
{
	if (w->bad || (size_t)(w->end - w->p) < n) {
		w->bad = true;
		return NULL;
	}
	w->p += n;
	return w->p - n;
}

static inline void put_u16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, v >> 16);
	put_u16(p + 2, v & 0xffff);
}

/* A value that does not fit is refused, never truncated. */
static inline void wr_u8(struct wr *w, uint64_t v)
{
	uint8_t *p = wr_take(w, 1);

	if (v > UINT8_MAX)
		w->bad = true;
	else if (p)
		*p = (uint8_t)v;
}

static inline void wr_u16(struct wr *w, uint64_t v)
{
	uint8_t *p = wr_take(w, 2);

	if (v > UINT16_MAX)
		w->bad = true;
	else if (p)
		put_u16(p, (unsigned)v);
}

static inline void wr_u32(struct wr *w, uint64_t v)
{
	uint8_t *p = wr_take(w, 4);

	if (v > UINT32_MAX)
		w->bad = true;
	else if (p)
		put_u32(p, (uint32_t)v);
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, v >> 32);
	wr_u32(w, v & UINT32_MAX);
}

static inline void wr_bytes(struct wr *w, const void *b, size_t n)
{
	uint8_t *p = wr_take(w, n);

	if (p && n)
		memcpy(p, b, n);
}
