/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "alias.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "table.h"
#include "why.h"

/* No NAT and no client takes its port from these, so an alias never meets a real peer of that address. */
enum { ALIAS_FIRST = 512, ALIAS_LAST = 1023 };

struct aliases {
	bool needed;
	char name[24];			/* of the table */
	pthread_mutex_t rules;		/* held while nf_tables works; first this, then the list's */
	struct nft_ctx *nft;
	uint64_t done;
	pthread_mutex_t list;
	struct alias *a;
	unsigned n, room;
	uint64_t wanted;		/* counts changes of the list */
};

/* Sessions of a namespace are found by both ids since 6.11.  KTUND_KEEPER_ALIAS=1 or 0: for tests. */
static bool kernel_needs_aliases(void)
{
	const char *forced = getenv("KTUND_KEEPER_ALIAS");
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (forced && (forced[0] == '0' || forced[0] == '1'))
		return forced[0] == '1';
	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 11));
}

/* libnftables ends the process if it gets no socket: so early, while there are descriptors, and only after a try. */
static int open_nft(struct aliases *as)
{
	int err, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (as->nft)
		err = 0;
	else if (fd < 0)
		err = -errno;
	else
		err = (as->nft = nft_ctx_new(NFT_CTX_DEFAULT)) ? 0 : -ENOMEM;
	if (fd >= 0)
		close(fd);
	if (!err && (nft_ctx_buffer_error(as->nft) || nft_ctx_buffer_output(as->nft)))
		err = -ENOMEM;
	return err;
}

struct aliases *aliases_new(void)
{
	struct aliases *as = calloc(1, sizeof(*as));
	uint32_t tag;

	if (!as)
		return NULL;
	pthread_mutex_init(&as->rules, NULL);
	pthread_mutex_init(&as->list, NULL);
	if (getrandom(&tag, sizeof(tag), 0) < 0)
		tag = (uint32_t)getpid();
	snprintf(as->name, sizeof(as->name), "ktund-alias-%08x", tag);
	as->needed = kernel_needs_aliases();
	if (as->needed)
		(void)open_nft(as);	/* who needs it will hear why it does not work */
	return as;
}

void aliases_free(struct aliases *as)
{
	if (!as)
		return;
	if (as->nft)			/* NULL is not free(3)'s */
		nft_ctx_free(as->nft);	/* the table goes with the socket of its owner */
	pthread_mutex_destroy(&as->rules);
	pthread_mutex_destroy(&as->list);
	free(as->a);
	free(as);
}

static bool same_address(const struct k_addr *a, const struct k_addr *b)
{
	return a->family == b->family && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

static bool same_end(const struct k_addr *a, const struct k_addr *b)
{
	return same_address(a, b) && a->port == b->port && a->scope == b->scope;
}

int alias_choose(const struct aliases *as, const struct table *table, const struct k_request *r)
{
	bool used[ALIAS_LAST + 1] = { false }, taken = false;

	if (!as->needed || r->tunnel.v3)	/* L2TPv3's sessions were always looked up in the whole namespace */
		return 0;
	for (const struct tunnel *t = NULL; (t = table_next_from(table, &r->tunnel.peer, t)); ) {
		/* Ports are for one pair of addresses, on whatever link. */
		if (t->was->tunnel.v3 || !same_address(&t->was->tunnel.local, &r->tunnel.local) ||
		    !same_address(&t->was->tunnel.peer, &r->tunnel.peer))
			continue;
		if (t->alias && t->alias <= ALIAS_LAST)
			used[t->alias] = true;
		if (t->was->tunnel.peer.port <= ALIAS_LAST)
			used[t->was->tunnel.peer.port] = true;
		taken |= same_end(&t->was->tunnel.local, &r->tunnel.local) &&
			 (t->alias ? t->alias : t->was->tunnel.peer.port) == r->tunnel.peer.port;
	}
	for (int port = ALIAS_LAST; taken && port >= ALIAS_FIRST; port--)
		if (!used[port] && port != r->tunnel.peer.port)
			return port;
	return taken ? -ENOSPC : 0;
}

/* Rules.  Always all of them, in one transaction: that also repairs what somebody else may have done. */

static const char *address_text(const struct k_addr *a, char text[INET6_ADDRSTRLEN])
{
	return inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->addr, text, INET6_ADDRSTRLEN);
}

static bool any_of(const struct aliases *as, uint8_t family)
{
	for (unsigned i = 0; i < as->n; i++)
		if (as->a[i].peer.family == family)
			return true;
	return false;
}

static void put_ends(FILE *f, const struct alias *a, uint16_t port)
{
	char local[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN];

	fprintf(f, "%s . %u . %s . %u", address_text(&a->peer, peer), port, address_text(&a->local, local), a->local.port);
}

/* Which 4-tuples are to be looked into. */
static void put_tuples(FILE *f, const struct aliases *as, const char *table, uint8_t family, const char *ip)
{
	if (!any_of(as, family))
		return;
	fprintf(f, "add rule inet %s in %s saddr . udp sport . %s daddr . udp dport { ", table, ip, ip);
	for (unsigned i = 0; i < as->n; i++) {
		bool again = as->a[i].peer.family != family;

		for (unsigned j = 0; j < i && !again; j++)
			again = same_end(&as->a[i].peer, &as->a[j].peer) && same_end(&as->a[i].local, &as->a[j].local);
		if (again)
			continue;
		put_ends(f, &as->a[i], as->a[i].peer.port);
		fputs(", ", f);
	}
	fputs("} goto data\n", f);
}

