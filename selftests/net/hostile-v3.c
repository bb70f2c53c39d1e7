/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What strangers do to an LCCE that speaks L2TPv3; hostile.c is the same for L2TPv2.  IPv4.  Messages are by the engine's
 * encoder and signed by it, so that only what is meant to be wrong is wrong.
 *
 *	hostile-v3 sccrq WAY COUNT PER_SECOND SECRET		SCCRQs, a port and Control Connection ID each
 *	hostile-v3 forge TYPE|each WAY CCID SID PEER_SID NS NR SECRET [TIMES]	one message, or one of each type
 *	hostile-v3 replay FILE TYPE|each WAY TIMES	the control messages in a pcap file that are for WAY's DST, from WAY's
 *		SRC and SPORT (over UDP or IP and to the port as they were); prints TYPE=N for each that was there, too
 *	hostile-v3 data WAY SID COOKIE COUNT		Ethernet frames from 02:00:00:00:be:ef; COOKIE in hex
 *	hostile-v3 malformed WAY CCID SID SEED COUNT SECRET	every kind of bad datagram, then COUNT random ones
 *	hostile-v3 peer udp|ip DST SECRET SECONDS [call=PW:END-ID] [cdn=SID:PEER_SID] [raw=HEX]
 *		an honest peer as far as its tunnel goes, which then sends these; HEX: a message's AVPs from Message Type on.
 *		Prints tunnel=0|1 call=0|1 cdn=RESULT/ERROR stopccn=RESULT/ERROR acked=0|1 (all it sent) and the words it was
 *		given; status 0 if the tunnel came up
 *
 * WAY: udp|ip SRC|random|same SPORT|random|same DST; port 1701.  SECRET, COOKIE: "-" for none.  Each prints sent=N, and sccrq
 * octets=N, too. */
#include <poll.h>

#include "l2tp/v3_step.h"
#include "net/tool.h"

enum { TICK_MS = 10, L2TP_PORT = 1701, IP_PROTO_L2TP = 115, IP_L2TP = 20, PATIENCE_MS = 2000 };

struct way { struct path path; bool ip, any_source, any_port, same_source, same_port; };

static int raw;

static struct way way_of(char **a)
{
	struct way w = { .ip = !strcmp(a[0], "ip"), .any_source = !strcmp(a[1], "random"), .any_port = !strcmp(a[2], "random"),
			 .same_source = !strcmp(a[1], "same"), .same_port = !strcmp(a[2], "same"),
			 .path = { .dst = address(a[3]), .dport = L2TP_PORT } };

	if (!w.ip && strcmp(a[0], "udp"))
		die("%s is neither udp nor ip", a[0]);
	if (!w.any_source && !w.same_source)
		w.path.src = address(a[1]);
	if (!w.any_port && !w.same_port)
		w.path.sport = number(a[2]);
	raw = raw_socket();
	return w;
}

/* RFC 3931 4.1.1: over IP a Session ID comes first, and zero means a control message. */
static void emit(struct way *w, const void *octets, size_t len, bool control)
{
	size_t head = IP_L2TP + (control ? 4 : 0);
	uint8_t p[IP_L2TP + 4 + 65507] = { 0 };

	if (w->any_source)		/* 11.0.0.0 to 138.255.255.255 without 127: nobody's own here */
		w->path.src = htonl((11 + env_u32(&env) % 100) << 24 | (env_u32(&env) & 0xffffff));
	if (w->any_port)
		w->path.sport = (uint16_t)(1024 + env_u32(&env) % 60000);
	if (!w->ip) {
		forge(raw, &w->path, octets, len);
	} else if (len <= 65507 - 4) {
		ip_header(p, w->path.src, w->path.dst, IP_PROTO_L2TP, head + len);
		memcpy(p + head, octets, len);
		raw_send(raw, p, head + len, w->path.dst);
	}
}

