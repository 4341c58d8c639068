#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The page in a real browser against real daemons: a Control Panel, a node and a
# phone, each end in namespaces of its own that vanish with this script. The
# phone is wg-quick on the file that the page gave out. What is judged is in
# mesh.mjs.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/browser
build=${QMESH_BUILD:-build/dev}
build=$(cd "$build" 2>/dev/null && pwd) || build=

skip() {
	echo "passed 0 failed 0 skipped 1"
	echo "skipped: $1"
	exit 77
}

# --- outside: what is needed, then into the namespaces ---

# playwright-core wants a newer node than Debian 12's: npm has it as a package.
new_enough() {
	command -v "$1" >/dev/null &&
		"$1" -e 'const [a, b] = process.versions.node.split(".").map(Number);
			process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
}

find_node() {
	local fetched
	if new_enough node; then
		command -v node
		return
	fi
	fetched=$PWD/build/node20/node_modules/node-linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')/bin/node
	if ! new_enough "$fetched"; then
		mkdir -p build/node20
		cp $here/node20/package.json $here/node20/package-lock.json build/node20/
		(cd build/node20 && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
	fi
	new_enough "$fetched" && echo "$fetched"
}

if [ "${1:-}" != inside ]; then
	[ "$(id -u)" = 0 ] || skip "needs root for namespaces"
	[ -c /dev/net/tun ] || skip "no /dev/net/tun"
	for tool in npm chromium zbarimg wireguard-go wg-quick curl unshare nsenter; do
		command -v $tool >/dev/null || skip "no $tool (scripts/install-packages browser unit netns run)"
	done
	for program in qmesh-cpd qmesh-noded qmesh; do
		[ -x "$build/bin/$program" ] || skip "no $build/bin/$program: build first"
	done
	NODE=$(find_node) || skip "no node of version 20.19 or newer"
	if [ ! $here/node_modules/.package-lock.json -nt $here/package-lock.json ]; then
		(cd $here && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
		touch $here/node_modules/.package-lock.json
	fi
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	rc=0
	NODE=$NODE TMP=$tmp QMESH_BUILD=$build unshare --net --mount --pid --fork --kill-child \
		--mount-proc "$0" inside || rc=$?
	if [ $rc != 0 ]; then
		for log in "$tmp"/*.log; do
			echo "--- $(basename "$log"), last lines"
			tail -n 15 "$log"
		done
	fi
	exit $rc
fi

# --- inside: every process ends with this one, every name is ours alone ---

mkdir -p /run/wireguard
mount -t tmpfs tmpfs /run/wireguard
ip link set lo up

# The phone: a network and a mount namespace, one cable to the node's.
unshare --net --mount bash -c 'mount -t tmpfs tmpfs /run/wireguard; ip link set lo up; exec sleep infinity' &
PHONE=$!
for _ in $(seq 50); do
	[ "$(readlink /proc/$PHONE/ns/net)" != "$(readlink /proc/$$/ns/net)" ] && break
	sleep 0.1
done
ip link add under0 type veth peer name under0 netns $PHONE
ip address add 198.51.100.1/24 dev under0
ip link set under0 up
nsenter -t $PHONE -n ip address add 198.51.100.2/24 dev under0
nsenter -t $PHONE -n ip link set under0 up

bin=$QMESH_BUILD/bin
admin() { "$bin/qmesh" --server "unix:$TMP/cpd.sock" admin "$@"; }

wait_for() { # what seconds command...
	local what=$1 tries=$(($2 * 10))
	shift 2
	for _ in $(seq $tries); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	echo "$what did not come up" >&2
	exit 1
}

cat >"$TMP/cpd.conf" <<CONF
state_dir = $TMP/cp
admin_socket = $TMP/cpd.sock
listen = 127.0.0.1:7443
CONF
cat >"$TMP/noded.conf" <<CONF
state_dir = $TMP/node
admin_socket = $TMP/noded.sock
listen = 127.0.0.1:7444
listen_plain = 127.0.0.1:7480
name = node-1
cp = https://127.0.0.1:7443
join_token_file = $TMP/join.token
wg_interface = wg-quazzar0
wg_port = 51820
endpoint = 198.51.100.1:51820
CONF

# Kept apart so that mesh.mjs can take the Control Panel away and bring it back.
cat >"$TMP/start-cpd" <<SH
#!/bin/sh
exec "$bin/qmesh-cpd" --config "$TMP/cpd.conf" >>"$TMP/cpd.log" 2>&1
SH
chmod +x "$TMP/start-cpd"
"$TMP/start-cpd" &
CPD=$!
# It will be killed on purpose.
disown $CPD
wait_for qmesh-cpd 20 admin tenant list
PASSWORD=$(head -c 12 /dev/urandom | base64 | tr '+/' 'xy')
admin tenant add home --plan pro --range 10.71.0.0/16 >/dev/null
printf '%s' "$PASSWORD" | admin user add alice --tenant home --role admin --password-file - >/dev/null
(umask 077 && admin join-token --tenant home --quiet >"$TMP/join.token")
cat >"$TMP/start-noded" <<SH
#!/bin/sh
exec "$bin/qmesh-noded" --config "$TMP/noded.conf" >>"$TMP/noded.log" 2>&1
SH
chmod +x "$TMP/start-noded"
"$TMP/start-noded" &
NODED=$!
disown $NODED
wait_for qmesh-noded 30 curl -fs http://localhost:7480/readyz

rc=0
PAGE=http://localhost:7480/vpn/mesh MESH_USER=alice MESH_PASSWORD=$PASSWORD MESH_PHONE=$PHONE MESH_CPD=$CPD MESH_NODED=$NODED \
	MESH_ADMIN="$bin/qmesh --server unix:$TMP/cpd.sock admin" \
	"$NODE" $here/mesh.mjs || rc=$?
exit $rc
