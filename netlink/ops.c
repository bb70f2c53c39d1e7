/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests on tunnels and sessions.  Each object does one thing at a time; what comes meanwhile waits its turn, so an
 * order given early is neither lost nor carried out on something half-built. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alias.h"
#include "journal.h"
#include "rtnl.h"
#include "server.h"
#include "udp.h"
#include "wire.h"

/* UNLINK_BATCH: about 0.3 s of RTNL (KERNEL.md 5.9 d); a second batch has it while the first waits for the links to be let go. */
enum { UNLINK_BATCH = 256, UNLINKS = 2, ETH_BATCH = 16, ETHS = 2 };

/* One errand of a worker thread: filled before, read after, touched by nobody else in between. */
struct errand {
	struct job job;
	struct errand *next;		/* Ethernet: waiting for the next batch */
	struct origin from;
	struct k_request *request;	/* own copy */
	struct tunnel_ends ends;
	struct pins *pins;
	struct installed in;
	uint32_t old_ip, old_peer_ip;	/* K_LINK_SET: what the link had */
	uint16_t tunnel_id, session_id;
	struct aliases *aliases;
	struct alias alias;		/* port 0: none */
	struct gate *gate;
	struct gate_tunnel gated;
	int fd, result;
	bool gone;
	char why[WHY_SIZE];
};

static struct errand *errand_new(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct errand *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	if (r && !(e->request = request_copy(r))) {
		free(e);
		return NULL;
	}
	if (from)
		e->from = *from;
	e->pins = &k->pins;
	e->aliases = k->aliases;
	e->gate = &k->gate;
	e->fd = -1;
	return e;
}

static void errand_free(struct errand *e)
{
	free(e->request);
	free(e);
}

static struct tunnel_ends ends_of(const struct keeper *k, const struct tunnel *t)
{
	return (struct tunnel_ends){ t->was->tunnel.peer, t->was->tunnel.peer_tunnel_id, t->was->tunnel.mark,
				     journal_instance(k->journal) };
}

/* Waiting */

static void wait_for(struct keeper *k, struct waiting **list, const struct origin *from, const struct k_request *r)
{
	struct waiting **at = list, *w;
	unsigned n = 0;

	for (; *at; at = &(*at)->next)
		n++;
	/* A tunnel that is being set up may have all its sessions waiting already. */
	w = n < (r->op == K_SESSION_UP || r->op == K_ETH_UP ? 65535u : MAX_WAITING) ? calloc(1, sizeof(*w)) : NULL;
	if (w && !(w->request = request_copy(r))) {
		free(w);
		w = NULL;
	}
	if (!w) {
		answer_result(k, from, -EBUSY, "too many requests wait for this one object");
		return;
	}
	w->from = *from;
	*at = w;
}

static void resume_all(struct keeper *k, struct waiting *list)
{
	while (list) {
		struct waiting *w = list;

		list = w->next;
		ops_handle(k, &w->from, w->request);
		free(w->request);
		free(w);
	}
}

static struct origin *origin_keep(const struct origin *from)
{
	struct origin *o = malloc(sizeof(*o));

	if (o)
		*o = *from;
	return o;
}

static void answer_kept(struct keeper *k, struct origin **from)
{
	if (*from)
		answer_result(k, *from, 0, "");
	free(*from);
	*from = NULL;
}

/* Tunnels down */

static void tunnel_down_run(struct job *j, struct nl *nl)
{
	struct errand *e = (struct errand *)j;

	e->result = remove_tunnel(nl, e->tunnel_id, e->fd, e->gone) ? 0 : -EBUSY;
	if (e->alias.port)
		alias_del(e->aliases, e->tunnel_id);
	gate_del(e->gate, &e->gated);
}

/* left: the kernel still has it, and it stays in the journal; the audit comes back to it. */
static void tunnel_free(struct keeper *k, struct tunnel *t, bool left)
{
	struct waiting *wait = t->wait;
	struct origin *down = t->down;
	struct k_addr local = t->was->tunnel.local;

	if (left)
		say(k, "tunnel %u: the kernel does not let it go yet", t->id);
	else
		journal_forget(k->journal, t->slot);
	table_del_tunnel(k->table, t);
	k->stop.tunnels++;
	answer_kept(k, &down);
	listen_tunnel_gone(k, &local);
	resume_all(k, wait);
}

