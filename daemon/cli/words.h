/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar of `ip l2tp`, and what ktun has beyond it: from words to an order, or to the reason why not.  Nothing here touches
 * the system or allocates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlink/attach.h"
#include "netlink/kobj.h"

enum order_verb { ORDER_ADD, ORDER_DELETE, ORDER_SHOW };

enum { WORDS_WHY = 320, WORDS_NOTES = 8 };

struct order {
	enum order_verb verb;
	bool tunnel, session;		/* what it is about; ORDER_ADD: both, if both were said */
	bool force;
	bool negotiate;			/* it is ktund's to negotiate (or, to be deleted, has negotiated) */
	const char *remote_end_id, *secret_file, *psk_file, *user, *password_file;	/* argv's */
	uint8_t cookie_length;
	uint64_t given;			/* 1 << index of each word that was there, see words_given() */
	struct kobj_tunnel t;
	struct kobj_session s;		/* pw 0: as fits the tunnel's version */
	struct attach a;		/* its names are argv's */
	unsigned n_notes;
	const char *note[WORDS_NOTES];	/* words that have no effect, as `ip l2tp` has it: what to tell */
};

/* verb, and the words after it.  family: 0, or 4 or 6, which addresses must then be.  False: why[WORDS_WHY] names the word that
 * is wrong and what would fit; *ret is not to be used. */
bool words_parse(enum order_verb verb, int argc, char *const *argv, int family, struct order *ret, char *why);
/* Was this word (its long form) there? */
bool words_given(const struct order *, const char *word);
/* Can the session be in a tunnel of this version?  Completes pw; false: why[WORDS_WHY]. */
bool words_fit_version(struct order *, uint8_t version, char *why);
/* Is it a word of this grammar, other than "tunnel" and "session"? */
bool words_known(const char *word);

/* The i-th word that fits an order's verb and object, for help and completion; NULL: no more.  value: what follows it, "" for
 * none; choices: ends at NULL, or NULL. */
struct word { const char *name, *alias, *value, *help; const char *const *choices; uint8_t kind, fits; };
const struct word *words_list(enum order_verb verb, bool session, unsigned i);
/* By its name or alias; NULL: there is none. */
const struct word *words_find(const char *word);
