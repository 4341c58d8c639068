#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a host may lack or have given away: rights, /dev/net/tun, the port, the
# interface's name, a listener's address, the program wireguard-go, room on the
# disk. Each ends in one line with what helps, and is made good without a
# restart as soon as the cause is gone. The slow half runs with --long.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
LONG=${QMESH_LONG:-}
[ "${1:-}" != --long ] || LONG=1
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
done_here() {
	[ -z "${go:-}" ] || kill -CONT "$go" 2>/dev/null
	lab_down
}
trap done_here EXIT
passed=0
ok() { passed=$((passed + 1)); printf 'ok %d - %s (%d s)\n' $passed "$*" $SECONDS; }
LOG=$LAB/noded-n1.log
says() { grep -qF -- "$1" "$LOG"; }
is_up() { lab_state n1 | jq -e .active; }
is_down() { lab_state n1 | jq -e '.active | not'; }
# A node that cannot raise its interface says why, goes on trying and is up once it can.
told() { # what words
	lab_until 20 "words of $1: $2" says "$2"
	lab_until 20 "a node that says it is down: $1" is_down
}
fresh() {
	lab_stop noded-n1
	at n1 "$BIN/qmesh-noded" --config "$LAB/n1.conf" --teardown >>"$LAB/teardown.log" 2>&1 || lab_fail "teardown"
	: >"$LOG"
}

lab_up cp n1 phone
lab_cp "provision_limit = 100" "provision_period = 1s"
lab_tenant enterprise
# /etc is never written to.
at n1 sh -c 'mount --bind /etc /etc && mount -o remount,bind,ro /etc' || lab_fail "a read-only /etc"
lab_node n1
lab_until 20 "node n1" lab_node_ready n1
ok "up with a read-only /etc"

fresh
at n1 ip link add "$LAB_IF" type veth peer name other0
lab_node_start n1
told "a name that is taken" "$LAB_IF is there already, an interface of somebody else's (veth): give wg_interface another name, or remove it by \"ip link delete $LAB_IF\""
at n1 "$BIN/qmesh-noded" --config "$LAB/n1.conf" --teardown >"$LAB/foreign.log" 2>&1 && lab_fail "a teardown that took somebody else's interface"
grep -qF "an interface of somebody else's (veth)" "$LAB/foreign.log" || lab_fail "teardown: $(cat "$LAB/foreign.log")"
at n1 ip link show "$LAB_IF" >/dev/null || lab_fail "somebody else's interface is gone"
at n1 ip link del "$LAB_IF"
lab_until 20 "up once the name is free" is_up
ok "an interface of that name by somebody else: said, left alone, up once it is gone"

fresh
lab_start squatter n1 /usr/bin/python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 51820)); print("there", flush=True); time.sleep(600)'
lab_until 10 "a squatter" grep -q there "$LAB/squatter.log"
lab_node_start n1
told "a UDP port that is taken" "another program has UDP port 51820: end it, or give wg_port another"
lab_stop squatter
lab_until 20 "up once the port is free" is_up
[ "$(grep -cF "another program has UDP port" "$LOG")" = 1 ] || lab_fail "said again at each try"
lab_until 20 "words of the end" says "the interface fails no more, after"
ok "the UDP port taken by another program: said, up once it is free"

lack_parts() {
	fresh
	at n1 mount -t tmpfs none /dev/net
	lab_node_start n1
	told "no tun device" "there is no /dev/net/tun, which $WGGO needs: modprobe tun, or give this container the device"
	at n1 umount /dev/net
	lab_until 20 "up once the device is there" is_up
	ok "no /dev/net/tun: said, up once it is there"

	fresh
	cp "$LAB/n1.conf" "$LAB/n1.conf.kept"
	sed -i 's/^wireguard_go = .*/wireguard_go = wireguard-gone/' "$LAB/n1.conf"
	lab_node_start n1
	told "no wireguard-go" "there is no program wireguard-gone: install it, name it by wireguard_go, or let the kernel have WireGuard (modprobe wireguard)"
	mv "$LAB/n1.conf.kept" "$LAB/n1.conf"
	ok "no wireguard-go: said"
}
[ -z "$LONG" ] || lack_parts

fresh
lab_start squatter n1 /usr/bin/python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 7444)); print("there", flush=True); time.sleep(600)'
lab_until 10 "a squatter of the listener" sh -c "[ \"\$(grep -c there '$LAB/squatter.log')\" = 2 ]"
at n1 "$BIN/qmesh-noded" --config "$LAB/n1.conf" >>"$LOG" 2>&1 && lab_fail "a listener's address is taken, and yet it runs"
says "cannot listen on 127.0.0.1:7444: Address already in use" && says "end the other program, or give listen, listen_plain or admin_socket another address, or none" ||
	lab_fail "words of a listener"
lab_stop squatter
ok "a listener's address taken: said, ended with 1"

