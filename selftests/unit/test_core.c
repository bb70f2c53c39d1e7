/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Core's objects without a keeper and without charon: events that once went wrong, each by itself. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/adopt.h"
#include "core/dial.h"
#include "core/ipsec_int.h"
#include "core/listener.h"
#include "core/ordered.h"
#include "core/policy.h"
#include "core/reload.h"
#include "core/session.h"
#include "core/store.h"
#include "core/turn.h"
#include "core/version.h"
#include "netlink/client.h"

static int open_memory(void *arg, const char *path)
{
	int fd = memfd_create(path, MFD_CLOEXEC);

	assert_int_equal(write(fd, arg, strlen(arg)), strlen(arg));
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static struct config *parsed(const char *text)
{
	struct conf_opener opener = { open_memory, (void *)(uintptr_t)text };
	char *errors = NULL;
	struct config *conf;

	if (config_load("test", &opener, &conf, &errors))
		fail_msg("%s", errors);
	return conf_get(conf);
}

/* A ktund of this configuration. */
static struct ctx *started(const char *text)
{
	struct ctx *ctx = calloc(1, sizeof(*ctx));

	assert_non_null(ctx);
	assert_int_equal(loop_init(&ctx->loop), 0);
	ctx->conf = parsed(text);
	log_open(&ctx->log, "stderr", getenv("KTUND_TEST_LOG") ? 7 : -1);
	ctx->loop.now = clock_ms();
	ctx->max_files = 1000;
	assert_int_equal(ctx_allocate(ctx), 0);
	return ctx;
}

static void ended(struct ctx *ctx)
{
	ctx_release(ctx);
	free(ctx);
}

static struct endpoint at(unsigned last, unsigned port)
{
	return (struct endpoint){ .family = 4, .port = (uint16_t)port, .addr = { 127, 0, 0, (uint8_t)last } };
}

/* The first dial's tunnel, up. */
static struct tunnel *dialled(struct ctx *ctx, unsigned our_port, unsigned port)
{
	struct endpoint local = at(1, our_port), peer = at(2, port);
	struct dial *d = dial_new(ctx, ctx->conf, &ctx->conf->tunnel[0]);
	struct tunnel *t;

	assert_non_null(d);
	d->wanted = true;
	d->local = local;
	d->peer = peer;
	t = tunnel_new(ctx, 5, 3, ctx->conf, d->as, NULL, listener_get(ctx, &local), &local, &peer);
	assert_non_null(t);
	t->dial = d;
	d->tunnel = t;
	t->up_since = 1;
	t->kernel = KS_UP;
	t->cc.state = CC_ESTABLISHED;
	t->cc.opener = true;
	t->cc.peer_tunnel_id = 77;
	t->cc.v3.peer_pw_caps = ~0u;
	t->cc.rel.cwnd = 4;
	return t;
}

static struct session *circuit(struct tunnel *t, unsigned i)
{
	struct session *s = session_new(t, &t->as->session[i].policy, &t->as->session[i], (uint16_t)(10 + i));

	assert_non_null(s);
	s->wire_id = 0xabcd0000u | s->id;
	s->call = (struct call){ .session_id = s->wire_id, .peer_session_id = 9 + i, .state = CALL_ESTABLISHED,
				 .role = V3_ICRQ_SENDER };
	s->kernel = KS_UP;
	s->wanted = s->applied = LINK_BASE;
	s->up = true;
	return s;
}

#define SITE "host-name = \"me\"\ntunnel \"site\" { version = 3 remote = \"127.0.0.2\" ipsec = none ip-down = \"/bin/true\" "

/* ktund is killed, a circuit is taken out of the file, ktund is started: the circuit ends, and its ip-down is run. */
static void a_circuit_that_is_configured_no_more(void **state)
{
	int fd = memfd_create("store", MFD_CLOEXEC);
	const char *lost;
	struct tunnel *t;
	struct ctx *ctx;

	(void)state;
	ctx = started(SITE "session \"a\" { } session \"b\" { } }");
	assert_int_equal(store_open(fd, &ctx->store, &lost), 0);
	t = dialled(ctx, 1701, 1701);
	for (unsigned i = 0; i < 2; i++) {
		struct session *s = circuit(t, i);

		s->hooked = true;
		session_changed(s);
	}
	tunnel_changed(t);
	turn_checkpoint(ctx);
	ended(ctx);

	for (unsigned starts = 0; starts < 2; starts++) {
		ctx = started(SITE "session \"a\" { } }");
		assert_int_equal(store_open(fd, &ctx->store, &lost), 0);
		assert_true(adoption_begin(ctx));
		adopt(ctx);
		turn_checkpoint(ctx);
		ended(ctx);
	}
	close(fd);
}

static bool stored(struct ctx *ctx, enum store_kind kind, uint16_t id)
{
	uint32_t cursor = 0, slot;
	struct span record;
	enum store_kind k;
	uint16_t i;

	while (store_next(ctx->store, &cursor, &k, &i, &slot, &record))
		if (k == kind && i == id)
			return true;
	return false;
}

/* The keeper is gone, and with it the store: what was ordered is written into the next one, and leaves its own slot there. */
static void an_order_in_another_store(void **state)
{
	struct ctx *ctx = started("host-name = \"me\"\ntunnel \"5\" { version = 3 remote = \"127.0.0.2\" ipsec = none "
				  "remote-end-id = \"a\" }");
	struct dial *d = dial_new(ctx, ctx->conf, &ctx->conf->tunnel[0]);
	uint32_t slot = 0;

	(void)state;
	d->ordered = calloc(1, sizeof(*d->ordered));
	assert_non_null(d->ordered);
	d->ordered->id = 5;
	d->ordered->head = strdup(" version = 3 remote = \"127.0.0.2\"");
	for (unsigned keepers = 0; keepers < 3; keepers++) {
		turn_use_store(ctx, memfd_create("store", MFD_CLOEXEC), false);
		assert_true(stored(ctx, STORE_ORDER, 5));
	}
	assert_int_equal(store_put(ctx->store, &slot, STORE_TUNNEL, 7, "seven", 5), 0);
	store_commit(ctx->store);
	ordered_forget(ctx, d->ordered);
	assert_false(stored(ctx, STORE_ORDER, 5));
	assert_true(stored(ctx, STORE_TUNNEL, 7));
	ended(ctx);
}

static int socket_at(unsigned last, uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 | last) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	socklen_t n = sizeof(a);

	assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (void *)&a, &n), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

