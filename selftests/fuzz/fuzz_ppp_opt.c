/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Option lists: a verdict is either the list's own octets, or something that we would Ack; and passwords. */
#include <stdlib.h>
#include <string.h>

#include "ppp/internal.h"
#include "ppp/mschap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void chance(void *arg, void *buf, size_t len)
{
	uint8_t *b = buf;

	while (len--)
		*b++ = ++*(uint8_t *)arg;
}

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct opt_judgement j, k;
	uint8_t x = 0, flags, hash[16], buf[CP_REQ_MAX];
	struct env env = { chance, &x };
	struct ppp_conf conf = { .allow = { PPP_AUTH_MSCHAPV2, PPP_AUTH_PAP } };
	enum cp_which which;
	struct span s;
	struct ppp p;
	size_t n;

	if (!size)
		return 0;
	flags = data[0];
	which = flags % CP_N;
	s = (struct span){ data + 1, size - 1 };
	conf.take = flags & 16;
	if (ppp_init(&p, &env, &conf, flags & 32 ? "bob" : NULL, "x"))
		abort();
	p.set = (struct ppp_addrs){ .ip = 1, .peer_ip = 2, .dns = { 3, 4 }, .wins = { 5 } };
	cp_proto(which)->reset(&p);
	(void)mschap_nt_hash(hash, s);
	if (opt_wellformed(s) && s.n <= sizeof(j.answer)) {
		opt_judge(&p, &p.cp[which], cp_proto(which), s, flags & 64, &j);
		must(j.n <= sizeof(j.answer) && opt_wellformed((struct span){ j.answer, j.n }));
		must((j.verdict == OPT_ACK) == !j.n);
		if (j.verdict == OPT_REJ)
			must(j.n <= s.n);
		if (j.verdict == OPT_ACK) {
			must(s.n <= CP_REQ_MAX);
			opt_absorb(&p, cp_proto(which), s);
		} else if (j.verdict == OPT_NAK) {	/* what we propose must please us */
			must(!(flags & 64));
			opt_judge(&p, &p.cp[which], cp_proto(which), (struct span){ j.answer, j.n }, true, &k);
			must(k.verdict == OPT_ACK);
		}
		for (unsigned i = 0; i < 20; i++) {
			opt_refused(&p, &p.cp[which], cp_proto(which), s, flags & 128, i > 10);
			n = opt_propose(&p, &p.cp[which], cp_proto(which), buf, sizeof(buf));
			must(opt_wellformed((struct span){ buf, n }));
			must(p.auth_refused || which != CP_LCP || !conf.auth[0] || lcp_auth(&p));
		}
	}
	ppp_done(&p);
	return 0;
}
