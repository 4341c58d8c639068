#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# HTTPS on the mesh address with stock clients from a phone through its tunnel: by the
# tenant's CA, under its own name only, from the mesh only; another CA without a lost
# connection; a port that is taken; a restart without the Control Panel.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s\n' $passed "$*"; }

https_begins() { [[ $(lab_state "$1" | jq -r .https_status) == "$2"* ]]; }
pin_of() { lab_state "$1" | jq -r .https_pin; }
take_ca() { api n1 GET /api/mesh/ca >"$LAB/ca.json" && jq -ej .pem "$LAB/ca.json" >"$LAB/ca.pem"; }
n_cas() { take_ca && [ "$(jq '.certificates | length' "$LAB/ca.json")" = "$1" ]; }
# curl at the phone, which knows the names of n1; prints status and protocol.
fetch() { # ca curl's words...
	local ca=$1
	shift
	at phone curl -sS --max-time 30 --cacert "$ca" --resolve "n1.quazzar.mesh:8443:$ip" \
		--resolve "n2.quazzar.mesh:8443:$ip" -o "$LAB/body" -w '%{http_code} %{http_version}' "$@" 2>"$LAB/curl.err"
}
gives() { # wanted curl's words...
	local want=$1 got
	shift
	got=$(fetch "$LAB/ca.pem" "$@")
	[ "$got" = "$want" ] || lab_fail "curl $*: '$got', not '$want': $(cat "$LAB/curl.err")"
}
fails() { # curl's exit code, curl's words...
	local want=$1
	shift
	fetch "$LAB/ca.pem" "$@" >/dev/null
	[ $? = "$want" ] || lab_fail "curl $*: not exit $want: $(cat "$LAB/curl.err")"
}

lab_up cp n1 n2 phone
lab_start taken n2 python3 -c 'import socket, time
s = socket.socket(); s.bind(("0.0.0.0", 8443)); s.listen(); time.sleep(3600)'
lab_cp ""
lab_tenant team
lab_node n1 "mesh_input = mesh-only"
lab_node n2
lab_until 20 "node n1" lab_node_ready n1
lab_until 20 "HTTPS at n1" https_begins n1 "serving until "
lab_until 20 "node n2" lab_node_ready n2
lab_until 20 "n2 without its port" https_begins n2 "degraded: another program has port 8443 of "
# Each tells the Control Panel too.
told() { lab_admin node list acme --json | jq -e --arg n "$1" --arg w "$2" '.nodes[] | select(.slug == $n) | .https_status | startswith($w)'; }
lab_until 20 "the Control Panel hears of n1" told n1 "serving until "
lab_until 20 "the Control Panel hears of n2" told n2 "degraded: another program has port 8443 of "
lab_admin node list acme >"$LAB/nodes"
grep -q '^n2 .*HTTPS degraded: another program' "$LAB/nodes" || lab_fail "node list: $(cat "$LAB/nodes")"
grep '^n1 ' "$LAB/nodes" | grep -q 'HTTPS degraded' && lab_fail "node list: $(cat "$LAB/nodes")"
lab_stop taken
lab_sign_in n1
ok "n1 serves; n2, whose port is taken, says so, here and at the Control Panel, and runs on"

ip=$(lab_state n1 | jq -r .mesh_ip)
ip6=$(lab_state n1 | jq -r .mesh_ip6)
take_ca || lab_fail "no CA: $(cat "$LAB/ca.json")"
[ "$(jq -r '.certificates[0].fingerprint' "$LAB/ca.json")" = \
	"$(openssl x509 -in "$LAB/ca.pem" -noout -fingerprint -sha256 | cut -d= -f2 | tr -d : | tr '[:upper:]' '[:lower:]')" ] ||
	lab_fail "another fingerprint"
at cp "$BIN/qmesh" --server "unix:$LAB/n1.sock" --token-file "$LAB/n1.session" ca >"$LAB/cli.pem" 2>"$LAB/cli.err" ||
	lab_fail "qmesh ca: $(cat "$LAB/cli.err")"
cmp -s "$LAB/cli.pem" "$LAB/ca.pem" || lab_fail "qmesh ca says something else"
ok "the CA by REST and command line, with its fingerprint"

lab_add_device n1 phone IPHONE >/dev/null
lab_client phone
lab_until 10 "the tunnel" at phone ping -q -c 1 -W 1 "$ip"
bearer="Authorization: Bearer $(cat "$LAB/n1.session")"
url=https://n1.quazzar.mesh:8443
gives "200 2" -H "$bearer" $url/api/mesh/state
[ "$(jq -r .https_url "$LAB/body")" = $url ] || lab_fail "state: $(cat "$LAB/body")"
gives "200 1.1" --http1.1 -H "$bearer" $url/api/mesh/state
gives "401 2" $url/api/mesh/state
gives "200 2" $url/vpn/mesh
gives "200 2" -H "$bearer" "https://$ip:8443/api/mesh/state"
gives "200 2" -H "$bearer" "https://[$ip6]:8443/api/mesh/state"
gives "200 2" -H "Host: N1.quazzar.mesh" -H "$bearer" $url/api/mesh/state
ok "a phone reaches page and API by name and address, HTTP/2 and 1.1, and signs in as everywhere"

