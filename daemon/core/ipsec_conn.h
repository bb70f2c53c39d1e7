/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A peer's or tunnel's IPsec in charon's words: pure functions from the
 * configuration to VICI messages (the keys are those of swanctl.conf(5)), and
 * from charon's log to a reason that an operator can act upon. */
#pragma once

#include "core/config.h"
#include "vici/msg.h"

/* Children begin so, and end with our port. */
#define IPSEC_CHILD "l2tp-"
/* The child of a connection between networks. */
#define IPSEC_SITE "networks"
/* Connections and secrets of ours begin so; nobody else's are touched. */
#define IPSEC_PREFIX "ktund-"

enum { IPSEC_MAX_PORTS = 16, IPSEC_NAME = 80, IPSEC_MESSAGE_MAX = 65536 };

struct ipsec_desc {
	const char *name;			/* IPSEC_PREFIX... */
	const struct conf_ipsec *conf;
	const char *local, *remote;		/* address; remote: or prefix; NULL: any */
	bool dial;				/* we initiate; else we are called */
	uint16_t port[IPSEC_MAX_PORTS];		/* ours, of L2TP */
	unsigned n_ports;
	uint16_t remote_port;			/* dial: the LNS's */
	const struct conf_ipsec *l2tp;		/* mode = tunnel: L2TP of the same callers, at these ports; or NULL */
};

/* Do both demand the same proof (psk, certificates, identities), so that who has given one has given the other? */
bool ipsec_same_proof(const struct conf_ipsec *, const struct conf_ipsec *);

/* Of a peer without L2TP, the one that has L2TP for callers from the same address who prove themselves in the same way: charon
 * cannot tell them apart, and what they want must be in one connection.  Or NULL. */
const struct conf_peer *ipsec_beside(const struct config *, const struct conf_peer *site);

/* "ktund-peer-NAME", "ktund-tunnel-NAME" into buf; returns buf. */
const char *ipsec_name(char buf[IPSEC_NAME], bool dial, const char *name);
/* The child's name in a connection for our port, or (0) for networks. */
const char *ipsec_child(char buf[IPSEC_NAME], uint16_t port);

/* Message of load-conn, of load-shared; w->bad: too long. */
void ipsec_load_conn(struct wr *w, const struct ipsec_desc *);
void ipsec_load_shared(struct wr *w, const struct ipsec_desc *);
/* Message of load-key, for a connection with a certificate instead of a secret. */
void ipsec_load_key(struct wr *w, const struct ipsec_desc *);

/* Message of load-cert, of which there are as many as the files have certificates behind our own, and lists of revoked ones: the
 * n-th from 0.  Nothing is written where there is none. */
enum { IPSEC_MAX_CERTS = 8 };
void ipsec_load_cert(struct wr *w, const struct ipsec_desc *, unsigned n);
/* How many of these there are. */
unsigned ipsec_certs(const struct conf_ipsec *);

/* What a line of charon's log says about why a set-up failed: phase, and what to look at; NULL: it is about something else.
 * ike_up: there is an IKE_SA already. */
const char *ipsec_reason(struct span line, bool ike_up);
