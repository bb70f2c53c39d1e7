#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ethernet sessions in L2TPv3 tunnels between two keepers, over UDP and IP, with no negotiation: pings, cookies, the sublayer,
# PPP beside them, where links go, control messages directly over IP, every way out.
. "$(dirname "$0")/lib.sh"

drive=$KTUND_BUILD/selftests/net/keeper-drive
keeper=$KTUND_BUILD/ktund-keeper
out=$TMP/drive.log

keeper_start() {	# NS NAME
	mkdir -p "$TMP/$2.run"
	spawn "$1" "$2" "$keeper" --runtime-dir "$TMP/$2.run"
	busywait 60000 test -S "$TMP/$2.run/keeper.sock"
}
to() { local n=$1 name=$2; shift 2; ns "$n" "$drive" "$TMP/$name.run/keeper.sock" hello , "$@" >"$out" 2>&1; local rc=$?; cat "$out"; return $rc; }
a() { to "$A" a "$@"; }
b() { to "$B" b "$@"; }
says() {	# WORDS COMMAND...: fails, and says so
	local words=$1
	shift
	if "$@"; then echo "did not fail"; return 1; fi
	grep -q -- "$words" "$out"
}
prints() { local words=$1; shift; "$@" && grep -q -- "$words" "$out"; }
said() { cat "$out"; grep -q -- "$1" "$out"; }
no_link() { ! ip -n "$1" link show dev "$2" >/dev/null 2>&1; }
show() { ip -n "$1" l2tp show session | tr -s '\n ' ' ' | grep -q -- "$2"; }
nothing() { [[ -z $(ip -n "$1" l2tp show tunnel; ip -n "$1" l2tp show session) ]]; }

setup_ns A B C
veth_pair "$A" wan 192.0.2.1/24,2001:db8::1/64 "$B" wan 192.0.2.2/24,2001:db8::2/64
ip -n "$A" -batch - <<-'LINKS'
	link add br0 type bridge vlan_filtering 1
	link set br0 up
	link add red type vrf table 10
	link set red up
LINKS
ip -n "$C" link add taken type dummy
check "a keeper" keeper_start "$A" a
A_PID=$SPAWNED
check "and another" keeper_start "$B" b
leak_snapshot

# --- Sessions: 1 with cookies, 2 with the sublayer, 3 with cookies that differ, 4 over IPv6, 5 in sequence, 6 over IP, 7 over IP
# in IPv6, 8 whose link goes to another namespace at A; all with addresses 10.N.0.1 and 10.N.0.2
check "A: tunnels of L2TPv3 and Ethernet sessions" a \
	tunnel 17 0x89abcdef 192.0.2.1 1701 192.0.2.2 1701 v3 , \
	eth 17 1 0xa0000001 0xb0000001 name=pw1 mtu=1400 tx=0102030405060708 rx=11121314 up , \
	eth 17 2 0xa0000002 0xb0000002 name=pw2 l2spec up , \
	eth 17 3 0xa0000003 0xb0000003 tx=01020304 rx=01020304 up , \
	tunnel 18 7 2001:db8::1 1701 2001:db8::2 1701 v3 , \
	eth 18 4 0xa0000004 0xb0000004 name=pw4 up , \
	eth 18 5 0xa0000005 0xb0000005 name=pw5 seq up , \
	tunnel 21 61 192.0.2.1 ip 192.0.2.2 ip v3 , \
	eth 21 6 0xa0000006 0xb0000006 name=pw6 tx=0102030405060708 rx=11121314 up , \
	tunnel 22 62 2001:db8::1 ip 2001:db8::2 ip v3 , \
	eth 22 7 0xa0000007 0xb0000007 name=pw7 up , \
	eth 17 8 0xa0000008 0xb0000008 name=pw8 netns="$C" up , \
	session 17 50 0 wire=0xa0000032,0xb0000032 tx=01020304 rx=05060708 name=ppp4 mtu=1400 ip=10.9.0.1,10.9.0.2 up v4 , \
	session 22 51 0 wire=0xa0000033,0xb0000033 name=ppp6 mtu=1400 ip=10.10.0.1,10.10.0.2 up v4
