#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For selftests/bench/run: tunnels that ktund dials, a session in each, with IPsec and without. The same four callers in both
# cases, each a ktund of its own with a quarter of the tunnels, an address for each; so what dials costs as much as what answers.
. "$(dirname "$0")/../net/lib-ipsec.sh"
CALLERS=4
# One that an emulated machine computes in no time: what is measured is ktund, and what charon is to it, not elliptic curves.
PROPOSAL=${BENCH_PROPOSAL:-aes128-sha256-curve25519}

ipsec_net() {
	local j i
	setup_ns GATE
	for ((j = 1; j <= CALLERS; j++)); do
		setup_ns CALL$j
		local -n caller=CALL$j
		veth_pair "$GATE" eth$j 198.18.$j.1/24 "$caller" eth0 198.18.$j.2/24
		for ((i = 0; i < (PER + 1); i++)); do
			echo "addr add 198.18.$j.$((10 + i))/24 dev eth0"
		done | ip -n "$caller" -batch -
		charon_start "$caller" call$j
	done
	charon_start "$GATE" gate
}

# dialled KEYS: sets MS, from the order to dial until all are up, UP, how many came, and CPU, the gateway's charon's milliseconds
dialled() {
	local keys=$1 j i start cpu
	write_config gate >/dev/null <<-CONF
		$(for ((j = 1; j <= CALLERS; j++)); do echo "listen \"198.18.$j.1\" { }"; done)
		pool "load" { range = "10.64.0.1-10.64.255.254" }
		user "load" { password = "load" }
		defaults { limits { half-open = 1000 setup-rate = 10000 setup-burst = 10000 tunnels = 20000 } }
		peer "anyone" { address = "0.0.0.0/0" local-address = "10.63.0.1" pool = "load" authentication = { "chap" } $keys }
	CONF
	ktund_start "$GATE" gate "$TMP/gate.conf" --charon "$TMP/gate.charon/vici" || fatal "ktund starts"
	for ((j = 1; j <= CALLERS; j++)); do
		local -n caller=CALL$j
		echo 'defaults { }' | write_config call$j >/dev/null
		ktund_start "$caller" call$j "$TMP/call$j.conf" --charon "$TMP/call$j.charon/vici" || fatal "ktund starts"
		for ((i = 0; i < PER; i++)); do
			echo "tunnel \"t$i\" { remote = \"198.18.$j.1\" local = \"198.18.$j.$((10 + i))\" local-port = 1701 user = \"load\" \
password = \"load\" persist = yes redial-min = 2s $keys }"
		done | write_config call$j >/dev/null
	done
	cpu=$(cpu_ms "${LIB_CHARON_PID[gate]}")
	start=${EPOCHREALTIME/[.,]/}
	for ((j = 1; j <= CALLERS; j++)); do
		ktun_in call$j reload >/dev/null
	done
	busywait "${BENCH_IPSEC_MS:-30000}" all_dialled
	MS=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
	UP=$(ktun_in gate -j show stats | number sessions_opened)
	j=$(cpu_ms "${LIB_CHARON_PID[gate]}")
	CPU=$((${j% *} + ${j#* } - ${cpu% *} - ${cpu#* }))
	for ((j = 1; j <= CALLERS; j++)); do
		ktund_stop call$j
	done
	ktund_stop gate
}
all_dialled() { (($(ktun_in gate -j show stats | number sessions_opened) >= CALLERS * PER)); }

# measure_ipsec N
measure_ipsec() {
	local plain rate
	PER=$(($1 / CALLERS))
	echo "-- $((PER * CALLERS)) tunnels with a session each, dialled by $CALLERS other ktund in the same guest"
	ipsec_net
	# Once for nothing: where instructions are the clock it leaps ahead while programs come from the host.
	dialled 'ipsec = none'
	dialled 'ipsec = none'
	check "without IPsec all come up" test "$UP" -ge $((PER * CALLERS))
	plain=$(calc %.2f "$UP * 1000 / $MS")
	row "without IPsec" "$plain" 1/s "$UP came up"
	dialled "psk = \"bench\" dpd = 0s proposals = \"$PROPOSAL\" esp-proposals = \"aes128-sha256\""
	check "with IPsec all come up" test "$UP" -ge $((PER * CALLERS))
	rate=$(calc %.2f "$UP * 1000 / $MS")
	row "with IPsec (IKEv2, psk, $PROPOSAL)" "$rate" 1/s "$(of "$rate" "$plain" "without")"
	row "the gateway's charon: CPU per set-up" "$(calc %.1f "$CPU / $UP")" ms ''
}
