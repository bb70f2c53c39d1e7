#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# PPP over L2TPv3 between two ktunds, over UDP and directly over IP: proof of who it is, addresses, packets, what is refused,
# and what survives.
#   A 192.0.2.1, 2001:db8::1 ---- 192.0.2.2, 2001:db8::2 B: A is the LAC, B the LNS
#   A 198.51.100.1 ---- 198.51.100.2 X, whose xl2tpd speaks L2TPv2 alone
# shellcheck disable=SC2016	# eval and check expand them
. "$(dirname "$0")/lib.sh"

setup_ns A B X
veth_pair "$A" eth0 192.0.2.1/24,2001:db8::1/64 "$B" eth0 192.0.2.2/24,2001:db8::2/64
for where in "$A" "$B"; do	# answers may take another session's link: all of them end at the same address
	ns "$where" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
done
veth_pair "$A" eth1 198.51.100.1/24 "$X" eth0 198.51.100.2/24
leak_snapshot
mkdir "$TMP/hooks"
printf '#!/bin/sh\necho "$PEERNAME $IPREMOTE" >>%s/up.log\n' "$TMP" >"$TMP/hooks/up"
printf '#!/bin/sh\necho "$PEERNAME" >>%s/down.log\n' "$TMP" >"$TMP/hooks/down"
chmod -R 755 "$TMP" "$TMP/hooks"

b=$(write_config b <<-CONF
	host-name = "lns"
	listen "192.0.2.2" { }
	listen "2001:db8::2" { }
	listen "192.0.2.2" { encapsulation = ip }
	pool "staff" { range = "10.10.0.10-10.10.0.99" }
	user "alice" { password = "wonderland" }
	user "bob" { password = "builder" address = "10.10.0.5" }
	user "carol" { password = "christmas" }
	user "dave" { password = "dunwich" }
	user "frank" { password = "f\"r\\\\nk" }
	defaults { ipsec = none version = 3 hello-interval = 5s echo-interval = 5s }
	profile "ppp" {
	    pseudowire = ppp local-address = "10.10.0.1" pool = "staff" ip-up = "$TMP/hooks/up" ip-down = "$TMP/hooks/down"
	}
	peer "a" {
	    address = "192.0.2.1" profile = "ppp" secret = "sesame"
	    session "chap" { authentication = { "chap" } }
	    session "ms" { authentication = { "mschapv2" } cookie-length = 4 sequencing = yes }
	    session "wire" { pseudowire = ethernet interface = "wire" }
	}
	peer "six" {
	    address = "2001:db8::/64" profile = "ppp"
	    session "six" { authentication = { "mschapv2", "chap" } cookie-length = 0 ipv6 = yes }
	}
	peer "ip" {
	    address = "192.0.2.1" profile = "ppp" secret = "over IP" encapsulation = ip
	    session "ip" { authentication = { "chap" } }
	}
CONF
)
a=$(write_config a <<-'CONF'
	host-name = "lac"
	defaults { version = 3 ipsec = none persist = yes redial-min = 500ms redial-max = 2s hello-interval = 5s echo-interval = 5s }
	profile "ppp" { pseudowire = ppp authentication = { "mschapv2", "chap" } }
	tunnel "one" {
	    remote = "192.0.2.2" secret = "sesame" profile = "ppp"
	    session "alice" { remote-end-id = "chap" user = "alice" password = "wonderland" interface = "alice" }
	    session "bob" { remote-end-id = "ms" user = "bob" password = "builder" interface = "bob"
			    l2-specific-sublayer = default }
	    session "wire" { pseudowire = ethernet interface = "wire" }
	}
	tunnel "six" {
	    remote = "2001:db8::2" fallback = yes profile = "ppp" remote-end-id = "six" user = "carol" password = "christmas"
	    interface = "carol" ipv6 = yes
	}
	tunnel "ip" {
	    remote = "192.0.2.2" encapsulation = ip secret = "over IP" profile = "ppp" remote-end-id = "ip" user = "dave"
	    password = "dunwich" interface = "dave"
	}
	tunnel "old" {
	    remote = "198.51.100.2" fallback = yes secret = "sesame" profile = "ppp" authentication = { "chap" } remote-end-id = "any"
	    user = "erin" password = "emerald" interface = "erin" start = no persist = no
	}
	tunnel "guess" {
	    remote = "192.0.2.2" secret = "sesame" profile = "ppp" remote-end-id = "chap" user = "alice" password = "wonder"
	    start = no persist = no
	}
	tunnel "guess ip" {
	    remote = "192.0.2.2" encapsulation = ip secret = "over IP" profile = "ppp" remote-end-id = "ip" user = "dave"
	    password = "dulwich" start = no persist = no
	}
	tunnel "twice" {
	    remote = "192.0.2.2" secret = "sesame" profile = "ppp" remote-end-id = "chap" user = "carol"
	    password = "christmas" interface = "again" start = no
	}
CONF
)
up() { sessions_up "$1" "$2" '"state":"up"'; }
address() { session_get a ip "\"user\":\"$1\""; }
# Both ways through a user's own link: all four have the same address at the other end.
passes() {	# USER SIZES
	local here size who=$1
	shift
	here=$(address "$who") || return 1
	for size; do
		ns "$A" ping -n -q -c 2 -i 0.2 -W 10 -I "$who" -s "$size" 10.10.0.1 >/dev/null || return 1
		ns "$B" ping -n -q -c 2 -i 0.2 -W 10 -s "$size" "$here" >/dev/null || return 1
	done
}
kernel_has() {	# NS SESSIONS TUNNELS
	[[ $(ip -n "$1" l2tp show session | grep -c '^Session') == "$2" && $(ip -n "$1" l2tp show tunnel | grep -c '^Tunnel') == "$3" ]]
}
says() { grep -q -- "$2" "$TMP/$1.log"; }

