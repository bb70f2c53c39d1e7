#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad input at every door of an LNS that serves somebody: the UDP port, PPP before authentication, the control socket,
# the configuration, the command lines.  LAC 192.0.2.2 ---- 192.0.2.1 LNS 198.51.100.1 ---- 198.51.100.2 STRANGER
. "$(dirname "$0")/lib.sh"

hostile=$KTUND_BUILD/selftests/net/hostile

setup_ns LNS LAC STRANGER
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
veth_pair "$LNS" eth1 198.51.100.1/24 "$STRANGER" eth0 198.51.100.2/24
ip -n "$STRANGER" route add 192.0.2.0/24 via 198.51.100.1
for f in all eth0 eth1; do				# forged sources are not the LNS's to filter
	ns "$LNS" sysctl -qw "net.ipv4.conf.$f.rp_filter=0"
done

good_config() {
	cat <<-CONF
		listen "192.0.2.1" { port = 1701 }
		pool "staff" { range = "10.10.0.10-10.10.0.200" }
		user "alice" { password = "wonderland" }
		user "bob" { password = "builder" address = "10.10.0.5" }
		profile "remote-access" {
		    role = lns
		    authentication = { "chap" }
		    auth-timeout = 5s
		    local-address = "10.10.0.1"
		    pool = "staff"
		    ipsec = none
		}
		peer "anyone" {
		    address = "0.0.0.0/0"
		    profile = "remote-access"
		    limits { half-open = 64 setup-rate = 1000 setup-burst = 1000 }
		}
		peer "dir300" {
		    address = "198.51.100.2"
		    profile = "remote-access"
		    tunnel-id-0 = yes
		    limits { half-open = 64 setup-rate = 1000 setup-burst = 1000 }
		}
		max-tunnels = 40
	CONF
}
lns=$(good_config | write_config lns)
lac=$(write_config lac <<-CONF
	tunnel "branch" {
	    role = lac
	    remote = "192.0.2.1"
	    user = "bob"
	    password = "builder"
	    persist = no
	    ipsec = none
	}
CONF
)

up() { ktun_in lac -j show sessions | grep -q '"state": *"up"' && ktun_in lns -j show sessions | grep -q '"state": *"up"'; }
# What must be the same before and after.
state() {
	echo "descriptors: $(fds "$ktund") $(fds "$keeper")"
	ip -n "$LNS" -br link show
	ns "$LNS" ip l2tp show tunnel
	ns "$LNS" ip l2tp show session
}
same_state() { state | diff "$TMP/state" -; }
facts() {
	ktun_in lns -j show session "$sid" | grep -oE '"(session_id|tunnel_id|peer_session_id|interface|state|peer_ip)": *[^,}]*'
	ktun_in lns -j show tunnel "$tid" | grep -oE '"(tunnel_id|peer_tunnel_id|state)": *[^,}]*'
}
unchanged() {
	facts >"$TMP/facts.now"
	diff "$TMP/facts" "$TMP/facts.now" && ns "$LAC" ping -n -q -c 2 -i 0.2 -W 5 10.10.0.1
}
more_than() { echo "$1 > $2"; (($1 > $2)); }
says() {	# says WORDS STATUS COMMAND...: exit status and something on stderr
	local words=$1 want=$2 rc=0
	shift 2
	timeout 20 "$@" 2>&1 >/dev/null | tee "$TMP/said"
	rc=${PIPESTATUS[0]}
	echo "(status $rc)"
	[[ $rc == "$want" ]] && grep -qE -- "$words" "$TMP/said"
}

{ ktund_start "$LNS" lns "$lns" && ktund_start "$LAC" lac "$lac"; } || fatal "both daemons start"
busywait 15000 up || fatal "the session comes up"
ktund=$(ktund_pid lns) keeper=$(keeper_pid lns)
tid=$(ktun_in lns -j show tunnels | number tunnel_id)
sid=$(ktun_in lns -j show sessions | number session_id)
port=$(ktun_in lns -j show session "$sid" | number remote_port)
facts >"$TMP/facts"
state >"$TMP/state"
check "the session works" unchanged

# --- the UDP port

