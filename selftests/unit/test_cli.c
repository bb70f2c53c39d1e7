/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktun as its users see it: the built program, run against a ktund that this test plays. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stub.h"

static void test_show_tunnels(void **state)
{
	static const char table[] =
		"ID  PEER-ID  NAME    PEER    ROLE  STATE        REMOTE              SESSIONS     UP  NOTE\n"
		"17       42  branch  -       lac   established  198.51.100.7               1  1h02m  -\n"
		"99        -  17      anyone  lac   idle         [2001:db8::1]:1702         0      -  "
		"dials in 8s: no answer to SCCRQ\n";

	(void)state;
	KTUN("show", "tunnels");
	stub_expect(0, table, "");
	assert_string_equal(stub.asked, "ShowTunnels{} ");
	KTUN("s", "t");
	stub_expect(0, table, "");
	KTUN("-j", "show", "tunnels");
	stub_expect_json("[" TUNNEL_17 "," TUNNEL_99 "]");
	assert_null(strchr(stub.out, '\x1b'));
}

static void test_show_tunnel(void **state)
{
	(void)state;
	KTUN("show", "tunnel", "branch");
	stub_expect(0,
	       "tunnel 17\n"
	       "  tunnel_id          17\n"
	       "  peer_tunnel_id     42\n"
	       "  name               branch\n"
	       "  role               lac\n"
	       "  state              established\n"
	       "  local              192.0.2.1 port 40000\n"
	       "  remote             198.51.100.7 port 1701\n"
	       "  peer_host_name     lns\\x1b[31m\n"
	       "  version            2\n"
	       "  sessions           1\n"
	       "  up_since           2023-11-14 22:13:20 +0000\n"
	       "  age_s              3725s (1h02m)\n"
	       "  ns                 5\n"
	       "  nr                 6\n", "");
	KTUN("-j", "show", "tunnel", "99");
	stub_expect_json(TUNNEL_99);
	KTUN("-j", "show", "tunnel", "17");		/* a name goes before an id */
	stub_expect_json(TUNNEL_99);
	KTUN("show", "tunnel", "nowhere");
	stub_expect(1, "", "ktun: no tunnel nowhere; see `ktun show tunnels`\n");
}

static void test_show_sessions(void **state)
{
	(void)state;
	KTUN("show", "sessions");
	stub_expect(0,
	       "ID  TUNNEL  USER                                       "
	       "STATE         ADDRESS     INTERFACE     UP    RX    TX  REMOTE\n"
	       " 7  branch  alice                                      "
	       "network       10.10.0.10  ppp0         59s  1.2M  1023  198.51.100.7\n"
	       " 8  21      \\xe2\\x80\\xaeevil\\x0a\\x1b]0;x\\x07$(reboot)  "
	       "wait-connect  -           -          1d01h     -     -  203.0.113.9\n",
	       "");
	KTUN("show", "sessions", "user", "alice", "tun", "branch");
	assert_int_equal(stub.status, 0);
	assert_true(!strcmp(stub.asked, "ShowSessions{\"user\":\"alice\",\"tunnel\":\"branch\"} ") ||
		    !strcmp(stub.asked, "ShowSessions{\"tunnel\":\"branch\",\"user\":\"alice\"} "));
	KTUN("show", "sessions", "-j");
	stub_expect_json("[" SESSION_7 "," SESSION_8 "]");
	KTUN("show", "sessions", "-j", "-p");
	stub_expect_json("[" SESSION_7 "," SESSION_8 "]");
	assert_non_null(strstr(stub.out, "\n        \"session_id\": 7,\n"));
}

static void test_show_session(void **state)
{
	(void)state;
	KTUN("show", "session", "7");
	stub_expect(0,
	       "session 7\n"
	       "  session_id         7\n"
	       "  tunnel_id          17\n"
	       "  tunnel             branch\n"
	       "  state              established\n"
	       "  phase              network\n"
	       "  user               alice\n"
	       "  interface          ppp0\n"
	       "  peer_ip            10.10.0.10\n"
	       "  dns                10.10.0.1, 10.10.0.2\n"
	       "  magic              0xdeadbeef\n"
	       "  pfc                yes\n"
	       "  acfc               no\n"
	       "  tx_speed           100000000 bit/s (100.0 Mbit/s)\n"
	       "  rx_octets          1234567 (1.2 MiB)\n"
	       "  tx_octets          1023\n"
	       "  age_s              59s\n"
	       "  remote_address     198.51.100.7\n"
	       "  mtu                1400\n", "");
	assert_string_equal(stub.asked, "ShowSession{\"session_id\":7} ");
	KTUN("-j", "sh", "session", "7");
	stub_expect_json(SESSION_7);
	stub.error = "org.ktund.NotFound";
	stub.params = "{\"kind\":\"session\",\"name\":\"18\"}";
	KTUN("show", "session", "18");
	stub_expect(1, "", "ktun: no session 18; see `ktun show sessions`\n");
	KTUN("-j", "show", "session", "18");
	stub_expect(1, "", "ktun: no session 18; see `ktun show sessions`\n");
}

