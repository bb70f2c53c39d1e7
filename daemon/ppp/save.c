/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ppp/save.h"

#include <errno.h>

#include "base/digest.h"
#include "ppp/internal.h"

enum { FORMAT = 1, MRU_MIN = 128 };

/* Tags of fields that are no plain members; the automata are records of their own, T_CP + enum cp_which. */
enum { T_FORMAT = 1, T_TAKE = 2, T_CP = 3 };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ROW(tag, kind, member) REC_ROW(tag, kind, struct ppp, member)
#define MAX(tag, member, max) REC_MAX(tag, struct ppp, member, max)

static const struct rec_row rows[] = {
	MAX(10, phase, PPP_TERMINATE), MAX(11, end, PPP_END_RESOURCES), ROW(12, REC_TEXT, end_msg), ROW(13, REC_BOOL, heard),
	ROW(14, REC_BOOL, term_heard), ROW(15, REC_BOOL, ncp_start),
	ROW(20, REC_U, lcp.magic), ROW(21, REC_U, lcp.accm), ROW(22, REC_U, lcp.mru), MAX(23, lcp.auth, PPP_AUTH_N - 1),
	ROW(24, REC_U, peer_lcp.magic), ROW(25, REC_U, peer_lcp.accm), ROW(26, REC_U, peer_lcp.mru),
	MAX(27, peer_lcp.auth, PPP_AUTH_N - 1), MAX(28, peer_lcp.pfc, 1), MAX(29, peer_lcp.acfc, 1),
	ROW(30, REC_U, auth_tried), ROW(31, REC_BOOL, auth_refused), ROW(32, REC_U, loops), ROW(33, REC_U, chap_id),
	ROW(34, REC_BOOL, checking),
	ROW(40, REC_U, set.ip), ROW(41, REC_U, set.peer_ip), ROW(42, REC_U, set.dns[0]), ROW(43, REC_U, set.dns[1]),
	ROW(44, REC_U, set.wins[0]), ROW(45, REC_U, set.wins[1]), ROW(46, REC_U, set.ifid), ROW(47, REC_U, set.peer_ifid),
	ROW(48, REC_U, addrs.ip), ROW(49, REC_U, addrs.peer_ip), ROW(50, REC_U, addrs.dns[0]), ROW(51, REC_U, addrs.dns[1]),
	ROW(52, REC_U, addrs.wins[0]), ROW(53, REC_U, addrs.wins[1]), ROW(54, REC_U, addrs.ifid), ROW(55, REC_U, addrs.peer_ifid),
	ROW(60, REC_TIME, auth_deadline), ROW(61, REC_TIME, last_rx), ROW(62, REC_TIME, echo_deadline), ROW(63, REC_U, echo_id),
	ROW(64, REC_U, early), ROW(65, REC_U, reject_id), ROW(66, REC_U, idents), ROW(67, REC_U, echo_sent),
	ROW(68, REC_U, echo_received), ROW(69, REC_U, rejected_protocols), ROW(70, REC_U, dropped),
};

/* Of a direction in which nobody authenticates there is nothing to say. */
static const struct rec_row authenticator_rows[] = {
	ROW(80, REC_TIME, authenticator.deadline), MAX(81, authenticator.proto, PPP_AUTH_N - 1),
	MAX(82, authenticator.state, AUTH_FAILED), ROW(83, REC_U, authenticator.id), ROW(84, REC_U, authenticator.tries),
	ROW(85, REC_OCTETS, authenticator.challenge), ROW(86, REC_U, authenticator.reply_code),
	MAX(87, authenticator.reply_len, sizeof(((struct authenticator *)0)->reply)), ROW(88, REC_OCTETS, authenticator.reply),
};

