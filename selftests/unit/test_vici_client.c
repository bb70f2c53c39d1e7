/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VICI client against a charon that answers, is not there, is slow, dies, and talks nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "vici/client.h"

static const char *const events[] = { "child-updown", "ike-updown", NULL };

/* The world around one client: what it asked for is noted, and charon answers by hand. */
struct world {
	struct vici v;
	ms_t now;
	bool open;			/* between CONNECT and CLOSE */
	unsigned connects, closes, ready, downs, notes, items, events;
	char down[128], version[64], note[128];
	struct { uint32_t id; int status; char name[32], errmsg[64]; } reply[32];
	unsigned replies;
	char sent[VICI_LINKS][8][64];	/* type and name of what waits for an answer */
	unsigned n_sent[VICI_LINKS];
};

static void sent(struct world *w, const struct fx *f)
{
	const struct vici_fx_tx *tx = (const void *)f->data;
	struct rd r = rd_init(tx->octets, f->len - sizeof(*tx));
	char name[33] = "";
	uint32_t len = rd_u32(&r);
	unsigned type;

	assert_true(w->open);
	assert_true(tx->link < VICI_LINKS);
	assert_int_equal(len, rd_left(&r));
	type = rd_u8(&r);
	vici_text(rd_span(&r, rd_u8(&r)), name, sizeof(name));
	assert_false(r.bad);
	assert_true(vici_valid(rd_rest(&r)));
	assert_true(w->n_sent[tx->link] < 8);
	snprintf(w->sent[tx->link][w->n_sent[tx->link]++], 64, "%u %s", type, name);
}

static void drain(struct world *w)
{
	for (struct fx *f; (f = fx_pop(&w->v.out)); fx_free(f)) {
		const struct vici_fx_msg *m = (const void *)f->data;

		switch ((enum vici_fx)f->type) {
		case VICI_FX_CONNECT:
			assert_false(w->open);
			w->open = true;
			w->connects++;
			break;
		case VICI_FX_CLOSE:
			w->open = false;
			w->closes++;
			memset(w->n_sent, 0, sizeof(w->n_sent));
			break;
		case VICI_FX_TX:
			sent(w, f);
			break;
		case VICI_FX_READY:
			w->ready++;
			vici_text(vici_fx_text(f), w->version, sizeof(w->version));
			break;
		case VICI_FX_DOWN:
			w->downs++;
			vici_text(vici_fx_text(f), w->down, sizeof(w->down));
			break;
		case VICI_FX_NOTE:
			w->notes++;
			vici_text(vici_fx_text(f), w->note, sizeof(w->note));
			break;
		case VICI_FX_ITEM:
			w->items++;
			break;
		case VICI_FX_REPLY:
			assert_true(w->replies < 32);
			w->reply[w->replies].id = m->id;
			w->reply[w->replies].status = m->status;
			memcpy(w->reply[w->replies].name, m->name, sizeof(m->name));
			vici_text(vici_get(vici_fx_body(f), "errmsg"), w->reply[w->replies].errmsg, 64);
			w->replies++;
			break;
		case VICI_FX_EVENT:
			w->events++;
			break;
		}
	}
	assert_false(w->v.out.lost);
}

/* The oldest unanswered packet on a link must be this. */
static void expect(struct world *w, enum vici_link link, const char *what)
{
	drain(w);
	assert_true(w->n_sent[link] > 0);
	assert_string_equal(w->sent[link][0], what);
	memmove(w->sent[link][0], w->sent[link][1], sizeof(w->sent[link]) - 64);
	w->n_sent[link]--;
}

static void say(struct world *w, enum vici_link link, enum vici_packet type, const char *name, struct span msg)
{
	uint8_t out[512];
	struct wr wr = wr_init(out, sizeof(out));

	vici_packet(&wr, type, name, msg);
	assert_false(wr.bad);
	for (size_t i = 0; i < wr_len(&wr); i++)		/* as slowly as a socket may */
		vici_input(&w->v, w->now, link, out + i, 1);
	drain(w);
}

static struct span kv(uint8_t *buf, const char *key, const char *value)
{
	struct wr w = wr_init(buf, 64);

	vici_key(&w, key, value);
	return (struct span){ buf, wr_len(&w) };
}

static const struct span none = { NULL, 0 };

static void tick(struct world *w, ms_t ms)
{
	w->now += ms;
	vici_tick(&w->v, w->now);
	drain(w);
}

