#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is ours in the kernel and in nobody's hands goes, what vanished is noticed, what is others' stays: after a crash of
# the keeper and in its audits.  Then how it stops.  A: keepers a and c and a foreign tunnel ---- B: keeper b
# shellcheck disable=SC2016
. "$(dirname "$0")/lib.sh"

drive=$KTUND_BUILD/selftests/net/keeper-drive
mkdir -p "$TMP/bin" "$TMP/etc"
cp "$KTUND_BUILD/ktund-keeper" "$TMP/bin/real"
cp "$KTUND_BUILD/ktund-keeper" "$TMP/bin/keeper"
chmod 755 "$TMP" "$TMP/etc"
out=$TMP/drive.log

start() {	# NS NAME ARG...
	local n=$1 name=$2
	shift 2
	mkdir -p "$TMP/$name.run"
	rm -f "$TMP/$name.run/keeper.sock"
	spawn "$n" "$name" "$TMP/bin/keeper" --runtime-dir "$TMP/$name.run" "$@"
	busywait 10000 test -S "$TMP/$name.run/keeper.sock"
}
to() { local n=$1 name=$2; shift 2; ns "$n" "$drive" "$TMP/$name.run/keeper.sock" hello , "$@" >"$out" 2>&1; local rc=$?; cat "$out"; return $rc; }
a() { to "$A" a "$@"; }
b() { to "$B" b "$@"; }
c() { to "$A" c "$@"; }
prints() { local words=$1; shift; "$@" && grep -qE -- "$words" "$out"; }
link() { ip -n "$A" link show dev "$1"; }
no_link() { ! link "$1" >/dev/null 2>&1; }
tunnel() { ns "$A" ip l2tp show tunnel tunnel_id "$1" | grep -q "Tunnel $1,"; }
no_tunnel() { ! tunnel "$1"; }
pinned() { ip -n "$A" route show | grep -q "^$1 .*proto 107"; }
not_pinned() { ! pinned "$1"; }
says() { grep -qE -- "$2" "$TMP/$1.log"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
spawned() { pids="$pids $SPAWNED"; }

setup_ns A B
veth_pair "$A" wan 192.0.2.1/24 "$B" wan 192.0.2.2/24
ip -n "$A" addr add 192.0.2.3/24 dev wan
ip -n "$A" route add 198.51.100.0/24 via 192.0.2.2
check "keepers a and c in one namespace, b in another" eval \
	'start "$A" a --audit 1 && a_pid=$SPAWNED && start "$A" c --audit 1 && start "$B" b --audit 0'
check "a tunnel and a session each" eval '
	a tunnel 17 42 192.0.2.1 1701 192.0.2.2 1701 , session 17 5 6 name=ours mtu=1400 ip=10.1.0.1,10.1.0.2 up v4 &&
	b tunnel 42 17 192.0.2.2 1701 192.0.2.1 1701 , session 42 6 5 lns mtu=1400 ip=10.1.0.2,10.1.0.1 up v4 &&
	c tunnel 18 43 192.0.2.3 1701 192.0.2.2 1701 , session 18 7 8 name=theirs mtu=1400 ip=10.2.0.1,10.2.0.2 up v4 &&
	b tunnel 43 18 192.0.2.2 1701 192.0.2.3 1701 , session 43 8 7 lns mtu=1400 ip=10.2.0.2,10.2.0.1 up v4'
check "and Ethernet sessions of L2TPv3, over UDP and over IP" eval '
	a tunnel 19 49 192.0.2.1 1701 192.0.2.2 1702 v3 , eth 19 9 0xa0000009 9 name=ether tx=01020304 up &&
	a tunnel 21 51 192.0.2.1 ip 192.0.2.2 ip v3 , eth 21 11 0xa000000b 11 name=overip up'
ns "$A" ip l2tp add tunnel tunnel_id 77 peer_tunnel_id 77 encap ip local 192.0.2.1 remote 192.0.2.2
ip -n "$A" link add foreign type dummy
ip -n "$A" link set foreign alias 'ktund 0123456789abcdef 17/5'
id=$(<"$TMP/a.run/keeper.id")
others() { tunnel 77 && tunnel 18 && link foreign && ping_ok "$A" 10.2.0.2 56; }
check "links say whose they are" eval 'link ours | grep -qx "  *alias ktund $id 17/5"'
check "each instance has its own number" eval '[[ $id =~ ^[0-9a-f]{16}$ ]] && [[ $id != "$(<"$TMP/c.run/keeper.id")" ]]'

# --- audit: what appeared
check "audits come by themselves, and have nothing to say" prints 'AUDITED .*vanished=0 removed=0' a audited 5000
ip -n "$A" link add stray type dummy
ip -n "$A" link set stray alias "ktund $id 17/999"
check "a link of ours without a session is removed" busywait 5000 no_link stray
check "and the log says so" says a 'audit: a link of session 999 of tunnel 17 had no owner'
# A stranger's PPPoL2TP socket in our tunnel: no privileges needed.
spawn "$A" stranger perl -e 'socket(my $s, 24, 2, 1) or die; connect($s, pack("S L l l x16 S4", 24, 1, 0, -1, 17, 99, 42, 99)) or die "$!"; print "in\n"; $|=1; sleep 60'
in_tunnel() { ns "$A" ip l2tp show session tunnel_id 17 session_id 99 | grep -q 'Session 99 '; }
out_of_tunnel() { ! in_tunnel; }
busywait 5000 in_tunnel || says a 'session 99 was in our tunnel' || cat "$TMP/stranger.log"
check "a stranger's session in our tunnel is removed" busywait 5000 says a 'session 99 was in our tunnel 17'
check "it is gone" busywait 3000 out_of_tunnel
check "ours is alive" ping_ok "$A" 10.1.0.2 56
check "nothing of others was touched" others

ns "$A" ip l2tp add session tunnel_id 19 session_id 950 peer_session_id 950 name stranger
check "a stranger's Ethernet session in our tunnel, too" busywait 5000 says a 'session 950 was in our tunnel 19'
check "with its link" busywait 3000 no_link stranger
ethers() { link ether && link overip && ! says a 'session (9|11) of|session 26843545'; }
check "ours stay" ethers

# --- audit: what vanished, while nobody listened
cat >"$TMP/bin/new" <<-SH
	#!/bin/sh
	if [ "\$1" = --take-over ]; then
		ip link del ours
	fi
	exec $TMP/bin/real "\$@"
SH
chmod 755 "$TMP/bin/new"
mv "$TMP/bin/new" "$TMP/bin/keeper"
background() {
	rm -f "$TMP/event.log"
	spawn "$A" event "$drive" "$TMP/a.run/keeper.sock" hello , event 15000
	bg=$SPAWNED
	busywait 5000 grep -qs hello "$TMP/event.log"
}
told() { wait "$bg"; cat "$TMP/event.log"; grep -qE "$1" "$TMP/event.log"; }
background
kill -USR2 "$a_pid"
check "a link that vanished during an upgrade is missed" told 'LINK_GONE tunnel=17 session=5'
cp "$TMP/bin/real" "$TMP/bin/keeper2"
mv "$TMP/bin/keeper2" "$TMP/bin/keeper"
check "its session goes, another comes" a sdown 5 , session 17 5 6 name=ours mtu=1400 ip=10.1.0.1,10.1.0.2 up v4

# --- audit and set-ups in flight
: >"$TMP/before"
cp "$TMP/a.log" "$TMP/before"
churn() { for i in 1 2 3 4; do a many 17 2000 32 , ethers 21 4000 32 , fewer 2000 32 , fewer 4000 32 || return 1; done; }
check "sessions come and go under audits" churn
quiet() { ! tail -n "+$(($(wc -l <"$TMP/before") + 1))" "$TMP/a.log" | grep -E 'audit:|vanished|deleted it'; }
check "and none is mistaken" quiet

# --- a crash, while somebody still holds the descriptors
spawn "$A" holder "$drive" "$TMP/a.run/keeper.sock" hello , tunnel 20 44 192.0.2.1 1701 198.51.100.7 1801 , \
	session 20 30 31 name=held mtu=1400 ip=10.3.0.1,10.3.0.2 route=10.9.0.0/16 pin up v4 , \
	tunnel 22 52 192.0.2.1 ip 192.0.2.2 ip v3 , eth 22 32 32 32 name=heldeth up , \
	tunnel 23 53 192.0.2.1 1701 192.0.2.2 1703 v3 , eth 23 33 33 33 name=heldudp up , hold
holder=$SPAWNED
check "a tunnel, a link and a pinned route that a client holds" eval \
	'busywait 5000 grep -q holding "$TMP/holder.log" && tunnel 20 && tunnel 22 && tunnel 23 && link held && link heldeth && pinned 198.51.100.7'
ip -n "$A" route add 203.0.113.7/32 via 192.0.2.2 proto 107
kill -STOP "$holder"
kill -KILL "$a_pid"
wait "$a_pid" 2>/dev/null
left() { tunnel 20 && tunnel 22 && link held && link heldeth && pinned 198.51.100.7; }
check "they outlive the keeper" left
check "another keeper starts" start "$A" a --audit 1
a_pid=$SPAWNED
check "and says what it swept" says a 'swept what a keeper before us left: [1-9][0-9]* links, [1-9][0-9]* tunnels, 1 routes'
check "the tunnel is gone" busywait 3000 no_tunnel 20
check "the link is gone" no_link held
check "those of L2TPv3, over IP and over UDP" eval 'busywait 3000 no_tunnel 22 && busywait 3000 no_tunnel 23'
check "with their links" eval 'busywait 3000 no_link heldeth && busywait 3000 no_link heldudp'
check "the route is gone" not_pinned 198.51.100.7
check "a route of the same protocol that we did not make is there" pinned 203.0.113.7
check "nothing of others was touched" others
kill -KILL "$holder"
check "the number is the same as before" test "$(<"$TMP/a.run/keeper.id")" = "$id"
check "the next has nothing to sweep" eval 'kill -TERM "$a_pid" && busywait 10000 gone "$a_pid" && : >"$TMP/a.log" && start "$A" a --audit 0 && ! says a swept'
a_pid=$SPAWNED
ip -n "$A" link add stray type dummy
ip -n "$A" link set stray alias "ktund $id 17/999"
sleep 2.5
check "--audit 0: there are none" link stray
ip -n "$A" link del stray
check_fail "--audit: a wrong number" "$TMP/bin/real" --runtime-dir "$TMP/a.run" --audit never

# --- stopping
check "tunnels and sessions" a tunnel 17 42 192.0.2.1 1701 192.0.2.2 1701 , many 17 3000 20
spawn "$A" deaf "$drive" "$TMP/a.run/keeper.sock" hello , event 15000 , hold
busywait 5000 grep -q hello "$TMP/deaf.log"
kill -TERM "$a_pid"
check "SIGTERM: ktund is told first" busywait 3000 grep -q STOPPING "$TMP/deaf.log"
check "and has some seconds" kill -0 "$a_pid"
check "but not more: it stops without it" busywait 15000 gone "$a_pid"
check "and says how many of what" says a 'stopped; took down 1 tunnels and 20 sessions in [0-9]+ ms, 20 of their links in [12] batches'
printf '#!/bin/sh\nsleep 100\n' >"$TMP/etc/hook"
chmod 755 "$TMP/etc/hook"
check "again" start "$A" a --config-dir "$TMP/etc"
a_pid=$SPAWNED
spawn "$A" hook "$drive" "$TMP/a.run/keeper.sock" hello , hook "$TMP/etc/hook"
sleep 1
stop_pid "$SPAWNED"
kill -TERM "$a_pid"
SECONDS=0
check "a hook that does not end is not waited for longer than ten seconds" busywait 20000 gone "$a_pid"
check "but that long" test "$SECONDS" -ge 8
check "and it is said" says a '1 hooks ran out of time'
check "nothing of others was touched in all this" others
