/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that change something, and monitor. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Prints a line for people, or the answer itself; takes both. */
static int done(const struct cli *cli, json_t *answer, char *line)
{
	if (cli->json) {
		print_json(cli, answer);
	} else {
		char *clean = safe(line);

		puts(clean);
		free(clean);
		json_decref(answer);
	}
	free(line);
	return DONE;
}

int act_tunnel(struct cli *cli, const struct command *c, int argc, char **argv)
{
	bool up = !strcmp(c->verb, "up");
	json_t *answer;

	if (!argc)
		return wrong("the tunnel's name is missing; usage: ktun %s tunnel %s; names: `ktun show tunnels`",
			     c->verb, c->args);
	if (!words_at_most(c, argc, argv, 1))
		return WRONG_WORDS;
	answer = call_one(cli, up ? "TunnelUp" : "TunnelDown", json_pack("{s:s}", "name", argv[0]),
			  up && cli->answer_ms == ANSWER_MS ? UP_MS : cli->answer_ms,
			  up ? "waiting for the tunnel to come up" : NULL);
	return answer ? done(cli, answer, text("tunnel %s: %s", argv[0], c->verb)) : FAILED;
}

int act_disconnect_session(struct cli *cli, const struct command *c, int argc, char **argv)
{
	json_t *params, *answer;
	char *end;
	long long id;

	if (!argc)
		return wrong("the session id is missing; usage: ktun disconnect session %s; ids: `ktun show sessions`", c->args);
	id = strtoll(argv[0], &end, 10);
	if (*end || end == argv[0] || id < 1 || id > 0xffffffffLL)
		return wrong("\"%s\" is no session id, which is a number; see `ktun show sessions`", argv[0]);
	if (argc > 1 && !abbreviates(argv[1], "reason"))
		return wrong("\"%s\" does not fit; usage: ktun disconnect session %s", argv[1], c->args);
	if (argc == 2)
		return wrong("a text is missing after \"%s\"", argv[1]);
	if (!words_at_most(c, argc, argv, 3))
		return WRONG_WORDS;
	params = json_pack("{s:I, s:s*}", "session_id", (json_int_t)id, "reason", argc > 2 ? argv[2] : NULL);
	if (!params)
		return wrong("the reason is not UTF-8");
	answer = call_one(cli, "DisconnectSession", params, cli->answer_ms, NULL);
	return answer ? done(cli, answer, text("session %lld: disconnected", id)) : FAILED;
}

int act_disconnect_user(struct cli *cli, const struct command *c, int argc, char **argv)
{
	json_t *answer;
	json_int_t n;

	if (!argc)
		return wrong("the user's name is missing; usage: ktun disconnect user NAME; names: `ktun show sessions`");
	if (!words_at_most(c, argc, argv, 1))
		return WRONG_WORDS;
	answer = call_one(cli, "DisconnectUser", json_pack("{s:s}", "user", argv[0]), cli->answer_ms, NULL);
	if (!answer)
		return FAILED;
	n = json_integer_value(json_object_get(answer, "count"));
	if (!n) {
		json_decref(answer);
		complain("no session of user %s; see `ktun show sessions`", argv[0]);
		return FAILED;
	}
	return done(cli, answer, text("user %s: %" JSON_INTEGER_FORMAT " session%s disconnected", argv[0], n, n == 1 ? "" : "s"));
}

int act_reload(struct cli *cli, const struct command *c, int argc, char **argv)
{
	json_t *answer, *list, *o;
	size_t i;

	if (!words_at_most(c, argc, argv, 0))
		return WRONG_WORDS;
	answer = call_one(cli, "Reload", json_pack("{s:b}", "dry_run", cli->dry_run), cli->answer_ms,
			  "waiting for ktund to reload");
	if (!answer)
		return FAILED;
	list = json_object_get(answer, "changes");
	if (cli->json) {
		print_json(cli, json_is_array(list) ? json_incref(list) : json_array());
		json_decref(answer);
		return DONE;
	}
	if (cli->dry_run && json_array_size(list))
		puts("a reload would bring:");
	json_array_foreach(list, i, o) {
		char *action = value_text(o, "action", V_TEXT, true), *kind = value_text(o, "kind", V_TEXT, true);
		char *name = value_text(o, "name", V_TEXT, true), *what = value_text(o, "text", V_TEXT, true);

		printf("%-8s %s %s%s%s\n", action, kind, name, strcmp(what, "-") ? ": " : "", strcmp(what, "-") ? what : "");
		free(action);
		free(kind);
		free(name);
		free(what);
	}
	if (!json_array_size(list))
		puts(cli->dry_run ? "nothing would change" : "nothing changed");
	json_decref(answer);
	return DONE;
}

