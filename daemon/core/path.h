/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What fits into one packet to a peer: the path's MTU, less what IP, ESP, UDP,
 * L2TP and PPP add.  What is larger would go out in fragments, which many a NAT
 * and firewall drops. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct session;

/* What ESP adds (RFC 4303 2): octets of the initialization vector, of the cipher's block, of the integrity check value; encap:
 * in UDP (RFC 3948). */
struct esp { uint8_t iv, block, icv; bool encap; };

/* charon's names: "AES_CBC", "AES_GCM_16", "HMAC_SHA2_256_128" ("" for ciphers that need none).  What it does not know takes
 * the most room that there is. */
struct esp path_esp(const char *encr, const char *integ, bool encap);
/* The octets of a PPP frame's information field that fit: mtu of the path, ip 4 or 6, esp NULL: without IPsec; headers:
 * octets between IP's header, or ESP's, and that field.  0: none. */
unsigned path_room(unsigned mtu, unsigned ip, const struct esp *esp, unsigned headers);
/* The same for a session's tunnel as it is now; 0: nobody knows. */
uint16_t path_mru(const struct session *);
