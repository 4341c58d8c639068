#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both daemons by grpc-js, from the protos as they are: sign in, devices, errors with details, the
stream of changes, cancel, deadline."""
import os
import sys

import interop
import meshlab
from test_interop_grpcjs import install


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
        return lab.end(report)


if __name__ == "__main__":
    sys.exit(main())
