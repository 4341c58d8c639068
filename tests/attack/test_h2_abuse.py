#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What one peer may cost: floods end in GOAWAY, neighbours are served, memory stays."""
import resource
import struct
import sys
import time

from wire import (CONTINUATION, DATA, END_HEADERS, END_STREAM, H2, HEADERS, KINDS, PING, PRIORITY, RST, SETTINGS,
                  WINDOW, Report, Server, echo, frame, goaways, integer, literal, message, status_of)

ROUNDS = 20000


def flood(server, kind, make, first=b"", count=ROUNDS, batch=50):
    """Sends until the server ends it; (GOAWAYs, how it ended, rounds sent)."""
    c = H2(server, kind)
    sent = 0
    try:
        c.send(first)
        while sent < count:
            c.send(*[make(i) for i in range(sent, sent + batch)])
            sent += batch
    except OSError:
        pass
    seen = c.until(lambda f: False, 8)
    c.close()
    return goaways(seen), seen[-1][0] if seen else None, sent


def slow(i):
    return frame(HEADERS, END_HEADERS, 2 * i + 1, echo("Slow"))


FLOODS = {
    "rapid reset": (b"", lambda i: slow(i) + frame(RST, 0, 2 * i + 1, bytes([0, 0, 0, 8]))),
    "MadeYouReset by WINDOW_UPDATE 0": (b"", lambda i: slow(i) + frame(DATA, 0, 2 * i + 1, message(ms=5000)) +
                                        frame(WINDOW, 0, 2 * i + 1, bytes(4))),
    "MadeYouReset by DATA after END_STREAM": (b"", lambda i: frame(HEADERS, END_HEADERS, 2 * i + 1, echo("Slow")) +
                                              frame(DATA, END_STREAM, 2 * i + 1, message(ms=9999)) +
                                              frame(DATA, 0, 2 * i + 1, b"x")),
    "MadeYouReset by a window overflow": (b"", lambda i: slow(i) + frame(WINDOW, 0, 2 * i + 1, b"\x7f\xff\xff\xff")),
    "CONTINUATION": (frame(HEADERS, 0, 1, echo("Unary")), lambda i: frame(CONTINUATION, 0, 1, literal("a%d" % i, "b" * 100))),
    "empty CONTINUATION": (frame(HEADERS, 0, 1, echo("Unary")), lambda i: frame(CONTINUATION, 0, 1)),
    "PING": (b"", lambda i: frame(PING, 0, 0, b"12345678")),
    "SETTINGS": (b"", lambda i: frame(SETTINGS, 0, 0)),
    "PRIORITY": (b"", lambda i: frame(PRIORITY, 0, 2 * i + 1, b"\0\0\0\0\x10")),
    "WINDOW_UPDATE": (b"", lambda i: frame(WINDOW, 0, 0, b"\0\0\0\1")),
    "empty DATA": (frame(HEADERS, END_HEADERS, 1, echo("Unary")), lambda i: frame(DATA, 0, 1)),
    "unknown frames": (b"", lambda i: frame(0x55, 0, 0, b"x")),
    "DATA for streams that are over": (frame(HEADERS, END_HEADERS, 1, echo("Nope")), lambda i: frame(DATA, 0, 1, b"x")),
    "header fields": (b"", lambda i: frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, echo("Unary") + b"\x82" * 200)),
    "a header block over twice the limit": (b"", lambda i: frame(HEADERS, 0, 2 * i + 1,
                                                                 echo("Unary", extra=literal("a", "b" * 9000))) +
                                            frame(CONTINUATION, 0, 2 * i + 1, literal("a", "b" * 12000)) +
                                            frame(CONTINUATION, END_HEADERS, 2 * i + 1, literal("a", "b" * 12000))),
}


def t_floods(server, kind, check):
    for name, (first, make) in FLOODS.items():
        told, end, sent = flood(server, kind, make, first)
        # A reset may eat the GOAWAY on its way; that the connection is gone is what counts.
        check(name, end in ("eof", "reset") and all(code == 11 for code, _ in told), (told, end, sent))


def t_storms(server, kind, check):
    """Who leaves a page gives up all that it asked for; who works gives up a call now and then."""
    c, stream = H2(server, kind), 1
    gave_up = lambda n: frame(RST, 0, n, bytes([0, 0, 0, 8]))  # noqa: E731
    for _ in range(5):
        ids = range(stream, stream + 200, 2)
        c.send(*[frame(HEADERS, END_HEADERS, i, echo("Subscribe")) + frame(DATA, END_STREAM, i, message(n=1)) for i in ids])
        c.send(*[gave_up(i) for i in ids])
        stream += 200
    seen = c.call("Unary", message(n=1), stream)
    check("a page that is left", status_of(seen) == 0, seen[-3:])
    answered = 0
    try:
        while answered < 700:
            stream += 4
            c.send(frame(HEADERS, END_HEADERS, stream - 2, echo("Subscribe")), gave_up(stream - 2))
            if status_of(c.call("Unary", message(n=1), stream)) != 0:
                break
            answered += 1
    except OSError:
        pass
    check("an answer earns a reset", answered == 700, answered)
    c.close()


