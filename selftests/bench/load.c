/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many LACs in one process without a kernel object but UDP sockets: L2TP and PPP by the engines, ICMP echo by hand.
 * load --help lists the options.  Prints a line of JSON per phase: "up", "ping" and "down". */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/udp.h"
#include "l2tp/v2_cc.h"
#include "l2tp/data.h"
#include "ppp/ppp.h"

#include "options.h"
#include "tools.h"

enum {
	RX_BATCHES = 8, BUFFER = 4 << 20, CLOSE_WINDOW = 32, POLL_MS = 50, DOWN_MS = 120000, LEAVE_MS = 40000,
	PING_MS = 5000, PING_TRIES = 3, PING_WINDOW = 64, IP_HEAD = 20, ICMP_HEAD = 8, PING_DATA = 56, LATE_MS = 200,
};

enum sess_state { S_IDLE, S_CALLING, S_UP, S_FAILED, S_DOWN };
enum phase { SETUP, PINGING, HOLDING, CLOSING, LEAVING };

struct load;
struct lac;

struct sess {
	struct load *l;
	struct lac *t;
	struct call call;
	struct ppp ppp;
	struct timer timer;
	struct sess *next;		/* waits for its tunnel */
	double began, took;		/* ICRQ; from there to IPCP Opened; ms */
	uint8_t state;
	bool ppp_on, draining, in_tick;
	uint32_t ip, peer_ip;
	unsigned pings, answers, tries;
	double ping_at;
};

struct port { struct load *l; int fd; ev_io w; };

struct lac {
	struct load *l;
	struct port *port;
	struct cc cc;
	struct timer timer;
	struct sess *waiting, *close_next;	/* close_next: CDNs are sent a few at a time */
	uint16_t ns_end;			/* Ns after the highest that was sent */
	bool opened, established, draining, gone;
};

struct load {
	struct loop loop;
	struct options opt;
	struct env env;
	struct cc_conf cc_conf;
	struct ppp_conf ppp_conf;
	struct udp_rx *rx;
	struct endpoint local, peer;
	struct port *port;
	ev_signal term[2];
	struct timer clock;			/* what the phase waits for */
	struct lac *lac;			/* by tunnel id - 1 */
	struct sess *sess;			/* by session id - 1 */
	enum phase phase;
	unsigned next, active, up, failed, lost_later, ping_next, pinging, answered, unanswered, echoes;
	unsigned resent, ppp_resent, peer_resent, dropped_rx, dropped_tx, send_errors;
	double began, last, phase_at;
	double *latency, *rtt;
	unsigned n_rtt;
	uint8_t chance[4096];
	size_t n_chance;
	bool filling;
	int status;
};

static double ms_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void chance(void *arg, void *buf, size_t len)
{
	struct load *l = arg;

	if (l->n_chance < len) {
		if (getrandom(l->chance, sizeof(l->chance), 0) != sizeof(l->chance))
			abort();
		l->n_chance = sizeof(l->chance);
	}
	l->n_chance -= len;
	memcpy(buf, l->chance + l->n_chance, len);
}

static bool lost(struct load *l, unsigned *count)
{
	if (!l->opt.loss || env_u32(&l->env) % 100 >= l->opt.loss)
		return false;
	++*count;
	return true;
}

