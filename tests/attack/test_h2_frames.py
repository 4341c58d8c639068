#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by the frame: windows, resets, splits, errors; each over every kind of listener."""
import os
import struct
import sys
import time

from wire import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HAS_PRIORITY, HEADERS, KINDS, PADDED, PING,
                  PRIORITY, RST, SETTINGS, WINDOW, Report, Server, echo, ended, frame, goaways, head, literal,
                  message, status_of)

WIDE = struct.pack(">HI", 4, 0x7fffffff)
WIDE_CONN = frame(WINDOW, 0, 0, struct.pack(">I", 0x7fff0000))


def body_len(frames):
    return sum(len(f[3]) for f in frames if f[0] == DATA)


def t_unary(s, kind, check):
    c = H2(s, kind)
    seen = c.call("Unary", message(n=3))
    check("unary", status_of(seen) == 0 and any(f[0] == DATA and f[3] == message(n=3) for f in seen), seen)
    seen = c.call("Fail", message(n=1, text=b"x"), 3)
    check("trailers-only error", status_of(seen) == 3 and body_len(seen) == 0, seen)
    seen = c.call("Nope", message(), 5)
    check("unknown method", status_of(seen) == 12, seen)


def t_window(s, kind, check):
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, echo("ServerStream")),
           frame(DATA, END_STREAM, 1, message(n=1, size=4 << 20)))
    window, total, ok, last = 65535, 0, True, None
    while True:
        f = c.read()
        if f is None or f[0] in ("eof", "reset"):
            break
        if f[0] == DATA:
            total += len(f[3])
            window -= len(f[3])
            ok = ok and window >= 0
            if window < 32768:
                c.send(frame(WINDOW, 0, 0, struct.pack(">I", 65535)), frame(WINDOW, 0, 1, struct.pack(">I", 65535)))
                window += 65535
        last = f
        if ended(f):
            break
    check("4 MiB through strict windows", ok and total > 4 << 20 and last[0] == HEADERS, (total, last))


def t_stall(s, kind, check):
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, echo("ServerStream")),
           frame(DATA, END_STREAM, 1, message(n=1, size=200000)))
    seen = c.take(65535)
    check("stalls at the window", body_len(seen) == 65535 and not any(ended(f) for f in seen), body_len(seen))
    c.send(frame(WINDOW, 0, 0, struct.pack(">I", 1 << 20)), frame(WINDOW, 0, 1, struct.pack(">I", 1 << 20)))
    seen = c.until(ended)
    check("goes on and ends", status_of(seen) == 0, seen[-1:])
    c.send(frame(HEADERS, END_HEADERS, 3, echo("ServerStream")),
           frame(DATA, END_STREAM, 3, message(n=1, size=5 << 20)))
    c.until(lambda f: False, 0.3)
    c.send(frame(RST, 0, 3, struct.pack(">I", 8)))
    started = s.stats()["started"]
    check("RST while blocked", s.settle("ended", started) == started, s.stats())


def t_exact(s, kind, check):
    c = H2(s, kind)
    size = 65535 - 5 - 1 - 3 - 2
    c.send(frame(HEADERS, END_HEADERS, 1, echo("ServerStream")),
           frame(DATA, END_STREAM, 1, message(n=1, size=size + 2)))
    seen = c.until(ended)
    check("a message that fills the window: trailers come", body_len(seen) == 65535 and status_of(seen) == 0,
          (body_len(seen), seen[-1:]))
    c = H2(s, kind, struct.pack(">HI", 4, 0))
    seen = c.call("Fail", message(n=1, text=b"x"))
    check("window 0: an error passes", status_of(seen) == 3, seen)
    c.send(frame(HEADERS, END_HEADERS, 3, echo("ServerStream")),
           frame(DATA, END_STREAM, 3, message(n=9, ms=5, size=10)))
    seen = c.until(lambda f: f[0] == DATA, 0.4)
    c.send(frame(WINDOW, 0, 3, struct.pack(">I", 100)))
    more = c.take(100)
    check("window 0, then 100 bytes", body_len(seen) == 0 and body_len(more) == 100, body_len(more))


def t_early_end(s, kind, check):
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, echo("Nope")))
    seen = c.until(lambda f: f[0] == RST)
    check("server ends first: trailers, RST(NO_ERROR)", [f[0] for f in seen if f[2] == 1] == [HEADERS, RST] and
          seen[-1][3] == bytes(4), seen)
    for _ in range(20):
        c.send(frame(DATA, 0, 1, bytes(16000)))
    seen = c.call("Unary", message(n=1), 3)
    check("late DATA absorbed", status_of(seen) == 0 and not goaways(seen), seen)


