/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What strangers do to ktund: floods, forged sources, malformed datagrams, clients that crash or misbehave, and one that
 * is only honest.  IPv4.  Everything is by the engines' encoder, so that only what is meant to be wrong is wrong.
 *
 *	hostile flood DST PORT COUNT PER_SECOND random|ADDRESS	SCCRQs from that source, a port and tunnel id each
 *	hostile once DST PORT SECONDS	one SCCRQ, then silence: prints replies=N sent= received=
 *	hostile forge TYPE|each SRC SPORT DST DPORT TID|all SID NS NR [TIMES]	one message, or one for every tunnel id
 *	hostile tunnels DST PORT COUNT	so many tunnels whose SCCCNs leave when all have their SCCRP: prints up=N refused=N
 *	hostile malformed SRC SPORT DST DPORT TID SID SEED COUNT	every kind of bad datagram, then COUNT random ones
 *	hostile icmp SRC DST DPORT PEER PEERPORT COUNT	"unreachable" and "too big" for DST's datagrams to PEER
 *	hostile lac DST PORT [sport=N] [user=U] [password=P] [secret=S] [evil=KIND] [seconds=N] [calls=N] [id0]
 *		[leave]
 *		a tunnel, a call and PPP until IPCP is Opened; prints up=0|1 ms=N cdn=N stopccn=N refused=N zlb=N packets=N
 *		address=A; status 0 if up.  leave: goes without a word, as a crashed client.  calls=N: so many more, that say
 *		nothing; refused: how many of these had a CDN.  id0: Tunnel ID 0 in all control messages.  evil: what it does
 *		after ICCN instead, see evil_kind[].
 *	hostile watch FILE	until FILE is there; prints the longest delay= in ms that befell a process that does nothing
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "l2tp/cc.h"
#include "l2tp/data.h"
#include "ppp/ppp.h"

enum { IP_UDP = 28, TICK_MS = 10 };

static void chance(void *arg, void *buf, size_t len)
{
	(void)arg;
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort();
}

static const struct env env = { chance, NULL };

static ms_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ms_t)ts.tv_sec * 1000 + (ms_t)ts.tv_nsec / 1000000;
}

static void nap(ms_t ms)
{
	struct timespec ts = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("hostile: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\n", stderr);
	va_end(ap);
	exit(2);
}

static uint32_t address(const char *s)
{
	uint32_t a;

	if (inet_pton(AF_INET, s, &a) != 1)
		die("%s is no IPv4 address", s);
	return a;
}

static unsigned many(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!*s || *end || n > 100000000)
		die("%s is no number", s);
	return (unsigned)n;
}

static uint16_t number(const char *s)
{
	if (many(s) > UINT16_MAX)
		die("%s is no 16-bit number", s);
	return (uint16_t)many(s);
}

/* --- forged datagrams ------------------------------------------------------------------------------- */

struct path { uint32_t src, dst; uint16_t sport, dport; };

static int raw_socket(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), size = 4 << 20;

	if (fd < 0)
		die("raw socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

static void ip_header(uint8_t *p, uint32_t src, uint32_t dst, uint8_t proto, size_t len)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .tot_len = htons((uint16_t)len), .ttl = 64, .protocol = proto,
			    .saddr = src, .daddr = dst };

	memcpy(p, &ip, sizeof(ip));
}

static void raw_send(int fd, const uint8_t *p, size_t len, uint32_t dst)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = dst };

	while (sendto(fd, p, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
		if (errno != ENOBUFS && errno != EAGAIN)
			die("send: %s", strerror(errno));
		nap(1);
	}
}

static void forge(int fd, const struct path *way, const void *payload, size_t len)
{
	struct udphdr udp = { .source = htons(way->sport), .dest = htons(way->dport), .len = htons((uint16_t)(8 + len)) };
	uint8_t p[IP_UDP + 65507];

	if (len > 65507)
		return;
	ip_header(p, way->src, way->dst, IPPROTO_UDP, IP_UDP + len);
	memcpy(p + 20, &udp, sizeof(udp));
	memcpy(p + IP_UDP, payload, len);
	raw_send(fd, p, IP_UDP + len, way->dst);
}

