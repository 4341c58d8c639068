#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the Control Panel decides, seen at a node: plan, licence and cap from the
# node's replica word for word as the Control Panel has them, a smaller plan that
# leaves running devices alone, and a disabled user whose session ends here and
# whose devices have neither peer nor name until the user is enabled.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s\n' $passed "$*"; }
api_cp() { # path: as anna at the Control Panel
	at cp curl -sS --max-time 20 -H "Authorization: Bearer $(cat "$LAB/cp.session")" "http://127.0.0.1:7480$1"
}

sign() { # serial plan flags...: LAB/licence.qml
	local serial=$1 plan=$2
	shift 2
	scripts/licence-sign sign "$LAB/vendor.key" --licensee Acme --serial "$serial" --plan "$plan" \
		--control-panel "$panel" "$@" >"$LAB/licence.qml"
}
licence() { "$BIN/qmesh" --server "unix:$LAB/cpd.sock" license "$@"; }
same() { # path filter: the node says what the Control Panel says
	local here there
	here=$(api n1 GET "$1" | jq -cS "$2") && there=$(api_cp "$1" | jq -cS "$2")
	[ -n "$here" ] && [ "$here" = "$there" ]
}
both_doors() {
	same /api/license/orbit-features . &&
		same /api/mesh/state '[.plan,.plan_source,.licence_state,.licence_expires_at,.notices,.devices_used,.devices_cap]'
}
plan_is() { api n1 GET /api/license/orbit-features | jq -e --arg p "PLAN_$1" '.plan == $p'; }
n_peers() { at n1 wg show "$LAB_IF" peers | wc -l; }
peers_are() { [ "$(n_peers)" = "$1" ]; }
status_is() { # http-status verb path
	[ "$(api_status n1 "$2" "$3")" = "$1" ]
}

lab_up cp n1
scripts/licence-sign keygen "$LAB/vendor.key" --name "Example Ltd" >"$LAB/vendor-keys"
lab_cp "provision_limit = 100" "licence_vendor_key_file = $LAB/vendor-keys" "listen_plain = 127.0.0.1:7480"
lab_admin tenant add acme >/dev/null
for user in anna bert; do
	role="admin"
	[ $user = anna ] || role=member
	printf '%s' "$PASSWORD" | lab_admin user add acme $user --role $role --password-file - >/dev/null
done
panel=$(licence show --json | jq -r .status.control_panel)
lab_node n1
lab_until 20 "node n1" lab_node_ready n1
lab_sign_in n1
at cp curl -sS -H 'Content-Type: application/json' --data "{\"user\":\"anna\",\"password\":\"$PASSWORD\"}" \
	http://127.0.0.1:7480/api/auth/login | jq -er .token >"$LAB/cp.session"
both_doors || lab_fail "Free: the node says something else"
id=$(lab_add_device n1 one LAPTOP)
status_is 403 GET "/api/mesh/devices/$id/stats" || lab_fail "stats on the Free plan"
api n1 GET "/api/mesh/devices/$id/stats" | jq -e '.details[0].metadata
	| .feature == "peer_stats" and .needs == "Pro" and .plan == "Free"' >/dev/null ||
	lab_fail "the refusal does not name the plan"
ok "without a licence: Free, at both doors"

sign 1 pro --device-cap 5
licence install "$LAB/licence.qml" >/dev/null || lab_fail "install"
lab_until 10 "Pro at the node" plan_is PRO
lab_until 5 "the same words" both_doors
lab_until 5 "stats" status_is 200 GET "/api/mesh/devices/$id/stats"
for window in 1m 1h 24h; do
	status_is 200 GET "/api/mesh/devices/$id/stats?window=$window" || lab_fail "window $window"
done
status_is 400 GET "/api/mesh/devices/$id/stats?window=7d" || lab_fail "a window that is none"
for n in two three four five; do lab_add_device n1 $n LAPTOP >/dev/null; done
ok "a licence reaches the node's answers"

sign 2 free
licence install "$LAB/licence.qml" >/dev/null || lab_fail "install"
lab_until 10 "Free at the node" plan_is FREE
lab_until 5 "the same words" both_doors
api n1 GET /api/mesh/state | jq -e '.notices[0] | startswith("Over cap: 5 of 3 devices")' >/dev/null ||
	lab_fail "the state does not say that it is over its cap"
api n1 POST /api/mesh/devices '{"label":"six"}' |
	jq -e '.details[0] | .reason == "DEVICE_CAP_REACHED" and .metadata.used == "5"' >/dev/null ||
	lab_fail "a sixth device"
