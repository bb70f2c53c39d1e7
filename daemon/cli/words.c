/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "words.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where a word fits: AT(verb, session). */
#define AT(verb, session) (1u << ((verb) * 2 + (session)))
enum {
	ADD_T = 1 << 0, ADD_S = 1 << 1, DEL_T = 1 << 2, DEL_S = 1 << 3, SHOW_T = 1 << 4, SHOW_S = 1 << 5,
	ANY = ADD_T | ADD_S | DEL_T | DEL_S | SHOW_T | SHOW_S,
};

/* Of what ktund is told. */
enum { NETNS_MAX = 63 };

enum kind { K_FLAG, K_ID, K_PORT, K_ADDRESS, K_CHOICE, K_CHOICE_NOCASE, K_HEX, K_LINK, K_NAME, K_MTU, K_VLAN, K_IGNORED };

static const char *const on_off[] = { "off", "on", NULL };
static const char *const encaps[] = { "udp", "ip", NULL };
static const char *const versions[] = { "2", "3", NULL };
static const char *const l2specs[] = { "none", "default", NULL };
static const char *const seqs[] = { "none", "send", "recv", "both", NULL };
static const char *const cookies[] = { "0", "4", "8", NULL };
static const char *const pws[] = { "ethernet", "ppp", "vlan", NULL };

/* The order of rows is that of help. */
enum {
	W_REMOTE, W_LOCAL, W_TUNNEL_ID, W_PEER_TUNNEL_ID, W_SESSION_ID, W_PEER_SESSION_ID, W_ENCAP, W_UDP_SPORT, W_UDP_DPORT,
	W_UDP_CSUM, W_UDP6_CSUM_TX, W_UDP6_CSUM_RX, W_VERSION, W_NAME, W_COOKIE, W_PEER_COOKIE, W_L2SPEC_TYPE, W_SEQ, W_PSEUDOWIRE,
	W_REMOTE_END_ID, W_COOKIE_LENGTH, W_USER, W_PASSWORD_FILE, W_SECRET_FILE, W_PSK_FILE,
	W_MTU, W_NETNS, W_VRF, W_BRIDGE, W_VLAN, W_UP, W_OFFSET, W_PEER_OFFSET, W_FORCE, N_WORDS
};

