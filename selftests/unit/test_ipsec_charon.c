/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktund beside a charon that is missing, restarted, slow or answers nonsense, at each packet of their conversation: in the
 * end charon has what the configuration wants and no more, and whoever waited knows.  Loop and keeper (io/loop.c,
 * core/kernel.c) are replaced by those below, so time is the test's own. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/dial.h"
#include "core/ipsec_int.h"
#include "core/kernel.h"
#include "core/listener.h"
#include "core/policy.h"
#include "core/reload.h"
#include "core/session.h"
#include "core/turn.h"
#include "l2tp/ids.h"
#include "lib/charon_sim.h"

enum {
	TURNS_MAX = 2000,		/* at one and the same time: more is a busy loop */
	STORY_MS = 12000,		/* then nobody does anything any more */
	PACKETS_MAX = 2000,		/* of a case, from its begin to its end */
	BOUND_MS = 45000,		/* after the last fault or the story's end all is as it should be */
	STABLE_S = 3,			/* and stays so */
	ASKS = 4, TIMERS = 256, REPLIES = 256,
};

#define HEAD "host-name = \"me\"\ndefaults { authentication = \"none\" ipsec = required redial-min = 1s redial-max = 4s " \
	"persist = yes }\nlisten \"127.0.0.1\" { }\n" \
	"pool \"s\" { range = \"10.9.0.1-10.9.0.9\" }\n"
#define PEER(name, last, psk) "peer \"" name "\" { address = \"10.1.0." last "\" psk = \"" psk "\" remote-id = \"" name "\" " \
	"local-address = \"10.0.0.1\" pool = \"s\" }\n"
#define NETWORKS "mode = tunnel networks = { \"10.2.0.0/24\" } local-networks = { \"10.3.0.0/24\" } "
#define DIALS "tunnel \"one\" { remote = \"127.0.0.2\" local = \"127.0.0.1\" psk = \"of the first\" remote-id = \"one\" }\n" \
	"tunnel \"net\" { remote = \"127.0.0.3\" local = \"127.0.0.1\" psk = \"of the second\" remote-id = \"net\" " NETWORKS "}\n"

static const char before[] = HEAD PEER("a", "1", "of the peer a") PEER("b", "2", "of the peer b")
	"peer \"c\" { address = \"10.1.0.3\" psk = \"of the peer c\" remote-id = \"c\" " NETWORKS "}\n" DIALS;
/* c is no more, b has another psk, d is new */
static const char after[] = HEAD PEER("a", "1", "of the peer a") PEER("b", "2", "another one for b")
	PEER("d", "4", "of the peer d") DIALS;

/* The one world there is at a time */

static struct {
	struct ctx *ctx;
	ms_t now;
	const char *file;			/* what the configuration says now */
	struct timer *timer[TIMERS];
	unsigned n_timers;
	struct { ms_t at; uint32_t op, id; } reply[REPLIES];	/* of the keeper */
	unsigned n_replies;
	struct { unsigned told, lists; ms_t at; } ask[ASKS];
	unsigned asked;
	uint64_t chance;
	struct charon ch;
	char name[200];				/* of the case */
	unsigned failures;
	ms_t longest;				/* until all was well again, of all cases, and in which */
	char worst[400];
	unsigned most;				/* packets in a case */
} w;

/* io/loop.c: what the archive's objects need of it */

ms_t clock_ms(void)
{
	return w.now;
}

int64_t clock_wall(void)
{
	return 1700000000 + (int64_t)(w.now / 1000);
}

int loop_init(struct loop *l)
{
	*l = (struct loop){ .epoll_fd = -1, .now = w.now };
	l->ev = ev_loop_new(EVBACKEND_POLL | EVFLAG_NOENV);
	return l->ev ? 0 : -ENOMEM;
}

void loop_done(struct loop *l)
{
	if (l->ev)
		ev_loop_destroy(l->ev);
	l->ev = NULL;
}

void loop_stop(struct loop *l)
{
	(void)l;
}