static size_t sccrq(uint8_t *buf, size_t size, uint16_t tunnel_id)
{
	struct l2tp_msg m = {
		.type = L2TP_SCCRQ, .protocol_version = L2TP_PROTOCOL_VERSION, .framing_caps = 3, .assigned_tunnel_id = tunnel_id,
		.rws = 4, .host_name = { (const uint8_t *)"stranger", 8 },
		.present = L2TP_BIT(L2TP_AVP_PROTOCOL_VERSION) | L2TP_BIT(L2TP_AVP_FRAMING_CAPS) | L2TP_BIT(L2TP_AVP_HOST_NAME) |
			   L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID) | L2TP_BIT(L2TP_AVP_RWS),
	};

	return l2tp_encode(&m, buf, size, (struct span){ NULL, 0 });
}

static int flood(char **a)
{
	struct path way = { .dst = address(a[0]), .dport = number(a[1]) };
	unsigned count = many(a[2]), rate = many(a[3]), octets = 0;
	bool random = !strcmp(a[4], "random");
	int fd = raw_socket();
	ms_t began = now_ms();
	uint8_t buf[256];
	size_t len;

	if (!random)
		way.src = address(a[4]);
	for (unsigned i = 0; i < count; i++) {
		uint32_t r = env_u32(&env);

		while (rate && i > (now_ms() - began) * rate / 1000)
			nap(TICK_MS);
		if (random)			/* 11.0.0.0 to 138.255.255.255 without 127: nobody's own here */
			way.src = htonl((11 + r % 100) << 24 | (env_u32(&env) & 0xffffff));
		way.sport = (uint16_t)(1024 + (r >> 8) % 60000);
		len = sccrq(buf, sizeof(buf), (uint16_t)(1 + i % 65535));
		forge(fd, &way, buf, len);
		octets += (unsigned)len;
	}
	printf("sent=%u octets=%u ms=%llu\n", count, octets, (unsigned long long)(now_ms() - began));
	return 0;
}

static int udp_socket(uint16_t sport, uint32_t dst, uint16_t dport)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(sport) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(dport), .sin_addr.s_addr = dst };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("UDP socket: %s", strerror(errno));
	return fd;
}

static int once(char **a)
{
	int fd = udp_socket(0, address(a[0]), number(a[1]));
	ms_t until = now_ms() + many(a[2]) * 1000;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned replies = 0, octets = 0;
	uint8_t buf[2048];
	size_t len = sccrq(buf, sizeof(buf), 77);

	if (send(fd, buf, len, 0) != (ssize_t)len)
		die("send: %s", strerror(errno));
	for (ms_t now; (now = now_ms()) < until;) {
		ssize_t n = poll(&p, 1, (int)(until - now)) > 0 ? recv(fd, buf, sizeof(buf), 0) : -1;

		if (n >= 0) {
			replies++;
			octets += (unsigned)n;
		}
	}
	printf("replies=%u sent=%zu received=%u\n", replies, len, octets);
	return 0;
}

static const struct { const char *name; enum l2tp_msg_type type; } forged[] = {
	{ "zlb", L2TP_ZLB }, { "sccrp", L2TP_SCCRP }, { "scccn", L2TP_SCCCN }, { "stopccn", L2TP_STOPCCN }, { "hello", L2TP_HELLO },
	{ "cdn", L2TP_CDN }, { "iccn", L2TP_ICCN },
};

static struct path path_of(char **a)
{
	return (struct path){ .src = address(a[0]), .sport = number(a[1]), .dst = address(a[2]), .dport = number(a[3]) };
}

static size_t message(uint8_t *buf, size_t size, enum l2tp_msg_type type, uint16_t tid, uint16_t sid, char **a)
{
	struct l2tp_msg m = { .type = type, .tunnel_id = tid, .session_id = sid, .ns = number(a[0]), .nr = number(a[1]),
			      .result = { .result = 1 }, .assigned_tunnel_id = 1, .assigned_session_id = 1, .tx_speed = 64000,
			      .framing_type = 3 };

	if (type == L2TP_STOPCCN)
		m.present = L2TP_BIT(L2TP_AVP_RESULT_CODE) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID);
	else if (type == L2TP_CDN)
		m.present = L2TP_BIT(L2TP_AVP_RESULT_CODE) | L2TP_BIT(L2TP_AVP_ASSIGNED_SESSION_ID);
	else if (type == L2TP_ICCN)
		m.present = L2TP_BIT(L2TP_AVP_TX_SPEED) | L2TP_BIT(L2TP_AVP_FRAMING_TYPE);
	return l2tp_encode(&m, buf, size, (struct span){ NULL, 0 });
}

