/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's tunnels and sessions as `ip l2tp show` prints them, where that is the truth, and with more lines and keys where it
 * is not: L2TPv2, pseudowires other than Ethernet. */
#include "cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

struct all {
	struct kobj_tunnel *t;
	struct kobj_session *s;
	unsigned n_t, cap_t, n_s, cap_s;
};

static int keep_tunnel(const struct kobj_tunnel *t, void *arg)
{
	struct all *a = arg;

	if (a->n_t == a->cap_t) {
		a->cap_t = a->cap_t ? 2 * a->cap_t : 64;
		a->t = need(realloc(a->t, a->cap_t * sizeof(*a->t)));
	}
	a->t[a->n_t++] = *t;
	return 0;
}

static int keep_session(const struct kobj_session *s, void *arg)
{
	struct all *a = arg;

	if (a->n_s == a->cap_s) {
		a->cap_s = a->cap_s ? 2 * a->cap_s : 64;
		a->s = need(realloc(a->s, a->cap_s * sizeof(*a->s)));
	}
	a->s[a->n_s++] = *s;
	return 0;
}

static const struct kobj_tunnel *tunnel_of(const struct all *a, uint32_t id)
{
	for (unsigned i = 0; i < a->n_t; i++)
		if (a->t[i].tunnel_id == id)
			return &a->t[i];
	return NULL;
}

static const char *pw_name(uint16_t pw)
{
	switch ((enum kobj_pw)pw) {
	case KOBJ_PW_VLAN:
		return "vlan";
	case KOBJ_PW_ETHERNET:
		return "ethernet";
	case KOBJ_PW_PPP:
		return "ppp";
	case KOBJ_PW_NONE:
		break;
	}
	return "unknown";
}

static const char *on_off(bool on)
{
	return on ? "enabled" : "disabled";
}

static const char *address(const struct k_addr *a, char buf[INET6_ADDRSTRLEN])
{
	if (!a->family || !inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->addr, buf, INET6_ADDRSTRLEN))
		return "?";
	return buf;
}

static char *hex(const uint8_t *p, unsigned len)
{
	char s[17] = "";

	for (unsigned i = 0; i < len; i++)
		sprintf(s + 2 * i, "%02x", p[i]);
	return text("%s", s);
}

/* Counters: name, place. */
#define COUNTER(f) { #f, offsetof(struct kobj_stats, f) }
static const struct { const char *name; size_t off; } counters[] = {
	COUNTER(tx_packets), COUNTER(tx_octets), COUNTER(tx_errors), COUNTER(rx_packets), COUNTER(rx_octets), COUNTER(rx_errors),
	COUNTER(rx_seq_discards), COUNTER(rx_oos_packets), COUNTER(rx_cookie_discards), COUNTER(rx_invalid),
};

enum { N_COUNTERS = sizeof(counters) / sizeof(*counters) };

static uint64_t counter(const struct kobj_stats *s, unsigned i)
{
	uint64_t v;

	memcpy(&v, (const char *)s + counters[i].off, sizeof(v));
	return v;
}

static void print_stats(const struct kobj_stats *s, const char *eol)
{
	printf("%s ", eol);
	for (unsigned i = 0; i < N_COUNTERS; i++)
		printf(" %s %llu", counters[i].name, (unsigned long long)counter(s, i));
}

static json_t *json_stats(const struct kobj_stats *s)
{
	json_t *o = need(json_object());

	for (unsigned i = 0; i < N_COUNTERS; i++)
		json_object_set_new(o, counters[i].name, json_integer((json_int_t)counter(s, i)));
	return o;
}

