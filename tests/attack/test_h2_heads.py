#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
HTTP/2 request heads, rule by rule (RFC 9113 8.2 and 8.3, gRFC A41): what could be
read in two ways is refused, by 400 or PROTOCOL_ERROR, and reaches no handler.
"""
import sys

from wire import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HEADERS, KINDS, RST, SETTINGS, Report,
                  Server, ended, frame, goaways, literal, message, status_of)

METHOD, SCHEME, PATH, HOST = ((":method", "POST"), (":scheme", "http"), (":path", "/qmesh.test.Echo/Unary"),
                              (":authority", "localhost"))
REST = (("content-type", "application/grpc"), ("te", "trailers"))
GOOD = (METHOD, SCHEME, PATH, HOST) + REST


def without(field):
    return tuple(f for f in GOOD if f != field)


def instead(field, value):
    return tuple((f[0], value) if f == field else f for f in GOOD)


# Stays open: other streams are served on. Ends: GOAWAY(PROTOCOL_ERROR), which RFC 9113 5.4.1 allows.
HTTP_400, REFUSED = "400", "refused"

HEADS = {
    "two :authority": (GOOD[:4] + (HOST,) + REST, REFUSED),
    "two :authority that differ": (GOOD[:4] + ((":authority", "evil.example"),) + REST, REFUSED),
    "no :authority and no host": (without(HOST), HTTP_400),
    "no :authority, two hosts": (without(HOST) + (("host", "localhost"), ("host", "localhost")), HTTP_400),
    "two hosts beside :authority": (GOOD + (("host", "localhost"), ("host", "localhost")), HTTP_400),
    "a host that is not the :authority": (GOOD + (("host", "evil.example"),), HTTP_400),
    "an :authority with a path": (instead(HOST, "localhost/x"), HTTP_400),
    "an :authority with a user": (instead(HOST, "me@localhost"), HTTP_400),
    "an :authority with a blank": (instead(HOST, "local host"), HTTP_400),
    "an empty :authority": (instead(HOST, ""), HTTP_400),
    "connection": (GOOD + (("connection", "close"),), REFUSED),
    "connection: te": (GOOD + (("connection", "te"),), REFUSED),
    "keep-alive": (GOOD + (("keep-alive", "timeout=5"),), REFUSED),
    "proxy-connection": (GOOD + (("proxy-connection", "close"),), REFUSED),
    "transfer-encoding": (GOOD + (("transfer-encoding", "chunked"),), REFUSED),
    "upgrade": (GOOD + (("upgrade", "h2c"),), REFUSED),
    "te: gzip": (without(REST[1]) + (("te", "gzip"),), REFUSED),
    "te: trailers, gzip": (without(REST[1]) + (("te", "trailers, gzip"),), REFUSED),
    "an upper-case name": (GOOD + (("X-Big", "1"),), REFUSED),
    "a name with a blank": (GOOD + (("a b", "1"),), REFUSED),
    "a name with a colon": (GOOD + (("a:b", "1"),), REFUSED),
    "an empty name": (GOOD + (("", "1"),), REFUSED),
    "a value with a line end": (GOOD + (("x", "1\r\nhost: evil"),), REFUSED),
    "a value with NUL": (GOOD + (("x", "1\0"),), REFUSED),
    "a pseudo header after the others": ((METHOD, SCHEME, PATH) + REST + (HOST,), REFUSED),
    "an unknown pseudo header": ((METHOD, SCHEME, PATH, HOST, (":proto", "x")) + REST, REFUSED),
    ":status in a request": ((METHOD, SCHEME, PATH, HOST, (":status", "200")) + REST, REFUSED),
    ":protocol (RFC 8441)": ((METHOD, SCHEME, PATH, HOST, (":protocol", "websocket")) + REST, REFUSED),
    "no :method": (without(METHOD), REFUSED),
    "no :scheme": (without(SCHEME), REFUSED),
    "no :path": (without(PATH), REFUSED),
    "two :method": ((METHOD,) + GOOD, REFUSED),
    "two :path": ((PATH,) + GOOD, REFUSED),
    "two :scheme": ((SCHEME,) + GOOD, REFUSED),
    "an empty :path": (instead(PATH, ""), REFUSED),
    "a :path that is a URL": (instead(PATH, "http://localhost/qmesh.test.Echo/Unary"), HTTP_400),
    "a :path that is *": (instead(PATH, "*"), HTTP_400),
    "a :path with a blank": (instead(PATH, "/a b"), HTTP_400),
    "a :path with a fragment": (instead(PATH, "/qmesh.test.Echo/Unary#x"), HTTP_400),
    "an empty :method": (instead(METHOD, ""), REFUSED),
    "a :method with a blank": (instead(METHOD, "PO ST"), HTTP_400),
    "CONNECT": (instead(METHOD, "CONNECT"), REFUSED),
    # The engine keeps the last one, and the body must fit it: frames, not this, end a body.
    "two content-lengths": (GOOD + (("content-length", "7"), ("content-length", "6")), REFUSED),
    "a content-length that is none": (GOOD + (("content-length", "-1"),), REFUSED),
    "a content-length with a sign": (GOOD + (("content-length", "+7"),), REFUSED),
    "a list of content-lengths": (GOOD + (("content-length", "7, 7"),), REFUSED),
    "a content-length too large": (GOOD + (("content-length", "99999999999999999999"),), REFUSED),
}


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


def first_status(seen, stream):
    """HTTP status of an answer whose block has :status first, indexed or literal; None for none."""
    for f in seen:
        if f[0] == HEADERS and f[2] == stream:
            if f[3][0] & 0x80:
                return {8: 200, 9: 204, 11: 304, 12: 400, 13: 404, 14: 500}[f[3][0] & 0x7f]
            return int(f[3][2:5])
    return None


def verdict(seen, stream):
    if first_status(seen, stream) == 400:
        return HTTP_400
    if any(f[0] == RST and f[2] == stream and f[3][3] == 1 for f in seen):
        return REFUSED
    if goaways(seen) and goaways(seen)[0][0] in (1, 9):
        return REFUSED
    return "taken"


def t_heads(s, kind, check):
    for name, (fields, want) in HEADS.items():
        c = H2(s, kind)
        body = message(n=1)
        c.send(frame(HEADERS, END_HEADERS, 1, block(fields)), frame(DATA, END_STREAM, 1, body))
        seen = c.until(lambda f: ended(f, 1) or f[0] == GOAWAY)
        got = verdict(seen, 1)
        check(name, got in (want, HTTP_400), (got, seen))
        if got == HTTP_400:
            seen = c.call("Unary", body, 3)
            check(name + ": the connection lives", status_of([f for f in seen if f[2] == 3]) == 0, seen)
        c.close()


def t_good(s, kind, check):
    """What looks alike and is fine."""
    good = {
        "as it is": GOOD,
        "host in place of :authority": without(HOST) + (("host", "localhost"),),
        "host as :authority says": GOOD + (("host", "LocalHost"),),
        "a port": instead(HOST, "localhost:7443"),
        "an address": instead(HOST, "127.0.0.1:1"),
        "an IPv6 address": instead(HOST, "[::1]:1"),
        "no te": without(REST[1]),
        "its content-length": GOOD + (("content-length", str(len(message(n=1)))),),
        # RFC 9110 8.6 lets us take it as one. The body must be as long, and nothing is passed on as HTTP/1.1.
        "its content-length twice": GOOD + 2 * (("content-length", str(len(message(n=1)))),),
        "empty values": GOOD + (("x", ""),),
        "the same name again": GOOD + (("x", "1"), ("x", "2")),
        "another scheme": instead(SCHEME, "https"),
    }
    for i, (name, fields) in enumerate(good.items()):
        c = H2(s, kind)
        c.send(frame(HEADERS, END_HEADERS, 1, block(fields)), frame(DATA, END_STREAM, 1, message(n=1)))
        seen = c.until(lambda f: ended(f, 1) or f[0] == GOAWAY)
        check("good: " + name, status_of(seen) == 0, seen)
        c.close()


def t_too_much(s, kind, check):
    """A head a little over the limits is refused by itself: other calls of the connection go on."""
    for name, pieces in (("17 KiB", [block(GOOD), literal("a", "b" * 9000), literal("a", "b" * 9000)]),
                         ("31 KiB", [block(GOOD), literal("a", "b" * 15900), literal("a", "b" * 15900)]),
                         ("70 fields", [block(GOOD) + b"".join(literal("a%d" % i, "b") for i in range(64))]),
                         ("120 fields", [block(GOOD) + b"".join(literal("a%d" % i, "b") for i in range(114))])):
        c = H2(s, kind)
        c.send(frame(HEADERS, END_HEADERS, 1, block(GOOD)))
        c.send(*[frame(CONTINUATION if i else HEADERS, END_HEADERS if i + 1 == len(pieces) else 0, 3, p)
                 for i, p in enumerate(pieces)], frame(DATA, END_STREAM, 3, message(n=1)))
        seen = c.until(lambda f: ended(f, 3) or f[0] == GOAWAY)
        check("a head of %s: 431" % name, first_status(seen, 3) == 431, seen)
        c.send(frame(DATA, END_STREAM, 1, message(n=1)))
        seen = c.until(lambda f: ended(f, 1) or f[0] == GOAWAY)
        check("a head of %s: the call beside it" % name, status_of([f for f in seen if f[2] == 1]) == 0, seen)
        seen = c.call("Unary", message(n=1), 5)
        check("a head of %s: the next call" % name, status_of([f for f in seen if f[2] == 5]) == 0, seen)
        c.close()


def t_no_path(s, kind, check):
    """RFC 9113 8.3.1: a fault of the stream, whatever the rest of the head is."""
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(((":method", "GET"), SCHEME, (":path", ""), HOST))))
    seen = c.until(lambda f: f[0] == RST or ended(f, 1))
    check("an empty :path is reset", verdict(seen, 1) == REFUSED and first_status(seen, 1) is None, seen)
    check("an empty :path: the connection lives", status_of(c.call("Unary", message(n=1), 3)) == 0)
    c.close()


def t_lengths(s, kind, check):
    """content-length against what comes."""
    for name, said, rest in (("shorter", 20, [frame(DATA, END_STREAM, 1, bytes(10))]),
                             ("longer", 5, [frame(DATA, END_STREAM, 1, bytes(10))]),
                             ("an empty end", 20, [frame(DATA, 0, 1, bytes(10)), frame(DATA, END_STREAM, 1)]),
                             ("none at all", 20, [])):
        c = H2(s, kind)
        flags = END_HEADERS | (0 if rest else END_STREAM)
        c.send(frame(HEADERS, flags, 1, block((METHOD, SCHEME, (":path", "/x"), HOST, ("content-length", str(said))))), *rest)
        seen = c.until(lambda f: ended(f, 1) or f[0] == GOAWAY)
        check("a body " + name + " than its content-length", verdict(seen, 1) == REFUSED and first_status(seen, 1) is None, seen)
        c.close()


def t_head(s, kind, check):
    """HEAD is answered as GET, with no byte of a body."""
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(((":method", "HEAD"), SCHEME, (":path", "/stats"), HOST))))
    seen = c.until(lambda f: ended(f, 1))
    check("HEAD", first_status(seen, 1) == 200 and b"text/plain" in b"".join(f[3] for f in seen if f[0] == HEADERS) and
          not any(f[0] == DATA and f[3] for f in seen), seen)
    check("Date", any(b"\x04date\x1d" in f[3] for f in seen if f[0] == HEADERS), seen)
    c.close()


def t_settings(s, kind, check):
    c = H2(s, kind)
    f = c.until(lambda f: f[0] == SETTINGS)[-1][3]
    told = {int.from_bytes(f[i:i + 2], "big"): int.from_bytes(f[i + 2:i + 6], "big") for i in range(0, len(f), 6)}
    check("SETTINGS tell streams, window and size of heads", told == {3: 100, 4: 256 << 10, 6: 16 << 10}, told)
    c.close()


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
        report.check("ends clean", status == 0, (status, said[-2000:]))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
