/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option negotiation automaton of RFC 1661 section 4, one per control
 * protocol of a link.  What differs between LCP, IPCP and IPV6CP is a
 * struct cp_proto; what is common (codes 1-7, timers, counters) is here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/pkt.h"

struct ppp;
struct opt_row;

enum cp_which { CP_LCP, CP_IPCP, CP_IPV6CP, CP_N };	/* index into ppp->cp */

enum cp_state {			/* 4.2 */
	CP_INITIAL, CP_STARTING, CP_CLOSED, CP_STOPPED, CP_CLOSING, CP_STOPPING,
	CP_REQ_SENT, CP_ACK_RCVD, CP_ACK_SENT, CP_OPENED, CP_N_STATES
};

enum cp_event {			/* 4.3 */
	CP_UP, CP_DOWN, CP_OPEN, CP_CLOSE, CP_TO_PLUS, CP_TO_MINUS,
	CP_RCR_PLUS, CP_RCR_MINUS, CP_RCA, CP_RCN, CP_RTR, CP_RTA,
	CP_RUC, CP_RXJ_PLUS, CP_RXJ_MINUS, CP_RXR, CP_N_EVENTS
};

enum cp_code {			/* 5; 8-13: LCP only (RFC 1661 5.7-5.9, RFC 1570) */
	CONF_REQ = 1, CONF_ACK, CONF_NAK, CONF_REJ, TERM_REQ, TERM_ACK, CODE_REJ,
	PROTO_REJ, ECHO_REQ, ECHO_REP, DISCARD_REQ, IDENT, TIME_LEFT,
};

enum { CP_REQ_MAX = 64 };	/* octets of a Configure-Request that can be acceptable to us */

/* Plain data. */
struct cp {
	ms_t deadline;			/* Restart timer; NEVER when it is stopped */
	ms_t opened;			/* since when, in Opened */
	uint8_t state, restart_count;
	uint8_t id;			/* of our newest Configure- or Terminate-Request */
	uint8_t rx_id;			/* of the packet that is being answered */
	bool answered;			/* our newest Configure-Request had its valid reply: the next needs a new id (5.1) */
	uint16_t ask;			/* bit per option row: part of our Configure-Request */
	uint8_t naks, bad, renaks, reacks; /* Naks sent, refusals sent, Naks received, Acks repeated; since the last agreement */
	uint8_t flaps;			/* how often in a row it left Opened soon after it got there */
	bool refused;			/* refused_id is of the newest Configure-Request that we refused */
	uint8_t refused_id;
	bool held;			/* req is acceptable, its Configure-Ack is held back */
	bool gate;			/* the owner has said go for req's options */
	bool asked, stale;		/* NCP_READY awaits its go; and it was said for something else than req */
	uint8_t req_len, req[CP_REQ_MAX]; /* newest acceptable Configure-Request: options */
	uint8_t req_id;
};

struct cp_proto {
	uint16_t proto;
	const char *name;
	bool hold;			/* Acks wait for ppp_ncp_go */
	const struct opt_row *row;
	unsigned n_rows;
	void (*reset)(struct ppp *);	/* negotiation begins: what do we ask for? */
	void (*defaults)(struct ppp *);	/* what holds when the peer's request is empty */
	void (*up)(struct ppp *);	/* tlu */
	void (*down)(struct ppp *);	/* tld */
	void (*finished)(struct ppp *);	/* tlf */
};

extern const struct cp_proto lcp_proto, ipcp_proto, ipv6cp_proto;

/* The protocol behind an index; its automaton's state by the RFC's name. */
const struct cp_proto *cp_proto(enum cp_which which);
const char *cp_state_name(unsigned state);

/* A fresh automaton in Initial. */
void cp_init(struct cp *cp);
/* Steps the automaton (4.1); actions append to ppp->out. */
void cp_event(struct ppp *, enum cp_which which, enum cp_event ev);
/* One packet, codes 1-7 of whatever protocol; false: another code, for the caller to judge.
 * data: what follows the length field, n octets, padding cut off. */
bool cp_input(struct ppp *, enum cp_which which, uint8_t code, uint8_t id, const uint8_t *data, size_t n);
/* An event that a packet of another code is (RUC, RXR, RXJ); its actions may need the packet. */
void cp_packet(struct ppp *, enum cp_which which, enum cp_event ev, uint8_t code, uint8_t id, struct span data);
/* Restart timer. */
void cp_tick(struct ppp *, enum cp_which which);
/* The owner allows the held Configure-Ack. */
void cp_go(struct ppp *, enum cp_which which);
/* For the table test: a cell of 4.1; false for '-'.  ret_acts: a bit per action, in the order tld irc zrc scr sca scn
 * str sta scj ser tls tlf tlu. */
bool cp_cell(unsigned ev, unsigned st, unsigned *ret_acts, unsigned *ret_next);
