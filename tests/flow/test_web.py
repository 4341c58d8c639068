#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web and Connect over real sockets: what a request may look like, what is
refused and how, CORS. That one failure is the same over every protocol: test_failures.py."""

import base64
import gzip
import http.client
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from urllib.parse import quote, quote_from_bytes

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../attack"))

from wire import Report, Server, message  # noqa: E402

BUILD = os.environ.get("QMESH_BUILD", "build/asan")
BEARER = {"authorization": "Bearer good-token"}
ECHO = "/qmesh.test.Echo/"
MESH = "/quazzar.mesh.v1.MeshService/"
PAGE = "https://app.example"
CODES = ("ok canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied "
         "resource_exhausted failed_precondition aborted out_of_range unimplemented internal unavailable "
         "data_loss unauthenticated").split()
PROTO = {"content-type": "application/proto"}
JSON = {"content-type": "application/json"}
WEB = {"content-type": "application/grpc-web+proto"}
WEB_TEXT = {"content-type": "application/grpc-web-text"}
STREAM = {"content-type": "application/connect+proto"}
STREAM_JSON = {"content-type": "application/connect+json"}

report = Report()


def check(what, got, want):
    report.check(what, got == want, "got %r, wanted %r" % (got, want))


def envelope(data, flags=0):
    return bytes([flags]) + struct.pack(">I", len(data)) + data


def cut(body):
    """[(flags, bytes)] of a body of envelopes."""
    out = []
    while body:
        n = struct.unpack(">I", body[1:5])[0]
        if len(body) < 5 + n:
            raise ValueError("cut short")
        out.append((body[0], body[5:5 + n]))
        body = body[5 + n:]
    return out


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name), None)

    def code(self):
        """Of Connect's JSON, a stream's end or gRPC-Web's trailers."""
        kind = self.header("content-type") or ""
        if kind.startswith("application/json"):
            return json.loads(self.body).get("code")
        if kind.startswith("application/connect+"):
            flags, last = cut(self.body)[-1]
            return json.loads(last).get("error", {}).get("code", "ok") if flags == 2 else "no end"
        if kind.startswith("application/grpc-web"):
            return CODES[int(self.trailers()["grpc-status"])]
        return None

    def messages(self):
        body = self.body
        if "-text" in self.header("content-type"):
            body = b"".join(base64.b64decode(part) for part in re.findall(rb"[^=]+=*", body))
        return cut(body)

    def trailers(self):
        flags, last = self.messages()[-1]
        if flags != 0x80 or not last.endswith(b"\r\n") or last.lower().split(b":")[0] != last.split(b":")[0]:
            raise ValueError("bad trailers")
        return dict(line.split(": ", 1) for line in last.decode("ascii").split("\r\n")[:-1])


def ask(port, method, path, headers=None, body=None, version=1):
    if version == 2:
        return ask_h2(port, method, path, headers, body)
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    c.request(method, path, body=body, headers=headers or {})
    r = c.getresponse()
    answer = Answer(r.status, r.getheaders(), r.read())
    c.close()
    return answer


def ask_h2(port, method, path, headers, body):
    with tempfile.TemporaryDirectory() as at:
        argv = ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "20", "-X", method, "-D", at + "/head",
                "-o", at + "/body"]
        for name, value in (headers or {}).items():
            argv += ["-H", "%s: %s" % (name, value)]
        if body is not None:
            with open(at + "/sent", "wb") as f:
                f.write(body if isinstance(body, bytes) else body.encode())
            argv += ["--data-binary", "@" + at + "/sent"]
            if not headers or "content-type" not in headers:
                argv += ["-H", "content-type:"]
        subprocess.run(argv + ["http://127.0.0.1:%d%s" % (port, path)], check=False, stderr=subprocess.DEVNULL)
        lines = open(at + "/head", encoding="latin-1", newline="").read().strip().split("\r\n")
        got = open(at + "/body", "rb").read() if os.path.exists(at + "/body") else b""
        return Answer(int(lines[0].split()[1]), [line.split(": ", 1) for line in lines[1:]], got)


# --- what is refused, and how ---

def bare(**fields):
    return message(**fields)[5:]


BIG = bytes(4 << 20)
BOMB = gzip.compress(bytes(64 << 20), 9)

