#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is refused, cancelled or blown up leaves nothing behind in a real Control Panel.

20,000 refused connections, 20,000 cancelled calls, bombs of gzip over three
protocols and of headers, floods of every kind of frame: after each class no connection is held, the process
is as large as after the class's first quarter, and a neighbour was served all
the time. Its calls are counted, not timed.
"""
import gzip
import os
import random
import socket
import struct
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import meshrpc
from meshrpc import PASSWORD, Refused, http
from wire import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, PRIORITY, RST, SETTINGS, WINDOW,
                  Report, frame, head, integer, literal)

WAIT_S = 60
MANY = 20000
SANITIZER = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:quarantine_size_mb=4:malloc_context_size=6:"
                             "thread_local_quarantine_size_kb=16:allocator_release_to_os_interval_ms=500"}
# What a class may leave: 150 bytes a piece. A sanitizer keeps blocks for each of sixty threads.
PLAIN_MAX_KIB, SANITIZED_MAX_KIB = 3 << 10, 40 << 10
SERVICE = "/quazzar.mesh.v1.MeshService/"
BOMB = gzip.compress(bytes(8 << 20), mtime=0)


class Panel:
    def __init__(self, cp, port):
        self.cp, self.metrics_port, self.token = cp, port, None

    def connect(self):
        s = socket.socket()
        s.settimeout(WAIT_S)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.bind(("127.%d.%d.%d" % (random.randrange(1, 255), random.randrange(256), random.randrange(1, 255)), 0))
        s.connect(("127.0.0.1", self.cp.port))
        return s

    def auth(self):
        value = "Bearer " + self.token
        return b"\0" + integer(0, 7, 13) + b"authorization" + integer(0, 7, len(value)) + value.encode()

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=WAIT_S) as answer:
            rows = (line.split() for line in answer.read().decode().splitlines())
            return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}

    def rss_kib(self):
        with open(f"/proc/{self.cp.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def growth_max_kib(self):
        with open(f"/proc/{self.cp.process.pid}/maps", encoding="ascii") as f:
            return SANITIZED_MAX_KIB if "libasan" in f.read() else PLAIN_MAX_KIB

    def settled(self, most):
        """Connections held, once they are no more than that."""
        end = time.monotonic() + WAIT_S
        while True:
            n = self.metrics()["qmesh_connections"]
            if n <= most or time.monotonic() > end:
                return n
            time.sleep(0.05)


def read_all(s):
    """What came until the end of the connection."""
    got = []
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            got.append(piece)
    except OSError:
        pass
    return b"".join(got)


def read_until(s, needle):
    """What came until those bytes or the end."""
    got = b""
    try:
        while needle not in got:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
    except OSError:
        pass
    return got


def refused_connections(panel, n):
    """A head that no server may take: 400, and the end."""
    bad = 0
    for _ in range(n):
        s = panel.connect()
        s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon here\r\n\r\n")
        bad += not read_all(s).startswith(b"HTTP/1.1 400")
        s.close()
    return bad, n


def cancelled_calls(panel, n):
    """Unary calls and streams, begun and taken back; fewer on a connection than the guard cuts."""
    bad, done, auth = 0, 0, panel.auth()
    while done < n:
        s = panel.connect()
        out = [PREFACE, frame(SETTINGS, 0, 0)]
        for i in range(150):
            stream = 2 * i + 1
            method = ("WatchState", "ListDevices", "GetState")[i % 3]
            out += [frame(HEADERS, END_HEADERS, stream, head(SERVICE + method, extra=auth)),
                    frame(DATA, END_STREAM, stream, bytes(5)), frame(RST, 0, stream, struct.pack(">I", 8))]
        s.sendall(b"".join(out) + frame(PING, 0, 0, b"all gone"))
        bad += b"all gone" not in read_until(s, b"all gone")
        s.close()
        done += 150
    return bad, done


def gzip_bombs(panel, n):
    """8 MiB of zeros in 8 KiB, where a message of that method may have a few KiB."""
    bad, done = 0, 0
    envelope = b"\1" + struct.pack(">I", len(BOMB)) + BOMB
    http1 = "POST %sListDevices HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s\r\n" \
            "Connection: close\r\nContent-Length: %d\r\n\r\n"
    while done < n:
        s = panel.connect()
        s.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(
            HEADERS, END_HEADERS, 1, head(SERVICE + "ListDevices", extra=literal("grpc-encoding", "gzip") + panel.auth())) +
            frame(DATA, END_STREAM, 1, envelope))
        bad += b"grpc-status\x018" not in read_until(s, b"grpc-status\x018")
        s.close()
        for kind, coding, body in (("application/grpc-web", "Grpc-Encoding", envelope),
                                   ("application/proto", "Content-Encoding", BOMB)):
            s = panel.connect()
            s.sendall((http1 % (SERVICE, panel.token, f"Content-Type: {kind}\r\n{coding}: gzip", len(body))).encode() + body)
            got = read_all(s)
            bad += b"grpc-status: 8" not in got and b"resource_exhausted" not in got
            s.close()
        done += 3
    return bad, done


def header_bombs(panel, n):
    """One 4 KiB value in the table, then a byte for each copy of it."""
    fat = b"\x40" + integer(0, 7, 1) + b"a" + integer(0, 7, 3900) + b"x" * 3900
    bad = 0
    for _ in range(n):
        s = panel.connect()
        try:
            s.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(
                HEADERS, END_HEADERS | END_STREAM, 1, head(SERVICE + "ListDevices") + fat + b"\xbe" * 3000))
        except OSError:
            pass
        bad += b"grpc-status" in read_all(s)
        s.close()
    return bad, n


def floods(panel, n):
    """What is cheap to send and dear to serve, past what the guard allows: the connection ends."""
    request = frame(HEADERS, END_HEADERS, 1, head(SERVICE + "GetState", extra=panel.auth()))
    kinds = (
        [frame(HEADERS, END_HEADERS, 2 * i + 1, head(SERVICE + "GetState", extra=panel.auth())) +
         frame(RST, 0, 2 * i + 1, struct.pack(">I", 8)) for i in range(1500)],
        [frame(HEADERS, END_HEADERS, 2 * i + 1, head(SERVICE + "GetState")) +
         frame(WINDOW, 0, 2 * i + 1, bytes(4)) for i in range(1500)],
        [frame(PING, 0, 0, b"01234567")] * 5000,
        [frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535))] * 2000,
        [frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 15))] * 3000,
        [frame(HEADERS, 0, 1, b"\x82")] + [frame(CONTINUATION, 0, 1, b"")] * 2000,
        [request] + [frame(DATA, 0, 1, b"")] * 2000,
        [frame(0xbe, 0, 0, b"?")] * 2000,
        [request] + [frame(WINDOW, 0, 1, struct.pack(">I", 1))] * 20000,
    )
    bad = done = 0
    while done < n:
        for kind in kinds:
            s = panel.connect()
            try:
                s.sendall(PREFACE + frame(SETTINGS, 0, 0) + b"".join(kind))
                s.settimeout(WAIT_S)
                while s.recv(65536):
                    pass
            except TimeoutError:
                bad += 1
            except OSError:
                pass
            s.close()
            done += 1
    return bad, done


class Neighbour(threading.Thread):
    def __init__(self, panel):
        super().__init__(daemon=True)
        self.panel, self.stop_it, self.n, self.refusals = panel, threading.Event(), 0, []

    def run(self):
        while not self.stop_it.is_set():
            mesh = self.panel.cp.mesh(self.panel.token)
            try:
                for _ in range(20):
                    mesh.call("ListDevices", timeout=WAIT_S)
                    self.n += 1
                    if self.stop_it.wait(0.02):
                        break
            except Refused as e:
                self.refusals.append(str(e))
                self.stop_it.wait(0.5)
            finally:
                mesh.close()


def one_class(report, panel, attack, n):
    name = attack.__name__.replace("_", " ")
    neighbour = Neighbour(panel)
    held = panel.settled(0)
    neighbour.start()
    bad, first = attack(panel, n // 4)
    panel.settled(held + 1)
    before = panel.rss_kib()
    more_bad, rest = attack(panel, n - n // 4)
    neighbour.stop_it.set()
    neighbour.join(WAIT_S * 2)
    now = panel.settled(held)
    grown = panel.rss_kib() - before
    print(f"{name}: {first + rest}, {grown} KiB more after the first quarter, the neighbour's {neighbour.n} calls",
          flush=True)
    report.check(name + ": each was answered as it should", bad + more_bad == 0, bad + more_bad)
    report.check(name + ": the neighbour was served every time", neighbour.n > 0 and not neighbour.refusals,
                 (neighbour.n, neighbour.refusals[:3]))
    report.check(name + ": no connection is held", now <= held, now)
    report.check(name + ": memory is flat", grown < panel.growth_max_kib(), f"{grown} KiB")
    report.check(name + ": the Control Panel stands", panel.cp.process.poll() is None, panel.cp.log()[-3000:])


def main():
    report = Report()
    port = meshrpc.free_port()
    cp = meshrpc.Daemon(extra=["--metrics", f"127.0.0.1:{port}"], env=SANITIZER)
    try:
        cp.start()
        admin = cp.admin()
        admin.call("CreateTenant", name="home", plan=3)
        admin.call("CreateUser", tenant="home", name="ann", password=PASSWORD, role=3)
        admin.close()
        panel = Panel(cp, port)
        panel.token = http(cp, "POST", "/api/auth/login", {"tenant": "home", "user": "ann", "password": PASSWORD})[2]["token"]
        calls = panel.metrics()["qmesh_calls_total"]
        for attack, n in ((refused_connections, MANY), (cancelled_calls, MANY), (gzip_bombs, 1500), (header_bombs, 2000),
                          (floods, 180)):
            one_class(report, panel, attack, n)
        now = panel.metrics()
        report.check("the cancelled calls were calls", now["qmesh_calls_total"] - calls > MANY, now)
    finally:
        report.check("ends clean", cp.stop() == 0, cp.log()[-3000:])
        if report.n_failed == 0:
            cp.remove()
        else:
            print(f"the log is in {cp.dir}")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
