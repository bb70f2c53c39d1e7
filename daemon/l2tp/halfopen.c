/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "halfopen.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "l2tp/rel.h"

enum { CHUNK = 64, NONE = -1 };			/* entries that are allocated at once */

struct chunk {
	unsigned used;
	struct ho_entry entry[CHUNK];
};

/* Entries hang in two hashes, by tunnel id and by source prefix, and in one list by age.  A prefix
 * has few entries, so that chain answers every question about a source. */
struct halfopen {
	const struct env *env;
	struct ho_limits limits;
	unsigned count, n_chunks, bits;
	uint64_t salt;				/* of the hash by prefix: strangers choose their sources */
	int32_t oldest, newest;
	uint64_t tokens;			/* thousandths of a reply */
	ms_t refilled;
	int32_t *by_id, *by_prefix;
	struct chunk *chunk[];
};

static struct ho_entry *at(const struct halfopen *h, int32_t i)
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

static int32_t *id_bucket(const struct halfopen *h, uint16_t id)
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

static bool same_path(const struct ho_addr *a, const struct ho_addr *b)
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
	h->oldest = h->newest = NONE;
	h->tokens = h->limits.replies_per_s * UINT64_C(1000);
	h->by_id = (int32_t *)(void *)&h->chunk[n_chunks];
	h->by_prefix = h->by_id + buckets;
	for (size_t i = 0; i < 2 * buckets; i++)
		h->by_id[i] = NONE;
	return h;
}

void ho_free(struct halfopen *h)
{
	for (unsigned i = 0; h && i < h->n_chunks; i++)
		free(h->chunk[i]);
	free(h);
}

/* A free place in the first chunk that has one, so that chunks empty from behind. */
static int32_t take_place(struct halfopen *h)
{
	unsigned c = 0;

	while (c < h->n_chunks && h->chunk[c] && h->chunk[c]->used == CHUNK)
		c++;
	if (c == h->n_chunks)
		return NONE;
	if (!h->chunk[c]) {
		h->chunk[c] = l2tp_alloc(sizeof(*h->chunk[c]));
		if (!h->chunk[c])
			return NONE;
		memset(h->chunk[c], 0, sizeof(*h->chunk[c]));
	}
	for (int32_t i = 0; i < CHUNK; i++)
		if (!h->chunk[c]->entry[i].used)
			return (int32_t)c * CHUNK + i;
	return NONE;
}

static void unhash(const struct halfopen *h, int32_t i)
{
	struct ho_entry *e = at(h, i);
	int32_t *p = id_bucket(h, e->tunnel_id);

	while (*p != i)
		p = &at(h, *p)->next_id;
	*p = e->next_id;
	p = prefix_bucket(h, &e->from);
	while (*p != i)
		p = &at(h, *p)->next_addr;
	*p = e->next_addr;
}

static void unlist(struct halfopen *h, int32_t i)
{
	struct ho_entry *e = at(h, i);

	if (e->age_prev != NONE)
		at(h, e->age_prev)->age_next = e->age_next;
	else
		h->oldest = e->age_next;
	if (e->age_next != NONE)
		at(h, e->age_next)->age_prev = e->age_prev;
	else
		h->newest = e->age_prev;
}

static void free_place(struct halfopen *h, int32_t i)
{
	struct chunk **c = &h->chunk[i / CHUNK];

	wipe(at(h, i), sizeof(struct ho_entry));
	h->count--;
	if (--(*c)->used)
		return;
	free(*c);
	*c = NULL;
}

static void link_entry(struct halfopen *h, int32_t i)
{
	struct ho_entry *e = at(h, i);
	int32_t *id = id_bucket(h, e->tunnel_id), *prefix = prefix_bucket(h, &e->from);

	e->used = true;
	e->next_id = *id;
	*id = i;
	e->next_addr = *prefix;
	*prefix = i;
	e->age_prev = h->newest;
	e->age_next = NONE;
	if (h->newest != NONE)
		at(h, h->newest)->age_next = i;
	else
		h->oldest = i;
	h->newest = i;
	h->chunk[i / CHUNK]->used++;
	h->count++;
}

