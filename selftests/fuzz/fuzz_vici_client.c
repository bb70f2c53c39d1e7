/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VICI client: orders, time, and octets of a charon that may be anybody.  Each request ends once, what is sent is
 * VICI, and connections are opened and closed in turns. */
#include <stdlib.h>

#include "vici/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_REQUESTS = 256 };

struct world { struct vici v; ms_t now; bool open; uint32_t id[MAX_REQUESTS]; unsigned n; };

static void sent(const struct fx *f)
{
	const struct vici_fx_tx *tx = (const void *)f->data;
	struct rd r = rd_init(tx->octets, f->len - sizeof(*tx));
	unsigned type;

	if (tx->link >= VICI_LINKS || rd_u32(&r) != rd_left(&r))
		abort();
	type = rd_u8(&r);
	if (type != VICI_CMD_REQUEST && type != VICI_EVENT_REGISTER && type != VICI_EVENT_UNREGISTER)
		abort();
	if (!rd_span(&r, rd_u8(&r)).n || !vici_valid(rd_rest(&r)))
		abort();
}

static void replied(struct world *w, uint32_t id)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->id[i] == id) {
			w->id[i] = w->id[--w->n];
			return;
		}
	abort();
}

static void drain(struct world *w)
{
	for (struct fx *f; (f = fx_pop(&w->v.out)); fx_free(f)) {
		const struct vici_fx_msg *m = (const void *)f->data;

		switch ((enum vici_fx)f->type) {
		case VICI_FX_CONNECT:
			if (w->open)
				abort();
			w->open = true;
			break;
		case VICI_FX_CLOSE:
			if (!w->open)
				abort();
			w->open = false;
			break;
		case VICI_FX_TX:
			if (!w->open)
				abort();
			sent(f);
			break;
		case VICI_FX_REPLY:
			replied(w, m->id);
			/* fall through */
		case VICI_FX_ITEM: case VICI_FX_EVENT:
			if (!vici_valid(vici_fx_body(f)))
				abort();
			break;
		case VICI_FX_READY: case VICI_FX_DOWN: case VICI_FX_NOTE:
			break;
		}
	}
	if (!w->open && w->n)
		abort();			/* a request that nobody will answer */
	if (vici_deadline(&w->v) == NEVER)
		abort();			/* it never gives up */
}

/* Input: records of what happens (3 bits), its length, octets. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const events[] = { "child-updown", "ike-updown", NULL };
	struct rd r = rd_init(data, size);
	struct world w = { .now = 1 };
	uint32_t id;

	vici_init(&w.v, events, w.now);
	while (rd_left(&r)) {
		uint8_t what = rd_u8(&r);
		struct span s = rd_span(&r, what >> 3);

		if (r.bad)
			break;
		switch (what & 7) {
		case 0: case 1:
			vici_input(&w.v, w.now, what & 1 ? VICI_EVENTS : VICI_COMMANDS, s.p, s.n);
			break;
		case 2:
			w.now = s.n ? w.now + s.p[0] * 50U : vici_deadline(&w.v);
			vici_tick(&w.v, w.now);
			break;
		case 3:
			vici_connected(&w.v, w.now, VICI_COMMANDS);
			vici_connected(&w.v, w.now, VICI_EVENTS);
			break;
		case 4:
			vici_connected(&w.v, w.now, VICI_EVENTS);
			break;
		case 5: case 6:
			if (w.n == MAX_REQUESTS)
				break;
			id = vici_request(&w.v, w.now, "list-sas", (what & 7) == 5 ? "list-sa" : NULL, s, 0);
			if (id)
				w.id[w.n++] = id;
			break;
		case 7:
			vici_lost(&w.v, w.now, "lost");
			break;
		}
		drain(&w);
	}
	vici_done(&w.v);
	return 0;
}
