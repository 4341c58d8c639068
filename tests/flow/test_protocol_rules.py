#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a gRPC, gRPC-Web, Connect or REST request is answered with when it breaks a rule,
and that it is served when it only looks odd: row by row, at a real node and a real
Control Panel, over HTTP/1.1 and HTTP/2, clear and with TLS: by curl, and by frames of
our own where the answer comes before the request is over (curl drops the one when it
has not sent the other). The rules are those of PROTOCOL-HTTP2.md, PROTOCOL-WEB.md and
Connect's protocol page; where they leave a choice, what grpc-go and connect-go do. Runs
itself in a network and a mount namespace."""
import base64
import gzip
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
from concurrent import futures

for folder in ("attack", "support"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", folder))
import wire as frames
from realnode import RealNode, control_panel, enter

LOGIN = "/quazzar.mesh.v1.AuthService/Login"  # nothing that a GET may do
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
WIRES = ("h2c", "h2 with TLS", "HTTP/1.1", "HTTP/1.1 with TLS")
# The daemons share all code that these rules are about: one gets every way, the other two.
WAYS = {"node": WIRES, "Control Panel": ("h2 with TLS", "HTTP/1.1")}
LIMIT = 64 << 10  # of Check: its policy.body_limit
passed = failed = 0


def check(what, got, want):
    global passed, failed
    if got == want:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}: got {got!r}, wanted {want!r}")


def is_h2(wire):
    return wire.startswith("h2")


def frame(data=b"", flag=0):
    return bytes([flag]) + struct.pack(">I", len(data)) + data


def field(data):
    """HealthCheckRequest.service of any length, as an unknown field: it may be as long as a message."""
    n, out = len(data), b"\x7a"
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n]) + data


class Answer:
    def __init__(self, head, body):
        self.lines = [line.split(": ", 1) if ": " in line else [line.rstrip(":"), ""]
                      for line in head.split("\r\n") if line and not line.startswith("HTTP/")]
        first = [line for line in head.split("\r\n") if line.startswith("HTTP/")]
        self.http = int(first[-1].split()[1]) if first else 0
        self.body = body

    def header(self, name):
        return next((v for k, v in self.lines if k.lower() == name), None)

    def grpc(self):
        """grpc-status, from trailers, headers or gRPC-Web's last frame."""
        kind = self.header("content-type") or ""
        if not kind.startswith("application/grpc-web"):
            return self.header("grpc-status")
        body = self.body
        if "-text" in kind:
            body = b"".join(base64.b64decode(part + b"=" * (-len(part) % 4))
                            for part in body.replace(b"=", b" ").split())
        while body:
            flag, n = body[0], struct.unpack(">I", body[1:5])[0]
            if flag == 0x80:
                lines = dict(line.split(": ", 1) for line in body[5:5 + n].decode().split("\r\n") if line)
                return lines["grpc-status"]
            body = body[5 + n:]
        return None

    def code(self):
        """Of Connect's error, in the body or in the last envelope; "ok"."""
        kind = self.header("content-type") or ""
        if not kind.startswith("application/connect+"):
            return json.loads(self.body).get("code", "ok") if self.http != 200 else "ok"
        body, last = self.body, b"{}"
        while body:
            n = struct.unpack(">I", body[1:5])[0]
            last, body = body[5:5 + n], body[5 + n:]
        return json.loads(last).get("error", {}).get("code", "ok")


def ask(daemon, wire, verb, path, headers, body):
    tls = "TLS" in wire
    argv = ["curl", "-sSk" if tls else "-sS", "--max-time", "20", "-D", "/dev/stderr", "-o", "-"]
    argv += ["--http1.1"] if "1.1" in wire else ["--http2"] if tls else ["--http2-prior-knowledge"]
    argv += ["-I"] if verb == "HEAD" else ["-X", verb]
    for name, value in headers:
        argv += ["-H", f"{name}: {value}" if value is not None else f"{name};"]
    if body is not None:
        argv += ["--data-binary", "@-"]
        if not any(name == "content-type" for name, _ in headers):
            argv += ["-H", "content-type:"]
    scheme, port = ("https", daemon.tls_port) if tls else ("http", daemon.port)
    done = subprocess.run(argv + [f"{scheme}://localhost:{port}{path}"], input=body, capture_output=True,
                          check=False)
    return Answer(done.stderr.decode("latin-1"), done.stdout)


