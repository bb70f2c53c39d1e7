/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a control connection or a call ended, in both versions of L2TP. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is said of an end: by whom, in the RFC's codes (4.4.2; RFC 3438), and in words. */
struct l2tp_cause {
	uint16_t result, error;		/* StopCCN or CDN Result Code; General Error Code or 0 */
	bool by_peer;			/* the peer said so (else: we did, or nobody answered) */
	bool timeout;			/* the peer stopped acknowledging */
	uint16_t ppp_code, ppp_proto;	/* RFC 3145 PPP Disconnect Cause, 0 when absent */
	char msg[64];			/* printable ASCII, NUL-terminated; the peer's words are cleaned */
};

/* A cause of ours: text, and the name of an AVP behind it unless it is NULL. */
struct l2tp_cause l2tp_cause(unsigned result, unsigned error, const char *text, const char *avp_name);

/* "ICRQ: text NAME-OF-AVP" into out[size], cut to fit; msg_name and avp_name may be NULL.  Returns its length without the NUL. */
size_t l2tp_line(char *out, size_t size, const char *msg_name, const char *text, const char *avp_name);
