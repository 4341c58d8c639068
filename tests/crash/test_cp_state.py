#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A state directory that is not as it should be, and clocks that jump
(docs/operations.md says what happens): a second Control Panel on the same one,
a store or key that others may read or own, a read-only disk, the directory taken away under a
running daemon, another process that holds the store. Own mount namespace."""
import os
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from meshrpc import BUILD, PASSWORD, Daemon, Refused, enroll, login  # noqa: E402
from test_cp_kill import check_store  # noqa: E402

EXTRA = ["--provision-limit", "100", "--provision-period", "1s", "--apply-wait", "0s"]
PASSED, FAILED = [], []


def make():
    daemon = Daemon(EXTRA).start()
    admin = daemon.admin()
    admin.call("CreateTenant", name="acme", plan=4)
    admin.call("CreateUser", tenant="acme", name="ann", password=PASSWORD, role=3)
    enroll(daemon, admin, "acme", "gate")
    return daemon, login(daemon, "ann")


def refused_start(daemon):
    """It says why and ends with 1."""
    done = subprocess.run([os.path.join(BUILD, "bin", "qmesh-cpd"), "--listen", "", "--admin-socket",
                           "", "--state-dir", os.path.join(daemon.dir, "state")],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert "state" in done.stderr and "Sanitizer" not in done.stderr, done.stderr
    return done.stderr


def labels(ann):
    return {d.label for d in ann.call("ListDevices").devices}


def second_daemon(daemon, ann):
    refused_start(daemon)
    ann.call("CreateDevice", label="still here")


def open_to_others(daemon, ann):
    daemon.stop()
    path = os.path.join(daemon.dir, "state", "store.db")
    os.chmod(path, 0o644)
    assert "chmod 600" in refused_start(daemon)
    os.chmod(path, 0o600)
    daemon.start()


def says_what_helps(daemon, path, words):
    said = [line for line in refused_start(daemon).splitlines() if path in line]
    assert len(said) == 1 and words in said[0], said


def not_its_own(daemon, ann):
    """One line names the file and what to do, for each file, and the directory."""
    daemon.kill()
    state = os.path.join(daemon.dir, "state")
    key = os.path.join(state, "keys", sorted(os.listdir(os.path.join(state, "keys")))[0])
    for path, open_mode, right in ((state + "/store.db", 0o640, 0o600), (state + "/store.db-wal", 0o604, 0o600),
                                   (key, 0o640, 0o600), (state, 0o777, 0o700)):
        os.chmod(path, open_mode)
        says_what_helps(daemon, path, "chmod %o %s" % (right, path))
        os.chmod(path, right)
        os.chown(path, 65534, 65534)
        says_what_helps(daemon, path, "belongs to user id 65534")
        os.chown(path, os.geteuid(), os.getegid())
    os.rename(key, key + ".aside")
    os.symlink(key + ".aside", key)
    says_what_helps(daemon, key, "put the file itself there")
    os.rename(key + ".aside", key)
    daemon.start()


def read_only(daemon, ann):
    daemon.stop()
    state = os.path.join(daemon.dir, "state")
    subprocess.run(["mount", "--bind", state, state], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", state], check=True)
    try:
        refused_start(daemon)
    finally:
        subprocess.run(["umount", state], check=True)
    daemon.start()


def taken_away(daemon, ann):
    """What is open goes on; what is answered is there when the directory comes back."""
    state = os.path.join(daemon.dir, "state")
    os.rename(state, state + ".away")
    answers = []
    for n in range(20):
        try:
            ann.call("CreateDevice", label=f"away {n}")
            answers.append(f"away {n}")
        except Refused as refusal:
            assert refusal.reason in ("INTERNAL", "OUTCOME_UNKNOWN"), refusal
    assert not os.path.exists(state), "a new state directory out of nothing"
    daemon.kill()
    os.rename(state + ".away", state)
    daemon.start()
    assert set(answers) <= labels(login(daemon, "ann")), "an acknowledged device is gone"


def held_by_another(daemon, ann):
    """Ten seconds of patience, then INTERNAL; when it lets go all is well."""
    db = sqlite3.connect(os.path.join(daemon.dir, "state", "store.db"), isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        ann.call("CreateDevice", label="held", timeout=120)
        raise AssertionError("written beside a writer")
    except Refused as refusal:
        assert refusal.reason == "INTERNAL", refusal
    assert "held" not in labels(ann)
    db.execute("ROLLBACK")
    db.close()
    ann.call("CreateDevice", label="held")


def inside():
    for case in (second_daemon, open_to_others, not_its_own, read_only, taken_away, held_by_another):
        daemon, ann = make()
        try:
            before = labels(ann)
            case(daemon, ann)
            again = login(daemon, "ann")
            again.call("CreateDevice", label="afterwards")
            assert before | {"afterwards"} <= labels(again)
            daemon.kill()
            check_store(daemon)
            PASSED.append(case.__name__)
        except (AssertionError, Refused, RuntimeError) as error:
            FAILED.append(case.__name__)
            print(f"FAIL {case.__name__}: {error!r}\n{daemon.log()[-1500:]}")
        finally:
            daemon.end()
            daemon.remove()
            shutil.rmtree(daemon.dir, ignore_errors=True)
    print(f"passed {len(PASSED)} failed {len(FAILED)} skipped 0")
    return 1 if FAILED else 0


def main():
    if "--inside" in sys.argv:
        return inside()
    if os.geteuid() != 0:
        print("skipped: a read-only mount needs root")
        return 77
    return subprocess.run(["unshare", "-m", "--propagation", "private", sys.executable,
                           os.path.abspath(__file__), "--inside"]).returncode


if __name__ == "__main__":
    sys.exit(main())
