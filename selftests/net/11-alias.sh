#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Several tunnels between the same two addresses and ports, with data through all of them at once.  Kernels before 6.11
# need the keeper's aliases for it; on newer ones they are not used, and tested all the same.
. "$(dirname "$0")/lib.sh"

drive=$KTUND_BUILD/selftests/net/keeper-drive
keeper=$KTUND_BUILD/ktund-keeper
out=$TMP/drive.log

keeper_start() {	# NS NAME [VARIABLE=VALUE]: its pid in $SPAWNED
	mkdir -p "$TMP/$2.run"
	rm -f "$TMP/$2.run/keeper.sock"
	spawn "$1" "$2" env $3 "$keeper" --runtime-dir "$TMP/$2.run"
	busywait 10000 test -S "$TMP/$2.run/keeper.sock"
}
a() { ns "$A" "$drive" "$TMP/a.run/keeper.sock" hello , "$@" >"$out" 2>&1; local rc=$?; cat "$out"; return $rc; }
b() { ns "$B" "$drive" "$TMP/b.run/keeper.sock" hello , "$@" >"$out" 2>&1; local rc=$?; cat "$out"; return $rc; }
says() {	# WORDS COMMAND...: fails, and says so
	local words=$1
	shift
	if "$@"; then echo "did not fail"; return 1; fi
	grep -q -- "$words" "$out"
}
tables() { ns "$A" nft list tables; ns "$B" nft list tables; }
no_rules() { ! tables | grep -v 'inet ktund-gate-'; }		# the keeper's gate is there from its start to its end
rules() { tables | grep -q 'table inet ktund-alias-'; }
no_tables() { [[ -z $(tables) ]]; }
csum_errors() { ns "$1" cat /proc/net/snmp /proc/net/snmp6 | awk '$1 == "Udp6InCsumErrors" { n += $2 } $1 == "Udp:" && $2 ~ /^[0-9]/ { n += $8 } END { print n + 0 }'; }
no_csum_errors() { [[ $(csum_errors "$A") == 0 && $(csum_errors "$B") == 0 ]]; }

