/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The automaton's 160 cells against the table that RFC 1661 4.1 prints (rfc1661-table.txt: its lines). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ppp/cp.h"

static const char *const event[] = { "Up", "Down", "Open", "Close", "TO+", "TO-", "RCR+", "RCR-", "RCA", "RCN", "RTR",
	"RTA", "RUC", "RXJ+", "RXJ-", "RXR" };
static const char *const action[] = { "tld", "irc", "zrc", "scr", "sca", "scn", "str", "sta", "scj", "ser", "tls", "tlf",
	"tlu" };

/* "irc,scr/6": true when it is what the automaton does. */
static bool cell_is(unsigned ev, unsigned st, char *rfc)
{
	unsigned acts, next, want = 0;
	char *slash = strchr(rfc, '/'), *last = rfc + strlen(rfc) - 1;
	bool ok = cp_cell(ev, st, &acts, &next);

	if (!strcmp(rfc, "-"))
		return !ok;
	if (strchr("prx", *last))		/* foot notes */
		*last = '\0';
	if (slash) {
		*slash = '\0';
		for (char *save, *a = strtok_r(rfc, ",", &save); a; a = strtok_r(NULL, ",", &save)) {
			unsigned i = 0;

			while (i < 13 && strcmp(action[i], a))
				i++;
			want |= 1u << i;
		}
	}
	return ok && acts == want && next == (unsigned)atoi(slash ? slash + 1 : rfc);
}

int main(void)
{
	static const char *const paths[] = { "selftests/unit/rfc1661-table.txt", "rfc1661-table.txt" };
	unsigned column[CP_N_EVENTS] = { 0 }, cells = 0, bad = 0;
	char line[256], *save;
	FILE *f = NULL;

	for (unsigned i = 0; i < 2 && !f; i++)
		f = fopen(paths[i], "r");
	if (!f) {
		printf("1..1\nnot ok 1 - rfc1661-table.txt: run me in the source tree\n");
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		char *name = strtok_r(line, " |\n", &save), *tok;
		unsigned ev = 0;

		while (name && ev < CP_N_EVENTS && strcmp(event[ev], name))
			ev++;
		if (!name || ev == CP_N_EVENTS)
			continue;
		while ((tok = strtok_r(NULL, " |\n", &save))) {
			char rfc[64];

			snprintf(rfc, sizeof(rfc), "%s", tok);
			cells++;
			if (column[ev] >= CP_N_STATES || !cell_is(ev, column[ev], tok)) {
				printf("# %s in state %u: RFC 1661 says %s\n", event[ev], column[ev], rfc);
				bad++;
			}
			column[ev]++;
		}
	}
	fclose(f);
	printf("1..1\n%s 1 - %u cells compared with RFC 1661 4.1, %u differ\n", bad || cells != 160 ? "not ok" : "ok", cells, bad);
	return bad || cells != 160;
}
