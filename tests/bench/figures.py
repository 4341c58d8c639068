# SPDX-License-Identifier: Apache-2.0
"""What every bench needs: the optimised build, medians, one JSON object a line."""
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("QMESH_BENCH_BUILD", ROOT + "/build/bench")


def build(*targets):
    subprocess.run(["ninja", "-C", BUILD, *targets], check=True, stdout=sys.stderr)


def median(values):
    return statistics.median(values)


def spread(values):
    return "median of %d, %.4g to %.4g" % (len(values), min(values), max(values))


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def figure(bench, metric, values, unit, rival=None, rival_values=None, aim=None, lower_is_better=False):
    """One line. ratio says how many times better we are; aim is its lower bound."""
    row = {"bench": bench, "metric": metric, "value": float("%.4g" % median(values)), "unit": unit}
    if rival:
        ours, theirs = median(values), median(rival_values)
        ratio = (theirs / ours if lower_is_better else ours / theirs) if ours and theirs else 0
        row.update(rival=rival, rival_value=float("%.4g" % theirs), ratio=round(ratio, 2))
        if aim is not None:
            row.update(aim=aim, met=ratio >= aim)
    row["note"] = spread(values)
    print(json.dumps(row), flush=True)
