/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Talks to a keeper from the command line, for the net tests:
 *   keeper-drive SOCKET COMMAND [, COMMAND]...        (a lone comma between commands)
 * Each prints one line "WORD: RESULT text"; the status is 0 if all results are 0.  Commands:
 *   hello [VERSION] | listen ADDR PORT | unlisten ADDR PORT | list | stop | stats SID
 *   tunnel TID PEERTID LOCAL LPORT PEER PPORT [mark=N] [nocsum]		(a port "ip": directly over IP, protocol 115)
 *   say ADDR TEXT | hear MS | forge				by the last IP listener; tell ADDR TEXT: by the last tunnel
 *   tunnel ... v3, then: eth TID SID WIRE-ID PEER-WIRE-ID [name=][mtu=][tx=HEX][rx=HEX][bridge=][vlan=][vrf=][netns=]
 *	[l2spec] [seq] [up]
 *   session TID SID PEERSID [name=][mtu=][ip=A,B][ifid=N,M][route=NET/LEN]... [up][v4][v6][pin][lns]
 *	in a tunnel that is v3, PEERSID 0: wire=OURS,THEIRS [tx=HEX][rx=HEX][l2spec]
 *   set SID (words of session) | sdown SID | tdown TID | many TID FIRST N | ethers TID FIRST N | fewer FIRST N
 *   tunnels FIRST N LOCAL LPORT PEER     so many, the peer's ports from FIRST on | ftunnels FIRST N
 *   guard [LOCAL LPORT PEER]...          nothing between these without IPsec | kept | mark TID N
 *   event MS | audited MS | hook WORD... | open PATH | junk LEN | hold | write SID PROTOCOL-HEX TEXT | read SID */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io/udp.h"
#include "netlink/client.h"
#include "netlink/pppio.h"

enum { PATIENCE_MS = 120000 };

struct drive {
	struct keeper_client *c;
	uint32_t id;
	int channel, unit, rx, tx, tunnel, failed;	/* rx, tx: of a listener directly over IP */
	struct endpoint local;
};

static void stop_here(const char *what, int err)
{
	printf("%s: %d %s\n", what, err, strerror(-err));
	exit(1);
}

static struct k_addr address(const char *text, const char *port)
{
	struct k_addr a = { .family = strchr(text, ':') ? 6 : 4, .port = (uint16_t)atoi(port) };

	if (inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.addr) != 1)
		stop_here(text, -EINVAL);
	a.encap = strcmp(port, "ip") ? K_UDP : K_IP;
	return a;
}

static void wait_readable(struct drive *d, int ms)
{
	struct pollfd p = { .fd = keeper_fd(d->c) };
	int err = keeper_flush(d->c);

	if (err)
		stop_here("flush", err);
	p.events = (short)(POLLIN | (keeper_wants_write(d->c) ? POLLOUT : 0));
	if (poll(&p, 1, ms) == 0)
		stop_here("no answer", -ETIMEDOUT);
}

static void receive(struct drive *d, struct k_reply *r, int fds[K_MAX_FDS], int ms)
{
	int err;

	while (!(err = keeper_receive(d->c, r, fds)))
		wait_readable(d, ms);
	if (err < 0)
		stop_here("receive", err);
}

static const char *event_name(uint32_t what)
{
	static const char *const name[] = { "?", "LINK_GONE", "SESSION_GONE", "TUNNEL_GONE", "LINK_DOWN",
					    "AUDITED", "STOPPING" };

	return name[what <= K_STOPPING ? what : 0];
}

