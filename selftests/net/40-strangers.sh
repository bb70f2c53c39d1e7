#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Strangers meet an LNS that serves somebody:   LAC 192.0.2.2 ---- 192.0.2.1 LNS 198.51.100.1 ---- 198.51.100.2 STRANGER
# Floods of SCCRQs, forged control messages and ICMP, a client that crashed and comes back.
. "$(dirname "$0")/lib.sh"

hostile=$KTUND_BUILD/selftests/net/hostile
FLOOD=20000

setup_ns LNS LAC STRANGER
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
veth_pair "$LNS" eth1 198.51.100.1/24 "$STRANGER" eth0 198.51.100.2/24
ip -n "$LNS" route add default via 198.51.100.2		# answers to forged sources go where those came from
ip -n "$STRANGER" route add 192.0.2.0/24 via 198.51.100.1
for f in all eth0 eth1; do				# as on a router: forged sources are not the LNS's to filter
	ns "$LNS" sysctl -qw "net.ipv4.conf.$f.rp_filter=0"
done
ns "$STRANGER" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.eth0.disable_ipv6=1

lns=$(write_config lns <<-CONF
	listen "192.0.2.1" { port = 1701 }
	pool "staff" { range = "10.10.0.10-10.10.0.200" }
	user "alice" { password = "wonderland" }
	user "bob" { password = "builder" address = "10.10.0.5" }
	user "dave" { password = "own" address = "10.10.0.7" }
	user "carol" { password = "singer" max-sessions = 1 }
	profile "remote-access" {
	    role = lns
	    authentication = { "chap" }
	    local-address = "10.10.0.1"
	    pool = "staff"
	    ipsec = none
	}
	peer "anyone" { address = "0.0.0.0/0" profile = "remote-access" }
	peer "tight" {
	    address = "198.51.100.2"
	    profile = "remote-access"
	    limits { tunnels = 6 unauthenticated = 5 }
	}
CONF
)
lac=$(write_config lac <<-CONF
	tunnel "branch" {
	    role = lac
	    remote = "192.0.2.1"
	    user = "bob"
	    password = "builder"
	    persist = no
	    ipsec = none
	    hello-interval = 1s
	}
CONF
)

memory() { sanitized || check "$1" at_most $(($(rss "$ktund") - rss_before)) 8191; }

up() { ktun_in lac -j show sessions | grep -q '"state": *"up"' && ktun_in lns -j show sessions | grep -q '"state": *"up"'; }
rss() { local all; all=$(<"/proc/$1/status"); [[ $all =~ VmRSS:[[:space:]]*([0-9]+) ]] && echo "${BASH_REMATCH[1]}"; }
at_most() { echo "$1 <= $2"; [[ -n $1 ]] && ((${1%.*} <= ${2%.*})); }
# What the operator sees of the live tunnel and session, without ages and counters.
facts() {
	ktun_in lns -j show session "$sid" | grep -oE '"(session_id|tunnel_id|peer_session_id|interface|state|peer_ip)": *[^,}]*'
	ktun_in lns -j show tunnel "$tid" | grep -oE '"(tunnel_id|peer_tunnel_id|state)": *[^,}]*'
}
unchanged() { facts >"$TMP/facts.now"; diff "$TMP/facts" "$TMP/facts.now"; }
# UDP payload that passed the stranger's wire: 42 octets of each frame are headers
wire() {
	ns "$STRANGER" cat /sys/class/net/eth0/statistics/{t,r}x_{bytes,packets} | tr '\n' ' '
}

{ ktund_start "$LNS" lns "$lns" && ktund_start "$LAC" lac "$lac"; } || fatal "both daemons start"
busywait 15000 up || fatal "the session comes up"
ktund=$(ktund_pid lns) keeper=$(keeper_pid lns)
fds_before="$(fds "$ktund") $(fds "$keeper")" rss_before=$(rss "$ktund")
tid=$(ktun_in lns -j show tunnels | number tunnel_id)
sid=$(ktun_in lns -j show sessions | number session_id)
port=$(ktun_in lns -j show session "$sid" | number remote_port)
facts >"$TMP/facts"
echo "# tunnel $tid, session $sid, peer's port $port; event loop busy for $(counter loop_stall_ms) ms at most"
ip netns exec "$LAC" ping -n -i 0.1 10.10.0.1 >"$TMP/ping" 2>&1 </dev/null &
PING=$!
defer kill "$PING"
ip netns exec "$LNS" "$hostile" watch "$TMP/watch-no-more" >"$TMP/watch" 2>&1 </dev/null &
WATCH=$!
defer kill "$WATCH"

# --- one SCCRQ, then silence

ns "$STRANGER" "$hostile" once 192.0.2.1 1701 5 >"$TMP/once"
read -r replies sent received < <(sed 's/[a-z]*=//g' "$TMP/once")
echo "# $(<"$TMP/once")"
check "one SCCRQ gets exactly one answer" test "$replies" = 1
check "which is at most 1.5 times as long" at_most "$received" $((sent * 3 / 2))

# --- floods

