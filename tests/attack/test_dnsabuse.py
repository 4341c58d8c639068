#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real node's name server and those who mean it ill: packets of every malformed kind and changed
ones by UDP and TCP, strangers, many connections, clients that send a byte at a time or never read,
an upstream that is silent, sends rubbish or too much, or asks back. Afterwards it answers as before.
Runs itself in a network and a mount namespace; other members are further addresses of loopback."""
import os
import random
import select
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import dnsbytes as dns  # noqa: E402
import meshrpc  # noqa: E402
from realnode import RealNode, control_panel, enter, until  # noqa: E402

LONG = os.environ.get("QMESH_LONG") == "1"
UPSTREAM, STRANGER = "127.0.9.9", "192.0.2.9"
GROWTH = 300  # an SOA and an OPT
WAIT_S = 60
passed = failed = 0


def check(what, got, want=True):
    global passed, failed
    passed += got == want
    failed += got != want
    if got != want:
        print(f"FAIL {what}: got {got!r}, wanted {want!r}", flush=True)


class Lab:
    """The node, and sockets of members."""

    def __init__(self):
        self.cp, admin = control_panel()
        self.node = RealNode(self.cp, admin)
        self.upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.upstream.bind((UPSTREAM, 0))
        self.node.args += ["--dns-upstream", f"{UPSTREAM}:{self.upstream.getsockname()[1]}"]
        self.node.start().wait_ready()
        self.operator = meshrpc.Mesh("unix:" + self.node.dir + "/sock")
        # It is ready as soon as it can answer people: its first list may be on the way still.
        assert until(lambda: self.status() == "serving"), self.status()
        self.server = self.operator.call("GetState").state.mesh_ip
        self.base = self.server.rsplit(".", 2)[0]
        for n in range(1, 9):
            subprocess.run(["ip", "addr", "add", f"{self.base}.200.{n}/32", "dev", "lo"], check=True)
        subprocess.run(["ip", "addr", "add", STRANGER + "/32", "dev", "lo"], check=True)
        self.good = dns.query("node-one.quazzar.mesh", ident=0x7a7a)

    def member(self, n=1):
        return f"{self.base}.200.{n}"

    def status(self):
        return self.operator.call("GetState").state.dns_status

    def udp(self, source=None):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((source or self.member(), 0))
        s.connect((self.server, 53))
        s.settimeout(WAIT_S)
        return s

    def tcp(self, source=None):
        return socket.create_connection((self.server, 53), WAIT_S, (source or self.member(), 0))

    def lives(self, s):
        """Whether the good question gets its answer; everything that came before it on this socket."""
        before = []
        s.send(self.good)
        while True:
            raw = s.recv(65536)
            if raw[:2] == b"\x7a\x7a" and len(raw) > 12:
                return dns.parse(raw).answer[0].data == self.server, before
            before.append(raw)

    def close(self):
        self.operator.close()
        check("the node stops", self.node.stop(), 0)
        with open(self.node.log_path, errors="replace") as f:
            log = f.read()
        check("no sanitizer complains", "Sanitizer" in log or "runtime error:" in log, False)
        self.cp.stop()
        self.cp.remove()


def bad_packets():
    """(what, bytes, rcode; None: no answer; a set: any of these)."""
    own = "node-one.quazzar.mesh"
    good = dns.query(own)
    for n in range(12):
        yield f"{n} bytes", good[:n], None
    for n in range(12, len(good)):
        yield f"cut at {n}", good[:n], dns.FORMERR
    yield "an answer", dns.query(own, flags=0x8180), None
    for opcode in range(1, 16):
        yield f"opcode {opcode}", dns.query(own, flags=opcode << 11), dns.NOTIMP
    for where in range(4):
        for n in (0, 2, 255, 65535) if where == 0 else (1, 65535) if where < 3 else (1, 5, 65535):
            counts = [1, 0, 0, 0]
            counts[where] = n
            yield f"count {where} of {n}", dns.query(own, counts=counts), dns.FORMERR
    head, tail = good[:12], b"\0\1\0\1"
    for what, name in (("a pointer at itself", b"\xc0\x0c"), ("a pointer into the head", b"\xc0\0"),
                       ("a pointer behind the end", b"\xff\xff"), ("a label and a pointer", b"\3abc\xc0\x0c"),
                       ("a label of kind 01", b"\x41" + b"a" * 65 + b"\0"), ("a label of kind 10", b"\x81a\0"),
                       ("a name of 256", b"\x3f" + b"a" * 63 + (b"\x3f" + b"b" * 63) * 3 + b"\0"),
                       ("a name of 1000", (b"\1a" * 500) + b"\0"), ("a name without end", b"\3abc")):
        yield what, head + name + tail, dns.FORMERR
    yield "two OPT", dns.query(own, extra=(dns.opt(), dns.opt())), dns.FORMERR
    yield "an OPT cut off", dns.query(own, extra=(dns.opt(options=b"\0\x0a\0\x08" + bytes(8))[:-3],)), dns.FORMERR
    yield "an option longer than its OPT", dns.query(own, extra=(dns.opt(options=b"\0\x0a\xff\xff"),)), \
        {dns.FORMERR, dns.NOERROR}
    yield "unknown options", dns.query(own, extra=(dns.opt(options=b"\xfd\xe9\0\3abc\0\3\0\0"),)), dns.NOERROR
    yield "rubbish behind", good + b"rubbish", {dns.FORMERR, dns.NOERROR}
    yield "4096 bytes", good + bytes(4096 - len(good)), {dns.FORMERR, dns.NOERROR}
    yield "4097 bytes", good + bytes(4097 - len(good)), None
    yield "64 kB", good + bytes(60000), None
    for klass in (0, 2, 3, 4, 254, 255, 65535):
        yield f"class {klass}", dns.query(own, klass=klass), dns.REFUSED
    for kind in (0, 41, 99, 128, 249, 250, 253, 254, 32768, 65535):
        yield f"type {kind}", dns.query(own, kind), dns.NOERROR
    for kind in (dns.AXFR, dns.IXFR):
        yield f"type {kind}", dns.query("quazzar.mesh", kind), dns.REFUSED
    for label in (b"\0", b"a.b", b"\xff\xfe", b"a b", b"*", b"_x", b"-", b"\"", b"\\", b"A" * 63):
        yield f"label {label!r}", dns.query([label, b"quazzar", b"mesh"]), dns.NXDOMAIN
    longest = [b"x" * 63, b"y" * 63, b"z" * 63, b"w" * 47, b"quazzar", b"mesh"]
    yield "the longest name", dns.query(longest), dns.NXDOMAIN
    yield "BADVERS", dns.query(own, extra=(dns.opt(version=255),)), dns.NOERROR


def judge(what, sent, raw, want):
    if want is None or raw is None:
        check(what, raw, None if want is None else "an answer")
        return
    try:
        answer = dns.parse(raw)
    except Exception as e:  # noqa: BLE001
        check(f"{what}: {raw.hex()}", repr(e), "a whole message")
        return
    check(what, answer.rcode in want if isinstance(want, set) else answer.rcode, True if isinstance(want, set) else want)
    check(f"{what}: number, QR, size", (raw[:2], raw[2] & 0x80, len(raw) <= len(sent) + GROWTH), (sent[:2], 0x80, True))
    if answer.question and len(sent) > 16 and answer.rcode != dns.FORMERR:
        end = sent.index(b"\0", 12) if b"\0" in sent[12:] else len(sent)
        check(f"{what}: letters", raw[12:min(end, len(raw))], sent[12:end])


def malformed_udp(lab):
    s = lab.udp()
    for what, sent, want in bad_packets():
        s.send(sent)
        good, before = lab.lives(s)
        check(f"{what}: it lives, one answer at most", (good, len(before) < 2), (True, True))
        judge(what, sent, before[0] if before else None, want)
    s.close()


def malformed_tcp(lab):
    """Each on a connection of its own, the good question behind it: answered, or the end."""
    framed_good = len(lab.good).to_bytes(2, "big") + lab.good
    for what, sent, want in bad_packets():
        s = lab.tcp()
        got, answers = b"", {}
        try:
            s.sendall((len(sent) & 0xffff).to_bytes(2, "big") + sent + framed_good)
            s.shutdown(socket.SHUT_WR)
            while data := s.recv(65536):
                got += data
        except OSError:
            pass  # it ended the connection before we had said all
        s.close()
        while len(got) >= 2:
            n = int.from_bytes(got[:2], "big")
            answers[got[2:4]] = got[2:2 + n]
            got = got[2 + n:]
        if want is not None:
            judge(what + ", TCP", sent, answers.get(sent[:2]), want)
        check(f"{what}, TCP: nothing strange", set(answers) <= {sent[:2], b"\x7a\x7a"})


def changed(lab):
    """Good packets with some bytes changed: what comes back is always a whole answer to it."""
    rnd = random.Random(20)
    seeds = [p for _, p, want in bad_packets() if want is not None and len(p) < 400]
    s = lab.udp(lab.member(2))
    bad = 0
    for n in range(20000 if LONG else 1500):
        packet = bytearray(rnd.choice(seeds))
        for _ in range(rnd.randint(1, 4)):
            packet[rnd.randrange(2, len(packet))] = rnd.randrange(256)
        packet[:2] = (n % 30000).to_bytes(2, "big")
        # What is left to an upstream is the next test's matter.
        s.send(packet)
        if n % 50 == 49:  # no more than its socket's buffer takes
            good, before = lab.lives(s)
            bad += not good
            for raw in before:
                try:
                    dns.parse(raw)
                    bad += len(raw) > 512 + GROWTH
                except Exception as e:  # noqa: BLE001
                    print("FAIL", repr(e), raw.hex())
                    bad += 1
    s.close()
    check("changed packets", bad, 0)


def strangers(lab):
    for source in ("127.0.0.1", STRANGER):
        s = lab.udp(source)
        for _ in range(3):
            s.send(lab.good)
        mine = lab.udp()
        check(f"after questions of {source} it lives", lab.lives(mine)[0])
        mine.close()
        check(f"{source} hears nothing", select.select([s], [], [], 0)[0], [])
        s.close()
        s = lab.tcp(source)
        try:
            s.sendall(len(lab.good).to_bytes(2, "big") + lab.good)
            got = s.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            got = b""
        check(f"{source} by TCP", got, b"")
        s.close()


def connections(lab):
    """Eight of one source, no more; others are not held up. The eight, which say nothing more."""
    held = [lab.tcp(lab.member(3)) for _ in range(8)]
    # The eighth is known when it is answered.
    for s in held:
        s.sendall(len(lab.good).to_bytes(2, "big") + lab.good)
        check("one of eight", len(s.recv(4096)) > 12)
    ninth = lab.tcp(lab.member(3))
    try:
        got = ninth.recv(1)
    except ConnectionResetError:
        got = b""
    check("the ninth", got, b"")
    ninth.close()
    other = lab.tcp(lab.member(4))
    for byte in len(lab.good).to_bytes(2, "big") + lab.good:
        other.send(bytes([byte]))
    check("another, byte by byte", len(other.recv(4096)) > 12)
    other.close()
    for s in held[::2]:
        s.sendall(b"\0")  # half a length is no question
    return held


def idle_ends(held):
    check("those that are idle are ended", [s.recv(1) for s in held], [b""] * 8)
    for s in held:
        s.close()


def never_reads(lab):
    """Questions without end, and nobody takes the answers: they wait in the client's own socket."""
    s = lab.tcp(lab.member(5))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.setblocking(False)
    flood, sent = (len(lab.good).to_bytes(2, "big") + lab.good) * 200, 0
    mine = lab.udp()
    end = time.monotonic() + WAIT_S
    while sent < 50 << 20 and time.monotonic() < end:
        try:
            sent += s.send(flood)
        except BlockingIOError:
            if not select.select([], [s], [], 0.5)[1]:
                break
        except (ConnectionResetError, BrokenPipeError):
            break
    check("who never reads is not read from", sent < 50 << 20)
    check("and others are answered", lab.lives(mine)[0])
    mine.close()
    s.close()


