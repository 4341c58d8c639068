#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""100,000 wrong inputs at a real Control Panel and a real node, beside a neighbour who is served.

tests/attack/mutate throws them, half at each daemon, over loopback, the Unix
socket and TLS. Afterwards both daemons answer, hold nothing, and end without a
report; what is right but for one thing beyond a limit must not be answered as if
it were not. Cases that failed are kept as bytes in failed-cases of the build and can
be sent again (mutate --replay); those of mutate/cases are, each time.
QMESH_LONG makes it millions, MUTATE_SEED picks the seed, MUTATE_CASES how many. Runs
itself in a network and a mount namespace.
"""
import os
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import meshrpc
from google.protobuf import json_format
from meshrpc import PASSWORD, Refused, enroll, http, msg

BIN = os.path.join(meshrpc.BUILD, "bin")
MUTATE = os.path.join(meshrpc.BUILD, "tests", "support", "mutate")
KEPT = os.path.join(meshrpc.BUILD, "failed-cases")  # the bytes of cases that failed
CASES_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mutate", "cases")  # NAME.OUTCOME.h1 or .h2
WAIT_S = 60
LONG = bool(os.environ.get("QMESH_LONG"))
CASES = int(os.environ.get("MUTATE_CASES", "3000000" if LONG else "100000"))
SEED = int(os.environ.get("MUTATE_SEED", str(int(time.time()))))
# What a sanitizer keeps of freed memory is bounded, and so is what it may grow by.
SANITIZER = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:quarantine_size_mb=4:malloc_context_size=6:"
                             "thread_local_quarantine_size_kb=16:allocator_release_to_os_interval_ms=500"}
# Sixty threads keep caches and arenas of their own, which fill bit by bit: as seen 25 MiB, then flat.
GROWTH_MAX_KIB = 64 << 10
passed = failed = 0


def check(what, ok, seen=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}: {str(seen)[:1500]}", flush=True)


class Watched:
    """A daemon and the figures it must come back to."""

    def __init__(self, name, daemon, metrics_port, token, unix):
        self.name, self.daemon, self.metrics_port = name, daemon, metrics_port
        self.token, self.unix = token, unix
        self.pid = daemon.process.pid
        self.outcomes = {}

    def alive(self):
        return self.daemon.process.poll() is None

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=WAIT_S) as answer:
            rows = (line.split() for line in answer.read().decode().splitlines())
            return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}

    def figures(self):
        """What it holds for others: connections, sockets (stores open files per thread), memory."""
        metrics = self.metrics()
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
        return {"connections": metrics["qmesh_connections"], "sockets": self.sockets(), "rss": rss}

    def sockets(self):
        n = 0
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                n += os.readlink(f"/proc/{self.pid}/fd/{fd}").startswith("socket:")
            except OSError:
                pass
        return n

    def settled(self, want):
        """The figures once they are as wanted, or will not be; None: it is no more."""
        end = time.monotonic() + WAIT_S
        while True:
            try:
                now = self.figures()
            except OSError:
                try:
                    self.daemon.process.wait(WAIT_S)
                except subprocess.TimeoutExpired:
                    pass
                if self.alive():
                    raise
                return None
            if all(now[k] <= want[k] for k in want if k != "rss") or time.monotonic() > end:
                return now
            time.sleep(0.1)

    def ready(self):
        return http(self.daemon, "GET", "/readyz")[0]

    def log(self):
        with open(self.daemon.log_path, errors="replace") as f:
            return f.read()


class Neighbour(threading.Thread):
    """Somebody who calls all the time and must be served each time."""

    def __init__(self, watched):
        super().__init__(daemon=True)
        self.watched, self.stop_it = watched, threading.Event()
        self.n, self.refusals = 0, []

    def run(self):
        while not self.stop_it.is_set() and self.watched.alive():
            mesh = self.watched.daemon.mesh(self.watched.token)
            try:
                for _ in range(20):
                    if self.stop_it.is_set():
                        break
                    mesh.call("ListDevices", timeout=WAIT_S)
                    self.n += 1
                    self.stop_it.wait(0.02)
            except Refused as e:
                self.refusals.append(str(e))
                self.stop_it.wait(0.5)
            finally:
                mesh.close()

    def end(self):
        self.stop_it.set()
        self.join(WAIT_S * 2)


def seeds_for(where, tokens, device, generation):
    """The valid calls that cases are made of; those that end sessions or nodes are left out."""
    rows = []

    def call(kind, method, auth, **fields):
        path, in_, _ = meshrpc.Mesh._method(method)
        message = msg(in_, **fields)
        text = json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None)
        rows.append(("call", kind, path, auth, message.SerializeToString().hex(), text))

    def rest(verb, path, auth, body=""):
        rows.append(("rest", verb, path, auth, "", body))

    for token in tokens[:2]:
        auth = "Bearer " + token
        call("unary", "GetState", auth)
        call("unary", "ListDevices", auth, all=True, page_size=5)
        call("unary", "GetDevice", auth, id=device)
        call("unary", "UpdateDevice", auth, id=device, label="Ann\u00e9's phone")
        call("unary", "ListNodes", auth)
        call("unary", "WhoAmI", auth)
        call("unary", "ListAudit", auth, page_size=3)
        call("unary", "GetDeviceStats", auth, id=device)
        call("unary", "ExplainDevice", auth, id=device)
        call("unary", "GetOrbitFeatures", auth)
        call("unary", "GetChange", auth, generation=generation)
        call("stream", "WatchState", auth)
        rest("GET", "/api/mesh/state", auth)
        rest("GET", "/api/mesh/devices?all=true&page_size=2", auth)
        rest("GET", f"/api/mesh/devices/{device}", auth)
        rest("PATCH", f"/api/mesh/devices/{device}", auth, '{"label":"Ren\u00e9e"}')
        rest("GET", f"/api/mesh/devices/{device}/why", auth)
        rest("GET", f"/api/mesh/changes/{generation}", auth)
        rest("GET", "/api/mesh/events", auth)
        rest("GET", "/api/mesh/audit?page_size=2", auth)
    auth = "Bearer " + tokens[0]
    call("unary", "CreateDevice", auth, label="one more", type=1, wait_ms=1)
    rest("POST", "/api/mesh/devices", auth, '{"label":"one more","dns":true,"wished_ip":"10.1.2.3"}')
    rest("GET", "/", "")
    rest("GET", "/vpn/mesh", "")
    rest("GET", "/healthz", "")
    rest("OPTIONS", "/api/mesh/devices", "")
    rows.append(("call", "unary", "/grpc.health.v1.Health/Check", "", "", "{}"))
    rows.append(("call", "stream", "/grpc.health.v1.Health/Watch", "", "", "{}"))
    for version in ("v1", "v1alpha"):
        rows.append(("call", "client", f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo", "",
                     "3a00", '{"listServices":""}'))
    if where == "cp":
        agent = "Bearer " + tokens[2]
        call("stream", "Subscribe", agent, epoch=1, generation=1, head=b"x" * 60, version="1")
        call("unary", "Report", agent, epoch=1, applied_generation=1, list_digest=b"d" * 32, listen_port=51820)
        call("unary", "GetNodePeers", agent)
        call("unary", "Enroll", "", join_token="x.y", name="no-node", wg_public_key=b"k" * 32,
             identity_key=b"i" * 32, endpoint="198.51.100.1:51820")
        call("unary", "RenewToken", "", node_id=device)
    rows *= 3
    call("unary", "Login", "", user="nobody", password="wrong")  # rare: a password takes its time
    return rows


def write_seeds(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        for row in rows:
            f.write("\t".join(field or "-" for field in row) + "\n")


class Throw:
    """A run of mutate against one listener."""

    def __init__(self, watched, to, seeds, first, cases, *more):
        self.watched, self.first, self.cases = watched, first, cases
        self.again = f"{MUTATE} --to {to} {'--tls ' if '--tls' in more else ''}--show --replay"
        self.args = [MUTATE, "--to", to, "--seeds", seeds, "--seed", str(SEED), "--save", KEPT, *more]
        self.process = subprocess.Popen([*self.args, "--first", str(first), "--cases", str(cases)],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self):
        out, _ = self.process.communicate()
        name = self.watched.name
        print(f"{name}: " + f"\n{name}: ".join(out.splitlines()), flush=True)
        check(f"{name}: every case was over", self.process.returncode == 0, out)
        for word, n in re.findall(r"(\S+) (\d+)", "".join(re.findall(r"^answered .*", out, re.M))):
            self.watched.outcomes[word] = self.watched.outcomes.get(word, 0) + int(n)
        if self.process.returncode:
            print(f"kept in {KEPT}; again, one of them at a server like this: {self.again} FILE", flush=True)


def throw_at(watched, seeds, first, cases):
    """Most over loopback, the others over the Unix socket and TLS."""
    over_unix, over_tls = cases // 8, cases // 100
    daemon = watched.daemon
    throws = [Throw(watched, f"127.0.0.1:{daemon.port}", seeds, first, cases - over_unix - over_tls),
              Throw(watched, watched.unix, seeds, first + cases, over_unix, "--conns", "8")]
    if daemon.tls_port:
        throws.append(Throw(watched, f"127.0.0.1:{daemon.tls_port}", seeds, first + 2 * cases, over_tls,
                            "--tls", "--conns", "2"))
    return throws


def replay(watched):
    """The cases that are kept in the repository: each is what a limit, taken out, let pass or died of."""
    for name in sorted(os.listdir(CASES_DIR)):
        args = [MUTATE, "--to", f"127.0.0.1:{watched.daemon.port}", "--replay", os.path.join(CASES_DIR, name)]
        done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WAIT_S * 2,
                              check=False)
        wanted = name.split(".")[1]
        seen = {word for word, n in re.findall(r"(\S+) (\d+)", done.stdout) if n != "0"}
        seen |= {"grpc-" + code for code in re.findall(r" (\d+):\d+", done.stdout)}
        seen |= {"http-" + word for word in seen if word.endswith("xx")}
        check(f"{watched.name}: {name} again", done.returncode == 0 and wanted in seen, done.stdout)


class Node:
    """qmesh-noded beside the Control Panel; looks like a Daemon to meshrpc."""

    def __init__(self, cp, join_token, metrics_port):
        self.dir, self.port, self.tls_port = cp.dir, meshrpc.free_port(), meshrpc.free_port()
        self.log_path = os.path.join(cp.dir, "noded.log")
        path = os.path.join(cp.dir, "join.token")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write(join_token)
        self.args = [os.path.join(BIN, "qmesh-noded"), "--listen", f"127.0.0.1:{self.tls_port}",
                     "--listen-plain", f"127.0.0.1:{self.port}", "--admin-socket", cp.dir + "/node.sock",
                     "--state-dir", cp.dir + "/node", "--cp", f"https://127.0.0.1:{cp.tls_port}",
                     "--join-token-file", path, "--name", "node-one", "--endpoint", "127.0.0.1:51820",
                     "--firewall", "off", "--metrics", f"127.0.0.1:{metrics_port}"]
        self.env = dict(os.environ, **SANITIZER)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.args, stdout=log, stderr=log, env=self.env)

    def mesh(self, token=None, **kw):
        return meshrpc.Mesh(f"127.0.0.1:{self.port}", token, **kw)

    def wait_ready(self):
        for _ in range(WAIT_S * 20):
            try:
                if http(self, "GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        with open(self.log_path, errors="replace") as f:
            raise RuntimeError("qmesh-noded is not ready: " + f.read()[-3000:])

    def stop(self):
        self.process.terminate()
        try:
            rc = self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            rc = self.process.wait()
        with open(self.log_path, "ab") as log:
            subprocess.run([*self.args, "--teardown"], stdout=log, stderr=log, env=self.env,
                           timeout=WAIT_S, check=False)
        return rc


def sign_in(daemon, user, tenant):
    return http(daemon, "POST", "/api/auth/login",
                {"tenant": tenant, "user": user, "password": PASSWORD})[2]["token"]


def prepare(cp, metrics_ports):
    """Two daemons with a tenant, people, a device; what is thrown at each."""
    admin = cp.admin()
    try:
        admin.call("CreateTenant", name="home", plan=3)
        for user, role in (("ann", 3), ("bob", 1), ("neighbour", 3)):
            admin.call("CreateUser", tenant="home", name=user, password=PASSWORD, role=role)
        node = Node(cp, admin.call("CreateJoinToken", tenant="home").join_token, metrics_ports[1])
        node.wait_ready()
        agent = enroll(cp, admin, "home", "other").agent_token
    finally:
        admin.close()
    watched = []
    for name, daemon, tenant, unix in (("cp", cp, "home", cp.dir + "/admin.sock"),
                                       ("node", node, "", cp.dir + "/node.sock")):
        tokens = [sign_in(daemon, user, tenant) for user in ("ann", "bob")] + [agent]
        mesh = daemon.mesh(tokens[0])
        home = mesh.call("ListNodes").nodes[0].id
        made = mesh.call("CreateDevice", label="thrown at " + name, wait_ms=5000,
                         node_id=home)
        generation = int(mesh.headers["qmesh-generation"])
        mesh.close()
        w = Watched(name, daemon, metrics_ports[len(watched)], sign_in(daemon, "neighbour", tenant), unix)
        w.seeds = os.path.join(cp.dir, name + ".seeds")
        write_seeds(w.seeds, seeds_for(name, tokens, made.device.id, generation))
        watched.append(w)
    return node, watched


def throw_all(watched, first, cases):
    throws = [t for w in watched for t in throw_at(w, w.seeds, first, cases)]
    for throw in throws:
        throw.end()


def tell(watched):
    """Most cases must have been read, not turned away at the door."""
    for w in watched:
        o = w.outcomes
        total = sum(o.get(k, 0) for k in ("answered", "stream-refused", "closed", "silent", "left", "lenient"))
        print(f"{w.name}: of {total} cases " + ", ".join(f"{k} {n}" for k, n in o.items()), flush=True)
        check(f"{w.name}: all cases were thrown", total >= CASES // 2, total)
        check(f"{w.name}: most were answered", o.get("answered", 0) > total // 3, o)


def run(cp, metrics_ports):
    node, watched = prepare(cp, metrics_ports)
    neighbours = [Neighbour(w) for w in watched]
    warm = max(1000, CASES // 10)
    try:
        before = [w.settled({"connections": 1}) for w in watched]
        for neighbour in neighbours:
            neighbour.start()
        for w in watched:
            replay(w)
        throw_all(watched, 0, warm)
        # The neighbour is still there.
        middle = [w.settled({"connections": first["connections"] + 1}) for w, first in zip(watched, before)]
        began = time.monotonic()
        throw_all(watched, 10 * CASES, CASES // 2 - warm)
        print(f"{CASES - 2 * warm} cases in {time.monotonic() - began:.0f} s", flush=True)
        for w, neighbour in zip(watched, neighbours):
            neighbour.end()
            check(f"{w.name}: the neighbour was served every time", neighbour.n > 0 and not neighbour.refusals,
                  (neighbour.n, neighbour.refusals[:3]))
            print(f"{w.name}: the neighbour's {neighbour.n} calls, {len(neighbour.refusals)} refused", flush=True)
        tell(watched)
        for w, first, warmed in zip(watched, before, middle):
            check(f"{w.name}: stands", w.alive(), w.log()[-3000:])
            if not w.alive():
                continue
            after = w.settled(first)
            print(f"{w.name}: before {first}, warm {warmed}, after {after}", flush=True)
            check(f"{w.name}: nothing is held", all(after[k] <= first[k] for k in first if k != "rss"), (first, after))
            check(f"{w.name}: memory is back", after["rss"] - warmed["rss"] < GROWTH_MAX_KIB, (warmed, after))
            check(f"{w.name}: ready", w.ready() == 200, w.ready())
    finally:
        for neighbour in neighbours:
            neighbour.stop_it.set()
        check("node ends well", node.stop() == 0, watched[1].log()[-3000:])
    return watched


def main():
    if os.geteuid() != 0:
        print("needs root for a network namespace")
        return 77
    for program in (os.path.join(BIN, "qmesh-noded"), os.path.join(BIN, "qmesh-cpd"), MUTATE):
        if not os.path.exists(program):
            print(f"no {program}: build first")
            return 77
    if os.environ.get("QMESH_IN_NETNS") != "1":
        return subprocess.run(["unshare", "-n", "-m", "--propagation", "private", sys.executable,
                               os.path.abspath(__file__)],
                              env={**os.environ, "QMESH_IN_NETNS": "1"}, check=False).returncode
    subprocess.run("ip link set lo up && mkdir -p /var/run/wireguard && "
                   "mount -t tmpfs none /var/run/wireguard", shell=True, check=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    shutil.rmtree(KEPT, ignore_errors=True)
    ports = meshrpc.free_port(), meshrpc.free_port()
    cp = meshrpc.Daemon(extra=["--metrics", f"127.0.0.1:{ports[0]}"], env=SANITIZER)
    watched = []
    try:
        cp.start()
        watched = run(cp, ports)
    finally:
        check("Control Panel ends well", cp.stop() == 0, cp.log()[-3000:])
        for w in watched:
            check(f"{w.name}: no report", not re.search("Sanitizer|runtime error:", w.log()), w.log()[-3000:])
        if failed == 0:
            cp.remove()
        else:
            print(f"logs and seeds are in {cp.dir}")
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
