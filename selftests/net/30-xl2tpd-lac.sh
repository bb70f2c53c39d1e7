#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xl2tpd and pppd dial ktund:   LAC 192.0.2.11 ... .19, one xl2tpd each ---- 192.0.2.1 LNS
# PAP, CHAP, MS-CHAPv2, secrets and passwords right and wrong, hidden AVPs, every way to end. xl2tpd has no IPv6.
. "$(dirname "$0")/lib.sh"

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
for i in 11 12 13 14 15 16 17 18 19; do
	ip -n "$LAC" addr add 192.0.2.$i/24 dev eth0
done
leak_snapshot

# The last octet of a LAC's outer address is that of its inner one; each has an LNS end of its own to ping.
CONFIG=$(write_config lns <<-'CONF'
	listen "192.0.2.1" { }
	user "pap" { password = "wonderland" address = "10.10.0.11" }
	user "chap" { password = "wonderland" address = "10.10.0.12" }
	user "ms" { password = "wonder \"land\"" address = "10.10.0.13" }
	user "nak" { password = "wonderland" address = "10.10.0.14" }
	user "no" { password = "wonderland" address = "10.10.0.15" }
	defaults {
	    ipsec = none
	    ipv6 = yes
	    hello-interval = 2s
	    retransmit-interval = 500ms
	    max-retransmits = 3
	    echo-interval = 2s
	    echo-failures = 2
	}
	peer "pap" { address = "192.0.2.11" authentication = { "pap" } local-address = "10.10.1.11" secret = "s3cret" }
	peer "chap" {
	    address = "192.0.2.12"
	    authentication = { "chap" }
	    local-address = "10.10.1.12"
	    secret = "s3cret"
	    hide-avps = yes
	}
	peer "ms" { address = "192.0.2.13" authentication = { "mschapv2" } local-address = "10.10.1.13" }
	peer "nak" { address = "192.0.2.14" local-address = "10.10.1.14" }
	peer "secret" { address = "192.0.2.15" local-address = "10.10.1.15" secret = "one" }
	peer "no-secret" { address = "192.0.2.16" local-address = "10.10.1.16" secret = "one" }
	peer "bad-pap" { address = "192.0.2.17" authentication = { "pap" } local-address = "10.10.1.17" }
	peer "bad-chap" { address = "192.0.2.18" authentication = { "chap" } local-address = "10.10.1.18" }
	peer "bad-ms" { address = "192.0.2.19" authentication = { "mschapv2" } local-address = "10.10.1.19" }
CONF
)
log_has() { grep -q "$1" "$TMP/lns.log"; }
ktund_start "$LNS" lns "$CONFIG" || fatal "ktund starts"

lac() {		# lac NAME OCTET USER PASSWORD AUTH [SECRET]
	local octet=$2
	# shellcheck disable=SC2034
	XL2TPD_GLOBAL="listen-addr = 192.0.2.$octet" xl2tpd_lac "$LAC" "$1" 192.0.2.1 "$3" "$4" "$5" "${6:-}"
}

capture "$LNS" eth0 "$TMP/hidden.pcap" host 192.0.2.12 and 'udp[8] & 0x80 != 0'
lac pap 11 pap wonderland pap s3cret
lac chap 12 chap wonderland chap s3cret
lac ms 13 ms 'wonder \"land\"' mschapv2
lac nak 14 nak wonderland chap
XL2TPD_OPTS='challenge = no' lac secret 15 no wonderland any other
lac no-secret 16 no wonderland any

lac_has() { ip -n "$LAC" -o -4 addr show | grep -q "inet $1 peer"; }
lacif() { ip -n "$LAC" -o -4 addr show | sed -n "s/^[0-9]*: \([^ ]*\) *inet $1 peer.*/\1/p"; }

