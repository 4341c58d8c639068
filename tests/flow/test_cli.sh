#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The command line against a real Control Panel and a real node: every command
# once, its JSON, and the exit code of what cannot be done.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

[ "$(id -u)" = 0 ] || {
	echo "needs root for network namespaces"
	exit 77
}
for program in qmesh qmesh-cpd qmesh-noded; do
	[ -x "${QMESH_BUILD:?}/bin/$program" ] || {
		echo "$program is not built"
		exit 77
	}
done
for program in jq wireguard-go unshare nsenter zbarimg; do
	command -v $program >/dev/null || {
		echo "$program is not installed"
		exit 77
	}
done
export LC_ALL=C.UTF-8
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
LAB=$(mktemp -d /tmp/qmesh-cli.XXXXXX)
# shellcheck source=tests/netns/lab.bash
. tests/netns/lab.bash
trap lab_down EXIT

passed=0 failed=0 skipped=0
CODE=0
export XDG_CONFIG_HOME=$LAB/home

# Runs the program; what it said is in out and err, how it ended in CODE. Leaks
# are looked for here, not in the daemons: h2o keeps memory for later use.
q() {
	ASAN_OPTIONS=detect_leaks=1 "$BIN/qmesh" --server "unix:$LAB/n1.sock" "$@" >"$LAB/out" 2>"$LAB/err" </dev/null
	CODE=$?
}

