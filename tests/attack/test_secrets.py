#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""When a secret was used, no daemon holds it any more.

Signs in with passwords of its own and makes devices, over h2c, HTTP/2 with TLS
and HTTP/1.1 in both, at a Control Panel and at a node; keeps the private keys,
preshared keys, config texts and codes that came back; sends bursts of requests with
secrets in head, body and trailers, and asks for many large answers at once; looks for all of
it in both daemons' memory while the connections are still open, and for the sessions' tokens
once they are closed. That the search finds what is there is shown by what a process of its own
and a server leave on their stacks, and by labels, which both daemons must keep. Runs itself in
a network and a mount namespace.
"""
import base64
import contextlib
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
from wire import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, Report, Server, frame, head, literal, message

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("QMESH_BUILD", os.path.join(ROOT, "build", "dev"))
WAIT_S = 30
ONE_EACH = 6
BURST, BURST_BODY = 90, 1500  # requests of one write, of over 128 KiB together
BURST_FIRST = 90000  # bytes of them, where they come in two
AT_ONCE = 10  # answers with a code each, 150 KiB together
report = Report()
FORGET_S = 10


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
        self.tokens = {}
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
        self.token = self.mesh.call("Login", tenant=tenant, user=user, password=password).token
        self.mesh.metadata.append(("authorization", "Bearer " + self.token))

    def create(self, label):
        answer = self.mesh.call("CreateDevice", label=label, wait_ms=2000)
        return answer.config, answer.qr_svg, answer.device.id

    def rotate(self, device):
        answer = self.mesh.call("RotateDeviceKey", id=device)
        return answer.config, answer.qr_svg

    def close(self):
        self.mesh.close()


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
        self.token = self.post("/api/auth/login", {"tenant": tenant, "user": user, "password": password})["token"]
        self.headers["authorization"] = "Bearer " + self.token

    def create(self, label):
        body = self.post("/api/mesh/devices", {"label": label, "wait_ms": 2000})
        return body["config"], body["qr_svg"], body["device"]["id"]

    def rotate(self, device):
        body = self.post("/api/mesh/devices/%s:rotate" % device, {})
        return body["config"], body["qr_svg"]

    def close(self):
        self.c.close()


def pieces(door, what, name, secret):
    """Eight bytes each: what is left of a buffer or a stack that was used again is rarely whole."""
    return {(door, what, "%s at %d" % (name, i)): secret[i:i + 8] for i in range(0, len(secret) - 7, 8)}


def needles_of(door, what, config, code):
    keys = dict(line.split(" = ", 1) for line in config.splitlines() if " = " in line)
    out = {(door, what, "code"): code[len(code) // 2:len(code) // 2 + 160].encode()}
    for name in ("PrivateKey", "PresharedKey"):
        out.update(pieces(door, what, name + " text", keys[name].encode()))
        out.update(pieces(door, what, name + " bytes", base64.b64decode(keys[name])))
    return out


def signature(token):
    return token.rsplit(".", 1)[1].encode()


def use(lab, at, kind, tls, labels):
    """Signs in, makes a device and rotates its key at one door; the client, still connected, and what must be forgotten."""
    door = "%s by %s%s" % (at, kind.__name__, " with TLS" if tls else "")
    password = "pw-" + secrets.token_hex(16)
    user = "u" + secrets.token_hex(4)
    lab.admin.call("CreateUser", tenant="home", name=user, password=password, role=3)
    client = kind(lab, lab.doors[at][tls], tls)
    client.sign_in("home" if at == "cp" else "", user, password)
    lab.tokens.update(pieces(door, "session", "signature", signature(client.token)))
    needles = pieces(door, "password", "text", password.encode())
    labels.append("label-" + secrets.token_hex(12))
    config, code, device = client.create(labels[-1])
    needles.update(needles_of(door, "device", config, code))
    needles.update(needles_of(door, "rotated", *client.rotate(device)))
    return client, needles


# How each says who calls.
WHO = (("authorization", "Bearer %s"), ("x-qmesh-user", "%s"), ("cookie", "a=b; qmesh-1=%s"))


def connect(lab, at, tls, protocol):
    """From an address of its own: what one may be refused in a minute is bounded."""
    source = "127.%d.%d.1" % (1 + secrets.randbelow(250), secrets.randbelow(250))
    s = socket.create_connection(("127.0.0.1", lab.doors[at][tls]), WAIT_S, (source, 0))
    if tls:
        context = ssl.create_default_context(cafile=lab.cert)
        context.set_alpn_protocols([protocol])
        s = context.wrap_socket(s, server_hostname="localhost")
    return s


def marks(door, i):
    """A request's field, its value, the body, the value in the trailers; and what of it is secret."""
    texts = [secrets.token_hex(16) for _ in range(3)]
    needles = {}
    for what, text in zip((WHO[i % 3][0], "body", "trailer " + WHO[i % 3][0]), texts):
        needles.update(pieces(door, what, str(i), text.encode()))
    name, form = WHO[i % 3]
    return name, form % texts[0], json.dumps({"label": texts[1] + "x" * BURST_BODY}).encode(), form % texts[2], needles


