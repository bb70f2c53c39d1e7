/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ordered.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "core/dial.h"
#include "core/policy.h"
#include "core/store.h"
#include "core/turn.h"

enum { TEXT_MAX = 4096, ALL_MAX = (ORDERED_SESSIONS + 2) * TEXT_MAX };	/* head, sessions, and what is around them */

/* Text: what a file would say. */

struct text { char s[TEXT_MAX]; size_t n; const char *wrong; };

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->n, sizeof(t->s) - t->n, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(t->s) - t->n)
		t->wrong = "the words are too long";
	else
		t->n += (size_t)n;
}

/* ` key = "value"`; NULL: not said.  Nobody gets out of the quotation marks. */
static void put_key(struct text *t, const char *key, const char *value)
{
	if (!value)
		return;
	put(t, " %s = \"", key);
	for (; *value; value++) {
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			t->wrong = "control characters fit no word";
		put(t, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
	}
	put(t, "\"");
}

static void put_number(struct text *t, const char *key, int64_t value)
{
	if (value >= 0)
		put(t, " %s = %lld", key, (long long)value);
}

/* The whole section; a tunnel without a session has one that is never called. */
static char *all_text(const struct ctx *ctx, const struct ordered *o)
{
	char *s = malloc(ALL_MAX);
	size_t n = 0;

	if (!s)
		return NULL;
	n += (size_t)snprintf(s, ALL_MAX, "host-name = \"%s\"\ntunnel \"%u\" {%s%s\n", ctx->conf->host_name, o->id, o->head,
			      o->n ? "" : " remote-end-id = \"-\"");
	for (unsigned i = 0; i < o->n; i++)
		n += (size_t)snprintf(s + n, ALL_MAX - n, "%s\n", o->session[i]);
	snprintf(s + n, ALL_MAX - n, "}\n");
	return s;
}

/* It may hold a secret. */
static void forget(char *text)
{
	if (text)
		wipe(text, strlen(text));
	free(text);
}

struct memory { const char *text; };

static int open_memory(void *arg, const char *path)
{
	const struct memory *m = arg;
	size_t n = strlen(m->text);
	int fd = memfd_create(path, MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) || write(fd, m->text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET)) {
		close(fd);
		return -EIO;
	}
	return fd;
}

/* Its configuration.  False: why[] says what is wrong. */
static bool load(const struct ctx *ctx, const struct ordered *o, struct config **ret, char why[static 160])
{
	char *all = all_text(ctx, o);
	struct memory m = { all };
	struct conf_opener opener = { open_memory, &m };
	char *errors = NULL, *words;
	int err = m.text ? config_load("order", &opener, ret, &errors) : -ENOMEM;

	if (err) {				/* "FILE:LINE: what" */
		words = errors ? strstr(errors, ": ") : NULL;
		snprintf(why, 160, "%.*s", words ? (int)strcspn(words + 2, "\n") : 40, words ? words + 2 : strerror(-err));
	} else {
		(*ret)->tunnel[0].id = o->id;
		(*ret)->tunnel[0].session[0].idle = !o->n;
		(*ret)->tunnel[0].l2tp.v3.pw_caps = 0;	/* all: nobody knows what else will be ordered */
	}
	free(errors);
	forget(all);
	return !err;
}

void ordered_free(struct ordered *o)
{
	if (!o)
		return;
	forget(o->head);
	for (unsigned i = 0; i < o->n; i++)
		forget(o->session[i]);
	free(o);
}

/* Checkpoints: head and sessions, each ended by a NUL. */

static void save(struct ctx *ctx, struct ordered *o)
{
	char *record = malloc(ALL_MAX);
	size_t n = 0;

	if (!ctx->store || !record) {
		free(record);
		return;
	}
	for (unsigned i = 0; i <= o->n; i++) {
		const char *s = i ? o->session[i - 1] : o->head;

		memcpy(record + n, s, strlen(s) + 1);
		n += strlen(s) + 1;
	}
	if (store_put(ctx->store, &o->slot, STORE_ORDER, o->id, record, n))
		ctx->count.checkpoint_failures++;
	store_commit(ctx->store);
	wipe(record, n);
	free(record);
}

void ordered_keep_all(struct ctx *ctx)
{
	for (struct dial *d = ctx->dials; d; d = d->next)
		if (d->ordered && !d->removed) {
			d->ordered->slot = 0;
			save(ctx, d->ordered);
		}
}

void ordered_forget(struct ctx *ctx, struct ordered *o)
{
	if (ctx->store) {
		store_drop(ctx->store, &o->slot);
		store_commit(ctx->store);
	}
	if (o->owned && !ctx->tunnel[o->id])	/* else the tunnel gives it back */
		id_rests(ctx, STORE_TUNNEL, o->id, false);
	o->owned = false;
}

