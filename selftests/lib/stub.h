/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The built ktun, run against a ktund that the test plays: what it asked for, printed and returned. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "io/varlink.h"

extern struct stub {
	struct ev_loop *loop;
	struct vl *vl;
	char ktun[512], dir[64], path[96];
	char asked[4096];		/* "Method{params} " of each call */
	const char *error, *params;	/* instead of an answer */
	bool silent;			/* no answer at all */
	struct vl_call *kept;
	char out[4 << 20], err[1 << 16];
	int status;
} stub;

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

extern const struct vl_service stub_service;

int stub_setup(void **state);
int stub_teardown(void **state);
/* Runs argv (argv[0] is the program), sends SIGINT once stdout holds interrupt_at (or is NULL). */
void stub_run(const char *const *argv, const char *interrupt_at);
#define KTUN(...) stub_run((const char *const[]){ stub.ktun, __VA_ARGS__, NULL }, NULL)
/* What came of it; err NULL: anything.  stub_expect_json: status 0, and stdout is this JSON. */
void stub_expect(int status, const char *out, const char *err);
void stub_expect_json(const char *json);
