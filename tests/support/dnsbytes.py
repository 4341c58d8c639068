# SPDX-License-Identifier: Apache-2.0
"""DNS messages by hand (RFC 1035, 6891): what a test sends, and what it got."""
import ipaddress
import struct
from collections import namedtuple

A, NS, SOA, PTR, TXT, AAAA, OPT, IXFR, AXFR, ANY = 1, 2, 6, 12, 16, 28, 41, 251, 252, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
IN, CH = 1, 3

Record = namedtuple("Record", "name type klass ttl data")
Message = namedtuple("Message", "id flags rcode aa tc rd ra question answer authority additional raw")


def name_bytes(name):
    """"a.b" -> labels; a label may be bytes in a list."""
    labels = name.rstrip(".").split(".") if isinstance(name, str) else name
    out = b""
    for label in labels:
        label = label.encode() if isinstance(label, str) else label
        out += bytes([len(label)]) + label if label else b""
    return out + b"\0"


def opt(size=1232, version=0, flags=0, options=b""):
    return b"\0" + struct.pack(">HHBBHH", OPT, size, 0, version, flags, len(options)) + options


def query(name, kind=A, ident=0x1234, klass=IN, flags=0x0100, extra=(), counts=None):
    """extra: whole records behind the question. counts: instead of the right ones."""
    head = counts or (1, 0, 0, len(extra))
    return struct.pack(">HH4H", ident, flags, *head) + name_bytes(name) + struct.pack(">HH", kind, klass) + \
        b"".join(extra)


def _name(raw, at):
    labels, end, hops = [], None, 0
    while raw[at]:
        if raw[at] >= 0xc0:
            end, at = end or at + 2, (raw[at] & 0x3f) << 8 | raw[at + 1]
            hops += 1
            assert hops < 20, "a circle of pointers"
            continue
        labels.append(raw[at + 1:at + 1 + raw[at]].decode("latin-1"))
        at += 1 + raw[at]
    return ".".join(labels), end or at + 1


def parse(raw):
    """Fails with an exception when it is not whole or something is left over."""
    ident, flags, *counts = struct.unpack(">HH4H", raw[:12])
    at, question, sections = 12, None, []
    for _ in range(counts[0]):
        name, at = _name(raw, at)
        question = (name, *struct.unpack(">HH", raw[at:at + 4]))
        at += 4
    for count in counts[1:]:
        records = []
        for _ in range(count):
            name, at = _name(raw, at)
            kind, klass, ttl, length = struct.unpack(">HHIH", raw[at:at + 10])
            data = raw[at + 10:at + 10 + length]
            assert len(data) == length, "cut off"
            if kind in (A, AAAA):
                data = str(ipaddress.ip_address(data))
            elif kind in (NS, PTR, SOA):
                data = _name(raw, at + 10)[0]
            records.append(Record(name, kind, klass, ttl, data))
            at += 10 + length
        sections.append(records)
    assert at == len(raw), f"{len(raw) - at} bytes behind the message"
    return Message(ident, flags, flags & 15, bool(flags & 0x400), bool(flags & 0x200), bool(flags & 0x100),
                   bool(flags & 0x80), question, *sections, raw)
