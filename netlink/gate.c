/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <uthash.h>

#include "nft.h"
#include "table.h"
#include "why.h"

/* The first of the chains.  Lengths of keys are those of the registers; nft(8)'s numbers of types, of a concatenation (mark,
 * address, port, another number of 16 bits) with six bits each. */
enum { FIRST = -350, MANGLE = -150, NAME_SIZE = 24, KEY4 = 16, KEY6 = 28,
       TYPE_INTEGER = 4, TYPE_PORT = 13, TYPE_MARK = 19, TYPE_SOURCE4 = ((19 << 6 | 7) << 6 | 13) << 6 | 13,
       TYPE_SOURCE6 = ((19 << 6 | 8) << 6 | 13) << 6 | 13 };

/* RFC 2661 3.1, after a UDP header: T, L and Ver; the Tunnel ID without and with a Length before it. */
enum { AT_FLAGS = 8, AT_TUNNEL_ID = 10, AT_TUNNEL_ID_L = 12 };
static const uint8_t type_and_version[2] = { 0x80, 0x0f }, data_v2[2] = { 0x00, 0x02 }, with_length[2] = { 0x40, 0x00 };
static const uint8_t zero[4], low[4] = { 0, 0, 0xff, 0xff }, one[1] = { 1 }, udp[1] = { IPPROTO_UDP };

struct gate_mark { uint32_t mark; unsigned users; UT_hash_handle hh; };

static const char *name_of(const struct gate *g, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "ktund-gate-%08x", g->tag);
	return name;
}

void gate_init(struct gate *g)
{
	const char *forced = getenv("KTUND_KEEPER_GATE");

	*g = (struct gate){ .fd = -1, .off = forced && !strcmp(forced, "0") };
	pthread_mutex_init(&g->lock, NULL);
}

void gate_done(struct gate *g)
{
	struct gate_mark *m, *next;

	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
	HASH_ITER(hh, g->marks, m, next) {
		HASH_DEL(g->marks, m);
		free(m);
	}
	free(g->port_users);
	free(g->known);
	pthread_mutex_destroy(&g->lock);
}

/* Rules */

static void only_udp(struct nft *b, const char *chain)
{
	size_t rule = nft_rule(b, chain, false);

	nft_meta(b, NFT_META_L4PROTO, 0);
	nft_cmp(b, false, 0, udp, sizeof(udp));
	nft_verdict(b, NF_ACCEPT, NULL);
	nft_rule_end(b, rule, NULL);
}

static void family(struct nft *b, unsigned which)
{
	uint8_t proto = which == 6 ? NFPROTO_IPV6 : NFPROTO_IPV4;

	nft_meta(b, NFT_META_NFPROTO, 0);
	nft_cmp(b, true, 0, &proto, sizeof(proto));
}

/* Data with or without a Length. */
static void length_bit(struct nft *b, bool set)
{
	nft_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, AT_FLAGS, 2, 0);
	nft_and(b, 0, with_length, 2);
	nft_cmp(b, true, 0, set ? with_length : zero, 2);
}

/* What comes from its tunnel's peer passes; marked: with the mark that it has, else as if it had none. */
static void from_peer(struct nft *b, const char *chain, bool marked, unsigned which, bool with_l)
{
	unsigned words = which == 6 ? 4 : 1;
	size_t rule = nft_rule(b, chain, false);

	family(b, which);
	length_bit(b, with_l);
	if (marked)
		nft_meta(b, NFT_META_MARK, 0);
	else
		nft_load(b, 0, zero, 4);
	nft_payload(b, NFT_PAYLOAD_NETWORK_HEADER, which == 6 ? 8 : 12, words * 4, 1);
	nft_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, 1 + words);
	nft_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, with_l ? AT_TUNNEL_ID_L : AT_TUNNEL_ID, 2, 2 + words);
	nft_lookup(b, true, which == 6 ? "source6" : "source4", 0);
	nft_verdict(b, NF_ACCEPT, NULL);
	nft_rule_end(b, rule, NULL);
}