void timer_init(struct timer *t, void (*due)(struct timer *, void *arg), void *arg)
{
	*t = (struct timer){ .due = due, .arg = arg };
}

static bool timer_forget(struct timer *t)
{
	for (unsigned i = 0; i < w.n_timers; i++)
		if (w.timer[i] == t) {
			w.timer[i] = w.timer[--w.n_timers];
			return true;
		}
	return false;
}

void timer_set(struct loop *l, struct timer *t, ms_t at)
{
	bool was = timer_forget(t);

	(void)l;
	if (at == NEVER)
		return;
	assert_true(w.n_timers < TIMERS);
	t->at = was ? ms_min(t->at, at) : at;
	w.timer[w.n_timers++] = t;
}

void timer_stop(struct loop *l, struct timer *t)
{
	(void)l;
	timer_forget(t);
}

void io_start(struct loop *l, ev_io *io, int fd, void (*cb)(struct ev_loop *, ev_io *, int), void *data)
{
	ev_io_init(io, cb, fd, EV_READ);
	io->data = data;
	ev_io_start(l->ev, io);
}

void io_forget(struct loop *l, ev_io *io, int fd)
{
	(void)fd;
	ev_io_stop(l->ev, io);
}

void io_close(struct loop *l, ev_io *io, int *fd)
{
	if (*fd < 0)
		return;
	io_forget(l, io, *fd);
	close(*fd);
	*fd = -1;
}

/* core/kernel.c: a keeper that guards and connects to charon, and opens no socket */

uint32_t kernel_submit(struct ctx *ctx, struct k_request *rq)
{
	rq->id = ++ctx->last_id;
	if (rq->op == K_SA_DROP)
		for (unsigned i = 0; i < w.ch.n_sas; i++)
			w.ch.sa[i].broken |= w.ch.sa[i].reqid == rq->sa.reqid && w.ch.sa[i].child + 0x1000 != rq->sa.keep_in;
	if (rq->op != K_CHARON && rq->op != K_GUARD)
		return rq->id;
	assert_true(w.n_replies < REPLIES);
	w.reply[w.n_replies].at = w.now + 1;
	w.reply[w.n_replies].op = rq->op;
	w.reply[w.n_replies++].id = rq->id;
	return rq->id;
}

bool kernel_ask(struct ctx *ctx, struct k_request *rq, void (*done)(struct ctx *, void *, const struct k_reply *), void *arg)
{
	struct kernel_wait *wait = malloc(sizeof(*wait));

	assert_non_null(wait);
	*wait = (struct kernel_wait){ .next = ctx->waits, .id = kernel_submit(ctx, rq), .done = done, .arg = arg };
	ctx->waits = wait;
	return true;
}

