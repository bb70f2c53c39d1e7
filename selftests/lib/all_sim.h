/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A side of a tunnel with PPP in its calls, in the simulated network: an L2TP end, a PPP link for each
 * call, an owner that decides as daemon/core does, and a recorder that stands for the kernel. */
#pragma once

#include "lib/l2tp_end.h"
#include "lib/ppp_sim.h"

enum { ALL_CALLS = 12 };

enum all_kernel { AK_NONE, AK_COMING, AK_UP, AK_GOING, AK_GONE };	/* what the owner knows */
enum all_there { AT_ABSENT, AT_MAKING, AT_THERE };			/* what the recorder has */

struct all_side;

struct all_session {
	struct all_side *side;
	unsigned i;			/* of its side's calls */
	uint16_t peer_id;
	struct ppp ppp;

	/* the owner's, by the names of core/session.h */
	uint8_t kernel, wanted, asked, applied, outdated, ready;
	bool exists, ppp_on, ppp_down, call_down, ending, freed, up, admitted, hanging_up, attached;
	bool proved;			/* the peer's proof was right */
	bool verdict_ok, has_reply;
	uint8_t reply[20];
	struct ppp_addrs addrs, up_addrs;
	struct ppp_fx_down end;

	bool liar;			/* has the wrong password */
	bool failed;			/* the kernel refuses something of it */
	unsigned ups, downs, ncp_ups[CP_N], auth_checks;
	bool ncp_up[CP_N];
	ms_t placed_at, up_at;		/* placed: of calls this side placed, else 0 */
	ms_t failed_at, ended_at;	/* the refusal was heard; 0: not yet */

	/* the recorder's */
	uint8_t there;			/* enum all_there */
	unsigned creates, deletes;
	unsigned brought, fed;		/* frames that reached the owner; that the owner gave to PPP */
};

struct all_event {
	ms_t at;
	uint64_t order;
	uint8_t kind;
	bool ok;
	struct all_session *s;
	uint16_t proto;
	size_t len;
	uint8_t *octets;
};

struct all_side {
	struct l2tp_end end;
	struct sim_node below;		/* the L2TP end's own */
	struct sim *sim;
	struct all_side *other;
	bool lns;			/* gives addresses, demands authentication */
	struct ppp_conf conf;
	const char *name, *password, *peer_name, *peer_password;
	unsigned owner_ms, kernel_ms;	/* at most this until a verdict; for each step of the kernel's */
	unsigned fail, liars;		/* percent of kernel requests; of calls with a wrong password */
	unsigned planned;		/* calls to place once the tunnel is up */
	unsigned spread_ms;

	uint8_t kernel, there;		/* of the tunnel */
	bool tunnel_failed, down;
	unsigned creates, deletes;
	struct all_session s[ALL_CALLS];
	struct all_event *ev;
	size_t n_ev, max_ev;
	uint64_t order;
	struct all_disk *disk;		/* non-NULL: it crashes now and then (all_can_crash) */
	unsigned crash, crashes;	/* percent of turns; how often it did */

	/* how often what is interesting happened */
	unsigned early_frames;		/* PPP began before ICCN/OCCN came */
	unsigned late_udp;		/* read from the UDP socket after the switch */
	unsigned waited;		/* in the channel before the owner had it */
	unsigned dropped;		/* by the kernel, between socket and channel */

	unsigned faults;		/* broken invariants; the first is named */
	const char *fault;
};

/* Two sides on s; the caller has called sim_init and now fills conf, names and chances, then calls all_start. */
void all_init(struct all_side *a, struct sim *s);
/* Side 0 opens the tunnel. */
void all_start(struct all_side *a);
void all_done(struct all_side *a);
/* From here on the owner writes checkpoints and crashes in this many percent of its turns; the next one takes everything over as
 * daemon/core/adopt.c does, from the checkpoint and from what the recorder still has. */
void all_can_crash(struct all_side *x, unsigned percent);
/* The owner's orders: by Terminate-Request first, or at once. */
void all_hangup(struct all_side *x, struct all_session *s);
void all_end_call(struct all_side *x, struct all_session *s);
void all_close(struct all_side *x);
/* The other half of a call, or NULL. */
struct all_session *all_peer(const struct all_session *s);
/* No deadline but HELLO and echo, nothing unacknowledged, nobody waits for anything. */
bool all_quiet(const struct all_side *x);
