/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 1334 section 2 */
#include "base/digest.h"
#include "ppp/internal.h"

void pap_send_request(struct ppp *p)
{
	uint8_t buf[2 + 255 + 255];
	struct wr w = wr_init(buf, sizeof(buf));
	struct auth_peer *a = &p->auth_peer;

	a->id++;			/* 2.2.1: "changed each time" */
	a->tries++;
	a->deadline = p->now + conf_restart_ms(p);
	wr_u8(&w, p->name_len);
	wr_bytes(&w, p->secret, p->name_len);
	wr_u8(&w, p->password_len);
	wr_bytes(&w, p->secret + p->name_len, p->password_len);
	ppp_tx(p, PPP_PAP, PAP_REQ, a->id, buf, wr_len(&w));
	wipe(buf, sizeof(buf));
}

void pap_reply(struct ppp *p, bool ok, struct span msg)
{
	struct authenticator *a = &p->authenticator;
	struct wr w = wr_init(a->reply, sizeof(a->reply));

	wr_u8(&w, msg.n);
	wr_bytes(&w, msg.p, msg.n);
	a->reply_code = ok ? PAP_ACK : PAP_NAK;
	a->reply_len = (uint8_t)wr_len(&w);
}

static void rx_request(struct ppp *p, uint8_t id, struct rd *r)
{
	struct authenticator *a = &p->authenticator;
	struct span name, password;
	struct ppp_fx_auth *fx;

	name = rd_span(r, rd_u8(r));
	password = rd_span(r, rd_u8(r));
	if (r->bad) {
		p->dropped++;
		return;
	}
	if (a->state == AUTH_OK) {	/* 2.2.1: our Ack was lost */
		auth_repeat_reply(p, id);
		return;
	}
	a->id = id;			/* of the newest request: the one the verdict answers */
	if (!(fx = auth_check(p, id, name)))
		return;
	fx->password_len = (uint8_t)password.n;
	memcpy(fx->password, password.p, password.n);
}

static void rx_reply(struct ppp *p, bool ok, uint8_t id, struct rd *r)
{
	struct auth_peer *a = &p->auth_peer;
	uint8_t n = rd_u8(r);

	/* a reply to any request of this round: an early one may have been slow */
	if (a->state != AUTH_WAIT || (uint8_t)(id - a->first_id) > (uint8_t)(a->id - a->first_id))
		return;
	auth_peer_verdict(p, ok, rd_span(r, n < rd_left(r) ? n : rd_left(r)));	/* some leave the message out */
}

void pap_input(struct ppp *p, uint8_t code, uint8_t id, const uint8_t *data, size_t n)
{
	struct rd r = rd_init(data, n);

	if (code == PAP_REQ && p->authenticator.proto == PPP_AUTH_PAP)
		rx_request(p, id, &r);
	else if ((code == PAP_ACK || code == PAP_NAK) && p->auth_peer.proto == PPP_AUTH_PAP)
		rx_reply(p, code == PAP_ACK, id, &r);
	else
		p->dropped++;
}
