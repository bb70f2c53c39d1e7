/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tunnels of L2TPv2 and of L2TPv3 do each in their own way: the verbs of their engines, which have the same meaning
 * (l2tp/cc.h, l2tp/v3_cc.h).  Whoever calls one that may have effects calls tunnel_drain next. */
#pragma once

#include "core/tunnel.h"

struct session;
struct conf_session;
struct k_request;
struct k_wire;

/* What is to be seen of a control connection. */
struct cc_look {
	uint8_t state, ending;			/* enum cc_state, which is the same for both; enum cc_ending */
	const char *host_name, *vendor_name;	/* the peer's */
};

struct version {
	uint8_t number;
	/* The engine of a new tunnel that has `as` or `from`, and its end. */
	void (*init)(struct tunnel *);
	void (*done)(struct tunnel *);
	void (*look)(const struct tunnel *, struct cc_look *ret);
	uint32_t (*peer_id)(const struct tunnel *);
	void (*open)(struct tunnel *);
	void (*input)(struct tunnel *, const struct dgram *);
	void (*tick)(struct tunnel *);
	ms_t (*deadline)(const struct tunnel *);
	void (*alive)(struct tunnel *);
	void (*probe)(struct tunnel *);
	void (*close)(struct tunnel *, const struct l2tp_cause *);
	void (*abandon)(struct tunnel *, const struct l2tp_cause *);
	size_t (*last_words)(const struct tunnel *, const struct l2tp_cause *, unsigned i, void *buf, size_t size);
	void (*perform)(struct tunnel *, const struct fx *);
	/* Checkpoints (l2tp/save.h).  wreck: it could not be restored, nobody can be told anything. */
	bool (*to_be_saved)(const struct tunnel *);
	void (*save)(const struct tunnel *, struct wr *, unsigned tag);
	int (*restore)(struct tunnel *, struct span record);
	void (*wreck)(struct tunnel *);
	/* Calls.  place: one of ours, NULL when ids or memory are short.  orphan: the peer of an established call that only the
	 * kernel knows is told of its end. */
	struct session *(*place)(struct tunnel *, const struct conf_session *);
	uint32_t (*call_peer_id)(const struct session *);
	bool (*call_idle)(const struct session *);
	bool (*call_up)(const struct session *);
	void (*call_close)(struct session *, const struct l2tp_cause *);
	/* Data messages of a session with PPP.  describe: what K_SESSION_UP says of them.  header: into out[DATA_HEADER_MAX], up to
	 * the PPP frame's information field; returns its octets, 0: user space cannot send any.  room: the most octets that the
	 * kernel's data messages have between IP's header and that field. */
	void (*data_describe)(const struct session *, struct k_request *);
	size_t (*data_header)(const struct session *, uint8_t *out, uint16_t proto);
	unsigned (*data_room)(const struct session *);
	void (*call_save)(const struct session *, struct wr *, unsigned tag);
	bool (*call_readable)(struct span record, uint16_t id);
	int (*call_restore)(struct session *, struct span record);
	void (*call_keep)(struct session *, struct span record);
	void (*orphan)(struct tunnel *, uint16_t id, uint32_t peer_id, bool lns, const struct l2tp_cause *);
};

enum { DATA_HEADER_MAX = 32 };

extern const struct version version_2, version_3;

/* An id for the wire, of which this is the lower half. */
uint32_t v3_wire_id(struct ctx *, uint16_t id);
/* Do data messages of this session of L2TPv3 have sequence numbers? */
bool v3_sequenced(const struct session *);
/* How a session of L2TPv3 is on the wire. */
void v3_describe(const struct session *, struct k_wire *ret);

/* The tunnel that tunnel_accept has made for a half-open entry takes it over; d: its SCCCN. */
void v2_accept(struct tunnel *, const struct dgram *d, const struct ho_entry *);
void v3_accept(struct tunnel *, const struct dgram *d, const struct ho_entry *);
