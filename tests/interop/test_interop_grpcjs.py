#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cases of gRPC's interop test description by grpc-js (npm, pinned), in clear text, TLS and on a
Unix socket."""
import os
import shutil
import subprocess
import sys

import interop


def install():
    """Why there is no grpc-js; None: there is."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "npm and node are not installed"
    done = subprocess.run(["bash", "-c", ". tests/tools/npm-tools.sh; npm_tools tests/interop/grpcjs"],
                          cwd=interop.ROOT, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else "npm ci cannot fetch grpc-js: " + done.stderr[-200:].replace("\n", " ")


def main():
    why = interop.missing() or install()
    if why:
        print("skipped: " + why)
        return 77
    report = interop.Report()
    with interop.Servers() as servers:
        cert = servers.dir.name + "/cert.pem"
        for kind, target, trust in (("plain", "localhost:%d" % servers.ports["plain"], "-"),
                                    ("tls", "localhost:%d" % servers.ports["tls"], cert),
                                    ("unix", "unix:%s/sock" % servers.dir.name, "-")):
            interop.judge(report, kind, ["node", os.path.join(interop.HERE, "grpcjs/interop.js"), target, trust,
                                         "1" if interop.long() else "0"], interop.CASES)
        return servers.end(report)


if __name__ == "__main__":
    sys.exit(main())
