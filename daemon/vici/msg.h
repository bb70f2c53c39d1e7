/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VICI's wire format (strongSwan, src/libcharon/plugins/vici/README.md): packets
 * of a 32-bit length and a type, messages of nested sections, keys and lists.
 * Values are octets, in practice text; names are at most 255 octets. */
#pragma once

#include "base/pkt.h"

enum {
	VICI_PACKET_MAX = 512 * 1024,	/* octets behind the length, as charon's own limit */
	VICI_NAME_MAX = 255,
	VICI_DEPTH_MAX = 16,		/* sections in sections; charon's messages have five */
};

enum vici_packet {
	VICI_CMD_REQUEST, VICI_CMD_RESPONSE, VICI_CMD_UNKNOWN, VICI_EVENT_REGISTER, VICI_EVENT_UNREGISTER,
	VICI_EVENT_CONFIRM, VICI_EVENT_UNKNOWN, VICI_EVENT, VICI_PACKET_N
};

enum vici_element {
	VICI_SECTION_START = 1, VICI_SECTION_END, VICI_KEY_VALUE, VICI_LIST_START, VICI_LIST_ITEM, VICI_LIST_END
};

/* True when a message is whole: known elements, balanced, lists of items only, no deeper than VICI_DEPTH_MAX.  What
 * follows reads messages that were found so; of others it reads what it can, never out of bounds. */
bool vici_valid(struct span msg);

/* One thing in a section or list.  type: VICI_KEY_VALUE, VICI_LIST_ITEM (no name), VICI_SECTION_START, VICI_LIST_START; of
 * the last two value is what stands inside, to be walked in turn.  Points into the message. */
struct vici_item { uint8_t type; struct span name, value; };

/* The next one at this level; false at its end.  r: rd_init() of a message or of an item's value. */
bool vici_next(struct rd *r, struct vici_item *ret);
/* The value of the first key, section or list with this name at the top of msg; .p NULL: there is none. */
struct span vici_get(struct span msg, const char *name);
bool vici_is(struct span value, const char *text);
/* A decimal or (hex) hexadecimal number; 0 for what is none or does not fit. */
uint64_t vici_number(struct span value, bool hex);
/* At most size - 1 octets as text without control characters; returns buf. */
const char *vici_text(struct span value, char *buf, size_t size);

/* Writers; a name or value that is too long, or no room, makes w bad. */
void vici_section(struct wr *w, const char *name);
void vici_section_end(struct wr *w);
void vici_key(struct wr *w, const char *name, const char *value);
void vici_key_span(struct wr *w, const char *name, struct span value);
void vici_list(struct wr *w, const char *name);
void vici_list_item(struct wr *w, const char *value);
void vici_list_item_span(struct wr *w, struct span value);
void vici_list_end(struct wr *w);
/* A list of one. */
void vici_list_of(struct wr *w, const char *name, const char *value);

/* A packet with its length in front: type, name (NULL: types that have none), message. */
void vici_packet(struct wr *w, enum vici_packet type, const char *name, struct span msg);
