#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Static tunnels at work, made by ktun with no daemon:
#	H1 --- A (192.0.2.1, 2001:db8::1) ====== B (192.0.2.2, 2001:db8::2) --- H2
# Sites joined over UDP and IP, IPv4 and IPv6, with cookies; MTU; bridges with VLANs; namespace and VRF; PPP in L2TPv2.
. "$(dirname "$0")/lib.sh"

ktun=$KTUND_BUILD/ktun
ka() { "$ktun" -n "$A" "$@"; }
kb() { "$ktun" -n "$B" "$@"; }

setup_ns A B H1 H2
veth_pair "$A" wan 192.0.2.1/24,2001:db8::1/64 "$B" wan 192.0.2.2/24,2001:db8::2/64

# --- Four outer worlds -----------------------------------------------------------------------------------

check "A: tunnels over UDP and IP, IPv4 and IPv6, with cookies of 0, 4 and 8 octets" ka -batch - <<-'LINES'
	add tunnel tunnel_id 1 peer_tunnel_id 101 local 192.0.2.1 remote 192.0.2.2 udp_sport 5001 udp_dport 5101
	add tunnel tunnel_id 2 peer_tunnel_id 102 local any remote 192.0.2.2 encap ip
	add tunnel tunnel_id 3 peer_tunnel_id 103 local 2001:db8::1 remote 2001:db8::2 udp_sport 5003 udp_dport 5103
	add tunnel tunnel_id 4 peer_tunnel_id 104 local 2001:db8::1 remote 2001:db8::2 encap ip
	add session name t1 tunnel_id 1 session_id 1 peer_session_id 11 cookie 0123456789abcdef peer_cookie fedcba9876543210 up
	add session name t2 tunnel_id 2 session_id 2 peer_session_id 12 cookie 01234567 peer_cookie 89abcdef up
	add session name t3 tunnel_id 3 session_id 3 peer_session_id 13 cookie 01234567 peer_cookie fedcba9876543210 seq both up
	add session name t4 tunnel_id 4 session_id 4 peer_session_id 14 l2spec_type none up
LINES
check "B: the other ends" kb -batch - <<-'LINES'
	add tunnel tunnel_id 101 peer_tunnel_id 1 local 192.0.2.2 remote 192.0.2.1 udp_sport 5101 udp_dport 5001 udp_csum on
	add tunnel tunnel_id 102 peer_tunnel_id 2 local 192.0.2.2 remote 192.0.2.1 encap ip
	add tunnel tunnel_id 103 peer_tunnel_id 3 local 2001:db8::2 remote 2001:db8::1 udp_sport 5103 udp_dport 5003
	add tunnel tunnel_id 104 peer_tunnel_id 4 local 2001:db8::2 remote 2001:db8::1 encap ip
	add session name t1 tunnel_id 101 session_id 11 peer_session_id 1 cookie fedcba9876543210 peer_cookie 0123456789abcdef up
	add session name t2 tunnel_id 102 session_id 12 peer_session_id 2 cookie 89abcdef peer_cookie 01234567 up
	add session name t3 tunnel_id 103 session_id 13 peer_session_id 3 cookie fedcba9876543210 peer_cookie 01234567 seq both up
	add session name t4 tunnel_id 104 session_id 14 peer_session_id 4 l2spec_type none up
LINES
for n in 1 2 3 4; do
	printf 'addr add 10.%d.0.1/24 dev t%d\naddr add fd00:%d::1/64 dev t%d nodad\n' $n $n $n $n >>"$TMP/a.addr"
	printf 'addr add 10.%d.0.2/24 dev t%d\naddr add fd00:%d::2/64 dev t%d nodad\n' $n $n $n $n >>"$TMP/b.addr"
done
ip -n "$A" -batch "$TMP/a.addr"
ip -n "$B" -batch "$TMP/b.addr"

