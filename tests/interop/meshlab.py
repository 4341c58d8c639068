# SPDX-License-Identifier: Apache-2.0
"""A Control Panel and a node on loopback, for other people's clients. Everything runs in a network
and a mount namespace of its own: into_namespace() first.

    doors: cp-plain, cp-tls, node-plain, node-tls     (kind, "localhost:PORT", cert or "-")
    admin sockets: cp.dir + "/admin.sock" and "/node.sock"
"""
import os
import subprocess
import sys
import tempfile
import time

import interop

sys.path.insert(0, os.path.join(interop.ROOT, "tests", "support"))

USER, TENANT = "ann", "home"
WAIT_S = 90


def missing():
    """Why there can be no lab; None: there can."""
    if os.geteuid() != 0:
        return "needs root for a network namespace"
    try:
        import grpc  # noqa: F401
    except ImportError:
        return "python3-grpcio is not installed"
    for name in ("qmesh-cpd", "qmesh-noded"):
        if not os.access(os.path.join(interop.BUILD, "bin", name), os.X_OK):
            return "no %s/bin/%s" % (interop.BUILD, name)
    return None


def into_namespace():
    """Runs this program again in namespaces of its own; returns only there."""
    if os.environ.get("QMESH_IN_NETNS") != "1":
        sys.exit(subprocess.run(["unshare", "-n", "-m", "--propagation", "private", sys.executable,
                                 os.path.abspath(sys.argv[0]), *sys.argv[1:]],
                                env={**os.environ, "QMESH_IN_NETNS": "1"}, check=False).returncode)
    subprocess.run("ip link set lo up && mkdir -p /var/run/wireguard && "
                   "mount -t tmpfs none /var/run/wireguard", shell=True, check=True)


class Lab:
    """Ends with the with block."""

    def __init__(self, *extra):
        import meshrpc
        self.meshrpc = meshrpc
        self.extra = list(extra)
        self.password = meshrpc.PASSWORD
        self.cp = meshrpc.Daemon(keep=tempfile.mkdtemp(prefix="qmesh-judged-"))
        self.dir, self.cert = self.cp.dir, self.cp.dir + "/cert.pem"
        self.node_port, self.node_tls_port = meshrpc.free_port(), meshrpc.free_port()
        self.node_log = self.dir + "/noded.log"
        self.node = None

    def __enter__(self):
        interop.certificate(self.dir)
        key = self.dir + "/key.pem"
        # A busy machine applies in more than the second that an answer waits for it.
        self.cp.extra = ["--cert-file", self.cert, "--key-file", key, "--provision-limit", "100",
                         "--apply-wait", "5s", *self.extra]
        try:
            self.cp.start()
            self.admin = self.cp.admin()
            self.admin.call("CreateTenant", name=TENANT, plan=4)
            self.admin.call("CreateUser", tenant=TENANT, name=USER, password=self.password, role=3)
            self.start_node(["--tls-cert", self.cert, "--tls-key", key, *self.extra])
        except BaseException:
            self.__exit__()
            raise
        self.doors = [("cp-plain", "localhost:%d" % self.cp.port, "-"),
                      ("cp-tls", "localhost:%d" % self.cp.tls_port, self.cert),
                      ("node-plain", "localhost:%d" % self.node_port, "-"),
                      ("node-tls", "localhost:%d" % self.node_tls_port, self.cert)]
        return self

    def start_node(self, options):
        token = self.dir + "/join.token"
        with open(os.open(token, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write(self.admin.call("CreateJoinToken", tenant=TENANT).join_token)
        self.node_args = [
            os.path.join(interop.BUILD, "bin", "qmesh-noded"), "--listen", "127.0.0.1:%d" % self.node_tls_port,
            "--listen-plain", "127.0.0.1:%d" % self.node_port, "--admin-socket", self.dir + "/node.sock",
            "--state-dir", self.dir + "/node", "--cp", "https://127.0.0.1:%d" % self.cp.tls_port,
            "--join-token-file", token, "--name", "node-one", "--endpoint", "127.0.0.1:51820",
            "--firewall", "off", *options]
        with open(self.node_log, "ab") as log:
            self.node = subprocess.Popen(self.node_args, stdout=log, stderr=log)
        import http.client
        for _ in range(WAIT_S * 20):
            try:
                c = http.client.HTTPConnection("127.0.0.1", self.node_port, timeout=20)
                c.request("GET", "/readyz")
                if c.getresponse().status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            if self.node.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("the node is not ready: " + self.logs())

    def logs(self):
        with open(self.node_log, errors="replace") as f:
            return self.cp.log()[-1500:] + "\n--- node\n" + f.read()[-1500:]

    def end(self, report):
        """Both end clean, and said nothing that a sanitizer says."""
        self.node.terminate()
        codes = [self.node.wait(WAIT_S), self.cp.stop()]
        self.teardown()
        logs = self.logs()
        report.check("the daemons end clean", codes == [0, 0], (codes, logs))
        report.check("no sanitizer complains", "Sanitizer" not in logs and "runtime error" not in logs, logs)
        return report.end()

    def teardown(self):
        with open(self.node_log, "ab") as log:
            subprocess.run([*self.node_args, "--teardown"], stdout=log, stderr=log, timeout=WAIT_S, check=False)

    def __exit__(self, *_):
        if self.node and self.node.poll() is None:
            self.node.kill()
            self.node.wait()
            self.teardown()
        self.cp.end()
        self.cp.remove()


# What a judge in another language does at each door; names of judge programs' lines.
CASES = ("login", "list_devices", "create_device", "watch_state", "error_info", "bad_request", "no_token",
         "cancel", "deadline", "delete_device")


def judge_doors(report, lab, argv, language):
    """argv TARGET CERT|- TENANT USER PASSWORD LABEL at each door."""
    for kind, target, cert in lab.doors:
        interop.judge(report, kind, [*argv, target, cert, TENANT, USER, lab.password, language + " " + kind], CASES)
