#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input against a real Control Panel and a real node, at four doors.

REST and gRPC, at the node and at the Control Panel: the reason and the HTTP
status that the design names, one decoded google.rpc.Status everywhere, and
nothing left behind. Runs itself in a network and a mount namespace.
"""
import http.client as http_client
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import meshrpc
from google.protobuf import json_format
from meshrpc import Mesh, PASSWORD, Refused, enroll, http, msg

BIN = os.path.join(meshrpc.BUILD, "bin")
WAIT_S = 90
passed = failed = 0
secrets = []
long_label = "x" * 65


def check(what, got, want):
    global passed, failed
    if got == want:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}: got {got!r}, wanted {want!r}")


class Node:
    """qmesh-noded beside the Control Panel; looks like a Daemon to meshrpc."""

    def __init__(self, cp, join_token):
        self.dir, self.port = cp.dir, meshrpc.free_port()
        self.log_path = os.path.join(cp.dir, "noded.log")
        path = os.path.join(cp.dir, "join.token")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write(join_token)
        self.args = [os.path.join(BIN, "qmesh-noded"), "--listen", "", "--listen-plain",
                     f"127.0.0.1:{self.port}", "--admin-socket", cp.dir + "/node.sock",
                     "--state-dir", cp.dir + "/node", "--cp", f"https://127.0.0.1:{cp.tls_port}",
                     "--join-token-file", path, "--name", "node-one", "--endpoint",
                     "127.0.0.1:51820", "--firewall", "off"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.args, stdout=log, stderr=log)

    def wait_ready(self):
        for _ in range(WAIT_S * 20):
            try:
                if http(self, "GET", "/readyz")[0] == 200:
                    return
            except (OSError, http_client.HTTPException):
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        with open(self.log_path, errors="replace") as f:
            raise RuntimeError("qmesh-noded is not ready: " + f.read()[-3000:])

    def mesh(self, token=None, **kw):
        return Mesh(f"127.0.0.1:{self.port}", token, **kw)

    def stop(self):
        self.process.terminate()
        rc = self.process.wait(WAIT_S)
        with open(self.log_path, "ab") as log:
            subprocess.run([*self.args, "--teardown"], stdout=log, stderr=log, timeout=WAIT_S,
                           check=False)
        return rc


def bearer(token):
    return {"authorization": "Bearer " + token} if token else {}


def sign_in(daemon, user, tenant):
    status, headers, body = http(daemon, "POST", "/api/auth/login",
                                 {"tenant": tenant, "user": user, "password": PASSWORD})
    check(f"sign in {user}", status, 200)
    check(f"cookie of {user}", headers.get("set-cookie", "").startswith(f"qmesh-{daemon.port}="), True)
    return body["token"]


def plain(status):
    """Comparable: code, masked words, details with waits of a rounded length."""
    out = [status.code, re.sub(r"\d+", "N", status.message)]
    for any_ in status.details:
        name = any_.type_url.split("/")[-1]
        detail = msg(name)
        detail.ParseFromString(any_.value)
        if name == "google.rpc.RetryInfo":
            out.append((name, detail.retry_delay.seconds > 0))
        else:
            out.append((name, re.sub(r"\d+", "N", str(detail))))
    return out


def by_grpc(daemon, token, rpc, fields):
    mesh = daemon.mesh(token)
    mesh.metadata.append(("x-request-id", "bad-input"))
    path, in_, out = mesh._method(rpc)
    stub = mesh.channel.unary_unary(path, request_serializer=lambda m: m.SerializeToString(),
                                    response_deserializer=msg(out).__class__.FromString)
    try:
        stub(msg(in_, **fields), timeout=WAIT_S, metadata=mesh.metadata)
        return None
    except meshrpc.grpc.RpcError as e:
        raw = dict(e.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
        return msg("google.rpc.Status").__class__.FromString(raw)
    finally:
        mesh.close()


def by_rest(daemon, token, verb, path, body):
    status, headers, answer = http(daemon, verb, path, body,
                                   {**bearer(token), "x-request-id": "bad-input"})
    check(f"{verb} {path}: request id", headers.get("x-request-id"), "bad-input")
    if status < 300:
        return status, None
    return status, json_format.ParseDict(answer, msg("google.rpc.Status"),
                                         descriptor_pool=meshrpc.POOL)


def reason_of(status):
    for any_ in status.details:
        if any_.type_url.endswith("ErrorInfo"):
            return msg("google.rpc.ErrorInfo").__class__.FromString(any_.value)
    return msg("google.rpc.ErrorInfo")


def refused(doors, what, rpc, rest, want):
    """doors: [(daemon, token)]; rpc: (method, fields); rest: (verb, path, body)."""
    http_status, reason = want
    first = None
    for where, (daemon, token) in doors.items():
        status, answer = by_rest(daemon, token, *rest)
        check(f"{what}: REST at {where}", (status, answer and reason_of(answer).reason),
              (http_status, reason))
        other = by_grpc(daemon, token, *rpc)
        check(f"{what}: gRPC at {where}", other and reason_of(other).reason, reason)
        if answer and other:
            check(f"{what}: same status at {where}", plain(answer), plain(other))
            check(f"{what}: domain", reason_of(answer).domain, "mesh.quazzar")
            first = first or answer
            check(f"{what}: same at {where} as before", plain(answer)[:1] + plain(answer)[2:],
                  plain(first)[:1] + plain(first)[2:])
    return first


def create(label, **more):
    return ("CreateDevice", {"label": label, **more}), \
        ("POST", "/api/mesh/devices", {"label": label, **more})


def devices(daemon, token):
    status, _, answer = http(daemon, "GET", "/api/mesh/devices", headers=bearer(token))
    check("list", status, 200)
    return sorted((d["id"], d["label"], d["public_key"]) for d in answer)


def add(daemon, token, label, want=201):
    status, headers, answer = http(daemon, "POST", "/api/mesh/devices", {"label": label},
                                   bearer(token))
    check(f"add {label!r}", status, want)
    if status != 201:
        return {}
    secrets.extend(re.findall(r"(?:PrivateKey|PresharedKey) = (\S+)", answer["config"]))
    check(f"add {label!r}: headers", all(h in headers for h in
          ("qmesh-generation", "qmesh-applied", "qmesh-converged")), True)
    return answer


def until(what):
    end = time.monotonic() + WAIT_S
    while not what():
        if time.monotonic() > end:
            raise RuntimeError("it did not come about")
        time.sleep(0.05)


def state(daemon, token):
    return http(daemon, "GET", "/api/mesh/state", headers=bearer(token))[2]


def test_labels(doors, node, token):
    rows = [("empty", ""), ("65 characters", long_label), ("emoji only", "😀😀"), ("newline", "a\nb"),
            ("bidi mark", "a\u202eb"), ("control", "a\u0001b"), ("blank", " "), ("dots", "...")]
    for what, label in rows:
        refused(doors, what, *create(label), (400, "LABEL_INVALID"))
    for label in ("wpad", "WPAD", "localhost", "ns", "Mesh"):
        refused(doors, label, *create(label), (400, "LABEL_RESERVED"))
    for label in ("Ann's \"<script>alert(1)</script>\"", "Renée Müller"):
        answer = add(node, token, label)
        check("kept as typed", answer.get("device", {}).get("label"), label)
        check("not in the config", "script" in answer.get("config", ""), False)
        check("not in the QR", "script" in answer.get("qr_svg", ""), False)
    for label in ("renee muller", "RENÉE-MÜLLER"):
        status = refused(doors, "taken " + label, *create(label), (409, "LABEL_TAKEN"))
        check("a suggestion", bool(status and any("renee-muller-" in v or "renee" in v
              for v in reason_of(status).metadata.values())), True)


def test_bodies(doors):
    """What only REST can be sent."""
    rows = [("unknown field", b'{"label":"x","colour":"red"}', 400, "FIELD_INVALID", "colour"),
            ("twice", b'{"label":"x","label":"x"}', 400, "FIELD_INVALID", "label"),
            ("wrong type", b'{"label":["x"]}', 400, "FIELD_INVALID", "label"),
            ("truncated", b'{"label":"x"', 400, "FIELD_INVALID", "body"),
            ("deep", b'{"label":' + b'[' * 30000, 400, "FIELD_INVALID", "label"),
            ("70 KB", b'{"label":"' + b'x' * 70000 + b'"}', 413, "MESSAGE_TOO_LARGE", None)]
    for where, (daemon, token) in doors.items():
        for what, body, http_status, reason, field in rows:
            status, _, answer = http(daemon, "POST", "/api/mesh/devices", body, bearer(token))
            answer = json_format.ParseDict(answer, msg("google.rpc.Status"), descriptor_pool=meshrpc.POOL)
            check(f"{what} at {where}", (status, reason_of(answer).reason), (http_status, reason))
            fields = [f.field for a in answer.details if a.type_url.endswith("BadRequest")
                      for f in msg("google.rpc.BadRequest").__class__.FromString(a.value).field_violations]
            check(f"{what} at {where}: field", fields, [field] if field else [])
    huge = {"label": "x" * 70000}
    for where, (daemon, token) in doors.items():
        status = by_grpc(daemon, token, "CreateDevice", huge)
        check(f"70 KB: gRPC at {where}", status and reason_of(status).reason, "MESSAGE_TOO_LARGE")


def test_fields(doors):
    for what, fields in (("wait", {"wait_ms": 5001}), ("address", {"wished_ip": "10.0.0.300"}),
                         ("key", {"public_key": "AAAA"}), ("node", {"node_id": "x"}),
                         ("type", {"type": 99})):
        refused(doors, "bad " + what, *create("fine label", **fields), (400, "FIELD_INVALID"))
    refused(doors, "bad id", ("GetDevice", {"id": "x"}), ("GET", "/api/mesh/devices/x", None),
            (400, "FIELD_INVALID"))


def tampered(token):
    head, body, signature = token.split(".")
    at = len(body) // 2
    return ".".join((head, body[:at] + ("A" if body[at] != "A" else "B") + body[at + 1:], signature))


def test_tokens(node, cp, sessions):
    rpc, rest = create("token test")
    good = sessions["node ann"]
    http(node, "POST", "/api/auth/logout", headers=bearer(sessions["node stale"]))
    until(lambda: http(node, "GET", "/api/mesh/state", headers=bearer(sessions["node stale"]))[0] == 401)
    none = [("none", None, "TOKEN_MISSING")]
    bad = [("nonsense", "x", "TOKEN_INVALID"), ("tampered", tampered(good), "TOKEN_INVALID"),
           ("stale", sessions["node stale"], "TOKEN_INVALID"),
           ("no algorithm", "eyJhbGciOiJub25lIn0." + good.split(".")[1] + ".", "TOKEN_INVALID")]
    for what, token, reason in none + bad:
        refused({"node": (node, token), "cp": (cp, token)}, f"token: {what}", rpc, rest, (401, reason))
    refused({"node": (node, sessions["cp other"])}, "token: another tenant's", rpc, rest,
            (401, "TOKEN_INVALID"))
    refused({"cp": (cp, good)}, "token: a node's, without the node", rpc, rest, (401, "TOKEN_INVALID"))
    get = ("GetState", {}), ("GET", "/api/mesh/state", None)
    for what, token, reason in none + bad:
        refused({"node": (node, token)}, f"read with token: {what}", *get, (401, reason))


def test_objects(node, cp, sessions, theirs, others):
    """Another owner's device, another tenant's, none at all."""
    verbs = [("GetDevice", "GET", ""), ("DeleteDevice", "DELETE", ""),
             ("RotateDeviceKey", "POST", ":rotate"), ("UpdateDevice", "PATCH", "")]
    doors = {"node": (node, sessions["node bob"]), "cp": (cp, sessions["cp bob"])}
    for what, id_, want in (("another owner's", theirs, (403, "NOT_OWNER")),
                            ("another tenant's", others, (404, "NOT_FOUND")),
                            ("nobody's", "01890000-0000-7000-8000-000000000000", (404, "NOT_FOUND"))):
        for rpc, verb, end in verbs:
            fields = {"id": id_, **({"label": "mine now"} if rpc == "UpdateDevice" else {})}
            body = {k: v for k, v in fields.items() if k != "id"} if verb in ("POST", "PATCH") else None
            refused(doors, f"{rpc} of {what}", (rpc, fields),
                    (verb, f"/api/mesh/devices/{id_}{end}", body), want)
    refused(doors, "all as MEMBER", ("ListDevices", {"all": True}),
            ("GET", "/api/mesh/devices?all=true", None), (403, "ROLE_REQUIRED"))


def test_cap(node, cp, admin, sessions):
    """Free: three. The fourth is refused at every door; the list is as before."""
    admin.call("UpdateTenant", tenant="home", plan=1)
    before = devices(node, sessions["node cap"])
    doors = {"node": (node, sessions["node cap"]), "cp": (cp, sessions["cp cap"])}
    until(lambda: state(node, sessions["node cap"])["plan"] == "PLAN_FREE")
    status = refused(doors, "over the cap", *create("one too many"), (409, "DEVICE_CAP_REACHED"))
    check("cap: metadata", {k for k in ("limit", "used", "plan")
          if status and k in reason_of(status).metadata}, {"limit", "used", "plan"})
    check("cap: nothing stays", devices(node, sessions["node cap"]), before)
    admin.call("UpdateTenant", tenant="home", plan=3)
    until(lambda: state(node, sessions["node cap"])["plan"] == "PLAN_TEAM")


def test_rate(node, cp, sessions):
    made = [add(node, sessions["node rate"], f"rate {i}") for i in range(5)]
    before = devices(node, sessions["node rate"])
    doors = {"node": (node, sessions["node rate"]), "cp": (cp, sessions["cp rate"])}
    refused(doors, "the sixth", *create("rate 6"), (429, "RATE_LIMITED"))
    _, headers, _ = http(node, "POST", "/api/mesh/devices", {"label": "rate 6"},
                         bearer(sessions["node rate"]))
    check("Retry-After", 0 < int(headers.get("retry-after", 0)) <= 60, True)
    refused(doors, "rotation counts too",
            ("RotateDeviceKey", {"id": made[0]["device"]["id"]}),
            ("POST", f"/api/mesh/devices/{made[0]['device']['id']}:rotate", {}), (429, "RATE_LIMITED"))
    check("rate: nothing stays", devices(node, sessions["node rate"]), before)


def test_agents(cp, admin, fake, second, sessions):
    """Lists of other nodes; a join token twice."""
    path = "/cp/api/v1/mesh/peers/"
    agent = fake.agent_token
    status, _, answer = http(cp, "GET", path + fake.node_id, headers=bearer(agent))
    check("own list", (status, "peers" in answer), (200, True))
    for what, id_, want in (("in its tenant", second.node_id, (403, "NOT_OWNER")),
                            ("of another tenant", sessions["home node"], (404, "NOT_FOUND")),
                            ("of nobody", "01890000-0000-7000-8000-000000000000", (404, "NOT_FOUND"))):
        refused({"cp": (cp, agent)}, "list of a node " + what, ("GetNodePeers", {"node_id": id_}),
                ("GET", path + id_, None), want)
    refused({"cp": (cp, sessions["cp ann"])}, "list for a person",
            ("GetNodePeers", {"node_id": fake.node_id}), ("GET", path + fake.node_id, None),
            (403, "ROLE_REQUIRED"))
    token = admin.call("CreateJoinToken", tenant="other").join_token
    fields = {"name": "third", "host_routes": [], "endpoint": "198.51.100.9:51820"}
    once = cp.mesh()
    once.call("Enroll", join_token=token, wg_public_key=meshrpc.x25519(),
              identity_key=meshrpc.key(), **fields)
    try:
        once.call("Enroll", join_token=token, wg_public_key=meshrpc.x25519(),
                  identity_key=meshrpc.key(), **{**fields, "name": "fourth"})
        check("join token twice", "enrolled", "JOIN_TOKEN_INVALID")
    except Refused as e:
        check("join token twice", e.reason, "JOIN_TOKEN_INVALID")
    once.close()


def test_proxied(cp, fake, second, sessions):
    """A node passes a person's call on over REST: its token, and the session made through it."""
    agent = bearer(fake.agent_token)
    status, _, answer = http(cp, "POST", "/api/auth/login",
                             {"user": "eve", "password": PASSWORD}, agent)
    check("sign in through a node", status, 200)
    person = {"x-qmesh-user": answer["token"]}
    status, headers, answer = http(cp, "POST", "/cp/api/v1/mesh/devices", {"label": "by proxy"},
                                   {**agent, **person})
    check("create through a node", (status, headers.get("qmesh-applied")), (201, "false"))
    device = answer["device"]
    check("its home is that node", device["node_id"], fake.node_id)
    path = "/cp/api/v1/mesh/devices/" + device["id"]
    for what, credentials, want in (
            ("the session alone", bearer(person["x-qmesh-user"]), 401),
            ("through another node", {**bearer(second.agent_token), **person}, 401),
            ("another tenant's session", {**agent, "x-qmesh-user": sessions["node ann"]}, 401),
            ("no session", agent, 403), ("no node", person, 401)):
        check(f"delete with {what}", http(cp, "DELETE", path, headers=credentials)[0], want)
    check("delete through the node", http(cp, "DELETE", path, headers={**agent, **person})[0], 204)
    check("delete again", http(cp, "DELETE", path, headers={**agent, **person})[0], 404)


