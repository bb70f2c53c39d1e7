/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CHAP arithmetic, functions only: RFC 1994 4.1, RFC 2759 8, RFC 3079.  Passwords are UTF-8 octets, not terminated. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/pkt.h"

/* RFC 1994: MD5(id, secret, challenge). */
void chap_md5_response(uint8_t ret[16], uint8_t id, struct span password, struct span challenge);

/* RFC 2759 8.3: MD4 of the password in UTF-16LE.  False when it is not UTF-8 or longer than 256 characters. */
bool mschap_nt_hash(uint8_t ret[16], struct span password);

/* RFC 2759 8.1.  name: as sent, a leading "DOMAIN\" is left out of the hash (8.2). */
void mschapv2_response(uint8_t ret[24], const uint8_t auth_challenge[16], const uint8_t peer_challenge[16],
		       struct span name, const uint8_t nt_hash[16]);
/* RFC 2759 8.7, the 20 octets of "S=". */
void mschapv2_auth_response(uint8_t ret[20], const uint8_t nt_hash[16], const uint8_t nt_response[24],
			    const uint8_t auth_challenge[16], const uint8_t peer_challenge[16], struct span name);
