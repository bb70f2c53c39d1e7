/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands, and everything that is read from it: abbreviations, --help, completion. */
#include "cli.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The order decides what an abbreviation means. */
static const struct command table[] = {
	{ "show", "tunnels", "", "List the tunnels", NULL, ARG_TUNNEL, show_tunnels },
	{ "show", "tunnel", "[N|NAME]", "Everything about one tunnel",
	  "N is our tunnel id, NAME the name of a tunnel in the configuration.", ARG_TUNNEL, show_tunnels },
	{ "show", "sessions", "[tunnel N|NAME] [user NAME]", "List the sessions, of one tunnel or one user",
	  "With both filters, sessions that fit both.", ARG_FILTER, show_sessions },
	{ "show", "session", "[N]", "Everything about one session",
	  "N is our session id, as `ktun show sessions` lists it.", ARG_SESSION, show_sessions },
	{ "show", "peers", "", "Who may connect, and how often they did", NULL, ARG_NONE, show_peers },
	{ "show", "pools", "", "Address pools and what is left of them", NULL, ARG_NONE, show_pools },
	{ "show", "stats", "", "Counters of the daemon and its keeper", NULL, ARG_NONE, show_stats },
	{ "up", "tunnel", "NAME", "Dial a tunnel of the configuration",
	  "Returns when the tunnel is established, or says why it is not.", ARG_TUNNEL_NAME, act_tunnel },
	{ "down", "tunnel", "NAME", "End a tunnel and its sessions; do not dial it again",
	  "`ktun up tunnel NAME` dials it again.", ARG_TUNNEL_NAME, act_tunnel },
	{ "disconnect", "session", "N [reason TEXT]", "End one session",
	  "The peer may be told TEXT.", ARG_SESSION, act_disconnect_session },
	{ "disconnect", "user", "NAME", "End all sessions of a user", NULL, ARG_USER, act_disconnect_user },
	{ "reload", NULL, "[--dry-run]", "Read the configuration again and apply the difference",
	  "Says what it changed and what it left alone; with --dry-run, what it would change.", ARG_NONE, act_reload },
	{ "monitor", NULL, "", "Print events as they happen, until interrupted",
	  "With -j, one JSON object per line.", ARG_NONE, act_monitor },
	{ "shutdown", NULL, "", "End all calls, the daemon and its keeper",
	  "To restart the daemon without ending calls, stop it with SIGTERM instead.", ARG_NONE, act_shutdown },
	{ "version", NULL, "", "Versions of ktun and of the running ktund", NULL, ARG_NONE, act_version },
	{ "log", "level", "LEVEL", "Change what the daemon logs, until it is restarted",
	  "LEVEL is emerg, alert, crit, err, warning, notice, info or debug.", ARG_LEVEL, act_log_level },
};

static const char *const level_names[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };
static const char *const options[] = { "-j", "-p", "--help", "--runtime-dir", "--timeout", "--version" };

enum { N_COMMANDS = sizeof(table) / sizeof(*table), N_LEVELS = sizeof(level_names) / sizeof(*level_names) };

int wrong(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	print_error("%s", (char *)need(n < 0 ? NULL : s));
	free(s);
	return WRONG_WORDS;
}

bool abbreviates(const char *word, const char *full)
{
	return *word && !strncmp(word, full, strlen(word));
}

bool words_at_most(const struct command *c, int argc, char **argv, int max)
{
	if (argc <= max)
		return true;
	wrong("\"%s\" is one word too many; usage: ktun %s%s%s%s%s", argv[max], c->verb, c->object ? " " : "",
	      c->object ? c->object : "", *c->args ? " " : "", c->args);
	return false;
}

/* Is this row's verb the first of its kind in the table? */
static bool first_of_verb(unsigned i)
{
	return !i || strcmp(table[i].verb, table[i - 1].verb);
}

