/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/record.h"

#include <string.h>

#include "core/listener.h"
#include "core/turn.h"
#include "core/version.h"
#include "l2tp/save.h"
#include "ppp/save.h"

enum { FORMAT = 1 };

/* Fields that are no plain members. */
enum { T_FORMAT = 1, T_FROM, T_AS, T_CC, T_LISTEN, T_PROTECTED, T_VERSION };
enum { S_FORMAT = 1, S_TUNNEL, S_USER, S_AS, S_CALL, S_PPP, S_ETHERNET };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ROW(tag, kind, member) REC_ROW(tag, kind, struct tunnel, member)
#define MAX(tag, member, max) REC_MAX(tag, struct tunnel, member, max)

static const struct rec_row tunnel_rows[] = {
	MAX(10, kernel, KS_GONE), ROW(11, REC_BOOL, down), ROW(12, REC_BOOL, gone), ROW(13, REC_U, mark),
	ROW(14, REC_TIME, since), ROW(15, REC_U, up_since),
	ROW(20, REC_U, local.family), ROW(21, REC_U, local.port), ROW(22, REC_U, local.scope), ROW(23, REC_OCTETS, local.addr),
	ROW(24, REC_U, peer.family), ROW(25, REC_U, peer.port), ROW(26, REC_U, peer.scope), ROW(27, REC_OCTETS, peer.addr),
	MAX(28, local.encap, ENCAP_IP), MAX(29, peer.encap, ENCAP_IP),
	ROW(30, REC_U, cause.result), ROW(31, REC_U, cause.error), ROW(32, REC_BOOL, cause.by_peer),
	ROW(33, REC_BOOL, cause.timeout), ROW(34, REC_U, cause.ppp_code), ROW(35, REC_U, cause.ppp_proto),
	ROW(36, REC_TEXT, cause.msg),
	ROW(40, REC_U, reqid),
};

static const struct rec_row endpoint_rows[] = {
	REC_ROW(1, REC_U, struct endpoint, family), REC_ROW(2, REC_U, struct endpoint, port),
	REC_ROW(3, REC_U, struct endpoint, scope), REC_ROW(4, REC_OCTETS, struct endpoint, addr),
	REC_ROW(5, REC_U, struct endpoint, encap),
};

#undef ROW
#undef MAX
#define ROW(tag, kind, member) REC_ROW(tag, kind, struct session, member)
#define MAX(tag, member, max) REC_MAX(tag, struct session, member, max)

static const struct rec_row session_rows[] = {
	MAX(10, kernel, KS_GONE), MAX(11, wanted, 15), MAX(12, asked, 15), MAX(13, applied, 15), MAX(14, outdated, 15),
	MAX(15, ready, 7), ROW(16, REC_BOOL, ppp_down), ROW(17, REC_BOOL, call_down), ROW(18, REC_BOOL, ending),
	ROW(19, REC_BOOL, up), ROW(20, REC_BOOL, hooked), ROW(21, REC_BOOL, waiting_address), ROW(22, REC_BOOL, counted),
	ROW(23, REC_BOOL, hanging_up), ROW(24, REC_BOOL, counting), ROW(25, REC_BOOL, admitted), MAX(26, end, PPP_END_RESOURCES),
	MAX(27, auth, PPP_AUTH_N - 1), ROW(28, REC_OCTETS, reply),
	ROW(30, REC_U, addrs.ip), ROW(31, REC_U, addrs.peer_ip), ROW(32, REC_U, addrs.dns[0]), ROW(33, REC_U, addrs.dns[1]),
	ROW(34, REC_U, addrs.wins[0]), ROW(35, REC_U, addrs.wins[1]), ROW(36, REC_U, addrs.ifid), ROW(37, REC_U, addrs.peer_ifid),
	ROW(40, REC_U, leased), ROW(41, REC_U, mtu), ROW(42, REC_TIME, since), ROW(43, REC_TIME, up_at),
	ROW(44, REC_TIME, traffic_at), ROW(45, REC_U, counted_at), ROW(46, REC_U, up_since), ROW(47, REC_TEXT, why),
	ROW(48, REC_U, ifindex), ROW(49, REC_TEXT, ifname),
	ROW(50, REC_U, stats.rx_packets), ROW(51, REC_U, stats.rx_octets), ROW(52, REC_U, stats.rx_errors),
	ROW(53, REC_U, stats.tx_packets), ROW(54, REC_U, stats.tx_octets), ROW(55, REC_U, stats.tx_errors),
	ROW(56, REC_BOOL, no_address), ROW(57, REC_BOOL, stranger),
};

