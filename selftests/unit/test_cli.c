/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktun as its users see it: the built program, run against a ktund that this test plays. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/varlink.h"

static struct {
	struct ev_loop *loop;
	struct vl *vl;
	char ktun[512], dir[64], path[96];
	char asked[4096];		/* "Method{params} " of each call */
	const char *error, *params;	/* instead of an answer */
	bool silent;			/* no answer at all */
	struct vl_call *kept;
	char out[4 << 20], err[1 << 16];
	int status;
} t;

#define TUNNEL_17 "{\"tunnel_id\":17,\"peer_tunnel_id\":42,\"name\":\"branch\",\"peer\":null,\"role\":\"lac\"," \
	"\"state\":\"established\",\"local\":{\"address\":\"192.0.2.1\",\"port\":40000}," \
	"\"remote\":{\"address\":\"198.51.100.7\",\"port\":1701},\"peer_host_name\":\"lns\\u001b[31m\"," \
	"\"peer_vendor_name\":null,\"version\":2,\"sessions\":1,\"up_since\":1700000000,\"age_s\":3725,\"ns\":5,\"nr\":6," \
	"\"last_error\":null}"
#define TUNNEL_99 "{\"tunnel_id\":99,\"peer_tunnel_id\":0,\"name\":\"17\",\"peer\":\"anyone\",\"role\":\"lac\"," \
	"\"state\":\"idle\",\"local\":null,\"remote\":{\"address\":\"2001:db8::1\",\"port\":1702},\"version\":2,\"sessions\":0," \
	"\"age_s\":null,\"next_dial_s\":8,\"last_error\":\"no answer to SCCRQ\"}"
#define SESSION_7 "{\"session_id\":7,\"tunnel_id\":17,\"tunnel\":\"branch\",\"state\":\"established\",\"phase\":\"network\"," \
	"\"user\":\"alice\",\"interface\":\"ppp0\",\"peer_ip\":\"10.10.0.10\",\"dns\":[\"10.10.0.1\",\"10.10.0.2\"]," \
	"\"magic\":3735928559,\"pfc\":true,\"acfc\":false,\"tx_speed\":100000000,\"rx_octets\":1234567,\"tx_octets\":1023," \
	"\"age_s\":59,\"remote_address\":\"198.51.100.7\",\"mtu\":1400}"
#define SESSION_8 "{\"session_id\":8,\"tunnel_id\":21,\"tunnel\":null,\"state\":\"wait-connect\",\"phase\":null," \
	"\"user\":\"\\u202eevil\\n\\u001b]0;x\\u0007$(reboot)\",\"interface\":null,\"peer_ip\":null,\"dns\":[]," \
	"\"rx_octets\":null,\"tx_octets\":null,\"age_s\":90000,\"remote_address\":\"203.0.113.9\"}"

static const struct { const char *method, *list, *answer; } answers[] = {
	{ "ShowTunnels", "tunnels", "[" TUNNEL_17 "," TUNNEL_99 "]" },
	{ "ShowSessions", "sessions", "[" SESSION_7 "," SESSION_8 "]" },
	{ "ShowSession", NULL, "{\"session\":" SESSION_7 "}" },
	{ "ShowPeers", "peers", "[{\"name\":\"anyone\",\"address\":\"0.0.0.0/0\",\"host_name\":null,\"profile\":\"remote-access\","
	  "\"tunnels\":2,\"sessions\":3,\"half_open\":0,\"accepted\":12,\"refused\":1,\"last_refusal\":\"wrong secret\","
	  "\"limits\":{\"half-open\":8}}]" },
	{ "ShowPools", "pools", "[{\"name\":\"staff\",\"size\":245,\"used\":49,\"free\":196,"
	  "\"ranges\":[\"10.10.0.10-10.10.0.254\"]}]" },
	{ "ShowStats", NULL, "{\"stats\":{\"version\":\"0.1\",\"pid\":12,\"uptime_s\":61,\"loop_stall_ms\":1.5,\"rss_kb\":4096,"
	  "\"keeper\":{\"pid\":13,\"tunnels\":1,\"sessions\":2},\"counters\":{\"rx_messages\":1000,\"sent_octets\":2048,"
	  "\"a_counter_with_a_long_name\":1}}}" },
	{ "TunnelUp", NULL, "{}" }, { "TunnelDown", NULL, "{}" }, { "DisconnectSession", NULL, "{}" },
	{ "DisconnectUser", NULL, "{\"count\":3}" },
	{ "Reload", NULL, "{\"changes\":["
	  "{\"action\":\"added\",\"kind\":\"peer\",\"name\":\"lac-7\",\"text\":\"profile remote-access\"},"
	  "{\"action\":\"kept\",\"kind\":\"tunnel\",\"name\":\"branch\",\"text\":\"\"}]}" },
	{ "Shutdown", NULL, "{\"tunnels\":2,\"sessions\":5}" }, { "Version", NULL, "{\"version\":\"0.1\"}" },
	{ "SetLogLevel", NULL, "{}" }, { "ShowSas", "sas", "[]" }, { "AddTunnel", NULL, "{}" }, { "AddSession", NULL, "{}" },
};

