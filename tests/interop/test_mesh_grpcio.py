#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both daemons by stubs that Google's generator for Python made of our proto/: sign in, devices,
errors with details, the stream of changes, cancel, deadline, health; the operator's services on the
admin socket."""
import glob
import importlib
import os
import shutil
import subprocess
import sys
import tempfile

import interop
import meshlab

PROTO = os.path.join(interop.ROOT, "proto")
MESH = "quazzar/mesh/v1"


def stubs(at):
    import google
    import grpc
    files = [os.path.relpath(p, PROTO) for pattern in (MESH, "quazzar/rpc/v1", "google/rpc", "google/api", "grpc/health/v1")
             for p in glob.glob(os.path.join(PROTO, pattern, "*.proto"))]
    subprocess.run(["protoc", "-I" + PROTO, "--python_out=" + at, "--grpc_out=" + at,
                    "--plugin=protoc-gen-grpc=" + shutil.which("grpc_python_plugin"), *files], check=True)
    sys.path.insert(0, at)
    # Beside the packages of protobuf and grpcio that have these names.
    google.__path__.append(os.path.join(at, "google"))
    grpc.__path__.append(os.path.join(at, "grpc"))
    return lambda name: importlib.import_module(name.replace("/", "."))


class Judge:
    def __init__(self, lab, report, load):
        import grpc
        self.grpc, self.lab, self.report, self.load = grpc, lab, report, load
        self.auth, self.auth_rpc = load(MESH + "/auth_pb2"), load(MESH + "/auth_pb2_grpc")
        self.mesh, self.mesh_rpc = load(MESH + "/mesh_pb2"), load(MESH + "/mesh_pb2_grpc")

    def channel(self, target, cert="-"):
        options = [("grpc.use_local_subchannel_pool", 1)]
        if cert == "-":
            return self.grpc.insecure_channel(target, options)
        with open(cert, "rb") as f:
            return self.grpc.secure_channel(target, self.grpc.ssl_channel_credentials(f.read()), options)

    def failure(self, fn):
        try:
            fn()
        except self.grpc.RpcError as e:
            return e
        return None

    def details(self, error):
        """The details by their names, each decoded by its own generated class."""
        raw = dict(error.trailing_metadata())["grpc-status-details-bin"]
        status = self.load("google/rpc/status_pb2").Status.FromString(raw)
        module, out = self.load("google/rpc/error_details_pb2"), {}
        for any_ in status.details:
            name = any_.type_url.rsplit(".", 1)[-1]
            out[name] = getattr(module, name)()
            assert any_.Unpack(out[name]), any_
        return status, out

    def door(self, kind, target, cert):
        def check(what, ok, seen=""):
            self.report.check(kind + ": " + what, ok, seen)

        code = self.grpc.StatusCode
        with self.channel(target, cert) as channel:
            got = self.auth_rpc.AuthServiceStub(channel).Login(
                self.auth.LoginRequest(tenant=meshlab.TENANT, user=meshlab.USER, password=self.lab.password), timeout=60)
            check("Login", got.token and got.user.name == meshlab.USER, got)
            signed = (("authorization", "Bearer " + got.token),)
            mesh, pb = self.mesh_rpc.MeshServiceStub(channel), self.mesh
            before = len(mesh.ListDevices(pb.ListDevicesRequest(), metadata=signed, timeout=60).devices)
            watch = mesh.WatchState(pb.WatchStateRequest(), metadata=signed, timeout=60)
            first = next(watch)
            check("WatchState begins at once", first.version > 0, first)
            label = "py " + kind
            made = mesh.CreateDevice(pb.CreateDeviceRequest(label=label), metadata=signed, timeout=60)
            check("CreateDevice", made.device.label == label and "[Interface]" in made.config and "<svg" in made.qr_svg,
                  made.device)
            check("WatchState tells of it", next(watch).version > first.version)
            after = mesh.ListDevices(pb.ListDevicesRequest(), metadata=signed, timeout=60).devices
            check("ListDevices", len(after) == before + 1 and label in [d.label for d in after], len(after))
            e = self.failure(lambda: mesh.CreateDevice(pb.CreateDeviceRequest(label=label), metadata=signed, timeout=60))
            status, details = self.details(e)
            check("ErrorInfo", e.code() == code.ALREADY_EXISTS and details["ErrorInfo"].reason == "LABEL_TAKEN" and
                  details["ErrorInfo"].domain == "mesh.quazzar" and status.code == 6 and status.message == e.details(), status)
            e = self.failure(lambda: mesh.GetDevice(pb.GetDeviceRequest(id="no uuid"), metadata=signed, timeout=60))
            status, details = self.details(e)
            check("BadRequest", e.code() == code.INVALID_ARGUMENT and
                  [v.field for v in details["BadRequest"].field_violations] == ["id"], status)
            e = self.failure(lambda: mesh.GetState(pb.GetStateRequest(), timeout=60))
            check("no token", e.code() == code.UNAUTHENTICATED and
                  self.details(e)[1]["ErrorInfo"].reason == "TOKEN_MISSING", e)
            watch.cancel()
            check("cancel", self.failure(lambda: next(watch)).code() == code.CANCELLED)
            e = self.failure(lambda: list(mesh.WatchState(pb.WatchStateRequest(), metadata=signed, timeout=0.4)))
            check("deadline", e.code() == code.DEADLINE_EXCEEDED, e)
            mesh.DeleteDevice(pb.DeleteDeviceRequest(id=made.device.id), metadata=signed, timeout=60)
            left = mesh.ListDevices(pb.ListDevicesRequest(), metadata=signed, timeout=60).devices
            check("DeleteDevice", len(left) == before, len(left))
            self.health(check, channel)

    def health(self, check, channel):
        pb, rpc = (self.load("grpc/health/v1/" + n) for n in ("health_pb2", "health_pb2_grpc"))
        stub = rpc.HealthStub(channel)
        serving = pb.HealthCheckResponse.SERVING
        for service in ("", "quazzar.mesh.v1.MeshService", "grpc.health.v1.Health"):
            got = stub.Check(pb.HealthCheckRequest(service=service), timeout=60)
            check("health of '%s'" % service, got.status == serving, got)
        e = self.failure(lambda: stub.Check(pb.HealthCheckRequest(service="no.such"), timeout=60))
        check("health of a stranger", e.code() == self.grpc.StatusCode.NOT_FOUND, e)
        watch = stub.Watch(pb.HealthCheckRequest(), timeout=60)
        check("health is watched", next(watch).status == serving)
        watch.cancel()

    def operator(self):
        """What only root may, on the admin socket; the same call in the open is refused."""
        pb, rpc = self.load(MESH + "/admin_pb2"), self.load(MESH + "/admin_pb2_grpc")
        with self.channel("unix:%s/admin.sock" % self.lab.dir) as channel:
            got = rpc.AdminServiceStub(channel).ListTenants(pb.ListTenantsRequest(), timeout=60)
            self.report.check("admin socket: ListTenants", [t.name for t in got.tenants] == [meshlab.TENANT], got)
        with self.channel("localhost:%d" % self.lab.cp.port) as channel:
            e = self.failure(lambda: rpc.AdminServiceStub(channel).ListTenants(pb.ListTenantsRequest(), timeout=60))
            self.report.check("in the open: refused", e.code() in (self.grpc.StatusCode.UNAUTHENTICATED,
                                                                   self.grpc.StatusCode.PERMISSION_DENIED), e)
        with self.channel("unix:%s/node.sock" % self.lab.dir) as channel:
            self.health(lambda what, ok, seen="": self.report.check("node's socket: " + what, ok, seen), channel)


def main():
    why = meshlab.missing()
    if why:
        print("skipped: " + why)
        return 77
    meshlab.into_namespace()
    report = interop.Report()
    with meshlab.Lab() as lab, tempfile.TemporaryDirectory(prefix="qmesh-stubs-") as at:
        judge = Judge(lab, report, stubs(at))
        for door in lab.doors:
            judge.door(*door)
        judge.operator()
        return lab.end(report)


if __name__ == "__main__":
    sys.exit(main())
