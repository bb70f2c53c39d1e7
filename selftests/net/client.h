/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client over a socket: tunnel, call and PPP by the engines, honest or not; what hostile.c and faults.c share. */
#pragma once

#include <poll.h>

#include "l2tp/v2_cc.h"
#include "l2tp/data.h"
#include "net/tool.h"
#include "ppp/ppp.h"

enum { TICK_MS = 10, HASTE_MS = 200 };

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
	case PPP_FX_STATE: case PPP_FX_AUTH_CHECK: case PPP_FX_AUTH_DONE: case PPP_FX_NCP_DOWN:
	case PPP_FX_IDENT: case PPP_FX_DOWN:
		break;
	}
}

static struct ppp_conf ppp_conf = {
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
		if (v2_call_open(&l->cc, &l->call, now, CALL_LAC_INCOMING, 1, &info))
			die("the call cannot be placed");
		for (unsigned i = 0; i < l->calls; i++) {
			static struct call more[MAX_CALLS];

			if (v2_call_open(&l->cc, &more[i], now, CALL_LAC_INCOMING, (uint16_t)(2 + i), &info))
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
	case L2TP_FX_WEN: case L2TP_FX_FALLBACK:
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
		v2_cc_input(&l->cc, now, buf, n);
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

/* `hostile lac`: DST PORT and the words that stand there; status 0 if it came up. */
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
		else if (!strcmp(*a, "hasty"))
			conf.rto_ms = ppp_conf.restart_ms = HASTE_MS;
		else
			die("what is %s?", *a);
	}
	if (l.evil == N_EVIL || l.calls > MAX_CALLS)
		die("no such evil");
	l.fd = udp_socket(sport, dst, port);
	v2_cc_init(&l.cc, &env, &conf, (uint16_t)(1 + env_u32(&env) % 65535));
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
