#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Control Panel on a disk that is full: refused creations leave nothing,
what was acknowledged stays, reads go on, and with room again so do writes.
Runs in a mount namespace of its own, on a small tmpfs."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def inside():
    from meshrpc import Daemon
    daemon = Daemon(["--provision-limit", "100", "--provision-period", "1s", "--apply-wait", "0s"])
    state = os.path.join(daemon.dir, "state")
    os.mkdir(state, 0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", state], check=True)
    filler = os.path.join(state, "filler")
    daemon.start()
    try:
        full(daemon, state, filler)
    finally:
        if daemon.process.poll() is None:
            daemon.kill()
        subprocess.run(["umount", state], check=True)
        daemon.remove()


def full(daemon, state, filler):
    import threading
    import time
    from meshrpc import PASSWORD, Refused, enroll, login
    from test_cp_kill import check_store
    admin = daemon.admin()
    admin.call("CreateTenant", name="acme", plan=4)
    admin.call("CreateUser", tenant="acme", name="ann", password=PASSWORD, role=3)
    enroll(daemon, admin, "acme", "gate")
    people = [login(daemon, "ann")]
    ann = people[0]
    for n in range(1, 8):
        admin.call("CreateUser", tenant="acme", name=f"u{n}", password=PASSWORD)
        people.append(login(daemon, f"u{n}"))
    with open(filler, "wb") as f:
        room = os.statvfs(state)
        f.write(bytes(max(0, room.f_bavail * room.f_frsize - 400 * 1024)))
    made, refused, lock = [], [], threading.Lock()

    def work(n):
        mesh = daemon.mesh(people[n].metadata[0][1].split()[1])
        for i in range(40):
            try:
                id_ = mesh.call("CreateDevice", label=f"d{n}-{i}").device.id
                with lock:
                    made.append(id_)
            except Refused as refusal:
                with lock:
                    refused.append(refusal.reason)
                if n and len(refused) > 20:
                    break
        mesh.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    broke = [r for r in refused if r != "RATE_LIMITED"]
    assert made and broke, (len(made), len(refused), "the disk never was full")
    assert set(broke) <= {"INTERNAL", "OUTCOME_UNKNOWN"}, set(broke)
    have = {d.id for d in ann.call("ListDevices", all=True, page_size=1000).devices}
    assert set(made) <= have, "an acknowledged device is gone"
    assert len(have) <= len(made) + broke.count("OUTCOME_UNKNOWN"), (len(have), len(made))
    os.unlink(filler)
    again, end = None, time.monotonic() + 60
    while not again:
        try:
            again = ann.call("CreateDevice", label="room again").device.id
        except Refused as refusal:
            # The period of a second that the flood has used up.
            assert refusal.reason == "RATE_LIMITED" and time.monotonic() < end, refusal
            time.sleep(0.1)
    daemon.kill()
    check_store(daemon)
    daemon.start()
    ann = login(daemon, "ann")
    have = {d.id for d in ann.call("ListDevices", all=True, page_size=1000).devices}
    assert set(made) | {again} <= have
    assert daemon.stop() == 0
    print(f"{len(made)} made, {len(broke)} broke on a full disk")
    print("passed 1 failed 0 skipped 0")


def main():
    if "--inside" in sys.argv:
        inside()
        return 0
    if os.geteuid() != 0:
        print("skipped: mounting a small disk needs root")
        return 77
    return subprocess.run(["unshare", "-m", "--propagation", "private", sys.executable,
                           os.path.abspath(__file__), "--inside"]).returncode


if __name__ == "__main__":
    sys.exit(main())
