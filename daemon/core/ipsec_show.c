/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What charon says of the SAs of our connections, for people: asked when somebody wants to see it. */
#include "ipsec_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/policy.h"
#include "core/session.h"
#include "io/varlink.h"

enum { PATIENCE_MS = 2000 };

struct sa_wait {
	struct sa_wait *next;
	void (*told)(struct ctx *, void *arg, const struct sa_list *, const char *why);
	void *arg;
};

static json_t *text(struct span s)
{
	return s.n ? vl_text(s.p, s.n) : json_null();
}

static json_t *number(struct span s)
{
	return s.n ? json_integer((json_int_t)vici_number(s, false)) : json_null();
}

static json_t *list(struct span s)
{
	struct rd r = rd_init(s.p, s.n);
	json_t *a = json_array();
	struct vici_item it;

	while (vici_next(&r, &it))
		json_array_append_new(a, text(it.value));
	return a;
}

/* "AES_CBC-256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_256", as swanctl has it. */
static json_t *algorithms(struct span sa)
{
	static const char *const key[] = { "encr-alg", "integ-alg", "prf-alg", "dh-group" };
	static const char *const size[] = { "encr-keysize", "integ-keysize", NULL, NULL };
	char all[200] = "", one[48], bits[8];

	for (unsigned i = 0; i < sizeof(key) / sizeof(key[0]); i++) {
		struct span name = vici_get(sa, key[i]), n = size[i] ? vici_get(sa, size[i]) : (struct span){ NULL, 0 };
		size_t at = strlen(all);

		if (name.n)
			snprintf(all + at, sizeof(all) - at, "%s%s%s%s", at ? "/" : "", vici_text(name, one, sizeof(one)),
				 n.n ? "-" : "", vici_text(n, bits, sizeof(bits)));
	}
	return all[0] ? json_string(all) : json_null();
}

/* Of two times in which something happens to the IKE_SA, the first. */
static json_t *sooner(struct span a, struct span b)
{
	uint64_t x = vici_number(a, false), y = vici_number(b, false);

	if (!a.n || !b.n)
		return number(a.n ? a : b);
	return json_integer((json_int_t)(x < y ? x : y));
}

static const char *nat(struct span ike)
{
	bool local = vici_is(vici_get(ike, "nat-local"), "yes"), remote = vici_is(vici_get(ike, "nat-remote"), "yes");

	return local && remote ? "both" : local ? "local" : remote ? "remote" : NULL;
}

/* child: of ike; or empty, where there is none. */
static json_t *describe(struct span name, struct span ike, struct span child)
{
	struct span xauth = vici_get(ike, "remote-xauth-id"), mark = vici_get(child, "mark-in");
	json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"connection", text(name), "ike_id", number(vici_get(ike, "uniqueid")), "ike_version",
		number(vici_get(ike, "version")), "ike_state", text(vici_get(ike, "state")), "initiator",
		vici_is(vici_get(ike, "initiator"), "yes"), "local_address", text(vici_get(ike, "local-host")), "local_port",
		number(vici_get(ike, "local-port")), "local_identity", text(vici_get(ike, "local-id")), "remote_address",
		text(vici_get(ike, "remote-host")), "remote_port", number(vici_get(ike, "remote-port")), "remote_identity",
		text(vici_get(ike, "remote-id")), "remote_user", text(xauth.n ? xauth : vici_get(ike, "remote-eap-id")),
		"ike_algorithms", algorithms(ike));

	if (!o)
		return NULL;
	json_object_set_new(o, "nat", nat(ike) ? json_string(nat(ike)) : json_null());
	json_object_set_new(o, "ike_age_s", number(vici_get(ike, "established")));
	json_object_set_new(o, "ike_rekey_s", sooner(vici_get(ike, "rekey-time"), vici_get(ike, "reauth-time")));
	json_object_set_new(o, "child", text(vici_get(child, "name")));
	json_object_set_new(o, "child_id", number(vici_get(child, "uniqueid")));
	json_object_set_new(o, "child_state", text(vici_get(child, "state")));
	json_object_set_new(o, "mode", text(vici_get(child, "mode")));
	json_object_set_new(o, "udp_encapsulation", json_boolean(vici_is(vici_get(child, "encap"), "yes")));
	json_object_set_new(o, "algorithms", algorithms(child));
	json_object_set_new(o, "spi_in", text(vici_get(child, "spi-in")));
	json_object_set_new(o, "spi_out", text(vici_get(child, "spi-out")));
	json_object_set_new(o, "mark", mark.n ? json_integer((json_int_t)vici_number(mark, true)) : json_null());
	json_object_set_new(o, "local_ts", list(vici_get(child, "local-ts")));
	json_object_set_new(o, "remote_ts", list(vici_get(child, "remote-ts")));
	json_object_set_new(o, "age_s", number(vici_get(child, "install-time")));
	json_object_set_new(o, "rekey_s", number(vici_get(child, "rekey-time")));
	json_object_set_new(o, "expires_s", number(vici_get(child, "life-time")));
	json_object_set_new(o, "rx_packets", number(vici_get(child, "packets-in")));
	json_object_set_new(o, "rx_octets", number(vici_get(child, "bytes-in")));
	json_object_set_new(o, "tx_packets", number(vici_get(child, "packets-out")));
	json_object_set_new(o, "tx_octets", number(vici_get(child, "bytes-out")));
	return o;
}

