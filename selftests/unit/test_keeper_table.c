/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keeper's gate and its table. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlink/check.h"
#include "netlink/table.h"
#include "netlink/why.h"
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

static struct k_request tunnel(uint16_t id)
{
	struct k_request r = { .op = K_TUNNEL_UP, .tunnel_id = id };

	r.tunnel.local = v4("192.0.2.1", 1701);
	r.tunnel.peer = v4("192.0.2.2", 1701);
	r.tunnel.peer_tunnel_id = 9;
	return r;
}

static struct k_request session(uint16_t t, uint16_t id)
{
	struct k_request r = { .op = K_SESSION_UP, .tunnel_id = t, .session_id = id };

	r.session.peer_session_id = 7;
	strcpy(r.session.name, "ppp%d");
	r.session.link = (struct k_link){ .mtu = 1400, .up = true, .ip = htonl(0x0a000001), .n_routes = 1 };
	r.session.link.route[0].dst = v4("10.0.0.0", 0);
	r.session.link.route[0].prefix_len = 8;
	return r;
}

static int judge(struct k_request r)
{
	char why[WHY_SIZE] = "";
	int err = check_request(&r, k_request_size(&r, sizeof(r)), why);

	/* One octet more or less is never right. */
	if (check_request(&r, k_request_size(&r, sizeof(r)) + 1, why) != -EPROTO ||
	    check_request(&r, k_request_size(&r, sizeof(r)) - 1, why) != -EPROTO)
		return -1000;
	return err;
}

#define REFUSED(make, change) do { struct k_request r = make; change; ok(judge(r) == -EINVAL, "refused: " #change); } while (0)

static void test_gate(void)
{
	uint8_t two = 2;

	ok(!judge(tunnel(1)), "a tunnel passes");
	ok(!judge(session(1, 2)), "a session passes");
	REFUSED(tunnel(1), r.tunnel_id = 0);
	REFUSED(tunnel(1), r.tunnel.peer_tunnel_id = 0);
	REFUSED(tunnel(1), r.tunnel.peer.port = 0);
	REFUSED(tunnel(1), r.tunnel.peer = v4("0.0.0.0", 1701));
	REFUSED(tunnel(1), r.tunnel.peer = v4("224.0.0.1", 1701));
	REFUSED(tunnel(1), r.tunnel.peer = v4("255.255.255.255", 1701));
	REFUSED(tunnel(1), r.tunnel.peer.family = 6);
	REFUSED(tunnel(1), r.tunnel.peer.family = 5);
	REFUSED(tunnel(1), r.tunnel.local.addr[15] = 1);
	REFUSED(tunnel(1), memcpy(&r.tunnel.no_csum, &two, 1));
	REFUSED(tunnel(1), memcpy(&r.tunnel.v3, &two, 1); r.tunnel.local.encap = r.tunnel.peer.encap = K_IP);
	REFUSED(session(1, 2), r.session_id = 0);
	REFUSED(session(1, 2), r.session.peer_session_id = 0);
	REFUSED(session(1, 2), memset(r.session.name, 'a', 16));
	REFUSED(session(1, 2), strcpy(r.session.name, "a b"));
	REFUSED(session(1, 2), strcpy(r.session.name, "../x"));
	REFUSED(session(1, 2), strcpy(r.session.name, "%s"));
	REFUSED(session(1, 2), strcpy(r.session.name, "%d%d"));
	REFUSED(session(1, 2), memcpy(&r.session.lns_mode, &two, 1));
	REFUSED(session(1, 2), memcpy(&r.session.link.up, &two, 1));
	REFUSED(session(1, 2), r.session.link.mtu = 67);
	REFUSED(session(1, 2), r.session.link.ip = htonl(0x7f000001));
	REFUSED(session(1, 2), r.session.link.ip = 0; r.session.link.peer_ip = htonl(0x0a000002));
	REFUSED(session(1, 2), r.session.link.peer_ifid = 1);
	REFUSED(session(1, 2), r.session.link.ifid = 1; r.session.link.mtu = 1279);
	REFUSED(session(1, 2), r.session.link.route[0].prefix_len = 33);
	REFUSED(session(1, 2), r.session.link.route[0].dst.addr[3] = 1);
	ok(k_request_size(&(struct k_request){ .op = 99 }, K_REQUEST_HEAD) == 0, "no such operation");
	ok(k_request_size(&(struct k_request){ .op = K_EVENT }, K_REQUEST_HEAD) == 0, "an event is no request");
}

static struct k_request hook(void)
{
	struct k_request r = { .op = K_HOOK };

	memcpy(r.hook.text, "/bin/true\0a\0MTU=1", 18);
	r.hook.len = 18;
	r.hook.argc = 2;
	r.hook.envc = 1;
	return r;
}

