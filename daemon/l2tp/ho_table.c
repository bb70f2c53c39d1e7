/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ho_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "l2tp/rel.h"

enum { CHUNK = 64 };				/* entries that are allocated at once */

struct chunk {
	unsigned used;
	struct ho_entry entry[CHUNK];
};

/* Who asked in vain: two Bloom filters, of these KNOCK_MS and of those before.  A client asks again after 1 s and 2 s more (RFC
 * 2661 5.8), who forges sources at random does not. */
enum { KNOCK_MS = 3000, KNOCK_BITS = 21, KNOCK_MARKS = 4 };

struct knocks {
	ms_t since;
	unsigned now;
	uint64_t bit[2][1 << (KNOCK_BITS - 6)];
};

/* Entries hang in two hashes, by tunnel id and by source prefix, and in one list by age.  A prefix
 * has few entries, so that chain answers every question about a source. */
struct halfopen {
	const struct env *env;
	struct ho_limits limits;
	unsigned count, n_chunks, bits;
	uint64_t salt;				/* of the hash by prefix: strangers choose their sources */
	struct knocks *knocks;			/* NULL: nobody, or no memory to remember them */
	int32_t oldest, newest;
	uint64_t tokens, crowd;			/* thousandths of a reply, and of a newcomer when there is little room */
	ms_t refilled;
	int32_t *by_id, *by_prefix;
	struct chunk *chunk[];
};

struct ho_entry *ho_at(const struct halfopen *h, int32_t i)
{
	return &h->chunk[i / CHUNK]->entry[i % CHUNK];
}

static uint64_t prefix_of(const struct ho_addr *a)
{
	uint64_t v = a->family;

	for (unsigned i = 0; i < (a->family == 4 ? 3 : 7); i++)	/* /24 or /56 */
		v = v << 8 | a->peer[i];
	return v;
}

static int32_t *id_bucket(const struct halfopen *h, uint32_t id)
{
	return &h->by_id[id & ((1u << h->bits) - 1)];		/* our own random ids */
}

static int32_t *prefix_bucket(const struct halfopen *h, const struct ho_addr *a)
{
	return &h->by_prefix[prefix_of(a) * h->salt >> (64 - h->bits)];
}

static bool same_addr(const struct ho_addr *a, const struct ho_addr *b)
{
	return a->family == b->family && !memcmp(a->peer, b->peer, sizeof(a->peer));
}

bool ho_same_path(const struct ho_addr *a, const struct ho_addr *b)
{
	return same_addr(a, b) && a->peer_port == b->peer_port && a->local_port == b->local_port &&
	       a->mark == b->mark && a->ifindex == b->ifindex &&
	       !memcmp(a->local, b->local, sizeof(a->local));
}

struct halfopen *ho_new(const struct env *env, const struct ho_limits *limits)
{
	struct ho_limits l = limits ? *limits : (struct ho_limits){ 0 };
	unsigned total = l.total ? l.total : 4096, n_chunks, bits = 4;
	struct halfopen *h;
	size_t buckets;

	total = total < UINT16_MAX ? total : UINT16_MAX;
	n_chunks = (total + CHUNK - 1) / CHUNK;
	while (bits < 16 && 1u << bits < total)
		bits++;
	buckets = (size_t)1 << bits;
	h = l2tp_alloc(sizeof(*h) + n_chunks * sizeof(h->chunk[0]) + 2 * buckets * sizeof(int32_t));
	if (!h)
		return NULL;
	memset(h, 0, sizeof(*h) + n_chunks * sizeof(h->chunk[0]));
	h->env = env;
	h->limits = (struct ho_limits){
		total, l.per_prefix ? l.per_prefix : 64, l.expire_ms ? l.expire_ms : 30000,
		l.replies_per_s ? l.replies_per_s : 2000,
	};
	h->n_chunks = n_chunks;
	h->bits = bits;
	h->salt = (uint64_t)env_u32(env) << 32 | env_u32(env) | 1;
	h->oldest = h->newest = HO_NONE;
	h->tokens = h->limits.replies_per_s * UINT64_C(1000);
	h->by_id = (int32_t *)(void *)&h->chunk[n_chunks];
	h->by_prefix = h->by_id + buckets;
	for (size_t i = 0; i < 2 * buckets; i++)
		h->by_id[i] = HO_NONE;
	return h;
}