int kernel_open_file(struct ctx *ctx, const char *path)
{
	int fd = memfd_create(path, MFD_CLOEXEC);

	(void)ctx;
	assert_int_equal(write(fd, w.file, strlen(w.file)), strlen(w.file));
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

void kernel_stop(struct ctx *ctx)
{
	for (struct kernel_wait *wait; (wait = ctx->waits); free(wait))
		ctx->waits = wait->next;
	turn_end(ctx);
}

static bool keeper_answers(void)
{
	struct k_reply r = { .op = 0 };
	int fds[K_MAX_FDS], err;

	if (!w.n_replies || w.reply[0].at > w.now)
		return false;
	r.op = w.reply[0].op;
	r.id = w.reply[0].id;
	memmove(w.reply, w.reply + 1, --w.n_replies * sizeof(w.reply[0]));
	for (unsigned i = 0; i < K_MAX_FDS; i++)
		fds[i] = -1;
	if (r.op == K_CHARON) {
		err = charon_connect(&w.ch, w.now, fds);
		r.result = err;
		snprintf(r.why, sizeof(r.why), "%s", err ? strerror(-err) : "");
		ipsec_charon(w.ctx, &r, fds);
		return true;
	}
	for (struct kernel_wait **at = &w.ctx->waits, *wait; (wait = *at); at = &wait->next)
		if (wait->id == r.id) {
			*at = wait->next;
			wait->done(w.ctx, wait->arg, &r);
			free(wait);
			break;
		}
	return true;
}

/* The world turns */

static bool ktund_serves(void)
{
	struct ipsec *p = w.ctx->ipsec;
	struct pollfd at[VICI_LINKS];

	for (unsigned i = 0; i < VICI_LINKS; i++)
		at[i] = (struct pollfd){ .fd = p->fd[i], .events = p->pending[i].head ? POLLIN | POLLOUT : POLLIN };
	if (poll(at, VICI_LINKS, 0) <= 0)
		return false;
	ev_run(w.ctx->loop.ev, EVRUN_NOWAIT);
	return true;
}

static bool timer_fires(void)
{
	for (unsigned i = 0; i < w.n_timers; i++) {
		struct timer *t = w.timer[i];

		if (t->at > w.now)
			continue;
		timer_forget(t);
		t->due(t, t->arg);
		return true;
	}
	return false;
}

/* L2TP is another test's: where a socket is asked for, the tunnel is up. */
static bool tunnels_come_up(void)
{
	struct ctx *ctx = w.ctx;
	bool any = false;

	for (struct dial *d = ctx->dials; d; d = d->next) {
		struct listener *l = d->listener;
		struct tunnel *t;

		if (!l || d->tunnel)
			continue;
		t = tunnel_new(ctx, (uint16_t)ids_take(ctx->tunnel_ids, w.now), 2, d->conf, d->as, NULL, l, &d->local, &d->peer);
		assert_non_null(t);
		d->listener = NULL;
		d->tunnel = t;
		t->dial = d;
		ipsec_join(t);
		t->up_since = 1;
		t->cc.state = CC_ESTABLISHED;
		t->cc.peer_tunnel_id = 77;
		t->cc.rel.cwnd = 4;
		listener_put(l);
		any = true;
	}
	return any;
}

static void run(ms_t until)
{
	for (unsigned turns = 0;;) {
		bool busy = keeper_answers();
		ms_t next = ms_min(until, charon_deadline(&w.ch));

		w.ctx->loop.now = w.now;
		busy |= ktund_serves();
		busy |= charon_serve(&w.ch, w.now);
		busy |= timer_fires();
		busy |= tunnels_come_up();
		turn_end(w.ctx);
		sessions_sweep(w.ctx);
		tunnels_sweep(w.ctx);
		if (busy && ++turns > TURNS_MAX)
			fail_msg("%s: busy at %llu ms", w.name, (unsigned long long)w.now);
		if (busy)
			continue;
		if (w.now >= until)
			return;
		for (unsigned i = 0; i < w.n_timers; i++)
			next = ms_min(next, w.timer[i]->at);
		for (unsigned i = 0; i < w.n_replies; i++)
			next = ms_min(next, w.reply[i].at);
		w.now = next;
		turns = 0;
	}
}

static void pick(void *arg, void *buf, size_t len)
{
	(void)arg;
	for (size_t i = 0; i < len; i++) {
		w.chance = w.chance * 6364136223846793005u + 1442695040888963407u;
		((uint8_t *)buf)[i] = (uint8_t)(w.chance >> 33);
	}
}

static int open_file(void *arg, const char *path)
{
	return kernel_open_file(arg, path);
}

static void start(const char *file, uint64_t seed)
{
	struct conf_opener opener = { open_file, NULL };
	struct ctx *ctx = calloc(1, sizeof(*ctx));
	char *errors = NULL;

	assert_non_null(ctx);
	memset(&w, 0, offsetof(__typeof__(w), ch));
	w.now = 1000000;
	w.file = file;
	w.ctx = ctx;
	w.chance = seed;
	charon_init(&w.ch, seed);
	w.ch.tell = getenv("KTUND_TEST_LOG");
	assert_int_equal(loop_init(&ctx->loop), 0);
	ctx->config_file = "test";
	if (config_load("test", &opener, &ctx->conf, &errors))
		fail_msg("%s", errors);
	conf_get(ctx->conf);
	log_open(&ctx->log, "stderr", getenv("KTUND_TEST_LOG") ? 7 : -1);
	ctx->max_files = 1000;
	assert_int_equal(ctx_allocate(ctx), 0);
	ctx->env.random = pick;
	ipsec_refresh(ctx);
	listeners_configure(ctx);
	dials_configure(ctx, NULL);
	ipsec_settled(ctx);
}

static void end(void)
{
	ctx_release(w.ctx);
	free(w.ctx);
	charon_done(&w.ch);
	assert_int_equal(w.n_timers, 0);
}

/* What there is to be seen */

static void told(struct ctx *ctx, void *arg, const struct sa_list *list, const char *why)
{
	unsigned *at = arg;

	(void)ctx;
	assert_true(!list == !!why);
	assert_in_range(w.now - w.ask[*at].at, 0, 2000);
	w.ask[*at].told++;
	w.ask[*at].lists += !!list;
}

static void ask(void)
{
	static unsigned number[ASKS] = { 0, 1, 2, 3 };

	assert_true(w.asked < ASKS);
	w.ask[w.asked].at = w.now;
	assert_true(ipsec_ask_sas(w.ctx, told, &number[w.asked++]));
}

static void change(const char *file)
{
	struct conf_plan plan = { .n = 0 };
	char *errors = NULL;

	w.file = file;
	if (reload(w.ctx, false, &plan, &errors))
		fail_msg("%s", errors);
	conf_plan_done(&plan);
}

/* Refused once, and rightly not asked again as it is: then it is said why.  A dial asks again when it goes down. */
static bool excused(const char *name, bool down)
{
	struct conn *c = ipsec_conn_find(w.ctx->ipsec, name);

	return c && !(c->dial && down) && c->refused && c->why[0] && strcmp(c->why + strlen(c->why) - 2, ": ") && w.ch.refused;
}

static const char *wanted(const char *name, const char *psk, bool down)
{
	const struct conn *c = ipsec_conn_find(w.ctx->ipsec, name);
	const struct charon_thing *conn = charon_find(w.ch.conn, w.ch.n_conns, name);
	const struct charon_thing *shared = charon_find(w.ch.shared, w.ch.n_shared, name);

	if (excused(name, down))
		return NULL;
	if (!c || c->refused)
		return "ktund has no such connection, or gives it up";
	if (!conn || conn->n != c->part[PART_CONN].len || memcmp(conn->msg, c->part[PART_CONN].msg, conn->n))
		return "its connection is not in charon, or another";
	if (!shared || !vici_is(vici_get((struct span){ shared->msg, shared->n }, "data"), psk))
		return "its psk is not in charon, or another";
	return NULL;
}

static bool has_sa(const char *name)
{
	for (unsigned i = 0; i < w.ch.n_sas; i++)
		if (!strcmp(w.ch.sa[i].conn, name) && !w.ch.sa[i].broken)
			return true;
	return false;
}

static unsigned count_ours(const struct charon_thing *t, unsigned n)
{
	unsigned ours = 0;

	for (unsigned i = 0; i < n; i++)
		ours += !strncmp(t[i].name, IPSEC_PREFIX, strlen(IPSEC_PREFIX));
	return ours;
}

/* NULL: all is as it should be; else what is not. */
static const char *wrong(void)
{
	const struct ipsec *p = w.ctx->ipsec;
	const struct config *conf = w.ctx->conf;
	static char text[200];
	bool blind = w.ch.refused && !charon_tells(&w.ch);	/* said to be too old: what becomes of SAs is not known */
	unsigned n = 0, sas = 0;

	if (!charon_find(w.ch.conn, w.ch.n_conns, "theirs") || !charon_find(w.ch.shared, w.ch.n_shared, "theirs"))
		return "what is somebody else's is gone";
	if (p->v.state != VICI_READY || p->v.n_queue)
		return "no charon, or it is being waited for";
	for (unsigned i = 0; i < conf->n_peers + conf->n_tunnels; i++) {
		bool dials = i >= conf->n_peers;
		const char *called = dials ? conf->tunnel[i - conf->n_peers].name : conf->peer[i].name, *what;
		const struct conf_ipsec *o = dials ? &conf->tunnel[i - conf->n_peers].ipsec : &conf->peer[i].ipsec;
		const struct dial *d = dials ? dial_find(w.ctx, called) : NULL;
		bool down = dials && (!d || (is_site(o) ? !d->secured_at : !d->tunnel || d->tunnel->down));
		char name[IPSEC_NAME];

		n++;
		what = wanted(ipsec_name(name, dials, called), o->psk, down);
		if (!what && !blind && down)
			what = "it is not up";
		if (!what && dials && !blind && !has_sa(name))
			what = "it is up without an SA";
		snprintf(text, sizeof(text), "%s: %s", name, what ? what : "");
		if (what)
			return text;
	}
	/* what it was refused to unload stays */
	if (!w.ch.refused && (count_ours(w.ch.conn, w.ch.n_conns) != n || count_ours(w.ch.shared, w.ch.n_shared) != n))
		return "more in charon than wanted";
	for (const struct sa *s = p->sas; s; s = s->next)
		sas++;
	for (unsigned i = 0; i < w.ch.n_sas && !blind; i++) {
		const struct sa *s = p->sas;

		while (s && s->child != w.ch.sa[i].child)
			s = s->next;
		if (!s)
			return "charon has an SA that ktund does not know";
		if (w.ch.sa[i].broken)
			return "ktund had the kernel delete an SA that charon has";
	}
	if (sas != w.ch.n_sas && !blind)
		return "ktund knows an SA that charon has not";
	return NULL;
}

/* What somebody does meanwhile. */
static void story(void)
{
	ms_t t0 = w.now;

	run(t0 + 1000);
	charon_called(&w.ch, w.now, "ktund-peer-a", "10.1.0.1");
	run(t0 + 2000);
	charon_rekey(&w.ch, w.now, "ktund-peer-a");
	run(t0 + 3000);
	ask();
	run(t0 + 5000);
	change(after);
	ask();
	run(t0 + 7000);
	(void)dial_down(dial_find(w.ctx, "net"), "by the test");
	(void)dial_down(dial_find(w.ctx, "one"), "by the test");
	run(t0 + 8000);
	(void)dial_up(dial_find(w.ctx, "net"));
	(void)dial_up(dial_find(w.ctx, "one"));
	run(t0 + 9000);
	ask();
	run(t0 + 10000);
	charon_rekey(&w.ch, w.now, "ktund-peer-a");
	run(t0 + STORY_MS);
	ask();
}

/* All cases are run, whatever comes of one. */
static void complain(const char *what)
{
	print_message("# %s (%s): %s\n", w.name, w.ch.faulted, what);
	w.failures++;
}

/* How long it took until all was well, in ms. */
static ms_t settle(void)
{
	ms_t from = w.now, well = 0;
	const char *what = NULL;

	if (w.ch.faulted_at > from)
		from = w.ch.faulted_at;
	for (unsigned n = 0; n < STABLE_S;) {
		run(w.now + 1000);
		what = wrong();
		n = what ? 0 : n + 1;
		well = what ? w.now : well;
		if (n < STABLE_S && w.now > from + BOUND_MS) {
			complain(what ? what : "it was well, and then it was not");
			break;
		}
	}
	for (unsigned i = 0; i < w.asked; i++)
		if (w.ask[i].told != 1)
			complain("who asked for SAs was told never, or more than once");
	well = well > from ? well - from : 0;
	if (well > w.longest) {
		w.longest = well;
		snprintf(w.worst, sizeof(w.worst), "%s (%s)", w.name, w.ch.faulted);
	}
	return well;
}

/* ktund ends, and charon has nothing of it any more. */
static void farewell(void)
{
	ms_t until = w.now + 2000;

	while (!ipsec_stopped(w.ctx) && w.now < until)
		run(w.now + 10);
	run(w.now + 100);
	if (!w.ch.refused && (count_ours(w.ch.conn, w.ch.n_conns) || count_ours(w.ch.shared, w.ch.n_shared) || w.ch.n_sas))
		complain("ktund ends, and charon has what is its");
	w.most = w.ch.packets > w.most ? w.ch.packets : w.most;
}

static unsigned packets;			/* of a story without faults */
static uint32_t packet[CHARON_HEARD];		/* what each is about */

static void nothing_goes_wrong(void **state)
{
	(void)state;
	snprintf(w.name, sizeof(w.name), "no fault");
	start(before, 1);
	story();
	packets = w.ch.packets;
	assert_in_range(packets, 1, CHARON_HEARD);
	memcpy(packet, w.ch.heard, sizeof(packet));
	assert_int_equal(settle(), 0);
	for (unsigned i = 0; i < w.asked; i++)
		assert_int_equal(w.ask[i].lists, 1);
	farewell();
	end();
	assert_int_equal(w.failures, 0);
}

static const char *const fault_name[CHARON_FAULTS] = {
	"none", "deaf", "mute", "slow", "refuses", "unknown", "garbage", "wrong kind", "absurd", "half", "closes", "restarts",
	"restarts and loads all", "twice",
};

static void tests_begin(void)
{
	w.failures = w.most = 0;
	w.longest = 0;
	w.worst[0] = '\0';
}

static void tests_end(unsigned cases)
{
	print_message("# %u cases: all well %llu ms after story or fault at most: %s; at most %u packets\n", cases,
		      (unsigned long long)w.longest, w.worst, w.most);
	assert_int_equal(w.failures, 0);
	assert_in_range(w.most, 0, PACKETS_MAX);
}

/* Each fault at each of these packets, once; then charon is a good one.  whole: the story is told. */
static void faults(unsigned from, unsigned to, unsigned close_at, bool whole)
{
	unsigned cases = 0;

	tests_begin();
	for (unsigned k = from; k < to; k++) {
		/* get-conns, get-shared, get-keys, again and again */
		if (k >= 3 && close_at > packets && packet[k] == packet[k - 3])
			continue;
		for (enum charon_fault f = CHARON_DEAF; f < CHARON_FAULTS; f++) {
			cases++;
			snprintf(w.name, sizeof(w.name), "packet %u, %s", k, fault_name[f]);
			start(before, 1);
			w.ch.fault_at = k;
			w.ch.fault = f;
			w.ch.close_at = close_at;
			if (whole)
				story();
			settle();
			farewell();
			end();
		}
	}
	tests_end(cases);
}

static void one_fault_at_each_packet(void **state)
{
	(void)state;
	faults(0, packets, ~0u, true);
}

/* Nothing else happens: how long is one delayed by it? */
static void one_fault_at_the_start(void **state)
{
	enum { START = 32 };

	(void)state;
	faults(0, START, ~0u, false);
}

/* ktund and charon know of SAs already, and begin anew. */
static void one_fault_at_each_packet_of_a_second_greeting(void **state)
{
	enum { CLOSED_AT = 60, GREETING = 28 };

	(void)state;
	faults(CLOSED_AT + 1, CLOSED_AT + GREETING, CLOSED_AT, true);
}

/* Any packet may be answered in any way for two minutes; then charon is a good one, and in half of the cases a new one. */
static void many_faults(void **state)
{
	enum { SEEDS = 200, BAD_MS = 120000, IN_100 = 10 };

	(void)state;
	tests_begin();
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		snprintf(w.name, sizeof(w.name), "seed %u", seed);
		start(before, seed);
		w.ch.chance = IN_100;
		story();
		run(w.now + BAD_MS);
		w.ch.chance = 0;
		if (seed % 2) {
			charon_restart(&w.ch, w.now);
			w.ch.refused = 0;
		}
		settle();
		farewell();
		end();
	}
	tests_end(SEEDS);
}