check "a link of its own name" said 'eth: 0 name=l2tpeth0 '
check "one in another namespace has no number here" said 'eth: 0 name=pw8 ifindex=0 '
# What the outer path leaves: 1500 less IP, UDP with L2TP's own 4 octets, session id, cookie, sublayer, Ethernet header.
check "MTU: as wanted" said 'name=pw1 ifindex=[1-9][0-9]* mtu=1400 fds=0'
check "MTU: UDP, sublayer" said "name=pw2 .* mtu=$((1500 - 20 - 8 - 4 - 4 - 4 - 14)) "
check "MTU: UDP, cookie of 4" said "name=l2tpeth0 .* mtu=$((1500 - 20 - 8 - 4 - 4 - 4 - 14)) "
check "MTU: UDP over IPv6" said "name=pw4 .* mtu=$((1500 - 40 - 8 - 4 - 4 - 14)) "
check "MTU: IP, cookie of 8" said "name=pw6 .* mtu=$((1500 - 20 - 4 - 8 - 14)) "
check "MTU: IPv6" said "name=pw7 .* mtu=$((1500 - 40 - 4 - 14)) "
check "B: the other ends" b \
	tunnel 42 0x12345678 192.0.2.2 1701 192.0.2.1 1701 v3 , \
	eth 42 1 0xb0000001 0xa0000001 name=pw1 mtu=1400 tx=11121314 rx=0102030405060708 up , \
	eth 42 2 0xb0000002 0xa0000002 name=pw2 l2spec up , \
	eth 42 3 0xb0000003 0xa0000003 name=l2tpeth0 tx=01020305 rx=01020304 up , \
	tunnel 43 7 2001:db8::2 1701 2001:db8::1 1701 v3 , \
	eth 43 4 0xb0000004 0xa0000004 name=pw4 up , \
	eth 43 5 0xb0000005 0xa0000005 name=pw5 seq up , \
	tunnel 61 21 192.0.2.2 ip 192.0.2.1 ip v3 , \
	eth 61 6 0xb0000006 0xa0000006 name=pw6 tx=11121314 rx=0102030405060708 up , \
	tunnel 62 22 2001:db8::2 ip 2001:db8::1 ip v3 , \
	eth 62 7 0xb0000007 0xa0000007 name=pw7 up , \
	eth 42 8 0xb0000008 0xa0000008 name=pw8 up , \
	session 42 50 0 wire=0xb0000032,0xa0000032 tx=05060708 rx=01020304 name=ppp4 mtu=1400 ip=10.9.0.2,10.9.0.1 up v4 , \
	session 62 51 0 wire=0xb0000033,0xa0000033 name=ppp6 mtu=1400 ip=10.10.0.2,10.10.0.1 up v4
check "ip l2tp shows their ids" show "$A" 'Session 2684354561 in tunnel 17 Peer session 2952790017, tunnel 2309737967'
for n in 1 2 3 4 5 6 7 8; do
	name=pw$n
	((n != 3)) || name=l2tpeth0
	((n == 8)) || echo "address add 10.$n.0.1/24 dev $name" >>"$TMP/a.addr"
	echo "address add 10.$n.0.2/24 dev $name" >>"$TMP/b.addr"
done
ip -n "$A" -batch "$TMP/a.addr"
ip -n "$B" -batch "$TMP/b.addr"
ip -n "$C" address add 10.8.0.1/24 dev pw8
check "UDP, cookies of 8 and 4: pings" ping_ok "$A" 10.1.0.2 56 1372 4000
check "the Default Sublayer" ping_ok "$A" 10.2.0.2 56
check_fail "cookies that differ: nothing passes" ns "$A" ping -n -c 2 -i 0.2 -W 1 10.3.0.2
check "UDP over IPv6" ping_ok "$A" 10.4.0.2 56 3000
check "sequence numbers" ping_ok "$A" 10.5.0.2 56
check "IP, cookies" ping_ok "$A" 10.6.0.2 56 4000
check "IPv6" ping_ok "$A" 10.7.0.2 56 4000
check "from the other namespace" ping_ok "$C" 10.8.0.2 56
check "PPP over UDP, cookies" ping_ok "$A" 10.9.0.2 56 3000
check "PPP over IPv6" ping_ok "$A" 10.10.0.2 56
check "the kernel numbers what is in sequence" eval '"$KTUND_BUILD/ktun" -n "$A" -j show session session_id $((0xa0000005)) | grep -q "\"send_seq\":null,\"recv_seq\":null"'
check "counters" prints 'session=1 rx=[1-9][0-9]* tx=[1-9]' a stats 1
check "of all, also those whose link is elsewhere" eval 'a stats 0 && said "session=1 rx=[1-9]" && said "session=8 rx=[1-9][0-9]* tx=[1-9]"'

