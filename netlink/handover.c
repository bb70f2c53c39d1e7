/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record is kind, length, and fields of tag, length and octets; all numbers in host order (same machine).  Numbers
 * travel as 64 bits, so that a wider member reads what a narrower one wrote.  Tags are for ever: a member that goes
 * leaves a gap, one that comes gets a new tag. */
#include "handover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "server.h"
#include "wire.h"

static const char magic[16] = "ktund-keeper 1\n";

enum form { NUMBER, FLAG, OCTETS };
enum kind { REC_KEEPER = 1, REC_LISTENER, REC_TUNNEL, REC_SESSION, REC_PIN, REC_HOOK, REC_ETH,
	    REC_GUARD = HANDOVER_OPTIONAL + 2 };	/* 1: of rules without an MTU */
enum { TAG_ROUTE = 900 };

struct row { uint16_t tag; uint8_t form; uint16_t at, size; };
#define ROW(tag, form, type, member) { tag, form, offsetof(type, member), sizeof(((type *)0)->member) }
#define ROWS(table) table, sizeof(table) / sizeof(table[0])

static const struct row keeper_rows[] = {
	ROW(1, NUMBER, struct keeper, client),
	ROW(2, NUMBER, struct keeper, listen),
	ROW(3, NUMBER, struct keeper, lock),
	ROW(4, NUMBER, struct keeper, checkpoints),
	ROW(5, NUMBER, struct keeper, gen),
	ROW(6, FLAG, struct keeper, greeted),
	ROW(7, NUMBER, struct keeper, client_version),
	ROW(8, NUMBER, struct keeper, upgrade.serial),
	/* new numbers whenever the rules of the gate change: its table is used as it is */
	ROW(HANDOVER_OPTIONAL + 1, NUMBER, struct keeper, gate.fd),
	ROW(HANDOVER_OPTIONAL + 2, NUMBER, struct keeper, gate.tag),
};

static const struct row listener_rows[] = {
	ROW(1, OCTETS, struct listener, local),
	ROW(2, NUMBER, struct listener, fd),
	ROW(3, FLAG, struct listener, parked),
	ROW(4, NUMBER, struct listener, tx),
};

static const struct row tunnel_rows[] = {
	ROW(1, NUMBER, struct tunnel, alias),
	ROW(2, FLAG, struct tunnel, gone),
	ROW(3, NUMBER, struct tunnel, fd),
	ROW(4, NUMBER, struct tunnel, slot),
	ROW(HANDOVER_OPTIONAL + 1, NUMBER, struct tunnel, old_mark),
};

static const struct row session_rows[] = {
	ROW(1, FLAG, struct session, gone),
	ROW(2, NUMBER, struct session, in.pppox),
	ROW(3, NUMBER, struct session, in.channel),
	ROW(4, NUMBER, struct session, in.unit_fd),
	ROW(5, NUMBER, struct session, in.ifindex),
	ROW(6, NUMBER, struct session, in.unit),
	ROW(7, OCTETS, struct session, in.name),
	ROW(8, NUMBER, struct session, in.mtu),
	ROW(9, FLAG, struct session, in.pinned),
	ROW(10, NUMBER, struct session, in.eth_tunnel),
	ROW(11, NUMBER, struct session, in.eth_session),
	ROW(12, FLAG, struct session, in.away),
	ROW(HANDOVER_OPTIONAL + 1, FLAG, struct session, link_down),
	ROW(HANDOVER_OPTIONAL + 2, NUMBER, struct session, in.nsid),
};

static const struct row pin_rows[] = {
	ROW(1, OCTETS, struct pin, peer),
	ROW(2, NUMBER, struct pin, mark),
	ROW(3, NUMBER, struct pin, users),
	ROW(4, FLAG, struct pin, ours),
	ROW(5, OCTETS, struct pin, route.dst),
	ROW(6, OCTETS, struct pin, route.gateway),
	ROW(7, NUMBER, struct pin, route.prefix_len),
	ROW(8, FLAG, struct pin, route.has_gateway),
	ROW(9, NUMBER, struct pin, route.ifindex),
	ROW(10, NUMBER, struct pin, route.metric),
	ROW(11, NUMBER, struct pin, slot),
};