static struct span span_of(const char *s)
{
	return strcmp(s, "-") ? (struct span){ (const uint8_t *)s, strlen(s) } : (struct span){ NULL, 0 };
}

static void auth_of(struct v3_auth *a, const char *secret)
{
	const struct span both[V3_SECRETS] = { span_of(secret) };

	v3_auth_init(a, &env, both, V3_HMAC_SHA1);
}

static size_t signed_message(const struct v3_auth *a, struct v3_msg *m, uint8_t *buf, size_t size)
{
	size_t len;

	v3_auth_prepare(a, m);
	len = v3_encode(m, buf, size, (struct span){ NULL, 0 });
	if (!len)
		die("a message is too long");
	v3_sign(a, buf, len);
	return len;
}

static size_t sccrq(const struct v3_auth *a, uint32_t cc_id, uint8_t *buf, size_t size)
{
	struct v3_msg m = {
		.type = V3_SCCRQ, .host_name = { (const uint8_t *)"stranger", 8 }, .router_id = 1, .assigned_cc_id = cc_id,
		.rws = 4, .pw_caps = 1u << V3_PW_ETHERNET, .nonce = { a->nonce, a->nonce_len },
		.present = V3_BIT(V3_AVP_HOST_NAME) | V3_BIT(V3_AVP_ROUTER_ID) | V3_BIT(V3_AVP_ASSIGNED_CC_ID) |
			   V3_BIT(V3_AVP_RWS) | V3_BIT(V3_AVP_PW_CAPS) | (a->n_keys ? V3_BIT(V3_AVP_NONCE) : 0),
	};

	return signed_message(a, &m, buf, size);
}

static int sccrqs(char **a)
{
	struct way w = way_of(a);
	unsigned count = many(a[4]), rate = many(a[5]);
	ms_t began = now_ms();
	struct v3_auth auth;
	uint8_t buf[512];
	size_t octets = 0;

	auth_of(&auth, a[6]);
	for (unsigned i = 0; i < count; i++) {
		size_t len = sccrq(&auth, 1 + env_u32(&env) % 0x7fffffff, buf, sizeof(buf));

		while (rate && i > (now_ms() - began) * rate / 1000)
			nap(TICK_MS);
		emit(&w, buf, len, true);
		octets += len;
	}
	printf("sent=%u octets=%zu\n", count, octets);
	return 0;
}

static const struct { const char *name; enum v3_msg_type type; } types[] = {
	{ "ack", V3_ACK }, { "sccrq", V3_SCCRQ }, { "sccrp", V3_SCCRP }, { "scccn", V3_SCCCN }, { "hello", V3_HELLO },
	{ "icrq", V3_ICRQ }, { "icrp", V3_ICRP }, { "iccn", V3_ICCN }, { "sli", V3_SLI }, { "cdn", V3_CDN }, { "stopccn", V3_STOPCCN },
};
enum { N_TYPES = sizeof(types) / sizeof(types[0]) };

static uint32_t id_of(const char *s)
{
	return (uint32_t)strtoul(s, NULL, 10);
}