bad=$(counter rx_malformed)
check "malformed datagrams from a stranger" \
	ns "$STRANGER" "$hostile" malformed 198.51.100.2 1701 192.0.2.1 1701 "$tid" $((sid ^ 1)) 1 1000
check "the session is as it was" unchanged
check "malformed datagrams in the name of the live tunnel's peer" \
	ns "$STRANGER" "$hostile" malformed 192.0.2.2 "$port" 192.0.2.1 1701 "$tid" $((sid ^ 1)) 2 1000
check "the session is as it was" unchanged
check "garbage in the live session, too" \
	ns "$STRANGER" "$hostile" malformed 192.0.2.2 "$port" 192.0.2.1 1701 "$tid" "$sid" 3 200
# A Configure-Request may be among it: PPP negotiates anew (RFC 1661 4.3, Opened), and nothing passes meanwhile.
check "the session is as it was" busywait 5000 unchanged
check "they are counted" more_than "$(counter rx_malformed)" $((bad + 200))
check "data for unknown sessions is counted" more_than "$(counter rx_unknown_session)" 10
check "and hardly logged" more_than 60 "$(wc -l <"$TMP/lns.log")"

# --- PPP after ICCN, before anybody has proved anything

auth_ok=$(counter auth_ok)
links=$(ip -n "$LNS" -o link show type ppp | wc -l)
pids=()
evil() {	# evil NAME ARG...
	local name=$1
	shift
	ip netns exec "$LAC" "$hostile" lac 192.0.2.1 1701 seconds=20 "$@" >"$TMP/evil-$name" 2>&1 </dev/null &
	pids+=($!)
}
for kind in silent junk ncp pap chap many loop; do
	evil $kind evil=$kind
done
long=$(printf 'x%.0s' {1..255})
evil wrong-password password=looking-glass
evil empty-password password=
evil empty-user user=
evil other-case user=Alice
evil long-user "user=$long"
evil both-empty user= password=
evil prefix user=alic
seen=$(ip -n "$LNS" -o link show type ppp | wc -l)
for pid in "${pids[@]}"; do
	n=$(ip -n "$LNS" -o link show type ppp | wc -l)
	((n > seen)) && seen=$n
	wait "$pid"
