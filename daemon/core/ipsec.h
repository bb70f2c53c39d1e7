/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec = required, obeyed.  Two things side by side:
 * - the guard: kernel policies (netlink/guard.c) that let nothing pass between
 *   us and such a peer but what IPsec protects, whether charon lives or not;
 * - charon: connections and secrets are loaded and unloaded over VICI, SAs of
 *   tunnels that we dial are initiated, and an SA that goes takes its tunnels. */
#pragma once

#include <jansson.h>

#include "core/ctx.h"
#include "core/dial.h"

struct ipsec;
struct esp;

/* NULL: no memory. */
struct ipsec *ipsec_new(struct ctx *);
void ipsec_free(struct ipsec *);

/* After the configuration, a peer's resolved address, a dial or a listener changed, and with each new keeper: guard and
 * connections as they should be. */
void ipsec_refresh(struct ctx *);
/* At the end of the start: what is to be dialled is known. */
void ipsec_settled(struct ctx *);
/* The answer to K_CHARON. */
void ipsec_charon(struct ctx *, const struct k_reply *, int fds[K_MAX_FDS]);
/* Shutting down: charon forgets what is ours.  True when it has, or is not there; call again. */
bool ipsec_stopped(struct ctx *);
/* The answer to K_MARKED. */
void ipsec_marked(struct ctx *, const struct k_reply *, int fd);
/* Several peers may have one address and port (NAT) and then differ by the mark that their SA gives what it brings, and
 * that selects it for what is sent.  Is this a mark of an SA? */
bool ipsec_knows_mark(const struct ctx *, uint32_t mark);
/* The kernel lets in what any SA has brought.  Was this one, which gives what it brings this mark, made by somebody who has proved
 * what this peer demands?  Without a mark it is one that we dialled, or not of our making. */
bool ipsec_proved(const struct ctx *, uint32_t mark, const struct conf_peer *);
/* What ESP adds to this tunnel's packets; false: there is none. */
bool ipsec_esp(const struct tunnel *, struct esp *ret);
/* Octets that one packet between the networks of a tunnel (dialled) or peer without L2TP may have; 0: it is not up, or not known. */
uint16_t ipsec_site_mtu(const struct ctx *, bool dialled, const char *name);
/* A socket that sends with this mark, or -1. */
int ipsec_socket(const struct ctx *, uint32_t mark);
/* Notes which SA protects a new tunnel. */
void ipsec_join(struct tunnel *);
/* The keeper is gone: what its guard was is not certain any more, and what it was asked for is not done. */
void ipsec_keeper_lost(struct ctx *);
/* Has it make the sockets of SAs that came while there was none. */
void ipsec_ask_sockets(struct ctx *);

/* Is what comes to local from peer let in under IPsec alone, and the other way out? */
bool ipsec_guards(const struct ctx *, const struct endpoint *local, const struct endpoint *peer);

/* Is there anybody at all whose IPsec is guarded? */
bool ipsec_guarding(const struct ctx *);
/* Protects the way to d->peer, then calls dial_protected(), or dial_unprotected() with the reason; never at once. */
void ipsec_dial(struct dial *);
/* Is there an SA of this attempt (still)? */
bool ipsec_dial_protected(const struct dial *);
/* What there is of its IPsec goes, so that the next attempt has all of it anew: an IKE_SA under another agreement, say. */
void ipsec_dial_failed(struct dial *);
/* An earlier ktund dialled it, and it is up: its connection is to be kept. */
void ipsec_dial_adopted(struct dial *);
/* If nothing is left of it to be protected and it is not wanted, its SA and connection go. */
void ipsec_dial_ended(struct ctx *, const char *tunnel);
/* Why it is not protected yet, for people. */
const char *ipsec_dial_waits(struct dial *);

/* What charon says of SAs, each message behind its length (32 bits). */
struct sa_list { size_t len; uint8_t octets[]; };
/* Asks it.  told() is called once, perhaps at once, at most 2 s later: with the list, its caller's, or NULL and why.  false: no
 * memory, and nobody will call. */
bool ipsec_ask_sas(struct ctx *, void (*told)(struct ctx *, void *arg, const struct sa_list *, const char *why), void *arg);
/* The next of our SAs as objects of the control interface, none or more, of this tunnel (0: all) or of the tunnel or peer without L2TP
 * that has this name ("": all); *at, at first 0, goes on.  NULL: that was all. */
json_t *ipsec_next_sas(struct ctx *, const struct sa_list *, size_t *at, uint16_t tunnel_id, const char *name);
/* Each tunnel without L2TP that a peer has dialled and that is up. */
void ipsec_each_site(struct ctx *, void (*each)(void *arg, const struct conf_peer *, const struct endpoint *local,
						const struct endpoint *peer, ms_t age), void *arg);