static const struct rec_row auth_peer_rows[] = {
	ROW(90, REC_TIME, auth_peer.deadline), MAX(91, auth_peer.proto, PPP_AUTH_N - 1), MAX(92, auth_peer.state, AUTH_FAILED),
	ROW(93, REC_U, auth_peer.id), ROW(94, REC_U, auth_peer.first_id), ROW(95, REC_U, auth_peer.tries),
	ROW(96, REC_BOOL, auth_peer.responded), ROW(97, REC_OCTETS, auth_peer.challenge),
	MAX(98, auth_peer.value_len, sizeof(((struct auth_peer *)0)->value)), ROW(99, REC_OCTETS, auth_peer.value),
	ROW(100, REC_OCTETS, auth_peer.expect), ROW(101, REC_BOOL, auth_peer.old_responded), ROW(102, REC_U, auth_peer.old_id),
	ROW(103, REC_OCTETS, auth_peer.old_expect),
};

#undef ROW
#undef MAX
#define ROW(tag, kind, member) REC_ROW(tag, kind, struct cp, member)
#define MAX(tag, member, max) REC_MAX(tag, struct cp, member, max)

static const struct rec_row cp_rows[] = {
	ROW(1, REC_TIME, deadline), ROW(2, REC_TIME, opened), MAX(3, state, CP_N_STATES - 1), ROW(4, REC_U, restart_count),
	ROW(5, REC_U, id), ROW(6, REC_U, rx_id), ROW(7, REC_BOOL, answered), ROW(8, REC_U, ask), ROW(9, REC_U, naks),
	ROW(10, REC_U, bad), ROW(11, REC_U, renaks), ROW(12, REC_U, reacks), ROW(13, REC_BOOL, refused), ROW(14, REC_U, refused_id),
	ROW(15, REC_BOOL, held), ROW(16, REC_BOOL, gate), ROW(17, REC_BOOL, asked), ROW(18, REC_BOOL, stale),
	MAX(19, req_len, CP_REQ_MAX), ROW(20, REC_OCTETS, req), ROW(21, REC_U, req_id),
};

bool ppp_to_be_saved(const struct ppp *p)
{
	return p->phase >= PPP_NETWORK || p->checking || p->authenticator.state > AUTH_WAIT;
}

void ppp_save(const struct ppp *p, struct wr *w, unsigned tag)
{
	uint8_t *all = rec_open(w, tag), *one;

	rec_u(w, T_FORMAT, FORMAT);
	rec_u(w, T_TAKE, p->conf->take);
	rec_save(w, rows, COUNT(rows), p);
	if (p->authenticator.proto != PPP_AUTH_NONE)
		rec_save(w, authenticator_rows, COUNT(authenticator_rows), p);
	if (p->auth_peer.proto != PPP_AUTH_NONE)
		rec_save(w, auth_peer_rows, COUNT(auth_peer_rows), p);
	for (unsigned i = 0; i < CP_N; i++) {
		if (p->cp[i].state == CP_INITIAL)
			continue;		/* it begins anew, whatever was before */
		one = rec_open(w, T_CP + i);
		rec_save(w, cp_rows, COUNT(cp_rows), &p->cp[i]);
		rec_close(w, one);
	}
	rec_close(w, all);
}

static bool load_cp(struct cp *cp, struct span v)
{
	struct rd r = rd_init(v.p, v.n);
	unsigned tag;

	rec_default(cp_rows, COUNT(cp_rows), cp);
	while (rec_next(&r, &tag, &v))
		if (!rec_load(cp_rows, COUNT(cp_rows), cp, tag, v))
			return false;
	return !r.bad;
}

static bool load_field(struct ppp *p, unsigned tag, struct span v)
{
	uint64_t n;

	if (tag == T_TAKE)
		return rec_number(v, 1, &n) && n == p->conf->take;
	if (tag >= T_CP && tag < T_CP + CP_N)
		return load_cp(&p->cp[tag - T_CP], v);
	return rec_load(rows, COUNT(rows), p, tag, v) && rec_load(authenticator_rows, COUNT(authenticator_rows), p, tag, v) &&
	       rec_load(auth_peer_rows, COUNT(auth_peer_rows), p, tag, v);
}

/* Options that the peer asked for are looked into again before they are believed; ours must be such as we ask for. */
static bool options_fit(const struct ppp *p)
{
	for (unsigned i = 0; i < CP_N; i++) {
		const struct cp_proto *proto = cp_proto((enum cp_which)i);
		unsigned ask = p->cp[i].ask;

		if (!opt_wellformed((struct span){ p->cp[i].req, p->cp[i].req_len }) || ask >> proto->n_rows)
			return false;
		for (unsigned row = 0; ask >> row; row++)
			if (ask >> row & 1 && proto->row[row].mine == OPT_NOWHERE)
				return false;
	}
	return true;
}