def t_bad_heads(s, kind, check):
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, echo("Unary", extra=literal("a b", "x"))), frame(DATA, END_STREAM, 1, b"x"))
    seen = c.call("Unary", message(n=1), 3)
    check("invalid header name: connection lives", any(ended(f, 3) for f in seen), seen)
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, head("/a b", method="GET")))
    seen = c.until(ended)
    check("blank in the path", b"400" in seen[-2][3] or seen[-2][3][0] == 0x8c, seen)
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS, 2, echo("Unary")))
    check("even stream id", goaways(c.until(lambda f: f[0] == GOAWAY))[:1] != [], "")
    c = H2(s, kind)
    c.send(frame(DATA, 0, 7, b"x"))
    check("DATA on an idle stream", goaways(c.until(lambda f: f[0] == GOAWAY))[:1] == [(1, "invalid DATA frame")], "")


def t_split(s, kind, check):
    c = H2(s, kind)
    block = echo("Unary")
    m = message(n=300)
    c.send(frame(HEADERS, 0, 1, block[:20]), frame(CONTINUATION, 0, 1, block[20:40]),
           frame(CONTINUATION, END_HEADERS, 1, block[40:]))
    for byte in frame(DATA, 0, 1, m[:3]) + frame(DATA, PADDED, 1, b"\x04" + m[3:] + bytes(4)) + frame(DATA, END_STREAM, 1):
        c.send(bytes([byte]))
    seen = c.until(ended)
    check("CONTINUATION, padding, byte by byte", status_of(seen) == 0 and any(f[3] == m for f in seen), seen)


def t_messages(s, kind, check):
    c = H2(s, kind)
    seen = c.call("Unary", message(n=300)[:4], 1)
    check("cut message", status_of(seen) == 13, seen)
    seen = c.call("Unary", b"\0\x7f\xff\xff\xff", 3)
    check("2 GiB announced", status_of(seen) == 8, seen)
    seen = c.call("Unary", b"\1\0\0\0\1x", 5)
    check("compressed flag without encoding", status_of(seen) == 13, seen)
    seen = c.call("Unary", b"\0\0\0\0\1\xff", 7)
    check("no protobuf", status_of(seen) == 13, seen)
    seen = c.call("Unary", message(n=1) + message(n=2), 9)
    check("two messages", status_of(seen) == 12, seen)
    seen = c.call("Unary", b"", 11)
    check("no message", status_of(seen) == 12, seen)
    for stream, extra, want in ((13, literal("grpc-encoding", "foo"), 12), (15, literal("grpc-timeout", "x"), 13)):
        c.send(frame(HEADERS, END_HEADERS, stream, echo("Unary", extra=extra)), frame(DATA, END_STREAM, stream, message()))
        seen = c.until(lambda f: ended(f, stream))
        check("head ends it with %d" % want, status_of(seen) == want, seen)
        check("and says what is spoken", any(b"grpc-accept-encoding" in f[3] for f in seen), seen)
    c.send(frame(HEADERS, END_HEADERS, 17, echo("Unary", extra=literal("content-length", "99"))),
           frame(DATA, END_STREAM, 17, message()))
    seen = c.until(lambda f: ended(f, 17))
    check("content-length that lies", seen[-1][0] == RST and seen[-1][3][3] == 1, seen)
    c.send(frame(HEADERS, END_HEADERS | END_STREAM, 19, head("/qmesh.test.Echo/Unary", "application/grpc+foo")))
    seen = c.until(lambda f: ended(f, 19))
    check("unknown codec: 415", b"415" in seen[0][3], seen)
    for stream, text in ((21, b"\xff"), (23, b"a\0b"), (25, b"\xed\xa0\x80")):
        body = b"\x2a" + bytes([len(text)]) + text
        seen = c.call("Unary", bytes(4) + bytes([len(body)]) + body, stream)
        check("a string that is none: %r" % text, status_of(seen) == 13, seen)


def t_flow_control(s, kind, check):
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, echo("Unary")))
    for _ in range(70):
        c.send(frame(DATA, 0, 1, bytes(16000)))
    seen = c.until(lambda f: f[0] in (RST, 7))
    check("window overrun or limit ends it", seen and (seen[-1][0] in (RST, 7) or status_of(seen) is not None), seen[-1:])


