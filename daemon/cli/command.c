/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands, and everything that is read from it: abbreviations, --help, completion. */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The order decides what an abbreviation means. */
static const struct command table[] = {
	{ "show", "tunnels", "", "List the tunnels", NULL, ARG_TUNNEL, show_tunnels },
	{ "show", "tunnel", "N|NAME", "Everything about one tunnel",
	  "N is our tunnel id, NAME the name of a tunnel in the configuration.", ARG_TUNNEL, show_tunnels },
	{ "show", "sessions", "[tunnel N|NAME] [user NAME]", "List the sessions, of one tunnel or one user",
	  "With both filters, sessions that fit both.", ARG_FILTER, show_sessions },
	{ "show", "session", "N", "Everything about one session",
	  "N is our session id, as `ktun show sessions` lists it.", ARG_SESSION, show_sessions },
	{ "show", "sas", "[N|NAME]", "What strongSwan says of the IPsec of our tunnels",
	  "One line for each CHILD_SA of a connection that ktund has loaded into charon; -j says all.", ARG_TUNNEL, show_sas },
	{ "show", "peers", "", "Who may connect, and how often they did", NULL, ARG_NONE, show_peers },
	{ "show", "pools", "", "Address pools and what is left of them", NULL, ARG_NONE, show_pools },
	{ "show", "stats", "", "Counters of the daemon and its keeper", NULL, ARG_NONE, show_stats },
	{ "show", "tunnel", "[tunnel_id ID]", "The kernel's tunnels, as `ip l2tp show tunnel`",
	  "`ktun show tunnel N|NAME` asks ktund about one of its tunnels instead.", ARG_WORDS, act_show },
	{ "show", "session", "[tunnel_id ID] [session_id ID]", "The kernel's sessions, as `ip l2tp show session`",
	  "`ktun show session N` asks ktund about one of its sessions instead.", ARG_WORDS, act_show },
	{ "add", "tunnel", "WORDS", "A static tunnel, as `ip l2tp add tunnel`", NULL, ARG_WORDS, act_add },
	{ "add", "session", "WORDS", "A session in a static tunnel, and its interface", NULL, ARG_WORDS, act_add },
	{ "delete", "tunnel", "tid ID [force]", "A tunnel of the kernel, with its sessions", NULL, ARG_WORDS, act_delete },
	{ "delete", "session", "tid ID sid ID [force]", "A session of the kernel", NULL, ARG_WORDS, act_delete },
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
	{ "doctor", NULL, "[config FILE] [charon SOCKET]", "Look for what keeps ktund from working here",
	  "Says of each thing whether it is well, and if not, what to do.  Needs no running ktund, but root.  Without FILE and\n"
	  "SOCKET, those of the running ktund, else /etc/ktund/ktund.conf and /var/run/charon.vici.", ARG_NONE, act_doctor },
	{ "log", "level", "LEVEL", "Change what the daemon logs, until it is restarted",
	  "LEVEL is emerg, alert, crit, err, warning, notice, info or debug.", ARG_LEVEL, act_log_level },
};

static const char *const level_names[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };
static const char *const options[] = { "-4", "-6", "-d", "-j", "-n", "-o", "-p", "-s", "-batch", "-force", "--help",
					"--runtime-dir", "--timeout", "--version" };

enum { N_COMMANDS = sizeof(table) / sizeof(*table), N_LEVELS = sizeof(level_names) / sizeof(*level_names) };

