#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both daemons by grpc-js, from the protos as they are: sign in, devices, errors with details, the
stream of changes, cancel, deadline; and the node's names as CoreDNS asks for them."""
import os
import sys
import time

import interop
import meshlab
from test_interop_grpcjs import install


NAMES = ("own_name", "no_such_name", "foreign_name", "no_query")


def judge_names(report, lab):
    operator = lab.meshrpc.Mesh("unix:" + lab.dir + "/node.sock")
    # The names follow the list.
    end = time.monotonic() + 60
    while time.monotonic() < end and not operator.call("GetState").state.mesh_ip:
        time.sleep(0.05)
    while time.monotonic() < end:
        try:
            operator.call("Query", msg=bytes(4) + b"\0\1" + bytes(6) + b"\0\0\1\0\1")
            break
        except lab.meshrpc.Refused:
            time.sleep(0.05)
    address = operator.call("GetState").state.mesh_ip
    operator.close()
    for kind, target, cert in lab.doors:
        if kind.startswith("node"):
            interop.judge(report, kind + ", names", ["node", os.path.join(interop.HERE, "grpcjs/names.js"),
                                                     os.path.join(interop.ROOT, "proto"), target, cert,
                                                     "node-one.quazzar.mesh", address], NAMES)


def main():
    why = meshlab.missing() or install()
    if why:
        print("skipped: " + why)
        return 77
    meshlab.into_namespace()
    report = interop.Report()
    with meshlab.Lab() as lab:
        meshlab.judge_doors(report, lab, ["node", os.path.join(interop.HERE, "grpcjs/mesh.js"),
                                          os.path.join(interop.ROOT, "proto")], "js")
        judge_names(report, lab)
        return lab.end(report)


if __name__ == "__main__":
    sys.exit(main())