# Pings in parallel, each with a size of its own: NS ADDR SIZE ...
at_once() {
	local i=0 pid pids=()
	while (($#)); do
		i=$((i + 1))
		ns "$1" ping -n -q -c 4 -i 0.2 -W 5 -s "$3" "$2" >"$TMP/ping.$i" 2>&1 &
		pids+=($!)
		shift 3
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
	cat "$TMP"/ping.*
	[[ $(cat "$TMP"/ping.* | grep -c ' 4 received') == "$i" ]]
	local rc=$?
	rm -f "$TMP"/ping.*
	return $rc
}

# Tunnel and session N: tunnel 100+N to 200+N with session N to N; 10.N.0.1 to 10.N.0.2.  Our end, the other, both.
end_a() {	# N LOCAL PEER [WORDS]
	a tunnel $((100 + $1)) $((200 + $1)) "$2" 1701 "$3" 1701 $4 , \
		session $((100 + $1)) "$1" "$1" "name=s$1" mtu=1400 "ip=10.$1.0.1,10.$1.0.2" up v4
}
end_b() {
	b tunnel $((200 + $1)) $((100 + $1)) "$2" 1701 "$3" 1701 $4 , \
		session $((200 + $1)) "$1" "$1" "name=s$1" lns mtu=1400 "ip=10.$1.0.2,10.$1.0.1" up v4
}
ends() { end_a "$1" "$2" "$3" $4 && end_b "$1" "$3" "$2" $4; }
down() { a tdown $((100 + $1)) && b tdown $((200 + $1)); }
both_ways() {	# N...
	local n words=()
	for n in "$@"; do
		words+=("$A" "10.$n.0.2" $((100 * n + 11)) "$B" "10.$n.0.1" $((100 * n + 57)))
	done
	at_once "${words[@]}"
}
wire() {	# every datagram between the two ports has a right checksum: N...
	capture "$B" wan "$TMP/wire.pcap" udp
	both_ways "$@" || return 1
	capture_stop
	tcpdump -n -vv -r "$TMP/wire.pcap" >"$TMP/wire.txt" 2>/dev/null
	local bad all
	all=$(grep -c 'udp sum ok' "$TMP/wire.txt")
	bad=$(grep -Ec 'bad udp cksum|no cksum' "$TMP/wire.txt")
	echo "$all with a good checksum, $bad without"
	grep -E 'bad udp|no cksum' "$TMP/wire.txt" | head -3
	((bad == 0 && all >= 16 * $#))
}
only_1701() { ! tcpdump -n -r "$TMP/wire.pcap" 'udp and not (src port 1701 and dst port 1701)' 2>/dev/null | grep .; }
offload() { ns "$A" ethtool -K wan tx "$1" && ns "$B" ethtool -K wan tx "$1"; }

setup_ns A B
veth_pair "$A" wan 192.0.2.1/24,2001:db8::1/64 "$B" wan 192.0.2.2/24,2001:db8::2/64
leak_snapshot

release=$(uname -r)
newer=$(printf '6.11\n%s\n' "$release" | sort -V | head -n1)
# Aliases where the keeper makes them, nothing where the kernel needs none.
modes=KTUND_KEEPER_ALIAS=1
[[ $newer != 6.11 ]] || modes=KTUND_KEEPER_ALIAS=0

for mode in $modes; do
	if [[ $mode == *1 ]]; then alias=1 m=aliases; else alias=0 m='no aliases'; fi
	# The kernel's version decides where nobody does.
	[[ $mode != *0 && $newer == 6.11 ]] || mode=''
	check "$m: keepers come up" keeper_start "$A" a $mode
	A_PID=$SPAWNED
	check "$m: and on the other side" keeper_start "$B" b $mode
	B_PID=$SPAWNED
	check "$m: listeners" a listen 192.0.2.1 1701 , listen 2001:db8::1 1701
	check "$m: and there" b listen 192.0.2.2 1701 , listen 2001:db8::2 1701

	check "$m: checksums by software" offload off
	check "$m: one tunnel" ends 1 192.0.2.1 192.0.2.2
	check "$m: needs no rules" no_rules
	check "$m: a second tunnel between the same addresses and ports" ends 2 192.0.2.1 192.0.2.2
	if ((alias)); then
		check "$m: the second has rules" rules
	else
		check "$m: the second has no rules either" no_rules
	fi
	check "$m: both carry data both ways at once" both_ways 1 2
	check "$m: a third" ends 3 192.0.2.1 192.0.2.2
	check "$m: three at once, checksums on the wire are right" wire 1 2 3
	check "$m: and nobody sees an alias there" only_1701
	check "$m: with offloaded checksums, too" offload on
	check "$m: three at once" both_ways 1 2 3
	check "$m: three over IPv6, one" ends 4 2001:db8::1 2001:db8::2
	check "$m: two" ends 5 2001:db8::1 2001:db8::2
	check "$m: three" ends 6 2001:db8::1 2001:db8::2
	check "$m: six at once" both_ways 1 2 3 4 5 6
	check "$m: by software again" offload off
	check "$m: IPv6: checksums on the wire are right" wire 4 5 6
	check "$m: and nobody sees an alias there" only_1701
	# Without aliases the newest socket takes the datagrams of all tunnels, and its word on zero checksums counts for all:
	# there, tunnels of one address and port have to agree on checksums (ktund always has them).
	nocsum=nocsum
	((alias)) || nocsum=
	check "$m: another two, over IPv4" ends 7 192.0.2.1 192.0.2.2 $nocsum
	check "$m: and IPv6; without UDP checksums where each has its own socket" ends 8 2001:db8::1 2001:db8::2 $nocsum
	check "$m: eight at once" both_ways 1 2 3 4 5 6 7 8
	check "$m: no datagram had a wrong checksum" no_csum_errors

	# Outer fragments
	ip -n "$A" link set wan mtu 1280
	ip -n "$B" link set wan mtu 1280
	check "$m: fragments of the outer packets" at_once "$A" 10.2.0.2 1372 "$B" 10.2.0.1 1370 "$A" 10.5.0.2 1368 "$B" 10.5.0.1 1366
	check "$m: and without checksums" at_once "$A" 10.7.0.2 1372 "$B" 10.7.0.1 1370
	ip -n "$A" link set wan mtu 1500
	ip -n "$B" link set wan mtu 1500

	# Somebody's firewall is loaded anew
	ns "$A" nft flush ruleset
	check "$m: nft flush ruleset does not harm" both_ways 1 2 3

	check "$m: the first goes" down 1
	check "$m: the others go on" both_ways 2 3
	check "$m: another between the same addresses and ports" ends 9 192.0.2.1 192.0.2.2
	check "$m: carries data, and so do the others" both_ways 2 3 9

	# The peer lost its state: it comes again from its old port with a new id, while we still have the old tunnel
	check "$m: the peer has forgotten its tunnels" b tdown 202 , tdown 203 , tdown 209
	check "$m: it comes again" ends 10 192.0.2.1 192.0.2.2
	check "$m: and is served at once" both_ways 10
	check "$m: the old ones go" a tdown 102 , tdown 103 , tdown 109
	check "$m: the new one stays" both_ways 10 7

	# A user-space peer: the same session id in both tunnels, Length present or not, checksum or none
	check "$m: two tunnels of another port" a tunnel 121 221 192.0.2.1 1701 192.0.2.2 1801 , tunnel 122 222 192.0.2.1 1701 192.0.2.2 1801
	check "$m: a session in one" a session 121 21 77 name=s21 lns mtu=1400 ip=10.21.0.1,10.21.0.2 up v4
	check "$m: and in the other, with the same id there" a session 122 22 77 name=s22 lns mtu=1400 ip=10.22.0.1,10.22.0.2 up v4
	spawn "$B" echo python3 "$(dirname "$0")/l2tp-echo.py" 192.0.2.2:1801 221,77,121,21 222,77,122,22
	busywait 10000 grep -q ready "$TMP/echo.log"
	check "$m: both answer, whatever the header" at_once "$A" 10.21.0.2 56 "$A" 10.22.0.2 64
	stop_pid "$SPAWNED"

	check "$m: K_LIST" a list
	check "$m: has all tunnels with the peer's real port" test "$(grep -Ec 'kind=4 .* peer_port=1[78]01 ' "$out")" = 8
	check "$m: UNLISTEN and all tunnels down" a tdown 104 , tdown 105 , tdown 106 , tdown 107 , tdown 108 , tdown 110 , tdown 121 , tdown 122
	check "$m: and there" b tdown 204 , tdown 205 , tdown 206 , tdown 207 , tdown 208 , tdown 210
	check "$m: no rules are left" no_rules
	check "$m: two more" ends 11 192.0.2.1 192.0.2.2
	check "$m: for the end" ends 12 192.0.2.1 192.0.2.2
	check "$m: K_STOP" a stop
	kill -KILL "$B_PID"
	wait "$B_PID" "$A_PID" 2>/dev/null
	check "$m: nothing is left after K_STOP here and SIGKILL there" busywait 5000 no_tables
	leak_check "$m: no tunnel, session or link is left"
done

# nf_tables is a module here that can be taken away?
without_nft() {
	local m
	for m in $(lsmod | awk '/^nft?_|^nf_tables/ { print $1 }') nf_tables nfnetlink; do
		modprobe -r "$m" 2>/dev/null
	done
	! grep -q '^nf_tables ' /proc/modules
}
modprobe_path=$(cat /proc/sys/kernel/modprobe)
if [[ ${KTUND_VM:-direct} != direct ]]; then
	defer sh -c "echo $modprobe_path >/proc/sys/kernel/modprobe; modprobe nf_tables"
	check "nf_tables goes away" without_nft
	echo /bin/false >/proc/sys/kernel/modprobe
	check "a keeper without nf_tables" keeper_start "$A" a KTUND_KEEPER_ALIAS=1
	check "and one on the other side" keeper_start "$B" b KTUND_KEEPER_ALIAS=1
	check "says that there is no gate, and what to do" grep -q 'there is no gate.*modprobe nf_tables' "$TMP/a.log"
	check "one tunnel" ends 1 192.0.2.1 192.0.2.2
	check "a second is refused, with the reason" says 'a second tunnel from this address and port needs kernel 6.11 or nf_tables: .' \
		a tunnel 102 202 192.0.2.1 1701 192.0.2.2 1701
	grep '^tunnel' "$out" | sed 's/^/# /'
	check "the first is not disturbed" both_ways 1
	check "nor is one to another port" a tunnel 102 202 192.0.2.1 1701 192.0.2.2 1702
	check "stop" a stop
	check "and there" b stop
	leak_check "nothing is left"
fi
