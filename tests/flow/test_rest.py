#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The translating doors over real sockets: HTTP/1.1, h2c, TLS, Unix socket.

The handlers behind them are the driver's; everything else is the product.
"""

import http.client
import json
import os
import random
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

BUILD = os.environ.get("QMESH_BUILD", "build/asan")
DRIVER = os.path.join(BUILD, "tests/support/gateway_driver")
WAIT_S = 60
ID = "00000000-0000-7000-8000-000000000001"
BEARER = {"authorization": "Bearer good-token"}
JSON = {"content-type": "application/json"}

passed = failed = 0


def check(what, got, want):
    global passed, failed
    if got == want:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}: got {got!r}, wanted {want!r}")


def reason_of(status):
    for d in status.get("details", []):
        if d["@type"].endswith("ErrorInfo"):
            return d["reason"]
    return ""


def fields_of(status):
    for d in status.get("details", []):
        if d["@type"].endswith("BadRequest"):
            return [v["field"] for v in d.get("field_violations", d.get("fieldViolations", []))]
    return []


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def header(self, name):
        values = [v for k, v in self.headers if k.lower() == name]
        return values[0] if values else None


class Server:
    def __init__(self, scratch, *more):
        self.socket = os.path.join(scratch, "s.sock")
        self.proc = subprocess.Popen([DRIVER, self.socket, *more], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        self.ports = {}
        for line in self.proc.stdout:
            if line.strip() == "started":
                return
            name, port = line.split()
            self.ports[name] = int(port)
        raise SystemExit("the driver did not start")

    def ask(self, method, path, headers=None, body=None, port=None):
        c = http.client.HTTPConnection("127.0.0.1", port or self.ports["plain"], timeout=WAIT_S)
        c.request(method, path, body=body, headers=headers or {})
        r = c.getresponse()
        answer = Answer(r.status, r.getheaders(), r.read())
        c.close()
        return answer

    def stop(self):
        self.proc.stdin.close()
        return self.proc.wait(WAIT_S)


def post(s, path, body, headers=None):
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    return s.ask("POST", path, {**BEARER, **JSON, **(headers or {})}, body)


def test_answers(s):
    a = s.ask("GET", "/api/mesh/state", BEARER)
    check("state status", a.status, 200)
    check("state", a.json()["listen_port"], 51820)
    check("state: 64 bits", a.json()["generation"], "18446744073709551615")
    check("state: defaults are there", a.json()["converged"], False)
    check("state: an absent message is null", a.json().get("cp_lost_at", 0), None)
    check("type", a.header("content-type"), "application/json")
    check("no-store", a.header("cache-control"), "no-store")
    check("nosniff", a.header("x-content-type-options"), "nosniff")
    check("request id", bool(re.fullmatch("[0-9a-f]{32}", a.header("x-request-id"))), True)
    a = s.ask("GET", "/api/mesh/state", {**BEARER, "x-request-id": "mine-1"})
    check("own request id", a.header("x-request-id"), "mine-1")
    a = s.ask("GET", "/api/mesh/state", {**BEARER, "x-request-id": "bad id"})
    check("bad request id", a.header("x-request-id") == "bad id", False)

    a = post(s, "/api/mesh/devices", {"label": "Ann's \"<script>\"", "keepalive": False})
    check("create", a.status, 201)
    check("create: label", a.json()["device"]["label"], "Ann's \"<script>\"")
    check("create: markup is escaped", b"<script>" in a.body, False)
    check("create: config", a.json()["config"].startswith("[Interface]"), True)
    check("create: oneof", a.json()["device"]["applied"], False)
    check("create: generation", a.header("qmesh-generation"), "42")
    check("create: converged", a.header("qmesh-converged"), "3/3;ms=0")
    a = s.ask("DELETE", f"/api/mesh/devices/{ID}", BEARER)
    check("delete", (a.status, a.body, a.header("qmesh-generation")), (204, b"", "43"))
    check("delete: no type", a.header("content-type"), None)
    a = s.ask("GET", f"/api/mesh/devices/{ID}", BEARER)
    check("get", (a.status, a.json()["id"]), (200, ID))
    a = s.ask("GET", f"/api/mesh/devices/{ID.replace('-', '%2D')}", BEARER)
    check("get: escaped", (a.status, a.json().get("id")), (200, ID))


def test_pages(s):
    a = s.ask("GET", "/api/mesh/devices?page_size=2&all=true", BEARER)
    check("page", [d["id"][-1] for d in a.json()], ["0", "1"])
    link = a.header("link")
    seen = list(a.json())
    while link:
        m = re.fullmatch(r'<([^>]*)>; rel="next"', link)
        check("link: keeps parameters", "all=true" in m[1] and "page_size=2" in m[1], True)
        a = s.ask("GET", m[1], BEARER)
        seen += a.json()
        link = a.header("link")
    check("pages", len(seen), 5)
    check("last page has no link", a.header("link"), None)


def test_bad_bodies(s):
    rows = [
        ("unknown field", b'{"label":"x","nope":1}', "nope"),
        ("nested unknown", b'{"label":{"x":1}}', "label"),
        ("twice", b'{"label":"x","label":"y"}', "label"),
        ("both spellings", b'{"wait_ms":1,"waitMs":1}', "waitMs"),
        ("wrong type", b'{"label":7}', "label"),
        ("truncated", b'{"label":"x"', "body"),
        ("truncated string", b'{"label":"x', "label"),
        ("deep", b"[" * 60000, "body"),
        ("deep in a field", b'{"label":' + b"[" * 60000, "label"),
        ("not JSON", b"label=x", "body"),
        ("two documents", b"{}{}", "body"),
        ("latin-1", '{"label":"é"}'.encode("latin-1"), "label"),
        ("NUL", b'{"label":"a\\u0000"}', "label"),
        ("too long", b'{"label":"' + b"x" * 1025 + b'"}', "label"),
        ("out of bounds", b'{"label":"x","wait_ms":5001}', "wait_ms"),
        ("not an address", b'{"label":"x","wished_ip":"10.0.0"}', "wished_ip"),
    ]
    for what, body, field in rows:
        a = post(s, "/api/mesh/devices", body)
        status = a.json()
        check(what, (a.status, status["code"], reason_of(status), fields_of(status)),
              (400, 3, "FIELD_INVALID", [field]))
    a = post(s, "/api/mesh/devices", b'{"label":"' + b"x" * 70000 + b'"}')
    check("70 KB", (a.status, a.json()["code"], reason_of(a.json())),
          (413, 8, "MESSAGE_TOO_LARGE"))


def chunked(s, sizes):
    """The body in chunks, so that no length tells before."""
    c = socket.create_connection(("127.0.0.1", s.ports["plain"]), WAIT_S)
    c.sendall(b"POST /api/mesh/devices HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
              b"good-token\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    body = b'{"label":"' + b"x" * (sum(sizes) - 12) + b'"}'
    try:
        at = 0
        for n in sizes:
            c.sendall(b"%x\r\n%s\r\n" % (n, body[at:at + n]))
            at += n
        c.sendall(b"0\r\n\r\n")
    except OSError:
        pass  # refused half-way: the answer may be there already
    r = http.client.HTTPResponse(c)
    r.begin()
    status, text = r.status, r.read()
    c.close()
    return status, text


def test_chunks(s):
    status, text = chunked(s, [20] * 10)
    check("chunks", status, 201)
    status, text = chunked(s, [10000] * 8)
    check("70 KB in chunks", (status, reason_of(json.loads(text))), (413, "MESSAGE_TOO_LARGE"))


def test_types(s):
    form = {"content-type": "application/x-www-form-urlencoded"}
    a = s.ask("POST", "/api/mesh/devices", {**BEARER, **form}, "label=x")
    check("form", a.status, 415)
    a = s.ask("POST", "/api/mesh/devices", {**BEARER, "content-type": "text/plain"}, "{}")
    check("text/plain", a.status, 415)
    a = s.ask("POST", "/api/mesh/devices", {**BEARER, "content-type": "application/jsonp"}, "{}")
    check("jsonp", a.status, 415)
    a = s.ask("POST", "/api/mesh/devices",
              {**BEARER, "content-type": "Application/JSON; charset=utf-8"}, '{"label":"x"}')
    check("charset", a.status, 201)
    a = s.ask("POST", "/api/mesh/devices", {**BEARER, **JSON, "content-encoding": "gzip"}, "{}")
    check("gzip", a.status, 415)
    a = s.ask("POST", "/api/auth/logout", BEARER)
    check("no body is an empty object", a.status, 204)
    a = s.ask("GET", "/api/mesh/state", {**BEARER, "accept": "text/html"})
    check("406", a.status, 406)
    a = s.ask("GET", "/api/mesh/state", {**BEARER, "accept": "text/html, application/*;q=0.5"})
    check("accept", a.status, 200)
    a = s.ask("DELETE", f"/api/mesh/devices/{ID}", {**BEARER, **JSON}, "{}")
    check("body of DELETE", (a.status, fields_of(a.json())), (400, ["body"]))


def test_paths(s):
    for path in ("/api/mesh/state/", "/api/nope", "/cp/api/v1/mesh/devices", "/api", "/vpn"):
        a = s.ask("GET", path, BEARER)
        check(path, (a.status, a.json()["code"]), (404, 5))
        check(path + ": request id", bool(a.header("x-request-id")), True)
    a = s.ask("PUT", "/api/mesh/devices", BEARER)
    check("405", (a.status, a.header("allow")), (405, "GET, HEAD, POST"))
    a = s.ask("OPTIONS", "/api/mesh/devices", {"origin": "https://evil.example"})
    check("no CORS", (a.status, a.header("access-control-allow-origin")), (405, None))
    for path, field in ((f"/api/mesh/devices/{ID}?x=1", "x"), ("/api/mesh/devices?all=maybe", "all"),
                        ("/api/mesh/devices?all=true&all=true", "all"),
                        ("/api/mesh/devices?page_size=5000", "page_size"),
                        ("/api/mesh/devices?all=%zz", "query"),
                        ("/api/mesh/devices/x", "id"), ("/api/mesh/devices/%00", "id"),
                        (f"/api/mesh/devices/{ID}?id={ID}", "id"),
                        ("/api/mesh/devices?wait=1s", "wait")):
        a = s.ask("GET", path, BEARER)
        check(path, (a.status, reason_of(a.json()), fields_of(a.json())),
              (400, "FIELD_INVALID", [field]))
    a = s.ask("GET", "/api/mesh/devices/00000000-0000-7000-8000-000000000404", BEARER)
    check("not found", (a.status, reason_of(a.json())), (404, "NOT_FOUND"))


def test_wait(s):
    for text, ms in (("5s", 5000), ("500ms", 500), ("0.25s", 250), ("0s", 0)):
        a = post(s, f"/api/mesh/devices?wait={text}", {"label": "x"})
        check("wait=" + text, (a.status, a.json().get("device", {}).get("key_version")), (201, ms))
    for text in ("6s", "-1s", "5", "5m", "", "ms", "1e3s", "5001ms"):
        a = post(s, f"/api/mesh/devices?wait={text}", {"label": "x"})
        check("wait=" + text, (a.status, reason_of(a.json())), (400, "FIELD_INVALID"))
    a = post(s, "/api/mesh/devices?label=y", {"label": "x"})
    check("field beside a body", (a.status, fields_of(a.json())), (400, ["label"]))


def test_refusals(s):
    a = s.ask("GET", "/api/mesh/state")
    check("no token", (a.status, a.json()["code"], reason_of(a.json())), (401, 16, "TOKEN_MISSING"))
    check("401 names the scheme", a.header("www-authenticate"), 'Bearer realm="quazzar"')
    a = s.ask("GET", "/api/mesh/state", {"authorization": "Bearer x"})
    check("bad token", (a.status, reason_of(a.json())), (401, "TOKEN_INVALID"))
    a = post(s, "/api/mesh/devices", b"{", {"authorization": "Bearer x"})
    check("credentials before body", (a.status, reason_of(a.json())), (401, "TOKEN_INVALID"))
    a = post(s, "/api/mesh/devices", {"label": "limited"})
    check("limited", (a.status, reason_of(a.json()), a.header("retry-after")),
          (429, "RATE_LIMITED", "13"))
    a = post(s, "/api/mesh/devices", {"label": "broken"})
    check("broken", (a.status, reason_of(a.json())), (500, "INTERNAL"))
    check("broken: request id", a.header("x-request-id") in a.json()["message"], True)
    check("broken: no errno", "EIO" in a.json()["message"], False)
    a = s.ask("POST", "/api/mesh/refresh", BEARER)
    check("not served", (a.status, a.json()["code"]), (501, 12))


def test_cookie(s):
    port = s.ports["plain"]
    name = f"qmesh-{port}"
    own = {"sec-fetch-site": "same-origin"}
    a = s.ask("POST", "/api/auth/login", JSON, '{"user":"ann","password":"right"}')
    check("login", a.status, 200)
    check("login: token", a.json()["token"], "good-token")
    cookie = a.header("set-cookie")
    m = re.fullmatch(name + r"=good-token; Path=/; HttpOnly; SameSite=Strict; Max-Age=(\d+)", cookie)
    check("cookie", bool(m and 28700 < int(m[1]) <= 28800), True)
    a = s.ask("POST", "/api/auth/login", JSON, '{"user":"ann","password":"wrong"}')
    check("wrong password", (a.status, reason_of(a.json()), a.header("set-cookie")),
          (401, "LOGIN_FAILED", None))
    check("password not in the answer", b"wrong\"" in a.body, False)
    jar = {"cookie": f"a=b; {name}=good-token"}
    check("cookie is a session", s.ask("GET", "/api/mesh/state", jar).status, 200)
    check("cookie of another port",
          s.ask("GET", "/api/mesh/state", {"cookie": f"qmesh-{port + 1}=good-token"}).status, 401)
    check("two cookies",
          s.ask("GET", "/api/mesh/state", {"cookie": f"{name}=good-token; {name}=x"}).status, 401)
    a = s.ask("POST", "/api/auth/logout", {**jar, **own})
    check("logout", (a.status, a.header("set-cookie")),
          (204, f"{name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"))
    a = s.ask("POST", "/api/auth/logout", {"cookie": f"{name}=old", **own})
    check("logout without a session", a.status, 401)


def test_cross_site(s):
    port = s.ports["plain"]
    jar = {"cookie": f"qmesh-{port}=good-token", **JSON}
    body = '{"label":"x"}'
    own, other = f"http://127.0.0.1:{port}", "http://evil.example"
    rows = [
        ({}, 403), ({"origin": own}, 201), ({"origin": other}, 403), ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 201), ({"sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": "same-site"}, 403), ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": own}, 403),
        ({"origin": own + "0"}, 403), ({"origin": f"https://127.0.0.1:{port}"}, 403),
        ({**BEARER}, 201), ({**BEARER, "origin": other}, 403),
        ({**BEARER, "sec-fetch-site": "cross-site"}, 403),
    ]
    for more, want in rows:
        a = s.ask("POST", "/api/mesh/devices", {**jar, **more}, body)
        check(f"create with {more}", (a.status, want == 201 or reason_of(a.json())),
              (want, True if want == 201 else "CROSS_SITE"))
    login = '{"user":"ann","password":"right"}'
    for more, want in (({}, 200), ({"origin": other}, 403), ({"sec-fetch-site": "cross-site"}, 403)):
        a = s.ask("POST", "/api/auth/login", {**JSON, **more}, login)
        check(f"login with {more}", a.status, want)
    check("DELETE", s.ask("DELETE", f"/api/mesh/devices/{ID}", {"cookie": jar["cookie"]}).status, 403)
    check("reading needs none", s.ask("GET", "/api/mesh/state", {"cookie": jar["cookie"]}).status, 200)


def test_host(s):
    for host, want in (("evil.example", 421), (f"evil.example:{s.ports['plain']}", 421),
                       ("localhost.evil.example", 421), ("localhost:1x", 421), ("127.0.0.2", 421),
                       ("LOCALHOST", 200), ("[::1]:99", 200), ("127.0.0.1", 200)):
        a = s.ask("GET", "/healthz", {"host": host})
        check("host " + host, a.status, want)
    a = s.ask("GET", "/healthz", {"host": "evil.example", "x-request-id": "mine-1"})
    check("refused in JSON", (a.header("content-type"), a.json()["code"]), ("application/json", 3))
    check("its request id", a.header("x-request-id"), "mine-1")
    a = s.ask("GET", "/healthz", {"host": "evil.example", "x-request-id": "not mine"})
    check("a made request id", len(a.header("x-request-id")), 32)


def test_misdirected(s):
    """The same refusal of a name, as the clients of each protocol read it."""
    words, path = "Clear text is served to localhost only", "/quazzar.mesh.v1.MeshService/"
    channel = grpc.insecure_channel(f"127.0.0.1:{s.ports['plain']}",
                                    [("grpc.default_authority", "evil.example")])
    try:
        channel.unary_unary(path + "GetState")(b"", timeout=WAIT_S)
        check("misdirected: gRPC", "answered", "refused")
    except grpc.RpcError as e:
        check("misdirected: gRPC", (e.code(), words in e.details()),
              (grpc.StatusCode.INVALID_ARGUMENT, True))
    channel.close()

    def ask(method, kind, body):
        return s.ask("POST", path + method, {"host": "evil.example", "content-type": kind}, body)

    a = ask("GetState", "application/json", "{}")
    check("misdirected: Connect", (a.status, a.json()["code"], words in a.json()["message"]),
          (421, "invalid_argument", True))
    a = ask("WatchState", "application/connect+json", b"\0\0\0\0\2{}")
    check("misdirected: a stream of Connect",
          (a.status, a.body[0], json.loads(a.body[5:])["error"]["code"]), (200, 2, "invalid_argument"))
    a = ask("GetState", "application/grpc-web+proto", b"\0\0\0\0\0")
    check("misdirected: gRPC-Web", (a.status, a.body[0], b"grpc-status: 3\r\n" in a.body),
          (200, 128, True))
    a = ask("GetState", "application/grpc", b"\0\0\0\0\0")
    check("misdirected: gRPC over HTTP/1.1", (a.status, a.json()["code"]), (421, 3))


def events(sock, n, headers=b"", path=b"/api/mesh/events"):
    """The first n events, as (id, data)."""
    sock.sendall(b"GET %s HTTP/1.1\r\nhost: localhost\r\n%s\r\n" % (path, headers))
    r = http.client.HTTPResponse(sock)
    r.begin()
    got, now = [], {}
    while len(got) < n:
        line = r.readline().decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            now[name] = value
        elif "data" in now:
            got.append((now.get("id"), now.get("event"), json.loads(now["data"])))
            now = {}
    return r, got


def open_stream(s, token=b"good-token"):
    sock = socket.create_connection(("127.0.0.1", s.ports["plain"]), WAIT_S)
    sock.sendall(b"GET /api/mesh/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
                 b"%s\r\n\r\n" % token)
    sock.recv(1)
    return sock


def is_over(sock, wait_s):
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        if select.select([sock], [], [], 0.05)[0]:
            data = sock.recv(65536)
            if not data or data.endswith(b"0\r\n\r\n"):
                return True
    return False


def test_events(s):
    bearer = b"authorization: Bearer good-token\r\n"
    sock = socket.create_connection(("127.0.0.1", s.ports["plain"]), WAIT_S)
    r, got = events(sock, 3, bearer + b"accept: text/event-stream\r\n")
    check("events", [(i, e, d["version"]) for i, e, d in got],
          [("1", "changed", "1"), ("2", "changed", "2"), ("3", "changed", "3")])
    check("events: type", (r.status, r.getheader("content-type")), (200, "text/event-stream"))
    check("events: no-store", r.getheader("cache-control"), "no-store")
    sock.close()
    sock = socket.create_connection(("127.0.0.1", s.ports["plain"]), WAIT_S)
    _, got = events(sock, 1, bearer + b"last-event-id: 41\r\n")
    check("Last-Event-ID", got[0][0], "42")
    sock.close()
    sock = socket.create_connection(("127.0.0.1", s.ports["plain"]), WAIT_S)
    _, got = events(sock, 1, bearer, b"/api/mesh/events?version=51")
    check("version parameter", got[0][0], "52")
    sock.close()
    a = s.ask("GET", "/api/mesh/events", {"accept": "text/event-stream"})
    check("events without a token", (a.status, reason_of(a.json())), (401, "TOKEN_MISSING"))
    a = s.ask("GET", "/api/mesh/events?version=100", BEARER)
    check("events refused", (a.status, reason_of(a.json())), (503, "CP_UNREACHABLE"))
    a = s.ask("GET", "/api/mesh/events", {"authorization": "Bearer slow-token"})
    check("events refused late", (a.status, reason_of(a.json())), (401, "TOKEN_INVALID"))
    a = s.ask("HEAD", "/api/mesh/events", BEARER)
    check("HEAD of events", (a.status, a.header("content-type"), a.body),
          (200, "text/event-stream", b""))


def test_event_limits(s):
    streams = [open_stream(s) for _ in range(4)]
    check("four stay", any(is_over(c, 0.2) for c in streams), False)
    streams.append(open_stream(s))
    check("the oldest ends", is_over(streams[0], WAIT_S), True)
    check("the others stay", any(is_over(c, 0.2) for c in streams[1:]), False)
    for c in streams:
        c.close()
    time.sleep(0.2)
    streams = [open_stream(s) for _ in range(4)]
    check("closed ones do not count", any(is_over(c, 0.2) for c in streams), False)
    for c in streams:
        c.close()
    short = open_stream(s, b"good-token-short")
    check("ends with its session", is_over(short, WAIT_S), True)
    short.close()


def test_events_h2(s):
    """Over HTTP/2, and with a comment when nothing happens."""
    said = ""
    with subprocess.Popen(["curl", "-sSN", "--http2-prior-knowledge", "-m", "120", "-D", "-", "-H",
                           "authorization: Bearer good-token",
                           f"http://127.0.0.1:{s.ports['plain']}/api/mesh/events"],
                          stdout=subprocess.PIPE, text=True) as curl_:
        for line in curl_.stdout:
            said += line
            if line == ":\n":
                break
        curl_.terminate()
    check("h2 events", said.count("event: changed\n"), 3)
    check("h2 events: protocol", said.startswith("HTTP/2 200"), True)
    check("a comment while nothing happens", said.endswith("\n\n:\n"), True)


def test_page(s):
    a = s.ask("GET", "/vpn/mesh")
    check("page", (a.status, a.header("content-type")), (200, "text/html; charset=utf-8"))
    csp = a.header("content-security-policy")
    check("CSP", csp, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "
          "blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
          "frame-ancestors 'none'; require-trusted-types-for 'script'")
    for name, want in (("cross-origin-opener-policy", "same-origin"),
                       ("cross-origin-resource-policy", "same-origin"),
                       ("referrer-policy", "no-referrer"), ("x-content-type-options", "nosniff"),
                       ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
                       ("cache-control", "no-cache")):
        check(name, a.header(name), want)
    assets = re.findall(rb'(?:src|href)="(/[^"]+)"', a.body)
    check("assets", len(assets) >= 2, True)
    for url in assets:
        b = s.ask("GET", url.decode())
        check(url, (b.status, b.header("cache-control")),
              (200, "public, max-age=31536000, immutable"))
        z = s.ask("GET", url.decode(), {"accept-encoding": "gzip, br"})
        check(url + b" zipped", z.header("content-encoding"), "gzip")
        check(url + b" smaller", len(z.body) < len(b.body), True)
        z = s.ask("GET", url.decode(), {"accept-encoding": "gzip;q=0"})
        check(url + b" not zipped", z.header("content-encoding"), None)
    b = s.ask("GET", "/vpn/mesh", {"if-none-match": a.header("etag")})
    check("known page", (b.status, b.body), (304, b""))
    a = s.ask("HEAD", "/vpn/mesh")
    check("HEAD", (a.status, a.body), (200, b""))
    check("POST to the page", s.ask("POST", "/vpn/mesh", {}, "").status, 405)
    a = s.ask("GET", "/")
    check("root", (a.status, a.header("location")), (302, "/vpn/mesh"))
    for path in ("/vpn/mesh/../../etc/passwd", "/assets/", "/assets/%2e%2e/x", "/vpn/mesh/"):
        check(path, s.ask("GET", path).status, 404)


def test_health(s):
    known = {"reason": "WORTH_KNOWING", "blocks": False, "message": "this is nothing bad"}
    not_ready = {"status": "not ready",
                 "reasons": [known, {"reason": "NOT_YET", "blocks": True, "message": 'not "yet"'}]}
    for path, status in (("/healthz", 200), ("/readyz", 503)):
        a = s.ask("GET", path)
        check(path, (a.status, a.json()), (status, not_ready))
        b = s.ask("HEAD", path)
        check("HEAD " + path, (b.status, b.body, b.header("content-length")), (status, b"", str(len(a.body))))
    s.proc.stdin.write("x")
    s.proc.stdin.flush()
    for _ in range(1000):
        a = s.ask("GET", "/readyz")
        if a.status == 200:
            break
        time.sleep(0.05)
    check("ready", (a.status, a.json()), (200, {"status": "ready", "reasons": [known]}))


def test_export(s):
    a = s.ask("GET", "/api/mesh/audit", BEARER)
    check("audit", (a.header("content-type"), a.json()[0]["object"]), ("application/json", "=1+1"))
    a = s.ask("GET", "/api/mesh/audit?format=csv", BEARER)
    check("csv", (a.status, a.header("content-type"), b"\"'=1+1\"" in a.body),
          (200, "text/csv", True))
    a = s.ask("GET", "/api/mesh/audit?format=ndjson&page_size=1", BEARER)
    check("ndjson", (a.status, json.loads(a.body)["object"]), (200, "=1+1"))
    for form in ("xml", "", "CSV", "csv&format=csv"):
        a = s.ask("GET", "/api/mesh/audit?format=" + form, BEARER)
        check("format=" + form, (a.status, reason_of(a.json()), fields_of(a.json())), (400, "FIELD_INVALID", ["format"]))
    check("format elsewhere", s.ask("GET", "/api/mesh/nodes?format=csv", BEARER).status, 400)


def curl(*args):
    r = subprocess.run(["curl", "-sS", "-m", str(WAIT_S), "-o", "-", "-w", "\n%{http_version} %{http_code}",
                        *args], capture_output=True, text=True, check=False)
    body, _, last = r.stdout.rpartition("\n")
    return last, body


def test_protocols(s, cert):
    plain, tls = s.ports["plain"], s.ports["tls"]
    auth = ["-H", "authorization: Bearer good-token"]
    for extra, url, want in (
            (["--http1.1"], f"http://127.0.0.1:{plain}", "1.1 200"),
            (["--http2-prior-knowledge"], f"http://127.0.0.1:{plain}", "2 200"),
            (["--http1.1", "--cacert", cert], f"https://localhost:{tls}", "1.1 200"),
            (["--http2", "--cacert", cert], f"https://localhost:{tls}", "2 200"),
            (["--unix-socket", s.socket], "http://localhost", "1.1 200")):
        last, body = curl(*extra, *auth, url + "/api/mesh/devices")
        check(f"{extra[0]} {url[:5]}", last, want)
        check(f"{extra[0]} {url[:5]} body", len(json.loads(body)), 5)
        last, body = curl(*extra, *auth, "-H", "content-type: application/json", "-d",
                          '{"label":"' + "x" * 70000 + '"}', url + "/api/mesh/devices")
        check(f"{extra[0]} {url[:5]} 70 KB", last[-3:], "413")
    last, body = curl("--http2", "--cacert", cert, "-i", "-H", "content-type: application/json",
                      "-d", '{"user":"ann","password":"right"}',
                      f"https://localhost:{tls}/api/auth/login")
    check("__Host- cookie", bool(re.search(
        f"set-cookie: __Host-qmesh-{tls}=good-token; Path=/; HttpOnly; SameSite=Strict; "
        r"Max-Age=\d+; Secure", body)), True)


def test_keepalive(s):
    """Many requests on one connection, good and bad in turn."""
    c = http.client.HTTPConnection("127.0.0.1", s.ports["plain"], timeout=WAIT_S)
    for i in range(60):
        body = '{"label":"x"}' if i % 3 else '{"label":'
        c.request("POST", "/api/mesh/devices", body=body, headers={**BEARER, **JSON})
        r = c.getresponse()
        r.read()
        if r.status != (201 if i % 3 else 400):
            check("keep-alive", r.status, "201 or 400")
            break
    else:
        check("keep-alive", True, True)
    c.close()


def test_leavers(s):
    """Clients that go away at any point leave nothing behind."""
    whole = (b"POST /api/mesh/devices HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
             b"good-token\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n"
             b'{"label":"x"}')
    for n in range(10, len(whole) + 1, 7):
        c = socket.create_connection(("127.0.0.1", s.ports["plain"]), WAIT_S)
        c.sendall(whole[:n])
        c.close()
    check("still there", s.ask("GET", "/api/mesh/state", BEARER).status, 200)


CROWD = [
    b"GET /api/mesh/state HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer good-token\r\n\r\n",
    b"GET /api/mesh/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer good-token\r\n\r\n",
    b"GET /api/mesh/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer good-token-short\r\n\r\n",
    b"POST /api/mesh/devices HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer good-token\r\n"
    b"content-type: application/json\r\ncontent-length: 13\r\n\r\n{\"label\":\"x\"}",
    b"POST /api/auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: 33\r\n\r\n{\"user\":\"a\",\"password\":\"right\"}  ",
    b"GET /vpn/mesh HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"POST /api/mesh/devices HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nabcde",
]


def crowd_member(port, seed, until):
    """Asks, and leaves at a random moment."""
    pick = random.Random(seed)
    while time.monotonic() < until:
        with socket.create_connection(("127.0.0.1", port), WAIT_S) as c:
            for _ in range(pick.randint(1, 4)):
                text = pick.choice(CROWD)
                c.sendall(text[:pick.choice([len(text), len(text), pick.randrange(len(text))])])
            if pick.random() < 0.5:
                c.settimeout(pick.choice([0.001, 0.02, 0.1]))
                try:
                    while c.recv(4096):
                        pass
                except OSError:
                    pass


def test_crowd(s):
    """Many at once who come and go; the sanitizers watch."""
    until = time.monotonic() + 3
    members = [threading.Thread(target=crowd_member, args=(s.ports["plain"], i, until))
               for i in range(12)]
    for m in members:
        m.start()
    for m in members:
        m.join()
    check("after the crowd", s.ask("GET", "/api/mesh/state", BEARER).status, 200)


def load_messages(scratch):
    """Status and the requests, made from proto/ by protoc."""
    names = ["google/rpc/status.proto", "google/rpc/error_details.proto",
             "quazzar/mesh/v1/mesh.proto", "quazzar/mesh/v1/auth.proto"]
    out = scratch + "/set.pb"
    subprocess.run(["protoc", "-Iproto", "-I/usr/include", "--include_imports",
                    "--descriptor_set_out=" + out, *names], check=True)
    files = descriptor_pb2.FileDescriptorSet()
    with open(out, "rb") as f:
        files.ParseFromString(f.read())
    pool = descriptor_pool.DescriptorPool()
    for f in files.file:
        pool.Add(f)
    return pool, message_factory.MessageFactory(pool)


def test_same_status(s, scratch):
    """A refusal says the same over gRPC and REST, decoded by protobuf's own code."""
    pool, factory = load_messages(scratch)

    def kind(name):
        return factory.GetPrototype(pool.FindMessageTypeByName(name))

    status_type = kind("google.rpc.Status")
    channel = grpc.insecure_channel(f"127.0.0.1:{s.ports['plain']}",
                                    [("grpc.default_authority", "localhost")])
    rows = [
        ("MeshService/CreateDevice", "POST", "/api/mesh/devices", {"label": "limited"}, BEARER),
        ("MeshService/CreateDevice", "POST", "/api/mesh/devices", {"label": "broken"}, BEARER),
        ("MeshService/CreateDevice", "POST", "/api/mesh/devices", {"label": "x" * 1025}, BEARER),
        ("MeshService/CreateDevice", "POST", "/api/mesh/devices",
         {"label": "x", "wait_ms": 5001}, BEARER),
        ("MeshService/CreateDevice", "POST", "/api/mesh/devices", {"label": "x"}, {}),
        ("MeshService/CreateDevice", "POST", "/api/mesh/devices", {"label": "x"},
         {"authorization": "Bearer stale"}),
        ("MeshService/CreateDevice", "POST", "/api/mesh/devices", {"label": "x"},
         {**BEARER, "sec-fetch-site": "cross-site"}),
        ("MeshService/CreateDevice", "POST", "/api/mesh/devices", {"label": "x" * 70000}, BEARER),
        ("MeshService/GetDevice", "GET", "/api/mesh/devices/x", {"id": "x"}, BEARER),
        ("MeshService/GetDevice", "GET", "/api/mesh/devices/00000000-0000-7000-8000-000000000404",
         {"id": "00000000-0000-7000-8000-000000000404"}, BEARER),
        ("MeshService/Refresh", "POST", "/api/mesh/refresh", {}, BEARER),
        ("AuthService/Login", "POST", "/api/auth/login", {"user": "ann", "password": "no"}, {}),
        ("AuthService/Login", "POST", "/api/auth/login", {"user": "ann"}, {}),
    ]
    for rpc, verb, path, value, headers in rows:
        what = f"same status: {rpc} {str(value)[:40]} {headers}"
        headers = {**headers, "x-request-id": "same-1"}
        body = json.dumps(value) if verb == "POST" else None
        rest = s.ask(verb, path, {**headers, **(JSON if body else {})}, body)
        request = json_format.ParseDict(value, kind("quazzar.mesh.v1." + rpc.split("/")[1] + "Request")())
        call = channel.unary_unary("/quazzar.mesh.v1." + rpc)
        try:
            call(request.SerializeToString(), metadata=list(headers.items()), timeout=WAIT_S)
            check(what, "answered", "refused")
            continue
        except grpc.RpcError as e:
            details = dict(e.trailing_metadata())["grpc-status-details-bin"]
        by_grpc = status_type.FromString(details)
        by_rest = json_format.Parse(rest.body, status_type(), descriptor_pool=pool)
        for d in list(by_grpc.details) + list(by_rest.details):
            inner = kind(d.type_url.split("/")[-1]).FromString(d.value)
            d.value = inner.SerializeToString(deterministic=True)
        check(what, by_rest, by_grpc)
        check(what + ": has a reason", len(by_grpc.details) > 0, True)
    channel.close()


def main():
    if not os.path.exists(DRIVER):
        print(f"no {DRIVER}: build first")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        cert, key = scratch + "/cert.pem", scratch + "/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                        "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        s = Server(scratch, cert, key)
        try:
            for test in (test_answers, test_pages, test_bad_bodies, test_chunks, test_types,
                         test_paths, test_wait, test_refusals, test_cookie, test_cross_site,
                         test_host, test_misdirected, test_events, test_event_limits, test_events_h2, test_page, test_health,
                         test_export, test_keepalive, test_leavers, test_crowd):
                test(s)
            test_protocols(s, cert)
            test_same_status(s, scratch)
        finally:
            check("clean end", s.stop(), 0)
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
