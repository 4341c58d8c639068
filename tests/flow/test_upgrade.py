#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A Control Panel on a store of another schema: an older one is copied, then
brought up, and loses nothing; a newer one is refused in words and left alone;
without room for the copy nothing is changed."""
import os
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import PASSWORD, Daemon, enroll, login  # noqa: E402
from parts import run, summary  # noqa: E402

# Steps of the schema taken back: what a program of schema 1 left behind.
BACK = ["DROP TABLE tenant_cas", "DROP TABLE audit_heads", "DROP TABLE replays", "DROP TABLE licence", "DROP TABLE tokens",
        "ALTER TABLE join_tokens DROP COLUMN node",
        *(f"ALTER TABLE tenants DROP COLUMN {name}" for name in
          ("sso_required", "trial_plan", "plan_source", "features", "licence_serial",
           "licence_state", "licence_expires_ms", "licence_grace_ms", "licensed_plan")),
        "PRAGMA user_version = 1"]


class Lab:
    def __init__(self):
        self.d = Daemon().start()
        self.state = os.path.join(self.d.dir, "state")
        self.store = os.path.join(self.state, "store.db")
        admin = self.d.admin()
        admin.call("CreateTenant", name="acme", plan=3)
        admin.call("CreateUser", tenant="acme", name="ann", password=PASSWORD, role=3)
        enroll(self.d, admin, "acme", "gw-one")
        login(self.d, "ann", "acme").call("CreateDevice", label="phone")
        assert self.d.stop() == 0
        self.now = self.version()
        assert self.now >= 5
        self.sql(*BACK)
        shutil.copytree(self.state, self.state + ".old")

    def sql(self, *statements):
        db = sqlite3.connect(self.store)
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()

    def version(self, path=None):
        db = sqlite3.connect(path or self.store)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.close()
        return version

    def fresh(self):
        shutil.rmtree(self.state)
        shutil.copytree(self.state + ".old", self.state)

    def copies(self):
        return sorted(n for n in os.listdir(self.state) if "schema" in n)

    def fails(self):
        try:
            self.d.start()
        except RuntimeError:
            return self.d.log()[-1500:]
        raise AssertionError("it started")


def brought_up(lab):
    lab.d.start()
    ann = login(lab.d, "ann", "acme")
    assert [x.slug for x in ann.call("ListDevices").devices] == ["phone"]
    ann.call("CreateDevice", label="laptop")
    assert lab.d.admin().call("VerifyAudit", tenant="acme").fault == 0
    assert lab.d.stop() == 0
    assert lab.version() == lab.now
    assert lab.copies() == ["store-schema-1.db"], lab.copies()
    copy = os.path.join(lab.state, "store-schema-1.db")
    assert os.stat(copy).st_mode & 0o777 == 0o600
    assert lab.version(copy) == 1
    db = sqlite3.connect(copy)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("SELECT slug FROM members m JOIN devices d ON d.id = m.id").fetchall() == \
        [("phone",)]
    db.close()
    # Up to date: no more copies, and this one stays as it is.
    before = os.stat(copy).st_mtime_ns
    lab.d.start()
    assert lab.d.stop() == 0
    assert lab.copies() == ["store-schema-1.db"] and os.stat(copy).st_mtime_ns == before


def newest_copy_only(lab):
    """From schema 4: its copy stays, the one of schema 1 goes."""
    lab.sql("DROP TABLE tenant_cas", "DROP TABLE audit_heads", "ALTER TABLE licence DROP COLUMN latest_ms",
            "ALTER TABLE join_tokens DROP COLUMN node", "PRAGMA user_version = 4")
    lab.d.start()
    assert lab.d.stop() == 0
    assert lab.copies() == ["store-schema-4.db"], lab.copies()


def the_copy_works(lab):
    """Put in the store's place it is a store again: the way back to the program before."""
    lab.fresh()
    lab.d.start()
    assert lab.d.stop() == 0
    for end in ("", "-wal", "-shm"):
        if os.path.exists(lab.store + end):
            os.unlink(lab.store + end)
    os.rename(os.path.join(lab.state, "store-schema-1.db"), lab.store)
    lab.d.start()
    assert [x.slug for x in login(lab.d, "ann", "acme").call("ListDevices").devices] == ["phone"]
    assert lab.d.stop() == 0


def newer_is_refused(lab):
    lab.sql("PRAGMA user_version = 99")
    log = lab.fails()
    assert "schema 99" in log and f"knows up to {lab.now}" in log and "install the newer" in log, log
    assert lab.version() == 99


def no_room(lab):
    """The copy does not fit: the store is not touched, and the next start does it."""
    lab.fresh()
    subprocess.run(["mount", "-t", "tmpfs", "-o",
                    f"size={os.path.getsize(lab.store) + 100 * 1024}", "none", lab.state], check=True)
    try:
        shutil.copytree(lab.state + ".old", lab.state, dirs_exist_ok=True)
        os.chmod(lab.state, 0o700)
        log = lab.fails()
        assert "No space left" in log and "stays as it is" in log, log
        assert lab.version() == 1 and lab.copies() == [], lab.copies()
        subprocess.run(["mount", "-o", "remount,size=16m", lab.state], check=True)
        lab.d.start()
        assert lab.d.stop() == 0
        assert lab.version() == lab.now and lab.copies() == ["store-schema-1.db"]
    finally:
        subprocess.run(["umount", lab.state], check=True)


def main():
    if os.geteuid() != 0:
        print("needs root for a small file system")
        return 77
    if os.environ.get("QMESH_IN_MNTNS") != "1":
        return subprocess.run(["unshare", "-m", "--propagation", "private", sys.executable,
                               os.path.abspath(__file__)],
                              env={**os.environ, "QMESH_IN_MNTNS": "1"}, check=False).returncode
    lab = Lab()
    try:
        for fn in (brought_up, newest_copy_only, the_copy_works, newer_is_refused, no_room):
            run(fn.__name__, fn, lab)
    finally:
        lab.d.end()
        lab.d.remove()
    return summary()


if __name__ == "__main__":
    sys.exit(main())