def test_cross_site(node, sessions):
    jar = {"cookie": f"qmesh-{node.port}={sessions['node ann']}"}
    before = devices(node, sessions["node ann"])
    for more in ({}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"},
                 {"sec-fetch-site": "none"}):
        status, _, answer = http(node, "POST", "/api/mesh/devices", {"label": "evil"}, {**jar, **more})
        check(f"cross-site {more}", (status, "CROSS_SITE" in json.dumps(answer)), (403, True))
    check("cross-site: nothing stays", devices(node, sessions["node ann"]), before)
    status, _, _ = http(node, "GET", "/api/auth/me", headers=jar)
    check("the cookie is a session", status, 200)
    status, _, _ = http(node, "GET", "/api/mesh/state", headers={"host": "evil.example"})
    check("another host name", status, 421)


def next_event(stream, wanted):
    """Reads until an event of that topic; None at the end of the stream."""
    data = None
    for line in stream:
        line = line.decode().rstrip("\n")
        if line.startswith("data: "):
            data = json.loads(line[6:])
        elif not line and data is not None:
            if wanted in data["topics"]:
                return data
            data = None
    return None


def test_events(node, sessions):
    """The page's stream: a change arrives, and it ends with the session."""
    token = sign_in(node, "ann", "")
    c = http_client.HTTPConnection("127.0.0.1", node.port, timeout=WAIT_S)
    c.request("GET", "/api/mesh/events", headers={"cookie": f"qmesh-{node.port}={token}",
                                                  "accept": "text/event-stream"})
    r = c.getresponse()
    check("events", (r.status, r.getheader("content-type")), (200, "text/event-stream"))
    made = add(node, sessions["node ann"], "seen on the stream")
    check("events: the change", next_event(r, "devices") is not None, True)
    if made:
        status, headers, _ = http(node, "DELETE", f"/api/mesh/devices/{made['device']['id']}?wait=5s",
                                  headers=bearer(sessions["node ann"]))
        check("delete and wait", (status, headers.get("qmesh-applied")), (204, "true"))
        check("converged", bool(re.fullmatch(r"1/1;ms=\d+", headers.get("qmesh-converged", ""))), True)
    status, headers, _ = http(node, "POST", "/api/auth/logout", {},
                              {"cookie": f"qmesh-{node.port}={token}", "sec-fetch-site": "same-origin"})
    check("sign out", (status, "Max-Age=0" in headers.get("set-cookie", "")), (204, True))
    began = time.monotonic()
    while next_event(r, "devices") is not None:
        pass
    check("the stream ends with its session", time.monotonic() - began < WAIT_S, True)
    c.close()


