#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the configuration promises about sessions, ktund at both ends:
#   LAC 192.0.2.2 ---- 192.0.2.1 LNS, which has 198.51.100.1 behind it; the LAC's default route goes there.
# Limits, timeouts, addresses, pools, DNS, routes, hooks, MTU, choice of authentication, persist, names.
. "$(dirname "$0")/lib.sh"

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
ip -n "$LNS" addr add 198.51.100.1/32 dev lo
ip -n "$LAC" route add default via 192.0.2.1
mkdir -p "/etc/netns/$LAC"		# ip-netns(8) binds its files over those in /etc
defer rm -rf "/etc/netns/$LAC"
echo '192.0.2.1 gateway.example.test' >"/etc/netns/$LAC/hosts"
leak_snapshot

cat >"$TMP/ip-up" <<-HOOK
	#!/bin/sh
	{ printf '%s|' "\$@"; echo; env; } >"$TMP/\${0##*/}.new"
	mv "$TMP/\${0##*/}.new" "$TMP/\${0##*/}.out"
HOOK
cp "$TMP/ip-up" "$TMP/ip-down"
chmod 755 "$TMP/ip-up" "$TMP/ip-down"

lns_config() {	# lns_config [TOP-LEVEL LINES]
	write_config lns <<-CONF
		$*
		listen "192.0.2.1" { }
		listen "198.51.100.1" { }
		pool "two" { range = "10.10.2.1-10.10.2.2" }
		pool "many" { range = "10.10.3.0/24" }
		user "bob" { password = "builder" }
		user "carl" { password = "builder" }
		user "one" { password = "builder" max-sessions = 1 }
		user "fix" { password = "builder" address = "10.10.4.4" max-sessions = 1 }
		defaults { ipsec = none pool = "many" local-address = "10.10.0.1" dns = { "10.53.0.1", "10.53.0.2" } }
		peer "time" { host-name = "time" session-timeout = 5s }
		peer "idle" { host-name = "idle" local-address = "10.10.0.2" idle-timeout = 4s }
		peer "max" { host-name = "max" max-sessions = 2 }
		peer "limit" { host-name = "limit" limits { sessions = 1 } }
		peer "user" { host-name = "user" user-max-sessions = 1 }
		peer "two" { host-name = "two" pool = "two" }
		peer "pref" { host-name = "pref" authentication = { "pap", "chap" } }
		peer "pap" { host-name = "pap" authentication = { "pap" } }
		peer "proven" { host-name = "proven" auth-name = "gate" auth-password = "keeper" }
		peer "none" { host-name = "none" authentication = { "none" } }
		peer "anyone" { address = "0.0.0.0/0" }
	CONF
}

# tunnel NAME [KEYS]: one session, bob's; sessions NAME USER...: one session for each.
tunnel() {
	local name=$1 keys="${*:2}"
	[[ $keys == *'remote = '* ]] || keys+=' remote = "192.0.2.1"'
	[[ $keys == *'local-host-name = '* ]] || keys+=" local-host-name = \"$name\""
	[[ $keys == *'user = '* ]] || keys+=' user = "bob"'
	printf 'tunnel "%s" { password = "builder" %s }\n' "$name" "$keys"
}
sessions() {
	local name=$1 n=0 user
	shift
	printf 'tunnel "%s" { remote = "192.0.2.1" local-host-name = "%s" persist = yes redial-min = 4s redial-max = 4s\n' $name $name
	for user in "$@"; do
		printf 'session "s%d" { user = "%s" password = "builder" }\n' $((++n)) $user
	done
	echo '}'
}
LAC_CONFIG=$({
	echo 'defaults { ipsec = none start = no }'
	tunnel time start = yes
	tunnel idle start = yes
	sessions max bob bob bob
	sessions limit bob bob
	sessions user carl carl
	sessions oneuser one one
	sessions two bob bob bob
	tunnel fix1 'user = "fix"'
	tunnel fix2 'user = "fix"'
	tunnel pref 'authentication = { "mschapv2", "chap", "pap" }'
	tunnel pref2 'local-host-name = "pref" authentication = { "chap" }'
	tunnel pap 'authentication = { "chap", "mschapv2" }'
	tunnel best
	tunnel none
	echo 'user "gate" { password = "keeper" }'
	tunnel proven 'require-authentication = { "chap" }'
	tunnel mutual 'require-authentication = { "chap" }'
	tunnel hook "interface = \"hooked\" ip-up = \"$TMP/ip-up\" ip-down = \"$TMP/ip-down\" mru = 1300"
	tunnel nodns "interface = \"nodns\" request-dns = no ip-up = \"$TMP/ip-up\""
	tunnel route 'remote = "198.51.100.1" interface = "vpn" default-route = yes route = { "198.51.100.0/24", "10.77.0.0/16" }'
	tunnel named 'remote = "gateway.example.test" persist = yes redial-min = 500ms redial-max = 3s
		retransmit-interval = 200ms max-retransmits = 2'
} | write_config lac)

