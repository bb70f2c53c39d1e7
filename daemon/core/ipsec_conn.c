/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipsec_conn.h"

#include <stdio.h>
#include <string.h>

/* What each set adds to those before it.  charon refuses a connection with a word that it does not know, so these are what
 * Debian's openssl plugin has. */
static const struct { const char *name, *ike, *esp; } sets[] = {
	{ "modern",
	  "aes256gcm16-prfsha384-ecp384,aes128gcm16-prfsha256-ecp256,aes256-sha384-ecp384,aes256-sha256-ecp256,"
	  "aes128-sha256-ecp256,aes256-sha256-modp2048",
	  "aes256gcm16,aes128gcm16,aes256-sha256,aes128-sha256" },
	/* Windows 10 and 11, macOS, iOS, Android, routers */
	{ "compatible", "aes256-sha1-ecp384,aes256-sha1-modp2048,aes128-sha1-ecp256,aes128-sha1-modp2048", "aes256-sha1,aes128-sha1" },
	/* old ones of all kinds */
	{ "legacy",
	  "aes256-sha256-modp1024,aes256-sha1-modp1024,aes128-sha1-modp1024,3des-sha1-modp2048,3des-sha1-modp1024", "3des-sha1" },
};
enum { SETS = sizeof(sets) / sizeof(sets[0]) };

const char *ipsec_name(char buf[IPSEC_NAME], bool dial, const char *name)
{
	snprintf(buf, IPSEC_NAME, IPSEC_PREFIX "%s-%s", dial ? "tunnel" : "peer", name);
	return buf;
}

