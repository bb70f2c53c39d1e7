/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktun: one command line, one call on ktund's control socket, one printed answer; or, for the grammar of `ip l2tp`, a few
 * requests to the kernel. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "netlink/nl.h"
#include "words.h"

/* Exit codes. */
enum { DONE, FAILED, WRONG_WORDS };

enum { ANSWER_MS = 10000, UP_MS = 90000, FOREVER = -1 };

struct cli {
	const char *dir;		/* runtime directory; its socket is "control" */
	bool json, pretty, dry_run, help;
	bool quiet;			/* completing: errors are nobody's business */
	bool look;			/* only whether the words are right: nothing is asked, printed or done */
	bool details, stats, oneline;	/* of the kernel's objects */
	bool go_on;			/* a batch does not end at a line that fails */
	int family;			/* 0, 4, 6: of the kernel's tunnels */
	const char *netns, *batch;	/* NULL: not said */
	bool away;			/* in that network namespace */
	struct nl nl;
	int answer_ms;			/* ANSWER_MS or --timeout */
	const volatile sig_atomic_t *stop;	/* set by SIGINT */
	char path[256];
	int fd;				/* -1: not connected */
	char *in;			/* what was received and not yet read */
	size_t in_start, in_len, in_cap;
};

/* What the arguments of a command name, for completion. */
enum arg_kind { ARG_NONE, ARG_WORDS, ARG_TUNNEL, ARG_TUNNEL_NAME, ARG_SESSION, ARG_USER, ARG_FILTER, ARG_LEVEL };

/* One command; ARG_WORDS: one of the kernel's, whose words, with the object among them, are words.h's.  Words may be abbreviated as `ip` has it: the first row that a prefix fits is meant, unless a word is
 * written out. */
struct command {
	const char *verb, *object;	/* object NULL: a command of one word */
	const char *args, *help, *more;
	enum arg_kind arg;
	int (*run)(struct cli *, const struct command *, int argc, char **argv);
};

/* command.c */
int command_run(struct cli *, int argc, char **argv);
void command_usage(bool to_stderr);
int command_complete(struct cli *, int argc, char **argv);
/* The commands of cli->batch, one a line: first all are looked at, then they are run. */
int command_batch(struct cli *);
/* Prints word if it begins with typed, unless a shell would take it for more than a word: names come from peers. */
void command_offer(const char *word, const char *typed);
/* Says which word is wrong and what would fit; returns WRONG_WORDS. */
int wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Is word an abbreviation of full? */
bool abbreviates(const char *word, const char *full);
/* No more than max words; false: complained. */
bool words_at_most(const struct command *, int argc, char **argv, int max);

/* show.c, act.c: the commands */
int show_tunnel(struct cli *, const struct command *, int argc, char **argv);
int show_session(struct cli *, const struct command *, int argc, char **argv);
int show_tunnels(struct cli *, const struct command *, int argc, char **argv);
int show_sessions(struct cli *, const struct command *, int argc, char **argv);
int show_sas(struct cli *, const struct command *, int argc, char **argv);
int show_peers(struct cli *, const struct command *, int argc, char **argv);
int show_pools(struct cli *, const struct command *, int argc, char **argv);
int show_stats(struct cli *, const struct command *, int argc, char **argv);
int act_tunnel(struct cli *, const struct command *, int argc, char **argv);
int act_disconnect_session(struct cli *, const struct command *, int argc, char **argv);
int act_disconnect_user(struct cli *, const struct command *, int argc, char **argv);
int act_reload(struct cli *, const struct command *, int argc, char **argv);
int act_monitor(struct cli *, const struct command *, int argc, char **argv);
int act_shutdown(struct cli *, const struct command *, int argc, char **argv);
int act_version(struct cli *, const struct command *, int argc, char **argv);
int act_doctor(struct cli *, const struct command *, int argc, char **argv);	/* doctor.c */
int act_log_level(struct cli *, const struct command *, int argc, char **argv);

/* kernel.c, kshow.c: add, delete and show of the kernel's objects; argv: what stands behind the verb */
int act_add(struct cli *, const struct command *, int argc, char **argv);
int act_delete(struct cli *, const struct command *, int argc, char **argv);
int act_show(struct cli *, const struct command *, int argc, char **argv);
/* ordered.c: what ktund is to negotiate.  _deleted: without a word if it was not. */
int ordered_add(struct cli *, const struct order *);
int ordered_delete(struct cli *, const struct order *);
bool ordered_deleted(struct cli *, const struct order *);
/* DONE, or WRONG_WORDS with the reason on stderr; changes nothing. */
int kernel_parse(struct cli *, enum order_verb verb, int argc, char **argv, struct order *ret);
int kernel_show(struct cli *, const struct order *);
/* Goes to the network namespace; DONE or FAILED. */
int kernel_netns(const char *name);
/* Says what the kernel's errno means. */
void kernel_refused(const char *what, int err);
/* Offers the ids that there are, to who may see them. */
void kernel_offer_ids(struct cli *, bool sessions, const char *typed);

/* batch.c: takes the next command out of *pos, which is changed; `#` to the end of a line is a comment, "\\n" joins lines, quotes
 * of both kinds keep blanks in a word.  1: argv[BATCH_WORDS], of *ret_argc words, of line *ret_line; 0: the end; -1: *ret_why.
 * *line: lines read so far. */
enum { BATCH_WORDS = 64 };
int batch_next(char **pos, unsigned *line, char **argv, int *ret_argc, unsigned *ret_line, const char **ret_why);

/* client.c: calls.  params become theirs.  method without its interface. */
/* Sends a call.  false: said why on stderr. */
bool call_send(struct cli *, const char *method, json_t *params, bool more);
/* The parameters of the next answer (the caller's), or NULL: said why on stderr, or SIGINT came.  waiting: what a patient
 * caller is told on stderr while it waits, or NULL.  timeout_ms: FOREVER or milliseconds. */
json_t *call_next(struct cli *, int timeout_ms, const char *waiting, bool *ret_continues);
/* One call, one answer. */
json_t *call_one(struct cli *, const char *method, json_t *params, int timeout_ms, const char *waiting);
/* One call whose answers carry arrays under key: all elements in one array. */
json_t *call_list(struct cli *, const char *method, const char *key, json_t *params);
void call_close(struct cli *);

/* print.c */
void *need(void *p);			/* p, or the end of the program when memory ran out */
char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* malloc()ed */
/* s without anything that a terminal would obey; malloc()ed. */
char *safe(const char *s);
int print_json(const struct cli *, json_t *);	/* takes the reference; DONE */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* "ktun: ..." made safe, one line */

enum value { V_TEXT, V_NUMBER, V_HEX, V_OCTETS, V_SECONDS, V_TIME, V_SPEED };
/* The value under key as text (malloc()ed), brief for tables, exact and explained else; "-" when absent or null. */
char *value_text(const json_t *object, const char *key, enum value, bool brief);
/* `key value` lines: the keys of the object in its own order, nulls left out; prefix goes before each key. */
void print_object(const json_t *object, const char *prefix);

struct table {
	const char *const *head;	/* "ID", or ">ID": to the right; ends at NULL */
	unsigned cols, n, cap;		/* n cells */
	char **cell;
};
void table_add(struct table *, char *cell);	/* row by row; takes the cell */
void table_print(struct table *);		/* and frees the cells */
