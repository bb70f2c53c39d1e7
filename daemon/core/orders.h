/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program does to a keeper without serving: each its exit status, with a line for people. */
#pragma once

#include <stdbool.h>

/* Does a keeper listen there?  If not, that was said. */
bool order_reaches(const char *runtime_dir);
/* `ktund --stop-keeper` without a configuration: all calls end, and the keeper; the peers are not told. */
int order_stop(const char *runtime_dir);
/* `ktund --upgrade-keeper`: it executes itself anew and goes on; waits until it says how that went. */
int order_upgrade(const char *runtime_dir);