# --- Where links go
check "a port of VLAN 30 of a bridge, and a VRF's" a eth 17 30 30 30 name=port bridge=br0 vlan=30 , eth 17 31 31 31 name=inred vrf=red up
port_is() { bridge -n "$A" vlan show dev port | grep -q '30 PVID Egress Untagged' && ip -n "$A" -br link show master br0 | grep -q '^port .*UP'; }
check "the port is one, and up" port_is
vrf_is() { ip -n "$A" -br link show master red | grep -q '^inred .*UP'; }
check "the VRF has the other" vrf_is
check "no bridge of this name: says so" says 'bridge br9: No such device' a eth 17 33 33 33 bridge=br9
check "no namespace of this name" says 'network namespace: No such file or directory: nowhere' a eth 17 33 33 33 netns=nowhere
check "a path for a namespace" says '-22 .*namespace' a eth 17 33 33 33 netns=../x
check "a name that is taken there" says 'move to the network namespace: File exists' a eth 17 33 33 33 name=taken netns="$C"

# --- Directly over IP: one listener hears the control messages of strangers and of tunnels
hears() {	# ADDR WORDS COMMAND...: by it the listener of b at ADDR hears WORDS
	local addr=$1 words=$2
	shift 2
	ns "$B" "$drive" "$TMP/b.run/keeper.sock" hello , listen "$addr" ip , hear 20000 >"$TMP/heard" 2>&1 &
	busywait 20000 grep -q '^listen: 0' "$TMP/heard"
	"$@"
	wait $!
	cat "$TMP/heard"
	grep -qF -- "$words" "$TMP/heard"
}
check "over IP: a listener has two sockets" prints 'listen: 0 .*fds=2' a listen 192.0.2.1 ip , listen 192.0.2.1 ip
check "a message to one that knows no tunnel" hears 192.0.2.2 'from=ip:192.0.2.1 to=192.0.2.2 "hello"' \
	a listen 192.0.2.1 ip , say 192.0.2.2 hello
check "in IPv6" hears 2001:db8::2 'from=ip:2001:db8::1 to=2001:db8::2 "greetings"' \
	a listen 2001:db8::1 ip , say 2001:db8::2 greetings
from_tunnel() { a listen 192.0.2.1 ip , tunnel 23 63 192.0.2.1 ip 192.0.2.2 ip v3 , tell 192.0.2.2 "from tunnel 23" , tdown 23; }
check "a tunnel's own message" hears 192.0.2.2 '"from tunnel 23"' from_tunnel
check "what hears cannot send" says '^forge: -32 ' a listen 192.0.2.1 ip , forge
check "one with no checksum: there is none to leave out" says '-22 .*encapsulation' a tunnel 24 64 192.0.2.1 ip 192.0.2.2 ip v3 nocsum
check "L2TPv2 over IP: there is no such thing" says '-22 .*encapsulation' a tunnel 24 64 192.0.2.1 ip 192.0.2.2 ip
check "half over UDP" says '-22 .*encapsulation' a tunnel 24 64 192.0.2.1 1701 192.0.2.2 ip v3
check "an id on the wire that another tunnel over IP has" says 'SESSION_CREATE: File exists' a eth 22 45 0xa0000006 1
only_admin() { grep -q '^CapEff:[[:space:]]*0000000000001000$' "/proc/$A_PID/status"; }
check "the keeper still has CAP_NET_ADMIN and nothing else in effect" only_admin
no_raw() {
	mkdir -p "$TMP/c.run"
	spawn "$C" c setpriv --bounding-set=-all,+net_admin,+chown "$keeper" --runtime-dir "$TMP/c.run"
	busywait 60000 test -S "$TMP/c.run/keeper.sock"
	says 'the keeper needs CAP_NET_RAW' to "$C" c listen 127.0.0.1 ip
}
check "without CAP_NET_RAW it says so" no_raw
stop_pid "$SPAWNED"

