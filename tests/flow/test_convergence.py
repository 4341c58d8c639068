#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Who is up to date at a real Control Panel, with nodes' streams by gRPC: the state
of each node in GetState, ListNodes, GetChange and /metrics; answers that wait and
are let go; the generation of each change.
"""
import os
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from meshrpc import BUILD, enroll, free_port, http, refused  # noqa: E402
from parts import run, run_all, summary  # noqa: E402
from test_cp import Agent, Lab, until  # noqa: E402

CURRENT, OFFLINE, JOINING, BEHIND, SILENT, DIFFERS, REFUSED = 1, 2, 3, 4, 5, 6, 7


def metrics(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
            if not line.startswith("#")}


def states(lab):
    return {n.slug: n.state for n in lab.ann.call("ListNodes").nodes}


def told(lab):
    return {x.label: x.state for x in lab.ann.call("GetState").state.laggards}


def each_state(lab, port):
    two = enroll(lab.d, lab.admin, "acme", "gw-two")
    three = enroll(lab.d, lab.admin, "acme", "gw-three")
    assert lab.ann.call("GetState").state.nodes == 3
    until(lambda: states(lab) == {"gw-one": OFFLINE, "gw-two": OFFLINE, "gw-three": OFFLINE})
    one, second, third = Agent(lab, lab.node), Agent(lab, two), Agent(lab, three, report=False)
    third.wait(lambda: third.heads)
    until(lambda: states(lab) == {"gw-one": CURRENT, "gw-two": CURRENT, "gw-three": JOINING})
    third.say(third.heads[-1])
    until(lambda: set(states(lab).values()) == {CURRENT})
    state = lab.ann.call("GetState").state
    assert state.converged and state.nodes == state.nodes_current == 3 and not state.laggards

    made = lab.bob.call("CreateDevice", label="known", type=1, node_id=lab.node.node_id)
    generation = int(lab.bob.headers["qmesh-generation"])
    until(lambda: told(lab) == {"gw-three": BEHIND})
    state = lab.ann.call("GetState").state
    assert not state.converged and state.nodes_current == 2 and state.nodes_lagging == 1
    laggard = state.laggards[0]
    assert laggard.since.seconds and "still at generation" in laggard.why, laggard
    change = {n.label: n for n in lab.bob.call("GetChange", generation=generation).nodes}
    assert change["gw-three"].state == BEHIND and not change["gw-three"].applied
    assert change["gw-one"].state == CURRENT and not change["gw-one"].why
    rows = metrics(port)
    lags = [name for name in rows if name.startswith('qmesh_node_lag_seconds{tenant="acme"')]
    assert lags == ['qmesh_node_lag_seconds{tenant="acme",node="gw-three",state="behind"}'], lags
    assert rows['qmesh_nodes_by_state{state="current"}'] == 2, rows

    from meshrpc import msg
    id_ = bytes.fromhex(made.device.id.replace("-", ""))
    third.wait(lambda: third.generation() >= generation)
    third.say(third.heads[-1], failed=[msg("FailedPeer", id=id_, errno_code=99)])
    until(lambda: told(lab) == {"gw-three": REFUSED})
    why = lab.ann.call("GetState").state.laggards[0].why
    assert why.startswith("applied, 1 failed: its interface refuses known ("), why
    assert lab.ann.call("GetState").state.converged, "what is refused is applied all the same"
    third.say(third.heads[-1])
    until(lambda: not told(lab))

    wrong = third.digest
    third.digest = lambda: bytes(32)
    third.say(third.heads[-1])
    until(lambda: told(lab) == {"gw-three": DIFFERS})
    third.digest = wrong
    third.say(third.heads[-1])
    until(lambda: not told(lab))
    second.stream.cancel()
    until(lambda: told(lab) == {"gw-two": OFFLINE})
    laggard = lab.ann.call("GetState").state.laggards[0]
    assert laggard.since.seconds and laggard.why == "not connected to the Control Panel"
    assert lab.ann.call("GetState").state.converged, "who is away holds nobody up"
    status, _, body = http(lab.d, "GET", "/api/mesh/state",
                           headers={"authorization": lab.ann.metadata[0][1]})
    assert status == 200 and body["laggards"][0]["state"] == "NODE_STATE_OFFLINE", body
    for agent in (one, third):
        agent.stream.cancel()
    until(lambda: set(states(lab).values()) == {OFFLINE})


def interfaces(lab, port):
    """What an interface has is compared with what the list makes of it."""
    agent = Agent(lab, lab.node, report=False)
    agent.wait(lambda: agent.heads)
    head = agent.heads[-1]
    peers = agent.mesh.call("GetNodePeers", node_id=lab.node.node_id)
    assert peers.generation == head.to_generation
    right, wrong = bytes.fromhex(peers.digest), bytes(32)

    def becomes(state, digest):
        """Said again and again, as heartbeats do."""
        until(lambda: agent.say(head, device_digest=digest) and states(lab)["gw-one"] == state)

    def inspected():
        return metrics(port)["qmesh_interfaces_inspected_total"]
    before = inspected()
    until(lambda: agent.say(head, device_digest=right) and inspected() > before)
    assert states(lab)["gw-one"] == CURRENT and inspected() == before + 1, "once is enough"
    becomes(DIFFERS, wrong)
    laggard = [x for x in lab.ann.call("GetState").state.laggards if x.label == "gw-one"][0]
    assert "its interface has other peers than generation" in laggard.why, laggard
    assert metrics(port)["qmesh_interface_mismatches_total"] > 0
    assert not any(e.type == "mesh.refresh" for e in agent.events), "its list is right"
    becomes(CURRENT, right)
    # A peer that is refused is known and another matter.
    from meshrpc import msg
    agent.say(head, device_digest=wrong, failed=[msg("FailedPeer", errno_code=99)])
    until(lambda: states(lab)["gw-one"] == REFUSED)
    becomes(CURRENT, right)
    agent.stream.cancel()
    until(lambda: states(lab)["gw-one"] == OFFLINE)


def generations(lab, _port):
    """Each change tells its generation, those of operators and Enroll too."""
    node = enroll(lab.d, lab.admin, "acme", "gw-brief")
    agent = Agent(lab, lab.node)
    agent.wait(lambda: agent.heads)

    def told_of(mesh, method, **fields):
        mesh.call(method, **fields)
        generation = int(mesh.headers["qmesh-generation"])
        agent.wait(lambda: agent.generation() >= generation)
        assert "/" in mesh.headers["qmesh-converged"]
        return generation

    made = [told_of(lab.bob, "CreateDevice", label="told", type=1, node_id=lab.node.node_id)]
    device = lab.bob.call("ListDevices").devices[-1].id
    made.append(told_of(lab.bob, "UpdateDevice", id=device, label="told anew"))
    made.append(told_of(lab.bob, "RotateDeviceKey", id=device, immediate=True))
    made.append(told_of(lab.admin, "UpdateUser", tenant="acme", user="bob", disabled=True))
    made.append(told_of(lab.admin, "UpdateUser", tenant="acme", user="bob", disabled=False))
    made.append(told_of(lab.admin, "UpdateTenant", tenant="acme", plan="PLAN_TEAM"))
    made.append(told_of(lab.admin, "RemoveNode", tenant="acme", node=node.node_id))
    made.append(told_of(lab.ann, "DeleteDevice", id=device, wait_ms=5000))
    assert made == sorted(set(made)), made
    refused("NOT_FOUND", lab.ann.call, "GetChange", generation=made[-1] + 1000)
    agent.stream.cancel()


def let_go(lab, _port):
    """An answer does not wait for a home that went away: it leaves before its time."""
    device = lab.ann.call("CreateDevice", label="waiting", type=1,
                          node_id=lab.node.node_id).device.id
    for wait_ms in (0, 5000):
        for attempt in range(4):
            agent = Agent(lab, lab.node, report=False)
            agent.wait(lambda: agent.heads)  # noqa: B023
            until(lambda: states(lab)["gw-one"] != OFFLINE)
            waiting = threading.Thread(target=lambda: (time.sleep(0.5), agent.stream.cancel()))
            waiting.start()
            began = time.monotonic()
            lab.ann.call("UpdateDevice", id=device, label=f"waiting {wait_ms} {attempt}", wait_ms=wait_ms)
            took, headers = time.monotonic() - began, lab.ann.headers
            waiting.join()
            until(lambda: states(lab)["gw-one"] == OFFLINE)
            assert headers["qmesh-applied"] == "false", headers
            # On a busy machine one of them may be late; none would be early.
            if took < 4.5:
                break
        else:
            raise AssertionError(f"wait_ms={wait_ms}: waited to the end")


def times(lab, port):
    """How long it took is counted once for each change, when the last live node has it."""
    agent = Agent(lab, lab.node)
    agent.wait(lambda: agent.heads)
    until(lambda: states(lab)["gw-one"] == CURRENT)
    before = metrics(port)["qmesh_propagation_seconds_count"]
    for i in range(3):
        lab.ann.call("CreateDevice", label=f"timed {i}", type=1, node_id=lab.node.node_id, wait_ms=5000)
        assert lab.ann.headers["qmesh-converged"].startswith("1/1;ms=")
    rows = metrics(port)
    assert rows["qmesh_propagation_seconds_count"] == before + 3, rows
    assert rows['qmesh_propagation_seconds_bucket{le="+Inf"}'] == before + 3
    agent.stream.cancel()


def main():
    port = free_port()
    if not os.path.exists(os.path.join(BUILD, "bin", "qmesh-cpd")):
        print(f"no {BUILD}/bin/qmesh-cpd: build first")
        return 77
    lab = Lab(extra=["--provision-limit", "100", "--apply-wait", "5s", "--metrics", f"127.0.0.1:{port}"])
    run_all((each_state, interfaces, generations, let_go, times), lab, port)
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