void record_tunnel(const struct tunnel *t, struct wr *w)
{
	uint8_t *opened;

	rec_u(w, T_FORMAT, FORMAT);
	if (t->as)
		rec_octets(w, T_AS, t->as->name, strlen(t->as->name));
	else
		rec_octets(w, T_FROM, t->from->name, strlen(t->from->name));
	rec_u(w, T_PROTECTED, tunnel_protected(t));
	rec_u(w, T_VERSION, t->v->number);
	rec_save(w, tunnel_rows, COUNT(tunnel_rows), t);
	opened = rec_open(w, T_LISTEN);
	rec_save(w, endpoint_rows, COUNT(endpoint_rows), &t->listener->local);
	rec_close(w, opened);
	t->v->save(&t->cc, w, T_CC);
}

bool session_has_link(const struct session *s)
{
	return s->ppp_on && !s->ppp_down && (s->up || ppp_to_be_saved(&s->ppp));
}

void record_session(const struct session *s, struct wr *w)
{
	uint8_t *opened;

	rec_u(w, S_FORMAT, FORMAT);
	rec_u(w, S_TUNNEL, s->tunnel->id);
	rec_u(w, S_ETHERNET, is_ethernet(s->policy));
	if (s->user)
		rec_octets(w, S_USER, s->user, strlen(s->user));
	if (s->as) {				/* its name may be "" */
		opened = rec_open(w, S_AS);
		wr_bytes(w, s->as->name, strlen(s->as->name));
		rec_close(w, opened);
	}
	rec_save(w, session_rows, COUNT(session_rows), s);
	cc_call_save(&s->tunnel->cc, &s->call, w, S_CALL);
	if (session_has_link(s))
		ppp_save(&s->ppp, w, S_PPP);
}

static bool is_format(struct span v)
{
	uint64_t n;

	return rec_number(v, FORMAT, &n) && n == FORMAT;
}

static bool read_endpoint(struct span v, struct endpoint *e)
{
	struct rd r = rd_init(v.p, v.n);
	unsigned tag;

	while (rec_next(&r, &tag, &v))
		if (!rec_load(endpoint_rows, COUNT(endpoint_rows), e, tag, v))
			return false;
	return !r.bad;
}

static bool is_address(const struct endpoint *e)
{
	return (e->family == 4 || e->family == 6) && (e->encap == ENCAP_IP || e->port);
}

bool record_read_tunnel(struct span record, uint16_t id, struct tunnel_record *ret)
{
	struct rd r = rd_init(record.p, record.n);
	bool ok = true, known = false;
	uint64_t n = 2;				/* who wrote none knew no other */
	struct span v;
	unsigned tag;

	memset(ret, 0, sizeof(*ret));
	rec_default(tunnel_rows, COUNT(tunnel_rows), &ret->t);
	while (ok && rec_next(&r, &tag, &v)) {
		switch (tag) {
		case T_FORMAT: ok = known = is_format(v); break;
		case T_FROM: ret->from = v; break;
		case T_AS: ret->as = v; break;
		case T_CC: ret->cc = v; break;
		case T_LISTEN: ok = read_endpoint(v, &ret->listen); break;
		case T_PROTECTED: ret->protected = v.n; break;
		case T_VERSION: ok = rec_number(v, 3, &n); break;
		default: ok = rec_load(tunnel_rows, COUNT(tunnel_rows), &ret->t, tag, v); break;
		}
	}
	ret->t.id = id;
	ret->version = (uint8_t)n;
	return ok && known && !r.bad && !ret->from.n != !ret->as.n && ret->cc.n && is_address(&ret->t.local) &&
	       is_address(&ret->t.peer) && is_address(&ret->listen) && ret->t.local.family == ret->t.peer.family &&
	       ret->listen.family == ret->t.local.family && (!ret->t.gone || ret->t.down);
}

bool record_read_session(struct span record, struct session_record *ret)
{
	struct rd r = rd_init(record.p, record.n);
	bool ok = true, known = false, ethernet = false;
	uint64_t n = 0;
	struct span v;
	unsigned tag;

	memset(ret, 0, sizeof(*ret));
	rec_default(session_rows, COUNT(session_rows), &ret->s);
	while (ok && rec_next(&r, &tag, &v)) {
		switch (tag) {
		case S_FORMAT: ok = known = is_format(v); break;
		case S_TUNNEL: ok = rec_number(v, UINT16_MAX, &n); break;
		case S_USER: ret->user = v; ok = !memchr(v.p, 0, v.n); break;
		case S_AS: ret->as = v; ret->dialled = true; break;
		case S_CALL: ret->call = v; break;
		case S_PPP: ret->ppp = v; break;
		case S_ETHERNET: ethernet = v.n; break;
		default: ok = rec_load(session_rows, COUNT(session_rows), &ret->s, tag, v); break;
		}
	}
	ret->tunnel_id = (uint16_t)n;
	return ok && known && !r.bad && ret->call.n && ret->s.ending == ret->s.call_down &&
	       (ret->user.n || (!ret->s.counted && !ret->s.waiting_address)) &&
	       (ret->ppp.n || ethernet || !ret->s.up || ret->s.ending);
}