/* RFC 3931 4.1.2.1: without its cookie nothing is for a session of L2TPv3, whatever version it says that it is of. */
static void data_of_the_other_version(void **state)
{
	static const uint8_t lcp[] = { 0, 2, 0, 5, 0, 10, 0xff, 3, 0xc0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0 };
	struct ctx *ctx = started(SITE "session \"a\" { } }");
	uint16_t ours, theirs;
	int us = socket_at(1, &ours), them = socket_at(2, &theirs);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(ours), .sin_addr.s_addr = htonl(0x7f000001) };
	struct tunnel *t = dialled(ctx, ours, theirs);
	struct session *s = circuit(t, 0);

	(void)state;
	assert_int_equal(sendto(them, lcp, sizeof(lcp), 0, (void *)&to, sizeof(to)), sizeof(lcp));
	demux_read(ctx, us, ctx->listeners);
	assert_int_equal(ctx->count.rx_unknown_session, 1);
	assert_false(s->ppp_on);
	close(us);
	close(them);
	ended(ctx);
}

static void never(struct ev_loop *ev, ev_io *w, int revents)
{
	(void)ev;
	(void)w;
	(void)revents;
}

/* A keeper that never answers. */
static void silent_keeper(struct ctx *ctx)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/test_core.XXXXXX";
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_non_null(mkdtemp(dir));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/socket", dir);
	assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(keeper_connect(a.sun_path, &ctx->keeper), 0);
	unlink(a.sun_path);
	rmdir(dir);
	close(fd);
	ev_io_init(&ctx->keeper_tx, never, keeper_fd(ctx->keeper), EV_WRITE);
	ctx->keeper_ready = true;
}

