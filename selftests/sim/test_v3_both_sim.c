/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who speaks which version of L2TP (RFC 3931 4.7.3), and who dials whom (5.4.3), over a bad network: the way in which an owner
 * of both engines hands them their datagrams.
 *
 * Mutants that this kills: v3_cc.c: no L2TPv2 message is a fall-back; equal tie breakers keep a
 * connection; the higher one wins.  v3_msg.c: M bits of an SCCRQ for both versions; its L2TPv2 AVPs are taken for unknown ones.
 */
#include <stdio.h>
#include <string.h>

#include "lib/l2tp_end.h"
#include "lib/v3_end.h"

enum { SEEDS = 3000, V2_ID = 77 };

#define CHECK(c) do { if (!(c)) { printf("# seed %llu: %s:%d: %s\n", \
	(unsigned long long)seed, __FILE__, __LINE__, #c); bad = 1; goto out; } } while (0)

static const struct span secret = { (const uint8_t *)"sesame", 6 };

/* A host with an engine for each version, or two of one, behind one port. */
struct host {
	struct sim *sim;
	struct sim_node part[2];
	void (*input)(struct host *, ms_t now, const uint8_t *p, size_t len);
};

static void host_input(void *arg, ms_t now, const void *buf, size_t len)
{
	struct host *h = arg;

	if (len >= 2)
		h->input(h, now, buf, len);
}

static void host_tick(void *arg, ms_t now)
{
	struct host *h = arg;

	for (int i = 0; i < 2; i++)
		h->part[i].tick(h->part[i].arg, now);
}

static ms_t host_deadline(void *arg)
{
	struct host *h = arg;

	return ms_min(h->part[0].deadline(h->part[0].arg), h->part[1].deadline(h->part[1].arg));
}

static void give(struct host *h, int part, ms_t now, const void *buf, size_t len)
{
	h->part[part].input(h->part[part].arg, now, buf, len);
}

static void host_join(struct host *h, struct sim *s, int node)
{
	h->sim = s;
	s->node[node] = (struct sim_node){ h, host_input, host_tick, host_deadline };
}

/* Two versions: part 0 is L2TPv2, part 1 is L2TPv3. */

struct versions { struct host host; struct l2tp_end v2; struct v3_end v3; bool speaks2, speaks3, fell_back; };

static void dialler(struct host *h, ms_t now, const uint8_t *p, size_t len)
{
	struct versions *v = (struct versions *)h;

	give(h, (p[1] & 15) == 3 || !v->fell_back, now, p, len);
	if (!v->v3.fallbacks || v->fell_back)
		return;
	v->fell_back = true;
	cc_open(&v->v2.cc, now);
	end_drain(&v->v2);
}

static void answerer(struct host *h, ms_t now, const uint8_t *p, size_t len)
{
	struct versions *v = (struct versions *)h;

	if ((p[1] & 15) == 3 || (v->speaks3 && v3_offered(p, len))) {
		if (v->speaks3)
			give(h, 1, now, p, len);
	} else if (v->speaks2) {
		give(h, 0, now, p, len);
	}
}

static void versions_init(struct versions *v, struct sim *s, int node)
{
	memset(v, 0, sizeof(*v));
	end_init(&v->v2, s, node, node);
	v->host.part[0] = s->node[node];
	v3_end_init(&v->v3, s, node, node);
	v->host.part[1] = s->node[node];
	v->host.input = node ? answerer : dialler;
	host_join(&v->host, s, node);
}

static void versions_done(struct versions *v)
{
	end_done(&v->v2);
	v3_end_done(&v->v3);
}

