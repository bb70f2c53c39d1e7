/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the shared code has to know of L2TPv2: its machines, codes, and what only its checkpoints have. */
#include <errno.h>

#include "l2tp/save.h"
#include "l2tp/v2_step.h"

#define ROW(tag, kind, member) REC_ROW(tag, kind, struct cc, v2.member)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct rec_row cc_rows[] = {
	ROW(17, REC_U, peer_framing_caps), ROW(18, REC_U, peer_bearer_caps), ROW(19, REC_U, peer_firmware),
};

#undef ROW
#define ROW(tag, kind, member) REC_ROW(tag, kind, struct call, info.member)

static const struct rec_row call_rows[] = {
	ROW(15, REC_U, serial), ROW(16, REC_U, bearer), ROW(17, REC_U, framing), ROW(18, REC_U, tx_speed),
	ROW(19, REC_U, rx_speed), ROW(20, REC_U, min_bps), ROW(21, REC_U, max_bps), ROW(22, REC_U, physical_channel),
	ROW(23, REC_BOOL, sequencing_required), ROW(24, REC_TEXT, called), ROW(25, REC_TEXT, calling),
	ROW(26, REC_TEXT, sub_address), ROW(27, REC_BOOL, proxy_lcp), ROW(28, REC_U, proxy_auth), ROW(29, REC_TEXT, proxy_name),
};

const struct l2tp_rules v2_rules = {
	.cc = &v2_cc_fsm, .call = v2_call_fsm, .stop_overdue = L2TP_STOP_CLEAR, .cdn_overdue = L2TP_CDN_TIMEOUT, .max_retries = 5,
	.max_id = UINT16_MAX, .cc_rows = cc_rows, .n_cc_rows = COUNT(cc_rows), .call_rows = call_rows,
	.n_call_rows = COUNT(call_rows),
};

void v2_cc_save(const struct cc *cc, struct wr *w, unsigned tag)
{
	rec_close(w, l2tp_save_open(cc, w, tag));
}

int v2_cc_restore(struct cc *cc, ms_t now, struct span record)
{
	struct cc as_it_was = *cc;
	int err = l2tp_load(cc, now, record);

	/* whoever was sent a StopCCN may have never told his id */
	if (!err && (cc->tunnel_id != as_it_was.tunnel_id || (!cc->peer_tunnel_id && cc->ending == CC_LIVE)))
		err = -EBADMSG;
	return l2tp_unload(cc, &as_it_was, err);
}