# name, path, headers, body, HTTP status, code
REFUSED = [
    ("unary: no such method", "Nope", JSON, b"{}", 404, "unimplemented"),
    ("unary: no type", "Unary", {}, b"{}", 415, None),
    ("unary: image", "Unary", {"content-type": "image/jpeg"}, b"{}", 415, None),
    ("unary: other codec", "Unary", {"content-type": "application/foo"}, b"{}", 415, None),
    ("unary: a stream's type", "Unary", STREAM, b"{}", 415, None),
    ("unary: version", "Unary", {**JSON, "connect-protocol-version": "2"}, b"{}", 400, "invalid_argument"),
    ("unary: timeout", "Unary", {**JSON, "connect-timeout-ms": "soon"}, b"{}", 400, "invalid_argument"),
    ("unary: long timeout", "Unary", {**JSON, "connect-timeout-ms": "12345678901"}, b"{}", 400, "invalid_argument"),
    ("unary: encoding", "Unary", {**JSON, "content-encoding": "br"}, b"{}", 501, "unimplemented"),
    ("unary: no JSON", "Unary", JSON, b"{", 400, "invalid_argument"),
    ("unary: empty JSON", "Unary", JSON, b"", 400, "invalid_argument"),
    ("unary: unknown field", "Unary", JSON, b'{"x":1}', 400, "invalid_argument"),
    ("unary: no proto", "Unary", PROTO, b"\xff\xff", 400, "invalid_argument"),
    ("unary: string is not UTF-8", "Unary", PROTO, b"\x2a\1\xff", 400, "invalid_argument"),
    ("unary: no gzip", "Unary", {**JSON, "content-encoding": "gzip"}, b"{}", 400, "invalid_argument"),
    ("unary: gzip cut", "Unary", {**JSON, "content-encoding": "gzip"}, gzip.compress(b"{}")[:-4], 400,
     "invalid_argument"),
    ("unary: too large", "Unary", PROTO, bare(data=BIG), 429, "resource_exhausted"),
    ("unary: bomb", "Unary", {**PROTO, "content-encoding": "gzip"}, BOMB, 429, "resource_exhausted"),
    ("caller streams: unary's type", "ClientStream", JSON, b"{}", 415, None),
    ("caller streams: cut short", "ClientStream", STREAM, envelope(b"") + envelope(bare(n=3))[:-1], 200,
     "invalid_argument"),
    ("caller streams: unknown flags", "ClientStream", STREAM, envelope(b"") + envelope(b"", 8), 200, "invalid_argument"),
    ("caller streams: compressed by nobody", "Both", STREAM, envelope(b"", 1), 200, "internal"),
    ("caller streams: too large", "Both", STREAM, envelope(b"") + b"\0\xff\xff\xff\xff", 200, "resource_exhausted"),
    ("caller streams: bomb", "ClientStream", {**STREAM, "connect-content-encoding": "gzip"}, envelope(BOMB, 1), 200,
     "resource_exhausted"),
    ("caller streams: no proto", "Both", STREAM, envelope(b"\xff\xff"), 200, "internal"),
    ("caller streams: no JSON", "Both", STREAM_JSON, envelope(b"{}") + envelope(b"["), 200, "invalid_argument"),
    ("caller streams: web, cut short", "ClientStream", WEB, envelope(bare(n=3))[:-1], 200, "internal"),
    ("caller streams: web, no base64", "ClientStream", WEB_TEXT, b"****", 200, "internal"),
    ("unary: no handler", "Nobody", JSON, b"{}", 501, "unimplemented"),
    ("stream: unary's type", "ServerStream", JSON, b"{}", 415, None),
    ("stream: other codec", "ServerStream", {"content-type": "application/connect+foo"}, b"", 415, None),
    ("stream: encoding", "ServerStream", {**STREAM, "connect-content-encoding": "br"}, envelope(b""), 200,
     "unimplemented"),
    ("stream: version", "ServerStream", {**STREAM, "connect-protocol-version": "x"}, envelope(b""), 200,
     "invalid_argument"),
    ("stream: no message", "ServerStream", STREAM, b"", 200, "unimplemented"),
    ("stream: two messages", "ServerStream", STREAM, envelope(b"") * 2, 200, "unimplemented"),
    ("stream: compressed by nobody", "ServerStream", STREAM, envelope(gzip.compress(b""), 1), 200, "internal"),
    ("stream: unknown flags", "ServerStream", STREAM, envelope(b"", 8), 200, "invalid_argument"),
    ("stream: cut short", "ServerStream", STREAM, envelope(bare(n=3))[:-1], 200, "invalid_argument"),
    ("stream: cut in the head", "ServerStream", STREAM, b"\0\0", 200, "invalid_argument"),
    ("stream: too large", "ServerStream", STREAM, b"\0\xff\xff\xff\xff", 200, "resource_exhausted"),
    ("stream: bomb", "ServerStream", {**STREAM, "connect-content-encoding": "gzip"}, envelope(BOMB, 1), 200,
     "resource_exhausted"),
    ("stream: no JSON", "ServerStream", STREAM_JSON, envelope(b"["), 200, "invalid_argument"),
    ("web: no such method", "Nope", WEB, envelope(b""), 200, "unimplemented"),
    ("web: other codec", "Unary", {"content-type": "application/grpc-web+foo"}, envelope(b""), 415, None),
    ("web: other type", "Unary", {"content-type": "application/grpc-webber"}, envelope(b""), 415, None),
    ("web: encoding", "Unary", {**WEB, "grpc-encoding": "br"}, envelope(b""), 200, "unimplemented"),
    ("web: timeout", "Unary", {**WEB, "grpc-timeout": "5x"}, envelope(b""), 200, "internal"),
    ("web: no message", "Unary", WEB, b"", 200, "unimplemented"),
    ("web: two messages", "Unary", WEB, envelope(b"") * 2, 200, "unimplemented"),
    ("web: compressed by nobody", "Unary", WEB, envelope(b"x", 1), 200, "internal"),
    ("web: trailers of a client", "Unary", WEB, envelope(b"x", 0x80), 200, "internal"),
    ("web: cut short", "Unary", WEB, envelope(bare(n=3))[:-1], 200, "internal"),
    ("web: no proto", "Unary", WEB, envelope(b"\xff\xff"), 200, "internal"),
    ("web: too large", "Unary", WEB, b"\0\xff\xff\xff\xff", 200, "resource_exhausted"),
    ("web: bomb", "Unary", {**WEB, "grpc-encoding": "gzip"}, envelope(BOMB, 1), 200, "resource_exhausted"),
    ("text: no base64", "Unary", WEB_TEXT, b"****", 200, "internal"),
    ("text: binary", "Unary", WEB_TEXT, envelope(bare(n=3)), 200, "internal"),
    ("text: cut short", "Unary", WEB_TEXT, base64.b64encode(envelope(bare(n=3))[:-1]), 200, "internal"),
    ("text: padding alone", "Unary", WEB_TEXT, b"====", 200, "internal"),
    ("text: one letter", "Unary", WEB_TEXT, b"A", 200, "internal"),
]

