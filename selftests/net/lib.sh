#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Library of the net tests: `. "$(dirname "$0")/lib.sh"`. Run tests through selftests/net/run, on a kernel with
# L2TP (scripts/vm). Output is TAP; everything made is undone at exit, in reverse order, whatever the exit.
#
#   setup_ns A B ...              namespaces; afterwards $A, $B hold their unique names, lo is up
#   ns NS CMD...                  run in a namespace
#   veth_pair NS1 IF1 ADDR1[,ADDR] NS2 IF2 ADDR2[,ADDR]   connected, up; ADDR with prefix length, v4 or v6
#   defer CMD...                  run at exit, last one first
#   check "what" CMD...           one TAP line; output is shown if it fails
#   check_fail "what" CMD...      passes if CMD fails
#   skip "why"                    the whole test cannot be run here
#   busywait MS CMD...            until CMD succeeds, at most MS milliseconds (emulated: three times as many)
#   never MS CMD...               CMD does not succeed in that time
#   ping_ok NS ADDR [SIZE...]     three pings answered for each payload size
#   spawn NS NAME CMD...          in the background, output in $TMP/NAME.log; its pid in $SPAWNED
#   stop_pid PID [SECONDS]        TERM, after SECONDS (5) KILL, reap
#   capture NS IF FILE [FILTER]   tcpdump until capture_stop or exit
#   write_config NAME [MODE]      stdin to $TMP/NAME.conf (0600); prints the path
#   ktund_start NS NAME CONFIG    ready when it returns; ktund_stop NAME ends keeper and calls too;
#   fds PID                       how many descriptors it has, netlink sockets not counted: each of the keeper's threads
#                                 opens its own when it first needs them, and keeps them
#   sanitized                     is what is tested built with AddressSanitizer?
#   number NAME                   the first figure with this name in JSON on stdin; counter NAME: one of lns's
#   ktun_in NAME ARG...           ktun of that one; ktund_pid NAME, keeper_pid NAME
#   xl2tpd_lns NS NAME LOCALIP RANGE AUTH SECRET USER PASS [USER PASS]...    xl2tpd + pppd as LNS
#   xl2tpd_lac NS NAME LNSADDR USER PASS AUTH [SECRET]                       xl2tpd + pppd as LAC, dials at once
#       AUTH: pap chap mschapv2 any none; SECRET '' is none; PPPD_OPTS, XL2TPD_OPTS, XL2TPD_GLOBAL: more lines
#       for pppd, for the section and for [global] (`listen-addr = ADDRESS`: several in one namespace)
#   xl2tpd_again NAME             starts it anew with the configuration it had
#   xl2tpd_say NAME WORDS         "c LAC" connects, "d LAC" or "d TUNNEL-ID" disconnects
#   xl2tpd_stop NAME..., xl2tpd_kill NAME                                    in order; like a power failure
#   sessions_up NAME N [WORDS]    ktund has N sessions up whose JSON holds WORDS
#   session_get NAME KEY [WORDS]  value of KEY of the first such session
#   ppp_ready NS IF [MS]          PPP interface up with an address (30000)
#   leak_snapshot [PID...]; leak_check "what"   netdevs, tunnels, sessions of all namespaces, fds of PIDs

LIB_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
KTUND_BUILD=${KTUND_BUILD:-$LIB_TOP/build}
TEST=$(basename "$0" .sh)
TMP=$(mktemp -d "/tmp/$TEST.XXXXXX")
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
TAP_COUNT=0 TAP_FAILED=0 SPAWNED='' CAPTURE_PID=''
LIB_DEFERRED=() LIB_NS=() LIB_LEAK_PIDS=()
declare -A LIB_KTUND_PID LIB_KTUND_NS LIB_XL2TPD_PID LIB_XL2TPD_NS

# --- TAP and leaving --------------------------------------------------------------------------------

defer() {
	local words
	printf -v words '%q ' "$@"
	LIB_DEFERRED+=("$words")
}

