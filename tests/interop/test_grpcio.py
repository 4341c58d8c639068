#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Google's own client (Debian's python3-grpcio) with generated stubs, over every kind of listener."""
import importlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/../attack")

try:
    import grpc
except ImportError:
    print("skipped: python3-grpcio is not installed")
    sys.exit(77)

from wire import KINDS, Report, Server  # noqa: E402


def stubs(at):
    plugin = shutil.which("grpc_python_plugin")
    proto = HERE + "/../support/echo"
    subprocess.run(["protoc", "-I" + proto, "--python_out=" + at, "--grpc_out=" + at,
                    "--plugin=protoc-gen-grpc=" + plugin, "echo.proto"], check=True)
    sys.path.insert(0, at)
    return importlib.import_module("echo_pb2"), importlib.import_module("echo_pb2_grpc")


def channel(server, kind):
    options = [("grpc.max_receive_message_length", 64 << 20)]
    if kind == "unix":
        return grpc.insecure_channel("unix:" + server.dir.name + "/sock", options)
    if kind == "plain":
        return grpc.insecure_channel("localhost:%d" % server.ports[kind], options)
    with open(server.dir.name + "/cert.pem", "rb") as f:
        credentials = grpc.ssl_channel_credentials(f.read())
    return grpc.secure_channel("localhost:%d" % server.ports[kind], credentials, options)


def failure(call):
    try:
        call()
    except grpc.RpcError as e:
        return e
    return None


def one_kind(server, kind, pb, service, report):
    def check(what, ok, seen=""):
        report.check(kind + ": " + what, ok, seen)

    with channel(server, kind) as ch:
        echo = service.EchoStub(ch)
        for name in ("Unary", "Work", "Slow", "Block"):
            got = getattr(echo, name)(pb.Msg(n=3, ms=20, text="hé"), timeout=60)
            check(name, got.n == 3 and got.text == "hé", got)
        e = failure(lambda: echo.Fail(pb.Msg(n=15, text="naïve 100 %"), timeout=60))
        check("refusal with words", e and e.code() == grpc.StatusCode.ALREADY_EXISTS and e.details() == "naïve 100 %", e)
        details = dict(e.trailing_metadata()).get("grpc-status-details-bin", b"") if e else b""
        check("refusal with details", b"LABEL_TAKEN" in details and b"mesh.quazzar" in details, details)
        e = failure(lambda: echo.Fail(pb.Msg(n=0), timeout=60))
        check("a breakage tells only its request id", e and e.code() == grpc.StatusCode.INTERNAL and
              dict(e.trailing_metadata())["x-request-id"] in e.details(), e)
        check("no handler", failure(lambda: echo.Nobody(pb.Msg(), timeout=60)).code() == grpc.StatusCode.UNIMPLEMENTED)
        _, call = echo.Unary.with_call(pb.Msg(n=1), metadata=(("x-request-id", "my-id_7"),), timeout=60)
        check("a request id of the caller's", dict(call.initial_metadata()).get("x-request-id") == "my-id_7",
              call.initial_metadata())
        check("4 MB there and back", len(echo.Unary(pb.Msg(data=b"x" * 4000000), timeout=60).data) == 4000000)
        e = failure(lambda: echo.Unary(pb.Msg(data=b"x" * 4200000), timeout=60))
        check("more than that", e and e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, e)
        got = [m.n for m in echo.ServerStream(pb.Msg(n=10, ms=5, size=10), timeout=60)]
        check("server stream", got == list(range(10)), got)
        got = [m.n for m in echo.ServerStream(pb.Msg(n=5000, size=10), timeout=90)]
        check("5,000 messages in order", got == list(range(5000)), len(got))
        got = [m.n for m in echo.ServerStream(pb.Msg(n=2000, size=10, data=b"x"), timeout=90)]
        check("from another thread", got == list(range(2000)), len(got))
        got = sum(len(m.data) for m in echo.ServerStream(pb.Msg(n=8, size=3 << 20), timeout=90))
        check("24 MiB stream", got == 8 * (3 << 20), got)
        for name in ("Slow", "Block"):
            e = failure(lambda name=name: getattr(echo, name)(pb.Msg(ms=700), timeout=0.2))
            check("deadline of " + name, e and e.code() == grpc.StatusCode.DEADLINE_EXCEEDED, e)
        futures = [echo.Unary.future(pb.Msg(n=i), timeout=90) for i in range(500)]
        check("500 at once", [f.result().n for f in futures] == list(range(500)))
        futures = [echo.Slow.future(pb.Msg(n=i, ms=50), timeout=90) for i in range(250)]
        check("250 parked at once", [f.result().n for f in futures] == list(range(250)))
        stream = echo.Subscribe(pb.Msg(), timeout=90)
        stream.initial_metadata()
        before = server.stats()
        stream.cancel()
        check("the server hears of a cancel", server.settle("ended", before["started"]) == before["started"], before)


class Sent:
    """Requests that are sent one by one, as the test says; None half-closes."""

    def __init__(self):
        self.waiting = queue.Queue()

    def __iter__(self):
        return self

    def __next__(self):
        item = self.waiting.get()
        if item is None:
            raise StopIteration
        return item