check "B serves" ktund_start "$B" b "$b"
check "A dials" ktund_start "$A" a "$a"
check "A has four sessions with PPP and one Ethernet" busywait 90000 up a 5
check "B, too" busywait 30000 up b 5
check "CHAP: packets pass" passes alice 0 56 1372 4000
check "MS-CHAPv2, with a cookie of 4 and sequence numbers" passes bob 56 1372
check "show says so at the end that was asked for them" test "$(session_get a sequencing '"user":"bob"')" = true
check "over IPv6, without a secret and a cookie" passes carol 56 1372
check "IPv6 inside" eval 'ns "$A" ping -n -q -c 2 -W 10 "fe80::$(session_get b ifid "\"user\":\"carol\"" | sed s/^fe80:://)%carol"'
check "directly over IP" passes dave 0 56 1372 4000
check "who has an address of his own has it" test "$(address bob)" = 10.10.0.5
check "the others have some of the pool" eval 'ktun_in b show pools | grep -q "staff.* 3 "'
check "ip-up ran" busywait 20000 grep -q "^bob 10.10.0.5" "$TMP/up.log"
check "the kernel has them as L2TPv3's, in as many tunnels as there are" eval 'busywait 10000 kernel_has "$A" 5 3'
check "show sessions names user and address" eval 'ktun_in b show sessions | grep -q "bob *up *10.10.0.5"'
check "show session says how it proved who it is" eval '[[ $(session_get b auth "\"user\":\"bob\"") == mschapv2 ]]'
check "and what carries it" eval '[[ $(session_get b pseudowire "\"user\":\"alice\"") == ppp ]]'
check "the MTU leaves room for header and cookie" eval '(($(session_get a mtu "\"user\":\"alice\"") == 1400))'

# Ordered in words
echo sesame >"$TMP/secret"
echo 'f"r\nk' >"$TMP/password"
check "ktun add tunnel" ktun_in a add tunnel remote 192.0.2.2 tunnel_id 3000 secret_file "$TMP/secret"
check "ktun add session pseudowire ppp" ktun_in a add session tunnel_id 3000 remote_end_id chap pseudowire ppp user frank \
	password_file "$TMP/password" name frank mtu 1300
check "who he is was proved" eval 'busywait 60000 up a 6 && busywait 30000 up b 6 && [[ $(session_get b auth "\"user\":\"frank\"") == chap ]]'
check "packets pass" passes frank 56 1300
check "with the MTU that was ordered" eval 'ip -n "$A" link show frank | grep -q "mtu 1300"'
check "del tunnel" eval 'ktun_in a del tunnel tunnel_id 3000 && busywait 30000 up a 5 && busywait 30000 up b 5'

# Who speaks L2TPv2 alone has that (RFC 3931 4.7.3)
version_of() { ktun_in a -j show tunnels | tr -d ' \n' | grep -o "\"name\":\"$1\".*" | grep -o '"version":[0-9]' | head -1; }
check "a peer that could have L2TPv2 and has L2TPv3 speaks that" test "$(version_of six)" = '"version":3'
xl2tpd_lns "$X" xl 10.20.0.1 10.20.0.10-10.20.0.20 chap sesame erin emerald
check "xl2tpd is dialled" ktun_in a up tunnel old
check "and answers in L2TPv2" eval 'busywait 60000 up a 6 && [[ $(version_of old) == "\"version\":2" ]]'
check "packets pass" ping_ok "$A" 10.20.0.1 56 1372
check "ktund is killed, and goes on in L2TPv2" eval 'kill -KILL "$(ktund_pid a)" && sleep 0.3 && ktund_start "$A" a "$a" &&
	busywait 30000 up a 6 && ping_ok "$A" 10.20.0.1 56'