static const struct word words[N_WORDS] = {
	[W_REMOTE] =	      { "remote", NULL, "ADDR", "address of the peer", NULL, K_ADDRESS, ADD_T },
	[W_LOCAL] =	      { "local", NULL, "ADDR", "address of this machine, or any", NULL, K_ADDRESS, ADD_T },
	[W_TUNNEL_ID] =	      { "tunnel_id", "tid", "ID", "our id of the tunnel", NULL, K_ID, ANY },
	[W_PEER_TUNNEL_ID] =  { "peer_tunnel_id", "ptid", "ID", "the peer's id of the tunnel", NULL, K_ID, ADD_T | ADD_S },
	[W_SESSION_ID] =      { "session_id", "sid", "ID", "our id of the session", NULL, K_ID, ADD_S | DEL_S | SHOW_S },
	[W_PEER_SESSION_ID] = { "peer_session_id", "psid", "ID", "the peer's id of the session", NULL, K_ID, ADD_S },
	[W_ENCAP] =	      { "encap", NULL, "udp|ip", "carried by UDP, or by IP protocol 115 (udp)", encaps, K_CHOICE, ADD_T },
	[W_UDP_SPORT] =	      { "udp_sport", NULL, "PORT", "our UDP port", NULL, K_PORT, ADD_T },
	[W_UDP_DPORT] =	      { "udp_dport", NULL, "PORT", "the peer's UDP port", NULL, K_PORT, ADD_T },
	[W_UDP_CSUM] =	      { "udp_csum", NULL, "on|off", "UDP checksums over IPv4 (off)", on_off, K_CHOICE, ADD_T },
	[W_UDP6_CSUM_TX] =    { "udp6_csum_tx", NULL, "on|off", "send UDP checksums over IPv6 (on)", on_off, K_CHOICE, ADD_T },
	[W_UDP6_CSUM_RX] =    { "udp6_csum_rx", NULL, "on|off", "want UDP checksums over IPv6 (on)", on_off, K_CHOICE, ADD_T },
	[W_VERSION] =	      { "version", NULL, "2|3", "of L2TP (3)", versions, K_CHOICE, ADD_T },
	[W_NAME] =	      { "name", NULL, "NAME", "of the interface (l2tpethN)", NULL, K_LINK, ADD_S },
	[W_COOKIE] =	      { "cookie", NULL, "HEXSTR", "what our packets carry: 8 or 16 hex digits (none)", NULL, K_HEX, ADD_S },
	[W_PEER_COOKIE] =     { "peer_cookie", NULL, "HEXSTR", "what packets from the peer must carry (none)", NULL, K_HEX, ADD_S },
	[W_L2SPEC_TYPE] =     { "l2spec_type", NULL, "none|default", "L2-Specific Sublayer (default)", l2specs, K_CHOICE_NOCASE, ADD_S },
	[W_SEQ] =	      { "seq", NULL, "none|send|recv|both", "sequence numbers (none)", seqs, K_CHOICE_NOCASE, ADD_S },
	[W_PSEUDOWIRE] =      { "pseudowire", NULL, "ethernet|ppp|vlan", "what it carries (ethernet; L2TPv2: ppp)", pws, K_CHOICE, ADD_S },
	[W_REMOTE_END_ID] =   { "remote_end_id", NULL, "TEXT", "negotiate it: both ends know it by this", NULL, K_NAME, ADD_S | DEL_S },
	[W_COOKIE_LENGTH] =   { "cookie_length", NULL, "0|4|8", "negotiated: octets of the peer's cookie (8)", cookies, K_CHOICE, ADD_S },
	[W_USER] =	      { "user", NULL, "NAME", "negotiated PPP: our name there (nobody asks)", NULL, K_NAME, ADD_S },
	[W_PASSWORD_FILE] =   { "password_file", NULL, "FILE", "negotiated PPP: our password, its first line", NULL, K_NAME, ADD_S },
	[W_SECRET_FILE] =     { "secret_file", NULL, "FILE", "negotiated: signs with the secret in its first line", NULL, K_NAME, ADD_T },
	[W_PSK_FILE] =	      { "psk_file", NULL, "FILE", "negotiated: inside IPsec, with the key in its first line", NULL, K_NAME, ADD_T },
	[W_MTU] =	      { "mtu", NULL, "N", "of the interface (what the path to the peer leaves)", NULL, K_MTU, ADD_S },
	[W_NETNS] =	      { "netns", NULL, "NAME", "network namespace to move the interface to", NULL, K_NAME, ADD_S },
	[W_VRF] =	      { "vrf", NULL, "NAME", "VRF that the interface joins", NULL, K_LINK, ADD_S },
	[W_BRIDGE] =	      { "bridge", NULL, "NAME", "bridge that the interface becomes a port of, up", NULL, K_LINK, ADD_S },
	[W_VLAN] =	      { "vlan", NULL, "N", "VLAN of the bridge that the port is for, untagged", NULL, K_VLAN, ADD_S },
	[W_UP] =	      { "up", NULL, "", "set the interface up", NULL, K_FLAG, ADD_S },
	[W_OFFSET] =	      { "offset", NULL, "N", "ignored", NULL, K_IGNORED, ADD_S },
	[W_PEER_OFFSET] =     { "peer_offset", NULL, "N", "ignored", NULL, K_IGNORED, ADD_S },
	[W_FORCE] =	      { "force", NULL, "", "even if a process speaks for the tunnel", NULL, K_FLAG, DEL_T | DEL_S },
};

static bool no(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool no(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, WORDS_WHY, fmt, ap);
	va_end(ap);
	return false;
}

static bool has(const struct order *o, unsigned w)
{
	return o->given >> w & 1;
}

const struct word *words_find(const char *s)
{
	for (unsigned i = 0; i < N_WORDS; i++)
		if (!strcmp(s, words[i].name) || (words[i].alias && !strcmp(s, words[i].alias)))
			return &words[i];
	return NULL;
}

bool words_known(const char *word)
{
	return words_find(word) != NULL;
}

