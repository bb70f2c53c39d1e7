/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "save.h"

#include <errno.h>

#include "base/digest.h"
#include "l2tp/cc_step.h"

enum { FORMAT = 1 };

/* Of the field that is no plain member. */
enum { T_FORMAT = 1 };

#define ROW(tag, kind, member) REC_ROW(tag, kind, struct cc, member)
#define MAX(tag, member, max) REC_MAX(tag, struct cc, member, max)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What both versions have; each has rows of its own beside them. */
static const struct rec_row cc_rows[] = {
	ROW(10, REC_U, tunnel_id), ROW(11, REC_U, peer_tunnel_id), MAX(12, state, CC_N_STATES - 1),
	MAX(13, ending, CC_ENDED), ROW(14, REC_BOOL, opener), ROW(15, REC_TIME, hello_at), ROW(16, REC_TIME, gone_at),
	ROW(20, REC_TEXT, peer_host_name), ROW(21, REC_TEXT, peer_vendor_name),
};

#undef ROW
#undef MAX
#define ROW(tag, kind, member) REC_ROW(tag, kind, struct call, member)
#define MAX(tag, member, max) REC_MAX(tag, struct call, member, max)

static const struct rec_row call_rows[] = {
	ROW(10, REC_U, session_id), ROW(11, REC_U, peer_session_id), MAX(12, role, CALL_LAC_OUTGOING),
	MAX(13, state, CALL_N_STATES - 1), ROW(14, REC_TIME, setup_by),
};

#undef ROW
#undef MAX

bool cc_to_be_saved(const struct cc *cc)
{
	return cc->state == CC_ESTABLISHED || cc->ending != CC_LIVE;
}

uint8_t *l2tp_save_open(const struct cc *cc, struct wr *w, unsigned tag)
{
	uint8_t *all = rec_open(w, tag);

	rec_u(w, T_FORMAT, FORMAT);
	rec_save(w, cc_rows, COUNT(cc_rows), cc);
	rec_save(w, cc->rules->cc_rows, cc->rules->n_cc_rows, cc);
	rel_save(&cc->rel, w);
	return all;
}

static bool consistent(const struct cc *cc)
{
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

/* No deadline further away than it can have been, so that none is forgotten; and nobody has heard the peer meanwhile. */
static void set_times(struct cc *cc, ms_t now)
{
	uint32_t hello = or_default(cc->conf->hello_ms, 60000);

	cc->setup_by = NEVER;
	cc->hello_at = hello == UINT32_MAX || cc->state != CC_ESTABLISHED ? NEVER : ms_min(cc->hello_at, now + hello);
	cc->gone_at = cc->ending == CC_STOP_RCVD ? ms_min(cc->gone_at, now + L2TP_LINGER_MS) : NEVER;
}

static bool format_known(struct span v)
{
	uint64_t format;

	return rec_number(v, FORMAT, &format) && format == FORMAT;
}

static int load_field(struct cc *cc, unsigned tag, struct span v)
{
	if (tag == T_FORMAT)
		return format_known(v) ? 0 : -EBADMSG;
	if (rel_is_field(tag))
		return rel_load(&cc->rel, tag, v);
	return rec_load(cc_rows, COUNT(cc_rows), cc, tag, v) &&
	       rec_load(cc->rules->cc_rows, cc->rules->n_cc_rows, cc, tag, v) ? 0 : -EBADMSG;
}

int l2tp_load(struct cc *cc, ms_t now, struct span record)
{
	struct rd r = rd_init(record.p, record.n);
	bool known = false;
	struct span v;
	unsigned tag;
	int err = 0;

	rec_default(cc_rows, COUNT(cc_rows), cc);
	rec_default(cc->rules->cc_rows, cc->rules->n_cc_rows, cc);
	rel_load_begin(&cc->rel);
	while (!err && rec_next(&r, &tag, &v)) {
		known = known || tag == T_FORMAT;
		err = load_field(cc, tag, v);
	}
	if (err)
		return err;
	if (r.bad || !known || !rel_load_end(&cc->rel, now) || !consistent(cc) ||
	    cc->tunnel_id > cc->rules->max_id || cc->peer_tunnel_id > cc->rules->max_id)
		return -EBADMSG;
	set_times(cc, now);
	return 0;
}

int l2tp_unload(struct cc *cc, struct cc *as_it_was, int err)
{
	if (err) {
		rel_done(&cc->rel);
		*cc = *as_it_was;
	}
	wipe(as_it_was, sizeof(*as_it_was));
	return err;
}

void cc_call_save(const struct cc *cc, const struct call *call, struct wr *w, unsigned tag)
{
	uint8_t *all = rec_open(w, tag);

	rec_u(w, T_FORMAT, FORMAT);
	rec_save(w, call_rows, COUNT(call_rows), call);
	rec_save(w, cc->rules->call_rows, cc->rules->n_call_rows, call);
	rec_close(w, all);
}

bool cc_call_read(const struct cc *cc, struct span record, struct call *ret)
{
	const struct l2tp_rules *rules = cc->rules;
	struct rd r = rd_init(record.p, record.n);
	bool known = false, ok = true;
	struct span v;
	unsigned tag;

	memset(ret, 0, sizeof(*ret));
	rec_default(call_rows, COUNT(call_rows), ret);
	while (ok && rec_next(&r, &tag, &v)) {
		known = known || tag == T_FORMAT;
		ok = tag == T_FORMAT ? format_known(v) : rec_load(call_rows, COUNT(call_rows), ret, tag, v) &&
		     rec_load(rules->call_rows, rules->n_call_rows, ret, tag, v);
	}
	return ok && !r.bad && known && ret->session_id <= rules->max_id && ret->peer_session_id <= rules->max_id;
}

int cc_call_restore(struct cc *cc, struct call *call, ms_t now, struct span record)
{
	struct call c;

	return cc->state == CC_ESTABLISHED && cc_call_read(cc, record, &c) && l2tp_call_adopt(cc, call, now, &c) ? 0 : -EBADMSG;
}
