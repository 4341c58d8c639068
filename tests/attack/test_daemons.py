#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
The attacks against the two daemons as they are shipped, on each of their listeners:
TLS, clear text, Unix socket. Who misbehaves is cut, everybody else is served, the
process stands. The rules one by one are in the other tests of this folder.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import test_h1_strict
import test_h2_abuse
import test_h2_heads
from test_secrets import Lab, skip
from wire import (DATA, END_HEADERS, END_STREAM, GOAWAY, H1, H2, HEADERS, PING, RST, Report, Server, ended, frame,
                  goaways, head)

WATCH = "/grpc.health.v1.Health/Watch"
EMPTY = bytes(5)
JSON = b"content-type: application/json\r\n"


class Door(Server):
    """One listener of one daemon, to be reached as one of echo_server's."""

    def __init__(self, cert, kind, process, port=0, path=""):
        self.kind, self.process, self.ports, self.path = kind, process, {kind: port}, path
        self.dir = type("At", (), {"name": cert.rsplit("/", 1)[0]})

    def socket(self, kind, alpn="h2", timeout=20, receive_buffer=0):
        if self.kind != "unix":
            return super().socket(kind, alpn, timeout, receive_buffer)
        # wire.py looks for "sock" in a folder.
        at = self.dir.name + "/" + self.path
        self.dir, old = type("At", (), {"name": at}), self.dir
        try:
            os.makedirs(at, exist_ok=True)
            if not os.path.lexists(at + "/sock"):
                os.symlink("../" + self.path.replace(".d", ""), at + "/sock")
            return super().socket("unix", alpn, timeout, receive_buffer)
        finally:
            self.dir = old

    def serves(self):
        c = H1(self, self.kind)
        c.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        seen = c.answer()
        c.close()
        return seen and seen[0] == 200


def watch(i=0):
    return frame(HEADERS, END_HEADERS, 2 * i + 1, head(WATCH))


def floods(door, kind, check):
    """Those of test_h2_abuse.py; their calls become Health's."""
    test_h2_abuse.echo = lambda name, **more: head(WATCH, **more)
    test_h2_abuse.message = lambda **_: EMPTY
    for name, (first, make) in test_h2_abuse.FLOODS.items():
        told, end, sent = test_h2_abuse.flood(door, kind, make, first)
        check(name, end in ("eof", "reset") and all(code == 11 for code, _ in told), (told, end, sent))
        check("served after " + name, door.serves())


def pings(door, kind, check):
    c = H2(door, kind)
    c.send(watch(), frame(DATA, END_STREAM, 1, EMPTY))
    c.until(lambda f: f[0] == DATA)
    seen = []
    for _ in range(4):
        c.send(frame(PING, 0, 0, b"keepaliv"))
        seen += c.until(lambda f: f[0] in (PING, GOAWAY))
    check("keepalive that is too quick", goaways(seen) == [(11, "too_many_pings")], seen)
    c.close()


def heads(door, kind, check):
    for name, (fields, _) in test_h2_heads.HEADS.items():
        fields = tuple((n, WATCH if v == test_h2_heads.PATH[1] else v) for n, v in fields)
        c = H2(door, kind)
        c.send(frame(HEADERS, END_HEADERS, 1, test_h2_heads.block(fields)), frame(DATA, END_STREAM, 1, b"\0" * 7))
        seen = c.until(lambda f: ended(f, 1) or f[0] in (GOAWAY, DATA))
        check(name, test_h2_heads.verdict(seen, 1) != "taken", seen)
        c.close()
    test_h2_heads.t_settings(door, kind, check)


def http1(door, kind, check):
    for name, (request, want) in test_h1_strict.REFUSED.items():
        c = H1(door, kind)
        c.send(request + test_h1_strict.SECOND)
        first = c.answer()
        check(name, first and first[0] == want and c.answer() is None, first)
        c.close()
    for name, body in test_h1_strict.CHUNKS.items():
        c = H1(door, kind)
        c.send(b"POST /api/auth/login HTTP/1.1\r\n" + test_h1_strict.HOST + JSON + b"sec-fetch-site: same-origin\r\n" +
               b"transfer-encoding: chunked\r\n\r\n" + body + test_h1_strict.SECOND)
        first = c.answer()
        check("chunks: " + name, first and first[0] == 400 and c.answer() is None, first)
        c.close()


def zero_windows(door, kind, check):
    """Answers that nobody takes hold up nobody else."""
    held = []
    for _ in range(4):
        c = H2(door, kind, b"\0\4\0\0\0\0")
        c.send(*[watch(i) + frame(DATA, END_STREAM, 2 * i + 1, EMPTY) for i in range(100)])
        held.append(c)
    check("served beside 400 shut windows", door.serves())
    for c in held:
        c.close()


def early(door, kind, check):
    """A refusal before the body's end: whole, then RST(NO_ERROR) at the most."""
    c = H2(door, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, head("/no.Such/Method")), frame(DATA, 0, 1, bytes(16000)))
    seen = c.until(lambda f: f[0] == RST)
    check("an early answer", [f[0] for f in seen if f[2] == 1] == [HEADERS, RST] and seen[-1][3] == bytes(4), seen)
    c.close()


def doors(lab):
    for name, process, sock in (("cp", lab.cp.process, "admin.sock"), ("node", lab.node, "node.sock")):
        plain, tls = lab.doors[name]
        yield name + " plain", Door(lab.cert, "plain", process, plain)
        yield name + " tls", Door(lab.cert, "tls", process, tls)
        yield name + " unix", Door(lab.cert, "unix", process, path=sock + ".d")


def main():
    why = skip()
    if why:
        print("skipped: " + why)
        return 77
    if os.environ.get("QMESH_IN_NETNS") != "1":
        return subprocess.run(["unshare", "-n", "-m", "--propagation", "private", sys.executable, os.path.abspath(__file__)],
                              env={**os.environ, "QMESH_IN_NETNS": "1"}, check=False).returncode
    subprocess.run("ip link set lo up && mkdir -p /var/run/wireguard && mount -t tmpfs none /var/run/wireguard",
                   shell=True, check=True)
    report = Report()
    with Lab() as lab:
        for name, door in doors(lab):
            for test in (heads, http1, early, pings, zero_windows, floods):
                start = time.time()
                test(door, door.kind, lambda what, ok, seen="": report.check(name + ": " + what, ok, seen))
                if os.environ.get("QMESH_VERBOSE"):
                    print("%s %s: %.1f s" % (name, test.__name__, time.time() - start))
                report.check("%s: stands and serves after %s" % (name, test.__name__), door.alive() and door.serves())
                if not door.alive():
                    return report.end()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
