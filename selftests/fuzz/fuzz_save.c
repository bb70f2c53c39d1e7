/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints that nobody wrote: whatever is taken for one, the engine that comes of it works, and comes to rest.
 * Input: what the record is of (c: control connection, then calls; p: PPP, P: PPP of who takes addresses; t, s: a tunnel's
 * and a session's whole checkpoint; h: a half-open tunnel's), then the record. */
#include <stdlib.h>

#include "core/record.h"
#include "l2tp/save.h"
#include "l2tp/v3_halfopen.h"
#include "ppp/save.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 4, TAG = 9, LATER = 1000000 };

static uint8_t room[2][1 << 17];

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void chance(void *arg, void *buf, size_t len)
{
	uint32_t *x = arg;

	for (uint8_t *p = buf; len--; *p++ = (uint8_t)(*x >> 16))
		*x = *x * 1664525 + 1013904223;
}

static void drain_cc(struct cc *cc, ms_t now, unsigned *gones)
{
	for (struct fx *f; (f = fx_pop(&cc->out)); fx_free(f)) {
		const struct v2_fx_request *rq = (const void *)f->data;
		struct l2tp_cause no = { .result = 4 };

		*gones += f->type == L2TP_FX_CC_GONE;
		if (f->type == L2TP_FX_CALL_REQUEST)
			v2_call_refuse(cc, now, rq, &no);
	}
	cc_flush(cc, now);
	for (struct fx *f; (f = fx_pop(&cc->out)); fx_free(f))
		;
}

static size_t save_cc(const struct cc *cc, unsigned i)
{
	struct wr w = wr_init(room[i], sizeof(room[i]));

	v2_cc_save(cc, &w, TAG);
	must(!w.bad);
	return wr_len(&w);
}

static void fuzz_cc(struct env *env, struct span all)
{
	struct cc_conf conf = { .host_name = "fuzz" };
	struct rd r = rd_init(all.p, all.n);
	unsigned tag, n = 0, gones = 0;
	struct call call[CALLS];
	struct span v;
	ms_t now = LATER;
	struct cc cc, again;
	size_t len;

	v2_cc_init(&cc, env, &conf, 17);
	if (!rec_next(&r, &tag, &v) || v2_cc_restore(&cc, now, v)) {
		v2_cc_done(&cc);
		return;
	}
	len = save_cc(&cc, 0);
	v2_cc_init(&again, env, &conf, 17);
	must(!v2_cc_restore(&again, now, (struct span){ room[0] + 6, len - 6 }));
	must(save_cc(&again, 1) == len && !memcmp(room[0], room[1], len));
	v2_cc_done(&again);
	while (n < CALLS && rec_next(&r, &tag, &v))
		if (!cc_call_restore(&cc, &call[n], now, v))
			n++;
	must(cc.n_calls == n);
	for (unsigned i = 0; i < n; i++)
		must(cc_call_find(&cc, call[i].session_id) == &call[i]);
	v2_cc_input(&cc, now, (const uint8_t[]){ 0xc8, 2, 0, 12, 0, 17, 0, 0, 0, 0, 0, 3 }, 12);
	for (int i = 0; i < 3 && cc_deadline(&cc) != NEVER; i++) {
		now = cc_deadline(&cc) > now ? cc_deadline(&cc) : now;
		cc_tick(&cc, now);
		drain_cc(&cc, now, &gones);
	}
	cc_close(&cc, now, NULL);
	drain_cc(&cc, now, &gones);
	for (int i = 0; i < 1000 && cc_deadline(&cc) != NEVER; i++) {
		now = cc_deadline(&cc) > now ? cc_deadline(&cc) : now;
		cc_tick(&cc, now);
		drain_cc(&cc, now, &gones);
	}
	must(cc.ending == CC_ENDED && gones <= 1 && !cc.n_calls && !cc.rel.tx && !cc.rel.early);
	v2_cc_done(&cc);
}

