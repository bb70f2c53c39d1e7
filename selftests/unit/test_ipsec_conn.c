/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What charon is told for a peer and for a tunnel, key by key, and what its log means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/ipsec_conn.h"

/* A message as text: "name { key = value list = [ a b ] }". */
static void print(FILE *out, struct span msg)
{
	struct rd r = rd_init(msg.p, msg.n);
	struct vici_item it;
	char name[256], value[256];

	while (vici_next(&r, &it)) {
		vici_text(it.name, name, sizeof(name));
		vici_text(it.value, value, sizeof(value));
		if (it.type == VICI_KEY_VALUE)
			fprintf(out, "%s=%s ", name, value);
		else if (it.type == VICI_LIST_ITEM)
			fprintf(out, "%s ", value);
		else
			fprintf(out, it.type == VICI_LIST_START ? "%s=[ " : "%s { ", name);
		if (it.type == VICI_LIST_START || it.type == VICI_SECTION_START) {
			print(out, it.value);
			fprintf(out, it.type == VICI_LIST_START ? "] " : "} ");
		}
	}
}

static void expect(void (*make)(struct wr *, const struct ipsec_desc *), const struct ipsec_desc *d, const char *want)
{
	static uint8_t buf[IPSEC_MESSAGE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	make(&w, d);
	assert_false(w.bad);
	assert_true(vici_valid((struct span){ buf, wr_len(&w) }));
	print(out, (struct span){ buf, wr_len(&w) });
	fclose(out);
	assert_string_equal(text, want);
	free(text);
}

#define MODERN "aes256gcm16-prfsha384-ecp384 aes128gcm16-prfsha256-ecp256 aes256-sha384-ecp384 aes256-sha256-ecp256 " \
	"aes128-sha256-ecp256 aes256-sha256-modp2048 "
#define MODERN_ESP "aes256gcm16 aes128gcm16 aes256-sha256 aes128-sha256 "
#define MARKS "mark_in=%unique mark_out=%unique set_mark_in=%same "
#define COMPATIBLE "aes256-sha1-ecp384 aes256-sha1-modp2048 aes128-sha1-ecp256 aes128-sha1-modp2048 "

/* Of ktund-tunnel-x, -t */
#define TIMES_X "rekey_time=14729 over_time=1638 "
#define TIMES_T "rekey_time=14542 over_time=1718 "

static void who_calls_us(void **state)
{
	char psk[] = "sesame", modern[] = "modern";
	struct conf_ipsec c = { .required = true, .psk = psk, .proposals = modern, .dpd_ms = 30000 };
	struct ipsec_desc d = { .name = "ktund-peer-x", .conf = &c, .port = { 1701, 1702 }, .n_ports = 2 };

	(void)state;
	/* any IKE version, any address, any port of his, and nobody's SA ends another's */
	expect(ipsec_load_conn, &d, "ktund-peer-x { version=0 local_addrs=[ %any ] remote_addrs=[ %any ] proposals=[ " MODERN "] "
	       "unique=never mobike=no rekey_time=0 dpd_delay=30 dpd_timeout=120 local { auth=psk } remote { auth=psk id=%any } "
	       "children { l2tp-1701 { mode=transport esp_proposals=[ " MODERN_ESP "] local_ts=[ dynamic[udp/1701] ] "
	       "remote_ts=[ dynamic[udp] ] " MARKS "rekey_time=0 } l2tp-1702 { mode=transport esp_proposals=[ " MODERN_ESP "] "
	       "local_ts=[ dynamic[udp/1702] ] remote_ts=[ dynamic[udp] ] " MARKS "rekey_time=0 } } } ");
	expect(ipsec_load_shared, &d, "id=ktund-peer-x type=IKE data=sesame owners=[ %any ] ");
	d.remote = "10.0.0.0/8";
	expect(ipsec_load_shared, &d, "id=ktund-peer-x type=IKE data=sesame owners=[ 10.0.0.0/8 %any ] ");
	d.remote = "0.0.0.0/0";
	expect(ipsec_load_shared, &d, "id=ktund-peer-x type=IKE data=sesame owners=[ %any ] ");
	d.remote = "10.0.0.7";
	expect(ipsec_load_shared, &d, "id=ktund-peer-x type=IKE data=sesame owners=[ 10.0.0.7 %any ] ");
	c.local_id = modern;
	expect(ipsec_load_shared, &d, "id=ktund-peer-x type=IKE data=sesame owners=[ 10.0.0.7 modern %any ] ");
	c.remote_id = psk;				/* nobody else may use it */
	expect(ipsec_load_shared, &d, "id=ktund-peer-x type=IKE data=sesame owners=[ sesame 10.0.0.7 ] ");
}

static void between_networks(void **state)
{
	char psk[] = "sesame", words[] = "aes256-sha256-ecp256", ours[] = "10.1.0.0/16,2001:db8:1::/48", theirs[] = "10.2.0.0/24";
	struct conf_ipsec c = { .required = true, .mode = MODE_TUNNEL, .psk = psk, .proposals = words, .esp_proposals = words,
				.networks = theirs, .local_networks = ours };
	struct ipsec_desc d = { .name = "ktund-tunnel-x", .conf = &c, .local = "192.0.2.1", .remote = "192.0.2.2", .dial = true };
	char name[IPSEC_NAME];

	(void)state;
	assert_string_equal(ipsec_child(name, 0), IPSEC_SITE);
	expect(ipsec_load_conn, &d, "ktund-tunnel-x { version=2 local_addrs=[ 192.0.2.1 ] remote_addrs=[ 192.0.2.2 ] proposals=[ "
	       "aes256-sha256-ecp256 ] unique=never mobike=no " TIMES_X
	       "local { auth=psk } remote { auth=psk id=%any } children { networks { "
	       "mode=tunnel esp_proposals=[ aes256-sha256-ecp256 ] local_ts=[ 10.1.0.0/16 2001:db8:1::/48 ] "
	       "remote_ts=[ 10.2.0.0/24 ] } } } ");
	d.dial = false;
	d.local = NULL;
	expect(ipsec_load_conn, &d, "ktund-tunnel-x { version=0 local_addrs=[ %any ] remote_addrs=[ 192.0.2.2 ] proposals=[ "
	       "aes256-sha256-ecp256 ] unique=never mobike=no rekey_time=0 local { auth=psk } remote { auth=psk id=%any } "
	       "children { networks { mode=tunnel esp_proposals=[ aes256-sha256-ecp256 ] local_ts=[ 10.1.0.0/16 2001:db8:1::/48 ] "
	       "remote_ts=[ 10.2.0.0/24 ] rekey_time=0 } } } ");
}

/* A caller without L2TP may have L2TP as well: charon takes the connection with the better address for both. */
static void both_from_one_address(void **state)
{
	char psk[] = "sesame", same[] = "sesame", other[] = "open", words[] = "a-1";
	char ours[] = "10.1.0.0/16", theirs[] = "10.2.0.0/24";
	struct conf_peer peer[2] = {
		{ .address = { .family = 4, .a = { 192, 0, 2, 2 }, .prefix_len = 32 },
		  .ipsec = { .required = true, .mode = MODE_TUNNEL, .psk = psk, .proposals = words, .esp_proposals = words,
			     .networks = theirs, .local_networks = ours } },
		{ .address = { .family = 4 }, .l2tp = { .version = 2 }, .ipsec = { .required = true, .psk = same, .proposals = words,
		  .esp_proposals = words } },
	};
	struct config c = { .peer = peer, .n_peers = 2 };
	struct ipsec_desc d = { .name = "ktund-peer-s", .conf = &peer[0].ipsec, .l2tp = &peer[1].ipsec, .remote = "192.0.2.2",
				.port = { 1701 }, .n_ports = 1 };

	(void)state;
	assert_ptr_equal(ipsec_beside(&c, &peer[0]), &peer[1]);
	peer[1].ipsec.psk = other;
	assert_null(ipsec_beside(&c, &peer[0]));
	peer[1].ipsec.psk = same;
	peer[1].ipsec.local_id = other;
	assert_null(ipsec_beside(&c, &peer[0]));
	peer[1].ipsec.local_id = NULL;
	peer[1].address = (struct addr){ .family = 4, .a = { 198, 51, 100, 0 }, .prefix_len = 24 };
	assert_null(ipsec_beside(&c, &peer[0]));
	expect(ipsec_load_conn, &d, "ktund-peer-s { version=0 local_addrs=[ %any ] remote_addrs=[ 192.0.2.2 ] proposals=[ a-1 ] "
	       "unique=never mobike=no rekey_time=0 local { auth=psk } remote { auth=psk id=%any } children { networks { "
	       "mode=tunnel esp_proposals=[ a-1 ] local_ts=[ 10.1.0.0/16 ] remote_ts=[ 10.2.0.0/24 ] rekey_time=0 } "
	       "l2tp-1701 { mode=transport esp_proposals=[ a-1 ] local_ts=[ dynamic[udp/1701] ] remote_ts=[ dynamic[udp] ] "
	       MARKS "rekey_time=0 } } } ");
}

static void whom_we_dial(void **state)
{
	char psk[] = "sesame", sets[] = "compatible", ours[] = "lac.example.org", theirs[] = "lns.example.org";
	struct conf_ipsec c = { .required = true, .psk = psk, .proposals = sets, .local_id = ours, .remote_id = theirs };
	struct ipsec_desc d = { .name = "ktund-tunnel-t", .conf = &c, .dial = true, .local = "192.0.2.2", .remote = "192.0.2.1",
				.port = { 1701 }, .n_ports = 1, .remote_port = 1702 };

	(void)state;
	expect(ipsec_load_conn, &d, "ktund-tunnel-t { version=2 local_addrs=[ 192.0.2.2 ] remote_addrs=[ 192.0.2.1 ] "
	       "proposals=[ " MODERN COMPATIBLE "] unique=never mobike=no " TIMES_T "local { auth=psk id=lac.example.org } "
	       "remote { auth=psk id=lns.example.org } children { l2tp-1701 { mode=transport "
	       "esp_proposals=[ " MODERN_ESP "aes256-sha1 aes128-sha1 ] local_ts=[ dynamic[udp/1701] ] "
	       "remote_ts=[ dynamic[udp/1702] ] } } } ");
	expect(ipsec_load_shared, &d, "id=ktund-tunnel-t type=IKE data=sesame owners=[ lns.example.org ] ");
	c.ike = 1;
	c.local_id = c.remote_id = NULL;
	c.dpd_ms = 500;
	strcpy(sets, "a-b,c-d");			/* words of strongSwan's: ESP is modern */
	expect(ipsec_load_conn, &d, "ktund-tunnel-t { version=1 local_addrs=[ 192.0.2.2 ] remote_addrs=[ 192.0.2.1 ] "
	       "proposals=[ a-b c-d ] unique=never mobike=no " TIMES_T "dpd_delay=1 dpd_timeout=4 local { auth=psk } "
	       "remote { auth=psk id=%any } children { l2tp-1701 { mode=transport esp_proposals=[ " MODERN_ESP "] "
	       "local_ts=[ dynamic[udp/1701] ] remote_ts=[ dynamic[udp/1702] ] } } } ");
}

/* Of the file with ours only the first is ours; the others go with it.  Each authority counts. */
#define OURS "certs=[ -----BEGIN CERTIFICATE-----?OURS?-----END CERTIFICATE----- ] "
#define CAS "cacerts=[ -----BEGIN CERTIFICATE-----?CA?-----END CERTIFICATE----- " \
	"-----BEGIN CERTIFICATE-----?CA2?-----END CERTIFICATE----- ] "

static void first(struct wr *w, const struct ipsec_desc *d)
{
	ipsec_load_cert(w, d, 0);
}

static void last(struct wr *w, const struct ipsec_desc *d)
{
	ipsec_load_cert(w, d, 3);
}

static void none(struct wr *w, const struct ipsec_desc *d)
{
	ipsec_load_cert(w, d, 4);
}

static void certificates(void **state)
{
#define PEM(what, text) "-----BEGIN " what "-----\n" text "\n-----END " what "-----"
	char file[] = "/f", key[] = "KEY", sets[] = "a-1", ca[] = PEM("CERTIFICATE", "CA") "\n" PEM("CERTIFICATE", "CA2") "\n",
	     ours[] = "Subject: ours\n" PEM("CERTIFICATE", "OURS") "\n" PEM("PRIVATE KEY", "KEY") "\r\n"
		      PEM("CERTIFICATE", "BETWEEN") "\n" PEM("CERTIFICATE", "ABOVE"),
	     crl[] = PEM("X509 CRL", "CRL") "\n" PEM("X509 CRL", "CRL2") "\n";
	struct conf_ipsec c = { .required = true, .certificate = file, .certificate_pem = ours, .private_key_pem = key,
				.ca_pem = ca, .proposals = sets, .esp_proposals = sets };
	struct ipsec_desc d = { .name = "ktund-tunnel-t", .conf = &c, .dial = true, .local = "192.0.2.2", .remote = "192.0.2.1",
				.port = { 1701 }, .n_ports = 1, .remote_port = 1701 };

	(void)state;
	expect(ipsec_load_conn, &d, "ktund-tunnel-t { version=2 local_addrs=[ 192.0.2.2 ] remote_addrs=[ 192.0.2.1 ] "
	       "proposals=[ a-1 ] unique=never mobike=no " TIMES_T "local { auth=pubkey " OURS "} "
	       "remote { auth=pubkey " CAS "id=%any } children { l2tp-1701 { mode=transport esp_proposals=[ a-1 ] "
	       "local_ts=[ dynamic[udp/1701] ] remote_ts=[ dynamic[udp/1701] ] } } } ");
	expect(ipsec_load_key, &d, "type=any data=KEY ");
	c.crl = file;
	c.crl_pem = crl;
	expect(ipsec_load_conn, &d, "ktund-tunnel-t { version=2 local_addrs=[ 192.0.2.2 ] remote_addrs=[ 192.0.2.1 ] "
	       "proposals=[ a-1 ] unique=never mobike=no " TIMES_T "local { auth=pubkey " OURS "} "
	       "remote { auth=pubkey " CAS "id=%any revocation=strict } children { l2tp-1701 { mode=transport "
	       "esp_proposals=[ a-1 ] local_ts=[ dynamic[udp/1701] ] remote_ts=[ dynamic[udp/1701] ] } } } ");
	expect(first, &d, "type=X509 flag=NONE data=-----BEGIN CERTIFICATE-----?BETWEEN?-----END CERTIFICATE----- ");
	assert_int_equal(ipsec_certs(&c), 4);
	expect(last, &d, "type=X509_CRL flag=NONE data=-----BEGIN X509 CRL-----?CRL2?-----END X509 CRL----- ");
	expect(none, &d, "");
	c.crl_pem = NULL;
	assert_int_equal(ipsec_certs(&c), 2);
	ours[strlen(ours) - 12] = '\0';			/* cut off: charon will say what it thinks of that */
	assert_int_equal(ipsec_certs(&c), 2);
	c.certificate_pem = NULL;
	assert_int_equal(ipsec_certs(&c), 0);
}

static void what_does_not_fit(void **state)
{
	char psk[] = "sesame", modern[] = "modern";
	struct conf_ipsec c = { .required = true, .psk = psk, .proposals = modern };
	struct ipsec_desc d = { .name = "ktund-peer-x", .conf = &c, .port = { 1701 }, .n_ports = 1 };
	uint8_t buf[100];
	struct wr w = wr_init(buf, sizeof(buf));

	(void)state;
	ipsec_load_conn(&w, &d);
	assert_true(w.bad);
}

static void names(void **state)
{
	char buf[IPSEC_NAME];

	(void)state;
	assert_string_equal(ipsec_name(buf, true, "branch"), "ktund-tunnel-branch");
	assert_string_equal(ipsec_name(buf, false, "a b"), "ktund-peer-a b");
	assert_string_equal(ipsec_child(buf, 1701), "l2tp-1701");
}

static void reasons(void **state)
{
	static const struct { const char *line, *phase; bool ike_up; } t[] = {
		{ "received AUTHENTICATION_FAILED notify error", "authentication", false },
		{ "tried 2 shared keys for '%any' - '192.0.2.2', but MAC mismatched", "authentication", false },
		{ "no matching peer config found", "authentication", false },
		{ "invalid HASH_V1 payload length, decryption failed?", "authentication", false },
		{ "subject certificate invalid (valid from a to b)", "authentication", false },
		{ "received NO_PROPOSAL_CHOSEN notify error", "IKE_SA", false },
		{ "received NO_PROPOSAL_CHOSEN error notify", "IKE_SA", false },
		{ "received NO_PROPOSAL_CHOSEN error notify", "CHILD_SA", true },
		{ "no proposal found", "IKE_SA", false },
		{ "no matching proposal found, sending NO_PROPOSAL_CHOSEN", "CHILD_SA", true },
		{ "found 1 matching config, but none allows pre-shared key authentication using Main Mode", "authentication", false },
		{ "no ECDSA private key found for 'lns.example.org'", "authentication", false },
		{ "IDir 'a' does not match to 'b'", "authentication", false },
		{ "certificate was revoked on Nov 21 09:00:00 UTC 2026, reason: unspecified", "authentication", false },
		{ "constraint check failed: RULE_CRL_VALIDATION is STALE, but requires at least GOOD", "authentication", false },
		{ "  crl is stale: since Nov 21 09:00:00 2026", NULL, false },
		{ "certificate status is not available", NULL, false },
		{ "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", "CHILD_SA", false },
		{ "received TS_UNACCEPTABLE notify, no CHILD_SA built", "CHILD_SA", false },
		{ "Aggressive Mode PSK disabled for security reasons", "IKE_SA: the peer wants IKEv1's Aggressive", false },
		{ "ignoring IKE_SA setup from 203.0.113.2, per-IP half-open IKE_SA limit of 5 reached", "IKE_SA: more peers", false },
		{ "deleting half open IKE_SA with 203.0.113.2 after timeout", "IKE_SA: the peer stopped", false },
		{ "giving up after 3 retransmits", "IKE_SA", false },
		{ "received INVALID_KE_PAYLOAD error notify", "authentication: the peer has no psk", false },
		{ "received INVALID_KE_PAYLOAD error notify", "CHILD_SA: the peer refuses", true },
		{ "received ATTRIBUTES_NOT_SUPPORTED error notify", "CHILD_SA: the peer refuses", true },
		{ "received INVALID_SYNTAX notify error", "IKE_SA: the peer ends it", false },
		{ "received SINGLE_PAIR_REQUIRED notify, no CHILD_SA built", "CHILD_SA: the peer refuses", true },
		{ "IKE_SA ktund-tunnel-t[1] established between 192.0.2.2[a]...192.0.2.1[b]", NULL, false },
		{ "", NULL, false },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *is = ipsec_reason((struct span){ (const uint8_t *)t[i].line, strlen(t[i].line) }, t[i].ike_up);

		print_message("# %s\n", t[i].line);
		if (t[i].phase) {
			assert_non_null(is);
			assert_memory_equal(is, t[i].phase, strlen(t[i].phase));
		} else {
			assert_null(is);
		}
	}
	assert_null(ipsec_reason((struct span){ NULL, 0 }, false));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_calls_us),
		cmocka_unit_test(between_networks),
		cmocka_unit_test(both_from_one_address),
		cmocka_unit_test(whom_we_dial),
		cmocka_unit_test(certificates),
		cmocka_unit_test(what_does_not_fit),
		cmocka_unit_test(names),
		cmocka_unit_test(reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