static int forge_message(char **a)
{
	bool all = !strcmp(a[5], "all"), each = !strcmp(a[0], "each"), known = each;
	unsigned first = all ? 0 : number(a[5]), last = all ? UINT16_MAX : first, sent = 0;
	struct path way = path_of(a + 1);
	unsigned times = a[9] ? many(a[9]) : 1;
	uint16_t sid = number(a[6]);
	int fd = raw_socket();
	uint8_t buf[256];

	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		if (!each && strcmp(forged[i].name, a[0]))
			continue;
		known = true;
		for (unsigned id = first; id <= last; id++) {
			for (unsigned n = 0; n < times; n++)
				forge(fd, &way, buf, message(buf, sizeof(buf), forged[i].type, (uint16_t)id, sid, a + 7));
			if (each)		/* and as if it were the tunnel's */
				forge(fd, &way, buf, message(buf, sizeof(buf), forged[i].type, (uint16_t)id, 0, a + 7));
			if (++sent % 512 == 0)
				nap(TICK_MS);	/* as fast as they are read, so that all of them are */
		}
	}
	if (!known)
		die("what is %s?", a[0]);
	printf("sent=%u\n", sent * times * (1 + each));
	return 0;
}

/* An ICMP error for a datagram that dst:dport sent to peer: codes 3/3 and 3/4 in turn. */
static int icmp_storm(char **a)
{
	uint32_t src = address(a[0]), dst = address(a[1]), peer = address(a[3]);
	struct udphdr udp = { .source = htons(number(a[2])), .dest = htons(number(a[4])), .len = htons(40) };
	unsigned count = many(a[5]);
	int fd = raw_socket();

	for (unsigned i = 0; i < count; i++) {
		struct icmphdr icmp = { .type = ICMP_DEST_UNREACH, .code = i % 8 ? ICMP_PORT_UNREACH : ICMP_FRAG_NEEDED };
		uint8_t p[56] = { 0 };
		uint32_t sum = 0;

		if (icmp.code == ICMP_FRAG_NEEDED)
			icmp.un.frag.mtu = htons(1300);
		ip_header(p, src, dst, IPPROTO_ICMP, sizeof(p));
		ip_header(p + 28, dst, peer, IPPROTO_UDP, 60);
		memcpy(p + 48, &udp, sizeof(udp));
		memcpy(p + 20, &icmp, sizeof(icmp));
		for (size_t j = 20; j < sizeof(p); j += 2)
			sum += (uint32_t)(p[j] << 8 | p[j + 1]);
		sum = (sum & 0xffff) + (sum >> 16);
		put_u16(p + 22, ~(sum + (sum >> 16)) & 0xffff);
		raw_send(fd, p, sizeof(p), dst);
		if (i % 64 == 63)
			nap(TICK_MS);
	}
	printf("sent=%u\n", count);
	return 0;
}

/* --- malformed datagrams ---------------------------------------------------------------------------- */