int wrong(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	complain("%s", (char *)need(n < 0 ? NULL : s));
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

static const struct command *find_object(const char *verb, const char *object)
{
	for (unsigned i = 0; i < N_COMMANDS; i++)
		if (table[i].object && !strcmp(table[i].verb, verb) && !strcmp(table[i].object, object))
			return &table[i];
	return NULL;
}

static bool of_kernel(const struct command *c)
{
	return c->arg == ARG_WORDS;
}

/* The kernel's row of this verb and object; any object's if there is none of that name. */
static const struct command *find_kernel(const char *verb, const char *object)
{
	const struct command *any = NULL;

	for (unsigned i = 0; i < N_COMMANDS; i++) {
		if (!of_kernel(&table[i]) || strcmp(table[i].verb, verb))
			continue;
		if (object && !strcmp(table[i].object, object))
			return &table[i];
		if (!any)
			any = &table[i];
	}
	return any;
}

/* "user" is also a filter of ktund's sessions. */
static bool kernels_word(const char *word)
{
	return words_known(word) && strcmp(word, "user");
}

/* Behind "show": are the words, or nothing but the object, the kernel's?  A name or an id is for the daemon. */
static bool shows_kernel(int argc, char **argv)
{
	if (!argc || (strcmp(argv[0], "tunnel") && strcmp(argv[0], "session")))
		return argc && kernels_word(argv[0]);
	return argc == 1 || kernels_word(argv[1]) || !strcmp(argv[1], "help") ||
	       (argc > 2 && words_known(argv[2]) && !abbreviates(argv[1], "user"));
}

/* " a b c": the words that fit after verb, or at the start. */
static char *fitting(const char *verb)
{
	char *all = text("%s", "");

	for (unsigned i = 0; i < N_COMMANDS; i++) {
		const char *word = verb ? table[i].object : table[i].verb;
		char *more;

		if (!word || (verb ? strcmp(verb, table[i].verb) || find_object(verb, word) != &table[i] : !first_of_verb(i)))
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

static void kernel_usage(FILE *f)
{
	fputs("Commands to the kernel, in the words of `ip l2tp`; no daemon is needed:\n", f);
	for (unsigned i = 0; i < N_COMMANDS; i++)
		if (of_kernel(&table[i]))
			print_row(f, &table[i]);
}

void command_usage(bool to_stderr)
{
	FILE *f = to_stderr ? stderr : stdout;

	fputs("Usage: ktun [OPTIONS] COMMAND\n       ktun [OPTIONS] [-force] -batch FILE\n\n"
	      "Commands to ktund (words may be abbreviated):\n", f);
	for (unsigned i = 0; i < N_COMMANDS; i++)
		if (!of_kernel(&table[i]))
			print_row(f, &table[i]);
	putc('\n', f);
	kernel_usage(f);
	fputs("\nOptions:\n"
	      "  -j, --json            print JSON\n"
	      "  -p, --pretty          with line breaks and indentation\n"
	      "  --runtime-dir DIR     the ktund whose directory this is (KTUND_RUNTIME_DIR; /run/ktund)\n"
	      "  --timeout SECONDS     how long to wait for an answer (10)\n"
	      "  --help                this, or help for the command before it\n"
	      "  --version             the version of ktun\n"
	      "  -n, --netns NAME      the kernel's tunnels of this network namespace\n"
	      "  -4, -6, -family NAME  those over IPv4 (inet), over IPv6 (inet6)\n"
	      "  -d, -s                show them with details, with counters\n"
	      "  -o, -oneline          each on a line of its own\n"
	      "  -batch FILE           commands from a file (\"-\": standard input), one a line\n"
	      "  -force                go on with the batch after a line that failed\n"
	      "\nExit status: 0 done, 1 refused or failed, 2 wrong words.\n", f);
}

static enum order_verb order_verb(const struct command *c)
{
	return c->run == act_add ? ORDER_ADD : c->run == act_delete ? ORDER_DELETE : ORDER_SHOW;
}

static bool is_session(const struct command *c)
{
	return !strcmp(c->object, "session");
}

static void help_words(const struct command *c)
{
	const struct word *w;

	puts("Words:");
	for (unsigned i = 0; (w = words_list(order_verb(c), is_session(c), i)); i++) {
		char *left = text("%s%s%s%s%s", w->name, w->alias ? ", " : "", w->alias ? w->alias : "",
				  *w->value ? " " : "", w->value);

		printf("  %-36s %s\n", left, w->help);
		free(left);
	}
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
	printf("Usage: ktun %s %s%s%s%s%s\n%s.\n", of_kernel(c) ? "[-n NETNS]" : "[-j] [-p] [--runtime-dir DIR]",
	       c->verb, c->object ? " " : "",
	       c->object ? c->object : "", *c->args ? " " : "", c->args, c->help);
	if (c->more)
		puts(c->more);
	if (of_kernel(c))
		help_words(c);
	return DONE;
}

/* "l2tp" in front, as `ip -batch` has it; "l" alone is list. */
static bool is_l2tp(const char *word)
{
	return strlen(word) > 1 && abbreviates(word, "l2tp");
}

/* The command that the words mean, *ret_argv what stands behind it (of the kernel's, behind the verb); *ret_verb: only its verb
 * was there.  NULL: complained. */
static const struct command *resolve(int argc, char **argv, int *ret_argc, char ***ret_argv, bool *ret_verb)
{
	const struct command *c;
	bool l2tp = false;
	char *fits;

	*ret_verb = false;
	if (is_l2tp(argv[0])) {
		argc--;
		argv++;
		l2tp = true;
	}
	*ret_argc = argc - 1;
	*ret_argv = argv + 1;
	if (abbreviates(argv[0], "lst") || abbreviates(argv[0], "list"))
		return find_kernel("show", argc > 1 ? argv[1] : NULL);
	c = find(NULL, argv[0]);
	if (!c) {
		fits = fitting(NULL);
		wrong("\"%s\" is no command; these are:%s", argv[0], fits);
		free(fits);
		return NULL;
	}
	if (!c->object)
		return c;
	*ret_verb = argc == 1;
	if (of_kernel(c) || (!strcmp(c->verb, "show") && (l2tp || shows_kernel(argc - 1, argv + 1))))
		return find_kernel(c->verb, argc > 1 ? argv[1] : NULL);
	if (argc > 1 && abbreviates(argv[1], "help")) {
		*ret_verb = true;
		return c;
	}
	if (argc > 1) {
		const char *verb = c->verb;

		c = find(verb, argv[1]);
		if (c) {
			--*ret_argc;
			++*ret_argv;
			return c;
		}
		fits = fitting(verb);
		wrong("\"%s\" does not fit after \"%s\"; these do:%s", argv[1], verb, fits);
		free(fits);
		return NULL;
	}
	return c;
}

/* Do the options fit the command? */
static bool options_fit(const struct cli *cli, const struct command *c)
{
	const char *option = cli->netns ? "-n" : cli->family == 4 ? "-4" : cli->family ? "-6" : cli->details ? "-d" :
			     cli->stats ? "-s" : NULL;

	if (cli->dry_run && c->run != act_reload)
		wrong("--dry-run does not fit \"%s\"; it is for reload", c->verb);
	else if (option && !of_kernel(c))
		wrong("%s does not fit \"%s%s%s\"; it is for add, delete and show of the kernel's tunnels and sessions", option,
		      c->verb, c->object ? " " : "", c->object ? c->object : "");
	else
		return true;
	return false;
}

static int run(struct cli *cli, const struct command *c, int argc, char **argv)
{
	struct order o;
	int ret = of_kernel(c) ? kernel_parse(cli, order_verb(c), argc, argv, &o) : DONE;

	if (ret || (cli->look && of_kernel(c)))
		return ret;
	if (cli->look)
		return c->run(cli, c, argc, argv) == WRONG_WORDS ? WRONG_WORDS : DONE;
	if (cli->netns && kernel_netns(cli->netns))
		return FAILED;
	cli->away |= !!cli->netns;
	cli->netns = NULL;			/* there we are */
	return c->run(cli, c, argc, argv);
}

/* Anywhere but for a value, as with ip. */
static bool asks_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		const struct word *w = words_find(argv[i]);

		if (!w && abbreviates(argv[i], "help"))
			return true;
		i += w && *w->value;
	}
	return false;
}

int command_run(struct cli *cli, int argc, char **argv)
{
	const struct command *c;
	bool only_verb, l2tp;
	char *fits;

	if (!argc) {
		command_usage(!cli->help);
		return cli->help ? DONE : WRONG_WORDS;
	}
	l2tp = is_l2tp(argv[0]);
	if (l2tp && argc == 1 && !cli->help)
		return wrong("a word is missing after \"%s\"; these fit: add delete show help", argv[0]);
	if (abbreviates(argv[0], "help") || (l2tp && (argc == 1 || abbreviates(argv[1], "help")))) {
		if (!cli->look && l2tp)
			kernel_usage(stdout);
		else if (!cli->look)
			command_usage(false);
		return DONE;
	}
	c = resolve(argc, argv, &argc, &argv, &only_verb);
	if (!c)
		return WRONG_WORDS;
	if (cli->help || (only_verb && argc) || (of_kernel(c) && asks_help(argc, argv)))
		return cli->look ? DONE : help(c, only_verb || (argc == 1 && asks_help(argc, argv)));
	if (only_verb) {
		fits = fitting(c->verb);
		wrong("a word is missing after \"%s\"; these fit:%s", c->verb, fits);
		free(fits);
		return WRONG_WORDS;
	}
	return options_fit(cli, c) ? run(cli, c, argc, argv) : WRONG_WORDS;
}

/* Batch */

/* All lines of text, which is changed.  The worst of what they returned. */
static int batch_lines(struct cli *cli, char *all)
{
	char *argv[BATCH_WORDS + 1];
	unsigned line = 0, at;
	int argc, worst = DONE, more;
	const char *why = "";

	while ((more = batch_next(&all, &line, argv, &argc, &at, &why))) {
		int ret;

		argv[more > 0 ? argc : 0] = NULL;
		ret = more > 0 ? command_run(cli, argc, argv) : wrong("%s", why);
		fflush(stdout);
		if (!ret)
			continue;
		worst = ret > worst ? ret : worst;
		complain("%s:%u: this line %s%s", cli->batch, at, ret == WRONG_WORDS ? "is wrong" : "failed",
			    cli->look ? "; nothing was done" : cli->go_on ? "" : "; those behind it were not done");
		if (!cli->look && !cli->go_on)
			break;
	}
	return worst;
}

static char *read_all(FILE *f, size_t *ret_len)
{
	size_t len = 0, cap = 0, n;
	char *s = NULL;

	do {
		if (len + 1 >= cap) {
			cap = cap ? 2 * cap : 65536;
			s = need(realloc(s, cap));
		}
		n = fread(s + len, 1, cap - len - 1, f);
		len += n;
	} while (n);
	s[len] = 0;
	*ret_len = len;
	return s;
}

int command_batch(struct cli *cli)
{
	bool in = !strcmp(cli->batch, "-");
	FILE *f = in ? stdin : fopen(cli->batch, "re");
	char *all, *copy;
	size_t len;
	int ret;

	if (!f) {
		complain("%s: %s", cli->batch, strerror(errno));
		return FAILED;
	}
	all = read_all(f, &len);
	if (ferror(f) || strlen(all) != len) {
		complain("%s: %s", cli->batch, ferror(f) ? strerror(errno) : "it is no text");
		ret = FAILED;
		goto out;
	}
	ret = DONE;
	if (!cli->go_on) {
		copy = text("%s", all);
		cli->look = true;
		ret = batch_lines(cli, copy);
		cli->look = false;
		free(copy);
	}
	if (ret)
		goto out;
	if (cli->netns && kernel_netns(cli->netns)) {
		ret = FAILED;
		goto out;
	}
	cli->away |= !!cli->netns;
	cli->netns = NULL;
	ret = batch_lines(cli, all);
out:
	free(all);
	if (!in)
		fclose(f);
	return ret;
}

void command_offer(const char *word, const char *typed)
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
			command_offer(s, typed);
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
			command_offer("tunnel", typed);
			command_offer("user", typed);
		} else {
			offer_args(cli, abbreviates(args[n - 1], "user") ? ARG_USER : ARG_TUNNEL, 0, NULL, typed);
		}
		break;
	case ARG_LEVEL:
		for (unsigned i = 0; i < N_LEVELS && !n; i++)
			command_offer(level_names[i], typed);
		break;
	case ARG_WORDS:
	case ARG_NONE:
		break;
	}
}