# An ordinary user without rights, then with the two that the unit gives.
fresh
USER_ID=64998
start_as_user() { # ",+capability..."
	lab_start noded-n1 n1 setpriv --reuid $USER_ID --regid $USER_ID --clear-groups --bounding-set "-all$1" --inh-caps "-all$1" \
		--ambient-caps "-all$1" env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" "$LAB/run/qmesh-noded" --config "$LAB/run/n1.conf"
}
chmod 711 "$LAB"
mkdir "$LAB/run"
mv "$LAB/n1" "$LAB/run/n1"
sed -e "s|^state_dir = .*|state_dir = $LAB/run/n1|" -e "s|^admin_socket = .*|admin_socket = $LAB/run/n1.sock|" "$LAB/n1.conf" >"$LAB/run/n1.conf"
ln -s run/n1.sock "$LAB/n1.sock"
cp "$BIN/qmesh-noded" "$LAB/run/"
chown -R $USER_ID:$USER_ID "$LAB/run"
at n1 chown $USER_ID:$USER_ID /var/run/wireguard
start_as_user ""
lab_until 20 "words of missing rights" says "$WGGO ended at its start: "
lab_until 20 "what helps against missing rights" says "it needs root or CAP_NET_ADMIN, and /var/run/wireguard to write in"
lab_until 20 "down without rights" is_down
lab_stop noded-n1
start_as_user ",+net_admin,+net_bind_service"
lab_until 20 "up with two capabilities" is_up
lab_until 20 "names with two capabilities" sh -c "curl -sS --unix-socket '$LAB/n1.sock' http://localhost/api/mesh/state | jq -e '.dns_status != \"off\" and (.dns_status | test(\"port 53\") | not)'"
lab_stop noded-n1
: >"$LOG"
ok "an ordinary user: without rights said, with CAP_NET_ADMIN and CAP_NET_BIND_SERVICE up"
chown -R root:root "$LAB/run"
at n1 "$BIN/qmesh-noded" --config "$LAB/run/n1.conf" --teardown >>"$LAB/teardown.log" 2>&1 || lab_fail "teardown of another user's"
rm "$LAB/n1.sock" && mv "$LAB/run/n1" "$LAB/n1"

# --- a full disk under the cache ---

lab_node_start n1
lab_until 20 "n1 on its feet" lab_node_ready n1
lab_stop noded-n1
cp -a "$LAB/n1/." "$LAB/n1.kept"
at n1 mount -t tmpfs -o size=128k,mode=700 none "$LAB/n1"
at n1 cp -a "$LAB/n1.kept/." "$LAB/n1/"
lab_node_start n1
lab_until 20 "n1 on a small disk" lab_node_ready n1
lab_sign_in n1
at n1 sh -c "cat /dev/zero >'$LAB/n1/filler' 2>/dev/null"
phone=$(lab_add_device n1 phone IPHONE)
lab_until 20 "words of a full disk" says "the list could not be saved in $LAB/n1: No space left on device; make room"
lab_client phone
lab_until 20 "a phone that came while the disk was full" lab_has_status n1 "$phone" CONNECTED
at n1 curl -sS http://127.0.0.1:7480/readyz | jq -e '.. | strings | select(. == "LIST_NOT_SAVED")' >/dev/null || lab_fail "readyz: $(at n1 curl -sS http://127.0.0.1:7480/readyz)"
at n1 rm "$LAB/n1/filler"
lab_until 20 "saved once there is room" says "the list is saved again"
lab_stop cpd
lab_stop noded-n1 KILL
lab_node_start n1
lab_until 20 "the phone in the list from disk" lab_has_status n1 "$phone" CONNECTED
ok "a full disk: said in log and readyz, the mesh goes on, saved once there is room"
lab_cp_start
lab_until 30 "n1 back at the Control Panel" lab_node_ready n1

# --- a userspace WireGuard that hangs ---

hang() {
	go=$(at n1 cut -d' ' -f1 "$LAB/n1/$LAB_IF.pid")
	kill -STOP "$go"
	lab_until 60 "words of one that hangs" says "$LAB_IF does not answer: Connection timed out"
	lab_until 60 "the state of one that hangs" is_down
	kill -CONT "$go"
	lab_until 60 "up when it goes on" is_up
	[ "$(at n1 cut -d' ' -f1 "$LAB/n1/$LAB_IF.pid")" = "$go" ] || lab_fail "it was started anew"
	ok "a wireguard-go that hangs: said in log and state; adopted when it goes on"
}
[ -z "$LONG" ] || hang

lab_check_logs
skipped=0
if [ -z "$LONG" ]; then
	echo "skipped: no /dev/net/tun, no wireguard-go, one that hangs: with --long"
	skipped=3
fi
printf 'passed %d failed 0 skipped %d\n' $passed $skipped
