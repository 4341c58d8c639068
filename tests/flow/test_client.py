#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""libqmesh against a gRPC server that nobody here wrote (grpcio's), and against
our own. What a server may do wrong is in test_client_raw.py."""
import concurrent.futures
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from rawh2 import BUILD, DRIVER, TMP, drive, field, run_tests, wait_for, want  # noqa: E402

# A real server ---------------------------------------------------------------

counts = {}
tries = []
openings = []
lock = threading.Lock()


def count(name):
    with lock:
        counts[name] = counts.get(name, 0) + 1
        return counts[name]


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
    if name == "Zip":
        context.set_compression(grpc.Compression.Gzip)
        return request * 100
    if name == "Flaky":
        tries.append(md.get("grpc-previous-rpc-attempts"))
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
    elif name == "Renewed":
        opening = dict(context.invocation_metadata()).get("x-opening", "0")
        openings.append((opening, request))
        yield field(1, 100 + int(opening))
        context.abort(grpc.StatusCode.UNAVAILABLE, "again")
    elif name == "Half":
        yield b"one"
        context.abort(grpc.StatusCode.DATA_LOSS, "tape torn")


def both(name, requests, context):
    """Requests come one by one: the sum of their lengths, or each as it came."""
    context.send_initial_metadata((("x-first", "one"),))
    context.set_trailing_metadata((("x-last", "two"),))
    if name == "Early":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no more")
    for request in requests:
        yield request
        if name == "Two":
            context.abort(grpc.StatusCode.DATA_LOSS, "torn")


def collect(requests, context):
    md = dict(context.invocation_metadata())
    context.set_trailing_metadata((("x-encoding", md.get("grpc-encoding", "-")),))
    sizes = [len(r) for r in requests]
    return f"{len(sizes)} {sum(sizes)}".encode()


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        kind, name = details.method.split("/")[1:]
        if kind == "t.C":
            return grpc.stream_unary_rpc_method_handler(collect)
        if kind == "t.B":
            return grpc.stream_stream_rpc_method_handler(lambda r, c: both(name, r, c))
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
    out = drive("-t", 50000, real.plain, "/t.U/Remaining")
    assert 20000 < int(out.one("msg")) <= 50000, out.text
    begin = counts.get("sleep-ended", 0)
    t = time.monotonic()
    want(drive("-t", 200, real.plain, "/t.U/Sleep"), code=4)
    assert time.monotonic() - t < 15
    wait_for(lambda: counts.get("sleep-ended", 0) > begin)


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


def test_watch_renews():
    """Before each opening but the first its metadata may change, and it may end the watch."""
    out = drive("-w", "-Y", "-g", 10, "-d", "x-opening=0", real.plain, "/t.S/Renewed", "")
    want(out, code=1, err="CANCELLED", last="103")
    assert out.all("version") == ["100", "101", "102", "103"], out.text
    assert openings == [(str(n), field(1, 99 + n) if n else b"") for n in range(4)], openings
    assert out.all("lost") == ["14"] * 4


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
    assert counts["flaky"] == 3 and tries == [None, "1", "2"], tries
    counts["flaky"] = 0
    want(drive(real.plain, "/t.U/Flaky"), code=14, message="come again")
    assert counts["flaky"] == 1
    counts["down"] = 0
    want(drive("-i", real.plain, "/t.U/Down"), code=14, message="always")
    assert counts["down"] == 5
    counts["down"] = 0
    # A first answer that is late is over its deadline instead.
    assert drive("-i", "-t", 60, real.plain, "/t.U/Down").code in (4, 14)
    assert counts["down"] < 5


def test_gzip():
    for size in (1, 20, 5000, 300000):
        out = drive("-z", "-h", "-b", size, real.plain, "/t.U/Zip")
        if size * 100 > 4 << 20:
            want(out, code=8, err="MESSAGE_TOO_LARGE")
        else:
            want(out, code=0, len=str(size * 100))
    want(drive("-z", "-N", "c5", real.plain, "/t.C/X", "hello " * 100), code=0, msg="5 3000")


def test_streams_of_requests():
    for target in ((real.plain,), ("-p", real.pin, real.tls), (real.unix,)):
        want(drive("-N", "c0", *target, "/t.C/X", "x"), code=0, msg="0 0")
        want(drive("-N", "c1000", *target, "/t.C/X", "abc"), code=0, msg="1000 3000")
        # More than may wait: the sender is held back, nothing is lost.
        want(drive("-N", "c40", "-b", 100000, *target, "/t.C/X"), code=0, msg="40 4000000")
        out = drive("-N", "b100", *target, "/t.B/Echo", "ping")
        want(out, code=0)
        assert out.all("msg") == ["ping"] * 100
        assert out.one("md:x-first") == "one" and out.one("md:x-last") == "two"
        out = drive("-N", "b5", *target, "/t.B/Two", "x")
        want(out, code=15, message="torn")
        assert out.one("send") in (None, "32")
        want(drive("-N", "b3", *target, "/t.B/Early", "x"), code=9, message="no more")
        want(drive("-N", "b3", "-C", 2, *target, "/t.B/Echo", "x"), code=1, err="CANCELLED")
    want(drive("-N", "c2", real.plain, "/t.B/Echo", "x"), code=12)
    want(drive("-q", "-N", "b20", "-T", 8, "-R", 5, real.plain, "/t.B/Echo", "x"), ok="40")


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
        assert time.monotonic() - t < 30

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
        out = drive("-N", "c4", *target, *own_call("ClientStream", field(2, 5)))
        want(out, code=0)
        assert out.one("msg").startswith("\\x10\\x14"), out.text
        out = drive("-N", "b20", *target, *own_call("Both", field(2, 5)))
        want(out, code=0)
        assert out.all("msg") == ["\\x10\\x05"] * 20
        want(drive("-z", "-h", "-N", "b3", *target, *own_call("Both", field(5, b"y" * 3000))),
             code=0)
        # A flood does not keep the deadline from coming.
        want(drive("-s", "-q", "-t", 400, *target,
                   *own_call("ServerStream", field(2, 1000000), field(4, 60000))), failed="1")
        want(drive("-h", "-b", 200000, *target, "/qmesh.test.Echo/Unary"), ok="1")


def test_nothing_is_left_behind():
    """10,000 calls of all kinds and ends: no descriptor stays, and no byte of the heap."""
    def spent(n):
        left = []
        for args in (("-R", n), ("-i", "-R", n // 10, "-t", 50), ("-N", "b2", "-R", n // 4)):
            path = {"-R": "Unary", "-i": "Slow", "-N": "Both"}[args[0]]
            request = field(3, 30) if path == "Slow" else field(5, b"x" * 300)
            out = drive("-q", "-T", 4, *args, own["targets"][-1][-1], *own["targets"][-1][:-1],
                        *own_call(path, request))
            assert out.one("fds") == "0", out.text
            made = 4 * int(args[args.index("-R") + 1])
            assert int(out.one("ok")) + int(out.one("failed")) == made, out.text
            assert path == "Slow" or out.one("failed") == "0", out.text
            left.append(int(out.one("heap")))
        return left

    few, many = spent(50), spent(1900)
    for a, b in zip(few, many):
        assert b <= a + 65536, (few, many)


EXAMPLES = os.path.join(BUILD, "tests", "support")


def example(name, *args):
    p = subprocess.run([os.path.join(EXAMPLES, name), *args], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                       env=dict(os.environ, TOKEN="good-token"))
    assert p.returncode == 0, p.stderr
    return p.stdout.splitlines()


def test_examples():
    """The programs of docs/client.md are the ones that are built, and they do what it says."""
    text = Path("docs/client.md").read_text(encoding="utf-8")
    blocks = [part.split("\n```\n")[0] + "\n" for part in text.split("\n```c\n")[1:]]
    assert len(blocks) == 3
    for name, block in zip(("list_devices", "watch_state", "list_services"), blocks):
        assert block == Path(f"tests/support/{name}_example.c").read_text(encoding="utf-8"), name
    sock = TMP + "/gateway"
    with subprocess.Popen([os.path.join(EXAMPLES, "gateway_driver"), sock],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        while server.stdout.readline().strip() != "started":
            pass
        lines = example("list_services_example", "unix:" + sock)
        assert "quazzar.mesh.v1.MeshService" in lines and "grpc.health.v1.Health" in lines
        lines = example("watch_state_example", "unix:" + sock, "3")
        assert [x for x in lines if "version" in x] == ["version 1", "version 2", "version 3"]
        server.stdin.close()


def main():
    global real
    if not os.path.exists(DRIVER):
        print("client_driver is not built")
        return 77
    real = Real()
    server = start_own()
    passed, failed = run_tests(globals(), sys.argv[1:])
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
