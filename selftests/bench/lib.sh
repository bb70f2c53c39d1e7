#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What selftests/bench/run and selftests/net/60-load.sh share; source it after selftests/net/lib.sh.
#
#   load_net                      namespaces $LNS and $LAC, 192.0.2.1 ---- 192.0.2.2, queues large enough for bursts
#   load_config                   prints the path of a gateway's configuration with its limits opened
#   load NAME ARG...              the generator against 192.0.2.1, its JSON in $TMP/NAME.json; status as the generator's
#   load_start NAME ARG...        in the background; load_wait NAME PHASE [SECONDS]; load_stop NAME
#   json NAME PHASE KEY...        figures from $TMP/NAME.json on one line
#   cpu_ms PID                    user and system milliseconds of all its threads so far
#   mem_kib PID...                proportional set size of all of them

BENCH=$KTUND_BUILD/selftests/bench
declare -A LOAD_PID

load_net() {
	setup_ns LNS LAC
	veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
	sysctl -qw net.core.rmem_max=16777216 net.core.wmem_max=16777216 net.core.netdev_max_backlog=10000 || true
}

load_config() {
	write_config lns <<-CONF
		listen "192.0.2.1" { port = 1701 }
		pool "load" { range = "10.64.0.1-10.64.255.254" }
		user "load" { password = "load" }
		profile "load" {
		    role = lns
		    authentication = { "${1:-chap}" }
		    local-address = "10.63.0.1"
		    pool = "load"
		    ipsec = none
		}
		peer "anyone" {
		    address = "0.0.0.0/0"
		    profile = "load"
		    limits { half-open = 1000 setup-rate = 10000 setup-burst = 10000 tunnels = 20000 sessions = 20000 }
		}
	CONF
}

load() {
	local name=$1
	shift
	ns "$LAC" "$BENCH/load" --lns 192.0.2.1 --control "$TMP/lns.run/control" "$@" >"$TMP/$name.json" 2>"$TMP/$name.log"
}

load_start() {
	local name=$1
	shift
	: >"$TMP/$name.json"
	ip netns exec "$LAC" "$BENCH/load" --lns 192.0.2.1 --control "$TMP/lns.run/control" "$@" \
		>"$TMP/$name.json" 2>"$TMP/$name.log" </dev/null &
	LOAD_PID[$name]=$!
	defer kill -KILL "$!"
}

# Without a process of its own: where there is one processor, a grep ten times a second would cost a tenth of what is measured.
load_wait() {
	local left=$((${3:-300} * 5)) lines
	[[ ${KTUND_VM:-} != icount ]] || left=$((left * 20))	# as busywait
	[[ -n ${LOAD_NEVER:-} ]] || { mkfifo "$TMP/never" && exec {LOAD_NEVER}<>"$TMP/never"; }
	while ((left-- > 0)); do
		mapfile -t lines <"$TMP/$1.json"
		[[ ${lines[*]} != *"\"phase\": \"$2\""* ]] || return 0
		kill -0 "${LOAD_PID[$1]}" 2>/dev/null || return 1
		read -rt 0.2 -u "$LOAD_NEVER" || true
	done
	return 1
}

load_stop() {
	kill -TERM "${LOAD_PID[$1]}" 2>/dev/null
	wait "${LOAD_PID[$1]}"
}

json() {
	local name=$1 phase=$2 key line out=''
	shift 2
	line=$(grep "\"phase\": \"$phase\"" "$TMP/$name.json") || return 1
	for key in "$@"; do
		[[ $line =~ \"$key\":\ ([0-9.]+) ]] || return 1
		out+="${BASH_REMATCH[1]} "
	done
	echo "${out% }"
}

# utime and stime of proc_pid_stat(5), 10 ms each; the command's name may hold blanks, so count from its ")".
cpu_ms() {
	local stat
	stat=$(<"/proc/$1/stat") || return 1
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	echo "$((${12} * 10)) $((${13} * 10))"
}

mem_kib() {
	local pid
	for pid in "$@"; do
		sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup"
	done | awk '{ n += $1 } END { print n + 0 }'
}
