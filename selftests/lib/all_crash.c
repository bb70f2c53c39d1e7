/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A side whose owner crashes: its own data and its engines are those of the last checkpoint, the kernel's part is as it is.
 * What was ordered from the kernel is carried out before the next owner looks (K_LIST waits for it), what had not left is not. */
#include "lib/all_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "l2tp/save.h"
#include "ppp/save.h"

enum { T_CC = 1, T_CALL = 2, T_PPP = 3, ROOM = 1 << 17, OWN_EVENTS = 64 };

struct all_disk {
	struct all_side owner;			/* its plain data as it was */
	uint8_t record[ROOM];			/* its engines */
	size_t n;
	bool valid;
	struct all_event own[OWN_EVENTS];	/* what it waited for that is not the kernel's */
	size_t n_own;
	uint64_t turn;				/* order of the first event of this turn */
};

static bool is_own(const struct all_event *e)
{
	return e->kind == EV_PLACE || e->kind == EV_VERDICT;
}

static bool has_link(const struct all_session *s)
{
	return s->ppp_on && !s->ppp_down && (s->up || ppp_to_be_saved(&s->ppp));
}

static void write_down(struct all_side *x)
{
	struct all_disk *d = x->disk;
	struct wr w = wr_init(d->record, sizeof(d->record));

	d->valid = x->end.has_cc && cc_to_be_saved(&x->end.cc);
	if (!d->valid)
		return;
	v2_cc_save(&x->end.cc, &w, T_CC);
	for (unsigned i = 0; i < x->end.n_calls; i++) {
		if (all_call_of(&x->s[i])->linked)
			cc_call_save(&x->end.cc, all_call_of(&x->s[i]), &w, T_CALL);
		if (has_link(&x->s[i]))
			ppp_save(&x->s[i].ppp, &w, T_PPP);
	}
	assert(!w.bad);
	d->n = wr_len(&w);
	d->owner = *x;
	d->n_own = 0;
	for (size_t i = 0; i < x->n_ev; i++)
		if (is_own(&x->ev[i])) {
			assert(d->n_own < OWN_EVENTS);
			d->own[d->n_own++] = x->ev[i];
		}
}

static struct span next_field(struct rd *r, unsigned want)
{
	struct span v = { NULL, 0 };
	unsigned tag;
	bool ok = rec_next(r, &tag, &v);

	assert(ok && tag == want);		/* what was written can be read */
	return v;
}

/* The kernel finishes what it was told; nobody is there to hear of it. */
static void kernel_finishes(struct all_side *x, bool left)
{
	for (unsigned i = 0; i < ALL_CALLS; i++)
		x->s[i].attached = false;
	for (;;) {
		size_t first = x->n_ev;
		struct all_event e;

		for (size_t i = 0; i < x->n_ev; i++)
			if (x->ev[i].kind != EV_UDP && x->ev[i].kind != EV_CHANNEL &&
			    (first == x->n_ev || x->ev[i].at < x->ev[first].at ||
			     (x->ev[i].at == x->ev[first].at && x->ev[i].order < x->ev[first].order)))
				first = i;
		if (first == x->n_ev)
			return;
		e = x->ev[first];
		x->ev[first] = x->ev[--x->n_ev];
		if (!left && e.order >= x->disk->turn)
			continue;		/* it never left */
		if (e.kind == EV_TUNNEL_MAKE || e.kind == EV_TUNNEL_UNMAKE || e.kind == EV_MAKE || e.kind == EV_CONNECT ||
		    e.kind == EV_UNMAKE)
			all_record(x, (enum all_kind)e.kind, e.s);
	}
}

/* The owner's data is what it was; the recorder's, and what was counted, stays. */
static void forget(struct all_side *x)
{
	struct all_side is = *x, *was = &x->disk->owner;

	*x = *was;
	x->ev = is.ev;
	x->n_ev = is.n_ev;
	x->max_ev = is.max_ev;
	x->order = is.order;
	x->disk = is.disk;
	x->crash = is.crash;
	x->crashes = is.crashes + 1;
	x->there = is.there;
	x->creates = is.creates;
	x->deletes = is.deletes;
	x->early_frames = is.early_frames;
	x->late_udp = is.late_udp;
	x->waited = is.waited;
	x->dropped = is.dropped;
	x->faults = is.faults;
	x->fault = is.fault;
	for (unsigned i = 0; i < ALL_CALLS; i++) {
		x->s[i].there = is.s[i].there;
		x->s[i].creates = is.s[i].creates;
		x->s[i].deletes = is.s[i].deletes;
		x->s[i].brought = is.s[i].brought;
		x->s[i].fed = is.s[i].fed;
		x->s[i].attached = false;
	}
}

