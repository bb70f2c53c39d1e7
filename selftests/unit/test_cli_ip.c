/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktun for who knows ip: help and options where ip has them, batches, and what is to be negotiated in the words of `ip l2tp`. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/stub.h"

#define ASKED(what) assert_string_equal(stub.asked, what)

/* A batch of ours and of the kernel's commands: looked at as a whole first. */
static void batch(const char *text, const char *option)
{
	char file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/batch", stub.dir);
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
	stub_expect(0, "tunnel branch: up\nuser alice: 3 sessions disconnected\n", "");
	batch("up tunnel branch\nadd tunnel remote nowhere\n\nshow sesion\ndel session tid\n", NULL);
	stub_expect(2, "", NULL);
	ASKED("");
	assert_non_null(strstr(stub.err, "ktun: \"nowhere\" is no IPv4 or IPv6 address after \"remote\"\n"));
	assert_non_null(strstr(stub.err, "/batch:2: this line is wrong; nothing was done\n"));
	assert_non_null(strstr(stub.err, "/batch:4: this line is wrong"));
	assert_non_null(strstr(stub.err, "/batch:5: this line is wrong"));
	assert_null(strstr(stub.err, "/batch:1:"));
	batch("up tunnel branch\nshow stats x\ndisconnect session y\nmonitor\nlog level loud\nreload\ndoctor z\n"
	      "-n\nl2tp help\nadd tunnel remote 192.0.2.1 h\n", NULL);
	stub_expect(2, "", NULL);
	ASKED("");		/* nor is anything asked while the lines are looked at */
	assert_non_null(strstr(stub.err, "ktun: \"x\" is one word too many; usage: ktun show stats\n"));
	assert_non_null(strstr(stub.err, "/batch:2: this line is wrong; nothing was done\n"));
	assert_non_null(strstr(stub.err, "ktun: \"y\" is no session id"));
	assert_non_null(strstr(stub.err, "ktun: \"loud\" is no level"));
	assert_non_null(strstr(stub.err, "ktun: \"z\" does not fit; usage: ktun doctor"));
	assert_non_null(strstr(stub.err, "ktun: \"-n\" is no command"));
	for (char said[] = "/batch:1:"; said[7] <= '9'; said[7]++)
		assert_int_equal(!!strstr(stub.err, said), !!strchr("23578", said[7]));
	assert_null(strstr(stub.err, "/batch:10:"));
	batch("up tunnel a\nup tunnel \"b\nup tunnel c\n", NULL);
	stub_expect(2, "", NULL);
	assert_non_null(strstr(stub.err, "a quote is not closed\n"));
	batch("up tunnel a\nshow sesion\nup tunnel c\n", "-force");
	stub_expect(2, "tunnel a: up\ntunnel c: up\n", NULL);
	assert_non_null(strstr(stub.err, "/batch:2: this line is wrong\n"));
	stub.error = "org.ktund.NotFound";
	stub.params = "{\"kind\":\"tunnel\",\"name\":\"a\"}";
	batch("up tunnel a\nup tunnel c\n", NULL);
	stub_expect(1, "", NULL);
	ASKED("TunnelUp{\"name\":\"a\"} ");
	assert_non_null(strstr(stub.err, "/batch:1: this line failed; those behind it were not done\n"));
	KTUN("-b", "/nonexistent/batch");
	stub_expect(1, "", "ktun: /nonexistent/batch: No such file or directory\n");
}

