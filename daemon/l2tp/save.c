/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "save.h"

#include <errno.h>
#include <stdlib.h>

#include "l2tp/cc_step.h"
#include "l2tp/proto.h"

enum { FORMAT = 1, LINGER_MS = 31000 };

/* Of the field that is no plain member. */
enum { T_FORMAT = 1 };

#define ROW(tag, kind, member) REC_ROW(tag, kind, struct cc, member)
#define MAX(tag, member, max) REC_MAX(tag, struct cc, member, max)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct rec_row cc_rows[] = {
	ROW(10, REC_U, tunnel_id), ROW(11, REC_U, peer_tunnel_id), MAX(12, state, CC_N_STATES - 1),
	MAX(13, ending, CC_ENDED), ROW(14, REC_BOOL, opener), ROW(15, REC_TIME, hello_at), ROW(16, REC_TIME, gone_at),
	ROW(17, REC_U, peer_framing_caps), ROW(18, REC_U, peer_bearer_caps), ROW(19, REC_U, peer_firmware),
	ROW(20, REC_TEXT, peer_host_name), ROW(21, REC_TEXT, peer_vendor_name),
};

#undef ROW
#undef MAX
#define ROW(tag, kind, member) REC_ROW(tag, kind, struct call, member)
#define MAX(tag, member, max) REC_MAX(tag, struct call, member, max)

static const struct rec_row call_rows[] = {
	ROW(10, REC_U, session_id), ROW(11, REC_U, peer_session_id), MAX(12, role, CALL_LAC_OUTGOING),
	MAX(13, state, CALL_N_STATES - 1), ROW(14, REC_TIME, setup_by), ROW(15, REC_U, info.serial), ROW(16, REC_U, info.bearer),
	ROW(17, REC_U, info.framing), ROW(18, REC_U, info.tx_speed), ROW(19, REC_U, info.rx_speed), ROW(20, REC_U, info.min_bps),
	ROW(21, REC_U, info.max_bps), ROW(22, REC_U, info.physical_channel), ROW(23, REC_BOOL, info.sequencing_required),
	ROW(24, REC_TEXT, info.called), ROW(25, REC_TEXT, info.calling), ROW(26, REC_TEXT, info.sub_address),
	ROW(27, REC_BOOL, info.proxy_lcp), ROW(28, REC_U, info.proxy_auth), ROW(29, REC_TEXT, info.proxy_name),
};

#undef ROW
#undef MAX

bool cc_to_be_saved(const struct cc *cc)
{
	return cc->state == CC_ESTABLISHED || cc->ending != CC_LIVE;
}

void cc_save(const struct cc *cc, struct wr *w, unsigned tag)
{
	uint8_t *all = rec_open(w, tag);

	rec_u(w, T_FORMAT, FORMAT);
	rec_save(w, cc_rows, COUNT(cc_rows), cc);
	rel_save(&cc->rel, w);
	rec_close(w, all);
}

static bool consistent(const struct cc *cc, uint16_t tunnel_id)
{
	if (cc->tunnel_id != tunnel_id || (!cc->peer_tunnel_id && cc->ending == CC_LIVE))
		return false;			/* whoever was sent a StopCCN may have never told his id */
	switch ((enum cc_ending)cc->ending) {
	case CC_LIVE:
		return cc->state == CC_ESTABLISHED;
	case CC_STOP_SENT:
		return cc->state == CC_IDLE && cc->rel.tx;
	case CC_STOP_RCVD:
	case CC_ENDED:
		return cc->state == CC_IDLE && !cc->rel.tx;
	}
	return false;
}

static uint32_t or_default(uint32_t v, uint32_t dflt)
{
	return v ? v : dflt;
}

/* No deadline further away than it can have been, so that none is forgotten; and nobody has heard the peer meanwhile. */
static void set_times(struct cc *cc, ms_t now)
{
	uint32_t hello = or_default(cc->conf->hello_ms, 60000);

	cc->setup_by = NEVER;
	cc->hello_at = hello == UINT32_MAX || cc->state != CC_ESTABLISHED ? NEVER : ms_min(cc->hello_at, now + hello);
	cc->gone_at = cc->ending == CC_STOP_RCVD ? ms_min(cc->gone_at, now + LINGER_MS) : NEVER;
}

static int load_field(struct cc *cc, unsigned tag, struct span v)
{
	if (rel_is_field(tag))
		return rel_load(&cc->rel, tag, v);
	return rec_load(cc_rows, COUNT(cc_rows), cc, tag, v) ? 0 : -EBADMSG;
}

static bool format_known(struct span v)
{
	uint64_t format;

	return rec_number(v, FORMAT, &format) && format == FORMAT;
}

int cc_restore(struct cc *cc, ms_t now, struct span record)
{
	struct cc as_it_was = *cc;
	struct rd r = rd_init(record.p, record.n);
	bool known = false;
	struct span v;
	unsigned tag;
	int err = 0;

	rec_default(cc_rows, COUNT(cc_rows), cc);
	rel_load_begin(&cc->rel);
	while (!err && rec_next(&r, &tag, &v)) {
		known = known || tag == T_FORMAT;
		err = tag == T_FORMAT ? format_known(v) ? 0 : -EBADMSG : load_field(cc, tag, v);
	}
	if (!err && (r.bad || !known || !rel_load_end(&cc->rel, now) || !consistent(cc, as_it_was.tunnel_id)))
		err = -EBADMSG;
	if (err) {
		rel_done(&cc->rel);
		*cc = as_it_was;
		return err;
	}
	set_times(cc, now);
	return 0;
}

void call_save(const struct call *call, struct wr *w, unsigned tag)
{
	uint8_t *all = rec_open(w, tag);

	rec_u(w, T_FORMAT, FORMAT);
	rec_save(w, call_rows, COUNT(call_rows), call);
	rec_close(w, all);
}

bool call_read(struct span record, struct call *ret)
{
	struct rd r = rd_init(record.p, record.n);
	bool known = false, ok = true;
	struct span v;
	unsigned tag;

	*ret = (struct call){ 0 };
	rec_default(call_rows, COUNT(call_rows), ret);
	while (ok && rec_next(&r, &tag, &v)) {
		known = known || tag == T_FORMAT;
		ok = tag == T_FORMAT ? format_known(v) : rec_load(call_rows, COUNT(call_rows), ret, tag, v);
	}
	return ok && !r.bad && known;
}

int cc_call_restore(struct cc *cc, struct call *call, ms_t now, struct span record)
{
	struct call c;

	return cc->state == CC_ESTABLISHED && call_read(record, &c) && l2tp_call_adopt(cc, call, now, &c) ? 0 : -EBADMSG;
}
