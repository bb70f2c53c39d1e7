#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Data with another peer's tunnel and session ids never reaches its interface: from another address, another port, with
# another mark or none, from the other address family, in every form of the header, in fragments.  Then the second belt of
# what has to have IPsec, with the first one taken off.  What a peer can do inside its own SA is 81-nat's.  Last, what the
# same table does for TCP that is forwarded.
#   H ---- A: a keeper, tunnels to addresses of P ---- P: no keeper, every packet made by hand
. "$(dirname "$0")/lib.sh"

drive=$KTUND_BUILD/selftests/net/keeper-drive
inject=$(cd "$(dirname "$0")" && pwd)/l2tp-inject.py
out=$TMP/drive.log
FORMS=-/L/O/LO/S/LS/LOS FRAGMENTS=f-/fL/F-/FLO
[[ $(uname -r) =~ ^([0-9]+)\.([0-9]+) ]]
old=$((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] < 6011))

setup_ns A P
veth_pair "$A" wan 192.0.2.1/24,2001:db8::1/64 "$P" wan 192.0.2.2/24,2001:db8::2/64
ip -n "$P" addr add 192.0.2.3/24 dev wan
ip -n "$P" addr add 2001:db8::3/64 dev wan nodad
marks() {	# a firewall that marks; what comes from port 1905 with this
	ns "$A" nft -f - <<-NFT
		table inet marks
		delete table inet marks
		table inet marks {
			chain pre {
				type filter hook prerouting priority -150
				udp sport { 1901, 1902 } meta mark set 7
				udp sport 1903 meta mark set 8
				udp sport 1905 meta mark set $1
			}
		}
	NFT
}
marks 7 || fatal "a firewall that marks"

keeper_start() {	# [VARIABLE=VALUE]
	mkdir -p "$TMP/a.run"
	rm -f "$TMP/a.run/keeper.sock"
	spawn "$A" a env ${1:-} "$KTUND_BUILD/ktund-keeper" --runtime-dir "$TMP/a.run" --audit 0
	keeper=$SPAWNED
	busywait 10000 test -S "$TMP/a.run/keeper.sock"
}
a() { ns "$A" "$drive" "$TMP/a.run/keeper.sock" hello , "$@" >"$out" 2>&1; local rc=$?; cat "$out"; return $rc; }
# Tunnel, its interface and its one session have the same number.
up() {	# N,LOCAL,PEER,PORT[,WORD]...
	local t n words=()
	for t in "$@"; do
		IFS=, read -r -a t <<<"$t"
		n=${t[0]}
		words+=(, tunnel "$n" "$n" "${t[1]}" 1701 "${t[2]}" "${t[@]:3}" , session "$n" "$n" "$n" "name=s$n" mtu=1400 up v4)
	done
	a "${words[@]:1}"
}
tunnels() {
	up 11,192.0.2.1,192.0.2.2,1701 12,192.0.2.1,192.0.2.3,1701 13,192.0.2.1,192.0.2.2,1801 \
		14,2001:db8::1,2001:db8::2,1701 15,2001:db8::1,2001:db8::3,1701
}
coproc INJECT { ip netns exec "$P" "$inject" 2>"$TMP/inject.log"; }
p() { local sent; echo "$*" >&"${INJECT[1]}"; read -r -t 30 sent <&"${INJECT[0]}"; echo "sent ${sent:-nothing}"; }
# Packets that reached the interface of N, and those of others, came plainly, would go plainly, that were dropped.
look() {
	a stats "$1" , kept >/dev/null
	[[ $(<"$out") =~ rx=([0-9]+).*foreign=([0-9]+)\ plain_in=([0-9]+)\ plain_out=([0-9]+) ]]
}
# So many packets reach the interface of N, and so many are dropped, if these JOBs are done.
reach() {	# N PACKETS DROPPED JOB...
	local n=$1 want=$2 drops=$3 before i
	shift 3
	look "$n"
	before=("${BASH_REMATCH[@]}")
	p "$@"
	for ((i = 0; i < 20; i++)); do
		look "$n"
		arrived=$((BASH_REMATCH[1] - before[1])) foreign=$((BASH_REMATCH[2] - before[2]))
		plain_in=$((BASH_REMATCH[3] - before[3])) plain_out=${BASH_REMATCH[4]}
		((arrived >= want && foreign + plain_in >= drops)) && break
		sleep 0.1
	done
	echo "$arrived arrived, $foreign + $plain_in dropped; wanted $want and $drops"
	((arrived == want && foreign + plain_in == drops))
}
table() { ns "$A" nft list ruleset | grep -q 'table inet ktund-gate-'; }
no_table() { ! table; }

