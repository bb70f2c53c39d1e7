#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ktun doctor: content where all is well, and each kind of trouble that can be made here is found, with the right state, remedy
# and exit status.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-ipsec.sh"

setup_ns LNS OTHER
veth_pair "$LNS" eth0 192.0.2.1/24 "$OTHER" eth0 192.0.2.2/24
ns "$LNS" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; for d in all default eth0; do
	echo 0 >/proc/sys/net/ipv4/conf/$d/accept_redirects; echo 0 >/proc/sys/net/ipv4/conf/$d/rp_filter; done'
# From a directory of their own: later they are replaced.
mkdir "$TMP/bin"
cp "$KTUND_BUILD/ktun" "$KTUND_BUILD/ktund" "$KTUND_BUILD/ktund-keeper" "$TMP/bin"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$TMP/lns.key" -out "$TMP/lns.pem" -subj /CN=lns \
	-days 10 >"$TMP/openssl.out" 2>&1 || fatal "a certificate is made"
CONFIG=$(write_config lns <<-CONF
	listen "192.0.2.1" { }
	user "alice" { password = "wonderland" address = "10.10.0.11" }
	peer "anyone" { address = "0.0.0.0/0" local-address = "10.10.0.1" ipsec = required
	    certificate = "$TMP/lns.pem" private-key = "$TMP/lns.key" ca = "$TMP/lns.pem" local-id = "CN=lns" }
CONF
)
VICI=$TMP/lns.charon/vici
# doctor NS STATUS WORDS... [-- OPTIONS]: its exit status is that, and what it says has each of the words.
doctor() {
	local n=$1 status=$2 words=() w rc=0
	shift 2
	while (($#)) && [[ $1 != -- ]]; do words+=("$1"); shift; done
	shift
	DOCTOR=$(ns "$n" ${UNDER:-} "$TMP/bin/ktun" --runtime-dir "$TMP/lns.run" doctor "$@" 2>&1) || rc=$?
	echo "$DOCTOR"
	for w in "${words[@]}"; do
		[[ $DOCTOR =~ $w ]] || { echo "it does not say: $w"; return 1; }
	done
	((rc == status)) || { echo "status $rc"; return 1; }
}
no_bad() { [[ $'\n'$DOCTOR != *$'\n'bad* ]] || { echo "$DOCTOR"; false; }; }

# --- nothing runs -------------------------------------------------------------------------------------
check "nothing runs: said so, with what to do; the rest is looked at all the same" doctor "$LNS" 1 \
	'bad +ktund +no control socket' 'remedy: systemctl start ktund' 'bad +keeper' 'ok +config .*1 with IPsec' \
	'bad +charon .*No such file' 'remedy: apt install charon-systemd' 'bad +ports +no charon has UDP port' 'ok +entropy' \
	-- config "$CONFIG" charon "$VICI"
write_config bad >/dev/null <<<'listen "192.0.2.1" { prot = 1 }'
check "a mistake in the configuration: file and line" doctor "$LNS" 1 "bad +config .*bad.conf:1: .*prot" -- config "$TMP/bad.conf"
check "no configuration" doctor "$LNS" 1 'bad +config .*No such file' 'remedy: write one' -- config "$TMP/none.conf"
spawn "$LNS" squatter perl -MSocket -e '$0 = "squatter"; for (1701, 4500) { socket(my $s, 2, 2, 0); bind($s, sockaddr_in($_,
	INADDR_ANY)) or die; push @s, $s } sleep 600'
SQUATTER=$SPAWNED
busywait 5000 ns "$LNS" grep -q ":1194 " /proc/net/udp
check "others have the ports: which, and who" doctor "$LNS" 1 "bad +ports +UDP port 1701 has [a-z]+ \(pid $SQUATTER\), not ktund" \
	"bad +ports +UDP port 4500 has [a-z]+ \(pid $SQUATTER\), not charon" 'remedy: systemctl disable' -- config "$CONFIG"
stop_pid "$SQUATTER"

# --- all is well --------------------------------------------------------------------------------------
charon_start "$LNS" lns
KTUND_BUILD=$TMP/bin ktund_start "$LNS" lns "$CONFIG" --charon "$VICI" || fatal "the LNS starts"
loaded() { doctor "$LNS" 0 'ok +charon +1 connections'; }
check "all runs: status 0, nothing bad" busywait 20000 loaded
check "found by itself: configuration and charon's socket of the one that runs" doctor "$LNS" 0 "ok +config +$CONFIG: ok" \
	"ok +charon .*answers at $VICI" 'ok +charon +it has the plugins' 'warn +clock +certificate lns is valid until .*which is soon' 'ok +ktund +version' 'ok +keeper' 'ok +policies +[1-9][0-9]* of ours' \
	'ok +ports' 'ok +sysctl' 'kernel +Linux' 'modules +L2TPv2 and PPP: (loaded|there)' '[0-9]+ ok, [0-9]+ to think about, 0 bad'
