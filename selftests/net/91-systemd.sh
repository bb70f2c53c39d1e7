#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The service units under a systemd: started, restarted, killed, reloaded, upgraded and stopped by systemctl, while a call
# carries pings.  systemd is process 1 of a PID namespace of its own.  LNS (units) 192.0.2.1 ---- 192.0.2.2 LAC
# shellcheck disable=SC2016
. "$(dirname "$0")/lib.sh"
cd "$LIB_TOP" || exit 1

systemd=/lib/systemd/systemd steady=$KTUND_BUILD/selftests/net/steady
[[ -x $systemd ]] || skip "no systemd on this machine"
[[ -e /sys/fs/cgroup/cgroup.controllers ]] || skip "no cgroup2 at /sys/fs/cgroup"
[[ ${KTUND_VM:-direct} != direct ]] || skip "installs in /usr: in a guest only"

setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
install_all() {
	make --no-print-directory -o all O="$KTUND_BUILD" PREFIX=/usr install && systemd-sysusers /usr/lib/sysusers.d/ktund.conf &&
		mkdir -p /etc/ktund/conf.d && chgrp -R ktund /etc/ktund && chmod 750 /etc/ktund /etc/ktund/conf.d
}
install_all >"$TMP/install.log" 2>&1 || fatal "make install, and the user of sysusers.d"
cat >/etc/ktund/ip-up <<-'HOOK'
	#!/bin/sh
	echo "$PEERNAME $IFNAME" >>/tmp/hook.out
HOOK
chmod 755 /etc/ktund/ip-up
cat >/etc/ktund/ktund.conf <<-CONF
	listen "192.0.2.1" { port = 1701 }
	listen "192.0.2.1" { encapsulation = ip }
	pool "staff" { range = "10.10.0.10-10.10.0.250" }
	user "alice" { password = "wonderland" }
	peer "anyone" {
	    address = "0.0.0.0/0" role = lns authentication = { "chap" } local-address = "10.10.0.1" pool = "staff"
	    ip-up = "/etc/ktund/ip-up" ipsec = none
	    limits { setup-rate = 1000 setup-burst = 1000 }
	}
CONF
chmod 640 /etc/ktund/ktund.conf
chgrp ktund /etc/ktund/ktund.conf

