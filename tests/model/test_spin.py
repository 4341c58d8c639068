#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The protocol in Promela (distribution.pml) in the hands of spin: with all its
rules the properties hold for every order of a few events; with a rule taken out
spin must find the order of events that breaks one. Some rules stand behind
another: those are taken out together, and alone they must be missed by nobody.

--long or QMESH_LONG=1: more events, which takes minutes.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODEL = HERE / "distribution.pml"
LONG = "--long" in sys.argv or bool(os.environ.get("QMESH_LONG"))
TIMEOUT_S = 900 if LONG else 120

# What may happen beside changes, cuts, restarts and restores.
SPOIL, ROLL, DROP, REPLAY = "spoil", "roll", "drop", "replay"
FLAGS = (SPOIL, ROLL, DROP, REPLAY)

# The whole protocol: how many events, and which kinds.
WHOLE = [(4, ()), (4, (REPLAY,)), (3, (SPOIL, ROLL)), (4, (DROP,)), (3, FLAGS)]
WHOLE_LONG = [(5, ()), (5, (REPLAY,)), (5, (SPOIL, ROLL)), (5, (DROP,)), (4, FLAGS)]

# Rules taken out -> events and kinds under which that must be seen.
BROKEN = [
    (("OVERFLOW_ENDS", "BEHIND"), 4, ()),
    (("OVERFLOW_BOUND",), 4, ()),
    (("JOIN_FIRST", "BEHIND"), 3, ()),
    (("RESUME_EPOCH", "EPOCH_FITS", "DIGEST_NODE"), 5, ()),
    (("PROOF",), 3, (ROLL,)),
    (("IDENTITY", "DIGEST_CP"), 5, ()),
    (("EPOCH_ABOVE", "DIGEST_CP"), 5, ()),
    (("NO_GAP", "DIGEST_NODE", "DIGEST_CP"), 4, (DROP,)),
    (("NOT_OLDER", "DIGEST_NODE"), 4, (REPLAY,)),
    (("HIGH_WATER",), 4, (REPLAY,)),
    (("CHUNKS_FIT", "DIGEST_NODE"), 4, (DROP, REPLAY)),
    (("ONE_FILE", "DIGEST_CP", "DIGEST_NODE"), 4, ()),
    (("DIGEST_CP",), 3, (SPOIL,)),
    (("BEHIND",), 4, (DROP,)),
    (("HELLO_HEAD",), 5, (ROLL, DROP)),
]

# One of two that stand behind each other: the other one is enough.
ENOUGH = [
    (("RESUME_EPOCH",), 4, ()),
    (("JOIN_FIRST",), 3, ()),
    (("DIGEST_NODE",), 3, (SPOIL,)),
]

passed = failed = 0


def report(good, words):
    global passed, failed
    passed += good
    failed += not good
    print(f"{'ok' if good else 'not ok'}  {words}", flush=True)


def rules():
    text = MODEL.read_text().partition("Numbers of rules")[2]
    return {name: int(n) for name, n in re.findall(r"^#define (\w+) (\d+)\s+/\*", text, re.M)}


def build(folder):
    subprocess.run(["spin", "-a", str(MODEL)], cwd=folder, check=True, timeout=TIMEOUT_S,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["cc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"],
                   cwd=folder, check=True, timeout=TIMEOUT_S)


def run(folder, without, events, kinds):
    """(errors, states, what was violated)"""
    setting = [events] + [int(k in kinds) for k in FLAGS]
    setting.append(sum(1 << rules()[name] for name in without))
    env = dict(os.environ, QMESH_SPIN=" ".join(map(str, setting)))
    with tempfile.TemporaryDirectory(dir=folder) as own:  # for its trail
        out = subprocess.run([f"{folder}/pan", "-m200000"], cwd=own, env=env, timeout=TIMEOUT_S,
                             capture_output=True, text=True).stdout
    errors = re.search(r"errors: (\d+)", out)
    states = re.search(r"(\d+(?:\.\d+e\+\d+)?) states, stored", out)
    why = re.search(r"pan:1: (.*)", out)
    if not errors or not states or "max search depth too small" in out or "reached" not in out:
        return -1, 0, out[-500:]
    return int(errors[1]), int(float(states[1])), why[1] if why else ""


def words_of(without, events, kinds):
    return f"{events} events{''.join(', ' + k for k in kinds)}" + (
        f" without {' and '.join(without)}" if without else "")


def judge(folder, case, wanted):
    without, events, kinds = case
    errors, states, why = run(folder, without, events, kinds)
    words = words_of(without, events, kinds)
    if errors < 0:
        return False, f"{words}: spin did not finish: {why}"
    told = f"{words}: {states} states{', ' + why if why else ''}"
    return (errors > 0) == wanted, told


def main():
    missing = [tool for tool in ("spin", "cc") if not shutil.which(tool)]
    if missing:
        print(f"{missing[0]} is not installed")
        return 77
    whole = [((), *case) for case in (WHOLE_LONG if LONG else WHOLE)]
    cases = [(case, False) for case in whole + ENOUGH] + [(case, True) for case in BROKEN]
    with tempfile.TemporaryDirectory(prefix="qmesh-spin-") as folder:
        build(folder)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for good, words in pool.map(lambda c: judge(folder, *c), cases):
                report(good, words)
    named = {name for without, _, _ in BROKEN for name in without}
    for name in sorted(set(rules()) - named):
        report(False, f"rule {name} is never taken out")
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