/* Where `ip l2tp` has help, and its options. */
static void test_as_ip(void **state)
{
	static const char both[] = "  delete session tid ID sid ID [force]", tunnel[] = "  secret_file FILE ";
	static const char session[] = "  peer_cookie ";
	static const struct { const char *word[6], *says; } row[] = {
		{ { "l2tp", "help" }, both }, { { "l2tp", "h" }, both }, { { "l2tp", "--help" }, both }, { { "delete", "h" }, both },
		{ { "l2", "a", "tunnel", "help" }, tunnel }, { { "add", "tunnel", "encap", "ip", "he" }, tunnel },
		{ { "add", "session", "tid", "1", "hel" }, session }, { { "list", "tunnel", "help" }, "show tunnel [tunnel_id ID]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		const char *const *w = row[i].word;

		KTUN(w[0], w[1], w[2], w[3], w[4]);
		if (stub.status || *stub.err || !strstr(stub.out, row[i].says))
			fail_msg("row %zu says: %s%s", i, stub.err, stub.out);
	}
	KTUN("add", "session", "name", "help");		/* an interface's */
	stub_expect(2, "", "ktun: \"tunnel_id ID\" is missing; see `ktun add session --help`\n");
	KTUN("-c", "-br", "-o", "-r", "-t", "-ts", "-N", "-iec", "-color=auto", "-human-readable", "version");
	stub_expect(0, "ktun " KTUND_VERSION ", ktund 0.1\n", "");
	KTUN("-Version");
	stub_expect(0, "ktun " KTUND_VERSION "\n", "");
}

/* What is to be negotiated is ktund's: all that was said, and nothing else. */
static void test_ordered(void **state)
{
	char key[128], secret[128];
	FILE *f;

	(void)state;
	snprintf(key, sizeof(key), "%s/key", stub.dir);
	snprintf(secret, sizeof(secret), "%s/secret", stub.dir);
	f = fopen(key, "w");
	fputs("open \"sesame\"\nnot this\n", f);
	fclose(f);
	f = fopen(secret, "w");
	fputs("knock", f);
	fclose(f);
	KTUN("add", "tunnel", "remote", "192.0.2.2", "tunnel_id", "60007", "psk_file", key, "secret_file", secret);
	stub_expect(0, "", "");
	ASKED("AddTunnel{\"tunnel_id\":60007,\"remote\":\"192.0.2.2\",\"encapsulation\":\"udp\","
	      "\"secret\":\"knock\",\"psk\":\"open \\\"sesame\\\"\"} ");
	KTUN("add", "tunnel", "remote", "2001:db8::2", "local", "2001:db8::1", "tunnel_id", "60007", "encap", "ip");
	ASKED("AddTunnel{\"tunnel_id\":60007,\"remote\":\"2001:db8::2\",\"local\":\"2001:db8::1\","
	      "\"encapsulation\":\"ip\"} ");
	KTUN("add", "session", "tid", "7", "remote_end_id", "red");
	ASKED("AddSession{\"tunnel_id\":7,\"remote_end_id\":\"red\"} ");
	KTUN("add", "session", "tid", "7", "remote_end_id", "red", "name", "r0", "vrf", "blue", "mtu", "1400", "seq", "both",
	     "cookie_length", "0", "l2spec_type", "default", "pseudowire", "vlan");
	ASKED("AddSession{\"tunnel_id\":7,\"remote_end_id\":\"red\",\"pseudowire\":\"vlan\",\"interface\":\"r0\","
	      "\"vrf\":\"blue\",\"mtu\":1400,\"cookie_length\":0,\"l2_specific_sublayer\":\"default\",\"sequencing\":true} ");
	KTUN("add", "session", "tid", "7", "remote_end_id", "red", "bridge", "br0", "vlan", "7", "seq", "none",
	     "l2spec_type", "none");
	ASKED("AddSession{\"tunnel_id\":7,\"remote_end_id\":\"red\",\"bridge\":\"br0\",\"vlan\":7,"
	      "\"l2_specific_sublayer\":\"none\"} ");
	KTUN("add", "session", "tid", "7", "remote_end_id", "dial", "pseudowire", "ppp", "user", "bob", "password_file", secret);
	ASKED("AddSession{\"tunnel_id\":7,\"remote_end_id\":\"dial\",\"pseudowire\":\"ppp\",\"user\":\"bob\","
	      "\"password\":\"knock\"} ");
	KTUN("del", "session", "tid", "7", "remote_end_id", "red");
	ASKED("DeleteSession{\"tunnel_id\":7,\"remote_end_id\":\"red\"} ");
	KTUN("add", "tunnel", "remote", "192.0.2.2", "tunnel_id", "60007", "psk_file", "/nonexistent/key");
	stub_expect(1, "", "ktun: /nonexistent/key: No such file or directory\n");
	ASKED("");
	f = fopen(key, "w");
	fputs("\nsecond line\n", f);
	fclose(f);
	KTUN("add", "tunnel", "remote", "192.0.2.2", "tunnel_id", "60007", "secret_file", key);
	assert_non_null(strstr(stub.err, "/key: there is nothing in its first line\n"));
	stub_expect(1, "", NULL);
	ASKED("");
	KTUN("add", "session", "tid", "7", "remote_end_id", "red", "netns", "nowhere");
	stub_expect(1, "", "ktun: network namespace nowhere: No such file or directory\n");
	ASKED("");
	KTUN("-n", "blue", "add", "session", "tid", "7", "remote_end_id", "red");
	stub_expect(2, "", NULL);
	ASKED("");
	unlink(key);
	unlink(secret);
}

#define T(f) cmocka_unit_test_setup_teardown(f, stub_setup, stub_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_batch), T(test_as_ip), T(test_ordered) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
