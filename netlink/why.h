/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

enum { WHY_SIZE = 128 };

/* Writes "call: reason: remedy" into why[WHY_SIZE]; words: the kernel's own, or NULL.  err is negative; returned as is. */
int why_fail(char *why, int err, const char *call, const char *words);
