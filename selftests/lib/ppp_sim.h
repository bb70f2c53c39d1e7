/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two PPP links, a pipe between them that loses, repeats and reorders, and for
 * each an owner that takes its time to judge users and to make links ready.
 * All time is virtual; the seed is the whole story. */
#pragma once

#include "ppp/ppp.h"

enum { PPP_SIM_EVENTS = 512 };

struct ppp_sim_event {
	ms_t at;
	uint8_t node;			/* who it happens to */
	uint8_t kind;			/* 0: a frame, 1: verdict, 2: go */
	uint16_t proto;
	uint16_t len;
	uint64_t link;			/* PPP_FX_DOWN of that time: late answers are dropped */
	bool ok, has_reply;
	uint8_t reply[20];
	uint8_t octets[1600];
};

struct ppp_sim_node {
	struct ppp p;
	struct ppp_conf conf;
	struct env env;
	struct ppp_sim *sim;
	const char *name, *password;		/* its own */
	const char *peer_name, *peer_password;	/* whom it lets in */
	struct ppp_addrs give;
	/* what happened */
	unsigned tx, rx, lcp_up, auth_check, auth_done, ready[CP_N], up[CP_N], ncp_down[CP_N], down;
	bool gone[CP_N], is_up[CP_N];
	struct ppp_addrs ready_addrs[CP_N], up_addrs[CP_N];
	struct ppp_fx_lcp lcp;
	struct ppp_fx_down end;
	unsigned faults;			/* broken invariants; the first is named */
	const char *fault;
};

struct ppp_sim {
	uint64_t seed;
	ms_t now;
	unsigned loss, dup, delay_ms;		/* percent, percent, at most */
	unsigned owner_ms;			/* an owner answers after at most this */
	bool in_order;
	ms_t last_at[2];
	unsigned n_events;
	struct ppp_sim_event ev[PPP_SIM_EVENTS];
	struct ppp_sim_node node[2];
};

uint64_t ppp_sim_rand(struct ppp_sim *);
/* Node i's engine on its conf; call after filling conf, name, password. */
void ppp_sim_start(struct ppp_sim *);
/* Until nothing is left to happen, or t milliseconds have passed. */
void ppp_sim_run(struct ppp_sim *, ms_t t);
/* Drains node i's effects; needed after each verb that a test calls itself. */
void ppp_sim_drain(struct ppp_sim *, unsigned i);
void ppp_sim_done(struct ppp_sim *);
/* Whether this is the proof of who has that name and password; for MS-CHAPv2 reply is the authenticator's answer. */
bool ppp_sim_proof(const struct ppp_fx_auth *, const char *name, const char *password, uint8_t reply[20]);