/* args: the n words behind the verb. */
static void offer_words(struct cli *cli, const struct command *c, int n, char **args, const char *typed)
{
	const struct word *before = n ? words_find(args[n - 1]) : NULL, *w;
	bool tunnel = false, session = false, is_value = false;

	for (int i = 0; i < n; i++) {
		w = words_find(args[i]);
		tunnel |= !strcmp(args[i], "tunnel");
		session |= !strcmp(args[i], "session");
		is_value = w && *w->value && i + 1 == n;
		i += w && *w->value;
	}
	if (is_value) {
		for (unsigned i = 0; before->choices && before->choices[i]; i++)
			command_offer(before->choices[i], typed);
		if (c->run != act_add || !strcmp(before->name, "tunnel_id"))
			kernel_offer_ids(cli, !strcmp(before->name, "session_id"), typed);
		return;
	}
	if (!tunnel && !session) {
		command_offer("tunnel", typed);
		command_offer("session", typed);
		return;
	}
	for (unsigned i = 0; (w = words_list(order_verb(c), session, i)); i++) {
		bool there = false;

		for (int k = 0; k < n; k++)
			there |= words_find(args[k]) == w;
		if (!there)
			command_offer(w->name, typed);
	}
}

int command_complete(struct cli *cli, int argc, char **argv)
{
	const char *typed = argc ? argv[argc - 1] : "";
	const struct command *c;
	int n = 0;

	/* argv: the words before typed, without options and their values. */
	for (int i = 0; i + 1 < argc; i++) {
		if (!strcmp(argv[i], "--runtime-dir") || !strcmp(argv[i], "--timeout") || !strcmp(argv[i], "-batch") ||
		    !strcmp(argv[i], "-n")) {
			if (argv[i][2] == 'r')
				cli->dir = argv[i + 1];
			else if (argv[i][1] == 'n')
				cli->netns = argv[i + 1];
			if (i + 2 == argc)
				return DONE;		/* typed is its value */
			i++;
		} else if (argv[i][0] != '-') {
			argv[n++] = argv[i];
		}
	}
	if (cli->netns && kernel_netns(cli->netns))
		return DONE;
	c = n ? find(NULL, argv[0]) : NULL;
	if (typed[0] == '-') {
		for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++)
			command_offer(options[i], typed);
		if (c && c->run == act_reload)
			command_offer("--dry-run", typed);
		return DONE;
	}
	if (n && !c)
		return DONE;
	if (!n || (n == 1 && c->object)) {
		for (unsigned i = 0; i < N_COMMANDS; i++)
			if (n ? find_object(c->verb, table[i].object ? table[i].object : "") == &table[i] : first_of_verb(i))
				command_offer(n ? table[i].object : table[i].verb, typed);
		return DONE;
	}
	if (of_kernel(c) || (!strcmp(c->verb, "show") && shows_kernel(n - 1, argv + 1))) {
		offer_words(cli, find_kernel(c->verb, NULL), n - 1, argv + 1, typed);
		if (of_kernel(c) || n > 2)
			return DONE;
	}
	if (c->object)
		c = find(c->verb, argv[1]);
	if (c)
		offer_args(cli, c->arg, n - (c->object ? 2 : 1), argv + (c->object ? 2 : 1), typed);
	return DONE;
}