static void test_show_others(void **state)
{
	(void)state;
	KTUN("show", "peers");
	stub_expect(0,
	       "NAME    ADDRESS    HOST-NAME  PROFILE        TUNNELS  SESSIONS  HALF-OPEN  ACCEPTED  REFUSED  LAST-REFUSAL\n"
	       "anyone  0.0.0.0/0  -          remote-access        2         3          0        12        1  wrong secret\n", "");
	KTUN("show", "pools");
	stub_expect(0,
	       "NAME   SIZE  USED  FREE  USE%  RANGES\n"
	       "staff   245    49   196    20  10.10.0.10-10.10.0.254\n", "");
	KTUN("show", "stats");
	stub_expect(0,
	       "version              0.1\n"
	       "pid                  12\n"
	       "uptime_s             61s (1m01s)\n"
	       "loop_stall_ms        1.500\n"
	       "rss_kb               4096\n"
	       "keeper               pid 13, tunnels 1, sessions 2\n"
	       "counters\n"
	       "  rx_messages                1000\n"
	       "  sent_octets                2048 (2.0 KiB)\n"
	       "  a_counter_with_a_long_name 1\n", "");
	KTUN("-j", "show", "peers");
	assert_non_null(strstr(stub.out, "\"limits\":{\"half-open\":8}"));
	KTUN("-j", "show", "pools");
	assert_non_null(strstr(stub.out, "\"ranges\":[\"10.10.0.10-10.10.0.254\"]"));
	KTUN("-j", "show", "stats");
	assert_non_null(strstr(stub.out, "\"counters\":{\"rx_messages\":1000,\"sent_octets\":2048,"));
}

static void test_actions(void **state)
{
	(void)state;
	KTUN("up", "tunnel", "branch");
	stub_expect(0, "tunnel branch: up\n", "");
	assert_string_equal(stub.asked, "TunnelUp{\"name\":\"branch\"} ");
	KTUN("down", "tunnel", "branch");
	stub_expect(0, "tunnel branch: down\n", "");
	assert_string_equal(stub.asked, "TunnelDown{\"name\":\"branch\"} ");
	KTUN("disconnect", "session", "7");
	stub_expect(0, "session 7: disconnected\n", "");
	assert_string_equal(stub.asked, "DisconnectSession{\"session_id\":7} ");
	KTUN("disconnect", "session", "7", "reason", "unpaid bill");
	assert_string_equal(stub.asked, "DisconnectSession{\"session_id\":7,\"reason\":\"unpaid bill\"} ");
	KTUN("disconnect", "user", "--", "-j");
	stub_expect(0, "user -j: 3 sessions disconnected\n", "");
	assert_string_equal(stub.asked, "DisconnectUser{\"user\":\"-j\"} ");
	KTUN("reload");
	stub_expect(0, "added    peer lac-7: profile remote-access\nkept     tunnel branch\n", "");
	assert_string_equal(stub.asked, "Reload{\"dry_run\":false} ");
	KTUN("reload", "--dry-run");
	stub_expect(0, "a reload would bring:\nadded    peer lac-7: profile remote-access\nkept     tunnel branch\n", "");
	assert_string_equal(stub.asked, "Reload{\"dry_run\":true} ");
	KTUN("shutdown");
	stub_expect(0, "ended 2 tunnels, 5 sessions\n", "ktun: 1 tunnels, 4 sessions left ...\n");
	KTUN("version");
	stub_expect(0, "ktun 0.1, ktund 0.1\n", "");
	KTUN("-j", "version");
	stub_expect_json("{\"ktun\":\"0.1\",\"ktund\":\"0.1\"}");
	KTUN("log", "level", "deb");
	stub_expect(0, "log level: debug\n", "");
	assert_string_equal(stub.asked, "SetLogLevel{\"level\":\"debug\"} ");
	KTUN("-j", "shutdown");
	stub_expect_json("{\"tunnels\":2,\"sessions\":5}");
}

