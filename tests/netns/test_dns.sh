#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Mesh DNS with dig and kdig from a phone through its tunnel: our names both
# ways, foreign names by an upstream, who gets no answer, what is reported when
# it cannot serve, and whose config says so.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in dig dnsmasq; do
	command -v $tool >/dev/null || { echo "skipped: no $tool (scripts/install-packages netns)"; exit 77; }
done
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s\n' $passed "$*"; }

# Asks n1 from the phone.
ask() { at phone dig "@$server" +time=5 +tries=6 "$@"; }
short() { ask +short "$@"; }
gives() { # what dig +short says, question...
	local want=$1 got
	shift
	got=$(short "$@") || lab_fail "dig $*: $got"
	[ "$got" = "$want" ] || lab_fail "dig $*: '$got', not '$want'"
}
has_name() { [ -n "$(short "$1")" ]; }
gives_now() { [ "$(short "${@:2}")" = "$1" ]; }
says() { # words in dig's whole answer, question...
	local want=$1 got
	shift
	got=$(ask "$@")
	grep -qE -- "$want" <<<"$got" || lab_fail "dig $*: no '$want' in $got"
}
dns_status() { [ "$(lab_state "$1" | jq -r .dns_status)" = "$2" ]; }
dns_begins() { [[ $(lab_state "$1" | jq -r .dns_status) == "$2"* ]]; }
# The config of a new device whose owner wants mesh DNS.
config_of() { # label
	api n1 POST /api/mesh/devices "{\"label\":\"$1\",\"type\":\"DEVICE_TYPE_OTHER\",\"dns\":true}" | jq -er .config
}
# The report of a new dns_status is on its way for a moment.
has_line() { config_of "x $RANDOM$RANDOM" >"$LAB/new.conf" && grep -qx "$1" "$LAB/new.conf"; }
lacks_line() { config_of "x $RANDOM$RANDOM" >"$LAB/new.conf" && ! grep -q "$1" "$LAB/new.conf"; }
upstream() { # host: a name server of another make
	local long
	long=$(printf 'x%.0s' {1..200})
	lab_start "dnsmasq-$1" "$1" dnsmasq -k -C /dev/null --no-resolv --no-hosts --user=root --pid-file= \
		--address=/www.example.com/203.0.113.7 --address=/www.example.com/2001:db8::7 \
		--txt-record=long.example.com,"$long","$long","$long","$long","$long","$long","$long"
}

lab_up cp n1 n2 phone tablet
upstream tablet
upstream n2
printf 'nameserver 198.51.100.77\nnameserver 198.51.100.5\n' >"$LAB/resolv.conf"
at n1 mount --bind "$LAB/resolv.conf" /etc/resolv.conf
lab_cp "provision_limit = 100"
lab_tenant team
lab_node n1 "mesh_input = mesh-only" "metrics = 127.0.0.1:9100"
lab_node n2 "dns_upstream = 198.51.100.5"
lab_until 20 "node n1" lab_node_ready n1
lab_until 20 "node n2" lab_node_ready n2
lab_until 10 "DNS at n1" dns_status n1 serving
lab_until 10 "n2 without its port" dns_begins n2 "degraded: another program has port 53"
lab_stop dnsmasq-n2
lab_sign_in n1
ok "n1 serves; n2, whose port is taken, says so"

server=$(lab_state n1 | jq -r .mesh_ip)
server6=$(lab_state n1 | jq -r .mesh_ip6)
n2=$(lab_state n2 | jq -r .mesh_ip)
lab_add_device n1 phone IPHONE >/dev/null
phone=$(jq -r .device.mesh_ip "$LAB/phone.json")
phone6=$(jq -r .device.mesh_ip6 "$LAB/phone.json")
! grep -q DNS "$LAB/phone.wg.conf" || lab_fail "a DNS line that nobody asked for"
lab_until 10 "a DNS line for who asks" has_line "DNS = $server, quazzar.mesh"
config_of "Wants DNS" >/dev/null || lab_fail "no config"
lab_client phone
lab_until 10 "the tunnel" at phone ping -q -c 1 -W 1 "$server"
ok "the config has the DNS line when it is asked for"

lab_until 5 "the name of the phone" gives_now "$phone" phone.quazzar.mesh
gives "$server" n1.quazzar.mesh A
gives "$server6" n1.quazzar.mesh AAAA
gives "$n2" n2.quazzar.mesh
gives "$phone" phone.quazzar.mesh
gives "$phone6" phone.quazzar.mesh AAAA
gives phone.quazzar.mesh. -x "$phone"
gives phone.quazzar.mesh. -x "$phone6"
gives n2.quazzar.mesh. -x "$n2"
gives n1.quazzar.mesh. quazzar.mesh NS
lab_until 5 "the name of a new device" has_name wants-dns.quazzar.mesh
[ "$(at phone dig "@$server6" +short +time=3 n2.quazzar.mesh)" = "$n2" ] || lab_fail "no answer over IPv6"
ok "A, AAAA and PTR of nodes and devices, over IPv4 and IPv6"

