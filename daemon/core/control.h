/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The methods of org.ktund on the control socket. */
#pragma once

#include "core/ctx.h"

/* Serves RUNTIME_DIR/control.  -errno when the socket cannot be made. */
int control_start(struct ctx *);
void control_stop(struct ctx *);
/* `ktun shutdown` and --stop-keeper: every tunnel is told, the kernel is emptied, the keeper ends, then the loop; done
 * (may be NULL) hears how many there were. */
void shutdown_start(struct ctx *, void (*done)(struct ctx *, void *arg, unsigned tunnels, unsigned sessions), void *arg);
/* The keeper has gone, which was the aim: done is called, if it was not, and the loop ends. */
void shutdown_finish(struct ctx *);
/* While it is under way: what is left, for who waits. */
void shutdown_progress(struct ctx *, unsigned tunnels, unsigned sessions);
/* A dialled tunnel came up or gave up: whoever asked for it hears it. */
void control_dial_news(struct ctx *, const char *tunnel, bool up, const char *why);