static int32_t find_id(const struct halfopen *h, uint16_t id)
{
	int32_t i = *id_bucket(h, id);

	while (i != NONE && at(h, i)->tunnel_id != id)
		i = at(h, i)->next_id;
	return i;
}

static bool may_reply(struct halfopen *h, ms_t now)
{
	uint64_t full = h->limits.replies_per_s * UINT64_C(1000), add;

	add = (now - h->refilled) * h->limits.replies_per_s;
	if (now - h->refilled > 1000)
		add = full;
	h->refilled = now;
	h->tokens = h->tokens + add < full ? h->tokens + add : full;
	if (h->tokens < 1000)
		return false;
	h->tokens -= 1000;
	return true;
}

/* SCCRP for this entry, with what fits into the budget: a forged source must gain nothing. */
static size_t reply(struct ho_entry *e, const struct l2tp_msg *sccrq, size_t len,
		    const struct cc_conf *conf, void *buf, size_t size)
{
	size_t budget = len + len / 2, n;
	uint8_t response[L2TP_RESPONSE_LEN];
	struct l2tp_msg m = {
		.type = L2TP_SCCRP, .tunnel_id = e->peer_tunnel_id, .nr = 1,
		.protocol_version = L2TP_PROTOCOL_VERSION, .framing_caps = 3, .bearer_caps = 3,
		.assigned_tunnel_id = e->tunnel_id, .rws = conf->rws ? conf->rws : 16,
		.host_name = { (const uint8_t *)conf->host_name, strlen(conf->host_name) },
		.present = L2TP_BIT(L2TP_AVP_PROTOCOL_VERSION) | L2TP_BIT(L2TP_AVP_FRAMING_CAPS) |
			   L2TP_BIT(L2TP_AVP_HOST_NAME) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID) |
			   L2TP_BIT(L2TP_AVP_BEARER_CAPS) | L2TP_BIT(L2TP_AVP_RWS),
	};

	budget = budget < size ? budget : size;
	m.rws = m.rws < REL_RWS_MAX ? m.rws : REL_RWS_MAX;
	if (conf->vendor_name) {
		m.vendor_name = (struct span){ (const uint8_t *)conf->vendor_name, strlen(conf->vendor_name) };
		m.present |= L2TP_BIT(L2TP_AVP_VENDOR_NAME);
	}
	if (l2tp_has(sccrq, L2TP_AVP_CHALLENGE)) {
		l2tp_response(response, L2TP_SCCRP, conf->secret, sccrq->challenge);
		m.response = (struct span){ response, sizeof(response) };
		m.present |= L2TP_BIT(L2TP_AVP_CHALLENGE_RESPONSE);
	}
	if (e->challenged) {
		/* again with as many octets as the first time: the response to that one may be on its way */
		m.challenge = (struct span){ e->challenge, e->challenge_len };
		m.present |= L2TP_BIT(L2TP_AVP_CHALLENGE);
	}
	for (unsigned cut = 0; ; cut++) {
		size_t room;

		e->challenge_len = (uint8_t)m.challenge.n;
		n = l2tp_encode(&m, buf, budget, conf->secret);
		if (n)
			return n;
		switch (cut) {
		case 0:
			m.present &= ~L2TP_BIT(L2TP_AVP_VENDOR_NAME);
			break;
		case 1:
			m.present &= ~(L2TP_BIT(L2TP_AVP_RWS) | L2TP_BIT(L2TP_AVP_BEARER_CAPS));
			break;
		case 2:
		case 4:				/* as much of the name as there is room for */
			room = m.host_name.n;
			m.host_name.n = 1;
			n = l2tp_encode(&m, buf, budget, conf->secret);
			if (n && budget - n + 1 < room)
				room = budget - n + 1;
			m.host_name.n = n ? room : 1;
			break;
		case 3:
			m.challenge.n = m.challenge.n > 8 ? 8 : m.challenge.n;
			m.host_name.n = strlen(conf->host_name);
			break;
		default:			/* nothing is left to cut */
			return 0;
		}
	}
}

