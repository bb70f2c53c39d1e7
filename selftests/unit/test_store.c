/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checkpoints' memfd: turns count whole or not at all, wherever the writer dies, and whatever is in the file. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/store.h"

enum { OBJECTS = 40, BIG = 200000 };

static uint64_t chance = 1;

static unsigned roll(unsigned n)
{
	chance = chance * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(chance >> 33) % n;
}

static int file(void)
{
	int fd = memfd_create("store", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct store *open_it(int fd)
{
	const char *why;
	struct store *s;

	assert_int_equal(store_open(fd, &s, &why), 0);
	assert_null(why);
	return s;
}

/* What should be there: an object's record is n octets that begin with a number of its own. */
struct object { uint32_t slot; size_t n; uint8_t fill; };

static uint8_t octets[BIG];

static void put(struct store *s, struct object *o, unsigned id)
{
	o->n = 1 + roll(roll(10) ? 700 : BIG);
	o->fill = (uint8_t)roll(256);
	memset(octets, o->fill, o->n);
	assert_int_equal(store_put(s, &o->slot, id & 1 ? STORE_SESSION : STORE_TUNNEL, (uint16_t)id, octets, o->n), 0);
}

static void same(const struct store *s, struct object want[OBJECTS], bool learn_slots)
{
	enum store_kind kind;
	uint32_t cursor = 0, slot;
	unsigned found = 0, there = 0;
	struct store_stat stat;
	struct span record;
	uint16_t id;

	for (unsigned i = 0; i < OBJECTS; i++)
		there += want[i].n > 0;
	while (store_next(s, &cursor, &kind, &id, &slot, &record)) {
		assert_in_range(id, 0, OBJECTS - 1);
		assert_int_equal(kind, id & 1 ? STORE_SESSION : STORE_TUNNEL);
		assert_int_equal(record.n, want[id].n);
		memset(octets, want[id].fill, record.n);
		assert_memory_equal(record.p, octets, record.n);
		if (learn_slots)
			want[id].slot = slot;
		assert_int_equal(slot, want[id].slot);
		found++;
	}
	assert_int_equal(found, there);
	store_stat(s, &stat);
	assert_int_equal(stat.records, there);
}

/* A copy of the file as the next process finds it when this one dies now; its last octets written may be anything. */
static int dead(int fd)
{
	struct stat st;
	int copy = file();
	char *p;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(copy, st.st_size), 0);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	for (off_t at = 0; at < st.st_size;) {
		ssize_t n = pwrite(copy, p + at, (size_t)(st.st_size - at), at);

		assert_true(n > 0);
		at += n;
	}
	munmap(p, (size_t)st.st_size);
	return copy;
}

/* Anything happens, turn by turn; now and then the process dies, in the middle of a turn or not. */
static void dies_at_any_time(void **state)
{
	struct object now[OBJECTS] = { { 0 } }, committed[OBJECTS] = { { 0 } };
	int fd = file(), next;
	struct store *s = open_it(fd);

	(void)state;
	for (unsigned turn = 0; turn < 3000; turn++) {
		for (unsigned ops = roll(6); ops; ops--) {
			unsigned id = roll(OBJECTS);

			if (roll(3)) {
				put(s, &now[id], id);
			} else {
				store_drop(s, &now[id].slot);
				now[id].n = 0;
			}
		}
		if (!roll(20)) {
			if (roll(2)) {		/* in the middle of it */
				next = dead(fd);
			} else {
				store_commit(s);
				memcpy(committed, now, sizeof(now));
				next = dead(fd);
			}
			store_close(s);
			close(fd);
			fd = next;
			s = open_it(fd);
			memcpy(now, committed, sizeof(now));
			same(s, now, true);
			continue;
		}
		store_commit(s);
		same(s, now, false);
		memcpy(committed, now, sizeof(now));
	}
	store_close(s);
	close(fd);
}

/* Records that were half written when it died: garbage in every octet that does not count. */
static void garbage_beside(void **state)
{
	struct object now[OBJECTS] = { { 0 } };
	int fd = file();
	struct store *s = open_it(fd);
	const char *why;
	struct stat st;
	uint8_t *p, *q;
	int again;

	(void)state;
	for (unsigned i = 0; i < OBJECTS; i++)
		put(s, &now[i], i);
	store_commit(s);
	again = dead(fd);
	for (unsigned i = 0; i < OBJECTS; i++)		/* the turn that is never committed */
		assert_int_equal(store_put(s, &now[i].slot, STORE_TUNNEL, (uint16_t)i, octets, now[i].n), 0);
	assert_int_equal(fstat(fd, &st), 0);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	assert_int_equal(fstat(again, &st), 0);
	q = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
	for (off_t i = 0; i < st.st_size; i++)
		if (p[i] != q[i])
			q[i] = (uint8_t)roll(256);	/* it was being written */
	store_close(s);
	assert_int_equal(store_open(again, &s, &why), 0);
	assert_null(why);
	same(s, now, false);
	store_close(s);
	munmap(p, (size_t)st.st_size);
	munmap(q, (size_t)st.st_size);
	close(fd);
	close(again);
}

static bool file_has(int fd, const char *what)
{
	struct stat st;
	bool found;
	char *p;

	assert_int_equal(fstat(fd, &st), 0);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	found = memmem(p, (size_t)st.st_size, what, strlen(what));
	munmap(p, (size_t)st.st_size);
	return found;
}

/* A secret is in the file no longer than its record, whoever dies when. */
static void wiped(void **state)
{
	static const char secret[] = "open sesame, and not a word to anybody", shorter[] = "sesame";
	struct object grows = { 0 };
	int fd = file(), early, late;
	struct store *s = open_it(fd);
	uint32_t a = 0, b = 0;
	uint64_t committed;

	(void)state;
	assert_int_equal(store_put(s, &a, STORE_ORDER, 1, secret, sizeof(secret)), 0);
	store_commit(s);
	assert_int_equal(store_put(s, &a, STORE_ORDER, 1, shorter, sizeof(shorter)), 0);
	assert_int_equal(store_put(s, &b, STORE_ORDER, 2, secret, sizeof(secret)), 0);
	store_commit(s);
	store_drop(s, &a);
	assert_int_equal(store_put(s, &a, STORE_TUNNEL, 3, octets, 10), 0);	/* not in the same place, in the same turn */
	store_drop(s, &b);
	early = dead(fd);
	late = dead(fd);
	store_commit(s);
	assert_false(file_has(fd, "sesame"));
	assert_true(file_has(early, secret));		/* it is still there: the turn did not count */
	store_close(s);
	s = open_it(early);
	assert_true(file_has(early, secret) && file_has(early, shorter));
	store_close(s);
	assert_int_equal(pread(late, &committed, sizeof(committed), 16), sizeof(committed));
	committed++;					/* died with the turn, before wiping */
	assert_int_equal(pwrite(late, &committed, sizeof(committed), 16), sizeof(committed));
	s = open_it(late);
	assert_false(file_has(late, "sesame"));
	store_close(s);
	s = open_it(fd);				/* what outgrows its place leaves nothing in it */
	assert_int_equal(store_put(s, &grows.slot, STORE_ORDER, 4, secret, sizeof(secret)), 0);
	store_commit(s);
	assert_int_equal(store_put(s, &grows.slot, STORE_ORDER, 4, octets, 5000), 0);
	store_commit(s);
	assert_false(file_has(fd, "sesame"));
	store_close(s);
	close(fd);
	close(early);
	close(late);
}

/* Whatever stands in the file: it is refused or read, and serves afterwards. */
static void foreign(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		struct object now[OBJECTS] = { { 0 } };
		int fd = file();
		struct store *s = open_it(fd);
		enum store_kind kind;
		uint32_t cursor = 0, slot;
		struct span record;
		const char *why;
		uint16_t id;

		for (unsigned k = 0; k < OBJECTS; k++)
			put(s, &now[k], k);
		store_commit(s);
		store_close(s);
		for (unsigned hits = 1 + roll(20); hits; hits--) {
			uint8_t v = (uint8_t)roll(256);
			off_t at = roll(4) ? roll(600) : (off_t)roll(2000000);

			assert_int_equal(pwrite(fd, &v, 1, at), 1);
		}
		if (!roll(10))
			assert_int_equal(ftruncate(fd, (off_t)roll(700000)), 0);
		assert_int_equal(store_open(fd, &s, &why), 0);
		while (store_next(s, &cursor, &kind, &id, &slot, &record))
			for (size_t k = 0; k < record.n; k++)
				chance += record.p[k];
		slot = 0;
		assert_int_equal(store_put(s, &slot, STORE_TUNNEL, 1, octets, 100), 0);
		store_commit(s);
		store_close(s);
		close(fd);
	}
}

