/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every key of the configuration language, once: name, where it may stand,
 * kind, field, default, bounds, help.  Parser, defaults, checks, differences
 * and the test of the man page all read this table. */
#include <stddef.h>
#include <syslog.h>

#include "core/config_int.h"

#define POL	(IN(SEC_DEFAULTS) | IN(SEC_PROFILE) | IN(SEC_PEER) | IN(SEC_TUNNEL) | IN(SEC_SESSION))
#define CON	(IN(SEC_DEFAULTS) | IN(SEC_PROFILE) | IN(SEC_PEER) | IN(SEC_TUNNEL))
#define TOP	IN(SEC_TOP)
#define DIAL	(IN(SEC_DEFAULTS) | IN(SEC_PROFILE) | IN(SEC_TUNNEL))

#define F(base, type, field) base, offsetof(type, field), sizeof(((type *)NULL)->field)
#define G(field) F(B_GLOBAL, struct config, field)
#define P(field) F(B_POLICY, struct policy, field)
#define C(field) F(B_CC, struct cc_conf, field)
#define V(field) F(B_L2TP, struct conf_l2tp, field)
#define L(field) F(B_LIMITS, struct conf_limits, field)
#define T(field) F(B_TUNNEL, struct conf_tunnel, field)
#define I(field) F(B_IPSEC, struct conf_ipsec, field)
#define A(field) F(B_AUX, struct conf_aux, field)

static const struct conf_word roles[] = {
	{ "lns", ROLE_LNS, NULL }, { "lac", ROLE_LAC, NULL }, { NULL, 0, NULL },
};
static const struct conf_word gives[] = {
	{ "give", 1, NULL }, { "take", 2, NULL }, { NULL, 0, NULL },
};
static const struct conf_word versions[] = {
	{ "2", 2, NULL }, { "3", 3, NULL }, { NULL, 0, NULL },
};
static const struct conf_word encaps[] = {
	{ "udp", ENCAP_UDP, NULL }, { "ip", ENCAP_IP, NULL }, { NULL, 0, NULL },
};
static const struct conf_word digests[] = {
	{ "none", DIGEST_NONE, NULL }, { "md5", DIGEST_MD5, NULL }, { "sha1", DIGEST_SHA1, NULL }, { NULL, 0, NULL },
};
static const struct conf_word pseudowires[] = {
	{ "ppp", V3_PW_PPP, NULL }, { "ethernet", V3_PW_ETHERNET, NULL }, { "vlan", V3_PW_VLAN, NULL }, { NULL, 0, NULL },
};
static const struct conf_word cookies[] = {
	{ "0", 0, NULL }, { "4", 4, NULL }, { "8", 8, NULL }, { NULL, 0, NULL },
};
static const struct conf_word sublayers[] = {
	{ "none", V3_L2SPEC_NONE, NULL }, { "default", V3_L2SPEC_DEFAULT, NULL }, { NULL, 0, NULL },
};
static const struct conf_word ipsecs[] = {
	{ "none", 0, NULL }, { "required", 1, NULL }, { NULL, 0, NULL },
};
static const struct conf_word modes[] = {
	{ "transport", MODE_TRANSPORT, NULL }, { "tunnel", MODE_TUNNEL, NULL }, { NULL, 0, NULL },
};
static const struct conf_word ikes[] = {
	{ "1", 1, NULL }, { "2", 2, NULL }, { NULL, 0, NULL },
};
static const struct conf_word logs[] = {
	{ "auto", 0, NULL }, { "stderr", 0, NULL }, { "syslog", 0, NULL }, { "journal", 0, NULL }, { NULL, 0, NULL },
};
static const struct conf_word levels[] = {
	{ "error", LOG_ERR, NULL }, { "warning", LOG_WARNING, NULL }, { "notice", LOG_NOTICE, NULL },
	{ "info", LOG_INFO, NULL }, { "debug", LOG_DEBUG, NULL }, { NULL, 0, NULL },
};