static void tunnel_down_done(struct job *j, void *arg)
{
	struct errand *e = (struct errand *)j;
	struct keeper *k = arg;

	tunnel_free(k, table_tunnel(k->table, e->tunnel_id), e->result);
	errand_free(e);
}

/* When the last session is gone, the tunnel follows. */
static void tunnel_follow(struct keeper *k, struct tunnel *t)
{
	struct errand *e;

	if (t->state != OBJECT_GOING || t->n_sessions)
		return;
	e = errand_new(k, NULL, NULL);
	if (!e) {	/* no memory: then here and now */
		bool left = !remove_tunnel(&k->nl, t->id, t->fd, t->gone);

		struct gate_tunnel gated = gate_tunnel_of(t);

		if (t->alias)
			alias_del(k->aliases, t->id);
		gate_del(&k->gate, &gated);
		tunnel_free(k, t, left);
		return;
	}
	e->job.run = tunnel_down_run;
	e->job.done = tunnel_down_done;
	e->tunnel_id = t->id;
	e->fd = t->fd;
	e->gone = t->gone;
	e->alias.port = t->alias;
	e->gated = gate_tunnel_of(t);
	workers_run(k->workers, &e->job);
}

/* Sessions down: links in batches, then the descriptors in parallel */

static void session_close_run(struct job *j, struct nl *nl)
{
	struct errand *e = (struct errand *)j;

	remove_session(nl, &e->in, &e->ends, e->pins);
}

static void session_free(struct keeper *k, struct session *s)
{
	struct tunnel *t = table_tunnel(k->table, s->tunnel_id);
	struct waiting *wait = s->wait;
	struct origin *down = s->down;

	table_del_session(k->table, s);
	k->stop.sessions++;
	answer_kept(k, &down);
	resume_all(k, wait);
	tunnel_follow(k, t);
}

static void session_close_done(struct job *j, void *arg)
{
	struct errand *e = (struct errand *)j;
	struct keeper *k = arg;

	session_free(k, table_session(k->table, e->session_id));
	errand_free(e);
}

static void session_close(struct keeper *k, struct session *s)
{
	struct tunnel *t = table_tunnel(k->table, s->tunnel_id);
	struct errand *e = errand_new(k, NULL, NULL);
	struct tunnel_ends ends = ends_of(k, t);

	table_set_link(k->table, s, 0);
	if (!e) {
		remove_session(&k->nl, &s->in, &ends, &k->pins);
		session_free(k, s);
		return;
	}
	e->job.run = session_close_run;
	e->job.done = session_close_done;
	e->session_id = s->id;
	e->in = s->in;
	e->ends = ends;
	workers_run(k->workers, &e->job);
}

struct unlink_batch { struct job job; uint32_t group; unsigned n; struct { uint32_t ifindex; uint16_t id; } s[UNLINK_BATCH]; };

static void unlink_run(struct job *j, struct nl *nl)
{
	struct unlink_batch *b = (struct unlink_batch *)j;
	uint32_t ifindex[UNLINK_BATCH];
	unsigned n = 0;

	for (unsigned i = 0; i < b->n; i++)
		if (b->s[i].ifindex)
			ifindex[n++] = b->s[i].ifindex;
	remove_links(nl, ifindex, n, b->group);
}

static void unlink_done(struct job *j, void *arg)
{
	struct unlink_batch *b = (struct unlink_batch *)j;
	struct keeper *k = arg;

	k->unlinking--;
	for (unsigned i = 0; i < b->n; i++)
		session_close(k, table_session(k->table, b->s[i].id));
	free(b);
}

static struct session *unlink_take(struct keeper *k)
{
	struct session *s = k->unlink_first;

	if (s) {
		k->unlink_first = s->next_unlink;
		if (!k->unlink_first)
			k->unlink_last = &k->unlink_first;
	}
	return s;
}

