/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "v3_save.h"

#include <errno.h>

#include "base/digest.h"
#include "l2tp/v3_step.h"

enum { FORMAT = 1, LINGER_MS = 31000, MARK_LEN = 8 };

/* Tags of fields that are no plain members.  T_MARK tells which of the secrets is in use, without telling the secret. */
enum { T_FORMAT = 1, T_MARK = 3 };

#define ROW(tag, kind, member) REC_ROW(tag, kind, struct v3_cc, member)
#define MAX(tag, member, max) REC_MAX(tag, struct v3_cc, member, max)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct rec_row cc_rows[] = {
	ROW(10, REC_U, cc_id), ROW(11, REC_U, peer_cc_id), MAX(12, state, V3_CC_N_STATES - 1), MAX(13, ending, CC_ENDED),
	ROW(14, REC_BOOL, opener), ROW(15, REC_TIME, hello_at), ROW(16, REC_TIME, gone_at), ROW(17, REC_U, peer_router_id),
	ROW(18, REC_U, peer_pw_caps), ROW(19, REC_U, serial), ROW(20, REC_TEXT, peer_host_name),
	ROW(21, REC_TEXT, peer_vendor_name), ROW(22, REC_U, jitter_ms), ROW(23, REC_U, forged),
	ROW(50, REC_BOOL, auth.agreed), MAX(51, auth.digest, V3_HMAC_SHA1), MAX(52, auth.nonce_len, V3_NONCE_LEN),
	MAX(53, auth.peer_nonce_len, V3_PEER_NONCE_MAX), ROW(54, REC_OCTETS, auth.nonce), ROW(55, REC_OCTETS, auth.peer_nonce),
};

#undef ROW
#undef MAX
#define ROW(tag, kind, member) REC_ROW(tag, kind, struct v3_call, member)
#define MAX(tag, member, max) REC_MAX(tag, struct v3_call, member, max)
#define SIDE(tag, side) MAX(tag, side.cookie.len, V3_COOKIE_MAX), ROW(tag + 1, REC_OCTETS, side.cookie.octets), \
	ROW(tag + 2, REC_U, side.l2spec), ROW(tag + 3, REC_U, side.sequencing), ROW(tag + 4, REC_U, side.circuit_status)

static const struct rec_row call_rows[] = {
	ROW(10, REC_U, session_id), ROW(11, REC_U, peer_session_id), MAX(12, role, V3_OCRQ_RECIPIENT),
	MAX(13, state, V3_CALL_N_STATES - 1), ROW(14, REC_TIME, setup_by), ROW(15, REC_BOOL, tie_sent),
	ROW(16, REC_OCTETS, tie_breaker), ROW(17, REC_U, info.serial), MAX(18, info.pw_type, 31),
	MAX(19, info.end_id_len, V3_END_ID_MAX), ROW(20, REC_OCTETS, info.end_id), ROW(21, REC_U, info.physical_channel),
	ROW(22, REC_U, info.tx_speed), ROW(23, REC_U, info.rx_speed), SIDE(30, info.own), SIDE(40, info.peer),
};

#undef ROW
#undef MAX

bool v3_cc_to_be_saved(const struct v3_cc *cc)
{
	return cc->state == V3_CC_ESTABLISHED || cc->ending != CC_LIVE;
}

static void mark_of(const struct v3_key *k, uint8_t ret[MD5_LEN])
{
	md5(ret, &(struct span){ k->digest, sizeof(k->digest) }, 1);
}

void v3_cc_save(const struct v3_cc *cc, struct wr *w, unsigned tag)
{
	uint8_t *all = rec_open(w, tag), mark[MD5_LEN];

	rec_u(w, T_FORMAT, FORMAT);
	rec_save(w, cc_rows, COUNT(cc_rows), cc);
	mark_of(&cc->auth.key[cc->auth.key_no], mark);
	if (cc->auth.n_keys)
		rec_octets(w, T_MARK, mark, MARK_LEN);
	rel_save(&cc->rel, w);
	rec_close(w, all);
}

