#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Many nodes under one Control Panel, each with an interface of its own: who is
# up to date and who not, since when and why, told alike at the Control Panel, at
# a node and in /metrics; then loss, cuts and a crash of the Control Panel while
# devices come, go and rotate. After that each interface must have exactly the
# peers that the store says. 8 nodes; 20 with --long (or QMESH_LONG=1).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
N=8
[ "${1:-}" != --long ] && [ "${QMESH_LONG:-}" != 1 ] || N=20
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
# What is stopped does not end by TERM.
done_here() {
	[ -z "${LAB_PID[noded-m2]:-}" ] || kill -CONT "${LAB_PID[noded-m2]}" 2>/dev/null
	lab_down
}
trap done_here EXIT
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s (%d s)\n' $passed "$*" $SECONDS; }

NODES=()
for i in $(seq $N); do
	NODES+=("m$i")
	# shellcheck disable=SC2034
	LAB_ADDR["m$i"]=$((20 + i))
done
declare -A ID
lab_up cp "${NODES[@]}"
lab_cp "provision_limit = 100" "provision_period = 1s" "listen_plain = 127.0.0.1:7480" \
	"metrics = 127.0.0.1:9100" "apply_wait = 0s"
lab_tenant enterprise
for node in "${NODES[@]}"; do lab_node "$node" "firewall = off"; done
for node in "${NODES[@]}"; do lab_until 30 "node $node" lab_node_ready "$node"; done
lab_sign_in cp
lab_sign_in m1
for node in "${NODES[@]}"; do ID[$node]=$(lab_state "$node" | jq -r .node_id); done
ok "$N nodes"

# --- one look ---

# A state told by a daemon: "LABEL STATE" of each laggard.
laggards() { api "$1" GET /api/mesh/state | jq -r '.laggards[] | .label + " " + .state' | sort; }
all_current() { # daemon
	api "$1" GET /api/mesh/state |
		jq -e --argjson n $N '.converged and .nodes == $n and .nodes_current == $n and (.laggards | length) == 0'
}
device() { # label home [key]: created at the Control Panel
	api cp POST /api/mesh/devices "{\"label\":\"$1\",\"node_id\":\"${ID[$2]}\"${3:+,\"public_key\":\"$3\"}}"
}
lab_until 20 "all up to date at the Control Panel" all_current cp
lab_until 20 "all up to date at m1" all_current m1

# Linux takes no peer with the interface's own key, and says nothing.
(umask 077 && wg genkey >"$LAB/odd.key")
at m3 wg set "$LAB_IF" private-key "$LAB/odd.key"
lab_stop noded-m4
kill -STOP "${LAB_PID[noded-m2]}"
odd=$(device odd m3 "$(wg pubkey <"$LAB/odd.key")" | jq -er .device.id) || lab_fail "device odd"

is_told() { # daemon
	local told
	told=$(laggards "$1") || return 1
	grep -qE '^m2 NODE_STATE_(BEHIND|SILENT)$' <<<"$told" && grep -qx 'm3 NODE_STATE_REFUSED' <<<"$told" &&
		grep -qx 'm4 NODE_STATE_OFFLINE' <<<"$told" && [ "$(wc -l <<<"$told")" = 3 ]
}
lab_until 20 "the three are told at the Control Panel: $(laggards cp)" is_told cp
lab_until 20 "the three are told at m1: $(laggards m1)" is_told m1
api cp GET /api/mesh/state | jq -e --argjson n $N '.nodes == $n and .nodes_current == $n - 3 and .nodes_lagging == 3 and
	(.laggards | all(.since != null)) and
	(.laggards[] | select(.label == "m3").why | startswith("applied, 1 failed: its interface refuses odd"))' >/dev/null ||
	lab_fail "state: $(api cp GET /api/mesh/state)"