# --- the upstream ---

class Upstream:
    """Takes questions on its thread and answers as reply(question) says: a list of packets."""

    def __init__(self, lab, reply):
        self.lab, self.reply, self.seen, self.goes_on = lab, reply, 0, True
        lab.upstream.setblocking(False)
        try:
            while lab.upstream.recv(1):
                pass  # asked when nobody answered
        except BlockingIOError:
            pass
        lab.upstream.settimeout(0.1)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.goes_on:
            try:
                question, who = self.lab.upstream.recvfrom(65536)
            except TimeoutError:
                continue
            self.seen += 1
            for packet in self.reply(question):
                self.lab.upstream.sendto(packet, who)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.goes_on = False
        self.thread.join()


def answer_to(question, more=b"", counts=b"\0\1\0\0\0\0"):
    end = question.index(b"\0", 12) + 5
    return question[:2] + b"\x81\x80\0\1" + counts + question[12:end] + more


def rubbish(lab):
    """What an upstream sends is passed on only as an answer to that question, and never too much."""
    rnd = random.Random(7)

    def reply(question):
        end = question.index(b"\0", 12) + 5
        kinds = [b"", b"\0", rnd.randbytes(30), question, bytes(2) + answer_to(question)[2:], answer_to(question)[:end - 1],
                 answer_to(question, rnd.randbytes(rnd.randrange(1, 1200)), rnd.randbytes(6))]
        rnd.shuffle(kinds)
        return kinds
    s = lab.udp(lab.member(6))
    with Upstream(lab, reply):
        for n in range(300):
            question = dns.query(f"n{n}.example.com", ident=n, extra=(dns.opt(4096),))
            s.send(question)
            raw = s.recv(65536)
            ok = raw[:2] == question[:2] and raw[2] & 0x80 and len(raw) <= 1232 and raw[12:20] == question[12:20]
            if not ok:
                check(f"an answer to {n}", raw.hex(), question.hex())
                break
        else:
            check("300 answers out of rubbish", True)
    for size, opt_size, most in ((4000, 0, 512), (4000, 512, 512), (4000, 4096, 1232), (60000, 65535, 1232)):
        with Upstream(lab, lambda question, size=size: [answer_to(question, bytes(size))]):
            question = dns.query(f"l{size}-{opt_size}.example.com", extra=(dns.opt(opt_size),) if opt_size else ())
            s.send(question)
            answer = dns.parse(s.recv(65536))
            check(f"an answer of {size} to who takes {opt_size}", (len(answer.raw) <= most, answer.tc,
                                                                  len(answer.additional)), (True, True, opt_size > 0))
    s.close()
    mine = lab.udp()
    check("after rubbish it lives", lab.lives(mine)[0])
    mine.close()


