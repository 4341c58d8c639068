# SPDX-License-Identifier: Apache-2.0
"""Memory of a connection with one idle server stream, as the server's resident size grows by it."""
import resource
import subprocess
import time

from figures import ROUNDS, build, figure, rss_kib
from rivals import Rival, build_c, say

# TLS, connections, rounds, aim in KiB; 10,000 take a while to shake hands
SCENES = [(False, 1000, ROUNDS, 10), (False, 10000, 1, 10), (True, 1000, min(ROUNDS, 3), 32), (True, 10000, 1, 32)]
LET_GO_S = 3  # after a crowd the server gives memory back once a second
WARM = 50  # connections first, so that what is allocated once is not counted


class Holder:
    """Connections, open until the with block ends."""

    def __init__(self, server, n):
        self.argv = [build_c("idle_client", "-lssl", "-lcrypto"), str(server.port), str(n), "localhost",
                     "/qmesh.test.Echo/Subscribe", *(["--tls"] if server.tls else [])]

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline().startswith("open "):
            self.process.wait()
            raise RuntimeError("the connections could not be opened")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)


def measure(tls, n):
    """KiB per connection while they are there, and after they went."""
    server = Rival("qmesh", tls)
    try:
        with Holder(server, WARM):
            pass
        time.sleep(0.5)
        before = rss_kib(server.process.pid)
        with Holder(server, n):
            time.sleep(0.5)
            held = rss_kib(server.process.pid) - before
        time.sleep(LET_GO_S)
        return held / n, (rss_kib(server.process.pid) - before) / n
    finally:
        server.stop()


def main():
    build("echo_server")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for tls, n, rounds, aim in SCENES:
        if most < n + 200:
            say("skipped %d connections: at most %d descriptors here" % (n, most))
            continue
        ours = [measure(tls, n) for _ in range(rounds)]
        what = "%d connections%s" % (n, ", TLS" if tls else "")
        figure("rpc", "memory per idle stream, " + what, [held for held, _ in ours], "KiB", aim=aim,
               lower_is_better=True)
        figure("rpc", "memory kept after they closed, " + what, [left for _, left in ours], "KiB")
