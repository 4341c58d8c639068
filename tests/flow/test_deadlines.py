#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Deadlines and cancellation from caller to node to Control Panel, and what is left behind: nothing.

Between a real node and a real Control Panel stands a gRPC proxy (grpcio, with the
Control Panel's own key): it sees what time the node gives a call, and can be told
to let a method hang. Runs itself in a network and a mount namespace."""
import glob
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent import futures

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import grpc
import meshrpc
from meshrpc import Refused, msg
from realnode import RealNode, control_panel, enter, metrics, until

MESH = "/quazzar.mesh.v1.MeshService/"
passed = failed = 0


def check(what, ok, seen=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}: {seen}")


class Proxy(grpc.GenericRpcHandler):
    """Every call to the Control Panel, passed on or left to hang."""

    def __init__(self, cp):
        pem = {}
        for name in ("ca.pem", "tls.key"):
            path, = glob.glob(cp.dir + "/state/**/" + name, recursive=True)
            with open(path, "rb") as f:
                pem[name] = f.read()
        self.hang = set()
        self.seen = []  # (method, seconds it was given, event: it ended)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{cp.port}",
                                             [("grpc.enable_retries", 0)])
        self.server = grpc.server(futures.ThreadPoolExecutor(32), [self])
        self.port = self.server.add_secure_port(
            "127.0.0.1:0", grpc.ssl_server_credentials([(pem["tls.key"], pem["ca.pem"])]))
        self.server.start()

    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        return grpc.unary_stream_rpc_method_handler(
            lambda request, context: self.answer(details, name, request, context))

    def answer(self, details, name, request, context):
        ended = threading.Event()
        context.add_callback(ended.set)
        given = context.time_remaining()
        given = given if given is not None and given < 10 ** 6 else None
        self.seen.append((name, given, ended))
        if name in self.hang:
            ended.wait(60)
            return
        metadata = [(k, v) for k, v in context.invocation_metadata() if k != "user-agent"]
        call = self.channel.unary_stream(details.method)(
            request, metadata=metadata, timeout=given)
        context.add_callback(call.cancel)
        try:
            context.send_initial_metadata(call.initial_metadata())
            yield from call
        except grpc.RpcError as e:
            context.set_trailing_metadata([(k, v) for k, v in e.trailing_metadata() or ()
                                           if k == "grpc-status-details-bin"])
            context.abort(e.code(), e.details())

    def calls(self, name):
        return [c for c in self.seen if c[0] == name]

    def stop(self):
        self.server.stop(0).wait()
        self.channel.close()


def start_call(mesh, method, timeout=None, **fields):
    path, in_, out = mesh._method(method)
    stub = mesh.channel.unary_unary(path, request_serializer=lambda m: m.SerializeToString(),
                                    response_deserializer=msg(out).__class__.FromString)
    return stub.future(msg(in_, **fields), timeout=timeout, metadata=mesh.metadata)


def open_calls(daemon):
    return metrics(daemon)["qmesh_calls"]


def back_to(what, daemon, before):
    check(f"{what}: no call is left", until(lambda: open_calls(daemon) <= before),
          f"{open_calls(daemon)} now, {before} before")


def test_deadline(node, proxy, mesh):
    """A deadline at the node: the Control Panel is given less, and the node answers by itself."""
    before = open_calls(node)
    proxy.hang.add("ListAudit")
    for ms in (1500, 4000):
        n = len(proxy.calls("ListAudit"))
        try:
            mesh.call("ListAudit", timeout=ms / 1000)
            check(f"{ms} ms", False, "it was answered")
        except Refused as e:
            check(f"{ms} ms", e.code == "DEADLINE_EXCEEDED", e)
        check(f"{ms} ms: it came to the Control Panel", until(lambda: len(proxy.calls("ListAudit")) > n))
        _, given, ended = proxy.calls("ListAudit")[-1]
        # grpcio rounds what it sends up to three digits.
        check(f"{ms} ms: which was given less", 0 < given <= ms / 1000 * 1.01, given)
        check(f"{ms} ms: and is rid of it", ended.wait(30))
    back_to("deadline", node, before)
    proxy.hang.clear()


def test_node_ends_it(node, proxy, token):
    """A caller who only says grpc-timeout and never gives up hears DEADLINE_EXCEEDED of the node."""
    proxy.hang.add("ListAudit")
    out = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "60", "-D", "-", "-o", "/dev/null",
         "-H", "content-type: application/grpc", "-H", "te: trailers", "-H", "grpc-timeout: 300m",
         "-H", "authorization: Bearer " + token, "--data-binary", "@-",
         f"http://127.0.0.1:{node.port}{MESH}ListAudit"], input=b"\0\0\0\0\0", capture_output=True,
        check=False).stdout.decode("latin-1")
    check("grpc-timeout alone: the node says 4", "grpc-status: 4" in out, out)
    proxy.hang.clear()


def test_cancel(node, proxy, token):
    before = open_calls(node)
    proxy.hang.add("ListAudit")
    for how in ("reset", "connection closed"):
        mesh = node.mesh(token)
        n = len(proxy.calls("ListAudit"))
        call = start_call(mesh, "ListAudit")
        check(f"{how}: it came to the Control Panel",
              until(lambda: len(proxy.calls("ListAudit")) > n))
        ended = proxy.calls("ListAudit")[-1][2]
        check(f"{how}: it hangs there", not ended.is_set() and open_calls(node) > before)
        if how == "reset":
            call.cancel()
        else:
            mesh.channel.close()
        check(f"{how}: the Control Panel hears of it", ended.wait(30))
        back_to(how, node, before)
        mesh.channel.close()
    proxy.hang.clear()


def test_refresh(node, proxy, token):
    """The node waits for a list that does not come; who asked goes away."""
    before = open_calls(node)
    proxy.hang.add("Subscribe")
    mesh = node.mesh(token)
    n = len(proxy.calls("Subscribe"))
    call = start_call(mesh, "Refresh")
    check("refresh: the node asks for all", until(lambda: len(proxy.calls("Subscribe")) > n))
    check("refresh: it is parked", open_calls(node) > before and not call.done())
    call.cancel()
    back_to("refresh", node, before)
    mesh.close()
    proxy.hang.clear()


def test_wait_and_apply(cp, node, token):
    """A node that is there and applies nothing: its frozen process. Answers that wait for it park."""
    mesh = cp.mesh(token)
    before = open_calls(cp)
    device = mesh.call("CreateDevice", label="first").device
    node.process.send_signal(signal.SIGSTOP)
    try:
        for what, method, fields in (
                ("wait", "UpdateDevice", {"id": device.id, "label": "second", "wait_ms": 5000}),
                ("change", "GetChange", {"generation": 10 ** 6, "wait_ms": 5000}),
                ("apply", "CreateDevice", {"label": "third", "wait_ms": 5000})):
            over = time.monotonic() + 4.9
            call = start_call(mesh, method, **fields)
            parked = until(lambda: open_calls(cp) > before, 3)
            if what == "change" and call.done():
                continue  # a generation nobody knows is refused
            check(f"{what}: it is parked", parked and not call.done())
            call.cancel()
            # Well before what it waited for would have come.
            check(f"{what}: no call is left, at once",
                  until(lambda: open_calls(cp) <= before, max(0, over - time.monotonic())), open_calls(cp))
    finally:
        node.process.send_signal(signal.SIGCONT)
    labels = {d.label for d in mesh.call("ListDevices", all=True).devices}
    check("what was done is done", {"second", "third"} <= labels, labels)
    mesh.close()


def run(cp, admin):
    proxy = Proxy(cp)
    node = RealNode(cp, admin, cp_port=proxy.port).start()
    try:
        node.wait_ready()
        token = node.mesh().call("Login", user="ann", password=meshrpc.PASSWORD).token
        mesh = node.mesh(token)
        check("a call through all of it", mesh.call("WhoAmI").user == "ann")
        given = proxy.calls("WhoAmI")[-1][1]
        check("without a deadline of the caller the node gives one", given and given <= 20.5, given)
        test_cancel(node, proxy, token)
        test_node_ends_it(node, proxy, token)
        test_deadline(node, proxy, mesh)
        at_cp = cp.mesh().call("Login", tenant="home", user="ann", password=meshrpc.PASSWORD).token
        test_wait_and_apply(cp, node, at_cp)
        test_refresh(node, proxy, token)
        mesh.close()
    finally:
        check("node ends well", node.stop() == 0)
        proxy.stop()


def main():
    code = enter(__file__)
    if code is not None:
        return code
    cp, admin = control_panel()
    try:
        run(cp, admin)
    finally:
        admin.close()
        check("Control Panel ends well", cp.stop() == 0)
        if failed == 0:
            cp.remove()
        else:
            print(f"logs are in {cp.dir}")
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
