# SPDX-License-Identifier: Apache-2.0
"""A real node beside a real Control Panel, in a network and a mount namespace."""
import http.client
import os
import signal
import subprocess
import sys
import time

import meshrpc

WAIT_S = 90


def enter(script):
    """None inside the namespaces, where lo is up; else the exit code of the script run there."""
    if os.geteuid() != 0:
        print("needs root for a network namespace")
        return 77
    if not os.path.exists(os.path.join(meshrpc.BUILD, "bin", "qmesh-noded")):
        print(f"no {meshrpc.BUILD}/bin/qmesh-noded: build first")
        return 77
    if os.environ.get("QMESH_IN_NETNS") != "1":
        return subprocess.run(["unshare", "-n", "-m", "--propagation", "private", sys.executable,
                               os.path.abspath(script)],
                              env={**os.environ, "QMESH_IN_NETNS": "1"}, check=False).returncode
    subprocess.run("ip link set lo up && mkdir -p /var/run/wireguard && "
                   "mount -t tmpfs none /var/run/wireguard", shell=True, check=True)
    return None


class RealNode:
    """qmesh-noded; looks like a Daemon to meshrpc. cp_port: where it finds the Control Panel."""

    def __init__(self, cp, admin, tenant="home", name="node-one", cp_port=0):
        self.dir = os.path.join(cp.dir, name)
        os.mkdir(self.dir, 0o700)
        self.port, self.tls_port = meshrpc.free_port(), meshrpc.free_port()
        self.metrics_port = meshrpc.free_port()
        self.log_path = os.path.join(self.dir, "log")
        token = os.path.join(self.dir, "join.token")
        with open(os.open(token, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write(admin.call("CreateJoinToken", tenant=tenant).join_token)
        self.args = [os.path.join(meshrpc.BUILD, "bin", "qmesh-noded"),
                     "--listen", f"127.0.0.1:{self.tls_port}",
                     "--listen-plain", f"127.0.0.1:{self.port}", "--admin-socket", self.dir + "/sock",
                     "--state-dir", self.dir + "/state", "--cp",
                     f"https://127.0.0.1:{cp_port or cp.tls_port}", "--join-token-file", token,
                     "--name", name, "--endpoint", "127.0.0.1:51820", "--firewall", "off",
                     "--metrics", f"127.0.0.1:{self.metrics_port}"]
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.args, stdout=log, stderr=log)
        return self

    def ready(self):
        """The answer of /readyz, or None."""
        try:
            return meshrpc.http(self, "GET", "/readyz")
        except (OSError, http.client.HTTPException):
            return None

    def wait_ready(self):
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and self.process.poll() is None:
            answer = self.ready()
            if answer and answer[0] == 200 and "CP_UNREACHABLE" not in str(answer[2]):
                return self
            time.sleep(0.05)
        with open(self.log_path, errors="replace") as f:
            raise RuntimeError(f"qmesh-noded is not ready: {self.ready()}\n" + f.read()[-3000:])

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def mesh(self, token=None, **kw):
        return meshrpc.Mesh(f"127.0.0.1:{self.port}", token, **kw)

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        rc = self.process.wait(WAIT_S)
        with open(self.log_path, "ab") as log:
            subprocess.run([*self.args, "--teardown"], stdout=log, stderr=log, timeout=WAIT_S,
                           check=False)
        return rc


def metrics(daemon):
    """{name: value} of a daemon with a metrics_port."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.metrics_port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines()
            if line and not line.startswith("#")}


def control_panel(*extra):
    """A Control Panel with metrics, a tenant "home" (Team) and its admin "ann"; and its socket."""
    port = meshrpc.free_port()
    cp = meshrpc.Daemon(extra=["--metrics", f"127.0.0.1:{port}", *extra])
    cp.metrics_port = port
    cp.start()
    admin = cp.admin()
    admin.call("CreateTenant", name="home", plan="PLAN_TEAM")
    admin.call("CreateUser", tenant="home", name="ann", password=meshrpc.PASSWORD,
               role="ROLE_ADMIN")
    return cp, admin


def until(what, seconds=60):
    """Waits for what() to be true; whether it came to be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return bool(what())
