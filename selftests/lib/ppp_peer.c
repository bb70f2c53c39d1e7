/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/ppp_peer.h"

#include <stdio.h>
#include <string.h>

static void chance(void *arg, void *buf, size_t len)
{
	uint32_t *x = arg;
	uint8_t *p = buf;

	while (len--) {
		*x = *x * 1664525 + 1013904223;
		*p++ = (uint8_t)(*x >> 24);
	}
}

void peer_init(struct peer *t)
{
	memset(t, 0, sizeof(*t));
	t->chance = 1;
	t->now = 1000000;
	t->env = (struct env){ chance, &t->chance };
	t->conf.ipv4 = true;
	t->conf.auth_name = "gate";
	memcpy(&t->addrs.ip, (uint8_t[]){ 10, 0, 0, 1 }, 4);
	memcpy(&t->addrs.peer_ip, (uint8_t[]){ 10, 0, 0, 7 }, 4);
	memcpy(&t->addrs.dns[0], (uint8_t[]){ 9, 9, 9, 9 }, 4);
}

void peer_up(struct peer *t, const char *name, const char *password)
{
	assert_int_equal(ppp_init(&t->p, &t->env, &t->conf, name, password), 0);
	assert_int_equal(ppp_deadline(&t->p), NEVER);
	ppp_up(&t->p, t->now);
}

void peer_done(struct peer *t)
{
	fx_free(t->fx);
	t->fx = NULL;
	ppp_done(&t->p);
}

static unsigned digit(char c) { return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10); }

static size_t from_hex(const struct peer *t, const char *hex, uint8_t *buf, size_t cap)
{
	size_t n = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		assert_true(n + 4 <= cap);
		if (*hex == '$') {
			put_u32(buf + n, t->p.lcp.magic);
			n += 4;
			hex += 7;
		} else {
			buf[n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
			hex++;
		}
	}
	return n;
}

void peer_says(struct peer *t, uint16_t proto, unsigned code, unsigned id, const char *hex)
{
	uint8_t buf[2048];
	size_t n = from_hex(t, hex, buf + 4, sizeof(buf) - 4) + 4;

	buf[0] = (uint8_t)code;
	buf[1] = (uint8_t)id;
	put_u16(buf + 2, (unsigned)n);
	ppp_input(&t->p, t->now, proto, buf, n);
}

void peer_raw(struct peer *t, uint16_t proto, const char *hex)
{
	uint8_t buf[2048];

	ppp_input(&t->p, t->now, proto, buf, from_hex(t, hex, buf, sizeof(buf)));
}

static struct fx *next_fx(struct peer *t)
{
	struct fx *f;

	while ((f = fx_pop(&t->p.out)) && f->type == PPP_FX_STATE)
		fx_free(f);
	return f;
}

void want_tx(struct peer *t, uint16_t proto, unsigned code, const char *hex)
{
	struct fx *f = next_fx(t);
	const struct ppp_fx_tx *tx;
	char got[4096] = "", want[4096] = "";
	size_t n = 0, at = 0;

	if (!f)
		fail_msg("nothing was sent; wanted %04x code %u: %s", proto, code, hex);
	if (f->type != PPP_FX_TX)
		fail_msg("effect %u instead of %04x code %u: %s", f->type, proto, code, hex);
	tx = (const void *)f->data;
	t->id = tx->octets[1];
	for (; *hex; hex++)
		if (*hex != ' ')
			want[at++] = *hex;
	for (size_t i = 4; i + sizeof(*tx) < f->len; i++, n += 2)
		snprintf(got + n, sizeof(got) - n, "%02x", tx->octets[i]);
	for (size_t i = 0; i < n && i < at; i++)
		if (want[i] == '.')
			want[i] = got[i];
	assert_int_equal(tx->proto, proto);
	if (tx->octets[0] != code || strcmp(got, want))
		fail_msg("%04x code %u: %s\ninstead of code %u: %s", proto, tx->octets[0], got, code, want);
	assert_int_equal(tx->octets[2] << 8 | tx->octets[3], f->len - sizeof(*tx));
	fx_free(f);
}

const void *want_fx(struct peer *t, enum ppp_fx type)
{
	fx_free(t->fx);
	t->fx = next_fx(t);
	if (!t->fx)
		fail_msg("no effect; wanted %u", type);
	if (t->fx->type == PPP_FX_TX && type != PPP_FX_TX) {
		const struct ppp_fx_tx *tx = (const void *)t->fx->data;

		fail_msg("a frame %04x code %u instead of effect %u", tx->proto, tx->octets[0], type);
	}
	assert_int_equal(t->fx->type, type);
	return t->fx->data;
}

void want_nothing(struct peer *t)
{
	struct fx *f = next_fx(t);

	if (f && f->type == PPP_FX_TX) {
		const struct ppp_fx_tx *tx = (const void *)f->data;

		fail_msg("a frame %04x code %u instead of nothing", tx->proto, tx->octets[0]);
	}
	if (f)
		fail_msg("effect %u instead of nothing", f->type);
}

void want_down(struct peer *t, enum ppp_end end)
{
	const struct ppp_fx_down *d = want_fx(t, PPP_FX_DOWN);

	assert_int_equal(d->end, end);
	want_nothing(t);
	assert_int_equal(ppp_deadline(&t->p), NEVER);
}

void peer_wait(struct peer *t, ms_t ms)
{
	ms_t end = t->now + ms;

	for (unsigned i = 0; ppp_deadline(&t->p) <= end; i++) {
		assert_true(i < 10000);
		t->now = ppp_deadline(&t->p) > t->now ? ppp_deadline(&t->p) : t->now;
		ppp_tick(&t->p, t->now);
	}
	t->now = end;
}

unsigned peer_count(struct peer *t, uint16_t proto, unsigned code)
{
	unsigned n = 0;

	for (struct fx *f; (f = fx_pop(&t->p.out)); fx_free(f)) {
		const struct ppp_fx_tx *tx = (const void *)f->data;

		n += f->type == PPP_FX_TX && tx->proto == proto && tx->octets[0] == code;
	}
	return n;
}

void peer_lcp(struct peer *t, const char *options)
{
	struct fx *f = next_fx(t);
	struct ppp_fx_tx *tx;

	assert_non_null(f);
	tx = (void *)f->data;
	assert_int_equal(tx->octets[0], CONF_REQ);
	peer_says(t, PPP_LCP, CONF_REQ, 1, options);
	want_tx(t, PPP_LCP, CONF_ACK, options);
	tx->octets[0] = CONF_ACK;
	ppp_input(&t->p, t->now, PPP_LCP, tx->octets, f->len - sizeof(*tx));
	fx_free(f);
	want_fx(t, PPP_FX_LCP_UP);
}

void peer_network(struct peer *t)
{
	want_fx(t, PPP_FX_AUTH_DONE);
	ppp_set_addrs(&t->p, &t->addrs);
	peer_wait(t, 0);
}