class Framed:
    """A gRPC call in one go, head and body, whatever is answered in between."""

    def __init__(self, daemon, wire, path, headers, body):
        self.daemon, self.tls = daemon, "TLS" in wire
        h2 = frames.H2(self, wire)
        extra = b"".join(frames.literal(k, v or "") for k, v in headers)
        head = b"".join(frames.literal(k, v) for k, v in (
            (":method", "POST"), (":scheme", "https" if self.tls else "http"), (":path", path),
            (":authority", "localhost"))) + extra
        h2.send(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, head))
        for at in range(0, max(len(body), 1), 16384):
            last = at + 16384 >= len(body)
            h2.send(frames.frame(frames.DATA, frames.END_STREAM if last else 0, 1, body[at:at + 16384]))
        seen = h2.until(frames.ended)
        h2.close()
        blocks = [f[3] for f in seen if f[0] == frames.HEADERS]
        self.http = 200 if blocks and blocks[0][:1] == b"\x88" else 0
        status = frames.status_of(seen)
        self.status, self.blocks = None if status is None else str(status), b"".join(blocks)

    def socket(self, kind, receive_buffer=0):
        port = self.daemon.tls_port if self.tls else self.daemon.port
        s = socket.create_connection(("127.0.0.1", port), 20)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            s = context.wrap_socket(s, server_hostname="localhost")
        return s

    def grpc(self):
        return self.status


GRPC = ("content-type", "application/grpc")
TE = ("te", "trailers")
WEB = ("content-type", "application/grpc-web+proto")
TEXT = ("content-type", "application/grpc-web-text")
PROTO = ("content-type", "application/proto")
JSON = ("content-type", "application/json")
STREAM = ("content-type", "application/connect+proto")
ZIP_IN, ZIP_FOO = ("grpc-encoding", "gzip"), ("grpc-encoding", "foo")
EMPTY = frame()
AT_LIMIT = field(bytes(LIMIT - 4))
OVER = field(bytes(LIMIT - 3))
BOMB = gzip.compress(bytes(32 << 20), 9)
assert len(AT_LIMIT) == LIMIT and len(BOMB) < LIMIT


def timeouts():
    good = [("1H", 0), ("1M", 0), ("10S", 0), ("10000m", 0), ("99999999u", 0), ("99999999m", 0),
            ("99999999n", None), ("99999999H", 0), ("00000010S", 0)]
    bad = ["", "1", "S", "1s", "-1S", "+1S", "1.5S", "1 S", "123456789m", "1SS", "0x1S", "1D"]
    rows = [(f"grpc-timeout {t!r}", CHECK, [GRPC, TE, ("grpc-timeout", t)], EMPTY, 200, str(s) if s is not None else ("0", "4"))
            for t, s in good]
    # A timeout that nobody can read is the client's fault: grpc-go answers 13 as well.
    rows += [(f"grpc-timeout {t!r}", CHECK, [GRPC, TE, ("grpc-timeout", t or None)], EMPTY, 200, "13") for t in bad]
    # A stream without an end: its time is what ends it, whatever unit it was told in.
    rows += [(f"a stream's grpc-timeout {t}", WATCH, [GRPC, TE, ("grpc-timeout", t)], EMPTY, 200, "4")
             for t in ("1S", "300m", "300000u", "99999999n")]
    return rows


