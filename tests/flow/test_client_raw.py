#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""libqmesh against servers that misbehave: frames that no decent server sends
(GOAWAY in the middle, refused streams, answers without a status) are made by a
few lines of HTTP/2."""
import base64
import collections
import gzip
import os
import random
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from rawh2 import (ACK, DATA, DRIVER, END_STREAM, GOAWAY, HEADERS, OK_HEAD,  # noqa: E402
                   OK_TAIL, PING, RST, SETTINGS, TMP, Raw, answer, drive, field, frame, headers,
                   message, raw_case, run_tests, want)

def test_http_status_without_grpc_status():
    for http, code in ((400, 13), (401, 16), (403, 7), (404, 12), (429, 14), (431, 2), (500, 2),
                       (502, 14), (503, 14), (504, 14), (302, 2)):
        out, _ = raw_case(lambda c, r, s, h=http: headers(
            s, [(":status", str(h)), ("content-type", "text/html")]) +
            frame(DATA, END_STREAM, s, b"<html>"))
        want(out, code=code)
        assert str(http) in out.one("message"), out.text
        assert not out.all("msg")


def test_http_200_that_is_not_grpc():
    out, _ = raw_case(lambda c, r, s: headers(s, [(":status", "200"),
                                                 ("content-type", "text/html")], True))
    want(out, code=2)
    out, _ = raw_case(lambda c, r, s: headers(s, [(":status", "200"), (
        "content-type", "application/grpcx")]) + frame(DATA, END_STREAM, s, message(b"x")))
    want(out, code=2)


def test_no_status_at_the_end():
    out, _ = raw_case(lambda c, r, s: headers(s, OK_HEAD) + frame(DATA, END_STREAM, s,
                                                                  message(b"x")))
    want(out, code=2)


def test_strange_status_values():
    for value, code in (("17", 2), ("abc", 2), ("", 2), ("-1", 2), ("05", 5), ("99999999999", 2)):
        out, _ = raw_case(lambda c, r, s, v=value: headers(s, OK_HEAD + [("grpc-status", v)], True))
        want(out, code=code)


def test_reset_codes():
    for h2, code in ((0, 13), (1, 13), (2, 13), (3, 13), (8, 1), (11, 8), (12, 7), (99, 13)):
        out, _ = raw_case(lambda c, r, s, e=h2: frame(RST, 0, s, struct.pack(">I", e)))
        want(out, code=code if h2 else out.code)
        assert out.code != 0


def test_refused_stream_is_sent_again_once():
    out, raw = raw_case(lambda c, r, s: answer(s) if r > 1 else
                        frame(RST, 0, s, struct.pack(">I", 7)))
    want(out, code=0, msg="fine")
    assert raw.requests == 2
    out, raw = raw_case(lambda c, r, s: frame(RST, 0, s, struct.pack(">I", 7)))
    want(out, code=14)
    assert raw.requests == 2


def test_goaway_moves_calls():
    # Last stream 0: the call was not looked at and goes to a new connection.
    out, raw = raw_case(lambda c, r, s: answer(s) if c > 1 else
                        frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
    want(out, code=0, msg="fine")
    assert raw.connections == 2
    # Within the last stream: it is answered on the old one.
    out, raw = raw_case(lambda c, r, s: frame(GOAWAY, 0, 0, struct.pack(">II", s, 0)) + answer(s),
                        "-R", 2)
    assert out.all("code") == ["0", "0"] and raw.connections == 2, out.text


def test_connection_lost():
    out, raw = raw_case(lambda c, r, s: None)
    want(out, code=14, err="OUTCOME_UNKNOWN")
    assert raw.requests == 1 and "not known" in out.one("message")
    out, raw = raw_case(lambda c, r, s: answer(s) if c > 2 else None, "-i")
    want(out, code=0)
    assert raw.connections == 3
    out, raw = raw_case(lambda c, r, s: None, "-i")
    want(out, code=14, err="CP_UNREACHABLE")
    assert raw.requests == 5
    # An idle connection that went away costs nothing.
    out, raw = raw_case(lambda c, r, s: answer(s) + frame(GOAWAY, 0, 0, struct.pack(">II", s, 0)),
                        "-R", 3, "-g", 50)
    assert out.all("code") == ["0"] * 3 and raw.connections == 3


def test_not_http2():
    out, _ = raw_case(lambda c, r, s: None, hello=b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 64)
    want(out, code=14, err="CP_UNREACHABLE")
    assert "HTTP/2" in out.one("message"), out.text


def test_keepalive():
    # Answered pings keep a silent call alive until its deadline.
    out, raw = raw_case(lambda c, r, s: b"", "-k", 100, "-t", 3000)
    want(out, code=4)
    assert raw.pings >= 2
    # An unanswered one ends the connection, 10 s later.
    out, raw = raw_case(lambda c, r, s: b"" if r else b"mute", "-k", 100)
    want(out, code=14, err="OUTCOME_UNKNOWN")
    assert "ping" in out.one("message")


def test_bad_frames():
    compressed = b"\1" + struct.pack(">I", 1) + b"x"
    for body, code in ((compressed, 13), (b"\0\0\0\0\5abc", 13), (b"\7\0\0\0\1a", 13),
                       (b"\0\xff\xff\xff\xff", 8)):
        out, _ = raw_case(lambda c, r, s, b=body: headers(s, OK_HEAD) + frame(DATA, 0, s, b) +
                          headers(s, OK_TAIL, True))
        want(out, code=code)


def test_bad_metadata_and_details():
    out, _ = raw_case(lambda c, r, s: headers(s, OK_HEAD + [("x-bin", "!!!")]) +
                      headers(s, OK_TAIL, True))
    want(out, code=13)
    for details in ("!!!", "", base64.b64encode(b"\xff\xff").decode(),
                    base64.b64encode(field(1, 3) + field(2, b"liar")).decode()):
        out, _ = raw_case(lambda c, r, s, d=details: headers(s, OK_HEAD + [
            ("grpc-status", "5"), ("grpc-message", "gone%20away%ZZ"),
            ("grpc-status-details-bin", d)], True))
        want(out, code=5, err="OK")
        assert out.one("message").startswith("gone away"), out.text
    out, _ = raw_case(lambda c, r, s: headers(s, OK_HEAD + [("x%d" % i, "y" * 500)
                                                           for i in range(100)]) +
                      headers(s, OK_TAIL, True))
    assert out.code not in (0, None)


def test_own_deadline():
    out, _ = raw_case(lambda c, r, s: b"", "-t", 150)
    want(out, code=4, err="DEADLINE_EXCEEDED")


def test_early_answer():
    """The whole answer is there before the request is: the call ends at once."""
    class Early(Raw):
        def talk(self, conn, number):
            self.read(conn, 24)
            conn.sendall(self.hello)
            while True:
                head = self.read(conn, 9)
                self.read(conn, int.from_bytes(head[:3], "big"))
                if head[3] == HEADERS:
                    conn.sendall(answer(int.from_bytes(head[5:], "big")))

    with Early(None) as raw:
        want(drive("-b", 1000000, raw.target, "/t.U/X"), code=0, msg="fine")


def test_garbage_never_hurts():
    rnd = random.Random(7)
    for _ in range(60):
        def behave(c, r, s):
            out = bytearray(answer(s) + frame(PING, 0, 0, b"12345678") + answer(s))
            for _ in range(rnd.randrange(1, 12)):
                out[rnd.randrange(len(out))] = rnd.randrange(256)
            return bytes(out)
        out, _ = raw_case(behave, "-t", 300)
        assert out.code is not None, out.text



skipped = 0


# The ways a connection may end --------------------------------------------------


def goaway(last, error=0, words=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, error) + words)


def test_goaway_before_any_call():
    """Right behind SETTINGS: the call goes to the next connection, however often."""
    class Leaving(Raw):
        def talk(self, conn, number):
            self.hello = frame(SETTINGS, 0, 0) + (goaway(0) if number < 4 else b"")
            super().talk(conn, number)

    with Leaving(lambda c, r, s: answer(s)) as raw:
        want(drive(raw.target, "/t.U/X", "x"), code=0, msg="fine")
        assert raw.connections == 4, raw.connections


def test_goaway_below_the_call():
    """Sent, and not looked at: four servers in a row that leave cost the call nothing."""
    out, raw = raw_case(lambda c, r, s: answer(s) if c > 4 else goaway(0))
    want(out, code=0, msg="fine")
    assert raw.connections == 5 and raw.requests == 5
    out, raw = raw_case(lambda c, r, s: goaway(0))
    want(out, code=14, err="CP_UNREACHABLE")
    assert raw.connections == 6, raw.connections


def test_goaway_with_many_calls_in_flight():
    """Two steps: what the server took is answered there, the rest elsewhere, none twice."""
    class Draining(Raw):
        taken = 0

        def talk(self, conn, number):
            self.number = number
            self.waiting = []
            super().talk(conn, number)

    done = []
    lock = threading.Lock()

    def behave(c, r, s):
        with lock:
            if c > 1:
                done.append((c, s))
                return answer(s)
            raw.waiting.append(s)
            if len(raw.waiting) < 12:
                return b""
            order = sorted(raw.waiting)
            last = order[6]
            done.extend((c, n) for n in order[:7])
            # First "no new ones", then the last that counts, then the answers.
            return goaway(2**31 - 1) + frame(PING, 0, 0, b"halfway.") + goaway(last) + \
                b"".join(answer(n) for n in order[:7])

    with Draining(behave) as raw:
        out = drive("-q", "-T", 12, raw.target, "/t.U/X", "x")
        want(out, ok="12", failed="0")
        assert len(done) == 12 and raw.connections == 2, (done, raw.connections)


def test_goaway_inside_an_answer():
    out, raw = raw_case(lambda c, r, s: headers(s, OK_HEAD) + goaway(s) +
                        frame(DATA, 0, s, message(b"fine")) + headers(s, OK_TAIL, True), "-R", 2)
    assert out.all("code") == ["0", "0"] and raw.connections == 2, out.text
    # An error with it changes nothing for a call that is answered.
    out, raw = raw_case(lambda c, r, s: headers(s, OK_HEAD) + goaway(s, 2, b"tired") +
                        frame(DATA, 0, s, message(b"fine")) + headers(s, OK_TAIL, True))
    want(out, code=0)
    # The call was taken, and then the server went: nobody knows.
    class Gone(Raw):
        def talk(self, conn, number):
            try:
                super().talk(conn, number)
            finally:
                conn.close()

    def leave(c, r, s):
        return goaway(s) if r == 1 else None

    with Gone(leave) as raw:
        out = drive("-t", 1000, raw.target, "/t.U/X", "x")
        assert out.code in (4, 14) and raw.requests == 1, out.text


def test_half_closed_connection():
    """FIN after the request, or in the middle of an answer."""
    class Fin(Raw):
        half = b""

        def talk(self, conn, number):
            def behave(c, r, s):
                conn.sendall(self.half and headers(s, OK_HEAD) + self.half)
                conn.shutdown(socket.SHUT_WR)
                return b""
            self.behave = behave
            super().talk(conn, number)

    with Fin(None) as raw:
        want(drive(raw.target, "/t.U/X", "x"), code=14, err="OUTCOME_UNKNOWN")
    with Fin(None) as raw:
        raw.half = frame(DATA, 0, 1, message(b"whole") + b"\0\0\0\0\5ha")
        out = drive("-s", raw.target, "/t.U/X", "x")
        want(out, code=14, err="CP_UNREACHABLE")
        assert out.all("msg") == ["whole"]


def test_too_many_pings():
    """The server's word doubles the pause between pings, and the call goes on elsewhere."""
    times = {1: [], 2: []}

    class Counting(Raw):
        def talk(self, conn, number):
            self.read(conn, 24)
            conn.sendall(self.hello)
            stream = 0
            while True:
                head = self.read(conn, 9)
                payload = self.read(conn, int.from_bytes(head[:3], "big"))
                if head[3] == SETTINGS and not head[4] & ACK:
                    conn.sendall(frame(SETTINGS, ACK, 0))
                elif head[3] == DATA:
                    stream = int.from_bytes(head[5:], "big")
                    times[number].append(time.monotonic())
                elif head[3] == PING:
                    times[number].append(time.monotonic())
                    conn.sendall(frame(PING, ACK, 0, payload))
                    if number == 1 and len(times[1]) == 3:
                        conn.sendall(goaway(0, 11, b"too_many_pings"))
                    if number == 2 and len(times[2]) == 3:
                        conn.sendall(answer(stream))

    with Counting(None) as raw:
        want(drive("-k", 300, raw.target, "/t.U/X", "x"), code=0)
        assert raw.connections == 2
    gaps = [times[n][2] - times[n][1] for n in (1, 2)]
    assert gaps[0] >= 0.29 and gaps[1] >= 0.59, gaps


