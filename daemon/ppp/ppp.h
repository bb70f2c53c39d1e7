/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One PPP link (RFC 1661 3.2): LCP, authentication both ways, IPCP, IPV6CP.
 * Knows no tunnel and no kernel: frames, orders and time go in; effects come
 * out of ->out, which the owner drains after every call.
 *
 * A frame here is the 16-bit protocol number and the information field (code,
 * identifier, ...); address, control and field compression are the owner's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/fx.h"
#include "base/pkt.h"
#include "ppp/auth.h"
#include "ppp/cp.h"

enum ppp_proto {
	PPP_IP = 0x0021, PPP_IPV6 = 0x0057,
	PPP_IPCP = 0x8021, PPP_IPV6CP = 0x8057, PPP_CCP = 0x80fd, PPP_ECP = 0x8053, PPP_MPLSCP = 0x8281,
	PPP_LCP = 0xc021, PPP_PAP = 0xc023, PPP_CHAP = 0xc223, PPP_EAP = 0xc227,
};

/* Authentication protocols in the order of a preference list. */
enum ppp_auth { PPP_AUTH_NONE, PPP_AUTH_PAP, PPP_AUTH_CHAP_MD5, PPP_AUTH_MSCHAPV2, PPP_AUTH_N };

/* RFC 1661 3.2 */
enum ppp_phase { PPP_DEAD, PPP_ESTABLISH, PPP_AUTHENTICATE, PPP_NETWORK, PPP_TERMINATE };

/* Shared by many links; borrowed for the life of each.  Zero in a number means the default named here. */
struct ppp_conf {
	uint16_t mru;			/* what we announce and send at most; 1400 */
	uint8_t auth[PPP_AUTH_N];	/* what we demand of the peer, preferred first, ends at PPP_AUTH_NONE; all none: nothing */
	uint8_t allow[PPP_AUTH_N];	/* with what we let ourselves be authenticated; likewise */
	const char *auth_name;		/* Name field of our CHAP Challenges; 1..255 octets */
	bool ipv4, ipv6;		/* which NCPs we open */
	bool take;			/* we take addresses (dialling side); else we give them */
	bool want_dns;			/* ask for DNS servers (RFC 1877), when taking */
	uint32_t restart_ms;		/* 3000 */
	unsigned max_configure, max_terminate, max_failure;	/* 10, 2, 5 */
	uint32_t echo_ms;		/* LCP Echo-Request interval when idle; 0: never */
	unsigned echo_failures;		/* unanswered in a row until the link is dead; 3 */
	uint32_t auth_ms;		/* how long LCP and authentication may take in all; 30000 */
};

/* Addresses in network order; 0 means: none given, none known. */
struct ppp_addrs {
	uint32_t ip, peer_ip;
	uint32_t dns[2], wins[2];	/* giving: what we offer; taken: what the peer gave */
	uint64_t ifid, peer_ifid;	/* IPv6 interface identifiers, the 8 octets as they stand on the wire */
};

enum ppp_end {				/* why a link went down */
	PPP_END_NONE, PPP_END_LOCAL, PPP_END_PEER, PPP_END_LOWER, PPP_END_NO_ANSWER, PPP_END_ECHO,
	PPP_END_AUTH_FAILED,		/* the peer failed to authenticate to us */
	PPP_END_AUTH_REFUSED,		/* the peer refused us, or refuses to authenticate at all */
	PPP_END_NO_AGREEMENT,		/* options cannot be agreed */
	PPP_END_NO_NCP,			/* no network protocol came up, or the last one went down */
	PPP_END_LOOP,			/* looped back (RFC 1661 6.4) */
	PPP_END_TIMEOUT,		/* auth_ms is over */
	PPP_END_RESOURCES,
};

enum ppp_fx {
	PPP_FX_TX,		/* [struct ppp_fx_tx + octets] a frame for the peer */
	PPP_FX_STATE,		/* [struct ppp_fx_state] for the log, in the RFC's words */
	PPP_FX_LCP_UP,		/* [struct ppp_fx_lcp] LCP Opened */
	PPP_FX_AUTH_CHECK,	/* [struct ppp_fx_auth] who is this? owner answers with ppp_auth_verdict (now or later) */
	PPP_FX_AUTH_DONE,	/* authentication is over, both ways (or none was wanted): the network phase begins */
	PPP_FX_NCP_READY,	/* [struct ppp_fx_ncp] the last Configure-Ack is held back: make the link ready, then ppp_ncp_go */
	PPP_FX_NCP_UP,		/* [struct ppp_fx_ncp] this NCP is Opened */
	PPP_FX_NCP_DOWN,	/* [struct ppp_fx_ncp] it is not any more */
	PPP_FX_IDENT,		/* [char[]] LCP Identification of the peer, cleaned */
	PPP_FX_DOWN,		/* [struct ppp_fx_down] exactly once; nothing is pending any more, the owner may free */
};

struct ppp_fx_tx { uint16_t proto; uint8_t octets[]; };		/* len - 2 octets of information field */
struct ppp_fx_state { uint16_t proto; const char *was, *event, *is; };
struct ppp_fx_lcp { uint16_t mru, peer_mru; uint32_t magic, peer_magic, accm, peer_accm; uint8_t auth, peer_auth; bool pfc, acfc; };
struct ppp_fx_ncp { uint16_t proto; struct ppp_addrs addrs; };
struct ppp_fx_down { uint8_t end; char msg[64]; };	/* msg: the peer's words if any, cleaned */