/* Bad ways to begin, as hex.  TT: our tunnel id as given, SS: the session's. */
static const char *const bad[] = {
	"", "c8", "c802", "c80200", "c802000c", "c802000c0000", "c802000c000000000000000",	/* shorter than a header */
	"c802000bTTTT000000000000", "c8020000TTTT000000000000",			/* Length below the header's */
	"c802ffffTTTT000000000000", "c802000dTTTT000000000000",			/* Length beyond the datagram */
	"8802000c00000000000000000000", "c002000c000000000000",			/* T without L; without S */
	"c803000c000000000000000000", "c803001400000000000000008008000000000001",	/* L2TPv3 */
	"0001000cTTTTSSSS", "40010010TTTTSSSS00000000", "c801000cTTTT000000000000",	/* L2F: version 1 */
	"c804000c000000000000000000", "c80f000c000000000000000000", "c800000c000000000000000000",
	"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff0", "00000000000000000000000000000000",
	"c8020012TTTT00000000000080070000000000010000",				/* AVP Length 7 of a 16-bit value */
	"c8020012TTTT000000000000800500000000",					/* AVP Length below its header */
	"c8020014TTTT00000000000080000000000000010", "c8020014TTTT0000000000008fff00000000000001",	/* 0; over the end */
	"c8020014TTTT0000000000008008000000000000",				/* Message Type 0 */
	"c8020014TTTT000000000000800800000000ffff", "c8020014TTTT0000000000000008000000005a5a",	/* unknown types */
	"c8020014TTTT000000000000800800010000dead",				/* first AVP is a vendor's */
	"c802001cTTTT000000000000800800000000000180080000000000ff",		/* SCCRQ with a tunnel id, short of AVPs */
	"c8020014000000000000000080080000000000ff", "c8020014000000000000000080080000000000010",
	"c802001c00000000000000008008000000000001c00800000009000a",		/* hidden, and no Random Vector */
	"c802001c00000000000000008008000000000001800800000009000000",		/* Assigned Tunnel ID 0 */
	"c8020022000000000000000080080000000000018008000000090007800a00000007",	/* Host Name runs out */
	"c802001400000000000000008008000000000002", "c802001400000000000000008008000000000003",	/* SCCRP, SCCCN to nobody */
	"c802001400000000000000008008000000000004", "c802001400000000000000008008000000000006",	/* StopCCN, HELLO */
	"c802001400000000000000008008000000000010", "c802000c000000000000000000000000",	/* ZLB to tunnel 0 */
	"c8020014TTTTSSSSffff0000800800000000000e", "c8020014TTTTSSSS8000ffff800800000000000e",	/* CDN, far off */
	"c8020014TTTT00007fff7fff8008000000000004", "c802000cTTTT0000ffffffff",	/* StopCCN; ZLB with an absurd Nr */
	"0002TTTTSSSS", "0002TTTTSSSSff", "0002TTTTSSSSff03", "0002TTTTSSSSff03c0", "0002TTTTSSSSff03c021",	/* data, cut */
	"4002ffffTTTTSSSSff03c021ff0100040000", "40020004TTTTSSSS", "0202TTTTSSSSffff", "0202TTTTSSSS7fffff03c0210101",
	"00020000SSSSff03c02101010004", "0002TTTT0000ff03c02101010004", "0002ffffffffff03c02101010004",	/* no such session */
	"0003TTTTSSSSff03c02101010004", "000200000000", "0802TTTTSSSSffffffffff03c021", "0a02TTTTSSSS00ffff03",
	"0002TTTTSSSSff03c021", "0002TTTTSSSSff03c02101", "0002TTTTSSSSff03c0210101ffff", "0002TTTTSSSSff03c02101010003",
	"0002TTTTSSSSff038021ff01000403", "0002TTTTSSSSff03c2230101000500", "0002TTTTSSSSff03c02301010006ff00",
	"0002TTTTSSSSff030003", "0002TTTTSSSS01", "0002TTTTSSSSff03ffffffffffffff",
};

static size_t from_hex(uint8_t *out, size_t size, const char *hex, uint16_t tid, uint16_t sid)
{
	char line[256];
	size_t n = 0;

	snprintf(line, sizeof(line), "%s", hex);
	for (char *p; (p = strstr(line, "TTTT")) || (p = strstr(line, "SSSS"));) {
		char id[5];

		snprintf(id, sizeof(id), "%04x", *p == 'T' ? tid : sid);
		memcpy(p, id, 4);
	}
	for (const char *p = line; p[0] && p[1] && n < size; p += 2) {
		char two[3] = { p[0], p[1], 0 };

		out[n++] = (uint8_t)strtoul(two, NULL, 16);
	}
	return n;
}

static int malformed(char **a)
{
	struct path way = path_of(a);
	uint16_t tid = number(a[4]), sid = number(a[5]);
	unsigned seed = many(a[6]), count = many(a[7]), n_bad = sizeof(bad) / sizeof(bad[0]), sent = 0;
	static uint8_t big[65507], buf[2048];
	int fd = raw_socket(), plain = udp_socket(0, way.dst, way.dport);
	size_t len;

	for (unsigned i = 0; i < n_bad; i++, sent++)
		forge(fd, &way, buf, from_hex(buf, sizeof(buf), bad[i], tid, sid));
	for (unsigned i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)i;
	for (unsigned i = 0; i < 3; i++, sent += 2) {	/* far too large: control, data and neither */
		static const uint8_t first[3][2] = { { 0xc8, 2 }, { 0, 2 }, { 0xff, 0xff } };

		memcpy(big, first[i], 2);
		forge(fd, &way, big, 1472);
		if (send(plain, big, sizeof(big), 0) < 0)	/* a raw socket does not fragment */
			die("send: %s", strerror(errno));
	}
	srand(seed);
	for (unsigned i = 0; i < count; i++, sent++) {
		unsigned n = 1 + (unsigned)rand() % 6;

		if (i % 4 == 0) {			/* noise behind a good beginning */
			len = 1 + (size_t)rand() % 300;
			for (size_t j = 0; j < len; j++)
				buf[j] = (uint8_t)rand();
			buf[0] = i % 8 ? 0xc8 : 0;
			buf[1] = 2;
		} else if (i % 4 == 1) {		/* a good SCCRQ with a few octets changed, or cut */
			len = sccrq(buf, sizeof(buf), 9);
		} else {
			len = from_hex(buf, sizeof(buf), bad[(unsigned)rand() % n_bad], tid, sid);
		}
		for (unsigned j = 0; len && j < n && i % 4; j++)
			buf[(size_t)rand() % len] = (uint8_t)rand();
		if (len > 1 && rand() % 3 == 0)
			len -= (size_t)rand() % len;
		forge(fd, &way, buf, len);
		if (i % 128 == 127)
			nap(TICK_MS);
	}
	printf("sent=%u\n", sent);
	return 0;
}

