/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "show.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/config_int.h"
#include "core/listener.h"
#include "core/policy.h"
#include "core/pool.h"
#include "core/version.h"
#include "io/varlink.h"

static json_t *text(const char *s)
{
	return s && *s ? vl_text(s, strlen(s)) : json_null();
}

static json_t *number(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

static json_t *ipv4(uint32_t a)
{
	char buf[16];

	return a ? json_string(ipv4_text(a, buf)) : json_null();
}

static json_t *ifid(uint64_t id)
{
	uint8_t b[8];
	char buf[32];

	if (!id)
		return json_null();
	memcpy(b, &id, sizeof(b));
	snprintf(buf, sizeof(buf), "%02x%02x:%02x%02x:%02x%02x:%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]);
	return json_string(buf);
}

static json_t *endpoint(const struct endpoint *e)
{
	char buf[96];

	if (!e->family)
		return json_null();
	return json_pack("{s:s, s:i}", "address", endpoint_text(e, buf, sizeof(buf)), "port", e->port);
}

static const char *cc_state_name(const struct tunnel *t)
{
	static const char *const name[] = { "idle", "wait-ctl-reply", "wait-ctl-conn", "established" };

	if (t->down)
		return "closing";
	return t->cc.state < CC_N_STATES ? name[t->cc.state] : "?";
}

static const char *role_name(enum conf_role role)
{
	return role == ROLE_LAC ? "lac" : "lns";
}

static const char *digest_name(const struct v3_auth *a)
{
	return !a->n_keys ? "none" : a->digest == V3_HMAC_SHA1 ? "sha1" : "md5";
}

json_t *show_tunnel(const struct tunnel *t)
{
	const struct ctx *ctx = t->ctx;
	const struct policy *p = t->as ? &t->as->session[0].policy : &t->from->policy;
	const struct rel *r = &t->cc.rel;
	json_t *o;

	o = json_pack("{s:i, s:I, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:i, s:i}",
		"tunnel_id", t->id, "peer_tunnel_id", (json_int_t)tunnel_peer_id(t), "name", text(t->as ? t->as->name : NULL),
		"peer", text(t->from ? t->from->name : NULL), "role", role_name(p->role), "state", cc_state_name(t),
		"local", endpoint(&t->local), "remote", endpoint(&t->peer), "peer_host_name", text(t->cc.peer_host_name),
		"peer_vendor_name", text(t->cc.peer_vendor_name), "version", t->v->number, "sessions", (int)t->n_sessions);

	if (!o)
		return NULL;
	json_object_set_new(o, "encapsulation", json_string(t->local.encap == ENCAP_IP ? "ip" : "udp"));
	if (t->v == &version_3) {
		json_object_set_new(o, "control_connection_id", json_integer(t->cc.tunnel_id));
		json_object_set_new(o, "digest", text(digest_name(&t->cc.v3.auth)));
		json_object_set_new(o, "forged", json_integer(t->cc.v3.forged));
	}
	json_object_set_new(o, "up_since", number((uint64_t)t->up_since));
	json_object_set_new(o, "age_s", json_integer((json_int_t)((ctx->loop.now - t->since) / 1000)));
	json_object_set_new(o, "ns", json_integer(r->ns));
	json_object_set_new(o, "nr", json_integer(r->nr));
	json_object_set_new(o, "peer_rws", json_integer(r->peer_rws));
	json_object_set_new(o, "unacked", json_integer((uint16_t)(r->nxt - r->una)));
	json_object_set_new(o, "queued", json_integer(r->n_tx));
	json_object_set_new(o, "retransmissions", json_integer(r->retries));
	json_object_set_new(o, "ipsec", json_boolean(tunnel_protected(t)));
	json_object_set_new(o, "next_dial_s", json_null());
	json_object_set_new(o, "last_error", t->down ? text(t->cause.msg) : text(t->dial ? t->dial->last_error : NULL));
	return o;
}

static json_t *networks(const char *list)
{
	json_t *all = json_array();
	struct addr a;
	char buf[64];

	while (conf_next_network(&list, &a))
		json_array_append_new(all, json_string(conf_addr_str(&a, buf, sizeof(buf))));
	return all;
}

/* What a tunnel without L2TP has instead. */
static void add_site(json_t *o, const struct conf_ipsec *p)
{
	json_object_set_new(o, "role", json_null());
	json_object_set_new(o, "version", json_null());
	json_object_set_new(o, "mode", json_string("tunnel"));
	json_object_set_new(o, "networks", networks(p->networks));
	json_object_set_new(o, "local_networks", networks(p->local_networks));
}

json_t *show_site(const struct conf_peer *p, const struct endpoint *local, const struct endpoint *peer, ms_t age)
{
	json_t *o = json_pack("{s:i, s:n, s:n, s:s, s:s, s:o, s:o, s:i, s:I, s:b, s:n, s:n}", "tunnel_id", 0,
			      "peer_tunnel_id", "name", "peer", p->name, "state", "established", "local", endpoint(local),
			      "remote", endpoint(peer), "sessions", 0, "age_s", (json_int_t)(age / 1000), "ipsec", 1,
			      "next_dial_s", "last_error");

	if (o)
		add_site(o, &p->ipsec);
	return o;
}

json_t *show_dial(const struct dial *d)
{
	const struct ctx *ctx = d->ctx;
	const char *state = d->secured_at ? "established" : d->resolving ? "resolving" : d->protecting ? "protecting" :
			    d->listener ? "opening" : d->wanted ? "waiting" : "down";
	json_t *next = json_null(), *o;

	if (d->wanted && d->next_at != NEVER && !d->resolving && !d->protecting)
		next = json_integer(d->next_at > ctx->loop.now ? (json_int_t)((d->next_at - ctx->loop.now + 999) / 1000) : 0);
	o = json_pack("{s:i, s:n, s:s, s:n, s:s, s:s, s:n, s:o, s:n, s:n, s:i, s:i, s:n, s:n, s:o, s:o}",
		"tunnel_id", 0, "peer_tunnel_id", "name", d->as->name, "peer", "role", role_name(d->as->session[0].policy.role),
		"state", state, "local", "remote", d->peer.family ? endpoint(&d->peer) : json_null(), "peer_host_name",
		"peer_vendor_name", "version", d->as->l2tp.version, "sessions", 0, "up_since", "age_s", "next_dial_s", next,
		"last_error", text(d->last_error));
	if (!o)
		return NULL;
	json_object_set_new(o, "ipsec", json_boolean(d->as->ipsec.required));
	if (is_site(&d->as->ipsec))
		add_site(o, &d->as->ipsec);
	if (d->secured_at) {
		json_object_set_new(o, "local", endpoint(&d->local));
		json_object_set_new(o, "age_s", json_integer((json_int_t)((ctx->loop.now - d->secured_at) / 1000)));
	}
	return o;
}

static const char *phase_name(uint8_t phase)
{
	static const char *const name[] = { "Dead", "Establish", "Authenticate", "Network", "Terminate" };

	return phase < sizeof(name) / sizeof(name[0]) ? name[phase] : "?";
}

static const char *auth_name(uint8_t auth)
{
	static const char *const name[] = { NULL, "pap", "chap", "mschapv2" };

	return auth < PPP_AUTH_N ? name[auth] : NULL;
}

static const char *session_state(const struct session *s)
{
	return s->ending ? "closing" : s->up ? "up" : s->kernel == KS_COMING ? "installing" : s->ppp_on ? "negotiating" : "calling";
}

static void add_ppp(json_t *o, const struct session *s)
{
	struct ppp_info i = { 0 };
	uint8_t auth;

	if (s->ppp_on)
		ppp_info(&s->ppp, &i);
	auth = i.auth_done && i.auth ? i.auth : i.peer_auth;
	json_object_set_new(o, "phase", text(s->ppp_on ? phase_name(i.phase) : NULL));
	json_object_set_new(o, "auth", text(auth_name(auth)));
	json_object_set_new(o, "mru", number(i.opts.mru));
	json_object_set_new(o, "peer_mru", number(i.opts.peer_mru));
	json_object_set_new(o, "magic", number(i.opts.magic));
	json_object_set_new(o, "peer_magic", number(i.opts.peer_magic));
	json_object_set_new(o, "lcp", text(i.lcp));
	json_object_set_new(o, "ipcp", text(s->policy->ppp.ipv4 ? i.ipcp : NULL));
	json_object_set_new(o, "ipv6cp", text(s->policy->ppp.ipv6 ? i.ipv6cp : NULL));
	json_object_set_new(o, "accm", json_integer(i.opts.accm));
	json_object_set_new(o, "pfc", json_boolean(i.opts.pfc));
	json_object_set_new(o, "acfc", json_boolean(i.opts.acfc));
	json_object_set_new(o, "echo_sent", json_integer(i.echo_sent));
	json_object_set_new(o, "echo_received", json_integer(i.echo_received));
}

static void add_v2_call(json_t *o, const struct call_info *c)
{
	static const char *const proxy_auth[] = { NULL, "text", "chap", "pap", "none", "mschap" };	/* RFC 2661 4.4.5 */

	json_object_set_new(o, "calling_number", text(c->calling));
	json_object_set_new(o, "called_number", text(c->called));
	json_object_set_new(o, "proxy_lcp", json_boolean(c->proxy_lcp));
	json_object_set_new(o, "proxy_auth", text(c->proxy_auth && c->proxy_auth < 6 ? proxy_auth[c->proxy_auth] : NULL));
	json_object_set_new(o, "proxy_name", text(c->proxy_name));
	json_object_set_new(o, "serial", json_integer(c->serial));
	json_object_set_new(o, "tx_speed", number(c->tx_speed));
	json_object_set_new(o, "rx_speed", number(c->rx_speed));
	json_object_set_new(o, "sequencing", json_boolean(c->sequencing_required));
}

/* Cookies are secrets between the two ends. */
static void add_v3_call(json_t *o, const struct session *s)
{
	const struct v3_call_info *c = &s->call.v3.info;

	json_object_set_new(o, "remote_end_id", vl_text((const char *)c->end_id, c->end_id_len));
	json_object_set_new(o, "pseudowire", text(c->pw_type == V3_PW_ETHERNET ? "ethernet" : c->pw_type == V3_PW_VLAN ? "vlan" :
						  c->pw_type == V3_PW_PPP ? "ppp" : NULL));
	json_object_set_new(o, "cookie_length", json_integer(c->own.cookie.len));
	json_object_set_new(o, "peer_cookie_length", json_integer(c->peer.cookie.len));
	json_object_set_new(o, "l2_specific_sublayer", json_string(c->own.l2spec ? "default" : "none"));
	json_object_set_new(o, "netns", text(is_ethernet(s->policy) ? s->policy->netns : NULL));
	json_object_set_new(o, "circuit", json_string(c->peer.circuit_status & V3_CIRCUIT_ACTIVE ? "active" : "inactive"));
	json_object_set_new(o, "proxy_lcp", json_false());
	json_object_set_new(o, "serial", json_integer(c->serial));
	json_object_set_new(o, "tx_speed", number(c->tx_speed));
	json_object_set_new(o, "rx_speed", number(c->rx_speed));
	json_object_set_new(o, "sequencing", json_boolean(v3_sequenced(s)));
}

json_t *show_session(const struct session *s)
{
	const struct ctx *ctx = s->ctx;
	const struct tunnel *t = s->tunnel;
	const struct policy *p = s->policy;
	json_t *dns = json_array(), *o;
	char buf[96];

	for (unsigned i = 0; i < 2; i++)
		if (s->addrs.dns[i])
			json_array_append_new(dns, ipv4(s->addrs.dns[i]));
	o = json_pack("{s:I, s:I, s:i, s:I, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"session_id", (json_int_t)s->wire_id, "peer_session_id", (json_int_t)session_peer_id(s), "tunnel_id", t->id,
		"peer_tunnel_id", (json_int_t)tunnel_peer_id(t), "tunnel", text(t->as ? t->as->name : NULL),
		"peer", text(t->from ? t->from->name : NULL), "role", role_name(p->role), "state", session_state(s),
		"user", text(s->user), "interface", text(s->ifname), "ifindex", number(s->ifindex), "mtu", number(s->mtu),
		"ip", ipv4(s->addrs.ip), "peer_ip", ipv4(s->addrs.peer_ip), "dns", dns, "ifid", ifid(s->addrs.ifid),
		"peer_ifid", ifid(s->addrs.peer_ifid));
	if (!o)
		return NULL;
	if (!is_ethernet(p))
		add_ppp(o, s);
	if (t->v == &version_3)
		add_v3_call(o, s);
	else
		add_v2_call(o, &s->call.info);
	json_object_set_new(o, "rx_packets", json_integer((json_int_t)s->stats.rx_packets));
	json_object_set_new(o, "rx_octets", json_integer((json_int_t)s->stats.rx_octets));
	json_object_set_new(o, "tx_packets", json_integer((json_int_t)s->stats.tx_packets));
	json_object_set_new(o, "tx_octets", json_integer((json_int_t)s->stats.tx_octets));
	json_object_set_new(o, "rx_errors", json_integer((json_int_t)s->stats.rx_errors));
	json_object_set_new(o, "tx_errors", json_integer((json_int_t)s->stats.tx_errors));
	json_object_set_new(o, "up_since", number((uint64_t)s->up_since));
	json_object_set_new(o, "age_s", json_integer((json_int_t)((ctx->loop.now - (s->up ? s->up_at : s->since)) / 1000)));
	json_object_set_new(o, "idle_s", s->up ? json_integer((json_int_t)((ctx->loop.now - s->traffic_at) / 1000)) : json_null());
	json_object_set_new(o, "session_timeout_s", number(p->session_timeout_s));
	json_object_set_new(o, "idle_timeout_s", number(p->idle_timeout_s));
	json_object_set_new(o, "remote_address", text(endpoint_text(&t->peer, buf, sizeof(buf))));
	json_object_set_new(o, "remote_port", json_integer(t->peer.port));
	json_object_set_new(o, "ipsec", json_boolean(tunnel_protected(t)));
	json_object_set_new(o, "pool", text(s->leased ? p->pool : NULL));
	json_object_set_new(o, "last_error", text(s->why));
	return o;
}

json_t *show_peer(struct ctx *ctx, const struct conf_peer *p)
{
	const struct halfopen *table = p->l2tp.version == 2 ? ctx->half_open : ctx->v3_half_open;
	const struct peer_stat *stat = peer_stat_get(ctx, p->name);
	char address[INET6_ADDRSTRLEN + 8] = "";

	if (p->remote_name)
		snprintf(address, sizeof(address), "%s", p->remote_name);
	else if (p->address.family &&
		 inet_ntop(p->address.family == 4 ? AF_INET : AF_INET6, p->address.a, address, INET6_ADDRSTRLEN))
		snprintf(address + strlen(address), 8, "/%u", p->address.prefix_len);
	return json_pack("{s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:I, s:I, s:o, s:{s:i, s:i, s:i, s:i, s:i, s:i}}", "name",
			 text(p->name), "address", text(address), "host_name", text(p->host_name), "profile",
			 text(p->policy.profile), "tunnels", stat ? (int)stat->tunnels : 0, "sessions",
			 stat ? (int)stat->sessions : 0, "half_open",
			 (int)ho_count_policy(table, (uint16_t)(p - ctx->conf->peer)), "accepted",
			 (json_int_t)(stat ? stat->accepted : 0), "refused", (json_int_t)(stat ? stat->refused : 0),
			 "last_refusal", text(stat ? stat->last_refusal : NULL), "limits", "half-open",
			 (int)p->limits.half_open, "setup-rate", (int)p->limits.setup_rate, "setup-burst",
			 (int)p->limits.setup_burst, "tunnels", (int)p->limits.tunnels, "sessions",
			 (int)p->limits.sessions, "unauthenticated", (int)p->limits.unauthenticated);
}

json_t *show_pools(struct ctx *ctx)
{
	json_t *list = json_array();
	struct pool_stat st;

	for (unsigned i = 0; list && pool_stat(ctx->pools, i, &st); i++) {
		const struct conf_pool *c = config_pool(ctx->conf, st.name);
		json_t *ranges = json_array();

		for (unsigned j = 0; c && j < c->n_ranges; j++) {
			char a[16], b[16], both[40];

			ipv4_text(htonl(c->range[j].first), a);
			ipv4_text(htonl(c->range[j].last), b);
			snprintf(both, sizeof(both), "%s-%s", a, b);
			json_array_append_new(ranges, json_string(both));
		}
		json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:I, s:o}", "name", text(st.name), "size",
						      (json_int_t)st.size, "used", (json_int_t)st.used, "free",
						      (json_int_t)st.free, "ranges", ranges));
	}
	return list;
}