lab_until 10 "five devices at the interface" peers_are 5
ok "a smaller plan: new devices refused, 5 of 3 go on"

# Too late to be installed on a machine that is too busy: then a longer one.
for life in 3 12 48; do
	sign 3 pro --expires "$(date -u -d "+$life seconds" +%FT%TZ)" --grace-days 0
	licence install "$LAB/licence.qml" >"$LAB/install.txt" 2>&1 && break
	grep -q 'expired' "$LAB/install.txt" || lab_fail "install: $(cat "$LAB/install.txt")"
done
expired() { api n1 GET /api/mesh/state | jq -e '.licence_state == "LICENCE_STATE_EXPIRED" and .plan == "PLAN_FREE"'; }
lab_until 15 "the end at the node" expired
lab_until 5 "the same words" both_doors
lab_stop cpd
expired >/dev/null || lab_fail "without the Control Panel the node forgot"
lab_cp_start
lab_until 20 "node n1" lab_node_ready n1
peers_are 5 || lab_fail "running devices were touched: $(n_peers) peers"
ok "an expired licence, told by the replica with the Control Panel away"

sign 4 team
licence install "$LAB/licence.qml" >/dev/null || lab_fail "install"
lab_until 10 "Team at the node" plan_is TEAM
cp "$LAB/n1.session" "$LAB/anna.session"
at n1 curl -sS -H 'Content-Type: application/json' --data "{\"user\":\"bert\",\"password\":\"$PASSWORD\"}" \
	http://127.0.0.1:7480/api/auth/login | jq -er .token >"$LAB/n1.session"
bert=$(lab_add_device n1 berts LAPTOP)
address=$(jq -r .device.mesh_ip "$LAB/berts.json")
named() { at n1 dig +short +tries=1 +time=1 "@$(lab_state n1 | jq -r .mesh_ip)" berts.quazzar.mesh | grep -qxF "$address"; }
not_named() { ! named; }
lab_until 10 "bert's peer" peers_are 6
if command -v dig >/dev/null; then lab_until 5 "bert's name" named; fi
lab_admin user set acme bert --disable >/dev/null
lab_until 5 "the session's end at the node" status_is 401 GET /api/mesh/devices
lab_until 5 "the peer's end" peers_are 5
if command -v dig >/dev/null; then lab_until 5 "the name's end" not_named; fi
cp "$LAB/n1.session" "$LAB/bert.session"
cp "$LAB/anna.session" "$LAB/n1.session"
lab_until 5 "suspended" lab_has_status n1 "$bert" SUSPENDED
lab_device n1 "$bert" | jq -e --arg a "$address" '.mesh_ip == $a and .label == "berts"' >/dev/null ||
	lab_fail "address or label of the suspended device"
api n1 POST /api/mesh/devices '{"label":"Berts"}' | jq -e '.details[0].reason == "LABEL_TAKEN"' >/dev/null ||
	lab_fail "the suspended device's name was given away"
lab_admin user set acme bert --enable >/dev/null
lab_until 5 "the peer is back" peers_are 6
if command -v dig >/dev/null; then lab_until 5 "the name is back" named; fi
cp "$LAB/bert.session" "$LAB/n1.session"
status_is 401 GET /api/mesh/devices || lab_fail "the old session lives again"
ok "a disabled user: session, peers and names end at the node, and come back"

cp "$LAB/anna.session" "$LAB/n1.session"
token=$(api n1 POST /api/auth/tokens '{"name":"robot"}')
(umask 077 && jq -er .token <<<"$token" >"$LAB/robot.session") || lab_fail "a token: $token"
cp "$LAB/robot.session" "$LAB/n1.session"
api n1 GET '/api/mesh/devices?all=true' | jq -e 'length == 6' >/dev/null || lab_fail "the token at the node"
status_is 200 GET /api/mesh/state || lab_fail "state by token"
api n1 GET /api/mesh/peers | jq -e '.details[0].reason == "ROLE_REQUIRED"' >/dev/null ||
	lab_fail "a node's own method by a token that it cannot check"
lab_stop cpd
status_is 503 GET /api/mesh/devices || lab_fail "a token without the Control Panel"
lab_cp_start
lab_until 20 "node n1" status_is 200 GET /api/mesh/state
cp "$LAB/anna.session" "$LAB/n1.session"
api n1 DELETE "/api/auth/tokens/$(jq -r .info.id <<<"$token")" >/dev/null
cp "$LAB/robot.session" "$LAB/n1.session"
status_is 401 GET /api/mesh/devices || lab_fail "a revoked token"
ok "a service token at a node: passed on, or refused"

lab_check_logs
printf 'passed %d failed 0 skipped 0\n' $passed