void ho_free(struct halfopen *h)
{
	for (unsigned i = 0; h && i < h->n_chunks; i++)
		free(h->chunk[i]);
	if (h)
		free(h->knocks);
	free(h);
}

/* A free place in the first chunk that has one, so that chunks empty from behind. */
static int32_t take_place(struct halfopen *h)
{
	unsigned c = 0;

	while (c < h->n_chunks && h->chunk[c] && h->chunk[c]->used == CHUNK)
		c++;
	if (c == h->n_chunks)
		return HO_NONE;
	if (!h->chunk[c]) {
		h->chunk[c] = l2tp_alloc(sizeof(*h->chunk[c]));
		if (!h->chunk[c])
			return HO_NONE;
		memset(h->chunk[c], 0, sizeof(*h->chunk[c]));
	}
	for (int32_t i = 0; i < CHUNK; i++)
		if (!h->chunk[c]->entry[i].used)
			return (int32_t)c * CHUNK + i;
	return HO_NONE;
}

static void unhash(const struct halfopen *h, int32_t i)
{
	struct ho_entry *e = ho_at(h, i);
	int32_t *p = id_bucket(h, e->tunnel_id);

	while (*p != i)
		p = &ho_at(h, *p)->next_id;
	*p = e->next_id;
	p = prefix_bucket(h, &e->from);
	while (*p != i)
		p = &ho_at(h, *p)->next_addr;
	*p = e->next_addr;
}

static void unlist(struct halfopen *h, int32_t i)
{
	struct ho_entry *e = ho_at(h, i);

	if (e->age_prev != HO_NONE)
		ho_at(h, e->age_prev)->age_next = e->age_next;
	else
		h->oldest = e->age_next;
	if (e->age_next != HO_NONE)
		ho_at(h, e->age_next)->age_prev = e->age_prev;
	else
		h->newest = e->age_prev;
}

static void free_place(struct halfopen *h, int32_t i)
{
	struct chunk **c = &h->chunk[i / CHUNK];

	wipe(ho_at(h, i), sizeof(struct ho_entry));
	if (!--h->count) {			/* all is quiet */
		free(h->knocks);
		h->knocks = NULL;
	}
	if (--(*c)->used)
		return;
	free(*c);
	*c = NULL;
}

/* Behind all others in the list by age. */
static void list_newest(struct halfopen *h, int32_t i)
{
	struct ho_entry *e = ho_at(h, i);

	e->age_prev = h->newest;
	e->age_next = HO_NONE;
	if (h->newest != HO_NONE)
		ho_at(h, h->newest)->age_next = i;
	else
		h->oldest = i;
	h->newest = i;
}

static void link_entry(struct halfopen *h, int32_t i)
{
	struct ho_entry *e = ho_at(h, i);
	int32_t *id = id_bucket(h, e->tunnel_id), *prefix = prefix_bucket(h, &e->from);

	e->used = true;
	e->next_id = *id;
	*id = i;
	e->next_addr = *prefix;
	*prefix = i;
	list_newest(h, i);
	h->chunk[i / CHUNK]->used++;
	h->count++;
}

int32_t ho_place(const struct halfopen *h, uint32_t id)
{
	int32_t i = *id_bucket(h, id);

	while (i != HO_NONE && ho_at(h, i)->tunnel_id != id)
		i = ho_at(h, i)->next_id;
	return i;
}

/* Newcomers to a table that is more than half full: so few a second that each entry has eight to be answered. */
enum { CROWD_S = 8 };

static void pour(uint64_t *tokens, uint64_t ms, uint64_t per_s, uint64_t full)
{
	*tokens = ms > 1000 || *tokens + ms * per_s > full ? full : *tokens + ms * per_s;
}