static void later(struct timer *timer)
{
	if (ev_is_active(&timer->w))
		timer->due(timer, timer->arg);
}

/* RFC 3931 5.4.4: both ends ask for the same circuit, and ours loses: the peer's is taken, in the tunnel that is there. */
static void a_lost_tie(const char *persist)
{
	struct v3_msg m = {
		.type = V3_ICRQ, .local_session_id = 500, .pw_type = 5, .remote_end_id = { (const uint8_t *)"a", 1 },
		.circuit_status = 3,
		.present = V3_BIT(V3_AVP_LOCAL_SESSION_ID) | V3_BIT(V3_AVP_REMOTE_SESSION_ID) | V3_BIT(V3_AVP_SERIAL) |
			   V3_BIT(V3_AVP_PW_TYPE) | V3_BIT(V3_AVP_REMOTE_END_ID) | V3_BIT(V3_AVP_CIRCUIT_STATUS) |
			   V3_BIT(V3_AVP_TIE_BREAKER),	/* 0: the lowest */
	};
	char text[200];
	uint8_t octets[512];
	struct tunnel *t;
	struct ctx *ctx;
	unsigned live = 0;

	snprintf(text, sizeof(text), SITE "persist = %s session \"a\" { } }", persist);
	ctx = started(text);
	silent_keeper(ctx);
	t = dialled(ctx, 1701, 1701);
	dial_place(t->dial);
	assert_int_equal(t->n_sessions, 1);
	m.cc_id = t->cc.tunnel_id;
	m.ns = t->cc.rel.nr;
	m.nr = t->cc.rel.una;
	t->v->input(&t->cc, ctx->loop.now, octets, v3_encode(&m, octets, sizeof(octets), (struct span){ NULL, 0 }));
	tunnel_drain(t);
	ctx->loop.now += 60000;
	later(&t->dial->retry);
	later(&t->dial->session[0].retry);
	assert_false(t->down);
	for (struct session *s = t->sessions; s; s = s->next)
		if (!s->ending) {
			live++;
			assert_int_equal(s->call.peer_session_id, 500);
			assert_int_equal(t->dial->session[0].session_id, s->id);
		}
	assert_int_equal(live, 1);
	ended(ctx);
}

static void a_lost_tie_once(void **state)
{
	(void)state;
	a_lost_tie("no");
}

static void a_lost_tie_for_good(void **state)
{
	(void)state;
	a_lost_tie("yes");
}

#define PROTECTED "host-name = \"me\"\n" \
	"defaults { authentication = \"none\" ipsec = required persist = no }\n" \
	"tunnel \"two\" { remote = \"127.0.0.3\" psk = \"of the second\" remote-id = \"two\" }\n" \
	"tunnel \"one\" { remote = \"127.0.0.2\" psk = \"of the first\" remote-id = \"one\" }\n"

/* charon says that it gives up: the one dial ends with its connection, the other waits on. */
static void charon_gives_up_one_of_two(void **state)
{
	struct ctx *ctx = started(PROTECTED);
	uint8_t said[512];
	struct wr w = wr_init(said, sizeof(said));

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct dial *d = dial_new(ctx, ctx->conf, &ctx->conf->tunnel[i]);

		d->wanted = true;
		d->local = at(1, 1701);
		d->peer = at(3 - i, 1701);
		ipsec_dial(d);
		assert_true(d->protecting);
	}
	for (struct conn *c = ctx->ipsec->conns; c; c = c->hh.next)
		c->initiated = true;
	vici_key(&w, "ikesa-name", "ktund-tunnel-one");
	vici_key(&w, "msg", "peer not responding, trying again (3/3)");
	ipsec_logged(ctx->ipsec, (struct span){ said, wr_len(&w) });
	assert_false(dial_find(ctx, "one")->protecting);
	assert_true(dial_find(ctx, "two")->protecting);
	ended(ctx);
}