static int watch(char **a)
{
	ms_t worst = 0, began, took;

	while (access(a[0], F_OK)) {
		began = now_ms();
		nap(1);
		took = now_ms() - began;
		worst = took > worst ? took : worst;
	}
	printf("delay=%llu\n", (unsigned long long)worst);
	return 0;
}

/* --- one client ------------------------------------------------------------------------------------- */

struct lac {
	struct cc cc;
	struct call call;
	struct ppp ppp;
	int fd, evil;
	const char *user, *password;
	bool ppp_on, up, over, gone, id0;
	unsigned cdn, stopccn, refused, zlb, calls, packets;
	uint32_t ip;
};

static const char *const evil_kind[] = { "no", "silent", "junk", "ncp", "pap", "chap", "many", "loop", "hello", "ipcp" };
enum { GOOD, SILENT, JUNK, NCP, PAP, CHAP, MANY, LOOP, HELLO, IPCP_OFF, N_EVIL };
enum { MAX_CALLS = 2000, N_HELLO = 300 };

static void frame(struct lac *l, uint16_t proto, const void *info, size_t len)
{
	uint8_t buf[L2TP_DATA_HEADER + 2048];

	l2tp_data_header(buf, l->cc.peer_tunnel_id, l->call.peer_session_id, proto);
	memcpy(buf + L2TP_DATA_HEADER, info, len);
	(void)send(l->fd, buf, L2TP_DATA_HEADER + len, 0);
}

#define FRAME(l, proto, octets) frame(l, proto, octets, sizeof(octets) - 1)

/* PAP with the right name and password, which nobody asked for. */
static void say_pap(struct lac *l)
{
	size_t u = strlen(l->user), p = strlen(l->password);
	uint8_t b[600] = { 1, 1 };

	b[4] = (uint8_t)u;
	memcpy(b + 5, l->user, u);
	b[5 + u] = (uint8_t)p;
	memcpy(b + 6 + u, l->password, p);
	put_u16(b + 2, (unsigned)(6 + u + p));
	frame(l, PPP_PAP, b, 6 + u + p);
}

static void misbehave(struct lac *l)
{
	uint8_t noise[300];

	switch (l->evil) {
	case JUNK:
		FRAME(l, PPP_LCP, "\x01\x01\x00\x04" "beyond its length");
		FRAME(l, PPP_LCP, "\x01\x02\xff\xff\x01\x04");		/* longer than the frame */
		FRAME(l, PPP_LCP, "\x01\x03\x00\x06\x01\x00");		/* an option of length 0 */
		FRAME(l, PPP_LCP, "\x01\x04\x00\x06\x01\xff");		/* and one that runs out */
		FRAME(l, PPP_LCP, "\x02\x63\x00\x04");			/* Ack, Nak and Reject of nothing */
		FRAME(l, PPP_LCP, "\x03\x63\x00\x08\x01\x04\x00\x00");
		FRAME(l, PPP_LCP, "\x04\x63\x00\x08\x01\x04\xff\xff");
		FRAME(l, PPP_LCP, "\x08\x01\x00\x06\xc0\x21");		/* Protocol-Reject of LCP itself */
		FRAME(l, PPP_LCP, "\xff\x01\x00\x04");
		FRAME(l, PPP_LCP, "");
		for (unsigned i = 0; i < 100; i++) {
			static const uint16_t proto[] = { PPP_LCP, PPP_PAP, PPP_CHAP, PPP_IPCP, PPP_IPV6CP, PPP_CCP,
							  PPP_EAP, 0x1234 };

			chance(NULL, noise, sizeof(noise));
			noise[0] %= 16;
			frame(l, proto[i % 8], noise, 1 + noise[9]);
		}
		break;
	case NCP:				/* addresses and packets before anybody has proved anything */
		FRAME(l, PPP_IPCP, "\x01\x01\x00\x0a\x03\x06\x0a\x0a\x00\x63");
		FRAME(l, PPP_IPCP, "\x02\x01\x00\x0a\x03\x06\x0a\x0a\x00\x01");
		FRAME(l, PPP_IPV6CP, "\x01\x01\x00\x0e\x01\x0a\x01\x02\x03\x04\x05\x06\x07\x08");
		FRAME(l, PPP_IP, "\x45\x00\x00\x14\x00\x00\x40\x00\x40\x01\x00\x00\x0a\x0a\x00\x63\x0a\x0a\x00\x01");
		break;
	case MANY:
		for (unsigned i = 0; i < 2000; i++) {
			FRAME(l, PPP_LCP, "\x09\x01\x00\x08\x00\x00\x00\x01");
			if (i % 128 == 127)
				nap(TICK_MS);
		}
		break;
	case HELLO:				/* each in its turn, and no thought of a window */
		for (unsigned i = 0; i < N_HELLO; i++) {
			struct l2tp_msg m = { .type = L2TP_HELLO, .tunnel_id = l->cc.peer_tunnel_id, .ns = l->cc.rel.ns++,
					      .nr = l->cc.rel.nr };

			(void)send(l->fd, noise, l2tp_encode(&m, noise, sizeof(noise), (struct span){ NULL, 0 }), 0);
		}
		l->cc.rel.una = l->cc.rel.nxt = l->cc.rel.ns;	/* the engine knows nothing of them */
		break;
	}
}

