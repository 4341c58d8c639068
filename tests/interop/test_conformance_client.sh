#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# connectrpc's conformance runner against libqmesh: its servers, our client
# (tests/interop/conformance-client), gRPC with all kinds of calls. No list of
# known failures. The runner is a Go program: without Go this is skipped.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/interop/runner.bash
. tests/interop/runner.bash

BUILD=${QMESH_BUILD:-build/asan}
CLIENT=$BUILD/tests/interop/conformance-client

[ -x "$CLIENT" ] || { echo "skipped: no conformance-client in $BUILD (protobuf-c-compiler)"; exit 77; }
conformance_runner || exit $?

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
timeout 500 "$RUNNER" --mode client --conf tests/interop/conformance-client.yaml \
	-- "$CLIENT" >"$scratch/said" 2>&1 </dev/null
rc=$?
grep -A3 '^FAILED' "$scratch/said" | head -${FAILURES_SHOWN:-60}
grep -E 'Sanitizer|runtime error' "$scratch/said" | head -5
read -r passed failed < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' "$scratch/said")
# A runner that ended without a sum, or badly, has failed.
[ -n "${failed:-}" ] || failed=1
[ $rc = 0 ] || [ "$failed" != 0 ] || failed=1
[ "$failed" = 0 ] || tail -5 "$scratch/said"
echo "passed ${passed:-0} failed $failed skipped 0"
[ "$failed" = 0 ]
