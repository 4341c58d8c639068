# SPDX-License-Identifier: Apache-2.0
"""interop-server for its judges: one process in clear text and on a Unix socket, one with TLS."""
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "attack"))

import wire  # noqa: E402

BUILD = os.environ.get("QMESH_BUILD", os.path.join(ROOT, "build", "asan"))
PROGRAM = os.path.join(BUILD, "bin", "interop-server")
PROTOS = "/usr/share/grpc-proto"
KINDS = wire.KINDS
Report = wire.Report

# Every case of grpc/grpc doc/interop-test-descriptions.md that needs no cloud; names of its own.
CASES = ("empty_unary", "cacheable_unary", "large_unary", "client_compressed_unary",
         "server_compressed_unary", "client_streaming", "client_compressed_streaming",
         "server_streaming", "server_compressed_streaming", "ping_pong", "empty_stream",
         "custom_metadata", "status_code_and_message", "special_status_message",
         "unimplemented_method", "unimplemented_service", "cancel_after_begin",
         "cancel_after_first_response", "timeout_on_sleeping_server", "rpc_soak", "channel_soak")


def long():
    return bool(os.environ.get("QMESH_LONG"))


def missing():
    """Why there can be no server; None: there can."""
    if not os.path.isdir(PROTOS):
        return "grpc-proto is not installed"
    return None if os.access(PROGRAM, os.X_OK) else "no " + PROGRAM


def certificate(at):
    """at/cert.pem and at/key.pem for localhost, signed by themselves."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", at + "/key.pem", "-out", at + "/cert.pem", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, stderr=subprocess.DEVNULL)


class Servers:
    """Ends with the with block. ports["plain"], ports["tls"]; dir.name + "/sock" and "/cert.pem"."""

    socket = wire.Server.socket  # for wire.H2

    def __init__(self, *options):
        self.dir = tempfile.TemporaryDirectory(prefix="qmesh-interop-")
        self.options = list(options)
        self.ports, self.processes = {}, {}

    def __enter__(self):
        at = self.dir.name
        certificate(at)
        self.errors = open(at + "/stderr", "w+")
        self.start("plain", ["--unix", at + "/sock"])
        self.start("tls", ["--tls", at + "/cert.pem", at + "/key.pem"])
        return self

    def start(self, kind, options, port=0):
        process = subprocess.Popen([PROGRAM, "--port", str(port), *options, *self.options],
                                   stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.processes[kind] = process
        self.ports[kind] = int(process.stdout.readline() or 0)

    def __exit__(self, *_):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        self.errors.close()
        self.dir.cleanup()

    def stop(self):
        """SIGTERM; exit codes and what was said."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(90) for process in self.processes.values()]
        self.errors.seek(0)
        return codes, self.errors.read()

    def end(self, report):
        codes, said = self.stop()
        report.check("the servers end clean", codes == [0] * len(codes), (codes, said[-2000:]))
        return report.end()


def judge(report, name, argv, cases, timeout=400):
    """A program that prints "ok CASE", "FAIL CASE: why" or "skipped CASE: why" a line, all cases once."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout * (10 if long() else 1), check=False)
    told = set()
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        case = rest.split(":")[0]
        told.add(case)
        if word == "skipped":
            print("skipped %s: %s" % (name, rest), flush=True)
        else:
            report.check("%s: %s" % (name, rest), word == "ok")
    report.check(name + ": every case was tried", done.returncode == 0 and told == set(cases),
                 (done.returncode, sorted(set(cases) - told), sorted(told - set(cases)), done.stderr[-1000:]))


@contextlib.contextmanager
def one_at_a_time(what):
    """Programs of this tier run side by side: what they fetch and build together is made by one of them."""
    at = os.path.join(ROOT, "build", "tools")
    os.makedirs(at, exist_ok=True)
    with open(os.path.join(at, what + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cpp_judge(target):
    """(program, None), built now if the build can; or (None, why not)."""
    if subprocess.run(["pkg-config", "--exists", "grpc++"], check=False).returncode or not shutil.which("grpc_cpp_plugin"):
        return None, "gRPC C++ is not installed (libgrpc++-dev, protobuf-compiler-grpc)"
    # It may have come after the build was configured.
    with one_at_a_time("cpp"):
        for argv in (["cmake", BUILD], ["cmake", "--build", BUILD, "--target", target]):
            done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
            if done.returncode != 0:
                raise RuntimeError((done.stdout + done.stderr)[-3000:])
    return os.path.join(BUILD, "tests", "interop", target), None