const struct conf_key conf_keys[] = {
	/* the daemon */
	{ "host-name", TOP, K_STR, G(host_name), NULL, 1, 255, NULL,
	  "our name in SCCRQ and SCCRP; the machine's if absent" },
	{ "router-id", TOP, K_IPV4, G(router_id), NULL, 0, 0, NULL,
	  "our Router ID in L2TPv3 (RFC 3931 5.4.3); made of the host name if absent" },
	{ "log", TOP, K_ENUM, G(log), "auto", 0, 0, logs, "where the log goes" },
	{ "log-level", TOP, K_ENUM, G(log_level), "info", 0, 0, levels, "what is worth a line" },
	{ "max-tunnels", TOP, K_UINT, G(max_tunnels), "65535", 1, 65535, NULL, "tunnels in all" },
	{ "max-sessions", TOP, K_UINT, G(max_sessions), "65535", 1, 1048576, NULL, "sessions in all" },
	{ "max-half-open", TOP, K_UINT, G(max_half_open), "4096", 1, 1048576, NULL,
	  "tunnels being set up by strangers" },
	{ "setup-rate", TOP, K_UINT, G(setup_rate), "2000", 1, 1000000, NULL, "SCCRQ per second in all" },

	/* listen, pool, user */
	{ "port", IN(SEC_LISTEN), K_UINT, F(B_LISTEN, struct conf_listen, addr.port), "1701", 1, 65535, NULL,
	  "UDP port" },
	{ "encapsulation", IN(SEC_LISTEN), K_ENUM, F(B_LISTEN, struct conf_listen, encap), "udp", 0, 0, encaps,
	  "over UDP, or over IP (protocol 115, L2TPv3 only)" },
	{ "range", IN(SEC_POOL), K_RANGES, F(B_POOL, struct conf_pool, range), NULL, 0, 0, NULL,
	  "addresses: first-last, one, or a prefix" },
	{ "password", IN(SEC_USER), K_SECRET, F(B_USER, struct conf_user, password), NULL, 1, 255, NULL,
	  "what the peer must know" },
	{ "address", IN(SEC_USER), K_IPV4, F(B_USER, struct conf_user, address), NULL, 0, 0, NULL,
	  "always this one, instead of one from the pool" },
	{ "max-sessions", IN(SEC_USER), K_UINT, F(B_USER, struct conf_user, max_sessions), "0", 0, 65535, NULL,
	  "sessions of this user at once" },

	/* who: peers and tunnels */
	{ "profile", IN(SEC_PEER) | IN(SEC_TUNNEL), K_STR, P(profile), NULL, 1, 63, NULL,
	  "the profile whose keys count where this section has none" },
	{ "address", IN(SEC_PEER), K_MATCH, F(B_PEER, struct conf_peer, address), NULL, 0, 0, NULL,
	  "from where it may come: address, prefix or host name" },
	{ "host-name", IN(SEC_PEER), K_STR, F(B_PEER, struct conf_peer, host_name), NULL, 1, 255, NULL,
	  "the Host Name AVP it must send (RFC 2661 4.4.3)" },
	{ "remote", IN(SEC_TUNNEL), K_HOST, T(remote), NULL, 1, 255, NULL,
	  "whom to dial: address or host name" },
	{ "remote-port", IN(SEC_TUNNEL), K_UINT, T(remote_port), "1701", 1, 65535, NULL,
	  "UDP port of the remote end" },
	{ "local", IN(SEC_TUNNEL), K_ADDR, T(local), NULL, 0, 0, NULL, "our end's address" },
	{ "local-port", IN(SEC_TUNNEL), K_UINT, T(local_port), "0", 0, 65535, NULL,
	  "our end's UDP port; 0: any" },
	{ "persist", DIAL, K_BOOL, T(persist), "no", 0, 0, NULL, "dial again whenever it goes down" },
	{ "redial-min", DIAL, K_MS, T(redial_min_ms), "1s", 100, 3600000, NULL,
	  "wait before the first redial" },
	{ "redial-max", DIAL, K_MS, T(redial_max_ms), "1min", 100, 86400000, NULL,
	  "wait between redials at most" },
	{ "start", DIAL, K_BOOL, T(enabled), "yes", 0, 0, NULL, "dial when the daemon starts" },
	{ "user", IN(SEC_TUNNEL) | IN(SEC_SESSION), K_STR, F(B_SESSION, struct conf_session, user), NULL, 1, 255, NULL,
	  "our name when the peer authenticates us" },
	{ "password", IN(SEC_TUNNEL) | IN(SEC_SESSION), K_SECRET, F(B_SESSION, struct conf_session, password), NULL, 1, 255, NULL,
	  "our password when the peer authenticates us" },

	/* L2TPv3 (RFC 3931) */
	{ "version", CON, K_ENUM, V(version), "2", 0, 0, versions, "of L2TP" },
	{ "encapsulation", CON, K_ENUM, V(encap), "udp", 0, 0, encaps, "version 3: over UDP, or over IP (protocol 115)" },
	{ "fallback", IN(SEC_TUNNEL), K_BOOL, V(fallback), "no", 0, 0, NULL,
	  "version 3: L2TPv2 with a peer that speaks no other (RFC 3931 4.7.3)" },
	{ "digest", CON, K_ENUM, V(digest), "md5", 0, 0, digests,
	  "version 3: signs our SCCRQ with the secret (5.4.1); an answer is signed like the question" },
	{ "second-secret", CON, K_SPAN, V(v3.secret2), NULL, 1, 255, NULL,
	  "version 3: believed as well as secret, for a change of secrets (5.4.1)" },
	{ "pseudowire", POL, K_ENUM, P(pseudowire), NULL, 0, 0, pseudowires,
	  "version 3: what the session carries; ethernet if absent" },
	{ "remote-end-id", IN(SEC_TUNNEL) | IN(SEC_SESSION), K_STR, F(B_SESSION, struct conf_session, remote_end_id), NULL, 1, 64,
	  NULL, "version 3: by which both ends know the session (5.4.4); its name if absent" },
	{ "cookie-length", POL, K_ENUM, P(cookie_len), "8", 0, 0, cookies,
	  "version 3: octets of the cookie that the peer must send (5.4.4)" },
	{ "l2-specific-sublayer", POL, K_ENUM, P(l2spec), "none", 0, 0, sublayers,
	  "version 3: the sublayer that we ask for when we call (5.4.4)" },

	/* the control connection (RFC 2661) */
	{ "secret", CON, K_SPAN, C(secret), NULL, 1, 255, NULL,
	  "tunnel authentication (5.1.1); without it there is no challenge" },
	{ "hide-avps", CON, K_BOOL, C(hide), "no", 0, 0, NULL,
	  "hide the AVPs that may be hidden (4.3); needs secret" },
	{ "strict", CON, K_BOOL, C(strict), "no", 0, 0, NULL,
	  "an unknown mandatory AVP ends the tunnel or call (4.2)" },
	{ "tie-breaker", CON, K_NOT, C(no_tie_breaker), "yes", 0, 0, NULL,
	  "send a Tie Breaker when we dial (4.4.3)" },
	{ "tunnel-id-0", CON, K_BOOL, C(id_0), "no", 0, 0, NULL,
	  "take Tunnel ID 0 from an address for its only tunnel's (D-Link DIR-300)" },
	{ "local-host-name", CON, K_STR, C(host_name), NULL, 1, 255, NULL,
	  "our Host Name towards this peer; host-name if absent" },
	{ "vendor-name", CON, K_STR, C(vendor_name), NULL, 1, 255, NULL,
	  "our Vendor Name (4.4.3); not sent if absent" },
	{ "receive-window", CON, K_UINT, C(rws), "16", 1, 64, NULL,
	  "control messages we take ahead (4.4.3)" },
	{ "hello-interval", CON, K_MS_NEVER, C(hello_ms), "1min", 1000, 86400000, NULL,
	  "silence before a HELLO (5.5); 0: never" },
	{ "retransmit-interval", CON, K_MS, C(rto_ms), "1s", 100, 60000, NULL,
	  "wait before the first retransmission (5.8)" },
	{ "retransmit-cap", CON, K_MS, C(rto_cap_ms), "8s", 100, 300000, NULL,
	  "wait between retransmissions at most (5.8)" },
	{ "max-retransmits", CON, K_UINT, C(max_retries), "5", 1, 30, NULL,
	  "retransmissions until the peer is dead (5.8)" },
	{ "setup-timeout", CON, K_MS, C(setup_ms), "1min", 1000, 600000, NULL,
	  "for a tunnel, and for a call, to be established" },

	/* the session: who gives, who proves (RFC 1661, 1334, 1994, 2759) */
	{ "role", POL, K_ENUM, P(role), NULL, 0, 0, roles, "what we are; lns for peers, lac for tunnels" },
	{ "authentication", POL, K_AUTH, A(auth), NULL, 0, 0, NULL,
	  "lns: what we demand; lac: what we agree to; preferred first" },
	{ "require-authentication", POL, K_AUTH, A(require), NULL, 0, 0, NULL,
	  "lac: what we demand of the other side as well" },
	{ "auth-name", POL, K_STR, P(ppp.auth_name), NULL, 1, 255, NULL,
	  "Name in our CHAP Challenges; host-name if absent" },
	{ "auth-password", POL, K_SECRET, P(auth_password), NULL, 1, 255, NULL,
	  "lns: our password, with auth-name, if the caller wants proof of us, too" },
	{ "auth-timeout", POL, K_MS, P(ppp.auth_ms), "30s", 1000, 600000, NULL,
	  "for LCP and authentication in all" },

	/* IPsec around all of it (RFC 3193) */
	{ "ipsec", CON, K_ENUM, I(required), "required", 0, 0, ipsecs,
	  "required: not one L2TP packet without it; none: L2TP alone, which protects nothing" },
	{ "mode", CON, K_ENUM, I(mode), "transport", 0, 0, modes,
	  "transport: L2TP inside IPsec; tunnel: a tunnel of IPsec's own between networks, without L2TP" },
	{ "networks", CON, K_NETWORKS, I(networks), NULL, 0, 0, NULL, "mode = tunnel: prefixes behind the other end" },
	{ "local-networks", CON, K_NETWORKS, I(local_networks), NULL, 0, 0, NULL, "mode = tunnel: prefixes behind us" },
	{ "psk", CON, K_SECRET, I(psk), NULL, 1, 255, NULL, "pre-shared key of IKE" },
	{ "certificate", CON, K_PATH, I(certificate), NULL, 1, 255, NULL,
	  "file (PEM) with our certificate, instead of a psk" },
	{ "private-key", CON, K_PATH, I(private_key), NULL, 1, 255, NULL, "file (PEM) with its private key" },
	{ "ca", CON, K_PATH, I(ca), NULL, 1, 255, NULL, "file (PEM) with the certificate of who signed the peer's" },
	{ "crl", CON, K_PATH, I(crl), NULL, 1, 255, NULL, "file (PEM) with the list of certificates that ca has revoked" },
	{ "local-id", CON, K_STR, I(local_id), NULL, 1, 255, NULL, "our IKE identity; our address, or our certificate's subject, if absent" },
	{ "remote-id", CON, K_STR, I(remote_id), NULL, 1, 255, NULL,
	  "the IKE identity that the other side must have; any if absent" },
	{ "ike", CON, K_ENUM, I(ike), NULL, 0, 0, ikes, "version of IKE; if absent 2 when we dial, either when we are called" },
	{ "proposals", CON, K_PROPOSALS, I(proposals), "modern", 1, 63, NULL,
	  "of IKE: modern, compatible, legacy, or strongSwan's words" },
	{ "esp-proposals", CON, K_PROPOSALS, I(esp_proposals), NULL, 1, 63, NULL, "of ESP; those of proposals if absent" },
	{ "dpd", CON, K_MS, I(dpd_ms), "30s", 0, 3600000, NULL,
	  "silence before IKE asks whether the peer is alive; 0: never" },

	/* LCP (RFC 1661) */
	{ "mru", POL, K_UINT, P(ppp.mru), "1400", 128, 16384, NULL,
	  "Maximum-Receive-Unit, octets; less if the path to the peer carries less in one packet" },
	{ "restart-timer", POL, K_MS, P(ppp.restart_ms), "3s", 100, 60000, NULL, "Restart timer (4.6)" },
	{ "max-configure", POL, K_UINT, P(ppp.max_configure), "10", 1, 100, NULL, "Max-Configure (4.6)" },
	{ "max-terminate", POL, K_UINT, P(ppp.max_terminate), "2", 1, 100, NULL, "Max-Terminate (4.6)" },
	{ "max-failure", POL, K_UINT, P(ppp.max_failure), "5", 1, 100, NULL, "Max-Failure (4.6)" },
	{ "echo-interval", POL, K_MS, P(ppp.echo_ms), "30s", 0, 3600000, NULL,
	  "silence before an Echo-Request; 0: never" },
	{ "echo-failures", POL, K_UINT, P(ppp.echo_failures), "3", 1, 100, NULL,
	  "unanswered Echo-Requests until the link is dead" },

	/* the network: what is given or taken (RFC 1332, 1877, 5072) */
	{ "ipv4", POL, K_BOOL, P(ppp.ipv4), "yes", 0, 0, NULL, "IPCP" },
	{ "ipv6", POL, K_BOOL, P(ppp.ipv6), "no", 0, 0, NULL, "IPV6CP" },
	{ "addresses", POL, K_ENUM, A(addresses), NULL, 0, 0, gives,
	  "give or take them; lns gives, lac takes" },
	{ "local-address", POL, K_IPV4, P(local_address), NULL, 0, 0, NULL,
	  "our end of the links when we give" },
	{ "pool", POL, K_STR, P(pool), NULL, 1, 63, NULL, "where the other end's address comes from" },
	{ "dns", POL, K_IPV4_LIST, P(dns), NULL, 0, 0, NULL, "name servers we give, at most two" },
	{ "wins", POL, K_IPV4_LIST, P(wins), NULL, 0, 0, NULL, "NetBIOS name servers we give, at most two" },
	{ "request-dns", POL, K_BOOL, P(ppp.want_dns), "yes", 0, 0, NULL,
	  "ask for name servers when we take" },

	/* the link */
	{ "interface", POL, K_IFNAME, P(interface), NULL, 1, 15, NULL,
	  "name of the link, %d: a number; pppN if absent" },
	{ "mtu", POL, K_UINT, P(mtu), "0", 0, 16384, NULL, "of the link, octets; 0: what LCP agreed on" },
	{ "bridge", POL, K_IFNAME, P(bridge), NULL, 1, 15, NULL, "version 3: of which an Ethernet session becomes a port" },
	{ "vlan", POL, K_UINT, P(vlan), "0", 0, 4094, NULL, "version 3: of the bridge, untagged on this port; 0: as the bridge has it" },
	{ "vrf", POL, K_IFNAME, P(vrf), NULL, 1, 15, NULL, "version 3: to which an Ethernet session belongs" },
	{ "netns", POL, K_NETNS, P(netns), NULL, 1, 63, NULL,
	  "version 3: network namespace to which the link of an Ethernet session moves" },
	{ "default-route", POL, K_BOOL, P(default_route), "no", 0, 0, NULL,
	  "default route through the link" },
	{ "route", POL, K_ROUTES, P(route), NULL, 0, 0, NULL, "prefixes to be routed through the link" },
	{ "route-metric", POL, K_UINT, P(route_metric), "0", 0, UINT32_MAX, NULL, "metric of these routes" },
	{ "ip-up", POL, K_PATH, P(ip_up), NULL, 1, 4095, NULL,
	  "program to run when IPCP is up, called as pppd's" },
	{ "ip-down", POL, K_PATH, P(ip_down), NULL, 1, 4095, NULL, "program to run when it is down again" },

	/* the call */
	{ "session-timeout", POL, K_SEC, P(session_timeout_s), "0s", 0, 31536000, NULL,
	  "longest life of a session; 0: none" },
	{ "idle-timeout", POL, K_SEC, P(idle_timeout_s), "0s", 0, 31536000, NULL,
	  "longest silence of a session; 0: any" },
	{ "max-sessions", POL & ~IN(SEC_SESSION), K_UINT, P(max_sessions), "0", 0, 1048576, NULL,
	  "sessions of this peer or tunnel at once; 0: no limit" },
	{ "user-max-sessions", POL, K_UINT, P(user_max_sessions), "0", 0, 65535, NULL,
	  "sessions of one user name at once; 0: no limit" },
	{ "sequencing", POL, K_BOOL, P(sequencing), "no", 0, 0, NULL,
	  "ask for sequence numbers in data messages (5.4)" },
	{ "outgoing-calls", POL, K_BOOL, P(outgoing_calls), "no", 0, 0, NULL,
	  "lac: answer OCRQ; lns that dials: send OCRQ (7.5)" },

	/* limits, per source address */
	{ "half-open", IN(SEC_LIMITS), K_UINT, L(half_open), "8", 1, 65535, NULL, "tunnels being set up" },
	{ "setup-rate", IN(SEC_LIMITS), K_UINT, L(setup_rate), "10", 1, 1000000, NULL, "SCCRQ per second" },
	{ "setup-burst", IN(SEC_LIMITS), K_UINT, L(setup_burst), "20", 1, 1000000, NULL, "SCCRQ at once" },
	{ "tunnels", IN(SEC_LIMITS), K_UINT, L(tunnels), "64", 1, 65535, NULL, "tunnels" },
	{ "sessions", IN(SEC_LIMITS), K_UINT, L(sessions), "4096", 1, 65535, NULL, "sessions per tunnel" },
	{ "unauthenticated", IN(SEC_LIMITS), K_UINT, L(unauthenticated), "1024", 1, 65535, NULL,
	  "calls that have not authenticated yet, in all tunnels without a secret" },
};

