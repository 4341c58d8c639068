#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Control Panel over real gRPC and REST: what it grants, what it refuses,
and that a refusal leaves nothing behind."""
import os
import re
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import *  # noqa: E402,F403
from meshrpc import Daemon, Refused, enroll, http, login, msg, refused  # noqa: E402
from parts import run, summary  # noqa: E402

OPEN_LIMIT = ["--provision-limit", "100"]


def newest(mesh):
    """The newest row of the audit that is not the count of strangers, which comes each minute."""
    return [r for r in mesh.call("ListAudit", page_size=5).entries if r.action != "denied"][0]


class Lab:
    """A running daemon with tenants acme (ann admin, bob and eve members, aud auditor) and other."""

    def __init__(self, plan=4, extra=()):
        self.d = Daemon(extra).start()
        self.admin = self.d.admin()
        self.admin.call("CreateTenant", name="acme", plan=plan)
        self.admin.call("CreateTenant", name="other", plan=plan)
        for tenant, name, role in (("acme", "ann", 3), ("acme", "bob", 1), ("acme", "eve", 1),
                                   ("acme", "aud", 2), ("other", "oli", 3)):
            self.admin.call("CreateUser", tenant=tenant, name=name, password=PASSWORD, role=role)
        self.node = enroll(self.d, self.admin, "acme", "gw-one")
        self.other_node = enroll(self.d, self.admin, "other", "gw-one")
        self.ann = login(self.d, "ann", "acme")
        self.bob = login(self.d, "bob", "acme")
        self.eve = login(self.d, "eve", "acme")
        self.aud = login(self.d, "aud", "acme")
        self.oli = login(self.d, "oli", "other")

    def count(self):
        tenants = self.admin.call("ListTenants").tenants
        return {t.name: (t.devices, t.nodes) for t in tenants}

    def close(self):
        code = self.d.stop()
        log = self.d.log()
        self.d.remove()
        assert code == 0, f"exit code {code}\n{log[-3000:]}"
        assert "Sanitizer" not in log, log[-3000:]
        assert "error err" not in log, log[-3000:]


def until(fn, seconds=60):
    end = time.monotonic() + seconds
    while not fn():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def labels(lab):
    before = lab.count()
    create = lab.bob.call
    for label in ("", "x" * 65, "\U0001F600\U0001F600", "a\nb", "a‮b", " ", "---", "\x7f"):
        refusal = refused("LABEL_INVALID", create, "CreateDevice", label=label)
        assert refusal.code == "INVALID_ARGUMENT" and "label" in refusal.fields, refusal.fields
    for label in ("wpad", "WPAD", "localhost", "Mesh"):
        refused("LABEL_RESERVED", create, "CreateDevice", label=label)
    assert lab.count() == before
    strange = "He said \"<script>alert(1)</script>\" 'x'"
    made = create("CreateDevice", label=strange)
    assert made.device.label == strange and made.device.slug == "he-said-script-alert-1-script-x"
    assert "script" not in made.config and "script" not in made.qr_svg
    made = create("CreateDevice", label="Renée Müller")
    assert made.device.slug == "renee-muller"
    refusal = refused("LABEL_TAKEN", create, "CreateDevice", label="RENEE muller")
    assert refusal.code == "ALREADY_EXISTS" and refusal.meta["suggestion"] == "renee-muller-2"
    refused("LABEL_TAKEN", create, "CreateDevice", label="gw one")
    create("CreateDevice", label="x" * 64)


def config(lab):
    made = lab.bob.call("CreateDevice", label="phone", type=1)
    want = re.compile(
        r"\[Interface\]\nPrivateKey = [A-Za-z0-9+/]{43}=\n"
        r"Address = 10\.\d+\.\d+\.\d+/32, fd[0-9a-f:]+/128\nMTU = 1280\n\n"
        r"\[Peer\]\nPublicKey = [A-Za-z0-9+/]{43}=\nPresharedKey = [A-Za-z0-9+/]{43}=\n"
        r"AllowedIPs = 10\.\d+\.0\.0/16, fd[0-9a-f:]+/48\nEndpoint = 198\.51\.100\.1:51820\n"
        r"PersistentKeepalive = 25\n")
    assert want.fullmatch(made.config), made.config
    private = re.search(r"PrivateKey = (\S+)", made.config).group(1)
    public = subprocess.run(["wg", "pubkey"], input=private.encode(), capture_output=True,
                            check=True).stdout.decode().strip()
    assert public == made.device.public_key
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "mesh0.conf")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(made.config)
        stripped = subprocess.run(["wg-quick", "strip", path], capture_output=True)
        assert stripped.returncode == 0 and not stripped.stderr, stripped.stderr
        assert b"Address" not in stripped.stdout and private.encode() in stripped.stdout
        svg, png = os.path.join(tmp, "q.svg"), os.path.join(tmp, "q.png")
        with open(svg, "w") as f:
            f.write(made.qr_svg)
        assert 'shape-rendering="crispEdges"' in made.qr_svg and "<text" not in made.qr_svg
        subprocess.run(["rsvg-convert", svg, "-o", png], check=True)
        read = subprocess.run(["zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", png],
                              capture_output=True).stdout.decode()
        assert read.startswith(made.config), read
    quiet = lab.bob.call("CreateDevice", label="laptop", type=3, keepalive=False)
    assert "MTU = 1420" in quiet.config and "Keepalive" not in quiet.config
    own = base64.b64encode(x25519()).decode()
    mine = lab.bob.call("CreateDevice", label="own", public_key=own)
    assert "PrivateKey" not in mine.config and mine.qr_svg == "" and mine.device.public_key == own
    refused("KEY_IN_USE", lab.bob.call, "CreateDevice", label="own2", public_key=own)
    for bad in ("x" * 44, "A" * 43 + "=", base64.b64encode(b"\x01" + bytes(31)).decode()):
        refusal = refused("FIELD_INVALID", lab.bob.call, "CreateDevice", label="o3", public_key=bad)
        assert "public_key" in refusal.fields, refusal.fields


def secrets_stay_out(lab):
    made = lab.bob.call("CreateDevice", label="secret one", type=2)
    found = re.findall(r"(?:PrivateKey|PresharedKey) = (\S+)", made.config)
    assert len(found) == 2
    state = os.path.join(lab.d.dir, "state")
    for name in os.listdir(state):
        if not os.path.isfile(os.path.join(state, name)):
            continue
        with open(os.path.join(state, name), "rb") as f:
            bytes_ = f.read()
        for secret in found:
            assert base64.b64decode(secret) not in bytes_ and secret.encode() not in bytes_, name
    log = lab.d.log()
    for secret in found + [PASSWORD]:
        assert secret not in log


def addresses(lab):
    range4 = [t for t in lab.admin.call("ListTenants").tenants if t.name == "acme"][0].range
    prefix = range4.rsplit(".", 2)[0]
    wished = f"{prefix}.200.9"
    assert lab.bob.call("CreateDevice", label="w1", wished_ip=wished).device.mesh_ip == wished
    refusal = refused("ADDRESS_IN_USE", lab.bob.call, "CreateDevice", label="w2", wished_ip=wished)
    assert refusal.code == "ALREADY_EXISTS"
    gone = lab.bob.call("CreateDevice", label="w3", wished_ip=f"{prefix}.201.9").device
    lab.bob.call("DeleteDevice", id=gone.id)
    resting = refused("ADDRESS_IN_USE", lab.bob.call, "CreateDevice", label="w3", wished_ip=gone.mesh_ip)
    assert (refusal.meta["cause"], resting.meta["cause"]) == ("in_use", "resting"), (refusal.meta, resting.meta)
    refused("ADDRESS_IN_USE", lab.bob.call, "CreateDevice", label="w4", wished_ip=f"{prefix}.0.9")
    for bad in ("192.0.2.1", "10.64.0", f"{prefix}.0.0"):
        refusal = refused("FIELD_INVALID", lab.bob.call, "CreateDevice", label="w5", wished_ip=bad)
        assert "wished_ip" in refusal.fields
    refusal = refused("FIELD_INVALID", lab.bob.call, "CreateDevice", label="w5", wished_ip="10.64.0")
    assert refusal.fields["wished_ip"] == "must be an IPv4 address", refusal.fields
    for bad, rule in (("", "must not be empty"), ("phone", "must be a UUID"),
                      ("x" * 36, "must be a UUID")):
        refusal = refused("FIELD_INVALID", lab.bob.call, "GetDevice", id=bad)
        assert refusal.fields["id"] == rule, refusal.fields
    taken = [d.mesh_ip for d in lab.ann.call("ListDevices", all=True).devices]
    assert len(taken) == len(set(taken))


def owners(lab):
    mine = lab.bob.call("CreateDevice", label="bobs").device
    theirs = lab.oli.call("CreateDevice", label="olis").device
    for method, kw in (("GetDevice", {}), ("UpdateDevice", {"label": "new"}),
                       ("RotateDeviceKey", {}), ("DeleteDevice", {})):
        assert refused("NOT_OWNER", lab.eve.call, method, id=mine.id, **kw).code == \
            "PERMISSION_DENIED"
        assert refused("NOT_FOUND", lab.bob.call, method, id=theirs.id, **kw).code == "NOT_FOUND"
        refused("NOT_FOUND", lab.ann.call, method, id=theirs.id, **kw)
        refused("FIELD_INVALID", lab.bob.call, method, id="x" * 36, **kw)
    assert lab.aud.call("GetDevice", id=mine.id).device.label == "bobs"
    refusal = refused("ROLE_REQUIRED", lab.aud.call, "DeleteDevice", id=mine.id)
    assert refusal.meta == {"needs": "member or admin", "role": "auditor"}, refusal.meta
    refused("ROLE_REQUIRED", lab.aud.call, "CreateDevice", label="auds")
    refused("ROLE_REQUIRED", lab.bob.call, "ListDevices", all=True)
    refused("ROLE_REQUIRED", lab.bob.call, "ListAudit")
    assert [d.label for d in lab.eve.call("ListDevices").devices] == []
    assert "bobs" in [d.label for d in lab.aud.call("ListDevices", all=True).devices]
    assert lab.ann.call("UpdateDevice", id=mine.id, label="Bob's new").device.slug == "bob-s-new"
    row = lab.ann.call("ListAudit", page_size=1).entries[0]
    assert (row.action, row.result, row.object) == ("device.update", "OK", "Bob's new"), row
    assert lab.bob.call("GetDevice", id=mine.id).device.mesh_ip == mine.mesh_ip
    lab.ann.call("DeleteDevice", id=mine.id)
    refused("NOT_FOUND", lab.bob.call, "DeleteDevice", id=mine.id)
    refused("FIELD_INVALID", lab.bob.call, "CreateDevice", label="far",
            node_id=lab.other_node.node_id)


def tokens(lab):
    anyone = lab.d.mesh()
    assert refused("TOKEN_MISSING", anyone.call, "ListDevices").code == "UNAUTHENTICATED"
    token = anyone.call("Login", tenant="acme", user="bob", password=PASSWORD).token
    head, claims, signature = token.split(".")
    for bad in ("x", token[:-2], token + "A", f"{head}.{claims}.", f"..{signature}",
                f"{head}.{claims[:-4]}AAAA.{signature}",
                "eyJhbGciOiJub25lIn0." + claims + ".",
                lab.node.agent_token[:-3] + "AAA"):
        refused("TOKEN_INVALID", lab.d.mesh(bad).call, "ListDevices")
    refused("ROLE_REQUIRED", lab.d.mesh(lab.node.agent_token).call, "ListDevices")
    refused("TOKEN_MISSING", anyone.call, "Report")
    person = lab.d.mesh(token)
    for method in ("ListTenants", "CreateTenant"):
        try:
            person.call(method, **({"name": "x"} if method == "CreateTenant" else {}))
            raise AssertionError("an operator's method for a person")
        except Refused as refusal:
            assert refusal.code == "PERMISSION_DENIED", refusal
    assert person.call("WhoAmI").user == "bob"
    person.call("Logout")
    refused("TOKEN_INVALID", person.call, "WhoAmI")
    assert refused("LOGIN_FAILED", anyone.call, "Login", tenant="acme", user="bob",
                   password="wrong").words == \
        refused("LOGIN_FAILED", anyone.call, "Login", tenant="acme", user="nobody",
                password="wrong").words
    refused("LOGIN_FAILED", anyone.call, "Login", tenant="nowhere", user="bob", password=PASSWORD)
    # Through a node: good there only.
    agent = lab.d.mesh(lab.node.agent_token, client_addr="203.0.113.9")
    through = agent.call("Login", user="bob", password=PASSWORD).token
    refused("TOKEN_INVALID", lab.d.mesh(through).call, "WhoAmI")
    passed_on = lab.d.mesh(lab.node.agent_token, user=through, client_addr="203.0.113.9")
    assert passed_on.call("WhoAmI").user == "bob"
    refused("TOKEN_INVALID", lab.d.mesh(lab.other_node.agent_token, user=through).call, "WhoAmI")
    refused("TOKEN_INVALID", lab.d.mesh(lab.node.agent_token, user=token).call, "WhoAmI")
    made = passed_on.call("CreateDevice", label="via node").device
    assert made.node_id == lab.node.node_id
    row = newest(lab.ann)
    assert (row.action, getattr(row, "from")) == ("device.create", "203.0.113.9")


def accounts(lab):
    lab.admin.call("CreateUser", tenant="acme", name="gus", password=PASSWORD)
    gus = login(lab.d, "gus", "acme")
    made = gus.call("CreateDevice", label="gus phone").device
    refused("LABEL_TAKEN", lab.admin.call, "CreateUser", tenant="acme", name="gus",
            password=PASSWORD)
    refused("FIELD_INVALID", lab.admin.call, "CreateUser", tenant="acme", name="a b",
            password=PASSWORD)
    refused("FIELD_INVALID", lab.admin.call, "CreateUser", tenant="acme", name="short",
            password="123456789")
    refused("NOT_FOUND", lab.admin.call, "CreateUser", tenant="nope", name="x", password=PASSWORD)
    lab.admin.call("UpdateUser", tenant="acme", user="gus", disabled=True)
    refused("TOKEN_INVALID", gus.call, "WhoAmI")
    refused("LOGIN_FAILED", lab.d.mesh().call, "Login", tenant="acme", user="gus",
            password=PASSWORD)
    device = lab.ann.call("GetDevice", id=made.id).device
    assert device.status == 7 and device.mesh_ip == made.mesh_ip
    lab.admin.call("UpdateUser", tenant="acme", user="gus", disabled=False)
    gus = login(lab.d, "gus", "acme")
    assert gus.call("GetDevice", id=made.id).device.status != 7
    second = login(lab.d, "gus", "acme")
    refused("LOGIN_FAILED", gus.call, "ChangePassword", old_password="wrong",
            new_password="a new password")
    gus.call("ChangePassword", old_password=PASSWORD, new_password="a new password")
    assert gus.call("WhoAmI").user == "gus"
    refused("TOKEN_INVALID", second.call, "WhoAmI")
    refused("LOGIN_FAILED", lab.d.mesh().call, "Login", tenant="acme", user="gus",
            password=PASSWORD)
    lab.admin.call("UpdateUser", tenant="acme", user="gus", role=2)
    refused("TOKEN_INVALID", gus.call, "WhoAmI")


def joining(lab):
    before = lab.count()
    anyone = lab.d.mesh()
    token = lab.admin.call("CreateJoinToken", tenant="acme").join_token
    assert re.fullmatch(r"qmj1\.[0-9a-f-]{36}\.[\w-]{43}\.[\w-]{43}", token), token
    fields = {"wg_public_key": x25519(), "identity_key": key(), "endpoint": "vpn.example:51820"}
    parts = token.split(".")
    for bad in ("x", "qmj1...", token[:-50], ".".join(parts[:2] + ["A" * 43] + parts[3:])):
        refused("JOIN_TOKEN_INVALID", anyone.call, "Enroll", join_token=bad, name="n", **fields)
    range4 = [t for t in lab.admin.call("ListTenants").tenants if t.name == "acme"][0].range
    refusal = refused("ADDRESS_OVERLAP", anyone.call, "Enroll", join_token=token, name="n2",
                      host_routes=["0.0.0.0/0", "192.168.0.0/24", range4.replace("/16", "/24")],
                      **fields)
    assert refusal.meta["route"] == range4.replace("/16", "/24")
    refused("LABEL_TAKEN", anyone.call, "Enroll", join_token=token, name="gw-one", **fields)
    refused("LABEL_INVALID", anyone.call, "Enroll", join_token=token, name="", **fields)
    refused("FIELD_INVALID", anyone.call, "Enroll", join_token=token, name="n2",
            **dict(fields, endpoint="no port"))
    refused("FIELD_INVALID", anyone.call, "Enroll", join_token=token, name="n2",
            **dict(fields, wg_public_key=b"\x00" * 32))
    refusal = refused("FIELD_INVALID", anyone.call, "Enroll", join_token=token, name="n2",
                      **dict(fields, identity_key=b"\x00" * 32))
    assert refusal.code == "INVALID_ARGUMENT" and "identity_key" in refusal.fields, refusal.fields
    assert lab.count() == before
    second = anyone.call("Enroll", join_token=token, name="n2", host_routes=["0.0.0.0/0"],
                         **fields)
    assert second.mesh_ip.endswith(".0.2")
    refused("JOIN_TOKEN_INVALID", anyone.call, "Enroll", join_token=token, name="n3",
            **dict(fields, wg_public_key=x25519()))
    refused("KEY_IN_USE", anyone.call, "Enroll", name="n3",
            join_token=lab.admin.call("CreateJoinToken", tenant="acme").join_token, **fields)
    agent = lab.d.mesh(second.agent_token)
    refused("NOT_OWNER", agent.call, "GetNodePeers", node_id=lab.node.node_id)
    refused("NOT_FOUND", agent.call, "GetNodePeers", node_id=lab.other_node.node_id)
    peers = agent.call("GetNodePeers", node_id=second.node_id, page_size=1)
    if peers.next_page_token:
        agent.call("GetNodePeers", node_id=second.node_id, page_token=peers.next_page_token)
    refused("PAGE_TOKEN_INVALID", agent.call, "GetNodePeers", node_id=second.node_id,
            page_token=f"{peers.generation - 1}.1")
    # Two nodes now: a creation at the Control Panel must say which.
    assert "node_id" in refused("FIELD_INVALID", lab.bob.call, "CreateDevice",
                                label="which").fields
    made = lab.bob.call("CreateDevice", label="which", node_id=second.node_id).device
    homes = {n.slug: n.devices for n in lab.ann.call("ListNodes").nodes}
    assert homes["n2"] == 1 and sum(homes.values()) == lab.count()["acme"][0], homes
    refusal = refused("NEEDS_REHOME", lab.admin.call, "RemoveNode", tenant="acme", node="n2")
    assert refusal.code == "FAILED_PRECONDITION" and refusal.meta["devices"] == "1"
    assert lab.admin.call("RemoveNode", tenant="acme", node="n2", rehome_to="gw-one").devices == 1
    moved = lab.bob.call("GetDevice", id=made.id).device
    assert moved.node_id == lab.node.node_id and moved.needs_new_config
    assert not lab.bob.call("RotateDeviceKey", id=made.id).device.needs_new_config
    refused("TOKEN_INVALID", agent.call, "Report")
    refused("NOT_FOUND", lab.admin.call, "RemoveNode", tenant="acme", node="n2")


def renewal(lab):
    seed, public = ed25519_key()
    node = enroll(lab.d, lab.admin, "acme", "renewing", identity=public)
    anyone = lab.d.mesh()
    node_id = bytes.fromhex(node.node_id.replace("-", ""))

    def renew(ms, nonce, seed_=seed):
        signature = ed25519_sign(seed_, b"renew/1" + node_id + ms.to_bytes(8, "big") + nonce)
        stamp = msg("google.protobuf.Timestamp", seconds=ms // 1000, nanos=ms % 1000 * 1000000)
        return anyone.call("RenewToken", node_id=node.node_id, time=stamp, nonce=nonce,
                           signature=signature)

    now, nonce = int(time.time() * 1000), os.urandom(16)
    token = renew(now, nonce).agent_token
    lab.d.mesh(token).call("Report")
    refusal = refused("TOKEN_INVALID", renew, now, nonce)
    assert refusal.meta["time"].startswith(time.strftime("%Y-"))
    refused("TOKEN_INVALID", renew, now - 61000, os.urandom(16))
    refused("TOKEN_INVALID", renew, int(time.time() * 1000) + 300000, os.urandom(16))
    refused("TOKEN_INVALID", renew, now, os.urandom(16), ed25519_key()[0])
    lab.admin.call("RemoveNode", tenant="acme", node="renewing")
    refusal = refused("TOKEN_INVALID", renew, int(time.time() * 1000), os.urandom(16))
    assert "was removed" in refusal.words and "time" not in refusal.meta, refusal.words


class Agent:
    """A node's half of the stream: follows heads, reports what it has."""

    def __init__(self, lab, node, report=True, hello=None):
        self.mesh = lab.d.mesh(node.agent_token)
        self.members, self.heads, self.events = {}, [], []
        self.report, self.end = report, None
        self.changed = threading.Condition()
        self.stream = self.mesh.stream("Subscribe", **(hello or {}))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        import grpc
        try:
            for response in self.stream:
                self.take(response.event)
        except grpc.RpcError as error:
            self.end = Refused(error)
        except Refused as refusal:
            self.end = refusal
        with self.changed:
            self.changed.notify_all()

    def take(self, event):
        head = None
        if event.type == "mesh.peers.updated":
            head, list_ = msg("PeersHead"), msg("PeerList")
            head.ParseFromString(event.peers_updated.head)
            list_.ParseFromString(event.peers_updated.list)
            if head.snapshot and head.chunk == 0:
                self.members = {}
            for raw in list_.upserts:
                member = msg("Member")
                member.ParseFromString(raw)
                self.members[bytes(member.id)] = (member, raw)
            for id_ in list_.removed_ids:
                self.members.pop(bytes(id_), None)
        with self.changed:
            self.events.append(event)
            if head:
                self.heads.append(head)
                self.last = event.peers_updated
            self.changed.notify_all()
        if head and head.last and self.report:
            self.say(head)

    def say(self, head, **kw):
        return self.mesh.call("Report", epoch=head.epoch, applied_generation=head.to_generation,
                              list_digest=self.digest(), backend="userspace", **kw)

    def digest(self):
        import hashlib
        total = 0
        for _, raw in self.members.values():
            total += int.from_bytes(hashlib.blake2b(raw, digest_size=32).digest(), "big")
        return (total % (1 << 256)).to_bytes(32, "big")

    def wait(self, what, seconds=60):
        until = time.monotonic() + seconds
        with self.changed:
            while not what():
                assert time.monotonic() < until, [str(e)[:200] for e in self.events[-5:]]
                self.changed.wait(0.2)

    def generation(self):
        return self.heads[-1].to_generation if self.heads else 0