static void transmit(struct lac *t, const void *buf, size_t len)
{
	if (!lost(t->l, &t->l->dropped_tx) && send(t->port->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		t->l->send_errors++;
}

static void fill(struct load *l);
static void lac_drain(struct lac *t);
static void sess_drain(struct sess *s);

/* --- figures ---------------------------------------------------------------------------------------- */

static void report_up(struct load *l)
{
	double took = l->last - l->began;
	unsigned late = 0;

	for (unsigned i = 0, n = 0; i < l->opt.sessions; i++)
		if (l->sess[i].state == S_UP)
			l->latency[n++] = l->sess[i].took;
	qsort(l->latency, l->up, sizeof(double), by_size);
	/* what a retransmission had to repair stands apart from the rest */
	for (unsigned i = 0; i < l->up; i++)
		late += l->latency[i] > 3 * percentile(l->latency, l->up, 50);
	printf("{\"phase\": \"up\", \"up\": %u, \"failed\": %u, \"tunnels\": %u, \"seconds\": %.3f, \"per_second\": %.2f, "
	       "\"p50_ms\": %.1f, \"p95_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f, \"beyond_3_p50\": %u, "
	       "\"resent\": %u, \"ppp_resent\": %u, \"peer_resent\": %u, \"dropped_rx\": %u, \"dropped_tx\": %u, "
	       "\"send_errors\": %u, \"cpu_ms\": %.0f}\n", l->up, l->failed, l->opt.tunnels, took / 1e3,
	       took > 0 ? l->up * 1e3 / took : 0, percentile(l->latency, l->up, 50), percentile(l->latency, l->up, 95),
	       percentile(l->latency, l->up, 99), percentile(l->latency, l->up, 100), late, l->resent, l->ppp_resent,
	       l->peer_resent, l->dropped_rx, l->dropped_tx, l->send_errors, own_cpu_ms());
}

static void report_ping(struct load *l)
{
	qsort(l->rtt, l->n_rtt, sizeof(double), by_size);
	printf("{\"phase\": \"ping\", \"answered\": %u, \"unanswered\": %u, \"seconds\": %.3f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
	       "\"echoes_answered\": %u}\n", l->answered, l->unanswered, (ms_now() - l->phase_at) / 1e3,
	       percentile(l->rtt, l->n_rtt, 50), percentile(l->rtt, l->n_rtt, 99), l->echoes);
}

static void report_down(struct load *l, unsigned left)
{
	double took = ms_now() - l->phase_at;

	printf("{\"phase\": \"down\", \"sessions\": %u, \"left\": %u, \"lost_before\": %u, \"seconds\": %.3f, "
	       "\"per_second\": %.2f, "
	       "\"echoes_answered\": %u, \"cpu_ms\": %.0f}\n",
	       l->up, left, l->lost_later, took / 1e3, took > 0 ? l->up * 1e3 / took : 0, l->echoes, own_cpu_ms());
}

/* --- phases ----------------------------------------------------------------------------------------- */

static void start_closing(struct load *l)
{
	if (l->phase >= CLOSING)
		return;
	l->phase = CLOSING;
	l->phase_at = ms_now();
	for (unsigned i = 0; i < l->opt.tunnels; i++) {
		struct lac *t = &l->lac[i];

		if (!t->opened || t->gone)
			continue;
		if (l->opt.stopccn) {
			cc_close(&t->cc, l->loop.now, NULL);
		} else if (l->opt.cdn) {
			for (unsigned j = l->opt.sessions; j-- > 0; )
				if (l->sess[j].t == t && l->sess[j].state == S_UP) {
					l->sess[j].next = t->close_next;
					t->close_next = &l->sess[j];
				}
		}
		lac_drain(t);
	}
	timer_set(&l->loop, &l->clock, l->loop.now + (l->opt.cdn || l->opt.stopccn ? POLL_MS : 0));
}

static void next_phase(struct load *l)
{
	if (l->phase == SETUP) {
		if (l->up * 100 < l->opt.sessions * l->opt.fraction)
			l->status = 1;
		report_up(l);
		l->phase = l->opt.pings ? PINGING : HOLDING;
	} else {
		report_ping(l);
		if (l->unanswered)
			l->status = 1;
		l->phase = HOLDING;
	}
	l->phase_at = ms_now();
	timer_stop(&l->loop, &l->clock);
	if (l->phase == PINGING)
		timer_set(&l->loop, &l->clock, l->loop.now + LATE_MS);
	else if (!l->opt.hold)
		start_closing(l);
}

static void stop_if_all_gone(struct load *l)
{
	for (unsigned i = 0; i < l->opt.tunnels; i++)
		if (l->lac[i].opened && !l->lac[i].gone)
			return;
	loop_stop(&l->loop);
}

/* Politely: until every StopCCN is acknowledged. */
static void leave(struct load *l)
{
	bool talk = l->opt.cdn || l->opt.stopccn;

	l->phase = LEAVING;
	timer_set(&l->loop, &l->clock, l->loop.now + (talk ? LEAVE_MS : 0));
	for (unsigned i = 0; talk && i < l->opt.tunnels; i++)
		if (l->lac[i].established) {
			cc_close(&l->lac[i].cc, l->loop.now, NULL);
			lac_drain(&l->lac[i]);
		}
	if (talk)
		stop_if_all_gone(l);
}

static void send_ping(struct sess *s);

static void ping_tick(struct load *l)
{
	double now = ms_now();

	for (unsigned i = 0; i < l->opt.sessions; i++) {
		struct sess *s = &l->sess[i];

		if (s->pings == s->answers || s->state != S_UP || now - s->ping_at < PING_MS / PING_TRIES)
			continue;
		if (s->tries < PING_TRIES) {
			send_ping(s);
			continue;
		}
		l->unanswered += l->opt.pings - s->answers;
		s->pings = s->answers = l->opt.pings;
		l->pinging--;
	}
	timer_set(&l->loop, &l->clock, l->loop.now + LATE_MS);
	fill(l);
}

static void due_clock(struct timer *timer, void *arg)
{
	struct load *l = arg;
	double now = ms_now();
	int left = 0;

	(void)timer;
	switch (l->phase) {
	case SETUP:
		if (now - l->began < l->opt.timeout_s * 1e3) {
			timer_set(&l->loop, &l->clock, l->loop.now + 100);
			fill(l);
			break;
		}
		fprintf(stderr, "load: %u of %u sessions after %u s\n", l->up, l->opt.sessions, l->opt.timeout_s);
		l->failed += l->active;
		next_phase(l);
		break;
	case PINGING:
		ping_tick(l);
		break;
	case HOLDING:
		break;
	case CLOSING:
		if (l->opt.cdn || l->opt.stopccn) {
			for (unsigned i = 0; i < l->opt.sessions; i++)
				left += l->sess[i].state == S_UP;
			if (!left && l->opt.control)
				left = sessions_of(l->opt.control, "counters");
			if (left > 0 && now - l->phase_at < DOWN_MS) {
				/* asking costs ktund, too: more often only where the end is near */
				timer_set(&l->loop, &l->clock, l->loop.now + (left < POLL_MS * 5 ? 5u + left / 5u : POLL_MS));
				break;
			}
			if (left)
				l->status = 1;
		}
		report_down(l, (unsigned)left);
		leave(l);
		break;
	case LEAVING:
		loop_stop(&l->loop);
		break;
	}
}

static void start_session(struct load *l, struct sess *s)
{
	struct lac *t = s->t;

	s->state = S_CALLING;
	l->active++;
	s->next = t->waiting;
	t->waiting = s;
	if (!t->opened) {
		t->opened = true;
		cc_open(&t->cc, l->loop.now);
	}
	lac_drain(t);
}

/* As much work as may be under way; called last in every callback. */
static void fill(struct load *l)
{
	if (l->filling)
		return;
	l->filling = true;
	while (l->phase == SETUP && l->next < l->opt.sessions && l->active < l->opt.in_flight &&
	       (!l->opt.per_s || l->next <= (ms_now() - l->began) * l->opt.per_s / 1e3))
		start_session(l, &l->sess[l->next++]);
	if (l->phase == SETUP && l->next == l->opt.sessions && !l->active)
		next_phase(l);
	while (l->phase == PINGING && l->ping_next < l->opt.sessions && l->pinging < PING_WINDOW) {
		struct sess *s = &l->sess[l->ping_next++];

		if (s->state != S_UP)
			continue;
		l->pinging++;
		s->pings = 1;
		send_ping(s);
	}
	if (l->phase == PINGING && l->ping_next == l->opt.sessions && !l->pinging)
		next_phase(l);
	l->filling = false;
}

/* --- PPP -------------------------------------------------------------------------------------------- */

static void send_frame(struct sess *s, uint16_t proto, const void *info, size_t len)
{
	uint8_t buf[L2TP_DATA_HEADER + 2048];

	if (len > sizeof(buf) - L2TP_DATA_HEADER)
		return;
	l2tp_data_header(buf, s->t->cc.peer_tunnel_id, s->call.peer_session_id, proto);
	memcpy(buf + L2TP_DATA_HEADER, info, len);
	transmit(s->t, buf, L2TP_DATA_HEADER + len);
}

static void send_ping(struct sess *s)
{
	uint8_t p[IP_HEAD + ICMP_HEAD + PING_DATA] = { 0x45, 0, 0, sizeof(p), 0, 0, 0x40, 0, 64, 1 };
	uint8_t *icmp = p + IP_HEAD;

	memcpy(p + 12, &s->ip, 4);
	memcpy(p + 16, &s->peer_ip, 4);
	put_u16(p + 10, checksum(p, IP_HEAD));
	icmp[0] = 8;
	put_u16(icmp + 4, s->call.session_id);
	put_u16(icmp + 6, s->pings);
	put_u16(icmp + 2, checksum(icmp, sizeof(p) - IP_HEAD));
	s->tries++;
	s->ping_at = ms_now();
	send_frame(s, PPP_IP, p, sizeof(p));
}

static void ping_answered(struct sess *s, unsigned seq)
{
	struct load *l = s->l;

	if (seq != s->pings || s->pings == s->answers)
		return;
	s->answers++;
	l->answered++;
	l->rtt[l->n_rtt++] = ms_now() - s->ping_at;
	s->tries = 0;
	if (s->answers < l->opt.pings) {
		s->pings++;
		send_ping(s);
	} else {
		l->pinging--;
	}
}

static void packet(struct sess *s, const uint8_t *in, size_t len)
{
	struct load *l = s->l;
	uint8_t p[2048], addr[4];
	size_t head = len ? (size_t)(in[0] & 15) * 4 : 0;

	if (len > sizeof(p) || head < IP_HEAD || len < head + ICMP_HEAD || in[9] != 1 || memcmp(in + 16, &s->ip, 4) ||
	    checksum(in, head) || checksum(in + head, (size_t)(in[2] << 8 | in[3]) - head))
		return;
	if (in[head] == 0) {
		if ((uint32_t)(in[head + 4] << 8 | in[head + 5]) == s->call.session_id)
			ping_answered(s, (unsigned)(in[head + 6] << 8 | in[head + 7]));
		return;
	}
	if (in[head] != 8)
		return;
	memcpy(p, in, len);
	memcpy(addr, p + 12, 4);
	memcpy(p + 12, p + 16, 4);
	memcpy(p + 16, addr, 4);
	p[head] = 0;
	put_u16(p + head + 2, 0);
	put_u16(p + head + 2, checksum(p + head, len - head));
	l->echoes++;
	send_frame(s, PPP_IP, p, len);
}

static void sess_ended(struct sess *s, const char *why)
{
	struct load *l = s->l;

	if (s->state == S_CALLING) {
		s->state = S_FAILED;
		l->active--;
		if (!l->failed++)
			fprintf(stderr, "load: session %u: %s\n", s->call.session_id, why);
	} else if (s->state == S_UP) {
		s->state = S_DOWN;
		if (l->phase < CLOSING) {
			if (!l->lost_later++)
				fprintf(stderr, "load: session %u was lost: %s\n", s->call.session_id, why);
			if (l->phase == PINGING && s->pings != s->answers) {
				l->unanswered += l->opt.pings - s->answers;
				l->pinging--;
			}
			l->up--;
			l->status = 1;
		}
	}
	timer_stop(&l->loop, &s->timer);
}

static void ppp_effect(struct sess *s, const struct fx *f)
{
	struct load *l = s->l;
	const struct ppp_fx_tx *tx = (const void *)f->data;
	const struct ppp_fx_ncp *ncp = (const void *)f->data;
	const struct ppp_fx_down *down = (const void *)f->data;
	struct l2tp_cause cause = { .result = 3 };

	switch ((enum ppp_fx)f->type) {
	case PPP_FX_TX:
		if (s->in_tick && s->state == S_CALLING) {
			l->ppp_resent++;
			if (l->opt.verbose && f->len > sizeof(*tx))
				fprintf(stderr, "load: session %u: protocol %04x code %u id %u goes again after %.0f ms\n",
					s->call.session_id, tx->proto, tx->octets[0], tx->octets[1], ms_now() - s->began);
		}
		send_frame(s, tx->proto, tx->octets, f->len - sizeof(*tx));
		break;
	case PPP_FX_NCP_READY:
		ppp_ncp_go(&s->ppp, l->loop.now, ncp->proto);
		break;
	case PPP_FX_NCP_UP:
		if (s->state != S_CALLING)
			break;
		s->state = S_UP;
		s->ip = ncp->addrs.ip;
		s->peer_ip = ncp->addrs.peer_ip;
		l->last = ms_now();
		s->took = l->last - s->began;
		l->up++;
		l->active--;
		break;
	case PPP_FX_DOWN:
		if (s->state == S_CALLING || s->state == S_UP) {
			char why[96];

			snprintf(why, sizeof(why), "PPP ends with reason %u %s", down->end, down->msg);
			sess_ended(s, why);
			cc_call_close(&s->t->cc, &s->call, l->loop.now, &cause);
			lac_drain(s->t);
		}
		break;
	case PPP_FX_STATE: case PPP_FX_LCP_UP: case PPP_FX_AUTH_CHECK: case PPP_FX_AUTH_DONE:
	case PPP_FX_NCP_DOWN: case PPP_FX_IDENT:
		break;
	}
}

static void sess_drain(struct sess *s)
{
	if (s->draining || !s->ppp_on)
		return;
	s->draining = true;
	for (bool again = true; again; ) {
		for (struct fx *f; (f = fx_pop(&s->ppp.out)); fx_free(f))
			ppp_effect(s, f);
		again = s->ppp.ncp_start;
		if (again)
			ppp_tick(&s->ppp, s->l->loop.now);
	}
	s->draining = false;
	if (s->state == S_CALLING || s->state == S_UP)
		timer_set(&s->l->loop, &s->timer, ppp_deadline(&s->ppp));
}

static void due_sess(struct timer *timer, void *arg)
{
	struct sess *s = arg;
	struct load *l = s->l;

	(void)timer;
	if (l->loop.now >= ppp_deadline(&s->ppp)) {
		s->in_tick = !s->ppp.ncp_start;		/* else it is the first Configure-Request of the NCPs */
		ppp_tick(&s->ppp, l->loop.now);
	}
	sess_drain(s);
	s->in_tick = false;
	fill(l);
}

/* --- L2TP ------------------------------------------------------------------------------------------- */

static void place_calls(struct lac *t)
{
	struct load *l = t->l;
	struct call_info info = { .tx_speed = 100000000, .rx_speed = 100000000 };

	for (struct sess *s; t->established && (s = t->waiting); ) {
		t->waiting = s->next;
		info.serial = s->call.session_id;
		s->began = ms_now();
		if (v2_call_open(&t->cc, &s->call, l->loop.now, CALL_LAC_INCOMING, s->call.session_id, &info))
			sess_ended(s, "the call cannot be placed");
	}
}

static void close_some(struct lac *t)
{
	struct l2tp_cause cause = { .result = 3 };

	for (struct sess *s; (s = t->close_next) && t->cc.rel.n_tx < CLOSE_WINDOW; ) {
		t->close_next = s->next;
		cc_call_close(&t->cc, &s->call, t->l->loop.now, &cause);
	}
}

static void call_up(struct sess *s)
{
	if (s->state != S_CALLING)
		return;
	if (ppp_init(&s->ppp, &s->l->env, &s->l->ppp_conf, s->l->opt.user, s->l->opt.password))
		abort();
	s->ppp_on = true;
	ppp_up(&s->ppp, s->l->loop.now);
	sess_drain(s);
}

static void count_control(struct lac *t, const uint8_t *p, size_t len)
{
	uint16_t ns;

	if (len <= L2TP_HDR_LEN)
		return;				/* ZLB */
	ns = (uint16_t)(p[8] << 8 | p[9]);
	if ((int16_t)(ns - t->ns_end) < 0)
		t->l->resent++;
	else
		t->ns_end = (uint16_t)(ns + 1);
}

static void cc_effect(struct lac *t, const struct fx *f)
{
	struct load *l = t->l;
	const struct l2tp_fx_call *call = (const void *)f->data;
	const struct l2tp_fx_call_down *down = (const void *)f->data;
	const struct v2_fx_request *request = (const void *)f->data;
	const struct l2tp_cause *cause = (const void *)f->data;
	char why[160];

	switch ((enum l2tp_fx)f->type) {
	case L2TP_FX_TX:
		count_control(t, f->data, f->len);
		transmit(t, f->data, f->len);
		break;
	case L2TP_FX_CC_UP:
		t->established = true;
		break;
	case L2TP_FX_CC_DOWN:
		t->established = false;
		snprintf(why, sizeof(why), "tunnel %u: %s result %u error %u %s", t->cc.tunnel_id,
			 cause->timeout	  ? "no answer,"
			 : cause->by_peer ? "StopCCN"
					  : "closed,",
			 cause->result, cause->error, cause->msg);
		for (struct sess *s; (s = t->waiting); sess_ended(s, why))
			t->waiting = s->next;
		break;
	case L2TP_FX_CC_GONE:
		t->gone = true;
		if (l->phase == LEAVING)
			stop_if_all_gone(l);
		break;
	case L2TP_FX_CALL_REQUEST:
		v2_call_refuse(&t->cc, l->loop.now, request, &(struct l2tp_cause){ .result = 3 });
		break;
	case L2TP_FX_CALL_UP:
		call_up(&l->sess[call->session_id - 1]);
		break;
	case L2TP_FX_CALL_DOWN:
		snprintf(why, sizeof(why), "%s, result %u error %u %s",
			 down->cause.by_peer   ? "CDN"
			 : down->cause.timeout ? "no answer"
					       : "closed",
			 down->cause.result, down->cause.error, down->cause.msg);
		sess_ended(&l->sess[down->session_id - 1], why);
		break;
	case L2TP_FX_STATE: case L2TP_FX_NOTE: case L2TP_FX_CALL_PLACE: case L2TP_FX_SLI: case L2TP_FX_WEN: case L2TP_FX_FALLBACK:
		break;
	}
}

static void lac_drain(struct lac *t)
{
	struct load *l = t->l;

	if (t->draining)
		return;
	t->draining = true;
	do {
		place_calls(t);
		close_some(t);
		for (struct fx *f; (f = fx_pop(&t->cc.out)); fx_free(f))
			cc_effect(t, f);
		cc_flush(&t->cc, l->loop.now);
	} while (t->cc.out.head || (t->established && t->waiting));
	t->draining = false;
	timer_set(&l->loop, &t->timer, t->gone ? NEVER : cc_deadline(&t->cc));
}

static void due_lac(struct timer *timer, void *arg)
{
	struct lac *t = arg;

	(void)timer;
	if (t->l->loop.now >= cc_deadline(&t->cc))
		cc_tick(&t->cc, t->l->loop.now);
	lac_drain(t);
	fill(t->l);
}

static void control(struct load *l, const struct dgram *d)
{
	struct lac *t;
	uint16_t id;

	if (!l2tp_peek(d->octets, d->len, &id) || !id || id > l->opt.tunnels || !l->lac[id - 1].opened)
		return;
	t = &l->lac[id - 1];
	if (d->len > L2TP_HDR_LEN && (int16_t)((d->octets[8] << 8 | d->octets[9]) - t->cc.rel.nr) < 0)
		l->peer_resent++;
	v2_cc_input(&t->cc, l->loop.now, d->octets, d->len);
	lac_drain(t);
}

static void data(struct load *l, const struct dgram *d)
{
	struct l2tp_data h;
	struct sess *s;

	if (!l2tp_data_decode(&h, d->octets, d->len) || h.session_id > l->opt.sessions)
		return;
	s = &l->sess[h.session_id - 1];
	if (s->t->cc.tunnel_id != h.tunnel_id || !s->ppp_on || (s->state != S_CALLING && s->state != S_UP))
		return;
	if (h.proto == PPP_IP) {
		packet(s, h.info.p, h.info.n);
		return;
	}
	ppp_input(&s->ppp, l->loop.now, h.proto, h.info.p, h.info.n);
	sess_drain(s);
}

static void readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct port *p = w->data;
	struct load *l = p->l;
	struct dgram *d;
	int n = UDP_BATCH;

	(void)ev;
	(void)revents;
	for (unsigned batch = 0; batch < RX_BATCHES && n == UDP_BATCH; batch++) {
		n = udp_recv(l->rx, p->fd, &l->local, &d);
		for (int i = 0; i < n; i++) {
			if (!d[i].len || lost(l, &l->dropped_rx))
				continue;
			if (d[i].octets[0] & 0x80)
				control(l, &d[i]);
			else
				data(l, &d[i]);
		}
	}
	fill(l);
}

/* --- the program ------------------------------------------------------------------------------------ */

static void stop_asked(struct ev_loop *ev, ev_signal *w, int revents)
{
	(void)ev;
	(void)revents;
	start_closing(w->data);
}

static int open_port(struct load *l, struct port *p, unsigned source_port)
{
	p->l = l;
	p->fd = connected(&l->peer, (uint16_t)source_port, BUFFER);
	if (p->fd < 0)
		return p->fd;
	io_start(&l->loop, &p->w, p->fd, readable, p);
	return 0;
}

static int prepare(struct load *l)
{
	unsigned per_tunnel = (l->opt.sessions + l->opt.tunnels - 1) / l->opt.tunnels;
	int err = udp_source(&l->peer, &l->local);

	l->port = calloc(l->opt.ports, sizeof(*l->port));
	for (unsigned i = 0; l->port && !err && i < l->opt.ports; i++)
		err = open_port(l, &l->port[i], l->opt.source_port ? l->opt.source_port + i : 0);
	if (err) {
		fprintf(stderr, "load: a socket: %s\n", strerror(-err));
		return 1;
	}
	l->rx = udp_rx_new();
	l->lac = calloc(l->opt.tunnels, sizeof(*l->lac));
	l->sess = calloc(l->opt.sessions, sizeof(*l->sess));
	l->latency = calloc(l->opt.sessions, sizeof(double));
	l->rtt = calloc(l->opt.sessions * (l->opt.pings + 1ul), sizeof(double));
	if (!l->port || !l->rx || !l->lac || !l->sess || !l->latency || !l->rtt)
		return 1;
	for (unsigned i = 0; i < l->opt.tunnels; i++) {
		l->lac[i].l = l;
		l->lac[i].port = &l->port[i % l->opt.ports];
		v2_cc_init(&l->lac[i].cc, &l->env, &l->cc_conf, (uint16_t)(i + 1));
		timer_init(&l->lac[i].timer, due_lac, &l->lac[i]);
	}
	for (unsigned i = 0; i < l->opt.sessions; i++) {
		l->sess[i].l = l;
		l->sess[i].t = &l->lac[i / per_tunnel];
		l->sess[i].call.session_id = (uint16_t)(i + 1);
		timer_init(&l->sess[i].timer, due_sess, &l->sess[i]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct load l = {
		.opt = { .tunnels = 1, .ports = 1, .sessions = 1, .in_flight = 64, .fraction = 100, .timeout_s =
			 300, .user = "load", .password = "load", .auth = PPP_AUTH_CHAP_MD5, .lns.port = 1701},
		.cc_conf = { .host_name = "load" },
		.ppp_conf = { .ipv4 = true, .take = true, .auth_name = "load" },
	};

	if (!parse(&l.opt, argc, argv))
		return usage();
	l.peer = l.opt.lns;
	l.ppp_conf.allow[0] = l.opt.auth;
	l.ppp_conf.mru = l.opt.mru;
	if (l.opt.secret)
		l.cc_conf.secret = (struct span){ (const uint8_t *)l.opt.secret, strlen(l.opt.secret) };
	l.env = (struct env){ chance, &l };
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (loop_init(&l.loop) || prepare(&l))
		return 1;
	timer_init(&l.clock, due_clock, &l);
	for (int i = 0; i < 2; i++) {
		ev_signal_init(&l.term[i], stop_asked, i ? SIGINT : SIGTERM);
		l.term[i].data = &l;
		ev_signal_start(l.loop.ev, &l.term[i]);
	}
	l.began = l.last = ms_now();
	timer_set(&l.loop, &l.clock, l.loop.now + 100);
	fill(&l);
	loop_run(&l.loop);
	return l.status;
}
