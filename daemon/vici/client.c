/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client.h"

#include <stdio.h>

/* What the request that is under way waits for. */
enum phase { P_NONE, P_REGISTER, P_ANSWER, P_UNREGISTER };

struct request { uint32_t id, timeout_ms; char command[32], stream[32]; uint8_t msg[]; };

static void text(struct vici *v, enum vici_fx type, const char *s)
{
	fx_push(&v->out, type, s, strlen(s));
}

static void transmit(struct vici *v, enum vici_link link, enum vici_packet type, const char *name, struct span msg)
{
	size_t len = 4 + 1 + (name ? 1 + strlen(name) : 0) + msg.n;
	struct vici_fx_tx *tx = fx_push(&v->out, VICI_FX_TX, NULL, sizeof(*tx) + len);
	struct wr w;

	if (!tx)
		return;
	tx->link = link;
	w = wr_init(tx->octets, len);
	vici_packet(&w, type, name, msg);
}

static void message(struct vici *v, enum vici_fx type, uint32_t id, enum vici_status status, const char *name, struct span msg)
{
	struct vici_fx_msg *m = fx_push(&v->out, type, NULL, sizeof(*m) + msg.n);

	if (!m)
		return;
	m->id = id;
	m->status = status;
	snprintf(m->name, sizeof(m->name), "%s", name);
	if (msg.n)
		memcpy(m->msg, msg.p, msg.n);
}

static struct request *current(const struct vici *v)
{
	return v->phase == P_NONE ? NULL : (struct request *)(void *)v->queue.head->data;
}

static void forget(struct vici *v)
{
	fx_free(fx_pop(&v->queue));
	v->n_queue--;
	v->phase = P_NONE;
}

/* The next request, if the connection is free for one. */
static void advance(struct vici *v, ms_t now)
{
	struct request *rq;

	if (v->phase != P_NONE)
		return;
	if (!v->queue.head) {
		v->at = now + VICI_IDLE_MS;
		return;
	}
	rq = (void *)v->queue.head->data;
	v->at = now + rq->timeout_ms;
	if (rq->stream[0]) {
		v->phase = P_REGISTER;
		transmit(v, VICI_COMMANDS, VICI_EVENT_REGISTER, rq->stream, (struct span){ NULL, 0 });
		return;
	}
	v->phase = P_ANSWER;
	transmit(v, VICI_COMMANDS, VICI_CMD_REQUEST, rq->command,
		 (struct span){ rq->msg, v->queue.head->len - sizeof(*rq) });
}

static uint32_t enqueue(struct vici *v, const char *command, const char *stream, struct span msg, uint32_t timeout_ms)
{
	struct request *rq;

	if (v->n_queue >= VICI_QUEUE_MAX || strlen(command) >= sizeof(rq->command) ||
	    (stream && strlen(stream) >= sizeof(rq->stream)) || msg.n > VICI_PACKET_MAX - 64 || !vici_valid(msg))
		return 0;
	rq = fx_push(&v->queue, 0, NULL, sizeof(*rq) + msg.n);
	if (!rq) {
		v->queue.lost = false;
		return 0;
	}
	v->n_queue++;
	if (!++v->last_id)
		v->last_id = 1;
	rq->id = v->last_id;
	rq->timeout_ms = timeout_ms ? timeout_ms : VICI_TIMEOUT_MS;
	snprintf(rq->command, sizeof(rq->command), "%s", command);
	snprintf(rq->stream, sizeof(rq->stream), "%s", stream ? stream : "");
	if (msg.n)
		memcpy(rq->msg, msg.p, msg.n);
	return rq->id;
}

/* Our own question, at the start and after silence; its answer is told to nobody. */
static void ask_version(struct vici *v, ms_t now)
{
	uint32_t id = enqueue(v, "version", NULL, (struct span){ NULL, 0 }, VICI_OPEN_MS);

	if (id)
		((struct request *)(void *)v->queue.tail->data)->id = 0;
	advance(v, now);
}

static void drop(struct vici *v, ms_t now, const char *why)
{
	bool answered = v->phase == P_UNREGISTER;
	ms_t wait = VICI_RETRY_MIN_MS;

	if (v->state == VICI_ABSENT)
		return;
	if (v->state == VICI_READY)
		v->flaps = now - v->ready_at < VICI_STABLE_MS ? v->flaps + 1 : 0;
	v->state = VICI_ABSENT;
	v->phase = P_NONE;
	v->registered = 0;
	v->greeted = false;
	for (unsigned i = 0; i < VICI_LINKS; i++) {
		fxq_done(&v->in[i].packet);
		v->in[i] = (struct vici_in){ .up = false };
	}
	text(v, VICI_FX_CLOSE, "");
	for (struct fx *f; (f = fx_pop(&v->queue)); fx_free(f)) {
		struct request *rq = (void *)f->data;

		if (rq->id && !answered)
			message(v, VICI_FX_REPLY, rq->id, VICI_LOST, rq->command, (struct span){ NULL, 0 });
		answered = false;
	}
	v->n_queue = 0;
	text(v, VICI_FX_DOWN, why);
	for (unsigned i = 1; i < v->flaps && wait < VICI_RETRY_MAX_MS; i++)
		wait *= 2;
	v->at = now + wait;
}

