#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same command lines through `ip l2tp` (namespace I) and `ktun` (namespace K) make the same of the kernel, each tool prints
# the same of both, and each deletes what the other made.  Then where `ip l2tp` misleads: ktun tells the truth.
. "$(dirname "$0")/lib.sh"

ktun=$KTUND_BUILD/ktun
ik() { ip -n "$I" "$@"; }
kk() { "$ktun" -n "$K" "$@"; }

# Modules come by themselves.  Not where they may be the user's own.
if [[ ${KTUND_VM:-direct} != direct ]]; then
	rmmod l2tp_eth l2tp_ip6 l2tp_ip l2tp_ppp l2tp_netlink 2>"$TMP/rmmod"
	check_fail "the modules are out" grep '^l2tp_netlink ' /proc/modules
fi

setup_ns I K
for n in "$I" "$K"; do		# the same addresses in both: what is made in them can be compared
	ip -n "$n" -batch - <<-'LINKS' || fatal "dummy link"
		link add eth0 type dummy
		addr add 192.0.2.1/24 dev eth0
		addr add 2001:db8::1/64 dev eth0 nodad
		link set eth0 up
	LINKS
done
check "with no module loaded and no daemon: a tunnel over UDP, one over IP, one over IPv6, a session" kk -batch - <<-'LINES'
	add tunnel tunnel_id 1 peer_tunnel_id 2 remote 192.0.2.2 local 192.0.2.1 udp_sport 1 udp_dport 2
	add tunnel tunnel_id 2 peer_tunnel_id 2 remote 192.0.2.2 local 192.0.2.1 encap ip
	add tunnel tunnel_id 3 peer_tunnel_id 2 remote 2001:db8::2 local 2001:db8::1 encap ip
	add session tunnel_id 2 session_id 1 peer_session_id 1
	delete tunnel tunnel_id 1
	delete tunnel tunnel_id 2
	delete tunnel tunnel_id 3
LINES

# --- The table: what is given to both tools, a batch for each -----------------------------------------

t4='remote 192.0.2.2 local 192.0.2.1'
t6='remote 2001:db8::2 local 2001:db8::1'
cat >"$TMP/tunnels" <<LINES
l2tp add tunnel $t4 tunnel_id 1000 peer_tunnel_id 2000 encap udp udp_sport 5000 udp_dport 6000
l2tp add tunnel $t4 tunnel_id 1001 peer_tunnel_id 2001 udp_sport 5001 udp_dport 6001 udp_csum on
l2tp add tunnel $t4 tid 1002 ptid 2002 encap udp udp_sport 0x138a udp_dport 6002 udp_csum off
l2tp ad tunnel tunnel_id 1003 peer_tunnel_id 0x7d3 $t4 encap ip
l2tp a tunnel encap ip tunnel_id 4294967295 peer_tunnel_id 4294967295 $t4
l2tp add tunnel $t6 tunnel_id 1010 peer_tunnel_id 2010 udp_sport 5010 udp_dport 6010
l2tp add tunnel $t6 tunnel_id 1011 peer_tunnel_id 2011 udp_sport 5011 udp_dport 6011 udp6_csum_tx off
l2tp add tunnel $t6 tunnel_id 1012 peer_tunnel_id 2012 udp_sport 5012 udp_dport 6012 udp6_csum_rx off
l2tp add tunnel $t6 tunnel_id 1013 peer_tunnel_id 2013 udp_sport 5013 udp_dport 6013 udp6_csum_tx off udp6_csum_rx off
l2tp add tunnel_id 1014 peer_tunnel_id 2014 $t6 encap ip tunnel
l2tp add tunnel $t4 tunnel_id 1015 peer_tunnel_id 2015 encap ip udp_sport 5015 udp_dport 6015   # the ports have no effect
LINES