note() { # what: counts the last condition
	local ok=$1
	shift
	if [ "$ok" = 0 ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'FAIL %s (exit %s)\n' "$*" "$CODE"
	sed 's/^/   out: /' "$LAB/out" | head -20
	sed 's/^/   err: /' "$LAB/err" | head -20
}

code() { # expected what...
	[ "$CODE" = "$1" ]
	note $? "${*:2}: exit $1 expected"
}

out() { # pattern what...
	grep -qE -- "$1" "$LAB/out"
	note $? "${*:2}: stdout has $1"
}

err() {
	grep -qE -- "$1" "$LAB/err"
	note $? "${*:2}: stderr has $1"
}

json() { # filter what...
	jq -e "$1" "$LAB/out" >/dev/null 2>&1
	note $? "${*:2}: $1"
}

local_commands() {
	local name
	for name in "" bogus device "device list --nope" "device add" "device show" "login x" \
		"device list --json=1" "--server" "change x" "audit list --limit 0" \
		"device add x" "device add x --qr --json" "device add x --stdout --type fax" \
		"device remove x --wait 6s" "device remove x --wait 5" "admin tenant set-plan a gold" \
		"admin user add a b" "admin user set a b" "completion zsh" \
		"admin user set a b --enable --disable" "--pin 12 health" "--ca /nowhere --server https://h health"; do
		# shellcheck disable=SC2086
		q $name
		code 2 "qmesh $name"
		[ "$name" = device ] || err '^(error|hint): ' "qmesh $name"
	done
	q help && code 0 help
	out 'device rotate' help
	q help device add && code 0 "help device add"
	out '--public-key' "help device add"
	q device add --help && code 0 "device add --help"
	q help nothing
	code 2 "help nothing"
	q help admin key && code 0 "help of a group in a group"
	out 'admin key rotate' "help of a group in a group"
	! grep -q 'admin tenant' "$LAB/out"
	note $? "help of a group has nothing of others"
	q admin key rotten
	code 2 "a verb that is none"
	q version --json
	json '.schema == "qmesh.version/1"' version
	q limits --json
	json '.label_max_characters == 64' limits
	json '.transport.head_bytes.value == 16384 and .transport.resets.per_second == 100 and
		([.transport[].why | length > 5] | all)' limits
	q completion bash
	cp "$LAB/out" "$LAB/completion"
	complete_as "rotate remove rename" qmesh device r
	complete_as "set-plan" qmesh admin tenant set-p
	complete_as "--immediate" qmesh device rotate --im
	complete_as "health help" qmesh he
	q --server https://x@y health
	code 2 "bad server"
	q --server http://198.51.100.10:80 health
	code 2 "clear text to another machine"
	q --server http://127.0.0.1:1 health
	code 3 "nobody there"
	err 'refused' "nobody there"
	q --server "unix:$LAB/none" status
	code 3 "no socket"
	q --server https://127.0.0.1:1 status
	code 4 "no session"
	err 'qmesh login' "no session"
}

# What a person gets who types these words and the tabulator.
complete_as() { # expected words...
	# shellcheck disable=SC2016
	bash --norc -c '. "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _qmesh; printf "%s\n" "${COMPREPLY[@]}"' \
		bash "$LAB/completion" "${@:2}" >"$LAB/out" 2>"$LAB/err"
	[ "$(sort "$LAB/out" | xargs)" = "$(tr ' ' '\n' <<<"$1" | sort | xargs)" ]
	note $? "completion of: ${*:2}"
}

# Every command and flag that help knows is in the manual.
manual() {
	local word missing=""
	"$BIN/qmesh" help | sed -nE 's/^  qmesh ([a-z -]+).*/\1/p' | sed 's/ *$//' >"$LAB/commands"
	if command -v mandoc >/dev/null; then
		mandoc -Tlint -Wwarning docs/man/qmesh.1 >"$LAB/out" 2>"$LAB/err"
		note $? "mandoc accepts the manual"
	else
		skipped=$((skipped + 1))
	fi
	sed -E 's/^\.It Cm / /; s/^\.It Fl -/ --/; s/$/ /' docs/man/qmesh.1 >"$LAB/manual"
	while read -r word; do
		grep -qF -- " $word " "$LAB/manual" || missing+=" '$word'"
		# shellcheck disable=SC2086
		for flag in $("$BIN/qmesh" help $word | grep -oE '^  --[a-z-]+'); do
			grep -qF -- " $flag" "$LAB/manual" || missing+=" $flag"
		done
	done <"$LAB/commands"
	[ -z "$missing" ]
	note $? "the manual lacks:$missing"
	[ "$(wc -l <"$LAB/commands")" -gt 25 ]
	note $? "help lists the commands"
	# shellcheck disable=SC2016
	sed -n '/^```c$/,/^```$/p; /^```$/q' docs/client.md | sed '1d;$d' | cmp - tests/support/list_devices_example.c
	note $? "the example in docs/client.md is the one that is built"
}

admin_commands() {
	a() {
		"$BIN/qmesh" --server "unix:$LAB/cpd.sock" admin "$@" >"$LAB/out" 2>"$LAB/err" </dev/null
		CODE=$?
	}
	a tenant add home --plan free --json
	code 0 "tenant add"
	json '.schema == "qmesh.tenant/1" and .tenant.name == "home" and .tenant.plan == "PLAN_FREE"' "tenant add"
	a tenant add home
	code 7 "tenant twice"
	a tenant add 'No Slug'
	code 2 "tenant name"
	a tenant list
	out '^home +free' "tenant list"
	a user list
	code 0 "the only tenant"
	printf 'short' >"$LAB/short"
	a user add eve --password-file "$LAB/short"
	code 2 "short password"
	printf '%s' "$PASSWORD" >"$LAB/password"
	a user add anna --role admin --password-file "$LAB/password" --json
	code 0 "user add"
	json '.user.name == "anna" and .user.role == "ROLE_ADMIN"' "user add"
	a user add anna --password-file "$LAB/password"
	code 7 "user twice"
	a user add home ben --password-file "$LAB/password"
	code 0 "user add with the tenant's name"
	a user add --tenant nowhere ben --password-file "$LAB/password"
	code 6 "no such tenant"
	a user list home
	out '^ben +member +enabled' "user list"
	a user set ben --role auditor
	out '^ben +auditor' "user set"
	for verb in "list --tenant home" "export --tenant home" "list home" "verify"; do
		# shellcheck disable=SC2086
		q --server "unix:$LAB/cpd.sock" audit $verb
		code 0 "the operator's audit $verb"
		out 'user\.update|^home: whole: ' "the operator's audit $verb"
	done
	q --server "unix:$LAB/cpd.sock" audit list --tenant nowhere
	code 6 "the audit of no such tenant"
	q --server "unix:$LAB/cpd.sock" audit list
	code 4 "the operator's audit list of nobody"
	err '^hint: .*--tenant NAME' "the operator's audit list of nobody"
	a join-token --quiet
	[ ! -s "$LAB/err" ] && grep -qE '^qmj1\.' "$LAB/out"
	note $? "join-token --quiet is the token alone"
	a node remove nothing
	code 6 "no such node"
	a tenant set-plan home team
	out '^home +team' "set-plan"
}

sessions() {
	q login --user anna --password-file "$LAB/short"
	code 4 "wrong password"
	q login --user anna --password-file "$LAB/none"
	code 2 "no password file"
	q login --user anna
	code 2 "no terminal to ask at"
	q login --user ben --password-file "$LAB/password" --json
	code 0 "login"
	json '.schema == "qmesh.login/1" and .user == "ben" and (has("token") | not)' "login tells no token"
	[ "$(stat -c %a "$LAB/home/qmesh/session")" = 600 ]
	note $? "the session file is private"
	q whoami --json
	json '.user == "ben" and .role == "ROLE_AUDITOR" and .tenant == "home"' whoami
	q device add x --stdout
	code 5 "an auditor adds no device"
	q logout
	code 0 logout
	[ "$(wc -c <"$LAB/home/qmesh/session")" = 0 ]
	note $? "logout forgets the token"
	tests/support/cli_tty.py login "$BIN/qmesh" "unix:$LAB/n1.sock" ben "$PASSWORD" >"$LAB/out" 2>"$LAB/err"
	note $? "login asks on a terminal and hides the password"
	echo "another good password" >"$LAB/new"
	q password --old-file "$LAB/new" --new-file "$LAB/new"
	code 4 "the old password is wrong"
	q password --old-file "$LAB/password" --new-file "$LAB/short"
	code 2 "the new password is short"
	q password --old-file "$LAB/password" --new-file "$LAB/new"
	code 0 "password"
	q login --user ben --password-file "$LAB/password"
	code 4 "the old password is over"
	q login --user ben --password-file "$LAB/new"
	code 0 "the new password"
	q login --user anna --tenant home --password-file "$LAB/password"
	code 0 "login as admin"
	out 'signed in as anna' login
	cut -f3 "$LAB/home/qmesh/session" >"$LAB/token"
	XDG_CONFIG_HOME=/nowhere QMESH_TOKEN_FILE=$LAB/token q whoami
	out '^anna, admin of tenant home \(plan team\)' "token from a file"
	echo nonsense >"$LAB/bad"
	q --token-file "$LAB/bad" whoami
	code 4 "bad token"
	err 'qmesh login' "bad token"
	: >"$LAB/bad"
	q --token-file "$LAB/bad" whoami
	code 2 "empty token file"
}

devices() {
	q device add "Anna's phone" --type iphone --out "$LAB/phone.conf" --wait 5s
	code 0 "device add --out"
	err 'annas?-s?-?phone' "device add"
	[ "$(stat -c %a "$LAB/phone.conf")" = 600 ] && grep -q '^PrivateKey = ' "$LAB/phone.conf"
	note $? "the config is private and whole"
	! grep -q PrivateKey "$LAB/out" "$LAB/err"
	note $? "no key on the terminal that nobody asked for"
	q device add other --out "$LAB/phone.conf"
	code 7 "the file is there"
	q device list --json
	json '[.devices[].slug] == ["anna-s-phone"]' "no device without its config"
	q device add "Anna's phone" --stdout
	code 7 "label taken"
	err 'hint: try "anna-s-phone-2"' "label taken"
	q device add "" --stdout
	code 2 "empty label"
	q device add wpad --stdout
	code 2 "reserved label"
	q device add laptop --type laptop --stdout --json
	code 0 "device add --json"
	json '.schema == "qmesh.device.added/1" and (.config | startswith("[Interface]")) and .qr_svg == "" and .device.type == "DEVICE_TYPE_LAPTOP"' "device add --json"
	q device add qr --qr
	code 0 "device add --qr"
	scan "$LAB/out"
	tests/support/cli_tty.py qr "$BIN/qmesh" "unix:$LAB/n1.sock" qr "$LAB/drawn" >"$LAB/out" 2>"$LAB/err"
	note $? "a small terminal is asked to grow"
	scan "$LAB/drawn"
	q device list
	out "^Anna's phone +anna-s-phone +10\..* iphone +waiting +never" "device list"
	q device show anna-s-phone --json
	json '.schema == "qmesh.device/1" and .device.slug == "anna-s-phone"' "show by slug"
	local id
	id=$(jq -r .device.id "$LAB/out")
	q device show "$id"
	out '^name +anna-s-phone.quazzar.mesh' "show by id"
	q device show "Anna's phone"
	out '^state +waiting' "show by label"
	q device show nothing --json
	code 6 "no such device"
	json '.schema == "qmesh.error/1" and .code == "NOT_FOUND" and .reason == "NOT_FOUND"' "errors as JSON"
	q device show 01900000-0000-7000-8000-000000000000
	code 6 "no such id"
	q device rename laptop 'Big laptop' --wait 5s
	out 'big-laptop.quazzar.mesh' rename
	q device rotate big-laptop --out "$LAB/laptop.conf" --immediate
	code 0 rotate
	grep -q '^PrivateKey = ' "$LAB/laptop.conf"
	note $? "rotate hands out a config"
	q device add own --public-key "$(wg genkey | wg pubkey)" --stdout --no-keepalive
	code 0 "own key"
	! grep -qE 'PrivateKey|PersistentKeepalive' "$LAB/out" && grep -q '^\[Peer\]' "$LAB/out"
	note $? "a config for one's own key"
	q device add own2 --public-key nonsense --stdout
	code 2 "bad key"
	q device add more --stdout
	code 8 "too many in a minute"
	err 'hint: try again in [0-9]+ s' "too many in a minute"
	q device why big-laptop
	code 0 why
	q device stats big-laptop --window 1m --json
	code 0 stats
	q device remove big-laptop --wait 5s
	code 0 remove
	out 'removed' remove
	q device remove big-laptop
	code 6 "removed twice"
}

# What the terminal shows is a code that a phone reads.
scan() { # file
	/usr/bin/python3 - "$1" "$LAB/qr.pgm" <<-'PY'
		import sys
		rows = [line for line in open(sys.argv[1], encoding="utf-8").read().splitlines() if line]
		pixels = []
		for row in rows:
		    pixels.append([0 if c in "▀█" else 255 for c in row])
		    pixels.append([0 if c in "▄█" else 255 for c in row])
		scale = 4
		with open(sys.argv[2], "wb") as f:
		    f.write(b"P5 %d %d 255\n" % (len(pixels[0]) * scale, len(pixels) * scale))
		    for row in pixels:
		        f.write(bytes(v for v in row for _ in range(scale)) * scale)
	PY
	zbarimg -q --raw "$LAB/qr.pgm" 2>/dev/null | grep -q '^PrivateKey = '
	note $? "the code on the terminal reads as the config"
}

mesh() {
	XDG_CONFIG_HOME=/nowhere q device list --json
	json '[.devices[].owner.name] | unique == ["anna"]' "the operator at the node's socket sees all"
	XDG_CONFIG_HOME=/nowhere q device show qr
	code 0 "and finds them by name"
	XDG_CONFIG_HOME=/nowhere q device remove qr
	code 4 "but changes need a person"
	q status
	out '^mesh +up' status
	out '^plan +team, [0-9]+ of 100 devices' status
	q status --json
	json '.schema == "qmesh.state/1" and .state.active' status
	local generation
	generation=$(jq -r .state.generation "$LAB/out")
	q change "$generation" --wait 5s --json
	code 0 change
	json '.schema == "qmesh.change/1" and .converged' change
	q node list --json
	json '.nodes | length == 1 and .[0].online' "node list"
	local slug node
	slug=$(jq -r '.nodes[0].slug' "$LAB/out")
	node=$(jq -r '.nodes[0].id' "$LAB/out")
	q node show "$slug"
	out '^dns +(off|serving|degraded)' "node show, by slug"
	out '^https +(off|starting|serving until|degraded)' "node show, HTTPS"
	q node show "$node" --json
	json '.schema == "qmesh.node/1" and .online and .https_status != ""' "node show, by id"
	q node show nothing --json
	code 6 "no such node"
	q peer list
	out '^device +' "peer list"
	q peer list --json
	json '.schema == "qmesh.peer.list/1"' "peer list"
	q refresh
	out '^applied, generation' refresh
	q features --json
	json '.features.mesh_vpn.enabled and .features.mesh_vpn.cap == 100' features
	q audit list --limit 5 --json
	json '.schema == "qmesh.audit.list/1" and (.entries | length == 5)' "audit list"
	q health
	code 0 health
	watch_status
	TOKEN=$(cat "$LAB/token") "$QMESH_BUILD/tests/support/list_devices_example" "unix:$LAB/n1.sock" >"$LAB/out" 2>"$LAB/err"
	CODE=$?
	out '^10\.[0-9.]+ anna-s-phone.quazzar.mesh$' "the example of docs/client.md"
}

watch_status() {
	"$BIN/qmesh" --server "unix:$LAB/n1.sock" status --watch --json >"$LAB/watch" 2>"$LAB/err" &
	local pid=$! ok=1
	for _ in $(seq 600); do
		[ ! -s "$LAB/watch" ] || break
		sleep 0.1
	done
	q device remove own
	for _ in $(seq 600); do
		[ "$(wc -l <"$LAB/watch")" -lt 2 ] || { ok=0 && break; }
		sleep 0.1
	done
	kill $pid
	wait $pid 2>/dev/null
	note $ok "status --watch shows changes"
	jq -es 'all(.[]; .schema == "qmesh.state.change/1")' "$LAB/watch" >/dev/null
	note $? "status --watch --json is a line each"
}

# From another host, over TLS.
remote() {
	local pin wrong
	pin=$(lab_admin join-token --quiet | cut -d. -f4 | tr '_-' '/+' | sed 's/$/=/' | base64 -d | od -An -tx1 | tr -d ' \n')
	wrong=$(printf '%064d' 0)
	r() {
		at n1 env "XDG_CONFIG_HOME=$LAB/remote" "QMESH_SERVER=https://198.51.100.10:7443" \
			ASAN_OPTIONS=detect_leaks=1 "$BIN/qmesh" "$@" >"$LAB/out" 2>"$LAB/err" </dev/null
		CODE=$?
	}
	r login --user anna --password-file "$LAB/password"
	code 3 "a certificate of nobody's"
	err 'certificate' "a certificate of nobody's"
	r --pin "$wrong" login --user anna --password-file "$LAB/password"
	code 3 "another key"
	err 'not the pinned one' "another key"
	r --pin "$wrong" --pin "$pin" login --user anna --password-file "$LAB/password"
	code 0 "the pinned key"
	QMESH_PIN=$pin r device list --all --json
	json '.devices | length > 0' "devices over TLS"
	r --pin "$pin" admin tenant list
	code 5 "no operator over TLS"
}

without_cp() {
	lab_stop cpd
	lab_until 20 "the node notices" sh -c "'$BIN/qmesh' --server 'unix:$LAB/n1.sock' status --json | jq -e '.state.cp_connected | not'"
	q device list
	code 0 "reads go on without the Control Panel"
	q device remove qr
	code 3 "changes do not"
	q password --old-file "$LAB/password" --new-file "$LAB/password"
	code 3 "nor does the password"
	lab_cp_start
	lab_until 30 "the node finds it again" sh -c "'$BIN/qmesh' --server 'unix:$LAB/n1.sock' status --json | jq -e '.state.cp_connected'"
	q device remove qr --wait 5s
	code 0 "and go on when it is back"
	q --server "unix:$LAB/cpd.sock" login --user anna --password-file "$LAB/password"
	code 0 "a session at the Control Panel"
	q --server "unix:$LAB/cpd.sock" device list --all --json
	json '[.devices[].slug] | index("anna-s-phone") != null and index("qr") == null' "it has the same devices"
	[ "$(wc -l <"$LAB/home/qmesh/session")" = 2 ]
	note $? "one session for each server"
}

local_commands
manual
lab_up cp n1
# The default is five: one more is made here, and a slow machine takes more than a minute for it.
lab_cp "provision_limit = 6" "provision_period = 20m"
admin_commands
lab_admin tenant set-plan home team >/dev/null
mkdir -p "$LAB/n1"
(umask 077 && lab_admin join-token home --quiet >"$LAB/n1.token")
cat >"$LAB/n1.conf" <<-CONF
	state_dir = $LAB/n1
	admin_socket = $LAB/n1.sock
	listen =
	name = n1
	cp = https://198.51.100.10:7443
	join_token_file = $LAB/n1.token
	endpoint = 198.51.100.1:51820
CONF
lab_node_start n1
lab_until 30 "the node" sh -c "'$BIN/qmesh' --server 'unix:$LAB/n1.sock' status --json | jq -e '.state.active and .state.cp_connected'"
sessions
devices
mesh
remote
without_cp

printf 'passed %s failed %s skipped %s\n' $passed $failed $skipped
[ $failed = 0 ]
