#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ktund is killed, aborts, is stopped and started again, at either end and in the middle of whatever it does, and no call
# and no packet of a session that is up is lost.    LAC 192.0.2.2 ---- 192.0.2.1 LNS;  xl2tpd as LAC 192.0.2.3
# KTUND_SESSIONS: how many are pinged all the time, in 4 tunnels (40).
# shellcheck disable=SC2016	# eval and check expand them
. "$(dirname "$0")/lib.sh"

steady=$KTUND_BUILD/selftests/net/steady hostile=$KTUND_BUILD/selftests/net/hostile
n=${KTUND_SESSIONS:-40} tunnels=4

setup_ns LNS LAC XL
ip -n "$LNS" link add br0 type bridge
ip -n "$LNS" addr add 192.0.2.1/24 dev br0
ip -n "$LNS" link set br0 up
ip link add eth0 netns "$LAC" type veth peer name lac netns "$LNS"
ip link add eth0 netns "$XL" type veth peer name xl netns "$LNS"
for dev in lac xl; do ip -n "$LNS" link set $dev master br0 up; done
ip -n "$LAC" addr add 192.0.2.2/24 dev eth0
ip -n "$XL" addr add 192.0.2.3/24 dev eth0
ip -n "$LAC" link set eth0 up
ip -n "$XL" link set eth0 up
for where in "$LNS" "$LAC" "$XL"; do	# answers may take another session's link: all of them end at the same two hosts
	ns "$where" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
done
chmod 755 "$TMP"

mkdir "$TMP/hooks"
cat >"$TMP/hooks/ip-up" <<-'HOOK'
	#!/bin/sh
	echo "$PEERNAME $IFNAME" >>/tmp/hooks.log
HOOK
sed 's/hooks.log/down.log/' "$TMP/hooks/ip-up" >"$TMP/hooks/ip-down"
sed -i "s,/tmp/,$TMP/," "$TMP/hooks/ip-up" "$TMP/hooks/ip-down"
chmod -R 755 "$TMP/hooks"
: >"$TMP/hooks.log"
: >"$TMP/down.log"

users() { for ((i = 1; i <= n; i++)); do printf 'user "u%d" { password = "wonderland" }\n' "$i"; done; }
lns=$(write_config lns <<-CONF
	listen "192.0.2.1" { port = 1701 }
	pool "staff" { range = "10.10.0.10-10.10.15.254" }
	user "alice" { password = "wonderland" }
	user "xavier" { password = "wonderland" }
	$(users)
	defaults {
	    role = lns authentication = { "chap" } local-address = "10.10.0.1" pool = "staff" ipsec = none
	    hello-interval = 8s echo-interval = 8s
	}
	peer "xl" {
	    address = "192.0.2.3/32"
	    limits { half-open = 64 setup-rate = 1000 setup-burst = 1000 tunnels = 1000 }
	}
	peer "anyone" {
	    address = "0.0.0.0/0" secret = "tunnel-secret" ip-up = "$TMP/hooks/ip-up" ip-down = "$TMP/hooks/ip-down"
	    limits { half-open = 64 setup-rate = 1000 setup-burst = 1000 tunnels = 1000 }
	}
CONF
)
tunnels() {
	local t i
	for ((t = 0; t < tunnels; t++)); do
		echo "tunnel \"t$t\" { remote = \"192.0.2.1\""
		for ((i = 1 + t; i <= n; i += tunnels)); do
			echo "session \"s$i\" { user = \"u$i\" password = \"wonderland\" interface = \"s$i\" }"
		done
		echo "}"
	done
}
lac=$(write_config lac <<-CONF
	defaults {
	    role = lac secret = "tunnel-secret" persist = yes redial-min = 500ms redial-max = 2s ipsec = none
	    hello-interval = 8s echo-interval = 8s
	}
	$(tunnels)
CONF
)

count() { ktun_in "$1" -j show stats | grep -o "\"$2\": *[0-9]*" | sed -n '1s/.* *://p'; }
opened() { (($(count lns sessions) == n && $(count lac sessions) == n && $(count lns sessions_opened) >= n)) && sessions_up lns "$n" && sessions_up lac "$n"; }
# What came up and went again in the rush counts twice.
once() { (($(wc -l <"$TMP/hooks.log") - $(wc -l <"$TMP/down.log") == n && $(cut -d' ' -f1 "$TMP/hooks.log" | sort -u | wc -l) == n)); }
# What must not change: ids, user, addresses, interface, and since when it is up.
facts() {
	lib_sessions "$1" "$2" | sed -E 's/.*"session_id":([0-9]+),"peer_session_id":([0-9]+),"tunnel_id":([0-9]+).*"user":("[^"]*"|null).*"interface":"([^"]*)".*"ip":("[^"]*"|null),"peer_ip":("[^"]*"|null).*"up_since":([0-9]+).*/\1 \2 \3 \4 \5 \6 \7 \8/' | sort
}
same() { facts "$1" "$2" >"$TMP/$1.now"; diff "$TMP/$1.facts" "$TMP/$1.now"; }

