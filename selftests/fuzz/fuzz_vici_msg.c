/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VICI messages: what is valid is what a walk over it writes again, octet for octet; of the rest nothing is read that is
 * not there. */
#include <stdlib.h>

#include "vici/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void name_of(char *name, struct span s)
{
	if (s.n > VICI_NAME_MAX)
		abort();
	memcpy(name, s.p, s.n);
	name[s.n] = '\0';
	if (strlen(name) != s.n)
		name[0] = '\0';			/* a NUL inside: the writers take text */
}

/* Writes the level again; *whole becomes false when a name was not text. */
static void again(struct wr *w, struct span msg, bool *whole, unsigned depth)
{
	struct rd r = rd_init(msg.p, msg.n);
	char name[VICI_NAME_MAX + 1];
	struct vici_item it;

	if (depth > VICI_DEPTH_MAX + 2)
		return;
	while (vici_next(&r, &it)) {
		name[0] = '\0';
		if (it.type != VICI_LIST_ITEM)
			name_of(name, it.name);
		*whole &= strlen(name) == it.name.n;
		switch ((enum vici_element)it.type) {
		case VICI_KEY_VALUE:
			vici_key_span(w, name, it.value);
			break;
		case VICI_LIST_ITEM:
			wr_u8(w, VICI_LIST_ITEM);
			wr_u16(w, it.value.n);
			wr_bytes(w, it.value.p, it.value.n);
			break;
		case VICI_SECTION_START:
			vici_section(w, name);
			again(w, it.value, whole, depth + 1);
			vici_section_end(w);
			break;
		case VICI_LIST_START:
			vici_list(w, name);
			again(w, it.value, whole, depth + 1);
			vici_list_end(w);
			break;
		case VICI_SECTION_END: case VICI_LIST_END:
			abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1), *out = malloc(2 * size + 64);
	struct span msg = { copy, size };
	bool whole = true, valid;
	struct wr w;
	char text[16];

	if (!copy || !out)
		abort();
	if (size)
		memcpy(copy, data, size);		/* exact size: ASan sees one octet past it */
	valid = vici_valid(msg);
	w = wr_init(out, 2 * size + 64);
	again(&w, msg, &whole, 0);
	if (valid && whole && (w.bad || wr_len(&w) != size || (size && memcmp(out, copy, size))))
		abort();
	vici_text(vici_get(msg, "k"), text, sizeof(text));
	vici_number(vici_get(msg, "k"), true);
	free(copy);
	free(out);
	return 0;
}
