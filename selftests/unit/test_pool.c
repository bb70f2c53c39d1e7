/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address pools: nobody gets what another has, nothing is lost, reloads keep what is taken. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/config.h"
#include "core/pool.h"

static uint32_t ip(const char *s)
{
	uint32_t a = 0;

	assert_int_equal(inet_pton(AF_INET, s, &a), 1);
	return a;
}

/* A configuration with one pool "p" of up to two ranges. */
struct one { struct config c; struct conf_pool p; struct conf_range r[2]; char name[2]; };

static const struct config *conf(struct one *o, const char *a, const char *b, const char *c, const char *d)
{
	memset(o, 0, sizeof(*o));
	o->name[0] = 'p';
	o->p.name = o->name;
	o->p.range = o->r;
	o->p.n_ranges = c ? 2 : 1;
	o->r[0] = (struct conf_range){ ntohl(ip(a)), ntohl(ip(b)) };
	if (c)
		o->r[1] = (struct conf_range){ ntohl(ip(c)), ntohl(ip(d)) };
	o->c.pool = &o->p;
	o->c.n_pools = 1;
	return &o->c;
}

static struct pools *with(const char *a, const char *b, const char *c, const char *d)
{
	struct pools *p = pools_new();
	struct one o;

	assert_non_null(p);
	assert_int_equal(pools_update(p, conf(&o, a, b, c, d)), 0);
	return p;
}

static void expect(const struct pools *p, uint32_t size, uint32_t used)
{
	struct pool_stat s;

	assert_true(pool_stat(p, 0, &s));
	assert_int_equal(s.size, size);
	assert_int_equal(s.used, used);
	assert_int_equal(s.free, size - used);
	assert_false(pool_stat(p, 1, &s));
}

static void all_once(void **state)
{
	struct pools *p = with("10.0.0.254", "10.0.1.1", "10.0.2.255", "10.0.3.0");
	const char *want[] = { "10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1", "10.0.2.255", "10.0.3.0" };

	(void)state;
	for (unsigned i = 0; i < 6; i++)	/* .0 and .255 as well */
		assert_int_equal(pool_take(p, "p", NULL, i + 1), ip(want[i]));
	assert_int_equal(pool_take(p, "p", NULL, 7), 0);
	expect(p, 6, 6);
	assert_int_equal(pool_take(p, "q", NULL, 7), 0);
	assert_int_equal(pool_take(p, NULL, NULL, 7), 0);
	pool_give(p, ip("10.0.1.0"), 99);		/* not his */
	expect(p, 6, 6);
	pool_give(p, ip("10.0.1.0"), 3);
	pool_give(p, ip("10.0.1.0"), 3);		/* twice: nothing happens */
	expect(p, 6, 5);
	assert_int_equal(pool_owner(p, ip("10.0.1.0")), 0);
	assert_int_equal(pool_take(p, "p", NULL, 8), ip("10.0.1.0"));
	assert_int_equal(pool_owner(p, ip("10.0.1.0")), 8);
	pools_free(p);
}

static void same_address_again(void **state)
{
	struct pools *p = with("10.0.0.1", "10.0.0.9", NULL, NULL);
	uint32_t a = pool_take(p, "p", "alice", 1), b = pool_take(p, "p", "bob", 2);

	(void)state;
	assert_int_not_equal(a, b);
	pool_give(p, a, 1);
	assert_int_not_equal(pool_take(p, "p", "carol", 3), a);	/* it rests */
	assert_int_equal(pool_take(p, "p", "alice", 4), a);
	assert_int_not_equal(pool_take(p, "p", "alice", 5), a);	/* a second session of hers */
	pool_give(p, b, 2);
	assert_true(pool_claim(p, b, 6));
	assert_int_not_equal(pool_take(p, "p", "bob", 7), b);
	pools_free(p);
}

static void fixed_addresses(void **state)
{
	struct pools *p = with("10.0.0.1", "10.0.0.3", NULL, NULL);

	(void)state;
	assert_true(pool_claim(p, ip("10.0.0.2"), 1));
	assert_false(pool_claim(p, ip("10.0.0.2"), 2));
	assert_true(pool_claim(p, ip("10.0.0.2"), 1));
	assert_true(pool_claim(p, ip("192.0.2.1"), 3));		/* of no pool: still his alone */
	assert_false(pool_claim(p, ip("192.0.2.1"), 4));
	assert_false(pool_claim(p, 0, 5));
	expect(p, 3, 1);
	assert_int_equal(pools_taken(p), 2);
	assert_int_equal(pool_take(p, "p", NULL, 6), ip("10.0.0.1"));
	assert_int_equal(pool_take(p, "p", NULL, 7), ip("10.0.0.3"));
	assert_int_equal(pool_take(p, "p", NULL, 8), 0);
	pool_give(p, ip("192.0.2.1"), 3);
	assert_true(pool_claim(p, ip("192.0.2.1"), 4));
	pools_free(p);
}

