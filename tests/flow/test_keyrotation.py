#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The root keys of a Control Panel change while people, nodes and a scripted agent call it
without a pause, and none of their calls fails; what was signed before ends when it should,
at once where that was asked for. A kill, a restart and a backup in between lose nothing.
Runs itself in a network and a mount namespace."""
import base64
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from meshrpc import BUILD, PASSWORD, Refused, ed25519_key, ed25519_sign, enroll, login, msg  # noqa: E402
from parts import run, run_all, summary  # noqa: E402
from realnode import RealNode, control_panel, enter, until  # noqa: E402

LONG = "--long" in sys.argv or bool(os.environ.get("QMESH_LONG"))
CONFLICT, BAD_INPUT = 7, 2
PURPOSES = ["sessions", "agents", "lists", "audit", "psk", "tls", "ca"]


class Lab:
    def __init__(self):
        self.cp, self.admin = control_panel("--provision-limit", "100", "--provision-period", "1s", "--rotation-overlap", "2s",
                                            "--agent-token-life", "5s")
        self.admin.call("CreateUser", tenant="home", name="bob", password=PASSWORD, role="ROLE_MEMBER")
        self.keys = os.path.join(self.cp.dir, "state", "keys")
        self.node, self.slug = RealNode(self.cp, self.admin).start().wait_ready(), "node-one"
        self.n = 0

    def close(self):
        assert self.cp.stop() == 0
        self.cp.remove()

    def qmesh(self, *args, code=0):
        done = subprocess.run([os.path.join(BUILD, "bin", "qmesh"), "--server",
                               "unix:" + os.path.join(self.cp.dir, "admin.sock"), *args],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, f"{args}: {done.returncode}, not {code}: {done.stderr}"
        return done.stdout + done.stderr

    def rotate(self, *args, code=0):
        return self.qmesh("admin", "key", "rotate", *args, code=code)

    def states(self, purpose):
        """["retired", "active"]: by version."""
        keys = json.loads(self.qmesh("--json", "admin", "key", "list"))["keys"]
        return [key["state"].removeprefix("KEY_STATE_").lower() for key in keys
                if key["purpose"] == "KEY_PURPOSE_" + purpose.upper()]

    def label(self):
        self.n += 1
        return f"thing {self.n}"

    def sign_in(self, user="ann", at=None):
        """A session, made at the node unless said otherwise."""
        mesh = (at or self.node).mesh()
        try:
            return mesh.call("Login", user=user, password=PASSWORD,
                             **({"tenant": "home"} if at else {})).token
        finally:
            mesh.close()

    def restart(self, kill=False):
        self.admin.close()
        if kill:
            self.cp.kill()
        else:
            assert self.cp.stop() == 0
        self.cp.start()
        self.admin = self.cp.admin()
        assert until(lambda: self.connected()), "the node does not come back"

    def real(self):
        """The real node, as the Control Panel knows it."""
        return [node for node in self.admin.call("ListTenantNodes", tenant="home").nodes
                if node.slug == self.slug][0]

    def connected(self):
        return self.real().online

    def device(self):
        """A new one, made at the Control Panel, that the node has put in place."""
        ann = login(self.cp, "ann", "home")
        made = ann.call("CreateDevice", label=self.label(), node_id=self.real().id)
        generation = int(ann.headers["qmesh-generation"])
        ann.close()
        assert until(lambda: self.real().applied_generation >= generation), \
            "the node does not take what is published"
        return made


class Agent:
    """A node by its protocol: renews by its identity, reports, holds a stream."""

    def __init__(self, lab, name):
        self.lab, (self.pem, public) = lab, ed25519_key()
        self.me = enroll(lab.cp, lab.admin, "home", name, identity=public)
        self.token = self.me.agent_token

    def is_fresh(self):
        """For as long as a few calls take, unless the machine stands still."""
        return time.time() < claims_of(self.token)["exp"] - 3

    def renew(self):
        import uuid
        nonce, now = os.urandom(16), time.time()
        text = b"renew/1" + uuid.UUID(self.me.node_id).bytes + int(now * 1000).to_bytes(8, "big") + nonce
        stamp = msg("google.protobuf.Timestamp", seconds=int(now), nanos=int(now * 1000) % 1000 * 1000000)
        mesh = self.lab.cp.mesh()
        try:
            self.token = mesh.call("RenewToken", node_id=self.me.node_id, time=stamp, nonce=nonce,
                                   signature=ed25519_sign(self.pem, text)).agent_token
        finally:
            mesh.close()

    def mesh(self):
        return self.lab.cp.mesh(self.token)


class Traffic:
    """Threads that call until they are told to stop. A call that fails is kept."""

    def __init__(self, lab):
        self.lab, self.failures, self.counts = lab, [], {}
        self.stop, self.threads = threading.Event(), []

    def start(self, name, step):
        def loop():
            while not self.stop.is_set():
                try:
                    step()
                    self.counts[name] = self.counts.get(name, 0) + 1
                except Exception as error:  # noqa: B902: any is a failed call
                    self.failures.append((name, repr(error)))
                    return # it would be refused for that soon, and others with it
        thread = threading.Thread(target=loop, daemon=True)
        self.threads.append(thread)
        thread.start()

    def more(self, n=3):
        """Each of them has done n calls since."""
        before = dict(self.counts)
        names = list(before)
        return until(lambda: all(self.counts[name] >= before[name] + n for name in names) or
                     self.failures, 90)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.failures, self.failures[:5]


def part_of(token, n):
    part = token.split(".")[n]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def kid_of(token):
    return part_of(token, 0)["kid"]


def claims_of(token):
    return part_of(token, 1)


def all_are_shown(lab):
    text = lab.qmesh("admin", "key", "list")
    for purpose in PURPOSES:
        assert lab.states(purpose) == ["active"], (purpose, text)
        assert purpose in text, text
    # A private half is nowhere in it.
    answer = lab.admin.call("ListKeys").SerializeToString()
    for name in os.listdir(lab.keys):
        if name.endswith(".key") and not name.startswith("tls"):
            with open(os.path.join(lab.keys, name), "rb") as f:
                assert f.read()[:32] not in answer, name


def under_traffic(lab):
    agent = Agent(lab, "scripted")
    traffic = Traffic(lab)
    held, at_cp = lab.sign_in(), lab.sign_in(at=lab.cp)
    person, panel = lab.node.mesh(held), lab.cp.mesh(at_cp)
    maker = login(lab.cp, "ann", "home")
    node_id = lab.real().id

    def new_session():
        # The token is used where it was made before the next event can have got there.
        mesh = lab.node.mesh(lab.sign_in("bob"))
        mesh.call("ListDevices")
        mesh.call("WhoAmI")
        mesh.close()

    def make_and_drop():
        made = maker.call("CreateDevice", label=lab.label(), node_id=node_id)
        generation = int(maker.headers["qmesh-generation"])
        assert until(lambda: lab.real().applied_generation >= generation), "the node does not take it"
        maker.call("DeleteDevice", id=made.device.id)

    def report():
        if not agent.is_fresh():
            agent.renew()
        token, mesh = agent.token, agent.mesh()
        try:
            mesh.call("Report")
            mesh.call("GetNodePeers", node_id=agent.me.node_id)
        except Refused:
            # It lives 5 s here, and a busy machine may take longer for a call.
            if time.time() < claims_of(token)["exp"]:
                raise
        finally:
            mesh.close()

    traffic.start("held", lambda: (person.call("ListDevices"), person.call("WhoAmI")))
    traffic.start("panel", lambda: panel.call("ListDevices"))
    traffic.start("new", new_session)
    traffic.start("devices", make_and_drop)
    traffic.start("agent", report)
    assert until(lambda: len(traffic.counts) == 5 or traffic.failures)
    for purpose in PURPOSES[:5]:
        lab.rotate(purpose)
        assert traffic.more(), traffic.counts
        assert lab.states(purpose)[-1] == "active", purpose
    traffic.end()
    with open(lab.node.log_path, errors="replace") as f:
        log = f.read()
    assert "refused" not in log, log[-2000:]
    for mesh in (person, panel, maker):
        mesh.close()
    print(f"     calls {traffic.counts}")


def what_was_signed_ends_by_itself(lab):
    old = lab.sign_in()
    lab.rotate("sessions")
    new = lab.sign_in()
    assert kid_of(old) != kid_of(new)
    for token in (old, new):
        lab.node.mesh(token).call("ListDevices")
    # Tokens of agents live 5 s here, what lists' keys signed 2 s: then they are retired, by the clock.
    assert until(lambda: set(lab.states("agents")[:-1]) == {"retired"}), lab.states("agents")
    assert until(lambda: set(lab.states("lists")[:-1]) == {"retired"}), lab.states("lists")
    assert lab.states("audit")[:-1] == ["retired"]
    # Sessions live 8 h.
    assert lab.states("sessions") == ["retiring", "retiring", "active"], lab.states("sessions")
    assert not [name for name in os.listdir(lab.keys) if name in ("lists.key", "agents.key", "sessions.key")]
    rows = [row.object for row in login(lab.cp, "ann", "home").call("ListAudit", page_size=100).entries
            if row.action == "key.retire"]
    assert "agents 1" in rows and "lists 1" in rows, rows


def first_events(agent, **hello):
    """What a stream begins with: the keys, and the first event of a list."""
    mesh = agent.mesh()
    stream = mesh.stream("Subscribe", timeout=60, **hello)
    keys = next(stream).event.keys
    update = next(event.event.peers_updated for event in stream
                  if event.event.WhichOneof("body") == "peers_updated")
    return mesh, stream, keys, update


def what_is_kept_is_signed_anew(lab):
    """A node that was away goes on from where it was, by events of before the rotation."""
    agent = Agent(lab, "follower")
    mesh, stream, keys, update = first_events(agent)
    assert update.kid in [key.kid for key in keys.list_keys]
    head = msg("PeersHead")
    head.ParseFromString(update.head)
    lab.device()
    old = update.kid
    lab.rotate("lists")
    assert until(lambda: lab.states("lists")[-2:] == ["retired", "active"]), lab.states("lists")
    stream.cancel()
    mesh.close()
    agent.renew()
    mesh, stream, keys, update = first_events(
        agent, epoch=head.epoch, generation=head.to_generation, head=update.head,
        head_signature=update.signature, kid=update.kid)
    assert update.kid != old and update.kid in [key.kid for key in keys.list_keys], update.kid
    stream.cancel()
    mesh.close()
    lab.qmesh("admin", "node", "remove", "home", "follower", "--force")


def there_is_an_end(lab):
    lab.rotate("sessions")
    text = lab.rotate("sessions", code=CONFLICT)
    assert "4 keys of sessions live already" in text, text
    assert "psk" in lab.rotate("psk", "--immediate", code=BAD_INPUT)
    lab.rotate("things", code=BAD_INPUT)
    lab.rotate("lists", "--switch", code=BAD_INPUT)


def a_leaked_session_key(lab):
    at_node, at_cp = lab.sign_in(), lab.sign_in(at=lab.cp)
    stream = lab.node.mesh(at_node).stream("WatchState")
    next(stream)
    ended = threading.Event()

    def follow():
        try:
            for _ in stream:
                pass
        except Exception:  # noqa: B902: however it ends
            pass
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    text = lab.rotate("sessions", "--immediate")
    assert "sessions ended" in text, text
    assert lab.states("sessions") == ["retired"] * 4 + ["active"], lab.states("sessions")
    for place, token in ((lab.node, at_node), (lab.cp, at_cp)):
        def refused(place=place, token=token):
            try:
                place.mesh(token).call("ListDevices")
                return False
            except Refused as error:
                return error.reason == "TOKEN_INVALID"
        assert until(refused), "an ended session goes on"
    assert ended.wait(60), "a stream outlives its session"
    lab.node.mesh(lab.sign_in()).call("ListDevices")


def a_leaked_agent_key(lab):
    agent = Agent(lab, "scripted two")
    stream = agent.mesh().stream("Subscribe")
    next(stream)
    lab.rotate("agents", "--immediate")
    try:
        agent.mesh().call("Report")
        raise AssertionError("an ended token is taken")
    except Refused as error:
        # The node must know that it is its own token, not a person's.
        assert error.reason == "TOKEN_INVALID" and error.meta.get("credential") == "agent", error
    try:
        for _ in stream:
            pass
        raise AssertionError("the stream ended well")
    except Exception as error:  # noqa: B902
        assert "UNAUTHENTICATED" in str(error), error
    agent.renew()
    agent.mesh().call("Report")
    # The real node helps itself.
    assert until(lab.connected), "the node does not come back"
    lab.device()
    lab.node.mesh(lab.sign_in()).call("WhoAmI")


def a_leaked_list_key(lab):
    lab.rotate("lists", "--immediate")
    lab.device()


def psk_of(config):
    return [line.split("=", 1)[1].strip() for line in config.splitlines()
            if line.startswith("PresharedKey")][0]


def shown_psks():
    text = subprocess.run(["wg", "show", "wg-quazzar0", "preshared-keys"], capture_output=True,
                          text=True, check=True).stdout
    shown = dict(line.split("\t") for line in text.splitlines())
    return {key: psk for key, psk in shown.items() if psk != "(none)"}


def devices_keep_their_preshared_keys(lab):
    ann = login(lab.cp, "ann", "home")
    for device in ann.call("ListDevices", all=True).devices:
        ann.call("DeleteDevice", id=device.id)
    before = lab.device()
    versions = len(lab.states("psk"))
    old_file = os.path.join(lab.keys, f"psk-{versions}.key")
    lab.rotate("psk")
    after = lab.device()
    for made in (before, after):
        assert until(lambda made=made: shown_psks().get(made.device.public_key) ==
                     psk_of(made.config)), "home and config differ"
    assert until(lambda: lab.states("psk")[-2:] == ["retiring", "active"]), lab.states("psk")
    assert os.path.exists(old_file)
    # The node keeps both over a restart of its own, by what it has on its disk.
    lab.node.process.kill()
    lab.node.process.wait()
    lab.node.start().wait_ready()
    assert until(lambda: sorted(shown_psks().values()) ==
                 sorted(psk_of(made.config) for made in (before, after)))
    # A rotated key of a device takes the new version; then nothing names the old one.
    ann.call("RotateDeviceKey", id=before.device.id, immediate=True)
    assert until(lambda: lab.states("psk")[-2:] == ["retired", "active"]), lab.states("psk")
    assert not os.path.exists(old_file)


def kills_in_between(lab):
    # tests/crash/test_key_kill.py dies at each step; here a real node comes back to what is left.
    for purpose in ("sessions", "lists", "agents", "psk") if LONG else ("lists",):
        held = lab.sign_in(at=lab.cp)
        n = len(lab.states(purpose))
        done = threading.Thread(target=lambda purpose=purpose: subprocess.run(
            [os.path.join(BUILD, "bin", "qmesh"), "--server", "unix:" + lab.cp.dir + "/admin.sock",
             "admin", "key", "rotate", purpose], capture_output=True, timeout=120, check=False))
        done.start()
        until(lambda n=n, purpose=purpose: os.path.exists(
            os.path.join(lab.keys, f"{purpose}-{n + 1}.key")), 20)
        lab.restart(kill=True)
        done.join(120)
        states = lab.states(purpose)
        assert states.count("active") == 1 and "next" not in states, states
        lab.cp.mesh(held).call("ListDevices")
        mesh = lab.node.mesh(lab.sign_in())
        mesh.call("ListDevices")
        mesh.close()
    lab.device()


def shown_pin(port):
    """SHA-256 over the public key of the certificate that the listener shows."""
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    public = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=pem.encode(),
                            capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public,
                         capture_output=True, check=True).stdout
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")


def the_listener_too(lab):
    for node in ("scripted", "scripted-two"):
        lab.qmesh("admin", "node", "remove", "home", node, "--force")
    first = shown_pin(lab.cp.tls_port)
    assert "no tls key" in lab.rotate("tls", "--switch", code=CONFLICT)
    before = lab.admin.call("CreateJoinToken", tenant="home").join_token
    assert before.split(".")[3:] == [first]
    away = Agent(lab, "away")
    assert "not told of it so far: 1 of" in lab.rotate("tls")
    assert lab.states("tls") == ["active", "next"] and shown_pin(lab.cp.tls_port) == first
    token = lab.admin.call("CreateJoinToken", tenant="home").join_token
    pins = token.split(".")[3:]
    assert pins[0] == first and len(pins) == 2, pins
    if LONG:
        lab.restart()
    assert "Not told of the next tls key so far: 1 of" in lab.rotate("tls", "--switch", code=CONFLICT)
    assert shown_pin(lab.cp.tls_port) == first
    # Asked for once more it is the same key, and who was told is still told.
    assert "not told of it so far: 1 of" in lab.rotate("tls")
    assert lab.states("tls") == ["active", "next"]
    away.renew()
    mesh = away.mesh()
    stream = mesh.stream("Subscribe")
    assert len(next(stream).event.keys.cp_pins) == 2
    stream.cancel()
    mesh.close()
    assert until(lambda: not [node for node in lab.admin.call("ListTenantNodes", tenant="home").nodes
                              if node.slug == "away"][0].online)
    assert "every node has been told" in lab.rotate("tls")
    lab.rotate("tls", "--switch")
    assert lab.states("tls") == ["retired", "active"]
    assert shown_pin(lab.cp.tls_port) == pins[1]
    lab.restart()
    assert shown_pin(lab.cp.tls_port) == pins[1], "a restart shows another certificate"
    # Joined by a token from between the steps: the node of before leaves its place.
    lab.node.stop()
    lab.qmesh("admin", "node", "remove", "home", "node-one", "--force")
    late = RealNode(lab.cp, lab.admin, name="late")
    with open(late.args[late.args.index("--join-token-file") + 1], "w", encoding="ascii") as f:
        f.write(token)
    lab.node, lab.slug = late.start().wait_ready(), "late"
    lab.node.mesh(lab.sign_in()).call("ListDevices")


def a_backup_has_all_of_it(lab):
    key, file = os.path.join(lab.cp.dir, "backup.key"), os.path.join(lab.cp.dir, "backup")
    lab.qmesh("backup", "keygen", key)
    lab.device()
    lab.rotate("psk")
    lab.device()
    before = {purpose: lab.states(purpose) for purpose in PURPOSES}
    kids = {(key.purpose, key.version): key.kid for key in lab.admin.call("ListKeys").keys}
    psks = shown_psks()
    lab.qmesh("backup", "create", file, "--to", key + ".pub")
    lab.qmesh("backup", "verify", file, "--key", key)
    # What was rotated since is as it was before, and the node takes it so.
    for purpose in ("agents", "lists", "psk"):
        lab.rotate(purpose)
    lab.device()
    assert until(lambda: len(shown_psks()) == len(psks) + 1), shown_psks()
    assert lab.cp.stop() == 0
    shutil.rmtree(os.path.join(lab.cp.dir, "state"))
    lab.qmesh("backup", "restore", file, "--key", key, "--state-dir", os.path.join(lab.cp.dir, "state"))
    lab.cp.start()
    lab.admin = lab.cp.admin()
    for purpose in PURPOSES[1:]:
        assert lab.states(purpose) == before[purpose], (purpose, lab.states(purpose), before[purpose])
    # Sessions are not in it, on purpose: another key signs them.
    assert lab.states("sessions") == ["retired"] * len(before["sessions"]) + ["active"]
    for key in lab.admin.call("ListKeys").keys:
        assert kids.get((key.purpose, key.version), key.kid) == key.kid, key
    assert until(lab.connected), "the node does not come back"
    lab.node.mesh(lab.sign_in()).call("ListDevices")
    assert until(lambda: shown_psks() == psks), (shown_psks(), psks)
    # The next version is another key than that of the same number which the node has heard of.
    lab.rotate("psk")
    made = lab.device()
    assert until(lambda: shown_psks().get(made.device.public_key) == psk_of(made.config)), "home and config differ"
    assert lab.qmesh("audit", "verify", "home").startswith("whole")


TESTS = [all_are_shown, under_traffic, what_was_signed_ends_by_itself,
         what_is_kept_is_signed_anew, there_is_an_end,
         a_leaked_session_key, a_leaked_agent_key, a_leaked_list_key,
         devices_keep_their_preshared_keys, kills_in_between, the_listener_too,
         a_backup_has_all_of_it]


def main():
    code = enter(__file__)
    if code is not None:
        return code
    lab = Lab()
    if not run_all(TESTS, lab):
        print(lab.cp.log()[-3000:])
    lab.node.stop()
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