static void drain_ppp(struct ppp *p, ms_t now, unsigned *downs)
{
	struct ppp_addrs a = { .ip = 0x0100000a, .peer_ip = 0x0700000a };

	for (struct fx *f; (f = fx_pop(&p->out)); fx_free(f)) {
		const struct ppp_fx_ncp *ncp = (const void *)f->data;

		if (f->type == PPP_FX_AUTH_CHECK)
			ppp_auth_verdict(p, now, false, NULL, NULL);
		else if (f->type == PPP_FX_AUTH_DONE)
			ppp_set_addrs(p, &a);
		else if (f->type == PPP_FX_NCP_READY)
			ppp_ncp_go(p, now, ncp->proto);
		*downs += f->type == PPP_FX_DOWN;
	}
}

static void fuzz_ppp(struct env *env, struct span record, bool take)
{
	static const uint8_t echo[] = { 9, 1, 0, 8, 1, 2, 3, 4 }, request[] = { 1, 1, 0, 10, 3, 6, 10, 0, 0, 7 },
			     response[] = { 2, 1, 0, 21, 16, 1 }, success[] = { 3, 1, 0, 4 };
	struct ppp_conf conf = { .auth_name = "fuzz", .ipv4 = true, .ipv6 = true, .take = take, .echo_ms = 5000 };
	struct wr w[2] = { wr_init(room[0], sizeof(room[0])), wr_init(room[1], sizeof(room[1])) };
	struct ppp p, again;
	unsigned downs = 0;
	ms_t now = LATER;

	conf.auth[0] = take ? PPP_AUTH_NONE : PPP_AUTH_CHAP_MD5;
	conf.allow[0] = PPP_AUTH_MSCHAPV2;
	must(!ppp_init(&p, env, &conf, take ? "alice" : NULL, take ? "wonderland" : NULL));
	if (ppp_restore(&p, now, record)) {
		ppp_done(&p);
		return;
	}
	must(take || p.phase != PPP_NETWORK || p.authenticator.state == AUTH_OK);
	ppp_save(&p, &w[0], TAG);
	must(!ppp_init(&again, env, &conf, take ? "alice" : NULL, take ? "wonderland" : NULL));
	must(!ppp_restore(&again, now, (struct span){ room[0] + 6, wr_len(&w[0]) - 6 }));
	ppp_save(&again, &w[1], TAG);
	must(wr_len(&w[0]) == wr_len(&w[1]) && !memcmp(room[0], room[1], wr_len(&w[0])));
	ppp_done(&again);
	ppp_input(&p, now, PPP_LCP, echo, sizeof(echo));
	ppp_input(&p, now, PPP_IPCP, request, sizeof(request));
	ppp_input(&p, now, PPP_CHAP, response, sizeof(response));
	ppp_input(&p, now, PPP_CHAP, success, sizeof(success));
	drain_ppp(&p, now, &downs);
	for (int i = 0; i < 8 && ppp_deadline(&p) != NEVER; i++) {
		now = ppp_deadline(&p) > now ? ppp_deadline(&p) : now;
		ppp_tick(&p, now);
		drain_ppp(&p, now, &downs);
	}
	ppp_close(&p, now, "bye");
	drain_ppp(&p, now, &downs);
	for (int i = 0; i < 1000 && ppp_deadline(&p) != NEVER; i++) {
		now = ppp_deadline(&p) > now ? ppp_deadline(&p) : now;
		ppp_tick(&p, now);
		drain_ppp(&p, now, &downs);
	}
	must(downs == 1 && p.phase == PPP_DEAD);
	ppp_done(&p);
}

/* What a span points to is there. */
static unsigned touch(struct span s)
{
	unsigned sum = 0;

	for (size_t i = 0; i < s.n; i++)
		sum += s.p[i];
	return sum;
}

static void fuzz_tunnel(struct env *env, struct span record)
{
	struct cc_conf conf = { .host_name = "fuzz" };
	static struct tunnel_record r;
	struct cc cc;

	if (!record_read_tunnel(record, 17, &r))
		return;
	must(r.t.kernel <= KS_GONE && strnlen(r.t.cause.msg, sizeof(r.t.cause.msg)) < sizeof(r.t.cause.msg));
	must(touch(r.from) + touch(r.as) < UINT32_MAX && !r.from.n != !r.as.n);
	v2_cc_init(&cc, env, &conf, 17);
	(void)v2_cc_restore(&cc, LATER, r.cc);
	v2_cc_done(&cc);
}

