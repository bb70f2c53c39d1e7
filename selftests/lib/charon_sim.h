/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A charon behind two sockets, in the caller's time: it loads, unloads, makes and ends SAs and tells of them as the real
 * one does, and answers one packet (or each with a chance) as none should. */
#pragma once

#include <stdbool.h>

#include "base/env.h"
#include "vici/msg.h"

enum charon_fault {
	CHARON_OBEYS,
	CHARON_DEAF,		/* neither does it nor answers */
	CHARON_MUTE,		/* does it, and never answers */
	CHARON_SLOW,		/* answers after 9 s */
	CHARON_REFUSES,		/* success = no */
	CHARON_UNKNOWN,		/* has no such command, no such event */
	CHARON_GARBAGE,		/* octets of chance */
	CHARON_WRONG_KIND,	/* a valid packet, but no answer to this */
	CHARON_ABSURD,		/* a length of 2 GB */
	CHARON_HALF,		/* does it, answers half, closes */
	CHARON_CLOSES,
	CHARON_RESTARTS,	/* without having done it; comes back empty after 700 ms */
	CHARON_LOADS_ALL,	/* the same, and then `swanctl --load-all` is run */
	CHARON_TWICE,		/* answers twice */
	CHARON_FAULTS
};

enum { CHARON_CLIENTS = 8, CHARON_THINGS = 24, CHARON_ACTS = 128, CHARON_HEARD = 512, CHARON_MSG = 2048,
       CHARON_AWAY_MS = 700 };

struct charon;

/* A connection or a secret as it was loaded. */
struct charon_thing { char name[80]; uint8_t msg[CHARON_MSG]; size_t n; };
struct charon_sa { uint32_t child, reqid, mark; char conn[80], name[80], host[48]; bool broken, going; };

struct charon_act {
	ms_t at;
	void (*act)(struct charon *, struct charon_act *);
	uint32_t client, child;			/* ids; of nobody any more: nothing is done */
	char conn[80], name[80];
	uint8_t *octets;
	size_t n;
};

struct charon_client {
	int fd;					/* -1: free */
	uint32_t id;
	uint8_t in[4096];
	size_t n;
	bool updown, rekey, log, list;			/* registered */
};

struct charon {
	ms_t now, back_at;			/* back_at: nobody can connect before */
	struct charon_client client[CHARON_CLIENTS];
	struct charon_thing conn[CHARON_THINGS], shared[CHARON_THINGS];
	struct charon_sa sa[CHARON_THINGS];
	struct charon_act act[CHARON_ACTS];
	unsigned n_conns, n_shared, n_sas, n_acts;
	uint32_t last_id, last_child;
	uint64_t seed;
	/* the fault */
	enum charon_fault fault;
	unsigned fault_at, chance;		/* the number of the packet; in 100 of each, any fault */
	unsigned close_at;			/* the number of a packet before it at which the connection is closed */
	ms_t faulted_at;			/* the last one, or 0 */
	char faulted[128];			/* what it was about, and whose */
	unsigned refused;			/* times CHARON_REFUSES or CHARON_UNKNOWN */
	bool tell;				/* stderr */
	unsigned packets;			/* so many came; a hash of each: what, and whose */
	uint32_t heard[CHARON_HEARD];
};

/* Has a connection, "theirs", and a secret of somebody else, and what an earlier ktund left: ktund-peer-old with an SA. */
void charon_init(struct charon *, uint64_t seed);
void charon_done(struct charon *);
/* The keeper connects both sockets: 0, or -errno. */
int charon_connect(struct charon *, ms_t now, int fds[2]);
/* Reads, answers, does what is due.  False: there was nothing to do. */
bool charon_serve(struct charon *, ms_t now);
ms_t charon_deadline(const struct charon *);
/* A peer has called: an SA of this connection, with a mark. */
void charon_called(struct charon *, ms_t now, const char *conn, const char *host);
/* All SAs of this connection get new keys and numbers. */
void charon_rekey(struct charon *, ms_t now, const char *conn);
/* Somebody runs `swanctl --load-all`: whatever is in no file of his goes, secrets at once and connections 20 ms later. */
void charon_load_all(struct charon *, ms_t now);
/* Connections alone. */
void charon_load_conns(struct charon *, ms_t now);
/* Does anybody hear of SAs that come, go and are rekeyed? */
bool charon_tells(const struct charon *);
/* It ends, and comes back empty after CHARON_AWAY_MS. */
void charon_restart(struct charon *, ms_t now);
const struct charon_thing *charon_find(const struct charon_thing *, unsigned n, const char *name);