done
for f in "$TMP"/evil-*; do
	what=${f##*/evil-}
	echo "# $what: $(tr '\n' ' ' <"$f")"
	check "$what: not let in" grep -q '^up=0 ' "$f"
	check "$what: the call is refused, by CDN" grep -qE ' cdn=[1-9]' "$f"
done
check "nobody of them is counted as authenticated" test "$(counter auth_ok)" = "$auth_ok"
check "none of them had an interface" test "$seen" = "$links"
check "the session is as it was" unchanged
check "the honest one is let in" ns "$LAC" "$hostile" lac 192.0.2.1 1701

# --- a client that is wrong, but known

check "one that puts Tunnel ID 0 into every control message is let in where that is configured" \
	ns "$STRANGER" "$hostile" lac 192.0.2.1 1701 id0 seconds=10
gone() { [[ $(ktun_in lns -j show tunnels | grep -c '"tunnel_id"') == 1 ]]; }
check "and its StopCCN is heard" busywait 3000 gone
check_fail "but not elsewhere" ns "$LAC" "$hostile" lac 192.0.2.1 1701 id0 seconds=4

# --- tunnels of nobody

few() { (($(counter tunnels) <= 2)); }
busywait 60000 few				# those that have ended wait for 31 s, and count
for i in 1 2 3; do
	ns "$STRANGER" "$hostile" tunnels 192.0.2.1 1701 13 leave >"$TMP/tunnels.$i" 2>&1 </dev/null
done
echo "# $(cat "$TMP"/tunnels.*) and $(counter strangers_evicted) made room"
check "one who fills max-tunnels with tunnels that no user comes by" more_than "$(counter tunnels)" 35
sleep 5						# the time that he has
check "keeps nobody out" ns "$LAC" "$hostile" lac 192.0.2.1 1701
check "some of his made room" more_than "$(counter strangers_evicted)" 0
check "the session is as it was" unchanged

# --- the control socket

control() {	# control KIND WORDS
	ns "$LNS" timeout 30 "$KTUND_BUILD/selftests/net/control-client" "$TMP/lns.run/control" "$1" | tee "$TMP/said"
	grep -qE -- "$2" "$TMP/said" && ktun_in lns show stats >/dev/null
}
check "control socket: no JSON" control garbage 'error|end'
check "control socket: no object" control number 'error|end'
check "control socket: half an object" control unclosed 'error|end'
check "control socket: no such method" control unknown 'MethodNotFound'
check "control socket: a parameter of another type" control wrongtype 'InvalidParameter'
check "control socket: 60,000 brackets" control deep 'error|end'
check "control socket: 64 KiB and one octet" control long 'error|end'
check "control socket: no NUL, then the end" control nonul 'end'
check "control socket: an octet at a time is fine" control slow '"stats"'
check "control socket: 100 connections" control many '"stats"|too many clients'
check "control socket: one that never reads" control unread 'unread'
check "the session is as it was" unchanged

# --- the configuration

broken() {	# broken LINE SED-COMMAND: good_config with a mistake that must be named with this line
	good_config | sed "$2" | write_config broken >/dev/null
	says "broken\.conf:$1: " 1 ip netns exec "$LNS" "$KTUND_BUILD/ktund" --config "$TMP/broken.conf" --runtime-dir "$TMP/broken.run"
}
check "refused: an unknown key" broken 8 's/auth-timeout/auth-patience/'
check "refused: a wrong value" broken 8 's/5s/soon/'
check "refused: no such pool" broken '[0-9]*' 's/pool = "staff"/pool = "stuff"/'
check "refused: an address that is none" broken 1 's/192.0.2.1"/192.0.2.256"/'
check "refused: a missing brace" broken '[0-9]*' '12d'
open_config() {
	good_config | write_config broken 644 >/dev/null
	says 'broken\.conf.*read' 1 ip netns exec "$LNS" "$KTUND_BUILD/ktund" --config "$TMP/broken.conf" --runtime-dir "$TMP/broken.run"
}
check "refused: secrets that all may read" open_config
check "refused: no such file" says 'nowhere.*No such file' 1 "$KTUND_BUILD/ktund" --config "$TMP/nowhere"

reload_broken() {	# reload_broken LINE SED-COMMAND
	good_config | sed "$2" | write_config lns >/dev/null
	says "lns\.conf:$1: " 1 ip netns exec "$LNS" "$KTUND_BUILD/ktun" --runtime-dir "$TMP/lns.run" reload
}
check "reload refused: an unknown key" reload_broken 8 's/auth-timeout/auth-patience/'
check "reload refused: a missing brace" reload_broken '[0-9]*' '12d'
check "reload refused: no user left and a wrong pool" reload_broken 2 's/^user.*//; s/10.10.0.200/10.9.0.1/'
check "nothing was changed: the session" unchanged
check "nothing was changed: the users" ns "$LAC" "$hostile" lac 192.0.2.1 1701
good_config | write_config lns >/dev/null
check "the mended file is taken" ktun_in lns reload
check "and the session is as it was" unchanged

# --- the command lines

ktun=("$KTUND_BUILD/ktun" --runtime-dir "$TMP/lns.run")
check "ktund: an unknown option" says "unrecognized option '--frobnicate'" 2 "$KTUND_BUILD/ktund" --frobnicate
check "ktund: a word too many" says 'what is' 2 "$KTUND_BUILD/ktund" now
check "ktund-keeper: no directory" says 'usage' 2 "$KTUND_BUILD/ktund-keeper"
check "ktun: no such command" says '.' 2 "${ktun[@]}" frobnicate
check "ktun: no number" says '.' 2 "${ktun[@]}" disconnect session one
check "ktun: no such session" says 'session' 1 "${ktun[@]}" disconnect session $((sid ^ 1))
check "ktun: no such tunnel" says 'nowhere' 1 "${ktun[@]}" up tunnel nowhere
check "ktun: nobody there" says '.' 1 "$KTUND_BUILD/ktun" --runtime-dir "$TMP/broken.run" show stats

busywait 30000 same_state
check "no descriptor, link, tunnel or session is left of all this" same_state
check "the session is as it was" unchanged
check "it is the same ktund" kill -0 "$ktund"
