/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a keeper leaves to its successor comes back as it was, whichever of the two is newer. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlink/check.h"
#include "netlink/handover.h"
#include "netlink/server.h"
#include "netlink/wire.h"

static int count, failed;

static void ok(bool good, const char *what)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++count, what);
	failed += !good;
}

static struct k_addr v4(const char *text, uint16_t port)
{
	struct k_addr a = { .family = 4, .port = port };

	inet_pton(AF_INET, text, a.addr);
	return a;
}

static struct k_request tunnel_request(void)
{
	struct k_request r = { .op = K_TUNNEL_UP, .tunnel_id = 17 };

	r.tunnel.local = v4("192.0.2.1", 1701);
	r.tunnel.peer = v4("192.0.2.2", 1702);
	r.tunnel.peer_tunnel_id = 42;
	r.tunnel.mark = 0x80000001;
	r.tunnel.no_csum = true;
	return r;
}

static struct k_request session_request(void)
{
	struct k_request r = { .op = K_SESSION_UP, .tunnel_id = 17, .session_id = 5 };

	r.session.peer_session_id = 6;
	r.session.lns_mode = true;
	strcpy(r.session.name, "branch");
	r.session.link = (struct k_link){ .mtu = 1400, .mru = 1500, .up = true, .ipv4 = true, .ip = htonl(0x0a000001),
					  .peer_ip = htonl(0x0a000002), .ifid = 0x1122334455667788, .n_routes = 2 };
	r.session.link.route[0] = (struct k_route){ .dst = v4("10.0.0.0", 0), .prefix_len = 8, .metric = 7 };
	r.session.link.route[1] = (struct k_route){ .dst = v4("0.0.0.0", 0) };
	return r;
}

static struct k_request guard_request_of(void)
{
	struct k_request r = { .op = K_GUARD, .guard.n = 2 };

	r.guard.rule[0] = (struct k_guard){ .local = v4("192.0.2.1", 1701), .peer = v4("192.0.2.2", 0), .local_bits = 32,
					    .peer_bits = 32, .pass = true };
	r.guard.rule[1] = (struct k_guard){ .local = v4("192.0.2.1", 0), .peer = v4("0.0.0.0", 0), .local_bits = 32, .net = true,
					    .mtu = 1400 };
	return r;
}

static struct keeper *keeper_new(void)
{
	struct keeper *k = calloc(1, sizeof(*k));

	k->table = table_new();
	k->hook_last = &k->hook_first;
	pins_init(&k->pins);
	k->client = k->listen = k->lock = k->checkpoints = k->gate.fd = -1;
	return k;
}

static void keeper_free(struct keeper *k)
{
	hooks_free(k);
	pins_done(&k->pins);
	table_free(k->table);
	free(k->guards);
	free(k);
}

static struct k_request eth_request(void)
{
	struct k_request r = { .op = K_ETH_UP, .tunnel_id = 17, .session_id = 5 };

	r.eth.wire.session_id = 0x11223344;
	r.eth.wire.peer_session_id = 0x55667788;
	r.eth.wire.tx_cookie_len = r.eth.wire.rx_cookie_len = 8;
	r.eth.wire.l2spec = 1;
	memset(r.eth.wire.tx_cookie, 3, 8);
	memset(r.eth.wire.rx_cookie, 5, 8);
	r.eth.mtu = 1400;
	r.eth.vlan = 30;
	strcpy(r.eth.name, "to-branch");
	strcpy(r.eth.bridge, "br0");
	return r;
}

static struct hook *hook_new(const char *text, size_t len, pid_t pid)
{
	static struct k_request r;
	struct hook *h = calloc(1, sizeof(*h));

	memset(&r, 0, sizeof(r));
	r.op = K_HOOK;
	r.hook.len = (uint16_t)len;
	r.hook.argc = 2;
	memcpy(r.hook.text, text, len);
	h->request = request_copy(&r);
	h->from = (struct origin){ K_HOOK, 99, 3, 17, 5 };
	h->pid = pid;
	h->fd = pid ? 30 : -1;
	h->deadline = INT64_C(1) << 40;
	return h;
}

static struct keeper *full(const struct k_request *t, const struct k_request *s)
{
	struct keeper *k = keeper_new();
	struct pin *p = calloc(1, sizeof(*p));
	struct k_request g = guard_request_of();
	struct tunnel *tunnel = table_add_tunnel(k->table, t);
	struct session *session = table_add_session(k->table, s);