/* However late in an attempt charon comes, and however long it was away. */
static void who_waits_for_charon(void **state)
{
	struct ctx *ctx = started(PROTECTED);
	struct dial *d = dial_new(ctx, ctx->conf, &ctx->conf->tunnel[0]);

	(void)state;
	d->wanted = true;
	d->local = at(1, 1701);
	d->peer = at(3, 1701);
	d->failures = 8;
	ipsec_dial(d);
	d->next_at = ctx->loop.now + 200;
	dials_hurry(ctx);
	assert_true(d->protecting);
	assert_int_equal(d->next_at - ctx->loop.now, 30000);
	assert_int_equal(d->failures, 0);
	d->protecting = false;
	d->next_at = ctx->loop.now + 45000;
	dials_hurry(ctx);
	assert_in_range(d->next_at - ctx->loop.now, 0, 1000);
	ended(ctx);
}

static void sa_of(struct ctx *ctx, const char *conn, const char *host, const char *child, const char *id)
{
	uint8_t said[1024];
	struct wr w = wr_init(said, sizeof(said));

	vici_section(&w, conn);
	vici_key(&w, "local-host", "127.0.0.1");
	vici_key(&w, "remote-host", host);
	vici_section(&w, "child-sas");
	vici_section(&w, child);
	vici_key(&w, "name", child);
	vici_key(&w, "uniqueid", id);
	for (unsigned i = 0; i < 3; i++)
		vici_section_end(&w);
	ipsec_sas(ctx->ipsec, (struct span){ said, wr_len(&w) }, true, true);
}

/* A new charon has no SA; the end of the one between networks has others looked at, of which one is to be dialled anew. */
static void all_sas_are_old(void **state)
{
	struct ctx *ctx = started(PROTECTED "tunnel \"net\" { remote = \"127.0.0.4\" mode = tunnel psk = \"of the networks\" "
				  "local-networks = \"10.1.0.0/16\" networks = \"10.2.0.0/16\" }\n");
	struct dial *one = dial_new(ctx, ctx->conf, &ctx->conf->tunnel[1]), *net = dial_new(ctx, ctx->conf, &ctx->conf->tunnel[2]);
	struct ipsec *p = ctx->ipsec;

	(void)state;
	sa_of(ctx, "ktund-peer-a", "127.0.0.9", "l2tp-1701", "1");
	sa_of(ctx, "ktund-tunnel-one", "127.0.0.2", "l2tp-1701", "2");
	sa_of(ctx, "ktund-tunnel-net", "127.0.0.4", IPSEC_SITE, "3");
	net->wanted = one->wanted = true;
	net->secured_at = ctx->loop.now;
	one->local = at(1, 1701);
	one->peer = at(2, 1701);
	ipsec_dial(one);
	p->guarded = p->asking = true;		/* by a keeper who is busy just now */
	p->v.state = VICI_READY;
	for (struct conn *c = p->conns; c; c = c->hh.next)
		for (unsigned i = 0; i < PARTS; i++)
			c->part[i].loaded = c->part[i].msg;
	ipsec_list(p, NULL);
	ipsec_sas_listed(p);
	assert_null(p->sas);
	assert_false(net->secured_at);
	ended(ctx);
}

