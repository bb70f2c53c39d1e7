/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktun show: what runs, as tables, in detail, or as JSON. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s) && strlen(s) <= 10;
}

static bool is_null(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return !v || json_is_null(v);
}

static const char *word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static char *brief(const json_t *o, const char *key, enum value kind)
{
	return value_text(o, key, kind, true);
}

/* An id; 0 is none yet. */
static char *id_text(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key)) ? brief(o, key, V_NUMBER) : text("-");
}

/* One line that tells what an operator asks next of a tunnel that is not up. */
static char *tunnel_note(const json_t *o)
{
	char *local = is_null(o, "networks") ? NULL : brief(o, "local_networks", V_TEXT);
	char *remote = is_null(o, "networks") ? NULL : brief(o, "networks", V_TEXT);
	char *next = is_null(o, "next_dial_s") ? NULL : brief(o, "next_dial_s", V_SECONDS);
	char *why = safe(word(o, "last_error"));
	char *s;

	if (next)
		s = text("dials in %s%s%s", next, *why ? ": " : "", why);
	else if (local && !strcmp(word(o, "state"), "established"))
		s = text("IPsec, %s - %s", local, remote);
	else if (strcmp(word(o, "state"), "established") || !json_integer_value(json_object_get(o, "sessions")))
		s = text("%s", *why ? why : "-");
	else
		s = text("-");
	free(local);
	free(remote);
	free(next);
	free(why);
	return s;
}

static char *endpoint(const json_t *o, const char *key)
{
	const json_t *e = json_object_get(o, key);
	char *address = brief(e, "address", V_TEXT);
	json_int_t port = json_integer_value(json_object_get(e, "port"));
	char *s;

	if (!port || port == 1701)
		return address;
	s = text(strchr(address, ':') ? "[%s]:%d" : "%s:%d", address, (int)port);
	free(address);
	return s;
}

static void tunnel_table(const json_t *all)
{
	static const char *const head[] = { ">ID", ">PEER-ID", "NAME", "PEER", "ROLE", "STATE", "REMOTE", ">SESSIONS", ">UP",
					    "NOTE", NULL };
	struct table t = { .head = head };
	const json_t *o;
	size_t i;

	json_array_foreach(all, i, o) {
		table_add(&t, id_text(o, "tunnel_id"));
		table_add(&t, id_text(o, "peer_tunnel_id"));
		table_add(&t, brief(o, "name", V_TEXT));
		table_add(&t, brief(o, "peer", V_TEXT));
		table_add(&t, brief(o, "role", V_TEXT));
		table_add(&t, brief(o, "state", V_TEXT));
		table_add(&t, endpoint(o, "remote"));
		table_add(&t, brief(o, "sessions", V_NUMBER));
		table_add(&t, brief(o, "age_s", V_SECONDS));
		table_add(&t, tunnel_note(o));
	}
	table_print(&t);
}

/* Its name; that of who dialled it, where it is IPsec alone. */
static const char *site_name(const json_t *o)
{
	return is_null(o, "mode") ? "" : word(o, is_null(o, "name") ? "peer" : "name");
}

/* The tunnel of this name, else of this id, else IPsec with the peer of this name; NULL: there is none. */
static json_t *find_tunnel(json_t *all, const char *name)
{
	long long id;
	json_t *o;
	size_t i;

	json_array_foreach(all, i, o)
		if (!strcmp(word(o, "name"), name))
			return o;
	id = is_number(name) ? strtoll(name, NULL, 10) : 0;
	json_array_foreach(all, i, o)
		if (id && json_integer_value(json_object_get(o, "tunnel_id")) == id)
			return o;
	json_array_foreach(all, i, o)
		if (!strcmp(site_name(o), name))
			return o;
	return NULL;
}

/* What charon says of the tunnel's IPsec; tunnel NULL: of all; NULL: said why it cannot be had. */
static json_t *sas_of(struct cli *cli, const json_t *tunnel)
{
	json_t *which = need(json_object());

	if (tunnel && *site_name(tunnel))
		json_object_set_new(which, "name", json_string(site_name(tunnel)));
	else if (tunnel)
		json_object_set(which, "tunnel_id", json_object_get(tunnel, "tunnel_id"));
	return call_list(cli, "ShowSas", "sas", which);
}

