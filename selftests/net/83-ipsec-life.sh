#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One lifetime for an SA and its tunnel, under pings both ways: rekeying of CHILD_SA and IKE_SA for KTUND_REKEY_SECONDS (40; every
# KTUND_REKEY_EVERY, 10), another IKE_SA with another mark, ktund killed, the keeper renewed: not one lost. charon killed, ktund
# and charon killed: all comes back as one within 10 s. A charon that is none.
#   C1 (IKEv1) 192.168.1.10 ---- NAT 203.0.113.2 ---- 203.0.113.1 LNS 192.0.2.1 ---- 192.0.2.2 LAC (IKEv2)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-ipsec.sh"
SECONDS_OF_REKEYS=${KTUND_REKEY_SECONDS:-40} EVERY=${KTUND_REKEY_EVERY:-10}

setup_ns LNS NAT C1 LAC
veth_pair "$LNS" eth0 203.0.113.1/24 "$NAT" out0 203.0.113.2/24
veth_pair "$LNS" eth1 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
veth_pair "$NAT" in0 192.168.1.1/24 "$C1" eth0 192.168.1.10/24
ip -n "$C1" route add default via 192.168.1.1
nat "$NAT" 'oifname out0 masquerade'

LNS_CONFIG=$(write_config lns <<-'CONF'
	listen "203.0.113.1" { }
	listen "192.0.2.1" { }
	user "u1" { password = "wonderland" address = "10.10.0.11" }
	user "u2" { password = "wonderland" address = "10.10.0.12" }
	defaults { echo-interval = 0 retransmit-interval = 1s max-retransmits = 3 }
	peer "anyone" { address = "0.0.0.0/0" local-address = "10.10.0.1" psk = "sesame" }
CONF
)
client_config() {	# client_config NAME USER LNS MORE
	write_config "$1" <<-CONF
		tunnel "head" {
		    remote = "$3" user = "$2" password = "wonderland"
		    persist = yes redial-min = 1s redial-max = 2s
		    psk = "sesame" $4
		}
	CONF
}
lns_start() { ktund_start "$LNS" lns "$LNS_CONFIG" --charon "$TMP/lns.charon/vici"; }
c1_start() { ktund_start "$C1" c1 "$(client_config c1 u1 203.0.113.1 'ike = 1')" --charon "$TMP/c1.charon/vici"; }
lac_start() { ktund_start "$LAC" lac "$(client_config lac u2 192.0.2.1 'ike = 2')" --charon "$TMP/lac.charon/vici"; }
carries() { ns "$C1" ping -n -q -c 2 -i 0.1 -W 3 10.10.0.1 && ns "$LAC" ping -n -q -c 2 -i 0.1 -W 3 10.10.0.1; }
all_there() { sessions_up lns 2 && carries; }
lines() { grep -c "$2" "$TMP/$1.log"; }
more_lines() { (($(lines "$1" "$2") > $3)); }
sas() { ip -n "$1" xfrm state | grep -c '^src'; }
spis() { ip -n "$1" xfrm state | grep -o 'spi 0x[0-9a-f]*' | sort; }
clear_udp() { tcpdump -n -r "$TMP/wire.pcap" 2>/dev/null; }
nothing_in_clear() { local out; out=$(clear_udp); [[ -z $out ]] || { echo "$out"; false; }; }

pings() {
	pings_start c1 "$C1" 10.10.0.1
	pings_start lns1 "$LNS" 10.10.0.11
	pings_start lac "$LAC" 10.10.0.1
	pings_start lns2 "$LNS" 10.10.0.12
	EARLY=$(too_early "$LNS")
}
lost_by() {	# lost_by LAC|C1 at most N
	grep . "$TMP"/steady-*
	case $1 in
	lac) (($(lost lac) + $(lost lns2) <= $2)) ;;
	c1) (($(lost c1) + $(lost lns1) <= $2)) ;;
	esac
}