static int test_fallback(uint64_t seed)
{
	struct versions a, b;
	struct sim s;
	int bad = 0;

	sim_init(&s, seed);
	versions_init(&a, &s, 0);
	versions_init(&b, &s, 1);
	b.speaks2 = sim_roll(&s, 3);
	b.speaks3 = !b.speaks2 || sim_roll(&s, 2);
	for (int i = 0; i < 2; i++) {
		struct versions *v = i ? &b : &a;

		v->v2.conf.strict = v->v3.conf.cc.strict = sim_roll(&s, 2);
		v->v3.conf.cc.setup_ms = v->v2.conf.setup_ms = 200 * 1000;
		v->v3.conf.digest = sim_roll(&s, 2) ? V3_HMAC_SHA1 : V3_HMAC_MD5;
	}
	if (sim_roll(&s, 2))
		a.v2.conf.secret = b.v2.conf.secret = a.v3.conf.cc.secret = b.v3.conf.cc.secret = secret;
	v3_end_reset(&a.v3);
	v2_cc_init(&a.v2.cc, &a.v2.env, &a.v2.conf, a.v2.cc.tunnel_id);
	s.loss = sim_roll(&s, 30);
	s.dup = 5;
	s.delay_ms = 500;
	v3_cc_open(&a.v3.cc, 0, V2_ID);
	v3_end_drain(&a.v3);
	sim_run(&s, 15 * 1000);
	s.loss = s.dup = 0;
	sim_run(&s, 100 * 1000);
	if (b.speaks3) {
		CHECK(a.v3.ups == 1 && b.v3.ups == 1 && !a.v3.downs && !b.v3.downs && !a.v3.fallbacks && !a.fell_back);
		CHECK(a.v3.cc.peer_tunnel_id == b.v3.cc.tunnel_id && a.v3.cc.tunnel_id == b.v3.cc.peer_tunnel_id &&
		      !b.v2.has_cc && !a.v2.ups);
	} else {
		CHECK(a.v3.fallbacks == 1 && !a.v3.ups && a.v3.downs == 1 && a.v3.gones == 1 && !b.v3.has_cc);
		CHECK(a.v2.ups == 1 && b.v2.has_cc && b.v2.ups == 1 && !a.v2.downs && !b.v2.downs);
		CHECK(a.v2.cc.peer_tunnel_id == b.v2.cc.tunnel_id && end_quiet(&a.v2) && end_quiet(&b.v2));
	}
	CHECK(v3_end_quiet(&a.v3) && v3_end_quiet(&b.v3) && !v3_end_faults(&a.v3) && !v3_end_faults(&b.v3));
out:
	versions_done(&a);
	versions_done(&b);
	sim_done(&s);
	return bad;
}

/* Both dial: part 0 is the connection that we opened, part 1 answers. */

struct dials { struct host host; struct v3_end open, answer; };

static void both_ways(struct host *h, ms_t now, const uint8_t *p, size_t len)
{
	struct dials *d = (struct dials *)h;
	struct v3_signature sig;
	struct v3_msg m;
	uint32_t id;

	if (!v3_peek(p, len, &id))
		return;
	if (id) {
		give(h, id == d->open.cc.tunnel_id ? 0 : 1, now, p, len);
		return;
	}
	if (v3_verify(&d->open.cc.v3.auth, p, len, &sig) != V3_GOOD || !v3_decode(&m, p, len, (struct span){ NULL, 0 }, NULL) ||
	    m.type != V3_SCCRQ)
		return;
	switch (cc_tie(&d->open.cc, v3_has(&m, V3_AVP_TIE_BREAKER) ? m.tie_breaker : NULL)) {
	case CC_TIE_NONE:
		give(h, 1, now, p, len);
		break;
	case CC_TIE_OURS:
		break;
	case CC_TIE_THEIRS:
		cc_abandon(&d->open.cc, now, NULL);
		v3_end_drain(&d->open);
		give(h, 1, now, p, len);
		break;
	case CC_TIE_BOTH_DROP:
		cc_abandon(&d->open.cc, now, NULL);
		v3_end_drain(&d->open);
		break;
	}
}