status=$(at m1 "$BIN/qmesh" --server http://127.0.0.1:7480 --token-file "$LAB/m1.session" status)
for words in "m3: applied, 1 failed: its interface refuses odd" "m4: not connected to the Control Panel" "m2: connected, "; do
	grep -qF "$words" <<<"$status" || lab_fail "qmesh status lacks '$words': $status"
done
nodes=$(lab_admin node list acme)
grep -qE '^m3 .*refused.*applied, 1 failed' <<<"$nodes" || lab_fail "node list: $nodes"
metrics=$(at cp curl -sSf http://127.0.0.1:9100/metrics)
for row in 'node="m2",state="(behind|silent)"' 'node="m3",state="refused"' 'node="m4",state="offline"'; do
	grep -qE "^qmesh_node_lag_seconds\{tenant=\"acme\",$row\} [0-9]+$" <<<"$metrics" || lab_fail "metrics lack $row: $metrics"
done
grep -qx 'qmesh_nodes_by_state{state="refused"} 1' <<<"$metrics" || lab_fail "metrics: $metrics"
ok "a stopped node, one that refuses a peer and one that is away are told by name, since when and why"

kill -CONT "${LAB_PID[noded-m2]}"
lab_node_start m4
progress=$(at cp curl -sS -D - -o /dev/null -X DELETE -H "Authorization: Bearer $(cat "$LAB/cp.session")" \
	"http://127.0.0.1:7480/api/mesh/devices/$odd?wait=5s" | tr -d '\r' | sed -n 's/^qmesh-converged: //p')
[[ $progress =~ ^[0-9]+/[0-9]+ ]] || lab_fail "delete converged: $progress"
lab_stop noded-m3
lab_node_start m3
lab_until 30 "all up to date again at the Control Panel" all_current cp
lab_until 30 "all up to date again at m1" all_current m1
ok "all up to date again; the delete answered $progress"

# --- loss, cuts, a crash ---

hurt() { # node words: of what comes from and goes to the Control Panel they say what is dropped
	at "$1" nft -f - <<-RULES || lab_fail "nft at $1"
		table inet hurt {
			chain in { type filter hook input priority 0; tcp sport 7443 $2 drop; }
			chain out { type filter hook output priority 0; tcp dport 7443 $2 drop; }
		}
	RULES
}
heal() { at "$1" nft delete table inet hurt; }

pick() { printf '%s\n' "${NODES[RANDOM % N]}"; }
rotate() { # id
	api cp POST "/api/mesh/devices/$1:rotate" '{"immediate":true}'
}
# Some are made, one goes, one rotates; the Control Panel may be away meanwhile.
churn() { # round
	local k id
	for k in 1 2 3; do device "r$1-$k" "$(pick)" >/dev/null 2>&1; done
	id=$(api cp GET '/api/mesh/devices?all=true' 2>/dev/null | jq -r '.[0].id // empty' 2>/dev/null)
	[ -z "$id" ] || api cp DELETE "/api/mesh/devices/$id" >/dev/null 2>&1
	id=$(api cp GET '/api/mesh/devices?all=true' 2>/dev/null | jq -r '.[-1].id // empty' 2>/dev/null)
	[ -z "$id" ] || rotate "$id" >/dev/null 2>&1
	return 0
}

for i in $(seq 2 $((N / 4 + 1))); do hurt "m$i" "numgen random mod 100 < 20"; done
for i in $(seq $((N / 4 + 2)) $((N / 2 + 1))); do hurt "m$i" ""; done
churn 1
churn 2
lab_stop cpd KILL
lab_cp_start
churn 3
lab_stop cpd
churn 4
lab_cp_start
churn 5
for i in $(seq 2 $((N / 2 + 1))); do heal "m$i"; done

# What the store says against what each interface has: keys and addresses.
look() {
	api cp GET '/api/mesh/devices?all=true&page_size=4096' >"$LAB/devices.json" &&
		api cp GET '/api/mesh/nodes?page_size=500' >"$LAB/nodes.json"
}
wanted() { # node
	jq -n -r --arg x "${ID[$1]}" --slurpfile n "$LAB/nodes.json" --slurpfile d "$LAB/devices.json" '
		def ips: .mesh_ip + "/32", .mesh_ip6 + "/128";
		(($n[0][] | select(.id != $x) | . as $node |
			[.public_key, ([ips] + [$d[0][] | select(.node_id == $node.id) | ips] | sort | join(","))]),
		($d[0][] | select(.node_id == $x) | [.public_key, ([ips] | sort | join(","))])) | join(" ")' | sort
}
running() { # node
	at "$1" wg show "$LAB_IF" allowed-ips | jq -R -r 'split("\t") | .[0] + " " + (.[1] | split(" ") | sort | join(","))' | sort
}
agrees() { # node
	look || return 1
	local want have
	want=$(wanted "$1") && have=$(running "$1") || return 1
	[ -n "$want" ] && [ "$want" = "$have" ]
}
lab_until 30 "a session at the Control Panel" look
for node in "${NODES[@]}"; do lab_until 30 "interface of $node and store agree" agrees "$node"; done
# The Control Panel compares them too, by the digests that nodes report.
inspected() {
	at cp curl -sS http://127.0.0.1:9100/metrics | awk -v n=$N '$1 == "qmesh_interfaces_inspected_total" && $2 >= n { ok = 1 } END { exit !ok }'
}
lab_until 30 "each interface was compared" inspected
lab_until 30 "all up to date after the healing" all_current cp
ok "after loss, cuts and a crash all $N interfaces have what the store says: $(jq length "$LAB/devices.json") devices"

lab_check_logs
printf 'passed %d failed 0 skipped 0\n' $passed