static void from_any_peer(struct nft *b, const char *chain, bool marked)
{
	for (unsigned i = 0; i < 4; i++)
		from_peer(b, chain, marked, i / 2 ? 6 : 4, i % 2);
}

static void by_tunnel_id(struct nft *b, bool ours, bool with_l)
{
	size_t rule = nft_rule(b, "judge", false);

	length_bit(b, with_l);
	nft_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, (with_l ? AT_TUNNEL_ID_L : AT_TUNNEL_ID) - 2, 4, 0);
	nft_and(b, 0, low, sizeof(low));
	nft_lookup(b, ours, "tunnels", 0);
	nft_verdict(b, ours ? NFT_GOTO : NF_ACCEPT, ours ? "foreign" : NULL);
	nft_rule_end(b, rule, NULL);
}

static void drop_chain(struct nft *b, const char *chain, const char *comment)
{
	size_t rule;

	nft_chain(b, chain, -1, 0);
	rule = nft_rule(b, chain, false);
	nft_counter(b);
	nft_verdict(b, NF_DROP, NULL);
	nft_rule_end(b, rule, comment);
}

/* TCP that begins: what both ends announce is cut to what fits, for where ICMP does not tell them (RFC 2923 2.1). */
static void only_syn(struct nft *b)
{
	static const uint8_t tcp[1] = { IPPROTO_TCP }, syn_rst[1] = { 0x06 }, syn[1] = { 0x02 };

	nft_meta(b, NFT_META_L4PROTO, 0);
	nft_cmp(b, true, 0, tcp, sizeof(tcp));
	nft_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, 0);
	nft_and(b, 0, syn_rst, sizeof(syn_rst));
	nft_cmp(b, true, 0, syn, sizeof(syn));
}

static void clamp(struct nft *b, enum nft_meta_keys side)
{
	uint32_t group = K_LINK_GROUP;
	size_t rule = nft_rule(b, "mss", false);

	nft_meta(b, side, 0);
	nft_cmp(b, true, 0, &group, sizeof(group));
	only_syn(b);
	nft_route_mss(b, 0);
	nft_lower_mss(b, 0);
	nft_rule_end(b, rule, NULL);
}

/* A packet too short for a rule's fields does not match.  IPv4 is whole by now; of IPv6 there may be a first fragment that
 * holds no more than the UDP header, whose rest could not be judged. */
static void make_rules(struct nft *b)
{
	size_t rule;

	nft_table(b, true);
	nft_set(b, "ports", TYPE_PORT, 2, true);
	nft_set(b, "tunnels", TYPE_INTEGER, 4, true);	/* of 2 octets it would be a bitmap: slow to insert into */
	nft_set(b, "marks", TYPE_MARK, 4, false);
	nft_set(b, "source4", TYPE_SOURCE4, KEY4, true);
	nft_set(b, "source6", TYPE_SOURCE6, KEY6, true);
	nft_element(b, true, "marks", zero, 4);
	drop_chain(b, "foreign", "data for another peer's tunnel");
	drop_chain(b, "plain-in", "came without IPsec");
	drop_chain(b, "plain-out", "would go without IPsec");
	nft_chain(b, "judge", -1, 0);
	nft_chain(b, "data", NF_INET_LOCAL_IN, FIRST);

	only_udp(b, "data");
	rule = nft_rule(b, "data", false);
	nft_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 0);
	nft_lookup(b, false, "ports", 0);
	nft_verdict(b, NF_ACCEPT, NULL);
	nft_rule_end(b, rule, NULL);
	rule = nft_rule(b, "data", false);
	nft_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, AT_FLAGS, 2, 0);
	nft_and(b, 0, type_and_version, 2);
	nft_cmp(b, false, 0, data_v2, 2);
	nft_verdict(b, NF_ACCEPT, NULL);
	nft_rule_end(b, rule, "control messages, version 3");
	from_any_peer(b, "data", true);
	rule = nft_rule(b, "data", false);
	nft_meta(b, NFT_META_MARK, 0);
	nft_lookup(b, true, "marks", 0);
	nft_verdict(b, NFT_GOTO, "judge");
	nft_rule_end(b, rule, NULL);
	from_any_peer(b, "data", false);	/* a mark that is no tunnel's is a firewall's */
	rule = nft_rule(b, "data", false);
	nft_verdict(b, NFT_GOTO, "judge");
	nft_rule_end(b, rule, NULL);

	by_tunnel_id(b, false, false);
	by_tunnel_id(b, false, true);
	by_tunnel_id(b, true, false);
	by_tunnel_id(b, true, true);
	rule = nft_rule(b, "judge", false);
	family(b, 6);
	nft_fragment(b, 0);
	nft_cmp(b, true, 0, one, sizeof(one));
	nft_verdict(b, NFT_GOTO, "foreign");
	nft_rule_end(b, rule, "a fragment too short to be judged");
	nft_chain(b, "mss", NF_INET_FORWARD, MANGLE);
	clamp(b, NFT_META_IIFGROUP);
	clamp(b, NFT_META_OIFGROUP);
}