# What must never be seen on the outer links; "any" has them all, whatever comes and goes.
capture "$LNS" any "$TMP/wire.pcap" 'udp port 1701 and (net 203.0.113.0/24 or net 192.0.2.0/24)'
charon_start "$LNS" lns
lns_start || fatal "the LNS starts"
charon_start "$C1" c1
c1_start || fatal "C1 starts"
# What lingers of a rekeyed SA (5 s by default) would linger for ever in an IKE_SA that is rekeyed meanwhile, and such a one charon
# does not reauthenticate.
CHARON_OPTS='make_before_break = yes
delete_rekeyed_delay = 2' charon_start "$LAC" lac
lac_start || fatal "the LAC starts"
busywait 120000 all_there || fatal "both come up: IKEv1 behind a NAT, IKEv2"
check "that there is IPsec need not be written: psk is enough" test "$(ip -n "$LNS" xfrm policy | grep -c 'action block')" -ge 3

# --- rekeying, under pings both ways ----------------------------------------------------------------
pings
# The last one, by its number: in IKEv1 what was replaced stays for a while, and charon rekeys all that have the name.
newest() { sed -nE "s/.*$2[[{]([0-9]+)[]}] (established|rekeyed).*/\1/p" "$TMP/$1-ike.log" | tail -n 1; }
end=$((SECONDS + SECONDS_OF_REKEYS)) n=0
: >"$TMP/rekey.out"
while ((SECONDS < end)); do
	n=$((n + 1))
	for what in '--child-id l2tp-1701' '--ike-id ktund-tunnel-head'; do
		next=$((SECONDS + EVERY / 2))
		for who in c1 lac; do
			charon_swanctl $who --rekey "${what% *}" "$(newest $who "${what#* }")" >>"$TMP/rekey.out" 2>&1
		done
		((SECONDS >= next)) || sleep $((next - SECONDS))
	done
done
echo "# $n rounds"
check "rekeying: charon did what it was told" test "$(grep -c 'rekey completed' "$TMP/rekey.out")" -ge $((4 * n))
# shellcheck disable=SC2016
check "rekeying: C1 has had as many SAs" eval '(($(grep -c "CHILD_SA l2tp-1701{[0-9]*} established" "$TMP/c1-ike.log") > n))'
pings_stop >"$TMP/pings.out"
sed 's/^/# /' "$TMP/pings.out"
for who in LNS C1; do
	echo "# $who: $(ns "${!who}" sed -n 's/[[:space:]]\+/=/; /=0$/!p' /proc/net/xfrm_stat | tr '\n' ' ')"
done
check "rekeying: nothing is lost" lost_by lac 0
# In IKEv1 who rekeys uses the new SA at once, and the other side has it only after the last message of Quick Mode.
check "rekeying by IKEv1: nothing but what was quicker than Quick Mode's last message" \
	lost_by c1 $(($(too_early "$LNS") - EARLY))
check "rekeying: no tunnel went down" test "$(lines lns ': down with')" -eq 0

# --- another SA beside the old one, with another mark ------------------------------------------------
settled() {
	local sas
	sas=$(charon_swanctl lac --list-sas 2>/dev/null)
	(($(grep -c '^ktund-tunnel-head: #' <<<"$sas") == 1)) && [[ $sas == *INSTALLED* && $sas != *DELETED* && $sas != *REKEYED* ]]
}
busywait 20000 settled	# charon does not begin this while it rekeys
pings
ike_sas() { grep -c 'IKE_SA ktund-tunnel-head\[[0-9]*\] established' "$TMP/lac-ike.log"; }
another_ike() { (($(ike_sas) > $1)); }
reauthenticate() {	# charon forgets the order if it is still busy with the old one, or does it up to 15 s later
	local was i
	was=$(ike_sas)
	for i in 1 2 3; do
		charon_swanctl lac --rekey --ike ktund-tunnel-head --reauth && busywait 16000 another_ike "$was" && return 0
		charon_swanctl lac --rekey --ike ktund-tunnel-head	# who answered the last rekeying does not reauthenticate
		busywait 10000 settled
	done
	return 1
}
check "a new IKE_SA beside the old one" reauthenticate
check "its SA has another mark: the tunnel follows" busywait 10000 grep -q 'its IPsec has another mark' "$TMP/lns.log"
sleep 2
check "the old SAs are gone" busywait 5000 eval '(($(sas "$LAC") == 2))'
pings_stop >"$TMP/pings.out"
sed 's/^/# /' "$TMP/pings.out"
# ktund and the LAC's charon hear of the new SA at the same time, and charon deletes the old one at once: what the LNS sends
# in between still asks for the old mark.  An emulated guest takes its time for that.
check "at most four are lost with the old one" lost_by lac 4
check "nothing of the other client's" lost_by c1 0

# --- the same by IKEv1, as Windows and Apple do it, after the NAT has given the client other ports -----
ike_port() {
	ktun_in lns -j show sas | tr '{' '\n' | sed -n 's/.*"remote_address": *"203.0.113.2", *"remote_port": *\([0-9]*\).*/\1/p' | tail -n 1
}
other_port() { carries && (($(ike_port) >= 40000)); }
nat_forgets() {
	ns "$NAT" nft 'flush chain ip nat post; add rule ip nat post oifname out0 udp dport 4500 masquerade to :40000-50000;
		add rule ip nat post oifname out0 masquerade' &&
		ip -n "$NAT" link set out0 down && ip -n "$NAT" link set out0 up
}
check "the NAT begins anew, with other ports" nat_forgets
check "packets go on, and IKE has another port" busywait 30000 other_port
another_mark() { (($(lines lns 'its IPsec has another mark') > MARKS)); }
pings
MARKS=$(lines lns 'its IPsec has another mark') FOREIGN=$(counter dropped_foreign)
check "IKEv1: a new IKE_SA and SA beside the old ones" again_by_ikev1 c1 sesame 203.0.113.1
check "its SA has another mark: the tunnel follows" busywait 10000 another_mark
sleep 1
check "the old SA goes" busywait 5000 again_done c1
sleep 1
pings_stop >"$TMP/pings.out"
sed 's/^/# /' "$TMP/pings.out"
# What came by it before ktund had heard of it has a mark that is nobody's, and is counted.
check "IKEv1: nothing but what was quicker than Quick Mode's last message, or than ktund" \
	lost_by c1 $(($(too_early "$LNS") - EARLY + $(counter dropped_foreign) - FOREIGN))
check "and nothing of the other client's" lost_by lac 0
check "no tunnel went down" test "$(lines lns ': down with') $(lines c1 ': down with')" = "0 0"

# --- ktund killed, the keeper renewed: still under pings ---------------------------------------------
pings
spis_lns=$(spis "$LNS")
for who in lns lac; do
	kill -KILL "$(ktund_pid $who)"
	sleep 1
	${who}_start || fatal "ktund of $who starts again"
	check "ktund of $who killed: the next takes over" busywait 10000 grep -q 'took over [12] tunnels.* 0 were lost' "$TMP/$who.log"
done
check "the keeper renews itself" ns "$LNS" "$KTUND_BUILD/ktund" --upgrade-keeper --runtime-dir "$TMP/lns.run"
sleep 1
check "the SAs are those of before" test "$(spis "$LNS")" = "$spis_lns"
pings_stop >"$TMP/pings.out"
check "ktund killed, keeper renewed: nothing is lost" eval 'lost_by lac 0 && lost_by c1 0'
check "no tunnel went down" test "$(lines lns ': down with')" -eq 0
check "the guard is there" test "$(ip -n "$LNS" xfrm policy | grep -c 'action block')" -ge 3

# --- charon killed ----------------------------------------------------------------------------------
back_in_time() {	# back_in_time WHAT: both are there within 10 s after charon is
	local start=${EPOCHREALTIME/[.,]/}
	check "$1: all is there again within 10 s" busywait 10000 all_there
	echo "# after $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms"
}
echo 'connections { }' >"$TMP/none.conf"
# strongswan.service has charon load its files as soon as it is there, which unloads what is in none of them: ours.  That may be
# before ktund has loaded it, while the first clients are already on their way, or in the middle of their IKE.
for after in 0 0.5 1 2; do
	charon_kill lns
	sleep 1
	# ESP in UDP comes to charon's own socket: C1 waits.
	[[ $after != 0 ]] || check "the LNS's charon killed: packets go on without a NAT between" \
		ns "$LAC" ping -n -q -c 2 -i 0.1 -W 3 10.10.0.1
	was=$(lines lns 'charon does not know its SA any more')
	charon_again lns
	sleep $after
	charon_swanctl lns --load-all --file "$TMP/none.conf" >/dev/null 2>&1
	check "a charon that knows nothing: noticed" busywait 6000 more_lines lns 'charon does not know its SA any more' "$was"
	back_in_time "the LNS's charon killed, its files loaded $after s after it came"
	check "no SA of the dead one is left" busywait 3000 eval '(($(sas "$LNS") == 4))'
	check "no policy, either" test "$(ip -n "$LNS" xfrm policy | grep -c 'mark 0x')" -eq 4
done
loaded_again() { [[ $(charon_swanctl lns --list-conns) == *ktund-peer-anyone* ]]; }
sleep 5		# whoever has them loaded later is noticed as soon
charon_swanctl lns --load-all --file "$TMP/none.conf" >/dev/null 2>&1
check "unloaded by somebody: loaded again at once" busywait 2000 loaded_again
check "which has taken no tunnel down" carries

# --- both killed; an SA deleted while nobody looks ---------------------------------------------------
kill -KILL "$(ktund_pid lns)"
charon_kill lns
charon_again lns
was=$(lines lns 'charon does not know its SA any more')
lns_start || fatal "the LNS starts again"
check "ktund and charon of the LNS killed: noticed" busywait 6000 more_lines lns 'charon does not know its SA any more' "$was"
back_in_time "ktund and charon of the LNS killed"
check "no SA of the dead one is left" busywait 3000 eval '(($(sas "$LNS") == 4))'
kill -KILL "$(ktund_pid c1)"
charon_swanctl c1 --terminate --ike ktund-tunnel-head >/dev/null 2>&1
c1_start || fatal "C1 starts again"
check "an SA deleted while ktund is dead: noticed" busywait 6000 grep -q 'its IPsec is gone' "$TMP/c1.log"
back_in_time "an SA deleted while ktund is dead"

# --- the other side's charon -------------------------------------------------------------------------
was=$(lines lac 'charon does not know its SA any more')
charon_kill lac
charon_again lac
check "the LAC's charon killed: noticed" busywait 6000 more_lines lac 'charon does not know its SA any more' "$was"
back_in_time "the LAC's charon killed"
check "no SA of the dead one is left" busywait 3000 eval '(($(sas "$LAC") == 2))'

# --- the end with a dead charon ---------------------------------------------------------------------
charon_kill lac
busywait 5000 eval '(($(lines lac "no charon: it closed") >= 2))'
ktund_stop lac
check "ktund ends while charon is dead: no SA is left" test "$(sas "$LAC")" -eq 0
check "no policy, either" test -z "$(ip -n "$LAC" xfrm policy | grep -v 'socket\|^src 0.0.0.0/0 dst 0.0.0.0/0\|^src ::/0 dst ::/0')"
capture_stop
check "all that time nothing in the clear" nothing_in_clear
capture "$LNS" any "$TMP/wire.pcap" 'udp port 1701 and (net 203.0.113.0/24 or net 192.0.2.0/24)'
ns "$LAC" bash -c 'echo hello >/dev/udp/192.0.2.1/1701'
capture_stop
check_fail "(it would have been seen)" nothing_in_clear

# --- what is no charon ------------------------------------------------------------------------------
fake() {	# fake PYTHON: serves LAC's VICI socket
	rm -f "$TMP/lac.charon/vici"
	spawn "$LAC" fake python3 -c "
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind('$TMP/lac.charon/vici')
s.listen(9)
keep = []
while True:
    c, _ = s.accept()
    keep.append(c)
    $1"
	FAKE=$SPAWNED
	busywait 10000 test -S "$TMP/lac.charon/vici"
}
fake "c.sendall(b'HTTP/1.0 200 OK' * 9)"
: >"$TMP/lac.log"
lac_start || fatal "the LAC starts"
check "something else at charon's socket: said, with what to do" busywait 10000 grep -q 'no charon: what answers there does not speak VICI.*systemctl start strongswan' "$TMP/lac.log"
stop_pid "$FAKE" 0
fake "pass"
check "a charon that says nothing: said" busywait 15000 grep -q 'no charon: charon does not answer.*systemctl start strongswan' "$TMP/lac.log"
stop_pid "$FAKE" 0
charon_again lac
check "the real one comes: so does the session" busywait 20000 sessions_up lac 1
