/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar of `ip l2tp`: command lines, and what they mean or why they are refused; the lines of a batch. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* An order in words; what is the default is left out. */
static void describe(const struct order *o, char *out, size_t size)
{
	static const char *const verb[] = { "add", "delete", "show" };
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	const struct kobj_tunnel *t = &o->t;
	const struct kobj_session *s = &o->s;
	size_t n = 0;

#define SAY(...) (n += (size_t)snprintf(out + n, size - n, __VA_ARGS__))
#define IF(cond, ...) ((cond) ? SAY(__VA_ARGS__) : 0)
	SAY("%s%s%s", verb[o->verb], o->tunnel ? " tunnel" : "", o->session ? " session" : "");
	IF(t->tunnel_id, " t%u", t->tunnel_id);
	IF(t->peer_tunnel_id, " pt%u", t->peer_tunnel_id);
	IF(s->session_id, " s%u", s->session_id);
	IF(s->peer_session_id, " ps%u", s->peer_session_id);
	if (o->tunnel && o->verb == ORDER_ADD)
		SAY(" %s/%u>%s/%u", inet_ntop(t->local.family == 6 ? AF_INET6 : AF_INET, t->local.addr, a, sizeof(a)),
		    t->local.port, inet_ntop(t->peer.family == 6 ? AF_INET6 : AF_INET, t->peer.addr, b, sizeof(b)), t->peer.port);
	IF(t->encap, " ip");
	IF(t->version != 3, " v%u", t->version);
	IF(t->csum, " csum");
	IF(!t->csum6_tx, " no-tx");
	IF(!t->csum6_rx, " no-rx");
	IF(s->name[0], " name=%s", s->name);
	IF(s->cookie_len, " c%u=%02x..%02x", s->cookie_len, s->cookie[0], s->cookie[s->cookie_len - 1]);
	IF(s->peer_cookie_len, " pc%u=%02x..%02x", s->peer_cookie_len, s->peer_cookie[0], s->peer_cookie[s->peer_cookie_len - 1]);
	IF(s->l2spec != KOBJ_L2SPEC_DEFAULT, " l2spec%u", s->l2spec);
	IF(s->send_seq, " send");
	IF(s->recv_seq, " recv");
	IF(s->pw, " pw%u", s->pw);
	IF(o->a.mtu, " mtu=%u", o->a.mtu);
	IF(o->a.netns, " netns=%s", o->a.netns);
	IF(o->a.vrf, " vrf=%s", o->a.vrf);
	IF(o->a.bridge, " bridge=%s", o->a.bridge);
	IF(o->a.vlan, " vlan=%u", o->a.vlan);
	IF(o->a.up, " up");
	IF(o->force, " force");
	IF(o->negotiate, " negotiate");
	IF(o->remote_end_id, " end=%s", o->remote_end_id);
	IF(o->secret_file, " secret=%s", o->secret_file);
	IF(o->psk_file, " psk=%s", o->psk_file);
	IF(o->user, " user=%s", o->user);
	IF(o->password_file, " password=%s", o->password_file);
	IF(o->cookie_length, " cookie-length=%u", o->cookie_length);
	for (unsigned i = 0; i < o->n_notes; i++)
		SAY(" (%.8s)", o->note[i]);
}

#define T4 "tunnel remote 192.0.2.2 local 192.0.2.1 tunnel_id 1 peer_tunnel_id 2 "
#define T6 "tunnel remote 2001:db8::2 local 2001:db8::1 tunnel_id 1 peer_tunnel_id 2 "
#define UDP "udp_sport 5000 udp_dport 6000 "
#define S "session tunnel_id 1 session_id 3 peer_session_id 4 "
#define D4 "add tunnel t1 pt2 192.0.2.1/5000>192.0.2.2/6000"
#define D6 "add tunnel t1 pt2 2001:db8::1/5000>2001:db8::2/6000"
#define DI "add tunnel t1 pt2 192.0.2.1/0>192.0.2.2/0 ip"
#define DS "add session t1 s3 ps4"

#define R(v, l, ...) { .verb = v, .line = l, .want = __VA_ARGS__ }
#define ADD(...) R(ORDER_ADD, __VA_ARGS__)
#define DELETE(...) R(ORDER_DELETE, __VA_ARGS__)
#define SHOW(...) R(ORDER_SHOW, __VA_ARGS__)

