#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Control Panel beside a model of it in a page of Python: random operations
of several people, restarts and changes of plan in between; after each one both
must know the same devices, and a refusal must be one the model gives too."""
import os
import random
import re
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import PASSWORD, Daemon, Refused, base64, enroll, login, x25519  # noqa: E402

SEEDS = (1, 2, 3, 4)
STEPS = 120
SECONDS = int(os.environ.get("QMESH_TIER_LIMIT_S", "75")) - 53
CAPS = {1: 3, 2: 20, 3: 100}
PEOPLE = {"ann": 3, "bob": 1, "eve": 1, "aud": 2}
LABELS = ["phone", "Phone", "PHONE ", "laptop", "my laptop", "My  Laptop", "my-laptop", "tablet 1", "Tablet-1",
          "server", "Renée", "renee", "gw one", "gw-one", "wpad", "localhost", "", "---", "a\nb", "x" * 65]
LABELS += [f"thing {i}" for i in range(12)]
RESERVED = {"wpad", "localhost"}


def slug_of(label):
    """None: no label. Enough for the labels above."""
    if not label.strip() or len(label) > 64 or "\n" in label:
        return None
    plain = label.lower().replace("é", "e")
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or None


class Model:
    """What the Control Panel should know; each question answers with the refusals that fit."""

    def __init__(self, prefix):
        self.devices, self.gone_ips, self.keys = {}, set(), set()
        self.plan, self.prefix = 2, prefix

    def label_refusals(self, label, but=None):
        slug = slug_of(label)
        if slug is None:
            return {"LABEL_INVALID"}
        if slug in RESERVED:
            return {"LABEL_RESERVED"}
        taken = {d["slug"] for id_, d in self.devices.items() if id_ != but} | {"gw-one"}
        return {"LABEL_TAKEN"} if slug in taken else set()

    def create_refusals(self, who, label, ip, public_key):
        found = self.label_refusals(label)
        if PEOPLE[who] == 2:
            found.add("ROLE_REQUIRED")
        if len(self.devices) >= CAPS[self.plan]:
            found.add("DEVICE_CAP_REACHED")
        if ip and (ip in self.gone_ips or ip in {d["ip"] for d in self.devices.values()}):
            found.add("ADDRESS_IN_USE")
        if public_key and public_key in self.keys:
            found.add("KEY_IN_USE")
        return found

    def touch_refusals(self, who, id_):
        if PEOPLE[who] == 2:
            return {"ROLE_REQUIRED"}
        if id_ not in self.devices:
            return {"NOT_FOUND"}
        return set() if who == "ann" or self.devices[id_]["owner"] == who else {"NOT_OWNER"}


class World:
    def __init__(self, seed):
        self.pick = random.Random(seed)
        self.d = Daemon(["--provision-limit", "100"]).start()
        self.admin = self.d.admin()
        self.admin.call("CreateTenant", name="acme", plan=2)
        for name, role in PEOPLE.items():
            self.admin.call("CreateUser", tenant="acme", name=name, password=PASSWORD, role=role)
        enroll(self.d, self.admin, "acme", "gw-one")
        range4 = self.admin.call("ListTenants").tenants[0].range
        self.model = Model(range4.rsplit(".", 2)[0])
        self.meshes = {name: login(self.d, name, "acme") for name in PEOPLE}
        self.ids, self.trace, self.generation = [], [], 0
        self.counts = {}

    def ask(self, expected, who, method, **kw):
        """The answer, or None when both refuse."""
        self.trace.append((who, method, kw))
        try:
            answer = self.meshes[who].call(method, **kw)
        except Refused as refusal:
            assert refusal.reason in expected, f"{refusal}, the model says {expected or 'yes'}"
            self.count(f"{method} {refusal.reason}")
            return None
        assert not expected, f"{method} was taken, the model says {expected}"
        self.count(method)
        return answer

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def keep(self, who, device):
        m = self.model
        m.devices[device.id] = {"label": device.label, "slug": device.slug, "ip": device.mesh_ip,
                                "ip6": device.mesh_ip6, "owner": who, "key": device.public_key}
        m.keys.add(device.public_key)

    def create(self, who):
        m, label = self.model, self.pick.choice(LABELS)
        kw = {"label": label, "type": self.pick.randint(0, 4)}
        if self.pick.random() < 0.3:
            kw["wished_ip"] = self.pick.choice(sorted(m.gone_ips) or [f"{m.prefix}.77.7"]) \
                if self.pick.random() < 0.5 else f"{m.prefix}.77.{self.pick.randint(1, 9)}"
        if self.pick.random() < 0.3:
            kw["public_key"] = self.pick.choice(sorted(m.keys)) if m.keys and self.pick.random() < 0.3 \
                else base64.b64encode(x25519()).decode()
        refusals = m.create_refusals(who, label, kw.get("wished_ip"), kw.get("public_key"))
        answer = self.ask(refusals, who, "CreateDevice", **kw)
        if answer is None:
            return
        device = answer.device
        assert device.slug == slug_of(label), (device.slug, label)
        assert device.mesh_ip == kw.get("wished_ip", device.mesh_ip)
        assert device.public_key == kw.get("public_key", device.public_key)
        used = {d["ip"] for d in m.devices.values()} | m.gone_ips
        assert device.mesh_ip not in used and device.mesh_ip.startswith(m.prefix + "."), device.mesh_ip
        self.ids.append(device.id)
        self.keep(who, device)

    def some_id(self):
        return self.pick.choice(self.ids) if self.ids else "0" * 8 + "-0000-4000-8000-" + "0" * 12

    def update(self, who):
        id_, label = self.some_id(), self.pick.choice(LABELS)
        refusals = self.model.touch_refusals(who, id_) or self.model.label_refusals(label, id_)
        # Which of two faults is told first is the product's affair.
        if refusals:
            refusals = refusals | self.model.label_refusals(label, id_)
        answer = self.ask(refusals, who, "UpdateDevice", id=id_, label=label)
        if answer is not None:
            self.model.devices[id_].update(label=answer.device.label, slug=slug_of(label))

    def rotate(self, who):
        id_ = self.some_id()
        answer = self.ask(self.model.touch_refusals(who, id_), who, "RotateDeviceKey", id=id_, immediate=True)
        if answer is not None:
            assert answer.device.public_key not in self.model.keys
            self.model.keys.discard(self.model.devices[id_]["key"])
            self.model.keys.add(answer.device.public_key)
            self.model.devices[id_]["key"] = answer.device.public_key

    def delete(self, who):
        id_ = self.some_id()
        if self.ask(self.model.touch_refusals(who, id_), who, "DeleteDevice", id=id_) is not None:
            gone = self.model.devices.pop(id_)
            self.model.gone_ips.add(gone["ip"])
            self.model.keys.discard(gone["key"])

    def plan(self, _):
        plan = self.pick.choices(sorted(CAPS), [1, 3, 3])[0]
        self.trace.append(("plan", plan))
        self.admin.call("UpdateTenant", tenant="acme", plan=plan)
        self.model.plan = plan
        self.count("plan")

    def restart(self, _):
        self.trace.append(("restart",))
        for mesh in [self.admin, *self.meshes.values()]:
            mesh.close()
        assert self.d.stop() == 0, self.d.log()[-2000:]
        self.d.start()
        self.admin = self.d.admin()
        for name, old in self.meshes.items():
            self.meshes[name] = self.d.mesh()
            self.meshes[name].metadata = old.metadata
        self.count("restart")

    def compare(self):
        seen = {}
        for d in self.meshes["ann"].call("ListDevices", all=True).devices:
            owner = self.model.devices.get(d.id, {}).get("owner")
            seen[d.id] = {"label": d.label, "slug": d.slug, "ip": d.mesh_ip, "ip6": d.mesh_ip6, "owner": owner,
                          "key": d.public_key}
        assert seen == self.model.devices, f"known\n{seen}\nmodel\n{self.model.devices}"
        for who in ("bob", "eve"):
            mine = {d.id for d in self.meshes[who].call("ListDevices").devices}
            assert mine == {i for i, d in self.model.devices.items() if d["owner"] == who}, who
        generation = self.admin.call("ListTenants").tenants[0].generation
        assert generation >= self.generation, "the generation went back"
        self.generation = generation

    def step(self):
        does = self.pick.choices([self.create, self.update, self.rotate, self.delete, self.plan, self.restart],
                                 [50, 15, 12, 20, 3, 1])[0]
        does(self.pick.choice(sorted(PEOPLE)))
        self.compare()

    def close(self):
        code, log = self.d.stop(), self.d.log()
        self.d.remove()
        assert code == 0 and "Sanitizer" not in log and "runtime error" not in log, log[-3000:]


def run(seed, until):
    world, steps = World(seed), 0
    try:
        while steps < STEPS and (steps < 20 or time.monotonic() < until):
            world.step()
            steps += 1
        world.close()
    except Exception:
        print(f"FAIL seed {seed}, step {steps}, the last of them:")
        for line in world.trace[-5:]:
            print("  ", line)
        traceback.print_exc(limit=4, file=sys.stdout)
        world.d.end()
        world.d.remove()
        return None
    print(f"ok seed {seed}: {steps} steps, {len(world.model.devices)} devices at the end")
    return world.counts


def main():
    failed, seen, began = 0, {}, time.monotonic()
    for i, seed in enumerate(SEEDS):
        counts = run(seed, began + SECONDS * (i + 1) / len(SEEDS))
        failed += counts is None
        for what, times in (counts or {}).items():
            seen[what] = seen.get(what, 0) + times
    print("met: " + ", ".join(f"{what} {times}" for what, times in sorted(seen.items())))
    print(f"passed {len(SEEDS) - failed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
