#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Uploads whose handler does not read stall nobody else on their connection: the
connection is credited when bytes arrive, a stream only when its handler took
them, so what waits is bounded by the streams' windows. Held here by Both, which
takes a rest of as many milliseconds as a message says. What is seen of resting
handlers counts only while they rest.
"""
import struct
import sys
import threading
import time

from wire import (DATA, END_HEADERS, END_STREAM, H2, HEADERS, KINDS, RST, WINDOW, Report, Server, echo, ended,
                  frame, goaways, message, status_of)

N_PAUSED, WINDOW_LEN = 6, 256 << 10
RESTS_MS = 2000, 6000, 20000, 50000  # the next where a busy machine needed more
FRAME = 16000
UPLOAD = 3 << 20


class RestOver(Exception):
    """It was over before all was seen."""


def fill(c, stream, rest_ms):
    """The whole window of a stream: one message that rests, then as many as fit, cut anywhere."""
    first = message(n=1, ms=rest_ms)
    more = message(n=2, data=bytes(1000))
    data = (first + more * (WINDOW_LEN // len(more) + 1))[:WINDOW_LEN]
    c.send(frame(HEADERS, END_HEADERS, stream, echo("Both")))
    c.send(*[frame(DATA, 0, stream, data[i:i + FRAME]) for i in range(0, len(data), FRAME)])
    return (first + more * (WINDOW_LEN // len(more) + 1))[WINDOW_LEN:]


class Credits:
    """What the server has allowed, by stream; 0 is the connection."""

    def __init__(self):
        self.left = {0: 65535}
        self.seen = []

    def note(self, f):
        if f is None or f[0] in ("eof", "reset"):
            raise RuntimeError("no more credit comes: %s" % (f,))
        self.seen.append(f)
        if f[0] == WINDOW:
            self.left[f[2]] = self.left.get(f[2], WINDOW_LEN) + int.from_bytes(f[3], "big")


def upload(c, credits, stream):
    """A long message within its windows; whether it got through before anything of the paused did."""
    data = message(n=7, data=bytes(UPLOAD))
    credits.left[stream] = WINDOW_LEN
    c.send(frame(HEADERS, END_HEADERS, stream, echo("Unary")))
    at = 0
    while not any(ended(f, stream) for f in credits.seen[-1:]):
        while at < len(data) and min(credits.left[0], credits.left[stream]) >= FRAME:
            piece = data[at:at + FRAME]
            c.send(frame(DATA, END_STREAM if at + len(piece) == len(data) else 0, stream, piece))
            at += len(piece)
            for key in (0, stream):
                credits.left[key] -= len(piece)
        f = c.read()
        if f is None or f[0] in ("eof", "reset"):
            return False
        credits.note(f)
    return True


def t_paused(s, kind, check, rest_ms):
    before = s.rss_kib()
    over = time.monotonic() + rest_ms / 1000
    c = H2(s, kind, struct.pack(">HI", 4, 1 << 24))
    credits = Credits()
    c.send(frame(WINDOW, 0, 0, struct.pack(">I", 1 << 24)))
    while credits.left[0] < 1 << 20:  # SETTINGS and the connection's window have come
        credits.note(c.read())
    rest = {}
    for stream in range(1, 2 * N_PAUSED, 2):
        rest[stream] = fill(c, stream, rest_ms)
        credits.left[0] -= WINDOW_LEN
        while credits.left[0] < WINDOW_LEN:
            credits.note(c.read())
    through = upload(c, credits, 2 * N_PAUSED + 1)
    grown = s.rss_kib() - before
    # One more byte for a stream that has no credit ends that stream and no other.
    c.send(frame(DATA, 0, 1, b"x"))
    overrun = c.until(lambda f: f[0] == RST and f[2] == 1, max(0.1, over - time.monotonic()))
    if time.monotonic() >= over and rest_ms != RESTS_MS[-1]:
        raise RestOver
    check("more was taken than one connection's window", N_PAUSED * WINDOW_LEN > 1 << 20)
    check("another upload runs through", through and status_of([f for f in credits.seen if f[2] == 2 * N_PAUSED + 1]) == 0,
          credits.seen[-3:])
    echoes = {stream: sum(len(f[3]) for f in credits.seen if f[0] == DATA and f[2] == stream) for stream in rest}
    check("the others still rest", all(n <= len(message(n=1, ms=rest_ms)) for n in echoes.values()), echoes)
    check("and have no more credit", not any(f[0] == WINDOW and f[2] in rest for f in credits.seen), "")
    check("memory is bounded by their windows", grown < 4 * N_PAUSED * WINDOW_LEN // 1024 + 2 * UPLOAD // 1024 or s.sanitized(),
          "%d KiB" % grown)
    check("an overrun window", overrun and overrun[-1][0] == RST and overrun[-1][3] == struct.pack(">I", 3), overrun[-1:])
    for f in overrun:
        credits.note(f)
    for stream in list(rest)[1:]:
        while credits.left.get(stream, 0) < 2 * FRAME and not any(f[0] in ("eof", "reset") for f in credits.seen[-1:]):
            f = c.read()
            if f is None:
                break
            credits.note(f)
        c.send(frame(DATA, END_STREAM, stream, rest[stream][:2 * FRAME][:FRAME] if len(rest[stream]) > FRAME else rest[stream]))
    for stream in list(rest)[1:]:
        if not any(ended(f, stream) for f in credits.seen):
            for f in c.until(lambda f, stream=stream: ended(f, stream)):
                credits.note(f)
        check("paused upload %d goes on and ends" % stream, status_of([f for f in credits.seen if f[2] == stream]) == 0,
              credits.seen[-2:])
    check("the connection lives", not goaways(credits.seen))
    c.close()
    started = s.stats()["started"]
    check("all were given back", s.settle("ended", started) == started, s.stats())


def main():
    report = Report()

    def attempt(kind, rest_ms):
        """Its checks; None: nothing can be said."""
        checks = []
        with Server() as server:
            try:
                t_paused(server, kind, lambda what, ok, seen="": checks.append((what, ok, seen)), rest_ms)
            except RestOver:
                return None
            except RuntimeError as e:
                if rest_ms != RESTS_MS[-1] and not checks:
                    return None
                checks.append(("credit", False, e))
            status, said = server.stop()
            checks.append(("ends clean", status == 0, (status, said[-2000:])))
        return checks

    def one_kind(kind):
        checks = None
        for rest_ms in RESTS_MS:
            checks = checks or attempt(kind, rest_ms)
        for what, ok, seen in checks:
            report.check(kind + ": " + what, ok, seen)

    threads = [threading.Thread(target=one_kind, args=(kind,)) for kind in KINDS]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
