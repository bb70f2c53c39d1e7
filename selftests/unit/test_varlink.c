/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's server, seen from its clients: framing, order, limits, rights, and what happens to those who do not
 * read, do not write, write rubbish or leave. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/varlink.h"

#define BIG (4 << 20)

static struct {
	struct ev_loop *loop;
	struct vl *vl;
	char dir[64], path[96];
	struct vl_call *kept[128];
	unsigned n_kept, n_closed, n_notes, n_pulled;
	char note[256];
} t;

static void h_echo(void *arg, struct vl_call *call, json_t *params)
{
	const char *text = "nothing";
	int64_t n = -1;
	bool loud = false;
	const struct vl_param p[] = {
		{ "text", 's', true, &text }, { "n", 'i', false, &n }, { "loud", 'b', false, &loud },
	};

	(void)arg;
	if (vl_params(call, params, p, 3))
		vl_reply(call, json_pack("{s:s, s:I, s:b}", "text", text, "n", (json_int_t)n, "loud", loud));
}

static void on_closed(void *arg, struct vl_call *call, void *data)
{
	(void)arg;
	for (unsigned i = 0; i < t.n_kept; i++)
		if (t.kept[i] == call)
			t.kept[i] = NULL;
	assert_ptr_equal(data, &t);
	t.n_closed++;
}

static void h_keep(void *arg, struct vl_call *call, json_t *params)
{
	(void)arg;
	(void)params;
	assert_true(t.n_kept < 128);
	vl_call_keep(call, &t, on_closed);
	t.kept[t.n_kept++] = call;
}

static void pull_list(void *arg, struct vl_call *call, void *cursor)
{
	unsigned *left = cursor;

	(void)arg;
	t.n_pulled++;
	if (!*left) {
		vl_reply(call, json_pack("{s:[]}", "list"));
		return;
	}
	vl_reply_more(call, json_pack("{s:[{s:i, s:s}]}", "list", "left", (int)*left, "pad",
		      "0123456789012345678901234567890123456789012345678901234567890123456789"));
	--*left;
}

static void h_list(void *arg, struct vl_call *call, json_t *params)
{
	int64_t n = 0;
	const struct vl_param p[] = { { "n", 'i', true, &n } };
	unsigned *cursor;

	(void)arg;
	if (!vl_params(call, params, p, 1))
		return;
	cursor = malloc(sizeof(*cursor));
	*cursor = (unsigned)n;
	vl_pull(call, pull_list, cursor);
}

static void h_admin(void *arg, struct vl_call *call, json_t *params)
{
	(void)arg;
	(void)params;
	vl_reply_empty(call);
}

static void on_note(void *arg, const char *text)
{
	(void)arg;
	t.n_notes++;
	snprintf(t.note, sizeof(t.note), "%s", text);
}

static const struct vl_method methods[] = {
	{ "org.test.Echo", h_echo, false, false },
	{ "org.test.Keep", h_keep, false, false },
	{ "org.test.Monitor", h_keep, false, true },
	{ "org.test.List", h_list, false, false },
	{ "org.test.Admin", h_admin, true, false },
	{ NULL, NULL, false, false },
};

static const struct vl_service service = {
	.interface = "org.test", .description = "interface org.test\n", .vendor = "v", .product = "p", .version = "1", .url = "u",
	.method = methods, .note = on_note, .stall_ms = 2000,
};

