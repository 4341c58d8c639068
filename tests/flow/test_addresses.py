#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Addresses as they are seen: one host number in both families, the same in the answer, the
config, the lists, what nodes hear, a node's peers and the mesh's names; wishes kept or refused
with a reason; a freed address rests. Runs itself in a network and a mount namespace."""
import base64
import ipaddress
import os
import random
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from meshrpc import PASSWORD, http, login, msg, refused, x25519  # noqa: E402
from parts import run, run_all, summary  # noqa: E402
from realnode import RealNode, control_panel, enter, until  # noqa: E402


class Lab:
    def __init__(self):
        self.cp, self.admin = control_panel("--provision-limit", "100", "--provision-period", "1s")
        self.node = RealNode(self.cp, self.admin).start().wait_ready()
        self.ann = login(self.cp, "ann", "home")
        tenant = self.admin.call("ListTenants").tenants[0]
        self.range4 = ipaddress.ip_network(tenant.range)
        self.range6 = ipaddress.ip_network(tenant.range6)
        self.home = self.ann.call("ListNodes").nodes[0].id
        self.n = 0

    def create(self, **kw):
        self.n += 1
        return self.ann.call("CreateDevice", label=f"device {self.n}", node_id=self.home, **kw)

    def host(self, number):
        return str(self.range4[number])

    def close(self):
        assert self.node.stop() == 0
        assert self.cp.stop() == 0, self.cp.log()[-2000:]
        self.cp.remove()


def sixth_of(lab, mesh_ip):
    number = int(ipaddress.ip_address(mesh_ip)) - int(lab.range4[0])
    return str(lab.range6[0] + number)


def fields_of(config):
    found = {}
    for line in config.splitlines():
        if " = " in line:
            key, value = line.split(" = ", 1)
            found[key] = value
    return found


def members_heard(lab):
    """label -> Member, of the first list a node is sent."""
    identity = os.urandom(32)
    door = lab.cp.mesh()
    token = lab.admin.call("CreateJoinToken", tenant="home").join_token
    agent = door.call("Enroll", join_token=token, name=f"ear {lab.n}", wg_public_key=x25519(),
                      identity_key=identity, endpoint="198.51.100.9:51820")
    stream, found = lab.cp.mesh(agent.agent_token).stream("Subscribe", timeout=20), {}
    for response in stream:
        if response.event.type != "mesh.peers.updated":
            continue
        head, list_ = msg("PeersHead"), msg("PeerList")
        head.ParseFromString(response.event.peers_updated.head)
        list_.ParseFromString(response.event.peers_updated.list)
        for raw in list_.upserts:
            member = msg("Member")
            member.ParseFromString(raw)
            found[member.label] = member
        if head.last:
            break
    stream.cancel()
    return found


def name_asked(server, name, kind):
    """Addresses of a name by the mesh's own name server."""
    id_ = random.randrange(65536)
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    query = struct.pack(">6H", id_, 0x100, 1, 0, 0, 0) + question + struct.pack(">2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.bind((server, 0))
        s.sendto(query, (server, 53))
        answer = s.recv(4096)
    assert struct.unpack(">H", answer[:2])[0] == id_
    found, at = [], len(query)
    for _ in range(struct.unpack(">H", answer[6:8])[0]):
        at += 2 if answer[at] & 0xc0 == 0xc0 else answer.index(b"\0", at) - at + 1
        type_, _, _, length = struct.unpack(">2HIH", answer[at:at + 10])
        if type_ == kind:
            found.append(str(ipaddress.ip_address(answer[at + 10:at + 10 + length])))
        at += 10 + length
    return found


def one_number_everywhere(lab):
    made = lab.create()
    device, ip4 = made.device, made.device.mesh_ip
    ip6 = sixth_of(lab, ip4)
    assert device.mesh_ip6 == ip6, (device.mesh_ip6, ip6)
    assert ip6.startswith("fd"), ip6
    config = fields_of(made.config)
    assert config["Address"].replace(" ", "").split(",") == [f"{ip4}/32", f"{ip6}/128"], config["Address"]
    assert set(config["AllowedIPs"].replace(" ", "").split(",")) == {str(lab.range4), str(lab.range6)}, config
    assert next(d for d in lab.ann.call("ListDevices").devices if d.id == device.id).mesh_ip6 == ip6
    assert lab.ann.call("GetDevice", id=device.id).device.mesh_ip6 == ip6
    status, _, listed = http(lab.cp, "GET", "/api/mesh/devices", headers=dict(lab.ann.metadata))
    assert status == 200 and [d["mesh_ip6"] for d in listed if d["id"] == device.id] == [ip6]
    for node in lab.ann.call("ListNodes").nodes:
        assert node.mesh_ip6 == sixth_of(lab, node.mesh_ip), node
    member = members_heard(lab)[device.label]
    words = str(member)
    assert ipaddress.ip_address(ip6).packed in member.SerializeToString(), words
    assert ipaddress.ip_address(ip4).packed in member.SerializeToString() or str(int(
        ipaddress.ip_address(ip4))) in words, words
    # At the node: the list, the interface and the names.
    at_node = lab.node.mesh()
    token = at_node.call("Login", user="ann", password=PASSWORD).token
    person = lab.node.mesh(token)
    assert until(lambda: any(d.id == device.id for d in person.call("ListDevices").devices))
    assert next(d for d in person.call("ListDevices").devices if d.id == device.id).mesh_ip6 == ip6
    key = device.public_key
    assert until(lambda: any(p.public_key == key for p in person.call("ListPeers").peers))
    peer = next(p for p in person.call("ListPeers").peers if p.public_key == key)
    assert set(peer.allowed_ips) == {f"{ip4}/32", f"{ip6}/128"}, peer.allowed_ips
    server = person.call("GetState").state.mesh_ip
    assert name_asked(server, device.dns_name, 1) == [ip4]
    assert name_asked(server, device.dns_name, 28) == [ip6]
    assert base64.b64decode(key)


def wishes(lab):
    """Free ones of the devices' part are kept; the reason is told for all others."""
    first = lab.create(wished_ip=lab.host(5000)).device
    assert first.mesh_ip == lab.host(5000) and first.mesh_ip6 == sixth_of(lab, first.mesh_ip)
    last = lab.create(wished_ip=lab.host(65534)).device
    assert last.mesh_ip == lab.host(65534)
    def cause(number):
        refusal = refused("ADDRESS_IN_USE", lab.create, wished_ip=lab.host(number))
        return refusal.meta, refusal.words
    for number in (5000, 65534):
        assert cause(number) == ({"cause": "in_use"}, "This address is in use. Take another one, or none: one is "
                                 "picked then."), cause(number)
    # Whether there is a node behind it is not said: all of them are for nodes, or nobody.
    for number in (65535, 1, 2, 4094, 4095):
        assert cause(number) == ({"cause": "reserved"}, "This address is reserved: devices have those from "
                                 f"{lab.host(4096)} to {lab.host(65534)}."), cause(number)
    for ip in (lab.host(0), "192.0.2.1", str(lab.range4[0] - 1), str(lab.range4[65535] + 1)):
        refusal = refused("FIELD_INVALID", lab.create, wished_ip=ip)
        assert "wished_ip" in refusal.fields, refusal.fields
    refused("FIELD_INVALID", lab.create, wished_ip="10.64.0.300")
    # It rests from the deletion on, and counts as resting, not as another's.
    lab.ann.call("DeleteDevice", id=first.id)
    meta, words = cause(5000)
    assert meta == {"cause": "resting"} and words.startswith("This address rests: it is free again 24 h"), words
    # To the next person it says as much and no more: not whose it was, nor since when.
    assert first.label not in words and first.id not in words, words
    # Nobody gets it by chance either.
    assert all(lab.create().device.mesh_ip != lab.host(5000) for _ in range(20))


def main():
    code = enter(__file__)
    if code is not None:
        return code
    lab = Lab()
    run_all((one_number_everywhere, wishes), lab)
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