/* charon does not say the link of fe80::/10; the tunnel's address has one. */
static void the_sa_of_a_neighbour(void **state)
{
	struct ctx *ctx = started("host-name = \"me\"\nlisten \"fe80::1%lo\" { }\npool \"s\" { range = \"10.9.0.1-10.9.0.9\" }\n"
				  "peer \"p\" { address = \"::/0\" ipsec = required psk = \"of the neighbours\" "
				  "authentication = \"none\" local-address = \"10.0.0.1\" pool = \"s\" }\n");
	struct endpoint local = { .family = 6, .port = 1701, .addr = { 0xfe, 0x80, [15] = 1 }, .scope = 2 }, peer = local;
	struct tunnel *t = NULL;

	(void)state;
	peer.addr[15] = 2;
	for (unsigned up = 2; up--;) {
		uint8_t said[1024];
		struct wr w = wr_init(said, sizeof(said));

		vici_key(&w, "up", up ? "yes" : "no");
		vici_section(&w, "ktund-peer-p");
		vici_key(&w, "local-host", "fe80::1");
		vici_key(&w, "remote-host", "fe80::2");
		vici_key(&w, "remote-port", "500");
		vici_section(&w, "child-sas");
		vici_section(&w, "l2tp-1701-1");
		vici_key(&w, "name", "l2tp-1701");
		vici_key(&w, "uniqueid", "7");
		vici_key(&w, "reqid", "3");
		vici_key(&w, "mark-in", "00000009");
		vici_key(&w, "state", "INSTALLED");
		for (unsigned i = 0; i < 3; i++)
			vici_section_end(&w);
		ipsec_sas(ctx->ipsec, (struct span){ said, wr_len(&w) }, up, true);
		if (!up)
			break;
		t = tunnel_new(ctx, 5, 2, ctx->conf, NULL, &ctx->conf->peer[0], listener_get(ctx, &local), &local, &peer);
		assert_non_null(t);
		t->mark = 9;
		t->cc.state = CC_ESTABLISHED;
		t->up_since = 1;
		ipsec_join(t);
		assert_int_equal(t->reqid, 3);
	}
	assert_true(t->down);
	ended(ctx);
}

/* Its port is known when it is open; given back before that, it waits for that. */
static void a_listener_given_back_too_early(void **state)
{
	struct ctx *ctx = started("host-name = \"me\"\n");
	struct endpoint any_port = at(1, 0);
	struct listener *l = listener_get(ctx, &any_port);
	struct k_reply opened = { .op = K_LISTEN, .id = 99 };
	int fds[K_MAX_FDS];
	uint16_t port;

	(void)state;
	for (unsigned i = 0; i < K_MAX_FDS; i++)
		fds[i] = -1;
	fds[0] = socket_at(1, &port);
	l->id = 99;
	listener_put(l);
	assert_ptr_equal(ctx->listeners, l);
	listeners_drop_unused(ctx);
	assert_ptr_equal(ctx->listeners, l);
	listener_opened(ctx, &opened, fds);
	assert_null(ctx->listeners);

	l = listener_get(ctx, &any_port);
	l->id = 100;
	listener_put(l);
	listeners_orphaned(ctx);			/* and there is no keeper any more who could open it */
	assert_null(ctx->listeners);
	ended(ctx);
}

#define PSK(name, psk) "host-name = \"me\"\ntunnel \"" name "\" { version = 3 remote = \"127.0.0.2\" remote-end-id = \"a\" " \
	"ipsec = required psk = \"" psk "\" }"

static void an_ordered_psk_in_the_way_of_a_file(void **state)
{
	struct ctx *ctx = started(PSK("5", "of the order"));
	struct config *other = parsed(PSK("six", "of the file")), *same = parsed(PSK("six", "of the order"));
	struct dial *d = dial_new(ctx, ctx->conf, &ctx->conf->tunnel[0]);
	uint16_t id = 0;

	(void)state;
	assert_null(ordered_psk_clash(ctx, other, &id));
	d->ordered = calloc(1, sizeof(*d->ordered));
	assert_non_null(d->ordered);
	d->ordered->id = 5;
	assert_string_equal(ordered_psk_clash(ctx, other, &id), "six");
	assert_int_equal(id, 5);
	assert_null(ordered_psk_clash(ctx, same, &id));
	conf_put(other);
	conf_put(same);
	ended(ctx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_circuit_that_is_configured_no_more),
		cmocka_unit_test(an_order_in_another_store),
		cmocka_unit_test(data_of_the_other_version),
		cmocka_unit_test(a_lost_tie_once),
		cmocka_unit_test(a_lost_tie_for_good),
		cmocka_unit_test(charon_gives_up_one_of_two),
		cmocka_unit_test(who_waits_for_charon),
		cmocka_unit_test(all_sas_are_old),
		cmocka_unit_test(the_sa_of_a_neighbour),
		cmocka_unit_test(a_listener_given_back_too_early),
		cmocka_unit_test(an_ordered_psk_in_the_way_of_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
