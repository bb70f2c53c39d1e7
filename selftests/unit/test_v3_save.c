/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints of the L2TPv3 engine: there and back, cut anywhere, and after a change of secrets.
 *
 * Mutants that this kills: v3_save.c: a nonce is not in it; the key is always the first; a cookie is not in it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "l2tp/save.h"
#include "lib/v3_end.h"

enum { TAG = 7, ROOM = 65536, NEW = 8 };	/* NEW: calls that are being placed when it ends */

static const struct span sesame = { (const uint8_t *)"sesame", 6 }, other = { (const uint8_t *)"other", 5 };
static uint8_t buf[3][ROOM];
static struct sim s;
static struct v3_end e[2];

static struct span value_of(const uint8_t *p, size_t n)
{
	struct rd r = rd_init(p, n);
	struct span v = { NULL, 0 };
	unsigned tag;

	assert_true(rec_next(&r, &tag, &v) && tag == TAG && !rd_left(&r));
	return v;
}

static struct span save_cc(const struct cc *cc, unsigned b)
{
	struct wr w = wr_init(buf[b], ROOM);

	v3_cc_save(cc, &w, TAG);
	assert_false(w.bad);
	return value_of(buf[b], wr_len(&w));
}

static struct span save_call(const struct call *c)
{
	struct wr w = wr_init(buf[2], ROOM);

	cc_call_save(&e[0].cc, c, &w, TAG);
	assert_false(w.bad);
	return value_of(buf[2], wr_len(&w));
}