/* want: what it means, or "!" and a part of the refusal; more: another part. */
static const struct row { enum order_verb verb; const char *line, *want, *more; int family; } rows[] = {
	ADD(T4 UDP, D4),
	ADD(T4 UDP "encap udp", D4),
	ADD(T4 "encap ip", DI),
	ADD(T6 UDP, D6),
	ADD(UDP T4, D4),
	ADD("tid 1 ptid 2 udp_sport 0x1388 udp_dport 013560 remote 192.0.2.2 local 192.0.2.1 tunnel", D4),
	ADD("tunnel tid 4294967295 ptid 0xffffffff local any remote 192.0.2.2 encap ip",
	  "add tunnel t4294967295 pt4294967295 0.0.0.0/0>192.0.2.2/0 ip"),
	ADD("tunnel tid 1 ptid 2 local any remote ::2 encap ip", "add tunnel t1 pt2 ::/0>::2/0 ip"),
	ADD(T4 UDP "udp_csum on", D4 " csum"),
	ADD(T4 UDP "udp_csum off", D4),
	ADD(T6 UDP "udp6_csum_tx off udp6_csum_rx off", D6 " no-tx no-rx"),
	ADD(T4 UDP "version 2", D4 " v2"),
	ADD(T4 UDP "version 3", D4),
	ADD(T4 UDP, D4, .family = 4),
	ADD(S, DS),
	ADD("session tid 1 sid 3 psid 4", DS),
	ADD(S "ptid 2", "add session t1 pt2 s3 ps4"),
	ADD(S "name tunnel", DS " name=tunnel"),
	ADD(S "name l2tp%d", DS " name=l2tp%d"),
	ADD(S "cookie 0123456789abcdef peer_cookie FEDCBA98", DS " c8=01..ef pc4=fe..98"),
	ADD(S "l2spec_type NONE", DS " l2spec0"),
	ADD(S "l2spec_type default seq both", DS " send recv"),
	ADD(S "seq SEND", DS " send"),
	ADD(S "seq recv", DS " recv"),
	ADD(S "seq none", DS),
	ADD(S "pseudowire ethernet", DS " pw5"),
	ADD(S "pseudowire ppp", DS " pw7"),
	ADD(S "pseudowire vlan", DS " pw4"),
	ADD(S "mtu 1500 netns blue vrf red up", DS " mtu=1500 netns=blue vrf=red up"),
	ADD(S "bridge br0 vlan 4094", DS " bridge=br0 vlan=4094"),
	ADD("session " T4 "encap ip session_id 3 peer_session_id 4",
	  "add tunnel session t1 pt2 s3 ps4 192.0.2.1/0>192.0.2.2/0 ip pw5"),
	ADD("tunnel remote 192.0.2.2 tunnel_id 65535", "add tunnel t65535 0.0.0.0/0>192.0.2.2/0 negotiate"),
	ADD("tunnel remote 192.0.2.2 local 192.0.2.1 tunnel_id 1 udp_dport 1701 secret_file /s",
	    "add tunnel t1 192.0.2.1/0>192.0.2.2/1701 negotiate secret=/s"),
	ADD("session tunnel_id 1 remote_end_id red", "add session t1 negotiate end=red"),
	ADD("session tunnel_id 1 remote_end_id red name r bridge br0 cookie_length 4 pseudowire vlan",
	    "add session t1 name=r pw4 bridge=br0 negotiate end=red cookie-length=4"),
	ADD("session tunnel_id 1 remote_end_id red netns blue mtu 1400 seq both l2spec_type default up",
	    "add session t1 send recv mtu=1400 netns=blue up negotiate end=red"),
	ADD("session tunnel_id 1 remote_end_id red vrf tenant seq none", "add session t1 vrf=tenant negotiate end=red"),
	ADD("session tunnel_id 1 remote_end_id dial pseudowire ppp user bob password_file /p name ppp7 mtu 1300",
	    "add session t1 name=ppp7 pw7 mtu=1300 negotiate end=dial user=bob password=/p"),
	ADD("session tunnel_id 1 remote_end_id dial pseudowire ppp", "add session t1 pw7 negotiate end=dial"),
	ADD("tunnel remote 192.0.2.2 tunnel_id 7 psk_file /k", "add tunnel t7 0.0.0.0/0>192.0.2.2/0 negotiate psk=/k"),
	DELETE("tunnel tunnel_id 1", "delete tunnel t1"),
	DELETE("session tunnel_id 1 remote_end_id red", "delete session t1 end=red"),
	DELETE("sid 3 session tid 1 force", "delete session t1 s3 force"),
	SHOW("tunnel", "show tunnel"),
	SHOW("tid 7 tunnel", "show tunnel t7"),
	SHOW("session session_id 3", "show session s3"),

	/* Without effect, as documented for `ip l2tp`, and said. */
	ADD(T4 UDP "encap ip", "add tunnel t1 pt2 192.0.2.1/5000>192.0.2.2/6000 ip (udp_spor)"),
	ADD(T6 UDP "udp_csum on", D6 " csum (udp_csum)"),
	ADD(T4 UDP "udp6_csum_tx off", D4 " no-tx (udp6_csu)"),
	ADD(S "offset 4 peer_offset x", DS " (offset a)"),
	ADD(S "seq both l2spec_type none", DS " l2spec0 send recv (seq has )"),

	/* Wrong words. */
	ADD("", "!\"tunnel\" or \"session\" is missing after \"add\""),
	SHOW("", "!\"tunnel\" or \"session\" is missing after \"show\""),
	ADD(T4 UDP "encapp udp", "!\"encapp\" does not fit \"add tunnel\""),
	ADD("remote 192.0.2.2 bogus 1 session", "!\"bogus\" does not fit \"add session\""),
	ADD(T4 UDP "-j", "!\"-j\" does not fit"),
	ADD("tun", "!\"tun\" does not fit"),			/* as with ip: no abbreviations here */
	ADD(T4 UDP "encap", "!a value is missing after \"encap\": udp|ip"),
	ADD(T4 UDP "encap tcp", "!\"tcp\" does not fit after \"encap\"", .more = "udp|ip"),
	ADD(T4 UDP "encap UDP", "!\"UDP\" does not fit"),
	ADD(T4 UDP "udp_csum yes", "!\"yes\" does not fit after \"udp_csum\""),
	ADD(T4 UDP "version 1", "!\"1\" does not fit after \"version\""),
	ADD(T4 UDP "tid 1", "!\"tunnel_id\" is there twice"),
	ADD(T4 UDP "name eth7", "!\"name\" does not fit \"add tunnel\""),
	ADD(S "encap ip", "!\"encap\" does not fit \"add session\""),
	ADD(S "force", "!\"force\" does not fit \"add session\""),
	ADD("tunnel tid 0", "!\"0\" is no id after \"tid\""),
	ADD("tunnel tid 4294967296", "!\"4294967296\" is no id"),
	ADD("tunnel tid -1", "!\"-1\" is no id"),
	ADD("tunnel tid +1", "!\"+1\" is no id"),
	ADD("tunnel tid 1x", "!\"1x\" is no id"),
	ADD("tunnel tid 99999999999999999999999", "!is no id"),
	ADD("tunnel tid branch", "!\"branch\" is no id"),
	ADD("tunnel udp_sport 65536", "!\"65536\" is no port"),
	ADD("tunnel udp_sport 0", "!\"0\" is no port"),
	ADD("tunnel local 192.0.2.256", "!\"192.0.2.256\" is no IPv4 or IPv6 address after \"local\""),
	ADD("tunnel remote 10.1", "!\"10.1\" is no IPv4"),
	ADD("tunnel remote fe80::1%eth0", "!is no IPv4 or IPv6 address"),
	ADD("tunnel remote any local 192.0.2.1 tid 1 ptid 2 encap ip", "!\"remote\" needs"),
	ADD("tunnel remote 0.0.0.0 local 192.0.2.1 tid 1 ptid 2 encap ip", "!\"remote\" needs"),
	ADD("tunnel remote 2001:db8::2 local 192.0.2.1 tid 1 ptid 2 encap ip", "!different families"),
	ADD(T4 UDP, "!-6 was given", .more = "IPv4", .family = 6),
	ADD("tunnel remote 192.0.2.2 tunnel_id 65536", "!65536 is no tunnel_id to negotiate", .more = "peer_tunnel_id"),
	ADD("tunnel local 192.0.2.1 tunnel_id 1", "!\"remote ADDR\" is missing"),
	ADD("tunnel remote 192.0.2.2 tunnel_id 1 version 2", "!\"version 2\" needs \"peer_tunnel_id\"", .more = "ktund.conf"),
	ADD("tunnel remote 192.0.2.2 tunnel_id 1 udp_csum on", "!\"udp_csum\" does not fit a tunnel to negotiate"),
	ADD("tunnel remote 192.0.2.2 tunnel_id 1 encap ip udp_sport 1", "!have no effect with \"encap ip\""),
	ADD("tunnel session remote 192.0.2.2 tunnel_id 1 session_id 3 peer_session_id 4", "!in two commands"),
	ADD(T4 UDP "secret_file /s", "!\"secret_file\" does not fit a static tunnel"),
	ADD("session tunnel_id 1 remote_end_id red session_id 3", "!\"session_id\" does not fit a session to negotiate"),
	ADD("session tunnel_id 1 remote_end_id red cookie 01020304", "!\"cookie\" does not fit a session to negotiate"),
	ADD("session tunnel_id 1 remote_end_id red seq send", "!\"send\" does not fit after \"seq\"", .more = "none|both"),
	ADD("session tunnel_id 1 remote_end_id red seq recv", "!\"recv\" does not fit after \"seq\""),
	ADD("session tunnel_id 1 remote_end_id red seq both l2spec_type none", "!\"seq both\" does not fit \"l2spec_type none\""),
	ADD("session tunnel_id 1 remote_end_id red netns blue bridge br0", "!\"netns\" and \"bridge\""),
	ADD("session tunnel_id 1 remote_end_id red netns blue vrf tenant", "!\"netns\" and \"vrf\""),
	ADD("session tunnel_id 1 remote_end_id red netns a/b", "!\"a/b\" is no network namespace to negotiate for"),
	ADD("session tunnel_id 1 remote_end_id red offset 4", "!\"offset\" does not fit a session to negotiate"),
	ADD("session tunnel_id 1 remote_end_id red pseudowire ppp netns blue", "!\"netns\" does not fit a PPP session"),
	ADD("session tunnel_id 1 remote_end_id red pseudowire ppp bridge br0", "!\"bridge\" does not fit a PPP session"),
	ADD("session tunnel_id 1 remote_end_id red pseudowire ppp user bob", "!\"password_file FILE\" is missing"),
	ADD("session tunnel_id 1 remote_end_id red pseudowire ppp password_file /p", "!\"user NAME\" is missing"),
	ADD("session tunnel_id 1 remote_end_id red user bob password_file /p", "!\"user\" does not fit a session without"),
	ADD(S "pseudowire ppp user bob", "!\"user\" does not fit a static session"),
	ADD("tunnel remote 192.0.2.2 tunnel_id 7 encap ip psk_file /k", "!\"psk_file\" does not fit \"encap ip\""),
	ADD(T4 UDP "psk_file /k", "!\"psk_file\" does not fit a static tunnel"),
	ADD(S "cookie_length 4", "!\"cookie_length\" does not fit a static session"),
	ADD("session " T4 "encap ip remote_end_id red", "!\"peer_tunnel_id\" does not fit a session to negotiate"),
	ADD("tunnel remote 192.0.2.2 local 192.0.2.1 peer_tunnel_id 1 encap ip", "!\"tunnel_id ID\" is missing"),
	ADD("tunnel remote 192.0.2.2 tunnel_id 1 peer_tunnel_id 1 encap ip", "!\"local ADDR\" is missing"),
	ADD("tunnel local 192.0.2.2 tunnel_id 1 peer_tunnel_id 1 encap ip", "!\"remote ADDR\" is missing"),
	ADD(T4, "!\"udp_sport PORT\" is missing"),
	ADD(T4 "udp_sport 1", "!\"udp_dport PORT\" is missing"),
	ADD(T4 "encap ip version 2", "!L2TPv2 is carried by UDP only"),
	ADD("tunnel remote 192.0.2.2 local 192.0.2.1 tid 65536 ptid 1 version 2 " UDP, "!65536 is no id of L2TPv2"),
	ADD("tunnel remote 192.0.2.2 local 192.0.2.1 tid 1 ptid 70000 version 2 " UDP, "!70000 is no id of L2TPv2"),
	ADD("session tid 1 sid 3", "!\"peer_session_id ID\" is missing"),
	ADD("session tid 1 psid 3", "!\"session_id ID\" is missing"),
	ADD("session sid 1 psid 3", "!\"tunnel_id ID\" is missing"),
	ADD(S "cookie 0123", "!\"0123\" is no cookie: 8 or 16 hex digits"),
	ADD(S "cookie 0123456g", "!\"0123456g\" is no cookie"),
	ADD(S "peer_cookie 0123456789", "!is no cookie"),
	ADD(S "name sixteen-octets-x", "!\"sixteen-octets-x\" is no name of an interface"),
	ADD(S "name a/b", "!is no name of an interface"),
	ADD(S "name ..", "!is no name of an interface"),
	ADD(S "seq maybe", "!\"maybe\" does not fit after \"seq\"", .more = "none|send|recv|both"),
	ADD(S "mtu 67", "!\"67\" is no MTU"),
	ADD(S "mtu 65536", "!\"65536\" is no MTU"),
	ADD(S "bridge br0 vlan 4095", "!\"4095\" is no VLAN"),
	ADD(S "vlan 5", "!\"vlan\" needs \"bridge\""),
	ADD(S "vrf red bridge br0", "!one of them"),
	ADD("session " T4 UDP "version 2 sid 1 psid 2 cookie 01234567", "!L2TPv2 has no \"cookie\""),
	DELETE("tunnel", "!\"tunnel_id ID\" is missing", .more = "ktun delete tunnel --help"),
	DELETE("session tunnel_id 1", "!\"session_id ID\" is missing"),
	DELETE("session session_id 1", "!\"tunnel_id ID\" is missing"),
	DELETE("tunnel tid 1 sid 2", "!\"session_id\" does not fit \"delete tunnel\""),	/* ip deletes the session */
	DELETE("tunnel session tid 1 sid 2", "!one of them"),
	SHOW("tunnel session", "!one of them"),
	SHOW("tunnel session_id 2", "!\"session_id\" does not fit \"show tunnel\""),
	SHOW("tunnel encap ip", "!\"encap\" does not fit \"show tunnel\""),
};