static bool consistent(const struct ppp *p)
{
	uint8_t lcp = p->cp[CP_LCP].state;

	if ((p->auth_peer.proto != PPP_AUTH_NONE && !p->has_secret) ||
	    (p->authenticator.proto == PPP_AUTH_NONE) != (p->authenticator.state == AUTH_OFF) ||
	    (p->auth_peer.proto == PPP_AUTH_NONE) != (p->auth_peer.state == AUTH_OFF))
		return false;
	if (lcp < CP_CLOSING || (lcp == CP_OPENED && p->peer_lcp.mru < MRU_MIN))
		return false;
	switch ((enum ppp_phase)p->phase) {
	case PPP_DEAD:
		return false;
	case PPP_ESTABLISH:
		return lcp != CP_OPENED && p->authenticator.proto == PPP_AUTH_NONE && p->auth_peer.proto == PPP_AUTH_NONE;
	case PPP_AUTHENTICATE:
		return lcp == CP_OPENED;
	case PPP_NETWORK:
		/* nobody gets in by a record who would not by his proof */
		return lcp == CP_OPENED && auth_done(p) &&
		       (p->conf->auth[0] == PPP_AUTH_NONE || p->authenticator.state == AUTH_OK);
	case PPP_TERMINATE:
		return lcp != CP_OPENED;
	}
	return false;
}

/* No deadline further away than today's configuration allows, and each where there must be one, so that nothing waits for
 * ever. */
static void set_times(struct ppp *p, ms_t now)
{
	ms_t restart = now + conf_restart_ms(p);
	bool lcp_up = p->cp[CP_LCP].state == CP_OPENED;

	p->now = now;
	p->echo_missed = 0;
	p->echo_deadline = lcp_up && p->conf->echo_ms ? ms_min(p->echo_deadline, now + p->conf->echo_ms) : NEVER;
	p->auth_deadline = p->phase == PPP_ESTABLISH || p->phase == PPP_AUTHENTICATE ?
			   ms_min(p->auth_deadline, now + conf_auth_ms(p)) : NEVER;
	for (unsigned i = 0; i < CP_N; i++)
		p->cp[i].deadline = p->cp[i].state >= CP_CLOSING && p->cp[i].state < CP_OPENED ?
				    ms_min(p->cp[i].deadline, restart) : NEVER;
	p->authenticator.deadline = p->authenticator.state == AUTH_WAIT && p->authenticator.proto > PPP_AUTH_PAP ?
				    ms_min(p->authenticator.deadline, restart) : NEVER;
	p->auth_peer.deadline = p->auth_peer.state == AUTH_WAIT && (p->auth_peer.responded || p->auth_peer.proto == PPP_AUTH_PAP) ?
				ms_min(p->auth_peer.deadline, restart) : NEVER;
}

int ppp_restore(struct ppp *p, ms_t now, struct span record)
{
	struct ppp as_it_was = *p;
	struct rd r = rd_init(record.p, record.n);
	bool known = false, take = false, ok = true;
	uint64_t format;
	struct span v;
	unsigned tag;

	rec_default(rows, COUNT(rows), p);
	rec_default(authenticator_rows, COUNT(authenticator_rows), p);
	rec_default(auth_peer_rows, COUNT(auth_peer_rows), p);
	for (unsigned i = 0; i < CP_N; i++)
		cp_init(&p->cp[i]);
	while (ok && rec_next(&r, &tag, &v)) {
		if (tag == T_FORMAT)
			ok = known = rec_number(v, FORMAT, &format) && format == FORMAT;
		else
			ok = load_field(p, tag, v);
		take = take || tag == T_TAKE;
	}
	if (!ok || r.bad || !known || take != p->conf->take || !options_fit(p) || !consistent(p)) {
		*p = as_it_was;
		return -EBADMSG;
	}
	set_times(p, now);
	wipe(&as_it_was, sizeof(as_it_was));
	return 0;
}
