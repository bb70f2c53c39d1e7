/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our table against the kernel's: at the start (what a process before left is swept), every opt.audit_ms, and when notes
 * were lost.  What vanished is looked into by watch.c, and its session ends; what is ours and in nobody's hands goes.
 *
 * The dumps are a thread's; they are compared in the main thread, whose table says what threads are making or
 * removing at that moment: such objects are in it.  So what the kernel has and the table has not is an orphan, if it
 * still is there; and as it is removed in the main thread, nothing of the same id can come up meanwhile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "install.h"
#include "journal.h"
#include "l2tp.h"
#include "rtnl.h"
#include "server.h"

enum { LINKS, TUNNELS, SESSIONS, KINDS, ORPHANS_A_TURN = 16 };

struct orphan { uint32_t ifindex, tunnel_id, session_id; };

struct audit {
	struct job job;
	int result;
	int64_t us, cpu_us;	/* of the dumps: on the clock, and on the processor */
	char instance[INSTANCE_SIZE];
	unsigned n[KINDS], room[KINDS], n_ours, room_ours;
	uint64_t *seen[KINDS];	/* ifindex; tunnel_id; tunnel_id << 32 | session_id */
	struct orphan *ours;	/* links marked as ours */
};

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* From one audit to the next.  Before Linux 6.11 dumps of tunnels and sessions take time by the square of their number
 * (KERNEL.md 5.2): an audit that costs much comes the less often, for a thousandth of a processor. */
static int64_t rest_ms(const struct keeper *k, const struct audit *a)
{
	enum { MUCH_US = 100000, SHARE = 1000 };
	int64_t rest = a->cpu_us * SHARE / 1000;

	return a->cpu_us > MUCH_US && rest > k->opt.audit_ms ? rest : k->opt.audit_ms;
}

/* Room for one more of n; false: no memory. */
static bool make_room(void **list, size_t size, unsigned n, unsigned *room)
{
	unsigned more = *room ? *room * 2 : 256;
	void *p;

	if (n < *room)
		return true;
	p = realloc(*list, more * size);
	if (!p)
		return false;
	*list = p;
	*room = more;
	return true;
}

static int note_seen(struct audit *a, unsigned which, uint64_t key)
{
	void *list = a->seen[which];

	if (!make_room(&list, sizeof(key), a->n[which], &a->room[which]))
		return -ENOMEM;
	a->seen[which] = list;
	a->seen[which][a->n[which]++] = key;
	return 0;
}

static int saw_link(uint32_t ifindex, const char *alias, void *arg)
{
	struct audit *a = arg;
	struct orphan o = { .ifindex = ifindex };
	void *list = a->ours;

	if (journal_link_ours(a->instance, alias, &o.tunnel_id, &o.session_id)) {
		if (!make_room(&list, sizeof(o), a->n_ours, &a->room_ours))
			return -ENOMEM;
		a->ours = list;
		a->ours[a->n_ours++] = o;
	}
	return note_seen(a, LINKS, ifindex);
}

static int saw_tunnel(const struct l2tp_note *n, void *arg)
{
	return note_seen(arg, TUNNELS, n->tunnel_id);
}

static int saw_session(const struct l2tp_note *n, void *arg)
{
	return note_seen(arg, SESSIONS, (uint64_t)n->tunnel_id << 32 | n->session_id);
}

