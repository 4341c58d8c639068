# SPDX-License-Identifier: Apache-2.0
"""Messages a second and server CPU per message, beside the rivals, interleaved."""
from figures import ROUNDS, build, figure
from rivals import Work, start

ROUND_S = 0.8
GO = ["grpc-go", "connect-go"]
# name: what is asked for, TLS, who takes part; ours first. Aims are ratios.
AIMS = {"grpc++": 3}


def scenes():
    unary = Work.unary(64)
    yield unary, False, ["qmesh", "qmesh 2 loops", "grpc++", "h2o", "nghttpd", "grpc-js", *GO]
    yield Work.unary(4096), False, ["qmesh", "qmesh 2 loops", "grpc++", "h2o", "nghttpd", "grpc-js", *GO]
    yield unary, True, ["qmesh", "qmesh 2 loops", "grpc++", "grpc-js", *GO]
    yield Work.unary(4096), True, ["qmesh", "grpc++", "grpc-js", *GO]
    stream = Work.stream(1000, 60)
    yield stream, False, ["qmesh", "qmesh 2 loops", "grpc++", "grpc-js", *GO]
    yield stream, True, ["qmesh", "grpc++", "grpc-js", *GO]


def scene(work, tls, kinds):
    rivals = start(kinds, tls, work, ROUND_S)
    try:
        for _ in range(ROUNDS):
            for rival in rivals:
                rival.round(work)
    finally:
        for rival in rivals:
            rival.stop()
    ours = rivals[0]
    name = "%s%s" % (work.name, ", TLS" if tls else "")
    for rival in rivals[1:]:
        aim = AIMS.get(rival.kind) if work.name == "unary 64 B" and not tls else None
        figure("rpc", name, ours.rates, "1/s", rival.kind, rival.rates, aim=aim)
    for rival in rivals[1:]:
        figure("rpc", name + ": server cpu", ours.cpu, "us", rival.kind, rival.cpu, lower_is_better=True)


def main():
    build("echo_server")
    for work, tls, kinds in scenes():
        scene(work, tls, kinds)
