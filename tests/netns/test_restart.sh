#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A node's daemon comes and goes; interface and sessions stay. wireguard-go
# dies; the node makes it anew. --teardown leaves nothing.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s\n' $passed "$*"; }

lab_up cp n1 phone
lab_cp
lab_tenant pro
switches() {
	at n1 sh -c 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding /proc/sys/net/ipv6/conf/eth0/accept_ra'
}
before=$(switches)
at n1 nft 'add table ip foreign; add chain ip foreign forward { type filter hook forward priority 0; policy drop; }'
lab_node n1
lab_until 20 "node n1" lab_node_ready n1
n1_ip=$(lab_state n1 | jq -r .mesh_ip)
lab_state n1 | jq -e '.forwarding | startswith("blocked by chain forward in table ip foreign; what helps: nft insert rule")' >/dev/null ||
	lab_fail "a foreign chain that drops was not named: $(lab_state n1)"
ok "node up, a foreign chain that drops is named"

lab_sign_in n1
phone=$(lab_add_device n1 phone IPHONE)
waits() { lab_device n1 "$phone" | jq -e '.applied and .status == "DEVICE_STATUS_WAITING"'; }
lab_until 5 "the phone applied" waits
lab_client phone
lab_until 10 "the phone's green status" lab_has_status n1 "$phone" CONNECTED
stamps=$(lab_stamp n1)

# A hundred a second, until told to stop.
lab_start ping phone ping -q -i 0.01 -W 20 "$n1_ip"
for signal in TERM KILL TERM KILL; do
	lab_stop noded-n1 $signal
	sleep 0.3
	lab_node_start n1
	lab_until 10 "node n1 after $signal" lab_node_ready n1
done
# An upgrade: the next one is another file.
cp "$BIN/qmesh-noded" "$LAB/qmesh-noded"
lab_stop noded-n1
lab_start noded-n1 n1 "$LAB/qmesh-noded" --config "$LAB/n1.conf"
lab_until 10 "node n1 after its upgrade" lab_node_ready n1
lab_stop ping INT
mv "$LAB/ping.log" "$LAB/ping.txt"
sent=$(sed -n 's/^\([0-9]*\) packets transmitted.*/\1/p' "$LAB/ping.txt")
[ "$sent" -ge 100 ] || lab_fail "pings sent: $(cat "$LAB/ping.txt")"
# The last one may have been under way when it ended.
[ "$(lab_lost "$LAB/ping.txt")" -le 1 ] || lab_fail "pings lost: $(cat "$LAB/ping.txt")"
[ "$(lab_stamp n1)" = "$stamps" ] || lab_fail "sessions were made anew"
ok "two stops, two kill -9 and an upgrade under $sent pings, 100 a second: none lost, same sessions"

lab_stop cpd
lab_stop noded-n1 KILL
lab_node_start n1
lab_until 10 "n1 from its cache" lab_state n1
at phone ping -q -i 0.1 -c 10 -W 2 "$n1_ip" >"$LAB/ping.txt"
[ "$(lab_lost "$LAB/ping.txt")" = 0 ] || lab_fail "no traffic from the cache"
[ "$(api_status n1 GET /api/mesh/devices)" = 200 ] || lab_fail "no reading from the cache"
[ "$(api_status n1 POST /api/mesh/refresh)" = 503 ] || lab_fail "refresh without the Control Panel"
ok "starts from its cache while the Control Panel is away"

lab_cp_start
lab_until 30 "n1 back" lab_node_ready n1
[ "$(api_status n1 POST /api/mesh/refresh)" = 204 ] || lab_fail "refresh"
ok "refresh answers 204 once the list is applied"

read -r pid _ <"$LAB/n1/$LAB_IF.pid"
kill -9 "$pid"
is_another() {
	local now
	read -r now _ <"$LAB/n1/$LAB_IF.pid" && [ "$now" != "$pid" ] && lab_runs "$now"
}
lab_until 30 "a new interface" is_another
lab_until 30 "the phone after the crash" at phone ping -q -c 1 -W 1 "$n1_ip"
ok "wireguard-go killed: the node makes the interface anew and the phone comes back"

at n1 wg set "$LAB_IF" peer "$(at n1 wg show "$LAB_IF" peers | head -1)" remove
lab_until 20 "the peer put back" sh -c "nsenter -t ${LAB_HOST[n1]} -n -m -r -w wg show $LAB_IF peers | grep -q ."
ok "a peer that somebody removed by hand is put back"

at n1 nft flush ruleset
lab_until 45 "our table put back" at n1 nft list table inet qmesh
unblocked() { lab_state n1 | jq -e '.forwarding == ""'; }
lab_until 20 "the foreign chain is named no more" unblocked
at n1 nft 'add table ip foreign; add chain ip foreign forward { type filter hook forward priority 0; }'
ok "our table is put back when somebody flushes all rules"

lab_stop noded-n1
at n1 "$BIN/qmesh-noded" --config "$LAB/n1.conf" --teardown >>"$LAB/noded-n1.log" 2>&1 || lab_fail "teardown"
! at n1 ip link show "$LAB_IF" >/dev/null 2>&1 || lab_fail "the interface is still there"
at n1 nft list tables | grep -q qmesh && lab_fail "our table is still there"
at n1 nft list tables | grep -q foreign || lab_fail "the foreign table is gone"
after=$(switches)
[ "$before" = "$after" ] || lab_fail "switches differ: $before / $after"
at n1 "$BIN/qmesh-noded" --config "$LAB/n1.conf" --teardown >>"$LAB/noded-n1.log" 2>&1 || lab_fail "teardown again"
ok "teardown leaves nothing, foreign rules stay, a second one is fine"

lab_node_start n1
lab_until 20 "n1 after its teardown" lab_node_ready n1
go=$(cut -d' ' -f1 "$LAB/n1/$LAB_IF.pid")
at n1 wg show "$LAB_IF" peers | grep -q . || lab_fail "no peer before the removal"
lab_admin node remove acme n1 --force >/dev/null || lab_fail "remove n1"
says_removed() {
	lab_state n1 | jq -e '(.active | not) and .peer_count == 0 and (.forwarding | test("was removed at the Control Panel"))'
}
lab_until 20 "a removed node that says so" says_removed
lab_until 20 "words of the refusal" \
	grep -q 'knows no such node: it was removed' "$LAB/noded-n1.log"
is_closed() {
	! at n1 ip link show "$LAB_IF" && ! lab_runs "$go" && ! at n1 nft list table inet qmesh &&
		[ "$(switches)" = "$before" ] && [ ! -e "$LAB/n1/$LAB_IF.pid" ]
}
lab_until 20 "a removed node that takes everything back" is_closed
lab_stop noded-n1
lab_node_start n1
lab_until 20 "a removed node that says so after a start" says_removed
is_closed 2>/dev/null || lab_fail "a removed node made its interface anew"
at n1 "$BIN/qmesh-noded" --config "$LAB/n1.conf" --teardown >>"$LAB/noded-n1.log" 2>&1 || lab_fail "teardown of a removed node"
ok "a node that was removed says so, serves nobody and takes interface, rules and switches back"

lab_check_logs
printf 'passed %d failed 0 skipped 0\n' "$passed"