bool conf_is_v3(const struct conf_key *k)
{
	return (k->base == B_L2TP && k->off != offsetof(struct conf_l2tp, version)) ||
	       (k->base == B_SESSION && k->off == offsetof(struct conf_session, remote_end_id)) ||
	       (k->base == B_POLICY && (k->off == offsetof(struct policy, pseudowire) ||
		k->off == offsetof(struct policy, cookie_len) || k->off == offsetof(struct policy, l2spec))) ||
	       conf_is_ethernet(k);
}

bool conf_is_ethernet(const struct conf_key *k)
{
	return k->base == B_POLICY && (k->off == offsetof(struct policy, bridge) || k->off == offsetof(struct policy, vrf) ||
				       k->off == offsetof(struct policy, netns) || k->off == offsetof(struct policy, vlan));
}

bool conf_is_l2tp(const struct conf_key *k)
{
	return k->base == B_CC || k->base == B_L2TP || k->base == B_SESSION || k->base == B_LIMITS || k->base == B_AUX ||
	       (k->base == B_POLICY && k->off != offsetof(struct policy, profile)) ||
	       (k->base == B_PEER && k->off == offsetof(struct conf_peer, host_name)) ||
	       (k->base == B_TUNNEL && (k->off == offsetof(struct conf_tunnel, remote_port) ||
		k->off == offsetof(struct conf_tunnel, local_port)));
}

bool conf_is_ipsec(const struct conf_key *k)
{
	return k->base == B_IPSEC && k->off != offsetof(struct conf_ipsec, required);
}

const unsigned conf_n_keys = sizeof(conf_keys) / sizeof(conf_keys[0]);
