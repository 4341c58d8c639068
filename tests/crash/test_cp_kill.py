#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the Control Panel at named points and at random, under load.

After each death: every acknowledged device, rotation, service token, licence
and disabled user is there, every acknowledged deletion stayed deleted, a call
with an Idempotency-Key that was cut off makes one device when it is repeated, no
address or name twice, the cap kept, the audit chain whole, the list's digest
what its members say. A round whose point was never hit fails. Then the five
creations a minute, over several deaths. 100 rounds, or --rounds N; 10,000 with
--long."""
import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import BUILD, PASSWORD, ROOT, Daemon, Refused, enroll, login  # noqa: E402

POINTS = ["store.savepoint", "store.released", "store.before_commit", "store.after_commit",
          "store.before_answer", "hub.before_publish", "hub.after_publish"]
CAP = 40
EXTRA = ["--cap-team", str(CAP), "--provision-limit", "100", "--provision-period", "1s",
         "--apply-wait", "0s"]
ROUNDS, LONG_ROUNDS = 100, 10000
SIGN = os.path.join(ROOT, "scripts", "licence-sign")


class World:
    """What was acknowledged, over all lives of the daemon."""

    def __init__(self):
        self.made, self.gone, self.maybe_gone = {}, set(), set()
        self.keys = {}  # id -> key of the last acknowledged rotation; None: one is under way
        self.unsure = {}  # labels, and keys, of creations that were cut off
        self.tokens = []  # service tokens
        self.disabled = False  # u5; None: a change is under way
        self.serial = self.signed = 0  # of licences: acknowledged, signed
        self.panel = self.keyed = None
        self.odd = []
        self.dir = tempfile.mkdtemp(prefix="qmesh-kill-")
        self.vendor_keys = os.path.join(self.dir, "vendor-keys")
        line = subprocess.run([SIGN, "keygen", os.path.join(self.dir, "key"), "--name", "Vendor"],
                              check=True, capture_output=True, text=True).stdout
        with open(os.open(self.vendor_keys, os.O_WRONLY | os.O_CREAT, 0o644), "w") as f:
            f.write(line)
        self.lock = threading.Lock()
        self.n = 0

    def licence(self):
        """(serial, text) of the next one: signing takes time, so not in each round."""
        if not self.panel or random.random() < 0.7:
            return None
        self.signed += 1
        return self.signed, subprocess.run(
            [SIGN, "sign", os.path.join(self.dir, "key"), "--licensee", "Acme", "--serial",
             str(self.signed), "--plan", "team", "--control-panel", self.panel, "--expires",
             "2099-12-31"], check=True, capture_output=True, text=True).stdout

    def label(self):
        with self.lock:
            self.n += 1
            return f"d{self.n}"


def work(daemon, token, world, stop):
    mesh = daemon.mesh(token)
    mine, label = [], ""
    while not stop.is_set():
        try:
            if len(mine) > 4 or (mine and random.random() < 0.3):
                id_ = mine.pop(random.randrange(len(mine)))
                with world.lock:
                    world.maybe_gone.add(id_)
                mesh.call("DeleteDevice", id=id_, timeout=30)
                with world.lock:
                    world.gone.add(id_)
            elif mine and random.random() < 0.3:
                id_ = random.choice(mine)
                with world.lock:
                    world.keys[id_] = None
                key = mesh.call("RotateDeviceKey", id=id_, timeout=30).device.public_key
                with world.lock:
                    world.keys[id_] = key
            else:
                label = world.label()
                keyed = [("idempotency-key", label)] if token == world.keyed else []
                if keyed:
                    world.unsure[label] = True
                made = mesh.call("CreateDevice", label=label, timeout=30, metadata=keyed).device
                with world.lock:
                    world.unsure.pop(label, None)
                    world.made[made.id] = made.mesh_ip
                mine.append(made.id)
        except Refused as refusal:
            if refusal.reason in ("DEVICE_CAP_REACHED", "RATE_LIMITED"):
                world.unsure.pop(label, None)
                time.sleep(0.02)
                continue
            break
    mesh.close()


def operate(daemon, token, world, stop):
    """The operator and an admin beside them: a user, service tokens, the next licence."""
    admin, mesh = daemon.admin(), daemon.mesh(token)
    licence = world.licence()
    while not stop.is_set():
        try:
            wanted, world.disabled = not world.disabled, None
            admin.call("UpdateUser", tenant="acme", user="u5", disabled=wanted, timeout=30)
            world.disabled = wanted
            name = f"t{len(world.tokens)}-{random.getrandbits(40)}"
            try:
                world.tokens.append(mesh.call("CreateServiceToken", name=name, timeout=30).token)
            except Refused as refusal:
                if "100 tokens" not in str(refusal):  # all that a user may have
                    raise
            if licence:
                serial, licence_text = licence
                admin.call("InstallLicence", licence=licence_text, timeout=30)
                world.serial, licence = serial, None
        except Refused as refusal:
            if refusal.code not in ("UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"):
                world.odd.append(str(refusal))
            break
        time.sleep(0.01)
    mesh.close()
    admin.close()


def listen(daemon, token):
    """An agent stream, so that there is something to publish to."""
    mesh = daemon.mesh(token)

    def run():
        try:
            for _ in mesh.stream("Subscribe"):
                pass
        except Exception:  # noqa: BLE001
            pass
    threading.Thread(target=run, daemon=True).start()
    return mesh


def devices(admin_user):
    found, token = [], ""
    while True:
        page = admin_user.call("ListDevices", all=True, page_token=token)
        found += page.devices
        token = page.next_page_token
        if not token:
            return found


def check_chain(db):
    """The audit chain recomputed from outside, as docs and design say it is made."""
    for tenant, seq, hash_ in db.execute("SELECT id, audit_seq, audit_hash FROM tenants"):
        at, n = bytes(32), 0
        for row in db.execute("SELECT seq, time_ms, actor_id, object_id, actor, action, object,"
                              " origin, request_id, result, hash FROM audit WHERE tenant = ?"
                              " ORDER BY seq", (tenant,)):
            n += 1
            assert row[0] == n, f"audit: row {n} is missing"
            h = hashlib.blake2b(b"qmesh-audit/1\0" + at + tenant, digest_size=32)
            h.update(row[0].to_bytes(8, "big") + row[1].to_bytes(8, "big"))
            h.update((row[2] or bytes(16)) + (row[3] or bytes(16)))
            for text in row[4:10]:
                h.update(text.encode() + b"\0")
            at = h.digest()
            assert at == row[10], f"audit: row {n} does not fit"
        assert n == seq and (not n or at == hash_), "audit: head does not fit"


def check_store(daemon):
    db = sqlite3.connect(os.path.join(daemon.dir, "state", "store.db"))
    db.text_factory = lambda b: b.decode()
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert not db.execute("PRAGMA foreign_key_check").fetchall()
    check_chain(db)
    for table, count in (("devices", "devices"), ("nodes", "nodes")):
        for tenant, stored in db.execute(f"SELECT id, {count} FROM tenants").fetchall():
            n, = db.execute(f"SELECT count(*) FROM {table} WHERE tenant = ?", (tenant,)).fetchone()
            assert n == stored, f"{table}: {n} rows, {stored} counted"
    for tenant, digest, range4 in db.execute("SELECT id, digest, range4 FROM tenants").fetchall():
        total = 0
        for record, ip4 in db.execute("SELECT record, ip4 FROM members WHERE tenant = ?",
                                      (tenant,)):
            total += int.from_bytes(hashlib.blake2b(record, digest_size=32).digest(), "big")
            held = db.execute("SELECT freed_ms FROM addresses WHERE tenant = ? AND host = ?",
                              (tenant, ip4 & 0xffff)).fetchone()
            assert held == (None,), f"address of {ip4:x}: {held}"
            assert ip4 & 0xffff0000 == range4
        assert (total % (1 << 256)).to_bytes(32, "big") == digest, "digest does not fit"
    orphans, = db.execute("SELECT count(*) FROM members m WHERE NOT EXISTS (SELECT 1 FROM keys k"
                          " WHERE k.tenant = m.tenant AND k.member = m.id)").fetchone()
    assert not orphans, "a member without a key"
    db.close()


def check_operator(daemon, world):
    """What operate() was told; it is at rest now."""
    assert not world.odd, world.odd
    admin = daemon.admin()
    users = {u.name: u.disabled for u in admin.call("ListUsers", tenant="acme").users}
    assert world.disabled in (None, users["u5"]), "an acknowledged change of a user is gone"
    world.disabled = users["u5"]
    serial = admin.call("GetLicence").status.licence.serial
    assert serial >= world.serial, f"licence {world.serial} was acknowledged, {serial} is there"
    world.serial = serial
    for token in world.tokens:
        bearer = daemon.mesh(token)
        assert bearer.call("WhoAmI").user == "u0"
        bearer.close()
    world.tokens.clear()
    admin.close()


def repeat(ann, world):
    """The callers come back with their keys: one device for each, made before or now."""
    for label in list(world.unsure):
        try:
            ann.call("CreateDevice", label=label, metadata=[("idempotency-key", label)])
        except Refused as refusal:
            assert refusal.reason in ("DEVICE_CAP_REACHED", "RATE_LIMITED"), refusal
            continue
        assert sum(d.label == label for d in devices(ann)) == 1, f"{label}: not once"
    world.unsure.clear()


def check(daemon, world):
    check_store(daemon)
    check_operator(daemon, world)
    ann = login(daemon, "u0")
    repeat(ann, world)
    there = devices(ann)
    have = {d.id: d.mesh_ip for d in there}
    for device in there:
        key = world.keys.get(device.id)
        assert key in (None, device.public_key), "an acknowledged rotation is gone"
    with world.lock:
        for id_, address in world.made.items():
            if id_ in world.gone:
                assert id_ not in have, "an acknowledged deletion came back"
            elif id_ not in world.maybe_gone:
                assert have.get(id_) == address, "an acknowledged device is gone"
    addresses = list(have.values())
    assert len(addresses) == len(set(addresses)), "an address twice"
    assert len(have) <= CAP, f"{len(have)} devices over a cap of {CAP}"
    # Make room, and know what is there from now on.
    for id_ in list(have)[: max(0, len(have) - CAP // 2)]:
        ann.call("DeleteDevice", id=id_)
        have.pop(id_)
    with world.lock:
        world.made, world.gone, world.maybe_gone = dict(have), set(), set()
        world.keys = {}
    ann.close()


def one_round(daemon, world, node, point):
    env = {"QMESH_KILL": f"{point}:{random.randint(3, 25)}"} if point else {}
    try:
        daemon.start(env)
    except RuntimeError:
        # A point that sign-in and start-up pass is hit early: dead is what it should be.
        if not point or daemon.process.returncode != -9:
            raise
        daemon.start()
        check(daemon, world)
        daemon.kill()
        return
    stop, threads = threading.Event(), []
    stream = listen(daemon, node.agent_token)
    try:
        for i in range(5):
            token = daemon.mesh().call("Login", user=f"u{i}", password=PASSWORD).token
            if i == 0:
                world.keyed = token
                threads.append(threading.Thread(target=operate,
                                                args=(daemon, token, world, stop)))
                threads[-1].start()
            threads.append(threading.Thread(target=work, args=(daemon, token, world, stop)))
            threads[-1].start()
    except Refused as refusal:
        assert refusal.code in ("UNAVAILABLE", "CANCELLED"), refusal
    if point:
        until = time.monotonic() + 90
        while daemon.process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        hit = daemon.process.returncode == -9
    else:
        time.sleep(random.uniform(0.05, 0.6))
        daemon.kill()
        hit = True
    stop.set()
    for t in threads:
        t.join()
    stream.close()
    if daemon.process.poll() is None:
        daemon.kill()
    assert hit, f"{point} was never hit (exit {daemon.process.returncode})"
    daemon.start()
    check(daemon, world)
    daemon.kill()


def limits():
    """Five creations in a minute, whoever dies between: what was cut off may count or not, but
    a sixth device is never there, and the wait that is told stays within the minute."""
    daemon = Daemon(["--apply-wait", "0s"]).start()
    admin = daemon.admin()
    admin.call("CreateTenant", name="acme", plan=4)
    admin.call("CreateUser", tenant="acme", name="u0", password=PASSWORD, role=3)
    enroll(daemon, admin, "acme", "gate")
    began, refused = time.monotonic(), None
    for n in range(8):
        daemon.kill()
        try:
            daemon.start({"QMESH_KILL": f"{POINTS[n % 5]}:{3 + n % 4}"} if n < 6 else None)
        except RuntimeError:
            assert n < 6 and daemon.process.returncode == -9, daemon.log()[-2000:]
            continue
        try:
            ann = login(daemon, "u0")
            for i in range(8):
                ann.call("CreateDevice", label=f"d{n}-{i}", timeout=30)
        except Refused as refusal:
            if refusal.reason == "RATE_LIMITED":
                refused = refusal
        if daemon.process.poll() is None and n == 7:
            there = devices(login(daemon, "u0"))
            if time.monotonic() - began < 55:
                assert len(there) <= 5, f"{len(there)} devices in a minute"
                assert refused and 0 < refused.retry_ms <= 60000, refused
    check_store(daemon)
    daemon.kill()
    daemon.remove()


def built_with_points():
    with open(os.path.join(BUILD, "bin", "qmesh-cpd"), "rb") as f:
        return b"QMESH_KILL" in f.read()


def main():
    if not built_with_points():
        print("skipped: built without QMESH_KILL_POINTS")
        return 77
    rounds = LONG_ROUNDS if "--long" in sys.argv or os.environ.get("QMESH_LONG") else ROUNDS
    if "--rounds" in sys.argv:
        rounds = int(sys.argv[sys.argv.index("--rounds") + 1])
    world = World()
    daemon = Daemon(EXTRA + ["--agent-token-life", "15m", "--licence-vendor-key-file",
                             world.vendor_keys]).start()
    admin = daemon.admin()
    admin.call("CreateTenant", name="acme", plan=3)
    for i in range(6):
        admin.call("CreateUser", tenant="acme", name=f"u{i}", password=PASSWORD,
                   role=3 if i == 0 else 1)
    node = enroll(daemon, admin, "acme", "gate")
    world.panel = admin.call("GetLicence").status.control_panel
    daemon.kill()
    done = failed = 0
    while done < rounds:
        point = (POINTS + [None])[done % (len(POINTS) + 1)]
        try:
            one_round(daemon, world, node, point)
        except AssertionError as error:
            failed += 1
            print(f"FAIL round {done} at {point or 'random'}: {error}", flush=True)
            if daemon.process.poll() is None:
                daemon.kill()
        done += 1
    if failed:
        print(daemon.log()[-3000:])
    daemon.remove()
    shutil.rmtree(world.dir)
    try:
        limits()
    except AssertionError as error:
        failed += 1
        print(f"FAIL limits: {error}")
    print(f"{done} deaths at {len(POINTS)} points and at random")
    print(f"passed {done + 1 - failed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
