#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The k-th system call or allocation fails, in the keeper and in ktund, for every k of one call that comes and goes: nobody
# dies, nothing leaks, and the client hears something.  FAULTS=all: every k; else some FAULTS (24) of each process, spread
# evenly, another set each time.  FAULTS_FIRST: the first of these.   LAC 192.0.2.2 ---- 192.0.2.1 LNS
# shellcheck disable=SC2016
. "$(dirname "$0")/lib.sh"

hostile=$KTUND_BUILD/selftests/net/hostile fault=$KTUND_BUILD/selftests/fault.so
[[ -e $fault ]] || skip "no selftests/fault.so"

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
chmod 755 "$TMP"
lns=$(write_config lns <<-CONF
	listen "192.0.2.1" { port = 1701 }
	pool "staff" { range = "10.10.0.10-10.10.0.250" }
	user "alice" { password = "wonderland" }
	profile "remote-access" { role = lns authentication = { "chap" } local-address = "10.10.0.254" pool = "staff" ipsec = none }
	defaults { retransmit-cap = 1s max-retransmits = 3 }
	peer "anyone" {
	    address = "0.0.0.0/0"
	    profile = "remote-access"
	    limits { half-open = 64 setup-rate = 1000 setup-burst = 1000 tunnels = 4000 }
	}
CONF
)

# The five numbers of selftests/fault/fault.c
dd if=/dev/zero of="$TMP/ktund" bs=20 count=1 2>/dev/null
cp "$TMP/ktund" "$TMP/ktund-keeper"
arm() {		# arm PROCESS K
	local b
	printf -v b '\\x%02x\\x%02x\\x%02x\\x%02x' $(($2 & 255)) $(($2 >> 8 & 255)) $(($2 >> 16 & 255)) $(($2 >> 24 & 255))
	# shellcheck disable=SC2059	# the octets
	printf "$b"'\0\0\0\0\0\0\0\0\0\0\0\0' | dd of="$TMP/$1" bs=16 count=1 conv=notrunc 2>/dev/null
}
shared() { od -An -w20 -i "$TMP/$1"; }
port=20000
call() { port=$((port + 1)); ns "$LAC" "$hostile" lac 192.0.2.1 1701 "sport=$port" seconds=12; }
answered() { [[ $1 == *up=1* || $1 == *cdn=[1-9]* || $1 == *stopccn=[1-9]* ]]; }
fds() { local list=("/proc/$1/fd/"*); echo ${#list[@]}; }
# One program for all: they are slow in an emulated guest.
left() { ns "$LNS" sh -c 'ip -o link show type ppp; ip l2tp show tunnel' | grep -cE 'ppp|Tunnel'; }
idle() { [[ $(left) == 0 && $(fds "$ktund") -le $k_fds ]]; }

export LD_PRELOAD=$fault KTUND_FAULT="ktund:$TMP/ktund ktund-keeper:$TMP/ktund-keeper" MALLOC_PERTURB_=165
ktund_start "$LNS" lns "$lns" || fatal "ktund starts"
unset LD_PRELOAD KTUND_FAULT MALLOC_PERTURB_
ktund=$(ktund_pid lns) keeper=$(keeper_pid lns)
for i in 1 2 3; do
	[[ $(call) == *up=1* ]] || fatal "a call without faults"
done
k_fds=100000
busywait 10000 idle
sleep 0.5
k_fds=$(fds "$ktund") kk_fds=$(fds "$keeper")

faults() {	# faults PROCESS: arms each k in turn
	local process=$1 calls failed kind k n=0 hit=0 mute=0 stuck=0 step first rest last
	arm "$process" 1000000000
	call >/dev/null
	busywait 10000 idle
	read -r _ calls _ <<<"$(shared "$process")"
	arm "$process" 0
	step=$((calls / ${FAULTS:-24} + 1)) first=${FAULTS_FIRST:-$((RANDOM % step + 1))}
	[[ ${FAULTS:-} != all ]] || step=1 first=1
	echo "# $process: $calls calls that may fail, k = $first, $((first + step)) ... $calls"
	for ((k = first; k <= calls; k += step)); do
		n=$((n + 1))
		arm "$process" "$k"
		rest=$(call)
		read -r _ _ failed kind _ <<<"$(shared "$process")"
		arm "$process" 0
		hit=$((hit + failed))
		if ! kill -0 "$ktund" 2>/dev/null || ! kill -0 "$keeper" 2>/dev/null; then
			echo "# $process: k = $k of kind $kind: dead"
			tap 1 "$process: nobody dies"
			return 1
		fi
		answered "$rest" || { mute=$((mute + 1)); echo "# $process: k = $k of kind $kind: no answer: $(tr '\n' ' ' <<<"$rest")"; }
		busywait 8000 idle || { stuck=$((stuck + 1)); echo "# $process: k = $k of kind $kind: left: $(left), descriptors $(fds "$ktund")/$k_fds"; }
	done
	tap 0 "$process: nobody dies of $hit failures"
	check "$process: the failures came" test "$hit" -ge $((n * 3 / 4))
	check "$process: the client heard an answer each time" test "$mute" = 0
	check "$process: nothing was left each time" test "$stuck" = 0
	last=$(call)
	check "$process: the next call comes up" answered "$last"
	check "$process: it does" test "${last/up=1/}" != "$last"
	check "$process: no descriptor is left, and the keeper's threads have theirs" \
		busywait 5000 eval 'test "$(fds "$ktund")" -le "$k_fds" -a "$(fds "$keeper")" -le $((kk_fds + 16))'
}

for process in ktund-keeper ktund; do
	faults "$process"
done
# Memory: what lives after some calls, and after as many more.
for i in 1 2 3 4 5; do call; done >/dev/null
busywait 10000 idle
read -r _ _ _ _ a1 <<<"$(shared ktund)"
read -r _ _ _ _ b1 <<<"$(shared ktund-keeper)"
for i in 1 2 3 4 5; do call; done >/dev/null
busywait 10000 idle
read -r _ _ _ _ a2 <<<"$(shared ktund)"
read -r _ _ _ _ b2 <<<"$(shared ktund-keeper)"
echo "# allocations alive: ktund $a1 -> $a2, keeper $b1 -> $b2"
check "memory does not grow with calls" test $((a2 - a1)) -le 10 -a $((b2 - b1)) -le 5
check "ktun still shows" ktun_in lns show stats