# what, path, headers, body, HTTP status, grpc-status (or those it may be)
GRPC_ROWS = [
    ("plain", CHECK, [GRPC, TE], EMPTY, 200, "0"),
    ("+proto", CHECK, [("content-type", "application/grpc+proto"), TE], EMPTY, 200, "0"),
    ("parameters", CHECK, [("content-type", "application/grpc;charset=utf-8"), TE], EMPTY, 200, "0"),
    ("capitals", CHECK, [("content-type", "Application/gRPC+Proto"), TE], EMPTY, 200, "0"),
    ("no te", CHECK, [GRPC], EMPTY, 200, "0"),
    ("+json", CHECK, [("content-type", "application/grpc+json"), TE], frame(b"{}"), 200, "0"),
    ("+json without JSON", CHECK, [("content-type", "application/grpc+json"), TE], EMPTY, 200, ("3", "13")),
    ("+foo", CHECK, [("content-type", "application/grpc+foo"), TE], EMPTY, 415, None),
    ("grpcfoo", CHECK, [("content-type", "application/grpcfoo"), TE], EMPTY, 415, None),
    ("image/jpeg", CHECK, [("content-type", "image/jpeg"), TE], EMPTY, 415, None),
    ("no content type", CHECK, [TE], EMPTY, 415, None),
    ("unknown method", "/grpc.health.v1.Health/Nope", [GRPC, TE], EMPTY, 200, "12"),
    ("unknown service", "/no.such.Service/Check", [GRPC, TE], EMPTY, 200, "12"),
    ("no path of a method", "/nothing", [GRPC, TE], EMPTY, 200, "12"),
    ("path of a page", "/vpn/mesh", [GRPC, TE], EMPTY, 200, "12"),
    ("method with a slash behind", CHECK + "/", [GRPC, TE], EMPTY, 200, "12"),
    ("no message", CHECK, [GRPC, TE], b"", 200, "12"),
    ("two messages", CHECK, [GRPC, TE], EMPTY * 2, 200, "12"),
    ("stream: no message", WATCH, [GRPC, TE], b"", 200, "12"),
    ("stream: two messages", WATCH, [GRPC, TE], EMPTY * 2, 200, "12"),
    ("cut in the head", CHECK, [GRPC, TE], b"\0\0\0", 200, "13"),
    ("cut in the message", CHECK, [GRPC, TE], frame(b"\x0a\1x")[:-1], 200, "13"),
    ("no message of the kind", CHECK, [GRPC, TE], frame(b"\xff\xff"), 200, "13"),
    ("a string that is no UTF-8", CHECK, [GRPC, TE], frame(b"\x0a\1\xff"), 200, "13"),
    ("unknown fields", CHECK, [GRPC, TE], frame(field(b"abc")), 200, "0"),
    ("unknown encoding", CHECK, [GRPC, TE, ZIP_FOO], EMPTY, 200, "12"),
    ("unknown encoding, compressed", CHECK, [GRPC, TE, ZIP_FOO], frame(b"x", 1), 200, "12"),
    ("identity", CHECK, [GRPC, TE, ("grpc-encoding", "identity")], EMPTY, 200, "0"),
    ("flag and no encoding", CHECK, [GRPC, TE], frame(gzip.compress(b""), 1), 200, "13"),
    ("flag and identity", CHECK, [GRPC, TE, ("grpc-encoding", "identity")], frame(b"x", 1), 200, "13"),
    ("unknown flag", CHECK, [GRPC, TE, ZIP_IN], frame(b"", 2), 200, "13"),
    ("gzip", CHECK, [GRPC, TE, ZIP_IN], frame(gzip.compress(b"\x0a\x15grpc.health.v1.Health"), 1), 200, "0"),
    ("gzip of nothing", CHECK, [GRPC, TE, ZIP_IN], frame(gzip.compress(b""), 1), 200, "0"),
    ("nothing, marked as gzip", CHECK, [GRPC, TE, ZIP_IN], frame(b"", 1), 200, "0"),
    ("gzip announced, not used", CHECK, [GRPC, TE, ZIP_IN], EMPTY, 200, "0"),
    ("no gzip inside", CHECK, [GRPC, TE, ZIP_IN], frame(b"xx", 1), 200, "13"),
    ("gzip cut", CHECK, [GRPC, TE, ZIP_IN], frame(gzip.compress(b"abc")[:-5], 1), 200, "13"),
    ("as large as may be", CHECK, [GRPC, TE], frame(AT_LIMIT), 200, "0"),
    ("a byte larger", CHECK, [GRPC, TE], frame(OVER), 200, "8"),
    ("a length that never comes", CHECK, [GRPC, TE], b"\0\xff\xff\xff\xff", 200, "8"),
    ("as large as may be, inflated", CHECK, [GRPC, TE, ZIP_IN], frame(gzip.compress(AT_LIMIT), 1), 200, "0"),
    ("a byte larger, inflated", CHECK, [GRPC, TE, ZIP_IN], frame(gzip.compress(OVER), 1), 200, "8"),
    ("a bomb", CHECK, [GRPC, TE, ZIP_IN], frame(BOMB, 1), 200, "8"),
    ("reserved names", CHECK, [GRPC, TE, ("grpc-status", "5"), ("grpc-foo", "x"), ("grpc-message", "%zz")], EMPTY,
     200, "0"),
    ("-bin padded, unpadded, joined, repeated", CHECK,
     [GRPC, TE, ("x-a-bin", "AAE="), ("x-a-bin", "AAE"), ("x-a-bin", "AAEC,AAE,AAE="), ("x-b-bin", "")], EMPTY, 200, "0"),
    ("-bin that is no base64, which nobody reads", CHECK, [GRPC, TE, ("x-a-bin", "***")], EMPTY, 200, "0"),
    ("no credentials", "/quazzar.mesh.v1.MeshService/GetState", [GRPC, TE], EMPTY, 200, "16"),
] + timeouts()

