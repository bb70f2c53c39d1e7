/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file: EXTENT octets of head, the quarantine's table, then extents, each with slots of one class or part of a slot
 * that is larger than an extent.  A slot of class c has two halves of HALF_MIN << c octets. */
enum {
	EXTENT = 1 << 16, RESTING = 2 * 65536 * 4, FIRST = 1 + RESTING / EXTENT, N_EXTENTS = 16384,
	HALF_MIN = 256, N_CLASSES = 16, UNIT = HALF_MIN, PART = 255,
	DROPPED = N_CLASSES, FORMAT = 1,
};

struct head {
	char magic[8];
	uint32_t format, n_extents;
	uint64_t committed;			/* the turn up to which everything counts */
	uint8_t use[N_EXTENTS];			/* 0: free; class + 1; PART of the one before */
};

/* Before the octets of a record.  n 0: no record. */
struct half { uint64_t turn, sum; uint32_t n; uint16_t id; uint8_t kind, pad; uint8_t octets[]; };

struct store {
	int fd;
	uint8_t *base;
	struct head *head;
	unsigned records;
	bool dirty;				/* something was put or dropped in this turn */
	/* Slots are numbered by UNITs from the file's start.  DROPPED: in this turn, of all classes. */
	struct { uint32_t *slot; unsigned n, room; } free[N_CLASSES + 1];
};

_Static_assert(sizeof(struct head) <= EXTENT, "the head is an extent");
_Static_assert((HALF_MIN << (N_CLASSES - 1)) > STORE_MAX, "the largest class takes the largest record");

static const char magic[8] = "ktundst";

/* Against our own mistakes, not against an enemy: eight octets at a time. */
static uint64_t checksum(const struct half *h)
{
	uint64_t sum = h->turn ^ (uint64_t)h->n << 32 ^ (uint64_t)h->kind << 16 ^ h->id, v;
	size_t i = 0;

	for (; i + 8 <= h->n; i += 8) {
		memcpy(&v, h->octets + i, 8);
		sum = (sum ^ v) * 0x9e3779b97f4a7c15;
		sum ^= sum >> 29;
	}
	for (v = 0; i < h->n; i++)
		v = v << 8 | h->octets[i];
	return (sum ^ v) * 0xbf58476d1ce4e5b9;
}

static size_t half_size(unsigned class) { return (size_t)HALF_MIN << class; }
static size_t slot_size(unsigned class) { return 2 * half_size(class); }

static unsigned class_of(const struct store *s, uint32_t slot)
{
	return s->head->use[slot / (EXTENT / UNIT)] - 1u;
}

static struct half *half(const struct store *s, uint32_t slot, unsigned which)
{
	return (struct half *)(s->base + (size_t)slot * UNIT + which * half_size(class_of(s, slot)));
}

/* The half that counts. */
static struct half *current(const struct store *s, uint32_t slot)
{
	struct half *a = half(s, slot, 0), *b = half(s, slot, 1);

	return a->turn > b->turn ? a : b;
}

/* The half to write in this turn. */
static struct half *other(const struct store *s, uint32_t slot)
{
	struct half *a = half(s, slot, 0), *b = half(s, slot, 1);
	uint64_t turn = s->head->committed + 1;

	if (a->turn == turn || b->turn == turn)
		return a->turn == turn ? a : b;
	return a->turn > b->turn ? b : a;
}

/* A slot that cannot be remembered is lost until the next start, and that is all. */
static void set_free(struct store *s, unsigned class, uint32_t slot)
{
	if (s->free[class].n == s->free[class].room) {
		unsigned room = s->free[class].room ? s->free[class].room * 2 : 64;
		uint32_t *more = reallocarray(s->free[class].slot, room, sizeof(*more));

		if (!more)
			return;
		s->free[class].slot = more;
		s->free[class].room = room;
	}
	s->free[class].slot[s->free[class].n++] = slot;
}

/* There may be secrets in it. */
static void wipe_slot(struct store *s, uint32_t slot)
{
	memset(half(s, slot, 0), 0, slot_size(class_of(s, slot)));
}

static unsigned extents_of(unsigned class)
{
	return (unsigned)((slot_size(class) + EXTENT - 1) / EXTENT);
}

static void cut(struct store *s, unsigned extent, unsigned class)
{
	unsigned n = slot_size(class) < EXTENT ? (unsigned)(EXTENT / slot_size(class)) : 1;

	while (n--)
		set_free(s, class, (uint32_t)(extent * (EXTENT / UNIT) + n * (slot_size(class) / UNIT)));
}