int gate_start(struct gate *g, char *why)
{
	struct nft b = { 0 };
	char name[NAME_SIZE];
	int err = 0, fd;

	if (g->off)
		return 0;
	g->port_users = calloc(65536, sizeof(*g->port_users));
	g->known = calloc(65536, sizeof(*g->known));
	if (!g->port_users || !g->known)
		return why_fail(why, -ENOMEM, "nf_tables", NULL);
	g->nets = g->fd >= 0 && g->tag;
	if (g->nets)
		return 0;
	while (!g->tag)
		if (getrandom(&g->tag, sizeof(g->tag), 0) < 0)
			g->tag = (uint32_t)getpid();
	fd = nft_open();
	if (fd >= 0) {
		nft_begin(&b, name_of(g, name));
		make_rules(&b);
		err = nft_commit(&b, fd);
	}
	nft_done(&b);
	if (fd >= 0 && !err)
		g->fd = fd;
	else if (fd >= 0)
		close(fd);
	err = fd < 0 ? fd : err;
	return err ? why_fail(why, err, "nf_tables", NULL) : 0;
}

/* Elements */

struct gate_tunnel gate_tunnel_of(const struct tunnel *t)
{
	const struct k_request *r = t->was;

	return (struct gate_tunnel){ r->tunnel.peer, t->alias ? t->alias : r->tunnel.peer.port, r->tunnel.local.port, t->id,
				     r->tunnel.mark, t->old_mark };
}

static size_t source_key(const struct gate_tunnel *t, uint32_t mark, uint8_t key[KEY6])
{
	unsigned words = t->peer.family == 6 ? 4 : 1;
	uint16_t port = htons(t->port), id = htons(t->tunnel_id);

	memset(key, 0, KEY6);
	memcpy(key, &mark, 4);			/* host order, as "meta mark" is */
	memcpy(key + 4, t->peer.addr, words * 4);
	memcpy(key + 4 + words * 4, &port, 2);
	memcpy(key + 8 + words * 4, &id, 2);
	return 12 + words * 4;
}

static bool mark_in(struct gate *g, uint32_t mark)
{
	struct gate_mark *m;

	HASH_FIND(hh, g->marks, &mark, sizeof(mark), m);
	if (!m && (m = calloc(1, sizeof(*m)))) {
		m->mark = mark;
		HASH_ADD(hh, g->marks, mark, sizeof(m->mark), m);
		if (!m->hh.tbl) {		/* no memory */
			free(m);
			m = NULL;
		}
	}
	if (m)
		m->users++;
	return m;
}

/* Was it the last of this mark? */
static bool mark_out(struct gate *g, uint32_t mark)
{
	struct gate_mark *m;

	HASH_FIND(hh, g->marks, &mark, sizeof(mark), m);
	if (!m || --m->users)
		return false;
	HASH_DEL(g->marks, m);
	free(m);
	return true;
}

struct change { const char *set; const void *key; size_t len; };

