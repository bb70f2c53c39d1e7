#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ktund dials xl2tpd and pppd:   LAC 192.0.2.2 ---- LNS 192.0.2.11 ... .17, one xl2tpd each
# PAP, CHAP, MS-CHAPv2, mutual and none; secrets and passwords right and wrong, every way to end. AVPs are hidden by
# ktund only: xl2tpd 1.3.18 reads hidden ones, but its `hidden bit` sends but a Random Vector.
. "$(dirname "$0")/lib.sh"

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
for i in 11 12 13 14 15 16 17; do
	ip -n "$LNS" addr add 192.0.2.$i/24 dev eth0
done
leak_snapshot

lns() {		# lns NAME OCTET AUTH SECRET [USER PASSWORD]...
	local name=$1 octet=$2 auth=$3 secret=$4
	shift 4
	# shellcheck disable=SC2034
	XL2TPD_GLOBAL="listen-addr = 192.0.2.$octet" \
		xl2tpd_lns "$LNS" "$name" 10.10.1.$octet 10.10.0.$octet-10.10.0.$octet "$auth" "$secret" "$@"
}
lns pap 11 pap s3cret bob builder
lns chap 12 chap s3cret bob builder
PPPD_OPTS='ms-dns 10.53.0.1' lns ms 13 mschapv2 '' bob 'build \"er'
PPPD_OPTS='name head' lns mutual 14 chap '' bob builder head office
lns none 15 none ''
lns secret 16 pap one bob builder
lns bad 17 mschapv2 '' bob builder

CONFIG=$(write_config lac <<-'CONF'
	user "head" { password = "office" }
	defaults {
	    ipsec = none
	    ipv6 = yes
	    hello-interval = 2s
	    retransmit-interval = 500ms
	    max-retransmits = 3
	    echo-interval = 2s
	    echo-failures = 2
	    redial-min = 2s
	    redial-max = 4s
	}
	tunnel "pap" { remote = "192.0.2.11" user = "bob" password = "builder" secret = "s3cret" interface = "pap" }
	tunnel "chap" {
	    remote = "192.0.2.12"
	    user = "bob"
	    password = "builder"
	    secret = "s3cret"
	    hide-avps = yes
	    interface = "chap"
	}
	tunnel "ms" { remote = "192.0.2.13" user = "bob" password = "build \"er" interface = "ms" persist = yes }
	tunnel "mutual" {
	    remote = "192.0.2.14"
	    user = "bob"
	    password = "builder"
	    require-authentication = { "chap" }
	    interface = "mutual"
	}
	tunnel "none" { remote = "192.0.2.15" authentication = { "none" } interface = "none" }
	tunnel "secret" { remote = "192.0.2.16" user = "bob" password = "builder" secret = "other" }
	tunnel "bad" { remote = "192.0.2.17" user = "bob" password = "looking-glass" }
	tunnel "unproven" {
	    start = no
	    remote = "192.0.2.17"
	    user = "bob"
	    password = "builder"
	    require-authentication = { "chap" }
	}
CONF
)
capture "$LAC" eth0 "$TMP/hidden.pcap" host 192.0.2.12 and 'udp[8] & 0x80 != 0'
ktund_start "$LAC" lac "$CONFIG" || fatal "ktund starts"
no_link() { ! ip -n "$LAC" link show dev "$1" 2>/dev/null; }
log_has() { grep -q "$1" "$TMP/lac.log"; }

for who in pap:11:pap chap:12:chap ms:13:mschapv2 mutual:14:chap none:15:null; do
	IFS=: read -r name octet auth <<<"$who"
	check "$name: the session comes up" busywait 20000 sessions_up lac 1 "\"tunnel\":\"$name\""
	check "$name: it was authenticated so" test "$(session_get lac auth "\"tunnel\":\"$name\"")" = $auth
	check "$name: the address that the LNS gives" test "$(session_get lac ip "\"tunnel\":\"$name\"")" = 10.10.0.$octet
	check "$name: pings to the LNS" ping_ok "$LAC" 10.10.1.$octet 56 1372 4000
	check "$name: and back" ping_ok "$LNS" 10.10.0.$octet 56 1372 4000
	check "$name: IPv6 inside" ping_ok "$LAC" "ff02::1%$name" 56
done
capture_stop
tcpdump -n -r "$TMP/hidden.pcap" >"$TMP/hidden" 2>/dev/null
check "chap: ktund did hide AVPs" grep -q ' 192.0.2.2.* > 192.0.2.12.1701:.*(???)' "$TMP/hidden"
check "each side proved itself to the other" grep -q 'rcvd .CHAP Success' "$TMP/mutual-pppd.log"
check "wrong secret: no session" sessions_up lac 0 '"tunnel":"secret"'
check "wrong secret: the log says so" log_has "tunnel secret: .*not authorized"
check "wrong password: no session" sessions_up lac 0 '"tunnel":"bad"'
check "wrong password: the log says so" log_has 'bad.*down: PPP: the peer refuses our authentication'
check_fail "wrong password: it is not in the log" log_has looking-glass
ktun_in lac up tunnel unproven >/dev/null 2>&1
check "an LNS that cannot prove itself: the log says so" busywait 20000 log_has 'unproven.*down: PPP: the peer refuses our authentication'
check "an LNS that cannot prove itself: no session" sessions_up lac 0 '"tunnel":"unproven"'
check "the good sessions did not notice" sessions_up lac 5

# Ways to end; the slow ones begin first.
kill -STOP "$(xl2tpd_pppd mutual)"
xl2tpd_kill ms
check "ktun takes a tunnel down" ktun_in lac down tunnel pap
check "its pppd ends" busywait 10000 grep -q 'Terminating on signal\|Modem hangup\|LCP terminated by peer' "$TMP/pap-pppd.log"
check "its interface is gone" busywait 10000 no_link pap
xl2tpd_say chap "d $(sed -n 's/.*Connection established to 192.0.2.2.*Local: \([0-9]*\),.*/\1/p' "$TMP/chap.log")"
check "StopCCN of xl2tpd: the session ends" busywait 10000 sessions_up lac 0 '"tunnel":"chap"'
check "StopCCN of xl2tpd: the log says so" busywait 5000 log_has "down with chap: the peer's StopCCN"
kill -TERM "$(xl2tpd_pppd none)"
check "pppd hangs up: the session ends" busywait 10000 sessions_up lac 0 '"tunnel":"none"'
check "an LNS without power is noticed" busywait 20000 sessions_up lac 0 '"tunnel":"ms"'
check "an LNS without power: the log says so" log_has 'down with ms: no answer'
check "a pppd that hangs is noticed" busywait 20000 sessions_up lac 0 '"tunnel":"mutual"'
check "a pppd that hangs: the log says so" log_has 'mutual.*down: PPP: LCP: Echo-Requests stay unanswered'
kill -KILL "$(xl2tpd_pppd mutual)"
check "without persist none of them is dialled again" never 3000 sessions_up lac 1

xl2tpd_again ms
check "when it is back, persist brings the session back" busywait 30000 sessions_up lac 1 '"tunnel":"ms"'
check "pings to the LNS" ping_ok "$LAC" 10.10.1.13
ktund_stop lac
check "ktund ends: xl2tpd is told" busywait 10000 grep -q 'Connection closed to 192.0.2.2' "$TMP/ms.log"
xl2tpd_stop pap chap ms mutual none secret bad
leak_check "nothing is left"
