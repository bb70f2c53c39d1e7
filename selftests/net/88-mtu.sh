#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Nothing need be told of MTUs: a path of 1300 octets between LAC and LNS where no fragment passes, two hosts with Ethernet's 1500
# that no ICMP reaches, and TCP flows both ways and no packet is in two pieces, in L2TP in ESP in UDP.
#   H2 10.2.0.2 -- LAC 192.0.2.2 -- R (1300) -- 203.0.113.1 LNS -- 10.1.0.2 H1
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-ipsec.sh"

setup_ns H1 LNS R LAC H2
veth_pair "$H1" eth0 10.1.0.2/24 "$LNS" lan0 10.1.0.1/24
veth_pair "$LNS" eth0 203.0.113.1/24 "$R" right 203.0.113.254/24
veth_pair "$R" left 192.0.2.254/24 "$LAC" eth0 192.0.2.2/24
veth_pair "$LAC" lan0 10.2.0.1/24 "$H2" eth0 10.2.0.2/24
ip -n "$LNS" link set eth0 mtu 1300
ip -n "$R" link set right mtu 1300
ip -n "$LNS" route add 192.0.2.0/24 via 203.0.113.254
ip -n "$LAC" route add 203.0.113.0/24 via 192.0.2.254
ip -n "$H1" route add default via 10.1.0.1
ip -n "$H2" route add default via 10.2.0.1
for n in "$LNS" "$R" "$LAC"; do
	ns "$n" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
done
# A firewall of the bad kind: no ICMP, no fragments.
ns "$R" nft -f - <<-'NFT' || fatal "the router is set up"
	table ip bad {
		chain raw {
			type filter hook prerouting priority -450
			ip frag-off & 0x3fff != 0 counter drop
		}
		chain out {
			type filter hook output priority 0
			icmp type destination-unreachable drop
		}
	}
NFT
for n in "$H1" "$H2"; do
	ns "$n" nft 'add table ip bad; add chain ip bad in { type filter hook input priority 0; }; add rule ip bad in icmp type destination-unreachable drop'
done
ns "$R" nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; add rule ip nat post oifname right masquerade'
# What an emulated machine computes in no time
secret='ipsec = required psk = "sesame" proposals = "aes128-sha256-ecp256" esp-proposals = "aes256-sha256"'
write_config lns <<-CONF >/dev/null
	listen "203.0.113.1" { }
	user "alice" { password = "wonderland" address = "10.10.0.11" }
	peer "anyone" { address = "0.0.0.0/0" local-address = "10.10.0.1" $secret route = { "10.2.0.0/24" } }
CONF
write_config lac <<-CONF >/dev/null
	tunnel "branch" { remote = "203.0.113.1" user = "alice" password = "wonderland"
	    persist = yes redial-min = 1s redial-max = 4s $secret route = { "10.1.0.0/24" } }
CONF
# 100,000 octets from one host to the other, both of them with an MTU of 1500.
transfer() {	# transfer FROM TO TO-ADDRESS
	spawn "$2" sink perl -MSocket -e 'socket($s, 2, 1, 0); setsockopt($s, 1, 2, 1); bind($s, sockaddr_in(5001, INADDR_ANY)) or die;
		listen($s, 1); open($r, ">", $ARGV[0]); close($r); accept($c, $s); $n += length($b) while sysread($c, $b, 65536);
		syswrite($c, "$n\n"); exit' "$TMP/sink.ready"
	busywait 10000 test -e "$TMP/sink.ready"
	rm -f "$TMP/sink.ready"
	ns "$1" timeout 60 perl -MSocket -e 'socket($s, 2, 1, 0); connect($s, sockaddr_in(5001, inet_aton($ARGV[0]))) or die "$!\n";
		$b = "x" x 100000; while (length $b) { $n = syswrite($s, $b) or die "$!\n"; substr($b, 0, $n) = "" }
		shutdown($s, 1); sysread($s, $b, 99); print $b; exit($b != 100000)' "$3"
	local rc=$?
	stop_pid "$SPAWNED" 1
	return $rc
}
no_fragments() { ns "$R" nft list chain ip bad raw | grep -q 'packets 0 '; }
# Both ends have it, and a packet that long passes.
fits() {
	local mtu
	mtu=$(session_get lns mtu)
	echo "MTU $mtu, $(session_get lac mtu) at the LAC"
	[[ $mtu == "$(session_get lac mtu)" ]] && [[ $mtu == "$1" ]] && ping_ok "$LNS" 10.10.0.11 "$((mtu - 28))"
}
charon_start "$LNS" lns
charon_start "$LAC" lac
ktund_start "$LNS" lns "$TMP/lns.conf" --charon "$TMP/lns.charon/vici" || fatal "the LNS starts"
ktund_start "$LAC" lac "$TMP/lac.conf" --charon "$TMP/lac.charon/vici" || fatal "the LAC starts"
check "a session" busywait 60000 sessions_up lns 1
busywait 20000 sessions_up lac 1
# 1300 less 20 IP, 8 UDP, 8 + 16 + 16 ESP; whole blocks of 16; less 2 at their end, 8 UDP, 8 L2TP, 4 PPP
check "its MTU is what the path of 1300 carries in one packet" fits 1210
check "TCP from behind the LNS to behind the LAC" transfer "$H1" "$H2" 10.2.0.2
check "and the other way" transfer "$H2" "$H1" 10.1.0.2
check "no fragment was seen" no_fragments
