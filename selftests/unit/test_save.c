/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints of the engines: there and back, cut anywhere, from another version, and made up. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "l2tp/save.h"
#include "lib/l2tp_end.h"
#include "lib/ppp_sim.h"
#include "ppp/save.h"

enum { TAG = 7, ROOM = 65536, NEW = 8 };		/* NEW: calls that are being placed when it ends */

static uint8_t buf[3][ROOM];

/* The value of the one field in these octets; n 0: they are not one. */
static struct span value_of(const uint8_t *p, size_t n)
{
	struct rd r = rd_init(p, n);
	struct span v = { NULL, 0 };
	unsigned tag;

	if (!rec_next(&r, &tag, &v) || tag != TAG || rd_left(&r))
		return (struct span){ NULL, 0 };
	return v;
}

static struct span save_cc(const struct cc *cc, unsigned b)
{
	struct wr w = wr_init(buf[b], ROOM);

	v2_cc_save(cc, &w, TAG);
	assert_false(w.bad);
	return value_of(buf[b], wr_len(&w));
}

/* A tunnel with calls, something unacknowledged, and something that waits for the window. */
static struct sim s;
static struct l2tp_end e[2];

static int tunnel(void **state)
{
	(void)state;
	sim_init(&s, 4711);
	end_init(&e[0], &s, 0, false);
	end_init(&e[1], &s, 1, true);
	e[0].conf.hello_ms = e[1].conf.hello_ms = 60000;
	cc_open(&e[0].cc, s.now);
	end_drain(&e[0]);
	sim_run(&s, 1000);
	assert_int_equal(end_call(&e[0], CALL_LAC_INCOMING), 0);
	assert_int_equal(end_call(&e[1], CALL_LNS_OUTGOING), 0);
	sim_run(&s, 10000);
	assert_int_equal(e[0].call[0].ups, 1);
	s.loss = 100;
	for (int i = 0; i < NEW; i++)
		assert_int_equal(end_call(&e[0], CALL_LAC_INCOMING), 0);
	assert_true(e[0].cc.rel.n_tx == NEW && e[0].cc.rel.ns != (uint16_t)(e[0].cc.rel.una + NEW));
	return 0;
}

/* Besides, a message that came too early. */
static int tunnel_early(void **state)
{
	struct l2tp_msg m = { .type = L2TP_HELLO };
	uint8_t octets[64];
	size_t n;

	tunnel(state);
	m.tunnel_id = e[0].cc.tunnel_id;
	m.ns = (uint16_t)(e[0].cc.rel.nr + 2);
	m.nr = e[0].cc.rel.una;
	n = l2tp_encode(&m, octets, sizeof(octets), (struct span){ NULL, 0 });
	v2_cc_input(&e[0].cc, s.now, octets, n);
	end_drain(&e[0]);
	assert_int_equal(e[0].cc.rel.n_early, 1);
	return 0;
}

static int no_tunnel(void **state)
{
	(void)state;
	end_done(&e[0]);
	end_done(&e[1]);
	sim_done(&s);
	return 0;
}

