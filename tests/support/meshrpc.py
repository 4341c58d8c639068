# SPDX-License-Identifier: Apache-2.0
"""Calls to the daemons by real gRPC (grpcio), for flow, crash and bench tests.

Messages come from proto/ by protoc's descriptor set, so nothing is generated
into the tree. A Daemon runs qmesh-cpd in a directory of its own; a Mesh is a
set of stubs on one channel.
"""
import atexit
import base64
import glob
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("QMESH_BUILD", os.path.join(ROOT, "build", "dev"))
PACKAGE = "quazzar.mesh.v1."

REASONS_DOMAIN = "mesh.quazzar"


def _load():
    files = sorted(glob.glob(os.path.join(ROOT, "proto", "quazzar", "mesh", "v1", "*.proto")))
    files.append(os.path.join(ROOT, "proto", "coredns", "dns.proto"))
    files.append(os.path.join(ROOT, "proto", "google", "rpc", "status.proto"))
    files.append(os.path.join(ROOT, "proto", "google", "rpc", "error_details.proto"))
    with tempfile.TemporaryDirectory() as tmp:
        out = os.path.join(tmp, "set")
        subprocess.run(
            ["protoc", "-I", os.path.join(ROOT, "proto"), "--include_imports",
             "--descriptor_set_out", out] + files, check=True)
        with open(out, "rb") as f:
            fds = descriptor_pb2.FileDescriptorSet.FromString(f.read())
    pool = descriptor_pool.DescriptorPool()
    for file in fds.file:
        pool.Add(file)
    return pool, fds


POOL, FDS = _load()
_FACTORY = message_factory.MessageFactory(POOL)


def msg(kind, /, **fields):
    """msg("LoginRequest", user="a") -> message."""
    full = kind if "." in kind else PACKAGE + kind
    return _FACTORY.GetPrototype(POOL.FindMessageTypeByName(full))(**fields)


class Refused(Exception):
    """A status that is not OK, with its details taken apart."""

    def __init__(self, error):
        self.code = error.code().name
        self.words = error.details()
        self.reason, self.meta, self.fields, self.retry_ms = None, {}, {}, 0
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                self._details(value)
        super().__init__(f"{self.code} {self.reason}: {self.words}")

    def _details(self, raw):
        status = msg("google.rpc.Status")
        status.ParseFromString(raw)
        for any_ in status.details:
            name = any_.type_url.split("/")[-1]
            detail = msg(name)
            detail.ParseFromString(any_.value)
            if name == "google.rpc.ErrorInfo":
                assert detail.domain == REASONS_DOMAIN, detail
                self.reason = detail.reason
                self.meta = dict(detail.metadata)
            elif name == "google.rpc.BadRequest":
                self.fields = {v.field: v.description for v in detail.field_violations}
            elif name == "google.rpc.RetryInfo":
                self.retry_ms = detail.retry_delay.seconds * 1000 + \
                    detail.retry_delay.nanos // 1000000


def refused(reason, fn, *args, **kw):
    """The refusal of a call that must end with that reason."""
    try:
        answer = fn(*args, **kw)
    except Refused as refusal:
        assert refusal.reason == reason, f"{refusal} instead of {reason}"
        return refusal
    raise AssertionError(f"{reason} expected, got {str(answer)[:200]}")


class Mesh:
    """Stubs of all services: mesh.call("CreateDevice", label="x") -> answer."""

    def __init__(self, target, token=None, user=None, client_addr=None, credentials=None):
        options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.secure_channel(target, credentials, options) if credentials \
            else grpc.insecure_channel(target, options)
        self.metadata = []
        if token:
            self.metadata.append(("authorization", "Bearer " + token))
        if user:
            self.metadata.append(("x-qmesh-user", user))
        if client_addr:
            self.metadata.append(("x-qmesh-client-addr", client_addr))
        self.headers = {}

    @staticmethod
    def _method(name):
        for file in FDS.file:
            for service in file.service:
                for method in service.method:
                    if method.name == name:
                        path = f"/{file.package}.{service.name}/{name}"
                        return path, method.input_type[1:], method.output_type[1:]
        raise KeyError(name)

    def call(self, method, /, timeout=60, metadata=(), **fields):
        path, in_, out = self._method(method)
        stub = self.channel.unary_unary(
            path, request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=msg(out).__class__.FromString)
        try:
            answer, call = stub.with_call(msg(in_, **fields), timeout=timeout,
                                          metadata=self.metadata + list(metadata))
        except grpc.RpcError as error:
            raise Refused(error) from None
        self.headers = dict(call.initial_metadata())
        return answer

    def stream(self, method, /, timeout=None, **fields):
        path, in_, out = self._method(method)
        stub = self.channel.unary_stream(
            path, request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=msg(out).__class__.FromString)
        return stub(msg(in_, **fields), timeout=timeout, metadata=self.metadata)

    def close(self):
        self.channel.close()