# --- Refusals say why, and leave nothing
check "a PPP session of L2TPv2 in it" says '-91 .*the tunnel is L2TPv3' a session 17 20 20
check "an Ethernet session in a tunnel of L2TPv2" says '-91 .*the tunnel is L2TPv2' a tunnel 19 8 192.0.2.1 1701 192.0.2.3 1701 , eth 19 20 1 1
check "a session id of the wire that is taken" says '-17 .*on the wire' a eth 17 20 0xa0000001 9
check "a name that is taken" says 'SESSION_CREATE: File exists' a eth 17 20 0xa0000009 9 name=pw1
check "a cookie of three octets" says '-22 .*cookie' a eth 17 20 0xa0000009 9 tx=010203
check "LINK_SET is not for it" says '-95 ' a set 1 mtu=1300
check "none of them is there" says '-2 ' a sdown 20
older() { ! ns "$A" "$drive" "$TMP/a.run/keeper.sock" hello 2 >"$out" 2>&1 && grep -q 'different versions' "$out"; }
check "a ktund of another version" older

# --- The keeper executes itself anew
upgraded() { kill -0 "$A_PID" && grep -q 'upgraded to version' "$TMP/a.log"; }
upgrade() { ns "$A" "$KTUND_BUILD/ktund" --upgrade-keeper --runtime-dir "$TMP/a.run" && busywait 20000 upgraded; }
check "an upgrade of the keeper" upgrade
check "knows its sessions" prints 'tunnel=17 session=1 name=pw1' a list
check "both sockets of its listener" said 'list: 0 kind=2 .*fds=2'
check "which sends" hears 192.0.2.2 '"again"' a listen 192.0.2.1 ip , say 192.0.2.2 again
check "and keeps the sessions" ping_ok "$A" 10.1.0.2 56
check "those over IP" ping_ok "$A" 10.6.0.2 56
check "and those of PPP" ping_ok "$A" 10.9.0.2 56

# --- Ends
check "session down" a sdown 2 , sdown 8 , sdown 50
check "its link is gone" no_link "$A" pw2
check "also from another namespace" no_link "$C" pw8
check "and the PPP session" eval 'no_link "$A" ppp4 && ! show "$A" "Session 2684354610 "'
check "the id and the name can be used again" a eth 17 2 0xa0000002 0xb0000002 name=pw2 l2spec
deleted() {
	ns "$B" "$drive" "$TMP/b.run/keeper.sock" hello , event 20000 >"$TMP/event" 2>&1 &
	busywait 10000 grep -q hello "$TMP/event"
	ip -n "$B" l2tp del session tunnel_id 42 session_id 0xb0000001
	wait $!
	cat "$TMP/event"
	grep -qE 'event: 0 (LINK|SESSION)_GONE tunnel=42 session=1' "$TMP/event"
}
check "ip l2tp deletes one, and its owner hears of it" deleted
check "which takes it down" b sdown 1
check "a tunnel goes with its sessions" a tdown 17
check "their links are gone" eval 'no_link "$A" pw1 && no_link "$A" port && no_link "$A" inred'
check "all of it" a tdown 18 , tdown 19 , tdown 21 , tdown 22 , unlisten 192.0.2.1 ip , unlisten 2001:db8::1 ip
check "all of it, there" b tdown 42 , tdown 43 , tdown 61 , tdown 62 , unlisten 192.0.2.2 ip , unlisten 2001:db8::2 ip
check "the kernel has nothing" nothing "$A"
check "nothing there" nothing "$B"
leak_check "nothing is left"
