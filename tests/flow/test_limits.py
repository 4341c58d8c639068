#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits told right: Retry-After says when there is room, to the second, over gRPC, Connect
and REST alike, and after a restart; a flood of sign-ins is answered, each with a type, while
the calls of others go on."""
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from meshrpc import PASSWORD, Daemon, Refused, enroll, http, login  # noqa: E402
from parts import run, run_all, summary  # noqa: E402

# A restart under the sanitizers on a busy machine takes seconds of the long period.
LIMIT, PERIOD_S, SHORT_S = 5, 20, 4
FLOOD, GUESSERS = 64, 32


class Lab:
    def __init__(self, *more, period=PERIOD_S):
        self.d = Daemon(["--provision-limit", str(LIMIT), "--provision-period", f"{period}s", *more]).start()
        self.admin = self.d.admin()
        self.admin.call("CreateTenant", name="acme", plan=4)
        for name in ("ann", "bob"):
            self.admin.call("CreateUser", tenant="acme", name=name, password=PASSWORD)
        self.node = enroll(self.d, self.admin, "acme", "gw-one")
        self.people = {name: login(self.d, name, "acme") for name in ("ann", "bob")}
        self.n = 0

    def create(self, who):
        self.n += 1
        return self.people[who].call("CreateDevice", label=f"device {self.n}")

    def restart(self):
        assert self.d.stop() == 0, self.d.log()[-2000:]
        self.d.start()
        for name, old in self.people.items():
            self.people[name] = self.d.mesh()
            self.people[name].metadata = old.metadata

    def close(self):
        assert self.d.stop() == 0, self.d.log()[-2000:]
        log = self.d.log()
        assert "Sanitizer" not in log and "error err" not in log, log[-3000:]
        self.d.remove()


def wait_of_rest(lab, who, path, body):
    """(seconds of the header, seconds of the detail)"""
    status, headers, answer = http(lab.d, "POST", path, body, dict(lab.people[who].metadata))
    assert status == 429, (status, answer)
    details = answer["details"]
    delay = next((d["retryDelay"] for d in details if "retryDelay" in d), None) or \
        next(d["debug"]["retryDelay"] for d in details if "retryDelay" in d.get("debug", {}))
    head = {k.lower(): v for k, v in headers.items()}["retry-after"]
    return int(head), float(delay.rstrip("s"))


def refused_wait(lab, who):
    try:
        lab.create(who)
    except Refused as refusal:
        assert refusal.reason == "RATE_LIMITED", refusal
        return refusal.retry_ms / 1000
    raise AssertionError("let in where there was no room")


def fill(lab, who):
    """The moments before and after the first of so many were let in."""
    before = time.monotonic()
    lab.create(who)
    after = time.monotonic()
    for _ in range(LIMIT - 1):
        lab.create(who)
    return before, after


def told_right(lab):
    """What is told is what is left of the first one's period, whoever asks by what; then there is room."""
    fill(lab, "ann")
    lab.restart()
    asked = time.monotonic()
    wait = refused_wait(lab, "ann")
    answered = time.monotonic()
    assert 0 < wait <= PERIOD_S, wait
    head, delay = wait_of_rest(lab, "ann", "/api/mesh/devices", {"label": "by REST"})
    later = time.monotonic()
    # The same moment, told a little later.
    assert asked + wait - 0.01 <= later + delay and answered + wait + 0.01 >= asked + delay, (wait, delay)
    assert head == -int(-delay // 1), (head, delay)
    # Before it there is no room, and a refusal does not move it.
    again = time.monotonic()
    try:
        refused = refused_wait(lab, "ann")
        assert again + refused <= answered + wait + (time.monotonic() - again) + 0.01, (refused, wait)
    except AssertionError:
        if time.monotonic() < asked + wait:
            raise
        return  # too late on this machine to ask before it
    time.sleep(max(0.0, answered + wait - time.monotonic()))
    lab.create("ann")


def never_six(lab):
    """Asked all the time by several at once: never more than so many in any period."""
    let_in, lock, until = [], threading.Lock(), time.monotonic() + 2.5 * SHORT_S

    def keep_asking(_):
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                with lock:
                    lab.n += 1
                    label = f"device {lab.n}"
                lab.people["bob"].call("CreateDevice", label=label)
            except Refused as refusal:
                assert refusal.reason == "RATE_LIMITED", refusal
                time.sleep(SHORT_S / 12)  # far from the budget of refused attempts
                continue
            with lock:
                let_in.append((began, time.monotonic()))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(keep_asking, range(4)))
    let_in.sort()
    assert len(let_in) >= LIMIT * 2, f"only {len(let_in)} in {2.5 * SHORT_S} s"
    for first, sixth in zip(let_in, let_in[LIMIT:]):
        # Between when the one was asked for and the other was there, at the widest.
        assert sixth[1] - first[0] >= SHORT_S - 0.01, (first, sixth)


def flood(lab):
    """Two are hashed, sixteen wait, the rest are told to come back; nobody else waits for them."""
    words, worked, done = {}, [], threading.Event()
    lock = threading.Lock()
    doors = [lab.d.mesh(lab.node.agent_token, client_addr=f"198.51.100.{n + 1}") for n in range(GUESSERS)]

    def guess(n):
        try:
            doors[n % GUESSERS].call("Login", user="ann", password=PASSWORD if n % 4 == 0 else "wrong", timeout=120)
            word = "in"
        except Refused as refusal:
            word = refusal.reason
            if word == "RATE_LIMITED":
                assert refusal.code == "RESOURCE_EXHAUSTED" and refusal.retry_ms == 1000, refusal
        with lock:
            words[word] = words.get(word, 0) + 1

    def others():
        while not done.is_set():
            lab.people["bob"].call("ListDevices", timeout=60)
            worked.append(time.monotonic())
    other = threading.Thread(target=others)
    other.start()
    try:
        with ThreadPoolExecutor(FLOOD) as pool:
            list(pool.map(guess, range(FLOOD * 2)))
    finally:
        done.set()
        other.join()
    print(f"     {words}, {len(worked)} calls of another beside them")
    assert sum(words.values()) == FLOOD * 2 and set(words) <= {"in", "LOGIN_FAILED", "RATE_LIMITED"}, words
    # The queue has room for one at the very least.
    assert words.get("RATE_LIMITED") and words.get("in", 0) + words.get("LOGIN_FAILED", 0) > 1, words
    assert len(worked) > 3, "the calls of others stood still"
    for door in doors:
        door.close()
    # And it is over when it is over.
    assert login(lab.d, "ann", "acme").call("WhoAmI").user == "ann"


def main():
    lab = Lab()
    run_all((told_right, flood), lab)
    run("clean end", lab.close)
    short = Lab(period=SHORT_S)
    run("never_six", never_six, short)
    run("clean end of the short period", short.close)
    small = Lab("--workers", "4")
    run("flood of four workers", flood, small)
    run("clean end of four workers", small.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