/* Splits line in place. */
static int split(char *line, char **argv)
{
	int n = 0;

	for (char *save, *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	return n;
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];
		char line[512], why[WORDS_WHY] = "", got[512], *argv[64];
		struct order o;
		int argc;

		snprintf(line, sizeof(line), "%s", r->line);
		argc = split(line, argv);
		if (words_parse(r->verb, argc, argv, r->family, &o, why)) {
			describe(&o, got, sizeof(got));
			if (strcmp(got, r->want))
				fail_msg("\"%s\" means \"%s\", not \"%s\"", r->line, got, r->want);
		} else if (r->want[0] != '!' || !strstr(why, r->want + 1) || (r->more && !strstr(why, r->more))) {
			fail_msg("\"%s\" is refused: %s; wanted: %s", r->line, why, r->want);
		}
	}
}

/* What a tunnel's version allows in its sessions. */
static void test_version(void **state)
{
	static const struct { const char *line; uint8_t version; const char *refusal; uint16_t pw; } row[] = {
		{ S, 3, NULL, KOBJ_PW_ETHERNET },
		{ S, 2, NULL, KOBJ_PW_PPP },
		{ S "pseudowire ppp", 3, NULL, KOBJ_PW_PPP },
		{ S "pseudowire vlan bridge br0", 3, NULL, KOBJ_PW_VLAN },
		{ S "seq both", 2, NULL, KOBJ_PW_PPP },
		{ S "pseudowire ethernet", 2, "carries PPP only", 0 },
		{ S "l2spec_type none", 2, "L2TPv2 has no \"l2spec_type\", and tunnel 1 is of version 2", 0 },
		{ S "peer_cookie 01234567", 2, "no \"peer_cookie\"", 0 },
		{ S "pseudowire ppp name x", 3, "\"name\" does not fit a PPP session", 0 },
		{ S "up", 2, "\"up\" does not fit a PPP session", 0 },
		{ "session tid 1 sid 65536 psid 1", 2, "65536 is no id of L2TPv2", 0 },
		{ "session tid 1 sid 1 psid 65536", 2, "65536 is no id of L2TPv2", 0 },
		{ "session tid 1 sid 65536 psid 65536", 3, NULL, KOBJ_PW_ETHERNET },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		char line[256], why[WORDS_WHY] = "", *argv[64];
		struct order o;
		int argc;

		snprintf(line, sizeof(line), "%s", row[i].line);
		argc = split(line, argv);
		assert_true(words_parse(ORDER_ADD, argc, argv, 0, &o, why));
		assert_int_equal(words_fit_version(&o, row[i].version, why), !row[i].refusal);
		if (row[i].refusal && !strstr(why, row[i].refusal))
			fail_msg("\"%s\": %s", row[i].line, why);
		if (!row[i].refusal)
			assert_int_equal(o.s.pw, row[i].pw);
	}
}

