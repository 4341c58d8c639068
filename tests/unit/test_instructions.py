#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No call costs more instructions of ours than tests/bench/instructions.txt allows. Needs an optimised
build, so it runs where a bench has made one (build/bench), or with --long, which makes it."""
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("QMESH_BENCH_BUILD", ROOT + "/build/bench")


def main():
    for program, package in (("valgrind", "valgrind"), ("h2load", "nghttp2-client")):
        if not shutil.which(program):
            print("skipped: %s is not installed" % package)
            return 77
    if not os.path.exists(BUILD + "/build.ninja"):
        if not os.environ.get("QMESH_LONG"):
            print("skipped: no optimised build; scripts/bench makes one")
            return 77
        subprocess.run(["cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
                       check=True, stdout=subprocess.DEVNULL)
    sys.path.insert(0, ROOT + "/tests/bench")
    import instructions
    instructions.build("echo_server")
    counts = instructions.count()
    worse = list(instructions.judge(counts))
    for line in worse:
        print("FAIL " + line)
    print("passed %d failed %d skipped 0" % (len(counts) - len(worse), len(worse)))
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
