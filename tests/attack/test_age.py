#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
A connection past its age (gRFC A9) leaves in two steps and loses no call: GOAWAY
for ever, GOAWAY with the last stream, calls end, streams end with UNAVAILABLE
when the grace is over. Ages differ by a tenth either way.
"""
import sys
import threading
import time

from wire import (DATA, END_HEADERS, END_STREAM, GOAWAY, H1, H2, HEADERS, KINDS, Report, Server, echo, ended,
                  frame, goaways, message, status_of)

AGE_MS, GRACE_MS = 2000, 3000


def last_ids(seen):
    return [int.from_bytes(f[3][:4], "big") for f in seen if f[0] == GOAWAY]


def one_kind(kind, server, report):
    def check(what, ok, seen=""):
        report.check(kind + ": " + what, ok, seen)

    idle, slow, stream = H2(server, kind), H2(server, kind), H2(server, kind)
    slow.send(frame(HEADERS, END_HEADERS, 1, echo("Slow")), frame(DATA, END_STREAM, 1, message(n=7, ms=AGE_MS + 3000)))
    stream.send(frame(HEADERS, END_HEADERS, 1, echo("Subscribe")), frame(DATA, END_STREAM, 1, message(n=1)))
    kept = H1(server, kind)
    kept.send(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n")
    first = kept.answer()
    check("young HTTP/1.1 is kept", first and "connection" not in first[1], first)

    seen = idle.until(lambda f: f[0] == GOAWAY)
    check("first GOAWAY names no stream", last_ids(seen) == [0x7fffffff] and goaways(seen)[0][0] == 0, seen)
    idle.send(frame(HEADERS, END_HEADERS, 1, echo("Unary")), frame(DATA, END_STREAM, 1, message(n=1)))
    seen = idle.until(lambda f: ended(f, 1))
    check("a call that crosses it is served", status_of(seen) == 0, seen)
    seen = idle.until(lambda f: False)
    check("second GOAWAY names the last stream, then the end", last_ids(seen) == [1] and seen[-1][0] == "eof", seen)
    check("HTTP/1.1 without a request is closed", kept.closed())

    seen = slow.until(lambda f: f[0] == GOAWAY and last_ids([f]) == [1])
    check("a busy connection is told too", last_ids(seen) == [0x7fffffff, 1], seen)
    slow.send(frame(HEADERS, END_HEADERS, 3, echo("Unary")), frame(DATA, END_STREAM, 3, message(n=1)))
    seen = slow.until(lambda f: ended(f, 1))
    check("a call in flight finishes", status_of([f for f in seen if f[2] == 1]) == 0, seen)
    check("a later one is refused, for another connection", all(f[0] == 3 and f[3][3] == 7 for f in seen if f[2] == 3), seen)
    check("and then it ends", slow.until(lambda f: False)[-1][0] in ("eof", "reset"))
    seen = stream.until(lambda f: ended(f, 1))
    check("a stream ends with UNAVAILABLE after the grace", status_of(seen) == 14 and last_ids(seen) == [0x7fffffff, 1], seen)
    check("and its connection ends", stream.until(lambda f: False)[-1][0] == "eof")


def t_jitter(server, report):
    """Thirty that came together do not leave together."""
    held = [H2(server, "unix") for _ in range(30)]
    born, told = time.time(), []

    def wait(c):
        seen = c.until(lambda f: f[0] == GOAWAY)
        if seen and seen[-1][0] == GOAWAY:
            told.append(time.time() - born)

    threads = [threading.Thread(target=wait, args=(c,)) for c in held]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    report.check("all are told, none before nine tenths of the age", len(told) == 30 and min(told) >= 10 * 0.9 - 0.1, told)
    # Ages are looked at once a second: +-1 s is three turns of the tick at least.
    report.check("they are spread", max(told) - min(told) > 0.5, (min(told), max(told)))
    for c in held:
        c.close()


def main():
    report = Report()
    with Server("--age", str(AGE_MS), str(GRACE_MS)) as server, Server("--age", "10000", "1000") as old:
        threads = [threading.Thread(target=one_kind, args=(kind, server, report)) for kind in KINDS]
        threads.append(threading.Thread(target=t_jitter, args=(old, report)))
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for s in (server, old):
            status, said = s.stop()
            report.check("ends clean", status == 0, (status, said[-2000:]))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
