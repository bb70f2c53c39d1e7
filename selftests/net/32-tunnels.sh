#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Several tunnels with several sessions each, between ktund and ktund and between xl2tpd and ktund; several tunnels from
# one address and port; a peer that comes back from its old address and port with a new tunnel.
#   LAC 192.0.2.2 ---- 192.0.2.1 LNS, xl2tpd as LNS 192.0.2.11
# Every session has its own number of pings, so that a packet which arrives on another session's link is seen.
. "$(dirname "$0")/lib.sh"

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24,192.0.2.11/24 "$LAC" eth0 192.0.2.2/24
leak_snapshot

LNS_CONFIG=$(write_config lns <<-'CONF'
	listen "192.0.2.1" { }
	user "a1" { password = "wonderland" address = "10.10.0.1" }
	user "a2" { password = "wonderland" address = "10.10.0.2" }
	user "a3" { password = "wonderland" address = "10.10.0.3" }
	user "b1" { password = "wonderland" address = "10.10.0.4" }
	user "b2" { password = "wonderland" address = "10.10.0.5" }
	user "b3" { password = "wonderland" address = "10.10.0.6" }
	user "x1" { password = "wonderland" address = "10.10.0.7" }
	user "x2" { password = "wonderland" address = "10.10.0.8" }
	defaults { ipsec = none hello-interval = 5s retransmit-interval = 1s max-retransmits = 3 echo-interval = 0 }
	peer "anyone" { address = "0.0.0.0/0" local-address = "10.10.9.9" }
CONF
)
sessions_of() {
	printf 'session "%s" { user = "%s" password = "wonderland" interface = "%s" }\n' \
		"${1}1" "${1}1" "${1}1" "${1}2" "${1}2" "${1}2" "${1}3" "${1}3" "${1}3"
}
lac_config() {	# lac_config LOCAL-PORT
	write_config lac <<-CONF
		defaults { ipsec = none }
		tunnel "one" { remote = "192.0.2.1" local-port = $1 $(sessions_of a) }
		tunnel "two" { remote = "192.0.2.1" local-port = $1 $(sessions_of b) }
	CONF
}

# Packets received and sent per link: counters NS VARIABLE
counters() {
	local dev rx tx
	local -n into=$2
	into=()
	while IFS=' :' read -r dev _ rx _ _ _ _ _ _ _ tx _; do
		[[ $dev != ppp* ]] || into[$dev]="$rx $tx"
	done < <(ns "$1" cat /proc/net/dev)
}

# traffic NS USER... : the N-th user's session gets N+1 pings from its end. They must be answered, and the LNS must have
# counted just these on its link, in and out. A user in $DEAF need not hear the answers.
traffic() {
	local lac=$1 user n=1 rc=0 dev was is
	local -A dev_of=() before=() after=()	# the last two by counters()
	shift
	for user in "$@"; do
		dev_of[$user]=$(session_get lns interface "\"user\":\"$user\"") || return 1
	done
	counters "$LNS" before
	for user in "$@"; do
		n=$((n + 1))
		ns "$lac" ping -n -q -c $n -i 0.05 -W 5 -s 1000 -I "${LACIF[$user]}" 10.10.9.9 ||
			[[ $user == "$DEAF" ]] || rc=1
	done
	counters "$LNS" after
	n=1
	for user in "$@"; do
		n=$((n + 1))
		dev=${dev_of[$user]}
		read -ra was <<<"${before[$dev]}"
		read -ra is <<<"${after[$dev]}"
		echo "$user, $dev: $((is[0] - was[0])) packets in, $((is[1] - was[1])) out, of $n"
		((is[0] - was[0] == n && is[1] - was[1] == n)) || rc=1
	done
	return $rc
}

DEAF=''
declare -A LACIF=([a1]=a1 [a2]=a2 [a3]=a3 [b1]=b1 [b2]=b2 [b3]=b3)
ktund_start "$LNS" lns "$LNS_CONFIG" || fatal "the LNS starts"
for port in 0 1701; do
	what="two tunnels of three sessions"
	[[ $port -eq 0 ]] || what="$what from one address and port"
	ktund_start "$LAC" lac "$(lac_config $port)" || fatal "$what: the LAC starts"
	check "$what: all come up" busywait 20000 sessions_up lns 6
	check "$what: at the LAC too" busywait 5000 sessions_up lac 6
	check "$what: there are two tunnels" test "$(ktun_in lns -j show tunnels | grep -o '"established"' | wc -l)" -eq 2
	check "$what: each session carries its own packets" traffic "$LAC" a1 a2 a3 b1 b2 b3
	if ((port == 0)); then
		check "one session is ended" ktun_in lns disconnect user a2
		check "five are left" busywait 10000 sessions_up lns 5
		check "and carry their packets" traffic "$LAC" a1 a3 b1 b2 b3
	fi
	check "$what: one tunnel is taken down" ktun_in lac down tunnel one
	check "$what: its sessions are gone" busywait 10000 sessions_up lns 3
	check "$what: those of the other carry their packets" traffic "$LAC" b1 b2 b3
	ktund_stop lac
	check "$what: the LNS notices the end of the LAC" busywait 10000 sessions_up lns 0
