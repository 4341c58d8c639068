#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""grpc-go's own interop client against interop-server, every case it has that needs no cloud. It is
a Go program: without Go this is skipped."""
import os
import shutil
import subprocess
import sys

import interop

VERSION = "v1.76.0"
TOOLS = os.path.join(interop.ROOT, "build", "tools")
PROGRAM = os.path.join(TOOLS, "grpc-go-interop-" + VERSION)
# It has no cache and cannot compress by message.
OF_OTHERS = {"cacheable_unary", "client_compressed_unary", "server_compressed_unary",
             "client_compressed_streaming", "server_compressed_streaming"}
SOAK = ["-soak_per_iteration_max_acceptable_latency_ms=10000", "-soak_overall_timeout_seconds=100",
        "-soak_num_threads=2"]


def install():
    """Why there is no client; None: there is."""
    if os.access(PROGRAM, os.X_OK):
        return None
    go = shutil.which("go") or "/usr/local/go/bin/go"
    if not os.access(go, os.X_OK):
        return "no Go to build grpc-go's interop client with"
    os.makedirs(os.path.join(TOOLS, "go"), exist_ok=True)
    done = subprocess.run([go, "install", "google.golang.org/grpc/interop/client@" + VERSION], capture_output=True,
                          text=True, timeout=400, check=False,
                          env=dict(os.environ, GOBIN=os.path.join(TOOLS, "go"), GOFLAGS="-modcacherw"))
    if done.returncode != 0:
        return "grpc-go's interop client cannot be built: " + done.stderr[-200:].replace("\n", " ")
    os.rename(os.path.join(TOOLS, "go", "client"), PROGRAM)
    return None


def main():
    why = interop.missing() or install()
    if why:
        print("skipped: " + why)
        return 77
    report = interop.Report()
    rounds = 200 if interop.long() else 10
    with interop.Servers() as servers:
        tls = ["-use_tls", "-ca_file=" + servers.dir.name + "/cert.pem", "-use_test_ca"]
        for kind, how in (("plain", []), ("tls", tls)):
            for case in interop.CASES:
                if case in OF_OTHERS:
                    continue
                done = subprocess.run(
                    [PROGRAM, "-server_host=localhost", "-server_port=%d" % servers.ports[kind], "-test_case=" + case,
                     "-soak_iterations=%d" % rounds, *SOAK, *how], capture_output=True, text=True, timeout=150, check=False)
                report.check("%s: %s" % (kind, case), done.returncode == 0, done.stderr[-300:])
        return servers.end(report)


if __name__ == "__main__":
    sys.exit(main())