for name in evil.example n2.quazzar.mesh:8443 n1.quazzar.mesh:443 localhost 198.51.100.1:8443 n1.quazzar.mesh.:8443; do
	gives "421 2" -H "Host: $name" -H "$bearer" $url/api/mesh/state
	gives "421 1.1" --http1.1 -H "Host: $name" -H "$bearer" $url/vpn/mesh
done
grep -q '"code":3' "$LAB/body" || lab_fail "421 in words of its own: $(cat "$LAB/body")"
fails 60 https://n2.quazzar.mesh:8443/
ok "no other name is served: 421 to the caller, and the certificate has none"

at phone "$BIN/qmesh" --server "https://$ip:8443" --ca "$LAB/ca.pem" --token-file "$LAB/n1.session" status >"$LAB/status" 2>&1 ||
	lab_fail "gRPC over it: $(cat "$LAB/status")"
grep -q "^https *serving until" "$LAB/status" || lab_fail "status: $(cat "$LAB/status")"
ok "gRPC over it, by libqmesh"

# A neighbour on the underlay who knows the address.
at cp ip route add "$ip/32" via 198.51.100.1
at cp curl -sk --max-time 20 -o /dev/null "https://$ip:8443/vpn/mesh" && lab_fail "served to the underlay"
at cp curl -sk --max-time 20 -o /dev/null https://198.51.100.1:8443/ && lab_fail "served on the underlay"
at n1 curl -sS --max-time 20 -o /dev/null --cacert "$LAB/ca.pem" "https://$ip:8443/vpn/mesh" ||
	lab_fail "the host itself is refused"
ok "nobody outside the mesh gets in"

# Another CA: first to be trusted, then to sign; who listens goes on listening.
cp "$LAB/ca.pem" "$LAB/old.pem"
pin=$(pin_of n1)
lab_start events phone curl -sSN --cacert "$LAB/ca.pem" --resolve "n1.quazzar.mesh:8443:$ip" -H "$bearer" $url/api/mesh/events
lab_until 10 "events" grep -q "^data:" "$LAB/events.log"
lab_admin key rotate ca >/dev/null 2>&1 || lab_fail "a ca to come"
lab_until 20 "two CAs at the node" n_cas 2
gives "200 2" $url/vpn/mesh
[ "$(fetch "$LAB/old.pem" $url/vpn/mesh)" = "200 2" ] || lab_fail "the CA to come signs already"
lab_admin key rotate ca --switch >/dev/null 2>&1 || lab_fail "the switch"
by_new() { ! fetch "$LAB/old.pem" $url/vpn/mesh >/dev/null; }
lab_until 20 "a certificate of the new CA" by_new
gives "200 2" $url/vpn/mesh
[ "$(pin_of n1)" = "$pin" ] || lab_fail "the node's key has changed"
kill -0 "${LAB_PID[events]}" 2>/dev/null || lab_fail "a connection was dropped: $(tail -3 "$LAB/events.log")"
before=$(grep -c "^data:" "$LAB/events.log")
more() { [ "$(grep -c "^data:" "$LAB/events.log")" -gt "$before" ]; }
lab_add_device n1 another OTHER >/dev/null
lab_until 20 "events on the old connection" more
lab_stop events
ok "nodes renew over the stream when the CA changes; connections go on; the pin stays"

take_ca || lab_fail "no CA"
lab_until 60 "n2 gets its port back" https_begins n2 "serving until "
lab_stop cpd
lab_stop noded-n1
lab_node_start n1
lab_until 20 "HTTPS without the Control Panel" https_begins n1 "serving until "
[ "$(pin_of n1)" = "$pin" ] || lab_fail "another key after the restart"
gives "200 2" -H "$bearer" $url/api/mesh/ca
jq -ej .pem "$LAB/body" | cmp -s - "$LAB/ca.pem" || lab_fail "another CA after the restart"
gives "200 2" -H "$bearer" "$url/api/mesh/ca?format=pem"
cmp -s "$LAB/body" "$LAB/ca.pem" || lab_fail "the file is not the CA"
[ "$(stat -c %a "$LAB/n1/https.pem")" = 600 ] || lab_fail "the key can be read"
ok "a restart without the Control Panel changes nothing"

lab_check_logs
printf 'passed %d failed 0 skipped 0\n' $passed
