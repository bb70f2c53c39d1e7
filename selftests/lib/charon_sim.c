/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "charon_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOW_MS = 9000, UP_MS = 50, DOWN_MS = 20, REPLY_MAX = 32768 };

static const char ours[] = "ktund-";
static const struct span none = { NULL, 0 };

static uint32_t chance(struct charon *ch)
{
	ch->seed = ch->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(ch->seed >> 33);
}

const struct charon_thing *charon_find(const struct charon_thing *t, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(t[i].name, name))
			return &t[i];
	return NULL;
}

/* Loading what has this name already replaces it. */
static bool load(struct charon_thing *t, unsigned *n, const char *name, struct span msg)
{
	struct charon_thing *at = (struct charon_thing *)(uintptr_t)charon_find(t, *n, name);

	if (msg.n > sizeof(at->msg) || (!at && *n == CHARON_THINGS))
		abort();
	if (!at)
		at = &t[(*n)++];
	snprintf(at->name, sizeof(at->name), "%s", name);
	if (msg.n)
		memcpy(at->msg, msg.p, msg.n);
	at->n = msg.n;
	return true;
}

static bool unload(struct charon_thing *t, unsigned *n, const char *name)
{
	struct charon_thing *at = (struct charon_thing *)(uintptr_t)charon_find(t, *n, name);

	if (!at)
		return false;
	memmove(at, at + 1, (size_t)(t + --*n - at) * sizeof(*t));
	return true;
}

/* Clients */

static struct charon_client *client(struct charon *ch, uint32_t id)
{
	for (unsigned i = 0; i < CHARON_CLIENTS; i++)
		if (ch->client[i].fd >= 0 && ch->client[i].id == id)
			return &ch->client[i];
	return NULL;
}

static void hang_up(struct charon_client *cl)
{
	if (cl->fd >= 0)
		close(cl->fd);
	*cl = (struct charon_client){ .fd = -1 };
}

