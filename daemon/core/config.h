/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration: file -> struct config, whole or not at all.  A reload makes
 * a second one and compares.  Sections inherit: defaults < profile < peer or
 * tunnel < session; after loading every peer and session carries its merged
 * `struct policy`, so that nobody else looks anything up. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "base/env.h"
#include "io/udp.h"
#include "l2tp/cc.h"
#include "l2tp/v3_cc.h"
#include "ppp/ppp.h"

struct addr {				/* family 4 or 6, 0: unset; network order */
	uint8_t family, prefix_len;
	uint16_t port;			/* host order */
	uint32_t scope;
	uint8_t a[16];
};

struct conf_pos { const char *file; unsigned line; };		/* where it was written; file is the config's */

struct conf_range { uint32_t first, last; };			/* IPv4, host order, inclusive */

struct conf_listen { struct addr addr; uint8_t encap; struct conf_pos pos; };	/* port default 1701; enum encap */

struct conf_pool {
	char *name;
	struct conf_range *range; unsigned n_ranges;		/* ascending, disjoint; without any local-address or user's */
	struct conf_pos pos;
};

struct conf_user {
	char *name, *password;
	uint32_t address;					/* network order; 0: from the pool */
	unsigned max_sessions;					/* 0: no limit of its own */
	struct conf_pos pos;
};

enum conf_role { ROLE_LNS = 1, ROLE_LAC };
enum conf_digest { DIGEST_NONE, DIGEST_MD5, DIGEST_SHA1 };

/* Which L2TP is spoken with a peer, and what L2TPv3 has beyond cc_conf. */
struct conf_l2tp {
	uint8_t version;					/* 2 or 3 */
	uint8_t encap;						/* enum encap */
	uint8_t digest;						/* enum conf_digest */
	bool fallback;						/* a tunnel's: L2TPv2 with a peer that has no other, 4.7.3 */
	struct v3_conf v3;					/* its cc is a copy of the section's */
};

/* What a session is run by: the merged keys of defaults, profile, peer/tunnel, session. */
struct policy {
	char *profile;						/* name, or NULL */
	enum conf_role role;
	struct ppp_conf ppp;					/* mru, auth/allow, ncp, echo, timers */
	char *auth_password;					/* lns: ours, with ppp.auth_name, or NULL */
	uint32_t local_address;					/* network order; giving side */
	char *pool;						/* name in config->pool, or NULL */
	uint32_t dns[2], wins[2];
	uint16_t mtu;						/* 0: from LCP */
	char *interface;					/* link name or pattern "l2tp%d"; NULL: pppN */
	uint32_t session_timeout_s, idle_timeout_s;		/* 0: none */
	unsigned max_sessions;					/* of this profile/peer in all; 0: none */
	unsigned user_max_sessions;				/* per user name; 0: none */
	char *ip_up, *ip_down;					/* hook programs, or NULL */
	bool default_route;
	struct addr *route; unsigned n_routes;			/* prefixes via the session's link */
	uint32_t route_metric;
	bool sequencing;					/* ask for data sequence numbers */
	bool outgoing_calls;					/* LAC: answer OCRQ; LNS tunnel: place OCRQ */
	uint8_t pseudowire;					/* enum v3_pw; 0 in L2TPv2: PPP */
	uint8_t cookie_len;					/* of the cookie that we give the peer: 0, 4 or 8 */
	uint8_t l2spec;						/* V3_L2SPEC_* */
	char *bridge, *vrf, *netns;				/* that get the link of an Ethernet session, or NULL */
	uint16_t vlan;						/* of the bridge; 0: as the bridge has it */
};

static inline bool is_ethernet(const struct policy *p)
{
	return p->pseudowire == V3_PW_ETHERNET || p->pseudowire == V3_PW_VLAN;
}

enum conf_mode { MODE_TRANSPORT = 1, MODE_TUNNEL };

/* How IKE protects it (core/ipsec.h); strings owned here. */
struct conf_ipsec {
	bool required;						/* the default; else the rest means nothing */
	uint8_t mode;						/* enum conf_mode; tunnel: without L2TP */
	char *networks, *local_networks;			/* of mode = tunnel: prefixes with commas, or NULL */
	uint8_t ike;						/* version; 0: 2 when we dial, either when we are called */
	char *psk;						/* pre-shared key; or all of these: */
	char *certificate, *private_key, *ca, *crl;		/* files */
	char *certificate_pem, *private_key_pem, *ca_pem, *crl_pem;	/* and what was in them */
	char *local_id, *remote_id;				/* IKE identities; NULL: the address, any */
	char *proposals, *esp_proposals;			/* "modern", "compatible", "legacy", or words with commas */
	uint32_t dpd_ms;					/* dead peer detection; 0: none */
};

static inline bool is_site(const struct conf_ipsec *p)
{
	return p->required && p->mode == MODE_TUNNEL;
}

