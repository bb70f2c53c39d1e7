#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# IPsec alone (mode = tunnel) between two sites, beside L2TP in IPsec between the same gateways with the same secret: what is
# between the networks goes through ESP or not at all, with no charon, up, down, up again, with ktund killed and started anew,
# with the kernel's policies deleted, with the peer gone; TCP announces what fits.
#   H1 10.1.0.2 -- HEAD 192.0.2.1 -- R -- 198.51.100.2 BRANCH -- 10.2.0.2 H2
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-ipsec.sh"

setup_ns H1 HEAD R BRANCH H2
veth_pair "$H1" eth0 10.1.0.2/24 "$HEAD" lan0 10.1.0.1/24
veth_pair "$HEAD" eth0 192.0.2.1/24 "$R" left 192.0.2.254/24
veth_pair "$R" right 198.51.100.254/24 "$BRANCH" eth0 198.51.100.2/24
veth_pair "$BRANCH" lan0 10.2.0.1/24 "$H2" eth0 10.2.0.2/24
ip -n "$H1" route add default via 10.1.0.1
ip -n "$HEAD" route add default via 192.0.2.254
ip -n "$BRANCH" route add default via 198.51.100.254
ip -n "$H2" route add default via 10.2.0.1
for n in "$HEAD" "$R" "$BRANCH"; do
	ns "$n" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
done
ns "$R" nft -f - <<-'NFT' || fatal "the router counts"
	table ip count {
		counter nplain { }
		counter nl2tp { }
		counter nesp { }
		chain pre {
			type filter hook prerouting priority -300
			ip saddr 10.0.0.0/8 counter name nplain
			udp dport 1701 counter name nl2tp
			ip protocol 50 counter name nesp
		}
	}
