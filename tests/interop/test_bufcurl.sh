#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# buf curl, a client in Go, over its three protocols, clear text and TLS,
# HTTP/1.1 and HTTP/2, against a server of our own.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

# shellcheck source=tests/tools/npm-tools.sh
. tests/tools/npm-tools.sh
npm_tools || exit $?
BUF=$PWD/tests/tools/node_modules/.bin/buf
BUILD=${QMESH_BUILD:-build/asan}

LAB=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; rm -rf "$LAB"' EXIT
export HOME=$LAB XDG_CACHE_HOME=$LAB/cache
passed=0 failed=0

check() { # name, wanted, got
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAIL %s: wanted %s, got %s\n' "$1" "$2" "$3"
	fi
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$LAB/key.pem" \
	-out "$LAB/cert.pem" -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
mkfifo "$LAB/said"
"$BUILD/tests/support/echo_server" --plain --tls "$LAB/cert.pem" "$LAB/key.pem" --web "" \
	>"$LAB/said" 2>"$LAB/errors" &
server=$!
plain='' tls=''
while read -r word port <&3; do
	case $word in
	plain) plain=$port ;;
	tls) tls=$port ;;
	ready) break ;;
	esac
done 3<"$LAB/said"

# Our own echo.proto is no module of buf's: an image of it is enough.
protoc -Itests/support/echo --include_imports --descriptor_set_out="$LAB/echo.binpb" echo.proto || exit 1

call() { # options..., method, message
	timeout 20 "$BUF" curl --schema "$LAB/echo.binpb" "${@:1:$#-2}" -d "${*: -1}" \
		"$base/qmesh.test.Echo/${*: -2:1}" 2>&1 | tr -d ' \n'
}

protocol_checks() { # name, options...
	local name=$1 got
	shift
	check "$name: unary" '{"n":7,"text":"hé"}' "$(call "$@" Unary '{"n":7,"text":"hé"}')"
	got=$(call "$@" ServerStream '{"n":3}')
	check "$name: stream" '{}{"n":1}{"n":2}' "$got"
	got=$(call "$@" ClientStream '{"n":1}{"n":2}{"n":3}')
	check "$name: client stream" '{"n":6,"size":3,"text":"3"}' "$got"
	got=$(call "$@" Fail '{"n":15,"text":"taken"}')
	check "$name: refusal" yes "$([[ $got == *already_exists*taken* ]] && echo yes || echo "$got")"
	check "$name: details" yes "$([[ $got == *ErrorInfo* ]] && echo yes || echo "$got")"
	got=$(call "$@" Nobody '{}')
	check "$name: no handler" yes "$([[ $got == *unimplemented* ]] && echo yes || echo "$got")"
}

base=http://localhost:$plain
protocol_checks 'connect, HTTP/1.1' --protocol connect
protocol_checks 'connect, h2c' --protocol connect --http2-prior-knowledge
protocol_checks 'grpcweb, HTTP/1.1' --protocol grpcweb
protocol_checks 'grpcweb, h2c' --protocol grpcweb --http2-prior-knowledge
protocol_checks 'grpc, h2c' --protocol grpc --http2-prior-knowledge
base=https://localhost:$tls
for protocol in connect grpcweb grpc; do
	protocol_checks "$protocol, TLS" --protocol $protocol --cacert "$LAB/cert.pem"
done

kill "$server"
wait "$server"
check 'the server ends clean' 0 $?
server=
echo "passed $passed failed $failed skipped 0"
[ $failed = 0 ]