static int setup(void **state)
{
	int fd;

	(void)state;
	memset(&t, 0, sizeof(t));
	snprintf(t.dir, sizeof(t.dir), "/tmp/test_varlink.XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	assert_int_equal(chmod(t.dir, 0755), 0);
	snprintf(t.path, sizeof(t.path), "%s/control", t.dir);
	t.loop = ev_loop_new(0);
	fd = vl_listen(t.path, 0666, (gid_t)-1);
	assert_true(fd >= 0);
	t.vl = vl_new(t.loop, fd, &service);
	assert_non_null(t.vl);
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

static void pump(void)
{
	for (int i = 0; i < 12; i++)
		ev_run(t.loop, EVRUN_NOWAIT);
}

static int client(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", t.path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* All n octets, while the server runs. */
static void put(int fd, const void *p, size_t n)
{
	const char *s = p;

	for (int turns = 0; n && turns < 10000; turns++) {
		ssize_t w = send(fd, s, n, MSG_NOSIGNAL);

		if (w > 0) {
			s += w;
			n -= (size_t)w;
		}
		pump();
	}
	assert_int_equal(n, 0);
}

static void say(int fd, const char *text)
{
	put(fd, text, strlen(text) + 1);
}

/* The next message, or NULL when none comes (ret_end: because the server closed). */
static json_t *hear(int fd, bool *ret_end)
{
	static char buf[BIG];
	size_t n = 0;
	json_t *msg;

	if (ret_end)
		*ret_end = false;
	for (int turns = 0; turns < 40;) {
		ssize_t r = recv(fd, buf + n, sizeof(buf) - n, MSG_PEEK);

		if (r > 0) {
			char *nul = memchr(buf + n, 0, (size_t)r);

			r = recv(fd, buf + n, nul ? (size_t)(nul + 1 - buf) - n : (size_t)r, 0);
			n += (size_t)r;
			if (nul)
				break;
			continue;
		}
		if (r == 0 || errno != EAGAIN) {
			if (ret_end)
				*ret_end = true;
			return NULL;
		}
		pump();
		turns++;
	}
	if (!n)
		return NULL;
	assert_int_equal(buf[n - 1], 0);
	msg = json_loads(buf, 0, NULL);
	assert_non_null(msg);
	return msg;
}

static void expect(int fd, const char *json)
{
	json_t *want = json_loads(json, 0, NULL), *got = hear(fd, NULL);
	char *text;

	assert_non_null(want);
	if (!got)
		fail_msg("no answer where %s was due", json);
	text = json_dumps(got, JSON_COMPACT);
	if (!json_equal(want, got))
		fail_msg("got %s, want %s", text, json);
	free(text);
	json_decref(want);
	json_decref(got);
}

static void expect_error(int fd, const char *error)
{
	json_t *got = hear(fd, NULL);

	assert_non_null(got);
	assert_string_equal(json_string_value(json_object_get(got, "error")), error);
	json_decref(got);
}

static void expect_end(int fd)
{
	bool end;
	json_t *got = hear(fd, &end);

	assert_null(got);
	assert_true(end);
}

#define ECHO(s) "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"" s "\"}}"
#define ECHOED(s) "{\"parameters\":{\"text\":\"" s "\",\"n\":-1,\"loud\":false}}"

static void test_byte_at_a_time(void **state)
{
	static const char msg[] = ECHO("slow");
	int fd = client();

	(void)state;
	for (size_t i = 0; i < sizeof(msg); i++)
		put(fd, msg + i, 1);
	expect(fd, ECHOED("slow"));

	/* The end of one call and a whole, shorter one in the same read. */
	put(fd, msg, sizeof(msg) - 3);
	put(fd, "}}\0{\"method\":\"x.y\"}", 20);
	expect(fd, ECHOED("slow"));
	expect_error(fd, "org.varlink.service.InterfaceNotFound");
	close(fd);
}

static void test_two_in_one_read(void **state)
{
	static const char msg[] = ECHO("one") "\0" ECHO("two") "\0" ECHO("thr");
	int fd = client();

	(void)state;
	put(fd, msg, sizeof(msg) - 1);
	expect(fd, ECHOED("one"));
	expect(fd, ECHOED("two"));
	put(fd, "", 1);
	expect(fd, ECHOED("thr"));
	close(fd);
}

/* More calls in one write than a loop turn serves, and more than the answers' queue holds: all are answered, in order. */
static void test_pipeline(void **state)
{
	enum { N = 4000 };
	int fd = client(), sent = 0, got = 0;
	char pad[513] = "";

	(void)state;
	memset(pad, 'x', sizeof(pad) - 1);
	while (got < N) {
		char msg[700], want[700];
		int n = snprintf(msg, sizeof(msg), "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"%s\",\"n\":%d}}",
				 pad, sent);

		if (sent < N && send(fd, msg, (size_t)n + 1, MSG_NOSIGNAL) == n + 1) {
			sent++;
			continue;
		}
		snprintf(want, sizeof(want), "{\"parameters\":{\"text\":\"%s\",\"n\":%d,\"loud\":false}}", pad, got++);
		expect(fd, want);
	}
	assert_int_equal(sent, N);
	close(fd);
}

static void test_parameters(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"a\",\"n\":9007199254740993,\"loud\":true}}");
	expect(fd, "{\"parameters\":{\"text\":\"a\",\"n\":9007199254740993,\"loud\":true}}");
	say(fd, "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"a\",\"n\":null}}");
	expect(fd, ECHOED("a"));
	say(fd, "{\"method\":\"org.test.Echo\"}");
	expect(fd, "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"text\"}}");
	say(fd, "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"a\",\"n\":\"7\"}}");
	expect(fd, "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"n\"}}");
	say(fd, "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"a\",\"m\":1}}");
	expect(fd, "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"m\"}}");
	say(fd, "{\"method\":\"org.test.Echo\",\"parameters\":[1]}");
	expect(fd, "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"parameters\"}}");
	say(fd, "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"a\"},\"upgrade\":true}");
	expect(fd, "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"upgrade\"}}");
	close(fd);
}

static void test_introspection(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}");
	expect(fd, "{\"parameters\":{\"vendor\":\"v\",\"product\":\"p\",\"version\":\"1\",\"url\":\"u\","
		   "\"interfaces\":[\"org.varlink.service\",\"org.test\"]}}");
	say(fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"org.test\"}}");
	expect(fd, "{\"parameters\":{\"description\":\"interface org.test\\n\"}}");
	say(fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"org.no\"}}");
	expect(fd, "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"org.no\"}}");
	say(fd, "{\"method\":\"org.test.Nothing\"}");
	expect(fd, "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"org.test.Nothing\"}}");
	say(fd, "{\"method\":\"org.no.Echo\"}");
	expect(fd, "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"org.no\"}}");
	close(fd);
}

static void test_oneway(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"x\"},\"oneway\":true}");
	say(fd, "{\"method\":\"org.test.Nothing\",\"oneway\":true}");
	say(fd, "{\"method\":\"org.test.List\",\"parameters\":{\"n\":3},\"oneway\":true}");
	say(fd, ECHO("only this"));
	expect(fd, ECHOED("only this"));
	close(fd);
}

