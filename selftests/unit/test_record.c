/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a checkpoint says of a tunnel and a session: there and back, cut anywhere, from another version. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/listener.h"
#include "core/record.h"
#include "core/turn.h"
#include "core/version.h"
#include "l2tp/save.h"
#include "lib/l2tp_end.h"
#include "ppp/save.h"

static char alice[] = "alice";
static struct sim s;
static struct l2tp_end e[2];
static struct listener on = { .local = { .family = 4, .port = 1701 } };
static struct conf_peer peer = { .name = (char[]){ "anyone" } };
static struct conf_session voice = { .name = (char[]){ "" } };
static struct conf_tunnel branch = { .name = (char[]){ "branch" }, .session = &voice, .n_sessions = 1 };
static struct tunnel t;
static const struct policy policy;
static struct session ses;
static uint8_t buf[2][65536];

static int begin(void **state)
{
	(void)state;
	sim_init(&s, 1);
	end_init(&e[0], &s, 0, false);
	end_init(&e[1], &s, 1, true);
	cc_open(&e[0].cc, 0);
	end_drain(&e[0]);
	sim_run(&s, 1000);
	assert_int_equal(end_call(&e[0], CALL_LAC_INCOMING), 0);
	sim_run(&s, 3000);
	t = (struct tunnel){ .v = &version_2, .id = e[0].cc.tunnel_id, .kernel = KS_UP, .mark = 7,
			     .local = { .family = 4, .port = 1701 }, .peer = { .family = 4, .port = 40000,
			     .addr = { 192, 0, 2, 1 } }, .listener = &on, .from = &peer,
			     .since = 5, .up_since = 1700000000, .cc = e[0].cc };
	ses = (struct session){ .tunnel = &t, .policy = &policy, .call = e[0].call[0].call, .user = alice, .kernel = KS_UP,
				.wanted = 3, .applied = 3, .hooked = true, .counted = true, .auth = PPP_AUTH_CHAP_MD5,
				.leased = 0x0700000a, .mtu = 1400, .since = 6, .up_at = 7, .traffic_at = 8,
				.up_since = 1700000001, .ifindex = 9,
				.addrs = { .ip = 0x0100000a, .peer_ip = 0x0700000a }, .ifname = "ppp7", .stats.rx_packets = 11 };
	return 0;
}

static int end(void **state)
{
	(void)state;
	end_done(&e[0]);
	end_done(&e[1]);
	sim_done(&s);
	return 0;
}

static struct span saved(bool tunnel)
{
	struct wr w = wr_init(buf[0], sizeof(buf[0]));

	if (tunnel)
		record_tunnel(&t, &w);
	else
		record_session(&ses, &w);
	assert_false(w.bad);
	return (struct span){ buf[0], wr_len(&w) };
}

static void tunnel_there_and_back(void **state)
{
	struct tunnel_record r;

	(void)state;
	assert_true(record_read_tunnel(saved(true), t.id, &r));
	assert_int_equal(r.t.kernel, KS_UP);
	assert_int_equal(r.t.mark, 7);
	assert_memory_equal(&r.t.peer, &t.peer, sizeof(t.peer));
	assert_memory_equal(&r.t.local, &t.local, sizeof(t.local));
	assert_memory_equal(&r.listen, &on.local, sizeof(on.local));
	assert_int_equal(r.t.since, 5);
	assert_int_equal(r.t.up_since, 1700000000);
	assert_int_equal(r.from.n, 6);
	assert_int_equal(r.as.n, 0);
	assert_true(r.cc.n > 20);
	t.as = &branch;
	assert_true(record_read_tunnel(saved(true), t.id, &r));
	assert_memory_equal(r.as.p, "branch", r.as.n);
	assert_int_equal(r.from.n, 0);
}

static void session_there_and_back(void **state)
{
	struct session_record r;
	struct call call;

	(void)state;
	assert_true(record_read_session(saved(false), &r));
	assert_int_equal(r.tunnel_id, t.id);
	assert_memory_equal(r.user.p, "alice", 5);
	assert_false(r.dialled);
	assert_true(r.s.hooked && r.s.counted && !r.s.up && !r.s.ending);
	assert_int_equal(r.s.leased, 0x0700000a);
	assert_int_equal(r.s.up_at, 7);
	assert_int_equal(r.s.up_since, 1700000001);
	assert_int_equal(r.s.stats.rx_packets, 11);
	assert_string_equal(r.s.ifname, "ppp7");
	assert_int_equal(r.ppp.n, 0);
	assert_true(cc_call_read(&t.cc, r.call, &call));
	assert_int_equal(call.session_id, ses.call.session_id);
	assert_int_equal(call.peer_session_id, ses.call.peer_session_id);
	ses.as = &voice;
	assert_true(record_read_session(saved(false), &r));
	assert_true(r.dialled && !r.as.n);
}

static void cut(void **state)
{
	struct tunnel_record tr;
	struct session_record sr;

	(void)state;
	for (int k = 0; k < 2; k++) {
		struct span was = saved(k);
		unsigned readable = 0;

		for (size_t n = 0; n < was.n; n++) {
			uint8_t *copy = malloc(n + 1);	/* a sanitizer sees one octet past it */

			memcpy(copy, was.p, n);
			readable += k ? record_read_tunnel((struct span){ copy, n }, t.id, &tr) :
				    record_read_session((struct span){ copy, n }, &sr);
			free(copy);
		}
		/* what matters comes last: without it there is no record */
		assert_int_equal(readable, 0);
	}
}

static void other_versions(void **state)
{
	struct tunnel_record tr;
	struct session_record sr;

	(void)state;
	for (int k = 0; k < 2; k++) {
		struct span was = saved(k), is = { buf[1], 0 };
		struct wr w = wr_init(buf[1], sizeof(buf[1]));

		rec_octets(&w, 250, "from the future", 15);
		wr_bytes(&w, was.p, was.n);
		is.n = wr_len(&w);
		assert_true(k ? record_read_tunnel(is, t.id, &tr) : record_read_session(is, &sr));
		buf[1][17] = 1;
		buf[1][18] = 1;
		buf[1][19] = 2;			/* the format is what it begins with */
		assert_false(k ? record_read_tunnel(is, t.id, &tr) : record_read_session(is, &sr));
		is = (struct span){ was.p + 3, was.n - 3 };
		assert_false(k ? record_read_tunnel(is, t.id, &tr) : record_read_session(is, &sr));
	}
}

static void contradictions(void **state)
{
	struct tunnel_record tr;
	struct session_record sr;

	(void)state;
	t.gone = true;
	assert_false(record_read_tunnel(saved(true), t.id, &tr));
	t.gone = false;
	t.peer.family = 6;
	assert_false(record_read_tunnel(saved(true), t.id, &tr));
	t.peer.family = 4;
	t.peer.port = 0;
	assert_false(record_read_tunnel(saved(true), t.id, &tr));
	ses.ending = true;
	assert_false(record_read_session(saved(false), &sr));
	ses.call_down = true;
	assert_true(record_read_session(saved(false), &sr));
	ses.ending = ses.call_down = false;
	ses.user = NULL;
	assert_false(record_read_session(saved(false), &sr));	/* counted, but as nobody */
	ses.user = alice;
	ses.up = true;						/* without a link */
	assert_false(record_read_session(saved(false), &sr));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tunnel_there_and_back, begin, end),
		cmocka_unit_test_setup_teardown(session_there_and_back, begin, end),
		cmocka_unit_test_setup_teardown(cut, begin, end),
		cmocka_unit_test_setup_teardown(other_versions, begin, end),
		cmocka_unit_test_setup_teardown(contradictions, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
