#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A reload is a difference: each word of the configuration added, changed and removed, what the plan says of it, what it does,
# and that two calls which it does not concern lose no packet meanwhile.
# LAC 192.0.2.2 (tunnels a, b, c) ---- 192.0.2.1 LNS;  others from 192.0.2.3
# shellcheck disable=SC2016
. "$(dirname "$0")/lib.sh"

steady=$KTUND_BUILD/selftests/net/steady hostile=$KTUND_BUILD/selftests/net/hostile

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
ip -n "$LAC" addr add 192.0.2.3/24 dev eth0
for where in "$LNS" "$LAC"; do	# answers may take another session's link: all of them end at the same two hosts
	ns "$where" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
done

lns=$(write_config lns <<-CONF
	listen "192.0.2.1" { port = 1701 }
	listen "192.0.2.1" { port = 1703 }
	pool "staff" { range = "10.10.0.10-10.10.0.99" }
	pool "guests" { range = "10.11.0.10-10.11.0.99" }
	user "one" { password = "eins" }
	user "two" { password = "zwei" }
	user "three" { password = "drei" }
	user "alice" { password = "wonderland" }
	profile "all" {
	    role = lns authentication = { "chap" } local-address = "10.10.0.1" pool = "staff" ipsec = none
	    hello-interval = 20s
	}
	peer "other" { address = "192.0.2.3/32" profile = "all" pool = "guests" }
	peer "lac" { address = "192.0.2.2/32" profile = "all" secret = "tunnel-secret" }
CONF
)
lac=$(write_config lac <<-CONF
	defaults { role = lac persist = yes redial-min = 500ms redial-max = 2s ipsec = none }
	tunnel "a" { remote = "192.0.2.1" local = "192.0.2.2" secret = "tunnel-secret" user = "one" password = "eins" interface = "a" }
	tunnel "b" { remote = "192.0.2.1" local = "192.0.2.2" secret = "tunnel-secret" user = "two" password = "zwei" interface = "b" }
	tunnel "c" { remote = "192.0.2.1" local = "192.0.2.3" user = "three" password = "drei" interface = "c" }
CONF
)
{ ktund_start "$LNS" lns "$lns" && ktund_start "$LAC" lac "$lac"; } || fatal "both daemons start"
up() { sessions_up lac "$1" && sessions_up lns "$1"; }
busywait 20000 up 3 || fatal "three sessions come up"
ids() { session_get "$1" session_id "\"user\":\"$2\""; }
lac_one=$(ids lac one) lac_two=$(ids lac two) lns_one=$(ids lns one)
same() { [[ $(ids lns one) == "$lns_one" && $(ids lac one) == "$lac_one" ]]; }
ip netns exec "$LAC" "$steady" 200 <<<"10.10.0.1 a" >"$TMP/steady.out" 2>&1 &
pinger=$!
defer kill -KILL $pinger