static int forge_message(char **a)
{
	struct way w = way_of(a + 1);
	uint32_t cc_id = id_of(a[5]), sid = id_of(a[6]), peer_sid = id_of(a[7]);
	uint16_t ns = number(a[8]), nr = number(a[9]);
	unsigned times = a[11] ? many(a[11]) : 1, sent = 0;
	bool each = !strcmp(a[0], "each");
	struct v3_auth auth;
	uint8_t buf[512];

	auth_of(&auth, a[10]);
	if (auth.n_keys)		/* as a peer whose SCCRQ was answered */
		v3_auth_resume(&auth, auth.nonce, auth.nonce, auth.nonce_len, 0, V3_HMAC_SHA1);
	for (unsigned i = 0; i < N_TYPES; i++) {
		struct v3_msg m = {
			.type = (uint16_t)types[i].type, .cc_id = cc_id, .ns = ns, .nr = nr, .result = { .result = 1 },
			.assigned_cc_id = 1, .local_session_id = peer_sid, .remote_session_id = types[i].type == V3_ICRQ ? 0 : sid,
			.remote_end_id = { (const uint8_t *)"red", 3 }, .pw_type = V3_PW_ETHERNET, .serial = 1,
			.host_name = { (const uint8_t *)"stranger", 8 }, .pw_caps = 1u << V3_PW_ETHERNET,
			.present = V3_BIT(V3_AVP_RESULT_CODE) | V3_BIT(V3_AVP_ASSIGNED_CC_ID) | V3_BIT(V3_AVP_LOCAL_SESSION_ID) |
				   V3_BIT(V3_AVP_REMOTE_SESSION_ID) | V3_BIT(V3_AVP_CIRCUIT_STATUS),
		};
		size_t len;

		if (types[i].type == V3_ICRQ)
			m.present |= V3_BIT(V3_AVP_REMOTE_END_ID) | V3_BIT(V3_AVP_PW_TYPE) | V3_BIT(V3_AVP_SERIAL);
		if (types[i].type == V3_SCCRQ || types[i].type == V3_SCCRP)
			m.present |= V3_BIT(V3_AVP_HOST_NAME) | V3_BIT(V3_AVP_ROUTER_ID) | V3_BIT(V3_AVP_PW_CAPS);
		if (!each && strcmp(types[i].name, a[0]))
			continue;
		len = signed_message(&auth, &m, buf, sizeof(buf));
		for (unsigned n = 0; n < times; n++) {
			emit(&w, buf, len, true);
			if (++sent % 512 == 0)
				nap(TICK_MS);	/* as fast as they are read */
		}
	}
	if (!sent)
		die("what is %s?", a[0]);
	printf("sent=%u\n", sent);
	return 0;
}

/* The control message in a captured frame that was for dst: its octets, or none. */
static struct span in_frame(const uint8_t *p, size_t len, struct way *w)
{
	struct span none = { NULL, 0 };
	struct iphdr ip;
	size_t at;

	if (len < 14 + sizeof(ip) || p[12] != 8 || p[13])
		return none;
	memcpy(&ip, p + 14, sizeof(ip));
	at = 14 + ip.ihl * 4u;
	len = len < 14u + ntohs(ip.tot_len) ? len : 14u + ntohs(ip.tot_len);
	w->ip = ip.protocol == IP_PROTO_L2TP;
	if (ip.daddr != w->path.dst || (!w->ip && ip.protocol != IPPROTO_UDP))
		return none;
	if (w->same_source)
		w->path.src = ip.saddr;
	if (!w->ip && len > at + 8) {
		if (w->same_port)
			w->path.sport = (uint16_t)(p[at] << 8 | p[at + 1]);
		w->path.dport = (uint16_t)(p[at + 2] << 8 | p[at + 3]);
	}
	at += w->ip ? 4 : 8;
	if (len < at + V3_HDR_LEN || !(p[at] & 0x80))
		return none;
	return (struct span){ p + at, len - at };
}

static int replay(char **a)
{
	struct way w = way_of(a + 2);
	unsigned times = many(a[6]), sent = 0, had[N_TYPES] = { 0 };
	FILE *f = fopen(a[0], "rb");
	uint32_t record[4];
	uint8_t buf[4096];

	if (!f || fread(buf, 24, 1, f) != 1)
		die("%s: %s", a[0], strerror(errno));
	while (fread(record, sizeof(record), 1, f) == 1 && record[2] <= sizeof(buf) && fread(buf, record[2], 1, f) == 1) {
		struct span m = in_frame(buf, record[2], &w);
		unsigned type = m.n > 20 ? (unsigned)(m.p[18] << 8 | m.p[19]) : V3_ZLB;

		for (unsigned i = 0; m.n && i < N_TYPES; i++) {
			if (types[i].type != type || (strcmp(a[1], "each") && strcmp(a[1], types[i].name)))
				continue;
			had[i]++;
			for (unsigned n = 0; n < times; n++) {
				emit(&w, m.p, m.n, true);
				if (++sent % 256 == 0)
					nap(TICK_MS);
			}
		}
	}
	fclose(f);
	for (unsigned i = 0; i < N_TYPES; i++)
		if (had[i])
			printf("%s=%u ", types[i].name, had[i]);
	printf("sent=%u\n", sent);
	return 0;
}

