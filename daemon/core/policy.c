/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

struct config *conf_get(struct config *c)
{
	c->refs++;
	return c;
}

void conf_put(struct config *c)
{
	if (c && !--c->refs)
		config_free(c);
}

struct peer_stat *peer_stat_get(struct ctx *ctx, const char *name)
{
	struct peer_stat *p;
	size_t n = strlen(name);

	HASH_FIND(hh, ctx->peers, name, n, p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p) + n + 1);
	if (!p)
		return NULL;
	memcpy(p->name, name, n);
	HASH_ADD_KEYPTR(hh, ctx->peers, p->name, n, p);
	if (!p->hh.tbl) {			/* HASH_NONFATAL_OOM: it was not added */
		free(p);
		return NULL;
	}
	return p;
}

void peer_stats_free(struct ctx *ctx)
{
	struct peer_stat *p, *next;

	HASH_ITER(hh, ctx->peers, p, next) {
		HASH_DEL(ctx->peers, p);
		free(p);
	}
}

/* Strangers share a fixed table of buckets: a flood from many addresses overwrites its own entries and is met by the
 * limits over all (half-open table, replies per second).  Addresses that have tunnels are counted exactly. */
enum { N_BUCKETS = 4096, N_GUESSERS = 1024, GUESSES_PER_S = 1, GUESSES = 60 };

struct source_key { uint8_t family, pad[3]; uint32_t scope; uint8_t addr[16]; };

struct bucket { struct source_key key; ms_t since; uint32_t milli; };

struct counted { UT_hash_handle hh; struct source_key key; unsigned tunnels; struct tunnel *first; };

struct sources {
	struct counted *counted;
	struct bucket bucket[N_BUCKETS];
	struct bucket guesser[N_GUESSERS];	/* no forged source gets here */
};

struct sources *sources_new(void)
{
	return calloc(1, sizeof(struct sources));
}

void sources_free(struct sources *s)
{
	struct counted *c, *next;

	if (!s)
		return;
	HASH_ITER(hh, s->counted, c, next) {
		HASH_DEL(s->counted, c);
		free(c);
	}
	free(s);
}

static struct source_key key_of(const struct endpoint *e)
{
	struct source_key k = { .family = e->family, .scope = e->scope };

	/* one stranger owns a whole IPv6 /64 */
	memcpy(k.addr, e->addr, e->family == 4 ? 4 : 8);
	return k;
}

/* The bucket of this address in a table of n, with what has come into it meanwhile. */
static struct bucket *bucket_of(struct bucket *table, unsigned n, ms_t now, const struct endpoint *e, unsigned rate,
				unsigned burst)
{
	struct source_key k = key_of(e);
	struct bucket *b;
	uint64_t milli;
	unsigned h;

	HASH_VALUE(&k, sizeof(k), h);
	b = &table[h % n];
	if (memcmp(&b->key, &k, sizeof(k)))
		*b = (struct bucket){ .key = k, .since = now, .milli = burst * 1000 };
	milli = b->milli + (now - b->since) * rate;
	b->since = now;
	b->milli = milli > (uint64_t)burst * 1000 ? burst * 1000 : (uint32_t)milli;
	return b;
}

static bool take(struct bucket *b)
{
	if (b->milli < 1000)
		return false;
	b->milli -= 1000;
	return true;
}

bool source_admit(struct sources *s, ms_t now, const struct endpoint *e, unsigned rate, unsigned burst)
{
	return take(bucket_of(s->bucket, N_BUCKETS, now, e, rate, burst));
}

bool source_may_guess(struct sources *s, ms_t now, const struct endpoint *e)
{
	return bucket_of(s->guesser, N_GUESSERS, now, e, GUESSES_PER_S, GUESSES)->milli >= 1000;
}

void source_guessed_wrong(struct sources *s, ms_t now, const struct endpoint *e)
{
	(void)take(bucket_of(s->guesser, N_GUESSERS, now, e, GUESSES_PER_S, GUESSES));
}

static struct counted *find(const struct sources *s, const struct source_key *k)
{
	struct counted *c;

	HASH_FIND(hh, s->counted, k, sizeof(*k), c);
	return c;
}

unsigned source_tunnels(const struct sources *s, const struct endpoint *e)
{
	struct source_key k = key_of(e);
	const struct counted *c = find(s, &k);

	return c ? c->tunnels : 0;
}

struct tunnel *source_first(const struct sources *s, const struct endpoint *e)
{
	struct source_key k = key_of(e);
	const struct counted *c = find(s, &k);

	return c ? c->first : NULL;
}

bool source_add(struct sources *s, struct tunnel *t)
{
	struct source_key k = key_of(&t->peer);
	struct counted *c = find(s, &k);

	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return false;
		c->key = k;
		HASH_ADD(hh, s->counted, key, sizeof(c->key), c);
		if (!c->hh.tbl) {
			free(c);
			return false;
		}
	}
	c->tunnels++;
	t->same_source = c->first;
	c->first = t;
	return true;
}

void source_remove(struct sources *s, struct tunnel *t)
{
	struct source_key k = key_of(&t->peer);
	struct counted *c = find(s, &k);

	if (!c)
		return;
	for (struct tunnel **at = &c->first; *at; at = &(*at)->same_source)
		if (*at == t) {
			*at = t->same_source;
			break;
		}
	if (!--c->tunnels) {
		HASH_DEL(s->counted, c);
		free(c);
	}
}

struct user_stat { UT_hash_handle hh; unsigned sessions; char name[]; };

static struct user_stat *user_find(struct ctx *ctx, const char *user)
{
	struct user_stat *u;
	size_t n = strlen(user);

	HASH_FIND(hh, ctx->users, user, n, u);
	return u;
}

unsigned user_sessions(struct ctx *ctx, const char *user)
{
	const struct user_stat *u = user_find(ctx, user);

	return u ? u->sessions : 0;
}

bool user_add(struct ctx *ctx, const char *user)
{
	struct user_stat *u = user_find(ctx, user);
	size_t n = strlen(user);

	if (!u) {
		u = calloc(1, sizeof(*u) + n + 1);
		if (!u)
			return false;
		memcpy(u->name, user, n);
		HASH_ADD_KEYPTR(hh, ctx->users, u->name, n, u);
		if (!u->hh.tbl) {
			free(u);
			return false;
		}
	}
	u->sessions++;
	return true;
}

void user_remove(struct ctx *ctx, const char *user)
{
	struct user_stat *u = user_find(ctx, user);

	if (u && !--u->sessions) {
		HASH_DEL(ctx->users, u);
		free(u);
	}
}

void user_stats_free(struct ctx *ctx)
{
	struct user_stat *u, *next;

	HASH_ITER(hh, ctx->users, u, next) {
		HASH_DEL(ctx->users, u);
		free(u);
	}
}
