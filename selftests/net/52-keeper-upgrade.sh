#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The keeper executes itself anew, again and again: under traffic, while calls come and go, with a hook that runs; by a
# program that cannot do it, too.  LAC 192.0.2.2 (two tunnels) ---- 192.0.2.1 LNS
# shellcheck disable=SC2016
. "$(dirname "$0")/lib.sh"

hostile=$KTUND_BUILD/selftests/net/hostile
mkdir -p "$TMP/bin"
cp "$KTUND_BUILD/ktund" "$KTUND_BUILD/ktund-keeper" "$KTUND_BUILD/ktun" "$TMP/bin"
program=$TMP/bin/ktund-keeper good=$KTUND_BUILD/ktund-keeper
KTUND_BUILD=$TMP/bin

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
chmod 755 "$TMP"

cat >"$TMP/up" <<-HOOK
	#!/bin/sh
	[ "\$PEERNAME" = alice ] || exit 0
	sleep 3
	echo "\$PEERNAME" >>$TMP/hook.out
	exit 3
HOOK
chmod 755 "$TMP/up"
lns=$(write_config lns <<-CONF
	listen "192.0.2.1" { port = 1701 }
	pool "staff" { range = "10.10.0.10-10.10.0.250" }
	user "alice" { password = "wonderland" }
	user "one" { password = "eins" address = "10.10.0.1" }
	user "two" { password = "zwei" address = "10.10.0.2" }
	profile "remote-access" {
	    role = lns
	    authentication = { "chap" }
	    local-address = "10.10.0.254"
	    pool = "staff"
	    ip-up = "$TMP/up"
	    ipsec = none
	}
	peer "anyone" {
	    address = "0.0.0.0/0"
	    profile = "remote-access"
	    limits { half-open = 64 setup-rate = 1000 setup-burst = 1000 }
	}
CONF
)
lac=$(write_config lac <<-CONF
	defaults { role = lac persist = yes redial-min = 500ms redial-max = 1s ipsec = none }
	tunnel "first" { remote = "192.0.2.1" user = "one" password = "eins" interface = "first" }
	tunnel "second" { remote = "192.0.2.1" user = "two" password = "zwei" interface = "second" }
CONF
)

upgrade() { ns "$LNS" "$TMP/bin/ktund" --upgrade-keeper --runtime-dir "$TMP/lns.run"; }
refused() {	# refused WORDS: the upgrade is, and says so
	local rc=0
	upgrade >"$TMP/refused" 2>&1 || rc=$?
	cat "$TMP/refused"
	((rc == 1)) && grep -q "refused: .*$1.*goes on" "$TMP/refused"
}
put() { cat >"$program.new" && chmod 755 "$program.new" && mv "$program.new" "$program"; }
call() { ns "$LAC" "$hostile" lac 192.0.2.1 1701 "$@"; }
alive() { ns "$LAC" ping -n -q -c 2 -i 0.2 -W 3 -I "$1" 10.10.0.254; }
both_up() { sessions_up lns 1 '"user":"one"' && sessions_up lns 1 '"user":"two"'; }
both_alive() { both_up && alive first && alive second; }
ids() { ktun_in lns -j show sessions | grep -oE '"(session_id|user|interface)": ?[^,}]*' | tr '\n' ' '; }
mine() { echo "$(session_get lns session_id '"user":"one"') $(session_get lns session_id '"user":"two"')"; }
pings_start() {
	for dev in first second; do
		ns "$LAC" ping -n -q -i 0.1 -w "$1" -W 3 -I $dev 10.10.0.254 >"$TMP/ping-$dev" 2>&1 &
		eval "ping_$dev=$!"
	done
}
none_lost() {
	# shellcheck disable=SC2154
	wait "$ping_first" "$ping_second"
	cat "$TMP/ping-first" "$TMP/ping-second"
	[[ $(cat "$TMP"/ping-* | grep -cE '^([1-9][0-9]*) packets transmitted, \1 received') == 2 ]]
}

{ ktund_start "$LNS" lns "$lns" && ktund_start "$LAC" lac "$lac"; } || fatal "both daemons start"
busywait 20000 both_alive || fatal "both sessions come up"
ktund=$(ktund_pid lns) keeper=$(keeper_pid lns) before=$(ids)
status() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

check "ktund-keeper --version" eval '"$good" --version | grep -qE "^ktund-keeper [0-9]"'

# --- under traffic
pings_start 8
sleep 1
for i in 1 2 3; do
	check "upgrade $i under traffic" upgrade
	sleep 0.5
	((i > 1)) || n_fds=$(fds "$keeper")
