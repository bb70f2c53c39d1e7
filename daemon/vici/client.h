/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Talks VICI to charon: two connections, one for commands (one at a time, in
 * order) and one for events, so that an event never waits for an answer.  Octets,
 * orders and time in; effects out.  Whatever goes wrong on either connection ends
 * both, every request that is under way fails with a reason, and after a wait they
 * are opened anew; VICI_FX_READY then means: register is done, ask for everything.
 *
 *	ABSENT --time--> OPENING --both open--> GREETING --version, events registered--> READY
 *	  ^------------- lost, refused, silent, nonsense: VICI_FX_DOWN says which -----------'
 */
#pragma once

#include "base/env.h"
#include "base/fx.h"
#include "vici/msg.h"

enum vici_link { VICI_COMMANDS, VICI_EVENTS, VICI_LINKS };
enum vici_state { VICI_ABSENT, VICI_OPENING, VICI_GREETING, VICI_READY };

enum {
	VICI_QUEUE_MAX = 4096,		/* requests that wait */
	VICI_OPEN_MS = 5000,		/* for opening and greeting */
	VICI_TIMEOUT_MS = 10000,	/* for a request that names no time of its own */
	VICI_IDLE_MS = 30000,		/* silence before we ask whether charon still answers */
	VICI_RETRY_MIN_MS = 1000,	/* no less: what the kernel has of a dead charon is told by the second it was made in */
	VICI_RETRY_MAX_MS = 2000,	/* one that was lost soon after it was ready, again and again */
	VICI_STABLE_MS = 15000,		/* more than VICI_TIMEOUT_MS: one that never answers is such a one */
};

enum vici_fx {
	VICI_FX_CONNECT,	/* open both connections, then vici_connected() each or vici_lost() */
	VICI_FX_CLOSE,		/* close both; nothing that they still bring is wanted */
	VICI_FX_TX,		/* struct vici_fx_tx */
	VICI_FX_READY,		/* text: charon's version.  Nothing of what was known before is certain any more */
	VICI_FX_DOWN,		/* text: why; comes after each failed attempt, too */
	VICI_FX_NOTE,		/* text */
	VICI_FX_ITEM,		/* struct vici_fx_msg: one event of a streamed request */
	VICI_FX_REPLY,		/* struct vici_fx_msg: the end of a request, exactly one for each */
	VICI_FX_EVENT,		/* struct vici_fx_msg, id 0 */
};

enum vici_status {
	VICI_OK,
	VICI_REFUSED,		/* success = no; errmsg says why */
	VICI_UNKNOWN,		/* charon has no such command (a plugin or version is missing) */
	VICI_LOST,		/* the connection ended, or too much time passed: done or not, nobody knows */
};

struct vici_fx_tx { uint32_t link; uint8_t octets[]; };
/* name: of the command, or of the event.  msg is valid (vici_valid), f->len - sizeof octets. */
struct vici_fx_msg { uint32_t id; uint8_t status; char name[31]; uint8_t msg[]; };

static inline struct span vici_fx_text(const struct fx *f)
{
	return (struct span){ f->data, f->len };
}

static inline struct span vici_fx_body(const struct fx *f)
{
	return (struct span){ f->data + sizeof(struct vici_fx_msg), f->len - sizeof(struct vici_fx_msg) };
}

/* A packet that is not whole yet. */
struct vici_in { uint8_t head[4]; uint32_t n; bool up; struct fxq packet; };

struct vici {
	const char *const *events;	/* to be registered; ends at NULL; the owner's */
	uint8_t state, phase;
	struct vici_in in[VICI_LINKS];
	unsigned registered, flaps, n_queue;	/* flaps: lost within VICI_STABLE_MS, in a row */
	bool greeted;			/* `version` was answered */
	struct fxq queue;		/* the first one is under way */
	uint32_t last_id;
	ms_t at;			/* what waits: retry, opening, answer, idle */
	ms_t ready_at;
	char version[64];
	struct fxq out;
};

/* Begins ABSENT, and to be opened at once.  Owner: vici_done(). */
void vici_init(struct vici *, const char *const *events, ms_t now);
void vici_done(struct vici *);
ms_t vici_deadline(const struct vici *);
void vici_tick(struct vici *, ms_t now);

/* One connection is open.  Both are closed (VICI_FX_CLOSE) when one is lost; why: text for people. */
void vici_connected(struct vici *, ms_t now, enum vici_link);
void vici_lost(struct vici *, ms_t now, const char *why);
/* Octets from charon, in any pieces. */
void vici_input(struct vici *, ms_t now, enum vici_link, const void *buf, size_t len);

/* Queues a command with its message (copied).  stream: the event that carries its answers (list-sas: "list-sa"), or NULL.
 * timeout_ms 0: VICI_TIMEOUT_MS, counted from when it is sent.  Its id, ended by one VICI_FX_REPLY; 0: not READY, too long,
 * too many, no memory. */
uint32_t vici_request(struct vici *, ms_t now, const char *command, const char *stream, struct span msg, uint32_t timeout_ms);