static void cc_there_and_back(void **state)
{
	struct span was = save_cc(&e[0].cc, 0), is;
	struct call call[NEW + 3];
	struct cc cc;

	(void)state;
	assert_true(cc_to_be_saved(&e[0].cc));
	v2_cc_init(&cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
	assert_int_equal(v2_cc_restore(&cc, s.now, was), 0);
	is = save_cc(&cc, 1);
	assert_int_equal(is.n, was.n);
	assert_memory_equal(is.p, was.p, was.n);
	assert_string_equal(cc.peer_host_name, "lns.example");
	assert_int_equal(cc_deadline(&cc), s.now);		/* what is unacknowledged leaves at once */
	for (unsigned i = 0; i < e[0].n_calls; i++) {
		struct wr w = wr_init(buf[2], ROOM);

		cc_call_save(&e[0].cc, &e[0].call[i].call, &w, TAG);
		was = value_of(buf[2], wr_len(&w));
		assert_int_equal(cc_call_restore(&cc, &call[i], s.now, was), 0);
		assert_int_equal(call[i].state, e[0].call[i].call.state);
		assert_int_equal(call[i].peer_session_id, e[0].call[i].call.peer_session_id);
		assert_string_equal(call[i].info.calling, e[0].call[i].call.info.calling);
		assert_ptr_equal(cc_call_find(&cc, call[i].session_id), &call[i]);
		/* twice is once too often */
		assert_int_equal(cc_call_restore(&cc, &call[NEW + 2], s.now, was), -EBADMSG);
	}
	assert_int_equal(cc.n_calls, e[0].n_calls);
	assert_true(cc.setup && cc.setup->next && cc.setup->setup_by <= cc.setup_tail->setup_by);
	v2_cc_done(&cc);
}

/* The peer's answer to what left before the crash is an answer to what was restored. */
static void cc_goes_on(void **state)
{
	struct span was = save_cc(&e[0].cc, 0);
	struct call *c = &e[0].call[1].call;
	uint16_t una = e[0].cc.rel.una;

	(void)state;
	v2_cc_done(&e[0].cc);
	v2_cc_init(&e[0].cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
	assert_int_equal(v2_cc_restore(&e[0].cc, s.now, was), 0);
	for (unsigned i = 0; i < e[0].n_calls; i++) {
		struct wr w = wr_init(buf[2], ROOM);

		c = &e[0].call[i].call;
		cc_call_save(&e[0].cc, c, &w, TAG);
		assert_int_equal(cc_call_restore(&e[0].cc, c, s.now, value_of(buf[2], wr_len(&w))), 0);
	}
	s.loss = 0;
	sim_run(&s, s.now + 30000);
	for (unsigned i = 0; i < e[0].n_calls; i++)
		assert_int_equal(e[0].call[i].ups, 1);
	assert_int_equal(e[1].n_calls, e[0].n_calls);
	assert_int_equal((uint16_t)(e[0].cc.rel.ns - una), 2 * NEW);		/* an ICRQ and an ICCN each */
	assert_true(!e[0].downs && !e[1].downs);
}

static void cc_cut(void **state)
{
	struct span was = save_cc(&e[0].cc, 0);
	size_t whole = (size_t)(was.p + was.n - buf[0]);
	struct cc cc, before;

	(void)state;
	for (size_t n = 0; n < whole; n++)
		assert_int_equal(value_of(buf[0], n).n, 0);
	for (size_t n = 0; n < was.n; n++) {
		uint8_t *copy = malloc(n + 1);		/* a sanitizer sees one octet past it */

		memcpy(copy, was.p, n);
		v2_cc_init(&cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
		before = cc;
		if (v2_cc_restore(&cc, s.now, (struct span){ copy, n }))
			assert_memory_equal(&cc, &before, sizeof(cc));
		v2_cc_done(&cc);
		free(copy);
	}
}

/* Adds a field in front of a record's others. */
static struct span with(struct span was, unsigned tag, const char *octets, size_t n)
{
	struct wr w = wr_init(buf[2], ROOM);

	rec_octets(&w, tag, octets, n);
	wr_bytes(&w, was.p, was.n);
	return (struct span){ buf[2], wr_len(&w) };
}

static void cc_other_versions(void **state)
{
	struct span was = save_cc(&e[0].cc, 0);
	struct cc cc;

	(void)state;
	v2_cc_init(&cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
	assert_int_equal(v2_cc_restore(&cc, s.now, with(was, 250, "from the future", 15)), 0);
	assert_int_equal(cc.rel.n_tx, NEW);
	v2_cc_done(&cc);
	v2_cc_init(&cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
	assert_int_equal(v2_cc_restore(&cc, s.now, with(was, 1, "\2", 1)), -EBADMSG);	/* another format */
	assert_int_equal(v2_cc_restore(&cc, s.now, (struct span){ was.p + 3, was.n - 3 }), -EBADMSG);	/* none */
	assert_int_equal(v2_cc_restore(&cc, s.now, (struct span){ NULL, 0 }), -EBADMSG);
	v2_cc_done(&cc);
	v2_cc_init(&cc, &e[0].env, &e[0].conf, (uint16_t)(e[0].cc.tunnel_id + 1));
	assert_int_equal(v2_cc_restore(&cc, s.now, was), -EBADMSG);		/* of another tunnel */
	v2_cc_done(&cc);
}

/* Hung up before the peer had said anything: its id is unknown, and the StopCCN goes on. */
static void cc_stopped_early(void **state)
{
	struct cc cc;

	(void)state;
	sim_init(&s, 4711);
	end_init(&e[0], &s, 0, false);
	end_init(&e[1], &s, 1, true);
	s.loss = 100;
	cc_open(&e[0].cc, s.now);
	end_drain(&e[0]);
	cc_close(&e[0].cc, s.now, NULL);
	end_drain(&e[0]);
	assert_true(e[0].cc.ending == CC_STOP_SENT && !e[0].cc.peer_tunnel_id && cc_to_be_saved(&e[0].cc));
	v2_cc_init(&cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
	assert_int_equal(v2_cc_restore(&cc, s.now, save_cc(&e[0].cc, 0)), 0);
	assert_true(cc.ending == CC_STOP_SENT && cc.rel.tx && cc_deadline(&cc) != NEVER);
	v2_cc_done(&cc);
}

static void cc_contradictions(void **state)
{
	static const struct { size_t at; uint16_t v; } wrong[] = {
		{ offsetof(struct cc, rel.una), 40000 }, { offsetof(struct cc, rel.nxt), 40000 },
		{ offsetof(struct cc, rel.rws), 0 }, { offsetof(struct cc, rel.rws), 1000 }, { offsetof(struct cc, rel.cwnd), 0 },
		{ offsetof(struct cc, rel.peer_rws), 0 }, { offsetof(struct cc, peer_tunnel_id), 0 },
		{ offsetof(struct cc, rel.ns), 50000 },
	};
	struct cc lie, cc;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		lie = e[0].cc;
		memcpy((char *)&lie + wrong[i].at, &wrong[i].v, sizeof(wrong[i].v));
		v2_cc_init(&cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
		assert_int_equal(v2_cc_restore(&cc, s.now, save_cc(&lie, 0)), -EBADMSG);
		v2_cc_done(&cc);
	}
	for (unsigned state_ending = 0; state_ending < 16; state_ending++) {
		lie = e[0].cc;
		lie.state = state_ending / 4;
		lie.ending = state_ending % 4;
		lie.rel.tx = lie.rel.early = NULL;
		lie.rel.una = lie.rel.nxt = lie.rel.ns;
		v2_cc_init(&cc, &e[0].env, &e[0].conf, e[0].cc.tunnel_id);
		assert_int_equal(!v2_cc_restore(&cc, s.now, save_cc(&lie, 0)),
				 lie.state == CC_ESTABLISHED ? lie.ending == CC_LIVE :
				 lie.state == CC_IDLE && lie.ending > CC_STOP_SENT);
		v2_cc_done(&cc);
	}
}

/* Two links in the middle of whatever they do: saved, restored, and neither notices. */

static struct ppp_sim link;

static struct span save_ppp(const struct ppp *p, unsigned b)
{
	struct wr w = wr_init(buf[b], ROOM);

	ppp_save(p, &w, TAG);
	assert_false(w.bad);
	return value_of(buf[b], wr_len(&w));
}

static void start_link(uint64_t seed)
{
	memset(&link, 0, sizeof(link));
	link.seed = seed;
	link.delay_ms = 200;
	link.owner_ms = 300;
	for (unsigned i = 0; i < 2; i++) {
		struct ppp_sim_node *n = &link.node[i];

		n->conf = (struct ppp_conf){ .auth_name = "gate", .ipv4 = true, .ipv6 = true, .take = i, .echo_ms = 5000 };
		n->conf.auth[0] = i ? PPP_AUTH_NONE : PPP_AUTH_MSCHAPV2;
		n->conf.allow[0] = PPP_AUTH_MSCHAPV2;
		n->name = n->peer_name = "alice";
		n->password = n->peer_password = "wonderland";
		n->give = (struct ppp_addrs){ .ip = 0x0100000a, .peer_ip = 0x0700000a };
	}
	ppp_sim_start(&link);
	for (unsigned i = 0; i < 2; i++) {
		ppp_up(&link.node[i].p, 0);
		ppp_sim_drain(&link, i);
	}
}

static void restart(unsigned i)
{
	struct ppp_sim_node *n = &link.node[i];
	struct span was = save_ppp(&n->p, 0), is;

	ppp_done(&n->p);
	assert_int_equal(ppp_init(&n->p, &n->env, &n->conf, n->name, n->password), 0);
	assert_int_equal(ppp_restore(&n->p, link.now, was), 0);
	is = save_ppp(&n->p, 1);
	assert_int_equal(is.n, was.n);
	assert_memory_equal(is.p, was.p, was.n);
}

static void ppp_at_any_time(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 200; seed++) {
		start_link(seed);
		for (unsigned turn = 0; turn < 100; turn++) {
			ppp_sim_run(&link, 20 + seed % 50);
			if (link.node[turn & 1].p.phase != PPP_DEAD)
				restart(turn & 1);
		}
		ppp_sim_run(&link, 20000);
		for (unsigned i = 0; i < 2; i++) {
			const struct ppp_sim_node *n = &link.node[i];

			assert_int_equal(n->faults, 0);
			assert_true(n->is_up[CP_IPCP] && n->is_up[CP_IPV6CP] && !n->down);
			assert_int_equal(n->up[CP_IPCP], 1);
			assert_int_equal(n->up_addrs[CP_IPCP].ip, i ? 0x0700000a : 0x0100000a);
			assert_true(n->p.echo_sent > 0);
		}
		ppp_sim_done(&link);
	}
}

static void ppp_cut(void **state)
{
	struct span was;

	(void)state;
	start_link(1);
	ppp_sim_run(&link, 20000);
	was = save_ppp(&link.node[0].p, 0);
	for (size_t n = 0; n < was.n; n++) {
		struct ppp_sim_node *o = &link.node[0];
		uint8_t *copy = malloc(n + 1);
		struct ppp p, before;

		memcpy(copy, was.p, n);
		assert_int_equal(ppp_init(&p, &o->env, &o->conf, NULL, NULL), 0);
		before = p;
		if (ppp_restore(&p, link.now, (struct span){ copy, n }))
			assert_memory_equal(&p, &before, sizeof(p));
		else
			assert_int_equal(p.phase, PPP_NETWORK);
		ppp_done(&p);
		free(copy);
	}
	ppp_sim_done(&link);
}

static void ppp_other_versions(void **state)
{
	struct ppp_sim_node *n = &link.node[0];
	struct span was;
	struct ppp p;

	(void)state;
	start_link(1);
	ppp_sim_run(&link, 20000);
	was = save_ppp(&n->p, 0);
	assert_int_equal(ppp_init(&p, &n->env, &n->conf, NULL, NULL), 0);
	assert_int_equal(ppp_restore(&p, link.now, with(was, 1, "\2", 1)), -EBADMSG);
	assert_int_equal(ppp_restore(&p, link.now, (struct span){ was.p + 3, was.n - 3 }), -EBADMSG);
	n->conf.take = true;			/* it would take what it gave */
	assert_int_equal(ppp_restore(&p, link.now, was), -EBADMSG);
	n->conf.take = false;
	n->p.authenticator.state = AUTH_WAIT;	/* nobody gets in by a record who would not by his proof */
	assert_int_equal(ppp_restore(&p, link.now, save_ppp(&n->p, 1)), -EBADMSG);
	n->p.authenticator.state = AUTH_OK;
	n->p.cp[CP_LCP].state = CP_REQ_SENT;
	assert_int_equal(ppp_restore(&p, link.now, save_ppp(&n->p, 1)), -EBADMSG);
	assert_int_equal(ppp_restore(&p, link.now, with(was, 251, "from the future", 15)), 0);
	ppp_done(&p);
	n->p.cp[CP_LCP].state = CP_OPENED;
	ppp_sim_done(&link);
}

/* No password of ours is in it, nor anything that it could be had from. */
static void ppp_keeps_secrets(void **state)
{
	struct span was;

	(void)state;
	start_link(1);
	ppp_sim_run(&link, 20000);
	for (unsigned i = 0; i < 2; i++) {
		was = save_ppp(&link.node[i].p, 0);
		assert_null(memmem(was.p, was.n, "wonderland", 10));
	}
	ppp_sim_done(&link);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cc_there_and_back, tunnel_early, no_tunnel),
		cmocka_unit_test_setup_teardown(cc_goes_on, tunnel, no_tunnel),
		cmocka_unit_test_setup_teardown(cc_cut, tunnel_early, no_tunnel),
		cmocka_unit_test_setup_teardown(cc_other_versions, tunnel_early, no_tunnel),
		cmocka_unit_test_setup_teardown(cc_contradictions, tunnel_early, no_tunnel),
		cmocka_unit_test_teardown(cc_stopped_early, no_tunnel),
		cmocka_unit_test(ppp_at_any_time),
		cmocka_unit_test(ppp_cut),
		cmocka_unit_test(ppp_other_versions),
		cmocka_unit_test(ppp_keeps_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
