# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced from the repository's root: conformance_runner builds connectconformance
# with Go into $RUNNER, once, however many tests ask at the same time. Returns 77
# and says why when it cannot.

TOOLS=$PWD/build/tools
RUNNER=$TOOLS/connectconformance
RUNNER_VERSION=v1.0.5

conformance_runner() {
	local go
	[ ! -x "$RUNNER" ] || return 0
	go=$(command -v go || echo /usr/local/go/bin/go)
	[ -x "$go" ] || { echo "skipped: no Go to build connectconformance with"; return 77; }
	mkdir -p "$TOOLS"
	(
		flock 9
		[ -x "$RUNNER" ] || GOBIN=$TOOLS GOFLAGS=-modcacherw timeout 300 \
			"$go" install "connectrpc.com/conformance/cmd/connectconformance@$RUNNER_VERSION"
	) 9>"$TOOLS/runner.lock" || { echo "skipped: connectconformance cannot be built"; return 77; }
}
