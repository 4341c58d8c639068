#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The contract passes buf; a field taken out, renumbered or renamed does not.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

passed=0 failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

expect() { # WHAT WANTED_RC ACTUAL_RC
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1: exit $3, wanted $2"
		cat "$scratch/out"
	fi
}

# The present contract after sed SCRIPT against the released one.
broken() { # WHAT SCRIPT WANTED_RC
	rm -rf "$scratch/proto"
	cp -r proto "$scratch/proto"
	sed -i -E "$2" "$scratch/proto/quazzar/mesh/v1/mesh.proto"
	if cmp -s proto/quazzar/mesh/v1/mesh.proto "$scratch/proto/quazzar/mesh/v1/mesh.proto"; then
		echo "FAIL $1: the edit changed nothing"
		failed=$((failed + 1))
		return
	fi
	scripts/buf breaking "$scratch/proto" --against proto/released.binpb >"$scratch/out" 2>&1
	expect "$1" "$3" $?
}

QMESH_BUF_HEAD=0 scripts/buf check >"$scratch/out" 2>&1
rc=$?
if [ $rc = 77 ]; then
	cat "$scratch/out"
	exit 77
fi
expect "format, lint, breaking" 0 $rc
broken "a field taken out" '/ bool dns = 5;/d' 100
broken "a field renumbered" 's/ bool dns = 5;/ bool dns = 55;/' 100
broken "a field renamed" 's/ bool dns = 5;/ bool use_dns = 5;/' 100
broken "a field of another type" 's/ bool dns = 5;/ string dns = 5 [(quazzar.rpc.v1.rule) = {max_len: 9}];/' 100
broken "a field added" 's/ bool dns = 5;/ bool dns = 5;\n  bool extra = 99;/' 0
echo "passed $passed failed $failed skipped 0"
[ $failed = 0 ]
