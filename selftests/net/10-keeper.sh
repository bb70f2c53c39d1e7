#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two keepers and no negotiation: tunnels and PPP sessions by hand, pings through them, every way it can go wrong.
. "$(dirname "$0")/lib.sh"

drive=$KTUND_BUILD/selftests/net/keeper-drive
keeper=$KTUND_BUILD/ktund-keeper
out=$TMP/drive.log

keeper_start() {	# NS NAME ARG...
	local n=$1 name=$2
	shift 2
	mkdir -p "$TMP/$name.run"
	spawn "$n" "$name" "$keeper" --runtime-dir "$TMP/$name.run" "$@"
	busywait 10000 test -S "$TMP/$name.run/keeper.sock"
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
no_link() { ! ip -n "$1" link show dev "$2" >/dev/null 2>&1; }
has_route() { ip -n "$1" "$2" route show "$3" | grep -q "$4"; }
no_route() { ! has_route "$@"; }
ppp_fds() { find "/proc/$1/fd" -lname '/dev/ppp' | wc -l; }
udp_sockets() { ns "$1" ss -Huan | wc -l; }

setup_ns A B
veth_pair "$A" wan 192.0.2.1/24,2001:db8::1/64 "$B" wan 192.0.2.2/24,2001:db8::2/64
mkdir -p "$TMP/etc/hooks"
chmod 755 "$TMP" "$TMP/etc" "$TMP/etc/hooks"
check "a keeper comes up" keeper_start "$A" a --config-dir "$TMP/etc" --user nobody
A_PID=$SPAWNED
check "and another in another namespace" keeper_start "$B" b
B_PID=$SPAWNED
check_fail "a second keeper for the same directory is refused" timeout 10 "$keeper" --runtime-dir "$TMP/a.run"
capabilities() { grep -q '^CapEff:[[:space:]]*0000000000001000$' "/proc/$1/status"; }
check "the keeper has CAP_NET_ADMIN and nothing else" capabilities "$A_PID"
check "and no new privileges where it runs no hooks" grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$B_PID/status"
leak_snapshot
udp_before=$(udp_sockets "$A")
fds_before=$(ppp_fds "$A_PID")

# A session over IPv4
check "a listener" a listen 192.0.2.1 1701 , listen 192.0.2.1 1701
check "a tunnel over IPv4, A" a tunnel 17 42 192.0.2.1 1701 192.0.2.2 1701
check "a tunnel over IPv4, B" b listen 192.0.2.2 1701 , tunnel 42 17 192.0.2.2 1701 192.0.2.1 1701
check "a session with a name, A" prints 'name=to-b ifindex=.* mtu=1400 fds=2' \
	a session 17 5 6 name=to-b mtu=1400 ip=10.1.0.1,10.1.0.2 ifid=0100000000000000,0200000000000000 up v4 v6
check "a session, B" b session 42 6 5 name=to-a lns mtu=1400 ip=10.1.0.2,10.1.0.1 ifid=0200000000000000,0100000000000000 up v4 v6
check "ping 4 in 4, sizes 0 to 4000" ping_ok "$A" 10.1.0.2 0 56 1372 4000
check "ping 4 in 4, the other way" ping_ok "$B" 10.1.0.1 56 1372
check "ping 6 in 4" ping_ok "$A" fe80::2%to-b 56 1352 3000
mtu_is() { ip -n "$1" -o link show dev "$2" | grep -q "mtu $3 "; }
check "the link has the MTU" mtu_is "$A" to-b 1400
check "counters" prints 'session=5 rx=[1-9][0-9]* tx=[1-9]' a stats 5
check "counters of all" prints 'session=5 rx=[1-9][0-9]* tx=[1-9]' a stats 0

# NP modes, LINK_SET
check "a session without NP modes, link down" a session 17 7 8 name=np mtu=1300
check "and its other end" b session 42 8 7 name=np lns ip=10.2.0.2,10.2.0.1 up v4
check "LINK_SET: address, MTU, routes, up" a set 7 ip=10.2.0.1,10.2.0.2 mtu=1280 route=10.9.0.0/16 route=2001:db8:9::/48 up
check "the route is there" has_route "$A" -4 10.9.0.0/16 np
check "and the IPv6 route" has_route "$A" -6 2001:db8:9::/48 np
check_fail "IPv4 is dropped as long as nobody passes it" ns "$A" ping -n -c 2 -i 0.2 -W 1 10.2.0.2
check "LINK_SET: pass IPv4" a set 7 v4
check "now it passes" ping_ok "$A" 10.2.0.2 56

# A default route through the tunnel must not swallow the tunnel
ip -n "$A" route add default via 192.0.2.2 dev wan
check "a default route, with the peer pinned" a set 7 pin route=0.0.0.0/0
check "the default is ours" has_route "$A" -4 default 'dev np proto 107'
check "the former default is still there" has_route "$A" -4 default 'via 192.0.2.2'
check "a host route to the peer" has_route "$A" -4 192.0.2.2 'dev wan proto 107'
check "the tunnel still works" ping_ok "$A" 10.2.0.2 56
check "K_LIST has the routes and both sessions" prints 'session=7 name=np .* routes=3 fds=2' a list
check "K_LIST ends with a record of kind 0" prints 'kind=0 tunnel=0 session=0 name= ifindex=0 routes=0 fds=0' a list
check "session down" a sdown 7
check "its link is gone" no_link "$A" np
check "its pinned route, too" no_route "$A" -4 192.0.2.2 proto
check "the former default is the default" has_route "$A" -4 default 'via 192.0.2.2'
ip -n "$A" route del default

# PPP frames through the descriptors
check "a frame of LCP goes out of the channel, one of IPCP out of the unit" \
	a session 17 9 10 mtu=1400 up v4 , write c021 'echo-lcp-frame' , write 8021 'ipcp-frame'
check "frames arrive at the other end's descriptors" b session 42 10 9 lns mtu=1400 up v4 , list
frames_arrive() {
	a list , write c021 'lcp-frame' , write 8021 'ipcp-frame' || return 1
	b list , read || return 1
	grep -q 'channel  c021 9 "lcp-frame"' "$out" && grep -q 'unit  8021 10 "ipcp-frame"' "$out"
}
only_one() { a sdown 5 && b sdown 6; }
check "the first sessions go" only_one
check "frames arrive" frames_arrive
check "down again" a sdown 9
check "and there" b sdown 10

# Over IPv6, with marks and without checksums.  What comes for a tunnel with a mark has it, as an SA gives it, or is not its peer's.
marked() {
	ns "$A" nft "add table ip6 sa; add chain ip6 sa in { type filter hook prerouting priority 0; };
		add rule ip6 sa in ip6 saddr 2001:db8::2 udp dport 1701 meta mark set 7"
}
check "what an SA would mark" marked
check "a tunnel over IPv6, A" a tunnel 18 43 2001:db8::1 1701 2001:db8::2 1701 mark=7 nocsum
check "a tunnel over IPv6, B" b tunnel 43 18 2001:db8::2 1701 2001:db8::1 1701 nocsum
check "a session over IPv6, A" a session 18 11 12 ip=10.3.0.1,10.3.0.2 ifid=0100000000000000,0200000000000000 mtu=1400 up v4 v6 name=six
check "a session over IPv6, B" b session 43 12 11 ip=10.3.0.2,10.3.0.1 ifid=0200000000000000,0100000000000000 mtu=1400 up v4 v6 lns name=six
check "ping 4 in 6" ping_ok "$A" 10.3.0.2 56 1372 3000
check "ping 6 in 6" ping_ok "$A" fe80::2%six 56 1352

# Refusals say why, and leave nothing
check "no such tunnel" says '-2 no such tunnel' a session 99 20 20
check "session id taken" says '-17 .*session with this id' a session 18 11 13
check "tunnel id taken, by us" says '-17 .*tunnel with this id' a tunnel 18 1 192.0.2.1 1701 192.0.2.9 1701
ns "$A" ip l2tp add tunnel tunnel_id 77 peer_tunnel_id 77 encap ip local 192.0.2.1 remote 192.0.2.2
check "tunnel id taken, by another" says 'TUNNEL_CREATE: File exists' a tunnel 77 1 192.0.2.1 1701 192.0.2.9 1701
check "name taken" says 'rename: File exists.*another link has this name' a session 18 21 21 name=wan up
check "an address of nobody" says 'bind(UDP socket): Cannot assign requested address.*no link has this' a tunnel 19 1 192.0.2.77 1701 192.0.2.2 1701
check "id 0" says 'id is 0' a session 18 0 5
check "MTU 10" says 'MTU or MRU below 68' a session 18 22 22 mtu=10
check "route with host bits" says 'bits beyond its prefix' a session 18 22 22 route=10.1.1.1/8
check "a name with a slash" says "link's name" a session 18 22 22 name=a/b
check "IPv6 with an MTU of 1000" says '1280' a session 18 22 22 mtu=1000 ifid=0100000000000000,0200000000000000
check "no such session" says '-2 no such session' a sdown 22
check "a route to nowhere takes the whole session back" says 'add route' a session 18 23 23 name=undone route=2001:db8:1::/48 route=ff00::/8 mtu=1000
check "nothing is left of it" no_link "$A" undone
check "a wrong length ends the conversation or is refused" says '-71\|receive: -32' a junk 100 , list
check "a datagram that is no request ends it" says 'receive: -32' a junk 3 , event 3000
check "the keeper is still there" a list

# Who may talk to it
spawn "$A" holder "$drive" "$TMP/a.run/keeper.sock" hello , hold
holder=$SPAWNED
busywait 5000 grep -q holding "$TMP/holder.log"
check "a second client is refused with a reason" says 'another ktund (process [0-9]*) is connected' a list
kill -9 "$holder"
wait "$holder" 2>/dev/null
check "after the death of the first the next is served" prints 'hello: 0 tunnels=2 sessions=1' a list
as() { setpriv --reuid "$1" --clear-groups "$drive" "$TMP/a.run/keeper.sock" hello , list >"$out" 2>&1; local rc=$?; cat "$out"; return $rc; }
chmod 755 "$TMP/a.run"
check "ktund's user is served" as nobody
chmod 666 "$TMP/a.run/keeper.sock"
check "another user is refused" says "-1 only root and ktund's own user" as daemon

# ktund dies with everything in flight: the next finds it
spawn "$A" dead "$drive" "$TMP/a.run/keeper.sock" hello , tunnel 20 44 192.0.2.1 1701 192.0.2.2 1801 , many 20 1000 40
count_links() { ip -n "$A" -o link show | grep -c ': ppp'; }
begun() { (($(count_links) > 0)); }
check "sessions begin to come up, and ktund dies" busywait 15000 begun
kill -KILL "$SPAWNED"
all_found() {
	a list || return 1
	[[ $(grep -c 'kind=6 tunnel=20 .*fds=2' "$out") == "$(count_links)" ]]
}
check "K_LIST waits for what is in flight, and misses nothing" all_found
check "its tunnel goes down with all its sessions" a tdown 20
check "no link is left" test "$(count_links)" = 0
check "the session before it lives on" ping_ok "$A" 10.3.0.2 56

# Behind its back
background() {
	rm -f "$TMP/event.log"
	spawn "$A" event "$drive" "$TMP/a.run/keeper.sock" hello , event 5000
	bg=$SPAWNED
	busywait 5000 grep -qs hello "$TMP/event.log"
}
told() { wait "$bg"; cat "$TMP/event.log"; grep -q "$1" "$TMP/event.log"; }
background
ip -n "$A" link del six
check "ip link del is told" told 'LINK_GONE tunnel=18 session=11'
check "its session can still be asked about and taken down" a sdown 11
check "the other end too" b sdown 12
check "a session to lose" a session 18 13 14 mtu=1400 up v4
background
ns "$A" ip l2tp del session tunnel_id 18 session_id 13
check "ip l2tp del session is told" told 'SESSION_GONE tunnel=18 session=13'
check "and taken down" a sdown 13
check "a session to lose with its tunnel" a session 18 15 16 mtu=1400 up v4
background
ns "$A" ip l2tp del tunnel tunnel_id 18
check "ip l2tp del tunnel is told" told 'TUNNEL_GONE tunnel=18'
check "no session comes up in it" says '-2 the tunnel is going down' a session 18 16 16
check "it is taken down" a tdown 18
check "its id is free at once" a tunnel 18 43 2001:db8::1 1701 2001:db8::2 1701 , tdown 18
background
ns "$B" ip l2tp add tunnel tunnel_id 17 peer_tunnel_id 17 encap ip local 192.0.2.2 remote 192.0.2.1
ns "$B" ip l2tp del tunnel tunnel_id 17
told_nothing() { wait "$bg"; cat "$TMP/event.log"; ! grep -q GONE "$TMP/event.log"; }
check "a tunnel of the same id in another namespace is not mistaken for ours" told_nothing

# Many at once
check "64 sessions side by side" a many 17 2000 64
check "and down, in a batch" a fewer 2000 64
check "no link of them is left" test "$(count_links)" = 0

# Hooks and files
hook=$TMP/etc/hooks/up
printf '#!/bin/sh\necho "$1 $PEERNAME $(pwd) $(id -u)" >%s\nls -l /proc/self/fd >%s\nexit 3\n' "$TMP/hook.out" "$TMP/hook.fds" >"$hook"
chmod 755 "$hook"
check "a hook runs, and its status comes back" says 'hook: 768' a hook "$hook" ppp7 PEERNAME=me
check "but no environment that could load code" says 'environment' a hook "$hook" ppp7 LD_PRELOAD=/tmp/x.so
check "with its words, environment, and as root in /" grep -qx 'ppp7 me / 0' "$TMP/hook.out"
no_strangers() { ! grep -Eq 'ppp$|socket:|memfd' "$TMP/hook.fds"; }
check "without our descriptors" no_strangers
chmod 777 "$hook"
check "not if others can write it" says 'others than root can write' a hook "$hook" ppp7
chmod 755 "$hook"
check "not from elsewhere" says 'not in the configuration directory' a hook /bin/true
check "not through a path out of it" says 'not in the configuration directory' a hook "$TMP/etc/../../../bin/true"
check "nor is another namespace's keeper without --config-dir to be had" says 'no --config-dir' b hook /bin/true
echo secret >"$TMP/etc/ktund.conf"
chmod 600 "$TMP/etc/ktund.conf"
check "a file of the configuration" prints 'content: secret' a open ktund.conf
check "by its whole path, too" prints 'content: secret' a open "$TMP/etc/ktund.conf"
check "not one outside" says 'only files and directories below' a open ../../etc/passwd
check "nor by its whole path" says 'only files and directories below' a open /etc/passwd
ln -s /etc/passwd "$TMP/etc/link"
check "nor through a link" says 'only files and directories below' a open link
mkfifo "$TMP/etc/fifo"
check "nor a FIFO" says 'only files and directories below' a open fifo
check "what is not there is not there" says '-2 ' a open nothing

# The end of it
check "the tunnel of before still serves" a session 17 30 31 name=last ip=10.4.0.1,10.4.0.2 mtu=1400 up v4
check "UNLISTEN" a unlisten 192.0.2.1 1701
check "tunnel down with its session" a tdown 17
check "no link" no_link "$A" last
check "tunnels of B down" b tdown 42 , tdown 43
check "foreign objects are still there" ns "$A" ip l2tp show tunnel tunnel_id 77
ns "$A" ip l2tp del tunnel tunnel_id 77
check "no descriptor of /dev/ppp is left" test "$(ppp_fds "$A_PID")" = "$fds_before"
check "no UDP socket is left" test "$(udp_sockets "$A")" = "$udp_before"
leak_check "nothing is left in the kernel"
check "a tunnel and sessions for the end" a tunnel 17 42 192.0.2.1 1701 192.0.2.2 1701 , many 17 3000 10
check "K_STOP takes them down and says how many" prints 'stop: 0 tunnels=1 sessions=10' a stop
gone() { ! kill -0 "$1" 2>/dev/null; }
check "the keeper has ended" busywait 5000 gone "$A_PID"
check "B: a tunnel and sessions" b tunnel 42 17 192.0.2.2 1701 192.0.2.1 1701 , many 42 3000 10
kill -TERM "$B_PID"
check "SIGTERM takes them down and ends the other" busywait 10000 gone "$B_PID"
leak_check "nothing is left in the kernel after both have ended"
