# SPDX-License-Identifier: Apache-2.0
"""A test of several parts: each is told by name, one that fails does not stop the others."""
import sys
import traceback

_RESULTS = []


def run(name, fn, *args):
    """Runs fn(*args), tells how it ended, and returns whether it held."""
    try:
        fn(*args)
        print(f"ok   {name}", flush=True)
    except Exception:  # noqa: BLE001: the others still run
        print(f"FAIL {name}", flush=True)
        traceback.print_exc(file=sys.stdout)
        _RESULTS.append(False)
        return False
    _RESULTS.append(True)
    return True


def run_all(parts, *args):
    """run() of each function under its own name; whether all held."""
    return all([run(fn.__name__, fn, *args) for fn in parts])


def summary():
    """The closing line that scripts/test counts; returns the exit code."""
    failed = _RESULTS.count(False)
    print(f"passed {len(_RESULTS) - failed} failed {failed} skipped 0")
    return 1 if failed else 0
