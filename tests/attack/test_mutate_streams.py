#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Wrong input at all four kinds of calls, over clear text, TLS and a Unix socket.

The daemons have no methods that take streams, so this goes against the
echo_server, which also counts what it began and ended. MUTATE_SEED picks the
seed, MUTATE_CASES how many; QMESH_LONG makes it many.
"""
import os
import subprocess
import sys
import tempfile
import threading
import time

from wire import H2, KINDS, PATIENCE_S, Report, Server, ended, message, status_of

BUILD = os.environ.get("QMESH_BUILD", "build")
CASES = int(os.environ.get("MUTATE_CASES", "500000" if os.environ.get("QMESH_LONG") else "15000"))
SEED = int(os.environ.get("MUTATE_SEED", str(int(time.time()))))
PREFIX = "/qmesh.test.Echo/"


def seeds():
    """Valid calls, as mutate/seeds.h has them."""
    calls = (
        ("unary", "Unary", message(n=5, data=b"abc"), '{"n":5,"data":"YWJj"}'),
        ("unary", "Work", message(n=1, text=b"w"), '{"n":1,"text":"w"}'),
        ("unary", "Slow", message(ms=5), '{"ms":5}'),
        ("unary", "Block", message(ms=1), '{"ms":1}'),
        ("unary", "Fail", message(n=9, text=b"no \xe2\x9c\x93"), '{"n":9,"text":"no"}'),
        ("unary", "Ask", message(n=2), '{"n":2}'),
        ("unary", "Nobody", message(), "{}"),
        ("unary", "Unary", message(data=bytes(30000), size=30000), '{"size":30000}'),
        ("stream", "ServerStream", message(n=20, size=100), '{"n":20,"size":100}'),
        ("stream", "ServerStream", message(n=9, size=70000), '{"n":9,"size":70000}'),
        ("stream", "ServerStream", message(n=5, ms=2, data=b"t"), '{"n":5,"ms":2,"data":"dA=="}'),
        ("stream", "Subscribe", message(), "{}"),
        ("client", "ClientStream", message(n=3), '{"n":3}'),
        ("client", "Both", message(n=4, text=b"b"), '{"n":4,"text":"b"}'),
        ("client", "Both", message(n=4, ms=3), '{"n":4,"ms":3}'),
        ("client", "BothWork", message(n=6), '{"n":6}'),
        ("client", "BothOperate", message(n=999), '{"n":999}'),
    )
    for kind, method, bytes_, text in calls:
        yield "\t".join(("call", kind, PREFIX + method, "-", bytes_[5:].hex() or "-", text))


def neighbour(server, stop, seen):
    while not stop.is_set() and server.alive():
        c = H2(server, "plain")
        for stream in (1, 3, 5, 7):
            frames = c.call("Unary", message(n=1), stream)
            seen.append(status_of(frames) == 0 and ended(frames[-1], stream))
        c.close()
        stop.wait(0.02)


def throw(server, kind, file, first, n, report):
    to = server.dir.name + "/sock" if kind == "unix" else "127.0.0.1:%d" % server.ports[kind]
    more = ["--tls", "--conns", "16"] if kind == "tls" else ["--conns", "64"]
    args = [BUILD + "/tests/support/mutate", "--to", to, "--seeds", file, "--seed", str(SEED), *more]
    done = subprocess.run([*args, "--first", str(first), "--cases", str(n)], capture_output=True, text=True, check=False)
    print("\n".join(kind + ": " + line for line in done.stdout.splitlines()), flush=True)
    report.check("%s: every case was over (%s)" % (kind, " ".join(args[-6:])), done.returncode == 0, done.stdout + done.stderr)


def main():
    report = Report()
    with Server("--loops", "2") as server, tempfile.NamedTemporaryFile("w", prefix="qmesh-seeds-") as file:
        file.write("\n".join(seeds()) + "\n")
        file.flush()
        stop, seen = threading.Event(), []
        served = threading.Thread(target=neighbour, args=(server, stop, seen))
        served.start()
        for i, (kind, share) in enumerate(zip(KINDS, (70, 10, 20))):
            throw(server, kind, file.name, i * CASES, CASES * share // 100, report)
        stop.set()
        served.join(PATIENCE_S * 4)
        print("the neighbour's %d calls, %d refused" % (len(seen), seen.count(False)))
        report.check("the neighbour was served every time", seen and all(seen), seen.count(False))
        report.check("the server stands (seed %d)" % SEED, server.alive(), server.said()[-3000:])
        if not server.alive():
            return report.end()
        for kind in KINDS:
            frames = H2(server, kind).call("Unary", message(n=1))
            report.check("serves over " + kind, status_of(frames) == 0, frames)
        started = server.stats()["started"]
        report.check("every call was given back (seed %d)" % SEED, server.settle("ended", started) == started, server.stats())
        report.check("every exchange too", server.settle("http", 1) == 1, server.stats())
        status, said = server.stop()
        report.check("ends clean (seed %d)" % SEED, status == 0, (status, said[-3000:]))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
