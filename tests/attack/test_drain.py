#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stop loses no answer: calls in flight finish, slow readers get the tail, streams end with DRAINING."""
import concurrent.futures
import struct
import sys
import threading
import time

from wire import (DATA, END_HEADERS, END_STREAM, H1, H2, HEADERS, KINDS, PREFACE, SETTINGS, WINDOW, Report, Server, echo,
                  ended, frame, goaways, message, status_of)

N = 60


def slow_reader(server, kind):
    c = H2(server, kind, struct.pack(">HI", 4, 0x7fffffff), receive_buffer=4096)
    c.send(frame(WINDOW, 0, 0, struct.pack(">I", 0x7fff0000)))
    for j in range(N):
        c.send(frame(HEADERS, END_HEADERS, 2 * j + 1, echo("ServerStream")) +
               frame(DATA, END_STREAM, 2 * j + 1, message(n=1, size=100000)))
    return c


class Late(H2):
    """Connected before the stop, says that it speaks HTTP/2 after it."""

    def __init__(self, server, kind):  # pylint: disable=super-init-not-called
        self.s = server.socket(kind)
        self.buffer = b""

    def begin(self):
        self.s.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, echo("Unary")) +
                       frame(DATA, END_STREAM, 1, message(n=5)))


def one_kind(kind, report):
    with Server("--grace", "8000") as server:
        reader = slow_reader(server, kind)
        slow = H2(server, kind)
        slow.send(frame(HEADERS, END_HEADERS, 1, echo("Slow")), frame(DATA, END_STREAM, 1, message(n=7, ms=1500)))
        upload = H2(server, kind)
        upload.send(frame(HEADERS, END_HEADERS, 1, echo("Unary")), frame(DATA, 0, 1, message(n=5)[:3]))
        stream = H2(server, kind)
        stream.send(frame(HEADERS, END_HEADERS, 1, echo("Subscribe")), frame(DATA, END_STREAM, 1, message(n=1)))
        idle = H2(server, kind)
        idle.until(lambda f: f[0] == SETTINGS and f[1] & 1)
        old = H1(server, kind)
        old.send(b"POST /x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\na")
        kept = H1(server, kind)
        kept.send(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n")
        kept.answer()
        late = Late(server, kind)
        time.sleep(0.3)
        result = []
        stopper = threading.Thread(target=lambda: result.append(server.stop(30)))
        stopper.start()
        time.sleep(0.2)
        late.begin()
        time.sleep(1.2)
        try:
            server.socket(kind, timeout=1)
            report.check(kind + ": no new connections", False)
        except OSError:
            report.check(kind + ": no new connections", True)
        seen = idle.until(lambda f: False)
        report.check(kind + ": an idle connection gets two GOAWAYs and the end",
                     len(goaways(seen)) == 2 and seen[-1][0] == "eof", seen)
        seen = late.until(lambda f: False)
        report.check(kind + ": one that began late hears it all, and is answered",
                     len(goaways(seen)) == 2 and status_of(seen) == 0, seen)
        upload.send(frame(DATA, END_STREAM, 1, message(n=5)[3:]))
        seen = upload.until(ended)
        report.check(kind + ": an upload finishes", status_of(seen) == 0 and len(goaways(seen)) == 2, seen)
        old.send(b"bc")
        answer = old.answer()
        report.check(kind + ": an HTTP/1.1 upload finishes", answer and answer[2] == b"abc" and
                     answer[1].get("connection") == "close", answer)
        report.check(kind + ": a kept connection is closed", kept.closed(20))
        seen = slow.until(ended)
        report.check(kind + ": a call in flight finishes", status_of(seen) == 0, seen)
        ends = total = 0
        while True:
            f = reader.read(20)
            if f is None or f[0] in ("eof", "reset"):
                break
            total += len(f[3]) if f[0] == DATA else 0
            ends += 1 if f[0] == HEADERS and f[1] & END_STREAM else 0
            if ends % 10 == 0:
                time.sleep(0.001)
        report.check(kind + ": a slow reader gets every answer whole", ends == N and total > N * 100000, (ends, total))
        seen = stream.until(ended)
        report.check(kind + ": a stream ends with UNAVAILABLE", status_of(seen) == 14, seen)
        stopper.join(30)
        report.check(kind + ": the server ends clean", result and result[0][0] == 0, result)


def main():
    report = Report()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for done in [pool.submit(one_kind, kind, report) for kind in KINDS]:
            done.result()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
