#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reflection of the Control Panel: the published protos (Debian's grpc-proto) ask for all that
there is to ask; buf curl (npm, tests/tools) calls methods with nothing but what it is told."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")
sys.path.insert(0, HERE + "/../support")
sys.path.insert(0, HERE + "/../attack")
PUBLISHED = "/usr/share/grpc-proto"
BUF = os.path.join(ROOT, "tests/tools/node_modules/.bin/buf")

try:
    import grpc
except ImportError:
    print("skipped: python3-grpcio is not installed")
    sys.exit(77)
if not os.path.isdir(PUBLISHED):
    print("skipped: grpc-proto is not installed")
    sys.exit(77)

from google.protobuf import descriptor_pb2, descriptor_pool  # noqa: E402
from meshrpc import Daemon  # noqa: E402
from wire import Report  # noqa: E402

MESH = "quazzar.mesh.v1.MeshService"


def stubs(at):
    names = ["grpc/reflection/v1/reflection.proto", "grpc/reflection/v1alpha/reflection.proto"]
    subprocess.run(["protoc", "-I" + PUBLISHED, "--python_out=" + at, "--grpc_out=" + at,
                    "--plugin=protoc-gen-grpc=" + shutil.which("grpc_python_plugin"), *names], check=True)
    # Beside grpcio's own package "grpc".
    for name in ("grpc/reflection", "grpc/reflection/v1", "grpc/reflection/v1alpha"):
        open(os.path.join(at, name, "__init__.py"), "w").close()
    grpc.__path__.append(os.path.join(at, "grpc"))
    return [(importlib.import_module(f"grpc.reflection.{v}.reflection_pb2"),
             importlib.import_module(f"grpc.reflection.{v}.reflection_pb2_grpc")) for v in ("v1", "v1alpha")]


class Asker:
    def __init__(self, channel, pb, service):
        self.pb, self.stub = pb, service.ServerReflectionStub(channel)

    def ask(self, **what):
        asked = self.pb.ServerReflectionRequest(host="h", **what)
        got = list(self.stub.ServerReflectionInfo(iter([asked]), timeout=60))
        assert len(got) == 1 and got[0].original_request == asked and got[0].valid_host == "h", got
        return got[0]

    def file(self, **what):
        return descriptor_pb2.FileDescriptorProto.FromString(
            self.ask(**what).file_descriptor_response.file_descriptor_proto[0])


def whole_contract(asker, report, version):
    """Every file that is named, until nothing is missing: then a pool must take them all."""
    todo, files = [s.name for s in asker.ask(list_services="").list_services_response.service], {}
    report.check(version + ": services", MESH in todo and "grpc.health.v1.Health" in todo, todo)
    names = set()
    for service in todo:
        file = asker.file(file_containing_symbol=service)
        names.add(file.name)
    while names - set(files):
        name = (names - set(files)).pop()
        files[name] = asker.file(file_by_filename=name)
        names.update(files[name].dependency)
    pool = descriptor_pool.DescriptorPool()
    added = set()

    def add(name):
        if name not in added:
            added.add(name)
            for other in files[name].dependency:
                add(other)
            pool.Add(files[name])
    for name in files:
        add(name)
    report.check(version + ": the pool has the service", pool.FindServiceByName(MESH).methods_by_name["GetState"])
    return len(files)