/* Which of our keys is it? */
static int load_mark(struct v3_cc *cc, struct span v)
{
	uint8_t mark[MD5_LEN];

	for (unsigned i = 0; v.n == MARK_LEN && i < cc->auth.n_keys; i++) {
		mark_of(&cc->auth.key[i], mark);
		if (memcmp(mark, v.p, MARK_LEN))
			continue;
		cc->auth.key_no = (uint8_t)i;
		return 0;
	}
	return -EBADMSG;
}

static int load_field(struct v3_cc *cc, unsigned tag, struct span v)
{
	if (rel_is_field(tag))
		return rel_load(&cc->rel, tag, v);
	if (tag == T_MARK)
		return load_mark(cc, v);
	return rec_load(cc_rows, COUNT(cc_rows), cc, tag, v) ? 0 : -EBADMSG;
}

static bool consistent(const struct v3_cc *cc)
{
	if (!cc->cc_id || !cc->peer_cc_id)
		return false;
	switch ((enum cc_ending)cc->ending) {
	case CC_LIVE:
		return cc->state == V3_CC_ESTABLISHED;
	case CC_STOP_SENT:
		return cc->state == V3_CC_IDLE && cc->rel.tx;
	case CC_STOP_RCVD:
	case CC_ENDED:
		return cc->state == V3_CC_IDLE && !cc->rel.tx;
	}
	return false;
}

/* As for L2TPv2: no deadline further away than it can have been. */
static void set_times(struct v3_cc *cc, ms_t now)
{
	uint32_t hello = cc->conf->cc.hello_ms ? cc->conf->cc.hello_ms : 60000;

	cc->setup_by = NEVER;
	cc->hello_at = hello == UINT32_MAX || cc->state != V3_CC_ESTABLISHED ? NEVER : ms_min(cc->hello_at, now + hello);
	cc->gone_at = cc->ending == CC_STOP_RCVD ? ms_min(cc->gone_at, now + LINGER_MS) : NEVER;
}

static bool format_known(struct span v)
{
	uint64_t format;

	return rec_number(v, FORMAT, &format) && format == FORMAT;
}

int v3_cc_restore(struct v3_cc *cc, ms_t now, struct span record)
{
	struct v3_cc as_it_was = *cc;
	struct rd r = rd_init(record.p, record.n);
	bool known = false, marked = false;
	struct span v;
	unsigned tag;
	int err = 0;

	rec_default(cc_rows, COUNT(cc_rows), cc);
	rel_load_begin(&cc->rel);
	while (!err && rec_next(&r, &tag, &v)) {
		known = known || tag == T_FORMAT;
		marked = marked || tag == T_MARK;
		err = tag == T_FORMAT ? format_known(v) ? 0 : -EBADMSG : load_field(cc, tag, v);
	}
	if (!err && (r.bad || !known || marked != !!cc->auth.n_keys || !rel_load_end(&cc->rel, now) ||
		     !consistent(cc)))
		err = -EBADMSG;
	if (err) {
		rel_done(&cc->rel);
		*cc = as_it_was;
	} else {
		set_times(cc, now);
	}
	wipe(&as_it_was, sizeof(as_it_was));
	return err;
}

void v3_call_save(const struct v3_call *call, struct wr *w, unsigned tag)
{
	uint8_t *all = rec_open(w, tag);

	rec_u(w, T_FORMAT, FORMAT);
	rec_save(w, call_rows, COUNT(call_rows), call);
	rec_close(w, all);
}

bool v3_call_read(struct span record, struct v3_call *ret)
{
	struct rd r = rd_init(record.p, record.n);
	bool known = false, ok = true;
	struct span v;
	unsigned tag;

	*ret = (struct v3_call){ 0 };
	rec_default(call_rows, COUNT(call_rows), ret);
	while (ok && rec_next(&r, &tag, &v)) {
		known = known || tag == T_FORMAT;
		ok = tag == T_FORMAT ? format_known(v) : rec_load(call_rows, COUNT(call_rows), ret, tag, v);
	}
	return ok && !r.bad && known;
}

int v3_call_restore(struct v3_cc *cc, struct v3_call *call, ms_t now, struct span record)
{
	struct v3_call c;

	return cc->state == V3_CC_ESTABLISHED && v3_call_read(record, &c) && v3_call_adopt(cc, call, now, &c) ? 0 : -EBADMSG;
}
