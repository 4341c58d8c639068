#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The plan's cap under 64 creations at once, one place left: exactly one is
taken, 63 are told DEVICE_CAP_REACHED with the numbers, every round. Each person
calls through a node, so that no budget of refusals of one person or address
answers first."""
import os
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import PASSWORD, Daemon, Mesh, Refused, base64, enroll, msg, x25519  # noqa: E402
import grpc  # noqa: E402

AT_ONCE = 64
ROUNDS = 200
SECONDS = int(os.environ.get("QMESH_TIER_LIMIT_S", "60")) - 30
LONG = "--long" in sys.argv or bool(os.environ.get("QMESH_LONG"))
CAP = 3


class Lab:
    def __init__(self):
        self.d = Daemon(["--provision-limit", "100", "--provision-period", "1s"]).start()
        self.admin = self.d.admin()
        self.admin.call("CreateTenant", name="acme", plan=1)
        self.node = enroll(self.d, self.admin, "acme", "gw-one")
        with ThreadPoolExecutor(4) as pool:
            self.people = list(pool.map(self.person, range(AT_ONCE)))
        self.channels = [grpc.insecure_channel(
            f"127.0.0.1:{self.d.port}", [("grpc.use_local_subchannel_pool", 1),
                                         ("grpc.enable_retries", 0)]) for _ in range(8)]

    def person(self, i):
        self.admin.call("CreateUser", tenant="acme", name=f"p{i}", password=PASSWORD)
        door = self.d.mesh(self.node.agent_token)
        for _ in range(100):
            try:
                token = door.call("Login", user=f"p{i}", password=PASSWORD).token
                break
            except Refused as refusal:
                assert refusal.reason == "RATE_LIMITED", refusal
                time.sleep(0.2)
        door.close()
        return self.d.mesh(self.node.agent_token, user=token, client_addr=f"198.51.100.{i + 1}")

    def create(self, i, label, own_key):
        """A call under way."""
        path, _, out = Mesh._method("CreateDevice")
        stub = self.channels[i % len(self.channels)].unary_unary(
            path, request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=msg(out).__class__.FromString)
        return stub.future(msg("CreateDeviceRequest", label=label, public_key=own_key),
                           timeout=30, metadata=self.people[i].metadata)

    def devices(self):
        return self.admin.call("ListTenants").tenants[0].devices


def one_round(lab, number, keys):
    """The device that was made, and who made it."""
    calls = [lab.create(i, f"r{number} c{i}", keys[i]) for i in range(AT_ONCE)]
    made = []
    for i, call in enumerate(calls):
        if call.exception() is None:
            made.append((i, call.result().device.id))
            continue
        refusal = Refused(call.exception())
        assert refusal.reason == "DEVICE_CAP_REACHED", f"round {number}: {refusal}"
        assert refusal.meta == {"limit": str(CAP), "used": str(CAP), "plan": "Free"}, refusal.meta
    assert len(made) == 1, f"round {number}: {len(made)} of {AT_ONCE} taken, one place was left"
    assert lab.devices() == CAP, f"round {number}: {lab.devices()} devices"
    return made[0]


def main():
    lab, started, rounds = Lab(), time.monotonic(), 0
    failed = 0
    try:
        keys = [base64.b64encode(x25519()).decode() for _ in range(AT_ONCE + CAP)]
        for i in range(CAP - 1):
            lab.people[i].call("CreateDevice", label=f"kept {i}", public_key=keys[AT_ONCE + i])
        for number in range(ROUNDS):
            if number and time.monotonic() - started > SECONDS and not LONG:
                break
            who, made = one_round(lab, number, keys)
            lab.people[who].call("DeleteDevice", id=made)
            rounds += 1
    except Exception:  # noqa: BLE001
        failed = 1
        traceback.print_exc()
    if lab.d.stop() != 0 or "Sanitizer" in lab.d.log():
        failed = 1
        print(lab.d.log()[-2000:])
    lab.d.remove()
    print(f"{rounds} of {ROUNDS} rounds of {AT_ONCE} at once")
    print(f"passed {1 - failed} failed {failed} skipped 0")
    return failed


if __name__ == "__main__":
    sys.exit(main())
