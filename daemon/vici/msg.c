/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "msg.h"

/* One element; false when it is none. */
static bool element(struct rd *r, struct vici_item *ret)
{
	*ret = (struct vici_item){ .type = rd_u8(r) };
	switch (ret->type) {
	case VICI_SECTION_START: case VICI_LIST_START:
		ret->name = rd_span(r, rd_u8(r));
		break;
	case VICI_KEY_VALUE:
		ret->name = rd_span(r, rd_u8(r));
		ret->value = rd_span(r, rd_u16(r));
		break;
	case VICI_LIST_ITEM:
		ret->value = rd_span(r, rd_u16(r));
		break;
	case VICI_SECTION_END: case VICI_LIST_END:
		break;
	default:			/* octets of somebody else */
		r->bad = true;
	}
	return !r->bad;
}

bool vici_valid(struct span msg)
{
	struct rd r = rd_init(msg.p, msg.n);
	struct vici_item it;
	unsigned depth = 0;
	bool list = false;

	while (rd_left(&r)) {
		if (!element(&r, &it))
			return false;
		if (list != (it.type == VICI_LIST_ITEM || it.type == VICI_LIST_END))
			return false;
		if (it.type == VICI_SECTION_START && ++depth > VICI_DEPTH_MAX)
			return false;
		if (it.type == VICI_SECTION_END && !depth--)
			return false;
		if (it.type == VICI_LIST_START)
			list = true;
		if (it.type == VICI_LIST_END)
			list = false;
	}
	return !r.bad && !depth && !list;
}

bool vici_next(struct rd *r, struct vici_item *ret)
{
	const uint8_t *inside, *end;
	struct vici_item it;
	unsigned depth = 1;

	if (!rd_left(r) || !element(r, ret) || ret->type == VICI_SECTION_END || ret->type == VICI_LIST_END)
		return false;
	if (ret->type != VICI_SECTION_START && ret->type != VICI_LIST_START)
		return true;
	for (inside = end = r->p; depth; ) {
		end = r->p;
		if (!rd_left(r) || !element(r, &it))
			return false;
		depth += it.type == VICI_SECTION_START || it.type == VICI_LIST_START;
		depth -= it.type == VICI_SECTION_END || it.type == VICI_LIST_END;
	}
	ret->value = (struct span){ inside, (size_t)(end - inside) };
	return true;
}

bool vici_is(struct span value, const char *text)
{
	size_t n = strlen(text);

	return value.p && value.n == n && (!n || !memcmp(value.p, text, n));
}

struct span vici_get(struct span msg, const char *name)
{
	struct rd r = rd_init(msg.p, msg.n);
	struct vici_item it;

	while (vici_next(&r, &it))
		if (it.type != VICI_LIST_ITEM && vici_is(it.name, name))
			return it.value;
	return (struct span){ NULL, 0 };
}

uint64_t vici_number(struct span value, bool hex)
{
	unsigned base = hex ? 16 : 10, digit;
	uint64_t v = 0;

	if (!value.p)
		return 0;
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (hex && (c | 32) >= 'a' && (c | 32) <= 'f')
			digit = (c | 32) - 'a' + 10U;
		else
			return 0;
		if (v > (UINT64_MAX - digit) / base)
			return 0;
		v = v * base + digit;
	}
	return v;
}

const char *vici_text(struct span value, char *buf, size_t size)
{
	size_t n = 0;

	for (; value.p && n < value.n && n + 1 < size; n++)
		buf[n] = value.p[n] < ' ' || value.p[n] == 0x7f ? '?' : (char)value.p[n];
	if (size)
		buf[n] = '\0';
	return buf;
}

static void name_of(struct wr *w, const char *name)
{
	wr_u8(w, strlen(name));
	wr_bytes(w, name, strlen(name));
}

static void value_of(struct wr *w, struct span value)
{
	wr_u16(w, value.n);
	wr_bytes(w, value.p, value.n);
}

static struct span text_span(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

void vici_section(struct wr *w, const char *name)
{
	wr_u8(w, VICI_SECTION_START);
	name_of(w, name);
}

void vici_section_end(struct wr *w)
{
	wr_u8(w, VICI_SECTION_END);
}

void vici_key_span(struct wr *w, const char *name, struct span value)
{
	wr_u8(w, VICI_KEY_VALUE);
	name_of(w, name);
	value_of(w, value);
}

void vici_key(struct wr *w, const char *name, const char *value)
{
	vici_key_span(w, name, text_span(value));
}

void vici_list(struct wr *w, const char *name)
{
	wr_u8(w, VICI_LIST_START);
	name_of(w, name);
}

void vici_list_item_span(struct wr *w, struct span value)
{
	wr_u8(w, VICI_LIST_ITEM);
	value_of(w, value);
}

void vici_list_item(struct wr *w, const char *value)
{
	vici_list_item_span(w, text_span(value));
}

void vici_list_end(struct wr *w)
{
	wr_u8(w, VICI_LIST_END);
}

void vici_list_of(struct wr *w, const char *name, const char *value)
{
	vici_list(w, name);
	vici_list_item(w, value);
	vici_list_end(w);
}

void vici_packet(struct wr *w, enum vici_packet type, const char *name, struct span msg)
{
	size_t n = 1 + (name ? 1 + strlen(name) : 0) + msg.n;

	if (n > VICI_PACKET_MAX)
		w->bad = true;
	wr_u32(w, n);
	wr_u8(w, type);
	if (name)
		name_of(w, name);
	wr_bytes(w, msg.p, msg.n);
}
