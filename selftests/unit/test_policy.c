/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is let in: proofs against the users, rates and counts by source address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/policy.h"
#include "ppp/mschap.h"

static struct conf_user users[] = {		/* sorted by name, as config_user expects */
	{ .name = (char[]){ "CORP\\dora" }, .password = (char[]){ "domain" } },
	{ .name = (char[]){ "alice" }, .password = (char[]){ "wonderland" } },
	{ .name = (char[]){ "nopw" }, .password = (char[]){ "" } },
	{ .name = (char[]){ "z\xc3\xb6" "e" }, .password = (char[]){ "wonderland" } },
};
static struct config conf = { .user = users, .n_users = 4 };

static void set_name(struct ppp_fx_auth *a, const char *name)
{
	a->name_len = (uint8_t)strlen(name);
	memcpy(a->name, name, a->name_len);
}

static const char *who(const struct ppp_fx_auth *a, uint8_t reply[20])
{
	const struct conf_user *u = authn_check(&conf, a, reply);

	return u ? u->name : "nobody";
}

static struct ppp_fx_auth pap(const char *name, const char *password)
{
	struct ppp_fx_auth a = { .proto = PPP_AUTH_PAP, .password_len = (uint8_t)strlen(password) };

	set_name(&a, name);
	memcpy(a.password, password, a.password_len);
	return a;
}

static void test_pap(void **state)
{
	uint8_t reply[20];
	struct ppp_fx_auth a;

	(void)state;
	a = pap("alice", "wonderland");
	assert_string_equal(who(&a, reply), "alice");
	a = pap("EXAMPLE\\alice", "wonderland");
	assert_string_equal(who(&a, reply), "alice");
	a = pap("CORP\\dora", "domain");
	assert_string_equal(who(&a, reply), "CORP\\dora");
	a = pap("dora", "domain");
	assert_string_equal(who(&a, reply), "nobody");
	/* shorter, longer, empty, and what an unknown name is compared with */
	a = pap("alice", "wonderlan");
	assert_string_equal(who(&a, reply), "nobody");
	a = pap("alice", "wonderland2");
	assert_string_equal(who(&a, reply), "nobody");
	a = pap("alice", "");
	assert_string_equal(who(&a, reply), "nobody");
	a = pap("", "");
	assert_string_equal(who(&a, reply), "nobody");
	a = pap("mallory", "no such user");
	assert_string_equal(who(&a, reply), "nobody");
}

/* Names are octets: neither a NUL ends one, nor is one the same in another spelling. */
static void test_names(void **state)
{
	static const struct { const char *name; size_t n; const char *is; } row[] = {
		{ "alice", 5, "alice" }, { "alice\0", 6, "nobody" }, { "alice\0x", 7, "nobody" }, { "\0alice", 6, "nobody" },
		{ "Alice", 5, "nobody" }, { "alic", 4, "nobody" }, { "alice ", 6, "nobody" }, { "alice@example.org", 17, "nobody" },
		{ "", 0, "nobody" }, { "\\alice", 6, "alice" }, { "a\0b\\alice", 9, "alice" }, { "A\\B\\alice", 9, "nobody" },
		{ "alice\\", 6, "nobody" },
		{ "z\xc3\xb6" "e", 4, "z\xc3\xb6" "e" }, { "zoe\xcc\x88", 5, "nobody" }, { "z\xf6" "e", 3, "nobody" },
	};
	uint8_t reply[20];
	struct ppp_fx_auth a;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		a = pap("", "wonderland");
		a.name_len = (uint8_t)row[i].n;
		memcpy(a.name, row[i].name, row[i].n);
		assert_string_equal(who(&a, reply), row[i].is);
	}
	a.name_len = a.password_len = 255;
	memset(a.name, 'x', 255);
	memset(a.password, 0, 255);
	assert_string_equal(who(&a, reply), "nobody");
	a = pap("alice", "wonderland");
	a.password[a.password_len++] = 0;
	assert_string_equal(who(&a, reply), "nobody");
}

static struct ppp_fx_auth chap(const char *name, const char *password)
{
	struct ppp_fx_auth a = { .proto = PPP_AUTH_CHAP_MD5, .id = 7, .challenge_len = 16, .response_len = 16 };

	set_name(&a, name);
	memset(a.challenge, 0x5a, sizeof(a.challenge));
	chap_md5_response(a.response, a.id, (struct span){ (const uint8_t *)password, strlen(password) },
			  (struct span){ a.challenge, a.challenge_len });
	return a;
}

static void test_chap(void **state)
{
	struct ppp_fx_auth a = chap("alice", "wonderland");
	uint8_t reply[20];

	(void)state;
	assert_string_equal(who(&a, reply), "alice");
	a.id++;						/* a response to another challenge */
	assert_string_equal(who(&a, reply), "nobody");
	a = chap("alice", "looking-glass");
	assert_string_equal(who(&a, reply), "nobody");
	a = chap("alice", "wonderland");
	a.response_len = 15;
	assert_string_equal(who(&a, reply), "nobody");
	a = chap("mallory", "no such user");
	assert_string_equal(who(&a, reply), "nobody");
}

