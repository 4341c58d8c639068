# SPDX-License-Identifier: Apache-2.0
"""Our echo server and those of others: built, started, measured with h2load, ended by pid."""
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

from figures import BUILD, ROOT, cpu_seconds

HERE = ROOT + "/tests/bench/rpc"
OUT = BUILD + "/rivals"
PROTO = ROOT + "/tests/support/echo"
GRPCJS = ROOT + "/tests/interop/grpcjs"
GO_MODULES = ["google.golang.org/grpc@v1.71.0", "connectrpc.com/connect@v1.18.1", "golang.org/x/net@v0.34.0",
              "google.golang.org/protobuf@v1.36.5"]
missing = {}  # rival: why it is not there


def say(text):
    print(text, file=sys.stderr, flush=True)


def newer(target, *sources):
    return os.path.exists(target) and all(os.path.getmtime(target) >= os.path.getmtime(s) for s in sources)


def run(argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=400, **more)
    if done.returncode != 0:
        raise RuntimeError(" ".join(argv[:3]) + ": " + done.stderr.strip()[-300:].replace("\n", " "))
    return done.stdout


def certificate():
    """(cert, key) of localhost."""
    cert, key = OUT + "/cert.pem", OUT + "/key.pem"
    os.makedirs(OUT, exist_ok=True)
    if not os.path.exists(cert) or time.time() - os.path.getmtime(cert) > 20 * 86400:
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
             key, "-out", cert, "-days", "30", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1"])
    return cert, key


def build_c(name, *libraries):
    source = "%s/%s.c" % (HERE, name)
    if not newer(OUT + "/" + name, source):
        run(["gcc", "-O2", "-D_GNU_SOURCE", "-DH2O_USE_LIBUV=0", source, "-o", OUT + "/" + name, *libraries])
    return OUT + "/" + name


def build_grpcpp():
    program = OUT + "/grpcpp_server"
    if not newer(program, HERE + "/grpcpp_server.cc", PROTO + "/echo.proto"):
        plugin = shutil.which("grpc_cpp_plugin")
        if not plugin:
            raise RuntimeError("libgrpc++-dev and protobuf-compiler-grpc are not installed")
        run(["protoc", "-I" + PROTO, "--cpp_out=" + OUT, "--grpc_out=" + OUT, "--plugin=protoc-gen-grpc=" + plugin,
             "echo.proto"])
        flags = run(["pkg-config", "--cflags", "--libs", "grpc++", "protobuf"]).split()
        run(["g++", "-O2", "-std=c++17", "-I" + OUT, HERE + "/grpcpp_server.cc", OUT + "/echo.pb.cc",
             OUT + "/echo.grpc.pb.cc", "-o", program, *flags])
    return program


def build_grpcjs():
    if not shutil.which("node") or not shutil.which("npm"):
        raise RuntimeError("npm and node are not installed")
    if not os.path.exists(GRPCJS + "/node_modules/.package-lock.json"):
        run(["npm", "ci", "--no-audit", "--no-fund"], cwd=GRPCJS)
    return HERE + "/grpcjs_server.js"


def build_go():
    go = shutil.which("go") or "/usr/local/go/bin/go"
    at = OUT + "/go"
    program = at + "/rival"
    if not os.path.exists(go):
        raise RuntimeError("Go is not installed")
    if newer(program, HERE + "/go/main.go", PROTO + "/echo.proto"):
        return program
    os.makedirs(at + "/echo", exist_ok=True)
    shutil.copy(HERE + "/go/main.go", at)
    env = dict(os.environ, GOFLAGS="-modcacherw -mod=mod", GOTOOLCHAIN="local")
    if not os.path.exists(at + "/go.mod"):
        run([go, "mod", "init", "rival"], cwd=at, env=env)
    run([go, "get", *GO_MODULES], cwd=at, env=env)
    run([go, "build", "-o", at + "/protoc-gen-go", "google.golang.org/protobuf/cmd/protoc-gen-go"], cwd=at, env=env)
    run(["protoc", "-I" + PROTO, "--plugin=protoc-gen-go=" + at + "/protoc-gen-go", "--go_out=" + at + "/echo",
         "--go_opt=Mecho.proto=rival/echo,paths=source_relative", "echo.proto"])
    run([go, "build", "-o", program, "."], cwd=at, env=env)
    return program