static void print(struct drive *d, const char *word, const struct k_reply *r, int fds[K_MAX_FDS])
{
	printf("%s: %d %s", word, r->result, r->why);
	if (r->op == K_HELLO && !r->result)
		printf("tunnels=%u sessions=%u", r->hello.n_tunnels, r->hello.n_sessions);
	if ((r->op == K_SESSION_UP || r->op == K_ETH_UP) && !r->result)
		printf("name=%s ifindex=%u mtu=%u", r->session.name, r->session.ifindex, r->session.mtu);
	if (r->op == K_LIST && !r->result)
		printf("kind=%u tunnel=%u session=%u name=%s ifindex=%u routes=%u", r->list.kind, r->tunnel_id, r->session_id,
		       r->list.name, r->list.ifindex, r->list.kind == K_SESSION_UP ? r->list.was.session.link.n_routes : 0);
	if (r->op == K_LIST && r->list.kind == K_TUNNEL_UP)
		printf(" peer_port=%u", r->list.was.tunnel.peer.port);
	if (r->op == K_STOP && !r->result)
		printf("tunnels=%u sessions=%u", r->stop.n_tunnels, r->stop.n_sessions);
	if (r->op == K_STATS)
		for (unsigned i = 0; i < r->stats.n; i++)
			printf("session=%u rx=%llu tx=%llu ", r->stats.s[i].session_id,
			       (unsigned long long)r->stats.s[i].rx_packets, (unsigned long long)r->stats.s[i].tx_packets);
	if (r->op == K_KEPT_OUT && !r->result)
		printf("on=%d foreign=%llu plain_in=%llu plain_out=%llu", r->kept_out.on, (unsigned long long)r->kept_out.foreign,
		       (unsigned long long)r->kept_out.plain_in, (unsigned long long)r->kept_out.plain_out);
	if (r->op == K_EVENT)
		printf("%s tunnel=%u session=%u vanished=%u removed=%u us=%u", event_name(r->event.what), r->tunnel_id,
		       r->session_id, r->event.vanished, r->event.removed, r->event.us);
	printf(" fds=%u\n", r->n_fds);
	if (r->result)
		d->failed = 1;
	if (r->op == K_OPEN && !r->result) {
		char text[256];
		ssize_t n = read(fds[0], text, sizeof(text));

		printf("content: %.*s\n", (int)(n < 0 ? 0 : n), text);
	}
	if ((r->op == K_SESSION_UP || (r->op == K_LIST && r->list.kind == K_SESSION_UP)) && !r->result) {
		d->channel = fds[0];
		d->unit = fds[1];
		return;
	}
	if (r->op == K_TUNNEL_UP)
		d->tunnel = fds[0];
	if (r->op == K_LISTEN && r->n_fds == 2) {
		d->rx = fds[0];
		d->tx = fds[1];
		return;
	}
	for (unsigned i = 0; i < r->n_fds && r->op != K_TUNNEL_UP; i++)
		close(fds[i]);
}

static void ask(struct drive *d, const char *word, struct k_request *q)
{
	struct k_reply r;
	int err, fds[K_MAX_FDS];

	q->id = ++d->id;
	err = keeper_submit(d->c, q);
	if (err)
		stop_here(word, err);
	do {
		receive(d, &r, fds, PATIENCE_MS);
		print(d, r.op == K_EVENT ? "event" : word, &r, fds);
	} while (r.op == K_EVENT || r.more);
}

static void link_words(struct k_link *l, char **word, int n, struct k_request *q)
{
	for (int i = 0; i < n; i++) {
		char *v = strchr(word[i], '='), *w = word[i], *comma = v ? strchr(v, ',') : NULL;

		v = v ? v + 1 : w + strlen(w);
		if (!strncmp(w, "name=", 5) && q) {
			snprintf(q->session.name, sizeof(q->session.name), "%s", v);
		} else if (!strncmp(w, "mtu=", 4)) {
			l->mtu = (uint16_t)atoi(v);
		} else if (!strncmp(w, "ip=", 3)) {
			if (comma)
				*comma = 0;
			l->ip = inet_addr(v);
			l->peer_ip = comma ? inet_addr(comma + 1) : 0;
		} else if (!strncmp(w, "ifid=", 5)) {
			l->ifid = strtoull(v, &comma, 16);
			l->peer_ifid = *comma ? strtoull(comma + 1, NULL, 16) : 0;
		} else if (!strncmp(w, "route=", 6) && l->n_routes < K_MAX_ROUTES) {
			char *slash = strchr(v, '/');

			if (slash)
				*slash = 0;
			l->route[l->n_routes].dst = address(v, "0");
			l->route[l->n_routes++].prefix_len = (uint8_t)(slash ? atoi(slash + 1) : 32);
		}
		l->up |= !strcmp(w, "up");
		l->ipv4 |= !strcmp(w, "v4");
		l->ipv6 |= !strcmp(w, "v6");
		l->pin_peer |= !strcmp(w, "pin");
		if (q)
			q->session.lns_mode |= !strcmp(w, "lns");
	}
}