bool words_given(const struct order *o, const char *word)
{
	const struct word *w = words_find(word);

	return w && has(o, (unsigned)(w - words));
}

const struct word *words_list(enum order_verb verb, bool session, unsigned i)
{
	for (unsigned w = 0; w < N_WORDS; w++)
		if (words[w].fits & AT(verb, session) && words[w].kind != K_IGNORED && !i--)
			return &words[w];
	return NULL;
}

static const char *verb_name(enum order_verb verb)
{
	switch (verb) {
	case ORDER_ADD:
		return "add";
	case ORDER_DELETE:
		return "delete";
	case ORDER_SHOW:
		break;
	}
	return "show";
}

/* "add session", "show tunnel". */
static const char *command_name(enum order_verb verb, bool session)
{
	static const char *const all[] = {
		"add tunnel", "add session", "delete tunnel", "delete session", "show tunnel", "show session"
	};

	return all[verb * 2 + session];
}

static const char *about(const struct order *o)
{
	return command_name(o->verb, o->session);
}

/* Values */

/* As strtoul() has it for base 0, without its signs and blanks. */
static bool to_number(const char *s, uint32_t max, uint32_t *ret)
{
	unsigned long long v;
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	v = strtoull(s, &end, 0);
	if (*end || errno || v > max)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool to_address(const char *s, struct k_addr *a)
{
	if (inet_pton(AF_INET, s, a->addr) == 1)
		a->family = 4;
	else if (inet_pton(AF_INET6, s, a->addr) == 1)
		a->family = 6;
	return a->family;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3931 4.1: a cookie has 4 or 8 octets. */
static bool to_cookie(const char *s, uint8_t cookie[8], uint8_t *ret_len)
{
	size_t n = strlen(s);

	if (n != 8 && n != 16)
		return false;
	for (size_t i = 0; i < n; i++) {
		int d = hex_digit(s[i]);

		if (d < 0)
			return false;
		cookie[i / 2] = (uint8_t)(cookie[i / 2] << 4 | d);
	}
	*ret_len = (uint8_t)(n / 2);
	return true;
}

/* What dev_valid_name() of the kernel takes. */
static bool link_name_ok(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > 15 || !strcmp(s, ".") || !strcmp(s, ".."))
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == '/' || *s == ':' || *s == 127)
			return false;
	return true;
}

static bool to_choice(const struct word *w, const char *s, uint32_t *ret)
{
	for (*ret = 0; w->choices[*ret]; ++*ret)
		if (w->kind == K_CHOICE ? !strcmp(s, w->choices[*ret]) : !strcasecmp(s, w->choices[*ret]))
			return true;
	return false;
}

