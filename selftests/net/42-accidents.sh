#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What happens to a gateway behind its back: links, kernel tunnels and addresses vanish, its processes are killed, modules
# are missing, the pool is empty.  LAC 192.0.2.2 (two tunnels that redial) ---- 192.0.2.1 LNS
# shellcheck disable=SC2016	# eval and accident() expand them
. "$(dirname "$0")/lib.sh"

hostile=$KTUND_BUILD/selftests/net/hostile

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
chmod 755 "$TMP"

lns=$(write_config lns <<-CONF
	listen "192.0.2.1" { port = 1701 }
	pool "staff" { range = "10.10.0.10-10.10.0.11" }
	user "alice" { password = "wonderland" }
	user "one" { password = "eins" address = "10.10.0.1" }
	user "two" { password = "zwei" address = "10.10.0.2" }
	profile "remote-access" {
	    role = lns
	    authentication = { "chap" }
	    local-address = "10.10.0.254"
	    pool = "staff"
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
	defaults {
	    role = lac persist = yes redial-min = 500ms redial-max = 1s ipsec = none
	    hello-interval = 3s retransmit-cap = 2s max-retransmits = 4	# to notice soon that nobody is there
	}
	tunnel "first" { remote = "192.0.2.1" user = "one" password = "eins" interface = "first" }
	tunnel "second" { remote = "192.0.2.1" user = "two" password = "zwei" interface = "second" }
CONF
)

# The JSON object of the session with this user that is up at the LNS; a figure or word of it.
session() { ktun_in lns -j show sessions | sed 's/},{/}\n{/g' | grep "\"user\": *\"$1\"" | grep '"state": *"up"'; }
get() { session "$1" | grep -o "\"$2\": *\"\?[^,\"]*" | head -n 1 | sed 's/.*: *"\?//'; }
alive() { ns "$LAC" ping -n -q -c 2 -i 0.2 -W 3 -I "$1" 10.10.0.254; }
both_up() { session one && session two; }
both_alive() { both_up && alive first && alive second; }
here() { tail -n "+$((mark + 1))" "$TMP/$1.log"; }		# what the log says since `mark`
mark() { mark=$(wc -l <"$TMP/$1.log"); }
says() { here "$1" | grep -qE -- "$2"; }
untouched() { [[ $(get two session_id) == "$two" ]] && alive second; }
back() { [[ -n $(get one session_id) && $(get one session_id) != "$was" ]] && alive first; }
call() { ns "$LAC" "$hostile" lac 192.0.2.1 1701 "$@"; }
# One of the LAC's log lines since the accident: the peer was told in the protocol.
lac_told() { tail -n "+$((lac_mark + 1))" "$TMP/lac.log" | grep -qE -- "$1"; }
accident() {	# accident WHAT LOG-WORDS PROTOCOL-WORDS COMMAND...: happens to the first session; the second must not feel it
	local what=$1 words=$2 told=$3
	shift 3
	was=$(get one session_id) two=$(get two session_id)
	mark lns
	lac_mark=$(wc -l <"$TMP/lac.log")
	check "$what" "$@"
	check "$what: the log says so in plain words" busywait 10000 says lns "$words"
	check "$what: the peer is told" busywait 10000 lac_told "$told"
	check "$what: the other session does not feel it" untouched
	check "$what: the call comes back" busywait 15000 back
}

{ ktund_start "$LNS" lns "$lns" && ktund_start "$LAC" lac "$lac"; } || fatal "both daemons start"
busywait 20000 both_alive || fatal "both sessions come up"
ktund=$(ktund_pid lns) keeper=$(keeper_pid lns)

# --- privileges

status() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
no_capabilities() {
	grep '^Cap' "/proc/$1/status"
	[[ $(status "$1" CapEff) == 0000000000000000 && $(status "$1" CapPrm) == 0000000000000000 &&
		$(status "$1" CapInh) == 0000000000000000 && $(status "$1" CapAmb) == 0000000000000000 ]]
}
no_way_back() {		# neither a capability of a file nor a set-user-id program gives anything back
	grep -E '^(NoNewPrivs|CapBnd)' "/proc/$1/status"
	[[ $(status "$1" NoNewPrivs) == 1 || $(status "$1" CapBnd) == 0000000000000000 ]]
}
nobody() {
	grep -E '^(Uid|Gid|Groups)' "/proc/$1/status"
	! status "$1" Uid | grep -qw 0 && ! status "$1" Gid | grep -qw 0 && ! status "$1" Groups | grep -qw 0
}
check "ktund has no capability" no_capabilities "$ktund"
check "and gets none by running another program" no_way_back "$ktund"
check "ktund is not root, nor in root's groups" nobody "$ktund"
check "the keeper has CAP_NET_ADMIN and nothing else" test "$(status "$keeper" CapEff)" = 0000000000001000
no_device() { ! find "/proc/$1/fd" -lname '*netlink*' -o -lname '/proc/*' -o -lname "$TMP/*.conf" | grep .; }
check "ktund holds no netlink socket and no configuration open" no_device "$ktund"

# --- behind its back

accident "ip link del" "session .*one.* (was deleted|interface .*gone)" "the peer's CDN" \
	eval 'ip -n "$LNS" link del "$(get one interface)"'
accident "ip l2tp del session" "session .*one.*deleted" "the peer's CDN" \
	eval 'ns "$LNS" ip l2tp del session tunnel_id "$(get one tunnel_id)" session_id "$(get one session_id)"'
accident "ip l2tp del tunnel" "tunnel .*(deleted|gone)" "the peer's StopCCN" \
	eval 'ns "$LNS" ip l2tp del tunnel tunnel_id "$(get one tunnel_id)"'

mark lns
one=$(get one session_id) two=$(get two session_id) link=$(get one interface)
check "ip link set down" ip -n "$LNS" link set "$link" down
check "ip link set down: the log names the remedy" busywait 10000 says lns "ip link set $link up"
check "ip link set down: the other session does not feel it" untouched
check "ip link set up: the call is alive again" eval 'ip -n "$LNS" link set "$link" up && busywait 5000 alive first'
check "ip link set up: it is the same call" test "$(get one session_id)" = "$one"

check "the listener's address is removed" ip -n "$LNS" addr del 192.0.2.1/24 dev eth0
sleep 3
check "and comes back" ip -n "$LNS" addr add 192.0.2.1/24 dev eth0
check "both calls are alive" busywait 15000 both_alive
check "and they are the same calls" test "$(get one session_id) $(get two session_id)" = "$one $two"
check "a new call is taken" call

# --- the kernel falls behind: the keeper stands still

both() { echo "$(get one session_id) $(get two session_id)"; }
were=$(both)
kill -STOP "$keeper"
call sport=4901 seconds=40 >"$TMP/behind" 2>&1 &
behind=$!
sleep 11.5
ns "$LAC" "$hostile" lac 192.0.2.1 1701 sport=4902 seconds=20 >"$TMP/refused" 2>&1
echo "# $(tr '\n' ' ' <"$TMP/refused")"
check "the kernel is far behind: a call is refused early, by CDN 4, temporarily" grep -qE '^up=0 ms=[0-9]{1,4} cdn=4 ' "$TMP/refused"
check "and is told why" grep -q 'kernel is busy with the calls before' "$TMP/refused"
check "those that are up do not feel it" eval 'alive first && alive second'
check "ktun shows them, with the counters known last" eval 'ktun_in lns show sessions | grep -qw one && ktun_in lns show session "$one" && ktun_in lns show stats'
kill -CONT "$keeper"
check "nor did their HELLOs and echoes: they are the same calls" test "$(both)" = "$were"
check "who came before is up when the kernel is" wait $behind
check "and others are taken again" call sport=4903

# --- the pool is empty

crash() { ns "$LAC" "$hostile" lac 192.0.2.1 1701 "sport=$1" leave; }
check "two clients take the pool's two addresses" eval 'crash 5001 && crash 5002'
mark lns
auth_failed=$(counter auth_failed)
ns "$LAC" "$hostile" lac 192.0.2.1 1701 sport=5003 seconds=20 >"$TMP/full" 2>&1
echo "# $(tr '\n' ' ' <"$TMP/full")"
check "a third is refused, by CDN 4, temporarily" grep -qE '^up=0 .*cdn=4 ' "$TMP/full"
check "its password was right, and it is not told otherwise" test "$(counter auth_failed)" = "$auth_failed"
check "the log says that the pool is exhausted" says lns 'alice refused: pool staff is exhausted'
check "who has an address of his own does not feel it" both_alive

# --- two of one

second() {	# second WORDS COMMAND...: is refused at once, and says why
	local words=$1 rc=0
	shift
	timeout 20 ip netns exec "$LNS" "$@" >"$TMP/second" 2>&1 || rc=$?
	cat "$TMP/second"
	echo "(status $rc)"
	((rc == 1 || rc == 2)) && grep -qE -- "$words" "$TMP/second"
}
check "a second ktund in one directory is refused" \
	second 'another ktund|ktund .*serves|already' "$KTUND_BUILD/ktund" --config "$lns" --runtime-dir "$TMP/lns.run"
check "a second keeper, too" second 'another keeper|keeper .*serves|already' "$KTUND_BUILD/ktund-keeper" --runtime-dir "$TMP/lns.run"
check "neither is felt" both_alive

# --- the keeper is killed

mark lns
lac_mark=$(wc -l <"$TMP/lac.log")
was=$(get one session_id)
kill -KILL "$keeper"
check "keeper killed: the log says what to do" busywait 5000 says lns 'keeper is gone.*(systemctl start|ktund-keeper --)'
check "keeper killed: the peer is told" busywait 10000 lac_told "the peer's (CDN|StopCCN)"
keeper_is_back() { [[ -n $(keeper_pid lns) && $(keeper_pid lns) != "$keeper" ]]; }
check "keeper killed: another one is there" busywait 15000 keeper_is_back
check "keeper killed: new calls work" busywait 20000 both_alive
check "keeper killed: ktund is the same" kill -0 "$ktund"
keeper=$(keeper_pid lns)

# --- ktund is killed

pings() { ns "$LAC" ping -n -q -c 10 -i 0.2 -W 3 -I second 10.10.0.254 | grep ' 0% packet loss'; }
two=$(get two session_id)
kill -KILL "$ktund"
sleep 0.5
check "ktund killed: the calls go on without it" pings
check "ktund killed: the keeper lives" kill -0 "$keeper"
check "ktund killed: another one starts in its place" ktund_start "$LNS" lns "$lns"
check "it serves new calls" call
check "with the keeper that was there" test "$(keeper_pid lns)" = "$keeper"
check "and the LAC's calls are alive or come again" busywait 150000 both_alive

# --- a keeper started by hand

ktund_stop lns
keeper_stopped() { ! keeper_pid lns; }
check "all is stopped" busywait 10000 keeper_stopped
no_keeper() { second 'no keeper serves' setpriv --reuid 65534 --clear-groups "$KTUND_BUILD/ktund" --config "$TMP/all.conf" --runtime-dir "$TMP/lns.run"; }
echo 'listen "192.0.2.1" { }' >"$TMP/all.conf"
chmod 644 "$TMP/all.conf"
check "ktund without root and without a keeper says what to do" no_keeper
spawn "$LNS" hand "$KTUND_BUILD/ktund-keeper" --runtime-dir "$TMP/lns.run" --user nobody
hand=$SPAWNED
busywait 10000 test -S "$TMP/lns.run/keeper.sock"
check "ktund finds a keeper that somebody else started" ktund_start "$LNS" lns "$lns"
check "and uses that one" test "$(keeper_pid lns)" = "$hand"
check "both calls come" busywait 30000 both_alive
lac_mark=$(wc -l <"$TMP/lac.log")
mark lns
kill -TERM "$hand"
check "that keeper is stopped: the peers are told" busywait 10000 lac_told "the peer's (CDN|StopCCN)"
check "and the log says what to do" busywait 10000 says lns 'keeper is gone.*(systemctl start|ktund-keeper --)'
if ! busywait 3000 keeper_pid lns; then
	ns "$LAC" "$hostile" lac 192.0.2.1 1701 seconds=4 >"$TMP/none" 2>&1
	check "as long as there is none, callers are refused: StopCCN 2" grep -q '^up=0 .* stopccn=2 ' "$TMP/none"
	spawn "$LNS" hand "$KTUND_BUILD/ktund-keeper" --runtime-dir "$TMP/lns.run" --user nobody
fi
check "with another keeper the calls come again" busywait 30000 both_alive

# --- modules are missing

ktund_stop lac
if [[ ${KTUND_VM:-direct} == direct ]]; then
	echo "ok - # SKIP missing modules: this machine's own are left alone"
else
	gone() { [[ -z $(ip -n "$LNS" -o link show type ppp) ]] && rmmod l2tp_ppp; }
	modprobe_was=$(cat /proc/sys/kernel/modprobe)
	defer modprobe l2tp_ppp
	defer sh -c "echo '$modprobe_was' >/proc/sys/kernel/modprobe"
	ktun_in lns disconnect user alice >/dev/null 2>&1
	echo /bin/false >/proc/sys/kernel/modprobe
	check "l2tp_ppp is taken away" busywait 20000 gone
	mark lns
	ns "$LAC" "$hostile" lac 192.0.2.1 1701 seconds=15 >"$TMP/module" 2>&1
	echo "# $(tr '\n' ' ' <"$TMP/module")"
	check "l2tp_ppp missing: the call is refused, by CDN" grep -qE '^up=0 .*cdn=[1-9]' "$TMP/module"
	check "l2tp_ppp missing: the log names the remedy" says lns 'modprobe l2tp_ppp'
	check "l2tp_ppp missing: in one line" test "$(here lns | grep -c 'modprobe l2tp_ppp')" = 1
	check "l2tp_ppp missing: everything else goes on" ktun_in lns show stats
	echo "$modprobe_was" >/proc/sys/kernel/modprobe
	modprobe l2tp_ppp
	check "with the module calls are taken, by the same ktund" call
fi
