#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Every patience of the transport on a clock that the test moves: slow handshakes,
heads and bodies, silent and idle connections, windows that never open, peers that
do not read or do not answer. What is in order outlives all of them.
"""
import struct
import sys
import threading
import time

from wire import (ACK, DATA, END_HEADERS, END_STREAM, H1, H2, HEADERS, KINDS, PING, PREFACE, RST, WINDOW, Report,
                  Server, echo, ended, frame, head, message, status_of)

SUBSCRIBE = (frame(HEADERS, END_HEADERS, 1, echo("Subscribe")), frame(DATA, END_STREAM, 1, message(n=1)))


class Raw:
    """A socket before any protocol, not even TLS."""

    def __init__(self, server, kind, first):
        self.s = server.socket("unix" if kind == "unix" else "plain") if kind != "tls" else raw_tcp(server)
        self.s.sendall(first)


def raw_tcp(server):
    ports = server.ports
    server.ports = dict(ports, plain=ports["tls"])
    try:
        return server.socket("plain")
    finally:
        server.ports = ports


class Held:
    """One connection and what came on it; PINGs are answered, unless it plays dead."""

    def __init__(self, c, dead=False, reads=True):
        self.c, self.dead, self.reads = c, dead, reads
        self.frames, self.over = [], False

    def look(self, seconds=0.01):
        """What has come; True while the connection stands."""
        if self.over or not self.reads:
            return not self.over
        if isinstance(self.c, H2):
            for f in self.c.until(lambda f: False, seconds):
                self.frames.append(f)
                if f[0] == PING and not f[1] & ACK and not self.dead:
                    self.c.send(frame(PING, ACK, 0, f[3]))
                self.over |= f[0] in ("eof", "reset")
            return not self.over
        self.c.s.settimeout(seconds)
        try:
            while not self.over:
                self.over = not self.c.s.recv(65536)
        except (TimeoutError, OSError) as e:
            self.over = not isinstance(e, TimeoutError)
        return not self.over

    def ends(self, seconds=20):
        """Waits for the end; for one that does not read, until what was sent to it has come."""
        self.reads = True
        end = time.time() + seconds
        while time.time() < end and self.look(0.5):
            pass
        return self.over


class Timeline:
    def __init__(self, server, kind, check):
        self.server, self.kind, self.check, self.at_ms = server, kind, check, 0
        self.held = {}

    def h1(self, name, data):
        c = H1(self.server, self.kind)
        c.send(data)
        self.held[name] = Held(c)

    def h2(self, name, *frames, dead=False, reads=True, settings=b"", receive_buffer=0):
        c = H2(self.server, self.kind, settings, receive_buffer)
        c.send(*frames)
        self.held[name] = Held(c, dead, reads)

    def until(self, ms):
        """Moves the clock there in one step; the server looks at its connections within a second."""
        for h in self.held.values():
            h.look()
        c = H1(self.server, "unix")
        c.send(b"GET /later?%d HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n" % (ms - self.at_ms))
        c.answer()
        c.close()
        self.at_ms = ms
        time.sleep(1.3)
        for h in self.held.values():
            h.look()

    def stand(self, *names):
        for name in names:
            self.check("%s stands at %d s" % (name, self.at_ms // 1000), self.held[name].look(), self.held[name].frames[-2:])

    def gone(self, *names):
        for name in names:
            h = self.held.pop(name)
            self.check("%s is over at %d s" % (name, self.at_ms // 1000), h.ends(), h.frames[-2:])
            h.c.s.close()

    def others(self):
        return list(self.held)


def one_kind(kind, report):
    with Server() as server:
        t = Timeline(server, kind, lambda what, ok, seen="": report.check(kind + ": " + what, ok, seen))
        t.until(1000)  # from now on time stands
        t.held["a silent handshake"] = Held(Raw(server, kind, b"" if kind == "tls" else PREFACE[:10]))
        t.h1("half a head", b"GET / HTTP/1.1\r\nhost: local")
        t.h2("half a header block", frame(HEADERS, END_STREAM, 1, echo("Unary")[:20]))
        t.h2("half a frame", frame(HEADERS, END_HEADERS | END_STREAM, 1, echo("Unary"))[:40])
        t.h1("half a body", b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nabc")
        t.h2("half a message", frame(HEADERS, END_HEADERS, 1, echo("Unary")), frame(DATA, 0, 1, message(n=1)[:3]))
        t.h2("silence after the preface")
        t.h1("a used HTTP/1.1 connection", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        t.h2("a used HTTP/2 connection", frame(HEADERS, END_HEADERS, 1, echo("Unary")), frame(DATA, END_STREAM, 1, message(n=1)))
        t.h2("a window that never opens", frame(HEADERS, END_HEADERS, 1, echo("ServerStream")),
             frame(DATA, END_STREAM, 1, message(n=1, size=1000)), settings=struct.pack(">HI", 4, 0))
        t.h2("a peer that does not read", frame(WINDOW, 0, 0, struct.pack(">I", 0x7fff0000)),
             *[frame(HEADERS, END_HEADERS | END_STREAM, i, head("/big", "text/plain", method="GET")) for i in (1, 3)],
             settings=struct.pack(">HI", 4, 0x7fffffff), receive_buffer=4096, reads=False)
        t.h2("a peer that plays dead", *SUBSCRIBE, dead=True)
        t.h2("an idle server stream", *SUBSCRIBE)
        t.h2("an idle client stream", frame(HEADERS, END_HEADERS, 1, echo("ClientStream")), frame(DATA, 0, 1, message(n=1)))
        t.h1("events", b"GET /sse HTTP/1.1\r\nhost: localhost\r\n\r\n")
        time.sleep(0.3)
        t.until(10000)
        t.stand(*t.others())
        t.until(13000)
        t.gone("a silent handshake", "half a head", "half a header block")
        t.stand(*t.others())
        t.until(33000)
        t.gone("half a frame")  # its time counts from the first look at it, here at 10 s
        t.check("silence with a stream is asked by PING", any(f[0] == PING for f in t.held["a peer that plays dead"].frames))
        t.stand(*t.others())
        t.until(55000)
        t.gone("a peer that plays dead")
        t.until(59000)
        t.stand(*t.others())
        t.until(63500)
        t.gone("half a body", "silence after the preface", "a peer that does not read")
        for name, code in (("half a message", 8), ("a window that never opens", 11)):
            seen = t.held[name].frames
            t.check(name + " ends its stream", [f[3][3] for f in seen if f[0] == RST] == [code], seen)
        t.stand(*t.others())
        for seconds in (180, 299):
            t.until(seconds * 1000)
        t.stand(*t.others())
        t.until(303000)
        t.gone("a used HTTP/1.1 connection", "a used HTTP/2 connection")
        t.stand("an idle server stream", "an idle client stream", "events", "half a message")
        c = t.held["an idle client stream"].c
        c.send(frame(DATA, END_STREAM, 1, message(n=2)))
        seen = c.until(lambda f: ended(f, 1))
        t.check("the idle client stream goes on", status_of(seen) == 0, seen)
        for h in t.held.values():
            h.c.s.close()
        started = server.stats()["started"]
        t.check("every call was given back", server.settle("ended", started) == started, server.stats())


def main():
    report = Report()
    threads = [threading.Thread(target=one_kind, args=(kind, report)) for kind in KINDS]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
