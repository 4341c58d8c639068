#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Other people's name servers in front of a node, with the samples of packaging/:
# unbound that validates, systemd-resolved, CoreDNS by gRPC. Each is the real
# program at the node's host; one that is not there is skipped by name. CoreDNS
# takes Go five minutes of a core: built with --long or found in build/tools.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in dig dnsmasq; do
	command -v $tool >/dev/null || { echo "skipped: no $tool (scripts/install-packages netns)"; exit 77; }
done
COREDNS=$PWD/build/tools/coredns-v1.14.7
RESOLVED=$PWD/build/tools/resolved
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT
passed=0 skipped=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s\n' $passed "$*"; }
skip() { skipped=$((skipped + 1)); printf 'skipped: %s\n' "$*"; }

# dig at n1, server as 127.0.0.1#5300.
ask() { # server question...
	local server=$1
	shift
	at n1 dig "@${server%#*}" -p "${server#*#}" +time=5 +tries=6 "$@"
}
gives() { # server what dig +short says, question...
	local server=$1 want=$2 got
	shift 2
	got=$(ask "$server" +short "$@") || lab_fail "dig @$server $*: $got"
	[ "$got" = "$want" ] || lab_fail "dig @$server $*: '$got', not '$want'"
}
says() { # server words in dig's whole answer, question...
	local server=$1 want=$2 got
	shift 2
	got=$(ask "$server" "$@")
	grep -qE -- "$want" <<<"$got" || lab_fail "dig @$server $*: no '$want' in $got"
}
answers() { ask "$1" +short n1.quazzar.mesh | grep -qxF "$own"; }
dns_is() { [ "$(lab_state n1 | jq -r .dns_status)" = "$1" ]; }
dns_begins() { [[ $(lab_state n1 | jq -r .dns_status) == "$1"* ]]; }

# A sample with the addresses of this lab.
sample() { # name
	sed -e "s/10\.77\.0\.1\b/$own/g; s/fd00:0:77::1\b/$own6/g; s,10\.77\.0\.0/16,$range,g; s,fd00:0:77::/48,$range6,g" \
		-e "s/77\.10\.in-addr\.arpa/$reverse/g; s/\(0\.\|7\.\)*d\.f\.ip6\.arpa/$reverse6/g" "packaging/$1"
}

# What each of them must say, whatever it does in between.
judge() { # server who
	gives "$1" "$own" n1.quazzar.mesh
	gives "$1" "$own6" n1.quazzar.mesh AAAA
	gives "$1" "$phone" phone.quazzar.mesh
	gives "$1" "$own" +tcp N1.Quazzar.Mesh
	gives "$1" phone.quazzar.mesh. -x "$phone"
	gives "$1" phone.quazzar.mesh. -x "$phone6"
	says "$1" 'status: NXDOMAIN' nobody.quazzar.mesh
	says "$1" 'status: NOERROR.*' phone.quazzar.mesh TXT
	says "$1" 'ANSWER: 0' phone.quazzar.mesh TXT
	ok "$2: names both ways, negatives, by UDP and TCP"
}

lab_up cp n1 tablet
lab_start dnsmasq tablet dnsmasq -k -C /dev/null --no-resolv --no-hosts --user=root --pid-file= \
	--address=/www.example.com/203.0.113.7
printf 'nameserver 198.51.100.5\n' >"$LAB/resolv.conf"
at n1 mount --bind "$LAB/resolv.conf" /etc/resolv.conf
lab_cp
lab_tenant team
lab_node n1
lab_until 20 "node n1" lab_node_ready n1
lab_until 10 "DNS at n1" dns_is serving
lab_sign_in n1
lab_add_device n1 phone IPHONE >/dev/null
state=$(lab_state n1)
own=$(jq -r .mesh_ip <<<"$state") own6=$(jq -r .mesh_ip6 <<<"$state")
phone=$(jq -r .device.mesh_ip "$LAB/phone.json") phone6=$(jq -r .device.mesh_ip6 "$LAB/phone.json")
range=${own%.*.*}.0.0/16
read -r range6 reverse6 <<<"$(/usr/bin/python3 -c '
import ipaddress, sys
net = ipaddress.ip_network(sys.argv[1] + "/48", strict=False)
print(net, ".".join(net.network_address.reverse_pointer.split(".")[20:]))' "$own6")"
reverse=$(cut -d. -f2 <<<"$own").$(cut -d. -f1 <<<"$own").in-addr.arpa
lab_until 5 "the name of the phone" at n1 sh -c "dig @$own +short phone.quazzar.mesh | grep -qxF $phone"

# --- unbound: with Debian's anchor, so that all that is not excepted is validated ---
front_unbound() {
	command -v unbound >/dev/null || { skip "no unbound (scripts/install-packages netns)"; return; }
	sample unbound.conf >"$LAB/quazzar.conf"
	cat >"$LAB/unbound.conf" <<-CONF
		server:
			directory: "$LAB"
			username: ""
			chroot: ""
			pidfile: ""
			use-syslog: no
			interface: 127.0.0.1@5300
			trust-anchor: ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
			private-address: 10.0.0.0/8
			private-address: fc00::/7
		include: "$LAB/quazzar.conf"
	CONF
	unbound-checkconf "$LAB/unbound.conf" >/dev/null || lab_fail "unbound does not take the sample"
	lab_start unbound n1 unbound -d -c "$LAB/unbound.conf"
	lab_until 10 "unbound" answers 127.0.0.1#5300
	judge 127.0.0.1#5300 unbound
	lab_stop unbound
}

