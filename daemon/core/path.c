/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path.h"

#include <stdlib.h>
#include <string.h>

#include "core/ipsec.h"
#include "core/session.h"
#include "core/version.h"

enum { IPV4_HEADER = 20, IPV6_HEADER = 40, UDP_HEADER = 8, ESP_HEADER = 8, ESP_TRAILER = 2,
       IPV4_MIN = 576, IPV6_MIN = 1280, SPACE_MAX = UINT16_MAX, KNOWN_MS = 1000 };

struct esp path_esp(const char *encr, const char *integ, bool encap)
{
	static const struct { const char *name; uint8_t iv, block; bool combined; } row[] = {
		/* RFC 4106, 4309, 7634: the last number of the name is the ICV's octets, or there is none */
		{ "AES_GCM_", 8, 4, true }, { "AES_CCM_", 8, 4, true }, { "CHACHA20_POLY1305", 8, 4, true },
		{ "AES_CTR", 8, 4, false }, { "3DES_CBC", 8, 8, false }, { "NULL", 0, 4, false },
		{ "AES_CBC", 16, 16, false }, { "CAMELLIA_CBC", 16, 16, false },
	};
	struct esp e = { .iv = 16, .block = 16, .icv = 32, .encap = encap };
	const char *number = strrchr(integ, '_');
	bool combined = false;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		if (strncmp(encr, row[i].name, strlen(row[i].name)))
			continue;
		e.iv = row[i].iv;
		e.block = row[i].block;
		combined = row[i].combined;
		if (combined)
			e.icv = encr[4] == 'G' || encr[4] == 'C' ? (uint8_t)atoi(encr + 8) : 16;
		break;
	}
	/* "HMAC_SHA2_256_128": truncated to so many bits */
	if (!combined && number && atoi(number + 1) > 0 && atoi(number + 1) <= 512)
		e.icv = (uint8_t)(atoi(number + 1) / 8);
	return e;
}

unsigned path_room(unsigned mtu, unsigned ip, const struct esp *esp, unsigned headers)
{
	unsigned takes = ip == 6 ? IPV6_HEADER : IPV4_HEADER, room;

	if (esp)
		takes += (esp->encap ? UDP_HEADER : 0) + ESP_HEADER + esp->iv + esp->icv;
	room = mtu > takes ? mtu - takes : 0;
	if (esp)
		room -= room % esp->block;		/* padded to whole blocks, the trailer in the last one */
	takes = (esp ? ESP_TRAILER : 0) + headers;
	return room > takes ? room - takes : 0;
}

/* Asking takes a socket, and a tunnel's sessions come in hundreds. */
static unsigned outer_mtu(struct tunnel *t)
{
	ms_t now = t->ctx->loop.now;

	if (!t->outer_at || now - t->outer_at >= KNOWN_MS) {
		t->outer_mtu = udp_path_mtu(&t->local, &t->peer);
		t->outer_at = now;
	}
	return t->outer_mtu;
}

uint16_t path_mru(const struct session *s)
{
	struct tunnel *t = s->tunnel;
	unsigned mtu = outer_mtu(t), least = s->policy->ppp.ipv6 ? IPV6_MIN : IPV4_MIN, room;
	struct esp esp;

	if (!mtu)
		return 0;
	room = path_room(mtu, t->peer.family, ipsec_esp(t, &esp) ? &esp : NULL, t->v->data_room(s));
	/* Less than IP wants of a link (RFC 791 3.2, RFC 8200 5): then rather fragments. */
	return room < least ? (uint16_t)least : room > SPACE_MAX ? SPACE_MAX : (uint16_t)room;
}
