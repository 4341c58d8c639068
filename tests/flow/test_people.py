#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Accounts under pressure: a guesser is slowed and stopped by address and never
locks anybody out; passwords, roles and disabling end sessions, and nodes hear of
each in the same moment."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import PASSWORD, Daemon, Refused, enroll, login, msg, refused  # noqa: E402
from parts import run, run_all, summary  # noqa: E402

BUDGET = 300


class Lab:
    def __init__(self):
        self.d = Daemon(["--provision-limit", "100"]).start()
        self.admin = self.d.admin()
        self.admin.call("CreateTenant", name="acme", plan=4)
        for name, role in (("ann", 3), ("bob", 1), ("eve", 1)):
            self.admin.call("CreateUser", tenant="acme", name=name, password=PASSWORD, role=role)
        self.node = enroll(self.d, self.admin, "acme", "gw-one")
        self.ann = login(self.d, "ann", "acme")

    def generation(self):
        return self.admin.call("ListTenants").tenants[0].generation

    def close(self):
        assert self.d.stop() == 0, self.d.log()[-2000:]
        log = self.d.log()
        assert "Sanitizer" not in log and "error err" not in log, log[-3000:]
        self.d.remove()


class Stream:
    """What a node hears: ended sessions, and members by id."""

    def __init__(self, lab):
        self.ended, self.members, self.generations = set(), {}, []
        self.stream = lab.d.mesh(lab.node.agent_token).stream("Subscribe")
        threading.Thread(target=self.read, daemon=True).start()
        self.wait(lambda: self.generations, "the first head")

    def read(self):
        try:
            for response in self.stream:
                self.take(response.event)
        except Exception:  # noqa: BLE001
            pass

    def take(self, event):
        if event.type == "mesh.revocations":
            self.ended |= {bytes(id_) for id_ in event.revocations.session_ids}
        if event.type != "mesh.peers.updated":
            return
        head, list_ = msg("PeersHead"), msg("PeerList")
        head.ParseFromString(event.peers_updated.head)
        list_.ParseFromString(event.peers_updated.list)
        for raw in list_.upserts:
            member = msg("Member")
            member.ParseFromString(raw)
            self.members[member.label] = member
        self.generations.append(head.to_generation)

    def wait(self, what, words):
        for _ in range(600):
            if what():
                return
            time.sleep(0.1)
        raise AssertionError(f"the node never heard of {words}")


def session_of(mesh):
    import base64
    import json
    claims = mesh.metadata[0][1].split(".")[1]
    return bytes.fromhex(json.loads(base64.urlsafe_b64decode(claims + "=="))["sid"].replace("-", ""))


def until_stopped(guess):
    """How many cheap guesses are heard, and what is told then. They count like a wrong password."""
    for n in range(10 * BUDGET):
        try:
            guess.call("ExchangeToken", token="a.b.c")
        except Refused as refusal:
            if refusal.reason == "RATE_LIMITED":
                return n, refusal
            assert refusal.reason == "LOGIN_FAILED", refusal
    raise AssertionError("never stopped")


def guesser(lab):
    """So many refusals a minute from one address, then none is heard; all others sign in."""
    door = lab.d.mesh(lab.node.agent_token, client_addr="203.0.113.66")
    direct = lab.d.mesh()
    for guess in (door, direct):
        refused("LOGIN_FAILED", guess.call, "Login", tenant="acme", user="ann", password="wrong guess")
        begun = time.monotonic()
        n, refusal = until_stopped(guess)
        # Whoever is slow has more of them: the window of a minute moves on.
        more = BUDGET * (time.monotonic() - begun) / 60
        assert BUDGET - 20 <= n <= BUDGET + more + 1, f"stopped after {n}, {more} more"
        assert refusal.code == "RESOURCE_EXHAUSTED" and 0 < refusal.retry_ms <= 120000
        for user in ("ann", "bob"):
            # Past the turn of a minute there may be room for one again, for a moment.
            for _ in range(20):
                until_stopped(guess)
                try:
                    guess.call("Login", tenant="acme", user=user, password=PASSWORD)
                except Refused as error:
                    assert error.reason == "RATE_LIMITED", error
                    break
            else:
                raise AssertionError(f"{user} signs in from where nobody is heard")
    there = lab.d.mesh(lab.node.agent_token, client_addr="203.0.113.67")
    assert there.call("Login", user="ann", password=PASSWORD).user.name == "ann"
    # Sessions that are open go on from there too, also with what is limited.
    lab.ann.call("WhoAmI")
    lab.ann.call("CreateDevice", label="beside a guesser")


def names(lab):
    """No two accounts whose names look the same."""
    for name in ("a b", "a\tb", "ann\u00a0", "ann\u200b", "\u202eann", "ann\u2028", "an\u0301n", "ann\u3164", "an\u034fn",
                 "ann\ufe0f", "\x7f", ""):
        refusal = refused("FIELD_INVALID", lab.admin.call, "CreateUser", tenant="acme", name=name,
                          password=PASSWORD, role=1)
        assert "name" in refusal.fields, refusal.fields
    for name in ("ren\u00e9e@example.com", "\u0410\u043d\u043d\u0430", "\u674e"):
        lab.admin.call("CreateUser", tenant="acme", name=name, password=PASSWORD, role=1)
        login(lab.d, name, "acme").call("WhoAmI")