static void unlink_kick(struct keeper *k)
{
	struct unlink_batch *b;
	struct session *s;

	if (k->unlinking == UNLINKS || !k->unlink_first)
		return;
	b = calloc(1, sizeof(*b));
	if (!b) {	/* closing the unit's descriptor removes the link as well, only more slowly */
		session_close(k, unlink_take(k));
		return;
	}
	b->job.run = unlink_run;
	b->job.done = unlink_done;
	b->group = k->group++;
	while (b->n < UNLINK_BATCH && (s = unlink_take(k))) {
		b->s[b->n].ifindex = s->in.eth_session ? 0 : s->in.ifindex;	/* it goes with its session */
		b->s[b->n++].id = s->id;
	}
	k->unlinking++;
	k->stop.links += b->n;
	k->stop.batches++;
	workers_run(k->workers, &b->job);
}

static void session_start_down(struct keeper *k, struct session *s, const struct origin *from)
{
	s->state = OBJECT_GOING;
	s->down = from ? origin_keep(from) : NULL;
	if (from && !s->down)
		answer_result(k, from, -ENOMEM, "");
	s->next_unlink = NULL;
	*k->unlink_last = s;
	k->unlink_last = &s->next_unlink;
}

/* The session is idle: what is next for it? */
static void session_settle(struct keeper *k, struct session *s)
{
	uint16_t id = s->id;

	s->state = OBJECT_UP;
	if (s->doomed)
		session_start_down(k, s, NULL);
	while ((s = table_session(k->table, id)) && s->state == OBJECT_UP && s->wait) {
		struct waiting *w = s->wait;

		s->wait = w->next;
		ops_handle(k, &w->from, w->request);
		free(w->request);
		free(w);
	}
}

static void tunnel_start_down(struct keeper *k, struct tunnel *t, const struct origin *from)
{
	struct session *s;

	t->state = OBJECT_GOING;
	t->down = from ? origin_keep(from) : NULL;
	if (from && !t->down)
		answer_result(k, from, -ENOMEM, "");
	for (uint16_t id = t->first_session; id; id = s->next) {
		s = table_session(k->table, id);
		s->doomed = true;
		if (s->state == OBJECT_UP)
			session_start_down(k, s, NULL);
	}
	tunnel_follow(k, t);
}

void ops_take_all_down(struct keeper *k)
{
	for (unsigned id = 1; id < 65536; id++) {
		struct tunnel *t = table_tunnel(k->table, id);

		if (t && t->state == OBJECT_UP)
			tunnel_start_down(k, t, NULL);
	}
}

/* Tunnels up */

static void tunnel_up_run(struct job *j, struct nl *nl)
{
	struct errand *e = (struct errand *)j;

	e->result = raise_tunnel(nl, e->request, e->aliases, &e->alias, e->gate, &e->gated, &e->fd, e->why);
}

static void tunnel_up_done(struct job *j, void *arg)
{
	struct errand *e = (struct errand *)j;
	struct keeper *k = arg;
	struct tunnel *t = table_tunnel(k->table, e->tunnel_id);
	struct k_reply r;
	struct waiting *wait = t->wait;

	k_reply_init(&r);
	t->wait = NULL;
	if (e->result) {
		journal_forget(k->journal, t->slot);
		table_del_tunnel(k->table, t);
		say(k, "tunnel %u: %s", e->tunnel_id, e->why);
		answer_result(k, &e->from, e->result, e->why);
	} else {
		t->fd = e->fd;
		t->state = OBJECT_UP;
		answer(k, &e->from, &r, &e->fd, 1);
		if (k->stopping)	/* what came before the order */
			tunnel_start_down(k, t, NULL);
	}
	resume_all(k, wait);
	errand_free(e);
}

static struct k_addr kernels_peer(const struct k_request *r, uint16_t alias)
{
	struct k_addr a = r->tunnel.peer;

	a.port = alias ? alias : a.port;
	return a;
}

