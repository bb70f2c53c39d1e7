#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Everything at once: sessions come and go while both ends' ktund are killed, their keepers upgraded, their configurations
# edited, packets lost, and links, kernel sessions and tunnels deleted behind their backs, in an order that the seed decides.
# After each round: what dials is back, ktun, the keeper and the kernel name the same sessions; then nothing is left of any.
# SOAK_TIME: seconds of all that (20).  SOAK_SEED: the order of an earlier run.
# clients of another ktund 192.0.2.2 ---- 192.0.2.1 LNS 198.51.100.1 ---- 198.51.100.2 the load generator
# shellcheck disable=SC2016
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../bench/lib.sh"

drive=$KTUND_BUILD/selftests/net/keeper-drive
total=${SOAK_TIME:-20} round_s=90
seed=${SOAK_SEED:-$((SRANDOM % 32768))}
RANDOM=$seed
echo "# SOAK_SEED=$seed for $total s"

setup_ns LNS LAC XL
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
veth_pair "$LNS" eth1 198.51.100.1/24 "$XL" eth0 198.51.100.2/24
for where in "$LNS" "$LAC"; do	# answers may take another session's link: all of them end at the same two hosts
	ns "$where" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
done
chmod 755 "$TMP"
for word in up down; do
	printf '#!/bin/sh\necho "$PEERNAME" >>%s\n' "$TMP/$word.txt" >"$TMP/$word"
	chmod 755 "$TMP/$word"
	: >"$TMP/$word.txt"
	chmod 666 "$TMP/$word.txt"
done

# --- configurations: each word of `lns_has` and `lac_has` may be there or not

write_lns() {
	local has=" $* " hello=3s i
	[[ $has == *' hello '* ]] && hello=4s
	write_config lns <<-CONF
		listen "192.0.2.1" { port = 1701 }
		listen "198.51.100.1" { port = 1701 }
		$([[ $has != *' listen '* ]] || echo 'listen "192.0.2.1" { port = 1702 }')
		pool "staff" { range = { "10.10.0.10-10.10.3.254"$([[ $has != *' range '* ]] || echo ', "10.10.8.1-10.10.8.9"') } }
		$([[ $has != *' pool '* ]] || echo 'pool "spare" { range = "10.11.0.1-10.11.0.254" }')
		user "load" { password = "load" }
		$(for i in 1 2 3 4 5; do echo "user \"u$i\" { password = \"p$i\" }"; done)
		$([[ $has == *' away '* ]] || echo 'user "u6" { password = "p6" }')
		$([[ $has != *' more '* ]] || echo "user \"more\" { password = \"$RANDOM\" }")
		defaults {
		    role = lns authentication = { "chap" } local-address = "10.10.0.1" pool = "staff" ipsec = none
		    hello-interval = $hello echo-interval = 3s retransmit-interval = 300ms retransmit-cap = 1s max-retransmits = 6
		    restart-timer = 500ms
		}
		peer "load" {
		    address = "198.51.100.2/32"
		    limits { half-open = 64 setup-rate = 1000 setup-burst = 1000 }
		}
		$([[ $has != *' peer '* ]] || echo 'peer "nobody" { address = "203.0.113.0/24" }')
		peer "anyone" {
		    address = "0.0.0.0/0" secret = "tunnel-secret" ip-up = "$TMP/up" ip-down = "$TMP/down"
		    limits { half-open = 64 setup-rate = 1000 setup-burst = 1000 }
		}
	CONF
}
session() { echo "session \"s$1\" { user = \"u$1\" password = \"p$1\" interface = \"s$1\" }"; }
write_lac() {
	local has=" $* " hello=3s
	[[ $has == *' hello '* ]] && hello=4s
	write_config lac <<-CONF
		defaults {
		    role = lac secret = "tunnel-secret" persist = yes redial-min = 500ms redial-max = 2s ipsec = none
		    echo-interval = 3s retransmit-interval = 300ms retransmit-cap = 1s max-retransmits = 6 restart-timer = 500ms
		}
		tunnel "a" { remote = "192.0.2.1" $(session 1) $(session 2) $([[ $has == *' fewer '* ]] || session 3) }
		$([[ $has == *' away '* ]] || echo "tunnel \"b\" { remote = \"192.0.2.1\" hello-interval = $hello $(session 4) $(session 5) $(session 6) }")
		$([[ $has != *' more '* ]] || echo 'tunnel "c" { remote = "192.0.2.1" persist = no user = "u1" password = "p1" }')
	CONF
}
words_lns=(hello listen range pool away more peer)
words_lac=(hello fewer away more)
edit() {	# edit NAME: each word by chance
	local -n words=words_$1
	local has=() word
	for word in "${words[@]}"; do
		((RANDOM % 3)) || has+=("$word")
	done
	"write_$1" "${has[@]}" >/dev/null
}