def test_logs(node, cp, sessions):
    """Nothing secret that passed through here stands in a log."""
    secrets.extend([t.split(".")[2] for t in sessions.values() if t.count(".") == 2] + [PASSWORD])
    check("secrets were there", len(secrets) > 6, True)
    for path in (node.log_path, cp.log_path):
        with open(path, errors="replace") as f:
            text = f.read()
        check(f"{os.path.basename(path)} holds no secret", [s for s in secrets if s in text], [])


def test_cp_down(node, cp, sessions):
    before = devices(node, sessions["node ann"])
    cp.kill()
    until(lambda: not state(node, sessions["node ann"])["cp_connected"])
    doors = {"node": (node, sessions["node ann"])}
    refused(doors, "CP down: create", *create("while down"), (503, "CP_UNREACHABLE"))
    refused(doors, "CP down: delete", ("DeleteDevice", {"id": before[0][0]}),
            ("DELETE", f"/api/mesh/devices/{before[0][0]}", None), (503, "CP_UNREACHABLE"))
    refused({"node": (node, None)}, "CP down: sign in",
            ("Login", {"user": "ann", "password": PASSWORD}),
            ("POST", "/api/auth/login", {"user": "ann", "password": PASSWORD}), (503, "CP_UNREACHABLE"))
    check("CP down: reading goes on", devices(node, sessions["node ann"]), before)
    cp.start()
    for _ in range(WAIT_S * 10):
        if http(node, "GET", "/api/auth/me", headers=bearer(sessions["node ann"]))[0] == 200:
            break
        time.sleep(0.1)
    check("CP back: nothing stayed", devices(cp, sign_in(cp, "ann", "home")), before)


