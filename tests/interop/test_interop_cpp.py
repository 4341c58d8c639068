#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cases of gRPC's interop test description by gRPC C++ (Debian's libgrpc++), in clear text, TLS
and on a Unix socket."""
import sys

import interop


def main():
    why = interop.missing()
    if not why:
        program, why = interop.cpp_judge("interop-cpp")
    if why:
        print("skipped: " + why)
        return 77
    report = interop.Report()
    with interop.Servers() as servers:
        cert = servers.dir.name + "/cert.pem"
        for kind, target, trust in (("plain", "localhost:%d" % servers.ports["plain"], "-"),
                                    ("tls", "localhost:%d" % servers.ports["tls"], cert),
                                    ("unix", "unix:%s/sock" % servers.dir.name, "-")):
            interop.judge(report, kind, [program, target, trust, "1" if interop.long() else "0"], interop.CASES)
        return servers.end(report)


if __name__ == "__main__":
    sys.exit(main())