# --- systemd ------------------------------------------------------------------------------------------
# Of what the machine starts besides, the journal alone is left: each program takes its time in an emulated guest.
for wants in /lib/systemd/system/*.target.wants /etc/systemd/system/*.target.wants; do
	find "$wants" ! -name '*journald*' -type l -delete
done
# The sanitizer looks for leaks by ptrace(2), which the units' filter takes away.
for unit in ktund ktund-keeper; do
	sanitized || break
	mkdir -p "/etc/systemd/system/$unit.service.d"
	printf '[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' >"/etc/systemd/system/$unit.service.d/asan.conf"
done
cgroup=/sys/fs/cgroup/ktund-test
mkdir "$cgroup"
defer rmdir "$cgroup"
cat >"$TMP/boot" <<-'BOOT'
	#!/bin/sh
	mount -t cgroup2 cgroup2 /sys/fs/cgroup && mount -t tmpfs -o mode=755 run /run && mkdir -p /run/lock &&
		exec env -i PATH="$PATH" container=ktund-test "$1" --system --unit=ktund.service --log-target=console --show-status=no
BOOT
chmod 755 "$TMP/boot"
# The shell moves to the cgroup first, so that it is the root of systemd's cgroup namespace.
sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$cgroup" ip netns exec "$LNS" \
	unshare --pid --mount --cgroup --ipc --uts --fork --kill-child --mount-proc "$TMP/boot" "$systemd" \
	</dev/null >"$TMP/systemd.log" 2>&1 &
boot=$!
defer stop_pid $boot
first() { init=$(pgrep -P "$boot" -x systemd); }
check "systemd starts" busywait 20000 first
inside() { nsenter -t "$init" -m -p -n -u -- "$@"; }
active() { [[ $(inside systemctl is-active ktund ktund-keeper) == active$'\n'active ]]; }
diagnose() { inside systemctl --no-pager list-jobs; inside systemctl --no-pager status ktund ktund-keeper; } >"$TMP/units.log" 2>&1
busywait 40000 active || { diagnose; fatal "ktund.service brings ktund-keeper.service, and both are ready"; }
check "both units are ready" active
pid() { inside systemctl show --value -p MainPID "$1"; }
status() { inside grep -E "^($2):" "/proc/$(pid "$1")/status" | tr -s '[:space:]' ' '; }
confined() {
	local s
	s=$(status ktund 'CapEff|NoNewPrivs|Seccomp|Uid')
	echo "$s"
	[[ $s == *"CapEff: 0000000000000000"* && $s == *"NoNewPrivs: 1"* && $s == *"Seccomp: 2"* && $s != *"Uid: 0"* ]]
}
check "ktund has no capabilities, gets none, is filtered and is not root" confined
listens() { ns "$LNS" ss -Hlun | grep -q '192\.0\.2\.1:1701 ' && inside journalctl -u ktund | grep 'listening on ip:192\.0\.2\.1'; }
check "both listeners are there, also the one over IP" busywait 10000 listens

# --- a call through all that --------------------------------------------------------------------------
lac=$(write_config lac <<-'CONF'
	tunnel "site" { remote = "192.0.2.1" user = "alice" password = "wonderland" interface = "site" redial-min = 500ms ipsec = none }
CONF
)
ktund_start "$LAC" lac "$lac" || fatal "the LAC starts"
check "a call comes up" busywait 30000 sessions_up lac 1
check "ping through it" ping_ok "$LAC" 10.10.0.1 56 1372
hooked() { grep -q '^alice ppp' /tmp/systemd-private-*-ktund-keeper.service-*/tmp/hook.out; }
check "the hook ran, in a /tmp of the keeper's own" busywait 10000 hooked
ip netns exec "$LAC" "$steady" 100 <<<"10.10.0.1 site" >"$TMP/steady.out" 2>"$TMP/steady.err" &
pinger=$!
defer kill -KILL $pinger
since=$(session_get lac session_id)
keeper=$(pid ktund-keeper)

turns() {	# turns UNIT COMMAND...: the unit has another main process afterwards, and both are active
	local was
	was=$(pid "$1")
	"${@:2}" || return 1
	busywait 30000 changed "$1" "$was"
}
changed() { local now; now=$(pid "$1"); [[ $now != 0 && $now != "$2" ]] && active; }
check "systemctl restart ktund" turns ktund inside systemctl restart ktund
kill_it() { inside kill -KILL "$(pid ktund)"; }
check "kill -9: systemd starts it again" turns ktund kill_it
check "systemctl reload ktund" inside systemctl reload ktund
check "systemctl reload ktund-keeper: it executes itself anew" inside systemctl reload ktund-keeper
same_keeper() { [[ $(pid ktund-keeper) == "$keeper" ]] && active; }
check "as the same process" busywait 10000 same_keeper
kept() { sessions_up lac 1 && inside ktun -j show sessions | grep -q '"state":"up"'; }
check "both sides have the call still" busywait 20000 kept
check "it is the same one" test -n "$since" -a "$(session_get lac session_id)" = "$since"
kill -TERM $pinger
check "no ping was lost in all that" wait $pinger
sed 's/^/# /' "$TMP/steady.out"

# --- the end ------------------------------------------------------------------------------------------
heard() { [[ $(ktun_in lac -j show sessions) != *'"state":"up"'* ]]; }
check "systemctl stop ktund-keeper" inside systemctl stop ktund-keeper
check "the peer hears of it" busywait 20000 heard
check "nothing is left in the kernel" test -z "$(ip -n "$LNS" l2tp show session)$(ip -n "$LNS" -br link show type ppp)"
failed() { inside systemctl list-units --failed --no-legend --plain 'ktund*'; }
check "systemd calls neither unit failed" test -z "$(failed)"
