#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A Control Panel's backup from the command line: made while it works, opened
by one key only, checked, and put back under a real node, which follows without
joining anew. What is bad is named, and leaves nothing half done."""
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import meshrpc  # noqa: E402
from meshrpc import BUILD, PASSWORD, Refused, login  # noqa: E402
from parts import run, run_all, summary  # noqa: E402
from realnode import RealNode, control_panel, enter, until  # noqa: E402

OTHER, CONFLICT, BAD = 1, 7, 10


def qmesh(*args, code=0):
    done = subprocess.run([os.path.join(BUILD, "bin", "qmesh"), *args], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == code, f"{args}: {done.returncode}, not {code}: {done.stderr}"
    return done.stdout + done.stderr


class Lab:
    def __init__(self):
        self.cp, self.admin = control_panel("--provision-limit", "100")
        self.dir = os.path.join(self.cp.dir, "backups")
        os.mkdir(self.dir)
        self.state = os.path.join(self.cp.dir, "state")
        self.key = self.path("key")
        qmesh("backup", "keygen", self.key)
        self.node = RealNode(self.cp, self.admin).start().wait_ready()
        self.ann = login(self.cp, "ann", "home")

    def path(self, name):
        return os.path.join(self.dir, name)

    def create(self, name, code=0, key=None):
        return qmesh("--server", "unix:" + os.path.join(self.cp.dir, "admin.sock"), "backup",
                     "create", self.path(name), "--to", (key or self.key) + ".pub", code=code)

    def verify(self, name, code=0, key=None):
        return qmesh("backup", "verify", self.path(name), "--key", key or self.key, code=code)

    def restore(self, name, *more, code=0, where=None):
        return qmesh("backup", "restore", self.path(name), "--key", self.key, "--state-dir",
                     where or self.state, *more, code=code)

    def add(self, label):
        return self.ann.call("CreateDevice", label=label).device

    def put(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)

    def get(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def sql(self, *statements):
        db = sqlite3.connect(os.path.join(self.state, "store.db"), timeout=20)
        with db:
            for statement in statements:
                db.execute(statement)
        db.close()

    def slugs_at_node(self):
        token = self.node.mesh().call("Login", user="ann", password=PASSWORD).token
        answer = self.node.mesh(token).call("ListDevices")
        return sorted(device.slug for device in answer.devices)

    def close(self):
        self.node.stop()
        assert self.cp.stop() == 0
        self.cp.remove()


def made_under_writes(lab):
    """Acknowledged before it began: in it. Writes go on, and none fails."""
    lab.add("before")
    stop, made, errors = threading.Event(), [], []

    def write():
        mesh = lab.cp.admin()
        for i in range(2000):
            if stop.is_set():
                break
            try:
                made.append(mesh.call("CreateUser", tenant="home", name=f"u{i}",
                                      password=PASSWORD).user.name)
            except Refused as refusal:
                errors.append(refusal)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        until(lambda: len(made) > 3)
        sure = len(made)
        for i in range(5):
            lab.create(f"live-{i}")
    finally:
        stop.set()
        thread.join()
    assert not errors and len(made) >= sure, errors
    for i in range(5):
        out = lab.verify(f"live-{i}")
        users = int(out.split("users")[1].split()[0])
        assert sure + 1 <= users <= len(made) + 1, (sure, users, len(made))
        assert "good: it can be restored" in out


def nothing_readable(lab):
    sealed = lab.get("live-0")
    state = {}
    for name in os.listdir(os.path.join(lab.state, "keys")):
        with open(os.path.join(lab.state, "keys", name), "rb") as f:
            state[name] = f.read()
    for word in (b"SQLite format", b"store.db", b"home", b"PRIVATE KEY", *state.values()):
        assert word not in sealed, word
    assert os.stat(lab.path("live-0")).st_mode & 0o777 == 0o600
    assert os.stat(lab.key).st_mode & 0o777 == 0o600
    assert not [n for n in os.listdir(lab.state) if n not in
                ("store.db", "store.db-wal", "store.db-shm", "keys", "ca.pem")], "left behind"


def epoch(lab):
    db = sqlite3.connect(os.path.join(lab.state, "store.db"), timeout=20)
    found = db.execute("SELECT epoch FROM tenants WHERE name = 'home'").fetchone()[0]
    db.close()
    return found


def bad_files(lab):
    whole = lab.get("live-0")
    seed = random.Random(7)
    places = list(range(0, 140)) + [seed.randrange(len(whole)) for _ in range(60)]
    for at in places:
        data = bytearray(whole)
        data[at] ^= 1 << seed.randrange(8)
        lab.put("bad", data)
        out = lab.verify("bad", code=BAD)
        assert out.startswith("error: ") and "live" not in out, out
    for n in (0, 1, 7, 8, 11, 12, 131, 132, 135, 1000, len(whole) // 2, len(whole) - 1):
        lab.put("bad", whole[:n])
        out = lab.verify("bad", code=BAD)
        assert "cut off" in out or "no backup" in out, (n, out)
    # A whole chunk less: the last one that is there does not say that it is the last.
    lab.put("bad", whole[:132 + 4 + 65536 + 17])
    assert "cut off" in lab.verify("bad", code=BAD)
    lab.put("bad", whole + b"x")
    assert "damaged" in lab.verify("bad", code=BAD)
    lab.put("bad", whole[:8] + b"\0\2" + whole[10:])
    assert "does not know" in lab.verify("bad", code=BAD)
    qmesh("backup", "keygen", lab.path("other"))
    assert "another key" in lab.verify("live-0", key=lab.path("other"), code=BAD)
    # The other pair's name in the head does not help its owner.
    with open(lab.path("bad"), "wb") as f:
        lab.create("theirs", key=lab.path("other"))
        f.write(whole[:20] + lab.get("theirs")[20:28] + whole[28:])
    assert "damaged" in lab.verify("bad", key=lab.path("other"), code=BAD)
    where = os.path.join(lab.cp.dir, "never")
    lab.put("bad", whole[:-5])
    lab.restore("bad", where=where, code=BAD)
    assert not os.path.exists(where)


def bad_stores(lab):
    """What an image holds is looked at: each planted fault is named."""
    faults = [
        ("UPDATE audit SET object = 'x' WHERE seq = 2", "row 2 of the audit is changed"),
        ("DELETE FROM audit WHERE seq = 3", "row 3 of the audit is missing"),
        ("UPDATE addresses SET freed_ms = 1 WHERE freed_ms IS NULL", "address that is not taken"),
        ("UPDATE tenants SET devices = devices + 1", "count of devices"),
        ("UPDATE members SET generation = 1000000", "newer than the tenant"),
        ("UPDATE members SET ip4 = ip4 + 65536", "another range"),
        ("UPDATE keys SET psk_version = 9", "psk-9.key: is missing"),
        ("DROP TRIGGER devices_in", "guard of the device cap"),
        ("UPDATE sessions SET user = zeroblob(16)", "is not there"),
    ]
    assert lab.cp.stop() == 0
    shutil.copytree(lab.state, lab.state + ".kept")
    try:
        for i, (statement, words) in enumerate(faults):
            shutil.rmtree(lab.state)
            shutil.copytree(lab.state + ".kept", lab.state)
            lab.cp.start()
            lab.sql(statement)
            lab.create(f"fault-{i}")
            lab.cp.kill()
            out = lab.verify(f"fault-{i}", code=BAD)
            assert words in out, (statement, out)
        shutil.rmtree(lab.state)
        shutil.copytree(lab.state + ".kept", lab.state)
        lab.cp.start()
        lab.sql("PRAGMA user_version = 99")
        lab.create("newer")
        lab.cp.kill()
        assert "schema 99, which is newer" in lab.verify("newer", code=BAD)
        shutil.rmtree(lab.state)
        shutil.copytree(lab.state + ".kept", lab.state)
        lab.cp.start()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=other", "-keyout", "/dev/null", "-out", os.path.join(lab.state, "ca.pem")],
                       check=True, capture_output=True)
        lab.create("unpaired")
        lab.cp.kill()
        assert "ca.pem: is the certificate of none" in lab.verify("unpaired", code=BAD)
    finally:
        shutil.rmtree(lab.state)
        os.rename(lab.state + ".kept", lab.state)
        lab.cp.start()
        lab.admin = lab.cp.admin()
    os.chmod(os.path.join(lab.state, "keys", "lists.key"), 0o600)


def full_disk(lab):
    small = os.path.join(lab.cp.dir, "small")
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "none", small], check=True)
    try:
        out = qmesh("--server", "unix:" + os.path.join(lab.cp.dir, "admin.sock"), "backup", "create",
                    small + "/b", "--to", lab.key + ".pub", code=OTHER)
        assert "No space left" in out and os.listdir(small) == [], (out, os.listdir(small))
        out = lab.restore("live-0", where=small + "/state", code=OTHER)
        assert "No space left" in out and os.listdir(small) == [], (out, os.listdir(small))
    finally:
        subprocess.run(["umount", small], check=True)


def one_at_a_time(lab):
    """A reader who does not read holds the only one; when they go, it is free."""
    lab.sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
            " INSERT INTO nonces SELECT randomblob(16), randomblob(100), 1 FROM n")
    with open(lab.key + ".pub", encoding="ascii") as f:
        public = meshrpc.base64.b64decode(f.read().split()[1])
    mine = lab.cp.admin().stream("CreateBackup", public_key=public)
    first = next(iter(mine))
    assert first.total > 8 << 20, first.total
    assert "is being made already" in lab.create("second", code=CONFLICT)
    assert not [n for n in os.listdir(lab.dir) if n.startswith("second")]
    mine.cancel()
    assert until(lambda: not lab_refuses(lab))
    assert os.path.getsize(lab.path("third")) >= first.total - 100000
    lab.verify("third")


def lab_refuses(lab):
    try:
        os.path.exists(lab.path("third")) and os.unlink(lab.path("third"))
        lab.create("third")
        return False
    except AssertionError:
        return True


def usage(lab):
    lab.create("live-0", code=CONFLICT)  # it is there
    with open(lab.path("nokey.pub"), "w", encoding="ascii") as f:
        f.write("qmesh-backup-public AAAA\n")
    lab.create("never", code=2, key=lab.path("nokey"))
    qmesh("backup", "keygen", lab.key, code=CONFLICT)
    try:
        lab.admin.call("CreateBackup", public_key=bytes(32))
    except Refused as refusal:
        assert refusal.reason == "FIELD_INVALID" and "public_key" in refusal.fields, refusal
    else:
        raise AssertionError("a key of zeros was taken")
    try:
        lab.ann.call("CreateBackup", public_key=bytes(31) + b"\1")
    except Refused as refusal:
        assert refusal.code in ("PERMISSION_DENIED", "UNAUTHENTICATED"), refusal
    else:
        raise AssertionError("a person got a backup")


def back_again(lab):
    lab.ann = login(lab.cp, "ann", "home")
    lab.add("kept")
    token = lab.admin.call("CreateJoinToken", tenant="home").join_token
    lab.create("good")
    gone = lab.add("after")
    assert until(lambda: lab.slugs_at_node() == ["after", "before", "kept"])
    lab.ann.call("DeleteDevice",
                 id=[d.id for d in lab.ann.call("ListDevices").devices if d.slug == "kept"][0])
    old_epoch = epoch(lab)
    old_state = lab.ann.call("GetState").state
    node_id = [n.id for n in lab.admin.call("ListTenantNodes", tenant="home").nodes]
    assert "works with" in lab.restore("good", "--force", code=CONFLICT)
    assert lab.cp.stop() == 0
    assert "not empty" in lab.restore("good", code=CONFLICT)
    out = lab.restore("good", "--force")
    aside = [n for n in os.listdir(lab.cp.dir) if n.startswith("state.before-")]
    assert len(aside) == 1 and aside[0] in out, (aside, out)
    assert not [n for n in os.listdir(lab.cp.dir) if "restoring" in n]
    assert epoch(lab) > old_epoch
    lab.cp.start()
    lab.admin = lab.cp.admin()
    # The session of before is over, here and at the node; so is the join token.
    try:
        lab.cp.mesh(lab.ann.metadata[0][1].split()[1]).call("WhoAmI")
    except Refused as refusal:
        assert refusal.reason == "TOKEN_INVALID", refusal
    else:
        raise AssertionError("a session of before the restore is good")
    try:
        lab.cp.mesh().call("Enroll", join_token=token, name="late", wg_public_key=meshrpc.x25519(),
                           identity_key=os.urandom(32), endpoint="198.51.100.1:51820")
    except Refused as refusal:
        assert refusal.reason == "JOIN_TOKEN_INVALID", refusal
    else:
        raise AssertionError("a join token of before the restore is good")
    lab.ann = login(lab.cp, "ann", "home")

    def follows():
        try:
            return lab.slugs_at_node() == ["before", "kept"]
        except Refused:
            return False

    assert until(follows, 60), lab.slugs_at_node()
    assert [n.id for n in lab.admin.call("ListTenantNodes", tenant="home").nodes] == node_id
    # And goes on following: the address of what is gone is free for others.
    new = lab.add("later")
    assert new.mesh_ip and gone.id != new.id
    assert until(lambda: lab.slugs_at_node() == ["before", "kept", "later"], 30)
    verified = lab.admin.call("VerifyAudit", tenant="home")
    assert verified.fault == 0
    entries = lab.ann.call("ListAudit").entries
    actions = [e.action for e in entries]
    # Who had it made, and for which key, is in the audit, in the backup itself too.
    with open(lab.key + ".pub", encoding="ascii") as f:
        public = f.read().split()[1]
    assert ("store.backup", "operator", f"sealed to {public}") in [(e.action, e.actor, e.object) for e in entries], actions
    # Nobody had to prove that the store went back.
    assert "store.restore" in actions and "tenant.epoch" not in actions, actions
    assert lab.ann.call("GetState").state.generation <= old_state.generation + 5


def main():
    rc = enter(__file__)
    if rc is not None:
        return rc
    lab = Lab()
    run_all((made_under_writes, nothing_readable, usage, bad_files, full_disk, back_again,
             one_at_a_time, bad_stores), lab)
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