check "down with it" eval 'ktun_in a down tunnel old && busywait 30000 up a 5'
xl2tpd_stop xl

refused() {	# TUNNEL WORDS: of B's log
	ktun_in a up tunnel "$1" || true
	busywait 60000 says b "$2" || return 1
	ktun_in a down tunnel "$1" || true
}
check "a wrong password" refused guess 'authentication of "alice" failed'
check "a wrong password, over IP" refused "guess ip" 'authentication of "dave" failed'
check "nothing of them is in the kernel of B" eval 'busywait 60000 kernel_has "$B" 5 3'
check "nor of A" eval 'busywait 60000 kernel_has "$A" 5 3'
check "another user by the same Remote End ID" eval 'ktun_in a up tunnel twice && busywait 60000 up b 6'
check "both have their packets" eval 'passes alice 56 && ns "$A" ping -n -q -c 2 -W 10 -I again 10.10.0.1'
check "down with it" eval 'ktun_in a down tunnel twice && busywait 30000 up b 5'

# One goes and comes back
id=$(session_get b session_id '"user":"alice"')
check "B disconnects a session" ktun_in b disconnect session "$id"
check "A hears that it ended" busywait 30000 says a 'user alice: down: .*by the operator'
check "ip-down ran" busywait 20000 grep -qs "^alice" "$TMP/down.log"
check "and comes back" eval 'busywait 60000 up a 5 && busywait 30000 up b 5 && [[ $(session_get b session_id "\"user\":\"alice\"") != "$id" ]]'
check "packets pass again" passes alice 56

# ktund is killed while packets pass
pinging() { ns "$A" sh -c 'echo $$ >"$1"; exec ping -n -q -i 0.1 -W 10 -I "$2" 10.10.0.1' sh "$TMP/pinger.$1" "$1" >"$TMP/pings.$1" 2>&1 & }
shells=()
for who in alice dave; do
	pinging $who
	shells+=($!)
	busywait 10000 test -s "$TMP/pinger.$who"
	defer kill -KILL "$(<"$TMP/pinger.$who")"
done
facts() { lib_sessions "$1" | sed -E 's/.*"session_id":([0-9]+),"peer_session_id":([0-9]+).*"up_since":([0-9]+).*/\1 \2 \3/' | sort; }
facts a >"$TMP/facts.a"
facts b >"$TMP/facts.b"
again() {	# NAME CONFIG NS
	kill -KILL "$(ktund_pid "$1")"
	sleep 0.3
	ktund_start "$3" "$1" "$2"
}
none_lost() {	# the last one may have been on its way
	[[ $(<"$TMP/pings.$1") =~ ([0-9]+)' packets transmitted, '([0-9]+)' received' ]] || return 1
	((BASH_REMATCH[1] > 20 && BASH_REMATCH[1] - BASH_REMATCH[2] <= 1)) || { cat "$TMP/pings.$1"; return 1; }
}
check "ktund of B is killed" again b "$b" "$B"
check "and has all of them" busywait 30000 up b 5
check "ktund of A is killed" again a "$a" "$A"
check "and has all of them, too" busywait 30000 up a 5
sleep 6					# HELLOs and LCP's Echo-Requests
kill -INT "$(<"$TMP/pinger.alice")" "$(<"$TMP/pinger.dave")"
wait "${shells[@]}"
check "not one ping was lost" none_lost alice
check "nor over IP" none_lost dave
check "A has the sessions that it had" eval 'facts a | diff "$TMP/facts.a" -'
check "B, too" eval 'facts b | diff "$TMP/facts.b" -'
check "they can still be ended" ktun_in a down tunnel ip
check "at both ends" busywait 30000 up b 4

# A reload touches what differs
sed -i 's/session "ms" {/& dns = "10.10.0.1"/' "$b"
check "reload at B" ktun_in b reload
check "the session with other keys is dialled again" eval 'busywait 30000 says b "its configuration changed" && busywait 60000 up b 4'
check "A, too" busywait 30000 up a 4
check "the others are as old as before" eval '(($(session_get b age_s "\"user\":\"carol\"") > 5))'
check "A ends" ktund_stop a
check "B ends" ktund_stop b
leak_check "nothing is left"