static void test_mschapv2(void **state)
{
	struct ppp_fx_auth a = { .proto = PPP_AUTH_MSCHAPV2, .challenge_len = 16, .response_len = 49 };
	uint8_t hash[16], reply[20], want[20];

	(void)state;
	set_name(&a, "EXAMPLE\\alice");
	memset(a.challenge, 0x11, 16);
	memset(a.response, 0x22, 16);
	assert_true(mschap_nt_hash(hash, (struct span){ (const uint8_t *)"wonderland", 10 }));
	mschapv2_response(a.response + 24, a.challenge, a.response, (struct span){ a.name, a.name_len }, hash);
	assert_string_equal(who(&a, reply), "alice");
	mschapv2_auth_response(want, hash, a.response + 24, a.challenge, a.response, (struct span){ a.name, a.name_len });
	assert_memory_equal(reply, want, sizeof(want));	/* proves to the peer that we know the password */
	a.response[30] ^= 1;
	assert_string_equal(who(&a, reply), "nobody");
	a.response[30] ^= 1;
	a.challenge_len = 8;
	assert_string_equal(who(&a, reply), "nobody");
}

static struct endpoint v4(uint32_t host)
{
	struct endpoint e = { .family = 4, .port = 1701 };

	memcpy(e.addr, &host, 4);
	return e;
}

static void test_rate(void **state)
{
	struct sources *s = sources_new();
	struct endpoint a = v4(0x01020304), b = v4(0x01020305);
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		n += source_admit(s, 1000, &a, 10, 20);
	assert_int_equal(n, 20);			/* the burst, and no more */
	assert_true(source_admit(s, 1000, &b, 10, 20));	/* the neighbour has his own */
	assert_false(source_admit(s, 1099, &a, 10, 20));
	assert_true(source_admit(s, 1100, &a, 10, 20));	/* ten a second */
	assert_false(source_admit(s, 1100, &a, 10, 20));
	for (n = 0; source_admit(s, 3600000, &a, 10, 20); n++)
		;
	assert_int_equal(n, 20);			/* an hour later no more than the burst */
	sources_free(s);
}

/* Guessing passwords is slow, by who guesses and by nobody else. */
static void test_guesses(void **state)
{
	struct sources *s = sources_new();
	struct endpoint a = v4(0x01020304), b = v4(0x01020305);
	unsigned n = 0;

	(void)state;
	for (ms_t now = 1; now <= 600000; now += 10)
		if (source_may_guess(s, now, &a)) {
			source_guessed_wrong(s, now, &a);
			n++;
		}
	assert_in_range(n, 600, 660);
	source_guessed_wrong(s, 600001, &a);
	assert_false(source_may_guess(s, 600001, &a));
	assert_true(source_may_guess(s, 600001, &b));
	assert_true(source_admit(s, 600001, &a, 10, 20));
	assert_true(source_may_guess(s, 602000, &a));
	sources_free(s);
}

static void test_counts(void **state)
{
	struct sources *s = sources_new();
	struct tunnel t[3] = { 0 };

	(void)state;
	t[0].peer = t[1].peer = v4(1);
	t[1].peer.port = 9;
	t[2].peer = v4(2);
	for (unsigned i = 0; i < 3; i++)
		assert_true(source_add(s, &t[i]));
	assert_int_equal(source_tunnels(s, &t[0].peer), 2);
	assert_ptr_equal(source_first(s, &t[0].peer), &t[1]);
	assert_ptr_equal(t[1].same_source, &t[0]);
	source_remove(s, &t[0]);
	assert_int_equal(source_tunnels(s, &t[0].peer), 1);
	assert_null(t[1].same_source);
	source_remove(s, &t[1]);
	assert_int_equal(source_tunnels(s, &t[0].peer), 0);
	assert_null(source_first(s, &t[0].peer));
	source_remove(s, &t[2]);
	sources_free(s);
}

static void test_cause(void **state)
{
	struct l2tp_cause c = { .result = 4, .by_peer = true };
	char buf[128];

	(void)state;
	assert_string_equal(cause_text(&c, false, buf, sizeof(buf)), "the peer's StopCCN: requester is not authorized (4)");
	c = (struct l2tp_cause){ .result = 2, .error = 4, .msg = "no room" };
	assert_string_equal(cause_text(&c, true, buf, sizeof(buf)), "our CDN: general error (2), insufficient resources: no room");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pap), cmocka_unit_test(test_names),
		cmocka_unit_test(test_chap), cmocka_unit_test(test_mschapv2),
		cmocka_unit_test(test_rate), cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_counts), cmocka_unit_test(test_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