_given_ports = set()


def free_port():
    """Below the ports that the kernel gives to connections, so nobody takes it before its daemon does."""
    while True:
        port = random.randrange(12000, 32000)
        if port in _given_ports:
            continue
        try:
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            continue
        _given_ports.add(port)
        return port


class Daemon:
    """qmesh-cpd on loopback with an admin socket; state in a directory of its own."""

    def __init__(self, extra=(), env=None, keep=None):
        self.dir = keep or tempfile.mkdtemp(prefix="qmesh-cpd-")
        self.port = free_port()
        self.tls_port = free_port()
        self.extra = list(extra)
        self.env = dict(os.environ, **(env or {}))
        self.process = None
        atexit.register(self.end)
        self.log_path = os.path.join(self.dir, "log")

    def start(self, env=None):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "bin", "qmesh-cpd"),
                 "--listen", f"127.0.0.1:{self.tls_port}",
                 "--listen-plain", f"127.0.0.1:{self.port}",
                 "--admin-socket", os.path.join(self.dir, "admin.sock"),
                 "--state-dir", os.path.join(self.dir, "state")] + self.extra,
                stdout=log, stderr=log, env=dict(self.env, **(env or {})))
        for _ in range(1800):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                with socket.socket(socket.AF_UNIX) as admin:
                    admin.connect(os.path.join(self.dir, "admin.sock"))
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("qmesh-cpd did not start: " + self.log()[-2000:])

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def admin(self):
        return Mesh("unix:" + os.path.join(self.dir, "admin.sock"))

    def mesh(self, token=None, **kw):
        return Mesh(f"127.0.0.1:{self.port}", token, **kw)

    def end(self):
        """However the test ended: no process stays behind."""
        if self.process and self.process.poll() is None:
            self.kill()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


PASSWORD = "correct horse battery"


def key():
    return os.urandom(32)


def x25519():
    """A public key that can shake hands, by wg."""
    private = subprocess.run(["wg", "genkey"], capture_output=True, check=True).stdout
    public = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, check=True).stdout
    return base64.b64decode(public)


def ed25519_key():
    """(secret in PEM, public key of 32 bytes), by openssl."""
    pem = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True,
                         check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=pem,
                         capture_output=True, check=True).stdout
    return pem, der[-32:]


def ed25519_sign(pem, message):
    with tempfile.TemporaryDirectory() as tmp:
        paths = [os.path.join(tmp, name) for name in ("key", "message")]
        for path, content in zip(paths, (pem, message)):
            with open(path, "wb") as f:
                f.write(content)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", paths[0], "-in",
                               paths[1]], capture_output=True, check=True).stdout


def login(daemon, user, tenant="", **kw):
    mesh = daemon.mesh()
    token = mesh.call("Login", tenant=tenant, user=user, password=PASSWORD).token
    mesh.close()
    return daemon.mesh(token, **kw)


def enroll(daemon, admin, tenant, name, endpoint="198.51.100.1:51820", **kw):
    token = admin.call("CreateJoinToken", tenant=tenant).join_token
    mesh = daemon.mesh()
    try:
        return mesh.call("Enroll", join_token=token, name=name, wg_public_key=x25519(),
                         identity_key=kw.pop("identity", key()), endpoint=endpoint, **kw)
    finally:
        mesh.close()


def http(daemon, method, path, body=None, headers=None):
    """(status, headers, parsed body) over HTTP/1.1."""
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    headers = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if body is not None:
        headers.setdefault("content-type", "application/json")
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    try:
        parsed = json.loads(raw) if raw else None
    except ValueError:
        parsed = raw
    return answer.status, dict(answer.getheaders()), parsed
