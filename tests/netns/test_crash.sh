#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# noded is killed with -9 at random moments while devices come and go. After
# each start its interface must have exactly what the list says, the preshared
# keys included: a device connects at the end. With --long 100 rounds.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
ROUNDS=12
[ "${1:-}" != --long ] && [ "${QMESH_LONG:-}" != 1 ] || ROUNDS=100
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT

lab_up cp n1 phone
lab_cp "provision_limit = 100" "provision_period = 1s"
lab_tenant enterprise
lab_node n1
lab_until 20 "node n1" lab_node_ready n1
lab_sign_in n1

# What the list says against what the interface has: key and addresses of each device.
wanted() {
	api n1 GET '/api/mesh/devices?all=true&page_size=4096' |
		jq -r '.[] | select(.pending_until == null) | .public_key + " " + .mesh_ip + "/32 " + .mesh_ip6 + "/128"' | sort
}
running() {
	at n1 wg show "$LAB_IF" allowed-ips | sed 's/\t/ /' | sort
}
agrees() {
	lab_node_ready n1 >/dev/null 2>&1 || return 1
	local want have
	want=$(wanted) && have=$(running) || return 1
	[ "$want" = "$have" ]
}

for round in $(seq $ROUNDS); do
	(
		for n in 1 2 3; do
			api n1 POST /api/mesh/devices "{\"label\":\"r$round-$n\"}" >/dev/null 2>&1
		done
		victim=$(api n1 GET /api/mesh/devices 2>/dev/null | jq -r '.[0].id // empty' 2>/dev/null)
		[ -z "$victim" ] || api n1 DELETE "/api/mesh/devices/$victim" >/dev/null 2>&1
	) 2>/dev/null &
	busy=$!
	sleep "0.$(printf '%03d' $((RANDOM % 500)))"
	lab_stop noded-n1 KILL
	wait $busy
	lab_node_start n1
	lab_until 20 "list and interface agree after crash $round" agrees
done

phone=$(lab_add_device n1 phone IPHONE)
lab_client phone
lab_until 10 "the phone's green status" lab_has_status n1 "$phone" CONNECTED
lab_check_logs
printf 'ok 1 - %d crashes, list and interface agree after each, %s devices\n' $ROUNDS "$(running | wc -l)"
printf 'passed 1 failed 0 skipped 0\n'
