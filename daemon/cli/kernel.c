/* SPDX-License-Identifier: GPL-2.0-or-later */
/* add, delete and show of the kernel's own tunnels and sessions: no daemon is asked. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlink/holder.h"
#include "netlink/netns.h"
#include "netlink/why.h"
#include "words.h"

enum op { OP_ANY, OP_ADD_TUNNEL, OP_ADD_SESSION, OP_FIND };

/* What an errno means here, in the order in which it is looked for. */
static const struct remedy { enum op op; int err; const char *text; } remedies[] = {
	{ OP_ANY,	  ENOENT,	   "the kernel has no L2TP (modprobe l2tp_netlink)" },
	{ OP_ANY,	  EPERM,	   "that takes CAP_NET_ADMIN" },
	{ OP_FIND,	  ENODEV,	   "there is none with this id; see `ktun show tunnel`, `ktun show session`" },
	{ OP_ADD_TUNNEL,  EEXIST,	   "the tunnel id is taken; see `ktun show tunnel`" },
	{ OP_ADD_TUNNEL,  EADDRINUSE,	   "another socket has this address and port, or this id" },
	{ OP_ADD_TUNNEL,  EADDRNOTAVAIL,   "no interface has the local address" },
	{ OP_ADD_TUNNEL,  ENETUNREACH,	   "there is no route to the remote address" },
	{ OP_ADD_TUNNEL,  EHOSTUNREACH,	   "there is no route to the remote address" },
	{ OP_ADD_TUNNEL,  EPROTONOSUPPORT, "the kernel has no L2TP over IP (modprobe l2tp_ip l2tp_ip6)" },
	{ OP_ADD_TUNNEL,  ESOCKTNOSUPPORT, "the kernel has no L2TP over IP (modprobe l2tp_ip l2tp_ip6)" },
	{ OP_ADD_SESSION, EEXIST,	   "the session id or the interface's name is taken; see `ktun show session`, `ip link`" },
	{ OP_ADD_SESSION, ENODEV,	   "the tunnel is going away" },
	{ OP_ADD_SESSION, EPROTONOSUPPORT, "the kernel has no such pseudowire (modprobe l2tp_eth l2tp_ppp; none has \"vlan\": "
					   "an Ethernet one carries VLAN tags as they are)" },
};

static const char *meaning(enum op op, int err)
{
	for (unsigned i = 0; i < sizeof(remedies) / sizeof(*remedies); i++)
		if (remedies[i].err == -err && (remedies[i].op == OP_ANY || remedies[i].op == op))
			return remedies[i].text;
	return strerror(-err);
}

static int refused(const struct cli *cli, enum op op, const char *what, uint32_t id, int err)
{
	const char *text = meaning(op, err);

	complain("%s %u: %s%s%s", what, id, text, cli->nl.text[0] ? ": " : "", cli->nl.text);
	return FAILED;
}

void kernel_refused(const char *what, int err)
{
	complain("%s: %s", what, meaning(OP_ANY, err));
}

/* add */

static bool wants_place(const struct attach *a)
{
	return a->netns || a->vrf || a->bridge || a->mtu || a->up;
}

static int add_session(struct cli *cli, struct order *o, uint8_t version)
{
	struct kobj_session made;
	char why[WHY_SIZE];
	int err = kobj_session_add(&cli->nl, &o->s, version);

	if (err)
		return refused(cli, OP_ADD_SESSION, "session", o->s.session_id, err);
	if (!wants_place(&o->a))
		return DONE;
	err = kobj_session_get(&cli->nl, o->s.tunnel_id, o->s.session_id, &made);
	if (err)
		snprintf(why, sizeof(why), "%s", strerror(-err));
	else
		err = attach_link(&cli->nl, made.name, &o->a, why);
	if (!err)
		return DONE;
	kobj_session_delete(&cli->nl, o->s.tunnel_id, o->s.session_id);
	complain("session %u: %s; it was not added", o->s.session_id, why);
	return FAILED;
}

static bool is_ktund(const struct holder *h)
{
	return !strncmp(h->name, "ktund", 5);
}

/* Whatever can be known to be wrong before anything is changed. */
static int check_session(struct cli *cli, struct order *o, uint8_t *ret_version)
{
	struct kobj_tunnel t = o->t;
	char why[WORDS_WHY];
	struct holder h;
	int err;

	if (!o->tunnel) {
		err = kobj_tunnel_get(&cli->nl, o->s.tunnel_id, &t);
		if (err)
			return refused(cli, OP_FIND, "tunnel", o->s.tunnel_id, err);
		if (o->s.peer_tunnel_id && o->s.peer_tunnel_id != t.peer_tunnel_id) {
			complain("tunnel %u: its peer_tunnel_id is %u, not %u", t.tunnel_id, t.peer_tunnel_id, o->s.peer_tunnel_id);
			return FAILED;
		}
		if (!words_fit_version(o, t.version, why))
			return wrong("%s", why);
		if (holder_find(&t, &h) && is_ktund(&h)) {	/* its keeper would soon take the session away */
			complain("tunnel %u is no static one: %s (pid %d) has it, and only what is negotiated is in it; with "
				 "\"remote_end_id TEXT\" ktund negotiates a session", t.tunnel_id, h.name, (int)h.pid);
			return FAILED;
		}
	}
	*ret_version = t.version;
	if (wants_place(&o->a) && attach_check(&o->a, why)) {
		complain("session %u: %s", o->s.session_id, why);
		return FAILED;
	}
	return DONE;
}