# 7 forms in packets of their own, 4 in fragments
legit4=192.0.2.2,1701,192.0.2.1,1701,11,11 legit6=2001:db8::2,1701,2001:db8::1,1701,14,14
attacks=(
	"from another address"	"192.0.2.3,1701,192.0.2.1,1701,11,11"
	"from another port"	"192.0.2.2,1801,192.0.2.1,1701,11,11"
	"by IPv6"		"2001:db8::3,1701,2001:db8::1,1701,11,11"
)

check "a keeper without its gate" keeper_start KTUND_KEEPER_GATE=0
check "has no table" no_table
check "two peers, three tunnels of theirs, two by IPv6" tunnels
check "a peer's data arrives in all forms" reach 11 11 0 "$legit4,$FORMS/$FRAGMENTS"
for ((i = 0; i < ${#attacks[@]}; i += 2)); do
	if ((old)); then
		check "before 6.11 the kernel itself takes no data ${attacks[i]}" reach 11 0 0 "${attacks[i + 1]},$FORMS/$FRAGMENTS"
	else
		check "without the gate another's data arrives ${attacks[i]}" reach 11 8 0 "${attacks[i + 1]},-/L/O/LO/$FRAGMENTS"
	fi
done
check "stop" a stop
wait "$keeper"

check "a keeper" keeper_start
check "with its table" table
check "the same tunnels" tunnels
check "a peer's data arrives in all forms, and in fragments" reach 11 11 0 "$legit4,$FORMS/$FRAGMENTS"
check "by IPv6, too, but for fragments too short to be judged" reach 14 9 2 "$legit6,$FORMS/$FRAGMENTS"
for ((i = 0; i < ${#attacks[@]}; i += 2)); do
	check "not one packet of another arrives ${attacks[i]}" reach 11 0 11 "${attacks[i + 1]},$FORMS/$FRAGMENTS"
done
check "nor from one who has no tunnel; what is for no tunnel of ours is not the gate's" reach 11 0 11 \
	"192.0.2.3,9999,192.0.2.1,1701,11,11,$FORMS/$FRAGMENTS" "192.0.2.3,1701,192.0.2.1,1701,99,11,$FORMS"
check "nor for IPv6 from another address, nor by IPv4" reach 14 0 22 \
	"2001:db8::3,1701,2001:db8::1,1701,14,14,$FORMS/$FRAGMENTS" "192.0.2.3,1701,192.0.2.1,1701,14,14,$FORMS/$FRAGMENTS"

check "tunnels whose packets have a mark" up 21,192.0.2.1,192.0.2.2,1901,mark=7 22,192.0.2.1,192.0.2.3,1902,mark=7 \
	23,192.0.2.1,192.0.2.2,1903 24,192.0.2.1,192.0.2.2,1904,mark=7 25,192.0.2.1,192.0.2.2,1902
check "with the mark they arrive, without it they do not" reach 21 4 4 \
	192.0.2.2,1901,192.0.2.1,1701,21,21,-/L/O/LO 192.0.2.2,1904,192.0.2.1,1701,24,24,-/L/O/LO
check "a firewall's mark is nobody's" reach 23 4 0 192.0.2.2,1903,192.0.2.1,1701,23,23,-/L/O/LO
check "one that is a tunnel's does not come from another" reach 25 0 4 192.0.2.2,1902,192.0.2.1,1701,25,25,-/L/O/LO
check "they go" a tdown 21 , tdown 22 , tdown 24
check "then the mark is a firewall's" reach 25 4 0 192.0.2.2,1902,192.0.2.1,1701,25,25,-/L/O/LO

check "a tunnel's SA is followed by another, with another mark" eval 'up 26,192.0.2.1,192.0.2.2,1905,mark=7 && a mark 26 9'
check "what is still on its way through the one before arrives" reach 26 2 0 192.0.2.2,1905,192.0.2.1,1701,26,26,-/L

# Nobody else can take it away
check "nft flush ruleset" eval 'ns "$A" nft flush ruleset; table'
check_fail "nft delete table" ns "$A" nft delete table inet "$(ns "$A" nft list tables | awk '/ktund-gate/ { print $3 }')"
check "both change nothing" reach 11 4 4 "$legit4,-/L/O/LO" 192.0.2.3,1701,192.0.2.1,1701,11,11,-/L/O/LO
check "the keeper is upgraded" eval 'kill -USR2 "$keeper"; busywait 20000 grep -q "upgrade 1 ok" "$TMP/a.run/keeper.lock"'
check "still its own peer's data arrives, and nobody else's" reach 11 4 4 \
	"$legit4,-/L/O/LO" 192.0.2.3,1701,192.0.2.1,1701,11,11,-/L/O/LO
marks 7
check "the mark of the SA before is not good for ever" reach 26 0 2 192.0.2.2,1905,192.0.2.1,1701,26,26,-/L
marks 9
check "that of the new one is" reach 26 2 0 192.0.2.2,1905,192.0.2.1,1701,26,26,-/L
check "a tunnel goes, and another comes with its id" eval 'a tdown 12 && up 12,192.0.2.1,192.0.2.3,2001'
check "its data arrives, but not from where it was before" reach 12 2 4 \
	192.0.2.3,2001,192.0.2.1,1701,12,12,-/L 192.0.2.3,1701,192.0.2.1,1701,12,12,-/L/O/LO

# The second belt, with the first one (the kernel's policies, 80-ipsec.sh) taken off.
belt() { a guard 192.0.2.1 1701 192.0.2.2 2001:db8::1 1701 2001:db8::2 && ns "$A" ip xfrm policy flush && no_policy; }
no_policy() { [[ -z $(ns "$A" ip xfrm policy) ]]; }
sends() { for i in s11 s14; do ns "$A" ping -n -q -c 1 -s "$1" -W 1 -I $i 10.255.0.1; done >/dev/null 2>&1; }
# Packets that P had from A, to that address and with a ping of that size inside: 20 + 8 + it, 4 of PPP, 6 of L2TP, 8 of UDP.
seen() { [[ -n $(tcpdump -n -r "$TMP/wire.pcap" "udp port 1701 and dst host $1 and udp[4:2] = $(($2 + 46))" 2>/dev/null) ]]; }
seen6() { [[ -n $(tcpdump -n -r "$TMP/wire.pcap" "ip6 dst $1 and ip6[6] = 17 and ip6[44:2] = $(($2 + 46))" 2>/dev/null) ]]; }
unseen() { ! seen "$1" "$2" && ! seen6 "$3" "$2"; }
ip -n "$A" route add 10.255.0.0/16 dev s11
ip -n "$A" route add 10.255.0.0/16 dev s14 metric 9
check "nothing without IPsec between two pairs of addresses; somebody flushes the policies" belt
capture "$P" wan "$TMP/wire.pcap" udp
sends 100
check "nothing comes in: data in packets and fragments, of both families" reach 11 0 12 \
	"$legit4,-/L/$FRAGMENTS" "$legit6,-/L/$FRAGMENTS"
check "for that reason" test "$plain_in" -eq 12
check "what would go out is counted" test "$plain_out" -eq 2
check "others are as before" reach 12 2 0 192.0.2.3,2001,192.0.2.1,1701,12,12,-/L
policies() { [[ $(ns "$A" ip xfrm policy | grep -c 'priority 90000') -eq 4 ]]; }
check "the next audit puts the policies back" eval 'kill -USR2 "$keeper"; busywait 20000 policies'
check "and says so" grep -q 'audit: policies against traffic without IPsec had been removed; they are back' "$TMP/a.log"
check "the rules go" a guard
check "and all is as it was" reach 11 4 0 "$legit4,-/L/O/LO"
sends 200
capture_stop
check "with the rules nothing went out" unseen 192.0.2.2 100 2001:db8::2
check "without them it does, by IPv4" seen 192.0.2.2 200
check "and by IPv6" seen6 2001:db8::2 200

# H's Ethernet carries 1500, the links 1400: 40 for IP and TCP.  On the wire the MSS is 58 octets behind UDP's beginning.
setup_ns H
veth_pair "$A" lan 10.1.0.1/24 "$H" lan 10.1.0.2/24
ip -n "$H" route add default via 10.1.0.1
ns "$A" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
mss() { ns "$1" nft "add table ip mss; add chain ip mss pre { type filter hook prerouting priority -300; }; add rule ip mss pre $2 counter"; }
mss "$P" 'udp sport 1701 @th,464,32 0x02040550'
mss "$H" 'tcp dport 9 tcp option maxseg size 1360'
fits() { ns "$1" nft list chain ip mss pre | grep -q 'packets [1-9]'; }
syn_out() { spawn "$H" syn timeout 60 bash -c '</dev/tcp/10.255.0.1/9'; busywait 20000 fits "$P"; stop_pid "$SPAWNED"; fits "$P"; }
check "TCP through our links announces no more than fits: outwards" syn_out
check "and inwards" eval 'reach 11 1 0 "$legit4,T"; busywait 20000 fits "$H"'

check "stop" a stop
wait "$keeper"
check "nothing is left" no_table
check "a keeper that is killed" eval 'keeper_start && table && kill -KILL "$keeper"'
wait "$keeper" 2>/dev/null
check "leaves nothing either" busywait 5000 no_table
