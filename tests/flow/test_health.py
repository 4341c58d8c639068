#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Health and reflection of a real node and a real Control Panel: Check, Watch, /healthz and
/readyz say the same, with reasons; who watches hears that a daemon is not ready yet,
that it is, and that it ends. Runs itself in a network and a mount namespace."""
import glob
import os
import queue
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import grpc
from meshrpc import http as ask
from realnode import RealNode, control_panel, enter, until

HEALTH = "/grpc.health.v1.Health/"
MESH = "quazzar.mesh.v1.MeshService"
UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN = range(4)
passed = failed = 0


def check(what, got, want):
    global passed, failed
    if got == want:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}: got {got!r}, wanted {want!r}")


def request(service):
    return b"\x0a" + bytes([len(service)]) + service.encode() if service else b""


def status_of(answer):
    return answer[1] if answer else UNKNOWN  # field 1, a varint


def health(daemon, service=""):
    """What Check says: a status, or the name of gRPC's code."""
    with grpc.insecure_channel(f"127.0.0.1:{daemon.port}") as channel:
        try:
            return status_of(channel.unary_unary(HEALTH + "Check")(request(service), timeout=20))
        except grpc.RpcError as e:
            return e.code().name


class Watch(threading.Thread):
    """What a Watch hears, one after the other; at last how it ended."""

    def __init__(self, daemon, service=""):
        super().__init__(daemon=True)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{daemon.port}")
        self.service, self.heard = service, queue.Queue()
        self.start()

    def run(self):
        try:
            for answer in self.channel.unary_stream(HEALTH + "Watch")(request(self.service)):
                self.heard.put(status_of(answer))
            self.heard.put("OK")
        except grpc.RpcError as e:
            self.heard.put(e.code().name)
        except ValueError:
            pass  # the channel was closed

    def next(self, seconds=60):
        try:
            return self.heard.get(timeout=seconds)
        except queue.Empty:
            return None


def reasons(answer):
    return {r["reason"]: r["blocks"] for r in answer[2]["reasons"]}


def test_serving(name, daemon, services):
    for service in ["", *services]:
        check(f"{name}: Check of {service!r}", health(daemon, service), SERVING)
        watch = Watch(daemon, service)
        check(f"{name}: Watch of {service!r}", watch.next(), SERVING)
        watch.channel.close()
    check(f"{name}: Check of a stranger", health(daemon, "no.such.Service"), "NOT_FOUND")
    watch = Watch(daemon, "no.such.Service")
    check(f"{name}: Watch of a stranger", watch.next(), SERVICE_UNKNOWN)
    check(f"{name}: which goes on", watch.next(1.5), None)
    watch.channel.close()
    for path in ("/healthz", "/readyz"):
        answer = ask(daemon, "GET", path)
        check(f"{name}: {path}", (answer[0], answer[2]["status"]), (200, "ready"))
        for reason in answer[2]["reasons"]:
            check(f"{name}: {path} says why in words", reason["message"].endswith("."), True)
        head = ask(daemon, "HEAD", path)
        check(f"{name}: HEAD {path}", (head[0], head[2], int(head[1]["content-length"]) > 0), (200, None, True))


def test_reflection(name, daemon, services):
    for version in ("v1", "v1alpha"):
        with grpc.insecure_channel(f"127.0.0.1:{daemon.port}") as channel:
            method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            ask_for = [b"\x3a\x01*", b"\x22" + bytes([len(MESH)]) + MESH.encode()]
            listed, file = channel.stream_stream(method)(iter(ask_for), timeout=20)
        for service in services:
            check(f"{name}: {version} lists {service}", service.encode() in listed, True)
        check(f"{name}: {version} has the file", b"quazzar/mesh/v1/mesh.proto" in file, True)


def test_not_ready(cp, node):
    """A node without a list whose Control Panel is silent, then is not."""
    check("node ends well", node.stop(), 0)
    for path in glob.glob(node.dir + "/state/*"):
        if os.path.basename(path) in ("list", "cache", "list.bin", "mesh.cache"):
            os.unlink(path)
    cp.process.send_signal(signal.SIGSTOP)
    try:
        node.start()
        until(lambda: node.ready() and "CP_UNREACHABLE" in reasons(node.ready()))
        answer = node.ready()
        why = reasons(answer)
        check("not ready", (answer[0], answer[2]["status"], why.get("LIST_MISSING"), why.get("CP_UNREACHABLE")),
              (503, "not ready", True, False))
        check("but alive", ask(node, "GET", "/healthz")[0], 200)
        check("Check says so", (health(node), health(node, MESH)), (NOT_SERVING, NOT_SERVING))
        watch = Watch(node, MESH)
        check("Watch says so", watch.next(), NOT_SERVING)
    finally:
        cp.process.send_signal(signal.SIGCONT)
    check("and says when it is over", watch.next(90), SERVING)
    node.wait_ready()
    watch.channel.close()


def test_control_panel_away(cp, node):
    """A node carries on: ready, and says what is amiss. Then the Control Panel ends under a Watch."""
    watches = [Watch(cp), Watch(cp, MESH)]
    check("serving", [w.next() for w in watches], [SERVING, SERVING])
    cp.process.send_signal(signal.SIGTERM)
    check("Control Panel: a Watch hears of the drain", [w.next() for w in watches], [NOT_SERVING] * 2)
    check("Control Panel: and then it ends", [w.next() for w in watches], ["UNAVAILABLE"] * 2)
    cp.process.wait(60)
    seen = until(lambda: reasons(ask(node, "GET", "/readyz")).get("CP_UNREACHABLE") is False)
    check("the node says that it is gone", seen, True)
    check("and is ready", (ask(node, "GET", "/readyz")[0], health(node)), (200, SERVING))
    watch = Watch(node)
    check("node: serving", watch.next(), SERVING)
    node.process.send_signal(signal.SIGTERM)
    check("node: a Watch hears of the drain", watch.next(), NOT_SERVING)
    check("node: and then it ends", watch.next(), "UNAVAILABLE")


def main():
    code = enter(__file__)
    if code is not None:
        return code
    cp, admin = control_panel()
    node = RealNode(cp, admin).start()
    try:
        try:
            node.wait_ready()
            both = [MESH, "quazzar.mesh.v1.AuthService", "grpc.health.v1.Health"]
            for name, daemon, more in (("node", node, []),
                                       ("Control Panel", cp, ["quazzar.mesh.v1.AgentService"])):
                test_serving(name, daemon, both + more)
                test_reflection(name, daemon, both + more)
            test_not_ready(cp, node)
            test_control_panel_away(cp, node)
        finally:
            check("node ends well", node.stop(), 0)
    finally:
        admin.close()
        check("Control Panel ends well", cp.stop(), 0)
        if failed == 0:
            cp.remove()
        else:
            print(f"logs are in {cp.dir}")
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