def test_too_many_pings_while_a_call_ends():
    """The call that stays on the connection is no excuse to go on as before."""
    times = []

    class Complaining(Raw):
        def talk(self, conn, number):
            self.read(conn, 24)
            conn.sendall(self.hello)
            stream = 0
            while True:
                head = self.read(conn, 9)
                payload = self.read(conn, int.from_bytes(head[:3], "big"))
                if head[3] == SETTINGS and not head[4] & ACK:
                    conn.sendall(frame(SETTINGS, ACK, 0))
                elif head[3] == DATA:
                    stream = int.from_bytes(head[5:], "big")
                elif head[3] == PING:
                    times.append(time.monotonic())
                    conn.sendall(frame(PING, ACK, 0, payload))
                    if len(times) == 1:
                        conn.sendall(goaway(stream, 11, b"too_many_pings"))
                    if len(times) == 2:
                        conn.sendall(answer(stream))

    with Complaining(None) as raw:
        want(drive("-k", 300, raw.target, "/t.U/X", "x"), code=0)
        assert raw.connections == 1
    assert times[1] - times[0] >= 0.59, times


# Tries ---------------------------------------------------------------------------


def unavailable(stream_id, *more):
    return headers(stream_id, OK_HEAD + [("grpc-status", "14"), ("grpc-message", "busy")] +
                   list(more), True)