/* Whatever the daemon refuses: status 1, the reason on stderr, nothing on stdout. */
static void test_refusals(void **state)
{
	static const struct { const char *error, *params, *err; } row[] = {
		{ "org.ktund.NotFound", "{\"kind\":\"tunnel\",\"name\":\"x\"}", "ktun: no tunnel x; see `ktun show tunnels`\n" },
		{ "org.ktund.Refused", "{\"reason\":\"it is up\\u001b[2J\"}", "ktun: refused: it is up\\x1b[2J\n" },
		{ "org.ktund.NotReady", "{\"reason\":\"no keeper\"}", "ktun: not ready: no keeper\n" },
		{ "org.ktund.PermissionDenied", "{\"reason\":\"not you\"}", "ktun: permission denied: not you\n" },
		{ "org.ktund.InvalidConfig", "{\"errors\":[\"a.conf:3: no pool x\",\"a.conf:9: }\"]}",
		  "ktun: a.conf:3: no pool x\nktun: a.conf:9: }\nktun: the configuration has 2 mistakes; nothing was changed\n" },
		{ "org.varlink.service.MethodNotFound", "{\"method\":\"org.ktund.TunnelUp\"}",
		  "ktun: this ktund does not know org.ktund.TunnelUp: are ktun and ktund of one version?\n" },
		{ "org.else.Odd", "{\"n\":1}", "ktun: org.else.Odd {\"n\":1}\n" },
		{ "org.ktund.Refused", NULL, "ktun: refused: ?\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		stub.error = row[i].error;
		stub.params = row[i].params;
		KTUN("up", "tunnel", "x");
		stub_expect(1, "", row[i].err);
	}
	KTUN("show", "sessions");
	stub_expect(1, "", "ktun: refused: ?\n");
}

/* Status 2, the wrong word named, and the daemon never asked. */
static void test_wrong_words(void **state)
{
	static const char what_fits[] = "tunnels tunnel sessions session sas peers pools stats";
	static const struct { const char *word[5], *says[2]; } row[] = {
		{ { "frobnicate" }, { "\"frobnicate\"", "show add delete up down disconnect reload monitor shutdown version" } },
		{ { "show", "tunel" }, { "\"tunel\"", what_fits } },
		{ { "show" }, { "missing after \"show\"", what_fits } },
		{ { "show", "peers", "all" }, { "\"all\" is one word too many", "ktun show peers" } },
		{ { "show", "session", "abc" }, { "\"abc\" is no session id", "ktun show sessions" } },
		{ { "show", "sessions", "peer", "x" }, { "\"peer\"", "[tunnel N|NAME] [user NAME]" } },
		{ { "show", "sessions", "user" }, { "missing after \"user\"", "user's name" } },
		{ { "show", "sessions", "user", "a", "u" }, { "\"user\" is there twice", "" } },
		{ { "show", "session", "7", "8" }, { "\"8\" is one word too many", "" } },
		{ { "up", "session", "7" }, { "\"session\"", "tunnel" } },
		{ { "up", "tunnel" }, { "name is missing", "ktun show tunnels" } },
		{ { "up", "tunnel", "a", "b" }, { "\"b\" is one word too many", "" } },
		{ { "disconnect", "session" }, { "session id is missing", "" } },
		{ { "disconnect", "session", "0" }, { "\"0\" is no session id", "" } },
		{ { "disconnect", "session", "7x" }, { "\"7x\" is no session id", "" } },
		{ { "disconnect", "session", "7", "why" }, { "\"why\"", "reason TEXT" } },
		{ { "disconnect", "session", "7", "reason" }, { "missing after \"reason\"", "" } },
		{ { "disconnect", "user" }, { "name is missing", "" } },
		{ { "reload", "now" }, { "\"now\"", "--dry-run" } },
		{ { "shutdown", "--dry-run" }, { "--dry-run does not fit \"shutdown\"", "" } },
		{ { "monitor", "x" }, { "\"x\"", "" } },
		{ { "log", "level", "loud" }, { "\"loud\"", "debug" } },
		{ { "add" }, { "missing after \"add\"", "tunnel session" } },
		{ { "a", "tunnel", "mut", "5" }, { "\"mut\" does not fit \"add tunnel\"", "ktun add tunnel --help" } },
		{ { "l2tp", "del", "tunnel" }, { "\"tunnel_id ID\" is missing", "" } },
		{ { "d", "session", "tid", "1" }, { "\"session_id ID\" is missing", "ktun delete session --help" } },
		{ { "show", "session", "sid", "x" }, { "\"x\" is no id", "" } },
		{ { "list", "tunnel", "sid", "1" }, { "\"session_id\" does not fit \"show tunnel\"", "" } },
		{ { "l2tp" }, { "missing after \"l2tp\"", "add delete show" } },
		{ { "l2tp", "show", "tunnel", "7" }, { "\"7\" does not fit \"show tunnel\"", "" } },
		{ { "l2tp", "show", "tunnels" }, { "\"tunnels\" does not fit", "" } },
		{ { "-color=red", "show", "tunnel" }, { "\"-color=red\" is no option", "" } },
		{ { "-n", "blue", "show", "sessions" }, { "-n does not fit \"show sessions\"", "" } },
		{ { "-4", "up", "tunnel", "x" }, { "-4 does not fit \"up tunnel\"", "" } },
		{ { "-f", "inet7", "show", "tunnel" }, { "\"inet7\" is no family", "inet inet6" } },
		{ { "show", "tunnel", "-n" }, { "missing after \"-n\"", "" } },
		{ { "-batch", "/dev/null", "show" }, { "\"show\" is one word too many", "/dev/null" } },
		{ { "show", "stats", "--frob" }, { "\"--frob\" is no option", "--help" } },
		{ { "show", "stats", "--timeout", "soon" }, { "\"soon\"", "seconds" } },
		{ { "show", "stats", "--runtime-dir" }, { "missing after \"--runtime-dir\"", "" } },
		{ { "show", "\x1b[2J" }, { "\"\\x1b[2J\"", what_fits } },
		{ { "up", "tunnel", "" }, { "", "" } },
	};

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(row) / sizeof(*row); i++) {
		const char *const *w = row[i].word;

		KTUN(w[0], w[1], w[2], w[3], w[4]);
		stub_expect(2, "", NULL);
		if (strncmp(stub.err, "ktun: ", 6) || !strstr(stub.err, row[i].says[0]) || !strstr(stub.err, row[i].says[1]))
			fail_msg("row %zu says: %s", i, stub.err);
		assert_string_equal(stub.asked, "");
	}
	KTUN(NULL);
	assert_int_equal(stub.status, 2);
	assert_string_equal(stub.out, "");
	assert_non_null(strstr(stub.err, "Usage: ktun"));
}

