/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "v3_halfopen.h"

#include "base/digest.h"
#include "l2tp/ho_table.h"

static void init_auth(struct v3_auth *a, const struct halfopen *h, const struct v3_conf *conf)
{
	struct span secret[V3_SECRETS] = { conf->cc.secret, conf->secret2 };

	v3_auth_init(a, ho_env(h), secret, conf->digest);
}

/* SCCRP for this entry, with what fits into the budget: a forged source must gain nothing. */
static size_t reply(const struct ho_entry *e, const struct v3_auth *a, const struct v3_conf *conf, void *out, size_t budget)
{
	uint16_t rws = conf->cc.rws ? conf->cc.rws : 16;
	struct v3_msg m = {
		.type = V3_SCCRP, .cc_id = e->peer_tunnel_id, .nr = 1, .router_id = conf->router_id,
		.assigned_cc_id = e->tunnel_id, .pw_caps = v3_pw_caps(conf), .rws = rws < REL_RWS_MAX ? rws : REL_RWS_MAX,
		.host_name = { (const uint8_t *)conf->cc.host_name, strlen(conf->cc.host_name) },
		.present = V3_BIT(V3_AVP_HOST_NAME) | V3_BIT(V3_AVP_ROUTER_ID) | V3_BIT(V3_AVP_ASSIGNED_CC_ID) |
			   V3_BIT(V3_AVP_PW_CAPS) | V3_BIT(V3_AVP_RWS),
	};
	struct span none = { NULL, 0 };
	size_t n, room;

	if (conf->cc.vendor_name) {
		m.vendor_name = (struct span){ (const uint8_t *)conf->cc.vendor_name, strlen(conf->cc.vendor_name) };
		m.present |= V3_BIT(V3_AVP_VENDOR_NAME);
	}
	if (a->n_keys) {
		m.nonce = (struct span){ a->nonce, a->nonce_len };
		m.present |= V3_BIT(V3_AVP_NONCE);
	}
	v3_auth_prepare(a, &m);
	n = v3_encode(&m, out, budget, none);
	if (!n) {
		m.present &= ~V3_BIT(V3_AVP_VENDOR_NAME);
		n = v3_encode(&m, out, budget, none);
	}
	if (!n) {
		m.present &= ~V3_BIT(V3_AVP_RWS);
		n = v3_encode(&m, out, budget, none);
	}
	if (!n) {				/* as much of the name as there is room for */
		room = m.host_name.n;
		m.host_name.n = 1;
		n = v3_encode(&m, out, budget, none);
		m.host_name.n = n && budget - n + 1 < room ? budget - n + 1 : 1;
		n = v3_encode(&m, out, budget, none);
	}
	if (n)
		v3_sign(a, out, n);
	return n;
}

static void fill(struct ho_entry *e, ms_t now, const struct ho_addr *from, const struct v3_msg *m, const struct v3_auth *a)
{
	*e = (struct ho_entry){ .from = *from, .peer_tunnel_id = m->assigned_cc_id,
				.peer_rws = v3_has(m, V3_AVP_RWS) ? m->rws : L2TP_DEFAULT_RWS, .since = now,
				.challenged = a->n_keys, .challenge_len = a->nonce_len,
				.v3 = { .router_id = m->router_id, .pw_caps = m->pw_caps, .key = a->key_no,
					.digest = a->digest, .nonce_len = a->peer_nonce_len } };
	memcpy(e->challenge, a->nonce, sizeof(e->challenge));
	memcpy(e->v3.nonce, a->peer_nonce, sizeof(e->v3.nonce));
	l2tp_clean(e->host_name, sizeof(e->host_name), m->host_name);
	l2tp_clean(e->vendor_name, sizeof(e->vendor_name), m->vendor_name);
	md5(e->host_digest, &m->host_name, 1);
}

/* What a stranger must say to get an answer; everything else is dropped without a word. */
static bool acceptable(const struct v3_msg *m, const struct v3_conf *conf)
{
	if (m->type != V3_SCCRQ || m->cc_id || m->ns || m->nr || !m->assigned_cc_id || !m->host_name.n)
		return false;
	return !conf->cc.strict || !avp_any_odd(&m->odd);
}

