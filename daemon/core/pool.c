/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owns the pools' bitmaps, the table of taken addresses (struct lease) and the
 * memory of who had what (struct habit). */
#include "core/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "core/config.h"

enum { MAX_HABITS = 65536 };

struct pool {
	char *name;
	struct conf_range *range;	/* ascending, disjoint */
	uint32_t *before;		/* addresses in the ranges before this one */
	unsigned n_ranges;
	uint32_t size, used;
	uint32_t cursor;		/* where the search for a free one goes on */
	uint64_t *bits;			/* taken */
};

struct lease {
	UT_hash_handle hh;
	uint32_t addr, owner;		/* addr: host order */
};

/* Oldest first in the table's own order. */
struct habit {
	UT_hash_handle hh;
	uint32_t addr;
	char user[];
};

struct pools {
	struct pool *pool;
	unsigned n;
	struct lease *lease;
	struct habit *habit;
};

struct pools *pools_new(void)
{
	return calloc(1, sizeof(struct pools));
}

static void free_pool_array(struct pool *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		free(p[i].name);
		free(p[i].range);
		free(p[i].before);
		free(p[i].bits);
	}
	free(p);
}

void pools_free(struct pools *p)
{
	struct lease *l, *next_lease;
	struct habit *h, *next_habit;

	if (!p)
		return;
	HASH_ITER(hh, p->lease, l, next_lease) {
		HASH_DEL(p->lease, l);
		free(l);
	}
	HASH_ITER(hh, p->habit, h, next_habit) {
		HASH_DEL(p->habit, h);
		free(h);
	}
	free_pool_array(p->pool, p->n);
	free(p);
}

/* Position of addr (host order) in the pool's ranges, by halving; -1: not in it. */
static int64_t index_of(const struct pool *p, uint32_t addr)
{
	unsigned lo = 0, hi = p->n_ranges;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (addr < p->range[mid].first)
			hi = mid;
		else if (addr > p->range[mid].last)
			lo = mid + 1;
		else
			return (int64_t)p->before[mid] + (addr - p->range[mid].first);
	}
	return -1;
}

static uint32_t addr_at(const struct pool *p, uint32_t index)
{
	unsigned lo = 0, hi = p->n_ranges;

	while (hi - lo > 1) {
		unsigned mid = lo + (hi - lo) / 2;

		if (index < p->before[mid])
			hi = mid;
		else
			lo = mid;
	}
	return p->range[lo].first + (index - p->before[lo]);
}

static bool taken(const struct pool *p, uint32_t i)
{
	return p->bits[i / 64] >> i % 64 & 1;
}

/* In every pool that holds the address; there is one at most unless the caller's ranges overlap. */
static void mark(struct pool *pool, unsigned n, uint32_t addr, bool on)
{
	for (unsigned k = 0; k < n; k++) {
		int64_t i = index_of(&pool[k], addr);

		if (i < 0 || taken(&pool[k], (uint32_t)i) == on)
			continue;
		pool[k].bits[i / 64] ^= 1ull << i % 64;
		pool[k].used += on ? 1u : -1u;
	}
}

static bool make_pool(struct pool *p, const struct conf_pool *c)
{
	size_t n = c->n_ranges;

	p->name = strdup(c->name);
	p->range = calloc(n + 1, sizeof(*p->range));
	p->before = calloc(n + 1, sizeof(*p->before));
	if (!p->name || !p->range || !p->before)
		return false;
	if (n)
		memcpy(p->range, c->range, n * sizeof(*p->range));
	p->n_ranges = c->n_ranges;
	for (unsigned i = 0; i < p->n_ranges; i++) {
		p->before[i] = p->size;
		p->size += p->range[i].last - p->range[i].first + 1;
	}
	p->bits = calloc(p->size / 64 + 1, sizeof(*p->bits));
	return p->bits;
}

int pools_update(struct pools *p, const struct config *c)
{
	struct pool *pool = calloc(c->n_pools + 1, sizeof(*pool));
	struct lease *l, *next;

	if (!pool)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_pools; i++) {
		if (!make_pool(&pool[i], &c->pool[i])) {
			free_pool_array(pool, c->n_pools);
			return -ENOMEM;
		}
		for (unsigned j = 0; j < p->n; j++)	/* go on where it was: an address rests as long as it can */
			if (!strcmp(p->pool[j].name, pool[i].name) && p->pool[j].cursor < pool[i].size)
				pool[i].cursor = p->pool[j].cursor;
	}
	HASH_ITER(hh, p->lease, l, next)
		mark(pool, c->n_pools, l->addr, true);
	free_pool_array(p->pool, p->n);
	p->pool = pool;
	p->n = c->n_pools;
	return 0;
}