{ ktund_start "$LNS" lns "$lns" && ktund_start "$LAC" lac "$lac"; } || fatal "both daemons start"
busywait 200000 opened || fatal "$n sessions come up"
echo "# $n sessions are up after $SECONDS s; $(count lns sessions_opened) came up to get there"
check "ip-up ran for each of $n sessions" busywait 60000 once
: >"$TMP/hooks.log"
: >"$TMP/down.log"
facts lns '"user":"u' >"$TMP/lns.facts"
facts lac '"user":"u' >"$TMP/lac.facts"
check "the facts are there" test "$(wc -l <"$TMP/lns.facts") $(wc -l <"$TMP/lac.facts")" = "$n $n"

# A client's end of each session pings the gateway through its own link.
for ((i = 1; i <= n; i++)); do echo "10.10.0.1 s$i"; done >"$TMP/targets"
ip netns exec "$LAC" "$steady" $((n * 8)) <"$TMP/targets" >"$TMP/steady.out" 2>"$TMP/steady.err" &
pinger=$!
defer kill -KILL $pinger
# What there is of each kind: links, tunnels, sessions and UDP sockets of the kernel, descriptors of the keepers but for their
# threads' netlink sockets.
holds() {
	local where
	for where in "$LNS" "$LAC"; do
		ip -n "$where" -o link show | wc -l
		ns "$where" ip l2tp show tunnel | grep -c '^Tunnel'
		ns "$where" ip l2tp show session | grep -c '^Session'
		ns "$where" cat /proc/net/udp | wc -l
	done
	for where in lns lac; do
		find "/proc/$(keeper_pid $where)/fd" -type l -printf '%l\n' | grep -v ^socket: | sed 's/\[[0-9]*\]//' | sort | uniq -c
	done
}
holds >"$TMP/held.before"

# Others come and go meanwhile.
churn() {
	trap '' HUP
	while [[ ! -e $TMP/enough ]]; do
		ns "$XL" "$hostile" lac 192.0.2.1 1701 sport=$((20000 + RANDOM % 20000)) seconds=3 >>"$TMP/churn.log" 2>&1
	done
}
churn &
churner=$!
defer kill -KILL $churner

nap() { sleep "0.$((RANDOM % 10))$((RANDOM % 10))"; }
# Many sessions on an emulated machine that shares its processors have three seconds; any other case has one.
limit_ms=1000
[[ ${KTUND_VM:-} != tcg ]] || ((n <= 40)) || limit_ms=3000
# The second line of the log since `mark`: how long it took.
mark() { mark=$(wc -l <"$TMP/$1.log"); }
says() { tail -n "+$((mark + 1))" "$TMP/$1.log" | grep -E -- "$2"; }
quick() { local ms; ms=$(says "$1" 'took over' | sed -E 's/.* in ([0-9]+) ms.*/\1/'); echo "took over in $ms ms"; ((ms <= limit_ms)); }
none_lost() { says "$1" "took over 4 tunnels and $n sessions|took over [5-9] tunnels and [0-9]+ sessions"; }
dies() {	# dies NAME NS CONFIG SIGNAL WHAT
	local pid
	pid=$(ktund_pid "$1")
	mark "$1"
	kill -"$4" "$pid"
	wait "$pid" 2>/dev/null
	nap
	check "$5: another one starts" ktund_start "$2" "$1" "$3"
	check "$5: it takes everything over, within $((limit_ms / 1000)) s" eval "none_lost $1 && quick $1"
}
for round in 1 2 3 4 5; do
	nap
	dies lns "$LNS" "$lns" KILL "the LNS's ktund is killed, $round"
	dies lac "$LAC" "$lac" KILL "the LAC's ktund is killed, $round"
done
ns "$XL" "$hostile" tunnels 192.0.2.1 1701 8 "$TMP/go" >"$TMP/half" 2>&1 &
half=$!
check "strangers' tunnels are half-way" busywait 20000 grep -q '^answered=8' "$TMP/half"
dies lns "$LNS" "$lns" ABRT "the LNS's ktund aborts"
: >"$TMP/go"
wait $half
cat "$TMP/half"
check "it hears the SCCCNs of those whose SCCRP was its predecessor's" grep -qx 'up=8 refused=0 unheard=0' "$TMP/half"
dies lac "$LAC" "$lac" TERM "the LAC's ktund is stopped and started"
dies lns "$LNS" "$lns" TERM "the LNS's ktund is stopped and started"
: >"$TMP/enough"
wait $churner
echo "# $(grep -c '^up=1' "$TMP/churn.log") of $(wc -l <"$TMP/churn.log") other calls came up meanwhile"
check "others came up meanwhile" grep -q '^up=1' "$TMP/churn.log"