/* Room for more slots of a class.  Pages are taken now: writing to a mapping can only fail by a signal. */
static int grow(struct store *s, unsigned class)
{
	unsigned n = extents_of(class), first = s->head->n_extents;

	if (first + n > N_EXTENTS)
		return -ENOMEM;
	while (fallocate(s->fd, 0, (off_t)first * EXTENT, (off_t)n * EXTENT) < 0)
		if (errno != EINTR)
			return -ENOMEM;
	s->head->use[first] = (uint8_t)(class + 1);
	memset(s->head->use + first + 1, PART, n - 1);
	__atomic_store_n(&s->head->n_extents, first + n, __ATOMIC_RELEASE);
	cut(s, first, class);
	return 0;
}

static int take_slot(struct store *s, size_t n, uint32_t *ret)
{
	unsigned class = 0;
	int err;

	if (n > STORE_MAX)
		return -E2BIG;
	while (half_size(class) - sizeof(struct half) < n)
		class++;
	err = s->free[class].n ? 0 : grow(s, class);
	if (err || !s->free[class].n)
		return -ENOMEM;
	*ret = s->free[class].slot[--s->free[class].n];
	return 0;
}

static void write_half(struct store *s, uint32_t slot, enum store_kind kind, uint16_t id, const void *record, size_t n)
{
	struct half *h = other(s, slot);

	s->dirty = true;
	h->turn = s->head->committed + 1;
	h->kind = (uint8_t)kind;
	h->id = id;
	h->n = (uint32_t)n;
	if (n)
		memcpy(h->octets, record, n);
	h->sum = checksum(h);
}

void store_drop(struct store *s, uint32_t *slot)
{
	if (!*slot)
		return;
	write_half(s, *slot, 0, 0, NULL, 0);
	set_free(s, DROPPED, *slot);
	*slot = 0;
	s->records--;
}

int store_put(struct store *s, uint32_t *slot, enum store_kind kind, uint16_t id, const void *record, size_t n)
{
	uint32_t into = *slot;
	int err;

	if (n > STORE_MAX || !into || half_size(class_of(s, into)) - sizeof(struct half) < n) {
		store_drop(s, slot);
		err = take_slot(s, n, &into);
		if (err)
			return err;
		s->records++;
	}
	write_half(s, into, kind, id, record, n);
	*slot = into;
	return 0;
}