cat >"$TMP/plain" <<'LINES'
l2tp add session tunnel_id 1000 session_id 1 peer_session_id 2
l2tp add session tid 1000 sid 3 psid 4 name site-b
l2tp add session name left tunnel_id 1003 session_id 4294967295 peer_session_id 4294967295 l2spec_type none
l2tp add session tunnel_id 1001 peer_tunnel_id 2001 session_id 0x10 peer_session_id 020 l2spec_type DEFAULT
l2tp add session tunnel_id 1010 session_id 5 peer_session_id 6 seq none
l2tp add session tunnel_id 1011 session_id 7 peer_session_id 8 seq send
l2tp add session tunnel_id 1012 session_id 9 peer_session_id 10 seq recv
l2tp add session tunnel_id 1014 session_id 11 peer_session_id 12 seq BOTH
l2tp add session tunnel_id 1014 session_id 12 peer_session_id 12 offset 0 peer_offset 0
LINES

# Both cookies in each: one that a session lacks, `ip l2tp show` would take over from the session before it.
cat >"$TMP/cookies" <<'LINES'
l2tp add session tunnel_id 1000 session_id 1 peer_session_id 2 cookie 01234567 peer_cookie 89abcdef
l2tp add session tunnel_id 1003 session_id 3 peer_session_id 4 cookie 0123456789abcdef peer_cookie FEDCBA9876543210
l2tp add session tunnel_id 1010 session_id 5 peer_session_id 6 cookie 01234567 peer_cookie fedcba9876543210 seq both
l2tp add session tunnel_id 1014 session_id 7 peer_session_id 8 cookie 0123456789abcdef peer_cookie 00000000 l2spec_type none
LINES

cat >"$TMP/both" <<LINES
l2tp add tunnel session $t4 encap ip tunnel_id 1100 peer_tunnel_id 1101 session_id 20 peer_session_id 21
LINES

canon='import json, sys; print(json.dumps(json.load(sys.stdin), indent=1))'
links() { ip -n "$1" -o link show | sed -n 's/^[0-9]*: \([^:]*\): .* mtu \([0-9]*\) .*state \([A-Z]*\).*/\1 \2 \3/p' | sort; }
# What each tool says of each namespace, as files.
dumps() {
	local n what
	for what in tunnel session; do
		for n in I K; do
			ip -n "${!n}" l2tp show $what >"$TMP/ip.$n.$what"
			"$ktun" -n "${!n}" show $what >"$TMP/ktun.$n.$what"
			ip -n "${!n}" -j l2tp show $what | python3 -c "$canon" >"$TMP/ip-j.$n.$what"
			"$ktun" -n "${!n}" -j show $what | python3 -c "$canon" >"$TMP/ktun-j.$n.$what"
		done
	done
	links "$I" >"$TMP/links.I"
	links "$K" >"$TMP/links.K"
}
same() { diff "$TMP/$1" "$TMP/$2"; }
lines() { [[ $(grep -c "^$1 " "$TMP/ip.K.$2") == "$3" ]]; }