mtu() { ns "$1" cat "/sys/class/net/$2/mtu"; }		# a namespace of ip netns exec has its own /sys
fragments() { ns "$A" cat /proc/net/snmp /proc/net/snmp6 | awk '$1 == "Ip:" && $2 ~ /^[0-9]/ { n += $(NF > 19 ? 20 : NF) } $1 == "Ip6FragCreates" { n += $2 } END { print n + 0 }'; }
# The outer 1500 less IP, UDP with L2TP's own 4 octets, session id, cookie, sublayer, and the Ethernet header inside.
mtu_is() { local got; got=$(mtu "$1" "$2"); echo "MTU of $2: $got, wanted $3"; [[ $got == "$3" ]]; }
check "UDP, IPv4, cookie of 8: MTU" mtu_is "$A" t1 $((1500 - 20 - 8 - 4 - 4 - 8 - 4 - 14))
check "IP, IPv4, cookie of 4: MTU" mtu_is "$A" t2 $((1500 - 20 - 4 - 4 - 4 - 14))
check "UDP, IPv6, cookie of 4: MTU" mtu_is "$A" t3 $((1500 - 40 - 8 - 4 - 4 - 4 - 4 - 14))
check "IP, IPv6, no cookie, no sublayer: MTU" mtu_is "$A" t4 $((1500 - 40 - 4 - 14))

whole() { ns "$1" ping -n -q -c 2 -i 0.2 -W 5 -M "$2" -s "$4" "$3" | grep ' 2 received'; }
for n in 1 2 3 4; do
	check "tunnel $n: pings, fragmented ones, too" ping_ok "$A" 10.$n.0.2 56 4000 30000
	check "tunnel $n: IPv6 inside, back" ping_ok "$B" fd00:$n::1 56 4000
done
before=$(fragments)
for n in 1 2 3 4; do
	check "tunnel $n: a packet of the whole MTU passes" whole "$A" do 10.$n.0.2 $(($(mtu "$A" t$n) - 28))
done
not_cut() { local now; now=$(fragments); echo "$before, now $now"; [[ $now == "$before" ]]; }
check "none of them was fragmented outside" not_cut

counted() {	# NS NAME SESSION COUNTER: it is more than 0
	"$ktun" -n "$1" -s -j show session session_id "$2" | grep -E "\"$3\":[1-9]"
}
check "counters tell" counted "$A" 1 rx_packets

# --- MTU by hand, outer fragments, jumbo frames, a narrow path --------------------------------------------

session() {	# A's and B's words for session N of tunnels 1 and 101 with name t5
	ka add session name t5 tunnel_id 1 session_id 5 peer_session_id 15 $1 &&
		kb add session name t5 tunnel_id 101 session_id 15 peer_session_id 5 ${2-$1}
}
no_session() { ka del session tunnel_id 1 session_id 5 && kb del session tunnel_id 101 session_id 15; }
address5() { ip -n "$A" addr add 10.5.0.1/24 dev t5 && ip -n "$B" addr add 10.5.0.2/24 dev t5; }
check "mtu 1500" session 'mtu 1500 up'
address5
check "is what the interface has" mtu_is "$B" t5 1500
check "packets of 1500 octets pass, fragmented outside" whole "$A" do 10.5.0.2 1472
cut() { (($(fragments) > before)); }
check "they were" cut
check "session away" no_session

check "a wrong cookie on one side" session 'cookie 01234567 peer_cookie 01234567 up' 'cookie 01234567 peer_cookie 0123456789abcdef up'
address5
check_fail "nothing passes" ns "$A" ping -n -q -c 2 -i 0.2 -W 1 10.5.0.2
check "it is counted" counted "$B" 15 rx_cookie_discards
check "session away" no_session