# --- what happens

declare -A where=([lns]=$LNS [lac]=$LAC) happened
order() {	# order WHAT COMMAND...: it must succeed
	local what=$1
	shift
	"$@" >"$TMP/order.out" 2>&1 && return
	{ echo "$what:"; tail -n 3 "$TMP/order.out"; } >>"$TMP/bad.txt"
}
: >"$TMP/bad.txt"
nap() { sleep "0.$((RANDOM % 6))$((RANDOM % 10))"; }
die() {		# die NAME SIGNAL
	local pid
	pid=$(ktund_pid "$1")
	kill -"$2" "$pid" 2>/dev/null || echo "$1 died by itself" >>"$TMP/bad.txt"
	wait "$pid" 2>/dev/null
}
again() { order "$1 starts again" ktund_start "${where[$1]}" "$1" "$TMP/$1.conf"; }
# Links of an end: no program, they are slow in an emulated guest.
links() {
	local name
	while read -r name _; do
		[[ $name != ppp*: && $name != s[0-9]: ]] || echo "${name%:}"
	done <"/proc/$(ktund_pid "$1")/net/dev"
}
# IDS of one of its sessions, "tunnel session", by chance
one_of() {
	local list rows=() row
	list=$(lib_sessions "$1")
	[[ -n $list ]] || return 1
	mapfile -t rows <<<"$list"
	row=${rows[$2 % ${#rows[@]}]}
	[[ $row =~ \"session_id\":([0-9]+).*\"tunnel_id\":([0-9]+),\"peer_tunnel ]] && echo "${BASH_REMATCH[2]} ${BASH_REMATCH[1]}"
}

do_kill() {
	die "$1" KILL
	if (($2 % 3 == 0)); then	# another one in the middle of its start
		spawn "${where[$1]}" "$1" "$KTUND_BUILD/ktund" --config "$TMP/$1.conf" --runtime-dir "$TMP/$1.run"
		nap
		kill -KILL "$SPAWNED" 2>/dev/null
		wait "$SPAWNED" 2>/dev/null
	fi
	again "$1"
}
do_stop() { die "$1" TERM; again "$1"; }
do_upgrade() { order "upgrade of $1's keeper" ns "${where[$1]}" "$KTUND_BUILD/ktund" --upgrade-keeper --runtime-dir "$TMP/$1.run"; }
do_both() { die "$1" KILL; do_upgrade "$1"; again "$1"; }
do_drop() {
	if [[ -e $TMP/drops ]]; then
		do_dry
	else
		: >"$TMP/drops"
		ip netns exec "$LNS" tc qdisc replace dev eth0 root netem loss $((5 + $2 % 20))% delay 3ms 3ms duplicate 2%
		ip netns exec "$LNS" tc qdisc replace dev eth1 root netem loss $((5 + $2 % 20))% delay 3ms 3ms duplicate 2%
	fi
}
do_dry() {
	[[ -e $TMP/drops ]] || return 0
	rm "$TMP/drops"
	ns "$LNS" tc qdisc del dev eth0 root
	ns "$LNS" tc qdisc del dev eth1 root
}
do_reload() {
	edit "$1"
	if (($2 % 4)); then
		order "reload of $1" ktun_in "$1" reload
	else
		kill -HUP "$(ktund_pid "$1")"
	fi
}
do_break() {	# what is wrong is refused, and says where
	cp "$TMP/$1.conf" "$TMP/$1.good"
	echo 'peer "x" { adress = "192.0.2.9/32" }' >>"$TMP/$1.conf"
	! ktun_in "$1" reload >"$TMP/order.out" 2>&1 && grep -q "$1\.conf:$(wc -l <"$TMP/$1.conf"): .*adress" "$TMP/order.out" ||
		{ echo "a broken file:"; cat "$TMP/order.out"; } >>"$TMP/bad.txt"
	cat "$TMP/$1.good" >"$TMP/$1.conf"
}
do_link() {
	local list
	mapfile -t list < <(links "$1")
	((${#list[@]} == 0)) || ip -n "${where[$1]}" link del "${list[$2 % ${#list[@]}]}" 2>/dev/null
}
do_kernel() {
	local ids
	read -r -a ids < <(one_of "$1" "$2") || return 0
	if (($2 % 4)); then
		ns "${where[$1]}" ip l2tp del session tunnel_id "${ids[0]}" session_id "${ids[1]}" 2>/dev/null
	else
		ns "${where[$1]}" ip l2tp del tunnel tunnel_id "${ids[0]}" 2>/dev/null
	fi
}
do_disconnect() {
	local ids
	read -r -a ids < <(one_of "$1" "$2") || return 0
	ktun_in "$1" disconnect session "${ids[1]}" >/dev/null 2>&1	# it may have gone meanwhile
}
do_dial() { ktun_in lac down tunnel a >/dev/null 2>&1; ((RANDOM % 2)) || nap; ktun_in lac --timeout 1 up tunnel a >/dev/null 2>&1; }
do_cut() { ip -n "$LNS" link set eth0 down; nap; ip -n "$LNS" link set eth0 up; }
do_crash() {	# the one that may end calls
	local keeper
	keeper=$(keeper_pid "$1") || return 0
	: >"$TMP/crashed"
	kill -KILL "$keeper"
	die "$1" KILL
	busywait 10000 eval '! [[ -e /proc/$keeper ]]'
	again "$1"
}
acts=(kill kill kill stop upgrade upgrade both drop drop reload reload reload break link link kernel kernel
	disconnect dial cut crash)

# Others come and go meanwhile, over a path that loses packets, too; some of them without a word.
churn() {
	local down
	trap '' HUP
	RANDOM=$((seed + 1))
	while [[ ! -e $TMP/enough ]]; do
		down=(cdn stopccn)
		timeout -k 5 -s "$( ((RANDOM % 4)) && echo TERM || echo KILL)" $((2 + RANDOM % 10)) ip netns exec "$XL" \
			"$BENCH/load" --lns 198.51.100.1 --source-port $((2000 + RANDOM)) --sessions $((5 + RANDOM % 20)) --tunnels $((1 + RANDOM % 4)) \
			--rate $((10 + RANDOM % 90)) --teardown "${down[RANDOM % 2]}" --fraction 0 --timeout 20 --loss $((RANDOM % 10))
	done >>"$TMP/churn.txt" 2>/dev/null
}

# --- what must be true afterwards

count() { ktun_in "$1" -j show stats | number "$2"; }
pair() { sed -nE "$1" | sort; }
by_ktun() { lib_sessions "$1" | pair 's/.*"session_id":([0-9]+),.*"tunnel_id":([0-9]+),"peer_tunnel_id.*/\2 \1/p'; }
by_kernel() { ns "${where[$1]}" ip l2tp show session | pair 's/.*Session ([0-9]+) in tunnel ([0-9]+).*/\2 \1/p'; }
by_link() { ip -n "${where[$1]}" link show type ppp | pair 's,.*alias ktund [0-9a-f]+ ([0-9]+)/([0-9]+).*,\1 \2,p'; }
by_keeper() { ns "${where[$1]}" "$drive" "$TMP/$1.run/keeper.sock" hello , list | pair 's/.*tunnel=([0-9]+) session=([1-9][0-9]*) .*/\1 \2/p'; }
agree() {	# agree NAME SESSIONS: that many, by all who count
	local what
	by_ktun "$1" >"$TMP/ktun.ids"
	wc -l <"$TMP/ktun.ids"
	(($(wc -l <"$TMP/ktun.ids") == $2)) || return 1
	for what in kernel link; do
		"by_$what" "$1" >"$TMP/$what.ids"
		diff "$TMP/ktun.ids" "$TMP/$what.ids" || return 1
	done
	(($(count "$1" sessions) == $2))
}
keeper_agrees() {	# it talks to one at a time
	die "$1" TERM
	by_keeper "$1" >"$TMP/keeper.ids"
	again "$1"
	diff "$TMP/ktun.ids" "$TMP/keeper.ids"
}
six() { sessions_up lac 6 && sessions_up lns 6; }
pool_used() { [[ $(ktun_in lns -j show pools) == *"\"name\":\"staff\","*"\"used\":$1,"* ]]; }
answer() { for i in 1 2 3 4 5 6; do echo "10.10.0.1 s$i"; done | ns "$LAC" timeout --preserve-status -s TERM 3 "$KTUND_BUILD/selftests/net/steady" 500; }
nothing() {	# tunnels that only wait for another StopCCN of the peer (RFC 2661 5.7) are in no kernel
	[[ -z $(links lns) && $(count lns sessions) == 0 && $(count lns half_open) == 0 ]] && pool_used 0 &&
		! ns "$LNS" ip l2tp show tunnel | grep Tunnel
}
keeper_fds() { find "/proc/$(keeper_pid lns)/fd" -type l -printf '%l\n' | grep -v ^socket: | sed 's/\[[0-9]*\]//' | sort | uniq -c; }
held() { diff <(cat "$TMP/fds.txt") <(keeper_fds) && (($(fds "$(ktund_pid lns)") <= n_fds)); }
hooks_even() { [[ -e $TMP/crashed || $(sort "$TMP/up.txt" | uniq -c) == $(sort "$TMP/down.txt" | uniq -c) ]]; }

lac_up() { order "the LAC starts" ktund_start "$LAC" lac "$(write_lac)"; }
# $kib_new: KiB of the LNS's two programs when both are new, with what one passed on to the other.
fresh() {
	do_both lns
	kib_new=$(mem_kib "$(ktund_pid lns)" "$(keeper_pid lns)")
}
calm() {	# calm ROUND
	: >"$TMP/enough"
	wait "$churner"
	rm "$TMP/enough"
	do_dry
	write_lns >/dev/null
	write_lac >/dev/null
	order "the first configuration again, lns" ktun_in lns reload
	order "the first configuration again, lac" ktun_in lac reload
	ktun_in lac --timeout 1 up tunnel a >/dev/null 2>&1
	check "round $1: what dials is back, and nobody else is there" busywait 60000 six
	check "round $1: ktun and the kernel agree at the LNS" busywait 20000 agree lns 6
	check "round $1: the keeper agrees" keeper_agrees lns
	check "round $1: ktun and the kernel agree at the LAC" busywait 20000 agree lac 6
	check "round $1: the keeper agrees" keeper_agrees lac
	check "round $1: all six pass packets" answer
	check "round $1: as many addresses are leased" pool_used 6
	order "the LAC stops" ktund_stop lac
	check "round $1: nothing is left" busywait 20000 nothing
	check "round $1: no descriptor is left" busywait 20000 held
	check "round $1: ip-down ran as often as ip-up" busywait 10000 hooks_even
	rm -f "$TMP/crashed"
	: >"$TMP/up.txt"
	: >"$TMP/down.txt"
	mapfile -t -O ${#kib[@]} kib < <(mem_kib "$(ktund_pid lns)" "$(keeper_pid lns)")
}

ktund_start "$LNS" lns "$(write_lns)" || fatal "the LNS starts"
lac_up
busywait 20000 six || fatal "all six come up"
ns "$XL" "$BENCH/load" --lns 198.51.100.1 --sessions 60 --tunnels 4 --teardown stopccn >"$TMP/warm.txt" 2>&1 || fatal "sixty come up"
ktund_stop lac
busywait 20000 nothing || fatal "they go"
keeper_fds >"$TMP/fds.txt"
n_fds=$(fds "$(ktund_pid lns)") kib=()
fresh
first=$kib_new

began=$SECONDS round=0
while ((SECONDS - began < total)); do
	round=$((round + 1)) until=$((SECONDS + round_s))
	lac_up
	churn &
	churner=$!
	defer kill -KILL $churner
	while ((SECONDS < until && SECONDS - began < total)); do
		act=${acts[RANDOM % ${#acts[@]}]} end=lns chance=$RANDOM
		((RANDOM % 3)) || end=lac
		echo "$SECONDS $act $end $chance" >>"$TMP/acts.log"
		happened[$act]=$((${happened[$act]:-0} + 1))
		"do_$act" $end $chance
		nap
	done
	calm $round
done
for act in "${!happened[@]}"; do echo "# ${happened[$act]} $act"; done
echo "# sessions of others that hung up: $(($(sed -nE 's/.*"down", "sessions": ([0-9]+).*/\1/p' "$TMP/churn.txt" | paste -sd+)+0)); memory when new: $first KiB, after each round: ${kib[*]} KiB"
check "every order was carried out, and nobody died by himself" eval 'cat "$TMP/bad.txt"; [[ ! -s $TMP/bad.txt ]]'
wrong='AddressSanitizer|runtime error|contradict|two checkpoints|cannot be read|is another.s|no checkpoint|out of memory|audit: '
check "no log speaks of a wreck" eval '! grep -hE "$wrong" "$TMP/lns.log" "$TMP/lac.log"'
# What 64 threads have for themselves once each has worked is bounded; nothing more may come of what is passed on.
if ! sanitized; then
	check "memory: the last round has at most 12 MiB more than two programs that are new" test "${kib[-1]}" -le $((first + 12288))
	fresh
	check "memory does not grow: new ones have at most 1 MiB more than new ones had before" test "$kib_new" -le $((first + 1024))
fi
ktund_stop lns
check "the LNS stops" eval '! keeper_pid lns'
