# SPDX-License-Identifier: Apache-2.0
"""What the tests of libqmesh share: the driver, a run of which is one or more
calls, and a server made of a few lines of HTTP/2 that sends what no decent one
does."""
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time

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


def wait_for(what):
    end = time.monotonic() + 40
    while not what():
        assert time.monotonic() < end, "did not come about"
        time.sleep(0.02)


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

    def __init__(self, behave, hello=frame(SETTINGS, 0, 0), path=None):
        self.behave, self.hello = behave, hello
        self.connections = self.requests = self.pings = 0
        self.bodies = []  # of the requests, whole
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(path)
            self.sock.listen()
            self.target = "unix:" + path
        else:
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
        bodies = {}
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
            elif kind == DATA:
                bodies[stream_id] = bodies.get(stream_id, b"") + payload
                if not flags & END_STREAM:
                    continue
                self.bodies.append(bodies[stream_id])
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


def run_tests(space, wanted):
    """(passed, failed) of the functions of a module that are called test_."""
    passed = failed = 0
    for name, test in list(space.items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        try:
            test()
            passed += 1
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            print(f"FAIL {name}: {type(e).__name__} {e}", flush=True)
    return passed, failed
