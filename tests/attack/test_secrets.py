#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One second after a secret was used, no daemon holds it any more.

Signs in with passwords of its own and makes devices, over h2c, HTTP/2 with TLS
and HTTP/1.1 in both, at a Control Panel and at a node; keeps the private keys,
preshared keys, config texts and codes that came back; sends bursts of requests with
secrets in head and body, and asks for many large answers at once; looks for all of it in both
daemons' memory while the connections are still open. That the search finds what
is there is shown by labels, which both must keep. Runs itself in a network and a
mount namespace.
"""
import base64
import http.client
import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import memscan
from wire import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, Report, frame, head, literal

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("QMESH_BUILD", os.path.join(ROOT, "build", "dev"))
WAIT_S = 30
BURST, BURST_BODY = 90, 1500  # requests of one write, of over 128 KiB together
AT_ONCE = 10  # answers with a code each, 150 KiB together
report = Report()
# Of some hundreds of secrets.
STACK_RESTS = 2


def skip():
    if os.geteuid() != 0:
        return "needs root for a network namespace"
    try:
        import grpc  # noqa: F401
    except ImportError:
        return "python3-grpcio is not installed"
    for name in ("qmesh-cpd", "qmesh-noded"):
        if not os.access(os.path.join(BUILD, "bin", name), os.X_OK):
            return "no %s/bin/%s" % (BUILD, name)
    return None


class Lab:
    """A Control Panel and a node, each in clear text and with TLS; ends with the with block."""

    def __enter__(self):
        import meshrpc
        self.cp = meshrpc.Daemon(["--provision-limit", "100"])
        self.node = None
        at = self.cp.dir
        self.cert = at + "/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-keyout", at + "/key.pem", "-out", self.cert, "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       check=True, stderr=subprocess.DEVNULL)
        self.cp.extra += ["--cert-file", self.cert, "--key-file", at + "/key.pem"]
        self.node_port, self.node_tls_port = meshrpc.free_port(), meshrpc.free_port()
        try:
            self.cp.start()
            self.admin = self.cp.admin()
            self.admin.call("CreateTenant", name="home", plan=4)
            self.start_node(at)
        except BaseException:
            self.__exit__()
            raise
        self.doors = {"cp": (self.cp.port, self.cp.tls_port), "node": (self.node_port, self.node_tls_port)}
        return self

    def start_node(self, at):
        token = at + "/join.token"
        with open(os.open(token, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write(self.admin.call("CreateJoinToken", tenant="home").join_token)
        self.log = at + "/noded.log"
        self.args = [BUILD + "/bin/qmesh-noded", "--listen", "127.0.0.1:%d" % self.node_tls_port,
                     "--listen-plain", "127.0.0.1:%d" % self.node_port, "--admin-socket", at + "/node.sock",
                     "--state-dir", at + "/node", "--cp", "https://127.0.0.1:%d" % self.cp.tls_port,
                     "--join-token-file", token, "--name", "node-one", "--endpoint", "127.0.0.1:51820",
                     "--firewall", "off", "--tls-cert", self.cert, "--tls-key", at + "/key.pem"]
        with open(self.log, "ab") as log:
            self.node = subprocess.Popen(self.args, stdout=log, stderr=log)
        for _ in range(WAIT_S * 20):
            try:
                c = http.client.HTTPConnection("127.0.0.1", self.node_port, timeout=5)
                c.request("GET", "/readyz")
                if c.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        with open(self.log, errors="replace") as f:
            raise RuntimeError("the node is not ready: " + f.read()[-2000:])

    def __exit__(self, *_):
        if self.node:
            self.node.terminate()
            self.node.wait(WAIT_S)
            with open(self.log, "ab") as log:
                subprocess.run([*self.args, "--teardown"], stdout=log, stderr=log, timeout=WAIT_S, check=False)
        self.cp.stop()
        self.cp.remove()


class Grpc:
    def __init__(self, lab, port, tls):
        import grpc
        import meshrpc
        with open(lab.cert, "rb") as f:
            credentials = grpc.ssl_channel_credentials(f.read()) if tls else None
        self.mesh = meshrpc.Mesh("localhost:%d" % port, credentials=credentials)

    def sign_in(self, tenant, user, password):
        token = self.mesh.call("Login", tenant=tenant, user=user, password=password).token
        self.mesh.metadata.append(("authorization", "Bearer " + token))

    def create(self, label):
        answer = self.mesh.call("CreateDevice", label=label, wait_ms=2000)
        return answer.config, answer.qr_svg, answer.device.id

    def rotate(self, device):
        answer = self.mesh.call("RotateDeviceKey", id=device)
        return answer.config, answer.qr_svg


class Http1:
    def __init__(self, lab, port, tls):
        self.c = http.client.HTTPSConnection("localhost", port, timeout=WAIT_S,
                                             context=ssl.create_default_context(cafile=lab.cert)) \
            if tls else http.client.HTTPConnection("localhost", port, timeout=WAIT_S)
        self.headers = {"content-type": "application/json"}

    def post(self, path, body):
        self.c.request("POST", path, json.dumps(body), self.headers)
        answer = self.c.getresponse()
        raw = answer.read()
        if answer.status >= 300:
            raise RuntimeError("%s: %d %s" % (path, answer.status, raw[:300]))
        return json.loads(raw)

    def sign_in(self, tenant, user, password):
        body = self.post("/api/auth/login", {"tenant": tenant, "user": user, "password": password})
        self.headers["authorization"] = "Bearer " + body["token"]

    def create(self, label):
        body = self.post("/api/mesh/devices", {"label": label, "wait_ms": 2000})
        return body["config"], body["qr_svg"], body["device"]["id"]

    def rotate(self, device):
        body = self.post("/api/mesh/devices/%s:rotate" % device, {})
        return body["config"], body["qr_svg"]


def needles_of(door, what, config, code):
    """Halves: what is left of a buffer that was used again is rarely whole."""
    keys = dict(line.split(" = ", 1) for line in config.splitlines() if " = " in line)
    out = {(door, what, "code"): code[len(code) // 2:len(code) // 2 + 160].encode()}
    for name in ("PrivateKey", "PresharedKey"):
        text, raw = keys[name].encode(), base64.b64decode(keys[name])
        out[(door, what, name + " text, front")] = text[:22]
        out[(door, what, name + " text, back")] = text[22:]
        out[(door, what, name + " bytes, front")] = raw[:16]
        out[(door, what, name + " bytes, back")] = raw[16:]
    return out


def use(lab, at, kind, tls, labels):
    """Signs in, makes a device and rotates its key at one door; the client, still connected, and what must be forgotten."""
    door = "%s by %s%s" % (at, kind.__name__, " with TLS" if tls else "")
    password = "pw-" + secrets.token_hex(16)
    user = "u" + secrets.token_hex(4)
    lab.admin.call("CreateUser", tenant="home", name=user, password=password, role=3)
    client = kind(lab, lab.doors[at][tls], tls)
    client.sign_in("home" if at == "cp" else "", user, password)
    needles = {(door, "password", "front"): password[:17].encode(), (door, "password", "back"): password[-17:].encode()}
    labels.append("label-" + secrets.token_hex(12))
    config, code, device = client.create(labels[-1])
    needles.update(needles_of(door, "device", config, code))
    needles.update(needles_of(door, "rotated", *client.rotate(device)))
    return client, needles


def burst(lab, at, tls):
    """Requests with secrets in head and body in one write, none of them allowed; the connection, and what is secret."""
    s = socket.create_connection(("127.0.0.1", lab.doors[at][tls]), WAIT_S)
    if tls:
        context = ssl.create_default_context(cafile=lab.cert)
        context.set_alpn_protocols(["h2"])
        s = context.wrap_socket(s, server_hostname="localhost")
    door = "%s by a burst%s" % (at, " with TLS" if tls else "")
    sent, needles = [PREFACE + frame(SETTINGS, 0, 0)], {}
    for i in range(BURST):
        token, text = (secrets.token_hex(16) for _ in range(2))
        needles[(door, "authorization", str(i))], needles[(door, "body", str(i))] = token.encode(), text.encode()
        front = head("/quazzar.mesh.v1.MeshService/CreateDevice", "application/json")
        body = json.dumps({"label": text + "x" * BURST_BODY}).encode()
        sent += [frame(HEADERS, 0, 2 * i + 1, front),
                 frame(CONTINUATION, END_HEADERS, 2 * i + 1, literal("authorization", "Bearer " + token)),
                 frame(DATA, END_STREAM, 2 * i + 1, body)]
    s.sendall(b"".join(sent))
    got, ended = b"", 0
    while ended < BURST:
        while len(got) < 9 or len(got) < 9 + int.from_bytes(got[:3], "big"):
            more = s.recv(65536)
            if not more:
                raise RuntimeError("%s was cut off after %d answers" % (door, ended))
            got += more
        ended += got[3] in (HEADERS, DATA) and got[4] & END_STREAM
        got = got[9 + int.from_bytes(got[:3], "big"):]
    return s, needles


def large(lab, at):
    """Many answers of 15 KiB at once over one connection."""
    client, needles = use(lab, at, Grpc, True, [])
    devices = [client.create("many %s %d" % (at, i))[2] for i in range(AT_ONCE)]
    answers = {}
    threads = [threading.Thread(target=lambda d=d: answers.update({d: client.rotate(d)})) for d in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, d in enumerate(devices):
        needles.update(needles_of(at + " at once", "rotated %d" % i, *answers[d]))
    return client, needles


def may_hold(daemon, name):
    """A node holds the preshared keys of its devices, as WireGuard takes them."""
    return daemon == "node" and name[2].startswith("PresharedKey bytes")


def scan(daemon, pid, needles, labels):
    found = [f for f in memscan.find(pid, needles) if not may_hold(daemon, f[0])]
    # The dead part of a thread's stack is nobody's to wipe; the next call writes over it. Told, bounded.
    rests = [f for f in found if f[1].startswith("stack of ")]
    if 0 < len(rests) <= STACK_RESTS:
        print("     %s: %s" % (daemon, "; ".join("%s on the %s" % (", ".join(f[0]), f[1]) for f in rests)))
        found = [f for f in found if f not in rests]
    for name in sorted({f[0] for f in found}):
        places = [f for f in found if f[0] == name]
        owners = sorted({f[1] for f in places})
        report.check("%s keeps %s" % (daemon, ", ".join(name)), False,
                     "%d times, %s; around %r" % (len(places), ", ".join(owners), places[0][3]))
    report.check("%s forgets" % daemon, not found, "%d findings" % len(found))
    kept = {f[0] for f in memscan.find(pid, {label: label.encode() for label in labels})}
    report.check("%s: the search finds what is kept" % daemon, kept == set(labels), set(labels) - kept)


def main():
    why = skip()
    if why:
        print("skipped: " + why)
        return 77
    if os.environ.get("QMESH_IN_NETNS") != "1":
        return subprocess.run(["unshare", "-n", "-m", "--propagation", "private", sys.executable,
                               os.path.abspath(__file__)], env={**os.environ, "QMESH_IN_NETNS": "1"},
                              check=False).returncode
    subprocess.run("ip link set lo up && mkdir -p /var/run/wireguard && mount -t tmpfs none /var/run/wireguard",
                   shell=True, check=True)
    labels, clients, needles = [], [], {}
    with Lab() as lab:
        for at in ("cp", "node"):
            for kind in (Grpc, Http1):
                for tls in (False, True):
                    client, more = use(lab, at, kind, tls, labels)
                    clients.append(client)
                    needles.update(more)
        for at in ("cp", "node"):
            for client, more in (burst(lab, at, False), burst(lab, at, True), large(lab, at)):
                clients.append(client)
                needles.update(more)
        time.sleep(1)
        scan("cp", lab.cp.process.pid, needles, labels)
        scan("node", lab.node.pid, needles, labels)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