static void fill(struct ho_entry *e, const struct halfopen *h, ms_t now, const struct ho_addr *from,
		 const struct l2tp_msg *m, const struct cc_conf *conf)
{
	*e = (struct ho_entry){ .from = *from, .peer_tunnel_id = m->assigned_tunnel_id,
				.peer_rws = L2TP_DEFAULT_RWS, .framing_caps = m->framing_caps,
				.bearer_caps = m->bearer_caps, .firmware = m->firmware, .since = now };
	if (l2tp_has(m, L2TP_AVP_RWS))
		e->peer_rws = m->rws;
	l2tp_clean(e->host_name, sizeof(e->host_name), m->host_name);
	l2tp_clean(e->vendor_name, sizeof(e->vendor_name), m->vendor_name);
	md5(e->host_digest, &m->host_name, 1);
	if (conf->secret.n) {
		e->challenged = true;
		e->challenge_len = sizeof(e->challenge);
		h->env->random(h->env->arg, e->challenge, sizeof(e->challenge));
	}
}

/* Nobody may find it any more; ho_expire hands its id back next. */
static void expire_now(struct halfopen *h, int32_t i)
{
	struct ho_entry *e = at(h, i);

	unlist(h, i);
	e->since = 0;
	e->policy_gen = 0;
	e->age_prev = NONE;
	e->age_next = h->oldest;
	if (h->oldest != NONE)
		at(h, h->oldest)->age_prev = i;
	else
		h->newest = i;
	h->oldest = i;
	e->peer_tunnel_id = 0;			/* marks it: 0 is nobody's id */
}

/* What a stranger must say to get an answer; everything else is dropped without a word. */
static bool acceptable(const struct l2tp_msg *m, const struct cc_conf *conf)
{
	if (m->type != L2TP_SCCRQ || m->tunnel_id || m->session_id || m->ns || m->nr)
		return false;
	if (!m->assigned_tunnel_id || !m->host_name.n)
		return false;
	if (l2tp_has(m, L2TP_AVP_PROTOCOL_VERSION) && m->protocol_version >> 8 != 1)
		return false;
	if ((m->present | m->unread) & L2TP_BIT(L2TP_AVP_CHALLENGE) &&
	    (!conf->secret.n || !m->challenge.n))
		return false;
	return !conf->strict || (!m->unknown_m && !m->error && !m->missing);
}

enum ho_verdict ho_sccrq(struct halfopen *h, ms_t now, const struct ho_addr *from,
			 const struct l2tp_msg *m, size_t len, const struct cc_conf *conf,
			 uint16_t policy, uint32_t policy_gen, unsigned per_addr, uint16_t tunnel_id,
			 bool *ret_used, void *buf, size_t size, size_t *ret_len)
{
	unsigned n_addr = 0, n_prefix = 0;
	uint8_t digest[MD5_LEN];
	struct ho_entry *e;
	int32_t i, oldest = NONE;

	*ret_used = false;
	*ret_len = 0;
	if (!acceptable(m, conf))
		return HO_DROP;
	for (i = *prefix_bucket(h, from); i != NONE; i = e->next_addr) {
		e = at(h, i);
		if (!e->peer_tunnel_id || prefix_of(&e->from) != prefix_of(from))
			continue;
		n_prefix++;
		oldest = i;			/* new ones are hashed in front */
		if (!same_addr(&e->from, from))
			continue;
		n_addr++;
		if (!same_path(&e->from, from) || e->peer_tunnel_id != m->assigned_tunnel_id)
			continue;
		md5(digest, &m->host_name, 1);
		if (memcmp(digest, e->host_digest, sizeof(digest)))
			continue;
		if (!may_reply(h, now))
			return HO_DROP;
		*ret_len = reply(e, m, len, conf, buf, size);	/* a retransmission: the same answer */
		return *ret_len ? HO_REPLY : HO_DROP;
	}
	if (n_addr >= per_addr)
		return HO_LIMIT;
	if (n_prefix >= h->limits.per_prefix)
		expire_now(h, oldest);		/* a neighbour's flood keeps nobody out, it only forgets its own */
	if (h->count >= h->limits.total || !tunnel_id || find_id(h, tunnel_id) != NONE)
		return HO_DROP;
	if (!may_reply(h, now))
		return HO_DROP;
	i = take_place(h);
	if (i == NONE)
		return HO_DROP;
	e = at(h, i);
	fill(e, h, now, from, m, conf);
	e->tunnel_id = tunnel_id;
	e->policy = policy;
	e->policy_gen = policy_gen;
	link_entry(h, i);
	*ret_len = reply(e, m, len, conf, buf, size);
	if (!*ret_len) {
		unhash(h, i);
		unlist(h, i);
		free_place(h, i);
		return HO_DROP;
	}
	*ret_used = true;
	return HO_REPLY;
}

