#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random, mostly valid frame sequences over every kind of listener; FUZZ_SECONDS and FUZZ_SEED steer it."""
import os
import random
import struct
import sys
import time

from wire import (CONTINUATION, DATA, END_HEADERS, END_STREAM, H2, HAS_PRIORITY, HEADERS, KINDS, PADDED, PING, PRIORITY,
                  RST, SETTINGS, WINDOW, Report, Server, echo, frame, head, literal, message, status_of)

METHODS = ["Unary", "Work", "Slow", "Block", "Fail", "ServerStream", "Subscribe", "Nobody", "Nope", "ClientStream"]


def body(r):
    pick = r.randrange(8)
    if pick == 0:
        return bytes(r.randrange(40))
    if pick == 1:
        return message(n=5)[:r.randrange(8)]
    if pick == 2:
        return b"\0\xff\xff\xff\xff"
    return message(n=r.randrange(1, 20), ms=r.choice([0, 1, 20]), size=r.choice([0, 10, 1000, 70000]),
                   data=bytes(r.choice([0, 5, 3000])))


class Fuzzer:
    def __init__(self, r):
        self.r = r
        self.next_id = 1
        self.ids = [1]

    def request(self):
        r = self.r
        stream = self.next_id
        self.next_id += 2
        self.ids.append(stream)
        extra = r.choice([b"", b"", b"", literal("grpc-timeout", r.choice(["1m", "50m", "1S", "x"])),
                          literal("content-length", "3"), b"\x40\x01a\x01b", b"\xbe", literal("A", "b"), b"\x82"])
        block = echo(r.choice(METHODS), extra=extra) if r.random() < .9 else head("/x?y", "text/plain", method="PUT")
        flags = r.choice([0, 0, 0, END_STREAM])
        if r.random() < .15:
            at = r.randrange(len(block))
            return frame(HEADERS, flags, stream, block[:at]) + frame(CONTINUATION, END_HEADERS, stream, block[at:])
        if r.random() < .1:
            return frame(HEADERS, flags | END_HEADERS | HAS_PRIORITY, stream, struct.pack(">IB", r.choice(self.ids), 15) + block)
        if r.random() < .05:
            return frame(HEADERS, flags | END_HEADERS | PADDED, stream, b"\x03" + block + bytes(3))
        return frame(HEADERS, flags | END_HEADERS, stream, block)

    def data(self, stream):
        b = body(self.r)
        flags = self.r.choice([0, 0, END_STREAM])
        return b"".join(frame(DATA, flags, stream, b[i:i + 16000]) for i in range(0, max(1, len(b)), 16000))

    def one(self):
        r = self.r
        stream = r.choice(self.ids[-8:])
        kind = r.randrange(100)
        if kind < 30:
            return self.request()
        if kind < 55:
            return self.data(stream)
        if kind < 65:
            return frame(RST, 0, stream if stream < self.next_id else 1, struct.pack(">I", r.choice([0, 8, 2])))
        if kind < 80:
            n = r.choice([1, 100, 65535, 1 << 20, 0x7fffffff, 0]) if r.random() < .3 else r.randrange(1, 70000)
            return frame(WINDOW, 0, r.choice([0, stream]), struct.pack(">I", n))
        if kind < 86:
            return frame(SETTINGS, 0, 0, struct.pack(">HI", r.choice([4, 4, 4, 1, 5]), r.choice([0, 1, 1000, 65535, 1000000, 0x7fffffff])))
        if kind < 90:
            return frame(PING, r.choice([0, 1]), 0, b"abcdefgh")
        if kind < 93:
            return frame(PRIORITY, 0, stream, struct.pack(">IB", r.choice(self.ids[-4:] + [0]), 15))
        if kind < 95:
            return frame(HEADERS, END_STREAM | END_HEADERS, stream, b"\x40\x01c\x01d")
        if kind < 97:
            return frame(r.randrange(12), r.randrange(256), stream, bytes(r.randrange(256) for _ in range(r.randrange(30))))
        return b""


def connection(server, kind, r):
    settings = r.choice([b"", struct.pack(">HI", 4, r.choice([0, 1, 100, 65535, 0x7fffffff])), struct.pack(">HI", 5, 16384)])
    c = H2(server, kind, settings)
    f = Fuzzer(r)
    n = 0
    try:
        for _ in range(r.randrange(1, 80)):
            b = b"".join(f.one() for _ in range(r.randrange(1, 6)))
            n += 1
            if b and r.random() < .1:
                at = r.randrange(len(b))
                c.send(b[:at])
                c.send(b[at:])
            else:
                c.send(b)
            if r.random() < .05:
                c.read(0.002)
    except OSError:
        pass
    c.close()
    return n


def main():
    report = Report()
    seconds = float(os.environ.get("FUZZ_SECONDS", "20"))
    seed = int(os.environ.get("FUZZ_SEED", str(int(time.time()))))
    r = random.Random(seed)
    with Server("--loops", "2") as server:
        end = time.time() + seconds
        batches = connections = 0
        while time.time() < end and server.alive():
            try:
                batches += connection(server, r.choice(KINDS), r)
            except OSError:
                pass
            connections += 1
        print("seed %d: %d batches over %d connections" % (seed, batches, connections))
        report.check("the server stands (seed %d)" % seed, server.alive(), server.said())
        if not server.alive():
            return report.end()
        for kind in KINDS:
            seen = H2(server, kind).call("Unary", message(n=1))
            report.check("serves over " + kind, status_of(seen) == 0, seen)
        started = server.stats()["started"]
        report.check("every call was given back (seed %d)" % seed, server.settle("ended", started) == started, server.stats())
        report.check("every exchange too", server.settle("http", 1) == 1, server.stats())
        status, said = server.stop()
        report.check("ends clean (seed %d)" % seed, status == 0, (status, said[-3000:]))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
