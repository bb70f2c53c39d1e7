/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text as a batch: every line is taken apart and read as an order, or refused with a reason.  What is accepted could be sent to
 * the kernel as it is; reading it again says the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_order(const struct order *o)
{
	const struct kobj_tunnel *t = &o->t;
	const struct kobj_session *s = &o->s;
	struct order two = *o, three = *o;
	char why[WORDS_WHY];

	must(o->tunnel || o->session);
	must(o->n_notes <= WORDS_NOTES);
	must(!o->force || o->verb == ORDER_DELETE);
	if (o->verb != ORDER_SHOW)
		must(t->tunnel_id && t->tunnel_id == s->tunnel_id);
	if (o->verb == ORDER_DELETE)
		must(o->tunnel != o->session && !o->session == !(s->session_id || o->remote_end_id));
	if (o->verb != ORDER_ADD)
		return;
	if (o->negotiate) {			/* by the daemon, which judges it again */
		must(o->tunnel != o->session && t->tunnel_id < 65536 && !t->peer_tunnel_id);
		must(!s->session_id && !s->peer_session_id);
		must(o->tunnel ? t->version == 3 && t->peer.family && t->local.family == t->peer.family : !!o->remote_end_id);
		must(o->cookie_length <= 8 && o->cookie_length % 4 == 0);
		must(s->send_seq == s->recv_seq && !o->user == !o->password_file && (!o->user || s->pw == KOBJ_PW_PPP));
		must(!!o->a.netns + !!o->a.vrf + !!o->a.bridge <= (s->pw != KOBJ_PW_PPP));
		return;
	}
	if (o->tunnel) {
		must(t->peer_tunnel_id && t->local.family == t->peer.family && (t->local.family == 4 || t->local.family == 6));
		must(t->encap == KOBJ_IP ? t->version == 3 : t->local.port && t->peer.port);
		must(t->version == 3 || (t->version == 2 && t->tunnel_id < 65536 && t->peer_tunnel_id < 65536));
	}
	if (!o->session)
		return;
	must(s->session_id && s->peer_session_id && strnlen(s->name, sizeof(s->name)) < sizeof(s->name));
	must(!s->cookie_len || s->cookie_len == 4 || s->cookie_len == 8);
	must(!s->peer_cookie_len || s->peer_cookie_len == 4 || s->peer_cookie_len == 8);
	must((!o->a.vlan || (o->a.bridge && o->a.vlan < 4095)) && (!o->a.bridge || !o->a.vrf));
	if (words_fit_version(&two, 2, why))
		must(two.s.pw == KOBJ_PW_PPP && !two.s.cookie_len && two.s.session_id < 65536 && two.s.peer_session_id < 65536);
	if (words_fit_version(&three, 3, why))
		must(three.s.pw && (three.s.pw != KOBJ_PW_PPP || !three.s.name[0]));
}

static void read_order(int argc, char **argv)
{
	for (int verb = ORDER_ADD; verb <= ORDER_SHOW; verb++) {
		for (int family = 0; family <= 6; family += family ? 2 : 4) {
			char why[WORDS_WHY] = "", again[WORDS_WHY] = "";
			struct order a, b;
			bool ok = words_parse(verb, argc, argv, family, &a, why);

			must(words_parse(verb, argc, argv, family, &b, again) == ok);
			must(ok ? a.given == b.given && a.s.session_id == b.s.session_id && !strcmp(a.s.name, b.s.name) :
				  why[0] && !strcmp(why, again));
			must(strnlen(why, sizeof(why)) < sizeof(why));
			if (ok)
				check_order(&a);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *pos = text, *argv[BATCH_WORDS], *end;
	unsigned line = 0, at, last = 0;
	const char *why = NULL;
	int argc, more;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	end = text + strlen(text);
	while ((more = batch_next(&pos, &line, argv, &argc, &at, &why))) {
		must(at > last && at <= line && pos <= end);
		last = at;
		if (more < 0) {
			must(why && *why);
			continue;
		}
		must(argc > 0 && argc <= BATCH_WORDS);
		for (int i = 0; i < argc; i++)
			must(argv[i] >= text && argv[i] + strlen(argv[i]) <= end);
		read_order(argc, argv);
		if (argc > 1)			/* as behind a verb */
			read_order(argc - 1, argv + 1);
	}
	free(text);
	return 0;
}
