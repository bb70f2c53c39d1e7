#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `make install` lays down works from there, with the capabilities that the service units leave, and with the
# two configurations of README.md.
. "$(dirname "$0")/lib.sh"
cd "$LIB_TOP" || exit 1

root=$TMP/root
install_tree() { make --no-print-directory -o all O="$KTUND_BUILD" DESTDIR="$root" PREFIX=/usr install; }
check "make install DESTDIR=" install_tree

tree() { (cd "$root" && find . -type f -printf '%m %P\n' | sort -k 2); }
cat >"$TMP/expected" <<'LIST'
755 usr/bin/ktun
644 usr/lib/modules-load.d/ktund.conf
644 usr/lib/systemd/system/ktund-keeper.service
644 usr/lib/systemd/system/ktund.service
644 usr/lib/sysusers.d/ktund.conf
755 usr/sbin/ktund
755 usr/sbin/ktund-keeper
644 usr/share/bash-completion/completions/ktun
644 usr/share/doc/ktund/ktund.conf.example
644 usr/share/man/man5/ktund.conf.5
644 usr/share/man/man8/ktun.8
644 usr/share/man/man8/ktund-keeper.8
644 usr/share/man/man8/ktund.8
LIST
same_tree() { tree | diff "$TMP/expected" -; }
check "it lays down these files, and no others" same_tree
version() { "$root/usr/sbin/ktund" --version | grep '^ktund [0-9]' && "$root/usr/bin/ktun" --version | grep '^ktun [0-9]'; }
check "the installed programs run" version
example() { install -m 600 "$root/usr/share/doc/ktund/ktund.conf.example" "$TMP/example.conf"
	sed -i /^include/d "$TMP/example.conf"; "$root/usr/sbin/ktund" --check "$TMP/example.conf"; }
check "the installed example is a configuration" example

# The units name targets of the system's: lend the staged tree the host's.
verify() {
	local said
	cp /lib/systemd/system/*.target "$root/usr/lib/systemd/system/" || return 1
	said=$(systemd-analyze verify --man=no --root="$root" ktund.service ktund-keeper.service 2>&1) && [[ -z $said ]] ||
		{ echo "$said"; return 1; }
}
if [[ -n $(command -v systemd-analyze) && -e /lib/systemd/system/sysinit.target ]]; then
	check "systemd-analyze is content with the units" verify
fi

# The package needs what the build needs; gcc, make and libc are there in every build.
packaged() {
	local word missing=''
	for word in $(sed -n 's/^build://p' scripts/packages | tr -d '?'); do
		[[ $word =~ ^(gcc|make|libc6-dev)$ ]] || grep -qw -- "$word" debian/control || missing+=" $word"
	done
	[[ -z $missing ]] || { echo "not in debian/control:$missing"; return 1; }
}
check "debian/control has what scripts/packages builds with" packaged

# README.md's two configurations, between a gateway that runs as the units run it and one started by hand.
block() { awk -v mark="<!-- $1 -->" '$0 == mark { on = 1; next } on && /^```/ { if (on++ == 2) exit; next } on == 2' README.md; }
for side in gateway dial; do
	block $side | write_config $side >/dev/null
	check "README's configuration \"$side\" passes --check" "$root/usr/sbin/ktund" --check "$TMP/$side.conf"
	check "and is of some ten lines" test "$(wc -l <"$TMP/$side.conf")" -ge 7 -a "$(wc -l <"$TMP/$side.conf")" -le 11
done

bounding() { sed -n 's/^CapabilityBoundingSet=//p' "$root/usr/lib/systemd/system/$1.service" | tr ' A-Z' ',a-z' | sed 's/cap_/+/g'; }
wrapper() {	# wrapper UNIT WORD...: program of the unit, with the unit's capabilities
	local program
	program=$(sed -n "s,^ExecStart=\([^ ]*\).*,$root\1,p" "$root/usr/lib/systemd/system/$1.service")
	printf '#!/bin/sh\nexec setpriv --bounding-set=-all,%s %s "$@"\n' "$(bounding "$1")" "$program" >"$TMP/bin/$1"
	chmod 755 "$TMP/bin/$1"
}
mkdir "$TMP/bin" "$TMP/unit.run"
wrapper ktund
wrapper ktund-keeper
ln -s "$root/usr/bin/ktun" "$TMP/bin/ktun"
setup_ns LNS LAC
veth_pair "$LNS" eth0 192.0.2.1/24 "$LAC" eth0 192.0.2.2/24
leak_snapshot

KTUND_BUILD=$TMP/bin
spawn "$LNS" keeper "$TMP/bin/ktund-keeper" --runtime-dir "$TMP/unit.run" --config-dir "$TMP" --user nobody
keeper=$SPAWNED
check "the keeper starts with its unit's capabilities" busywait 10000 test -S "$TMP/unit.run/keeper.sock"
check "and so does ktund" ktund_start "$LNS" unit "$TMP/gateway.conf" --user nobody
check "which uses this keeper" test "$(keeper_pid unit)" = "$keeper"
rm "$TMP/bin/ktund" "$TMP/bin/ktund-keeper"
ln -s "$root/usr/sbin/ktund" "$TMP/bin/ktund"
check "another ktund, started by hand, finds the keeper beside itself" ktund_start "$LAC" hand "$TMP/dial.conf"

up() { ktun_in "$1" -j show sessions | grep -q '"state":"up"'; }
both_up() { up unit && up hand; }
check "the session of README's configurations comes up" busywait 15000 both_up
check "ping through it" ping_ok "$LAC" 10.10.0.1 56 1372
no_caps() { grep -q '^CapEff:[[:space:]]*0*$' "/proc/$(ktund_pid unit)/status" &&
	grep -q "^Uid:[[:space:]]*$(id -u nobody)[[:space:]]" "/proc/$(ktund_pid unit)/status"; }
check "ktund has no capabilities left and is not root" no_caps
check "ExecReload: reload through the keeper" ktun_in unit reload
gone() { ! kill -0 "$1"; }
ends() { kill -TERM "$1" && busywait 5000 gone "$1"; }
check "SIGTERM ends ktund" ends "$(ktund_pid unit)"
check "and leaves the keeper" kill -0 "$keeper"
check "and the call" up hand
stop_keeper() { ns "$LNS" "$root/usr/sbin/ktund" --stop-keeper --config "$TMP/gateway.conf" --user nobody --runtime-dir "$TMP/unit.run"; }
check "ktund --stop-keeper ends it" stop_keeper
check "it is gone" busywait 10000 gone "$keeper"
down() { ! up hand; }
check "and the peer has heard of it" busywait 5000 down
check_fail "where there is no keeper, it says so" stop_keeper
shut() { ktun_in hand shutdown && busywait 5000 no_process && sleep 1 && no_process; }
no_process() { [[ -z $(ip netns pids "$LAC") ]]; }
check "ktun shutdown ends ktund and the keeper it started, for good" shut
check_fail "and none of them died" grep -E 'signal|died' "$TMP/hand.log"
leak_check "nothing is left"