static void dials_init(struct dials *d, struct sim *s, int node)
{
	memset(d, 0, sizeof(*d));
	v3_end_init(&d->open, s, node, false);
	d->host.part[0] = s->node[node];
	v3_end_init(&d->answer, s, node, true);
	d->host.part[1] = s->node[node];
	d->answer.next_id += 1000;
	d->host.input = both_ways;
	host_join(&d->host, s, node);
}

static void no_chance(void *arg, void *buf, size_t len)
{
	(void)arg;
	memset(buf, 5, len);
}

static int test_both_dial(uint64_t seed)
{
	struct dials d[2];
	unsigned up[2] = { 0, 0 }, want;
	bool tie[2], equal = seed % 8 == 0, lossy;
	struct sim s;
	int bad = 0;

	sim_init(&s, seed);
	for (int i = 0; i < 2; i++) {
		dials_init(&d[i], &s, i);
		tie[i] = sim_roll(&s, 4) || equal;
		if (equal)
			d[i].open.env.random = no_chance;
		d[i].open.conf.cc.no_tie_breaker = d[i].answer.conf.cc.no_tie_breaker = !tie[i];
		d[i].open.conf.cc.secret = d[i].answer.conf.cc.secret = seed % 2 ? secret : (struct span){ NULL, 0 };
		d[i].open.conf.cc.setup_ms = d[i].answer.conf.cc.setup_ms = 200 * 1000;
		v3_end_reset(&d[i].open);
		v3_end_open(&d[i].open);
	}
	s.loss = sim_roll(&s, 3) * 20;
	lossy = s.loss;
	s.dup = 10;
	s.delay_ms = 500;
	sim_run(&s, 15 * 1000);
	s.loss = s.dup = 0;
	sim_run(&s, 100 * 1000);
	for (int i = 0; i < 2; i++) {
		up[i] = (d[i].open.cc.state == CC_ESTABLISHED) +
			(d[i].answer.has_cc && d[i].answer.cc.state == CC_ESTABLISHED);
		CHECK(d[i].open.ups <= 1 && d[i].open.downs + (d[i].open.cc.state == CC_ESTABLISHED) == 1);
		CHECK(v3_end_quiet(&d[i].open) && v3_end_quiet(&d[i].answer));
		CHECK(!v3_end_faults(&d[i].open) && !v3_end_faults(&d[i].answer));
		if (d[i].open.cc.state == CC_ESTABLISHED)
			CHECK(d[i].open.cc.peer_tunnel_id == d[!i].answer.cc.tunnel_id);
	}
	/* equal ones: who never hears the other's SCCRQ does not know, and its own finds nobody dialling any more */
	want = equal ? lossy && up[0] == 1 : tie[0] || tie[1] ? 1 : 2;
	CHECK(up[0] == up[1] && up[0] == want);
	if (equal && !lossy)
		CHECK(d[0].open.down_at < 2000 && d[1].open.down_at < 2000);
	if (tie[0] != tie[1])
		CHECK(d[tie[1]].open.cc.state == CC_ESTABLISHED);	/* who has one wins */
	if (tie[0] && tie[1] && !equal)
		CHECK(d[memcmp(d[0].open.cc.tie_breaker, d[1].open.cc.tie_breaker, L2TP_TIE_LEN) > 0].open.cc.state ==
		      CC_ESTABLISHED);
out:
	for (int i = 0; i < 2; i++) {
		v3_end_done(&d[i].open);
		v3_end_done(&d[i].answer);
	}
	sim_done(&s);
	return bad;
}

static int many(const char *name, int (*test)(uint64_t), unsigned seeds)
{
	unsigned bad = 0;

	for (uint64_t seed = 1; seed <= seeds && bad < 5; seed++)
		bad += (unsigned)test(seed);
	printf("%sok - %s: %u seeds\n", bad ? "not " : "", name, seeds);
	return !!bad;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);	/* or a sanitizer that exits takes our verdict with it */
	return many("v3: fall-back to L2TPv2, and both versions in one place", test_fallback, SEEDS) |
	       many("v3: both ends dial", test_both_dial, SEEDS);
}
