/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ktund and ktund-keeper say to each other: fixed-size records over one
 * SOCK_SEQPACKET Unix socket, descriptors by SCM_RIGHTS.  ktund asks with an id
 * of its choice; each request gets exactly one completion with that id (K_LIST
 * and K_STATS: several with more set, then one without).  The keeper validates
 * every field, executes in worker threads, remembers what is installed, and
 * keeps all of it when ktund goes away.
 *
 * Numbers are in host order (same machine), addresses in network order.
 * Ids are L2TPv2's, or names for L2TPv3's: tunnel_id 1..65535 unique per keeper; session_id 1..65535
 * unique per keeper too, so that a session can be named by one number. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The one value that PATH of a hook may have. */
#define K_HOOK_PATH "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

/* What the keeper does beyond one request at a time:
 * - A client that is refused (another one is connected, or the wrong user) gets a K_HELLO with id 0, the result and
 *   why, and the end of the connection.
 * - Requests for an object that is busy wait their turn, in order (K_SESSION_DOWN right behind its K_SESSION_UP is
 *   fine, K_SESSION_UP right behind its K_TUNNEL_UP, too).  -EBUSY only when far too many wait.
 * - K_TUNNEL_DOWN takes its sessions along; requests for those that are still waiting end with -ENOENT.
 * - After an event _GONE the object is still in the table: take it down.  The next client hears of it right behind K_LIST,
 *   and of Ethernet links that are down; K_LINK_UP comes for these alone.
 * - An IPv6 default route without metric gets 512: a new IPv6 route would stand behind one with the same metric. */

enum { K_VERSION = 5, K_MAX_FDS = 4, K_MAX_ROUTES = 16, K_MAX_HOOK = 8192, K_MAX_PATH = 256, K_STATS_BATCH = 64,
       K_MAX_GUARDS = 128, K_MIN_MTU = 128,
       K_LINK_GROUP = 27508,	/* of the links of sessions (ip link show group) */
       K_GUARD_USER = 0x6b74756e, K_GUARD_PRIORITY = 900000 };	/* of our XFRM policies; charon ends below 600000 */

enum k_op {
	K_HELLO = 1,	/* first; completion carries fds[0]: memfd for checkpoints (owned for life by the keeper) */
	K_LISTEN,	/* UDP listener at .listen.local; fds[0]; asking again for the same returns the same socket.  One directly
			 * over IP: fds[0] hears all control messages to this address, its tunnels', too, with their IPv4 header
			 * and the zero Session ID; fds[1] sends to anybody, without these */
	K_UNLISTEN,
	K_TUNNEL_UP,	/* socket bound+connected, TUNNEL_CREATE; fds[0]: the socket; over IP it only sends */
	K_TUNNEL_DOWN,	/* its sessions first, then the socket; id free afterwards */
	K_SESSION_UP,	/* pppox, channel, unit, link; fds[0]: channel, fds[1]: unit */
	K_SESSION_DOWN,
	K_LINK_SET,	/* further addresses, routes, MTU, NP modes of an installed session */
	K_STATS,	/* counters of one session (session_id) or of all (0) */
	K_HOOK,		/* run a hook program; completion when it ended, .result = wait status */
	K_OPEN,		/* a file of the configuration directory, read-only; fds[0] */
	K_LIST,		/* everything held: one completion per listener, tunnel, session, with its descriptors; waits for
			 * what clients before ordered; the last one, without more, has kind 0 and no object */
	K_STOP,		/* take all down, then exit */
	K_GUARD,	/* what must have IPsec: these rules, instead of those before */
	K_MARKED,	/* fds[0]: a socket beside the listener at .marked.local, to send with this mark; ktund's alone */
	K_CHARON,	/* fds[0], fds[1]: both connected to charon's VICI socket */
	K_TUNNEL_MARK,	/* a tunnel's socket sends with another mark from now on */
	K_SA_DROP,	/* SAs that charon left behind, and their policies if nothing else uses them */
	K_ETH_UP,	/* L2TPv3 Ethernet session in a tunnel that is v3: SESSION_CREATE, link; no descriptors.  For the rest
			 * it is a session like others, but all that K_LINK_SET may change is whether it is dormant */
	K_KEPT_OUT,	/* what the gate (gate.h) dropped */
	K_EVENT = 64,	/* unsolicited, id 0: .event */
};

/* Directly over IP (protocol 115) an end has no port. */
enum k_encap { K_UDP, K_IP };

/* family: 4 or 6.  port in host order.  scope: ifindex of a link-local address, else 0. */
struct k_addr { uint8_t family, encap; uint16_t port; uint32_t scope; uint8_t addr[16]; };

/* A session's data messages in L2TPv3 (RFC 3931 4.1), whose ids have 32 bits; the keeper's own session_id is a name for it.
 * The peer assigned tx_cookie, we assigned rx_cookie (0, 4 or 8 octets); l2spec: 0, or 1 for the Default Sublayer. */
struct k_wire {
	uint32_t session_id, peer_session_id;
	uint8_t l2spec, tx_cookie_len, rx_cookie_len, pad;
	uint8_t tx_cookie[8], rx_cookie[8];
};