void store_commit(struct store *s)
{
	if (!s->dirty)
		return;
	s->dirty = false;
	/* all stores before this one come first, also for whoever looks at the memory after our death */
	__atomic_store_n(&s->head->committed, s->head->committed + 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* Not before: until here a crash brings them back. */
	while (s->free[DROPPED].n) {
		uint32_t slot = s->free[DROPPED].slot[--s->free[DROPPED].n];

		wipe_slot(s, slot);
		set_free(s, class_of(s, slot), slot);
	}
}

/* Slots of the extent: how many, and the first. */
static unsigned slots_in(const struct store *s, unsigned extent)
{
	uint8_t use = s->head->use[extent];
	size_t size;

	if (!use || use == PART)
		return 0;
	size = slot_size(use - 1u);
	return size < EXTENT ? (unsigned)(EXTENT / size) : 1;
}

bool store_next(const struct store *s, uint32_t *cursor, enum store_kind *ret_kind, uint16_t *ret_id, uint32_t *ret_slot,
		struct span *ret_record)
{
	uint32_t at = *cursor ? *cursor : FIRST * (EXTENT / UNIT);

	while (at / (EXTENT / UNIT) < s->head->n_extents) {
		unsigned extent = at / (EXTENT / UNIT), n = slots_in(s, extent);
		uint32_t slot = at;
		const struct half *h;

		if (!n || at % (EXTENT / UNIT) / (slot_size(class_of(s, at)) / UNIT) >= n) {
			at = (extent + 1) * (EXTENT / UNIT);
			continue;
		}
		at += (uint32_t)(n == 1 ? EXTENT / UNIT : slot_size(class_of(s, at)) / UNIT);
		h = current(s, slot);
		if (!h->n)
			continue;
		*cursor = at;
		*ret_kind = (enum store_kind)h->kind;
		*ret_id = h->id;
		*ret_slot = slot;
		*ret_record = (struct span){ h->octets, h->n };
		return true;
	}
	*cursor = at;
	return false;
}

/* A half that does not count: of a turn that was never committed, or not what was written. */
static void judge(const struct store *s, struct half *h, size_t size)
{
	bool good = h->turn <= s->head->committed && h->n <= size - sizeof(*h);

	if (good && h->turn && (h->sum != checksum(h) || (h->n && (h->kind < STORE_TUNNEL || h->kind > STORE_HALF_OPEN))))
		good = false;
	if (!good)
		memset(h, 0, sizeof(*h));
}

/* What is in the file: extents must make sense, halves are judged, free slots found. */
static bool survey(struct store *s, off_t size)
{
	if (s->head->n_extents < FIRST || s->head->n_extents > N_EXTENTS || (off_t)s->head->n_extents * EXTENT > size)
		return false;
	for (unsigned e = FIRST; e < s->head->n_extents; e++) {
		unsigned use = s->head->use[e], n;

		if (use > N_CLASSES && use != PART)
			return false;
		n = slots_in(s, e);
		if (n && e + extents_of(use - 1) > s->head->n_extents)
			return false;
		for (unsigned i = 1; n && i < extents_of(use - 1); i++)
			if (s->head->use[e + i] != PART)
				return false;
		for (unsigned i = 0; i < n; i++) {
			uint32_t slot = (uint32_t)(e * (EXTENT / UNIT) + i * (slot_size(use - 1) / UNIT));

			judge(s, half(s, slot, 0), half_size(use - 1));
			judge(s, half(s, slot, 1), half_size(use - 1));
			if (current(s, slot)->n) {
				s->records++;
				continue;
			}
			if (half(s, slot, 0)->turn || half(s, slot, 1)->turn)	/* who dropped it died before it was wiped */
				wipe_slot(s, slot);
			set_free(s, use - 1, slot);
		}
	}
	return true;
}

static int start_afresh(struct store *s)
{
	for (unsigned i = 0; i <= N_CLASSES; i++)
		s->free[i].n = 0;
	s->records = 0;
	if (ftruncate(s->fd, 0) < 0)
		return -errno;
	while (fallocate(s->fd, 0, 0, (off_t)FIRST * EXTENT) < 0)
		if (errno != EINTR)
			return -errno;
	s->head->format = FORMAT;
	s->head->n_extents = FIRST;
	memcpy(s->head->magic, magic, sizeof(magic));
	return 0;
}

int store_open(int fd, struct store **ret, const char **ret_lost)
{
	struct store *s = calloc(1, sizeof(*s));
	struct stat st;
	int err = 0;

	*ret_lost = NULL;
	if (!s)
		return -ENOMEM;
	s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	s->base = MAP_FAILED;
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		err = -errno;
	if (!err)
		s->base = mmap(NULL, (size_t)N_EXTENTS * EXTENT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, s->fd, 0);
	if (!err && s->base == MAP_FAILED)
		err = -errno;
	if (err) {
		store_close(s);
		return err;
	}
	s->head = (struct head *)s->base;
	if (!st.st_size)
		err = start_afresh(s);
	else if (st.st_size < (off_t)FIRST * EXTENT || memcmp(s->head->magic, magic, sizeof(magic)))
		*ret_lost = "they are not ktund's";
	else if (s->head->format != FORMAT)
		*ret_lost = "they are of another format";
	else if (!survey(s, st.st_size))
		*ret_lost = "they contradict themselves";
	if (*ret_lost)
		err = start_afresh(s);
	if (err) {
		store_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->base != MAP_FAILED)
		munmap(s->base, (size_t)N_EXTENTS * EXTENT);
	if (s->fd >= 0)
		close(s->fd);
	for (unsigned i = 0; i <= N_CLASSES; i++)
		free(s->free[i].slot);
	free(s);
}

static uint32_t *resting(const struct store *s, enum store_kind kind, uint16_t id)
{
	return (uint32_t *)(s->base + EXTENT) + (kind == STORE_SESSION) * 65536u + id;
}

void store_rest(struct store *s, enum store_kind kind, uint16_t id, uint32_t seconds)
{
	*resting(s, kind, id) = seconds;
}

uint32_t store_rested(const struct store *s, enum store_kind kind, uint16_t id)
{
	return *resting(s, kind, id);
}

void store_stat(const struct store *s, struct store_stat *ret)
{
	*ret = (struct store_stat){ (size_t)s->head->n_extents * EXTENT, s->records };
}