static json_int_t rss_kb(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long size = 0, rss = 0;

	if (f) {
		if (fscanf(f, "%ld %ld", &size, &rss) != 2)
			rss = 0;
		fclose(f);
	}
	return rss * (sysconf(_SC_PAGESIZE) / 1024);
}

json_t *show_stats(struct ctx *ctx)
{
	json_t *c = json_object(), *keeper = json_null();
	int tunnels = 0, sessions = 0;
	uint64_t left_out = 0;

#define X(name) json_object_set_new(c, #name, json_integer((json_int_t)ctx->count.name));
	COUNTERS(X)
#undef X
	for (unsigned i = 0; i < T_N; i++)
		left_out += ctx->limit[i].left_out;
	json_object_set_new(c, "log_lines_left_out", json_integer((json_int_t)left_out));
	json_object_set_new(c, "tunnels", json_integer(ctx->n_tunnels));
	json_object_set_new(c, "sessions", json_integer(ctx->n_sessions));
	json_object_set_new(c, "half_open", json_integer(ho_count(ctx->half_open) + ho_count(ctx->v3_half_open)));
	for (const struct tunnel *t = ctx->tunnels; t; t = t->next) {
		tunnels += t->kernel == KS_UP;
		for (const struct session *x = t->sessions; x; x = x->next)
			sessions += x->kernel == KS_UP;
	}
	if (ctx->keeper_ready)
		keeper = json_pack("{s:i, s:i, s:i, s:b}", "pid", (int)ctx->keeper_pid, "tunnels", tunnels, "sessions", sessions,
				   "gate", ctx->gate);
	return json_pack("{s:o, s:s, s:i, s:I, s:f, s:I, s:o}", "counters", c, "version", KTUND_VERSION, "pid", (int)getpid(),
			 "uptime_s", (json_int_t)(clock_wall() - ctx->started), "loop_stall_ms", (double)ctx->loop.stall_ns / 1e6,
			 "rss_kb", rss_kb(), "keeper", keeper);
}