static struct ordered *restore(uint16_t id, uint32_t slot, struct span record)
{
	struct ordered *o = calloc(1, sizeof(*o));
	const char *s = (const char *)record.p, *end = s + record.n;

	if (!o || !record.n || end[-1]) {
		free(o);
		return NULL;
	}
	o->id = id;
	o->slot = slot;
	o->head = strdup(s);
	for (s += strlen(s) + 1; o->head && s < end && o->n < ORDERED_SESSIONS; s += strlen(s) + 1) {
		o->session[o->n] = strdup(s);
		if (!o->session[o->n++])
			break;
	}
	if (o->head && (!o->n || o->session[o->n - 1]))
		return o;
	ordered_free(o);
	return NULL;
}

/* Objects */

static struct dial *make(struct ctx *ctx, struct ordered *o, char why[static 160])
{
	struct config *conf;
	struct dial *d;

	if (!load(ctx, o, &conf, why))
		return NULL;
	conf_get(conf);
	d = dial_new(ctx, conf, &conf->tunnel[0]);
	conf_put(conf);				/* it is the dial's */
	if (d)
		d->ordered = o;
	else
		snprintf(why, 160, "out of memory");
	return d;
}

static struct dial *find(const struct ctx *ctx, int64_t id)
{
	for (struct dial *d = ctx->dials; d; d = d->next)
		if (d->ordered && !d->removed && d->ordered->id == id)
			return d;
	return NULL;
}

bool ordered_owns(const struct ctx *ctx, uint16_t id)
{
	const struct dial *d = find(ctx, id);

	return d && d->ordered->owned;
}

/* Whose psk in the file strongSwan would take for this one. */
static const char *psk_of_file(const struct conf_ipsec *mine, const struct config *c)
{
	for (unsigned i = 0; i < c->n_peers; i++)
		if (config_psks_clash(mine, &c->peer[i].ipsec))
			return c->peer[i].name;
	for (unsigned i = 0; i < c->n_tunnels; i++)
		if (config_psks_clash(mine, &c->tunnel[i].ipsec))
			return c->tunnel[i].name;
	return NULL;
}

const char *ordered_psk_clash(const struct ctx *ctx, const struct config *c, uint16_t *ret_id)
{
	const char *other = NULL;

	for (const struct dial *d = ctx->dials; d && !other; d = d->next)
		if (d->ordered && !d->removed && (other = psk_of_file(&d->as->ipsec, c)))
			*ret_id = d->ordered->id;
	return other;
}

void ordered_adopt(struct ctx *ctx)
{
	enum store_kind kind;
	uint32_t cursor = 0, slot;
	struct span record;
	struct ordered *o;
	char why[160];
	const char *other;
	uint16_t id;

	while (ctx->store && store_next(ctx->store, &cursor, &kind, &id, &slot, &record)) {
		if (kind != STORE_ORDER)
			continue;
		snprintf(why, sizeof(why), "its checkpoint cannot be read");
		o = restore(id, slot, record);
		if (o && make(ctx, o, why))
			continue;
		log_line(&ctx->log, LOG_WARNING, "tunnel %u, which ktun ordered: %s", id, why);
		ordered_free(o);
		store_drop(ctx->store, &slot);
	}
	other = ordered_psk_clash(ctx, ctx->conf, &id);
	if (other)
		log_line(&ctx->log, LOG_WARNING, "tunnel %u, which ktun ordered: \"%s\" has another psk now, and strongSwan tells "
			 "psks apart by identities alone: either may fail; ktun delete tunnel tunnel_id %u", id, other, id);
}

void ordered_start(struct ctx *ctx)
{
	for (struct dial *d = ctx->dials, *next; d; d = next) {
		next = d->next;
		if (!d->ordered || d->removed)
			continue;
		d->ordered->owned = (d->tunnel && d->tunnel->id == d->ordered->id) || ids_claim(ctx->tunnel_ids, d->ordered->id);
		if (!d->tunnel)
			(void)dial_up(d);
	}
}

/* The control socket's part */

static void refuse(struct vl_call *call, const char *why)
{
	vl_error(call, "org.ktund.Refused", json_pack("{s:s}", "reason", why));
}

/* By its number, if it has no name. */
static void not_found(struct vl_call *call, const char *kind, int64_t id, const char *name)
{
	char number[24];

	snprintf(number, sizeof(number), "%lld", (long long)id);
	if (!name)
		name = number;
	vl_error(call, "org.ktund.NotFound", json_pack("{s:s, s:s}", "kind", kind, "name", name));
}

