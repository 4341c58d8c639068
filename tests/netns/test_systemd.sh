#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The installed program under a real systemd, which runs as process 1 of
# namespaces of its own: the units, users and directories that cmake --install
# lays down, the sandbox they ask for, join token as a credential, stop, kill,
# upgrade and a reboot without the Control Panel.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=${QMESH_BUILD:?QMESH_BUILD names the build}
skip() { printf 'skipped: %s\n' "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
for command in systemd-analyze systemctl cmake; do
	command -v $command >/dev/null || skip "there is no $command (Debian's package systemd)"
done
[ -x /lib/systemd/systemd ] || skip "there is no systemd"
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s (%d s)\n' $passed "$*" $SECONDS; }

root=$(mktemp -d /tmp/qmesh-systemd.XXXXXX)
prefix=/opt/qmesh
cgroup=
manager=
fail() {
	printf 'FAIL: %s\n' "$*" >&2
	[ -z "$manager" ] || inside journalctl --no-pager -q -n 40 -u 'qmesh-*' >&2
	exit 1
}
# The init of the process namespace takes all that ran in it along.
power_off() {
	[ -n "$manager" ] || return 0
	kill -KILL "$manager" 2>/dev/null
	{ wait "$outer"; } 2>/dev/null
	manager=
}
clean_up() {
	power_off
	[ -z "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null
	rm -rf "$root"
}
trap clean_up EXIT
until_true() { # seconds what command...
	local last=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $last ] || fail "$what: not within the time"
		sleep 0.1
	done
}

# --- what is installed ---

DESTDIR=$root/dest cmake --install "$build" --prefix $prefix >"$root/install.log" 2>&1 || fail "cmake --install: $(tail -3 "$root/install.log")"
dest=$root/dest$prefix
for file in bin/qmesh bin/qmesh-cpd bin/qmesh-noded lib/systemd/system/qmesh-cpd.service lib/systemd/system/qmesh-noded.service \
	lib/sysusers.d/qmesh.conf lib/tmpfiles.d/qmesh.conf share/qmesh/cpd.conf share/qmesh/noded.conf \
	share/man/man8/qmesh-cpd.8 share/man/man8/qmesh-noded.8 share/man/man1/qmesh.1; do
	[ -s "$dest/$file" ] || fail "$file is not installed"
done
[ -z "$(find "$root/dest" -path '*/etc/*' -type f)" ] || fail "an installation writes into etc: $(find "$root/dest" -path '*/etc/*')"
ok "cmake --install with DESTDIR lays down programs, units, samples and manual pages, nothing in etc"

# Each line of a sample is a comment; without the "#" each key is one that the daemon knows.
for daemon in cpd noded; do
	! grep -qv '^#\|^$' "$dest/share/qmesh/$daemon.conf" || fail "$daemon.conf changes something"
	sed -n 's/^#\([a-z0-9_]* =\)/\1/p' "$dest/share/qmesh/$daemon.conf" >"$root/$daemon.all"
	words=$("$dest/bin/qmesh-$daemon" --config "$root/$daemon.all" --check-config 2>&1) || fail "$daemon.conf with all its keys: $words"
	for key in $("$dest/bin/qmesh-$daemon" --help | sed -n 's/^ *--\([a-z0-9_-]*\).*/\1/p'); do
		case ${key//_/-} in config | check-config | help | version | teardown) continue ;; esac
		grep -q "^${key//-/_} =" "$root/$daemon.all" || fail "$daemon.conf lacks ${key//-/_}"
	done
done
ok "the samples have every key with its default"

mkdir "$root/units"
for daemon in cpd noded; do
	sed "s|$prefix/|$dest/|" "$dest/lib/systemd/system/qmesh-$daemon.service" >"$root/units/qmesh-$daemon.service"
done
words=$(systemd-analyze verify --man=no "$root"/units/*.service 2>&1) || fail "systemd-analyze verify: $words"
[ -z "$words" ] || fail "systemd-analyze verify: $words"
for daemon in cpd:20 noded:30; do
	systemd-analyze security --no-pager --offline=true --threshold="${daemon#*:}" "$root/units/qmesh-${daemon%:*}.service" >"$root/security.txt" 2>&1 ||
		fail "systemd-analyze security: $(tail -1 "$root/security.txt")"
done
ok "units verified; exposure at most 2.0 and 3.0"

# --- a machine ---

# A place of its own among the control groups: a systemd of the host must not meet this one.
make_cgroup() {
	local at
	for at in $(awk '$3 == "cgroup2" {print $2}' /proc/mounts); do
		cgroup=$at/qmesh-systemd.$$
		mkdir "$cgroup" 2>/dev/null && return
	done
	cgroup=
	return 1
}
make_cgroup || {
	printf 'skipped: no control groups (version 2) that may be written: units are not run\n'
	printf 'passed %d failed 0 skipped 4\n' $passed
	exit 0
}

machine=$root/machine
etc=$machine/etc
mkdir -p "$machine"/{usr,var/log,var/lib,tmp,run,proc,sys,dev,root,old} "$machine$prefix" "$etc"/{systemd/system,sysusers.d,tmpfiles.d,qmesh}
for name in bin sbin lib lib64; do [ ! -e /usr/$name ] || ln -s usr/$name "$machine/$name"; done
ln -s ../run "$machine/var/run"
cp -r "$dest"/. "$machine$prefix"
cp /etc/nsswitch.conf /etc/ld.so.cache "$etc/"
[ ! -e /etc/alternatives ] || cp -r /etc/alternatives "$etc/"
echo root:x:0:0:root:/root:/bin/sh >"$etc/passwd"
echo root:x:0: >"$etc/group"
touch "$etc/machine-id" "$etc/fstab"
cp "$dest/lib/sysusers.d/qmesh.conf" "$etc/sysusers.d/"
cp "$dest/lib/tmpfiles.d/qmesh.conf" "$etc/tmpfiles.d/"
cp "$dest"/lib/systemd/system/qmesh-*.service "$etc/systemd/system/"
# The leak checker traces its own process, which the sandbox forbids; it speaks up elsewhere.
for daemon in cpd noded; do
	mkdir "$etc/systemd/system/qmesh-$daemon.service.d"
	printf '[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0:exitcode=99\n' >"$etc/systemd/system/qmesh-$daemon.service.d/test.conf"
done
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' >"$etc/systemd/system/default.target"
for unit in systemd-{udevd,udev-trigger,modules-load,sysctl,networkd,timesyncd,binfmt,resolved}.service systemd-udevd-{control,kernel}.socket \
	dev-hugepages.mount dev-mqueue.mount sys-kernel-{debug,tracing,config}.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount; do
	ln -s /dev/null "$etc/systemd/system/$unit"
done
printf 'listen = 127.0.0.1:7443\n' >"$etc/qmesh/cpd.conf"
cat >"$etc/qmesh/noded.conf" <<-CONF
	listen =
	name = n1
	cp = https://127.0.0.1:7443
	join_token_file = /run/credentials/qmesh-noded.service/join-token
CONF

cat >"$root/boot" <<'BOOT'
set -e
cd "$1"
mount --make-rprivate /
mount --bind . . && cd "$1"
mount --bind /usr usr && mount -o remount,bind,ro usr
mount -t tmpfs run run
mount -t tmpfs tmp tmp
mount -t proc proc proc
mount -t sysfs sys sys
mount -t cgroup2 cgroup sys/fs/cgroup
mount -t tmpfs dev dev -o mode=755
for d in null zero full random urandom tty net/tun; do
	mkdir -p dev/net && touch dev/$d && mount --bind /dev/$d dev/$d
done
mkdir dev/pts dev/shm && ln -s /proc/self/fd dev/fd
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666 && ln -s pts/ptmx dev/ptmx
ip link set lo up
pivot_root . old && umount -l /old && mount --make-rshared /
exec env -i container=qmesh PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --system --log-target=journal --show-status=no
BOOT
boot() {
	(
		echo $BASHPID >"$cgroup/cgroup.procs" || exit 1
		exec unshare -p -f --kill-child -m -n -u -i -C bash "$root/boot" "$machine"
	) >"$root/boot.log" 2>&1 </dev/null &
	outer=$!
	until_true 60 "process 1" has_manager
	until_true 90 "a machine that runs ($(tail -1 "$root/boot.log"))" is_running
}
has_manager() {
	manager=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null) && manager=${manager%% *} &&
		[ "$(cat "/proc/$manager/comm" 2>/dev/null)" = systemd ]
}
inside() { nsenter -t "$manager" -m -p -n -u -i -C -r -w -- "$@"; }
is_running() { inside systemctl is-system-running | grep -qE 'running|degraded'; }
qmesh() { inside $prefix/bin/qmesh --server unix:/run/qmesh/cpd.sock "$@"; }
state() { inside curl -sS --max-time 20 --unix-socket /run/qmesh/noded.sock http://localhost/api/mesh/state; }
is_active() { state | jq -e '.active'; }
is_connected() { state | jq -e '.active and .cp_connected'; }
main_pid() { inside systemctl show -P MainPID "qmesh-$1"; }
go_pid() { inside cut -d' ' -f1 /var/lib/qmesh/node/wg-quazzar0.pid; }
start() { inside systemctl start "$1" || fail "$1: $(inside systemctl status --no-pager -n 20 "$1")"; }

boot
start qmesh-cpd
qmesh admin tenant add acme --plan pro >/dev/null || fail "the operator's socket"
(umask 077 && qmesh admin join-token acme --json | jq -er .join_token >"$etc/qmesh/join.token") || fail "join token"
printf '[Service]\nLoadCredential=join-token:/etc/qmesh/join.token\n' >"$etc/systemd/system/qmesh-noded.service.d/join.conf"
inside systemctl daemon-reload
start qmesh-noded
until_true 60 "the node" is_connected
[ "$(inside stat -c %U /proc/"$(main_pid noded)" /var/lib/qmesh/node /run/qmesh/noded.sock | sort -u)" = qmesh-node ] || fail "user of the node"
[ "$(inside stat -c %U /proc/"$(main_pid cpd)" /var/lib/qmesh/cp /run/qmesh/cpd.sock | sort -u)" = qmesh-cp ] || fail "user of the Control Panel"
[ "$(inside stat -c %G:%a /run/qmesh/cpd.sock /run/qmesh/noded.sock | sort -u)" = qmesh-admin:660 ] || fail "sockets: $(inside ls -l /run/qmesh)"
[ "$(inside cat /proc/sys/net/ipv4/ip_forward)" = 1 ] && inside nft list table inet qmesh >/dev/null || fail "no forwarding"
ok "both run with users of their own, the node joined by a credential, made interface, rules and switches"

go=$(go_pid)
before=$(main_pid noded)
inside systemctl kill -s KILL --kill-who=main qmesh-noded
came_back() { [ "$(main_pid noded)" != "$before" ] && is_connected; }
until_true 60 "the node after kill -9" came_back
[ "$(go_pid)" = "$go" ] || fail "wireguard-go did not outlive kill -9"
# An upgrade: another file under the same name.
cp "$machine$prefix/bin/qmesh-noded" "$machine$prefix/bin/.new" && mv "$machine$prefix/bin/.new" "$machine$prefix/bin/qmesh-noded"
before=$(main_pid noded)
inside systemctl restart qmesh-noded || fail "restart"
until_true 60 "the node after its upgrade" came_back
[ "$(go_pid)" = "$go" ] || fail "wireguard-go did not outlive an upgrade"
inside systemctl stop qmesh-noded || fail "stop"
inside wg show wg-quazzar0 >/dev/null && [ "$(inside cat "/proc/$go/comm")" = wireguard-go ] || fail "stop took the interface"
start qmesh-noded
until_true 60 "the node after its stop" is_connected
[ "$(go_pid)" = "$go" ] || fail "wireguard-go did not outlive a stop"
ok "kill -9, upgrade and stop: the same wireguard-go goes on, adopted each time"

# The file of the token may go once it was used.
rm "$etc/systemd/system/qmesh-noded.service.d/join.conf" "$etc/qmesh/join.token"
mkdir -p "$etc/systemd/system/multi-user.target.wants"
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=qmesh-noded.service\n' >"$etc/systemd/system/default.target"
power_off
boot
until_true 60 "the interface after a boot" is_active
[ "$(inside systemctl is-active qmesh-cpd)" != active ] || fail "the Control Panel is there"
state | jq -e '.cp_connected | not' >/dev/null || fail "connected to whom?"
inside ip -4 addr show wg-quazzar0 | grep -q 'inet ' || fail "no address after a boot"
ok "a boot without the Control Panel: up from disk"

inside systemctl stop qmesh-noded
inside $prefix/bin/qmesh-noded --config /etc/qmesh/noded.conf --teardown >"$root/teardown.log" 2>&1 || fail "teardown: $(cat "$root/teardown.log")"
! inside ip link show wg-quazzar0 >/dev/null 2>&1 || fail "the interface is still there"
[ -z "$(inside nft list tables)" ] || fail "a table is still there"
[ "$(inside cat /proc/sys/net/ipv4/ip_forward)" = 0 ] || fail "forwarding is still on"
[ -z "$(inside find /run/wireguard /var/lib/qmesh/node -name 'wg-*' -o -name sysctl.saved)" ] || fail "files are left"
ok "teardown as root takes back what the unit's user made"

for daemon in cpd noded; do
	! inside journalctl --no-pager -q -u qmesh-$daemon | grep -aqE 'Sanitizer|runtime error:' || fail "a sanitizer complains"
done
printf 'passed %d failed 0 skipped 0\n' $passed