def pushed(value, *args):
    """(answer, tries, seconds between the first two)."""
    at = []

    def behave(c, r, s):
        at.append(time.monotonic())
        return unavailable(s, ("grpc-retry-pushback-ms", value)) if r == 1 else answer(s)

    out, raw = raw_case(behave, "-i", *args)
    return out, raw.requests, at[1] - at[0] if len(at) > 1 else None


def test_pushback():
    for never in ("-1", "-5", "never", "", "99999999999"):
        out, tries, _ = pushed(never)
        want(out, code=14, message="busy")
        assert tries == 1, never
    out, tries, gap = pushed("700")
    want(out, code=0)
    assert tries == 2 and gap >= 0.69, gap
    # Beyond the deadline it is not waited for.
    begin = time.monotonic()
    out, tries, _ = pushed("30000", "-t", 25000)
    want(out, code=14, message="busy")
    assert tries == 1 and time.monotonic() - begin < 25
    out, tries, _ = pushed("0")
    want(out, code=0)


def test_no_try_after_the_answer_began():
    out, raw = raw_case(lambda c, r, s: headers(s, OK_HEAD) +
                        headers(s, [("grpc-status", "14")], True), "-i")
    want(out, code=14)
    assert raw.requests == 1
    out, raw = raw_case(lambda c, r, s: unavailable(s), "-i", "-t", 20000)
    want(out, code=14)
    assert raw.requests == 5