/* One word and its value into the order. */
static bool take(struct order *o, unsigned i, const char *said, const char *v, char *why)
{
	const struct word *w = &words[i];
	struct k_addr addr = { .port = i == W_REMOTE ? o->t.peer.port : o->t.local.port };
	uint32_t n = 0;

	switch ((enum kind)w->kind) {
	case K_ID:
		if (!to_number(v, UINT32_MAX, &n) || !n)
			return no(why, "\"%.60s\" is no id after \"%s\": a number from 1 to 4294967295", v, said);
		break;
	case K_PORT:
		if (!to_number(v, UINT16_MAX, &n) || !n)
			return no(why, "\"%.60s\" is no port after \"%s\": a number from 1 to 65535", v, said);
		break;
	case K_MTU:
		if (!to_number(v, UINT16_MAX, &n) || n < 68)
			return no(why, "\"%.60s\" is no MTU: a number from 68 to 65535", v);
		break;
	case K_VLAN:
		if (!to_number(v, 4094, &n) || !n)
			return no(why, "\"%.60s\" is no VLAN: a number from 1 to 4094", v);
		break;
	case K_ADDRESS:
		if (strcmp(v, "any") && strcmp(v, "all") && !to_address(v, &addr))
			return no(why, "\"%.60s\" is no IPv4 or IPv6 address after \"%s\"", v, said);
		break;
	case K_CHOICE:
	case K_CHOICE_NOCASE:
		if (!to_choice(w, v, &n))
			return no(why, "\"%.60s\" does not fit after \"%s\"; these do: %s", v, said, w->value);
		break;
	case K_LINK:
		if (!link_name_ok(v))
			return no(why, "\"%.60s\" is no name of an interface after \"%s\": 1 to 15 octets, without \"/\", "
				  "\":\" and blanks", v, said);
		break;
	case K_NAME:
		if (!*v)
			return no(why, "\"\" is no name after \"%s\"", said);
		break;
	case K_HEX:
		if (i == W_COOKIE ? !to_cookie(v, o->s.cookie, &o->s.cookie_len) :
				    !to_cookie(v, o->s.peer_cookie, &o->s.peer_cookie_len))
			return no(why, "\"%.60s\" is no cookie: 8 or 16 hex digits", v);
		break;
	case K_FLAG:
	case K_IGNORED:
		break;
	}
	switch (i) {
	case W_REMOTE:
		o->t.peer = addr;
		break;
	case W_LOCAL:
		o->t.local = addr;
		break;
	case W_TUNNEL_ID:
		o->t.tunnel_id = o->s.tunnel_id = n;
		break;
	case W_PEER_TUNNEL_ID:
		o->t.peer_tunnel_id = o->s.peer_tunnel_id = n;
		break;
	case W_SESSION_ID:
		o->s.session_id = n;
		break;
	case W_PEER_SESSION_ID:
		o->s.peer_session_id = n;
		break;
	case W_ENCAP:
		o->t.encap = n ? KOBJ_IP : KOBJ_UDP;
		break;
	case W_UDP_SPORT:
		o->t.local.port = (uint16_t)n;
		break;
	case W_UDP_DPORT:
		o->t.peer.port = (uint16_t)n;
		break;
	case W_UDP_CSUM:
		o->t.csum = n;
		break;
	case W_UDP6_CSUM_TX:
		o->t.csum6_tx = n;
		break;
	case W_UDP6_CSUM_RX:
		o->t.csum6_rx = n;
		break;
	case W_VERSION:
		o->t.version = (uint8_t)(n + 2);
		break;
	case W_NAME:
		strcpy(o->s.name, v);		/* at most 15 octets: link_name_ok() */
		break;
	case W_L2SPEC_TYPE:
		o->s.l2spec = n ? KOBJ_L2SPEC_DEFAULT : KOBJ_L2SPEC_NONE;
		break;
	case W_SEQ:
		o->s.send_seq = n & 1;
		o->s.recv_seq = n & 2;
		break;
	case W_PSEUDOWIRE:
		o->s.pw = n == 0 ? KOBJ_PW_ETHERNET : n == 1 ? KOBJ_PW_PPP : KOBJ_PW_VLAN;
		break;
	case W_REMOTE_END_ID:
		o->remote_end_id = v;
		break;
	case W_COOKIE_LENGTH:
		o->cookie_length = (uint8_t)(4 * n);
		break;
	case W_USER:
		o->user = v;
		break;
	case W_PASSWORD_FILE:
		o->password_file = v;
		break;
	case W_SECRET_FILE:
		o->secret_file = v;
		break;
	case W_PSK_FILE:
		o->psk_file = v;
		break;
	case W_MTU:
		o->a.mtu = (uint16_t)n;
		break;
	case W_NETNS:
		o->a.netns = v;
		break;
	case W_VRF:
		o->a.vrf = v;
		break;
	case W_BRIDGE:
		o->a.bridge = v;
		break;
	case W_VLAN:
		o->a.vlan = (uint16_t)n;
		break;
	case W_UP:
		o->a.up = true;
		break;
	case W_FORCE:
		o->force = true;
		break;
	}
	return true;
}

/* The whole */

static void note(struct order *o, const char *text)
{
	if (o->n_notes < WORDS_NOTES)
		o->note[o->n_notes++] = text;
}

static bool need_word(const struct order *o, unsigned w, char *why)
{
	return has(o, w) || no(why, "\"%s %s\" is missing; see `ktun %s --help`", words[w].name, words[w].value, about(o));
}