static void test_no_daemon(void **state)
{
	char want[512];

	(void)state;
	KTUN("--runtime-dir", "/nonexistent", "show", "sessions");
	stub_expect(1, "", "ktun: ktund does not answer at /nonexistent/control: is it running? "
	       "start: ktund --config /etc/ktund/ktund.conf --runtime-dir /nonexistent\n");
	KTUN("--runtime-dir=/nonexistent", "shutdown");
	assert_int_equal(stub.status, 1);
	vl_free(stub.vl);			/* the file of a dead daemon */
	stub.vl = NULL;
	KTUN("show", "tunnels");
	snprintf(want, sizeof(want), "ktun: ktund does not answer at %s: is it running? "
		 "start: ktund --config /etc/ktund/ktund.conf --runtime-dir %s\n", stub.path, stub.dir);
	stub_expect(1, "", want);
	unlink(stub.path);
	unsetenv("KTUND_RUNTIME_DIR");
	KTUN("--runtime-dir", stub.dir, "show", "tunnels");
	stub_expect(1, "", want);
}

static void test_silent_daemon(void **state)
{
	(void)state;
	stub.silent = true;
	KTUN("--timeout", "0.2", "show", "session", "7");
	assert_int_equal(stub.status, 1);
	assert_non_null(strstr(stub.err, "within 0.2 s"));
	KTUN("--timeout", "0.2", "up", "tunnel", "branch");
	stub_expect(1, "", "ktun: waiting for the tunnel to come up: not within 0.2 s\n");
	KTUN("--timeout", "0.2", "show", "tunnels");
	assert_int_equal(stub.status, 1);
	assert_non_null(strstr(stub.err, "within 0.2 s"));
}

/* A list longer than any socket buffer arrives whole. */
static void many(void *arg, struct vl_call *call, void *cursor)
{
	int *left = cursor;

	(void)arg;
	if ((*left)--)
		vl_reply_more(call, json_pack("{s:[{s:i, s:i, s:s}]}", "sessions", "session_id", 29999 - *left,
					      "tunnel_id", 1, "user", "u"));
	else
		vl_reply(call, json_pack("{s:[]}", "sessions"));	/* frees the cursor */
}

