/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table behind halfopen.c (L2TPv2) and v3_halfopen.c: nobody else includes it. */
#pragma once

#include "l2tp/halfopen.h"

enum { HO_NONE = -1 };

/* The entry in a place. */
struct ho_entry *ho_at(const struct halfopen *, int32_t place);
/* The place of the entry with this id of ours, or HO_NONE. */
int32_t ho_place(const struct halfopen *, uint32_t tunnel_id);
bool ho_same_path(const struct ho_addr *a, const struct ho_addr *b);
/* Counts one reply against the rate of all; false: it must not be sent. */
bool ho_may_reply(struct halfopen *, ms_t now);

/* What a request with the peer's id and host name from this source meets: the place of the entry that it repeats, or
 * HO_NONE and in *ret_verdict whether a new one may be made (HO_REPLY) or not (HO_LIMIT, HO_DROP).  Where there is little room,
 * in the table or under a limit, only who asks again enters; under a limit the oldest of that source makes room for him. */
int32_t ho_meet(struct halfopen *, ms_t now, const struct ho_addr *from, uint32_t peer_tunnel_id, struct span host_name,
		unsigned per_addr, uint32_t tunnel_id, enum ho_verdict *ret_verdict);
/* Puts *e, whose ids, from, since and host_digest are filled in, into a free place; HO_NONE when memory is short. */
int32_t ho_insert(struct halfopen *, const struct ho_entry *e);
/* It is as young as a new one: its peer asked again, and has the full time to answer. */
void ho_touch(struct halfopen *, int32_t place, ms_t now);
/* Takes the entry out and wipes its place; its id is the caller's. */
void ho_remove(struct halfopen *, int32_t place);
/* Nobody may find it any more; ho_expire hands its id back next. */
void ho_expire_now(struct halfopen *, int32_t place);
const struct env *ho_env(const struct halfopen *);
