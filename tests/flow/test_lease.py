#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The lease of device peers at a real node: set per tenant, shown, and over when
the Control Panel is away for too long: device peers go, node peers stay, also
over restarts; served again as soon as the Control Panel answers."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import BUILD, Refused, enroll, login  # noqa: E402
from parts import run, run_all, summary  # noqa: E402
from realnode import RealNode, control_panel, enter, metrics, until  # noqa: E402

DAY_S = 86400


def qmesh(target, *args, code=0):
    done = subprocess.run([os.path.join(BUILD, "bin", "qmesh"), "--server", target, *args],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, f"{args}: {done.returncode}: {done.stderr}"
    return done.stdout + done.stderr


class Lab:
    def __init__(self):
        self.cp, self.admin = control_panel()
        self.operator = "unix:" + os.path.join(self.cp.dir, "admin.sock")
        self.node = RealNode(self.cp, self.admin).start().wait_ready()
        enroll(self.cp, self.admin, "home", "gw-other")
        self.ann = login(self.cp, "ann", "home")
        node_id = self.ann.call("ListNodes").nodes[0].id
        self.ann.call("CreateDevice", label="phone", node_id=node_id)
        assert until(lambda: self.value("peers") == 2), metrics(self.node)

    def value(self, name):
        """Of the node's figures; -1 while it does not tell."""
        try:
            return metrics(self.node).get("qmesh_node_" + name, -1)
        except OSError:
            return -1

    def end_node(self, how=signal.SIGTERM):
        """The interface stays as it was."""
        self.node.process.send_signal(how)
        self.node.process.wait(60)

    def write_lease(self, left_ms):
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
            boot = f.read().strip()
        with open(self.node.dir + "/state/lease", "w", encoding="ascii") as f:
            f.write("qmesh-lease/1 %d %d %d %s\n" % (
                left_ms, time.time() * 1000, time.clock_gettime(time.CLOCK_BOOTTIME) * 1000, boot))

    def saved_lease(self):
        with open(self.node.dir + "/state/lease", encoding="ascii") as f:
            return f.read()

    def close(self):
        assert self.node.stop() == 0
        assert self.cp.stop() == 0
        with open(self.node.log_path, errors="replace") as f:
            assert "Sanitizer" not in f.read()
        self.cp.remove()


def setting(lab):
    assert until(lambda: lab.value("lease_seconds") == 7 * DAY_S)
    at_node = login(lab.node, "ann", "home").call("GetState").state
    assert at_node.lease_s == 7 * DAY_S and 0 < at_node.lease_left_s <= 7 * DAY_S
    assert "168 hours" in qmesh(lab.operator, "admin", "tenant", "set-lease", "home", "7d")
    before = lab.admin.call("ListTenants").tenants[0]
    assert before.lease_s == 7 * DAY_S
    assert "12 hours" in qmesh(lab.operator, "admin", "tenant", "set-lease", "home", "12h")
    after = lab.admin.call("ListTenants").tenants[0]
    assert after.lease_s == 12 * 3600 and after.generation == before.generation + 1
    assert lab.ann.call("GetState").state.lease_s == 12 * 3600
    assert until(lambda: lab.value("lease_seconds") == 12 * 3600)
    assert 0 < lab.value("lease_left_seconds") <= 12 * 3600
    # The same again is no news.
    qmesh(lab.operator, "admin", "tenant", "set-lease", "home", "12h")
    assert lab.admin.call("ListTenants").tenants[0].generation == after.generation
    for bad in ("59m", "91d", "1", "soon"):
        qmesh(lab.operator, "admin", "tenant", "set-lease", "home", bad, code=2)
    for bad in (1, 3599, 7776001):
        try:
            lab.admin.call("UpdateTenant", tenant="home", lease_s=bad)
            raise AssertionError(f"{bad} was taken")
        except Refused as refusal:
            assert refusal.reason == "FIELD_INVALID" and "lease_s" in refusal.fields, refusal
    qmesh(lab.operator, "admin", "tenant", "set-lease", "home", "off")
    assert until(lambda: lab.value("lease_seconds") == 0)
    assert lab.value("lease_over") == 0
    qmesh(lab.operator, "admin", "tenant", "set-lease", "home", "12h")
    assert until(lambda: lab.value("lease_seconds") == 12 * 3600)


def runs_out(lab):
    """The Control Panel is away, and what was left runs out under a node that runs."""
    assert until(lambda: lab.value("generation") == lab.value("applied_generation"))
    lab.end_node()
    assert lab.cp.stop() == 0
    lab.write_lease(6000)
    lab.node.start()
    assert until(lambda: lab.value("peers") == 2), "within its lease it serves devices"
    assert until(lambda: lab.value("lease_over") == 1)
    assert until(lambda: lab.value("peers") == 1), "the device is served for ever"
    assert lab.value("lease_left_seconds") == 0


def stays_over(lab):
    """Started past its end, it serves no device for a moment either."""
    lab.end_node(signal.SIGKILL)
    lab.node.start()
    assert until(lambda: lab.value("up") == 1)
    assert lab.value("peers") == 1 and lab.value("lease_over") == 1
    # The file is written behind the interface.
    assert until(lambda: lab.saved_lease().startswith("qmesh-lease/1 0 ")), lab.saved_lease()


def comes_back(lab):
    lab.cp.start()
    assert until(lambda: lab.value("lease_over") == 0), "the Control Panel answers"
    assert until(lambda: lab.value("peers") == 2)
    assert lab.value("lease_left_seconds") > 11 * 3600


def main():
    code = enter(__file__)
    if code is not None:
        return code
    lab = Lab()
    run_all((setting, runs_out, stays_over, comes_back), lab)
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
