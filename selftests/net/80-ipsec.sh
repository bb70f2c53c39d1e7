#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# L2TP under IPsec that ktund has strongSwan make: ktund and charon on both sides, IKEv2 and IKEv1 with a pre-shared key, certificates;
# nothing without IPsec at any moment; charon killed, SA deleted, another psk, no common proposal; connections of others.
#   LAC 192.0.2.2 ---- 192.0.2.1 LNS 198.51.100.1 ---- 198.51.100.2 EVE, who has no IPsec
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-ipsec.sh"

setup_ns LNS LAC EVE
veth_pair "$LNS" eth0 192.0.2.1/24,2001:db8::1/64 "$LAC" eth0 192.0.2.2/24,2001:db8::2/64,2001:db8::3/64
veth_pair "$LNS" eth1 198.51.100.1/24 "$EVE" eth0 198.51.100.2/24

lns_config() {	# lns_config PSK [MORE]
	write_config lns <<-CONF
		listen "192.0.2.1" { }
		listen "198.51.100.1" { }
		listen "2001:db8::1" { }
		pool "p" { range = "10.10.0.10-10.10.0.20" }
		user "alice" { password = "wonderland" }
		defaults { echo-interval = 0 retransmit-interval = 1s max-retransmits = 3 local-id = "lns.example.org" }
		peer "four" { address = "0.0.0.0/0" local-address = "10.10.0.1" pool = "p" ipsec = required psk = "$1" ${2:-} }
		peer "six" { address = "::/0" local-address = "10.10.0.1" pool = "p" ipsec = required psk = "$1" ${2:-} }
		peer "v3" { address = "2001:db8::3" version = 3 ipsec = required psk = "$1" ${2:-} session "wire" { interface = "wire" } }
	CONF
}
lac_config() {	# lac_config PSK [MORE [REMOTE]]
	write_config lac <<-CONF
		tunnel "branch" {
		    remote = "${3:-192.0.2.1}"
		    user = "alice" password = "wonderland"
		    persist = yes redial-min = 1s redial-max = 4s
		    ipsec = required psk = "$1" ${2:-}
		}
	CONF
}
lac_log() { grep -q "$1" "$TMP/lac.log"; }
pings() { ping_ok "$LAC" 10.10.0.1 56 1300; }
# What was captured between LAC and LNS: all IKE or ESP, or none of the business of this test (neighbours, ping).
in_clear() {
	tcpdump -n -r "$TMP/wire.pcap" 'udp and not port 500 and not port 4500' 2>/dev/null
	tcpdump -n -r "$TMP/wire.pcap" -A 2>/dev/null | grep -a wonderland
}
nothing_in_clear() { local out; out=$(in_clear); [[ -z $out ]] || { echo "$out"; false; }; }
esp_seen() { [[ $(tcpdump -n -r "$TMP/wire.pcap" 'esp or (udp port 4500)' 2>/dev/null | wc -l) -gt 20 ]]; }
policies() { ip -n "$1" xfrm policy | grep -c 'action block'; }
load_theirs() {
	charon_load lns >"$TMP/swanctl.out" 2>&1 <<-'CONF'
		connections {
		    theirs {
		        remote_addrs = 192.0.2.77
		        children {
		            net {
		            }
		        }
		    }
		}
	CONF
}
# A whole SCCRQ from EVE; the answer, if there is one within two seconds, starts with c802.
eve_answered() {
	# shellcheck disable=SC2016
	ns "$EVE" timeout 10 bash -c 'exec 3<>/dev/udp/198.51.100.1/1701
		env printf "\xc8\x02\0\x44\0\0\0\0\0\0\0\0\x80\x08\0\0\0\0\0\1\x80\x08\0\0\0\2\1\0\x80\x0a\0\0\0\3\0\0\0\3\x80\x0e\0\0\0\7macbook\0\x80\x08\0\0\0\x09\x12\x34\x80\x08\0\0\0\x0a\0\4" >&3
		IFS= read -r -t 2 -N 1 -u 3 byte; [[ -n $byte ]]'
}

# --- before there is any charon ---------------------------------------------------------------------
capture "$LAC" eth0 "$TMP/wire.pcap"
LNS_CHARON=(--charon "$TMP/lns.charon/vici") LAC_CHARON=(--charon "$TMP/lac.charon/vici")
ktund_start "$LNS" lns "$(lns_config sesame)" --debug "${LNS_CHARON[@]}" || fatal "the LNS starts"
check "without charon: the LNS says so, and what to do" busywait 5000 grep -q 'no charon:.*systemctl start strongswan' "$TMP/lns.log"
check "without charon: the kernel has the guard" test "$(policies "$LNS")" -ge 6
check_fail "without charon: an SCCRQ in the clear gets no answer" eve_answered
ktund_start "$LAC" lac "$(lac_config sesame)" "${LAC_CHARON[@]}" || fatal "the LAC starts"
check "without charon: the LAC waits" busywait 5000 lac_log 'no charon:'
sleep 2

