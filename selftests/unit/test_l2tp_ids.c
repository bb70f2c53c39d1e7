/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "lib/sim.h"
#include "l2tp/ids.h"

/* 10^5 ids are spread evenly: chi-square over 256 cells, 255 degrees of freedom, p = 0.001 at 330. */
static void test_spread(void **state)
{
	unsigned cell[256] = { 0 };
	struct sim sim;
	struct env env;
	struct ids *ids;
	double chi = 0, want = 100000 / 256.0;

	(void)state;
	sim_init(&sim, 5);
	env = sim_env(&sim);
	ids = ids_new(&env, 0);
	for (unsigned i = 0; i < 100000; i++) {
		uint16_t id = ids_take(ids, i);

		assert_int_not_equal(id, 0);
		cell[id >> 8]++;
		ids_drop(ids, id, i);
	}
	for (unsigned i = 0; i < 256; i++)
		chi += (cell[i] - want) * (cell[i] - want) / want;
	assert_true(chi < 330 && chi > 180);
	ids_free(ids);
}

/* Never twice while in use, nor for 60 s after; all of them can be had, and no more. */
static void test_quarantine(void **state)
{
	static ms_t dropped[65536];
	static bool used[65536];
	struct sim sim;
	struct env env;
	struct ids *ids;
	unsigned n = 0;

	(void)state;
	sim_init(&sim, 6);
	env = sim_env(&sim);
	ids = ids_new(&env, 60000);
	for (ms_t now = 60001; now < 60001 + 80000; now++) {
		uint16_t id = ids_take(ids, now), old = (uint16_t)sim_roll(&sim, 65536);

		if (id) {
			assert_false(used[id]);
			assert_true(!dropped[id] || now - dropped[id] >= 60000);
			used[id] = true;
			n++;
		}
		if (used[old]) {
			ids_drop(ids, old, now);
			used[old] = false;
			dropped[old] = now;
			n--;
		}
		assert_int_equal(ids_used(ids), n);
	}
	ids_free(ids);

	ids = ids_new(&env, 60000);
	assert_true(ids_claim(ids, 77));
	assert_false(ids_claim(ids, 77));
	assert_false(ids_claim(ids, 0));
	for (n = 1; ids_take(ids, 0); n++)
		;
	assert_int_equal(n, 65535);
	ids_drop(ids, 4711, 10);
	assert_int_equal(ids_take(ids, 60009), 0);
	assert_int_equal(ids_take(ids, 60010), 4711);
	ids_free(ids);
}

/* Two daemons that start in the same instant give different ids. */
static void test_two(void **state)
{
	unsigned same = 0;
	struct sim sim[2];
	struct env env[2];
	struct ids *ids[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		sim_init(&sim[i], (uint64_t)i + 1);
		env[i] = sim_env(&sim[i]);
		ids[i] = ids_new(&env[i], 60000);
	}
	for (int i = 0; i < 1000; i++)
		same += ids_take(ids[0], 0) == ids_take(ids[1], 0);
	assert_true(same < 3);
	ids_free(ids[0]);
	ids_free(ids[1]);
}

/* A flood that takes and loses 2,000 ids a second leaves some for those who stay. */
static void test_release(void **state)
{
	struct sim sim;
	struct env env;
	struct ids *ids;
	uint16_t kept, last = 0;

	(void)state;
	sim_init(&sim, 3);
	env = sim_env(&sim);
	ids = ids_new(&env, 60000);
	kept = ids_take(ids, 0);
	for (ms_t now = 0; now < 60000; now++)
		for (int i = 0; i < 2; i++) {
			ids_release(ids, last);
			last = ids_take(ids, now);
			assert_true(last && last != kept);
		}
	ids_release(ids, last);
	ids_release(ids, last);
	assert_int_equal(ids_used(ids), 1);
	assert_false(ids_claim(ids, kept));
	ids_free(ids);
}

/* L2TPv3's have 32 bits: all of them are used, none comes back within the quarantine, and what is given back is forgotten. */
static void test_wide(void **state)
{
	static uint32_t seen[100000];
	uint32_t all = 0;
	struct sim sim;
	struct env env;
	struct ids *ids;

	(void)state;
	sim_init(&sim, 4);
	env = sim_env(&sim);
	ids = ids_new32(&env, 60000);
	for (unsigned i = 0; i < 100000; i++) {
		seen[i] = ids_take(ids, i / 10);
		assert_true(seen[i]);
		all |= seen[i];
		if (i % 2)
			ids_drop(ids, seen[i], i / 10);
	}
	assert_int_equal(all, UINT32_MAX);
	assert_int_equal(ids_used(ids), 50000);
	for (unsigned i = 0; i < 100000; i++)
		assert_false(ids_claim(ids, seen[i]));
	assert_int_equal(ids_used(ids), 50000);
	assert_true(ids_take(ids, 70000));
	assert_true(ids_claim(ids, seen[1]));		/* out of quarantine */
	assert_false(ids_claim(ids, seen[0]));
	ids_free(ids);
}

/* Who comes and goes without a name leaves others enough; while there are many free, his ids rest as all do. */
static void test_leave(void **state)
{
	static bool seen[65536];
	struct sim sim;
	struct env env;
	struct ids *ids;
	unsigned twice = 0;
	uint32_t id;

	(void)state;
	sim_init(&sim, 8);
	env = sim_env(&sim);
	ids = ids_new(&env, 60000);
	for (unsigned i = 0; i < 200000; i++) {
		id = ids_take(ids, i / 8);
		assert_int_not_equal(id, 0);
		twice += seen[id];
		if (i < 30000)
			assert_int_equal(twice, 0);
		seen[id] = true;
		ids_leave(ids, id, i / 8);
	}
	assert_int_equal(ids_used(ids), 0);
	ids_free(ids);
}

/* A stranger who holds nearly all ids does not make the next one dear. */
static void test_nearly_full(void **state)
{
	struct sim sim;
	struct env env;
	struct ids *ids;
	clock_t began;

	(void)state;
	sim_init(&sim, 4);
	env = sim_env(&sim);
	ids = ids_new(&env, 0);
	for (unsigned i = 0; i < 65534; i++)
		assert_int_not_equal(ids_take(ids, 0), 0);
	began = clock();
	for (unsigned i = 0; i < 100000; i++)
		assert_int_not_equal(ids_pick(ids, 0), 0);
	assert_true(clock() - began < 3 * CLOCKS_PER_SEC);
	ids_free(ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_spread), cmocka_unit_test(test_quarantine), cmocka_unit_test(test_two),
		cmocka_unit_test(test_release), cmocka_unit_test(test_leave), cmocka_unit_test(test_nearly_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
