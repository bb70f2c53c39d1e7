/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tunnels of L2TPv2 and of L2TPv3 do each in their own way; what both do alike is in l2tp/cc.h.  Whoever calls one that
 * may have effects calls tunnel_drain next. */
#pragma once

#include "core/tunnel.h"

struct session;
struct conf_session;
struct k_request;
struct k_wire;

struct version {
	uint8_t number;
	/* The engine of a new tunnel that has `as` or `from`, and its end.  last_words: NULL: none. */
	void (*init)(struct tunnel *);
	void (*done)(struct cc *);
	void (*open)(struct tunnel *);
	void (*accept)(struct cc *, ms_t now, const struct ho_entry *);
	void (*input)(struct cc *, ms_t now, const void *buf, size_t len);
	size_t (*last_words)(const struct cc *, const struct l2tp_cause *, unsigned i, void *buf, size_t size);
	/* Effects that are of the version; sli: NULL: of no interest. */
	void (*answer)(struct tunnel *, const void *request);
	void (*call_is_up)(struct session *);
	void (*sli)(struct tunnel *, const void *sli);
	/* Checkpoints (l2tp/save.h). */
	void (*save)(const struct cc *, struct wr *, unsigned tag);
	int (*restore)(struct cc *, ms_t now, struct span record);
	/* Calls.  place: one of ours, NULL when ids or memory are short.  call_adopted: an earlier ktund's is ours now; NULL: nothing to
	 * be noted.  orphan: the peer of an established call that only the
	 * kernel knows is told of its end; NULL: he hears of it when he sends again. */
	struct session *(*place)(struct tunnel *, const struct conf_session *);
	void (*call_adopted)(const struct session *);
	void (*orphan)(struct tunnel *, uint16_t id, uint32_t peer_id, bool lns, const struct l2tp_cause *);
	/* Data messages of a session with PPP.  describe: what K_SESSION_UP says of them.  header: into out[DATA_HEADER_MAX], up to
	 * the PPP frame's information field; returns its octets, 0: user space cannot send any.  room: the most octets that the
	 * kernel's data messages have between IP's header and that field. */
	void (*data_describe)(const struct session *, struct k_request *);
	size_t (*data_header)(const struct session *, uint8_t *out, uint16_t proto);
	unsigned (*data_room)(const struct session *);
};

enum { DATA_HEADER_MAX = 32 };

extern const struct version version_2, version_3;

/* An id for the wire, of which this is the lower half. */
uint32_t v3_wire_id(struct ctx *, uint16_t id);
/* Do data messages of this session of L2TPv3 have sequence numbers? */
bool v3_sequenced(const struct session *);
/* How a session of L2TPv3 is on the wire. */
void v3_describe(const struct session *, struct k_wire *ret);
