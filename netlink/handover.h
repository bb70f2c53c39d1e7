/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one keeper process leaves to the next when it re-executes itself: the whole table as tagged fields, so that
 * neither the layout of a struct nor a field added since matters.  A newer keeper reads an older one's: what is not
 * there is zero.  An older one refuses a newer one's, unless what it does not know may be ignored. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keeper;

/* Tags from here on may be ignored by who does not know them. */
enum { HANDOVER_OPTIONAL = 0x8000 };

/* The record (malloc'd, the caller frees it) and its length; NULL: no memory.  No request is under way. */
uint8_t *handover_make(const struct keeper *, size_t *ret_len);
/* Fills a keeper that has an empty table and nothing else of its own.  Descriptors are numbers here: nothing is opened
 * or closed.  0; -EPROTO, -EINVAL with why[WHY_SIZE]; -ENOMEM.  After a failure *k holds what was read so far. */
int handover_take(struct keeper *k, const uint8_t *record, size_t len, char *why);
/* Each descriptor that the record names. */
void handover_fds(const struct keeper *, void (*each)(int fd, void *arg), void *arg);
