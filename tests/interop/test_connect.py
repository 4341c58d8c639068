#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Connect's and gRPC-Web's own clients for node: Connect, gRPC-Web and gRPC, HTTP/1.1 and HTTP/2,
clear text and TLS, protobuf and JSON, with and without gzip."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/../attack")

from wire import Report, Server  # noqa: E402

N_CONNECT, N_GRPCWEB = 338, 11


def install(at):
    """Why the clients are not there; None: they are."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "npm and node are not installed"
    done = subprocess.run(["bash", "-c", '. tests/tools/npm-tools.sh; npm_tools "$0"', at],
                          cwd=os.path.join(HERE, "../.."), capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else "npm ci cannot fetch the clients: " + \
        done.stderr.strip()[-200:].replace("\n", " ")


def run(report, name, argv, n_checks):
    client = subprocess.run(["node", "--dns-result-order=ipv4first", *argv], capture_output=True, text=True, timeout=600)
    lines = client.stdout.splitlines()
    for line in lines:
        report.check(line[:160], line.startswith("ok "))
    report.check(name + ": every check was made", client.returncode == 0 and len(lines) == n_checks,
                 (len(lines), client.stderr[-500:]))


def main():
    at = HERE + "/web"
    why = install(at)
    if why:
        print("skipped: " + why)
        return 77
    report = Report()
    with Server("--web", "") as server:
        descriptors = server.dir.name + "/echo.binpb"
        subprocess.run(["protoc", "-I" + HERE + "/../support/echo", "--descriptor_set_out=" + descriptors,
                        "echo.proto"], check=True)
        run(report, "connect-es", [at + "/connect.mjs", descriptors, str(server.ports["plain"]),
                                   str(server.ports["tls"]), server.dir.name + "/cert.pem"], N_CONNECT)
        run(report, "grpc-web", [at + "/grpcweb.mjs", str(server.ports["plain"])], N_GRPCWEB)
        status, said = server.stop()
        report.check("the server ends clean", status == 0, (status, said))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