static void refill(struct halfopen *h, ms_t now)
{
	uint64_t rate = h->limits.replies_per_s, crowd = h->limits.total / CROWD_S + 1;

	pour(&h->tokens, now - h->refilled, rate, rate * 1000);
	pour(&h->crowd, now - h->refilled, crowd, crowd * 500 + 500);
	h->refilled = now;
}

bool ho_may_reply(struct halfopen *h, ms_t now)
{
	refill(h, now);
	if (h->tokens < 1000)
		return false;
	h->tokens -= 1000;
	return true;
}

static uint64_t hash_of(const struct halfopen *h, const struct ho_addr *from, uint32_t peer_tunnel_id)
{
	uint64_t v = h->salt ^ peer_tunnel_id, word;

	_Static_assert(sizeof(*from) % sizeof(word) == 0, "struct ho_addr is whole words");
	for (size_t at = 0; at < sizeof(*from); at += sizeof(word)) {
		memcpy(&word, (const char *)from + at, sizeof(word));
		v = (v ^ word) * h->salt;
		v ^= v >> 29;
	}
	return v;
}

static void forget_knocks(struct halfopen *h, ms_t now)
{
	struct knocks *k = h->knocks;
	ms_t age = k ? now - k->since : 0;

	if (age < KNOCK_MS)
		return;
	k->since = now;
	k->now ^= 1;
	memset(k->bit[k->now], 0, sizeof(k->bit[0]));
	if (age >= 2 * KNOCK_MS)
		memset(k->bit[k->now ^ 1], 0, sizeof(k->bit[0]));
}

/* Has it asked before?  Remembers that it has now. */
static bool knocks_again(struct halfopen *h, ms_t now, uint64_t hash)
{
	bool known[2] = { true, true };

	if (!h->knocks) {
		h->knocks = l2tp_alloc(sizeof(*h->knocks));
		if (!h->knocks)
			return false;
		memset(h->knocks, 0, sizeof(*h->knocks));
		h->knocks->since = now;
	}
	forget_knocks(h, now);
	for (unsigned i = 0; i < KNOCK_MARKS; i++, hash *= h->salt) {
		size_t at = hash >> (64 - KNOCK_BITS);
		uint64_t mark = UINT64_C(1) << at % 64;

		for (unsigned j = 0; j < 2; j++)
			known[j] = known[j] && h->knocks->bit[j][at / 64] & mark;
		h->knocks->bit[h->knocks->now][at / 64] |= mark;
	}
	return known[0] || known[1];
}

/* Early drop: from a table that is half full on, most newcomers do not enter, whoever happens to come. */
static bool crowded(struct halfopen *h)
{
	if (h->count <= h->limits.total / 2)
		return false;
	if (h->crowd < 1000)
		return true;
	h->crowd -= 1000;
	return false;
}

void ho_expire_now(struct halfopen *h, int32_t i)
{
	struct ho_entry *e = ho_at(h, i);

	unlist(h, i);
	e->since = 0;
	e->policy_gen = 0;
	e->age_prev = HO_NONE;
	e->age_next = h->oldest;
	if (h->oldest != HO_NONE)
		ho_at(h, h->oldest)->age_prev = i;
	else
		h->newest = i;
	h->oldest = i;
	e->peer_tunnel_id = 0;			/* marks it: 0 is nobody's id */
}

