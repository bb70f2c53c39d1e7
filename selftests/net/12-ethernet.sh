#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ethernet sessions in L2TPv3 tunnels between two keepers, with no negotiation: pings, cookies, the sublayer, every way out.
. "$(dirname "$0")/lib.sh"

drive=$KTUND_BUILD/selftests/net/keeper-drive
keeper=$KTUND_BUILD/ktund-keeper
out=$TMP/drive.log

keeper_start() {	# NS NAME
	mkdir -p "$TMP/$2.run"
	spawn "$1" "$2" "$keeper" --runtime-dir "$TMP/$2.run"
	busywait 10000 test -S "$TMP/$2.run/keeper.sock"
}
a() { ns "$A" "$drive" "$TMP/a.run/keeper.sock" hello , "$@" >"$out" 2>&1; local rc=$?; cat "$out"; return $rc; }
b() { ns "$B" "$drive" "$TMP/b.run/keeper.sock" hello , "$@" >"$out" 2>&1; local rc=$?; cat "$out"; return $rc; }
says() {	# WORDS COMMAND...: fails, and says so
	local words=$1
	shift
	if "$@"; then echo "did not fail"; return 1; fi
	grep -q -- "$words" "$out"
}
prints() {
	local words=$1
	shift
	"$@" && grep -q -- "$words" "$out"
}
address() { ip -n "$1" address add "$3" dev "$2"; }
no_link() { ! ip -n "$1" link show dev "$2" >/dev/null 2>&1; }
mtu_is() { ip -n "$1" -o link show dev "$2" | grep -q "mtu $3 "; }
show() { ip -n "$1" l2tp show session | tr -s '\n ' ' ' | grep -q -- "$2"; }
nothing() { [[ -z $(ip -n "$1" l2tp show tunnel; ip -n "$1" l2tp show session) ]]; }

setup_ns A B C
veth_pair "$A" wan 192.0.2.1/24,2001:db8::1/64 "$B" wan 192.0.2.2/24,2001:db8::2/64
check "a keeper" keeper_start "$A" a
A_PID=$SPAWNED
check "and another" keeper_start "$B" b
leak_snapshot

check "a tunnel of L2TPv3, A" a tunnel 17 0x89abcdef 192.0.2.1 1701 192.0.2.2 1701 v3
check "a tunnel of L2TPv3, B" b tunnel 42 0x12345678 192.0.2.2 1701 192.0.2.1 1701 v3
check "an Ethernet session with cookies, A" prints 'name=pw0 ifindex=[1-9].* mtu=1400 fds=0' \
	a eth 17 5 0xa0000001 0xb0000001 name=pw0 mtu=1400 tx=0102030405060708 rx=11121314 up
check "an Ethernet session with cookies, B" \
	b eth 42 6 0xb0000001 0xa0000001 name=pw0 mtu=1400 tx=11121314 rx=0102030405060708 up
check "ip l2tp shows its ids" show "$A" 'Session 2684354561 in tunnel 17 Peer session 2952790017, tunnel 2309737967'
check "the link has the MTU" mtu_is "$A" pw0 1400
check "addresses are its user's to give" address "$A" pw0 10.1.0.1/24
check "there, too" address "$B" pw0 10.1.0.2/24
check "ping, sizes 0 to 4000" ping_ok "$A" 10.1.0.2 0 56 1372 4000
check "counters" prints 'session=5 rx=[1-9][0-9]* tx=[1-9]' a stats 5

# A second one in the same tunnel, with the sublayer; then one with another cookie
check "the Default L2-Specific Sublayer, A" a eth 17 7 0xa0000002 0xb0000002 name=pw1 l2spec up
check "the Default L2-Specific Sublayer, B" b eth 42 8 0xb0000002 0xa0000002 name=pw1 l2spec up
check "an address" address "$A" pw1 10.2.0.1/24
check "and another" address "$B" pw1 10.2.0.2/24
check "ping beside the first" ping_ok "$A" 10.2.0.2 56
check "a cookie that differs, A" prints 'name=l2tpeth0' a eth 17 9 0xa0000003 0xb0000003 tx=01020304 rx=01020304 up
check "a cookie that differs, B" b eth 42 10 0xb0000003 0xa0000003 name=pw2 tx=01020305 rx=01020304 up
check "an address" address "$A" l2tpeth0 10.3.0.1/24
check "and another" address "$B" pw2 10.3.0.2/24
check_fail "nothing passes" ns "$A" ping -n -c 2 -i 0.2 -W 1 10.3.0.2
check "the others still do" ping_ok "$A" 10.1.0.2 56

# What the outer path leaves: 1500 less IP, UDP with L2TP's own 4 octets, session id, cookie, sublayer, Ethernet header
check "MTU of a session with a cookie" mtu_is "$A" l2tpeth0 $((1500 - 20 - 8 - 4 - 4 - 4 - 14))
check "and with the sublayer" mtu_is "$A" pw1 $((1500 - 20 - 8 - 4 - 4 - 4 - 14))
check "the keeper says so" prints "name=told ifindex=[1-9].* mtu=$((1500 - 20 - 8 - 4 - 4 - 14)) " a eth 17 90 90 90 name=told , sdown 90

# Where the link goes
ip -n "$A" -batch - <<-'LINKS'
	link add br0 type bridge vlan_filtering 1
	link set br0 up
	link add red type vrf table 10
	link set red up
