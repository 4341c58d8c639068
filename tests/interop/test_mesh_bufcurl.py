#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""buf curl (npm, tests/tools) at both daemons with nothing but what reflection tells it: gRPC, gRPC-Web
and Connect, in clear text and TLS; on the admin sockets."""
import base64
import concurrent.futures
import json
import os
import subprocess
import sys

import interop
import meshlab

BUF = os.path.join(interop.ROOT, "tests/tools/node_modules/.bin/buf")
MESH, AUTH = "quazzar.mesh.v1.MeshService", "quazzar.mesh.v1.AuthService"
PROTOCOLS = ("grpc", "grpcweb", "connect")


def documents(text):
    """JSON documents one behind the other."""
    out, at, decoder = [], 0, json.JSONDecoder()
    text = text.strip()
    while at < len(text):
        one, at = decoder.raw_decode(text, at)
        out.append(one)
        at += len(text[at:]) - len(text[at:].lstrip())
    return out


class Curl:
    def __init__(self, lab, base, options):
        self.lab, self.base, self.options = lab, base, options

    def call(self, method, message, *more):
        """(answers, words on stderr)"""
        done = subprocess.run([BUF, "curl", *self.options, *more, "-d", json.dumps(message), self.base + "/" + method],
                              capture_output=True, text=True, timeout=120, check=False, cwd=self.lab.dir,
                              env=dict(os.environ, HOME=self.lab.dir, XDG_CACHE_HOME=self.lab.dir + "/cache"))
        return documents(done.stdout), done.stderr


def protocol_checks(report, name, curl, signed):
    """One after the other: each asks reflection first."""
    def check(what, ok, seen=""):
        report.check("%s: %s" % (name, what), ok, seen)

    got, said = curl.call("grpc.health.v1.Health/Check", {})
    check("health", got == [{"status": "SERVING"}], (got, said))
    got, said = curl.call(MESH + "/GetState", {}, *signed)
    check("GetState", len(got) == 1 and "state" in got[0], (got, said))
    got, said = curl.call(MESH + "/GetDevice", {"id": "no uuid"}, *signed)
    told = json.loads(said) if said.startswith("{") else {}
    check("refusal", got == [] and told.get("code") == "invalid_argument", said)
    details = {d["type"]: base64.b64decode(d["value"] + "==") for d in told.get("details", [])}
    bad = curl.lab.meshrpc.msg("google.rpc.BadRequest").FromString(details.get("google.rpc.BadRequest", b""))
    check("its details", [v.field for v in bad.field_violations] == ["id"], said)
    for time in ("1500ms", "8s", "30s"):  # a busy machine may need more to begin with
        got, said = curl.call(MESH + "/WatchState", {}, *signed, "--timeout", time)
        if got:
            break
    check("a stream, then its deadline", len(got) == 1 and int(got[0]["version"]) > 0 and "deadline" in said, (got, said))


def door(lab, report, kind, target, cert):
    secure = cert != "-"
    base = ("https://" if secure else "http://") + target
    transport = ["--cacert", cert] if secure else ["--http2-prior-knowledge"]
    got, said = Curl(lab, base, ["--protocol", "grpc", *transport]).call(
        AUTH + "/Login", {"tenant": meshlab.TENANT, "user": meshlab.USER, "password": lab.password})
    report.check(kind + ": Login", len(got) == 1 and got[0].get("token"), said)
    signed = ("-H", "authorization: Bearer " + (got[0]["token"] if got else ""))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for done in [pool.submit(protocol_checks, report, "%s, %s" % (kind, protocol),
                                 Curl(lab, base, ["--protocol", protocol, *transport]), signed) for protocol in PROTOCOLS]:
            done.result()


def main():
    why = meshlab.missing()
    tools = subprocess.run(["bash", "-c", ". tests/tools/npm-tools.sh; npm_tools"], cwd=interop.ROOT, capture_output=True,
                           text=True, check=False)
    if not why and tools.returncode != 0:
        why = "no buf: " + tools.stdout.strip()
    if why:
        print("skipped: " + why)
        return 77
    meshlab.into_namespace()
    report = interop.Report()
    with meshlab.Lab() as lab:
        for one in lab.doors:
            door(lab, report, *one)
        for socket, services in (("admin.sock", ["quazzar.mesh.v1.AdminService"]), ("node.sock", [MESH])):
            curl = Curl(lab, "http://localhost", ["--protocol", "grpc", "--http2-prior-knowledge", "--unix-socket",
                                                  os.path.join(lab.dir, socket)])
            got, said = curl.call("grpc.health.v1.Health/Check", {"service": services[0]})
            report.check("%s: health of %s" % (socket, services[0]), got == [{"status": "SERVING"}], (got, said))
        curl.options[-1] = lab.dir + "/admin.sock"
        got, said = curl.call("quazzar.mesh.v1.AdminService/ListTenants", {})
        report.check("admin.sock: ListTenants", got and [t["name"] for t in got[0]["tenants"]] == [meshlab.TENANT], (got, said))
        return lab.end(report)


if __name__ == "__main__":
    sys.exit(main())