int32_t ho_meet(struct halfopen *h, ms_t now, const struct ho_addr *from, uint32_t peer_tunnel_id, struct span host_name,
		unsigned per_addr, uint32_t tunnel_id, enum ho_verdict *ret_verdict)
{
	int32_t i, oldest = HO_NONE, oldest_addr = HO_NONE;
	unsigned n_addr = 0, n_prefix = 0;
	uint8_t digest[MD5_LEN];
	struct ho_entry *e;

	for (i = *prefix_bucket(h, from); i != HO_NONE; i = e->next_addr) {
		e = ho_at(h, i);
		if (!e->peer_tunnel_id || prefix_of(&e->from) != prefix_of(from))
			continue;
		n_prefix++;
		oldest = i;			/* new ones are hashed in front */
		if (!same_addr(&e->from, from))
			continue;
		n_addr++;
		oldest_addr = i;
		if (!ho_same_path(&e->from, from) || e->peer_tunnel_id != peer_tunnel_id)
			continue;
		md5(digest, &host_name, 1);
		if (!memcmp(digest, e->host_digest, sizeof(digest)))
			return i;
	}
	refill(h, now);
	*ret_verdict = n_addr >= per_addr ? HO_LIMIT : HO_DROP;
	if ((n_addr >= per_addr || n_prefix >= h->limits.per_prefix || h->tokens < h->limits.replies_per_s * UINT64_C(500) ||
	     crowded(h)) && !knocks_again(h, now, hash_of(h, from, peer_tunnel_id)))
		return HO_NONE;
	if (n_addr >= per_addr)
		ho_expire_now(h, oldest_addr);
	else if (n_prefix >= h->limits.per_prefix)
		ho_expire_now(h, oldest);
	*ret_verdict = HO_DROP;
	if (h->count < h->limits.total && tunnel_id && ho_place(h, tunnel_id) == HO_NONE)
		*ret_verdict = HO_REPLY;
	return HO_NONE;
}

int32_t ho_insert(struct halfopen *h, const struct ho_entry *e)
{
	int32_t i = take_place(h);

	if (i == HO_NONE)
		return HO_NONE;
	*ho_at(h, i) = *e;
	link_entry(h, i);
	return i;
}

void ho_touch(struct halfopen *h, int32_t i, ms_t now)
{
	unlist(h, i);
	ho_at(h, i)->since = now;
	list_newest(h, i);
}

void ho_remove(struct halfopen *h, int32_t i)
{
	unhash(h, i);
	unlist(h, i);
	free_place(h, i);
}

const struct env *ho_env(const struct halfopen *h)
{
	return h->env;
}

const struct ho_entry *ho_find(const struct halfopen *h, uint32_t tunnel_id)
{
	int32_t i = tunnel_id ? ho_place(h, tunnel_id) : HO_NONE;

	return i != HO_NONE && ho_at(h, i)->peer_tunnel_id ? ho_at(h, i) : NULL;
}

const struct ho_entry *ho_find_only(const struct halfopen *h, const struct ho_addr *from)
{
	const struct ho_entry *only = NULL;

	for (int32_t i = *prefix_bucket(h, from); i != HO_NONE; i = ho_at(h, i)->next_addr) {
		if (!ho_at(h, i)->peer_tunnel_id || !ho_same_path(&ho_at(h, i)->from, from))
			continue;
		if (only)
			return NULL;
		only = ho_at(h, i);
	}
	return only;
}

static ms_t expiry(const struct halfopen *h, const struct ho_entry *e)
{
	return e->peer_tunnel_id ? e->since + h->limits.expire_ms : 0;
}

unsigned ho_expire(struct halfopen *h, ms_t now, uint32_t *ids, unsigned n)
{
	unsigned done = 0;

	while (done < n && h->oldest != HO_NONE && (now >= expiry(h, ho_at(h, h->oldest)) || h->count >= h->limits.total)) {
		int32_t i = h->oldest;

		ids[done++] = ho_at(h, i)->tunnel_id;
		ho_remove(h, i);
	}
	return done;
}

ms_t ho_deadline(const struct halfopen *h)
{
	if (h->oldest == HO_NONE)
		return NEVER;
	return h->count >= h->limits.total ? 0 : expiry(h, ho_at(h, h->oldest));
}

unsigned ho_count(const struct halfopen *h)
{
	return h->count;
}

const struct ho_entry *ho_next(const struct halfopen *h, const struct ho_entry *after)
{
	int32_t i = after ? after->age_next : h->oldest;

	while (i != HO_NONE && !ho_at(h, i)->peer_tunnel_id)
		i = ho_at(h, i)->age_next;
	return i != HO_NONE ? ho_at(h, i) : NULL;
}

unsigned ho_count_policy(const struct halfopen *h, uint16_t policy)
{
	unsigned n = 0;

	for (int32_t i = h->oldest; i != HO_NONE; i = ho_at(h, i)->age_next)
		n += ho_at(h, i)->policy == policy && ho_at(h, i)->peer_tunnel_id;
	return n;
}
