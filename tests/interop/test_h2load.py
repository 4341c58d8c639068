#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""h2load (Debian's nghttp2-client): many connections and streams of gRPC calls, none may fail and every
byte of every answer must come; then curl over HTTP/1.1 and HTTP/2 at both daemons' REST."""
import json
import re
import shutil
import subprocess
import sys

import interop
import meshlab

UNARY = "/grpc.testing.TestService/UnaryCall"


def framed(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def load(report, name, url, body, answer, shape):
    """shape: (calls, connections, streams of each). answer: its length, 5 bytes in front."""
    n, connections, streams = shape
    done = subprocess.run(["h2load", "-n", str(n), "-c", str(connections), "-m", str(streams), "-t", "1", "-d", body, "-H",
                           "content-type: application/grpc", "-H", "te: trailers", url], capture_output=True, text=True,
                          timeout=200, check=False)
    told = re.search(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout",
                     done.stdout)
    report.check(name + ": no call failed", told and [int(v) for v in told.groups()] == [n, n, n, 0, 0, 0], done.stdout[-800:])
    data = re.search(r"\((\d+)\) data", done.stdout)
    report.check(name + ": every byte came", data and int(data.group(1)) == n * answer, (data and data.group(1), n * answer))
    speed = re.search(r"finished in ([\d.]+)(m?s)", done.stdout)
    print("%s: %d calls, %d connections of %d streams in %s" % (name, n, connections, streams, speed and speed.group(0)[12:]),
          flush=True)


class Curl:
    def __init__(self, base, *options):
        self.argv = ["curl", "-sS", "--max-time", "60", *options]
        self.base = base

    def ask(self, verb, path, body=None, token=None):
        """(status, HTTP version, JSON)"""
        more = ["-H", "authorization: Bearer " + token] if token else []
        if body is not None:
            more += ["-H", "content-type: application/json", "-d", json.dumps(body)]
        done = subprocess.run([*self.argv, *more, "-X", verb, "-w", "\n%{http_code} %{http_version}", self.base + path],
                              capture_output=True, text=True, timeout=90, check=False)
        text, _, told = done.stdout.rpartition("\n")
        status, version = told.split() if told else ("0", "0")
        return int(status), version, json.loads(text) if text[:1] in ("{", "[") else text + done.stderr


def rest(lab, report, kind, target, cert):
    secure = cert != "-"
    base = ("https://" if secure else "http://") + target
    trust = ["--cacert", cert] if secure else []
    for version, how in (("1.1", "--http1.1"), ("2", "--http2" if secure else "--http2-prior-knowledge")):
        def check(what, ok, seen=""):
            report.check("%s, HTTP/%s: %s" % (kind, version, what), ok, seen)

        curl = Curl(base, how, *trust)
        status, spoken, got = curl.ask("GET", "/healthz")
        check("healthz", (status, spoken) == (200, version), (status, spoken, got))
        status, _, got = curl.ask("POST", "/api/auth/login", {"tenant": meshlab.TENANT, "user": meshlab.USER,
                                                              "password": lab.password})
        check("login", status == 200 and got["token"], (status, got))
        token = got["token"] if status == 200 else "none"
        status, _, got = curl.ask("POST", "/api/mesh/devices", {"label": "curl %s %s" % (kind, version)}, token)
        check("create", status == 201 and "[Interface]" in got["config"], (status, got))
        made = got["device"]["id"] if status == 201 else "none"
        status, _, got = curl.ask("GET", "/api/mesh/devices", None, token)
        check("list", status == 200 and made in [d["id"] for d in got], (status, got))
        status, _, got = curl.ask("POST", "/api/mesh/devices", {"lable": "x"}, token)
        check("refused by field", status == 400 and got["code"] == 3 and "lable" in json.dumps(got["details"]), (status, got))
        status, _, got = curl.ask("PUT", "/api/mesh/devices", {}, token)
        check("wrong verb", status == 405, (status, got))
        status, _, got = curl.ask("DELETE", "/api/mesh/devices/" + made, None, token)
        check("delete", status in (200, 204), (status, got))


def main():
    why = interop.missing() or meshlab.missing()
    if not why and not (shutil.which("h2load") and shutil.which("curl")):
        why = "h2load or curl is not installed"
    if why:
        print("skipped: " + why)
        return 77
    meshlab.into_namespace()
    report = interop.Report()
    times = 20 if interop.long() else 1
    with meshlab.Lab() as lab, interop.Servers() as servers:
        asked, health = lab.dir + "/asked", lab.dir + "/health"
        with open(asked, "wb") as f:
            f.write(framed(b"\x10\x64"))  # response_size: 100
        with open(health, "wb") as f:
            f.write(framed(b""))
        for kind, scheme in (("plain", "http"), ("tls", "https")):
            url = "%s://localhost:%d%s" % (scheme, servers.ports[kind], UNARY)
            for shape in ((4000 * times, 20, 50), (2000 * times, 400 if kind == "plain" else 100, 1), (2000 * times, 4, 100)):
                load(report, "interop-server " + kind, url, asked, 5 + 104, shape)
        for kind, target, cert in lab.doors:
            url = "%s://%s/grpc.health.v1.Health/Check" % ("http" if cert == "-" else "https", target)
            load(report, kind, url, health, 5 + 2, (2000 * times, 20, 20))
        for door in lab.doors:
            rest(lab, report, *door)
        codes, said = servers.stop()
        report.check("the servers end clean", codes == [0, 0], (codes, said[-800:]))
        return lab.end(report)


if __name__ == "__main__":
    sys.exit(main())
