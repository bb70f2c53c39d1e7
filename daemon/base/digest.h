/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Digests and ciphers that the protocols prescribe, over nettle, and the two
 * rules for secrets: compare in constant time, wipe where they die. */
#pragma once

#include <stdbool.h>

#include "pkt.h"

enum { MD4_LEN = 16, MD5_LEN = 16, SHA1_LEN = 20, DES_LEN = 8, SHA256_LEN = 32 };

/* The digest of the concatenation of n parts, into out[MD4_LEN|MD5_LEN|SHA1_LEN]. */
void md4(uint8_t *out, const struct span *part, unsigned n);
void md5(uint8_t *out, const struct span *part, unsigned n);
void sha1(uint8_t *out, const struct span *part, unsigned n);

/* RFC 2104 over the concatenation of n parts, into out[MD5_LEN|SHA1_LEN|SHA256_LEN]. */
void hmac_md5(uint8_t *out, struct span key, const struct span *part, unsigned n);
void hmac_sha1(uint8_t *out, struct span key, const struct span *part, unsigned n);
void hmac_sha256(uint8_t *out, struct span key, const struct span *part, unsigned n);

/* One DES block in ECB mode under a 7-octet key whose parity bits are inserted (RFC 2759 8.6). */
void des7(uint8_t out[DES_LEN], const uint8_t in[DES_LEN], const uint8_t key[7]);

/* True when both have the same n octets; time depends on n alone. */
bool mem_same(const void *a, const void *b, size_t n);

/* True when the spans are equal; time depends on ours, not on where they differ. */
bool span_same(struct span ours, struct span theirs);

/* Overwrites n octets in a way that the compiler may not leave out. */
void wipe(void *p, size_t n);