def argv_of(kind, tls):
    """The command that serves, or RuntimeError with the reason why not."""
    pair = list(certificate()) if tls else []
    if kind in ("qmesh", "qmesh 2 loops"):
        loops = ["--loops", "2"] if kind.endswith("loops") else []
        return [BUILD + "/tests/support/echo_server", *(["--tls", *pair] if tls else ["--plain"]), *loops]
    if kind == "grpc++":
        return [build_grpcpp(), *pair]
    if kind == "grpc-js":
        return ["node", build_grpcjs(), PROTO + "/echo.proto", *pair]
    if kind in ("grpc-go", "connect-go"):
        return [build_go(), kind[:-3], *pair]
    if kind == "h2o":
        return [build_c("h2o_server", "-lh2o-evloop", "-lssl", "-lcrypto", "-lpthread")]
    if not shutil.which("nghttpd"):
        raise RuntimeError("nghttp2-server is not installed")
    port = free_port()
    return ["nghttpd", "-a", "127.0.0.1", "--no-tls", "-d", OUT + "/files", str(port)]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def message(data=b"", n=0, size=0):
    """A Msg of echo.proto with gRPC's five bytes in front."""
    def varint(v):
        return (bytes([v & 127 | 128]) + varint(v >> 7)) if v > 127 else bytes([v])
    body = (b"\x0a" + varint(len(data)) + data if data else b"")
    body += b"".join(bytes([field << 3]) + varint(v) for field, v in ((2, n), (4, size)) if v)
    return b"\0" + struct.pack(">I", len(body)) + body


class Work:
    """What is asked for: path, body, answer's bytes per request, messages per request, h2load's -c and -m."""

    def __init__(self, name, method, body, answer_len, n_messages=1, conns=8, streams=32):
        os.makedirs(OUT + "/files", exist_ok=True)
        self.name, self.method, self.answer_len, self.n_messages = name, method, answer_len, n_messages
        self.conns, self.streams = conns, streams
        self.body = "%s/files/%s.body" % (OUT, re.sub(r"\W+", "-", name))
        with open(self.body, "wb") as f:
            f.write(body)

    @staticmethod
    def unary(size):
        body = message(b"x" * (size - 5 if size > 130 else size - 4), n=7)
        return Work("unary %s" % ("64 B" if size == 64 else "4 KiB"), "Unary", body, len(body))

    @staticmethod
    def stream(n, size):
        answer = sum(len(message(b"\0" * size, n=i)) for i in range(n))
        return Work("server-stream messages 64 B", "ServerStream", message(n=n, size=size), answer, n, 8, 8)


class Rival:
    """A running server; rates in messages a second, cpu in microseconds of its own per message."""

    def __init__(self, kind, tls):
        self.kind, self.tls = kind, tls
        self.rates, self.cpu = [], []
        self.n = 0
        argv = argv_of(kind, tls)
        env = dict(os.environ, NODE_PATH=GRPCJS + "/node_modules")
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        self.port = int(argv[-1]) if argv[0] == "nghttpd" else int(self.process.stdout.readline().split()[1])
        end = time.time() + 20
        while time.time() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)

    def load(self, work, n):
        """(seconds, right): n requests, and whether the answers were whole."""
        at = "/" + os.path.basename(work.body) if self.kind == "nghttpd" else "/qmesh.test.Echo/" + work.method
        more = [] if self.kind == "nghttpd" else ["-d", work.body, "-H", "content-type: application/grpc", "-H",
                                                  "te: trailers"]
        out = subprocess.run(["h2load", "-n", str(n), "-c", str(work.conns), "-m", str(work.streams), "-t", "1", *more,
                              "%s://localhost:%d%s" % ("https" if self.tls else "http", self.port, at)],
                             check=True, capture_output=True, text=True, timeout=120).stdout
        ok = int(re.search(r"(\d+) 2xx", out).group(1))
        data = int(re.search(r"\((\d+)\) data", out).group(1))
        took = re.search(r"finished in ([\d.]+)(us|ms|s)", out)
        seconds = float(took[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[took[2]]
        right = ok == n and data == n * work.answer_len
        if not right:
            say("%s: %d of %d, %d bytes instead of %d" % (self.kind, ok, n, data, n * work.answer_len))
        return seconds, right

    def warm_up(self, work, round_s):
        """How many requests fill a round; wrong answers are no rival."""
        n = work.conns * work.streams if work.n_messages == 1 else work.conns
        seconds, right = self.load(work, n)
        if not right:
            raise RuntimeError("wrong answers")
        while seconds < round_s / 10 and n < 1 << 20:
            n *= 4
            seconds = self.load(work, n)[0]
        self.n = max(work.conns, int(n * round_s / seconds))

    def round(self, work):
        before = cpu_seconds(self.process.pid)
        seconds, right = self.load(work, self.n)
        if not right:
            raise RuntimeError("%s: wrong answers" % self.kind)
        messages = self.n * work.n_messages
        self.rates.append(messages / seconds)
        self.cpu.append((cpu_seconds(self.process.pid) - before) / messages * 1e6)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(kinds, tls, work, round_s):
    """Those that are there and answer rightly; the others are named in missing."""
    out = []
    for kind in kinds:
        if kind in missing:
            continue
        rival = None
        try:
            rival = Rival(kind, tls)
            rival.warm_up(work, round_s)
            out.append(rival)
        except (RuntimeError, OSError, ValueError, IndexError, AttributeError, subprocess.SubprocessError) as why:
            missing[kind] = str(why)[:300]
            say("skipped %s: %s" % (kind, missing[kind]))
            if rival:
                rival.stop()
            if kind.startswith("qmesh"):
                raise
    return out
