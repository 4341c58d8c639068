#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A contract with all four kinds of methods: its client stubs are made and
compile. The real contract has no client stream, so nothing else would notice."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
POLICY = """{
    option (quazzar.rpc.v1.policy) = {
      audience: AUDIENCE_USER runs_on: RUNS_ON_CP lane: LANE_WORKER
    };
  }"""
CONTRACT = f"""syntax = "proto3";
package quazzar.mesh.v1;
import "quazzar/rpc/v1/policy.proto";
service ThingService {{
  rpc One(OneRequest) returns (OneResponse) {POLICY}
  rpc Down(OneRequest) returns (stream OneResponse) {POLICY}
  rpc Up(stream OneRequest) returns (OneResponse) {POLICY}
  rpc Both(stream OneRequest) returns (stream OneResponse) {POLICY}
}}
message OneRequest {{
  string id = 1 [(quazzar.rpc.v1.rule) = {{max_len: 36}}];
}}
message OneResponse {{
  string text = 1 [(quazzar.rpc.v1.rule) = {{max_len: 36}}];
}}
"""
USE = """
#include "gen/rpc/stubs.h"
int use(struct qm_client *c, struct qm_reply *r, struct qm_call **call, struct qm_handler *h);
int use(struct qm_client *c, struct qm_reply *r, struct qm_call **call, struct qm_handler *h)
{
	Pb__OneRequest in = PB__ONE_REQUEST__INIT;
	Pb__OneResponse *out;

	return qm_one(c, NULL, &in, r, &out) + qm_down_start(c, NULL, &in, h, NULL, call) +
	       qm_up_open(c, NULL, h, NULL, call) + qm_up_send(*call, &in) +
	       qm_both_open(c, NULL, h, NULL, call) + qm_both_send(*call, &in);
}
"""
failed = 0


def say(good, words):
    global failed
    if not good:
        failed += 1
        print("FAIL", words)


def run(cwd, *args):
    return subprocess.run(args, cwd=cwd, capture_output=True, text=True, check=False)


def body(source, name):
    start = source.index(f"int {name}(")
    return source[start:source.index("\n}\n", start)]


def main():
    if not shutil.which("protoc-gen-c"):
        print("skipped: protoc-gen-c is not there")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        (out / "gen").mkdir()
        (out / "thing.proto").write_text(CONTRACT, encoding="utf-8")
        made = run(out, "protoc", f"--plugin=protoc-gen-qmesh={ROOT}/scripts/protoc-gen-qmesh",
                   "--qmesh_opt=rpc", "-I.", f"-I{ROOT}/proto", "-I/usr/include",
                   f"--qmesh_out={out}/gen", "thing.proto")
        say(made.returncode == 0, made.stderr)
        stubs = (out / "gen/rpc/stubs.c").read_text(encoding="utf-8")
        say("o.one_answer = true" in body(stubs, "qm_up_open"), "a client stream has one answer")
        say("o.one_answer = false" in body(stubs, "qm_both_open"), "a bidi call has many")
        # The messages: without our options, which protobuf-c does not know.
        plain = CONTRACT.replace('import "quazzar/rpc/v1/policy.proto";\n', "")
        plain = plain.replace("package quazzar.mesh.v1;", "package pb;")
        plain = plain.replace(POLICY, ";").replace(" [(quazzar.rpc.v1.rule) = {max_len: 36}]", "")
        (out / "thing.proto").write_text(plain, encoding="utf-8")
        made = run(out, "protoc", "-I.", "--c_out=.", "thing.proto")
        say(made.returncode == 0, made.stderr)
        (out / "use.c").write_text(USE, encoding="utf-8")
        for source in ("gen/rpc/stubs.c", "use.c"):
            made = run(out, "gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                       "-fsyntax-only", "-I.", f"-I{ROOT}", source)
            say(made.returncode == 0, made.stderr)
    print(f"passed {6 - failed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
