#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The behaviour suite of WireGuard back ends on wireguard-go, in a namespace,
# with 10,000 peers.
# tests/kernel/test_kernel.sh runs the same one on the kernel's.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
suite=${QMESH_BUILD:?QMESH_BUILD names the build}/tests/kernel/wg_suite
dir=$(mktemp -d /tmp/qmesh-wg.XXXXXX)
# shellcheck disable=SC2016
unshare -n -m -- sh -c 'mount --make-rprivate / && mkdir -p /var/run/wireguard &&
	mount -t tmpfs none /var/run/wireguard && exec "$0" userspace "$1" 10000' "$suite" "$dir"
rc=$?
# What a suite that died has left behind.
for file in "$dir"/*.pid; do
	[ -r "$file" ] || continue
	read -r pid _ <"$file"
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != wireguard-go ] || kill "$pid"
done
rm -rf "$dir"
exit $rc
