/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any octets as a data message: what is accepted lies within the datagram. */
#include <stdlib.h>
#include <string.h>

#include "l2tp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);	/* exact: ASan sees one octet beyond */
	struct l2tp_data d;
	unsigned sum = 0;

	memcpy(copy, data, size);
	if (l2tp_data_decode(&d, copy, size)) {
		if (!d.tunnel_id || !d.session_id || d.info.n > size)
			abort();
		for (size_t i = 0; i < d.info.n; i++)
			sum += d.info.p[i];
		if (sum > 255 * size)
			abort();
	}
	if (v3_data_session(copy, size) && v3_data_decode(&d, copy, size, &(struct v3_side){ .cookie.len = 4, .l2spec = 1 }) &&
	    d.info.n + 8 + 4 + 4 + 1 > size)
		abort();
	free(copy);
	return 0;
}
