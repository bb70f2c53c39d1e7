/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this instance has made in the kernel that could outlive its process, in two files of the runtime directory:
 *
 * keeper.id	a random number, made once.  Each link of ours has it in its alias ("ip link" shows it), so that it is
 *		known from other daemons' and other instances' links, also to the process after this one.
 * keeper.made	tunnels and routes, which cannot carry a mark: ids, addresses and ports, written before they are made
 *		and forgotten after they are gone.
 *
 * Sweeping and audit remove only what is marked or written there, and a tunnel only if the kernel's has the very ids,
 * addresses and ports that were written down.  Any thread may note and forget. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"
#include "rtnl.h"

enum { INSTANCE_SIZE = 24, LINK_ALIAS_SIZE = 64 };

struct journal;

struct made {
	enum made_kind { MADE_NOTHING, MADE_TUNNEL, MADE_ROUTE } kind;
	uint32_t tunnel_id, peer_tunnel_id;
	struct k_addr local, peer;	/* as the kernel has them */
	struct rtnl_route route;
};

/* Opens the files of a runtime directory that only root can write.  0 or -errno; *ret_what: which file. */
int journal_open(const char *runtime_dir, struct journal **ret, const char **ret_what);
/* Could journal_open() open what is there?  Changes nothing.  0 or -errno. */
int journal_try(const char *runtime_dir);
/* NULL is fine.  If nothing of ours is left, keeper.made goes, too. */
void journal_close(struct journal *);
const char *journal_instance(const struct journal *);

/* A slot above 0, to forget it by; 0: there is no room, and it goes unmarked.  j may be NULL. */
uint32_t journal_note(struct journal *j, const struct made *);
void journal_forget(struct journal *j, uint32_t slot);
/* Each entry until one returns non-zero. */
void journal_each(struct journal *, int (*each)(uint32_t slot, const struct made *, void *arg), void *arg);

/* "ktund INSTANCE TUNNEL/SESSION", and back; false: the alias is not this instance's. */
void journal_link_alias(const char *instance, uint32_t tunnel_id, uint32_t session_id, char alias[LINK_ALIAS_SIZE]);
bool journal_link_ours(const char *instance, const char *alias, uint32_t *ret_tunnel_id, uint32_t *ret_session_id);
