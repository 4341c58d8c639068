#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The gRPC client for node (grpc-js, pinned), over clear text and TLS."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/../attack")

from wire import Report, Server  # noqa: E402


def main():
    at = HERE + "/grpcjs"
    if not shutil.which("npm") or not shutil.which("node"):
        print("skipped: npm and node are not installed")
        return 77
    if not os.path.exists(at + "/node_modules/.package-lock.json"):
        got = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=at, capture_output=True, text=True)
        if got.returncode != 0:
            print("skipped: npm ci cannot fetch @grpc/grpc-js: " + got.stderr.strip()[-200:].replace("\n", " "))
            return 77
    report = Report()
    with Server() as server:
        client = subprocess.run(
            ["node", at + "/client.js", HERE + "/../support/echo/echo.proto", str(server.ports["plain"]),
             str(server.ports["tls"]), server.dir.name + "/cert.pem"], capture_output=True, text=True, timeout=120)
        lines = client.stdout.splitlines()
        for line in lines:
            report.check(line[:120], line.startswith("ok "))
        report.check("every check was made", client.returncode == 0 and len(lines) == 16, client.stderr[-500:])
        status, said = server.stop()
        report.check("the server ends clean", status == 0, (status, said))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