lib_exit() {
	local rc=$? i log
	trap '' INT TERM
	set +eu
	for ((i = ${#LIB_DEFERRED[@]} - 1; i >= 0; i--)); do
		eval "${LIB_DEFERRED[i]}" </dev/null >/dev/null 2>&1
	done
	if ((TAP_FAILED || (rc != 0 && rc != 4))); then
		for log in "$TMP"/*.log; do
			[[ -s $log ]] || continue
			echo "# --- ${log##*/} (last 60 lines)"
			tail -n 60 "$log" | sed 's/^/# /'
		done
		[[ -z ${KTUND_OUT:-} ]] || cp -r "$TMP" "$KTUND_OUT/$TEST" 2>/dev/null
	fi
	rm -rf "$TMP"
	if ((rc == 4)); then
		exit 4
	fi
	((TAP_COUNT)) || { echo "not ok - no check was made"; rc=1; }
	lib_plan
	((rc == 0 && TAP_FAILED)) && rc=1
	exit "$rc"
}
trap lib_exit EXIT
trap 'echo "# ended by a signal (time limit?)"; exit 143' INT TERM HUP

lib_plan() { echo "1..$TAP_COUNT"; }

tap() {
	TAP_COUNT=$((TAP_COUNT + 1))
	if (($1)); then
		TAP_FAILED=$((TAP_FAILED + 1))
		echo "not ok $TAP_COUNT - $2"
	else
		echo "ok $TAP_COUNT - $2"
	fi
}

# The command runs in this shell (it may set variables); its output is shown only if the check fails.
check() {
	local what=$1 rc=0
	shift
	"$@" >"$TMP/check.out" 2>&1 || rc=$?
	tap $((rc != 0)) "$what"
	if ((rc)); then
		echo "# status $rc of: $*"
		sed 's/^/# /' "$TMP/check.out"
	fi
	return 0
}

check_fail() {
	local what=$1 rc=0
	shift
	"$@" >"$TMP/check.out" 2>&1 || rc=$?
	# A command that is not there, or was killed, has not "failed" as the test means it.
	if ((rc == 0 || rc >= 124)); then
		tap 1 "$what"
		echo "# status $rc of: $*"
		sed 's/^/# /' "$TMP/check.out"
	else
		tap 0 "$what"
	fi
	return 0
}

skip() {
	echo "1..0 # SKIP $*"
	exit 4
}

# Cannot go on: a failed check and out.
fatal() {
	tap 1 "$*"
	exit 1
}

lib_wait() {
	local now end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		now=${EPOCHREALTIME/[.,]/}
		((now < end)) || return 1
		sleep 0.1
	done
}

busywait() {
	local ms=$1
	shift
	# Where instructions are the clock it leaps ahead while a file comes from the host; waiting costs nothing there.
	# By the wall clock an emulated guest is slow, and stands still while others have the processor.
	case ${KTUND_VM:-} in
	icount) ms=$((ms * 20)) ;;
	tcg) ms=$((ms * 3)) ;;
	esac
	lib_wait "$ms" "$@"
}

never() { ! lib_wait "$@"; }

# --- namespaces and links ---------------------------------------------------------------------------

ns() {
	local n=$1
	shift
	ip netns exec "$n" "$@"
}

lib_del_ns() {
	local pid
	for pid in $(ip netns pids "$1" 2>/dev/null); do
		kill -KILL "$pid" 2>/dev/null
	done
	ip netns del "$1"
}

setup_ns() {
	local name full
	for name in "$@"; do
		full=$(mktemp -u "${name,,}-XXXXXX")
		ip netns add "$full" || fatal "cannot make namespace $full"
		defer lib_del_ns "$full"
		LIB_NS+=("$full")
		ip -n "$full" link set lo up
		printf -v "$name" '%s' "$full"
	done
}