/* What is no call gets one InvalidMessage and the end of the connection; the others notice nothing. */
static void test_rubbish(void **state)
{
	static const char *const bad[] = {
		"", "hello", "[]", "17", "null", "{", "{}", "{\"method\":7}", "{\"method\":\"org.test.Echo\"}x", "\xff\xfe",
		"{\"method\":\"org.test.\xc3\x28\"}", "{\"method\":\"a\",\"method\":\"b\"}", "{\"method\":\"a\",\"extra\":1}",
		"{\"method\":\"a\\u0000b\"}", "{\"method\":\"a\",\"more\":1}", "{\"parameters\":{}}",
		"{\"method\":\"\xed\xa0\x80\"}",
		"{\"method\":\"a\",\"parameters\":{\"n\":1e999}}",
	};
	int other = client();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int fd = client();

		say(fd, bad[i]);
		expect_error(fd, "org.test.InvalidMessage");
		expect_end(fd);
		close(fd);
		pump();
		assert_int_equal(vl_clients(t.vl), 1);
	}
	say(other, ECHO("still here"));
	expect(other, ECHOED("still here"));
	close(other);
}

static void test_deep_nesting(void **state)
{
	int fd = client();
	char *deep = malloc(VL_MESSAGE_MAX);

	(void)state;
	memset(deep, '[', VL_MESSAGE_MAX);
	memcpy(deep, "{\"method\":\"a\",\"parameters\":", 27);
	put(fd, deep, VL_MESSAGE_MAX);
	put(fd, "", 1);
	expect_error(fd, "org.test.InvalidMessage");
	expect_end(fd);
	close(fd);
	free(deep);
}

