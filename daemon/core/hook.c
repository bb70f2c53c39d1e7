/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip-up and ip-down as pppd(8) runs them: interface-name tty-device speed local-IP-address
 * remote-IP-address ipparam, and its environment.  The keeper runs them: they want
 * privileges that we do not have. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/event.h"
#include "core/kernel.h"

__attribute__((format(printf, 2, 3)))
static bool add(struct k_request *rq, const char *fmt, ...)
{
	size_t room = sizeof(rq->hook.text) - rq->hook.len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(rq->hook.text + rq->hook.len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		return false;
	rq->hook.len = (uint16_t)(rq->hook.len + n + 1);
	return true;
}

static void argument(struct k_request *rq, const char *value)
{
	rq->hook.argc = (uint16_t)(rq->hook.argc + add(rq, "%s", value));
}

static void variable(struct k_request *rq, const char *name, const char *value)
{
	if (value && *value)
		rq->hook.envc = (uint16_t)(rq->hook.envc + add(rq, "%s=%s", name, value));
}

static void number(struct k_request *rq, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	variable(rq, name, text);
}

void hook_run(const struct session *s, bool up)
{
	struct ctx *ctx = s->ctx;
	const char *path = up ? s->policy->ip_up : s->policy->ip_down;
	struct k_request rq;
	char local[16], remote[16], peer[96], text[16];

	if (!path)
		return;
	kernel_request(&rq, K_HOOK, s->tunnel->id, s->id);
	local[0] = remote[0] = 0;
	if (!is_ethernet(s->policy)) {
		ipv4_text(s->addrs.ip, local);
		ipv4_text(s->addrs.peer_ip, remote);
	}
	endpoint_text(&s->tunnel->peer, peer, sizeof(peer));
	argument(&rq, path);
	argument(&rq, s->ifname);
	argument(&rq, "");				/* there is no tty */
	argument(&rq, "0");
	argument(&rq, local);
	argument(&rq, remote);
	argument(&rq, tunnel_name(s->tunnel));		/* ipparam */
	variable(&rq, "PATH", K_HOOK_PATH);
	variable(&rq, "DEVICE", "l2tp");
	variable(&rq, "IFNAME", s->ifname);
	variable(&rq, "SPEED", "0");
	variable(&rq, "IPLOCAL", local);
	variable(&rq, "IPREMOTE", remote);
	/* The section of a circuit may be gone: ktund was started with another file. */
	variable(&rq, "PEERNAME", !is_ethernet(s->policy) ? s->user : s->as ? s->as->remote_end_id : NULL);
	variable(&rq, "PPPLOGNAME", "root");
	variable(&rq, "ORIG_UID", "0");
	variable(&rq, "LINKNAME", tunnel_name(s->tunnel));
	variable(&rq, "CALLING_ADDRESS", peer);
	number(&rq, "TUNNEL_ID", s->tunnel->id);
	number(&rq, "SESSION_ID", s->wire_id);
	number(&rq, "MTU", s->mtu);
	if (s->policy->ppp.take && s->policy->ppp.want_dns) {
		for (unsigned i = 0; i < 2; i++)
			if (s->addrs.dns[i])
				variable(&rq, i ? "DNS2" : "DNS1", ipv4_text(s->addrs.dns[i], text));
		variable(&rq, "USEPEERDNS", "1");
	}
	if (!up) {
		number(&rq, "CONNECT_TIME", s->up ? (ctx->loop.now - s->up_at) / 1000 : 0);
		number(&rq, "BYTES_SENT", s->stats.tx_octets);
		number(&rq, "BYTES_RCVD", s->stats.rx_octets);
	}
	ctx->count.hooks_run++;
	if (!kernel_submit(ctx, &rq))
		ctx->count.hooks_failed++;
}

void hook_done(struct ctx *ctx, const struct k_reply *r)
{
	if (!r->result)
		return;
	ctx->count.hooks_failed++;
	if (r->result < 0)
		log_limited(&ctx->log, &ctx->limit[T_HOOK], ctx->loop.now, LOG_WARNING, "session %u: hook not run: %s: %s",
			    r->session_id, r->why, strerror(-r->result));
	else
		log_limited(&ctx->log, &ctx->limit[T_HOOK], ctx->loop.now, LOG_WARNING, "session %u: hook ended with %s %d",
			    r->session_id, WIFEXITED(r->result) ? "status" : "signal",
			    WIFEXITED(r->result) ? WEXITSTATUS(r->result) : WTERMSIG(r->result));
}