static size_t from_hex(uint8_t *out, size_t size, const char *p)
{
	size_t n = 0;

	for (; p[0] && p[1] && n < size; p += 2) {
		char two[3] = { p[0], p[1], 0 };

		out[n++] = (uint8_t)strtoul(two, NULL, 16);
	}
	return n;
}

/* RFC 3931 4.1: over UDP flags and Ver, then the Session ID in either. */
static int data(char **a)
{
	static const uint8_t frame[64] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0xbe, 0xef, 0x88, 0xb5, 'b', 'a', 'd' };
	struct way w = way_of(a);
	unsigned count = many(a[6]);
	uint8_t buf[128] = { 0, 3 };
	size_t n = w.ip ? 0 : 4;

	put_u32(buf + n, id_of(a[4]));
	n += 4;
	if (strcmp(a[5], "-"))
		n += from_hex(buf + n, V3_COOKIE_MAX, a[5]);
	memcpy(buf + n, frame, sizeof(frame));
	for (unsigned i = 0; i < count; i++)
		emit(&w, buf, n + sizeof(frame), false);
	printf("sent=%u\n", count);
	return 0;
}

/* Bad ways to begin, as hex.  TT: the control connection's id, SS: the session's. */
static const char *const bad[] = {
	"", "c8", "c803", "c80300", "c803000c", "c803000cTTTTTTTT", "c803000cTTTTTTTT000000",	/* shorter than a header */
	"c803000bTTTTTTTT00000000", "c8030000TTTTTTTT00000000",			/* Length below the header's */
	"c803ffffTTTTTTTT00000000", "c803000dTTTTTTTT00000000",			/* Length beyond the datagram */
	"8803000cTTTTTTTT00000000", "c003000cTTTTTTTT00000000", "ca03000cTTTTTTTT00000000",	/* T, L, S and the others */
	"c803000cTTTTTTTT0000ffff", "c803000c000000000000ffff", "c803000cffffffff00000000",	/* ZLB */
	"c801000cTTTTTTTT00000000", "c804000cTTTTTTTT00000000", "c80f000cTTTTTTTT00000000",	/* Ver */
	"c8030014TTTTTTTT000000008007000000000001", "c8030014TTTTTTTT000000008005000000000001",	/* AVP Length too small */
	"c8030014TTTTTTTT000000008000000000000001", "c8030014TTTTTTTT000000008fff000000000001",	/* 0; over the end */
	"c8030014TTTTTTTT000000008008000000000000", "c8030014TTTTTTTT00000000800800000000ffff",	/* Message Type 0, unknown */
	"c8030014TTTTTTTT000000008008000900000001", "c8030014TTTTTTTT0000000080080000000000ff",	/* a vendor's */
	"c8030014TTTTTTTT000000008008000000000005", "c8030014TTTTTTTT00000000c008000000000001",	/* reserved, hidden */
	"c803001bTTTTTTTT0000000080080000000000068007" "0000003b00",			/* a digest of no octets */
	"c803001cTTTTTTTT0000000080080000000000068008" "0000003b0100",			/* of one */
	"c803002bTTTTTTTT0000000080080000000000068017" "0000003b00" "00000000000000000000000000000000",	/* of zeros */
	"c803002bTTTTTTTT000000008008000000000006c017" "0000003b00" "00000000000000000000000000000000",	/* hidden */
	"c803002bTTTTTTTT0000000080080000000000068017" "0000003bff" "00000000000000000000000000000000",	/* of no type */
	"c803002bTTTTTTTT00000000800800000000000683ff" "0000003b00" "00000000000000000000000000000000",	/* over the end */
	"c803001e00000000000000008008000000000001800a0000003d00000000",		/* Assigned Control Connection ID 0 */
	"c803002200000000000000008008000000000001800800000007" "00078000000000",	/* AVPs run out */
	"c803001e0000000000000000800800000000000180060000004900000000",			/* an empty nonce */
	"c803001400000000000000008008000000000002", "c803001400000000000000008008000000000003",	/* to nobody */
	"c803001400000000000000008008000000000004", "c803001400000000000000008008000000000006",
	"c80300140000000000000000800800000000000a", "c80300140000000000000000800800000000000e",
	"c8030014TTTTTTTTffff000080080000000000" "0e", "c8030014TTTTTTTT7fff7fff800800000000000" "4",	/* far off */
	"c8020014000000000000000080080000000000" "0a", "c802001400000000000000008008000000000001",	/* as in L2TPv2 */
	"0003", "000300", "00030000", "00030000SSSS", "00030000SSSSSSSS", "00030000SSSSSSSSff",	/* data, cut */
	"00030000SSSSSSSS00000000",
	"0003ffffSSSSSSSS0000000000000000", "0003000000000000000000000000000000000000000000000000000000000000",
	"00030000ffffffff00000000000000000000000000000000000000000000000000000000",	/* no such session */
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "000000000000000000000000000000000000000000000000",
};