WEB_ROWS = [
    ("plain", CHECK, [WEB], EMPTY, 200, "0"),
    ("no +proto", CHECK, [("content-type", "application/grpc-web")], EMPTY, 200, "0"),
    ("text", CHECK, [TEXT], base64.b64encode(EMPTY), 200, "0"),
    ("text, a group at a time", CHECK, [TEXT], base64.b64encode(EMPTY[:1]) + base64.b64encode(EMPTY[1:]), 200, "0"),
    ("+foo", CHECK, [("content-type", "application/grpc-web+foo")], EMPTY, 415, None),
    ("unknown method", "/grpc.health.v1.Health/Nope", [WEB], EMPTY, 200, "12"),
    ("unknown service", "/no.such.Service/Check", [WEB], EMPTY, 200, "12"),
    ("no message", CHECK, [WEB], b"", 200, "12"),
    ("two messages", CHECK, [WEB], EMPTY * 2, 200, "12"),
    ("unknown encoding", CHECK, [WEB, ZIP_FOO], EMPTY, 200, "12"),
    ("flag and no encoding", CHECK, [WEB], frame(b"x", 1), 200, "13"),
    ("gzip", CHECK, [WEB, ZIP_IN], frame(gzip.compress(b""), 1), 200, "0"),
    ("as large as may be", CHECK, [WEB], frame(AT_LIMIT), 200, "0"),
    ("a byte larger", CHECK, [WEB], frame(OVER), 200, "8"),
    ("a byte larger, inflated", CHECK, [WEB, ZIP_IN], frame(gzip.compress(OVER), 1), 200, "8"),
    ("a bomb", CHECK, [WEB, ZIP_IN], frame(BOMB, 1), 200, "8"),
    ("grpc-timeout of no unit", CHECK, [WEB, ("grpc-timeout", "5")], EMPTY, 200, "13"),
    ("a stream's grpc-timeout", WATCH, [WEB, ("grpc-timeout", "300m")], EMPTY, 200, "4"),
    ("no message of the kind", CHECK, [WEB], frame(b"\xff\xff"), 200, "13"),
]

