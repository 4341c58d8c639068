# SPDX-License-Identifier: Apache-2.0
"""What a process holds in memory that it may write, and whose it is: heap, stack of a thread, file mapping."""
import os
import secrets
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FINDER = os.path.join(os.environ.get("QMESH_BUILD", os.path.join(ROOT, "build", "dev")), "tests/support/memfind")
MOST = 1 << 32  # a sanitizer's shadow is larger, and holds no data


def _stack_pointer(pid, tid):
    """(address, thread); a thread that runs right now does not say, and is asked again for a while."""
    for _ in range(40):
        try:
            with open("/proc/%d/task/%s/syscall" % (pid, tid)) as f:
                words = f.read().split()
            with open("/proc/%d/task/%s/comm" % (pid, tid)) as f:
                name = f.read().strip()
        except OSError:
            break
        if len(words) >= 3:
            return int(words[-2], 16), "%s %s" % (name, tid)
        time.sleep(0.005)
    return None


def _stack_pointers(pid):
    return dict(filter(None, (_stack_pointer(pid, tid) for tid in os.listdir("/proc/%d/task" % pid))))


def regions(pid):
    """(low, high, owner) of what is writable."""
    stacks = _stack_pointers(pid)
    with open("/proc/%d/maps" % pid) as f:
        lines = f.readlines()
    for line in lines:
        words = line.split(None, 5)
        low, high = (int(v, 16) for v in words[0].split("-"))
        if not words[1].startswith("rw") or high - low > MOST:
            continue
        name = words[5].strip() if len(words) > 5 else ""
        thread = next(((who, sp) for sp, who in stacks.items() if low <= sp < high), None)
        if thread:
            owner = "stack of %s at %x" % thread
        elif name == "[stack]":
            owner = "stack of the first thread"
        elif name in ("", "[heap]"):
            owner = "heap"
        else:
            owner = "mapping " + name
        yield low, high, owner


def find(pid, needles):
    """[(name, owner, address, bytes around)] of each place where one of {name: bytes} lies."""
    names, places = list(needles), list(regions(pid))
    orders = ["R %x %x" % place[:2] for place in places] + ["N " + needles[name].hex() for name in names]
    told = subprocess.run([FINDER, str(pid)], input="\n".join(orders) + "\n", text=True, check=True,
                          stdout=subprocess.PIPE).stdout.splitlines()
    if not told or not told[-1].startswith("done "):
        raise RuntimeError("the search was not finished")
    found = []
    for line in told[:-1]:
        number, at, around = line.split(" ")
        at = int(at, 16)
        owner = next(owner for low, high, owner in places if low <= at < high)
        found.append((names[int(number)], owner, at, bytes.fromhex(around)))
    return found


def finds_plants():
    """Whether it finds what a process leaves on its heap and in the dead part of two stacks."""
    text = "planted-" + secrets.token_hex(16)
    with subprocess.Popen([FINDER, "plant"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        p.stdin.write(text + "\n")
        p.stdin.flush()
        p.stdout.readline()
        owners = [f[1].split(" ")[0] for f in find(p.pid, {"front": text[:20].encode(), "back": text[20:].encode()})]
        p.stdin.close()
    return owners.count("stack") >= 4 and owners.count("heap") >= 2
