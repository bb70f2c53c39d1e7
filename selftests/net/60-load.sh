#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Many sessions at once: 1,000 up, pinging both ways, and down without a trace; 100 over a link that loses every tenth
# packet each way. LOAD_SESSIONS: instead of 1,000, or of 250 on a machine emulated by the wall clock: what compares times has
# its 1,000 where instructions are the clock.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../bench/lib.sh"

N=${LOAD_SESSIONS:-1000}
[[ ${KTUND_VM:-} != tcg ]] || N=${LOAD_SESSIONS:-250}
KIB=16 STALL_MS=20 RATIO=0.4

less() { awk "BEGIN { exit !($1 $2 $3) }" || { echo "$1 $2 $3 is not so"; return 1; }; }
stall() { ktun_in lns -j show stats | python3 -c 'import json, sys; print("%.1f" % json.load(sys.stdin)["loop_stall_ms"])'; }
addresses() { ip -n "$LNS" -4 -o addr show | sed -n 's/.* peer \([0-9.]*\).*/\1/p'; }
ping_all() { addresses | ns "$LNS" "$BENCH/pinger"; }
keeper_fds() { find "/proc/$keeper/fd" -type l -printf '%l\n' | grep -c "$1"; }
# Each of its 64 threads keeps two netlink sockets once it has needed them.
keeper_lets_go() { (($(keeper_fds /dev/ppp) == 0 && $(keeper_fds socket:) <= sockets + 128)); }
none_left() { ! ip -n "$LNS" -o link show | grep ppp; }

load_net
spawn "$LNS" metronome "$BENCH/metronome"
metronome=$SPAWNED
machine_late() { stop_pid "$metronome"; tail -1 "$TMP/metronome.log"; }
bare=$(ns "$LNS" "$BENCH/bare" --threads 64 --sessions 256 | sed -n 's/.* threads: \([0-9.]*\) per second/\1/p')
ktund_start "$LNS" lns "$(load_config)" || fatal "ktund starts"
daemon=$(ktund_pid lns) keeper=$(keeper_pid lns)

# Once up and down, so that all tables and heaps have their size before anything is compared.
check "some sessions come up and go" load warm --sessions 64 --teardown stopccn
sed "s/^/# /" "$TMP/warm.json"
check "no interface is left of them" busywait 10000 none_left
leak_snapshot "$daemon"
sockets=$(keeper_fds socket:)
kib=$(mem_kib "$daemon" "$keeper")

load_start many --sessions "$N" --tunnels 10 --ping 3 --hold --teardown cdn --verbose
check "$N sessions come up" load_wait many up 120
check "each of them pings the gateway three times" load_wait many ping 60
check "the generator says so" test "$(json many up up failed) $(json many ping answered)" = "$N 0 $((N * 3))"
sed 's/^/# /' "$TMP/many.json" "$TMP/many.log"
check "the kernel has $N links with an address" test "$(addresses | wc -l)" = "$N"
check "the gateway pings each of them" ping_all
long=$(stall) late=$(machine_late)
read -r rate p50 p99 <<<"$(json many up per_second p50_ms p99_ms)"
now=$(mem_kib "$daemon" "$keeper")
echo "# bare kernel loop $bare/s, ktund $rate/s; p50 $p50 ms, p99 $p99 ms; $kib KiB before, $now with $N sessions"
echo "# longest turn of the event loop $long ms; the machine itself stood still for up to $late ms"
# Times say nothing when others take the processors meanwhile: make check runs this once more where instructions are the clock.
if ! sanitized && [[ ${KTUND_VM:-} != tcg ]]; then
	check "no turn of the event loop took $STALL_MS ms" less "$long" "<" "$STALL_MS"
	check "set-up rate: at least $RATIO of the bare kernel loop" less "$rate" ">=" "$RATIO * $bare"
	check "latency: p99 within three times p50" less "$p99" "<=" "3 * $p50"
	check "no first frame was lost" test "$(json many up resent ppp_resent)" = "0 0"
else
	echo "# sanitized or emulated by the wall clock: times, and what was sent again, are not compared"
fi
check "the gate took none of it for another peer's" test "$(counter dropped_foreign)" = 0
# The keeper's threads, 160 if it takes them all, weigh more than few sessions.
sanitized || ((N < 1000)) || check "memory: at most $KIB KiB for each session" less "$now - $kib" "<=" "$KIB * $N"
check "they all go, and no session was lost before" load_stop many
sed -n 's/.*"phase": "down"/# &/p' "$TMP/many.json"
leak_check "no interface, session, descriptor or address is left"
check "the keeper has let go of everything" busywait 10000 keeper_lets_go

check "10 % loss each way: 99 of 100 sessions come up" load lossy --sessions 100 --tunnels 4 --loss 10 --fraction 99 --timeout 60 --teardown cdn
sed 's/^/# /' "$TMP/lossy.json" "$TMP/lossy.log"
leak_check "no interface, session, descriptor or address is left of these"
check "the daemon is the same, and well" kill -0 "$daemon"
