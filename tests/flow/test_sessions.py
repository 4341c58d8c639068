#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a session's end means, at a real node and a real Control Panel: streams over
gRPC, gRPC-Web, Connect and SSE end with it and say why, no door honours it after
logout was answered, and the Control Panel's addresses for nodes let nobody in by a
session alone. Runs itself in a network and a mount namespace."""
import base64
import http.client
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import grpc
import meshrpc
from meshrpc import enroll, http as ask, msg
from realnode import RealNode, control_panel, enter, metrics, until

WATCH = "/quazzar.mesh.v1.MeshService/WatchState"
ROUNDS = 20
passed = failed = 0


def check(what, got, want):
    global passed, failed
    if got == want:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}: got {got!r}, wanted {want!r}")


def bearer(token):
    return {"authorization": "Bearer " + token}


def of_status(raw):
    status = msg("google.rpc.Status")
    status.ParseFromString(raw)
    reason = ""
    for any_ in status.details:
        if any_.type_url.endswith("ErrorInfo"):
            info = msg("google.rpc.ErrorInfo")
            info.ParseFromString(any_.value)
            reason = info.reason
    return status.code, reason


def unbase64(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


class Stream(threading.Thread):
    """WatchState by one protocol; how it ended is in .end once it did: (code, reason)."""

    def __init__(self, protocol, daemon, token):
        super().__init__(daemon=True)
        self.protocol, self.server, self.token = protocol, daemon, token
        self.open, self.end = threading.Event(), None
        self.start()

    def run(self):
        try:
            self.end = getattr(self, self.protocol)()
        except (OSError, ValueError, KeyError, http.client.HTTPException) as e:
            self.end = repr(e)

    def grpc(self):
        mesh = self.server.mesh(self.token)
        try:
            for _ in mesh.stream("WatchState"):
                self.open.set()
            return 0, ""
        except grpc.RpcError as e:
            details = dict(e.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            return of_status(details) if details else (e.code().value[0], "")
        finally:
            mesh.close()

    def read(self, verb, path, headers, body):
        c = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        c.request(verb, path, body, {**bearer(self.token), **headers})
        answer = c.getresponse()
        out = b""
        while True:
            piece = answer.read1(65536)
            if not piece:
                break
            out += piece
            self.open.set()
        c.close()
        return out

    @staticmethod
    def last(body):
        while body:
            n = int.from_bytes(body[1:5], "big")
            part, body = body[5:5 + n], body[5 + n:]
        return part

    def web(self):
        out = self.read("POST", WATCH, {"content-type": "application/grpc-web+proto"}, bytes(5))
        lines = dict(line.split(": ", 1) for line in self.last(out).decode().split("\r\n") if line)
        return of_status(unbase64(lines["grpc-status-details-bin"]))

    def connect(self):
        out = self.read("POST", WATCH, {"content-type": "application/connect+json"},
                        b"\0\0\0\0\2{}")
        error = json.loads(self.last(out)).get("error", {})
        info = msg("google.rpc.ErrorInfo")
        for detail in error.get("details", ()):
            if detail["type"] == "google.rpc.ErrorInfo":
                info.ParseFromString(unbase64(detail["value"]))
        return {"unauthenticated": 16}.get(error.get("code"), error.get("code")), info.reason

    def sse(self):
        self.read("GET", "/api/mesh/events", {}, None)
        return 16, "TOKEN_INVALID"  # an event stream has no last word


def sign_in(daemon, user="ann"):
    return daemon.mesh().call("Login", tenant="home", user=user, password=meshrpc.PASSWORD).token


def end_all(what, daemons, tokens, end):
    """Streams of every protocol at each daemon, then what ends their session."""
    streams = []
    for name, daemon in daemons.items():
        for protocol in ("grpc", "web", "connect", "sse"):
            streams.append((f"{what}: {protocol} at the {name}", Stream(protocol, daemon, tokens[name])))
    for name, stream in streams:
        check(name + ": it runs", stream.open.wait(60), True)
    end()
    for name, stream in streams:
        stream.join(60)
        check(name, stream.end, (16, "TOKEN_INVALID"))


def test_streams(cp, node, admin):
    daemons = {"node": node, "Control Panel": cp}
    before = {name: metrics(d)["qmesh_calls"] for name, d in daemons.items()}
    tokens = {name: sign_in(d) for name, d in daemons.items()}
    other = Stream("grpc", node, sign_in(node, "eve"))
    check("another's stream runs", other.open.wait(60), True)
    end_all("logout", daemons, tokens,
            lambda: [ask(d, "POST", "/api/auth/logout", None, bearer(tokens[n])) for n, d in daemons.items()])
    check("another's stream goes on", other.is_alive(), True)
    tokens = {name: sign_in(d, "bob") for name, d in daemons.items()}
    end_all("disabled", daemons, tokens,
            lambda: admin.call("UpdateUser", tenant="home", user="bob", disabled=True))
    check("another's stream goes on still", other.is_alive(), True)
    ask(node, "POST", "/api/auth/logout", None, bearer(other.token))
    other.join(60)
    for name, d in daemons.items():
        check(f"no call is left at the {name}",
              until(lambda n=name, d=d: metrics(d)["qmesh_calls"] <= before[n]), True)


def test_logout_holds(cp, node):
    """Asked on another connection as soon as logout was answered."""
    for daemon, name in ((node, "node"), (cp, "Control Panel")):
        after = []
        for _ in range(ROUNDS):
            token = sign_in(daemon)
            ask(daemon, "POST", "/api/auth/logout", None, bearer(token))
            after.append(ask(daemon, "GET", "/api/mesh/state", None, bearer(token))[0])
        check(f"no session outlives its logout at the {name}", after, [401] * ROUNDS)


def test_for_nodes(cp, node, admin):
    """/cp/api/v1 takes a node's token, and a person's session beside it."""
    def reason(answer):
        return answer[0], (answer[2] or {}).get("details", [{}])[0].get("reason", "")

    person = sign_in(cp)
    fake = enroll(cp, admin, "home", "node-two", endpoint="198.51.100.7:51820")
    made = ("POST", "/cp/api/v1/mesh/devices", {"label": "by address"})
    check("a session alone", reason(ask(cp, *made, bearer(person))), (401, "TOKEN_MISSING"))
    check("nothing", reason(ask(cp, *made)), (401, "TOKEN_MISSING"))
    check("a node alone", ask(cp, *made, bearer(fake.agent_token))[0] in (401, 403), True)
    check("a session of the Control Panel beside it",
          reason(ask(cp, *made, {**bearer(fake.agent_token), "x-qmesh-user": person})),
          (401, "TOKEN_INVALID"))
    channel = cp.mesh(fake.agent_token)
    there = channel.call("Login", user="ann", password=meshrpc.PASSWORD).token
    channel.close()
    answer = ask(cp, *made, {**bearer(fake.agent_token), "x-qmesh-user": there})
    check("a session made through the node", answer[0], 201)
    gone = ("DELETE", "/cp/api/v1/mesh/devices/" + answer[2]["device"]["id"], None)
    check("delete: a session alone", reason(ask(cp, *gone, bearer(person))), (401, "TOKEN_MISSING"))
    check("delete: both", ask(cp, *gone, {**bearer(fake.agent_token), "x-qmesh-user": there})[0], 204)
    check("the same over the person's own address", ask(cp, "GET", "/api/mesh/devices", None, bearer(person))[0], 200)


def test_service_token_in_a_cookie(cp, node):
    """A page may not act by a program's token, whatever else its request says of itself."""
    def web(answer):
        raw = answer[2] if isinstance(answer[2], bytes) else b""
        return answer[0], b"grpc-status: 16" in raw.lower().replace(b":16", b": 16")

    for daemon, name in ((node, "node"), (cp, "Control Panel")):
        made = ask(daemon, "POST", "/api/auth/tokens", {"name": "cookie at the " + name}, bearer(sign_in(daemon)))
        token = made[2]["token"]
        check(f"{name}: the token is good", ask(daemon, "GET", "/api/mesh/devices", None, bearer(token))[0], 200)
        session = {"cookie": f"qmesh-{daemon.port}={sign_in(daemon)}"}
        check(f"{name}: a session in a cookie is good", ask(daemon, "GET", "/api/mesh/devices", None, session)[0], 200)
        for whence in ({}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"},
                       {"origin": f"http://127.0.0.1:{daemon.port}"}):
            jar = {"cookie": f"qmesh-{daemon.port}={token}", **whence}
            what = f"{name}, {whence}: "
            own = whence.get("sec-fetch-site") == "same-origin" or "127" in whence.get("origin", "")
            for verb, path, body in (("GET", "/api/mesh/devices", None), ("GET", "/api/mesh/state", None),
                                     ("GET", "/api/mesh/events", None), ("GET", "/api/auth/me", None)):
                check(what + path, ask(daemon, verb, path, body, jar)[0], 401)
            check(what + "create", ask(daemon, "POST", "/api/mesh/devices", {"label": "x"}, jar)[0], 401 if own else 403)
            check(what + "delete", ask(daemon, "DELETE", "/api/mesh/devices/" + "0" * 8 + "-0000-7000-8000-" + "0" * 12,
                                       None, jar)[0], 401 if own else 403)
            check(what + "Connect", ask(daemon, "POST", WATCH.replace("WatchState", "GetState"), {}, jar)[0] in (401, 403),
                  True)
            status, refused = web(ask(daemon, "POST", WATCH.replace("WatchState", "GetState"), bytes(5), {
                **jar, "content-type": "application/grpc-web+proto"}))
            check(what + "gRPC-Web", refused or status == 403 or not own, True)
        check(f"{name}: nothing was made", [d for d in ask(daemon, "GET", "/api/mesh/devices", None, bearer(token))[2]
                                             if d["label"] == "x"], [])