# name, query, HTTP status, code
GETS = [
    ("no message", "encoding=json", 400, "invalid_argument"),
    ("no encoding", "message=%7B%7D", 400, "invalid_argument"),
    ("other encoding", "encoding=foo&message=%7B%7D", 415, None),
    ("version", "encoding=json&message=%7B%7D&connect=v2", 400, "invalid_argument"),
    ("twice", "encoding=json&message=%7B%7D&message=%7B%7D", 400, "invalid_argument"),
    ("broken escape", "encoding=json&message=%7", 400, "invalid_argument"),
    ("no base64", "encoding=json&message=****&base64=1", 400, "invalid_argument"),
    ("base64?", "encoding=json&message=e30&base64=yes", 400, "invalid_argument"),
    ("compression", "encoding=json&message=%7B%7D&compression=br", 501, "unimplemented"),
    ("no gzip", "encoding=json&message=%7B%7D&compression=gzip", 400, "invalid_argument"),
    ("no JSON", "encoding=json&message=%7B", 400, "invalid_argument"),
    ("no query", "", 400, "invalid_argument"),
]


def test_refused(port):
    for version in (1, 2):
        for name, path, headers, body, http_status, code in REFUSED:
            a = ask(port, "POST", ECHO + path, headers, body, version)
            try:
                got = a.code()
            except (ValueError, KeyError) as e:
                got = repr(e)
            check("HTTP/%d %s" % (version, name), (a.status, got), (http_status, code))
        for name, query, http_status, code in GETS:
            a = ask(port, "GET", ECHO + "Ask?" + query, None, None, version)
            check("HTTP/%d GET: %s" % (version, name), (a.status, a.code()), (http_status, code))
        for verb in ("DELETE", "PUT", "OPTIONS", "PATCH"):
            a = ask(port, verb, ECHO + "Unary", None, None, version)
            check("HTTP/%d %s" % (version, verb), (a.status, a.header("allow")), (405, "POST"))
        a = ask(port, "GET", ECHO + "Unary?encoding=json&message=%7B%7D", None, None, version)
        check("HTTP/%d GET with side effects" % version, (a.status, a.header("allow")), (405, "POST"))
        a = ask(port, "DELETE", ECHO + "Ask", None, None, version)
        check("HTTP/%d DELETE where GET is allowed" % version, (a.status, a.header("allow")), (405, "GET, POST"))
        a = ask(port, "DELETE", ECHO + "Unary", WEB, None, version)
        check("HTTP/%d web: DELETE" % version, (a.status, a.header("allow")), (405, "POST"))
        a = ask(port, "GET", ECHO + "Ask?encoding=json&message=%7B%7D", None, b"{}", version)
        check("HTTP/%d GET with a body" % version, a.status, 415)
    a = ask(port, "POST", ECHO + "Unary", {"content-type": "text/html"}, b"")
    check("accept-post", "application/json" in a.header("accept-post"), True)
    a = ask(port, "POST", ECHO + "ServerStream", JSON, b"{}")
    check("accept-post of a stream", [kind for kind in ("application/connect+json", "application/grpc-web+json",
                                                        "application/grpc+proto")
                                      if kind not in a.header("accept-post")], [])
    for path, headers, body in (("Unary", JSON, b'{"n":1,"nope":1}'),
                                ("ServerStream", STREAM_JSON, envelope(b'{"n":1,"nope":1}'))):
        a = ask(port, "POST", ECHO + path, headers, body)
        said = json.loads(a.body if headers is JSON else cut(a.body)[-1][1])
        said = said if headers is JSON else said["error"]
        debug = {d["type"]: d["debug"] for d in said["details"]}
        check(path + ": the detail for people",
              [(v["field"], v["description"]) for v in debug["google.rpc.BadRequest"]["fieldViolations"]],
              [("nope", "unknown field")])
        check(path + ": the reason for people", debug["google.rpc.ErrorInfo"]["reason"], "FIELD_INVALID")
    a = ask(port, "POST", ECHO + "Unary", {**JSON, "content-encoding": "br"}, b"")
    check("the encodings there are", a.header("accept-encoding"), "gzip, identity")