# what, path, headers, body, HTTP status, code (None: without words)
CONNECT_ROWS = [
    ("proto", CHECK, [PROTO], b"", 200, "ok"),
    ("JSON", CHECK, [JSON], b"{}", 200, "ok"),
    ("JSON with its charset", CHECK, [("content-type", "application/json; charset=utf-8")], b"{}", 200, "ok"),
    ("the version there is", CHECK, [JSON, ("connect-protocol-version", "1")], b"{}", 200, "ok"),
    ("another version", CHECK, [JSON, ("connect-protocol-version", "2")], b"{}", 400, "invalid_argument"),
    ("other codec", CHECK, [("content-type", "application/foo")], b"{}", 415, None),
    ("image/jpeg", CHECK, [("content-type", "image/jpeg")], b"{}", 415, None),
    ("a stream's type", CHECK, [STREAM], EMPTY, 415, None),
    ("a single call's type for a stream", WATCH, [JSON], b"{}", 415, None),
    ("unknown method", "/grpc.health.v1.Health/Nope", [JSON], b"{}", 404, "unimplemented"),
    ("unknown service", "/no.such.Service/Check", [JSON], b"{}", 404, "unimplemented"),
    ("unknown encoding", CHECK, [JSON, ("content-encoding", "foo")], b"{}", 501, "unimplemented"),
    ("gzip", CHECK, [JSON, ("content-encoding", "gzip")], gzip.compress(b"{}"), 200, "ok"),
    ("no gzip inside", CHECK, [JSON, ("content-encoding", "gzip")], b"{}", 400, "invalid_argument"),
    ("no JSON", CHECK, [JSON], b"{", 400, "invalid_argument"),
    ("unknown field", CHECK, [JSON], b'{"nope":1}', 400, "invalid_argument"),
    ("no message of the kind", CHECK, [PROTO], b"\xff\xff", 400, "invalid_argument"),
    ("as large as may be", CHECK, [PROTO], AT_LIMIT, 200, "ok"),
    ("a byte larger", CHECK, [PROTO], OVER, 429, "resource_exhausted"),
    ("a byte larger, inflated", CHECK, [PROTO, ("content-encoding", "gzip")], gzip.compress(OVER), 429,
     "resource_exhausted"),
    ("a bomb", CHECK, [PROTO, ("content-encoding", "gzip")], BOMB, 429, "resource_exhausted"),
    ("a stranger", CHECK, [JSON], b'{"service":"x"}', 404, "not_found"),
    ("no credentials", "/quazzar.mesh.v1.MeshService/GetState", [JSON], b"{}", 401, "unauthenticated"),
    ("stream: no message", WATCH, [STREAM], b"", 200, "unimplemented"),
    ("stream: two messages", WATCH, [STREAM], EMPTY * 2, 200, "unimplemented"),
    ("stream: unknown encoding", WATCH, [STREAM, ("connect-content-encoding", "foo")], EMPTY, 200, "unimplemented"),
    ("stream: flag and no encoding", WATCH, [STREAM], frame(b"x", 1), 200, "internal"),
    ("stream: its timeout", WATCH, [STREAM, ("connect-timeout-ms", "300")], EMPTY, 200, "deadline_exceeded"),
    ("a timeout of eleven digits", CHECK, [JSON, ("connect-timeout-ms", "12345678901")], b"{}", 400, "invalid_argument"),
    ("a timeout that is no number", CHECK, [JSON, ("connect-timeout-ms", "1s")], b"{}", 400, "invalid_argument"),
]


def among(got, want):
    return want if isinstance(want, tuple) and got in want else got


def run_rows(name, daemon, wires, protocol, rows, outcome):
    """A few at a time: most of the time goes by while curl starts."""
    def one(job):
        wire, (what, path, headers, body, http, status) = job
        if protocol == "gRPC" and http == 200:
            answer = Framed(daemon, wire, path, headers, body)
        else:
            answer = ask(daemon, wire, "POST", path, headers, body)
        try:
            got = outcome(answer) if status is not None else None
        except (ValueError, KeyError, IndexError, struct.error) as e:
            got = repr(e)
        return f"{name}, {wire}, {protocol}: {what}", (answer.http, among(got, status)), (http, status)

    jobs = [(wire, row) for wire in wires for row in rows]
    with futures.ThreadPoolExecutor(4) as pool:
        for what, got, want in pool.map(one, jobs):
            check(what, got, want)