def test_streams_of_requests_are_sent_again_only_whole():
    """Refused at once, before anything is dropped: all of it goes out again."""
    out, raw = raw_case(lambda c, r, s: answer(s) if r > 1 else
                        frame(RST, 0, s, struct.pack(">I", 7)), "-N", "c3")
    want(out, code=0, msg="fine")
    assert raw.requests == 2 and raw.bodies[0] == raw.bodies[1] == message(b"x") * 3, raw.bodies


# Messages ------------------------------------------------------------------------


def zipped(text, flag=b"\1"):
    body = gzip.compress(text)
    return flag + struct.pack(">I", len(body)) + body


def with_body(body, *args, encoding="gzip"):
    return raw_case(lambda c, r, s: headers(s, OK_HEAD + [("grpc-encoding", encoding)]) +
                    frame(DATA, 0, s, body) + headers(s, OK_TAIL, True), *args)[0]


def test_gzip():
    want(with_body(zipped(b"small")), code=0, msg="small")
    want(with_body(message(b"plain")), code=0, msg="plain")
    # Two members are one text.
    two = gzip.compress(b"a") + gzip.compress(b"b")
    want(with_body(b"\1" + struct.pack(">I", len(two)) + two), code=0, msg="ab")
    # A bomb: 16 KiB that would be 16 MiB.
    want(with_body(zipped(b"\0" * 16000000)), code=8, err="MESSAGE_TOO_LARGE")
    want(with_body(zipped(b"y" * 101), "-m", 100), code=8)
    want(with_body(zipped(b"y" * 100), "-m", 100), code=0)
    whole = zipped(b"broken" * 100)
    cut = whole[5:-9]
    for body in (b"\1" + struct.pack(">I", len(cut)) + cut, b"\1\0\0\0\4abcd",
                 whole[:9] + b"\xff" * 10 + whole[19:]):
        want(with_body(body), code=13)
    want(with_body(zipped(b"x"), encoding="identity"), code=13)
    want(with_body(zipped(b"x"), encoding="snappy"), code=13)
    # What goes out: flagged, smaller, and announced.
    out, raw = raw_case(lambda c, r, s: answer(s), "-z", "-b", 5000)
    want(out, code=0)
    assert raw.bodies[0][0] == 1 and len(raw.bodies[0]) < 200
    assert gzip.decompress(raw.bodies[0][5:]) == b"x" * 5000
    out, raw = raw_case(lambda c, r, s: answer(s), "-z")
    assert raw.bodies[0] == message(b"x"), "what would only grow goes as it is"


def test_number_of_answers():
    none = lambda c, r, s: headers(s, OK_HEAD) + headers(s, OK_TAIL, True)  # noqa: E731
    two = lambda c, r, s: headers(s, OK_HEAD) + frame(  # noqa: E731
        DATA, 0, s, message(b"a") + message(b"b")) + headers(s, OK_TAIL, True)
    only = lambda c, r, s: headers(s, OK_HEAD + OK_TAIL, True)  # noqa: E731
    for behave in (none, two, only):
        want(raw_case(behave)[0], code=12)
        want(raw_case(behave, "-N", "c2")[0], code=12)
    want(raw_case(none, "-s")[0], code=0)
    want(raw_case(two, "-s")[0], code=0)
    want(raw_case(only, "-s")[0], code=0)
    # A status in front of a body counts for nothing.
    out, _ = raw_case(lambda c, r, s: headers(s, OK_HEAD + [("grpc-status", "9")]) + frame(
        DATA, END_STREAM, s, message(b"x")))
    want(out, code=2)
    # The codec must be ours.
    for kind in ("application/grpc+json", "application/grpc-web", "application/json"):
        out, _ = raw_case(lambda c, r, s, k=kind: headers(
            s, [(":status", "200"), ("content-type", k)]) + frame(DATA, 0, s, message(b"x")) +
            headers(s, [("x", "y")], True))
        want(out, code=2)


def test_metadata_in_order():
    pairs = [("x-a", "1"), ("x-b", "2"), ("x-a", "3"), ("x-raw-bin", "AAH/,AQ=="),
             ("x-raw-bin", "Ag"), ("x-a", "4")]
    out, _ = raw_case(lambda c, r, s: headers(s, OK_HEAD + pairs) + frame(
        DATA, 0, s, message(b"x")) + headers(s, OK_TAIL + pairs, True))
    want(out, code=0)
    assert out.all("md:x-a") == ["1", "3", "4"] * 2
    assert out.all("md:x-raw-bin") == ["\\x00\\x01\\xff", "\\x01", "\\x02"] * 2