done

# xl2tpd uses port 1701 for all of its tunnels.
mkdir -p "$TMP/x.d"
cat >"$TMP/x.d/options2" <<-CONF
	noauth
	user x2
	password wonderland
	mtu 1400
	mru 1400
	noipdefault
	nodefaultroute
	lcp-echo-interval 0
	ifname x2
CONF
export XL2TPD_OPTS="
[lac x2]
lns = 192.0.2.1
pppoptfile = $TMP/x.d/options2
length bit = yes"
PPPD_OPTS='ifname x1' xl2tpd_lac "$LAC" x 192.0.2.1 x1 wonderland any
LACIF=([x1]=x1 [x2]=x2)
check "xl2tpd: its first tunnel comes up" busywait 20000 sessions_up lns 1
check "xl2tpd: pings" traffic "$LAC" x1
xl2tpd_say x 'c x2'
check "xl2tpd: its second tunnel, from the same port, comes up" busywait 20000 sessions_up lns 2
check "xl2tpd: there are two tunnels" test "$(ktun_in lns -j show tunnels | grep -o '"established"' | wc -l)" -eq 2
# Before 6.11 a kernel hands the data of all tunnels between two addresses and ports to the youngest socket, and knows
# its sessions there only. The keeper has a way around that, xl2tpd has none: its older tunnel sends but does not hear.
if [[ $(uname -r) =~ ^([0-9]+)\.([0-9]+) ]] && ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] < 6011)); then
	DEAF=x1
fi
check "xl2tpd: each session carries its own packets" traffic "$LAC" x1 x2
if [[ -z $DEAF ]]; then
	check "xl2tpd: and back, first tunnel" ping_ok "$LNS" 10.10.0.7
fi
check "xl2tpd: and back, second tunnel" ping_ok "$LNS" 10.10.0.8
DEAF=''
xl2tpd_say x 'd x2'
check "xl2tpd: its second tunnel goes" busywait 10000 sessions_up lns 1
check "xl2tpd: the first one carries its packets" traffic "$LAC" x1

# The power fails; the same place dials anew while the old tunnel is still there for us.
tunnel_id=$(session_get lns tunnel_id)
xl2tpd_kill x
xl2tpd_again x
start=${EPOCHREALTIME/[.,]/}
new_session() { [[ $(session_get lns tunnel_id '"user":"x1"') != "$tunnel_id" ]] && sessions_up lns 1 '"user":"x1"'; }
check "back from its old address and port: served" busywait 20000 new_session
echo "# after $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms"
check "back: it carries packets" traffic "$LAC" x1
old_gone() { ! ktun_in lns -j show tunnels | grep -q "\"tunnel_id\":$tunnel_id,"; }
check "back: the old tunnel's end is noticed" busywait 25000 old_gone
check "back: the new one does not care" traffic "$LAC" x1
xl2tpd_stop x
unset XL2TPD_OPTS
check "xl2tpd ends: so do its sessions" busywait 10000 sessions_up lns 0
ktund_stop lns
leak_check "nothing is left"

# ktund dials xl2tpd: two tunnels to one LNS, two sessions each.
XL2TPD_GLOBAL="listen-addr = 192.0.2.11" xl2tpd_lns "$LNS" head 10.10.9.9 10.10.0.10-10.10.0.20 mschapv2 '' bob builder
CONFIG=$(write_config lac <<-'CONF'
	defaults { ipsec = none }
	tunnel "one" {
	    remote = "192.0.2.11"
	    session "s1" { user = "bob" password = "builder" interface = "a1" }
	    session "s2" { user = "bob" password = "builder" interface = "a2" }
	}
	tunnel "two" {
	    remote = "192.0.2.11"
	    session "s1" { user = "bob" password = "builder" interface = "b1" }
	    session "s2" { user = "bob" password = "builder" interface = "b2" }
	}
CONF
)
ktund_start "$LAC" lac "$CONFIG" || fatal "dialling xl2tpd: ktund starts"
check "dialling xl2tpd: all four come up" busywait 30000 sessions_up lac 4
for i in a1 a2 b1 b2; do
	check "dialling xl2tpd: pings, $i" ns "$LAC" ping -n -q -c 2 -W 5 -s 1000 -I $i 10.10.9.9
done
ktund_stop lac
xl2tpd_stop head
leak_check "nothing is left of these"