/* A checksum of 0 means none (RFC 768) and must stay 0, so nft may not know that these 16 bits are a UDP port. */
static const struct form { const char *checksum, *source, *destination; } forms[] = {
	{ "!= 0", "udp sport", "udp dport" },
	{ "0", "@th,0,16", "@th,16,16" },
};

/* Data messages, version 2 (RFC 2661 3.1), without and with a Length in front of the Tunnel ID. */
static void put_data(FILE *f, const struct aliases *as, const char *table)
{
	static const struct { const char *flags, *tunnel_id; } header[] = {
		{ "0x0002", "@th,80,16" }, { "0x4002", "@th,96,16" },
	};

	for (unsigned i = 0; i < 4; i++) {
		fprintf(f, "add rule inet %s data udp checksum %s @th,64,16 & 0xc00f == %s %s set %s map { ", table,
			forms[i / 2].checksum, header[i % 2].flags, forms[i / 2].source, header[i % 2].tunnel_id);
		for (unsigned j = 0; j < as->n; j++)
			fprintf(f, "%u : %u, ", as->a[j].tunnel_id, as->a[j].port);
		fputs("}\n", f);
	}
}

/* The kernel sends data messages without a Length. */
static void put_out(FILE *f, const struct aliases *as, const char *table, uint8_t family, const char *ip)
{
	for (unsigned i = 0; i < 2 && any_of(as, family); i++) {
		fprintf(f, "add rule inet %s out udp checksum %s @th,64,16 & 0xc00f == 0x0002 %s set "
			"%s daddr . udp dport . %s saddr . udp sport map { ", table,
			forms[i].checksum, forms[i].destination, ip, ip);
		for (unsigned j = 0; j < as->n; j++) {
			if (as->a[j].peer.family != family)
				continue;
			put_ends(f, &as->a[j], as->a[j].port);
			fprintf(f, " : %u, ", as->a[j].peer.port);
		}
		fputs("}\n", f);
	}
}

/* An owned table outlives neither us nor, unlike others, somebody's "flush ruleset". */
static char *rules(const struct aliases *as)
{
	const char *t = as->name;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "add table inet %s { flags owner; }\n", t);
	if (!as->n) {
		fprintf(f, "delete table inet %s\n", t);
	} else {
		fprintf(f, "add chain inet %s in { type filter hook prerouting priority -90; }\n"
			"add chain inet %s out { type filter hook output priority -310; }\n"
			"add chain inet %s data\n"
			"flush table inet %s\n", t, t, t, t);
		put_data(f, as, t);
		put_tuples(f, as, t, 4, "ip");
		put_tuples(f, as, t, 6, "ip6");
		put_out(f, as, t, 4, "ip");
		put_out(f, as, t, 6, "ip6");
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int refused(char *why, int err, const char *words)
{
	static const char head[] = "a second tunnel from this address and port needs kernel 6.11 or nf_tables";

	if (!strncmp(words, "Error: ", 7))
		words += 7;
	snprintf(why, WHY_SIZE, "%s: %.*s", head, (int)strcspn(words, "\n"), words);
	return err;
}

/* Brings the kernel up to the list's state change, which another thread may have done along with its own. */
static int apply(struct aliases *as, uint64_t change, char *why)
{
	uint64_t upto;
	char *text;
	int err = 0;

	pthread_mutex_lock(&as->rules);
	if (as->done >= change)
		goto out;
	pthread_mutex_lock(&as->list);
	upto = as->wanted;
	text = rules(as);
	pthread_mutex_unlock(&as->list);
	err = text ? open_nft(as) : -ENOMEM;
	if (err)
		refused(why, err, strerror(-err));
	else if (nft_run_cmd_from_buffer(as->nft, text))
		err = refused(why, -EOPNOTSUPP, nft_ctx_get_error_buffer(as->nft));
	else
		as->done = upto;
	free(text);
out:
	pthread_mutex_unlock(&as->rules);
	return err;
}

static uint64_t forget(struct aliases *as, uint16_t tunnel_id)
{
	uint64_t change;

	pthread_mutex_lock(&as->list);
	for (unsigned i = 0; i < as->n; i++)
		if (as->a[i].tunnel_id == tunnel_id) {
			as->a[i] = as->a[--as->n];
			break;
		}
	change = ++as->wanted;
	pthread_mutex_unlock(&as->list);
	return change;
}

int alias_add(struct aliases *as, const struct alias *a, char *why)
{
	uint64_t change;
	int err;

	pthread_mutex_lock(&as->list);
	if (as->n == as->room) {
		unsigned room = as->room ? as->room * 2 : 8;
		struct alias *more = realloc(as->a, room * sizeof(*more));

		if (!more) {
			pthread_mutex_unlock(&as->list);
			return why_fail(why, -ENOMEM, "alias", NULL);
		}
		as->a = more;
		as->room = room;
	}
	as->a[as->n++] = *a;
	change = ++as->wanted;
	pthread_mutex_unlock(&as->list);
	err = apply(as, change, why);
	if (err)
		forget(as, a->tunnel_id);
	return err;
}

void alias_del(struct aliases *as, uint16_t tunnel_id)
{
	char why[WHY_SIZE];

	(void)apply(as, forget(as, tunnel_id), why);	/* a rule too many waits for the next change */
}
