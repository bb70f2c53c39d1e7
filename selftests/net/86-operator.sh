#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an operator sees of IPsec: users, sessions and tunnels with the SAs that protect them, also while charon stands still or
# is gone; a set-up that fails says in one line why.
#   LAC 192.168.1.10 ---- NAT 203.0.113.2 ---- 203.0.113.1 LNS
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-ipsec.sh"

setup_ns LNS NAT LAC
veth_pair "$LNS" eth0 203.0.113.1/24 "$NAT" out0 203.0.113.2/24
veth_pair "$NAT" in0 192.168.1.1/24 "$LAC" eth0 192.168.1.10/24
ip -n "$LAC" route add default via 192.168.1.1
nat "$NAT" 'oifname out0 masquerade'
write_config lns >/dev/null <<-'CONF'
	listen "203.0.113.1" { }
	user "alice" { password = "wonderland" address = "10.10.0.11" }
	defaults { echo-interval = 0 retransmit-interval = 1s max-retransmits = 3 }
	peer "anyone" { address = "0.0.0.0/0" local-address = "10.10.0.1" ipsec = required psk = "sesame" }
CONF
lac_config() {	# lac_config PSK [PASSWORD]
	write_config lac <<-CONF
		tunnel "branch" {
		    remote = "203.0.113.1" user = "alice" password = "${2:-wonderland}"
		    persist = yes redial-min = 20s redial-max = 40s
		    ipsec = required psk = "$1" local-id = "branch.example.org"
		}
	CONF
}
charon_start "$LNS" lns
charon_start "$LAC" lac
ktund_start "$LNS" lns "$TMP/lns.conf" --charon "$TMP/lns.charon/vici" || fatal "the LNS starts"
check "no SA yet: the list is empty, and that is no failure" test "$(ktun_in lns -j show sas)" = '[]'
ktund_start "$LAC" lac "$(lac_config sesame)" --charon "$TMP/lac.charon/vici" || fatal "the LAC starts"
check "a session behind a NAT comes up" busywait 40000 sessions_up lns 1

# --- user, session, tunnel and SA together ------------------------------------------------------------
TUNNEL=$(session_get lns tunnel_id)
SESSION=$(session_get lns session_id)
says() {	# says NAME WORDS... -- COMMAND...: ktun's output has them all
	local name=$1 words=() w out
	shift
	while [[ $1 != -- ]]; do words+=("$1"); shift; done
	shift
	out=$(ktun_in "$name" "$@" 2>&1)
	echo "$out"
	for w in "${words[@]}"; do
		[[ $out == *"$w"* ]] || { echo "it has no: $w"; return 1; }
	done
}
check "show sas: connection, address, identity, NAT, algorithms, tunnel and user" \
	says lns ktund-peer-anyone 203.0.113.2 branch.example.org remote INSTALLED AES_ " $TUNNEL " alice -- show sas
check "-j: both SAs' ids, states and algorithms, SPIs, mark, NAT" says lns '"ike_version":2' '"ike_state":"ESTABLISHED"' \
	'"child_state":"INSTALLED"' '"nat":"remote"' '"udp_encapsulation":true' '"mark":1' '"mode":"TRANSPORT"' \
	"\"tunnel_ids\":[$TUNNEL]" '"users":["alice"]' -- -j show sas
check "of the one who dialled: when it rekeys" says lac '"connection":"ktund-tunnel-branch"' '"initiator":true' '"rekey_s":' \
	'"nat":"local"' '"users":["alice"]' -- -j show sas branch
octets() { ktun_in lns -j show sas | number rx_octets; }
was=$(octets)
check "it carries packets" ping_ok "$LAC" 10.10.0.1 1000
check "and they are counted in the SA" test "$(octets)" -gt $((was + 3000))
check "show session: with the SA that protects it" says lns "user " "  sa" "remote_identity " branch.example.org -- show session "$SESSION"
check "-j show session: the same" says lns "\"session_id\":$SESSION" '"ipsec":true,"' '"sas":[{"connection":"ktund-peer-anyone"' \
	-- -j show session "$SESSION"
check "show tunnel NAME: the same" says lac "name " "  sa" ktund-tunnel-branch -- show tunnel branch
check "of one tunnel, and of no other" test "$(ktun_in lns -j show sas $((TUNNEL % 60000 + 1)) 2>&1)" != \
	"$(ktun_in lns -j show sas "$TUNNEL")"

# --- charon stands still, and is gone -----------------------------------------------------------------
kill -STOP "${LIB_CHARON_PID[lns]}"
start=${EPOCHREALTIME/[.,]/}
check "charon stands still: said so" says lns 'charon does not answer within 2 s' -- show sas
took=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
check "in bounded time ($took ms)" test $took -lt 6000
ktun_in lns show sas >"$TMP/slow.out" 2>&1 &
slow=$!
check "meanwhile others are answered" says lns '"user":"alice"' -- -j show sessions
check "that one was still waiting" kill -0 $slow
wait $slow
check "the session is shown all the same" says lns 'charon does not answer' 'user ' -- show session "$SESSION"
kill -CONT "${LIB_CHARON_PID[lns]}"
again() { says lns alice -- show sas; }
check "it goes on: shown again" busywait 20000 again

# --- why it does not come up --------------------------------------------------------------------------
ktund_stop lac
ktund_start "$LAC" lac "$(lac_config open-sesame)" --charon "$TMP/lac.charon/vici" || fatal "the LAC starts again"
REASON='IPsec fails in authentication: the peer refuses us; another psk, a certificate it does not trust, another local-id?'
reason() { says lac "$REASON" -- show tunnels; }
check "another psk: show tunnels says the phase and the reason, whole" busywait 20000 reason
ktun_in lac down tunnel branch
check "up tunnel: the same" says lac "ktun: refused: $REASON" -- up tunnel branch
check_fail "and its status is that of a failure" ktun_in lac up tunnel branch
ktund_stop lac
ktund_start "$LAC" lac "$(lac_config sesame looking-glass)" --charon "$TMP/lac.charon/vici" || fatal "the LAC starts again"
reason() { says lac 'authentication' -- show tunnels; }
check "another password: show tunnels says so" busywait 40000 reason

charon_kill lns
check "charon is gone: show sas says so" says lns 'no charon' -- show sas
