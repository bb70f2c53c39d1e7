/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 1994 section 4, RFC 2759 */
#include "base/digest.h"
#include "ppp/internal.h"
#include "ppp/mschap.h"

enum { V2_VALUE_LEN = 49, V2_NT_AT = 24, V2_S_LEN = 2 + 40 };

void chap_send_challenge(struct ppp *p)
{
	uint8_t buf[1 + 16 + 255];
	struct wr w = wr_init(buf, sizeof(buf));
	struct authenticator *a = &p->authenticator;
	const char *name = p->conf->auth_name ? p->conf->auth_name : "";

	/* A timeout repeats the packet as it was, so that a slow Response still fits (4.1 asks for a new
	 * identifier and value with each new challenge, and this is none). */
	a->tries++;
	a->deadline = p->now + conf_restart_ms(p);
	wr_u8(&w, sizeof(a->challenge));
	wr_bytes(&w, a->challenge, sizeof(a->challenge));
	wr_bytes(&w, name, strnlen(name, 255));
	ppp_tx(p, PPP_CHAP, CHAP_CHALLENGE, a->id, buf, wr_len(&w));
}

static void rx_response(struct ppp *p, uint8_t id, struct rd *r)
{
	struct authenticator *a = &p->authenticator;
	struct span value = rd_span(r, rd_u8(r)), name = rd_rest(r);
	struct ppp_fx_auth *fx;

	if (r->bad || name.n > 255 || id != a->id ||
	    value.n != (a->proto == PPP_AUTH_MSCHAPV2 ? (size_t)V2_VALUE_LEN : (size_t)MD5_LEN)) {
		p->dropped++;
		return;
	}
	if (a->state == AUTH_OK) {	/* 4.1: the same Response gets the same answer */
		auth_repeat_reply(p, id);
		return;
	}
	if (!(fx = auth_check(p, id, name)))
		return;
	fx->challenge_len = sizeof(a->challenge);
	memcpy(fx->challenge, a->challenge, sizeof(a->challenge));
	fx->response_len = (uint8_t)value.n;
	memcpy(fx->response, value.p, value.n);
}

static void wr_hex(struct wr *w, const uint8_t *p, size_t n)
{
	static const char digit[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		wr_u8(w, (uint8_t)digit[p[i] >> 4]);
		wr_u8(w, (uint8_t)digit[p[i] & 15]);
	}
}

static void wr_str(struct wr *w, const char *s) { wr_bytes(w, s, strlen(s)); }

void chap_reply(struct ppp *p, bool ok, const uint8_t *reply, struct span msg)
{
	struct authenticator *a = &p->authenticator;
	struct wr w = wr_init(a->reply, sizeof(a->reply));
	uint8_t challenge[16];

	if (a->proto == PPP_AUTH_MSCHAPV2 && ok) {	/* RFC 2759 5 */
		wr_str(&w, "S=");
		wr_hex(&w, reply, SHA1_LEN);
		wr_str(&w, " M=");
	} else if (a->proto == PPP_AUTH_MSCHAPV2) {	/* RFC 2759 6; R=0: there is no second try */
		p->env->random(p->env->arg, challenge, sizeof(challenge));
		wr_str(&w, "E=691 R=0 C=");
		wr_hex(&w, challenge, sizeof(challenge));
		wr_str(&w, " V=3 M=");
	}
	wr_bytes(&w, msg.p, msg.n);
	a->reply_code = ok ? CHAP_SUCCESS : CHAP_FAILURE;
	a->reply_len = (uint8_t)wr_len(&w);
}

void chap_send_response(struct ppp *p)
{
	uint8_t buf[1 + V2_VALUE_LEN + 255];
	struct wr w = wr_init(buf, sizeof(buf));
	struct auth_peer *a = &p->auth_peer;

	a->tries++;
	if (a->state == AUTH_WAIT)	/* 4.2: the Success may be lost; the authenticator repeats it */
		a->deadline = p->now + conf_restart_ms(p);
	wr_u8(&w, a->value_len);
	wr_bytes(&w, a->value, a->value_len);
	wr_bytes(&w, p->secret, p->name_len);
	ppp_tx(p, PPP_CHAP, CHAP_RESPONSE, a->id, buf, wr_len(&w));
}

