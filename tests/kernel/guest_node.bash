# SPDX-License-Identifier: Apache-2.0
# Runs in the guest: Control Panel, node and a phone, all on the kernel's
# WireGuard. The same lab as in tests/netns, on a machine that has the module.
set -uo pipefail
cd / || exit 1
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT
passed=0
ALL=7
# The cap is on all of the guest: what a busy machine has no time for is named, not begun.
ok() {
	passed=$((passed + 1))
	printf 'ok %d - node: %s\n' $passed "$*"
	[ "$(cut -d. -f1 /proc/uptime)" -gt $((${CAP_S:-200} * 140 / 200)) ] && [ $passed -lt $ALL ] || return 0
	lab_check_logs
	echo "skipped: the rest of the node's test, this machine is too busy for the cap"
	printf 'passed %d failed 0 skipped %d\n' $passed $((ALL - passed))
	exit 0
}

# A stock client of the kernel.
lab_client() { # host
	local address
	at "$1" ip link add wg0 type wireguard
	lab_setconf "$1"
	for address in $(sed -n 's/^Address *= *//p' "$LAB/$1.wg.conf" | tr ',' ' '); do
		at "$1" ip addr add "$address" dev wg0
	done
	at "$1" ip link set wg0 up
	for address in $(sed -n 's/^AllowedIPs *= *//p' "$LAB/$1.wg.conf" | tr ',' ' '); do
		at "$1" ip route replace "$address" dev wg0
	done
}
kernel_made() { at n1 ip -d link show "$LAB_IF" | grep -qw wireguard; }
has_peer() { at n1 wg show "$LAB_IF" peers | grep -q .; }

lab_up cp n1 phone
lab_cp "provision_limit = 100"
lab_tenant pro
lab_node n1
lab_until 60 "node n1" lab_node_ready n1
lab_state n1 | jq -e '.backend == "kernel" and .backend_why == "the kernel has WireGuard"' >/dev/null || lab_fail "back end: $(lab_state n1)"
kernel_made || lab_fail "the interface is none of the kernel"
grep -q 'back end kernel: the kernel has WireGuard' "$LAB/noded-n1.log" || lab_fail "the log does not say why"
ok "takes the kernel by itself, says so and why"

n1_ip=$(lab_state n1 | jq -r .mesh_ip)
lab_sign_in n1
phone=$(lab_add_device n1 phone IPHONE)
lab_client phone
lab_until 30 "the phone's green status" lab_has_status n1 "$phone" CONNECTED
at phone ping -q -c 3 -i 0.2 -W 5 "$n1_ip" >"$LAB/ping.txt" || lab_fail "ping: $(cat "$LAB/ping.txt")"
ok "a phone is added, connected and answered"

stamps=$(lab_stamp n1)
at phone ping -q -i 0.2 -c 60 -W 5 "$n1_ip" >"$LAB/ping.txt" &
ping_pid=$!
for signal in TERM KILL; do
	lab_stop noded-n1 $signal
	lab_node_start n1
	lab_until 60 "node n1 after $signal" lab_node_ready n1
done
wait $ping_pid
[ "$(lab_lost "$LAB/ping.txt")" = 0 ] || lab_fail "pings lost: $(cat "$LAB/ping.txt")"
[ "$(lab_stamp n1)" = "$stamps" ] || lab_fail "sessions were made anew"
grep -q 'back end kernel: the interface is there' "$LAB/noded-n1.log" || lab_fail "not adopted"
ok "stopped and killed under ping: none lost, same session"

# A phone whose node forgot it finds out after 15 s; one that is switched off and on at once.
switch_phone() { lab_setconf phone; }

lab_stop cpd
lab_stop noded-n1 KILL
at n1 ip link del "$LAB_IF"
lab_node_start n1
lab_until 60 "the interface from the cache" has_peer
switch_phone
lab_until 60 "the phone" at phone ping -q -c 1 -W 5 "$n1_ip"
ok "interface and Control Panel gone: up from its cache"

# Somebody looks: then the node does so each second.
[ "$(api_status n1 GET /api/mesh/devices)" = 200 ] || lab_fail "no reading from the cache"
at n1 ip link del "$LAB_IF"
lab_until 60 "a new interface" has_peer
switch_phone
lab_until 60 "the phone" at phone ping -q -c 1 -W 5 "$n1_ip"
at n1 wg set "$LAB_IF" peer "$(at n1 wg show "$LAB_IF" peers | head -1)" remove
lab_until 60 "the peer" has_peer
ok "interface or peer removed by hand: put back"

lab_stop noded-n1
echo 'wg_backend = userspace' >>"$LAB/n1.conf"
lab_node_start n1
lab_until 60 "the other back end's refusal" grep -q 'there already and no userspace one' "$LAB/noded-n1.log"
has_peer || lab_fail "the interface suffered from it"
lab_stop noded-n1
ok "the other back end configured: refused, the interface goes on"

at n1 "$BIN/qmesh-noded" --config "$LAB/n1.conf" --teardown >>"$LAB/noded-n1.log" 2>&1 || lab_fail "teardown"
! at n1 ip link show "$LAB_IF" >/dev/null 2>&1 || lab_fail "the interface is still there"
at n1 nft list tables | grep -q qmesh && lab_fail "our table is still there"
ok "teardown leaves nothing"

lab_check_logs
printf 'passed %d failed 0 skipped 0\n' "$passed"