static const struct row hook_rows[] = {
	ROW(1, NUMBER, struct hook, pid),
	ROW(2, NUMBER, struct hook, fd),
	ROW(3, NUMBER, struct hook, deadline),
	ROW(4, FLAG, struct hook, killed),
	ROW(5, NUMBER, struct hook, from.op),
	ROW(6, NUMBER, struct hook, from.id),
	ROW(7, NUMBER, struct hook, from.gen),
	ROW(8, NUMBER, struct hook, from.tunnel_id),
	ROW(9, NUMBER, struct hook, from.session_id),
};

/* The remembered requests.  Who adds a member there adds a row here: test_handover counts the octets. */
static const struct row tunnel_request_rows[] = {
	ROW(101, NUMBER, struct k_request, tunnel_id),
	ROW(102, OCTETS, struct k_request, tunnel.local),
	ROW(103, OCTETS, struct k_request, tunnel.peer),
	ROW(104, NUMBER, struct k_request, tunnel.peer_tunnel_id),
	ROW(105, NUMBER, struct k_request, tunnel.mark),
	ROW(106, FLAG, struct k_request, tunnel.no_csum),
	ROW(107, FLAG, struct k_request, tunnel.v3),
};

#define WIRE_ROWS(tag, wire) \
	ROW((tag), NUMBER, struct k_request, wire.session_id), \
	ROW((tag) + 1, NUMBER, struct k_request, wire.peer_session_id), \
	ROW((tag) + 2, NUMBER, struct k_request, wire.l2spec), \
	ROW((tag) + 3, NUMBER, struct k_request, wire.tx_cookie_len), \
	ROW((tag) + 4, NUMBER, struct k_request, wire.rx_cookie_len), \
	ROW((tag) + 5, OCTETS, struct k_request, wire.tx_cookie), \
	ROW((tag) + 6, OCTETS, struct k_request, wire.rx_cookie)

static const struct row session_request_rows[] = {
	ROW(101, NUMBER, struct k_request, tunnel_id),
	ROW(102, NUMBER, struct k_request, session_id),
	ROW(103, NUMBER, struct k_request, session.peer_session_id),
	ROW(104, FLAG, struct k_request, session.lns_mode),
	ROW(105, FLAG, struct k_request, session.send_seq),
	ROW(106, FLAG, struct k_request, session.recv_seq),
	ROW(107, OCTETS, struct k_request, session.name),
	ROW(108, NUMBER, struct k_request, session.link.mtu),
	ROW(109, NUMBER, struct k_request, session.link.mru),
	ROW(110, FLAG, struct k_request, session.link.up),
	ROW(111, FLAG, struct k_request, session.link.ipv4),
	ROW(112, FLAG, struct k_request, session.link.ipv6),
	ROW(113, FLAG, struct k_request, session.link.pin_peer),
	ROW(114, NUMBER, struct k_request, session.link.ip),
	ROW(115, NUMBER, struct k_request, session.link.peer_ip),
	ROW(116, NUMBER, struct k_request, session.link.ifid),
	ROW(117, NUMBER, struct k_request, session.link.peer_ifid),
	ROW(118, FLAG, struct k_request, session.link.no_ipv4),
	ROW(119, FLAG, struct k_request, session.link.no_ipv6),
	WIRE_ROWS(120, session.wire),
};

static const struct row eth_request_rows[] = {
	ROW(101, NUMBER, struct k_request, tunnel_id),
	ROW(102, NUMBER, struct k_request, session_id),
	WIRE_ROWS(103, eth.wire),
	ROW(110, FLAG, struct k_request, eth.up),
	ROW(111, NUMBER, struct k_request, eth.mtu),
	ROW(112, OCTETS, struct k_request, eth.name),
	ROW(113, FLAG, struct k_request, eth.send_seq),
	ROW(114, FLAG, struct k_request, eth.recv_seq),
	ROW(115, NUMBER, struct k_request, eth.vlan),
	ROW(116, OCTETS, struct k_request, eth.bridge),
	ROW(117, OCTETS, struct k_request, eth.vrf),
	ROW(118, OCTETS, struct k_request, eth.netns),
	ROW(HANDOVER_OPTIONAL + 3, FLAG, struct k_request, eth.dormant),
};

