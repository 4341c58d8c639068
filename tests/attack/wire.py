# SPDX-License-Identifier: Apache-2.0
"""Raw HTTP/1.1 and HTTP/2 against an echo_server of one's own, over every kind of listener."""
import os
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, HAS_PRIORITY, ACK = 1, 4, 8, 32, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PATIENCE_S = 60  # how long what must come may take on a busy machine
KINDS = ("plain", "tls", "unix")


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def integer(first, bits, value):
    top = (1 << bits) - 1
    if value < top:
        return bytes([first | value])
    out = bytes([first | top])
    value -= top
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def literal(name, value):
    name = name.encode() if isinstance(name, str) else name
    value = value.encode() if isinstance(value, str) else value
    return b"\0" + integer(0, 7, len(name)) + name + integer(0, 7, len(value)) + value


def head(path, content_type="application/grpc", extra=b"", method="POST", authority="localhost"):
    return b"".join([
        literal(":method", method), literal(":scheme", "http"), literal(":path", path),
        literal(":authority", authority), literal("content-type", content_type),
        literal("te", "trailers")]) + extra


def echo(name, **more):
    return head("/qmesh.test.Echo/" + name, **more)


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(n=0, ms=0, size=0, data=b"", text=b""):
    body = b""
    if data:
        body += b"\x0a" + varint(len(data)) + data
    for field, value in ((2, n), (3, ms), (4, size)):
        if value:
            body += bytes([field << 3]) + varint(value)
    if text:
        body += b"\x2a" + varint(len(text)) + text
    return b"\0" + struct.pack(">I", len(body)) + body


class Server:
    """echo_server with all three listeners; ends with the with block."""

    def __init__(self, *options):
        self.dir = tempfile.TemporaryDirectory(prefix="qmesh-attack-")
        self.options = options
        self.ports = {}

    def __enter__(self):
        at = self.dir.name
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-keyout", at + "/key.pem", "-out", at + "/cert.pem", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       check=True, stderr=subprocess.DEVNULL)
        build = os.environ.get("QMESH_BUILD", "build")
        self.errors = open(at + "/stderr", "w+")
        self.process = subprocess.Popen(
            [build + "/tests/support/echo_server", "--plain", "--tls", at + "/cert.pem", at + "/key.pem",
             "--unix", at + "/sock", *self.options], stdout=subprocess.PIPE, stderr=self.errors, text=True)
        for line in self.process.stdout:
            if line.strip() == "ready":
                break
            word, port = line.split()
            self.ports[word] = int(port)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.errors.close()
        self.dir.cleanup()

    def stop(self, timeout=20):
        """SIGTERM; its exit status and what it said."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout)
        self.errors.seek(0)
        return status, self.errors.read()

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def alive(self):
        return self.process.poll() is None

    def cpu_ticks(self):
        with open("/proc/%d/stat" % self.process.pid) as f:
            return sum(int(v) for v in f.read().rsplit(")", 1)[1].split()[11:13])

    def rss_kib(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def socket(self, kind, alpn="h2", timeout=PATIENCE_S, receive_buffer=0):
        if kind == "unix":
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(timeout)
            s.connect(self.dir.name + "/sock")
            return s
        s = socket.socket()
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(timeout)
        s.connect(("127.0.0.1", self.ports[kind]))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if kind == "tls":
            context = ssl.create_default_context(cafile=self.dir.name + "/cert.pem")
            context.set_alpn_protocols([alpn])
            s = context.wrap_socket(s, server_hostname="localhost")
        return s

    def sanitized(self):
        """Sanitizers keep what is freed: sizes mean nothing then."""
        with open("/proc/%d/maps" % self.process.pid) as f:
            return any("libasan" in line or "libtsan" in line for line in f)

    def memory_holds(self, needle):
        """How often the bytes lie in the server's writable memory."""
        n = 0
        with open("/proc/%d/maps" % self.process.pid) as maps, open("/proc/%d/mem" % self.process.pid, "rb", 0) as mem:
            for line in maps:
                span, mode = line.split()[:2]
                low, high = (int(v, 16) for v in span.split("-"))
                if not mode.startswith("rw") or high - low > 1 << 30:
                    continue
                try:
                    mem.seek(low)
                    n += mem.read(high - low).count(needle)
                except OSError:
                    pass
        return n

    def forgets(self, needle, seconds=PATIENCE_S):
        end = time.time() + seconds
        while self.memory_holds(needle):
            if time.time() > end:
                return False
            time.sleep(0.05)
        return True

    def stats(self):
        c = H1(self, "unix")
        c.send(b"GET /stats HTTP/1.1\r\nhost: localhost\r\n\r\n")
        body = c.answer()[2].decode()
        c.close()
        return {k: int(v) for k, v in (line.split() for line in body.splitlines())}

    def settle(self, key, value, seconds=PATIENCE_S):
        """Waits until a counter reaches value; the last one seen."""
        end = time.time() + seconds
        while True:
            now = self.stats()[key]
            if now == value or time.time() > end:
                return now
            time.sleep(0.05)