def passwords(lab):
    node = Stream(lab)
    mine, other, eve = (login(lab.d, name, "acme") for name in ("bob", "bob", "eve"))
    new = "an entirely new one"
    refused("LOGIN_FAILED", mine.call, "ChangePassword", old_password="wrong one here", new_password=new)
    other.call("WhoAmI")
    mine.call("ChangePassword", old_password=PASSWORD, new_password=new)
    mine.call("WhoAmI")
    eve.call("WhoAmI")
    refused("TOKEN_INVALID", other.call, "WhoAmI")
    node.wait(lambda: session_of(other) in node.ended, "the session that ended")
    assert session_of(mine) not in node.ended and session_of(eve) not in node.ended
    refused("LOGIN_FAILED", lab.d.mesh().call, "Login", user="bob", password=PASSWORD)
    # By the operator: all of them.
    lab.admin.call("UpdateUser", tenant="acme", user="bob", password=PASSWORD)
    refused("TOKEN_INVALID", mine.call, "WhoAmI")
    node.wait(lambda: session_of(mine) in node.ended, "the operator's change")
    # A role, too: tokens hold the old one.
    lab.admin.call("UpdateUser", tenant="acme", user="eve", role=2)
    refused("TOKEN_INVALID", eve.call, "WhoAmI")
    node.wait(lambda: session_of(eve) in node.ended, "the change of role")
    lab.admin.call("UpdateUser", tenant="acme", user="eve", role=1)
    # A node that comes later hears of all that have not run out.
    late = Stream(lab)
    late.wait(lambda: node.ended <= late.ended, "what ended before")


def disabled(lab):
    """Sessions end and devices are suspended in one change, and come back as they were."""
    node = Stream(lab)
    bob = login(lab.d, "bob", "acme")
    made = [bob.call("CreateDevice", label=f"bobs {i}").device for i in range(3)]
    keep = lab.ann.call("CreateDevice", label="anns").device
    before = lab.generation()
    lab.admin.call("UpdateUser", tenant="acme", user="bob", disabled=True)
    assert lab.generation() == before + 1
    refused("TOKEN_INVALID", bob.call, "ListDevices")
    refused("LOGIN_FAILED", lab.d.mesh().call, "Login", user="bob", password=PASSWORD)
    node.wait(lambda: session_of(bob) in node.ended and before + 1 in node.generations, "the end")
    for device in made:
        member = node.members[device.label]
        assert member.state == 2, "SUSPENDED travels in the one change"
        seen = lab.ann.call("GetDevice", id=device.id).device
        assert (seen.status, seen.mesh_ip, seen.label, seen.public_key) == \
            (7, device.mesh_ip, device.label, device.public_key), seen
    assert node.members["anns"].state == 1
    assert lab.ann.call("GetDevice", id=keep.id).device.status != 7
    # Name and address are kept for it, and it counts.
    refused("LABEL_TAKEN", lab.ann.call, "CreateDevice", label="bobs 0")
    kept = refused("ADDRESS_IN_USE", lab.ann.call, "CreateDevice", label="x", wished_ip=made[0].mesh_ip)
    assert kept.meta == {"cause": "in_use"} and "bob" not in kept.words, (kept.meta, kept.words)
    assert lab.admin.call("ListTenants").tenants[0].devices == 4
    # Twice is once.
    lab.admin.call("UpdateUser", tenant="acme", user="bob", disabled=True)
    assert lab.generation() == before + 1
    lab.admin.call("UpdateUser", tenant="acme", user="bob", disabled=False)
    assert lab.generation() == before + 2
    node.wait(lambda: before + 2 in node.generations, "the return")
    for device in made:
        member = node.members[device.label]
        assert member.state == 1 and bytes(member.device.active.public_key)
        assert lab.ann.call("GetDevice", id=device.id).device.status != 7
    refused("TOKEN_INVALID", bob.call, "ListDevices")
    told = [e.object for e in lab.ann.call("ListAudit", page_size=100).entries
            if e.action == "user.update" and e.object.startswith("bob ")]
    assert told[:3] == ["bob (enabled)", "bob (disabled)", "bob (disabled)"], told
    assert len(login(lab.d, "bob", "acme").call("ListDevices").devices) == 3


def disabled_midway(lab):
    """Creations that are under way when their user is disabled: refused, or suspended too."""
    for n in range(4):
        user = f"hasty{n}"
        lab.admin.call("CreateUser", tenant="acme", name=user, password=PASSWORD, role=1)
        token = login(lab.d, user, "acme").metadata[0][1].split()[1]
        reasons = set()

        def add(mesh, first):
            for i in range(first, first + 5):
                try:
                    mesh.call("CreateDevice", label=f"{user} {i}")
                except Refused as refusal:
                    reasons.add(refusal.reason)

        threads = [threading.Thread(target=add, args=(lab.d.mesh(token), i * 5)) for i in range(8)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 60
        while time.monotonic() < until and lab.admin.call("ListTenants").tenants[0].devices < 5 * n + 5:
            time.sleep(0.001)
        lab.admin.call("UpdateUser", tenant="acme", user=user, disabled=True)
        for thread in threads:
            thread.join()
        assert reasons <= {"TOKEN_INVALID"}, reasons
        devices = [d for d in lab.ann.call("ListDevices", all=True, page_size=500).devices
                   if d.label.startswith(user + " ")]
        assert devices and {d.status for d in devices} == {7}, [(d.label, d.status) for d in devices]


def main():
    lab = Lab()
    run_all((names, passwords, disabled, guesser), lab)
    run("clean end", lab.close)
    lab = Lab()
    run("disabled_midway", disabled_midway, lab)
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