# Frames --------------------------------------------------------------------------


class Slowly(Raw):
    """Sends everything byte by byte."""
    class Conn:
        def __init__(self, conn):
            self.conn, self.recv, self.close = conn, conn.recv, conn.close

        def sendall(self, data):
            for i in range(len(data)):
                self.conn.sendall(data[i:i + 1])

    def talk(self, conn, number):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().talk(self.Conn(conn), number)


def test_trickled_frames():
    with Slowly(lambda c, r, s: answer(s, b"drop by drop")) as raw:
        want(drive("-R", 3, raw.target, "/t.U/X", "x"), code=0, msg="drop by drop", ok="3")


CONTINUATION, WINDOW_UPDATE = 9, 8


def test_endless_continuation():
    """A header block without an end is cut off; it costs neither memory nor time."""
    class Endless(Raw):
        sent = 0

        def talk(self, conn, number):
            def behave(c, r, s):
                block = headers(s, OK_HEAD)[9:]
                conn.sendall(frame(HEADERS, 0, s, block))
                more = headers(s, [("x-filler", "y" * 120)] * 100)[9:]
                for _ in range(20000):
                    conn.sendall(frame(CONTINUATION, 0, s, more))
                    self.sent += len(more)
                return b""
            self.behave = behave
            super().talk(conn, number)

    with Endless(None) as raw:
        out = drive("-t", 20000, raw.target, "/t.U/X", "x")
        assert out.code not in (0, 4, None), out.text
        assert raw.sent < 50 << 20, raw.sent

    # Empty ones too.
    class Empty(Raw):
        def talk(self, conn, number):
            def behave(c, r, s):
                conn.sendall(frame(HEADERS, 0, s, headers(s, OK_HEAD)[9:]))
                for _ in range(3000):
                    conn.sendall(frame(CONTINUATION, 0, s) * 100)
                return b""
            self.behave = behave
            super().talk(conn, number)

    with Empty(None) as raw:
        out = drive("-t", 5000, raw.target, "/t.U/X", "x")
        assert out.code not in (0, None), out.text