static void read_back(struct all_side *x)
{
	struct all_disk *d = x->disk;
	struct rd r = rd_init(d->record, d->n);
	struct l2tp_end *e = &x->end;
	ms_t now = x->sim->now;
	int err;

	v2_cc_init(&e->cc, &e->env, &e->conf, d->owner.end.cc.tunnel_id);
	err = v2_cc_restore(&e->cc, now, next_field(&r, T_CC));
	assert(!err);
	for (unsigned i = 0; i < e->n_calls; i++) {
		struct all_session *s = &x->s[i];
		bool link = has_link(&d->owner.s[i]);

		if (all_call_of(s)->linked)
			err |= cc_call_restore(&e->cc, all_call_of(s), now, next_field(&r, T_CALL));
		s->ppp_on = link;
		if (link) {
			err |= ppp_init(&s->ppp, &e->env, &x->conf, x->name, s->liar ? "wrong" : x->password);
			err |= ppp_restore(&s->ppp, now, next_field(&r, T_PPP));
		}
		assert(!err);
	}
	assert(!rd_left(&r) && !r.bad);
	for (size_t i = 0; i < d->n_own; i++)
		*all_at(x, (enum all_kind)d->own[i].kind, d->own[i].s, d->own[i].at) = d->own[i];
}

/* See settle_tunnel, settle_session and go_on in core/adopt.c. */
static void adopt_session(struct all_session *s)
{
	struct all_side *x = s->side;

	s->applied = (uint8_t)(s->applied & ~s->asked);
	if (s->there == AT_THERE && !s->ending && (s->kernel == AK_COMING || s->kernel == AK_UP)) {
		if (s->kernel == AK_COMING)
			s->applied |= s->asked;
		s->kernel = AK_UP;
		s->attached = true;
		for (size_t i = 0; i < x->n_ev; i++)
			if (x->ev[i].kind == EV_CHANNEL && x->ev[i].s == s)
				x->ev[i].at = x->sim->now;
	} else if (s->there == AT_THERE) {
		all_session_remove(s);
	} else if (s->kernel == AK_UP) {
		all_fault(x, "a session vanished from the kernel");
	} else {
		s->kernel = s->kernel == AK_NONE || (s->kernel == AK_COMING && !s->ending) ? AK_NONE : AK_GONE;
	}
	s->asked = s->outdated = 0;
	if (s->ending) {
		all_maybe_free(s);
		return;
	}
	if (s->admitted && s->kernel == AK_UP) {
		s->admitted = false;
		all_verdict(s, true);
		all_ppp_drain(s);
	}
	if (!s->ppp_on && all_call_of(s)->state == CALL_ESTABLISHED)
		all_start_ppp(s);
	all_apply(s);
	all_ppp_drain(s);
}

static void adopt(struct all_side *x)
{
	if (x->there == AT_THERE)
		x->kernel = AK_UP;
	else if (x->kernel == AK_UP)
		all_fault(x, "a tunnel vanished from the kernel");
	else
		x->kernel = x->kernel == AK_NONE || x->kernel == AK_COMING ? AK_NONE : AK_GONE;
	for (unsigned i = 0; i < x->end.n_calls; i++)
		adopt_session(&x->s[i]);
	end_drain(&x->end);
	all_tunnel_uninstall(x);
}

static void crash(struct all_side *x, bool left)
{
	kernel_finishes(x, left);
	for (unsigned i = 0; i < ALL_CALLS; i++)
		if (x->s[i].ppp_on)
			ppp_done(&x->s[i].ppp);
	v2_cc_done(&x->end.cc);
	forget(x);
	read_back(x);
	adopt(x);
}

static void send(struct all_side *x, unsigned n)
{
	struct fx *f;

	for (; n && (f = fx_pop(&x->end.disk->out)); n--, fx_free(f)) {
		if (f->type == ALL_FX_DATA)
			sim_send(x->sim, x->end.node, f->data, f->len);
		else
			end_send(&x->end, f);
	}
}

void all_turn_ends(struct all_side *x)
{
	struct all_disk *d = x->disk;
	bool dies = d->valid && sim_roll(x->sim, 100) < x->crash;
	unsigned where = dies ? sim_roll(x->sim, 4) : 3, n = 0;

	if (where)
		write_down(x);
	for (struct fx *f = x->end.disk->out.head; f; f = f->next)
		n++;
	send(x, where < 2 ? 0 : where == 2 ? sim_roll(x->sim, n + 1) : n);
	fxq_done(&x->end.disk->out);
	if (dies && d->valid) {
		crash(x, where >= 2);
		write_down(x);
		send(x, UINT32_MAX);
	}
	d->turn = x->order;
}

void all_can_crash(struct all_side *x, unsigned percent)
{
	if (!x->disk) {
		end_can_crash(&x->end, 0);
		x->end.disk->by_owner = true;
		x->disk = calloc(1, sizeof(*x->disk));
		assert(x->disk);
		x->disk->turn = x->order;
	}
	x->crash = percent;
	write_down(x);
}

void all_crash_done(struct all_side *x)
{
	free(x->disk);
	x->disk = NULL;
}