static void ppp_effect(struct lac *l, const struct fx *f, ms_t now)
{
	const struct ppp_fx_tx *tx = (const void *)f->data;
	const struct ppp_fx_ncp *ncp = (const void *)f->data;

	switch ((enum ppp_fx)f->type) {
	case PPP_FX_TX:
		if ((l->evil == PAP || l->evil == CHAP) && tx->proto == PPP_CHAP)
			break;			/* it does not answer, it says something else */
		frame(l, tx->proto, tx->octets, f->len - sizeof(*tx));
		break;
	case PPP_FX_NCP_READY:
		ppp_ncp_go(&l->ppp, now, ncp->proto);
		break;
	case PPP_FX_NCP_UP:
		if (l->evil == IPCP_OFF && ncp->proto == PPP_IPCP)
			FRAME(l, PPP_IPCP, "\x05\x63\x00\x04");	/* Terminate-Request of IPCP alone */
		l->up |= l->evil != IPCP_OFF && ncp->proto == PPP_IPCP;
		l->ip = ncp->addrs.ip;
		break;
	case PPP_FX_LCP_UP:
		if (l->evil == PAP)
			say_pap(l);
		if (l->evil == CHAP) {
			FRAME(l, PPP_CHAP, "\x03\x01\x00\x04");		/* Success, said by the wrong side */
			FRAME(l, PPP_CHAP, "\x02\xff\x00\x05\xff");
			FRAME(l, PPP_CHAP, "\x02\x01\x00\x15\x10" "0123456789abcdef");	/* no name */
			FRAME(l, PPP_CHAP, "\x01\x01\x00\x15\x10" "0123456789abcdef");	/* a Challenge back */
			FRAME(l, PPP_CHAP, "\x02\x01\xff\xff\x31");
			FRAME(l, PPP_IPCP, "\x01\x01\x00\x0a\x03\x06\x0a\x0a\x00\x63");
		}
		break;
	case PPP_FX_STATE: case PPP_FX_PHASE: case PPP_FX_AUTH_CHECK: case PPP_FX_AUTH_DONE: case PPP_FX_NCP_DOWN:
	case PPP_FX_IDENT: case PPP_FX_DOWN:
		break;
	}
}

static const struct ppp_conf ppp_conf = {
	.allow = { PPP_AUTH_MSCHAPV2, PPP_AUTH_CHAP_MD5, PPP_AUTH_PAP }, .auth_name = "client", .ipv4 = true, .ipv6 = true,
	.take = true,
};