static bool proven(const struct ho_entry *e, const struct l2tp_msg *m, const struct cc_conf *conf)
{
	uint8_t want[L2TP_RESPONSE_LEN];

	if (!e->challenged)
		return true;
	l2tp_response(want, L2TP_SCCCN, conf->secret, (struct span){ e->challenge, e->challenge_len });
	return l2tp_has(m, L2TP_AVP_CHALLENGE_RESPONSE) &&
	       span_same((struct span){ want, sizeof(want) }, m->response);
}

/* 4.4.2 StopCCN 4 to one whose SCCCN proves that it is where it says, but not who. */
static size_t refuse(const struct ho_entry *e, void *buf, size_t size)
{
	struct l2tp_msg m = {
		.type = L2TP_STOPCCN, .tunnel_id = e->peer_tunnel_id, .ns = 1, .nr = 2,
		.assigned_tunnel_id = e->tunnel_id, .result = { .result = L2TP_STOP_UNAUTHORIZED },
		.present = L2TP_BIT(L2TP_AVP_RESULT_CODE) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID),
	};

	return l2tp_encode(&m, buf, size, (struct span){ NULL, 0 });
}

enum ho_verdict ho_scccn(struct halfopen *h, ms_t now, const struct ho_addr *from,
			 const struct l2tp_msg *m, const struct cc_conf *conf, struct ho_entry *ret,
			 void *buf, size_t size, size_t *ret_len)
{
	int32_t i = m->tunnel_id ? find_id(h, m->tunnel_id) : NONE;
	struct ho_entry *e;
	bool good;

	(void)now;
	*ret_len = 0;
	if (i == NONE)
		return HO_UNKNOWN;
	e = at(h, i);
	if (!e->peer_tunnel_id || !same_path(&e->from, from) || m->ns != 1)
		return HO_DROP;
	if (m->type == L2TP_STOPCCN && m->nr <= 1)
		expire_now(h, i);
	if (m->type != L2TP_SCCCN || m->nr != 1)
		return HO_DROP;
	good = proven(e, m, conf) && !(conf->strict && (m->unknown_m || m->error));
	*ret = *e;
	if (!good)
		*ret_len = refuse(e, buf, size);
	unhash(h, i);
	unlist(h, i);
	free_place(h, i);
	return good ? HO_ACCEPTED : HO_REFUSED;
}

const struct ho_entry *ho_find(const struct halfopen *h, uint16_t tunnel_id)
{
	int32_t i = tunnel_id ? find_id(h, tunnel_id) : NONE;

	return i != NONE && at(h, i)->peer_tunnel_id ? at(h, i) : NULL;
}

static ms_t expiry(const struct halfopen *h, const struct ho_entry *e)
{
	return e->peer_tunnel_id ? e->since + h->limits.expire_ms : 0;
}

unsigned ho_expire(struct halfopen *h, ms_t now, uint16_t *ids, unsigned n)
{
	unsigned done = 0;

	while (done < n && h->oldest != NONE && (now >= expiry(h, at(h, h->oldest)) || h->count >= h->limits.total)) {
		int32_t i = h->oldest;

		ids[done++] = at(h, i)->tunnel_id;
		unhash(h, i);
		unlist(h, i);
		free_place(h, i);
	}
	return done;
}

ms_t ho_deadline(const struct halfopen *h)
{
	if (h->oldest == NONE)
		return NEVER;
	return h->count >= h->limits.total ? 0 : expiry(h, at(h, h->oldest));
}

unsigned ho_count(const struct halfopen *h)
{
	return h->count;
}

unsigned ho_count_policy(const struct halfopen *h, uint16_t policy)
{
	unsigned n = 0;

	for (int32_t i = h->oldest; i != NONE; i = at(h, i)->age_next)
		n += at(h, i)->policy == policy && at(h, i)->peer_tunnel_id;
	return n;
}
