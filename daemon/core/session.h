/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One session as the operator sees it: an L2TP call, a PPP link and, once it is
 * authenticated, the kernel's session and network interface, as one lifetime.
 * Owned by its tunnel; found by our session id in ctx->session[]. */
#pragma once

#include "core/ctx.h"
#include "core/tunnel.h"

/* Parts of a link that the kernel is asked for; session_apply brings `applied` up to `wanted`. */
/* LINK_DORMANT: of Ethernet, while the peer's circuit is not active. */
enum link_part { LINK_BASE = 1, LINK_IPV4 = 2, LINK_IPV6 = 4, LINK_DORMANT = 8 };

struct session {
	struct ctx *ctx;
	struct tunnel *tunnel;
	struct session *next, *prev;		/* of the tunnel */
	uint16_t id;				/* ours, among all sessions */
	uint32_t wire_id;			/* what peer, kernel and people call it; of L2TPv2 the same */
	struct call call;
	struct ppp ppp;
	struct config *conf;			/* what the pointers below point into */
	const struct policy *policy;
	const struct conf_session *as;		/* of a dialled tunnel, or NULL */
	char *user;				/* who it is, once authenticated; ours when we dialled */

	uint8_t kernel;				/* enum kernel_state */
	uint8_t wanted, asked, applied;		/* link parts */
	uint8_t dropped;			/* of those asked for: not to pass any more */
	uint8_t outdated;			/* of those asked for: they have changed since */
	uint8_t ready;				/* link parts whose NCP waits for ppp_ncp_go */
	bool ppp_on, ppp_down, call_down;
	bool changed, link_saved;		/* turn.h; its checkpoint has its PPP link */
	bool draining, ending, up, hooked, waiting_address, counted;
	bool hanging_up;			/* our Terminate-Request is out */
	bool no_address;			/* because there is none for it */
	bool counting;				/* ip-down waits for the last counters */
	bool stranger;				/* a caller that has not authenticated yet; counted in the tunnel */
	bool admitted; /* the proof was right; the peer hears of it when the kernel has the session */
	uint8_t end;				/* enum ppp_end */
	uint8_t auth;				/* enum ppp_auth that identified the peer */
	uint8_t reply[20];			/* MS-CHAPv2, while the verdict waits for an address */

	int channel, unit;			/* /dev/ppp descriptors, -1 while not in the kernel */
	ev_io channel_rx, unit_rx;
	struct timer timer;
	struct ppp_addrs addrs;
	uint32_t leased;			/* address that is held in a pool, network order; 0 */
	uint16_t mtu;
	uint32_t ifindex;
	char ifname[16];

	ms_t since, up_at, traffic_at;
	ms_t comes_since;			/* when it was to come into the kernel, while it waits for that; 0 */
	ms_t counted_at;			/* when idleness was last looked into */
	int64_t up_since;
	struct k_stats stats;			/* as last read, at stats_at */
	ms_t stats_at;
	uint32_t slot;				/* of its checkpoint (store.h) */
	struct session *next_changed, *next_waiting, *next_free;
	UT_hash_handle by_circuit;
	char why[96];				/* in words, why it ended */
};

/* A session with this id, which is the caller's to give; 0: with a fresh one.  NULL: memory or ids. */
struct session *session_new(struct tunnel *, const struct policy *, const struct conf_session *as, uint16_t id);
/* Why the peer may not have a call with this policy now, or NULL. */
const char *session_refusal(const struct tunnel *, const struct policy *);
/* One was refused: counted and logged. */
void session_refused(struct tunnel *, const char *why);
/* The session that people call so, or NULL. */
static inline struct session *session_find(const struct ctx *ctx, int64_t wire_id)
{
	struct session *s = wire_id > 0 && wire_id <= UINT32_MAX ? ctx->session[wire_id % MAX_ID] : NULL;

	return s && s->wire_id == wire_id ? s : NULL;
}
/* The peer's id for it, 0: not known yet. */
uint32_t session_peer_id(const struct session *);
/* ICCN/OCCN: PPP may start; the kernel may have what is no PPP. */
void session_call_up(struct session *);
void session_call_down(struct session *, const struct l2tp_cause *);
/* One PPP frame of the peer's, however it came. */
void session_frame(struct session *, uint16_t proto, const void *info, size_t len);
/* Performs PPP's effects and sets the timer; call after every call into ->ppp. */
void session_drain(struct session *);
/* Ends it by PPP's Terminate-Request first (operator's wish, timeouts). */
void session_hangup(struct session *, const char *why);
/* Ends it at once: CDN with result, kernel objects down. */
void session_end(struct session *, uint16_t result, uint16_t error, const char *why);
/* Asks the keeper for what is wanted and not there yet. */
void session_apply(struct session *);
/* It need not come into the kernel any more. */
void session_comes_not(struct session *);
/* Is the keeper so far behind with installing sessions that another one would only make it worse? */
bool sessions_pile_up(const struct ctx *);
/* Completions of K_SESSION_UP, K_LINK_SET, K_SESSION_DOWN; descriptors are the session's from now on. */
void session_kernel_reply(struct ctx *, const struct k_reply *, int channel, int unit);
/* Over IP (protocol 115) user space hears and sends no data messages, and L2TPv3's sequence numbers are the kernel's alone: then
 * the kernel has the session from the call on, and PPP begins when it has. */
bool session_kernel_first(const struct session *);
/* The kernel has it under this name; descriptors are the session's from now on. */
void session_attach(struct session *, const char name[16], uint32_t ifindex, int channel, int unit);
/* The kernel has it: who waited for that is let in. */
void session_installed(struct session *);
/* The kernel's part vanished behind our back. */
void session_kernel_lost(struct session *, const char *why);
/* Frees what became free in this turn. */
void sessions_sweep(struct ctx *);
/* At exit: memory only; peer and kernel are left as they are. */
void session_forget(struct session *);
/* An address came free: those that wait for one try again. */
void sessions_retry(struct ctx *);
/* Counters arrived: traffic is a sign of life, and ends idleness. */
void session_stats(struct session *, const struct k_stats *);
/* Reads all counters now and then while some session has an idle timeout. */
void stats_timer_start(struct ctx *);

/* It is up: what that means for every kind of session. */
void session_went_up(struct session *);

/* core/eth.c: Ethernet pseudowires. */
/* The tunnel's table of circuits; remove: again does no harm.  find: of a session that has not ended, or NULL. */
void circuit_add(struct session *);
void circuit_remove(struct session *);
struct session *circuit_find(const struct tunnel *, const struct conf_session *);
void eth_call_up(struct session *);
void eth_installed(struct session *);
void eth_describe(const struct session *, struct k_request *);
void eth_link_describe(const struct session *, struct k_link *);
/* The peer says whether its circuit is active; ours has become so, or is no more. */
void eth_peer_status(struct session *);
void eth_status(struct session *, bool active);

/* core/link.c: frames between descriptors, datagrams and PPP.  link_init: PPP with who we are; false: memory. */
bool link_init(struct session *);
void link_tx(struct session *, uint16_t proto, const void *info, size_t len);
void link_attach(struct session *, int channel, int unit);
void link_detach(struct session *);
/* core/link.c: the part of a request that describes the link. */
void link_describe(const struct session *, uint8_t parts, struct k_link *ret);