/* A call of exactly 64 KiB is served; one octet more, or no NUL at all, is refused without waiting for its end. */
static void test_size_limit(void **state)
{
	static const char head[] = "{\"method\":\"org.test.Echo\",\"parameters\":{\"text\":\"";
	char *msg = malloc(VL_MESSAGE_MAX + 2);
	int fd = client();
	json_t *got;

	(void)state;
	memset(msg, 'a', VL_MESSAGE_MAX + 2);
	memcpy(msg, head, sizeof(head) - 1);
	memcpy(msg + VL_MESSAGE_MAX - 3, "\"}}", 4);
	put(fd, msg, VL_MESSAGE_MAX + 1);
	got = hear(fd, NULL);
	assert_int_equal(json_string_length(json_object_get(json_object_get(got, "parameters"), "text")),
			 VL_MESSAGE_MAX - (sizeof(head) - 1) - 3);
	json_decref(got);

	memset(msg + VL_MESSAGE_MAX - 3, 'a', 4);
	put(fd, msg, VL_MESSAGE_MAX + 1);
	expect_error(fd, "org.test.InvalidMessage");
	expect_end(fd);
	close(fd);
	free(msg);
}

static void test_deferred(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "{\"method\":\"org.test.Keep\"}");
	say(fd, ECHO("after"));
	pump();
	assert_int_equal(t.n_kept, 1);
	assert_null(hear(fd, NULL));		/* answers keep the order of the calls */
	assert_int_equal(vl_call_uid(t.kept[0]), getuid());
	assert_int_equal(vl_call_pid(t.kept[0]), getpid());
	assert_ptr_equal(vl_call_data(t.kept[0]), &t);
	vl_reply(t.kept[0], json_pack("{s:b}", "late", 1));
	expect(fd, "{\"parameters\":{\"late\":true}}");
	expect(fd, ECHOED("after"));
	close(fd);
	pump();
	assert_int_equal(t.n_closed, 0);
}

static void test_leaves_while_waiting(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "{\"method\":\"org.test.Keep\"}");
	pump();
	close(fd);
	pump();
	assert_int_equal(t.n_closed, 1);
	assert_int_equal(vl_clients(t.vl), 0);

	/* Only half closed, as `printf ... | socat` does: the answer still goes out. */
	fd = client();
	say(fd, "{\"method\":\"org.test.Keep\"}");
	shutdown(fd, SHUT_WR);
	pump();
	assert_int_equal(t.n_closed, 1);
	vl_error(t.kept[1], "org.test.NotReady", NULL);
	expect(fd, "{\"error\":\"org.test.NotReady\"}");
	expect_end(fd);
	close(fd);
	pump();
	assert_int_equal(vl_clients(t.vl), 0);

	/* Half closed, then gone, and nothing is sent that would show it. */
	fd = client();
	say(fd, "{\"method\":\"org.test.Keep\"}");
	shutdown(fd, SHUT_WR);
	pump();
	close(fd);
	usleep(1050 * 1000);
	pump();
	assert_int_equal(t.n_closed, 2);
	assert_int_equal(vl_clients(t.vl), 0);
}

/* A call that waited and then streams: whoever waited is not told any more. */
static void test_deferred_stream(void **state)
{
	int fd = client();
	unsigned *left = malloc(sizeof(*left));

	(void)state;
	say(fd, "{\"method\":\"org.test.Keep\",\"more\":true}");
	pump();
	*left = 20000;
	vl_pull(t.kept[0], pull_list, left);
	for (int i = 0; i < 50; i++)
		pump();
	assert_true(t.n_pulled > 500);
	close(fd);
	for (int i = 0; i < 50; i++)
		pump();
	assert_int_equal(vl_clients(t.vl), 0);
	assert_int_equal(t.n_closed, 0);
}

static void test_half_closed_pipeline(void **state)
{
	int fd = client();

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(send(fd, ECHO("x"), sizeof(ECHO("x")), 0) > 0);
	assert_true(send(fd, "{\"met", 5, 0) > 0);
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 100; i++)
		expect(fd, ECHOED("x"));
	expect_end(fd);
	close(fd);
}

static void test_stream(void **state)
{
	enum { N = 20000 };
	int fd = client();

	(void)state;
	say(fd, "{\"method\":\"org.test.List\",\"parameters\":{\"n\":20000},\"more\":true}");
	for (int i = 0; i < 100; i++)
		pump();
	assert_true(t.n_pulled > 500 && t.n_pulled < 5000);	/* not read yet: made is only what fits */
	for (int i = N; i > 0; i--) {
		json_t *got = hear(fd, NULL);

		assert_non_null(got);
		assert_true(json_is_true(json_object_get(got, "continues")));
		assert_int_equal(json_integer_value(json_object_get(json_array_get(
				 json_object_get(json_object_get(got, "parameters"), "list"), 0), "left")), i);
		json_decref(got);
	}
	expect(fd, "{\"parameters\":{\"list\":[]}}");
	close(fd);
}

