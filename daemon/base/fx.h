/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Effects: what an engine wants done.  Engines append; the owner drains after
 * the engine has returned.  Nothing in an engine ever calls out.
 *
 *	while ((f = fx_pop(&engine->out))) { perform(f); fx_free(f); }
 *	if (engine->out.lost) ...an effect could not be stored: end this object
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One effect: its engine's own type number and len octets of plain data, 8-aligned. */
struct fx {
	struct fx *next;
	uint32_t type, len;
	_Alignas(8) uint8_t data[];
};

/* Zero-initialised is empty.  lost is sticky: memory ran out while appending. */
struct fxq { struct fx *head, *tail; bool lost; };

/* Appends an effect with a copy of data; returns its copy (len octets, zeroed when data is NULL)
 * for in-place filling, or NULL (and q->lost) when memory ran out. */
void *fx_push(struct fxq *q, uint32_t type, const void *data, size_t len);

/* The oldest effect, now the caller's, or NULL. */
struct fx *fx_pop(struct fxq *q);

/* Wipes and frees one effect; NULL is fine. */
void fx_free(struct fx *f);

/* Drops everything that is queued and forgets that anything was lost. */
void fxq_done(struct fxq *q);
