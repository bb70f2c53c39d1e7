/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a checkpoint says of a tunnel and of a session, read back.  Nothing here
 * touches what lives; adopt.c decides what becomes of it. */
#pragma once

#include "core/session.h"

/* Members of t that were saved, and what else there is; spans point into the record. */
struct tunnel_record {
	struct tunnel t;
	struct endpoint listen;			/* its listener's */
	bool protected;				/* IPsec had to protect it */
	uint8_t version;			/* of L2TP */
	struct span from, as;			/* name of its `peer`, or of its `tunnel`; one of them */
	struct span cc;				/* for cc_restore */
};

struct session_record {
	struct session s;
	uint16_t tunnel_id;
	struct span user, as;			/* its user, its `session` in a dialled tunnel; may be empty */
	bool dialled;				/* as counts, also when it is "" */
	struct span call, ppp;			/* for cc_call_restore and ppp_restore; ppp empty: there was none */
};

/* False: of another format, broken, or contradicting itself. */
bool record_read_tunnel(struct span record, uint16_t id, struct tunnel_record *ret);
bool record_read_session(struct span record, struct session_record *ret);
