#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""libqmesh against grpcio's server, and against servers that misbehave.

The first half talks to a real gRPC server that nobody here wrote. The second
half needs frames that no decent server sends (GOAWAY in the middle, refused
streams, answers without a status), so a few lines of HTTP/2 make them.
"""
import base64
import concurrent.futures
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import grpc

BUILD = os.environ.get("QMESH_BUILD", "build/dev")
DRIVER = os.path.join(BUILD, "tests", "support", "client_driver")
TMP = tempfile.mkdtemp(prefix="qmesh-client-")
LIMIT_S = 60


class Out:
    """What the driver printed."""

    def __init__(self, text, code):
        self.text, self.exit = text, code
        self.pairs = [line.partition("=")[::2] for line in text.splitlines() if "=" in line]

    def all(self, key):
        return [v for k, v in self.pairs if k == key]

    def one(self, key):
        found = self.all(key)
        return found[0] if found else None

    @property
    def code(self):
        return int(self.one("code")) if self.one("code") else None


def drive(*args):
    p = subprocess.run([DRIVER, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=LIMIT_S)
    err = p.stderr.decode(errors="replace")
    assert "Sanitizer" not in err and "runtime error" not in err, err
    return Out(p.stdout.decode(errors="replace"), p.returncode)


def want(out, **facts):
    for key, value in facts.items():
        got = getattr(out, key) if key in ("code", "exit") else out.one(key)
        assert got == value, f"{key}: {got!r}, not {value!r}\n{out.text}"


# A real server ---------------------------------------------------------------

counts = {}
lock = threading.Lock()


def count(name):
    with lock:
        counts[name] = counts.get(name, 0) + 1
        return counts[name]


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, payload):
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def rich_status(code, message, reason, meta):
    info = field(1, reason.encode()) + field(2, b"mesh.quazzar")
    for k, v in meta.items():
        info += field(3, field(1, k.encode()) + field(2, v.encode()))
    any_info = field(1, b"type.googleapis.com/google.rpc.ErrorInfo") + field(2, info)
    retry = field(1, b"type.googleapis.com/google.rpc.RetryInfo") + field(2, field(1, field(1, 2)))
    return field(1, code) + field(2, message.encode()) + field(3, any_info) + field(3, retry)


def unary(name, request, context):
    md = dict(context.invocation_metadata())
    if name == "Echo":
        context.send_initial_metadata((("x-first", "one"), ("x-raw-bin", b"\x00\x01\xff")))
        context.set_trailing_metadata((("x-last", "two"), ("x-seen", md.get("x-sent", "-")),
                                       ("x-bin-seen-bin", md.get("x-sent-bin", b"-")),
                                       ("x-agent", md.get("user-agent", "-"))))
        return request
    if name == "Fail":
        context.abort(grpc.StatusCode.NOT_FOUND, "no such \u00fcber thing\n50%")
    if name == "Rich":
        context.set_trailing_metadata((("grpc-status-details-bin", rich_status(
            6, "label is taken", "LABEL_TAKEN", {"suggestion": "phone-2"})),))
        context.abort(grpc.StatusCode.ALREADY_EXISTS, "label is taken")
    if name == "Sleep":
        stop = threading.Event()
        context.add_callback(stop.set)
        stop.wait(20)
        count("sleep-ended")
        return b""
    if name == "Remaining":
        return str(int(context.time_remaining() * 1000)).encode()
    if name == "Flaky":
        if count("flaky") % 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "come again")
        return b"third"
    if name == "Down":
        count("down")
        context.abort(grpc.StatusCode.UNAVAILABLE, "always")
    if name == "Big":
        return b"y" * int(request)
    if name == "Secret":
        return md.get("authorization", "-").encode()
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown")
    return None


def stream(name, request, context):
    if name == "Count":
        for i in range(int(request)):
            yield str(i).encode()
    elif name == "Blocks":
        for i in range(int(request)):
            yield bytes([i % 256]) * 65536
    elif name == "Endless":
        n = 0
        context.add_callback(lambda: count("endless-ended"))
        while context.is_active():
            n += 1
            yield str(n).encode()
            time.sleep(0.01)
    elif name == "Half":
        yield b"one"
        context.abort(grpc.StatusCode.DATA_LOSS, "tape torn")


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        kind, name = details.method.split("/")[1:]
        if kind == "t.U":
            return grpc.unary_unary_rpc_method_handler(lambda r, c: unary(name, r, c))
        if kind == "t.S":
            return grpc.unary_stream_rpc_method_handler(lambda r, c: stream(name, r, c))
        return None


def make_cert(name, san):
    key, cert = f"{TMP}/{name}.key", f"{TMP}/{name}.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=" + name, "-addext", "subjectAltName=" + san, "-keyout", key, "-out",
                    cert], check=True, stderr=subprocess.DEVNULL)
    der = subprocess.run(f"openssl x509 -in {cert} -noout -pubkey | openssl pkey -pubin "
                         "-outform DER | openssl dgst -sha256 -binary", shell=True, check=True,
                         stdout=subprocess.PIPE).stdout
    return key, cert, der.hex()


class Real:
    def __init__(self):
        self.key, self.cert, self.pin = make_cert("right", "DNS:localhost,IP:127.0.0.1")
        self.other_cert, self.other_pin = make_cert("wrong", "DNS:localhost")[1:]
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(64), (Handler(),), options=[
            ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
        plain = self.server.add_insecure_port("127.0.0.1:0")
        with open(self.key, "rb") as k, open(self.cert, "rb") as c:
            creds = grpc.ssl_server_credentials(((k.read(), c.read()),))
        tls = self.server.add_secure_port("localhost:0", creds)
        self.server.add_insecure_port(f"unix:{TMP}/sock")
        self.server.start()
        self.plain = f"http://127.0.0.1:{plain}"
        self.tls = f"https://localhost:{tls}"
        self.tls_ip = f"https://127.0.0.1:{tls}"
        self.unix = f"unix:{TMP}/sock"


real = None


def test_echo_on_every_transport():
    for args in ((real.plain,), (real.unix,), ("-a", real.cert, real.tls),
                 ("-a", real.cert, real.tls_ip), ("-p", real.pin, real.tls_ip)):
        want(drive(*args, "/t.U/Echo", "hello"), code=0, msg="hello", ok="1")


def test_metadata_both_ways():
    out = drive("-d", "x-sent=v w", "-d", "x-sent-bin=ab\x01c", real.plain, "/t.U/Echo", "m")
    want(out, code=0)
    assert out.one("md:x-first") == "one" and out.one("md:x-last") == "two"
    assert out.one("md:x-raw-bin") == "\\x00\\x01\\xff"
    assert out.one("md:x-seen") == "v w" and out.one("md:x-bin-seen-bin") == "ab\\x01c"
    assert out.one("md:x-agent").startswith("libqmesh/")
    assert not [k for k, _ in out.pairs if k.startswith("md:grpc-") or k.startswith("md::")]


def test_metadata_that_may_not_be_sent():
    for md in ("grpc-x=1", "X-Upper=1", "te=gzip", ":path=/x", "x y=1", "x-nl=a\nb", "=1",
               "x-lead= a"):
        want(drive("-d", md, real.plain, "/t.U/Echo", "m"), errno="22")


def test_bad_targets_and_paths():
    for target in ("", "localhost:1", "http://198.51.100.1:80", "http://example.com", "https://",
                   "https://h:0", "https://h:65536", "https://h:1x", "https://u@h", "https://h/x",
                   "unix:relative", "unix:/" + "x" * 120, "ftp://h", "https://[::1", "https://a b"):
        want(drive(target, "/t.U/Echo"), errno="22")
    for path in ("t.U/Echo", "/Echo", "/a/b c", ""):
        want(drive(real.plain, path), errno="22")
    want(drive("-a", TMP + "/none", real.tls, "/t.U/Echo"), errno="2")
    want(drive("-a", real.key, real.tls, "/t.U/Echo"), errno="22")


def test_failure_words():
    out = drive(real.plain, "/t.U/Fail", "x")
    want(out, code=5, err="OK")
    assert out.one("message").encode().decode("unicode_escape").encode("latin-1").decode() == \
        "no such \u00fcber thing\n50%"


def test_rich_status():
    out = drive(real.plain, "/t.U/Rich", "x")
    want(out, code=6, err="LABEL_TAKEN", message="label is taken", retry_ms="2000")
    assert out.one("meta:suggestion") == "phone-2"


def test_unknown_method():
    want(drive(real.plain, "/no.Such/Method", "x"), code=12)


def test_deadline_is_sent_and_enforced():
    out = drive("-t", 5000, real.plain, "/t.U/Remaining")
    assert 3000 < int(out.one("msg")) <= 5000, out.text
    begin = counts.get("sleep-ended", 0)
    t = time.monotonic()
    want(drive("-t", 200, real.plain, "/t.U/Sleep"), code=4)
    assert time.monotonic() - t < 5
    wait_for(lambda: counts.get("sleep-ended", 0) > begin)


def wait_for(what):
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end, "did not come about"
        time.sleep(0.02)


def test_stream():
    out = drive("-s", real.plain, "/t.S/Count", "500")
    want(out, code=0)
    assert out.all("msg") == [str(i) for i in range(500)]
    out = drive("-s", real.plain, "/t.S/Half", "x")
    want(out, code=15, message="tape torn")
    assert out.all("msg") == ["one"]


def test_stream_cancel_reaches_server():
    begin = counts.get("endless-ended", 0)
    out = drive("-s", "-C", 3, real.plain, "/t.S/Endless")
    want(out, code=1, err="CANCELLED")
    assert out.all("msg")[:3] == ["1", "2", "3"]
    wait_for(lambda: counts.get("endless-ended", 0) > begin)


def test_stream_pause():
    out = drive("-s", "-h", "-P", "3,300", real.plain, "/t.S/Blocks", "100")
    want(out, code=0)
    lines = out.text.splitlines()
    assert lines.index("paused") == 3, out.text
    assert lines.index("resumed") == 4, "messages came while reading was off"
    assert out.all("len") == ["65536"] * 100
    # The last messages wait, and so does done.
    out = drive("-s", "-P", "1,300", real.plain, "/t.S/Count", "3")
    assert out.text.splitlines()[:4] == ["len=1", "msg=0", "paused", "resumed"], out.text
    want(out, code=0)
    assert out.all("msg") == ["0", "1", "2"]


def test_unary_that_is_a_stream():
    want(drive(real.plain, "/t.S/Count", "3"), code=12)
    want(drive(real.plain, "/t.S/Count", "0"), code=12)


def test_sizes():
    for n in (0, 1, 16384, 300000, 4194304):
        want(drive("-h", real.plain, "/t.U/Big", n), code=0, len=str(n))
    want(drive("-h", real.plain, "/t.U/Big", 4194305), code=8, err="MESSAGE_TOO_LARGE")
    want(drive("-h", "-m", 100, real.plain, "/t.U/Big", 101), code=8)
    want(drive("-h", "-m", 100, real.plain, "/t.U/Big", 100), code=0)
    for n in (1, 65535, 65536, 3000000):
        want(drive("-h", "-b", n, real.tls, "-p", real.pin, "/t.U/Echo"), code=0, len=str(n))


def test_retry_of_idempotent_calls():
    counts["flaky"] = 0
    want(drive("-i", real.plain, "/t.U/Flaky"), code=0, msg="third")
    assert counts["flaky"] == 3
    counts["flaky"] = 0
    want(drive(real.plain, "/t.U/Flaky"), code=14, message="come again")
    assert counts["flaky"] == 1
    counts["down"] = 0
    want(drive("-i", real.plain, "/t.U/Down"), code=14, message="always")
    assert counts["down"] == 3
    counts["down"] = 0
    want(drive("-i", "-t", 60, real.plain, "/t.U/Down"), code=14)
    assert counts["down"] < 3


def test_trust():
    def refused(words, *args):
        out = drive(*args, "/t.U/Echo", "x")
        want(out, code=14, err="CP_UNREACHABLE")
        assert words in out.one("message"), out.text

    refused("certificate", real.tls)
    refused("certificate", "-a", real.other_cert, real.tls)
    refused("not the pinned one", "-p", real.other_pin, real.tls)
    refused("not the pinned one", "-p", real.other_pin, "-a", real.cert, real.tls)
    refused("certificate", "-a", real.cert, "-n", "other.example", real.tls)
    want(drive("-p", real.other_pin, "-p", real.pin, real.tls, "/t.U/Echo", "x"), code=0)
    want(drive("-p", real.pin, "-n", "other.example", real.tls, "/t.U/Echo", "x"), code=0)


def test_unreachable():
    def unreachable(words, *args):
        t = time.monotonic()
        out = drive(*args, "/t.U/Echo", "x")
        want(out, code=14, err="CP_UNREACHABLE")
        assert words in out.one("message") and args[-1] in out.one("message"), out.text
        assert time.monotonic() - t < 8

    unreachable("Connection refused", "http://127.0.0.1:1")
    unreachable("Connection refused", "-i", "http://127.0.0.1:1")
    unreachable("No such file", f"unix:{TMP}/none")
    unreachable("no such host", "https://no-such-host.invalid")
    unreachable("TLS", "https://" + real.plain[7:])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        unreachable("says nothing", "-c", 300, f"http://127.0.0.1:{port}")
        unreachable("no answer within", "-c", 300, f"https://127.0.0.1:{port}")


def test_many_threads():
    want(drive("-q", "-T", 16, "-R", 50, real.plain, "/t.U/Echo", "x"), ok="800", failed="0")
    want(drive("-q", "-T", 8, "-R", 20, "-p", real.pin, real.tls, "/t.U/Echo", "x"), ok="160")
    want(drive("-q", "-s", "-T", 8, "-R", 10, real.unix, "/t.S/Count", "20"), ok="80", failed="0")


# A server that misbehaves ----------------------------------------------------

DATA, HEADERS, RST, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream_id, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + \
        struct.pack(">I", stream_id) + payload


def headers(stream_id, pairs, end=False):
    """HPACK: literals without indexing, no Huffman."""
    block = b""
    for k, v in pairs:
        v = v if isinstance(v, bytes) else v.encode()
        assert len(k) < 127
        block += b"\0" + bytes([len(k)]) + k.encode()
        block += (bytes([len(v)]) if len(v) < 127 else b"\x7f" + varint(len(v) - 127)) + v
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream_id, block)


OK_HEAD = [(":status", "200"), ("content-type", "application/grpc")]
OK_TAIL = [("grpc-status", "0")]


def message(text):
    return b"\0" + struct.pack(">I", len(text)) + text


def answer(stream_id, text=b"fine"):
    return headers(stream_id, OK_HEAD) + frame(DATA, 0, stream_id, message(text)) + \
        headers(stream_id, OK_TAIL, True)


class Raw:
    """behave(n_connection, n_request, stream_id) -> bytes to send, None: hang up."""

    def __init__(self, behave, hello=frame(SETTINGS, 0, 0)):
        self.behave, self.hello = behave, hello
        self.connections = self.requests = self.pings = 0
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.target = "http://127.0.0.1:%d" % self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn = self.sock.accept()[0]
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(conn, self.connections), daemon=True).start()

    @staticmethod
    def read(conn, n):
        got = b""
        while len(got) < n:
            more = conn.recv(n - len(got))
            if not more:
                raise OSError
            got += more
        return got

    def serve(self, conn, number):
        try:
            self.talk(conn, number)
        except OSError:
            pass
        conn.close()

    def talk(self, conn, number):
        self.read(conn, 24)
        conn.sendall(self.hello)
        while True:
            head = self.read(conn, 9)
            length = int.from_bytes(head[:3], "big")
            kind, flags, stream_id = head[3], head[4], int.from_bytes(head[5:], "big")
            payload = self.read(conn, length)
            if kind == SETTINGS and not flags & ACK:
                conn.sendall(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                self.pings += 1
                if self.behave(number, 0, 0) != b"mute":
                    conn.sendall(frame(PING, ACK, 0, payload))
            elif kind == DATA and flags & END_STREAM:
                self.requests += 1
                out = self.behave(number, self.requests, stream_id)
                if out is None:
                    return
                conn.sendall(out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def raw_case(behave, *args, hello=frame(SETTINGS, 0, 0), path="/t.U/X"):
    with Raw(behave, hello) as raw:
        out = drive(*args, raw.target, path, "x")
        return out, raw


def test_http_status_without_grpc_status():
    for http, code in ((400, 13), (401, 16), (403, 7), (404, 12), (429, 14), (431, 13), (500, 2),
                       (502, 14), (503, 14), (504, 14), (302, 2)):
        out, _ = raw_case(lambda c, r, s, h=http: headers(
            s, [(":status", str(h)), ("content-type", "text/html")]) +
            frame(DATA, END_STREAM, s, b"<html>"))
        want(out, code=code)
        assert str(http) in out.one("message"), out.text
        assert not out.all("msg")


def test_http_200_that_is_not_grpc():
    out, _ = raw_case(lambda c, r, s: headers(s, [(":status", "200"),
                                                 ("content-type", "text/html")], True))
    want(out, code=2)
    out, _ = raw_case(lambda c, r, s: headers(s, [(":status", "200"), (
        "content-type", "application/grpcx")]) + frame(DATA, END_STREAM, s, message(b"x")))
    want(out, code=2)


def test_no_status_at_the_end():
    out, _ = raw_case(lambda c, r, s: headers(s, OK_HEAD) + frame(DATA, END_STREAM, s,
                                                                  message(b"x")))
    want(out, code=2)


def test_strange_status_values():
    for value, code in (("17", 2), ("abc", 2), ("", 2), ("-1", 2), ("05", 5), ("99999999999", 2)):
        out, _ = raw_case(lambda c, r, s, v=value: headers(s, OK_HEAD + [("grpc-status", v)], True))
        want(out, code=code)


def test_reset_codes():
    for h2, code in ((0, 13), (1, 13), (2, 13), (3, 13), (8, 1), (11, 8), (12, 7), (99, 13)):
        out, _ = raw_case(lambda c, r, s, e=h2: frame(RST, 0, s, struct.pack(">I", e)))
        want(out, code=code if h2 else out.code)
        assert out.code != 0


def test_refused_stream_is_sent_again_once():
    out, raw = raw_case(lambda c, r, s: answer(s) if r > 1 else
                        frame(RST, 0, s, struct.pack(">I", 7)))
    want(out, code=0, msg="fine")
    assert raw.requests == 2
    out, raw = raw_case(lambda c, r, s: frame(RST, 0, s, struct.pack(">I", 7)))
    want(out, code=14)
    assert raw.requests == 2


def test_goaway_moves_calls():
    # Last stream 0: the call was not looked at and goes to a new connection.
    out, raw = raw_case(lambda c, r, s: answer(s) if c > 1 else
                        frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
    want(out, code=0, msg="fine")
    assert raw.connections == 2
    # Within the last stream: it is answered on the old one.
    out, raw = raw_case(lambda c, r, s: frame(GOAWAY, 0, 0, struct.pack(">II", s, 0)) + answer(s),
                        "-R", 2)
    assert out.all("code") == ["0", "0"] and raw.connections == 2, out.text


def test_connection_lost():
    out, raw = raw_case(lambda c, r, s: None)
    want(out, code=14, err="OUTCOME_UNKNOWN")
    assert raw.requests == 1 and "not known" in out.one("message")
    out, raw = raw_case(lambda c, r, s: answer(s) if c > 2 else None, "-i")
    want(out, code=0)
    assert raw.connections == 3
    out, raw = raw_case(lambda c, r, s: None, "-i")
    want(out, code=14, err="CP_UNREACHABLE")
    assert raw.requests == 3
    # An idle connection that went away costs nothing.
    out, raw = raw_case(lambda c, r, s: answer(s) + frame(GOAWAY, 0, 0, struct.pack(">II", s, 0)),
                        "-R", 3, "-g", 50)
    assert out.all("code") == ["0"] * 3 and raw.connections == 3


def test_not_http2():
    out, _ = raw_case(lambda c, r, s: None, hello=b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 64)
    want(out, code=14, err="CP_UNREACHABLE")
    assert "HTTP/2" in out.one("message"), out.text


def test_keepalive():
    # Answered pings keep a silent call alive until its deadline.
    out, raw = raw_case(lambda c, r, s: b"", "-k", 100, "-t", 700)
    want(out, code=4)
    assert raw.pings >= 2
    # An unanswered one ends the connection, 10 s later.
    out, raw = raw_case(lambda c, r, s: b"" if r else b"mute", "-k", 100)
    want(out, code=14, err="OUTCOME_UNKNOWN")
    assert "ping" in out.one("message")


def test_bad_frames():
    compressed = b"\1" + struct.pack(">I", 1) + b"x"
    for body, code in ((compressed, 13), (b"\0\0\0\0\5abc", 13), (b"\7\0\0\0\1a", 13),
                       (b"\0\xff\xff\xff\xff", 8)):
        out, _ = raw_case(lambda c, r, s, b=body: headers(s, OK_HEAD) + frame(DATA, 0, s, b) +
                          headers(s, OK_TAIL, True))
        want(out, code=code)


def test_bad_metadata_and_details():
    out, _ = raw_case(lambda c, r, s: headers(s, OK_HEAD + [("x-bin", "!!!")]) +
                      headers(s, OK_TAIL, True))
    want(out, code=13)
    for details in ("!!!", "", base64.b64encode(b"\xff\xff").decode(),
                    base64.b64encode(field(1, 3) + field(2, b"liar")).decode()):
        out, _ = raw_case(lambda c, r, s, d=details: headers(s, OK_HEAD + [
            ("grpc-status", "5"), ("grpc-message", "gone%20away%ZZ"),
            ("grpc-status-details-bin", d)], True))
        want(out, code=5, err="OK")
        assert out.one("message").startswith("gone away"), out.text
    out, _ = raw_case(lambda c, r, s: headers(s, OK_HEAD + [("x%d" % i, "y" * 500)
                                                           for i in range(100)]) +
                      headers(s, OK_TAIL, True))
    assert out.code not in (0, None)


def test_own_deadline():
    out, _ = raw_case(lambda c, r, s: b"", "-t", 150)
    want(out, code=4, err="DEADLINE_EXCEEDED")


def test_early_answer():
    """The whole answer is there before the request is: the call ends at once."""
    class Early(Raw):
        def talk(self, conn, number):
            self.read(conn, 24)
            conn.sendall(self.hello)
            while True:
                head = self.read(conn, 9)
                self.read(conn, int.from_bytes(head[:3], "big"))
                if head[3] == HEADERS:
                    conn.sendall(answer(int.from_bytes(head[5:], "big")))

    with Early(None) as raw:
        want(drive("-b", 1000000, raw.target, "/t.U/X"), code=0, msg="fine")


def test_garbage_never_hurts():
    import random
    rnd = random.Random(7)
    for _ in range(60):
        def behave(c, r, s):
            out = bytearray(answer(s) + frame(PING, 0, 0, b"12345678") + answer(s))
            for _ in range(rnd.randrange(1, 12)):
                out[rnd.randrange(len(out))] = rnd.randrange(256)
            return bytes(out)
        out, _ = raw_case(behave, "-t", 300)
        assert out.code is not None, out.text


# Our own server --------------------------------------------------------------

ECHO = os.path.join(BUILD, "tests", "support", "echo_server")
own = {}


def start_own():
    if not os.path.exists(ECHO):
        return None
    process = subprocess.Popen([ECHO, "--plain", "--tls", real.cert, real.key, "--unix",
                                TMP + "/own"], stdout=subprocess.PIPE, text=True,
                               env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
    for line in process.stdout:
        name, _, value = line.strip().partition(" ")
        own[name] = value
        if name == "ready":
            break
    own["targets"] = [("http://127.0.0.1:" + own["plain"],), (f"unix:{TMP}/own",),
                      ("-p", real.pin, "https://127.0.0.1:" + own["tls"])]
    return process


def text(*fields):
    return os.fsdecode(b"".join(fields))


def own_call(method, *fields):
    return "/qmesh.test.Echo/" + method, text(*fields)


def test_own_server():
    for target in own.get("targets", []):
        out = drive(*target, *own_call("Unary", field(5, b"hello")))
        want(out, code=0, msg="*\\x05hello")
        out = drive("-s", *target, *own_call("ServerStream", field(2, 100), field(4, 100)))
        want(out, code=0)
        assert len(out.all("msg")) == 100
        want(drive(*target, *own_call("Nobody")), code=12)
        want(drive(*target, "/no.Such/Method"), code=12)
        want(drive("-t", 200, *target, *own_call("Slow", field(3, 5000))), code=4)
        out = drive(*target, *own_call("Fail", field(2, 5), field(5, b"never mind")))
        assert out.code != 0 and out.one("message") == "never mind", out.text
        assert out.one("err") != "OK", out.text
        want(drive("-q", "-T", 8, "-R", 50, *target, *own_call("Work", field(5, b"x"))), ok="400")
        want(drive("-s", "-h", "-P", "2,200", *target,
                   *own_call("ServerStream", field(2, 60), field(4, 60000))), code=0)
        # A flood does not keep the deadline from coming.
        want(drive("-s", "-q", "-t", 400, *target,
                   *own_call("ServerStream", field(2, 1000000), field(4, 60000))), failed="1")
        want(drive("-h", "-b", 200000, *target, "/qmesh.test.Echo/Unary"), ok="1")


def main():
    global real
    if not os.path.exists(DRIVER):
        print("client_driver is not built")
        return 77
    real = Real()
    server = start_own()
    wanted = sys.argv[1:]
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        try:
            test()
            passed += 1
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            print(f"FAIL {name}: {type(e).__name__} {e}", flush=True)
    real.server.stop(0)
    if server:
        server.terminate()
        if server.wait(timeout=30) != 0:
            failed += 1
            print("FAIL our own server did not end well")
    subprocess.run(["rm", "-rf", TMP], check=False)
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