/* One object in detail. */
static int show_one(struct cli *cli, const char *what, const char *id_key, json_t *o)
{
	json_int_t tunnel_id = json_integer_value(json_object_get(o, "tunnel_id"));
	json_t *sas = NULL, *sa;
	size_t i;
	char *id;

	if ((tunnel_id || *site_name(o)) && json_is_true(json_object_get(o, "ipsec")))
		sas = sas_of(cli, o);
	if (cli->json) {
		if (json_object_get(o, "ipsec"))
			json_object_set_new(o, "sas", sas ? sas : json_null());
		return print_json(cli, json_incref(o));
	}
	if (!json_integer_value(json_object_get(o, id_key)))
		id_key = is_null(o, "name") ? "peer" : "name";
	id = value_text(o, id_key, V_NUMBER, false);
	printf("%s %s\n", what, id);
	free(id);
	print_object(o, "  ");
	json_array_foreach(sas, i, sa) {
		puts("  sa");
		print_object(sa, "    ");
	}
	json_decref(sas);
	return DONE;
}

int show_tunnels(struct cli *cli, const struct command *c, int argc, char **argv)
{
	int ret = DONE;
	json_t *all, *one;

	if (!words_at_most(c, argc, argv, 1))
		return WRONG_WORDS;
	all = call_list(cli, "ShowTunnels", "tunnels", json_object());
	if (!all)
		return FAILED;
	one = argc ? find_tunnel(all, argv[0]) : NULL;
	if (one) {
		ret = show_one(cli, "tunnel", "tunnel_id", one);
	} else if (argc) {
		complain("no tunnel %s; see `ktun show tunnels`", argv[0]);
		ret = FAILED;
	} else if (cli->json) {
		return print_json(cli, all);
	} else {
		tunnel_table(all);
	}
	json_decref(all);
	return ret;
}

static void session_table(const json_t *all)
{
	static const char *const head[] = { ">ID", "TUNNEL", "USER", "STATE", "ADDRESS", "INTERFACE", ">UP", ">RX", ">TX",
					    "REMOTE", NULL };
	struct table t = { .head = head };
	const json_t *o;
	size_t i;

	json_array_foreach(all, i, o) {
		bool phase = !strcmp(word(o, "state"), "established") && !is_null(o, "phase");

		table_add(&t, brief(o, "session_id", V_NUMBER));
		table_add(&t, brief(o, is_null(o, "tunnel") ? "tunnel_id" : "tunnel", V_NUMBER));
		table_add(&t, brief(o, is_null(o, "user") && !is_null(o, "remote_end_id") ? "remote_end_id" : "user", V_TEXT));
		table_add(&t, brief(o, phase ? "phase" : "state", V_TEXT));
		table_add(&t, brief(o, is_null(o, "pseudowire") || !is_null(o, "peer_ip") ? "peer_ip" : "pseudowire", V_TEXT));
		table_add(&t, brief(o, "interface", V_TEXT));
		table_add(&t, brief(o, "age_s", V_SECONDS));
		table_add(&t, brief(o, "rx_octets", V_OCTETS));
		table_add(&t, brief(o, "tx_octets", V_OCTETS));
		table_add(&t, brief(o, "remote_address", V_TEXT));
	}
	table_print(&t);
}

/* "tunnel T" and "user U" in any order into filter; false: complained. */
static bool session_filter(const struct command *c, int argc, char **argv, json_t *filter)
{
	for (int i = 0; i < argc; i += 2) {
		const char *key = abbreviates(argv[i], "tunnel") ? "tunnel" : abbreviates(argv[i], "user") ? "user" : NULL;

		if (!key) {
			wrong("\"%s\" does not fit; usage: ktun show %s %s", argv[i], c->object, c->args);
			return false;
		}
		if (json_object_get(filter, key)) {
			wrong("\"%s\" is there twice", key);
			return false;
		}
		if (i + 1 == argc) {
			wrong("a word is missing after \"%s\": %s", argv[i],
			      *key == 't' ? "a tunnel's name or id" : "a user's name");
			return false;
		}
		if (json_object_set_new(filter, key, json_string(argv[i + 1]))) {
			wrong("\"%s\" is not UTF-8", argv[i + 1]);
			return false;
		}
	}
	return true;
}