static void fuzz_session(struct env *env, struct span record)
{
	struct cc_conf conf = { .host_name = "fuzz" };
	static struct session_record r;
	struct call call;
	struct cc cc;

	if (!record_read_session(record, &r))
		return;
	must(r.s.kernel <= KS_GONE && r.s.ending == r.s.call_down && r.s.auth < PPP_AUTH_N && r.s.end <= PPP_END_RESOURCES);
	must(strnlen(r.s.why, sizeof(r.s.why)) < sizeof(r.s.why) && strnlen(r.s.ifname, sizeof(r.s.ifname)) < sizeof(r.s.ifname));
	must(touch(r.user) + touch(r.as) + touch(r.ppp) < UINT32_MAX);
	v2_cc_init(&cc, env, &conf, 17);
	(void)cc_call_read(&cc, r.call, &call);
	v2_cc_done(&cc);
}

/* What he may say next, with secrets and without. */
static void half_open_input(struct halfopen *h, const struct ho_entry *e, unsigned version, struct span secret)
{
	struct v3_conf v3 = { .cc = { .host_name = "fuzz", .secret = secret } };
	uint8_t in[] = { 0xc8, 2, 0, 20, 0, 0, 0, 0, 0, 1, 0, 1, 0x80, 8, 0, 0, 0, 0, 0, 3 }, out[1500];
	struct l2tp_msg sccrq = { .type = L2TP_SCCRQ, .assigned_tunnel_id = (uint16_t)e->peer_tunnel_id,
				  .host_name = { (const uint8_t *)e->host_name, strlen(e->host_name) } }, scccn;
	struct ho_entry ret;
	bool used;
	size_t n;

	if (version == 2) {
		put_u16(in + 4, (uint16_t)e->tunnel_id);
		must(l2tp_decode(&scccn, in, sizeof(in), secret, NULL));
		(void)ho_sccrq(h, LATER, &e->from, &sccrq, 100, &v3.cc, 0, 0, 8, 99, &used, out, sizeof(out), &n);
		must(n <= 150);
		(void)ho_scccn(h, LATER, &e->from, &scccn, &v3.cc, &ret, out, sizeof(out), &n);
	} else {
		in[1] = 3;
		put_u32(in + 4, e->tunnel_id);
		(void)v3_ho_scccn(h, LATER, &e->from, in, sizeof(in), &v3, &ret);
	}
}

static void fuzz_half_open(struct env *env, struct span record)
{
	static const struct span secret[2] = { { NULL, 0 }, { (const uint8_t *)"sesame", 6 } };
	struct wr w = wr_init(room[0], sizeof(room[0])), again = wr_init(room[1], sizeof(room[1]));
	unsigned version, v;
	struct ho_entry e, f;
	uint32_t ids[4];

	if (!ho_read(record, &e, &version))
		return;
	ho_save(&e, version, &w);
	must(!w.bad && wr_len(&w) <= HO_RECORD_MAX);
	must(ho_read((struct span){ room[0], wr_len(&w) }, &f, &v) && v == version);
	ho_save(&f, v, &again);
	must(wr_len(&w) == wr_len(&again) && !memcmp(room[0], room[1], wr_len(&w)));
	for (unsigned i = 0; i < 2; i++) {
		struct halfopen *h = ho_new(env, NULL);

		must(h && ho_restore(h, LATER, &e) && ho_find(h, e.tunnel_id) && ho_next(h, NULL) && !ho_next(h, ho_next(h, NULL)));
		half_open_input(h, &e, version, secret[i]);
		(void)ho_expire(h, LATER + 30000, ids, 4);
		must(!ho_count(h) && ho_deadline(h) == NEVER);
		ho_free(h);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t seed = 1;
	struct env env = { chance, &seed };

	if (size && data[0] == 'c')
		fuzz_cc(&env, (struct span){ data + 1, size - 1 });
	else if (size && (data[0] == 'p' || data[0] == 'P'))
		fuzz_ppp(&env, (struct span){ data + 1, size - 1 }, data[0] == 'P');
	else if (size && data[0] == 't')
		fuzz_tunnel(&env, (struct span){ data + 1, size - 1 });
	else if (size && data[0] == 's')
		fuzz_session(&env, (struct span){ data + 1, size - 1 });
	else if (size && data[0] == 'h')
		fuzz_half_open(&env, (struct span){ data + 1, size - 1 });
	return 0;
}
