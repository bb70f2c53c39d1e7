/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What strangers do to ktund: floods, forged sources, malformed datagrams, clients that crash or misbehave, and one that
 * is only honest.  IPv4.  Everything is by the engines' encoder, so that only what is meant to be wrong is wrong.
 *
 *	hostile flood DST PORT COUNT PER_SECOND random|ADDRESS	SCCRQs from that source, a port and tunnel id each
 *	hostile once DST PORT SECONDS	one SCCRQ, then silence: prints replies=N sent= received=
 *	hostile forge TYPE|each SRC SPORT DST DPORT TID|all SID NS NR [TIMES]	one message, or one for every tunnel id
 *	hostile tunnels DST PORT COUNT [leave|FILE]	so many tunnels whose SCCCNs leave when all have their SCCRP: prints
 *		up=N refused=N.  leave: goes without a word.  FILE: prints answered=N and waits until FILE is there before
 *		they do; unheard=N in the end: those whose SCCCN nobody acknowledged
 *	hostile malformed SRC SPORT DST DPORT TID SID SEED COUNT	every kind of bad datagram, then COUNT random ones
 *	hostile icmp SRC DST DPORT PEER PEERPORT COUNT	"unreachable" and "too big" for DST's datagrams to PEER
 *	hostile lac DST PORT [sport=N] [user=U] [password=P] [secret=S] [evil=KIND] [seconds=N] [calls=N] [id0]
 *		[leave] [hasty]
 *		a tunnel, a call and PPP until IPCP is Opened; prints up=0|1 ms=N cdn=N stopccn=N refused=N zlb=N packets=N
 *		address=A; status 0 if up.  leave: goes without a word, as a crashed client.  hasty: says everything again
 *		after 200 ms.  calls=N: so many more, that say nothing; refused: how many of these had a CDN.  id0: Tunnel ID 0
 *		in all control messages.  evil: what it does after ICCN instead, see evil_kind[].
 *	hostile watch FILE	until FILE is there; prints the longest delay= in ms that befell a process that does nothing
 */
#include <netinet/ip_icmp.h>

#include "client.h"

/* --- forged datagrams ------------------------------------------------------------------------------- */

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

static int tunnels(char **a)
{
	static const struct cc_conf conf = { .host_name = "client" };
	enum { MAX = 16 };
	static struct lac l[MAX];
	static uint8_t reply[MAX][1500];
	const char *until = a[3] && strcmp(a[3], "leave") ? a[3] : NULL;
	unsigned n = many(a[2]), up = 0, refused = 0, unheard = 0;
	ssize_t len[MAX];

	if (n > MAX)
		die("too many");
	for (unsigned i = 0; i < n; i++) {
		l[i].fd = udp_socket(0, address(a[0]), number(a[1]));
		l[i].evil = SILENT;
		v2_cc_init(&l[i].cc, &env, &conf, (uint16_t)(1 + env_u32(&env) % 65535));
		(void)cc_open(&l[i].cc, now_ms());
		settle(&l[i], now_ms());
	}
	for (unsigned i = 0; i < n; i++) {
		struct pollfd p = { .fd = l[i].fd, .events = POLLIN };

		len[i] = poll(&p, 1, 10000) > 0 ? recv(l[i].fd, reply[i], sizeof(reply[i]), 0) : -1;
		if (len[i] < 0)
			die("no SCCRP");
	}
	if (until)
		printf("answered=%u\n", n);
	while (until && access(until, F_OK))
		nap(TICK_MS);
	for (unsigned i = 0; i < n; i++) {
		received(&l[i], reply[i], (size_t)len[i], now_ms());
		settle(&l[i], now_ms());
	}
	for (unsigned i = 0; i < n; i++) {
		run_until(&l[i], now_ms() + (a[3] ? 100 : 1000), &l[i].gone);
		for (ms_t end = now_ms() + 20000; until && l[i].cc.rel.tx && now_ms() < end;)
			run_until(&l[i], now_ms() + 100, &l[i].gone);
		unheard += l[i].cc.rel.tx != NULL;
		up += l[i].cc.state == CC_ESTABLISHED;
		refused += l[i].stopccn == L2TP_STOP_ERROR;
	}
	printf("up=%u refused=%u", up, refused);
	if (until)
		printf(" unheard=%u", unheard);
	printf("\n");
	for (unsigned i = 0; i < n && (!a[3] || until); i++) {
		cc_close(&l[i].cc, now_ms(), NULL);
		settle(&l[i], now_ms());
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int min, max; int (*run)(char **); } command[] = {
		{ "flood", 5, 5, flood }, { "once", 3, 3, once }, { "forge", 9, 10, forge_message }, { "tunnels", 3, 4, tunnels },
		{ "malformed", 8, 8, malformed }, { "icmp", 6, 6, icmp_storm }, { "lac", 2, 12, lac }, { "watch", 1, 1, watch },
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof(command) / sizeof(command[0]); i++)
		if (!strcmp(argv[1], command[i].name) && argc - 2 >= command[i].min && argc - 2 <= command[i].max)
			return command[i].run(argv + 2);
	die("wrong words; see the top of selftests/net/hostile.c");
}
