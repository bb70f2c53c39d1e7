/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local users: the proofs of RFC 1334, 1994 and 2759 against the configuration. */
#include <string.h>

#include "base/digest.h"
#include "core/policy.h"
#include "ppp/mschap.h"

/* "DOMAIN\user" is looked up whole, then without its domain, as Windows clients send it unasked. */
static const struct conf_user *look_up(const struct config *c, const uint8_t *name, size_t n)
{
	const struct conf_user *u = config_user(c, name, n);
	const uint8_t *slash = u ? NULL : memchr(name, '\\', n);

	return slash ? config_user(c, slash + 1, n - (size_t)(slash + 1 - name)) : u;
}

static bool pap(const struct ppp_fx_auth *a, struct span password)
{
	return span_same(password, (struct span){ a->password, a->password_len });
}

static bool chap(const struct ppp_fx_auth *a, struct span password)
{
	uint8_t want[16];
	bool same;

	chap_md5_response(want, a->id, password, (struct span){ a->challenge, a->challenge_len });
	same = a->response_len == sizeof(want) && mem_same(want, a->response, sizeof(want));
	wipe(want, sizeof(want));
	return same;
}

/* RFC 2759 4: response = peer challenge (16), reserved (8), NT-Response (24), flags (1). */
static bool mschapv2(const struct ppp_fx_auth *a, struct span password, uint8_t reply[20])
{
	struct span name = { a->name, a->name_len };
	const uint8_t *peer_challenge = a->response, *nt_response = a->response + 24;
	uint8_t hash[16], want[24];
	bool same = false;

	if (a->response_len == 49 && a->challenge_len == 16 && mschap_nt_hash(hash, password)) {
		mschapv2_response(want, a->challenge, peer_challenge, name, hash);
		same = mem_same(want, nt_response, sizeof(want));
		mschapv2_auth_response(reply, hash, nt_response, a->challenge, peer_challenge, name);
	}
	wipe(hash, sizeof(hash));
	wipe(want, sizeof(want));
	return same;
}

const struct conf_user *authn_check(const struct config *c, const struct ppp_fx_auth *a, uint8_t reply[20])
{
	static const uint8_t nobody[] = "no such user";
	const struct conf_user *u = look_up(c, a->name, a->name_len);
	struct span password = { nobody, sizeof(nobody) };
	bool ok = false;

	if (u)
		password = (struct span){ (const uint8_t *)u->password, strlen(u->password) };
	switch ((enum ppp_auth)a->proto) {
	case PPP_AUTH_PAP: ok = pap(a, password); break;
	case PPP_AUTH_CHAP_MD5: ok = chap(a, password); break;
	case PPP_AUTH_MSCHAPV2: ok = mschapv2(a, password, reply); break;
	case PPP_AUTH_NONE: case PPP_AUTH_N: break;
	}
	return ok ? u : NULL;
}
