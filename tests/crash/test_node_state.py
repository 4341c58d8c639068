#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""State of a node that is not its alone: keys that others may read or own, a link in place of a
file, a directory that others may write. It does not start, one line names the file and what helps,
and with that done it starts."""
import os
import subprocess
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from realnode import RealNode, control_panel, enter, until  # noqa: E402

NAMES = ("identity", "cache", "lease", "tls.key")


def refused_start(node, path, words):
    done = subprocess.run(node.args, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "Sanitizer" not in done.stderr, (done.returncode, done.stderr)
    said = [line for line in done.stderr.splitlines() if path in line]
    assert len(said) == 1 and words in said[0], (path, words, done.stderr)


def not_its_own(node):
    state = node.dir + "/state"
    for path, open_mode, right in [(f"{state}/{name}", 0o640, 0o600) for name in NAMES] + [(state, 0o777, 0o700)]:
        os.chmod(path, open_mode)
        refused_start(node, path, "chmod %o %s" % (right, path))
        os.chmod(path, right)
        os.chown(path, 65534, 65534)
        refused_start(node, path, "belongs to user id 65534")
        os.chown(path, os.geteuid(), os.getegid())


def linked(node):
    for name in NAMES:
        path = f"{node.dir}/state/{name}"
        os.rename(path, path + ".aside")
        os.symlink(path + ".aside", path)
        refused_start(node, path, "put the file itself there")
        os.rename(path + ".aside", path)


def main():
    rc = enter(__file__)
    if rc is not None:
        return rc
    cp, admin = control_panel()
    results = []
    node = RealNode(cp, admin).start().wait_ready()
    try:
        assert until(lambda: all(os.path.exists(f"{node.dir}/state/{name}") for name in NAMES), 150), \
            os.listdir(node.dir + "/state")
        for case in (not_its_own, linked):
            node.process.terminate()
            node.process.wait(60)
            try:
                case(node)
                node.start().wait_ready()
                results.append(True)
            except Exception:  # noqa: BLE001
                results.append(False)
                print("FAIL " + case.__name__)
                traceback.print_exc()
                break
    finally:
        if node.process.poll() is None:
            node.stop()
        cp.stop()
        cp.remove()
    print(f"passed {sum(results)} failed {len(results) - sum(results)} skipped 0")
    return 0 if all(results) and results else 1


if __name__ == "__main__":
    sys.exit(main())