# HELLOs, echoes and whatever is unacknowledged: 8 s, then the retransmissions of a peer that gives up.
sleep 12
nothing_waits() { ! ktun_in "$1" -j show tunnels | grep -oE '"unacked": *[1-9]'; }
check "HELLOs are answered, at the LNS" busywait 10000 nothing_waits lns
check "HELLOs are answered, at the LAC" busywait 10000 nothing_waits lac
echoes() { lib_sessions "$1" '"user":"u' | grep -c '"echo_received":[1-9]'; }
check "so are echoes" eval '(($(echoes lac) == n))'
kill -TERM $pinger
check "no ping was lost" wait $pinger
sed 's/^/# /' "$TMP/steady.out" | head -n 20
check "the LNS has the same sessions, addresses and ages" same lns '"user":"u'
check "and so has the LAC" same lac '"user":"u'
check "neither ip-up nor ip-down ran for any of them" test "$(wc -l <"$TMP/hooks.log") $(wc -l <"$TMP/down.log")" = "0 0"
only_they() { [[ $(count lns sessions) == "$n" && $(ktun_in lns -j show pools) == *"\"used\":$n,"* ]]; }
check "nobody else holds a session or an address" busywait 40000 only_they
held() { holds >"$TMP/held.now"; diff "$TMP/held.before" "$TMP/held.now"; }
busywait 40000 held
check "no link, no tunnel, no socket, no descriptor of a keeper is left" held
check "ktund has as many descriptors as its sessions need" eval '(($(fds "$(ktund_pid lns)") < 2 * n + tunnels + 40)) && (($(fds "$(ktund_pid lac)") < 2 * n + 2 * tunnels + 40))'

# --- they can be ended as any other

id=$(session_get lns session_id '"user":"u1"')
check "disconnect" ktun_in lns disconnect session "$id"
gone() { [[ -z $(lib_sessions lns "\"session_id\":$id,") ]]; }
check "the session is gone" busywait 10000 gone
check "ip-down ran" busywait 10000 grep -q '^u1 ' "$TMP/down.log"
again() { sessions_up lns "$n" && sessions_up lac "$n"; }
check "the LAC dials it again, once" busywait $((20000 + n * 50)) again

# --- who is not in the file any more

sed -i 's/^tunnel "t3"/tunnel "other"/; s/^user "u2" .*//' "$TMP/lac.conf" "$TMP/lns.conf"
mark lac
kill -KILL "$(ktund_pid lac)"
check "a tunnel is renamed while ktund is away" ktund_start "$LAC" lac "$lac"
check "the old one is ended, and the log says why" busywait 5000 says lac 'tunnel .*: it is not configured any more'
check "the new one comes up" busywait $((30000 + n * 200)) again
mark lns
kill -KILL "$(ktund_pid lns)"
check "a user is removed while ktund is away" ktund_start "$LNS" lns "$lns"
without() { sessions_up lns $((n - 1)) && ! lib_sessions lns '"user":"u2"' | grep .; }
check "his session ends, the others do not" busywait 10000 without
check "the log says why" says lns 'the user was removed'
ktund_stop lac

# --- xl2tpd and pppd as the peer

xl2tpd_lac "$XL" xl 192.0.2.1 xavier wonderland chap ''
xup() { sessions_up lns 1 '"user":"xavier"'; }
check "xl2tpd and pppd: a session" busywait 40000 xup
check "xl2tpd and pppd: their link is up" ppp_ready "$XL" ppp0
ip netns exec "$XL" "$steady" 50 <<<"10.10.0.1 ppp0" >"$TMP/steady.out" 2>&1 &
pinger=$!
defer kill -KILL $pinger
facts lns xavier >"$TMP/lns.facts"
for round in 1 2 3; do
	nap
	kill -KILL "$(ktund_pid lns)"
	nap
	check "xl2tpd and pppd: killed, $round" ktund_start "$LNS" lns "$lns"
done
sleep 12
check "xl2tpd and pppd: the same session" same lns xavier
check "xl2tpd and pppd: HELLOs are answered" busywait 10000 nothing_waits lns
kill -TERM $pinger
check "xl2tpd and pppd: no ping was lost" wait $pinger
sed 's/^/# /' "$TMP/steady.out"
xl2tpd_stop xl
nobody() { [[ $(count lns sessions) == 0 ]]; }
check "xl2tpd hangs up, and nothing is left" busywait 40000 nobody

# --- the end that is one

kill -KILL "$(ktund_pid lns)"
ktund_start "$LNS" lns "$lns" >/dev/null
keeper=$(keeper_pid lns)
check "ktun shutdown ends the keeper of an adopted instance" eval 'ktun_in lns shutdown && busywait 10000 eval "! kill -0 $keeper"'
