/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One PPP link and a peer written down in hex.  In what is expected, ".." is
 * any octet; in what is fed, "$$$$$$$$" is our newest Magic-Number. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ppp/ppp.h"

struct peer {
	struct ppp p;
	struct ppp_conf conf;
	struct env env;
	uint32_t chance;
	ms_t now;
	uint8_t id;			/* of the newest packet from the engine */
	struct fx *fx;			/* that want_fx found */
	struct ppp_addrs addrs;
};

/* Giving 10.0.0.1 to us, 10.0.0.7 to the peer, DNS 9.9.9.9; IPv4 only; nobody authenticates. */
void peer_init(struct peer *);
/* With what conf has become. */
void peer_up(struct peer *, const char *name, const char *password);
void peer_done(struct peer *);
/* Feeds code, identifier and options or data; the length is filled in. */
void peer_says(struct peer *, uint16_t proto, unsigned code, unsigned id, const char *hex);
/* Feeds octets as they are. */
void peer_raw(struct peer *, uint16_t proto, const char *hex);
/* The next effect that is not for the log must be this frame; remembers its id. */
void want_tx(struct peer *, uint16_t proto, unsigned code, const char *hex);
/* The next effect that is not for the log must be of this type; its data. */
const void *want_fx(struct peer *, enum ppp_fx type);
void want_nothing(struct peer *);
/* PPP_FX_DOWN for this reason, now, and no deadline any more. */
void want_down(struct peer *, enum ppp_end end);
/* Time passes, one deadline after the other; want_nothing when quiet. */
void peer_wait(struct peer *, ms_t ms);
/* Drops all effects; how many frames of proto with code were among them. */
unsigned peer_count(struct peer *, uint16_t proto, unsigned code);
/* LCP is agreed: the peer asks for options, and Acks ours. */
void peer_lcp(struct peer *, const char *options);
/* NETWORK phase is reached without authentication and the addresses are given. */
void peer_network(struct peer *);