check "nothing bad" no_bad
json() { ns "$LNS" "$TMP/bin/ktun" --runtime-dir "$TMP/lns.run" -j doctor | jq -e "$1"; }
check "-j: an array of what, state, text and remedy" json \
	'length > 10 and all(.[]; has("what") and has("text") and has("remedy") and (.state | test("^(ok|warn|bad)$")))'
check "a remedy for each that is not ok, and for no other" json 'all(.[]; (.state == "ok") == (.remedy == null))'
check "a word that does not fit: status 2" doctor "$LNS" 2 'does not fit; usage: ktun doctor' -- please
UNDER='setpriv --reuid 65534 --clear-groups'
check "not as root: says that it sees less" doctor "$LNS" 1 'warn +doctor .*uid 65534' 'bad +ktund .*Permission denied' 'remedy: run ktun doctor as root'
UNDER=
check "from another namespace: says so" doctor "$OTHER" 1 'warn +ktund .*another network namespace'

# --- one thing after the other ------------------------------------------------------------------------
kill -STOP "${LIB_CHARON_PID[lns]}"
check "charon stands still" doctor "$LNS" 1 'bad +charon +it does not answer .*within 2 s' 'remedy: systemctl restart strongswan'
kill -CONT "${LIB_CHARON_PID[lns]}"
ns "$LNS" sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter
	echo 1 >/proc/sys/net/ipv4/conf/eth0/disable_policy; echo 1 >/proc/sys/net/ipv4/conf/all/accept_redirects'
check "sysctls" doctor "$LNS" 1 'warn +sysctl +net.ipv4.ip_forward = 0' 'warn +sysctl .*rp_filter = 1' 'warn +sysctl .*accept_redirects = 1' \
	'bad +sysctl +net.ipv4.conf.disable_policy = 1 \(eth0\)' "remedy: echo 'net.ipv4.ip_forward = 1'"
ns "$LNS" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/conf/eth0/disable_policy'
ip -n "$LNS" xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 1701 dir in priority 100 action allow
check "a policy of somebody's that lets L2TP in without IPsec" doctor "$LNS" 1 'bad +policies +1 policy of others lets L2TP pass'
ip -n "$LNS" xfrm policy delete src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 1701 dir in
# What /dev, /sys/module and /lib/modules say is hidden.
# shellcheck disable=SC2016
hidden() { ns "$LNS" unshare -m sh -c 'for d in /dev /sys/module /lib/modules; do mount -t tmpfs none $d; done; exec "$@"' sh \
	"$TMP/bin/ktun" --runtime-dir "$TMP/lns.run" doctor >"$TMP/hidden.out" 2>&1; (($? == 1)); }
check "no modules, no /dev/ppp: status 1" hidden
check "which, and what kernel has them" grep -Eq '^bad +modules +L2TPv2 and PPP: l2tp_core l2tp_netlink l2tp_ppp pppox ppp_generic not' "$TMP/hidden.out"
check "/dev/ppp, too" grep -Eq '^bad +l2tp +/dev/ppp: No such file' "$TMP/hidden.out"
if [[ -n ${KTUND_VM:-} ]]; then		# the clock of a machine of our own
	date -s '+60 days' >"$TMP/date.out"
	check "a certificate that is over" doctor "$LNS" 1 'bad +clock +certificate lns was valid until' 'remedy: a new certificate'
	date -s '-3000 days' >"$TMP/date.out"
	check "a clock that is years behind" doctor "$LNS" 1 'bad +clock .*was made [0-9]+ days after today' \
		'bad +clock +certificate lns is valid from .*which is not yet' 'remedy: set (it|the clock): timedatectl set-ntp true'
	date -s '+2940 days' >"$TMP/date.out"
fi
for p in ktund ktund-keeper; do
	cp "$TMP/bin/$p" "$TMP/bin/$p.new" && mv "$TMP/bin/$p.new" "$TMP/bin/$p"
done
check "programs that were replaced under those that run" doctor "$LNS" 0 'warn +ktund .*replaced since' 'warn +keeper .*replaced since' \
	'remedy: ktund --upgrade-keeper'
kill -KILL "$(ktund_pid lns)"
wait "$(ktund_pid lns)" 2>/dev/null
check "ktund was killed: the keeper still holds its tunnels" doctor "$LNS" 1 'bad +ktund +nobody answers' 'ok +keeper +pid'
charon_kill lns
check "charon was killed" doctor "$LNS" 1 "bad +charon +$VICI: Connection refused" 'remedy: apt install charon-systemd' -- config "$CONFIG"
CHARON_OPTS='load = random nonce openssl hmac kdf x509 pubkey pkcs1 pkcs8 kernel-netlink socket-default vici'
charon_start "$LNS" lns
check "charon without plugins that are needed, and wanted" doctor "$LNS" 1 'bad +charon +its plugin pem, which reads keys' \
	'remedy: apt install libstrongswan-standard-plugins, and pem' 'warn +charon .*revoked certificate' -- config "$CONFIG"
