#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What one caller may cost all others of a tenant: a person who lists devices
without end, a node that asks for statuses, a node that reports about as many
devices as a report can name. Real node, real Control Panel, and nodes by their
protocol; in a network and a mount namespace."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from meshrpc import Refused, enroll, login, msg  # noqa: E402
from parts import run, run_all, summary  # noqa: E402
from realnode import RealNode, control_panel, enter, metrics, until  # noqa: E402
from test_cp import Agent  # noqa: E402

ASKED_EVERY_S = 30
SNAPSHOTS = "qmesh_fanout_snapshots_sent_total"
REPORT = "/quazzar.mesh.v1.AgentService/Report"


class Lab:
    def __init__(self):
        self.cp, self.admin = control_panel("--provision-limit", "100", "--provision-period", "1s")
        self.d = self.cp
        self.node = RealNode(self.cp, self.admin).start().wait_ready()
        self.one, self.two = (enroll(self.cp, self.admin, "home", name) for name in ("gw-one", "gw-two"))
        enroll(self.cp, self.admin, "home", "gw-away")
        self.ann = login(self.cp, "ann", "home")
        ids = {n.slug: n.id for n in self.ann.call("ListNodes").nodes}
        self.at_node, self.at_one = (
            self.ann.call("CreateDevice", label=f"at-{slug}", node_id=ids[slug]).device.id
            for slug in ("node-one", "gw-one"))

    def change(self):
        """The real node has applied one more and said so."""
        self.ann.call("UpdateDevice", id=self.at_node, label=f"now{time.monotonic_ns()}")
        goal = int(self.ann.headers["qmesh-generation"])
        assert until(lambda: metrics(self.node).get("qmesh_node_applied_generation") == goal)
        return goal

    def close(self):
        assert self.node.stop() == 0
        assert self.cp.stop() == 0
        with open(self.node.log_path, errors="replace") as f:
            assert "Sanitizer" not in f.read()
        self.cp.remove()


def refreshed_by_many(lab):
    """Each begins no fetch of its own, and each gets a list that has what was changed before."""
    mesh = login(lab.node, "ann", "home")
    path, in_, out = mesh._method("Refresh")
    stub = mesh.channel.unary_unary(path, request_serializer=lambda m: m.SerializeToString(),
                                    response_deserializer=msg(out).__class__.FromString)
    goal = lab.change()
    before = metrics(lab.cp)[SNAPSHOTS]
    calls = [stub.future(msg(in_), metadata=mesh.metadata) for _ in range(60)]
    assert all(call.result(60).generation >= goal for call in calls)
    assert metrics(lab.cp)[SNAPSHOTS] - before < 20, "a fetch for each"


def count(agent, kind):
    return sum(e.type == kind for e in agent.events)


def asked_once(lab):
    """However many look, and from wherever: nodes are asked once in half a minute, and one
    that was asked does not ask the others in turn."""
    begun = time.monotonic()
    agent = Agent(lab, lab.two)
    agent.wait(lambda: agent.heads)
    for _ in range(50):
        lab.ann.call("ListDevices")
    for _ in range(20):
        agent.say(agent.heads[-1], interest=True)
    agent.wait(lambda: count(agent, "mesh.interest"))
    # What the real node says because of it has been heard when later changes have come.
    for _ in range(3):
        goal = lab.change()
        agent.wait(lambda: agent.heads[-1].to_generation >= goal)
    most = 1 + int((time.monotonic() - begun) / ASKED_EVERY_S)
    assert count(agent, "mesh.interest") <= most, count(agent, "mesh.interest")
    # Who comes now was not there when the others were asked.
    late = Agent(lab, lab.one)
    late.wait(lambda: count(late, "mesh.interest"))
    late.stream.cancel()
    agent.stream.cancel()


def status(id_):
    return msg("PeerStatus", device_id=id_, rx_bytes=1,
               latest_handshake=msg("google.protobuf.Timestamp", seconds=int(time.time())))


def nodes_down_stand(lab):
    """An update about devices says nothing of nodes, and need not be made for all of them."""
    one, two = Agent(lab, lab.one), Agent(lab, lab.two)
    id_ = bytes.fromhex(lab.at_one.replace("-", ""))
    for agent in (one, two):
        agent.wait(lambda: agent.heads)
    two.say(two.heads[-1], interest=True)
    one.say(one.heads[-1], statuses=[status(id_)])
    seen = lambda: [e.device_status for e in two.events  # noqa: E731
                    if e.type == "mesh.device.status" and e.device_status.statuses and
                    not e.device_status.full]
    two.wait(seen)
    assert not any(s.HasField("convergence") or s.nodes_down for s in seen())
    one.stream.cancel()
    two.stream.cancel()


def heavy_reports(lab):
    """Reports that name thousands of devices are counted by what they cost."""
    agent = Agent(lab, lab.two)
    agent.wait(lambda: agent.heads)
    id_ = bytes.fromhex(lab.at_one.replace("-", ""))
    heavy = msg("ReportRequest", epoch=agent.heads[-1].epoch, statuses=[status(id_)] * 4096)
    raw = heavy.SerializeToString()
    mesh = lab.cp.mesh(lab.one.agent_token)
    stub = mesh.channel.unary_unary(REPORT)
    calls = [stub.future(raw, timeout=60, metadata=mesh.metadata) for _ in range(40)]
    ends = [c.exception() for c in calls]
    refused = [Refused(e) for e in ends if e]
    assert refused and all(r.reason == "RATE_LIMITED" and r.retry_ms for r in refused), refused[:3]
    assert len(refused) < len(calls), "one is as much as a node may say at once"
    until(lambda: said(agent))
    mesh.close()
    agent.stream.cancel()


def said(agent):
    try:
        return agent.say(agent.heads[-1])
    except Refused as refusal:
        assert refusal.reason == "RATE_LIMITED", refusal
        return None


def reports_that_do_not_decode(lab):
    """They count as all others do: a report is counted before it is looked into."""
    mesh = lab.cp.mesh(lab.two.agent_token)
    stub = mesh.channel.unary_unary(REPORT)
    reasons = set()
    for _ in range(100):
        calls = [stub.future(b"\xff" * 64, timeout=60, metadata=mesh.metadata) for _ in range(200)]
        reasons |= {Refused(c.exception()).reason for c in calls}
        if "RATE_LIMITED" in reasons:
            break
    assert "RATE_LIMITED" in reasons, reasons
    mesh.close()


def main():
    code = enter(__file__)
    if code is not None:
        return code
    lab = Lab()
    run_all((refreshed_by_many, asked_once, nodes_down_stand, heavy_reports, reports_that_do_not_decode), lab)
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
