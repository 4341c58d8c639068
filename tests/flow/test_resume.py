#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Where an agent stream goes on: from the node's own generation when its head
proves it, by as few events as can be; from nothing when it proves nothing;
from a new epoch when it proves that the store is another one. And what a node
costs that does not read, lies, or begins streams without end."""
import glob
import os
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import Refused, enroll, free_port, login, msg  # noqa: E402
from parts import run, summary  # noqa: E402
from rawh2 import DATA, END_STREAM, GOAWAY, RST, SETTINGS, frame, headers, message  # noqa: E402
from test_cp import OPEN_LIMIT, Agent, Lab  # noqa: E402

WINDOW_UPDATE = 8


def metric(port, name):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20).read().decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines() if not line.startswith("#")}[name]


def until(what, seconds=40):
    end = time.time() + seconds
    while not what():
        assert time.time() < end, "it did not come about"
        time.sleep(0.05)


def hello_of(agent, **other):
    head, shown = agent.heads[-1], agent.last
    return dict({"epoch": head.epoch, "generation": head.to_generation, "head": shown.head,
                 "head_signature": shown.signature, "kid": shown.kid}, **other)


class Follower(Agent):
    """An agent that begins with what another one had."""

    def __init__(self, lab, node, earlier=None, **other):
        super().__init__(lab, node, report=other.pop("report", True),
                         hello=hello_of(earlier, **other) if earlier else None)
        if earlier and other.get("generation", 1):
            self.members = dict(earlier.members)

    def whole(self):
        return self.heads and bytes(self.heads[-1].list_digest) == self.digest()

    def begun(self):
        """What a stream begins with has come; a list may follow."""
        self.wait(lambda: [e.type for e in self.events[:2]] == ["mesh.keys", "mesh.revocations"])


def generation_of(caller):
    return int(caller.headers["qmesh-generation"])


def change(lab, label):
    lab.ann.call("UpdateDevice", id=lab.device, label=label)
    return generation_of(lab.ann)


def resume(lab):
    first = Follower(lab, lab.node)
    first.wait(first.whole)
    assert first.heads[0].snapshot
    # The newest list: nothing comes, and the next change builds on it.
    second = Follower(lab, lab.node, first)
    second.begun()
    goal = change(lab, "second")
    second.wait(lambda: second.generation() >= goal)
    assert not second.heads[0].snapshot, "a list that was there already came again"
    assert second.heads[0].from_generation == first.generation()
    assert second.whole()
    # An older one: the events since, in order.
    goal = change(lab, "third")
    second.wait(lambda: second.generation() >= goal)
    third = Follower(lab, lab.node, first)
    third.wait(lambda: third.generation() >= goal)
    assert not any(h.snapshot for h in third.heads) and third.whole()
    # All of it is asked for, the head is only shown.
    fourth = Follower(lab, lab.node, third, generation=0)
    fourth.wait(fourth.whole)
    assert fourth.heads[0].snapshot and fourth.heads[0].epoch == first.heads[0].epoch
    # Nobody listens meanwhile, and a restart: one event leads from there to now.
    fourth.stream.cancel()
    for i in range(5):
        goal = change(lab, f"alone{i}")
    assert lab.d.stop() == 0
    lab.d.start()
    lab.ann = login(lab.d, "ann", "acme")
    fifth = Follower(lab, lab.node, first)
    fifth.wait(lambda: fifth.generation() >= goal)
    assert len(fifth.heads) == 1 and not fifth.heads[0].snapshot and fifth.whole()
    assert fifth.heads[0].from_generation == first.generation()
    fifth.stream.cancel()


def forgotten(lab):
    """The store remembers so many generations; what was removed before them it cannot tell."""
    gone = lab.ann.call("CreateDevice", label="goes", node_id=lab.node.node_id).device.id
    first = Follower(lab, lab.node)
    first.wait(first.whole)
    first.stream.cancel()
    lab.ann.call("DeleteDevice", id=gone)
    for i in range(3):
        goal = change(lab, f"forgotten{i}")
    assert lab.d.stop() == 0
    with sqlite3.connect(glob.glob(lab.d.dir + "/state/*.db")[0]) as store:
        for table in ("generations", "removed"):
            store.execute(f"DELETE FROM {table} WHERE generation < ?", (goal,))
    store.close()
    lab.d.start()
    lab.ann = login(lab.d, "ann", "acme")
    second = Follower(lab, lab.node, first)
    second.wait(lambda: second.generation() >= goal)
    assert second.heads[0].snapshot and second.whole(), "an event without what was removed"
    second.stream.cancel()


def unproven(lab):
    first = Follower(lab, lab.node)
    first.wait(first.whole)
    epoch = first.heads[0].epoch
    other = Follower(lab, lab.other_node)
    other.wait(other.whole)
    for what in ({"head_signature": bytes(64)}, {"kid": "nobody"}, {"head": b"\x00" * 60},
                 hello_of(other)):
        agent = Follower(lab, lab.node, first, **what)
        agent.wait(agent.whole)
        assert agent.heads[0].snapshot and agent.heads[0].epoch == epoch, what
    other.stream.cancel()
    # Told once a minute, and at the end.
    assert lab.d.stop() == 0
    lab.d.start()
    lab.ann = login(lab.d, "ann", "acme")
    rows = [e for e in lab.ann.call("ListAudit").entries if e.action == "node.head"]
    assert len(rows) == 1 and "(4)" in rows[0].object, rows


def fork(lab):
    """The store goes back, then beyond: the same generation is not the same list."""
    first = Follower(lab, lab.node)
    first.wait(first.whole)
    assert lab.d.stop() == 0
    state, copy = os.path.join(lab.d.dir, "state"), os.path.join(lab.d.dir, "copy")
    subprocess.run(["cp", "-a", state, copy], check=True)
    lab.d.start()
    lab.ann = login(lab.d, "ann", "acme")
    ahead = Follower(lab, lab.node, first)
    ahead.begun()
    goal = change(lab, "lost")
    ahead.wait(lambda: ahead.generation() >= goal)
    assert lab.d.stop() == 0
    subprocess.run(["rm", "-r", state], check=True)
    os.rename(copy, state)
    lab.d.start()
    lab.ann = login(lab.d, "ann", "acme")
    for i in range(3):
        beyond = change(lab, f"other{i}")
    assert beyond > goal
    bystander = Follower(lab, enroll(lab.d, lab.admin, "acme", "gw-by"))
    bystander.wait(bystander.whole)
    proved = Follower(lab, lab.node, ahead)
    proved.wait(proved.whole)
    head = proved.heads[0]
    assert head.snapshot and head.epoch > ahead.heads[-1].epoch
    # The others hear of it on the streams that they have.
    bystander.wait(lambda: bystander.heads[-1].epoch == head.epoch and bystander.whole())
    assert not bystander.end
    bystander.stream.cancel()
    proved.stream.cancel()


class Deaf:
    """A node that opens its stream with 64 KiB of window and gives no more of it for now."""

    def __init__(self, lab, node):
        self.sock = socket.create_connection(("127.0.0.1", lab.d.port), 20)
        head = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"),
                (":path", "/quazzar.mesh.v1.AgentService/Subscribe"), ("te", "trailers"),
                ("content-type", "application/grpc"), ("authorization", "Bearer " + node.agent_token)]
        self.sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0) +
                          headers(1, head) + frame(DATA, END_STREAM, 1, message(b"")))
        self.bytes = b""

    def read(self, n):
        got = b""
        while len(got) < n:
            more = self.sock.recv(n - len(got))
            assert more, "the stream was cut"
            got += more
        return got

    def heads(self):
        """Reads on, however much it is."""
        for stream in (0, 1):
            self.sock.sendall(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1 << 30)))
        while True:
            length, kind, _, _ = struct.unpack(">IBBI", b"\0" + self.read(9))
            payload = self.read(length)
            assert kind not in (RST, GOAWAY), payload
            self.bytes += payload if kind == DATA else b""
            while len(self.bytes) >= 5:
                end = 5 + struct.unpack(">I", self.bytes[1:5])[0]
                if len(self.bytes) < end:
                    break
                response = msg("SubscribeResponse")
                response.ParseFromString(self.bytes[5:end])
                self.bytes = self.bytes[end:]
                if response.event.type == "mesh.peers.updated":
                    head = msg("PeersHead")
                    head.ParseFromString(response.event.peers_updated.head)
                    yield head


def deaf(lab, port):
    # The device's home is away, so that no change waits for it.
    neighbour = Follower(lab, enroll(lab.d, lab.admin, "acme", "gw-near"), report=False)
    neighbour.wait(neighbour.whole)
    idle = Deaf(lab, enroll(lab.d, lab.admin, "acme", "gw-deaf"))
    until(lambda: metric(port, "qmesh_agent_streams") == 2)
    i = 0
    while not metric(port, 'qmesh_resyncs_total{cause="queue"}'):
        assert i < 2000, "its queue has no end"
        for _ in range(100):
            i += 1
            goal = change(lab, "x" * 50 + str(i))
    neighbour.wait(lambda: neighbour.generation() >= goal and neighbour.whole())
    assert metric(port, "qmesh_agent_streams_behind") == 1
    until(lambda: 1 <= metric(port, "qmesh_agent_queue_longest") <= 140)
    for _ in range(300):
        i += 1
        goal = change(lab, "x" * 50 + str(i))
    # Now it reads: what it missed comes in one.
    heads = []
    for head in idle.heads():
        heads.append(head)
        if head.to_generation >= goal:
            break
    assert len(heads) < i, (len(heads), i)
    for before, after in zip(heads, heads[1:]):
        assert after.snapshot or after.from_generation <= before.to_generation
    until(lambda: metric(port, "qmesh_agent_streams_behind") == 0)
    idle.sock.close()
    neighbour.stream.cancel()


def liar(lab, port):
    node = enroll(lab.d, lab.admin, "acme", "gw-liar")
    mesh = lab.d.mesh(node.agent_token)
    agent = Follower(lab, node)
    agent.wait(agent.whole)
    head = agent.heads[-1]
    bad = metric(port, "qmesh_digest_mismatches_total")
    for _ in range(20):
        mesh.call("Report", epoch=head.epoch, applied_generation=head.to_generation,
                  list_digest=bytes(32), backend="kernel")
        mesh.call("Report", epoch=head.epoch, applied_generation=head.to_generation + 1000,
                  list_digest=agent.digest(), backend="kernel")
    assert metric(port, "qmesh_digest_mismatches_total") == bad + 40
    agent.wait(lambda: any(e.type == "mesh.refresh" for e in agent.events))
    assert sum(e.type == "mesh.refresh" for e in agent.events) == 1, "one resync, no more"
    goal = change(lab, "after-lies")
    lab.ann.call("GetChange", generation=goal)
    # What it invented does not count as applied.
    progress = [n for n in lab.ann.call("GetChange", generation=goal).nodes
                if n.node_id == node.node_id]
    assert progress[0].applied_generation <= goal
    # Streams without end: later, with a hint.
    def begin():
        stream = mesh.stream("Subscribe")
        try:
            next(iter(stream))
        finally:
            stream.cancel()
    import grpc
    for _ in range(200):
        try:
            begin()
        except grpc.RpcError as error:
            assert Refused(error).reason == "DRAINING", error
            break
        except Refused as refusal:
            assert refusal.reason == "DRAINING", refusal
            break
    else:
        raise AssertionError("no end to streams")
    assert metric(port, "qmesh_hellos_later_total") >= 1
    agent.stream.cancel()


def main():
    port = free_port()
    lab = Lab(extra=OPEN_LIMIT + ["--metrics", f"127.0.0.1:{port}"])
    lab.device = lab.ann.call("CreateDevice", label="first", node_id=lab.node.node_id).device.id
    for fn, more in ((resume, ()), (forgotten, ()), (unproven, ()), (fork, ()), (deaf, (port,)), (liar, (port,))):
        if not sys.argv[1:] or fn.__name__ in sys.argv[1:]:
            run(fn.__name__, fn, lab, *more)
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
