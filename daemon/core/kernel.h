/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktund's side of the conversation with its keeper: requests out, completions to
 * whom they concern.  Completions carry ids, never pointers: what has gone in the
 * meantime is not found, and what came for it is given back. */
#pragma once

#include <stddef.h>
#include <string.h>

#include "core/ctx.h"

/* Connects to the keeper of ctx->runtime_dir, starting one when none serves it and we may.  Blocks (start-up only).
 * 0, or -errno after one log line that says what to do. */
int kernel_start(struct ctx *);
/* The whole life of `ktund --keep-keeper`: starts the keeper, and another when it is killed.  Its exit status when it ends. */
int kernel_keep_keeper(const struct ctx *);
/* An empty request.  Leaves hook.text alone, which only K_HOOK uses and which is long. */
static inline void kernel_request(struct k_request *rq, enum k_op op, uint16_t tunnel_id, uint16_t session_id)
{
	_Static_assert(sizeof(rq->session) >= sizeof(rq->eth) && sizeof(rq->session) >= sizeof(rq->open) &&
		       sizeof(rq->session) >= sizeof(rq->tunnel), "session is the longest");
	memset(rq, 0, offsetof(struct k_request, session) + sizeof(rq->session));
	rq->op = op;
	rq->tunnel_id = tunnel_id;
	rq->session_id = session_id;
}
/* Queues a request; its id, or 0 when there is no keeper (the caller ends what it wanted). */
uint32_t kernel_submit(struct ctx *, struct k_request *);
/* Opens a file of the configuration directory through the keeper: a descriptor or -errno. */
int kernel_open_file(struct ctx *, const char *path);
void kernel_stop(struct ctx *);

/* `show stats` and idle timeouts: counters of one session (0: all), then done(arg) — also when it fails. */
struct kernel_wait {
	struct kernel_wait *next;
	uint32_t id;
	void (*done)(struct ctx *, void *arg, const struct k_reply *);	/* the last reply, or NULL: no answer */
	void *arg;
};
bool kernel_ask(struct ctx *, struct k_request *, void (*done)(struct ctx *, void *arg, const struct k_reply *), void *arg);