const char *ipsec_child(char buf[IPSEC_NAME], uint16_t port)
{
	if (port)
		snprintf(buf, IPSEC_NAME, IPSEC_CHILD "%u", port);
	else
		snprintf(buf, IPSEC_NAME, IPSEC_SITE);
	return buf;
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool ipsec_same_proof(const struct conf_ipsec *a, const struct conf_ipsec *b)
{
	return same(a->psk, b->psk) && same(a->certificate_pem, b->certificate_pem) && same(a->ca_pem, b->ca_pem) &&
	       same(a->crl_pem, b->crl_pem) && same(a->local_id, b->local_id) && same(a->remote_id, b->remote_id);
}

const struct conf_peer *ipsec_beside(const struct config *c, const struct conf_peer *site)
{
	const struct addr *from = site->address.family ? &site->address : site->n_resolved ? &site->resolved[0] : NULL;

	for (unsigned version = 2; from && version <= 3; version++) {
		int i = config_match_peer(c, version, ENCAP_UDP, from, NULL);

		if (i >= 0 && c->peer[i].ipsec.required && ipsec_same_proof(&c->peer[i].ipsec, &site->ipsec))
			return &c->peer[i];
	}
	return NULL;
}

static void items(struct wr *w, const char *list)
{
	char one[64];

	while (*list) {
		size_t n = strcspn(list, ",");

		snprintf(one, sizeof(one), "%.*s", (int)n, list);
		vici_list_item(w, one);
		list += n + (list[n] == ',');
	}
}

static void proposals(struct wr *w, const char *key, const char *list, bool esp)
{
	unsigned set = 0;

	vici_list(w, key);
	while (set < SETS && strcmp(sets[set].name, list))
		set++;
	if (set == SETS)
		items(w, list);
	for (unsigned i = 0; set < SETS && i <= set; i++)
		items(w, esp ? sets[i].esp : sets[i].ike);
	vici_list_end(w);
}

/* Words of ESP follow those of IKE when these name a set. */
static const char *esp_words(const struct conf_ipsec *c)
{
	if (c->esp_proposals)
		return c->esp_proposals;
	for (unsigned i = 0; i < SETS; i++)
		if (!strcmp(c->proposals, sets[i].name))
			return c->proposals;
	return sets[0].name;
}

/* The next block of a PEM file, from *at; certificates may stand in one file with other things (RFC 7468 2).  .p NULL: no more. */
static struct span next_pem(const char **at, const char *ends)
{
	static const char begin[] = "-----BEGIN ", end[] = "-----END ";

	for (const char *p; (p = strstr(*at, begin)); ) {
		const char *line = p + strcspn(p, "\r\n"), *last = strstr(line, end);
		size_t n = strlen(ends);

		if (!last)
			last = line + strlen(line);
		last += strcspn(last, "\r\n");
		*at = last;
		if ((size_t)(line - p) > n && !memcmp(line - n, ends, n))
			return (struct span){ (const uint8_t *)p, (size_t)(last - p) };
	}
	return (struct span){ NULL, 0 };
}

static const char certificate[] = "CERTIFICATE-----", crl[] = "X509 CRL-----";

static void auth(struct wr *w, const char *side, const char *id, const char *certs, const char *pem, bool strict)
{
	bool own = !strcmp(side, "local");
	struct span one;

	vici_section(w, side);
	vici_key(w, "auth", pem ? "pubkey" : "psk");
	if (pem)
		vici_list(w, certs);
	for (const char *at = pem; at && (one = next_pem(&at, certificate)).p; at = own ? NULL : at)
		vici_list_item_span(w, one);		/* ours is the first, and those that it needs follow it */
	if (pem)
		vici_list_end(w);
	if (id)
		vici_key(w, "id", id);
	if (strict)
		vici_key(w, "revocation", "strict");
	vici_section_end(w);
}

static void child(struct wr *w, const struct ipsec_desc *d, const struct conf_ipsec *conf, uint16_t port)
{
	char text[IPSEC_NAME];

	vici_section(w, ipsec_child(text, port));
	vici_key(w, "mode", "transport");
	proposals(w, "esp_proposals", esp_words(conf), true);
	snprintf(text, sizeof(text), "dynamic[udp/%u]", port);
	vici_list_of(w, "local_ts", text);
	/* Who calls us may use any port, and says which. */
	if (d->dial)
		snprintf(text, sizeof(text), "dynamic[udp/%u]", d->remote_port);
	vici_list_of(w, "remote_ts", d->dial ? text : "dynamic[udp]");
	if (!d->dial) {
		/* One number for each caller, on what its SA brings and to select it: several behind one NAT have all else
		 * in common.  No mark_in_sa: what comes in has none yet when its SA is looked for. */
		vici_key(w, "mark_in", "%unique");
		vici_key(w, "mark_out", "%unique");
		vici_key(w, "set_mark_in", "%same");
	}
	if (!d->dial)
		vici_key(w, "rekey_time", "0");		/* the caller rekeys: some clients do not like to be asked */
	vici_section_end(w);
}

static void list(struct wr *w, const char *key, const char *words)
{
	vici_list(w, key);
	items(w, words);
	vici_list_end(w);
}

/* No trap: whoever has a packet before there is an SA finds the keeper's policy, and we dial. */
static void site(struct wr *w, const struct ipsec_desc *d)
{
	vici_section(w, IPSEC_SITE);
	vici_key(w, "mode", "tunnel");
	proposals(w, "esp_proposals", esp_words(d->conf), true);
	list(w, "local_ts", d->conf->local_networks);
	list(w, "remote_ts", d->conf->networks);
	if (!d->dial)
		vici_key(w, "rekey_time", "0");
	vici_section_end(w);
}

/* charon makes the SAs of connections that are equal in all but their name in one IKE_SA, with the name of the first; it could
 * not be told whose it is, nor one be ended without the other.  So their times differ: 4 h as usual, and something. */
static void times(struct wr *w, const char *name)
{
	uint32_t hash = 2166136261;
	char text[32];

	for (const char *p = name; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619;		/* FNV-1a */
	snprintf(text, sizeof(text), "%u", 14400 + hash % 1801);
	vici_key(w, "rekey_time", text);
	snprintf(text, sizeof(text), "%u", 1440 + hash / 1801 % 361);
	vici_key(w, "over_time", text);
}

void ipsec_load_conn(struct wr *w, const struct ipsec_desc *d)
{
	char text[32];

	vici_section(w, d->name);
	snprintf(text, sizeof(text), "%u", !d->conf->ike && d->dial ? 2 : d->conf->ike);
	vici_key(w, "version", text);
	vici_list_of(w, "local_addrs", d->local ? d->local : "%any");
	vici_list_of(w, "remote_addrs", d->remote ? d->remote : "%any");
	proposals(w, "proposals", d->conf->proposals, false);
	/* Else clients with one identity (behind different NATs, say) would end each other's SAs. */
	vici_key(w, "unique", "never");
	vici_key(w, "mobike", "no");
	if (d->dial)
		times(w, d->name);
	else
		vici_key(w, "rekey_time", "0");
	if (d->conf->dpd_ms) {
		snprintf(text, sizeof(text), "%u", (d->conf->dpd_ms + 999) / 1000);
		vici_key(w, "dpd_delay", text);
		snprintf(text, sizeof(text), "%u", (d->conf->dpd_ms + 999) / 1000 * 4);
		vici_key(w, "dpd_timeout", text);	/* IKEv1 only */
	}
	auth(w, "local", d->conf->local_id, "certs", d->conf->certificate_pem, false);
	auth(w, "remote", d->conf->remote_id ? d->conf->remote_id : "%any", "cacerts", d->conf->ca_pem, d->conf->crl);
	vici_section(w, "children");
	if (is_site(d->conf))
		site(w, d);
	for (unsigned i = 0; i < d->n_ports; i++)
		child(w, d, d->l2tp ? d->l2tp : d->conf, d->port[i]);
	vici_section_end(w);
	vici_section_end(w);
}

void ipsec_load_shared(struct wr *w, const struct ipsec_desc *d)
{
	bool anywhere = !d->remote || d->dial || (strlen(d->remote) > 2 && !strcmp(d->remote + strlen(d->remote) - 2, "/0"));

	vici_key(w, "id", d->name);
	vici_key(w, "type", "IKE");
	vici_key(w, "data", d->conf->psk);
	/* The best match is taken: the other side's identity, or a caller's address or prefix, before anybody, and then ours. */
	vici_list(w, "owners");
	if (d->conf->remote_id)
		vici_list_item(w, d->conf->remote_id);
	if (!anywhere)
		vici_list_item(w, d->remote);
	if (!d->conf->remote_id && d->conf->local_id)
		vici_list_item(w, d->conf->local_id);
	if (!d->conf->remote_id)
		vici_list_item(w, "%any");
	vici_list_end(w);
}

void ipsec_load_key(struct wr *w, const struct ipsec_desc *d)
{
	vici_key(w, "type", "any");
	vici_key(w, "data", d->conf->private_key_pem);
}

/* The n-th certificate behind ours, or list, and which of them it is. */
static struct span nth_cert(const struct conf_ipsec *c, unsigned n, bool *is_crl)
{
	const char *at = c->certificate_pem ? c->certificate_pem : "";
	struct span one = next_pem(&at, certificate);

	*is_crl = false;
	do {
		one = next_pem(&at, *is_crl ? crl : certificate);
		if (!one.p && !*is_crl) {
			*is_crl = true;
			at = c->crl_pem ? c->crl_pem : "";
			one = next_pem(&at, crl);
		}
	} while (one.p && n--);
	return one;
}

void ipsec_load_cert(struct wr *w, const struct ipsec_desc *d, unsigned n)
{
	bool is_crl;
	struct span one = nth_cert(d->conf, n, &is_crl);

	if (!one.p)
		return;
	vici_key(w, "type", is_crl ? "X509_CRL" : "X509");
	vici_key(w, "flag", "NONE");
	vici_key_span(w, "data", one);
}

unsigned ipsec_certs(const struct conf_ipsec *c)
{
	unsigned n = 0;
	bool is_crl;

	while (nth_cert(c, n, &is_crl).p)
		n++;
	return n;
}

const char *ipsec_reason(struct span line, bool ike_up)
{
	static const char refused_ike[] = "IKE_SA: the peer takes none of our proposals (proposals)";
	static const char refused_esp[] = "CHILD_SA: the peer takes none of our ESP proposals (esp-proposals)";
	static const char no_psk[] = "authentication: the peer has no psk for us (yet), or does not like our group";
	static const char ended_ike[] = "IKE_SA: the peer ends it", ended_esp[] = "CHILD_SA: the peer refuses it";
	static const struct { const char *says, *means; } table[] = {
		/* the more special first */
		{ "NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", refused_esp },
		{ "no acceptable proposal found", "CHILD_SA: none of the peer's ESP proposals is among ours (esp-proposals)" },
		{ "received NO_PROPOSAL_CHOSEN", refused_ike },
		{ "no proposal found", "IKE_SA: none of the peer's proposals is among ours (proposals)" },
		{ "no matching proposal found, sending", "CHILD_SA: none of the peer's ESP proposals is among ours (esp-proposals)" },
		{ "received proposals unacceptable", "IKE_SA: none of the peer's proposals is among ours (proposals)" },
		{ "received AUTHENTICATION_FAILED", "authentication: the peer refuses us; another psk, a certificate it does not trust, another local-id?" },
		{ "subject certificate invalid", "authentication: the peer's certificate is not valid at this time" },
		{ "certificate was revoked", "authentication: the peer's certificate was revoked" },
		{ "RULE_CRL_VALIDATION is STALE", "authentication: the list of revoked certificates has expired (crl)" },
		{ "RULE_CRL_VALIDATION is", "authentication: no list says whether the peer's certificate was revoked (crl)" },
		{ "no issuer certificate found", "authentication: the peer's certificate is not signed by ca" },
		{ "peer not authenticated by CA", "authentication: the peer's certificate is not signed by ca" },
		{ "no trusted", "authentication: no certificate of the peer that ca vouches for, or not for remote-id" },
		{ "MAC mismatched", "authentication: the peer has another psk" },
		{ "private key found for", "authentication: private-key is not that of our certificate, or local-id is not in it" },
		{ "no shared key found", "authentication: no psk for the identity that the peer has (remote-id)" },
		{ "decryption failed", "authentication: what the peer sent cannot be decrypted; is the psk the same?" },
		{ "could not decrypt payloads", "authentication: what the peer sent cannot be decrypted; is the psk the same?" },
		{ "HASH does not match", "authentication: the peer has another psk" },
		{ "HASH payload does not match", "authentication: the peer has another psk" },
		{ "constraint check failed: identity", "authentication: the peer has another identity than remote-id" },
		{ "does not match to", "authentication: the peer has another identity than remote-id" },
		{ "but none allows", "authentication: the peer's identity, or psk instead of certificate, fits no connection (remote-id, local-id)" },
		{ "no peer config found", "authentication: the peer's identity or address fits no connection (remote-id, local-id)" },
		{ "no matching peer config found", "authentication: the peer's identity or address fits no connection (remote-id, local-id)" },
		{ "no IKE config found", "IKE_SA: the peer's address or IKE version fits no connection (address, ike)" },
		{ "received TS_UNACCEPTABLE", "CHILD_SA: the peer protects other addresses or ports" },
		{ "no acceptable traffic selectors", "CHILD_SA: the peer wants to protect other addresses or ports" },
		{ "received INVALID_ID_INFORMATION", "CHILD_SA: the peer protects other addresses or ports" },
		{ "Aggressive Mode PSK disabled", "IKE_SA: the peer wants IKEv1's Aggressive Mode, which gives a psk away to "
		  "listeners, for it was told a group name or identity: leave that empty there" },
		{ "ignoring IKE_SA setup", "IKE_SA: more peers begin at once than charon lets; it takes them later (strongswan.conf: "
		  "block_threshold for those behind one address, init_limit_*)" },
		{ "deleting half open IKE_SA", "IKE_SA: the peer stopped in the middle; does UDP port 4500 get through to us?" },
		{ "peer not responding", "IKE_SA: no answer; do UDP ports 500 and 4500 get through, does IKE run there?" },
		{ "giving up after", "IKE_SA: no answer; do UDP ports 500 and 4500 get through, does IKE run there?" },
		{ " notify, no CHILD_SA built", ended_esp },
		{ "received INVALID_KE_PAYLOAD error notify", no_psk },	/* charon's way of saying so in IKEv1 */
		{ " error notify", ended_ike },
		{ " notify error", ended_ike },
	};

	for (unsigned i = 0; line.p && i < sizeof(table) / sizeof(table[0]); i++) {
		const char *means = table[i].means;

		if (!memmem(line.p, line.n, table[i].says, strlen(table[i].says)))
			continue;
		/* IKEv1 has the same words for both phases */
		if (ike_up && (means == ended_ike || means == no_psk))
			return ended_esp;
		return ike_up && means == refused_ike ? refused_esp : means;
	}
	return NULL;
}
