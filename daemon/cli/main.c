/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktun: options, and what the exit status says. */
#include "cli.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void on_sigint(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* SIGINT ends a wait and nothing else: it is blocked but there. */
static void catch_sigint(void)
{
	struct sigaction sa = { .sa_handler = on_sigint };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGINT, &sa, NULL);
}

/* Is arg the option -name or --name, perhaps abbreviated to at least min letters?  *ret_value: what follows "=". */
static bool is_option(const char *arg, const char *name, size_t min, char **ret_value)
{
	const char *s = arg + 1 + (arg[1] == '-');
	const char *eq = strchr(s, '=');
	size_t n = eq ? (size_t)(eq - s) : strlen(s);

	if (n < min || n > strlen(name) || strncmp(s, name, n) || (eq && !ret_value))
		return false;
	if (ret_value)
		*ret_value = eq ? (char *)(uintptr_t)(eq + 1) : NULL;
	return true;
}

/* What ip has as an option and `ip l2tp` has no use for. */
static bool is_idle(const char *arg)
{
	static const struct { const char *name; size_t min; } row[] = {
		{ "brief", 2 }, { "resolve", 1 }, { "timestamp", 1 }, { "tshort", 2 }, { "human-readable", 2 }, { "iec", 1 },
		{ "Numeric", 1 },
	};
	static const char *const when[] = { "always", "auto", "never" };
	char *value;

	for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++)
		if (is_option(arg, row[i].name, row[i].min, NULL))
			return true;
	if (!is_option(arg, "color", 1, &value) && !is_option(arg, "colour", 1, &value))
		return false;
	for (unsigned i = 0; value && i < sizeof(when) / sizeof(*when); i++)
		if (!strcmp(value, when[i]))
			return true;
	return !value;
}

static bool set_timeout(struct cli *cli, const char *s)
{
	char *end;
	double v = strtod(s, &end);

	if (*end || end == s || !(v > 0 && v <= 86400))
		return false;
	cli->answer_ms = (int)(v * 1000) ? (int)(v * 1000) : 1;
	return true;
}

/* Takes the options out of argv wherever they stand, until "--".  *argc: the words that remain.  -1: go on. */
static int read_options(struct cli *cli, int *argc, char **argv)
{
	int n = 0;

	for (int i = 0; i < *argc; i++) {
		char *arg = argv[i], *value = NULL;

		if (arg[0] != '-' || !arg[1]) {
			argv[n++] = arg;
		} else if (!strcmp(arg, "--")) {
			while (++i < *argc)
				argv[n++] = argv[i];
		} else if (!strcmp(arg, "-jp") || !strcmp(arg, "-pj")) {
			cli->json = cli->pretty = true;
		} else if (is_option(arg, "json", 1, NULL)) {
			cli->json = true;
		} else if (is_option(arg, "pretty", 1, NULL)) {
			cli->pretty = true;
		} else if (!strcmp(arg, "-4") || !strcmp(arg, "-6")) {
			cli->family = arg[1] - '0';
		} else if (is_option(arg, "details", 1, NULL)) {
			cli->details = true;
		} else if (is_option(arg, "statistics", 1, NULL) || is_option(arg, "stats", 1, NULL)) {
			cli->stats = true;
		} else if (is_option(arg, "oneline", 1, NULL)) {
			cli->oneline = true;
		} else if (is_option(arg, "force", 2, NULL)) {
			cli->go_on = true;
		} else if (is_option(arg, "family", 1, &value) || is_option(arg, "netns", 1, &value) ||
			   is_option(arg, "batch", 1, &value)) {
			char which = arg[1 + (arg[1] == '-')];

			value = value ? value : argv[++i];
			if (i >= *argc)
				return wrong("a name is missing after \"%s\"", arg);
			if (which == 'n')
				cli->netns = value;
			else if (which == 'b')
				cli->batch = value;
			else if (!strcmp(value, "inet") || !strcmp(value, "inet6"))
				cli->family = value[4] ? 6 : 4;
			else
				return wrong("\"%s\" is no family that fits; these do: inet inet6", value);
		} else if (is_option(arg, "help", 1, NULL)) {
			cli->help = true;
		} else if (is_option(arg, "dry-run", 3, NULL)) {
			cli->dry_run = true;
		} else if (is_option(arg, "version", 1, NULL) || is_option(arg, "Version", 1, NULL)) {
			puts("ktun " KTUND_VERSION);
			return DONE;
		} else if (is_option(arg, "runtime-dir", 3, &value)) {
			cli->dir = value ? value : argv[++i];
			if (i >= *argc)
				return wrong("a directory is missing after \"%s\"", arg);
		} else if (is_option(arg, "timeout", 3, &value)) {
			value = value ? value : argv[++i];
			if (i >= *argc)
				return wrong("seconds are missing after \"%s\"", arg);
			if (!set_timeout(cli, value))
				return wrong("\"%s\" is no time in seconds", value);
		} else if (!is_idle(arg)) {
			return wrong("\"%s\" is no option; see `ktun --help`", arg);
		}
	}
	*argc = n;
	return -1;
}

int main(int argc, char **argv)
{
	const char *dir = getenv("KTUND_RUNTIME_DIR");
	struct cli cli = {
		.dir = dir && *dir ? dir : "/run/ktund", .answer_ms = ANSWER_MS, .fd = -1, .stop = &interrupted,
	};
	int ret;

	if (argc > 1 && !strcmp(argv[1], "--complete")) {
		cli.quiet = true;
		cli.answer_ms = 1000;
		return command_complete(&cli, argc - 2, argv + 2);
	}
	argc -= argc > 0;
	ret = read_options(&cli, &argc, argv + 1);
	if (ret < 0 && cli.batch && !cli.help) {
		ret = argc ? wrong("\"%s\" is one word too many: the commands are in %s", argv[1], cli.batch) : command_batch(&cli);
	} else if (ret < 0) {
		if (argc && abbreviates(argv[1], "monitor"))
			catch_sigint();
		ret = command_run(&cli, argc, argv + 1);
	}
	call_close(&cli);
	nl_done(&cli.nl);
	if (fflush(stdout) || ferror(stdout)) {
		fputs("ktun: cannot write the output\n", stderr);
		return ret ? ret : FAILED;
	}
	return ret;
}
