#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/gen --check sees each way in which gen/ can differ from proto/, and
# scripts/gen makes the same bytes whatever the surroundings.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

passed=0 failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/base"
cp -r scripts proto gen "$scratch"
cp base/err.c "$scratch/base"

expect() { # WHAT WANTED_RC WORDS
	local rc
	"$scratch/scripts/gen" --check >"$scratch/out" 2>&1
	rc=$?
	if [ "$rc" = "$2" ] && { [ -z "$3" ] || grep -q -- "$3" "$scratch/out"; }; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1: exit $rc"
		head -20 "$scratch/out"
	fi
}

expect "fresh" 0 ''
sed -i 's/body_limit = 65536/body_limit = 65537/' "$scratch/gen/rpc/mesh_service.c"
expect "a table edited by hand" 1 'body_limit = 65537'
cp gen/rpc/mesh_service.c "$scratch/gen/rpc/"
rm "$scratch/gen/c/quazzar/mesh/v1/mesh.pb-c.h"
expect "a file taken out" 1 'mesh.pb-c.h'
cp gen/c/quazzar/mesh/v1/mesh.pb-c.h "$scratch/gen/c/quazzar/mesh/v1/"
echo >"$scratch/gen/nano/stray.h"
expect "a file too many" 1 'stray.h'
rm "$scratch/gen/nano/stray.h"
sed -i 's/{max: 5000}/{max: 6000}/' "$scratch/proto/quazzar/mesh/v1/mesh.proto"
expect "a bound changed in proto/" 1 '6000'
cp -r proto "$scratch"
sed -i 's/devices 32$/devices 31/' "$scratch/proto/mobile.bounds"
expect "a phone's bound changed" 1 'max_count:31'
cp -r proto "$scratch"

echo edited >>"$scratch/gen/openapi/openapi.json"
(cd / && LC_ALL=C TZ=Asia/Tokyo PYTHONHASHSEED=7 "$scratch/scripts/gen") >"$scratch/out" 2>&1
if diff -r gen "$scratch/gen" >>"$scratch/out" 2>&1; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
	echo "FAIL the same input, other bytes"
	head -20 "$scratch/out"
fi
echo "passed $passed failed $failed skipped 0"
[ $failed = 0 ]
