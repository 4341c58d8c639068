#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The phone without a heap signs in at a real node, over the loopback port and
# over the Unix socket, and does what a phone does. Control Panel and node run
# in a network and mount namespace of their own.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

build=${QMESH_BUILD:-$PWD/build/dev}
for program in bin/qmesh-cpd bin/qmesh-noded bin/qmesh tests/mobile/phone; do
	if [ ! -x "$build/$program" ]; then
		echo "skipped: $build/$program is not built"
		exit 77
	fi
done
if [ "${1:-}" != inside ]; then
	if [ "$(id -u)" != 0 ] || ! unshare --net --mount true 2>/dev/null; then
		echo "skipped: needs root and namespaces"
		exit 77
	fi
	exec unshare --net --mount -- "$0" inside
fi

dir=$(mktemp -d)
pids=()
finish() {
	local pid
	# The node first, with its interface and its user-space WireGuard.
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null
		for _ in $(seq 100); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -9 "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	"$build/bin/qmesh-noded" --config "$dir/noded.conf" --teardown >>"$dir/noded.log" 2>&1
	rm -rf "$dir"
}
trap finish EXIT

fail() {
	echo "FAIL $1"
	tail -n 20 "$dir"/*.log
	echo "passed 0 failed 1 skipped 0"
	exit 1
}

admin() { "$build/bin/qmesh" --server "unix:$dir/cpd.sock" admin "$@"; }

node_ready() {
	"$build/bin/qmesh" --server "unix:$dir/noded.sock" status --json 2>/dev/null |
		jq -e '.state.active and .state.cp_connected' >/dev/null
}

wait_for() { # WHAT command...
	local what=$1
	shift
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	fail "$what did not come up"
}

ip link set lo up
mkdir -p /var/run/wireguard && mount -t tmpfs none /var/run/wireguard

cat >"$dir/cpd.conf" <<CONF
state_dir = $dir/cp
admin_socket = $dir/cpd.sock
listen = 127.0.0.1:7443
CONF
"$build/bin/qmesh-cpd" --config "$dir/cpd.conf" >>"$dir/cpd.log" 2>&1 &
pids=($!)
wait_for "the Control Panel" admin tenant list

password=$(head -c 12 /dev/urandom | base64 | tr '+/' 'xy')
admin tenant add phones --plan pro >/dev/null || fail "no tenant"
printf '%s' "$password" |
	admin user add anna --tenant phones --role member --password-file - >/dev/null || fail "no user"
(umask 077 && admin join-token --tenant phones --quiet >"$dir/join.token") || fail "no join token"
cat >"$dir/noded.conf" <<CONF
state_dir = $dir/node
admin_socket = $dir/noded.sock
listen = 127.0.0.1:7444
listen_plain = 127.0.0.1:7480
name = phone-node
cp = https://127.0.0.1:7443
join_token_file = $dir/join.token
wg_interface = wg-phone0
wg_port = 51820
endpoint = 127.0.0.1:51820
CONF
"$build/bin/qmesh-noded" --config "$dir/noded.conf" >>"$dir/noded.log" 2>&1 &
pids=($! "${pids[@]}")
wait_for "the node" node_ready

passed=0 failed=0
for target in 127.0.0.1:7480 "unix:$dir/noded.sock"; do
	"$build/tests/mobile/phone" "$target" localhost anna "$password" >"$dir/phone.out"
	rc=$?
	sed '$d' "$dir/phone.out" | sed "s|^|$target: |"
	read -r _ p _ f _ <<<"$(tail -n 1 "$dir/phone.out")"
	if [ "$rc" -gt 1 ]; then
		cat "$dir/phone.out"
		f=1 p=0
	fi
	passed=$((passed + p)) failed=$((failed + f))
done
[ $failed = 0 ] || tail -n 20 "$dir"/*.log
echo "passed $passed failed $failed skipped 0"
[ $failed = 0 ]