lib_addrs() {
	local a
	for a in ${3//,/ }; do
		if [[ $a == *:* ]]; then
			ip -n "$1" addr add "$a" dev "$2" nodad
		else
			ip -n "$1" addr add "$a" dev "$2"
		fi || return 1
	done
	ip -n "$1" link set "$2" up
}

veth_pair() {
	ip link add name "$2" netns "$1" type veth peer name "$5" netns "$4" &&
		lib_addrs "$1" "$2" "$3" && lib_addrs "$4" "$5" "$6" ||
		fatal "veth_pair $*"
}

# In one program per size and one namespace change for all: they are slow in an emulated guest.
ping_ok() {
	local n=$1 addr=$2 out rest want
	shift 2
	want=${*:-56}
	# shellcheck disable=SC2016
	out=$(ns "$n" sh -c 'addr=$1; shift; for size; do ping -n -q -c 3 -i 0.1 -W 5 -s "$size" "$addr"; done' \
		sh "$addr" ${want} 2>&1)
	echo "$out"
	rest=${out//' 3 received'/}
	set -- $want
	(((${#out} - ${#rest}) == 11 * $#))
}

# --- processes --------------------------------------------------------------------------------------

spawn() {
	local n=$1 name=$2
	shift 2
	ip netns exec "$n" "$@" </dev/null >>"$TMP/$name.log" 2>&1 &
	SPAWNED=$!
	defer stop_pid $SPAWNED
}

stop_pid() {
	local pid=$1 i
	kill -TERM "$pid" 2>/dev/null || return 0
	for ((i = ${2:-5} * 10; i > 0; i--)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	return 0
}

capture() {
	local n=$1 dev=$2 file=$3
	shift 3
	: >"$TMP/tcpdump.log"
	spawn "$n" tcpdump tcpdump -Z root --immediate-mode -U -n -i "$dev" -w "$file" "$@"
	CAPTURE_PID=$SPAWNED
	busywait 10000 grep -q 'listening on' "$TMP/tcpdump.log" || fatal "tcpdump does not start"
}

capture_stop() {
	sleep 0.3
	stop_pid "$CAPTURE_PID"
}

# --- ktund ------------------------------------------------------------------------------------------

write_config() {
	(umask 077; cat >"$TMP/$1.conf")
	chmod "${2:-600}" "$TMP/$1.conf"
	echo "$TMP/$1.conf"
}

ktun_in() {
	local name=$1
	shift
	ns "${LIB_KTUND_NS[$name]}" "$KTUND_BUILD/ktun" --runtime-dir "$TMP/$name.run" "$@"
}

ktund_pid() { echo "${LIB_KTUND_PID[$1]}"; }

# The keeper that serves the instance's runtime directory, by its command line.
keeper_pid() {
	local pid
	for pid in $(ip netns pids "${LIB_KTUND_NS[$1]}"); do
		tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "ktund-keeper.*$TMP/$1.run" || continue
		echo "$pid"
		return 0
	done
	return 1
}

fds() {
	find "/proc/$1/fd" -type l -printf '%l\n' 2>/dev/null |
		awk 'NR == FNR { netlink["socket:[" $NF "]"]; next } !($0 in netlink) { n++ } END { print n + 0 }' "/proc/$1/net/netlink" -
}

# AddressSanitizer keeps what was freed and computes much: its build says nothing about memory and time.
sanitized() { grep -q __asan_init "$KTUND_BUILD/ktund"; }

# No program: they are slow in an emulated guest.
number() {
	local all
	read -r -d '' all
	[[ $all =~ \"$1\":\ *([0-9.]+) ]] && echo "${BASH_REMATCH[1]}"
}

counter() { ktun_in lns -j show stats | number "$1"; }

lib_ktund_ready() { ktun_in "$1" show stats || ! kill -0 "${LIB_KTUND_PID[$1]}"; }

ktund_start() {
	local n=$1 name=$2 config=$3
	shift 3
	mkdir -p "$TMP/$name.run"
	LIB_KTUND_NS[$name]=$n
	spawn "$n" "$name" "$KTUND_BUILD/ktund" --config "$config" --runtime-dir "$TMP/$name.run" "$@"
	LIB_KTUND_PID[$name]=$SPAWNED
	busywait 20000 lib_ktund_ready "$name" && kill -0 "$SPAWNED" 2>/dev/null && return 0
	echo "# ktund $name does not come up:"
	sed 's/^/# /' "$TMP/$name.log"
	return 1
}

ktund_stop() {
	local keeper
	keeper=$(keeper_pid "$1")
	timeout 20 ip netns exec "${LIB_KTUND_NS[$1]}" \
		"$KTUND_BUILD/ktun" --runtime-dir "$TMP/$1.run" shutdown >/dev/null 2>&1
	stop_pid "${LIB_KTUND_PID[$1]}" 10
	[[ -z $keeper ]] || stop_pid "$keeper" 20
}

# Sessions of the instance that are up and hold the words, one JSON object per line (no program but ktun: they are
# slow in an emulated guest).  Objects in the list have no objects inside.
lib_sessions() {
	local all one
	all=$(ktun_in "$1" -j show sessions) || return 1
	all=${all#[}
	while [[ $all == *'}'* ]]; do
		one=${all%%\}*}
		all=${all#*\}}
		[[ $one == *'"state":"up"'* && $one == *"${2:-}"* ]] && echo "$one"
	done
	return 0
}

sessions_up() {
	local list rows=()
	list=$(lib_sessions "$1" "${3:-}") || return 1
	[[ -z $list ]] || mapfile -t rows <<<"$list"
	((${#rows[@]} == $2))
}

session_get() {
	local list value="\"$2\":(\"([^\"]*)\"|[^,]*)"
	list=$(lib_sessions "$1" "${3:-}")
	[[ ${list%%$'\n'*} =~ $value ]] || return 1
	echo "${BASH_REMATCH[2]:-${BASH_REMATCH[1]}}"
}

# --- xl2tpd and pppd: directory, /etc/ppp and /run of their own --------------------------------------

lib_ppp_options() {
	local auth=$1 m
	case $auth in
	require-*) echo auth; echo "$auth" ;;
	refuse-*)
		echo noauth
		for m in pap chap mschap mschap-v2 eap; do
			[[ $auth == refuse-all-but-$m || ($auth == refuse-none && $m != eap) ]] || echo "refuse-$m"
		done ;;
	noauth) echo noauth ;;
	esac
	printf '%s\n' "logfile $2" debug 'mtu 1400' 'mru 1400' noccp nodefaultroute +ipv6 \
		ipcp-accept-local ipcp-accept-remote 'lcp-echo-interval 0' noipdefault
	printf '%s\n' "${PPPD_OPTS:-}"
}

# spawn xl2tpd with what stands in $TMP/NAME.d
lib_xl2tpd() {
	local n=$1 name=$2 d=$TMP/$2.d file
	[[ -x $(command -v xl2tpd) && -x $(command -v pppd) ]] || fatal "no xl2tpd or pppd: scripts/setup net"
	[[ ! -p $d/control ]] || rm -f "$d/control"
	for file in ppp/options ppp/chap-secrets ppp/pap-secrets secrets; do
		: >>"$d/$file"
	done
	# shellcheck disable=SC2016
	spawn "$n" "$name" sh -c 'mount --bind "$1/ppp" /etc/ppp && mount -t tmpfs tmpfs /run &&
		mkdir /run/lock /run/xl2tpd && exec xl2tpd -D -c "$1/conf" -s "$1/secrets" -p "$1/pid" -C "$1/control"
		' sh "$d"
	LIB_XL2TPD_PID[$name]=$SPAWNED
	LIB_XL2TPD_NS[$name]=$n
	busywait 10000 test -p "$d/control" || fatal "xl2tpd $name does not start"
}

lib_xl2tpd_global() {
	printf '[global]\nauth file = %s/secrets\ndebug tunnel = yes\ndebug state = yes\ndebug avp = yes\n' "$1"
	printf '%s\n' "${XL2TPD_GLOBAL:-}"
}

xl2tpd_lns() {
	local n=$1 name=$2 local=$3 range=$4 auth=$5 secret=$6 d=$TMP/$2.d
	shift 6
	mkdir -p "$d/ppp"
	[[ -z $secret ]] || echo "* * $secret" >"$d/secrets"
	while (($# >= 2)); do
		printf '"%s" * "%s" *\n' "$1" "$2" >>"$d/ppp/chap-secrets"
		printf '"%s" * "%s" *\n' "$1" "$2" >>"$d/ppp/pap-secrets"
		shift 2
	done
	case $auth in
	pap | chap) auth=require-$auth ;;
	mschapv2) auth=require-mschap-v2 ;;
	none) auth=noauth ;;
	*) fatal "xl2tpd_lns: auth $auth" ;;
	esac
	lib_ppp_options "$auth" "$TMP/$name-pppd.log" >"$d/options"
	{
		lib_xl2tpd_global "$d"
		printf '[lns default]\nip range = %s\nlocal ip = %s\nname = %s\npppoptfile = %s/options\nlength bit = yes\n' \
			"$range" "$local" "$name" "$d"
		[[ -z $secret ]] || echo 'challenge = yes'
		printf '%s\n' "${XL2TPD_OPTS:-}"
	} >"$d/conf"
	lib_xl2tpd "$n" "$name"
}

xl2tpd_lac() {
	local n=$1 name=$2 lns=$3 user=$4 pass=$5 auth=$6 secret=${7:-} d=$TMP/$2.d
	mkdir -p "$d/ppp"
	[[ -z $secret ]] || echo "* * $secret" >"$d/secrets"
	case $auth in
	pap | chap) auth=refuse-all-but-$auth ;;
	mschapv2) auth=refuse-all-but-mschap-v2 ;;
	any) auth=refuse-none ;;
	none) auth=noauth ;;
	*) fatal "xl2tpd_lac: auth $auth" ;;
	esac
	{
		lib_ppp_options "$auth" "$TMP/$name-pppd.log"
		printf 'user "%s"\npassword "%s"\n' "$user" "$pass"
	} >"$d/options"
	{
		lib_xl2tpd_global "$d"
		printf '[lac %s]\nlns = %s\npppoptfile = %s/options\nautodial = yes\nlength bit = yes\n' \
			"$name" "$lns" "$d"
		[[ -z $secret ]] || echo 'challenge = yes'
		printf '%s\n' "${XL2TPD_OPTS:-}"
	} >"$d/conf"
	lib_xl2tpd "$n" "$name"
}

xl2tpd_again() { lib_xl2tpd "${LIB_XL2TPD_NS[$1]}" "$1"; }

xl2tpd_say() { echo "$2" >"$TMP/$1.d/control"; }

xl2tpd_stop() {
	local name
	for name in "$@"; do
		kill -TERM "${LIB_XL2TPD_PID[$name]}" 2>/dev/null
	done
	for name in "$@"; do
		stop_pid "${LIB_XL2TPD_PID[$name]}" 10
	done
}

# The processes of pppd that this xl2tpd started.
xl2tpd_pppd() {
	local pids
	read -r pids <"/proc/${LIB_XL2TPD_PID[$1]}/task/${LIB_XL2TPD_PID[$1]}/children"
	echo "$pids"
}

xl2tpd_kill() {
	# shellcheck disable=SC2046
	kill -KILL "${LIB_XL2TPD_PID[$1]}" $(xl2tpd_pppd "$1")
	wait "${LIB_XL2TPD_PID[$1]}" 2>/dev/null
	return 0
}

lib_ppp_has_addr() { ip -n "$1" -4 -o addr show dev "$2" up | grep -q ' peer '; }
ppp_ready() { busywait "${3:-30000}" lib_ppp_has_addr "$1" "$2"; }

# --- leaks ------------------------------------------------------------------------------------------

lib_leak_state() {
	local n pid
	for n in "${LIB_NS[@]}"; do
		echo "== $n"
		ip -n "$n" -o link show | sed 's/^[0-9]*: \([^:]*\):.*/link \1/'
		ns "$n" ip l2tp show tunnel
		ns "$n" ip l2tp show session
		ns "$n" cat /proc/net/pppol2tp | sed 's/^/pppol2tp /'
	done
	for pid in "${LIB_LEAK_PIDS[@]}"; do
		echo "== descriptors of $pid"
		find "/proc/$pid/fd" -type l -printf '%l\n' 2>/dev/null | sed 's/\[[0-9]*\]//' | sort | uniq -c
	done
}

leak_snapshot() {
	LIB_LEAK_PIDS=("$@")
	lib_leak_state >"$TMP/leak.before"
}

lib_leak_same() { lib_leak_state >"$TMP/leak.now"; cmp -s "$TMP/leak.before" "$TMP/leak.now"; }

# The kernel deletes tunnels and sessions from a work queue: give it its time.
leak_check() {
	local rc=0
	busywait "${LEAK_MS:-15000}" lib_leak_same || rc=1
	tap $rc "$1"
	((rc == 0)) || diff "$TMP/leak.before" "$TMP/leak.now" | sed 's/^/# /'
	return 0
}