def asks_back(lab, meanwhile):
    """An upstream that forwards to us what we ask it: the circle is cut, and does not go on by itself."""
    back, s = lab.udp(lab.member(7)), lab.udp(lab.member(8))
    seen = []

    def reply(question):
        seen.append(question)
        back.send(question)
        return []
    with Upstream(lab, reply):
        for n in range(3):
            question = dns.query(f"circle{n}.example.com", ident=n)
            s.send(question)
            while s.recv(65536)[:2] != question[:2]:
                pass
        meanwhile()
    check("few questions for one", sum(b"circle" in q for q in seen) <= 3 * 8)
    back.close()
    s.close()


def silent(lab):
    """More questions than may wait, and no answer to any: each is refused or given up, none is kept."""
    socks, mine = [lab.udp(lab.member(n)) for n in range(1, 9)], lab.udp()
    for n in range(100):
        for k, s in enumerate(socks):
            s.send(dns.query(f"s{n}-{k}.example.com", ident=n))
        # Its socket's buffer would overflow.
        if n % 20 == 19:
            check(f"while {8 * n} wait, ours are answered", lab.lives(mine)[0])
    mine.close()
    for s in socks:
        rcodes = [dns.parse(s.recv(65536)).rcode for _ in range(100)]
        check("a hundred questions, a hundred failures", set(rcodes), {dns.SERVFAIL})
        s.close()


def main():
    code = enter(__file__)
    if code is not None:
        return code
    lab = Lab()

    def run(*tests):
        for test in tests:
            started = time.monotonic()
            test(lab)
            print(f"{test.__name__}: {time.monotonic() - started:.1f} s", flush=True)
    try:
        held = connections(lab)
        asks_back(lab, lambda: run(malformed_udp, malformed_tcp, changed, strangers, never_reads))
        run(rubbish, silent)
        idle_ends(held)
        check("the circle is told", until(lambda: lab.status() == "degraded: an upstream asks this node back"))
    finally:
        lab.close()
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
