#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# L2TPv3 between two ktunds: Ethernet pseudowires that carry frames, what is refused and how, and what survives.
#   A 192.0.2.1, 2001:db8::1 ---- 192.0.2.2, 2001:db8::2 B: A dials, B answers
#   C and D: where a session's two links are; E: where one is, and which goes
# shellcheck disable=SC2016	# eval and check expand them
. "$(dirname "$0")/lib.sh"

setup_ns A B C D E
veth_pair "$A" eth0 192.0.2.1/24,2001:db8::1/64 "$B" eth0 192.0.2.2/24,2001:db8::2/64
ip -n "$B" -batch - <<-'LINES'
	link add br0 type bridge vlan_filtering 1
	link set br0 up
	link add link br0 name br0.30 type vlan id 30
	addr add 10.4.0.2/24 dev br0.30
	link set br0.30 up
	link add tenant type vrf table 10
	link set tenant up
LINES
bridge -n "$B" vlan add dev br0 vid 30 self
leak_snapshot

b=$(write_config b <<-CONF
	host-name = "lcce-b"
	listen "192.0.2.2" { }
	listen "2001:db8::2" { }
	listen "192.0.2.2" { encapsulation = ip }
	listen "2001:db8::2" { encapsulation = ip }
	defaults { ipsec = none hello-interval = 5s }
	profile "a" { version = 3 }
	peer "a" {
	    address = "192.0.2.1" profile = "a" secret = "sesame" second-secret = "the next one"
	    session "red" { interface = "red" }
	    session "blue" { interface = "blue" cookie-length = 4 }
	    session "plain" { interface = "plain" cookie-length = 0 mtu = 1300 }
	    session "trunk" { interface = "trunk" bridge = "br0" vlan = 30 pseudowire = vlan }
	    session "ordered" { interface = "ordered" netns = "$D" }
	    session "twin" { interface = "twin" }
	    session "both" { interface = "both" }
	}
	tunnel "both" {
	    version = 3 remote = "192.0.2.1" secret = "sesame" remote-end-id = "both" interface = "both" start = no persist = yes
	    redial-min = 500ms redial-max = 2s
	}
	peer "six" {
	    address = "2001:db8::/64" profile = "a"
	    session "six" { interface = "six" vrf = "tenant" }
	}
	peer "ip" {
	    address = "192.0.2.1" profile = "a" secret = "over IP" encapsulation = ip
	    session "ip" { interface = "ip" }
	}
	peer "ip six" {
	    address = "2001:db8::1" profile = "a" encapsulation = ip
	    session "ip6" { interface = "ip6" }
	}
CONF
)
a=$(write_config a <<-'CONF'
	host-name = "lcce-a"
	listen "192.0.2.1" { }
	peer "b" { address = "192.0.2.2" secret = "sesame" session "both" { interface = "both" } }
	tunnel "both" { remote = "192.0.2.2" secret = "sesame" remote-end-id = "both" interface = "both" start = no }
	defaults { version = 3 ipsec = none persist = yes redial-min = 500ms redial-max = 2s hello-interval = 5s }
	tunnel "one" {
	    remote = "192.0.2.2" secret = "sesame" digest = sha1
	    session "red" { interface = "red" }
	    session "blau" { interface = "blue" remote-end-id = "blue" l2-specific-sublayer = default }
	    session "plain" { interface = "plain" cookie-length = 0 mtu = 1300 sequencing = yes }
	    session "trunk" { interface = "trunk" pseudowire = vlan }
	}
	tunnel "six" { remote = "2001:db8::2" remote-end-id = "six" interface = "six" }
	tunnel "ip" { remote = "192.0.2.2" encapsulation = ip secret = "over IP" remote-end-id = "ip" interface = "ip" }
	tunnel "ip six" { remote = "2001:db8::2" encapsulation = ip remote-end-id = "ip6" interface = "ip6" cookie-length = 4 }
	tunnel "next" { remote = "192.0.2.2" secret = "the next one" remote-end-id = "none" start = no persist = no }
	tunnel "wrong" { remote = "192.0.2.2" secret = "open" remote-end-id = "red" start = no persist = no setup-timeout = 4s }
	tunnel "unsigned" { remote = "192.0.2.2" remote-end-id = "red" start = no persist = no setup-timeout = 4s }
	tunnel "unknown" { remote = "192.0.2.2" secret = "sesame" remote-end-id = "green" start = no persist = no }
	tunnel "kind" { remote = "192.0.2.2" secret = "sesame" remote-end-id = "red" pseudowire = vlan start = no persist = no }
CONF
)
up() { sessions_up "$1" "$2" '"state":"up"'; }
addresses() {
	local n=1 dev
	for dev in red blue plain trunk six ip ip6; do
		ip -n "$A" addr replace 10.$n.0.1/24 dev $dev || return 1
		[[ $dev == trunk ]] || ip -n "$B" addr replace 10.$n.0.2/24 dev $dev || return 1
		n=$((n + 1))
	done
}
kernel() { ip -n "$1" l2tp show session; }
# The line of `ip l2tp` about the cookies of a link: kernel_cookies NS LINK
kernel_cookies() { kernel "$1" | sed -n "/interface name: $2\$/,/^Session/p" | grep -E "^ *(peer )?cookie" | tr -s ' \n' ' '; }
cookies_match() {	# what A sends is what B expects, and the other way round
	local of_a of_b
	of_a=$(kernel_cookies "$A" "$1")
	of_b=$(kernel_cookies "$B" "$1")
	echo "A:$of_a B:$of_b"
	[[ $of_a =~ ^' cookie '([0-9a-f]*)' peer cookie '([0-9a-f]*)' '$ ]] || return 1
	[[ $of_b == " cookie ${BASH_REMATCH[2]} peer cookie ${BASH_REMATCH[1]} " ]] && ((${#BASH_REMATCH[1]} == $2 && ${#BASH_REMATCH[2]} == $3))
}
tunnels_in() { [[ $(ip -n "$1" l2tp show tunnel | grep -c '^Tunnel') == "$2" ]]; }
says() { grep -q -- "$2" "$TMP/$1.log"; }

check "B serves" ktund_start "$B" b "$b"
check "A dials" ktund_start "$A" a "$a"
check "A has seven sessions" busywait 60000 up a 7
check "B, too" busywait 30000 up b 7
check "addresses are given to the links" addresses
check "frames pass: cookies of 8 octets" ping_ok "$A" 10.1.0.2 0 56 1372 4000
check "cookies of 8 and 4, with the Default Sublayer" ping_ok "$A" 10.2.0.2 0 56 1372 4000
check "no cookies, and sequence numbers" ping_ok "$A" 10.3.0.2 0 56 1372 4000
numbered() { kernel "$1" | sed -n "/interface name: $2\$/,/^Session/p" | grep -q 'sequence numbering: send recv'; }
check "both ways" eval 'numbered "$A" plain && numbered "$B" plain && ! numbered "$A" red && ! numbered "$B" red'
check "show says so" test "$(session_get b sequencing '"remote_end_id":"plain"')" = true
check "the Ethernet VLAN pseudowire, into VLAN 30 of a bridge" ping_ok "$A" 10.4.0.2 56 1372
port_is() { bridge -n "$B" vlan show dev trunk | tee "$TMP/vlans" | grep -q '30 PVID Egress Untagged' && [[ $(grep -c Untagged "$TMP/vlans") == 1 ]]; }
check "and into no other" port_is
check "over IPv6, without a secret, in a VRF" ping_ok "$A" 10.5.0.2 56 1372
in_vrf() { ip -n "$B" -br link show master tenant | grep -q '^six .*UP'; }
check "its interface is the VRF's" in_vrf
check "directly over IP, with a secret" ping_ok "$A" 10.6.0.2 0 56 1372 4000
check "over IPv6, no UDP" ping_ok "$A" 10.7.0.2 56 1372
check "show says how" eval 'ktun_in b -j show tunnels | grep -o "\"encapsulation\": *\"ip\"" | grep -c . | grep -qx 2'
check "the kernel sends what the other end asked for" cookies_match red 16 16
check "by each end's own length" cookies_match blue 8 16
check "show sessions names them" eval 'ktun_in b show sessions | grep -q "blue *up *ethernet *blue"'
check "show session has its facts, and no cookie" eval 'ktun_in a -j show session $(session_get a session_id "\"remote_end_id\":\"blue\"") |
	grep -q "\"cookie_length\": *8,.*\"peer_cookie_length\": *4" || ktun_in a show session $(session_get a session_id "\"remote_end_id\":\"blue\"")'
check "counters" eval '(($(session_get b rx_packets "\"remote_end_id\":\"red\"") >= 12))'
check "four tunnels in the kernel of A" tunnels_in "$A" 4

check "the second secret is believed as well" ktun_in a up tunnel next
check "down with it" eval 'busywait 30000 tunnels_in "$B" 4'

# Refused, in the RFC's words, with nothing left behind and the others untouched
refused() {	# TUNNEL WORDS: of B's log
	ktun_in a up tunnel "$1" || true
	busywait 30000 says b "$2" || return 1
	ktun_in a down tunnel "$1" || true
}
check "an unknown Remote End ID" refused unknown 'call refused: unknown Remote End ID'
check "A hears of it" says a "CDN: facilities permanently unavailable (5): unknown Remote End ID"
check "another PW type than what is configured" refused kind 'call refused: another PW type'
check "A hears of that" says a "CDN: unsupported PW type (14)"
check "a wrong secret" refused wrong 'wrong or missing Message Digest'
check "no Message Digest" refused unsigned 'SCCRQ from .* refused: wrong or missing Message Digest'
check "none of them is in the kernel" busywait 30000 tunnels_in "$A" 4
check "nor at B" busywait 30000 tunnels_in "$B" 4
check "the others have not noticed" ping_ok "$A" 10.1.0.2 56

# One goes and comes back
id=$(session_get a session_id '"remote_end_id":"red"')
check "disconnect session" ktun_in a disconnect session "$id"
check "it is said why" busywait 15000 says b "by the operator"
check "and comes back" eval 'busywait 30000 up a 7 && [[ $(session_get a session_id "\"remote_end_id\":\"red\"") != "$id" ]]'
check "B has it again" busywait 30000 up b 7
check "addresses again" addresses
check "frames pass again" ping_ok "$A" 10.1.0.2 56

# Ordered by ktun, in no file
echo sesame >"$TMP/secret"
check "ktun add tunnel without peer_tunnel_id" ktun_in a add tunnel remote 192.0.2.2 local 192.0.2.1 tunnel_id 3000 secret_file "$TMP/secret"
check "has its id" eval 'ktun_in a -j show tunnels | grep -q "\"name\": *\"3000\""'
check_fail "which is taken now" ktun_in a add tunnel remote 192.0.2.2 tunnel_id 3000
check "and takes sessions" ktun_in a add session tunnel_id 3000 remote_end_id ordered name ordered cookie_length 4 netns "$C" mtu 1300 seq both
check "one more, into a bridge that is not there" ktun_in a add session tunnel_id 3000 remote_end_id twin name twin bridge br9
says_why() { ktun_in a show tunnel 3000 | grep -q 'bridge br9: No such device'; }
check "show says why it does not come" busywait 30000 says_why
check "it is taken back" ktun_in a del session tunnel_id 3000 remote_end_id twin
check "and ordered without" ktun_in a add session tunnel_id 3000 remote_end_id twin name twin netns "$E"
check "they are there" eval 'busywait 60000 up a 9 && busywait 30000 up b 9'
check "in the kernel by the id that was asked for" eval 'ip -n "$A" l2tp show tunnel tunnel_id 3000 | grep -q "^Tunnel 3000"'
check "the links are in other namespaces, and up" eval 'ip -n "$C" -br link show ordered | grep -q "<.*UP" && ip -n "$D" -br link show ordered | grep -q "<.*UP"'
check_fail "and not here" ip -n "$A" link show ordered
check "frames pass" eval 'ip -n "$C" addr add 10.8.0.1/24 dev ordered && ip -n "$D" addr add 10.8.0.2/24 dev ordered && ping_ok "$C" 10.8.0.2 56'
check "with the MTU that was ordered" eval 'ip -n "$C" link show ordered | grep -q "mtu 1300"'
check "and sequence numbers" eval 'numbered "$A" ordered && numbered "$B" ordered'
in_netns() { [[ $(session_get "$1" netns '"remote_end_id":"ordered"') == "$2" ]]; }
check "show says where they are" eval 'in_netns a "$C" && in_netns b "$D"'
check_fail "no namespace of this name" ktun_in a add session tunnel_id 3000 remote_end_id lost netns nowhere

# The namespace that a link is in is deleted: the kernel would leave it in the first one
ip netns del "$E"
check "a link's network namespace is deleted: its session ends" busywait 30000 says a 'twin.*its network namespace was deleted'
check "at both ends" busywait 30000 says b "CDN.*its network namespace was deleted"
no_twin() { ! ip link show twin && ! ip -n "$A" link show twin; }
check "its link is nowhere" busywait 15000 no_twin
check "the others have not noticed" ping_ok "$C" 10.8.0.2 56
ip netns add "$E"
check "it comes back with its namespace" eval 'busywait 90000 up a 9 && busywait 30000 up b 9 && ip -n "$E" -br link show twin | grep -q "<.*UP"'
check "a session is deleted" ktun_in a del session tunnel_id 3000 session_id "$(session_get a session_id '"remote_end_id":"twin"')"
check "that one alone" eval 'busywait 30000 up a 8 && busywait 30000 up b 8 && ping_ok "$C" 10.8.0.2 56'

# Circuit Status (RFC 3931 5.4.5)
circuit() { [[ $(session_get "$1" circuit '"remote_end_id":"trunk"') == "$2" ]]; }
port_state() { bridge -n "$B" link show dev trunk | grep -q "state $1"; }
state() { ip -n "$B" link show trunk | grep -q "state $1"; }
ip -n "$A" link set trunk down
check "a link is set down: the peer is told" busywait 15000 circuit b inactive
check "and its link is dormant" busywait 15000 state DORMANT
check "which a bridge knows" busywait 15000 port_state disabled
check "the others are as they were" eval 'ping_ok "$A" 10.1.0.2 56 && [[ $(grep -c "circuit is inactive" "$TMP/b.log") == 1 ]]'
ip -n "$A" link set trunk up
check "it is set up: the peer is told" busywait 15000 circuit b active
check "and its bridge's port opens" eval 'busywait 15000 port_state forwarding && ping_ok "$A" 10.4.0.2 56'
ip -n "$A" link set trunk down
check "down once more" busywait 15000 state DORMANT

# ktund is killed while frames pass
ns "$A" sh -c 'echo $$ >"$1"; exec ping -n -q -i 0.05 -W 5 10.1.0.2' sh "$TMP/pinger" >"$TMP/pings" 2>&1 &
shell=$!
busywait 10000 test -s "$TMP/pinger"
pinger=$(<"$TMP/pinger")
defer kill -KILL "$pinger"
ids() { lib_sessions "$1" | grep -o '"session_id":[0-9]*' | sort; }
ids a >"$TMP/ids.a"
ids b >"$TMP/ids.b"
# The last one may have been on its way.
none_lost() {
	[[ $(<"$TMP/pings") =~ ([0-9]+)' packets transmitted, '([0-9]+)' received' ]] || return 1
	((BASH_REMATCH[1] > 100 && BASH_REMATCH[1] - BASH_REMATCH[2] <= 1)) || { cat "$TMP/pings"; return 1; }
}
again() {	# NAME CONFIG NS [MEANWHILE...]
	local name=$1 conf=$2 ns=$3
	shift 3
	kill -KILL "$(ktund_pid "$name")"
	sleep 0.3
	"${@:-true}" && ktund_start "$ns" "$name" "$conf"
}
check "ktund of B is killed" again b "$b" "$B"
check "and has all of them" busywait 15000 up b 8
check "what was inactive still is" eval 'circuit b inactive && state DORMANT'
check "ktund of A is killed, and the link set up meanwhile" again a "$a" "$A" ip -n "$A" link set trunk up
check "and has all of them, too" busywait 15000 up a 8
ns "$A" ping -n -q -i 0.2 -c 20 -W 5 10.6.0.2 >"$TMP/pings.ip" 2>&1
sleep 3					# HELLOs
kill -INT "$pinger"
wait $shell
check "not one ping was lost" none_lost
check "the peer has heard of the link" eval 'busywait 15000 circuit b active && busywait 15000 port_state forwarding && ping_ok "$A" 10.4.0.2 56'
check "what is in other namespaces is still there" eval 'ping_ok "$C" 10.8.0.2 56 && in_netns a "$C" && in_netns b "$D"'
check "nor over IP" grep -q " 0% packet loss" "$TMP/pings.ip"
check "A has the sessions that it had" eval 'ids a | cmp - "$TMP/ids.a"'
check "B, too" eval 'ids b | cmp - "$TMP/ids.b"'
id=$(session_get b session_id '"remote_end_id":"plain"')
check "and can still be ended" ktun_in b disconnect session "$id"
check "at both ends" busywait 30000 says a "session .* plain\|by the operator"

check "what ktun ordered can still be deleted" ktun_in a del tunnel tunnel_id 3000
check "at both ends, too" eval 'busywait 30000 up a 7 && busywait 30000 up b 7 && busywait 30000 tunnels_in "$A" 4'
gone() { ! ip -n "$C" link show ordered && ! ip -n "$D" link show ordered; }
check "and its links, wherever they were" busywait 15000 gone
check_fail "only once" ktun_in a del tunnel tunnel_id 3000

# Ends, and over a bad line
check "down tunnel" ktun_in a down tunnel one
check "takes its sessions along" busywait 30000 up b 3
check "and the kernel's tunnel" busywait 30000 tunnels_in "$B" 3
ns "$A" tc qdisc add dev eth0 root netem loss 10%
ns "$B" tc qdisc add dev eth0 root netem loss 10%
check "up again, although every tenth packet is lost" ktun_in a up tunnel one
check "with all of its sessions" busywait 60000 up b 7
check "A, too" busywait 60000 up a 7
ns "$A" tc qdisc del dev eth0 root
ns "$B" tc qdisc del dev eth0 root
check "addresses a third time" addresses
check "frames pass" ping_ok "$A" 10.1.0.2 56 1372

# Both ends dial at once, from any port (RFC 3931 5.4.3): neither hears of the other before both have sent their SCCRQ
calls() { local all; all=$(ktun_in "$1" -j show tunnels) && [[ $all =~ \{[^}]*'"name":"both"'[^}]*'"state":"wait-ctl-reply"' ]]; }
ns "$A" tc qdisc add dev eth0 root netem loss 100%
ns "$B" tc qdisc add dev eth0 root netem loss 100%
ktun_in a up tunnel both >"$TMP/up.a" 2>&1 &
ktun_in b up tunnel both >"$TMP/up.b" 2>&1 &
check "both ends dial" eval 'busywait 10000 calls a && busywait 10000 calls b'
ns "$A" tc qdisc del dev eth0 root
ns "$B" tc qdisc del dev eth0 root
yielded() { [[ $(cat "$TMP"/[ab].log | grep -c "tunnel both: .*tie breaker: the peer's control connection stays") == 1 ]]; }
check "one yields to the other" busywait 30000 yielded
check "and their pseudowire is there" eval 'busywait 30000 up a 8 && busywait 30000 up b 8'
check "in one tunnel" eval 'tunnels_in "$A" 5 && tunnels_in "$B" 5'
check "frames pass" eval 'ip -n "$A" addr add 10.9.0.1/24 dev both && ip -n "$B" addr add 10.9.0.2/24 dev both && ping_ok "$A" 10.9.0.2 56'
ktun_in a down tunnel both >/dev/null 2>&1
ktun_in b down tunnel both >/dev/null 2>&1
check "it ends" busywait 30000 tunnels_in "$B" 4
check "now one dials after the other" eval 'ktun_in a up tunnel both && busywait 30000 up b 8 && ktun_in b up tunnel both'
check "whose pseudowire is there" busywait 30000 says a 'call refused: this Remote End ID is in use'
check "as it was" eval 'up a 8 && up b 8 && ip -n "$A" addr add 10.9.0.1/24 dev both && ip -n "$B" addr add 10.9.0.2/24 dev both && ping_ok "$A" 10.9.0.2 56'
check "when that is gone" ktun_in a down tunnel both
check "it takes its place" eval 'busywait 30000 up a 8 && busywait 30000 up b 8'
check "and ends" ktun_in b down tunnel both
check "at both ends" eval 'busywait 30000 tunnels_in "$A" 4 && busywait 30000 tunnels_in "$B" 4'

# A reload touches what differs
sed -i 's/session "plain" { interface = "plain"/& l2-specific-sublayer = default/' "$b"
check "reload at B" ktun_in b reload
check "one session ends, and its peer dials it again" eval 'busywait 30000 says b "its configuration changed" && busywait 30000 up b 7'
check "the others are as old as before" eval '(($(session_get b age_s "\"remote_end_id\":\"six\"") > 5))'
check "A ends" ktund_stop a
check "B ends" ktund_stop b
leak_check "nothing is left"