# --- IKEv2 ------------------------------------------------------------------------------------------
charon_start "$LNS" lns
load_theirs
charon_start "$LAC" lac
check "charon comes: so does the session" busywait 30000 sessions_up lac 1
check "IKEv2: it carries packets" pings
check "IKEv2: it is IKEv2" grep -q 'IKE_AUTH' "$TMP/lac-ike.log"
check_fail "an SCCRQ in the clear still gets no answer" eve_answered
check "nothing of it in the clear, and there was something" nothing_in_clear
check "it was ESP" esp_seen

# --- what others do to charon -----------------------------------------------------------------------
load_theirs
loaded() { charon_swanctl lns --list-conns >"$TMP/conns.out" 2>&1; grep -q '^ktund-peer-four' "$TMP/conns.out"; }
check "swanctl --load-all unloads what is ours: it is loaded again" busywait 25000 loaded
check "what is theirs is there" grep -q '^theirs' "$TMP/conns.out"
check "and the session never noticed" pings

# --- L2TPv3, ordered in words -----------------------------------------------------------------------
echo sesame >"$TMP/psk"
echo other >"$TMP/other-psk"
out=$(ktun_in lac add tunnel remote 192.0.2.77 tunnel_id 3001 psk_file "$TMP/other-psk" 2>&1)
# shellcheck disable=SC2016
check "another psk without an identity: refused, and it is said why" eval '[[ $out == *branch*"has another psk"* ]]'
check "ktun add tunnel psk_file" ktun_in lac add tunnel remote 2001:db8::1 local 2001:db8::3 tunnel_id 3000 psk_file "$TMP/psk"
check "add session" ktun_in lac add session tunnel_id 3000 remote_end_id wire name wire
check "up inside IPsec" busywait 30000 sessions_up lac 2
# shellcheck disable=SC2016
check "frames pass" eval 'ip -n "$LAC" addr add 10.7.0.1/24 dev wire && ip -n "$LNS" addr add 10.7.0.2/24 dev wire && ping_ok "$LAC" 10.7.0.2 56 1300'
check "it has an SA" eval 'ktun_in lac show sas 3000 | grep -q ktund-tunnel-3000'
check "the other session has not noticed" pings
# shellcheck disable=SC2016
check "del tunnel" eval 'ktun_in lac del tunnel tunnel_id 3000 && busywait 20000 sessions_up lac 1 && busywait 20000 sessions_up lns 1'

# --- charon dies ------------------------------------------------------------------------------------
charon_kill lac
check "charon killed: noticed" busywait 5000 lac_log 'no charon: it closed the connection'
check "charon killed: the session carries packets" pings
start=${EPOCHREALTIME/[.,]/}
charon_again lac
check "charon is there again: everything comes anew" busywait 20000 lac_log 'charon does not know its SA any more'
# Before 6.11 the LNS first has to find out that the old tunnel is dead: one address and port, one client.
check "one session again" busywait 60000 sessions_up lac 1
echo "# after $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms, its start included"
check "and it carries packets" busywait 10000 pings

# --- the SA is deleted ------------------------------------------------------------------------------
down_lines() { grep -c 'down with.*IPsec is gone: its SA was deleted' "$TMP/$1.log"; }
charon_swanctl lns --terminate --ike ktund-peer-four >/dev/null 2>&1
check "SA deleted: the LNS's tunnel goes with it" busywait 5000 down_lines lns
check "SA deleted: the LAC's, too" busywait 5000 down_lines lac
check "SA deleted: it comes back as a whole" busywait 20000 sessions_up lac 1
check "SA deleted: it carries packets" busywait 10000 pings
check "until now nothing in the clear" nothing_in_clear

# --- ktund ends -------------------------------------------------------------------------------------
ktund_stop lac
check "the LAC ends: its guard goes" test "$(policies "$LAC")" -eq 0
gone() { ! charon_swanctl lac --list-conns 2>&1 | grep -q ktund; }
check "the LAC ends: its connection goes from charon" gone
check "the LAC ends: the LNS's session, too" busywait 20000 sessions_up lns 0

# --- refusals, each in a line -----------------------------------------------------------------------
refused() {	# refused WHAT LAC-CONFIG LAC-WORDS LNS-WORDS
	: >"$TMP/lac.log"
	ktund_start "$LAC" lac "$2" "${LAC_CHARON[@]}" || fatal "$1: the LAC starts"
	check "$1: the LAC says so" busywait 20000 lac_log "$3"
	[[ -z $4 ]] || check "$1: the LNS, too" busywait 5000 grep -q "$4" "$TMP/lns.log"
	ktund_stop lac
}
refused "another psk" "$(lac_config open-sesame)" 'tunnel branch: IPsec fails in authentication: the peer refuses us; another psk' \
	'IPsec.* fails in authentication: the peer has another psk'