/* The row whose verb (and, with verb given, whose object) the word means, or NULL. */
static const struct command *find(const char *verb, const char *word)
{
	const struct command *prefix = NULL;

	for (unsigned i = 0; i < N_COMMANDS; i++) {
		const char *full = verb ? table[i].object : table[i].verb;

		if (!full || (verb && strcmp(verb, table[i].verb)))
			continue;
		if (!strcmp(word, full))
			return &table[i];
		if (!prefix && abbreviates(word, full))
			prefix = &table[i];
	}
	return prefix;
}

/* " a b c": the words that fit after verb, or at the start. */
static char *fitting(const char *verb)
{
	char *all = text("%s", "");

	for (unsigned i = 0; i < N_COMMANDS; i++) {
		const char *word = verb ? table[i].object : table[i].verb;
		char *more;

		if (!word || (verb ? strcmp(verb, table[i].verb) != 0 : !first_of_verb(i)))
			continue;
		more = text("%s %s", all, word);
		free(all);
		all = more;
	}
	return all;
}

static void print_row(FILE *f, const struct command *c)
{
	char *words = text("%s%s%s %s", c->verb, c->object ? " " : "", c->object ? c->object : "", c->args);

	fprintf(f, "  %-44s %s\n", words, c->help);
	free(words);
}

void command_usage(bool to_stderr)
{
	FILE *f = to_stderr ? stderr : stdout;

	fputs("Usage: ktun [-j] [-p] [--runtime-dir DIR] [--timeout SECONDS] COMMAND\n\nCommands (words may be abbreviated):\n", f);
	for (unsigned i = 0; i < N_COMMANDS; i++)
		print_row(f, &table[i]);
	fputs("\nOptions:\n"
	      "  -j, --json            print JSON\n"
	      "  -p, --pretty          with line breaks and indentation\n"
	      "  --runtime-dir DIR     the ktund whose directory this is (KTUND_RUNTIME_DIR; /run/ktund)\n"
	      "  --timeout SECONDS     how long to wait for an answer (10)\n"
	      "  --help                this, or help for the command before it\n"
	      "  --version             the version of ktun\n"
	      "\nExit status: 0 done, 1 refused or failed, 2 wrong words.\n", f);
}

/* Help for one command, or for all of a verb. */
static int help(const struct command *c, bool whole_verb)
{
	if (whole_verb && c->object) {
		puts("Usage:");
		for (unsigned i = 0; i < N_COMMANDS; i++)
			if (!strcmp(table[i].verb, c->verb))
				print_row(stdout, &table[i]);
		return DONE;
	}
	printf("Usage: ktun [-j] [-p] [--runtime-dir DIR] %s%s%s%s%s\n%s.\n", c->verb, c->object ? " " : "",
	       c->object ? c->object : "", *c->args ? " " : "", c->args, c->help);
	if (c->more)
		puts(c->more);
	return DONE;
}

int command_run(struct cli *cli, int argc, char **argv)
{
	const struct command *c;
	char *fits;

	if (!argc) {
		command_usage(!cli->help);
		return cli->help ? DONE : WRONG_WORDS;
	}
	if (!strcmp(argv[0], "help")) {
		command_usage(false);
		return DONE;
	}
	c = find(NULL, argv[0]);
	if (!c) {
		fits = fitting(NULL);
		wrong("\"%s\" is no command; these are:%s", argv[0], fits);
		free(fits);
		return WRONG_WORDS;
	}
	argc--;
	argv++;
	if (c->object) {
		const char *verb = c->verb;

		if (argc ? !strcmp(argv[0], "help") : cli->help)
			return help(c, true);
		fits = fitting(verb);
		c = argc ? find(verb, argv[0]) : NULL;
		if (!c && argc)
			wrong("\"%s\" does not fit after \"%s\"; these do:%s", argv[0], verb, fits);
		else if (!c)
			wrong("a word is missing after \"%s\"; these fit:%s", verb, fits);
		free(fits);
		if (!c)
			return WRONG_WORDS;
		argc--;
		argv++;
	}
	if (cli->help)
		return help(c, false);
	if (cli->dry_run && c->run != act_reload)
		return wrong("--dry-run does not fit \"%s\"; it is for reload", c->verb);
	return c->run(cli, c, argc, argv);
}

