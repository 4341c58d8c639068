#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The firewall of a node beside one that Docker could have made: policy drop in
# FORWARD and INPUT. Named with the command that helps, which does help; with
# firewall = integrate it works by itself, and nothing of it is left afterwards.
# Then what passes a node at all, and what of it members reach.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
command -v nft >/dev/null || { echo "skipped: no nft here"; exit 77; }
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s\n' $passed "$*"; }

foreign() { at n1 nft -f - <<-'NFT'
	table ip filter {
		chain DOCKER { }
		chain DOCKER-USER { counter return; }
		chain FORWARD {
			type filter hook forward priority filter; policy drop;
			counter jump DOCKER-USER
			ct state vmap { established : accept, related : accept }
			oifname "docker0" counter jump DOCKER
			iifname "docker0" oifname != "docker0" counter accept
		}
		chain INPUT {
			type filter hook input priority filter; policy drop;
			iif "lo" accept
			ct state established,related accept
			meta l4proto icmp accept
		}
	}
	table ip nat {
		chain POSTROUTING { type nat hook postrouting priority srcnat; }
	}
NFT
}
# Without counters and handles: what somebody wrote.
rules() { at n1 nft -s list ruleset; }
own() { rules | sed '/^table inet qmesh/,/^}/d'; }
named() { [[ $(lab_state n1 | jq -r .forwarding) == *"$1"* ]]; }
helps() { lab_state n1 | jq -r '.forwarding | split("what helps: ")[1]'; }
reaches() { at "$1" ping -q -c 1 -W 1 "$2"; }
reaches_not() { ! at "$1" ping -q -c 2 -i 0.2 -W 1 "$2" >/dev/null 2>&1; }
restart() { # firewall mesh_input
	lab_stop noded-n1
	sed -i "s/^firewall = .*/firewall = $1/; s/^mesh_input = .*/mesh_input = $2/" "$LAB/n1.conf"
	lab_node_start n1
	lab_until 20 "node n1 with firewall = $1" lab_node_ready n1
}
look() { [ "$(api_status n1 POST /api/mesh/refresh '{}')" = 204 ] || lab_fail "refresh"; }

lab_up cp n1 phone laptop tablet
lab_cp "provision_limit = 100"
lab_tenant team
foreign
rules >"$LAB/before"
lab_node n1 "firewall = on" "mesh_input = all"
sed -i 's/^listen = .*/listen = 0.0.0.0:7444/' "$LAB/n1.conf"
lab_until 20 "node n1" lab_node_ready n1
lab_sign_in n1
lab_add_device n1 laptop LAPTOP >/dev/null
lab_add_device n1 phone IPHONE >/dev/null
lab_client laptop
lab_client phone
node=$(lab_state n1 | jq -r .mesh_ip) phone=$(jq -r .device.mesh_ip "$LAB/phone.json")

named 'the port of WireGuard is blocked by chain INPUT in table ip filter' || lab_fail "INPUT is not named: $(lab_state n1)"
reaches_not laptop "$node" || lab_fail "laptop came through a closed port"
# shellcheck disable=SC2046
at n1 $(helps) || lab_fail "the command refused: $(helps)"
lab_until 20 "laptop, after the command for the port" reaches laptop "$node"
look
lab_until 20 "FORWARD named" named 'blocked by chain FORWARD in table ip filter'
reaches_not laptop "$phone" || lab_fail "the phone through FORWARD drop"
at n1 "$BIN/qmesh" --server "unix:$LAB/n1.sock" status | grep -q 'forwarding *blocked by chain FORWARD' || lab_fail "qmesh status is silent"
[[ $(helps) = *DOCKER-USER* ]] || lab_fail "helps: $(helps)"
# shellcheck disable=SC2046
at n1 $(helps) || lab_fail "the command refused: $(helps)"
lab_until 20 "the phone, after the command" reaches laptop "$phone"
look
lab_until 20 "a port for members named" named 'a port for members is blocked by chain INPUT'
ok "a foreign drop is named with the command that helps: for the port, forwarding, services"

at n1 nft delete table ip filter
at n1 nft delete table ip nat
restart integrate all
rules | grep -q 'comment "qmesh' && lab_fail "accepts of ours without need"
# A black list of somebody's, some megabytes of it: sets are not read.
awk 'BEGIN { print "table ip black {\n\tset banned {\n\t\ttype ipv4_addr\n\t\telements = {"
	for (i = 0; i < 300000; i++) printf "203.%d.%d.%d,\n", i / 65536, i / 256 % 256, i % 256
	print "\t\t}\n\t}\n}" }' | at n1 nft -f - || lab_fail "a big set"