static const struct row hook_request_rows[] = {
	ROW(101, NUMBER, struct k_request, hook.len),
	ROW(102, NUMBER, struct k_request, hook.argc),
	ROW(103, NUMBER, struct k_request, hook.envc),
	ROW(104, OCTETS, struct k_request, hook.text),
};

static const struct row guard_request_rows[] = {
	ROW(101, NUMBER, struct k_request, guard.n),
	ROW(102, OCTETS, struct k_request, guard.rule),
};

static const struct row route_rows[] = {
	ROW(1, OCTETS, struct k_route, dst),
	ROW(2, NUMBER, struct k_route, prefix_len),
	ROW(3, NUMBER, struct k_route, metric),
};

/* Writing */

struct out { uint8_t *p; size_t len, room; bool failed; };

static void put(struct out *o, const void *p, size_t len)
{
	if (o->failed)
		return;
	if (o->room - o->len < len) {
		size_t room = (o->room + len) * 2 + 4096;
		uint8_t *more = realloc(o->p, room);

		if (!more) {
			o->failed = true;
			return;
		}
		o->p = more;
		o->room = room;
	}
	memcpy(o->p + o->len, p, len);
	o->len += len;
}

static void put_head(struct out *o, uint16_t tag, size_t len)
{
	uint16_t l = (uint16_t)len;

	put(o, &tag, sizeof(tag));
	put(o, &l, sizeof(l));
}

/* Octets go only as far as they are not zero: a hook's text has room for 8 KiB. */
static void put_rows(struct out *o, const struct row *rows, size_t n, const void *base)
{
	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = (const uint8_t *)base + rows[i].at;
		size_t size = rows[i].size;
		uint64_t number = 0;

		if (rows[i].form != OCTETS) {
			memcpy((uint8_t *)&number + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 8 - size : 0), p, size);
			p = (const uint8_t *)&number;
			size = sizeof(number);
		}
		while (rows[i].form == OCTETS && size && !p[size - 1])
			size--;
		put_head(o, rows[i].tag, size);
		put(o, p, size);
	}
}

static size_t begin(struct out *o, uint32_t kind)
{
	uint32_t head[2] = { kind, 0 };

	put(o, head, sizeof(head));
	return o->len;
}

static void end(struct out *o, size_t from)
{
	uint32_t len = (uint32_t)(o->len - from);

	if (!o->failed)
		memcpy(o->p + from - sizeof(len), &len, sizeof(len));
}

static void put_hook(struct out *o, const struct hook *h)
{
	struct k_request whole = { 0 };
	size_t at = begin(o, REC_HOOK);

	memcpy(&whole, h->request, k_request_size(h->request, sizeof(*h->request)));
	put_rows(o, ROWS(hook_rows), h);
	put_rows(o, ROWS(hook_request_rows), &whole);
	end(o, at);
}

static void put_session(struct out *o, const struct session *s)
{
	size_t at = begin(o, s->was->op == K_ETH_UP ? REC_ETH : REC_SESSION);

	put_rows(o, ROWS(session_rows), s);
	if (s->was->op == K_ETH_UP) {
		put_rows(o, ROWS(eth_request_rows), s->was);
		end(o, at);
		return;
	}
	put_rows(o, ROWS(session_request_rows), s->was);
	for (unsigned i = 0; i < s->was->session.link.n_routes; i++) {
		struct out one = { 0 };

		put_rows(&one, ROWS(route_rows), &s->was->session.link.route[i]);
		put_head(o, TAG_ROUTE, one.len);
		put(o, one.p, one.len);
		o->failed |= one.failed;
		free(one.p);
	}
	end(o, at);
}