def test_verbs(name, daemon):
    """405 says what is allowed, over every door."""
    for wire in WAYS[name]:
        for verb in ("GET", "PUT", "DELETE", "PATCH", "HEAD"):
            rows = [("Connect", LOGIN, [JSON]), ("gRPC-Web", LOGIN, [WEB])]
            if is_h2(wire):
                rows.append(("gRPC", LOGIN, [GRPC, TE]))
            for protocol, path, headers in rows:
                a = ask(daemon, wire, verb, path, headers, None)
                allow = a.header("allow")
                check(f"{name}, {wire}, {protocol}: {verb}", (a.http, allow), (405, "POST"))
        a = ask(daemon, wire, "PUT", "/api/mesh/devices", [JSON], b"{}")
        check(f"{name}, {wire}, REST: PUT", (a.http, a.header("allow"), json.loads(a.body)["code"]),
              (405, "GET, HEAD, POST", 12))
        if not is_h2(wire):
            a = ask(daemon, wire, "POST", CHECK, [GRPC, TE], EMPTY)
            check(f"{name}, {wire}: gRPC needs HTTP/2", a.http, 505)


def test_heads(name, daemon):
    """HEAD is GET without a body: same status, same headers."""
    for wire in WAYS[name]:
        for path in ("/readyz", "/vpn/mesh", "/", "/api/mesh/state", "/api/nothing", "/nothing", "/api/mesh/events"):
            get = ask(daemon, wire, "GET", path, [], None)
            head = ask(daemon, wire, "HEAD", path, [], None)
            names = {k.lower() for k, _ in get.lines} - {"date", "x-request-id", "transfer-encoding"}
            check(f"{name}, {wire}: HEAD {path}",
                  (head.http, {n: head.header(n) for n in names}, head.body.count(b"{")),
                  (get.http, {n: get.header(n) for n in names}, 0))


def test_answers(name, daemon):
    """What is told along with an answer."""
    for wire in filter(is_h2, WAYS[name]):
        a = Framed(daemon, wire, CHECK, [GRPC, TE, ZIP_FOO], EMPTY)
        check(f"{name}, {wire}: the encodings there are", b"grpc-accept-encoding\ridentity,gzip" in a.blocks, True)
        a = ask(daemon, wire, "POST", CHECK, [GRPC, TE, ("x-request-id", "mine-7")], EMPTY)
        check(f"{name}, {wire}: request id", a.header("x-request-id"), "mine-7")
        check(f"{name}, {wire}: content type", a.header("content-type"), "application/grpc")
        a = ask(daemon, wire, "POST", CHECK, [("content-type", "application/grpc+foo"), TE], EMPTY)
        check(f"{name}, {wire}: 415 in words", b"+proto" in a.body, True)


def main():
    code = enter(__file__)
    if code is not None:
        return code
    cp, admin = control_panel()
    try:
        node = RealNode(cp, admin).start()
        try:
            node.wait_ready()
            for name, daemon in (("node", node), ("Control Panel", cp)):
                run_rows(name, daemon, filter(is_h2, WAYS[name]), "gRPC", GRPC_ROWS, lambda a: a.grpc())
                run_rows(name, daemon, WAYS[name], "gRPC-Web", WEB_ROWS, Answer.grpc)
                run_rows(name, daemon, WAYS[name], "Connect", CONNECT_ROWS, Answer.code)
                test_verbs(name, daemon)
                test_heads(name, daemon)
                test_answers(name, daemon)
        finally:
            check("node ends well", node.stop(), 0)
    finally:
        admin.close()
        check("Control Panel ends well", cp.stop(), 0)
        if failed == 0:
            cp.remove()
        else:
            print(f"logs are in {cp.dir}")
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
