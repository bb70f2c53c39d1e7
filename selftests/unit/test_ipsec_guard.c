/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rules the kernel's guard gets from the configuration and from what is dialled. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/dial.h"
#include "core/ipsec_guard.h"
#include "core/tunnel.h"

struct world {
	struct ctx ctx;
	struct config conf;
	struct conf_listen listen[4];
	struct conf_peer peer[200];
	struct tunnel *tunnel[MAX_ID];
	struct guard guard;
};

static struct addr net(const char *text, unsigned bits)
{
	struct addr a = { .family = strchr(text, ':') ? 6 : 4, .prefix_len = (uint8_t)bits };

	assert_int_equal(inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.a), 1);
	return a;
}

static struct endpoint at(const char *text, unsigned port)
{
	struct addr a = net(text, 0);
	struct endpoint e = { .family = a.family, .port = (uint16_t)port };

	memcpy(e.addr, a.a, sizeof(e.addr));
	return e;
}

static struct world *world(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->ctx.conf = &w->conf;
	w->ctx.tunnel = w->tunnel;
	w->conf.listen = w->listen;
	w->conf.peer = w->peer;
	return w;
}

static void listen_on(struct world *w, const char *text, unsigned port)
{
	w->listen[w->conf.n_listens].addr = net(text, strchr(text, ':') ? 128 : 32);
	w->listen[w->conf.n_listens++].addr.port = (uint16_t)port;
}

static void peer(struct world *w, const char *text, unsigned bits, bool required)
{
	struct conf_peer *p = &w->peer[w->conf.n_peers++];

	if (text)
		p->address = net(text, bits);
	p->ipsec.required = required;
}

static bool holds(const struct world *w, const char *local, unsigned port, const char *from)
{
	struct endpoint l = at(local, port), p = at(from, 1701);

	return guard_holds(&w->guard, &l, &p);
}

static void nothing_required(void **state)
{
	struct world *w = world();

	(void)state;
	listen_on(w, "192.0.2.1", 1701);
	peer(w, "0.0.0.0", 0, false);
	assert_false(guard_build(&w->guard, &w->ctx));
	assert_int_equal(w->guard.n, 0);
	assert_false(holds(w, "192.0.2.1", 1701, "198.51.100.1"));
	free(w);
}

static void the_longest_prefix_counts(void **state)
{
	struct world *w = world();

	(void)state;
	listen_on(w, "192.0.2.1", 1701);
	listen_on(w, "2001:db8::1", 1701);
	peer(w, NULL, 0, true);				/* by its Host Name: from anywhere */
	peer(w, "10.1.0.0", 16, false);
	peer(w, "10.1.1.0", 24, true);
	peer(w, "172.16.0.0", 12, false);
	assert_true(guard_build(&w->guard, &w->ctx));
	assert_int_equal(w->guard.n, 5);
	assert_true(holds(w, "192.0.2.1", 1701, "10.1.1.9"));
	assert_false(holds(w, "192.0.2.1", 1701, "10.1.2.9"));
	assert_false(holds(w, "192.0.2.1", 1701, "172.31.0.1"));
	assert_true(holds(w, "192.0.2.1", 1701, "198.51.100.1"));
	assert_true(holds(w, "2001:db8::1", 1701, "2001:db8::77"));
	assert_false(holds(w, "192.0.2.1", 1702, "198.51.100.1"));	/* not our port */
	assert_false(holds(w, "192.0.2.3", 1701, "198.51.100.1"));	/* not our address */
	assert_false(guard_build(&w->guard, &w->ctx));		/* the same again */
	free(w);
}

/* Without L2TP: every pair of networks of one family, in front, and no port of L2TP's for it. */
static void networks(void **state)
{
	char ours[] = "10.1.0.0/16,2001:db8:1::/48", theirs[] = "10.2.0.0/24,10.3.0.0/24";
	struct conf_tunnel tunnel = { .ipsec = { .required = true, .mode = MODE_TUNNEL, .networks = theirs,
						 .local_networks = ours } };
	struct world *w = world();
	const struct k_guard *r = w->guard.rule;

	(void)state;
	listen_on(w, "192.0.2.1", 1701);
	peer(w, "198.51.100.0", 24, true);
	peer(w, "0.0.0.0", 0, true);
	w->peer[1].ipsec.mode = MODE_TUNNEL;
	w->peer[1].ipsec.networks = ours;
	w->peer[1].ipsec.local_networks = ours;
	w->conf.tunnel = &tunnel;
	w->conf.n_tunnels = 1;
	assert_true(guard_build(&w->guard, &w->ctx));
	assert_int_equal(w->guard.n, 5);
	assert_true(r[0].net && r[1].net && r[2].net && r[3].net && !r[4].net);
	assert_true(r[2].local.family == 4 && r[2].local_bits == 16 && r[2].peer_bits == 24 && !r[2].pass && !r[2].local.port);
	assert_int_equal(r[2].peer.addr[1], 2);
	assert_int_equal(r[3].peer.addr[1], 3);
	assert_true(r[1].local.family == 6 && r[1].local_bits == 48);
	assert_true(holds(w, "192.0.2.1", 1701, "198.51.100.1"));
	assert_false(holds(w, "192.0.2.1", 1701, "198.51.101.1"));
	assert_false(holds(w, "10.1.0.1", 1701, "10.2.0.1"));
	free(w);
}