struct conf_limits { unsigned half_open, setup_rate, setup_burst, tunnels, sessions, unauthenticated; };

struct conf_peer {
	char *name;
	struct addr address;					/* prefix; family 0: any */
	char *remote_name;					/* `address` given as a host name (resolved by core), or NULL */
	char *host_name;					/* Host Name AVP it must send, or NULL */
	struct conf_limits limits;
	struct policy policy;
	struct conf_ipsec ipsec;
	struct cc_conf cc;					/* secret, timers, our host name; strings owned here */
	struct conf_l2tp l2tp;
	struct conf_session *session; unsigned n_sessions;	/* those that it may call, by Remote End ID; L2TPv3 */
	struct conf_session *by_end_id;				/* see config_session() */
	struct addr *resolved; unsigned n_resolved;		/* of remote_name, see config_set_resolved */
	struct conf_pos pos;
};

struct conf_session {
	char *name;						/* unique in its tunnel; "" for the implicit one */
	char *user, *password;					/* ours, for when the peer authenticates us */
	char *remote_end_id;					/* RFC 3931 5.4.4; L2TPv3: the name if it is not given */
	bool idle;						/* never called: it stands for none (core/ordered.h) */
	struct policy policy;
	struct conf_pos pos;
	UT_hash_handle by_end_id;
};

struct conf_tunnel {						/* we dial */
	char *name;
	char *remote;						/* address or DNS name */
	uint16_t remote_port, local_port;			/* 1701; 0: ephemeral */
	struct addr local;					/* or unset */
	uint16_t id;						/* that it has if it is free; 0: any (core/ordered.h) */
	bool persist;
	uint32_t redial_min_ms, redial_max_ms;			/* 1000, 60000 */
	bool enabled;						/* dial at start (`start = no`: only by ktun up) */
	struct conf_ipsec ipsec;
	struct cc_conf cc;
	struct conf_l2tp l2tp;
	struct conf_session *session; unsigned n_sessions;	/* at least one */
	struct conf_session *by_end_id;				/* see config_session() */
	struct conf_pos pos;
};

struct config {
	unsigned refs;						/* core/policy.h */
	char *file;
	char **source; unsigned n_sources;			/* every file that was read, in order; [0] is file */
	char *host_name;					/* ours; default: the machine's */
	uint32_t router_id;					/* RFC 3931 5.4.3, network order; 0: made of the host name */
	char *log;						/* "stderr", "syslog", "journal", "auto" */
	int log_level;						/* syslog's numbers; LOG_INFO */
	unsigned max_tunnels, max_sessions, max_half_open;	/* whole daemon */
	unsigned setup_rate;					/* SCCRQ per second in all */
	struct conf_listen *listen; unsigned n_listens;
	struct conf_pool *pool; unsigned n_pools;
	struct conf_user *user; unsigned n_users;		/* sorted by name */
	struct conf_peer *peer; unsigned n_peers;		/* most specific first: host-name, longer prefix, file order */
	struct conf_tunnel *tunnel; unsigned n_tunnels;
};

/* Of networks behind us and behind a peer, in all: each has three rules in the kernel. */
enum { CONF_MAX_PAIRS = 64 };

/* How files are opened: open(2)'s result or -errno.  arg is the caller's. */
struct conf_opener { int (*open)(void *arg, const char *path); void *arg; };

/* Loads file (and what it includes).  0 and *ret, or -EINVAL with one line per mistake in *ret_errors ("FILE:LINE: what, and what
 * would be right"), freed by the caller; -errno when the file cannot be read. */
int config_load(const char *file, const struct conf_opener *opener, struct config **ret, char **ret_errors);
void config_free(struct config *);	/* wipes secrets; NULL is fine */

/* The first prefix of a list of networks (NULL: none), which goes on behind it; false: that was all. */
bool conf_next_network(const char **list, struct addr *ret);
const struct conf_pool *config_pool(const struct config *, const char *name);
const struct conf_user *config_user(const struct config *, const void *name, size_t len);
/* Have they different psks and no identities by which strongSwan could tell which is to be used? */
bool config_psks_clash(const struct conf_ipsec *, const struct conf_ipsec *);
/* The first session of a peer or tunnel with this Remote End ID of n octets, or NULL; table: its by_end_id. */
const struct conf_session *config_session(const struct conf_session *table, const void *end_id, size_t n);
/* What the DNS says of peer's remote_name (0 addresses: it matches nobody); copied.  -EINVAL: no such peer, or it has no
 * remote_name; -ENOMEM. */
int config_set_resolved(struct config *, unsigned peer, const struct addr *addr, unsigned n);
/* The first peer of this version of L2TP, and encapsulation, that admits this address (network order, family) and SCCRQ host name; -1: none. */
int config_match_peer(const struct config *, unsigned version, unsigned encap, const struct addr *from, const char *host_name);