ktund_start "$LNS" lns "$(lns_config)" || fatal "the LNS starts"
ktund_start "$LAC" lac "$LAC_CONFIG" || fatal "the LAC starts"
lns_says() { grep -q "$1" "$TMP/lns.log"; }
lac_says() { grep -q "$1" "$TMP/lac.log"; }
up() { ktun_in lac up tunnel "$1" >/dev/null 2>&1; }
down() { ktun_in lac down tunnel "$1" >/dev/null 2>&1; busywait 10000 sessions_up lac 0 "\"tunnel\":\"$1\""; }
of() { echo "\"tunnel\":\"$1\""; }

check "timeouts: both sessions come up" busywait 20000 sessions_up lac 2
spawn "$LAC" pinger ping -n -q -i 0.5 10.10.0.2
PINGER=$SPAWNED IDLE_FROM=$SECONDS

# Limits
up max; up limit; up user; up oneuser; up two
check "max-sessions of a peer: two of three come up" busywait 20000 sessions_up lac 2 "$(of max)"
check "limits.sessions: one of two comes up" busywait 10000 sessions_up lac 1 "$(of limit)"
check "user-max-sessions: one of two comes up" busywait 10000 sessions_up lac 1 "$(of user)"
check "max-sessions of a user: one of two comes up" busywait 10000 sessions_up lac 1 "$(of oneuser)"
check "a pool of two: two of three come up" busywait 10000 sessions_up lac 2 "$(of two)"
sleep 5
check "no session more, though they are dialled again" test "$(lib_sessions lac | grep -c '"tunnel":"\(max\|limit\|user\|oneuser\|two\)"')" -eq 7
check "max-sessions of a peer: said" lns_says 'max: call refused: max-sessions of this peer is reached'
check "limits.sessions: said" lns_says 'limit: call refused: the limit of sessions per tunnel is reached'
check "user-max-sessions: said" lns_says 'carl refused: too many sessions of this user'
check "max-sessions of a user: said" lns_says 'one refused: too many sessions of this user'
check "an empty pool: said" lns_says 'bob refused: pool two is exhausted'
check "an empty pool: the caller hears that, and not that its password is wrong" \
	grep -q 'with two, user bob: down: .*pool two is exhausted' "$TMP/lac.log"
pools() { [[ $(ktun_in lns -j show pools) == *"\"$1\",\"size\":$2,\"used\":$3,"* ]]; }
check "ktun shows the pool used up" pools two 2 2

check "session-timeout: the session is ended" busywait 10000 lns_says 'with time, user bob: down: PPP: session timeout'
given=$(session_get lns session_id '"peer":"two"')
check "one of the two addresses is given back" ktun_in lns disconnect session "$given"
given_again() { sessions_up lac 2 "$(of two)" && [[ $(session_get lns session_id '"peer":"two"') != "$given" ]]; }
check "and given to the one that waits, or the same again" busywait 15000 given_again
for name in max limit user oneuser two; do
	down $name
done
check "the pool of two is free again" busywait 10000 pools two 2 0

# A user's own address
up fix1
check "fixed address: it is given" busywait 10000 sessions_up lac 1 '"ip":"10.10.4.4"'
old=$(session_get lns session_id '"user":"fix"')
up fix2
replaced() { sessions_up lns 1 '"user":"fix"' && [[ $(session_get lns session_id '"user":"fix"') != "$old" ]]; }
check "fixed address: a new session of the user takes it over" busywait 15000 replaced
check "fixed address: the new one has it" busywait 5000 sessions_up lac 1 "$(of fix2)"
check "fixed address: the old one is told why" lac_says 'fix1.*down: .*replaced by a new session of the same user'
check "fixed address: pings" ping_ok "$LNS" 10.10.4.4
down fix2

while ((SECONDS - IDLE_FROM < 12)); do sleep 1; done
check "idle-timeout: not while there is traffic" test "$(lib_sessions lac "$(of idle)" | wc -l)" -eq 1
stop_pid $PINGER
check "idle-timeout: the session is ended in silence" busywait 20000 lns_says 'with idle, user bob: down: PPP: idle timeout'

# Authentication
up pref
check "authentication: what the LNS prefers" busywait 10000 sessions_up lns 1 '"auth":"pap"'
down pref
up pref2
check "authentication: the next best after a Nak" busywait 10000 sessions_up lns 1 '"auth":"chap"'
down pref2
up best
check "authentication: MS-CHAPv2 if nothing is said" busywait 10000 sessions_up lns 1 '"auth":"mschapv2"'
down best
up pap
check "authentication: no agreement, no session" busywait 10000 lac_says 'with pap.*: down: '
up mutual
check "authentication: an LNS that cannot prove itself gets no session" busywait 15000 lac_says 'with mutual.*: down: PPP: the peer refuses our authentication'
check "authentication: neither of them" sessions_up lac 0
up proven
check "authentication: one that can does" busywait 10000 sessions_up lac 1 "$(of proven)"
down proven
up none
check "authentication = none: a session without a user" busywait 10000 sessions_up lns 1 '"user":null'
down none