static void tell(struct charon_client *cl, const void *octets, size_t n)
{
	if (cl->fd >= 0 && n && send(cl->fd, octets, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
		hang_up(cl);				/* the other end has closed it */
}

int charon_connect(struct charon *ch, ms_t now, int fds[2])
{
	if (now < ch->back_at)
		return -ECONNREFUSED;
	for (unsigned i = 0; i < 2; i++) {
		struct charon_client *cl = ch->client;
		int pair[2];

		while (cl < ch->client + CHARON_CLIENTS && cl->fd >= 0)
			cl++;
		if (cl == ch->client + CHARON_CLIENTS || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
			abort();
		*cl = (struct charon_client){ .fd = pair[0], .id = ++ch->last_id };
		fds[i] = pair[1];
	}
	return 0;
}

/* What happens later */

static struct charon_act *later(struct charon *ch, ms_t in, void (*act)(struct charon *, struct charon_act *))
{
	struct charon_act *a = &ch->act[ch->n_acts++];

	if (ch->n_acts > CHARON_ACTS)
		abort();
	*a = (struct charon_act){ .at = ch->now + in, .act = act };
	return a;
}

static void forget_acts(struct charon *ch)
{
	while (ch->n_acts)
		free(ch->act[--ch->n_acts].octets);
}

ms_t charon_deadline(const struct charon *ch)
{
	ms_t at = NEVER;

	for (unsigned i = 0; i < ch->n_acts; i++)
		at = ms_min(at, ch->act[i].at);
	return at;
}

static bool act_due(struct charon *ch)
{
	for (unsigned i = 0; i < ch->n_acts; i++) {
		struct charon_act a = ch->act[i];

		if (a.at > ch->now)
			continue;
		memmove(ch->act + i, ch->act + i + 1, (--ch->n_acts - i) * sizeof(a));
		a.act(ch, &a);
		free(a.octets);
		return true;
	}
	return false;
}

static void speak(struct charon *ch, struct charon_act *a)
{
	struct charon_client *cl = client(ch, a->client);

	if (cl)
		tell(cl, a->octets, a->n);
}

static void event(struct charon *ch, const char *name, struct span msg)
{
	uint8_t out[4096];
	struct wr w = wr_init(out, sizeof(out));

	vici_packet(&w, VICI_EVENT, name, msg);
	for (struct charon_client *cl = ch->client; cl < ch->client + CHARON_CLIENTS; cl++)
		if (!strcmp(name, "log") ? cl->log : !strcmp(name, "child-rekey") ? cl->rekey : cl->updown)
			tell(cl, out, wr_len(&w));
}

bool charon_tells(const struct charon *ch)
{
	for (unsigned i = 0; i < CHARON_CLIENTS; i++)
		if (ch->client[i].fd >= 0 && ch->client[i].updown && ch->client[i].rekey)
			return true;
	return false;
}

/* SAs */

static void describe_child(struct wr *w, const struct charon_sa *sa)
{
	char text[32];

	vici_key(w, "name", sa->name);
	snprintf(text, sizeof(text), "%u", sa->child);
	vici_key(w, "uniqueid", text);
	snprintf(text, sizeof(text), "%u", sa->reqid);
	vici_key(w, "reqid", text);
	vici_key(w, "state", "INSTALLED");
	snprintf(text, sizeof(text), "%08x", sa->child + 0x1000);
	vici_key(w, "spi-in", text);
	vici_key(w, "spi-out", text);
	snprintf(text, sizeof(text), "%08x", sa->mark);
	if (sa->mark)
		vici_key(w, "mark-in", text);
	vici_key(w, "encr-alg", "AES_GCM_16");
}

/* fresh: it was rekeyed to this one; or NULL. */
static void describe(struct wr *w, const struct charon_sa *sa, const struct charon_sa *fresh)
{
	char text[32];

	vici_section(w, sa->conn);
	vici_key(w, "uniqueid", "1");
	vici_key(w, "state", "ESTABLISHED");
	vici_key(w, "local-host", "127.0.0.1");
	vici_key(w, "remote-host", sa->host);
	vici_key(w, "remote-port", "500");
	vici_key(w, "remote-id", sa->host);
	vici_section(w, "child-sas");
	snprintf(text, sizeof(text), "%.20s-%u", sa->name, sa->child);
	vici_section(w, text);
	if (fresh)
		vici_section(w, "old");
	describe_child(w, sa);
	if (fresh) {
		vici_section_end(w);
		vici_section(w, "new");
		describe_child(w, fresh);
		vici_section_end(w);
	}
	for (unsigned i = 0; i < 3; i++)
		vici_section_end(w);
}

static void updown(struct charon *ch, const struct charon_sa *sa, bool up)
{
	uint8_t msg[1024];
	struct wr w = wr_init(msg, sizeof(msg));

	if (up)
		vici_key(&w, "up", "yes");
	describe(&w, sa, NULL);
	event(ch, "child-updown", (struct span){ msg, wr_len(&w) });
}

static void add_sa(struct charon *ch, const char *conn, const char *name, const char *host, uint32_t mark)
{
	struct charon_sa *sa = &ch->sa[ch->n_sas++];

	if (ch->n_sas > CHARON_THINGS)
		abort();
	*sa = (struct charon_sa){ .child = ++ch->last_child, .reqid = ch->last_child, .mark = mark };
	snprintf(sa->conn, sizeof(sa->conn), "%s", conn);
	snprintf(sa->name, sizeof(sa->name), "%s", name);
	snprintf(sa->host, sizeof(sa->host), "%s", host);
	updown(ch, sa, true);
}

void charon_called(struct charon *ch, ms_t now, const char *conn, const char *host)
{
	ch->now = now;
	if (now >= ch->back_at && charon_find(ch->conn, ch->n_conns, conn) && charon_find(ch->shared, ch->n_shared, conn))
		add_sa(ch, conn, "l2tp-1701", host, ch->last_child + 1);
}

void charon_rekey(struct charon *ch, ms_t now, const char *conn)
{
	ch->now = now;
	for (unsigned i = 0; i < ch->n_sas; i++) {
		struct charon_sa old = ch->sa[i];
		uint8_t msg[2048];
		struct wr w = wr_init(msg, sizeof(msg));

		if (strcmp(old.conn, conn))
			continue;
		ch->sa[i].child = ++ch->last_child;
		describe(&w, &old, &ch->sa[i]);
		event(ch, "child-rekey", (struct span){ msg, wr_len(&w) });
	}
}

static void goes_up(struct charon *ch, struct charon_act *a)
{
	const struct charon_thing *c = charon_find(ch->conn, ch->n_conns, a->conn);
	struct rd r = rd_init(c ? c->msg : NULL, c ? c->n : 0);
	struct vici_item it = { .type = 0 };
	char host[48];

	if (!c || !vici_next(&r, &it))
		return;
	r = rd_init(vici_get(it.value, "remote_addrs").p, vici_get(it.value, "remote_addrs").n);
	if (vici_next(&r, &it))
		add_sa(ch, a->conn, a->name, vici_text(it.value, host, sizeof(host)), 0);
}

static void goes_down(struct charon *ch, struct charon_act *a)
{
	for (unsigned i = 0; i < ch->n_sas; i++) {
		struct charon_sa gone = ch->sa[i];

		if (gone.child != a->child)
			continue;
		memmove(ch->sa + i, ch->sa + i + 1, (--ch->n_sas - i) * sizeof(gone));
		updown(ch, &gone, false);
		return;
	}
}

/* Somebody's swanctl */

static void say_unloaded(struct charon *ch, const char *id)
{
	char text[160];
	uint8_t msg[256];
	struct wr w = wr_init(msg, sizeof(msg));

	snprintf(text, sizeof(text), "unloaded shared key with id '%s'", id);
	vici_key(&w, "group", "CFG");
	vici_key(&w, "msg", text);
	event(ch, "log", (struct span){ msg, wr_len(&w) });
}

static void unload_conns(struct charon *ch, struct charon_act *a)
{
	(void)a;
	for (unsigned i = ch->n_conns; i--;)
		if (!strncmp(ch->conn[i].name, ours, strlen(ours)))
			unload(ch->conn, &ch->n_conns, ch->conn[i].name);
}

static void unload_all(struct charon *ch, struct charon_act *a)
{
	(void)a;
	for (unsigned i = ch->n_shared; i--;) {
		char id[80];

		strcpy(id, ch->shared[i].name);
		if (!strncmp(id, ours, strlen(ours)) && unload(ch->shared, &ch->n_shared, id))
			say_unloaded(ch, id);
	}
	later(ch, 20, unload_conns);
}

void charon_load_all(struct charon *ch, ms_t now)
{
	ch->now = now;
	unload_all(ch, NULL);
}

void charon_load_conns(struct charon *ch, ms_t now)
{
	ch->now = now;
	unload_conns(ch, NULL);
}

static void begin(struct charon *ch)
{
	ch->n_conns = ch->n_shared = ch->n_sas = 0;
	load(ch->conn, &ch->n_conns, "theirs", none);
	load(ch->shared, &ch->n_shared, "theirs", none);
}

static void restart(struct charon *ch, bool load_all)
{
	for (unsigned i = 0; i < CHARON_CLIENTS; i++)
		hang_up(&ch->client[i]);
	forget_acts(ch);
	begin(ch);
	ch->back_at = ch->now + CHARON_AWAY_MS;
	if (load_all)
		later(ch, CHARON_AWAY_MS + 400, unload_all);
}

void charon_restart(struct charon *ch, ms_t now)
{
	ch->now = now;
	restart(ch, false);
}

void charon_init(struct charon *ch, uint64_t seed)
{
	*ch = (struct charon){ .seed = seed, .fault_at = ~0u, .close_at = ~0u };
	for (unsigned i = 0; i < CHARON_CLIENTS; i++)
		ch->client[i].fd = -1;
	begin(ch);
	load(ch->conn, &ch->n_conns, "ktund-peer-old", none);
	load(ch->shared, &ch->n_shared, "ktund-peer-old", none);
	add_sa(ch, "ktund-peer-old", "l2tp-1701", "10.1.0.9", 9);
}

void charon_done(struct charon *ch)
{
	for (unsigned i = 0; i < CHARON_CLIENTS; i++)
		hang_up(&ch->client[i]);
	forget_acts(ch);
}

/* Commands: the answer into w, after what a stream says. */

static bool terminate(struct charon *ch, const char *conn, struct span child)
{
	bool any = false;

	for (unsigned i = 0; i < ch->n_sas; i++) {
		struct charon_sa *sa = &ch->sa[i];

		if (strcmp(sa->conn, conn) || (child.p && !vici_is(child, sa->name)))
			continue;
		any = true;
		if (!sa->going)
			later(ch, DOWN_MS, goes_down)->child = sa->child;
		sa->going = true;
	}
	return any;
}

static void names(struct wr *w, const char *key, const struct charon_thing *t, unsigned n)
{
	vici_list(w, key);
	for (unsigned i = 0; i < n; i++)
		vici_list_item(w, t[i].name);
	vici_list_end(w);
}

static void whose(struct span msg, char ret[80])
{
	static const char *const key[] = { "id", "name", "ike" };
	struct rd r = rd_init(msg.p, msg.n);
	struct vici_item it;

	ret[0] = '\0';
	for (unsigned i = 0; i < 3 && !ret[0]; i++)
		vici_text(vici_get(msg, key[i]), ret, 80);
	if (!ret[0] && vici_next(&r, &it) && it.type == VICI_SECTION_START)
		vici_text(it.name, ret, 80);
}

static void command(struct charon *ch, struct charon_client *cl, const char *name, struct span msg, struct wr *w)
{
	bool ok = true, unknown = false;
	uint8_t answer[2048];
	struct wr a = wr_init(answer, sizeof(answer));
	char about[80];

	whose(msg, about);
	if (!strcmp(name, "version")) {
		vici_key(&a, "daemon", "charon-systemd");
		vici_key(&a, "version", "5.9.8");
	} else if (!strcmp(name, "load-conn")) {
		ok = load(ch->conn, &ch->n_conns, about, msg);
	} else if (!strcmp(name, "load-shared")) {
		ok = load(ch->shared, &ch->n_shared, about, msg);
	} else if (!strcmp(name, "unload-conn")) {
		ok = unload(ch->conn, &ch->n_conns, about);
	} else if (!strcmp(name, "unload-shared")) {
		ok = unload(ch->shared, &ch->n_shared, about);
		if (ok)
			say_unloaded(ch, about);
	} else if (!strcmp(name, "get-conns")) {
		names(&a, "conns", ch->conn, ch->n_conns);
	} else if (!strcmp(name, "get-shared")) {
		names(&a, "keys", ch->shared, ch->n_shared);
	} else if (!strcmp(name, "get-keys")) {
		names(&a, "keys", NULL, 0);
	} else if (!strcmp(name, "initiate")) {
		struct charon_act *up = NULL;

		ok = charon_find(ch->conn, ch->n_conns, about);
		if (ok)
			up = later(ch, UP_MS, goes_up);
		if (up)
			vici_text(vici_get(msg, "child"), up->name, sizeof(up->name));
		if (up)
			strcpy(up->conn, about);
	} else if (!strcmp(name, "terminate")) {
		ok = terminate(ch, about, vici_get(msg, "child"));
	} else if (!strcmp(name, "list-sas")) {
		for (unsigned i = 0; i < ch->n_sas && cl->list; i++) {
			uint8_t one[1024];
			struct wr o = wr_init(one, sizeof(one));

			describe(&o, &ch->sa[i], NULL);
			vici_packet(w, VICI_EVENT, "list-sa", (struct span){ one, wr_len(&o) });
		}
	} else {
		unknown = true;
	}
	vici_key(&a, "success", ok ? "yes" : "no");
	if (!ok)
		vici_key(&a, "errmsg", "there is no such thing");
	vici_packet(w, unknown ? VICI_CMD_UNKNOWN : VICI_CMD_RESPONSE, NULL, unknown ? none : (struct span){ answer, wr_len(&a) });
}

static void obey(struct charon *ch, struct charon_client *cl, unsigned type, const char *name, struct span msg, struct wr *w)
{
	bool *is = !strcmp(name, "log") ? &cl->log : !strcmp(name, "list-sa") ? &cl->list :
		   !strcmp(name, "child-updown") ? &cl->updown : !strcmp(name, "child-rekey") ? &cl->rekey : NULL;

	if (type == VICI_CMD_REQUEST) {
		command(ch, cl, name, msg, w);
		return;
	}
	if (is)
		*is = type == VICI_EVENT_REGISTER;
	vici_packet(w, VICI_EVENT_CONFIRM, NULL, none);
}

static enum charon_fault choose(struct charon *ch)
{
	enum charon_fault f = ch->packets == ch->fault_at ? ch->fault : CHARON_OBEYS;

	if (ch->packets == ch->close_at)
		f = CHARON_CLOSES;
	if (ch->chance && chance(ch) % 100 < ch->chance)
		f = 1 + chance(ch) % (CHARON_FAULTS - 1);
	return f;
}

/* FNV-1a */
static uint32_t hash(uint8_t type, const char *name, const char *about)
{
	uint32_t h = (2166136261 ^ type) * 16777619;

	for (const char *p = name; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619;
	for (const char *p = about; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619;
	return h;
}

static void packet(struct charon *ch, struct charon_client *cl, struct rd r)
{
	static uint8_t out[REPLY_MAX];
	struct wr w = wr_init(out, sizeof(out));
	enum charon_fault f = choose(ch);
	uint8_t no[64], type = rd_u8(&r);
	struct wr refusal = wr_init(no, sizeof(no));
	char name[64], about[80];
	bool cmd = type == VICI_CMD_REQUEST;
	struct span msg;
	struct charon_act *a;

	vici_text(rd_span(&r, rd_u8(&r)), name, sizeof(name));
	msg = rd_rest(&r);
	if (r.bad || !vici_valid(msg) || (!cmd && type != VICI_EVENT_REGISTER && type != VICI_EVENT_UNREGISTER))
		abort();				/* ktund talks nonsense */
	if (f == CHARON_REFUSES && !cmd)
		f = CHARON_UNKNOWN;
	whose(msg, about);
	if (f) {
		snprintf(ch->faulted, sizeof(ch->faulted), "%s%s %s", cmd ? "" : type == VICI_EVENT_REGISTER ? "+" : "-", name,
			 about);
		ch->faulted_at = ch->now;
		ch->refused += f == CHARON_REFUSES || f == CHARON_UNKNOWN;
	}
	if (ch->tell)
		fprintf(stderr, "%6llu.%03u charon: %u (fault %d) %s %s\n", (unsigned long long)ch->now / 1000,
			(unsigned)(ch->now % 1000), ch->packets, f, name, about);
	if (ch->packets < CHARON_HEARD)
		ch->heard[ch->packets] = hash(type, name, about);
	ch->packets++;
	if (f == CHARON_OBEYS || f == CHARON_MUTE || f == CHARON_SLOW || f == CHARON_HALF || f == CHARON_TWICE)
		obey(ch, cl, type, name, msg, &w);
	switch (f) {
	case CHARON_OBEYS: case CHARON_FAULTS:
		tell(cl, out, wr_len(&w));
		break;
	case CHARON_DEAF: case CHARON_MUTE:
		break;
	case CHARON_SLOW:
		a = later(ch, SLOW_MS, speak);
		a->client = cl->id;
		a->n = wr_len(&w);
		a->octets = malloc(a->n);
		if (!a->octets)
			abort();
		memcpy(a->octets, out, a->n);
		break;
	case CHARON_REFUSES:
		vici_key(&refusal, "success", "no");
		vici_key(&refusal, "errmsg", "not today");
		vici_packet(&w, VICI_CMD_RESPONSE, NULL, (struct span){ no, wr_len(&refusal) });
		tell(cl, out, wr_len(&w));
		break;
	case CHARON_UNKNOWN:
		vici_packet(&w, cmd ? VICI_CMD_UNKNOWN : VICI_EVENT_UNKNOWN, NULL, none);
		tell(cl, out, wr_len(&w));
		break;
	case CHARON_GARBAGE:
		for (unsigned i = 0; i < 100; i++)
			out[i] = (uint8_t)chance(ch);
		tell(cl, out, 100);
		break;
	case CHARON_WRONG_KIND:
		vici_packet(&w, cmd ? VICI_EVENT_CONFIRM : VICI_CMD_RESPONSE, NULL, none);
		tell(cl, out, wr_len(&w));
		break;
	case CHARON_ABSURD:
		tell(cl, "\x7f\xff\xff\xff\1", 5);
		break;
	case CHARON_HALF:
		tell(cl, out, wr_len(&w) / 2);
		hang_up(cl);
		break;
	case CHARON_CLOSES:
		hang_up(cl);
		break;
	case CHARON_RESTARTS: case CHARON_LOADS_ALL:
		restart(ch, f == CHARON_LOADS_ALL);
		break;
	case CHARON_TWICE:
		tell(cl, out, wr_len(&w));
		tell(cl, out, wr_len(&w));
		break;
	}
}

/* False: there was nothing. */
static bool read_from(struct charon *ch, struct charon_client *cl)
{
	ssize_t n = cl->fd < 0 ? -1 : recv(cl->fd, cl->in + cl->n, sizeof(cl->in) - cl->n, MSG_DONTWAIT);
	uint32_t id = cl->id;

	if (n < 0)
		return false;
	if (!n) {
		hang_up(cl);
		return true;
	}
	cl->n += (size_t)n;
	while (cl->fd >= 0 && cl->id == id && cl->n >= 4) {
		struct rd r = rd_init(cl->in, cl->n);
		size_t size = rd_u32(&r);
		uint8_t one[sizeof(cl->in)];

		if (size > sizeof(one) - 4)
			abort();
		if (rd_left(&r) < size)
			break;
		memcpy(one, cl->in + 4, size);
		cl->n -= 4 + size;
		memmove(cl->in, cl->in + 4 + size, cl->n);
		packet(ch, cl, rd_init(one, size));
	}
	return true;
}

bool charon_serve(struct charon *ch, ms_t now)
{
	bool any;

	ch->now = now;
	any = act_due(ch);
	for (unsigned i = 0; i < CHARON_CLIENTS; i++)
		any |= read_from(ch, &ch->client[i]);
	return any;
}