/* Without `more` the answers come as one; too many are refused, not cut. */
static void test_collected(void **state)
{
	int fd = client();
	json_t *got;

	(void)state;
	say(fd, "{\"method\":\"org.test.List\",\"parameters\":{\"n\":0}}");
	expect(fd, "{\"parameters\":{\"list\":[]}}");
	say(fd, "{\"method\":\"org.test.List\",\"parameters\":{\"n\":500}}");
	got = hear(fd, NULL);
	assert_int_equal(json_array_size(json_object_get(json_object_get(got, "parameters"), "list")), 500);
	assert_null(json_object_get(got, "continues"));
	json_decref(got);
	say(fd, "{\"method\":\"org.test.List\",\"parameters\":{\"n\":2000}}");
	expect_error(fd, "org.varlink.service.ExpectedMore");
	say(fd, "{\"method\":\"org.test.Monitor\"}");
	expect_error(fd, "org.varlink.service.ExpectedMore");
	close(fd);
}

/* A monitor that does not read costs at most its queue, and then its connection; its neighbour gets every event. */
static void test_slow_reader(void **state)
{
	static const char monitor[] = "{\"method\":\"org.test.Monitor\",\"more\":true}";
	int slow = client(), good = client(), n;
	json_t *got;

	(void)state;
	say(slow, monitor);
	say(good, monitor);
	pump();
	assert_int_equal(t.n_kept, 2);
	for (n = 0; t.kept[0] && n < 100000; n++) {
		for (int i = 0; i < 2; i++)
			if (t.kept[i])
				vl_reply_more(t.kept[i], json_pack("{s:i, s:s}", "event", n, "pad",
					      "0123456789012345678901234567890123456789"));
		pump();
		got = hear(good, NULL);
		assert_int_equal(json_integer_value(json_object_get(json_object_get(got, "parameters"), "event")), n);
		json_decref(got);
	}
	assert_null(t.kept[0]);
	assert_int_equal(t.n_closed, 1);
	assert_int_equal(t.n_notes, 1);
	assert_non_null(strstr(t.note, "does not read"));
	assert_int_equal(vl_clients(t.vl), 1);
	close(slow);
	close(good);
}

/* One that leaves a finished answer unread is dropped after a while and frees its place. */
static void test_stalled(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "{\"method\":\"org.test.List\",\"parameters\":{\"n\":20000},\"more\":true}");
	for (int i = 0; i < 100; i++)
		pump();
	assert_int_equal(vl_clients(t.vl), 1);
	usleep(2100 * 1000);
	pump();
	assert_int_equal(vl_clients(t.vl), 0);
	assert_non_null(strstr(t.note, "does not read"));
	close(fd);
}

static void test_too_many_clients(void **state)
{
	int fd[VL_CLIENTS_MAX + 1];

	(void)state;
	for (int i = 0; i <= VL_CLIENTS_MAX; i++) {
		fd[i] = client();
		pump();
	}
	assert_int_equal(vl_clients(t.vl), VL_CLIENTS_MAX);
	expect_error(fd[VL_CLIENTS_MAX], "org.test.Refused");
	expect_end(fd[VL_CLIENTS_MAX]);
	say(fd[0], ECHO("in"));
	expect(fd[0], ECHOED("in"));
	close(fd[0]);
	pump();
	fd[0] = client();
	say(fd[0], ECHO("again"));
	expect(fd[0], ECHOED("again"));
	for (int i = 0; i <= VL_CLIENTS_MAX; i++)
		close(fd[i]);
	pump();
	assert_int_equal(vl_clients(t.vl), 0);
}

/* What a child with other credentials hears when it calls an administering method and then another one.
 * 0: it may; 1: PermissionDenied; both: and the other one was answered. */