class H1:
    def __init__(self, server, kind):
        self.s = server.socket(kind, alpn="http/1.1")
        self.buffer = b""

    def send(self, data):
        self.s.sendall(data)

    def close(self):
        self.s.close()

    def _more(self):
        try:
            got = self.s.recv(65536)
        except (ConnectionError, ssl.SSLError):
            got = b""
        self.buffer += got
        return len(got) > 0

    def raw(self, end):
        """Bytes up to those, and whatever comes shortly after."""
        while end not in self.buffer and self._more():
            pass
        self.s.settimeout(0.2)
        try:
            self._more()
        except (socket.timeout, TimeoutError):
            pass
        self.s.settimeout(PATIENCE_S)
        got, self.buffer = self.buffer, b""
        return got

    def answer(self):
        """(status, headers, body) or None at the end of the connection."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                return None
        top, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = top.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        headers = dict(line.split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            if not self._more():
                return None
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return status, headers, body

    def closed(self, seconds=PATIENCE_S):
        self.s.settimeout(seconds)
        try:
            while self._more():
                pass
            return True
        except (socket.timeout, TimeoutError):
            return False


class H2:
    def __init__(self, server, kind, settings=b"", receive_buffer=0):
        self.s = server.socket(kind, receive_buffer=receive_buffer)
        self.buffer = b""
        self.s.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, *frames):
        self.s.sendall(b"".join(frames))

    def close(self):
        self.s.close()

    def read(self, seconds=PATIENCE_S):
        """(type, flags, stream, payload), ("eof",), ("reset",) or None after seconds."""
        end = time.time() + seconds
        while True:
            if len(self.buffer) >= 9:
                n = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) >= 9 + n:
                    b = self.buffer
                    self.buffer = b[9 + n:]
                    return b[3], b[4], int.from_bytes(b[5:9], "big"), b[9:9 + n]
            left = end - time.time()
            if left <= 0:
                return None
            self.s.settimeout(left)
            try:
                got = self.s.recv(65536)
            except (socket.timeout, TimeoutError):
                return None
            except (ConnectionError, ssl.SSLError, OSError):
                return ("reset",)
            if not got:
                return ("eof",)
            self.buffer += got

    def until(self, wanted, seconds=PATIENCE_S):
        """Frames up to the one wanted, the end, or the timeout."""
        end = time.time() + seconds
        seen = []
        while time.time() < end:
            f = self.read(max(0.01, end - time.time()))
            if f is None:
                break
            seen.append(f)
            if f[0] in ("eof", "reset") or wanted(f):
                break
        return seen

    def call(self, name, body, stream=1):
        self.send(frame(HEADERS, END_HEADERS, stream, echo(name)), frame(DATA, END_STREAM, stream, body))
        return self.until(lambda f: ended(f, stream))

    def take(self, n):
        """Frames up to n bytes of DATA, and whatever comes shortly after."""
        seen, left = [], n
        while left > 0:
            f = self.read()
            if f is None or f[0] in ("eof", "reset"):
                break
            seen.append(f)
            left -= len(f[3]) if f[0] == DATA else 0
        return seen + self.until(lambda f: False, 0.5)


def ended(f, stream=None):
    return (f[0] in (HEADERS, DATA) and f[1] & END_STREAM and (stream is None or f[2] == stream)) or \
        (f[0] == RST and (stream is None or f[2] == stream))


def goaways(frames):
    return [(int.from_bytes(f[3][4:8], "big"), f[3][8:].decode()) for f in frames if f[0] == GOAWAY]


def status_of(frames):
    """grpc-status of the last HEADERS, or None."""
    for f in reversed(frames):
        if f[0] == HEADERS and b"grpc-status" in f[3]:
            at = f[3].index(b"grpc-status") + 11
            return int(f[3][at + 1:at + 1 + f[3][at]])
    return None


class Report:
    """Collects checks; prints what failed and the line that the runner adds up."""

    def __init__(self):
        self.n_passed = self.n_failed = 0

    def check(self, name, ok, seen=""):
        if ok:
            self.n_passed += 1
        else:
            self.n_failed += 1
            print("FAIL %s: %s" % (name, str(seen)[:400]), flush=True)

    def end(self):
        print("passed %d failed %d skipped 0" % (self.n_passed, self.n_failed))
        return 1 if self.n_failed else 0