flood() {	# flood WHAT SOURCE RATE HALF-OPEN
	local what=$1 source=$2 rate=$3 limit=$4 half now
	read -r tx0 txp0 rx0 rxp0 < <(wire)
	sccrq0=$(counter sccrq)
	ip netns exec "$STRANGER" "$hostile" flood 192.0.2.1 1701 $FLOOD "$rate" "$source" >"$TMP/flood" 2>&1 </dev/null &
	local pid=$!
	sleep 0.5
	check "$what: somebody honest gets in, within his retries" \
		ns "$LAC" "$hostile" lac 192.0.2.1 1701 seconds=25
	echo "# $(<"$TMP/check.out")"
	half=$(counter half_open)
	kill -0 $pid 2>/dev/null || echo "# (the flood was over before)"
	wait $pid
	echo "# $(<"$TMP/flood")"
	ktun_in lns -j show stats >"$TMP/stats"
	now=$(number half_open <"$TMP/stats")
	check "$what: the half-open table is bounded" at_most $((now > half ? now : half)) "$limit"
	read -r tx1 txp1 rx1 rxp1 < <(wire)
	local in=$((tx1 - tx0 - 42 * (txp1 - txp0))) out=$((rx1 - rx0 - 42 * (rxp1 - rxp0)))
	check "$what: SCCRQs arrived" at_most $((FLOOD / 10)) $(($(number sccrq <"$TMP/stats") - sccrq0))
	check "$what: octets out are at most 1.5 times octets in" at_most $((out * 2)) $((in * 3))
	check "$what: no descriptor more" test "$(fds "$ktund") $(fds "$keeper")" = "$fds_before"
	memory "$what: less than 8 MB more"
	check "$what: the session that was there is as it was" unchanged
	echo "# event loop busy for $(number loop_stall_ms <"$TMP/stats") ms at most"
}

flood "one source, 4,000 a second" 203.0.113.9 4000 9
flood "one source, as fast as can be" 203.0.114.9 0 18
flood "random sources, 3,000 a second" random 3000 4096
check "answers were sent to random sources" at_most 1000 $((rxp1 - rxp0))
flood "random sources, as fast as can be" random 0 4096
touch "$TMP/watch-no-more"
wait "$WATCH"
echo "# $(<"$TMP/watch") ms of another process that does nothing"
delay=$(sed 's/delay=\([0-9]*\).*/\1/' "$TMP/watch")
# On an emulated machine everything stands still at times; what an idle process sees of that is not ktund's.
check "nothing kept the event loop busy for 20 ms" at_most "$(counter loop_stall_ms)" "$((20 + delay))"

# --- forged control messages

next_ns() {	# Ns that the LNS expects of its peer (whose HELLOs move it on), and its own
	ktun_in lns -j show tunnel "$tid" >"$TMP/tunnel"
	ns_now=$(number nr <"$TMP/tunnel") nr_now=$(number ns <"$TMP/tunnel")
}
next_ns
echo "# next Ns $ns_now, Nr $nr_now"

forge_all() {	# forge_all SRC SPORT NS NR: every type, at the tunnel and at the session that live
	ns "$STRANGER" "$hostile" forge each "$1" "$2" 192.0.2.1 1701 "$tid" "$sid" "$3" "$4"
}
heard() { (($(counter rx_wrong_source) - wrong >= $1)); }	# so many from a wrong source were counted

wrong=$(counter rx_wrong_source)
check "everything forged from another address" forge_all 198.51.100.2 "$port" "$ns_now" "$nr_now"
check "and it arrived" busywait 5000 heard 14
check "and from another port of the right address" forge_all 192.0.2.2 $((port ^ 1)) "$ns_now" "$nr_now"
check "and it arrived, too" busywait 5000 heard 28
check "nothing is torn down" unchanged
# With an Ns that will come: it must not be kept until then, nor take the place of the peer's own.  (In its turn it is
# believed: against who knows address, port, tunnel id and Ns only IPsec helps.)
ahead() {
	local type
	next_ns
	ahead=$((ns_now + 5))
	for type in sccrp scccn stopccn cdn hello; do
		ns "$STRANGER" "$hostile" forge $type 192.0.2.2 "$port" 192.0.2.1 1701 "$tid" 0 $((ahead++)) "$nr_now" || return 1
	done
	ns "$STRANGER" "$hostile" forge cdn 192.0.2.2 "$port" 192.0.2.1 1701 "$tid" "$sid" $((ahead++)) "$nr_now" &&
		ns "$STRANGER" "$hostile" forge iccn 192.0.2.2 "$port" 192.0.2.1 1701 "$tid" "$sid" $ahead "$nr_now"
}
check "forged from the right address and port, with an Ns that will come" ahead
for n in 30000 65500; do			# far off, past
	next_ns
	check "forged from the right address and port, $n off in Ns" \
		forge_all 192.0.2.2 "$port" $(((ns_now + n) % 65536)) "$nr_now"
done
check "ZLB that acknowledges what was never sent" \
	ns "$STRANGER" "$hostile" forge zlb 192.0.2.2 "$port" 192.0.2.1 1701 "$tid" 0 "$ns_now" $((nr_now + 9))