static void greet(struct world *w)
{
	uint8_t buf[128];
	struct wr wr = wr_init(buf, sizeof(buf));

	vici_connected(&w->v, w->now, VICI_COMMANDS);
	vici_connected(&w->v, w->now, VICI_EVENTS);
	expect(w, VICI_COMMANDS, "0 version");
	vici_key(&wr, "daemon", "charon");
	vici_key(&wr, "version", "5.9.8");
	say(w, VICI_COMMANDS, VICI_CMD_RESPONSE, NULL, (struct span){ buf, wr_len(&wr) });
	for (unsigned i = 0; events[i]; i++) {
		char what[64];

		snprintf(what, sizeof(what), "3 %s", events[i]);
		expect(w, VICI_EVENTS, what);
		if (i)		/* what it says before READY will be asked for */
			say(w, VICI_EVENTS, VICI_EVENT, events[0], none);
		say(w, VICI_EVENTS, VICI_EVENT_CONFIRM, NULL, none);
	}
	assert_int_equal(w->events, 0);
	assert_int_equal(w->v.state, VICI_READY);
}

static struct world *world(bool up)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->now = 1000;
	vici_init(&w->v, events, w->now);
	tick(w, 0);
	assert_int_equal(w->connects, 1);
	if (up)
		greet(w);
	return w;
}

static void world_free(struct world *w)
{
	vici_done(&w->v);
	free(w);
}

static void comes_up(void **state)
{
	struct world *w = world(false);

	(void)state;
	assert_int_equal(vici_request(&w->v, w->now, "stats", NULL, none, 0), 0);	/* not yet */
	greet(w);
	assert_int_equal(w->ready, 1);
	assert_string_equal(w->version, "charon 5.9.8");
	assert_int_equal(w->replies, 0);		/* its own question is its own */
	assert_int_equal(w->downs, 0);
	world_free(w);
}

static void one_command_at_a_time(void **state)
{
	struct world *w = world(true);
	uint8_t buf[64];
	uint32_t a = vici_request(&w->v, w->now, "load-conn", NULL, none, 0);
	uint32_t b = vici_request(&w->v, w->now, "load-shared", NULL, none, 0);

	(void)state;
	assert_true(a && b && a != b);
	expect(w, VICI_COMMANDS, "0 load-conn");
	assert_int_equal(w->n_sent[VICI_COMMANDS], 0);
	say(w, VICI_EVENTS, VICI_EVENT, "child-updown", none);		/* in between, on its own connection */
	assert_int_equal(w->events, 1);
	say(w, VICI_COMMANDS, VICI_CMD_RESPONSE, NULL, kv(buf, "success", "yes"));
	expect(w, VICI_COMMANDS, "0 load-shared");
	say(w, VICI_COMMANDS, VICI_CMD_RESPONSE, NULL, (struct span){ (const uint8_t *)
	    "\x03\x07success\0\x02no\x03\x06" "errmsg\0\x03why", 26 });
	assert_int_equal(w->replies, 2);
	assert_true(w->reply[0].id == a && w->reply[0].status == VICI_OK);
	assert_string_equal(w->reply[0].name, "load-conn");
	assert_true(w->reply[1].id == b && w->reply[1].status == VICI_REFUSED);
	assert_string_equal(w->reply[1].errmsg, "why");
	world_free(w);
}

static void a_stream(void **state)
{
	struct world *w = world(true);
	uint32_t id = vici_request(&w->v, w->now, "list-sas", "list-sa", none, 0);
	uint32_t next = vici_request(&w->v, w->now, "stats", NULL, none, 0);

	(void)state;
	expect(w, VICI_COMMANDS, "3 list-sa");
	say(w, VICI_COMMANDS, VICI_EVENT_CONFIRM, NULL, none);
	expect(w, VICI_COMMANDS, "0 list-sas");
	for (unsigned i = 0; i < 3; i++) {
		tick(w, VICI_TIMEOUT_MS - 1);		/* slow, but it moves */
		say(w, VICI_COMMANDS, VICI_EVENT, "list-sa", none);
	}
	say(w, VICI_COMMANDS, VICI_EVENT, "somebody-elses", none);
	assert_int_equal(w->items, 3);
	say(w, VICI_COMMANDS, VICI_CMD_RESPONSE, NULL, none);
	assert_true(w->replies == 1 && w->reply[0].id == id && w->reply[0].status == VICI_OK);
	expect(w, VICI_COMMANDS, "4 list-sa");
	assert_int_equal(w->n_sent[VICI_COMMANDS], 0);
	say(w, VICI_COMMANDS, VICI_EVENT_CONFIRM, NULL, none);
	expect(w, VICI_COMMANDS, "0 stats");
	say(w, VICI_COMMANDS, VICI_CMD_RESPONSE, NULL, none);
	assert_true(w->replies == 2 && w->reply[1].id == next);
	world_free(w);
}