/* One candidate per line.  Names come from peers: what a shell would take for more than a word is not offered. */
static void offer(const char *word, const char *typed)
{
	if (!strncmp(word, typed, strlen(typed)) && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "._@:+-") == strlen(word))
		puts(word);
}

/* The values of key in the daemon's list, each once. */
static void offer_names(struct cli *cli, const char *method, const char *list, const char *key, const char *typed)
{
	json_t *all = call_list(cli, method, list, json_object()), *seen = json_object(), *one;
	size_t i;

	json_array_foreach(all, i, one) {
		char *s = value_text(one, key, V_TEXT, false);

		if (strcmp(s, "-") && strcmp(s, "0") && !json_object_get(seen, s)) {
			json_object_set_new(seen, s, json_true());
			offer(s, typed);
		}
		free(s);
	}
	json_decref(seen);
	json_decref(all);
	call_close(cli);
}

static void offer_args(struct cli *cli, enum arg_kind kind, int n, char **args, const char *typed)
{
	switch (kind) {
	case ARG_TUNNEL:
		if (n)
			break;
		offer_names(cli, "ShowTunnels", "tunnels", "tunnel_id", typed);
		offer_names(cli, "ShowTunnels", "tunnels", "name", typed);
		break;
	case ARG_TUNNEL_NAME:
		if (!n)
			offer_names(cli, "ShowTunnels", "tunnels", "name", typed);
		break;
	case ARG_SESSION:
		if (!n)
			offer_names(cli, "ShowSessions", "sessions", "session_id", typed);
		break;
	case ARG_USER:
		if (!n)
			offer_names(cli, "ShowSessions", "sessions", "user", typed);
		break;
	case ARG_FILTER:
		if (n % 2 == 0) {
			offer("tunnel", typed);
			offer("user", typed);
		} else {
			offer_args(cli, abbreviates(args[n - 1], "user") ? ARG_USER : ARG_TUNNEL, 0, NULL, typed);
		}
		break;
	case ARG_LEVEL:
		for (unsigned i = 0; i < N_LEVELS && !n; i++)
			offer(level_names[i], typed);
		break;
	case ARG_NONE:
		break;
	}
}

int command_complete(struct cli *cli, int argc, char **argv)
{
	const char *typed = argc ? argv[argc - 1] : "";
	const struct command *c;
	int n = 0;

	/* argv: the words before typed, without options and their values. */
	for (int i = 0; i + 1 < argc; i++) {
		if (!strcmp(argv[i], "--runtime-dir") || !strcmp(argv[i], "--timeout")) {
			if (argv[i][2] == 'r')
				cli->dir = argv[i + 1];
			if (i + 2 == argc)
				return DONE;		/* typed is its value */
			i++;
		} else if (argv[i][0] != '-') {
			argv[n++] = argv[i];
		}
	}
	c = n ? find(NULL, argv[0]) : NULL;
	if (typed[0] == '-') {
		for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++)
			offer(options[i], typed);
		if (c && c->run == act_reload)
			offer("--dry-run", typed);
		return DONE;
	}
	if (n && !c)
		return DONE;
	if (!n || (n == 1 && c->object)) {
		for (unsigned i = 0; i < N_COMMANDS; i++)
			if (n ? !strcmp(table[i].verb, c->verb) : first_of_verb(i))
				offer(n ? table[i].object : table[i].verb, typed);
		return DONE;
	}
	if (c->object)
		c = find(c->verb, argv[1]);
	if (c)
		offer_args(cli, c->arg, n - (c->object ? 2 : 1), argv + (c->object ? 2 : 1), typed);
	return DONE;
}