/* Which tunnels of ours it protects, and who is behind them; does it protect this one (0: any)? */
static bool join(struct ctx *ctx, json_t *sa, struct span name, struct span host, struct span mark, uint16_t tunnel_id)
{
	json_t *tunnels = json_array(), *users = json_array();
	uint32_t number = (uint32_t)vici_number(mark, true);
	struct endpoint peer;
	bool fits = !tunnel_id;
	char conn[IPSEC_NAME];

	json_object_set_new(sa, "tunnel_ids", tunnels);
	json_object_set_new(sa, "users", users);
	if (!ipsec_parse_host(host, &peer))
		return fits;
	for (const struct tunnel *t = NULL; (t = ipsec_next_from(ctx, &peer, t));) {
		if (!tunnel_protected(t) || t->mark != number ||
		    (t->as && !vici_is(name, ipsec_name(conn, true, t->as->name))))
			continue;
		fits |= t->id == tunnel_id;
		json_array_append_new(tunnels, json_integer(t->id));
		for (const struct session *s = t->sessions; s; s = s->next)
			if (s->user)
				json_array_append_new(users, vl_text(s->user, strlen(s->user)));
	}
	return fits;
}

json_t *ipsec_next_sas(struct ctx *ctx, const struct sa_list *l, size_t *at, uint16_t tunnel_id, const char *name)
{
	char dialled[IPSEC_NAME], called[IPSEC_NAME];
	struct rd all = rd_init(l->octets + *at, l->len - *at), r, in;
	struct span msg = rd_span(&all, rd_u32(&all));
	struct vici_item ike, child;
	json_t *list;

	if (all.bad)
		return NULL;
	list = json_array();
	ipsec_name(dialled, true, name);
	ipsec_name(called, false, name);
	*at = l->len - rd_left(&all);
	for (r = rd_init(msg.p, msg.n); vici_next(&r, &ike);) {
		struct span host = vici_get(ike.value, "remote-host"), children = vici_get(ike.value, "child-sas");
		unsigned n = 0;

		if (ike.type != VICI_SECTION_START || !ipsec_is_ours(ike.name) ||
		    (*name && !vici_is(ike.name, dialled) && !vici_is(ike.name, called)))
			continue;
		for (in = rd_init(children.p, children.n); vici_next(&in, &child);) {
			json_t *o = child.type == VICI_SECTION_START ? describe(ike.name, ike.value, child.value) : NULL;

			n++;
			if (join(ctx, o, ike.name, host, vici_get(child.value, "mark-in"), tunnel_id))
				json_array_append(list, o);
			json_decref(o);
		}
		if (!n && !tunnel_id)
			json_array_append_new(list, describe(ike.name, ike.value, (struct span){ NULL, 0 }));
	}
	return list;
}