static void test_hook_words(void)
{
	ok(!judge(hook()), "a hook passes");
	REFUSED(hook(), r.hook.argc = 3);
	REFUSED(hook(), r.hook.envc = 2);
	REFUSED(hook(), r.hook.argc = 0);
	REFUSED(hook(), r.hook.text[0] = 'b');
	REFUSED(hook(), r.hook.text[17] = 'b');
	REFUSED(hook(), r.hook.text[15] = 'b');
	REFUSED(hook(), memcpy(r.hook.text + 12, "ENV", 3));
}

/* Whatever an octet is changed to, the answer is yes or no; the sanitizers see a flag that is looked at before it is judged. */
static void test_octets(void)
{
	const struct k_request made[] = {
		tunnel(1), session(1, 2), hook(),
		{ .op = K_ETH_UP, .tunnel_id = 1, .session_id = 2, .eth.wire = { .session_id = 3, .peer_session_id = 4 } },
		{ .op = K_GUARD, .guard = { .n = 1, .rule[0] = { v4("192.0.2.1", 0), v4("192.0.2.2", 0), 32, 32, true, true, 1400, 0 } } },
		{ .op = K_TUNNEL_UP, .tunnel_id = 1, .tunnel = { { .family = 4, .encap = K_IP, .addr = { 10, 0, 0, 1 } },
			{ .family = 4, .encap = K_IP, .addr = { 10, 0, 0, 2 } }, 7, .v3 = true } },
	};
	unsigned answered = 0, asked = 0;

	for (unsigned m = 0; m < sizeof(made) / sizeof(made[0]); m++) {
		size_t size = k_request_size(&made[m], sizeof(made[m]));
		char why[WHY_SIZE];

		ok(!judge(made[m]), "a request passes before an octet of it is changed");
		for (size_t i = 0; i < size; i++)
			for (unsigned bit = 0; bit < 8; bit++) {
				struct k_request r = made[m];
				int err;

				((uint8_t *)&r)[i] ^= (uint8_t)(1 << bit);
				err = check_request(&r, size, why);
				asked++;
				answered += !err || err == -EINVAL || err == -EPROTO;
			}
	}
	ok(asked == answered, "each bit of each request changed: an answer each time");
}

static void test_table(void)
{
	struct table *t = table_new();
	struct k_request q = tunnel(3);
	struct tunnel *tu = table_add_tunnel(t, &q);
	struct session *s[4];
	bool good = true;

	for (uint16_t i = 0; i < 4; i++) {
		q = session(3, (uint16_t)(100 + i));
		s[i] = table_add_session(t, &q);
		table_set_link(t, s[i], 5 + 4096u * i);	/* all in one bucket */
	}
	ok(tu->n_sessions == 4 && table_sessions(t) == 4 && table_tunnels(t) == 1, "four sessions of one tunnel");
	for (unsigned i = 0; i < 4; i++)
		good &= table_by_link(t, 5 + 4096 * i) == s[i];
	ok(good && !table_by_link(t, 6) && !table_by_link(t, 5 + 4096 * 4), "each by its link");
	table_set_link(t, s[2], 0);
	ok(!table_by_link(t, 5 + 4096 * 2) && table_by_link(t, 5) == s[0] && table_by_link(t, 5 + 4096 * 3) == s[3],
	   "a link that went is not found, the others are");
	table_link_down(t, s[0], true);
	table_link_down(t, s[1], true);
	table_link_down(t, s[1], true);
	table_link_down(t, s[2], true);
	table_link_down(t, s[2], false);
	ok(table_links_down(t) == 2, "two of the links are down");
	table_del_session(t, s[1]);
	table_del_session(t, s[3]);
	ok(table_links_down(t) == 1, "one of them went with its session");
	ok(tu->n_sessions == 2 && !table_session(t, 101) && table_session(t, 100) == s[0], "from the middle and the head");
	good = tu->first_session == 102 && s[2]->next == 100 && s[0]->prev == 102 && !s[0]->next && !s[2]->prev;
	ok(good, "the tunnel's list is whole");
	ok(table_by_link(t, 5) == s[0] && !table_by_link(t, 5 + 4096 * 3), "and so are the links");
	q = session(3, 100);
	q.session.link.n_routes = K_MAX_ROUTES - 1;
	for (unsigned i = 0; i < K_MAX_ROUTES - 1; i++)
		q.session.link.route[i].dst.addr[3] = (uint8_t)(i + 100);
	ok(!table_merge_link(s[0], &q.session.link) && s[0]->was->session.link.n_routes == K_MAX_ROUTES, "routes add up");
	ok(!table_merge_link(s[0], &q.session.link) && s[0]->was->session.link.n_routes == K_MAX_ROUTES,
	   "the same again add nothing");
	q.session.link.n_routes = 1;
	q.session.link.route[0].dst.addr[3] = 99;
	ok(table_merge_link(s[0], &q.session.link) == -ENOSPC, "to their limit");
	table_free(t);
}

