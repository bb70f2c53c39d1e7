#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ktund dials ktund:   LAC 192.0.2.2 ---- 192.0.2.1 LNS
# PAP, CHAP, MS-CHAPv2; IPv4 and IPv6 outside and inside; secrets right and wrong; nothing left behind.
. "$(dirname "$0")/lib.sh"

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24,2001:db8::1/64 "$LAC" eth0 192.0.2.2/24,2001:db8::2/64

lns_config() {	# lns_config AUTH SECRET
	write_config lns <<-CONF
		listen "192.0.2.1" { port = 1701 }
		listen "2001:db8::1" { port = 1701 }
		pool "staff" { range = "10.10.0.10-10.10.0.200" }
		user "alice" { password = "wonderland" }
		user "bob" { password = "builder" address = "10.10.0.5" }
		profile "remote-access" {
		    role = lns
		    authentication = { "$1" }
		    local-address = "10.10.0.1"
		    pool = "staff"
		    dns = { "10.10.0.1" }
		    ipsec = none
		    ipv6 = yes
		}
		peer "anyone" {
		    address = "0.0.0.0/0"
		    profile = "remote-access"
		    $2
		}
		peer "anyone6" { address = "::/0" profile = "remote-access" $2 }
	CONF
}

lac_config() {	# lac_config REMOTE USER PASSWORD SECRET
	write_config lac <<-CONF
		tunnel "branch" {
		    role = lac
		    remote = "$1"
		    user = "$2"
		    password = "$3"
		    persist = no
		    ipsec = none
		    ipv6 = yes
		    $4
		}
	CONF
}

session_if() { ktun_in "$1" -j show sessions | python3 -c '
import json, sys
s = [x for x in json.load(sys.stdin) if x["state"] == "up"]
print(s[0]["interface"]) if s else sys.exit(1)'; }

up() { session_if lac && session_if lns; }

dial() {	# dial AUTH REMOTE USER PASSWORD SECRET SECRET
	ktund_start "$LNS" lns "$(lns_config "$1" "$5")" && ktund_start "$LAC" lac "$(lac_config "$2" "$3" "$4" "${6:-$5}")"
}

hang_up() { ktund_stop lac; ktund_stop lns; }

start() {	# start WHAT DIAL-ARGUMENTS: without daemons there is nothing to test
	local what=$1
	shift
	dial "$@" >"$TMP/start" 2>&1 || { cat "$TMP/start"; fatal "$what: both daemons start"; }
}

leak_snapshot
for auth in mschapv2 chap pap; do
	for remote in 192.0.2.1 2001:db8::1; do
		what="$auth over $remote"
		start "$what" $auth $remote bob builder 'secret = "tunnel-secret"'
		check "$what: the session comes up" busywait 15000 up
		lacif=$(session_if lac)
		lnsif=$(session_if lns)
		check "$what: pings of several sizes to the LNS" ping_ok "$LAC" 10.10.0.1 56 1000 1372 4000
		check "$what: and back" ping_ok "$LNS" 10.10.0.5 56 1372 4000
		check "$what: IPv6 inside" ping_ok "$LAC" "ff02::1%$lacif" 56
		check "$what: IPv6 inside, back" ping_ok "$LNS" "ff02::1%$lnsif" 56
		hang_up
	done
done
leak_check "nothing is left of six sessions"

start "no secret" mschapv2 192.0.2.1 alice wonderland ''
check "no secret: the session comes up" busywait 15000 up
hang_up
start "wrong tunnel secret" mschapv2 192.0.2.1 alice wonderland 'secret = "one"' 'secret = "other"'
check "wrong tunnel secret: no session" never 4000 up
check "wrong tunnel secret: the dialling side says so" grep -q "not authorized" "$TMP/lac.log"
hang_up
start "wrong password" mschapv2 192.0.2.1 alice looking-glass ''
check "wrong password: no session" never 4000 up
check "wrong password: the LNS says so" grep -q 'authentication of "alice" failed' "$TMP/lns.log"
check_fail "wrong password: the password is in no log" grep -rq "looking-glass" "$TMP/lns.log" "$TMP/lac.log"
hang_up
leak_check "nothing is left"