static size_t filled(uint8_t *out, size_t size, const char *hex, uint32_t cc_id, uint32_t sid)
{
	char line[256];

	snprintf(line, sizeof(line), "%s", hex);
	for (char *p; (p = strstr(line, "TTTTTTTT")) || (p = strstr(line, "SSSSSSSS"));) {
		char id[9];

		snprintf(id, sizeof(id), "%08x", *p == 'T' ? cc_id : sid);
		memcpy(p, id, 8);
	}
	return from_hex(out, size, line);
}

static int malformed(char **a)
{
	struct way w = way_of(a);
	uint32_t cc_id = id_of(a[4]), sid = id_of(a[5]);
	unsigned count = many(a[7]), n_bad = sizeof(bad) / sizeof(bad[0]), sent = 0;
	static uint8_t big[1472], buf[2048];
	struct v3_auth auth;
	size_t len;

	auth_of(&auth, a[8]);
	for (unsigned i = 0; i < n_bad; i++, sent++) {
		len = filled(buf, sizeof(buf), bad[i], cc_id, sid);
		emit(&w, buf, len, !len || buf[0] & 0x80);
	}
	memcpy(big, "\xc8\x03", 2);
	emit(&w, big, sizeof(big), true);
	memset(big, 0xff, sizeof(big));
	emit(&w, big, sizeof(big), true);
	srand(many(a[6]));
	for (unsigned i = 0; i < count; i++, sent++) {
		unsigned n = 1 + (unsigned)rand() % 6;

		if (i % 4 == 0) {			/* noise behind a good beginning */
			len = 1 + (size_t)rand() % 300;
			for (size_t j = 0; j < len; j++)
				buf[j] = (uint8_t)rand();
			buf[0] = i % 8 ? 0xc8 : 0;
			buf[1] = 3;
		} else if (i % 4 < 3) {		/* a good SCCRQ with a few octets changed, or cut */
			len = sccrq(&auth, 9, buf, sizeof(buf));
			n -= i % 4 == 2;
		} else {
			len = filled(buf, sizeof(buf), bad[(unsigned)rand() % n_bad], cc_id, sid);
		}
		for (unsigned j = 0; len && j < n && i % 4; j++)
			buf[(size_t)rand() % len] = (uint8_t)rand();
		if (i % 4 == 2) {			/* but signed as it is now: what is inside gets its look */
			buf[V3_DIGEST_AT - 1] = V3_SCCRQ;
			v3_sign(&auth, buf, len);
		} else if (len > 1 && rand() % 3 == 0) {
			len -= (size_t)rand() % len;
		}
		emit(&w, buf, len, !len || buf[0] & 0x80);
		if (i % 128 == 127)
			nap(TICK_MS);
	}
	printf("sent=%u\n", sent + 2);
	return 0;
}