static int ask_as(uid_t uid, gid_t gid, gid_t extra)
{
	static const char admin[] = "{\"method\":\"org.test.Admin\"}", echo[] = ECHO("hi");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char buf[512] = "";
	int status, fd, denied;
	pid_t pid;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", t.path);
	pid = fork();
	if (!pid) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (setgroups(1, &extra) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
			_exit(9);
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
			_exit(8);
		alarm(10);
		if (send(fd, admin, sizeof(admin), 0) < 0 || recv(fd, buf, sizeof(buf) - 1, 0) < 1)
			_exit(7);
		denied = strstr(buf, "org.test.PermissionDenied") ? 1 : strcmp(buf, "{\"parameters\":{}}") ? 6 : 0;
		if (send(fd, echo, sizeof(echo), 0) < 0 || recv(fd, buf, sizeof(buf) - 1, 0) < 1 || !strstr(buf, "\"hi\""))
			_exit(5);
		_exit(denied);
	}
	while (waitpid(pid, &status, WNOHANG) != pid)
		ev_run(t.loop, EVRUN_NOWAIT);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_rights(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "{\"method\":\"org.test.Admin\"}");
	expect(fd, "{\"parameters\":{}}");
	close(fd);
	if (geteuid())
		skip();
	assert_int_equal(ask_as(65534, 65534, 65534), 1);

	/* The group that may write to the socket may administer, as first group or as a supplementary one. */
	vl_free(t.vl);
	t.vl = vl_new(t.loop, vl_listen(t.path, 0666, 12345), &service);
	assert_non_null(t.vl);
	assert_int_equal(ask_as(65534, 12345, 65534), 0);
	assert_int_equal(ask_as(65534, 65534, 12345), 0);
	assert_int_equal(ask_as(65534, 65534, 65534), 1);
}

/* Stopping the service tells the waiting calls' owner, and the last answer still goes out. */
static void test_end_of_service(void **state)
{
	int waiting = client(), fd = client();

	(void)state;
	say(waiting, "{\"method\":\"org.test.Keep\"}");
	say(fd, "{\"method\":\"org.test.Keep\"}");
	pump();
	vl_reply_empty(t.kept[1]);
	vl_free(t.vl);
	t.vl = NULL;
	expect(fd, "{\"parameters\":{}}");
	expect_end(fd);
	expect_end(waiting);
	assert_int_equal(t.n_closed, 1);
	close(fd);
	close(waiting);
}

/* Memory runs out at the n-th allocation of the JSON library, for every n: the client loses its connection or gets its
 * answer, nothing else happens, and the next one is served. */
static long allocs_left;

static void *scarce_malloc(size_t n)
{
	return allocs_left-- > 0 ? malloc(n) : NULL;
}

static void test_no_memory(void **state)
{
	static const char *const call[] = {
		ECHO("x"), "{\"method\":\"org.test.Nothing\"}", "{\"method\":\"org.varlink.service.GetInfo\"}", "rubbish",
		"{\"method\":\"org.test.List\",\"parameters\":{\"n\":3}}",
		"{\"method\":\"org.test.List\",\"parameters\":{\"n\":3},\"more\":true}",
	};
	unsigned dropped = 0, served = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(call) / sizeof(*call); i++) {
		for (long n = 0; n < 200; n++) {
			int fd = client(), other;

			pump();
			assert_true(send(fd, call[i], strlen(call[i]) + 1, 0) > 0);
			allocs_left = n;
			json_set_alloc_funcs(scarce_malloc, free);
			pump();
			json_set_alloc_funcs(malloc, free);
			pump();
			for (json_t *got; (got = hear(fd, NULL)); json_decref(got))
				if (!json_object_get(got, "continues"))
					served++;
			dropped += vl_clients(t.vl) == 0;
			other = client();
			say(other, ECHO("fine"));
			expect(other, ECHOED("fine"));
			close(fd);
			close(other);
			pump();
		}
	}
	assert_true(dropped > 50);
	assert_true(served > 500);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_byte_at_a_time), T(test_two_in_one_read), T(test_pipeline), T(test_parameters), T(test_introspection),
		T(test_oneway), T(test_rubbish), T(test_deep_nesting), T(test_size_limit), T(test_deferred),
		T(test_leaves_while_waiting), T(test_half_closed_pipeline), T(test_deferred_stream),
		T(test_stream), T(test_collected), T(test_slow_reader),
		T(test_stalled), T(test_too_many_clients), T(test_rights),
		T(test_end_of_service), T(test_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	json_object_seed(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