static void commands_and_events_it_has_not(void **state)
{
	struct world *w = world(false);
	uint32_t a, b;

	(void)state;
	vici_connected(&w->v, w->now, VICI_EVENTS);
	vici_connected(&w->v, w->now, VICI_COMMANDS);
	expect(w, VICI_EVENTS, "3 child-updown");
	say(w, VICI_EVENTS, VICI_EVENT_UNKNOWN, NULL, none);
	assert_int_equal(w->notes, 1);
	assert_non_null(strstr(w->note, "child-updown"));
	say(w, VICI_EVENTS, VICI_EVENT_CONFIRM, NULL, none);
	assert_int_equal(w->v.state, VICI_GREETING);
	say(w, VICI_COMMANDS, VICI_CMD_RESPONSE, NULL, none);
	assert_int_equal(w->v.state, VICI_READY);
	a = vici_request(&w->v, w->now, "list-sas", "list-sa", none, 0);
	b = vici_request(&w->v, w->now, "redirect", NULL, none, 0);
	say(w, VICI_COMMANDS, VICI_EVENT_UNKNOWN, NULL, none);
	say(w, VICI_COMMANDS, VICI_CMD_UNKNOWN, NULL, none);
	assert_int_equal(w->replies, 2);
	assert_true(w->reply[0].id == a && w->reply[0].status == VICI_UNKNOWN);
	assert_true(w->reply[1].id == b && w->reply[1].status == VICI_UNKNOWN);
	world_free(w);
}

static void charon_is_not_there(void **state)
{
	struct world *w = world(false);

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		vici_lost(&w->v, w->now, "no such file");
		drain(w);
		assert_string_equal(w->down, "no such file");
		assert_int_equal(w->downs, i + 1);
		assert_int_equal(w->connects, i + 1);
		assert_int_equal(vici_deadline(&w->v) - w->now, VICI_RETRY_MIN_MS);
		tick(w, VICI_RETRY_MIN_MS);
		assert_int_equal(w->connects, i + 2);
	}
	greet(w);				/* and then it comes */
	vici_lost(&w->v, w->now, "ended");
	drain(w);
	assert_int_equal(vici_deadline(&w->v) - w->now, VICI_RETRY_MIN_MS);
	world_free(w);
}

/* Everything is loaded anew each time: less often, then. */
static void charon_comes_and_goes(void **state)
{
	static const ms_t waits[] = { 1000, 2000, 2000, 2000 };
	struct world *w = world(false);

	(void)state;
	for (unsigned stable = 0; stable < 2; stable++) {
		for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
			greet(w);
			vici_lost(&w->v, w->now, "ended");
			drain(w);
			assert_int_equal(vici_deadline(&w->v) - w->now, waits[i]);
			tick(w, waits[i]);
		}
		greet(w);			/* this time it stays */
		w->now += VICI_STABLE_MS;
		vici_lost(&w->v, w->now, "ended");
		drain(w);
		assert_int_equal(vici_deadline(&w->v) - w->now, VICI_RETRY_MIN_MS);
		tick(w, VICI_RETRY_MIN_MS);
	}
	world_free(w);
}

static void charon_does_not_greet(void **state)
{
	struct world *w = world(false);

	(void)state;
	vici_connected(&w->v, w->now, VICI_COMMANDS);
	tick(w, VICI_OPEN_MS);			/* the other one never opened */
	assert_true(w->downs == 1 && w->closes == 1 && !w->open);
	tick(w, VICI_RETRY_MIN_MS);
	vici_connected(&w->v, w->now, VICI_COMMANDS);
	vici_connected(&w->v, w->now, VICI_EVENTS);
	tick(w, VICI_OPEN_MS);			/* open, but silent */
	assert_true(w->downs == 2 && w->closes == 2 && !w->ready);
	world_free(w);
}

static void charon_is_restarted(void **state)
{
	struct world *w = world(true);
	uint32_t a = vici_request(&w->v, w->now, "initiate", NULL, none, 60000);
	uint32_t b = vici_request(&w->v, w->now, "stats", NULL, none, 0);

	(void)state;
	expect(w, VICI_COMMANDS, "0 initiate");
	vici_input(&w->v, w->now, VICI_COMMANDS, "\0\0\0\x10\x01", 5);		/* half an answer */
	vici_lost(&w->v, w->now, "charon closed the connection");
	vici_lost(&w->v, w->now, "twice");
	drain(w);
	assert_true(w->downs == 1 && w->closes == 1);
	assert_int_equal(w->replies, 2);
	assert_true(w->reply[0].id == a && w->reply[0].status == VICI_LOST);
	assert_true(w->reply[1].id == b && w->reply[1].status == VICI_LOST);
	assert_int_equal(vici_request(&w->v, w->now, "stats", NULL, none, 0), 0);
	vici_input(&w->v, w->now, VICI_EVENTS, "late", 4);			/* nobody listens */
	tick(w, VICI_RETRY_MIN_MS);
	greet(w);
	assert_int_equal(w->ready, 2);			/* the order to look at everything anew */
	assert_true(vici_request(&w->v, w->now, "stats", NULL, none, 0));
	expect(w, VICI_COMMANDS, "0 stats");
	world_free(w);
}

