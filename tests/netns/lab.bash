# SPDX-License-Identifier: Apache-2.0
# A lab of hosts on one machine, for scripts/demo and the tests here. Sourced.
#
#        cp 198.51.100.10      n1 198.51.100.1      n2 198.51.100.2
#              |                     |                    |
#   ===========+=====================+====================+========== bridge
#                     |                              |
#            phone 198.51.100.3            laptop 198.51.100.4
#
# Each host is a process with a network and a mount namespace of its own (a
# tmpfs on /var/run/wireguard: sockets of interfaces with one name must not
# meet). Ending that process ends the host; what runs in it is ended first.

set -o pipefail
LAB=${LAB:-$(mktemp -d /tmp/qmesh-lab.XXXXXX)}
BIN=${QMESH_BUILD:?QMESH_BUILD names the build}/bin
LAB_IF=wg-quazzar0
WGGO=${WGGO:-wireguard-go}
PASSWORD=correct-horse-battery
declare -A LAB_HOST LAB_ADDR LAB_PID LAB_ENDPOINT
LAB_ADDR=([cp]=10 [n1]=1 [n2]=2 [phone]=3 [laptop]=4 [tablet]=5)

lab_fail() {
	printf 'FAIL: %s\n' "$*" >&2
	local log
	for log in "$LAB"/*.log; do
		[ -s "$log" ] || continue
		printf -- '--- %s\n' "${log##*/}" >&2
		tail -n 12 "$log" >&2
	done
	exit 1
}

# Runs a command at a host. Root and folder are asked for: in a chroot the
# mount namespace's own root is another one.
at() { # host command...
	local host=$1
	shift
	nsenter -t "${LAB_HOST[$host]}" -n -m -r -w -- "$@"
}

# Starts a daemon at a host; its pid is LAB_PID[name].
lab_start() { # name host command...
	local name=$1 host=$2
	shift 2
	nsenter -t "${LAB_HOST[$host]}" -n -m -r -w -- "$@" >>"$LAB/$name.log" 2>&1 </dev/null &
	LAB_PID[$name]=$!
}

lab_stop() { # name [signal]
	local pid=${LAB_PID[$1]:-}
	[ -n "$pid" ] || return 0
	kill "-${2:-TERM}" "$pid" 2>/dev/null || true
	{ wait "$pid" || true; } 2>/dev/null
	unset "LAB_PID[$1]"
}

# Many times the seconds it should take: the machine may be busy with other things.
lab_until() { # seconds what command...
	local last=$((SECONDS + 3 * $1 + 45)) what=$2
	shift 2
	while [ $SECONDS -lt $last ]; do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	lab_fail "$what: not within the time"
}

# A process that ended may stay a zombie for ever where pid 1 reaps nobody, as in many containers.
lab_runs() { # pid
	[[ "$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null)" == [!ZX]* ]]
}

lab_host() { # name
	local name=$1 last=${LAB_ADDR[$1]}
	unshare -n -m -- sh -c "mount --make-rprivate / && mkdir -p /var/run/wireguard /run/qmesh &&
		mount -t tmpfs none /var/run/wireguard && mount -t tmpfs none /run/qmesh &&
		ip link set lo up && touch '$LAB/$name.up' && exec sleep infinity" &
	LAB_HOST[$name]=$!
	lab_until 10 "host $name" test -e "$LAB/$name.up"
	[ "$name" != bridge ] || return 0
	nsenter -t "${LAB_HOST[bridge]}" -n ip link add "v-$name" type veth peer name eth0 netns "${LAB_HOST[$name]}"
	nsenter -t "${LAB_HOST[bridge]}" -n ip link set "v-$name" master br0 up
	at "$name" ip addr add "198.51.100.$last/24" dev eth0
	at "$name" ip link set eth0 up
}

lab_up() { # hosts...
	LAB_ADDR[bridge]=0
	lab_host bridge
	nsenter -t "${LAB_HOST[bridge]}" -n sh -c 'ip link add br0 type bridge && ip link set br0 up'
	local host
	for host in "$@"; do lab_host "$host"; done
}

# A sanitizer that complained in any daemon fails the test.
lab_check_logs() {
	! grep -aqE 'Sanitizer|runtime error:' "$LAB"/*.log || lab_fail "a sanitizer complains"
}

# Everything that was started here, by pid: daemons, interfaces, hosts.
lab_down() {
	local name pid file
	for name in "${!LAB_PID[@]}"; do lab_stop "$name"; done
	for file in "$LAB"/*/"$LAB_IF".pid; do
		[ -r "$file" ] || continue
		read -r pid _ <"$file"
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != wireguard-go ] || kill "$pid" 2>/dev/null || true
	done
	for name in "${!LAB_HOST[@]}"; do
		kill "${LAB_HOST[$name]}" 2>/dev/null || true
		{ wait "${LAB_HOST[$name]}" || true; } 2>/dev/null
	done
	[ -n "${LAB_KEEP:-}" ] || rm -rf "$LAB"
}

# --- Control Panel and nodes ---

lab_cp_start() {
	lab_start cpd cp "$BIN/qmesh-cpd" --config "$LAB/cpd.conf"
	lab_until 15 "the Control Panel" lab_admin tenant list
}

