#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# More for tests with IPsec, beside lib.sh: `. "$(dirname "$0")/lib-ipsec.sh"`.
#
#   charon_start NS NAME          strongSwan's daemon of that namespace, private socket in $TMP/NAME.charon/vici
#   charon_kill NAME              as a crash does; charon_again NAME starts it anew
#   charon_swanctl NAME ARG...    swanctl of that one; charon_load NAME <swanctl.conf
#   CHARON_OPTS                   more lines for charon { }
#   pings_start NAME NS TARGET... pings every 200 ms in the background, nothing sent twice; several NAMEs side by side
#   pings_stop                    ends all of them and shows what came of them; lost NAME: how many had no answer
#   nat NS RULE...                it forwards, and translates what the rules say (nftables, hook postrouting)
#   again_by_ikev1 NAME PSK LNS   the client NAME makes IKE_SA and SA anew, beside those it has and with other algorithms; its old
#                                 SA goes when again_done NAME is called
#   too_early NS                  how much ESP came so far whose SA is not there, or not complete

declare -A LIB_CHARON_PID LIB_CHARON_NS

nat() {
	local n=$1
	shift
	printf '%s\n' 'table ip nat {' 'chain post {' 'type nat hook postrouting priority 100' "$@" '}' '}' |
		ns "$n" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; nft -f -' || fatal "the NAT is set up"
}

charon_again() {
	local name=$1 d=$TMP/$1.charon
	rm -f "$d/vici"
	spawn "${LIB_CHARON_NS[$name]}" "$name-charon" env STRONGSWAN_CONF="$d/strongswan.conf" /usr/sbin/charon-systemd
	LIB_CHARON_PID[$name]=$SPAWNED
	busywait 30000 test -S "$d/vici" || fatal "charon $name does not start"
}

charon_start() {
	local n=$1 name=$2 d=$TMP/$2.charon
	[[ -x /usr/sbin/charon-systemd ]] || fatal "no charon-systemd: scripts/setup net"
	mkdir -p "$d"
	LIB_CHARON_NS[$name]=$n
	cat >"$d/strongswan.conf" <<-CONF
		charon-systemd {
		    load = random nonce openssl aes gcm sha1 sha2 md5 hmac kdf gmp pem x509 pubkey pkcs1 pkcs8 constraints \
revocation kernel-netlink socket-default vici
		    install_routes = no
		    install_virtual_ip = no
		    start-scripts { }
		    retransmit_tries = 3
		    retransmit_timeout = 2
		    plugins { vici { socket = unix://$d/vici
		    } }
		    filelog { log { path = $TMP/$name-ike.log
		        default = 1
		        flush_line = yes
		    } }
		    ${CHARON_OPTS:-}
		}
	CONF
	charon_again "$name"
}

charon_kill() {
	kill -KILL "${LIB_CHARON_PID[$1]}"
	wait "${LIB_CHARON_PID[$1]}" 2>/dev/null
	return 0
}

charon_swanctl() {
	local name=$1
	shift
	ns "${LIB_CHARON_NS[$name]}" env STRONGSWAN_CONF="$TMP/$name.charon/strongswan.conf" \
		swanctl "$@" --uri "unix://$TMP/$name.charon/vici"
}

charon_load() {
	(umask 077; cat >"$TMP/$1.charon/swanctl.conf")
	charon_swanctl "$1" --load-all --file "$TMP/$1.charon/swanctl.conf"
}

PINGERS=()
pings_start() {
	local name=$1 n=$2
	shift 2
	printf '%s\n' "$@" | ip netns exec "$n" "$KTUND_BUILD/selftests/net/steady" 200 >"$TMP/steady-$name" 2>&1 &
	PINGERS+=($!)
	defer kill -KILL $!
}

pings_stop() {
	local pid
	for pid in "${PINGERS[@]}"; do
		kill -TERM "$pid"
	done
	wait "${PINGERS[@]}"
	PINGERS=()
	grep . "$TMP"/steady-*
}

# Words of its own keep charon from taking the new SA for the old one, rekeyed, with the old one's mark.
again_by_ikev1() {
	local name=$1
	charon_load "$name" <<-CONF
		connections {
		    ktund-tunnel-head {
		        version = 1
		        remote_addrs = $3
		        proposals = aes256-sha256-modp2048
		        unique = never
		        local {
		            auth = psk
		        }
		        remote {
		            auth = psk
		        }
		        children {
		            l2tp-1701 {
		                mode = transport
		                esp_proposals = aes128-sha256
		                local_ts = dynamic[udp/1701]
		                remote_ts = dynamic[udp/1701]
		            }
		        }
		    }
		}
		secrets {
		    ike-again {
		        secret = $2
		    }
		}
	CONF
	LIB_OLD_CHILD=$(charon_swanctl "$name" --list-sas | sed -nE 's/^ *l2tp-1701: #([0-9]+),.*INSTALLED.*/\1/p' | tail -n 1)
	charon_swanctl "$name" --initiate --ike ktund-tunnel-head --child l2tp-1701 --timeout 60
}
# The other side may have been quicker: it deletes the old IKE_SA a while after it has taken the new one for it.
again_done() {
	local sas
	charon_swanctl "$1" --terminate --child-id "$LIB_OLD_CHILD" --force >/dev/null 2>&1
	sas=$(charon_swanctl "$1" --list-sas 2>/dev/null)
	[[ $sas == *INSTALLED* && $sas != *"l2tp-1701: #$LIB_OLD_CHILD, "* ]]	# IKE_SAs have numbers of their own
}

lost() { grep -o 'lost=[0-9]*' "$TMP/steady-$1" | cut -d= -f2; }

too_early() { ns "$1" awk '/^Xfrm(InNoStates|AcquireError)/ { n += $2 } END { print n + 0 }' /proc/net/xfrm_stat; }