static void print_tunnel(const struct cli *cli, const struct kobj_tunnel *t)
{
	const char *eol = cli->oneline ? "\\" : "\n";
	char local[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN];

	printf("Tunnel %u, encap %s", t->tunnel_id, t->encap == KOBJ_UDP ? "UDP" : t->encap == KOBJ_IP ? "IP" : "??");
	printf("%s  From %s to %s", eol, address(&t->local, local), address(&t->peer, peer));
	printf("%s  Peer tunnel %u", eol, t->peer_tunnel_id);
	if (t->version != 3 || cli->details)
		printf("%s  version %u", eol, t->version);
	if (t->encap == KOBJ_UDP) {
		printf("%s  UDP source / dest ports: %u/%u", eol, t->local.port, t->peer.port);
		printf("%s  UDP checksum: %s", eol, t->local.family != 6 ? on_off(t->csum) : t->csum6_tx == t->csum6_rx ?
						    on_off(t->csum6_tx) : t->csum6_tx ? "tx" : "rx");
	}
	if (cli->stats)
		print_stats(&t->stats, eol);
	putchar('\n');
}

static json_t *json_tunnel(const struct cli *cli, const struct kobj_tunnel *t)
{
	char local[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN];
	json_t *o = need(json_pack("{s:I, s:s, s:s, s:s, s:I}", "tunnel_id", (json_int_t)t->tunnel_id,
				   "encap", t->encap == KOBJ_UDP ? "UDP" : t->encap == KOBJ_IP ? "IP" : "??",
				   "local", address(&t->local, local), "peer", address(&t->peer, peer),
				   "peer_tunnel", (json_int_t)t->peer_tunnel_id));

	if (t->version != 3 || cli->details)
		json_object_set_new(o, "version", json_integer(t->version));
	if (t->encap == KOBJ_UDP) {
		json_object_set_new(o, "local_port", json_integer(t->local.port));
		json_object_set_new(o, "peer_port", json_integer(t->peer.port));
		if (t->local.family == 6) {
			json_object_set_new(o, "checksum_tx", json_boolean(t->csum6_tx));
			json_object_set_new(o, "checksum_rx", json_boolean(t->csum6_rx));
		} else {
			json_object_set_new(o, "checksum", json_boolean(t->csum));
		}
	}
	if (cli->stats)
		json_object_set_new(o, "stats", json_stats(&t->stats));
	return o;
}

/* Line ends as `ip l2tp` has them: scripts read it. */
static void print_session(const struct cli *cli, const struct kobj_session *s, uint8_t version)
{
	char *cookie = hex(s->cookie, s->cookie_len), *peer_cookie = hex(s->peer_cookie, s->peer_cookie_len);
	const char *eol = cli->oneline ? "\\" : "\n";
	char *name = safe(s->name);

	printf("Session %u in tunnel %u", s->session_id, s->tunnel_id);
	printf("%s  Peer session %u, tunnel %u", eol, s->peer_session_id, s->peer_tunnel_id);
	if (version != 3 || s->pw != KOBJ_PW_ETHERNET || cli->details)
		printf("%s  version %u, pseudowire %s", eol, version, pw_name(s->pw));
	if (*name)
		printf("%s  interface name: %s", eol, name);
	printf("%s  offset 0, peer offset 0%s", eol, eol);
	if (*cookie)
		printf("  cookie %s", cookie);
	if (*peer_cookie)
		printf("  peer cookie %s", peer_cookie);
	if (s->reorder_ms)
		printf("  reorder timeout: %llu", (unsigned long long)s->reorder_ms);
	if (s->send_seq || s->recv_seq)
		printf("%s  sequence numbering:%s%s", eol, s->send_seq ? " send" : "", s->recv_seq ? " recv" : "");
	if (cli->stats)
		print_stats(&s->stats, eol);
	putchar('\n');
	free(name);
	free(cookie);
	free(peer_cookie);
}

