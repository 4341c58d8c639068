# SPDX-License-Identifier: Apache-2.0
"""
Instructions per call in our own objects, by callgrind: the difference of two runs that differ
in the number of calls alone. instructions.txt holds what each may cost; it only shrinks.

  instructions.py check | accept
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from figures import BUILD, ROOT, build, figure
from rivals import Rival, Work, certificate, say

FILE = ROOT + "/tests/bench/instructions.txt"
SERVER = BUILD + "/tests/support/echo_server"
FEW, MANY = 100, 600
TOLERANCE = 1.03  # what the order of events and the compiler's patch level may add
HEAD = """# SPDX-License-Identifier: Apache-2.0
# Instructions per call in our own objects, as built by the bench (RelWithDebInfo). A ratchet:
# scripts/bench rpc instructions says when one is exceeded, scripts/bench rpc accept lowers it.
"""


def works():
    unary, large = Work.unary(64), Work.unary(4096)
    stream = Work.stream(50, 60)
    for work in (unary, large, stream):
        work.conns, work.streams = 1, 1
    return {"unary-64": (unary, False), "unary-4096": (large, False), "unary-64-tls": (unary, True),
            "stream-message": (stream, False)}


def cost_of(path, program):
    """Instructions spent in the functions of one object: callgrind's format, self cost only."""
    names, mine, total, calls = {}, False, 0, False
    with open(path) as f:
        for line in f:
            if line.startswith("ob="):
                number, name = re.match(r"ob=\((\d+)\)(?: (.*))?", line).groups()
                names.setdefault(number, (name or "").strip())
                mine = os.path.realpath(names[number]) == program
            elif line.startswith("cob="):
                number, name = re.match(r"cob=\((\d+)\)(?: (.*))?", line).groups()
                names.setdefault(number, (name or "").strip())
            elif line.startswith("calls="):
                calls = True
            elif line[0] in "0123456789+-*":
                if mine and not calls:
                    total += int(line.split()[1])
                calls = False
    return total


class Watched(Rival):
    """Our server inside callgrind."""

    def __init__(self, tls, out):
        self.kind, self.tls = "qmesh", tls
        pair = certificate()
        argv = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, SERVER,
                *(["--tls", *pair] if tls else ["--plain"])]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline().split()
        if not line:
            raise RuntimeError("valgrind does not start the server")
        self.port = int(line[1])
        while self.process.stdout.readline().strip() != "ready":
            pass

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def one_run(work, tls, n):
    with tempfile.TemporaryDirectory(prefix="qmesh-bench-") as at:
        server = Watched(tls, at + "/out")
        try:
            right = server.load(work, n)[1]
        finally:
            server.stop()
        if not right:
            raise RuntimeError("wrong answers inside of callgrind")
        return cost_of(at + "/out", os.path.realpath(SERVER))


def count():
    """{name: instructions}; streams per message."""
    out = {}
    for name, (work, tls) in works().items():
        more = one_run(work, tls, MANY // work.n_messages * 2 if work.n_messages > 1 else MANY)
        less = one_run(work, tls, FEW // work.n_messages * 2 if work.n_messages > 1 else FEW)
        messages = (MANY - FEW) * (2 if work.n_messages > 1 else 1)
        out[name] = round((more - less) / messages)
    return out


def allowed():
    if not os.path.exists(FILE):
        return {}
    with open(FILE) as f:
        return {line.split()[0]: int(line.split()[1]) for line in f if line.strip() and not line.startswith("#")}


def ready():
    if not shutil.which("valgrind"):
        say("skipped instructions: valgrind is not installed")
        return False
    build("echo_server")
    return True


def judge(counts):
    """Lines about what costs more than it may, or less than it is said to."""
    for name, limit in allowed().items():
        if counts.get(name, 0) > limit * TOLERANCE:
            yield "%s: %d instructions, at most %d" % (name, counts[name], limit)


def main():
    if not ready():
        return 0
    counts = count()
    limits = allowed()
    for name, value in counts.items():
        limit = limits.get(name)
        figure("rpc", "instructions per call, %s" % name, [value], "1",
               aim=round(limit * TOLERANCE) if limit else None, lower_is_better=True)
    worse = list(judge(counts))
    for line in worse:
        say(line)
    return 1 if worse else 0


def accept():
    """Lowers; a higher count is for an editor and a reviewer."""
    if not ready():
        return 1
    old, new = allowed(), count()
    with open(FILE, "w") as f:
        f.write(HEAD)
        for name, value in new.items():
            kept = min(value, old.get(name, value))
            f.write("%s %d\n" % (name, kept))
            say("%s %d%s" % (name, kept, " (was %d)" % old[name] if name in old else ""))
    return 0


if __name__ == "__main__":
    sys.exit({"check": main, "accept": accept}[sys.argv[1]]())