def stream(lab):
    agent = Agent(lab, lab.node)
    agent.wait(lambda: agent.heads)
    assert [e.type for e in agent.events[:4]] == ["mesh.keys", "mesh.revocations",
                                                  "mesh.certificate", "mesh.peers.updated"]
    assert agent.events[0].keys.k_n[0].key == lab.node.keys.k_n[0].key
    made = lab.bob.call("CreateDevice", label="streamed", type=1, wait_ms=5000)
    assert lab.bob.headers["qmesh-applied"] == "true" and made.device.applied
    generation = int(lab.bob.headers["qmesh-generation"])
    id_ = bytes.fromhex(made.device.id.replace("-", ""))
    agent.wait(lambda: agent.generation() >= generation)
    member = agent.members[id_][0]
    assert member.label == "streamed" and member.device.owner_name == "bob"
    assert bytes(agent.heads[-1].list_digest) == agent.digest()
    change = lab.bob.call("GetChange", generation=generation, wait_ms=5000)
    assert change.converged and change.applied == change.live == 1 and change.elapsed_ms
    refused("NOT_FOUND", lab.bob.call, "GetChange", generation=generation + 100)
    state = lab.bob.call("GetState").state
    assert state.active and state.converged and state.generation >= generation

    now = msg("google.protobuf.Timestamp", seconds=int(time.time()))
    agent.say(agent.heads[-1], statuses=[msg("PeerStatus", device_id=id_, latest_handshake=now,
                                             rx_bytes=5, tx_bytes=6, key_version=1)])
    device = lab.bob.call("GetDevice", id=made.device.id).device
    assert device.status == 2 and device.last_seen.seconds == now.seconds and device.rx_bytes == 5

    renamed = lab.bob.call("UpdateDevice", id=made.device.id, label="renamed", wait_ms=5000).device
    assert renamed.applied and renamed.status == 2, renamed
    nobody = msg("PeerStatus", device_id=os.urandom(16), latest_handshake=now)
    agent.say(agent.heads[-1], statuses=[nobody], interest=True)
    agent.wait(lambda: any(e.device_status.full for e in agent.events))
    full = next(e for e in agent.events if e.device_status.full).device_status
    kept = [bytes(s.device_id) for s in full.statuses]
    assert id_ in kept and nobody.device_id not in kept, "the status of no device is kept"

    rotated = lab.bob.call("RotateDeviceKey", id=made.device.id, wait_ms=5000)
    assert re.fullmatch(r"1/1;ms=\d+", lab.bob.headers["qmesh-converged"]), lab.bob.headers
    assert rotated.device.key_version == 2 and rotated.device.pending_until.seconds
    assert agent.members[id_][0].device.pending.key_version == 2
    assert rotated.config.split("Address")[1].split("\n")[0] == \
        made.config.split("Address")[1].split("\n")[0]
    for _ in range(2):
        agent.say(agent.heads[-1], promoted=[msg("Promoted", device_id=id_, key_version=2)])
    agent.wait(lambda: agent.members[id_][0].device.active.key_version == 2)
    assert not agent.members[id_][0].device.HasField("pending")
    stolen = lab.bob.call("RotateDeviceKey", id=made.device.id, immediate=True).device
    assert stolen.key_version == 3 and not stolen.pending_until.seconds
    assert lab.bob.call("GetDevice", id=made.device.id).device.status == 1
    agent.say(agent.heads[-1], promoted=[msg("Promoted", device_id=id_, key_version=2)])
    assert lab.bob.call("GetDevice", id=made.device.id).device.public_key == stolen.public_key

    lab.bob.call("DeleteDevice", id=made.device.id, wait_ms=5000)
    agent.wait(lambda: id_ not in agent.members)
    assert bytes(agent.heads[-1].list_digest) == agent.digest()
    second = Agent(lab, lab.node)
    agent.wait(lambda: agent.end)
    second.wait(lambda: second.heads)
    assert second.digest() == bytes(second.heads[-1].list_digest)
    lab.bob.call("Logout")
    second.wait(lambda: any(e.type == "mesh.revocations" and e.revocations.session_ids
                            for e in second.events))
    lab.bob = login(lab.d, "bob", "acme")
    wrong = msg("PeersHead")
    wrong.CopyFrom(second.heads[-1])
    second.members.pop(next(iter(second.members)))
    made = lab.bob.call("CreateDevice", label="resync", type=1)
    second.wait(lambda: any(e.type == "mesh.refresh" for e in second.events))
    second.stream.cancel()