static void other_formats(void **state)
{
	static const uint8_t two = 2;
	int fd = file();
	struct store *s = open_it(fd);
	uint32_t slot = 0, cursor = 0;
	enum store_kind kind;
	struct span record;
	const char *why;
	uint16_t id;

	(void)state;
	assert_int_equal(store_put(s, &slot, STORE_TUNNEL, 1, octets, 100), 0);
	store_commit(s);
	store_close(s);
	assert_int_equal(pwrite(fd, &two, 1, 8), 1);
	assert_int_equal(store_open(fd, &s, &why), 0);
	assert_string_equal(why, "they are of another format");
	assert_false(store_next(s, &cursor, &kind, &id, &slot, &record));
	store_close(s);
	assert_int_equal(store_open(fd, &s, &why), 0);	/* it is ours from now on */
	assert_null(why);
	store_close(s);
	close(fd);
}

static void limits(void **state)
{
	static uint8_t huge[STORE_MAX + 1];
	int fd = file();
	struct store *s = open_it(fd);
	uint32_t slot = 0, other = 0;
	struct store_stat a, b;

	(void)state;
	assert_int_equal(store_put(s, &slot, STORE_TUNNEL, 1, huge, STORE_MAX), 0);
	store_commit(s);
	assert_int_equal(store_put(s, &slot, STORE_TUNNEL, 1, huge, STORE_MAX + 1), -E2BIG);
	assert_int_equal(slot, 0);				/* an old record would be a wrong one */
	store_commit(s);
	store_stat(s, &a);
	for (unsigned i = 0; i < 1000; i++) {			/* what is given back is used again */
		assert_int_equal(store_put(s, &slot, STORE_TUNNEL, 1, huge, 1000 + i), 0);
		assert_int_equal(store_put(s, &other, STORE_SESSION, 2, huge, 100), 0);
		store_commit(s);
		store_drop(s, &slot);
		store_drop(s, &other);
		store_commit(s);
	}
	store_stat(s, &b);
	assert_true(b.octets - a.octets <= 4 * 65536);
	assert_int_equal(b.records, 0);
	store_close(s);
	close(fd);
}

static void rest(void **state)
{
	int fd = file();
	struct store *s = open_it(fd);

	(void)state;
	store_rest(s, STORE_TUNNEL, 65535, 17);
	store_rest(s, STORE_SESSION, 1, 18);
	store_close(s);
	s = open_it(fd);
	assert_int_equal(store_rested(s, STORE_TUNNEL, 65535), 17);
	assert_int_equal(store_rested(s, STORE_SESSION, 1), 18);
	assert_int_equal(store_rested(s, STORE_TUNNEL, 1), 0);
	store_close(s);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(dies_at_any_time), cmocka_unit_test(garbage_beside), cmocka_unit_test(wiped),
		cmocka_unit_test(foreign), cmocka_unit_test(other_formats), cmocka_unit_test(limits), cmocka_unit_test(rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
