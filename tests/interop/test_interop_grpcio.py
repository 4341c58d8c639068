#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cases of gRPC's interop test description by Google's client (Debian's python3-grpcio) against
interop-server, in clear text, TLS and on a Unix socket. What that client does not show, whether a
message was compressed, is read off the wire."""
import importlib
import os
import queue
import shutil
import subprocess
import sys
import threading

import interop
import wire

try:
    import grpc
except ImportError:
    print("skipped: python3-grpcio is not installed")
    sys.exit(77)

REQUEST, ANSWER = 271828, 314159
SIZES = (31415, 9, 2653, 58979)
PAYLOADS = (27182, 8, 1828, 45904)
GZIP = grpc.Compression.Gzip
METHOD = "/grpc.testing.TestService/"


def stubs(at):
    names = ["grpc/testing/%s.proto" % n for n in ("test", "messages", "empty")]
    subprocess.run(["protoc", "-I" + interop.PROTOS, "--python_out=" + at, "--grpc_out=" + at,
                    "--plugin=protoc-gen-grpc=" + shutil.which("grpc_python_plugin"), *names], check=True)
    # Beside grpcio's own package "grpc".
    open(os.path.join(at, "grpc/testing/__init__.py"), "w").close()
    grpc.__path__.append(os.path.join(at, "grpc"))
    return [importlib.import_module("grpc.testing." + n) for n in ("messages_pb2", "empty_pb2", "test_pb2_grpc")]


def failure(fn):
    try:
        fn()
    except grpc.RpcError as e:
        return e.code(), e.details(), e
    return grpc.StatusCode.OK, "", None


class Sent:
    """Requests sent one by one, as the case says; None half-closes."""

    def __init__(self, *items):
        self.items = queue.Queue()
        for item in items:
            self.items.put(item)

    put = property(lambda self: self.items.put)

    def __iter__(self):
        return self

    def __next__(self):
        item = self.items.get()
        if item is None:
            raise StopIteration
        return item


class Client:
    """One channel; a method a case. Each asserts."""

    def __init__(self, servers, kind, pb, empty, service):
        self.servers, self.kind, self.pb, self.empty, self.service = servers, kind, pb, empty, service
        self.channel = self.open()
        self.stub = service.TestServiceStub(self.channel)

    def open(self):
        options = [("grpc.use_local_subchannel_pool", 1)]
        if self.kind == "unix":
            return grpc.insecure_channel("unix:%s/sock" % self.servers.dir.name, options)
        target = "localhost:%d" % self.servers.ports[self.kind]
        if self.kind == "plain":
            return grpc.insecure_channel(target, options)
        with open(self.servers.dir.name + "/cert.pem", "rb") as f:
            return grpc.secure_channel(target, grpc.ssl_channel_credentials(f.read()), options)

    def payload(self, n):
        return self.pb.Payload(body=bytes(n))

    def flag(self, value):
        return self.pb.BoolValue(value=value)

    def simple(self, **more):
        return self.pb.SimpleRequest(response_size=ANSWER, payload=self.payload(REQUEST), **more)

    def output(self, sizes, payload=0, **more):
        return self.pb.StreamingOutputCallRequest(
            response_parameters=[self.pb.ResponseParameters(size=s) for s in sizes],
            payload=self.payload(payload) if payload else None, **more)

    def large(self, stub=None):
        got = (stub or self.stub).UnaryCall(self.simple(), timeout=60)
        assert got.payload.body == bytes(ANSWER), len(got.payload.body)

    def empty_unary(self):
        got = self.stub.EmptyCall(self.empty.Empty(), timeout=60)
        assert got is not None and got.ByteSize() == 0, got

    def cacheable_unary(self):
        """No client of today asks by GET, so no cache is between: each answer is a new one."""
        got = []
        for _ in range(2):
            answer, call = self.stub.CacheableUnaryCall.with_call(
                self.pb.SimpleRequest(payload=self.payload(8)), metadata=(("x-user-ip", "1.2.3.4"),), timeout=60)
            got.append(int(answer.payload.body))
            assert dict(call.initial_metadata())["cache-control"] == "max-age=60, public", call.initial_metadata()
        assert got[0] < got[1], got

    def large_unary(self):
        self.large()

    def client_compressed_unary(self):
        code, words, _ = failure(lambda: self.stub.UnaryCall(self.simple(expect_compressed=self.flag(True)), timeout=60))
        assert code == grpc.StatusCode.INVALID_ARGUMENT, (code, words)
        for how, value in ((GZIP, True), (None, False)):
            got = self.stub.UnaryCall(self.simple(expect_compressed=self.flag(value)), compression=how, timeout=60)
            assert got.payload.body == bytes(ANSWER)

    def server_compressed_unary(self):
        for value in (True, False):
            asked = self.simple(response_compressed=self.flag(value))
            assert self.stub.UnaryCall(asked, timeout=60).payload.body == bytes(ANSWER)
            asked.payload.body = b""
            assert self.flags("UnaryCall", asked) == [value], value

    def client_streaming(self):
        got = self.stub.StreamingInputCall(
            iter([self.pb.StreamingInputCallRequest(payload=self.payload(n)) for n in PAYLOADS]), timeout=60)
        assert got.aggregated_payload_size == 74922, got

    def client_compressed_streaming(self):
        def ask(n, value):
            return self.pb.StreamingInputCallRequest(payload=self.payload(n), expect_compressed=self.flag(value))

        code, words, _ = failure(lambda: self.stub.StreamingInputCall(iter([ask(27182, True)]), timeout=60))
        assert code == grpc.StatusCode.INVALID_ARGUMENT, (code, words)
        got = self.stub.StreamingInputCall(iter([ask(27182, True)]), compression=GZIP, timeout=60)
        assert got.aggregated_payload_size == 27182, got
        # This client compresses all of a call or nothing: both in one stream, byte for byte.
        import gzip
        first, second = ask(27182, True).SerializeToString(), ask(45904, False).SerializeToString()
        answers = self.raw("StreamingInputCall", [(1, gzip.compress(first)), (0, second)])
        got = self.pb.StreamingInputCallResponse.FromString(answers[0][1])
        assert got.aggregated_payload_size == 73086, got

    def server_streaming(self):
        got = [m.payload.body for m in self.stub.StreamingOutputCall(self.output(SIZES), timeout=60)]
        assert got == [bytes(n) for n in SIZES], [len(b) for b in got]

    def server_compressed_streaming(self):
        asked = self.output((31415, 92653))
        for p, value in zip(asked.response_parameters, (True, False)):
            p.compressed.value = value
        got = [len(m.payload.body) for m in self.stub.StreamingOutputCall(asked, timeout=60)]
        assert got == [31415, 92653], got
        assert self.flags("StreamingOutputCall", asked) == [True, False]

    def ping_pong(self):
        sent = Sent()
        both = self.stub.FullDuplexCall(sent, timeout=60)
        for size, payload in zip(SIZES, PAYLOADS):
            sent.put(self.output([size], payload))
            assert next(both).payload.body == bytes(size)
        sent.put(None)
        assert list(both) == []

    def empty_stream(self):
        assert list(self.stub.FullDuplexCall(iter([]), timeout=60)) == []

    def custom_metadata(self):
        metadata = (("x-grpc-test-echo-initial", "test_initial_metadata_value"),
                    ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"))

        def check(call):
            first, last = dict(call.initial_metadata()), dict(call.trailing_metadata())
            assert first[metadata[0][0]] == metadata[0][1], first
            assert last[metadata[1][0]] == metadata[1][1], last

        got, call = self.stub.UnaryCall.with_call(self.simple(), metadata=metadata, timeout=60)
        assert len(got.payload.body) == ANSWER
        check(call)
        both = self.stub.FullDuplexCall(iter([self.output([ANSWER], REQUEST)]), metadata=metadata, timeout=60)
        assert [len(m.payload.body) for m in both] == [ANSWER]
        check(both)

    def large_metadata(self):
        """There and back, as much as a client takes that was told nothing."""
        for n in (255, 256, 1024, 3000, 6000):
            metadata = (("x-grpc-test-echo-initial", "m" * n),)
            call = self.stub.EmptyCall.with_call(self.empty.Empty(), metadata=metadata, timeout=60)[1]
            assert dict(call.initial_metadata())[metadata[0][0]] == metadata[0][1], n
            metadata = (("x-grpc-test-echo-trailing-bin", bytes(n)),)
            call = self.stub.EmptyCall.with_call(self.empty.Empty(), metadata=metadata, timeout=60)[1]
            assert dict(call.trailing_metadata())[metadata[0][0]] == bytes(n), n

    def ends_with(self, code, words):
        status = self.pb.EchoStatus(code=code, message=words)
        for call in (lambda: self.stub.UnaryCall(self.pb.SimpleRequest(response_status=status), timeout=60),
                     lambda: list(self.stub.FullDuplexCall(iter([self.output((), response_status=status)]), timeout=60)),
                     lambda: list(self.stub.StreamingOutputCall(self.output((9,), response_status=status), timeout=60))):
            got = failure(call)
            assert got[0].value[0] == code and got[1] == words, got

    def status_code_and_message(self):
        self.ends_with(2, "test status message")
        for code in range(1, 17):
            self.ends_with(code, "code %d" % code)

    def special_status_message(self):
        self.ends_with(2, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")

    def unimplemented_method(self):
        code = failure(lambda: self.stub.UnimplementedCall(self.empty.Empty(), timeout=60))[0]
        assert code == grpc.StatusCode.UNIMPLEMENTED, code

    def unimplemented_service(self):
        stub = self.service.UnimplementedServiceStub(self.channel)
        code = failure(lambda: stub.UnimplementedCall(self.empty.Empty(), timeout=60))[0]
        assert code == grpc.StatusCode.UNIMPLEMENTED, code

    def cancel_after_begin(self):
        call = self.stub.StreamingInputCall.future(Sent(), timeout=60)
        call.cancel()
        assert call.cancelled() and call.code() == grpc.StatusCode.CANCELLED, call

    def cancel_after_first_response(self):
        both = self.stub.FullDuplexCall(Sent(self.output([31415], 27182)), timeout=60)
        assert len(next(both).payload.body) == 31415
        both.cancel()
        code = failure(lambda: next(both))[0]
        assert code == grpc.StatusCode.CANCELLED, code

    def timeout_on_sleeping_server(self):
        for timeout, interval_us in ((0.001, 0), (0.2, 5000000)):
            asked = self.output((9,) if interval_us else (), 27182)
            for p in asked.response_parameters:
                p.interval_us = interval_us
            code = failure(lambda: next(self.stub.FullDuplexCall(Sent(asked), timeout=timeout)))[0]
            assert code == grpc.StatusCode.DEADLINE_EXCEEDED, code

    def rpc_soak(self):
        for _ in range(1000 if interop.long() else 30):
            self.large()

    def channel_soak(self):
        for _ in range(100 if interop.long() else 5):
            with self.open() as channel:
                self.large(self.service.TestServiceStub(channel))

    # Beyond the description: what it says of the server and no case asks for.

    def intervals(self):
        """Waits add up, also for requests that come faster than they are answered."""
        asked = self.output((10, 20))
        for p in asked.response_parameters:
            p.interval_us = 30000
        got = [len(m.payload.body) for m in self.stub.FullDuplexCall(iter([asked] * 5), timeout=60)]
        assert got == [10, 20] * 5, got

    def half_duplex(self):
        sent = Sent(*[self.output([n], 100) for n in SIZES])
        both = self.stub.HalfDuplexCall(sent, timeout=60)
        threading.Timer(0.2, lambda: sent.put(None)).start()
        got = [len(m.payload.body) for m in both]
        assert got == list(SIZES), got

    def bad_requests(self):
        wrong = grpc.StatusCode.INVALID_ARGUMENT
        for asked in (self.pb.SimpleRequest(response_size=-1), self.pb.SimpleRequest(response_type=7),
                      self.pb.SimpleRequest(response_size=1 << 30),
                      self.pb.SimpleRequest(response_status=self.pb.EchoStatus(code=17)),
                      self.pb.SimpleRequest(expect_compressed=self.flag(True))):
            code = failure(lambda asked=asked: self.stub.UnaryCall(asked, timeout=60))[0]
            assert code == wrong, (code, asked)
        code = failure(lambda: self.stub.UnaryCall(self.simple(expect_compressed=self.flag(False)),
                                                   compression=GZIP, timeout=60))[0]
        assert code == wrong, code

    def status_after_messages(self):
        """What was asked for before is answered; then the stream ends as told."""
        status = self.pb.EchoStatus(code=9, message="enough")
        both = self.stub.FullDuplexCall(
            iter([self.output([5]), self.output((), response_status=status), self.output([6])]), timeout=60)
        assert len(next(both).payload.body) == 5
        got = failure(lambda: next(both))
        assert got[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "enough"), got

    def many_at_once(self):
        calls = [self.stub.UnaryCall.future(self.simple(), timeout=60) for _ in range(200 if interop.long() else 40)]
        assert all(len(c.result().payload.body) == ANSWER for c in calls)

    def slow_reader(self):
        """64 MiB for somebody who begins late: nothing is lost, nothing is cut."""
        if self.kind != "plain":
            return
        both = self.stub.StreamingOutputCall(self.output([1 << 20] * 64), timeout=120)
        threading.Event().wait(0.5)
        assert sum(len(m.payload.body) for m in both) == 64 << 20

    # Off the wire.

    def raw(self, method, messages):
        """[(compressed, bytes)] there, [(compressed, bytes)] back, by a client that reads frames itself."""
        window = (1 << 30).to_bytes(4, "big")
        h2 = wire.H2(self.servers, self.kind, b"\0\4" + window)
        accept = wire.literal("grpc-accept-encoding", "gzip") + wire.literal("grpc-encoding", "gzip")
        body = b"".join(bytes([flag]) + len(m).to_bytes(4, "big") + m for flag, m in messages)
        h2.send(wire.frame(wire.WINDOW, 0, 0, window),
                wire.frame(wire.HEADERS, wire.END_HEADERS, 1, wire.head(METHOD + method, extra=accept)))
        for at in range(0, len(body), 16384):
            h2.send(wire.frame(wire.DATA, 0, 1, body[at:at + 16384]))
        h2.send(wire.frame(wire.DATA, wire.END_STREAM, 1))
        frames = h2.until(lambda f: wire.ended(f, 1))
        h2.close()
        data, got = b"".join(f[3] for f in frames if f[0] == wire.DATA and f[2] == 1), []
        while data:
            n = int.from_bytes(data[1:5], "big")
            got.append((data[0], data[5:5 + n]))
            data = data[5 + n:]
        return got

    def flags(self, method, asked):
        return [bool(flag) for flag, _ in self.raw(method, [(0, asked.SerializeToString())])]


BEYOND = ("large_metadata", "intervals", "half_duplex", "bad_requests", "status_after_messages", "many_at_once", "slow_reader")


def main():
    why = interop.missing()
    if why:
        print("skipped: " + why)
        return 77
    report = interop.Report()
    with interop.Servers() as servers:
        modules = stubs(servers.dir.name)
        for kind in interop.KINDS:
            client = Client(servers, kind, *modules)
            for case in interop.CASES + BEYOND:
                try:
                    getattr(client, case)()
                    report.check(kind + ": " + case, True)
                except (AssertionError, grpc.RpcError, OSError, KeyError, IndexError) as e:
                    report.check(kind + ": " + case, False, repr(e))
            client.channel.close()
        return servers.end(report)


if __name__ == "__main__":
    sys.exit(main())
