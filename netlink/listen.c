/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listeners: quick, so in the main thread. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "l2tpip.h"
#include "server.h"
#include "udp.h"

static bool same(const struct k_addr *a, const struct k_addr *b)
{
	return !memcmp(a, b, sizeof(*a));
}

void listener_close(const struct listener *l)
{
	close(l->fd);
	if (l->tx >= 0)
		close(l->tx);
}

unsigned listener_fds(const struct listener *l, int fds[2])
{
	fds[0] = l->fd;
	fds[1] = l->tx;
	return l->tx < 0 ? 1 : 2;
}

static void answer_listener(struct keeper *k, const struct origin *from, const struct listener *l)
{
	struct k_reply ok = { 0 };
	int fds[2];
	unsigned n = listener_fds(l, fds);

	answer(k, from, &ok, fds, n);
}

static int open_listener(struct listener *l, const char **ret_call)
{
	int fds[2], err;

	if (l->local.encap == K_IP) {
		err = l2tpip_listen(&l->local, fds, ret_call);
		if (!err) {
			l->fd = fds[0];
			l->tx = fds[1];
		}
		return err;
	}
	l->fd = udp_listen(&l->local, ret_call);
	if (l->fd < 0)
		return l->fd;
	if (!l->local.port)			/* one of its own; known by its real port from now on */
		l->local.port = socket_port(l->fd);
	if (!l->local.port) {			/* nobody could ever close it */
		close(l->fd);
		*ret_call = "getsockname(UDP socket)";
		return -EADDRNOTAVAIL;
	}
	return 0;
}

void listen_on(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	struct listener l = { .local = r->listen.local, .tx = -1 };
	bool own = l.local.encap == K_UDP && !l.local.port;
	char why[WHY_SIZE];
	const char *call;
	int err;

	for (unsigned i = 0; !own && i < k->n_listeners; i++)
		if (same(&k->listener[i].local, &l.local)) {
			k->listener[i].parked = false;
			answer_listener(k, from, &k->listener[i]);
			return;
		}
	if (k->n_listeners == MAX_LISTENERS) {
		answer_result(k, from, -ENOSPC, "too many listeners");
		return;
	}
	err = open_listener(&l, &call);
	if (err) {
		why_fail(why, err, call, NULL);
		say(k, "listener: %s", why);
		answer_result(k, from, err, why);
		return;
	}
	k->listener[k->n_listeners++] = l;
	answer_listener(k, from, &l);
}

static bool tunnels_use(const struct keeper *k, const struct k_addr *local)
{
	for (unsigned id = 1; id < 65536; id++) {
		const struct tunnel *t = table_tunnel(k->table, id);

		if (t && same(&t->was->tunnel.local, local))
			return true;
	}
	return false;
}

static void forget(struct keeper *k, struct listener *l)
{
	listener_close(l);
	*l = k->listener[--k->n_listeners];
}

/* A reuseport group whose first member is a tunnel's socket would hand strangers to it: while tunnels use the address,
 * the listener stays, and nobody reads it. */
void listen_no_more(struct keeper *k, const struct origin *from, const struct k_request *r)
{
	for (unsigned i = 0; i < k->n_listeners; i++) {
		struct listener *l = &k->listener[i];

		if (!same(&l->local, &r->listen.local) || l->parked)
			continue;
		l->parked = l->local.encap == K_UDP && tunnels_use(k, &l->local);
		if (!l->parked)
			forget(k, l);
		answer_result(k, from, 0, "");
		return;
	}
	answer_result(k, from, -ENOENT, "no such listener");
}

void listen_tunnel_gone(struct keeper *k, const struct k_addr *local)
{
	for (unsigned i = 0; i < k->n_listeners; i++)
		if (k->listener[i].parked && same(&k->listener[i].local, local)) {
			if (!tunnels_use(k, local))
				forget(k, &k->listener[i]);
			return;
		}
}
