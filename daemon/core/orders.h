/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program does to a keeper without serving: each its exit status, with a line for people. */
#pragma once

/* 0: a keeper listens there; 1: none, and that was said. */
int order_reaches(const char *runtime_dir);
/* `ktund --stop-keeper` without a configuration: all calls end, and the keeper; the peers are not told. */
int order_stop(const char *runtime_dir);
/* `ktund --upgrade-keeper`: it executes itself anew and goes on; waits until it says how that went. */
int order_upgrade(const char *runtime_dir);
