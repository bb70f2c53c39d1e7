/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens, for `ktun monitor` and for hooks. */
#pragma once

#include "core/session.h"

/* event: "tunnel-up", "session-down", ...; text: one line in plain words.  t and s may be NULL. */
__attribute__((format(printf, 5, 6)))
void event(struct ctx *, const char *what, const struct tunnel *t, const struct session *s, const char *fmt, ...);
void events_free(struct ctx *);

/* A log line that this peer has caused: limited by its topic, and by the peer's address in it. */
__attribute__((format(printf, 5, 6)))
void log_peer(struct ctx *, enum topic, const struct endpoint *peer, int level, const char *fmt, ...);

struct vl_call;
/* The call becomes a subscriber until its client leaves. */
void event_subscribe(struct ctx *, struct vl_call *);

/* core/hook.c: runs the session's ip-up or ip-down program with pppd's arguments and environment. */
void hook_run(const struct session *, bool up);
void hook_done(struct ctx *, const struct k_reply *);