foreign
look
integrated() { [ "$(lab_state n1 | jq -r .forwarding)" = "" ] && rules | grep -q 'comment "qmesh wg-quazzar0"'; }
lab_until 20 "integrated" integrated
at n1 nft delete table ip black
lab_until 20 "laptop" reaches laptop "$node"
lab_until 20 "the phone" reaches laptop "$phone"
rules | sed -n '/chain DOCKER-USER/,/}/p' | grep -q 'comment "qmesh wg-quazzar0"' || lab_fail "not in DOCKER-USER"
at laptop dig +short +time=5 +tries=4 "@$node" laptop.quazzar.mesh | grep -q . || lab_fail "names through INPUT drop"
at laptop curl -sk --max-time 2 "https://$node:7444/healthz" >/dev/null && lab_fail "integrate opened more than ours"
own >"$LAB/once"
restart integrate all
look
own | cmp -s "$LAB/once" - || lab_fail "integrated twice: $(own | diff "$LAB/once" -)"
ok "firewall = integrate: accepts where they are needed, once, for what is ours alone"

restart on all
own | cmp -s "$LAB/before" - || lab_fail "switched off, and left: $(own | diff "$LAB/before" -)"
restart off all
rules | cmp -s "$LAB/before" - || lab_fail "firewall = off left: $(rules | diff "$LAB/before" -)"
restart integrate all
look
lab_until 20 "integrated again" integrated
lab_stop noded-n1
at n1 "$BIN/qmesh-noded" --config "$LAB/n1.conf" --teardown >>"$LAB/noded-n1.log" 2>&1 || lab_fail "teardown"
rules | cmp -s "$LAB/before" - || lab_fail "teardown left: $(rules | diff "$LAB/before" -)"
ok "switched off or torn down, the rules of others are what they were, to the byte"

at n1 nft flush ruleset
restart on all
lab_until 20 "laptop after a teardown" reaches laptop "$node"
lab_until 20 "the phone after a teardown" reaches laptop "$phone"
# The way of somebody who makes this node a gateway: both ends would take it.
at laptop wg set wg0 peer "$(at laptop wg show wg0 peers)" allowed-ips 0.0.0.0/0
at laptop ip route add 198.51.100.10/32 dev wg0
at cp ip route add "$(jq -r .device.mesh_ip "$LAB/laptop.json")/32" via 198.51.100.1
reaches_not laptop 198.51.100.10 || lab_fail "foreign traffic is forwarded out of the mesh"
reaches_not cp "$(jq -r .device.mesh_ip "$LAB/laptop.json")" || lab_fail "foreign traffic is forwarded into the mesh"
# A host that has never been sent one: the kernel gives up on those that do not listen.
lab_add_device n1 tablet OTHER >/dev/null
lab_client tablet
# shellcheck disable=SC2016
redirects() { at tablet awk '/^Icmp:/ {if (!n) {for (i = 1; i <= NF; i++) if ($i == "InRedirects") n = i} else print $n}' /proc/net/snmp; }
lab_until 20 "the tablet" reaches tablet "$node"
at n1 sysctl -qw net.ipv4.conf.all.send_redirects=1 net.ipv4.conf.wg-quazzar0.send_redirects=1
at tablet ping -q -c 2 -i 0.2 -W 5 "$phone" >/dev/null || lab_fail "ping"
[ "$(redirects)" = 0 ] || lab_fail "redirects: $(redirects)"
at n1 nft flush chain inet qmesh output
redirected() { reaches tablet "$phone" && [ "$(redirects)" -gt 0 ]; }
lab_until 20 "redirects without our rule" redirected
ok "members are forwarded to members, nothing else; redirects stay in"

at laptop curl -sSk --max-time 20 "https://$node:7444/healthz" >/dev/null || lab_fail "mesh_input = all closes a port"
restart on mesh-only
lab_until 20 "laptop with mesh-only" reaches laptop "$node"
at laptop curl -sk --max-time 2 "https://$node:7444/healthz" >/dev/null && lab_fail "mesh-only leaves a port open"
at laptop dig +short +time=5 +tries=4 "@$node" laptop.quazzar.mesh | grep -q . || lab_fail "no names with mesh-only"
ok "mesh_input: every port of the host, or mesh services alone"

lab_check_logs
printf 'passed %d failed 0 skipped 0\n' "$passed"
