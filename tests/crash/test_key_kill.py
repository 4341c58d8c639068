#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the Control Panel at each step of the rotation of a root key: what it left on
its disk is a ring with one key of each purpose that signs, the rotation is done or never was,
and whatever was good before is good after. Needs a build with QMESH_KILL_POINTS."""
import os
import subprocess
import sys
import threading
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from realnode import until  # noqa: E402
from meshrpc import BUILD, PASSWORD, Daemon, Refused, ed25519_key, enroll, login  # noqa: E402

# The ring is written once at the start, so these are: the new key's file, its name in the ring,
# told, the switch in the ring, done but for its audit.
POINTS = ["ring.key_written:1", "ring.named:2", "key.prepared:1", "key.told:1", "ring.named:3", "key.switched:1"]
PURPOSES = ["sessions", "agents", "lists", "audit", "psk", "tls", "ca"]
TWO_STEPS = ("tls", "ca")


def states(admin, purpose):
    number = PURPOSES.index(purpose) + 1
    return [key.state for key in admin.call("ListKeys").keys if key.purpose == number]


def verified(event, keys):
    """The head of a list by the key that the stream has told of."""
    key = [key for key in keys if key.kid == event.kid]
    assert key, f"a head by {event.kid}, which nobody was told of"
    der = bytes.fromhex("302a300506032b6570032100") + key[0].public_key
    paths = [f"/tmp/qmesh-key-kill-{os.getpid()}-{name}" for name in ("der", "head", "signature")]
    try:
        for path, content in zip(paths, (der, b"qmesh-head/1" + event.head, event.signature)):
            with open(path, "wb") as f:
                f.write(content)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths[0],
                               "-rawin", "-in", paths[1], "-sigfile", paths[2]], capture_output=True,
                              check=False).returncode == 0
    finally:
        for path in paths:
            if os.path.exists(path):
                os.unlink(path)


def stream_is_whole(daemon, node):
    mesh = daemon.mesh(node.agent_token)
    stream = mesh.stream("Subscribe", timeout=60)
    keys = next(stream).event.keys
    assert 1 <= len(keys.k_n) <= 8
    update = next(e.event.peers_updated for e in stream if e.event.type == "mesh.peers.updated")
    assert verified(update, keys.list_keys)
    stream.cancel()
    mesh.close()
    return {share.psk_version: share.key for share in keys.k_n}


def one_round(daemon, node, point, purpose):
    session = login(daemon, "ann", "home")
    before = stream_is_whole(daemon, node)
    admin = daemon.admin()
    was = states(admin, purpose)
    # Nothing else shall write the ring at the next start: no device needs an old version.
    assert until(lambda: 3 not in states(admin, "psk"))
    admin.close()
    assert daemon.stop() == 0
    daemon.start({"QMESH_KILL": point})

    def rotate():
        admin = daemon.admin()
        try:
            admin.call("RotateKey", purpose="KEY_PURPOSE_" + purpose.upper())
        except Refused:
            pass
        admin.close()

    thread = threading.Thread(target=rotate)
    thread.start()
    daemon.process.wait(60)
    thread.join(60)
    assert daemon.process.returncode == -9, f"{point} was never hit"
    daemon.start()
    admin = daemon.admin()
    now = states(admin, purpose)
    # NEXT 1, ACTIVE 2, RETIRING 3, RETIRED 4.
    assert now.count(2) == 1, now
    assert now.count(1) == (1 if purpose in TWO_STEPS and point != "ring.key_written:1" else 0), now
    assert len(now) in (len(was), len(was) + 1), (was, now)
    if point not in ("ring.key_written:1",):
        assert len(now) == len(was) + 1, "what was named is lost"
    if point != "ring.key_written:1":
        said = f"{purpose} {len(now)}"
        rows = [row.object for row in session.call("ListAudit", page_size=100).entries if row.action == "key.rotate"]
        assert said in rows or purpose in TWO_STEPS, f"no audit of {said}: {rows}"
    session.call("ListDevices")
    after = stream_is_whole(daemon, node)
    for version, key in before.items():
        assert after.get(version, key) == key, "a share of a preshared key is another"
    login(daemon, "ann", "home").call("WhoAmI")
    # It can be done again.
    admin.call("RotateKey", purpose="KEY_PURPOSE_" + purpose.upper(),
               immediate=purpose in ("agents", "lists", "sessions"))
    if purpose in TWO_STEPS:
        admin.call("RotateKey", purpose="KEY_PURPOSE_" + purpose.upper(), switch_over=True, immediate=True)
        assert 1 not in states(admin, purpose)
    assert states(admin, purpose).count(2) == 1
    admin.close()
    session.close()


def main():
    with open(os.path.join(BUILD, "bin", "qmesh-cpd"), "rb") as f:
        if b"QMESH_KILL" not in f.read():
            print("skipped: built without QMESH_KILL_POINTS")
            return 77
    rounds = [(point, purpose) for point in POINTS for purpose in PURPOSES
              if purpose not in TWO_STEPS or point not in ("ring.named:3", "key.switched:1")]
    if "--long" not in sys.argv and not os.environ.get("QMESH_LONG"):
        # Each point and each purpose, not each with each.
        rounds = [(point, PURPOSES[i]) for i, point in enumerate(POINTS[:4])] + \
            [("ring.named:3", "lists"), ("key.switched:1", "psk"), ("key.told:1", "tls"),
             ("ring.named:2", "ca")]
    daemon, failed, done = Daemon(), 0, 0
    daemon.start()
    admin = daemon.admin()
    admin.call("CreateTenant", name="home", plan="PLAN_TEAM")
    admin.call("CreateUser", tenant="home", name="ann", password=PASSWORD, role="ROLE_ADMIN")
    admin.close()
    for point, purpose in rounds:
        done += 1
        try:
            admin = daemon.admin()
            node = enroll(daemon, admin, "home", f"node {done}", identity=ed25519_key()[1])
            admin.close()
            one_round(daemon, node, point, purpose)
            print(f"ok   {purpose} at {point}", flush=True)
        except Exception:  # noqa: B902: the others still run
            failed += 1
            print(f"FAIL {purpose} at {point}", flush=True)
            traceback.print_exc()
            print(daemon.log()[-1500:])
            daemon.end()
            daemon.start()
    daemon.stop()
    daemon.remove()
    print(f"passed {done - failed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