ip -n "$A" route add 192.0.2.2/32 dev wan mtu 1400
ip -n "$A" link set wan mtu 9000
ip -n "$B" link set wan mtu 9000
check "a narrow path: tunnel" ka add tunnel tunnel_id 6 peer_tunnel_id 106 local 192.0.2.1 remote 192.0.2.2 udp_sport 5006 udp_dport 5106
check "and session" ka add session name t6 tunnel_id 6 session_id 6 peer_session_id 16
check "its MTU is the path's, less" mtu_is "$A" t6 $((1400 - 20 - 8 - 4 - 4 - 4 - 14))
ka del tunnel tunnel_id 6
ip -n "$A" route del 192.0.2.2/32 dev wan
jumbo() {
	ka add tunnel session name t6 tunnel_id 6 peer_tunnel_id 106 session_id 6 peer_session_id 16 \
		local 192.0.2.1 remote 192.0.2.2 udp_sport 5006 udp_dport 5106 up &&
	kb add tunnel session name t6 tunnel_id 106 peer_tunnel_id 6 session_id 16 peer_session_id 6 \
		local 192.0.2.2 remote 192.0.2.1 udp_sport 5106 udp_dport 5006 up
}
check "jumbo: tunnel and session in one line" jumbo
ip -n "$A" addr add 10.6.0.1/24 dev t6
ip -n "$B" addr add 10.6.0.2/24 dev t6
check "jumbo: MTU" mtu_is "$A" t6 $((9000 - 20 - 8 - 4 - 4 - 4 - 14))
check "jumbo: whole packets pass" whole "$A" do 10.6.0.2 $((9000 - 54 - 28))
ka del tunnel tunnel_id 6
kb del tunnel tunnel_id 106

# --- Bridges with VLANs -----------------------------------------------------------------------------------

ip link add name lan netns "$A" type veth peer name eth0 netns "$H1"
ip link add name lan netns "$B" type veth peer name eth0 netns "$H2"
lan() {
	ip -n "$1" -batch - <<-LINES
		link add br0 type bridge vlan_filtering 1
		link set br0 up
		link set lan master br0
		link set lan up
	LINES
	bridge -n "$1" -batch - <<-LINES
		vlan add dev lan vid 10 pvid untagged
		vlan del dev lan vid 1
	LINES
	ip -n "$2" -batch - <<-LINES
		link set eth0 up
		addr add $3/24 dev eth0
	LINES
}
lan "$A" "$H1" 10.7.0.1
lan "$B" "$H2" 10.7.0.2
check "ports of VLAN 10 of both bridges" session 'bridge br0 vlan 10 mtu 1500'
check "hosts behind the bridges, in whole frames" whole "$H1" do 10.7.0.2 1472
check "and big packets" ping_ok "$H2" 10.7.0.1 56 4000
vlan_is() { bridge -n "$A" vlan show dev t5 | tee "$TMP/out" | grep -q "$1 PVID Egress Untagged" && [[ $(grep -c Untagged "$TMP/out") == 1 ]] || { cat "$TMP/out"; return 1; }; }
check "the port is in no other VLAN" vlan_is 10
check "session away" no_session
check "a port of VLAN 20 here, 10 there" session 'bridge br0 vlan 20' 'bridge br0 vlan 10'
check_fail "the hosts are apart" ns "$H1" ping -n -q -c 2 -i 0.2 -W 1 10.7.0.2
check "session away" no_session

ip -n "$A" link set br0 type bridge vlan_filtering 0
ip -n "$B" link set br0 type bridge vlan_filtering 0
refuses_vlan() { ! ka add session tunnel_id 1 session_id 5 peer_session_id 15 bridge br0 vlan 10 2>"$TMP/out" && grep -q 'minds no VLANs' "$TMP/out"; }
check "a bridge without VLANs: told" refuses_vlan
check "a trunk" session 'bridge br0 mtu 1504'
tagged() {
	ip -n "$1" -batch - <<-LINES
		link add link eth0 name eth0.30 type vlan id 30
		addr add $2/24 dev eth0.30
		link set eth0.30 up
	LINES
}
tagged "$H1" 10.8.0.1
tagged "$H2" 10.8.0.2
check "tagged frames pass, whole" whole "$H1" do 10.8.0.2 1472
check "session away" no_session

# --- Namespace and VRF --------------------------------------------------------------------------------------

check "an interface moved to another namespace, and one of a VRF" ip -n "$B" -batch - <<-'LINES'
	link add red type vrf table 10
	link set red up
