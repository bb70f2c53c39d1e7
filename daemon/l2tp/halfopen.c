/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "halfopen.h"

#include <string.h>

#include "base/digest.h"
#include "l2tp/ho_table.h"
#include "l2tp/rel.h"

/* SCCRP for this entry, with what fits into the budget: a forged source must gain nothing. */
static size_t reply(struct ho_entry *e, const struct l2tp_msg *sccrq, size_t len,
		    const struct cc_conf *conf, void *buf, size_t size)
{
	size_t budget = len + len / 2, n;
	uint8_t response[L2TP_RESPONSE_LEN];
	struct l2tp_msg m = {
		.type = L2TP_SCCRP, .tunnel_id = (uint16_t)e->peer_tunnel_id, .nr = 1,
		.protocol_version = L2TP_PROTOCOL_VERSION, .framing_caps = 3, .bearer_caps = 3,
		.assigned_tunnel_id = (uint16_t)e->tunnel_id, .rws = conf->rws ? conf->rws : 16,
		.host_name = { (const uint8_t *)conf->host_name, strlen(conf->host_name) },
		.present = L2TP_BIT(L2TP_AVP_PROTOCOL_VERSION) | L2TP_BIT(L2TP_AVP_FRAMING_CAPS) |
			   L2TP_BIT(L2TP_AVP_HOST_NAME) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID) |
			   L2TP_BIT(L2TP_AVP_BEARER_CAPS) | L2TP_BIT(L2TP_AVP_RWS),
	};

	budget = budget < size ? budget : size;
	m.rws = m.rws < REL_RWS_MAX ? m.rws : REL_RWS_MAX;
	if (conf->vendor_name) {
		m.vendor_name = (struct span){ (const uint8_t *)conf->vendor_name, strlen(conf->vendor_name) };
		m.present |= L2TP_BIT(L2TP_AVP_VENDOR_NAME);
	}
	if (l2tp_has(sccrq, L2TP_AVP_CHALLENGE)) {
		l2tp_response(response, L2TP_SCCRP, conf->secret, sccrq->challenge);
		m.response = (struct span){ response, sizeof(response) };
		m.present |= L2TP_BIT(L2TP_AVP_CHALLENGE_RESPONSE);
	}
	if (e->challenged) {
		/* again with as many octets as the first time: the response to that one may be on its way */
		m.challenge = (struct span){ e->challenge, e->challenge_len };
		m.present |= L2TP_BIT(L2TP_AVP_CHALLENGE);
	}
	for (unsigned cut = 0; ; cut++) {
		size_t room;

		e->challenge_len = (uint8_t)m.challenge.n;
		n = l2tp_encode(&m, buf, budget, conf->secret);
		if (n)
			return n;
		switch (cut) {
		case 0:
			m.present &= ~L2TP_BIT(L2TP_AVP_VENDOR_NAME);
			break;
		case 1:
			m.present &= ~(L2TP_BIT(L2TP_AVP_RWS) | L2TP_BIT(L2TP_AVP_BEARER_CAPS));
			break;
		case 2:
		case 4:				/* as much of the name as there is room for */
			room = m.host_name.n;
			m.host_name.n = 1;
			n = l2tp_encode(&m, buf, budget, conf->secret);
			if (n && budget - n + 1 < room)
				room = budget - n + 1;
			m.host_name.n = n ? room : 1;
			break;
		case 3:
			m.challenge.n = m.challenge.n > 8 ? 8 : m.challenge.n;
			m.host_name.n = strlen(conf->host_name);
			break;
		default:			/* nothing is left to cut */
			return 0;
		}
	}
}

static void fill(struct ho_entry *e, const struct env *env, ms_t now, const struct ho_addr *from,
		 const struct l2tp_msg *m, const struct cc_conf *conf)
{
	*e = (struct ho_entry){ .from = *from, .peer_tunnel_id = m->assigned_tunnel_id,
				.peer_rws = L2TP_DEFAULT_RWS, .framing_caps = m->framing_caps,
				.bearer_caps = m->bearer_caps, .firmware = m->firmware, .since = now };
	if (l2tp_has(m, L2TP_AVP_RWS))
		e->peer_rws = m->rws;
	l2tp_clean(e->host_name, sizeof(e->host_name), m->host_name);
	l2tp_clean(e->vendor_name, sizeof(e->vendor_name), m->vendor_name);
	md5(e->host_digest, &m->host_name, 1);
	if (conf->secret.n) {
		e->challenged = true;
		e->challenge_len = sizeof(e->challenge);
		env->random(env->arg, e->challenge, sizeof(e->challenge));
	}
}

/* What a stranger must say to get an answer; everything else is dropped without a word. */
static bool acceptable(const struct l2tp_msg *m, const struct cc_conf *conf)
{
	if (m->type != L2TP_SCCRQ || m->tunnel_id || m->session_id || m->ns || m->nr)
		return false;
	if (!m->assigned_tunnel_id || !m->host_name.n)
		return false;
	if (l2tp_has(m, L2TP_AVP_PROTOCOL_VERSION) && m->protocol_version >> 8 != 1)
		return false;
	if ((m->present | m->unread) & L2TP_BIT(L2TP_AVP_CHALLENGE) &&
	    (!conf->secret.n || !m->challenge.n))
		return false;
	return !conf->strict || !avp_any_odd(&m->odd);
}

