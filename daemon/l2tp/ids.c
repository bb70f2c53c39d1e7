/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ids.h"

#include <stdlib.h>
#include <string.h>

#include "l2tp/rel.h"

enum { MIN_BITS = 4, MAX_BITS = 24, PART_BITS = 6, N_PARTS = 1 << PART_BITS };

/* A set of ids by linear probing (0 is no id, so it marks a free slot), and a ring of those in
 * quarantine, which are in the set too.  The ring has as many places as the set: ids_drop cannot fail. */
struct ids {
	const struct env *env;
	ms_t quarantine;
	uint32_t max;				/* the largest id */
	unsigned n, used, bits;			/* in the set; of these not in quarantine; log2 of slots */
	unsigned head, n_ring;			/* oldest in quarantine; how many */
	uint32_t in_part[N_PARTS];		/* how many of each part of the range are in the set */
	uint32_t *slot;
	struct rest { ms_t until; uint32_t id; } *ring;
};

static unsigned mask(const struct ids *s)
{
	return (1u << s->bits) - 1;
}

/* Scattered, so that no long run of full slots forms when nearly all ids are in use. */
static unsigned home(const struct ids *s, uint32_t id)
{
	return id * 0x9e3779b1u >> (32 - s->bits);
}

static uint32_t part_size(const struct ids *s)
{
	return (s->max >> PART_BITS) + 1;
}

/* Where id is, or the free slot where it would go. */
static unsigned find(const struct ids *s, uint32_t id)
{
	unsigned at = home(s, id);

	while (s->slot[at] && s->slot[at] != id)
		at = (at + 1) & mask(s);
	return at;
}

static void insert(struct ids *s, uint32_t id)
{
	s->slot[find(s, id)] = id;
	s->n++;
	s->in_part[id / part_size(s)]++;
}

/* Closes the gap, so that no probe ends too early. */
static void erase(struct ids *s, uint32_t id)
{
	unsigned gap = find(s, id), at = gap;

	s->slot[gap] = 0;
	s->n--;
	s->in_part[id / part_size(s)]--;
	while (s->slot[at = (at + 1) & mask(s)]) {
		if (((at - home(s, s->slot[at])) & mask(s)) < ((at - gap) & mask(s)))
			continue;
		s->slot[gap] = s->slot[at];
		s->slot[at] = 0;
		gap = at;
	}
}

static bool resize(struct ids *s, unsigned bits)
{
	uint32_t *old = s->slot, *slot = l2tp_alloc(sizeof(*slot) << bits);
	struct rest *ring = l2tp_alloc(sizeof(*ring) << bits);
	unsigned n_old = old ? mask(s) + 1 : 0;

	if (!slot || !ring) {
		free(slot);
		free(ring);
		return false;
	}
	memset(slot, 0, sizeof(*slot) << bits);
	for (unsigned i = 0; i < s->n_ring; i++)
		ring[i] = s->ring[(s->head + i) & mask(s)];
	free(s->ring);
	s->ring = ring;
	s->head = 0;
	s->slot = slot;
	s->bits = bits;
	s->n = 0;
	memset(s->in_part, 0, sizeof(s->in_part));
	for (unsigned i = 0; i < n_old; i++)
		if (old[i])
			insert(s, old[i]);
	free(old);
	return true;
}

/* Room for one more, at most half full. */
static bool reserve(struct ids *s)
{
	return s->n < 1u << (s->bits - 1) || (s->bits < MAX_BITS && resize(s, s->bits + 1));
}

static struct ids *create(const struct env *env, ms_t quarantine, uint32_t max)
{
	struct ids *s = l2tp_alloc(sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct ids){ .env = env, .quarantine = quarantine, .max = max };
	if (!resize(s, MIN_BITS)) {
		free(s);
		return NULL;
	}
	return s;
}

struct ids *ids_new(const struct env *env, ms_t quarantine)
{
	return create(env, quarantine, UINT16_MAX);
}

struct ids *ids_new32(const struct env *env, ms_t quarantine)
{
	return create(env, quarantine, UINT32_MAX);
}

void ids_free(struct ids *s)
{
	if (!s)
		return;
	free(s->slot);
	free(s->ring);
	free(s);
}

static void release(struct ids *s, ms_t now)
{
	while (s->n_ring && now >= s->ring[s->head].until) {
		erase(s, s->ring[s->head].id);
		s->head = (s->head + 1) & mask(s);
		s->n_ring--;
	}
}

uint32_t ids_pick(struct ids *s, ms_t now)
{
	uint32_t id = 0;

	release(s, now);
	if (s->n >= s->max || !reserve(s))
		return 0;
	for (unsigned tries = 0; tries < 16; tries++) {
		id = env_u32(s->env) & s->max;
		if (id && s->slot[find(s, id)] != id)
			break;
	}
	/* Nearly all are taken: on to a part that has one. */
	for (uint32_t part = id / part_size(s); s->in_part[part] + !part >= part_size(s); id = part * part_size(s))
		part = (part + 1) % N_PARTS;
	while (!id || s->slot[find(s, id)] == id)
		id = id - id % part_size(s) + (id + 1) % part_size(s);
	return id;
}

uint32_t ids_take(struct ids *s, ms_t now)
{
	uint32_t id = ids_pick(s, now);

	if (id) {
		insert(s, id);
		s->used++;
	}
	return id;
}

bool ids_claim(struct ids *s, uint32_t id)
{
	if (!id || id > s->max || s->slot[find(s, id)] == id || !reserve(s))
		return false;
	insert(s, id);
	s->used++;
	return true;
}

void ids_drop(struct ids *s, uint32_t id, ms_t now)
{
	if (!id || s->slot[find(s, id)] != id || !s->used)
		return;
	s->ring[(s->head + s->n_ring++) & mask(s)] = (struct rest){ now + s->quarantine, id };
	s->used--;
}

void ids_release(struct ids *s, uint32_t id)
{
	if (!id || s->slot[find(s, id)] != id || !s->used)
		return;
	erase(s, id);
	s->used--;
}

void ids_leave(struct ids *s, uint32_t id, ms_t now)
{
	release(s, now);
	if (s->n > s->max / 2)
		ids_release(s, id);
	else
		ids_drop(s, id, now);
}

unsigned ids_used(const struct ids *s)
{
	return s->used;
}