edit() { sed -i "$2" "$TMP/$1.conf"; }
# dry-run and reload say the same, line by line: plan NAME LINE...
plan() {
	local name=$1 dry real line
	shift
	dry=$(ktun_in "$name" reload --dry-run) && ktun_in "$name" -j show pools >"$TMP/pools" || return 1
	real=$(ktun_in "$name" reload) || return 1
	echo "$dry"
	[[ $dry == "a reload would bring:"$'\n'"$real" && $(wc -l <<<"$real") == $# ]] || { echo "reload: $real"; return 1; }
	for line; do
		grep -qxE -- "$line" <<<"$real" || { echo "not there: $line"; return 1; }
	done
}
says() { grep -qE -- "$2" "$TMP/$1.log"; }
client() { ns "$LAC" "$hostile" lac 192.0.2.1 "$@" seconds=8; }

# --- at the gateway

check "nothing edited: nothing would change" eval '[[ $(ktun_in lns reload --dry-run) == "nothing would change" ]]'
check "and nothing does" eval '[[ $(ktun_in lns reload) == "nothing changed" ]]'

edit lns 's/wonderland/looking-glass/; s/drei/trois/
	s/^user "two".*/&\nuser "bob" { password = "builder" address = "10.10.5.50" }/'
ktun_in lns reload --dry-run >/dev/null
check "users: a dry run changes nothing" client 1701 sport=3001 secret=tunnel-secret user=alice password=wonderland
check "users: added and changed" plan lns 'added +user bob' 'changed +user alice: password' 'changed +user three: password'
check "a new user calls" client 1701 sport=3002 secret=tunnel-secret user=bob password=builder
check_fail "the old password is not taken any more" client 1701 sport=3003 secret=tunnel-secret user=alice password=wonderland
check "the new one is" client 1701 sport=3004 secret=tunnel-secret user=alice password=looking-glass
check "who called with a password that has changed is still there" up 3
edit lns '/^user "bob"/d; s/trois/drei/'
check "users: removed" plan lns 'removed +user bob' 'changed +user three: password'
check_fail "he calls no more" client 1701 sport=3005 secret=tunnel-secret user=bob password=builder

edit lns 's/10.10.0.99"/10.10.0.199"/; s/^pool "guests".*/pool "spare" { range = "10.12.0.10-10.12.0.99" }/; s/pool = "guests"/pool = "spare"/'
check "pools: added, changed, removed" plan lns 'added +pool spare' 'changed +pool staff: range.*' 'removed +pool guests' \
	'changed +peer other: pool: "guests" -> "spare"'
check "a dry run had changed none of them" grep -q '"name":"guests"' "$TMP/pools"
check "the pool is larger" eval 'ktun_in lns -j show pools | grep -q "\"name\":\"staff\",\"size\":190,\"used\":2,"'
check "who has an address of a pool that was removed keeps it" eval '[[ $(session_get lns peer_ip "\"user\":\"three\"") == 10.11.0.* ]] && up 3'

edit lns 's/hello-interval = 20s/hello-interval = 30s/
	s,^peer "lac",peer "nobody" { address = "203.0.113.0/24" profile = "all" }\n&,'
check "a profile that changes is a change of its peers; a peer added" plan lns \
	'changed +peer other: hello-interval: 20s -> 30s' 'changed +peer lac: hello-interval: 20s -> 30s' 'added +peer nobody'
edit lns 's/1703/1702/'
check "listeners: added and removed" plan lns 'added +listener 192.0.2.1 port 1702' 'removed +listener 192.0.2.1 port 1703'
check "a call to the new port" client 1702 sport=3006 secret=tunnel-secret user=alice password=looking-glass
check_fail "none to the old one" client 1703 sport=3007 secret=tunnel-secret user=alice password=looking-glass
check "three calls were not touched by all this" up 3

edit lns '/^peer "other"/d; /^peer "nobody"/d'
check "peers: removed" plan lns 'removed +peer other' 'removed +peer nobody'
check "his calls end, the others do not" busywait 10000 eval 'up 2 && same'
check "and it is said why" says lac 'the peer was removed from the configuration'
edit lns 's/^peer "lac"/peer "other" { address = "192.0.2.3\/32" profile = "all" }\n&/'
kill -HUP "$(ktund_pid lns)"
check "SIGHUP reloads, too: he is back" busywait 20000 up 3
check "and the first call is the same" same

edit lns '/^user "three"/d; s/looking-glass/wonderland/'
echo 'peer "x" { adress = "192.0.2.9/32" }' >>"$TMP/lns.conf"
line=$(wc -l <"$TMP/lns.conf")
broken() { ! ktun_in lns reload $1 >"$TMP/broken.out" 2>&1 && grep "lns.conf:$line: .*adress" "$TMP/broken.out"; }
check "a broken file: says which line, in a dry run" broken --dry-run
check "and in a reload" broken
check "and nothing is changed: the user who is not in it" up 3
check "nor the password" client 1701 sport=3008 secret=tunnel-secret user=alice password=looking-glass
edit lns '$d'
check "the mended one: the user is removed" plan lns 'removed +user three' 'changed +user alice: password'
check "his call ends, the others do not" busywait 10000 eval 'up 2 && same'

# --- at the one that dials

edit lac '/^tunnel "c"/d; s/^tunnel "b".*/&\ntunnel "d" { remote = "192.0.2.1" local = "192.0.2.2" secret = "tunnel-secret" user = "alice" password = "wonderland" interface = "d" }/'
check "tunnels: added and removed" plan lac 'added +tunnel d' 'added +session d/.*' 'removed +tunnel c' 'removed +session c/.*'
check "the new one is dialled" busywait 15000 up 3
edit lac '/^tunnel "b"/s/interface = "b"/interface = "bb"/'
check "tunnels: changed" plan lac 'changed +session b/.*: interface: "b" -> "bb"'
again() { up 3 && [[ $(ids lac two) != "$lac_two" && $(session_get lac interface '"user":"two"') == bb ]]; }
check "it is dialled again" busywait 15000 again
check "the first one is not" same
sleep 1
kill -TERM $pinger
check "which lost no packet in all this" wait $pinger
sed 's/^/# /' "$TMP/steady.out"