def test_window_games():
    big = struct.pack(">I", 0x7fffffff)
    cases = {
        "overflow of the stream": lambda s: frame(WINDOW_UPDATE, 0, s, big) * 2,
        "overflow of the connection": lambda s: frame(WINDOW_UPDATE, 0, 0, big) * 2,
        "nothing": lambda s: frame(WINDOW_UPDATE, 0, s, b"\0\0\0\0"),
        "too long": lambda s: frame(WINDOW_UPDATE, 0, s, b"\0" * 5),
        "settings over the top": lambda s: frame(SETTINGS, 0, 0, b"\0\4" + b"\xff" * 4),
        "data beyond the window": lambda s: headers(s, OK_HEAD) + b"".join(
            frame(DATA, 0, s, b"\0\0\x7f\xff\xff" + b"x" * 16000 if i == 0 else b"x" * 16000)
            for i in range(400)),
    }
    for name, make in cases.items():
        # -s with a pause: nothing is given back while data comes.
        out, _ = raw_case(lambda c, r, s, m=make: m(s), "-t", 3000)
        assert out.code not in (0, None), name
    # A window of nothing that opens later: the request waits, then goes.
    class Late(Raw):
        def talk(self, conn, number):
            def later():
                time.sleep(0.3)
                conn.sendall(frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff"))
            threading.Thread(target=later, daemon=True).start()
            super().talk(conn, number)

    with Late(lambda c, r, s: answer(s), hello=frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0")) as raw:
        want(drive("-t", 30000, raw.target, "/t.U/X", "x"), code=0)


class Windowed(Raw):
    """Sends a long stream as far as the windows let it, and keeps count."""
    def __init__(self, total):
        super().__init__(None)
        self.total, self.sent, self.stalls = total, 0, []

    def talk(self, conn, number):
        self.read(conn, 24)
        conn.sendall(self.hello)
        windows = {"first": 65535, "connection": 65535, "stream": 0}
        stream, rest = 0, b""
        conn.settimeout(0.2)
        while True:
            try:
                head = self.read(conn, 9)
            except TimeoutError:
                self.stalls.append(self.sent)
                continue
            payload = self.read(conn, int.from_bytes(head[:3], "big"))
            if head[3] == SETTINGS and not head[4] & ACK:
                for i in range(0, len(payload), 6):
                    if payload[i:i + 2] == b"\0\4":
                        windows["first"] = int.from_bytes(payload[i + 2:i + 6], "big")
                conn.sendall(frame(SETTINGS, ACK, 0))
            elif head[3] == WINDOW_UPDATE:
                which = "stream" if int.from_bytes(head[5:], "big") else "connection"
                windows[which] += int.from_bytes(payload, "big")
            elif head[3] == DATA and head[4] & END_STREAM:
                stream = int.from_bytes(head[5:], "big")
                windows["stream"] += windows["first"]
                conn.sendall(headers(stream, OK_HEAD))
                rest = message(b"z" * 8187) * (self.total // 8192)
            while stream and rest:
                n = min(len(rest), windows["stream"], windows["connection"], 16384)
                if n <= 0:
                    break
                conn.sendall(frame(DATA, 0, stream, rest[:n]))
                self.sent += n
                windows["stream"] -= n
                windows["connection"] -= n
                rest = rest[n:]
                if not rest:
                    conn.sendall(headers(stream, OK_TAIL, True))


def test_back_pressure():
    """While the reader pauses, the server may send one window and not a byte more."""
    with Windowed(2 << 20) as raw:
        out = drive("-s", "-h", "-P", "1,2500", raw.target, "/t.S/X", "x")
        want(out, code=0)
        assert len(out.all("len")) == 256
        # A machine that is slow stalls elsewhere too; the pause is where it stands still for long.
        where, often = collections.Counter(n for n in raw.stalls if n < 2 << 20).most_common(1)[0]
        assert often > 5 and 200 << 10 < where <= 300 << 10, raw.stalls


class AtOnce(Raw):
    """Answers as soon as a call begins."""

    def talk(self, conn, number):
        self.read(conn, 24)
        conn.sendall(self.hello)
        while True:
            head = self.read(conn, 9)
            self.read(conn, int.from_bytes(head[:3], "big"))
            if head[3] == HEADERS:
                stream = int.from_bytes(head[5:], "big")
                conn.sendall(headers(stream, OK_HEAD) + frame(DATA, 0, stream, message(b"one") + message(b"two")) +
                             headers(stream, OK_TAIL, True))


def test_cancelled_is_cancelled():
    """By a reader that has one message, though the other and a good end have come already."""
    with AtOnce(None) as raw:
        out = drive("-N", "b1", "-C", 1, raw.target, "/t.B/X", "x")
        want(out, code=1, err="CANCELLED")
        assert out.all("msg") == ["one"], out.text
        want(drive("-N", "b1", raw.target, "/t.B/X", "x"), code=0)


# Streams that go on --------------------------------------------------------------


def change(version):
    return message(field(1, version) + field(5, b"what changed"))


def test_watch_resumes():
    """Lost, ended and begun anew: each change is told once, in order, with its version."""
    seen = []

    def behave(c, r, s):
        seen.append(raw.bodies[-1][5:])
        start = headers(s, OK_HEAD)
        if c == 1:
            return start + frame(DATA, 0, s, change(7) + change(8)) + b"\xff" * 9
        if r == 2:  # lost: says what was seen, hears one of it again
            return start + frame(DATA, 0, s, change(8) + change(9)) + headers(s, OK_TAIL, True)
        if r == 3:  # ended: nothing new, and away for now
            return unavailable(s)
        if r == 4:  # another life of the server
            return start + frame(DATA, 0, s, change(3)) + headers(
                s, [("grpc-status", "13"), ("grpc-message", "oh")], True)
        return headers(s, OK_HEAD + [("grpc-status", "7"), ("grpc-message", "go away")], True)

    with Raw(behave) as raw:
        out = drive("-w", "-g", 50, raw.target, "/t.S/Watch")
    want(out, code=7, message="go away", last="3")
    assert out.all("version") == ["7", "8", "9", "3"], out.text
    assert seen == [b"", field(1, 8), field(1, 9), field(1, 9), field(1, 3)], seen
    assert out.all("lost") == ["14", "0", "14", "13"], out.text
    # After progress the pause is short again, give or take a fifth.
    pauses = [int(p) for p in out.all("pause")]
    assert 40 <= pauses[0] <= 60 and 40 <= pauses[1] <= 60 and 80 <= pauses[2] <= 120, pauses


def test_watch_pauses():
    """Paused over the end of a stream: what came waits, and so does the next opening."""
    def behave(c, r, s):
        if r > 1:
            return headers(s, OK_HEAD + [("grpc-status", "7")], True)
        return headers(s, OK_HEAD) + frame(DATA, 0, s, change(1) + change(2)) + \
            headers(s, OK_TAIL, True)

    out, _ = raw_case(behave, "-w", "-P", "1,300", "-g", 10)
    want(out, code=7)
    kept = [line for line in out.text.splitlines() if not line.startswith(("md", "pause="))]
    assert kept[:5] == ["version=1", "paused", "resumed", "version=2", "lost=0"], out.text


def test_watch_cancelled_in_the_pause():
    out, _ = raw_case(lambda c, r, s: headers(s, OK_HEAD) + frame(DATA, 0, s, change(1)),
                      "-w", "-C", 1)
    want(out, code=1, err="CANCELLED", last="1")


def test_status_watch_goes_on():
    """qmesh status --watch: over a lost connection, but not before it has shown anything."""
    def behave(c, r, s):
        seen.append(raw.bodies[-1][5:])
        if r == 1:
            return headers(s, OK_HEAD) + frame(DATA, 0, s, change(7)) + b"\xff" * 9
        if r == 2:
            return headers(s, OK_HEAD) + frame(DATA, 0, s, change(7) + change(8)) + headers(s, OK_TAIL, True)
        return headers(s, OK_HEAD + [("grpc-status", "16"), ("grpc-message", "signed out")], True)

    qmesh = os.environ.get("QMESH_BUILD", "build/asan") + "/bin/qmesh"
    for away in (False, True):
        seen, path = [], f"{TMP}/watched-{away}.sock"
        with Raw(unavailable_to_all if away else behave, path=path) as raw:
            p = subprocess.run([qmesh, "--server", raw.target, "status", "--watch"], timeout=60, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert "Sanitizer" not in p.stderr and "runtime error" not in p.stderr, p.stderr
        if away:
            assert (p.returncode, p.stdout) == (3, ""), p
            continue
        assert seen == [b"", field(1, 7), field(1, 8)], seen
        assert len(p.stdout.splitlines()) == 2 and "signed out" in p.stderr, p
        assert p.stderr.count("trying again") == 2, p.stderr


def unavailable_to_all(c, r, s):
    return unavailable(s)


# TLS and addresses ---------------------------------------------------------------


def make_cert():
    key, cert = f"{TMP}/raw.key", f"{TMP}/raw.crt"
    if not os.path.exists(key):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=raw", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
    return key, cert


class Tls(Raw):
    def __init__(self, behave, version):
        super().__init__(behave)
        self.cert = make_cert()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.cert, make_cert()[0])
        self.context.set_alpn_protocols(["h2"])
        self.context.maximum_version = self.context.minimum_version = version
        self.names, self.reused = [], []
        self.context.sni_callback = lambda sock, name, ctx: self.names.append(name)
        self.target = self.target.replace("http://127.0.0.1", "https://localhost")

    def talk(self, conn, number):
        with self.context.wrap_socket(conn, server_side=True) as tls:
            self.reused.append(tls.session_reused)
            super().talk(tls, number)


def test_tls_sessions_are_resumed():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Tls(lambda c, r, s: answer(s) + goaway(s), version) as raw:
            out = drive("-a", raw.cert, "-R", 3, "-g", 50, raw.target, "/t.U/X", "x")
            want(out, ok="3")
            assert raw.reused == [False, True, True], raw.reused
            assert raw.names[0] == "localhost"
            # Another client trusts nothing that this one has seen.
            assert "certificate" in drive(raw.target, "/t.U/X", "x").one("message")


def test_new_pins_end_old_sessions():
    """A session is not resumed past a change of pins: the key is looked at again."""
    der = subprocess.run(f"openssl x509 -in {make_cert()[1]} -noout -pubkey | openssl pkey -pubin "
                         "-outform DER | openssl dgst -sha256 -binary", shell=True, check=True,
                         stdout=subprocess.PIPE).stdout
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Tls(lambda c, r, s: answer(s) + goaway(s), version) as raw:
            args = ("-R", 3, "-g", 50, raw.target, "/t.U/X", "x")
            want(drive("-p", der.hex(), *args), ok="3")
            assert raw.reused == [False, True, True], raw.reused
            out = drive("-p", der.hex(), "-U", "00" * 32, *args)
            assert out.all("code") == ["0", "14", "14"], out.text
            assert out.all("message")[1].endswith("the server's key is not the pinned one")
            assert True not in raw.reused[3:], raw.reused


def test_slow_tls():
    """A server that lets the handshake drip: no answer within the time to connect."""
    class Dripping(Tls):
        def talk(self, conn, number):
            into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = self.context.wrap_bio(into, out, server_side=True)
            into.write(conn.recv(65536))
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            for byte in out.read():
                conn.sendall(bytes([byte]))
                time.sleep(0.05)

    with Dripping(lambda c, r, s: b"", ssl.TLSVersion.TLSv1_3) as raw:
        begin = time.monotonic()
        out = drive("-a", raw.cert, "-c", 400, raw.target, "/t.U/X", "x")
        want(out, code=14, err="CP_UNREACHABLE")
        # Half the time, where the name's second answer is still to come by then.
        assert any(words in out.one("message") for words in
                   ("no answer within 400 ms", "no answer to the TLS handshake")), out.text
        assert time.monotonic() - begin < 20
        # Others are served meanwhile: the deadline of a second call comes in time.
        want(drive("-a", raw.cert, "-t", 200, raw.target, "/t.U/X", "x"), code=4)


def with_file(path, lines, *args):
    """The driver in a mount namespace with another such file; None where that is not allowed."""
    with open(f"{TMP}/other", "w", encoding="ascii") as f:
        f.write(lines)
    p = subprocess.run(["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"',
                        f"{TMP}/other", path, DRIVER, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True, timeout=60, check=False)
    assert "Sanitizer" not in p.stderr and "runtime error" not in p.stderr, p.stderr
    return None if "not permitted" in p.stderr else type(drive("-q", "x", "/x"))(p.stdout, 0)


def test_addresses_race():
    """A name of four addresses, of which one answers and one says nothing."""
    global skipped
    hosts = "127.0.0.1 localhost\nfd00:9::1 race\n127.0.0.9 race\n127.0.0.8 race\n127.0.0.1 race\n"
    with Tls(lambda c, r, s: answer(s), ssl.TLSVersion.TLSv1_3) as raw:
        port = int(raw.target.rsplit(":", 1)[1])
        # A queue that is full: SYNs to it are dropped, as by a broken path.
        mute = socket.socket()
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        mute.bind(("127.0.0.9", port))
        mute.listen(0)
        fill = [socket.socket() for _ in range(3)]
        for s in fill:
            s.setblocking(False)
            s.connect_ex(("127.0.0.9", port))
        out = with_file("/etc/hosts", hosts, "-a", raw.cert, "-n", "localhost", f"https://race:{port}",
                         "/t.U/X", "x")
        if out is None:
            skipped += 1
            return
        want(out, code=0, msg="fine")
        raw.sock.close()
        out = with_file("/etc/hosts", hosts.replace("127.0.0.1 race\n", ""), "-c", 1500, "-a", raw.cert,
                         f"https://race:{port}", "/t.U/X", "x")
        want(out, code=14, err="CP_UNREACHABLE")
        words = out.one("message")
        assert "[fd00:9::1]: " in words and "127.0.0.8: Connection refused" in words, words
        assert "127.0.0.9: no answer within 1500 ms" in words, words
        for s in fill + [mute]:
            s.close()


def test_addresses_whose_tls_fails():
    """An address that stands, but is no good, does not keep the others from their try."""
    global skipped
    hosts = "127.0.0.1 localhost\n127.0.0.9 race\n127.0.0.8 race\n127.0.0.1 race\n"
    with Tls(lambda c, r, s: answer(s), ssl.TLSVersion.TLSv1_3) as raw:
        port = int(raw.target.rsplit(":", 1)[1])
        # One speaks something else, one takes the connection and says nothing.
        rude, mute = (socket.create_server((host, port)) for host in ("127.0.0.9", "127.0.0.8"))

        def be_rude():
            while True:
                try:
                    conn = rude.accept()[0]
                except OSError:
                    return
                conn.sendall(b"220 hello\r\n")
                conn.close()

        threading.Thread(target=be_rude, daemon=True).start()
        args = ("-a", raw.cert, "-n", "localhost", f"https://race:{port}", "/t.U/X", "x")
        out = with_file("/etc/hosts", hosts, "-c", 4000, *args)
        if out is None:
            skipped += 1
            return
        want(out, code=0, msg="fine")
        # Nobody is any good: each is told about.
        out = with_file("/etc/hosts", hosts.replace("127.0.0.1 race\n", ""), "-c", 1000, *args)
        want(out, code=14, err="CP_UNREACHABLE")
        words = out.one("message")
        assert "127.0.0.9: " in words and "127.0.0.8: no answer" in words, words
        rude.close()
        mute.close()


class Names:
    """A name server that knows one address of everything, and says nothing of IPv6."""

    def __init__(self, address, deaf=False):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, 53))
        self.deaf = deaf
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, who = self.sock.recvfrom(512)
            except OSError:
                return
            question = query[12:query.index(b"\0", 12) + 5]
            if self.deaf or question[-4:-2] != b"\0\1":
                continue
            self.sock.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question +
                             b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x7f\0\0\1", who)


def test_half_a_resolver():
    """IPv4 is not kept waiting by a question for IPv6 that nobody answers."""
    global skipped
    with Tls(lambda c, r, s: answer(s), ssl.TLSVersion.TLSv1_3) as raw:
        port = int(raw.target.rsplit(":", 1)[1])
        try:
            names = Names("127.77.7.7")
        except PermissionError:
            skipped += 1
            return
        args = ("-a", raw.cert, "-n", "localhost", f"https://half.example:{port}", "/t.U/X", "x")
        out = with_file("/etc/resolv.conf", "nameserver 127.77.7.7\n", "-t", 4000, *args)
        if out is None:
            skipped += 1
            return
        want(out, code=0, msg="fine")
        # Nobody answers at all: the loop is not held up, and says what it waits for.
        names.deaf = True
        out = with_file("/etc/resolv.conf", "nameserver 127.77.7.7\n", "-t", 300, *args)
        want(out, code=4)
        out = with_file("/etc/resolv.conf", "nameserver 127.77.7.7\n", "-c", 400, *args)
        want(out, code=14, err="CP_UNREACHABLE")
        assert "the name was not resolved within 400 ms" in out.one("message"), out.text
        names.sock.close()


def main():
    if not os.path.exists(DRIVER):
        print("skipped: client_driver is not built")
        return 77
    passed, failed = run_tests(globals(), sys.argv[1:])
    subprocess.run(["rm", "-rf", TMP], check=False)
    print(f"passed {passed} failed {failed} skipped {skipped}")
    return 1 if failed else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