/* Identities are for configured tunnels. */
static const char *psk_in_the_way(const struct ctx *ctx, const char *psk)
{
	const struct conf_ipsec mine = { .required = true, .psk = (char *)(uintptr_t)psk };
	const char *other = psk_of_file(&mine, ctx->conf);

	for (const struct dial *d = ctx->dials; d && !other; d = d->next)
		if (d->ordered && config_psks_clash(&mine, &d->as->ipsec))
			other = d->as->name;
	return other;
}

void ordered_add_tunnel(void *arg, struct vl_call *call, json_t *params)
{
	const char *remote = NULL, *local = NULL, *encap = NULL, *secret = NULL, *psk = NULL;
	int64_t id = 0, local_port = -1, remote_port = -1;
	struct vl_param p[] = {
		{ "tunnel_id", 'i', true, &id }, { "remote", 's', true, &remote }, { "local", 's', false, &local },
		{ "encapsulation", 's', false, &encap }, { "local_port", 'i', false, &local_port },
		{ "remote_port", 'i', false, &remote_port }, { "secret", 's', false, &secret }, { "psk", 's', false, &psk },
	};
	struct text t = { .n = 0 };
	struct ctx *ctx = arg;
	struct ordered *o;
	char why[160] = "", name[8];
	const char *other;
	struct dial *d;

	if (!vl_params(call, params, p, sizeof(p) / sizeof(p[0])))
		return;
	other = psk ? psk_in_the_way(ctx, psk) : NULL;
	if (other) {
		snprintf(why, sizeof(why), "\"%.40s\" has another psk, and strongSwan tells psks apart by identities alone: "
			 "configure the tunnel, with a remote-id", other);
		t.wrong = why;
	}
	put(&t, " version = 3 ipsec = %s persist = yes", psk ? "required" : "none");
	put_key(&t, "psk", psk);
	put_key(&t, "remote", remote);
	put_key(&t, "local", local);
	put_key(&t, "encapsulation", encap);
	put_key(&t, "secret", secret);
	put_number(&t, "local-port", local_port);
	put_number(&t, "remote-port", remote_port);
	snprintf(name, sizeof(name), "%u", (unsigned)(id & 0xffff));
	if (id < 1 || id >= MAX_ID)
		t.wrong = "the id of a tunnel that is negotiated is a number from 1 to 65535";
	else if (dial_find(ctx, name))
		t.wrong = "there is a tunnel of this id, or a configured one with this number for a name";
	else if (ctx->tunnel[id])
		t.wrong = "another tunnel has this id";
	else if (ctx->stopping)
		t.wrong = "ktund is stopping";
	o = t.wrong ? NULL : calloc(1, sizeof(*o));
	if (o)
		*o = (struct ordered){ .id = (uint16_t)id, .head = strdup(t.s) };
	d = o && o->head ? make(ctx, o, why) : NULL;
	if (d) {
		o->owned = ids_claim(ctx->tunnel_ids, (uint32_t)id);
		save(ctx, o);
		log_line(&ctx->log, LOG_NOTICE, "tunnel %s: ordered by ktun", name);
		(void)dial_up(d);
		vl_reply_empty(call);
	} else {
		refuse(call, t.wrong ? t.wrong : why[0] ? why : "out of memory");
		ordered_free(o);
	}
	explicit_bzero(&t, sizeof(t));
}

void ordered_delete_tunnel(void *arg, struct vl_call *call, json_t *params)
{
	struct ctx *ctx = arg;
	int64_t id = 0;
	struct vl_param p[] = { { "tunnel_id", 'i', true, &id } };
	struct dial *d;

	if (!vl_params(call, params, p, 1))
		return;
	d = find(ctx, id);
	if (!d) {
		not_found(call, "tunnel", id, NULL);
		return;
	}
	dial_remove(d, "by the operator");
	vl_reply_empty(call);
}

/* With these sessions from now on; false: why. */
static bool change(struct ctx *ctx, struct dial *d, char why[static 160])
{
	struct config *conf;

	if (!load(ctx, d->ordered, &conf, why))
		return false;
	conf_get(conf);
	if (!dial_reconfigure(d, conf, &conf->tunnel[0])) {
		snprintf(why, 160, "out of memory");
		conf_put(conf);
		return false;
	}
	conf_put(conf);
	save(ctx, d->ordered);
	return true;
}