void ipsec_each_site(struct ctx *ctx, void (*each)(void *arg, const struct conf_peer *, const struct endpoint *local,
						   const struct endpoint *peer, ms_t age), void *arg)
{
	char name[IPSEC_NAME];

	for (unsigned i = 0; i < ctx->conf->n_peers; i++) {
		const struct conf_peer *p = &ctx->conf->peer[i];

		if (!is_site(&p->ipsec))
			continue;
		ipsec_name(name, false, p->name);
		for (const struct sa *s = ctx->ipsec->sas; s; s = s->next) {
			const struct sa *o = ctx->ipsec->sas;

			if (!s->site || strcmp(s->conn, name))
				continue;
			while (o != s && (!o->site || strcmp(o->conn, name) || !ipsec_same_host(&o->peer, &s->peer)))
				o = o->next;
			if (o == s)		/* while it is rekeyed there may be two */
				each(arg, p, &s->local, &s->peer, ctx->loop.now - s->since);
		}
	}
}

void ipsec_show_item(struct ipsec *p, struct span msg)
{
	struct sa_list *l = p->show.list;
	size_t need = l->len + 4 + msg.n;
	struct wr w;

	if (p->show.oom)
		return;
	if (need > p->show.room) {
		l = realloc(l, sizeof(*l) + 2 * need);
		p->show.oom = !l;
		if (!l)
			return;
		p->show.list = l;
		p->show.room = 2 * need;
	}
	w = wr_init(l->octets + l->len, 4 + msg.n);
	wr_u32(&w, msg.n);
	wr_bytes(&w, msg.p, msg.n);
	l->len = need;
}

static void tell(struct ipsec *p, const char *why)
{
	struct sa_list *l = p->show.list;

	p->show.id = 0;
	p->show.list = NULL;
	p->show.room = 0;
	for (struct sa_wait *w; (w = p->show.waits); free(w)) {
		p->show.waits = w->next;
		w->told(p->ctx, w->arg, why ? NULL : l, why);
	}
	free(l);
}

void ipsec_show_done(struct ipsec *p, bool whole)
{
	timer_stop(&p->ctx->loop, &p->show.timer);
	tell(p, p->show.oom ? "out of memory" : whole ? NULL : "charon was lost while it was asked for its SAs");
}

static void late(struct timer *timer, void *arg)
{
	(void)timer;
	tell(arg, "charon does not answer within 2 s");
}

void ipsec_show_free(struct ipsec *p)
{
	for (struct sa_wait *w; (w = p->show.waits); free(w))
		p->show.waits = w->next;
	free(p->show.list);
	p->show.list = NULL;
	if (p->show.id)
		timer_stop(&p->ctx->loop, &p->show.timer);
}

bool ipsec_ask_sas(struct ctx *ctx, void (*told)(struct ctx *, void *arg, const struct sa_list *, const char *why), void *arg)
{
	struct ipsec *p = ctx->ipsec;
	struct sa_wait *w = malloc(sizeof(*w));
	char why[200];

	if (!w)
		return false;
	*w = (struct sa_wait){ .next = p->show.waits, .told = told, .arg = arg };
	p->show.waits = w;
	if (p->show.id)
		return true;			/* it is being asked */
	p->show.oom = false;
	p->show.list = calloc(1, sizeof(*p->show.list));
	if (!p->show.list || !p->started) {
		tell(p, p->show.list ? NULL : "out of memory");
		return true;
	}
	p->show.id = ipsec_request(p, "list-sas", "list-sa", NULL, NULL);
	if (!p->show.id) {
		snprintf(why, sizeof(why), "no charon%s%s", p->said[0] ? ": " : "", p->said);
		tell(p, why);
		return true;
	}
	timer_init(&p->show.timer, late, p);
	timer_set(&ctx->loop, &p->show.timer, ctx->loop.now + PATIENCE_MS);
	ipsec_pump(p);
	return true;
}