/* Help and completion are made of these. */
static void test_list(void **state)
{
	const struct word *w;
	unsigned n = 0;

	(void)state;
	for (; (w = words_list(ORDER_SHOW, true, n)); n++)
		assert_true(words_known(w->name) && *w->help);
	assert_int_equal(n, 2);			/* tunnel_id, session_id */
	for (n = 0; (w = words_list(ORDER_ADD, false, n)); n++)
		assert_false(!strcmp(w->name, "cookie"));
	assert_int_equal(n, 13);
	assert_true(words_known("sid") && !words_known("tunnel") && !words_known("sess"));
}

static void test_batch(void **state)
{
	/* Each line as its number and its words, "|" between them. */
	static const struct { const char *text, *want, *why; } row[] = {
		{ "", "", NULL },
		{ "\n\n  \n# nothing\n", "", NULL },
		{ "show tunnel", "1:show|tunnel ", NULL },
		{ "a b\n\n\tc  d\t\r\n", "1:a|b 3:c|d ", NULL },
		{ "a # b\nc", "1:a 2:c ", NULL },
		{ "a \\\n b \\\nc\nd\n", "1:a|b|c 4:d ", NULL },
		{ "a # b \\\nc\n", "1:a|c ", NULL },
		{ "a 'b c' \"d'e\" ''\n", "1:a|b c|d'e| ", NULL },
		{ "a\nb 'c\nd", "1:a ", "a quote is not closed" },
		{ "a\\b c\\\n", "1:a\\b|c ", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		char text[128], got[256] = "", *pos = text, *argv[BATCH_WORDS];
		const char *why = NULL;
		unsigned line = 0, at;
		int argc, more;

		strcpy(text, row[i].text);
		while ((more = batch_next(&pos, &line, argv, &argc, &at, &why)) > 0)
			for (int k = 0; k < argc; k++) {
				size_t n = strlen(got);

				if (!k)
					n += (size_t)sprintf(got + n, "%u:", at);
				sprintf(got + n, "%s%s", argv[k], k + 1 < argc ? "|" : " ");
			}
		assert_string_equal(got, row[i].want);
		assert_int_equal(more, row[i].why ? -1 : 0);
		if (row[i].why)
			assert_string_equal(why, row[i].why);
	}
}

static void test_batch_words(void **state)
{
	char text[2 * BATCH_WORDS + 8], *pos = text, *argv[BATCH_WORDS];
	const char *why = NULL;
	unsigned line = 0, at;
	int argc;

	(void)state;
	memset(text, 0, sizeof(text));
	for (int i = 0; i < BATCH_WORDS; i++)
		strcat(text, "a ");
	assert_int_equal(batch_next(&pos, &line, argv, &argc, &at, &why), 1);
	assert_int_equal(argc, BATCH_WORDS);
	for (int i = 0; i < 2 * BATCH_WORDS + 2; i++)
		text[i] = i % 2 ? ' ' : 'a';
	pos = text;
	assert_int_equal(batch_next(&pos, &line, argv, &argc, &at, &why), -1);
	assert_string_equal(why, "too many words");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_version), cmocka_unit_test(test_list),
		cmocka_unit_test(test_batch), cmocka_unit_test(test_batch_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