void ordered_add_session(void *arg, struct vl_call *call, json_t *params)
{
	const char *end_id = NULL, *pw = NULL, *name = NULL, *bridge = NULL, *vrf = NULL, *netns = NULL, *l2spec = NULL;
	const char *user = NULL, *password = NULL;
	bool sequencing = false;
	int64_t id = 0, mtu = -1, vlan = -1, cookie = -1;
	struct vl_param p[] = {
		{ "tunnel_id", 'i', true, &id }, { "remote_end_id", 's', true, &end_id }, { "pseudowire", 's', false, &pw },
		{ "interface", 's', false, &name }, { "bridge", 's', false, &bridge }, { "vlan", 'i', false, &vlan },
		{ "vrf", 's', false, &vrf }, { "netns", 's', false, &netns }, { "mtu", 'i', false, &mtu },
		{ "cookie_length", 'i', false, &cookie }, { "l2_specific_sublayer", 's', false, &l2spec },
		{ "sequencing", 'b', false, &sequencing }, { "user", 's', false, &user }, { "password", 's', false, &password },
	};
	struct text t = { .n = 0 };
	struct ctx *ctx = arg;
	char why[160] = "out of memory";
	struct ordered *o;
	struct dial *d;

	if (!vl_params(call, params, p, sizeof(p) / sizeof(p[0])))
		return;
	d = find(ctx, id);
	if (!d) {
		not_found(call, "tunnel", id, NULL);
		return;
	}
	o = d->ordered;
	put(&t, "session");
	put(&t, " \"%zu\" {", o->n ? strtoul(strchr(o->session[o->n - 1], '"') + 1, NULL, 10) + 1 : 1);
	put_key(&t, "remote-end-id", end_id);
	put_key(&t, "pseudowire", pw);
	put_key(&t, "interface", name);
	put_key(&t, "bridge", bridge);
	put_key(&t, "vrf", vrf);
	put_key(&t, "netns", netns);
	put_key(&t, "user", user);
	put_key(&t, "password", password);
	if (pw && !strcmp(pw, "ppp") && !user)
		put(&t, " authentication = \"none\"");
	if (sequencing)
		put(&t, " sequencing = yes");
	put_key(&t, "l2-specific-sublayer", l2spec);
	put_number(&t, "vlan", vlan);
	put_number(&t, "mtu", mtu);
	put_number(&t, "cookie-length", cookie);
	put(&t, " }");
	if (o->n == ORDERED_SESSIONS)
		t.wrong = "it has as many sessions as can be ordered";
	if (!t.wrong && !(o->session[o->n] = strdup(t.s)))
		t.wrong = why;
	explicit_bzero(t.s, sizeof(t.s));
	if (t.wrong) {
		refuse(call, t.wrong);
		return;
	}
	o->n++;
	if (change(ctx, d, why)) {
		dial_place(d);
		vl_reply_empty(call);
		return;
	}
	forget(o->session[--o->n]);
	refuse(call, why);
}

/* The session of the tunnel by either of its names, or NULL. */
static const struct conf_session *which(const struct dial *d, int64_t session_id, const char *end_id)
{
	const struct session *s = session_find(d->ctx, session_id);

	if (s && s->tunnel->dial == d && s->as)
		end_id = s->as->remote_end_id;
	for (unsigned i = 0; end_id && i < d->ordered->n; i++)
		if (!strcmp(d->as->session[i].remote_end_id, end_id))
			return &d->as->session[i];
	return NULL;
}

void ordered_delete_session(void *arg, struct vl_call *call, json_t *params)
{
	const char *end_id = NULL;
	int64_t id = 0, session_id = 0;
	struct vl_param p[] = {
		{ "tunnel_id", 'i', true, &id }, { "session_id", 'i', false, &session_id }, { "remote_end_id", 's', false, &end_id },
	};
	const struct conf_session *as;
	char *was, why[160];
	struct ctx *ctx = arg;
	struct ordered *o;
	struct dial *d;
	unsigned at;

	if (!vl_params(call, params, p, 3))
		return;
	d = find(ctx, id);
	as = d ? which(d, session_id, end_id) : NULL;
	if (!as) {
		if (d)
			not_found(call, "session", session_id, end_id);
		else
			not_found(call, "tunnel", id, NULL);
		return;
	}
	o = d->ordered;
	at = (unsigned)(as - d->as->session);
	was = o->session[at];
	memmove(&o->session[at], &o->session[at + 1], (--o->n - at) * sizeof(o->session[0]));
	if (change(ctx, d, why)) {
		forget(was);
		dial_place(d);
		vl_reply_empty(call);
		return;
	}
	memmove(&o->session[at + 1], &o->session[at], (o->n++ - at) * sizeof(o->session[0]));
	o->session[at] = was;
	refuse(call, why);
}