uint8_t *handover_make(const struct keeper *k, size_t *ret_len)
{
	struct out o = { 0 };
	size_t at;

	put(&o, magic, sizeof(magic));
	at = begin(&o, REC_KEEPER);
	put_rows(&o, ROWS(keeper_rows), k);
	end(&o, at);
	for (unsigned i = 0; i < k->n_listeners; i++) {
		at = begin(&o, REC_LISTENER);
		put_rows(&o, ROWS(listener_rows), &k->listener[i]);
		end(&o, at);
	}
	for (unsigned id = 1; id < 65536; id++) {
		const struct tunnel *t = table_tunnel(k->table, id);

		if (!t)
			continue;
		at = begin(&o, REC_TUNNEL);
		put_rows(&o, ROWS(tunnel_rows), t);
		put_rows(&o, ROWS(tunnel_request_rows), t->was);
		end(&o, at);
	}
	for (unsigned id = 1; id < 65536; id++)
		if (table_session(k->table, id))
			put_session(&o, table_session(k->table, id));
	for (const struct pin *p = k->pins.first; p; p = p->next) {
		at = begin(&o, REC_PIN);
		put_rows(&o, ROWS(pin_rows), p);
		end(&o, at);
	}
	for (const struct hook *h = k->hooks; h; h = h->next)
		put_hook(&o, h);
	for (const struct hook *h = k->hook_first; h; h = h->next)
		put_hook(&o, h);
	if (k->guards) {
		struct k_request whole = { 0 };

		memcpy(&whole, k->guards, k_request_size(k->guards, sizeof(*k->guards)));
		at = begin(&o, REC_GUARD);
		put_rows(&o, ROWS(guard_request_rows), &whole);
		end(&o, at);
	}
	if (o.failed) {
		free(o.p);
		return NULL;
	}
	*ret_len = o.len;
	return o.p;
}

/* Reading */

struct in { const uint8_t *p; size_t left; };

static const uint8_t *take(struct in *in, size_t len)
{
	const uint8_t *p = in->p;

	if (in->left < len)
		return NULL;
	in->p += len;
	in->left -= len;
	return p;
}

static int refuse(char *why, const char *what, unsigned number)
{
	snprintf(why, WHY_SIZE, "the record of the keeper before has %s (%u): it is newer than this one, or damaged", what, number);
	return -EPROTO;
}

static bool take_row(const struct row *r, void *base, const uint8_t *p, size_t len)
{
	uint8_t *to = (uint8_t *)base + r->at;
	uint64_t number;

	if (r->form == OCTETS) {
		if (len > r->size)
			return false;
		memset(to, 0, r->size);
		memcpy(to, p, len);
		return true;
	}
	if (len != sizeof(number))
		return false;
	memcpy(&number, p, sizeof(number));
	if ((r->size < 8 && number >> (r->size * 8)) || (r->form == FLAG && number > 1))
		return false;
	memcpy(to, (uint8_t *)&number + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 8 - r->size : 0), r->size);
	return true;
}

struct target { const struct row *rows; size_t n; void *base; };

/* The next field that is nobody's row but known to the caller by its tag (want) is handed back: 1.  0: the end. */
static int take_rows(struct in *in, const struct target *t, unsigned n_targets, uint16_t want, struct in *ret, char *why)
{
	while (in->left) {
		const uint8_t *head = take(in, 4), *p;
		uint16_t tag, len;
		bool known = false;

		if (!head)
			return refuse(why, "a field cut short", 0);
		memcpy(&tag, head, 2);
		memcpy(&len, head + 2, 2);
		p = take(in, len);
		if (!p)
			return refuse(why, "a field cut short", tag);
		if (want && tag == want) {
			*ret = (struct in){ p, len };
			return 1;
		}
		for (unsigned i = 0; i < n_targets; i++)
			for (size_t j = 0; j < t[i].n; j++)
				if (t[i].rows[j].tag == tag) {
					known = true;
					if (!take_row(&t[i].rows[j], t[i].base, p, len))
						return refuse(why, "a field of another size", tag);
				}
		if (!known && tag < HANDOVER_OPTIONAL)
			return refuse(why, "an unknown field", tag);
	}
	return 0;
}