static int show_one_session(struct cli *cli, const char *id)
{
	json_t *answer = call_one(cli, "ShowSession", json_pack("{s:I}", "session_id", (json_int_t)strtoll(id, NULL, 10)),
				  cli->answer_ms, NULL);
	json_t *o = json_object_get(answer, "session");
	int ret = FAILED;

	if (answer && !json_is_object(o))
		complain("ktund's answer has no session");
	else if (answer)
		ret = show_one(cli, "session", "session_id", o);
	json_decref(answer);
	return ret;
}

int show_sessions(struct cli *cli, const struct command *c, int argc, char **argv)
{
	json_t *filter, *all;

	if (argc && is_number(argv[0]))
		return words_at_most(c, argc, argv, 1) ? show_one_session(cli, argv[0]) : WRONG_WORDS;
	if (argc && !strcmp(c->object, "session") && !abbreviates(argv[0], "tunnel") && !abbreviates(argv[0], "user"))
		return wrong("\"%s\" is no session id, which is a number; see `ktun show sessions`", argv[0]);
	filter = need(json_object());
	if (!session_filter(c, argc, argv, filter)) {
		json_decref(filter);
		return WRONG_WORDS;
	}
	all = call_list(cli, "ShowSessions", "sessions", filter);
	if (!all)
		return FAILED;
	if (cli->json)
		return print_json(cli, all);
	session_table(all);
	json_decref(all);
	return DONE;
}

/* The tunnel of this name or id, the caller's; NULL: complained. */
static json_t *protected_tunnel(struct cli *cli, const char *name)
{
	json_t *all = call_list(cli, "ShowTunnels", "tunnels", json_object()), *one = json_incref(find_tunnel(all, name));
	bool there = json_integer_value(json_object_get(one, "tunnel_id")) || *site_name(one);

	if (all && !one)
		complain("no tunnel %s; see `ktun show tunnels`", name);
	else if (all && !there)
		complain("tunnel %s is not there, so nothing protects it; see `ktun show tunnels`", name);
	json_decref(all);
	if (there)
		return one;
	json_decref(one);
	return NULL;
}

static void sa_table(const json_t *all)
{
	static const char *const head[] = { ">ID", "CONNECTION", "REMOTE", "IDENTITY", "NAT", "STATE", "ALGORITHMS", ">UP",
					    ">REKEY", ">RX", ">TX", "TUNNELS", "USERS", NULL };
	struct table t = { .head = head };
	const json_t *o;
	size_t i;

	json_array_foreach(all, i, o) {
		bool child = !is_null(o, "child");

		table_add(&t, brief(o, child ? "child_id" : "ike_id", V_NUMBER));
		table_add(&t, brief(o, "connection", V_TEXT));
		table_add(&t, brief(o, "remote_address", V_TEXT));
		table_add(&t, brief(o, "remote_identity", V_TEXT));
		table_add(&t, brief(o, "nat", V_TEXT));
		table_add(&t, brief(o, child ? "child_state" : "ike_state", V_TEXT));
		table_add(&t, brief(o, child ? "algorithms" : "ike_algorithms", V_TEXT));
		table_add(&t, brief(o, child ? "age_s" : "ike_age_s", V_SECONDS));
		table_add(&t, brief(o, child ? "rekey_s" : "ike_rekey_s", V_SECONDS));
		table_add(&t, brief(o, "rx_octets", V_OCTETS));
		table_add(&t, brief(o, "tx_octets", V_OCTETS));
		table_add(&t, brief(o, "tunnel_ids", V_TEXT));
		table_add(&t, brief(o, "users", V_TEXT));
	}
	table_print(&t);
}

int show_sas(struct cli *cli, const struct command *c, int argc, char **argv)
{
	json_t *tunnel = NULL, *all;

	if (!words_at_most(c, argc, argv, 1))
		return WRONG_WORDS;
	if (argc && !(tunnel = protected_tunnel(cli, argv[0])))
		return FAILED;
	all = sas_of(cli, tunnel);
	json_decref(tunnel);
	if (!all)
		return FAILED;
	if (cli->json)
		return print_json(cli, all);
	sa_table(all);
	json_decref(all);
	return DONE;
}

