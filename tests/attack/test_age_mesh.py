#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Connections that end at an age, in a mesh: a node and its Control Panel under
connection_age of two seconds. The agent's stream moves from connection to
connection, calls that the node forwards are never lost, changes keep arriving.
"""
import http.client
import json
import os
import secrets
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from test_secrets import Http1, Lab, skip
from wire import Report

ROUNDS, REST_S = 7, 1
AGE = ["--connection-age", "2s", "--connection-grace", "1s"]


def metric(port, name):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    c.request("GET", "/metrics")
    lines = c.getresponse().read().decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + " "))


def ids(ann):
    """Devices that the node's WireGuard has."""
    ann.c.request("GET", "/api/mesh/peers", headers=ann.headers)
    return {peer["device_id"] for peer in json.loads(ann.c.getresponse().read())}


def patient(call):
    """What prepares the mesh is asked again when a busy machine was slower than the grace."""
    import meshrpc

    def again(mesh, method, /, **fields):
        for attempt in range(20):
            try:
                return call(mesh, method, **fields)
            except meshrpc.Refused as e:
                if attempt and e.code == "ALREADY_EXISTS":
                    return None  # it had been done
                if e.code != "UNAVAILABLE":
                    raise
                time.sleep(0.2)
        raise RuntimeError("%s: the Control Panel is not there" % method)

    return again


def run(report):
    import meshrpc
    meshrpc.Mesh.call = patient(meshrpc.Mesh.call)
    plain = meshrpc.Daemon
    port = meshrpc.free_port()
    meshrpc.Daemon = lambda args: plain(args + AGE + ["--metrics", "127.0.0.1:%d" % port])
    with Lab() as lab:
        password, user = "pw-" + secrets.token_hex(16), "ann"
        lab.admin.call("CreateUser", tenant="home", name=user, password=password, role=3)
        ann = Http1(lab, lab.doors["node"][0], False)
        ann.sign_in("", user, password)
        before = metric(port, "qmesh_connections_total")
        made, refused = [], []
        for i in range(ROUNDS):
            try:
                made.append(ann.create("device %d" % i)[2])
            except (RuntimeError, OSError) as e:
                refused.append(e)
            time.sleep(REST_S)
        report.check("every forwarded call is answered", not refused and len(made) == ROUNDS, refused[:2])
        opened = metric(port, "qmesh_connections_total") - before
        report.check("the node came again and again", opened >= 2, opened)
        end, missing = time.time() + 20, set(made)
        while missing and time.time() < end:
            missing = set(made) - ids(ann)
            time.sleep(0.2)
        report.check("every change arrived", not missing, missing)
        report.check("both stand", lab.node.poll() is None and lab.cp.process.poll() is None)


def main():
    why = skip()
    if why:
        print("skipped: " + why)
        return 77
    if os.environ.get("QMESH_IN_NETNS") != "1":
        return subprocess.run(["unshare", "-n", "-m", "--propagation", "private", sys.executable, os.path.abspath(__file__)],
                              env={**os.environ, "QMESH_IN_NETNS": "1"}, check=False).returncode
    subprocess.run("ip link set lo up && mkdir -p /var/run/wireguard && mount -t tmpfs none /var/run/wireguard",
                   shell=True, check=True)
    report = Report()
    run(report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