static uint8_t cookie(const char *hex, uint8_t to[8])
{
	unsigned n = 0, octet;

	for (; n < 8 && sscanf(hex, "%2x", &octet) == 1; hex += 2)
		to[n++] = (uint8_t)octet;
	return (uint8_t)n;
}

/* true: this word was about data messages of L2TPv3. */
static bool wire_word(struct k_wire *w, const char *word)
{
	const char *v = strchr(word, '=');

	if (!strncmp(word, "tx=", 3))
		w->tx_cookie_len = cookie(v + 1, w->tx_cookie);
	else if (!strncmp(word, "rx=", 3))
		w->rx_cookie_len = cookie(v + 1, w->rx_cookie);
	else if (!strcmp(word, "l2spec"))
		w->l2spec = 1;
	else if (!strncmp(word, "wire=", 5) && strchr(v, ',')) {
		w->session_id = (uint32_t)strtoul(v + 1, NULL, 0);
		w->peer_session_id = (uint32_t)strtoul(strchr(v, ',') + 1, NULL, 0);
	} else {
		return false;
	}
	return true;
}

static void eth_words(struct k_request *q, char **word, int n)
{
	q->op = K_ETH_UP;
	q->tunnel_id = (uint16_t)atoi(word[1]);
	q->session_id = (uint16_t)atoi(word[2]);
	q->eth.wire.session_id = (uint32_t)strtoul(word[3], NULL, 0);
	q->eth.wire.peer_session_id = (uint32_t)strtoul(word[4], NULL, 0);
	for (int i = 5; i < n; i++) {
		if (wire_word(&q->eth.wire, word[i]))
			continue;
		if (!strncmp(word[i], "name=", 5))
			snprintf(q->eth.name, sizeof(q->eth.name), "%s", word[i] + 5);
		else if (!strncmp(word[i], "mtu=", 4))
			q->eth.mtu = (uint16_t)atoi(word[i] + 4);
		else if (!strncmp(word[i], "bridge=", 7))
			snprintf(q->eth.bridge, sizeof(q->eth.bridge), "%s", word[i] + 7);
		else if (!strncmp(word[i], "vlan=", 5))
			q->eth.vlan = (uint16_t)atoi(word[i] + 5);
		else if (!strncmp(word[i], "vrf=", 4))
			snprintf(q->eth.vrf, sizeof(q->eth.vrf), "%s", word[i] + 4);
		else if (!strncmp(word[i], "netns=", 6))
			snprintf(q->eth.netns, sizeof(q->eth.netns), "%s", word[i] + 6);
		q->eth.wire.l2spec |= !strcmp(word[i], "seq");
		q->eth.send_seq |= !strcmp(word[i], "seq");
		q->eth.recv_seq |= !strcmp(word[i], "seq");
		q->eth.up |= !strcmp(word[i], "up");
	}
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* All at once, then the answers as they come. */
static void crowd(struct drive *d, const char *word, const struct k_request *all, unsigned first, unsigned n)
{
	double start = seconds(), took;
	unsigned good = 0, events = 0;
	struct k_reply r;
	int fds[K_MAX_FDS];

	for (unsigned i = 0; i < n; i++) {
		struct k_request q = *all;

		q.id = ++d->id;
		if (q.op == K_TUNNEL_UP || q.op == K_TUNNEL_DOWN)
			q.tunnel_id = (uint16_t)(first + i);
		else
			q.session_id = (uint16_t)(first + i);
		if (q.op == K_TUNNEL_UP)
			q.tunnel.peer_tunnel_id = q.tunnel.peer.port = q.tunnel_id;
		if (q.op == K_ETH_UP) {
			q.eth.wire.session_id = q.eth.wire.peer_session_id = first + i;
			q.eth.up = true;
			snprintf(q.eth.name, sizeof(q.eth.name), "e%u", first + i);
		} else if (q.op == K_SESSION_UP) {
			q.session.peer_session_id = (uint16_t)(first + i);
			q.session.link.mtu = 1400;
			q.session.link.up = q.session.link.ipv4 = true;
			q.session.link.ip = htonl(0x0a400001);
			q.session.link.peer_ip = htonl(0x0a410000 + first + i);
		}
		if (keeper_submit(d->c, &q))
			stop_here(word, -ENOMEM);
	}
	for (unsigned i = 0; i < n; i++) {
		receive(d, &r, fds, PATIENCE_MS);
		for (unsigned f = 0; f < r.n_fds; f++)
			close(fds[f]);
		if (r.op == K_EVENT) {
			events++;
			i--;
			continue;
		}
		good += !r.result;
		if (r.result && i + 1 - good == 1)
			printf("first failure: %d %s\n", r.result, r.why);
	}
	took = seconds() - start;
	printf("%s: %d %u of %u, %u events, %.1f per second\n", word, good == n ? 0 : -EIO, good, n, events, n / took);
	d->failed |= good != n;
}

static void hook(struct drive *d, char **word, int n)
{
	struct k_request q = { .op = K_HOOK };
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		size_t len = strlen(word[i]) + 1;

		if (at + len > sizeof(q.hook.text))
			stop_here("hook", -E2BIG);
		memcpy(q.hook.text + at, word[i], len);
		at += len;
		if (strchr(word[i], '='))
			q.hook.envc++;
		else
			q.hook.argc++;
	}
	q.hook.len = (uint16_t)at;
	ask(d, "hook", &q);
}