/* The kernel's words, and nothing but the object, are for the kernel; a name or id is for the daemon. */
static bool for_kernel(int argc, char **argv)
{
	return !argc || words_known(argv[0]) || (argc > 1 && words_known(argv[1]) && !abbreviates(argv[0], "user"));
}

int show_tunnel(struct cli *cli, const struct command *c, int argc, char **argv)
{
	return for_kernel(argc, argv) ? act_show(cli, c, argc + 1, argv - 1) : show_tunnels(cli, c, argc, argv);
}

int show_session(struct cli *cli, const struct command *c, int argc, char **argv)
{
	return for_kernel(argc, argv) ? act_show(cli, c, argc + 1, argv - 1) : show_sessions(cli, c, argc, argv);
}

int show_peers(struct cli *cli, const struct command *c, int argc, char **argv)
{
	static const char *const head[] = { "NAME", "ADDRESS", "HOST-NAME", "PROFILE", ">TUNNELS", ">SESSIONS", ">HALF-OPEN",
					    ">ACCEPTED", ">REFUSED", "LAST-REFUSAL", NULL };
	static const char *const key[] = { "name", "address", "host_name", "profile", "tunnels", "sessions", "half_open",
					   "accepted", "refused", "last_refusal" };
	struct table t = { .head = head };
	json_t *all, *o;
	size_t i;

	if (!words_at_most(c, argc, argv, 0))
		return WRONG_WORDS;
	all = call_list(cli, "ShowPeers", "peers", json_object());
	if (!all)
		return FAILED;
	if (cli->json)
		return print_json(cli, all);
	json_array_foreach(all, i, o)
		for (unsigned k = 0; k < sizeof(key) / sizeof(*key); k++)
			table_add(&t, brief(o, key[k], V_NUMBER));
	table_print(&t);
	json_decref(all);
	return DONE;
}

int show_pools(struct cli *cli, const struct command *c, int argc, char **argv)
{
	static const char *const head[] = { "NAME", ">SIZE", ">USED", ">FREE", ">USE%", "RANGES", NULL };
	struct table t = { .head = head };
	json_t *all, *o;
	size_t i;

	if (!words_at_most(c, argc, argv, 0))
		return WRONG_WORDS;
	all = call_list(cli, "ShowPools", "pools", json_object());
	if (!all)
		return FAILED;
	if (cli->json)
		return print_json(cli, all);
	json_array_foreach(all, i, o) {
		json_int_t size = json_integer_value(json_object_get(o, "size"));
		json_int_t used = json_integer_value(json_object_get(o, "used"));

		table_add(&t, brief(o, "name", V_TEXT));
		table_add(&t, brief(o, "size", V_NUMBER));
		table_add(&t, brief(o, "used", V_NUMBER));
		table_add(&t, brief(o, "free", V_NUMBER));
		table_add(&t, size > 0 ? text("%d", (int)(100. * (double)used / (double)size)) : text("-"));
		table_add(&t, brief(o, "ranges", V_TEXT));
	}
	table_print(&t);
	json_decref(all);
	return DONE;
}

int show_stats(struct cli *cli, const struct command *c, int argc, char **argv)
{
	json_t *answer, *stats, *counters, *rest;
	int ret = FAILED;

	if (!words_at_most(c, argc, argv, 0))
		return WRONG_WORDS;
	answer = call_one(cli, "ShowStats", json_object(), cli->answer_ms, NULL);
	stats = json_object_get(answer, "stats");
	if (answer && !json_is_object(stats)) {
		complain("ktund's answer has no stats");
	} else if (answer && cli->json) {
		ret = print_json(cli, json_incref(stats));
	} else if (answer) {
		rest = need(json_copy(stats));
		json_object_del(rest, "counters");
		print_object(rest, "");
		counters = json_object_get(stats, "counters");
		if (json_object_size(counters))
			puts("counters");
		print_object(counters, "  ");
		json_decref(rest);
		ret = DONE;
	}
	json_decref(answer);
	return ret;
}