/* Words that only one kind has a use for. */
static bool fits_kind(const struct order *o, const unsigned *row, unsigned n, const char *but, char *why)
{
	for (unsigned i = 0; i < n; i++)
		if (has(o, row[i]))
			return no(why, "\"%s\" does not fit %s", words[row[i]].name, but);
	return true;
}

#define FITS_KIND(o, row, but, why) fits_kind(o, row, sizeof(row) / sizeof(*(row)), but, why)

static bool check_negotiated_tunnel(const struct order *o, char *why)
{
	static const unsigned statics[] = { W_UDP_CSUM, W_UDP6_CSUM_TX, W_UDP6_CSUM_RX };

	if (!need_word(o, W_REMOTE, why) ||
	    !FITS_KIND(o, statics, "a tunnel to negotiate, which is one without \"peer_tunnel_id\"", why))
		return false;
	if (o->t.version == 2)
		return no(why, "\"version 2\" needs \"peer_tunnel_id\": what is negotiated is L2TPv3; L2TPv2, with its user and "
			       "password, stands in ktund.conf");
	if (o->t.tunnel_id > UINT16_MAX)
		return no(why, "%u is no tunnel_id to negotiate: a number from 1 to 65535; with \"peer_tunnel_id\" the tunnel "
			       "is a static one", o->t.tunnel_id);
	if (o->session)
		return no(why, "a tunnel to negotiate comes first, then its session, in two commands; a static one needs "
			       "\"peer_tunnel_id ID\"");
	if (o->t.encap == KOBJ_IP && (has(o, W_UDP_SPORT) || has(o, W_UDP_DPORT)))
		return no(why, "udp_sport and udp_dport have no effect with \"encap ip\"");
	if (o->t.encap == KOBJ_IP && o->psk_file)
		return no(why, "\"psk_file\" does not fit \"encap ip\": IPsec protects UDP here");
	return true;
}

static bool check_add_tunnel(struct order *o, int family, char *why)
{
	static const unsigned negotiated[] = { W_SECRET_FILE, W_PSK_FILE };
	struct kobj_tunnel *t = &o->t;
	uint8_t zero[16] = { 0 };
	bool udp = t->encap == KOBJ_UDP;

	o->negotiate = !has(o, W_PEER_TUNNEL_ID);
	if (o->negotiate ? !check_negotiated_tunnel(o, why) :
	    !need_word(o, W_LOCAL, why) || !need_word(o, W_REMOTE, why) ||
	    !FITS_KIND(o, negotiated, "a static tunnel, which is one with \"peer_tunnel_id\"", why))
		return false;
	if (!t->peer.family || !memcmp(t->peer.addr, zero, 16))
		return no(why, "\"remote\" needs the address of one peer");
	if (!t->local.family)
		t->local.family = t->peer.family;		/* any */
	if (t->local.family != t->peer.family)
		return no(why, "\"local\" and \"remote\" are of different families: one is IPv4, one is IPv6");
	if (family && t->local.family != family)
		return no(why, "-%d was given, and the addresses are IPv%d", family, t->local.family);
	if (o->negotiate)
		return true;
	if (udp && (!need_word(o, W_UDP_SPORT, why) || !need_word(o, W_UDP_DPORT, why)))
		return false;
	if (!udp && t->version == 2)
		return no(why, "L2TPv2 is carried by UDP only: \"encap ip\" does not fit \"version 2\"");
	/* RFC 2661 3.1 */
	if (t->version == 2 && (t->tunnel_id > UINT16_MAX || t->peer_tunnel_id > UINT16_MAX))
		return no(why, "%u is no id of L2TPv2: a number from 1 to 65535",
			  t->tunnel_id > UINT16_MAX ? t->tunnel_id : t->peer_tunnel_id);
	if (!udp && (has(o, W_UDP_SPORT) || has(o, W_UDP_DPORT)))
		note(o, "udp_sport and udp_dport have no effect with \"encap ip\"");
	if (has(o, W_UDP_CSUM) && (!udp || t->local.family == 6))
		note(o, "udp_csum has an effect over UDP and IPv4 only");
	if ((has(o, W_UDP6_CSUM_TX) || has(o, W_UDP6_CSUM_RX)) && (!udp || t->local.family == 4))
		note(o, "udp6_csum_tx and udp6_csum_rx have an effect over UDP and IPv6 only");
	return true;
}