/* Until charon has all that it should, in ms. */
static ms_t back(bool conns)
{
	const struct charon *ch = &w.ch;
	unsigned n = w.ctx->conf->n_peers + w.ctx->conf->n_tunnels;
	ms_t from = w.now;

	while ((conns ? count_ours(ch->conn, ch->n_conns) : count_ours(ch->shared, ch->n_shared)) < n) {
		run(w.now + 1);
		assert_true(w.now < from + BOUND_MS);
	}
	return w.now - from;
}

/* Whoever starts charon, or changes its files, has it unload what is in none of them: ours is loaded again. */
static void somebody_loads_all(void **state)
{
	static const ms_t age[] = { 500, 3000, 600000 };		/* of the conversation */

	(void)state;
	tests_begin();
	for (unsigned i = 0; i < 2 * sizeof(age) / sizeof(age[0]); i++) {
		snprintf(w.name, sizeof(w.name), "load-all after %llu ms", (unsigned long long)age[i / 2]);
		start(before, 1);
		run(w.now + age[i / 2]);
		assert_null(wrong());
		if (i % 2) {
			charon_load_conns(&w.ch, w.now);		/* charon says no word of it */
			assert_in_range(back(true), 0, age[i / 2] < 10000 ? 800 : 10000);
		} else {
			charon_load_all(&w.ch, w.now);
			assert_int_equal(count_ours(w.ch.shared, w.ch.n_shared), 0);
			assert_in_range(back(false), 0, 100);
			run(w.now + 30);
			assert_in_range(back(true), 0, 500);
		}
		settle();
		farewell();
		end();
	}
	assert_int_equal(w.failures, 0);
}