# --- what is taken ---

def test_taken(port):
    said = {"n": 7, "text": "hé"}
    proto = bare(n=7, text="hé".encode())
    for kind in ("application/json", "Application/JSON; charset=utf-8", "application/json;charset=utf-8"):
        a = ask(port, "POST", ECHO + "Unary", {"content-type": kind}, json.dumps(said))
        check(kind, (a.status, json.loads(a.body)), (200, said))
    a = ask(port, "POST", ECHO + "Unary", {**PROTO, "connect-protocol-version": "1", "connect-timeout-ms": "9999999999"},
            proto)
    check("proto", (a.status, a.header("content-type"), a.body), (200, "application/proto", proto))
    a = ask(port, "POST", ECHO + "Unary", {**PROTO, "content-encoding": "gzip"}, gzip.compress(proto))
    check("gzip in", (a.status, a.body), (200, proto))
    a = ask(port, "POST", ECHO + "Unary", {**PROTO, "content-encoding": "gzip"}, b"")
    check("nothing is not inflated", (a.status, a.body), (200, b""))
    a = ask(port, "POST", ECHO + "Unary", {**PROTO, "content-encoding": "identity"}, proto)
    check("identity", a.body, proto)
    for kind, coded in (("application/grpc-web+json", bytes), ("application/grpc-web-text+json", base64.b64encode)):
        a = ask(port, "POST", ECHO + "Unary", {"content-type": kind}, coded(envelope(json.dumps(said).encode())))
        check(kind, (a.header("content-type"), json.loads(a.messages()[0][1]), a.trailers()),
              (kind, said, {"grpc-status": "0"}))
    a = ask(port, "POST", ECHO + "ClientStream", {"content-type": "application/grpc-web+json"},
            b"".join(envelope(b'{"n":%d}' % n) for n in range(1, 11)))
    check("grpc-web+json: client stream", json.loads(a.messages()[0][1]), {"n": 55, "size": 10, "text": "10"})
    a = ask(port, "GET", ECHO + "Ask?encoding=json&message=%7B%7D")
    check("what a person asked is nobody else's", a.header("cache-control"), "no-store")
    large = bare(data=b"x" * 100000)
    a = ask(port, "POST", ECHO + "Unary", {**PROTO, "accept-encoding": "br, gzip;q=0.5"}, large)
    check("gzip out", (a.header("content-encoding"), gzip.decompress(a.body) == large), ("gzip", True))
    a = ask(port, "POST", ECHO + "Unary", {**PROTO, "accept-encoding": "gzip;q=0"}, large)
    check("no gzip out", (a.header("content-encoding"), a.body == large), (None, True))
    exact = bare(data=bytes((4 << 20) - 5))
    check("the limit itself", len(exact), 4 << 20)
    a = ask(port, "POST", ECHO + "Unary", {**PROTO, "content-encoding": "gzip"}, gzip.compress(exact))
    check("as large as may be", (a.status, len(a.body)), (200, len(exact)))
    for query in ("encoding=proto&message=" + quote_from_bytes(proto),
                  "connect=v1&encoding=proto&base64=1&message=" + quote(base64.urlsafe_b64encode(proto)),
                  "base64=1&encoding=proto&message=" + base64.urlsafe_b64encode(proto).decode().rstrip("="),
                  "encoding=proto&base64=1&compression=gzip&cache=1&message=" +
                  base64.urlsafe_b64encode(gzip.compress(proto)).decode()):
        a = ask(port, "GET", ECHO + "Ask?" + query)
        check("GET " + query[:40], (a.status, a.body), (200, proto))
    a = ask(port, "POST", ECHO + "ServerStream", {**STREAM_JSON, "connect-accept-encoding": "gzip"},
            envelope(b'{"n":3,"size":5000}'))
    check("stream of gzip", (a.header("connect-content-encoding"), [f for f, _ in cut(a.body)]), ("gzip", [1, 1, 1, 2]))
    check("each inflates", json.loads(gzip.decompress(cut(a.body)[2][1]))["n"], 2)
    a = ask(port, "POST", ECHO + "ServerStream", {**STREAM, "connect-content-encoding": "gzip"},
            envelope(gzip.compress(bare(n=2)), 1))
    check("stream, gzip in", ([f for f, _ in cut(a.body)], cut(a.body)[-1][1]), ([0, 0, 2], b"{}"))
    pieces = envelope(proto)
    for size in (1, 2, 3, 5, 100):
        text = b"".join(base64.b64encode(pieces[i:i + size]) for i in range(0, len(pieces), size))
        a = ask(port, "POST", ECHO + "Unary", WEB_TEXT, text)
        check("padded pieces of %d" % size, (a.messages()[0], a.trailers()), ((0, proto), {"grpc-status": "0"}))
    many = [bare(n=n) for n in range(1, 1001)]
    a = ask(port, "POST", ECHO + "ClientStream", STREAM, b"".join(envelope(m) for m in many))
    check("client stream", cut(a.body), [(0, bare(n=500500, size=1000, text=b"1000")), (2, b"{}")])
    a = ask(port, "POST", ECHO + "ClientStream", WEB_TEXT, b"".join(base64.b64encode(envelope(m)) for m in many))
    check("text: client stream", a.messages()[0][1], bare(n=500500, size=1000, text=b"1000"))
    a = ask(port, "POST", ECHO + "Both", STREAM_JSON, b"".join(envelope(b'{"n":%d,"ms":1}' % n) for n in range(1, 50)))
    check("both, JSON, held back", [json.loads(m).get("n") for f, m in cut(a.body) if f == 0], list(range(1, 50)))
    a = ask(port, "POST", ECHO + "Slow", {**JSON, "connect-timeout-ms": "100"}, b'{"ms":5000}')
    check("deadline", (a.status, a.code()), (504, "deadline_exceeded"))
    a = ask(port, "POST", ECHO + "Slow", {**WEB, "grpc-timeout": "100m"}, message(ms=5000))
    check("web: deadline", (a.status, a.code()), (200, "deadline_exceeded"))
    a = ask(port, "POST", ECHO + "Unary", {**JSON, "x-echo": "a b", "x-echo-bin": "AAEC"}, b"{}")
    check("metadata", (a.header("x-echo"), a.header("x-echo-bin")), ("a b", "AAEC"))
    a = ask(port, "POST", ECHO + "Unary", {**JSON, "x-end": "over"}, b"{}")
    check("metadata behind it", [v for k, v in a.headers if k == "trailer-x-end"], ["over", "again"])
    a = ask(port, "POST", ECHO + "ServerStream", {**STREAM, "x-end": "1"}, envelope(bare(n=1)))
    check("a stream's", json.loads(cut(a.body)[-1][1]), {"metadata": {"x-end": ["one", "two"]}})
    a = ask(port, "POST", ECHO + "Unary", {**WEB, "x-end": "over"}, envelope(b""))
    check("web: a call's", a.messages()[-1][1], b"grpc-status: 0\r\nx-end: over\r\nx-end: again\r\n")


