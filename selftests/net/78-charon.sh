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

# --- a charon that tells more than anybody wants to know ----------------------------------------------
# Natively ktund takes 10,000 a second and more: KTUND_VICI_EVENTS=100000. What is asked here holds however slow the machine is.
EVENTS=${KTUND_VICI_EVENTS:-6000} SAS=250
ip -n "$GW" addr add 192.0.2.1/32 dev lo
mkfifo "$TMP/go"
exec {go}<>"$TMP/go"
# shellcheck disable=SC2016
spawn "$GW" flood sh -c 'exec "$@" <"$0"' "$TMP/go" "$(dirname "$0")/vici-flood.py" "$TMP/flood.vici" "$EVENTS" $SAS
busywait 20000 test -S "$TMP/flood.vici" || fatal "the flood does not start"
write_config gw >/dev/null <<-'CONF'
	listen "192.0.2.1" { }
	user "alice" { password = "wonderland" address = "10.10.0.2" }
	peer "anyone" { address = "0.0.0.0/0" local-address = "10.10.0.1" psk = "sesame" }
CONF
ktund_start "$GW" gw "$TMP/gw.conf" --charon "$TMP/flood.vici" || fatal "ktund starts"
busywait 20000 grep -q 'is there for IPsec' "$TMP/gw.log" || fatal "ktund finds it"
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$(ktund_pid gw)/status"; }
sockets() { (($(fds "$(ktund_pid gw)") == FDS + $1)); }
shown() { (($(ktun_in gw -j show sas | grep -o '"child_id"' | wc -l) == $1)); }
FDS=$(fds "$(ktund_pid gw)") kib=$(memory)
echo >&"$go"
check "$EVENTS events of $SAS SAs: all are taken" busywait $((120000 + EVENTS * 10)) grep -q 'a second' "$TMP/flood.log"
sed 's/^/# /' "$TMP/flood.log"
check "in the end ktund knows those SAs that there are, each with its socket" busywait 60000 sockets $SAS
check "and shows them" busywait 20000 shown $SAS
echo "# $kib KiB before, $(memory) after"
sanitized || check "memory is what these need" test $(($(memory) - kib)) -lt 2048
check "the log has not seen them all" test "$(wc -l <"$TMP/gw.log")" -lt $((EVENTS / 4))
check "it ends when it is told to" timeout 60 ip netns exec "$GW" "$KTUND_BUILD/ktun" --runtime-dir "$TMP/gw.run" shutdown