/* "2026-11-21 02:15:02.123" */
static char *stamp(const json_t *time)
{
	double t = json_number_value(time);
	time_t s = (time_t)t;
	struct tm tm;
	char day[64];

	if (!json_is_number(time) || !localtime_r(&s, &tm) || !strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm))
		return text("-");
	return text("%s.%03d", day, (int)((t - (double)s) * 1000));
}

/* TIME OBJECT EVENT ids: TEXT (other keys) */
static void print_event(json_t *o)
{
	char *when = stamp(json_object_get(o, "time")), *object = value_text(o, "object", V_TEXT, true);
	char *event = value_text(o, "event", V_TEXT, true), *ids = value_text(o, "ids", V_TEXT, true);
	char *what = value_text(o, "text", V_TEXT, true);
	static const char *const known[] = { "time", "object", "event", "ids", "text" };

	printf("%s %s %s%s%s: %s", when, object, event, strcmp(ids, "-") ? " " : "", strcmp(ids, "-") ? ids : "", what);
	free(when);
	free(object);
	free(event);
	free(ids);
	free(what);
	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++)
		json_object_del(o, known[i]);
	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
		char *key = safe(json_object_iter_key(it)), *value = value_text(o, json_object_iter_key(it), V_NUMBER, false);

		if (strcmp(value, "-"))
			printf(" %s=%s", key, value);
		free(key);
		free(value);
	}
	putchar('\n');
}

int act_monitor(struct cli *cli, const struct command *c, int argc, char **argv)
{
	bool more = true;
	json_t *o;

	if (!words_at_most(c, argc, argv, 0))
		return WRONG_WORDS;
	if (!call_send(cli, "Monitor", json_object(), true))
		return FAILED;
	while (more && (o = call_next(cli, FOREVER, NULL, &more))) {
		if (cli->json) {
			print_json(cli, o);
		} else {
			print_event(o);
			json_decref(o);
		}
		if (fflush(stdout))
			return FAILED;
	}
	return *cli->stop ? DONE : FAILED;
}

int act_shutdown(struct cli *cli, const struct command *c, int argc, char **argv)
{
	int tunnels, sessions;
	bool more = true;
	json_t *answer;

	if (!words_at_most(c, argc, argv, 0))
		return WRONG_WORDS;
	if (!call_send(cli, "Shutdown", json_object(), true))
		return FAILED;
	while ((answer = call_next(cli, FOREVER, "waiting for all calls to end", &more))) {
		tunnels = (int)json_integer_value(json_object_get(answer, "tunnels"));
		sessions = (int)json_integer_value(json_object_get(answer, "sessions"));
		if (!more)
			return done(cli, answer, text("ended %d tunnels, %d sessions", tunnels, sessions));
		complain("%d tunnels, %d sessions left ...", tunnels, sessions);
		json_decref(answer);
	}
	return FAILED;
}

int act_version(struct cli *cli, const struct command *c, int argc, char **argv)
{
	json_t *answer;
	char *v, *line;

	if (!words_at_most(c, argc, argv, 0))
		return WRONG_WORDS;
	answer = call_one(cli, "Version", json_object(), cli->answer_ms, NULL);
	if (!answer)
		return FAILED;
	v = value_text(answer, "version", V_TEXT, true);
	json_object_clear(answer);
	json_object_set_new(answer, "ktun", json_string(KTUND_VERSION));
	json_object_set_new(answer, "ktund", json_string(v));
	line = text("ktun %s, ktund %s", KTUND_VERSION, v);
	free(v);
	return done(cli, answer, line);
}

int act_log_level(struct cli *cli, const struct command *c, int argc, char **argv)
{
	static const char *const level[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };
	const char *found = NULL;
	json_t *answer;

	if (!argc)
		return wrong("the level is missing: emerg, alert, crit, err, warning, notice, info or debug");
	if (!words_at_most(c, argc, argv, 1))
		return WRONG_WORDS;
	for (unsigned i = 0; i < sizeof(level) / sizeof(*level) && !found; i++)
		if (abbreviates(argv[0], level[i]))
			found = level[i];
	if (!found)
		return wrong("\"%s\" is no level; these are: emerg alert crit err warning notice info debug", argv[0]);
	answer = call_one(cli, "SetLogLevel", json_pack("{s:s}", "level", found), cli->answer_ms, NULL);
	return answer ? done(cli, answer, text("log level: %s", found)) : FAILED;
}
