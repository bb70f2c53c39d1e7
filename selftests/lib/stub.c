/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct stub stub;

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
	{ "DeleteTunnel", NULL, "{}" }, { "DeleteSession", NULL, "{}" },
};

static void answer(const char *method, struct vl_call *call, json_t *params)
{
	char *text = json_dumps(params, JSON_COMPACT);
	size_t n = strlen(stub.asked), i = 0;
	json_t *o, *all;

	snprintf(stub.asked + n, sizeof(stub.asked) - n, "%s%s ", method, text);
	free(text);
	if (stub.error) {
		vl_error(call, stub.error, stub.params ? json_loads(stub.params, 0, NULL) : NULL);
		return;
	}
	if (stub.silent) {
		stub.kept = call;
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
	stub.kept = call;
}

static const struct vl_method methods[] = { METHODS(ROW) { "org.ktund.Monitor", h_monitor, false, true }, { 0 } };
const struct vl_service stub_service = {
	.interface = "org.ktund", .description = "", .vendor = "", .product = "", .version = "", .url = "", .method = methods,
};

int stub_setup(void **state)
{
	const char *build = getenv("KTUND_BUILD");

	(void)state;
	memset(&stub, 0, sizeof(stub));
	snprintf(stub.ktun, sizeof(stub.ktun), "%s/ktun", build ? build : "build");
	if (access(stub.ktun, X_OK))
		fail_msg("%s is not built (KTUND_BUILD is the build directory)", stub.ktun);
	snprintf(stub.dir, sizeof(stub.dir), "/tmp/test_cli.XXXXXX");
	assert_non_null(mkdtemp(stub.dir));
	snprintf(stub.path, sizeof(stub.path), "%s/control", stub.dir);
	stub.loop = ev_loop_new(0);
	stub.vl = vl_new(stub.loop, vl_listen(stub.path, 0600, (gid_t)-1), &stub_service);
	assert_non_null(stub.vl);
	setenv("KTUND_RUNTIME_DIR", stub.dir, 1);
	setenv("TZ", "UTC", 1);
	return 0;
}

int stub_teardown(void **state)
{
	(void)state;
	vl_free(stub.vl);
	ev_loop_destroy(stub.loop);
	unlink(stub.path);
	rmdir(stub.dir);
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

void stub_run(const char *const *argv, const char *interrupt_at)
{
	int out[2], err[2], status;
	bool more_out = true, more_err = true;
	pid_t pid;

	stub.out[0] = stub.err[0] = stub.asked[0] = 0;
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
		ev_run(stub.loop, EVRUN_NOWAIT);
		more_out = more_out && gather(out[0], stub.out, sizeof(stub.out));
		more_err = more_err && gather(err[0], stub.err, sizeof(stub.err));
		if (interrupt_at && strstr(stub.out, interrupt_at)) {
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
	stub.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void stub_expect(int status, const char *out, const char *err)
{
	if (stub.status != status || strcmp(stub.out, out) || (err ? strcmp(stub.err, err) != 0 : 0))
		fail_msg("status %d, stdout:\n%s\nstderr:\n%s\nwanted status %d, stdout:\n%s\nstderr:\n%s\n",
			 stub.status, stub.out, stub.err, status, out, err ? err : "(anything)");
}

void stub_expect_json(const char *json)
{
	json_t *want = json_loads(json, 0, NULL), *got = json_loads(stub.out, 0, NULL);

	assert_non_null(want);
	if (stub.status || !got || !json_equal(want, got))
		fail_msg("status %d, stdout %s, wanted %s; stderr %s", stub.status, stub.out, json, stub.err);
	json_decref(want);
	json_decref(got);
}