/* RFC 3931 5.4.4: who wants sequence numbers asks for them, and then has them both ways. */
static bool check_negotiated_session(const struct order *o, char *why)
{
	static const unsigned statics[] = { W_SESSION_ID, W_PEER_SESSION_ID, W_PEER_TUNNEL_ID, W_COOKIE, W_PEER_COOKIE,
					    W_OFFSET, W_PEER_OFFSET };
	static const unsigned ethernet[] = { W_NETNS, W_VRF, W_BRIDGE, W_VLAN };
	static const unsigned ppp[] = { W_USER, W_PASSWORD_FILE };
	bool is_ppp = o->s.pw == KOBJ_PW_PPP;

	if (!FITS_KIND(o, statics, "a session to negotiate, which is one with \"remote_end_id\"", why) ||
	    (is_ppp && !FITS_KIND(o, ethernet, "a PPP session", why)) ||
	    (!is_ppp && !FITS_KIND(o, ppp, "a session without \"pseudowire ppp\"", why)))
		return false;
	if (has(o, W_USER) != has(o, W_PASSWORD_FILE))
		return need_word(o, has(o, W_USER) ? W_PASSWORD_FILE : W_USER, why);
	if (o->s.send_seq != o->s.recv_seq)
		return no(why, "\"%s\" does not fit after \"seq\" of a session to negotiate: it is numbered both ways or not at "
			       "all; these do: none|both", o->s.send_seq ? "send" : "recv");
	if (o->s.send_seq && o->s.l2spec == KOBJ_L2SPEC_NONE)
		return no(why, "\"seq both\" does not fit \"l2spec_type none\": there is no room for sequence numbers");
	if (o->a.netns && (strchr(o->a.netns, '/') || strlen(o->a.netns) > NETNS_MAX))
		return no(why, "\"%.60s\" is no network namespace to negotiate for: its name, as `ip netns` lists it", o->a.netns);
	if (o->a.netns && (o->a.vrf || o->a.bridge))
		return no(why, "\"netns\" and \"%s\": the interface of a session to negotiate can be in one of them",
			  o->a.vrf ? "vrf" : "bridge");
	return true;
}

static bool check_add_session(struct order *o, char *why)
{
	static const unsigned negotiated[] = { W_COOKIE_LENGTH, W_USER, W_PASSWORD_FILE };

	o->negotiate = has(o, W_REMOTE_END_ID);
	if (o->negotiate ? !check_negotiated_session(o, why) :
	    !FITS_KIND(o, negotiated, "a static session, which is one without \"remote_end_id\"", why))
		return false;
	if (!o->negotiate && !need_word(o, W_SESSION_ID, why))
		return false;
	if (!o->negotiate && !need_word(o, W_PEER_SESSION_ID, why))
		return false;
	if (o->a.vlan && !o->a.bridge)
		return no(why, "\"vlan\" needs \"bridge\": it is the VLAN that the bridge's port is for");
	if (o->a.vrf && o->a.bridge)
		return no(why, "\"vrf\" and \"bridge\": an interface can join one of them");
	/* RFC 3931 4.6: the sequence number is in the L2-Specific Sublayer. */
	if (o->s.l2spec == KOBJ_L2SPEC_NONE && (o->s.send_seq || o->s.recv_seq))
		note(o, "seq has no effect with \"l2spec_type none\": there is no room for sequence numbers");
	if (has(o, W_OFFSET) || has(o, W_PEER_OFFSET))
		note(o, "offset and peer_offset have no effect");
	return true;
}