/* Everything needed to judge a peer; names as sent, not terminated; password only for PAP. */
struct ppp_fx_auth {
	uint8_t proto;			/* enum ppp_auth */
	uint8_t id;			/* CHAP identifier */
	uint8_t name_len, password_len;
	uint8_t challenge_len, response_len;
	uint8_t name[255], password[255];
	uint8_t challenge[64], response[49];
};

/* LCP options of one direction (RFC 1661 6, RFC 1662 7). */
struct lcp_opts { uint32_t magic, accm; uint16_t mru; uint8_t auth, pfc, acfc; };

struct ppp_rate { ms_t since; uint16_t n; };	/* events in the second that began at since */

/* Plain data but for out, env, conf and secret; the owner embeds it and touches only out. */
struct ppp {
	struct fxq out;
	const struct env *env;
	const struct ppp_conf *conf;
	uint16_t path_mru;		/* the owner's, before ppp_up(): conf->mru is no more than this; 0: it knows nothing */
	uint8_t *secret;		/* name_len octets of our name, password_len of our password */
	uint8_t name_len, password_len;
	bool has_secret;

	ms_t now;
	uint8_t phase;			/* enum ppp_phase */
	uint8_t end;			/* enum ppp_end, the first reason there was */
	char end_msg[64];
	bool heard, term_heard;		/* any LCP packet; a Terminate-Request before LCP was Opened */
	bool ncp_start;			/* the network phase begins with the next call */

	struct cp cp[CP_N];
	struct lcp_opts lcp, peer_lcp;	/* what we ask for; what the peer asked for and we Acked */
	uint8_t auth_tried;		/* bit per enum ppp_auth that the peer would not have */
	bool auth_refused;
	uint8_t loops;			/* Configure-Requests in a row with our own Magic-Number (6.4) */

	uint8_t chap_id;		/* of our newest Challenge; never repeats soon */
	bool checking;			/* AUTH_CHECK awaits its verdict, even when LCP has gone meanwhile */
	struct authenticator authenticator;
	struct auth_peer auth_peer;

	struct ppp_addrs set;		/* the owner's word */
	struct ppp_addrs addrs;		/* as negotiated, or being negotiated */

	ms_t auth_deadline;		/* auth_ms */
	ms_t last_rx, echo_deadline;
	uint8_t echo_id, echo_missed;
	struct ppp_rate echo_rate, reject_rate;
	uint16_t early;			/* frames before the network phase */
	uint8_t reject_id, idents;
	uint32_t echo_sent, echo_received, rejected_protocols, dropped;
};

/* secret: our own name and password for when the peer authenticates us; may be NULL; copied.  -ENOMEM. */
int ppp_init(struct ppp *, const struct env *env, const struct ppp_conf *conf, const char *name, const char *password);
/* Frees and wipes what the engine keeps. */
void ppp_done(struct ppp *);

/* The lower layer is up: LCP starts. */
void ppp_up(struct ppp *, ms_t now);
/* The lower layer is gone: everything ends at once, without packets. */
void ppp_lower_down(struct ppp *, ms_t now);
/* Terminate-Request with msg (may be NULL), then PPP_FX_DOWN. */
void ppp_close(struct ppp *, ms_t now, const char *msg);

/* One frame from the peer, len octets of information field.  Anything may be in it. */
void ppp_input(struct ppp *, ms_t now, uint16_t proto, const void *buf, size_t len);
void ppp_tick(struct ppp *, ms_t now);
ms_t ppp_deadline(const struct ppp *);

/* The answer to PPP_FX_AUTH_CHECK.  reply: for MS-CHAPv2 the 20-octet authenticator response when ok; NULL otherwise.
 * msg: for the peer's eyes, may be NULL.  Exactly one for each AUTH_CHECK, even when LCP was renegotiated meanwhile: until
 * then no other AUTH_CHECK comes, so that no verdict can be taken for another one's.  Others are ignored. */
void ppp_auth_verdict(struct ppp *, ms_t now, bool ok, const uint8_t *reply, const char *msg);
/* Giving: the addresses of this link.  Call before or while handling PPP_FX_AUTH_DONE. */
void ppp_set_addrs(struct ppp *, const struct ppp_addrs *);
/* The answer to PPP_FX_NCP_READY: the kernel is ready for this NCP's packets.  Exactly one for each READY, even when
 * its addresses have changed meanwhile: then another READY follows.  PPP_FX_NCP_UP's addresses are the final ones. */
void ppp_ncp_go(struct ppp *, ms_t now, uint16_t proto);
/* Renegotiate nothing, but count traffic seen by the owner as a sign of life (delays echo). */
void ppp_alive(struct ppp *, ms_t now);

/* For `ktun show session`: a snapshot of what was negotiated. */
struct ppp_info {
	uint8_t phase;			/* enum ppp_phase */
	uint8_t auth, peer_auth;	/* how the peer authenticated to us; how we did to it */
	bool auth_done, peer_auth_done;
	const char *lcp, *ipcp, *ipv6cp;	/* state names of RFC 1661 4.2 */
	struct ppp_fx_lcp opts;
	struct ppp_addrs addrs;
	uint32_t echo_sent, echo_received, rejected_protocols;
	uint32_t dropped;		/* frames that their phase, protocol or form did not allow */
};
void ppp_info(const struct ppp *, struct ppp_info *ret);
