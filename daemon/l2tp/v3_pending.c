/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of L2TPv3 that the owner has not answered yet; the peer may withdraw them (CDN). */
#include <stdlib.h>
#include <string.h>

#include "l2tp/v3_step.h"

enum { PENDING_MAX = 1024 };

struct v3_pending { struct v3_pending *next; uint32_t peer_session_id; uint8_t end_id_len, end_id[V3_END_ID_MAX]; };

static struct v3_pending **pending(struct v3_pending **at, uint32_t id)
{
	while (*at && (*at)->peer_session_id != id)
		at = &(*at)->next;
	return at;
}

bool v3_pending_has(const struct cc *cc, uint32_t peer_session_id)
{
	struct v3_pending *first = cc->v3.pending;

	return *pending(&first, peer_session_id);
}

bool v3_pending_wants(const struct cc *cc, const struct v3_call_info *info)
{
	for (const struct v3_pending *p = cc->v3.pending; p; p = p->next)
		if (p->end_id_len && p->end_id_len == info->end_id_len && !memcmp(p->end_id, info->end_id, p->end_id_len))
			return true;
	return false;
}

bool v3_pending_add(struct cc *cc, uint32_t peer_session_id, const struct v3_call_info *info)
{
	struct v3_pending *p = cc->n_pending < PENDING_MAX ? l2tp_alloc(sizeof(*p)) : NULL;

	if (!p)
		return false;
	*p = (struct v3_pending){ cc->v3.pending, peer_session_id, info->end_id_len, { 0 } };
	memcpy(p->end_id, info->end_id, sizeof(p->end_id));
	cc->v3.pending = p;
	cc->n_pending++;
	return true;
}

bool v3_pending_drop(struct cc *cc, uint32_t peer_session_id)
{
	struct v3_pending **at = pending(&cc->v3.pending, peer_session_id), *p = *at;

	if (!p)
		return false;
	*at = p->next;
	free(p);
	cc->n_pending--;
	return true;
}

void v3_pending_done(struct cc *cc)
{
	while (cc->v3.pending)
		v3_pending_drop(cc, cc->v3.pending->peer_session_id);
}