LINES
check "session" session "netns $H1 up" 'vrf red up'
ip -n "$H1" addr add 10.9.0.1/24 dev t5
ip -n "$B" addr add 10.9.0.2/24 dev t5
check "pings from that namespace" ping_ok "$H1" 10.9.0.2 56 1400
not_here() { ! ip -n "$A" link show t5; }
check "the interface is not here" not_here
in_vrf() { ip -n "$B" -br link show master red | grep -q '^t5 .*UP'; }
check "the other one is the VRF's" in_vrf
check "the kernel still knows it" counted "$A" 5 rx_packets
check "session away, wherever its interface is" no_session
gone() { ! ip -n "$H1" link show t5; }
check "with its interface" gone
names_netns() { ! ka add session tunnel_id 1 session_id 5 peer_session_id 15 netns nowhere 2>"$TMP/out" && grep -q 'network namespace nowhere' "$TMP/out" && ! ka show session session_id 5; }
check "a namespace that is not there: told, and nothing is left" names_netns
ip -n "$H1" link add t5 type dummy
name_taken() { ! ka add session name t5 tunnel_id 1 session_id 5 peer_session_id 15 netns "$H1" 2>"$TMP/out" && grep -q 'not added' "$TMP/out" && ! ka show session session_id 5; }
check "a name that is taken there: told, and nothing is left" name_taken

# --- PPP in a static L2TPv2 session: pppd at both ends, no control connection ---------------------------------

ppp() { # NS LOCAL-IP PEER-IP ADDRESS TUNNEL SESSION PEER-TUNNEL PEER-SESSION
	local n=$1
	shift
	# shellcheck disable=SC2016
	spawn "$n" "pppd-$1" perl -e '
		use Socket;
		my ($ip, $peer, $addr, $t, $s, $pt, $ps) = @ARGV;
		$^F = 99;
		socket(my $fd, 24, SOCK_DGRAM, 1) or die "socket: $!";
		connect($fd, pack("S L l l", 24, 1, 0, -1) . sockaddr_in(1701, inet_aton($addr)) . pack("S4", $t, $s, $pt, $ps))
			or die "connect: $!";
		exec("pppd", qw(plugin pppol2tp.so pppol2tp), fileno($fd), qw(nodetach noauth noccp nodefaultroute mtu 1400 mru 1400
			logfile /dev/null), "$ip:$peer") or die "pppd: $!"' "$@"
}
v2() {
	ka add tunnel session version 2 tunnel_id 7 peer_tunnel_id 107 session_id 70 peer_session_id 71 local 192.0.2.1 \
		remote 192.0.2.2 udp_sport 1701 udp_dport 1701 &&
	kb add tunnel session version 2 tunnel_id 107 peer_tunnel_id 7 session_id 71 peer_session_id 70 local 192.0.2.2 \
		remote 192.0.2.1 udp_sport 1701 udp_dport 1701
}
check "static L2TPv2 with a PPP session" v2
ppp "$A" 10.20.0.1 10.20.0.2 192.0.2.2 7 70 107 71
ppp "$B" 10.20.0.2 10.20.0.1 192.0.2.1 107 71 7 70
check "pppd brings it up" busywait 30000 ns "$A" ping -n -q -c 1 -W 1 10.20.0.2
check "pings of several sizes" ping_ok "$A" 10.20.0.2 56 1372 4000

# --- Away ---------------------------------------------------------------------------------------------------

check "A: all tunnels away" ka -batch - <<<$'del tunnel tid 1\ndel tunnel tid 2\ndel tunnel tid 3\ndel tunnel tid 4\ndel tunnel tid 7'
check "B: all tunnels away" kb -batch - <<<$'del tunnel tid 101\ndel tunnel tid 102\ndel tunnel tid 103\ndel tunnel tid 104\ndel tunnel tid 107'
empty() { [[ -z $(ka show tunnel; kb show tunnel; ka show session; kb show session) ]]; }
check "nothing is left" empty