/* RFC 2759 4: peer challenge, 8 zeros, NT response, flags; false: no such password. */
static bool v2_respond(struct ppp *p, const uint8_t *challenge)
{
	struct auth_peer *a = &p->auth_peer;
	struct span name = { p->secret, p->name_len }, password = { p->secret + p->name_len, p->password_len };
	uint8_t nt_hash[16];

	if (!mschap_nt_hash(nt_hash, password))
		return false;
	memcpy(a->challenge, challenge, sizeof(a->challenge));
	memset(a->value, 0, sizeof(a->value));
	p->env->random(p->env->arg, a->value, 16);
	mschapv2_response(a->value + V2_NT_AT, a->challenge, a->value, name, nt_hash);
	mschapv2_auth_response(a->expect, nt_hash, a->value + V2_NT_AT, a->challenge, a->value, name);
	a->value_len = V2_VALUE_LEN;
	wipe(nt_hash, sizeof(nt_hash));
	return true;
}

static void rx_challenge(struct ppp *p, uint8_t id, struct rd *r)
{
	struct auth_peer *a = &p->auth_peer;
	struct span value = rd_span(r, rd_u8(r));
	bool v2 = a->proto == PPP_AUTH_MSCHAPV2;

	if (r->bad || !value.n || (v2 && value.n != sizeof(a->challenge))) {
		p->dropped++;
		return;
	}
	if (a->responded && id != a->id) {
		a->old_responded = true;
		a->old_id = a->id;
		memcpy(a->old_expect, a->expect, sizeof(a->expect));
	}
	if (!v2) {
		chap_md5_response(a->value, id, (struct span){ p->secret + p->name_len, p->password_len }, value);
		a->value_len = MD5_LEN;
	} else if ((!a->value_len || id != a->id || memcmp(a->challenge, value.p, value.n)) && !v2_respond(p, value.p)) {
		static const char why[] = "our password is not UTF-8";

		ppp_fail(p, PPP_END_AUTH_REFUSED, (struct span){ (const uint8_t *)why, sizeof(why) - 1 });
		return;
	}
	a->id = id;
	a->tries = 0;
	a->responded = true;
	chap_send_response(p);
}

/* RFC 2759 5: "S=" and 40 digits; what follows is for people. */
static bool s_is_right(const uint8_t expect[SHA1_LEN], struct span msg)
{
	uint8_t got[SHA1_LEN] = { 0 };

	if (msg.n < V2_S_LEN || msg.p[0] != 'S' || msg.p[1] != '=')
		return false;
	for (unsigned i = 0; i < 40; i++) {
		uint8_t c = msg.p[2 + i];
		int v = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 :
			c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (v < 0)
			return false;
		got[i / 2] = (uint8_t)(got[i / 2] << 4 | v);
	}
	return mem_same(expect, got, sizeof(got));
}

/* The words after "M=", or everything. */
static struct span words(struct span msg)
{
	for (size_t i = 0; i + 1 < msg.n; i++)
		if (msg.p[i] == 'M' && msg.p[i + 1] == '=' && (!i || msg.p[i - 1] == ' '))
			return (struct span){ msg.p + i + 2, msg.n - i - 2 };
	return msg;
}

static void rx_verdict(struct ppp *p, bool ok, uint8_t id, struct rd *r)
{
	static const char wrong[] = "the authenticator does not know our password (S= is wrong)";
	struct auth_peer *a = &p->auth_peer;
	struct span msg = rd_rest(r);

	bool now = a->responded && id == a->id, before = a->old_responded && id == a->old_id;

	if (!now && !before) {			/* early, late, or not for us */
		p->dropped++;
		return;
	}
	if (ok && a->proto == PPP_AUTH_MSCHAPV2 && !s_is_right(now ? a->expect : a->old_expect, msg))
		auth_peer_verdict(p, false, (struct span){ (const uint8_t *)wrong, sizeof(wrong) - 1 });
	else
		auth_peer_verdict(p, ok, a->proto == PPP_AUTH_MSCHAPV2 ? words(msg) : msg);
}

void chap_input(struct ppp *p, uint8_t code, uint8_t id, const uint8_t *data, size_t n)
{
	struct rd r = rd_init(data, n);

	if (code == CHAP_RESPONSE && p->authenticator.proto > PPP_AUTH_PAP)
		rx_response(p, id, &r);
	else if (code == CHAP_CHALLENGE && p->auth_peer.proto > PPP_AUTH_PAP)
		rx_challenge(p, id, &r);
	else if ((code == CHAP_SUCCESS || code == CHAP_FAILURE) && p->auth_peer.proto > PPP_AUTH_PAP)
		rx_verdict(p, code == CHAP_SUCCESS, id, &r);
	else
		p->dropped++;
}