struct k_route { struct k_addr dst; uint8_t prefix_len; uint8_t pad[3]; uint32_t metric; };	/* via the session's link */

/* UDP between local (address/bits and port; port 0: any) and peer (address/bits, any port) passes only under IPsec,
 * or (pass) as it is; or (net) whatever is between them, forwarded, too.  The first rule that fits counts.
 * mtu: octets that one packet between them may have inside IPsec (net only), at least K_MIN_MTU; 0: not known.
 * The rules are kept until the next K_GUARD or the keeper's regular end; they outlive ktund, charon and a keeper that is
 * killed. */
struct k_guard { struct k_addr local, peer; uint8_t local_bits, peer_bits; bool pass, net; uint16_t mtu, pad; };

/* Link configuration; what is zero is left alone. */
struct k_link {
	uint16_t mtu, mru;
	bool up;			/* IFF_UP, last of all */
	bool ipv4, ipv6;		/* NP mode PASS (else: DROP until told) */
	bool no_ipv4, no_ipv6;		/* NP mode DROP again */
	bool pin_peer;			/* first a host route to the tunnel's peer by today's path, so that the routes
					 * below cannot swallow it */
	bool dormant, awake;		/* operational state (RFC 2863); of a link in another namespace it stays as it is */
	uint32_t ip, peer_ip;		/* IPv4 point-to-point address */
	uint64_t ifid, peer_ifid;	/* IPv6 link-local fe80::ifid, the octets as on the wire */
	uint16_t n_routes;
	struct k_route route[K_MAX_ROUTES];
};

struct k_request {
	uint32_t op, id;
	uint16_t tunnel_id, session_id;
	union {
		struct { uint32_t version; } hello;
		struct { struct k_addr local; } listen;
		struct { struct k_addr local, peer; uint32_t peer_tunnel_id, mark; bool no_csum, v3; } tunnel;
		struct {
			uint16_t peer_session_id;
			bool lns_mode, send_seq, recv_seq;
			char name[16];			/* wanted link name; "": pppN; "%d" as in ip link */
			struct k_wire wire;		/* in L2TPv3; all zero in L2TPv2, peer_session_id 0 in L2TPv3 */
			struct k_link link;
		} session;
		/* bridge, vrf, netns (a name): "" for none.  vlan: of the bridge, 0: as the bridge has it.  netns is with neither. */
		struct {
			struct k_wire wire;
			bool send_seq, recv_seq, up, dormant;
			uint16_t mtu, vlan;		/* mtu 0: what the outer path leaves */
			char name[16];			/* wanted link name; "": l2tpethN */
			char bridge[16], vrf[16], netns[64];
		} eth;
		struct k_link link;
		/* argv (argv[0] is the path), then env (names of check.c's list only), NUL-terminated each */
		struct { uint16_t len, argc, envc; char text[K_MAX_HOOK]; } hook;
		struct { char path[K_MAX_PATH]; } open;
		struct { struct k_addr local; uint32_t mark; } marked;
		struct { uint32_t mark; } mark;
		/* ESP between the two (ports 0) with this reqid, older than `before` (seconds since 1970), but for these SPIs */
		struct { struct k_addr local, peer; uint32_t reqid, keep_in, keep_out; uint64_t before; } sa;
		/* more: those before stay, too */
		struct { uint32_t n; bool more; uint8_t pad[3]; struct k_guard rule[K_MAX_GUARDS]; } guard;
	};
};

struct k_stats { uint16_t tunnel_id, session_id; uint64_t rx_packets, rx_octets, rx_errors, tx_packets, tx_octets, tx_errors; };

enum k_event_what { K_LINK_GONE = 1, K_SESSION_GONE, K_TUNNEL_GONE, K_LINK_DOWN, K_AUDITED, K_STOPPING, K_LINK_UP };

struct k_reply {
	uint32_t op, id;
	int32_t result;			/* 0 or -errno; K_HOOK: wait status */
	uint16_t tunnel_id, session_id;
	uint8_t more;			/* K_LIST, K_STATS: others follow with this id */
	uint8_t n_fds;
	char why[128];			/* on failure: which call, and the kernel's own words if it has any */
	union {
		struct { uint32_t version, pid, n_tunnels, n_sessions; } hello;
		/* ifindex 0: the link is in the namespace that was asked for */
		struct { char name[16]; uint32_t ifindex, unit; uint16_t mtu; } session;
		struct { uint32_t n; struct k_stats s[K_STATS_BATCH]; } stats;
		/* kind: K_LISTEN, K_TUNNEL_UP, K_SESSION_UP */
		struct { uint32_t kind; struct k_request was; char name[16]; uint32_t ifindex, unit; } list;
		struct { uint32_t n_tunnels, n_sessions; } stop;
		/* packets since the keeper started; on: there is a gate */
		struct { bool on; uint8_t pad[7]; uint64_t foreign, plain_in, plain_out; } kept_out;
		/* K_AUDITED: objects of ours that vanished (their own events follow), ones without owner that were removed,
		 * microseconds.  K_STOPPING: by a signal; the tunnels go when ktund has taken them down, or has had STOP_MS. */
		struct { uint32_t what, vanished, removed, us; } event;
	};
};
