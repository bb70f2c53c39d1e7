/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What charon's list-sas becomes for `ktun show sas`. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/ipsec.h"
#include "core/policy.h"
#include "core/session.h"
#include "vici/msg.h"

static struct { struct ctx ctx; struct sa_list *list; struct tunnel tunnel; struct session session; struct conf_peer peer; } t;

static void keys(struct wr *w, const char *const *kv)
{
	for (; *kv; kv += 2)
		vici_key(w, kv[0], kv[1]);
}

/* One list-sa, as strongSwan 5.9.8 sends it. */
static void add_sa(const char *conn, const char *host, const char *mark, bool child)
{
	static const char *const ike[] = { "uniqueid", "7", "version", "2", "state", "ESTABLISHED", "local-host", "203.0.113.1",
		"local-port", "4500", "local-id", "lns.example.org", "remote-port", "4500", "nat-remote", "yes",
		"nat-any", "yes", "encr-alg", "AES_CBC", "encr-keysize", "256", "integ-alg", "HMAC_SHA2_256_128", "prf-alg",
		"PRF_HMAC_SHA2_256", "dh-group", "MODP_2048", "established", "61", "rekey-time", "900", "reauth-time", "600",
			NULL };
	static const char *const esp[] = { "name", "l2tp-1701", "uniqueid", "3", "reqid", "1", "state", "INSTALLED", "mode",
		"TRANSPORT", "protocol", "ESP", "encap", "yes", "spi-in", "c0ffee00", "spi-out", "deadbeef", "encr-alg",
			"AES_GCM_16",
		"encr-keysize", "128", "bytes-in", "18446744073709551615", "packets-in", "12", "bytes-out", "34", "install-time",
		"59", "life-time", "3541", NULL };
	static uint8_t buf[4096];
	static const uint8_t id[] = { 'a', 0xff, '"' };
	struct wr w = wr_init(buf + 4, sizeof(buf) - 4), len = wr_init(buf, 4);
	size_t had = t.list ? t.list->len : 0;

	vici_section(&w, conn);
	keys(&w, ike);
	vici_key(&w, "remote-host", host);
	vici_key_span(&w, "remote-id", (struct span){ id, sizeof(id) });
	vici_section(&w, "child-sas");
	if (child) {
		vici_section(&w, "l2tp-1701-3");
		keys(&w, esp);
		if (mark)
			vici_key(&w, "mark-in", mark);
		vici_list_of(&w, "local-ts", "203.0.113.1/32[udp/l2f]");
		vici_section_end(&w);
	}
	vici_section_end(&w);
	vici_section_end(&w);
	assert_false(w.bad);
	wr_u32(&len, wr_len(&w));
	t.list = realloc(t.list, sizeof(*t.list) + had + 4 + wr_len(&w));
	assert_non_null(t.list);
	memcpy(t.list->octets + had, buf, 4 + wr_len(&w));
	t.list->len = had + 4 + wr_len(&w);
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.ctx.sources = sources_new();
	t.peer.ipsec.required = true;
	t.tunnel = (struct tunnel){ .ctx = &t.ctx, .id = 17, .mark = 0x2a, .from = &t.peer, .peer = { .family = 4, .port = 1701 },
				    .sessions = &t.session };
	inet_pton(AF_INET, "198.51.100.7", t.tunnel.peer.addr);
	t.session.user = (char *)(uintptr_t)"alice";
	return !source_add(t.ctx.sources, &t.tunnel);
}

static int teardown(void **state)
{
	(void)state;
	source_remove(t.ctx.sources, &t.tunnel);
	sources_free(t.ctx.sources);
	free(t.list);
	return 0;
}

static const char *word(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)); }
static json_int_t figure(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

static void test_all(void **state)
{
	size_t at = 0;
	json_t *some, *o;

	(void)state;
	add_sa("ktund-peer-anyone", "198.51.100.7", "0000002a", true);
	some = ipsec_next_sas(&t.ctx, t.list, &at, 0, "");
	assert_int_equal(json_array_size(some), 1);
	o = json_array_get(some, 0);
	assert_string_equal(word(o, "connection"), "ktund-peer-anyone");
	assert_string_equal(word(o, "ike_algorithms"), "AES_CBC-256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048");
	assert_string_equal(word(o, "algorithms"), "AES_GCM_16-128");
	assert_string_equal(word(o, "remote_identity"), "a\xef\xbf\xbd\"");	/* no UTF-8 becomes U+FFFD */
	assert_string_equal(word(o, "nat"), "remote");
	assert_true(json_is_true(json_object_get(o, "udp_encapsulation")) && json_is_false(json_object_get(o, "initiator")));
	assert_int_equal(figure(o, "ike_rekey_s"), 600);		/* what comes first */
	assert_int_equal(figure(o, "mark"), 0x2a);
	assert_int_equal(figure(o, "age_s"), 59);
	assert_int_equal(figure(o, "expires_s"), 3541);
	assert_true(json_is_null(json_object_get(o, "rekey_s")));	/* the peer's to do */
	assert_int_equal(figure(o, "rx_packets"), 12);
	assert_int_equal(json_array_size(json_object_get(o, "local_ts")), 1);
	assert_int_equal(json_array_size(json_object_get(o, "remote_ts")), 0);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(o, "tunnel_ids"), 0)), 17);
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "users"), 0)), "alice");
	json_decref(some);
	assert_null(ipsec_next_sas(&t.ctx, t.list, &at, 0, ""));
}

/* How many of the list are of tunnel id (0: any), and how many of those protect it. */
static unsigned count(uint16_t id, unsigned *ret_joined)
{
	unsigned n = 0, joined = 0;
	json_t *some, *o;
	size_t at = 0, i;

	while ((some = ipsec_next_sas(&t.ctx, t.list, &at, id, ""))) {
		json_array_foreach(some, i, o) {
			n++;
			joined += json_array_size(json_object_get(o, "tunnel_ids")) > 0;
		}
		json_decref(some);
	}
	*ret_joined = joined;
	return n;
}

static void test_join(void **state)
{
	unsigned joined;

	(void)state;
	add_sa("theirs", "198.51.100.7", "0000002a", true);			/* not ours */
	add_sa("ktund-peer-anyone", "198.51.100.7", "0000002b", true);		/* another behind the same NAT */
	add_sa("ktund-peer-anyone", "198.51.100.8", "0000002a", true);		/* another host */
	add_sa("ktund-peer-anyone", "nonsense", "0000002a", true);
	add_sa("ktund-tunnel-x", "198.51.100.9", NULL, false);			/* no CHILD_SA yet */
	assert_int_equal(count(0, &joined), 4);
	assert_int_equal(joined, 0);
	assert_int_equal(count(17, &joined), 0);
	add_sa("ktund-peer-anyone", "198.51.100.7", "0000002a", true);
	assert_int_equal(count(17, &joined), 1);
	assert_int_equal(joined, 1);
	assert_int_equal(count(18, &joined), 0);
	t.list->len -= 3;			/* cut off: what is whole is shown */
	assert_int_equal(count(0, &joined), 4);
	t.peer.ipsec.required = false;
	t.list->len += 3;
	assert_int_equal(count(17, &joined), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_all), T(test_join) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
