#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Three clients with IPsec behind one NAT, all with the same address, port 1701 and secret for the LNS: the mark of its SA
# tells whose a packet is. One rekeys, one leaves, and the others do not notice. Before Linux 6.11 the second is refused.
#   C1 192.168.1.10, C2 192.168.2.10, C3 192.168.3.10 ---- NAT 203.0.113.2 ---- 203.0.113.1 LNS
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-ipsec.sh"

setup_ns LNS NAT C1 C2 C3
veth_pair "$LNS" eth0 203.0.113.1/24 "$NAT" out0 203.0.113.2/24
nat "$NAT" 'oifname out0 masquerade'
for i in 1 2 3; do
	declare -n client=C$i
	veth_pair "$NAT" c$i 192.168.$i.1/24 "$client" eth0 192.168.$i.10/24
	ip -n "$client" route add default via 192.168.$i.1
done
[[ $(uname -r) =~ ^([0-9]+)\.([0-9]+) ]]
old=$((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] < 6011))

CONFIG=$(write_config lns <<-'CONF'
	listen "203.0.113.1" { }
	user "u1" { password = "wonderland" address = "10.10.0.11" }
	user "u2" { password = "wonderland" address = "10.10.0.12" }
	user "u3" { password = "wonderland" address = "10.10.0.13" }
	defaults { echo-interval = 0 retransmit-interval = 1s max-retransmits = 3 }
	peer "anyone" { address = "0.0.0.0/0" local-address = "10.10.0.1" ipsec = required psk = "sesame" }
CONF
)
capture "$LNS" eth0 "$TMP/wire.pcap"
charon_start "$LNS" lns
ktund_start "$LNS" lns "$CONFIG" --charon "$TMP/lns.charon/vici" || fatal "the LNS starts"
client_up() {	# client_up I [MORE]
	local -n n=C$1
	write_config "c$1" >/dev/null <<-CONF
		tunnel "head" {
		    remote = "203.0.113.1" user = "u$1" password = "wonderland"
		    persist = yes redial-min = 1s redial-max = 4s
		    ipsec = required psk = "sesame" ${2:-}
		}
	CONF
	charon_start "$n" "c$1"
	ktund_start "$n" "c$1" "$TMP/c$1.conf" --charon "$TMP/c$1.charon/vici" || fatal "client $1 starts"
}
# Each way, with a number of pings of its own, counted on the link of this user at the LNS.
own_packets() {
	local i=$1 dev was is
	local -n n=C$1
	dev=$(session_get lns interface "\"user\":\"u$i\"") || return 1
	was=$(ns "$LNS" cat "/sys/class/net/$dev/statistics/rx_packets")
	ns "$n" ping -n -q -c $((i + 1)) -i 0.1 -W 5 10.10.0.1 || return 1
	is=$(ns "$LNS" cat "/sys/class/net/$dev/statistics/rx_packets")
	echo "$dev of u$i: $((is - was)) packets"
	((is - was == i + 1)) && ns "$LNS" ping -n -q -c 2 -i 0.1 -W 5 "10.10.0.1$i"
}
pings() {	# pings CLIENT...: each and the LNS ping each other, all at once
	local i
	for i in "$@"; do
		local -n n=C$i
		pings_start "c$i" "$n" 10.10.0.1
		pings_start "lns$i" "$LNS" "10.10.0.1$i"
	done
}
drops() {	# what the kernels dropped so far, and where
	local n
	for n in LNS C1 C2 C3; do
		echo "$n: $(ns "${!n}" awk '$2 { printf "%s=%s ", $1, $2 }' /proc/net/xfrm_stat)" \
			"$(ns "${!n}" awk '/^(Ip|Udp|Icmp):/ { if (name == $1) for (i = 2; i <= NF; i++) if (title[i] ~ /Err|Discard|NoPort/ && $i)
				printf "%s%s=%s ", $1, title[i], $i; name = $1; split($0, title) }' /proc/net/snmp)"
	done
	echo "LNS: dropped_foreign $(counter dropped_foreign)"
}
none_lost() {	# none_lost CLIENT...
	local i
	grep . "$TMP"/steady-*
	drops
	for i in "$@"; do
		(($(lost "c$i") + $(lost "lns$i") == 0)) || return 1
	done
}
# Somebody there (NS ADDRESS) knows the ids of this user and sends with them: nothing arrives, and all are counted.
inject=$(cd "$(dirname "$0")" && pwd)/l2tp-inject.py
stolen() {	# NS ADDRESS USER COUNTER
	local ids dev was is k0 k1
	ids=$(session_get lns tunnel_id "\"user\":\"$3\""),$(session_get lns session_id "\"user\":\"$3\"")
	dev=$(session_get lns interface "\"user\":\"$3\"")
	was=$(ns "$LNS" cat "/sys/class/net/$dev/statistics/rx_packets")
	k0=$(counter "$4")
	echo "$2,1701,203.0.113.1,1701,$ids,-/L/O/LO" | ns "$1" "$inject"
	sleep 0.5
	is=$(ns "$LNS" cat "/sys/class/net/$dev/statistics/rx_packets")
	k1=$(counter "$4")
	echo "$((is - was)) arrived, $((k1 - k0)) dropped"
	((is == was && k1 == k0 + 4))
}
clear_udp() { tcpdump -n -r "$TMP/wire.pcap" 'udp and not port 500 and not port 4500' 2>/dev/null; }
nothing_in_clear() { local out; out=$(clear_udp); [[ -z $out ]] || { echo "$out"; false; }; }
esp_seen() { [[ $(tcpdump -n -r "$TMP/wire.pcap" 'udp port 4500' 2>/dev/null | wc -l) -gt 20 ]]; }

