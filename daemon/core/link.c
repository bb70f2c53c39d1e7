/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PPP frames take two ways: in L2TP data messages over the tunnel's UDP socket until
 * the kernel has the session, through the channel and unit of /dev/ppp from then
 * on.  What was under way during the switch arrives on either and is the same. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/listener.h"
#include "core/path.h"
#include "core/session.h"
#include "core/turn.h"
#include "core/version.h"
#include "netlink/pppio.h"

enum { FRAME_MAX = 2048, FRAMES_A_TURN = 4, PPP_CCP_FRAGMENT = 0x80fb };

bool link_init(struct session *s)
{
	const struct policy *p = s->policy;

	s->ppp_on = !ppp_init(&s->ppp, &s->ctx->env, &p->ppp, s->as ? s->as->user : p->auth_password ? p->ppp.auth_name : NULL,
			      s->as ? s->as->password : p->auth_password);
	s->ppp.path_mru = path_mru(s);
	return s->ppp_on;
}

void link_tx(struct session *s, uint16_t proto, const void *info, size_t len)
{
	struct ctx *ctx = s->ctx;
	struct tunnel *t = s->tunnel;
	uint8_t buf[DATA_HEADER_MAX + FRAME_MAX];
	size_t at;

	if (s->channel >= 0) {
		/* the kernel's own cut: below 0xc000 is the unit's, the rest the channel's */
		turn_frame(ctx, proto >= 0xc000 || proto == PPP_CCP_FRAGMENT ? s->channel : s->unit, proto, info, len);
	} else if (len > FRAME_MAX || !(at = t->v->data_header(s, buf, proto))) {
		ctx->count.ppp_tx_lost++;	/* as if the wire had lost it: PPP sends again */
	} else {
		memcpy(buf + at, info, len);
		turn_datagram(ctx, t, buf, at + len);
	}
}

static void frames(struct session *s, int fd)
{
	struct ctx *ctx = s->ctx;
	uint16_t id = s->id, proto;
	uint8_t buf[FRAME_MAX];

	for (unsigned n = 0; n < FRAMES_A_TURN; n++) {
		ssize_t len = pppio_read(fd, &proto, buf, sizeof(buf));

		if (len == -EAGAIN)
			return;
		if (len == -EMSGSIZE || len == -EBADMSG)
			continue;
		if (len < 0) {
			session_kernel_lost(s, len == -EPIPE ? "its interface or kernel session was deleted" : strerror((int)-len));
			return;
		}
		session_frame(s, proto, buf, (size_t)len);
		if (ctx->session[id] != s || s->channel < 0)
			return;				/* that frame ended it */
	}
}

static void channel_readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct session *s = w->data;

	(void)ev;
	(void)revents;
	frames(s, s->channel);
}

static void unit_readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct session *s = w->data;

	(void)ev;
	(void)revents;
	frames(s, s->unit);
}

void link_attach(struct session *s, int channel, int unit)
{
	s->channel = channel;
	s->unit = unit;
	io_start(&s->ctx->loop, &s->channel_rx, channel, channel_readable, s);
	io_start(&s->ctx->loop, &s->unit_rx, unit, unit_readable, s);
}

void link_detach(struct session *s)
{
	turn_close(s->ctx, &s->channel_rx, &s->channel);
	turn_close(s->ctx, &s->unit_rx, &s->unit);
}

static bool add_route(struct k_link *l, const struct policy *p, const struct addr *dst)
{
	struct k_route *r;

	if (l->n_routes == K_MAX_ROUTES)
		return false;
	r = &l->route[l->n_routes++];
	r->dst.family = dst->family;
	memcpy(r->dst.addr, dst->a, sizeof(r->dst.addr));
	r->prefix_len = dst->prefix_len;
	r->metric = p->route_metric;
	return true;
}

void link_describe(const struct session *s, uint8_t parts, struct k_link *l)
{
	const struct policy *p = s->policy;
	bool v4 = parts & LINK_IPV4, v6 = parts & LINK_IPV6;

	*l = (struct k_link){ .mtu = s->mtu, .mru = p->ppp.mru, .ipv4 = v4, .ipv6 = v6, .up = v4 || v6 };
	if (v4) {
		l->ip = s->addrs.ip;
		l->peer_ip = s->addrs.peer_ip;
	}
	if (v6) {
		l->ifid = s->addrs.ifid;
		l->peer_ifid = s->addrs.peer_ifid;
	}
	if (v4 && p->default_route)
		(void)add_route(l, p, &(struct addr){ .family = 4 });
	if (v6 && p->default_route)
		(void)add_route(l, p, &(struct addr){ .family = 6 });
	for (unsigned i = 0; i < p->n_routes; i++)
		if ((p->route[i].family == 4 && v4) || (p->route[i].family == 6 && v6))
			(void)add_route(l, p, &p->route[i]);
	l->pin_peer = l->n_routes;
}