static void h_many(void *arg, struct vl_call *call, json_t *params)
{
	int *cursor = malloc(sizeof(*cursor));

	(void)arg;
	(void)params;
	*cursor = 30000;
	vl_pull(call, many, cursor);
}

static void test_long_list(void **state)
{
	static const struct vl_method m[] = { { "org.ktund.ShowSessions", h_many, false, false }, { 0 } };
	struct vl_service s = stub_service;
	json_t *got;

	(void)state;
	vl_free(stub.vl);
	s.method = m;
	stub.vl = vl_new(stub.loop, vl_listen(stub.path, 0600, (gid_t)-1), &s);
	KTUN("-j", "show", "sessions", "user", "u");
	assert_int_equal(stub.status, 0);
	got = json_loads(stub.out, 0, NULL);
	assert_int_equal(json_array_size(got), 30000);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(got, 29999), "session_id")), 29999);
	json_decref(got);
}

static void test_monitor(void **state)
{
	const char *const text[] = { stub.ktun, "monitor", NULL }, *const json[] = { stub.ktun, "-j", "monitor", NULL };
	char *nl;
	json_t *first;

	(void)state;
	stub_run(text, "nothing changed");
	stub_expect(0,
	       "2023-11-14 22:13:20.250 session up tunnel_id 17, session_id 7: Opened\\x1b[0m\n"
	       "2023-11-14 22:13:21.000 ktund reload: nothing changed file=a.conf\n", "");
	stub_run(json, "nothing changed");
	assert_int_equal(stub.status, 0);
	nl = strchr(stub.out, '\n');
	assert_non_null(nl);
	*nl = 0;
	first = json_loads(stub.out, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(first, "text")), "Opened\x1b[0m");
	json_decref(first);
	assert_non_null(strchr(nl + 1, '\n'));
}

/* Every word of the table that --complete knows, as "verb object" or "verb". */
static unsigned commands(char list[32][48])
{
	char *verbs, *verb, *save;
	unsigned n = 0;

	KTUN("--complete", "");
	verbs = strdup(stub.out);
	for (verb = strtok_r(verbs, "\n", &save); verb; verb = strtok_r(NULL, "\n", &save)) {
		char *objects, *object, *save2;

		KTUN("--complete", verb, "");
		objects = strdup(stub.out);
		object = strtok_r(objects, "\n", &save2);
		do {
			assert_true(n < 32);
			snprintf(list[n++], 48, "%s%s%s", verb, object ? " " : "", object ? object : "");
		} while (object && (object = strtok_r(NULL, "\n", &save2)));
		free(objects);
	}
	free(verbs);
	return n;
}

/* The commands that were promised exist, and each is in --help, has a --help of its own and is in the manual page. */
static void test_every_command_is_explained(void **state)
{
	static const char *const promised[] = {
		"show tunnels", "show tunnel", "show sessions", "show session", "show peers", "show pools", "show stats",
		"add tunnel", "add session", "delete tunnel", "delete session", "up tunnel", "down tunnel",
		"disconnect session", "disconnect user", "reload", "monitor", "shutdown", "version",
	};
	static char man[1 << 16], help[1 << 16];
	char list[32][48];
	unsigned n = commands(list);
	FILE *f = fopen("scripts/man/ktun.8", "r");

	(void)state;
	if (!f)
		fail_msg("run from the top of the tree");
	assert_true(fread(man, 1, sizeof(man) - 1, f) > 0);
	fclose(f);
	for (size_t i = 0; i < sizeof(promised) / sizeof(*promised); i++) {
		unsigned k = 0;

		while (k < n && strcmp(list[k], promised[i]))
			k++;
		if (k == n)
			fail_msg("no command %s", promised[i]);
	}
	KTUN("--help");
	assert_int_equal(stub.status, 0);
	strcpy(help, stub.out);
	for (unsigned i = 0; i < n; i++) {
		char in_help[64], in_man[64], usage[64], verb[48], *object;
		size_t len;

		snprintf(in_help, sizeof(in_help), "\n  %s ", list[i]);
		snprintf(in_man, sizeof(in_man), "\n.It Ic %s", list[i]);
		if (!strstr(help, in_help))
			fail_msg("%s is not in --help", list[i]);
		len = strlen(in_man);
		for (const char *at = strstr(man, in_man); ; at = strstr(at + 1, in_man)) {
			if (!at)
				fail_msg("%s is not in ktun.8", list[i]);
			if (at[len] == ' ' || at[len] == '\n')
				break;
		}
		strcpy(verb, list[i]);
		object = strchr(verb, ' ');
		if (object)
			*object++ = 0;
		KTUN(verb, object ? object : "--help", object ? "--help" : NULL);
		snprintf(usage, sizeof(usage), "%s", list[i]);
		assert_int_equal(stub.status, 0);
		assert_string_equal(stub.err, "");
		assert_true(!strncmp(stub.out, "Usage: ktun ", 12) && strstr(stub.out, usage));
		assert_string_equal(stub.asked, "");
	}
}