static void tunnel_up(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct tunnel *t = table_tunnel(k->table, r->tunnel_id);
	struct errand *e;
	int alias;

	if (t && t->state == OBJECT_GOING) {
		wait_for(k, &t->wait, from, r);
		return;
	}
	if (t) {
		answer_result(k, from, -EEXIST, "the keeper has a tunnel with this id");
		return;
	}
	alias = alias_choose(k->aliases, k->table, r);
	if (alias < 0) {
		answer_result(k, from, alias, "too many tunnels from this address and port (kernel 6.11 has no limit)");
		return;
	}
	e = errand_new(k, from, r);
	t = e ? table_add_tunnel(k->table, r) : NULL;
	if (!t) {
		if (e)
			errand_free(e);
		answer_result(k, from, -ENOMEM, "no memory");
		return;
	}
	e->job.run = tunnel_up_run;
	e->job.done = tunnel_up_done;
	e->tunnel_id = r->tunnel_id;
	t->alias = (uint16_t)alias;
	t->slot = journal_note(k->journal, &(struct made){
		.kind = MADE_TUNNEL, .tunnel_id = t->id, .peer_tunnel_id = r->tunnel.peer_tunnel_id,
		.local = r->tunnel.local, .peer = kernels_peer(r, t->alias) });
	e->alias = (struct alias){ r->tunnel.local, r->tunnel.peer, t->alias, t->id };
	e->gated = gate_tunnel_of(t);
	workers_run(k->workers, &e->job);
}

static void tunnel_down(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct tunnel *t = table_tunnel(k->table, r->tunnel_id);

	if (!t)
		answer_result(k, from, -ENOENT, "no such tunnel");
	else if (t->state == OBJECT_UP)
		tunnel_start_down(k, t, from);
	else
		wait_for(k, &t->wait, from, r);
}

/* Sessions up */

static void session_up_run(struct job *j, struct nl *nl)
{
	struct errand *e = (struct errand *)j;

	e->result = install_session(nl, e->request, &e->ends, e->pins, &e->in, e->why);
}

void ops_link_gone(struct keeper *k, struct session *s)
{
	table_set_link(k->table, s, 0);
	say(k, "session %u of tunnel %u: its link %s vanished", s->id, s->tunnel_id, s->in.name);
	tell_event(k, K_LINK_GONE, s->tunnel_id, s->id);
}

static void session_up_done(struct job *j, void *arg)
{
	struct errand *e = (struct errand *)j;
	struct keeper *k = arg;
	struct session *s = table_session(k->table, e->session_id);
	struct tunnel *t = table_tunnel(k->table, s->tunnel_id);
	struct k_reply r;

	k_reply_init(&r);
	if (e->result) {
		struct waiting *wait = s->wait;

		table_del_session(k->table, s);
		say(k, "session %u of tunnel %u: %s", e->session_id, t->id, e->why);
		answer_result(k, &e->from, e->result, e->why);
		resume_all(k, wait);
		tunnel_follow(k, t);
	} else {
		uint32_t ifindex = e->in.ifindex;

		s->in = e->in;
		s->in.ifindex = 0;
		table_set_link(k->table, s, ifindex);
		memcpy(r.session.name, s->in.name, sizeof(r.session.name));
		r.session.ifindex = ifindex;
		r.session.unit = s->in.unit;
		r.session.mtu = s->in.mtu;
		answer(k, &e->from, &r, (int[]){ s->in.channel, s->in.unit_fd }, s->in.channel < 0 ? 0 : 2);
		if (watch_was_lost(k, ifindex))
			ops_link_gone(k, s);
		session_settle(k, s);
	}
	errand_free(e);
}

/* An Ethernet session waits for no grace period, only for locks that all of them need: many threads would but take turns.  So
 * there is one batch at work, and one that begins when that ends, before the main thread has heard of it. */
struct eth_batch { struct job job; pthread_mutex_t *turn; unsigned n; struct errand *e[ETH_BATCH]; };

static void eth_run(struct job *j, struct nl *nl)
{
	struct eth_batch *b = (struct eth_batch *)j;

	pthread_mutex_lock(b->turn);
	for (unsigned i = 0; i < b->n; i++)
		session_up_run(&b->e[i]->job, nl);
	pthread_mutex_unlock(b->turn);
}

static void eth_done(struct job *j, void *arg)
{
	struct eth_batch *b = (struct eth_batch *)j;
	struct keeper *k = arg;

	k->eths--;
	for (unsigned i = 0; i < b->n; i++)
		session_up_done(&b->e[i]->job, k);
	free(b);
}

static struct errand *eth_take(struct keeper *k)
{
	struct errand *e = k->eth_first;

