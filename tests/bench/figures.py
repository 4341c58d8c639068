# SPDX-License-Identifier: Apache-2.0
"""What every bench needs: the optimised build, medians, one JSON object a line."""
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("QMESH_BENCH_BUILD", ROOT + "/build/bench")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


def build(*targets):
    subprocess.run(["ninja", "-C", BUILD, *targets], check=True, stdout=sys.stderr)


def median(values):
    return statistics.median(values)


def spread(values):
    """With the machine's load: a figure from a busy machine says so."""
    return "median of %d, %.4g to %.4g, load %.1f" % (len(values), min(values), max(values), os.getloadavg()[0])


def cpu_seconds(pid):
    """Of all its threads, to the nanosecond where the kernel says so."""
    total = 0
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                total += int(f.read().split()[0])
        return total / 1e9
    except (OSError, ValueError, IndexError):
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def figure(bench, metric, values, unit, rival=None, rival_values=None, aim=None, lower_is_better=False):
    """One line. With a rival, ratio says how many times better we are and aim is its lower bound;
    without one aim is what the value itself may be at most or must be at least."""
    value = median(values)
    row = {"bench": bench, "metric": metric, "value": float("%.4g" % value), "unit": unit}
    if rival:
        theirs = median(rival_values)
        ratio = (theirs / value if lower_is_better else value / theirs) if value and theirs else 0
        row.update(rival=rival, rival_value=float("%.4g" % theirs), ratio=round(ratio, 2))
        if aim is not None:
            row.update(aim=aim, met=ratio >= aim)
    elif aim is not None:
        row.update(aim=aim, met=value <= aim if lower_is_better else value >= aim)
    row["note"] = spread(values)
    print(json.dumps(row), flush=True)
