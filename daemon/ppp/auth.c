/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ppp/auth.h"

#include "base/digest.h"
#include "ppp/internal.h"

void auth_start(struct ppp *p, uint8_t authenticator, uint8_t peer)
{
	auth_stop(p);
	p->authenticator.proto = authenticator;
	p->auth_peer.proto = peer;
	if (authenticator != PPP_AUTH_NONE)
		p->authenticator.state = AUTH_WAIT;
	if (peer != PPP_AUTH_NONE)
		p->auth_peer.state = AUTH_WAIT;
	if (authenticator > PPP_AUTH_PAP) {
		p->authenticator.id = ++p->chap_id;
		p->env->random(p->env->arg, p->authenticator.challenge, sizeof(p->authenticator.challenge));
		chap_send_challenge(p);
	}
	if (peer == PPP_AUTH_PAP) {
		p->auth_peer.first_id = (uint8_t)env_u32(p->env);
		p->auth_peer.id = (uint8_t)(p->auth_peer.first_id - 1);
		pap_send_request(p);
	}
}

void auth_stop(struct ppp *p)
{
	wipe(&p->authenticator, sizeof(p->authenticator));
	wipe(&p->auth_peer, sizeof(p->auth_peer));
	p->authenticator.deadline = p->auth_peer.deadline = NEVER;
}

bool auth_done(const struct ppp *p)
{
	return (p->authenticator.state == AUTH_OFF || p->authenticator.state == AUTH_OK) &&
	       (p->auth_peer.state == AUTH_OFF || p->auth_peer.state == AUTH_OK);
}

void auth_tick(struct ppp *p)
{
	bool ask = p->now >= p->authenticator.deadline, answer = p->now >= p->auth_peer.deadline;

	if ((ask && p->authenticator.tries >= conf_max_configure(p)) ||
	    (answer && p->auth_peer.tries >= conf_max_configure(p))) {
		ppp_fail(p, PPP_END_NO_ANSWER, (struct span){ NULL, 0 });
		return;
	}
	if (ask)
		chap_send_challenge(p);
	if (answer && p->auth_peer.proto == PPP_AUTH_PAP)
		pap_send_request(p);
	else if (answer)
		chap_send_response(p);
}

void auth_peer_verdict(struct ppp *p, bool ok, struct span msg)
{
	bool before = auth_done(p);

	p->auth_peer.deadline = NEVER;
	p->auth_peer.responded = p->auth_peer.old_responded = false;
	p->auth_peer.state = ok ? AUTH_OK : AUTH_FAILED;
	if (!ok)
		ppp_fail(p, PPP_END_AUTH_REFUSED, msg);
	else if (!before && auth_done(p))
		ppp_auth_over(p);
}

void ppp_auth_verdict(struct ppp *p, ms_t now, bool ok, const uint8_t *reply, const char *msg)
{
	struct authenticator *a = &p->authenticator;
	struct span text = { (const uint8_t *)msg, msg ? strnlen(msg, 64) : 0 };

	if (!p->checking)
		return;
	p->checking = false;
	if (a->state != AUTH_CHECK)	/* LCP was renegotiated: it was about somebody else */
		return;
	p->now = now;
	ok = ok && (a->proto != PPP_AUTH_MSCHAPV2 || reply);
	a->state = ok ? AUTH_OK : AUTH_FAILED;
	if (a->proto == PPP_AUTH_PAP)
		pap_reply(p, ok, text);
	else
		chap_reply(p, ok, reply, text);
	auth_repeat_reply(p, a->id);
	if (!ok)
		ppp_fail(p, PPP_END_AUTH_FAILED, text);
	else if (auth_done(p))
		ppp_auth_over(p);
	ppp_leave(p);
}

struct ppp_fx_auth *auth_check(struct ppp *p, uint8_t id, struct span name)
{
	struct ppp_fx_auth *fx;

	if (p->authenticator.state != AUTH_WAIT || p->checking ||
	    !(fx = fx_push(&p->out, PPP_FX_AUTH_CHECK, NULL, sizeof(*fx))))
		return NULL;
	p->checking = true;
	p->authenticator.state = AUTH_CHECK;
	p->authenticator.deadline = NEVER;
	fx->proto = p->authenticator.proto;
	fx->id = id;
	fx->name_len = (uint8_t)name.n;
	memcpy(fx->name, name.p, name.n);
	return fx;
}

void auth_repeat_reply(struct ppp *p, uint8_t id)
{
	const struct authenticator *a = &p->authenticator;

	ppp_tx(p, a->proto == PPP_AUTH_PAP ? PPP_PAP : PPP_CHAP, a->reply_code, id, a->reply, a->reply_len);
}
