#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Nodes and what the Control Panel says of them: joining again after a lost
answer, pages, mesh DNS by their reports, removal to the last trace, and changes
that change nothing."""
import base64
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import (PASSWORD, Daemon, Refused, enroll, free_port, http, key, login, msg, refused,
                     x25519)  # noqa: E402
from parts import run, run_all, summary  # noqa: E402


def until(fn, what, seconds=60):
    for _ in range(seconds * 10):
        if fn():
            return
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")


class Lab:
    def __init__(self):
        self.metrics = free_port()
        self.d = Daemon(["--provision-limit", "100", "--provision-period", "1s", "--metrics",
                         f"127.0.0.1:{self.metrics}"]).start()
        self.admin = self.d.admin()
        for tenant in ("acme", "other"):
            self.admin.call("CreateTenant", name=tenant, plan=4)
            self.admin.call("CreateUser", tenant=tenant, name="ann", password=PASSWORD, role=3)
        self.node = enroll(self.d, self.admin, "acme", "gw-one")
        self.ann = login(self.d, "ann", "acme")

    def generation(self):
        return [t.generation for t in self.admin.call("ListTenants").tenants if t.name == "acme"][0]

    def close(self):
        assert self.d.stop() == 0, self.d.log()[-2000:]
        log = self.d.log()
        assert "Sanitizer" not in log and "error err" not in log, log[-3000:]
        self.d.remove()


class Stream:
    """A node that is online, and reports what it is told to."""

    def __init__(self, lab, node):
        self.mesh = lab.d.mesh(node.agent_token)
        self.stream = self.mesh.stream("Subscribe")
        self.head = None
        threading.Thread(target=self.read, daemon=True).start()
        until(lambda: self.head, "the first head")

    def read(self):
        try:
            for response in self.stream:
                if response.event.type == "mesh.peers.updated":
                    self.head = msg("PeersHead")
                    self.head.ParseFromString(response.event.peers_updated.head)
        except Exception:  # noqa: BLE001
            pass

    def report(self, **kw):
        self.mesh.call("Report", **{"epoch": self.head.epoch, "applied_generation": self.head.to_generation,
                                    "list_digest": bytes(32), "backend": "userspace", **kw})


def nothing_changed(lab):
    """A change that changes nothing is no news for nodes."""
    device = lab.ann.call("CreateDevice", label="Phone", type=1).device
    before = lab.generation()
    for kw in ({}, {"label": "Phone"}, {"type": 1}, {"label": "Phone", "type": 1}):
        same = lab.ann.call("UpdateDevice", id=device.id, **kw).device
        assert (same.label, same.type, same.slug) == ("Phone", 1, "phone")
        assert int(lab.ann.headers["qmesh-generation"]) <= before, lab.ann.headers
    bearer = {"authorization": lab.ann.metadata[0][1]}
    path = "/api/mesh/devices/" + device.id
    assert http(lab.d, "PATCH", path, {"label": "Phone"}, bearer)[0] == 200
    assert lab.generation() == before
    row = lab.ann.call("ListAudit", page_size=1).entries[0]
    assert (row.action, row.result) == ("device.update", "OK")
    refused("NOT_FOUND", lab.ann.call, "UpdateDevice", id=lab.node.node_id)
    assert lab.ann.call("UpdateDevice", id=device.id, label="phone").device.label == "phone"
    assert lab.generation() == before + 1
    lab.admin.call("UpdateTenant", tenant="acme", plan=4)
    assert lab.generation() == before + 1


def joining_again(lab):
    """The answer to Enroll was lost: the same node asks again and hears the same."""
    token = lab.admin.call("CreateJoinToken", tenant="acme").join_token
    door, identity, wg = lab.d.mesh(), key(), x25519()
    join = {"join_token": token, "name": "gw-lost", "wg_public_key": wg, "identity_key": identity,
            "endpoint": "198.51.100.7:51820"}
    first = door.call("Enroll", **join)
    generation = lab.generation()
    again = door.call("Enroll", **join)
    assert (again.node_id, again.mesh_ip, again.tenant_id) == \
        (first.node_id, first.mesh_ip, first.tenant_id)
    assert len(again.keys.k_n) == 1 and again.keys.k_n[0].key == first.keys.k_n[0].key
    assert lab.generation() == generation
    lab.d.mesh(again.agent_token).call("Report")
    for other in ({"identity_key": key()}, {"wg_public_key": x25519()},
                  {"identity_key": key(), "wg_public_key": x25519()}):
        refused("JOIN_TOKEN_INVALID", door.call, "Enroll", **dict(join, **other))
    secret = token.split(".")
    secret[2] = secret[2][:-2] + ("AA" if secret[2][-2:] != "AA" else "BB")
    refused("JOIN_TOKEN_INVALID", door.call, "Enroll", **dict(join, join_token=".".join(secret)))
    lab.admin.call("RemoveNode", tenant="acme", node="gw-lost")
    refused("JOIN_TOKEN_INVALID", door.call, "Enroll", **join)


def names_by_report(lab):
    """What the nodes report of mesh DNS is what the Control Panel says."""
    def status():
        return lab.ann.call("GetState").state.dns_status
    assert status() == "off"
    one = Stream(lab, lab.node)
    one.report(dns_status="serving")
    assert status() == "serving"
    two = Stream(lab, enroll(lab.d, lab.admin, "acme", "gw-two"))
    assert status() == "serving"
    two.report(dns_status="degraded: port 53 is taken", https_status="degraded: no certificate yet")
    assert status() == "degraded: 1 of 2 nodes serve names"
    # Each node's own, to people and to the operator; one that does not tell: not known.
    want = [("degraded: port 53 is taken", "degraded: no certificate yet"), ("serving", "")]
    for got in (lab.ann.call("ListNodes"), lab.admin.call("ListTenantNodes", tenant="acme")):
        assert sorted((n.dns_status, n.https_status) for n in got.nodes) == want, got
    two.report(dns_status="coredns")
    assert status() == "serving"
    for stream in (one, two):
        stream.report(dns_status="degraded: port 53 is taken")
    assert status() == "degraded: port 53 is taken"
    for stream in (one, two):
        stream.stream.cancel()
    until(lambda: status() == "off", "no node is left")


def cut_off(lab):
    """NO_DIRECT_PATH is told of two nodes that are there: one that is switched off is another matter."""
    nodes = [enroll(lab.d, lab.admin, "acme", name) for name in ("gw-home", "gw-off", "gw-far", "gw-gone")]
    device = lab.ann.call("CreateDevice", label="reached", node_id=nodes[0].node_id).device
    lab.admin.call("RemoveNode", tenant="acme", node="gw-gone")
    raw = [bytes.fromhex(n.node_id.replace("-", "")) for n in nodes]
    home, far = Stream(lab, nodes[0]), Stream(lab, nodes[2])
    status = msg("PeerStatus", device_id=bytes.fromhex(device.id.replace("-", "")), rx_bytes=7, key_version=1,
                 latest_handshake=msg("google.protobuf.Timestamp", seconds=int(time.time())))

    def why(*unreached):
        home.report(statuses=[status], unreached=unreached, list_digest=b"")
        told = lab.ann.call("ExplainDevice", id=device.id)
        return told.reason, told.evidence
    until(lambda: why()[0] == "CONNECTED", f"connected: {why()}")
    assert why(raw[1], raw[3])[0] == "CONNECTED", why(raw[1], raw[3])
    told = why(raw[1], raw[3], raw[2])
    assert told[0] == "NO_DIRECT_PATH" and "gw-far" in told[1], told
    far.stream.cancel()
    until(lambda: why(*raw[1:])[0] == "CONNECTED", "the far one is switched off too")
    home.stream.cancel()
    for name in ("gw-home", "gw-off", "gw-far"):
        lab.admin.call("RemoveNode", tenant="acme", node=name, force=True)


def removed(lab):
    """With its node a device goes to the last trace."""
    node = enroll(lab.d, lab.admin, "acme", "gw-leaves")
    made = [lab.ann.call("CreateDevice", label=f"goes {i}", node_id=node.node_id).device
            for i in range(3)]
    ids = [bytes.fromhex(d.id.replace("-", "")) for d in made]
    stream = Stream(lab, node)
    now = msg("google.protobuf.Timestamp", seconds=int(time.time()))
    stream.report(statuses=[msg("PeerStatus", device_id=id_, latest_handshake=now, rx_bytes=7,
                                key_version=1) for id_ in ids])
    assert lab.ann.call("GetDevice", id=made[0].id).device.last_seen.seconds
    refused("NEEDS_REHOME", lab.admin.call, "RemoveNode", tenant="acme", node="gw-leaves")
    before = presence(lab)
    assert lab.admin.call("RemoveNode", tenant="acme", node="gw-leaves", force=True).devices == 3
    assert presence(lab) == before - 3
    for device in made:
        refused("NOT_FOUND", lab.ann.call, "GetDevice", id=device.id)


def presence(lab):
    """Devices that the daemon remembers a status of."""
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", lab.metrics, timeout=60)
    connection.request("GET", "/metrics")
    for line in connection.getresponse().read().decode().splitlines():
        if line.startswith("qmesh_presence_devices "):
            return int(float(line.split()[1]))
    raise AssertionError("no such metric")


def pages(lab):
    people = []
    for i in range(4):
        lab.admin.call("CreateUser", tenant="other", name=f"p{i}", password=PASSWORD)
        people.append(login(lab.d, f"p{i}", "other"))
    node = enroll(lab.d, lab.admin, "other", "gw-big")

    def fill(n):
        for i in range(1100 * n // 4, 1100 * (n + 1) // 4):
            while True:
                try:
                    people[n].call("CreateDevice", label=f"d {i}",
                                   public_key=base64.b64encode(
                                       os.urandom(31) + bytes([i % 127 + 1])).decode())
                    break
                except Refused as refusal:
                    assert refusal.reason == "RATE_LIMITED", refusal
                    time.sleep(max(0.2, refusal.retry_ms / 1000))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(4)))
    agent = lab.d.mesh(node.agent_token)
    default = agent.call("GetNodePeers", node_id=node.node_id)
    assert len(default.peers) == 1024 and default.next_page_token
    rest = agent.call("GetNodePeers", node_id=node.node_id, page_token=default.next_page_token)
    whole = agent.call("GetNodePeers", node_id=node.node_id, page_size=4096)
    assert not whole.next_page_token and len(whole.peers) == 1100
    assert [p.public_key for p in whole.peers] == \
        [p.public_key for p in list(default.peers) + list(rest.peers)]
    refused("FIELD_INVALID", agent.call, "GetNodePeers", node_id=node.node_id, page_size=4097)
    for i in range(4):
        enroll(lab.d, lab.admin, "other", f"gw-{i + 10}")
    seen, token = [], ""
    while True:
        page = lab.admin.call("ListTenantNodes", tenant="other", page_size=2, page_token=token)
        assert len(page.nodes) <= 2
        seen += [n.label for n in page.nodes]
        token = page.next_page_token
        if not token:
            break
    assert sorted(seen) == ["gw-10", "gw-11", "gw-12", "gw-13", "gw-big"], seen
    refused("PAGE_TOKEN_INVALID", lab.admin.call, "ListTenantNodes", tenant="other", page_token="x")
    refused("NOT_FOUND", lab.admin.call, "ListTenantNodes", tenant="nobody")


def main():
    lab = Lab()
    run_all((nothing_changed, joining_again, names_by_report, cut_off, removed, pages), lab)
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
