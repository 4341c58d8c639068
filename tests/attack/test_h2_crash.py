#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
The known ways to kill a stock libh2o 2.2.5: its assertion on windows of finished
streams, by SETTINGS (route A) and by WINDOW_UPDATE (route B), and its endless
loop over CONTINUATION during a drain. Here they must do nothing.
"""
import struct
import sys
import time

from wire import (CONTINUATION, DATA, END_HEADERS, END_STREAM, H2, HEADERS, KINDS, SETTINGS, WINDOW, Report, Server,
                  echo, frame, message, status_of)


def full_pipes(server, kind, size, n=60):
    """Answers whose last write waits for the peer."""
    c = H2(server, kind, struct.pack(">HI", 4, 0x7fffffff), receive_buffer=4096)
    c.send(frame(WINDOW, 0, 0, struct.pack(">I", 0x7fff0000)))
    for j in range(n):
        c.send(frame(HEADERS, END_HEADERS, 2 * j + 1, echo("ServerStream")) +
               frame(DATA, END_STREAM, 2 * j + 1, message(n=1, size=size)))
        time.sleep(0.001)
    time.sleep(0.2)
    return c


def route_a(server, kind):
    c = full_pipes(server, kind, 50000)
    try:
        for value in (0, 1000000, 5, 2000000, 0, 0x7fffffff):
            c.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, value)))
            time.sleep(0.02)
    except OSError:
        pass
    c.close()


def route_b(server, kind):
    """A window exactly as long as the answer, then more of it."""
    size = 65535 - 5 - 1 - 3
    c = H2(server, kind, receive_buffer=4096)
    for j in range(20):
        c.send(frame(HEADERS, END_HEADERS, 2 * j + 1, echo("ServerStream")) +
               frame(DATA, END_STREAM, 2 * j + 1, message(n=1, size=size)))
        c.send(frame(WINDOW, 0, 0, struct.pack(">I", 65535)))
        c.send(frame(WINDOW, 0, 2 * j + 1, struct.pack(">I", 1000)))
    for j in range(20):
        c.send(frame(WINDOW, 0, 2 * j + 1, struct.pack(">I", 1000)))
    c.until(lambda f: False, 0.2)
    c.close()
    c = full_pipes(server, kind, 200000)
    try:
        for j in range(60):
            c.send(frame(WINDOW, 0, 2 * j + 1, struct.pack(">I", 1000)))
    except OSError:
        pass
    time.sleep(0.1)
    c.close()


def spin(server, kind, report):
    c = H2(server, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, echo("Subscribe")), frame(DATA, END_STREAM, 1, message(n=1)))
    c.send(frame(HEADERS, END_STREAM, 3, echo("Unary")[:10]))
    time.sleep(0.2)
    server.process.terminate()
    time.sleep(0.9)  # the second GOAWAY is out
    before = server.cpu_ticks()
    try:
        c.send(frame(CONTINUATION, 0, 3, b"\x82"))
    except OSError:
        pass
    time.sleep(0.5)
    used = server.cpu_ticks() - before if server.alive() else 0
    report.check(kind + ": CONTINUATION during a drain does not spin", used < 20, used)
    report.check(kind + ": and the drain ends", server.process.wait(20) == 0, server.said())


def main():
    report = Report()
    for kind in KINDS:
        with Server("--grace", "3000") as server:
            for attack in (route_a, route_b):
                for _ in range(3):
                    attack(server, kind)
                seen = H2(server, kind).call("Unary", message(n=1)) if server.alive() else []
                report.check("%s: stands and serves after %s" % (kind, attack.__name__), status_of(seen) == 0, server.said())
                if not server.alive():
                    return report.end()
            started = server.stats()["started"]
            report.check(kind + ": every call was given back", server.settle("ended", started) == started, server.stats())
            spin(server, kind, report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