static void answer(const char *method, struct vl_call *call, json_t *params)
{
	char *text = json_dumps(params, JSON_COMPACT);
	size_t n = strlen(t.asked), i = 0;
	json_t *o, *all;

	snprintf(t.asked + n, sizeof(t.asked) - n, "%s%s ", method, text);
	free(text);
	if (t.error) {
		vl_error(call, t.error, t.params ? json_loads(t.params, 0, NULL) : NULL);
		return;
	}
	if (t.silent) {
		t.kept = call;
		return;
	}
	for (; strcmp(answers[i].method, method); i++);
	all = json_loads(answers[i].answer, 0, NULL);
	assert_non_null(all);
	if (!answers[i].list) {
		if (!strcmp(method, "Shutdown"))
			vl_reply_more(call, json_pack("{s:i, s:i}", "tunnels", 1, "sessions", 4));
		vl_reply(call, all);
		return;
	}
	assert_true(vl_call_more(call));
	json_array_foreach(all, n, o)
		vl_reply_more(call, json_pack("{s:[O]}", answers[i].list, o));
	vl_reply(call, json_pack("{s:[]}", answers[i].list));
	json_decref(all);
}

#define METHODS(X) X(ShowTunnels) X(ShowSessions) X(ShowSession) X(ShowSas) X(ShowPeers) X(ShowPools) X(ShowStats) X(TunnelUp) \
	X(TunnelDown) X(DisconnectSession) X(DisconnectUser) X(Reload) X(Shutdown) X(Version) X(SetLogLevel) \
	X(AddTunnel) X(DeleteTunnel) X(AddSession) X(DeleteSession)
#define HANDLER(m) static void h_##m(void *arg, struct vl_call *call, json_t *params) { (void)arg; answer(#m, call, params); }
#define ROW(m) { "org.ktund." #m, h_##m, false, false },
METHODS(HANDLER)

static void h_monitor(void *arg, struct vl_call *call, json_t *params)
{
	(void)arg;
	(void)params;
	vl_reply_more(call, json_pack("{s:f, s:s, s:s, s:{s:i, s:i}, s:s}", "time", 1700000000.25, "event", "up",
				      "object", "session", "ids", "tunnel_id", 17, "session_id", 7, "text", "Opened\x1b[0m"));
	vl_reply_more(call, json_pack("{s:i, s:s, s:s, s:{}, s:s, s:s}", "time", 1700000001, "event", "reload", "object", "ktund",
				      "ids", "text", "nothing changed", "file", "a.conf"));
	t.kept = call;
}

static const struct vl_method methods[] = { METHODS(ROW) { "org.ktund.Monitor", h_monitor, false, true }, { 0 } };
static const struct vl_service service = {
	.interface = "org.ktund", .description = "", .vendor = "", .product = "", .version = "", .url = "", .method = methods,
};

