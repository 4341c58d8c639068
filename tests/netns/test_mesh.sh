#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# States across two nodes: a home that goes away and comes back, an owner who
# is disabled, a delete that tells when it is everywhere, TLS at a node.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s\n' $passed "$*"; }

has_peer() { at "$1" wg show "$LAB_IF" peers | grep -qxF "$2"; }
lacks_peer() { ! has_peer "$@"; }
has_ip() { at "$1" wg show "$LAB_IF" allowed-ips | grep -qw "$2"; }
lacks_ip() { ! has_ip "$@"; }

lab_up cp n1 n2 laptop
lab_cp "provision_limit = 100"
lab_tenant team
lab_node n1 "metrics = 127.0.0.1:9100"
lab_node n2
lab_until 20 "node n1" lab_node_ready n1
lab_until 20 "node n2" lab_node_ready n2
lab_sign_in n1
lab_sign_in n2
at n1 curl -sSf http://127.0.0.1:9100/metrics >"$LAB/metrics.txt" || lab_fail "metrics"
one_peer() { at n1 curl -sSf http://127.0.0.1:9100/metrics | grep -qx 'qmesh_node_peers 1'; }
lab_until 10 "n2 in the metrics of n1" one_peer
ok "two nodes, metrics told"

at n2 curl -sSf --cacert "$LAB/n2/tls.crt" https://localhost:7444/healthz >/dev/null || lab_fail "TLS at n2"
at n2 "$BIN/qmesh" --server https://localhost:7444 --ca "$LAB/n2/tls.crt" health >/dev/null || lab_fail "gRPC over TLS at n2"
[ "$(api_status n1 GET /api/mesh/devices)" = 200 ] || lab_fail "session at its node"
cp "$LAB/n1.session" "$LAB/kept"
cp "$LAB/n2.session" "$LAB/n1.session"
[ "$(api_status n1 GET /api/mesh/devices)" = 401 ] || lab_fail "a session of n2 is good at n1"
mv "$LAB/kept" "$LAB/n1.session"
ok "TLS with the node's own certificate; a session is good at its node only"

laptop=$(lab_add_device n2 laptop LAPTOP)
key=$(jq -r .device.public_key "$LAB/laptop.json")
ip=$(jq -r .device.mesh_ip "$LAB/laptop.json")
lab_client laptop
lab_until 10 "connected at n1" lab_has_status n1 "$laptop" CONNECTED
lab_stop noded-n2
lab_until 20 "unknown at n1" lab_has_status n1 "$laptop" UNKNOWN
at laptop ping -q -c 2 -i 0.2 -W 2 "$(lab_state n1 | jq -r .mesh_ip)" >/dev/null || lab_fail "traffic ended with the daemon"
lab_node_start n2
lab_until 20 "connected again at n1" lab_has_status n1 "$laptop" CONNECTED
ok "a home that goes away: unknown elsewhere, traffic goes on, back when it is back"

lab_admin user add acme bob --role member --password-file - <<<"$PASSWORD" >/dev/null
lab_admin user set acme anna --disable >/dev/null || lab_fail "disable"
lab_until 10 "the owner's device gone from n2" lacks_peer n2 "$key"
lab_until 10 "its address gone from n1" lacks_ip n1 "$ip"
signed_out() { [ "$(api_status n1 GET /api/mesh/devices)" = 401 ]; }
lab_until 10 "the session's end at n1" signed_out
lab_admin user set acme anna --enable >/dev/null || lab_fail "enable"
lab_until 10 "the device back at n2" has_peer n2 "$key"
lab_sign_in n1
lab_until 20 "connected again" lab_has_status n1 "$laptop" CONNECTED
ok "a disabled owner: device suspended everywhere, sessions end, all comes back"

# A machine that is too busy for five seconds gets another try with another device.
for again in 1 2 3 4 5; do
	progress=$(at n1 curl -sS -D - -o /dev/null -X DELETE -H "Authorization: Bearer $(cat "$LAB/n1.session")" \
		"http://127.0.0.1:7480/api/mesh/devices/$laptop?wait=5s" | tr -d '\r' | sed -n 's/^qmesh-converged: //p')
	[[ $progress != 2/2* ]] || break
	laptop=$(lab_add_device n1 "more$again" LAPTOP)
	key=$(jq -r .device.public_key "$LAB/more$again.json") ip=$(jq -r .device.mesh_ip "$LAB/more$again.json")
	lab_until 10 "the next device at n1" has_ip n1 "$ip"
done
[[ $progress = 2/2* ]] || lab_fail "delete converged: $progress"
lacks_peer n2 "$key" || lab_fail "told 2/2 and n2 has it still"
lacks_ip n1 "$ip" || lab_fail "told 2/2 and n1 has it still"
ok "a delete with wait=5s answers $progress and is everywhere"

lab_check_logs
printf 'passed %d failed 0 skipped 0\n' "$passed"