done
check "no packet is lost" none_lost
check "it is the same process" kill -0 "$keeper"
check "serving the same directory" test "$(keeper_pid lns)" = "$keeper"
check "ktund is the same" kill -0 "$ktund"
check "the calls are the same" test "$(ids)" = "$before"
check "the keeper has CAP_NET_ADMIN and nothing else" test "$(status "$keeper" CapEff)" = 0000000000001000
check "not a descriptor more or less" busywait 5000 eval 'test "$(fds "$keeper")" = "$n_fds"'
check "counters come from the new one" eval 'ktun_in lns -j show session "$(session_get lns session_id "\"user\":\"one\"")" | grep -qE "\"rx_packets\": ?[1-9]"'
check "a new call comes" call

# --- a hook that runs meanwhile
check "a call whose hook takes three seconds" call leave sport=5001
failed_before=$(ktun_in lns -j show stats | grep -oE '"hooks_failed": ?[0-9]+')
check "upgrade while the hook runs" upgrade
check "the hook comes to its end" busywait 15000 test -s "$TMP/hook.out"
failed_more() { [[ $(ktun_in lns -j show stats | grep -oE '"hooks_failed": ?[0-9]+') != "$failed_before" ]]; }
check "and ktund hears its status" busywait 15000 failed_more
mine=$(mine)
kill -KILL "$ktund"
check "a hook that ran during an upgrade keeps no next ktund waiting" ktund_start "$LNS" lns "$lns"
ktund=$(ktund_pid lns)
check "and the calls are the same" test "$(mine)" = "$mine"

# --- while calls come and go
calls=()
for i in 1 2 3 4 5 6 7 8; do
	call sport=$((6000 + i)) seconds=30 >"$TMP/call-$i" 2>&1 &
	calls+=($!)
done
for i in 1 2 3; do
	upgrade >>"$TMP/during" 2>&1
done
check "upgrades while calls are set up" test "$(grep -c 'upgrade ok' "$TMP/during")" = 3
wait "${calls[@]}"
all_came() { cat "$TMP"/call-*; [[ $(cat "$TMP"/call-* | grep -c '^up=1') == 8 ]]; }
check "all of them come up" all_came

# --- programs that cannot
mine=$(mine)
put <<<'no program'
check "what is no program is refused" refused 'Exec format error'
printf '#!/bin/sh\necho "cannot read that"\nexit 1\n' | put
check "what cannot read the record is refused, with its reason" refused 'cannot read that'
printf '#!/bin/sh\nkill -SEGV $$\n' | put
check "what dies is refused" refused 'does not start'
printf '#!/bin/sh\nrm -f "$0"\nexit 0\n' | put
check "what vanishes at the last moment is refused" refused 'No such file'
put <"$good"
chmod 666 "$TMP/lns.run/keeper.made"
check "nor does the good one if it could not go on with what is in the runtime directory" refused 'keeper.made'
chmod 600 "$TMP/lns.run/keeper.made"
check "the same calls are alive" both_alive
check "they are the same" test "$(mine)" = "$mine"
put <"$good"
check "with a good one in its place it works again" upgrade
check_fail "no keeper: says so" "$TMP/bin/ktund" --upgrade-keeper --runtime-dir "$TMP"
check_fail "two orders at once are wrong words" "$TMP/bin/ktund" --check --stop-keeper

# --- the new one does what the old one did
ktun_in lns disconnect user one >/dev/null
gone_and_back() { both_alive && [[ $(mine) != "$mine" ]]; }
check "a call ends and comes back" busywait 20000 gone_and_back
check "the link of another is deleted behind its back" eval 'ip -n "$LNS" link del "$(session_get lns interface "\"user\":\"two\"")"'
check "it is noticed, and comes back" busywait 20000 both_alive

# --- ktund is not there
kill -KILL "$ktund"
pings_start 3
check "upgrade without ktund" upgrade
check "no packet is lost then" none_lost
check "ktund starts again" ktund_start "$LNS" lns "$lns"
check "with the keeper that was there" test "$(keeper_pid lns)" = "$keeper"
check "the calls are there, or come again" busywait 150000 both_alive

# --- and stops as ever, also when a peer is dead
check "a client that goes without a word" call leave sport=7001
SECONDS=0
check "ktun shutdown" eval 'timeout 30 ip netns exec "$LNS" "$TMP/bin/ktun" --runtime-dir "$TMP/lns.run" shutdown >"$TMP/shutdown" 2>&1'
took=$SECONDS
echo "# it took $took s: $(tr '\n' ';' <"$TMP/shutdown")"
check "says what is left" grep -q ' tunnels, 0 sessions left' "$TMP/shutdown"
check "and what was ended" grep -qE 'ended [3-9] tunnels, [3-9] sessions' "$TMP/shutdown"
check "does not wait long for the dead peer" test "$took" -le 9
ktund_stop lns
keeper_stopped() { ! keeper_pid lns; }
check "it stops as ever" busywait 10000 keeper_stopped
empty() { [[ -z $(ip -n "$LNS" -o link show type ppp; ns "$LNS" ip l2tp show tunnel) ]] && no_rules; }
no_rules() { ! command -v nft >/dev/null || [[ -z $(ns "$LNS" nft list ruleset) ]]; }
check "nothing is left in the kernel" busywait 15000 empty