static void frames(struct drive *d, char **word, int n)
{
	uint8_t buf[1600];
	uint16_t protocol;

	if (!strcmp(word[0], "write") && n == 3) {
		uint16_t p = (uint16_t)strtoul(word[1], NULL, 16);
		int err = pppio_write(p >= 0xc000 ? d->channel : d->unit, p, word[2], strlen(word[2]));

		printf("write: %d\n", err);
		d->failed |= err != 0;
		return;
	}
	for (int i = 0; i < 2; i++) {
		int fd = i ? d->unit : d->channel;
		struct pollfd p = { .fd = fd, .events = POLLIN };

		while (poll(&p, 1, i ? 0 : 1000) == 1 && p.revents) {
			ssize_t len = pppio_read(fd, &protocol, buf, sizeof(buf));

			printf("read: 0 %s %s ", i ? "unit" : "channel", len == -EPIPE ? "dead" : "");
			if (len < 0)
				break;
			printf("%04x %zd \"%.*s\"\n", protocol, len, isprint(buf[0]) ? (int)len : 0, (char *)buf);
		}
	}
	printf("\n");
}

/* Control messages directly over IP, as ktund sends and receives them. */
static void talk(struct drive *d, char **word, int n)
{
	struct endpoint to;
	struct k_addr a;
	int err;

	if (n != 3 || d->tx < 0)
		stop_here(word[0], -EINVAL);
	a = address(word[1], "ip");
	memcpy(&to, &a, sizeof(to));
	err = udp_send(word[0][0] == 't' ? d->tunnel : d->tx, &d->local, &to, 0, word[2], strlen(word[2]));
	printf("%s: %d\n", word[0], err);
	d->failed |= err != 0;
}

static void hear(struct drive *d, int ms)
{
	struct pollfd p = { .fd = d->rx, .events = POLLIN };
	struct udp_rx *rx = udp_rx_new();
	char from[96], to[96];
	struct dgram *g;
	int n;

	if (poll(&p, 1, ms) != 1)
		stop_here("hear", -ETIMEDOUT);
	n = udp_recv(rx, d->rx, &d->local, &g);
	for (int i = 0; i < n; i++)
		printf("hear: 0 from=%s to=%s \"%.*s\"\n", endpoint_port_text(&g[i].peer, from, sizeof(from)),
		       endpoint_text(&g[i].local, to, sizeof(to)), (int)g[i].len, (char *)g[i].octets);
	udp_rx_free(rx);
}