static void cc_effect(struct lac *l, const struct fx *f, ms_t now)
{
	struct call_info info = { .serial = 1, .tx_speed = 100000000 };
	const struct l2tp_cause *cause = (const void *)f->data;
	const struct l2tp_fx_call_down *down = (const void *)f->data;

	switch ((enum l2tp_fx)f->type) {
	case L2TP_FX_TX:
		if (l->id0)
			memset((uint8_t *)(uintptr_t)f->data + 4, 0, 2);
		(void)send(l->fd, f->data, f->len, 0);
		break;
	case L2TP_FX_CC_UP:
		if (cc_call_open(&l->cc, &l->call, now, CALL_LAC_INCOMING, 1, &info))
			die("the call cannot be placed");
		for (unsigned i = 0; i < l->calls; i++) {
			static struct call more[MAX_CALLS];

			if (cc_call_open(&l->cc, &more[i], now, CALL_LAC_INCOMING, (uint16_t)(2 + i), &info))
				die("the call cannot be placed");
		}
		break;
	case L2TP_FX_CC_DOWN:
		if (cause->by_peer)
			l->stopccn = cause->result;
		l->over = true;
		break;
	case L2TP_FX_CC_GONE:
		l->gone = true;
		break;
	case L2TP_FX_CALL_UP:
		if (((const struct l2tp_fx_call *)(const void *)f->data)->session_id != 1)
			break;
		misbehave(l);
		if (l->evil != GOOD && l->evil != PAP && l->evil != CHAP && l->evil != IPCP_OFF)
			break;
		if (ppp_init(&l->ppp, &env, &ppp_conf, l->user, l->password))
			die("out of memory");
		l->ppp_on = true;
		ppp_up(&l->ppp, now);
		break;
	case L2TP_FX_CALL_DOWN:
		if (down->session_id != 1) {
			l->refused += down->cause.by_peer && down->cause.result == L2TP_CDN_TEMPORARY;
			break;
		}
		if (down->cause.by_peer) {
			l->cdn = down->cause.result;
			if (down->cause.msg[0])
				fprintf(stderr, "CDN says: %s\n", down->cause.msg);
		}
		l->over = true;
		break;
	case L2TP_FX_STATE: case L2TP_FX_NOTE: case L2TP_FX_CALL_REQUEST: case L2TP_FX_CALL_PLACE: case L2TP_FX_SLI:
	case L2TP_FX_WEN:
		break;
	}
}

static void settle(struct lac *l, ms_t now)
{
	do {
		for (struct fx *f; (f = fx_pop(&l->cc.out)); fx_free(f))
			cc_effect(l, f, now);
		for (struct fx *f; l->ppp_on && (f = fx_pop(&l->ppp.out)); fx_free(f))
			ppp_effect(l, f, now);
		cc_flush(&l->cc, now);
	} while (l->cc.out.head || (l->ppp_on && l->ppp.out.head));
}

static void received(struct lac *l, const uint8_t *buf, size_t n, ms_t now)
{
	struct l2tp_data d;

	if (n && buf[0] & 0x80) {
		l->zlb += n == L2TP_HDR_LEN;
		cc_input(&l->cc, now, buf, n);
	} else if (l2tp_data_decode(&d, buf, n)) {
		l->packets += d.proto == PPP_IP;
		if (l->evil == LOOP)		/* whatever comes goes back as it is */
			frame(l, d.proto, d.info.p, d.info.n);
		else if (l->ppp_on)
			ppp_input(&l->ppp, now, d.proto, d.info.p, d.info.n);
	}
}

static void run_until(struct lac *l, ms_t until, const bool *what)
{
	for (ms_t now = now_ms(), next; now < until && !*what; now = now_ms()) {
		struct pollfd p = { .fd = l->fd, .events = POLLIN };
		uint8_t buf[2048];
		ssize_t n;

		next = ms_min(ms_min(until, cc_deadline(&l->cc)), l->ppp_on ? ppp_deadline(&l->ppp) : NEVER);
		if (poll(&p, 1, next > now ? (int)(next - now) : 0) > 0) {
			n = recv(l->fd, buf, sizeof(buf), 0);	/* an error is what ICMP says */
			if (n >= 0)
				received(l, buf, (size_t)n, now_ms());
		}
		now = now_ms();
		if (now >= cc_deadline(&l->cc))
			cc_tick(&l->cc, now);
		if (l->ppp_on && now >= ppp_deadline(&l->ppp))
			ppp_tick(&l->ppp, now);
		settle(l, now);
		if (l->over)
			return;
	}
}