/* Two calls with cookies, something unacknowledged, and something that waits for the window. */
static int begin(void **state)
{
	(void)state;
	sim_init(&s, 4711);
	v3_end_init(&e[0], &s, 0, false);
	v3_end_init(&e[1], &s, 1, true);
	e[0].conf.cc.secret = other;
	e[0].conf.secret2 = e[1].conf.cc.secret = sesame;	/* so the second key is the one that is used */
	e[1].cookie_len = 8;
	v3_end_reset(&e[0]);
	v3_end_open(&e[0]);
	sim_run(&s, 1000);
	assert_int_equal(e[0].ups, 1);
	assert_int_equal(v3_end_call(&e[0], V3_ICRQ_SENDER, "red", 4), 0);
	assert_int_equal(v3_end_call(&e[0], V3_OCRQ_SENDER, "blue", 8), 0);
	sim_run(&s, 10000);
	assert_int_equal(e[0].call[0].ups, 1);
	s.loss = 100;
	for (int i = 0; i < NEW; i++)
		assert_int_equal(v3_end_call(&e[0], V3_ICRQ_SENDER, NULL, 0), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	v3_end_done(&e[0]);
	v3_end_done(&e[1]);
	sim_done(&s);
	return 0;
}

static void there_and_back(void **state)
{
	struct span was = save_cc(&e[0].cc, 0), is;
	struct call call[NEW + 3];
	struct cc cc;

	(void)state;
	assert_true(cc_to_be_saved(&e[0].cc));
	assert_int_equal(e[0].cc.v3.auth.key_no, 1);
	v3_cc_init(&cc, &e[0].env, &e[0].conf, 99);
	assert_int_equal(v3_cc_restore(&cc, s.now, was), 0);
	is = save_cc(&cc, 1);
	assert_int_equal(is.n, was.n);
	assert_memory_equal(is.p, was.p, was.n);
	assert_int_equal(cc.tunnel_id, e[0].cc.tunnel_id);
	assert_int_equal(cc.v3.auth.key_no, 1);
	assert_memory_equal(cc.v3.auth.nonce, e[0].cc.v3.auth.nonce, V3_NONCE_LEN);
	assert_memory_equal(cc.v3.auth.peer_nonce, e[0].cc.v3.auth.peer_nonce, V3_NONCE_LEN);
	assert_int_equal(cc_deadline(&cc), s.now);		/* what is unacknowledged leaves at once */
	for (unsigned i = 0; i < e[0].n_calls; i++) {
		const struct call *c = &e[0].call[i].call;

		was = save_call(c);
		assert_int_equal(cc_call_restore(&cc, &call[i], s.now, was), 0);
		assert_int_equal(call[i].state, c->state);
		assert_int_equal(call[i].peer_session_id, c->peer_session_id);
		assert_memory_equal(&call[i].v3.info.own.cookie, &c->v3.info.own.cookie, sizeof(c->v3.info.own.cookie));
		assert_memory_equal(&call[i].v3.info.peer.cookie, &c->v3.info.peer.cookie, sizeof(c->v3.info.peer.cookie));
		assert_memory_equal(call[i].v3.info.end_id, c->v3.info.end_id, V3_END_ID_MAX);
		assert_memory_equal(call[i].v3.tie_breaker, c->v3.tie_breaker, L2TP_TIE_LEN);
		assert_ptr_equal(cc_call_find(&cc, call[i].session_id), &call[i]);
		/* twice is once too often */
		assert_int_equal(cc_call_restore(&cc, &call[NEW + 2], s.now, was), -EBADMSG);
	}
	assert_int_equal(e[0].call[0].call.v3.info.peer.cookie.len, 8);
	assert_int_equal(cc.n_calls, e[0].n_calls);
	assert_true(cc.setup && cc.setup->next && cc.setup->setup_by <= cc.setup_tail->setup_by);
	v3_cc_done(&cc);
}

/* The peer's answer to what left before the crash is an answer to what was restored, and is signed as before. */
static void goes_on(void **state)
{
	struct span was = save_cc(&e[0].cc, 0);
	uint32_t id = e[0].cc.tunnel_id;

	(void)state;
	v3_cc_done(&e[0].cc);
	v3_cc_init(&e[0].cc, &e[0].env, &e[0].conf, id);
	assert_int_equal(v3_cc_restore(&e[0].cc, s.now, was), 0);
	for (unsigned i = 0; i < e[0].n_calls; i++) {
		struct call *c = &e[0].call[i].call;

		assert_int_equal(cc_call_restore(&e[0].cc, c, s.now, save_call(c)), 0);
	}
	s.loss = 0;
	cc_tick(&e[0].cc, s.now);
	v3_end_drain(&e[0]);
	sim_run(&s, s.now + 30000);
	for (unsigned i = 0; i < e[0].n_calls; i++)
		assert_int_equal(e[0].call[i].ups, 1);
	assert_int_equal(e[1].n_calls, e[0].n_calls);
	assert_int_equal(e[1].cc.v3.forged + e[0].cc.v3.forged, 0);
	assert_true(v3_end_quiet(&e[0]) && v3_end_quiet(&e[1]));
}

/* Secret and second secret have changed places; then the one that was used is gone. */
static void other_secrets(void **state)
{
	struct span was = save_cc(&e[0].cc, 0);
	struct v3_conf conf = e[0].conf;
	struct cc cc;

	(void)state;
	conf.cc.secret = sesame;
	conf.secret2 = other;
	v3_cc_init(&cc, &e[0].env, &conf, 99);
	assert_int_equal(v3_cc_restore(&cc, s.now, was), 0);
	assert_int_equal(cc.v3.auth.key_no, 0);
	v3_cc_done(&cc);
	for (int n = 0; n < 2; n++) {
		conf.cc.secret = n ? other : (struct span){ NULL, 0 };
		conf.secret2 = (struct span){ NULL, 0 };
		v3_cc_init(&cc, &e[0].env, &conf, 99);
		assert_int_equal(v3_cc_restore(&cc, s.now, was), -EBADMSG);
		assert_int_equal(cc.tunnel_id, 99);
		assert_int_equal(cc.state, CC_IDLE);
		v3_cc_done(&cc);
	}
}

static void cut(void **state)
{
	struct span was = save_cc(&e[0].cc, 0);
	struct call call;
	struct cc cc;

	(void)state;
	for (size_t n = 0; n < was.n; n++) {
		uint8_t *copy = malloc(n + 1);		/* a sanitizer sees one octet past it */

		memcpy(copy, was.p, n);
		v3_cc_init(&cc, &e[0].env, &e[0].conf, 99);
		if (v3_cc_restore(&cc, s.now, (struct span){ copy, n }))
			assert_int_equal(cc.tunnel_id, 99);
		else				/* what waits for the window comes last, and was not sent */
			assert_true(cc.rel.n_tx >= (uint16_t)(cc.rel.ns - cc.rel.una) && cc.rel.n_tx < NEW);
		v3_cc_done(&cc);
		free(copy);
	}
	was = save_call(&e[0].call[0].call);
	for (size_t n = 0; n < was.n; n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, was.p, n);
		(void)cc_call_read(&e[0].cc, (struct span){ copy, n }, &call);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_and_back, begin, end),
		cmocka_unit_test_setup_teardown(goes_on, begin, end),
		cmocka_unit_test_setup_teardown(other_secrets, begin, end),
		cmocka_unit_test_setup_teardown(cut, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