static int compare(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static void audit_run(struct job *j, struct nl *nl)
{
	struct audit *a = (struct audit *)j;

	a->us = now_us();
	a->cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
	a->result = rtnl_link_dump(nl, saw_link, a);
	if (!a->result)
		a->result = l2tp_dump(nl, false, saw_tunnel, a);
	if (!a->result)
		a->result = l2tp_dump(nl, true, saw_session, a);
	for (unsigned i = 0; i < KINDS && !a->result; i++)
		if (a->n[i])
			qsort(a->seen[i], a->n[i], sizeof(uint64_t), compare);
	a->us = now_us() - a->us;
	a->cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - a->cpu_us;
}

static bool was_seen(const struct audit *a, unsigned which, uint64_t key)
{
	return a->n[which] && bsearch(&key, a->seen[which], a->n[which], sizeof(key), compare);
}

static void audit_free(struct audit *a)
{
	for (unsigned i = 0; i < KINDS; i++)
		free(a->seen[i]);
	free(a->ours);
	free(a);
}

/* What vanished: a look decides about tunnels and sessions, for what was made after the dump is not in it, either; links
 * count only if they were known before it began. */
static unsigned vanished(struct keeper *k, const struct audit *a)
{
	unsigned n = 0;

	for (unsigned id = 1; id < 65536; id++) {
		const struct tunnel *t = table_tunnel(k->table, id);
		struct session *s = table_session(k->table, id);

		if (t && t->state == OBJECT_UP && !t->gone && !was_seen(a, TUNNELS, id))
			n += watch_look(k, id, 0);
		if (s && s->state == OBJECT_UP && !s->gone &&
		    !was_seen(a, SESSIONS, (uint64_t)s->tunnel_id << 32 | s->wire_id))
			n += watch_look(k, s->tunnel_id, s->wire_id);
		if (s && s->state == OBJECT_UP && s->in.ifindex && s->in.audited && !was_seen(a, LINKS, s->in.ifindex)) {
			ops_link_gone(k, s);
			n++;
		}
	}
	return n;
}

/* Orphans */

static bool same_end(const struct k_addr *a, const struct k_addr *b)
{
	return a->family == b->family && a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

struct removal { struct keeper *k; unsigned tunnels, routes; bool at_start; };

static int remove_made(uint32_t slot, const struct made *m, void *arg)
{
	struct removal *r = arg;
	struct nl *nl = &r->k->nl;
	struct l2tp_ends e;
	bool left = false;

	if (m->kind == MADE_TUNNEL && table_tunnel(r->k->table, m->tunnel_id))
		return 0;
	if (m->kind == MADE_ROUTE && !r->at_start)
		return 0;			/* pins.c has it */
	if (m->kind == MADE_TUNNEL && !l2tp_tunnel_get(nl, m->tunnel_id, &e) && e.peer_tunnel_id == m->peer_tunnel_id &&
	    same_end(&e.local, &m->local) && same_end(&e.peer, &m->peer)) {
		if (!l2tp_tunnel_delete(nl, m->tunnel_id))
			r->tunnels++;
		left = !r->at_start;		/* it goes in a work queue: the next audit makes sure */
	}
	if (m->kind == MADE_ROUTE && !rtnl_route_delete(nl, &m->route))
		r->routes++;
	if (!left)
		journal_forget(r->k->journal, slot);
	return r->at_start || r->tunnels < ORPHANS_A_TURN ? 0 : 1;
}

static bool link_is_orphan(const struct keeper *k, const struct orphan *o)
{
	const struct session *s = table_session(k->table, o->session_id);

	if (!s || s->tunnel_id != o->tunnel_id)
		return true;
	return s->state == OBJECT_UP && s->in.ifindex && s->in.ifindex != o->ifindex;
}

/* Removes what nobody owns; how many. */
static unsigned orphans(struct keeper *k, const struct audit *a)
{
	struct removal r = { .k = k };
	unsigned n = 0;

	journal_each(k->journal, remove_made, &r);
	for (unsigned i = 0; i < a->n_ours && n < ORPHANS_A_TURN; i++)
		if (link_is_orphan(k, &a->ours[i]) && !rtnl_link_delete(&k->nl, a->ours[i].ifindex)) {
			say(k, "audit: a link of session %u of tunnel %u had no owner any more and is removed",
			    a->ours[i].session_id, a->ours[i].tunnel_id);
			n++;
		}
	for (unsigned i = 0; i < a->n[SESSIONS] && n < ORPHANS_A_TURN; i++) {
		uint32_t tunnel_id = (uint32_t)(a->seen[SESSIONS][i] >> 32), id = (uint32_t)a->seen[SESSIONS][i];
		const struct tunnel *t = table_tunnel(k->table, tunnel_id);

		/* Any program can connect a PPPoL2TP socket to a tunnel that it finds (KERNEL.md 5.3). */
		if (!t || t->state != OBJECT_UP || t->gone || table_on_wire(k->table, tunnel_id, id))
			continue;
		if (l2tp_session_exists(&k->nl, tunnel_id, id) == 1 && !l2tp_session_delete(&k->nl, tunnel_id, id)) {
			say(k, "audit: session %u was in our tunnel %u and none of ours; it is removed", id, tunnel_id);
			n++;
		}
	}
	if (r.tunnels)
		say(k, "audit: %u tunnels had no owner any more and are removed", r.tunnels);
	return n + r.tunnels;
}

static void audit_done(struct job *j, void *arg)
{
	struct audit *a = (struct audit *)j;
	struct keeper *k = arg;
	struct k_reply r = { .op = K_EVENT };
	int64_t begin = now_us();

	k->auditing = false;
	k->next_audit = now_ms() + rest_ms(k, a);
	if (a->result == -ENOENT && !table_tunnels(k->table)) {
		audit_free(a);		/* the kernel has no L2TP yet */
		return;
	}
	if (a->result) {
		say(k, "audit: cannot read the kernel's tables: %s", strerror(-a->result));
	} else {
		r.event.vanished = vanished(k, a);
		r.event.removed = orphans(k, a);
	}
	guard_audit(k);
	sa_audit(k);
	r.event.what = K_AUDITED;
	r.event.us = (uint32_t)(a->us + now_us() - begin);
	tell_event_reply(k, &r);
	audit_free(a);
}

static void audit_begin(struct keeper *k)
{
	struct audit *a = calloc(1, sizeof(*a));

	if (!a)
		return;
	for (unsigned id = 1; id < 65536; id++) {
		struct session *s = table_session(k->table, id);

		if (s)
			s->in.audited = s->state == OBJECT_UP;
	}
	strcpy(a->instance, journal_instance(k->journal));
	a->job.run = audit_run;
	a->job.done = audit_done;
	k->auditing = true;
	k->audit_wanted = false;
	workers_run(k->workers, &a->job);
}

int audit_timeout(const struct keeper *k)
{
	int64_t left = k->next_audit - now_ms();

	if (k->auditing || k->stopping || k->upgrade.wanted)
		return -1;
	if (k->audit_wanted)
		return 0;
	if (k->opt.audit_ms <= 0)
		return -1;
	return left <= 0 ? 0 : (int)left;
}

void audit_tick(struct keeper *k)
{
	if (!audit_timeout(k))
		audit_begin(k);
}

/* Start */

void audit_sweep(struct keeper *k)
{
	struct audit a = { 0 };
	struct removal r = { .k = k, .at_start = true };
	uint32_t ifindex[ORPHANS_A_TURN];
	unsigned n = 0;

	strcpy(a.instance, journal_instance(k->journal));
	if (!rtnl_link_dump(&k->nl, saw_link, &a))
		for (unsigned i = 0; i < a.n_ours; i++) {
			ifindex[n++] = a.ours[i].ifindex;
			if (n < ORPHANS_A_TURN && i + 1 < a.n_ours)
				continue;
			remove_links(&k->nl, ifindex, n, k->group++);
			n = 0;
		}
	journal_each(k->journal, remove_made, &r);
	if (a.n_ours || r.tunnels || r.routes)
		say(k, "swept what a keeper before us left: %u links, %u tunnels, %u routes", a.n_ours, r.tunnels, r.routes);
	for (unsigned i = 0; i < KINDS; i++)
		free(a.seen[i]);
	free(a.ours);
}
