#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Peers and surroundings that are not as one would like them, ktund at both ends:   LAC 192.0.2.2 ---- 192.0.2.1 LNS
# HELLOs that nobody acknowledges though packets pass, both ends dialling at once, names and addresses that change.
. "$(dirname "$0")/lib.sh"

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24,2001:db8::2/64
mkdir -p "/etc/netns/$LAC"		# ip-netns(8) binds its files over those in /etc
defer rm -rf "/etc/netns/$LAC"
echo 'nameserver 192.0.2.99' >"/etc/netns/$LAC/resolv.conf"
leak_snapshot

both() {	# both NAME ADDRESS: listens, and dials the other one from its port
	write_config "$1" <<-CONF
		listen "$2" { }
		pool "p$1" { range = "10.10.${2##*.}.0/24" }
		user "bob" { password = "builder" }
		defaults { ipsec = none retransmit-interval = 300ms retransmit-cap = 500ms max-retransmits = 30 redial-min = 500ms
			redial-max = 1s }
		peer "anyone" { address = "0.0.0.0/0" pool = "p$1" local-address = "10.11.0.${2##*.}"
			ipv6 = yes hello-interval = 1s retransmit-interval = 100ms retransmit-cap = 200ms max-retransmits = 6 }
		$3
	CONF
}
lns=$(both lns 192.0.2.1 'tunnel "cross" { remote = "192.0.2.2" local = "192.0.2.1" local-port = 1701 user = "bob" password = "builder"
	persist = yes start = no }')
lac=$(both lac 192.0.2.2 '
	tunnel "deaf" { remote = "192.0.2.1" user = "bob" password = "builder" start = no interface = "deaf" }
	tunnel "cross" { remote = "192.0.2.1" local = "192.0.2.2" local-port = 1701 user = "bob" password = "builder" persist = yes start = no }
	tunnel "family" { remote = "192.0.2.1" local = "2001:db8::2" user = "bob" password = "builder" start = no }
	tunnel "named" { remote = "gateway.example.test" user = "bob" password = "builder" persist = yes redial-max = 1s start = no }')
ktund_start "$LNS" lns "$lns" || fatal "the LNS starts"
ktund_start "$LAC" lac "$lac" || fatal "the LAC starts"
up() { ktun_in "$1" up tunnel "$2" >"$TMP/up" 2>&1 || { cat "$TMP/up"; return 1; }; }
down() { ktun_in lac down tunnel "$1" >/dev/null 2>&1; busywait 10000 sessions_up lac 0; }
says() { grep -qE -- "$2" "$TMP/$1.log"; }

# --- a peer that acknowledges nothing, though its packets come (Android 9 and 10 do not acknowledge HELLO)

check "a session comes up" eval 'up lac deaf && busywait 10000 sessions_up lns 1'
session=$(session_get lns session_id)
spawn "$LAC" pinger ping -n -q -i 0.1 -I deaf 10.11.0.1
PINGER=$SPAWNED
ns "$LAC" nft 'add table inet deaf; add chain inet deaf out { type filter hook output priority 0; }
	add rule inet deaf out udp dport 1701 @th,64,1 1 drop'
check "no control message of the LAC gets through any more" ns "$LAC" nft list table inet deaf
sleep 8
check "the LNS keeps the session, as packets come" test "$(session_get lns session_id)" = "$session"
kill "$PINGER"
gone() { sessions_up lns 0; }
check "without them it soon notices that nobody is there" busywait 15000 gone
check "and says so" says lns 'no answer'
ns "$LAC" nft delete table inet deaf
down deaf

# --- both ends dial at once

established() { ktun_in "$1" -j show tunnels | grep -o '"state": *"established"' | wc -l; }
one_each() { [[ $(established lns) == 1 && $(established lac) == 1 ]]; }
ns "$LAC" nft 'add table inet cut; add chain inet cut out { type filter hook output priority 0; policy drop; }
	add chain inet cut in { type filter hook input priority 0; policy drop; }'
ktun_in lns up tunnel cross >/dev/null 2>&1 &
UPS=$!
ktun_in lac up tunnel cross >/dev/null 2>&1 &
UPS+=" $!"
sleep 2
ns "$LAC" nft delete table inet cut
check "both ends have dialled at once: one tunnel comes" busywait 10000 one_each
check "by the tie breaker" grep -qs "tie breaker: the peer's tunnel stays" "$TMP/lns.log" "$TMP/lac.log"
sleep 4
check "and the one that gave way does not dial beside it" one_each
# shellcheck disable=SC2086
wait $UPS
winner=lac loser=lns
says lac 'tie breaker' && winner=lns loser=lac
check "the winner's tunnel goes down" ktun_in $winner down tunnel cross
again() { [[ $(ktun_in $loser -j show tunnels) == *'"name":"cross"'*'"state":"established"'* ]]; }
check "now the other end dials" busywait 15000 again
ktun_in $loser down tunnel cross
busywait 10000 sessions_up lac 0

# --- IPCP ends, the link stays for IPv6

ip netns exec "$LAC" "$KTUND_BUILD/selftests/net/hostile" lac 192.0.2.1 1701 user=bob password=builder evil=ipcp seconds=10 \
	>"$TMP/ipcp" 2>&1 </dev/null &
HOSTILE=$!
pinged() { sessions_up lns 1 && ns "$LNS" ping -n -q -c 3 -i 0.2 -W 1 -I "$(session_get lns interface)" "$(session_get lns peer_ip)"; }
busywait 8000 sessions_up lns 1
sleep 1
check_fail "a peer whose IPCP has ended answers no ping" pinged
check "its link is still there" sessions_up lns 1
wait "$HOSTILE"
echo "# $(<"$TMP/ipcp")"
check "and none was sent to it" grep -q ' packets=0 ' "$TMP/ipcp"

# --- addresses and names

check_fail "the own end's address is of another family" up lac family
check "the reason is said" says lac 'family: local is an IPv6 address, but 192.0.2.1 has none but IPv4'

cat >"$TMP/dns.py" <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.1", 53))
while True:
	q, peer = s.recvfrom(512)
	end = q.index(0, 12) + 5
	answer = bytes.fromhex("c00c00010001000000010004c0000201") if q[end - 4:end - 2] == b"\0\1" else b""
	s.sendto(q[:2] + b"\x84\x00\0\1\0" + (b"\1" if answer else b"\0") + b"\0\0\0\0" + q[12:end] + answer, peer)
PY
spawn "$LNS" dns python3 "$TMP/dns.py"
ktun_in lac up tunnel named >/dev/null 2>&1 &
check "the name server is not there" busywait 30000 says lac 'named: (cannot resolve|the name server does not answer)'
echo 'nameserver 192.0.2.1' >"/etc/netns/$LAC/resolv.conf"
check "another one in resolv.conf is asked without a restart" busywait 30000 sessions_up lac 1 '"tunnel":"named"'
down named

ktund_stop lac
ktund_stop lns
leak_check "nothing is left"
