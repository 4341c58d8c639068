#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rotation end to end, with the node killed at each step between a pending
# key's first handshake and the report of it: what was promoted stays so, the
# device keeps its address, the Control Panel learns of it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s\n' $passed "$*"; }

has_key() { at n1 wg show "$LAB_IF" peers | grep -qxF "$1"; }
lacks_key() { ! has_key "$1"; }
settled() { lab_device n1 "$phone" | jq -e '.pending_until == null and .status == "DEVICE_STATUS_CONNECTED"'; }

rotate() { # the new key lies in NEW, the one in use in OLD
	local answer
	answer=$(api n1 POST "/api/mesh/devices/$phone:rotate" '{}')
	(umask 077 && jq -er .config <<<"$answer" >"$LAB/phone.wg.conf") || lab_fail "rotate: $answer"
	NEW=$(jq -r .device.public_key <<<"$answer")
	lab_until 5 "the pending key" has_key "$NEW"
	has_key "$OLD" || lab_fail "the old key went before the new one was used"
	at phone ping -q -c 2 -i 0.2 -W 2 "$n1_ip" >/dev/null || lab_fail "the old key does not work any more"
}

carried_out() {
	lab_until 10 "the old key's end" lacks_key "$OLD"
	lab_until 10 "ping with the new key" at phone ping -q -c 1 -W 1 "$n1_ip"
	at n1 wg show "$LAB_IF" allowed-ips | grep -F "$NEW" | grep -qw "$phone_ip" ||
		lab_fail "the address is not the new key's"
	lab_until 15 "the rotation in the log" settled
	OLD=$NEW
}

lab_up cp n1 phone
lab_cp "provision_limit = 100"
lab_tenant pro
lab_node n1
lab_until 20 "node n1" lab_node_ready n1
n1_ip=$(lab_state n1 | jq -r .mesh_ip)
lab_sign_in n1
phone=$(lab_add_device n1 phone IPHONE)
phone_ip=$(jq -r .device.mesh_ip "$LAB/phone.json")
lab_client phone
lab_until 10 "the phone's green status" lab_has_status n1 "$phone" CONNECTED
OLD=$(lab_device n1 "$phone" | jq -r .public_key)
ok "phone connected"

rotate
lab_setconf phone
carried_out
ok "rotation without a crash"

# A second rotation replaces the pending key; the first pending key is of no use then.
rotate
first=$NEW
rotate
lab_until 5 "the end of the replaced pending key" lacks_key "$first"
lab_setconf phone
carried_out
ok "a second rotation replaces the pending key"

kill_at() { # point
	lab_stop noded-n1
	QMESH_KILL="$1:1" lab_node_start n1
	lab_until 15 "node n1" lab_node_ready n1
	rotate
	local pid=${LAB_PID[noded-n1]}
	lab_setconf phone
	lab_until 10 "the crash at $1" sh -c "! kill -0 $pid 2>/dev/null"
	lab_stop noded-n1
	grep -q . "$LAB/n1/cache" || lab_fail "no cache"
	lab_node_start n1
	carried_out
	ok "killed at $1: the rotation is carried out and told"
}

probe=$("$BIN/qmesh-noded" --version 2>/dev/null; grep -c node_promoted_moved "$BIN/qmesh-noded" || true)
if [ "${probe##*$'\n'}" = 0 ]; then
	skipped=2
	echo "skipped: this build has no kill points (QMESH_KILL_POINTS)"
else
	skipped=0
	kill_at node_promoted_saved
	kill_at node_promoted_moved
fi

# Stolen: the old key ends at once.
answer=$(api n1 POST "/api/mesh/devices/$phone:rotate" '{"immediate":true}')
(umask 077 && jq -er .config <<<"$answer" >"$LAB/phone.wg.conf") || lab_fail "rotate: $answer"
NEW=$(jq -r .device.public_key <<<"$answer")
lab_until 5 "the end of the stolen key" lacks_key "$OLD"
lab_setconf phone
carried_out
ok "immediate rotation ends the old key at once"

lab_check_logs
printf 'passed %d failed 0 skipped %d\n' "$passed" "$skipped"