says 'status: NXDOMAIN' nobody.quazzar.mesh
says '^quazzar\.mesh\.[[:space:]]+30[[:space:]]+IN[[:space:]]+SOA[[:space:]]+n1\.quazzar\.mesh\.' nobody.quazzar.mesh
says 'status: NOERROR' phone.quazzar.mesh TXT
says 'IN[[:space:]]+SOA' phone.quazzar.mesh TXT
says 'status: NXDOMAIN' -x "${server%.*}.250"
says 'flags: qr aa rd ra' phone.quazzar.mesh
says '^PhoNe\.QuaZZar\.MEsh\..*IN[[:space:]]+A[[:space:]]+'"$phone" PhoNe.QuaZZar.MEsh
says 'udp: 1232' phone.quazzar.mesh
says 'status: BADVERS' +edns=1 +noednsneg phone.quazzar.mesh
says 'status: REFUSED' -c CH version.bind TXT
says 'Transfer failed' quazzar.mesh AXFR
gives "$phone" +tcp phone.quazzar.mesh
gives "$phone"$'\n'"$n2" +tcp +keepopen phone.quazzar.mesh n2.quazzar.mesh
ok "negatives with SOA, letters kept, EDNS, TCP; no transfer, no other class"

# The first upstream does not exist: that costs one try, once.
gives 203.0.113.7 www.example.com
gives 2001:db8::7 www.example.com AAAA
gives 203.0.113.7 +tcp www.example.com
says 'flags: qr aa tc rd ra' +ignore +noedns long.example.com TXT
says 'ANSWER: 1' +noedns long.example.com TXT
says 'SERVER: .*\(TCP\)' +bufsize=4096 long.example.com TXT
if command -v kdig >/dev/null; then
	at phone kdig "@$server" +short +tcp n2.quazzar.mesh www.example.com >"$LAB/kdig.txt"
	[ "$(paste -sd' ' "$LAB/kdig.txt")" = "$n2 203.0.113.7" ] || lab_fail "kdig: $(cat "$LAB/kdig.txt")"
fi
ok "foreign names by the second upstream, long answers by TCP"

# All that was asked above; a client's answer may be there before it is counted.
counted() { # what is more than 0
	at n1 curl -sSf http://127.0.0.1:9100/metrics >"$LAB/metrics.txt" &&
		awk -v what="qmesh_node_dns_$1" '$1 == what && $2 > 0 { ok = 1 } END { exit !ok }' "$LAB/metrics.txt"
}
for what in 'answers_total{rcode="noerror"}' 'answers_total{rcode="nxdomain"}' 'answers_total{rcode="refused"}' \
	'answers_total{rcode="other"}' forwarded_total forward_answers_total forward_timeouts_total; do
	lab_until 10 "$what" counted "$what"
done
ok "what was answered, forwarded and waited for stands in /metrics"

at tablet ip route add "$server/32" via 198.51.100.1
at tablet ip addr add "${server%.*}.99/32" dev lo
for how in "@$server" "@$server +tcp" "@$server -b ${server%.*}.99" "@198.51.100.1"; do
	# shellcheck disable=SC2086
	! at tablet dig $how +time=1 +tries=1 +short n1.quazzar.mesh >"$LAB/outside.txt" ||
		! grep -qF "$server" "$LAB/outside.txt" || lab_fail "an answer to who is no member: $how"
done
at n1 timeout 30 dig "@$server" +short n2.quazzar.mesh | grep -qxF "$n2" || lab_fail "the node itself asks"
ok "who is no member gets no answer, with a member's address neither"

lab_stop noded-n1
lab_node_start n1
lab_until 15 "answers after a restart" gives_now "$n2" n2.quazzar.mesh
lab_until 20 "n1 again" lab_node_ready n1
lab_until 45 "n2 serves, now that the port is free" dns_status n2 serving
ok "answers after a restart; a port that becomes free is taken"

printf 'nameserver %s\n' "$server" >"$LAB/resolv.conf"
lab_until 45 "an upstream that is ourselves" dns_status n1 "degraded: the only upstream is this node itself"
says 'status: SERVFAIL' www.example.com
gives "$phone" phone.quazzar.mesh
lab_until 10 "no DNS line while n1 cannot serve" lacks_line DNS
ok "degraded: own names go on, no config points there"

lab_admin user set acme anna --disable >/dev/null || lab_fail "disable"
# Its tunnel ends, too: the node asks itself.
has_no_name() { at n1 dig "@$server" +time=2 phone.quazzar.mesh | grep -q 'status: NXDOMAIN'; }
lab_until 10 "the name of a suspended device gone" has_no_name
ok "a suspended device has no name"

lab_check_logs
printf 'passed %d failed 0 skipped 0\n' "$passed"