static int add(struct cli *cli, struct order *o)
{
	uint8_t version = 3;
	int ret = o->session && !o->negotiate ? check_session(cli, o, &version) : DONE;
	int err;

	if (ret)
		return ret;
	if (o->negotiate && o->tunnel && !kobj_tunnel_get(&cli->nl, o->t.tunnel_id, &o->t))
		return refused(cli, OP_ADD_TUNNEL, "tunnel", o->t.tunnel_id, -EEXIST);
	if (o->negotiate && o->a.netns) {		/* it has the same name for the keeper */
		err = netns_open(o->a.netns);
		if (err == -ENOENT) {
			complain("network namespace %s: %s", o->a.netns, strerror(ENOENT));
			return FAILED;
		}
		if (err >= 0)
			close(err);
	}
	if (o->negotiate)
		return ordered_add(cli, o);
	if (o->tunnel) {
		err = kobj_tunnel_add(&cli->nl, &o->t);
		if (err)
			return refused(cli, OP_ADD_TUNNEL, "tunnel", o->t.tunnel_id, err);
	}
	ret = o->session ? add_session(cli, o, version) : DONE;
	if (ret && o->tunnel)
		kobj_tunnel_delete(&cli->nl, o->t.tunnel_id);
	return ret;
}

/* delete */

static int delete(struct cli *cli, const struct order *o)
{
	uint32_t id = o->t.tunnel_id, sid = o->session ? o->s.session_id : 0;
	struct kobj_session s;
	struct kobj_tunnel t;
	struct holder h;
	int err;

	if (o->remote_end_id)
		return ordered_delete(cli, o);
	err = kobj_tunnel_get(&cli->nl, id, &t);
	/* of L2TP over IP nobody can tell who has the socket */
	if (!o->force && (err || t.encap == KOBJ_IP || holder_find(&t, &h)) && ordered_deleted(cli, o))
		return DONE;
	if (err)
		return refused(cli, OP_FIND, "tunnel", id, err);
	err = sid ? kobj_session_get(&cli->nl, id, sid, &s) : 0;
	if (err)
		return refused(cli, OP_FIND, "session", sid, err);
	if (!o->force && holder_find(&t, &h)) {
		const char *instead = !is_ktund(&h) ? "" : sid ? "`ktun disconnect session N` ends it, " :
				      "`ktun down tunnel NAME` ends it, ";

		complain("tunnel %u is no static one: %s (pid %d) speaks for it; %s\"force\" deletes the kernel's %s all the same",
			 id, h.name, (int)h.pid, instead, sid ? "session" : "tunnel");
		return FAILED;
	}
	err = sid ? kobj_session_delete(&cli->nl, id, sid) : kobj_tunnel_delete(&cli->nl, id);
	return err ? refused(cli, OP_FIND, sid ? "session" : "tunnel", sid ? sid : id, err) : DONE;
}

/* Entry */

int kernel_parse(struct cli *cli, enum order_verb verb, int argc, char **argv, struct order *ret)
{
	char why[WORDS_WHY];

	if (!words_parse(verb, argc, argv, cli->family, ret, why))
		return wrong("%s", why);
	if ((ret->negotiate || ret->remote_end_id) && (cli->away || cli->netns))
		return wrong("-n does not fit what is negotiated: it is in the network namespace of its ktund (--runtime-dir)");
	return DONE;
}

static int run(struct cli *cli, enum order_verb verb, int argc, char **argv)
{
	struct order o;
	int ret = kernel_parse(cli, verb, argc, argv, &o);

	if (ret)
		return ret;
	for (unsigned i = 0; i < o.n_notes; i++)
		complain("%s", o.note[i]);
	switch (verb) {
	case ORDER_ADD:
		return add(cli, &o);
	case ORDER_DELETE:
		return delete(cli, &o);
	case ORDER_SHOW:
		break;
	}
	return kernel_show(cli, &o);
}

int act_add(struct cli *cli, const struct command *c, int argc, char **argv)
{
	(void)c;
	return run(cli, ORDER_ADD, argc, argv);
}

int act_delete(struct cli *cli, const struct command *c, int argc, char **argv)
{
	(void)c;
	return run(cli, ORDER_DELETE, argc, argv);
}

int act_show(struct cli *cli, const struct command *c, int argc, char **argv)
{
	(void)c;
	return run(cli, ORDER_SHOW, argc, argv);
}

int kernel_netns(const char *name)
{
	int err, fd = netns_open(name);

	err = fd < 0 ? fd : netns_enter(fd);
	if (!err)
		return DONE;
	complain("network namespace %s: %s", name, strerror(-err));
	return FAILED;
}
