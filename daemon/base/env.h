/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an engine may know of the world: the time it is told and the octets of
 * chance it is given.  Tests own both. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Monotonic milliseconds; only differences mean anything. */
typedef uint64_t ms_t;
#define NEVER UINT64_MAX

static inline ms_t ms_min(ms_t a, ms_t b) { return a < b ? a : b; }

struct env {
	void (*random)(void *arg, void *buf, size_t len);	/* fills buf; cannot fail */
	void *arg;
};

static inline uint32_t env_u32(const struct env *e)
{
	uint32_t v;

	e->random(e->arg, &v, sizeof(v));
	return v;
}
