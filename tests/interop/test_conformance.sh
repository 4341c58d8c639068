#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# connectrpc's conformance runner against tests/interop/conformance-server: its
# whole default set of 3,600 cases, and 180 of half-duplex calls over HTTP/1.1:
# gRPC, gRPC-Web and Connect over HTTP/1.1 and HTTP/2, clear and TLS, protobuf
# and JSON, plain and gzip, all kinds of calls. Two minutes of one core.
# With a word less of it, for whoever is at work on one: "grpc", or "web". No list
# of known failures. The runner is a Go program: without Go this is skipped.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/interop/runner.bash
. tests/interop/runner.bash

BUILD=${QMESH_BUILD:-build/asan}
SERVER=$BUILD/tests/interop/conformance-server

[ -x "$SERVER" ] || { echo "skipped: no conformance-server in $BUILD (protobuf-c-compiler)"; exit 77; }
conformance_runner || exit $?

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
which=${1:-all}
timeout 850 "$RUNNER" --mode server --conf "tests/interop/conformance-$which.yaml" \
	-- "$SERVER" >"$scratch/said" 2>&1 </dev/null
rc=$?
grep -A3 '^FAILED' "$scratch/said" | head -60
grep -aE 'Sanitizer: [^ ]*(overflow|use-after|leak)|runtime error' "$scratch/said" | head -5
read -r passed failed < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' "$scratch/said")
# A runner that ended without a sum, or badly, has failed; so has one that asks for next to nothing.
[ -n "${failed:-}" ] || failed=1
[ $rc = 0 ] || [ "$failed" != 0 ] || failed=1
if [ "$which" = all ] && [ "${passed:-0}" -lt 3600 ]; then
	echo "FAIL only ${passed:-0} cases passed"
	[ "$failed" != 0 ] || failed=1
fi
echo "passed ${passed:-0} failed $failed skipped 0"
[ "$failed" = 0 ]