static struct lease *find_lease(const struct pools *p, uint32_t addr)
{
	struct lease *l;

	HASH_FIND(hh, p->lease, &addr, sizeof(addr), l);
	return l;
}

/* addr: host order, not taken. */
static bool take(struct pools *p, uint32_t addr, uint32_t owner)
{
	struct lease *l = calloc(1, sizeof(*l));

	if (!l)
		return false;
	l->addr = addr;
	l->owner = owner;
	HASH_ADD(hh, p->lease, addr, sizeof(l->addr), l);
	if (!find_lease(p, addr)) {	/* HASH_NONFATAL_OOM */
		free(l);
		return false;
	}
	mark(p->pool, p->n, addr, true);
	return true;
}

/* Remembering is a courtesy: without memory it is left out. */
static void remember(struct pools *p, const char *user, uint32_t addr)
{
	size_t n = strlen(user);
	struct habit *h, *found;

	HASH_FIND(hh, p->habit, user, n, h);
	if (h) {
		h->addr = addr;
		return;
	}
	if (HASH_COUNT(p->habit) >= MAX_HABITS) {
		h = p->habit;
		HASH_DEL(p->habit, h);
		free(h);
	}
	h = calloc(1, sizeof(*h) + n + 1);
	if (!h)
		return;
	h->addr = addr;
	memcpy(h->user, user, n);
	HASH_ADD_KEYPTR(hh, p->habit, h->user, n, h);
	HASH_FIND(hh, p->habit, user, n, found);
	if (!found)
		free(h);
}

/* First free index from the cursor on, around the end; the pool has one. */
static uint32_t next_free(const struct pool *p)
{
	uint32_t words = p->size / 64 + 1, w = p->cursor / 64;
	uint64_t open = ~p->bits[w] & (UINT64_MAX << p->cursor % 64);

	for (uint32_t n = 0; n <= words; n++) {
		while (open) {
			uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(open);

			if (i < p->size)
				return i;
			open = 0;
		}
		w = w + 1 < words ? w + 1 : 0;
		open = ~p->bits[w];
	}
	return 0;
}

uint32_t pool_take(struct pools *p, const char *name, const char *user, uint32_t owner)
{
	struct pool *pool = NULL;
	struct habit *h = NULL;
	uint32_t addr;
	int64_t i = -1;

	for (unsigned k = 0; name && k < p->n && !pool; k++)
		if (!strcmp(p->pool[k].name, name))
			pool = &p->pool[k];
	if (!pool || pool->used >= pool->size)
		return 0;
	if (user && *user)
		HASH_FIND_STR(p->habit, user, h);
	if (h)
		i = index_of(pool, h->addr);
	if (i < 0 || taken(pool, (uint32_t)i)) {
		i = next_free(pool);
		pool->cursor = (uint32_t)i + 1 < pool->size ? (uint32_t)i + 1 : 0;
	}
	addr = addr_at(pool, (uint32_t)i);
	if (!take(p, addr, owner))
		return 0;
	if (user && *user)
		remember(p, user, addr);
	return htonl(addr);
}

bool pool_claim(struct pools *p, uint32_t net_order, uint32_t owner)
{
	uint32_t addr = ntohl(net_order);
	const struct lease *l = find_lease(p, addr);

	if (!addr || l)
		return l && l->owner == owner;
	return take(p, addr, owner);
}

void pool_give(struct pools *p, uint32_t net_order, uint32_t owner)
{
	struct lease *l = find_lease(p, ntohl(net_order));

	if (!l || l->owner != owner)
		return;
	mark(p->pool, p->n, l->addr, false);
	HASH_DEL(p->lease, l);
	free(l);
}

uint32_t pool_owner(const struct pools *p, uint32_t net_order)
{
	const struct lease *l = find_lease(p, ntohl(net_order));

	return l ? l->owner : 0;
}

bool pool_stat(const struct pools *p, unsigned i, struct pool_stat *ret)
{
	if (i >= p->n)
		return false;
	*ret = (struct pool_stat){
		.name = p->pool[i].name, .size = p->pool[i].size, .used = p->pool[i].used,
		.free = p->pool[i].size - p->pool[i].used,
	};
	return true;
}

uint32_t pools_taken(const struct pools *p)
{
	return HASH_COUNT(p->lease);
}

void pools_walk(const struct pools *p, void (*each)(void *arg, uint32_t addr, uint32_t owner), void *arg)
{
	for (const struct lease *l = p->lease; l; l = l->hh.next)
		each(arg, htonl(l->addr), l->owner);
}
