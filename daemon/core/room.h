/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom strangers who come in numbers displace: strangers. */
#pragma once

#include "core/tunnel.h"

/* Descriptors that are not for sessions and tunnels. */
enum { SPARE_FILES = 128 };

/* Before a stranger's tunnel or call is made: if half of the places are taken, another stranger's may end. */
void room_for_tunnel(struct ctx *);
void room_for_session(struct ctx *);
/* Whose it would be, of those that are that old; NULL: none was found. */
struct tunnel *room_tunnel(const struct ctx *, ms_t age);
struct session *room_session(const struct ctx *, ms_t age);
