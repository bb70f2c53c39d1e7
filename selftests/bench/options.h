/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of load.c. */
#pragma once

#include <arpa/inet.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/udp.h"
#include "ppp/ppp.h"

struct options {
	unsigned tunnels, ports, sessions, in_flight, pings, loss, fraction, timeout_s, per_s;
	struct endpoint lns;
	uint16_t source_port, mru;
	uint8_t auth;				/* enum ppp_auth */
	const char *user, *password, *secret, *control;
	bool hold, cdn, stopccn, verbose;
};

static inline int usage(void)
{
	fputs("usage: load --lns ADDRESS [--port 1701] [--source-port 0] --user NAME --password WORD\n"
	      "	[--auth chap|pap|mschapv2] [--secret WORD] [--tunnels 1] [--ports 1] [--sessions 1]\n"
	      "	[--in-flight 64] [--rate PER-SECOND] [--mru 1400] [--loss PERCENT] [--timeout 300]\n"
	      "	[--ports N: tunnels come from so many source ports in turn, from --source-port upwards]\n"
	      "	[--fraction PERCENT: so many must come up (100)]\n"
	      "	[--ping K: each session pings the LNS K times]\n"
	      "	[--hold: until SIGTERM; echo, HELLO and pings are answered]\n"
	      "	[--teardown cdn|stopccn]\n"
	      "	[--control SOCKET: ktund's; down means that it has no session any more]\n"
	      "	[--verbose: says which PPP packets had to be sent again]\n", stderr);
	return 2;
}

static inline bool parse_address(struct options *o, const char *s)
{
	o->lns.family = strchr(s, ':') ? 6 : 4;
	return inet_pton(o->lns.family == 4 ? AF_INET : AF_INET6, s, o->lns.addr) == 1;
}

static inline bool parse_auth(struct options *o, const char *s)
{
	static const char *const name[] = { "none", "pap", "chap", "mschapv2" };

	for (unsigned i = 0; i < PPP_AUTH_N; i++)
		if (!strcmp(s, name[i])) {
			o->auth = (uint8_t)i;
			return true;
		}
	return false;
}

static inline bool parse(struct options *o, int argc, char **argv)
{
	enum { LNS = 256, PORT, SOURCE, USER, PASSWORD, AUTH, SECRET, TUNNELS, PORTS, SESSIONS, IN_FLIGHT, RATE, MRU,
	       LOSS, FRACTION, TIMEOUT, PING, HOLD, TEARDOWN, CONTROL, VERBOSE };
	static const struct option options[] = {
		{ "lns", 1, NULL, LNS }, { "port", 1, NULL, PORT }, { "source-port", 1, NULL, SOURCE },
		{ "user", 1, NULL, USER }, { "password", 1, NULL, PASSWORD }, { "auth", 1, NULL, AUTH },
		{ "secret", 1, NULL, SECRET }, { "tunnels", 1, NULL, TUNNELS }, { "ports", 1, NULL, PORTS },
		{ "sessions", 1, NULL, SESSIONS }, { "in-flight", 1, NULL, IN_FLIGHT }, { "rate", 1, NULL, RATE }, { "mru", 1, NULL, MRU },
		{ "loss", 1, NULL, LOSS }, { "fraction", 1, NULL, FRACTION }, { "timeout", 1, NULL, TIMEOUT },
		{ "ping", 1, NULL, PING }, { "hold", 0, NULL, HOLD }, { "teardown", 1, NULL, TEARDOWN },
		{ "control", 1, NULL, CONTROL }, { "verbose", 0, NULL, VERBOSE }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned n = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		switch (c) {
		case LNS: if (!parse_address(o, optarg)) return false; break;
		case PORT: o->lns.port = (uint16_t)n; break;
		case SOURCE: o->source_port = (uint16_t)n; break;
		case USER: o->user = optarg; break;
		case PASSWORD: o->password = optarg; break;
		case AUTH: if (!parse_auth(o, optarg)) return false; break;
		case SECRET: o->secret = optarg; break;
		case TUNNELS: o->tunnels = n; break;
		case PORTS: o->ports = n; break;
		case SESSIONS: o->sessions = n; break;
		case IN_FLIGHT: o->in_flight = n; break;
		case RATE: o->per_s = n; break;
		case MRU: o->mru = (uint16_t)n; break;
		case LOSS: o->loss = n; break;
		case FRACTION: o->fraction = n; break;
		case TIMEOUT: o->timeout_s = n; break;
		case PING: o->pings = n; break;
		case HOLD: o->hold = true; break;
		case TEARDOWN:
			o->cdn = !strcmp(optarg, "cdn");
			o->stopccn = !strcmp(optarg, "stopccn");
			if (!o->cdn && !o->stopccn)
				return false;
			break;
		case CONTROL: o->control = optarg; break;
		case VERBOSE: o->verbose = true; break;
		default: return false;
		}
	}
	return o->lns.family && o->sessions && o->sessions <= 60000 && o->tunnels && o->tunnels <= o->sessions && o->ports &&
	       o->in_flight && o->loss < 100 && o->fraction <= 100;
}