def t_paused(s, kind, check):
    c = H2(s, kind)
    body = bytes(range(256)) * 4000
    c.send(frame(HEADERS, END_HEADERS, 1, head("/pause", "text/plain")))
    at, got = 0, b""
    c.send(frame(WINDOW, 0, 0, struct.pack(">I", 1 << 24)), frame(WINDOW, 0, 1, struct.pack(">I", 1 << 24)))
    limits = [65535, 65535]  # the connection's, the stream's; SETTINGS raises the latter
    end = time.time() + 20
    while time.time() < end:
        while at < len(body) and min(limits) >= 16000:
            c.send(frame(DATA, END_STREAM if at + 16000 >= len(body) else 0, 1, body[at:at + 16000]))
            at += 16000
            limits = [v - 16000 for v in limits]
        f = c.read()
        if f is None or f[0] in ("eof", "reset"):
            break
        if f[0] == WINDOW:
            limits[1 if f[2] else 0] += int.from_bytes(f[3], "big")
        if f[0] == SETTINGS and not f[1]:
            limits[1] += 256 * 1024 - 65535
        if f[0] == DATA:
            got += f[3]
        if ended(f, 1):
            break
    check("a paused upload within its windows", got == body, (at, len(got), limits))


def t_big(s, kind, check):
    c = H2(s, kind, WIDE)
    c.send(WIDE_CONN, frame(HEADERS, END_HEADERS | END_STREAM, 1, head("/big", "text/plain", method="GET")))
    before = s.rss_kib()
    seen = c.until(ended, 20)
    check("32 MiB as they drain", body_len(seen) == 32 << 20 and (s.sanitized() or s.rss_kib() - before < 16 << 10),
          (body_len(seen), s.rss_kib() - before))


def t_secret(s, kind, check):
    clear = os.urandom(48)
    masked = bytes(b ^ 0x5a for b in clear)
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, head("/secret", "text/plain")), frame(DATA, END_STREAM, 1, clear))
    seen = c.until(ended)
    check("a secret arrives", any(f[3] == masked for f in seen if f[0] == DATA), seen)
    check("and is wiped", s.forgets(masked), s.memory_holds(masked))


def t_lost(s, kind, check):
    before = s.stats()
    for _ in range(5):
        c = H2(s, kind)
        c.send(*[frame(HEADERS, END_HEADERS, 2 * j + 1, echo("ServerStream")) +
                 frame(DATA, END_STREAM, 2 * j + 1, message(n=1000, ms=10, size=5000)) for j in range(50)])
        c.read()
        c.close()
    s.settle("ended", before["started"] + 250)
    after = s.stats()
    check("connection lost under 50 streams", after["ended"] == after["started"] == before["started"] + 250, after)


def t_full_socket(s, kind, check):
    c = H2(s, kind, WIDE)
    c.send(WIDE_CONN)
    c.send(*[frame(HEADERS, END_HEADERS, 2 * j + 1, echo("ServerStream")) +
             frame(DATA, END_STREAM, 2 * j + 1, message(n=1000, size=100000)) for j in range(20)])
    time.sleep(0.3)
    for j in range(10):
        c.send(frame(RST, 0, 2 * j + 1, struct.pack(">I", 8)))
    time.sleep(0.2)
    c.close()
    st = s.stats()
    check("RST with a write in flight, then close", s.settle("ended", st["started"]) == st["started"], s.stats())


def t_trailers(s, kind, check):
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, echo("Unary")), frame(DATA, 0, 1, message(n=3)),
           frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40\x01a\x01b"))
    seen = c.until(ended)
    check("request trailers end the request", status_of(seen) == 0, seen)
    c.send(frame(HEADERS, END_HEADERS, 3, echo("Unary", extra=b"\xbe")), frame(DATA, END_STREAM, 3, message(n=3)))
    seen = c.until(ended)
    check("and the compression state is kept", status_of(seen) == 0, seen)