refused "no common proposal" "$(lac_config sesame 'proposals = "aes128-sha1-modp2048"')" \
	'tunnel branch: IPsec fails in IKE_SA: the peer takes none of our proposals' \
	'IPsec fails in IKE_SA: none of the peer.s proposals'
refused "no common proposal of ESP" "$(lac_config sesame 'esp-proposals = "aes192-sha1"')" \
	'tunnel branch: IPsec fails in CHILD_SA: the peer takes none of our ESP proposals' ''
refused "another identity" "$(lac_config sesame 'remote-id = "gate.example.org"')" \
	'tunnel branch: IPsec fails in authentication: the peer refuses us' 'IPsec.*no connection (remote-id, local-id)'

load_theirs
check "unloaded again, after somebody was refused: loaded again" busywait 25000 loaded

# --- IKEv1, IPv6 ------------------------------------------------------------------------------------
again() {	# again WHAT LAC-CONFIG IKE-WORD
	: >"$TMP/lac-ike.log"
	ktund_start "$LAC" lac "$2" "${LAC_CHARON[@]}" || fatal "$1: the LAC starts"
	check "$1: a session" busywait 30000 sessions_up lac 1
	check "$1: it carries packets" pings
	check "$1: it is what it is" grep -q "$3" "$TMP/lac-ike.log"
	ktund_stop lac
}
again "IKEv1" "$(lac_config sesame 'ike = 1')" 'Main Mode\|QUICK_MODE'
again "IPv6" "$(lac_config sesame 'ike = 2 remote-id = "lns.example.org"' 2001:db8::1)" '2001:db8::1'
refused "IKEv1, another psk" "$(lac_config open-sesame 'ike = 1')" \
	'tunnel branch: IPsec fails in authentication: what the peer sent cannot be decrypted; is the psk the same' \
	'IPsec fails in authentication: what the peer sent cannot be decrypted; is the psk the same'
# --- certificates -----------------------------------------------------------------------------------
CURVE='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
signed() {	# signed NAME DAYS
	openssl x509 -req -in "$TMP/$1.csr" -CA "$TMP/ca.pem" -CAkey "$TMP/ca.key" -CAcreateserial -days "$2" \
		-extfile <(echo "subjectAltName=DNS:$1.example.org") -out "$TMP/$1.pem"
}
# shellcheck disable=SC2086
{
	openssl req -x509 $CURVE -keyout "$TMP/ca.key" -out "$TMP/ca.pem" -subj /CN=ca -days 30
	for name in lns lac old; do
		openssl req $CURVE -keyout "$TMP/$name.key" -out "$TMP/$name.csr" -subj /CN=$name.example.org
		signed $name $([[ $name == old ]] && echo -1 || echo 30)
	done
} >"$TMP/openssl.out" 2>&1 || fatal "certificates are made"
certificate() {
	echo "certificate = \"$TMP/$1.pem\" private-key = \"$TMP/$1.key\" ca = \"$TMP/ca.pem\" local-id = \"$1.example.org\""
}
lns_config sesame >/dev/null
sed -i "s|psk = \"[a-z]*\"|$(certificate lns)|" "$TMP/lns.conf"
check "reload: certificates instead" ktun_in lns reload
check "the psk goes from charon, where others could still have used it" \
	busywait 5000 grep -q "unloaded shared key with id 'ktund-peer-four'" "$TMP/lns-ike.log"
lac_config sesame "remote-id = \"lns.example.org\"" >/dev/null
sed -i "s|psk = \"[a-z]*\"|$(certificate lac)|" "$TMP/lac.conf"
again "certificates" "$TMP/lac.conf" 'with ECDSA.* successful'
sed -i "s|/lac\.|/old.|g; s|lac.example|old.example|" "$TMP/lac.conf"
refused "a certificate that has expired" "$TMP/lac.conf" 'tunnel branch: IPsec fails in authentication' \
	'IPsec.* fails in authentication: the peer.s certificate is not valid at this time'

capture_stop
check "all that time nothing in the clear" nothing_in_clear

# --- and the same without IPsec, so that what was not to be seen can be seen -------------------------
lns_config sesame >/dev/null
sed -i 's/ipsec = required psk = "[a-z]*"/ipsec = none/; s/local-id = "lns.example.org"//' "$TMP/lns.conf"
check "reload: no IPsec any more" ktun_in lns reload
check "an SCCRQ in the clear gets its answer now" busywait 5000 eve_answered
unguarded() { [[ $(policies "$LNS") -eq 0 ]]; }
check "reload: the guard is gone" busywait 40000 unguarded
gone_lns() { ! charon_swanctl lns --list-conns 2>&1 | grep -q ktund; }
check "reload: the connections are unloaded" busywait 5000 gone_lns
ktund_stop lns
theirs() { charon_swanctl lns --list-conns 2>&1 | grep -q '^theirs'; }
check "theirs is there to the end" theirs