	if (e) {
		k->eth_first = e->next;
		if (!k->eth_first)
			k->eth_last = &k->eth_first;
	}
	return e;
}

static void eth_kick(struct keeper *k)
{
	struct eth_batch *b;
	struct errand *e;

	if (k->eths == ETHS || !k->eth_first)
		return;
	b = calloc(1, sizeof(*b));
	if (!b) {		/* no memory: by itself */
		workers_run(k->workers, &eth_take(k)->job);
		return;
	}
	b->job.run = eth_run;
	b->job.done = eth_done;
	while (b->n < ETH_BATCH && (e = eth_take(k)))
		b->e[b->n++] = e;
	b->turn = &k->eth_turn;
	k->eths++;
	workers_run(k->workers, &b->job);
}

void ops_kick(struct keeper *k)
{
	unlink_kick(k);
	eth_kick(k);
}

static void session_up(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct tunnel *t = table_tunnel(k->table, r->tunnel_id);
	struct session *s = table_session(k->table, r->session_id);
	struct errand *e;
	bool v3;

	if (s && s->state == OBJECT_GOING && s->tunnel_id == r->tunnel_id && !s->doomed) {
		wait_for(k, &s->wait, from, r);
		return;
	}
	if (s) {
		answer_result(k, from, -EEXIST, "the keeper has a session with this id");
		return;
	}
	if (!t || t->state == OBJECT_GOING || t->gone) {
		answer_result(k, from, -ENOENT, !t ? "no such tunnel" : "the tunnel is going down");
		return;
	}
	v3 = r->op == K_ETH_UP || r->session.wire.session_id;
	if (t->was->tunnel.v3 != v3) {
		answer_result(k, from, -EPROTOTYPE, v3 ? "the tunnel is L2TPv2's" : "the tunnel is L2TPv3's");
		return;
	}
	if (t->state == OBJECT_COMING) {
		wait_for(k, &t->wait, from, r);
		return;
	}
	/* In one tunnel it would be anybody's; sockets of their own may share it (the kernel looks up both). */
	if (v3 && table_on_wire(k->table, t->id, r->op == K_ETH_UP ? r->eth.wire.session_id : r->session.wire.session_id)) {
		answer_result(k, from, -EEXIST, "the tunnel has a session with this id on the wire");
		return;
	}
	e = errand_new(k, from, r);
	if (!e || !table_add_session(k->table, r)) {
		if (e)
			errand_free(e);
		answer_result(k, from, -ENOMEM, "no memory");
		return;
	}
	e->job.run = session_up_run;
	e->job.done = session_up_done;
	e->session_id = r->session_id;
	e->ends = ends_of(k, t);
	if (r->op == K_ETH_UP) {
		*k->eth_last = e;
		k->eth_last = &e->next;
	} else {
		workers_run(k->workers, &e->job);
	}
}

struct session *ops_session(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct session *s = table_session(k->table, r->session_id);

	if (s && (!r->tunnel_id || s->tunnel_id == r->tunnel_id))
		return s;
	answer_result(k, from, -ENOENT, s ? "the session is of another tunnel" : "no such session");
	return NULL;
}

static void session_down(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct session *s = ops_session(k, from, r);

	if (!s)
		return;
	if (s->state == OBJECT_UP)
		session_start_down(k, s, from);
	else
		wait_for(k, &s->wait, from, r);
}

/* Links of sessions that are up */

static void link_set_run(struct job *j, struct nl *nl)
{
	struct errand *e = (struct errand *)j;

	const struct k_link *l = &e->request->link;

	if (l->ip && e->old_ip && (l->ip != e->old_ip || l->peer_ip != e->old_peer_ip))
		(void)rtnl_address4_del(nl, e->in.ifindex, e->old_ip, e->old_peer_ip);	/* gone is as good */
	e->result = change_link(nl, &e->request->link, &e->ends, e->pins, &e->in, e->why);
}