/* All of them at once; those to be deleted one by one if that fails, for one may be gone. */
static int change(struct gate *g, bool in, const struct change *c, unsigned n)
{
	struct nft b = { 0 };
	char name[NAME_SIZE];
	int err;

	nft_begin(&b, name_of(g, name));
	for (unsigned i = 0; i < n; i++)
		nft_element(&b, in, c[i].set, c[i].key, c[i].len);
	err = nft_commit(&b, g->fd);
	for (unsigned i = 0; i < n && err && !in; i++) {
		nft_begin(&b, name);
		nft_element(&b, false, c[i].set, c[i].key, c[i].len);
		(void)nft_commit(&b, g->fd);
	}
	nft_done(&b);
	return err;
}

/* The elements of a tunnel: those of its own, and those that it shares with others. */
struct changes { struct change c[6]; unsigned n; uint16_t port; uint32_t id; uint8_t source[2][KEY6]; };

static void put_change(struct changes *c, const char *set, const void *key, size_t len)
{
	c->c[c->n++] = (struct change){ set, key, len };
}

/* Its source with its mark, or (old) the one before. */
static int source(struct gate *g, struct changes *c, const struct gate_tunnel *t, bool in, bool old)
{
	const uint32_t *mark = old ? &t->old_mark : &t->mark;

	put_change(c, t->peer.family == 6 ? "source6" : "source4", c->source[old], source_key(t, *mark, c->source[old]));
	if (*mark && in && !mark_in(g, *mark))
		return -ENOMEM;
	if (*mark && (in || mark_out(g, *mark)))
		put_change(c, "marks", mark, sizeof(*mark));
	return 0;
}

static int count_in(struct gate *g, const struct gate_tunnel *t, struct changes *c)
{
	int err;

	*c = (struct changes){ .id = htonl(t->tunnel_id), .port = htons(t->local_port) };
	put_change(c, "tunnels", &c->id, sizeof(c->id));
	err = source(g, c, t, true, false);
	if (!err && t->old_mark && (err = source(g, c, t, true, true)) && t->mark)
		(void)mark_out(g, t->mark);
	if (err)
		return err;
	if (!g->port_users[t->local_port]++)
		put_change(c, "ports", &c->port, sizeof(c->port));
	g->known[t->tunnel_id] = 1;
	return 0;
}

static void take_out(struct gate *g, const struct gate_tunnel *t)
{
	struct changes c = { .id = htonl(t->tunnel_id), .port = htons(t->local_port) };

	put_change(&c, "tunnels", &c.id, sizeof(c.id));
	(void)source(g, &c, t, false, false);
	if (t->old_mark)
		(void)source(g, &c, t, false, true);
	if (!--g->port_users[t->local_port])
		put_change(&c, "ports", &c.port, sizeof(c.port));
	g->known[t->tunnel_id] = 0;
	(void)change(g, false, c.c, c.n);
}

int gate_mark(struct gate *g, const struct gate_tunnel *t, char *why)
{
	struct changes c = { .n = 0 };
	int err = 0;

	pthread_mutex_lock(&g->lock);
	if (g->fd >= 0 && g->known[t->tunnel_id]) {
		err = source(g, &c, t, true, false);
		if (!err && (err = change(g, true, c.c, c.n)) && t->mark)
			(void)mark_out(g, t->mark);
	}
	pthread_mutex_unlock(&g->lock);
	return err ? why_fail(why, err, "nf_tables", NULL) : 0;
}

void gate_old_mark(struct gate *g, const struct gate_tunnel *t)
{
	struct changes c = { .n = 0 };

	pthread_mutex_lock(&g->lock);
	if (g->fd >= 0 && g->known[t->tunnel_id]) {
		(void)source(g, &c, t, false, true);
		(void)change(g, false, c.c, c.n);
	}
	pthread_mutex_unlock(&g->lock);
}

