/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktun doctor: what keeps ktund from working here, and what to do about it.  Needs no daemon. */
#pragma once

#include "cli.h"

enum health { OK, WARN, BAD };

struct doctor {
	struct cli *cli;
	char config[256], charon[256];	/* files */
	bool config_known;		/* the configuration is right, so these are: */
	unsigned listens, ipsec;	/* listeners; peers and tunnels that must have IPsec */
	int ktund, keeper;		/* pids; 0: not running */
	unsigned connections;		/* of ours, in charon */
	json_t *found;
	unsigned n[3];
};

/* One finding about what; remedy: the command or change that mends it, NULL when nothing is to be mended. */
void doctor_found(struct doctor *, enum health, const char *what, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* The first line of a file, without its end; "" if there is none. */
const char *doctor_line(const char *path, char *buf, size_t size);

/* doctor_host.c: kernel, modules, sysctls, ports, policies, clock, entropy. */
void doctor_host(struct doctor *);
/* doctor_charon.c: asks strongSwan over VICI. */
void doctor_charon(struct doctor *);
