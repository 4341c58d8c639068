#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both daemons by stubs of gRPC C++: sign in, devices, errors with details, the stream of changes,
cancel, deadline."""
import sys

import interop
import meshlab


def main():
    why = meshlab.missing()
    if not why:
        program, why = interop.cpp_judge("mesh-cpp")
    if why:
        print("skipped: " + why)
        return 77
    meshlab.into_namespace()
    report = interop.Report()
    with meshlab.Lab() as lab:
        meshlab.judge_doors(report, lab, [program], "cpp")
        return lab.end(report)


if __name__ == "__main__":
    sys.exit(main())