enum ho_verdict ho_sccrq(struct halfopen *h, ms_t now, const struct ho_addr *from,
			 const struct l2tp_msg *m, size_t len, const struct cc_conf *conf,
			 uint16_t policy, uint32_t policy_gen, unsigned per_addr, uint16_t tunnel_id,
			 bool *ret_used, void *buf, size_t size, size_t *ret_len)
{
	enum ho_verdict v = HO_DROP;
	struct ho_entry new, *e;
	int32_t i;

	*ret_used = false;
	*ret_len = 0;
	if (!acceptable(m, conf))
		return HO_DROP;
	i = ho_meet(h, now, from, m->assigned_tunnel_id, m->host_name, per_addr, tunnel_id, &v);
	if (i != HO_NONE) {			/* a retransmission: the same answer */
		*ret_len = ho_may_reply(h, now) ? reply(ho_at(h, i), m, len, conf, buf, size) : 0;
		return *ret_len ? HO_REPLY : HO_DROP;
	}
	if (v != HO_REPLY)
		return v;
	if (!ho_may_reply(h, now))
		return HO_DROP;
	fill(&new, ho_env(h), now, from, m, conf);
	new.tunnel_id = tunnel_id;
	new.policy = policy;
	new.policy_gen = policy_gen;
	i = ho_insert(h, &new);
	wipe(new.challenge, sizeof(new.challenge));
	if (i == HO_NONE)
		return HO_DROP;
	e = ho_at(h, i);
	*ret_len = reply(e, m, len, conf, buf, size);
	if (!*ret_len) {
		ho_remove(h, i);
		return HO_DROP;
	}
	*ret_used = true;
	return HO_REPLY;
}

static bool proven(const struct ho_entry *e, const struct l2tp_msg *m, const struct cc_conf *conf)
{
	uint8_t want[L2TP_RESPONSE_LEN];

	if (!e->challenged)
		return true;
	l2tp_response(want, L2TP_SCCCN, conf->secret, (struct span){ e->challenge, e->challenge_len });
	return l2tp_has(m, L2TP_AVP_CHALLENGE_RESPONSE) &&
	       span_same((struct span){ want, sizeof(want) }, m->response);
}

/* In answer to the peer's message number n. */
static size_t stopccn(uint16_t peer_tunnel_id, uint16_t tunnel_id, uint16_t n, uint16_t result, uint16_t error, const char *msg,
		      void *buf, size_t size)
{
	struct l2tp_msg m = {
		.type = L2TP_STOPCCN, .tunnel_id = peer_tunnel_id, .ns = n, .nr = (uint16_t)(n + 1),
		.assigned_tunnel_id = tunnel_id,
		.result = { result, error, { (const uint8_t *)msg, msg ? strlen(msg) : 0 } },
		.present = L2TP_BIT(L2TP_AVP_RESULT_CODE) | L2TP_BIT(L2TP_AVP_ASSIGNED_TUNNEL_ID),
	};

	return l2tp_encode(&m, buf, size, (struct span){ NULL, 0 });
}

size_t ho_stopccn(const struct ho_entry *e, uint16_t result, uint16_t error, const char *msg, void *buf, size_t size)
{
	return stopccn((uint16_t)e->peer_tunnel_id, (uint16_t)e->tunnel_id, 1, result, error, msg, buf, size);
}

size_t ho_refuse_sccrq(struct halfopen *h, ms_t now, const struct l2tp_msg *m, size_t len, uint16_t result, uint16_t error,
		       void *buf, size_t size)
{
	size_t budget = len + len / 2;

	if (!m->assigned_tunnel_id || m->tunnel_id || m->ns || !ho_may_reply(h, now))
		return 0;
	/* 4.4.3: it must have an id of ours, and there is no tunnel; any will do */
	return stopccn(m->assigned_tunnel_id, m->assigned_tunnel_id, 0, result, error, NULL, buf, budget < size ? budget : size);
}

enum ho_verdict ho_scccn(struct halfopen *h, ms_t now, const struct ho_addr *from,
			 const struct l2tp_msg *m, const struct cc_conf *conf, struct ho_entry *ret,
			 void *buf, size_t size, size_t *ret_len)
{
	int32_t i = m->tunnel_id ? ho_place(h, m->tunnel_id) : HO_NONE;
	struct ho_entry *e;
	bool good;

	(void)now;
	*ret_len = 0;
	if (i == HO_NONE)
		return HO_UNKNOWN;
	e = ho_at(h, i);
	if (!e->peer_tunnel_id || !ho_same_path(&e->from, from) || m->ns != 1)
		return HO_DROP;
	if (m->type == L2TP_STOPCCN && m->nr <= 1)
		ho_expire_now(h, i);
	if (m->type != L2TP_SCCCN || m->nr != 1)
		return HO_DROP;
	good = proven(e, m, conf) && !(conf->strict && (m->odd.unknown_m || m->odd.error));
	*ret = *e;
	if (!good)
		*ret_len = ho_stopccn(e, L2TP_STOP_UNAUTHORIZED, 0, NULL, buf, size);
	ho_remove(h, i);
	return good ? HO_ACCEPTED : HO_REFUSED;
}