lab_cp() {
	mkdir -p "$LAB/cp"
	cat >"$LAB/cpd.conf" <<-CONF
		state_dir = $LAB/cp
		admin_socket = $LAB/cpd.sock
		listen = 198.51.100.10:7443
	CONF
	[ -z "${1:-}" ] || printf '%s\n' "$@" >>"$LAB/cpd.conf"
	lab_cp_start
}

lab_admin() { "$BIN/qmesh" --server "unix:$LAB/cpd.sock" admin "$@"; }

lab_tenant() { # plan
	lab_admin tenant add acme --plan "$1" >/dev/null
	printf '%s' "$PASSWORD" | lab_admin user add acme anna --role admin --password-file - >/dev/null
}

lab_node_start() { # name
	lab_start "noded-$1" "$1" "$BIN/qmesh-noded" --config "$LAB/$1.conf"
}

lab_node() { # name extra-lines...
	local name=$1
	shift
	mkdir -p "$LAB/$name"
	(umask 077 && lab_admin join-token acme --json | jq -r .join_token >"$LAB/$name.token")
	cat >"$LAB/$name.conf" <<-CONF
		state_dir = $LAB/$name
		admin_socket = $LAB/$name.sock
		listen = 127.0.0.1:7444
		listen_plain = 127.0.0.1:7480
		name = $name
		cp = https://198.51.100.10:7443
		join_token_file = $LAB/$name.token
		endpoint = ${LAB_ENDPOINT[$name]:-198.51.100.${LAB_ADDR[$name]}:51820}
		wireguard_go = $WGGO
	CONF
	[ $# = 0 ] || printf '%s\n' "$@" >>"$LAB/$name.conf"
	lab_node_start "$name"
}

lab_node_ready() { # name
	lab_state "$1" | jq -e '.active and .cp_connected and .generation != "0"'
}

lab_state() { # name
	at "$1" curl -sS --max-time 20 --unix-socket "$LAB/$1.sock" http://localhost/api/mesh/state
}

# --- people ---

# REST at a node, as anna.
api() { # node verb path [body]
	local node=$1 verb=$2 path=$3
	shift 3
	at "$node" curl -sS --max-time 60 -X "$verb" -H "Authorization: Bearer $(cat "$LAB/$node.session")" \
		-H 'Content-Type: application/json' ${1:+--data "$1"} "http://127.0.0.1:7480$path"
}

api_status() { # node verb path [body]: the HTTP status alone
	local node=$1 verb=$2 path=$3
	shift 3
	at "$node" curl -sS --max-time 60 -o /dev/null -w '%{http_code}' -X "$verb" \
		-H "Authorization: Bearer $(cat "$LAB/$node.session")" -H 'Content-Type: application/json' \
		${1:+--data "$1"} "http://127.0.0.1:7480$path"
}

lab_sign_in() { # node
	local answer
	answer=$(at "$1" curl -sS --max-time 60 --retry 5 --retry-connrefused --retry-delay 1 -H 'Content-Type: application/json' \
		--data "{\"user\":\"anna\",\"password\":\"$PASSWORD\"}" http://127.0.0.1:7480/api/auth/login)
	(umask 077 && jq -er .token <<<"$answer" >"$LAB/$1.session") || lab_fail "sign-in at $1: $answer"
}

lab_add_device() { # node label type: writes LABEL.json and LABEL.conf
	local answer
	answer=$(api "$1" POST /api/mesh/devices "{\"label\":\"$2\",\"type\":\"DEVICE_TYPE_$3\"}")
	(umask 077 && printf '%s' "$answer" >"$LAB/$2.json" && jq -er .config "$LAB/$2.json" >"$LAB/$2.wg.conf") ||
		lab_fail "device $2 at $1: $answer"
	jq -r .device.id "$LAB/$2.json"
}

lab_device() { # node id: the device as that node knows it
	api "$1" GET "/api/mesh/devices/$2"
}

lab_has_status() { # node id status
	lab_device "$1" "$2" | jq -e --arg s "DEVICE_STATUS_$3" '.status == $s'
}

# --- stock WireGuard clients ---

# A client interface needs a config file named after it to be stripped.
lab_setconf() { # host
	(umask 077 && mkdir -p "$LAB/$1.wg" && cp "$LAB/$1.wg.conf" "$LAB/$1.wg/wg0.conf")
	wg-quick strip "$LAB/$1.wg/wg0.conf" >"$LAB/$1.wg/stripped"
	at "$1" wg setconf wg0 "$LAB/$1.wg/stripped"
}

lab_client() { # host
	local address
	lab_start "wg-$1" "$1" "$WGGO" -f wg0
	lab_until 10 "wireguard-go of $1" at "$1" test -S /var/run/wireguard/wg0.sock
	lab_setconf "$1"
	for address in $(sed -n 's/^Address *= *//p' "$LAB/$1.wg.conf" | tr ',' ' '); do
		at "$1" ip addr add "$address" dev wg0
	done
	at "$1" ip link set wg0 mtu "$(sed -n 's/^MTU *= *//p' "$LAB/$1.wg.conf" | grep . || echo 1420)" up
	for address in $(sed -n 's/^AllowedIPs *= *//p' "$LAB/$1.wg.conf" | tr ',' ' '); do
		at "$1" ip route replace "$address" dev wg0
	done
}

# --- looks ---

lab_stamp() { # node: public key and handshake of each peer, sorted
	at "$1" wg show "$LAB_IF" latest-handshakes | sort
}

lab_lost() { # log of ping: packets lost
	awk '/packets transmitted/ {print $1 - $4}' "$1"
}