bool words_fit_version(struct order *o, uint8_t version, char *why)
{
	static const unsigned v3_only[] = { W_COOKIE, W_PEER_COOKIE, W_L2SPEC_TYPE };
	static const unsigned link_only[] = { W_NAME, W_MTU, W_NETNS, W_VRF, W_BRIDGE, W_UP };

	if (!o->s.pw)
		o->s.pw = version == 2 ? KOBJ_PW_PPP : KOBJ_PW_ETHERNET;
	for (unsigned i = 0; version == 2 && i < sizeof(v3_only) / sizeof(*v3_only); i++)
		if (has(o, v3_only[i]))
			return no(why, "L2TPv2 has no \"%s\", and tunnel %u is of version 2", words[v3_only[i]].name,
				  o->s.tunnel_id);
	if (version == 2 && o->s.pw != KOBJ_PW_PPP)
		return no(why, "L2TPv2 carries PPP only, and tunnel %u is of version 2", o->s.tunnel_id);
	/* RFC 2661 3.1 */
	if (version == 2 && (o->s.session_id > UINT16_MAX || o->s.peer_session_id > UINT16_MAX))
		return no(why, "%u is no id of L2TPv2: a number from 1 to 65535",
			  o->s.session_id > UINT16_MAX ? o->s.session_id : o->s.peer_session_id);
	for (unsigned i = 0; o->s.pw == KOBJ_PW_PPP && i < sizeof(link_only) / sizeof(*link_only); i++)
		if (has(o, link_only[i]))
			return no(why, "\"%s\" does not fit a PPP session: its interface is made by who speaks PPP in it",
				  words[link_only[i]].name);
	return true;
}

static bool check(struct order *o, int family, char *why)
{
	if (!o->tunnel && !o->session)
		return no(why, "\"tunnel\" or \"session\" is missing after \"%s\"", verb_name(o->verb));
	for (unsigned i = 0; i < N_WORDS; i++) {
		unsigned fits = (o->tunnel ? AT(o->verb, false) : 0) | (o->session ? AT(o->verb, true) : 0);

		if (has(o, i) && !(words[i].fits & fits))
			return no(why, "\"%s\" does not fit \"%s\"; see `ktun %s --help`", words[i].name, about(o), about(o));
	}
	switch (o->verb) {
	case ORDER_ADD:
		return need_word(o, W_TUNNEL_ID, why) && (!o->tunnel || check_add_tunnel(o, family, why)) &&
		       (!o->session || check_add_session(o, why)) &&
		       (!(o->tunnel && o->session) || words_fit_version(o, o->t.version, why));
	case ORDER_DELETE:
		return need_word(o, W_TUNNEL_ID, why) &&
		       (!o->session || has(o, W_REMOTE_END_ID) || need_word(o, W_SESSION_ID, why));
	case ORDER_SHOW:
		break;
	}
	return true;
}

static bool unknown(const struct order *o, int argc, char *const *argv, int i, char *why)
{
	bool session = o->session;
	const char *name;

	for (int k = i; k < argc && !o->tunnel; k++)		/* it may stand behind */
		session |= !strcmp(argv[k], "session");
	name = command_name(o->verb, session);
	return no(why, "\"%.60s\" does not fit \"%s\"; see `ktun %s --help`", argv[i], name, name);
}

bool words_parse(enum order_verb verb, int argc, char *const *argv, int family, struct order *ret, char *why)
{
	struct order *o = ret;

	*o = (struct order){
		.verb = verb, .t = { .version = 3, .csum6_tx = true, .csum6_rx = true }, .s.l2spec = KOBJ_L2SPEC_DEFAULT,
	};
	for (int i = 0; i < argc; i++) {
		const struct word *w = words_find(argv[i]);
		bool value = w && *w->value;

		if (!strcmp(argv[i], "session") || !strcmp(argv[i], "tunnel")) {
			*(*argv[i] == 's' ? &o->session : &o->tunnel) = true;
			if (o->session && o->tunnel && verb != ORDER_ADD)
				return no(why, "\"tunnel\" and \"session\": one of them, please");
			continue;
		}
		if (!w)
			return unknown(o, argc, argv, i, why);
		if (has(o, (unsigned)(w - words)))
			return no(why, "\"%s\" is there twice", w->name);
		if (value && i + 1 == argc)
			return no(why, "a value is missing after \"%s\": %s", argv[i], w->value);
		if (!take(o, (unsigned)(w - words), argv[i], value ? argv[i + 1] : "", why))
			return false;
		o->given |= 1ull << (w - words);
		i += value;
	}
	return check(o, family, why);
}