/* Would the hearing socket send what one puts together oneself, from any address? */
static void forge(struct drive *d)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int one = 1;

	memcpy(&to.sin_addr, d->local.addr, 4);
	setsockopt(d->rx, IPPROTO_IP, IP_HDRINCL, &one, sizeof(one));
	d->failed |= sendto(d->rx, "\x45\0\0\x18\0\0\0\0\x40\x73\0\0\xcb\0\x71\1\xcb\0\x71\2abcd", 24, MSG_NOSIGNAL,
			    (struct sockaddr *)&to, sizeof(to)) < 0;
	printf("forge: %d %s\n", d->failed ? -errno : 0, d->failed ? strerror(errno) : "");
}

static void junk(struct drive *d, size_t len)
{
	char buf[16384];

	memset(buf, 0x5a, sizeof(buf));
	send(keeper_fd(d->c), buf, len, MSG_NOSIGNAL);
	printf("junk: 0\n");
}

static void command(struct drive *d, char **word, int n)
{
	struct k_request q = { 0 };
	unsigned a = n > 1 ? (unsigned)atoi(word[1]) : 0;
	struct k_reply r;
	int fds[K_MAX_FDS];

	if (!strcmp(word[0], "hello")) {
		q.op = K_HELLO;
		q.hello.version = n > 1 ? a : K_VERSION;
	} else if (!strcmp(word[0], "listen") || !strcmp(word[0], "unlisten")) {
		q.op = word[0][0] == 'l' ? K_LISTEN : K_UNLISTEN;
		q.listen.local = address(word[1], word[2]);
		memcpy(&d->local, &q.listen.local, sizeof(d->local));
	} else if (!strcmp(word[0], "tunnel") && n >= 7) {
		q.op = K_TUNNEL_UP;
		q.tunnel_id = (uint16_t)a;
		q.tunnel.peer_tunnel_id = (uint32_t)strtoul(word[2], NULL, 0);
		q.tunnel.local = address(word[3], word[4]);
		q.tunnel.peer = address(word[5], word[6]);
		for (int i = 7; i < n; i++) {
			if (!strncmp(word[i], "mark=", 5))
				q.tunnel.mark = (uint32_t)atoi(word[i] + 5);
			q.tunnel.no_csum |= !strcmp(word[i], "nocsum");
			q.tunnel.v3 |= !strcmp(word[i], "v3");
		}
	} else if (!strcmp(word[0], "session") && n >= 4) {
		q.op = K_SESSION_UP;
		q.tunnel_id = (uint16_t)a;
		q.session_id = (uint16_t)atoi(word[2]);
		q.session.peer_session_id = (uint16_t)atoi(word[3]);
		link_words(&q.session.link, word + 4, n - 4, &q);
		for (int i = 4; i < n; i++)
			wire_word(&q.session.wire, word[i]);
	} else if (!strcmp(word[0], "eth") && n >= 5) {
		eth_words(&q, word, n);
	} else if (!strcmp(word[0], "set")) {
		q.op = K_LINK_SET;
		q.session_id = (uint16_t)a;
		link_words(&q.link, word + 2, n - 2, NULL);
	} else if (!strcmp(word[0], "sdown") || !strcmp(word[0], "stats")) {
		q.op = word[0][1] == 'd' ? K_SESSION_DOWN : K_STATS;
		q.session_id = (uint16_t)a;
	} else if (!strcmp(word[0], "mark") && n == 3) {
		q.op = K_TUNNEL_MARK;
		q.tunnel_id = (uint16_t)a;
		q.mark.mark = (uint32_t)atoi(word[2]);
	} else if (!strcmp(word[0], "tdown")) {
		q.op = K_TUNNEL_DOWN;
		q.tunnel_id = (uint16_t)a;
	} else if (!strcmp(word[0], "list") || !strcmp(word[0], "stop") || !strcmp(word[0], "kept")) {
		q.op = word[0][0] == 'l' ? K_LIST : word[0][0] == 's' ? K_STOP : K_KEPT_OUT;
	} else if (!strcmp(word[0], "open") && n == 2) {
		q.op = K_OPEN;
		snprintf(q.open.path, sizeof(q.open.path), "%s", word[1]);
	} else if (!strcmp(word[0], "many") && n == 4) {
		q.op = K_SESSION_UP;
		q.tunnel_id = (uint16_t)a;
		crowd(d, "many", &q, (unsigned)atoi(word[2]), (unsigned)atoi(word[3]));
		return;
	} else if (!strcmp(word[0], "ethers") && n == 4) {
		q.op = K_ETH_UP;
		q.tunnel_id = (uint16_t)a;
		crowd(d, "ethers", &q, (unsigned)atoi(word[2]), (unsigned)atoi(word[3]));
		return;
	} else if (!strcmp(word[0], "fewer") && n == 3) {
		q.op = K_SESSION_DOWN;
		crowd(d, "fewer", &q, a, (unsigned)atoi(word[2]));
		return;
	} else if (!strcmp(word[0], "tunnels") && n == 6) {
		q.op = K_TUNNEL_UP;
		q.tunnel.local = address(word[3], word[4]);
		q.tunnel.peer = address(word[5], "0");
		crowd(d, "tunnels", &q, a, (unsigned)atoi(word[2]));
		return;
	} else if (!strcmp(word[0], "ftunnels") && n == 3) {
		q.op = K_TUNNEL_DOWN;
		crowd(d, "ftunnels", &q, a, (unsigned)atoi(word[2]));
		return;
	} else if (!strcmp(word[0], "guard")) {
		q.op = K_GUARD;
		for (int i = 1; i + 2 < n; i += 3) {
			struct k_guard *g = &q.guard.rule[q.guard.n++];

			g->local = address(word[i], word[i + 1]);
			g->peer = address(word[i + 2], "0");
			g->local_bits = g->peer_bits = g->local.family == 6 ? 128 : 32;
		}
	} else if (!strcmp(word[0], "hook")) {
		hook(d, word + 1, n - 1);
		return;
	} else if (!strcmp(word[0], "write") || !strcmp(word[0], "read")) {
		frames(d, word, n);
		return;
	} else if (!strcmp(word[0], "event") || !strcmp(word[0], "audited")) {
		bool audit = word[0][0] == 'a';

		do		/* who deletes a link takes it down first; audits come when they like */
			receive(d, &r, fds, (int)a);
		while (r.op == K_EVENT && (r.event.what == K_LINK_DOWN || audit != (r.event.what == K_AUDITED)));
		print(d, "event", &r, fds);
		return;
	} else if (!strcmp(word[0], "say") || !strcmp(word[0], "tell")) {
		talk(d, word, n);
		return;
	} else if (!strcmp(word[0], "hear")) {
		hear(d, (int)a);
		return;
	} else if (!strcmp(word[0], "forge")) {
		forge(d);
		return;
	} else if (!strcmp(word[0], "junk")) {
		junk(d, a);
		return;
	} else if (!strcmp(word[0], "hold")) {
		printf("holding\n");
		pause();
	} else {
		fprintf(stderr, "keeper-drive: what is \"%s\"?\n", word[0]);
		exit(2);
	}
	ask(d, word[0], &q);
}

int main(int argc, char **argv)
{
	struct drive d = { .channel = -1, .unit = -1, .rx = -1, .tx = -1, .tunnel = -1 };
	int err = argc < 3 ? -EINVAL : keeper_connect(argv[1], &d.c);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (err)
		stop_here("connect", err);
	for (int i = 2, start = 2; i <= argc; i++) {
		if (i < argc && strcmp(argv[i], ","))
			continue;
		if (i > start)
			command(&d, argv + start, i - start);
		start = i + 1;
	}
	keeper_disconnect(d.c);
	return d.failed;
}