/* An effect that could not be stored may have been any: begin anew. */
static void leave(struct vici *v, ms_t now)
{
	if (v->out.lost && v->state != VICI_ABSENT)
		drop(v, now, "out of memory");
}

void vici_init(struct vici *v, const char *const *events, ms_t now)
{
	*v = (struct vici){ .events = events, .at = now };
}

void vici_done(struct vici *v)
{
	for (unsigned i = 0; i < VICI_LINKS; i++)
		fxq_done(&v->in[i].packet);
	fxq_done(&v->queue);
	fxq_done(&v->out);
}

ms_t vici_deadline(const struct vici *v)
{
	return v->at;
}

void vici_tick(struct vici *v, ms_t now)
{
	char why[96];

	if (now < v->at)
		return;
	switch ((enum vici_state)v->state) {
	case VICI_ABSENT:
		v->state = VICI_OPENING;
		v->at = now + VICI_OPEN_MS;
		text(v, VICI_FX_CONNECT, "");
		break;
	case VICI_OPENING: case VICI_GREETING:
		drop(v, now, "charon does not answer");
		break;
	case VICI_READY:
		if (v->phase == P_NONE) {
			ask_version(v, now);
			break;
		}
		snprintf(why, sizeof(why), "charon does not answer %s", current(v)->command);
		drop(v, now, why);
		break;
	}
	leave(v, now);
}

/* Both greetings are through. */
static void maybe_ready(struct vici *v, ms_t now)
{
	if (v->state != VICI_GREETING || !v->greeted || v->events[v->registered])
		return;
	v->state = VICI_READY;
	v->ready_at = now;
	v->at = now + VICI_IDLE_MS;
	text(v, VICI_FX_READY, v->version);
}

static void register_next(struct vici *v, ms_t now)
{
	const char *event = v->events[v->registered];

	if (event)
		transmit(v, VICI_EVENTS, VICI_EVENT_REGISTER, event, (struct span){ NULL, 0 });
	else
		maybe_ready(v, now);
}

void vici_connected(struct vici *v, ms_t now, enum vici_link link)
{
	if (v->state != VICI_OPENING || v->in[link].up)
		return;
	v->in[link].up = true;
	if (!v->in[VICI_COMMANDS].up || !v->in[VICI_EVENTS].up)
		return;
	v->state = VICI_GREETING;
	ask_version(v, now);
	v->at = now + VICI_OPEN_MS;
	register_next(v, now);
	leave(v, now);
}

void vici_lost(struct vici *v, ms_t now, const char *why)
{
	drop(v, now, why);
}

uint32_t vici_request(struct vici *v, ms_t now, const char *command, const char *stream, struct span msg, uint32_t timeout_ms)
{
	uint32_t id = v->state == VICI_READY ? enqueue(v, command, stream, msg, timeout_ms) : 0;

	if (id)
		advance(v, now);
	leave(v, now);
	return id;
}

/* The answer to what we asked for ourselves. */
static void version(struct vici *v, struct span msg)
{
	char daemon[32], number[32];

	snprintf(v->version, sizeof(v->version), "%s %s", vici_text(vici_get(msg, "daemon"), daemon, sizeof(daemon)),
		 vici_text(vici_get(msg, "version"), number, sizeof(number)));
	v->greeted = true;
}

static void answered(struct vici *v, ms_t now, enum vici_status status, struct span msg)
{
	struct request *rq = current(v);

	if (status == VICI_OK && vici_is(vici_get(msg, "success"), "no"))
		status = VICI_REFUSED;
	if (rq->id)
		message(v, VICI_FX_REPLY, rq->id, status, rq->command, msg);
	else
		version(v, msg);
	if (rq->stream[0] && v->phase == P_ANSWER) {
		v->phase = P_UNREGISTER;
		v->at = now + VICI_OPEN_MS;
		transmit(v, VICI_COMMANDS, VICI_EVENT_UNREGISTER, rq->stream, (struct span){ NULL, 0 });
		return;
	}
	forget(v);
	advance(v, now);
	if (v->state == VICI_GREETING) {
		v->at = now + VICI_OPEN_MS;
		maybe_ready(v, now);
	}
}

