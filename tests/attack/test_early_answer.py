#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
An answer that is made before the request's body is there reaches the caller:
whole, then END_STREAM, then at most RST_STREAM(NO_ERROR), or PROTOCOL_ERROR when
more came than was announced; over HTTP/1.1 the connection stays readable until the
caller has sent what he had on its way.
"""
import struct
import sys
import threading
import time

from wire import (DATA, END_HEADERS, END_STREAM, H1, H2, HEADERS, KINDS, RST, WINDOW, Report, Server, ended, frame,
                  goaways, head, literal, message, status_of)

TOO_LARGE = b"\0" + struct.pack(">I", 6 << 20)  # an envelope that no method takes
PIECE = 16000
NEAR, FAR = 10 * PIECE, 6 << 20
WEB, GRPC = "application/grpc-web+proto", "application/grpc"


def pieces(total, first=TOO_LARGE):
    body = first + bytes(PIECE - len(first))
    sent = 0
    while sent < total:
        yield body[:min(PIECE, total - sent)]
        sent += min(PIECE, total - sent)
        body = bytes(PIECE)


def overruns(kind, length, way):
    """More than announced, of an answer whose end waits for the rest; gRPC's is one block, and out at once."""
    return kind == WEB and length == NEAR and way is too_much


def answer_of(frames, stream, code=0):
    """What came on the stream: (status in trailers or body, whether it ended well)."""
    mine = [f for f in frames if f[0] not in ("eof", "reset") and f[2] == stream]
    body = b"".join(f[3] for f in mine if f[0] == DATA)
    end = [i for i, f in enumerate(mine) if f[0] in (HEADERS, DATA) and f[1] & END_STREAM]
    resets = [(i, int.from_bytes(f[3], "big")) for i, f in enumerate(mine) if f[0] == RST]
    status = status_of(mine)
    if status is None and b"grpc-status: " in body:
        status = int(body.split(b"grpc-status: ")[1].split(b"\r\n")[0])
    well = len(end) == 1 and all(at > end[0] and told == code for at, told in resets)
    well = well and (code == 0 or len(resets) == 1)
    return status, well


def begin(c, stream, kind, length, path="/qmesh.test.Echo/Unary"):
    extra = literal("content-length", str(length)) if length else b""
    return frame(HEADERS, END_HEADERS, stream, head(path, kind, extra=extra))


# How the caller goes on after the first piece; the answer may come at any point of it.
def on_last(stream, rest):
    return [frame(DATA, END_STREAM if i + 1 == len(rest) else 0, stream, p) for i, p in enumerate(rest)]


def own_frame(stream, rest):
    return [frame(DATA, 0, stream, p) for p in rest] + [frame(DATA, END_STREAM, stream)]


def stops(stream, rest):
    return [frame(DATA, END_STREAM, stream)]


