/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An LCCE that has no kernel: `calls DST CONTROL N [SECRET]` sets up one tunnel of L2TPv3 to ktund at DST and places N calls
 * for Ethernet pseudowires, Remote End IDs "e1" to "eN", all at once; prints how many come up a second, until the keeper of
 * the ktund whose control socket CONTROL is has all of them in the kernel.  Status 0 if it has. */
#include <poll.h>

#include "bench/tools.h"
#include "l2tp/v3_cc.h"
#include "net/tool.h"

enum { PATIENCE_MS = 600000, ASK_MS = 50, L2TP_PORT = 1701 };

static struct cc cc;
static struct call *call;
static unsigned n_calls, up, down;
static ms_t began;
static bool over;
static int fd;

static void place(ms_t now)
{
	began = now;
	for (unsigned i = 0; i < n_calls; i++) {
		struct v3_call_info info = { .pw_type = V3_PW_ETHERNET, .own = { .cookie.len = V3_COOKIE_MAX,
					     .circuit_status = V3_CIRCUIT_ACTIVE | V3_CIRCUIT_NEW } };

		info.end_id_len = (uint8_t)snprintf((char *)info.end_id, sizeof(info.end_id), "e%u", i + 1);
		if (v3_call_open(&cc, &call[i], now, V3_ICRQ_SENDER, i + 1, &info))
			die("a call cannot be placed");
	}
}

static void settle(ms_t now)
{
	do {
		for (struct fx *f; (f = fx_pop(&cc.out)); fx_free(f)) {
			if (f->type == L2TP_FX_TX)
				(void)send(fd, f->data, f->len, 0);
			if (f->type == L2TP_FX_CC_UP)
				place(now);
			if (f->type == L2TP_FX_CC_DOWN && !over)
				die("the tunnel went down: %s", ((const struct l2tp_cause *)(const void *)f->data)->msg);
			up += f->type == L2TP_FX_CALL_UP;
			down += f->type == L2TP_FX_CALL_DOWN;
		}
		cc_flush(&cc, now);
	} while (cc.out.head);
}

static void turn(ms_t until)
{
	ms_t now = now_ms(), next = ms_min(until, cc_deadline(&cc));
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t buf[2048];
	ssize_t n = 0;

	if (poll(&p, 1, next > now ? (int)(next - now) : 0) > 0)
		n = recv(fd, buf, sizeof(buf), 0);
	now = now_ms();
	if (n > 0 && buf[0] & 0x80)
		v3_cc_input(&cc, now, buf, (size_t)n);
	if (now >= cc_deadline(&cc))
		cc_tick(&cc, now);
	settle(now);
}

int main(int argc, char **argv)
{
	static struct v3_conf conf = { .cc.host_name = "calls", .cc.rws = 16, .cc.setup_ms = PATIENCE_MS };
	ms_t end = now_ms() + PATIENCE_MS, ask = 0, calls_up = 0, now;
	int others, installed = 0;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: calls DST CONTROL N [SECRET]\n");
		return 2;
	}
	n_calls = many(argv[3]);
	call = calloc(n_calls, sizeof(*call));
	if (!call)
		die("no memory");
	if (argc == 5)
		conf.cc.secret = (struct span){ (const uint8_t *)argv[4], strlen(argv[4]) };
	fd = udp_socket(0, address(argv[1]), L2TP_PORT);
	v3_cc_init(&cc, &env, &conf, 1 + env_u32(&env) % 0x7fffffff);
	others = sessions_of(argv[2], "keeper");
	(void)v3_cc_open(&cc, now_ms(), 0);
	settle(now_ms());
	while ((now = now_ms()) < end && !down && installed < (int)n_calls) {
		turn(ms_min(end, up < n_calls ? end : now + ASK_MS));
		now = now_ms();
		if (up < n_calls || now < ask)
			continue;
		calls_up = calls_up ? calls_up : now;
		ask = now + ASK_MS;
		installed = sessions_of(argv[2], "keeper") - others;
	}
	printf("calls: %u of %u up after %.2f s, %d in the kernel after %.2f: %.1f per second\n", up, n_calls,
	       (double)(calls_up - began) / 1e3, installed, (double)(now - began) / 1e3, n_calls * 1e3 / (double)(now - began));
	over = true;
	cc_close(&cc, now, NULL);
	settle(now);
	free(call);
	return installed != (int)n_calls;
}
