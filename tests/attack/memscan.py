# SPDX-License-Identifier: Apache-2.0
"""What a process holds in memory that it may write, and whose it is: heap, stack of a thread, file mapping."""
import os

CHUNK = 1 << 24
MOST = 1 << 30  # a sanitizer's shadow is larger, and holds no data


def _stack_pointers(pid):
    """{address: thread}; a thread that runs right now does not say."""
    out = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/syscall" % (pid, tid)) as f:
                words = f.read().split()
            with open("/proc/%d/task/%s/comm" % (pid, tid)) as f:
                name = f.read().strip()
        except OSError:
            continue
        if len(words) >= 3:
            out[int(words[-2], 16)] = "%s %s" % (name, tid)
    return out


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
        thread = next((who for sp, who in stacks.items() if low <= sp < high), None)
        if thread:
            owner = "stack of " + thread
        elif name in ("", "[heap]"):
            owner = "heap"
        else:
            owner = "mapping " + name
        yield low, high, owner


def find(pid, needles):
    """[(name, owner, address, bytes around)] of each place where one of {name: bytes} lies."""
    found = []
    longest = max(len(v) for v in needles.values())
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for low, high, owner in regions(pid):
            at = low
            while at < high:
                try:
                    mem.seek(at)
                    data = mem.read(min(CHUNK + longest, high - at))
                except OSError:
                    data = b""
                for name, needle in needles.items():
                    place = data.find(needle)
                    while 0 <= place < CHUNK:
                        found.append((name, owner, at + place, data[max(0, place - 48):place + 48]))
                        place = data.find(needle, place + 1)
                at += CHUNK
    return found