oneline() { ip -n "$1" -o l2tp show tunnel | sed -e 's/\\Tunnel/\nTunnel/g; s/\\$//' -e '$a\' | diff - <("$ktun" -n "$1" -o l2tp show tunnel); }
oneline_sessions() { ip -n "$1" -o l2tp show session | sed -n '/^Session/{N;s/\n/\\/p}' | diff - <("$ktun" -n "$1" -c -br -o show session); }
compare() {	# compare WHAT TUNNELS SESSIONS: the dumps, and that they have that many
	dumps
	check "$1: ip prints the same tunnels for both" same ip.I.tunnel ip.K.tunnel
	check "$1: and sessions" same ip.I.session ip.K.session
	check "$1: the interfaces are the same, with their MTU" same links.I links.K
	check "$1: ktun prints what ip prints: tunnels" same ip.K.tunnel ktun.K.tunnel
	check "$1: sessions" same ip.K.session ktun.K.session
	check "$1: tunnels that ip made" same ip.I.tunnel ktun.I.tunnel
	check "$1: sessions that ip made" same ip.I.session ktun.I.session
	check "$1: in JSON, tunnels" same ip-j.K.tunnel ktun-j.K.tunnel
	check "$1: in JSON, sessions" same ip-j.K.session ktun-j.K.session
	check "$1: -o: tunnels on a line each, where ip joins those over IP" oneline "$K"
	check "$1: sessions on a line each, where ip breaks it" oneline_sessions "$K"
	check "$1: none is missing" lines Tunnel tunnel "$2"
	check "$1: no session is missing" lines Session session "$3"
}

check "ip adds the tunnels" ik -batch "$TMP/tunnels"
check "ktun adds the tunnels from the same file" kk -batch "$TMP/tunnels"
check "ip adds plain sessions" ik -batch "$TMP/plain"
check "ktun adds plain sessions" kk -batch "$TMP/plain"
compare plain 11 9

# Each deletes the other's.
while read -r tid sid; do
	echo "l2tp del session tunnel_id $tid session_id $sid"
done >"$TMP/del-plain" <<-'IDS'
	1000 1
	1000 3
	1003 4294967295
	1001 16
	1010 5
	1011 7
	1012 9
	1014 11
	1014 12
IDS
check "ktun deletes the sessions that ip made" "$ktun" -n "$I" -batch "$TMP/del-plain"
check "ip deletes the sessions that ktun made" ip -n "$K" -batch "$TMP/del-plain"
check "ip adds sessions with cookies" ik -batch "$TMP/cookies"
check "ktun adds sessions with cookies" kk -batch "$TMP/cookies"
compare cookies 11 4

for id in 1000 1001 1002 1003 4294967295 1010 1011 1012 1013 1014 1015; do
	echo "l2tp del tunnel tunnel_id $id"
done >"$TMP/del-tunnels"
check "ktun deletes the tunnels that ip made, with their sessions" "$ktun" -n "$I" -batch "$TMP/del-tunnels"
check "ip deletes the tunnels that ktun made" ip -n "$K" -batch "$TMP/del-tunnels"
none() { busywait 5000 none_now; }
none_now() { local n; for n in "$I" "$K"; do [[ -z $("$ktun" -n "$n" show tunnel; "$ktun" -n "$n" show session; ip -n "$n" l2tp show tunnel) ]] || return 1; done; }
check "nothing is left" none
check "JSON of nothing" test "$(kk -j show session)" = "[]"
check "ip adds a tunnel and a session in one line" ik -batch "$TMP/both"
check "ktun adds a tunnel and a session in one line" kk -batch "$TMP/both"
compare both 1 1

# --- Abbreviations, filters, and where ip l2tp misleads ----------------------------------------------

out_is() {	# FILE ARG...: ktun in K prints what the file has
	local file=$1
	shift
	kk "$@" | diff "$TMP/$file" -
}
for words in 'sh tunnel' 's tunnel' 'lst tunnel' 'list tunnel' 'l tunnel' 'l2tp show tunnel' 'show tunnel tid 1100' \
	'show tunnel_id 1100 tunnel' '-4 show tunnel'; do
	# shellcheck disable=SC2086
	check "ktun $words" out_is ktun.K.tunnel $words
done
check "ip deletes, with an abbreviation" ik l2tp de tunnel tid 1100
check "ktun deletes, with an abbreviation" kk de tunnel tid 1100
check "the id is free again at once" kk add tunnel $t4 encap ip tunnel_id 1100 peer_tunnel_id 1101
kk del tunnel tunnel_id 1100

says() {	# WORDS STATUS ARG...: ktun in K ends with this status and says so
	local words=$1 status=$2 rc=0
	shift 2
	kk "$@" >"$TMP/out" 2>&1 || rc=$?
	cat "$TMP/out"
	[[ $rc == "$status" ]] && grep -qF -- "$words" "$TMP/out"
}
check "static L2TPv2, PPP in L2TPv3, and two Ethernet sessions of which one has cookies" kk -batch - <<-LINES
	add tunnel $t4 tunnel_id 1 peer_tunnel_id 2 udp_sport 1701 udp_dport 1701 version 2
	add session tunnel_id 1 session_id 10 peer_session_id 11
	add tunnel $t6 tunnel_id 3 peer_tunnel_id 4 encap ip
	add session tunnel_id 3 session_id 30 peer_session_id 31 pseudowire ppp
	add session tunnel_id 3 session_id 31 peer_session_id 32 cookie 01234567 peer_cookie 01234567
	add session tunnel_id 3 session_id 32 peer_session_id 33
LINES
check "the PPP session is said to be one" says 'version 2, pseudowire ppp' 0 show session session_id 10
check "in JSON, too" says '"version":3,"pseudowire":"ppp"' 0 -j show session session_id 30
check "the tunnel of version 2 is said to be one" says '"version":2' 0 -j show tunnel tunnel_id 1
check "details say it of all" says 'version 3, pseudowire ethernet' 0 -d show session session_id 32
check "counters" says '"rx_cookie_discards":0' 0 -s -j show session session_id 32
no_cookie() { says '"session_id":32' 0 -j show session session_id 32 && ! grep -q cookie "$TMP/out"; }
check "a session without cookies has none, whatever came before it" no_cookie
one() { kk show tunnel tunnel_id 3 >"$TMP/out"; [[ $(grep -c ^Tunnel "$TMP/out") == 1 ]]; }
check "one tunnel was asked for: one is shown" one
sessions_of() { kk show session tunnel_id 3 >"$TMP/out"; [[ $(grep -c ^Session "$TMP/out") == 3 ]]; }
check "the sessions of one tunnel" sessions_of
pretty() { kk -j show session | python3 -c "$canon" >"$TMP/plain-j" && kk -j -p show session >"$TMP/pretty" &&
	(($(wc -l <"$TMP/pretty") > 3)) && python3 -c "$canon" <"$TMP/pretty" | diff "$TMP/plain-j" -; }
check "-p: the same for people" pretty
only6() { kk -6 show tunnel >"$TMP/out"; [[ $(grep -c ^Tunnel "$TMP/out") == 1 ]] && grep -q 2001: "$TMP/out"; }
check "-6: tunnels over IPv6" only6
check "a tunnel that is not there" says 'no tunnel 99' 1 show tunnel tunnel_id 99
check "a session that is not there" says 'no session 99' 1 show session session_id 99

# --- Refusals ------------------------------------------------------------------------------------------

kk -j show tunnel >"$TMP/before.t"
kk -j show session >"$TMP/before.s"
cat >"$TMP/bad" <<LINES
add tunnel $t4 tunnel_id 50 peer_tunnel_id 51 encap ip
add tunnel $t4 tunnel_id 52 peer_tunnel_id 53 encap ipx

add session tunnel_id 50 session_id 1 peer_session_id 2 \\
	cookie 0123
del tunnel tunnel_id 3
LINES
check "a batch with bad lines" says "$TMP/bad:2: this line is wrong" 2 -batch "$TMP/bad"
check "names each of them" grep -qF "$TMP/bad:4: this line is wrong" "$TMP/out"
check "and the words" grep -qF '"ipx" does not fit after "encap"' "$TMP/out"
# One of each kind, behind a good line: line by line the word, and then the reason.
cat >"$TMP/words" <<LINES
 add tunnel $t4 tunnel_id 50 peer_tunnel_id 51 encap ip
"0" is no id=add tunnel $t4 tunnel_id 0 peer_tunnel_id 51 encap ip
"4294967296" is no id=add tunnel $t4 tunnel_id 4294967296 peer_tunnel_id 51 encap ip
"50x" is no id=add tunnel $t4 tunnel_id 50x peer_tunnel_id 51 encap ip
"192.0.2.999" is no IPv4 or IPv6 address=add tunnel remote 192.0.2.999 local 192.0.2.1 tunnel_id 50 peer_tunnel_id 51 encap ip
"local" and "remote" are of different families=add tunnel remote 192.0.2.2 local ::1 tunnel_id 50 peer_tunnel_id 51 encap ip
"65536" is no port=add tunnel $t4 tunnel_id 50 peer_tunnel_id 51 udp_sport 65536 udp_dport 1
"udp_dport PORT" is missing=add tunnel $t4 tunnel_id 50 peer_tunnel_id 51 encap udp udp_sport 5
"colour" does not fit=add tunnel $t4 tunnel_id 50 peer_tunnel_id 51 encap ip colour red
missing after "peer_tunnel_id"=add tunnel $t4 tunnel_id 50 peer_tunnel_id
"remote ADDR" is missing=add tunnel local 192.0.2.1 tunnel_id 50 peer_tunnel_id 51 encap ip
"maybe" does not fit=add tunnel $t4 tunnel_id 50 peer_tunnel_id 51 encap ip udp_csum maybe
"0123456g" is no cookie=add session tunnel_id 3 session_id 60 peer_session_id 61 cookie 0123456g
"some" does not fit=add session tunnel_id 3 session_id 60 peer_session_id 61 seq some
"atm" does not fit=add session tunnel_id 3 session_id 60 peer_session_id 61 l2spec_type atm
"averyveryverylongname" is no name=add session tunnel_id 3 session_id 60 peer_session_id 61 name averyveryverylongname
"peer_session_id ID" is missing=add session tunnel_id 3 session_id 60
"12" is no MTU=add session tunnel_id 3 session_id 60 peer_session_id 61 mtu 12
"4095" is no VLAN=add session tunnel_id 3 session_id 60 peer_session_id 61 vlan 4095 bridge br0
"tunnel_id ID" is missing=del tunnel
"session_id ID" is missing=del session tunnel_id 3
"x" is no id=show tunnel tunnel_id x
"pseudowires" does not fit=show pseudowires
LINES
sed 's/^[^=]*=//; s/^ //' "$TMP/words" >"$TMP/wrong"
check "a batch with every kind of mistake" says "$TMP/wrong:2: this line is wrong" 2 -batch "$TMP/wrong"
each_word() {
	local n=1 word line said
	said=$(<"$TMP/out")
	while IFS== read -r word line; do
		n=$((n + 1))
		[[ $said == *"$word"*"$TMP/wrong:$n: this line is wrong"* ]] || { echo "line $n: $word"; return 1; }
	done < <(tail -n +2 "$TMP/words")
	((n == 23)) && [[ $said != *"$TMP/wrong:1:"* ]]
}
check "says of each line which word is wrong and why" each_word
check "no peer_tunnel_id, and -n: ktund's are where it is" says '-n does not fit what is negotiated' 2 add tunnel $t4 tunnel_id 50 encap ip
check "no peer_tunnel_id, and no ktund" eval 'ns "$K" "$ktun" --runtime-dir "$TMP" add tunnel $t4 tunnel_id 50 encap ip 2>&1 | grep "ktund does not answer"'
check "and only for L2TPv3" says 'stands in ktund.conf' 2 add tunnel $t4 tunnel_id 50 version 2 udp_sport 1 udp_dport 2
check "an id that is taken" says 'the tunnel id is taken' 1 add tunnel $t4 tunnel_id 3 peer_tunnel_id 51 encap ip
check "a local address that nobody has" says 'no interface has the local address' 1 \
	add tunnel remote 192.0.2.2 local 192.0.2.77 tunnel_id 50 peer_tunnel_id 51 udp_sport 1 udp_dport 2
check "no such tunnel" says 'tunnel 99: there is none' 1 add session tunnel_id 99 session_id 1 peer_session_id 2
check "a session id that is taken" says 'is taken' 1 add session tunnel_id 3 session_id 31 peer_session_id 2
check "the name of an interface that is there" says 'is taken' 1 add session tunnel_id 3 session_id 50 peer_session_id 2 name eth0
check "a cookie in L2TPv2" says 'L2TPv2 has no "cookie"' 2 add session tunnel_id 1 session_id 50 peer_session_id 2 cookie 01234567
check "a VLAN pseudowire, which no kernel has yet" says 'no such pseudowire' 1 \
	add session tunnel_id 3 session_id 50 peer_session_id 2 pseudowire vlan
check "a bridge that is not there" says 'bridge br7' 1 add session tunnel_id 3 session_id 50 peer_session_id 2 bridge br7
check "a bridge that is none" says 'eth0 is no bridge' 1 add session tunnel_id 3 session_id 50 peer_session_id 2 bridge eth0
check "the tunnel's peer has another id" says 'its peer_tunnel_id is 4, not 5' 1 \
	add session tunnel_id 3 peer_tunnel_id 5 session_id 50 peer_session_id 2
check "deleting what is not there" says 'there is none' 1 del session tunnel_id 3 session_id 99
check "a namespace that is not there" says 'network namespace nowhere' 1 -n nowhere show tunnel
same_as_before() { [[ $(kk -j show tunnel) == "$(<"$TMP/before.t")" && $(kk -j show session) == "$(<"$TMP/before.s")" ]]; }
check "all of that changed nothing" same_as_before
printf 'del tunnel tunnel_id 99\ndel tunnel tunnel_id 1\n' >"$TMP/stops"
check "a batch that fails says where, and ends there" says "$TMP/stops:1: this line failed" 1 -batch "$TMP/stops"
check "the line behind it was not done" same_as_before
check "-force goes on" says "$TMP/stops:1: this line failed" 1 -force -batch "$TMP/stops"
check "the line behind it was done" says 'no tunnel 1;' 1 show tunnel tunnel_id 1
unprivileged() { ! ns "$K" setpriv --reuid 65534 --clear-groups "$ktun" show tunnel >"$TMP/out" 2>&1 && grep -qF 'CAP_NET_ADMIN' "$TMP/out"; }
check "without privileges" unprivileged
kk del tunnel tunnel_id 3

# --- What the keeper holds is not deleted by mistake ---------------------------------------------------

drive=$KTUND_BUILD/selftests/net/keeper-drive
mkdir -p "$TMP/k.run"
spawn "$K" keeper "$KTUND_BUILD/ktund-keeper" --runtime-dir "$TMP/k.run"
busywait 10000 test -S "$TMP/k.run/keeper.sock"
kept() { ns "$K" "$drive" "$TMP/k.run/keeper.sock" hello , "$@"; }
check "the keeper has a tunnel and a session" kept tunnel 101 201 192.0.2.1 1701 192.0.2.2 1701 , session 101 7 8 name=s7
check "ktun shows them" says 'version 2, pseudowire ppp' 0 show session tunnel_id 101
check "ktun does not delete the tunnel" says 'ktund-keeper (pid' 1 del tunnel tunnel_id 101
check "and says what would" grep -qF 'ktun down tunnel' "$TMP/out"
check "nor the session" says 'ktun disconnect session' 1 del session tunnel_id 101 session_id 7
check "it is still there" says 'Session 7 in tunnel 101' 0 show session session_id 7
check "ktun adds no session that the keeper would take away again" says 'tunnel 101 is no static one: ktund-keeper' 1 \
	add session tunnel_id 101 session_id 50 peer_session_id 51
check "force deletes it" kk del session tunnel_id 101 session_id 7 force
check "and the tunnel" kk del tunnel tunnel_id 101 force
check "nothing is left of both" none
