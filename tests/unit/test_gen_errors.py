#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every complaint of the generator, provoked by a contract that breaks one
rule: protoc must fail and name file and line. The same contract without the
mistake must pass, so that no complaint hides behind another."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLUGIN = ROOT / "scripts" / "protoc-gen-qmesh"

HEAD = """syntax = "proto3";
package quazzar.mesh.v1;
import "google/api/annotations.proto";
import "quazzar/rpc/v1/policy.proto";
service ThingService {
  rpc GetThing(GetThingRequest) returns (GetThingResponse) {
    option (google.api.http) = {get: "/api/things/{id}"};
    option (quazzar.rpc.v1.policy) = {
      audience: AUDIENCE_USER runs_on: RUNS_ON_CP lane: LANE_WORKER
    };
  }
}
message GetThingRequest {
  string id = 1 [(quazzar.rpc.v1.rule) = {max_len: 36}];
}
message GetThingResponse {
  string text = 1 [(quazzar.rpc.v1.rule) = {max_len: 36}];
}
"""
POLICY = """option (quazzar.rpc.v1.policy) = {
      audience: AUDIENCE_USER runs_on: RUNS_ON_CP lane: LANE_WORKER
    };"""
ID_RULE = "string id = 1 [(quazzar.rpc.v1.rule) = {max_len: 36}];"
TEXT_RULE = "string text = 1 [(quazzar.rpc.v1.rule) = {max_len: 36}];"
HTTP = 'option (google.api.http) = {get: "/api/things/{id}"};'


def second_method(http, request="GetThingRequest", name="SeeThing"):
    """A second method, right after the service's opening line (5)."""
    return ("service ThingService {\n",
            f"service ThingService {{\n  rpc {name}({request}) returns (GetThingResponse) {{\n"
            f"    {http}\n    {POLICY}\n  }}\n")


# name: (what to replace, by what), line, words of the complaint
CASES = {
    "string without bound": ((ID_RULE, "string id = 1;"), 14, "no bound (rule.max_len)"),
    "answer's string without bound": ((TEXT_RULE, "string text = 1;"), 17, "no bound"),
    "bytes without bound": ((TEXT_RULE, "bytes text = 1;"), 17, "no bound (rule.max_len)"),
    "repeated without bound": (
        (TEXT_RULE, "repeated string text = 1 [(quazzar.rpc.v1.rule) = {max_len: 36}];"),
        17, "no bound (rule.max_items)"),
    "map without bound": ((TEXT_RULE, "map<string, bool> text = 1;"), 17,
                          "no bound (rule.max_items)"),
    "map keys without bound": (
        (TEXT_RULE, "map<string, bool> text = 1 [(quazzar.rpc.v1.rule) = {max_items: 3}];"),
        17, "no bound of the keys"),
    "request's number without range": (
        (ID_RULE, ID_RULE + "\n  uint32 n = 2;"), 15, "no range"),
    "number deep in a request": (
        (ID_RULE, ID_RULE + "\n  Deep deep = 2;\n}\nmessage Deep {\n  int64 n = 1;"), 18,
        "no range"),
    "range upside down": (
        (ID_RULE, ID_RULE + "\n  uint32 n = 2 [(quazzar.rpc.v1.rule) = {min: 5 max: 4}];"),
        15, "lower bound is above"),
    "range on a text": ((TEXT_RULE, "string text = 1 [(quazzar.rpc.v1.rule) = "
                                    "{max_len: 3 max: 4}];"), 17, "a range needs a number"),
    "unknown shape": ((TEXT_RULE, "string text = 1 [(quazzar.rpc.v1.rule) = "
                                  "{max_len: 3 shape: \"round\"}];"), 17, "unknown shape"),
    "shape on bytes": ((TEXT_RULE, "bytes text = 1 [(quazzar.rpc.v1.rule) = "
                                   "{max_len: 3 shape: \"uuid\"}];"), 17, "a shape needs a string"),
    "max_items on one": ((TEXT_RULE, "string text = 1 [(quazzar.rpc.v1.rule) = "
                                     "{max_len: 3 max_items: 3}];"), 17, "repeated field"),
    "proto3 optional": ((TEXT_RULE, "optional " + TEXT_RULE), 17, "proto3 optional"),
    "recursion": ((TEXT_RULE, TEXT_RULE + "\n  GetThingResponse inner = 2;"), 18, "recursion"),
    "recursion through another": (
        (TEXT_RULE, TEXT_RULE + "\n  A a = 2;\n}\nmessage A {\n  B b = 1;\n}\n"
                                "message B {\n  A a = 1;"), 24, "recursion"),
    "method without policy": ((POLICY, ""), 6, "no policy"),
    "policy without audience": (("audience: AUDIENCE_USER", ""), 6, "policy without audience"),
    "policy without runs_on": (("runs_on: RUNS_ON_CP", ""), 6, "policy without runs_on"),
    "policy without lane": (("lane: LANE_WORKER", ""), 6, "policy without lane"),
    "role on a node's method": (
        ("audience: AUDIENCE_USER", "audience: AUDIENCE_AGENT roles: ROLE_ADMIN"), 6,
        "not for people"),
    "owner rule on a public method": (
        ("audience: AUDIENCE_USER", "audience: AUDIENCE_PUBLIC self_or_admin: true"), 6,
        "not for people"),
    "reads but not idempotent": (
        ("lane: LANE_WORKER", "lane: LANE_WORKER no_side_effects: true"), 6, "idempotent"),
    "status that is none": (
        ("lane: LANE_WORKER", "lane: LANE_WORKER http_status: 404"), 6, "not a success"),
    "path variable that is no field": (("{id}", "{name}"), 6, "no field of GetThingRequest"),
    "path variable that is a list": (
        (ID_RULE, "repeated " + ID_RULE.replace("{max_len", "{max_items: 2 max_len")), 6,
        "not a single value"),
    "path variable twice": (("{id}", "{id}/{id}"), 6, "twice"),
    "route with a wildcard": (("{id}", "**"), 6, "not one that the router knows"),
    "body of a GET": ((HTTP, HTTP.replace("{id}\"", "{id}\" body: \"*\"")), 6, "with a body"),
    "body that is no field": (
        (HTTP, HTTP.replace("get:", "post:").replace("{id}\"", "{id}\" body: \"x\"")), 6,
        "is no field of GetThingRequest"),
    "body that is in the path": (
        (HTTP, HTTP.replace("get:", "post:").replace("{id}\"", "{id}\" body: \"id\"")), 6,
        "both in the path and the body"),
    "response_body that is no field": (
        (HTTP, HTTP.replace("{id}\"", "{id}\" response_body: \"x\"")), 6,
        "is no field of GetThingResponse"),
    "message as query parameter": (
        (ID_RULE, ID_RULE + "\n  Part part = 2;\n}\nmessage Part {"), 6, "query parameter"),
    "two equal routes": (second_method(HTTP), 12, "equals GET"),
    "two routes that differ in a name": (
        (HEAD, HEAD.replace(*second_method(HTTP.replace("{id}", "{no}"), "SeeThingRequest"))
         + "message SeeThingRequest {\n"
         + "  string no = 1 [(quazzar.rpc.v1.rule) = {max_len: 3}];\n}\n"),
        12, "equals GET"),
    "error that the table has not": (
        ("  rpc GetThing", "  // Errors: THING_MISLAID.\n  rpc GetThing"), 7,
        "which base/err.c has not"),
    "stub that the client has": (second_method("", name="Unary"), 6, "taken by client/qmesh.h"),
}