def interest(lab):
    other = enroll(lab.d, lab.admin, "acme", "gw-two")
    one, two = Agent(lab, lab.node), Agent(lab, other)
    one.wait(lambda: one.heads)
    two.wait(lambda: two.heads)
    made = lab.bob.call("CreateDevice", label="seen", node_id=lab.node.node_id).device
    id_ = bytes.fromhex(made.id.replace("-", ""))
    two.wait(lambda: id_ in two.members)
    two.say(two.heads[-1], interest=True)
    one.wait(lambda: any(e.type == "mesh.interest" for e in one.events))
    two.wait(lambda: any(e.device_status.full for e in two.events))
    now = msg("google.protobuf.Timestamp", seconds=int(time.time()))
    one.say(one.heads[-1], statuses=[msg("PeerStatus", device_id=id_, latest_handshake=now)])
    two.wait(lambda: any(s.device_id == id_ for e in two.events for s in e.device_status.statuses))
    watch = lab.bob.stream("WatchState")
    first = next(watch)
    assert first.state.active and list(first.topics) == ["state", "devices", "nodes"]
    one.stream.cancel()
    node_id = bytes.fromhex(lab.node.node_id.replace("-", ""))
    two.wait(lambda: any(node_id in e.device_status.nodes_down for e in two.events))
    later = next(watch)
    assert later.version > first.version
    watch.cancel()
    assert lab.bob.call("GetDevice", id=made.id).device.status == 6
    for node in lab.ann.call("ListNodes").nodes:
        assert node.online == (node.slug == "gw-two"), node
    lab.admin.call("RemoveNode", tenant="acme", node="gw-two")
    two.wait(lambda: two.end)
    back = Agent(lab, lab.node)
    back.wait(lambda: back.heads)
    back.say(back.heads[-1], interest=True)
    back.wait(lambda: any(e.device_status.full for e in back.events))
    removed = bytes.fromhex(other.node_id.replace("-", ""))
    assert not any(removed in e.device_status.nodes_down for e in back.events), "removed, not down"
    back.stream.cancel()