static void wildcard_listener(void **state)
{
	struct world *w = world();

	(void)state;
	listen_on(w, "0.0.0.0", 1701);
	peer(w, "198.51.100.0", 24, true);
	assert_true(guard_build(&w->guard, &w->ctx));
	assert_true(holds(w, "192.0.2.1", 1701, "198.51.100.1"));
	assert_true(holds(w, "192.0.2.2", 1701, "198.51.100.1"));
	assert_false(holds(w, "192.0.2.1", 1701, "198.51.101.1"));
	free(w);
}

static void what_is_dialled(void **state)
{
	struct conf_tunnel with = { .ipsec = { .required = true } }, without = { .ipsec = { .required = false } };
	struct dial a = { .as = &with, .wanted = true, .local = at("192.0.2.1", 1701), .peer = at("203.0.113.1", 1701) };
	struct dial b = { .as = &without, .wanted = true, .local = at("192.0.2.1", 1701), .peer = at("203.0.113.2", 1701) };
	struct world *w = world();

	(void)state;
	listen_on(w, "192.0.2.1", 1701);
	peer(w, "203.0.113.2", 32, true);
	a.next = &b;
	w->ctx.dials = &a;
	assert_true(guard_build(&w->guard, &w->ctx));
	assert_true(holds(w, "192.0.2.1", 1701, "203.0.113.1"));
	assert_false(holds(w, "192.0.2.1", 1701, "203.0.113.2"));	/* asked for, and from the listener's port */
	a.wanted = false;
	assert_true(guard_build(&w->guard, &w->ctx));
	assert_false(holds(w, "192.0.2.1", 1701, "203.0.113.1"));
	free(w);
}

static void old_tunnels_say_good_bye(void **state)
{
	struct conf_peer was = { .ipsec = { .required = true } };
	struct tunnel t = { .from = &was, .local = at("192.0.2.1", 1701), .peer = at("203.0.113.1", 5000) };
	struct world *w = world();

	(void)state;
	listen_on(w, "192.0.2.1", 1701);
	peer(w, "0.0.0.0", 0, false);			/* by now */
	w->tunnel[7] = &t;
	w->ctx.n_tunnels = 1;
	assert_true(guard_build(&w->guard, &w->ctx));
	assert_true(holds(w, "192.0.2.1", 1701, "203.0.113.1"));
	assert_false(holds(w, "192.0.2.1", 1701, "203.0.113.3"));
	free(w);
}

static void too_many_are_closed(void **state)
{
	struct world *w = world();
	char text[32];

	(void)state;
	listen_on(w, "192.0.2.1", 1701);
	for (unsigned i = 0; i < 150; i++) {
		snprintf(text, sizeof(text), "198.51.100.%u", i);
		peer(w, text, 32, i % 2);
	}
	peer(w, "0.0.0.0", 0, true);
	assert_true(guard_build(&w->guard, &w->ctx));
	assert_true(w->guard.n <= K_MAX_GUARDS);
	for (unsigned i = 1; i < 150; i += 2) {
		snprintf(text, sizeof(text), "198.51.100.%u", i);
		assert_true(holds(w, "192.0.2.1", 1701, text));
	}
	assert_true(holds(w, "192.0.2.1", 1701, "203.0.113.1"));
	free(w);
}

/* Who dials need not listen. */
static void too_many_are_dialled(void **state)
{
	struct conf_tunnel with = { .ipsec = { .required = true } };
	struct world *w = world();
	struct dial d[200];
	char text[32];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "203.0.113.%u", i);
		d[i] = (struct dial){ .next = i ? &d[i - 1] : NULL, .as = &with, .wanted = true,
				      .local = at("192.0.2.1", i % 2 ? 1701 : 1702), .peer = at(text, 1701) };
	}
	w->ctx.dials = &d[199];
	assert_true(guard_build(&w->guard, &w->ctx));
	assert_true(w->guard.n && w->guard.closed && !w->guard.open);
	for (unsigned i = 0; i < 200; i++)
		assert_true(guard_holds(&w->guard, &d[i].local, &d[i].peer));
	for (unsigned i = 0; i < 200; i++)
		d[i].local.port = (uint16_t)(2000 + i);
	assert_true(guard_build(&w->guard, &w->ctx));
	assert_true(w->guard.open);			/* and so nobody is dialled */
	w->ctx.dials = &d[0];
	assert_true(guard_build(&w->guard, &w->ctx));
	assert_false(w->guard.closed || w->guard.open);
	free(w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_required),
		cmocka_unit_test(the_longest_prefix_counts),
		cmocka_unit_test(networks),
		cmocka_unit_test(wildcard_listener),
		cmocka_unit_test(what_is_dialled),
		cmocka_unit_test(old_tunnels_say_good_bye),
		cmocka_unit_test(too_many_are_closed),
		cmocka_unit_test(too_many_are_dialled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