int gate_add(struct gate *g, const struct gate_tunnel *t, char *why)
{
	struct changes c;
	int err = 0;

	pthread_mutex_lock(&g->lock);
	if (g->fd >= 0 && !g->known[t->tunnel_id]) {
		err = count_in(g, t, &c);
		if (!err && (err = change(g, true, c.c, c.n)))
			take_out(g, t);
	}
	pthread_mutex_unlock(&g->lock);
	return err ? why_fail(why, err, "nf_tables", NULL) : 0;
}

int gate_adopt(struct gate *g, const struct gate_tunnel *t)
{
	struct changes c;

	return g->fd >= 0 && !g->known[t->tunnel_id] ? count_in(g, t, &c) : 0;
}

void gate_del(struct gate *g, const struct gate_tunnel *t)
{
	pthread_mutex_lock(&g->lock);
	if (g->fd >= 0 && g->known[t->tunnel_id])
		take_out(g, t);
	pthread_mutex_unlock(&g->lock);
}

/* Nothing without IPsec */

static void prefix(struct nft *b, unsigned at, const struct k_addr *a, unsigned bits)
{
	size_t len = a->family == 6 ? 16 : 4;
	uint8_t mask[16] = { 0 };

	if (!bits)
		return;
	for (unsigned i = 0; i < bits; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	nft_payload(b, NFT_PAYLOAD_NETWORK_HEADER, at, (unsigned)len, 0);
	if (bits < len * 8)
		nft_and(b, 0, mask, len);
	nft_cmp(b, true, 0, a->addr, len);
}

/* From local to peer (out), or the other way. */
static void ends(struct nft *b, const struct k_guard *g, bool out)
{
	unsigned source = g->local.family == 6 ? 8 : 12, destination = g->local.family == 6 ? 24 : 16;

	prefix(b, out ? source : destination, &g->local, g->local_bits);
	prefix(b, out ? destination : source, &g->peer, g->peer_bits);
}

static void plain_rule(struct nft *b, const struct k_guard *g, bool out, bool first)
{
	uint16_t port = htons(g->local.port);
	size_t rule = nft_rule(b, out ? "out-rules" : "in-rules", first);

	family(b, g->local.family);
	if (port) {
		nft_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, out ? 0 : 2, 2, 0);
		nft_cmp(b, true, 0, &port, 2);
	}
	ends(b, g, out);
	nft_verdict(b, g->pass ? NF_ACCEPT : NFT_GOTO, g->pass ? NULL : out ? "plain-out" : "plain-in");
	nft_rule_end(b, rule, NULL);
}

/* What came through IPsec has a secpath, what goes through it has a route through a policy. */
static void through_ipsec(struct nft *b, bool out, bool is)
{
	if (out)
		nft_route_ipsec(b, 0);
	else
		nft_meta(b, NFT_META_SECPATH, 0);
	nft_cmp(b, is, 0, one, sizeof(one));
}

static void net_rule(struct nft *b, const char *chain, const struct k_guard *g, bool out)
{
	size_t rule = nft_rule(b, chain, false);

	family(b, g->local.family);
	ends(b, g, out);
	through_ipsec(b, out, false);
	nft_verdict(b, NFT_GOTO, out ? "plain-out" : "plain-in");
	nft_rule_end(b, rule, NULL);
}

/* What IPsec leaves room for is known to the way out alone, and so told here. */
static void net_clamp(struct nft *b, const struct k_guard *g, bool out)
{
	uint16_t mss = htons((uint16_t)(g->mtu - (g->local.family == 6 ? 60 : 40)));	/* IP's and TCP's headers */
	size_t rule = nft_rule(b, "nets", false);

	family(b, g->local.family);
	ends(b, g, out);
	only_syn(b);
	nft_load(b, 0, &mss, sizeof(mss));
	nft_lower_mss(b, 0);
	if (out) {
		nft_route_mss(b, 0);
		nft_lower_mss(b, 0);
	}
	nft_rule_end(b, rule, NULL);
}