def questions(asker, pb, report, version):
    def check(what, ok, seen=""):
        report.check(version + ": " + what, ok, seen)

    check("files", whole_contract(asker, report, version) > 8)
    for symbol, end in ((MESH + ".GetState", "mesh.proto"), ("." + MESH, "mesh.proto"),
                        ("grpc.health.v1.HealthCheckResponse.ServingStatus", "health.proto"),
                        ("grpc.health.v1.HealthCheckResponse.SERVING", "health.proto"),
                        ("grpc.health.v1.HealthCheckRequest.service", "health.proto"),
                        ("quazzar.rpc.v1.rule", "policy.proto"),
                        ("google.protobuf.Timestamp", "timestamp.proto")):
        name = asker.file(file_containing_symbol=symbol).name
        check("symbol " + symbol, name.endswith(end), name)
    for symbol in ("", ".", "quazzar", "quazzar.mesh.v1", MESH + ".Get", MESH + ".GetState.x", "x" * 1024,
                   "grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING"):
        got = asker.ask(file_containing_symbol=symbol)
        check("no symbol " + symbol[:60], got.error_response.error_code == 5, got)
    check("no file", asker.ask(file_by_filename="../x").error_response.error_code == 5)
    numbers = asker.ask(all_extension_numbers_of_type="google.protobuf.FieldOptions")
    numbers = numbers.all_extension_numbers_response
    check("extension numbers", len(numbers.extension_number) == 1 and
          numbers.base_type_name == "google.protobuf.FieldOptions", numbers)
    file = asker.file(file_containing_extension=pb.ExtensionRequest(
        containing_type="google.protobuf.FieldOptions", extension_number=numbers.extension_number[0]))
    check("file of an extension", file.name.endswith("policy.proto"), file.name)
    got = asker.ask(file_containing_extension=pb.ExtensionRequest(containing_type="a.B", extension_number=1))
    check("no extension", got.error_response.error_code == 5, got)
    check("no type", asker.ask(all_extension_numbers_of_type="a.B").error_response.error_code == 5)
    check("nothing asked", asker.ask().error_response.error_code == 3)
    both = asker.stub.ServerReflectionInfo(
        (pb.ServerReflectionRequest(list_services=str(i)) for i in range(500)), timeout=90)
    check("500 in one stream", [int(m.original_request.list_services) for m in both] == list(range(500)))
    try:
        asker.ask(file_by_filename="y" * 1025)
        check("too long a name", False)
    except grpc.RpcError as e:
        check("too long a name", e.code() == grpc.StatusCode.INVALID_ARGUMENT, e)


def buf_curl(daemon, report):
    base = f"http://127.0.0.1:{daemon.port}"

    def curl(*args):
        done = subprocess.run([BUF, "curl", "--http2-prior-knowledge", *args], capture_output=True, text=True,
                              timeout=120, check=False)
        return done.stdout, done.stderr

    for version in ("grpc-v1", "grpc-v1alpha"):
        out, err = curl("--protocol", "grpc", "--reflect-protocol", version, "--list-methods", base)
        report.check("buf curl lists by " + version, MESH + "/GetState" in out, out + err)
    # buf asks by the protocol it calls with; streams both ways are gRPC's alone.
    for protocol in ("grpc", "grpcweb", "connect"):
        how = ["--protocol", protocol] + ([] if protocol == "grpc" else ["--schema", ROOT + "/proto"])
        out, err = curl(*how, "-d", "{}", base + "/grpc.health.v1.Health/Check")
        report.check("buf curl over " + protocol, out and json.loads(out) == {"status": "SERVING"}, out + err)
        out, err = curl(*how, "-d", "{}", base + f"/{MESH}/GetState")
        report.check("buf curl is refused over " + protocol, "unauthenticated" in err, out + err)


def main():
    report = Report()
    daemon = Daemon()
    daemon.start()
    try:
        with tempfile.TemporaryDirectory(prefix="qmesh-reflection-") as at, \
                grpc.insecure_channel(f"127.0.0.1:{daemon.port}") as channel:
            for version, (pb, service) in zip(("v1", "v1alpha"), stubs(at)):
                questions(Asker(channel, pb, service), pb, report, version)
        tools = subprocess.run(["bash", "-c", ". tests/tools/npm-tools.sh; npm_tools"], cwd=ROOT, check=False)
        if tools.returncode == 0:
            buf_curl(daemon, report)
        report.check("the daemon ends well", daemon.stop() == 0, daemon.log()[-2000:])
    finally:
        daemon.end()
        daemon.remove()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