/* Whoever lost his tunnel with the old charon calls as soon as he hears of the new one. */
static void a_new_charon_has_all_at_once(void **state)
{
	(void)state;
	tests_begin();
	snprintf(w.name, sizeof(w.name), "a new charon");
	start(before, 1);
	story();
	for (unsigned n = 0; n < 3; n++) {
		unsigned all = w.ctx->conf->n_peers + w.ctx->conf->n_tunnels;
		ms_t from = w.now;

		charon_restart(&w.ch, w.now);
		run(w.now + CHARON_AWAY_MS);
		while (w.ctx->ipsec->v.state != VICI_READY)
			run(w.now + 1);
		run(w.now + 1);
		assert_in_range(w.now - from, CHARON_AWAY_MS, CHARON_AWAY_MS + VICI_RETRY_MAX_MS);
		assert_int_equal(count_ours(w.ch.conn, w.ch.n_conns), all);
		assert_int_equal(count_ours(w.ch.shared, w.ch.n_shared), all);
		settle();
	}
	farewell();
	end();
	assert_int_equal(w.failures, 0);
}

/* What charon has of an earlier ktund gets new numbers while it tells what it has, slowly. */
static void an_sa_is_rekeyed_while_it_is_listed(void **state)
{
	(void)state;
	tests_begin();
	for (unsigned k = 0; k < 32; k++) {
		snprintf(w.name, sizeof(w.name), "rekeyed, packet %u slow", k);
		start(HEAD PEER("old", "9", "of an earlier ktund"), 1);
		w.ch.fault_at = k;
		w.ch.fault = CHARON_SLOW;
		run(w.now + 2000);
		charon_rekey(&w.ch, w.now, "ktund-peer-old");
		settle();
		farewell();
		end();
	}
	tests_end(32);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_goes_wrong),
		cmocka_unit_test(one_fault_at_each_packet),
		cmocka_unit_test(one_fault_at_the_start),
		cmocka_unit_test(one_fault_at_each_packet_of_a_second_greeting),
		cmocka_unit_test(many_faults),
		cmocka_unit_test(an_sa_is_rekeyed_while_it_is_listed),
		cmocka_unit_test(somebody_loads_all),
		cmocka_unit_test(a_new_charon_has_all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