/* Of an Ethernet session's link nothing is ours to set but its operational state. */
static void test_eth_link(void)
{
	struct k_request q = { .op = K_ETH_UP, .tunnel_id = 3, .session_id = 7,
			       .eth.wire = { .session_id = 9, .peer_session_id = 8 } };
	struct k_link dormant = { .dormant = true }, awake = { .awake = true }, up = { .dormant = true, .up = true };
	struct k_link routes = { .n_routes = 1 };
	struct k_request t = tunnel(3), p = session(3, 8);
	struct table *table = table_new();
	struct session *s, *ppp;

	table_add_tunnel(table, &t);
	s = table_add_session(table, &q);
	ppp = table_add_session(table, &p);
	ok(table_may_set(s, &dormant) && table_may_set(s, &awake) && !table_may_set(s, &up) && !table_may_set(s, &routes) &&
	   table_may_set(ppp, &up) && table_may_set(ppp, &routes), "Ethernet: dormant or not, and nothing else");
	ok(!table_merge_link(s, &dormant) && s->was->eth.dormant && !memcmp(&s->was->eth.wire, &q.eth.wire, sizeof(q.eth.wire)),
	   "it is remembered as dormant, and otherwise as it was");
	ok(!table_merge_link(s, &awake) && !s->was->eth.dormant && !table_routes(s, &routes), "and as awake");
	table_free(table);
}

static void test_wire(void)
{
	static uint8_t buf[sizeof(struct k_reply) + sizeof(struct k_list_head)];
	struct k_reply in = { .op = K_LIST, .id = 5, .more = 1, .n_fds = 2, .tunnel_id = 1, .session_id = 2 }, out;
	size_t len;

	in.list.kind = K_SESSION_UP;
	in.list.was = session(1, 2);
	in.list.ifindex = 9;
	in.list.unit = 4;
	strcpy(in.list.name, "ppp4");
	len = k_reply_pack(&in, buf);
	ok(len < 400, "a listed session travels in a few octets");
	ok(!k_reply_unpack(buf, len, &out) && out.list.ifindex == 9 && !strcmp(out.list.name, "ppp4") &&
	   out.list.was.session.link.route[0].prefix_len == 8 && out.more && out.n_fds == 2, "and comes back whole");
	ok(k_reply_unpack(buf, len - 1, &out) == -EPROTO && k_reply_unpack(buf, 3, &out) == -EPROTO, "not cut short");
	in = (struct k_reply){ .op = K_STATS };
	in.stats.n = 3;
	in.stats.s[2].rx_octets = 77;
	len = k_reply_pack(&in, buf);
	ok(!k_reply_unpack(buf, len, &out) && out.stats.n == 3 && out.stats.s[2].rx_octets == 77, "counters, too");
	in = (struct k_reply){ .op = K_OPEN, .result = -ENOENT, .why = "x: No such file" };
	ok(k_reply_pack(&in, buf) == K_REPLY_HEAD && !k_reply_unpack(buf, K_REPLY_HEAD, &out) && out.result == -ENOENT &&
	   !strcmp(out.why, "x: No such file"), "a failure has no body");
}

static void test_why(void)
{
	char why[WHY_SIZE];

	ok(why_fail(why, -EAFNOSUPPORT, "socket(AF_PPPOX)", NULL) == -EAFNOSUPPORT && strstr(why, "modprobe l2tp_ppp"),
	   "a missing module is named");
	why_fail(why, -ENOENT, "hook", "a very long text that goes on and on and on and on and on and on and on and on and on "
		 "and on and on and on and on and on");
	ok(strlen(why) < WHY_SIZE && strstr(why, "No such file"), "long words are cut");
}

static unsigned tunnels_of(const struct table *t, const char *peer)
{
	struct k_addr a = v4(peer, 1);
	unsigned n = 0;

	for (const struct tunnel *tu = NULL; (tu = table_next_from(t, &a, tu)); )
		n += !memcmp(tu->was->tunnel.peer.addr, a.addr, sizeof(a.addr));
	return n;
}

/* 3,000 tunnels of ten addresses come, every third goes. */
static void test_peers(void)
{
	struct table *t = table_new();
	bool right = true;
	char peer[16];

	for (uint16_t id = 1; id <= 3000; id++) {
		struct k_request r = tunnel(id);

		snprintf(peer, sizeof(peer), "192.0.2.%u", 100 + id % 10u);
		r.tunnel.peer = v4(peer, id);
		right &= table_add_tunnel(t, &r) != NULL;
	}
	for (uint16_t id = 3; id <= 3000; id = (uint16_t)(id + 3))
		table_del_tunnel(t, table_tunnel(t, id));
	for (unsigned i = 0; i < 10; i++) {
		snprintf(peer, sizeof(peer), "192.0.2.%u", 100 + i);
		right &= tunnels_of(t, peer) == 200;
	}
	ok(right && !tunnels_of(t, "192.0.2.2"), "the tunnels of one address are found");
	table_free(t);
}

int main(void)
{
	test_peers();
	test_gate();
	test_hook_words();
	test_octets();
	test_table();
	test_eth_link();
	test_wire();
	test_why();
	printf("1..%d\n", count);
	return failed != 0;
}