static int setup(void **state)
{
	const char *build = getenv("KTUND_BUILD");

	(void)state;
	memset(&t, 0, sizeof(t));
	snprintf(t.ktun, sizeof(t.ktun), "%s/ktun", build ? build : "build");
	if (access(t.ktun, X_OK))
		fail_msg("%s is not built (KTUND_BUILD is the build directory)", t.ktun);
	snprintf(t.dir, sizeof(t.dir), "/tmp/test_cli.XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.path, sizeof(t.path), "%s/control", t.dir);
	t.loop = ev_loop_new(0);
	t.vl = vl_new(t.loop, vl_listen(t.path, 0600, (gid_t)-1), &service);
	assert_non_null(t.vl);
	setenv("KTUND_RUNTIME_DIR", t.dir, 1);
	setenv("TZ", "UTC", 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vl_free(t.vl);
	ev_loop_destroy(t.loop);
	unlink(t.path);
	rmdir(t.dir);
	return 0;
}

/* Appends what is there; false at the end. */
static bool gather(int fd, char *buf, size_t size)
{
	size_t n = strlen(buf);
	ssize_t r = read(fd, buf + n, size - n - 1);

	if (r > 0)
		buf[n + (size_t)r] = 0;
	assert_true(n + 1 < size);
	return r > 0 || (r < 0 && errno == EAGAIN);
}

/* Runs argv (argv[0] is the program), sends SIGINT once stdout holds interrupt_at; t.status: its exit status. */
static void run_program(const char *const *argv, const char *interrupt_at)
{
	int out[2], err[2], status;
	bool more_out = true, more_err = true;
	pid_t pid;

	t.out[0] = t.err[0] = t.asked[0] = 0;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		dup2(out[1], 1);
		dup2(err[1], 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	for (int ms = 0; more_out || more_err; ms++) {
		ev_run(t.loop, EVRUN_NOWAIT);
		more_out = more_out && gather(out[0], t.out, sizeof(t.out));
		more_err = more_err && gather(err[0], t.err, sizeof(t.err));
		if (interrupt_at && strstr(t.out, interrupt_at)) {
			kill(pid, SIGINT);
			interrupt_at = NULL;
		}
		if (ms == 30000)
			kill(pid, SIGKILL);
		usleep(1000);
	}
	close(out[0]);
	close(err[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	t.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define KTUN(...) run_program((const char *const[]){ t.ktun, __VA_ARGS__, NULL }, NULL)

static void expect(int status, const char *out, const char *err)
{
	if (t.status != status || strcmp(t.out, out) || (err ? strcmp(t.err, err) != 0 : 0))
		fail_msg("status %d, stdout:\n%s\nstderr:\n%s\nwanted status %d, stdout:\n%s\nstderr:\n%s\n",
			 t.status, t.out, t.err, status, out, err ? err : "(anything)");
}

/* stdout is this JSON. */
static void expect_json(const char *json)
{
	json_t *want = json_loads(json, 0, NULL), *got = json_loads(t.out, 0, NULL);

	assert_non_null(want);
	if (t.status || !got || !json_equal(want, got))
		fail_msg("status %d, stdout %s, wanted %s; stderr %s", t.status, t.out, json, t.err);
	json_decref(want);
	json_decref(got);
}

static void test_show_tunnels(void **state)
{
	static const char table[] =
		"ID  PEER-ID  NAME    PEER    ROLE  STATE        REMOTE              SESSIONS     UP  NOTE\n"
		"17       42  branch  -       lac   established  198.51.100.7               1  1h02m  -\n"
		"99        -  17      anyone  lac   idle         [2001:db8::1]:1702         0      -  "
		"dials in 8s: no answer to SCCRQ\n";

	(void)state;
	KTUN("show", "tunnels");
	expect(0, table, "");
	assert_string_equal(t.asked, "ShowTunnels{} ");
	KTUN("s", "t");
	expect(0, table, "");
	KTUN("-j", "show", "tunnels");
	expect_json("[" TUNNEL_17 "," TUNNEL_99 "]");
	assert_null(strchr(t.out, '\x1b'));
}

static void test_show_tunnel(void **state)
{
	(void)state;
	KTUN("show", "tunnel", "branch");
	expect(0,
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
	expect_json(TUNNEL_99);
	KTUN("-j", "show", "tunnel", "17");		/* a name goes before an id */
	expect_json(TUNNEL_99);
	KTUN("show", "tunnel", "nowhere");
	expect(1, "", "ktun: no tunnel nowhere; see `ktun show tunnels`\n");
}

static void test_show_sessions(void **state)
{
	(void)state;
	KTUN("show", "sessions");
	expect(0,
	       "ID  TUNNEL  USER                                       "
	       "STATE         ADDRESS     INTERFACE     UP    RX    TX  REMOTE\n"
	       " 7  branch  alice                                      "
	       "network       10.10.0.10  ppp0         59s  1.2M  1023  198.51.100.7\n"
	       " 8  21      \\xe2\\x80\\xaeevil\\x0a\\x1b]0;x\\x07$(reboot)  "
	       "wait-connect  -           -          1d01h     -     -  203.0.113.9\n",
	       "");
	KTUN("show", "sessions", "user", "alice", "tun", "branch");
	assert_int_equal(t.status, 0);
	assert_true(!strcmp(t.asked, "ShowSessions{\"user\":\"alice\",\"tunnel\":\"branch\"} ") ||
		    !strcmp(t.asked, "ShowSessions{\"tunnel\":\"branch\",\"user\":\"alice\"} "));
	KTUN("show", "sessions", "-j");
	expect_json("[" SESSION_7 "," SESSION_8 "]");
	KTUN("show", "sessions", "-j", "-p");
	expect_json("[" SESSION_7 "," SESSION_8 "]");
	assert_non_null(strstr(t.out, "\n        \"session_id\": 7,\n"));
}

static void test_show_session(void **state)
{
	(void)state;
	KTUN("show", "session", "7");
	expect(0,
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
	assert_string_equal(t.asked, "ShowSession{\"session_id\":7} ");
	KTUN("-j", "sh", "session", "7");
	expect_json(SESSION_7);
	t.error = "org.ktund.NotFound";
	t.params = "{\"kind\":\"session\",\"name\":\"18\"}";
	KTUN("show", "session", "18");
	expect(1, "", "ktun: no session 18; see `ktun show sessions`\n");
	KTUN("-j", "show", "session", "18");
	expect(1, "", "ktun: no session 18; see `ktun show sessions`\n");
}

static void test_show_others(void **state)
{
	(void)state;
	KTUN("show", "peers");
	expect(0,
	       "NAME    ADDRESS    HOST-NAME  PROFILE        TUNNELS  SESSIONS  HALF-OPEN  ACCEPTED  REFUSED  LAST-REFUSAL\n"
	       "anyone  0.0.0.0/0  -          remote-access        2         3          0        12        1  wrong secret\n", "");
	KTUN("show", "pools");
	expect(0,
	       "NAME   SIZE  USED  FREE  USE%  RANGES\n"
	       "staff   245    49   196    20  10.10.0.10-10.10.0.254\n", "");
	KTUN("show", "stats");
	expect(0,
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
	assert_non_null(strstr(t.out, "\"limits\":{\"half-open\":8}"));
	KTUN("-j", "show", "pools");
	assert_non_null(strstr(t.out, "\"ranges\":[\"10.10.0.10-10.10.0.254\"]"));
	KTUN("-j", "show", "stats");
	assert_non_null(strstr(t.out, "\"counters\":{\"rx_messages\":1000,\"sent_octets\":2048,"));
}

static void test_actions(void **state)
{
	(void)state;
	KTUN("up", "tunnel", "branch");
	expect(0, "tunnel branch: up\n", "");
	assert_string_equal(t.asked, "TunnelUp{\"name\":\"branch\"} ");
	KTUN("down", "tunnel", "branch");
	expect(0, "tunnel branch: down\n", "");
	assert_string_equal(t.asked, "TunnelDown{\"name\":\"branch\"} ");
	KTUN("disconnect", "session", "7");
	expect(0, "session 7: disconnected\n", "");
	assert_string_equal(t.asked, "DisconnectSession{\"session_id\":7} ");
	KTUN("disconnect", "session", "7", "reason", "unpaid bill");
	assert_string_equal(t.asked, "DisconnectSession{\"session_id\":7,\"reason\":\"unpaid bill\"} ");
	KTUN("disconnect", "user", "--", "-j");
	expect(0, "user -j: 3 sessions disconnected\n", "");
	assert_string_equal(t.asked, "DisconnectUser{\"user\":\"-j\"} ");
	KTUN("reload");
	expect(0, "added    peer lac-7: profile remote-access\nkept     tunnel branch\n", "");
	assert_string_equal(t.asked, "Reload{\"dry_run\":false} ");
	KTUN("reload", "--dry-run");
	expect(0, "a reload would bring:\nadded    peer lac-7: profile remote-access\nkept     tunnel branch\n", "");
	assert_string_equal(t.asked, "Reload{\"dry_run\":true} ");
	KTUN("shutdown");
	expect(0, "ended 2 tunnels, 5 sessions\n", "ktun: 1 tunnels, 4 sessions left ...\n");
	KTUN("version");
	expect(0, "ktun 0.1, ktund 0.1\n", "");
	KTUN("-j", "version");
	expect_json("{\"ktun\":\"0.1\",\"ktund\":\"0.1\"}");
	KTUN("log", "level", "deb");
	expect(0, "log level: debug\n", "");
	assert_string_equal(t.asked, "SetLogLevel{\"level\":\"debug\"} ");
	KTUN("-j", "shutdown");
	expect_json("{\"tunnels\":2,\"sessions\":5}");
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
		t.error = row[i].error;
		t.params = row[i].params;
		KTUN("up", "tunnel", "x");
		expect(1, "", row[i].err);
	}
	KTUN("show", "sessions");
	expect(1, "", "ktun: refused: ?\n");
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
		expect(2, "", NULL);
		if (strncmp(t.err, "ktun: ", 6) || !strstr(t.err, row[i].says[0]) || !strstr(t.err, row[i].says[1]))
			fail_msg("row %zu says: %s", i, t.err);
		assert_string_equal(t.asked, "");
	}
	KTUN(NULL);
	assert_int_equal(t.status, 2);
	assert_string_equal(t.out, "");
	assert_non_null(strstr(t.err, "Usage: ktun"));
}

/* A batch of ours and of the kernel's commands: looked at as a whole first. */
static void batch(const char *text, const char *option)
{
	char file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/batch", t.dir);
	f = fopen(file, "w");
	fputs(text, f);
	fclose(f);
	KTUN("-batch", file, option);
	unlink(file);
}

static void test_batch(void **state)
{
	(void)state;
	batch("# two tunnels\nup tunnel branch\n\nl2tp disconnect user \\\n 'alice' # gone\n", NULL);
	expect(0, "tunnel branch: up\nuser alice: 3 sessions disconnected\n", "");
	batch("up tunnel branch\nadd tunnel remote nowhere\n\nshow sesion\ndel session tid\n", NULL);
	expect(2, "", NULL);
	assert_string_equal(t.asked, "");
	assert_non_null(strstr(t.err, "ktun: \"nowhere\" is no IPv4 or IPv6 address after \"remote\"\n"));
	assert_non_null(strstr(t.err, "/batch:2: this line is wrong; nothing was done\n"));
	assert_non_null(strstr(t.err, "/batch:4: this line is wrong"));
	assert_non_null(strstr(t.err, "/batch:5: this line is wrong"));
	assert_null(strstr(t.err, "/batch:1:"));
	batch("up tunnel branch\nshow stats x\ndisconnect session y\nmonitor\nlog level loud\nreload\ndoctor z\n"
	      "-n\nl2tp help\nadd tunnel remote 192.0.2.1 h\n", NULL);
	expect(2, "", NULL);
	assert_string_equal(t.asked, "");		/* nor is anything asked while the lines are looked at */
	assert_non_null(strstr(t.err, "ktun: \"x\" is one word too many; usage: ktun show stats\n"));
	assert_non_null(strstr(t.err, "/batch:2: this line is wrong; nothing was done\n"));
	assert_non_null(strstr(t.err, "ktun: \"y\" is no session id"));
	assert_non_null(strstr(t.err, "ktun: \"loud\" is no level"));
	assert_non_null(strstr(t.err, "ktun: \"z\" does not fit; usage: ktun doctor"));
	assert_non_null(strstr(t.err, "ktun: \"-n\" is no command"));
	for (char at = '1'; at <= '9'; at++)
		assert_int_equal(!!strstr(t.err, (char[]){ '/', 'b', 'a', 't', 'c', 'h', ':', at, ':', 0 }), !!strchr("23578", at));
	assert_null(strstr(t.err, "/batch:10:"));
	batch("up tunnel a\nup tunnel \"b\nup tunnel c\n", NULL);
	expect(2, "", NULL);
	assert_non_null(strstr(t.err, "a quote is not closed\n"));
	batch("up tunnel a\nshow sesion\nup tunnel c\n", "-force");
	expect(2, "tunnel a: up\ntunnel c: up\n", NULL);
	assert_non_null(strstr(t.err, "/batch:2: this line is wrong\n"));
	t.error = "org.ktund.NotFound";
	t.params = "{\"kind\":\"tunnel\",\"name\":\"a\"}";
	batch("up tunnel a\nup tunnel c\n", NULL);
	expect(1, "", NULL);
	assert_string_equal(t.asked, "TunnelUp{\"name\":\"a\"} ");
	assert_non_null(strstr(t.err, "/batch:1: this line failed; those behind it were not done\n"));
	KTUN("-b", "/nonexistent/batch");
	expect(1, "", "ktun: /nonexistent/batch: No such file or directory\n");
}

/* Where `ip l2tp` has help, and its options. */
static void test_as_ip(void **state)
{
	static const char both[] = "  delete session tid ID sid ID [force]", tunnel[] = "  secret_file FILE ", session[] = "  peer_cookie ";
	static const struct { const char *word[6], *says; } row[] = {
		{ { "l2tp", "help" }, both }, { { "l2tp", "h" }, both }, { { "l2tp", "--help" }, both }, { { "delete", "h" }, both },
		{ { "l2", "a", "tunnel", "help" }, tunnel }, { { "add", "tunnel", "encap", "ip", "he" }, tunnel },
		{ { "add", "session", "tid", "1", "hel" }, session }, { { "list", "tunnel", "help" }, "show tunnel [tunnel_id ID]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		const char *const *w = row[i].word;

		KTUN(w[0], w[1], w[2], w[3], w[4]);
		if (t.status || *t.err || !strstr(t.out, row[i].says))
			fail_msg("row %zu says: %s%s", i, t.err, t.out);
	}
	KTUN("add", "session", "name", "help");		/* an interface's */
	expect(2, "", "ktun: \"tunnel_id ID\" is missing; see `ktun add session --help`\n");
	KTUN("-c", "-br", "-o", "-r", "-t", "-ts", "-N", "-iec", "-color=auto", "-human-readable", "version");
	expect(0, "ktun " KTUND_VERSION ", ktund 0.1\n", "");
	KTUN("-Version");
	expect(0, "ktun " KTUND_VERSION "\n", "");
}

static void test_no_daemon(void **state)
{
	char want[512];

	(void)state;
	KTUN("--runtime-dir", "/nonexistent", "show", "sessions");
	expect(1, "", "ktun: ktund does not answer at /nonexistent/control: is it running? "
	       "start: ktund --config /etc/ktund/ktund.conf --runtime-dir /nonexistent\n");
	KTUN("--runtime-dir=/nonexistent", "shutdown");
	assert_int_equal(t.status, 1);
	vl_free(t.vl);			/* the file of a dead daemon */
	t.vl = NULL;
	KTUN("show", "tunnels");
	snprintf(want, sizeof(want), "ktun: ktund does not answer at %s: is it running? "
		 "start: ktund --config /etc/ktund/ktund.conf --runtime-dir %s\n", t.path, t.dir);
	expect(1, "", want);
	unlink(t.path);
	unsetenv("KTUND_RUNTIME_DIR");
	KTUN("--runtime-dir", t.dir, "show", "tunnels");
	expect(1, "", want);
}

static void test_silent_daemon(void **state)
{
	(void)state;
	t.silent = true;
	KTUN("--timeout", "0.2", "show", "session", "7");
	assert_int_equal(t.status, 1);
	assert_non_null(strstr(t.err, "within 0.2 s"));
	KTUN("--timeout", "0.2", "up", "tunnel", "branch");
	expect(1, "", "ktun: waiting for the tunnel to come up: not within 0.2 s\n");
	KTUN("--timeout", "0.2", "show", "tunnels");
	assert_int_equal(t.status, 1);
	assert_non_null(strstr(t.err, "within 0.2 s"));
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
	struct vl_service s = service;
	json_t *got;

	(void)state;
	vl_free(t.vl);
	s.method = m;
	t.vl = vl_new(t.loop, vl_listen(t.path, 0600, (gid_t)-1), &s);
	KTUN("-j", "show", "sessions", "user", "u");
	assert_int_equal(t.status, 0);
	got = json_loads(t.out, 0, NULL);
	assert_int_equal(json_array_size(got), 30000);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(got, 29999), "session_id")), 29999);
	json_decref(got);
}

static void test_monitor(void **state)
{
	const char *const text[] = { t.ktun, "monitor", NULL }, *const json[] = { t.ktun, "-j", "monitor", NULL };
	char *nl;
	json_t *first;

	(void)state;
	run_program(text, "nothing changed");
	expect(0,
	       "2023-11-14 22:13:20.250 session up tunnel_id 17, session_id 7: Opened\\x1b[0m\n"
	       "2023-11-14 22:13:21.000 ktund reload: nothing changed file=a.conf\n", "");
	run_program(json, "nothing changed");
	assert_int_equal(t.status, 0);
	nl = strchr(t.out, '\n');
	assert_non_null(nl);
	*nl = 0;
	first = json_loads(t.out, 0, NULL);
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
	verbs = strdup(t.out);
	for (verb = strtok_r(verbs, "\n", &save); verb; verb = strtok_r(NULL, "\n", &save)) {
		char *objects, *object, *save2;

		KTUN("--complete", verb, "");
		objects = strdup(t.out);
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
	assert_int_equal(t.status, 0);
	strcpy(help, t.out);
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
		assert_int_equal(t.status, 0);
		assert_string_equal(t.err, "");
		assert_true(!strncmp(t.out, "Usage: ktun ", 12) && strstr(t.out, usage));
		assert_string_equal(t.asked, "");
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

	setenv("KTUN", t.ktun, 1);
	run_program((const char *const[]){ "bash", "-c", script, "bash", words, NULL }, NULL);
	assert_int_equal(t.status, 0);
	assert_string_equal(t.err, "");
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
		assert_non_null(strstr(t.out, want));
	}
	complete("show|t");
	assert_string_equal(t.out, "tunnels\ntunnel\n");
	complete("up|tunnel|");
	assert_string_equal(t.out, "branch\n17\n");
	complete("disconnect|session|");
	assert_string_equal(t.out, "7\n8\n");
	complete("disconnect|user|");		/* the other user's name is one that a shell would run */
	assert_string_equal(t.out, "alice\n");
	complete("show|sessions|user|a");
	assert_string_equal(t.out, "alice\n");
	complete("add|session|l2spec_type|");
	assert_string_equal(t.out, "none\ndefault\n");
	complete("add|tunnel|tid|5|p");
	assert_string_equal(t.out, "peer_tunnel_id\n");
	complete("add|session|name|x|se");
	assert_string_equal(t.out, "session_id\nseq\n");
	complete("delete|");
	assert_string_equal(t.out, "tunnel\nsession\n");
	complete("show|session|session_id|1|t");
	assert_string_equal(t.out, "tunnel_id\n");
	complete("reload|--d");
	assert_string_equal(t.out, "--dry-run\n");
	t.error = "org.ktund.NotReady";
	complete("up|tunnel|");
	assert_string_equal(t.out, "\n");
}

/* What ktun asks for is in the interface, and the other way round. */
static void test_interface(void **state)
{
	static char idl[1 << 16];
	FILE *f = fopen("daemon/core/org.ktund.varlink", "r");
	unsigned n = 0;

	(void)state;
	assert_non_null(f);
	assert_true(fread(idl, 1, sizeof(idl) - 1, f) > 0);
	fclose(f);
	for (const struct vl_method *m = methods; m->name; m++) {
		char want[80];

		snprintf(want, sizeof(want), "\nmethod %s(", strrchr(m->name, '.') + 1);
		assert_non_null(strstr(idl, want));
	}
	for (const char *at = idl; (at = strstr(at, "\nmethod ")); at++)
		n++;
	assert_int_equal(n, sizeof(methods) / sizeof(*methods) - 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_show_tunnels), T(test_show_tunnel), T(test_show_sessions), T(test_show_session), T(test_show_others),
		T(test_actions), T(test_refusals), T(test_wrong_words), T(test_batch), T(test_as_ip), T(test_no_daemon),
		T(test_silent_daemon), T(test_long_list), T(test_monitor), T(test_every_command_is_explained), T(test_completion), T(test_interface),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