def t_last_words(server, kind, check):
    """Behind answers that are not read yet, and before frames that nobody reads: GOAWAY arrives."""
    c = H2(server, kind, struct.pack(">HI", 4, 1 << 24), receive_buffer=4096)
    c.send(frame(WINDOW, 0, 0, struct.pack(">I", 1 << 24)), frame(HEADERS, END_HEADERS, 1, echo("ServerStream")),
           frame(DATA, END_STREAM, 1, message(n=500, size=10000)))
    c.until(lambda f: f[0] == DATA)
    try:
        c.send(*[frame(SETTINGS, 0, 0) for _ in range(10000)])
    except OSError:
        pass
    seen = c.until(lambda f: False)
    c.close()
    told = goaways(seen)
    check("the last words", [code for code, _ in told] == [11] and seen[-1] == ("eof",), (told, seen[-1]))


def t_bomb(server, kind, check):
    """One 4 KiB value in the table, then a byte per copy of it."""
    before = server.rss_kib()
    c = H2(server, kind)
    value = b"x" * 3900
    fat = b"\x40" + integer(0, 7, 1) + b"a" + integer(0, 7, len(value)) + value
    try:
        for i in range(200):
            c.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, echo("Unary") + (fat if i == 0 else b"") + b"\xbe" * 57))
    except OSError:
        pass
    c.until(lambda f: False, 0.5)
    c.close()
    grown = server.rss_kib() - before
    check("header bomb stays small", grown < 64 << 10 or server.sanitized(), "%d KiB" % grown)


def t_zero_window(server, kind, check):
    """Answers that nobody takes are bounded; the neighbour does not notice."""
    held = []
    for _ in range(5):
        c = H2(server, kind, struct.pack(">HI", 4, 0))
        c.send(*[frame(HEADERS, END_HEADERS, 2 * j + 1, echo("ServerStream")) +
                 frame(DATA, END_STREAM, 2 * j + 1, message(n=5, size=10000)) for j in range(100)])
        held.append(c)
    seen = H2(server, kind).call("Unary", message(n=1))
    check("neighbour of zero windows", status_of(seen) == 0, seen)
    for c in held:
        c.close()
    st = server.stats()
    check("held answers are let go", server.settle("ended", st["started"]) == st["started"], server.stats())


def t_too_many_streams(server, kind, check):
    c = H2(server, kind)
    c.send(*[frame(HEADERS, END_HEADERS, 2 * j + 1, echo("Subscribe")) + frame(DATA, END_STREAM, 2 * j + 1, message(n=1))
             for j in range(130)])
    refused = []
    while len(refused) < 25:
        seen = c.until(lambda f: f[0] == RST)
        if not seen or seen[-1][0] != RST:
            break
        refused += [f for f in seen if f[0] == RST and f[3] == bytes([0, 0, 0, 7])]
    refused += [f for f in c.until(lambda f: False, 0.5) if f[0] == RST]
    check("streams over the limit are refused", len(refused) in range(25, 31), len(refused))
    c.close()
    st = server.stats()
    check("and the others let go", server.settle("ended", st["started"]) == st["started"], server.stats())


def t_connections(server, kind, check):
    """One address holds so many connections and no more; another is served."""
    if kind == "tls":
        return
    held, refused = [], 0
    for _ in range(1100):
        s = server.socket(kind)
        held.append(s)
    for s in held[-20:]:
        s.settimeout(20)
        try:
            s.sendall(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n")
            refused += 1 if not s.recv(100) else 0
        except OSError:
            refused += 1
    check("connections of one address", refused == 20, refused)
    other = "unix" if kind == "plain" else "plain"
    seen = H2(server, other).call("Unary", message(n=1))
    check("another address is served", status_of(seen) == 0, seen)
    for s in held:
        s.close()
    check("they are let go", server.settle("qmesh_connections", 1) <= 2, server.stats())


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    report = Report()
    with Server() as server:
        for kind in KINDS:
            for name, test in list(globals().items()):
                if not name.startswith("t_"):
                    continue
                test(server, kind, lambda what, ok, seen="", kind=kind: report.check(kind + ": " + what, ok, seen))
                if not server.alive():
                    report.check("%s: the server stands after %s" % (kind, name), False, server.said())
                    return report.end()
                start = time.time()
                seen = H2(server, kind).call("Unary", message(n=1))
                report.check("%s: served after %s" % (kind, name), status_of(seen) == 0 and time.time() - start < 5, seen)
        report.check("log stays short", len(server.said()) < 4096, len(server.said()))
        status, said = server.stop()
        report.check("ends clean", status == 0, (status, said[-2000:]))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