def repeated(lab):
    """Idempotency-Key: a repeated creation or rotation never makes a second thing."""
    def again(key_, method="CreateDevice", who=lab.bob, **kw):
        return who.call(method, metadata=[("idempotency-key", key_)], **kw)

    def private(answer):
        return re.search(r"PrivateKey = (\S+)", answer.config).group(1)

    agent = Agent(lab, lab.node)
    agent.wait(lambda: agent.heads)
    for bad in ("", "x" * 129):
        refusal = refused("FIELD_INVALID", again, bad, label="again")
        assert "idempotency-key" in refusal.fields, refusal.fields
    bearer = {"authorization": lab.bob.metadata[0][1]}
    status, _, body = http(lab.d, "POST", "/api/mesh/devices", {"label": "again"},
                           dict(bearer, **{"idempotency-key": "caf\xe9"}))
    assert status == 400, (status, body)
    # Two of what there may be one of: neither is taken.
    for name in ("idempotency-key", "authorization", "x-qmesh-user"):
        twice = [(name, lab.bob.metadata[0][1])] * (1 if name == "authorization" else 2)
        refusal = refused("FIELD_INVALID", lab.bob.call, "CreateDevice", metadata=twice, label="again")
        assert name in refusal.fields, (name, refusal.fields)
    key_ = "k" * 127 + "~"
    # A refusal keeps nothing: the same key may make the device later.
    refused("FIELD_INVALID", again, key_, label="again", node_id=lab.other_node.node_id)
    first = again(key_, label="again", type=1)
    before = lab.count()
    lost = again(key_, label="again", type=1)
    assert lost.device.id == first.device.id and lab.count() == before
    assert lost.device.mesh_ip == first.device.mesh_ip and lost.device.key_version == 2
    assert private(lost) != private(first) and lost.qr_svg
    assert not lost.device.pending_until.seconds, "the lost key ends at once"
    assert newest(lab.ann).action == "device.rotate"
    refused("IDEMPOTENCY_KEY_REUSED", again, key_, label="again", type=2)
    # How long to wait is a field as any other: docs/rest.md says so.
    refused("IDEMPOTENCY_KEY_REUSED", again, key_, label="again", type=1, wait_ms=10)
    refused("IDEMPOTENCY_KEY_REUSED", again, key_, "RotateDeviceKey", id=first.device.id)
    # Another user's equal key is another key.
    other = again(key_, who=lab.eve, label="eves own")
    assert other.device.id != first.device.id
    id_ = bytes.fromhex(first.device.id.replace("-", ""))
    now = msg("google.protobuf.Timestamp", seconds=int(time.time()))
    # A handshake with the key that was replaced says nothing of the new one.
    agent.say(agent.heads[-1], statuses=[msg("PeerStatus", device_id=id_, latest_handshake=now,
                                             key_version=1)])
    third = again(key_, label="again", type=1)
    assert third.device.key_version == 3 and third.config
    agent.say(agent.heads[-1], statuses=[msg("PeerStatus", device_id=id_, latest_handshake=now,
                                             key_version=3)])
    shown = again(key_, label="again", type=1)
    assert shown.device.id == first.device.id and shown.device.key_version == 3
    assert (shown.config, shown.qr_svg) == ("", "")
    # Rotation: the pending key is the one that was lost.
    turned = again("r1", "RotateDeviceKey", id=first.device.id)
    lost = again("r1", "RotateDeviceKey", id=first.device.id)
    assert turned.device.key_version == 4 and lost.device.key_version == 5
    assert private(lost) != private(turned) and lost.device.pending_until.seconds
    # Superseded by a newer key: nothing is replaced any more.
    lab.bob.call("RotateDeviceKey", id=first.device.id, immediate=True)
    assert again("r1", "RotateDeviceKey", id=first.device.id).config == ""
    # The caller's own key: the same config, whatever happened.
    own = base64.b64encode(x25519()).decode()
    mine = again("o1", label="again own", public_key=own)
    generation = lab.bob.headers["qmesh-generation"]
    same = again("o1", label="again own", public_key=own)
    assert same.config == mine.config and same.device.key_version == 1
    assert lab.bob.headers["qmesh-generation"] == generation
    own = base64.b64encode(x25519()).decode()
    mine = again("o2", "RotateDeviceKey", id=mine.device.id, public_key=own)
    same = again("o2", "RotateDeviceKey", id=mine.device.id, public_key=own)
    assert same.config == mine.config and same.device.key_version == 2
    # Running: the answer waits for a home that says nothing.
    agent.report = False
    running = threading.Thread(target=again, args=("w1",),
                               kwargs={"label": "again slow", "wait_ms": 5000})
    running.start()
    until(lambda: "again slow" in [d.label for d in lab.bob.call("ListDevices").devices])
    refusal = refused("CALL_IN_PROGRESS", again, "w1", label="again slow", wait_ms=5000)
    assert refusal.code == "ABORTED" and refusal.retry_ms > 0
    running.join()
    assert again("w1", label="again slow", wait_ms=5000).device.key_version == 2
    lab.bob.call("DeleteDevice", id=first.device.id)
    refused("NOT_FOUND", again, key_, label="again", type=1)
    agent.stream.cancel()
    # Many at once make one device.
    results = []

    def one():
        mesh = lab.d.mesh(lab.bob.metadata[0][1].split()[1])
        try:
            results.append(again("m1", who=mesh, label="again many").device.id)
        except Refused as refusal_:
            assert refusal_.reason == "CALL_IN_PROGRESS", refusal_
        mesh.close()
    threads = [threading.Thread(target=one) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(set(results)) == 1, results


def rest(lab):
    d = lab.d
    status, headers, body = http(d, "POST", "/api/auth/login",
                                 {"tenant": "acme", "user": "bob", "password": PASSWORD},
                                 {"sec-fetch-site": "same-origin"})
    assert status == 200 and body["user"]["name"] == "bob", (status, body)
    bearer = {"authorization": "Bearer " + body["token"]}
    before = lab.count()

    def post(raw, want, reason, path="/api/mesh/devices", extra=None):
        status_, _, body_ = http(d, "POST", path, raw, dict(bearer, **(extra or {})))
        assert status_ == want, (status_, body_, raw[:80] if isinstance(raw, bytes) else raw)
        if reason:
            infos = [x for x in body_["details"] if x["@type"].endswith("ErrorInfo")]
            assert infos and infos[0]["reason"] == reason, (body_, reason)
        return body_

    post({"label": ""}, 400, "LABEL_INVALID")
    post({"label": "x" * 65}, 400, "LABEL_INVALID")
    post({"label": "wpad"}, 400, "LABEL_RESERVED")
    post({"label": "gw-one"}, 409, "LABEL_TAKEN")
    post({"label": "a", "nonsense": 1}, 400, "FIELD_INVALID")
    post(b'{"label":"a","label":"b"}', 400, "FIELD_INVALID")
    post({"label": 5}, 400, "FIELD_INVALID")
    post(b'{"label":"a"', 400, "FIELD_INVALID")
    post(b'{"label":' + b"[" * 5000, 400, "FIELD_INVALID")
    post(b'{"label":"' + b"x" * 70000 + b'"}', 413, None)
    assert lab.count() == before
    status, _, body = http(d, "GET", f"/api/mesh/devices/{lab.node.tenant_id}", None, bearer)
    assert status == 404
    assert http(d, "GET", "/api/mesh/devices")[0] == 401
    status, headers, body = http(d, "POST", "/api/mesh/devices", {"label": "by rest"}, bearer)
    assert status == 201 and body["qr_svg"].startswith("<svg"), (status, body)
    assert headers["qmesh-generation"].isdigit() and headers["qmesh-applied"] == "false"
    id_ = body["device"]["id"]
    assert http(d, "GET", "/api/mesh/devices", None, bearer)[2][-1]["id"] == id_
    status, _, body = http(d, "POST", f"/api/mesh/devices/{id_}:rotate", {}, bearer)
    assert status == 200 and body["device"]["key_version"] == 2, (status, body)
    status, _, body = http(d, "PATCH", f"/api/mesh/devices/{id_}", {"label": "renamed"}, bearer)
    assert status == 200 and body["slug"] == "renamed", (status, body)
    assert http(d, "DELETE", f"/api/mesh/devices/{id_}", None, bearer)[0] == 204
    assert http(d, "DELETE", f"/api/mesh/devices/{id_}", None, bearer)[0] == 404
    path = f"/cp/api/v1/mesh/peers/{lab.node.node_id}"
    assert http(d, "GET", path, None, bearer)[0] in (401, 403)
    agent = {"authorization": "Bearer " + lab.node.agent_token}
    assert http(d, "GET", path, None, agent)[0] == 200
    path = f"/cp/api/v1/mesh/peers/{lab.other_node.node_id}"
    assert http(d, "GET", path, None, agent)[0] == 404
    features = http(d, "GET", "/api/license/orbit-features", None, bearer)[2]
    assert features["features"]["mesh_vpn"]["enabled"] is True
    assert lab.count() == before


def audit(lab):
    rows, token = [], ""
    refused("NOT_OWNER", lab.eve.call, "DeleteDevice",
            id=lab.bob.call("CreateDevice", label="audited").device.id)
    while True:
        page = lab.ann.call("ListAudit", page_size=7, page_token=token)
        rows += page.entries
        token = page.next_page_token
        if not token:
            break
    assert [r.seq for r in rows] == list(range(len(rows), 0, -1))
    row = [r for r in rows if r.action != "denied"][0]
    assert (row.action, row.result, row.object, row.actor) == \
        ("device.delete", "NOT_OWNER", "audited", "eve")
    refused("ROLE_REQUIRED", lab.aud.call, "CreateDevice", label="auds")
    # This row is written soon, not with the answer.
    until(lambda: newest(lab.ann).actor == "aud")
    row = newest(lab.ann)
    assert (row.action, row.result) == ("device.create", "ROLE_REQUIRED"), row
    lab.admin.call("UpdateTenant", tenant="acme", plan=2)
    refusal = refused("PLAN_LACKS_FEATURE", lab.ann.call, "ListAudit")
    assert refusal.code == "PERMISSION_DENIED" and refusal.meta["feature"] == "audit_log"
    lab.admin.call("UpdateTenant", tenant="acme", plan=4)


def tls(lab):
    import hashlib
    import grpc
    with open(os.path.join(lab.d.dir, "state", "ca.pem"), "rb") as f:
        ca = f.read()
    target = f"localhost:{lab.d.tls_port}"
    mesh = Mesh(target, lab.bob.metadata[0][1].split()[1],
                credentials=grpc.ssl_channel_credentials(ca))
    assert mesh.call("WhoAmI").user == "bob"
    mesh.close()
    spki = subprocess.run("openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER",
                          shell=True, input=ca, capture_output=True, check=True).stdout
    pin = base64.urlsafe_b64encode(hashlib.sha256(spki).digest()).decode().rstrip("=")
    assert lab.admin.call("CreateJoinToken", tenant="acme").join_token.split(".")[-1] == pin
    assert lab.node.keys.cp_pins[0] == hashlib.sha256(spki).digest()


def plan_change(lab):
    before = lab.count()["acme"][0]
    assert before > 3
    lab.admin.call("UpdateTenant", tenant="acme", plan=1)
    refusal = refused("DEVICE_CAP_REACHED", lab.bob.call, "CreateDevice", label="one more")
    assert refusal.meta == {"limit": "3", "used": str(before), "plan": "Free"}, refusal.meta
    assert lab.count()["acme"][0] == before
    features = lab.bob.call("GetOrbitFeatures")
    assert features.plan == 1 and features.features["mesh_vpn"].cap == 3
    assert features.features["audit_log"].why == "needs the Team plan"
    lab.admin.call("UpdateTenant", tenant="acme", plan=4)
    made = lab.bob.call("CreateDevice", label="one more").device
    lab.bob.call("DeleteDevice", id=made.id)


def lives_end():
    """Overlaps end by themselves, also over a restart; streams end with their token."""
    lab = Lab(extra=OPEN_LIMIT + ["--rotation-overlap", "1s", "--agent-token-life", "8s"])
    try:
        made = lab.bob.call("CreateDevice", label="turning").device

        def turned():
            device = lab.bob.call("GetDevice", id=made.id).device
            return not device.pending_until.seconds and device.public_key
        new = lab.bob.call("RotateDeviceKey", id=made.id).device
        assert new.pending_until.seconds
        until(turned)
        assert turned() == new.public_key != made.public_key
        row = newest(lab.ann)
        assert (row.action, row.actor) == ("device.promote", "control panel")
        new = lab.bob.call("RotateDeviceKey", id=made.id).device
        lab.d.kill()
        over = new.pending_until.seconds + 1
        until(lambda: time.time() > over)
        lab.d.start()
        lab.admin = lab.d.admin()
        lab.bob = login(lab.d, "bob", "acme")
        until(turned)
        assert turned() == new.public_key
        seed, public = ed25519_key()
        node = enroll(lab.d, lab.admin, "acme", "short", identity=public)
        keeps = Agent(lab, node, report=False)
        other = enroll(lab.d, lab.admin, "acme", "shorter")
        ends = Agent(lab, other, report=False)
        keeps.wait(lambda: keeps.heads)
        ends.wait(lambda: ends.heads)
        anyone, started = lab.d.mesh(), time.time()
        while not ends.end:
            assert time.time() - started < 90, "the stream outlives its token"
            ms, nonce = int(time.time() * 1000), os.urandom(16)
            text = b"renew/1" + bytes.fromhex(node.node_id.replace("-", "")) + \
                ms.to_bytes(8, "big") + nonce
            anyone.call("RenewToken", node_id=node.node_id, nonce=nonce,
                        time=msg("google.protobuf.Timestamp", seconds=ms // 1000,
                                 nanos=ms % 1000 * 1000000), signature=ed25519_sign(seed, text))
            time.sleep(0.5)
        assert ends.end.reason == "TOKEN_INVALID" and not keeps.end
        refused("TOKEN_INVALID", ends.mesh.call, "Report")
        keeps.stream.cancel()
    finally:
        lab.close()


def restored_store():
    """An old copy of the store put back: nodes prove that they are ahead, a new epoch begins."""
    lab = Lab(extra=OPEN_LIMIT)
    try:
        lab.bob.call("CreateDevice", label="kept")
        assert lab.d.stop() == 0
        state, copy = os.path.join(lab.d.dir, "state"), os.path.join(lab.d.dir, "copy")
        subprocess.run(["cp", "-a", state, copy], check=True)
        lab.d.start()
        lab.bob, lab.ann = login(lab.d, "bob", "acme"), None
        agent = Agent(lab, lab.node)
        agent.wait(lambda: agent.heads)
        for i in range(3):
            lab.bob.call("CreateDevice", label=f"lost{i}")
        generation = int(lab.bob.headers["qmesh-generation"])
        agent.wait(lambda: agent.generation() >= generation)
        old, shown = agent.heads[-1], agent.last
        assert lab.d.stop() == 0
        subprocess.run(["rm", "-r", state], check=True)
        os.rename(copy, state)
        lab.d.start()
        hello = {"epoch": old.epoch, "generation": old.to_generation, "head": shown.head,
                 "head_signature": shown.signature, "kid": shown.kid}
        forged = dict(hello, head_signature=bytes(64))
        agent = Agent(lab, lab.node, hello=forged)
        agent.wait(lambda: agent.heads)
        assert agent.heads[0].epoch == old.epoch and agent.heads[0].snapshot
        proved = Agent(lab, lab.node, hello=hello)
        proved.wait(lambda: proved.heads)
        head = proved.heads[0]
        assert head.epoch > old.epoch and head.snapshot and head.last
        assert bytes(head.list_digest) == proved.digest()
        assert [m.label for m, _ in proved.members.values()] == ["gw-one", "kept"]
        lab.bob = login(lab.d, "bob", "acme")
        lab.bob.call("CreateDevice", label="after")
        proved.wait(lambda: proved.heads[-1].epoch == head.epoch and not proved.heads[-1].snapshot)
        again = Agent(lab, lab.node, hello=hello)
        again.wait(lambda: again.heads)
        assert again.heads[0].epoch == head.epoch, "an old proof moves the epoch once"
        again.stream.cancel()
    finally:
        lab.close()


def strangers():
    """Refusals of callers that nobody knows: one row per reason and address a minute."""
    lab = Lab(extra=OPEN_LIMIT)
    try:
        for address, n in (("203.0.113.9", 3), ("203.0.113.10", 1)):
            agent = lab.d.mesh(lab.node.agent_token, client_addr=address)
            for i in range(n):
                refused("LOGIN_FAILED", agent.call, "Login", user="nobody", password="x" * 12)
        for _ in range(4):
            refused("TOKEN_MISSING", lab.d.mesh().call, "ListDevices")
        assert lab.d.stop() == 0
        counted = re.findall(r"denied: TOKEN_MISSING from 127.0.0.1, (\d+) call", lab.d.log())
        assert sum(map(int, counted)) == 4, counted
        lab.d.start()
        rows = [r for r in login(lab.d, "ann", "acme").call("ListAudit").entries
                if r.action == "denied"]
        # One row each, or two where a minute ended between them.
        calls = {}
        for r in rows:
            assert (r.result, r.actor) == ("LOGIN_FAILED", "") and re.fullmatch(r"1 call|\d+ calls", r.object), r
            address = getattr(r, "from")
            calls[address] = calls.get(address, 0) + int(r.object.split()[0])
        assert calls == {"203.0.113.10": 1, "203.0.113.9": 3}, rows
        assert not [r for r in login(lab.d, "oli", "other").call("ListAudit").entries
                    if r.action == "denied"], "whose stranger it is must be known"
    finally:
        lab.close()
    d = Daemon().start()
    admin = d.admin()
    admin.call("CreateTenant", name="alone", plan=3)
    admin.call("CreateUser", tenant="alone", name="ann", password=PASSWORD, role=3)
    for _ in range(2):
        refused("TOKEN_INVALID", d.mesh("a.b.c").call, "ListDevices")
    assert d.stop() == 0
    d.start()
    rows = login(d, "ann").call("ListAudit").entries
    denied = [(r.result, int(r.object.split()[0])) for r in rows if r.action == "denied"]
    assert {r for r, _ in denied} == {"TOKEN_INVALID"} and sum(n for _, n in denied) == 2, rows
    assert d.stop() == 0
    d.remove()


def window_holds():
    lab = Lab()
    try:
        for i in range(5):
            made = lab.bob.call("CreateDevice", label=f"d{i}").device
        refusal = refused("RATE_LIMITED", lab.bob.call, "CreateDevice", label="sixth")
        assert refusal.code == "RESOURCE_EXHAUSTED" and 0 < refusal.retry_ms <= 60000
        refused("RATE_LIMITED", lab.bob.call, "RotateDeviceKey", id=made.id)
        # Rate comes before label: the order is part of the contract.
        refused("RATE_LIMITED", lab.bob.call, "CreateDevice", label="d0")
        key_ = [("idempotency-key", "one")]
        for i in range(5):
            lab.eve.call("CreateDevice", label="eves", metadata=key_)
        refusal = refused("RATE_LIMITED", lab.eve.call, "CreateDevice", label="eves",
                          metadata=key_)
        assert refusal.retry_ms > 0, "a new key for a repeated call counts as a rotation"
        assert lab.count()["acme"][0] == 6
        assert lab.d.stop() == 0
        lab.d.start()
        bob = login(lab.d, "bob", "acme")
        refusal = refused("RATE_LIMITED", bob.call, "CreateDevice", label="sixth")
        assert 0 < refusal.retry_ms <= 60000
        token = lab.d.mesh().call("Login", tenant="acme", user="bob", password=PASSWORD).token
        status, headers, _ = http(lab.d, "POST", "/api/mesh/devices", {"label": "sixth"},
                                  {"authorization": "Bearer " + token})
        assert status == 429 and 0 < int(headers.get("retry-after", headers.get("Retry-After"))) \
            <= 60
    finally:
        lab.close()


def caps_are_exact():
    for plan, cap in ((1, 3), (2, 20), (3, 100)):
        lab = Lab(plan, OPEN_LIMIT)
        try:
            for i in range(cap - 1):
                lab.bob.call("CreateDevice", label=f"d{i}")
            results = []

            def one(i):
                mesh = lab.d.mesh(lab.eve.metadata[0][1].split()[1])
                try:
                    results.append(mesh.call("CreateDevice", label=f"c{i}").device.mesh_ip)
                except Refused as refusal:
                    results.append(refusal.reason)
                    if refusal.reason == "DEVICE_CAP_REACHED":
                        assert refusal.code == "RESOURCE_EXHAUSTED"
                        assert (refusal.meta["limit"], refusal.meta["used"]) == (str(cap), str(cap))
                mesh.close()
            threads = [threading.Thread(target=one, args=(i,)) for i in range(64)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            reasons = [r for r in results if r.isupper()]
            assert len(results) == 64 and len(reasons) == 63, results
            assert set(reasons) == {"DEVICE_CAP_REACHED"}, set(reasons)
            assert lab.count()["acme"][0] == cap
            lab.bob.call("DeleteDevice", id=lab.bob.call("ListDevices").devices[0].id)
        finally:
            lab.close()


def bad_start():
    d = Daemon(["--provision-limit", "0"])
    process = subprocess.run([os.path.join(BUILD, "bin", "qmesh-cpd"), "--provision-limit", "0",
                              "--check-config"], capture_output=True, text=True)
    assert process.returncode != 0 and "provision_limit" in process.stderr, process
    process = subprocess.run([os.path.join(BUILD, "bin", "qmesh-cpd"), "--pool", "10.64.0.1/10",
                              "--state-dir", d.dir + "/s"], capture_output=True, text=True)
    assert process.returncode != 0 and "pool" in process.stderr, process
    for program, wrong in (("qmesh-cpd", "listen_plain=0.0.0.0:80"), ("qmesh-cpd", "pool=10.64.0.1/10"),
                           ("qmesh-cpd", "listen=7443"), ("qmesh-cpd", "metrics=192.0.2.1:9"),
                           ("qmesh-cpd", "log_level=loud"), ("qmesh-noded", "wg_interface=a/b"),
                           ("qmesh-noded", "wg_interface=wg*"), ("qmesh-noded", 'wg_interface=w"}]'),
                           ("qmesh-noded", "listen_plain=[::]:80"), ("qmesh-noded", "listen=host:1"),
                           ("qmesh-noded", "endpoint=nowhere"), ("qmesh-noded", "endpoint=a b:1"),
                           ("qmesh-noded", "cp=example.org"), ("qmesh-noded", "cp=https://x/y"),
                           ("qmesh-noded", "cp_pin=abc"), ("qmesh-noded", "no_such_key=1"),
                           ("qmesh-cpd", "no_such_key=1")):
        key = wrong.split("=")[0]
        process = subprocess.run([os.path.join(BUILD, "bin", program), "--" + wrong, "--check-config"],
                                 capture_output=True, text=True)
        assert process.returncode == 2 and key in process.stderr, (wrong, process)
        process = subprocess.run([os.path.join(BUILD, "bin", program), "--" + wrong],
                                 capture_output=True, text=True, timeout=60)
        assert process.returncode == 2 and key in process.stderr, (wrong, process)
    d.extra = []
    d.start()
    assert d.stop() == 0
    os.chmod(os.path.join(d.dir, "state", "keys", "sessions.key"), 0o640)
    try:
        d.start()
        raise AssertionError("a key that others may read was taken")
    except RuntimeError as error:
        assert "sessions.key has mode 0640" in str(error) and "chmod 600" in str(error), error
    d.remove()


def main():
    only = sys.argv[1:]
    shared = [labels, config, secrets_stay_out, addresses, owners, tokens, accounts, joining,
              renewal, stream, interest, repeated, rest, audit, tls, plan_change]
    wanted = [fn for fn in shared if not only or fn.__name__ in only]
    lab = Lab(extra=OPEN_LIMIT) if wanted else None
    for fn in wanted:
        run(fn.__name__, fn, lab)
    if lab:
        run("clean end", lab.close)
    for fn in (lives_end, restored_store, strangers, window_holds, caps_are_exact, bad_start):
        if not only or fn.__name__ in only:
            run(fn.__name__, fn)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