/* Between networks, forwarded or ours; without port or mark, so their order does not matter. */
static bool net_chains(struct nft *b, bool were, const struct k_guard *r, unsigned n, bool more)
{
	static const struct { const char *name; int hook, priority; bool in, out; } chain[] = {
		{ "nets-in", NF_INET_LOCAL_IN, FIRST, true, false }, { "nets-out", NF_INET_LOCAL_OUT, FIRST, false, true },
		{ "nets", NF_INET_FORWARD, MANGLE, true, true },
	};
	bool any = more && were;

	for (unsigned i = 0; i < n; i++)
		any |= r[i].net;
	for (unsigned c = 0; c < sizeof(chain) / sizeof(chain[0]) && (any || were); c++) {
		nft_chain(b, chain[c].name, chain[c].hook, chain[c].priority);
		if (!more)
			nft_chain_flush(b, chain[c].name);
		for (unsigned i = 0; i < n; i++) {
			if (r[i].net && chain[c].in)
				net_rule(b, chain[c].name, &r[i], false);
			if (r[i].net && chain[c].out)
				net_rule(b, chain[c].name, &r[i], true);
			if (r[i].mtu && chain[c].in && chain[c].out) {
				net_clamp(b, &r[i], false);
				net_clamp(b, &r[i], true);
			}
		}
		if (!any)
			nft_chain_delete(b, chain[c].name);
	}
	return any;
}

static void plain_chain(struct nft *b, bool out)
{
	const char *chain = out ? "out" : "in";
	size_t rule;

	nft_chain(b, out ? "out-rules" : "in-rules", -1, 0);
	nft_chain(b, chain, out ? NF_INET_LOCAL_OUT : NF_INET_LOCAL_IN, FIRST);
	nft_chain_flush(b, chain);
	only_udp(b, chain);
	rule = nft_rule(b, chain, false);
	through_ipsec(b, out, true);
	nft_verdict(b, NF_ACCEPT, NULL);
	nft_rule_end(b, rule, NULL);
	rule = nft_rule(b, chain, false);
	nft_verdict(b, NFT_GOTO, out ? "out-rules" : "in-rules");
	nft_rule_end(b, rule, NULL);
}

int gate_plain(struct gate *g, const struct k_guard *r, unsigned n, bool more)
{
	struct nft b = { 0 };
	char name[NAME_SIZE];
	int err = 0;
	bool any;

	if (g->fd < 0 || (!n && more))
		return 0;
	pthread_mutex_lock(&g->lock);
	nft_begin(&b, name_of(g, name));
	plain_chain(&b, false);
	plain_chain(&b, true);
	for (unsigned out = 0; out < 2; out++) {
		if (!more)
			nft_chain_flush(&b, out ? "out-rules" : "in-rules");
		for (unsigned i = 0; i < n; i++) {
			const struct k_guard *rule = more ? &r[n - 1 - i] : &r[i];

			if (!rule->net)
				plain_rule(&b, rule, out, more);
		}
	}
	for (unsigned out = 0; out < 2 && !n; out++) {
		nft_chain_flush(&b, out ? "out" : "in");
		nft_chain_delete(&b, out ? "out" : "in");
	}
	any = net_chains(&b, g->nets, r, n, more);
	err = nft_commit(&b, g->fd);
	if (!err)
		g->nets = any;
	nft_done(&b);
	pthread_mutex_unlock(&g->lock);
	return err;
}

/* By a socket of its own, so that nobody waits for those who change the table. */
int gate_count(const struct gate *g, struct gate_counts *ret)
{
	struct { const char *chain; uint64_t *packets; } const of[] = {
		{ "foreign", &ret->foreign }, { "plain-in", &ret->plain_in }, { "plain-out", &ret->plain_out },
	};
	struct nft b = { 0 };
	uint64_t octets = 0;
	char name[NAME_SIZE];
	int err, fd;

	*ret = (struct gate_counts){ .on = g->fd >= 0 };
	if (g->fd < 0)
		return 0;
	fd = nft_open();
	if (fd < 0)
		return fd;
	name_of(g, name);
	err = 0;
	for (unsigned i = 0; i < 3 && !err; i++)
		err = nft_count(&b, fd, name, of[i].chain, of[i].packets, &octets);
	nft_done(&b);
	close(fd);
	return err;
}
