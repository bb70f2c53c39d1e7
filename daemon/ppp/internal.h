/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the PPP engine share with each other and with nobody else. */
#pragma once

#include "ppp/opt.h"
#include "ppp/ppp.h"

static inline ms_t conf_restart_ms(const struct ppp *p) { return p->conf->restart_ms ? p->conf->restart_ms : 3000; }
static inline ms_t conf_auth_ms(const struct ppp *p) { return p->conf->auth_ms ? p->conf->auth_ms : 30000; }
/* A counter's configured value within its octet; zero means dflt. */
static inline uint8_t conf_count(unsigned v, uint8_t dflt) { return v > UINT8_MAX ? UINT8_MAX : v ? (uint8_t)v : dflt; }
static inline uint8_t conf_max_configure(const struct ppp *p) { return conf_count(p->conf->max_configure, 10); }
static inline uint8_t conf_max_terminate(const struct ppp *p) { return conf_count(p->conf->max_terminate, 2); }
static inline uint8_t conf_max_failure(const struct ppp *p) { return conf_count(p->conf->max_failure, 5); }
static inline uint16_t conf_mru(const struct ppp *p)
{
	uint16_t most = p->conf->mru ? p->conf->mru : 1400;

	return p->path_mru && p->path_mru < most ? p->path_mru : most;
}

/* Appends one packet of a control protocol: code, id, length, n octets of data. */
void ppp_tx(struct ppp *, uint16_t proto, uint8_t code, uint8_t id, const void *data, size_t n);
/* At most n octets of s as printable ASCII into dst[cap], terminated. */
void ppp_clean(char *dst, size_t cap, struct span s);
/* True while fewer than max events have happened in this second. */
bool ppp_rate(struct ppp_rate *, ms_t now, unsigned max);
/* Ends the link by LCP Close; the first reason and its msg (cleaned here) win. */
void ppp_fail(struct ppp *, enum ppp_end end, struct span msg);
/* True when list (up to PPP_AUTH_NONE) has auth. */
bool ppp_auth_in(const uint8_t list[PPP_AUTH_N], uint64_t auth);

/* At the end of each verb: an effect that could not be stored has made the owner's picture wrong. */
void ppp_leave(struct ppp *);

/* RXJ-: the peer cannot do without what it rejects. */
void ppp_rejected(struct ppp *, enum cp_which which);
/* Phases (RFC 1661 3.2); called by the automata and by authentication. */
void ppp_lcp_up(struct ppp *);
void ppp_lcp_down(struct ppp *);
void ppp_lcp_finished(struct ppp *);
void ppp_auth_over(struct ppp *);
void ppp_ncp_up(struct ppp *, enum cp_which which);
void ppp_ncp_down(struct ppp *, enum cp_which which);
void ppp_ncp_finished(struct ppp *);

/* LCP packets with codes 8 and up; the Echo timer. */
void lcp_input(struct ppp *, uint8_t code, uint8_t id, const uint8_t *data, size_t n);
void lcp_echo_reply(struct ppp *, uint8_t id, struct span data);
/* False when a Configure-Request is our own coming back once too often: the link has been ended. */
bool lcp_not_looped(struct ppp *, struct span options);
void lcp_echo_tick(struct ppp *);
void lcp_reject_protocol(struct ppp *, uint16_t proto, const void *buf, size_t n);
/* Effective authentication of the peer: what it agreed to, not what we ask for. */
uint8_t lcp_auth(const struct ppp *);
