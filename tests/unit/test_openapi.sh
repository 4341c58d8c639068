#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gen/openapi/openapi.json is whole (every route, every reference, no operation
# twice) and passes spectral; a document with a hole does not.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tools/npm-tools.sh
. tests/tools/npm-tools.sh

passed=0 failed=0 skipped=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

result() { # WHAT RC
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1"
		head -40 "$scratch/out"
	fi
}

/usr/bin/python3 - >"$scratch/out" 2>&1 <<'PY'
import json, re
doc = json.load(open("gen/openapi/openapi.json"))
routes = re.findall(r'\{"(\w+)", "([^"]+)", &', open("gen/rpc/routes.c").read())
assert len(routes) > 20, routes
have = {(verb.upper(), path) for path, verbs in doc["paths"].items() for verb in verbs}
assert have == set(routes), have ^ set(routes)
ids = [op["operationId"] for verbs in doc["paths"].values() for op in verbs.values()]
assert len(ids) == len(set(ids)), sorted(ids)
schemas = doc["components"]["schemas"]
refs = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(doc)))
assert refs == set(schemas), refs ^ set(schemas)
create = doc["paths"]["/api/mesh/devices"]["post"]
assert set(create["responses"]) >= {"201", "400", "401", "403", "409", "429", "500", "503"}
assert "DEVICE_CAP_REACHED" in create["responses"]["409"]["description"]
assert "Retry-After" in create["responses"]["429"]["headers"]
assert schemas["CreateDeviceRequest"]["properties"]["label"]["maxLength"] == 1024
assert schemas["State"]["properties"]["generation"]["type"] == "string"
listed = doc["paths"]["/api/mesh/devices"]["get"]["responses"]["200"]
assert listed["content"]["application/json"]["schema"]["type"] == "array"
assert "content" not in doc["paths"]["/api/mesh/devices/{id}"]["delete"]["responses"]["204"]
PY
result "document whole" $?

lint() {
	tests/tools/node_modules/.bin/spectral lint -r tests/tools/spectral.yaml \
		--fail-severity hint "$1" >"$scratch/out" 2>&1
}

if npm_tools >"$scratch/why"; then
	lint gen/openapi/openapi.json
	result "spectral" $?
	sed 's/"operationId": "get_state"/"operationId": "list_devices"/' gen/openapi/openapi.json \
		>"$scratch/openapi.json"
	! lint "$scratch/openapi.json"
	result "spectral sees an operation id that is there twice" $?
else
	skipped=2
	cat "$scratch/why"
fi
echo "passed $passed failed $failed skipped $skipped"
[ $failed = 0 ]
