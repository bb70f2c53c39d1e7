/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "io/varlink.h"

/* Everybody who watches; a slow reader is dropped by the transport. */
struct event_bus { struct event_bus *next; struct vl_call *call; };

static void gone(void *arg, struct vl_call *call, void *data)
{
	struct ctx *ctx = arg;
	struct event_bus *mine = data;

	(void)call;
	for (struct event_bus **at = &ctx->events; *at; at = &(*at)->next)
		if (*at == mine) {
			*at = mine->next;
			free(mine);
			return;
		}
}

void event_subscribe(struct ctx *ctx, struct vl_call *call)
{
	struct event_bus *b = malloc(sizeof(*b));

	if (!b) {
		vl_reply(call, NULL);
		return;
	}
	*b = (struct event_bus){ .next = ctx->events, .call = call };
	ctx->events = b;
	vl_call_keep(call, b, gone);
}

void log_peer(struct ctx *ctx, enum topic topic, const struct endpoint *peer, int level, const char *fmt, ...)
{
	uint64_t source = peer->family;
	va_list ap;

	for (unsigned i = 0; i < (peer->family == 4 ? 4 : 8); i++)	/* one stranger owns a whole IPv6 /64 */
		source = source * 257 + peer->addr[i];
	va_start(ap, fmt);
	log_limited_by(&ctx->log, &ctx->limit[topic], source, ctx->loop.now, level, fmt, ap);
	va_end(ap);
}

void events_free(struct ctx *ctx)
{
	for (struct event_bus *b; (b = ctx->events);) {
		ctx->events = b->next;
		free(b);
	}
}

void event(struct ctx *ctx, const char *what, const struct tunnel *t, const struct session *s, const char *fmt, ...)
{
	char text[256];
	json_t *ids, *e;
	va_list ap;

	if (!ctx->events)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ids = json_object();
	if (t) {
		json_object_set_new(ids, "tunnel_id", json_integer(t->id));
		json_object_set_new(ids, "peer_tunnel_id", json_integer(tunnel_peer_id(t)));
	}
	if (s) {
		json_object_set_new(ids, "session_id", json_integer(s->wire_id));
		json_object_set_new(ids, "peer_session_id", json_integer(session_peer_id(s)));
	}
	e = json_pack("{s:f, s:s, s:s, s:o, s:o}", "time", (double)clock_wall(), "event", what,
		      "object", s ? "session" : t ? "tunnel" : !strncmp(what, "keeper", 6) ? "keeper" : "ktund", "ids", ids,
		      "text", vl_text(text, strlen(text)));
	for (struct event_bus *b = ctx->events, *next; e && b; b = next) {
		next = b->next;
		(void)vl_reply_more(b->call, json_incref(e));	/* false: dropped, gone() follows */
	}
	json_decref(e);
}
