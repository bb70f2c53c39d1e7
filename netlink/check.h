/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keeper's gate: every field of every request is judged here, before anything is done. */
#pragma once

#include <stddef.h>

struct k_request;

/* r: len octets as received, aligned.  0; -EPROTO: no such record; -EINVAL: a field is wrong, why[WHY_SIZE] says which. */
int check_request(const struct k_request *r, size_t len, char *why);
