/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects of ours as the control interface describes them (org.ktund.varlink).
 * New references; NULL when memory is short. */
#pragma once

#include <jansson.h>

#include "core/dial.h"
#include "core/session.h"

json_t *show_tunnel(const struct tunnel *);
json_t *show_dial(const struct dial *);		/* a configured tunnel that is not up */
/* A tunnel without L2TP, which the peer dialled age ms ago. */
json_t *show_site(const struct conf_peer *, const struct endpoint *local, const struct endpoint *peer, ms_t age);
json_t *show_session(const struct session *);
json_t *show_peer(struct ctx *, const struct conf_peer *);
json_t *show_pools(struct ctx *);
json_t *show_stats(struct ctx *);
