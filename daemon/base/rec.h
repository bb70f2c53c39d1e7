/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records that say themselves what is in them: a checkpoint outlives the program
 * that wrote it.  A field is its tag (1..255), its length and its octets; who does
 * not know a tag skips it, and what is missing has its default.  Length: one octet,
 * or 255 and four.  Numbers stand in network order without leading zeros; zero is
 * not written at all. */
#pragma once

#include <stddef.h>

#include "env.h"
#include "pkt.h"

enum rec_kind {
	REC_U,		/* host order; one octet, the macros below choose among these four by the member's size: */
	REC_U16, REC_U32, REC_U64,
	REC_BOOL,
	REC_TIME,	/* ms_t; its default is NEVER */
	REC_TEXT,	/* char[size], terminated */
	REC_OCTETS,	/* uint8_t[size]; zeros at the end are not written */
};

/* How one member of a struct stands in a record.  Tags are for ever: a member that goes takes its tag along. */
struct rec_row { uint8_t tag, kind; uint16_t off, size; uint32_t max; };	/* REC_U: max 0 is no bound */

#define REC_SIZE(type, member) sizeof(((type *)0)->member)
#define REC_KIND(kind, size) \
	((kind) != REC_U ? (kind) : (size) == 2 ? REC_U16 : (size) == 4 ? REC_U32 : (size) == 8 ? REC_U64 : REC_U)
#define REC_ROW(tag, kind, type, member) \
	{ tag, REC_KIND(kind, REC_SIZE(type, member)), offsetof(type, member), REC_SIZE(type, member), 0 }
#define REC_MAX(tag, type, member, max) \
	{ tag, REC_KIND(REC_U, REC_SIZE(type, member)), offsetof(type, member), REC_SIZE(type, member), max }

/* Appends what obj has in these members. */
void rec_save(struct wr *w, const struct rec_row *rows, size_t n, const void *obj);
/* Sets these members of obj to their defaults. */
void rec_default(const struct rec_row *rows, size_t n, void *obj);
/* Takes over one field if a row knows its tag.  False: its value is too long or too large for the member. */
bool rec_load(const struct rec_row *rows, size_t n, void *obj, unsigned tag, struct span value);

/* One field; rec_u writes nothing for 0, rec_octets nothing for n == 0. */
void rec_u(struct wr *w, unsigned tag, uint64_t v);
void rec_octets(struct wr *w, unsigned tag, const void *p, size_t n);
/* A field that holds a record: what is written until rec_close(w, rec_open(...)) is its value. */
uint8_t *rec_open(struct wr *w, unsigned tag);
void rec_close(struct wr *w, uint8_t *opened);

/* The next field; false at the end or (r->bad) where the record is broken. */
bool rec_next(struct rd *r, unsigned *ret_tag, struct span *ret_value);
/* A number of up to 8 octets; false: longer, or above max. */
bool rec_number(struct span value, uint64_t max, uint64_t *ret);