def burst(lab, at, tls, first):
    """Requests with secrets in head, body and trailers, none of them allowed; the connection, and what is secret.

    So many bytes are sent, and what whole requests they hold is answered, before the rest comes: behind
    the beginning of one, where the engine has little room left.
    """
    s = connect(lab, at, tls, "h2")
    door = "%s by a burst%s%s" % (at, " with TLS" if tls else "", " in two" if first else "")
    sent, needles = [PREFACE + frame(SETTINGS, 0, 0)], {}
    for i in range(BURST):
        name, value, body, trailer, more = marks(door, i)
        needles.update(more)
        front = head("/quazzar.mesh.v1.MeshService/CreateDevice", "application/json")
        sent += [frame(HEADERS, 0, 2 * i + 1, front),
                 frame(CONTINUATION, END_HEADERS, 2 * i + 1, literal(name, value)),
                 frame(DATA, 0, 2 * i + 1, body),
                 frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, literal(name, trailer))]
    rest = b"".join(sent)
    whole = sum(len(b"".join(sent[:4 * i + 1])) <= first for i in range(1, BURST + 1))
    got, ended = b"", 0
    if first:
        s.sendall(rest[:first])
        rest = rest[first:]
    while ended < BURST:
        if rest and ended == whole:
            s.sendall(rest)
            rest = b""
        while len(got) < 9 or len(got) < 9 + int.from_bytes(got[:3], "big"):
            more = s.recv(65536)
            if not more:
                raise RuntimeError("%s was cut off after %d answers" % (door, ended))
            got += more
        ended += got[3] in (HEADERS, DATA) and got[4] & END_STREAM
        got = got[9 + int.from_bytes(got[:3], "big"):]
    return s, needles


def one_each(lab, at, tls):
    """The same over HTTP/1.1, each on a connection of its own, for who is not allowed is not read to the end."""
    door = "%s by HTTP/1.1%s" % (at, " with TLS" if tls else "")
    connections, needles = contextlib.ExitStack(), {}
    for i in range(ONE_EACH):
        s = connections.enter_context(connect(lab, at, tls, "http/1.1"))
        name, value, body, trailer, more = marks(door, i)
        needles.update(more)
        s.sendall(("POST /api/mesh/devices HTTP/1.1\r\nhost: localhost:%d\r\ncontent-type: application/json\r\n"
                   "transfer-encoding: chunked\r\n%s: %s\r\n\r\n%x\r\n" %
                   (lab.doors[at][tls], name, value, len(body))).encode()
                  + body + ("\r\n0\r\n%s: %s\r\n\r\n" % (name, trailer)).encode())
        if not s.recv(16).startswith(b"HTTP/1.1 4"):
            raise RuntimeError("%s was not refused" % door)
    return connections, needles


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


def left(pid, needles, may_hold=lambda name: False):
    """What is still there when it had time to go: a thread that had no processor yet has not wiped."""
    until = time.monotonic() + FORGET_S
    while True:
        found = [f for f in memscan.find(pid, needles) if not may_hold(f[0])]
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.2)


def daemons(lab):
    return ("cp", lab.cp.process.pid), ("node", lab.node.pid)


def scan(lab, needles):
    """Tells what is still there, once: it is looked for no more."""
    for daemon, pid in daemons(lab):
        found = left(pid, needles, lambda name, daemon=daemon: may_hold(daemon, name))
        for secret in sorted({f[0][:2] for f in found}):
            places = [f for f in found if f[0][:2] == secret]
            owners = sorted({f[1] for f in places})
            report.check("%s keeps %s" % (daemon, ", ".join(secret)), False,
                         "%d times, %s; %s at %x, around %r" % (len(places), ", ".join(owners), places[0][0][2],
                                                                places[0][2], places[0][3]))
        report.check("%s forgets" % daemon, not found, "%d findings" % len(found))
        for name in {f[0] for f in found}:
            del needles[name]


def plants():
    """What is left on a stack is found, and behind a call with secrets nothing is left."""
    import grpc
    report.check("the search finds what a process leaves behind", memscan.finds_plants())
    with Server() as server, grpc.insecure_channel("localhost:%d" % server.ports["plain"]) as channel:
        for method in ("Leave", "LeaveInline", "Hush", "HushInline"):
            n = 10 ** 9 + secrets.randbelow(10 ** 9)
            channel.unary_unary("/qmesh.test.Echo/" + method)(message(n=n)[5:], timeout=WAIT_S)
            mark = {method: b"left%012d" % n}
            if method.startswith("Leave"):
                found = memscan.find(server.process.pid, mark)
                report.check("%s leaves its mark on a stack" % method,
                             any(f[1].startswith("stack of ") for f in found), found)
            else:
                found = left(server.process.pid, mark)
                report.check("%s leaves nothing" % method, not found, found)


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
    plants()
    labels, clients, needles = [], [], {}
    with Lab() as lab:
        def go(made):
            clients.append(made[0])
            needles.update(made[1])
            scan(lab, needles)
        for at in ("cp", "node"):
            for kind in (Grpc, Http1):
                for tls in (False, True):
                    go(use(lab, at, kind, tls, labels))
            for tls in (False, True):
                go(burst(lab, at, tls, 0))
                go(burst(lab, at, tls, BURST_FIRST))
                go(one_each(lab, at, tls))
            go(large(lab, at))
        for client in clients:
            client.close()
        scan(lab, {**needles, **lab.tokens})
        for daemon, pid in daemons(lab):
            kept = {f[0] for f in memscan.find(pid, {label: label.encode() for label in labels})}
            report.check("%s: the search finds what is kept" % daemon, kept == set(labels), set(labels) - kept)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
