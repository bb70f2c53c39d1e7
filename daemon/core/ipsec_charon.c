/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipsec_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/kernel.h"

enum { CHECK_MIN_MS = 250, CHECK_MAX_MS = 10000 };	/* between questions what charon has */

static const char *const events[] = { "child-updown", "child-rekey", "ike-update", "log", NULL };

void ipsec_close(struct ipsec *p)
{
	for (unsigned i = 0; i < VICI_LINKS; i++) {
		if (p->fd[i] >= 0)
			ev_io_stop(p->ctx->loop.ev, &p->tx[i]);
		io_close(&p->ctx->loop, &p->rx[i], &p->fd[i]);
		fxq_done(&p->pending[i]);
		p->sent[i] = 0;
	}
}

/* The socket */

static void writable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct ipsec *p = w->data;
	unsigned i = w == &p->tx[VICI_EVENTS] ? VICI_EVENTS : VICI_COMMANDS;

	(void)revents;
	while (p->pending[i].head) {
		struct fx *f = p->pending[i].head;
		size_t head = sizeof(struct vici_fx_tx);
		ssize_t n = send(p->fd[i], f->data + head + p->sent[i], f->len - head - p->sent[i], MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			ev_io_start(ev, w);
			return;
		}
		if (n < 0) {
			vici_lost(&p->v, p->ctx->loop.now, strerror(errno));
			ipsec_pump(p);
			return;
		}
		p->sent[i] += (size_t)n;
		if (p->sent[i] < f->len - head)
			continue;
		p->sent[i] = 0;
		fx_free(fx_pop(&p->pending[i]));
	}
	ev_io_stop(ev, w);
}

static void readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct ipsec *p = w->data;
	unsigned i = w == &p->rx[VICI_EVENTS] ? VICI_EVENTS : VICI_COMMANDS;
	ssize_t n = recv(p->fd[i], p->buf, sizeof(p->buf), MSG_DONTWAIT);

	(void)ev;
	(void)revents;
	if (n > 0)
		vici_input(&p->v, p->ctx->loop.now, i, p->buf, (size_t)n);
	else if (!n || (errno != EAGAIN && errno != EINTR))
		vici_lost(&p->v, p->ctx->loop.now, n ? strerror(errno) : "it closed the connection");
	ipsec_pump(p);
	if (p->guard.stale && !p->asking)
		ipsec_refresh(p->ctx);
	else
		ipsec_step(p);
}