static void charon_stands_still(void **state)
{
	struct world *w = world(true);
	uint32_t id = vici_request(&w->v, w->now, "load-conn", NULL, none, 0);

	(void)state;
	tick(w, VICI_TIMEOUT_MS - 1);
	assert_int_equal(w->downs, 0);
	tick(w, 1);
	assert_int_equal(w->downs, 1);
	assert_string_equal(w->down, "charon does not answer load-conn");
	assert_true(w->replies == 1 && w->reply[0].id == id && w->reply[0].status == VICI_LOST);
	world_free(w);

	w = world(true);			/* idle: it is asked now and then */
	for (unsigned i = 0; i < 3; i++) {
		tick(w, VICI_IDLE_MS);
		expect(w, VICI_COMMANDS, "0 version");
		say(w, VICI_COMMANDS, VICI_CMD_RESPONSE, NULL, none);
	}
	assert_int_equal(w->downs, 0);
	tick(w, VICI_IDLE_MS);
	tick(w, VICI_OPEN_MS);
	assert_true(w->downs == 1 && w->replies == 0);
	world_free(w);
}

static void charon_talks_nonsense(void **state)
{
	static const struct { enum vici_link link; struct span octets; } bad[] = {
#define BAD(link, s) { link, { (const uint8_t *)s, sizeof(s) - 1 } }
		BAD(VICI_COMMANDS, "\0\0\0\0"),				/* no octets */
		BAD(VICI_COMMANDS, "\0\x08\0\1"),			/* too many */
		BAD(VICI_EVENTS, "HTTP/1.0 400 Bad Request"),
		BAD(VICI_COMMANDS, "\0\0\0\1\x08"),			/* no such type */
		BAD(VICI_COMMANDS, "\0\0\0\1\1"),			/* an answer to nothing */
		BAD(VICI_COMMANDS, "\0\0\0\1\5"),			/* confirms nothing */
		BAD(VICI_EVENTS, "\0\0\0\1\5"),
		BAD(VICI_EVENTS, "\0\0\0\1\1"),				/* an answer where none can be */
		BAD(VICI_EVENTS, "\0\0\0\3\7\5c"),			/* half a name */
		BAD(VICI_EVENTS, "\0\0\0\4\7\1c\1"),			/* half a message */
		BAD(VICI_COMMANDS, "\0\0\0\1\0"),			/* a request to us */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct world *w = world(true);

		print_message("# %u\n", i);
		vici_input(&w->v, w->now, bad[i].link, bad[i].octets.p, bad[i].octets.n);
		drain(w);
		assert_int_equal(w->downs, 1);
		assert_non_null(strstr(w->down, "VICI"));
		assert_false(w->open);
		tick(w, VICI_RETRY_MIN_MS);
		greet(w);
		assert_int_equal(w->ready, 2);
		world_free(w);
	}
}

static void requests_are_bounded(void **state)
{
	static uint8_t big[VICI_PACKET_MAX];
	struct world *w = world(true);
	unsigned n = 0;

	(void)state;
	assert_int_equal(vici_request(&w->v, w->now, "load-conn", NULL, (struct span){ big, sizeof(big) }, 0), 0);
	assert_int_equal(vici_request(&w->v, w->now, "x", NULL, (struct span){ (const uint8_t *)"\x02", 1 }, 0), 0);
	while (n <= VICI_QUEUE_MAX && vici_request(&w->v, w->now, "stats", NULL, none, 0))
		n++;
	assert_int_equal(n, VICI_QUEUE_MAX);
	world_free(w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_up),
		cmocka_unit_test(charon_comes_and_goes),
		cmocka_unit_test(one_command_at_a_time),
		cmocka_unit_test(a_stream),
		cmocka_unit_test(commands_and_events_it_has_not),
		cmocka_unit_test(charon_is_not_there),
		cmocka_unit_test(charon_does_not_greet),
		cmocka_unit_test(charon_is_restarted),
		cmocka_unit_test(charon_stands_still),
		cmocka_unit_test(charon_talks_nonsense),
		cmocka_unit_test(requests_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