static bool on_commands(struct vici *v, ms_t now, enum vici_packet type, const char *name, struct span msg)
{
	struct request *rq = current(v);

	switch (type) {
	case VICI_CMD_RESPONSE: case VICI_CMD_UNKNOWN:
		if (v->phase != P_ANSWER)
			return false;
		answered(v, now, type == VICI_CMD_UNKNOWN ? VICI_UNKNOWN : VICI_OK, msg);
		return true;
	case VICI_EVENT_CONFIRM: case VICI_EVENT_UNKNOWN:
		if (v->phase == P_UNREGISTER) {
			forget(v);
			advance(v, now);
			return true;
		}
		if (v->phase != P_REGISTER)
			return false;
		if (type == VICI_EVENT_UNKNOWN) {
			answered(v, now, VICI_UNKNOWN, msg);
			return true;
		}
		v->phase = P_ANSWER;
		transmit(v, VICI_COMMANDS, VICI_CMD_REQUEST, rq->command,
			 (struct span){ rq->msg, v->queue.head->len - sizeof(*rq) });
		return true;
	case VICI_EVENT:
		if (v->phase == P_ANSWER && !strcmp(rq->stream, name)) {
			message(v, VICI_FX_ITEM, rq->id, VICI_OK, rq->command, msg);
			v->at = now + rq->timeout_ms;		/* it is slow, but it moves */
		}
		return true;
	case VICI_CMD_REQUEST: case VICI_EVENT_REGISTER: case VICI_EVENT_UNREGISTER: case VICI_PACKET_N:
		break;
	}
	return false;
}

static bool on_events(struct vici *v, ms_t now, enum vici_packet type, const char *name, struct span msg)
{
	char note[96];

	switch (type) {
	case VICI_EVENT_CONFIRM: case VICI_EVENT_UNKNOWN:
		if (v->state != VICI_GREETING || !v->events[v->registered])
			return false;
		if (type == VICI_EVENT_UNKNOWN) {
			snprintf(note, sizeof(note), "charon has no event %s: it is too old", v->events[v->registered]);
			text(v, VICI_FX_NOTE, note);
		}
		v->registered++;
		register_next(v, now);
		return true;
	case VICI_EVENT:
		if (v->state == VICI_READY)	/* before, VICI_FX_READY will have everything asked for */
			message(v, VICI_FX_EVENT, 0, VICI_OK, name, msg);
		return true;
	case VICI_CMD_REQUEST: case VICI_CMD_RESPONSE: case VICI_CMD_UNKNOWN: case VICI_EVENT_REGISTER:
	case VICI_EVENT_UNREGISTER: case VICI_PACKET_N:
		break;
	}
	return false;
}

static bool packet(struct vici *v, ms_t now, enum vici_link link, struct rd r)
{
	enum vici_packet type = rd_u8(&r);
	char name[VICI_NAME_MAX + 1] = "";
	struct span msg;

	if (type == VICI_EVENT)
		vici_text(rd_span(&r, rd_u8(&r)), name, sizeof(name));
	msg = rd_rest(&r);
	if (r.bad || !vici_valid(msg) || (msg.n && type != VICI_CMD_RESPONSE && type != VICI_EVENT))
		return false;
	return link == VICI_COMMANDS ? on_commands(v, now, type, name, msg) : on_events(v, now, type, name, msg);
}

void vici_input(struct vici *v, ms_t now, enum vici_link link, const void *buf, size_t len)
{
	struct vici_in *in = &v->in[link];
	struct rd r = rd_init(buf, len);

	while (rd_left(&r) && in->up) {
		struct fx *f = in->packet.head;
		uint32_t n;

		if (!f) {
			in->head[in->n++] = rd_u8(&r);
			if (in->n < 4)
				continue;
			n = (uint32_t)in->head[0] << 24 | (uint32_t)in->head[1] << 16 | (uint32_t)in->head[2] << 8 | in->head[3];
			in->n = 0;
			if (!n || n > VICI_PACKET_MAX) {
				drop(v, now, "what answers there does not speak VICI");
				break;
			}
			if (!fx_push(&in->packet, 0, NULL, n)) {
				drop(v, now, "out of memory");
				break;
			}
			continue;
		}
		n = (uint32_t)(rd_left(&r) < f->len - in->n ? rd_left(&r) : f->len - in->n);
		memcpy(f->data + in->n, rd_take(&r, n), n);
		in->n += n;
		if (in->n < f->len)
			break;
		in->n = 0;
		f = fx_pop(&in->packet);
		if (!packet(v, now, link, rd_init(f->data, f->len)))
			drop(v, now, "what answers there does not speak VICI as strongSwan does");
		fx_free(f);
	}
	leave(v, now);
}
