/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams with their whole context: from where, to which of our addresses,
 * with which mark.  Sockets come from the keeper, options set. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

enum { UDP_BATCH = 16, UDP_MAX = 4096 };

/* L2TPv3's control messages go directly over IP, too: protocol 115, no ports. */
enum encap { ENCAP_UDP, ENCAP_IP };

/* Network order address, host order port.  family 4, 6; 0: unset.  encap: enum encap. */
struct endpoint { uint8_t family, encap; uint16_t port; uint32_t scope; uint8_t addr[16]; };

struct dgram {
	struct endpoint peer, local;		/* local.port as bound */
	uint32_t mark;
	uint8_t *octets;
	size_t len;				/* a longer datagram is cut and dropped: len 0 */
};

struct udp_rx;					/* buffers for one batch */
struct udp_rx *udp_rx_new(void);		/* NULL when memory is short */
void udp_rx_free(struct udp_rx *);

/* Up to UDP_BATCH datagrams that wait on fd (non-blocking); pointers live until the next call.  local: what fd is bound
 * to, for datagrams without packet information; ENCAP_IP: fd is the keeper's hearing socket, and what
 * precedes the control message (IPv4's header, the zero Session ID: RFC 3931 4.1.1) is taken off.  The number, or
 * -errno (-ECONNREFUSED and the like are soft). */
int udp_recv(struct udp_rx *, int fd, const struct endpoint *local, struct dgram **ret);

/* Sends from local's address; ENCAP_IP: fd is the keeper's sending socket or a tunnel's, and puts the Session ID in front
 * itself.  0 or -errno. */
int udp_send(int fd, const struct endpoint *local, const struct endpoint *peer, uint32_t mark, const void *buf, size_t len);

/* Which local address the kernel would send from to reach peer (a route look-up); -errno: none. */
int udp_source(const struct endpoint *peer, struct endpoint *ret_local);

/* What a packet from local (its port counts for nothing) to peer may be long: of the route, or what ICMP said; 0: nobody knows. */
unsigned udp_path_mtu(const struct endpoint *local, const struct endpoint *peer);

/* The port that fd is bound to, in host order; 0: none. */
uint16_t udp_port(int fd);
/* The port that fd is connected to, in host order; 0: none. */
uint16_t udp_peer_port(int fd);

/* Into *ss; returns its length. */
socklen_t endpoint_sockaddr(const struct endpoint *, struct sockaddr_storage *ss);
/* "192.0.2.1" or "2001:db8::1" (with %eth0 when scoped) into buf; returns buf. */
const char *endpoint_text(const struct endpoint *, char *buf, size_t size);
/* "192.0.2.1:1701", "[2001:db8::1]:1701"; ENCAP_IP: "ip:192.0.2.1". */
const char *endpoint_port_text(const struct endpoint *, char *buf, size_t size);

/* An IPv4 address in network order into buf[16]; returns buf. */
const char *ipv4_text(uint32_t addr, char buf[16]);
