#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel has what Kbuild-notes/kernel.config lists, and carries a PPP session between two xl2tpd + pppd.
. "$(dirname "$0")/lib.sh"

list=$LIB_TOP/Kbuild-notes/kernel.config

config=$TMP/config
if [[ -r /proc/config.gz ]]; then
	zcat /proc/config.gz >"$config"
elif [[ -r /boot/config-$(uname -r) ]]; then
	cat "/boot/config-$(uname -r)" >"$config"
fi

options_there() {
	awk -F= '!/^CONFIG_/ { next }
		NR == FNR { want[$1]; next }
		/=[ym]$/ { delete want[$1] }
		END { for (o in want) { print o " is not set"; rc = 1 }; exit rc }' "$list" "$config"
}
modules_there() {
	local m rc=0
	for m in $(sed -n 's/^# modules: //p' "$list"); do
		[[ -e /sys/module/$m ]] || modprobe -q "$m" || { echo "no module $m"; rc=1; }
	done
	return $rc
}
if [[ -s $config ]]; then
	check "$(uname -r) has the options of kernel.config" options_there
else
	echo "# the configuration of $(uname -r) cannot be read here; its modules tell"
fi
check "the modules of kernel.config are there" modules_there

setup_ns LAC LNS
veth_pair "$LAC" wan 192.0.2.2/24,2001:db8::2/64 "$LNS" wan 192.0.2.1/24,2001:db8::1/64
check "genetlink family l2tp answers in a namespace" ns "$LNS" ip l2tp show tunnel
check "/dev/ppp can be opened" sh -c ': </dev/ppp'
check "AF_PPPOX socket for L2TP" ns "$LNS" perl -e 'socket(my $s, 24, 2, 1) or die "$!\n"'
check "the outer network works, IPv4" ping_ok "$LAC" 192.0.2.1
check "the outer network works, IPv6" ping_ok "$LAC" 2001:db8::1

leak_snapshot
xl2tpd_lns "$LNS" lns 10.9.0.1 10.9.0.10-10.9.0.20 chap s3cret alice wonderland
lns=$SPAWNED
capture "$LAC" wan "$TMP/wan.pcap" udp port 1701
xl2tpd_lac "$LAC" lac 192.0.2.1 alice wonderland chap s3cret
lac=$SPAWNED
check "CHAP session comes up at the LAC" ppp_ready "$LAC" ppp0
check "and at the LNS" ppp_ready "$LNS" ppp0
check "pppd says that CHAP authenticated" grep -q 'CHAP authentication succeeded' "$TMP/lac-pppd.log"
check "pings through the tunnel, three sizes" ping_ok "$LAC" 10.9.0.1 56 1000 1372
check "and from the LNS" ping_ok "$LNS" 10.9.0.10
check "one tunnel in the kernel" grep -q 'Tunnel [0-9]*, encap UDP' <(ns "$LNS" ip l2tp show tunnel)

# The kernel's own counters, not a relay in user space: the session has carried the pings.
# Below "SESSION 'sess TID/SID'" a line "nr/ns tx-packets/bytes/errors rx-packets/bytes/errors".
kernel_counts() {
	ns "$LNS" cat /proc/net/pppol2tp
	ns "$LNS" awk '/SESSION .sess/ { session = 1 }
		session && split($2, tx, "/") == 3 && split($3, rx, "/") == 3 {
		if (tx[1] >= 12 && rx[1] >= 12) found = 1 } END { exit !found }' /proc/net/pppol2tp
}
check "the kernel's session counted the packets" kernel_counts
capture_stop
check "and they went over UDP port 1701" \
	sh -c "test \$(tcpdump -nr '$TMP/wan.pcap' 2>/dev/null | grep -c 1701) -ge 24"

stop_pid "$lac" 10
stop_pid "$lns" 10
leak_check "nothing of it is left"