# Hooks, DNS, MTU
up hook
check "ip-up runs" busywait 15000 test -e "$TMP/ip-up.out"
ip=$(session_get lac ip)
{ read -r args; up_env=$(cat); } <"$TMP/ip-up.out"
check "ip-up: pppd's arguments" test "$args" = "hooked||0|$ip|10.10.0.1|hook|"
has() { grep -qx "$1" <<<"$up_env"; }
check "ip-up: pppd's environment" eval "has IFNAME=hooked && has IPLOCAL=$ip && has IPREMOTE=10.10.0.1 && has SPEED=0 && has PPPLOGNAME=root"
check "ip-up: DNS servers" eval 'has DNS1=10.53.0.1 && has DNS2=10.53.0.2 && has USEPEERDNS=1'
mtu_is() { [[ $(ip -n "$1" -o link show dev "$2") == *" mtu $3 "* ]]; }
check "MTU: the smaller MRU, LAC" mtu_is "$LAC" hooked 1300
check "MTU: the smaller MRU, LNS" mtu_is "$LNS" "$(session_get lns interface)" 1300
check "a full packet passes in one piece" ns "$LAC" ping -n -q -c 2 -W 5 -M do -s 1272 10.10.0.1
check_fail "one octet more does not" ns "$LAC" ping -n -q -c 1 -W 1 -M do -s 1273 10.10.0.1
down hook
check "ip-down runs" busywait 10000 test -e "$TMP/ip-down.out"
{ read -r args; up_env=$(cat); } <"$TMP/ip-down.out"
check "ip-down: pppd's arguments" test "$args" = "hooked||0|$ip|10.10.0.1|hook|"
check "ip-down: the time it took" grep -qE '^CONNECT_TIME=[1-9][0-9]*$' <<<"$up_env"
sent=$(sed -n 's/^BYTES_SENT=//p' <<<"$up_env")
check "ip-down: octets sent" test "${sent:-0}" -ge 2600
rcvd=$(sed -n 's/^BYTES_RCVD=//p' <<<"$up_env")
check "ip-down: octets received" test "${rcvd:-0}" -ge 2600
rm -f "$TMP/ip-up.out"
up nodns
check "request-dns = no: ip-up runs" busywait 15000 test -e "$TMP/ip-up.out"
check_fail "request-dns = no: no DNS" grep -q '^DNS\|USEPEERDNS' "$TMP/ip-up.out"
down nodns

# Routes: everything goes through the tunnel, except the tunnel.
ip -n "$LAC" route show >"$TMP/routes.before"
route_of() { ip -n "$LAC" route get "$1" | grep -q "dev $2 "; }
up route
check "default-route: the session comes up" busywait 10000 sessions_up lac 1 "$(of route)"
check "default-route: the world is behind the tunnel" route_of 203.0.113.9 vpn
check "route: a network is behind the tunnel" route_of 10.77.1.1 vpn
check "route: the LNS's network is behind the tunnel" route_of 198.51.100.7 vpn
check "but the LNS itself is not" route_of 198.51.100.1 eth0
check "packets pass" ping_ok "$LAC" 10.10.0.1 56 1372
down route
same_routes() { ip -n "$LAC" route show | cmp -s - "$TMP/routes.before"; }
check "the routes are as before" busywait 5000 same_routes

# A name, and an LNS that goes away
up named
check "remote = name from /etc/hosts" busywait 20000 sessions_up lac 1 "$(of named)"
# DNS as pppd sees it
PPPD_OPTS=usepeerdns xl2tpd_lac "$LAC" x 192.0.2.1 bob builder any
check "usepeerdns: pppd writes both servers down" busywait 20000 grep -q 10.53.0.2 "$TMP/x.d/ppp/resolv.conf"
check "usepeerdns: in this order" test "$(tr '\n' ' ' <"$TMP/x.d/ppp/resolv.conf")" = 'nameserver 10.53.0.1 nameserver 10.53.0.2 '
xl2tpd_stop x
ktund_stop lns
check "persist: the end of the LNS is noticed" busywait 10000 sessions_up lac 0
waits() { grep -c 'tunnel named: .*next attempt in' "$TMP/lac.log"; }
check "persist: it dials on" busywait 30000 eval '(($(waits) >= 3))'
check "max-sessions of the gateway: the LNS starts again" ktund_start "$LNS" lns "$(lns_config max-sessions = 1)"
check "persist: the session is back" busywait 20000 sessions_up lac 1 "$(of named)"
up best
check "max-sessions of the gateway: said" busywait 10000 lns_says 'call refused: max-sessions of the gateway is reached'
check "max-sessions of the gateway: no second one" sessions_up lac 1
lns_config >/dev/null
check "reload" ktun_in lns reload
up best
check "after a reload without it: a second one" busywait 20000 sessions_up lac 2
ktund_stop lac
check "the end of the LAC is noticed" busywait 10000 sessions_up lns 0
check "all addresses are free again" busywait 10000 pools many 256 0
ktund_stop lns
leak_check "nothing is left"