/* --- a peer ----------------------------------------------------------------------------------------- */

static struct {
	struct cc cc;
	struct call call[8];
	int fd;
	bool ip, up, down, gone;
	char **words;
	unsigned n_calls, calls_up;
	struct l2tp_result cdn, stopccn;
	char said[128];
} peer;

static void say(const char *word, ms_t now)
{
	struct cc *cc = &peer.cc;
	uint8_t buf[1024];
	char *colon = strchr(word, ':');

	if (!strncmp(word, "call=", 5) && colon && peer.n_calls < 8) {
		struct v3_call_info info = { .pw_type = number((*colon = 0, word + 5)), .own = { .cookie.len = V3_COOKIE_MAX } };

		info.end_id_len = (uint8_t)strlen(colon + 1);
		memcpy(info.end_id, colon + 1, info.end_id_len);
		cc->v3.peer_pw_caps = ~0u;		/* whatever it said */
		if (v3_call_open(cc, &peer.call[peer.n_calls], now, V3_ICRQ_SENDER, 1 + peer.n_calls, &info))
			die("the call cannot be placed");
		peer.n_calls++;
	} else if (!strncmp(word, "cdn=", 4) && colon) {
		struct v3_msg m = { .type = V3_CDN, .result = { .result = 3 }, .remote_session_id = id_of(word + 4),
				    .local_session_id = id_of(colon + 1), .present = V3_BIT(V3_AVP_RESULT_CODE) |
				    V3_BIT(V3_AVP_LOCAL_SESSION_ID) | V3_BIT(V3_AVP_REMOTE_SESSION_ID) };

		v3_send(cc, now, &m, false);
	} else if (!strncmp(word, "raw=", 4) && strlen(word) >= 4 + 16) {
		struct v3_msg m = { .type = V3_HELLO, .cc_id = cc->peer_tunnel_id };
		uint8_t avps[512];
		size_t n = from_hex(avps, sizeof(avps), word + 4), len;

		v3_auth_prepare(&cc->v3.auth, &m);	/* for its header and digest; signed when it leaves */
		len = v3_encode(&m, buf, sizeof(buf), (struct span){ NULL, 0 });
		memcpy(buf + V3_HDR_LEN, avps, 8);
		memcpy(buf + len, avps + 8, n - 8);
		put_u16(buf + 2, (unsigned)(len + n - 8));
		rel_tx(&cc->rel, now, buf, len + n - 8, false, 100, &cc->out);
	} else {
		die("what is %s?", word);
	}
}

static void leave(const struct fx *f)
{
	uint8_t buf[4 + 2048] = { 0 };
	size_t head = peer.ip ? 4 : 0;

	memcpy(buf + head, f->data, f->len);
	v3_sign(&peer.cc.v3.auth, buf + head, f->len);
	(void)send(peer.fd, buf, head + f->len, 0);
}

static void settle(ms_t now)
{
	struct cc *cc = &peer.cc;

	do {
		for (struct fx *f; (f = fx_pop(&cc->out)); fx_free(f)) {
			if (f->type == L2TP_FX_TX)
				leave(f);
			peer.calls_up += f->type == L2TP_FX_CALL_UP;
			peer.down |= f->type == L2TP_FX_CC_DOWN;
			peer.gone |= f->type == L2TP_FX_CC_GONE;
			if (f->type != L2TP_FX_CC_UP)
				continue;
			peer.up = true;
			for (char **word = peer.words; *word; word++)
				say(*word, now);
		}
		cc_flush(cc, now);
	} while (cc->out.head);
}

