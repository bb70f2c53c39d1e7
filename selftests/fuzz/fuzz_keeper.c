/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both decoders of the keeper's conversation.  First octet: 0: the rest is a request for the keeper's gate, which then
 * goes through the table as the keeper would; 255: what a keeper left to its successor; else: a reply for the client. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netlink/check.h"
#include "netlink/handover.h"
#include "netlink/server.h"
#include "netlink/table.h"
#include "netlink/why.h"
#include "netlink/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void reply(const uint8_t *data, size_t size)
{
	static _Thread_local uint8_t again[sizeof(struct k_reply) + sizeof(struct k_list_head)];
	struct k_reply *r = malloc(sizeof(*r));

	if (!k_reply_unpack(data, size, r)) {
		size_t len = k_reply_pack(r, again);

		if (len != size)
			abort();
	}
	free(r);
}

/* Whatever the gate lets through can be remembered, merged and listed. */
static void remember(const struct k_request *r)
{
	struct k_request up = { .op = K_TUNNEL_UP, .tunnel_id = r->tunnel_id ? r->tunnel_id : 1 };
	struct table *t = table_new();
	struct session *s;

	if (t && (r->op == K_SESSION_UP || r->op == K_ETH_UP) && table_add_tunnel(t, &up) && (s = table_add_session(t, r))) {
		table_set_link(t, s, 77);
		if (table_by_link(t, 77) != s || table_on_wire(t, up.tunnel_id, s->wire_id) != s)
			abort();
		if (r->op == K_SESSION_UP && table_merge_link(s, &(struct k_link){ .up = true }))
			abort();
	}
	table_free(t);
}

/* What is read can be written, and is then read as the same. */
static void take_over(const uint8_t *record, size_t len, bool again)
{
	struct keeper *k = calloc(1, sizeof(*k));
	char why[WHY_SIZE];
	size_t made_len;
	uint8_t *made;

	k->hook_last = &k->hook_first;
	pins_init(&k->pins);
	k->gate.fd = -1;
	k->table = table_new();
	if (!handover_take(k, record, len, why)) {
		made = handover_make(k, &made_len);
		if (!again)
			take_over(made, made_len, true);
		free(made);
	} else if (again) {
		abort();
	}
	hooks_free(k);
	pins_done(&k->pins);
	table_free(k->table);
	free(k->guards);
	free(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[WHY_SIZE] = "";
	struct k_request *r;

	if (!size)
		return 0;
	if (data[0] == 255) {
		take_over(data + 1, size - 1, false);
		return 0;
	}
	if (data[0]) {
		reply(data + 1, size - 1);
		return 0;
	}
	/* Exactly as long as it is, so that a look beyond it is seen. */
	r = malloc(size - 1);
	memcpy(r, data + 1, size - 1);
	if (!check_request(r, size - 1, why))
		remember(r);
	free(r);
	return 0;
}