BOUNDS = """# What a phone has.
method quazzar.mesh.v1.ThingService.GetThing
max quazzar.mesh.v1.GetThingResponse.text 30
"""
# name: (what to replace, by what), line, words
BOUNDS_CASES = {
    "method that is none": (("ThingService.GetThing", "ThingService.Nothing"), 2, "no method"),
    "field that is none": (("GetThingResponse.text", "GetThingResponse.words"), 3, "no field"),
    "bound above the contract's": ((" 30", " 37"), 3, "the contract's own bound is 36"),
    "bound of nothing": ((" 30", " 0"), 3, "the contract's own bound is 36"),
    "other words": (("max ", "maximum "), 3, "not understood"),
}


def generate(folder, text, bounds=None):
    (Path(folder) / "thing.proto").write_text(text)
    parts = "rpc"
    if bounds:
        (Path(folder) / "thing.bounds").write_text(bounds)
        parts = f"nano,bounds={folder}/thing.bounds"
    return subprocess.run(
        ["protoc", f"--plugin=protoc-gen-qmesh={PLUGIN}", f"-I{folder}", f"-I{ROOT / 'proto'}",
         "-I/usr/include", f"--qmesh_opt={parts}", f"--qmesh_out={folder}", "thing.proto"],
        capture_output=True, text=True, check=False)


def judge(done, wanted, words):
    if done.returncode == 0:
        return "accepted"
    hits = [text for text in done.stderr.splitlines() if wanted in text and words in text]
    return "" if hits else f"wanted {wanted}...{words}, got:\n{done.stderr}"


def failure(folder, case):
    (old, new), line, words = case
    if old not in HEAD:
        return f"the case replaces what is not there: {old}"
    done = generate(folder, HEAD.replace(old, new, 1))
    return judge(done, f"thing.proto:{line}: ", words)


def bounds_failure(folder, case):
    (old, new), line, words = case
    if old not in BOUNDS:
        return f"the case replaces what is not there: {old}"
    done = generate(folder, HEAD, BOUNDS.replace(old, new, 1))
    return judge(done, f"thing.bounds:{line}: ", words)


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        done = generate(folder, HEAD)
        wrong = {"sound contract": done.stderr if done.returncode else ""}
        for name, case in CASES.items():
            wrong[name] = failure(folder, case)
        done = generate(folder, HEAD, BOUNDS)
        wrong["sound bounds"] = done.stderr if done.returncode else ""
        for name, case in BOUNDS_CASES.items():
            wrong[name] = bounds_failure(folder, case)
    for name, text in wrong.items():
        passed += not text
        failed += bool(text)
        if text:
            print(f"FAIL {name}: {text}")
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
