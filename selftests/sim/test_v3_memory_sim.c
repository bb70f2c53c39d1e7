/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory runs out at every place where the L2TPv3 engine asks for some, for once or for good: nobody crashes, leaks (the
 * sanitized build sees it), says a thing twice or is left with something to do; and with memory again all works again.
 * The linker puts our malloc() before the engines'; what the tests themselves need comes from calloc(). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/v3_end.h"

void *__real_malloc(size_t n);		/* of ld --wrap */
void *__wrap_malloc(size_t n);

static unsigned asked, asked_in_life, fail_from, fail_to;

void *__wrap_malloc(size_t n)
{
	asked++;
	return asked >= fail_from && asked < fail_to ? NULL : __real_malloc(n);
}

#define CHECK(c) do { if (!(c)) { printf("# allocation %u..%u: %s:%d: %s\n", fail_from, fail_to, __FILE__, __LINE__, #c); \
	bad = 1; } } while (0)

static const struct span secret = { (const uint8_t *)"sesame", 6 };

static void life(struct sim *s, struct v3_end *e)
{
	sim_init(s, 5);
	v3_end_init(&e[0], s, 0, false);
	v3_end_init(&e[1], s, 1, true);
	e[0].conf.cc.secret = e[1].conf.cc.secret = secret;
	e[0].conf.cc.hide = true;
	e[0].conf.cc.hello_ms = e[1].conf.cc.hello_ms = 20 * 1000;
	v3_end_reset(&e[0]);
	v3_end_open(&e[0]);
	sim_run(s, 5000);
	for (int i = 0; i < 3; i++) {
		v3_end_call(&e[0], i ? V3_ICRQ_SENDER : V3_OCRQ_SENDER, NULL, 8);
		v3_end_call(&e[1], i ? V3_ICRQ_SENDER : V3_OCRQ_SENDER, NULL, 4);
	}
	sim_run(s, 20000);
	if (e[0].n_calls && e[0].call[0].call.linked)
		v3_end_close_call(&e[0], 0);
	sim_run(s, 30000);
	asked_in_life = asked;
	asked = fail_to;			/* from here on there is enough */
	sim_run(s, 300 * 1000);			/* the longest timers: set-up of a call, HELLO and its retransmissions */
}

static bool up(const struct v3_end *e)
{
	return e->has_cc && e->cc.state == CC_ESTABLISHED;
}

/* Both have the tunnel, and in it the same calls, or neither has it. */
static bool agree(const struct v3_end *e)
{
	if (up(&e[0]) != up(&e[1]) || e[0].cc.n_calls != e[1].cc.n_calls)
		return false;
	for (unsigned i = 0; i < e[0].n_calls; i++) {
		const struct call *a = &e[0].call[i].call, *b;

		b = a->linked ? cc_call_find(&e[1].cc, a->peer_session_id) : NULL;
		if (a->linked && (!b || a->state != CALL_ESTABLISHED || b->state != CALL_ESTABLISHED ||
				  b->peer_session_id != a->session_id))
			return false;
	}
	return true;
}

/* Both ends are told to stop, if they have not: whatever was lost, nothing stays. */
static int death(struct sim *s, struct v3_end *e)
{
	int bad = 0;

	CHECK(agree(e));
	for (int i = 0; i < 2; i++)
		if (e[i].has_cc) {
			cc_close(&e[i].cc, s->now, NULL);
			v3_end_drain(&e[i]);
		}
	sim_run(s, s->now + 400 * 1000);
	for (int i = 0; i < 2; i++) {
		CHECK(v3_end_quiet(&e[i]) && e[i].downs <= 1 && e[i].gones <= 1 && !v3_end_faults(&e[i]));
		CHECK(!e[i].has_cc || (e[i].cc.state == CC_IDLE && !e[i].cc.n_calls && !e[i].cc.calls && !e[i].cc.v3.pending));
		for (unsigned j = 0; j < e[i].n_calls; j++)
			CHECK(e[i].call[j].downs <= 1 && !e[i].call[j].call.linked);
	}
	CHECK(!e[1].ho || !ho_count(e[1].ho));
	v3_end_done(&e[0]);
	v3_end_done(&e[1]);
	sim_done(s);
	return bad;
}

int main(void)
{
	static struct v3_end e[2];
	unsigned n, bad = 0, came_up = 0;
	struct sim s;

	setvbuf(stdout, NULL, _IOLBF, 0);
	fail_from = fail_to = 0;
	life(&s, e);
	n = asked_in_life;
	if (e[0].ups != 1 || e[1].ups != 1 || e[0].cc.n_calls != 5 || e[1].cc.n_calls != 5 || n < 100)
		bad++;
	bad += (unsigned)death(&s, e);
	for (unsigned k = 1; k <= n && bad < 5; k++)
		for (unsigned many = 1; many <= 1000; many *= 10) {
			fail_from = k;
			fail_to = k + many;
			asked = 0;
			life(&s, e);
			came_up += e[0].ups && e[1].ups;
			bad += (unsigned)death(&s, e);
		}
	printf("%sok - v3: each of %u allocations fails, alone and with the next 9, 99, 999; %u of %u came up nevertheless\n",
	       bad || !came_up ? "not " : "", n, came_up, 4 * n);
	return bad || !came_up;
}
