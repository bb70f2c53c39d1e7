/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of core/ipsec share: ipsec.c (what should be), ipsec_charon.c
 * (the conversation with charon), ipsec_sa.c (what charon says of SAs). */
#pragma once

#include <uthash.h>

#include "core/ipsec.h"
#include "core/ipsec_conn.h"
#include "core/ipsec_guard.h"
#include "core/path.h"
#include "vici/client.h"

enum { READ_SIZE = 65536 };

/* What charon must have of a connection: its secret or private key, further certificates and lists of revoked ones, itself. */
enum conn_part { PART_SECRET, PART_CERT, PART_CONN = PART_CERT + IPSEC_MAX_CERTS, PARTS };
struct part {
	uint8_t *msg;				/* NULL: there is none */
	size_t len;
	uint32_t id;				/* request under way */
	bool loaded;
};

/* What is asked for now and then, for others unload what is not theirs. */
enum { CHECK_CONNS, CHECK_SHARED, CHECK_KEYS, CHECKS };

/* A connection of ours as it should be in charon. */
struct conn {
	UT_hash_handle hh;			/* by name, and in the order in which they were configured */
	char name[IPSEC_NAME];
	struct part part[PARTS];
	bool keep;				/* still wanted, found while configuring */
	bool there;				/* in the answer that is being looked through */
	bool pubkey;				/* its secret is a private key */
	char key_id[64];			/* that one's name in charon */
	bool dial, initiated;
	uint32_t initiate;			/* request under way */
	bool ike_up;				/* since we initiated */
	bool refused;				/* by charon; not asked again as it is */
	bool ending;				/* SAs of before were terminated: not until they are gone */
	bool site;				/* between networks, without L2TP */
	uint16_t port;				/* dial: ours, names the child; 0: site */
	char why[200];				/* the last that charon said of it */
};

/* A CHILD_SA of a connection of ours. */
struct sa {
	struct sa *next;
	uint32_t child;				/* charon's unique id */
	char conn[IPSEC_NAME];
	char who[256];				/* this and ike_port are one peer's with one purpose; "": too long */
	uint16_t ike_port;			/* which a NAT may change */
	struct endpoint local, peer;		/* port 0 */
	uint32_t spi_in, spi_out, reqid;
	uint32_t mark;				/* 0: none */
	bool ending;				/* of an earlier attempt to dial: nothing new is to use it */
	bool told;				/* shutting down: charon was told to end it */
	bool site;				/* protects networks, and no tunnel of L2TP */
	ms_t since;
	struct esp esp;
	uint16_t port;				/* ours, of L2TP in it */
	uint32_t asked;				/* K_MARKED under way */
	int fd;					/* sends with mark; -1 */
	bool seen;				/* in the list-sas under way */
};

struct ipsec {
	struct ctx *ctx;
	struct vici v;
	struct timer timer;
	int fd[VICI_LINKS];
	ev_io rx[VICI_LINKS], tx[VICI_LINKS];
	struct fxq pending[VICI_LINKS];
	size_t sent[VICI_LINKS];		/* of the first pending one */
	bool started, stopping;			/* somebody needs charon; nobody any more */
	char said[160];				/* the last line about charon's absence */
	struct conn *conns;
	struct sa *sas;
	uint64_t ready_at;			/* seconds since 1970: what is older and not in charon's list is another's */
	uint32_t list_id, check_id[CHECKS];	/* list-sas, get-conns and the like under way */
	ms_t check_at, disturbed_at;		/* the next of them; when charon came, or somebody unloaded what is ours */
	struct guard guard, held;		/* as it should be; as the kernel has it */
	bool guarded, asking;			/* both are the same; it is being asked to make them */
	bool held_ok;
	uint32_t *gone;				/* deleted or replaced while list-sas is under way: it may still have them */
	size_t n_gone, gone_room;
	bool unlisted;				/* that list is not to be had, or not to be trusted: to be asked again */
	bool listed;				/* all SAs are known that were there before us */
	bool settled;				/* all that is dialled is known: rules of a ktund before us may go */
	struct {				/* who wants to see SAs */
		uint32_t id;			/* list-sas under way */
		struct timer timer;
		struct sa_list *list;		/* what has come */
		size_t room;
		bool oom;
		struct sa_wait *waits;
	} show;
	uint8_t buf[READ_SIZE];
};
/* ipsec.c: what is to be had now that was not before: loads what is not loaded, dials what is protected. */
void ipsec_step(struct ipsec *);
struct conn *ipsec_conn_find(const struct ipsec *, const char *name);

/* ipsec_charon.c */
void ipsec_start(struct ipsec *);
void ipsec_close(struct ipsec *);
/* Performs the client's effects; after every call into ->v. */
void ipsec_pump(struct ipsec *);
/* A command with at most one key; its id or 0. */
uint32_t ipsec_request(struct ipsec *, const char *command, const char *stream, const char *key, const char *value);
/* Are all its parts in charon? */
bool conn_loaded(const struct conn *);
void ipsec_load(struct ipsec *, struct conn *);
/* The SAs of a connection; networks: only those between networks, for L2TP may live in it, too. */
void ipsec_terminate(struct ipsec *, const char *name, bool networks);
/* Asks which SAs there are: of this connection (NULL: of all) those that are not listed are no more. */
void ipsec_list(struct ipsec *, const char *name);
void ipsec_initiate(struct ipsec *, struct conn *);
/* The connection, its secret and its SAs; networks: as above. */
void ipsec_unload(struct ipsec *, struct conn *, bool networks);
/* Its secret or private key, if no other connection has the same. */
void ipsec_unload_secret(struct ipsec *, struct conn *);

/* ipsec_sa.c */
bool ipsec_is_ours(struct span name);
void ipsec_sa_free(struct sa *);
/* Has the kernel delete all SAs that are known: charon cannot. */
void ipsec_sas_drop(struct ipsec *);
bool ipsec_same_host(const struct endpoint *, const struct endpoint *);
/* The tunnels with this host, one after the other; t: the one before, NULL at first. */
const struct tunnel *ipsec_next_from(const struct ctx *, const struct endpoint *peer, const struct tunnel *t);
/* A message of list-sas, or of child-updown (event). */
void ipsec_sas(struct ipsec *, struct span msg, bool up, bool event);
void ipsec_rekeyed(struct ipsec *, struct span msg);
/* ike-update: a peer's IKE comes from elsewhere, for its NAT has another mind. */
void ipsec_moved(struct ipsec *, struct span msg);
/* list-sas is complete: what it did not say is no more. */
void ipsec_sas_listed(struct ipsec *);
bool ipsec_parse_host(struct span text, struct endpoint *ret);
/* A line of charon's log. */
void ipsec_logged(struct ipsec *, struct span msg);

/* ipsec_show.c: a message of the list-sas that p->show.id is; its end. */
void ipsec_show_item(struct ipsec *, struct span msg);
void ipsec_show_done(struct ipsec *, bool whole);
void ipsec_show_free(struct ipsec *);