def seed(cp, admin):
    admin.call("CreateTenant", name="home", plan=3)
    admin.call("CreateTenant", name="other", plan=2)
    for user, role in (("ann", 3), ("bob", 1), ("cap", 1), ("rate", 1), ("stale", 1)):
        admin.call("CreateUser", tenant="home", name=user, password=PASSWORD, role=role)
    admin.call("CreateUser", tenant="other", name="eve", password=PASSWORD, role=3)
    return admin.call("CreateJoinToken", tenant="home").join_token


def run(cp):
    admin = cp.admin()
    node = Node(cp, seed(cp, admin))
    try:
        node.wait_ready()
        sessions = {f"node {u}": sign_in(node, u, "") for u in ("ann", "bob", "cap", "rate", "stale")}
        sessions.update({f"cp {u}": sign_in(cp, u, "home") for u in ("ann", "bob", "cap", "rate")})
        sessions["cp other"] = sign_in(cp, "eve", "other")
        sessions["home node"] = http(node, "GET", "/api/mesh/state",
                                     headers=bearer(sessions["node ann"]))[2]["node_id"]
        fake = enroll(cp, admin, "other", "fake-one")
        second = enroll(cp, admin, "other", "fake-two", endpoint="198.51.100.2:51820")
        other = http(cp, "POST", "/api/mesh/devices", {"label": "theirs", "node_id": fake.node_id},
                     bearer(sessions["cp other"]))[2]["device"]["id"]
        doors = {"node": (node, sessions["node ann"]), "cp": (cp, sessions["cp ann"])}
        test_labels(doors, node, sessions["node ann"])
        test_bodies(doors)
        test_fields(doors)
        test_tokens(node, cp, sessions)
        theirs = devices(node, sessions["node ann"])[0][0]
        test_objects(node, cp, sessions, theirs, other)
        check("objects: all still there", len(devices(node, sessions["node ann"])), 2)
        test_rate(node, cp, sessions)
        test_cap(node, cp, admin, sessions)
        test_agents(cp, admin, fake, second, sessions)
        test_proxied(cp, fake, second, sessions)
        test_cross_site(node, sessions)
        test_events(node, sessions)
        test_cp_down(node, cp, sessions)
        test_logs(node, cp, sessions)
    finally:
        admin.close()
        check("node ends well", node.stop(), 0)


def main():
    if os.geteuid() != 0:
        print("needs root for a network namespace")
        return 77
    if not os.path.exists(os.path.join(BIN, "qmesh-noded")):
        print(f"no {BIN}/qmesh-noded: build first")
        return 77
    if os.environ.get("QMESH_IN_NETNS") != "1":
        return subprocess.run(["unshare", "-n", "-m", "--propagation", "private", sys.executable,
                               os.path.abspath(__file__)],
                              env={**os.environ, "QMESH_IN_NETNS": "1"}, check=False).returncode
    subprocess.run("ip link set lo up && mkdir -p /var/run/wireguard && "
                   "mount -t tmpfs none /var/run/wireguard", shell=True, check=True)
    cp = meshrpc.Daemon()
    try:
        cp.start()
        run(cp)
    finally:
        check("Control Panel ends well", cp.stop(), 0)
        if failed == 0:
            cp.remove()
        else:
            print(f"logs are in {cp.dir}")
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
