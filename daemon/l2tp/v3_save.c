/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the shared code has to know of L2TPv3: its machines, codes, and what only its checkpoints have. */
#include <errno.h>

#include "base/digest.h"
#include "l2tp/save.h"
#include "l2tp/v3_step.h"

enum { MARK_LEN = 8 };

/* Of the field that is no plain member: which of the secrets is in use, without telling the secret. */
enum { T_MARK = 3 };

#define ROW(tag, kind, member) REC_ROW(tag, kind, struct cc, member)
#define MAX(tag, member, max) REC_MAX(tag, struct cc, member, max)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct rec_row cc_rows[] = {
	ROW(17, REC_U, v3.peer_router_id), ROW(18, REC_U, v3.peer_pw_caps), ROW(19, REC_U, v3.serial), ROW(22, REC_U, jitter_ms),
	ROW(23, REC_U, v3.forged), ROW(50, REC_BOOL, v3.auth.agreed), MAX(51, v3.auth.digest, V3_HMAC_SHA1),
	MAX(52, v3.auth.nonce_len, V3_NONCE_LEN), MAX(53, v3.auth.peer_nonce_len, V3_PEER_NONCE_MAX),
	ROW(54, REC_OCTETS, v3.auth.nonce), ROW(55, REC_OCTETS, v3.auth.peer_nonce),
};

#undef ROW
#undef MAX
#define ROW(tag, kind, member) REC_ROW(tag, kind, struct call, v3.member)
#define MAX(tag, member, max) REC_MAX(tag, struct call, v3.member, max)
#define SIDE(tag, side) MAX(tag, side.cookie.len, V3_COOKIE_MAX), ROW(tag + 1, REC_OCTETS, side.cookie.octets), \
	ROW(tag + 2, REC_U, side.l2spec), ROW(tag + 3, REC_U, side.sequencing), ROW(tag + 4, REC_U, side.circuit_status)

static const struct rec_row call_rows[] = {
	ROW(15, REC_BOOL, tie_sent), ROW(16, REC_OCTETS, tie_breaker), ROW(17, REC_U, info.serial), MAX(18, info.pw_type, 31),
	MAX(19, info.end_id_len, V3_END_ID_MAX), ROW(20, REC_OCTETS, info.end_id), ROW(21, REC_U, info.physical_channel),
	ROW(22, REC_U, info.tx_speed), ROW(23, REC_U, info.rx_speed), SIDE(30, info.own), SIDE(40, info.peer),
};

const struct l2tp_rules v3_rules = {
	.cc = &v3_cc_fsm, .call = v3_call_fsm, .stop_overdue = L2TP_STOP_FSM, .cdn_overdue = V3_CDN_FSM, .max_retries = 10,
	.max_id = UINT32_MAX, .cc_rows = cc_rows, .n_cc_rows = COUNT(cc_rows), .call_rows = call_rows,
	.n_call_rows = COUNT(call_rows),
};

static void mark_of(const struct v3_key *k, uint8_t ret[MD5_LEN])
{
	md5(ret, &(struct span){ k->digest, sizeof(k->digest) }, 1);
}

void v3_cc_save(const struct cc *cc, struct wr *w, unsigned tag)
{
	uint8_t *all = l2tp_save_open(cc, w, tag), mark[MD5_LEN];

	mark_of(&cc->v3.auth.key[cc->v3.auth.key_no], mark);
	if (cc->v3.auth.n_keys)
		rec_octets(w, T_MARK, mark, MARK_LEN);
	rec_close(w, all);
}

/* Which of our keys is it? */
static bool load_mark(struct v3_auth *a, struct span record)
{
	struct rd r = rd_init(record.p, record.n);
	uint8_t mark[MD5_LEN];
	bool marked = false;
	struct span v;
	unsigned tag, i;

	while (rec_next(&r, &tag, &v)) {
		if (tag != T_MARK)
			continue;
		marked = true;
		for (i = 0; i < a->n_keys; i++) {
			mark_of(&a->key[i], mark);
			if (v.n == MARK_LEN && !memcmp(mark, v.p, MARK_LEN))
				break;
		}
		if (i == a->n_keys)
			return false;
		a->key_no = (uint8_t)i;
	}
	return marked == !!a->n_keys;
}

int v3_cc_restore(struct cc *cc, ms_t now, struct span record)
{
	struct cc as_it_was = *cc;
	int err = load_mark(&cc->v3.auth, record) ? l2tp_load(cc, now, record) : -EBADMSG;

	if (!err && (!cc->tunnel_id || !cc->peer_tunnel_id))
		err = -EBADMSG;
	return l2tp_unload(cc, &as_it_was, err);
}