void ipsec_charon(struct ctx *ctx, const struct k_reply *r, int fds[K_MAX_FDS])
{
	struct ipsec *p = ctx->ipsec;

	if (r->result || p->fd[0] >= 0 || !p->started || p->v.state != VICI_OPENING) {
		for (unsigned i = 0; i < K_MAX_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		if (r->result && p->started && p->v.state == VICI_OPENING)
			vici_lost(&p->v, ctx->loop.now, r->why);
	} else {
		for (unsigned i = 0; i < VICI_LINKS; i++) {
			p->fd[i] = fds[i];
			io_start(&ctx->loop, &p->rx[i], fds[i], readable, p);
			ev_io_init(&p->tx[i], writable, fds[i], EV_WRITE);
			p->tx[i].data = p;
		}
		vici_connected(&p->v, ctx->loop.now, VICI_COMMANDS);
		vici_connected(&p->v, ctx->loop.now, VICI_EVENTS);
	}
	ipsec_pump(p);
}
/* Requests */

uint32_t ipsec_request(struct ipsec *p, const char *command, const char *stream, const char *key, const char *value)
{
	uint8_t buf[512];
	struct wr w = wr_init(buf, sizeof(buf));

	if (key)
		vici_key(&w, key, value);
	return w.bad ? 0 : vici_request(&p->v, p->ctx->loop.now, command, stream, (struct span){ buf, wr_len(&w) }, 0);
}

void ipsec_terminate(struct ipsec *p, const char *name, bool networks)
{
	uint8_t buf[256];
	struct wr w = wr_init(buf, sizeof(buf));

	vici_key(&w, "ike", name);
	if (networks)
		vici_key(&w, "child", IPSEC_SITE);
	vici_key(&w, "force", "yes");
	vici_key(&w, "timeout", "-1");
	if (!w.bad)
		(void)vici_request(&p->v, p->ctx->loop.now, "terminate", NULL, (struct span){ buf, wr_len(&w) }, 0);
}

void ipsec_list(struct ipsec *p, const char *name)
{
	for (struct sa *s = p->sas; s; s = s->next)
		s->seen = name && strcmp(s->conn, name);
	p->list_id = ipsec_request(p, "list-sas", "list-sa", NULL, NULL);
	p->unlisted = !p->list_id;
	p->n_gone = 0;
}

void ipsec_initiate(struct ipsec *p, struct conn *c)
{
	char child[IPSEC_NAME];
	uint8_t buf[256];
	struct wr w = wr_init(buf, sizeof(buf));

	vici_key(&w, "ike", c->name);
	vici_key(&w, "child", ipsec_child(child, c->port));
	vici_key(&w, "timeout", "-1");			/* events tell */
	c->ike_up = false;
	c->initiate = w.bad ? 0 : vici_request(&p->v, p->ctx->loop.now, "initiate", NULL, (struct span){ buf, wr_len(&w) }, 0);
	c->initiated = c->initiate;
}

void ipsec_unload_secret(struct ipsec *p, struct conn *c)
{
	bool alone = true;

	for (const struct conn *o = p->conns; o && c->pubkey; o = o->hh.next)
		alone &= o == c || strcmp(o->key_id, c->key_id);
	if (!c->pubkey)
		(void)ipsec_request(p, "unload-shared", NULL, "id", c->name);
	else if (c->key_id[0] && alone)
		(void)ipsec_request(p, "unload-key", NULL, "id", c->key_id);
	c->key_id[0] = '\0';
}

void ipsec_unload(struct ipsec *p, struct conn *c, bool networks)
{
	ipsec_terminate(p, c->name, networks);
	(void)ipsec_request(p, "unload-conn", NULL, "name", c->name);
	ipsec_unload_secret(p, c);
}

/* Dialled, as soon as its name is resolved: an SA of an earlier ktund waits for that. */
static bool will_be_ours(const struct ctx *ctx, const char *name)
{
	char mine[IPSEC_NAME];

	for (const struct dial *d = ctx->dials; d; d = d->next)
		if (d->resolving && is_site(&d->as->ipsec) && !strcmp(ipsec_name(mine, true, d->as->name), name))
			return true;
	return false;
}

/* Answers of get-conns { conns [ ... ] } and get-shared { keys [ ... ] }: what is ours and not wanted goes. */
static void tidy(struct ipsec *p, struct span list, bool shared)
{
	struct rd r = rd_init(list.p, list.n);
	struct vici_item it;
	char name[IPSEC_NAME];

	while (vici_next(&r, &it)) {
		const struct conn *c;

		if (!ipsec_is_ours(it.value) || it.value.n >= sizeof(name))
			continue;
		c = ipsec_conn_find(p, vici_text(it.value, name, sizeof(name)));
		if ((c && !(shared && c->pubkey)) || will_be_ours(p->ctx, name))
			continue;
		if (shared) {
			(void)ipsec_request(p, "unload-shared", NULL, "id", name);
		} else {
			ipsec_terminate(p, name, false);
			(void)ipsec_request(p, "unload-conn", NULL, "name", name);
		}
	}
}

static const char *const check_command[CHECKS] = { "get-conns", "get-shared", "get-keys" };

/* Who starts charon has it unload what is not in his files, as a rule, within seconds; who does so later does it in steps, too. */
static void check_soon(struct ipsec *p)
{
	p->disturbed_at = p->ctx->loop.now;
	p->check_at = p->disturbed_at + CHECK_MIN_MS;
}

static void check(struct ipsec *p)
{
	ms_t wait = (p->ctx->loop.now - p->disturbed_at) / 4;

	p->check_at = p->ctx->loop.now + (wait < CHECK_MIN_MS ? CHECK_MIN_MS : ms_min(wait, CHECK_MAX_MS));
	if (p->unlisted && !p->list_id)
		ipsec_list(p, NULL);
	for (unsigned i = 0; i < CHECKS; i++)
		if (!p->check_id[i])
			p->check_id[i] = ipsec_request(p, check_command[i], NULL, NULL, NULL);
}

/* charon logs that of secrets and keys; of connections, which come next, it says nothing. */
static void heed_unloading(struct ipsec *p, struct span msg)
{
	static const char *const says[] = { "unloaded shared key with id '" IPSEC_PREFIX, "unloaded private key with id " };
	struct span line = vici_get(msg, "msg");

	if (vici_get(msg, "ikesa-name").n)
		return;				/* then it may have a peer's words in it */
	for (unsigned i = 0; i < sizeof(says) / sizeof(says[0]); i++)
		if (line.n > strlen(says[i]) && !memcmp(line.p, says[i], strlen(says[i]))) {
			check_soon(p);
			check(p);
		}
}

/* `swanctl --load-all` unloads whatever its files have not; --load-creds does so with secrets and keys alone. */
static void check_loaded(struct ipsec *p, unsigned what, struct span list)
{
	struct rd r = rd_init(list.p, list.n);
	char name[IPSEC_NAME], more[32] = "";
	const struct conn *first = NULL;
	struct vici_item it;
	unsigned n = 0;

	for (struct conn *c = p->conns; c; c = c->hh.next)
		c->there = !c->part[what == CHECK_CONNS ? PART_CONN : PART_SECRET].loaded ||
			   (what == CHECK_SHARED && c->pubkey) || (what == CHECK_KEYS && !c->pubkey);
	while (vici_next(&r, &it)) {
		struct conn *c = ipsec_conn_find(p, vici_text(it.value, name, sizeof(name)));

		if (c)
			c->there = true;
		for (c = p->conns; c && what == CHECK_KEYS; c = c->hh.next)
			c->there |= vici_is(it.value, c->key_id);
	}
	for (struct conn *c = p->conns; c; c = c->hh.next) {
		if (c->there)
			continue;
		for (unsigned i = 0; i < PARTS; i++)
			c->part[i].loaded &= i == PART_CONN && what != CHECK_CONNS;
		first = first ? first : c;
		n++;
	}
	if (!first)
		return;
	if (n > 1)
		snprintf(more, sizeof(more), ", and %u more", n - 1);
	log_limited(&p->ctx->log, &p->ctx->limit[T_CHARON], p->ctx->loop.now, LOG_NOTICE,
		    "%s: somebody unloaded %s from charon (swanctl --load-all?); loading it again%s", first->name,
		    what == CHECK_CONNS ? "it" : first->pubkey ? "its private key" : "its psk", more);
}

static void checked(struct ipsec *p, const struct vici_fx_msg *m, struct span body)
{
	for (unsigned i = 0; i < CHECKS; i++) {
		if (m->id != p->check_id[i])
			continue;
		p->check_id[i] = 0;
		if (m->status == VICI_OK)
			check_loaded(p, i, vici_get(body, i == CHECK_CONNS ? "conns" : "keys"));
		return;
	}
	if (!strcmp(m->name, "get-conns"))
		tidy(p, vici_get(body, "conns"), false);
	if (!strcmp(m->name, "get-shared"))
		tidy(p, vici_get(body, "keys"), true);
}

/* For people. */
static const char *refusal(const struct vici_fx_msg *m, struct span body, char *buf, size_t size)
{
	return m->status == VICI_UNKNOWN ? "it has no such command or event (too old, or a plugin is missing)" :
		vici_text(vici_get(body, "errmsg"), buf, size);
}

static void replied(struct ipsec *p, const struct vici_fx_msg *m, struct span body)
{
	struct ctx *ctx = p->ctx;
	char why[120];

	if (m->id == p->show.id)
		ipsec_show_done(p, m->status == VICI_OK);
	if (m->status == VICI_LOST)
		return;				/* VICI_FX_DOWN follows */
	if (m->id == p->list_id && m->status == VICI_OK) {
		ipsec_sas_listed(p);
	} else if (m->id == p->list_id) {		/* no word on which there are is not that there are none */
		p->list_id = 0;
		p->unlisted = true;
		log_limited(&ctx->log, &ctx->limit[T_CHARON], ctx->loop.now, LOG_WARNING,
			    "charon does not say which SAs it has: %s", refusal(m, body, why, sizeof(why)));
	}
	checked(p, m, body);
	for (struct conn *c = p->conns; c; c = c->hh.next) {
		unsigned i = 0;

		if (c->initiate && c->initiate == m->id) {
			c->initiate = 0;
			c->refused = m->status != VICI_OK;
			if (c->refused)
				snprintf(c->why, sizeof(c->why), "IPsec: charon does not dial: %s",
					 refusal(m, body, why, sizeof(why)));
		}
		while (i < PARTS && (!c->part[i].id || c->part[i].id != m->id))
			i++;
		if (i == PARTS)
			continue;
		c->part[i].id = 0;
		c->part[i].loaded = m->status == VICI_OK;
		if (i == PART_SECRET && c->pubkey)
			vici_text(vici_get(body, "id"), c->key_id, sizeof(c->key_id));
		if (m->status == VICI_OK)
			continue;
		c->refused = true;
		snprintf(c->why, sizeof(c->why), "charon refuses its %s: %s", i == PART_CONN ? "connection" :
			 i != PART_SECRET ? "certificates or crl" : c->pubkey ? "private key" : "psk",
			 refusal(m, body, why, sizeof(why)));
		log_line(&ctx->log, LOG_ERR, "%s: %s", c->name, c->why);
	}
}

bool conn_loaded(const struct conn *c)
{
	bool all = true;

	for (unsigned i = 0; i < PARTS; i++)
		all &= c->part[i].loaded || !c->part[i].msg;
	return all && c->part[PART_CONN].msg;
}

void ipsec_load(struct ipsec *p, struct conn *c)
{
	const char *secret = c->pubkey ? "load-key" : "load-shared";

	for (unsigned i = 0; i < PARTS && !c->refused; i++) {
		struct part *part = &c->part[i];

		if (p->v.n_queue >= VICI_QUEUE_MAX / 2)
			break;				/* others want to be heard, too; it goes on with the answers */
		if (part->msg && !part->loaded && !part->id)
			part->id = vici_request(&p->v, p->ctx->loop.now, i == PART_SECRET ? secret : i == PART_CONN ?
						"load-conn" : "load-cert", NULL, (struct span){ part->msg, part->len }, 0);
	}
}

static void ready(struct ipsec *p, struct span version)
{
	struct ctx *ctx = p->ctx;
	char text[64];

	log_limited(&ctx->log, &ctx->limit[T_CHARON], ctx->loop.now, LOG_NOTICE, "%s is there for IPsec",
		    vici_text(version, text, sizeof(text)));
	p->said[0] = '\0';
	for (struct conn *c = p->conns; c; c = c->hh.next) {
		for (unsigned i = 0; i < PARTS; i++) {
			c->part[i].loaded = false;
			c->part[i].id = 0;
		}
		c->initiated = c->ending = c->refused = false;
		c->initiate = 0;
		c->why[0] = '\0';
	}
	memset(p->check_id, 0, sizeof(p->check_id));
	check_soon(p);
	p->ready_at = (uint64_t)clock_wall();
	/* First of all: whatever it makes of ours from now on has numbers that those of its forerunner may have had.  Then it gets
	 * ready for those who lost their tunnel with that one, and come again as soon as they hear of it from us. */
	ipsec_list(p, NULL);
	for (struct conn *c = p->conns; c; c = c->hh.next)
		ipsec_load(p, c);
	(void)ipsec_request(p, "get-conns", NULL, NULL, NULL);
	(void)ipsec_request(p, "get-shared", NULL, NULL, NULL);
	if (!p->v.flaps)
		dials_hurry(ctx);
}

static void down(struct ipsec *p, struct span why)
{
	struct ctx *ctx = p->ctx;
	char text[120];

	vici_text(why, text, sizeof(text));
	if (strcmp(p->said, text))
		log_line(&ctx->log, LOG_WARNING, "no charon: %s; L2TP that needs IPsec waits, established SAs go on if there is no "
			 "NAT between.  Does strongSwan run (systemctl start strongswan; packages charon-systemd, "
			 "strongswan-swanctl)?", text);
	snprintf(p->said, sizeof(p->said), "%s", text);
}

static void connect_links(struct ipsec *p)
{
	struct k_request rq = { .op = K_CHARON };

	if (!kernel_submit(p->ctx, &rq))
		vici_lost(&p->v, p->ctx->loop.now, "no keeper");
}

static void perform(struct ipsec *p, struct fx *f)
{
	const struct vici_fx_msg *m = (const void *)f->data;
	const struct vici_fx_tx *tx = (const void *)f->data;
	char text[120];

	switch ((enum vici_fx)f->type) {
	case VICI_FX_CONNECT:
		connect_links(p);
		break;
	case VICI_FX_CLOSE:
		ipsec_close(p);
		break;
	case VICI_FX_TX:
		if (!fx_push(&p->pending[tx->link], f->type, f->data, f->len))
			vici_lost(&p->v, p->ctx->loop.now, "out of memory");
		else if (p->fd[tx->link] >= 0)
			writable(p->ctx->loop.ev, &p->tx[tx->link], 0);
		break;
	case VICI_FX_READY:
		ready(p, vici_fx_text(f));
		break;
	case VICI_FX_DOWN:
		down(p, vici_fx_text(f));
		break;
	case VICI_FX_NOTE:
		log_line(&p->ctx->log, LOG_NOTICE, "%s", vici_text(vici_fx_text(f), text, sizeof(text)));
		break;
	case VICI_FX_ITEM:
		if (m->id == p->list_id)
			ipsec_sas(p, vici_fx_body(f), true, false);
		if (m->id == p->show.id)
			ipsec_show_item(p, vici_fx_body(f));
		break;
	case VICI_FX_REPLY:
		replied(p, m, vici_fx_body(f));
		break;
	case VICI_FX_EVENT:
		if (!strcmp(m->name, "child-updown"))
			ipsec_sas(p, vici_fx_body(f), vici_is(vici_get(vici_fx_body(f), "up"), "yes"), true);
		else if (!strcmp(m->name, "child-rekey"))
			ipsec_rekeyed(p, vici_fx_body(f));
		else if (!strcmp(m->name, "ike-update"))
			ipsec_moved(p, vici_fx_body(f));
		else if (!strcmp(m->name, "log")) {
			heed_unloading(p, vici_fx_body(f));
			ipsec_logged(p, vici_fx_body(f));
		}
		break;
	}
}

void ipsec_pump(struct ipsec *p)
{
	for (struct fx *f; (f = fx_pop(&p->v.out)); fx_free(f))
		perform(p, f);
	if (p->v.out.lost) {			/* it has begun anew, but could not say so */
		p->v.out.lost = false;
		ipsec_close(p);
	}
	timer_set(&p->ctx->loop, &p->timer,
		  p->v.state == VICI_READY ? ms_min(vici_deadline(&p->v), p->check_at) : vici_deadline(&p->v));
}

static void due(struct timer *timer, void *arg)
{
	struct ipsec *p = arg;

	(void)timer;
	vici_tick(&p->v, p->ctx->loop.now);
	if (p->v.state == VICI_READY && p->ctx->loop.now >= p->check_at)
		check(p);
	ipsec_pump(p);
	ipsec_step(p);
}
void ipsec_start(struct ipsec *p)
{
	p->started = true;
	vici_init(&p->v, events, p->ctx->loop.now);
	timer_init(&p->timer, due, p);
	timer_set(&p->ctx->loop, &p->timer, p->ctx->loop.now);
}