# --- systemd-resolved: downloaded, not installed: its package takes over /etc/resolv.conf ---
find_resolved() {
	resolved=/lib/systemd/systemd-resolved
	[ ! -x $resolved ] || return 0
	resolved=$RESOLVED/root/lib/systemd/systemd-resolved
	[ ! -x "$resolved" ] || return 0
	rm -rf "$RESOLVED" && mkdir -p "$RESOLVED"
	(cd "$RESOLVED" && timeout 60 apt-get -qq download systemd-resolved libsystemd-shared >/dev/null 2>&1) || return 1
	local deb
	for deb in "$RESOLVED"/*.deb; do dpkg-deb -x "$deb" "$RESOLVED/root" || return 1; done
	[ -x "$resolved" ]
}
front_resolved() {
	find_resolved || { skip "no systemd-resolved and no way to download it"; return; }
	mkdir -p "$LAB/systemd/resolved.conf.d"
	sample resolved.conf >"$LAB/systemd/resolved.conf.d/quazzar.conf"
	{
		cat /etc/passwd
		grep -q ^systemd-resolve: /etc/passwd || echo 'systemd-resolve:x:65533:65533::/:/usr/sbin/nologin'
	} >"$LAB/passwd"
	at n1 mount --bind "$LAB/passwd" /etc/passwd
	at n1 mkdir -p /etc/systemd /run/systemd
	at n1 mount --bind "$LAB/systemd" /etc/systemd
	at n1 mount -t tmpfs none /run/systemd
	lab_start resolved n1 env LD_LIBRARY_PATH="$(dirname "$(find "$RESOLVED" -name 'libsystemd-shared-*.so' 2>/dev/null | head -1)" 2>/dev/null)" \
		SYSTEMD_LOG_TARGET=console "$resolved"
	lab_until 10 "systemd-resolved" answers 127.0.0.53#53
	judge 127.0.0.53#53 systemd-resolved
	gives 127.0.0.53#53 203.0.113.7 www.example.com
	ok "systemd-resolved: a foreign name, which the node passes on"
	lab_stop resolved
}

# --- CoreDNS: it has port 53, the node answers by gRPC ---
find_coredns() {
	local go
	[ ! -x "$COREDNS" ] || return 0
	go=$(command -v go || echo /usr/local/go/bin/go)
	[ -x "$go" ] || { why="no Go to build it with"; return 1; }
	[ "${QMESH_LONG:-}" = 1 ] || { why="not in build/tools; scripts/test --long builds it"; return 1; }
	mkdir -p "${COREDNS%/*}"
	GOBIN=$PWD/build/tools/go GOFLAGS=-modcacherw timeout 900 "$go" install github.com/coredns/coredns@v1.14.7 \
		>"$LAB/go.txt" 2>&1 && mv build/tools/go/coredns "$COREDNS" || { why="it cannot be built"; return 1; }
}
front_coredns() {
	find_coredns || { skip "CoreDNS: $why"; return; }
	lab_stop noded-n1
	printf 'dns = coredns\n' >>"$LAB/n1.conf"
	lab_node_start n1
	lab_until 20 "node n1 again" lab_node_ready n1
	lab_until 20 "nobody has the port" dns_begins "degraded: no CoreDNS on port 53 of $own"
	sample Corefile >"$LAB/Corefile"
	lab_start coredns n1 "$COREDNS" -conf "$LAB/Corefile"
	lab_until 20 "CoreDNS is heard" dns_is coredns
	judge "$own#53" CoreDNS
	says "$own#53" 'IN[[:space:]]+SOA[[:space:]]+n1\.quazzar\.mesh\.' nobody.quazzar.mesh
	gives "$own6#53" "$own" n1.quazzar.mesh
	gives "$own#53" 203.0.113.7 www.example.com
	config_has() { api n1 POST /api/mesh/devices "{\"label\":\"x $RANDOM$RANDOM\",\"dns\":true}" | jq -er .config | grep -qx "$1"; }
	lab_until 10 "the DNS line, with CoreDNS" config_has "DNS = $own, quazzar.mesh"
	ok "CoreDNS: negatives with the node's SOA, foreign names, the DNS line of a config"
	at tablet ip route add "$own/32" via 198.51.100.1
	! at tablet dig "@$own" +time=1 +tries=1 +short n1.quazzar.mesh >"$LAB/outside.txt" ||
		! grep -qF "$own" "$LAB/outside.txt" || lab_fail "CoreDNS answers who is no member"
	lab_stop coredns
	lab_until 20 "CoreDNS is missed" dns_begins "degraded: no CoreDNS"
	ok "CoreDNS: no answer to who is no member; the node says when it is gone"
}

front_unbound
front_resolved
front_coredns
lab_check_logs
printf 'passed %d failed 0 skipped %d\n' "$passed" "$skipped"