/* What bash would offer, one per line, after "ktun WORDS..." */
static void complete(const char *words)
{
	static const char script[] =
		"ktun() { \"$KTUN\" \"$@\"; }; source scripts/completion/ktun.bash; "
		"IFS='|' read -ra COMP_WORDS <<<\"$1\"; COMP_WORDS=(\"$KTUN\" \"${COMP_WORDS[@]}\"); "
		"[[ $1 != *'|' ]] || COMP_WORDS+=(''); "
		"COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _ktun; printf '%s\\n' \"${COMPREPLY[@]}\"";

	setenv("KTUN", stub.ktun, 1);
	stub_run((const char *const[]){ "bash", "-c", script, "bash", words, NULL }, NULL);
	assert_int_equal(stub.status, 0);
	assert_string_equal(stub.err, "");
}

static void test_completion(void **state)
{
	char list[32][48];
	unsigned n = commands(list);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		char words[48], want[48];
		const char *last = strrchr(list[i], ' ') ? strrchr(list[i], ' ') + 1 : list[i];

		strcpy(words, list[i]);
		if (strchr(words, ' '))
			*strchr(words, ' ') = '|';
		snprintf(want, sizeof(want), "%s\n", last);
		complete(words);
		assert_non_null(strstr(stub.out, want));
	}
	complete("show|t");
	assert_string_equal(stub.out, "tunnels\ntunnel\n");
	complete("up|tunnel|");
	assert_string_equal(stub.out, "branch\n17\n");
	complete("disconnect|session|");
	assert_string_equal(stub.out, "7\n8\n");
	complete("disconnect|user|");		/* the other user's name is one that a shell would run */
	assert_string_equal(stub.out, "alice\n");
	complete("show|sessions|user|a");
	assert_string_equal(stub.out, "alice\n");
	complete("add|session|l2spec_type|");
	assert_string_equal(stub.out, "none\ndefault\n");
	complete("add|tunnel|tid|5|p");
	assert_string_equal(stub.out, "peer_tunnel_id\npsk_file\n");
	complete("add|session|name|x|se");
	assert_string_equal(stub.out, "session_id\nseq\n");
	complete("delete|");
	assert_string_equal(stub.out, "tunnel\nsession\n");
	complete("show|session|session_id|1|t");
	assert_string_equal(stub.out, "tunnel_id\n");
	complete("reload|--d");
	assert_string_equal(stub.out, "--dry-run\n");
	stub.error = "org.ktund.NotReady";
	complete("up|tunnel|");
	assert_string_equal(stub.out, "\n");
}

/* What ktun asks for is in the interface, and the other way round. */
static void test_interface(void **state)
{
	static char idl[1 << 16];
	FILE *f = fopen("daemon/core/org.ktund.varlink", "r");
	unsigned n = 0, served = 0;

	(void)state;
	assert_non_null(f);
	assert_true(fread(idl, 1, sizeof(idl) - 1, f) > 0);
	fclose(f);
	for (const struct vl_method *m = stub_service.method; m->name; m++) {
		char want[80];

		snprintf(want, sizeof(want), "\nmethod %s(", strrchr(m->name, '.') + 1);
		assert_non_null(strstr(idl, want));
		served++;
	}
	for (const char *at = idl; (at = strstr(at, "\nmethod ")); at++)
		n++;
	assert_int_equal(n, served);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, stub_setup, stub_teardown)
	const struct CMUnitTest tests[] = {
		T(test_show_tunnels), T(test_show_tunnel), T(test_show_sessions), T(test_show_session), T(test_show_others),
		T(test_actions), T(test_refusals), T(test_wrong_words), T(test_no_daemon), T(test_silent_daemon),
		T(test_long_list), T(test_monitor), T(test_every_command_is_explained), T(test_completion), T(test_interface),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
