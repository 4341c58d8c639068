#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ways through NATs and why there is none. A public node, a node and a phone
# each behind a NAT of its own, an endpoint that is a name; node and phone move
# under ping. And each reason of `qmesh why`, made to happen, told alike by the
# node, another node and the Control Panel, by REST and by gRPC.
#
#      cp .10    n1 .1     nat-a .21 ---- n2 192.168.21.2
#        |         |         |
#   =====+=========+=========+=========+===== 198.51.100.0/24
#                                      |
#                           nat-b .22 ---- phone 192.168.22.2
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
command -v nft >/dev/null || { echo "skipped: no nft here"; exit 77; }
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
done_here() {
	[ -z "${LAB_PID[noded-n1]:-}" ] || kill -CONT "${LAB_PID[noded-n1]}" 2>/dev/null
	lab_down
}
trap done_here EXIT
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s (%d s)\n' $passed "$*" $SECONDS; }

behind() { # nat host: takes the host off the bridge and puts it behind the NAT
	local nat=$1 host=$2 net=192.168.${LAB_ADDR[$1]}
	at "$host" ip link del eth0
	at "$nat" ip link add in type veth peer name eth0 netns "${LAB_HOST[$host]}"
	at "$nat" ip addr add "$net.1/24" dev in
	at "$nat" ip link set in up
	at "$nat" sysctl -qw net.ipv4.ip_forward=1
	at "$nat" nft -f - <<-NFT
		table ip nat {
			chain post { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
			chain forward {
				type filter hook forward priority filter;
				ct state established,related accept
				iifname "eth0" drop
			}
		}
	NFT
	at "$host" ip addr add "$net.2/24" dev eth0
	at "$host" ip link set eth0 up
	at "$host" ip route add default via "$net.1"
}
move() { # host last-byte: another address; what a NAT keeps of the one before goes with it
	at "$1" ip addr add "198.51.100.$2/24" dev eth0
	at "$1" ip addr del "198.51.100.${LAB_ADDR[$1]}/24" dev eth0
	# The second address of a network goes with its first one.
	at "$1" ip addr replace "198.51.100.$2/24" dev eth0
	LAB_ADDR[$1]=$2
}
seen_at() { at n1 wg show "$LAB_IF" endpoints | grep -qF "198.51.100.$1:"; }
reaches() { at "$1" ping -q -c 1 -W 1 "$2"; }

rest() { api "$1" GET "/api/mesh/devices/$2/why" 2>/dev/null; }
is_why() { rest "$1" "$2" | jq -e --arg r "$3" --arg e "${4:-}" '.reason == $r and (.evidence | contains($e)) and .next_step != ""'; }
cli() { at "$1" "$BIN/qmesh" --server http://127.0.0.1:7480 --token-file "$LAB/$1.session" why "$2"; }
# The same from each, in the end, by both doors.
why() { # device label reason evidence where...
	local id=$1 label=$2 reason=$3 evidence=$4 at
	shift 4
	for at in "$@"; do
		lab_until 20 "$reason of $label at $at: $(rest "$at" "$id")" is_why "$at" "$id" "$reason" "$evidence"
		cli "$at" "$label" >"$LAB/why.txt" || lab_fail "qmesh why at $at"
		grep -qE "^reason +$reason\$" "$LAB/why.txt" || lab_fail "qmesh why at $at: $(cat "$LAB/why.txt")"
	done
}
look() { [ "$(api_status n1 POST /api/mesh/refresh '{}')" = 204 ] || lab_fail "refresh"; }
restart() {
	lab_stop noded-n1
	lab_node_start n1
	lab_until 20 "node n1 again" lab_node_ready n1
}

LAB_ADDR["nat-a"]=21 LAB_ADDR["nat-b"]=22
lab_up cp n1 n2 phone nat-a nat-b
behind nat-a n2
behind nat-b phone
for host in n2 phone; do
	cp /etc/hosts "$LAB/$host.hosts"
	echo "198.51.100.1 n1.lab.test" >>"$LAB/$host.hosts"
	at "$host" mount --bind "$LAB/$host.hosts" /etc/hosts
done
at nat-a nft insert rule ip nat forward udp dport 51820 drop
lab_cp "provision_limit = 100" "listen_plain = 127.0.0.1:7480"
lab_tenant team
# shellcheck disable=SC2034
LAB_ENDPOINT=([n1]=n1.lab.test:51820 [n2]=198.51.100.21:51820)
lab_node n1
lab_node n2
lab_until 20 "node n1" lab_node_ready n1
lab_until 20 "node n2" lab_node_ready n2
for at in cp n1 n2; do lab_sign_in $at; done
n1=$(lab_state n1 | jq -r .mesh_ip) n1_id=$(lab_state n1 | jq -r .node_id) n2_id=$(lab_state n2 | jq -r .node_id)
range=$(lab_state n1 | jq -r .range)

phone=$(lab_add_device n1 phone IPHONE)
phone_ip=$(jq -r .device.mesh_ip "$LAB/phone.json")
why "$phone" phone NEVER_A_PACKET "n1 has the device's key in place" n1 n2 cp
lab_client phone
lab_until 20 "the phone, by a name, through its NAT" lab_has_status n1 "$phone" CONNECTED
why "$phone" phone CONNECTED "" n1
ok "never a packet; then connected through a NAT, by a name"

why "$phone" phone NO_DIRECT_PATH "n2 and n1 have not shaken hands" n2 cp
at nat-a nft delete rule ip nat forward handle "$(at nat-a nft -a list chain ip nat forward | sed -n 's/.*dport 51820 drop # handle //p')"
why "$phone" phone CONNECTED "" n2
lab_until 20 "n2 to the phone, through two NATs" reaches n2 "$phone_ip"
ok "no direct path between nodes; then from one NAT into the other"

at n2 ping -q -i 0.1 -c 60 -W 1 "$phone_ip" >"$LAB/ping.txt" 2>&1 &
ping=$!
lab_until 20 "n2 where it is" seen_at 21
move nat-a 31
lab_until 20 "n2 where it moved to" seen_at 31
lab_until 20 "n2 to the phone, after it moved" reaches n2 "$phone_ip"
move nat-b 32
at phone ping -q -i 0.2 -c 10 -W 1 "$n1" >/dev/null 2>&1
lab_until 20 "the phone where it moved to" seen_at 32
lab_until 20 "n2 to the phone, after that moved" reaches n2 "$phone_ip"
wait $ping
grep -qE '[1-9][0-9]* received' "$LAB/ping.txt" || lab_fail "ping under way: $(cat "$LAB/ping.txt")"
ok "node and phone get other addresses under ping, and are followed ($(lab_lost "$LAB/ping.txt") of $(awk '/packets transmitted/ {print $1}' "$LAB/ping.txt") lost)"

# The public node moves too; only its name tells where to, which is asked for twice a
# minute: looked at last.
sed 's/^198\.51\.100\.1 /198.51.100.101 /' "$LAB/n2.hosts" >"$LAB/moved"
at n2 sh -c "cat '$LAB/moved' >/etc/hosts"
move n1 101
# Its connection went with its address; the daemon would notice within a minute.
restart

at n1 nft 'add table ip foreign; add chain ip foreign forward { type filter hook forward priority 0; policy drop; }'
look
why "$phone" phone FORWARDING_BLOCKED "blocked by chain forward in table ip foreign; what helps: nft insert" n1 n2 cp
at n1 nft delete table ip foreign
at n1 ip route add "${range%.0.0/16}.200.0/24" dev eth0
look
why "$phone" phone ADDRESS_OVERLAP "the route ${range%.0.0/16}.200.0/24 takes addresses of the mesh's range $range" n1 n2 cp
at n1 ip route del "${range%.0.0/16}.200.0/24" dev eth0
look
api n1 POST "/api/mesh/devices/$phone:rotate" '{}' | jq -e .config >/dev/null || lab_fail "rotate"
why "$phone" phone OLD_KEY_IN_USE "version 1 of its key" n1 n2 cp
ok "forwarding blocked by, address overlap, old key in use"

kill -STOP "${LAB_PID[noded-n1]}"
late=$(api cp POST /api/mesh/devices "{\"label\":\"late\",\"node_id\":\"$n1_id\"}" | jq -er .device.id) || lab_fail "device late"
why "$late" late NODE_NOT_APPLIED "n1 has not applied the device: connected, " cp n2
kill -CONT "${LAB_PID[noded-n1]}"
why "$late" late NEVER_A_PACKET "" cp
ok "node has not applied"

lab_stop noded-n1
why "$phone" phone HOME_NOT_CONNECTED "n1, the node that this device connects to" cp n2
# What the daemon wrote, with nothing left of it; and no way to ask anew.
sed -i 's/^\(qmesh-lease.1\) [0-9]*/\1 0/' "$LAB/n1/lease"
at n1 nft 'add table ip cut; add chain ip cut out { type filter hook output priority 0; }; add rule ip cut out tcp dport 7443 reject with tcp reset'
lab_node_start n1
why "$phone" phone LEASE_OVER "for longer than the lease of 7 days" n1
at n1 nft delete table ip cut
lab_stop noded-n1
printf '%s\n' '#define _GNU_SOURCE' '#include <dlfcn.h>' '#include <time.h>' \
	'int clock_gettime(clockid_t id, struct timespec *t) {' \
	'int (*next)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");' \
	'int r = next(id, t); if (id == CLOCK_REALTIME) t->tv_sec -= 3 * 3600 + 600; return r; }' |
	cc -shared -fPIC -x c -o "$LAB/late.so" - || lab_fail "cc"
lab_start noded-n1 n1 env LD_PRELOAD="$LAB/late.so" ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0" \
	"$BIN/qmesh-noded" --config "$LAB/n1.conf"
why "$late" late CLOCK_OFF "The clock of n1 is 3 h behind the Control Panel's" cp n2 n1
restart
ok "home not connected, lease over, clock"

lab_until 40 "n2 finds n1 by its name" reaches n2 "$n1"
ok "a node that moved is found by its name"

# Linux takes no peer with the interface's own key, and says nothing.
(umask 077 && wg genkey >"$LAB/odd.key")
at n2 wg set "$LAB_IF" private-key "$LAB/odd.key"
odd=$(api cp POST /api/mesh/devices "{\"label\":\"odd\",\"node_id\":\"$n2_id\",\"public_key\":\"$(wg pubkey <"$LAB/odd.key")\"}" |
	jq -er .device.id) || lab_fail "device odd"
why "$odd" odd APPLY_FAILED "The interface of n2 refused the device" cp n1 n2
ok "apply failed"

lab_check_logs
printf 'passed %d failed 0 skipped 0\n' "$passed"