def test_wait_is_named(cp, node):
    for daemon in (cp, node):
        token = sign_in(daemon)
        answer = ask(daemon, "POST", "/api/mesh/devices?wait=6s", {"label": "x"}, bearer(token))
        fields = [v["field"] for d in answer[2]["details"] for v in d.get("fieldViolations", ())]
        check("a wait too long is named as it was written", (answer[0], fields), (400, ["wait"]))
        answer = ask(daemon, "POST", "/api/mesh/devices", {"label": "x", "wait_ms": 6000}, bearer(token))
        fields = [v["field"] for d in answer[2]["details"] for v in d.get("fieldViolations", ())]
        check("and wait_ms as wait_ms", (answer[0], fields), (400, ["wait_ms"]))


def main():
    code = enter(__file__)
    if code is not None:
        return code
    cp, admin = control_panel()
    try:
        for user in ("bob", "eve"):
            admin.call("CreateUser", tenant="home", name=user, password=meshrpc.PASSWORD, role="ROLE_MEMBER")
        node = RealNode(cp, admin).start()
        try:
            node.wait_ready()
            test_streams(cp, node, admin)
            test_logout_holds(cp, node)
            test_for_nodes(cp, node, admin)
            test_service_token_in_a_cookie(cp, node)
            test_wait_is_named(cp, node)
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