check "nothing is torn down" unchanged
datagrams=$(counter rx_datagrams)
check "StopCCN for all 65,536 tunnel ids from another port" \
	ns "$STRANGER" "$hostile" forge stopccn 192.0.2.2 $((port ^ 1)) 192.0.2.1 1701 all 0 "$ns_now" "$nr_now"
check "most of them arrived" at_most 50000 $(($(counter rx_datagrams) - datagrams))
check "nothing is torn down" unchanged
check_fail "nothing was said of a tunnel going down" grep -q "^.*tunnel $tid/.*: down" "$TMP/lns.log"

repeated() {	# a message that was answered long ago, again and again, in the name of the peer
	next_ns
	rx=$(counter rx_datagrams) tx=$(counter tx_datagrams)
	ns "$STRANGER" "$hostile" forge hello 192.0.2.2 "$port" 192.0.2.1 1701 "$tid" 0 $((ns_now - 1)) "$nr_now" 3000 || return 1
	rx=$(($(counter rx_datagrams) - rx)) tx=$(($(counter tx_datagrams) - tx))
}
check "a HELLO of before, 3,000 times" repeated
check "most of them arrived" at_most 1000 "$rx"
check "and are not acknowledged one by one" at_most "$tx" 200

# --- many tunnels and calls of one stranger

ns "$STRANGER" "$hostile" lac 192.0.2.1 1701 evil=hello seconds=3 leave >"$TMP/hello"
echo "# $(<"$TMP/hello")"
check "300 HELLOs at once are not acknowledged one by one" at_most "$(sed 's/.*zlb=\([0-9]*\).*/\1/' "$TMP/hello")" 200
ip netns exec "$STRANGER" "$hostile" lac 192.0.2.1 1701 evil=silent calls=20 seconds=12 >"$TMP/calls" 2>&1 </dev/null &
CALLS=$!
strangers() { grep -q 'limit of unauthenticated calls' "$TMP/lns.log"; }
check "calls that do not authenticate are limited" busywait 10000 strangers
ns "$STRANGER" "$hostile" lac 192.0.2.1 1701 seconds=5 >"$TMP/more" 2>&1
check "also for another tunnel from that address" grep -q ' cdn=4 ' "$TMP/more"
check "and for nobody else" ns "$LAC" "$hostile" lac 192.0.2.1 1701
wait "$CALLS"
echo "# $(tr '\n' ' ' <"$TMP/calls")"
check "just those that are too many are refused" grep -q ' refused=16 ' "$TMP/calls"
check "with them gone there is room again" ns "$STRANGER" "$hostile" lac 192.0.2.1 1701
ns "$STRANGER" "$hostile" tunnels 192.0.2.1 1701 7 >"$TMP/tunnels"
echo "# $(<"$TMP/tunnels")"
check "of tunnels that are set up side by side those beyond the limit are refused" \
	grep -qxE 'up=6 refused=1|up=5 refused=2|up=4 refused=3|up=3 refused=4|up=2 refused=5|up=1 refused=6' "$TMP/tunnels"

# --- forged ICMP

check "port unreachable and too big, forged at the LNS" \
	ns "$STRANGER" "$hostile" icmp 198.51.100.2 192.0.2.1 1701 192.0.2.2 "$port" 2000
check "and at the LAC" ns "$LNS" "$hostile" icmp 192.0.2.1 192.0.2.2 "$port" 192.0.2.1 1701 2000
check "nothing is torn down" unchanged

passed() { next_ns; ((ns_now > ahead + 2)); }
check "the peer's HELLOs go past the Ns that were forged" busywait 40000 passed
both_ends() { unchanged && up; }
check "and nothing was torn down by what was said for later" both_ends

# --- a client crashes and comes back from the same port

back() {	# back USER PASSWORD
	ns "$LAC" "$hostile" lac 192.0.2.1 1701 sport=1701 "user=$1" "password=$2" leave || return 1
	ns "$LAC" "$hostile" lac 192.0.2.1 1701 sport=1701 "user=$1" "password=$2" seconds=20 >"$TMP/back" || { cat "$TMP/back"; return 1; }
	cat "$TMP/back"
	at_most "$(sed -n 's/.*ms=\([0-9]*\).*/\1/p' "$TMP/back")" 3000
}
check "a crashed client is back within 3 s" back alice wonderland
check "also if it has an address of its own" back dave own
check "also where one session a user is the limit" back carol singer

# --- after all that

kill -INT "$PING"
wait "$PING"
tail -n 3 "$TMP/ping" | sed 's/^/# /'
# Every one was answered but perhaps the last, which was on its way.
no_loss() {
	local n
	n=$(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 - \2/p' "$TMP/ping")
	echo "$n"
	[[ -n $n ]] && ((${n% - *} > 100 && n <= 1))
}
check "the session lost no ping all the while" no_loss
memory "less than 8 MB more at the end"
check "the live session is ended in order" ktun_in lns disconnect session "$sid"
told() { grep -q "the peer's CDN" "$TMP/lac.log"; }
check "and its peer hears it: the control connection was never hurt" busywait 5000 told
forgotten() { [[ $(counter half_open) == 0 ]]; }
check "the half-open entries expire" busywait 40000 forgotten
