#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The gRPC client for node (grpc-js, pinned), over clear text and TLS."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/../attack")

from test_connect import install  # noqa: E402
from wire import Report, Server  # noqa: E402


def main():
    at = HERE + "/grpcjs"
    why = install(at)
    if why:
        print("skipped: " + why)
        return 77
    report = Report()
    with Server() as server:
        client = subprocess.run(
            ["node", at + "/client.js", HERE + "/../support/echo/echo.proto", str(server.ports["plain"]),
             str(server.ports["tls"]), server.dir.name + "/cert.pem"], capture_output=True, text=True, timeout=400)
        lines = client.stdout.splitlines()
        for line in lines:
            report.check(line[:120], line.startswith("ok "))
        report.check("every check was made", client.returncode == 0 and len(lines) == 16, client.stderr[-500:])
        status, said = server.stop()
        report.check("the server ends clean", status == 0, (status, said))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
