# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced from the repository's root: npm_tools [FOLDER] puts what FOLDER's
# package-lock.json pins (tests/tools: the linters) into its node_modules, once
# per lock file. Returns 77 and says why when it cannot.

npm_tools() {
	local tools=${1:-tests/tools} stamp sum
	stamp=$tools/node_modules/.lock-sum
	if ! command -v npm >/dev/null; then
		echo "skipped: no npm"
		return 77
	fi
	sum=$(sha256sum <"$tools"/package-lock.json)
	[ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return 0
	# Two runs at once would install over each other.
	(
		flock 9
		[ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && exit 0
		cd "$tools" && npm ci --silent --ignore-scripts --no-audit --no-fund >&2 &&
			printf '%s\n' "$sum" >node_modules/.lock-sum
	) 9<"$tools"/package-lock.json || {
		echo "skipped: npm ci failed in $tools"
		return 77
	}
}
