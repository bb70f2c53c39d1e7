#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Strangers and bad neighbours of two LCCEs that have Ethernet pseudowires of L2TPv3 between them, over UDP and over IP.
#   A 192.0.2.1 ---- 192.0.2.2 B 198.51.100.1 ---- 198.51.100.2 S
# What S sends is refused in the RFC's words, nothing of it is installed or arrives in a pseudowire, and A and B notice nothing.
# shellcheck disable=SC2016	# eval and check expand them
. "$(dirname "$0")/lib.sh"

hostile=$KTUND_BUILD/selftests/net/hostile-v3
FLOOD=${KTUND_FLOOD:-6000} BAD=${KTUND_BAD:-200}	# more than the half-open table holds

setup_ns A B S
veth_pair "$A" eth0 192.0.2.1/24 "$B" eth0 192.0.2.2/24
veth_pair "$B" eth1 198.51.100.1/24 "$S" eth0 198.51.100.2/24
ip -n "$B" route add default via 198.51.100.2		# answers to forged sources go where those came from
ip -n "$S" route add 192.0.2.0/24 via 198.51.100.1
for f in all eth0 eth1; do				# as on a router: forged sources are not B's to filter
	ns "$B" sysctl -qw "net.ipv4.conf.$f.rp_filter=0"
done
ns "$S" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.eth0.disable_ipv6=1

b=$(write_config b <<-'CONF'
	host-name = "lcce-b"
	listen "192.0.2.2" { }
	listen "192.0.2.2" { encapsulation = ip }
	defaults { ipsec = none hello-interval = 5s cookie-length = 8 }
	profile "v3" { version = 3 }
	peer "a" {
	    address = "192.0.2.1" profile = "v3" secret = "sesame"
	    session "red" { interface = "red" }
	    session "blue" { interface = "blue" }
	    session "spare" { interface = "spare" }
	}
	peer "a ip" {
	    address = "192.0.2.1" profile = "v3" secret = "over IP" encapsulation = ip
	    session "ip" { interface = "ip" }
	    session "ip2" { interface = "ip2" }
	}
	peer "neighbour" {
	    address = "198.51.100.2" profile = "v3" secret = "mine"
	    session "own" { interface = "own" }
	    session "tagged" { interface = "tagged" pseudowire = vlan }
	}
	peer "neighbour ip" {
	    address = "198.51.100.2" profile = "v3" secret = "mine" encapsulation = ip
	    session "own ip" { interface = "own" }
	    session "tagged ip" { interface = "tagged" pseudowire = vlan }
	}
	peer "anyone" { address = "0.0.0.0/0" profile = "v3" session "any" { interface = "any" } }
CONF
)
a=$(write_config a <<-'CONF'
	host-name = "lcce-a"
	defaults { version = 3 ipsec = none persist = yes redial-min = 500ms redial-max = 2s hello-interval = 5s cookie-length = 8 }
	tunnel "one" {
	    remote = "192.0.2.2" secret = "sesame" digest = sha1
	    session "red" { interface = "red" }
	    session "blue" { interface = "blue" }
	}
	tunnel "two" {
	    remote = "192.0.2.2" encapsulation = ip secret = "over IP"
	    session "ip" { interface = "ip" }
	    session "ip2" { interface = "ip2" }
	}
	tunnel "spare" { remote = "192.0.2.2" secret = "sesame" remote-end-id = "spare" interface = "spare" }
CONF
)

