#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The k-th system call or allocation fails, in the keeper and in ktund, for every k of one call that comes and goes: nobody
# dies, nothing leaks, and the client hears something; with FAULTS=1 also of a tunnel that is dialled and hung up.  FAULTS=N:
# every N-th k (2), beginning with FAULTS_FIRST (at random).   LAC 192.0.2.2 ---- 192.0.2.1 LNS
# shellcheck disable=SC2016
. "$(dirname "$0")/lib.sh"

drive=$KTUND_BUILD/selftests/net/faults fault=$KTUND_BUILD/selftests/fault.so
[[ -e $fault ]] || skip "no selftests/fault.so"

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
chmod 755 "$TMP"
lns=$(write_config lns <<-CONF
	listen "192.0.2.1" { port = 1701 }
	pool "staff" { range = "10.10.0.10-10.10.0.250" }
	user "alice" { password = "wonderland" }
	profile "remote-access" { role = lns authentication = { "chap" } local-address = "10.10.0.254" pool = "staff" ipsec = none }
	defaults { retransmit-interval = 200ms retransmit-cap = 1s max-retransmits = 4 restart-timer = 200ms }
	peer "anyone" {
	    address = "0.0.0.0/0"
	    profile = "remote-access"
	    limits { half-open = 64 setup-rate = 1000 setup-burst = 1000 tunnels = 4000 }
	}
CONF
)

lac=$(write_config lac <<-CONF
	defaults { retransmit-interval = 200ms retransmit-cap = 1s max-retransmits = 4 restart-timer = 200ms }
	tunnel "t" { role = lac remote = "192.0.2.1" user = "alice" password = "wonderland" start = no persist = no ipsec = none }
CONF
)

# The five numbers of selftests/fault/fault.c
alive() { od -An -j16 -N4 -i "$TMP/$1" | tr -d ' '; }
start() {	# start NAME NS CONFIG
	dd if=/dev/zero of="$TMP/$1.ktund" bs=20 count=1 2>/dev/null
	cp "$TMP/$1.ktund" "$TMP/$1.ktund-keeper"
	export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0	# the fault comes before its library, and asks it for memory
	export LD_PRELOAD=$fault KTUND_FAULT="ktund:$TMP/$1.ktund ktund-keeper:$TMP/$1.ktund-keeper" MALLOC_PERTURB_=165
	ktund_start "$2" "$1" "$3" || fatal "ktund starts"
	unset LD_PRELOAD KTUND_FAULT MALLOC_PERTURB_
	ktund=$(ktund_pid "$1") keeper=$(keeper_pid "$1")
	shared=("ktund:$ktund:$TMP/$1.ktund" "ktund-keeper:$keeper:$TMP/$1.ktund-keeper")
}
drive() { ns "$LAC" "$drive" 192.0.2.1 1701 "$1" "$2" "$3" "${shared[@]}" "${client[@]}"; }
figure() { sed -n "s/.*\b$1=\([0-9]*\).*/\1/p" "$TMP/drive.log" | tail -n 1; }
fds_as_before() {
	busywait 5000 eval 'test "$(fds "$ktund")" -le '"$1"' -a "$(fds "$keeper")" -le '"$2" && return
	echo "ktund had $1, the keeper $2; now:"
	ls -l "/proc/$ktund/fd" "/proc/$keeper/fd"
	return 1
}
faults() {	# faults WHO STEP: in the instance that was started last, by the client
	local process k_fds kk_fds
	drive ktund 1 0 >"$TMP/drive.log" 2>&1 || { cat "$TMP/drive.log"; fatal "calls without faults"; }
	sleep 0.5
	k_fds=$(fds "$ktund") kk_fds=$(fds "$keeper")
	for process in ktund-keeper ktund; do
		drive $process "${FAULTS_FIRST:-$((RANDOM % $2 + 1))}" "$2" >"$TMP/drive.log" 2>&1
		sed 's/^[^#]/# &/' "$TMP/drive.log"
		check "$1, $process: nobody dies of $(figure failed) failures" test "$(figure dead)" = 0
		check "$1, $process: the failures came" test "$(figure failed)" -ge $((45 / $2))
		check "$1, $process: the client heard an answer each time" test "$(figure mute)" = 0
		check "$1, $process: nothing was left each time" test "$(figure left)" = 0
		check "$1, $process: the next call comes up" drive $process 1 0
		check "$1, $process: no descriptor is left, and the keeper's threads have theirs" \
			fds_as_before "$k_fds" "$kk_fds"
	done
}

step=${FAULTS:-2}
start lns "$LNS" "$lns"
client=()
faults lns "$step"
# Memory: what lives after some calls, and after as many more (three each time).
drive ktund 1 0 >"$TMP/drive.log" 2>&1
a1=$(alive lns.ktund) b1=$(alive lns.ktund-keeper)
for i in 1 2; do drive ktund 1 0; done >"$TMP/drive.log" 2>&1
a2=$(alive lns.ktund) b2=$(alive lns.ktund-keeper)
echo "# allocations alive: ktund $a1 -> $a2, keeper $b1 -> $b2"
check "memory does not grow with calls" test $((a2 - a1)) -le 10 -a $((b2 - b1)) -le 5
check "ktun still shows" ktun_in lns show stats

((step == 1)) || exit 0	# the rest takes as long again
start lac "$LAC" "$lac"
k="$KTUND_BUILD/ktun --runtime-dir $TMP/lac.run"
client=("timeout 12 $k up tunnel t; r=\$?
	for i in 1 2 3 4 5; do [ \$r != 0 ] || $k -j show sessions | grep -q '\"state\":\"up\"' && break; sleep 0.1; done
	$k down tunnel t >/dev/null 2>&1 || $k down tunnel t >/dev/null 2>&1; exit \$r")	# an order may be what fails
faults lac 1