static void link_set_done(struct job *j, void *arg)
{
	struct errand *e = (struct errand *)j;
	struct keeper *k = arg;
	struct session *s = table_session(k->table, e->session_id);

	s->in.mtu = e->in.mtu;
	s->in.pinned = e->in.pinned;
	if (!e->result)
		e->result = table_merge_link(s, &e->request->link);
	if (e->result)
		say(k, "session %u of tunnel %u: %s", s->id, s->tunnel_id, e->why);
	answer_result(k, &e->from, e->result, e->why);
	session_settle(k, s);
	errand_free(e);
}

static void link_set(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct session *s = ops_session(k, from, r);
	struct errand *e;

	if (!s)
		return;
	if (!table_may_set(s, &r->link)) {
		answer_result(k, from, -EOPNOTSUPP, "an Ethernet session's link is its user's to configure");
		return;
	}
	if (s->state != OBJECT_UP) {
		if (s->state == OBJECT_GOING)
			answer_result(k, from, -ENOENT, "the session is going down");
		else
			wait_for(k, &s->wait, from, r);
		return;
	}
	if (!s->in.ifindex) {			/* away: it cannot be configured from here */
		answer_result(k, from, s->in.away ? 0 : -ENODEV, "the session's link vanished");
		return;
	}
	if (table_routes(s, &r->link) > K_MAX_ROUTES) {
		answer_result(k, from, -ENOSPC, "too many routes for one session");
		return;
	}
	e = errand_new(k, from, r);
	if (!e) {
		answer_result(k, from, -ENOMEM, "no memory");
		return;
	}
	s->state = OBJECT_CHANGING;
	e->job.run = link_set_run;
	e->job.done = link_set_done;
	e->session_id = s->id;
	e->in = s->in;
	if (s->was->op != K_ETH_UP) {
		e->old_ip = s->was->session.link.ip;
		e->old_peer_ip = s->was->session.link.peer_ip;
	}
	e->ends = ends_of(k, table_tunnel(k->table, s->tunnel_id));
	workers_run(k->workers, &e->job);
}

static void tunnel_mark(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct tunnel *t = table_tunnel(k->table, r->tunnel_id);

	if (t && t->state == OBJECT_COMING)
		wait_for(k, &t->wait, from, r);
	else
		sa_mark(k, from, r);
}

/* Nothing new comes up; while ktund ends its calls, their hooks still run. */
static bool refuses(const struct keeper *k, uint32_t op)
{
	bool down = op == K_TUNNEL_DOWN || op == K_SESSION_DOWN || op == K_UNLISTEN || op == K_SA_DROP || op == K_STOP;
	bool look = op == K_LIST || op == K_STATS;

	return k->stop.from && !down && !look && (k->stopping || op != K_HOOK);
}

void ops_handle(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	if (refuses(k, r->op)) {
		answer_result(k, from, -ESHUTDOWN, "the keeper is stopping");
		return;
	}
	switch ((enum k_op)r->op) {
	case K_LISTEN:
		listen_on(k, from, r);
		break;
	case K_UNLISTEN:
		listen_no_more(k, from, r);
		break;
	case K_TUNNEL_UP:
		tunnel_up(k, from, r);
		break;
	case K_TUNNEL_DOWN:
		tunnel_down(k, from, r);
		break;
	case K_SESSION_UP: case K_ETH_UP:
		session_up(k, from, r);
		break;
	case K_SESSION_DOWN:
		session_down(k, from, r);
		break;
	case K_LINK_SET:
		link_set(k, from, r);
		break;
	case K_STATS:
		query_stats(k, from, r);
		break;
	case K_LIST:
		query_list(k, from);
		break;
	case K_HOOK:
		hook_request(k, from, r);
		break;
	case K_OPEN:
		hook_open(k, from, r);
		break;
	case K_GUARD:
		guard_request(k, from, r);
		break;
	case K_MARKED:
		sa_socket(k, from, r);
		break;
	case K_CHARON:
		guard_charon(k, from);
		break;
	case K_TUNNEL_MARK:
		tunnel_mark(k, from, r);
		break;
	case K_SA_DROP:
		sa_drop(k, from, r);
		break;
	case K_KEPT_OUT:
		query_kept_out(k, from);
		break;
	case K_STOP:
		stop_begin(k, from);
		break;
	case K_HELLO: case K_EVENT:
		answer_result(k, from, -EPROTO, "out of place");
		break;
	}
}