static int judge(const struct k_request *r, char *why)
{
	return check_request(r, k_request_size(r, sizeof(*r)), why);
}

static int take_tunnel(struct keeper *k, struct in *in, char *why)
{
	struct k_request r = { .op = K_TUNNEL_UP };
	struct tunnel t = { 0 }, *made;
	struct target to[] = { { ROWS(tunnel_rows), &t }, { ROWS(tunnel_request_rows), &r } };
	int err = take_rows(in, to, 2, 0, NULL, why);

	if (!err)
		err = judge(&r, why);
	if (!err && table_tunnel(k->table, r.tunnel_id))
		err = refuse(why, "a tunnel twice", r.tunnel_id);
	if (err)
		return err;
	made = table_add_tunnel(k->table, &r);
	if (!made)
		return -ENOMEM;
	made->alias = t.alias;
	made->old_mark = t.old_mark;
	made->gone = t.gone;
	made->fd = t.fd;
	made->slot = t.slot;
	made->state = OBJECT_UP;
	return 0;
}

/* The session of a record whose fields were taken. */
static int remake_session(struct keeper *k, const struct k_request *r, const struct session *s, char *why)
{
	struct session *made;
	int err = judge(r, why);

	if (!err && (!table_tunnel(k->table, r->tunnel_id) || table_session(k->table, r->session_id)))
		err = refuse(why, "a session twice, or without its tunnel", r->session_id);
	if (err)
		return err;
	made = table_add_session(k->table, r);
	if (!made)
		return -ENOMEM;
	made->gone = s->gone;
	made->in = s->in;
	made->in.ifindex = 0;
	made->in.name[sizeof(made->in.name) - 1] = 0;
	made->state = OBJECT_UP;
	table_set_link(k->table, made, s->in.ifindex);
	table_link_down(k->table, made, s->link_down);
	return 0;
}

static int take_eth(struct keeper *k, struct in *in, char *why)
{
	struct k_request r = { .op = K_ETH_UP };
	struct session s = { 0 };
	struct target to[] = { { ROWS(session_rows), &s }, { ROWS(eth_request_rows), &r } };
	int err = take_rows(in, to, 2, 0, NULL, why);

	return err ? err : remake_session(k, &r, &s, why);
}

static int take_session(struct keeper *k, struct in *in, char *why)
{
	struct k_request r = { .op = K_SESSION_UP };
	struct session s = { 0 };
	struct k_link *l = &r.session.link;
	struct in route;
	struct target to[] = { { ROWS(session_rows), &s }, { ROWS(session_request_rows), &r } };
	int err;

	while ((err = take_rows(in, to, 2, TAG_ROUTE, &route, why)) == 1) {
		struct target one = { ROWS(route_rows), NULL };

		if (l->n_routes == K_MAX_ROUTES)
			return refuse(why, "more routes than fit", r.session_id);
		one.base = &l->route[l->n_routes++];
		err = take_rows(&route, &one, 1, 0, NULL, why);
		if (err)
			return err;
	}
	return err ? err : remake_session(k, &r, &s, why);
}

static int take_pin(struct keeper *k, struct in *in, char *why)
{
	struct pin *p = calloc(1, sizeof(*p));
	struct target to = { ROWS(pin_rows), p };
	int err = p ? take_rows(in, &to, 1, 0, NULL, why) : -ENOMEM;

	if (err) {
		free(p);
		return err;
	}
	p->next = k->pins.first;
	k->pins.first = p;
	return 0;
}