enum ho_verdict v3_ho_sccrq(struct halfopen *h, ms_t now, const struct ho_addr *from, const struct v3_msg *m, const void *buf,
			    size_t len, const struct v3_conf *conf, uint16_t policy, uint32_t policy_gen, unsigned per_addr,
			    uint32_t cc_id, bool *ret_used, void *out, size_t size, size_t *ret_len)
{
	size_t budget = len + len / 2 < size ? len + len / 2 : size;
	enum ho_verdict v = HO_DROP;
	struct v3_signature sig;
	struct ho_entry new;
	struct v3_auth a;
	int32_t i;

	*ret_used = false;
	*ret_len = 0;
	if (!acceptable(m, conf))
		return HO_DROP;
	init_auth(&a, h, conf);
	if (v3_verify(&a, buf, len, &sig) != V3_GOOD || !v3_auth_agree(&a, m, &sig)) {
		v = HO_REFUSED;
		goto out;
	}
	i = ho_meet(h, now, from, m->assigned_cc_id, m->host_name, per_addr, cc_id, &v);
	if (i == HO_NONE && v != HO_REPLY)
		goto out;
	v = HO_DROP;
	if (!ho_may_reply(h, now))
		goto out;
	if (i != HO_NONE) {			/* a retransmission: the same answer */
		const struct ho_entry *e = ho_at(h, i);

		if (e->v3.nonce_len != a.peer_nonce_len || memcmp(e->v3.nonce, a.peer_nonce, a.peer_nonce_len))
			goto out;		/* another one, under the same id */
		v3_auth_resume(&a, e->challenge, e->v3.nonce, e->v3.nonce_len, sig.key_no, sig.digest);
		*ret_len = reply(e, &a, conf, out, budget);
		ho_touch(h, i, now);
	} else {
		fill(&new, now, from, m, &a);
		new.tunnel_id = cc_id;
		new.policy = policy;
		new.policy_gen = policy_gen;
		*ret_len = reply(&new, &a, conf, out, budget);
		if (*ret_len && ho_insert(h, &new) == HO_NONE)
			*ret_len = 0;
		*ret_used = *ret_len;
		wipe(&new, sizeof(new));
	}
	v = *ret_len ? HO_REPLY : HO_DROP;
out:
	wipe(&a, sizeof(a));
	return v;
}

enum ho_verdict v3_ho_scccn(struct halfopen *h, ms_t now, const struct ho_addr *from, const void *buf, size_t len,
			    const struct v3_conf *conf, struct ho_entry *ret)
{
	enum v3_verdict verdict;
	struct v3_signature sig;
	const struct ho_entry *e;
	struct v3_auth a;
	struct v3_msg m;
	uint32_t id;
	int32_t i;

	(void)now;
	i = v3_peek(buf, len, &id) && id ? ho_place(h, id) : HO_NONE;
	if (i == HO_NONE)
		return HO_UNKNOWN;
	e = ho_at(h, i);
	if (!e->peer_tunnel_id || !ho_same_path(&e->from, from))
		return HO_DROP;
	init_auth(&a, h, conf);
	v3_auth_resume(&a, e->challenge, e->v3.nonce, e->v3.nonce_len, e->v3.key, e->v3.digest);
	verdict = v3_verify(&a, buf, len, &sig);
	wipe(&a, sizeof(a));
	if (verdict != V3_GOOD)
		return HO_REFUSED;
	if (!v3_decode(&m, buf, len, (struct span){ NULL, 0 }, NULL) || m.ns != 1)
		return HO_DROP;
	if (m.type == V3_STOPCCN && m.nr <= 1)
		ho_expire_now(h, i);
	if (m.type != V3_SCCCN || m.nr != 1)
		return HO_DROP;
	*ret = *e;
	if (e->challenged)
		ret->v3.key = sig.key_no;	/* the secrets may have changed places meanwhile */
	ho_remove(h, i);
	return HO_ACCEPTED;
}