def t_priority(s, kind, check):
    c = H2(s, kind)
    c.send(frame(PRIORITY, 0, 3, b"\0\0\0\1\x10"), frame(PRIORITY, 0, 1, b"\0\0\0\3\x10"))
    c.send(frame(HEADERS, END_HEADERS | HAS_PRIORITY, 1, b"\x80\0\0\3\x10" + echo("Unary")),
           frame(DATA, END_STREAM, 1, message(n=3)))
    seen = c.until(ended)
    check("priorities that depend on each other", status_of(seen) == 0, seen)
    for name, rest in (("HEADERS", [frame(HEADERS, END_HEADERS | HAS_PRIORITY, 1, b"\x80\0\0\1\x10" + echo("Unary"))]),
                       ("padded HEADERS", [frame(HEADERS, END_HEADERS | HAS_PRIORITY | PADDED, 1,
                                                 b"\2\0\0\0\1\x10" + echo("Unary") + b"\0\0")]),
                       ("PRIORITY", [frame(HEADERS, END_HEADERS, 1, echo("Unary")),
                                     frame(PRIORITY, 0, 1, b"\x80\0\0\1\x10")])):
        c = H2(s, kind)
        c.send(*rest)
        seen = c.until(lambda f: f[0] == GOAWAY)
        check("a stream that depends on itself, by " + name, [g[0] for g in goaways(seen)] == [1], seen)
        c.close()


def t_closed(s, kind, check):
    """What comes for a stream behind its sender's END_STREAM or RST_STREAM (RFC 9113 5.1)."""
    for name, first, answered in (("END_STREAM", [frame(DATA, END_STREAM, 1, message(n=3))], True),
                              ("RST_STREAM", [frame(RST, 0, 1, bytes(4))], False)):
        c = H2(s, kind)
        c.send(frame(HEADERS, END_HEADERS, 1, echo("Unary")), *first)
        if answered:
            c.until(ended)
        c.send(frame(DATA, 0, 1, b"x"))
        seen = c.until(lambda f: f[0] == RST)
        check("DATA behind " + name, [f[2:] for f in seen if f[0] == RST] == [(1, bytes([0, 0, 0, 5]))], seen)
        check("DATA behind %s: the connection lives" % name, status_of(c.call("Unary", message(n=1), 3)) == 0)
        c.close()


def t_table(s, kind, check):
    for size in (0, 100):
        c = H2(s, kind, struct.pack(">HI", 1, size))
        seen = c.call("Unary", message(n=3))
        first = next(f for f in seen if f[0] == HEADERS)
        check("small header table is told first", first[3][0] & 0xe0 == 0x20 and status_of(seen) == 0, first)


def t_deadline(s, kind, check):
    c = H2(s, kind)
    for stream, name, timeout in ((1, "Slow", "100m"), (3, "Block", "100m"), (5, "Subscribe", "100m")):
        c.send(frame(HEADERS, END_HEADERS, stream, echo(name, extra=literal("grpc-timeout", timeout))),
               frame(DATA, END_STREAM, stream, message(ms=400)))
        seen = c.until(lambda f: ended(f, stream))
        check("deadline of " + name, status_of(seen) == 4, seen)


def t_host(s, kind, check):
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, echo("Unary", authority="evil.example")), frame(DATA, END_STREAM, 1, message()))
    seen = c.until(lambda f: ended(f, 1))
    check("a foreign host name", status_of(seen) == (3 if kind == "plain" else 0), seen)
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, head("/x", "text/plain", authority="evil.example")))
    seen = c.until(lambda f: ended(f, 1))
    refused = b"\x03421" in next(f for f in seen if f[0] == HEADERS)[3]
    check("a foreign host name without gRPC", refused == (kind == "plain"), seen)


def t_operator(s, kind, check):
    c = H2(s, kind)
    seen = c.call("Operate", message(n=1))
    want = 0 if kind == "unix" and os.getuid() == 0 else 7
    check("operators come by the socket", status_of(seen) == want, seen)


def t_pings(s, kind, check):
    c = H2(s, kind)
    c.send(frame(PING, 0, 0, b"12345678"))
    seen = c.until(lambda f: f[0] == PING)
    check("PING is answered", seen[-1][1] == 1 and seen[-1][3] == b"12345678", seen)
    c.send(frame(0x42, 7, 9, b"whatever"), frame(SETTINGS, 0, 0, struct.pack(">HI", 0x99, 5)))
    seen = c.call("Unary", message(n=1))
    check("unknown frames and settings are ignored", status_of(seen) == 0, seen)


def main():
    report = Report()
    with Server() as server:
        for kind in KINDS:
            for name, test in list(globals().items()):
                if name.startswith("t_") and (len(sys.argv) < 2 or name in sys.argv[1:]):
                    test(server, kind, lambda what, ok, seen="", kind=kind: report.check(kind + ": " + what, ok, seen))
                    if not server.alive():
                        report.check("%s: the server stands after %s" % (kind, name), False, server.said())
                        return report.end()
        status, said = server.stop()
        report.check("ends clean", status == 0, (status, said))
        report.check("says nothing on the way", "skipping" not in said and "rror" not in said.replace("errors", ""), said)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