static int take_hook(struct keeper *k, struct in *in, char *why)
{
	struct hook *h = calloc(1, sizeof(*h));
	struct k_request *r = calloc(1, sizeof(*r));
	struct target to[] = { { ROWS(hook_rows), h }, { ROWS(hook_request_rows), r } };
	int err = -ENOMEM;

	if (h && r) {
		r->op = K_HOOK;
		err = take_rows(in, to, 2, 0, NULL, why);
		if (!err)
			err = judge(r, why);
		if (!err && !(h->request = request_copy(r)))
			err = -ENOMEM;
	}
	free(r);
	if (err) {
		free(h);
		return err;
	}
	hook_put(k, h);
	return 0;
}

static int take_guard(struct keeper *k, struct in *in, char *why)
{
	struct k_request r = { .op = K_GUARD };
	struct target to = { ROWS(guard_request_rows), &r };
	int err = take_rows(in, &to, 1, 0, NULL, why);

	if (!err && r.guard.n > K_MAX_GUARDS)
		err = refuse(why, "more rules than fit", r.guard.n);
	if (!err)
		err = judge(&r, why);
	if (err)
		return err;
	free(k->guards);
	k->guards = request_copy(&r);
	return k->guards ? 0 : -ENOMEM;
}

static int take_listener(struct keeper *k, struct in *in, char *why)
{
	struct target to = { ROWS(listener_rows), &k->listener[k->n_listeners] };

	if (k->n_listeners == MAX_LISTENERS)
		return refuse(why, "more listeners than fit", MAX_LISTENERS);
	k->listener[k->n_listeners++].tx = -1;
	return take_rows(in, &to, 1, 0, NULL, why);
}

int handover_take(struct keeper *k, const uint8_t *record, size_t len, char *why)
{
	struct in in = { record, len };
	const uint8_t *p = take(&in, sizeof(magic));
	int err = 0;

	why[0] = 0;
	if (!p || memcmp(p, magic, sizeof(magic)))
		return refuse(why, "another format", (unsigned)len);
	while (in.left && !err) {
		struct target self = { ROWS(keeper_rows), k };
		const uint8_t *head = take(&in, 8);
		struct in one = { 0 };
		uint32_t h[2];

		if (head)
			memcpy(h, head, sizeof(h));
		if (head && (one.p = take(&in, h[1])))
			one.left = h[1];
		else
			return refuse(why, "a part cut short", (unsigned)in.left);
		switch (h[0]) {
		case REC_KEEPER:
			err = take_rows(&one, &self, 1, 0, NULL, why);
			break;
		case REC_LISTENER:
			err = take_listener(k, &one, why);
			break;
		case REC_TUNNEL:
			err = take_tunnel(k, &one, why);
			break;
		case REC_SESSION:
			err = take_session(k, &one, why);
			break;
		case REC_ETH:
			err = take_eth(k, &one, why);
			break;
		case REC_PIN:
			err = take_pin(k, &one, why);
			break;
		case REC_HOOK:
			err = take_hook(k, &one, why);
			break;
		case REC_GUARD:
			err = take_guard(k, &one, why);
			break;
		default:	/* a number from the record */
			if (h[0] < HANDOVER_OPTIONAL)
				err = refuse(why, "an unknown part", h[0]);
			break;
		}
	}
	if (err == -ENOMEM)
		snprintf(why, WHY_SIZE, "no memory");
	return err;
}

void handover_fds(const struct keeper *k, void (*each)(int fd, void *arg), void *arg)
{
	int own[] = { k->client, k->listen, k->lock, k->checkpoints, k->gate.fd };

	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		each(own[i], arg);
	for (unsigned i = 0; i < k->n_listeners; i++) {
		each(k->listener[i].fd, arg);
		each(k->listener[i].tx, arg);
	}
	for (unsigned id = 1; id < 65536; id++) {
		const struct tunnel *t = table_tunnel(k->table, id);
		const struct session *s = table_session(k->table, id);

		if (t)
			each(t->fd, arg);
		if (s) {
			each(s->in.pppox, arg);
			each(s->in.channel, arg);
			each(s->in.unit_fd, arg);
		}
	}
	for (const struct hook *h = k->hooks; h; h = h->next)
		each(h->fd, arg);
}