def test_large(port):
    """An answer has no limit but the reader's patience: larger than may wait, it arrives."""
    size = 12 << 20
    asked = {"proto": message(n=1, size=size), "json": envelope(json.dumps({"n": 1, "size": size >> 1}).encode())}
    for headers, body in ((STREAM, asked["proto"]), (STREAM_JSON, asked["json"]), (WEB, asked["proto"]),
                          (WEB_TEXT, base64.b64encode(asked["proto"]))):
        a = ask(port, "POST", ECHO + "ServerStream", headers, body)
        check("large: " + headers["content-type"], (a.code(), len(a.body) >= size >> 1), ("ok", True))
    body = json.dumps({"n": 1, "size": 16 << 20}).encode()
    a = ask(port, "POST", ECHO + "ServerStream", STREAM_JSON, envelope(body))
    check("too large for JSON: it ends, and says so", a.code(), "internal")


# --- pages of other sites ---

def preflight(port, origin, path="Unary"):
    return ask(port, "OPTIONS", ECHO + path, {"origin": origin, "access-control-request-method": "POST",
                                              "access-control-request-headers": "content-type,x-grpc-web"})


def test_cors(port, other_port):
    a = preflight(port, PAGE)
    check("preflight", (a.status, a.header("access-control-allow-origin"), a.header("access-control-allow-methods"),
                        a.header("access-control-allow-headers"), a.header("access-control-allow-credentials")),
          (204, PAGE, "POST", "content-type,x-grpc-web", None))
    check("preflight varies", a.header("vary").startswith("origin"), True)
    a = preflight(port, PAGE, "Ask")
    check("preflight of a GET", a.header("access-control-allow-methods"), "GET, POST")
    for origin in ("https://evil.example", "null", PAGE + ".evil.example", PAGE.upper(), "http://app.example"):
        a = preflight(port, origin)
        check("preflight from " + origin, (a.status, a.header("access-control-allow-origin")), (403, None))
        for headers, body in ((JSON, b"{}"), (WEB, envelope(b""))):
            a = ask(port, "POST", ECHO + "Unary", {**headers, "origin": origin}, body)
            check("call from " + origin, (a.code(), a.header("access-control-allow-origin"), a.header("vary")),
                  ("permission_denied", None, "origin"))
    for headers, body in ((JSON, b"{}"), (WEB, envelope(b"")), (STREAM, envelope(b""))):
        path = "ServerStream" if headers is STREAM else "Unary"
        a = ask(port, "POST", ECHO + path, {**headers, "origin": PAGE, "sec-fetch-site": "cross-site"}, body)
        shown = a.header("access-control-expose-headers")
        check("call from a listed page", (a.status, a.header("access-control-allow-origin"),
                                          a.header("access-control-allow-credentials")), (200, PAGE, None))
        check("what it may read", all(n in shown for n in
                                      ("grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id")), True)
    a = ask(port, "POST", ECHO + "Nope", {**JSON, "origin": PAGE}, b"{}")
    check("refusals can be read too", (a.status, a.header("access-control-allow-origin")), (404, PAGE))
    a = preflight(other_port, PAGE)
    names = [k for k, _ in a.headers if k.lower().startswith("access-control") or k.lower() == "vary"]
    check("without a list nothing speaks of CORS", (a.status, names), (403, []))
    a = ask(other_port, "POST", ECHO + "Unary", {**JSON, "origin": PAGE}, b"{}")
    names = [k for k, _ in a.headers if k.lower().startswith("access-control") or k.lower() == "vary"]
    check("nor does an answer", (a.code(), names), ("permission_denied", []))


