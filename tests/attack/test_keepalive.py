#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Keepalive of clients as gRFC A8 has it: who pings more often than he may gets two
strikes, then GOAWAY(ENHANCE_YOUR_CALM, "too_many_pings") and the end. What the
server sends takes strikes back, so that probes of bandwidth are never punished.
"""
import sys

from wire import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HEADERS, KINDS, PING, Report, Server, echo,
                  frame, goaways, message, status_of)

ONE = frame(PING, 0, 0, b"keepaliv")


def answers(seen):
    return sum(1 for f in seen if f[0] == PING and f[1] & ACK)


def subscribe(server, kind):
    c = H2(server, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, echo("Subscribe")), frame(DATA, END_STREAM, 1, message(n=1)))
    return c


def ping(c):
    c.send(ONE)
    return c.until(lambda f: f[0] in (PING, GOAWAY))


def is_the_end(seen, c):
    """Puts what still comes behind what was seen; a reset is an end that outran what we sent."""
    seen += c.until(lambda f: False)
    return goaways(seen) == [(11, "too_many_pings")] and seen[-1][0] in ("eof", "reset")


def t_strikes(s, kind, check):
    for what, c in (("with a stream", subscribe(s, kind)), ("without one", H2(s, kind))):
        for i in range(3):
            seen = ping(c)
            check("PING %d %s is answered" % (i + 1, what), answers(seen) == 1 and not goaways(seen), seen)
        seen = ping(c)
        check("the fourth %s is the last" % what, is_the_end(seen, c), seen)
        c.close()
    started = s.stats()["started"]
    check("and its streams are let go", s.settle("ended", started) == started, s.stats())


def t_forgiven(s, kind, check):
    c = H2(s, kind)
    for stream in range(1, 21, 2):
        seen = [f for _ in range(3) for f in ping(c)]
        check("three PINGs before call %d" % stream, answers(seen) == 3 and not goaways(seen), seen)
        seen = c.call("Fail" if stream % 4 == 1 else "Unary", message(n=1, text=b"x"), stream)
        check("call %d" % stream, status_of(seen) in (0, 3), seen)
    c.close()


def t_probes(s, kind, check):
    """A PING for a DATA frame, as gRPC measures bandwidth, at most two of them on their way: on a busy
    machine DATA comes in heaps, and what is asked after the last of it counts."""
    c = H2(s, kind)
    c.send(frame(HEADERS, END_HEADERS, 1, echo("ServerStream")), frame(DATA, END_STREAM, 1, message(n=60, ms=5, size=100)))
    seen, asked = [], 0
    while (asked > answers(seen) or status_of(seen) is None) and not goaways(seen):
        f = c.read()
        if f is None or f[0] in ("eof", "reset"):
            break
        seen.append(f)
        if f[0] == DATA and asked < answers(seen) + 2:
            try:
                c.send(ONE)
            except OSError:
                break
            asked += 1
    check("probes of bandwidth", status_of(seen) == 0 and answers(seen) == asked >= 6 and not goaways(seen),
          (asked, answers(seen), seen[-1:]))
    c.close()


def t_answers(s, kind, check):
    c = subscribe(s, kind)
    c.send(*[frame(PING, ACK, 0, b"notasked")] * 20)
    seen = ping(c)
    check("answers nobody asked for are no keepalive", answers(seen) == 1 and not goaways(seen), seen)
    c.close()


def main():
    report = Report()
    with Server() as server:
        for kind in KINDS:
            for name, test in list(globals().items()):
                if name.startswith("t_") and (len(sys.argv) < 2 or name in sys.argv[1:]):
                    test(server, kind, lambda what, ok, seen="", kind=kind: report.check(kind + ": " + what, ok, seen))
        status, said = server.stop()
        report.check("ends clean", status == 0, (status, said[-2000:]))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
