# SPDX-License-Identifier: Apache-2.0
"""An honest neighbour's calls, one after the other, while one attack after the other runs from
another address. Attackers are processes on the same machine and take their share of its CPU, so
beside the time there is what the server itself computed while the neighbour waited: that much is
its fault, whatever else the machine does."""
import gzip
import multiprocessing
import resource
import socket
import struct
import sys
import time

from figures import ROOT, ROUNDS, build, cpu_seconds, figure
from rivals import Rival

sys.path.insert(0, ROOT + "/tests/attack")
import test_h2_abuse as abuse  # noqa: E402
from wire import (ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, SETTINGS, WINDOW, echo, frame, integer,  # noqa: E402
                  literal, message)

ROUND_S = 1.0
P99_AIM_MS = 20
SETTLE_S, QUICK_MS = 2, 2
ATTACKER, NEIGHBOUR = "127.66.0.2", "127.77.0.2"
BATCH = 200


def connect(port, source):
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.bind((source, 0))
    s.settimeout(5)
    s.connect(("127.0.0.1", port))
    return s


# --- attacks: each sends until its connection ends ---

def flood(first, make):
    batches = [b"".join(make(i) for i in range(at, at + BATCH)) for at in range(0, 50 * BATCH, BATCH)]

    def attack(port):
        with connect(port, ATTACKER) as s:
            s.sendall(PREFACE + frame(SETTINGS, 0, 0) + first)
            for batch in batches:
                s.sendall(batch)
    return attack


def header_bomb(port):
    value = b"x" * 3900
    fat = b"\x40" + integer(0, 7, 1) + b"a" + integer(0, 7, len(value)) + value
    with connect(port, ATTACKER) as s:
        s.sendall(PREFACE + frame(SETTINGS, 0, 0))
        for i in range(100):
            s.sendall(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1,
                            echo("Unary") + (fat if i == 0 else b"") + b"\xbe" * 57))


def slow_bodies(port):
    held = []
    for _ in range(50):
        s = connect(port, ATTACKER)
        s.sendall(PREFACE + frame(SETTINGS, 0, 0) +
                  b"".join(frame(HEADERS, END_HEADERS, 2 * i + 1, echo("Unary")) for i in range(90)))
        held.append(s)
    for _ in range(5):
        for s in held:
            s.sendall(b"".join(frame(DATA, 0, 2 * i + 1, b"\0") for i in range(90)))
        time.sleep(0.05)
    for s in held:
        s.close()


def zero_window(port):
    held = []
    for _ in range(5):
        s = connect(port, ATTACKER)
        s.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + b"".join(
            frame(HEADERS, END_HEADERS, 2 * i + 1, echo("ServerStream")) +
            frame(DATA, END_STREAM, 2 * i + 1, message(n=5, size=10000)) for i in range(90)))
        held.append(s)
    time.sleep(0.2)
    for s in held:
        s.close()


def connections(port):
    held = []
    for _ in range(500):
        s = connect(port, ATTACKER)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        held.append(s)
    for s in held:
        s.close()


def gzip_bombs(port):
    bomb = gzip.compress(bytes(64 << 20))
    head = echo("Unary", extra=literal("grpc-encoding", "gzip"))
    body = b"\1" + struct.pack(">I", len(bomb)) + bomb
    with connect(port, ATTACKER) as s:
        s.sendall(PREFACE + frame(SETTINGS, 0, 0))
        for i in range(50):
            s.sendall(frame(HEADERS, END_HEADERS, 2 * i + 1, head) +
                      b"".join(frame(DATA, 0, 2 * i + 1, body[at:at + 16384]) for at in range(0, len(body), 16384)) +
                      frame(DATA, END_STREAM, 2 * i + 1))


ATTACKS = {"header bomb": header_bomb, "slow bodies": slow_bodies, "zero windows": zero_window,
           "connection flood": connections, "gzip bombs": gzip_bombs}
ATTACKS.update({name: flood(*abuse.FLOODS[name]) for name in (
    "rapid reset", "MadeYouReset by WINDOW_UPDATE 0", "MadeYouReset by DATA after END_STREAM", "CONTINUATION", "PING",
    "SETTINGS", "empty DATA")})


def attacker(attack, port):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))
    while True:
        try:
            attack(port)
        except OSError:
            pass


# --- the neighbour ---

class Neighbour:
    """Unary calls on one connection, one at a time."""

    def __init__(self, port):
        self.s = connect(port, NEIGHBOUR)
        self.s.settimeout(60)
        self.s.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(WINDOW, 0, 0, b"\x7f\xff\0\0"))
        self.buffer, self.id = b"", 1
        self.head, self.body = echo("Unary"), message(data=b"x" * 60, n=7)

    def next_frame(self):
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            got = self.s.recv(65536)
            if not got:
                raise SystemExit("the neighbour was cut off")
            self.buffer += got
        size = int.from_bytes(self.buffer[:3], "big")
        f, self.buffer = self.buffer[:9 + size], self.buffer[9 + size:]
        return f

    def call(self):
        """Milliseconds."""
        start = time.perf_counter()
        self.s.sendall(frame(HEADERS, END_HEADERS, self.id, self.head) + frame(DATA, END_STREAM, self.id, self.body))
        while True:
            f = self.next_frame()
            if f[3] == SETTINGS and not f[4] & ACK:
                self.s.sendall(frame(SETTINGS, ACK, 0))
            elif f[3] == PING and not f[4] & ACK:
                self.s.sendall(frame(PING, ACK, 0, f[9:]))
            elif int.from_bytes(f[5:9], "big") == self.id and f[4] & END_STREAM:
                break
        self.id += 2
        return (time.perf_counter() - start) * 1e3

    def watch(self, seconds, pid):
        """p50 and p99 of a call, p99 of the server's own time during one, all in ms."""
        times, own, end = [], [], time.time() + seconds
        while time.time() < end:
            before = cpu_seconds(pid)
            times.append(self.call())
            own.append((cpu_seconds(pid) - before) * 1e3)
            time.sleep(0.0005)
        times.sort()
        own.sort()
        return times[len(times) // 2], times[int(len(times) * 0.99)], own[int(len(own) * 0.99)]


def settle(neighbour):
    """What one attack left to do is not the next one's."""
    quick, end = 0, time.time() + SETTLE_S
    while quick < 20 and time.time() < end:
        quick = quick + 1 if neighbour.call() < QUICK_MS else 0


def under(attack, server, neighbour):
    process = None
    if attack:
        process = multiprocessing.get_context("fork").Process(target=attacker, args=(attack, server.port), daemon=True)
        process.start()
        time.sleep(0.1)
    try:
        return neighbour.watch(ROUND_S, server.process.pid)
    finally:
        if process:
            process.kill()
            process.join()
            settle(neighbour)


def main():
    build("echo_server")
    names = [None, *ATTACKS]
    seen = {name: [] for name in names}
    server = Rival("qmesh", False)
    try:
        neighbour = Neighbour(server.port)
        for _ in range(ROUNDS):
            for name in names:
                seen[name].append(under(ATTACKS.get(name), server, neighbour))
    finally:
        server.stop()
    for name in names:
        what = "bystander under %s" % name if name else "bystander in peace"
        figure("rpc", what + ": p50", [row[0] for row in seen[name]], "ms")
        figure("rpc", what + ": p99", [row[1] for row in seen[name]], "ms", aim=P99_AIM_MS, lower_is_better=True)
        figure("rpc", what + ": p99 of the server's own time", [row[2] for row in seen[name]], "ms", aim=P99_AIM_MS,
               lower_is_better=True)