LINKS
check "a port of VLAN 30 of a bridge" a eth 17 30 30 30 name=port bridge=br0 vlan=30
port_is() { bridge -n "$A" vlan show dev port | grep -q '30 PVID Egress Untagged' && ip -n "$A" -br link show master br0 | grep -q '^port .*UP'; }
check "is one, and up" port_is
check "a VRF's" a eth 17 31 31 31 name=inred vrf=red up
vrf_is() { ip -n "$A" -br link show master red | grep -q '^inred .*UP'; }
check "is the VRF's" vrf_is
check "one in another network namespace" prints 'name=far ifindex=0 ' a eth 17 32 32 32 name=far netns="$C" up
check "the other end of it, here" b eth 42 32 32 32 name=near up
far() { ip -n "$C" -br link show far | grep -q UP; }
check "is there and up" far
check "an address" address "$C" far 10.5.0.1/24
check "and another" address "$B" near 10.5.0.2/24
check "ping from there" ping_ok "$C" 10.5.0.2 56 1372
check "its counters" prints 'session=32 rx=[1-9][0-9]* tx=[1-9]' a stats 32
check "no bridge of this name: says so" says 'bridge br9: No such device' a eth 17 33 33 33 bridge=br9
check "no namespace of this name" says 'network namespace: No such file or directory: nowhere' a eth 17 33 33 33 netns=nowhere
check "a path for a namespace" says '-22 .*namespace' a eth 17 33 33 33 netns=../x
ip -n "$C" link add taken type dummy
check "a name that is taken there" says 'move to the network namespace: File exists' a eth 17 33 33 33 name=taken netns="$C"
check "they go" a sdown 30 , sdown 31 , sdown 32
check "from there, too" no_link "$C" far
ip -n "$A" link del br0
ip -n "$A" link del red

# Over IPv6
check "over IPv6, A" a tunnel 18 7 2001:db8::1 1701 2001:db8::2 1701 v3 , eth 18 11 0xa0000004 0xb0000004 name=six up
check "over IPv6, B" b tunnel 43 7 2001:db8::2 1701 2001:db8::1 1701 v3 , eth 43 12 0xb0000004 0xa0000004 name=six up
check "an address" address "$A" six 10.4.0.1/24
check "and another" address "$B" six 10.4.0.2/24
check "ping in IPv6" ping_ok "$A" 10.4.0.2 56 1372 3000

# Sequence numbers
check "in sequence, A" a eth 18 13 0xa0000005 0xb0000005 name=seq seq up
check "in sequence, B" b eth 43 14 0xb0000005 0xa0000005 name=seq seq up
check "an address" address "$A" seq 10.6.0.1/24
check "and another" address "$B" seq 10.6.0.2/24
check "ping in sequence" ping_ok "$A" 10.6.0.2 56 3000
numbered() { "$KTUND_BUILD/ktun" -n "$A" -j show session session_id $((0xa0000005)) | grep -q '"send_seq":null,"recv_seq":null'; }
check "the kernel numbers them" numbered

# Refusals say why, and leave nothing
check "a PPP session in it" says '-91 .*the tunnel is L2TPv3' a session 17 20 20
check "a tunnel of L2TPv2" a tunnel 19 8 192.0.2.1 1701 192.0.2.3 1701
check "an Ethernet session in that" says '-91 .*the tunnel is L2TPv2' a eth 19 20 1 1
check "a session id of the wire that is taken" says '-17 .*on the wire' a eth 17 20 0xa0000001 9
check "a name that is taken" says 'SESSION_CREATE: File exists' a eth 17 20 0xa0000009 9 name=pw0
check "a cookie of three octets" says '-22 .*cookie' a eth 17 20 0xa0000009 9 tx=010203
check "LINK_SET is not for it" says '-95 ' a set 5 mtu=1300
check "none of them is there" says '-2 ' a sdown 20
older() { ! ns "$A" "$drive" "$TMP/a.run/keeper.sock" hello 2 >"$out" 2>&1 && grep -q 'different versions' "$out"; }
check "a ktund of another version" older

# The keeper executes itself anew
upgraded() { kill -0 "$A_PID" && grep -q 'upgraded to version' "$TMP/a.log"; }
upgrade() { ns "$A" "$KTUND_BUILD/ktund" --upgrade-keeper --runtime-dir "$TMP/a.run" && busywait 10000 upgraded; }
check "an upgrade of the keeper" upgrade
check "keeps the sessions" ping_ok "$A" 10.1.0.2 56
check "and knows them" prints 'tunnel=17 session=5 name=pw0' a list

# Ends
check "session down" a sdown 7
check "its link is gone" no_link "$A" pw1
check "the id and the name can be used again" a eth 17 7 0xa0000002 0xb0000002 name=pw1 l2spec
deleted() {
	ns "$B" "$drive" "$TMP/b.run/keeper.sock" hello , event 20000 >"$out" 2>&1 &
	sleep 1
	ip -n "$B" l2tp del session tunnel_id 42 session_id 0xb0000001
	wait $!
	cat "$out"
	grep -qE 'event: 0 (LINK|SESSION)_GONE tunnel=42 session=6' "$out"
}
check "ip l2tp deletes one, and its owner hears of it" deleted
check "which takes it down" b sdown 6
check "a tunnel goes with its sessions" a tdown 17
check "their links are gone" no_link "$A" pw0
check "all of it" a tdown 18 , tdown 19
check "all of it, there" b tdown 42 , tdown 43
check "the kernel has nothing" nothing "$A"
check "nothing there" nothing "$B"
leak_check "nothing is left"
