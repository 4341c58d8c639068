#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""coredns.dns.DnsService of a real node: the same answers as its port 53, our zone only, for callers
on this host and in the mesh only; what is no query; dns = off; and dns = coredns, where another
program has port 53 and asks the node by gRPC (here one of ten lines: real CoreDNS is in the
namespace tier). Runs itself in a network and a mount namespace."""
import os
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import dnsbytes as dns  # noqa: E402
import meshrpc  # noqa: E402
from meshrpc import Refused, msg  # noqa: E402
from realnode import RealNode, control_panel, enter, metrics, until  # noqa: E402

OUTSIDE = "192.0.2.9"
PATH = "/coredns.dns.DnsService/Query"
passed = failed = 0


def check(what, got, want=True):
    global passed, failed
    passed += got == want
    failed += got != want
    if got != want:
        print(f"FAIL {what}: got {got!r}, wanted {want!r}", flush=True)


def ask(door, query):
    return dns.parse(door.call("Query", msg=query).msg)


def refusal(door, query):
    try:
        door.call("Query", msg=query)
    except Refused as e:
        return e.reason
    return "OK"


def by_udp(server, query):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((server, 0))
        s.connect((server, 53))
        for _ in range(10):
            s.settimeout(6)
            s.send(query)
            try:
                return s.recv(4096)
            except TimeoutError:
                pass
    return b""


def by_tls(address, port, query):
    """Status and body of the call by Connect over TLS, from this address to itself."""
    import http.client
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, port, timeout=60, context=context,
                                             source_address=(address, 0))
    connection.request("POST", PATH, msg("coredns.dns.DnsPacket", msg=query).SerializeToString(),
                       {"content-type": "application/proto"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def names(node, mesh):
    state = mesh.call("GetState").state
    own = state.mesh_ip
    answer = ask(mesh, dns.query("nOde-One.QUAZZAR.mesh", ident=0xbeef))
    check("the node's own name", [r.data for r in answer.answer], [own])
    check("id, letters, flags", (answer.id, answer.question[0], answer.aa, answer.ra, answer.answer[0].ttl),
          (0xbeef, "nOde-One.QUAZZAR.mesh", True, False, 30))
    answer = ask(mesh, dns.query("nobody.quazzar.mesh"))
    check("no such name, with SOA", (answer.rcode, [r.type for r in answer.authority]), (dns.NXDOMAIN, [dns.SOA]))
    for foreign in ("www.example.com", "mesh", "9.9.9.9.in-addr.arpa", ""):
        answer = ask(mesh, dns.query(foreign))
        check(f"a foreign name, {foreign!r}", (answer.rcode, answer.aa, answer.ra, len(answer.answer)),
              (dns.REFUSED, False, False, 0))
    reverse = ".".join(reversed(own.split("."))) + ".in-addr.arpa"
    for name, kind, more in (("node-one.quazzar.mesh", dns.A, {}), ("node-one.quazzar.mesh", dns.AAAA, {}),
                             (reverse, dns.PTR, {}), ("quazzar.mesh", dns.SOA, {}), ("quazzar.mesh", dns.NS, {}),
                             ("node-one.quazzar.mesh", dns.TXT, {}), ("nobody.quazzar.mesh", dns.A, {}),
                             ("quazzar.mesh", dns.AXFR, {}), ("node-one.quazzar.mesh", dns.ANY, {}),
                             ("node-one.quazzar.mesh", dns.A, {"extra": (dns.opt(),)}),
                             ("node-one.quazzar.mesh", dns.A, {"extra": (dns.opt(version=1),)}),
                             ("node-one.quazzar.mesh", dns.A, {"klass": dns.CH}),
                             ("node-one.quazzar.mesh", dns.A, {"flags": 0x2800}),
                             ("node-one.quazzar.mesh", dns.A, {"counts": (1, 0, 0, 7)})):
        query = dns.query(name, kind, **more)
        here, there = bytearray(mesh.call("Query", msg=query).msg), bytearray(by_udp(own, query))
        if len(there) > 3:
            # Port 53 asks others for foreign names; this does not.
            here[3], there[3] = here[3] & 0x7f, there[3] & 0x7f
        check(f"as port 53 says: {name} {kind} {more}", here.hex(), there.hex())
    return own, state.mesh_ip6


def callers(node, mesh, own, own6):
    query = dns.query("node-one.quazzar.mesh")
    socket_door = meshrpc.Mesh("unix:" + node.dir + "/sock")
    check("by the socket", ask(socket_door, query).rcode, dns.NOERROR)
    socket_door.close()
    for address in (own, own6, "127.0.0.9"):
        check(f"by {address}", by_tls(address, node.wide_port, query)[0], 200)
    status, body = by_tls(OUTSIDE, node.wide_port, query)
    check("by an address outside the mesh", (status, b"ROLE_REQUIRED" in body or b"permission_denied" in body,
                                             own.encode() in body), (403, True, False))
    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(lambda n: ask(mesh, dns.query("node-one.quazzar.mesh", ident=n)).id == n, range(1000)))
    check("a thousand in a row", got, {True})


def not_queries(mesh):
    good = dns.query("node-one.quazzar.mesh")
    for what, bad in (("nothing", b""), ("a short head", good[:11]), ("an answer", good[:2] + b"\x81" + good[3:]),
                      ("more than DNS has", good + bytes(65536))):
        check(what, refusal(mesh, bad), "FIELD_INVALID")
    for n in range(12, len(good)):
        answer = ask(mesh, good[:n])
        check(f"cut at {n}", (answer.rcode, answer.id), (dns.FORMERR, 0x1234))
    check("full of rubbish", ask(mesh, good + bytes(60000)).rcode in (dns.NOERROR, dns.FORMERR))


class Front:
    """What CoreDNS with its plugin grpc does, as far as this test goes: UDP bytes on, answer back."""

    def __init__(self, address, node):
        self.channel = grpc.insecure_channel(f"127.0.0.1:{node.port}")
        self.query = self.channel.unary_unary(PATH, request_serializer=lambda m: m.SerializeToString(),
                                              response_deserializer=msg("coredns.dns.DnsPacket").FromString)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        self.udp.settimeout(0.2)
        self.goes_on = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.goes_on:
            try:
                data, who = self.udp.recvfrom(4096)
                self.udp.sendto(self.query(msg("coredns.dns.DnsPacket", msg=data), timeout=60).msg, who)
            except (TimeoutError, grpc.RpcError):
                pass

    def close(self):
        self.goes_on = False
        self.thread.join()
        self.udp.close()
        self.channel.close()


def main():
    code = enter(__file__)
    if code is not None:
        return code
    subprocess.run(["ip", "addr", "add", OUTSIDE + "/32", "dev", "lo"], check=True)
    cp, admin = control_panel()
    node = RealNode(cp, admin)
    node.wide_port = meshrpc.free_port()
    node.args[node.args.index("--listen") + 1] = f"[::]:{node.wide_port}"
    base = list(node.args)
    node.start().wait_ready()

    def doors():
        """By loopback, but for the state: on its own socket the node's operator sees that."""
        here, operator = meshrpc.Mesh(f"127.0.0.1:{node.port}"), meshrpc.Mesh("unix:" + node.dir + "/sock")
        by_loopback = here.call
        here.call = lambda method, **kw: (operator.call if method == "GetState" else by_loopback)(method, **kw)
        return here

    def status():
        return mesh.call("GetState").state.dns_status
    mesh = doors()
    try:
        # No name server of others is in this namespace's resolv.conf that answers: "degraded" is fine here.
        check("port 53 is served", until(lambda: status().startswith(("serving", "degraded: no up", "degraded: up"))))
        own, own6 = names(node, mesh)
        callers(node, mesh, own, own6)
        not_queries(mesh)
        now = metrics(node)
        check("counted by gRPC too", all(now["qmesh_node_dns_" + name] > 0 for name in (
            'answers_total{rcode="noerror"}', 'answers_total{rcode="nxdomain"}', 'dropped_total{cause="outside"}',
            'dropped_total{cause="no_query"}')))
        for mode in ("off", "coredns"):
            node.process.kill()
            node.process.wait()
            node.args = base + ["--dns", mode]
            node.start().wait_ready()
            mesh = doors()
            if mode == "off":
                check("dns = off", (refusal(mesh, dns.query("node-one.quazzar.mesh")), status()),
                      ("CP_UNREACHABLE", "off"))
        check("nobody on the port", until(lambda: status() == f"degraded: no CoreDNS on port 53 of {own} that asks this "
                                                              "node"))
        front = Front(own, node)
        check("somebody asks", until(lambda: status() == "coredns"))
        check("the way around", [r.data for r in dns.parse(by_udp(own, dns.query("node-one.quazzar.mesh"))).answer], [own])
        front.close()
        check("and is gone", until(lambda: status().startswith("degraded: no CoreDNS")))
        query = dns.query("node-one.quazzar.mesh")
        check("names while it is of the mesh", refusal(mesh, query), "OK")
        admin.call("RemoveNode", tenant="home", node="node-one")
        check("no names once it is removed", until(lambda: refusal(mesh, query) == "CP_UNREACHABLE"))
    finally:
        check("the node stops", node.stop(), 0)
        cp.stop()
        cp.remove()
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
