/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktun: one command line, one call on ktund's control socket, one printed answer. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* Exit codes. */
enum { DONE, FAILED, WRONG_WORDS };

enum { ANSWER_MS = 10000, UP_MS = 90000, FOREVER = -1 };

struct cli {
	const char *dir;		/* runtime directory; its socket is "control" */
	bool json, pretty, dry_run, help;
	bool quiet;			/* completing: errors are nobody's business */
	int answer_ms;			/* ANSWER_MS or --timeout */
	const volatile sig_atomic_t *stop;	/* set by SIGINT */
	char path[256];
	int fd;				/* -1: not connected */
	char *in;			/* what was received and not yet read */
	size_t in_start, in_len, in_cap;
};

/* What the arguments of a command name, for completion. */
enum arg_kind { ARG_NONE, ARG_TUNNEL, ARG_TUNNEL_NAME, ARG_SESSION, ARG_USER, ARG_FILTER, ARG_LEVEL };

/* One command.  Words may be abbreviated as `ip` has it: the first row that a prefix fits is meant, unless a word is
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
/* Says which word is wrong and what would fit; returns WRONG_WORDS. */
int wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Is word an abbreviation of full? */
bool abbreviates(const char *word, const char *full);
/* No more than max words; false: complained. */
bool words_at_most(const struct command *, int argc, char **argv, int max);

/* show.c, act.c: the commands */
int show_tunnels(struct cli *, const struct command *, int argc, char **argv);
int show_sessions(struct cli *, const struct command *, int argc, char **argv);
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
int act_log_level(struct cli *, const struct command *, int argc, char **argv);

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
void print_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* "ktun: ..." made safe, one line */

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