def half_then_stops(stream, rest):
    return [frame(DATA, 0, stream, p) for p in rest[:len(rest) // 2]] + [frame(DATA, END_STREAM, stream)]


def by_trailers(stream, rest):
    return [frame(HEADERS, END_HEADERS | END_STREAM, stream, literal("a", "b"))]


def too_much(stream, rest):
    return [frame(DATA, 0, stream, p) for p in rest] + [frame(DATA, END_STREAM, stream, b"more")]


WAYS = (on_last, own_frame, stops, half_then_stops, by_trailers, too_much)


def one(s, transport, kind, length, way, when, check):
    what = "%s, length %s, %s, %s" % (kind, length, way.__name__, when)
    all_of_it = list(pieces(length if length == NEAR else 12 * PIECE))
    c = H2(s, transport)
    opening = [begin(c, 1, kind, length), frame(DATA, 0, 1, all_of_it[0])]
    rest = way(1, all_of_it[1:])
    if when == "at once":
        c.send(*opening, *rest)
        seen = c.until(lambda f: ended(f, 1))
    elif when == "seen":  # the caller has the head of the answer when he goes on
        c.send(*opening)
        seen = c.until(lambda f: f[0] == HEADERS and f[2] == 1)
        c.send(*rest)
        if not any(ended(f, 1) for f in seen):
            seen += c.until(lambda f: ended(f, 1))
    else:  # before: refused by its head alone
        c.send(begin(c, 1, kind, length, "/qmesh.test.Echo/Nope"))
        seen = c.until(lambda f: f[0] == HEADERS and f[2] == 1)
        c.send(opening[1], *rest)
        if not any(ended(f, 1) for f in seen):
            seen += c.until(lambda f: ended(f, 1))
    after = c.call("Unary", message(n=1), 3)
    status, well = answer_of(seen + after, 1, 1 if overruns(kind, length, way) else 0)
    check(what, status == (12 if when == "before" else 8) and well, seen)
    check(what + ": the next call", status_of([f for f in after if f[2] == 3]) == 0 and not goaways(after), after)
    c.close()


def t_http2(s, transport, check):
    for kind in (WEB, GRPC):
        for length in (None, NEAR, FAR):
            for way in WAYS:
                for when in ("at once", "seen", "before"):
                    if when == "at once" and way in (stops, half_then_stops, by_trailers, too_much) and length:
                        continue  # who lies about a length before any answer gets none
                    one(s, transport, kind, length, way, when, check)


def t_blocked(s, transport, check):
    """The caller's window is shut while he ends his request early: the answer comes when it opens."""
    for kind in (WEB, GRPC):
        for length in (None, NEAR, FAR):
            for way in WAYS:
                c = H2(s, transport, struct.pack(">HI", 4, 0))
                all_of_it = list(pieces(length if length == NEAR else 12 * PIECE))
                c.send(begin(c, 1, kind, length), frame(DATA, 0, 1, all_of_it[0]))
                seen = c.until(lambda f: f[0] == HEADERS and f[2] == 1)
                c.send(*way(1, all_of_it[1:]))
                if not any(ended(f, 1) for f in seen):
                    c.send(frame(WINDOW, 0, 1, struct.pack(">I", 65535)))
                    seen += c.until(lambda f: ended(f, 1))
                if overruns(kind, length, way) and seen[-1][0] != RST:
                    seen += c.until(lambda f: f[0] == RST)
                status, well = answer_of(seen, 1, 1 if overruns(kind, length, way) else 0)
                check("window shut: %s, length %s, %s" % (kind, length, way.__name__), status == 8 and well, seen)
                c.close()


def t_liars(s, transport, check):
    """Who was not answered may not lie about the length of his body."""
    for name, rest in (("short", [frame(DATA, END_STREAM, 1)]), ("long", [frame(DATA, 0, 1, bytes(PIECE))] * 2),
                       ("short by trailers", [frame(HEADERS, END_HEADERS | END_STREAM, 1, literal("a", "b"))])):
        c = H2(s, transport)
        c.send(begin(c, 1, GRPC, PIECE), frame(DATA, 0, 1, message(data=bytes(PIECE + 100))[:PIECE // 2]), *rest)
        seen = c.until(lambda f: ended(f, 1))
        check("a body that is too " + name, seen[-1][0] == RST and seen[-1][3] == bytes([0, 0, 0, 1]), seen)
        c.close()


def t_http1(s, transport, check):
    """The upload goes on for a while after the refusal, slowly or in one rush; the answer is not lost."""
    def upload(name, framing, total, step, rest_s):
        c = H1(s, transport)
        c.send(b"POST /qmesh.test.Echo/Unary HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc-web+proto\r\n" +
               framing + b"\r\n")
        chunked = b"chunked" in framing
        sent, first, broke = 0, TOO_LARGE, None
        try:
            while sent < total:
                data = first + bytes(step - len(first))
                first = b""
                c.send(b"%x\r\n" % len(data) + data + b"\r\n" if chunked else data)
                sent += step
                time.sleep(rest_s)
        except OSError as e:
            broke = e
        seen = c.answer() if broke is None else None
        check("HTTP/1.1, %s: the answer arrives" % name, seen and seen[0] == 200 and
              seen[1].get("connection") == "close", (broke, sent, seen))
        c.close()

    length = b"content-length: %d\r\n" % FAR
    cases = [("a rush", length, FAR, 65536, 0), ("a rush in chunks", b"transfer-encoding: chunked\r\n", FAR, 65536, 0),
             ("slowly", length, 20 * 1000, 1000, 0.4), ("slowly in chunks", b"transfer-encoding: chunked\r\n", 20 * 1000, 1000, 0.4)]
    threads = [threading.Thread(target=upload, args=case) for case in cases]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def main():
    report = Report()
    tests = [(name, test) for name, test in globals().items()
             if name.startswith("t_") and (len(sys.argv) < 2 or name in sys.argv[1:])]
    with Server("--web", "") as server:
        def one_kind(kind):
            for name, test in tests:
                try:
                    test(server, kind, lambda what, ok, seen="": report.check(kind + ": " + what, ok, seen))
                except OSError as e:
                    report.check("%s: %s" % (kind, name), False, e)

        threads = [threading.Thread(target=one_kind, args=(kind,)) for kind in KINDS]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        report.check("the server stands", server.alive(), server.said())
        status, said = server.stop()
        report.check("ends clean", status == 0, (status, said[-2000:]))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
