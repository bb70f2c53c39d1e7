/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The codec, with a secret, so that what comes out of the cipher is fuzzed too: whatever decodes
 * re-encodes, and that decodes to the same message. */
#include <stdlib.h>

#include "l2tp/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct span a, struct span b)
{
	if (a.n != b.n || (a.n && memcmp(a.p, b.p, a.n)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct span secret = { (const uint8_t *)"sesame", 6 }, none;
	uint8_t one[L2TP_SCRATCH], two[L2TP_SCRATCH], out[8192], *copy = malloc(size ? size : 1);
	struct l2tp_msg m, n;
	size_t len;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);		/* exact size: ASan sees one octet past it */
	if (l2tp_decode(&m, copy, size, secret, one) && (m.present & m.unread) == 0) {
		if (m.hidden & ~m.present)
			abort();
		if (!m.random_vector.n)
			m.hidden = 0;
		len = l2tp_encode(&m, out, sizeof(out), secret);
		/* too long: a datagram of many KiB, or a value that hiding pushes over 1023 octets */
		if (!len && size < 1000)
			abort();
		if (len && (!l2tp_decode(&n, out, len, secret, two) || n.type != m.type ||
			    n.present != m.present || n.hidden != m.hidden || n.unread || n.odd.unknown_m))
			abort();
		if (len) {
			same(m.host_name, n.host_name);
			same(m.challenge, n.challenge);
			same(m.response, n.response);
			same(m.calling_number, n.calling_number);
			same(m.proxy_auth_response, n.proxy_auth_response);
			same(m.result.msg, n.result.msg);
			if (m.assigned_tunnel_id != n.assigned_tunnel_id || m.result.result != n.result.result ||
			    m.assigned_session_id != n.assigned_session_id || m.tunnel_id != n.tunnel_id)
				abort();
		}
	}
	l2tp_decode(&m, copy, size, none, one);
	l2tp_decode(&m, copy, size, secret, NULL);
	free(copy);
	return 0;
}
