/* SPDX-License-Identifier: GPL-2.0-or-later */
/* add and delete of what is negotiated: ktund's to do. */
#include "cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SECRET_MAX = 255 };

/* An address as text, or NULL: any. */
static const char *address(const struct k_addr *a, char buf[INET6_ADDRSTRLEN])
{
	static const uint8_t any[16];

	if (!a->family || !memcmp(a->addr, any, sizeof(any)))
		return NULL;
	return inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->addr, buf, INET6_ADDRSTRLEN);
}

static json_t *number(uint32_t n)
{
	return n ? json_integer(n) : NULL;
}

/* The first line of the file, which is not empty; false: complained. */
static bool read_secret(const char *path, char secret[SECRET_MAX + 2])
{
	FILE *f = fopen(path, "re");
	int err = f ? 0 : errno;

	*secret = 0;
	if (f && fgets(secret, SECRET_MAX + 2, f))
		secret[strcspn(secret, "\n")] = 0;
	if (f)
		fclose(f);
	if (!*secret)
		complain("%s: %s", path, f ? "there is nothing in its first line" : strerror(err));
	return *secret;
}

static int asked(struct cli *cli, const char *method, json_t *params)
{
	json_t *answer;

	if (!params)
		return wrong("the words are not UTF-8");
	answer = call_one(cli, method, params, cli->answer_ms, NULL);
	json_decref(answer);
	return answer ? DONE : FAILED;
}

static int add_session(struct cli *cli, const struct order *o, const char *password)
{
	static const char *const pws[] = { [KOBJ_PW_ETHERNET] = "ethernet", [KOBJ_PW_VLAN] = "vlan", [KOBJ_PW_PPP] = "ppp" };
	const char *name = o->s.name[0] ? o->s.name : NULL, *pw = o->s.pw ? pws[o->s.pw] : NULL;
	const char *l2spec = !words_given(o, "l2spec_type") ? NULL : o->s.l2spec == KOBJ_L2SPEC_DEFAULT ? "default" : "none";
	json_t *cookie = words_given(o, "cookie_length") ? json_integer(o->cookie_length) : NULL;

	return asked(cli, "AddSession",
		json_pack("{s:I, s:s, s:s*, s:s*, s:s*, s:o*, s:s*, s:s*, s:o*, s:o*, s:s*, s:o*, s:s*, s:s*}",
			  "tunnel_id", (json_int_t)o->s.tunnel_id, "remote_end_id", o->remote_end_id, "pseudowire", pw,
			  "interface", name, "bridge", o->a.bridge, "vlan", number(o->a.vlan), "vrf", o->a.vrf,
			  "netns", o->a.netns, "mtu", number(o->a.mtu), "cookie_length", cookie, "l2_specific_sublayer", l2spec,
			  "sequencing", o->s.recv_seq ? json_true() : NULL, "user", o->user, "password", password));
}

static int add_tunnel(struct cli *cli, const struct order *o, const char *secret, const char *psk)
{
	char remote[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];
	const struct kobj_tunnel *t = &o->t;

	return asked(cli, "AddTunnel",
		json_pack("{s:I, s:s, s:s*, s:s, s:o*, s:o*, s:s*, s:s*}", "tunnel_id", (json_int_t)t->tunnel_id,
			  "remote", address(&t->peer, remote), "local", address(&t->local, local),
			  "encapsulation", t->encap == KOBJ_IP ? "ip" : "udp", "local_port", number(t->local.port),
			  "remote_port", number(t->peer.port), "secret", secret, "psk", psk));
}

int ordered_add(struct cli *cli, const struct order *o)
{
	const char *file = o->session ? o->password_file : o->secret_file;
	char secret[SECRET_MAX + 2], psk[SECRET_MAX + 2];
	int ret = FAILED;

	if ((!file || read_secret(file, secret)) && (!o->psk_file || read_secret(o->psk_file, psk)))
		ret = o->session ? add_session(cli, o, file ? secret : NULL) :
		      add_tunnel(cli, o, file ? secret : NULL, o->psk_file ? psk : NULL);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(psk, sizeof(psk));
	return ret;
}

int ordered_delete(struct cli *cli, const struct order *o)
{
	json_t *params = json_pack("{s:I, s:o*, s:s*}", "tunnel_id", (json_int_t)o->t.tunnel_id, "session_id",
				   o->session ? number(o->s.session_id) : NULL, "remote_end_id", o->remote_end_id);

	return asked(cli, o->session ? "DeleteSession" : "DeleteTunnel", params);
}

bool ordered_deleted(struct cli *cli, const struct order *o)
{
	bool was = cli->quiet, ret;

	cli->quiet = true;
	ret = !cli->away && ordered_delete(cli, o) == DONE;
	cli->quiet = was;
	return ret;
}