static int lac(char **a)
{
	static struct lac l = { .user = "alice", .password = "wonderland" };
	static struct cc_conf conf = { .host_name = "client", .rto_ms = 1000, .rto_cap_ms = 8000 };
	char dotted[INET_ADDRSTRLEN];
	uint32_t dst = address(a[0]);
	uint16_t port = number(a[1]), sport = 0;
	unsigned seconds = 30;
	bool leave = false;
	ms_t began, took;

	for (a += 2; *a; a++) {
		if (!strncmp(*a, "sport=", 6))
			sport = number(*a + 6);
		else if (!strncmp(*a, "user=", 5))
			l.user = *a + 5;
		else if (!strncmp(*a, "password=", 9))
			l.password = *a + 9;
		else if (!strncmp(*a, "secret=", 7))
			conf.secret = (struct span){ (const uint8_t *)*a + 7, strlen(*a + 7) };
		else if (!strncmp(*a, "seconds=", 8))
			seconds = many(*a + 8);
		else if (!strncmp(*a, "calls=", 6))
			l.calls = many(*a + 6);
		else if (!strncmp(*a, "evil=", 5))
			for (l.evil = 0; l.evil < N_EVIL && strcmp(evil_kind[l.evil], *a + 5); l.evil++)
				;
		else if (!strcmp(*a, "id0"))
			l.id0 = true;
		else if (!strcmp(*a, "leave"))
			leave = true;
		else
			die("what is %s?", *a);
	}
	if (l.evil == N_EVIL || l.calls > MAX_CALLS)
		die("no such evil");
	l.fd = udp_socket(sport, dst, port);
	cc_init(&l.cc, &env, &conf, (uint16_t)(1 + env_u32(&env) % 65535));
	began = now_ms();
	(void)cc_open(&l.cc, began);
	settle(&l, began);
	run_until(&l, began + seconds * 1000, &l.up);
	took = now_ms() - began;
	printf("up=%d ms=%llu cdn=%u stopccn=%u refused=%u zlb=%u packets=%u address=%s\n", l.up, (unsigned long long)took, l.cdn,
	       l.stopccn, l.refused, l.zlb, l.packets, inet_ntop(AF_INET, &l.ip, dotted, sizeof(dotted)));
	fflush(stdout);
	if (!leave) {
		cc_close(&l.cc, now_ms(), NULL);
		settle(&l, now_ms());
		l.over = false;
		run_until(&l, now_ms() + 2000, &l.gone);
	}
	return !l.up;
}

static int tunnels(char **a)
{
	static const struct cc_conf conf = { .host_name = "client" };
	enum { MAX = 16 };
	static struct lac l[MAX];
	static uint8_t reply[MAX][1500];
	unsigned n = many(a[2]), up = 0, refused = 0;
	ssize_t len[MAX];

	if (n > MAX)
		die("too many");
	for (unsigned i = 0; i < n; i++) {
		l[i].fd = udp_socket(0, address(a[0]), number(a[1]));
		l[i].evil = SILENT;
		cc_init(&l[i].cc, &env, &conf, (uint16_t)(1 + env_u32(&env) % 65535));
		(void)cc_open(&l[i].cc, now_ms());
		settle(&l[i], now_ms());
	}
	for (unsigned i = 0; i < n; i++) {
		struct pollfd p = { .fd = l[i].fd, .events = POLLIN };

		len[i] = poll(&p, 1, 10000) > 0 ? recv(l[i].fd, reply[i], sizeof(reply[i]), 0) : -1;
		if (len[i] < 0)
			die("no SCCRP");
	}
	for (unsigned i = 0; i < n; i++) {
		received(&l[i], reply[i], (size_t)len[i], now_ms());
		settle(&l[i], now_ms());
	}
	for (unsigned i = 0; i < n; i++) {
		run_until(&l[i], now_ms() + 1000, &l[i].gone);
		up += l[i].cc.state == CC_ESTABLISHED;
		refused += l[i].stopccn == L2TP_STOP_ERROR;
	}
	printf("up=%u refused=%u\n", up, refused);
	for (unsigned i = 0; i < n; i++) {
		cc_close(&l[i].cc, now_ms(), NULL);
		settle(&l[i], now_ms());
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int min, max; int (*run)(char **); } command[] = {
		{ "flood", 5, 5, flood }, { "once", 3, 3, once }, { "forge", 9, 10, forge_message }, { "tunnels", 3, 3, tunnels },
		{ "malformed", 8, 8, malformed }, { "icmp", 6, 6, icmp_storm }, { "lac", 2, 12, lac }, { "watch", 1, 1, watch },
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof(command) / sizeof(command[0]); i++)
		if (!strcmp(argv[1], command[i].name) && argc - 2 >= command[i].min && argc - 2 <= command[i].max)
			return command[i].run(argv + 2);
	die("wrong words; see the top of selftests/net/hostile.c");
}
