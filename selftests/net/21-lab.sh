#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# scripts/netns-lab: what its help and README.md promise.
. "$(dirname "$0")/lib.sh"

lab() { KTUND_BUILD=$KTUND_BUILD timeout 120 "$LIB_TOP/scripts/netns-lab" "$@" >"$TMP/lab" 2>&1; }
leak_snapshot
check "the lab starts, both hosts dial the router and reach each other" \
	lab 'a ktun up tunnel gateway && b ktun up tunnel gateway && a ping -c 3 -W 5 10.10.0.3 && r ktun show sessions'
sed 's/^/# /' "$TMP/lab"
check "the router has both sessions" grep -q 'alice' "$TMP/lab"
check "one host dials the other through the router" lab 'a ktun up tunnel b && a ping -c 3 -W 5 10.20.0.1'
check_fail "a command's failure is the lab's" lab 'a ktun up tunnel nowhere'
leak_check "nothing is left"
