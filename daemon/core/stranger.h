/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strangers: control messages that belong to no tunnel.  An SCCRQ is admitted by its `peer` section and answered out of a table
 * of half-open tunnels; a valid SCCCN makes one of them a tunnel. */
#pragma once

#include "core/listener.h"

/* L2TPv2: an SCCRQ; a message to this half-open tunnel. */
void stranger_sccrq(struct listener *, const struct dgram *, const struct l2tp_msg *);
void stranger_scccn(struct listener *, const struct dgram *, const struct ho_entry *);

/* core/v3_stranger.c.  L2TPv3: false: it is no SCCRQ.  A message to the half-open tunnel with this id, if there is one. */
bool v3_stranger_sccrq(struct listener *, const struct dgram *);
void v3_stranger_scccn(struct listener *, const struct dgram *, uint32_t id);

/* Does a section with this version match? */
bool stranger_expected(const struct listener *, const struct dgram *, unsigned version, struct span host_name);
/* For both.  The section that an SCCRQ comes by, or NULL: refused, and that was said. */
const struct conf_peer *stranger_admit(struct listener *, const struct dgram *, unsigned version, struct span host_name);
/* The section of a half-open tunnel, or NULL: matched anew if the configuration was reloaded meanwhile. */
const struct conf_peer *stranger_policy(const struct ctx *, const struct dgram *, const struct ho_entry *, unsigned version);
/* A free tunnel id, to be claimed if it is used; 0: none. */
uint16_t stranger_id(struct ctx *);
/* Counts and says what became of an SCCRQ that is not answered. */
void stranger_verdict(struct ctx *, const struct dgram *, const struct conf_peer *, enum ho_verdict);
void stranger_refuse(struct ctx *, const struct dgram *, const struct conf_peer *, const char *why);
void stranger_answer(struct listener *, const struct dgram *, const void *buf, size_t len);
void stranger_key(struct ho_addr *ret, const struct dgram *);
bool no_more_tunnels(const struct ctx *, const struct dgram *, const struct conf_peer *);
