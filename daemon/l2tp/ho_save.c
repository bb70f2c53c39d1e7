/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkpoints of half-open tunnels of either version. */
#include "base/digest.h"
#include "l2tp/ho_table.h"
#include "l2tp/save.h"

enum { FORMAT = 1 };

/* Of the fields that are no plain members. */
enum { T_FORMAT = 1, T_VERSION };

#define ROW(tag, kind, member) REC_ROW(tag, kind, struct ho_entry, member)
#define MAX(tag, member, max) REC_MAX(tag, struct ho_entry, member, max)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The ids come last: without them there is no record.  Which of the keys it is, his SCCCN tells. */
static const struct rec_row rows[] = {
	ROW(12, REC_U, peer_rws), ROW(13, REC_U, framing_caps), ROW(14, REC_U, bearer_caps), ROW(15, REC_U, firmware),
	ROW(16, REC_BOOL, challenged), ROW(17, REC_OCTETS, challenge),
	MAX(18, challenge_len, REC_SIZE(struct ho_entry, challenge)), ROW(19, REC_OCTETS, host_digest),
	ROW(20, REC_TEXT, host_name), ROW(21, REC_TEXT, vendor_name),
	ROW(30, REC_U, from.family), ROW(31, REC_U, from.peer_port), ROW(32, REC_U, from.local_port), ROW(33, REC_U, from.mark),
	ROW(34, REC_U, from.ifindex), ROW(35, REC_OCTETS, from.peer), ROW(36, REC_OCTETS, from.local),
	ROW(40, REC_U, v3.router_id), ROW(41, REC_U, v3.pw_caps), MAX(42, v3.digest, V3_HMAC_SHA1),
	MAX(43, v3.nonce_len, V3_PEER_NONCE_MAX), ROW(44, REC_OCTETS, v3.nonce),
	ROW(11, REC_U, peer_tunnel_id), ROW(10, REC_U, tunnel_id),
};

void ho_save(const struct ho_entry *e, unsigned version, struct wr *w)
{
	rec_u(w, T_FORMAT, FORMAT);
	rec_u(w, T_VERSION, version);
	rec_save(w, rows, COUNT(rows), e);
}

bool ho_read(struct span record, struct ho_entry *ret, unsigned *ret_version)
{
	struct rd r = rd_init(record.p, record.n);
	uint64_t format = 0, version = 0, max;
	bool ok = true;
	struct span v;
	unsigned tag;

	memset(ret, 0, sizeof(*ret));
	while (ok && rec_next(&r, &tag, &v)) {
		if (tag == T_FORMAT)
			ok = rec_number(v, FORMAT, &format);
		else if (tag == T_VERSION)
			ok = rec_number(v, 3, &version);
		else
			ok = rec_load(rows, COUNT(rows), ret, tag, v);
	}
	*ret_version = (unsigned)version;
	max = version == 2 ? UINT16_MAX : UINT32_MAX;
	return ok && !r.bad && format == FORMAT && version >= 2 && ret->tunnel_id && ret->tunnel_id <= max &&
	       ret->peer_tunnel_id && ret->peer_tunnel_id <= max && (ret->from.family == 4 || ret->from.family == 6) &&
	       ret->challenged == !!ret->challenge_len;
}

bool ho_restore(struct halfopen *h, ms_t now, const struct ho_entry *e)
{
	struct ho_entry young = *e;
	bool ok;

	young.since = now;
	young.policy = HO_NO_POLICY;
	ok = ho_place(h, e->tunnel_id) == HO_NONE && ho_insert(h, &young) != HO_NONE;
	wipe(&young, sizeof(young));
	return ok;
}
