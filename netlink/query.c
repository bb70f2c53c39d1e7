/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that change nothing: counters, and the list of what there is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kobj.h"
#include "rtnl.h"
#include "server.h"
#include "wire.h"

/* Counters */

/* By the link, or (ifindex 0) by the kernel's ids. */
struct counted { uint32_t ifindex, tunnel_id, wire_id; struct k_stats s; };
/* one: of it alone.  away: there are links in other network namespaces, which only "l2tp" counts for us. */
struct census {
	struct job job;
	struct origin from;
	struct counted one;
	bool all, away;
	int result;
	unsigned n, room;
	struct counted *c;
};

static int census_add(struct census *c, const struct counted *add)
{
	if (c->n == c->room) {
		unsigned room = c->room ? c->room * 2 : 64;
		struct counted *more = realloc(c->c, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->c = more;
		c->room = room;
	}
	c->c[c->n++] = *add;
	return 0;
}

static int census_link(uint32_t ifindex, const struct k_stats *s, void *arg)
{
	return census_add(arg, &(struct counted){ .ifindex = ifindex, .s = *s });
}

static int census_session(const struct kobj_session *s, void *arg)
{
	const struct kobj_stats *t = &s->stats;

	return census_add(arg, &(struct counted){ 0, s->tunnel_id, s->session_id, {
		.rx_packets = t->rx_packets, .rx_octets = t->rx_octets, .rx_errors = t->rx_errors,
		.tx_packets = t->tx_packets, .tx_octets = t->tx_octets, .tx_errors = t->tx_errors } });
}

static void census_run(struct job *j, struct nl *nl)
{
	struct census *c = (struct census *)j;
	struct kobj_session session;
	struct k_stats s;

	if (c->all) {
		c->result = rtnl_stats_dump(nl, census_link, c);
		if (c->away && !c->result)
			c->result = kobj_sessions(nl, census_session, c);
	} else if (c->away) {
		c->result = kobj_session_get(nl, c->one.tunnel_id, c->one.wire_id, &session);
		if (!c->result)
			c->result = census_session(&session, c);
	} else if (!(c->result = rtnl_stats(nl, c->one.ifindex, &s))) {
		c->result = census_link(c->one.ifindex, &s, c);
	}
}

static void census_done(struct job *j, void *arg)
{
	struct census *c = (struct census *)j;
	struct keeper *k = arg;
	struct k_reply r = { 0 };

	for (unsigned i = 0; i < c->n && !c->result; i++) {
		const struct counted *it = &c->c[i];
		const struct session *s = it->ifindex ? table_by_link(k->table, it->ifindex)
						      : table_on_wire(k->table, it->tunnel_id, it->wire_id);

		if (!s || s->in.away == !!it->ifindex)
			continue;
		if (r.stats.n == K_STATS_BATCH) {
			r.more = 1;
			answer(k, &c->from, &r, NULL, 0);
			r.more = 0;
			r.stats.n = 0;
		}
		c->c[i].s.tunnel_id = s->tunnel_id;
		c->c[i].s.session_id = s->id;
		r.stats.s[r.stats.n++] = c->c[i].s;
	}
	if (c->result)
		answer_result(k, &c->from, c->result, "the kernel does not tell its counters");
	else
		answer(k, &c->from, &r, NULL, 0);
	free(c->c);
	free(c);
}

void query_stats(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct session *s = r->session_id ? ops_session(k, from, r) : NULL;
	struct census *c;

	if (r->session_id && !s)
		return;
	if (s && !s->in.ifindex && !s->in.away) {
		answer_result(k, from, -ENODEV, "the session has no link");
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		answer_result(k, from, -ENOMEM, "no memory");
		return;
	}
	c->job.run = census_run;
	c->job.done = census_done;
	c->from = *from;
	c->all = !s;
	if (s) {
		c->one = (struct counted){ .ifindex = s->in.ifindex, .tunnel_id = s->tunnel_id, .wire_id = s->wire_id };
		c->away = s->in.away;
	}
	for (unsigned id = 1; id < 65536 && c->all && !c->away; id++)
		c->away = table_session(k->table, id) && table_session(k->table, id)->in.away;
	workers_run(k->workers, &c->job);
}

/* What was kept out */

void query_kept_out(struct keeper *k, const struct origin *from)
{
	struct gate_counts c;
	struct k_reply r;
	int err = gate_count(&k->gate, &c);

	if (err) {
		answer_result(k, from, err, "nf_tables: the counters cannot be read");
		return;
	}
	k_reply_init(&r);
	r.kept_out.on = c.on;
	r.kept_out.foreign = c.foreign;
	r.kept_out.plain_in = c.plain_in;
	r.kept_out.plain_out = c.plain_out;
	answer(k, from, &r, NULL, 0);
}

/* What there is */

enum { LIST_LISTENERS, LIST_TUNNELS, LIST_SESSIONS, LIST_END };

void query_list(struct keeper *k, const struct origin *from)
{
	if (k->listing) {
		answer_result(k, from, -EBUSY, "one K_LIST at a time");
		return;
	}
	k->listing = true;
	k->list.from = *from;
	k->list.phase = LIST_LISTENERS;
	k->list.at = 0;
}

static void list_one(struct keeper *k, const struct k_request *was, const struct installed *in, const int *fds, unsigned n)
{
	struct k_reply r;

	k_reply_init(&r);
	r.more = 1;
	r.list.kind = was->op;
	memcpy(&r.list.was, was, k_request_size(was, sizeof(*was)));
	r.list.ifindex = in ? in->ifindex : 0;
	r.list.unit = in ? in->unit : 0;
	memset(r.list.name, 0, sizeof(r.list.name));
	if (in)
		memcpy(r.list.name, in->name, sizeof(in->name));
	r.tunnel_id = was->tunnel_id;
	r.session_id = was->session_id;
	answer(k, &k->list.from, &r, fds, n);
}

/* What has gone behind our back was told to a client that may not live any more. */
static void list_end(struct keeper *k)
{
	struct k_reply r = { 0 };

	k->listing = false;
	answer(k, &k->list.from, &r, NULL, 0);
	for (unsigned id = 1; id < 65536; id++) {
		const struct tunnel *t = table_tunnel(k->table, id);
		const struct session *s = table_session(k->table, id);

		if (t && t->gone && t->state == OBJECT_UP)
			tell_event(k, K_TUNNEL_GONE, t->id, 0);
		if (s && s->state != OBJECT_GOING && (s->gone || (s->state == OBJECT_UP && !s->in.ifindex && !s->in.away)))
			tell_event(k, s->gone ? K_SESSION_GONE : K_LINK_GONE, s->tunnel_id, s->id);
		else if (s && s->state != OBJECT_GOING && s->link_down)
			tell_event(k, K_LINK_DOWN, s->tunnel_id, s->id);
	}
}

/* Waits for requests of clients before: what they ordered is to be seen, and nothing half-way. */
void query_list_more(struct keeper *k)
{
	int fds[2];

	if (!k->listing || k->n_old)
		return;
	for (; k->listing && k->list.phase < LIST_END && !k->n_out; k->list.at++) {
		if (k->list.phase == LIST_LISTENERS) {
			if (k->list.at < k->n_listeners) {
				const struct listener *l = &k->listener[k->list.at];
				struct k_request was = { .op = K_LISTEN, .listen.local = l->local };

				if (!l->parked) {
					unsigned n = listener_fds(l, fds);

					list_one(k, &was, NULL, fds, n);
				}
				continue;
			}
		} else if (k->list.at < 65536) {
			const struct tunnel *t = table_tunnel(k->table, k->list.at);
			const struct session *s = table_session(k->table, k->list.at);
			bool tunnels = k->list.phase == LIST_TUNNELS;

			if (tunnels && t && t->state == OBJECT_UP)
				list_one(k, t->was, NULL, &t->fd, 1);
			else if (!tunnels && s && (s->state == OBJECT_UP || s->state == OBJECT_CHANGING))
				list_one(k, s->was, &s->in, (int[]){ s->in.channel, s->in.unit_fd }, s->in.channel < 0 ? 0 : 2);
			continue;
		}
		k->list.phase++;
		k->list.at = (uint32_t)-1;
	}
	if (k->listing && k->list.phase == LIST_END)
		list_end(k);
}
