#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1: what two parsers could read in two ways is refused; the rest works, streams, and is reused."""
import email.utils
import os
import re
import sys
import time

from wire import H1, H2, KINDS, Report, Server, message, status_of

HOST = b"host: localhost\r\n"

# Sent on a fresh connection with a second request behind it, which must not be answered.
REFUSED = {
    "length and chunked": (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ncontent-length: 2\r\n\r\nxx", 400),
    "the same length twice": (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ncontent-length: 1\r\n\r\nx", 400),
    "a list of lengths": (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 1, 1\r\n\r\nx", 400),
    "signed length": (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: +1\r\n\r\nx", 400),
    "hex length": (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 0x1\r\n\r\nx", 400),
    "huge length": (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 99999999999999999999\r\n\r\nx", 400),
    "chunked twice": (b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "gzip, chunked": (b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunked on HTTP/1.0": (b"POST / HTTP/1.0\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "bare LF in the head": (b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
    "bare LF between fields": (b"GET / HTTP/1.1\r\nhost: localhost\nx: y\r\n\r\n", 400),
    "bare CR": (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: a\rb\r\n\r\n", 400),
    "NUL": (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: a\0b\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\nx: y\r\n\r\n", 400),
    "odd host": (b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", 400),
    "folded field": (b"GET / HTTP/1.1\r\n" + HOST + b"x: a\r\n b\r\n\r\n", 400),
    "folded first field": (b"GET / HTTP/1.1\r\n x: a\r\n" + HOST + b"\r\n", 400),
    "blank before the colon": (b"GET / HTTP/1.1\r\n" + HOST + b"x : y\r\n\r\n", 400),
    "field without a name": (b"GET / HTTP/1.1\r\n" + HOST + b": y\r\n\r\n", 400),
    "field without a colon": (b"GET / HTTP/1.1\r\n" + HOST + b"xy\r\n\r\n", 400),
    "two blanks": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "absolute target of another host": (b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "absolute target with a user": (b"GET http://me@localhost/ HTTP/1.1\r\nhost: me@localhost\r\n\r\n", 400),
    "absolute target without a host": (b"GET http:///x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "absolute target without a path": (b"GET http://localhost HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "absolute target of another scheme": (b"GET ftp://localhost/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "authority as target": (b"GET localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "asterisk as target": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "empty target": (b"GET  HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "fragment": (b"GET /#x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "CONNECT": (b"CONNECT localhost:1 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 505),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "lower-case version": (b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
    "unknown expectation": (b"POST / HTTP/1.1\r\n" + HOST + b"expect: 200-maybe\r\ncontent-length: 1\r\n\r\n", 417),
    "too many fields": (b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"x%d: y\r\n" % i for i in range(80)) + b"\r\n", 431),
    "too long a head": (b"GET / HTTP/1.1\r\n" + HOST + b"x: " + b"y" * 17000 + b"\r\n\r\n", 431),
    "too long a line": (b"GET /" + b"y" * 17000, 431),
}

# Chunk framing: told, then the connection ends; nothing behind it is answered.
CHUNKS = {
    "bare LF after a size": b"1\nx\r\n0\r\n\r\n",
    "extension": b"1;a=b\r\nx\r\n0\r\n\r\n",
    "blank after a size": b"1 \r\nx\r\n0\r\n\r\n",
    "size too long": b"000000001\r\nx\r\n0\r\n\r\n",
    "no digits": b"\r\nx\r\n0\r\n\r\n",
    "signed size": b"+1\r\nx\r\n0\r\n\r\n",
    "chunk longer than its size": b"1\r\nxy\r\n0\r\n\r\n",
    "bare LF after data": b"1\r\nx\n0\r\n\r\n",
    "trailers": b"1\r\nx\r\n0\r\nhost: evil\r\n\r\n",
}

SECOND = b"GET /second HTTP/1.1\r\n" + HOST + b"\r\n"


def t_refused(server, kind, check):
    for name, (request, want) in REFUSED.items():
        c = H1(server, kind)
        c.send(request + SECOND)
        first = c.answer()
        check(name, first and first[0] == want and "close" in first[1].get("connection", ""), first)
        check(name + ": nothing behind it", c.answer() is None, "")
        c.close()
    for name, body in CHUNKS.items():
        c = H1(server, kind)
        c.send(b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n" + body + SECOND)
        first = c.answer()
        check("chunks: " + name, first and first[0] == 400 and first[1].get("connection") == "close", first)
        check("chunks: " + name + ": nothing behind it", c.answer() is None, "")
        c.close()


def t_good(server, kind, check):
    c = H1(server, kind)
    c.send(b"POST /x?y HTTP/1.1\r\nHost: LocalHost\r\nContent-Length: 5\r\n\r\nhello" + SECOND)
    first, second = c.answer(), c.answer()
    check("two in a row, one with a body", first and first[2] == b"hello" and second and second[2] == b"", (first, second))
    c.send(b"\r\nPOST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: Chunked\r\n\r\n")
    for byte in b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n":
        c.send(bytes([byte]))
    first = c.answer()
    check("chunks byte by byte", first and first[2] == b"abc0123456789", first)
    c.send(b"POST / HTTP/1.1\r\n" + HOST + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n")
    first = c.answer()
    c.send(b"ok")
    check("100-continue", first and first[0] == 100 and c.answer()[2] == b"ok", first)
    c.send(b"HEAD /stats HTTP/1.1\r\n" + HOST + b"\r\n")
    head = c.raw(b"\r\n\r\n")
    check("HEAD has a length and no body", b"content-length: " in head and head.endswith(b"\r\n\r\n"), head)
    date = re.search(rb"\r\ndate: (\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT)\r\n", head)
    check("Date", date and abs(email.utils.parsedate_to_datetime(date[1].decode()).timestamp() - time.time()) < 30, head)
    c.send(b"GET /empty HTTP/1.1\r\n" + HOST + b"\r\n")
    first = c.answer()
    check("204 has no length", first and first[0] == 204 and "content-length" not in first[1], first)
    c.send(b"GET / HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n" + SECOND)
    first = c.answer()
    check("close is kept", first and first[0] == 200 and c.answer() is None, first)
    c = H1(server, kind)
    c.send(b"GET / HTTP/1.0\r\n" + HOST + b"\r\n")
    check("HTTP/1.0 closes", c.answer()[0] == 200 and c.closed(), "")
    c = H1(server, kind)
    c.send(SECOND * 50)
    check("fifty at once", all(c.answer()[0] == 200 for _ in range(50)), "")


def t_absolute(server, kind, check):
    """RFC 9112 3.2.2: accepted, and its host is the one that counts."""
    for target, host in ((b"http://localhost/x", b"localhost"), (b"HTTPS://LocalHost:1/x?y", b"localhost:1"),
                         (b"http://[::1]:9/x", b"[::1]:9")):
        c = H1(server, kind)
        c.send(b"POST " + target + b" HTTP/1.1\r\nhost: " + host + b"\r\ncontent-length: 2\r\n\r\nok")
        seen = c.answer()
        check("absolute target " + target.decode(), seen and seen[0] == 200 and seen[2] == b"ok", seen)
        c.close()
    c = H1(server, kind)
    c.send(b"GET http://evil.example/x HTTP/1.1\r\nhost: evil.example\r\n\r\n")
    seen = c.answer()
    check("its host is checked", seen and seen[0] == (421 if kind == "plain" else 200), seen)
    c.close()


def t_streams(server, kind, check):
    c = H1(server, kind)
    c.send(b"GET /sse HTTP/1.1\r\n" + HOST + b"\r\n")
    got = c.raw(b"data: hello\n\n\r\n")
    check("events stream in chunks", b"transfer-encoding: chunked" in got and got.endswith(b"d\r\ndata: hello\n\n\r\n"), got)
    before = server.stats()["http"]
    c.close()
    check("the door hears that the peer left", server.settle("http", before - 1) == before - 1, server.stats())


def t_flow(server, kind, check):
    c = H1(server, kind)
    body = bytes(range(256)) * 2000
    c.send(b"POST /pause HTTP/1.1\r\n" + HOST + b"content-length: %d\r\n\r\n" % len(body) + body)
    seen = c.answer()
    check("a paused upload", seen and seen[2] == body, seen and len(seen[2]))
    c.send(b"GET /big HTTP/1.0\r\n" + HOST + b"\r\n")
    before = server.rss_kib()
    total = 0
    while True:
        got = c.s.recv(1 << 20)
        if not got:
            break
        total += len(got)
        if total % 7 == 0:
            time.sleep(0.001)
    check("32 MiB as they drain", total > 32 << 20 and (server.sanitized() or server.rss_kib() - before < 16 << 10), (total, server.rss_kib() - before))


def t_secret(server, kind, check):
    clear = os.urandom(48)
    masked = bytes(b ^ 0x5a for b in clear)
    c = H1(server, kind)
    c.send(b"POST /secret HTTP/1.1\r\n" + HOST + b"content-length: 48\r\n\r\n" + clear)
    seen = c.answer()
    check("a secret arrives", seen and seen[2] == masked, seen)
    check("and is wiped", server.forgets(masked), server.memory_holds(masked))


def t_host(server, kind, check):
    for host, local in ((b"evil.example", False), (b"127.0.0.1:1", True), (b"[::1]", True), (b"localhost.evil", False),
                        (b"LOCALHOST", True), (b"localhost:x", False)):
        c = H1(server, kind)
        c.send(b"GET / HTTP/1.1\r\nhost: " + host + b"\r\n\r\n")
        want = 421 if kind == "plain" and not local else 200
        seen = c.answer()
        check("host " + host.decode(), seen and seen[0] == want, seen)
        c.close()


def t_grpc(server, kind, check):
    c = H1(server, kind)
    c.send(b"POST /qmesh.test.Echo/Unary HTTP/1.1\r\n" + HOST + b"content-type: application/grpc\r\ncontent-length: 0\r\n\r\n")
    check("gRPC needs HTTP/2", c.answer()[0] == 505, "")


def t_no_upgrade(server, kind, check):
    c = H1(server, kind)
    c.send(b"GET / HTTP/1.1\r\n" + HOST + b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAA\r\n\r\n")
    check("no h2c upgrade", c.answer()[0] == 200, "")


def t_slow(server, kind, check):
    """Dripping heads do not keep neighbours out; the connection ends (10 s)."""
    held = [H1(server, kind) for _ in range(50)]
    for c in held:
        c.send(b"GET / HTTP/1.1\r\nhost: local")
    seen = H2(server, kind).call("Unary", message(n=1))
    check("neighbour of slow heads", status_of(seen) == 0, seen)
    return held


def main():
    report = Report()
    with Server() as server:
        slow = []
        for kind in KINDS:
            for name, test in list(globals().items()):
                if name.startswith("t_") and (len(sys.argv) < 2 or name in sys.argv[1:]):
                    slow += test(server, kind, lambda what, ok, seen="", kind=kind:
                                 report.check(kind + ": " + what, ok, seen)) or []
                    if not server.alive():
                        report.check("%s: the server stands after %s" % (kind, name), False, server.said())
                        return report.end()
        end = time.time() + 60
        report.check("slow heads are cut", all(c.closed(max(0.1, end - time.time())) for c in slow), "")
        status, said = server.stop()
        report.check("ends clean", status == 0, (status, said[-2000:]))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
