/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hidden AVPs (RFC 2661 4.3): b(1) = MD5(type + secret + vector), b(i) = MD5(secret + c(i-1)). */
#include "base/digest.h"
#include "avp.h"

static void chain(uint8_t *out, const uint8_t *in, size_t n, uint16_t type, struct span secret,
		  struct span vector, bool unhide)
{
	uint8_t number[2], pad[MD5_LEN], cipher[MD5_LEN];
	struct span first[3] = { { number, 2 }, secret, vector };
	struct span later[2] = { secret, { cipher, MD5_LEN } };

	put_u16(number, type);
	md5(pad, first, 3);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = in[i];

		if (i && i % MD5_LEN == 0)
			md5(pad, later, 2);
		out[i] = c ^ pad[i % MD5_LEN];
		cipher[i % MD5_LEN] = unhide ? c : out[i];
	}
	wipe(pad, sizeof(pad));
}

void l2tp_hide(uint8_t *out, const uint8_t *in, size_t n, uint16_t type, struct span secret,
	       struct span vector)
{
	chain(out, in, n, type, secret, vector, false);
}

void l2tp_unhide(uint8_t *out, const uint8_t *in, size_t n, uint16_t type, struct span secret,
		 struct span vector)
{
	chain(out, in, n, type, secret, vector, true);
}
