/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sim_flight {
	ms_t at;
	uint64_t order;
	int to;
	size_t len;
	uint8_t *buf;
};

static uint64_t next(struct sim *s)		/* splitmix64 */
{
	uint64_t z = s->seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

unsigned sim_roll(struct sim *s, unsigned n)
{
	return (unsigned)(next(s) >> 33) % n;
}

static void sim_random(void *arg, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len--)
		*p++ = (uint8_t)(next(arg) >> 24);
}

struct env sim_env(struct sim *s)
{
	return (struct env){ sim_random, s };
}

void sim_init(struct sim *s, uint64_t seed)
{
	*s = (struct sim){ .seed = seed, .delay_ms = 10 };
	s->seed = next(s);			/* neighbours must not share their sequences */
}

void sim_done(struct sim *s)
{
	while (s->n_air)
		free(s->air[--s->n_air].buf);
	free(s->air);
	s->air = NULL;
	s->max_air = 0;
}

static bool earlier(const struct sim_flight *a, const struct sim_flight *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void launch(struct sim *s, struct sim_flight f)
{
	size_t i = s->n_air++;

	if (i == s->max_air) {
		s->max_air = s->max_air ? 2 * s->max_air : 64;
		s->air = realloc(s->air, s->max_air * sizeof(*s->air));
		assert(s->air);
	}
	for (; i && earlier(&f, &s->air[(i - 1) / 2]); i = (i - 1) / 2)
		s->air[i] = s->air[(i - 1) / 2];
	s->air[i] = f;
}

static struct sim_flight land(struct sim *s)
{
	struct sim_flight first = s->air[0], last = s->air[--s->n_air];
	size_t i = 0, kid;

	while ((kid = 2 * i + 1) < s->n_air) {
		if (kid + 1 < s->n_air && earlier(&s->air[kid + 1], &s->air[kid]))
			kid++;
		if (!earlier(&s->air[kid], &last))
			break;
		s->air[i] = s->air[kid];
		i = kid;
	}
	s->air[i] = last;
	return first;
}

void sim_send(struct sim *s, int from, const void *buf, size_t len)
{
	s->sent[from]++;
	s->octets[from] += len;
	for (unsigned copies = 1 + (sim_roll(s, 100) < s->dup); copies; copies--) {
		struct sim_flight f = { .at = s->now + 1 + sim_roll(s, s->delay_ms), .to = !from, .len = len,
					.order = (uint64_t)s->sent[0] + s->sent[1] };

		if (sim_roll(s, 100) < s->loss)
			continue;
		f.buf = calloc(1, len ? len : 1);		/* exact size: a sanitizer sees one octet past it */
		assert(f.buf);
		memcpy(f.buf, buf, len);
		launch(s, f);
	}
}

void sim_run(struct sim *s, ms_t until)
{
	for (;;) {
		ms_t at = s->n_air ? s->air[0].at : NEVER, due = NEVER;
		struct sim_node *n = NULL;

		for (int i = 0; i < SIM_NODES; i++) {
			ms_t d = s->node[i].deadline ? s->node[i].deadline(s->node[i].arg) : NEVER;

			if (d < due) {
				due = d;
				n = &s->node[i];
			}
		}
		if ((at < due ? at : due) > until)
			break;
		if (due < at) {
			s->now = due > s->now ? due : s->now;
			n->tick(n->arg, s->now);
			continue;
		}
		struct sim_flight f = land(s);

		s->now = f.at > s->now ? f.at : s->now;
		s->delivered++;
		if (s->node[f.to].input)
			s->node[f.to].input(s->node[f.to].arg, s->now, f.buf, f.len);
		free(f.buf);
	}
	if (s->now < until)
		s->now = until;
}