client_up 1 'ike = 1'
check "the first comes up, by IKEv1" busywait 90000 sessions_up lns 1
check "the first carries packets" own_packets 1
if ((old)); then
	pings 1
	client_up 2
	check "the second is refused, and the log says why" busywait 30000 grep -q 'another peer behind its NAT.*6.11' "$TMP/lns.log"
	pings_stop >"$TMP/pings.out"
	check "the first does not notice: not a ping is lost" none_lost 1
	check "its link has its packets" own_packets 1
	check "inside the second one's SA: nothing with the ids of the first arrives" stolen "$C2" 192.168.2.10 u1 dropped_foreign
	ktund_stop c1
	check "it goes: the second is served" busywait 60000 sessions_up lns 1 '"user":"u2"'
	check "the second carries packets" busywait 10000 own_packets 2
else
	client_up 2
	check "the second comes up" busywait 60000 sessions_up lns 2
	client_up 3 'ike = 1'
	check "the third comes up" busywait 60000 sessions_up lns 3
	check "for the LNS all have one address and port" \
		test "$(ktun_in lns -j show tunnels | grep -o '203\.0\.113\.2' | wc -l)" -ge 3
	for i in 1 2 3; do
		check "client $i: its packets, and no others, on its link" own_packets $i
	done
	check "inside the third one's SA: nothing with the ids of the first arrives" stolen "$C3" 192.168.3.10 u1 dropped_foreign
	pings 1 2 3
	sleep 2
	was=$(too_early "$LNS")
	for i in 1 2; do
		check "client $i: rekeys its CHILD_SA" charon_swanctl c$i --rekey --child l2tp-1701
	done
	foreign=$(counter dropped_foreign)
	check "client 1: a new IKE_SA and SA, by IKEv1" again_by_ikev1 c1 sesame 203.0.113.1
	check "with another mark: its tunnel follows" busywait 10000 grep -q 'its IPsec has another mark' "$TMP/lns.log"
	sleep 1
	check "its old SA goes" busywait 5000 again_done c1
	sleep 1
	pings_stop >"$TMP/pings.out"
	check "all three both ways at once, and meanwhile: the second and the third lose nothing" none_lost 2 3
	# In IKEv1 who rekeys uses the new SA at once, and the other side has it only after the last message of Quick Mode. What comes
	# by an SA before ktund has heard of it has a mark that is nobody's.
	check "the first, by IKEv1, nothing but what was quicker than the last message of Quick Mode, or than ktund" \
		test $(($(lost c1) + $(lost lns1))) -le $(($(too_early "$LNS") - was + $(counter dropped_foreign) - foreign))
	for i in 1 2 3; do
		check "client $i: after that, its packets" own_packets $i
	done
	pings 1 3
	ktund_stop c2
	check "the second leaves" busywait 10000 sessions_up lns 2
	sleep 1
	pings_stop >"$TMP/pings.out"
	check "neither of the others notices: not a ping is lost" none_lost 1 3
	check "the first has its packets" own_packets 1
	check "the third, too" own_packets 3
	charon_swanctl c3 --terminate --ike ktund-tunnel-head >/dev/null 2>&1
	check "the third one's SA is deleted: its tunnel goes" busywait 5000 grep -q 'IPsec is gone' "$TMP/lns.log"
	check "the first does not notice" own_packets 1
	check "the third comes back" busywait 30000 sessions_up lns 2
	check "with its packets" busywait 10000 own_packets 3
	check "the first came up once only" test "$(grep -c 'up: user u1' "$TMP/lns.log")" -eq 1
fi
capture_stop
check "nothing in the clear" nothing_in_clear
check "but ESP in UDP" esp_seen
user=u$((old + 1))
check "in the clear, from the NAT's address, nothing with the ids of $user arrives" \
	stolen "$NAT" 203.0.113.2 $user dropped_plain_in