/* A CDN may be for a call that the engine knows nothing of. */
static void received(const uint8_t *p, size_t len, ms_t now)
{
	struct v3_msg m;

	if (!len || !(p[0] & 0x80))
		return;
	if (v3_decode(&m, p, len, (struct span){ NULL, 0 }, NULL) && (m.type == V3_CDN || m.type == V3_STOPCCN)) {
		*(m.type == V3_CDN ? &peer.cdn : &peer.stopccn) = m.result;
		snprintf(peer.said, sizeof(peer.said), "%.*s", (int)m.result.msg.n, (const char *)m.result.msg.p);
	}
	v3_cc_input(&peer.cc, now, p, len);
}

static void run_until(ms_t until, const bool *what)
{
	for (ms_t now = now_ms(); now < until && !*what; now = now_ms()) {
		ms_t next = ms_min(until, cc_deadline(&peer.cc));
		struct pollfd p = { .fd = peer.fd, .events = POLLIN };
		size_t head = peer.ip ? IP_L2TP + 4 : 0;
		uint8_t buf[2048];
		ssize_t n;

		if (poll(&p, 1, next > now ? (int)(next - now) : 0) > 0) {
			n = recv(peer.fd, buf, sizeof(buf), 0);	/* an error is what ICMP says */
			if (n > (ssize_t)head)
				received(buf + head, (size_t)n - head, now_ms());
		}
		now = now_ms();
		if (now >= cc_deadline(&peer.cc))
			cc_tick(&peer.cc, now);
		settle(now);
		if (peer.down && what != &peer.gone)
			return;
	}
}

static int ip_socket(uint32_t dst)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = dst };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IP_PROTO_L2TP);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("IP socket: %s", strerror(errno));
	return fd;
}

static int be_peer(char **a)
{
	static struct v3_conf conf = { .cc.host_name = "neighbour", .digest = V3_HMAC_SHA1 };
	ms_t until = now_ms() + many(a[3]) * 1000;
	bool never = false, acked;

	peer.ip = !strcmp(a[0], "ip");
	peer.fd = peer.ip ? ip_socket(address(a[1])) : udp_socket(0, address(a[1]), L2TP_PORT);
	conf.cc.secret = span_of(a[2]);
	peer.words = a + 4;
	v3_cc_init(&peer.cc, &env, &conf, 1 + env_u32(&env) % 0x7fffffff);
	(void)v3_cc_open(&peer.cc, now_ms(), 0);
	settle(now_ms());
	run_until(until, &peer.up);
	until = ms_min(until, now_ms() + PATIENCE_MS);
	while (now_ms() < until && !peer.down && (peer.cc.rel.tx || (peer.n_calls && !peer.calls_up && !peer.cdn.result)))
		run_until(ms_min(until, now_ms() + TICK_MS), &never);
	acked = !peer.cc.rel.tx;
	printf("tunnel=%d call=%u cdn=%u/%u stopccn=%u/%u acked=%d %s\n", peer.up, peer.calls_up, peer.cdn.result, peer.cdn.error,
	       peer.stopccn.result, peer.stopccn.error, acked, peer.said);
	cc_close(&peer.cc, now_ms(), NULL);
	settle(now_ms());
	run_until(now_ms() + PATIENCE_MS, &peer.gone);
	return !peer.up;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int min, max; int (*run)(char **); } command[] = {
		{ "sccrq", 7, 7, sccrqs }, { "forge", 11, 12, forge_message }, { "replay", 7, 7, replay }, { "data", 7, 7, data },
		{ "malformed", 9, 9, malformed }, { "peer", 4, 12, be_peer },
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof(command) / sizeof(command[0]); i++)
		if (!strcmp(argv[1], command[i].name) && argc - 2 >= command[i].min && argc - 2 <= command[i].max)
			return command[i].run(argv + 2);
	die("wrong words; see the top of selftests/net/hostile-v3.c");
}
