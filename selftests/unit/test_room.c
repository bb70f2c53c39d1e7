/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who makes room when there is little: whoever has not said who he is although he has had the time, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/sim.h"
#include "core/room.h"
#include "core/session.h"

enum { N = 40000, AGE = 5000, NOW = 100000 };

static struct tunnel *tunnel_at[MAX_ID], *tunnel;
static struct session *session_at[MAX_ID], *session;
static struct conf_peer open_to_all, with_secret = { .cc.secret = { (const uint8_t *)"sesame", 6 } };
static struct conf_peer v3_open = { .l2tp.version = 3 },
			v3_secret = { .l2tp = { .version = 3, .v3.cc.secret = { (const uint8_t *)"sesame", 6 } } };
static struct conf_peer by_ipsec = { .ipsec.required = true };
static struct sim sim;
static struct ctx ctx;

static int fresh(void **state)
{
	(void)state;
	sim_init(&sim, 7);
	ctx = (struct ctx){ .env = sim_env(&sim), .tunnel = tunnel_at, .session = session_at, .loop.now = NOW };
	tunnel = calloc(N, sizeof(*tunnel));
	session = calloc(N, sizeof(*session));
	for (unsigned i = 0; i < N; i++) {
		tunnel_at[i + 1] = &tunnel[i];
		session_at[i + 1] = &session[i];
		tunnel[i] = (struct tunnel){ .from = &open_to_all, .since = i };
		session[i] = (struct session){ .stranger = true, .since = i };
	}
	return !tunnel || !session;
}

static int over(void **state)
{
	(void)state;
	free(tunnel);
	free(session);
	sim_done(&sim);
	return 0;
}

/* In 200 choices; the average age of who is chosen among all of them. */
static void strangers(void **state)
{
	uint64_t sum_t = 0, sum_s = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		sum_t += room_tunnel(&ctx, AGE)->since;
		sum_s += room_session(&ctx, AGE)->since;
	}
	assert_in_range(sum_t / 200, 0, N / 4);		/* an old one, where the mean would be N / 2 */
	assert_in_range(sum_s / 200, 0, N / 4);
}

/* All but one of a hundred are somebody; none of these is ever chosen. */
static void nobody_else(void **state)
{
	static struct conf_peer *const known[] = { &with_secret, &v3_secret, &by_ipsec, NULL };
	unsigned found = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		if (i % 100 == 0) {
			tunnel[i].n_sessions = tunnel[i].n_strangers = i % 200 ? 3 : 0;
			tunnel[i].from = i % 300 ? &open_to_all : &v3_open;
			continue;
		}
		switch (i % 7) {
		case 0: case 1: case 2: case 3:
			tunnel[i].from = known[i % 7];
			break;
		case 4:
			tunnel[i].n_sessions = 2;	/* a user among them */
			tunnel[i].n_strangers = 1;
			break;
		case 5:
			tunnel[i].down = true;
			break;
		default:
			tunnel[i].since = NOW - AGE + 1;
		}
		session[i].stranger = i % 3 != 0;
		session[i].ending = i % 3 == 1;
		if (i % 3 == 2)
			session[i].since = NOW - AGE + 1;
	}
	for (unsigned i = 0; i < 500; i++) {
		const struct tunnel *t = room_tunnel(&ctx, AGE);
		const struct session *s = room_session(&ctx, AGE);

		assert_true(!t || (t - tunnel) % 100 == 0);
		assert_true(!s || (s - session) % 100 == 0);
		found += t && s;
	}
	assert_in_range(found, 450, 500);
	assert_null(room_tunnel(&ctx, NOW + 1));
	assert_null(room_session(&ctx, NOW + 1));
}

#define T(f) cmocka_unit_test_setup_teardown(f, fresh, over)

int main(void)
{
	const struct CMUnitTest tests[] = { T(strangers), T(nobody_else) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
