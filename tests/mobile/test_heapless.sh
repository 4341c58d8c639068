#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libqmesh-mobile asks nobody for memory, sockets, clocks or threads: the
# symbols that its objects leave to others are a short list.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

library=${QMESH_BUILD:-build/dev}/client/mobile/libqmesh-mobile.a
if [ ! -e "$library" ]; then
	echo "skipped: $library is not built"
	exit 77
fi
allowed='^(mem(cpy|move|set|cmp)|str(len|cmp)|pb_[a-z_]+|qmn_.*|__(asan|ubsan|tsan|sanitizer)_.*|__(mem|str)[a-z]+_chk|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$'
found=$(nm -u "$library" | awk '$1 == "U" { print $2 }' | sort -u | grep -vE "$allowed")
if [ -n "$found" ]; then
	echo "FAIL libqmesh-mobile needs:"
	printf '  %s\n' $found
	echo "passed 0 failed 1 skipped 0"
	exit 1
fi
echo "passed 1 failed 0 skipped 0"