s() { ns "$S" "$hostile" "$@" >"$TMP/said" && cat "$TMP/said"; }
up() { sessions_up a "$1" && sessions_up b "$1"; }
facts() {
	local n
	for n in a b; do
		lib_sessions $n | grep -oE '"(session_id|peer_session_id|tunnel_id|peer_tunnel_id|interface|state)": *[^,}]*'
	done
	ip -n "$A" l2tp show session | grep -v '^ *tunnel'
	ip -n "$B" l2tp show session
}
unchanged() { facts >"$TMP/facts.now"; diff "$TMP/facts" "$TMP/facts.now"; }
b_tunnel() { ktun_in b -j show tunnel "$1" | number "$2"; }	# b_tunnel TID KEY
fds() { local f=("/proc/$1/fd/"*); echo ${#f[@]}; }
rss() { local all; all=$(<"/proc/$1/status"); [[ $all =~ VmRSS:[[:space:]]*([0-9]+) ]] && echo "${BASH_REMATCH[1]}"; }
at_most() { echo "$1 <= $2"; [[ -n $1 ]] && ((${1%.*} <= ${2%.*})); }
# counted KEY AT-LEAST COMMAND...: B's counter rises by so much
counted() {
	local key=$1 least=$2 was
	shift 2
	was=$(ktun_in b -j show stats | number "$key")
	"$@" || return 1
	busywait 15000 eval "((\$(ktun_in b -j show stats | number $key) - $was >= $least))" && return 0
	echo "$key: $was, $(ktun_in b -j show stats | number "$key") now"
	return 1
}
forged() {	# forged TID AT-LEAST COMMAND...: the tunnel drops so many for their digest
	local tid=$1 least=$2 was
	shift 2
	was=$(b_tunnel "$tid" forged)
	"$@" || return 1
	busywait 15000 eval "((\$(b_tunnel $tid forged) - $was >= $least))" && return 0
	echo "forged: $was, $(b_tunnel "$tid" forged) now"
	return 1
}

capture "$B" eth0 "$TMP/talk.pcap" -s 0 '(udp port 1701 and udp[8] & 0x80 != 0) or (ip proto 115 and ip[20:4] = 0)'
check "B serves" ktund_start "$B" b "$b"
check "A dials" ktund_start "$A" a "$a"
check "five sessions are up" busywait 60000 up 5
# For the record: a CDN in each tunnel, and a StopCCN.
for name in blue ip2; do
	ktun_in a disconnect session "$(session_get a session_id "\"remote_end_id\":\"$name\"")" >/dev/null
done
ktun_in a down tunnel spare >/dev/null
stopped() { [[ $(ip -n "$B" l2tp show tunnel | grep -c '^Tunnel') == 2 ]] && up 4; }
check "two were ended and are up again, one tunnel is down" busywait 60000 stopped
capture_stop

for n in 1 2; do
	dev=$([[ $n == 1 ]] && echo red || echo ip)
	ip -n "$A" addr add 10.$n.0.1/24 dev $dev
	ip -n "$B" addr add 10.$n.0.2/24 dev $dev
	capture "$B" $dev "$TMP/$dev.pcap" ether src 02:00:00:00:be:ef
	taps[n]=$CAPTURE_PID
	ip netns exec "$A" ping -n -i 0.1 -W 5 10.$n.0.2 >"$TMP/ping$n" 2>&1 </dev/null &
	pings[n]=$!
	defer kill "$!"
done
busywait 15000 eval 'grep -q "bytes from" "$TMP/ping1" && grep -q "bytes from" "$TMP/ping2"'
ktund=$(ktund_pid b) keeper=$(keeper_pid b)
sid=$(session_get b session_id '"remote_end_id":"red"') peer_sid=$(session_get b peer_session_id '"remote_end_id":"red"')
ip_sid=$(session_get b session_id '"remote_end_id":"ip"') ip_peer_sid=$(session_get b peer_session_id '"remote_end_id":"ip"')
tid=$(session_get b tunnel_id '"remote_end_id":"red"') ip_tid=$(session_get b tunnel_id '"remote_end_id":"ip"')
cc=$(b_tunnel "$tid" control_connection_id) ip_cc=$(b_tunnel "$ip_tid" control_connection_id)
port=$(session_get b remote_port '"remote_end_id":"red"')
facts >"$TMP/facts"
echo "# control connection $cc, session $sid, port $port; over IP $ip_cc, $ip_sid"

# --- SCCRQs that A did not send

for way in udp ip; do
	check "over ${way^^}: an SCCRQ without a digest where one is demanded" \
		counted auth_tunnel_failed 3 s sccrq $way 192.0.2.1 random 192.0.2.2 3 0 -
	check "with a wrong one" counted auth_tunnel_failed 3 s sccrq $way 192.0.2.1 random 192.0.2.2 3 0 guess
done
check "it is said why" grep -q 'SCCRQ from 192.0.2.1:.* peer a refused: wrong or missing Message Digest' "$TMP/b.log"

# --- what was recorded, again

many='([5-9]|[1-9][0-9]+)'		# some were sent twice, where the machine is slow
had() { grep -qE "sccrq=[3-9] .*scccn=[3-9] .*icrq=$many .*iccn=$many .*cdn=[2-9] .*stopccn=[1-9] " "$TMP/said"; }
check "all that B heard, again, from where it came" s replay "$TMP/talk.pcap" each udp same same 192.0.2.2 3
check "that was SCCRQs, SCCCNs, ICRQs, ICCNs, CDNs and a StopCCN" had
check "from another address" counted rx_wrong_source 20 s replay "$TMP/talk.pcap" each udp 198.51.100.2 1701 192.0.2.2 3
check "from another port of the right one" counted rx_wrong_source 10 s replay "$TMP/talk.pcap" each udp same 1702 192.0.2.2 3
check "and all that A heard" ns "$B" "$hostile" replay "$TMP/talk.pcap" each udp same same 192.0.2.1 3
check "nothing has changed" unchanged
again() {
	local tx
	tx=$(ktun_in b -j show stats | number tx_datagrams)
	counted rx_datagrams 1000 s replay "$TMP/talk.pcap" icrq udp same same 192.0.2.2 400 || return 1
	at_most $(($(ktun_in b -j show stats | number tx_datagrams) - tx)) 200
}
check "old ICRQs are not acknowledged one by one" again

# --- right ids, right Ns, wrong digest

in_turn() {	# in_turn UDP|IP SECRET
	local t=$tid way=(udp 192.0.2.1 "$port" 192.0.2.2 "$cc" "$sid" "$peer_sid")
	[[ $1 == udp ]] || t=$ip_tid way=(ip 192.0.2.1 0 192.0.2.2 "$ip_cc" "$ip_sid" "$ip_peer_sid")
	forged "$t" 11 s forge each "${way[@]}" "$(b_tunnel "$t" nr)" "$(b_tunnel "$t" ns)" "$2"
}
for way in udp ip; do
	check "over ${way^^}: each message with the right ids and Ns and a wrong digest" in_turn $way guess
	check "with none" in_turn $way -
done
check "nothing has changed" unchanged
check "it is said" grep -q 'a message with a wrong Message Digest was dropped' "$TMP/b.log"
check "both" grep -q 'a message without a Message Digest was dropped' "$TMP/b.log"

# --- data

discards() { ktun_in b -j -s show session tunnel_id "$1" session_id "$2" | number rx_cookie_discards; }
rejected() {	# rejected TID SID N COMMAND...: the kernel counts so many wrong cookies
	local t=$1 id=$2 n=$3 was
	shift 3
	was=$(discards "$t" "$id")
	"$@" || return 1
	busywait 15000 eval "((\$(discards $t $id) - $was >= $n))" && return 0
	echo "rx_cookie_discards: $was, $(discards "$t" "$id") now"
	return 1
}
frames() { s data udp 192.0.2.1 "$port" 192.0.2.2 "$@"; }
check "frames with a wrong cookie" rejected "$tid" "$sid" 5 frames "$sid" 0123456789abcdef 5
check "without a cookie" rejected "$tid" "$sid" 5 frames "$sid" - 5
check "over IP" rejected "$ip_tid" "$ip_sid" 5 s data ip 192.0.2.1 0 192.0.2.2 "$ip_sid" 0123456789abcdef 5
check "for a session that is not there" counted rx_unknown_session 5 frames $((sid ^ 1)) 0123456789abcdef 5
check "over IP, too" s data ip 192.0.2.1 0 192.0.2.2 $((ip_sid ^ 1)) 0123456789abcdef 5
cookie() {	# what B expects: cookie LINK
	ip -n "$B" l2tp show session | sed -n "/interface name: $1\$/,/^Session/s/.*peer cookie \([0-9a-f]\{16\}\).*/\1/p"
}
check "B expects cookies of 8 octets" eval '[[ $(cookie red) && $(cookie ip) ]]'
check "with the right cookie from another address" counted rx_unknown_session 5 \
	s data udp 198.51.100.2 1701 192.0.2.2 "$sid" "$(cookie red)" 5

# --- malformed

check "malformed datagrams of a stranger" counted rx_malformed 20 \
	s malformed udp 203.0.113.9 1701 192.0.2.2 "$cc" $((sid ^ 1)) 1 $BAD -
check "over IP" counted rx_malformed 10 s malformed ip 203.0.113.9 0 192.0.2.2 "$ip_cc" $((ip_sid ^ 1)) 2 $BAD -
check "in A's name" counted rx_datagrams 20 s malformed udp 192.0.2.1 "$port" 192.0.2.2 "$cc" $((sid ^ 1)) 3 $BAD guess
check "over IP" counted rx_datagrams 20 s malformed ip 192.0.2.1 0 192.0.2.2 "$ip_cc" $((ip_sid ^ 1)) 4 $BAD guess
check "and in A's name with A's secret, but for the nonce" counted rx_datagrams 20 \
	s malformed udp 192.0.2.1 1702 192.0.2.2 0 $((sid ^ 1)) 5 $BAD sesame
check "nothing has changed" unchanged

# --- a neighbour with a tunnel of his own

neighbour() {	# neighbour "ANSWER" WAY WORD...
	local answer=$1 way=$2
	shift 2
	s peer "$way" 192.0.2.2 mine 15 "$@" && grep -qE "$answer" "$TMP/said"
}
for way in udp ip; do
	end=$([[ $way == udp ]] && echo own || echo "own ip")
	check "over ${way^^}: a neighbour's call" neighbour 'tunnel=1 call=1 ' $way "call=5:$end"
	check "of an unknown PW type" neighbour 'call=0 cdn=14/0 .*unsupported PW type' $way "call=9:$end"
	check "of another than is configured" neighbour 'call=0 cdn=14/0 .*another PW type' $way "call=4:$end"
	check "for nobody" neighbour 'call=0 cdn=5/0 .*unknown Remote End ID' $way call=5:nowhere
	check "for A's pseudowire" neighbour 'call=0 cdn=5/0 .*unknown Remote End ID' $way call=5:red
done
check "his CDN for A's session" neighbour 'tunnel=1 .*stopccn=0/0 acked=1' udp "cdn=$sid:$peer_sid" "cdn=$ip_sid:$ip_peer_sid"
check "nothing has changed" unchanged
hex() { printf '%04x%04x%04x%s' $((0x8000 + 6 + ${#2} / 2)) 0 "$1" "$2"; }	# an AVP: hex TYPE VALUE
icrq=$(hex 0 000a)$(hex 63 00000001)$(hex 64 00000000)$(hex 15 00000001)
check "his ICRQ without a Local Session ID is dropped" neighbour 'cdn=0/0 stopccn=0/0 acked=1' udp "raw=$(hex 0 000a)$(hex 68 0005)"
check "without a PW type is refused" neighbour 'cdn=14/0 ' udp "raw=$icrq"
check "with a cookie of five octets" neighbour 'cdn=2/2 .*Cookie' udp "raw=$icrq$(hex 68 0005)$(hex 66 6f776e)$(hex 65 0102030405)"
check "with a Remote End ID of 100 octets" neighbour 'cdn=2/3 .*Remote End ID' udp "raw=$icrq$(hex 68 0005)$(hex 66 "$(printf '61%.0s' {1..100})")"
check "with an AVP that runs out is dropped" neighbour 'cdn=0/0 stopccn=0/0 acked=0' udp "raw=${icrq}80ff00000044"
check "nothing has changed" unchanged

# --- a flood

busywait 30000 eval '[[ $(ktun_in b -j show tunnels | grep -o control_connection_id | grep -c .) == 2 ]]'
fds_before=$(fds "$ktund") keeper_before=$(fds "$keeper") rss_before=$(rss "$ktund")
no_more() {	# the keeper's threads open their netlink sockets when they first need them
	echo "$(fds "$ktund") = $fds_before, $(fds "$keeper") < $keeper_before + 32"
	[[ $(fds "$ktund") == "$fds_before" ]] && (($(fds "$keeper") < keeper_before + 32))
}
wire() { ns "$S" cat /sys/class/net/eth0/statistics/{t,r}x_{bytes,packets} | tr '\n' ' '; }
flood() {	# flood UDP|IP HEADERS COUNT ANSWERS
	local what="$3 SCCRQs from random sources over ${1^^}" was pid half tx0 txp0 rx0 rxp0 tx1 txp1 rx1 rxp1 in out
	read -r tx0 txp0 rx0 rxp0 < <(wire)
	was=$(counter_of sccrq)
	ip netns exec "$S" "$hostile" sccrq "$1" random random 192.0.2.2 "$3" 3000 - >"$TMP/flood" 2>&1 </dev/null &
	pid=$!
	check "$what: the neighbour gets in" ns "$S" "$hostile" peer "$1" 192.0.2.2 mine 25
	wait $pid
	echo "# $(<"$TMP/flood")"
	half=$(counter_of half_open)
	check "they arrived" at_most $(($3 / 10)) $(($(counter_of sccrq) - was))
	check "the half-open table is bounded" at_most "$half" 4096
	read -r tx1 txp1 rx1 rxp1 < <(wire)
	in=$((tx1 - tx0 - $2 * (txp1 - txp0))) out=$((rx1 - rx0 - $2 * (rxp1 - rxp0)))
	check "there were answers" at_most "$4" $((rxp1 - rxp0))
	check "octets out are at most 1.5 times octets in" at_most $((out * 2)) $((in * 3))
	check "no descriptor more" busywait 30000 no_more
	sanitized || check "less than 8 MB more" at_most $(($(rss "$ktund") - rss_before)) 8191
}
counter_of() { ktun_in b -j show stats | number "$1"; }
flood udp 42 $FLOOD 1000
sed -i '/^peer "anyone"/s/profile/encapsulation = ip &/' "$b"
check "B lets anyone come over IP instead" ktun_in b reload
drained() { at_most "$(counter_of half_open)" 3900; }
((FLOOD == 6000)) || busywait 40000 drained
flood ip 38 $((FLOOD / 4)) 50			# few: the table is nearly full

# --- after all that

check "the sessions are as they were" unchanged
check "nothing was said of them" eval '! grep -E "session ($sid|$ip_sid)/.*: down" "$TMP/b.log"'
bad_frames() { tcpdump -n -e -r "$TMP/$1.pcap" 2>/dev/null | grep -c 02:00:00:00:be:ef; }
sleep 0.3
check "no frame of the stranger came out of a pseudowire" test "$(bad_frames red) $(bad_frames ip)" = "0 0"
# The proof that one would have been seen.
frames "$sid" "$(cookie red)" 3 >/dev/null
s data ip 192.0.2.1 0 192.0.2.2 "$ip_sid" "$(cookie ip)" 3 >/dev/null
check "who knows the cookie, too, would be heard" busywait 15000 eval '[[ $(bad_frames red) == 3 && $(bad_frames ip) == 3 ]]'
no_loss() {
	local n
	kill -INT "${pings[$1]}"
	wait "${pings[$1]}"
	n=$(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 - \2/p' "$TMP/ping$1")
	echo "$n"
	[[ -n $n ]] && ((${n% - *} > 100 && n <= 1))
}
check "not one ping was lost over UDP" no_loss 1
check "nor over IP" no_loss 2
check "it is the same ktund" kill -0 "$ktund"
id=$(session_get a session_id '"remote_end_id":"red"')
check "a session is ended in order" ktun_in a disconnect session "$id"
check "B hears it: the control connection was never hurt" busywait 20000 grep -q 'by the operator' "$TMP/b.log"
for n in 1 2; do stop_pid "${taps[n]}"; done
check "A ends" ktund_stop a
check "B ends" ktund_stop b
