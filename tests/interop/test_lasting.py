#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Connections that last: keepalive that is too quick is told so, keepalive that is
allowed is left alone, and a connection that ends at its age loses no call. By
Google's own client (Debian's python3-grpcio), grpc-js where npm can fetch it, and
libqmesh.
"""
import os
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/../attack")
sys.path.insert(0, HERE)

from test_connect import install  # noqa: E402
from wire import KINDS, Report, Server  # noqa: E402
from test_grpcio import failure, grpc, stubs  # noqa: E402

ALLOWED_S = 48  # four PINGs of the shortest interval we allow: one more than a quicker one would live
NODE = HERE + "/grpcjs"


def channel(server, kind, **more):
    options = [("grpc." + name, value) for name, value in more.items()]
    if kind == "unix":
        return grpc.insecure_channel("unix:" + server.dir.name + "/sock", options)
    if kind == "plain":
        return grpc.insecure_channel("localhost:%d" % server.ports[kind], options)
    with open(server.dir.name + "/cert.pem", "rb") as f:
        credentials = grpc.ssl_channel_credentials(f.read())
    return grpc.secure_channel("localhost:%d" % server.ports[kind], credentials, options)


def too_quick(server, kind, pb, service, check):
    with channel(server, kind, keepalive_time_ms=300, keepalive_timeout_ms=10000, keepalive_permit_without_calls=1,
                 **{"http2.max_pings_without_data": 0}) as ch:
        echo = service.EchoStub(ch)
        e = failure(lambda: list(echo.Subscribe(pb.Msg(n=1), timeout=90)))
        check("grpcio: too many pings end a stream", e and e.code() == grpc.StatusCode.UNAVAILABLE, e)
        check("grpcio: the next call is served", echo.Unary(pb.Msg(n=2), timeout=60, wait_for_ready=True).n == 2)


def allowed(server, kind, pb, service, check):
    """Every 10 s with an idle stream; and probes of bandwidth under load, which start by themselves."""
    with channel(server, kind, keepalive_time_ms=10000, keepalive_timeout_ms=10000,
                 **{"http2.max_pings_without_data": 0}) as ch:
        echo = service.EchoStub(ch)
        stream = echo.Subscribe(pb.Msg(n=1))
        got = sum(len(m.data) for m in echo.ServerStream(pb.Msg(n=400, size=50000), timeout=60))
        check("grpcio: probes of bandwidth are no offence", got == 400 * 50000 and stream.is_active(), got)
        end = time.time() + ALLOWED_S
        while time.time() < end and stream.is_active():
            time.sleep(0.2)
        check("grpcio: a PING each 10 s is allowed", stream.is_active(), "" if stream.is_active() else stream)
        stream.cancel()


def aged(server, kind, pb, service, check):
    with channel(server, kind) as ch:
        echo = service.EchoStub(ch)
        stream = echo.Subscribe(pb.Msg(n=1), timeout=90)
        ended = []
        waiter = threading.Thread(target=lambda: ended.append(failure(lambda: list(stream))))
        waiter.start()
        failed, n, end = [], 0, time.time() + 7
        while time.time() < end:
            n += 1
            e = failure(lambda: echo.Slow(pb.Msg(n=n, ms=100), timeout=60))
            if e:
                failed.append(e)
        check("grpcio: no call is lost when connections age", n > 3 and not failed, (n, failed[:2]))
        waiter.join(90)
        check("grpcio: a stream ends with UNAVAILABLE", ended and ended[0] and
              ended[0].code() == grpc.StatusCode.UNAVAILABLE, ended)


def ours(server, kind, check):
    """libqmesh: calls all the time on one client, over several connections."""
    driver = os.environ.get("QMESH_BUILD", "build") + "/tests/support/client_driver"
    if not os.path.exists(driver):
        return
    target = {"unix": "unix:" + server.dir.name + "/sock", "plain": "http://localhost:%d" % server.ports["plain"],
              "tls": "https://localhost:%d" % server.ports["tls"]}[kind]
    more = ["-a", server.dir.name + "/cert.pem"] if kind == "tls" else []
    run = subprocess.run([driver, *more, "-q", "-T", "2", "-R", "400", "-g", "20", target, "/qmesh.test.Echo/Unary"],
                         capture_output=True, text=True, timeout=400)
    check("libqmesh: no call is lost when connections age", "ok=800\nfailed=0" in run.stdout, run.stdout[-300:])


def grpcjs(server, old, report):
    why = install(NODE)
    if why:
        print("skipped grpc-js: " + why)
        return
    run = subprocess.run(["node", NODE + "/lasting.js", HERE + "/../support/echo/echo.proto", str(server.ports["plain"]),
                          str(old.ports["plain"])], capture_output=True, text=True, timeout=400)
    lines = run.stdout.splitlines()
    for line in lines:
        report.check("grpc-js: " + line[:200], line.startswith("ok "))
    report.check("grpc-js: every check was made", run.returncode == 0 and len(lines) == 4, run.stderr[-500:])


def main():
    report = Report()
    with tempfile.TemporaryDirectory(prefix="qmesh-lasting-") as at, Server() as server, \
            Server("--age", "2000", "8000") as old:
        pb, service = stubs(at)
        work = [threading.Thread(target=grpcjs, args=(server, old, report))]
        for kind in KINDS:
            def check(what, ok, seen="", kind=kind):
                report.check(kind + ": " + what, ok, seen)

            for test, which in ((too_quick, server), (allowed, server), (aged, old)):
                work.append(threading.Thread(target=test, args=(which, kind, pb, service, check)))
            work.append(threading.Thread(target=ours, args=(old, kind, check)))
        for t in work:
            t.start()
        for t in work:
            t.join()
        made = old.stats()["qmesh_connections_total"]
        report.check("connections did end at their age", made >= 12, made)
        for s in (server, old):
            status, said = s.stop()
            report.check("the server ends clean", status == 0, (status, said))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
