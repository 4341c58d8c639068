#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What bench_node measures with packets: a node of ours with a phone beside the
# same made by hand, in namespaces. Prints "WORD NUMBER" lines.
#   mesh.bash throughput PAIRS SECONDS | mesh.bash gaps ROUNDS CHANGES
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 1
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT
part=$1 rounds=$2 amount=$3

node_and_phone() {
	lab_up cp n1 phone n2 laptop
	lab_cp "provision_limit = 100" "provision_period = 1s" "log_level = warn" "listen_plain = 127.0.0.1:7480" "apply_wait = 0s"
	lab_tenant enterprise
	lab_node n1 "log_level = warn"
	lab_until 20 "node n1" lab_node_ready n1
	lab_sign_in n1
	n1_ip=$(lab_state n1 | jq -r .mesh_ip)
	phone=$(lab_add_device n1 phone LAPTOP)
	lab_client phone
	lab_until 20 "the phone's green status" lab_has_status n1 "$phone" CONNECTED
}

# The same by hand: wireguard-go, wg, ip; no daemon, no rules.
by_hand() {
	local host
	for host in n2 laptop; do
		(umask 077 && wg genkey >"$LAB/$host.key")
	done
	# A session of its own, as the node's: the kernel shares out busy cores by sessions.
	lab_start wg-n2 n2 setsid "$WGGO" -f wg1
	lab_start wg-laptop laptop "$WGGO" -f wg1
	for host in n2 laptop; do lab_until 10 "wireguard-go of $host" at "$host" test -S /var/run/wireguard/wg1.sock; done
	at n2 wg set wg1 private-key "$LAB/n2.key" listen-port 51820 peer "$(wg pubkey <"$LAB/laptop.key")" allowed-ips 10.9.0.2/32
	at laptop wg set wg1 private-key "$LAB/laptop.key" peer "$(wg pubkey <"$LAB/n2.key")" allowed-ips 10.9.0.0/16 \
		endpoint "198.51.100.${LAB_ADDR[n2]}:51820" persistent-keepalive 25
	at n2 ip addr add 10.9.0.1/16 dev wg1
	at laptop ip addr add 10.9.0.2/16 dev wg1
	for host in n2 laptop; do at $host ip link set wg1 mtu 1420 up; done
	lab_until 20 "the tunnel by hand" at laptop ping -q -c 1 -W 1 10.9.0.1
}

bits() { # host address: what its server receives
	at "$1" iperf3 -c "$2" -t "$amount" -J --connect-timeout 10000 | jq -er .end.sum_received.bits_per_second
}

throughput() {
	local i
	command -v iperf3 >/dev/null || lab_fail "there is no iperf3"
	by_hand
	lab_start iperf-n1 n1 iperf3 -s -B "$n1_ip"
	lab_start iperf-n2 n2 iperf3 -s -B 10.9.0.1
	lab_until 10 "iperf3 of n1" sh -c "nsenter -t ${LAB_HOST[n1]} -n ss -ltn | grep -q :5201"
	lab_until 10 "iperf3 of n2" sh -c "nsenter -t ${LAB_HOST[n2]} -n ss -ltn | grep -q :5201"
	for i in $(seq "$rounds"); do
		# Each goes first as often as the other.
		if [ $((i % 2)) = 0 ]; then
			printf 'ours %s\n' "$(bits phone "$n1_ip")"
			printf 'hand %s\n' "$(bits laptop 10.9.0.1)"
		else
			printf 'hand %s\n' "$(bits laptop 10.9.0.1)"
			printf 'ours %s\n' "$(bits phone "$n1_ip")"
		fi
	done
}

stream_on() {
	rm -f "$LAB/serve.log"
	lab_start serve n1 tests/bench/node/stream.py serve "$n1_ip"
	lab_until 10 "the stream's far side" grep -q ready "$LAB/serve.log"
	lab_start send phone tests/bench/node/stream.py send "$n1_ip"
	sleep 0.5
}
stream_off() { # word
	sleep 0.5
	lab_stop send
	{ wait "${LAB_PID[serve]}"; } 2>/dev/null
	unset "LAB_PID[serve]"
	printf '%s %s\n' "$1" "$(sed -n 2p "$LAB/serve.log" | cut -d' ' -f1)"
}

# So many devices more, 16 at once, until the node has them all.
add_devices() { # n prefix
	local i token
	if [ ! -s "$LAB/tokens" ]; then
		for i in $(seq 40); do
			printf '%s' "$PASSWORD" | lab_admin user add acme "u$i" --role member --password-file - >/dev/null || lab_fail "user u$i"
			token=$(at cp curl -sS -H 'Content-Type: application/json' http://127.0.0.1:7480/api/auth/login \
				--data "{\"user\":\"u$i\",\"password\":\"$PASSWORD\"}" | jq -er .token) || lab_fail "sign-in of u$i"
			printf '%s\n' "$token" >>"$LAB/tokens"
		done
	fi
	want=$(($(lab_state n1 | jq .peer_count) + $1))
	at cp "$QMESH_BUILD/tests/support/store_load" http://127.0.0.1:7480 "$LAB/tokens" "$1" 16 own "$2" >&2 || lab_fail "devices"
	lab_until 60 "$want peers" has_peers
}
has_peers() { [ "$(lab_state n1 | jq .peer_count)" -ge "$want" ]; }

gaps() {
	local i
	add_devices 1 first
	for i in $(seq "$rounds"); do
		stream_on
		sleep 3
		stream_off quiet
		stream_on
		add_devices "$amount" "r$i"
		stream_off changes
		stream_on
		lab_stop noded-n1 "$([ $((i % 2)) = 0 ] && echo KILL || echo TERM)"
		lab_node_start n1
		lab_until 20 "node n1 again" lab_node_ready n1
		stream_off restart
	done
}

node_and_phone
"$part"