# --- the product's own methods ---

class Driver:
    def __init__(self, scratch):
        self.process = subprocess.Popen([BUILD + "/tests/support/gateway_driver", scratch + "/driver.sock"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = 0
        for line in self.process.stdout:
            if line.strip() == "started":
                break
            name, port = line.split()
            if name == "plain":
                self.port = int(port)

    memory_holds, forgets = Server.memory_holds, Server.forgets

    def stop(self):
        self.process.stdin.close()
        return self.process.wait(20)


def test_product(driver):
    port = driver.port
    a = ask(port, "POST", MESH + "GetState", {**BEARER, **JSON}, b"{}")
    state = json.loads(a.body)["state"]
    check("canonical JSON", (a.status, state["listenPort"], state["generation"]), (200, 51820, "18446744073709551615"))
    check("defaults are left out", "converged" in state, False)
    a = ask(port, "GET", MESH + "GetState?encoding=json&message=%7B%7D", BEARER)
    check("by GET", json.loads(a.body)["state"], state)
    a = ask(port, "POST", MESH + "GetState", JSON, b"{}")
    check("nobody", (a.status, a.code(), a.header("www-authenticate") is not None), (401, "unauthenticated", True))
    cookie = {"cookie": "qmesh-%d=good-token" % port}
    own = {"origin": "http://127.0.0.1:%d" % port}
    a = ask(port, "POST", MESH + "GetState", {**JSON, **cookie, **own}, b"{}")
    check("a page of ours, by its cookie", a.status, 200)
    a = ask(port, "POST", MESH + "GetState", {**JSON, **cookie}, b"{}")
    check("a cookie and nothing that says whence", (a.status, a.code()), (403, "permission_denied"))
    a = ask(port, "POST", MESH + "GetState", {**JSON, **cookie, "sec-fetch-site": "cross-site"}, b"{}")
    check("a cookie from elsewhere", a.status, 403)
    a = ask(port, "GET", MESH + "GetState?encoding=json&message=%7B%7D",
            {**cookie, "sec-fetch-site": "cross-site"})
    check("nor by GET", a.status, 401)
    made = {**BEARER, **JSON, "accept-encoding": "gzip"}
    a = ask(port, "POST", MESH + "CreateDevice", made, json.dumps({"label": "x" * 500}))
    check("create", (a.status, "PrivateKey = secret" in json.loads(a.body)["config"]), (200, True))
    check("answer's metadata", a.header("qmesh-generation"), "42")
    for headers, body in ((PROTO, b"\x0a\x01x"), (WEB, envelope(b"\x0a\x01x")),
                          (WEB_TEXT, base64.b64encode(envelope(b"\x0a\x01x")))):
        a = ask(port, "POST", MESH + "CreateDevice", {**BEARER, **headers}, body)
        check("create: " + headers["content-type"], a.status, 200)
        if headers is not WEB_TEXT:
            check("the secret came", b"PrivateKey = secret" in a.body, True)
    check("and is wiped", driver.forgets(b"PrivateKey = secret"), True)
    check("as text too", driver.forgets(base64.b64encode(b"[Interface]\nPrivateKey = sec")), True)


def main():
    with tempfile.TemporaryDirectory(prefix="qmesh-web-") as scratch:
        with Server("--web", PAGE + ", http://localhost:5173") as s, Server("--web", "") as other:
            test_refused(s.ports["plain"])
            test_taken(s.ports["plain"])
            test_large(s.ports["plain"])
            test_cors(s.ports["plain"], other.ports["plain"])
            for server in (s, other):
                status, said = server.stop()
                check("the server ends clean", (status, said if status else ""), (0, ""))
        driver = Driver(scratch)
        try:
            test_product(driver)
        finally:
            check("the driver ends clean", driver.stop(), 0)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