def streams(server, kind, pb, service, report):
    def check(what, ok, seen=""):
        report.check(kind + ": streams: " + what, ok, seen)

    with channel(server, kind) as ch:
        echo = service.EchoStub(ch)
        got = echo.ClientStream(iter([pb.Msg(n=i) for i in range(1000)]), timeout=60)
        check("1,000 up, one down", got.n == 499500 and got.text == "1000", got)
        got = echo.ClientStream(iter([]), timeout=60)
        check("none up, one down", got.n == 0 and got.text == "0", got)
        got = echo.ClientStream(iter([pb.Msg(n=1, data=b"x" * (3 << 20)) for _ in range(6)]), timeout=90)
        check("18 MiB up", got.n == 6, got.n)
        for name in ("Both", "BothWork"):
            sent = Sent()
            both = getattr(echo, name)(sent, timeout=60)
            ok = True
            for i in range(20):
                sent.waiting.put(pb.Msg(n=i, text="ping"))
                ok = ok and next(both).n == i
            sent.waiting.put(None)
            check(name + " in turns", ok and list(both) == [])
            check(name + " has trailers", dict(both.trailing_metadata()).get("x-end") == "half-closed",
                  both.trailing_metadata())
        got = [m.n for m in echo.Both(iter([pb.Msg(n=1000 + i) for i in range(5000)]), timeout=90)]
        check("5,000 both ways", got == list(range(1000, 6000)), len(got))
        got = [m.n for m in echo.Both(iter([pb.Msg(n=i, ms=100) for i in range(4)]), timeout=60)]
        check("held back and let go on", got == list(range(4)), got)
        got = [len(m.data) for m in echo.Both(iter([pb.Msg(data=b"y" * (2 << 20)) for _ in range(10)]), timeout=60)]
        check("20 MiB both ways", got == [2 << 20] * 10, got)
        both = echo.Both(iter([pb.Msg(n=1), pb.Msg(n=999), pb.Msg(n=2)]), timeout=60)
        check("a message is refused", next(both).n == 1 and
              failure(lambda: next(both)).code() == grpc.StatusCode.INVALID_ARGUMENT)
        e = failure(lambda: list(echo.Both(iter([pb.Msg(data=b"x" * 4200000)]), timeout=60)))
        check("a message is too large", e and e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, e)
        e = failure(lambda: echo.ClientStream(Sent(), timeout=0.3))
        check("deadline", e and e.code() == grpc.StatusCode.DEADLINE_EXCEEDED, e)
        if kind != "unix":
            e = failure(lambda: list(echo.BothOperate(iter([pb.Msg(n=1)]), timeout=60)))
            check("who may call is asked first", e and e.code() == grpc.StatusCode.PERMISSION_DENIED, e)
        before = server.stats()
        sent = Sent()
        both = echo.Both(sent, timeout=90)
        sent.waiting.put(pb.Msg(n=7))
        next(both)
        both.cancel()
        check("a cancel is heard of", server.settle("ended", before["started"] + 1) == before["started"] + 1, before)
        sent.waiting.put(None)
        # Nobody reads the answers: then nobody is read from, and memory stays.
        both = echo.Both(iter([pb.Msg(data=b"z" * 65536) for _ in range(2000)]), timeout=60)
        time.sleep(1)
        check("a slow reader loses nothing", sum(len(m.data) for m in both) == 65536 * 2000)


def gzip(server, kind, pb, service, report):
    """Compressed both ways; what does not pay is not compressed."""
    with channel(server, kind) as ch:
        echo = service.EchoStub(ch)
        for text in ("a" * 100000, "short", ""):
            got, call = echo.Unary.with_call(pb.Msg(text=text), compression=grpc.Compression.Gzip, timeout=60)
            report.check(kind + ": gzip of %d" % len(text), got.text == text, len(got.text))
            told = dict(call.initial_metadata())
            report.check(kind + ": gzip is told of", told.get("grpc-accept-encoding", "identity,gzip") == "identity,gzip", told)
        got = [m.n for m in echo.Both(iter([pb.Msg(n=i, text="b" * 5000) for i in range(50)]),
                                      compression=grpc.Compression.Gzip, timeout=60)]
        report.check(kind + ": gzip both ways", got == list(range(50)), got)
        e = failure(lambda: echo.Unary(pb.Msg(data=b"\0" * 4194400), compression=grpc.Compression.Gzip, timeout=60))
        report.check(kind + ": too large when inflated", e and e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, e)
        e = failure(lambda: echo.Unary(pb.Msg(text="c"), compression=grpc.Compression.Deflate, timeout=60))
        report.check(kind + ": deflate is not spoken", e and e.code() == grpc.StatusCode.UNIMPLEMENTED, e)


def drain(server, pb, service, report):
    with channel(server, "plain") as ch:
        echo = service.EchoStub(ch)
        before = server.stats()["started"]
        stream = echo.Subscribe(pb.Msg(), timeout=90)
        stream.initial_metadata()
        slow = echo.Slow.future(pb.Msg(n=9, ms=800), timeout=90)
        server.settle("started", before + 2)
        result = []
        stopper = threading.Thread(target=lambda: result.append(server.stop()))
        stopper.start()
        report.check("drain: a call in flight finishes", slow.result().n == 9)
        e = failure(lambda: next(stream))
        report.check("drain: a stream ends UNAVAILABLE", e and e.code() == grpc.StatusCode.UNAVAILABLE, e)
        stopper.join()
        report.check("drain: the server ends clean", result[0][0] == 0, result)


def main():
    report = Report()
    with tempfile.TemporaryDirectory(prefix="qmesh-grpcio-") as at, Server("--loops", "2") as server:
        pb, service = stubs(at)
        for kind in KINDS:
            one_kind(server, kind, pb, service, report)
            streams(server, kind, pb, service, report)
            gzip(server, kind, pb, service, report)
        drain(server, pb, service, report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