	k->client = 11;
	k->lock = 12;
	k->gen = 3;
	k->greeted = true;
	k->client_version = K_VERSION;
	k->upgrade.serial = 4;
	k->gate.fd = 19;
	k->gate.tag = 0xfeedbeef;
	k->guards = request_copy(&g);
	k->listener[k->n_listeners++] = (struct listener){ v4("192.0.2.1", 1701), 13, 18, true };
	tunnel->fd = 14;
	tunnel->alias = 1023;
	tunnel->old_mark = 6;
	session->in = (struct installed){ .pppox = 15, .channel = 16, .unit_fd = 17, .unit = 3, .mtu = 1400, .pinned = true,
					  .name = "branch", .nsid = 4 };
	table_set_link(k->table, session, 77);
	table_link_down(k->table, session, true);
	*p = (struct pin){ .peer = v4("192.0.2.2", 1702), .mark = 5, .users = 2, .ours = true };
	p->route = (struct rtnl_route){ .dst = v4("192.0.2.2", 0), .gateway = v4("192.0.2.254", 0), .prefix_len = 32,
					.has_gateway = true, .ifindex = 2, .metric = 9 };
	k->pins.first = p;
	hook_put(k, hook_new("/etc/a\0b", 9, 123));
	hook_put(k, hook_new("/etc/b\0", 8, 0));
	return k;
}

static bool same_session(const struct session *s, const struct k_request *was)
{
	return s && s->state == OBJECT_UP && s->in.pppox == 15 && s->in.channel == 16 && s->in.unit_fd == 17 && s->in.unit == 3 &&
	       s->in.ifindex == 77 && s->in.mtu == 1400 && s->in.pinned && s->in.nsid == 4 && !s->gone && s->link_down &&
	       !strcmp(s->in.name, "branch") &&
	       !memcmp(s->was, was, k_request_size(was, sizeof(*was)));
}

static bool same_rest(struct keeper *k)
{
	const struct pin *p = k->pins.first;
	const struct hook *h = k->hooks, *waits = k->hook_first;
	struct k_request g = guard_request_of();

	if (k->client != 11 || k->lock != 12 || k->listen != -1 || k->gen != 3 || !k->greeted ||
	    k->client_version != K_VERSION ||
	    k->upgrade.serial != 4 || k->n_listeners != 1 || k->listener[0].fd != 13 || k->listener[0].tx != 18 ||
	    !k->listener[0].parked ||
	    k->listener[0].local.port != 1701 || k->gate.fd != 19 || k->gate.tag != 0xfeedbeef)
		return false;
	if (!k->guards || memcmp(k->guards, &g, k_request_size(&g, sizeof(g))))
		return false;
	if (!p || p->next || p->users != 2 || !p->ours || p->mark != 5 || p->route.gateway.addr[3] != 254 ||
	    !p->route.has_gateway || p->route.prefix_len != 32 || p->route.ifindex != 2 || p->route.metric != 9)
		return false;
	return h && !h->next && h->pid == 123 && h->fd == 30 && h->deadline == INT64_C(1) << 40 && h->from.id == 99 &&
	       h->request->hook.len == 9 && !memcmp(h->request->hook.text, "/etc/a\0b", 9) && waits && !waits->next &&
	       !waits->pid && waits->from.session_id == 5 && k->n_hooks == 1 && k->n_hooks_queued == 1;
}

static void there_and_back(void)
{
	struct k_request t = tunnel_request(), s = session_request();
	struct keeper *a = full(&t, &s), *b = keeper_new();
	char why[WHY_SIZE];
	size_t len = 0;
	uint8_t *record = handover_make(a, &len);
	const struct tunnel *tunnel;

	ok(record && !handover_take(b, record, len, why), "a record is read");
	tunnel = table_tunnel(b->table, 17);
	ok(tunnel && tunnel->fd == 14 && tunnel->alias == 1023 && tunnel->state == OBJECT_UP && tunnel->n_sessions == 1 &&
	   !memcmp(tunnel->was, &t, k_request_size(&t, sizeof(t))), "the tunnel is as it was");
	ok(same_session(table_session(b->table, 5), &s), "the session is as it was");
	ok(table_by_link(b->table, 77) == table_session(b->table, 5) && table_links_down(b->table) == 1,
	   "and is found by its link, which is known to be down");
	ok(same_rest(b), "listener, client, pins and hooks are as they were");
	free(record);
	keeper_free(a);
	keeper_free(b);
}

/* Each octet of a remembered request, changed alone, has to arrive; what does not is padding. */
static unsigned lost(const struct k_request *t, const struct k_request *s, bool of_session, size_t from, size_t to)
{
	unsigned n = 0;

	for (size_t at = from; at < to; at++) {
		struct k_request tt = *t, ss = *s, *changed = of_session ? &ss : &tt;
		char why[WHY_SIZE];
		struct keeper *a, *b;
		const struct k_request *got = NULL;
		uint8_t *record;
		size_t len = 0;

		((uint8_t *)changed)[at] ^= 1;
		if (check_request(&tt, k_request_size(&tt, sizeof(tt)), why) ||
		    check_request(&ss, k_request_size(&ss, sizeof(ss)), why))
			continue;		/* no such request can be remembered */
		a = full(&tt, &ss);
		b = keeper_new();
		record = handover_make(a, &len);
		if (record && !handover_take(b, record, len, why))
			got = of_session ? table_session(b->table, 5)->was : table_tunnel(b->table, 17)->was;
		n += !got || ((const uint8_t *)got)[at] != ((uint8_t *)changed)[at];
		free(record);
		keeper_free(a);
		keeper_free(b);
	}
	return n;
}