for who in pap:11:pap chap:12:chap ms:13:mschapv2 nak:14:chap; do
	IFS=: read -r user octet auth <<<"$who"
	what="$user"
	[[ $user != nak ]] || what="CHAP after a Nak of MS-CHAPv2"
	[[ $user != chap ]] || what="chap, hidden AVPs"
	check "$what: the session comes up" busywait 20000 sessions_up lns 1 "\"user\":\"$user\""
	check "$what: it was authenticated so" test "$(session_get lns auth "\"user\":\"$user\"")" = $auth
	check "$what: pppd has the user's address" busywait 5000 lac_has 10.10.0.$octet
	check "$what: pings of several sizes to the LNS" ping_ok "$LAC" 10.10.1.$octet 56 1372 4000
	check "$what: and back" ping_ok "$LNS" 10.10.0.$octet 56 1372 4000
	check "$what: IPv6 inside" ping_ok "$LAC" "ff02::1%$(lacif 10.10.0.$octet)" 56
	check "$what: IPv6 inside, back" ping_ok "$LNS" "ff02::1%$(session_get lns interface "\"user\":\"$user\"")" 56
done
capture_stop
tcpdump -n -r "$TMP/hidden.pcap" >"$TMP/hidden" 2>/dev/null
check "chap: ktund did hide AVPs" grep -q ' 192.0.2.1.* > 192.0.2.12.1701:.*(???)' "$TMP/hidden"
check "wrong secret: the log says so" log_has 'SCCRQ from 192.0.2.15.* refused: tunnel authentication failed'
check "wrong secret: xl2tpd is told" grep -q 'Connection closed to 192.0.2.1' "$TMP/secret.log"
check "xl2tpd without the secret that is demanded: no session" sessions_up lns 4

lac bad-pap 17 no pap-looking-glass pap
lac bad-chap 18 no chap-looking-glass chap
lac bad-ms 19 no ms-looking-glass mschapv2
for auth in pap chap ms; do
	check "wrong password, $auth: pppd is told" busywait 20000 grep -qi 'authentication failed' "$TMP/bad-$auth-pppd.log"
done
check "wrong password: no session" sessions_up lns 0 '"user":"no"'
check "wrong password: the LNS says so" test "$(grep -c 'authentication of "no" failed' "$TMP/lns.log")" -ge 3
check_fail "no password is in the log" grep -q looking-glass "$TMP/lns.log"
check "the good sessions did not notice" sessions_up lns 4
xl2tpd_stop secret no-secret bad-pap bad-chap bad-ms

# Ways to end; each is noticed by the other side and leaves the others alone. The slow ones begin first.
kill -STOP "$(xl2tpd_pppd ms)"
xl2tpd_kill nak
kill -TERM "$(xl2tpd_pppd pap)"
check "pppd hangs up: the session ends" busywait 10000 sessions_up lns 0 '"user":"pap"'
check "pppd hangs up: the log says so" log_has "user pap: down: \(PPP: Terminate-Request from the peer\|the peer's CDN\)"
xl2tpd_say chap 'd chap'
check "StopCCN of xl2tpd: the session ends" busywait 10000 sessions_up lns 0 '"user":"chap"'
check "StopCCN of xl2tpd: the log says so" busywait 5000 log_has "down with .*the peer's StopCCN"
check "a LAC without power is noticed" busywait 20000 sessions_up lns 0 '"user":"nak"'
check "a LAC without power: the log says so" log_has 'down with .*no answer'
check "a pppd that hangs is noticed" busywait 20000 sessions_up lns 0 '"user":"ms"'
check "a pppd that hangs: the log says so" log_has 'user ms: down: PPP: LCP: Echo-Requests stay unanswered'
kill -KILL "$(xl2tpd_pppd ms)"

xl2tpd_stop chap pap ms
xl2tpd_again ms
xl2tpd_again pap
check "called again after all this: two sessions" busywait 20000 sessions_up lns 2
check "ktun disconnects one" ktun_in lns disconnect user ms
check "its pppd ends" busywait 10000 grep -q 'LCP terminated by peer' "$TMP/ms-pppd.log"
check "and its session" busywait 10000 sessions_up lns 0 '"user":"ms"'
check "the other one lives on" ping_ok "$LAC" 10.10.1.11
ktund_stop lns
check "ktund ends: xl2tpd is told" busywait 10000 grep -q 'Connection .* closed to 192.0.2.1' "$TMP/pap.log"
check "ktund ends: pppd is gone" busywait 10000 grep -q 'Modem hangup\|Exit\.' "$TMP/pap-pppd.log"
xl2tpd_stop pap ms
leak_check "nothing is left"