NFT
seen() { [[ $(ns "$R" nft list counter ip count "n$1") =~ packets\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}"; }

ike='psk = "sesame" proposals = "aes128-sha256-ecp256" esp-proposals = "aes128-sha256"'
l2tp='peer "anyone" { address = "0.0.0.0/0" local-address = "10.10.0.1" '$ike' }'
site='peer "branch" { address = "198.51.100.2" mode = tunnel networks = { "10.2.0.0/24" } local-networks = { "10.1.0.0/24" }
	'$ike' }'
head_config() {
	write_config head <<-CONF >/dev/null
		listen "192.0.2.1" { }
		user "alice" { password = "wonderland" address = "10.10.0.11" }
		$l2tp
		${1:-}
	CONF
}
write_config branch <<-CONF >/dev/null
	tunnel "hq" { remote = "192.0.2.1" mode = tunnel networks = { "10.1.0.0/24" } local-networks = { "10.2.0.0/24" }
	    persist = yes redial-min = 1s redial-max = 2s $ike }
	tunnel "phone" { remote = "192.0.2.1" user = "alice" password = "wonderland" persist = yes redial-min = 1s redial-max = 2s $ike }
CONF
tunnels() { ktun_in "$1" show tunnels; }
is() { tunnels "$1" | grep -E "$2" | grep -qE "$3"; }
from_h2() { ping_ok "$H2" 10.1.0.2 56 1300; }
from_h1() { ping_ok "$H1" 10.2.0.2; }
phone() { ping_ok "$BRANCH" 10.10.0.1; }
# Nobody answers, and nothing of it is on the wire; here: seen from the branch.
closed() {
	local before
	before=$(seen plain)
	ns "$H2" ping -n -q -c 2 -i 0.1 -W 1 10.1.0.2
	[[ ${1:-} == here ]] || ns "$H1" ping -n -q -c 2 -i 0.1 -W 1 10.2.0.2
	ns "$BRANCH" ping -n -q -c 1 -W 1 -I 10.2.0.1 10.1.0.1
	echo "plain: $before, then $(seen plain)"
	[[ $before == "$(seen plain)" ]]
}
spi() { [[ $(ktun_in branch -j show sas hq) =~ \"spi_in\":\ *\"([0-9a-f]+)\" ]] && echo "${BASH_REMATCH[1]}"; }

check_fail "before there is any ktund: the ways of the networks are open" closed
head_config "$site"
ktund_start "$HEAD" head "$TMP/head.conf" --charon "$TMP/head.charon/vici" || fatal "the head office starts"
KTUND_KEEPER_GATE=0 ktund_start "$BRANCH" branch "$TMP/branch.conf" --charon "$TMP/branch.charon/vici" || fatal "the branch starts"
check "without charon nothing passes between the networks" closed
charon_start "$HEAD" head
charon_start "$BRANCH" branch
check "with it the tunnel comes up" busywait 60000 is branch '^ *- .*hq' 'established.* 10.2.0.0/24 - 10.1.0.0/24'
check "pings from network to network, small and large" from_h2
check "and back" from_h1
check "the other end has it, too" is head '^ *- .*branch' 'established.*198.51.100.2 .* 10.1.0.0/24 - 10.2.0.0/24'
check "L2TP in IPsec between the same gateways" busywait 60000 sessions_up head 1
check "carries packets" phone
sas() { ktun_in branch show sas hq | grep -q ktund-tunnel-hq && ktun_in branch show tunnel hq | grep -q 'mode *TUNNEL' &&
	ktun_in head show sas branch | grep -q ktund-peer-branch; }
check "its SA is shown, with the tunnel and alone, on both sides" sas

check "down" ktun_in branch down tunnel hq
check "is shown" is branch hq down
check "and nothing passes" closed
check "L2TP does not notice" phone
# The policies of the networks, which none but us has, by their numbers.
policies_off() {
	ip -n "$HEAD" -s xfrm policy | awk '/^src/ { net = $2 ~ /^10\.[12]/ && $4 ~ /^10\.[12]/ }
		net && / index / { for (i = 1; i < NF; i++) if ($i == "index") print "xfrm policy delete index", $(i + 1), "dir", $2 }' |
		ip -n "$HEAD" -batch -
	! ip -n "$HEAD" xfrm policy | grep '^src 10'
}
blocked() {	# at the head office, forwarded and its own; forwarded only
	local before
	before=$(seen plain)
	ns "$H1" ping -n -q -c 2 -i 0.1 -W 1 10.2.0.2
	ns "$HEAD" ping -n -q -c 1 -W 1 -I 10.1.0.1 10.2.0.1
	echo "plain: $before, then $(seen plain)"
	[[ $before == "$(seen plain)" ]]
}
check "somebody deletes the kernel's policies of the networks" policies_off
check "still nothing passes: the second belt" blocked
check "and it counts" test "$(ktun_in head -j show stats | grep -o '"dropped_plain_out": *[0-9]*' | grep -o '[0-9]*$')" -ge 3
check "up" ktun_in branch up tunnel hq
check "pings again" from_h2
# 1500 less 20 IP, 8 + 16 + 16 ESP; whole blocks of 16; less 2 at their end, 20 IP, 20 TCP.  The branch's keeper has no table.
mss() { ns "$1" nft 'add table ip mss; add chain ip mss pre { type filter hook prerouting priority -300; };
	add rule ip mss pre tcp dport 9 tcp option maxseg size 1398 counter'; }
fits() { ns "$1" nft list chain ip mss pre | grep -q 'packets [1-9]'; }
syn() {	# syn FROM ADDRESS TO
	mss "$3"
	spawn "$1" syn timeout 60 bash -c "</dev/tcp/$2/9"
	busywait 20000 fits "$3"
	stop_pid "$SPAWNED"
	fits "$3"
}
check "TCP announces no more than fits: outwards" syn "$H1" 10.2.0.2 "$H2"
check "and inwards, whatever the other end does" syn "$H2" 10.1.0.2 "$H1"
check_fail "it is up already" ktun_in branch up tunnel hq

was=$(spi)
kill -KILL "$(ktund_pid branch)"
check "ktund killed: pings go on" from_h2
ktund_start "$BRANCH" branch "$TMP/branch.conf" --charon "$TMP/branch.charon/vici" || fatal "the branch starts again"
check "the next one has the tunnel" busywait 30000 is branch hq established
check "with the same SA" eval '[[ -n $was && $was == "$(spi)" ]]'
check "pings" from_h1
check "L2TP's, too" phone

head_config
check "the peer's is taken out of its configuration" ktun_in head reload
check "here it goes, and it is said why" busywait 20000 grep -q 'tunnel hq: its IPsec is gone' "$TMP/branch.log"
check "nothing passes from here" closed here
head_config "$site"
ktun_in head reload >/dev/null
check "it is put back: the tunnel comes back" busywait 60000 is branch hq established
check "pings" from_h2
check "L2TP never noticed" phone
check_fail "it was never said to go" grep -q 'tunnel phone.*gone' "$TMP/branch.log"
check "no L2TP on the wire, and there was ESP" eval '(($(seen l2tp) == 0 && $(seen esp) > 30))'