static void nothing_forgotten(void)
{
	struct k_request t = tunnel_request(), s = session_request();
	unsigned tunnel = lost(&t, &s, false, offsetof(struct k_request, tunnel), K_END(struct k_request, tunnel));
	unsigned session = lost(&t, &s, true, offsetof(struct k_request, session),
				offsetof(struct k_request, session.link.n_routes));

	struct k_request e = eth_request(), v3 = s;
	unsigned wire, eth = lost(&t, &e, true, offsetof(struct k_request, eth), K_END(struct k_request, eth));

	v3.session.peer_session_id = 0;
	v3.session.wire = e.eth.wire;
	wire = lost(&t, &v3, true, offsetof(struct k_request, session.wire), K_END(struct k_request, session.wire));
	printf("# octets that do not arrive: %u of a tunnel, %u of a session, %u of an Ethernet session\n", tunnel, session, eth);
#ifdef __x86_64__
	ok(tunnel == 2, "of a tunnel's request only padding is left behind (a new member needs a row in handover.c)");
	ok(session == 13 && wire == 1,
	   "of a session's request only padding is left behind (a new member needs a row in handover.c)");
	ok(eth == 1, "of an Ethernet session's request only padding is left behind (a new member needs a row in handover.c)");
#endif
}

/* Finds the field with this tag in the first record of a kind; NULL: none. */
static uint8_t *field(uint8_t *record, size_t len, uint32_t kind, uint16_t tag)
{
	for (size_t at = 16; at + 8 <= len; ) {
		uint32_t head[2];

		memcpy(head, record + at, 8);
		at += 8;
		for (size_t f = at; head[0] == kind && f + 4 <= at + head[1]; ) {
			uint16_t h[2];

			memcpy(h, record + f, 4);
			if (h[0] == tag)
				return record + f;
			f += 4u + h[1];
		}
		at += head[1];
	}
	return NULL;
}

static int retag(uint16_t from, uint16_t to, uint32_t *ret_mtu)
{
	struct k_request t = tunnel_request(), s = session_request();
	struct keeper *a = full(&t, &s), *b = keeper_new();
	char why[WHY_SIZE];
	size_t len = 0;
	uint8_t *record = handover_make(a, &len), *at = field(record, len, 4, from);
	int err;

	memcpy(at, &to, sizeof(to));
	err = handover_take(b, record, len, why);
	*ret_mtu = err ? 0 : table_session(b->table, 5)->was->session.link.mtu;
	free(record);
	keeper_free(a);
	keeper_free(b);
	return err;
}

static void other_versions(void)
{
	uint32_t mtu;

	ok(!retag(108, HANDOVER_OPTIONAL | 108, &mtu) && mtu == 0,
	   "what an older one did not write is zero, and what may be ignored is ignored");
	ok(retag(108, 890, &mtu) == -EPROTO, "what a newer one added is refused");
}

static void damaged(void)
{
	struct k_request t = tunnel_request(), s = session_request();
	struct keeper *a = full(&t, &s);
	char why[WHY_SIZE];
	size_t len = 0;
	uint8_t *record = handover_make(a, &len);
	bool good = true, whole = true;
	unsigned refused = 0;

	for (size_t n = 0; n < len; n++) {
		struct keeper *b = keeper_new();
		uint8_t *cut = malloc(n + 1);

		memcpy(cut, record, n);
		/* Cut between two parts it is a shorter record; what is there is whole. */
		if (handover_take(b, cut, n, why))
			refused++;
		else
			whole &= !table_session(b->table, 5) || same_session(table_session(b->table, 5), &s);
		free(cut);
		keeper_free(b);
	}
	ok(whole && refused > len - 16, "a record cut short anywhere is refused, or ends between two parts");
	for (size_t n = 0; n < len; n++) {
		struct keeper *b = keeper_new();

		record[n] ^= 0x81;
		good &= handover_take(b, record, len, why) <= 0;
		record[n] ^= 0x81;
		keeper_free(b);
	}
	ok(good, "any octet may be wrong");
	free(record);
	keeper_free(a);
}

int main(void)
{
	there_and_back();
	nothing_forgotten();
	other_versions();
	damaged();
	printf("1..%d\n", count);
	return failed != 0;
}
