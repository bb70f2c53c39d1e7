/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tunnels that stand in no file: `ktun add tunnel` has ordered them.  Each is a dial with a configuration of its own, whose
 * text is kept in a checkpoint: it lives until `ktun delete`, or until the keeper ends. */
#pragma once

#include "core/ctx.h"
#include "io/varlink.h"

enum { ORDERED_SESSIONS = 64 };

struct ordered {
	uint16_t id;				/* "tunnel_id N": its name, and its id in the kernel, too, if that is */
	bool owned;				/* ... ours between two lives of the tunnel */
	uint32_t slot;				/* of its checkpoint */
	char *head;				/* the keys of its section */
	unsigned n;
	char *session[ORDERED_SESSIONS];	/* its session sections */
};

/* The dial's own; NULL is fine.  The checkpoint stays. */
void ordered_free(struct ordered *);
/* In a store that has none of them yet. */
void ordered_keep_all(struct ctx *);
/* It is no more: nor are its checkpoint and its claim to the id. */
void ordered_forget(struct ctx *, struct ordered *);
/* Before and after what an earlier ktund left is taken over: makes them again; dials those that have no tunnel. */
void ordered_adopt(struct ctx *);
void ordered_start(struct ctx *);
/* Is this tunnel id kept for one of them? */
bool ordered_owns(const struct ctx *, uint16_t id);

/* Whose psk of this configuration strongSwan could not tell from that of an ordered tunnel, *ret_id; NULL: nobody's. */
const char *ordered_psk_clash(const struct ctx *, const struct config *, uint16_t *ret_id);

/* AddTunnel, DeleteTunnel, AddSession, DeleteSession of the control socket. */
void ordered_add_tunnel(void *arg, struct vl_call *, json_t *params);
void ordered_delete_tunnel(void *arg, struct vl_call *, json_t *params);
void ordered_add_session(void *arg, struct vl_call *, json_t *params);
void ordered_delete_session(void *arg, struct vl_call *, json_t *params);
