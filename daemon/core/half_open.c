/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "half_open.h"

#include "l2tp/save.h"

static struct halfopen *table_of(const struct ctx *ctx, unsigned version)
{
	return version == 2 ? ctx->half_open : ctx->v3_half_open;
}

static void expire(struct ctx *ctx, struct halfopen *table)
{
	uint32_t ids[64];
	unsigned n;

	do {
		n = ho_expire(table, ctx->loop.now, ids, 64);
		for (unsigned i = 0; i < n; i++) {
			half_open_drop(ctx, ids[i]);
			ids_release(ctx->tunnel_ids, ids[i] % MAX_ID);	/* in quarantine a flood's would soon be all */
		}
	} while (n == 64);
}

void half_open_expire(struct ctx *ctx)
{
	for (unsigned version = 2; version <= 3; version++)
		if (ho_deadline(table_of(ctx, version)) <= ctx->loop.now)
			expire(ctx, table_of(ctx, version));
}

static void due(struct timer *timer, void *arg)
{
	(void)timer;
	half_open_expire(arg);
	half_open_timer(arg);
}

void half_open_timer(struct ctx *ctx)
{
	if (!ctx->half_open_timer.due)
		timer_init(&ctx->half_open_timer, due, ctx);
	timer_set(&ctx->loop, &ctx->half_open_timer, ms_min(ho_deadline(ctx->half_open), ho_deadline(ctx->v3_half_open)));
}

static void keep(struct ctx *ctx, unsigned version, const struct ho_entry *e)
{
	uint16_t id = (uint16_t)(e->tunnel_id % MAX_ID);
	uint8_t record[HO_RECORD_MAX];
	struct wr w = wr_init(record, sizeof(record));

	if (!ctx->store)
		return;
	ho_save(e, version, &w);
	if (w.bad || store_put(ctx->store, &ctx->half_open_slot[id], STORE_HALF_OPEN, id, record, wr_len(&w)))
		ctx->count.checkpoint_failures++;	/* its peer has to begin anew, should we die now */
}

void half_open_keep(struct ctx *ctx, unsigned version, uint32_t tunnel_id)
{
	const struct ho_entry *e = ho_find(table_of(ctx, version), tunnel_id);

	if (e)
		keep(ctx, version, e);
}

void half_open_drop(struct ctx *ctx, uint32_t tunnel_id)
{
	if (ctx->store)
		store_drop(ctx->store, &ctx->half_open_slot[tunnel_id % MAX_ID]);
}

uint32_t half_open_slot(struct ctx *ctx, uint32_t tunnel_id)
{
	uint32_t slot = ctx->half_open_slot[tunnel_id % MAX_ID];

	ctx->half_open_slot[tunnel_id % MAX_ID] = 0;
	return slot;
}

void half_open_keep_all(struct ctx *ctx)
{
	if (!ho_count(ctx->half_open) && !ho_count(ctx->v3_half_open))
		return;					/* its pages are zeros that nobody has touched */
	memset(ctx->half_open_slot, 0, MAX_ID * sizeof(*ctx->half_open_slot));
	for (unsigned version = 2; version <= 3; version++)
		for (const struct ho_entry *e = NULL; (e = ho_next(table_of(ctx, version), e));)
			keep(ctx, version, e);
}

bool half_open_adopt(struct ctx *ctx, uint16_t id, uint32_t slot, struct span record)
{
	struct ho_entry e;
	unsigned version;
	bool ok;

	ok = ho_read(record, &e, &version) && e.tunnel_id % MAX_ID == id && ids_claim(ctx->tunnel_ids, id);
	if (ok && !ho_restore(table_of(ctx, version), ctx->loop.now, &e)) {
		ids_release(ctx->tunnel_ids, id);
		ok = false;
	}
	if (ok)
		ctx->half_open_slot[id] = slot;
	else
		store_drop(ctx->store, &slot);
	return ok;
}
