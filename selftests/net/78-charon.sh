#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Our VICI client and strongSwan's daemon: a connection is loaded, listed, unloaded; somebody else's stays; charon is
# killed and comes again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-ipsec.sh"

setup_ns GW
DRIVE=$KTUND_BUILD/selftests/net/vici-drive
charon_start "$GW" gw
socket=$TMP/gw.charon/vici
load_other() {
	charon_load gw <<-'CONF'
		connections {
		    theirs {
		        remote_addrs = 192.0.2.7
		        children {
		            net {
		            }
		        }
		    }
		}
	CONF
}

out=$(timeout 60 "$DRIVE" "$socket" load ours list unload ours list sas)
check "a connection is loaded, listed, unloaded" test "$out" = "ready charon-systemd 5.9.8
load-conn: ok
conn ours
list-conns: ok
unload-conn: ok
list-conns: ok
list-sas: ok"
version=$(head -n 1 <<<"$out")
echo "$out" | sed 's/^/# /'
check "somebody else's is loaded" load_other
out=$(timeout 60 "$DRIVE" "$socket" load ours list unload ours list)
check "both are listed; his stays" test "$(grep -c '^conn theirs' <<<"$out") $(grep -c '^conn ours' <<<"$out")" = "2 1"
check_fail "what charon has not got fails" timeout 60 "$DRIVE" "$socket" unload ours
check_fail "a command that there is none fails" timeout 60 "$DRIVE" "$socket" nonsense
grep -q '^nonsense: unknown' "$TMP/check.out"
check "and is called unknown" test $? -eq 0

timeout 60 "$DRIVE" "$socket" load ours down ready list load ours list >"$TMP/watch.log" 2>&1 &
watch=$!
check "it waits for charon's end" busywait 10000 grep -q 'load-conn: ok' "$TMP/watch.log"
charon_kill gw
check "which it notices" busywait 5000 grep -q '^down: ' "$TMP/watch.log"
charon_again gw
check "the new charon is found, empty, and loaded anew" wait $watch
check "all that it said" test "$(grep -v '^down' "$TMP/watch.log")" = "$version
load-conn: ok
$version
list-conns: ok
load-conn: ok
conn ours
list-conns: ok"