static json_t *json_session(const struct cli *cli, const struct kobj_session *s, uint8_t version)
{
	json_t *o = need(json_pack("{s:I, s:I, s:I, s:I}", "session_id", (json_int_t)s->session_id,
				   "tunnel_id", (json_int_t)s->tunnel_id, "peer_session_id", (json_int_t)s->peer_session_id,
				   "peer_tunnel_id", (json_int_t)s->peer_tunnel_id));
	char *cookie = hex(s->cookie, s->cookie_len), *peer_cookie = hex(s->peer_cookie, s->peer_cookie_len);

	if (version != 3 || s->pw != KOBJ_PW_ETHERNET || cli->details) {
		json_object_set_new(o, "version", json_integer(version));
		json_object_set_new(o, "pseudowire", json_string(pw_name(s->pw)));
	}
	if (s->name[0])
		json_object_set_new(o, "interface", json_string(s->name));
	if (*cookie)
		json_object_set_new(o, "cookie", json_string(cookie));
	if (*peer_cookie)
		json_object_set_new(o, "peer_cookie", json_string(peer_cookie));
	if (s->reorder_ms)
		json_object_set_new(o, "reorder_timeout", json_integer((json_int_t)s->reorder_ms));
	if (s->send_seq)
		json_object_set_new(o, "send_seq", json_null());
	if (s->recv_seq)
		json_object_set_new(o, "recv_seq", json_null());
	if (cli->stats)
		json_object_set_new(o, "stats", json_stats(&s->stats));
	free(cookie);
	free(peer_cookie);
	return o;
}

/* The printed ones' number. */
static unsigned show_all(const struct cli *cli, const struct order *o, const struct all *a, json_t *list)
{
	unsigned n = 0;

	for (unsigned i = 0; i < (o->session ? a->n_s : a->n_t); i++) {
		const struct kobj_session *s = o->session ? &a->s[i] : NULL;
		const struct kobj_tunnel *t = s ? tunnel_of(a, s->tunnel_id) : &a->t[i];
		uint8_t version = t ? t->version : 3;

		if ((o->t.tunnel_id && (s ? s->tunnel_id : t->tunnel_id) != o->t.tunnel_id) ||
		    (s && o->s.session_id && s->session_id != o->s.session_id) ||
		    (cli->family && (!t || t->local.family != cli->family)))
			continue;
		n++;
		if (list)
			json_array_append_new(list, s ? json_session(cli, s, version) : json_tunnel(cli, t));
		else if (s)
			print_session(cli, s, version);
		else
			print_tunnel(cli, t);
	}
	return n;
}

int kernel_show(struct cli *cli, const struct order *o)
{
	json_t *list = cli->json ? need(json_array()) : NULL;
	struct all a = { 0 };
	int err, ret = FAILED;
	unsigned n;

	/* Tunnels first: one that goes away in between takes its sessions along. */
	err = kobj_tunnels(&cli->nl, keep_tunnel, &a);
	if (!err && o->session)
		err = kobj_sessions(&cli->nl, keep_session, &a);
	if (err) {
		kernel_refused("show", err);
	} else if (o->t.tunnel_id && !tunnel_of(&a, o->t.tunnel_id)) {
		complain("no tunnel %u; see `ktun show tunnel`", o->t.tunnel_id);
	} else {
		n = show_all(cli, o, &a, list);
		ret = DONE;
		if (!n && o->s.session_id) {
			complain("no session %u; see `ktun show session`", o->s.session_id);
			ret = FAILED;
		} else if (list) {
			print_json(cli, json_incref(list));
		}
	}
	json_decref(list);
	free(a.t);
	free(a.s);
	return ret;
}

static int offer_tunnel(const struct kobj_tunnel *t, void *arg)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", t->tunnel_id);
	command_offer(id, arg);
	return 0;
}

static int offer_session(const struct kobj_session *s, void *arg)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", s->session_id);
	command_offer(id, arg);
	return 0;
}

void kernel_offer_ids(struct cli *cli, bool sessions, const char *typed_)
{
	char *typed = (char *)(uintptr_t)typed_;		/* the callback's prototype; nothing is changed */

	if (sessions)
		kobj_sessions(&cli->nl, offer_session, typed);
	else
		kobj_tunnels(&cli->nl, offer_tunnel, typed);
}