static void reload(void **state)
{
	struct pools *p = with("10.0.0.1", "10.0.0.4", NULL, NULL);
	struct one o;
	uint32_t a[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		a[i] = pool_take(p, "p", NULL, i + 1);
	assert_int_equal(pools_update(p, conf(&o, "10.0.0.3", "10.0.0.6", NULL, NULL)), 0);
	expect(p, 4, 2);				/* .3 and .4 are still taken */
	assert_int_equal(pool_owner(p, a[0]), 1);	/* so is .1, outside by now */
	assert_false(pool_claim(p, a[0], 9));
	assert_true(pool_take(p, "p", NULL, 5) && pool_take(p, "p", NULL, 6));
	assert_int_equal(pool_take(p, "p", NULL, 7), 0);
	pool_give(p, a[0], 1);
	assert_int_equal(pool_take(p, "p", NULL, 7), 0);	/* it does not come back */
	pool_give(p, a[3], 4);
	assert_int_equal(pool_take(p, "p", NULL, 7), a[3]);
	o.c.n_pools = 0;
	assert_int_equal(pools_update(p, &o.c), 0);	/* no pool at all */
	assert_int_equal(pools_taken(p), 5);
	pool_give(p, a[1], 2);
	assert_int_equal(pools_update(p, conf(&o, "10.0.0.1", "10.0.0.6", NULL, NULL)), 0);
	expect(p, 6, 4);
	pools_free(p);
}

static void count(void *arg, uint32_t addr, uint32_t owner)
{
	((uint32_t *)arg)[owner] = addr;
}

/* Against a plain array: whatever is asked, no address has two owners and the counters add up. */
static void random_orders(void **state)
{
	enum { N = 200, OWNERS = 300 };
	uint32_t first = ntohl(ip("10.0.0.0")), seed = 1;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		struct pools *p = with("10.0.0.0", "10.0.0.199", NULL, NULL);
		uint32_t has[OWNERS] = { 0 }, seen[OWNERS] = { 0 }, n = 0;

		for (unsigned step = 0; step < 2000; step++) {
			uint32_t who = 1 + (seed = seed * 1664525 + 1013904223) / 65536 % (OWNERS - 1);
			char user[8] = { 'u', (char)('a' + who % 26), 0 };

			if (has[who]) {
				pool_give(p, has[who], who);
				has[who] = 0;
				n--;
			} else if (seed & 256) {
				uint32_t want = htonl(first + seed / 512 % N);
				bool free_ = !pool_owner(p, want);

				assert_int_equal(pool_claim(p, want, who), free_);
				if (free_) {
					has[who] = want;
					n++;
				}
			} else {
				uint32_t got = pool_take(p, "p", user, who);

				assert_int_equal(!got, n == N);
				for (unsigned i = 0; got && i < OWNERS; i++)
					assert_int_not_equal(has[i], got);
				if (got) {
					assert_in_range(ntohl(got), first, first + N - 1);
					has[who] = got;
					n++;
				}
			}
			expect(p, N, n);
		}
		assert_int_equal(pools_taken(p), n);
		pools_walk(p, count, seen);
		assert_memory_equal(seen, has, sizeof(has));
		pools_free(p);
	}
}

/* A /12 is no slower per address when it is nearly full. */
static void large(void **state)
{
	struct pools *p = with("10.0.0.0", "10.15.255.255", NULL, NULL);
	struct timespec a, b;

	(void)state;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (uint32_t i = 0; i < 1u << 20; i++)
		assert_true(pool_take(p, "p", NULL, i + 1) == htonl(ntohl(ip("10.0.0.0")) + i));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	expect(p, 1u << 20, 1u << 20);
	assert_true(b.tv_sec - a.tv_sec < 20);
	pools_free(p);
	pools_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_once), cmocka_unit_test(same_address_again), cmocka_unit_test(fixed_addresses),
		cmocka_unit_test(reload), cmocka_unit_test(random_orders), cmocka_unit_test(large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
